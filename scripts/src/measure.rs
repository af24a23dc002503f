//! One contract with one model: deployed on an embedded chain of its own, asked by transactions, its gas taken apart.

use crate::{
    Error,
    artifacts::{self, Contract, Program},
    chain::Connection,
    classifier::{self, Classifier},
    deployment::{self, Deployment},
    gas::{INK_PRICE, Paid, Stats},
    report::{Classify, Estimate, Means, Reads, Row, Twin},
    samples::{Image, Task},
};
use inkling_devnode::{arbos::TX_GAS_CAP, tx::intrinsic_gas};

/// Images of a batch.
pub const BATCH: usize = 32;

/// Images whose hostios are traced.
pub const TRACED: usize = 100;

/// Images whose `eth_estimateGas` is taken: it runs a transaction several times.
const ESTIMATES: usize = 20;

/// A row of a comparison, and gas image by image: of a Stylus program, cached.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The row; its [`Row::twin`] is for [`pair`] to fill.
    pub row: Row,
    paid: Vec<Paid>,
    /// Gas less reads; of a Stylus program, of the first images only.
    compute: Vec<u64>,
}

/// Measures one contract with one model. `tick` is called after each transaction.
///
/// # Errors
/// [`Error`]; [`deployment::Error::Refused`] where the contract does not take the model.
pub async fn measure(contract: Contract, task: &Task, tick: impl Fn()) -> Result<Measured, Error> {
    let Task { model, samples, .. } = task;
    let program = artifacts::program(contract, &model.name)?;
    let chain = Connection::embedded().await?;
    let created = deployment::create_of(&chain, contract, &program, model).await?;
    let deployment = deployment::upload(&chain, created, model, &mut |_| {}).await?;
    let classifier = Classifier { chain, address: deployment.address };

    let ways = if contract.is_stylus() { &[Some(false), Some(true)][..] } else { &[None] };
    let (mut classify, mut paid, mut too_dear) = (Vec::new(), Vec::new(), None);
    for &cached in ways {
        if let Some(cached) = cached {
            classifier.chain.set_cached(classifier.address, cached).await?;
        }
        (paid, too_dear) = pay(&classifier, task, &tick).await?;
        if paid.is_empty() {
            break;
        }
        classify.push(way(&classifier, &samples.images, cached, &paid).await?);
    }
    let (compute, batch_gas) = match paid.is_empty() {
        true => (Vec::new(), None),
        false => (
            compute(&classifier, contract, task, &paid).await?,
            batch(&classifier, &samples.images).await?,
        ),
    };
    let mut row = row(deployment, &program, &classifier).await?;
    (row.samples, row.too_dear, row.classify, row.batch_gas) =
        (paid.len(), too_dear, classify, batch_gas);
    row.compute_gas = (!compute.is_empty()).then(|| Stats::of(&compute).mean);
    row.reads = reads(contract, task, row.samples);
    for (index, (image, label)) in
        samples.images[..row.samples].iter().zip(&samples.labels).enumerate()
    {
        let (agrees, digit) = classifier.compared(image, &task.logits[index]).await?;
        row.correct += usize::from(digit == *label);
        if !agrees {
            row.disagreements.push(index);
        }
        tokio::task::yield_now().await;
    }
    Ok(Measured { row, paid, compute })
}

/// Classifies images by transactions, until the budget is used up or one needs more gas than a transaction gets: that
/// is said, too.
async fn pay(
    classifier: &Classifier,
    task: &Task,
    tick: &impl Fn(),
) -> Result<(Vec<Paid>, Option<u64>), Error> {
    let (mut paid, mut spent) = (Vec::new(), 0);
    for image in &task.samples.images {
        if spent >= task.gas_budget {
            break;
        }
        match classifier.pay(image, TX_GAS_CAP).await {
            Ok(one) => {
                spent += one.transaction;
                paid.push(one);
            }
            Err(classifier::Error::GasCap { needed }) => return Ok((paid, Some(needed))),
            Err(error) => return Err(error.into()),
        }
        tick();
        // An embedded chain answers without ever waiting: this is where a task can be stopped.
        tokio::task::yield_now().await;
    }
    Ok((paid, None))
}

async fn way(
    classifier: &Classifier,
    images: &[Image],
    cached: Option<bool>,
    paid: &[Paid],
) -> Result<Classify, Error> {
    let mut estimates = Vec::new();
    for image in images.iter().take(ESTIMATES.min(paid.len())) {
        estimates.push(classifier.estimate(image).await?);
    }
    let transaction: Vec<u64> = paid.iter().map(|paid| paid.transaction).collect();
    let execution: Vec<u64> = paid.iter().map(|paid| paid.execution).collect();
    Ok(Classify {
        cached,
        transaction_gas: Stats::of(&transaction),
        execution_gas: Stats::of(&execution),
        estimate: Estimate {
            images: estimates.len(),
            mean: Stats::of(&estimates).mean,
            transaction_mean: Stats::of(&transaction[..estimates.len()]).mean,
        },
    })
}

