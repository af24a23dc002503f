//! What ArbOS remembers of Stylus programs: one word a code hash (`arbos/programs/programs.go` in Nitro).

use super::storage::{BurnedOut, Burner, Space, read};
use crate::{arbos::START_TIME, evm::Ctx, stylus::StylusParams};
use alloy_primitives::{B256, U256};

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
        Self::from_word(read(ctx, Space::ProgramData.slot(code_hash)))
    }

    /// Reads the record of `code_hash` at the price of one ArbOS read.
    pub fn read(
        ctx: &mut Ctx<'_>,
        burner: &mut Burner,
        code_hash: B256,
    ) -> Result<Self, BurnedOut> {
        let word = burner.read(ctx, Space::ProgramData.slot(code_hash))?;
        Ok(Self::from_word(word))
    }

    /// Writes the record of `code_hash`.
    pub fn write(
        self,
        ctx: &mut Ctx<'_>,
        burner: &mut Burner,
        code_hash: B256,
    ) -> Result<(), BurnedOut> {
        burner.write(ctx, Space::ProgramData.slot(code_hash), self.to_word())
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
    burner.write(ctx, Space::ModuleHashes.slot(code_hash), module_hash.into())
}

/// Reads what [`write_module_hash`] wrote; only its price matters here.
pub fn read_module_hash(
    ctx: &mut Ctx<'_>,
    burner: &mut Burner,
    code_hash: B256,
) -> Result<B256, BurnedOut> {
    Ok(burner.read(ctx, Space::ModuleHashes.slot(code_hash))?.into())
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
}
