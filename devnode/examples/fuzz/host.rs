//! A chain of whims: answers and prices are drawn from a seed, and what was asked is noted.

use alloy_primitives::{Address, B256, Bytes, U256};
use inkling_devnode::stylus::{
    CallKind, CallResult, CreateResult, HostError, HostStatus, StylusHost,
};
use rand::{Rng, RngCore, SeedableRng, rngs::StdRng};
use std::{collections::HashMap, fmt::Debug};

/// Pages that a program may have open.
const PAGES: u16 = 128;

/// The chain that one run of a program sees.
pub(crate) struct Whims {
    rng: StdRng,
    storage: HashMap<B256, B256>,
    pages: u16,
    /// Whether pages cost nothing.
    generous: bool,
    /// Everything that was asked, in order.
    pub(crate) asked: Vec<String>,
}

impl Whims {
    /// A chain on which the program has `pages` open.
    pub(crate) fn new(seed: u64, pages: u16) -> Self {
        let rng = StdRng::seed_from_u64(seed);
        Self {
            rng,
            storage: HashMap::new(),
            pages,
            generous: seed.is_multiple_of(2),
            asked: vec![],
        }
    }

    fn note(&mut self, what: impl Debug) {
        self.asked.push(format!("{what:?}"));
    }

    /// A price in gas: mostly small, at times more than anybody has.
    fn gas(&mut self) -> u64 {
        match self.rng.random_range(0..64) {
            0 => self.rng.random(),
            1 => u64::MAX,
            _ => self.rng.random_range(0..5_000),
        }
    }

    fn bytes(&mut self, most: usize) -> Bytes {
        let mut bytes = vec![0; self.rng.random_range(0..=most)];
        self.rng.fill_bytes(&mut bytes);
        bytes.into()
    }

    fn refusal(&mut self) -> bool {
        self.rng.random_ratio(1, 16)
    }
}

impl StylusHost for Whims {
    fn storage_load(&mut self, key: B256) -> (B256, u64) {
        self.note(key);
        (self.storage.get(&key).copied().unwrap_or_default(), self.gas())
    }

    fn storage_store(&mut self, slots: &[(B256, B256)], gas_left: u64) -> (u64, HostStatus) {
        self.note((slots, gas_left));
        if self.refusal() {
            return (0, HostStatus::WriteProtection);
        }
        let gas = self.gas();
        if gas >= gas_left {
            return (gas_left, HostStatus::OutOfGas);
        }
        self.storage.extend(slots.iter().copied());
        (gas, HostStatus::Success)
    }

    fn transient_load(&mut self, key: B256) -> B256 {
        self.note(key);
        key
    }

    fn transient_store(&mut self, key: B256, value: B256) -> HostStatus {
        self.note((key, value));
        if self.refusal() { HostStatus::WriteProtection } else { HostStatus::Success }
    }

    fn call(
        &mut self,
        kind: CallKind,
        to: Address,
        input: &[u8],
        gas_left: u64,
        gas_requested: u64,
    ) -> CallResult {
        self.note((kind, to, input, gas_left, gas_requested));
        CallResult { success: self.rng.random(), output: self.bytes(300), gas_cost: self.gas() }
    }

    fn create(
        &mut self,
        init_code: &[u8],
        endowment: U256,
        salt: Option<B256>,
        gas_left: u64,
    ) -> Result<CreateResult, HostError> {
        self.note((init_code, endowment, salt, gas_left));
        if self.refusal() {
            return Err(HostError("not today".into()));
        }
        let address = self.rng.random::<bool>().then(|| Address::repeat_byte(self.rng.random()));
        Ok(CreateResult { address, output: self.bytes(300), gas_cost: self.gas() })
    }

    fn emit_log(&mut self, topics: &[B256], data: &[u8]) -> Result<(), HostError> {
        self.note((topics, data));
        if self.refusal() { Err(HostError("not today".into())) } else { Ok(()) }
    }

    fn account_balance(&mut self, address: Address) -> (U256, u64) {
        self.note(address);
        (U256::from(self.rng.random::<u64>()), self.gas())
    }

    fn account_code(&mut self, address: Address, gas_left: u64) -> (Bytes, u64) {
        self.note((address, gas_left));
        (self.bytes(1_000), self.gas())
    }

    fn account_code_hash(&mut self, address: Address) -> (B256, u64) {
        self.note(address);
        (address.into_word(), self.gas())
    }

    fn add_pages(&mut self, pages: u16) -> u64 {
        self.note(pages);
        self.pages = self.pages.saturating_add(pages);
        match self.pages {
            ..=PAGES if self.generous => 0,
            ..=PAGES => u64::from(pages) * 1_000,
            _ => u64::MAX,
        }
    }
}
