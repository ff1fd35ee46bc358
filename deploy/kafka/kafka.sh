#!/usr/bin/env bash
# Runs a real Apache Kafka from its Maven jars: for the demo, the tests, the bench and the container.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

usage() {
  cat <<'TEXT'
usage:
  kafka.sh fetch
      Fetches the jars once and prints the folder that holds them.
  kafka.sh serve --dir DIR --port PORT [options]
      Formats DIR if it is new, then becomes the broker: its pid is this process, and DIR/server.log its log.
      --host ADDRESS                bind address (127.0.0.1)
      --advertise HOST:PORT         what clients are told to connect to (HOST:PORT of the listener)
      --extra-listener BIND:PORT=HOST:PORT
                                    a second door that advertises another address, such as one for containers
      --controller-port PORT        (any free port)
      --node-id N --voters "1@HOST:PORT,2@HOST:PORT,..."
                                    one of several nodes; the ports are the controllers'
      --set KEY=VALUE               any broker setting, may be repeated
  kafka.sh wait --port PORT [--host 127.0.0.1] [--timeout 60] [--pid PID]
      Returns when the broker answers a request; fails at once when process PID has ended.

environment:
  ATTRIBUTARY_CACHE    where the jars are kept (~/.cache/attributary)
  ATTRIBUTARY_KAFKA    a folder that already holds the jars; nothing is fetched
  KAFKA_HEAP_OPTS      (-Xmx512m -Xms256m)
TEXT
}

say() { printf 'kafka.sh: %s\n' "$*" >&2; }

die() {
  local code=$1
  shift
  say "$*"
  exit "$code"
}

require() {
  local command=$1 package=$2
  command -v "$command" >/dev/null ||
    die 69 "$command is missing: run 'sudo apt-get install $package' (or your system's equivalent) and try again"
}

require_java() {
  require java openjdk-17-jre-headless
  local version
  version=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p')
  [[ ${version:-0} -ge 17 ]] ||
    die 69 "Java 17 or newer is needed, this one is ${version:-unknown}: run 'sudo apt-get install openjdk-17-jre-headless' and try again"
}

fetch() {
  if [[ -n ${ATTRIBUTARY_KAFKA:-} ]]; then
    printf '%s\n' "$ATTRIBUTARY_KAFKA"
    return
  fi
  local cache version target
  cache=${ATTRIBUTARY_CACHE:-$HOME/.cache/attributary}
  version=$(sed -n 's:^  <version>\(.*\)</version>:\1:p' "$here/pom.xml")
  target=$cache/kafka-$version
  if [[ ! -d $target ]]; then
    require_java
    require mvn maven
    mkdir -p "$cache"
    download "$target" || die 1 "cannot fetch the jars of Kafka $version"
  fi
  printf '%s\n' "$target"
}

# The body is a subshell, so that its trap and its lock end with it.
download() (
  target=$1
  # Maven's own repository does not stand two writers.
  if command -v flock >/dev/null; then
    exec 9>"$target.lock"
    flock 9
  fi
  if [[ -d $target ]]; then exit 0; fi

  say "fetching Kafka (about 45 MB, once)"
  partial=$(mktemp -d "$target.partial.XXXXXX")
  trap 'rm -rf "$partial" "$partial.log"' EXIT
  mvn --batch-mode --quiet --file "$here/pom.xml" \
    dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$partial" >"$partial.log" 2>&1 ||
    { tail -n 20 "$partial.log" >&2; exit 1; }
  chmod 755 "$partial"
  mv -T "$partial" "$target" 2>/dev/null || [[ -d $target ]]
)

taken() { (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null; }

# A port below the range from which the system takes outgoing ones.
free_port() {
  local port
  for _ in {1..50}; do
    port=$((20000 + RANDOM % 12000))
    if ! taken 127.0.0.1 "$port"; then
      printf '%s\n' "$port"
      return
    fi
  done
  die 1 "no free port found for the controller"
}

serve() {
  local dir='' port='' host=127.0.0.1 advertise='' extra='' controller_port='' node=1 voters=''
  local -a settings=()
  while [[ $# -gt 0 ]]; do
    [[ $# -ge 2 ]] || die 2 "$1 needs a value"
    case $1 in
      --dir) dir=$2 ;;
      --port) port=$2 ;;
      --host) host=$2 ;;
      --advertise) advertise=$2 ;;
      --extra-listener) extra=$2 ;;
      --controller-port) controller_port=$2 ;;
      --node-id) node=$2 ;;
      --voters) voters=$2 ;;
      --set) settings+=("$2") ;;
      *) die 2 "unknown option $1 (see kafka.sh --help)" ;;
    esac
    shift 2
  done
  [[ -n $dir ]] || die 2 "serve needs --dir"
  [[ -n $port ]] || die 2 "serve needs --port"
  # Kafka itself finds out seconds later, and until then whoever waits for it would talk to the other one.
  if taken "$host" "$port"; then die 1 "port $port of $host is taken"; fi
  require_java
  local jars
  jars=$(fetch)

  mkdir -p "$dir"
  dir=$(cd "$dir" && pwd)
  write_properties >"$dir/server.properties"

  local -a java=(
    java
    # Kafka's data lives outside the heap; one collector thread leaves the cores to the services.
    -XX:+UseSerialGC -XX:+ExitOnOutOfMemoryError "-XX:ErrorFile=$dir/jvm-error.log"
    -Xshare:auto -XX:-UsePerfData -Djava.awt.headless=true "-Djava.io.tmpdir=$dir"
    "-Dkafka.logs.dir=$dir" "-Dlog4j2.configurationFile=$here/log4j2.xml"
    -cp "$jars/*"
  )
  if [[ ! -f $dir/data/meta.properties ]]; then
    "${java[@]}" -XX:TieredStopAtLevel=1 kafka.tools.StorageTool format --ignore-formatted \
      --config "$dir/server.properties" --cluster-id "$(cluster_id)" >"$dir/format.log" 2>&1 ||
      { cat "$dir/format.log" >&2; die 1 "cannot format $dir"; }
  fi
  local -a heap
  read -ra heap <<<"${KAFKA_HEAP_OPTS:--Xmx512m -Xms256m}"
  exec "${java[@]}" "${heap[@]}" kafka.Kafka "$dir/server.properties"
}

