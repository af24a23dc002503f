//! What the answers come to.

use super::answers::{Answer, Answers};
use crate::{
    classifier,
    gas::{Paid, Stats},
    models::Model,
    report::{Evaluation, Histogram, Misread},
    samples::Samples,
};
use inkling_network::argmax;

/// What the answers say, beside the reference's logits; what they do not say is for the caller to fill in.
pub(super) fn summary(
    answers: &Answers,
    model: &Model,
    samples: &Samples,
    expected: &[Vec<i32>],
) -> Evaluation {
    let subject = answers.subject();
    let classes = model.network.header().classes().max(10);
    let mut confusion = vec![vec![0; classes]; classes];
    let (mut disagreements, mut misread) = (Vec::new(), Vec::new());
    let (mut transaction, mut execution, mut l1) = (Vec::new(), Vec::new(), Vec::new());
    let images = samples.images.iter().zip(&samples.labels).zip(expected);
    for (index, (answer, ((image, &label), expected))) in
        answers.all().iter().zip(images).enumerate()
    {
        let Answer { digit, logits, gas, l1_gas } = answer;
        if logits != expected || usize::from(*digit) != argmax(expected) {
            disagreements.push(index);
        }
        if *digit != label {
            misread.push(Misread { image: index, label, digit: *digit, logits: logits.clone() });
        }
        // A digit that no class has is a disagreement; it has no place in the matrix.
        if let Some(cell) = confusion[usize::from(label)].get_mut(usize::from(*digit)) {
            *cell += 1;
        }
        if let Some(gas) = gas {
            let paid = Paid::of(*gas, &classifier::calldata(image));
            transaction.push(paid.transaction);
            execution.push(paid.execution);
            l1.push(*l1_gas);
        }
    }
    let told = !transaction.is_empty();
    Evaluation {
        model: model.name.clone(),
        shape: model.shape(),
        model_hash: model.hash,
        contract: subject.contract,
        sha256: None,
        chain_id: subject.chain_id,
        address: None,
        gas_by: subject.gas_by,
        cached: false,
        samples: samples.images.len(),
        correct: samples.images.len() - misread.len(),
        disagreements,
        confusion,
        misread,
        transaction_gas: told.then(|| Stats::of(&transaction)),
        execution_gas: told.then(|| Stats::of(&execution)),
        l1_gas: told.then(|| Stats::of(&l1)),
        histogram: told.then(|| Histogram::of(&transaction)),
        gas_price_wei: subject.gas_price_wei,
        eth_price: None,
    }
}
