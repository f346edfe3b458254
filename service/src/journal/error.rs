//! Why a journal cannot be used.

use std::fmt;
use std::io;

/// Why a journal could not be opened or written.
#[derive(Debug)]
#[non_exhaustive]
pub enum JournalError {
    /// Another process has it.
    Locked,
    /// The file is something else.
    Foreign,
    /// The journal was written by a version of this service with another layout.
    Version {
        /// The layout found.
        found: u32,
    },
    /// The journal was written for a store of another capacity.
    Capacity {
        /// Configurations, scripts, devices and users that it was written for.
        found: [u32; 4],
    },
    /// What is in the file cannot have been written so.
    Damaged(String),
    /// The file cannot be read or written.
    File(io::Error),
}

impl From<io::Error> for JournalError {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked => f.write_str("another process has it open"),
            Self::Foreign => f.write_str("it is not a journal"),
            Self::Version { found } => {
                write!(f, "it has layout {found}, and this service reads {}", super::VERSION)
            }
            Self::Capacity { found: [configurations, scripts, devices, users] } => write!(
                f,
                "it was written for {configurations} configurations and {scripts} scripts of \
                 {devices} devices and {users} users each"
            ),
            Self::Damaged(what) => f.write_str(what),
            Self::File(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for JournalError {}
