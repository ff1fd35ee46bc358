//! Notes that belong to no partition, such as when a rule was first loaded.

use stream::Result;

use crate::connection::{Redis, Shared};

#[derive(Clone)]
pub struct Registry {
    connection: Shared,
    service: String,
}

impl Registry {
    pub async fn open(redis: &Redis, service: &str) -> Result<Self> {
        Ok(Self { connection: Shared::open(redis).await?, service: service.to_owned() })
    }

    /// Notes a value unless one stands there already, and answers which stands there now.
    pub async fn first(&self, key: &str, field: &str, value: &str) -> Result<String> {
        let key = format!("{{{}}}:{key}", self.service);
        let mut note = redis::cmd("HSETNX");
        note.arg(&key).arg(field).arg(value);
        self.connection.command::<i64>(note).await?;
        // Nothing ever changes or removes a note, so the two need not be one.
        let mut command = redis::cmd("HGET");
        command.arg(&key).arg(field);
        self.connection.command(command).await
    }
}
