//! What programs pay for calls and what those get, derived from `doCall` in Nitro's `arbos/programs/api.go` and
//! `WasmCallCost` in `core/vm/operations_acl_arbitrum.go` of its geth.

use super::{sample::*, *};

/// Returns the gas that it starts with, less the 2 of `GAS` itself. In all it uses GAS 2 + PUSH0 2 + MSTORE 3 + 3 for a
/// word of memory + PUSH1 3 + PUSH0 2 = 15 gas.
const TELL_GAS: Bytes = bytes!("5a5f5260205ff3");
const TELL_GAS_COST: u64 = 15;

/// Memory with an address and, from 32 on, a value of `wei`.
pub(super) fn target(address: Address, wei: u8) -> Vec<u8> {
    let mut memory = address.to_vec();
    memory.resize(63, 0);
    memory.push(wei);
    memory
}

/// Calls the target with this much gas (-1 for all), and returns the 32 bytes that it gave.
pub(super) fn calling(gas: i64) -> String {
    format!(
        "(drop (call $call (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 32) (i64.const {gas}) (i32.const 96)))
         (drop (call $read (i32.const 128) (i32.const 0) (i32.const 32)))
         (call $write (i32.const 128) (i32.const 32)) (i32.const 0)"
    )
}

/// Ink of [`calling`] up to the call itself: a block of 6 constants and `call` (2,450 + 6 + 3,800), `call_contract`
/// (8,400 + 3 · 5,040 + 59,673) and twice the price of reading no bytes (16,381).
pub(super) const BEFORE: u64 = 6_256 + 83_193 + 2 * 16_381;

/// Ink of the rest: `drop`, 3 constants, `call` (6,262); `read_return_data` of 32 bytes (8,400 + 59,673 + 5,040); `drop`,
/// 2 constants, `call` (6,261); `write_result` of 32 bytes (8,400 + 2 · 16,381); a constant and `end` (2,452).
pub(super) const AFTER: u64 = 6_262 + 73_113 + 6_261 + 41_162 + 2_452;

/// Output and ink of a program that calls `to` with `wei` and `gas`.
fn call_of(chain: &mut Chain, to: Address, wei: u8, gas: i64) -> (u64, u64) {
    place(chain, PROGRAM, &target(to, wei), &calling(gas));
    chain.set_balance(PROGRAM, U256::from(1_000));
    let outcome = send(chain, PROGRAM, Bytes::new());
    assert!(outcome.is_success());
    (word(&outcome.output), outcome.trace.ink.unwrap())
}

#[test]
fn a_callee_gets_what_was_asked_for() {
    let mut chain = chain();
    chain.set_code(A, TELL_GAS);
    let (told, ink) = call_of(&mut chain, A, 0, 10_000);
    assert_eq!(told, 10_000 - 2);
    assert_eq!(ink, BEFORE + AFTER + 10_000 * (2_600 + TELL_GAS_COST));
}

/// With value the callee gets 2,300 more; what it leaves of them is not credited, unlike in the EVM.
#[test]
fn a_stipend_is_given_but_not_credited() {
    let mut chain = chain();
    chain.set_code(A, TELL_GAS);
    let (told, ink) = call_of(&mut chain, A, 1, 10_000);
    assert_eq!(told, 10_000 + 2_300 - 2);
    assert_eq!(ink, BEFORE + AFTER + 10_000 * (2_600 + 9_000 + TELL_GAS_COST));
    assert_eq!(chain.balance(A), U256::from(1));
}

/// 25,000 for an account that comes to be, but not for a call without value; nothing is returned, so nothing is written
/// for it and `read_return_data` costs the same 5,040 that it costs up to 32 bytes.
#[test]
fn a_new_account_costs_25000() {
    let none = |output: u64| assert_eq!(output, 0);
    let mut chain = chain();
    let (output, ink) = call_of(&mut chain, B, 1, 0);
    none(output);
    assert_eq!(ink, BEFORE + AFTER + 10_000 * (2_600 + 25_000 + 9_000));
    // it exists now
    let (_, ink) = call_of(&mut chain, B, 1, 0);
    assert_eq!(ink, BEFORE + AFTER + 10_000 * (2_600 + 9_000));
    let (_, ink) = call_of(&mut chain, Address::repeat_byte(0xcc), 0, 0);
    assert_eq!(ink, BEFORE + AFTER + 10_000 * 2_600);
}

/// More value than there is: the call fails and all but its base price comes back.
#[test]
fn a_call_beyond_the_balance_costs_its_base() {
    let mut chain = chain();
    chain.set_code(A, TELL_GAS);
    place(&mut chain, PROGRAM, &target(A, 1), &calling(10_000));
    let outcome = send(&mut chain, PROGRAM, Bytes::new());
    assert_eq!(word(&outcome.output), 0);
    assert_eq!(outcome.trace.ink, Some(BEFORE + AFTER + 10_000 * (2_600 + 9_000)));
}