# Nodes of one cluster must agree on its id, and have only the list of voters in common.
cluster_id() {
  local seed=$voters
  [[ -n $seed ]] || seed=$dir$RANDOM$RANDOM$(date +%s%N)
  sha256sum <<<"$seed" | cut -c1-22
}

# Reads the local variables of serve.
write_properties() {
  local controller replicas=1 quorum=$voters
  if [[ -n $voters ]]; then
    controller=$(tr ',' '\n' <<<"$voters" | sed -n "s/^ *$node@//p")
    [[ -n $controller ]] || die 2 "--voters does not name node $node"
    replicas=$(tr ',' '\n' <<<"$voters" | grep -c @)
    if [[ $replicas -gt 3 ]]; then replicas=3; fi
  else
    controller=127.0.0.1:${controller_port:-$(free_port)}
    quorum=$node@$controller
  fi
  local listeners="CLIENTS://$host:$port"
  local advertised="CLIENTS://${advertise:-$host:$port}"
  if [[ -n $extra ]]; then
    listeners+=",EXTRA://${extra%%=*}"
    advertised+=",EXTRA://${extra#*=}"
  fi
  cat <<TEXT
process.roles=broker,controller
node.id=$node
controller.quorum.voters=$quorum
listeners=$listeners,CONTROLLER://$controller
advertised.listeners=$advertised
controller.listener.names=CONTROLLER
inter.broker.listener.name=CLIENTS
listener.security.protocol.map=CLIENTS:PLAINTEXT,EXTRA:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$dir/data

# A misspelt topic must fail, not appear.
auto.create.topics.enable=false
default.replication.factor=$replicas
min.insync.replicas=$((replicas > 1 ? replicas - 1 : 1))
offsets.topic.replication.factor=$replicas
transaction.state.log.replication.factor=$replicas
transaction.state.log.min.isr=$((replicas > 1 ? replicas - 1 : 1))
share.coordinator.state.topic.replication.factor=$replicas
share.coordinator.state.topic.min.isr=$((replicas > 1 ? replicas - 1 : 1))

# Kafka makes 50 partitions of each of these by default, which a laptop feels at every start.
offsets.topic.num.partitions=4
transaction.state.log.num.partitions=4
share.coordinator.state.topic.num.partitions=4
group.initial.rebalance.delay.ms=0

# What a killed replica of attribution left open is aborted within a second of its timeout, not of up to ten.
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000

# A broker that was killed may register again only when its old session has expired: 9 s by default.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500

$(printf '%s\n' ${settings[@]+"${settings[@]}"})
TEXT
}

# Sends an ApiVersions request (version 0, no client id) and waits for the first bytes of the answer:
# an open port alone may be a proxy, or somebody else's.
answers() {
  local host=$1 port=$2
  # shellcheck disable=SC2016  # the inner shell expands them
  timeout 2 bash -c '
    exec 3<>"/dev/tcp/$0/$1" || exit 1
    printf "\x00\x00\x00\x0a\x00\x12\x00\x00\x00\x00\x00\x01\xff\xff" >&3
    [[ $(head -c 8 <&3 | od -An -tx1 | tr -d " \n") == ????????00000001 ]]
  ' "$host" "$port" 2>/dev/null
}

wait_for() {
  local port='' host=127.0.0.1 timeout=60 pid=''
  while [[ $# -gt 0 ]]; do
    [[ $# -ge 2 ]] || die 2 "$1 needs a value"
    case $1 in
      --port) port=$2 ;;
      --host) host=$2 ;;
      --timeout) timeout=$2 ;;
      --pid) pid=$2 ;;
      *) die 2 "unknown option $1 (see kafka.sh --help)" ;;
    esac
    shift 2
  done
  [[ -n $port ]] || die 2 "wait needs --port"
  local deadline=$((SECONDS + timeout))
  until answers "$host" "$port"; do
    [[ -z $pid ]] || kill -0 "$pid" 2>/dev/null || die 1 "Kafka (process $pid) ended before it answered at $host:$port"
    [[ $SECONDS -lt $deadline ]] || die 1 "no Kafka answers at $host:$port after $timeout s"
    sleep 0.1
  done
  # The answer may have come from somebody else's.
  [[ -z $pid ]] || kill -0 "$pid" 2>/dev/null || die 1 "Kafka (process $pid) ended, and another answers at $host:$port"
}

main() {
  local command=${1:-}
  [[ $# -eq 0 ]] || shift
  case $command in
    fetch) fetch ;;
    serve) serve "$@" ;;
    wait) wait_for "$@" ;;
    -h | --help | help) usage ;;
    *)
      usage >&2
      exit 2
      ;;
  esac
}

main "$@"
