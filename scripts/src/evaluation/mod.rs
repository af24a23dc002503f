//! Evaluating a deployed contract: many images, several requests at a time, and going on where a process ended.
//!
//! Images are asked about in batches: their digits by one `classifyBatch`, logits and gas image by image. Several batches wait
//! for their answers at the same time; what comes back is kept in the order of the images. Transactions go out by the same
//! outbox as those of a deployment, a batch after the other, each written down before it is sent.
//!
//! * `ask`: the requests; `pay`: the transactions;
//! * [`answers`], `kept`: what came back, in files, so that nothing is asked or paid for twice; `summary`: what it comes to.

pub mod answers;
mod ask;
mod kept;
mod pay;
mod summary;

pub use kept::Kept;

use crate::{
    Error,
    artifacts::{self, Contract},
    chain::{self, Connection},
    classifier::Classifier,
    logging::note,
    models::Model,
    program::Program,
    progress,
    report::{Evaluation, GasBy, thousands},
    samples::{Image, Samples},
    spend,
};
use alloy::primitives::{U256, utils::format_ether};
use answers::Subject;
use ask::Asker;
use futures_util::{StreamExt, stream};
use std::{num::NonZeroUsize, path::Path};
use summary::summary;

/// How a contract is asked.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct AskArgs {
    /// How gas is found out [default: by transactions on a chain of its own and where an account is given, else by
    /// estimates].
    #[arg(long, value_enum, value_name = "WAY")]
    pub gas_by: Option<GasBy>,
    /// Requests that wait for their answers at the same time.
    #[arg(long, value_name = "N", default_value_t = CONCURRENCY)]
    pub concurrency: NonZeroUsize,
    /// Images of one classifyBatch; it gets fewer where that takes more gas than the endpoint gives a call.
    #[arg(long, value_name = "N", default_value_t = BATCH)]
    pub batch: NonZeroUsize,
    /// Dollars for an ether, to show costs in both.
    #[arg(long, value_name = "USD")]
    pub eth_price: Option<f64>,
    /// Do not ask before transactions are paid for.
    #[arg(short, long)]
    pub yes: bool,
}

const CONCURRENCY: NonZeroUsize = NonZeroUsize::new(8).unwrap();
const BATCH: NonZeroUsize = NonZeroUsize::new(crate::measure::BATCH).unwrap();

impl AskArgs {
    /// How gas is found out on this chain.
    pub fn gas_by(&self, chain: &Connection) -> GasBy {
        let default = || match chain.sender() {
            Some(_) => GasBy::Transaction,
            None => GasBy::Estimate,
        };
        self.gas_by.unwrap_or_else(default)
    }
}

/// Evaluates a contract with a model in it, or goes on with it, and says what came of it. `kept` is to be removed when the
/// report is written.
///
/// # Errors
/// [`Error::Refused`] where transactions are not agreed to or cannot be paid; others of [`Error`].
pub async fn evaluate(
    classifier: &Classifier,
    contract: Contract,
    model: &Model,
    samples: &Samples,
    args: &AskArgs,
    folder: &Path,
) -> Result<(Evaluation, Kept), Error> {
    let chain = &classifier.chain;
    let gas_by = args.gas_by(chain);
    if gas_by == GasBy::Transaction && chain.sender().is_none() {
        return Err(chain::Error::NoKey("classify(bytes)").into());
    }
    let subject = Subject {
        chain_id: chain.chain_id(),
        address: classifier.address,
        contract,
        model: model.name.clone(),
        model_hash: model.hash,
        samples: samples.images.len(),
        gas_by,
        gas_price_wei: chain.gas_price().await?.try_into().unwrap_or(u64::MAX),
    };
    let mut kept = Kept::new(folder, subject, chain)?;
    // The reference takes its time; it does not wait for the chain, nor the chain for it.
    let reference = {
        let (model, samples) = (model.clone(), samples.clone());
        tokio::task::spawn_blocking(move || samples.logits(&model, samples.images.len()))
    };
    complete(classifier, samples, args, &mut kept).await?;
    let expected = match reference.await {
        Ok(expected) => expected?,
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    };
    let cached = match contract.is_stylus() {
        true => Program::read(chain, classifier.address).await?.is_some_and(|it| it.cached),
        false => false,
    };
    let sha256 = match chain.is_embedded() {
        true => Some(artifacts::program(contract, &model.name)?.sha256()),
        false => None,
    };
    let evaluation = Evaluation {
        sha256,
        address: (!chain.is_embedded()).then_some(classifier.address),
        cached,
        eth_price: args.eth_price,
        ..summary(&kept.answers, model, samples, &expected)
    };
    Ok((evaluation, kept))
}

/// Asks about the images that are not answered yet.
async fn complete(
    classifier: &Classifier,
    samples: &Samples,
    args: &AskArgs,
    kept: &mut Kept,
) -> Result<(), Error> {
    let (images, done) = (&samples.images, kept.answered());
    let gas_by = kept.answers.subject().gas_by;
    if done > 0 {
        let (done, all) = (thousands(done as u64), thousands(images.len() as u64));
        note(&format!("going on: {done} of {all} images are answered"));
    }
    let gas_limit = match gas_by {
        GasBy::Transaction => Some(agreed(classifier, &images[done..], args).await?),
        _ => None,
    };
    let bar = progress::bar(images.len(), "classifying");
    bar.inc(done as u64);
    let asker = Asker::new(classifier, args.batch, gas_by == GasBy::Estimate).await?;
    let size = args.batch.get();
    let batches = images[done..].chunks(size).enumerate();
    let batches = batches.map(|(batch, images)| (done + batch * size, images));
    let mut asked = stream::iter(batches)
        .map(|(first, images)| {
            let asker = &asker;
            async move { (first, images, asker.ask(first, images).await) }
        })
        .buffered(args.concurrency.get());
    while let Some((first, images, answers)) = asked.next().await {
        let mut answers = answers?;
        if let Some(gas_limit) = gas_limit {
            let gas = pay::pay(classifier, &mut kept.journal, first, images, gas_limit).await?;
            for (answer, (gas, l1_gas)) in answers.iter_mut().zip(gas) {
                (answer.gas, answer.l1_gas) = (Some(gas), l1_gas);
            }
        }
        kept.answers.extend(answers)?;
        pay::forget(&mut kept.journal, first, images.len())?;
        bar.inc(images.len() as u64);
    }
    bar.finish_and_clear();
    Ok(())
}

