//! `inkling deploy`: a contract with a model in it, on an endpoint.
//!
//! Everything that can be refused is refused first; then the plan is shown; then transactions are sent, each written down
//! before. Whatever ends this, the same command goes on where it ended.

use crate::{
    Error,
    accounts::AccountArgs,
    artifacts::{self, Contract, Program},
    chain::Connection,
    deployment::{
        self, Deployment,
        journal::{Journal, Subject},
        patience::Patience,
        plan::{self, Plan},
        record::{Files, Record},
    },
    logging::note,
    models::{DEFAULT, Model},
    networks::NetworkArgs,
    report::{self, thousands},
    samples::Samples,
    spend,
};
use alloy::primitives::Address;
use std::{
    io::{self, IsTerminal},
    path::PathBuf,
    time::Duration,
};

/// Deploy a contract to an Arbitrum chain and upload a model into it, or go on with a deployment that broke off.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  inkling deploy --network sepolia --model small --keystore key.json --dry-run --eth-price 3000
  inkling deploy --network sepolia --model small --keystore key.json
  inkling deploy --rpc http://127.0.0.1:8547 --private-key-env PRIVATE_KEY --yes --json")]
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
    /// Name of the deployment; the same name goes on with the same deployment [default: MODEL-CONTRACT].
    #[arg(long, value_parser = name)]
    name: Option<String>,
    /// Folder of journals and records: CHAIN-ID/NAME.json in it.
    #[arg(long, value_name = "DIR", default_value = "deployments")]
    deployments: PathBuf,
    /// Show what it will cost, beside Solidity, and send nothing.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask before the first transaction.
    #[arg(long)]
    yes: bool,
    /// Dollars for an ether, to show costs in both.
    #[arg(long, value_name = "USD")]
    eth_price: Option<f64>,
    /// The longest that an answer of the endpoint may take.
    #[arg(long, value_name = "SECONDS", default_value_t = Patience::ENDPOINT.request.as_secs(), value_parser = clap::value_parser!(u64).range(1..=3_600))]
    timeout: u64,
    /// After so long without a block, a transaction is sent again, and then replaced by one that offers more.
    #[arg(long, value_name = "SECONDS", default_value_t = Patience::ENDPOINT.stuck.as_secs(), value_parser = clap::value_parser!(u64).range(1..=3_600))]
    stuck_after: u64,
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

/// A name that can be part of a file's name.
fn name(name: &str) -> Result<String, String> {
    match inkling_data::model::is_name(name) {
        true => Ok(name.into()),
        false => Err("letters, digits, '.', '_' and '-', and no '.' in front".into()),
    }
}

/// Runs the command.
///
/// # Errors
/// [`Error::Mismatch`] where the deployed contract's answers are not the reference's; others of [`Error`].
pub async fn run(args: Args) -> Result<(), Error> {
    let model = Model::open(&args.model)?;
    let program = artifacts::program(args.contract, &model.name)?;
    let images = Samples::of(&model, args.data.as_deref())?.images;
    let account = args.account.required("contract creation").await?;
    let owner = account.address;
    let chain = args.network.connect(Some(account)).await?;
    let patience = Patience {
        request: Duration::from_secs(args.timeout),
        stuck: Duration::from_secs(args.stuck_after),
        ..Patience::ENDPOINT
    };
    let on = chain.chain_id();
    let subject = Subject::new((on, owner), args.contract, program.sha256(), &model);
    let default = || format!("{}-{}", model.name, args.contract.argument());
    let files = Files::new(&args.deployments, on, &args.name.clone().unwrap_or_else(default));
    let mut journal = journal(&args, &chain, &files, subject, patience).await?;
    plan::check(&chain, &journal, patience).await?;
    let plan = plan::plan(&chain, &program, &model, &mut journal, patience).await?;
    let asks = !args.yes && io::stdin().is_terminal() && !plan.steps.is_empty();
    let twin = match args.dry_run || asks {
        true => plan::twin(&plan, journal.subject(), &model).await?,
        false => None,
    };
    if args.dry_run {
        match args.json {
            true => report::print(&format_args!(
                "{:#}",
                serde_json::json!({"plan": plan, "twin": twin})
            )),
            false => report::print(&preview(&plan, twin.as_ref(), args.eth_price)),
        }
        return Ok(plan.check_funds(&chain, patience).await?);
    }
    note(&preview(&plan, twin.as_ref(), args.eth_price));
    plan.check_funds(&chain, patience).await?;
    if asks && !confirmed(&plan) {
        return Err(Error::Refused("the plan was not agreed to".into()));
    }
    let done = complete(&chain, &program, &model, &mut journal, patience).await?;
    let checked = images.iter().take(args.check);
    deployment::check_answers(&chain, &done, &model, checked, patience).await?;
    let code = patience.ask("eth_getCode", || chain.code(done.address)).await?;
    let checked = args.check.min(images.len());
    let record = Record::new(&journal, &done, (&program, &code), &plan.prices, checked);
    // A deployment that was found complete has a record, and with it the transactions that it took.
    if !record.transactions.is_empty() || Record::read(&files.record)?.is_none() {
        record.write(&files.record)?;
    }
    journal.remove()?;
    match args.json {
        true => report::print(&format_args!("{:#}", serde_json::json!(done))),
        false => report::print(&summary(&done, &record, &files)),
    }
    Ok(())
}

