//! Weaving the meter into a program's bytes.
//!
//! Four checks are inserted, and the program then enforces its own limits, whatever engine runs it:
//!
//! 1. **Ink.** Before each basic block: if less ink is left than the block costs, mark the meter exhausted and trap;
//!    else take the cost. The cost is the sum of the block's opcodes and a header ([`pricing`]).
//! 2. **Bulk memory.** Before `memory.fill` and `memory.copy`: the same, by the byte.
//! 3. **Stack.** On entering a function: if no more words are left than its frame takes, set them to zero and trap;
//!    else take them. Given back before every `return`, and before the end, where a `return` is added.
//! 4. **Memory growth.** Before `memory.grow`: call `pay_for_memory_grow` with the number of pages.
//!
//! The order is Nitro's (`instrument` in `crates/prover/src/binary.rs`), and it is felt: the stack check counts the
//! meter's own values, the call that pays for memory is not itself metered, and activation is priced by the number of
//! opcodes *after* instrumentation. A branch to a function's outermost label skips the giving back in 3, there as here.
//!
//! State lives in four mutable globals appended to the program's own; the host reaches three of them by export.

use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{
    CodeSection, ConstExpr, ExportKind, ExportSection, Function, GlobalSection, GlobalType,
    Instruction, RawSection, SectionId, ValType,
};
use wasmparser::{BinaryReader, BlockType, GlobalSectionReader, Operator};

use super::depth;
use super::module::{ENTRY_POINT, MEMORY, Module, ModuleError};
use super::params::StylusParams;
use super::pricing;
use super::validate::at_most;

/// Export of the ink left (`i64`).
pub const INK_LEFT: &str = "stylus_ink_left";
/// Export of the meter's status (`i32`): 0, or 1 when the ink has run out.
pub const INK_STATUS: &str = "stylus_ink_status";
/// Export of the words of stack left (`i32`); zero only after an overflow.
pub const STACK_LEFT: &str = "stylus_stack_left";
/// Number of globals that instrumentation adds.
pub const GLOBALS: u32 = 4;

/// Most declared locals of a function.
const MAX_LOCALS: u64 = 348;
/// Most opcodes of a function, instrumentation included.
const MAX_OPCODES: u64 = 65_536;

/// A program with its checks woven in.
pub struct Instrumented {
    /// The new WASM.
    pub wasm: Vec<u8>,
    /// Opcodes of all functions, instrumentation included, as Nitro counts them for the price of activation.
    pub opcodes: u64,
}

/// Indices of the added globals.
#[derive(Clone, Copy)]
struct Globals {
    ink: u32,
    status: u32,
    scratch: u32,
    stack: u32,
}

/// Inserts the checks into `module`.
pub fn instrument(module: &Module<'_>, params: &StylusParams) -> Result<Instrumented, ModuleError> {
    let first = module.globals;
    let globals = Globals { ink: first, status: first + 1, scratch: first + 2, stack: first + 3 };

    let mut code = CodeSection::new();
    let mut opcodes = 0;
    for index in 0..module.bodies.len() {
        let (function, count) = instrument_function(module, index, globals, params)?;
        code.function(&function);
        opcodes += count;
    }

    let mut out = wasm_encoder::Module::new();
    let mut globals_written = false;
    for (id, range) in &module.sections {
        let bytes = &module.wasm[range.clone()];
        if !globals_written && *id >= SectionId::Global as u8 {
            let own = (*id == SectionId::Global as u8).then_some(bytes);
            out.section(&global_section(own)?);
            globals_written = true;
        }
        match *id {
            id if id == SectionId::Global as u8 => {}
            id if id == SectionId::Export as u8 => {
                out.section(&export_section(module, globals));
            }
            id if id == SectionId::Code as u8 => {
                out.section(&code);
            }
            id => {
                out.section(&RawSection { id, data: bytes });
            }
        }
    }
    Ok(Instrumented { wasm: out.finish(), opcodes })
}

/// The program's globals, if it has any, and the four of the instrumentation.
fn global_section(own: Option<&[u8]>) -> Result<GlobalSection, ModuleError> {
    let mut section = GlobalSection::new();
    if let Some(bytes) = own {
        let reader = GlobalSectionReader::new(BinaryReader::new(bytes, 0))?;
        RoundtripReencoder
            .parse_global_section(&mut section, reader)
            .map_err(|error| ModuleError::Opcode(error.to_string()))?;
    }
    let mut add = |val_type, init: &ConstExpr| {
        section.global(GlobalType { val_type, mutable: true, shared: false }, init);
    };
    add(ValType::I64, &ConstExpr::i64_const(0)); // ink
    add(ValType::I32, &ConstExpr::i32_const(0)); // status
    add(ValType::I32, &ConstExpr::i32_const(0)); // scratch
    add(ValType::I32, &ConstExpr::i32_const(0)); // stack
    Ok(section)
}

