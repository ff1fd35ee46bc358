//! Mistakes of an operator: each ends the service with one line that names what is wrong and what to do, and with the
//! exit code of the contract: 2 usage, 69 a server that cannot be reached, 78 bad configuration.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use testkit::{Kafka, Process, Redis, binary, eventually, free_port, repository};

const SERVICES: [&str; 4] = ["attribution", "ingest", "postbacks", "reports"];
const WITH_REDIS: [&str; 3] = ["attribution", "postbacks", "reports"];

const USAGE: i32 = 2;
const UNREACHABLE: i32 = 69;
const BAD_CONFIGURATION: i32 = 78;

/// A service and what it is started with: all is well but for what a test changes.
#[derive(Clone)]
struct Start {
    service: &'static str,
    environment: Vec<(String, String)>,
    arguments: Vec<String>,
}

impl Start {
    /// Points at servers that may be there or not.
    fn new(service: &'static str, (kafka, redis, folder): (&str, &str, &Path)) -> Self {
        let rules = folder.join("postbacks.toml");
        std::fs::write(&rules, "").unwrap();
        let start = Self { service, environment: Vec::new(), arguments: Vec::new() }
            .set("admin.listen", &format!("127.0.0.1:{}", free_port()))
            .set("kafka.brokers", kafka);
        let listen = format!("127.0.0.1:{}", free_port());
        match service {
            "ingest" => start.set("ingest.open", "true").set("http.listen", &listen),
            "reports" => start.set("redis.url", redis).set("http.listen", &listen),
            "postbacks" => start.set("redis.url", redis).set("postbacks.rules", rules.to_str().unwrap()),
            _ => start.set("redis.url", redis),
        }
    }

    /// Sets a key through the environment.
    fn set(mut self, key: &str, value: &str) -> Self {
        self.environment.push((variable(key), value.to_owned()));
        self
    }

    /// Sets a key through a file.
    fn file(self, path: &Path, text: &str) -> Self {
        std::fs::write(path, text).unwrap();
        self.arguments(&["--config", path.to_str().unwrap()])
    }

    fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }

    fn command(&self) -> Command {
        let mut command = Command::new(binary(self.service));
        command.envs(self.environment.iter().cloned()).args(&self.arguments);
        command
    }

    /// It must end with this code, and its last line must hold all of these.
    fn ends(self, code: i32, says: &[&str]) -> Mistake {
        Mistake { start: self, code, says: says.iter().map(|&word| word.to_owned()).collect() }
    }
}

fn variable(key: &str) -> String {
    format!("ATTRIBUTARY__{}", key.to_ascii_uppercase().replace('.', "__"))
}

struct Mistake {
    start: Start,
    code: i32,
    says: Vec<String>,
}

impl Mistake {
    fn check(&self, code: Option<i32>, log: &str) {
        let Self { start: Start { service, environment, arguments }, .. } = self;
        let case = format!("{service} {arguments:?} {environment:?}\n{log}");
        assert_eq!(code, Some(self.code), "{case}");
        let said = if self.code == USAGE { log.to_owned() } else { last_words(log) };
        for word in &self.says {
            assert!(said.contains(word), "it must say {word:?}: {case}");
        }
    }
}

/// The message of the one error, which is the last line.
fn last_words(log: &str) -> String {
    let lines = log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")));
    let lines: Vec<Value> = lines.collect();
    let errors: Vec<&Value> = lines.iter().filter(|line| line["level"] == "ERROR").collect();
    assert_eq!(errors.len(), 1, "one line tells it: {log}");
    assert_eq!(lines.last(), errors.last().copied(), "it is the last one: {log}");
    errors[0]["message"].as_str().unwrap().to_owned()
}

/// Starts them all at once, since some wait long for a server, and expects each to end as it must.
fn expect(mistakes: Vec<Mistake>) {
    let folder = tempfile::tempdir().unwrap();
    let start = |(number, mistake): (usize, Mistake)| {
        let start = mistake.start.clone();
        (Process::start(&format!("{}-{number}", start.service), folder.path(), move || start.command()), mistake)
    };
    let running: Vec<(Process, Mistake)> = mistakes.into_iter().enumerate().map(start).collect();
    for (mut process, mistake) in running {
        let status = process.wait(Duration::from_secs(90));
        mistake.check(status.code(), &process.log());
    }
}

