//! The command line of Inkling as a library: deploys classifiers, runs them and reports what they cost.
//!
//! Everything that touches a chain goes through a [`chain::Connection`], which is alloy's `Provider` over the embedded
//! chain of `inkling-devnode` or over an endpoint, so that a figure from the one is made by the code that would make
//! it on the other. Gas rules are the chain's: here gas is read from receipts.
//!
//! * [`abi`], [`artifacts`], [`models`]: what is deployed: interfaces, built programs, trained networks;
//! * [`chain`], [`deployment`], [`classifier`]: connecting, deploying, asking a deployed contract;
//! * [`deploy`], [`compare`], [`evaluate`], [`classify`], [`node`]: the subcommands, arguments included;
//! * [`gas`], [`report`], [`plot`], [`progress`]: figures and how they are shown.

pub mod abi;
pub mod artifacts;
pub mod chain;
pub mod classifier;
pub mod classify;
pub mod compare;
pub mod deploy;
pub mod deployment;
pub mod error;
pub mod evaluate;
pub mod gas;
pub mod models;
pub mod node;
pub mod plot;
pub mod progress;
pub mod report;
#[cfg(test)]
mod testing;

pub use error::Error;
