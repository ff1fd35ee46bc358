# Publishes one install. pip install confluent-kafka
import datetime, json, os, uuid
from confluent_kafka import Producer

producer = Producer({
    "bootstrap.servers": os.environ.get("BROKERS", "127.0.0.1:9092"),
    "partitioner": "murmur2_random",  # librdkafka's own default would choose another partition
    "enable.idempotence": True,
})
id = str(uuid.uuid4())
install = {
    "event_id": id,
    "app_id": "com.example.game",
    "event_time": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds"),
    "install_id": id,
    "attribution": {"media_source": "python"},
}

def settled(error, _record):
    if error is not None:
        raise SystemExit(str(error))

producer.produce("installs", json.dumps(install), key=f"com.example.game|{id}", on_delivery=settled)
if producer.flush(30) > 0:
    raise SystemExit("not acknowledged in time")
