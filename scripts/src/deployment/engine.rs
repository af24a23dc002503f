//! The steps of a deployment, each found out from the chain: what it lacks is what is done next.
//!
//! Nothing is remembered but in the [journal](super::journal). After every step the chain is asked anew, so it does not
//! matter who did the steps before, this process or one that was killed, nor whether blocks were taken back meanwhile.
//! Where the chain lacks what the journal saw it take, either blocks were taken back, then their transactions are sent
//! again; or the endpoint lies behind, then it is given time.

use super::{
    Deployment, Error, Step, activation, chunks,
    journal::{Entry, Journal},
    outbox::Outbox,
    patience::Patience,
};
use crate::{
    abi::{ARB_GAS_INFO, IArbGasInfo, IClassifier, IStylusDeployer, STYLUS_DEPLOYER},
    artifacts::{self, Home, Program, StylusProgram},
    chain::{self, Connection, Request},
    models::Model,
};
use alloy::{
    primitives::{Address, B256, U256},
    sol_types::SolCall,
};
use inkling_devnode::arbos::TX_GAS_CAP;
use std::time::Instant;

/// States of a contract.
const UPLOADING: u8 = 1;
pub(super) const READY: u8 = 2;
pub(super) const FROZEN: u8 = 3;

/// Upload transactions that wait for their blocks at the same time.
const IN_FLIGHT: usize = 8;

/// Names of the steps.
pub(super) const CREATE: &str = "create";
pub(super) const CREATE_STYLUS: &str = "create, activate, construct";
pub(super) const BEGIN: &str = "begin";
pub(super) const UPLOAD: &str = "upload";
pub(super) const FINALIZE: &str = "finalize";

/// What the chain lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lack {
    /// The contract, and everything in it.
    Contract,
    /// A model that is begun.
    Model,
    /// These chunks.
    Chunks(Vec<u32>),
    /// Nothing but to be made ready.
    Finalization,
}

/// A deployment under way.
pub(super) struct Engine<'a> {
    chain: &'a Connection,
    program: Option<&'a Program>,
    model: &'a Model,
    outbox: Outbox<'a>,
    told: &'a mut (dyn FnMut(&Step) + Send + Sync),
    /// What was told.
    told_steps: Vec<Step>,
    /// Whether this process has begun the upload.
    begun: bool,
    /// Entries before this one are of an upload that is being made anew.
    since: usize,
    /// The lack that the journal contradicts, and since when.
    waiting: Option<(Lack, Instant)>,
}

impl<'a> Engine<'a> {
    /// Goes on with a journal; without a program it must have an address.
    pub(super) fn new(
        chain: &'a Connection,
        program: Option<&'a Program>,
        model: &'a Model,
        journal: &'a mut Journal,
        patience: Patience,
        told: &'a mut (dyn FnMut(&Step) + Send + Sync),
    ) -> Self {
        let outbox = Outbox::new(chain, journal, patience);
        let (told_steps, begun, since, waiting) = (Vec::new(), false, 0, None);
        Self { chain, program, model, outbox, told, told_steps, begun, since, waiting }
    }

    /// Does what the chain lacks, until it lacks nothing.
    pub(super) async fn complete(&mut self) -> Result<(), Error> {
        self.until(|_| false).await
    }

    /// What the chain lacks, transactions included that are in blocks; nothing is sent.
    pub(super) async fn survey(&mut self) -> Result<Option<Lack>, Error> {
        self.outbox.look().await?;
        self.lack().await
    }

    /// As [`Self::complete`], but no further than to a contract that stands.
    pub(super) async fn create(&mut self) -> Result<(), Error> {
        self.until(|lack| *lack != Lack::Contract).await
    }

    async fn until(&mut self, enough: impl Fn(&Lack) -> bool) -> Result<(), Error> {
        self.outbox.recheck().await?;
        loop {
            self.settle(0).await?;
            let lack = match self.lack().await {
                Ok(lack) => lack.filter(|lack| !enough(lack)),
                Err(error) => {
                    self.excuse(error, None).await?;
                    continue;
                }
            };
            let Some(lack) = lack else {
                // At the end, no block may have been taken back.
                if self.outbox.recheck().await? {
                    continue;
                }
                return Ok(());
            };
            if self.contradicts(&lack) && !self.has_waited(&lack) {
                self.pause().await?;
                continue;
            }
            match self.supply(&lack).await {
                Ok(()) => self.waiting = None,
                Err(error) => self.excuse(error, Some(&lack)).await?,
            }
        }
    }

