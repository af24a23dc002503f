//! Setting state outside transactions: accounts, and what ArbOS remembers of programs.

use super::Chain;
use crate::{
    arbos::{self, Burner, ProgramRecord, words},
    error::ChainError,
    evm::{ArbEvm, Ctx, Overlay, TxScope},
    state::State,
    stylus::{self, Activation},
};
use alloy_primitives::{Address, B256, Bytes, U256};
use revm::{
    DatabaseCommit,
    bytecode::Bytecode,
    context::{ContextTr, JournalTr},
    state::AccountInfo,
};

impl Chain {
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
}
