//! A hardware configuration's summary.

use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::json::{self, Resource, Value};
use super::object::{Object, Shape};
use super::property::Property;
use super::{BufferFull, CountsUpdate, Error};
use crate::{Counter, DateTime, Of, RunState, Summary};

/// The summary of a hardware configuration: `hardwareConfigurationRunSummary`.
///
/// Written, `id` is left out when it is `None`, and `lastRunDateTime` is null before the first run.
///
/// Source: Microsoft Graph beta, `hardwareConfigurationRunSummary`.
///
/// ```
/// use runtally::graph::RunSummary;
/// use runtally::{RunState, Summary};
///
/// let mut summary = Summary::ZERO;
/// summary.devices = summary.devices.with(RunState::Success, 5)?;
/// let mut json = [0; RunSummary::MAX_JSON];
/// let length = RunSummary { id: None, summary }.encode(&mut json)?;
/// let json = str::from_utf8(&json[..length])?;
/// assert!(json.contains(r#""successfulDeviceCount":5,"failedDeviceCount":0"#));
/// assert!(json.ends_with(r#""lastRunDateTime":null}"#));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RunSummary {
    /// Names the summary; a body that creates one need not have it.
    #[cfg_attr(feature = "defmt", defmt(Debug2Format))]
    pub id: Option<Uuid>,
    /// The counters and the last run.
    pub summary: Summary,
}

/// What a document gives of a [`RunSummary`]: all of it to create one, some of it to change one.
///
/// ```
/// use runtally::graph::RunSummaryUpdate;
/// use runtally::{RunState, Summary};
///
/// let update = RunSummaryUpdate::decode(br#"{"pendingUserCount": 7, "lastRunDateTime": null}"#)?;
/// let summary = update.apply_to(Summary::ZERO);
/// assert_eq!(summary.users[RunState::Pending], 7);
///
/// let error = update.complete().unwrap_err();
/// assert_eq!(error.to_string(), "successfulDeviceCount is missing");
/// # Ok::<(), runtally::graph::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RunSummaryUpdate {
    /// Names the summary.
    #[cfg_attr(feature = "defmt", defmt(Debug2Format))]
    pub id: Option<Uuid>,
    /// The device counters given.
    pub devices: CountsUpdate,
    /// The user counters given.
    pub users: CountsUpdate,
    /// The last run, if given; `Some(None)` is a null: there was none.
    pub last_run: Option<Option<DateTime>>,
}

const fn devices(state: RunState) -> Property {
    Property::count(Of::Devices, state)
}

const fn users(state: RunState) -> Property {
    Property::count(Of::Users, state)
}

const TYPE: &str = "#microsoft.graph.hardwareConfigurationRunSummary";

pub(super) const SHAPE: Shape = Shape {
    odata_type: TYPE,
    fields: &[
        Property::Type.up_to(json::plain(TYPE)),
        Property::Id.up_to(json::GUID),
        devices(RunState::Success).up_to(json::COUNT),
        devices(RunState::Fail).up_to(json::COUNT),
        devices(RunState::Pending).up_to(json::COUNT),
        devices(RunState::ScriptError).up_to(json::COUNT),
        devices(RunState::NotApplicable).up_to(json::COUNT),
        devices(RunState::Unknown).up_to(json::COUNT),
        users(RunState::Success).up_to(json::COUNT),
        users(RunState::Fail).up_to(json::COUNT),
        users(RunState::Pending).up_to(json::COUNT),
        users(RunState::ScriptError).up_to(json::COUNT),
        users(RunState::NotApplicable).up_to(json::COUNT),
        users(RunState::Unknown).up_to(json::COUNT),
        Property::LastRun.up_to(json::DATE_TIME),
    ],
};

impl RunSummary {
    /// The bytes of the longest JSON of any summary.
    ///
    /// ```
    /// let buffer = [0u8; runtally::graph::RunSummary::MAX_JSON]; // any fits
    /// # let _ = buffer;
    /// ```
    pub const MAX_JSON: usize = json::object(SHAPE.fields);

