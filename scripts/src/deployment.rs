//! Deploying a contract and uploading a model into it, in steps whose gas is kept.
//!
//! A Stylus program is created, activated and constructed by StylusDeployer in one transaction, so that nobody can
//! claim it in between; a Solidity contract's constructor takes the owner. An upload that broke off goes on from the
//! chunks that the contract lacks.

use crate::{
    abi::{ARB_WASM, IArbWasm, IClassifier, IStylusDeployer, STYLUS_DEPLOYER},
    artifacts::{self, Contract},
    chain::{self, Connection, Receipt, Request},
    classifier::{self, Classifier},
    models::Model,
};
use alloy::{
    primitives::{Address, B256, Bytes, U256, address},
    sol_types::SolEvent,
};
use inkling_devnode::tx::intrinsic_gas;
use inkling_network::pack;
use serde::{Deserialize, Serialize};

/// A program's code is put here for the time of an `eth_call` that asks its data fee. Nobody's address.
const SCRATCH: Address = address!("00000000000000000000000000000000005c2a7c");

/// Wei that such a call brings along: more than any fee.
const FEE_BOUND: u64 = 1_000_000_000_000_000_000;

/// States of a contract.
const UPLOADING: u8 = 1;
const READY: u8 = 2;
const FROZEN: u8 = 3;

/// Why a deployment failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The chain said no.
    #[error(transparent)]
    Chain(#[from] chain::Error),
    /// The contract does not answer.
    #[error(transparent)]
    Classifier(#[from] classifier::Error),
    /// A built program is damaged.
    #[error(transparent)]
    Artifact(#[from] artifacts::Error),
    /// The receipt lacks what tells the new contract's address.
    #[error("transaction {0} does not say where the contract was created")]
    NoAddress(B256),
    /// The contract does not hold the model.
    #[error("the contract at {address} does not hold {model}: {what}")]
    Differs {
        /// The contract.
        address: Address,
        /// The model.
        model: String,
        /// What is different.
        what: String,
    },
    /// The contract holds another model that cannot be replaced.
    #[error("the contract at {0} is frozen with another model")]
    Frozen(Address),
}

/// A step of a deployment: one or more transactions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What it does.
    pub name: String,
    /// Its transactions.
    pub transactions: usize,
    /// Their gas.
    pub gas: u64,
}

/// A contract that was deployed or completed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// The contract.
    pub contract: Contract,
    /// The model's name.
    pub model: String,
    /// The model's hash.
    pub model_hash: B256,
    /// Where the contract stands.
    pub address: Address,
    /// What was done, in order; what was found done is not listed.
    pub steps: Vec<Step>,
    /// Wei paid for the activation.
    pub data_fee_wei: U256,
}

impl Deployment {
    /// Gas of all steps whose name begins with `name`.
    pub fn gas(&self, name: &str) -> u64 {
        self.steps.iter().filter(|step| step.name.starts_with(name)).map(|step| step.gas).sum()
    }

    /// Transactions of all steps whose name begins with `name`.
    pub fn transactions(&self, name: &str) -> usize {
        let steps = self.steps.iter().filter(|step| step.name.starts_with(name));
        steps.map(|step| step.transactions).sum()
    }
}

/// Chunks in an upload transaction: a word costs 20,000 gas and more, and `Naive` writes 32 of them for each.
fn chunks_at_once(contract: Contract) -> usize {
    match contract {
        Contract::Naive => 1,
        _ => 4,
    }
}

/// Deploys a contract and uploads a model.
///
/// # Errors
/// [`Error`].
pub async fn deploy(
    chain: &Connection,
    contract: Contract,
    model: &Model,
) -> Result<Deployment, Error> {
    let created = create(chain, contract, model).await?;
    upload(chain, created, model, &mut |_| {}).await
}

/// The first step alone: a contract without a model.
///
/// # Errors
/// [`Error`].
pub async fn create(
    chain: &Connection,
    contract: Contract,
    model: &Model,
) -> Result<Deployment, Error> {
    let owner = chain.sender().ok_or(chain::Error::NoKey("contract creation"))?;
    let (name, receipt, address) = match artifacts::solidity(contract)? {
        Some(program) => {
            let receipt = chain.send(&Request::create(program.init_code(owner))).await?;
            ("create", receipt.clone(), receipt.contract_address)
        }
        None => {
            let receipt = create_stylus(chain, owner).await?;
            let event = event::<IStylusDeployer::ContractDeployed>(&receipt);
            ("create, activate, construct", receipt, event.map(|event| event.deployedContract))
        }
    };
    let address = address.ok_or(Error::NoAddress(receipt.transaction_hash))?;
    let activated = event::<IArbWasm::ProgramActivated>(&receipt);
    let mut deployment = resume(address, contract, model);
    deployment.data_fee_wei = activated.map(|event| event.dataFee).unwrap_or_default();
    deployment.push(name, &receipt);
    Ok(deployment)
}

