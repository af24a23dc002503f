//! The Merkle tree of messages to L1, of which ArbOS keeps the right edge (`arbos/merkleAccumulator` in Nitro).
//!
//! Word 0 is the number of leaves; word 2 + l is the root of a full subtree of 2^l leaves that waits for its sibling,
//! or zero.

use super::storage::{BurnedOut, Burner, Space, Word};
use crate::evm::Ctx;
use alloy_primitives::{B256, U256, keccak256};

const SIZE: Word = Word(Space::SendMerkle, 0);

/// A node of the tree that became complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    /// Its height; leaves have 0.
    pub(crate) level: u64,
    /// The leaf that completed it.
    pub(crate) leaf: u64,
    /// Its hash.
    pub(crate) hash: B256,
}

impl Node {
    /// Level and leaf in one word, as events have it.
    pub(crate) fn position(&self) -> U256 {
        (U256::from(self.level) << 192) | U256::from(self.leaf)
    }
}

fn partial(level: u64) -> U256 {
    Word(Space::SendMerkle, 2 + level as u8).slot()
}

/// Number of levels that a tree of `size` leaves may have a partial root on.
fn levels(size: u64) -> u64 {
    u64::from(u64::BITS - size.leading_zeros())
}

/// Gas of hashing so many bytes.
pub(crate) const fn keccak_gas(len: usize) -> u64 {
    30 + 6 * (len as u64).div_ceil(32)
}

/// Appends a message; returns the inner nodes that this completed.
pub(crate) fn append(
    ctx: &mut Ctx<'_>,
    burner: &mut Burner,
    message: B256,
) -> Result<Vec<Node>, BurnedOut> {
    let leaf: u64 = burner.read(ctx, SIZE.slot())?.saturating_to();
    burner.write(ctx, SIZE.slot(), U256::from(leaf + 1))?;
    let mut nodes = Vec::new();
    let mut hash = keccak256(message);
    for level in 0.. {
        let waiting = match level == levels(leaf) {
            true => B256::ZERO,
            false => burner.read(ctx, partial(level))?.into(),
        };
        if waiting.is_zero() {
            burner.write(ctx, partial(level), hash.into())?;
            break;
        }
        burner.burn(keccak_gas(64))?;
        hash = keccak256([waiting, hash].concat());
        burner.write(ctx, partial(level), U256::ZERO)?;
        nodes.push(Node { level: level + 1, leaf, hash });
    }
    Ok(nodes)
}

/// Number of messages: one read.
pub(crate) fn size(ctx: &mut Ctx<'_>, burner: &mut Burner) -> Result<u64, BurnedOut> {
    Ok(burner.read(ctx, SIZE.slot())?.saturating_to())
}

/// The partial roots, lowest first.
pub(crate) fn partials(ctx: &mut Ctx<'_>, burner: &mut Burner) -> Result<Vec<B256>, BurnedOut> {
    let size = size(ctx, burner)?;
    (0..levels(size)).map(|level| Ok(burner.read(ctx, partial(level))?.into())).collect()
}

/// Root of the tree whose partial roots these are, its missing leaves being zero subtrees.
pub(crate) fn root(partials: &[B256]) -> B256 {
    let mut so_far: Option<(B256, usize)> = None; // a hash, and the level it stands for
    for (level, &partial) in partials.iter().enumerate() {
        if partial.is_zero() {
            continue;
        }
        so_far = Some(match so_far {
            None => (partial, level),
            Some((mut hash, reached)) => {
                for _ in reached..level {
                    hash = keccak256([hash, B256::ZERO].concat());
                }
                (keccak256([partial, hash].concat()), level + 1)
            }
        });
    }
    so_far.map_or(B256::ZERO, |(hash, _)| hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_of_small_trees() {
        let [a, b, c] = [1, 2, 3].map(B256::with_last_byte);
        let pair = |l: B256, r: B256| keccak256([l, r].concat());
        assert_eq!(root(&[]), B256::ZERO);
        assert_eq!(root(&[a]), a);
        assert_eq!(root(&[B256::ZERO, b]), b);
        assert_eq!(root(&[a, b]), pair(b, pair(a, B256::ZERO)));
        assert_eq!(root(&[a, B256::ZERO, c]), pair(c, pair(pair(a, B256::ZERO), B256::ZERO)));
    }

    #[test]
    fn levels_are_those_of_nitro() {
        assert_eq!([0, 1, 2, 3, 4].map(levels), [0, 1, 2, 2, 3]);
    }
}
