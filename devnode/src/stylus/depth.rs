//! How many words of stack one call of a function may need.
//!
//! Stylus bounds recursion by a count of words that does not depend on the machine: each call takes the largest
//! number of values its function can have on the operand stack, its declared locals, and 4. The count is Nitro's
//! (`worst_case_depth` in `crates/prover/src/programs/depth.rs`) and is deliberately rough: the result slots of a
//! block are taken when it is entered, what follows a branch still counts, parameters do not. It is taken over the
//! code *after* the ink meter was inserted, so it includes the meter's own two values.

use wasmparser::{BlockType, FuncType, Operator};

use super::module::Module;

/// Words that a call takes on top of its values and locals.
const FRAME_OVERHEAD: u32 = 4;

/// The operand stack while walking through a function.
#[derive(Default)]
struct Stack {
    height: u32,
    highest: u32,
}

impl Stack {
    fn push(&mut self, count: usize) {
        self.height += count as u32;
        self.highest = self.highest.max(self.height);
    }

    fn pop(&mut self, count: usize) {
        self.height = self.height.saturating_sub(count as u32);
    }

    /// Results are pushed before parameters are popped.
    fn apply(&mut self, ty: Option<&FuncType>) {
        if let Some(ty) = ty {
            self.push(ty.results().len());
            self.pop(ty.params().len());
        }
    }

    fn enter(&mut self, module: &Module<'_>, ty: &BlockType) {
        match ty {
            BlockType::Empty => {}
            BlockType::Type(_) => self.push(1),
            BlockType::FuncType(index) => self.apply(module.types.get(*index as usize)),
        }
    }
}

/// The most values that metered code `ops` may have on its operand stack.
pub(super) fn contention(module: &Module<'_>, ops: &[Operator<'_>]) -> u32 {
    use Operator::*;
    let mut stack = Stack::default();
    let mut scopes = vec![0];
    for op in ops {
        match op {
            Block { blockty } | Loop { blockty } => {
                stack.enter(module, blockty);
                scopes.push(stack.height);
            }
            If { blockty } => {
                stack.pop(1);
                stack.enter(module, blockty);
                scopes.push(stack.height);
            }
            Else => stack.height = scopes.last().copied().unwrap_or(0),
            End => stack.height = scopes.pop().unwrap_or(0),

            Call { function_index } => stack.apply(module.function_type(*function_index)),
            CallIndirect { type_index, .. } => {
                stack.apply(module.types.get(*type_index as usize));
                stack.pop(1); // the index into the table
            }

            LocalGet { .. } | GlobalGet { .. } | MemorySize { .. } => stack.push(1),
            I32Const { .. } | I64Const { .. } | F32Const { .. } | F64Const { .. } => stack.push(1),

            MemoryFill { .. } | MemoryCopy { .. } => stack.pop(3),
            Select => stack.pop(2),
            I32Store { .. } | I32Store8 { .. } | I32Store16 { .. } => stack.pop(2),
            I64Store { .. } | I64Store8 { .. } | I64Store16 { .. } | I64Store32 { .. } => {
                stack.pop(2);
            }
            F32Store { .. } | F64Store { .. } => stack.pop(2),

            // neither pushes nor pops, or replaces the top value
            Nop | Unreachable | Br { .. } | Return => {}
            LocalTee { .. } | MemoryGrow { .. } => {}
            I32Load { .. } | I32Load8S { .. } | I32Load8U { .. } => {}
            I32Load16S { .. } | I32Load16U { .. } => {}
            I64Load { .. } | I64Load8S { .. } | I64Load8U { .. } => {}
            I64Load16S { .. } | I64Load16U { .. } => {}
            I64Load32S { .. } | I64Load32U { .. } => {}
            F32Load { .. } | F64Load { .. } => {}
            I32Eqz | I64Eqz | I32Clz | I32Ctz | I32Popcnt | I64Clz | I64Ctz | I64Popcnt => {}
            I32WrapI64 | I64ExtendI32S | I64ExtendI32U => {}
            I32Extend8S | I32Extend16S | I64Extend8S | I64Extend16S | I64Extend32S => {}
            I32ReinterpretF32 | I64ReinterpretF64 | F32ReinterpretI32 | F64ReinterpretI64 => {}

            // what is left takes one value more than it gives: drop, local.set, br_if, arithmetic, comparisons
            _ => stack.pop(1),
        }
    }
    stack.highest
}

/// Words of stack that a call takes, given its function's [`contention`] and the number of declared locals.
pub(super) fn frame_size(contention: u32, locals: u32) -> u32 {
    contention + locals + FRAME_OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stylus::StylusParams;

    /// Contention of the first function of a module with `body`, without the meter.
    fn of(body: &str) -> u32 {
        let wat = format!(
            r#"(module (memory (export "memory") 1 1)
                (func (export "user_entrypoint") (param i32) (result i32) {body}))"#
        );
        let wasm = wat::parse_str(wat).unwrap();
        let module = Module::parse(&wasm, &StylusParams::ARBOS_51).unwrap();
        let ops = module.bodies[0].get_operators_reader().unwrap();
        let ops: Vec<_> = ops.into_iter().map(Result::unwrap).collect();
        contention(&module, &ops)
    }

    #[test]
    fn straight_line() {
        assert_eq!(of("i32.const 1"), 1);
        assert_eq!(of("i32.const 1 i32.const 2 i32.const 3 i32.add i32.add"), 3);
        assert_eq!(of("i32.const 1 i32.const 2 i32.const 3 memory.fill i32.const 0"), 3);
        assert_eq!(of("i32.const 1 call 0 drop i32.const 0"), 2); // the result before the parameter
    }

    #[test]
    fn scopes() {
        assert_eq!(of("i32.const 1 if (result i32) i32.const 1 else i32.const 2 end"), 2);
        assert_eq!(of("block i32.const 1 i32.const 2 drop drop end i32.const 1"), 2);
        assert_eq!(of("unreachable i32.const 1 i32.const 2 i32.const 3 drop drop"), 3);
    }

    #[test]
    fn frames() {
        assert_eq!(frame_size(3, 10), 17);
    }
}
