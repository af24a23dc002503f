//! What the ArbOS version decides beyond numbers: EVM rules (`params/config.go`, `gethhook/geth-hook.go`), failures of hostios
//! (`arbos/programs/api.go`), prices that code is told, set-code transactions.

use super::{
    frame_host::{AFTER, BEFORE, calling, target},
    sample::*,
    *,
};
use crate::stylus::StylusParams;
use alloy::{
    eips::eip7702::{Authorization, SignedAuthorization},
    signers::SignerSync,
};

fn chain_at(version: u64) -> Chain {
    let stylus = StylusParams::of_version(version).unwrap();
    Chain::new(ChainConfig { stylus, ..ChainConfig::default() })
}

/// `CLZ` (EIP-7939) and the prices of P256VERIFY (3,450, then EIP-7951) and of the least MODEXP (200, then EIP-7883) are Osaka's
/// from ArbOS 50. BLS12-381's precompiles came with it too, though Prague's rules hold from ArbOS 40: before, an address of
/// them is that of a cold account with nothing there.
#[test]
fn the_evm_of_a_version() {
    let [p256, modexp, bls] =
        [0x100u64, 5, 0x0b].map(|n| Address::left_padding_from(&n.to_be_bytes()));
    for (version, prices) in [(32, [3_450, 200]), (41, [3_450, 200]), (50, [6_900, 500])] {
        let mut chain = chain_at(version);
        assert_eq!(costs(&mut chain, &[p256, modexp]), prices.map(|price| 19 + 100 + price));
        chain.set_code(B, bytes!("5f1e5f5260205ff3"));
        let clz = send(&mut chain, B, Bytes::new());
        assert_eq!(clz.is_success(), version >= 50);
        if version < 50 {
            assert_eq!(costs(&mut chain, &[bls]), [19 + 2_600]);
        }
    }
}

/// Before ArbOS 50 the cap was on what code uses.
#[test]
fn the_gas_cap_of_a_version() {
    for (version, used) in [(41, 32_021_000), (50, 32_000_000)] {
        let mut chain = chain_at(version);
        chain.set_code(A, LOOP);
        let call = TxRequest::call(DEV_ACCOUNT, A, Bytes::new());
        let outcome = chain.transact(&TxRequest { gas_limit: 50_000_000, ..call }).unwrap();
        assert_eq!(outcome.gas_used, used);
    }
}

/// With 10,000 gas a word cannot be written. The program has then used [2 constants, call] 6,252,
/// `storage_cache_bytes32` 18,480, [constant, call] 6,251, `storage_flush_cache` 68,073: 10 gas.
#[test]
fn a_flush_out_of_gas() {
    let body =
        "(call $set (i32.const 64) (i32.const 32)) (call $flush (i32.const 0)) (i32.const 0)";
    for version in [41, 50] {
        let mut chain = chain_at(version);
        place(&mut chain, PROGRAM, &[&[0; 63][..], &[1]].concat(), body);
        let start = send(&mut chain, PROGRAM, Bytes::new()).trace.call_cost.unwrap().total();
        chain.set_storage(PROGRAM, U256::ZERO, U256::ZERO);
        let gas_limit = 21_000 + start + 10_000;
        let call = TxRequest::call(DEV_ACCOUNT, PROGRAM, Bytes::new());
        let outcome = chain.transact(&TxRequest { gas_limit, ..call }).unwrap();
        match version {
            41 => {
                assert_eq!(outcome.status, TxStatus::Revert);
                assert_eq!(outcome.gas_used, 21_000 + start + 10);
            }
            _ => {
                assert!(matches!(outcome.status, TxStatus::Halt(HaltReason::OutOfGas(_))));
                assert_eq!(outcome.gas_used, gas_limit);
            }
        }
    }
}

/// That an account has no code was remembered before ArbOS 40; since then it costs 100 + 700 gas to see it again.
#[test]
fn empty_code_asked_for_again() {
    let ask = "(drop (call $code_size (i32.const 0)))";
    let ink = |version, body: &str| {
        let mut chain = chain_at(version);
        place(&mut chain, PROGRAM, B.as_slice(), &format!("{body} (i32.const 0)"));
        send(&mut chain, PROGRAM, Bytes::new()).trace.ink.unwrap()
    };
    // [constant, call] once more, with a `drop`: 6,251 + 9; account_code_size 8,400 + 59,673
    let again = |version| ink(version, &[ask, ask].concat()) - ink(version, ask);
    assert_eq!(again(32), 6_260 + 68_073);
    assert_eq!(again(40), 6_260 + 68_073 + 10_000 * 800);
}

#[test]
fn several_results_are_refused_from_arbos_60() {
    let wat = r#"(module (memory (export "memory") 1 1) (func (result i32 i32) i32.const 1 i32.const 2)
        (func (export "user_entrypoint") (param i32) (result i32) i32.const 0))"#;
    for (version, accepted) in [(51, true), (60, false)] {
        let mut chain = chain_at(version);
        chain.set_code(PROGRAM, compress(&wat::parse_str(wat).unwrap()).into());
        assert_eq!(chain.activate(PROGRAM).is_ok(), accepted);
    }
}

