//! The machine that runs one transaction: revm for EVM code, the Stylus VM for code that begins `ef f0 00`.
//!
//! revm's main loop keeps a stack of frames. [`ArbEvm`] wraps it and looks at each frame before it runs: a frame of
//! Stylus code goes to `crate::programs`, every other to revm's interpreter. A program that calls back runs a loop
//! of its own on a new frame stack (`ArbEvm::run_nested`), so calls cross between the two kinds of code in any
//! order, and the journal, which all frames share, rolls each of them back alike. The native stack holds one such loop
//! for each program that waits: at most 128, since each has a page of memory and no more can be open at any price.

use crate::{
    l1_pricing::L1Charge,
    precompiles::ArbPrecompiles,
    programs,
    recent::RecentPrograms,
    state::State,
    stylus::{ProgramCache, StylusParams, is_program},
    trace::{Frame, Recording},
};
use alloy_primitives::{Address, U256, map::HashMap};
use revm::{
    bytecode::{Bytecode, opcode},
    context::{
        BlockEnv, CfgEnv, Context, ContextTr, Evm, FrameStack, Journal, JournalTr, LocalContext,
        TxEnv,
    },
    database::CacheDB,
    handler::{
        EthFrame, EvmTr, FrameInitOrResult, FrameResult, ItemOrResult,
        evm::{ContextDbError, FrameInitResult},
        instructions::EthInstructions,
    },
    interpreter::{
        CallScheme, FrameInput, Instruction, InstructionContext, InstructionResult,
        InterpreterAction, instructions, interpreter::EthInterpreter,
        interpreter_action::FrameInit,
    },
    primitives::{KECCAK_EMPTY, hardfork::SpecId},
};
use serde::{Deserialize, Serialize};

/// A state as one transaction sees it: what it reads, and what is set for it alone, stays out of the state below.
pub type Overlay<'a> = CacheDB<&'a State>;
/// The context of one transaction.
pub type Ctx<'a> =
    Context<BlockEnv, TxEnv, CfgEnv, Overlay<'a>, Journal<Overlay<'a>>, TxScope, LocalContext>;
type Inner<'a> = Evm<
    Ctx<'a>,
    (),
    EthInstructions<EthInterpreter, Ctx<'a>>,
    ArbPrecompiles,
    EthFrame<EthInterpreter>,
>;
/// What goes wrong in the machine itself, never in the code that it runs.
pub(crate) type EvmFault<'a> = ContextDbError<Ctx<'a>>;

/// EVM rules of an ArbOS version that has Stylus (`IsPrague`, `IsOsaka` in `params/config.go` of Nitro's geth).
pub const fn spec(arbos_version: u64) -> SpecId {
    match arbos_version {
        ..40 => SpecId::CANCUN,
        40..50 => SpecId::PRAGUE,
        _ => SpecId::OSAKA,
    }
}

/// What Arbitrum knows of the running transaction and plain revm does not.
#[derive(Clone, Default)]
pub struct TxScope {
    /// Stylus parameters of the chain.
    pub params: StylusParams,
    /// Compiled programs.
    pub programs: ProgramCache,
    /// Programs that this block has called; a chain with several transactions in a block hands it on.
    pub recent: RecentPrograms,
    /// Price of a gas that programs are told: with the tip, though nobody is paid it.
    pub gas_price: u128,
    /// Who gets what is paid for gas.
    pub fees: FeeAccounts,
    /// What it pays for being posted to L1.
    pub l1: L1Charge,
    /// Whether `ArbDebug` answers.
    pub debug: bool,
    /// Most gas for the transaction's code ([`StylusParams::tx_gas_cap`]); `None` for an `eth_call`.
    pub gas_cap: Option<u64>,
    /// Gas of the limit above the cap, kept away from the code and given back after it.
    pub held_gas: u64,
    /// WASM pages open now.
    pub pages_open: u16,
    /// Most WASM pages open at once so far.
    pub pages_ever: u16,
    /// Frames open at an address, delegate calls not counted.
    pub open_frames: HashMap<Address, u32>,
    /// Callers of the open frames, the first frame's first.
    pub callers: Vec<Address>,
    /// What happened in the first frame.
    pub trace: TopFrame,
    /// All frames and hostios, where a tracer wants them.
    pub recording: Option<Box<Recording>>,
}

/// Who gets what is paid for gas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeeAccounts {
    /// Receives base fees and data fees.
    pub network: Address,
    /// Receives base fees up to the minimum, unless it is the zero address.
    pub infra: Address,
    /// The least base fee, in wei.
    pub min_base_fee: U256,
}

/// What is recorded of a transaction's first frame.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopFrame {
    /// Gas that it used, before the refund.
    pub gas: u64,
    /// Price of starting it, where it ran a Stylus program.
    pub call_cost: Option<CallCost>,
    /// Ink that the program used, unless it used up everything.
    pub ink: Option<u64>,
    /// Why a program could not be started or was stopped, in words.
    pub failure: Option<String>,
}

