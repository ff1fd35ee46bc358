# Sourced by the builds of the peers on the JVM: brings the jars of pom.xml to $PEER_CACHE/lib, once.
need() { command -v "$1" >/dev/null || { echo "$1 is missing" >&2; exit 69; }; }

fetch_jars() {
  need mvn
  cmp -s pom.xml "$PEER_CACHE/pom.xml" && return
  rm -rf "$PEER_CACHE/lib"
  mvn --quiet --batch-mode dependency:copy-dependencies -DoutputDirectory="$PEER_CACHE/lib" >&2
  cp pom.xml "$PEER_CACHE/"
}

compile_java() {
  need javac
  javac -nowarn -cp "$PEER_CACHE/lib/*" -d "$PEER_CACHE/classes" ./*.java
}
