//! The slots that every home of the weights has, and who owns the contract.
//!
//! Slots are read and written by number, as `docs/format.md` lists them: the SDK's typed accessors for 8,460 slots would be
//! some kilobytes of program. What a slot holds stays the word that it is; a field is cut out of it where it is asked for.

use core::ops::Range;

use inkling_network::pack::{CHUNK_WORDS, Word};

use crate::abi::IClassifier::{OwnershipTransferStarted, OwnershipTransferred};
use crate::errors::*;
use crate::host;

const STATUS: u16 = 8;
const PENDING_OWNER: u16 = 9;

/// The bytes of an address in a word.
const OWNER: Range<usize> = 12..32;

/// Slot 8: header length, number of words, owner.
pub struct Status(&'static mut Word);

impl Status {
    /// As it is stored.
    pub fn load() -> Self {
        Self(host::load(STATUS))
    }

    /// Stores it.
    pub fn store(&self) {
        host::store(STATUS, self.0);
    }

    /// Who may change the model, an address as a word.
    #[inline(never)]
    pub fn owner(&self) -> &'static mut Word {
        let owner = host::zero();
        for index in OWNER {
            owner[index] = self.0[index];
        }
        owner
    }

    fn set_owner(&mut self, owner: &Word) {
        for index in OWNER {
            self.0[index] = owner[index];
        }
    }

    /// Words of the model.
    #[inline(never)]
    pub fn words(&self) -> u32 {
        let [_, _, _, _, _, _, _, _, a, b, c, d, ..] = *self.0;
        u32::from_be_bytes([a, b, c, d])
    }

    /// Chunks of the model.
    pub fn chunks(&self) -> u32 {
        self.words().div_ceil(CHUNK_WORDS)
    }

    /// Bytes of the header.
    pub fn header_length(&self) -> usize {
        usize::from(self.0[7])
    }

    /// Takes a model of so many words, with a header of so many bytes.
    pub fn set_model(&mut self, words: u32, header_length: u8) {
        self.0[7] = header_length;
        let [a, b, c, d] = words.to_be_bytes();
        (self.0[8], self.0[9], self.0[10], self.0[11]) = (a, b, c, d);
    }

    /// An error unless the owner calls.
    pub fn check_owner(&self) -> Result<(), Refused> {
        let caller = host::sender();
        if !host::equal(caller, self.owner()) {
            return Err(not_owner(caller));
        }
        Ok(())
    }
}

/// Sets the first owner, an address as a word. Whoever owned a contract once cannot leave it without an owner: so one that
/// has an owner was constructed.
pub fn construct(owner: &Word) -> Result<(), Refused> {
    if !host::equal(Status::load().owner(), host::zero()) {
        return Err(malformed());
    }
    if host::equal(owner, host::zero()) {
        return Err(zero_owner());
    }
    own(owner);
    Ok(())
}

/// See `IClassifier.transferOwnership`.
pub fn transfer_ownership(new_owner: &Word) -> Result<(), Refused> {
    let status = Status::load();
    status.check_owner()?;
    host::store(PENDING_OWNER, new_owner);
    host::emit::<OwnershipTransferStarted, _>([status.owner(), new_owner], None);
    Ok(())
}

/// See `IClassifier.acceptOwnership`.
pub fn accept_ownership() -> Result<(), Refused> {
    let caller = host::sender();
    if !host::equal(caller, host::load(PENDING_OWNER)) {
        return Err(not_pending_owner(caller));
    }
    host::store(PENDING_OWNER, host::zero());
    own(caller);
    Ok(())
}

fn own(owner: &Word) {
    let mut status = Status::load();
    let previous = status.owner();
    status.set_owner(owner);
    status.store();
    host::emit::<OwnershipTransferred, _>([previous, owner], None);
}