/// A contract that stands already, for [`upload`] to go on with.
pub fn resume(address: Address, contract: Contract, model: &Model) -> Deployment {
    Deployment {
        contract,
        model: model.name.clone(),
        model_hash: model.hash,
        address,
        steps: Vec::new(),
        data_fee_wei: U256::ZERO,
    }
}

impl Deployment {
    /// Adds a step of one transaction.
    fn push(&mut self, name: &str, receipt: &Receipt) -> &Step {
        let step = Step { name: name.into(), transactions: 1, gas: receipt.gas() };
        self.steps.push_mut(step)
    }
}

async fn create_stylus(chain: &Connection, owner: Address) -> Result<Receipt, Error> {
    let program = artifacts::stylus()?;
    let fee = data_fee(chain, program.code.clone().into()).await?;
    let deploy = IStylusDeployer::deployCall {
        bytecode: program.init_code(),
        initData: artifacts::stylus_constructor(owner),
        initValue: U256::ZERO,
        salt: B256::ZERO,
    };
    let value = with_margin(fee);
    Ok(chain.send(&Request { value, ..Request::call(STYLUS_DEPLOYER, &deploy) }).await?)
}

/// The fee may rise before the transaction is there; what is too much comes back.
fn with_margin(fee: U256) -> U256 {
    fee + fee / U256::from(5)
}

/// Wei that activating a program with this contract code costs now; 0 where the same code is active already.
///
/// # Errors
/// [`chain::Error`] where the chain does not accept the program.
pub async fn data_fee(chain: &Connection, code: Bytes) -> Result<U256, chain::Error> {
    let activate = IArbWasm::activateProgramCall { program: SCRATCH };
    let value = U256::from(FEE_BOUND);
    match chain.call_with_code(ARB_WASM, &activate, value, (SCRATCH, code)).await {
        Ok(returned) => Ok(returned.dataFee),
        Err(chain::Error::Reverted { reason, .. }) if reason == "ProgramUpToDate" => Ok(U256::ZERO),
        Err(error) => Err(error),
    }
}

/// Activates a program by itself, created without StylusDeployer, and returns the gas that this takes beyond the
/// transaction's own: what activation contributes to a deployment. Where the same code is active already: `None`.
///
/// # Errors
/// [`Error`].
pub async fn activation_gas(chain: &Connection) -> Result<Option<u64>, Error> {
    let program = artifacts::stylus()?;
    let fee = data_fee(chain, program.code.clone().into()).await?;
    if fee.is_zero() {
        return Ok(None);
    }
    let receipt = chain.send(&Request::create(program.init_code())).await?;
    let address = receipt.contract_address.ok_or(Error::NoAddress(receipt.transaction_hash))?;
    let activate = IArbWasm::activateProgramCall { program: address };
    let request = Request { value: with_margin(fee), ..Request::call(ARB_WASM, &activate) };
    let gas = chain.send(&request).await?.gas();
    Ok(Some(gas - intrinsic_gas(&request.data)))
}

