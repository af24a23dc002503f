//! The report of `inkling evaluate`.

use super::{
    price::GasPrice,
    table::{Table, percent, round_step, thousands},
};
use crate::{artifacts::Contract, gas::Stats};
use alloy::primitives::{Address, B256};
use clap::ValueEnum;
use serde::{Deserialize, Serialize, Serializer, ser::Error as _};
use std::fmt;

/// The result of `inkling evaluate`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The model's name.
    pub model: String,
    /// Widths of input and layers.
    pub shape: String,
    /// The model's hash.
    pub model_hash: B256,
    /// The contract.
    pub contract: Contract,
    /// SHA-256 of its program, see [`crate::artifacts::Program::sha256`]; `None` on an endpoint, which has its own.
    pub sha256: Option<String>,
    /// Where it stands.
    pub chain_id: u64,
    /// Its address; `None` on an embedded chain, which ends with the command.
    pub address: Option<Address>,
    /// How the gas was found out.
    pub gas_by: GasBy,
    /// Whether it is a Stylus program that is in ArbOS's cache.
    pub cached: bool,
    /// Images, from the first of the test set on.
    pub samples: usize,
    /// Images whose digit the contract got right.
    pub correct: usize,
    /// Images for which digit or logits are not the reference's.
    pub disagreements: Vec<usize>,
    /// How often digit `[row]` was taken for `[column]`.
    pub confusion: Vec<Vec<u32>>,
    /// Images whose digit the contract got wrong.
    #[serde(serialize_with = "a_line_each")]
    pub misread: Vec<Misread>,
    /// Gas of the whole transaction; `None`, as the next three, with [`GasBy::Call`].
    pub transaction_gas: Option<Stats>,
    /// The same less 21,000 and the calldata.
    pub execution_gas: Option<Stats>,
    /// Gas beside it that pays for posting to L1; 0 on a chain that charges nothing for it.
    pub l1_gas: Option<Stats>,
    /// Transaction gas in classes of equal width.
    pub histogram: Option<Histogram>,
    /// Wei a gas, on that chain when the evaluation began.
    pub gas_price_wei: u64,
    /// Dollars an ether, if that was given.
    pub eth_price: Option<f64>,
}

/// How the gas of a classification is found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum GasBy {
    /// Not at all: `eth_call` tells no gas.
    Call,
    /// By `eth_estimateGas`, which says somewhat more than a transaction pays.
    Estimate,
    /// By a transaction for each image, which is paid for.
    Transaction,
}

impl fmt::Display for GasBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Call => "calls",
            Self::Estimate => "estimates",
            Self::Transaction => "whole transactions",
        })
    }
}

/// An image whose digit the contract got wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Misread {
    /// Its index in the test set.
    pub image: usize,
    /// What it shows.
    pub label: u8,
    /// What the contract took it for.
    pub digit: u8,
    /// The contract's logits.
    pub logits: Vec<i32>,
}

/// Figures counted in classes of equal width.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    /// Where the first class begins.
    pub start: u64,
    /// Width of a class.
    pub width: u64,
    /// Figures in each class.
    pub counts: Vec<u32>,
}

/// Also where the report is written with a line for each value.
fn a_line_each<S: Serializer>(misread: &[Misread], serializer: S) -> Result<S::Ok, S::Error> {
    let lines = misread.iter().map(serde_json::value::to_raw_value);
    let lines = lines.collect::<Result<Vec<_>, _>>().map_err(S::Error::custom)?;
    serializer.collect_seq(lines)
}

impl Histogram {
    /// Of these figures, in some 40 classes; their width is 1, 2 or 5 times a power of ten.
    pub fn of(figures: &[u64]) -> Self {
        let Stats { min, max, .. } = Stats::of(figures);
        let width = round_step((max - min) / 40);
        let start = min / width * width;
        let mut counts = vec![0; ((max - start) / width + 1) as usize];
        for figure in figures {
            counts[((figure - start) / width) as usize] += 1;
        }
        Self { start, width, counts }
    }
}

impl Evaluation {
    /// Name of the files: that of the committed report is for all images by transactions with Stylus on the embedded chain
    /// only.
    pub fn file_stem(&self) -> String {
        let Self { model, contract, samples, chain_id, .. } = self;
        let committed = *contract == Contract::Stylus && *samples == 10_000;
        let name = format!("evaluate-{model}-{}-{samples}", contract.argument());
        match (self.address, self.gas_by) {
            (None, GasBy::Transaction) if committed => format!("evaluate-{model}"),
            (None, _) => name,
            (Some(_), _) => format!("{name}-{chain_id}"),
        }
    }

    /// Share of images that are read right, with which these figures can be explained: between these two with a
    /// confidence of 95 % (Wilson's score interval), 0–1.
    pub fn interval(&self) -> [f64; 2] {
        // The quantile 0.975 of the standard normal distribution.
        const Z: f64 = 1.959_963_984_540_054;
        let n = self.samples.max(1) as f64;
        let (share, z) = (self.correct as f64 / n, Z * Z / n);
        let middle = share + z / 2.0;
        let half = (z * (share * (1.0 - share) + z / 4.0)).sqrt();
        [middle - half, middle + half].map(|bound| bound / (1.0 + z))
    }

    /// What gas cost there.
    pub(super) fn price(&self) -> GasPrice {
        GasPrice { wei: self.gas_price_wei, eth_price: self.eth_price }
    }

