//! `inkling evaluate`: accuracy, confusion matrix, agreement with the reference and gas of one deployed model.

use crate::{
    Error,
    classifier::{Classifier, ContractArgs},
    evaluation::{AskArgs, evaluate},
    models::{DEFAULT, Model},
    plot,
    report::{self, Frontier},
    samples::Samples,
};
use std::path::PathBuf;

/// Classify many test images with a contract: accuracy, confusion matrix, gas.
#[derive(clap::Args, Debug)]
///
/// On a live chain, answers are kept in --out as they come: the same command goes on where it was stopped, and nothing is asked
/// or paid for twice.
#[command(after_help = "Examples:
  inkling evaluate --model small --samples 100
  inkling evaluate --model small --samples 10000 --network sepolia --address 0x00000000000000000000000000000000000a11ce")]
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
    #[command(flatten)]
    ask: AskArgs,
    /// Folder with the test set of the model's data [default: the repository's].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Folder for evaluate-MODEL-CONTRACT-N.json, .md, .png and .html; evaluate-MODEL.* is for all 10,000 images with Stylus
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
    let contract = args.contract.contract;
    let evaluated = evaluate(&classifier, contract, &model, &samples, &args.ask, &args.out);
    let (evaluation, kept) = evaluated.await?;

    let name = evaluation.file_stem();
    let png = plot::evaluation(&evaluation).map(|plot| plot.png()).transpose()?;
    let html = evaluation.html(&samples.images, Frontier::read(&args.out).as_ref())?;
    let markdown = evaluation.markdown();
    let written =
        report::write(&args.out, &name, &evaluation, &markdown, png.as_deref(), Some(&html))?;
    kept.remove()?;
    match args.json {
        true => report::print(&format_args!("{:#}", serde_json::json!(evaluation))),
        false => {
            report::print(&evaluation.tables());
            report::print(&written);
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
