//! The frontier: accuracy against gas, for each model in each contract. Made of a [`Comparison`], measured nowhere else.

use super::{
    comparison::{Comparison, Original, Refusal, Twin},
    comparison_tables::decimals,
    table::{Table, percent, thousands},
};
use crate::artifacts::Contract;
use serde::{Deserialize, Serialize};
use std::{fs, path::Path};

/// Accuracy against gas.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Frontier {
    /// The points, model by model.
    pub points: Vec<Point>,
    /// Contracts that do not take a model, or not in a transaction.
    pub absent: Vec<Refusal>,
    /// What the original project reports of itself.
    pub original: Original,
}

/// A model in a contract.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The model's name.
    pub model: String,
    /// What it is tested on.
    pub data: String,
    /// Its 32-byte words.
    pub words: usize,
    /// Images of the whole test set whose class is right.
    pub correct: usize,
    /// Images of the whole test set.
    pub images: usize,
    /// The contract.
    pub contract: Contract,
    /// Mean gas of a transaction; of a Stylus program, cached.
    pub gas: u64,
    /// The same of a Stylus program that is not cached.
    pub uncached_gas: Option<u64>,
    /// The least gas with which its words can be read: [`super::Reads::floor`].
    pub floor: Option<u64>,
    /// The same images by the strongest Solidity of the same home.
    pub twin: Option<Twin>,
}

impl Point {
    /// Share of the test images, 0–1.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.images.max(1) as f64
    }
}

impl Frontier {
    /// What `inkling compare` wrote into this folder, if it is there and can be read.
    pub fn read(dir: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(dir.join("frontier.json")).ok()?).ok()
    }

    /// The points that a comparison measured.
    pub fn of(comparison: &Comparison) -> Self {
        let mut points = Vec::new();
        for model in &comparison.models {
            for row in comparison.rows_of(&model.name) {
                let Some(best) = row.best() else { continue };
                let uncached = row.classify.iter().find(|way| way.cached == Some(false));
                points.push(Point {
                    model: model.name.clone(),
                    data: model.data.clone(),
                    words: model.words,
                    correct: model.test_correct,
                    images: model.test_images,
                    contract: row.deployment.contract,
                    gas: best.transaction_gas.mean,
                    uncached_gas: uncached.map(|way| way.transaction_gas.mean),
                    floor: row.reads.map(|reads| reads.floor),
                    twin: row.twin,
                });
            }
        }
        let dear = comparison.rows.iter().filter(|row| row.best().is_none());
        let dear = dear.map(|row| Refusal {
            contract: row.deployment.contract,
            model: row.deployment.model.clone(),
            reason: format!("needs {} gas", thousands(row.too_dear.unwrap_or_default())),
        });
        let absent = comparison.refusals.iter().cloned().chain(dear).collect();
        Self { points, absent, original: comparison.original.clone() }
    }

    /// The report for people; `name` is the plot's, without `.png`.
    pub fn markdown(&self, name: &str) -> String {
        format!(
            "# Accuracy against gas\n\n\
             Made by `inkling compare` of the figures in [compare.md](compare.md), which says what they mean. {}\n\n\
             {}\n{}![Accuracy against gas]({name}.png)\n",
            Self::EXPLANATION,
            self.table().markdown(),
            self.absent_line().map_or(String::new(), |line| line + "\n\n"),
        )
    }

    /// What its figures mean.
    pub(super) const EXPLANATION: &str = "Accuracy is over the whole test set, gas the mean of transactions with an image each. \
         *÷ Yul* is Stylus over the strongest Solidity of the same home (of baked weights: with weights in code), by gas of \
         the transaction, by execution gas and by compute gas.";

    /// Which points are missing, and why.
    pub(super) fn absent_line(&self) -> Option<String> {
        let line = |absent: &Refusal| {
            let Refusal { contract, model, reason } = absent;
            format!("{contract} with {model} ({reason})")
        };
        let list: Vec<String> = self.absent.iter().map(line).collect();
        let why =
            "Not there, because a contract does not take the model or no transaction gets the gas";
        (!list.is_empty()).then(|| format!("{why}: {}.", list.join(", ")))
    }

    /// The table alone.
    pub fn table(&self) -> Table {
        let header = [
            "model",
            "data",
            "accuracy",
            "words",
            "contract",
            "gas",
            "not cached",
            "÷ floor",
            "÷ Yul",
            "execution",
            "compute",
        ];
        let row = |point: &Point| {
            let ratios = point.twin.filter(|_| point.contract.is_stylus());
            let ratios = ratios.map_or([None; 3], |twin| twin.ratios());
            let over = point.floor.map(|floor| point.gas as f64 / floor.max(1) as f64);
            let mut cells = vec![
                point.model.clone(),
                point.data.clone(),
                percent(point.correct, point.images),
                thousands(point.words as u64),
                point.contract.to_string(),
                thousands(point.gas),
                point.uncached_gas.map_or("–".into(), thousands),
                decimals(over, 3),
            ];
            cells.extend(ratios.map(|ratio| decimals(ratio, 3)));
            cells
        };
        let mut rows: Vec<Vec<String>> = self.points.iter().map(row).collect();
        let Original { samples, correct, gas, .. } = &self.original;
        let mut original = vec![
            "original".into(),
            "mnist".into(),
            percent(*correct, *samples),
            "–".into(),
            "Solidity".into(),
            thousands(gas.mean),
        ];
        original.resize(header.len(), "–".into());
        rows.push(original);
        Table::new(header, rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Means;

    #[test]
    fn points_in_words() {
        let own = Means { transaction: 60_000, execution: 40_000, compute: Some(5_000) };
        let twin = Means { transaction: 300_000, execution: 280_000, compute: Some(200_000) };
        let stylus = Point {
            model: "small".into(),
            data: "mnist".into(),
            words: 28,
            correct: 9_921,
            images: 10_000,
            contract: Contract::Stylus,
            gas: 60_000,
            uncached_gas: Some(70_000),
            floor: Some(50_000),
            twin: Some(Twin { images: 9, own, twin }),
        };
        let yul = Point {
            contract: Contract::Yul,
            uncached_gas: None,
            twin: Some(Twin { images: 9, own: twin, twin }),
            ..stylus.clone()
        };
        let (contract, model) = (Contract::Packed, "small".into());
        let absent = vec![Refusal { contract, model, reason: "needs 40,000,000 gas".into() }];
        let (points, original) = (vec![stylus, yul], Original::published());
        let frontier = Frontier { points, absent, original };
        let expected = "\
| model    |  data | accuracy | words | contract |        gas | not cached | ÷ floor | ÷ Yul | execution | compute |
| -------- | ----: | -------: | ----: | -------: | ---------: | ---------: | ------: | ----: | --------: | ------: |
| small    | mnist |  99.21 % |    28 |   Stylus |     60,000 |     70,000 |   1.200 | 0.200 |     0.143 |   0.025 |
| small    | mnist |  99.21 % |    28 |      Yul |     60,000 |          – |   1.200 |     – |         – |       – |
| original | mnist |  93.80 % |     – | Solidity | 41,036,311 |          – |       – |     – |         – |       – |
";
        assert_eq!(frontier.table().markdown(), expected);
        let page = frontier.markdown("frontier");
        assert!(page.ends_with("(frontier.png)\n"));
        assert!(page.contains("gets the gas: Packed with small (needs 40,000,000 gas).\n"));
        let json = serde_json::to_string(&frontier).unwrap();
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Frontier::read(dir.path()), None);
        fs::write(dir.path().join("frontier.json"), json).unwrap();
        assert_eq!(Frontier::read(dir.path()), Some(frontier));
    }
}
