//! The cache of storage words between a program and the chain: `crates/arbutil/src/evm/{req,storage}.rs` in Nitro.

use super::{sample::*, *};

/// EVM code that returns slot 0, and that sets it to 7.
const TELL: Bytes = bytes!("5f545f5260205ff3");
const SEVEN: Bytes = bytes!("60075f5500");

/// Slot 0 is the word at 64, 42 the one at 32; the account at 96.
fn memory(account: Address) -> Vec<u8> {
    let mut memory = vec![0; 96];
    memory[63] = 42;
    memory.extend(account);
    memory
}

const SET: &str = "(call $set (i32.const 64) (i32.const 32))";
const DELEGATE: &str = "(drop (call $delegate (i32.const 96) (i32.const 0) (i32.const 0) (i64.const -1) (i32.const 120)))";
const RETURN_ITS_DATA: &str = "(drop (call $read (i32.const 128) (i32.const 0) (i32.const 32)))
    (call $write (i32.const 128) (i32.const 32)) (i32.const 0)";
const RETURN_SLOT: &str = "(call $get (i32.const 64) (i32.const 128))
    (call $write (i32.const 128) (i32.const 32)) (i32.const 0)";

fn flush(clear: bool) -> String {
    format!("(call $flush (i32.const {}))", u8::from(clear))
}

/// A program that does `steps`, beside `code` at B.
fn chain_doing(code: Bytes, steps: &[&str]) -> Chain {
    let mut chain = chain_of(&memory(B), &steps.concat());
    chain.set_code(B, code);
    chain
}

fn output(chain: &mut Chain) -> u64 {
    word(&send(chain, PROGRAM, Bytes::new()).output)
}

/// Nothing flushes by itself: not a call, and not the end.
#[test]
fn only_a_flush_writes() {
    let mut chain = chain_doing(TELL, &[SET, DELEGATE, RETURN_ITS_DATA]);
    assert_eq!(output(&mut chain), 0);
    assert_eq!(chain.storage(PROGRAM, U256::ZERO), U256::ZERO);
    let mut chain = chain_doing(TELL, &[SET, &flush(false), DELEGATE, RETURN_ITS_DATA]);
    assert_eq!(output(&mut chain), 42);
    assert_eq!(chain.storage(PROGRAM, U256::ZERO), U256::from(42));
}

/// What changes in a call is seen only after the cache was cleared.
#[test]
fn a_cached_word_goes_stale() {
    let mut chain = chain_doing(SEVEN, &[SET, &flush(false), DELEGATE, RETURN_SLOT]);
    assert_eq!(output(&mut chain), 42);
    assert_eq!(chain.storage(PROGRAM, U256::ZERO), U256::from(7));
    let mut chain = chain_doing(SEVEN, &[SET, &flush(true), DELEGATE, RETURN_SLOT]);
    assert_eq!(output(&mut chain), 7);
}

#[test]
fn a_revert_undoes_a_flush() {
    let mut chain = chain_doing(TELL, &[SET, &flush(false), "(i32.const 1)"]);
    let outcome = send(&mut chain, PROGRAM, Bytes::new());
    assert_eq!((outcome.status, outcome.refund), (TxStatus::Revert, 0));
    assert_eq!(chain.storage(PROGRAM, U256::ZERO), U256::ZERO);
}

/// Blocks: [2 constants, call] 6,252, [constant, call] 6,251, [constant, end] 2,452. `storage_cache_bytes32` 8,400 + 2 · 5,040,
/// `storage_flush_cache` 8,400 + 59,673. A new word 2,100 + 20,000 gas; the same again, warm and known to be there, nothing;
/// after a clear it is not known any more, so it is sent once more, for 100.
#[test]
fn what_a_flush_costs() {
    let set = 6_252 + 18_480;
    let flushing = 6_251 + 68_073;
    let ink = |steps: &[&str]| {
        let mut chain = chain_doing(TELL, &[steps, &["(i32.const 0)"]].concat());
        send(&mut chain, PROGRAM, Bytes::new()).trace.ink.unwrap()
    };
    let (keep, clear) = (&flush(false)[..], &flush(true)[..]);
    let once = set + flushing + 2_452 + 10_000 * 22_100;
    assert_eq!(ink(&[SET, keep]), once);
    assert_eq!(ink(&[SET, keep, SET, keep]), once + set + flushing);
    assert_eq!(ink(&[SET, clear, SET, keep]), once + set + flushing + 10_000 * 100);
}

/// A load is 8,400 + 2 · 5,040; asking the chain costs the access and ⌊59,673 / 10,000⌋ = 5 gas.
#[test]
fn what_a_load_costs() {
    let load = "(call $get (i32.const 64) (i32.const 128))";
    let ink = |steps: &[&str]| {
        let mut chain = chain_doing(TELL, &[steps, &["(i32.const 0)"]].concat());
        send(&mut chain, PROGRAM, Bytes::new()).trace.ink.unwrap()
    };
    let once = 6_252 + 18_480 + 2_452 + 10_000 * 2_105;
    assert_eq!(ink(&[load]), once);
    assert_eq!(ink(&[load, load]), once + 6_252 + 18_480);
    let cleared = 6_251 + 68_073 + 6_252 + 18_480 + 10_000 * 105;
    assert_eq!(ink(&[load, &flush(true), load]), once + cleared);
}
