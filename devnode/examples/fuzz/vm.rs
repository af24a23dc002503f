//! Programs into the VM.
//!
//! Three kinds: programs that keep the rules ([`program`](crate::program)), WASM of every shape from wasm-smith with
//! the hostios for imports, and either with a few bytes changed. Of each must be true that
//!
//! * refusal is an error value, and the compiler takes whatever activation admits;
//! * a run gives the same result, and asks the chain the same, a second time;
//! * ink does not grow, and is gone where ink or stack ran out;
//! * code that is not compressed WASM is refused, and what was compressed comes back.

use super::{
    Figures,
    host::Whims,
    program::{HOSTIOS, random_program},
};
use arbitrary::Unstructured;
use inkling_devnode::stylus::{
    Activation, CallContext, Context, Outcome, Program, StylusParams, activate, compress,
    decompress,
};
use rand::{Rng, RngCore, rngs::StdRng};
use std::sync::LazyLock;
use wasm_encoder::{EntityType, ImportSection, Module, TypeSection};
use wasm_smith::{Config, MemoryOffsetChoices};

/// Most ink of a run. The cheapest loop takes about 3,000 a round.
const MOST_INK: u64 = 400_000_000;

const RUNS: usize = 4;

/// Makes a program and tries everything with it.
pub(crate) fn case(rng: &mut StdRng, figures: &mut Figures) -> Result<(), String> {
    figures.tries += 1;
    let mut wasm = if rng.random_ratio(2, 3) { random_program(rng) } else { smith(rng) };
    if rng.random_ratio(1, 4) {
        change_bytes(&mut wasm, rng);
    }
    code(&wasm, rng)?;

    let params = &StylusParams::PRESETS[rng.random_range(0..StylusParams::PRESETS.len())];
    let activation = activate(&wasm, params, params.page_limit);
    let program = Program::compile(&wasm, params);
    let (activation, program) = match (activation, program) {
        (Ok(activation), Ok(program)) => (activation, program),
        (Err(_), Err(_)) => return Ok(()),
        (Ok(_), Err(error)) => return Err(format!("admitted, but {error}")),
        (Err(error), Ok(_)) => return Err(format!("compiled, although {error}")),
    };
    figures.accepted += 1;
    for _ in 0..RUNS {
        figures.runs += 1;
        run(&program, &activation, params, rng)?;
    }
    Ok(())
}

fn run(
    program: &Program,
    activation: &Activation,
    params: &StylusParams,
    rng: &mut StdRng,
) -> Result<(), String> {
    let mut args = vec![0; rng.random_range(0..200)];
    rng.fill_bytes(&mut args);
    let ink = rng.random_range(0..MOST_INK) >> rng.random_range(0..16);
    let tight = rng.random_ratio(1, 4);
    let context = Context {
        arbos_version: params.arbos_version,
        ink_price: if tight { rng.random_range(1..20_000) } else { params.ink_price },
        max_stack_depth: if tight { rng.random_range(0..500) } else { params.max_stack_depth },
        ..Context::default()
    };
    let call = CallContext { args: &args, context };
    let seed = rng.random();
    let once = || {
        let mut host = Whims::new(seed, activation.footprint);
        let result = program.run(&call, &mut host, ink);
        (result, host.asked)
    };
    let (first, second) = (once(), once());
    if first != second {
        return Err(format!("twice the same run, but {:?} and {:?}", first.0, second.0));
    }
    let result = first.0;
    if result.ink_left > ink {
        return Err(format!("{} ink left of {ink}", result.ink_left));
    }
    match result.outcome {
        Outcome::OutOfInk | Outcome::OutOfStack if result.ink_left > 0 => {
            Err(format!("{:?} with {} ink left", result.outcome, result.ink_left))
        }
        _ => Ok(()),
    }
}

