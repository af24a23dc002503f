//! `reports/compare.md`: the comparison for people.

use super::{
    comparison::{Comparison, ModelSummary, Original, Refusal, Row, SolidityBuild, Twin},
    table::{Table, percent, thousands},
};
use crate::{
    artifacts::Contract,
    measure::{BATCH, TRACED},
};

/// A cell without a figure.
const NONE: &str = "–";

impl Comparison {
    /// The report for people; `name` is the plot's, without `.png`.
    pub fn markdown(&self, name: &str) -> String {
        let mut page = format!("# {}\n\nWritten by `inkling compare`. ", Self::TITLE);
        page += &Self::explanation().join("\n\n");
        page += "\n\n";
        page += &self.tables();
        page += &format!("\nSolidity: {}.\n\n", self.solidity_line());
        page += &format!("![Gas of one classification]({name}.png)\n");
        page
    }

    /// Heading of the report.
    pub(super) const TITLE: &str = "Gas of the contracts, compared";

    /// What its figures mean.
    pub(super) fn explanation() -> [String; 3] {
        [
            format!(
                "Gas is that of the receipt (`gasUsed` less `gasUsedForL1`), each image classified by a transaction of its \
                 own on the embedded chain; execution gas is the same less 21,000 and the calldata. Each digit and all \
                 logits were compared with the reference: column *agree*. A contract that takes much gas classifies fewer \
                 images. *Estimate* is by how much `eth_estimateGas` exceeds the transaction, over the first images only. \
                 *Batch* is the gas an image of a transaction that classifies {BATCH}, if a transaction gets that much."
            ),
            format!(
                "The *floor* is 21,000, the calldata, 2,100 for each slot read and, with weights in code, 2,600 for the \
                 account that holds them. *Slots* are slot 0, those of a long header and the words that the native kernel \
                 asks for; the traces of Stylus programs show the same number. *Compute* is execution gas less reads: of a \
                 Stylus program its ink less that of the hostios that read slots or code, by traces of the first {TRACED} \
                 images (what starting the program costs is no ink), of Solidity execution gas less 2,100 a slot and 2,600 \
                 an account. *÷ Yul* compares with the strongest Solidity of the same home (of `Stylus baked`: with `Yul \
                 code`), by transaction, execution and compute gas, over the images that both classified."
            ),
            "*Upload* is `beginModel` and all chunks; *activation* was measured by itself, in a transaction that does \
             nothing else."
                .into(),
        ]
    }

    /// The tables alone, as they are shown in the terminal.
    pub fn tables(&self) -> String {
        let mut page = String::new();
        for model in &self.models {
            page += &format!("## {}: {}\n\n{}\n\n", model.name, model.shape, model.line());
            page += &self.classify_table(&model.name).markdown();
            page.push('\n');
            page += &self.compute_table(&model.name, model.multiply_adds).markdown();
            page.push('\n');
            page += &self.deployment_table(&model.name).markdown();
            page.push('\n');
            let notes = self.notes(&model.name);
            for note in &notes {
                page += &format!("* {note}\n");
            }
            if !notes.is_empty() {
                page.push('\n');
            }
        }
        page += &format!("{}\n\n", self.original_line());
        page += &self.program_table().markdown();
        page
    }

    pub(super) fn classify_table(&self, model: &str) -> Table {
        let header = [
            "classify",
            "images",
            "accuracy",
            "agree",
            "mean gas",
            "min",
            "max",
            "execution",
            "estimate",
            "batch",
        ];
        let mut rows = Vec::new();
        for row in self.rows_of(model) {
            for classify in row.classify.iter().rev() {
                let gas = classify.transaction_gas;
                let batch = row.batch_gas.filter(|_| classify.cached != Some(false));
                rows.push(vec![
                    classify.label(row.deployment.contract),
                    thousands(row.samples as u64),
                    percent(row.correct, row.samples),
                    percent(row.samples - row.disagreements.len(), row.samples),
                    thousands(gas.mean),
                    thousands(gas.min),
                    thousands(gas.max),
                    thousands(classify.execution_gas.mean),
                    classify.estimate.excess(),
                    batch.map_or(NONE.into(), thousands),
                ]);
            }
        }
        for contract in self.unmeasured(model) {
            let mut cells = vec![contract.to_string(), "0".into()];
            cells.resize(header.len(), NONE.into());
            rows.push(cells);
        }
        Table::new(header, rows)
    }

    pub(super) fn compute_table(&self, model: &str, multiply_adds: usize) -> Table {
        let header = [
            "of it",
            "floor",
            "÷ floor",
            "slots",
            "compute",
            "a multiply-add",
            "÷ Yul",
            "execution",
            "compute",
        ];
        let mut rows = Vec::new();
        for row in self.rows_of(model).filter(|row| row.best().is_some()) {
            let label =
                row.best().map_or(String::new(), |best| best.label(row.deployment.contract));
            let reads = row.reads;
            let ratios = row.twin.map_or([None; 3], |twin| twin.ratios());
            let mut cells = vec![
                label,
                reads.map_or(NONE.into(), |reads| thousands(reads.floor)),
                decimals(row.over_floor(), 3),
                reads.map_or(NONE.into(), |reads| thousands(reads.slots.mean)),
                row.compute_gas.map_or(NONE.into(), thousands),
                decimals(row.compute_each(multiply_adds), 4),
            ];
            cells.extend(ratios.map(|ratio| decimals(ratio, 3)));
            rows.push(cells);
        }
        Table::new(header, rows)
    }