/// Gas for starting a Stylus program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallCost {
    /// For the pages it starts with.
    pub pages: u64,
    /// For loading it: the cached part and, where it is not cached, the rest.
    pub init: u64,
}

impl CallCost {
    /// The sum.
    pub const fn total(&self) -> u64 {
        self.pages.saturating_add(self.init)
    }
}

/// One transaction's machine.
pub struct ArbEvm<'a>(pub(crate) Inner<'a>);

impl<'a> ArbEvm<'a> {
    /// A machine for a transaction in `block` on `state`.
    pub fn new(
        state: Overlay<'a>,
        cfg: CfgEnv,
        block: BlockEnv,
        tx: TxEnv,
        scope: TxScope,
    ) -> Self {
        let (spec, arbos) = (cfg.spec, scope.params.arbos_version);
        let ctx = Context::<BlockEnv, TxEnv, CfgEnv, _, Journal<_>, TxScope>::new(state, spec)
            .with_cfg(cfg)
            .with_block(block)
            .with_tx(tx)
            .with_chain(scope);
        let mut instructions = EthInstructions::new_mainnet_with_spec(spec);
        // There are no blobs: `opBlobBaseFee` in `core/vm/eips.go` of Nitro's geth fails.
        instructions.insert_instruction(opcode::BLOBBASEFEE, Instruction::unknown(), 2);
        instructions.insert_instruction(
            opcode::SELFDESTRUCT,
            Instruction::new(selfdestruct),
            5_000,
        );
        Self(Evm::new(ctx, instructions, ArbPrecompiles::new(arbos)))
    }

    /// Runs a frame, and all that it calls, to its end while the current one waits.
    pub(crate) fn run_nested(&mut self, input: FrameInput) -> Result<FrameResult, EvmFault<'a>> {
        let frame = self.0.frame_stack.get();
        let init = FrameInit {
            frame_input: input,
            depth: frame.depth + 1,
            memory: frame.interpreter.memory.new_child_context(),
        };
        let waiting = std::mem::replace(&mut self.0.frame_stack, FrameStack::new());
        let result = self.run_frames(init);
        self.0.frame_stack = waiting;
        let frame = self.0.frame_stack.get();
        frame.interpreter.memory.free_child_context();
        result
    }

    fn run_frames(&mut self, first: FrameInit) -> Result<FrameResult, EvmFault<'a>> {
        if let ItemOrResult::Result(result) = self.frame_init(first)? {
            return Ok(result);
        }
        loop {
            let result = match self.frame_run()? {
                ItemOrResult::Item(init) => match self.frame_init(init)? {
                    ItemOrResult::Item(_) => continue,
                    ItemOrResult::Result(result) => result,
                },
                ItemOrResult::Result(result) => result,
            };
            if let Some(result) = self.frame_return_result(result)? {
                return Ok(result);
            }
        }
    }

    /// From ArbOS 50 an account that delegates to a precompile (EIP-7702) has no code, not the `fe` that stands at an
    /// ArbOS precompile (`resolveCode` in `core/vm/evm.go` of Nitro's geth).
    fn empty_precompile_code(&mut self, input: &mut FrameInput) {
        let FrameInput::Call(call) = input else {
            return;
        };
        let (ctx, precompiles) = (&mut self.0.ctx, &self.0.precompiles);
        if call.known_bytecode.1.original_byte_slice() == [0xfe]
            && ctx.chain.params.arbos_version >= 50
            && let Ok(account) = ctx.journal_mut().load_account_with_code(call.bytecode_address)
            && let Some(delegate) = account.info.code.as_ref().and_then(Bytecode::eip7702_address)
            && precompiles.contains(&delegate)
        {
            call.known_bytecode = (KECCAK_EMPTY, Bytecode::new());
        }
    }

    /// Counts a frame at its address in or out, as Nitro does to tell a program that it is entered again
    /// (`PushContract` in `arbos/tx_processor.go`).
    fn count_frame(&mut self, by: i32) {
        let frame = self.0.frame_stack.get();
        let delegated = matches!(
            &frame.input,
            FrameInput::Call(call)
                if matches!(call.scheme, CallScheme::DelegateCall | CallScheme::CallCode)
        );
        let callers = &mut self.0.ctx.chain.callers;
        match by {
            1 => callers.push(frame.interpreter.input.caller_address),
            _ => drop(callers.pop()),
        }
        if !delegated {
            let address = frame.interpreter.input.target_address;
            let open = self.0.ctx.chain.open_frames.entry(address).or_default();
            *open = open.saturating_add_signed(by);
        }
    }
}

