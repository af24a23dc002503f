//! Deploying a contract and uploading a model into it, in steps whose gas is kept.
//!
//! A Stylus program is created, activated and constructed by StylusDeployer in one transaction, so that nobody can
//! claim it in between; a Solidity contract's constructor takes the owner. What a chain lacks is what is done next, so an
//! upload that broke off goes on from the chunks that the contract lacks; a contract with its model baked in needs none.
//!
//! * [`journal`]: what was signed, written down before it is sent; [`patience`]: waiting and asking again;
//! * `outbox`, `chunks`, `engine`: transactions, what is in them, and which is next;
//! * [`plan`]: what it will cost, and what forbids it; [`record`]: what it did cost.

mod activation;
mod chunks;
mod engine;
pub mod journal;
pub(crate) mod outbox;
pub mod patience;
pub mod plan;
pub mod record;
mod verify;

pub use activation::{activation_gas, data_fee, with_margin};
pub use verify::{check_answers, has_code, verify};

use crate::{
    artifacts::{self, Contract, Program},
    chain::{self, Connection},
    classifier,
    models::Model,
};
use alloy::primitives::{Address, B256, U256};
use engine::Engine;
use journal::{Journal, Subject};
use patience::Patience;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

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
    /// A transaction failed, and its gas is spent.
    #[error("{step}: transaction {hash} failed, although its estimate succeeded")]
    Failed {
        /// The step that it belongs to.
        step: String,
        /// The transaction.
        hash: B256,
    },
    /// There is nothing to go on with.
    #[error("there is no contract at {0}")]
    NoContract(Address),
    /// Nobody creates, activates and constructs programs there.
    #[error("there is no StylusDeployer at {0}: is this an Arbitrum chain with Stylus?")]
    NoDeployer(Address),
    /// Nobody but its owner may upload into the contract.
    #[error("the contract at {address} belongs to {owner}, not to {sender}")]
    ForeignOwner {
        /// The contract.
        address: Address,
        /// Its owner.
        owner: Address,
        /// Who would send.
        sender: Address,
    },
    /// The balance does not last.
    #[error("{sender} has {} ether, {} ether are needed", plan::ether(*balance), plan::ether(*needed))]
    Funds {
        /// Who would send.
        sender: Address,
        /// What it has, in wei.
        balance: U256,
        /// What must be there, in wei: gas limits at the highest fee offered, before each transaction.
        needed: U256,
    },
    /// The journal or the record is about another deployment.
    #[error(
        "{} is of another deployment: {what}. Go on with what it was begun with, give this one another --name, or \
         move the file away", path.display()
    )]
    Stale {
        /// The file.
        path: PathBuf,
        /// What is different.
        what: String,
    },
    /// Another process is at it.
    #[error("another process is working with {}", .0.display())]
    Busy(PathBuf),
    /// A journal or record cannot be read or written.
    #[error("{}: {source}", path.display())]
    Journal {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The code on the chain is not the program's.
    #[error("the code at {0} is not that of the program in this build")]
    Code(Address),
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

impl Error {
    /// Whether it was found before any transaction was sent, so that nothing was paid.
    pub const fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::NoContract(_)
                | Self::NoDeployer(_)
                | Self::ForeignOwner { .. }
                | Self::Funds { .. }
                | Self::Stale { .. }
                | Self::Busy(_)
                | Self::Artifact(_)
        )
    }
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
    let subject = Subject::new((chain.chain_id(), owner), contract, program.sha256(), model);
    let mut journal = Journal::in_memory(subject, None);
    let (patience, told) = (Patience::of(chain), &mut |_: &Step| {});
    Engine::new(chain, Some(program), model, &mut journal, patience, told).create().await?;
    engine::deployment(&journal)
}

/// Goes on with a journal until the contract holds the model, and checks both. `told` is called with each step whenever
/// transactions of it got into blocks.
///
/// # Errors
/// [`Error`].
pub async fn complete(
    chain: &Connection,
    program: &Program,
    model: &Model,
    journal: &mut Journal,
    patience: Patience,
    told: &mut (dyn FnMut(&Step) + Send + Sync),
) -> Result<Deployment, Error> {
    Engine::new(chain, Some(program), model, journal, patience, told).complete().await?;
    let deployment = engine::deployment(journal)?;
    let (address, owner) = (deployment.address, journal.subject().owner);
    let code = || has_code(chain, address, program, owner);
    if !patience.ask("eth_getCode", code).await? {
        return Err(Error::Code(address));
    }
    verify::verify_with(chain, address, model, patience).await?;
    Ok(deployment)
}

/// Uploads the model, or what is missing of it, makes it ready and checks it. `told` is called with each step whenever
/// transactions of it got into blocks.
///
/// # Errors
/// [`Error`].
pub async fn upload(
    chain: &Connection,
    mut deployment: Deployment,
    model: &Model,
    told: &mut (dyn FnMut(&Step) + Send + Sync),
) -> Result<Deployment, Error> {
    deployment.steps.iter().for_each(&mut *told);
    let owner = chain.sender().ok_or(chain::Error::NoKey("uploading"))?;
    let with = (chain.chain_id(), owner);
    let subject = Subject::new(with, deployment.contract, String::new(), model);
    let mut journal = Journal::in_memory(subject, Some(deployment.address));
    Engine::new(chain, None, model, &mut journal, Patience::of(chain), told).complete().await?;
    deployment.steps.extend(engine::steps(journal.entries()));
    verify(chain, deployment.address, model).await?;
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
