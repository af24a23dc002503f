//! Rules that are Nitro's own, not Ethereum's.

use super::*;
use crate::{
    arbos::STATE_ADDRESS,
    precompiles::{ARB_INFO, ARB_WASM_CACHE, arb_info::IArbInfo, arb_wasm_cache::IArbWasmCache},
};

#[test]
fn the_blob_base_fee_cannot_be_asked_for() {
    let mut chain = chain();
    chain.set_code(A, bytes!("4a00"));
    let outcome = send(&mut chain, A, Bytes::new());
    assert_eq!(outcome.status, TxStatus::Halt(HaltReason::OpcodeNotFound));
    assert_eq!(outcome.gas_used, 30_000_000);
}

#[test]
fn a_program_cannot_be_destroyed() {
    let mut chain = chain_with("caller.wat");
    chain.set_code(A, bytes!("60bbff")); // SELFDESTRUCT in favour of 0xbb
    chain.set_balance(PROGRAM, U256::from(7));
    chain.set_balance(A, U256::from(7));
    let mut record = call_record(A, &[]);
    record[0] = 1; // delegate call
    let outcome = send(&mut chain, PROGRAM, record);
    assert!(outcome.is_success());
    assert_eq!(outcome.output[..], hex!("020000000000000000")); // reverted, without data
    assert!(outcome.trace.gas < 100_000); // and with its gas
    assert_eq!(chain.balance(PROGRAM), U256::from(7));
    let outcome = send(&mut chain, PROGRAM, call_record(A, &[]));
    assert_eq!(outcome.output[..], hex!("000000000000000000"));
    assert_eq!(chain.balance(A), U256::ZERO);
}

#[test]
fn only_a_manager_keeps_gas_when_caching() {
    let mut chain = chain_with("args_result.wat");
    chain.set_balance(A, U256::from(1u128 << 100));
    let cache = IArbWasmCache::cacheProgramCall { addr: PROGRAM }.abi_encode();
    let refused = chain.transact(&TxRequest::call(A, ARB_WASM_CACHE, cache.clone())).unwrap();
    assert_eq!((refused.status, refused.gas_used), (TxStatus::Revert, 30_000_000));
    assert!(send(&mut chain, ARB_WASM_CACHE, cache).is_success());
    assert!(chain.program(PROGRAM).cached);
}

#[test]
fn activating_a_cached_program_again_reads_its_module_hash() {
    let gas = |cached| {
        let mut chain = chain_with("args_result.wat");
        chain.set_cached(PROGRAM, cached).unwrap();
        chain.set_next_time(chain.config().genesis_time + 366 * 86_400);
        let activate = IArbWasm::activateProgramCall { program: PROGRAM }.abi_encode();
        let request = TxRequest {
            value: U256::from(10u64.pow(18)),
            ..TxRequest::call(DEV_ACCOUNT, ARB_WASM, activate)
        };
        let outcome = chain.transact(&request).unwrap();
        assert!(outcome.is_success());
        outcome.gas_used
    };
    assert_eq!(gas(true) - gas(false), 800);
}

/// Gas of `BALANCE` on `account`, and 7, after a call of `precompile` with `input`.
fn balance_gas(precompile: Address, input: Vec<u8>, account: Address) -> u64 {
    let mut chain = chain();
    let code = [
        &hex!("365f5f375f5f365f5f60")[..],
        &precompile[19..],
        &hex!("5af15073"),
        account.as_slice(),
        &hex!("5a9031505a90035f5260205ff3"),
    ];
    chain.set_code(A, code.concat().into());
    let outcome = send(&mut chain, A, input);
    assert!(outcome.is_success());
    U256::from_be_slice(&outcome.output).to()
}

#[test]
fn what_arbos_reads_stays_cold() {
    let balance = IArbInfo::getBalanceCall { account: B }.abi_encode();
    assert_eq!(balance_gas(ARB_INFO, balance.clone(), B), 2_607);
    let code = IArbInfo::getCodeCall { account: B }.abi_encode();
    assert_eq!(balance_gas(ARB_INFO, code, B), 2_607);
    let cached = IArbWasmCache::codehashIsCachedCall { codehash: B256::ZERO }.abi_encode();
    assert_eq!(balance_gas(ARB_WASM_CACHE, cached, STATE_ADDRESS), 2_607);
    // what was warm stays warm
    assert_eq!(balance_gas(ARB_INFO, balance, DEV_ACCOUNT), 107);
    let caller = IArbInfo::getBalanceCall { account: DEV_ACCOUNT }.abi_encode();
    assert_eq!(balance_gas(ARB_INFO, caller, DEV_ACCOUNT), 107);
}
