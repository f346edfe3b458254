//! A hardware configuration's summary.

use uuid::Uuid;

use super::resource::{encode, resource};
use super::shape::SUMMARY;
use super::{BufferFull, Error, SummaryUpdate};
use crate::Summary;

resource! {
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
    pub struct RunSummary = "#microsoft.graph.hardwareConfigurationRunSummary" {
        /// Names the summary; a body that creates one need not have it.
        #[cfg_attr(feature = "defmt", defmt(Debug2Format))]
        pub id: Option<Uuid> | Option<Uuid> = "id",
        /// The counters and the last run.
        pub summary: Summary | SummaryUpdate = [SUMMARY] (null),
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
    pub struct RunSummaryUpdate;
}

impl RunSummary {
    /// The bytes of the longest JSON of any summary.
    ///
    /// ```
    /// use runtally::graph::RunSummary;
    /// assert!(RunSummary::default().encode(&mut [0; RunSummary::MAX_JSON]).is_ok());
    /// ```
    pub const MAX_JSON: usize = Self::longest(false);

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
        encode(self, buffer)
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
        let mut update = Self::empty();
        update.read(json)?;
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
        self.whole()
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
        self.summary.apply_to(summary)
    }
}
