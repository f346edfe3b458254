//! What can be wrong with a request: status, code and message.

use core::fmt;

use uuid::Uuid;

use crate::Refusal;
use crate::graph::cursor::Cursor;
use crate::graph::{BufferFull, Error};
use crate::sentence::sentence;

/// Why a request is refused. Nothing was changed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Problem {
    NoToken,
    UnknownToken,
    ReadOnlyToken,
    NoPath,
    NotAGuid,
    /// A link could not repeat the path or the query as they are.
    NotEncoded,
    NotFound(Thing, Uuid),
    Method {
        allow: &'static str,
    },
    MediaType,
    Document(Error),
    /// The body's id or name is not the one of the path or of what is named.
    Mismatch {
        property: &'static str,
    },
    Declared(Thing),
    Refused(Refusal),
    StoreFull {
        capacity: usize,
    },
    Option {
        name: &'static str,
        must: &'static str,
    },
    /// A query option that is not known here.
    Unsupported(&'static str),
    AnswerTooLong,
}

/// What a request names.
#[derive(Clone, Copy, Debug)]
pub(super) enum Thing {
    Configuration,
    Script,
    Device,
    User,
    Summary,
}

impl Problem {
    pub(super) const fn status(&self) -> u16 {
        match self {
            Self::NotAGuid
            | Self::NotEncoded
            | Self::Document(_)
            | Self::Mismatch { .. }
            | Self::Option { .. }
            | Self::Unsupported(_) => 400,
            Self::NoToken | Self::UnknownToken => 401,
            Self::ReadOnlyToken => 403,
            Self::NoPath | Self::NotFound(..) => 404,
            Self::Method { .. } => 405,
            Self::Refused(Refusal::DevicesFull { .. } | Refusal::UsersFull { .. })
            | Self::StoreFull { .. } => 507,
            Self::Declared(_) | Self::Refused(_) => 409,
            Self::AnswerTooLong => 413,
            Self::MediaType => 415,
        }
    }

    /// Graph's word for the kind of error.
    const fn code(&self) -> &'static str {
        match self.status() {
            400 => "badRequest",
            401 => "invalidAuthenticationToken",
            403 => "accessDenied",
            404 => "itemNotFound",
            405 => "methodNotAllowed",
            409 => match self {
                Self::Declared(_) => "nameAlreadyExists",
                _ => "conflict",
            },
            413 => "responseTooLarge",
            415 => "unsupportedMediaType",
            _ => "insufficientStorage",
        }
    }

    /// Writes Graph's shape of an error.
    pub(super) fn write(&self, writer: &mut Cursor<'_>) {
        writer.raw("{\"error\":{\"code\":\"");
        writer.raw(self.code());
        writer.raw("\",\"message\":");
        writer.display(self);
        writer.raw(",\"innerError\":{\"status\":");
        writer.number(self.status().into());
        writer.raw("}}}");
    }

    pub(super) const fn allow(&self) -> Option<&'static str> {
        match self {
            Self::Method { allow } => Some(allow),
            _ => None,
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::Document(error)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<BufferFull> for Problem {
    fn from(_: BufferFull) -> Self {
        Self::AnswerTooLong
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoToken => "send an Authorization header with a Bearer token",
            Self::UnknownToken => "the token is not known here",
            Self::ReadOnlyToken => {
                "the token may read only; \
                 a write needs DeviceManagementConfiguration.ReadWrite.All"
            }
            Self::NoPath => "the path leads to nothing",
            Self::NotAGuid => {
                "an id in the path must be a GUID such as 74b9fcd8-fcd8-74b9-d8fc-b974d8fcb974"
            }
            Self::NotEncoded => "path and query must be percent-encoded",
            Self::NotFound(thing, id) => {
                sentence!(f, "no {} has the id ", thing.name())?;
                return id.hyphenated().fmt(f);
            }
            Self::Method { allow } => return sentence!(f, "the path knows {} only", *allow),
            Self::MediaType => "send the body with Content-Type: application/json",
            Self::Document(error) => return error.fmt(f),
            Self::Mismatch { property } => {
                return sentence!(f, "{} must be the one that the path names, or be left out", *property);
            }
            Self::Declared(thing) => {
                return sentence!(f, "the {} was declared before; change it with PATCH", thing.name());
            }
            Self::Refused(refusal) => return refusal.fmt(f),
            Self::StoreFull { capacity } => {
                return sentence!(f, "no room for another: all {} places are taken", *capacity);
            }
            Self::Option { name, must } => return sentence!(f, "{} {}", *name, *must),
            Self::Unsupported(name) => {
                return sentence!(f, "{} is not known here; reading takes $select, a list $top, $skip and $count as well", *name);
            }
            Self::AnswerTooLong => "the answer is longer than the buffer for it",
        })
    }
}

impl Thing {
    const fn name(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Script => "script",
            Self::Device => "device",
            Self::User => "user",
            Self::Summary => "summary",
        }
    }
}

/// A property of the body that says what the path says must say the same.
pub(super) fn must_be(property: &'static str, is_same: bool) -> Result<(), Problem> {
    if is_same { Ok(()) } else { Err(Problem::Mismatch { property }) }
}
