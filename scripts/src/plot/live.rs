//! Contracts on a live chain: their gas as bars, and beside their accuracy.

use super::{Bar, Group, Picture, bars, frontier};
use crate::{
    networks,
    report::{Frontier, LiveComparison, thousands},
};

/// Draws accuracy against gas.
pub fn live_frontier(comparison: &LiveComparison, points: &Frontier) -> Picture {
    let LiveComparison { chain_id, samples, gas_by, .. } = comparison;
    let subtitle = format!(
        "On {}: mean gas of {gas_by}, and accuracy, of the first {} test images; close lines are drawn apart",
        networks::name(*chain_id),
        thousands(*samples as u64)
    );
    frontier::points(points, &subtitle)
}

/// Draws the gas: each contract's mean, and least and most; `None` where no gas is known.
pub fn live(comparison: &LiveComparison) -> Option<Picture> {
    let mut groups: Vec<Group> = Vec::new();
    for one in &comparison.evaluations {
        let gas = one.transaction_gas?;
        let (label, heading) = (one.contract.to_string(), format!("{} ({})", one.model, one.shape));
        let bar = Bar { label, gas, colour: one.contract.into() };
        match groups.last_mut().filter(|group| group.heading == heading) {
            Some(group) => group.bars.push(bar),
            None => groups.push(Group { heading, bars: vec![bar] }),
        }
    }
    let LiveComparison { chain_id, samples, gas_by, .. } = comparison;
    let subtitle = format!(
        "On {}: mean of {gas_by} over the first {} test images; whiskers: least and most",
        networks::name(*chain_id),
        thousands(*samples as u64)
    );
    Some(bars("Gas of one classification", &subtitle, &groups))
}
