//! How the commands reach Kafka, Redis and the services.

use std::collections::BTreeMap;

use anyhow::Context;
use clap::Args;
use stream::Kafka;

#[derive(Args, Clone, Debug)]
pub(crate) struct KafkaArgs {
    /// Bootstrap servers, `host:port` separated by commas.
    #[arg(
        long = "kafka",
        env = "ATTRIBUTARY__KAFKA__BROKERS",
        default_value = "127.0.0.1:9092",
        global = true,
        value_name = "HOST:PORT"
    )]
    brokers: String,
    /// A setting for librdkafka, such as `security.protocol=ssl`; may be repeated.
    #[arg(long = "kafka-option", global = true, value_name = "KEY=VALUE")]
    options: Vec<String>,
}

impl KafkaArgs {
    pub(crate) fn settings(&self) -> anyhow::Result<Kafka> {
        let options: anyhow::Result<BTreeMap<String, String>> = self
            .options
            .iter()
            .map(|option| {
                let (key, value) = option.split_once('=').with_context(|| format!("{option} is not KEY=VALUE"))?;
                Ok((key.to_owned(), value.to_owned()))
            })
            .collect();
        Ok(Kafka { brokers: self.brokers.clone(), options: options?, ..Kafka::default() })
    }
}

#[derive(Args, Clone, Debug)]
pub(crate) struct RedisArgs {
    /// `redis://user:password@host:port/database`, `redis+sentinel://host:port,host:port/primary/database` or
    /// `redis+cluster://host:port,host:port`; with `rediss` for TLS.
    #[arg(
        long = "redis",
        env = "ATTRIBUTARY__REDIS__URL",
        default_value = "redis://127.0.0.1:6379/0",
        hide_env_values = true,
        value_name = "URL"
    )]
    url: String,
}

impl RedisArgs {
    pub(crate) fn settings(&self) -> ledger::Redis {
        ledger::Redis { url: self.url.clone(), ..ledger::Redis::default() }
    }
}

/// A client for the services' own doors.
pub fn http_client() -> anyhow::Result<reqwest::Client> {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Another thread may be faster; then its provider serves as well.
        rustls::crypto::ring::default_provider().install_default().ok();
    }
    reqwest::Client::builder().no_proxy().build().context("making an HTTP client")
}
