//! Compiled programs that are kept, so that a call need not compile.

use super::Program;
use alloy_primitives::B256;
use lru::LruCache;
use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard},
};

/// Programs that are kept: machine code takes up to some megabytes each.
const SIZE: NonZeroUsize = NonZeroUsize::new(64).expect("not zero");

/// Programs compiled lately, by code hash; clones share them. What it holds changes no price.
#[derive(Clone)]
pub struct ProgramCache(Arc<Mutex<LruCache<B256, Program>>>);

impl Default for ProgramCache {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(LruCache::new(SIZE))))
    }
}

impl ProgramCache {
    fn lock(&self) -> MutexGuard<'_, LruCache<B256, Program>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(crate) fn get(&self, code_hash: &B256) -> Option<Program> {
        self.lock().get(code_hash).cloned()
    }

    pub(crate) fn put(&self, code_hash: B256, program: Program) {
        self.lock().put(code_hash, program);
    }
}
