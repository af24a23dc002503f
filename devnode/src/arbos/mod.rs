//! ArbOS state: programs, prices, owners.
//!
//! Nitro keeps it in the storage of one account, so that it is rolled back with everything else; so does this chain, in
//! the same slots and with the same words ([`storage`]). At genesis it is what a Nitro development node at ArbOS 51 has
//! after `run-dev-node.sh` of `OffchainLabs/nitro-devnode` ([`genesis`]).

pub(crate) mod address_set;
pub mod genesis;
pub(crate) mod merkle;
mod program;
pub(crate) mod settings;
pub mod storage;
pub(crate) mod words;

pub use program::{
    Inactive, ProgramRecord, expiry_seconds, hours_since_start, read_module_hash, write_module_hash,
};
pub use storage::{BurnedOut, Burner, STATE_ADDRESS};
pub(crate) use storage::{load, make_cold};

use alloy_primitives::{Address, B256, address};

/// Chain id of a Nitro development node.
pub const DEV_CHAIN_ID: u64 = 412_346;
/// Account that a Nitro development node gives funds to; its private key is [`DEV_PRIVATE_KEY`].
pub const DEV_ACCOUNT: Address = address!("3f1eae7d46d88f08fc2f8ed27fcb2ab183eb2d0e");
/// Private key of [`DEV_ACCOUNT`], known to everybody.
pub const DEV_PRIVATE_KEY: B256 = B256::new(alloy_primitives::hex!(
    "b6b15c8cb491557369f3c7d2c287b053eb229daa9c22138887752191c9520659"
));
/// Most gas that one transaction may use from ArbOS 50 on (`arbos/l2pricing/model.go`).
pub const TX_GAS_CAP: u64 = 32_000_000;
/// 21 January 2015, from which ArbOS counts hours.
pub(crate) const START_TIME: u64 = 1_421_388_000;