/// Only what the host needs stays exported.
fn export_section(module: &Module<'_>, globals: Globals) -> ExportSection {
    let mut section = ExportSection::new();
    section.export(MEMORY, ExportKind::Memory, 0);
    if let Some(&(_, index)) = module.exports.get(ENTRY_POINT) {
        section.export(ENTRY_POINT, ExportKind::Func, index);
    }
    section.export(INK_LEFT, ExportKind::Global, globals.ink);
    section.export(INK_STATUS, ExportKind::Global, globals.status);
    section.export(STACK_LEFT, ExportKind::Global, globals.stack);
    section
}

/// One function with its checks, and the number of its opcodes.
fn instrument_function(
    module: &Module<'_>,
    index: usize,
    globals: Globals,
    params: &StylusParams,
) -> Result<(Function, u64), ModuleError> {
    let body = &module.bodies[index];
    let mut locals = vec![];
    let mut local_count = 0;
    for group in body.get_locals_reader()? {
        let (count, ty) = group?;
        local_count += count;
        let ty = RoundtripReencoder
            .val_type(ty)
            .map_err(|error| ModuleError::Opcode(error.to_string()))?;
        locals.push((count, ty));
    }
    at_most("locals", local_count as usize, MAX_LOCALS)?;

    let ops = body.get_operators_reader()?.into_iter().collect::<Result<Vec<_>, _>>()?;
    let metered = meter(module, ops, globals)?;

    let contention = depth::contention(module, &metered);
    let size = depth::frame_size(contention, local_count);
    let frame = |words, limit| ModuleError::Frame { function: index, words, limit };
    if contention > params.max_frame_contention {
        return Err(frame(contention, params.max_frame_contention));
    }
    if size > params.max_frame_size {
        return Err(frame(size, params.max_frame_size));
    }

    let bounded = bound(metered, size, module.pay_for_growth, globals);
    at_most("opcodes in a function", bounded.len(), MAX_OPCODES)?;
    let mut function = Function::new(locals);
    let count = bounded.len() as u64;
    for op in bounded {
        let instruction: Instruction<'_> = RoundtripReencoder
            .instruction(op)
            .map_err(|error| ModuleError::Opcode(error.to_string()))?;
        function.instruction(&instruction);
    }
    Ok((function, count))
}

/// Checks 1 and 2: ink for each basic block, ink for each byte of the bulk operations.
fn meter<'a>(
    module: &Module<'_>,
    ops: Vec<Operator<'a>>,
    globals: Globals,
) -> Result<Vec<Operator<'a>>, ModuleError> {
    let mut out = Vec::with_capacity(ops.len() * 2);
    let mut block = vec![];
    let mut cost = pricing::BLOCK_HEADER;
    for op in ops {
        let price = pricing::opcode(&op, &module.types);
        if price == pricing::PROHIBITIVE && !inert_float(&op) {
            let name = format!("{op:?}");
            return Err(ModuleError::Opcode(name.split(' ').next().unwrap_or_default().into()));
        }
        cost = cost.saturating_add(price);
        let ends = pricing::ends_block(&op);
        block.push(op);
        if ends {
            out.extend(take_ink(cost, globals));
            for op in block.drain(..) {
                match op {
                    Operator::MemoryFill { .. } => {
                        out.extend(take_ink_by_the_byte(pricing::MEMORY_FILL_BYTE, globals));
                    }
                    Operator::MemoryCopy { .. } => {
                        out.extend(take_ink_by_the_byte(pricing::MEMORY_COPY_BYTE, globals));
                    }
                    _ => {}
                }
                out.push(op);
            }
            cost = pricing::BLOCK_HEADER;
        }
    }
    Ok(out)
}

/// Float opcodes that move bits without arithmetic. Nitro admits them, at a price nobody can pay.
fn inert_float(op: &Operator<'_>) -> bool {
    use Operator::*;
    matches!(
        op,
        F32Const { .. }
            | F64Const { .. }
            | F32Load { .. }
            | F64Load { .. }
            | F32Store { .. }
            | F64Store { .. }
            | I32ReinterpretF32
            | I64ReinterpretF64
            | F32ReinterpretI32
            | F64ReinterpretI64
    )
}

/// `if ink < cost { status = 1; trap }  ink -= cost`
fn take_ink<'a>(cost: u64, globals: Globals) -> [Operator<'a>; 12] {
    use Operator::*;
    let value = cost as i64; // the same bits; compared as unsigned
    [
        GlobalGet { global_index: globals.ink },
        I64Const { value },
        I64LtU,
        If { blockty: BlockType::Empty },
        I32Const { value: 1 },
        GlobalSet { global_index: globals.status },
        Unreachable,
        End,
        GlobalGet { global_index: globals.ink },
        I64Const { value },
        I64Sub,
        GlobalSet { global_index: globals.ink },
    ]
}

