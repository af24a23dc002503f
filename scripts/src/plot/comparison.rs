//! The gas of all contracts, as bars.

use super::{Bar, Colour, Group, Picture, bars};
use crate::report::{Comparison, Original, thousands};

/// Draws it: each contract's mean, Stylus programs cached, and least and most; of `samples` images where no contract is
/// too dear for them.
pub fn comparison(comparison: &Comparison, samples: usize) -> Picture {
    let mut groups = Vec::new();
    for model in &comparison.models {
        let mut bars = Vec::new();
        for row in comparison.rows_of(&model.name) {
            let Some(best) = row.best() else { continue };
            let contract = row.deployment.contract;
            let label = best.label(contract);
            bars.push(Bar { label, gas: best.transaction_gas, colour: contract.into() });
        }
        groups.push(Group { heading: format!("{} ({})", model.name, model.shape), bars });
    }
    let Original { shape, gas, .. } = &comparison.original;
    let heading = format!("evm-neural-network ({shape}), as its README reports");
    let original = Bar { label: "original".into(), gas: *gas, colour: Colour::Original };
    groups.push(Group { heading, bars: vec![original] });
    let fewer = match comparison.rows.iter().any(|row| row.samples < samples) {
        true => " (of dear contracts fewer)",
        false => "",
    };
    let subtitle = format!(
        "Whole transactions, mean over the first {} test images{fewer}; whiskers: least and most",
        thousands(samples as u64)
    );
    bars("Gas of one classification", &subtitle, &groups)
}
