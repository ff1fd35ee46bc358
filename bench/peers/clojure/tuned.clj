;; The same prefetch, batches and flushes as `reports`; no reflection, no persistent map on the way.
(ns tuned
  (:import (com.fasterxml.jackson.core JsonFactory JsonParser JsonToken)
           (java.io IOException)
           (java.time Duration)
           (java.util HashMap Map$Entry)
           (org.apache.kafka.clients.consumer ConsumerRecord ConsumerRecords KafkaConsumer)
           (org.apache.kafka.common.serialization ByteArrayDeserializer)
           (redis.clients.jedis Jedis Pipeline)))

(set! *warn-on-reflection* true)
(set! *unchecked-math* :warn-on-boxed)

(def ^:const batch 50000)
(def ^JsonFactory factory (JsonFactory.))

(defn- next-text ^String [^JsonParser parser]
  (.nextTextValue parser))

(defn- skip [^JsonParser parser]
  (.nextToken parser)
  (.skipChildren parser))

(defn- source ^String [^JsonParser parser]
  (when-not (identical? JsonToken/START_OBJECT (.nextToken parser))
    (throw (IOException. "attribution is no object")))
  (loop [source "organic"]
    (if-let [field (.nextFieldName parser)]
      (if (.equals "media_source" field)
        (recur (next-text parser))
        (do (skip parser) (recur source)))
      source)))

(defn- read-install
  "Key and field of the counter that a record raises, with a space between; nil if it is malformed."
  ^String [^bytes payload]
  (try
    (with-open [parser (.createParser factory payload)]
      (.nextToken parser)
      (loop [app nil day nil country "" from "organic"]
        (if-let [field (.nextFieldName parser)]
          (case field
            "app_id" (recur (next-text parser) day country from)
            "event_time" (recur app (subs (next-text parser) 0 10) country from)
            "country" (recur app day (next-text parser) from)
            "attribution" (recur app day country (source parser))
            (do (skip parser) (recur app day country from)))
          (when (and app day)
            (-> (StringBuilder. 96) (.append "installs:") (.append ^String app) (.append ":") (.append ^String day)
                (.append " ") (.append ^String from) (.append "|") (.append ^String country) .toString)))))
    (catch IOException _ nil)))

(defn- raise [^HashMap counts ^String counter]
  (if-let [^longs sum (.get counts counter)]
    (aset sum 0 (inc (aget sum 0)))
    (.put counts counter (long-array 1 1))))

(defn- write [^Jedis redis ^HashMap counts]
  (let [^Pipeline pipeline (.pipelined redis)]
    (doseq [^Map$Entry entry (.entrySet counts)]
      (let [^String counter (.getKey entry)
            ^longs sum (.getValue entry)
            at (.indexOf counter " ")]
        (.hincrBy pipeline (.substring counter 0 at) (.substring counter (inc at)) (aget sum 0))))
    (.sync pipeline)
    (.clear counts)))

(let [total (long (parse-long (System/getenv "PEER_RECORDS")))
      redis (Jedis. "127.0.0.1" (int (parse-long (System/getenv "PEER_REDIS_PORT"))))
      counts (HashMap.)
      consumer (KafkaConsumer. {"bootstrap.servers" (System/getenv "PEER_BROKERS")
                                "group.id" (System/getenv "PEER_GROUP")
                                "auto.offset.reset" "earliest"
                                "enable.auto.commit" "false"
                                "check.crcs" "false"
                                "max.poll.records" "10000"
                                "fetch.max.bytes" "16777216"
                                "max.partition.fetch.bytes" "4194304"}
                               (ByteArrayDeserializer.)
                               (ByteArrayDeserializer.))]
  (.subscribe consumer [(System/getenv "PEER_TOPIC")])
  (loop [seen 0 gathered 0]
    (if (or (< seen total) (.isEmpty (.assignment consumer)))
      (let [^ConsumerRecords records (.poll consumer (Duration/ofMillis 200))
            arrived (.count records)
            seen (+ seen arrived)
            gathered (+ gathered arrived)]
        (doseq [^ConsumerRecord record records]
          (when-let [counter (read-install (.value record))]
            (raise counts counter)))
        (if (and (pos? gathered) (or (>= gathered (long batch)) (zero? arrived) (>= seen total)))
          (do (write redis counts)
              (.commitAsync consumer)
              (recur seen 0))
          (recur seen gathered)))
      (do
        (println "done" seen)
        (flush)
        (.read System/in)
        (System/exit 0)))))
