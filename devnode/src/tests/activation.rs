//! What activating a program and keeping it alive costs: `arbos/programs/{programs,data_pricer}.go`,
//! `precompiles/ArbWasm.go` and `arbos/storage/storage.go` in Nitro.
//!
//! The program is the least there is: 64 bytes of WASM, 31 opcodes with the meter's. Activation itself is 63,084 gas for it, and
//! its machine code is estimated at 512,000 + ⌊996.829⌋ + ⌊2 · 11.416⌋ + ⌊64 · 6.2628⌋ = 513,418 bytes.

use super::*;

const LEAST: &str = r#"(module (memory (export "memory") 1 1)
    (func (export "user_entrypoint") (param i32) (result i32) i32.const 0))"#;

fn deploy(chain: &mut Chain, address: Address, wat: &str) {
    chain.set_code(address, compress(&wat::parse_str(wat).unwrap()).into());
}

fn pay(chain: &mut Chain, input: Vec<u8>) -> TxOutcome {
    let value = U256::from(10u64.pow(18));
    let call = TxRequest::call(DEV_ACCOUNT, ARB_WASM, input);
    chain.transact(&TxRequest { value, ..call }).unwrap()
}

fn activate(chain: &mut Chain, program: Address) -> TxOutcome {
    let outcome = pay(chain, IArbWasm::activateProgramCall { program }.abi_encode());
    assert!(outcome.is_success(), "{outcome:?}");
    outcome
}

fn fee(outcome: &TxOutcome) -> u64 {
    IArbWasm::activateProgramCall::abi_decode_returns(&outcome.output).unwrap().dataFee.to()
}

/// 800 for opening ArbOS state, 3 for the argument; 1,659,168; 100 for the parameters, 800 for the record, 63,084; the module's
/// hash 20,000; five numbers of the data pricer read, two written, 44,000; the record written, 20,000; the fee account read,
/// 800; an event of 2 topics and 4 words, 375 · 3 + 8 · 128; 6 for two words of result.
#[test]
fn gas_of_an_activation() {
    let mut chain = chain();
    deploy(&mut chain, PROGRAM, LEAST);
    let outcome = activate(&mut chain, PROGRAM);
    let fixed = 803 + 1_659_168 + 900 + 63_084;
    let words = 20_000 + 5 * 800 + 2 * 20_000 + 20_000 + 800;
    assert_eq!(outcome.trace.gas, fixed + words + 1_125 + 1_024 + 6);
}

/// 82,928,201 wei a byte times e^(demand / 21,360,419) in basis points. The first demand is the program's own 513,418 bytes:
/// e^0.0240, 10,242 basis points, 84,935,063 wei. A second later 34,865 of them are forgotten and 513,418 come on top:
/// 991,971, e^0.0464, 10,474 basis points, 86,858,997 wei.
#[test]
fn the_data_fee_rises_with_demand() {
    let mut chain = chain();
    deploy(&mut chain, PROGRAM, LEAST);
    // other code of the same length
    deploy(&mut chain, B, &LEAST.replace("i32.const 0", "i32.const 1"));
    assert_eq!(fee(&activate(&mut chain, PROGRAM)), 513_418 * 84_935_063);
    assert_eq!(fee(&activate(&mut chain, B)), 513_418 * 86_858_997);
}

/// A program may be kept alive 31 days after the hour of its activation (the 96,836th of ArbOS, so from 1,772,676,000 on), for
/// the fee of its 502 KiB; after that its year begins again.
#[test]
fn keeping_a_program_alive() {
    let mut chain = chain();
    deploy(&mut chain, PROGRAM, LEAST);
    activate(&mut chain, PROGRAM);
    let codehash = chain.code_hash(PROGRAM);
    let keepalive = IArbWasm::codehashKeepaliveCall { codehash }.abi_encode();
    chain.set_next_time(1_772_675_999);
    let early = pay(&mut chain, keepalive.clone());
    let age = U256::from(31 * 86_400 - 1).to();
    assert_eq!(early.output, IArbWasm::ProgramKeepaliveTooSoon { ageInSeconds: age }.abi_encode());
    chain.set_next_time(1_772_676_000);
    let kept = pay(&mut chain, keepalive);
    assert!(kept.is_success());
    let event = IArbWasm::ProgramLifetimeExtended::decode_log(&kept.logs[0]).unwrap();
    // the demand of a month ago is forgotten
    assert_eq!(event.dataFee, U256::from(514_048u64 * 84_935_063));
    chain.set_next_time(1_772_676_000 + 365 * 86_400);
    assert!(send(&mut chain, PROGRAM, Bytes::new()).is_success());
    chain.set_next_time(1_772_676_001 + 365 * 86_400);
    assert!(!send(&mut chain, PROGRAM, Bytes::new()).is_success());
}