/// A program that starts with 1,000,000 gas has 999,987 at its call (`BEFORE` is a little more than 12 gas). Of these less
/// the 2,600 of a cold account, ⌊997,387 · 63 / 64⌋ = 981,802 can go along, whatever is asked for.
#[test]
fn a_sixty_fourth_stays() {
    let mut chain = chain_of(&target(A, 0), &calling(-1));
    chain.set_code(A, TELL_GAS);
    let start = send(&mut chain, PROGRAM, Bytes::new()).trace.call_cost.unwrap().total();
    let gas_limit = 21_000 + start + 1_000_000;
    let request = TxRequest { gas_limit, ..TxRequest::call(DEV_ACCOUNT, PROGRAM, Bytes::new()) };
    assert_eq!(word(&chain.transact(&request).unwrap().output), 981_802 - 2);
    // a callee that uses it all up: its 981,802 gas and 2,600
    chain.set_code(A, LOOP);
    let outcome = chain.transact(&request).unwrap();
    assert!(outcome.is_success());
    assert_eq!(outcome.trace.ink, Some(BEFORE + AFTER + 10_000 * (2_600 + 981_802)));
}

/// A call that cannot be paid for takes all whole gas and the program goes on: with 100 gas left and more ink than that.
#[test]
fn a_call_that_is_not_paid_for_takes_the_gas_left() {
    // 3 gas for what comes after the call, but the call takes all: the program ends out of ink
    let mut chain = chain_of(&target(A, 0), &calling(-1));
    let start = send(&mut chain, PROGRAM, Bytes::new()).trace.call_cost.unwrap().total();
    let run = |chain: &mut Chain, gas: u64| {
        let gas_limit = 21_000 + start + gas;
        let call = TxRequest::call(DEV_ACCOUNT, PROGRAM, Bytes::new());
        chain.transact(&TxRequest { gas_limit, ..call }).unwrap()
    };
    // 2,599 gas when it calls, and nothing after it
    let poor = run(&mut chain, 13 + 2_599);
    assert!(matches!(poor.status, TxStatus::Halt(HaltReason::OutOfGas(_))));
    // 2,600 pay for the call, and AFTER is 129,250 ink more: 13 gas, of which BEFORE left 7,789 ink
    let enough = run(&mut chain, 13 + 2_600 + 13);
    assert!(enough.is_success());
    assert_eq!(enough.trace.ink, Some(BEFORE + AFTER + 10_000 * 2_600));
}

/// Clears slot 0: 4,800 gas of refund (EIP-3529), which a callee's revert takes back.
#[test]
fn refunds_of_callees() {
    let clear = |end: &str| Bytes::from(hex::decode(format!("5f5f55{end}")).unwrap());
    for (end, refund) in [("00", 4_800), ("5f5ffd", 0)] {
        let mut chain = chain_of(&target(A, 0), &calling(-1));
        chain.set_code(A, clear(end));
        chain.set_storage(A, U256::ZERO, U256::from(1));
        assert_eq!(send(&mut chain, PROGRAM, Bytes::new()).refund, refund, "{end}");
    }
}

/// 20 slots cleared would refund 96,000. A cleared cold slot costs 5,000, so together with the 21,000 and some thousands
/// for the program less than 5 · 96,000 is used: the cap is a fifth of that, at the end of the transaction only.
#[test]
fn refunds_are_capped_at_a_fifth_of_the_transaction() {
    let mut chain = chain_of(&target(A, 0), &calling(-1));
    let clears: Vec<u8> = (0..20).flat_map(|slot| [0x5f, 0x60, slot, 0x55]).collect();
    chain.set_code(A, clears.into());
    for slot in 0..20 {
        chain.set_storage(A, U256::from(slot), U256::from(1));
    }
    let call = TxRequest::call(DEV_ACCOUNT, PROGRAM, Bytes::new());
    // 18,000,000 of this limit are held back and count for nothing
    let outcome = chain.transact(&TxRequest { gas_limit: 50_000_000, ..call }).unwrap();
    let start = outcome.trace.call_cost.unwrap().total();
    // 20 times PUSH0 2, PUSH1 3, SSTORE 5,000
    let ink = BEFORE + AFTER + 10_000 * (2_600 + 20 * 5_005);
    let gas = 21_000 + start + ink.div_ceil(10_000);
    assert_eq!((outcome.refund, outcome.gas_used), (gas / 5, gas - gas / 5));
}

/// ArbSys answers a program: 3 gas a word of result, 800 to open ArbOS state, and 100 to reach what starts warm.
#[test]
fn precompiles_answer_programs() {
    let mut memory = target(ARB_SYS, 0);
    memory.extend(&alloy_primitives::keccak256("arbChainID()")[..4]);
    let body = calling(-1).replace(
        "(i32.const 0) (i32.const 0) (i32.const 0) (i32.const 32)",
        "(i32.const 0) (i32.const 64) (i32.const 4) (i32.const 32)",
    );
    let mut chain = chain_of(&memory, &body);
    let outcome = send(&mut chain, PROGRAM, Bytes::new());
    assert_eq!(word(&outcome.output), 412_346);
    assert_eq!(outcome.trace.ink, Some(BEFORE + AFTER + 10_000 * (100 + 803)));
}
