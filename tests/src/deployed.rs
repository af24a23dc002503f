//! A contract on an embedded chain of its own.

use alloy::{
    primitives::{Address, B256, Bytes, U256, address},
    sol_types::{SolCall, SolError, SolEvent},
};
use inkling::{
    abi::{IClassifier, IStylusDeployer, STYLUS_DEPLOYER, decode_error},
    artifacts::{
        self, Contract, Home, Program, SolidityProgram, StylusProgram, stylus_constructor,
    },
    models::Model,
};
use inkling_devnode::{Chain, ChainConfig, TxOutcome, TxRequest, TxStatus};
use inkling_network::pack;
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, PoisonError},
};

/// Who deploys, and owns what is deployed.
pub const OWNER: Address = address!("00000000000000000000000000000000000a11ce");

/// Somebody else, with funds as well.
pub const STRANGER: Address = address!("0000000000000000000000000000000000000b0b");

/// Gas of a call: what the largest network takes in `Naive`, several times over.
const CALL_GAS: u64 = 1_000_000_000;

/// Wei that a deployment brings along for the data fee; the deployer gives back what is too much.
const FEE_BOUND: u64 = 1_000_000_000_000_000_000;

/// A call or transaction that failed.
#[derive(Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Whether it reverted or was stopped.
    pub status: TxStatus,
    /// Revert data.
    pub data: Bytes,
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match decode_error(&self.data) {
            Some(error) => f.write_str(&error),
            None => write!(f, "{:?} with {}", self.status, self.data),
        }
    }
}

/// The refusal that reverts with `error`.
pub fn refused(error: impl SolError) -> Refusal {
    Refusal { status: TxStatus::Revert, data: error.abi_encode().into() }
}

/// The outcome of what succeeded.
///
/// # Errors
/// [`Refusal`] of what did not.
pub fn outcome(outcome: TxOutcome) -> Result<TxOutcome, Refusal> {
    match outcome.status {
        TxStatus::Success => Ok(outcome),
        status => Err(Refusal { status, data: outcome.output }),
    }
}

/// All that a refusal must leave alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Slots 0–319: state, header, hashes and the first words.
    pub slots: Vec<U256>,
    /// The nonce, one more after each creation.
    pub nonce: u64,
    /// What `modelInfo` returns.
    pub info: Bytes,
    /// What `missingChunks` returns.
    pub missing: Vec<u32>,
    /// Wei that the contract holds.
    pub balance: U256,
}

/// A contract on a chain of its own.
pub struct Deployed {
    /// The chain.
    pub chain: Chain,
    /// The contract's address.
    pub address: Address,
    /// Where its weights live.
    pub home: Home,
}

impl Deployed {
    /// A contract without a model, owned by [`OWNER`].
    pub fn new(contract: Contract) -> Self {
        Self::try_new(contract, OWNER).expect("the contract can be created")
    }

    /// A contract with `model` in it, ready.
    pub fn with_model(contract: Contract, model: &Model) -> Self {
        let mut deployed = Self::new(contract);
        deployed.upload(model);
        deployed
    }

    /// A shipped model in a contract, ready: uploaded, or baked in.
    pub fn with_shipped(contract: Contract, model: &Model) -> Self {
        if contract.home() == Home::Baked {
            return Self::stylus(&stylus(contract, &model.name), contract.home(), OWNER)
                .expect("the contract can be created");
        }
        Self::with_model(contract, model)
    }

    /// A contract without a model, deployed by [`OWNER`] for `owner`.
    ///
    /// # Errors
    /// [`Refusal`] of the constructor.
    pub fn try_new(contract: Contract, owner: Address) -> Result<Self, Refusal> {
        let home = contract.home();
        if contract.is_stylus() {
            return Self::stylus(&stylus(contract, ""), home, owner);
        }
        let mut chain = chain();
        let create = TxRequest::create(OWNER, solidity(contract).init_code(owner));
        let outcome = outcome(chain.transact(&create).expect("it can be in a block"))?;
        let address = outcome.created.expect("a creation that succeeded has an address");
        Ok(Self { chain, address, home })
    }

    /// A Stylus program, created, activated and constructed through StylusDeployer.
    ///
    /// # Errors
    /// [`Refusal`] of StylusDeployer, which holds that of the constructor.
    pub fn stylus(program: &StylusProgram, home: Home, owner: Address) -> Result<Self, Refusal> {
        let mut chain = chain();
        let deploy = IStylusDeployer::deployCall {
            bytecode: program.init_code(),
            initData: stylus_constructor(owner),
            initValue: U256::ZERO,
            salt: B256::ZERO,
        };
        let request = TxRequest {
            value: U256::from(FEE_BOUND),
            ..TxRequest::call(OWNER, STYLUS_DEPLOYER, deploy.abi_encode())
        };
        let outcome = outcome(chain.transact(&request).expect("it can be in a block"))?;
        let deployed = IStylusDeployer::deployCall::abi_decode_returns(&outcome.output);
        Ok(Self { chain, address: deployed.expect("the deployer returns the address"), home })
    }

    /// Begins `model`, uploads all its words and finalizes it.
    pub fn upload(&mut self, model: &Model) {
        self.send(OWNER, &begin(model)).expect("a model can be begun");
        self.upload_words(model);
        self.send(OWNER, &IClassifier::finalizeModelCall {}).expect("the model can be finalized");
    }

