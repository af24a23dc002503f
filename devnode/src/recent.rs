//! The programs that a block has called lately, which from ArbOS 60 on cost as if they were cached.
//!
//! The list belongs to the block, not to the state: nothing is taken off it when a call reverts or runs out of gas,
//! and the next block starts with an empty one. A call takes it from there as it would from the block's cache of
//! `ArbWasmCache`, except that it must be in *this* block's list. It is a least-recently-used list of at most
//! [`StylusParams::block_cache_size`](crate::stylus::StylusParams::block_cache_size) code hashes. Sources: `RecentWasms` in
//! `core/state/statedb_arbitrum.go` of Nitro's geth and `CallProgram` in Nitro's `arbos/programs/programs.go`.

use alloy_primitives::B256;
use std::collections::VecDeque;

/// Code hashes of a block's recent programs, the oldest first.
#[derive(Clone, Debug, Default)]
pub struct RecentPrograms(VecDeque<B256>);

impl RecentPrograms {
    /// Notes that a program is called; true where it was on the list already. A list of size 0 holds one, as in
    /// `common/lru/basiclru.go` of Nitro's geth.
    ///
    /// ```
    /// # use {alloy_primitives::B256, inkling_devnode::recent::RecentPrograms};
    /// let mut recent = RecentPrograms::default();
    /// assert!(!recent.insert(B256::ZERO, 32));
    /// assert!(recent.insert(B256::ZERO, 32));
    /// ```
    pub fn insert(&mut self, code_hash: B256, size: u16) -> bool {
        let found = self.0.iter().position(|&listed| listed == code_hash);
        if let Some(index) = found {
            self.0.remove(index);
        } else if self.0.len() >= usize::from(size.max(1)) {
            self.0.pop_front();
        }
        self.0.push_back(code_hash);
        found.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether each of `calls`, made in order, was on a list of `size`.
    fn hits(size: u16, calls: &[u8]) -> Vec<bool> {
        let mut recent = RecentPrograms::default();
        calls.iter().map(|&call| recent.insert(B256::with_last_byte(call), size)).collect()
    }

    #[test]
    fn the_least_recently_used_goes() {
        assert_eq!(hits(2, &[1, 2, 1, 3, 1, 2]), [false, false, true, false, true, false]);
        assert_eq!(hits(0, &[1, 1, 2, 1]), [false, true, false, false]);
    }
}
