//! The fee in wei for keeping a program's compiled form.
//!
//! The price of a byte rises exponentially with the bytes that were activated recently and falls with time, so that a
//! year's activations stay near a size that nodes can store. Source: `arbos/programs/data_pricer.go` in Nitro.

use crate::{
    arbos::{
        BurnedOut, Burner, START_TIME,
        storage::{Space, Word},
    },
    evm::Ctx,
};
use alloy_primitives::U256;

/// Writes the initial prices into an empty ArbOS state.
pub(crate) fn genesis_words() -> [(U256, U256); 5] {
    const HOURLY_BYTES: u64 = (1 << 40) / (365 * 24);
    [0, HOURLY_BYTES / 3600, START_TIME, 82_928_201, 21_360_419]
        .into_iter()
        .enumerate()
        .map(|(i, value)| (pricer_slot(i as u8), U256::from(value)))
        .collect::<Vec<_>>()
        .try_into()
        .expect("five words")
}

fn pricer_slot(index: u8) -> U256 {
    Word(Space::DataPricer, index).slot()
}

/// Fee in wei for storing a program whose compiled size is `bytes`, which the activation at `time` pays.
///
/// The price of a byte rises exponentially with the bytes activated recently and falls with time
/// (`arbos/programs/data_pricer.go`).
pub(crate) fn data_fee(
    ctx: &mut Ctx<'_>,
    burner: &mut Burner,
    bytes: u32,
    time: u64,
) -> Result<U256, BurnedOut> {
    let mut words = [0u64; 5];
    for (i, word) in words.iter_mut().enumerate() {
        *word = burner.read(ctx, pricer_slot(i as u8))?.saturating_to();
    }
    let [demand, per_second, updated, min_price, inertia] = words;
    let passed = time.saturating_sub(updated).min(u32::MAX.into());
    let credit = (per_second * passed).min(u32::MAX.into());
    let demand = (demand.saturating_sub(credit) + u64::from(bytes)).min(u32::MAX.into());
    burner.write(ctx, pricer_slot(0), U256::from(demand))?;
    burner.write(ctx, pricer_slot(2), U256::from(time))?;

    let multiplier = exp_bips(10_000 * demand / inertia.max(1));
    let per_byte = min_price.saturating_mul(multiplier) / 10_000;
    Ok(U256::from(per_byte.saturating_mul(bytes.into())))
}

/// `e^x` in basis points, by twelve terms of its series.
fn exp_bips(x: u64) -> u64 {
    let mut sum = 10_000 + x / 12;
    for i in (1..12).rev() {
        sum = 10_000 + sum.saturating_mul(x) / (i * 10_000);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential() {
        assert_eq!(exp_bips(0), 10_000);
        assert_eq!(exp_bips(10_000), 27_182);
    }
}
