//! A transaction for each image.

use crate::{
    Error,
    chain::Request,
    classifier::Classifier,
    deployment::{
        self,
        journal::{Entry, Journal},
        outbox::{Outbox, Outgoing},
        patience::Patience,
    },
    samples::Image,
};

/// What the journal calls the transaction of the image with this index.
fn step(index: usize) -> String {
    format!("classification of test image {index}")
}

/// Classifies images, the first of which has the index `first`, by transactions, and says what gas each took, and what of it
/// paid for L1. What the journal knows of already is not sent again.
///
/// # Errors
/// [`Error::Sample`] where one needs more gas than a transaction gets; [`Error::Deployment`] with what else went wrong.
pub(super) async fn pay(
    classifier: &Classifier,
    journal: &mut Journal,
    first: usize,
    images: &[Image],
    gas_limit: u64,
) -> Result<Vec<(u64, u64)>, Error> {
    let mut outbox = Outbox::new(&classifier.chain, journal, Patience::of(&classifier.chain));
    outbox.recheck().await?;
    loop {
        if let Err(error) = outbox.settle(0).await {
            return Err(reason(classifier, first, images, error).await);
        }
        let gas = (first..).take(images.len()).map(|index| gas(outbox.journal, index));
        let gas: Vec<Option<(u64, u64)>> = gas.collect();
        if let Some(gas) = gas.iter().copied().collect() {
            return Ok(gas);
        }
        let missing = (first..).zip(images).zip(gas).filter(|(_, gas)| gas.is_none());
        let missing = missing.map(|((index, image), _)| {
            let request = Request { gas: Some(gas_limit), ..classifier.request(image) };
            Outgoing { step: step(index), request, chunks: None }
        });
        outbox.send_all(missing.collect()).await?;
    }
}

/// Takes out of the journal what is in the answers: `count` images from `first` on. Others may be there, of a process that
/// paid for more of them at once.
///
/// # Errors
/// [`Error::Deployment`] where the journal cannot be written.
pub(super) fn forget(journal: &mut Journal, first: usize, count: usize) -> Result<(), Error> {
    let steps: Vec<String> = (first..first + count).map(step).collect();
    Ok(journal.change(|entries| entries.retain(|entry| !steps.contains(&entry.step)))?)
}

/// Gas of the transaction of an image that is in a block, and what beside it paid for L1.
fn gas(journal: &Journal, index: usize) -> Option<(u64, u64)> {
    let step = step(index);
    let entries = journal.entries().iter().filter(|entry| entry.step == step);
    let mut mined = entries.filter_map(Entry::mined).filter(|mined| mined.success);
    mined.next().map(|mined| (mined.gas, mined.l1_gas))
}

/// Why a transaction failed: mostly, it needed more gas than there is.
async fn reason(
    classifier: &Classifier,
    first: usize,
    images: &[Image],
    error: deployment::Error,
) -> Error {
    let deployment::Error::Failed { step: failed, .. } = &error else { return error.into() };
    for (index, image) in (first..).zip(images) {
        if step(index) == *failed
            && let Err(reason) = classifier.estimate(image).await
        {
            return Error::of_sample(index, reason);
        }
    }
    error.into()
}
