//! A real Kafka from its jars: one broker, one behind a proxy, or a cluster of three.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::metadata::Metadata;

use crate::eventually_within;
use crate::process::{Process, free_port, repository};
use crate::proxy::Proxy;

/// The brokers, in the order of their ids, which begin at 1.
pub struct Kafka {
    pub nodes: Vec<Node>,
    /// What stands between the services and the broker, if anything. The test itself goes around it.
    pub proxy: Option<Proxy>,
    /// The port that the services are told, where it is not that of the node.
    bootstrap: Option<u16>,
}

/// One broker, which is a controller too. It keeps its ports and its folder however often it is killed and restarted.
pub struct Node {
    pub process: Process,
    pub port: u16,
    /// Where its log is.
    pub data: PathBuf,
}

/// The heap of each of several brokers, which share a machine with everything else.
const SMALL_HEAP: &str = "-Xmx256m -Xms128m -XX:TieredStopAtLevel=1";
/// A broker that lives for a minute does not live to see the second compiler's work.
const HEAP: &str = "-Xmx512m -Xms256m -XX:TieredStopAtLevel=1";
const START: Duration = Duration::from_secs(120);
const ANSWER: Duration = Duration::from_secs(5);

impl Kafka {
    /// A single node.
    pub fn start(folder: PathBuf) -> Self {
        let (port, controller) = (free_port(), free_port());
        let controller = ["--controller-port".to_owned(), controller.to_string()];
        let node = Node::start(&folder, "kafka", port, controller.into());
        Self { nodes: vec![node], proxy: None, bootstrap: None }.ready()
    }

    /// A single node that tells the services to connect to a proxy.
    pub fn start_behind_proxy(folder: PathBuf) -> Self {
        let door = free_port();
        let proxy = Proxy::start(door);
        let (node, bootstrap) = (Node::with_door(&folder, door, &format!("127.0.0.1:{}", proxy.port)), proxy.port);
        Self { nodes: vec![node], proxy: Some(proxy), bootstrap: Some(bootstrap) }.ready()
    }

    /// A single node that tells the services to connect to an address where it is not.
    pub fn start_advertising(folder: PathBuf, address: &str) -> Self {
        let door = free_port();
        let node = Node::with_door(&folder, door, address);
        Self { nodes: vec![node], proxy: None, bootstrap: Some(door) }.ready()
    }

    /// Three nodes: topics with three replicas, of which two must have a record before it is acknowledged.
    pub fn start_three(folder: PathBuf) -> Self {
        let voters: Vec<String> = (1..=3).map(|id| format!("{id}@127.0.0.1:{}", free_port())).collect();
        let voters = voters.join(",");
        let node = |id: usize| {
            let arguments = ["--node-id".to_owned(), id.to_string(), "--voters".into(), voters.clone()];
            Node::start(&folder, &format!("kafka-{id}"), free_port(), arguments.into())
        };
        Self { nodes: (1..=3).map(node).collect(), proxy: None, bootstrap: None }.ready()
    }

    /// Where the services connect.
    pub fn brokers(&self) -> String {
        self.bootstrap.map_or_else(|| self.direct(), |port| format!("127.0.0.1:{port}"))
    }

    /// Where the test connects.
    pub fn direct(&self) -> String {
        self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect::<Vec<_>>().join(",")
    }

    /// How the test connects.
    pub fn config(&self) -> stream::Kafka {
        stream::Kafka { brokers: self.direct(), instance: Some("test".into()), ..stream::Kafka::default() }
    }

    /// Waits until every node answers as one of the cluster.
    pub fn wait(&self) {
        eventually_within(START, "kafka answers", || {
            let found = self.metadata(None)?.brokers().len();
            if found == self.nodes.len() { Ok(()) } else { Err(format!("{found} brokers")) }
        });
    }

    /// Waits until every partition has a leader and all its replicas are in sync.
    pub fn wait_in_sync(&self) {
        eventually_within(START, "every replica is in sync", || {
            let metadata = self.metadata(None)?;
            let partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
            let lacking = partitions.filter(|each| each.leader() < 0 || each.isr().len() < each.replicas().len());
            match lacking.count() {
                0 if metadata.brokers().len() == self.nodes.len() => Ok(()),
                lacking => Err(format!("{lacking} partitions are not in sync")),
            }
        });
    }

    /// The id of the node that leads a partition, if any does.
    pub fn leader(&self, topic: &str, partition: i32) -> Option<usize> {
        let metadata = self.metadata(Some(topic)).ok()?;
        let found = metadata.topics().first()?.partitions().iter().find(|found| found.id() == partition)?;
        usize::try_from(found.leader()).ok()
    }

    /// The node of an id.
    pub fn node(&mut self, id: usize) -> &mut Node {
        &mut self.nodes[id - 1]
    }

    /// Runs a tool of the jars, such as `org.apache.kafka.tools.LeaderElectionCommand`, against this Kafka; it must succeed.
    pub fn tool(&self, class: &str, arguments: &[&str]) -> String {
        let script = repository().join("deploy/kafka/kafka.sh");
        let jars = Command::new(script).arg("fetch").output().unwrap().stdout;
        let jars = format!("{}/*", String::from_utf8(jars).unwrap().trim());
        let mut command = Command::new("java");
        command.args(["-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Xmx128m", "-cp", &jars, class]);
        let output = command.args(["--bootstrap-server", &self.direct()]).args(arguments).output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{class} {arguments:?}: {}\n{out}\n{err}", output.status);
        out.into_owned()
    }

    fn ready(self) -> Self {
        self.wait();
        self
    }

    fn metadata(&self, topic: Option<&str>) -> Result<Metadata, String> {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", self.direct()).set("log_level", "0");
        let client: BaseConsumer = client.create().map_err(|error| error.to_string())?;
        client.fetch_metadata(topic, ANSWER).map_err(|error| error.to_string())
    }
}

impl Node {
    /// One with a second door that advertises this address.
    fn with_door(folder: &Path, door: u16, advertised: &str) -> Self {
        let door = format!("127.0.0.1:{door}={advertised}");
        let controller = free_port().to_string();
        let arguments = ["--controller-port".to_owned(), controller, "--extra-listener".into(), door];
        Self::start(folder, "kafka", free_port(), arguments.into())
    }

    fn start(folder: &Path, name: &str, port: u16, arguments: Vec<String>) -> Self {
        let dir = folder.join(name);
        let data = dir.join("data");
        let is_one_of_several = arguments.iter().any(|argument| argument == "--voters");
        let process = Process::start(name, folder, move || {
            let mut command = Command::new(repository().join("deploy/kafka/kafka.sh"));
            command.arg("serve").arg("--dir").arg(&dir).args(["--port", &port.to_string()]).args(&arguments);
            command.env("KAFKA_HEAP_OPTS", if is_one_of_several { SMALL_HEAP } else { HEAP });
            command
        });
        Self { process, port, data }
    }
}
