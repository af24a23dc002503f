//! Reports: figures as JSON for programs and as Markdown for people.
//!
//! Nothing here depends on the clock or the machine, so a report changes only where a figure does.

use crate::{
    Error, artifacts::Contract, classifier::ProgramCosts, deployment::Deployment, gas::Stats,
};
use alloy::primitives::B256;
use serde::{Deserialize, Serialize};
use std::{
    fmt::{self, Write as _},
    io::Write as _,
    path::Path,
};

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
    /// SHA-256 of its program, see [`crate::artifacts::sha256`]; `None` on an endpoint, which has its own.
    pub sha256: Option<String>,
    /// Where it stands.
    pub chain_id: u64,
    /// Whether the gas is that of transactions, not of estimates.
    pub by_transaction: bool,
    /// Whether it is a Stylus program that was cached; on an endpoint that is not known.
    pub cached: bool,
    /// Images, from the first of the test set on.
    pub samples: usize,
    /// Images whose digit the contract got right.
    pub correct: usize,
    /// Images for which digit or logits are not the reference's.
    pub disagreements: Vec<usize>,
    /// How often digit `[row]` was taken for `[column]`.
    pub confusion: Vec<Vec<u32>>,
    /// Gas of the whole transaction.
    pub transaction_gas: Stats,
    /// The same less 21,000 and the calldata.
    pub execution_gas: Stats,
    /// Transaction gas in classes of equal width.
    pub histogram: Histogram,
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

/// The least of 1, 2, 5, 10, 20, 50, … that is not below `step`.
pub fn round_step(step: u64) -> u64 {
    let power = 10u64.pow(step.max(1).ilog10());
    let found = [1, 2, 5].into_iter().map(|n| n * power).find(|&round| round >= step);
    found.unwrap_or(10 * power)
}

/// The result of `inkling compare`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// How the Stylus program was built.
    pub stylus: crate::artifacts::StylusBuild,
    /// The Solidity compiler and its settings.
    pub solidity: SolidityBuild,
    /// The models.
    pub models: Vec<ModelSummary>,
    /// One row for each contract with a model in it.
    pub rows: Vec<Row>,
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
    /// Widths of input and layers.
    pub shape: String,
    /// Its hash.
    pub hash: B256,
    /// Its 32-byte words.
    pub words: usize,
    /// Test images whose digit the native kernel gets right, of the whole test set.
    pub test_correct: usize,
    /// Images of the whole test set.
    pub test_images: usize,
}

/// A contract with a model in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What deploying it took.
    pub deployment: Deployment,
    /// SHA-256 of its program, see [`crate::artifacts::sha256`].
    pub sha256: String,
    /// Of the deployment's gas, what activation takes; Stylus only.
    pub activation_gas: Option<u64>,
    /// What starting the program costs; Stylus only.
    pub program: Option<ProgramCosts>,
    /// Images classified, from the first of the test set on.
    pub samples: usize,
    /// Images whose digit the contract got right.
    pub correct: usize,
    /// Images for which digit or logits are not the reference's.
    pub disagreements: Vec<usize>,
    /// What classifying cost: for Stylus uncached, then cached.
    pub classify: Vec<Classify>,
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
    /// Mean transaction gas of the images that every contract classified, for ratios.
    pub common_mean: u64,
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

impl Comparison {
    /// Whether every digit and all logits were the reference's.
    pub fn agrees(&self) -> bool {
        self.rows.iter().all(|row| row.disagreements.is_empty())
    }

    /// Rows of one model.
    pub fn rows_of<'a>(&'a self, model: &'a str) -> impl Iterator<Item = &'a Row> {
        self.rows.iter().filter(move |row| row.deployment.model == model)
    }

    /// Mean gas of a contract's classification over the images that all contracts classified; of Stylus, cached.
    pub fn common_mean(&self, model: &str, contract: Contract) -> Option<u64> {
        let row = self.rows_of(model).find(|row| row.deployment.contract == contract)?;
        row.classify.last().map(|classify| classify.common_mean)
    }