/// The journal to go on with; with the address of the contract where it is known from a record.
async fn journal(
    args: &Args,
    chain: &Connection,
    files: &Files,
    subject: Subject,
    patience: Patience,
) -> Result<Journal, Error> {
    let mut address = args.address;
    if address.is_none()
        && !files.journal.exists()
        && let Some(record) = Record::read(&files.record)?
    {
        let code = patience.ask("eth_getCode", || chain.code(record.address)).await?;
        // Development chains begin anew, and what was there is gone.
        if !code.is_empty() {
            if let Some(what) = record.subject.difference(&subject) {
                let path = files.record.clone();
                return Err(deployment::Error::Stale { path, what }.into());
            }
            address = Some(record.address);
        }
    }
    // What is only looked at leaves no trace.
    Ok(match args.dry_run && !files.journal.exists() {
        true => Journal::in_memory(subject, address),
        false => Journal::open(&files.journal, subject, address)?,
    })
}

async fn complete(
    chain: &Connection,
    program: &Program,
    model: &Model,
    journal: &mut Journal,
    patience: Patience,
) -> Result<Deployment, Error> {
    let told = &mut |step: &deployment::Step| {
        let gas = thousands(step.gas);
        note(&format!("{gas:>12} gas  {} ({})", step.name, step.transactions));
    };
    Ok(deployment::complete(chain, program, model, journal, patience, told).await?)
}

fn preview(plan: &Plan, twin: Option<&Plan>, dollars: Option<f64>) -> String {
    let plans = [Some(plan), twin].into_iter().flatten();
    let tables: Vec<String> = plans.map(|plan| plan.markdown(dollars)).collect();
    match plan.steps.is_empty() {
        true => {
            format!("{} with {} is complete; nothing is to be sent.", plan.contract, plan.model)
        }
        false => tables.join("\n"),
    }
}

/// Asks once, on the terminal.
fn confirmed(plan: &Plan) -> bool {
    let (count, ether) = (plan.transactions(), plan::ether(plan.cost_wei));
    let answer = spend::answer(&format!("Send {count} transactions for about {ether} ether?"));
    ["y", "yes"].contains(&answer.to_lowercase().as_str())
}

fn summary(done: &Deployment, record: &Record, files: &Files) -> String {
    format!(
        "{} is ready at {} in {} gas and {} for L1, data fee {} wei: {} ether; logits of {} images are the reference's.\n\
         model hash {}\nrecord {}",
        done.model,
        done.address,
        thousands(record.gas),
        thousands(record.l1_gas),
        done.data_fee_wei,
        plan::ether(record.cost_wei),
        record.checked_images,
        done.model_hash,
        files.record.display(),
    )
}