/// With a number of bytes on the stack, which stays there: `old = ink; ink -= bytes · price;
/// if old < ink { status = 1; trap }`. The product fits in 64 bits; the subtraction may wrap, and is caught.
fn take_ink_by_the_byte<'a>(price: u64, globals: Globals) -> [Operator<'a>; 17] {
    use Operator::*;
    [
        GlobalSet { global_index: globals.scratch },
        GlobalGet { global_index: globals.ink },
        GlobalGet { global_index: globals.ink },
        GlobalGet { global_index: globals.scratch },
        I64ExtendI32U,
        I64Const { value: price as i64 },
        I64Mul,
        I64Sub,
        GlobalSet { global_index: globals.ink },
        GlobalGet { global_index: globals.ink },
        I64LtU,
        If { blockty: BlockType::Empty },
        I32Const { value: 1 },
        GlobalSet { global_index: globals.status },
        Unreachable,
        End,
        GlobalGet { global_index: globals.scratch },
    ]
}

/// Checks 3 and 4: `size` words of stack for the call, and payment before memory grows.
fn bound(
    metered: Vec<Operator<'_>>,
    size: u32,
    pay_for_growth: Option<u32>,
    globals: Globals,
) -> Vec<Operator<'_>> {
    use Operator::*;
    let stack = globals.stack;
    let words = size as i32;
    let last = metered.len().saturating_sub(1);
    let mut out = Vec::with_capacity(metered.len() + 32);
    out.extend([
        // if stack <= size { stack = 0; trap }  stack -= size
        GlobalGet { global_index: stack },
        I32Const { value: words },
        I32LeU,
        If { blockty: BlockType::Empty },
        I32Const { value: 0 },
        GlobalSet { global_index: stack },
        Unreachable,
        End,
        GlobalGet { global_index: stack },
        I32Const { value: words },
        I32Sub,
        GlobalSet { global_index: stack },
    ]);
    let give_back = [
        GlobalGet { global_index: stack },
        I32Const { value: words },
        I32Add,
        GlobalSet { global_index: stack },
        Return,
    ];
    for (index, op) in metered.into_iter().enumerate() {
        match (&op, pay_for_growth) {
            (Return, _) => {
                out.extend(give_back.clone());
                continue;
            }
            (MemoryGrow { .. }, Some(function_index)) => out.extend([
                GlobalSet { global_index: globals.scratch },
                GlobalGet { global_index: globals.scratch },
                GlobalGet { global_index: globals.scratch },
                Call { function_index },
            ]),
            (End, _) if index == last => out.extend(give_back.clone()),
            _ => {}
        }
        out.push(op);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Number of opcodes after instrumentation of a module whose only function has `body`.
    fn opcodes(imports: &str, memory: &str, body: &str) -> u64 {
        let wat = format!(
            r#"(module {imports} (memory (export "memory") {memory})
                (func (export "user_entrypoint") (param i32) (result i32) {body}))"#
        );
        let wasm = wat::parse_str(wat).unwrap();
        let params = StylusParams::ARBOS_51;
        let module = Module::parse(&wasm, &params).unwrap();
        let instrumented = instrument(&module, &params).unwrap();
        wasmparser::validate(&instrumented.wasm).unwrap();
        instrumented.opcodes
    }

    #[test]
    fn a_block_costs_12_and_a_function_17() {
        assert_eq!(opcodes("", "1 1", "i32.const 0"), 2 + 12 + 17);
        assert_eq!(opcodes("", "1 1", "i32.const 0 return"), 3 + 2 * 12 + 17 + 4);
        assert_eq!(opcodes("", "1 1", "block nop end i32.const 0"), 5 + 2 * 12 + 17);
    }

    #[test]
    fn bulk_memory_costs_17_and_growth_4() {
        let fill = "i32.const 0 i32.const 0 i32.const 0 memory.fill i32.const 0";
        assert_eq!(opcodes("", "1 1", fill), 6 + 12 + 17 + 17);
        let pay = r#"(import "vm_hooks" "pay_for_memory_grow" (func (param i32)))"#;
        assert_eq!(opcodes(pay, "1", "i32.const 1 memory.grow"), 3 + 12 + 17 + 4);
        assert_eq!(opcodes(pay, "1 1", "i32.const 1 memory.grow"), 3 + 12 + 17);
    }

    #[test]
    fn own_globals_come_first() {
        assert_eq!(opcodes("(global (mut i32) (i32.const 7))", "1 1", "global.get 0"), 2 + 12 + 17);
    }
}
