//! Whether a program's functions can call each other in a circle.
//!
//! Stylus counts the words of a frame on the operand stack; the optimizer may keep more than these across a call, as
//! many values as the function computes. Where no function can be on the stack twice, the native stack holds no more
//! than all values of the module, some 128 KiB of code's worth. Where one can, only unoptimized code, whose frames are
//! in proportion to the counted words, lets the counted limit decide and not the native one.

use std::collections::HashMap;
use wasmparser::{BinaryReaderError, ElementItems, FuncType, Operator};

use super::module::Module;

/// Whether any function may be called while it runs. An indirect call may reach every function of its type that an
/// element segment names.
pub(super) fn may_recurse(module: &Module<'_>) -> Result<bool, BinaryReaderError> {
    let imports = module.imports.len() as u32;
    let mut reachable = vec![];
    for element in &module.elements {
        if let ElementItems::Functions(items) = &element.items {
            for index in items.clone() {
                reachable.extend(index?.checked_sub(imports));
            }
        }
    }
    reachable.sort_unstable();
    reachable.dedup();

    // A type is a step of its own between those that call it and those that have it: so there are no more edges than code.
    let mut nodes: HashMap<&FuncType, u32> = HashMap::new();
    let mut edges: Vec<Vec<u32>> = vec![vec![]; module.bodies.len()];
    for index in reachable {
        let Some(ty) = module.function_type(index + imports) else { continue };
        let node = *nodes.entry(ty).or_insert_with(|| {
            edges.push(vec![]);
            edges.len() as u32 - 1
        });
        edges[node as usize].push(index);
    }
    for (function, body) in module.bodies.iter().enumerate() {
        let mut called = vec![];
        for op in body.get_operators_reader()? {
            match op? {
                Operator::Call { function_index } => {
                    called.extend(function_index.checked_sub(imports));
                }
                Operator::CallIndirect { type_index, .. } => {
                    called.extend(nodes.get(&module.types[type_index as usize]));
                }
                _ => {}
            }
        }
        called.sort_unstable();
        called.dedup();
        edges[function] = called;
    }
    Ok(has_circle(&edges))
}

/// Whether a walk along `edges` can come back to where it was: what is left once everything without a way out has been
/// taken away, again and again.
fn has_circle(edges: &[Vec<u32>]) -> bool {
    let mut callers: Vec<Vec<u32>> = vec![vec![]; edges.len()];
    let mut ways_out: Vec<usize> = edges.iter().map(Vec::len).collect();
    for (from, to) in edges.iter().enumerate() {
        for callee in to {
            callers[*callee as usize].push(from as u32);
        }
    }
    let mut done: Vec<u32> =
        (0..edges.len() as u32).filter(|i| edges[*i as usize].is_empty()).collect();
    let mut left = edges.len();
    while let Some(function) = done.pop() {
        left -= 1;
        for caller in &callers[function as usize] {
            ways_out[*caller as usize] -= 1;
            if ways_out[*caller as usize] == 0 {
                done.push(*caller);
            }
        }
    }
    left > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stylus::StylusParams;

    fn recursive(functions: &str) -> bool {
        let wat = format!(
            r#"(module (import "vm_hooks" "read_args" (func $host (param i32)))
                (memory (export "memory") 1 1)
                {functions}
                (func (export "user_entrypoint") (param i32) (result i32) i32.const 0))"#
        );
        let wasm = wat::parse_str(wat).unwrap();
        may_recurse(&Module::parse(&wasm, &StylusParams::ARBOS_51).unwrap()).unwrap()
    }

    /// The shipped classifier is compiled to fast code.
    #[test]
    fn the_contract_does_not_recurse() {
        let wasm = include_bytes!("../../../contract/artifacts/inkling_contract.wasm");
        assert!(!may_recurse(&Module::parse(wasm, &StylusParams::ARBOS_51).unwrap()).unwrap());
    }

    #[test]
    fn direct_calls() {
        assert!(!recursive("(func $a call $b call $b) (func $b i32.const 0 call $host)"));
        assert!(recursive("(func $a call $a)"));
        assert!(recursive("(func $a call $b) (func $b call $c) (func $c call $a)"));
    }

    #[test]
    fn calls_through_a_table() {
        let table = "(table 2 funcref) (elem (i32.const 0) func $a)";
        let call = "i32.const 0 call_indirect";
        assert!(recursive(&format!("{table} (func $a call $b) (func $b {call})")));
        // $b is in no table, and what is has another type
        assert!(!recursive(&format!("{table} (func $a) (func $b {call})")));
        assert!(!recursive(&format!("{table} (func $a (param i32) {call})")));
    }
}
