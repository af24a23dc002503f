//! Deploying a contract and uploading a model into it, in steps whose gas is kept.
//!
//! A Stylus program is created, activated and constructed by StylusDeployer in one transaction, so that nobody can
//! claim it in between; a Solidity contract's constructor takes the owner. An upload that broke off goes on from the
//! chunks that the contract lacks; a contract with its model baked in needs none.

mod activation;
mod upload;

pub use activation::{activation_gas, data_fee};
pub use upload::{check_answers, upload, verify};

use crate::{
    abi::{IArbWasm, IStylusDeployer, STYLUS_DEPLOYER},
    artifacts::{self, Contract, Program, StylusProgram},
    chain::{self, Connection, Receipt, Request},
    classifier,
    models::Model,
};
use activation::with_margin;
use alloy::{
    primitives::{Address, B256, U256},
    sol_types::SolEvent,
};
use serde::{Deserialize, Serialize};

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
    /// The contract does not take models of this kind or size.
    #[error("{contract} does not take {model}: {reason}")]
    Refused {
        /// The contract.
        contract: Contract,
        /// The model.
        model: String,
        /// Its own words.
        reason: String,
    },
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

/// The first step alone: a contract without a model, unless it is baked in.
///
/// # Errors
/// [`Error`].
pub async fn create(
    chain: &Connection,
    contract: Contract,
    model: &Model,
) -> Result<Deployment, Error> {
    create_of(chain, contract, &artifacts::program(contract, &model.name)?, model).await
}

/// [`create`] of another program than the contract's own.
///
/// # Errors
/// [`Error`].
pub async fn create_of(
    chain: &Connection,
    contract: Contract,
    program: &Program,
    model: &Model,
) -> Result<Deployment, Error> {
    let owner = chain.sender().ok_or(chain::Error::NoKey("contract creation"))?;
    let (name, receipt, address) = match program {
        Program::Solidity(program) => {
            let receipt = chain.send(&Request::create(program.init_code(owner))).await?;
            ("create", receipt.clone(), receipt.contract_address)
        }
        Program::Stylus(program) => {
            let receipt = create_stylus(chain, program, owner).await?;
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

async fn create_stylus(
    chain: &Connection,
    program: &StylusProgram,
    owner: Address,
) -> Result<Receipt, Error> {
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

/// The first event of this kind.
fn event<E: SolEvent>(receipt: &Receipt) -> Option<E> {
    receipt.logs.iter().find_map(|log| E::decode_log(&log.inner).ok()).map(|log| log.data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{classifier::Classifier, testing::tiny_model};

    #[tokio::test]
    async fn every_contract_holds_a_random_network() {
        let model = tiny_model(3, &[8, 65]);
        let mut image = [0; 400];
        (100..150).for_each(|at| image[at] = at as u8);
        for contract in Contract::UPLOADED {
            let chain = Connection::embedded().await.unwrap();
            let deployment = deploy(&chain, contract, &model).await.unwrap();
            let names: Vec<&str> = deployment.steps.iter().map(|step| &step.name[..]).collect();
            assert_eq!(names[1..], ["begin", "upload", "finalize"], "{contract}");
            assert_eq!(deployment.data_fee_wei.is_zero(), !contract.is_stylus());
            // 120 words: 4 chunks.
            let transactions = if contract == Contract::Naive { 4 } else { 1 };
            assert_eq!(deployment.transactions("upload"), transactions);
            let classifier = Classifier { chain, address: deployment.address };
            assert!(classifier.answer(&model, &image).await.unwrap().0, "{contract}");
        }
    }
}