/// Gas less reads, image by image.
async fn compute(
    classifier: &Classifier,
    contract: Contract,
    task: &Task,
    paid: &[Paid],
) -> Result<Vec<u64>, Error> {
    if !contract.is_stylus() {
        let reads = |index: usize| task.reads(contract, index);
        let compute = paid.iter().enumerate().map(|(index, paid)| {
            let (_, gas) = reads(index)?;
            Some(paid.execution.saturating_sub(gas))
        });
        return Ok(compute.collect::<Option<_>>().unwrap_or_default());
    }
    let mut compute = Vec::new();
    for (image, paid) in task.samples.images.iter().zip(paid).take(TRACED) {
        let traced = classifier.trace(image, *paid).await?;
        compute.push((traced.ink - traced.trace.read_ink()) / INK_PRICE);
    }
    Ok(compute)
}

/// Gas an image of a whole batch; `None` where that is too much, or there are too few images.
async fn batch(classifier: &Classifier, images: &[Image]) -> Result<Option<u64>, Error> {
    let Some(images) = images.get(..BATCH) else { return Ok(None) };
    match classifier.pay_batch(images, TX_GAS_CAP).await {
        Ok(paid) => Ok(Some(paid.transaction / BATCH as u64)),
        Err(classifier::Error::GasCap { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn reads(contract: Contract, task: &Task, count: usize) -> Option<Reads> {
    let (mut slots, mut floors) = (Vec::new(), Vec::new());
    for (index, image) in task.samples.images.iter().take(count).enumerate() {
        let (read, gas) = task.reads(contract, index)?;
        slots.push(read as u64);
        floors.push(gas + intrinsic_gas(&classifier::calldata(image)));
    }
    (count > 0).then(|| Reads { slots: Stats::of(&slots), floor: Stats::of(&floors).mean })
}

/// What there is to say of a contract before it is asked anything.
async fn row(
    deployment: Deployment,
    program: &Program,
    classifier: &Classifier,
) -> Result<Row, Error> {
    let (build, activation_gas, costs) = match program {
        Program::Stylus(program) => {
            let fresh = Connection::embedded().await?;
            let gas = deployment::activation_gas(&fresh, program).await?;
            (Some(program.build.clone()), gas, Some(classifier.program_costs().await?))
        }
        Program::Solidity(_) => (None, None, None),
    };
    Ok(Row {
        deployment,
        sha256: program.sha256(),
        build,
        activation_gas,
        program: costs,
        samples: 0,
        too_dear: None,
        correct: 0,
        disagreements: Vec::new(),
        classify: Vec::new(),
        reads: None,
        compute_gas: None,
        batch_gas: None,
        twin: None,
    })
}

/// Puts each contract beside its twin, if that was measured with the same model.
pub fn pair(measured: &mut [Measured]) {
    let twins: Vec<Option<Twin>> = measured.iter().map(|own| twin(own, measured)).collect();
    for (measured, twin) in measured.iter_mut().zip(twins) {
        measured.row.twin = twin;
    }
}

fn twin(own: &Measured, all: &[Measured]) -> Option<Twin> {
    let Deployment { contract, model, .. } = &own.row.deployment;
    let is_twin = |other: &&Measured| {
        let Deployment { contract: twin, model: same, .. } = &other.row.deployment;
        *twin == contract.twin() && same == model
    };
    let twin = all.iter().find(is_twin)?;
    let images = own.paid.len().min(twin.paid.len());
    let traced = own.compute.len().min(twin.compute.len());
    let means = |measured: &Measured| {
        let mean = |figure: fn(&Paid) -> u64| {
            Stats::of(&measured.paid[..images].iter().map(figure).collect::<Vec<_>>()).mean
        };
        Means {
            transaction: mean(|paid| paid.transaction),
            execution: mean(|paid| paid.execution),
            compute: (traced > 0).then(|| Stats::of(&measured.compute[..traced]).mean),
        }
    };
    (images > 0).then(|| Twin { images, own: means(own), twin: means(twin) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{tiny_model, tiny_samples};

    fn task(gas_budget: u64) -> Task {
        let samples = tiny_samples(3);
        Task::new(tiny_model(8, &[8, 10]), samples, 3, gas_budget).unwrap().0
    }

    #[tokio::test]
    async fn the_traced_reads_are_those_of_the_kernel() {
        let task = task(u64::MAX);
        let chain = Connection::embedded().await.unwrap();
        let done = deployment::deploy(&chain, Contract::Stylus, &task.model).await.unwrap();
        let classifier = Classifier { chain, address: done.address };
        for (index, image) in task.samples.images.iter().enumerate() {
            let paid = classifier.pay(image, TX_GAS_CAP).await.unwrap();
            let traced = classifier.trace(image, paid).await.unwrap();
            let (slots, gas) = task.reads(Contract::Stylus, index).unwrap();
            assert_eq!(traced.trace.slots(), slots);
            assert!(traced.trace.read_ink() > gas * INK_PRICE);
            // All that a transaction pays for is known.
            let ink = traced.ink.div_ceil(INK_PRICE);
            assert_eq!(paid.execution - traced.start_gas, ink);
        }
    }

    #[tokio::test]
    async fn a_budget_ends_early() {
        let measured = measure(Contract::Packed, &task(1), || {}).await.unwrap();
        assert_eq!((measured.row.samples, measured.row.too_dear), (1, None));
        assert_eq!(measured.row.classify.len(), 1);
    }
}