/// Contract code: WASM there and back, and bytes that are none.
fn code(wasm: &[u8], rng: &mut StdRng) -> Result<(), String> {
    let mut code = if rng.random_ratio(1, 16) { compress(wasm) } else { vec![0xef, 0xf0, 0, 0] };
    if code.len() > 4 && decompress(&code, wasm.len()).ok().as_deref() != Some(wasm) {
        return Err("compressed WASM does not come back".into());
    }
    if code.len() == 4 {
        code.resize(rng.random_range(4..200), 0);
        rng.fill_bytes(&mut code[4..]);
    } else {
        change_bytes(&mut code, rng);
    }
    let most = rng.random_range(0..200_000);
    match decompress(&code, most) {
        Ok(wasm) if wasm.len() > most => Err(format!("{} bytes out of {most}", wasm.len())),
        _ => Ok(()),
    }
}

/// WASM with only the extensions that Stylus has, mostly.
fn smith(rng: &mut StdRng) -> Vec<u8> {
    let mut config = Config {
        available_imports: Some(IMPORTS.clone()),
        exports: Some(if rng.random() { FIXED.clone() } else { GROWING.clone() }),
        allow_floats: rng.random_ratio(1, 8),
        allow_start_export: rng.random_ratio(1, 16),
        bulk_memory_enabled: rng.random_ratio(1, 4),
        disallow_traps: rng.random(),
        generate_custom_sections: rng.random(),
        max_instructions: rng.random_range(10..2_000),
        max_memory32_bytes: rng.random_range(3..200) << 16,
        max_table_elements: 100,
        memory_offset_choices: MemoryOffsetChoices(90, 9, 1),
        min_uleb_size: rng.random_range(1..=5),
        multi_value_enabled: rng.random(),
        ..Config::default()
    };
    if rng.random_ratio(15, 16) {
        config.exceptions_enabled = false;
        config.extended_const_enabled = false;
        config.gc_enabled = false;
        config.memory64_enabled = false;
        config.reference_types_enabled = false;
        config.relaxed_simd_enabled = false;
        config.simd_enabled = false;
        config.tail_call_enabled = false;
        config.threads_enabled = false;
    }
    let mut bytes = vec![0; rng.random_range(100..6_000)];
    rng.fill_bytes(&mut bytes);
    wasm_smith::Module::new(config, &mut Unstructured::new(&bytes))
        .map(|module| module.to_bytes())
        .unwrap_or(bytes)
}

/// A module with every hostio for an import.
static IMPORTS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let (mut types, mut imports) = (TypeSection::new(), ImportSection::new());
    for (index, (name, params, results)) in (0..).zip(HOSTIOS) {
        types.ty().function(params.iter().copied(), results.iter().copied());
        imports.import("vm_hooks", name, EntityType::Function(index));
    }
    let mut module = Module::new();
    module.section(&types).section(&imports);
    module.finish()
});

static FIXED: LazyLock<Vec<u8>> = LazyLock::new(|| exports("2 2"));
static GROWING: LazyLock<Vec<u8>> = LazyLock::new(|| exports("1"));

fn exports(memory: &str) -> Vec<u8> {
    let wat = format!(
        r#"(module (memory (export "memory") {memory})
            (func (export "user_entrypoint") (param i32) (result i32) unreachable))"#
    );
    wat::parse_str(wat).unwrap_or_default()
}

/// Changes, adds and removes some bytes.
pub(crate) fn change_bytes(bytes: &mut Vec<u8>, rng: &mut StdRng) {
    for _ in 0..rng.random_range(1..5) {
        let at = rng.random_range(0..bytes.len().max(1));
        match rng.random_range(0..5) {
            0 => bytes.insert(at, rng.random()),
            _ if at >= bytes.len() => {}
            1 => drop(bytes.remove(at)),
            2 => bytes[at] ^= 1 << rng.random_range(0..8),
            3 => bytes[at] = bytes[at].wrapping_add(1),
            _ => bytes[at] = rng.random(),
        }
    }
}
