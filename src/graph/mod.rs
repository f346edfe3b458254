//! The wire of Microsoft Graph.

mod counts_update;
mod device_state;
mod document;
mod error;
mod json;
mod object;
mod property;
mod run_summary;
mod script;
mod text;
mod upn;
mod user_state;

pub use counts_update::CountsUpdate;
pub use device_state::DeviceState;
pub use error::{BufferFull, Error, Reason};
pub use run_summary::{RunSummary, RunSummaryUpdate};
pub use script::{ScriptDeviceState, ScriptRunSummary};
pub use text::Text;
pub use upn::Upn;
pub use user_state::{UserState, UserStateUpdate};

/// A stored name: a user's e-mail address or full name, at most 127 bytes.
pub type Name = heapless::String<127, u8>;

/// The most objects and arrays that may be open at once in a document, its own object counted.
pub const MAX_DEPTH: u32 = 16;
