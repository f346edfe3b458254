//! Bars for people.

use std::fmt;
use std::iter::repeat_n;

use indicatif::HumanCount;
use runtally::{Counts, RunState};

/// Columns of a bar that stands for all.
const WIDTH: u64 = 40;

/// The states in the order people ask for them: label, and ANSI's escape for the colour.
const ROWS: [(RunState, &str, &str); 6] = [
    (RunState::Success, "successful", "\x1b[32m"),
    (RunState::Pending, "pending", "\x1b[33m"),
    (RunState::Fail, "failed", "\x1b[31m"),
    (RunState::ScriptError, "error", "\x1b[35m"),
    (RunState::Unknown, "unknown", "\x1b[36m"),
    (RunState::NotApplicable, "not applicable", "\x1b[90m"),
];

/// A bar for each state, as long as its share of all.
pub(crate) struct Chart {
    pub(crate) title: &'static str,
    pub(crate) counts: Counts,
    /// How many of the pending ones have been so for too long.
    pub(crate) overdue: Option<u64>,
    pub(crate) colour: bool,
}

impl fmt::Display for Chart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of_total = HumanCount(self.counts.total()).to_string();
        let (bold, plain) = if self.colour { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        writeln!(f, "{bold}{:>14}{of_total:>51}{plain}", self.title)?;
        for (state, label, hue) in ROWS {
            self.row(f, label, hue, self.counts[state].into())?;
            if let (RunState::Pending, Some(overdue)) = (state, self.overdue) {
                self.row(f, "└ overdue", hue, overdue)?;
            }
        }
        Ok(())
    }
}

impl Chart {
    fn row(&self, f: &mut fmt::Formatter<'_>, label: &str, hue: &str, count: u64) -> fmt::Result {
        let total = self.counts.total();
        let bar = bar(count, total);
        let permille = (count * 1000 + total / 2).checked_div(total).unwrap_or(0);
        let (hue, plain) = if self.colour { (hue, "\x1b[0m") } else { ("", "") };
        let count = HumanCount(count).to_string();
        let (whole, tenths) = (permille / 10, permille % 10);
        writeln!(f, "{label:>14}  {hue}{bar}{plain} {count:>8}{whole:>5}.{tenths} %")
    }
}

/// `count` out of `total` in eighths of a column, at least one for anything above zero.
fn bar(count: u64, total: u64) -> String {
    let eighths = (count * WIDTH * 8 + total / 2).checked_div(total).unwrap_or(0).max(count.min(1));
    let part = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][(eighths % 8) as usize];
    let full = eighths / 8;
    let spaces = WIDTH - full - u64::from(!part.is_empty());
    repeat_n("█", full as usize).chain([part]).chain(repeat_n(" ", spaces as usize)).collect()
}
