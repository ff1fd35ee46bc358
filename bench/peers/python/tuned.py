"""The same prefetch, batches and flushes as `reports`; counted in memory first."""

import os
import sys
from collections import Counter

import orjson
import redis
from confluent_kafka import Consumer

BATCH = 50_000

total = int(os.environ["PEER_RECORDS"])
store = redis.Redis(port=int(os.environ["PEER_REDIS_PORT"]))
consumer = Consumer(
    {
        "bootstrap.servers": os.environ["PEER_BROKERS"],
        "group.id": os.environ["PEER_GROUP"],
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "fetch.queue.backoff.ms": 5,
        "queued.max.messages.kbytes": 16384,
        "fetch.message.max.bytes": 4194304,
    }
)
consumer.subscribe([os.environ["PEER_TOPIC"]])


def flush(counts):
    pipeline = store.pipeline(transaction=False)
    for (app, day, source, country), count in counts.items():
        pipeline.execute_command("HINCRBY", f"installs:{app}:{day}", f"{source}|{country}", count)
    pipeline.execute()
    consumer.commit(asynchronous=True)


seen = 0
counts, gathered = Counter(), 0
loads = orjson.loads
while seen < total or not consumer.assignment():
    messages = consumer.consume(10_000, 0.2)
    keys = []
    for message in messages:
        if message.error():
            sys.exit(str(message.error()))
        try:
            install = loads(message.value())
            source = install["attribution"].get("media_source", "organic")
            keys.append((install["app_id"], install["event_time"][:10], source, install.get("country", "")))
        except (ValueError, KeyError, TypeError):
            continue  # malformed
    counts.update(keys)
    seen += len(messages)
    gathered += len(messages)
    if gathered >= BATCH or (gathered and not messages) or seen >= total:
        if counts:
            flush(counts)
        counts, gathered = Counter(), 0

print("done", seen, flush=True)
sys.stdin.read()
