//! The chain: state, blocks, and the ways to change them.
//!
//! A chain is a value that is cheap to copy ([`crate::state`]): readers work on a copy while the original goes on, each
//! block keeps the state that it began with, and a snapshot is a copy. A transaction makes a block of its own, as on
//! an Arbitrum chain with little traffic, unless [`Chain::set_automine`] says that blocks are mined on demand; then it is
//! executed at once in the block that is open, and is pending until that block is sealed. Nothing that happens per
//! transaction or call grows with the state: each runs on an [`Overlay`] of it.

use crate::{
    arbos::{self, Burner, DEV_ACCOUNT, ProgramRecord, genesis, settings::Settings, words},
    block::{Block, TxRecord},
    config::ChainConfig,
    error::ChainError,
    evm::{self, ArbEvm, Ctx, Overlay, ProgramCache, TxScope},
    handler::{ArbHandler, TxError},
    l1_pricing::Posting,
    precompiles::ADDRESSES,
    predeploys,
    recent::RecentPrograms,
    state::State,
    stylus::{self, Activation, StylusParams},
    time::Clock,
    trace::Frame,
    tx::{self, TxOutcome, TxRequest},
};
use alloy::consensus::{Header, TxEnvelope};
use alloy_primitives::{Address, B256, Bytes, U256};
use imbl::{HashMap, OrdMap, Vector};
use revm::{
    DatabaseCommit,
    bytecode::Bytecode,
    context::{BlockEnv, Cfg, CfgEnv, ContextTr, JournalTr},
    handler::Handler,
    state::{AccountInfo, EvmState},
};
use std::sync::Arc;

/// Blocks whose state can still be asked for, the latest included.
pub const HISTORY: u64 = 1024;

/// An embedded chain.
#[derive(Clone)]
pub struct Chain {
    pub(crate) config: Arc<ChainConfig>,
    pub(crate) cfg: CfgEnv,
    pub(crate) state: State,
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

    // ── reading ────────────────────────────────────────────────────────────────────────────────────────────────

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

    // ── setting state outside transactions ──────────────────────────────────────────────────────────────────────

    /// Changes the latest state, and the pending one where it is another.
    fn update_states(&mut self, change: impl Fn(&mut State)) {
        change(&mut self.state);
        if let Some(open) = &mut self.open {
            change(&mut open.state);
        }
    }

    fn update(&mut self, address: Address, change: impl Fn(&mut AccountInfo)) {
        self.update_states(|state| {
            let mut info = state.info(address);
            change(&mut info);
            state.set_info(address, info);
        });
    }

    /// Sets a balance in wei.
    pub fn set_balance(&mut self, address: Address, balance: U256) {
        self.update(address, |info| info.balance = balance);
    }

    /// Sets a nonce.
    pub fn set_nonce(&mut self, address: Address, nonce: u64) {
        self.update(address, |info| info.nonce = nonce);
    }

    /// Puts code at an address; as a contract it has nonce 1.
    pub fn set_code(&mut self, address: Address, code: Bytes) {
        let code = Bytecode::new_legacy(code);
        self.update(address, |info| {
            info.nonce = info.nonce.max(1);
            info.code_hash = code.hash_slow();
            info.code = Some(code.clone());
        });
    }

    /// Sets a word of storage.
    pub fn set_storage(&mut self, address: Address, slot: U256, value: U256) {
        self.update_states(|state| state.set_storage(address, slot, value));
    }

    /// Sets the base fee in wei of the blocks to come.
    pub fn set_basefee(&mut self, basefee: u64) {
        let slot = words::BASE_FEE.slot();
        self.set_storage(arbos::STATE_ADDRESS, slot, U256::from(basefee));
    }

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

    // ── Stylus ──────────────────────────────────────────────────────────────────────────────────────────────────

