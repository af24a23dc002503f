//! The result of `inkling profile`: where the gas of a classification goes.

use super::{
    comparison_tables::decimals,
    table::{Table, thousands},
};
use crate::gas::INK_PRICE;
use alloy::primitives::B256;
use serde::{Deserialize, Serialize};

/// Gas of a classification by parts; means of some images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// The model's name.
    pub model: String,
    /// Its layers, see [`crate::shape`].
    pub shape: String,
    /// Its hash.
    pub model_hash: B256,
    /// SHA-256 of the program with marks.
    pub sha256: String,
    /// SHA-256 of the program without.
    pub production_sha256: String,
    /// Images, from the first of the test set on.
    pub samples: usize,
    /// Gas of the transaction that is not execution: 21,000 and the calldata.
    pub intrinsic_gas: u64,
    /// Gas for starting the program, cached, and for its memory.
    pub start_gas: u64,
    /// The parts, in the order in which they run.
    pub parts: Vec<Part>,
    /// Ink of the marks, which is in no part.
    pub mark_ink: u64,
    /// Ink of the program without marks.
    pub production_ink: u64,
    /// Gas of the transaction, by the program without marks.
    pub production_gas: u64,
}

/// A part of an inference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// What it does.
    pub name: String,
    /// Words that it reads: slots, or pieces of code.
    pub reads: u64,
    /// Ink of these reads.
    pub read_ink: u64,
    /// All other ink.
    pub compute_ink: u64,
    /// Multiply-adds, zeros included; 0 of what is no layer with weights.
    pub multiply_adds: u64,
}

impl Profile {
    /// Ink of all parts.
    pub fn ink(&self) -> u64 {
        self.parts.iter().map(|part| part.read_ink + part.compute_ink).sum()
    }

    /// Compute ink of all parts.
    pub fn compute_ink(&self) -> u64 {
        self.parts.iter().map(|part| part.compute_ink).sum()
    }

    /// The report for people.
    pub fn markdown(&self) -> String {
        let Self { model, shape, sha256, production_sha256, .. } = self;
        format!(
            "# Where the gas of {model} goes\n\n\
             Written by `inkling profile --model {model}`. Network {shape}, Stylus contract, weights in storage, program \
             cached. The program measured is the contract's with marks (the hostio `evm_ink_left`) between its parts; \
             the ink of the marks is taken off. A basic block pays where it begins, so that a few instructions are \
             counted with the part before theirs.\n\n{}\nProgram with marks: sha256 `{sha256}`; without: \
             `{production_sha256}`.\n",
            self.tables()
        )
    }

    /// The table alone, and the check against the program without marks.
    pub fn tables(&self) -> String {
        let header = [
            "part",
            "reads",
            "ink of reads",
            "compute ink",
            "gas",
            "multiply-adds",
            "ink each",
            "gas each",
        ];
        let gas = |ink: u64| (ink + INK_PRICE / 2) / INK_PRICE;
        let cells = |name: &str, reads, read_ink, compute_ink, multiply_adds: u64| {
            let each = (multiply_adds > 0).then(|| compute_ink as f64 / multiply_adds as f64);
            let figure = |figure: u64| if figure > 0 { thousands(figure) } else { "–".into() };
            vec![
                name.into(),
                figure(reads),
                figure(read_ink),
                figure(compute_ink),
                thousands(gas(read_ink + compute_ink)),
                figure(multiply_adds),
                decimals(each, 1),
                decimals(each.map(|ink| ink / INK_PRICE as f64), 4),
            ]
        };
        let sum = |figure: fn(&Part) -> u64| self.parts.iter().map(figure).sum::<u64>();
        let mut rows: Vec<Vec<String>> = self
            .parts
            .iter()
            .map(|p| cells(&p.name, p.reads, p.read_ink, p.compute_ink, p.multiply_adds))
            .collect();
        rows.push(cells(
            "**all**",
            sum(|part| part.reads),
            sum(|part| part.read_ink),
            sum(|part| part.compute_ink),
            sum(|part| part.multiply_adds),
        ));
        let mut page = Table::new(header, rows).markdown();
        let (ink, production) = (self.ink(), self.production_ink);
        page += &format!(
            "\nMean of {} images. The marks took {} ink, which is in no part. The program without them takes {} ink in all: \
             the parts add up to {:.2} % of it. Its transaction takes {} gas: {} for itself and the calldata, {} to start the \
             program, {} of ink.\n",
            thousands(self.samples as u64),
            thousands(self.mark_ink),
            thousands(production),
            100.0 * ink as f64 / production.max(1) as f64,
            thousands(self.production_gas),
            thousands(self.intrinsic_gas),
            thousands(self.start_gas),
            thousands(gas(production)),
        );
        page
    }
}