    /// Gas that one image is paid for, on average: also that for posting it to L1.
    pub(super) fn cost_gas(&self) -> Option<u64> {
        let l1_gas = self.l1_gas.map_or(0, |gas| gas.mean);
        self.transaction_gas.map(|gas| gas.mean + l1_gas)
    }

    /// Heading of the report.
    pub(super) fn title(&self) -> String {
        format!("{} in the {} contract", self.model, self.contract)
    }

    /// How it was made.
    pub(super) fn introduction(&self) -> String {
        let Self { model, contract, samples, gas_by, .. } = self;
        let contract = contract.argument();
        let mut command =
            format!("inkling evaluate --model {model} --contract {contract} --samples {samples}");
        if let Some(address) = self.address {
            command += &format!(" --address {address}");
        }
        format!("Written by `{command}`: gas by {gas_by}.")
    }

    /// The report for people.
    pub fn markdown(&self) -> String {
        let Self { shape, chain_id, .. } = self;
        let mut page = format!("# {}\n\n{} ", self.title(), self.introduction());
        let cached = if self.cached { ", program cached" } else { "" };
        page += &format!("Network {shape}, chain {chain_id}{cached}. ");
        page += "Digit and all logits of each image were compared with the reference.";
        if let Some(sha256) = &self.sha256 {
            page += &format!(" Program: sha256 `{sha256}`.");
        }
        page += &format!("\n\n{}\n", self.tables());
        if self.histogram.is_some() {
            page += &format!("![Gas histogram]({}.png)\n", self.file_stem());
        }
        page
    }

    /// The tables alone, as they are shown in the terminal.
    pub fn tables(&self) -> String {
        let agree = self.samples - self.disagreements.len();
        let gas = |stats: Stats| [stats.mean, stats.min, stats.max].map(thousands);
        let kind = match self.gas_by {
            GasBy::Transaction => "gas of a transaction",
            _ => "gas (estimate)",
        };
        let mut rows = Vec::new();
        let l1_gas = self.l1_gas.filter(|gas| gas.max > 0);
        for (name, stats) in [
            (kind, self.transaction_gas),
            ("execution gas", self.execution_gas),
            ("gas for L1", l1_gas),
        ] {
            if let Some(stats) = stats {
                rows.push([vec![name.to_owned()], gas(stats).to_vec()].concat());
            }
        }
        let mut page = format!(
            "{} images: {} correct ({}); digit and all logits are the reference's for {} ({}).\n\n",
            thousands(self.samples as u64),
            thousands(self.correct as u64),
            percent(self.correct, self.samples),
            thousands(agree as u64),
            percent(agree, self.samples),
        );
        if !rows.is_empty() {
            page += &Table::new(["", "mean", "min", "max"], rows).markdown();
            page.push('\n');
        }
        page += "Confusion matrix (row: the digit, column: the contract's answer):\n\n";
        let header =
            [String::new()].into_iter().chain((0..self.confusion.len()).map(|c| c.to_string()));
        let row = |(digit, row): (usize, &Vec<u32>)| {
            [format!("**{digit}**")].into_iter().chain(row.iter().map(u32::to_string)).collect()
        };
        page += &Table::new(header, self.confusion.iter().enumerate().map(row)).markdown();
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tiny_evaluation;

    #[test]
    fn histograms() {
        let histogram = Histogram::of(&[100, 101, 119, 300]);
        assert_eq!((histogram.start, histogram.width), (100, 5));
        assert_eq!(histogram.counts.len(), 41);
        assert_eq!([0, 3, 40].map(|class| histogram.counts[class]), [2, 1, 1]);
        assert_eq!(Histogram::of(&[7, 7]).counts, [2]);
    }

    #[test]
    fn an_evaluation_in_words() {
        let evaluation = tiny_evaluation();
        let expected = "\
4 images: 3 correct (75.00 %); digit and all logits are the reference's for 3 (75.00 %).

|                      |  mean | min |   max |
| -------------------- | ----: | --: | ----: |
| gas of a transaction | 2,000 |   1 | 3,000 |
| execution gas        |     2 |   1 |     3 |

Confusion matrix (row: the digit, column: the contract's answer):

|       |   0 |   1 |
| ----- | --: | --: |
| **0** |   2 |   0 |
| **1** |   1 |   1 |
";
        assert_eq!(evaluation.tables(), expected);
        let interval = evaluation.interval().map(|share| (share * 1e6).round());
        assert_eq!(interval, [300_642.0, 954_413.0]);
        let page = evaluation.markdown();
        assert!(page.contains("Program: sha256 `ab12`."));
        assert!(page.ends_with("(evaluate-m-packed-4.png)\n"));
        let contract = Contract::Stylus;
        let all = Evaluation { contract, samples: 10_000, ..evaluation.clone() };
        assert_eq!(all.file_stem(), "evaluate-m");
        let there = Evaluation { address: Some(Address::ZERO), ..all };
        assert_eq!(there.file_stem(), "evaluate-m-stylus-10000-412346");
        let json = serde_json::to_string_pretty(&evaluation).unwrap();
        let line = r#"    {"image":3,"label":1,"digit":0,"logits":[5,-5]}"#;
        assert!(json.lines().any(|other| other == line), "{json}");
        assert_eq!(serde_json::json!(evaluation)["misread"][0]["logits"][1], -5);
        assert_eq!(serde_json::from_str::<Evaluation>(&json).unwrap(), evaluation);
    }
}
