//! Making blocks: when, at what time, of what; and going back to a snapshot.

use super::{Chain, HISTORY, OpenBlock};
use crate::{block::Block, config::ChainConfig, recent::RecentPrograms, time::Clock};
use alloy::consensus::Header;
use alloy_primitives::{B256, U256};
use imbl::Vector;
use revm::context::BlockEnv;
use std::sync::Arc;

impl Chain {
    /// The clock that gives blocks their time.
    pub const fn clock(&mut self) -> &mut Clock {
        &mut self.clock
    }

    /// Sets the time of the next block in Unix seconds; it cannot lie before the latest block's.
    pub fn set_next_time(&mut self, time: u64) {
        self.clock.set_next(time.max(self.latest.header.timestamp));
    }

    /// Sees that the next block is `number`, if it is not past that: one empty block stands for all that are skipped.
    pub fn skip_to(&mut self, number: u64) {
        if self.number() + 1 < number {
            let mut open = self.open.take().unwrap_or_else(|| self.open_block());
            open.env.number = U256::from(number - 1);
            self.seal(open);
        }
    }

    /// Whether each transaction is mined in a block of its own at once, as it is at first.
    pub const fn automine(&self) -> bool {
        self.automine
    }

    /// Says whether each transaction is mined at once or waits for [`Self::mine`].
    pub fn set_automine(&mut self, automine: bool) {
        self.automine = automine;
    }

    /// Seals the open block with the transactions that wait, or an empty one.
    pub fn mine(&mut self) {
        let open = self.open.take().unwrap_or_else(|| self.open_block());
        self.seal(open);
    }

    pub(super) fn next_timestamp(&self) -> u64 {
        match &self.open {
            Some(open) => open.env.timestamp.saturating_to(),
            None => self.clock.next(self.latest.header.timestamp),
        }
    }

    /// Surroundings of a transaction that is sent now.
    pub(super) fn next_env(&self) -> BlockEnv {
        match &self.open {
            Some(open) => open.env.clone(),
            None => block_env(&header(
                &self.config,
                self.number() + 1,
                self.next_timestamp(),
                self.basefee(),
                self.latest.hash,
            )),
        }
    }

    pub(super) fn open_block(&self) -> OpenBlock {
        OpenBlock {
            env: self.next_env(),
            state: self.state.clone(),
            txs: Vector::new(),
            recent: RecentPrograms::default(),
        }
    }

    pub(super) fn sealed(&self, open: OpenBlock) -> Block {
        let (number, time) = (open.env.number.saturating_to(), open.env.timestamp.saturating_to());
        let header = header(&self.config, number, time, open.env.basefee, self.latest.hash);
        Block::seal(header, open.txs.into_iter().collect())
    }

    pub(super) fn seal(&mut self, open: OpenBlock) {
        let number = open.env.number.saturating_to();
        self.before.insert(number, std::mem::replace(&mut self.state, open.state.clone()));
        if self.before.len() as u64 > HISTORY {
            self.before = self.before.without_min().1;
        }
        self.open = None;
        self.clock.sealed();
        let block = Arc::new(self.sealed(open));
        self.state.set_block_hash(number, block.hash);
        self.push(block);
    }

    pub(super) fn push(&mut self, block: Arc<Block>) {
        let number = block.header.number;
        self.block_numbers.insert(block.hash, number);
        for (index, tx) in block.txs.iter().enumerate() {
            self.txs.insert(*tx.envelope.tx_hash(), (number, index));
        }
        self.blocks.insert(number, block.clone());
        self.latest = block;
    }

    /// Remembers everything; returns the number to revert to it with.
    pub fn snapshot(&mut self) -> usize {
        let copy = Self { snapshots: Vector::new(), ..self.clone() };
        self.snapshots.push_back(Arc::new(copy));
        self.snapshots.len()
    }

    /// Goes back to a snapshot, which is used up, and later ones with it. False where there is no such snapshot.
    pub fn revert(&mut self, snapshot: usize) -> bool {
        let Some(index) = snapshot.checked_sub(1).filter(|&i| i < self.snapshots.len()) else {
            return false;
        };
        let mut snapshots = std::mem::take(&mut self.snapshots);
        let chain = snapshots[index].clone();
        snapshots.truncate(index);
        *self = Self { snapshots, ..(*chain).clone() };
        true
    }
}

pub(super) fn header(
    config: &ChainConfig,
    number: u64,
    timestamp: u64,
    basefee: u64,
    parent_hash: B256,
) -> Header {
    Header {
        number,
        timestamp,
        parent_hash,
        beneficiary: config.coinbase,
        gas_limit: config.block_gas_limit,
        base_fee_per_gas: Some(basefee),
        mix_hash: B256::with_last_byte(1),
        ..Header::default()
    }
}

/// The surroundings that a block with this header gives to code.
pub(super) fn block_env(header: &Header) -> BlockEnv {
    BlockEnv {
        number: U256::from(header.number),
        beneficiary: header.beneficiary,
        timestamp: U256::from(header.timestamp),
        gas_limit: header.gas_limit,
        basefee: header.base_fee_per_gas.unwrap_or_default(),
        difficulty: U256::ONE,
        prevrandao: Some(B256::with_last_byte(1)),
        ..BlockEnv::default()
    }
}
