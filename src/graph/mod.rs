//! The wire of Microsoft Graph: its resources, read strictly and written compactly.
//!
//! ```
//! use runtally::graph::{DeviceState, RunSummary, Upn};
//! use runtally::{RunState, Tally};
//! use runtally::uuid::Uuid;
//!
//! let body = br##"{
//!     "@odata.type": "#microsoft.graph.hardwareConfigurationDeviceState",
//!     "id": "74b9fcd8-fcd8-74b9-d8fc-b974d8fcb974",
//!     "deviceName": "Dock in room \u0034",
//!     "upn": "Ada@example.com",
//!     "lastStateUpdateDateTime": "2026-11-21T09:30:00+01:00",
//!     "configurationState": "success"
//! }"##;
//!
//! // Bytes, an event, a tally, its summary, bytes.
//! let mut tally: Tally<Uuid, Upn, 64, 16> = Tally::new();
//! assert!(tally.apply(&DeviceState::decode(body)?.event())?.is_applied());
//! let summary = RunSummary { id: None, summary: *tally.summary() };
//! let mut json = [0; RunSummary::MAX_JSON];
//! let length = summary.encode(&mut json)?;
//! assert!(json[..length].starts_with(br##"{"@odata.type":"#microsoft.graph.hardwareConf"##));
//!
//! // What does not fit is refused, with the property, the byte and what would fit.
//! let error = DeviceState::decode(br#"{"id":"74b9fcd8","upn":7}"#).unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "id at byte 6: expected a GUID such as 74b9fcd8-fcd8-74b9-d8fc-b974d8fcb974"
//! );
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! # The resources
//!
//! | type | Graph's resource | read from | written to |
//! |---|---|---|---|
//! | [`RunSummary`] | `hardwareConfigurationRunSummary` | [`RunSummaryUpdate`] | yes |
//! | [`UserState`] | `hardwareConfigurationUserState` | [`UserStateUpdate`] | yes |
//! | [`DeviceState`] | `hardwareConfigurationDeviceState` | itself | yes |
//! | [`ScriptRunSummary`] | `deviceManagementScriptRunSummary` | itself | yes |
//! | [`ScriptUserState`] | `deviceManagementScriptUserState` | itself | yes |
//! | [`ScriptDeviceState`] | `deviceManagementScriptDeviceState` | itself | yes |
//!
//! # What is read
//!
//! One JSON object, exactly as RFC 8259 has it, in UTF-8 without a byte order mark, with nothing
//! after it but white space and at most [`MAX_DEPTH`] objects and arrays open at once.
//!
//! - Names match after their escapes are resolved: `"\u0069d"` is `id`. Their case matters.
//! - A property of the resource that is given twice is an error. An unknown property is ignored,
//!   also twice, but must be well formed.
//! - Strings are unescaped in full, surrogate pairs included; half a pair is an error. The length
//!   of a string is that of its text, in UTF-8.
//! - A name that is kept and too long is an error. A text that is only echoed is cut to its limit,
//!   at the last character that fits: no device goes uncounted for the sake of a text.
//! - An `Edm.Int32` is an integer literal in range: not `5.0`, `5e0`, `-0`, `"5"` or `true`. A
//!   count is not negative.
//! - Null stands for a nullable property's absence and is an error anywhere else.
//! - A GUID is 36 characters, hyphenated, in any case. It is written in lower case.
//! - `@odata.type` may be absent. Given, it must name the resource's type, in any namespace.
//!
//! | property | limit in bytes | too long |
//! |---|--:|---|
//! | `upn`, `userPrincipalName` | 145 | refused |
//! | `userEmail`, `userName` | 127 | refused |
//! | `deviceName`, `osVersion`, `userId` | 255 | cut |
//! | `configurationOutput`, `configurationError`, `assignmentFilterIds`, `resultMessage`, `errorDescription` | 8192 | cut |
//!
//! Reading copies nothing but keys, its stack does not grow with the document, and it never
//! panics. The [`Error`] reports the first error by byte offset; missing properties are checked
//! last.
//!
//! # What is written
//!
//! Every resource is [`serde::Serialize`], and its `encode` is `serde_json_core::to_slice`: compact
//! JSON in the order of Graph's examples, with `@odata.type` first. Each states its longest JSON as
//! a constant, so a buffer can be sized that never overflows.
//!
//! With serde-json-core 0.7 the bounds checks of its serialiser are linked: of
//! `Serializer::push_unchecked`, which copies bytes, and of its integer writers. The compiler cannot
//! see that their indices are in range, which they are: the one compares the length first, the
//! others have room for every digit. They are the only panics that are linked, which `firmware/run`
//! proves.
//!
//! Documents are not read by serde-json-core: it accepts malformed values where they are skipped,
//! has no limit of depth, and refuses surrogate pairs.

pub(crate) mod device_state;
mod document;
mod error;
pub(crate) mod id;
mod object;
mod property;
pub(crate) mod resource;
pub(crate) mod run_summary;
pub(crate) mod script_device_state;
pub(crate) mod script_run_summary;
pub(crate) mod script_user_state;
mod sha1;
pub(crate) mod shape;
mod text;
mod update;
mod upn;
pub(crate) mod user_state;

pub use device_state::DeviceState;
pub use error::{BufferFull, Error, Reason};
pub use id::{summary_id, user_state_id};
pub use run_summary::{RunSummary, RunSummaryUpdate};
pub use script_device_state::ScriptDeviceState;
pub use script_run_summary::ScriptRunSummary;
pub use script_user_state::ScriptUserState;
pub use text::Text;
pub use update::{CountsUpdate, SummaryUpdate};
pub use upn::Upn;
pub use user_state::{UserState, UserStateUpdate};

/// A stored name, such as a user's e-mail address or full name: at most 127 bytes.
///
/// ```
/// let name: runtally::graph::Name = "Ada".try_into()?;
/// assert_eq!(name.capacity(), 127);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
pub type Name = heapless::String<127, u8>;

/// The most objects and arrays that may be open at once in a document, its own object counted.
///
/// ```
/// assert_eq!(runtally::graph::MAX_DEPTH, 16);
/// ```
pub const MAX_DEPTH: u32 = 16;
