//! Programs for tests: a body between all the imports that the tests use and one page of memory.

use super::*;

/// Imports of every program that [`program_of`] makes.
const IMPORTS: &str = r#"
    (import "vm_hooks" "account_balance" (func $balance (param i32 i32)))
    (import "vm_hooks" "account_code_size" (func $code_size (param i32) (result i32)))
    (import "vm_hooks" "block_basefee" (func $basefee (param i32)))
    (import "vm_hooks" "call_contract" (func $call (param i32 i32 i32 i32 i64 i32) (result i32)))
    (import "vm_hooks" "create1" (func $create (param i32 i32 i32 i32 i32)))
    (import "vm_hooks" "create2" (func $create2 (param i32 i32 i32 i32 i32 i32)))
    (import "vm_hooks" "delegate_call_contract" (func $delegate (param i32 i32 i32 i64 i32) (result i32)))
    (import "vm_hooks" "emit_log" (func $log (param i32 i32 i32)))
    (import "vm_hooks" "evm_gas_left" (func $gas_left (result i64)))
    (import "vm_hooks" "msg_reentrant" (func $reentrant (result i32)))
    (import "vm_hooks" "read_return_data" (func $read (param i32 i32 i32) (result i32)))
    (import "vm_hooks" "static_call_contract" (func $static (param i32 i32 i32 i64 i32) (result i32)))
    (import "vm_hooks" "storage_cache_bytes32" (func $set (param i32 i32)))
    (import "vm_hooks" "storage_flush_cache" (func $flush (param i32)))
    (import "vm_hooks" "storage_load_bytes32" (func $get (param i32 i32)))
    (import "vm_hooks" "transient_store_bytes32" (func $tset (param i32 i32)))
    (import "vm_hooks" "tx_gas_price" (func $gas_price (param i32)))
    (import "vm_hooks" "write_result" (func $write (param i32 i32)))
    (import "vm_hooks" "pay_for_memory_grow" (func $pay (param i32)))
"#;

/// Code of a program whose entry point has `body`, with these bytes at the start of its memory.
pub(super) fn program_of(memory: &[u8], body: &str) -> Bytes {
    let data: String = memory.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let wat = format!(
        r#"(module {IMPORTS} (memory (export "memory") 1) (data (i32.const 0) "{data}")
            (func (export "user_entrypoint") (param $args i32) (result i32) {body}))"#
    );
    compress(&wat::parse_str(wat).unwrap()).into()
}

/// Puts an activated program at `address`.
pub(super) fn place(chain: &mut Chain, address: Address, memory: &[u8], body: &str) {
    chain.set_code(address, program_of(memory, body));
    chain.activate(address).unwrap();
}

/// A chain with such a program at [`PROGRAM`].
pub(super) fn chain_of(memory: &[u8], body: &str) -> Chain {
    let mut chain = chain();
    place(&mut chain, PROGRAM, memory, body);
    chain
}

/// EVM code that calls each account in turn, with the gas given or all there is, and returns a word for each: the gas that
/// went by between `GAS` before and after. Of that 19 is not the call's (20 with a gas given): five or six pushes, `POP` and
/// the second `GAS`.
pub(super) fn driver(calls: &[(Address, Option<u16>)]) -> Bytes {
    let mut code = Vec::new();
    for (index, (to, gas)) in calls.iter().enumerate() {
        code.extend(hex!("5a5f5f5f5f5f73"));
        code.extend(to);
        match gas {
            Some(gas) => code.extend([&[0x61][..], &gas.to_be_bytes()].concat()),
            None => code.push(0x5a),
        }
        code.extend(hex!("f1505a900360"));
        code.extend([32 * index as u8, 0x52]);
    }
    code.extend([0x60, 32 * calls.len() as u8, 0x5f, 0xf3]);
    code.into()
}

/// What [`driver`] returns for calls with all gas.
pub(super) fn costs(chain: &mut Chain, calls: &[Address]) -> Vec<u64> {
    let calls: Vec<_> = calls.iter().map(|&to| (to, None)).collect();
    chain.set_code(A, driver(&calls));
    words(&send(chain, A, Bytes::new()))
}

/// An output's words as numbers.
pub(super) fn words(outcome: &TxOutcome) -> Vec<u64> {
    assert!(outcome.is_success(), "{outcome:?}");
    outcome.output.chunks(32).map(word).collect()
}

/// An output of one word as a number.
pub(super) fn word(output: &[u8]) -> u64 {
    U256::from_be_slice(output).to()
}