    /// The report for people; `name` is the plot's, without `.png`.
    pub fn markdown(&self, name: &str) -> String {
        let mut page =
            String::from("# Gas of the contracts, compared\n\nWritten by `inkling compare`. ");
        page += "Gas is that of the receipt (`gasUsed` less `gasUsedForL1`), each image classified by a transaction \
            of its own on the embedded chain; execution gas is the same less 21,000 and the calldata. Each digit and \
            all logits were compared with the reference: column *agree*. *Estimate* is by how much \
            `eth_estimateGas` exceeds the transaction, over the first images only. The ratios are of mean gas over the \
            images that all contracts classified. *Upload* is `beginModel` and all chunks; *activation* was \
            measured by itself, in a transaction that does nothing else.\n\n";
        page += &self.tables();
        let StylusLine { program, compiler } = self.builds();
        page += &format!("\nStylus program: {program}.\n\nSolidity: {compiler}.\n\n");
        page += &format!("![Gas of one classification]({name}.png)\n");
        page
    }

    /// The tables alone, as they are shown in the terminal.
    pub fn tables(&self) -> String {
        let mut page = String::new();
        for model in &self.models {
            let accuracy = percent(model.test_correct, model.test_images);
            page += &format!("## {}: {}, {} words\n\n", model.name, model.shape, model.words);
            page += &format!(
                "Accuracy on all {} test images (native kernel): {accuracy}\n\n",
                thousands(model.test_images as u64)
            );
            page += &self.classify_table(&model.name);
            page += "\nDeployment:\n\n";
            page += &self.deployment_table(&model.name);
            page.push('\n');
        }
        page += &self.program_table();
        page
    }

    fn classify_table(&self, model: &str) -> String {
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
            "÷ Packed",
            "÷ Naive",
        ];
        let ratio = |mean: u64, contract| match self.common_mean(model, contract) {
            Some(other) if other > 0 => format!("{:.3}", mean as f64 / other as f64),
            _ => "–".into(),
        };
        let mut rows = Vec::new();
        for row in self.rows_of(model) {
            for classify in row.classify.iter().rev() {
                let gas = classify.transaction_gas;
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
                    ratio(classify.common_mean, Contract::Packed),
                    ratio(classify.common_mean, Contract::Naive),
                ]);
            }
        }
        let Original { shape, samples, correct, gas } = &self.original;
        let mut original = vec![
            format!("original ({shape})"),
            thousands(*samples as u64),
            percent(*correct, *samples),
            "–".into(),
            thousands(gas.mean),
            thousands(gas.min),
            thousands(gas.max),
        ];
        original.resize(header.len(), "–".into());
        rows.push(original);
        table(&header, &rows)
    }

    fn deployment_table(&self, model: &str) -> String {
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
        let rows: Vec<_> = self
            .rows_of(model)
            .map(|row| {
                let done = &row.deployment;
                let upload = done.gas("begin") + done.gas("upload");
                vec![
                    done.contract.to_string(),
                    thousands(done.gas("create")),
                    row.activation_gas.map_or("–".into(), thousands),
                    thousands(upload),
                    (done.transactions("begin") + done.transactions("upload")).to_string(),
                    thousands(done.gas("finalize")),
                    thousands(done.gas("")),
                    match row.activation_gas {
                        Some(_) => done.data_fee_wei.to_string(),
                        None => "–".into(),
                    },
                ]
            })
            .collect();
        table(&header, &rows)
    }

    fn program_table(&self) -> String {
        let Some(costs) = self.rows.iter().find_map(|row| row.program) else {
            return String::new();
        };
        let header = ["Stylus program", "bytes", "code", "init gas", "cached", "pages", "page gas"];
        let page_gas = match costs.pages <= costs.free_pages {
            true => "0".into(),
            false => format!("for {} pages", costs.pages - costs.free_pages),
        };
        let row = vec![
            self.stylus.sha256.chars().take(8).collect(),
            thousands(self.stylus.bytes as u64),
            thousands(self.stylus.compressed_bytes as u64),
            thousands(costs.init_gas),
            thousands(costs.cached_init_gas),
            costs.pages.to_string(),
            page_gas,
        ];
        table(&header, &[row])
    }

    fn builds(&self) -> StylusLine {
        let build = &self.stylus;
        let program = format!("sha256 `{}`, {}, {}", build.sha256, build.rustc, build.wasm_opt);
        let SolidityBuild { compiler, settings } = &self.solidity;
        let mut compiler = format!("{compiler}, `{settings}`; sha256");
        let evm = Contract::ALL.into_iter().filter(|contract| !contract.is_stylus());
        for (n, contract) in evm.enumerate() {
            let row = self.rows.iter().find(|row| row.deployment.contract == contract);
            let sha256 = row.map_or("–", |row| &row.sha256);
            compiler += &format!("{} {contract} `{sha256}`", if n > 0 { "," } else { "" });
        }
        StylusLine { program, compiler }
    }
}

