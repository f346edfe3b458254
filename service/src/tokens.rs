//! Bearer tokens: what they must be, and what they allow.

use std::error::Error;
use std::fmt;

use axum::http::HeaderValue;
use runtally::http::{Access, Settings};

/// The shortest token, in characters. Twelve random visible characters are 78 bits, far more than
/// anyone can try over a network.
pub const SHORTEST: usize = 12;

/// The longest token, in characters. The head of a request must have room for it.
pub const LONGEST: usize = 1024;

/// The tokens of both roles. Each role may have several, so that one can be replaced while the
/// former is still in use. A role without tokens is nobody's.
///
/// ```
/// use runtally::http::Access;
/// use runtally_service::Tokens;
///
/// let read = vec!["reading-token".to_owned()];
/// let write = vec!["writing-token".to_owned(), "former-writing-token".to_owned()];
/// let tokens = Tokens::new(read, write)?;
/// assert_eq!(tokens.access(Some("Bearer reading-token")), Some(Access::Read));
/// assert_eq!(tokens.access(Some("bearer former-writing-token")), Some(Access::Write));
/// assert_eq!(tokens.access(Some("Bearer guess")), None);
/// assert_eq!(tokens.access(None), None);
/// # Ok::<(), runtally_service::TokenError>(())
/// ```
#[derive(Clone, Default)]
pub struct Tokens {
    read: Vec<String>,
    write: Vec<String>,
}

/// Why a token is refused. The message does not show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// It has fewer than [`SHORTEST`] characters.
    Short,
    /// It has more than [`LONGEST`] characters.
    Long,
    /// It has a blank, a line end, a control character or one beyond ASCII.
    Character,
    /// Both roles have it.
    Shared,
}

impl Tokens {
    /// The tokens that may read, and those that may read and write.
    ///
    /// # Errors
    ///
    /// [`TokenError`] if a token cannot be sent or is too easy to guess, or if both roles have it.
    pub fn new(read: Vec<String>, write: Vec<String>) -> Result<Self, TokenError> {
        for token in read.iter().chain(&write) {
            Self::check(token)?;
        }
        if read.iter().any(|token| write.contains(token)) {
            return Err(TokenError::Shared);
        }
        Ok(Self { read, write })
    }

    /// Whether this can be a token.
    ///
    /// # Errors
    ///
    /// Any [`TokenError`] but [`TokenError::Shared`].
    pub fn check(token: &str) -> Result<(), TokenError> {
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            Err(TokenError::Character)
        } else if token.len() < SHORTEST {
            Err(TokenError::Short)
        } else if token.len() > LONGEST {
            Err(TokenError::Long)
        } else {
            Ok(())
        }
    }

    /// What the value of an `Authorization` header allows; `None` if nothing. Every token is
    /// compared in constant time.
    #[must_use]
    pub fn access(&self, authorization: Option<&str>) -> Option<Access> {
        let (read, write) = self.both();
        let settings = Settings { read_tokens: &read, write_tokens: &write, ..Settings::default() };
        settings.access(authorization)
    }

    /// Those that may read, and those that may write: what [`Settings`] take.
    #[must_use]
    pub fn both(&self) -> (Vec<&str>, Vec<&str>) {
        (texts(&self.read), texts(&self.write))
    }

    /// An `Authorization` header that may write.
    pub(crate) fn authorization(&self) -> Option<HeaderValue> {
        let token = self.write.first()?;
        HeaderValue::from_str(&format!("Bearer {token}")).ok()
    }
}

fn texts(tokens: &[String]) -> Vec<&str> {
    tokens.iter().map(String::as_str).collect()
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (read, write) = (self.read.len(), self.write.len());
        write!(f, "Tokens {{ {read} to read, {write} to write }}")
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => {
                write!(f, "the token is too short: use {SHORTEST} random characters or more")
            }
            Self::Long => write!(f, "the token is too long: use {LONGEST} characters or fewer"),
            Self::Character => f.write_str(
                "the token has a character that no header can carry: \
                 use visible ASCII without blanks and line ends",
            ),
            Self::Shared => {
                f.write_str("one token is given for both reading and writing: use different ones")
            }
        }
    }
}

impl Error for TokenError {}