/// Uploads the model, or what is missing of it, makes it ready and checks it. `told` is called after each transaction
/// with the step it belongs to.
///
/// # Errors
/// [`Error`].
pub async fn upload(
    chain: &Connection,
    mut deployment: Deployment,
    model: &Model,
    told: &mut (dyn FnMut(&Step) + Send),
) -> Result<Deployment, Error> {
    let address = deployment.address;
    deployment.steps.iter().for_each(&mut *told);
    let info = chain.call(address, &IClassifier::modelInfoCall {}).await?;
    let same = info.modelHash == model.hash && info.header == model.header;
    if info.state == FROZEN && !same {
        return Err(Error::Frozen(address));
    }
    let mut begin = !same;
    while begin || info.state == UPLOADING {
        if begin {
            let begin = IClassifier::beginModelCall {
                header: model.header.clone().into(),
                modelHash: model.hash,
            };
            let receipt = chain.send(&Request::call(address, &begin)).await?;
            told(deployment.push("begin", &receipt));
        }
        let missing = chain.call(address, &IClassifier::missingChunksCall {}).await?;
        let chunks: Vec<&[u8]> = pack::chunks(&model.words).collect();
        let mut step = Step { name: "upload".into(), transactions: 0, gas: 0 };
        for run in runs(&missing, chunks_at_once(deployment.contract)) {
            let words = chunks.get(run.0 as usize..(run.0 + run.1) as usize);
            let words = words.unwrap_or_default().concat().into();
            let upload = IClassifier::uploadChunkCall { index: run.0, words };
            step.gas += chain.send(&Request::call(address, &upload)).await?.gas();
            step.transactions += 1;
            told(&step);
        }
        deployment.steps.push(step);
        let finalize = Request::call(address, &IClassifier::finalizeModelCall {});
        match chain.send(&finalize).await {
            Ok(receipt) => {
                told(deployment.push("finalize", &receipt));
                break;
            }
            // A chunk that was found there is wrong, and nobody knows which: once more, from the beginning.
            Err(chain::Error::Reverted { reason, .. })
                if !begin && reason.starts_with("HashMismatch") =>
            {
                begin = true;
            }
            Err(error) => return Err(error.into()),
        }
    }
    verify(chain, address, model).await?;
    Ok(deployment)
}

/// Consecutive indices, at most `most` together, as first index and number.
fn runs(indices: &[u32], most: usize) -> Vec<(u32, u32)> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for &index in indices {
        match runs.last_mut() {
            Some((first, count)) if *first + *count == index && (*count as usize) < most => {
                *count += 1;
            }
            _ => runs.push((index, 1)),
        }
    }
    runs
}

/// Checks that the contract holds this model, and that it is ready.
///
/// # Errors
/// [`Error::Differs`] says in what it differs.
pub async fn verify(chain: &Connection, address: Address, model: &Model) -> Result<(), Error> {
    let info = chain.call(address, &IClassifier::modelInfoCall {}).await?;
    let what = if info.header != model.header {
        format!("its header is {}, expected {}", info.header, Bytes::from(model.header.clone()))
    } else if info.modelHash != model.hash {
        format!("its model hash is {}, expected {}", info.modelHash, model.hash)
    } else if info.words as usize != model.words.len() {
        format!("it has {} words, expected {}", info.words, model.words.len())
    } else if ![READY, FROZEN].contains(&info.state) {
        format!("its state is {}, expected {READY} (ready) or {FROZEN} (frozen)", info.state)
    } else {
        return Ok(());
    };
    Err(Error::Differs { address, model: model.name.clone(), what })
}

/// Checks that digit and logits of these images are the reference's.
///
/// # Errors
/// [`Error::Differs`] names the first image for which they are not.
pub async fn check_answers<'a>(
    chain: &Connection,
    deployment: &Deployment,
    model: &Model,
    images: impl IntoIterator<Item = &'a [u8; 400]>,
) -> Result<(), Error> {
    let address = deployment.address;
    let classifier = Classifier { chain: chain.clone(), address };
    for (index, image) in images.into_iter().enumerate() {
        let (agrees, _) = classifier.answer(model, image).await?;
        if !agrees {
            let what = format!("digit or logits of test image {index} are not the reference's");
            return Err(Error::Differs { address, model: model.name.clone(), what });
        }
    }
    Ok(())
}

