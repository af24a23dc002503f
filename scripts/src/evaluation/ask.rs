//! Asking a contract about images, by `eth_call` and `eth_estimateGas`.

use super::answers::Answer;
use crate::{
    Error, chain,
    classifier::{self, Classifier},
    samples::Image,
};
use std::{
    num::NonZeroUsize,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

/// Asks one contract.
pub(super) struct Asker<'a> {
    classifier: &'a Classifier,
    /// Images of a `classifyBatch`: as many as are asked about at once, until one takes more gas than a call gets.
    at_once: AtomicUsize,
    estimates: Estimates,
}

/// Which estimates are made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Estimates {
    None,
    /// The chain charges nothing for posting to L1.
    Whole,
    /// Gas for L1, too.
    Parts,
}

impl<'a> Asker<'a> {
    /// # Errors
    /// [`Error`] where nobody answers.
    pub(super) async fn new(
        classifier: &'a Classifier,
        batch: NonZeroUsize,
        estimates: bool,
    ) -> Result<Self, Error> {
        let estimates = match estimates {
            false => Estimates::None,
            true if classifier.l1_estimate(&[0; 400]).await? == 0 => Estimates::Whole,
            true => Estimates::Parts,
        };
        Ok(Self { classifier, at_once: batch.get().into(), estimates })
    }

    /// Digits, logits and, where they are wanted, estimates of these images, the first of which has the index `first`.
    ///
    /// # Errors
    /// [`Error::Sample`] where one needs more gas than a transaction gets; others of [`Error`].
    pub(super) async fn ask(&self, first: usize, images: &[Image]) -> Result<Vec<Answer>, Error> {
        let digits = self.digits(images).await.map_err(classifier::Error::from)?;
        let mut answers = Vec::new();
        for ((index, image), digit) in (first..).zip(images).zip(digits) {
            let logits = self.classifier.logits(image).await.map_err(classifier::Error::from)?;
            let (gas, l1_gas) = match self.estimates {
                Estimates::None => (None, 0),
                estimates => {
                    let gas = self.classifier.estimate(image).await;
                    let gas = gas.map_err(|error| Error::of_sample(index, error))?;
                    let l1_gas = match estimates {
                        Estimates::Parts => self.classifier.l1_estimate(image).await?,
                        _ => 0,
                    };
                    (Some(gas.saturating_sub(l1_gas)), l1_gas)
                }
            };
            answers.push(Answer { digit, logits, gas, l1_gas });
            // An embedded chain answers without ever waiting: this is where a task can be stopped.
            tokio::task::yield_now().await;
        }
        Ok(answers)
    }

    /// The digits, of as many images at once as a call gets gas for.
    async fn digits(&self, images: &[Image]) -> Result<Vec<u8>, chain::Error> {
        let mut digits = Vec::new();
        while let Some(rest) = images.get(digits.len()..).filter(|rest| !rest.is_empty()) {
            let count = self.at_once.load(Relaxed).min(rest.len());
            if count == 1 {
                digits.push(self.classifier.digit(&rest[0]).await?);
                continue;
            }
            match self.classifier.digits(&rest[..count]).await {
                Ok(some) => digits.extend(some),
                // A contract that refuses for another reason refuses a single image, too.
                Err(error) if error.is_temporary() => return Err(error),
                Err(_) => {
                    self.at_once.fetch_min(count / 2, Relaxed);
                }
            }
        }
        Ok(digits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{artifacts::Contract, chain::Connection, deployment, testing::tiny_model};

    #[tokio::test]
    async fn a_batch_that_takes_too_much_gas_is_made_smaller() {
        // Of 52 weights a pixel each is a mapping entry: a cold slot for the first image of a call, which gets 50 M gas.
        let model = tiny_model(8, &[52, 10]);
        let chain = Connection::embedded().await.unwrap();
        let deployed = deployment::deploy(&chain, Contract::Naive, &model).await.unwrap();
        let classifier = Classifier { chain, address: deployed.address };
        let images = [1, 0, 2, 3, 4].map(|ink| {
            let mut image = [0; 400];
            image[..320].fill(ink);
            image
        });
        let asker = Asker::new(&classifier, NonZeroUsize::new(4).unwrap(), false).await.unwrap();
        let answers = asker.ask(0, &images).await.unwrap();
        assert_eq!(answers.len(), 5);
        for (image, answer) in images.iter().zip(&answers) {
            assert_eq!(answer.logits, model.logits(image).unwrap());
            assert_eq!(answer.digit, model.kernel().classify(image).unwrap().0);
        }
        let at_once = asker.at_once.load(Relaxed);
        assert!((1..4).contains(&at_once), "{at_once}");
    }
}
