//! Bearer tokens: what they must be, and what they allow.

use std::error::Error;
use std::fmt;

use subtle::ConstantTimeEq;

/// The shortest token, in characters. Twelve random visible characters are 78 bits, far more than
/// anyone can try over a network.
pub const SHORTEST: usize = 12;

/// The longest token, in characters. The head of a request must have room for it.
pub const LONGEST: usize = 1024;

/// The tokens of both roles. Each role may have several, so that one can be replaced while the
/// former is still in use. A role without tokens is nobody's.
///
/// ```
/// use runtally_service::{Access, Tokens};
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

/// What the bearer of a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Graph's `DeviceManagementConfiguration.Read.All`.
    Read,
    /// Graph's `DeviceManagementConfiguration.ReadWrite.All`.
    Write,
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
        let (scheme, token) = authorization?.split_once(' ')?;
        // Source: RFC 9110, section 11.1: the scheme's case does not matter.
        if !scheme.eq_ignore_ascii_case("Bearer") {
            return None;
        }
        let token = token.trim_ascii().as_bytes();
        let is_one_of = |known: &[String]| {
            known.iter().fold(false, |is, it| is | bool::from(it.as_bytes().ct_eq(token)))
        };
        match (is_one_of(&self.write), is_one_of(&self.read)) {
            (true, _) => Some(Access::Write),
            (false, true) => Some(Access::Read),
            (false, false) => None,
        }
    }

    /// One token of the role.
    pub(crate) fn one(&self, access: Access) -> &str {
        let tokens = match access {
            Access::Read => &self.read,
            Access::Write => &self.write,
        };
        tokens.first().map_or("", String::as_str)
    }
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
