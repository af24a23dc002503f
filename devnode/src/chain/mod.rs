//! The chain: state, blocks, and the ways to change them.
//!
//! A chain is a value that is cheap to copy ([`crate::state`]): readers work on a copy while the original goes on, each
//! block keeps the state that it began with, and a snapshot is a copy. A transaction makes a block of its own, as on
//! an Arbitrum chain with little traffic, unless [`Chain::set_automine`] says that blocks are mined on demand; then it is
//! executed at once in the block that is open, and is pending until that block is sealed. Nothing that happens per
//! transaction or call grows with the state: each runs on an [overlay](crate::evm::Overlay) of it.

mod blocks;
mod calls;
mod file;
mod settings;
mod transactions;

use crate::{
    arbos::{self, DEV_ACCOUNT, genesis, settings::Settings, words},
    block::{Block, TxRecord},
    config::ChainConfig,
    evm::{self, Overlay},
    precompiles::ADDRESSES,
    predeploys,
    recent::RecentPrograms,
    state::State,
    stylus::{ProgramCache, StylusParams},
    time::Clock,
};
use alloy_primitives::{Address, B256, Bytes, U256};
use blocks::header;
pub use calls::CallOptions;
pub use file::StateFileError;
use imbl::{HashMap, OrdMap, Vector};
use revm::context::{BlockEnv, CfgEnv};
use std::sync::Arc;

/// Blocks whose state can still be asked for, the latest included.
pub const HISTORY: u64 = 1024;

/// An embedded chain.
#[derive(Clone)]
pub struct Chain {
    config: Arc<ChainConfig>,
    cfg: CfgEnv,
    state: State,
    latest: Arc<Block>,
    blocks: OrdMap<u64, Arc<Block>>,
    /// The state that each of the last [`HISTORY`] blocks began with.
    before: OrdMap<u64, State>,
    block_numbers: HashMap<B256, u64>,
    txs: HashMap<B256, (u64, usize)>,
    open: Option<OpenBlock>,
    automine: bool,
    snapshots: Vector<Arc<Self>>,
    programs: ProgramCache,
    clock: Clock,
}

/// The block that pending transactions are in.
#[derive(Clone)]
struct OpenBlock {
    env: BlockEnv,
    /// After the transactions so far.
    state: State,
    txs: Vector<TxRecord>,
    /// Programs that they have called.
    recent: RecentPrograms,
}

/// Which state, and which block's surroundings, something is to be executed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// After the block of this number.
    Block(u64),
    /// In the block after the latest, after the transactions that wait for it.
    Pending,
}

impl Chain {
    /// A chain at its genesis block.
    pub fn new(config: ChainConfig) -> Self {
        let genesis = header(&config, 0, config.genesis_time, config.basefee, B256::ZERO);
        let genesis = Arc::new(Block::seal(genesis, Vec::new()));
        let mut chain = Self::with_block(config, State::default(), genesis);
        // ArbOS gives its precompiles the code `fe`, so that Solidity's check for code finds them.
        for &address in ADDRESSES.iter() {
            chain.set_code(address, Bytes::from_static(&[0xfe]));
        }
        chain.set_nonce(arbos::STATE_ADDRESS, 1);
        for (slot, value) in genesis::words(&chain.config) {
            chain.set_storage(arbos::STATE_ADDRESS, slot, value);
        }
        for predeploy in predeploys::all() {
            chain.set_code(predeploy.address, predeploy.code);
            for (slot, value) in predeploy.storage {
                chain.set_storage(predeploy.address, slot, value);
            }
        }
        if chain.config.funded.contains(&DEV_ACCOUNT) {
            chain.set_nonce(DEV_ACCOUNT, predeploys::DEV_NONCE);
        }
        for account in chain.config.funded.clone() {
            chain.set_balance(account, U256::from(10u64).pow(U256::from(23)));
        }
        chain.state.set_block_hash(0, chain.latest.hash);
        chain
    }

    /// A chain that goes on after blocks in ascending order; `None` where they are not.
    pub(crate) fn restore(
        config: ChainConfig,
        state: State,
        blocks: impl IntoIterator<Item = Arc<Block>>,
    ) -> Option<Self> {
        let mut blocks = blocks.into_iter();
        let mut chain = Self::with_block(config, state, blocks.next()?);
        for block in blocks {
            if block.header.number <= chain.number() {
                return None;
            }
            chain.push(block);
        }
        Some(chain)
    }

