"""What one writes first: a record, a dict, a command."""

import json
import os
import sys

import redis
from confluent_kafka import Consumer

total = int(os.environ["PEER_RECORDS"])
store = redis.Redis(port=int(os.environ["PEER_REDIS_PORT"]))
consumer = Consumer(
    {
        "bootstrap.servers": os.environ["PEER_BROKERS"],
        "group.id": os.environ["PEER_GROUP"],
        "auto.offset.reset": "earliest",
    }
)
consumer.subscribe([os.environ["PEER_TOPIC"]])

seen = 0
while seen < total or not consumer.assignment():
    message = consumer.poll(1.0)
    if message is None:
        continue
    if message.error():
        sys.exit(str(message.error()))
    seen += 1
    try:
        install = json.loads(message.value())
        app, day = install["app_id"], install["event_time"][:10]
    except (ValueError, KeyError, TypeError):
        continue  # malformed
    source = install.get("attribution", {}).get("media_source", "organic")
    store.hincrby(f"installs:{app}:{day}", f"{source}|{install.get('country', '')}", 1)

print("done", seen, flush=True)
sys.stdin.read()
