//! `inkling compare`: every contract with every model, image by image, on embedded chains.

use crate::{
    Error,
    artifacts::{self, Contract},
    deployment,
    live::{self, LiveArgs},
    measure::{self, Measured},
    models::{Model, SHIPPED},
    plot, progress,
    report::{
        self, Comparison, Frontier, GasPrice, ModelSummary, Original, Refusal, SolidityBuild,
    },
    samples::{Samples, Task},
};
use alloy::primitives::utils::{ParseUnits, parse_units};
use indicatif::ProgressBar;
use std::{future::Future, path::PathBuf, sync::Arc};
use tokio::task::JoinSet;

/// Images where nothing else is asked for.
const SAMPLES: u32 = 1_000;

/// Gas after which a contract gets no more images, where nothing else is asked for: EVM code takes its time.
const GAS_BUDGET: u64 = 20_000_000_000;

/// Deploy every contract with every model, classify test images by transactions, check every answer, compare the gas.
///
/// Accuracy against gas, which follows from it, is written as frontier.json, frontier.md and frontier.png. On a live chain,
/// the contracts that stand there are evaluated, as `inkling evaluate` does it, and put side by side.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  inkling compare --models small,mlp-64-q4 --contracts stylus,yul
  inkling compare --network sepolia
  inkling compare --network sepolia --models small \\
    --deployed stylus=0x00000000000000000000000000000000000a11ce,yul=0x0000000000000000000000000000000000000b0b")]
pub struct Args {
    /// Shipped models or trained files (*.safetensors), separated by commas.
    #[arg(long, value_name = "MODEL,…", value_delimiter = ',', default_values = SHIPPED)]
    models: Vec<String>,
    /// The contracts, separated by commas.
    #[arg(long, value_name = "CONTRACT,…", value_enum, value_delimiter = ',', default_values_t = Contract::ALL)]
    contracts: Vec<Contract>,
    /// Images, from the first of the test set on.
    #[arg(long, value_name = "N", default_value_t = SAMPLES,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    samples: u32,
    /// A contract on an embedded chain gets no more images once its transactions have used so much gas.
    #[arg(long, value_name = "GAS", default_value_t = GAS_BUDGET)]
    gas_budget: u64,
    /// Gwei a gas on an embedded chain, for the costs in the page; the default is what it takes.
    #[arg(long, value_name = "GWEI", value_parser = gwei, default_value = "0.1")]
    gas_price: u64,
    #[command(flatten)]
    live: LiveArgs,
    /// Folder for the reports, compare.* and frontier.*; with other arguments than the default ones, their names say so.
    #[arg(long, value_name = "DIR", default_value = "reports")]
    out: PathBuf,
    /// Print the report as JSON instead of tables.
    #[arg(long)]
    json: bool,
}

/// As a number of wei.
fn gwei(text: &str) -> Result<u64, String> {
    match parse_units(text, "gwei").map_err(|error| error.to_string())? {
        ParseUnits::U256(wei) => wei.try_into().map_err(|_| "that is too much".into()),
        ParseUnits::I256(_) => Err("that is less than nothing".into()),
    }
}

impl Args {
    /// What the names of the files end with: nothing for the committed reports, which the default arguments make.
    fn file_suffix(&self, models: &[Model]) -> String {
        let Self { samples, gas_budget, contracts, .. } = self;
        let all = self.models == SHIPPED && *contracts == Contract::ALL;
        if all && (*samples, *gas_budget) == (SAMPLES, GAS_BUDGET) {
            return String::new();
        }
        let mut suffix: String = models.iter().map(|model| format!("-{}", model.name)).collect();
        if *contracts != Contract::ALL {
            suffix.extend(contracts.iter().map(|contract| format!("-{}", contract.argument())));
        }
        suffix + &format!("-{samples}")
    }
}