    fn with_block(config: ChainConfig, state: State, block: Arc<Block>) -> Self {
        let mut chain = Self {
            cfg: evm::config(config.chain_id, &config.stylus),
            state,
            latest: block.clone(),
            blocks: OrdMap::new(),
            before: OrdMap::new(),
            block_numbers: HashMap::new(),
            txs: HashMap::new(),
            open: None,
            automine: true,
            snapshots: Vector::new(),
            programs: ProgramCache::default(),
            clock: Clock::new(config.wall_clock),
            config: Arc::new(config),
        };
        chain.push(block);
        chain
    }

    /// What the chain was started with.
    pub fn config(&self) -> &ChainConfig {
        &self.config
    }

    /// The state after a block, or the pending one; `None` where there is no such block or its state is forgotten.
    pub fn state(&self, at: At) -> Option<&State> {
        match at {
            At::Pending => Some(self.open.as_ref().map_or(&self.state, |open| &open.state)),
            At::Block(number) if number == self.number() => Some(&self.state),
            // Numbers may have been skipped: see `skip_to`.
            At::Block(number) => {
                self.blocks.get(&number)?;
                let (next, _) = self.blocks.get_next(&(number + 1))?;
                self.before.get(next)
            }
        }
    }

    /// The state that a block began with.
    pub(crate) fn state_before(&self, number: u64) -> Option<State> {
        self.before.get(&number).cloned()
    }

    /// Balance in wei, after the latest block as everything here.
    pub fn balance(&self, address: Address) -> U256 {
        self.state.info(address).balance
    }

    /// Number of transactions sent, or contracts made, by an account.
    pub fn nonce(&self, address: Address) -> u64 {
        self.state.info(address).nonce
    }

    /// Code of an account.
    pub fn code(&self, address: Address) -> Bytes {
        self.state.code(self.code_hash(address)).original_bytes()
    }

    /// Hash of an account's code.
    pub fn code_hash(&self, address: Address) -> B256 {
        self.state.info(address).code_hash
    }

    /// A word of storage.
    pub fn storage(&self, address: Address, slot: U256) -> U256 {
        self.state.storage(address, slot)
    }

    /// What a transaction would take from ArbOS state now.
    pub(crate) fn settings(&self) -> Settings {
        Settings::read(&mut Overlay::new(&self.state), &self.config.stylus)
    }

    /// Base fee of the next block in wei.
    pub fn basefee(&self) -> u64 {
        self.storage(arbos::STATE_ADDRESS, words::BASE_FEE.slot()).saturating_to()
    }

    /// Stylus parameters in force.
    pub fn stylus(&self) -> StylusParams {
        self.settings().stylus
    }

    /// The latest block.
    pub const fn latest(&self) -> &Arc<Block> {
        &self.latest
    }

    /// Number of the latest block.
    pub fn number(&self) -> u64 {
        self.latest.header.number
    }

    /// A block by number.
    pub fn block(&self, number: u64) -> Option<&Arc<Block>> {
        self.blocks.get(&number)
    }

    /// Blocks by number, in order.
    pub fn blocks(&self, from: u64, to: u64) -> impl Iterator<Item = &Arc<Block>> {
        let range = (from <= to).then(|| self.blocks.range(from..=to));
        range.into_iter().flatten().map(|(_, block)| block)
    }

    /// A block by hash.
    pub fn block_by_hash(&self, hash: B256) -> Option<&Arc<Block>> {
        self.block(*self.block_numbers.get(&hash)?)
    }

    /// The block that is open, as it would be if it were sealed now.
    pub fn pending(&self) -> Block {
        let open = self.open.clone().unwrap_or_else(|| self.open_block());
        self.sealed(open)
    }

    /// A transaction by hash: its block, its index there, and itself.
    pub fn tx(&self, hash: B256) -> Option<(&Block, usize, &TxRecord)> {
        let &(number, index) = self.txs.get(&hash)?;
        let block = self.block(number)?;
        Some((block, index, block.txs.get(index)?))
    }

    /// Programs that the open block has called.
    pub(crate) fn recent(&self) -> RecentPrograms {
        self.open.as_ref().map(|open| open.recent.clone()).unwrap_or_default()
    }

    /// A transaction that waits for its block to be sealed.
    pub fn pending_tx(&self, hash: B256) -> Option<&TxRecord> {
        let open = self.open.as_ref()?;
        open.txs.iter().find(|tx| *tx.envelope.tx_hash() == hash)
    }

    /// Number of transactions that wait.
    pub fn pending_tx_count(&self) -> usize {
        self.open.as_ref().map_or(0, |open| open.txs.len())
    }

    /// Whether calls to an address are answered by the chain itself, so that it is always warm.
    pub(crate) fn is_precompile(&self, address: Address) -> bool {
        ADDRESSES.contains(&address) || address.into_word()[..30] == [0; 30]
    }
}