    /// Activates the program at `address` outside any transaction and free of charge.
    pub fn activate(&mut self, address: Address) -> Result<Activation, ChainError> {
        let params = self.stylus();
        let code = self.code(address);
        let wasm = stylus::decompress(&code, params.max_wasm_size as usize)?;
        let activation = stylus::activate(&wasm, &params, params.page_limit)?;
        let time = self.next_timestamp();
        let record = ProgramRecord {
            version: activation.version,
            init_cost: activation.init_cost,
            cached_cost: activation.cached_init_cost,
            footprint: activation.footprint,
            activated_at: arbos::hours_since_start(time),
            asm_kib: activation.asm_estimate.div_ceil(1024),
            cached: false,
        };
        let code_hash = self.code_hash(address);
        self.write_record(code_hash, record);
        Ok(activation)
    }

    /// What ArbOS remembers of the program at `address`.
    pub fn program(&mut self, address: Address) -> ProgramRecord {
        let code_hash = self.code_hash(address);
        self.with_ctx(|ctx| ProgramRecord::load(ctx, code_hash))
    }

    /// Puts the program at `address` into the cache, or evicts it, outside any transaction.
    pub fn set_cached(&mut self, address: Address, cached: bool) -> Result<(), ChainError> {
        let (params, time) = (self.stylus(), self.next_timestamp());
        let record = self.program(address);
        if cached {
            record.active(&params, time)?;
        }
        if record.cached != cached {
            let code_hash = self.code_hash(address);
            self.write_record(code_hash, ProgramRecord { cached, ..record });
        }
        Ok(())
    }

    fn write_record(&mut self, code_hash: B256, record: ProgramRecord) {
        self.with_ctx(|ctx| {
            record.write(ctx, &mut Burner::new(u64::MAX), code_hash).unwrap_or_default();
        });
    }

    /// Lets ArbOS code act on the state as a transaction would, and keeps the changes.
    fn with_ctx<T>(&mut self, act: impl FnOnce(&mut Ctx<'_>) -> T) -> T {
        let block = self.next_env();
        let (cfg, scope) = (self.cfg.clone(), TxScope::default());
        let mut evm = ArbEvm::new(Overlay::new(&self.state), cfg, block, Default::default(), scope);
        let value = act(&mut evm.0.ctx);
        let changes = evm.0.ctx.journal_mut().finalize();
        drop(evm);
        self.update_states(|state| state.commit(changes.clone()));
        value
    }

    // ── transactions ────────────────────────────────────────────────────────────────────────────────────────────

    /// Executes a transaction that needs no signature.
    pub fn transact(&mut self, request: &TxRequest) -> Result<TxOutcome, ChainError> {
        self.send_unsigned(request).map(|(_, outcome)| outcome)
    }

    /// As [`Self::transact`]; gives the hash, too.
    pub(crate) fn send_unsigned(
        &mut self,
        request: &TxRequest,
    ) -> Result<(B256, TxOutcome), ChainError> {
        let nonce = request.nonce.unwrap_or_else(|| self.pending_nonce(request.from));
        let envelope = request.unsigned_envelope(nonce, self.config.chain_id);
        let hash = *envelope.tx_hash();
        Ok((hash, self.include(envelope, request, nonce)?))
    }

    /// Number of transactions sent by an account, with those that wait.
    pub fn pending_nonce(&self, address: Address) -> u64 {
        let state = self.open.as_ref().map_or(&self.state, |open| &open.state);
        state.info(address).nonce
    }

    /// Executes a signed transaction; returns its hash.
    pub fn send_raw(&mut self, raw: &[u8]) -> Result<B256, ChainError> {
        let (envelope, request) = tx::decode(raw, self.config.chain_id)?;
        self.send(envelope, &request)
    }

    /// Executes a transaction whose signature has been checked; returns its hash.
    pub(crate) fn send(
        &mut self,
        envelope: TxEnvelope,
        request: &TxRequest,
    ) -> Result<B256, ChainError> {
        let hash = *envelope.tx_hash();
        if self.pending_tx(hash).is_some() {
            return Err(ChainError::Known);
        }
        self.include(envelope, request, request.nonce.unwrap_or_default())?;
        Ok(hash)
    }

    fn include(
        &mut self,
        envelope: TxEnvelope,
        request: &TxRequest,
        nonce: u64,
    ) -> Result<TxOutcome, ChainError> {
        let mut open = self.open.clone().unwrap_or_else(|| self.open_block());
        let run = Run {
            cfg: self.cfg.clone(),
            posting: Posting::Transaction(&envelope),
            recent: open.recent.clone(),
            record: false,
        };
        let state = Overlay::new(&open.state);
        let Executed { outcome, changes, recent, .. } =
            self.execute(state, open.env.clone(), request, nonce, run)?;
        open.state.commit(changes);
        open.recent = recent;
        let gas_price = open.env.basefee.into();
        open.txs.push_back(TxRecord::new(envelope, request.from, outcome.clone(), gas_price));
        match self.automine {
            true => self.seal(open),
            false => self.open = Some(open),
        }
        Ok(outcome)
    }

    /// Executes a transaction, or what is to be treated as one, on a state that is given.
    pub(crate) fn execute<'a>(
        &'a self,
        mut state: Overlay<'a>,
        block: BlockEnv,
        request: &TxRequest,
        nonce: u64,
        run: Run<'_>,
    ) -> Result<Executed, TxError> {
        let tx = request.to_env(nonce, run.cfg.chain_id());
        let settings = Settings::read(&mut state, &self.config.stylus);
        let scope = TxScope {
            gas_price: request.gas_price(block.basefee),
            programs: self.programs.clone(),
            debug: self.config.debug,
            recent: run.recent,
            recording: run.record.then(Box::default),
            ..settings.scope(request, run.posting, &block)
        };
        let mut evm = ArbEvm::new(state, run.cfg, block, tx, scope);
        let result = ArbHandler::default().run(&mut evm)?;
        let ctx = &mut evm.0.ctx;
        let scope = std::mem::take(&mut ctx.chain);
        let outcome = TxOutcome::new(result, scope.trace, scope.l1.gas);
        let frame = scope.recording.and_then(|recording| recording.into_root());
        let changes = ctx.journal_mut().finalize();
        Ok(Executed { outcome, changes, recent: scope.recent, frame })
    }

