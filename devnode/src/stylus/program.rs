//! Compiling a program and running it.
//!
//! [`Program::compile`] checks and instruments the WASM, then hands it to wasmtime; the result is cheap to clone and
//! can be run any number of times, from any thread. A run is deterministic: no clocks, no fuel, no floats, and every
//! way of running out is decided by the inserted checks, not by the engine.
//!
//! **Native stack.** The words that Stylus counts bound the recursion of one run; native frames are larger than the
//! count, so each run is given some twelve times the counted size: [`WASM_STACK`] bytes for 22,000 words. Programs whose
//! functions can recurse are not optimized, since optimized frames have no such bound (`recursion`). Should the native
//! stack end all the same, wasmtime stops the program and the run ends as [`Outcome::OutOfStack`]. Runs nest (a program
//! calls a contract that calls a program …): each makes sure that its own stack and [`HOST_STACK`] for the chain's code
//! are there, and takes a new segment from the heap where they are not. How deep they nest is the chain's to bound
//! (1,024 calls, and 63/64 of the gas at each).

use alloy_primitives::{Address, Bytes, U256};
use std::sync::LazyLock;
use wasmtime::{Config, Engine, Extern, Instance, InstancePre, Linker, OptLevel, Store, Trap, Val};

use super::env::{Env, Escape, Handles};
use super::hooks::link;
use super::host::StylusHost;
use super::instrument::{INK_LEFT, INK_STATUS, STACK_LEFT, instrument};
use super::module::{ENTRY_POINT, MEMORY, Module, ModuleError};
use super::params::StylusParams;
use super::record::HostioRecord;
use super::recursion::may_recurse;

/// Bytes of native stack for the WASM frames of one run, where the stack limit is that of ArbOS 50 or less.
pub const WASM_STACK: usize = 2 << 20;

/// The same for a higher limit: 262,144 words before ArbOS 50.
const DEEP_WASM_STACK: usize = 24 << 20;

/// Bytes of native stack for the chain's code that a run calls.
pub const HOST_STACK: usize = 1 << 20;

/// Why a program could not be compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// It breaks a rule of Stylus.
    #[error(transparent)]
    Module(#[from] ModuleError),
    /// The engine refused it.
    #[error("the engine refused the program: {0}")]
    Engine(String),
}

/// What a program can learn about its call, its transaction and its block.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// The program's account (`contract_address`), not that of the code where a delegate call made them differ.
    pub address: Address,
    /// `msg_sender`.
    pub sender: Address,
    /// `msg_value`, in wei.
    pub value: U256,
    /// Whether the program is already running further up (`msg_reentrant`).
    pub reentrant: bool,
    /// `tx_origin`.
    pub origin: Address,
    /// `tx_gas_price`, in wei a gas.
    pub gas_price: U256,
    /// `block_basefee`, in wei a gas.
    pub basefee: U256,
    /// `block_coinbase`.
    pub coinbase: Address,
    /// `block_gas_limit`.
    pub block_gas_limit: u64,
    /// `block_number`: on Arbitrum, an estimate of the L1 block.
    pub block_number: u64,
    /// `block_timestamp`, in seconds.
    pub block_timestamp: u64,
    /// `chainid`.
    pub chain_id: u64,
    /// Ink that one gas buys.
    pub ink_price: u32,
    /// Stack limit, in words.
    pub max_stack_depth: u32,
    /// ArbOS version; decides a few failures of hostios.
    pub arbos_version: u64,
}

/// One call: its data, and what the program can learn about it.
#[derive(Clone, Debug)]
pub struct CallContext<'a> {
    /// Calldata.
    pub args: &'a [u8],
    /// The rest.
    pub context: Context,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Status 0, with the result.
    Success(Vec<u8>),
    /// Another status, with the result as revert data.
    Revert(Vec<u8>),
    /// A trap or a refused hostio, and why. For the caller a revert without data; the rest of the ink is kept.
    Failure(String),
    /// The ink ran out. All of it is used.
    OutOfInk,
    /// The stack limit was exceeded. All ink is used.
    OutOfStack,
}

/// The end of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunResult {
    /// How it ended.
    pub outcome: Outcome,
    /// Ink left.
    pub ink_left: u64,
}

/// A compiled program. Clones share the machine code.
#[derive(Clone)]
pub struct Program {
    instance: InstancePre<Env>,
    /// Native stack that the engine lets it have.
    stack: usize,
}

/// An engine and its hostios, one for the process for each way to compile and each size of the stack: what else a chain
/// can change is data of a run, not of the engine.
struct Runtime {
    engine: Engine,
    linker: Linker<Env>,
}

type Start = LazyLock<Result<Runtime, String>>;

static FAST: Start = LazyLock::new(|| runtime(OptLevel::Speed, WASM_STACK));
static FAST_DEEP: Start = LazyLock::new(|| runtime(OptLevel::Speed, DEEP_WASM_STACK));
static RECURSIVE: Start = LazyLock::new(|| runtime(OptLevel::None, WASM_STACK));
static RECURSIVE_DEEP: Start = LazyLock::new(|| runtime(OptLevel::None, DEEP_WASM_STACK));

fn runtime(level: OptLevel, stack: usize) -> Result<Runtime, String> {
    let mut config = Config::new();
    config
        .cranelift_opt_level(level)
        .async_stack_size(stack) // unused, but no less may be asked for
        .max_wasm_stack(stack)
        .wasm_backtrace_max_frames(None) // traps are ordinary ends here
        .signals_based_traps(false) // the process's signals are not ours to take
        .memory_reservation(0)
        .memory_guard_size(0)
        .memory_reservation_for_growth(0);
    let build = || {
        let engine = Engine::new(&config)?;
        let linker = link(&engine)?;
        Ok(Runtime { engine, linker })
    };
    build().map_err(|error: wasmtime::Error| error.to_string())
}