    pub(super) fn deployment_table(&self, model: &str) -> Table {
        let header = [
            "deploy",
            "create",
            "of it activation",
            "upload",
            "transactions",
            "finalize",
            "total gas",
            "data fee (wei)",
        ];
        let row = |row: &Row| {
            let done = &row.deployment;
            let upload = done.gas("begin") + done.gas("upload");
            let data_fee = row.activation_gas.map(|_| done.data_fee_wei.to_string());
            vec![
                done.contract.to_string(),
                thousands(done.gas("create")),
                row.activation_gas.map_or(NONE.into(), thousands),
                thousands(upload),
                (done.transactions("begin") + done.transactions("upload")).to_string(),
                thousands(done.gas("finalize")),
                thousands(done.gas("")),
                data_fee.unwrap_or(NONE.into()),
            ]
        };
        Table::new(header, self.rows_of(model).map(row))
    }

    /// Contracts whose cost of a classification is not known.
    fn unmeasured(&self, model: &str) -> Vec<Contract> {
        let dear = self.rows_of(model).filter(|row| row.best().is_none());
        let refusals = self.refusals.iter().filter(|refusal| refusal.model == model);
        let mut contracts: Vec<Contract> = dear
            .map(|row| row.deployment.contract)
            .chain(refusals.map(|refusal| refusal.contract))
            .collect();
        contracts.sort();
        contracts
    }

    /// Why figures are missing.
    pub(super) fn notes(&self, model: &str) -> Vec<String> {
        let mut notes = Vec::new();
        for row in self.rows_of(model) {
            if let Some(gas) = row.too_dear {
                notes.push(format!(
                    "{}: test image {} needs {} gas, more than a transaction gets.",
                    row.deployment.contract,
                    row.samples,
                    thousands(gas)
                ));
            }
        }
        for Refusal { contract, reason, .. } in self.refusals.iter().filter(|r| r.model == model) {
            let takes = match contract {
                Contract::Naive => {
                    " (it takes dense layers of more than 512 weights, of 8 bits, only)"
                }
                _ => "",
            };
            notes.push(format!("{contract}: {reason}{takes}."));
        }
        notes
    }

    pub(super) fn original_line(&self) -> String {
        let Original { shape, samples, correct, gas } = &self.original;
        format!(
            "The original project (duoxehyon/evm-neural-network, {shape}), as its README reports: {} of {} images right, \
             {} gas an image ({} to {}).",
            percent(*correct, *samples),
            thousands(*samples as u64),
            thousands(gas.mean),
            thousands(gas.min),
            thousands(gas.max),
        )
    }

    /// What starting the Stylus programs costs; a program for many models stands there once.
    pub(super) fn program_table(&self) -> Table {
        let header = ["Stylus program", "sha256", "bytes", "code", "init gas", "cached", "pages"];
        let mut rows: Vec<Vec<String>> = Vec::new();
        for row in &self.rows {
            let (Some(build), Some(costs)) = (&row.build, row.program) else { continue };
            let contract = row.deployment.contract;
            let sha256: String = build.sha256.chars().take(8).collect();
            if rows.iter().any(|row| row[1] == sha256) {
                continue;
            }
            let label = match contract {
                Contract::StylusBaked => format!("{contract}: {}", row.deployment.model),
                _ => contract.to_string(),
            };
            let beyond = costs.pages.saturating_sub(costs.free_pages);
            let pages = match beyond {
                0 => costs.pages.to_string(),
                _ => format!("{} ({beyond} to pay)", costs.pages),
            };
            rows.push(vec![
                label,
                sha256,
                thousands(build.bytes as u64),
                thousands(build.compressed_bytes as u64),
                thousands(costs.init_gas),
                thousands(costs.cached_init_gas),
                pages,
            ]);
        }
        Table::new(header, rows)
    }

    pub(super) fn solidity_line(&self) -> String {
        let SolidityBuild { compiler, settings } = &self.solidity;
        let mut line = format!("{compiler}, `{settings}`; sha256");
        let mut separator = "";
        for contract in Contract::ALL.into_iter().filter(|contract| !contract.is_stylus()) {
            let mut rows = self.rows.iter();
            if let Some(row) = rows.find(|row| row.deployment.contract == contract) {
                line += &format!("{separator} {contract} `{}`", row.sha256);
                separator = ",";
            }
        }
        line
    }
}

impl ModelSummary {
    /// Its size and its accuracy.
    pub(super) fn line(&self) -> String {
        format!(
            "{} words, {} multiply-adds. Accuracy on all {} test images of {} (native kernel): {}",
            thousands(self.words as u64),
            thousands(self.multiply_adds as u64),
            thousands(self.test_images as u64),
            self.data,
            percent(self.test_correct, self.test_images),
        )
    }
}

impl Twin {
    /// Its transaction, execution and compute gas over the twin's.
    pub fn ratios(&self) -> [Option<f64>; 3] {
        let Self { own, twin, .. } = self;
        let ratio = |own: u64, twin: u64| own as f64 / twin.max(1) as f64;
        [
            Some(ratio(own.transaction, twin.transaction)),
            Some(ratio(own.execution, twin.execution)),
            own.compute.zip(twin.compute).map(|(own, twin)| ratio(own, twin)),
        ]
    }
}

/// A number with so many decimals.
pub(super) fn decimals(number: Option<f64>, places: usize) -> String {
    number.map_or(NONE.into(), |number| format!("{number:.places$}"))
}