impl<'a> EvmTr for ArbEvm<'a> {
    type Context = Ctx<'a>;
    type Instructions = EthInstructions<EthInterpreter, Ctx<'a>>;
    type Precompiles = ArbPrecompiles;
    type Frame = EthFrame<EthInterpreter>;

    fn all(
        &self,
    ) -> (&Self::Context, &Self::Instructions, &Self::Precompiles, &FrameStack<Self::Frame>) {
        self.0.all()
    }

    fn all_mut(
        &mut self,
    ) -> (
        &mut Self::Context,
        &mut Self::Instructions,
        &mut Self::Precompiles,
        &mut FrameStack<Self::Frame>,
    ) {
        self.0.all_mut()
    }

    fn frame_init(
        &mut self,
        mut input: FrameInit,
    ) -> Result<FrameInitResult<'_, Self::Frame>, EvmFault<'a>> {
        self.empty_precompile_code(&mut input.frame_input);
        if let Some(recording) = &mut self.0.ctx.chain.recording {
            let call = Frame::new(&input.frame_input, &self.0.ctx.local);
            recording.enter(call);
        }
        if let ItemOrResult::Result(result) = self.0.frame_init(input)? {
            if let Some(recording) = &mut self.0.ctx.chain.recording {
                recording.exit(&result);
            }
            return Ok(ItemOrResult::Result(result));
        }
        self.count_frame(1);
        Ok(ItemOrResult::Item(self.0.frame_stack.get()))
    }

    fn frame_run(&mut self) -> Result<FrameInitOrResult<Self::Frame>, EvmFault<'a>> {
        let frame = self.0.frame_stack.get();
        let mut action = if is_program(frame.interpreter.bytecode.original_byte_slice()) {
            InterpreterAction::Return(programs::run_frame(self))
        } else {
            frame.interpreter.run_plain(
                self.0.instruction.instruction_table(),
                self.0.instruction.gas_table(),
                &mut self.0.ctx,
            )
        };
        let frame = self.0.frame_stack.get();
        refuse_ef_code(&frame.input, &mut action);
        let next = frame.process_next_action::<_, EvmFault<'a>>(&mut self.0.ctx, action)?;
        if let ItemOrResult::Result(result) = &next {
            frame.set_finished(true);
            if let Some(recording) = &mut self.0.ctx.chain.recording {
                recording.exit(result);
            }
            self.count_frame(-1);
        }
        Ok(next)
    }

    fn frame_return_result(
        &mut self,
        result: FrameResult,
    ) -> Result<Option<FrameResult>, EvmFault<'a>> {
        self.0.frame_return_result(result)
    }
}

/// `SELFDESTRUCT`, which is paid for but reverts where it would hit a Stylus program, as it may in a delegate call
/// (`opSelfdestruct6780` in `core/vm/instructions.go` of Nitro's geth).
fn selfdestruct(
    context: InstructionContext<'_, Ctx<'_>, EthInterpreter>,
) -> Result<(), InstructionResult> {
    let InstructionContext { interpreter, host } = context;
    let address = interpreter.input.target_address;
    let context = InstructionContext { interpreter, host: &mut *host };
    let result = instructions::host::selfdestruct(context);
    let Ok(code) = host.journal_mut().code(address);
    match result {
        Err(InstructionResult::SelfDestruct) if is_program(&code.data) => {
            Err(InstructionResult::Revert)
        }
        result => result,
    }
}

/// EIP-3541 with Nitro's exception: new code may begin with `ef` if it is a Stylus program (`initNewContract` in
/// `core/vm/evm.go` of its geth).
fn refuse_ef_code(input: &FrameInput, action: &mut InterpreterAction) {
    if let (FrameInput::Create(_), InterpreterAction::Return(result)) = (input, action)
        && result.is_ok()
        && result.output.first() == Some(&0xef)
        && !is_program(&result.output)
    {
        result.result = InstructionResult::CreateContractStartingWithEF;
    }
}

/// revm's configuration for a chain: no EIP-7623 floor, no EIP-7825 cap, EIP-3541 checked here instead.
pub fn config(chain_id: u64, params: &StylusParams) -> CfgEnv {
    let mut cfg = CfgEnv::new_with_spec(spec(params.arbos_version)).with_chain_id(chain_id);
    cfg.disable_eip7623 = true;
    cfg.disable_eip3541 = true;
    cfg.disable_block_gas_limit = true;
    cfg.disable_priority_fee_check = true;
    cfg.tx_gas_limit_cap = Some(u64::MAX);
    cfg.limit_contract_code_size = Some(params.max_code_size as usize);
    cfg.limit_contract_initcode_size = Some(params.max_init_code_size as usize);
    cfg
}

/// Gas for reaching an account (EIP-2929).
pub(crate) const fn access_cost(is_cold: bool) -> u64 {
    if is_cold { 2_600 } else { 100 }
}
