//! `inkling compare`: every contract with every model, image by image, on embedded chains.

use crate::{
    Error,
    artifacts::{self, Contract},
    chain::Connection,
    classifier::{Classifier, Paid},
    deployment,
    gas::Stats,
    models::{Model, SHIPPED},
    plot::{self, Bar, Group, colours},
    progress,
    report::{
        self, Classify, Comparison, Estimate, ModelSummary, Original, Row, SolidityBuild, thousands,
    },
};
use inkling_data::mnist;
use std::{path::PathBuf, sync::Arc};
use tokio::task::JoinSet;

/// Images for Stylus and Packed where nothing else is asked for.
const SAMPLES: u32 = 1_000;

/// Images for Naive where nothing else is asked for.
const NAIVE_SAMPLES: u32 = 200;

/// Images whose `eth_estimateGas` is taken: it runs a transaction several times.
const ESTIMATES: usize = 50;

/// Deploy every contract with every model, classify test images by transactions, check every answer, compare the gas.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// A shipped model (mlp-64, mlp-32-16) or a trained file (*.safetensors); may be given more than once.
    #[arg(long = "model", value_name = "MODEL", default_values = SHIPPED)]
    models: Vec<String>,
    /// Images for Stylus and Packed, from the first of the test set on.
    #[arg(long, value_name = "N", default_value_t = SAMPLES,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    samples: u32,
    /// Images for Naive, which takes the longest; never more than --samples. The densest need more gas than a
    /// transaction gets, which is an error.
    #[arg(long, value_name = "N", default_value_t = NAIVE_SAMPLES,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    naive_samples: u32,
    /// Folder with the MNIST test set.
    #[arg(long, value_name = "DIR", default_value = mnist::TEST_DIR, hide_default_value = true)]
    data: PathBuf,
    /// Folder for compare.json, compare.md and compare.png; with other models or numbers of images than the default
    /// ones, their names say so.
    #[arg(long, value_name = "DIR", default_value = "reports")]
    out: PathBuf,
    /// Print the report as JSON instead of tables.
    #[arg(long)]
    json: bool,
}

impl Args {
    /// Name of the files: that of the committed report is for the default arguments only.
    fn file_stem(&self, models: &[Model]) -> String {
        let Self { samples, naive_samples, .. } = self;
        let names: Vec<&str> = models.iter().map(|model| &model.name[..]).collect();
        match self.models == SHIPPED && (*samples, *naive_samples) == (SAMPLES, NAIVE_SAMPLES) {
            true => "compare".into(),
            false => format!("compare-{}-{samples}-{naive_samples}", names.join("-")),
        }
    }
}

/// The first images of the test set, and the digits they show.
struct Samples {
    images: Vec<[u8; 400]>,
    labels: Vec<u8>,
    /// Images that every contract classifies.
    common: usize,
}

/// Runs the command.
///
/// # Errors
/// [`Error::Mismatch`] where a digit or a logit is not the reference's; others of [`Error`].
pub async fn run(args: Args) -> Result<(), Error> {
    let models: Vec<Model> =
        args.models.iter().map(|model| Model::open(model)).collect::<Result<_, _>>()?;
    let test = mnist::test_set_in(&args.data)?;
    let (samples, naive) = (args.samples as usize, args.naive_samples as usize);
    let comparison = compare(&models, test.inputs()?, test.labels, samples, naive).await?;

    let name = args.file_stem(&models);
    let png = chart(&comparison, samples)?;
    report::write(&args.out, &name, &comparison, &comparison.markdown(&name), &png)?;
    match args.json {
        true => report::print(&format_args!("{:#}", serde_json::json!(comparison))),
        false => {
            report::print(&comparison.tables());
            report::print(&format_args!("{}/{name}.{{json,md,png}}", args.out.display()));
        }
    }
    for row in &comparison.rows {
        if let Some(first) = row.disagreements.first() {
            let (contract, model) = (row.deployment.contract, &row.deployment.model);
            let message =
                format!("{contract} and the reference differ for {model}, test image {first}");
            return Err(Error::Mismatch(message));
        }
    }
    Ok(())
}

