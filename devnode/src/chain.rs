//! The chain: state, blocks, and the ways to change them.
//!
//! A transaction makes a block of its own, as on an Arbitrum chain with little traffic. Nothing that happens per
//! transaction or call grows with the state: each runs on an [`Overlay`] of it, which a call forgets; only a snapshot
//! copies it.

use crate::{
    arbos::{
        self, Burner, DEV_ACCOUNT, ProgramRecord, genesis,
        settings::{self, Settings},
        words,
    },
    block::{Block, TxRecord},
    config::ChainConfig,
    error::ChainError,
    evm::{self, ArbEvm, Ctx, Overlay, ProgramCache, State, TxScope},
    handler::{ArbHandler, TxError},
    l1_pricing::Posting,
    precompiles::ADDRESSES,
    predeploys,
    stylus::{self, Activation, StylusParams},
    tx::{self, TxOutcome, TxRequest},
};
use alloy::{
    consensus::{Header, TxEnvelope},
    rpc::types::state::StateOverride,
};
use alloy_primitives::{Address, B256, Bytes, U256, map::HashMap};
use revm::{
    Database, DatabaseCommit, DatabaseRef,
    bytecode::Bytecode,
    context::{BlockEnv, Cfg, CfgEnv, ContextTr, JournalTr},
    handler::Handler,
    state::{AccountInfo, EvmState},
};

/// An embedded chain.
pub struct Chain {
    config: ChainConfig,
    cfg: CfgEnv,
    state: State,
    blocks: Vec<Block>,
    block_numbers: HashMap<B256, u64>,
    txs: HashMap<B256, (u64, usize)>,
    snapshots: Vec<(State, usize)>,
    programs: ProgramCache,
    next_time: Option<u64>,
}

impl Chain {
    /// A chain at its genesis block.
    pub fn new(config: ChainConfig) -> Self {
        let mut chain = Self {
            cfg: evm::config(config.chain_id, &config.stylus),
            state: State::default(),
            blocks: Vec::new(),
            block_numbers: HashMap::default(),
            txs: HashMap::default(),
            snapshots: Vec::new(),
            programs: ProgramCache::default(),
            next_time: None,
            config,
        };
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
        let genesis = chain.header(0, chain.config.genesis_time, B256::ZERO);
        chain.push(Block::seal(genesis, Vec::new()));
        chain
    }

    /// What the chain was started with.
    pub fn config(&self) -> &ChainConfig {
        &self.config
    }

    // ── reading ────────────────────────────────────────────────────────────────────────────────────────────────

    fn info(&self, address: Address) -> AccountInfo {
        let Ok(info) = self.state.basic_ref(address);
        info.unwrap_or_default()
    }

    /// Balance in wei.
    pub fn balance(&self, address: Address) -> U256 {
        self.info(address).balance
    }

    /// Number of transactions sent, or contracts made, by an account.
    pub fn nonce(&self, address: Address) -> u64 {
        self.info(address).nonce
    }

    /// Code of an account.
    pub fn code(&self, address: Address) -> Bytes {
        let hash = self.info(address).code_hash;
        let Ok(code) = self.state.code_by_hash_ref(hash);
        code.original_bytes()
    }

    /// Hash of an account's code.
    pub fn code_hash(&self, address: Address) -> B256 {
        self.info(address).code_hash
    }

    /// A word of storage.
    pub fn storage(&self, address: Address, slot: U256) -> U256 {
        let Ok(value) = self.state.storage_ref(address, slot);
        value
    }

    /// Base fee of the next block in wei.
    pub fn basefee(&self) -> u64 {
        self.storage(arbos::STATE_ADDRESS, words::BASE_FEE.slot()).saturating_to()
    }

    /// Stylus parameters in force.
    pub fn stylus(&self) -> StylusParams {
        let word = self.storage(arbos::STATE_ADDRESS, words::STYLUS_PARAMS.slot());
        settings::unpack(word, &self.config.stylus)
    }

    /// The latest block.
    pub fn latest(&self) -> &Block {
        self.blocks.last().expect("a chain has a genesis block")
    }

    /// Number of the latest block.
    pub fn number(&self) -> u64 {
        self.latest().header.number
    }

    /// A block by number.
    pub fn block(&self, number: u64) -> Option<&Block> {
        self.blocks.get(usize::try_from(number).ok()?)
    }

    /// A block by hash.
    pub fn block_by_hash(&self, hash: B256) -> Option<&Block> {
        self.block(*self.block_numbers.get(&hash)?)
    }