    /// Whether the journal saw the chain take what it lacks.
    fn contradicts(&self, lack: &Lack) -> bool {
        let entries = self.outbox.journal.entries().get(self.since..).unwrap_or_default();
        let taken = |entry: &&Entry| entry.mined().is_some_and(|mined| mined.success);
        let mut taken = entries.iter().filter(taken);
        match lack {
            Lack::Contract => taken.any(|entry| entry.step.starts_with(CREATE)),
            Lack::Model => taken.any(|entry| entry.step == BEGIN),
            Lack::Chunks(missing) => {
                taken.filter_map(|entry| entry.chunks).any(|(first, count)| {
                    missing.iter().any(|index| (first..first + count).contains(index))
                })
            }
            Lack::Finalization => taken.any(|entry| entry.step == FINALIZE),
        }
    }

    /// Whether the chain has lacked this for so long that the journal must be wrong.
    fn has_waited(&mut self, lack: &Lack) -> bool {
        match &self.waiting {
            Some((known, since)) if known == lack => since.elapsed() >= self.outbox.patience.late,
            _ => {
                self.waiting = Some((lack.clone(), Instant::now()));
                self.outbox.patience.late.is_zero()
            }
        }
    }

    /// Passes over an error that comes of an endpoint that lies behind, or of blocks taken back: what was just done seems
    /// not to be there. Others are returned.
    async fn excuse(&mut self, error: Error, lack: Option<&Lack>) -> Result<(), Error> {
        let behind = match (&error, lack) {
            (Error::Chain(chain::Error::Answer { .. }), None) => {
                self.contradicts(&Lack::Contract).then_some(&Lack::Contract)
            }
            (Error::Chain(chain::Error::Reverted { reason, .. }), Some(lack)) => {
                // A chunk that was found there is wrong, and nobody knows which: once more, from the beginning.
                if *lack == Lack::Finalization && reason.starts_with("HashMismatch") && !self.begun
                {
                    self.since = self.outbox.journal.entries().len();
                    return self.supply(&Lack::Model).await;
                }
                let early = ["NotUploading", "ChunksMissing"];
                early.iter().any(|name| reason.starts_with(name)).then_some(lack)
            }
            _ => None,
        };
        match behind {
            Some(lack) if !self.has_waited(lack) => self.pause().await,
            _ => Err(error),
        }
    }

    /// Lets an endpoint catch up, unless blocks were taken back.
    async fn pause(&mut self) -> Result<(), Error> {
        if !self.outbox.recheck().await? {
            tokio::time::sleep(self.outbox.patience.poll).await;
        }
        Ok(())
    }

    /// The first thing that the chain lacks.
    async fn lack(&self) -> Result<Option<Lack>, Error> {
        let Some(address) = self.outbox.journal.address() else { return Ok(Some(Lack::Contract)) };
        let patience = self.outbox.patience;
        let code = patience.ask("eth_getCode", || self.chain.code(address)).await?;
        if code.is_empty() {
            return match self.outbox.journal.was_given() {
                true => Err(Error::NoContract(address)),
                false => Ok(Some(Lack::Contract)),
            };
        }
        let info = self.ask(address, &IClassifier::modelInfoCall {}).await?;
        let same = info.modelHash == self.model.hash && info.header == self.model.header;
        Ok(match info.state {
            READY | FROZEN if same => None,
            _ if self.outbox.journal.subject().contract.home() == Home::Baked => {
                let model = self.model.name.clone();
                let what = format!("the model baked into it has the hash {}", info.modelHash);
                return Err(Error::Differs { address, model, what });
            }
            FROZEN => return Err(Error::Frozen(address)),
            UPLOADING if same => {
                let missing = self.ask(address, &IClassifier::missingChunksCall {}).await?;
                Some(if missing.is_empty() { Lack::Finalization } else { Lack::Chunks(missing) })
            }
            _ => Some(Lack::Model),
        })
    }

    async fn ask<C: SolCall>(&self, to: Address, call: &C) -> Result<C::Return, chain::Error> {
        self.outbox.patience.ask(C::SIGNATURE, || self.chain.call(to, call)).await
    }

