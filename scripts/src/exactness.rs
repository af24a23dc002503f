//! `inkling exactness`: whether every contract computes what the reference does, image by image.

use crate::{
    Error,
    abi::IClassifier::{classifyBatchCall, logitsCall},
    artifacts::{self, Contract},
    chain::{Connection, Request},
    classifier::Classifier,
    compare::{all, refusal},
    deployment,
    measure::BATCH,
    models::{Model, SHIPPED},
    progress,
    report::{self, Exactness, ExactnessRow, Refusal},
    samples::Samples,
};
use alloy::sol_types::SolCall;
use indicatif::ProgressBar;
use inkling_devnode::TxStatus;
use inkling_network::argmax;
use std::{path::PathBuf, sync::Arc};

/// Batches that a Solidity contract classifies.
const BATCHES: usize = 2;

/// Compare logits and digits of every contract with every model with the reference's.
///
/// Calls are under no gas limit, so that contracts are compared that no transaction could afford.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:
  inkling exactness --samples 1000")]
pub struct Args {
    /// Shipped models or trained files (*.safetensors), separated by commas.
    #[arg(long, value_name = "MODEL,…", value_delimiter = ',', default_values = SHIPPED)]
    models: Vec<String>,
    /// The contracts, separated by commas.
    #[arg(long, value_name = "CONTRACT,…", value_enum, value_delimiter = ',', default_values_t = Contract::ALL)]
    contracts: Vec<Contract>,
    /// Images for each Stylus contract, from the first of the test set on.
    #[arg(long, value_name = "N", default_value_t = 10_000,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    samples: u32,
    /// Images for each Solidity contract.
    #[arg(long, value_name = "N", default_value_t = 1_000,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    solidity_samples: u32,
    /// Folder for exactness.json and exactness.md.
    #[arg(long, value_name = "DIR", default_value = "reports")]
    out: PathBuf,
    /// Print the report as JSON instead of a table.
    #[arg(long)]
    json: bool,
}

/// A model, its test images and the reference's logits.
struct Task {
    model: Model,
    samples: Samples,
    logits: Vec<Vec<i32>>,
}

/// Runs the command.
///
/// # Errors
/// [`Error::Mismatch`] where a digit or a logit is not the reference's; others of [`Error`].
pub async fn run(args: Args) -> Result<(), Error> {
    let mut models = Vec::new();
    for model in &args.models {
        let model = Model::open(model)?;
        let samples = Samples::of(&model, None)?;
        models.push((model, samples));
    }
    let counts = [args.samples, args.solidity_samples].map(|count| count as usize);
    let exactness = exactness(models, &args.contracts, counts).await?;
    report::write(&args.out, "exactness", &exactness, &exactness.markdown(), None, None)?;
    match args.json {
        true => report::print(&format_args!("{:#}", serde_json::json!(exactness))),
        false => report::print(&exactness.tables()),
    }
    match exactness.rows.iter().find(|row| !row.agrees()) {
        None => Ok(()),
        Some(ExactnessRow { contract, model, .. }) => {
            Err(Error::Mismatch(format!("{contract} and the reference differ for {model}")))
        }
    }
}

/// Compares contracts with the reference; `counts` are the images of a Stylus contract and of a Solidity one.
///
/// # Errors
/// [`Error`] where something could not be done; a wrong answer is in the report.
pub async fn exactness(
    models: Vec<(Model, Samples)>,
    contracts: &[Contract],
    counts: [usize; 2],
) -> Result<Exactness, Error> {
    let count = |contract: Contract| counts[usize::from(!contract.is_stylus())];
    let most = contracts.iter().map(|contract| count(*contract)).max().unwrap_or(0);
    let bar = progress::bar(models.len(), "preparing");
    let tasks = models.into_iter().map(|(model, samples)| {
        let bar = bar.clone();
        async move {
            let logits = samples.logits(&model, most)?;
            bar.inc(1);
            Ok(Arc::new(Task { model, samples, logits }))
        }
    });
    let tasks: Vec<Arc<Task>> = all(tasks).await?;
    bar.finish_and_clear();

    let images = |task: &Task| task.samples.images.len();
    let total: usize = tasks
        .iter()
        .flat_map(|task| contracts.iter().map(|contract| count(*contract).min(images(task))))
        .sum();
    let bar = progress::bar(total, "comparing");
    let pairs =
        tasks.iter().flat_map(|task| contracts.iter().map(move |contract| (task, *contract)));
    let work = pairs.map(|(task, contract)| {
        let (task, bar, count) = (task.clone(), bar.clone(), count(contract));
        async move {
            let row = row(contract, &task, count, &bar).await;
            refusal(contract, &task.model, row)
        }
    });
    let results: Vec<Result<ExactnessRow, Refusal>> = all(work).await?;
    bar.finish_and_clear();
    let (mut rows, mut refusals) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(row) => rows.push(row),
            Err(refusal) => refusals.push(refusal),
        }
    }
    Ok(Exactness { rows, refusals })
}

