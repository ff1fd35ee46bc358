#!/usr/bin/env bash
# Builds the images, starts docker-compose.yml for real, sends traffic through it, verifies the counts, and takes
# everything down again. Where no Docker daemon runs it starts one of its own; where no image registry can be reached
# it makes the base images itself.
#
#   compose-test.sh [--keep]     --keep leaves the containers running, for looking at
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${ATTRIBUTARY_CACHE:-$HOME/.cache/attributary}
keep=${1:-}
messages=20000

# A port that nobody holds, below the range from which the system takes outgoing ones.
free_port() {
  local port
  while true; do
    port=$((20000 + RANDOM % 12000))
    if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then break; fi
  done
  echo "$port"
}

KAFKA_PORT=$(free_port) INGEST_PORT=$(free_port) REPORTS_PORT=$(free_port)
export KAFKA_PORT INGEST_PORT REPORTS_PORT

say() { printf 'compose-test: %s\n' "$*" >&2; }

die() {
  local code=$1
  shift
  say "$*"
  exit "$code"
}

work=$(mktemp -d)
daemon=''
started=''

clean_up() {
  local status=$?
  trap - EXIT INT TERM
  if [[ -n $started ]]; then
    [[ $status -eq 0 || $status -ge 128 ]] || compose logs --no-color --tail=40 >&2 || true
    if [[ $keep == --keep ]]; then
      say "left running: ingest $INGEST_PORT, reports $REPORTS_PORT, Kafka $KAFKA_PORT${daemon:+; DOCKER_HOST=$DOCKER_HOST, daemon $daemon}"
      exit "$status"
    fi
    compose down --volumes --remove-orphans --timeout 40 >"$work/down.log" 2>&1 || cat "$work/down.log" >&2
  fi
  if [[ -n $daemon ]]; then
    kill "$daemon" 2>/dev/null || true
    wait "$daemon" 2>/dev/null || true
  fi
  rm -rf "$work"
  exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

ensure_daemon() {
  "$root/deploy/need.sh" docker
  if docker info >/dev/null 2>&1; then return; fi
  [[ $(id -u) -eq 0 ]] ||
    die 69 "no Docker daemon can be reached: start it (sudo systemctl start docker), join group docker, or run this as root"
  "$root/deploy/need.sh" dockerd
  say "starting a Docker daemon"
  mkdir -p "$cache/docker"
  export DOCKER_HOST=unix://$work/docker.sock
  # A session of its own: Ctrl-C must reach the containers through `compose down`, not kill the daemon first.
  setsid dockerd --host "$DOCKER_HOST" --data-root "$cache/docker" --exec-root "$work/exec" --pidfile "$work/docker.pid" \
    >"$work/dockerd.log" 2>&1 &
  daemon=$!
  for _ in {1..300}; do
    if docker info >/dev/null 2>&1; then return; fi
    kill -0 "$daemon" 2>/dev/null || break
    sleep 0.1
  done
  tail -n 20 "$work/dockerd.log" >&2
  die 69 "the Docker daemon does not start"
}

# Compose v2 where it is, else docker-compose 1.29.
choose_compose() {
  if docker compose version >/dev/null 2>&1; then
    compose_command=(docker compose)
  else
    "$root/deploy/need.sh" docker-compose
    compose_command=(docker-compose)
  fi
}

compose() { "${compose_command[@]}" --project-name attributary-test --file "$root/docker-compose.yml" "$@"; }

# The base image that argument NAME of a Dockerfile stands for.
base_image() { sed -n "s/^ARG $1=//p" "$root/deploy/Dockerfile"; }

ensure_image() {
  local image=$1 make=$2
  if docker image inspect "$image" >/dev/null 2>&1; then return; fi
  if docker pull --quiet "$image" >"$work/pull.log" 2>&1; then return; fi
  say "$image cannot be pulled ($(tail -n 1 "$work/pull.log")); making it here"
  "$make" "$image" >"$work/image.log" 2>&1 || {
    tail -n 30 "$work/image.log" >&2
    die 69 "cannot make $image here"
  }
}

# Debian as its image has it: no recommended packages, no manuals. The certificates that this machine trusts
# besides the usual ones come along, as the way to the package registries may lead through them.
make_debian() {
  "$root/deploy/need.sh" mmdebstrap
  local -a trust=()
  if compgen -G '/usr/local/share/ca-certificates/*.crt' >/dev/null; then
    trust=(--customize-hook='copy-in /usr/local/share/ca-certificates /usr/local/share/')
  fi
  mmdebstrap --variant=minbase --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    ${trust[@]+"${trust[@]}"} bookworm "$work/debian.tar"
  docker import --change 'CMD ["bash"]' "$work/debian.tar" "$1"
  rm "$work/debian.tar"
}

# Debian with a C compiler and this machine's own Rust.
make_rust() {
  local context=$work/rust
  "$root/deploy/need.sh" cargo
  mkdir "$context"
  tar --create --file "$context/toolchain.tar" --exclude=./share --exclude=./lib/rustlib/src --directory "$(rustc --print sysroot)" .
  cat >"$context/Dockerfile" <<TEXT
FROM $(base_image RUN_IMAGE)
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates gcc g++ libssl-dev make pkg-config
ADD toolchain.tar /usr/local/rust/
ENV PATH=/usr/local/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
TEXT
  DOCKER_BUILDKIT=0 docker build --tag "$1" "$context"
  rm -r "$context"
}

wait_until_healthy() {
  local deadline=$((SECONDS + 120)) service id
  for service in "$@"; do
    id=$(compose ps -q "$service")
    until [[ $(docker inspect --format '{{.State.Health.Status}}' "$id") == healthy ]]; do
      [[ $SECONDS -lt $deadline ]] || die 1 "$service is not healthy after 120 s"
      sleep 0.5
    done
  done
}

# One container for both, so that the truth of the first is there for the second.
simulate_and_verify() {
  compose run -T --rm --no-deps --entrypoint sh simulator -c "
    attributary simulate --to http://ingest:8080 --count $messages --rate 0 --isolate --truth /tmp/truth.json &&
    attributary verify --truth /tmp/truth.json --reports http://reports:8081 --wait 180s"
}

cd "$root"
ensure_daemon
choose_compose
ensure_image "$(base_image RUN_IMAGE)" make_debian
ensure_image "$(base_image BUILD_IMAGE)" make_rust

say "building the images"
compose build >"$work/build.log" 2>&1 || {
  tail -n 60 "$work/build.log" >&2
  die 1 "the images do not build"
}

say "starting"
started=yes
compose up -d >"$work/up.log" 2>&1 || {
  cat "$work/up.log" >&2
  die 1 "the services do not start"
}
wait_until_healthy kafka redis ingest attribution reports postbacks

say "sending $messages messages and verifying the counts"
simulate_and_verify

say "killing Redis and Kafka under the services, and once more"
docker kill "$(compose ps -q redis)" "$(compose ps -q kafka)" >/dev/null
compose up -d >"$work/up.log" 2>&1 || {
  cat "$work/up.log" >&2
  die 1 "the services do not start again"
}
wait_until_healthy kafka redis ingest attribution reports postbacks
simulate_and_verify
say "passed"
