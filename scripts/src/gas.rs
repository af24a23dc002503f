//! Gas figures: least, mean and most of many transactions.

use serde::{Deserialize, Serialize};

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

/// What a call pays before its first instruction: 21,000, 4 for each zero byte of calldata and 16 for each other one
/// (EIP-2028).
pub fn intrinsic(calldata: &[u8]) -> u64 {
    let zeros = calldata.iter().filter(|&&byte| byte == 0).count() as u64;
    21_000 + 4 * zeros + 16 * (calldata.len() as u64 - zeros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics() {
        assert_eq!(Stats::of(&[5, 1, 2]), Stats { min: 1, mean: 3, max: 5 });
        assert_eq!(Stats::of(&[]), Stats { min: 0, mean: 0, max: 0 });
    }

    #[test]
    fn intrinsic_gas_tells_zeros() {
        assert_eq!(intrinsic(&[0, 0, 7]), 21_024);
    }
}
