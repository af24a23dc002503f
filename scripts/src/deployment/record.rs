//! What is kept of a deployment: `deployments/<chain id>/<name>.json`, and beside it, while it is under way, the journal.

use super::{
    Deployment, Error, Step,
    journal::{self, Entry, Journal, Mined, Subject},
    plan::Prices,
};
use crate::artifacts::Program;
use alloy::primitives::{Address, B256, U256, keccak256};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Where a deployment's files lie.
#[derive(Clone, Debug)]
pub struct Files {
    /// The record.
    pub record: PathBuf,
    /// The journal.
    pub journal: PathBuf,
}

impl Files {
    /// Of the deployment of this name, on this chain.
    pub fn new(folder: &Path, chain_id: u64, name: &str) -> Self {
        let folder = folder.join(chain_id.to_string());
        let file = |extension: &str| folder.join(format!("{name}.{extension}"));
        Self { record: file("json"), journal: file("journal.json") }
    }
}

/// A transaction that was paid for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// The step that it belongs to.
    pub step: String,
    /// Its nonce.
    pub nonce: u64,
    /// Hash, block, gas and cost.
    #[serde(flatten)]
    pub mined: Mined,
}

/// What was built with what, and runs on what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// Of this program.
    pub inkling: String,
    /// Of the chain.
    pub arbos: u64,
    /// Of the contract's compiler and, for a Stylus program, of wasm-opt.
    pub compiler: String,
}

/// A deployment that is complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Chain, owner, contract, program and model.
    #[serde(flatten)]
    pub subject: Subject,
    /// Where the contract stands.
    pub address: Address,
    /// Keccak-256 of its code.
    pub code_hash: B256,
    /// Its steps; those that were found done are not listed.
    pub steps: Vec<Step>,
    /// Gas of all transactions without what paid for L1.
    pub gas: u64,
    /// Gas that paid for L1.
    pub l1_gas: u64,
    /// Wei for activation.
    pub data_fee_wei: U256,
    /// Wei in all.
    pub cost_wei: U256,
    /// The transactions, in order.
    pub transactions: Vec<Transaction>,
    /// Versions of what took part.
    pub versions: Versions,
    /// Test images whose logits were compared with the reference.
    pub checked_images: usize,
}

impl Record {
    /// Of a complete deployment.
    pub fn new(
        journal: &Journal,
        deployment: &Deployment,
        (program, code): (&Program, &[u8]),
        prices: &Prices,
        checked_images: usize,
    ) -> Self {
        let transaction = |entry: &Entry| {
            let (step, nonce) = (entry.step.clone(), entry.nonce);
            Some(Transaction { step, nonce, mined: entry.mined()?.clone() })
        };
        let transactions: Vec<Transaction> =
            journal.entries().iter().filter_map(transaction).collect();
        let mined = || transactions.iter().map(|transaction| &transaction.mined);
        let compiler = match program {
            Program::Stylus(program) => {
                format!("{}, {}", program.build.rustc, program.build.wasm_opt)
            }
            Program::Solidity(program) => program.compiler.clone(),
        };
        let inkling = env!("CARGO_PKG_VERSION").into();
        Self {
            subject: journal.subject().clone(),
            address: deployment.address,
            code_hash: keccak256(code),
            steps: deployment.steps.clone(),
            gas: mined().map(|mined| mined.gas).sum(),
            l1_gas: mined().map(|mined| mined.l1_gas).sum(),
            data_fee_wei: mined().map(|mined| mined.data_fee_wei).sum(),
            cost_wei: mined().map(Mined::cost).sum(),
            transactions,
            versions: Versions { inkling, arbos: prices.arbos, compiler },
            checked_images,
        }
    }

    /// Reads a record; `None` where there is none.
    ///
    /// # Errors
    /// [`Error::Journal`].
    pub fn read(path: &Path) -> Result<Option<Self>, Error> {
        let failed = |source| Error::Journal { path: path.into(), source };
        match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidData, error))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// [`Error::Journal`].
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        journal::write(path, self).map_err(|source| Error::Journal { path: path.into(), source })
    }
}
