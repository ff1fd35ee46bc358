;; As it was first written: records as maps, counters in an atom, which is emptied into Redis once a second.
(ns naive
  (:require [clojure.data.json :as json])
  (:import (java.time Duration)
           (org.apache.kafka.clients.consumer KafkaConsumer)
           (org.apache.kafka.common.serialization StringDeserializer)
           (redis.clients.jedis Jedis)))

(def total (parse-long (System/getenv "PEER_RECORDS")))

(def counters (atom {}))

(defn consumer []
  (doto (KafkaConsumer. {"bootstrap.servers" (System/getenv "PEER_BROKERS")
                         "group.id" (System/getenv "PEER_GROUP")
                         "auto.offset.reset" "earliest"}
                        (StringDeserializer.)
                        (StringDeserializer.))
    (.subscribe [(System/getenv "PEER_TOPIC")])))

(defn parse [text]
  (try
    (let [{:keys [app_id event_time country attribution]} (json/read-str text :key-fn keyword)]
      (when (and app_id event_time)
        [app_id (subs event_time 0 10) (:media_source attribution "organic") (or country "")]))
    (catch Exception _ nil)))

(defn count-install [install]
  (swap! counters update install (fnil inc 0)))

(defn flush! [redis]
  (let [[counts] (reset-vals! counters {})]
    (doseq [[[app day source country] n] counts]
      (.hincrBy redis (str "installs:" app ":" day) (str source "|" country) n))))

(defn now [] (System/currentTimeMillis))

(let [consumer (consumer)
      redis (Jedis. "127.0.0.1" (parse-long (System/getenv "PEER_REDIS_PORT")))]
  (loop [seen 0 flushed (now)]
    (if (or (< seen total) (empty? (.assignment consumer)))
      (let [records (.poll consumer (Duration/ofMillis 200))
            due (> (- (now) flushed) 1000)]
        (doseq [install (keep #(parse (.value %)) records)]
          (count-install install))
        (when due
          (flush! redis))
        (recur (+ seen (.count records)) (if due (now) flushed)))
      (do
        (flush! redis)
        (.commitSync consumer)
        (println "done" seen)
        (flush)
        (.read System/in)
        (System/exit 0)))))