    /// Writes the JSON to the start of `buffer`; gives its length in bytes.
    ///
    /// # Errors
    ///
    /// [`BufferFull`] if it does not fit; [`Self::MAX_JSON`] bytes always do.
    ///
    /// ```
    /// use runtally::graph::RunSummary;
    /// let mut json = [0; RunSummary::MAX_JSON];
    /// let length = RunSummary::default().encode(&mut json)?;
    /// assert_eq!(json[length - 1], b'}');
    /// # Ok::<(), runtally::graph::BufferFull>(())
    /// ```
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, BufferFull> {
        json::encode(self, buffer)
    }
}

impl RunSummaryUpdate {
    /// Reads what a document gives; nothing is required.
    ///
    /// # Errors
    ///
    /// [`Error`] if the document is not JSON as [the module](super) has it, or a value does not fit
    /// its property.
    ///
    /// ```
    /// use runtally::graph::RunSummaryUpdate;
    /// assert_eq!(RunSummaryUpdate::decode(b"{}")?, RunSummaryUpdate::default());
    /// assert!(RunSummaryUpdate::decode(b"{} {}").is_err());
    /// # Ok::<(), runtally::graph::Error>(())
    /// ```
    pub fn decode(json: &[u8]) -> Result<Self, Error> {
        let mut update = Self::default();
        let mut object = Object::open(json, &SHAPE)?;
        while let Some(property) = object.next() {
            match property {
                Property::Id => update.id = object.guid(),
                Property::Count(counter) => {
                    let counts = match counter.of {
                        Of::Devices => &mut update.devices,
                        Of::Users => &mut update.users,
                    };
                    counts.set(counter.state, object.count());
                }
                Property::LastRun => update.last_run = Some(object.nullable_date_time()),
                _ => object.skip(),
            }
        }
        object.end()?;
        Ok(update)
    }

    /// The whole resource, as creating one needs it; the last run may be missing.
    ///
    /// # Errors
    ///
    /// [`Reason::Missing`](super::Reason::Missing) for the first counter that was not given.
    ///
    /// ```
    /// use runtally::graph::RunSummaryUpdate;
    /// let error = RunSummaryUpdate::default().complete().unwrap_err();
    /// assert_eq!(error.property, Some("successfulDeviceCount"));
    /// ```
    pub fn complete(&self) -> Result<RunSummary, Error> {
        Ok(RunSummary {
            id: self.id,
            summary: Summary {
                devices: self.devices.complete(Of::Devices)?,
                users: self.users.complete(Of::Users)?,
                last_run: self.last_run.flatten(),
            },
        })
    }

    /// `summary` with what was given in its place.
    ///
    /// ```
    /// use runtally::Summary;
    /// use runtally::graph::RunSummaryUpdate;
    /// assert_eq!(RunSummaryUpdate::default().apply_to(Summary::ZERO), Summary::ZERO);
    /// ```
    #[must_use]
    pub fn apply_to(&self, summary: Summary) -> Summary {
        Summary {
            devices: self.devices.apply_to(summary.devices),
            users: self.users.apply_to(summary.users),
            last_run: self.last_run.unwrap_or(summary.last_run),
        }
    }
}

impl Resource for RunSummary {
    fn shape(&self) -> &'static Shape {
        &SHAPE
    }

    fn value(&self, property: Property) -> Value<'_> {
        match property {
            Property::Id => self.id.into(),
            Property::Count(Counter { of: Of::Devices, state }) => {
                self.summary.devices[state].into()
            }
            Property::Count(Counter { of: Of::Users, state }) => self.summary.users[state].into(),
            Property::LastRun => Value::from(self.summary.last_run).or_null(),
            _ => Value::Absent,
        }
    }
}

impl Serialize for RunSummary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        json::serialize(self, serializer)
    }
}
