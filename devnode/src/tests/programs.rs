//! What starting a program costs, and what its return data costs at least: `CallProgram` in Nitro's
//! `arbos/programs/programs.go`.
//!
//! `args_result.wat` without calldata: 9,240 gas to start it, 368 where it is cached, and 8 to run it, as recorded.

use super::{
    frame_host::{AFTER, BEFORE, calling, target},
    sample::*,
    *,
};
use crate::stylus::StylusParams;

const COLD: u64 = 19 + 2_600;
const WARM: u64 = 19 + 100;
const UNCACHED: u64 = 9_240 + 8;
const CACHED: u64 = 368 + 8;

fn chain_at(stylus: StylusParams) -> Chain {
    let mut chain = Chain::new(ChainConfig { stylus, ..ChainConfig::default() });
    for address in [PROGRAM, B] {
        chain.set_code(address, program("args_result.wat"));
    }
    chain.activate(PROGRAM).unwrap();
    chain
}

#[test]
fn every_call_pays_for_init() {
    let mut chain = chain_at(StylusParams::ARBOS_51);
    assert_eq!(costs(&mut chain, &[PROGRAM; 2]), [COLD + UNCACHED, WARM + UNCACHED]);
    chain.set_cached(PROGRAM, true).unwrap();
    // and so does the same code at another address
    assert_eq!(costs(&mut chain, &[PROGRAM, B]), [COLD + CACHED, COLD + CACHED]);
}

/// Under Stylus version 1 the init cost as recorded includes the cached one, 16 here, of which 40 + 16 are beyond the least;
/// that was 72 · 128 gas then.
#[test]
fn version_1_does_not_add_the_cached_part() {
    let params = StylusParams { version: 1, min_init_gas: 72, ..StylusParams::ARBOS_32 };
    let mut chain = chain_at(params);
    assert_eq!(costs(&mut chain, &[PROGRAM]), [COLD + 72 * 128 + 56 + 8]);
    chain.set_cached(PROGRAM, true).unwrap();
    assert_eq!(costs(&mut chain, &[PROGRAM]), [COLD + CACHED]);
}

#[test]
fn from_arbos_60_a_block_remembers_its_programs() {
    let mut chain = chain_at(StylusParams::ARBOS_60);
    // by code, not by address; each block anew
    for _ in 0..2 {
        let expected = [COLD + UNCACHED, WARM + CACHED, COLD + CACHED];
        assert_eq!(costs(&mut chain, &[PROGRAM, PROGRAM, B]), expected);
    }
    // a call that cannot pay for the start counts: 20 and all of its 500 gas
    chain.set_code(A, driver(&[(PROGRAM, Some(500)), (PROGRAM, None)]));
    let outcome = send(&mut chain, A, Bytes::new());
    assert_eq!(words(&outcome), [COLD + 1 + 500, WARM + CACHED]);
}

#[test]
fn a_block_remembers_as_many_programs_as_the_chain_says() {
    let params = StylusParams { block_cache_size: 1, ..StylusParams::ARBOS_60 };
    let mut chain = chain_at(params);
    // const, end: 2,452 ink, 1 gas
    place(&mut chain, B, &[], "i32.const 0");
    let [first, other, again] = costs(&mut chain, &[PROGRAM, B, PROGRAM])[..] else {
        panic!("three calls");
    };
    assert_eq!((first, again), (COLD + UNCACHED, WARM + UNCACHED));
    let record = chain.program(B);
    let params = &chain.config().stylus;
    let start = params.init_gas(record.init_cost) + params.cached_init_gas(record.cached_cost);
    assert_eq!(other, COLD + start + 1);
}

