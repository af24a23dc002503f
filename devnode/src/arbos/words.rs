//! The single words of ArbOS state, by name.
//!
//! Offsets are those of `arbos/arbosState/arbosstate.go`, `arbos/l1pricing/l1pricing.go` and
//! `arbos/l2pricing/l2pricing.go` in Nitro. Prices are in wei, times in Unix seconds.

use super::storage::{Space, Word};

pub(crate) const VERSION: Word = Word(Space::Root, 0);
pub(crate) const UPGRADE_VERSION: Word = Word(Space::Root, 1);
pub(crate) const UPGRADE_TIME: Word = Word(Space::Root, 2);
pub(crate) const NETWORK_FEE_ACCOUNT: Word = Word(Space::Root, 3);
pub(crate) const CHAIN_ID: Word = Word(Space::Root, 4);
pub(crate) const INFRA_FEE_ACCOUNT: Word = Word(Space::Root, 6);
pub(crate) const BROTLI_LEVEL: Word = Word(Space::Root, 7);
pub(crate) const NATIVE_TOKEN_FROM: Word = Word(Space::Root, 8);

pub(crate) const L1_REWARD_RECIPIENT: Word = Word(Space::L1Pricing, 0);
pub(crate) const L1_EQUILIBRATION_UNITS: Word = Word(Space::L1Pricing, 1);
pub(crate) const L1_INERTIA: Word = Word(Space::L1Pricing, 2);
pub(crate) const L1_REWARD_RATE: Word = Word(Space::L1Pricing, 3);
pub(crate) const L1_UPDATE_TIME: Word = Word(Space::L1Pricing, 4);
pub(crate) const L1_REWARDS_DUE: Word = Word(Space::L1Pricing, 5);
pub(crate) const L1_UNITS_SINCE_UPDATE: Word = Word(Space::L1Pricing, 6);
/// Wei for each unit of calldata posted, a unit being a sixteenth of a byte.
pub(crate) const L1_PRICE_PER_UNIT: Word = Word(Space::L1Pricing, 7);
pub(crate) const L1_LAST_SURPLUS: Word = Word(Space::L1Pricing, 8);
pub(crate) const L1_BATCH_GAS: Word = Word(Space::L1Pricing, 9);
pub(crate) const L1_COST_CAP_BIPS: Word = Word(Space::L1Pricing, 10);
pub(crate) const L1_FEES_AVAILABLE: Word = Word(Space::L1Pricing, 11);
pub(crate) const L1_GAS_FLOOR_PER_TOKEN: Word = Word(Space::L1Pricing, 12);
pub(crate) const L1_FUNDS_DUE: Word = Word(Space::BatchPosters, 0);

pub(crate) const SPEED_LIMIT: Word = Word(Space::L2Pricing, 0);
pub(crate) const BLOCK_GAS_LIMIT: Word = Word(Space::L2Pricing, 1);
pub(crate) const BASE_FEE: Word = Word(Space::L2Pricing, 2);
pub(crate) const MIN_BASE_FEE: Word = Word(Space::L2Pricing, 3);
pub(crate) const GAS_BACKLOG: Word = Word(Space::L2Pricing, 4);
pub(crate) const PRICING_INERTIA: Word = Word(Space::L2Pricing, 5);
pub(crate) const BACKLOG_TOLERANCE: Word = Word(Space::L2Pricing, 6);
pub(crate) const TX_GAS_LIMIT: Word = Word(Space::L2Pricing, 7);

pub(crate) const STYLUS_PARAMS: Word = Word(Space::StylusParams, 0);
/// Gas that each activation pays on top, as from ArbOS 60.
pub(crate) const ACTIVATION_GAS: Word = Word(Space::ActivationGas, 0);
