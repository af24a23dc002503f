//! Gas figures: least, mean and most of many transactions; and what gas is in ink.

use inkling_devnode::{stylus::params::StylusParams, tx::intrinsic_gas};
use serde::{Deserialize, Serialize};

/// Ink that a gas buys.
pub const INK_PRICE: u64 = StylusParams::ARBOS_51.ink_price as u64;

/// Least, mean and most of some gas figures. Of none, all are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// The least.
    pub min: u64,
    /// The mean, rounded to the nearest whole number.
    pub mean: u64,
    /// The most.
    pub max: u64,
}

impl Stats {
    /// Of these figures.
    pub fn of(figures: &[u64]) -> Self {
        let count = figures.len() as u64;
        let (min, max) = (figures.iter().min(), figures.iter().max());
        let sum: u64 = figures.iter().sum();
        Self {
            min: min.copied().unwrap_or_default(),
            mean: (sum + count / 2).checked_div(count).unwrap_or_default(),
            max: max.copied().unwrap_or_default(),
        }
    }
}

/// What inference paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paid {
    /// Gas of the whole transaction (or of the estimate).
    pub transaction: u64,
    /// The same less 21,000 and the calldata.
    pub execution: u64,
}

impl Paid {
    /// Of a transaction (or estimate) with this calldata.
    pub fn of(transaction: u64, calldata: &[u8]) -> Self {
        Self { transaction, execution: transaction.saturating_sub(intrinsic_gas(calldata)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics() {
        assert_eq!(Stats::of(&[5, 1, 2]), Stats { min: 1, mean: 3, max: 5 });
        assert_eq!(Stats::of(&[]), Stats { min: 0, mean: 0, max: 0 });
    }
}