/// Runs the command.
///
/// # Errors
/// [`Error::Mismatch`] where a digit or a logit is not the reference's; others of [`Error`].
pub async fn run(args: Args) -> Result<(), Error> {
    let models: Vec<Model> =
        args.models.iter().map(|model| Model::open(model)).collect::<Result<_, _>>()?;
    if args.live.network.is_named() {
        let Args { live, contracts, samples, out, json, .. } = args;
        return live::run(&live, &models, &contracts, samples as usize, &out, json).await;
    }
    if !args.live.deployed.is_empty() {
        let message = "--deployed needs the chain: --network or --rpc";
        return Err(Error::Usage(message.into()));
    }
    let mut asked = Vec::new();
    for model in &models {
        asked.push((model.clone(), Samples::of(model, None)?));
    }
    let samples = args.samples as usize;
    let comparison = compare(asked, &args.contracts, samples, args.gas_budget).await?;
    let frontier = Frontier::of(&comparison);
    let price = GasPrice { wei: args.gas_price, eth_price: args.live.ask.eth_price };

    let suffix = args.file_suffix(&models);
    let (name, points) = (format!("compare{suffix}"), format!("frontier{suffix}"));
    let png = plot::comparison(&comparison, samples).png()?;
    let html = comparison.html(&frontier, samples, price);
    let markdown = comparison.markdown(&name);
    report::write(&args.out, &name, &comparison, &markdown, Some(&png), Some(&html))?;
    let (png, markdown) = (plot::frontier(&frontier).png()?, frontier.markdown(&points));
    report::write(&args.out, &points, &frontier, &markdown, Some(&png), None)?;
    match args.json {
        true => report::print(&format_args!("{:#}", serde_json::json!(comparison))),
        false => {
            report::print(&comparison.tables());
            report::print(&frontier.table().markdown());
            let out = args.out.display();
            report::print(&format_args!(
                "{out}/{{{name},{points}}}.{{json,md,png}}, {out}/{name}.html"
            ));
        }
    }
    all_agree(
        comparison.rows.iter().map(|row| {
            (row.deployment.contract, &row.deployment.model[..], &row.disagreements[..])
        }),
    )
}

/// Refuses contracts with models whose answers to some test images, of these indices, are not the reference's.
///
/// # Errors
/// [`Error::Mismatch`] names the first.
pub(crate) fn all_agree<'a>(
    answers: impl Iterator<Item = (Contract, &'a str, &'a [usize])>,
) -> Result<(), Error> {
    for (contract, model, disagreements) in answers {
        if let Some(first) = disagreements.first() {
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
    models: Vec<(Model, Samples)>,
    contracts: &[Contract],
    samples: usize,
    gas_budget: u64,
) -> Result<Comparison, Error> {
    let bar = progress::bar(models.len(), "preparing");
    let prepare = models.into_iter().map(|(model, set)| {
        let bar = bar.clone();
        async move {
            let task = prepare(model, set, samples, gas_budget);
            bar.inc(1);
            task
        }
    });
    let tasks: Vec<(ModelSummary, Arc<Task>)> = all(prepare).await?;
    bar.finish_and_clear();

    let count = tasks.iter().map(|(_, task)| task.samples.images.len()).sum::<usize>();
    let ways = contracts.iter().map(|contract| if contract.is_stylus() { 2 } else { 1 });
    let bar = progress::bar(count * ways.sum::<usize>(), "classifying");
    // The slowest first.
    let pairs = contracts.iter().rev().flat_map(|contract| tasks.iter().map(|t| (*contract, &t.1)));
    let work = pairs.map(|(contract, task)| row(contract, task.clone(), bar.clone()));
    let results: Vec<Result<Measured, Refusal>> = all(work).await?;
    bar.finish_and_clear();

    let (mut measured, mut refusals) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(row) => measured.push(row),
            Err(refusal) => refusals.push(refusal),
        }
    }
    let models: Vec<ModelSummary> = tasks.into_iter().map(|(summary, _)| summary).collect();
    let place = |name: &str| models.iter().position(|model| model.name == name);
    measured.sort_by_key(|m| (place(&m.row.deployment.model), m.row.deployment.contract));
    refusals.sort_by_key(|refusal| (place(&refusal.model), refusal.contract));
    measure::pair(&mut measured);
    let solidity = artifacts::solidity(Contract::Packed)?;
    Ok(Comparison {
        solidity: solidity.map_or_else(SolidityBuild::default, |program| SolidityBuild {
            compiler: program.compiler,
            settings: program.settings,
        }),
        models,
        rows: measured.into_iter().map(|measured| measured.row).collect(),
        refusals,
        original: Original::published(),
    })
}

