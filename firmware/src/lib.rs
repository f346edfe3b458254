//! The roll-out that a board and a host both play, so that what they say can be compared.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(feature = "graph")]
pub mod changes;
#[cfg(feature = "journal")]
pub mod nor;
#[cfg(feature = "graph")]
pub mod rollout;