    /// Uploads all words of a model that was begun: chunk by chunk, or at once where the home wants it so.
    pub fn upload_words(&mut self, model: &Model) {
        let count = pack::chunks(&model.words).count();
        let at_once = if self.home == Home::Code { count } else { 1 };
        for index in (0..count).step_by(at_once) {
            let words = chunks(model, index as u32, at_once);
            self.send(OWNER, &words).expect("words can be uploaded");
        }
    }

    /// Sends a transaction.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn send<C: SolCall>(&mut self, from: Address, call: &C) -> Result<TxOutcome, Refusal> {
        let request = TxRequest::call(from, self.address, call.abi_encode());
        outcome(self.chain.transact(&request).expect("it can be in a block"))
    }

    /// What `eth_call` returns, asked by [`OWNER`].
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn call<C: SolCall>(&mut self, call: &C) -> Result<C::Return, Refusal> {
        let outcome = outcome(self.raw(call.abi_encode(), U256::ZERO))?;
        Ok(C::abi_decode_returns_validate(&outcome.output).expect("the answer is as declared"))
    }

    /// What comes of any calldata and value, asked by [`OWNER`] in an `eth_call`.
    pub fn raw(&mut self, data: Vec<u8>, value: U256) -> TxOutcome {
        let gas_limit = CALL_GAS;
        let request = TxRequest { value, gas_limit, ..TxRequest::call(OWNER, self.address, data) };
        self.chain.call(&request).expect("it can be executed")
    }

    /// The logits of an image.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn logits(&mut self, image: &[u8]) -> Result<Vec<i32>, Refusal> {
        self.call(&IClassifier::logitsCall { image: image.to_vec().into() })
    }

    /// The digit of an image.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn classify(&mut self, image: &[u8]) -> Result<u8, Refusal> {
        self.call(&IClassifier::classifyCall { image: image.to_vec().into() })
    }

    /// All that a refusal must leave alone.
    pub fn state(&mut self) -> State {
        let slots = (0..320).map(|slot| self.chain.storage(self.address, U256::from(slot)));
        State {
            slots: slots.collect(),
            info: self.raw(IClassifier::modelInfoCall {}.abi_encode(), U256::ZERO).output,
            nonce: self.chain.nonce(self.address),
            missing: self.call(&IClassifier::missingChunksCall {}).expect("it is never refused"),
            balance: self.chain.balance(self.address),
        }
    }

    /// Sends a transaction that must be refused with `error` and change nothing.
    #[track_caller]
    pub fn refuses<C: SolCall>(&mut self, from: Address, call: &C, error: impl SolError) {
        let before = self.state();
        let got = self.send(from, call).map(|outcome| outcome.output);
        assert_eq!(got, Err(refused(error)), "{}", C::SIGNATURE);
        assert_eq!(self.state(), before, "{} changed something", C::SIGNATURE);
    }

    /// Sends a transaction whose only event must be `event`.
    #[track_caller]
    pub fn logs<C: SolCall, E: SolEvent>(&mut self, from: Address, call: &C, event: E) {
        let outcome = self.send(from, call).expect("it is not refused");
        let got: Vec<_> = outcome.logs.iter().map(|log| (log.address, log.data.clone())).collect();
        assert_eq!(got, [(self.address, event.encode_log_data())], "{}", C::SIGNATURE);
    }
}

/// The built program of a Stylus contract; `model` is the one baked into it, if it has one.
///
/// # Panics
/// Where it was not built: with the name of the file, and how it is made.
pub fn stylus(contract: Contract, model: &str) -> StylusProgram {
    // Compression takes longer than most tests.
    static PROGRAMS: Mutex<BTreeMap<(Contract, String), StylusProgram>> =
        Mutex::new(BTreeMap::new());
    let mut programs = PROGRAMS.lock().unwrap_or_else(PoisonError::into_inner);
    let program = || match artifacts::program(contract, model) {
        Ok(Program::Stylus(program)) => program,
        Ok(Program::Solidity(_)) => panic!("{contract} is no Stylus program"),
        Err(error) => panic!("{error}"),
    };
    programs.entry((contract, model.into())).or_insert_with(program).clone()
}

/// The compiled program of a Solidity contract.
///
/// # Panics
/// Where it was not built.
pub fn solidity(contract: Contract) -> SolidityProgram {
    let program = artifacts::solidity(contract).unwrap_or_else(|error| panic!("{error}"));
    program.unwrap_or_else(|| panic!("{contract} is no Solidity contract"))
}

/// Init code that returns `code`, as `cargo stylus` writes it.
pub fn init_code(code: &[u8]) -> Bytes {
    // PUSH32 length, DUP1, PUSH1 43, PUSH1 0, CODECOPY, PUSH1 0, RETURN and a byte of version: 43 bytes, then the code.
    let length = U256::from(code.len()).to_be_bytes::<32>();
    [&[0x7f], &length[..], &[0x80, 0x60, 43, 0x60, 0, 0x39, 0x60, 0, 0xf3, 0], code].concat().into()
}

/// `beginModel` of a model.
pub fn begin(model: &Model) -> IClassifier::beginModelCall {
    IClassifier::beginModelCall { header: model.header.clone().into(), modelHash: model.hash }
}

/// `uploadChunk` of `count` chunks of a model from chunk `index` on.
pub fn chunks(model: &Model, index: u32, count: usize) -> IClassifier::uploadChunkCall {
    let words: Vec<&[u8]> = pack::chunks(&model.words).skip(index as usize).take(count).collect();
    IClassifier::uploadChunkCall { index, words: words.concat().into() }
}

fn chain() -> Chain {
    Chain::new(ChainConfig { funded: vec![OWNER, STRANGER], ..ChainConfig::default() })
}
