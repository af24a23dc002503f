//! `inkling compare` on a live chain: contracts that stand there, each evaluated, side by side.

use crate::{
    Error,
    accounts::AccountArgs,
    artifacts::Contract,
    chain::{self, Connection},
    classifier::Classifier,
    compare::all_agree,
    deployment::{self, record::Record},
    evaluation::{AskArgs, Kept, evaluate},
    logging::note,
    models::Model,
    networks::NetworkArgs,
    plot,
    report::{self, Evaluation, Frontier, LiveComparison, Original, Point},
    samples::Samples,
};
use alloy::primitives::Address;
use clap::ValueEnum;
use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    str::FromStr,
};

/// Which contracts, and how they are asked.
#[derive(clap::Args, Clone, Debug)]
pub struct LiveArgs {
    /// Contracts on a live chain, with the one model that --models names; without them, those that `inkling deploy` has
    /// recorded there, of the models and contracts that are asked for.
    #[arg(long, value_name = "CONTRACT=ADDRESS,…", value_delimiter = ',')]
    pub deployed: Vec<Deployed>,
    /// Folder of the records: CHAIN-ID/NAME.json in it.
    #[arg(long, value_name = "DIR", default_value = "deployments")]
    pub deployments: PathBuf,
    /// Which chain; without one, each contract gets an embedded one.
    #[command(flatten)]
    pub network: NetworkArgs,
    /// Who pays; gas is estimated where nobody does.
    #[command(flatten)]
    pub account: AccountArgs,
    /// How the contracts are asked.
    #[command(flatten)]
    pub ask: AskArgs,
}

/// A contract, and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deployed {
    contract: Contract,
    address: Address,
}

impl FromStr for Deployed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (contract, address) =
            text.split_once('=').ok_or("expected CONTRACT=ADDRESS, as in stylus=0x…")?;
        let contract = Contract::from_str(contract, false)?;
        let address = address.parse().map_err(|_| format!("{address} is no address"))?;
        Ok(Self { contract, address })
    }
}

/// Compares the contracts that are there, and writes the report into a folder.
///
/// # Errors
/// [`Error::Mismatch`] where a digit or a logit is not the reference's; others of [`Error`].
pub async fn run(
    args: &LiveArgs,
    models: &[Model],
    contracts: &[Contract],
    samples: usize,
    out: &Path,
    json: bool,
) -> Result<(), Error> {
    let (comparison, frontier, kept) = compare(args, models, contracts, samples, out).await?;
    let name = comparison.file_stem();
    let png = plot::live(&comparison).map(|plot| plot.png()).transpose()?;
    let (markdown, html) = (comparison.markdown(&name), comparison.html(&frontier));
    let written = report::write(out, &name, &comparison, &markdown, png.as_deref(), Some(&html))?;
    kept.into_iter().try_for_each(Kept::remove)?;
    match json {
        true => report::print(&format_args!("{:#}", serde_json::json!(comparison))),
        false => {
            report::print(&comparison.table().markdown());
            report::print(&written);
        }
    }
    let answers = comparison.evaluations.iter();
    all_agree(answers.map(|one| (one.contract, &one.model[..], &one.disagreements[..])))
}

