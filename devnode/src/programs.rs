//! A frame whose code is a Stylus program, from its price to its return data.
//!
//! The order is Nitro's `CallProgram` (`arbos/programs/programs.go`): look the program up in ArbOS state, charge pages
//! and init, run it on the ink that the rest of the gas buys, and see that returning data costs at least what EVM
//! memory would. What the program asks for meanwhile is answered by [`crate::frame_host`].

use crate::{
    arbos::{Inactive, ProgramRecord},
    evm::{ArbEvm, CallCost, Ctx, TxScope},
    frame_host::FrameHost,
    memory::{page_cost, return_data_floor},
    stylus::{
        CallContext, CompileError, Outcome, Program, code::CodeError, decompress, program::Context,
    },
};
use alloy_primitives::{Address, B256, Bytes, U256};
use revm::{
    context::{Block, Cfg, ContextTr, Transaction},
    handler::EvmTr,
    interpreter::{FrameInput, Gas, InstructionResult, InterpreterResult},
};

/// Why a program was not run at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// ArbOS does not have it among the programs that may be called.
    #[error(transparent)]
    Inactive(#[from] Inactive),
    /// The frame's gas does not pay for starting it.
    #[error("out of gas")]
    OutOfGas,
    /// Its code is not WASM; activation would have refused it.
    #[error(transparent)]
    Code(#[from] CodeError),
    /// The engine refused it; activation would have, too.
    #[error(transparent)]
    Compile(#[from] CompileError),
}

/// Price of starting a program with the pages that are open now. Before Stylus version 2 the uncached price includes the
/// cached one.
pub(crate) fn call_cost(scope: &TxScope, record: &ProgramRecord, cached: bool) -> CallCost {
    let params = &scope.params;
    let mut init = 0u64;
    if cached || record.version > 1 {
        init = params.cached_init_gas(record.cached_cost);
    }
    if !cached {
        init = init.saturating_add(params.init_gas(record.init_cost));
    }
    CallCost {
        pages: page_cost(params, record.footprint, scope.pages_open, scope.pages_ever),
        init,
    }
}

/// Runs the frame on top of the stack, which holds a Stylus program, to its end.
pub(crate) fn run_frame(evm: &mut ArbEvm<'_>) -> InterpreterResult {
    let frame = evm.0.frame_stack.get();
    let gas = Gas::new(frame.interpreter.gas.remaining());
    let is_top = frame.depth == 0;
    match start(evm) {
        Ok(started) => run(evm, &started, gas),
        Err(error) => {
            if is_top {
                evm.0.ctx.chain.trace.failure = Some(error.to_string());
            }
            let result = match error {
                StartError::OutOfGas => InstructionResult::OutOfGas,
                _ => InstructionResult::NotActivated,
            };
            halt(result, gas)
        }
    }
}

/// A program whose start is paid for and whose pages are open.
struct Started {
    program: Program,
    cost: CallCost,
    /// Pages that were open before and are again when it has ended.
    pages_before: u16,
}

/// Finds the program and what starting it costs, and opens its pages.
fn start(evm: &mut ArbEvm<'_>) -> Result<Started, StartError> {
    let frame = evm.0.frame_stack.get();
    let gas = frame.interpreter.gas.remaining();
    let is_top = frame.depth == 0;
    // The code of a creation has no hash under which it could have been activated.
    if matches!(frame.input, FrameInput::Create(_)) {
        return Err(Inactive::NotActivated.into());
    }
    let code = frame.interpreter.bytecode.original_bytes();
    let code_hash = frame.interpreter.bytecode.get_or_calculate_hash();

    let ctx = &mut evm.0.ctx;
    let time = ctx.block().timestamp().saturating_to();
    let record = ProgramRecord::load(ctx, code_hash).active(&ctx.chain().params, time)?;
    let scope = ctx.chain_mut();
    // A program is recent from now on, whatever becomes of this call.
    let recent = scope.params.arbos_version >= 60
        && scope.recent.insert(code_hash, scope.params.block_cache_size);
    let cost = call_cost(scope, &record, record.cached || recent);
    if is_top {
        scope.trace.call_cost = Some(cost);
    }
    if cost.total() > gas {
        return Err(StartError::OutOfGas);
    }
    let program = compiled(scope, code_hash, &code)?;
    let pages_before = scope.pages_open;
    scope.open_pages(record.footprint);
    Ok(Started { program, cost, pages_before })
}

/// The compiled program, from the cache where it is there.
fn compiled(scope: &TxScope, code_hash: B256, code: &[u8]) -> Result<Program, StartError> {
    if let Some(program) = scope.programs.get(&code_hash) {
        return Ok(program);
    }
    let wasm = decompress(code, scope.params.max_wasm_size as usize)?;
    let program = Program::compile(&wasm, &scope.params)?;
    scope.programs.put(code_hash, program.clone());
    Ok(program)
}

impl TxScope {
    /// Opens `pages` more pages.
    pub(crate) fn open_pages(&mut self, pages: u16) {
        self.pages_open = self.pages_open.saturating_add(pages);
        self.pages_ever = self.pages_ever.max(self.pages_open);
    }
}

fn run(evm: &mut ArbEvm<'_>, started: &Started, mut gas: Gas) -> InterpreterResult {
    let frame = evm.0.frame_stack.get();
    let input = &frame.interpreter.input;
    let (address, caller, value) = (input.target_address, input.caller_address, input.call_value);
    let is_static = frame.interpreter.runtime_flag.is_static;
    let is_top = frame.depth == 0;
    let args = input.input.bytes(&evm.0.ctx);

    let ctx = &evm.0.ctx;
    let params = ctx.chain().params.clone();
    let call = CallContext { args: &args, context: context(ctx, address, caller, value) };
    let ink = params.gas_to_ink(gas.limit() - started.cost.total());
    let mut host = FrameHost::new(evm, address, caller, value, is_static);
    let result = started.program.run(&call, &mut host, ink);
    let refund = host.refund();

    let scope = evm.ctx_mut().chain_mut();
    scope.pages_open = started.pages_before;
    let (status, output) = match result.outcome {
        Outcome::Success(data) => (InstructionResult::Return, data),
        Outcome::Revert(data) => (InstructionResult::Revert, data),
        Outcome::Failure(why) => {
            if is_top {
                scope.trace.failure = Some(why.to_string());
            }
            (InstructionResult::Revert, Vec::new())
        }
        Outcome::OutOfInk => return halt(InstructionResult::OutOfGas, gas),
        Outcome::OutOfStack => return halt(InstructionResult::StackOverflow, gas),
    };
    let Some(most) = gas.limit().checked_sub(return_data_floor(output.len())) else {
        return halt(InstructionResult::OutOfGas, gas);
    };
    if is_top {
        scope.trace.ink = Some(ink - result.ink_left);
    }
    gas.set_remaining(params.ink_to_gas(result.ink_left).min(most));
    gas.record_refund(refund);
    InterpreterResult::new(status, output.into(), gas)
}

/// What the program can learn about its call, its transaction and its block.
fn context(ctx: &Ctx<'_>, address: Address, sender: Address, value: U256) -> Context {
    let (block, tx, scope) = (ctx.block(), ctx.tx(), ctx.chain());
    let basefee = block.basefee();
    Context {
        address,
        sender,
        value,
        reentrant: scope.open_frames.get(&address).is_some_and(|&n| n > 1),
        origin: tx.caller(),
        gas_price: U256::from(scope.gas_price),
        basefee: U256::from(basefee),
        coinbase: block.beneficiary(),
        block_gas_limit: block.gas_limit(),
        block_number: block.number().saturating_to(),
        block_timestamp: block.timestamp().saturating_to(),
        chain_id: ctx.cfg().chain_id(),
        ink_price: scope.params.ink_price,
        max_stack_depth: scope.params.max_stack_depth,
        arbos_version: scope.params.arbos_version,
    }
}

/// All gas used, nothing returned.
fn halt(result: InstructionResult, mut gas: Gas) -> InterpreterResult {
    gas.spend_all();
    InterpreterResult::new(result, Bytes::new(), gas)
}