/// The gas limit of each transaction, once it is agreed to what they cost together: unasked on a chain of this process.
async fn agreed(classifier: &Classifier, images: &[Image], args: &AskArgs) -> Result<u64, Error> {
    let chain = &classifier.chain;
    let limit = classifier.gas_limit(images).await?;
    if chain.is_embedded() || images.is_empty() {
        return Ok(limit);
    }
    let (price, balance) = (chain.gas_price().await?, chain.balance().await?);
    let most = U256::from(limit) * U256::from(images.len()) * U256::from(price);
    let count = thousands(images.len() as u64);
    let (each, ether) = (thousands(limit), format_ether(most));
    if balance < most {
        let balance = format_ether(balance);
        return Err(Error::Refused(format!(
            "the account has {balance} ether, {count} transactions of at most {each} gas take up to {ether}"
        )));
    }
    note(&format!("{count} transactions of at most {each} gas: at most {ether} ether"));
    match args.yes || spend::agreed()? {
        true => Ok(limit),
        false => Err(Error::Refused("the transactions were not agreed to".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{deployment, testing::tiny_model};
    use inkling_devnode::{Chain, ChainConfig, Node};

    const ARGS: AskArgs = AskArgs {
        gas_by: None,
        concurrency: CONCURRENCY,
        batch: BATCH,
        eth_price: None,
        yes: true,
    };

    #[tokio::test]
    async fn an_evaluation_adds_up() {
        let model = tiny_model(7, &[8, 10]);
        let images = vec![[0; 400], [255; 400], [7; 400]];
        let mut labels: Vec<u8> =
            images.iter().map(|image| model.kernel().classify(image).unwrap().0).collect();
        labels[2] = (labels[2] + 1) % 10;
        let node = Node::new(Chain::new(ChainConfig::default()));
        let chain = Connection::to_node(node.clone()).await.unwrap();
        let deployed = deployment::deploy(&chain, Contract::Packed, &model).await.unwrap();
        let classifier = Classifier { chain, address: deployed.address };
        let samples = Samples { images, labels };
        let blocks = node.chain().number();
        let evaluate = async |args: &AskArgs| {
            let folder = Path::new("never written");
            let done = evaluate(&classifier, Contract::Packed, &model, &samples, args, folder);
            done.await.unwrap().0
        };
        let evaluation = evaluate(&ARGS).await;
        assert_eq!(node.chain().number(), blocks + 3);
        assert_eq!((evaluation.samples, evaluation.correct), (3, 2));
        assert_eq!(evaluation.file_stem(), "evaluate-random-7-packed-3");
        assert!(evaluation.disagreements.is_empty());
        assert_eq!(evaluation.confusion.iter().flatten().sum::<u32>(), 3);
        let [misread] = &evaluation.misread[..] else { panic!("one is misread") };
        assert_eq!((misread.image, misread.label), (2, samples.labels[2]));
        assert_eq!(misread.logits, model.logits(&samples.images[2]).unwrap());
        let transaction = evaluation.transaction_gas.unwrap();
        assert!(transaction.min < transaction.max);
        // An empty image's calldata: selector, offset, length 400 (2 bytes that are not zero), 400 zeros and padding.
        let intrinsic = transaction.min - evaluation.execution_gas.unwrap().min;
        assert_eq!(intrinsic, 21_000 + 4 * 16 + 3 * 16 + 4 * (31 + 30 + 416));

        // Neither calls nor estimates are transactions; one by one, they say the same.
        let one = NonZeroUsize::MIN;
        let args = AskArgs { batch: one, concurrency: one, ..ARGS };
        let called = evaluate(&AskArgs { gas_by: Some(GasBy::Call), ..args }).await;
        assert_eq!((called.transaction_gas, called.histogram.is_none()), (None, true));
        assert_eq!((called.confusion, called.misread), (evaluation.confusion, evaluation.misread));
        let estimated = evaluate(&AskArgs { gas_by: Some(GasBy::Estimate), ..args }).await;
        let most = transaction.max * 1_016 / 1_000;
        assert!((transaction.max..=most).contains(&estimated.transaction_gas.unwrap().max));
        assert_eq!(node.chain().number(), blocks + 3);
    }

    #[tokio::test]
    async fn a_wrong_answer_is_seen() {
        let (model, other) = (tiny_model(7, &[8, 10]), tiny_model(8, &[8, 10]));
        let samples = crate::testing::tiny_samples(3);
        let chain = Connection::embedded().await.unwrap();
        let deployed = deployment::deploy(&chain, Contract::Packed, &other).await.unwrap();
        let classifier = Classifier { chain, address: deployed.address };
        let folder = Path::new("never written");
        let done = evaluate(&classifier, Contract::Packed, &model, &samples, &ARGS, folder);
        assert_eq!(done.await.unwrap().0.disagreements, [0, 1, 2]);
    }
}