/// How the programs were built, in words.
struct StylusLine {
    program: String,
    compiler: String,
}

impl Evaluation {
    /// Name of the files: that of the committed report is for all images with Stylus on the embedded chain only.
    pub fn file_stem(&self) -> String {
        let Self { model, contract, samples, .. } = self;
        match self.cached && *samples == 10_000 {
            true => format!("evaluate-{model}"),
            false => format!("evaluate-{model}-{}-{samples}", contract.to_string().to_lowercase()),
        }
    }

    /// The report for people.
    pub fn markdown(&self) -> String {
        let Self { model, shape, contract, chain_id, samples, .. } = self;
        let mut page = format!("# {model} in the {contract} contract\n\n");
        page += &format!(
            "Written by `inkling evaluate --model {model} --contract {} --samples {samples}`. ",
            contract.to_string().to_lowercase()
        );
        let cached = if self.cached { ", program cached" } else { "" };
        page += &format!("Network {shape}, chain {chain_id}{cached}. ");
        page += "Digit and all logits of each image were compared with the reference.";
        if let Some(sha256) = &self.sha256 {
            page += &format!(" Program: sha256 `{sha256}`.");
        }
        page += &format!("\n\n{}\n", self.tables());
        page += &format!("![Gas histogram]({}.png)\n", self.file_stem());
        page
    }

    /// The tables alone, as they are shown in the terminal.
    pub fn tables(&self) -> String {
        let agree = self.samples - self.disagreements.len();
        let gas = |stats: Stats| [stats.mean, stats.min, stats.max].map(thousands);
        let kind = if self.by_transaction { "gas of a transaction" } else { "gas (estimate)" };
        let mut rows = Vec::new();
        for (name, stats) in [(kind, self.transaction_gas), ("execution gas", self.execution_gas)] {
            rows.push([vec![name.to_owned()], gas(stats).to_vec()].concat());
        }
        let mut page = format!(
            "{} images: {} correct ({}); digit and all logits are the reference's for {} ({}).\n\n",
            thousands(self.samples as u64),
            thousands(self.correct as u64),
            percent(self.correct, self.samples),
            thousands(agree as u64),
            percent(agree, self.samples),
        );
        page += &table(&["", "mean", "min", "max"], &rows);
        page += "\nConfusion matrix (row: the digit, column: the contract's answer):\n\n";
        let classes = self.confusion.len();
        let header: Vec<String> =
            std::iter::once(String::new()).chain((0..classes).map(|c| c.to_string())).collect();
        let header: Vec<&str> = header.iter().map(String::as_str).collect();
        let rows: Vec<_> = self
            .confusion
            .iter()
            .enumerate()
            .map(|(digit, row)| {
                std::iter::once(format!("**{digit}**"))
                    .chain(row.iter().map(|count| count.to_string()))
                    .collect()
            })
            .collect();
        page += &table(&header, &rows);
        page
    }
}

