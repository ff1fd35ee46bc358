//! The whole suite on a real Kafka and Redis: services as processes of their own, any number of replicas.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::eventually;
use crate::kafka::Kafka;
use crate::process::{Process, free_port, repository};
use crate::redis::Redis;

/// Kafka, Redis, the topics, and the services that a test starts. Everything is gone when it is dropped.
pub struct Suite {
    pub services: BTreeMap<String, Replica>,
    pub kafka: Kafka,
    pub redis: Redis,
    /// Variables for every program, and those for one service alone.
    environment: Vec<(String, String)>,
    settings: Vec<(String, String, String)>,
    /// The program that starts the replicas of a service, with its arguments.
    wrappers: BTreeMap<String, Vec<String>>,
    folder: TempDir,
}

/// One replica of a service.
pub struct Replica {
    pub process: Process,
    pub http: u16,
    pub admin: u16,
}

impl Suite {
    /// Starts the servers and applies the topics with four partitions.
    pub fn start() -> Self {
        Self::on(Kafka::start)
    }

    /// The same on another Kafka, such as `Kafka::start_three`. Where it has several nodes, every topic has a replica on each.
    pub fn on(kafka: fn(PathBuf) -> Kafka) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let redis = Redis::start(folder.path().to_owned());
        let kafka = kafka(folder.path().to_owned());
        let environment = vec![
            ("ATTRIBUTARY__KAFKA__BROKERS".to_owned(), kafka.brokers()),
            ("ATTRIBUTARY__REDIS__URL".to_owned(), redis.url()),
        ];
        let (services, settings, wrappers) = Default::default();
        let mut suite = Self { services, kafka, redis, environment, settings, wrappers, folder };
        suite.set("ingest", "ingest.open", "true");
        suite.set("postbacks", "postbacks.allow_networks", "[\"127.0.0.0/8\"]");
        suite.set("postbacks", "postbacks.allow_http", "true");
        let plan = std::fs::read_to_string(repository().join("deploy/topics.toml")).unwrap();
        let topics = suite.folder.path().join("topics.toml");
        let replication = format!("replication = {}", suite.kafka.nodes.len());
        std::fs::write(&topics, plan.replace("replication = 1", &replication)).unwrap();
        suite.cli(&["topics", "apply", "--partitions", "4", "--file", topics.to_str().unwrap()]);
        suite
    }

    /// Sets a key for the replicas of a service that start from now on.
    pub fn set(&mut self, service: &str, key: &str, value: &str) {
        let name = format!("ATTRIBUTARY__{}", key.to_ascii_uppercase().replace('.', "__"));
        self.settings.push((service.to_owned(), name, value.to_owned()));
    }

    /// Writes the rules of the postbacks that start from now on.
    pub fn rules(&mut self, rules: &str) -> PathBuf {
        let path = self.folder.path().join("rules.toml");
        std::fs::write(&path, rules).unwrap();
        self.set("postbacks", "postbacks.rules", path.to_str().unwrap());
        path
    }

    /// Starts a replica such as `reports` or `reports-2`, and waits until it is ready.
    pub fn run(&mut self, name: &str) {
        self.launch(name);
        self.ready(name);
    }

    /// Starts the replicas of a service through another program from now on, such as `["prlimit", "--nofile=256"]`;
    /// by themselves again if none is given.
    pub fn through(&mut self, service: &str, wrapper: &[&str]) {
        let wrapper = wrapper.iter().map(|&word| word.to_owned()).collect();
        self.wrappers.insert(service.to_owned(), wrapper);
    }

    /// Starts a replica and does not wait. One that was there before is ended, and leaves its ports to the new one.
    pub fn launch(&mut self, name: &str) {
        let service = name.split('-').next().unwrap().to_owned();
        let ports = self.services.remove(name).map(|before| (before.http, before.admin));
        let (http, admin) = ports.unwrap_or_else(|| (free_port(), free_port()));
        let program = self.program(&service);
        let process = Process::start(name, self.folder.path(), move || {
            let mut command = program();
            command.env("ATTRIBUTARY__ADMIN__LISTEN", format!("127.0.0.1:{admin}"));
            if matches!(service.as_str(), "ingest" | "reports") {
                command.env("ATTRIBUTARY__HTTP__LISTEN", format!("127.0.0.1:{http}"));
            }
            command
        });
        self.services.insert(name.to_owned(), Replica { process, http, admin });
    }

    /// A service, set up for this suite but for where it listens.
    pub fn command(&self, service: &str) -> Command {
        self.program(service)()
    }

    fn program(&self, service: &str) -> impl Fn() -> Command + Send + 'static {
        let settings = self.settings.iter().filter(|(of, ..)| of == service);
        let settings = settings.map(|(_, name, value)| (name.clone(), value.clone()));
        let environment: Vec<_> = self.environment.iter().cloned().chain(settings).collect();
        let words = self.wrappers.get(service).into_iter().flatten().map(OsString::from);
        let words: Vec<OsString> = words.chain([binary(service).into()]).collect();
        move || {
            let mut command = Command::new(&words[0]);
            command.args(&words[1..]).envs(environment.iter().cloned());
            command
        }
    }

    /// Waits until a replica says that it is ready.
    pub fn ready(&self, name: &str) {
        let admin = self.services[name].admin;
        eventually(&format!("{name} is ready"), || get(admin, "/readyz").map(drop));
    }

    pub fn service(&mut self, name: &str) -> &mut Process {
        &mut self.services.get_mut(name).unwrap().process
    }

    /// Where a service's public door is.
    pub fn url(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}", self.services[name].http)
    }

    /// Asks the public door of a service.
    pub fn ask(&self, name: &str, path: &str) -> serde_json::Value {
        let body = eventually(&format!("{name} answers {path}"), || get(self.services[name].http, path));
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"))
    }

    /// What the public door answers; none where it does not answer, or not with success.
    pub fn try_ask(&self, name: &str, path: &str) -> Option<serde_json::Value> {
        serde_json::from_str(&get(self.services.get(name)?.http, path).ok()?).ok()
    }

    /// What a replica says stands in its way; empty where it is ready.
    pub fn troubles(&self, name: &str) -> String {
        match get(self.services[name].admin, "/readyz") {
            Ok(_) => String::new(),
            Err(troubles) => troubles,
        }
    }

    /// How many records the stages of a replica took in.
    pub fn records_of(&self, name: &str) -> u64 {
        self.metric(name, ("attributary_records_total", "")) as u64
    }

    /// The sum of a metric of a replica, over those of its lines that hold `label`, such as `cause="fenced"`.
    pub fn metric(&self, name: &str, (metric, label): (&str, &str)) -> f64 {
        let metrics = self.metrics(name);
        let lines = metrics.lines().filter(|line| line.starts_with(metric) && line.contains(label));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// What a replica counts of itself, as Prometheus reads it.
    pub fn metrics(&self, name: &str) -> String {
        eventually("metrics", || get(self.services[name].admin, "/metrics"))
    }

    /// A folder for the test's own files.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// Runs the CLI against this suite; it must succeed.
    pub fn cli(&self, arguments: &[&str]) -> String {
        let output = self.cli_command(arguments).output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "attributary {arguments:?}: {}\n{out}\n{err}", output.status);
        out.into_owned()
    }

    /// The CLI, set up for this suite.
    pub fn cli_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary("attributary"));
        command.args(arguments).envs(self.environment.iter().cloned());
        command
    }
}

/// A binary of the workspace, built before the tests run.
pub fn binary(name: &str) -> PathBuf {
    // Tests stand in a folder of their own beside the binaries.
    let own = std::env::current_exe().unwrap();
    let folder = own.parent().unwrap();
    let path = if folder.ends_with("deps") { folder.parent().unwrap() } else { folder }.join(name);
    assert!(
        path.exists(),
        "{} is not built: run the tests with `make test`, or `cargo build --workspace` first",
        path.display()
    );
    path
}

/// A GET without a client library; an answer other than 200 is an error.
fn get(port: u16, path: &str) -> Result<String, String> {
    let output = Command::new("curl")
        .args(["-sS", "--max-time", "10", "-w", "\n%{http_code}", &format!("http://127.0.0.1:{port}{path}")])
        .output()
        .map_err(|error| error.to_string())?;
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    match answer.rsplit_once('\n') {
        Some((body, "200")) => Ok(body.to_owned()),
        _ => Err(format!("{answer} {}", String::from_utf8_lossy(&output.stderr))),
    }
}
