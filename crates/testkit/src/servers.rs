//! A real Kafka and a real Redis, each in a folder of its own.

use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::process::{Process, free_port, repository};
use crate::{eventually, eventually_within};

/// A single-node Kafka from its jars.
pub struct Kafka {
    pub process: Process,
    pub port: u16,
}

impl Kafka {
    pub fn start(folder: PathBuf) -> Self {
        let (port, controller) = (free_port(), free_port());
        let data = folder.join("kafka");
        let process = Process::start("kafka", &folder, move || {
            let mut command = Command::new(repository().join("deploy/kafka/kafka.sh"));
            command.arg("serve").arg("--dir").arg(&data).args(["--port", &port.to_string()]);
            command.args(["--controller-port", &controller.to_string()]);
            command
        });
        let kafka = Self { process, port };
        kafka.wait();
        kafka
    }

    pub fn brokers(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn config(&self) -> stream::Kafka {
        stream::Kafka { brokers: self.brokers(), instance: Some("test".into()), ..stream::Kafka::default() }
    }

    /// Waits until it answers.
    pub fn wait(&self) {
        eventually_within(Duration::from_secs(120), "kafka answers", || {
            let topics = stream::Watermarks::open(&self.config()).and_then(|log| log.partitions("no-such-topic"));
            match topics {
                Ok(_) => Ok(()),
                Err(stream::Error::Fatal { exit_code: 78, .. }) => Ok(()),
                Err(error) => Err(error.to_string()),
            }
        });
    }
}

impl Kafka {
    /// Does what retention does: records of a partition before this offset are gone.
    pub fn delete_records(&self, topic: &str, partition: i32, before: i64) {
        let client: AdminClient<_> = ClientConfig::new().set("bootstrap.servers", self.brokers()).create().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(before)).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let deleted = runtime.block_on(client.delete_records(&list, &AdminOptions::new())).unwrap();
        deleted.elements().iter().for_each(|element| element.error().unwrap());
    }
}

/// A private redis-server with the shipped configuration and entrypoint.
pub struct Redis {
    pub process: Process,
    pub port: u16,
}

impl Redis {
    pub fn start(folder: PathBuf) -> Self {
        let port = free_port();
        let data = folder.join("redis");
        std::fs::create_dir_all(&data).unwrap();
        let process = Process::start("redis", &folder, move || {
            let deploy = repository().join("deploy");
            let mut command = Command::new(deploy.join("redis-entrypoint.sh"));
            command.arg(deploy.join("redis.conf")).args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
            command.arg("--dir").arg(&data);
            command
        });
        let redis = Self { process, port };
        redis.wait();
        redis
    }

    pub fn wait(&self) {
        eventually("redis answers", || TcpStream::connect(("127.0.0.1", self.port)).map_err(|error| error.to_string()));
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    pub fn config(&self) -> ledger::Redis {
        ledger::Redis { url: self.url(), ..ledger::Redis::default() }
    }

    /// Runs a command of `redis-cli`.
    pub fn command(&self, arguments: &[&str]) -> String {
        let output = Command::new("redis-cli").args(["-p", &self.port.to_string()]).args(arguments).output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}
