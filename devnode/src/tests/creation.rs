//! Contracts that programs create, above all in vain: `create` in Nitro's `arbos/programs/api.go`.

use super::{sample::*, *};

/// `create1` with the init code at the start of memory and the endowment of wei at 64; returns the new address at 96, the
/// length of the return data at 128 and up to 32 bytes of it.
fn creating(len: usize) -> String {
    format!(
        "(call $create (i32.const 0) (i32.const {len}) (i32.const 64) (i32.const 108) (i32.const 128))
         (drop (call $read (i32.const 132) (i32.const 0) (i32.const 32)))
         (call $write (i32.const 96) (i32.const 68)) (i32.const 0)"
    )
}

/// Ink of [`creating`] with at most 32 bytes of init code and of return data. A block of 5 constants and `call` (6,255),
/// `create1` (8,400 + 3 · 5,040 + 59,673 + 2 · 16,381); 3 constants, `call` (6,253), `read_return_data` (73,113); `drop`,
/// 2 constants, `call` (6,261), `write_result` of 68 bytes (8,400 + 2 · (16,381 + 36 · 55)); constant, `end` (2,452).
const INK: u64 = 6_255 + 83_193 + 32_762 + 6_253 + 73_113 + 6_261 + 45_122 + 2_452;

/// Runs the creation; gives the new address, the return data's length and first word, and the gas that it cost.
fn create(chain: &mut Chain, init: &[u8], wei: u8) -> (Address, u32, u64, u64) {
    let mut memory = init.to_vec();
    memory.resize(95, 0);
    memory.push(wei);
    place(chain, PROGRAM, &memory, &creating(init.len()));
    let outcome = send(chain, PROGRAM, Bytes::new());
    let output = outcome.output.as_ref();
    let length = u32::from_le_bytes(output[32..36].try_into().unwrap());
    let ink = outcome.trace.ink.unwrap() - INK;
    assert_eq!(ink % 10_000, 0);
    (Address::from_slice(&output[12..32]), length, word(&output[36..]), ink / 10_000)
}

/// A contract has nonce 1 and its first creation the address of that (RLP and keccak of EIP-161), whether the one before
/// failed or not.
#[test]
fn an_empty_contract() {
    let mut chain = chain();
    // PUSH0 PUSH0 RETURN: 4 gas, nothing to store
    let (address, length, _, gas) = create(&mut chain, &hex!("5f5ff3"), 0);
    assert_eq!((address, length, gas), (PROGRAM.create(1), 0, 32_004));
    assert_eq!((chain.nonce(address), chain.nonce(PROGRAM)), (1, 2));
}

/// PUSH1 3, PUSH0 2, MSTORE 6, PUSH1 3, PUSH0 2, REVERT: 16 gas and the revert data, but no contract. The nonce is used.
#[test]
fn init_code_that_reverts() {
    let mut chain = chain();
    let (address, length, data, gas) = create(&mut chain, &hex!("60aa5f5260205ffd"), 0);
    assert_eq!((address, length, data, gas), (Address::ZERO, 32, 0xaa, 32_016));
    assert_eq!(chain.nonce(PROGRAM), 2);
    assert_eq!(chain.code(PROGRAM.create(1)), Bytes::new());
}

/// More endowment than there is: only the 32,000 are gone, and the nonce is not used.
#[test]
fn an_endowment_beyond_the_balance() {
    let mut chain = chain();
    let (address, length, _, gas) = create(&mut chain, &hex!("5f5ff3"), 1);
    assert_eq!((address, length, gas), (Address::ZERO, 0, 32_000));
    assert_eq!(chain.nonce(PROGRAM), 1);
}

/// INVALID takes all it is given: of what is left after the 32,000 all but a sixty-fourth, rounded down. The program
/// starts with 30,000,000 less 21,000 and its start; 12.2 gas later it creates.
#[test]
fn init_code_that_fails_takes_all_but_a_sixty_fourth() {
    let mut chain = chain();
    let (address, length, _, gas) = create(&mut chain, &hex!("fe"), 0);
    let start = send(&mut chain, PROGRAM, Bytes::new()).trace.call_cost.unwrap().total();
    let left = 30_000_000 - 21_000 - start - 13 - 32_000;
    assert_eq!((address, length, gas), (Address::ZERO, 0, 32_000 + left - left / 64));
    assert_eq!(chain.nonce(PROGRAM), 3);
}

/// Code of one byte `ef` is refused (EIP-3541), with all gas; a program's code is not: 200 gas a byte, PUSH4 3, PUSH1 3,
/// SHL 3 …
#[test]
fn code_that_begins_with_ef() {
    let mut chain = chain();
    // PUSH1 ef, PUSH0, MSTORE8, PUSH1 1, PUSH0, RETURN
    let (address, .., gas) = create(&mut chain, &hex!("60ef5f5360015ff3"), 0);
    assert_eq!(address, Address::ZERO);
    assert!(gas > 29_000_000);
    // PUSH4 eff00000 3, PUSH0 2, MSTORE 6, PUSH1 4 3, PUSH1 28 3, RETURN; 4 bytes of code 800
    let (address, .., gas) = create(&mut chain, &hex!("63eff000005f526004601cf3"), 0);
    assert_eq!(gas, 32_000 + 17 + 800);
    assert_eq!(chain.code(address)[..], hex!("eff00000"));
}

/// `create2` costs 6 gas more for each word of init code, and its address does not depend on the nonce.
#[test]
fn create2_hashes_its_init_code() {
    let init = hex!("5f5ff3");
    let mut memory = init.to_vec();
    memory.resize(96, 0);
    let body = creating(3)
        .replace("$create ", "$create2 ")
        .replace("(i32.const 64) (i32.const 108)", "(i32.const 64) (i32.const 64) (i32.const 108)");
    let mut chain = chain_of(&memory, &body);
    let outcome = send(&mut chain, PROGRAM, Bytes::new());
    let address = PROGRAM.create2_from_code(B256::ZERO, init);
    assert_eq!(Address::from_slice(&outcome.output[12..32]), address);
    // one more constant, one more pointer
    assert_eq!(outcome.trace.ink, Some(INK + 1 + 5_040 + 10_000 * (32_000 + 6 + 4)));
    // again: the address is taken, which takes all gas but a sixty-fourth
    let outcome = send(&mut chain, PROGRAM, Bytes::new());
    assert_eq!(Address::from_slice(&outcome.output[12..32]), Address::ZERO);
    assert!(outcome.trace.gas > 29_000_000);
    assert_eq!(chain.nonce(PROGRAM), 3);
}
