//! ArbOS state: which programs are activated, which are cached, and what storing one costs.
//!
//! Nitro keeps this in the storage of one account, so that it is rolled back with everything else; so does this
//! chain, in the same slots and with the same words (`arbos/storage/storage.go`, `arbos/programs/programs.go`).
//! [`Burner`] meters the accesses as the ArbOS precompiles do: 800 gas a read, 20,000 a write, 5,000 a write of zero.

use crate::{evm::Ctx, stylus::StylusParams};
use alloy_primitives::{Address, B256, U256, address, keccak256};
use revm::{
    context::{ContextTr, JournalTr},
    state::Account,
};
use std::sync::LazyLock;

/// The account whose storage is ArbOS state.
pub const STATE_ADDRESS: Address = address!("a4b05fffffffffffffffffffffffffffffffffff");
/// ArbOS version that this chain has the rules of.
pub const VERSION: u64 = 51;
/// Chain id of a Nitro development node.
pub const DEV_CHAIN_ID: u64 = 412_346;
/// Account that a Nitro development node gives funds to; its private key is [`DEV_PRIVATE_KEY`].
pub const DEV_ACCOUNT: Address = address!("3f1eae7d46d88f08fc2f8ed27fcb2ab183eb2d0e");
/// Private key of [`DEV_ACCOUNT`], known to everybody.
pub const DEV_PRIVATE_KEY: B256 = B256::new(alloy_primitives::hex!(
    "b6b15c8cb491557369f3c7d2c287b053eb229daa9c22138887752191c9520659"
));
/// Most gas that one transaction may use from ArbOS 50 on (`arbos/l2pricing/model.go`).
pub const TX_GAS_CAP: u64 = 32_000_000;

/// 21 January 2015, from which ArbOS counts hours.
pub(crate) const START_TIME: u64 = 1_421_388_000;
const SUBSPACE_PROGRAMS: u8 = 8;

/// Storage key of a subspace of the programs' subspace.
pub(crate) fn programs_subspace(id: u8) -> B256 {
    let programs = keccak256([SUBSPACE_PROGRAMS]);
    keccak256([programs.as_slice(), &[id]].concat())
}

static PROGRAM_DATA: LazyLock<B256> = LazyLock::new(|| programs_subspace(1));
static MODULE_HASHES: LazyLock<B256> = LazyLock::new(|| programs_subspace(2));

/// Slot of `key` in a subspace: all but the last byte is hashed, so that 256 neighbours share a page.
pub(crate) fn slot(subspace: &B256, key: B256) -> U256 {
    let mut mapped = keccak256([subspace.as_slice(), &key[..31]].concat());
    mapped[31] = key[31];
    mapped.into()
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

fn read(ctx: &mut Ctx<'_>, slot: U256) -> U256 {
    load(ctx, STATE_ADDRESS);
    let Ok(value) = ctx.journal_mut().sload(STATE_ADDRESS, slot);
    value.data
}

fn write(ctx: &mut Ctx<'_>, slot: U256, value: U256) {
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

/// What ArbOS remembers of an activated program, one word a code hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProgramRecord {
    /// Stylus version at activation; 0 means never activated.
    pub version: u16,
    /// Init cost of a call that is not cached, before scaling.
    pub init_cost: u16,
    /// Init cost of a cached call, before scaling.
    pub cached_cost: u16,
    /// Memory pages that the program starts with.
    pub footprint: u16,
    /// Hours between the start of Arbitrum and the activation.
    pub activated_at: u32,
    /// Estimated size of the compiled program in KiB.
    pub asm_kib: u32,
    /// Whether it is in the cache, and so cheaper to call.
    pub cached: bool,
}

/// Why a program cannot be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Inactive {
    /// Never activated.
    #[error("program not activated")]
    NotActivated,
    /// Activated under another Stylus version.
    #[error("program needs upgrade from Stylus version {0} to {1}")]
    NeedsUpgrade(u16, u16),
    /// Activated this many seconds ago, which is too long.
    #[error("program expired, {0} seconds after its activation")]
    Expired(u64),
}

impl ProgramRecord {
    fn from_word(word: U256) -> Self {
        let b = word.to_be_bytes::<32>();
        let u16_at = |i: usize| u16::from_be_bytes([b[i], b[i + 1]]);
        let u24_at = |i: usize| u32::from_be_bytes([0, b[i], b[i + 1], b[i + 2]]);
        Self {
            version: u16_at(0),
            init_cost: u16_at(2),
            cached_cost: u16_at(4),
            footprint: u16_at(6),
            activated_at: u24_at(8),
            asm_kib: u24_at(11),
            cached: b[14] != 0,
        }
    }

