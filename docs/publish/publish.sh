#!/bin/sh
# Publishes one install with kcat: key and value are separated by a tab.
id=$(cat /proc/sys/kernel/random/uuid)
now=$(date -u +%Y-%m-%dT%H:%M:%S.000Z)
printf '%s\t%s\n' "com.example.game|$id" \
  "{\"event_id\":\"$id\",\"app_id\":\"com.example.game\",\"event_time\":\"$now\",\"install_id\":\"$id\",\"attribution\":{\"media_source\":\"kcat\"}}" |
  kcat -P -b "${BROKERS:-127.0.0.1:9092}" -t installs -K '\t' -X partitioner=murmur2_random -X acks=all
