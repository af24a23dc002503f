//! `inkling evaluate`: accuracy, confusion matrix, agreement with the reference and gas of one deployed model.

use crate::{
    Error,
    artifacts::{self, Contract},
    classifier::{Classifier, ContractArgs},
    gas::Stats,
    models::{DEFAULT, Model},
    plot, progress,
    report::{self, Evaluation, GasBy, Histogram, Misread, thousands},
    samples::Samples,
};
use std::path::PathBuf;

/// Classify many test images with a contract: accuracy, confusion matrix, gas.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:
  inkling evaluate --model small --samples 100")]
pub struct Args {
    /// A shipped model or a trained file (*.safetensors).
    #[arg(long, default_value = DEFAULT)]
    model: String,
    /// Images, from the first of the test set on. With Naive the densest need more gas than a transaction gets, which
    /// is an error: choose fewer.
    #[arg(long, value_name = "N", default_value_t = 1_000,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    samples: u32,
    #[command(flatten)]
    contract: ContractArgs,
    /// Folder with the test set of the model's data [default: the repository's].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Folder for evaluate-MODEL-CONTRACT-N.json, .md and .png; evaluate-MODEL.* is for all 10,000 images with Stylus
    /// on the embedded chain.
    #[arg(long, value_name = "DIR", default_value = "reports")]
    out: PathBuf,
    /// Print the report as JSON instead of tables.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// [`Error::Mismatch`] where a digit or a logit is not the reference's; others of [`Error`].
pub async fn run(args: Args) -> Result<(), Error> {
    let model = Model::open(&args.model)?;
    let mut samples = Samples::of(&model, args.data.as_deref())?;
    samples.truncate(args.samples as usize);
    let classifier = Classifier::open(&args.contract, &model).await?;
    let evaluation = evaluate(&classifier, args.contract.contract, &model, &samples).await?;

    let name = evaluation.file_stem();
    let subtitle = format!(
        "{} contract, {} test images, {}",
        evaluation.contract,
        thousands(evaluation.samples as u64),
        evaluation.gas_by,
    );
    let title = format!("Gas of one classification: {}", model.name);
    let mean = evaluation.transaction_gas.map_or(0, |gas| gas.mean);
    let histogram = evaluation.histogram.clone().unwrap_or_else(|| Histogram::of(&[]));
    let png = plot::histogram(&title, &subtitle, "gas", &histogram, mean)?;
    report::write(&args.out, &name, &evaluation, &evaluation.markdown(), Some(&png))?;
    match args.json {
        true => report::print(&format_args!("{:#}", serde_json::json!(evaluation))),
        false => {
            report::print(&evaluation.tables());
            report::print(&format_args!("{}/{name}.{{json,md,png}}", args.out.display()));
        }
    }
    match evaluation.disagreements.as_slice() {
        [] => Ok(()),
        some => Err(Error::Mismatch(format!(
            "digit or logits of {} images differ from the reference's, the first of test image {}",
            some.len(),
            some[0]
        ))),
    }
}

/// Compares digit and logits of each image with the reference, and classifies it by a transaction, or where no key is
/// given by an estimate.
///
/// # Errors
/// [`Error`].
pub async fn evaluate(
    classifier: &Classifier,
    contract: Contract,
    model: &Model,
    samples: &Samples,
) -> Result<Evaluation, Error> {
    let by_transaction = classifier.chain.sender().is_some();
    let Samples { images, labels } = samples;
    let gas_limit = classifier.gas_limit(images).await?;
    let classes = model.network.header().classes().max(10);
    let mut confusion = vec![vec![0; classes]; classes];
    let (mut disagreements, mut misread, mut correct) = (Vec::new(), Vec::new(), 0);
    let (mut transaction, mut execution) = (Vec::new(), Vec::new());
    let bar = progress::bar(images.len(), "classifying");
    for (index, (image, &label)) in images.iter().zip(labels).enumerate() {
        let (agrees, digit) = classifier.answer(model, image).await?;
        if !agrees {
            disagreements.push(index);
        }
        if digit == label {
            correct += 1;
        } else {
            let logits = classifier.logits(image).await?;
            misread.push(Misread { image: index, label, digit, logits });
        }
        // A digit that no class has is a disagreement; it has no place in the matrix.
        if let Some(cell) = confusion[usize::from(label)].get_mut(usize::from(digit)) {
            *cell += 1;
        }
        let paid = match by_transaction {
            true => classifier.pay(image, gas_limit).await,
            false => classifier.estimated(image).await,
        };
        let paid = paid.map_err(|error| Error::of_sample(index, error))?;
        transaction.push(paid.transaction);
        execution.push(paid.execution);
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(Evaluation {
        model: model.name.clone(),
        shape: model.shape(),
        model_hash: model.hash,
        contract,
        sha256: match classifier.chain.is_embedded() {
            true => Some(artifacts::program(contract, &model.name)?.sha256()),
            false => None,
        },
        chain_id: classifier.chain.chain_id(),
        address: (!classifier.chain.is_embedded()).then_some(classifier.address),
        gas_by: if by_transaction { GasBy::Transaction } else { GasBy::Estimate },
        cached: contract.is_stylus() && classifier.chain.is_embedded(),
        samples: images.len(),
        correct,
        disagreements,
        confusion,
        misread,
        transaction_gas: Some(Stats::of(&transaction)),
        execution_gas: Some(Stats::of(&execution)),
        histogram: Some(Histogram::of(&transaction)),
        gas_price_wei: 0,
        eth_price: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{chain::Connection, deployment, testing::tiny_model};

    #[tokio::test]
    async fn an_evaluation_adds_up() {
        let model = tiny_model(7, &[8, 10]);
        let images = vec![[0; 400], [255; 400], [7; 400]];
        let mut labels: Vec<u8> =
            images.iter().map(|image| model.kernel().classify(image).unwrap().0).collect();
        labels[2] = (labels[2] + 1) % 10;
        let chain = Connection::embedded().await.unwrap();
        let deployed = deployment::deploy(&chain, Contract::Packed, &model).await.unwrap();
        let classifier = Classifier { chain, address: deployed.address };
        let samples = Samples { images, labels };
        let evaluation = evaluate(&classifier, Contract::Packed, &model, &samples).await.unwrap();
        assert_eq!((evaluation.samples, evaluation.correct), (3, 2));
        assert_eq!(evaluation.file_stem(), "evaluate-random-7-packed-3");
        assert!(evaluation.disagreements.is_empty());
        assert_eq!(evaluation.confusion.iter().flatten().sum::<u32>(), 3);
        let (transaction, execution) =
            (evaluation.transaction_gas.unwrap(), evaluation.execution_gas.unwrap());
        assert!(transaction.min < transaction.max);
        // An empty image's calldata: selector, offset, length 400 (2 bytes that are not zero), 400 zeros and padding.
        let intrinsic = transaction.min - execution.min;
        assert_eq!(intrinsic, 21_000 + 4 * 16 + 3 * 16 + 4 * (31 + 30 + 416));
    }
}
