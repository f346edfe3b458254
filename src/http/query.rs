//! Query options: `$select`, `$top`, `$skip`, `$count`.

use super::problem::{Must, Problem};
use super::uri::{Encoded, halves, next_part};
use crate::graph::shape::{Select, Shape};

/// What the query of a read asks for.
///
/// Source: OData 4.01 part 2, section 5.1; Graph, "Use query parameters to customize responses".
pub(super) struct Query {
    pub(super) select: Select,
    /// The most rows on a page.
    pub(super) top: Option<u32>,
    /// Rows to leave out.
    pub(super) skip: u32,
    /// True if the answer is to say how many rows there are.
    pub(super) count: bool,
    /// The number of the row to begin at, from the link to this page.
    pub(super) from: u16,
}

impl Query {
    /// Reads the options of a list, or of what is read alone.
    pub(super) fn parse(
        query: &str,
        shape: &Shape,
        is_list: bool,
    ) -> Result<Self, Problem<'static>> {
        let mut options = Self { select: Select::ALL, top: None, skip: 0, count: false, from: 0 };
        let mut given = [false; NAMES.len()];
        let mut rest = Some(query);
        while let Some(pair) = next_part(&mut rest, b'&') {
            let (name, value) = halves(pair, b'=');
            let value = Encoded(value.unwrap_or_default());
            let Some((option, name)) = Name::parse(Encoded(name))? else { continue };
            if !is_list && option != Name::Select {
                return Err(Problem::Unsupported(name));
            }
            let wrong = |must| Problem::Option(name, must);
            if let Some(given) = given.get_mut(option as usize)
                && core::mem::replace(given, true)
            {
                return Err(wrong(Must::ComeOnce));
            }
            let rows = || value.number().ok_or(wrong(Must::BeANumber));
            match option {
                Name::Select => {
                    let select = select(value, shape);
                    options.select = select.ok_or(wrong(Must::ListProperties))?;
                }
                Name::Top => options.top = Some(rows()?),
                Name::Skip => options.skip = rows()?,
                Name::Count => {
                    options.count = value.is("true");
                    if !options.count && !value.is("false") {
                        return Err(wrong(Must::BeABool));
                    }
                }
                Name::SkipToken => {
                    let token = value.number().and_then(|number| number.try_into().ok());
                    options.from = token.ok_or(wrong(Must::ComeFromALink))?;
                }
            }
        }
        Ok(options)
    }
}

/// True for a pair of a query that the link to the next page repeats: one that does not say where
/// this page began.
pub(super) fn is_kept(pair: &str) -> bool {
    let name = Name::parse(Encoded(halves(pair, b'=').0));
    !pair.is_empty() && !matches!(name, Ok(Some((Name::Skip | Name::SkipToken, _))))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    Select,
    Top,
    Skip,
    Count,
    SkipToken,
}

/// The options that are known. Those without a name here are refused; most would need all rows at
/// once.
const NAMES: [(&str, Option<Name>); 11] = [
    ("$select", Some(Name::Select)),
    ("$top", Some(Name::Top)),
    ("$skip", Some(Name::Skip)),
    ("$count", Some(Name::Count)),
    ("$skiptoken", Some(Name::SkipToken)),
    ("$filter", None),
    ("$orderby", None),
    ("$expand", None),
    ("$search", None),
    ("$format", None),
    ("$apply", None),
];

impl Name {
    /// The option of this name, with or without the dollar sign; none for a name that is the
    /// client's own.
    #[inline(never)]
    fn parse(given: Encoded<'_>) -> Result<Option<(Self, &'static str)>, Problem<'static>> {
        let known = NAMES.into_iter().find(|(name, _)| {
            given.is(name) || name.strip_prefix('$').is_some_and(|name| given.is(name))
        });
        match known {
            Some((name, Some(option))) => Ok(Some((option, name))),
            Some((name, None)) => Err(Problem::Unsupported(name)),
            None if given.bytes().next() == Some(b'$') => {
                Err(Problem::Unsupported("this option; names are case-sensitive"))
            }
            None => Ok(None),
        }
    }
}

/// The properties that a list of names, separated by commas, wants; none if one is not known, or
/// missing.
fn select(names: Encoded<'_>, shape: &Shape) -> Option<Select> {
    let mut wanted = 0_u32;
    let mut name = heapless::Vec::<u8, 32, u8>::new();
    for byte in names.bytes().chain([b',']) {
        match byte {
            // A plus sign is how forms write a space.
            b' ' | b'+' => {}
            b',' => {
                let number =
                    shape.fields.iter().position(|field| field.name.as_bytes() == &*name)?;
                wanted |= 1_u32.wrapping_shl(number as u32);
                name.clear();
            }
            _ => name.push(byte).ok()?,
        }
    }
    Some(Select(wanted))
}