#[test]
fn a_wrong_configuration_is_refused_by_the_name_of_the_key_and_where_it_was_set() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = ("127.0.0.1:1", "redis://127.0.0.1:1/0", folder.path());
    let mut mistakes = Vec::new();
    for service in SERVICES {
        let start = Start::new(service, nowhere);
        let file = |name: &str| folder.path().join(format!("{service}-{name}.toml"));
        let (unknown, torn, absent) = (file("unknown"), file("torn"), file("absent"));
        let path = |path: &Path| path.to_str().unwrap().to_owned();
        for (start, says) in [
            (start.clone().set("kafka.broker", "here:1"), ["kafka.broker", &variable("kafka.broker"), "`brokers`"]),
            (start.clone().set("kafkaa.brokers", "here:1"), ["kafkaa", &variable("kafkaa.brokers"), "`kafka`"]),
            (start.clone().file(&unknown, "[admin]\nport = 1"), ["admin.port", &path(&unknown), "`listen`"]),
            (start.clone().file(&torn, "[admin\n"), [&path(&torn), "line 1", "["]),
            (start.clone().arguments(&["--config", &path(&absent)]), [&path(&absent), "not found", ""]),
            (start.clone().arguments(&["--set", "log.format=xml"]), ["log.format", "--set", "`json`"]),
            (start.clone().set("log.level", "a=b=c"), ["log.level", "a=b=c", ""]),
            (start.clone().set("admin.listen", "here"), ["admin.listen", &variable("admin.listen"), "address"]),
            (start.clone().set("shutdown.grace", "soon"), ["shutdown.grace", &variable("shutdown.grace"), "expected"]),
        ] {
            mistakes.push(start.ends(BAD_CONFIGURATION, &says));
        }
        mistakes.push(start.clone().arguments(&["--nonsense"]).ends(USAGE, &["--nonsense", "--help"]));
        mistakes.push(start.arguments(&["--set", "log.format"]).ends(USAGE, &["--set", "KEY=VALUE"]));
    }
    for (service, key, value, says) in [
        ("attribution", "hold", "2m", ["hold", "60s"]),
        ("attribution", "dedupe.keep", "1h", ["dedupe.keep", "dedupe.window"]),
        ("ingest", "ingest.open", "false", ["ingest.hash_key_file", "openssl rand -hex 16"]),
        ("ingest", "ingest.hash_key_file", "/nonexistent/key", ["/nonexistent/key", "hash"]),
        ("postbacks", "postbacks.allow_networks", "[\"here\"]", ["postbacks.allow_networks", "address"]),
        ("reports", "reports.keep", "long", ["reports.keep", "expected"]),
        ("canary", "canary.ingest", "there", ["canary.ingest", "there"]),
    ] {
        mistakes.push(Start::new(service, nowhere).set(key, value).ends(BAD_CONFIGURATION, &says));
    }
    expect(mistakes);
}

#[test]
fn print_config_shows_each_value_with_its_origin_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    for service in SERVICES {
        let start = Start::new(service, ("there:9092", "redis://user:hunter2@there:6379/0", folder.path()));
        let file = folder.path().join("config.toml");
        let start = start.file(&file, "[shutdown]\ngrace = \"7s\"").arguments(&["--set", "log.level=debug"]);
        let output = start.arguments(&["--print-config"]).command().output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{service}: {printed}");
        let mut expected = vec![
            "kafka.brokers = \"there:9092\"  # ATTRIBUTARY__KAFKA__BROKERS".to_owned(),
            format!("shutdown.grace = \"7s\"  # {}", file.display()),
            "log.level = \"debug\"  # --set".to_owned(),
            "log.format = \"auto\"  # default".to_owned(),
        ];
        if WITH_REDIS.contains(&service) {
            expected.push("redis.url = \"redis://***@there:6379/0\"  # ATTRIBUTARY__REDIS__URL".to_owned());
        }
        for line in expected {
            assert!(printed.lines().any(|found| found == line), "{service}: {line} is not in\n{printed}");
        }
        assert!(!printed.contains("hunter2"), "{service}");
    }
}