/// Compares all contracts; each of them, with each model, has an embedded chain of its own.
///
/// # Errors
/// [`Error`] where something could not be done; a wrong answer is in the report.
pub async fn compare(
    models: &[Model],
    images: Vec<[u8; 400]>,
    labels: Vec<u8>,
    samples: usize,
    naive_samples: usize,
) -> Result<Comparison, Error> {
    let summaries = models.iter().map(|model| summary(model, &images, &labels));
    let summaries = summaries.collect::<Result<Vec<_>, _>>()?;
    let data = Arc::new(Samples { images, labels, common: naive_samples.min(samples) });
    let mut total = 0;
    let mut tasks = JoinSet::new();
    let bar = progress::bar(0, "classifying");
    // The slowest first.
    for contract in [Contract::Naive, Contract::Stylus, Contract::Packed] {
        let samples = if contract == Contract::Naive { data.common } else { samples };
        for (index, model) in models.iter().enumerate() {
            total += samples * if contract.is_stylus() { 2 } else { 1 };
            let (model, data, bar) = (model.clone(), data.clone(), bar.clone());
            tasks.spawn(async move {
                let row = row(contract, &model, &data, samples, || bar.inc(1)).await?;
                Ok::<_, Error>(((index, contract as usize), row))
            });
        }
    }
    bar.set_length(total as u64);
    let mut rows = Vec::new();
    while let Some(done) = tasks.join_next().await {
        match done {
            Ok(row) => rows.push(row?),
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        }
    }
    bar.finish_and_clear();
    rows.sort_by_key(|(order, _)| *order);
    let solidity = artifacts::solidity(Contract::Packed)?;
    Ok(Comparison {
        stylus: artifacts::stylus()?.build,
        solidity: solidity.map_or_else(SolidityBuild::default, |program| SolidityBuild {
            compiler: program.compiler,
            settings: program.settings,
        }),
        models: summaries,
        rows: rows.into_iter().map(|(_, row)| row).collect(),
        original: Original::published(),
    })
}

fn summary(model: &Model, images: &[[u8; 400]], labels: &[u8]) -> Result<ModelSummary, Error> {
    let mut test_correct = 0;
    for (image, label) in images.iter().zip(labels) {
        let digit = model.digit(image).map_err(crate::classifier::Error::from)?;
        test_correct += usize::from(digit == *label);
    }
    Ok(ModelSummary {
        name: model.name.clone(),
        shape: model.shape(),
        hash: model.hash,
        words: model.words.len(),
        test_correct,
        test_images: images.len(),
    })
}

/// One contract with one model.
async fn row(
    contract: Contract,
    model: &Model,
    data: &Samples,
    samples: usize,
    tick: impl Fn(),
) -> Result<Row, Error> {
    let images = &data.images[..samples.min(data.images.len())];
    let chain = Connection::embedded().await?;
    let deployment = deployment::deploy(&chain, contract, model).await?;
    let classifier = Classifier { chain, address: deployment.address };
    let (activation_gas, program) = match contract.is_stylus() {
        true => {
            let fresh = Connection::embedded().await?;
            let gas = deployment::activation_gas(&fresh).await?;
            (gas, Some(classifier.program_costs().await?))
        }
        false => (None, None),
    };

    let mut classify = Vec::new();
    let ways = if contract.is_stylus() { &[Some(false), Some(true)][..] } else { &[None] };
    for &cached in ways {
        if let Some(cached) = cached {
            classifier.chain.set_cached(classifier.address, cached).await?;
        }
        let gas_limit = classifier.gas_limit(images).await?;
        let mut paid: Vec<Paid> = Vec::new();
        for image in images {
            let one = classifier.pay(image, gas_limit).await;
            paid.push(one.map_err(|error| Error::of_sample(paid.len(), error))?);
            tick();
            // An embedded chain answers without ever waiting: this is where a task can be stopped.
            tokio::task::yield_now().await;
        }
        let mut estimates = Vec::new();
        for image in images.iter().take(ESTIMATES) {
            estimates.push(classifier.estimate(image).await?);
        }
        let transaction: Vec<u64> = paid.iter().map(|paid| paid.transaction).collect();
        let execution: Vec<u64> = paid.iter().map(|paid| paid.execution).collect();
        classify.push(Classify {
            cached,
            transaction_gas: Stats::of(&transaction),
            execution_gas: Stats::of(&execution),
            common_mean: Stats::of(&transaction[..data.common.min(transaction.len())]).mean,
            estimate: Estimate {
                images: estimates.len(),
                mean: Stats::of(&estimates).mean,
                transaction_mean: Stats::of(&transaction[..estimates.len()]).mean,
            },
        });
    }

    let (mut correct, mut disagreements) = (0, Vec::new());
    for (index, (image, label)) in images.iter().zip(&data.labels).enumerate() {
        let (agrees, digit) = classifier.answer(model, image).await?;
        correct += usize::from(digit == *label);
        if !agrees {
            disagreements.push(index);
        }
    }
    let samples = images.len();
    let sha256 = artifacts::sha256(contract)?;
    Ok(Row {
        deployment,
        sha256,
        activation_gas,
        program,
        samples,
        correct,
        disagreements,
        classify,
    })
}