async fn row(
    contract: Contract,
    task: &Task,
    count: usize,
    bar: &ProgressBar,
) -> Result<ExactnessRow, Error> {
    let Task { model, samples, logits } = task;
    let program = artifacts::program(contract, &model.name)?;
    let chain = Connection::embedded().await?;
    let created = deployment::create_of(&chain, contract, &program, model).await?;
    let done = deployment::upload(&chain, created, model, &mut |_| {}).await?;
    let classifier = Classifier { chain, address: done.address };
    let images = &samples.images[..count.min(samples.images.len())];
    let batched = match contract.is_stylus() {
        true => images,
        false => &images[..images.len().min(BATCHES * BATCH)],
    };
    let mut row = ExactnessRow {
        model: model.name.clone(),
        model_hash: model.hash,
        contract,
        sha256: program.sha256(),
        images: images.len(),
        logits_differ: Vec::new(),
        batched: batched.len(),
        digits_differ: Vec::new(),
    };
    for (index, image) in images.iter().enumerate() {
        let call = logitsCall { image: image.to_vec().into() };
        let answer = answer(&classifier, &Request::call(classifier.address, &call));
        let answer = answer.and_then(|bytes| logitsCall::abi_decode_returns_validate(&bytes).ok());
        if answer.as_ref() != Some(&logits[index]) {
            row.logits_differ.push(index);
        }
        bar.inc(1);
        // An embedded chain answers without ever waiting: this is where a task can be stopped.
        tokio::task::yield_now().await;
    }
    for (batch, images) in batched.chunks(BATCH).enumerate() {
        let answer = answer(&classifier, &classifier.batch_request(images));
        let digits =
            answer.and_then(|bytes| classifyBatchCall::abi_decode_returns_validate(&bytes).ok());
        let digits = digits.unwrap_or_default();
        for index in 0..images.len() {
            let expected = argmax(&logits[batch * BATCH + index]);
            if digits.get(index).is_none_or(|digit| usize::from(*digit) != expected) {
                row.digits_differ.push(batch * BATCH + index);
            }
        }
        tokio::task::yield_now().await;
    }
    Ok(row)
}

/// What a call returns; a call that fails is a wrong answer.
fn answer(classifier: &Classifier, request: &Request) -> Option<Vec<u8>> {
    let outcome = classifier.chain.simulate(request)?;
    (outcome.status == TxStatus::Success).then(|| outcome.output.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{tiny_model, tiny_samples};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn every_contract_agrees() {
        let models = vec![(tiny_model(9, &[8, 65]), tiny_samples(70))];
        let Exactness { rows, refusals } =
            exactness(models, &Contract::ALL, [70, 66]).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.contract).collect::<Vec<_>>(), Contract::UPLOADED);
        assert!(rows.iter().all(ExactnessRow::agrees));
        let counts = rows.iter().map(|row| (row.images, row.batched));
        let [stylus, solidity] = [(70, 70), (66, 64)];
        let expected = [stylus, stylus, solidity, solidity, solidity, solidity];
        assert!(counts.eq(expected));
        assert_eq!(refusals[0].contract, Contract::StylusBaked);
    }

    #[tokio::test]
    async fn a_wrong_answer_is_seen() {
        let (model, samples) = (tiny_model(9, &[8, 10]), tiny_samples(3));
        let mut logits = samples.logits(&model, 3).unwrap();
        let best = argmax(&logits[1]);
        logits[1][best] -= 1_000_000;
        let task = Task { model, samples, logits };
        let bar = progress::bar(3, "comparing");
        let row = row(Contract::Packed, &task, 3, &bar).await.unwrap();
        assert_eq!((row.logits_differ, row.digits_differ), (vec![1], vec![1]));
    }
}
