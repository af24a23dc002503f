//! The parameters of a chain that gas and the admission of programs depend on, as one struct.
//!
//! On a live chain most are ArbOS state, changed by the chain's owner and by ArbOS upgrades (Nitro's
//! `arbos/programs/params.go` and `UpgradeArbosVersion` in `arbos/arbosState/arbosstate.go`); here they are a value.
//! [`StylusParams::preset`] gives what a *new* chain of an ArbOS version starts with, which is what Nitro gets by
//! upgrading from version to version. The limits that Nitro compiles in rather than stores
//! (`crates/prover/src/programs/config.rs`) stand beside them, because a reader asks for both in the same breath.
//!
//! | preset | what it changes |
//! |---|---|
//! | `arbos-32` | Stylus version 2, EVM of Cancun, stack limit 262,144 words |
//! | `arbos-40`, `arbos-41` | EVM of Prague: set-code transactions; an empty account's code is not remembered |
//! | `arbos-50`, `arbos-51` | EVM of Osaka; stack limit 22,000 words; gas cap counts the intrinsic gas; a flush that runs out of gas uses all of it |
//! | `arbos-60` | recent programs of a block count as cached; functions and blocks with several results are refused |
//!
//! Not here: ArbOS 30 and 31, which charged storage by mistake otherwise; versions between these, which Nitro leaves to
//! other chains; and of ArbOS 60, which Nitro itself offers on development chains only so far, programs in fragments
//! (code `ef f0 01` and `ef f0 02` is no program here) and prices of more than one dimension.

use std::str::FromStr;

/// Every number that the price or the admission of a program depends on and that is not the price of an opcode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StylusParams {
    /// ArbOS version: decides the EVM's rules and a few of Stylus's.
    pub arbos_version: u64,
    /// Stylus version that programs are activated with and must have been activated with: 2, or 1 as before ArbOS 31,
    /// where an uncached start did not pay the cached part on top.
    pub version: u16,
    /// Ink that one gas buys.
    pub ink_price: u32,
    /// Stack limit of a program, in words of Nitro's own count.
    pub max_stack_depth: u32,
    /// WASM pages (64 KiB) that a transaction has for nothing.
    pub free_pages: u16,
    /// Gas for each further page; the exponential part comes on top.
    pub page_gas: u16,
    /// What ArbWasm calls the exponential part's ramp. Nothing is computed from it, here or in Nitro: the prices are a
    /// table ([`page_cost`](crate::memory::page_cost)).
    pub page_ramp: u64,
    /// Most pages a program may start with.
    pub page_limit: u16,
    /// Least init gas of a call that is not cached, in units of 128 gas.
    pub min_init_gas: u8,
    /// Least init gas of a cached call, in units of 32 gas.
    pub min_cached_init_gas: u8,
    /// Scale of the init gas, in units of 2 %.
    pub init_cost_scalar: u8,
    /// Scale of the cached init gas, in units of 2 %.
    pub cached_cost_scalar: u8,
    /// Days until an activated program expires.
    pub expiry_days: u16,
    /// Days before an activation may be prolonged.
    pub keepalive_days: u16,
    /// Number of recently used programs that a block treats as cached; in force from ArbOS 60.
    pub block_cache_size: u16,
    /// Most bytes of a decompressed program. A constant before ArbOS 40, a parameter since.
    pub max_wasm_size: u32,
    /// Most words of stack that one function may take.
    pub max_frame_size: u32,
    /// Most values that one function may have on its stack at once.
    pub max_frame_contention: u32,
    /// Most bytes of an account's code (EIP-170; `MaxCodeSize` in the chain's configuration). `account_code` costs 700
    /// gas for every whole 24,576 of them.
    pub max_code_size: u32,
    /// Most bytes of the init code of a creation (EIP-3860; `MaxInitCodeSize`). `create1` and `create2` have no limit.
    pub max_init_code_size: u32,
    /// Most gas that a transaction's code gets, less the intrinsic gas from ArbOS 50 on; `None` for no such rule. A call is
    /// exempt (`GasChargingHook` in `arbos/tx_processor.go`, amounts in `arbos/l2pricing/model.go`).
    pub tx_gas_cap: Option<u64>,
}

