//! The result of `inkling exactness`: whether every contract computes what the reference does.

use super::{
    comparison::Refusal,
    table::{Table, thousands},
};
use crate::artifacts::Contract;
use alloy::primitives::B256;
use serde::{Deserialize, Serialize};

/// Contracts and models, each with each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exactness {
    /// One row for each contract with a model in it.
    pub rows: Vec<ExactnessRow>,
    /// Contracts that do not take a model.
    pub refusals: Vec<Refusal>,
}

/// A contract with a model in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExactnessRow {
    /// The model's name.
    pub model: String,
    /// Its hash.
    pub model_hash: B256,
    /// The contract.
    pub contract: Contract,
    /// SHA-256 of its program, see [`crate::artifacts::Program::sha256`].
    pub sha256: String,
    /// Images, from the first of the test set on.
    pub images: usize,
    /// Images for which a logit is not the reference's.
    pub logits_differ: Vec<usize>,
    /// Images, from the first on, whose digit was asked for by `classifyBatch`.
    pub batched: usize,
    /// Images whose digit is not the reference's.
    pub digits_differ: Vec<usize>,
}

impl ExactnessRow {
    /// Whether everything is equal.
    pub fn agrees(&self) -> bool {
        self.logits_differ.is_empty() && self.digits_differ.is_empty()
    }
}

impl Exactness {
    /// The report for people.
    pub fn markdown(&self) -> String {
        format!(
            "# Bit-exactness\n\n\
             Written by `inkling exactness`. For each image all logits, and the digit as `classifyBatch` gives it, were \
             compared with the reference forward pass, on the embedded chain.\n\n{}",
            self.tables()
        )
    }

    /// The table alone, and what was left out.
    pub fn tables(&self) -> String {
        let header = ["model", "contract", "images", "logits equal", "batched", "digits equal"];
        let row = |row: &ExactnessRow| {
            let equal = |all: usize, differ: &[usize]| thousands((all - differ.len()) as u64);
            vec![
                row.model.clone(),
                row.contract.to_string(),
                thousands(row.images as u64),
                equal(row.images, &row.logits_differ),
                thousands(row.batched as u64),
                equal(row.batched, &row.digits_differ),
            ]
        };
        let mut page = Table::new(header, self.rows.iter().map(row)).markdown();
        if !self.refusals.is_empty() {
            page.push('\n');
        }
        for Refusal { contract, model, reason } in &self.refusals {
            page += &format!("* {contract} does not take {model}: {reason}.\n");
        }
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_in_words() {
        let row = ExactnessRow {
            model: "m".into(),
            model_hash: B256::ZERO,
            contract: Contract::YulCode,
            sha256: String::new(),
            images: 1_000,
            logits_differ: vec![3, 4],
            batched: 64,
            digits_differ: vec![],
        };
        let (model, reason) = ("m".into(), "BadHeader { offset: 4 }".into());
        let refusals = vec![Refusal { contract: Contract::Naive, model, reason }];
        assert!(!row.agrees());
        let expected = "\
| model | contract | images | logits equal | batched | digits equal |
| ----- | -------: | -----: | -----------: | ------: | -----------: |
| m     | Yul code |  1,000 |          998 |      64 |           64 |

* Naive does not take m: BadHeader { offset: 4 }.
";
        assert_eq!(Exactness { rows: vec![row], refusals }.tables(), expected);
    }
}
