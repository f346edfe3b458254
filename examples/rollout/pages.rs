//! The lists whose pages are read: which of them go on.

use std::collections::BTreeMap;
use std::io;

use serde_json::Value;

/// The property that says what a list is of.
pub(crate) const CONTEXT: &str = "@odata.context";

/// The property that says where the next page is; the last page of a list has none.
pub(crate) const NEXT_LINK: &str = "@odata.nextLink";

/// How much is kept of lists that go on, in bytes.
const MOST: usize = 1 << 20;

/// The lists that go on after the page of them that was read last.
///
/// Pages of one context are one list after another, in the order they are read, each up to a page
/// without a link. Whether a page is the one that a link leads to cannot be told.
#[derive(Default)]
pub(crate) struct Pages {
    links: BTreeMap<Option<String>, String>,
    /// How many bytes they take.
    size: usize,
}

impl Pages {
    /// One more page, without its elements.
    pub(crate) fn add(&mut self, page: &Value) -> io::Result<()> {
        let text = |name: &str| page[name].as_str().map(str::to_owned);
        let context = text(CONTEXT);
        let size = context.as_ref().map_or(0, String::len) + size_of::<(Option<String>, String)>();
        if let Some(link) = self.links.remove(&context) {
            self.size -= size + link.len();
        }
        if let Some(link) = text(NEXT_LINK) {
            self.size += size + link.len();
            self.links.insert(context, link);
        }
        if self.size > MOST {
            return Err(io::Error::other("too many lists go on; give them one by one"));
        }
        Ok(())
    }

    /// Where the lists go on whose last page is not among those read.
    pub(crate) fn missing(&self) -> impl Iterator<Item = &str> {
        self.links.values().map(String::as_str)
    }
}
