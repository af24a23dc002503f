//! What opcodes and hostios cost, in ink.
//!
//! The figures are Nitro's: opcodes from `pricing_v1` in `crates/prover/src/programs/meter.rs`, hostios from
//! `crates/arbutil/src/pricing.rs`, gas amounts that hostios charge beside their ink from
//! `crates/arbutil/src/evm/mod.rs`, the surcharges of the storage cache from `crates/arbutil/src/evm/storage.rs`.
//! They are part of consensus for Stylus versions 1 and 2 and are not parameters of a chain.

use wasmparser::{FuncType, Operator};

/// Ink of entering a basic block, whatever it holds.
pub const BLOCK_HEADER: u64 = 2_450;

/// Ink a byte of `memory.fill`.
pub const MEMORY_FILL_BYTE: u64 = 100;

/// Ink a byte of `memory.copy`.
pub const MEMORY_COPY_BYTE: u64 = 100;

/// Ink of an opcode that is admitted but must not be executed: more than any program can have.
pub const PROHIBITIVE: u64 = u64::MAX;

/// Ink of one opcode. `types` are the module's function types (for `call_indirect`). Floats, which a program may
/// contain but not run, cost [`PROHIBITIVE`].
pub fn opcode(op: &Operator<'_>, types: &[FuncType]) -> u64 {
    use Operator::*;
    match op {
        Unreachable | Return | Nop | I32Const { .. } | I64Const { .. } => 1,
        Block { .. } | Loop { .. } | Else | End => 1,
        Drop => 9,
        Br { .. } | BrIf { .. } | If { .. } => 765,
        BrTable { targets } => 2_400 + 325 * u64::from(targets.len()),
        Call { .. } => 3_800,
        CallIndirect { type_index, .. } => {
            let inputs = types.get(*type_index as usize).map_or(0, |ty| ty.params().len());
            13_610 + 650 * inputs as u64
        }
        Select => 1_250,

        LocalGet { .. } | LocalTee { .. } => 75,
        LocalSet { .. } => 210,
        GlobalGet { .. } => 225,
        GlobalSet { .. } => 575,

        I32Load { .. } | I32Load8S { .. } | I32Load8U { .. } => 670,
        I32Load16S { .. } | I32Load16U { .. } => 670,
        I64Load { .. } | I64Load8S { .. } | I64Load8U { .. } => 680,
        I64Load16S { .. } | I64Load16U { .. } => 680,
        I64Load32S { .. } | I64Load32U { .. } => 680,
        I32Store { .. } | I32Store8 { .. } | I32Store16 { .. } => 825,
        I64Store { .. } | I64Store8 { .. } | I64Store16 { .. } | I64Store32 { .. } => 950,
        MemorySize { .. } => 3_000,
        MemoryGrow { .. } => 8_050,
        MemoryCopy { .. } | MemoryFill { .. } => 950,

        I32Eqz | I32Eq | I32Ne | I32LtS | I32LtU | I32GtS => 170,
        I32GtU | I32LeS | I32LeU | I32GeS | I32GeU => 170,
        I64Eqz | I64Eq | I64Ne | I64LtS | I64LtU | I64GtS => 225,
        I64GtU | I64LeS | I64LeU | I64GeS | I64GeU => 225,

        I32Add | I32Sub => 70,
        I32And | I32Or | I32Xor | I32Shl | I32ShrS | I32ShrU | I32Rotl | I32Rotr => 70,
        I64Add | I64Sub => 100,
        I64And | I64Or | I64Xor | I64Shl | I64ShrS | I64ShrU | I64Rotl | I64Rotr => 100,
        I32Mul | I64Mul => 160,
        I32DivS | I32DivU | I32RemS | I32RemU => 1_120,
        I64DivS | I64DivU | I64RemS | I64RemU => 1_270,
        I32Clz | I32Ctz | I64Clz | I64Ctz => 210,
        I32Popcnt => 2_650,
        I64Popcnt => 6_000,
        I32WrapI64 | I64ExtendI32S | I64ExtendI32U => 100,
        I32Extend8S | I32Extend16S | I64Extend8S | I64Extend16S | I64Extend32S => 100,

        _ => PROHIBITIVE,
    }
}

/// Whether `op` is the last of its basic block: after it, control may be elsewhere. (`block` is not: entering one
/// changes nothing. `unreachable` is not either, in Nitro's `crates/arbutil/src/operator.rs`.)
pub fn ends_block(op: &Operator<'_>) -> bool {
    use Operator::*;
    matches!(
        op,
        End | Else
            | Return
            | Loop { .. }
            | Br { .. }
            | BrIf { .. }
            | BrTable { .. }
            | If { .. }
            | Call { .. }
            | CallIndirect { .. }
    )
}

