//! Calls, and transactions run again: execution on some state whose changes are forgotten.
//!
//! The rules are geth's (`internal/ethapi` there): a call names a block, and runs after it with that block's number
//! and time; some accounts, and some of the block's fields, may be set otherwise for its sake.

use super::{
    At, Chain,
    blocks::block_env,
    transactions::{Executed, Run},
};
use crate::{
    arbos::STATE_ADDRESS,
    error::ChainError,
    evm::Overlay,
    l1_pricing::Posting,
    recent::RecentPrograms,
    state::State,
    trace::Frame,
    tx::{TxOutcome, TxRequest},
};
use alloy::{
    consensus::Transaction as _,
    rpc::types::{
        BlockOverrides,
        state::{AccountOverride, StateOverride},
    },
};
use alloy_primitives::{Address, B256, U256, map::AddressMap};
use revm::{Database, DatabaseCommit, bytecode::Bytecode, context::BlockEnv};

/// Accounts that a call touched, and the slots of each.
pub(crate) type Touched = AddressMap<Vec<B256>>;

/// What a call may set otherwise than the chain has it.
#[derive(Clone, Debug)]
pub struct CallOptions {
    /// On which state, in which block.
    pub at: At,
    /// Accounts that are other than they are.
    pub accounts: StateOverride,
    /// Fields of the block that are other than they are.
    pub block: BlockOverrides,
    /// Whether gas has a price, which the sender must be able to pay. Without one, code sees a base fee of zero.
    pub priced: bool,
    /// Whether it stands for a transaction: then it is under a transaction's cap, and pays for posting with a margin.
    pub estimate: bool,
}

impl CallOptions {
    /// Nothing set, at `at`, without a price.
    pub fn at(at: At) -> Self {
        Self {
            at,
            accounts: StateOverride::default(),
            block: BlockOverrides::default(),
            priced: false,
            estimate: false,
        }
    }
}

impl Chain {
    /// Executes a call on the latest state and forgets its changes. No fee, no nonce, no gas cap.
    pub fn call(&self, request: &TxRequest) -> Result<TxOutcome, ChainError> {
        self.simulate(request, &CallOptions::at(At::Block(self.number())))
    }

    /// As [`Self::call`], with what the options say.
    ///
    /// # Errors
    ///
    /// [`ChainError::NoState`] where the state asked for is not there, [`ChainError::Override`] for overrides that
    /// contradict each other or are not supported, [`ChainError::Tx`] where it could not be in a block.
    pub fn simulate(
        &self,
        request: &TxRequest,
        options: &CallOptions,
    ) -> Result<TxOutcome, ChainError> {
        Ok(self.run(request, options, false)?.outcome)
    }

    /// As [`Self::simulate`]; gives also the accounts that the call touched, with the slots of each.
    pub(crate) fn simulate_touched(
        &self,
        request: &TxRequest,
        options: &CallOptions,
    ) -> Result<(TxOutcome, Touched), ChainError> {
        let Executed { outcome, changes, .. } = self.run(request, options, false)?;
        let slots = |account: revm::state::Account| account.storage.into_keys().map(B256::from);
        // ArbOS state is reached by the node and not by the code.
        let accounts = changes.into_iter().filter(|(address, _)| *address != STATE_ADDRESS);
        let touched = accounts.map(|(address, account)| (address, slots(account).collect()));
        Ok((outcome, touched.collect()))
    }

    /// As [`Self::simulate`]; gives what happened inside.
    pub(crate) fn trace_call(
        &self,
        request: &TxRequest,
        options: &CallOptions,
    ) -> Result<Frame, ChainError> {
        let Executed { outcome, frame, .. } = self.run(request, options, true)?;
        let mut frame = frame.ok_or(ChainError::Untraceable)?;
        frame.set_gas(request.gas_limit, outcome.gas_used);
        Ok(frame)
    }

