//! What a chain starts with.

use crate::{
    arbos::{DEV_ACCOUNT, DEV_CHAIN_ID},
    stylus::StylusParams,
};
use alloy_primitives::{Address, U256, address};

/// What a chain starts with. [`Default`] is a Nitro development node at ArbOS 51.
#[derive(Clone, Debug)]
pub struct ChainConfig {
    /// Chain id, 412346 by default.
    pub chain_id: u64,
    /// Base fee in wei; it does not move. 0.1 gwei by default.
    pub basefee: u64,
    /// Coinbase of every block; that of Nitro's batch poster by default (`arbos/l1pricing/l1pricing.go`).
    pub coinbase: Address,
    /// Gas limit of a block, which on Arbitrum means nothing: 2^50.
    pub block_gas_limit: u64,
    /// Time of the genesis block in Unix seconds.
    pub genesis_time: u64,
    /// Whether blocks get the machine's time. If not, each is a second later than the last, so that runs are repeatable.
    pub wall_clock: bool,
    /// Receives base fees and data fees.
    pub fee_account: Address,
    /// Wei for each unit of a transaction that is posted to L1 ([`crate::l1_pricing`]); 0 by default.
    pub l1_price: U256,
    /// Whether `ArbDebug` answers, as it does on development chains.
    pub debug: bool,
    /// ArbOS version and Stylus parameters.
    pub stylus: StylusParams,
    /// Accounts with funds: 100,000 ether each.
    pub funded: Vec<Address>,
}

impl Default for ChainConfig {
    fn default() -> Self {
        Self {
            chain_id: DEV_CHAIN_ID,
            basefee: 100_000_000,
            coinbase: address!("a4b000000000000000000073657175656e636572"),
            block_gas_limit: 1 << 50,
            genesis_time: 1_770_000_000,
            wall_clock: false,
            fee_account: address!("000000000000000000000000000000000a4b0fee"),
            l1_price: U256::ZERO,
            debug: true,
            stylus: StylusParams::ARBOS_51,
            funded: vec![DEV_ACCOUNT],
        }
    }
}