#[test]
fn a_server_that_is_missing_or_wrong_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let redis = Redis::start(folder.path().join("good"));
    let evicting = Redis::start(folder.path().join("evicting"));
    evicting.command(&["config", "set", "maxmemory-policy", "allkeys-lru"]);
    let kafka = Kafka::start(folder.path().to_owned());
    let right = |service| Start::new(service, (&kafka.brokers(), &redis.url(), folder.path()));

    let (missing, taken) = (format!("127.0.0.1:{}", free_port()), TcpListener::bind("127.0.0.1:0").unwrap());
    let taken = taken.local_addr().map(|address| (address.to_string(), taken)).unwrap();
    let mut mistakes = Vec::new();
    for service in SERVICES {
        let says = [missing.as_str(), "kafka.brokers", "docker compose up kafka", "ATTRIBUTARY__KAFKA__BROKERS"];
        mistakes.push(right(service).set("kafka.brokers", &missing).ends(UNREACHABLE, &says));
        mistakes.push(right(service).ends(BAD_CONFIGURATION, &["topic", "does not exist", "attributary topics apply"]));
    }
    expect(mistakes);

    let topics = repository().join("deploy/topics.toml");
    let mut apply = Command::new(binary("attributary"));
    apply.args(["topics", "apply", "--partitions", "4", "--file"]).arg(topics);
    assert!(apply.env("ATTRIBUTARY__KAFKA__BROKERS", kafka.brokers()).status().unwrap().success());

    let mut mistakes = Vec::new();
    for service in WITH_REDIS {
        let says = [missing.as_str(), "redis.url", "docker compose up redis", "ATTRIBUTARY__REDIS__URL"];
        mistakes.push(right(service).set("redis.url", &format!("redis://{missing}/0")).ends(UNREACHABLE, &says));
        mistakes.push(right(service).set("redis.url", "there").ends(BAD_CONFIGURATION, &["redis.url"]));
        let says = ["allkeys-lru", "redis-cli config set maxmemory-policy noeviction"];
        mistakes.push(right(service).set("redis.url", &evicting.url()).ends(BAD_CONFIGURATION, &says));
    }
    for service in SERVICES {
        let says = [taken.0.as_str(), "admin.listen", "ATTRIBUTARY__ADMIN__LISTEN"];
        mistakes.push(right(service).set("admin.listen", &taken.0).ends(BAD_CONFIGURATION, &says));
    }
    for service in ["ingest", "reports"] {
        let says = [taken.0.as_str(), "http.listen", "ATTRIBUTARY__HTTP__LISTEN"];
        mistakes.push(right(service).set("http.listen", &taken.0).ends(BAD_CONFIGURATION, &says));
    }
    let says = ["postbacks.rules", "/nonexistent/rules.toml", "attributary rules check"];
    let rules = right("postbacks").set("postbacks.rules", "/nonexistent/rules.toml");
    mistakes.push(rules.ends(BAD_CONFIGURATION, &says));
    expect(mistakes);

    stops_on_sigterm(folder.path(), right);
}

#[test]
fn a_broker_that_gives_an_address_where_it_is_not_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let redis = Redis::start(folder.path().join("redis"));
    let kafka = Kafka::start_advertising(folder.path().to_owned(), "kafka.invalid:9092");
    let mut apply = Command::new(binary("attributary"));
    apply.args(["topics", "apply"]).env("ATTRIBUTARY__KAFKA__BROKERS", kafka.direct());
    assert!(apply.status().unwrap().success());
    let says = ["kafka.invalid:9092", "cannot be reached", "advertised.listeners", "kafka.brokers"];
    let wrong = |service| Start::new(service, (&kafka.brokers(), &redis.url(), folder.path())).ends(UNREACHABLE, &says);
    expect(SERVICES.map(wrong).into());

    let mut list = Command::new(binary("attributary"));
    let output = list.args(["topics", "ls"]).env("ATTRIBUTARY__KAFKA__BROKERS", kafka.brokers()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(UNREACHABLE), "{said}");
    assert!(says.iter().all(|word| said.contains(word)), "{said}");
}

/// With everything right, each service gets ready and ends well when it is told to, within the grace of 30 s.
fn stops_on_sigterm(folder: &Path, right: impl Fn(&'static str) -> Start) {
    let start = |service| {
        let start = right(service);
        let command = start.clone();
        (Process::start(service, folder, move || command.command()), start)
    };
    let mut running = SERVICES.map(start);
    for (process, start) in &running {
        eventually(&format!("{} is ready", start.service), || {
            let asked = start.clone().arguments(&["healthcheck"]).command().output().unwrap();
            if asked.status.success() { Ok(()) } else { Err(format!("{asked:?}\n{}", process.log())) }
        });
        process.signal("TERM");
    }
    for (process, start) in &mut running {
        let status = process.wait(Duration::from_secs(30));
        assert!(status.success(), "{}: {status}\n{}", start.service, process.log());
    }
}