    /// Sends what the chain lacks.
    async fn supply(&mut self, lack: &Lack) -> Result<(), Error> {
        let Some(address) = self.outbox.journal.address().filter(|_| *lack != Lack::Contract)
        else {
            return self.send_creation().await;
        };
        match lack {
            Lack::Contract => Ok(()),
            Lack::Model => {
                let sent = self.outbox.send(BEGIN, &begin(address, self.model), None).await;
                sent.map_err(|error| self.refused(error))?;
                self.begun = true;
                Ok(())
            }
            Lack::Chunks(missing) => {
                let contract = self.outbox.journal.subject().contract;
                let patience = self.outbox.patience;
                let (with, cap) = ((self.chain, patience), self.gas_cap().await);
                let most =
                    chunks::at_once(with, (address, contract), self.model, missing, cap).await?;
                for run in chunks::runs(missing, most) {
                    self.settle(IN_FLIGHT - 1).await?;
                    let upload = chunks::upload(address, self.model, run);
                    self.outbox.send(UPLOAD, &upload, Some(run)).await?;
                }
                Ok(())
            }
            Lack::Finalization => {
                let finalize = Request::call(address, &IClassifier::finalizeModelCall {});
                self.outbox.send(FINALIZE, &finalize, None).await
            }
        }
    }

    async fn send_creation(&mut self) -> Result<(), Error> {
        let owner = self.outbox.journal.subject().owner;
        match self.program {
            Some(Program::Solidity(program)) => {
                self.outbox.send(CREATE, &Request::create(program.init_code(owner)), None).await
            }
            Some(Program::Stylus(program)) => {
                let code = || activation::data_fee(self.chain, program.code.clone().into());
                let fee = self.outbox.patience.ask("activateProgram", code).await?;
                let request = stylus_creation(program, owner, activation::with_margin(fee));
                self.outbox.send(CREATE_STYLUS, &request, None).await
            }
            None => Err(Error::NoContract(Address::ZERO)),
        }
    }

    /// Waits for blocks, and tells what got into them.
    async fn settle(&mut self, most: usize) -> Result<(), Error> {
        let settled = self.outbox.settle(most).await;
        let steps = steps(self.outbox.journal.entries());
        for (index, step) in steps.iter().enumerate() {
            if self.told_steps.get(index) != Some(step) {
                (self.told)(step);
            }
        }
        self.told_steps = steps;
        settled
    }

    /// What `beginModel` says of a model that the contract is not made for; any other error as it is.
    fn refused(&self, error: Error) -> Error {
        match error {
            Error::Chain(chain::Error::Reverted { reason, .. })
                if ["BadHeader", "ModelTooLarge"].iter().any(|name| reason.starts_with(name)) =>
            {
                let contract = self.outbox.journal.subject().contract;
                Error::Refused { contract, model: self.model.name.clone(), reason }
            }
            error => error,
        }
    }

    /// The most gas of a transaction: from ArbOS 50 on the chain says it.
    async fn gas_cap(&self) -> u64 {
        let asked = self.ask(ARB_GAS_INFO, &IArbGasInfo::getMaxTxGasLimitCall {}).await;
        asked.map_or(TX_GAS_CAP, |cap| cap.saturating_to::<u64>().min(TX_GAS_CAP))
    }
}

/// `beginModel`.
pub(super) fn begin(address: Address, model: &Model) -> Request {
    let header = model.header.clone().into();
    Request::call(address, &IClassifier::beginModelCall { header, modelHash: model.hash })
}

/// What StylusDeployer is asked to do; `value` is for the data fee.
fn stylus_creation(program: &StylusProgram, owner: Address, value: U256) -> Request {
    let deploy = IStylusDeployer::deployCall {
        bytecode: program.init_code(),
        initData: artifacts::stylus_constructor(owner),
        initValue: U256::ZERO,
        salt: B256::ZERO,
    };
    Request { value, ..Request::call(STYLUS_DEPLOYER, &deploy) }
}

/// Transactions in blocks, those of the same step together.
pub(super) fn steps(entries: &[Entry]) -> Vec<Step> {
    let mined = entries.iter().filter_map(|entry| Some((&entry.step, entry.mined()?)));
    let mut steps: Vec<Step> = Vec::new();
    for (name, mined) in mined {
        match steps.last_mut().filter(|step| step.name == *name) {
            Some(step) => {
                (step.transactions, step.gas) = (step.transactions + 1, step.gas + mined.gas)
            }
            None => steps.push(Step { name: name.clone(), transactions: 1, gas: mined.gas }),
        }
    }
    steps
}

