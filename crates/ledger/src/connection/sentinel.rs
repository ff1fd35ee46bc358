//! Redis behind Sentinel: the primary is whoever the sentinels name, asked again at every connection.

use redis::{ConnectionAddr, ConnectionInfo, ErrorKind, RedisError, RedisResult, ServerErrorKind, Value};

use super::Redis;

#[derive(Clone)]
pub(super) struct Sentinels {
    /// How to ask without a password, and with that of the primary, for the sentinels that want one.
    pub(super) open: Vec<ConnectionInfo>,
    pub(super) guarded: Vec<ConnectionInfo>,
    /// What the sentinels call the primary.
    pub(super) service: String,
    /// User, password, database and TLS of the primary; the address is that of a sentinel.
    pub(super) primary: ConnectionInfo,
}

impl Sentinels {
    /// Connects to the first server that a sentinel names and that calls itself a primary.
    pub(super) fn dial(&self, redis: &Redis) -> RedisResult<(ConnectionInfo, redis::Connection)> {
        let mut trouble = RedisError::from((ErrorKind::EmptySentinelList, "no sentinel is named"));
        for (open, guarded) in self.open.iter().zip(&self.guarded) {
            match self.named_by(redis, open, guarded) {
                Ok(None) => {
                    let unknown = "the sentinels know no primary of this name";
                    trouble = (ErrorKind::MasterNameNotFoundBySentinel, unknown, self.service.clone()).into();
                }
                Ok(Some((host, port))) => match self.dial_primary(redis, host.clone(), port) {
                    Ok(primary) => return Ok(primary),
                    Err(error) => trouble = at(&format!("{host}:{port}"), "the primary does not answer as one", &error),
                },
                Err(error) => trouble = at(&open.addr().to_string(), "a sentinel does not answer", &error),
            }
        }
        Err(trouble)
    }

    fn named_by(
        &self,
        redis: &Redis,
        open: &ConnectionInfo,
        guarded: &ConnectionInfo,
    ) -> RedisResult<Option<(String, u16)>> {
        let mut question = redis::cmd("SENTINEL");
        question.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.service);
        match question.query(&mut redis.dial(open)?) {
            Err(error) if error.code() == Some("NOAUTH") => question.query(&mut redis.dial(guarded)?),
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::ResponseError) => {
                Err((ErrorKind::InvalidClientConfig, "this is no sentinel", error.to_string()).into())
            }
            answer => answer,
        }
    }

    fn dial_primary(&self, redis: &Redis, host: String, port: u16) -> RedisResult<(ConnectionInfo, redis::Connection)> {
        let address = match self.primary.addr() {
            ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
                ConnectionAddr::TcpTls { host, port, insecure: *insecure, tls_params: tls_params.clone() }
            }
            _ => ConnectionAddr::Tcp(host, port),
        };
        let primary = self.primary.clone().set_addr(address);
        let mut connection = redis.dial(&primary)?;
        let role: Vec<Value> = redis::cmd("ROLE").query(&mut connection)?;
        if role.first() != Some(&Value::BulkString(b"master".to_vec())) {
            let address = primary.addr().to_string();
            return Err(RedisError::from((
                ErrorKind::Io,
                "this server is not a primary any more, or not yet",
                address,
            )));
        }
        Ok((primary, connection))
    }
}

fn at(address: &str, what: &'static str, error: &RedisError) -> RedisError {
    (error.kind(), what, format!("{address}: {error}")).into()
}
