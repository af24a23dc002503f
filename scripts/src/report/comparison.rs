//! The result of `inkling compare`: what is kept in `reports/compare.json`.

use crate::{
    artifacts::{Contract, StylusBuild},
    classifier::ProgramCosts,
    deployment::Deployment,
    gas::Stats,
};
use alloy::primitives::B256;
use serde::{Deserialize, Serialize};

/// Contracts and models, each with each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The Solidity compiler and its settings.
    pub solidity: SolidityBuild,
    /// The models.
    pub models: Vec<ModelSummary>,
    /// One row for each contract with a model in it.
    pub rows: Vec<Row>,
    /// Contracts that do not take a model.
    pub refusals: Vec<Refusal>,
    /// What the original project reports of itself.
    pub original: Original,
}

/// How the Solidity contracts were built.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SolidityBuild {
    /// The compiler and its version.
    pub compiler: String,
    /// Its settings.
    pub settings: serde_json::Value,
}

/// A model in a comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelSummary {
    /// Its name.
    pub name: String,
    /// What it was trained and is tested on.
    pub data: String,
    /// Its layers, see [`crate::shape`].
    pub shape: String,
    /// Its hash.
    pub hash: B256,
    /// Its 32-byte words.
    pub words: usize,
    /// Multiply-adds of an inference, zeros included.
    pub multiply_adds: usize,
    /// Test images whose digit the native kernel gets right, of the whole test set.
    pub test_correct: usize,
    /// Images of the whole test set.
    pub test_images: usize,
}

/// A contract that does not take a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The contract.
    pub contract: Contract,
    /// The model's name.
    pub model: String,
    /// What the contract says, or that there is no program with the model in it.
    pub reason: String,
}

/// A contract with a model in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What deploying it took.
    pub deployment: Deployment,
    /// SHA-256 of its program, see [`crate::artifacts::Program::sha256`].
    pub sha256: String,
    /// How the program was built; Stylus only.
    pub build: Option<StylusBuild>,
    /// Of the deployment's gas, what activation takes; Stylus only.
    pub activation_gas: Option<u64>,
    /// What starting the program costs; Stylus only.
    pub program: Option<ProgramCosts>,
    /// Images classified by a transaction each, from the first of the test set on.
    pub samples: usize,
    /// Gas that the image after them needs, where that is more than a transaction gets.
    pub too_dear: Option<u64>,
    /// Images whose digit the contract got right.
    pub correct: usize,
    /// Images for which digit or logits are not the reference's.
    pub disagreements: Vec<usize>,
    /// What classifying cost: for Stylus uncached, then cached; nothing where not one image fits a transaction.
    pub classify: Vec<Classify>,
    /// What has to be read from the chain, and the least gas with it.
    pub reads: Option<Reads>,
    /// Execution gas less what the reads take, mean of the images of [`Twin::images`] or all; see [`Reads`].
    pub compute_gas: Option<u64>,
    /// Gas an image of a batch of [`crate::measure::BATCH`] in one transaction; `None` where that is more than a
    /// transaction gets.
    pub batch_gas: Option<u64>,
    /// The same images by [`Contract::twin`].
    pub twin: Option<Twin>,
}

/// What classifying cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Classify {
    /// Whether the program was cached; `None` for EVM code.
    pub cached: Option<bool>,
    /// Gas of the whole transaction.
    pub transaction_gas: Stats,
    /// The same less 21,000 and the calldata.
    pub execution_gas: Stats,
    /// `eth_estimateGas` of the first images.
    pub estimate: Estimate,
}

impl Classify {
    /// What is classified by, as in `Stylus, cached`.
    pub fn label(&self, contract: Contract) -> String {
        match self.cached {
            None => contract.to_string(),
            Some(true) => format!("{contract}, cached"),
            Some(false) => format!("{contract}, not cached"),
        }
    }
}

/// What a classification reads from the chain at the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reads {
    /// Slots: of storage words, those that the native kernel asks for, and slot 0 and those of a long header; with
    /// weights in code, the one that names the account; with baked ones, none.
    pub slots: Stats,
    /// Mean of 21,000, the calldata, 2,100 a slot and, with weights in code, 2,600 for the account.
    pub floor: u64,
}

/// Mean gas of some images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Means {
    /// Of the whole transaction.
    pub transaction: u64,
    /// Less 21,000 and the calldata.
    pub execution: u64,
    /// Less reads; not known of `Naive`.
    pub compute: Option<u64>,
}

/// A contract beside its twin, over the first images that both classified. Compute gas of a Stylus program, which is
/// taken from traces, is over the first [`crate::measure::TRACED`] of them, and so is the twin's beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Twin {
    /// Images.
    pub images: usize,
    /// The contract; a Stylus program cached.
    pub own: Means,
    /// Its twin.
    pub twin: Means,
}

/// `eth_estimateGas` beside what the same images paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estimate {
    /// Images estimated, from the first on.
    pub images: usize,
    /// Mean estimate.
    pub mean: u64,
    /// Mean gas of the transactions.
    pub transaction_mean: u64,
}

impl Estimate {
    /// By how much an estimate exceeds the transaction, as in `+1.20 %`.
    pub fn excess(&self) -> String {
        let (mean, paid) = (self.mean as f64, self.transaction_mean.max(1) as f64);
        format!("{:+.2} %", 100.0 * (mean / paid - 1.0))
    }
}

/// What duoxehyon/evm-neural-network reports in its README.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Original {
    /// Widths of input and layers.
    pub shape: String,
    /// Images classified.
    pub samples: usize,
    /// Images whose digit was right.
    pub correct: usize,
    /// Gas of a classification.
    pub gas: Stats,
}

impl Original {
    /// The figures of its README; the shape is that of its contract.
    pub fn published() -> Self {
        Self {
            shape: "400→32→16→10".into(),
            samples: 1_000,
            correct: 938,
            gas: Stats { min: 41_035_361, mean: 41_036_311, max: 41_037_219 },
        }
    }
}

impl Row {
    /// The cached program's classifications of a Stylus contract, all of another; `None` where nothing was measured.
    pub fn best(&self) -> Option<&Classify> {
        self.classify.last()
    }

    /// Compute gas of a multiply-add.
    pub fn compute_each(&self, multiply_adds: usize) -> Option<f64> {
        Some(self.compute_gas? as f64 / multiply_adds.max(1) as f64)
    }

    /// Mean transaction gas over the floor.
    pub fn over_floor(&self) -> Option<f64> {
        let (gas, reads) = (self.best()?.transaction_gas.mean, self.reads?);
        Some(gas as f64 / reads.floor.max(1) as f64)
    }
}

impl Comparison {
    /// Whether every digit and all logits were the reference's.
    pub fn agrees(&self) -> bool {
        self.rows.iter().all(|row| row.disagreements.is_empty())
    }

    /// Rows of one model.
    pub fn rows_of<'a>(&'a self, model: &'a str) -> impl Iterator<Item = &'a Row> {
        self.rows.iter().filter(move |row| row.deployment.model == model)
    }
}
