//! What the request function answers, seen from outside: requests in, responses out, and nothing of
//! the tallies behind them.

mod client;
mod index;
mod operations;
mod paging;
mod refusals;
mod restored;
mod rules;
mod sequences;
mod texts;
