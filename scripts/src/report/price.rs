//! What gas costs, as cells of a table.

use crate::deployment::plan::{dollars, ether};
use alloy::primitives::{U256, utils::format_units};

/// What gas costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GasPrice {
    /// Wei a gas; 0 where that is not known.
    pub wei: u64,
    /// Dollars an ether.
    pub eth_price: Option<f64>,
}

impl GasPrice {
    /// Names of the columns that [`GasPrice::cells`] fills.
    pub(super) fn header(self) -> Vec<&'static str> {
        let (ether, usd) = (self.wei > 0, self.wei > 0 && self.eth_price.is_some());
        ether.then_some("ether").into_iter().chain(usd.then_some("USD")).collect()
    }

    /// What so much gas costs, and `more` wei; a cell for each column.
    pub(super) fn cells(self, gas: u64, more: U256) -> Vec<String> {
        if self.wei == 0 {
            return Vec::new();
        }
        let wei = U256::from(gas) * U256::from(self.wei) + more;
        let usd = self.eth_price.map(|price| dollars(wei, price));
        [ether(wei)].into_iter().chain(usd).collect()
    }

    /// In words, as in `0.02 gwei a gas`.
    pub(super) fn words(self) -> String {
        let gwei = format_units(self.wei, "gwei").unwrap_or_default();
        let gwei = gwei.trim_end_matches('0').trim_end_matches('.');
        let dollars =
            self.eth_price.map_or(String::new(), |price| format!(", {price} USD an ether"));
        format!("{gwei} gwei a gas{dollars}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices() {
        let price = GasPrice { wei: 20_000_000, eth_price: Some(3_000.0) };
        assert_eq!(price.words(), "0.02 gwei a gas, 3000 USD an ether");
        assert_eq!(price.header(), ["ether", "USD"]);
        assert_eq!(price.cells(100_000, U256::ZERO), ["0.000002000000", "0.0060"]);
        assert_eq!(price.cells(0, U256::from(10).pow(U256::from(18)))[1], "3000.00");
        let unknown = GasPrice { wei: 0, eth_price: Some(3_000.0) };
        assert!(unknown.header().is_empty() && unknown.cells(1, U256::ZERO).is_empty());
    }
}
