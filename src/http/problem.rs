//! What can be wrong with a request: status, code and message.

use core::fmt;

use uuid::Uuid;

use super::cursor::Cursor;
use crate::graph::Error;
use crate::sentence::sentence;
use crate::store::{Kind, StoreFull};
use crate::{DateTime, Refusal};

/// Why a request is refused. Nothing was changed.
///
/// What is large is borrowed: a problem is made in many places, and handed up from some.
#[derive(Clone, Copy, Debug)]
pub(super) enum Problem<'p> {
    NoToken,
    UnknownToken,
    ReadOnlyToken,
    NoPath,
    NotAGuid,
    /// A link could not repeat the path or the query as they are.
    NotEncoded,
    NotFound(Thing, &'p Uuid),
    Method {
        allow: &'static str,
    },
    MediaType,
    Document(&'p Error),
    /// The body's id or name is not that of the resource.
    Mismatch {
        property: &'static str,
    },
    SummaryExists,
    UserExists(Kind),
    Refused(&'p Refusal),
    /// A report of a device that was removed later, or at the same time.
    Removed(&'p DateTime),
    StoreFull(&'p StoreFull),
    Option(&'static str, Must),
    /// A query option that is not known here.
    Unsupported(&'static str),
    AnswerTooLong,
}

/// What a query option must be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Must {
    ComeOnce,
    BeANumber,
    BeABool,
    ListProperties,
    ComeFromALink,
}

/// What a request names.
#[derive(Clone, Copy, Debug)]
pub(super) enum Thing {
    Rollout(Kind),
    Device,
    User,
}

impl Problem<'_> {
    pub(super) const fn status(&self) -> u16 {
        match self {
            Self::NotAGuid
            | Self::NotEncoded
            | Self::Document(_)
            | Self::Mismatch { .. }
            | Self::Option(..)
            | Self::Unsupported(_) => 400,
            Self::NoToken | Self::UnknownToken => 401,
            Self::ReadOnlyToken => 403,
            Self::NoPath | Self::NotFound(..) => 404,
            Self::Method { .. } => 405,
            Self::Refused(Refusal::DevicesFull { .. } | Refusal::UsersFull { .. })
            | Self::StoreFull(_) => 507,
            Self::SummaryExists | Self::UserExists(_) | Self::Removed(_) | Self::Refused(_) => 409,
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
                Self::SummaryExists | Self::UserExists(_) => "nameAlreadyExists",
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

impl fmt::Display for Problem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoToken => "send an Authorization header with a Bearer token",
            Self::UnknownToken => "unknown token",
            Self::ReadOnlyToken => {
                "this token may only read; \
                 writing needs DeviceManagementConfiguration.ReadWrite.All"
            }
            Self::NoPath => "no such resource",
            Self::NotAGuid => {
                "an id in the path must be a GUID such as 74b9fcd8-fcd8-74b9-d8fc-b974d8fcb974"
            }
            Self::NotEncoded => "the path and the query must be percent-encoded",
            Self::NotFound(thing, id) => {
                sentence!(f, "no {} has the id ", thing.name())?;
                return id.hyphenated().fmt(f);
            }
            Self::Method { allow } => {
                return sentence!(f, "method not allowed (allowed: {})", *allow);
            }
            Self::MediaType => "send the body with Content-Type: application/json",
            Self::Document(error) => return error.fmt(f),
            Self::Mismatch { property } => {
                return sentence!(f, "{} must match the resource, or be left out", *property);
            }
            Self::SummaryExists => "the summary already exists; change it with PATCH",
            Self::UserExists(Kind::Configuration) => {
                "the user already exists; change it with PATCH"
            }
            Self::UserExists(Kind::Script) => "the user already exists; DELETE it first",
            Self::Refused(refusal) => return refusal.fmt(f),
            Self::Removed(at) => {
                let at = at.text();
                return sentence!(
                    f,
                    "the device was removed at {}; only a later report brings it back",
                    at.as_str()
                );
            }
            Self::StoreFull(full) => return full.fmt(f),
            Self::Option(name, must) => return sentence!(f, "{} {}", *name, must.name()),
            Self::Unsupported(name) => {
                return sentence!(
                    f,
                    "{} is not supported; reads take $select, lists also $top, $skip and $count",
                    *name
                );
            }
            Self::AnswerTooLong => "the answer does not fit the buffer",
        })
    }
}

impl Must {
    const fn name(self) -> &'static str {
        match self {
            Self::ComeOnce => "is given twice",
            Self::BeANumber => "must be a number of rows",
            Self::BeABool => "must be true or false",
            Self::ListProperties => "must list properties of the resource",
            Self::ComeFromALink => "must come from an @odata.nextLink",
        }
    }
}

impl Thing {
    const fn name(self) -> &'static str {
        match self {
            Self::Rollout(kind) => kind.name(),
            Self::Device => "device",
            Self::User => "user",
        }
    }
}
