//! The properties of the resources: their names, stated once, and the longest JSON of each.

use super::Error;
use crate::{Counter, Of, RunState};

/// One property of a resource.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Property {
    Type,
    Id,
    DeviceName,
    OsVersion,
    Upn,
    InternalVersion,
    LastStateUpdate,
    ConfigurationState,
    ConfigurationOutput,
    ConfigurationError,
    AssignmentFilterIds,
    UserId,
    UserEmail,
    UserName,
    LastRun,
    RunState,
    ResultMessage,
    ErrorCode,
    ErrorDescription,
    SuccessDevices,
    ErrorDevices,
    SuccessUsers,
    ErrorUsers,
    UserPrincipalName,
    Count(Counter),
}

/// One property of one resource.
///
/// The name stands here as data: reading a document, it is compared more often than anything else.
#[derive(Clone, Copy)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) property: Property,
    /// The most bytes of JSON its value has.
    pub(super) longest: usize,
}

/// The order in which the wire lists the counters.
pub(super) const WIRE_ORDER: [RunState; 6] = [
    RunState::Success,
    RunState::Fail,
    RunState::Pending,
    RunState::ScriptError,
    RunState::NotApplicable,
    RunState::Unknown,
];

impl Property {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Type => "@odata.type",
            Self::Id => "id",
            Self::DeviceName => "deviceName",
            Self::OsVersion => "osVersion",
            Self::Upn => "upn",
            Self::InternalVersion => "internalVersion",
            Self::LastStateUpdate => "lastStateUpdateDateTime",
            Self::ConfigurationState => "configurationState",
            Self::ConfigurationOutput => "configurationOutput",
            Self::ConfigurationError => "configurationError",
            Self::AssignmentFilterIds => "assignmentFilterIds",
            Self::UserId => "userId",
            Self::UserEmail => "userEmail",
            Self::UserName => "userName",
            Self::LastRun => "lastRunDateTime",
            Self::RunState => "runState",
            Self::ResultMessage => "resultMessage",
            Self::ErrorCode => "errorCode",
            Self::ErrorDescription => "errorDescription",
            Self::SuccessDevices => "successDeviceCount",
            Self::ErrorDevices => "errorDeviceCount",
            Self::SuccessUsers => "successUserCount",
            Self::ErrorUsers => "errorUserCount",
            Self::UserPrincipalName => "userPrincipalName",
            Self::Count(counter) => counter.name(),
        }
    }

    /// This property in a resource where its value has at most `longest` bytes of JSON.
    pub(super) const fn up_to(self, longest: usize) -> Field {
        Field { name: self.name(), property: self, longest }
    }

    pub(super) const fn count(of: Of, state: RunState) -> Self {
        Self::Count(Counter { of, state })
    }

    /// The error when this property is required and was not given.
    pub(super) const fn missing(self) -> Error {
        Error::missing(self.name())
    }
}
