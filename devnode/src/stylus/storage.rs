//! The write-back cache between a program and its storage.
//!
//! `storage_load_bytes32` reads through it, `storage_cache_bytes32` only writes to it, and `storage_flush_cache` sends
//! what has changed to the chain. What is not flushed is lost when the program ends. Each access beyond the first few
//! costs a little gas, for the memory it takes (`crates/arbutil/src/evm/storage.rs` and `req.rs` in Nitro).

use alloy_primitives::B256;
use std::collections::BTreeMap;

/// A cached word.
struct Word {
    value: B256,
    /// What the chain holds, as far as the cache knows.
    known: Option<B256>,
}

/// The words that one run of a program has touched. Ordered by key, so that a flush is the same on every run.
#[derive(Default)]
pub(super) struct StorageCache {
    words: BTreeMap<B256, Word>,
    reads: u32,
    writes: u32,
}

impl StorageCache {
    /// Counts a read; returns its surcharge in gas.
    pub(super) fn read_gas(&mut self) -> u64 {
        self.reads += 1;
        match self.reads {
            ..=32 => 0,
            33..=128 => 2,
            _ => 10,
        }
    }

    /// Counts a write; returns its surcharge in gas.
    pub(super) fn write_gas(&mut self) -> u64 {
        self.writes += 1;
        match self.writes {
            ..=8 => 0,
            9..=64 => 7,
            _ => 10,
        }
    }

    /// The cached value of `key`.
    pub(super) fn get(&self, key: &B256) -> Option<B256> {
        self.words.get(key).map(|word| word.value)
    }

    /// Notes what the chain holds at `key`.
    pub(super) fn insert_known(&mut self, key: B256, value: B256) {
        self.words.insert(key, Word { value, known: Some(value) });
    }

    /// Sets `key`, in the cache only.
    pub(super) fn set(&mut self, key: B256, value: B256) {
        self.words
            .entry(key)
            .and_modify(|word| word.value = value)
            .or_insert(Word { value, known: None });
    }

    /// The words that differ from what the chain is known to hold, henceforth taken to be written; `clear` then
    /// forgets everything, so that the next read asks the chain again.
    pub(super) fn flush(&mut self, clear: bool) -> Vec<(B256, B256)> {
        let mut dirty = vec![];
        for (key, word) in &mut self.words {
            if word.known != Some(word.value) {
                word.known = Some(word.value);
                dirty.push((*key, word.value));
            }
        }
        if clear {
            self.words.clear();
        }
        dirty
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(byte: u8) -> B256 {
        B256::with_last_byte(byte)
    }

    #[test]
    fn only_changes_are_flushed() {
        let mut cache = StorageCache::default();
        cache.insert_known(word(1), word(10));
        cache.insert_known(word(2), word(20));
        cache.set(word(1), word(11));
        cache.set(word(2), word(20));
        cache.set(word(3), word(0));
        assert_eq!(cache.flush(false), [(word(1), word(11)), (word(3), word(0))]);
        assert_eq!(cache.flush(false), []);
        assert_eq!(cache.get(&word(1)), Some(word(11)));
        cache.flush(true);
        assert_eq!(cache.get(&word(1)), None);
    }

    #[test]
    fn surcharges() {
        let mut cache = StorageCache::default();
        let reads: u64 = (0..130).map(|_| cache.read_gas()).sum();
        assert_eq!(reads, 96 * 2 + 2 * 10);
        let writes: u64 = (0..65).map(|_| cache.write_gas()).sum();
        assert_eq!(writes, 56 * 7 + 10);
    }
}
