//! The report of `inkling compare` on a live chain.

use super::{
    comparison_tables::decimals,
    evaluation::{Evaluation, GasBy},
    price::GasPrice,
    table::{Table, percent, thousands},
};
use crate::networks;
use alloy::primitives::U256;
use serde::{Deserialize, Serialize};

/// Contracts on a live chain, side by side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LiveComparison {
    /// Which chain.
    pub chain_id: u64,
    /// Images that each was asked about, from the first of the test set on.
    pub samples: usize,
    /// How gas was found out.
    pub gas_by: GasBy,
    /// The contracts, each by itself.
    pub evaluations: Vec<Evaluation>,
}

impl LiveComparison {
    /// Name of the files: chain, models, each once, and images.
    pub fn file_stem(&self) -> String {
        let mut names: Vec<&str> = self.evaluations.iter().map(|it| &it.model[..]).collect();
        names.dedup();
        format!("compare-{}-{}-{}", self.chain_id, names.join("-"), self.samples)
    }

    /// Name of the report.
    pub(super) fn title(&self) -> String {
        format!("Contracts on {}, compared", networks::name(self.chain_id))
    }

    /// How it was made, and what the figures mean.
    pub(super) fn introduction(&self) -> String {
        let Self { chain_id, samples, gas_by, .. } = self;
        format!(
            "Written by `inkling compare` on chain {chain_id}: {} images each, gas by {gas_by}. Digit and all logits of each \
             image were compared with the reference: column *agree*. *÷ least* is the mean over that of the cheapest \
             contract with the same model. *L1* is gas beside it that pays for posting to L1, and is part of the cost.",
            thousands(*samples as u64),
        )
    }

    /// The report for people; `name` is the plot's, without `.png`.
    pub fn markdown(&self, name: &str) -> String {
        let (title, introduction) = (self.title(), self.introduction());
        let mut page = format!("# {title}\n\n{introduction}\n\n{}\n", self.table().markdown());
        if self.evaluations.iter().any(|it| it.transaction_gas.is_some()) {
            page += &format!("![Gas of one classification]({name}.png)\n");
        }
        page
    }

    /// The table alone.
    pub fn table(&self) -> Table {
        const NONE: &str = "–";
        let first = self.evaluations.first();
        let price = first.map_or(GasPrice { wei: 0, eth_price: None }, Evaluation::price);
        let header = [
            "model",
            "contract",
            "accuracy",
            "agree",
            "cached",
            "mean gas",
            "min",
            "max",
            "execution",
            "÷ least",
            "L1",
        ];
        let header = header.into_iter().chain(price.header()).chain(["address"]);
        let header: Vec<&str> = header.collect();
        let row = |one: &Evaluation| {
            let gas = one.transaction_gas;
            let figure = |number: Option<u64>| number.map_or(NONE.into(), thousands);
            let same = self.evaluations.iter().filter(|other| other.model == one.model);
            let least = same.filter_map(|other| other.transaction_gas).map(|gas| gas.mean).min();
            let ratio = gas.zip(least).map(|(gas, least)| gas.mean as f64 / least.max(1) as f64);
            let agree = one.samples - one.disagreements.len();
            let cached = match (one.contract.is_stylus(), one.cached) {
                (true, true) => "yes",
                (true, false) => "no",
                (false, _) => NONE,
            };
            let mut cells = vec![
                one.model.clone(),
                one.contract.to_string(),
                percent(one.correct, one.samples),
                percent(agree, one.samples),
                cached.into(),
                figure(gas.map(|gas| gas.mean)),
                figure(gas.map(|gas| gas.min)),
                figure(gas.map(|gas| gas.max)),
                figure(one.execution_gas.map(|gas| gas.mean)),
                decimals(ratio, 3),
                figure(one.l1_gas.map(|gas| gas.mean)),
            ];
            if let Some(gas) = one.cost_gas() {
                cells.extend(one.price().cells(gas, U256::ZERO));
            }
            cells.resize(header.len() - 1, NONE.into());
            cells.push(one.address.map_or(NONE.into(), |address| address.to_string()));
            cells
        };
        let rows: Vec<_> = self.evaluations.iter().map(row).collect();
        Table::new(header, rows)
    }
}