/// Runs all of this in parallel, in the order given; stops at the first failure.
pub(crate) async fn all<T: Send + 'static>(
    work: impl Iterator<Item = impl Future<Output = Result<T, Error>> + Send + 'static>,
) -> Result<Vec<T>, Error> {
    let mut tasks = JoinSet::new();
    for (index, one) in work.enumerate() {
        tasks.spawn(async move { Ok::<_, Error>((index, one.await?)) });
    }
    let mut done = Vec::new();
    while let Some(joined) = tasks.join_next().await {
        match joined {
            Ok(result) => done.push(result?),
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        }
    }
    done.sort_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

fn prepare(
    model: Model,
    set: Samples,
    samples: usize,
    gas_budget: u64,
) -> Result<(ModelSummary, Arc<Task>), Error> {
    let test_images = set.images.len();
    let (task, test_correct) = Task::new(model, set, samples, gas_budget)?;
    let model = &task.model;
    let summary = ModelSummary {
        name: model.name.clone(),
        data: model.data.name().into(),
        shape: model.shape(),
        hash: model.hash,
        words: model.words.len(),
        multiply_adds: model.network.header().multiply_adds(),
        test_correct,
        test_images,
    };
    Ok((summary, Arc::new(task)))
}

/// One contract with one model, if it takes it.
async fn row(
    contract: Contract,
    task: Arc<Task>,
    bar: ProgressBar,
) -> Result<Result<Measured, Refusal>, Error> {
    let measured = measure::measure(contract, &task, || bar.inc(1)).await;
    refusal(contract, &task.model, measured)
}

/// Tells what a contract does not take from what went wrong.
pub(crate) fn refusal<T>(
    contract: Contract,
    model: &Model,
    result: Result<T, Error>,
) -> Result<Result<T, Refusal>, Error> {
    let reason = match result {
        Ok(done) => return Ok(Ok(done)),
        Err(Error::Deployment(deployment::Error::Refused { reason, .. })) => reason,
        Err(Error::Artifact(artifacts::Error::NotBaked { .. })) => {
            "no program was built with it inside".into()
        }
        Err(Error::Artifact(error @ artifacts::Error::TooLarge { .. })) => error.to_string(),
        Err(error) => return Err(error),
    };
    Ok(Err(Refusal { contract, model: model.name.clone(), reason }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{tiny_model, tiny_samples};
    use clap::{Args as _, Command, FromArgMatches};

    #[test]
    fn other_arguments_make_other_files() {
        let suffix = |line: &str| {
            let matches = Args::augment_args(Command::new("compare"));
            let matches = matches.get_matches_from(format!("compare {line}").split_whitespace());
            let args = Args::from_arg_matches(&matches).unwrap();
            let models: Result<Vec<Model>, _> =
                args.models.iter().map(|model| Model::open(model)).collect();
            args.file_suffix(&models.unwrap())
        };
        assert_eq!(suffix(""), "");
        assert_eq!(suffix("--samples 1000"), "");
        assert_eq!(suffix("--models mlp-64,mlp-32-16 --samples 10"), "-mlp-64-mlp-32-16-10");
        assert_eq!(suffix("--models mlp-64 --contracts stylus,yul"), "-mlp-64-stylus-yul-1000");
    }

    #[test]
    fn prices_of_gas() {
        assert_eq!(gwei("0.02"), Ok(20_000_000));
        assert!(["-1", "a", "1e30", "99999999999"].iter().all(|text| gwei(text).is_err()));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_small_comparison() {
        let models = vec![(tiny_model(8, &[8, 65]), tiny_samples(40))];
        let comparison = compare(models, &Contract::ALL, 34, u64::MAX).await.unwrap();
        assert!(comparison.agrees());
        let contracts: Vec<_> = comparison.rows.iter().map(|r| r.deployment.contract).collect();
        assert_eq!(contracts, Contract::UPLOADED);
        let refused: Vec<_> = comparison.refusals.iter().map(|refusal| refusal.contract).collect();
        assert_eq!(refused, [Contract::StylusBaked]);
        let [stylus, code, yul, .., packed, naive] = &comparison.rows[..] else { panic!("rows") };
        assert!(comparison.rows.iter().all(|row| row.samples == 34));

        let [uncached, cached] = &stylus.classify[..] else { panic!("two ways") };
        let costs = stylus.program.unwrap();
        let saved = uncached.transaction_gas.mean - cached.transaction_gas.mean;
        assert_eq!(saved, costs.init_gas - costs.cached_init_gas);
        assert!(packed.classify[0].transaction_gas.mean < naive.classify[0].transaction_gas.mean);
        assert!(stylus.activation_gas.unwrap() < stylus.deployment.gas("create"));

        // Slot 0 and three words of biases; 100 words of the first layer, which a black image does not read, and at most
        // 17 of the second.
        let slots = stylus.reads.unwrap().slots;
        assert!((4..=21).contains(&slots.min), "{slots:?}");
        assert!((104..=121).contains(&slots.max), "{slots:?}");
        assert_eq!((stylus.reads, code.reads.unwrap().slots.max), (yul.reads, 1));
        assert!(naive.reads.is_none() && naive.compute_gas.is_none());
        assert!(stylus.over_floor().unwrap() > 1.0);
        assert!(stylus.compute_gas.unwrap() < cached.execution_gas.mean);
        assert!(stylus.batch_gas.unwrap() < cached.transaction_gas.mean / 2);
        let twin = stylus.twin.unwrap();
        assert_eq!((twin.images, twin.own.transaction), (34, cached.transaction_gas.mean));
        assert_eq!(twin.twin.transaction, yul.classify[0].transaction_gas.mean);
        assert!(twin.ratios().iter().all(|ratio| ratio.unwrap() < 1.0));
        assert_eq!(naive.twin.unwrap().ratios()[2], None);

        let page = comparison.markdown("compare-small");
        assert!(page.ends_with("![Gas of one classification](compare-small.png)\n"));
        assert!(page.contains(&format!("Packed `{}`", packed.sha256)));
        assert!(page.contains("| Stylus, cached "));
        assert!(page.contains("* Stylus baked: no program was built with it inside.\n"));
        assert!(page.contains("41,036,311"));
        assert_eq!(plot::comparison(&comparison, 34).size, (1_200, 464));
        let json = serde_json::to_string(&comparison).unwrap();
        assert_eq!(serde_json::from_str::<Comparison>(&json).unwrap(), comparison);

        let frontier = Frontier::of(&comparison);
        assert_eq!(frontier.points.len(), 6);
        assert_eq!(frontier.points[0].uncached_gas, Some(uncached.transaction_gas.mean));
    }

    #[tokio::test]
    async fn what_a_contract_does_not_take_is_said() {
        // 8,000 words do not fit the code of an account.
        let models = vec![(tiny_model(8, &[200, 10]), tiny_samples(1))];
        let comparison = compare(models, &[Contract::StylusCode], 1, u64::MAX).await.unwrap();
        assert_eq!(comparison.rows, []);
        assert!(comparison.refusals[0].reason.starts_with("ModelTooLarge"));
        assert!(comparison.tables().contains("| Stylus code |"));
    }
}