/// 17 pages from none: 15 · 1,000 + (9 - 1). Again in the same transaction: the exponential part is paid for. Under a program
/// with one page: (18 - 2) · 1,000 + (11 - 1). 9,317 and 9 are its init and its run, as recorded.
#[test]
fn pages_of_nested_programs() {
    let mut chain = chain_with("pages_17.wat");
    let rest = 9_317 + 9;
    assert_eq!(costs(&mut chain, &[PROGRAM; 2]), [COLD + 15_008 + rest, WARM + 15_000 + rest]);
    place(&mut chain, B, &target(PROGRAM, 0), &calling(-1));
    let outcome = send(&mut chain, B, Bytes::new());
    assert_eq!(outcome.trace.ink, Some(BEFORE + AFTER + 10_000 * (2_600 + 16_010 + rest)));
    // whatever became of a call, its pages are closed: out of gas after they were opened, then again
    let poor = 15_008 + 9_317 + 1;
    chain.set_code(A, driver(&[(PROGRAM, Some(poor as u16)), (PROGRAM, None)]));
    let outcome = send(&mut chain, A, Bytes::new());
    assert_eq!(words(&outcome), [COLD + 1 + poor, WARM + 15_000 + rest]);
}

/// Two pages more than one: (3 - 2) · 1,000 gas. The block is 2,450 + 1 + 8,050 + 9 + 1 + 1 ink; the inserted call that pays
/// is free of ink. Without pages it takes its base price, 8,400.
#[test]
fn growing_memory() {
    let grow = |pages: u32| {
        let body = format!("(drop (memory.grow (i32.const {pages}))) (i32.const 0)");
        let chain = chain_of(&[], &body);
        let call = TxRequest::call(DEV_ACCOUNT, PROGRAM, Bytes::new());
        let outcome = chain.call(&TxRequest { gas_limit: 1 << 40, ..call }).unwrap();
        outcome.trace.ink
    };
    assert_eq!(grow(0), Some(10_512 + 8_400));
    assert_eq!(grow(1), Some(10_512));
    assert_eq!(grow(2), Some(10_512 + 10_000_000));
    // up to 128 pages: 126,000 and the whole table; not to be had beyond
    assert_eq!(grow(127), Some(10_512 + 10_000 * (126_000 + 31_873_998)));
    assert_eq!(grow(128), None);
}

/// 60,000 bytes are 1,875 words: 3 · 1,875 + ⌊1,875² / 512⌋ = 12,491 gas. Start and run cost less: 665 gas of ink.
#[test]
fn return_data_costs_what_evm_memory_does() {
    let mut chain = chain_of(&[], "(call $write (i32.const 0) (i32.const 60000)) (i32.const 0)");
    for cached in [false, true] {
        chain.set_cached(PROGRAM, cached).unwrap();
        assert_eq!(costs(&mut chain, &[PROGRAM]), [COLD + 12_491]);
    }
    let run = |chain: &mut Chain, gas: u64| {
        let call = TxRequest::call(DEV_ACCOUNT, PROGRAM, Bytes::new());
        chain.transact(&TxRequest { gas_limit: 21_000 + gas, ..call }).unwrap()
    };
    let poor = run(&mut chain, 12_490);
    assert!(matches!(poor.status, TxStatus::Halt(HaltReason::OutOfGas(_))));
    assert_eq!(poor.gas_used, 21_000 + 12_490);
    assert_eq!(run(&mut chain, 12_491).gas_used, 21_000 + 12_491);
}

/// A program is activated in the hour 96,836 after 1,421,388,000, and its age counts from the hour's beginning: 365 days
/// later is 1,801,533,600.
#[test]
fn a_program_expires_a_year_after_the_hour_of_its_activation() {
    let mut chain = chain_with("args_result.wat");
    chain.set_next_time(1_801_533_600);
    assert!(send(&mut chain, PROGRAM, Bytes::new()).is_success());
    chain.set_next_time(1_801_533_601);
    let expired = send(&mut chain, PROGRAM, Bytes::new());
    let message = "program expired, 31536001 seconds after its activation";
    assert_eq!(expired.error().as_deref(), Some(message));
    assert_eq!(expired.gas_used, 30_000_000);
}
