//! What the request function answers, seen from outside: requests in, responses out, and nothing of
//! the tallies behind them.

mod client;
#[cfg(feature = "journal")]
mod journaled;
mod operations;
mod paging;
mod refusals;
mod sequences;
mod texts;
