//! Scheme and authority, for links that clients follow as they are.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use axum::http::HeaderMap;
use axum::http::header::HOST;
use axum::http::uri::{Authority, Uri};

/// Scheme and authority, such as `https://counts.example.com`.
///
/// ```
/// use runtally_service::Origin;
/// let origin: Origin = "https://counts.example.com/".parse()?;
/// assert_eq!(origin.as_str(), "https://counts.example.com");
/// assert!("counts.example.com".parse::<Origin>().is_err());
/// # Ok::<(), runtally_service::NoOrigin>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String);

/// The text is no origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoOrigin;

impl Origin {
    /// The origin that a request was sent to, over plain HTTP.
    ///
    /// # Errors
    ///
    /// [`NoOrigin`] if there is no `Host` header, more than one, or one that is no host.
    ///
    /// Source: RFC 9112, section 3.2: such a request is answered with 400.
    pub fn of(headers: &HeaderMap, target: &Uri) -> Result<Self, NoOrigin> {
        let mut hosts = headers.get_all(HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else { return Err(NoOrigin) };
        let host = Authority::try_from(host.as_bytes()).map_err(|_| NoOrigin)?;
        // A request target in absolute form says more than the header does.
        let host = target.authority().unwrap_or(&host);
        if !is_host(host) {
            return Err(NoOrigin);
        }
        Ok(Self(format!("http://{host}")))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = NoOrigin;

    fn from_str(text: &str) -> Result<Self, NoOrigin> {
        let uri: Uri = text.parse().map_err(|_| NoOrigin)?;
        match (uri.scheme_str(), uri.authority(), uri.path_and_query()) {
            (Some(scheme @ ("http" | "https")), Some(host), path)
                if is_host(host) && path.is_none_or(|path| path == "/") =>
            {
                Ok(Self(format!("{scheme}://{host}")))
            }
            _ => Err(NoOrigin),
        }
    }
}

/// Whether this is a host, perhaps with a port, and nothing that could pass for something else in
/// a link.
fn is_host(authority: &Authority) -> bool {
    let host = authority.as_str();
    !authority.host().is_empty()
        && host.len() <= 255
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte))
}

impl fmt::Display for NoOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected scheme and host, such as https://counts.example.com")
    }
}

impl Error for NoOrigin {}
