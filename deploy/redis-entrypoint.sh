#!/usr/bin/env bash
# Starts redis-server after mending its append-only file.
#
#   redis-entrypoint.sh CONF [--port N] [--dir D] [any other redis-server option]
#
# A crash can cut the file inside a transaction. Redis itself cuts only the last command, keeps the dangling MULTI,
# and applies half of the transaction at the second restart; redis-check-aof cuts the whole of it.
set -euo pipefail

say() { printf 'redis-entrypoint: %s\n' "$*" >&2; }

if [[ $# -eq 0 || $1 == -* ]]; then
  say "usage: redis-entrypoint.sh CONF [--port N] [--dir D] [any other redis-server option]"
  exit 2
fi
conf=$1
[[ -r $conf ]] || { say "cannot read $conf"; exit 78; }
for command in redis-server redis-check-aof; do
  command -v "$command" >/dev/null ||
    { say "$command is missing: run 'sudo apt-get install redis-server' (or your system's equivalent) and try again"; exit 69; }
done

# What Redis will use: an option beats the file, the last one wins, and then the default.
setting() {
  local name=$1 value=$2 line
  line=$(awk -v name="$name" 'tolower($1) == name { value = $2 } END { print value }' "$conf")
  [[ -z $line ]] || value=${line//[\"\']/}
  shift 2
  while [[ $# -gt 1 ]]; do
    [[ $1 != "--$name" ]] || value=$2
    shift
  done
  printf '%s\n' "$value"
}

options=("${@:2}")
dir=$(setting dir . ${options[@]+"${options[@]}"})
folder=$(setting appenddirname appendonlydir ${options[@]+"${options[@]}"})
file=$(setting appendfilename appendonly.aof ${options[@]+"${options[@]}"})
manifest=$dir/$folder/$file.manifest

if [[ -f $manifest ]]; then
  # It asks before it cuts, and reads the answer from its input.
  if ! report=$(redis-check-aof --fix "$manifest" <<<$'y\ny\ny\ny' 2>&1); then
    say "cannot mend $manifest; redis-check-aof says: $(tail -n 1 <<<"$report")"
    say "restore the folder from a backup, or move it away: the services rebuild what it held from Kafka"
    exit 1
  fi
  if [[ $report == *"Successfully truncated"* ]]; then
    say "mended $manifest: cut the last $(sed -n 's/.*, diff=\([1-9][0-9]*\).*/\1/p' <<<"$report" | tail -n 1) bytes, a torn transaction"
  fi
fi

exec redis-server "$conf" "${@:2}"