    // ── blocks ──────────────────────────────────────────────────────────────────────────────────────────────────

    fn next_timestamp(&self) -> u64 {
        match &self.open {
            Some(open) => open.env.timestamp.saturating_to(),
            None => self.clock.next(self.latest.header.timestamp),
        }
    }

    /// Surroundings of a transaction that is sent now.
    pub(crate) fn next_env(&self) -> BlockEnv {
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

    fn open_block(&self) -> OpenBlock {
        OpenBlock {
            env: self.next_env(),
            state: self.state.clone(),
            txs: Vector::new(),
            recent: RecentPrograms::default(),
        }
    }

    fn sealed(&self, open: OpenBlock) -> Block {
        let (number, time) = (open.env.number.saturating_to(), open.env.timestamp.saturating_to());
        let header = header(&self.config, number, time, open.env.basefee, self.latest.hash);
        Block::seal(header, open.txs.into_iter().collect())
    }

    fn seal(&mut self, open: OpenBlock) {
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

    fn push(&mut self, block: Arc<Block>) {
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

/// What may differ between the ways to execute something.
pub(crate) struct Run<'t> {
    pub(crate) cfg: CfgEnv,
    pub(crate) posting: Posting<'t>,
    /// Programs that the block has called before.
    pub(crate) recent: RecentPrograms,
    /// Whether frames and hostios are wanted.
    pub(crate) record: bool,
}

/// What an execution leaves behind.
pub(crate) struct Executed {
    pub(crate) outcome: TxOutcome,
    pub(crate) changes: EvmState,
    pub(crate) recent: RecentPrograms,
    /// The outermost frame, if it was recorded.
    pub(crate) frame: Option<Frame>,
}

fn header(
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
pub(crate) fn block_env(header: &Header) -> BlockEnv {
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