/// The first event of this kind.
fn event<E: SolEvent>(receipt: &Receipt) -> Option<E> {
    receipt.logs.iter().find_map(|log| E::decode_log(&log.inner).ok()).map(|log| log.data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tiny_model;

    #[tokio::test]
    async fn every_contract_holds_a_random_network() {
        let model = tiny_model(3, &[8, 10]);
        let mut image = [0; 400];
        (100..150).for_each(|at| image[at] = at as u8);
        for contract in Contract::ALL {
            let chain = Connection::embedded().await.unwrap();
            let deployment = deploy(&chain, contract, &model).await.unwrap();
            let names: Vec<&str> = deployment.steps.iter().map(|step| &step.name[..]).collect();
            assert_eq!(names[1..], ["begin", "upload", "finalize"], "{contract}");
            assert_eq!(deployment.data_fee_wei.is_zero(), !contract.is_stylus());
            // 104 words: 4 chunks.
            let transactions = if contract == Contract::Naive { 4 } else { 1 };
            assert_eq!(deployment.transactions("upload"), transactions);
            let classifier = Classifier { chain, address: deployment.address };
            assert!(classifier.answer(&model, &image).await.unwrap().0, "{contract}");
        }
    }

    #[tokio::test]
    async fn an_upload_goes_on_where_it_broke_off() {
        let model = tiny_model(4, &[8, 10]);
        let chain = Connection::embedded().await.unwrap();
        let Deployment { address, .. } = create(&chain, Contract::Packed, &model).await.unwrap();
        let begin = IClassifier::beginModelCall {
            header: model.header.clone().into(),
            modelHash: model.hash,
        };
        chain.send(&Request::call(address, &begin)).await.unwrap();
        let second = pack::chunks(&model.words).nth(1).unwrap().to_vec();
        let upload = IClassifier::uploadChunkCall { index: 1, words: second.into() };
        chain.send(&Request::call(address, &upload)).await.unwrap();

        let found = resume(address, Contract::Packed, &model);
        let done = super::upload(&chain, found, &model, &mut |_| {}).await.unwrap();
        // Chunk 0, then chunks 2 and 3.
        assert_eq!((done.transactions("begin"), done.transactions("upload")), (0, 2));

        // Once more there is nothing to do; with another model everything is done again.
        let found = resume(address, Contract::Packed, &model);
        let again = super::upload(&chain, found, &model, &mut |_| {}).await.unwrap();
        assert_eq!(again.steps, []);
        let other = tiny_model(5, &[8, 10]);
        assert!(matches!(verify(&chain, address, &other).await, Err(Error::Differs { .. })));
        let found = resume(address, Contract::Packed, &other);
        let replaced = super::upload(&chain, found, &other, &mut |_| {}).await.unwrap();
        assert_eq!(replaced.steps.len(), 3);

        chain.send(&Request::call(address, &IClassifier::freezeModelCall {})).await.unwrap();
        let found = resume(address, Contract::Packed, &model);
        let refused = super::upload(&chain, found, &model, &mut |_| {}).await;
        assert!(matches!(refused, Err(Error::Frozen(_))));
    }

    #[tokio::test]
    async fn an_upload_with_a_wrong_chunk_is_made_anew() {
        let model = tiny_model(4, &[8, 10]);
        for contract in Contract::ALL {
            let chain = Connection::embedded().await.unwrap();
            let Deployment { address, .. } = create(&chain, contract, &model).await.unwrap();
            let begin = IClassifier::beginModelCall {
                header: model.header.clone().into(),
                modelHash: model.hash,
            };
            chain.send(&Request::call(address, &begin)).await.unwrap();
            for (index, chunk) in (0..).zip(pack::chunks(&model.words)) {
                let mut words = chunk.to_vec();
                words[0] ^= u8::from(index == 1);
                let upload = IClassifier::uploadChunkCall { index, words: words.into() };
                chain.send(&Request::call(address, &upload)).await.unwrap();
            }
            let found = resume(address, contract, &model);
            let done = super::upload(&chain, found, &model, &mut |_| {}).await.unwrap();
            let transactions = if contract == Contract::Naive { 4 } else { 1 };
            let names = ["begin", "upload", "finalize"].map(|name| done.transactions(name));
            assert_eq!(names, [1, transactions, 1], "{contract}");
        }
    }

    #[tokio::test]
    async fn refusals_carry_the_contracts_words() {
        let model = tiny_model(6, &[10]);
        let chain = Connection::embedded().await.unwrap();
        for contract in Contract::ALL {
            let Deployment { address, .. } = create(&chain, contract, &model).await.unwrap();
            let finalize = Request::call(address, &IClassifier::finalizeModelCall {});
            let error = chain.send(&finalize).await.unwrap_err().to_string();
            assert_eq!(error, "finalizeModel() was refused: NotUploading { state: 0 }");
        }
    }

    #[tokio::test]
    async fn activation_is_measured_once() {
        let chain = Connection::embedded().await.unwrap();
        assert!(activation_gas(&chain).await.unwrap().is_some_and(|gas| gas > 1_659_168));
        assert_eq!(activation_gas(&chain).await.unwrap(), None);
    }

    #[test]
    fn runs_are_consecutive() {
        assert_eq!(runs(&[0, 1, 2, 4, 5, 9], 2), [(0, 2), (2, 1), (4, 2), (9, 1)]);
        assert_eq!(runs(&[], 4), []);
    }
}