/// `1,234,567`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `part` of `whole` as in `98.04 %`.
pub fn percent(part: usize, whole: usize) -> String {
    format!("{:.2} %", 100.0 * part as f64 / whole.max(1) as f64)
}

/// A Markdown table that can be read unrendered, too: first column to the left, the others to the right.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([header[column].chars().count(), 3]).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let mut text = String::new();
    let mut line = |cells: &[&str]| {
        for (column, (cell, &width)) in cells.iter().zip(&widths).enumerate() {
            // Writing to a string does not fail.
            let _ = match column {
                0 => write!(text, "| {cell:<width$} "),
                _ => write!(text, "| {cell:>width$} "),
            };
        }
        text += "|\n";
    };
    line(header);
    let rules: Vec<String> = widths
        .iter()
        .enumerate()
        .map(|(column, &width)| match column {
            0 => "-".repeat(width),
            _ => format!("{}:", "-".repeat(width - 1)),
        })
        .collect();
    line(&rules.iter().map(String::as_str).collect::<Vec<_>>());
    for row in rows {
        line(&row.iter().map(String::as_str).collect::<Vec<_>>());
    }
    text
}

/// Prints a line to stdout. Where nobody reads it any more (`inkling … | head`), that is no failure.
pub fn print(text: &dyn fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Writes `name.json`, `name.md` and `name.png` into a folder, which is made if it is not there.
///
/// # Errors
/// [`Error::Io`] with the path.
pub fn write(
    dir: &Path,
    name: &str,
    report: &impl Serialize,
    markdown: &str,
    png: &[u8],
) -> Result<(), Error> {
    let json = serde_json::to_string_pretty(report).map_err(std::io::Error::from);
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Io { path, source }
    };
    std::fs::create_dir_all(dir).map_err(io(dir))?;
    let json = json.map_err(io(dir))? + "\n";
    let files = [("json", json.as_bytes()), ("md", markdown.as_bytes()), ("png", png)];
    for (extension, bytes) in files {
        let path = dir.join(format!("{name}.{extension}"));
        std::fs::write(&path, bytes).map_err(io(&path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(41_036_311), "41,036,311");
        assert_eq!(percent(938, 1_000), "93.80 %");
        assert_eq!(percent(0, 0), "0.00 %");
        assert_eq!([0, 1, 3, 5, 11, 60].map(round_step), [1, 1, 5, 5, 20, 100]);
    }

    #[test]
    fn tables_are_aligned() {
        let rows = [vec!["ab".into(), "1,000".into()], vec!["c".into(), "7".into()]];
        let expected = "\
| x   |   gas |
| --- | ----: |
| ab  | 1,000 |
| c   |     7 |
";
        assert_eq!(table(&["x", "gas"], &rows), expected);
    }

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
        let evaluation = Evaluation {
            model: "m".into(),
            shape: "400→2".into(),
            model_hash: B256::ZERO,
            contract: Contract::Packed,
            sha256: Some("ab12".into()),
            chain_id: 412_346,
            by_transaction: true,
            cached: false,
            samples: 4,
            correct: 3,
            disagreements: vec![2],
            confusion: vec![vec![2, 0], vec![1, 1]],
            transaction_gas: Stats { min: 1, mean: 2_000, max: 3_000 },
            execution_gas: Stats { min: 1, mean: 2, max: 3 },
            histogram: Histogram::of(&[1, 3_000]),
        };
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
        let page = evaluation.markdown();
        assert!(page.contains("Program: sha256 `ab12`."));
        assert!(page.ends_with("(evaluate-m-packed-4.png)\n"));
        let all = Evaluation { cached: true, samples: 10_000, ..evaluation.clone() };
        assert_eq!(all.file_stem(), "evaluate-m");
        let json = serde_json::to_string(&evaluation).unwrap();
        assert_eq!(serde_json::from_str::<Evaluation>(&json).unwrap(), evaluation);
    }
}
