//! The contract's storage as words, and who owns it.
//!
//! Slots are read and written by number, as `docs/format.md` lists them: the SDK's typed accessors for 8,460 slots would be a
//! tenth of the program.

use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::SolEvent;
use inkling_network::pack::{CHUNK_WORDS, Word};
use stylus_sdk::host::VM;
use stylus_sdk::prelude::*;

use crate::abi::IClassifier::{OwnershipTransferStarted, OwnershipTransferred};
use crate::errors::*;

const STATUS: u64 = 8;
const PENDING_OWNER: u64 = 9;

/// The contract's storage, seen through the VM.
pub struct Store<'a>(pub &'a VM);

/// Slot 8.
pub struct Status {
    /// Who may change the model.
    pub owner: Address,
    /// Words of the model.
    pub words: u32,
    /// Bytes of the header.
    pub header_length: u16,
}

impl Status {
    /// Chunks of the model.
    pub const fn chunks(&self) -> u32 {
        self.words.div_ceil(CHUNK_WORDS)
    }

    fn from_word(word: Word) -> Self {
        let [_, _, _, _, _, _, h1, h0, w3, w2, w1, w0, owner @ ..] = word;
        Self {
            owner: owner.into(),
            words: u32::from_be_bytes([w3, w2, w1, w0]),
            header_length: u16::from_be_bytes([h1, h0]),
        }
    }

    fn to_word(&self) -> Word {
        let mut word = [0; 32];
        word[6..8].copy_from_slice(&self.header_length.to_be_bytes());
        word[8..12].copy_from_slice(&self.words.to_be_bytes());
        word[12..].copy_from_slice(self.owner.as_slice());
        word
    }
}

impl Store<'_> {
    /// Sets the first owner.
    pub fn construct(&self, owner: Address) -> Result<(), Error> {
        if owner.is_zero() {
            return Err(zero_owner());
        }
        self.set_owner(owner);
        Ok(())
    }

    /// The owner.
    pub fn owner(&self) -> Address {
        self.status().owner
    }

    /// See `IClassifier.transferOwnership`.
    pub fn transfer_ownership(&self, new_owner: Address) -> Result<(), Error> {
        let previous = self.owned()?.owner;
        self.store(PENDING_OWNER, new_owner.into_word().0);
        let topics = [previous, new_owner].map(|address| address.into_word().0);
        self.log(OwnershipTransferStarted::SIGNATURE_HASH, &topics, &[]);
        Ok(())
    }

    /// See `IClassifier.acceptOwnership`.
    pub fn accept_ownership(&self) -> Result<(), Error> {
        let caller = self.0.msg_sender();
        let word = caller.into_word();
        if word != self.load(PENDING_OWNER) {
            return Err(not_pending_owner(&word));
        }
        self.store(PENDING_OWNER, [0; 32]);
        self.set_owner(caller);
        Ok(())
    }

    /// The word in a slot.
    pub fn load(&self, slot: u64) -> Word {
        self.0.storage_load_bytes32(U256::from(slot)).0
    }

    /// Writes the word in a slot.
    pub fn store(&self, slot: u64, word: Word) {
        // SAFETY: no typed accessor of the SDK, which might hold a stale copy, exists for any slot.
        unsafe { self.0.storage_cache_bytes32(U256::from(slot), B256::from(word)) };
    }

    fn set_owner(&self, owner: Address) {
        let status = self.status();
        let previous = status.owner;
        self.set_status(Status { owner, ..status });
        let topics = [previous, owner].map(|address| address.into_word().0);
        self.log(OwnershipTransferred::SIGNATURE_HASH, &topics, &[]);
    }

    /// The status, if the caller is the owner.
    pub fn owned(&self) -> Result<Status, Error> {
        let (status, caller) = (self.status(), self.0.msg_sender());
        if caller != status.owner {
            return Err(not_owner(&caller.into_word()));
        }
        Ok(status)
    }

    /// The status.
    pub fn status(&self) -> Status {
        Status::from_word(self.load(STATUS))
    }

    /// Emits an event: its signature and at most three indexed arguments, and the others as words. What the SDK generates for
    /// each event instead would be half a kilobyte of program each.
    #[inline(never)]
    pub fn log(&self, signature: B256, indexed: &[Word], data: &[u8]) {
        let log = [&signature.0, indexed.as_flattened(), data].concat();
        self.0.emit_log(&log, 1 + indexed.len());
    }

    /// Writes the status.
    pub fn set_status(&self, status: Status) {
        self.store(STATUS, status.to_word());
    }
}