/// The bar chart.
///
/// # Errors
/// [`plot::Error`].
pub fn chart(comparison: &Comparison, samples: usize) -> Result<Vec<u8>, plot::Error> {
    let mut groups = Vec::new();
    for model in &comparison.models {
        let mut bars = Vec::new();
        for row in comparison.rows_of(&model.name) {
            for classify in row.classify.iter().rev() {
                let contract = row.deployment.contract;
                let colour = match (contract, classify.cached) {
                    (Contract::Stylus, Some(false)) => colours::STYLUS_UNCACHED,
                    (Contract::Stylus, _) => colours::STYLUS,
                    (Contract::Packed, _) => colours::PACKED,
                    (Contract::Naive, _) => colours::NAIVE,
                };
                let label = classify.label(contract);
                bars.push(Bar { label, gas: classify.transaction_gas, colour });
            }
        }
        groups.push(Group { heading: format!("{} ({})", model.name, model.shape), bars });
    }
    let Original { shape, gas, .. } = &comparison.original;
    let heading = format!("evm-neural-network ({shape}), as its README reports");
    let original = Bar { label: "original".into(), gas: *gas, colour: colours::ORIGINAL };
    groups.push(Group { heading, bars: vec![original] });
    let naive = comparison.rows.iter().find(|row| row.deployment.contract == Contract::Naive);
    let fewer = match naive {
        Some(row) if row.samples < samples => {
            format!(" (Naive: {})", thousands(row.samples as u64))
        }
        _ => String::new(),
    };
    let subtitle = format!(
        "Whole transactions, mean over the first {} MNIST test images{fewer}; whiskers: least and most",
        thousands(samples as u64)
    );
    plot::bars("Gas of one classification", &subtitle, &groups)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tiny_model;
    use clap::{Args as _, Command, FromArgMatches};

    #[test]
    fn other_arguments_make_other_files() {
        let stem = |line: &str| {
            let matches = Args::augment_args(Command::new("compare"));
            let matches = matches.get_matches_from(format!("compare {line}").split_whitespace());
            let args = Args::from_arg_matches(&matches).unwrap();
            let models: Result<Vec<Model>, _> =
                args.models.iter().map(|model| Model::open(model)).collect();
            args.file_stem(&models.unwrap())
        };
        assert_eq!(stem(""), "compare");
        assert_eq!(stem("--samples 1000 --naive-samples 200"), "compare");
        assert_eq!(stem("--samples 10"), "compare-mlp-64-mlp-32-16-10-200");
        assert_eq!(stem("--model mlp-64"), "compare-mlp-64-1000-200");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_small_comparison() {
        let model = tiny_model(8, &[8, 10]);
        let images: Vec<[u8; 400]> = (0..6u8).map(|n| [n * 20; 400]).collect();
        let labels = vec![0; 6];
        let comparison = compare(&[model], images, labels, 4, 2).await.unwrap();
        assert!(comparison.agrees());
        let contracts: Vec<_> = comparison.rows.iter().map(|r| r.deployment.contract).collect();
        assert_eq!(contracts, Contract::ALL);
        let [stylus, packed, naive] = &comparison.rows[..] else { panic!("three rows") };
        assert_eq!((stylus.samples, packed.samples, naive.samples), (4, 4, 2));
        let [uncached, cached] = &stylus.classify[..] else { panic!("two ways") };
        let costs = stylus.program.unwrap();
        let saved = uncached.transaction_gas.mean - cached.transaction_gas.mean;
        assert_eq!(saved, costs.init_gas - costs.cached_init_gas);
        assert!(packed.classify[0].transaction_gas.mean < naive.classify[0].transaction_gas.mean);
        assert!(stylus.activation_gas.unwrap() < stylus.deployment.gas("create"));
        let page = comparison.markdown("compare-small");
        assert!(page.ends_with("![Gas of one classification](compare-small.png)\n"));
        assert!(page.contains(&format!("Packed `{}`", packed.sha256)));
        assert!(page.contains("| Stylus, cached "));
        assert!(page.contains("41,036,311"));
        assert!(!chart(&comparison, 4).unwrap().is_empty());
        let json = serde_json::to_string(&comparison).unwrap();
        assert_eq!(serde_json::from_str::<Comparison>(&json).unwrap(), comparison);
    }
}