/// Why there is no preset of a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PresetError {
    /// Not a name of ArbOS parameters.
    #[error("there are no parameters called {0:?}; there are {names}", names = names())]
    Unknown(String),
    /// A version without Stylus, or with mistakes that later versions mended and that are not imitated.
    #[error("ArbOS {0} is too old: Stylus runs here as from ArbOS 32")]
    TooOld(u64),
    /// A version that Nitro does not define.
    #[error("ArbOS {0} is not a version of Nitro's; there are {names}", names = names())]
    Undefined(u64),
}

fn names() -> String {
    StylusParams::PRESETS.map(|params| params.name()).join(", ")
}

impl StylusParams {
    /// ArbOS 32, the first with Stylus on Arbitrum One: `initStylusParams`, then version 2's `UpgradeToVersion`, which
    /// lowers the least init gas from 72 units to 69. The gas cap is `InitialPerBlockGasLimitV6`.
    pub const ARBOS_32: Self = Self {
        arbos_version: 32,
        version: 2,
        ink_price: 10_000,
        max_stack_depth: 4 * 65_536,
        free_pages: 2,
        page_gas: 1_000,
        page_ramp: 620_674_314,
        page_limit: 128,
        min_init_gas: 69,
        min_cached_init_gas: 11,
        init_cost_scalar: 50,
        cached_cost_scalar: 50,
        expiry_days: 365,
        keepalive_days: 31,
        block_cache_size: 32,
        max_wasm_size: 128 * 1024,
        max_frame_size: 10 * 1024,
        max_frame_contention: 4096,
        max_code_size: 24_576,
        max_init_code_size: 49_152,
        tx_gas_cap: Some(32_000_000),
    };

    /// ArbOS 40: the same numbers.
    pub const ARBOS_40: Self = Self { arbos_version: 40, ..Self::ARBOS_32 };

    /// ArbOS 41: the same numbers.
    pub const ARBOS_41: Self = Self { arbos_version: 41, ..Self::ARBOS_40 };

    /// ArbOS 50: a stack limit of 22,000 words (`UpgradeToArbosVersion`); the gas cap is `InitialPerTxGasLimitV50`.
    pub const ARBOS_50: Self =
        Self { arbos_version: 50, max_stack_depth: 22_000, ..Self::ARBOS_41 };

    /// ArbOS 51: the same numbers.
    pub const ARBOS_51: Self = Self { arbos_version: 51, ..Self::ARBOS_50 };

    /// ArbOS 60, without fragments: the same numbers.
    pub const ARBOS_60: Self = Self { arbos_version: 60, ..Self::ARBOS_51 };

    /// All presets, by version.
    pub const PRESETS: [Self; 6] = [
        Self::ARBOS_32,
        Self::ARBOS_40,
        Self::ARBOS_41,
        Self::ARBOS_50,
        Self::ARBOS_51,
        Self::ARBOS_60,
    ];

    /// The preset called `arbos-51`, or whichever version; the bare number will do.
    ///
    /// ```
    /// # use inkling_devnode::stylus::StylusParams;
    /// assert_eq!(StylusParams::preset("arbos-51"), Ok(StylusParams::ARBOS_51));
    /// assert!(StylusParams::preset("arbos-31").is_err());
    /// ```
    pub fn preset(name: &str) -> Result<Self, PresetError> {
        let number = name.strip_prefix("arbos-").unwrap_or(name);
        let version = number.parse().map_err(|_| PresetError::Unknown(name.into()))?;
        Self::of_version(version)
    }

    /// The preset of an ArbOS version.
    pub fn of_version(version: u64) -> Result<Self, PresetError> {
        let found = Self::PRESETS.into_iter().find(|params| params.arbos_version == version);
        found.ok_or(match version {
            ..32 => PresetError::TooOld(version),
            _ => PresetError::Undefined(version),
        })
    }

