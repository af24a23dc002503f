//! ArbOS storage: spaces, words, and what reading and writing them costs.
//!
//! All of it is the storage of one account, a tree of spaces each of which maps 256-bit keys to words
//! (`arbos/storage/storage.go` in Nitro). A precompile pays for its accesses from a [`Burner`]: 800 gas a read, 20,000 a
//! write, 5,000 a write of zero, whatever was there before.

use crate::evm::Ctx;
use alloy_primitives::{Address, B256, U256, address, keccak256};
use revm::{
    Database,
    context::{ContextTr, JournalTr},
    state::Account,
};
use std::{convert::Infallible, sync::LazyLock};

/// The account whose storage is ArbOS state.
pub const STATE_ADDRESS: Address = address!("a4b05fffffffffffffffffffffffffffffffffff");

/// A space of ArbOS storage that this chain uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Space {
    Root,
    L1Pricing,
    BatchPosters,
    L2Pricing,
    ChainOwners,
    ChainOwnerIndex,
    SendMerkle,
    StylusParams,
    ProgramData,
    ModuleHashes,
    DataPricer,
    CacheManagers,
    CacheManagerIndex,
    ActivationGas,
    NativeTokenOwners,
    NativeTokenOwnerIndex,
}

/// Names from the root to each space, in the order of the variants. A name is one byte.
const PATHS: [&[u8]; 16] = [
    &[],
    &[0],
    &[0, 0],
    &[1],
    &[4],
    &[4, 0],
    &[5],
    &[8, 0],
    &[8, 1],
    &[8, 2],
    &[8, 3],
    &[8, 4],
    &[8, 4, 0],
    &[8, 5],
    &[10],
    &[10, 0],
];

/// The key of each space, and the page of its first 256 words.
static SPACES: LazyLock<Vec<(Vec<u8>, B256)>> = LazyLock::new(|| {
    let key = |path: &[u8]| {
        path.iter().fold(Vec::new(), |key, &id| keccak256([&key[..], &[id]].concat()).to_vec())
    };
    PATHS.iter().map(|path| (key(path), keccak256([&key(path)[..], &[0; 31]].concat()))).collect()
});

impl Space {
    /// Slot of `key`: all but the last byte is hashed, so that 256 neighbours share a page.
    pub(crate) fn slot(self, key: B256) -> U256 {
        let mut mapped = keccak256([&SPACES[self as usize].0[..], &key[..31]].concat());
        mapped[31] = key[31];
        mapped.into()
    }
}

/// One of the first 256 words of a space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word(pub(crate) Space, pub(crate) u8);

impl Word {
    /// The slot of [`STATE_ADDRESS`] that holds it.
    pub(crate) fn slot(self) -> U256 {
        let mut mapped = SPACES[self.0 as usize].1;
        mapped[31] = self.1;
        mapped.into()
    }

    /// Its value in a state, outside any transaction.
    pub(crate) fn of(self, state: &mut impl Database<Error = Infallible>) -> U256 {
        let Ok(value) = state.storage(STATE_ADDRESS, self.slot());
        value
    }
}

/// An account as ArbOS reaches it: what was cold stays cold for the code that runs (EIP-2929).
pub(crate) fn load<'c>(ctx: &'c mut Ctx<'_>, address: Address) -> &'c Account {
    let Ok(is_cold) =
        ctx.journal_mut().load_account_with_code(address).map(|account| account.is_cold);
    if is_cold {
        make_cold(ctx, address);
    }
    &ctx.journal_mut().evm_state()[&address]
}

/// Takes back that an account was reached.
pub(crate) fn make_cold(ctx: &mut Ctx<'_>, address: Address) {
    if let Some(account) = ctx.journal_mut().evm_state_mut().get_mut(&address) {
        account.mark_cold();
    }
}

/// Reads a slot; nobody pays.
pub(crate) fn read(ctx: &mut Ctx<'_>, slot: U256) -> U256 {
    load(ctx, STATE_ADDRESS);
    let Ok(value) = ctx.journal_mut().sload(STATE_ADDRESS, slot);
    value.data
}

/// Writes a slot; nobody pays.
pub(crate) fn write(ctx: &mut Ctx<'_>, slot: U256, value: U256) {
    load(ctx, STATE_ADDRESS);
    let journal = ctx.journal_mut();
    let Ok(_) = journal.sstore(STATE_ADDRESS, slot, value);
    journal.touch_account(STATE_ADDRESS);
}

/// A gas budget spent by ArbOS itself. Once a charge is refused, nothing is left.
#[derive(Debug)]
pub struct Burner {
    left: u64,
}

/// The budget of a [`Burner`] did not suffice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("out of gas")]
pub struct BurnedOut;

impl Burner {
    /// A budget of `gas`.
    pub const fn new(gas: u64) -> Self {
        Self { left: gas }
    }

    /// Gas that is left.
    pub const fn left(&self) -> u64 {
        self.left
    }

    /// Spends `gas`, or everything where that is less.
    pub fn burn(&mut self, gas: u64) -> Result<(), BurnedOut> {
        match self.left.checked_sub(gas) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(self.burn_out()),
        }
    }

    /// Spends everything.
    pub(crate) fn burn_out(&mut self) -> BurnedOut {
        self.left = 0;
        BurnedOut
    }

    pub(crate) fn read(&mut self, ctx: &mut Ctx<'_>, slot: U256) -> Result<U256, BurnedOut> {
        self.burn(800)?;
        Ok(read(ctx, slot))
    }

    pub(crate) fn write(
        &mut self,
        ctx: &mut Ctx<'_>,
        slot: U256,
        value: U256,
    ) -> Result<(), BurnedOut> {
        self.burn(if value.is_zero() { 5_000 } else { 20_000 })?;
        write(ctx, slot, value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_nitros() {
        // The version of ArbOS: the well-known first word of its state.
        let version = Word(Space::Root, 0).slot();
        let hex = "15fed0451499512d95f3ec5a41c878b9de55f21878b5b4e190d4667ec709b400";
        assert_eq!(alloy_primitives::hex::encode(version.to_be_bytes::<32>()), hex);
        assert_eq!(
            Word(Space::L2Pricing, 3).slot(),
            Space::L2Pricing.slot(B256::with_last_byte(3))
        );
        assert_eq!(PATHS.len(), Space::NativeTokenOwnerIndex as usize + 1);
    }

    #[test]
    fn a_burner_keeps_nothing_after_a_refusal() {
        let mut burner = Burner::new(1000);
        assert_eq!(burner.burn(400), Ok(()));
        assert_eq!(burner.burn(601), Err(BurnedOut));
        assert_eq!(burner.left(), 0);
    }
}
