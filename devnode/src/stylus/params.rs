//! The Stylus parameters of a chain, as one struct.
//!
//! On a live chain they are ArbOS state, changed by the chain's owner and by ArbOS upgrades (Nitro's
//! `arbos/programs/params.go`); here they are a value, and [`StylusParams::ARBOS_51`] is what a new chain at ArbOS 51
//! has. The limits that Nitro compiles in rather than stores (`crates/prover/src/programs/config.rs`) stand beside
//! them, because a reader asks for both in the same breath.

/// Every number that the price or the admission of a program depends on and that is not the price of an opcode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StylusParams {
    /// ArbOS version; decides a few checks of activation.
    pub arbos_version: u64,
    /// Stylus version that programs are activated with.
    pub version: u16,
    /// Ink that one gas buys.
    pub ink_price: u32,
    /// Stack limit of a program, in words of Nitro's own count.
    pub max_stack_depth: u32,
    /// WASM pages (64 KiB) that a transaction has for nothing.
    pub free_pages: u16,
    /// Gas for each further page; the exponential part comes on top.
    pub page_gas: u16,
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
    /// Most bytes of a decompressed program.
    pub max_wasm_size: u32,
    /// Most words of stack that one function may take.
    pub max_frame_size: u32,
    /// Most values that one function may have on its stack at once.
    pub max_frame_contention: u32,
}

impl StylusParams {
    /// ArbOS 51, Stylus version 2. The stack limit of 22,000 words is ArbOS 50's; before, it was 262,144.
    pub const ARBOS_51: Self = Self {
        arbos_version: 51,
        version: 2,
        ink_price: 10_000,
        max_stack_depth: 22_000,
        free_pages: 2,
        page_gas: 1_000,
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
    };

    /// Gas that a call pays to start a program which is *not* cached, on top of [`Self::cached_init_gas`].
    /// `cost` is [`Activation::init_cost`](super::Activation::init_cost).
    pub fn init_gas(&self, cost: u16) -> u64 {
        scaled(self.min_init_gas, 128, cost, self.init_cost_scalar)
    }

    /// Gas that every call pays to start a program; `cost` is
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

    #[test]
    fn ink_and_gas() {
        let params = StylusParams::ARBOS_51;
        assert_eq!(params.gas_to_ink(3), 30_000);
        assert_eq!(params.gas_to_ink(u64::MAX), u64::MAX);
        assert_eq!(params.ink_to_gas(29_999), 2);
    }
}