impl Program {
    /// Checks, instruments and compiles `wasm`.
    pub fn compile(wasm: &[u8], params: &StylusParams) -> Result<Self, CompileError> {
        let module = Module::parse(wasm, params)?;
        let instrumented = instrument(&module, params)?;
        module.check_limits(params.page_limit)?;
        let recursive = may_recurse(&module).map_err(ModuleError::from)?;
        let (runtime, stack) = match (recursive, params.max_stack_depth) {
            (false, ..=22_000) => (&FAST, WASM_STACK),
            (false, _) => (&FAST_DEEP, DEEP_WASM_STACK),
            (true, ..=22_000) => (&RECURSIVE, WASM_STACK),
            (true, _) => (&RECURSIVE_DEEP, DEEP_WASM_STACK),
        };
        let runtime = runtime.as_ref().map_err(|error| CompileError::Engine(error.clone()))?;
        let engine_error = |error: wasmtime::Error| CompileError::Engine(format!("{error:#}"));
        let compiled =
            wasmtime::Module::new(&runtime.engine, &instrumented.wasm).map_err(engine_error)?;
        let instance = runtime.linker.instantiate_pre(&compiled).map_err(engine_error)?;
        Ok(Self { instance, stack })
    }

    /// Runs the program with `ink` to spend. What it asks of the chain goes to `host`; the price of the call itself
    /// (pages, init) and the floor for returned data are the chain's to charge.
    pub fn run(&self, call: &CallContext<'_>, host: &mut dyn StylusHost, ink: u64) -> RunResult {
        let room = self.stack + HOST_STACK;
        stacker::maybe_grow(room, room + room / 4, || self.run_here(call, host, ink))
    }

    fn run_here(&self, call: &CallContext<'_>, host: &mut dyn StylusHost, ink: u64) -> RunResult {
        // SAFETY: the environment lives in `store`, which this function drops before it gives `host` back
        let env = unsafe { Env::new(host, call.context.clone(), call.args) };
        let mut store = Store::new(self.instance.module().engine(), env);
        store.limiter(|env| &mut env.limits);
        let failure = |error: wasmtime::Error| RunResult {
            outcome: Outcome::Failure(format!("{error:#}")),
            ink_left: ink,
        };

        let instance = match self.instance.instantiate(&mut store) {
            Ok(instance) => instance,
            Err(error) => return failure(error),
        };
        let handles = match prepare(&mut store, &instance, ink, call.context.max_stack_depth) {
            Ok(handles) => handles,
            Err(error) => return failure(error),
        };
        if store.data().traced {
            let args = Bytes::copy_from_slice(&(call.args.len() as u32).to_be_bytes());
            mark(&mut store, "user_entrypoint", args, Bytes::new(), ink);
        }
        let result = instance
            .get_typed_func::<u32, u32>(&mut store, ENTRY_POINT)
            .and_then(|entry| entry.call(&mut store, call.args.len() as u32));

        let exhausted = handles.status.get(&mut store).i32() != Some(0);
        let overflowed = handles.stack.get(&mut store).i32() == Some(0);
        let ink_left = handles.ink.get(&mut store).i64().unwrap_or(0) as u64;
        let all_used = |outcome| RunResult { outcome, ink_left: 0 };
        let status = match result {
            Ok(status) => status,
            Err(_) if overflowed => return all_used(Outcome::OutOfStack),
            Err(_) if exhausted => return all_used(Outcome::OutOfInk),
            Err(error) => match (error.downcast_ref::<Escape>(), error.downcast_ref::<Trap>()) {
                (Some(Escape::Exit(status)), _) => *status,
                (Some(Escape::OutOfInk), _) => return all_used(Outcome::OutOfInk),
                (_, Some(Trap::StackOverflow)) => return all_used(Outcome::OutOfStack),
                _ => {
                    return RunResult { outcome: Outcome::Failure(format!("{error:#}")), ink_left };
                }
            },
        };
        if store.data().traced {
            let outs = Bytes::copy_from_slice(&status.to_be_bytes());
            mark(&mut store, "user_returned", Bytes::new(), outs, ink);
        }
        let outs = store.into_data().outs;
        let outcome = match status {
            0 => Outcome::Success(outs),
            _ => Outcome::Revert(outs),
        };
        RunResult { outcome, ink_left }
    }
}

/// Records that the program begins or ends; the ink is that of the beginning both times, as in Nitro's
/// `crates/stylus/src/run.rs`.
fn mark(store: &mut Store<Env>, name: &'static str, args: Bytes, outs: Bytes, ink: u64) {
    let record = HostioRecord { name, args, outs, start_ink: ink, end_ink: ink };
    store.data_mut().host().record(record);
}

/// Fills the meters and gives the hostios their handles.
fn prepare(
    store: &mut Store<Env>,
    instance: &Instance,
    ink: u64,
    stack: u32,
) -> wasmtime::Result<Handles> {
    let missing = || wasmtime::Error::msg("the program lacks an export of its instrumentation");
    let mut global = |name| {
        instance.get_export(&mut *store, name).and_then(Extern::into_global).ok_or_else(missing)
    };
    let (ink_left, status, stack_left) =
        (global(INK_LEFT)?, global(INK_STATUS)?, global(STACK_LEFT)?);
    let memory = instance.get_memory(&mut *store, MEMORY).ok_or_else(missing)?;
    ink_left.set(&mut *store, Val::I64(ink as i64))?;
    stack_left.set(&mut *store, Val::I32(stack as i32))?;
    let handles = Handles { memory, ink: ink_left, status, stack: stack_left };
    store.data_mut().set_handles(handles);
    Ok(handles)
}
