//! Executing transactions.

use super::Chain;
use crate::{
    arbos::settings::Settings,
    block::TxRecord,
    error::ChainError,
    evm::{ArbEvm, Overlay, TxScope},
    handler::{ArbHandler, TxError},
    l1_pricing::Posting,
    recent::RecentPrograms,
    trace::Frame,
    tx::{self, TxOutcome, TxRequest},
};
use alloy::consensus::TxEnvelope;
use alloy_primitives::{Address, B256};
use revm::{
    DatabaseCommit,
    context::{BlockEnv, Cfg, CfgEnv, ContextTr, JournalTr},
    handler::Handler,
    state::EvmState,
};

/// What may differ between the ways to execute something.
pub(super) struct Run<'t> {
    pub(super) cfg: CfgEnv,
    pub(super) posting: Posting<'t>,
    /// Programs that the block has called before.
    pub(super) recent: RecentPrograms,
    /// Whether frames and hostios are wanted.
    pub(super) record: bool,
}

/// What an execution leaves behind.
pub(super) struct Executed {
    pub(super) outcome: TxOutcome,
    pub(super) changes: EvmState,
    pub(super) recent: RecentPrograms,
    /// The outermost frame, if it was recorded.
    pub(super) frame: Option<Frame>,
}

impl Chain {
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
    pub(super) fn execute<'a>(
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
}
