//! The command line of Inkling as a library: deploys classifiers, runs them and reports what they cost.
//!
//! Everything that touches a chain goes through a [`chain::Connection`], which is alloy's `Provider` over the embedded
//! chain of `inkling-devnode` or over an endpoint, so that a figure from the one is made by the code that would make
//! it on the other. Gas rules are the chain's: here gas is read from receipts.
//!
//! * [`abi`], [`artifacts`], [`models`], [`samples`]: what is deployed and asked: interfaces, built programs, trained
//!   networks, test images;
//! * [`accounts`], [`networks`]: who signs, and which chain it is;
//! * [`chain`], [`deployment`], [`classifier`], [`evaluation`]: connecting, deploying, asking a deployed contract, about many
//!   images; [`measure`]: all that is measured of one contract with one model;
//! * [`program`]: a Stylus program as the precompiles see it: cached or not, how long it lasts; [`spend`]: asking before
//!   something is paid;
//! * [`deploy`], [`status`], [`cache`], [`keepalive`], [`compare`] and [`live`], [`evaluate`], [`exactness`], [`profile`], [`classify`],
//!   [`bake`], [`node`], [`serve`], [`completions`], [`man`]: the subcommands, arguments included; [`page`]: what `serve`
//!   serves;
//! * [`config`], [`logging`]: options from environment and file; what is told on the side;
//! * [`gas`], [`shape`], [`report`], [`plot`], [`progress`]: figures and how they are shown.

pub mod abi;
pub mod accounts;
pub mod artifacts;
pub mod bake;
pub mod cache;
pub mod chain;
pub mod classifier;
pub mod classify;
pub mod compare;
pub mod completions;
pub mod config;
pub mod deploy;
pub mod deployment;
pub mod error;
pub mod evaluate;
pub mod evaluation;
pub mod exactness;
pub mod gas;
pub mod keepalive;
pub mod live;
pub mod logging;
pub mod man;
pub mod measure;
pub mod models;
pub mod networks;
pub mod node;
pub mod page;
pub mod plot;
pub mod profile;
pub mod program;
pub mod progress;
pub mod report;
pub mod samples;
pub mod serve;
pub mod shape;
pub mod spend;
pub mod status;
#[cfg(test)]
mod testing;

pub use error::Error;
