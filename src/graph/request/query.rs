//! Query options: `$select`, `$top`, `$skip`, `$count`.

use super::problem::Problem;
use super::uri::Encoded;
use super::writer::Writer;
use crate::graph::document::Document;
use crate::graph::object::Shape;

/// What the query of a read asks for.
///
/// Source: OData 4.01 part 2, section 5.1; Graph, "Use query parameters to customize responses".
pub(super) struct Query {
    /// Bit `n`: the shape's property `n` is wanted.
    select: u32,
    /// The most rows on a page.
    pub(super) top: Option<u32>,
    /// Rows to leave out.
    pub(super) skip: u32,
    /// True if the answer is to say how many rows there are.
    pub(super) count: bool,
    /// The number of the row to begin at, from the link to this page.
    pub(super) from: u16,
}

/// The options an OData client may ask for that would need all rows at once.
const REFUSED: [&str; 6] = ["$filter", "$orderby", "$expand", "$search", "$format", "$apply"];

impl Query {
    /// Reads the options of a list, or of what is read alone.
    pub(super) fn parse(query: &str, shape: &Shape, is_list: bool) -> Result<Self, Problem> {
        let mut options = Self { select: u32::MAX, top: None, skip: 0, count: false, from: 0 };
        let mut given = [false; 5];
        for (name, value) in pairs(query) {
            let Some(option) = Name::parse(name)? else { continue };
            let number = |must| value.number().ok_or(Problem::Option { name: option.name(), must });
            if !is_list && option != Name::Select {
                return Err(Problem::Unsupported(option.name()));
            }
            if let Some(given) = given.get_mut(option as usize)
                && core::mem::replace(given, true)
            {
                return Err(Problem::Option { name: option.name(), must: "is given twice" });
            }
            match option {
                Name::Select => options.select = select(value, shape)?,
                Name::Top => options.top = Some(number("must be a number of rows")?),
                Name::Skip => options.skip = number("must be a number of rows")?,
                Name::Count => {
                    let must = "must be true or false";
                    options.count = value.is("true");
                    if !options.count && !value.is("false") {
                        return Err(Problem::Option { name: option.name(), must });
                    }
                }
                Name::SkipToken => {
                    let must = "must be the one of a link to a next page";
                    let token = u16::try_from(number(must)?);
                    options.from =
                        token.map_err(|_| Problem::Option { name: option.name(), must })?;
                }
            }
        }
        Ok(options)
    }

    /// Takes the properties that are not wanted out of the object written from `start` on. What
    /// begins with an at sign is no property and stays.
    pub(super) fn select(&self, shape: &Shape, start: usize, writer: &mut Writer<'_>) {
        if self.select == u32::MAX {
            return;
        }
        let wanted = |name: &str| {
            name.starts_with('@')
                || (0u32..).zip(shape.fields).any(|(number, field)| {
                    field.name == name && self.select & 1u32.wrapping_shl(number) != 0
                })
        };
        let object = writer.written(start);
        let len = retain(object, wanted).unwrap_or(object.len());
        writer.truncate(start.saturating_add(len));
    }
}

/// The pairs of a query that make the link to the next page: those that do not say where this page
/// began.
pub(super) fn kept(query: &str) -> impl Iterator<Item = &str> {
    query.split(['&']).filter(|pair| !pair.is_empty()).filter(|pair| {
        let name = Encoded(pair.split_once(['=']).map_or(*pair, |(name, _)| name));
        !matches!(Name::parse(name), Ok(Some(Name::Skip | Name::SkipToken)))
    })
}

fn pairs(query: &str) -> impl Iterator<Item = (Encoded<'_>, Encoded<'_>)> {
    query
        .split(['&'])
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once(['=']).unwrap_or((pair, "")))
        .map(|(name, value)| (Encoded(name), Encoded(value)))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    Select,
    Top,
    Skip,
    Count,
    SkipToken,
}

impl Name {
    const ALL: [Self; 5] = [Self::Select, Self::Top, Self::Skip, Self::Count, Self::SkipToken];

    const fn name(self) -> &'static str {
        match self {
            Self::Select => "$select",
            Self::Top => "$top",
            Self::Skip => "$skip",
            Self::Count => "$count",
            Self::SkipToken => "$skiptoken",
        }
    }

    /// The option of this name, with or without the dollar sign; none for a name that is the
    /// client's own.
    fn parse(name: Encoded<'_>) -> Result<Option<Self>, Problem> {
        let is =
            |known: &str| name.is(known) || known.strip_prefix('$').is_some_and(|n| name.is(n));
        if let Some(refused) = REFUSED.into_iter().find(|refused| is(refused)) {
            return Err(Problem::Unsupported(refused));
        }
        let known = Self::ALL.into_iter().find(|known| is(known.name()));
        if known.is_none() && name.bytes().next() == Some(b'$') {
            return Err(Problem::Unsupported("an option that begins with $"));
        }
        Ok(known)
    }
}

/// The properties that a list of names, separated by commas, wants.
fn select(names: Encoded<'_>, shape: &Shape) -> Result<u32, Problem> {
    const UNKNOWN: Problem =
        Problem::Option { name: "$select", must: "must list names of the resource's properties" };
    let mut wanted = 0u32;
    let mut bytes = names.bytes().peekable();
    while bytes.peek().is_some() {
        let mut name = heapless::Vec::<u8, 32, u8>::new();
        for byte in bytes.by_ref().take_while(|&byte| byte != b',') {
            // A plus sign is how forms write a space.
            if !matches!(byte, b' ' | b'+') {
                name.push(byte).map_err(|_| UNKNOWN)?;
            }
        }
        let number = (0u32..)
            .zip(shape.fields)
            .find(|(_, field)| field.name.as_bytes() == name.as_slice())
            .ok_or(UNKNOWN)?
            .0;
        wanted |= 1u32.wrapping_shl(number);
    }
    Ok(wanted)
}

/// Closes the gaps that unwanted properties leave in a compact JSON object of ours; gives its new
/// length.
fn retain(object: &mut [u8], wanted: impl Fn(&str) -> bool) -> Option<usize> {
    let (mut from, mut to) = (1usize, 1usize);
    while object.get(from) != Some(&b'}') {
        let mut document = Document::new(object.get(from..)?).ok()?;
        let keep = document.name().ok()?.as_str().is_some_and(&wanted);
        document.colon().ok()?;
        document.skip().ok()?;
        let end = from.checked_add(document.at())?;
        if keep {
            if to > 1 {
                *object.get_mut(to)? = b',';
                to = to.checked_add(1)?;
            }
            // Not `copy_within`, which may panic.
            for kept in from..end {
                *object.get_mut(to)? = *object.get(kept)?;
                to = to.checked_add(1)?;
            }
        }
        from = if object.get(end) == Some(&b',') { end.checked_add(1)? } else { end };
    }
    *object.get_mut(to)? = b'}';
    to.checked_add(1)
}