    /// A transaction by hash: its block, its index there, and itself.
    pub fn tx(&self, hash: B256) -> Option<(&Block, usize, &TxRecord)> {
        let &(number, index) = self.txs.get(&hash)?;
        let block = self.block(number)?;
        Some((block, index, block.txs.get(index)?))
    }

    // ── setting state outside transactions ──────────────────────────────────────────────────────────────────────

    fn update(&mut self, address: Address, change: impl FnOnce(&mut AccountInfo)) {
        let mut info = self.info(address);
        change(&mut info);
        self.state.insert_account_info(address, info);
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
            info.code = Some(code);
        });
    }

    /// Sets a word of storage.
    pub fn set_storage(&mut self, address: Address, slot: U256, value: U256) {
        let Ok(()) = self.state.insert_account_storage(address, slot, value);
    }

    /// Sets the time of the next block in Unix seconds; it cannot lie before the latest block's.
    pub fn set_next_time(&mut self, time: u64) {
        self.next_time = Some(time.max(self.latest().header.timestamp));
    }

    /// Adds empty blocks until the next one is `number`.
    pub fn skip_to(&mut self, number: u64) {
        while self.number() + 1 < number {
            self.mine_empty();
        }
    }

    /// Adds an empty block.
    pub fn mine_empty(&mut self) {
        self.mine(Vec::new());
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
        let block = self.block_env();
        let (cfg, scope) = (self.cfg.clone(), TxScope::default());
        let mut evm = ArbEvm::new(Overlay::new(&self.state), cfg, block, Default::default(), scope);
        let value = act(&mut evm.0.ctx);
        let changes = evm.0.ctx.journal_mut().finalize();
        drop(evm);
        self.state.commit(changes);
        value
    }

    // ── transactions ────────────────────────────────────────────────────────────────────────────────────────────

    /// Executes a transaction that needs no signature, in a block of its own.
    pub fn transact(&mut self, request: &TxRequest) -> Result<TxOutcome, ChainError> {
        let nonce = match request.nonce {
            Some(nonce) => nonce,
            None => self.nonce(request.from),
        };
        let envelope = request.unsigned_envelope(nonce, self.config.chain_id);
        Ok(self.include(envelope, request, nonce)?.outcome.clone())
    }

    /// Executes a signed transaction, in a block of its own; returns its hash.
    pub fn send_raw(&mut self, raw: &[u8]) -> Result<B256, ChainError> {
        let (envelope, request) = tx::decode(raw, self.config.chain_id)?;
        let hash = *envelope.tx_hash();
        let nonce = request.nonce.unwrap_or_default();
        self.include(envelope, &request, nonce)?;
        Ok(hash)
    }

    /// Executes a call on the latest state and forgets its changes. No fee, no nonce, no gas cap.
    pub fn call(&self, request: &TxRequest) -> Result<TxOutcome, ChainError> {
        self.simulate(request, &StateOverride::default(), None)
    }

    /// As [`Self::call`], with some accounts set otherwise, and under a gas cap as a transaction is.
    pub(crate) fn simulate(
        &self,
        request: &TxRequest,
        overrides: &StateOverride,
        cap: Option<u64>,
    ) -> Result<TxOutcome, ChainError> {
        let mut cfg = self.cfg.clone();
        cfg.disable_nonce_check = true;
        cfg.disable_base_fee = true;
        cfg.disable_fee_charge = true;
        cfg.disable_eip3607 = true;
        let mut state = Overlay::new(&self.state);
        override_accounts(&mut state, overrides);
        let posting = cap.map_or(Posting::Call, |_| Posting::Estimate);
        let (outcome, _) = self.execute(state, request, 0, cfg, posting)?;
        Ok(outcome)
    }

    fn include(
        &mut self,
        envelope: TxEnvelope,
        request: &TxRequest,
        nonce: u64,
    ) -> Result<&TxRecord, ChainError> {
        let state = Overlay::new(&self.state);
        let posting = Posting::Transaction(&envelope);
        let (outcome, changes) = self.execute(state, request, nonce, self.cfg.clone(), posting)?;
        let gas_price = self.basefee().into();
        self.state.commit(changes);
        let record = TxRecord::new(envelope, request.from, outcome, gas_price);
        let block = self.mine(vec![record]);
        Ok(&block.txs[0])
    }

    fn execute<'a>(
        &'a self,
        mut state: Overlay<'a>,
        request: &TxRequest,
        nonce: u64,
        cfg: CfgEnv,
        posting: Posting<'_>,
    ) -> Result<(TxOutcome, EvmState), TxError> {
        let tx = request.to_env(nonce, cfg.chain_id());
        let mut block = self.block_env();
        if cfg.disable_base_fee && request.max_fee == 0 {
            block.basefee = 0; // what a call without a price sees (`applyMessage` in geth's `internal/ethapi/api.go`)
        }
        let settings = Settings::read(&mut state, &self.config.stylus);
        let scope = TxScope {
            gas_price: request.gas_price(block.basefee),
            programs: self.programs.clone(),
            debug: self.config.debug,
            ..settings.scope(request, posting, block.beneficiary)
        };
        let mut evm = ArbEvm::new(state, cfg, block, tx, scope);
        let result = ArbHandler::default().run(&mut evm)?;
        let trace = std::mem::take(&mut evm.0.ctx.chain.trace);
        let changes = evm.0.ctx.journal_mut().finalize();
        let l1_gas = evm.0.ctx.chain.l1.gas;
        Ok((TxOutcome::new(result, trace, l1_gas), changes))
    }

    // ── blocks ──────────────────────────────────────────────────────────────────────────────────────────────────

    fn next_timestamp(&self) -> u64 {
        let latest = self.latest().header.timestamp;
        self.next_time.unwrap_or(latest + 1)
    }

    /// The block that a transaction sent now will be in.
    fn block_env(&self) -> BlockEnv {
        BlockEnv {
            number: U256::from(self.number() + 1),
            beneficiary: self.config.coinbase,
            timestamp: U256::from(self.next_timestamp()),
            gas_limit: self.config.block_gas_limit,
            basefee: self.basefee(),
            difficulty: U256::ONE,
            prevrandao: Some(B256::with_last_byte(1)),
            ..BlockEnv::default()
        }
    }

    fn header(&self, number: u64, timestamp: u64, parent_hash: B256) -> Header {
        Header {
            number,
            timestamp,
            parent_hash,
            beneficiary: self.config.coinbase,
            gas_limit: self.config.block_gas_limit,
            base_fee_per_gas: Some(self.basefee()),
            mix_hash: B256::with_last_byte(1),
            ..Header::default()
        }
    }

    fn mine(&mut self, txs: Vec<TxRecord>) -> &Block {
        let header = self.header(self.number() + 1, self.next_timestamp(), self.latest().hash);
        self.next_time = None;
        self.push(Block::seal(header, txs));
        self.latest()
    }

    fn push(&mut self, block: Block) {
        let number = block.header.number;
        let hashes = &mut self.state.cache.block_hashes;
        hashes.insert(U256::from(number), block.hash);
        self.block_numbers.insert(block.hash, number);
        for (index, tx) in block.txs.iter().enumerate() {
            self.txs.insert(*tx.envelope.tx_hash(), (number, index));
        }
        self.blocks.push(block);
    }

    /// Remembers state and blocks; returns the number to revert to them with.
    pub fn snapshot(&mut self) -> usize {
        self.snapshots.push((self.state.clone(), self.blocks.len()));
        self.snapshots.len()
    }

    /// Goes back to a snapshot, which is used up, and later ones with it. False where there is no such snapshot.
    pub fn revert(&mut self, snapshot: usize) -> bool {
        let Some(index) = snapshot.checked_sub(1).filter(|&i| i < self.snapshots.len()) else {
            return false;
        };
        self.snapshots.truncate(index + 1);
        let Some((state, len)) = self.snapshots.pop() else {
            return false;
        };
        self.state = state;
        for block in self.blocks.drain(len..) {
            self.block_numbers.remove(&block.hash);
            for tx in &block.txs {
                self.txs.remove(tx.envelope.tx_hash());
            }
        }
        self.next_time = None;
        true
    }
}

/// Sets accounts for the time of one call; what an override leaves out stays as it is.
fn override_accounts(state: &mut Overlay<'_>, overrides: &StateOverride) {
    for (&address, account) in overrides {
        let Ok(info) = state.basic(address);
        let mut info = info.unwrap_or_default();
        info.balance = account.balance.unwrap_or(info.balance);
        info.nonce = account.nonce.unwrap_or(info.nonce);
        if let Some(code) = &account.code {
            let code = Bytecode::new_legacy(code.clone());
            info.code_hash = code.hash_slow();
            info.code = Some(code);
        }
        state.insert_account_info(address, info);
        if let Some(storage) = &account.state {
            let words = storage.iter().map(|(&slot, &value)| (slot.into(), value.into())).collect();
            let Ok(()) = state.replace_account_storage(address, words);
        }
        for (&slot, &value) in account.state_diff.iter().flatten() {
            let Ok(()) = state.insert_account_storage(address, slot.into(), value.into());
        }
    }
}
