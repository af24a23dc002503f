//! Which chunks go together into a transaction.

use super::{Error, patience::Patience};
use crate::{
    abi::IClassifier,
    artifacts::{Contract, Home},
    chain::{Connection, Request},
    models::Model,
};
use alloy::primitives::Address;
use inkling_network::pack;

/// The share of a transaction's gas cap that an upload fills: several fit into a block beside others' transactions, little is
/// lost with one that fails, and the 21,000 of each weigh less than 0.3 %.
const CAP_SHARE: u64 = 4;

/// The most bytes of words in a transaction: Nitro's sequencer takes transactions of up to 95,000 bytes
/// (`execution/gethexec/sequencer.go`, `max-tx-data-size`).
const MOST_BYTES: usize = 90_000;

/// `uploadChunk` of `count` chunks from `first` on.
pub(super) fn upload(address: Address, model: &Model, (first, count): (u32, u32)) -> Request {
    let chunks: Vec<&[u8]> = pack::chunks(&model.words).collect();
    let chosen = chunks.get(first as usize..(first + count) as usize).unwrap_or_default();
    let words = chosen.concat().into();
    Request::call(address, &IClassifier::uploadChunkCall { index: first, words })
}

/// How many chunks a transaction takes, by what the chain says that one and two of them cost, under this gas cap.
///
/// # Errors
/// [`Error::Chain`] where the contract refuses.
pub(super) async fn at_once(
    (chain, patience): (&Connection, Patience),
    (address, contract): (Address, Contract),
    model: &Model,
    missing: &[u32],
    cap: u64,
) -> Result<usize, Error> {
    if contract.home() == Home::Code {
        return Ok(usize::MAX);
    }
    let Some(&[first, _]) = missing.windows(2).find(|pair| pair[0] + 1 == pair[1]) else {
        return Ok(1);
    };
    let estimate = async |count: u32| {
        let request = upload(address, model, (first, count));
        patience.ask(request.what, || chain.estimate(&request)).await
    };
    let one = estimate(1).await?;
    // Two may be too many already.
    let Ok(two) = estimate(2).await else { return Ok(1) };
    Ok(fitting(one, two, cap / CAP_SHARE))
}

/// Chunks that fit, where one costs `one` and two cost `two` and together they may cost `most`: at least one.
fn fitting(one: u64, two: u64, most: u64) -> usize {
    let each = two.saturating_sub(one).max(1);
    let by_gas = 1 + most.saturating_sub(one) / each;
    (by_gas as usize).min(MOST_BYTES / (pack::CHUNK_WORDS as usize * 32))
}

/// Consecutive indices, at most `most` together and those of a stretch as equal in number as can be, as first index and
/// number.
pub(super) fn runs(indices: &[u32], most: usize) -> Vec<(u32, u32)> {
    let mut runs = Vec::new();
    for stretch in indices.chunk_by(|a, b| a + 1 == *b) {
        let parts = stretch.len().div_ceil(most.max(1));
        let equal = stretch.len().div_ceil(parts.max(1)).max(1);
        runs.extend(stretch.chunks(equal).map(|run| (run[0], run.len() as u32)));
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_consecutive_and_even() {
        assert_eq!(runs(&[0, 1, 2, 4, 5, 9], 2), [(0, 2), (2, 1), (4, 2), (9, 1)]);
        assert_eq!(runs(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 4), [(0, 4), (4, 4), (8, 2)]);
        assert_eq!(runs(&[0, 1, 2, 3, 4], 4), [(0, 3), (3, 2)]);
        assert_eq!(runs(&[3, 4], usize::MAX), [(3, 2)]);
        assert_eq!(runs(&[], 4), []);
    }

    #[test]
    fn as_many_as_gas_and_bytes_allow() {
        // 60,000 and 700,000 a chunk, as in Stylus; a quarter of 32 million.
        assert_eq!(fitting(760_000, 1_460_000, 8_000_000), 11);
        // `Naive`: one is beyond the share already.
        assert_eq!(fitting(23_000_000, 46_000_000, 8_000_000), 1);
        assert_eq!(fitting(100, 101, 8_000_000), 87);
    }
}