/// What a journal says of a deployment.
///
/// # Errors
/// [`Error::NoAddress`] where the creation does not tell its address.
pub(super) fn deployment(journal: &Journal) -> Result<Deployment, Error> {
    let subject = journal.subject();
    let mined = journal.entries().iter().filter_map(Entry::mined);
    let hash = journal.entries().first().and_then(Entry::mined).map(|mined| mined.hash);
    Ok(Deployment {
        contract: subject.contract,
        model: subject.model.clone(),
        model_hash: subject.model_hash,
        address: journal.address().ok_or(Error::NoAddress(hash.unwrap_or_default()))?,
        steps: steps(journal.entries()),
        data_fee_wei: mined.map(|mined| mined.data_fee_wei).sum(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        artifacts::Contract,
        deployment::{create, resume, upload, verify},
        testing::tiny_model,
    };
    use inkling_network::pack;

    #[tokio::test]
    async fn an_upload_goes_on_where_it_broke_off() {
        let model = tiny_model(4, &[8, 10]);
        let chain = Connection::embedded().await.unwrap();
        let Deployment { address, .. } = create(&chain, Contract::Packed, &model).await.unwrap();
        chain.send(&begin(address, &model)).await.unwrap();
        let second = pack::chunks(&model.words).nth(1).unwrap().to_vec();
        let chunk = IClassifier::uploadChunkCall { index: 1, words: second.into() };
        chain.send(&Request::call(address, &chunk)).await.unwrap();

        let found = resume(address, Contract::Packed, &model);
        let done = upload(&chain, found, &model, &mut |_| {}).await.unwrap();
        // Chunk 0, then chunks 2 and 3.
        assert_eq!((done.transactions("begin"), done.transactions("upload")), (0, 2));

        // Once more there is nothing to do; with another model everything is done again.
        let found = resume(address, Contract::Packed, &model);
        let again = upload(&chain, found, &model, &mut |_| {}).await.unwrap();
        assert_eq!(again.steps, []);
        let other = tiny_model(5, &[8, 10]);
        assert!(matches!(verify(&chain, address, &other).await, Err(Error::Differs { .. })));
        let found = resume(address, Contract::Packed, &other);
        let replaced = upload(&chain, found, &other, &mut |_| {}).await.unwrap();
        assert_eq!(replaced.steps.len(), 3);

        chain.send(&Request::call(address, &IClassifier::freezeModelCall {})).await.unwrap();
        let found = resume(address, Contract::Packed, &model);
        let refused = upload(&chain, found, &model, &mut |_| {}).await;
        assert!(matches!(refused, Err(Error::Frozen(_))));
    }

    #[tokio::test]
    async fn an_upload_with_a_wrong_chunk_is_made_anew() {
        let model = tiny_model(4, &[8, 65]);
        for contract in Contract::UPLOADED {
            let chain = Connection::embedded().await.unwrap();
            let Deployment { address, .. } = create(&chain, contract, &model).await.unwrap();
            chain.send(&begin(address, &model)).await.unwrap();
            let mut words = model.words.clone();
            words[pack::CHUNK_WORDS as usize][0] ^= 1;
            let at_once = if contract.home() == Home::Code { words.len() } else { 32 };
            for (index, chunk) in (0..).zip(words.chunks(at_once)) {
                let words = chunk.as_flattened().to_vec().into();
                let chunk = IClassifier::uploadChunkCall { index, words };
                chain.send(&Request::call(address, &chunk)).await.unwrap();
            }
            let found = resume(address, contract, &model);
            let done = upload(&chain, found, &model, &mut |_| {}).await.unwrap();
            // `Naive` changes slots that it has written before, which is cheaper: two chunks at once.
            let transactions = if contract == Contract::Naive { 2 } else { 1 };
            let names = ["begin", "upload", "finalize"].map(|name| done.transactions(name));
            assert_eq!(names, [1, transactions, 1], "{contract}");
        }
    }

    #[tokio::test]
    async fn refusals_carry_the_contracts_words() {
        let model = tiny_model(6, &[10]);
        let chain = Connection::embedded().await.unwrap();
        for contract in Contract::UPLOADED {
            let Deployment { address, .. } = create(&chain, contract, &model).await.unwrap();
            let finalize = Request::call(address, &IClassifier::finalizeModelCall {});
            let error = chain.send(&finalize).await.unwrap_err().to_string();
            assert_eq!(error, "finalizeModel() was refused: NotUploading { state: 0 }");
        }
    }
}
