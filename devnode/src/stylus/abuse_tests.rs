//! Programs that mean harm: nothing may panic, overflow the native stack, or run for ever.

use alloy_primitives::{Address, B256, Bytes, U256};
use std::fmt::Write;

use super::tests::{Lone, folder, load};
use super::*;

const INK: u64 = 1_000_000_000_000;

fn context() -> Context {
    let params = StylusParams::ARBOS_51;
    Context {
        ink_price: params.ink_price,
        max_stack_depth: params.max_stack_depth,
        arbos_version: params.arbos_version,
        ..Default::default()
    }
}

fn compile(wat: &str) -> Program {
    Program::compile(&wat::parse_str(wat).unwrap(), &StylusParams::ARBOS_51).unwrap()
}

/// A module of one page whose entry point has `body`.
fn module(rest: &str, body: &str) -> String {
    format!(
        r#"(module (memory (export "memory") 1 1) {rest}
            (func $main (export "user_entrypoint") (param i32) (result i32) {body}))"#
    )
}

#[test]
fn mutated_programs() {
    let params = StylusParams::ARBOS_51;
    let mut seed = 1u64;
    let mut random = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize
    };
    let mut ran = 0;
    for name in ["calls", "control_flow", "memory_ops", "storage", "hash_log", "accounts"] {
        let (_, wasm) = load(folder().join(name).with_extension("json"));
        for _ in 0..150 {
            let mut wasm = wasm.clone();
            let at = random() % wasm.len();
            wasm[at] = random() as u8;
            let admitted = activate(&wasm, &params, params.page_limit).is_ok();
            let Ok(program) = Program::compile(&wasm, &params) else {
                continue;
            };
            assert!(admitted, "compiled, but could not be activated");
            let args = [random() as u8; 9];
            let call = CallContext { args: &args, context: context() };
            program.run(&call, &mut Lone::default(), 30_000_000);
            ran += 1;
        }
    }
    assert!(ran > 50, "only {ran} mutations could run");
}

#[test]
fn truncated_programs() {
    let params = StylusParams::ARBOS_51;
    let (_, wasm) = load(folder().join("calls.json"));
    for len in 0..wasm.len() {
        assert!(activate(&wasm[..len], &params, 128).is_err(), "{len} bytes");
    }
}

/// The same products before and after a recursive call: an optimizer would keep thousands of them on the native stack,
/// while the words that Stylus counts are few. 2,500 calls deep, Nitro's own runtime leaves the same ink.
#[test]
fn native_frames_larger_than_counted() {
    let mut products = String::new();
    for i in 0..1_500 {
        let factor = 2 * i + 12_347;
        write!(products, "i32.const {} local.get 0 i32.const {factor} i32.mul i32.store ", 4 * i)
            .unwrap();
    }
    let again = "local.get 1 if local.get 0 local.get 1 i32.const 1 i32.sub call $again end";
    let rest = format!("(func $again (param i32 i32) {products} {again} {products})");
    let run = |calls: u32, limit: u32| {
        let wat = module(&rest, &format!("local.get 0 i32.const {calls} call $again i32.const 0"));
        let context = Context { max_stack_depth: limit, ..context() };
        let call = CallContext { args: &[], context };
        compile(&wat).run(&call, &mut Lone::default(), 10_000_000_000)
    };
    let success = Outcome::Success(vec![]);
    assert_eq!(run(2_500, 22_000), RunResult { outcome: success, ink_left: 1_995_141_981 });
    assert_eq!(run(2_500, 10_000), RunResult { outcome: Outcome::OutOfStack, ink_left: 0 });
}

#[test]
fn recursion_meets_the_counted_limit() {
    // a frame of $main has 7 words (its result, 2 of the meter, 4 of overhead), so 3,142 of them are too many
    let call = CallContext { args: &[], context: context() };
    let program = compile(&module("", "local.get 0 call $main"));
    let result = program.run(&call, &mut Lone::default(), INK);
    assert_eq!(result, RunResult { outcome: Outcome::OutOfStack, ink_left: 0 });
    let less = program.run(&call, &mut Lone::default(), 1_000_000);
    assert_eq!(less.outcome, Outcome::OutOfInk);
}