/// Programs are told the price with the tip, EVM code without; a call without a price sees neither price nor base fee.
#[test]
fn prices_that_code_is_told() {
    let tell = "(call $gas_price (i32.const 0)) (call $basefee (i32.const 32))
        (call $write (i32.const 0) (i32.const 64)) (i32.const 0)";
    let mut chain = chain_of(&[], tell);
    chain.set_code(A, bytes!("3a5f524860205260405ff3"));
    let told = |chain: &mut Chain, to, max_fee, max_tip| {
        let call = TxRequest::call(DEV_ACCOUNT, to, Bytes::new());
        words(&chain.transact(&TxRequest { max_fee, max_tip, ..call }).unwrap())
    };
    let basefee = 100_000_000;
    for (max_fee, max_tip, price) in [
        (1_000_000_000, 5, 100_000_005),
        (100_000_003, 5, 100_000_003),
        (200_000_000, 0, 100_000_000),
    ] {
        assert_eq!(told(&mut chain, PROGRAM, max_fee, max_tip), [price, basefee]);
        assert_eq!(told(&mut chain, A, max_fee, max_tip), [basefee, basefee]);
    }
    for to in [PROGRAM, A] {
        let free = TxRequest { max_fee: 0, ..TxRequest::call(DEV_ACCOUNT, to, Bytes::new()) };
        assert_eq!(words(&chain.call(&free).unwrap()), [0, 0]);
        assert!(chain.transact(&free).is_err());
    }
}

fn delegation(nonce: u64, address: Address) -> (Address, SignedAuthorization) {
    let signer = PrivateKeySigner::from_bytes(&B256::repeat_byte(7)).unwrap();
    let authorization = Authorization { chain_id: U256::from(412_346), address, nonce };
    let signature = signer.sign_hash_sync(&authorization.signature_hash()).unwrap();
    (signer.address(), authorization.into_signed(signature))
}

/// EIP-7702: 25,000 gas for an authorization, of which 12,500 come back where the account exists, as far as a fifth of the
/// gas goes. The account then runs the program, at the program's price: 9,248 gas for `args_result.wat`.
#[test]
fn an_account_that_delegates_to_a_program() {
    let mut chain = chain_with("args_result.wat");
    for (nonce, refund) in [(0, 0), (1, 55_248 / 5)] {
        let (account, signed) = delegation(nonce, PROGRAM);
        let call = TxRequest::call(DEV_ACCOUNT, account, Bytes::new());
        let outcome = chain.transact(&TxRequest { authorizations: vec![signed], ..call }).unwrap();
        assert!(outcome.is_success());
        assert_eq!((outcome.gas_used, outcome.refund), (55_248 - refund, refund));
        assert_eq!(chain.code(account)[..], [&hex!("ef0100")[..], PROGRAM.as_slice()].concat());
    }
    let (account, _) = delegation(0, PROGRAM);
    assert_eq!(send(&mut chain, account, Bytes::new()).gas_used, 21_000 + 9_248);
    // called by a program of one page, for which its second is not free
    place(&mut chain, B, &target(account, 0), &calling(-1));
    let outcome = send(&mut chain, B, Bytes::new());
    assert_eq!(outcome.trace.ink, Some(BEFORE + AFTER + 10_000 * (2_600 + 1_000 + 9_248)));
}

/// A program's call of such an account neither pays for the code it delegates to nor warms it: `account_balance` of that
/// still costs 2,600. [drop, 2 constants, call] 6,261, `account_balance` 8,400 + 2 · 5,040 + 59,673, [constant, end] 2,452.
#[test]
fn delegated_code_stays_cold() {
    let (account, signed) = delegation(0, B);
    let mut memory = target(account, 0);
    memory.extend(B);
    let body = calling(-1);
    let (call, _) = body.split_once('\n').unwrap();
    let mut chain = chain_of(
        &memory,
        &format!("{call} (call $balance (i32.const 64) (i32.const 128)) (i32.const 0)"),
    );
    chain.set_code(B, bytes!("00"));
    let set = TxRequest::call(DEV_ACCOUNT, A, Bytes::new());
    chain.transact(&TxRequest { authorizations: vec![signed], ..set }).unwrap();
    let outcome = send(&mut chain, PROGRAM, Bytes::new());
    let rest = 6_261 + 78_153 + 2_452;
    assert_eq!(outcome.trace.ink, Some(BEFORE + rest + 10_000 * (2_600 + 2_600)));
}

/// An account that delegates to a precompile has no code from ArbOS 50 on; before, it had the precompile's `fe`.
#[test]
fn set_code_transactions_of_a_version() {
    for version in [32, 41, 50] {
        let mut chain = chain_at(version);
        let (account, signed) = delegation(0, ARB_SYS);
        let call = TxRequest::call(DEV_ACCOUNT, account, Bytes::new());
        let result = chain.transact(&TxRequest { authorizations: vec![signed], ..call });
        match version {
            32 => assert!(result.is_err()),
            41 => assert_eq!(result.unwrap().gas_used, 30_000_000),
            _ => assert_eq!(result.unwrap().gas_used, 46_000),
        }
    }
}