/// Base prices of the hostios, in ink: a fixed part, more for each pointer, more for a trip to the chain.
pub mod hostio {
    /// Any hostio that is charged at all.
    pub const BASE: u64 = 8_400;
    /// Each pointer among the arguments.
    pub const PTR: u64 = 5_040;
    /// A request to the chain.
    pub const EVM_API: u64 = 59_673;

    /// `read_args`, `write_result`, `return_data_size`, `msg_reentrant`, and the getters that return a number.
    pub const PLAIN: u64 = BASE;
    /// The getters that write through one pointer.
    pub const GETTER: u64 = BASE + PTR;
    /// `storage_load_bytes32` and `storage_cache_bytes32`.
    pub const STORAGE: u64 = BASE + 2 * PTR;
    /// `storage_flush_cache`.
    pub const STORAGE_FLUSH: u64 = BASE + EVM_API;
    /// `transient_load_bytes32` and `transient_store_bytes32`.
    pub const TRANSIENT: u64 = BASE + 2 * PTR + EVM_API;
    /// The three calls.
    pub const CALL: u64 = BASE + 3 * PTR + EVM_API;
    /// `create1`.
    pub const CREATE1: u64 = BASE + 3 * PTR + EVM_API;
    /// `create2`.
    pub const CREATE2: u64 = BASE + 4 * PTR + EVM_API;
    /// `read_return_data`.
    pub const READ_RETURN_DATA: u64 = BASE + EVM_API;
    /// `emit_log`.
    pub const EMIT_LOG: u64 = BASE + EVM_API;
    /// `account_balance` and `account_codehash`.
    pub const ACCOUNT_WORD: u64 = BASE + 2 * PTR + EVM_API;
    /// `account_code` and `account_code_size`.
    pub const ACCOUNT_CODE: u64 = BASE + EVM_API;
    /// `math_div` and `math_mod`.
    pub const MATH_DIV: u64 = BASE + 3 * PTR + 20_000;
    /// `math_pow`, before [`pow`](super::pow).
    pub const MATH_POW: u64 = BASE + 3 * PTR;
    /// `math_add_mod`.
    pub const MATH_ADD_MOD: u64 = BASE + 4 * PTR + 21_000;
    /// `math_mul_mod`.
    pub const MATH_MUL_MOD: u64 = BASE + 4 * PTR + 24_100;
}

/// Ink of copying `bytes` into the program's memory.
pub fn write(bytes: u32) -> u64 {
    5_040 + 30 * u64::from(bytes.saturating_sub(32))
}

/// Ink of copying `bytes` out of the program's memory.
pub fn read(bytes: u32) -> u64 {
    16_381 + 55 * u64::from(bytes.saturating_sub(32))
}

/// Ink of `native_keccak256` of `bytes`, reading included.
pub fn keccak(bytes: u32) -> u64 {
    121_800 + 21_000 * u64::from(bytes.div_ceil(32).saturating_sub(2))
}

/// Ink that `math_pow` pays for its exponent (big-endian): by its length without leading zero bytes.
pub fn pow(exponent: &[u8; 32]) -> u64 {
    let zeros = exponent.iter().take_while(|byte| **byte == 0).count() as u64;
    3_000 + 17_500 * (33 - zeros)
}

/// Gas of `emit_log`: 375 and 375 a topic, 8 a byte of data.
pub fn log_gas(topics: u32, data_len: u32) -> u64 {
    375 * (1 + u64::from(topics)) + 8 * u64::from(data_len)
}

/// Gas amounts that hostios charge, or want to see left before they begin.
pub mod gas {
    /// A cold `SLOAD` (EIP-2929).
    pub const COLD_SLOAD: u64 = 2_100;
    /// Touching a cold account (EIP-2929).
    pub const COLD_ACCOUNT: u64 = 2_600;
    /// What must be left for an `SSTORE` (EIP-2200).
    pub const SSTORE_SENTRY: u64 = 2_300;
    /// `TLOAD` and `TSTORE` (EIP-1153).
    pub const TRANSIENT: u64 = 100;
    /// The dearest surcharge of the storage cache.
    pub const STORAGE_CACHE: u64 = 10;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copying() {
        assert_eq!(write(0), 5_040);
        assert_eq!(write(33), 5_070);
        assert_eq!(read(64), 18_141);
        assert_eq!(read(u32::MAX), 16_381 + 55 * (u64::from(u32::MAX) - 32));
    }

    #[test]
    fn hashing_and_powers() {
        assert_eq!(keccak(64), 121_800);
        assert_eq!(keccak(65), 142_800);
        assert_eq!(pow(&[0; 32]), 20_500);
        assert_eq!(pow(&[1; 32]), 580_500);
    }

    #[test]
    fn opcodes() {
        assert_eq!(opcode(&Operator::I64Mul, &[]), 160);
        assert_eq!(opcode(&Operator::F64Add, &[]), PROHIBITIVE);
        assert_eq!(opcode(&Operator::CallIndirect { type_index: 9, table_index: 0 }, &[]), 13_610);
    }
}
