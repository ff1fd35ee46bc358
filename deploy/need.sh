#!/usr/bin/env bash
# Installs what is missing of what it is told, by apt on Debian and Ubuntu. Elsewhere it says what to install.
#
#   need.sh java maven redis-server kcat ...     (need.sh --help lists the names)
#
# Exit codes: 0 all there · 2 unknown name · 69 something is missing and cannot be installed from here.
set -euo pipefail

names='build cargo chromium curl docker docker-compose dockerd jq java kcat maven mmdebstrap openssl python-kafka python3 redis-server shellcheck valgrind wrk'

say() { printf 'need.sh: %s\n' "$*" >&2; }

has() { command -v "$1" >/dev/null; }

java_is_new_enough() {
  has java && [[ $(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p') -ge 17 ]]
}

# Whether what NAME stands for is there.
present() {
  case $1 in
    build) has gcc && has g++ && has make && has pkg-config && pkg-config --exists openssl ;;
    docker-compose) has docker-compose || docker compose version >/dev/null 2>&1 ;;
    java) java_is_new_enough ;;
    maven) has mvn ;;
    python-kafka) [[ -f $python_kafka/ready ]] ;;
    redis-server) has redis-server && has redis-check-aof ;;
    *) has "$1" ;;
  esac
}

# The Debian packages of NAME.
packages() {
  case $1 in
    build) echo gcc g++ make pkg-config libssl-dev ;;
    docker | dockerd) echo docker.io ;;
    java) first_available openjdk-17-jre-headless openjdk-21-jre-headless default-jre-headless ;;
    python-kafka) echo python3 python3-venv ;;
    *) echo "$1" ;;
  esac
}

first_available() {
  local package
  for package in "$@"; do
    if [[ -n $(apt-cache --names-only search "^$package\$" 2>/dev/null) ]]; then break; fi
  done
  echo "$package"
}

# The package of redis-server would start one on the default port, where nobody asked for it.
without_starting_redis() {
  local policy=/usr/sbin/policy-rc.d status=0
  if [[ -e $policy ]]; then
    "$@"
    return
  fi
  # shellcheck disable=SC2016  # dpkg's shell expands it
  printf '#!/bin/sh\n[ "$1" != redis-server ] || exit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 755 "$policy"
  "$@" || status=$?
  "${as_root[@]}" rm -f "$policy"
  return $status
}

apt_update() { "${as_root[@]}" apt-get update --quiet=2 -o DPkg::Lock::Timeout=300 >"$log" 2>&1; }

# A fresh image has no package lists at all, and nothing can be chosen among without them.
update_first_time() { compgen -G '/var/lib/apt/lists/*Packages*' >/dev/null || apt_update || true; }

# Another apt may be at work; a stale package list shows itself by failing.
apt_install() {
  local -a install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet=2
    --no-install-recommends -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@")
  # Java's package wants to link its manual, and slim images have no folder for manuals.
  "${as_root[@]}" mkdir -p /usr/share/man/man1
  "${install[@]}" >"$log" 2>&1 || { apt_update && "${install[@]}" >"$log" 2>&1; }
}

# Debian's own bindings are older than the librdkafka that the services use.
make_python_kafka() {
  mkdir -p "$(dirname "$python_kafka")"
  rm -rf "$python_kafka"
  say "making a Python environment with confluent-kafka"
  python3 -m venv "$python_kafka" >"$log" 2>&1 &&
    "$python_kafka/bin/pip" install --quiet --disable-pip-version-check confluent-kafka >"$log" 2>&1 &&
    touch "$python_kafka/ready"
}

fail_with_log() {
  tail -n 15 "$log" >&2
  say "$*"
  exit 69
}

if [[ $# -eq 0 || $1 == -h || $1 == --help ]]; then
  sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"
  echo "names: $names"
  exit 0
fi

python_kafka=${ATTRIBUTARY_CACHE:-$HOME/.cache/attributary}/python-kafka
missing=()
for name in "$@"; do
  [[ " $names " == *" $name "* ]] || { say "unknown name $name; known are: $names"; exit 2; }
  present "$name" || missing+=("$name")
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

# Distributions carry a Rust that is too old, and a toolchain is its owner's choice.
if [[ " ${missing[*]} " == *" cargo "* ]]; then
  say "Rust is missing: run 'curl -sSf https://sh.rustup.rs | sh' and try again"
  exit 69
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT

to_install=()
for name in "${missing[@]}"; do
  if [[ $name == python-kafka ]] && python3 -c 'import ensurepip' 2>/dev/null; then continue; fi
  to_install+=("$name")
done

if [[ ${#to_install[@]} -gt 0 ]]; then
  if ! has apt-get; then
    say "missing: ${to_install[*]}; this is not Debian or Ubuntu, so install them with your package manager and try again"
    exit 69
  fi
  as_root=(env)
  [[ $(id -u) -eq 0 ]] || as_root=(sudo)
  if [[ ${as_root[0]} == env ]] || has sudo; then update_first_time; fi
  wanted=()
  for name in "${to_install[@]}"; do
    read -ra more <<<"$(packages "$name")"
    wanted+=("${more[@]}")
  done
  has "${as_root[0]}" || { say "missing: ${to_install[*]}; run this as root: apt-get install ${wanted[*]}"; exit 69; }
  say "installing ${wanted[*]}"
  without_starting_redis apt_install "${wanted[@]}" ||
    fail_with_log "apt cannot install ${wanted[*]}; install them by hand and try again"
fi

for name in "${missing[@]}"; do
  if [[ $name == python-kafka ]]; then
    make_python_kafka || fail_with_log "cannot make a Python environment with confluent-kafka in $python_kafka"
  fi
  present "$name" || { say "$name is still missing, though its package is installed"; exit 69; }
done
