//! Everything that runs in a demo, started in the order in which it is needed.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use reqwest::{Client, Url};
use stream::MemoryBroker;
use tokio::process::Command;

use crate::clock::now;
use crate::connect::http_client;
use crate::demo::child::{Children, Farewell};
use crate::demo::receiver::Receiver;
use crate::demo::servers::{apply_topics, start_kafka, start_redis, wait_for_redis};
use crate::demo::{DemoArgs, folder, ports, rules};
use crate::output::say;

pub(crate) struct World {
    pub(crate) kafka: String,
    pub(crate) redis: String,
    pub(crate) ingest: Url,
    pub(crate) reports: Url,
    /// Where each service listens for operators.
    pub(crate) admin: Vec<(&'static str, SocketAddr)>,
    pub(crate) receiver: Receiver,
    pub(crate) rules: PathBuf,
    pub(crate) client: Client,
    /// Lives as long as the demo.
    pub(crate) memory: Option<MemoryBroker>,
}

const SERVICES: [(&str, u16); 4] = [("ingest", 9100), ("attribution", 9101), ("reports", 9102), ("postbacks", 9103)];
const READY_WITHIN: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(200);

impl World {
    /// Starts what is missing. Whatever was started is in `children`, also after an error.
    pub(crate) async fn start(args: &DemoArgs, place: &Path, children: &mut Children) -> anyhow::Result<Self> {
        let deploy = folder::deploy(args.deploy.as_deref())?;
        for (service, _) in SERVICES {
            folder::program(service)?;
        }
        let redis = start_redis(args, (place, &deploy), children)?;
        let (kafka, memory) = start_kafka(args, (place, &deploy), children).await?;
        wait_for_redis(&redis, children).await?;
        if memory.is_none() {
            apply_topics(&kafka, children).await?;
        }
        let receiver_address = ports::choose("the receiver of postbacks", 8090)?;
        let receiver = Receiver::start(receiver_address).await?;
        let rules = place.join("postbacks-rules.toml");
        std::fs::write(&rules, rules::file(receiver_address, now())).context("writing the rules")?;

        let ingest = ports::choose("ingest", 8080)?;
        let reports = ports::choose("reports", 8081)?;
        let mut world = Self {
            kafka,
            redis,
            ingest: url(ingest)?,
            reports: url(reports)?,
            admin: Vec::new(),
            receiver,
            rules,
            client: http_client()?,
            memory,
        };
        for (service, usual) in SERVICES {
            let admin = ports::choose(&format!("the operators' door of {service}"), usual)?;
            let listen = if service == "ingest" { ingest } else { reports };
            children.start(service, world.service(service, (place, admin, listen))?, (place, Farewell::Gentle))?;
            world.admin.push((service, admin));
        }
        world.wait_until_ready(children).await?;
        Ok(world)
    }

    fn service(&self, name: &str, (place, admin, listen): (&Path, SocketAddr, SocketAddr)) -> anyhow::Result<Command> {
        let mut command = Command::new(folder::program(name)?);
        // What this machine has set for services of its own must not reach those of the demo.
        for (variable, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ATTRIBUTARY__"))
        {
            command.env_remove(variable);
        }
        let config = place.join(format!("{name}.toml"));
        std::fs::write(&config, "# Everything is set by the environment.\n").context("writing a configuration")?;
        command.arg("--config").arg(config);
        command.env("ATTRIBUTARY__KAFKA__BROKERS", &self.kafka).env("ATTRIBUTARY__ADMIN__LISTEN", admin.to_string());
        command.env("ATTRIBUTARY__LOG__FORMAT", "text").env("NO_COLOR", "1");
        if name != "ingest" {
            command.env("ATTRIBUTARY__REDIS__URL", &self.redis);
        }
        match name {
            "ingest" => {
                command.env("ATTRIBUTARY__INGEST__OPEN", "true").env("ATTRIBUTARY__HTTP__LISTEN", listen.to_string())
            }
            "reports" => command.env("ATTRIBUTARY__HTTP__LISTEN", listen.to_string()),
            "postbacks" => command
                .env("ATTRIBUTARY__POSTBACKS__RULES", &self.rules)
                .env("ATTRIBUTARY__POSTBACKS__ALLOW_NETWORKS", r#"["127.0.0.0/8"]"#)
                .env("ATTRIBUTARY__POSTBACKS__ALLOW_HTTP", "true"),
            _ => &mut command,
        };
        Ok(command)
    }

    async fn wait_until_ready(&self, children: &mut Children) -> anyhow::Result<()> {
        say("waiting for the services");
        let deadline = Instant::now() + READY_WITHIN;
        for (service, admin) in &self.admin {
            loop {
                children.check()?;
                let health = self.client.get(format!("http://{admin}/readyz")).send().await;
                let Ok(health) = health else {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                };
                if health.status().is_success() {
                    break;
                }
                if Instant::now() > deadline {
                    bail!("{service} is not ready after {READY_WITHIN:?}: {}", health.text().await.unwrap_or_default());
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(())
    }
}

fn url(address: SocketAddr) -> anyhow::Result<Url> {
    Ok(format!("http://{address}").parse()?)
}
