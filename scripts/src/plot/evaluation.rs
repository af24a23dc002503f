//! The gas of the images of an evaluation.

use super::{Picture, histogram};
use crate::report::{Evaluation, thousands};

/// Draws it, if gas was asked for.
pub fn evaluation(evaluation: &Evaluation) -> Option<Picture> {
    let (classes, gas) = evaluation.histogram.as_ref().zip(evaluation.transaction_gas)?;
    let title = format!("Gas of one classification: {}", evaluation.model);
    let subtitle = format!(
        "{} contract, {} test images, {}",
        evaluation.contract,
        thousands(evaluation.samples as u64),
        evaluation.gas_by,
    );
    Some(histogram(&title, &subtitle, "gas", classes, gas.mean))
}
