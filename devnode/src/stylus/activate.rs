//! What activating a program checks, records and costs.
//!
//! Activation (`ArbWasm.activateProgram`) admits a program and notes a few numbers about it that later calls are
//! priced by. All are estimates made from counts in the WASM, with factors measured by Nitro's authors
//! (`instrument` in `crates/prover/src/binary.rs` for what is recorded, `activate` in
//! `crates/prover/src/programs/mod.rs` for what it costs).

use super::instrument::{GLOBALS, instrument};
use super::module::{Module, ModuleError};
use super::params::StylusParams;

/// Why a program could not be activated.
#[derive(Debug, thiserror::Error)]
pub enum ActivationError {
    /// It breaks a rule.
    #[error(transparent)]
    Module(#[from] ModuleError),
    /// An init cost does not fit its 16 bits.
    #[error("the program's {0} is too high")]
    CostTooHigh(&'static str),
}

/// What the chain records about a program, and the gas of finding it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Activation {
    /// Stylus version that it was activated for.
    pub version: u16,
    /// Memory that the program starts with, in pages.
    pub footprint: u16,
    /// Cost of an uncached start as recorded; [`StylusParams::init_gas`] turns it into gas.
    pub init_cost: u16,
    /// Cost of every start as recorded; [`StylusParams::cached_init_gas`] turns it into gas.
    pub cached_init_cost: u16,
    /// Estimated bytes of machine code; the chain records it in KiB, rounded up, and asks a data fee for it.
    pub asm_estimate: u32,
    /// Gas of the activation itself, without ArbWasm's fixed part.
    pub gas: u64,
}

/// Checks `wasm` and works out its [`Activation`]. `page_limit` is the most pages it may start with, given those that
/// the transaction has open. The whole of `gas` is due on success; a chain that cannot collect it fails the
/// activation.
pub fn activate(
    wasm: &[u8],
    params: &StylusParams,
    page_limit: u16,
) -> Result<Activation, ActivationError> {
    let module = Module::parse(wasm, params)?;
    let instrumented = instrument(&module, params)?;
    module.check_limits(page_limit)?;

    let footprint = module.footprint();
    let (init, cached_init) = init_costs(&module, footprint, params.version);
    let fits =
        |cost: u64, what| u16::try_from(cost).map_err(|_| ActivationError::CostTooHigh(what));
    Ok(Activation {
        version: params.version,
        footprint,
        init_cost: fits(init, "init cost")?,
        cached_init_cost: fits(cached_init, "cached init cost")?,
        asm_estimate: asm_estimate(&module),
        gas: activation_gas(&module, instrumented.opcodes),
    })
}

/// Parameters and results of all the module's own functions.
fn signature_len(module: &Module<'_>) -> u64 {
    let types = module.functions.iter().filter_map(|ty| module.types.get(*ty as usize));
    types.map(|ty| (ty.params().len() + ty.results().len()) as u64).sum()
}

/// The uncached and the cached init cost. Before version 2 the first included the second.
fn init_costs(module: &Module<'_>, footprint: u16, version: u16) -> (u64, u64) {
    let functions = module.bodies.len() as u64;
    let globals = u64::from(module.globals + GLOBALS);
    let signatures = signature_len(module);
    let wasm = module.wasm.len() as u64;
    let data = segment_bytes(module);

    let cached = functions * 13_420 / 100_000
        + signatures * 89 / 100_000
        + wasm * 122 / 100_000
        + globals * 1_628 / 1_000
        + data * 75_244 / 100_000
        + u64::from(footprint) * 5;
    let included = if version < 2 { cached } else { 0 };
    let init =
        included + functions * 8_252 / 1_000 + signatures * 1_059 / 1_000 + wasm * 1_286 / 10_000;
    (init, cached)
}

/// Bytes of data and element segments as they stand in the WASM, headers included.
fn segment_bytes(module: &Module<'_>) -> u64 {
    let data: usize = module.data.iter().map(|data| data.range.len()).sum();
    let elements: usize = module.elements.iter().map(|element| element.range.len()).sum();
    (data + elements) as u64
}

/// Estimated bytes of machine code.
fn asm_estimate(module: &Module<'_>) -> u32 {
    let functions = module.bodies.len() as u64;
    let wasm = module.wasm.len() as u64;
    let estimate = 512_000
        + functions * 996_829 / 1_000
        + signature_len(module) * 11_416 / 1_000
        + wasm * 62_628 / 10_000;
    // 128 KiB of WASM and 4,096 functions stay far below 2^32
    estimate.min(u32::MAX.into()) as u32
}

/// Gas of activation: estimated microseconds of work, each part rounded down, at 28 gas a microsecond (twice over, at
/// 7 million gas a second and half a second of syncing for each second of chain).
fn activation_gas(module: &Module<'_>, opcodes: u64) -> u64 {
    const GAS_PER_MICROSECOND: u64 = 28;
    let functions = module.functions.len() as u64;
    let data: usize = module.data.iter().map(|data| data.data.len()).sum();
    let elements: usize = module.elements.iter().map(|element| element.range.len()).sum();
    let microseconds = module.wasm.len() as u64 * 31_733 / 100_000
        + functions * 17_263 / 100_000
        + data as u64 * 17_376 / 100_000
        + elements as u64 * 17_376 / 100_000
        + module.memory.initial * 2_217
        + opcodes * 535 / 1_000;
    microseconds * GAS_PER_MICROSECOND
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = r#"(memory (export "memory") 1 1)
        (func (export "user_entrypoint") (param i32) (result i32) i32.const 0)"#;

    /// Length of a module, cached init cost, init cost, activation gas.
    fn costs(more: &str) -> (usize, u16, u16, u64) {
        let wasm = wat::parse_str(format!("(module {LEAST} {more})")).unwrap();
        let params = StylusParams::ARBOS_51;
        let got = activate(&wasm, &params, params.page_limit).unwrap();
        (wasm.len(), got.cached_init_cost, got.init_cost, got.gas)
    }

    /// 1 function, 4 globals (the meters'), 2 parameters and results, 1 page, 31 opcodes (2, and 29 of instrumentation).
    /// Cached: ⌊4 · 1.628⌋ + 5. Init: ⌊8.252⌋ + ⌊2 · 1.059⌋ + ⌊64 · 0.1286⌋. Activation, in microseconds: ⌊64 · 0.31733⌋
    /// + 2,217 + ⌊31 · 0.535⌋, at 28 gas.
    #[test]
    fn the_least_program() {
        assert_eq!(costs(""), (64, 6 + 5, 8 + 2 + 8, (20 + 2_217 + 16) * 28));
    }

    /// A segment of 1,000 bytes is 1,006 with its header and the section 1,010. Cached: ⌊1,006 · 0.75244⌋ more, and 1 for
    /// the 1,074 bytes of WASM. Activation counts the 1,000 bytes alone: ⌊1,000 · 0.17376⌋.
    #[test]
    fn data_segments() {
        let data = format!(r#"(data (i32.const 0) "{}")"#, "x".repeat(1000));
        let activation = (340 + 173 + 2_217 + 16) * 28;
        assert_eq!(costs(&data), (1_074, 6 + 5 + 756 + 1, 8 + 2 + 138, activation));
    }

    /// 100 functions in a table are 105 bytes with their header, in activation too: ⌊105 · 0.75244⌋, ⌊105 · 0.17376⌋.
    #[test]
    fn element_segments() {
        let element = format!("(table 100 funcref) (elem (i32.const 0) func {})", "0 ".repeat(100));
        let activation = (56 + 18 + 2_217 + 16) * 28;
        assert_eq!(costs(&element), (178, 6 + 5 + 79, 8 + 2 + 22, activation));
    }
}