    fn to_word(self) -> U256 {
        let mut b = [0; 32];
        b[0..2].copy_from_slice(&self.version.to_be_bytes());
        b[2..4].copy_from_slice(&self.init_cost.to_be_bytes());
        b[4..6].copy_from_slice(&self.cached_cost.to_be_bytes());
        b[6..8].copy_from_slice(&self.footprint.to_be_bytes());
        b[8..11].copy_from_slice(&self.activated_at.to_be_bytes()[1..]);
        b[11..14].copy_from_slice(&self.asm_kib.to_be_bytes()[1..]);
        b[14] = self.cached.into();
        U256::from_be_bytes(b)
    }

    /// Reads the record of `code_hash`; nobody pays.
    pub fn load(ctx: &mut Ctx<'_>, code_hash: B256) -> Self {
        Self::from_word(read(ctx, slot(&PROGRAM_DATA, code_hash)))
    }

    /// Reads the record of `code_hash` at the price of one ArbOS read.
    pub fn read(
        ctx: &mut Ctx<'_>,
        burner: &mut Burner,
        code_hash: B256,
    ) -> Result<Self, BurnedOut> {
        let word = burner.read(ctx, slot(&PROGRAM_DATA, code_hash))?;
        Ok(Self::from_word(word))
    }

    /// Writes the record of `code_hash`.
    pub fn write(
        self,
        ctx: &mut Ctx<'_>,
        burner: &mut Burner,
        code_hash: B256,
    ) -> Result<(), BurnedOut> {
        burner.write(ctx, slot(&PROGRAM_DATA, code_hash), self.to_word())
    }

    /// Seconds since the activation at `time`.
    pub fn age(&self, time: u64) -> u64 {
        time.saturating_sub(START_TIME + u64::from(self.activated_at) * 3600)
    }

    /// The record, if the program may be called at `time`.
    pub fn active(self, params: &StylusParams, time: u64) -> Result<Self, Inactive> {
        if self.version == 0 {
            return Err(Inactive::NotActivated);
        }
        if self.version != params.version {
            return Err(Inactive::NeedsUpgrade(self.version, params.version));
        }
        if self.age(time) > expiry_seconds(params) {
            return Err(Inactive::Expired(self.age(time)));
        }
        Ok(self)
    }
}

/// Seconds that an activation lasts.
pub fn expiry_seconds(params: &StylusParams) -> u64 {
    u64::from(params.expiry_days) * 86_400
}

/// Hours since the start of Arbitrum.
pub fn hours_since_start(time: u64) -> u32 {
    u32::try_from(time.saturating_sub(START_TIME) / 3600).map_or(0xff_ffff, |h| h.min(0xff_ffff))
}

/// Records the hash that names a program's compiled module.
pub fn write_module_hash(
    ctx: &mut Ctx<'_>,
    burner: &mut Burner,
    code_hash: B256,
    module_hash: B256,
) -> Result<(), BurnedOut> {
    burner.write(ctx, slot(&MODULE_HASHES, code_hash), module_hash.into())
}

/// Reads what [`write_module_hash`] wrote; only its price matters here.
pub fn read_module_hash(
    ctx: &mut Ctx<'_>,
    burner: &mut Burner,
    code_hash: B256,
) -> Result<B256, BurnedOut> {
    Ok(burner.read(ctx, slot(&MODULE_HASHES, code_hash))?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_one_word() {
        let record = ProgramRecord {
            version: 2,
            init_cost: 0x0102,
            cached_cost: 0x0304,
            footprint: 17,
            activated_at: 0x0a0b0c,
            asm_kib: 0x0d0e0f,
            cached: true,
        };
        let word = record.to_word();
        let hex = "0002010203040011\
                   0a0b0c0d0e0f0100\
                   00000000000000000000000000000000";
        assert_eq!(alloy_primitives::hex::encode(word.to_be_bytes::<32>()), hex);
        assert_eq!(ProgramRecord::from_word(word), record);
    }

    #[test]
    fn activity_ends_after_a_year() {
        let params = StylusParams::ARBOS_51;
        let time = 1_770_000_000;
        let record = ProgramRecord {
            version: 2,
            activated_at: hours_since_start(time),
            ..Default::default()
        };
        assert_eq!(ProgramRecord::default().active(&params, time), Err(Inactive::NotActivated));
        assert!(record.active(&params, time + 364 * 86_400).is_ok());
        assert!(matches!(record.active(&params, time + 366 * 86_400), Err(Inactive::Expired(_))));
    }

    #[test]
    fn a_burner_keeps_nothing_after_a_refusal() {
        let mut burner = Burner::new(1000);
        assert_eq!(burner.burn(400), Ok(()));
        assert_eq!(burner.burn(601), Err(BurnedOut));
        assert_eq!(burner.left(), 0);
    }
}
