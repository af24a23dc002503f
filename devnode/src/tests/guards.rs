//! What a program must not do in a static call, and how it learns that it was entered again: `readOnly` in Nitro's
//! `arbos/programs/api.go`, `PushContract` in `arbos/tx_processor.go`.

use super::{sample::*, *};

/// EVM code that calls PROGRAM with `STATICCALL` and returns its status and whether more than 29,000,000 gas are left.
fn static_caller() -> Bytes {
    let call = [
        &hex!("5f5f5f5f73")[..],
        PROGRAM.as_slice(),
        &hex!("5afa5f525a6301ba81401060205260405ff3"),
    ];
    call.concat().into()
}

/// Status of a static call of a program that does `step`, and that it left most of its gas.
fn static_status(step: &str) -> [u64; 2] {
    let mut memory = B.to_vec();
    memory.resize(63, 0);
    memory.push(1);
    let mut chain = chain_of(&memory, &format!("{step} (i32.const 0)"));
    chain.set_balance(PROGRAM, U256::from(10));
    chain.set_code(A, static_caller());
    let outcome = send(&mut chain, A, Bytes::new());
    assert_eq!(chain.storage(PROGRAM, U256::ZERO), U256::ZERO);
    assert_eq!(outcome.logs, []);
    words(&outcome).try_into().unwrap()
}

/// Each of these ends the program as a revert without data, and the rest of the gas is kept.
#[test]
fn writes_in_a_static_call() {
    for step in [
        "(call $set (i32.const 64) (i32.const 32)) (call $flush (i32.const 0))",
        "(call $tset (i32.const 64) (i32.const 32))",
        "(call $log (i32.const 0) (i32.const 32) (i32.const 1))",
        "(call $create (i32.const 0) (i32.const 0) (i32.const 64) (i32.const 128) (i32.const 160))",
        "(call $create2 (i32.const 0) (i32.const 0) (i32.const 64) (i32.const 64) (i32.const 128) (i32.const 160))",
    ] {
        assert_eq!(static_status(step), [0, 1], "{step}");
    }
}

/// These do not write.
#[test]
fn what_a_static_call_allows() {
    // a word that is only in the cache, and a flush of nothing
    assert_eq!(static_status("(call $set (i32.const 64) (i32.const 32))"), [1, 1]);
    assert_eq!(static_status("(call $flush (i32.const 1))"), [1, 1]);
    // a call with value fails with status 2, and the program goes on; without value it is made
    let call = |value: u8, status: u8| {
        format!(
            "(if (i32.ne (i32.const {status}) (call $call (i32.const 0) (i32.const 0) (i32.const 0)
                (i32.const {value}) (i64.const -1) (i32.const 160))) (then unreachable))"
        )
    };
    assert_eq!(static_status(&call(32, 2)), [1, 1]);
    assert_eq!(static_status(&call(64, 0)), [1, 1]);
}

/// Calls PROGRAM with the opcode of `hook` and returns the 4 bytes that it gave.
fn calling(hook: &str, more: &str) -> String {
    format!(
        "(drop (call {hook} (i32.const 0) (i32.const 0) (i32.const 0) {more} (i64.const -1) (i32.const 96)))
         (drop (call $read (i32.const 128) (i32.const 0) (i32.const 4)))
         (call $write (i32.const 128) (i32.const 4)) (i32.const 0)"
    )
}

const TELL: &str = "(i32.store (i32.const 128) (call $reentrant))
    (call $write (i32.const 128) (i32.const 4)) (i32.const 0)";

/// A static call goes on being one in what the program delegates to.
#[test]
fn delegates_in_a_static_call() {
    let delegate =
        "(if (i32.ne (i32.const 2) (call $delegate (i32.const 0) (i32.const 0) (i32.const 0)
        (i64.const -1) (i32.const 160))) (then unreachable)) (i32.const 0)";
    let mut chain = chain_of(B.as_slice(), delegate);
    place(&mut chain, B, &[], "(call $tset (i32.const 64) (i32.const 32)) (i32.const 0)");
    chain.set_code(A, static_caller());
    assert_eq!(words(&send(&mut chain, A, Bytes::new())), [1, 1]);
}

/// A program is entered again where a frame of its account is open already, whatever code it runs and whoever is between;
/// what it delegates to is not another frame of its account.
#[test]
fn reentrancy() {
    let once = format!(
        "(if (result i32) (call $reentrant) (then {TELL}) (else {}))",
        calling("$call", "(i32.const 32)")
    );
    let mut chain = chain_of(PROGRAM.as_slice(), &once);
    assert_eq!(send(&mut chain, PROGRAM, Bytes::new()).output[..], [1, 0, 0, 0]);

    let mut chain = chain_of(B.as_slice(), &calling("$delegate", ""));
    place(&mut chain, B, &[], TELL);
    assert_eq!(send(&mut chain, PROGRAM, Bytes::new()).output[..], [0, 0, 0, 0]);
    // entered again through another program, it delegates: that frame's account is open twice
    let mut memory = B.to_vec();
    memory.extend([0; 12]);
    let nested = format!(
        "(if (result i32) (call $reentrant) (then {}) (else {}))",
        calling("$delegate", "").replacen("(i32.const 0)", "(i32.const 32)", 1),
        calling("$call", "(i32.const 64)")
    );
    let other = Address::repeat_byte(0xdd);
    memory.extend(other);
    let mut chain = chain_of(&memory, &nested);
    place(&mut chain, B, PROGRAM.as_slice(), &calling("$call", "(i32.const 32)"));
    place(&mut chain, other, &[], TELL);
    assert_eq!(send(&mut chain, PROGRAM, Bytes::new()).output[..], [1, 0, 0, 0]);
}
