// Publishes one install. npm install kafkajs
import { randomUUID } from "node:crypto";
import { Kafka, Partitioners } from "kafkajs";

const kafka = new Kafka({ brokers: (process.env.BROKERS ?? "127.0.0.1:9092").split(",") });
// The default partitioner is Java's; acknowledgements come from all replicas by default.
const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, idempotent: true });
const id = randomUUID();
const install = {
  event_id: id,
  app_id: "com.example.game",
  event_time: new Date().toISOString(),
  install_id: id,
  attribution: { media_source: "node" },
};
await producer.connect();
await producer.send({
  topic: "installs",
  messages: [{ key: `com.example.game|${id}`, value: JSON.stringify(install) }],
});
await producer.disconnect();
