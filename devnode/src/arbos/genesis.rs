//! ArbOS state of a new chain.
//!
//! Initial values are those of `arbos/arbosState/arbosstate.go`, `arbos/l1pricing/l1pricing.go` and
//! `arbos/l2pricing/model.go` at ArbOS 51. As after `run-dev-node.sh`, the development account is a chain owner (the
//! first owner is the zero address, as on any development node), an L1 unit is free, and CacheManager is a cache manager.

use super::{
    DEV_ACCOUNT,
    address_set::{CACHE_MANAGERS, CHAIN_OWNERS},
    settings, words as w,
};
use crate::{config::ChainConfig, data_pricer, predeploys::CACHE_MANAGER};
use alloy_primitives::{Address, U256};

/// The words that ArbOS state begins with, by slot.
pub(crate) fn words(config: &ChainConfig) -> Vec<(U256, U256)> {
    let basefee = U256::from(config.basefee);
    let fee_account = config.fee_account.into_word().into();
    let tx_gas_limit = U256::from(config.stylus.tx_gas_cap.unwrap_or(u64::MAX));
    let mut words: Vec<(U256, U256)> = [
        (w::VERSION, U256::from(config.stylus.arbos_version)),
        (w::NETWORK_FEE_ACCOUNT, fee_account),
        (w::CHAIN_ID, U256::from(config.chain_id)),
        (w::BROTLI_LEVEL, U256::ONE),
        (w::L1_EQUILIBRATION_UNITS, U256::from(160_000_000)),
        (w::L1_INERTIA, U256::from(10)),
        (w::L1_REWARD_RATE, U256::from(10)),
        (w::L1_PRICE_PER_UNIT, config.l1_price),
        (w::L1_BATCH_GAS, U256::from(210_000)),
        (w::SPEED_LIMIT, U256::from(7_000_000)),
        (w::BLOCK_GAS_LIMIT, U256::from(32_000_000)),
        (w::BASE_FEE, basefee),
        (w::MIN_BASE_FEE, basefee),
        (w::PRICING_INERTIA, U256::from(102)),
        (w::BACKLOG_TOLERANCE, U256::from(10)),
        // of ArbOS 50 and later, or else the limit of a block once more
        (settings::tx_gas_limit(config.stylus.arbos_version), tx_gas_limit),
        (w::STYLUS_PARAMS, settings::pack(&config.stylus)),
    ]
    .map(|(word, value)| (word.slot(), value))
    .into();
    words.extend(data_pricer::genesis_words());
    words.extend(CHAIN_OWNERS.genesis(&[Address::ZERO, DEV_ACCOUNT]));
    words.extend(CACHE_MANAGERS.genesis(&[CACHE_MANAGER]));
    words
}
