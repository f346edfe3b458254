//! The page, and what a browser lets it do.

use axum::body::Bytes;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

const PAGE: &str = include_str!("page.html");

/// The page with its policy: its one script and one style, each named by its hash, and requests to
/// where it came from.
#[derive(Clone, Debug)]
pub struct Page {
    policy: HeaderValue,
}

impl Page {
    /// The page.
    #[must_use]
    pub fn new() -> Self {
        let policy = format!(
            "default-src 'none'; script-src '{}'; style-src '{}'; connect-src 'self'; \
             img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
             require-trusted-types-for 'script'",
            hash("script"),
            hash("style"),
        );
        // Base64 is ASCII.
        let policy = HeaderValue::from_str(&policy);
        Self { policy: policy.unwrap_or(HeaderValue::from_static("default-src 'none'")) }
    }

    /// What `GET /` answers.
    #[must_use]
    pub fn response(&self) -> Response {
        let headers = [
            (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
            (CONTENT_SECURITY_POLICY, self.policy.clone()),
            (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
            (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        ];
        (headers, Bytes::from_static(PAGE.as_bytes())).into_response()
    }
}

impl Default for Page {
    fn default() -> Self {
        Self::new()
    }
}

/// The hash of what the element holds, as a policy names it.
fn hash(element: &str) -> String {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    let content = PAGE.split_once(&open).and_then(|(_, rest)| rest.split_once(&close));
    let (content, _) = content.unwrap_or_default();
    format!("sha256-{}", STANDARD.encode(Sha256::digest(content)))
}