/// Evaluates the contracts on the first `samples` images, one after another. What is kept of each is to be removed when the
/// report is written.
///
/// # Errors
/// [`Error::Usage`] where no contract is known; others of [`Error`].
async fn compare(
    args: &LiveArgs,
    models: &[Model],
    contracts: &[Contract],
    samples: usize,
    folder: &Path,
) -> Result<(LiveComparison, Frontier, Vec<Kept>), Error> {
    let account = args.account.open().await.map_err(chain::Error::from)?;
    let chain = args.network.connect(account).await?;
    let there = found(args, &chain, models, contracts)?;
    let gas_by = args.ask.gas_by(&chain);
    let (mut evaluations, mut points, mut all_kept) = (Vec::new(), Vec::new(), Vec::new());
    for of_model in there.chunk_by(|(one, _), (other, _)| one.hash == other.hash) {
        let Some((model, _)) = of_model.first() else { continue };
        let mut set = Samples::of(model, None)?;
        set.truncate(samples);
        for &(model, Deployed { contract, address }) in of_model {
            note(&format!("{contract} with {} at {address}", model.name));
            deployment::verify(&chain, address, model).await?;
            let classifier = Classifier { chain: chain.clone(), address };
            let evaluated = evaluate(&classifier, contract, model, &set, &args.ask, folder);
            let (evaluation, kept) = evaluated.await?;
            all_kept.push(kept);
            points.extend(point(model, &evaluation));
            evaluations.push(evaluation);
        }
    }
    let chain_id = chain.chain_id();
    let comparison = LiveComparison { chain_id, samples, gas_by, evaluations };
    let frontier = Frontier { points, absent: Vec::new(), original: Original::published() };
    Ok((comparison, frontier, all_kept))
}

/// An evaluation as a point of the frontier, if its gas is known.
fn point(model: &Model, evaluation: &Evaluation) -> Option<Point> {
    Some(Point {
        model: model.name.clone(),
        data: model.data.name().into(),
        words: model.words.len(),
        correct: evaluation.correct,
        images: evaluation.samples,
        contract: evaluation.contract,
        gas: evaluation.transaction_gas?.mean,
        uncached_gas: None,
        floor: None,
        twin: None,
    })
}

/// The contracts that the arguments name, or the records.
fn found<'a>(
    args: &LiveArgs,
    chain: &Connection,
    models: &'a [Model],
    contracts: &[Contract],
) -> Result<Vec<(&'a Model, Deployed)>, Error> {
    let there = match (&args.deployed[..], models) {
        ([], _) => recorded(&args.deployments, chain.chain_id(), models, contracts)?,
        (deployed, [model]) => deployed.iter().map(|one| (model, *one)).collect(),
        (_, several) => {
            let count = several.len();
            let message = format!("--deployed is about one model; --models names {count}");
            return Err(Error::Usage(message));
        }
    };
    match there.is_empty() {
        false => Ok(there),
        true => Err(Error::Usage(format!(
            "{} has no record of these models and contracts on chain {}: name contracts with --deployed",
            args.deployments.display(),
            chain.chain_id()
        ))),
    }
}

/// The deployments on a chain that there are records of.
fn recorded<'a>(
    folder: &Path,
    chain_id: u64,
    models: &'a [Model],
    contracts: &[Contract],
) -> Result<Vec<(&'a Model, Deployed)>, Error> {
    let folder = folder.join(chain_id.to_string());
    let failed = |source| Error::Io { path: folder.clone(), source };
    let files = match fs::read_dir(&folder) {
        Ok(files) => files.collect::<Result<Vec<_>, _>>().map_err(failed)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(failed(error)),
    };
    let mut there = Vec::new();
    for path in files.into_iter().map(|file| file.path()) {
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        if !name.ends_with(".json") || name.ends_with(".journal.json") {
            continue;
        }
        let Some(Record { subject, address, .. }) = Record::read(&path)? else { continue };
        let contract = subject.contract;
        let place = models.iter().position(|model| model.hash == subject.model_hash);
        if let Some(place) = place.filter(|_| contracts.contains(&contract)) {
            there.push((place, contract, address));
        }
    }
    there.sort();
    there.dedup();
    let known = |(place, contract, address): (usize, _, _)| {
        (&models[place], Deployed { contract, address })
    };
    Ok(there.into_iter().map(known).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deployed_contracts_are_named() {
        let parsed: Deployed =
            "yul-code=0x00000000000000000000000000000000000a11ce".parse().unwrap();
        assert_eq!(parsed.contract, Contract::YulCode);
        for wrong in ["0x00000000000000000000000000000000000a11ce", "vyper=0x00", "stylus=0x00"] {
            assert!(wrong.parse::<Deployed>().is_err(), "{wrong}");
        }
    }
}
