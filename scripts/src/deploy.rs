//! `inkling deploy`: a contract with a model in it, on an endpoint.

use crate::{
    Error,
    accounts::AccountArgs,
    artifacts::Contract,
    deployment::{self, Deployment},
    models::{DEFAULT, Model},
    networks::NetworkArgs,
    report::{self, thousands},
    samples::Samples,
};
use alloy::primitives::Address;
use std::path::PathBuf;

/// Deploy a contract to an Arbitrum chain and upload a model into it, or go on with an upload that broke off.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  inkling deploy --network sepolia --model small --keystore key.json
  inkling deploy --rpc http://127.0.0.1:8547 --private-key-env PRIVATE_KEY --json")]
pub struct Args {
    /// A shipped model or a trained file (*.safetensors).
    #[arg(long, default_value = DEFAULT)]
    model: String,
    /// The contract.
    #[arg(long, value_enum, default_value = "stylus")]
    contract: Contract,
    /// Which chain.
    #[command(flatten)]
    network: NetworkArgs,
    /// The owner to be.
    #[command(flatten)]
    account: AccountArgs,
    /// Go on with the contract at this address instead of creating one.
    #[arg(long)]
    address: Option<Address>,
    /// Test images whose logits are compared with the reference afterwards.
    #[arg(long, value_name = "N", default_value_t = 10)]
    check: usize,
    /// Folder with the test set of the model's data [default: the repository's].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Print the result as JSON, and nothing else.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// [`Error::Mismatch`] where the deployed contract's answers are not the reference's; others of [`Error`].
pub async fn run(args: Args) -> Result<(), Error> {
    let model = Model::open(&args.model)?;
    let images = Samples::of(&model, args.data.as_deref())?.images;
    let account = args.account.required("contract creation").await?;
    let chain = args.network.connect(Some(account)).await?;
    let begun = match args.address {
        Some(address) => deployment::resume(address, args.contract, &model),
        None => deployment::create(&chain, args.contract, &model).await?,
    };
    let words = model.words.len();
    eprintln!("{} of {} ({words} words) at {}", args.contract, model.name, begun.address);
    let done = deployment::upload(&chain, begun, &model, &mut |step| {
        eprintln!("{:>12} gas  {} ({})", thousands(step.gas), step.name, step.transactions);
    })
    .await?;
    deployment::check_answers(&chain, &done, &model, images.iter().take(args.check)).await?;
    match args.json {
        true => report::print(&format_args!("{:#}", serde_json::json!(done))),
        false => report::print(&summary(&done, &model, args.check)),
    }
    Ok(())
}

fn summary(done: &Deployment, model: &Model, checked: usize) -> String {
    format!(
        "{} is ready at {} in {} gas, data fee {} wei; logits of {checked} images are the reference's.\n\
         model hash {}",
        model.name,
        done.address,
        thousands(done.gas("")),
        done.data_fee_wei,
        done.model_hash,
    )
}