#[test]
fn recursion_meets_the_older_limit() {
    // 262,144 words have room for 37,449 frames of 7
    let params = StylusParams::ARBOS_32;
    let wasm = wat::parse_str(module("", "local.get 0 call $main")).unwrap();
    let program = Program::compile(&wasm, &params).unwrap();
    let context = Context { max_stack_depth: params.max_stack_depth, ..context() };
    let call = CallContext { args: &[], context };
    let result = program.run(&call, &mut Lone::default(), INK);
    assert_eq!(result, RunResult { outcome: Outcome::OutOfStack, ink_left: 0 });
}

/// A host that answers each call by running the program again.
struct Mirror {
    program: Program,
    depth: u32,
    deepest: u32,
}

#[rustfmt::skip]
impl StylusHost for Mirror {
    fn storage_load(&mut self, _: B256) -> (B256, u64) { (B256::ZERO, 0) }
    fn storage_store(&mut self, _: &[(B256, B256)], _: u64) -> (u64, HostStatus) { (0, HostStatus::Success) }
    fn transient_load(&mut self, _: B256) -> B256 { B256::ZERO }
    fn transient_store(&mut self, _: B256, _: B256) -> HostStatus { HostStatus::Success }
    fn call(&mut self, _: CallKind, _: Address, _: &[u8], _: u64, _: u64) -> CallResult {
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
        let success = self.depth < 300 && {
            let call = CallContext { args: &[], context: context() };
            let result = self.program.clone().run(&call, self, INK);
            matches!(result.outcome, Outcome::Success(_))
        };
        self.depth -= 1;
        CallResult { success, output: Bytes::new(), gas_cost: 0 }
    }
    fn create(&mut self, _: &[u8], _: U256, _: Option<B256>, _: u64) -> Result<CreateResult, HostError> {
        Err(HostError("no".into()))
    }
    fn emit_log(&mut self, _: &[B256], _: &[u8]) -> Result<(), HostError> { Ok(()) }
    fn account_balance(&mut self, _: Address) -> (U256, u64) { (U256::ZERO, 0) }
    fn account_code(&mut self, _: Address, _: u64) -> (Bytes, u64) { (Bytes::new(), 0) }
    fn account_code_hash(&mut self, _: Address) -> (B256, u64) { (B256::ZERO, 0) }
    fn add_pages(&mut self, _: u16) -> u64 { 0 }
}

#[test]
fn programs_within_programs() {
    // recurses 1,500 deep, then calls out; 300 of these within each other, on a test's small stack
    let import = r#"(import "vm_hooks" "static_call_contract"
        (func $call (param i32 i32 i32 i64 i32) (result i32)))"#;
    let deep = r#"(memory (export "memory") 1 1)
        (func $deep (param i32)
            local.get 0 i32.eqz
            if i32.const 0 i32.const 32 i32.const 0 i64.const -1 i32.const 64 call $call drop
            else local.get 0 i32.const 1 i32.sub call $deep end)
        (func (export "user_entrypoint") (param i32) (result i32) i32.const 1500 call $deep i32.const 0)"#;
    let program = compile(&format!("(module {import} {deep})"));
    let mut host = Mirror { program: program.clone(), depth: 0, deepest: 0 };
    let call = CallContext { args: &[], context: context() };
    let result = program.run(&call, &mut host, INK);
    assert_eq!((result.outcome, host.deepest), (Outcome::Success(vec![]), 300));
}

#[test]
fn memory_is_bounded() {
    // a host that gives pages away
    let program = compile(
        r#"(module (import "vm_hooks" "pay_for_memory_grow" (func (param i32)))
            (memory (export "memory") 1)
            (func (export "user_entrypoint") (param i32) (result i32)
                i32.const 128 memory.grow i32.const -1 i32.ne
                i32.const 127 memory.grow i32.const 1 i32.ne i32.or))"#,
    );
    let mut host = Mirror { program: program.clone(), depth: 0, deepest: 0 };
    let call = CallContext { args: &[], context: context() };
    let result = program.run(&call, &mut host, INK);
    assert_eq!(result.outcome, Outcome::Success(vec![]));
}