    /// Runs a transaction again, after those before it in its block; gives what happened inside.
    ///
    /// # Errors
    ///
    /// [`ChainError::NoTx`] where there is none of this hash, [`ChainError::NoState`] where the state that its block
    /// began with is forgotten.
    pub fn trace_tx(&self, hash: B256) -> Result<Frame, ChainError> {
        let (block, index, _) = self.tx(hash).ok_or(ChainError::NoTx(hash))?;
        let number = block.header.number;
        let mut state = self.state_before(number).ok_or(ChainError::NoState(At::Block(number)))?;
        let mut recent = RecentPrograms::default();
        for tx in &block.txs[..=index] {
            let request = TxRequest::from_envelope(&tx.envelope, tx.from);
            let run = Run {
                cfg: self.cfg.clone(),
                posting: Posting::Transaction(&tx.envelope),
                recent,
                record: *tx.envelope.tx_hash() == hash,
            };
            let overlay = Overlay::new(&state);
            let env = block_env(&block.header);
            let done = self.execute(overlay, env, &request, tx.envelope.nonce(), run)?;
            if let Some(mut frame) = done.frame {
                frame.set_gas(request.gas_limit, done.outcome.gas_used);
                return Ok(frame);
            }
            state.commit(done.changes);
            recent = done.recent;
        }
        Err(ChainError::Untraceable)
    }

    fn run(
        &self,
        request: &TxRequest,
        options: &CallOptions,
        record: bool,
    ) -> Result<Executed, ChainError> {
        let (state, mut env) = self.view(options.at)?;
        let mut state = Overlay::new(state);
        override_block(&mut env, &mut state, &options.block)?;
        for (&address, account) in &options.accounts {
            override_account(&mut state, address, account)?;
        }
        let mut cfg = self.cfg.clone();
        cfg.disable_nonce_check = true;
        cfg.disable_eip3607 = true;
        if !options.priced {
            cfg.disable_base_fee = true;
            cfg.disable_fee_charge = true;
            env.basefee = 0;
        }
        let recent = match options.at {
            At::Pending => self.recent(),
            At::Block(_) => RecentPrograms::default(),
        };
        let posting = if options.estimate { Posting::Estimate } else { Posting::Call };
        let run = Run { cfg, posting, recent, record };
        Ok(self.execute(state, env, request, 0, run)?)
    }

    /// A state and the surroundings that code finds there.
    fn view(&self, at: At) -> Result<(&State, BlockEnv), ChainError> {
        let missing = || ChainError::NoState(at);
        let state = self.state(at).ok_or_else(missing)?;
        let env = match at {
            At::Pending => self.next_env(),
            At::Block(number) => block_env(&self.block(number).ok_or_else(missing)?.header),
        };
        Ok((state, env))
    }
}

/// Sets an account for the time of one call; what the override leaves out stays as it is.
fn override_account(
    state: &mut Overlay<'_>,
    address: Address,
    account: &AccountOverride,
) -> Result<(), ChainError> {
    if account.move_precompile_to.is_some() {
        return Err(ChainError::Override("movePrecompileToAddress is not supported".into()));
    }
    if account.state.is_some() && account.state_diff.is_some() {
        let message = format!("account {address} has both 'state' and 'stateDiff'");
        return Err(ChainError::Override(message));
    }
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
    Ok(())
}

/// Sets fields of the block for the time of one call.
fn override_block(
    env: &mut BlockEnv,
    state: &mut Overlay<'_>,
    set: &BlockOverrides,
) -> Result<(), ChainError> {
    env.number = set.number.unwrap_or(env.number);
    env.difficulty = set.difficulty.unwrap_or(env.difficulty);
    env.timestamp = set.time.map_or(env.timestamp, U256::from);
    env.gas_limit = set.gas_limit.unwrap_or(env.gas_limit);
    env.beneficiary = set.coinbase.unwrap_or(env.beneficiary);
    env.prevrandao = set.random.or(env.prevrandao);
    if let Some(basefee) = set.base_fee {
        let overflow = |_| ChainError::Override("baseFeePerGas exceeds 64 bits".into());
        env.basefee = basefee.try_into().map_err(overflow)?;
    }
    for (&number, &hash) in set.block_hash.iter().flatten() {
        state.cache.block_hashes.insert(U256::from(number), hash);
    }
    Ok(())
}
