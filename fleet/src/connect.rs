//! The way to the server.

use std::path::PathBuf;
use std::time::Duration;

use async_nats::jetstream::{self, context::ContextBuilder};
use async_nats::{Client, ConnectErrorKind, ConnectOptions, ServerAddr};
use percent_encoding::percent_decode_str;

use crate::Failure;

/// Where the server is, and who asks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Nats {
    /// URLs, separated by commas.
    pub(crate) url: String,
    /// A file of credentials.
    pub(crate) credentials: Option<PathBuf>,
}

/// How long the server may take to answer, or to acknowledge.
const PATIENCE: Duration = Duration::from_secs(10);

impl Nats {
    /// A connection of its own. It is taken up again for as long as the process lives.
    pub(crate) async fn connect(&self, name: &str) -> Result<Client, Failure> {
        let mut options = ConnectOptions::new()
            .name(format!("runtally-fleet {name}"))
            .request_timeout(Some(PATIENCE))
            .ping_interval(Duration::from_secs(5))
            .subscription_capacity(64 * 1024);
        if let Some(file) = &self.credentials {
            options = options
                .credentials_file(file)
                .await
                .map_err(|error| format!("the credentials in {}: {error}", file.display()))?;
        }
        let mut servers = Vec::new();
        for url in self.url.split(',') {
            let server = url.trim().parse::<ServerAddr>();
            servers
                .push(server.map_err(|_| "--nats: expected URLs such as nats://127.0.0.1:4222")?);
        }
        // The client does not take them from the URL itself.
        let named = servers.iter().find_map(|it| Some((it.username()?, it.password()?)));
        if let Some((name, password)) = named {
            let plain = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
            options = options.user_and_password(plain(name), plain(password));
        }
        // Without a password, which is nobody's to read.
        let hosts = servers.iter().map(|it| format!("{}:{}", it.host(), it.port()));
        let hosts = hosts.collect::<Vec<_>>().join(",");
        let client = options.connect(servers).await.map_err(|error| match error.kind() {
            ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => format!(
                "the server at {hosts} refuses: give nats://NAME:PASSWORD@HOST:PORT or \
                 --credentials FILE"
            ),
            _ => format!("no server answers at {hosts}: {error}; is nats-server running with -js?"),
        })?;
        let (major, minor) = (client.server_info().version, (2, 11));
        if !is_at_least(&major, minor) {
            return Err(format!("the server is version {major}: 2.11 or newer is needed").into());
        }
        Ok(client)
    }
}

/// The log over a connection.
pub(crate) fn jetstream(client: &Client) -> jetstream::Context {
    ContextBuilder::new()
        .timeout(PATIENCE)
        .ack_timeout(PATIENCE)
        // What is under way is bounded by whoever sends.
        .max_ack_inflight(1 << 20)
        .build(client.clone())
}

fn is_at_least(version: &str, least: (u32, u32)) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= least
}

#[cfg(test)]
mod tests {
    use super::is_at_least;

    #[test]
    fn versions_compare_by_number() {
        assert!(is_at_least("2.11.0", (2, 11)));
        assert!(is_at_least("2.15.1-beta", (2, 11)));
        assert!(is_at_least("3.0", (2, 11)));
        assert!(!is_at_least("2.9.25", (2, 11)));
    }
}