    /// The name that [`Self::preset`] knows this version by.
    pub fn name(&self) -> String {
        format!("arbos-{}", self.arbos_version)
    }

    /// Gas that a call pays to start a program which is *not* cached, on top of [`Self::cached_init_gas`].
    /// `cost` is [`Activation::init_cost`](super::Activation::init_cost).
    pub fn init_gas(&self, cost: u16) -> u64 {
        scaled(self.min_init_gas, 128, cost, self.init_cost_scalar)
    }

    /// Gas that a cached call, and from Stylus version 2 on every call, pays to start a program; `cost` is
    /// [`Activation::cached_init_cost`](super::Activation::cached_init_cost).
    pub fn cached_init_gas(&self, cost: u16) -> u64 {
        scaled(self.min_cached_init_gas, 32, cost, self.cached_cost_scalar)
    }

    /// Ink that `gas` buys.
    pub fn gas_to_ink(&self, gas: u64) -> u64 {
        gas.saturating_mul(self.ink_price.into())
    }

    /// Whole gas in `ink`, rounded down.
    pub fn ink_to_gas(&self, ink: u64) -> u64 {
        ink / u64::from(self.ink_price.max(1))
    }
}

impl FromStr for StylusParams {
    type Err = PresetError;

    fn from_str(name: &str) -> Result<Self, PresetError> {
        Self::preset(name)
    }
}

impl Default for StylusParams {
    fn default() -> Self {
        Self::ARBOS_51
    }
}

/// `min · unit + ⌈cost · (2 · scalar) %⌉` (`initGas` and `cachedGas` in `arbos/programs/programs.go`).
fn scaled(min: u8, unit: u64, cost: u16, scalar: u8) -> u64 {
    u64::from(min) * unit + (u64::from(cost) * u64::from(scalar) * 2).div_ceil(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn init_gas_of_the_cheapest_program() {
        assert_eq!(StylusParams::ARBOS_51.init_gas(0), 8_832);
        assert_eq!(StylusParams::ARBOS_51.cached_init_gas(0), 352);
        assert_eq!(StylusParams::ARBOS_51.cached_init_gas(12), 364);
    }

    #[test]
    fn scalars_round_up() {
        let params = StylusParams { init_cost_scalar: 1, ..StylusParams::ARBOS_51 };
        assert_eq!(params.init_gas(1), 8_833);
        assert_eq!(params.init_gas(51), 8_834);
    }

    /// Stack limits and least init gas after each upgrade, from `params.go`.
    #[test]
    fn presets_by_name() {
        let depths =
            StylusParams::PRESETS.map(|params| (params.arbos_version, params.max_stack_depth));
        assert_eq!(
            depths,
            [(32, 262_144), (40, 262_144), (41, 262_144), (50, 22_000), (51, 22_000), (60, 22_000)]
        );
        for params in StylusParams::PRESETS {
            assert_eq!(params.name().parse(), Ok(params.clone()));
            assert_eq!(StylusParams::of_version(params.arbos_version), Ok(params));
        }
        assert_eq!(StylusParams::preset("60"), Ok(StylusParams::ARBOS_60));
    }

    #[test]
    fn names_without_a_preset() {
        let refusal = |name| StylusParams::preset(name).unwrap_err().to_string();
        assert_eq!(refusal("arbos-31"), "ArbOS 31 is too old: Stylus runs here as from ArbOS 32");
        let all = "there are arbos-32, arbos-40, arbos-41, arbos-50, arbos-51, arbos-60";
        assert_eq!(refusal("arbos-45"), format!("ArbOS 45 is not a version of Nitro's; {all}"));
        assert_eq!(refusal("nitro"), format!("there are no parameters called \"nitro\"; {all}"));
    }

    #[test]
    fn ink_and_gas() {
        let params = StylusParams::ARBOS_51;
        assert_eq!(params.gas_to_ink(3), 30_000);
        assert_eq!(params.gas_to_ink(u64::MAX), u64::MAX);
        assert_eq!(params.ink_to_gas(29_999), 2);
    }
}
