//! What the precompiles answer and charge.
//!
//! Gas is that of a call straight from a transaction, so that nothing but the method is in it: 800 for opening ArbOS state, 3
//! for a word of arguments or of results, 800 a read, 20,000 a write and 5,000 one of zero (`precompiles/precompile.go` and
//! `arbos/storage/storage.go` in Nitro); what comes on top is said beside each.

use super::*;
use crate::{
    arbos::{ProgramRecord, STATE_ADDRESS},
    node_interface::{self, INodeInterface, NODE_INTERFACE, NodeInterfaceError},
    precompiles::{
        ARB_DEBUG, ARB_GAS_INFO, ARB_INFO, ARB_OWNER, ARB_OWNER_PUBLIC, ARB_WASM_CACHE,
        arb_debug::IArbDebug as Debug, arb_gas_info::IArbGasInfo as GasInfo,
        arb_info::IArbInfo as Info, arb_owner::IArbOwner as Owner,
        arb_owner_public::IArbOwnerPublic as OwnerPublic, arb_sys::IArbSys as Sys,
        arb_wasm::IArbWasm as Wasm, arb_wasm_cache::IArbWasmCache as Cache,
    },
    predeploys::CACHE_MANAGER,
    stylus::StylusParams,
};
use alloy_primitives::keccak256;

fn words(output: &[u8]) -> Vec<U256> {
    output.chunks(32).map(U256::from_be_slice).collect()
}

fn word_of(address: Address) -> U256 {
    address.into_word().into()
}

/// Calls `to` as the development account, which must succeed; gives the method's gas and the words that it returned.
fn ask(chain: &mut Chain, to: Address, call: impl SolCall) -> (u64, Vec<U256>) {
    let outcome = send(chain, to, call.abi_encode());
    assert!(outcome.is_success(), "{outcome:?}");
    (outcome.trace.gas, words(&outcome.output))
}

fn numbers<const N: usize>(numbers: [u64; N]) -> Vec<U256> {
    numbers.map(U256::from).to_vec()
}

fn funded(account: Address) -> Chain {
    let mut chain = chain();
    chain.set_balance(account, U256::from(1u128 << 100));
    chain
}

#[test]
fn arb_sys() {
    let mut chain = chain();
    assert_eq!(ask(&mut chain, ARB_SYS, Sys::arbBlockNumberCall {}), (803, numbers([1])));
    assert_eq!(ask(&mut chain, ARB_SYS, Sys::arbOSVersionCall {}), (803, numbers([106])));
    assert_eq!(ask(&mut chain, ARB_SYS, Sys::getStorageGasAvailableCall {}), (803, numbers([0])));
    assert_eq!(ask(&mut chain, ARB_SYS, Sys::wasMyCallersAddressAliasedCall {}).1, numbers([0]));
    let alias = Sys::mapL1SenderContractAddressToL2AliasCall { sender: A, unused: B };
    let aliased = "0xbbbbaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabbbb".parse::<Address>().unwrap();
    // pure: 6 for the arguments, 3 for the result
    assert_eq!(ask(&mut chain, ARB_SYS, alias), (9, vec![aliased.into_word().into()]));

    // transaction → A → ArbSys, and transaction → A → B → A → ArbSys
    chain.set_code(A, FORWARD);
    chain.set_code(B, FORWARD);
    let mut through = |hops: &[Address], call: &[u8]| {
        let input = hops.iter().rev().fold(call.to_vec(), |input, &to| forward(to, &input));
        words(&send(&mut chain, A, input).output)[0]
    };
    let top_level = Sys::isTopLevelCallCall {}.abi_encode();
    assert_eq!(through(&[ARB_SYS], &top_level), U256::ONE);
    assert_eq!(through(&[B, ARB_SYS], &top_level), U256::ONE);
    assert_eq!(through(&[B, A, ARB_SYS], &top_level), U256::ZERO);
    let callers_caller = Sys::myCallersAddressWithoutAliasingCall {}.abi_encode();
    assert_eq!(through(&[ARB_SYS], &callers_caller), U256::ZERO);
    let dev = word_of(DEV_ACCOUNT);
    assert_eq!(through(&[B, ARB_SYS], &callers_caller), dev);
    let a = word_of(A);
    assert_eq!(through(&[B, A, ARB_SYS], &callers_caller), a);
}

#[test]
fn block_hashes_go_back_256_blocks() {
    let mut chain = chain();
    for _ in 0..300 {
        chain.mine();
    }
    let hash = |number: u64| chain.block(number).unwrap().hash;
    let (hash_300, hash_45) = (hash(300), hash(45));
    let call = |number: u64| Sys::arbBlockHashCall { arbBlockNum: U256::from(number) };
    assert_eq!(ask(&mut chain, ARB_SYS, call(300)), (806, vec![hash_300.into()]));
    chain.set_code(A, FORWARD); // in block 302 now
    assert_eq!(ask(&mut chain, ARB_SYS, call(46)).0, 806);
    let forgotten = send(&mut chain, ARB_SYS, call(45).abi_encode());
    let (requested, current) = (U256::from(45), U256::from(303));
    assert_eq!(forgotten.output, Sys::InvalidBlockNumber { requested, current }.abi_encode());
    // 3 words of revert data
    assert_eq!((forgotten.trace.gas, forgotten.status), (812, TxStatus::Revert));
    assert_ne!(hash_45, B256::ZERO);
}

#[test]
fn messages_to_l1() {
    let mut chain = chain();
    let data = Bytes::from_static(&[7; 32]);
    let call = Sys::sendTxToL1Call { destination: A, data: data.clone() }.abi_encode();
    let request =
        TxRequest { value: U256::from(5), ..TxRequest::call(DEV_ACCOUNT, ARB_SYS, call.clone()) };
    let mut hashes = Vec::new();
    for (number, gas) in [
        // arguments 12, state 800, owners of the native token 800, hash of 200 bytes 72, size read and written 20,800,
        // leaf 20,000, size again 800, event with 4 topics and 256 bytes 3,923, result 3
        (0, 47_210),
        // the same, but not the leaf: sibling read 800, hash of 64 bytes 42, sibling cleared 5,000, parent written
        // 20,000, event with 4 topics 1,875
        (1, 54_927),
    ] {
        let outcome = chain.transact(&request).unwrap();
        assert_eq!(words(&outcome.output), numbers([number]));
        assert_eq!(outcome.trace.gas, gas);
        let log = Sys::L2ToL1Tx::decode_log(outcome.logs.last().unwrap()).unwrap();
        assert_eq!((log.caller, log.destination, &log.data.data), (DEV_ACCOUNT, A, &data));
        let block = chain.latest().header.clone();
        let words = [block.number, block.number, block.timestamp, 5]
            .map(|word| U256::from(word).to_be_bytes::<32>());
        let parts = [DEV_ACCOUNT.as_slice(), A.as_slice(), words.as_flattened(), &data];
        assert_eq!(B256::from(log.hash), keccak256(parts.concat()));
        hashes.push(keccak256(log.hash.to_be_bytes::<32>()));
        assert_eq!(outcome.logs.len(), 1 + number as usize);
    }
    let root = keccak256([hashes[0], hashes[1]].concat());
    let tree = Sys::sendMerkleTreeStateCall {}.abi_encode();
    let state = chain.call(&TxRequest::call(Address::ZERO, ARB_SYS, tree.clone())).unwrap();
    let state = Sys::sendMerkleTreeStateCall::abi_decode_returns(&state.output).unwrap();
    assert_eq!((state.size, state.root), (U256::from(2), root));
    assert_eq!(state.partials, [B256::ZERO, root]);
    assert_eq!(send(&mut chain, ARB_SYS, tree).status, TxStatus::Revert);
    assert_eq!(chain.balance(ARB_SYS), U256::ZERO);
}

#[test]
fn arb_info() {
    let mut chain = chain();
    chain.set_balance(A, U256::from(7));
    chain.set_code(A, LOOP);
    // BALANCE 700
    assert_eq!(
        ask(&mut chain, ARB_INFO, Info::getBalanceCall { account: A }),
        (1_506, numbers([7]))
    );
    // SLOAD 2,100, a word of code 3, and its offset, length and word
    assert_eq!(ask(&mut chain, ARB_INFO, Info::getCodeCall { account: A }).0, 2_915);
}

#[test]
fn arb_gas_info() {
    let mut chain = Chain::new(ChainConfig { l1_price: U256::from(3), ..Default::default() });
    macro_rules! gas_info {
        ($call:ident) => {
            ask(&mut chain, ARB_GAS_INFO, GasInfo::$call {})
        };
    }
    let gas = 100_000_000;
    let prices = numbers([3 * 16 * 140, 3 * 16, gas * 20_000, gas, 0, gas]);
    assert_eq!(gas_info!(getPricesInWeiCall), (2_418, prices.clone()));
    assert_eq!(gas_info!(getPricesInArbGasCall), (1_609, numbers([0, 0, 20_000])));
    let accounting = numbers([7_000_000, 32_000_000, 32_000_000]);
    assert_eq!(gas_info!(getGasAccountingParamsCall), (2_409, accounting));
    assert_eq!(gas_info!(getMaxTxGasLimitCall), (1_603, numbers([32_000_000])));
    assert_eq!(gas_info!(getMinimumGasPriceCall), (1_603, numbers([gas])));
    assert_eq!(gas_info!(getL1BaseFeeEstimateCall), (1_603, numbers([3])));
    assert_eq!(gas_info!(getPerBatchGasChargeCall), (1_603, numbers([210_000])));
    assert_eq!(gas_info!(getL1PricingEquilibrationUnitsCall).1, numbers([160_000_000]));
    assert_eq!(gas_info!(getPricingInertiaCall).1, numbers([102]));
    assert_eq!(gas_info!(getL1PricingSurplusCall).0, 3_203); // three reads
    assert_eq!(gas_info!(getGasPricingConstraintsCall), (1_606, numbers([32, 0])));
    let aggregator = GasInfo::getPricesInWeiWithAggregatorCall { aggregator: A };
    assert_eq!(ask(&mut chain, ARB_GAS_INFO, aggregator), (2_421, prices));
    // in a call without a price the base fee is none, but not for ArbGasInfo
    let call = GasInfo::getPricesInWeiCall {}.abi_encode();
    let request = TxRequest { max_fee: 0, ..TxRequest::call(A, ARB_GAS_INFO, call) };
    assert_eq!(words(&chain.call(&request).unwrap().output)[5], U256::from(gas));
}

#[test]
fn arb_owner_public() {
    let mut chain = chain();
    let mut is_owner =
        |addr| ask(&mut chain, ARB_OWNER_PUBLIC, OwnerPublic::isChainOwnerCall { addr });
    assert_eq!(is_owner(DEV_ACCOUNT), (1_606, numbers([1])));
    assert_eq!(is_owner(A), (1_606, numbers([0])));
    // size and two members read; offset, length and two words returned
    let (gas, owners) = ask(&mut chain, ARB_OWNER_PUBLIC, OwnerPublic::getAllChainOwnersCall {});
    let dev = word_of(DEV_ACCOUNT);
    assert_eq!((gas, &owners[1..]), (3_212, &[U256::from(2), U256::ZERO, dev][..]));
    let upgrade = OwnerPublic::getScheduledUpgradeCall {};
    assert_eq!(ask(&mut chain, ARB_OWNER_PUBLIC, upgrade), (2_406, numbers([0, 0])));
    let level = OwnerPublic::getBrotliCompressionLevelCall {};
    assert_eq!(ask(&mut chain, ARB_OWNER_PUBLIC, level), (1_603, numbers([1])));
    let rectify = OwnerPublic::rectifyChainOwnerCall { ownerToRectify: DEV_ACCOUNT };
    let refused = send(&mut chain, ARB_OWNER_PUBLIC, rectify.abi_encode());
    assert_eq!((refused.status, refused.trace.gas), (TxStatus::Revert, 4_003));
    let later = OwnerPublic::getMaxStylusContractFragmentsCall {}.abi_encode();
    assert_eq!(send(&mut chain, ARB_OWNER_PUBLIC, later).gas_used, 30_000_000);
}

#[test]
fn arb_wasm_of_a_program() {
    let mut chain = chain_with("args_result.wat");
    let code_hash = chain.code_hash(PROGRAM);
    let record = chain.program(PROGRAM);
    let mut ask = |call: Vec<u8>| {
        let outcome = send(&mut chain, ARB_WASM, call);
        (outcome.trace.gas, words(&outcome.output))
    };
    let limits = ask(Wasm::minInitGasCall {}.abi_encode());
    assert_eq!(limits, (906, numbers([8_832, 352]))); // parameters 100
    let version = Wasm::codehashVersionCall { codehash: code_hash }.abi_encode();
    assert_eq!(ask(version), (1_706, numbers([2]))); // parameters 100, record 800
    let version = Wasm::programVersionCall { program: PROGRAM }.abi_encode();
    assert_eq!(ask(version), (4_306, numbers([2]))); // code hash 2,600
    let init = Wasm::programInitGasCall { program: PROGRAM }.abi_encode();
    let params = StylusParams::ARBOS_51;
    let cached = params.cached_init_gas(record.cached_cost);
    assert_eq!(ask(init), (4_309, numbers([params.init_gas(record.init_cost) + cached, cached])));
    let size = Wasm::codehashAsmSizeCall { codehash: code_hash }.abi_encode();
    assert_eq!(ask(size), (1_706, numbers([u64::from(record.asm_kib) * 1024])));
    let nothing = send(&mut chain, ARB_WASM, Wasm::programVersionCall { program: A }.abi_encode());
    assert_eq!(nothing.output, Wasm::ProgramNotActivated {}.abi_encode());
    assert_eq!(nothing.trace.gas, 4_306); // the error is a word, too
    let later = send(&mut chain, ARB_WASM, Wasm::activationGasCall {}.abi_encode());
    assert_eq!(later.gas_used, 30_000_000); // of ArbOS 60
}

#[test]
fn programs_live_for_a_year_unless_they_are_kept_alive() {
    let mut chain = chain_with("args_result.wat");
    let code_hash = chain.code_hash(PROGRAM);
    let day = 86_400;
    let start = chain.latest().header.timestamp + 1;
    let hours = |time: u64| (time - 1_421_388_000) / 3600 * 3600 + 1_421_388_000;
    let left = |chain: &mut Chain, time: u64| {
        chain.set_next_time(time);
        let call = Wasm::programTimeLeftCall { program: PROGRAM }.abi_encode();
        send(chain, ARB_WASM, call)
    };
    let time = start + 5;
    let outcome = left(&mut chain, time);
    assert_eq!(words(&outcome.output), numbers([365 * day - (time - hours(start))]));
    assert_eq!(outcome.trace.gas, 4_306);

    let keepalive = Wasm::codehashKeepaliveCall { codehash: code_hash }.abi_encode();
    let keep = |chain: &mut Chain, time: u64, value: u64| {
        chain.set_next_time(time);
        let request = TxRequest::call(DEV_ACCOUNT, ARB_WASM, keepalive.clone());
        chain.transact(&TxRequest { value: U256::from(value), ..request }).unwrap()
    };
    let time = start + 30 * day;
    let early = keep(&mut chain, time, 0);
    let age = time - hours(start);
    assert_eq!(early.output, Wasm::ProgramKeepaliveTooSoon { ageInSeconds: age }.abi_encode());

    let time = start + 40 * day;
    let poor = keep(&mut chain, time, 0);
    let error = Wasm::ProgramInsufficientValue::abi_decode(&poor.output).unwrap();
    assert_eq!(error.have, U256::ZERO);
    let (ether, before) = (1_000_000_000_000_000_000, chain.balance(DEV_ACCOUNT));
    let kept = keep(&mut chain, time, ether);
    assert!(kept.is_success());
    // argument 3, state 800, parameters 100, record 800; demand model five reads and two writes; record 20,000; fee account 800; event with 2 topics and a word 1,381
    let demand = chain.storage(STATE_ADDRESS, demand_slot());
    assert!(!demand.is_zero());
    assert_eq!(kept.trace.gas, 3 + 800 + 100 + 800 + 5 * 800 + 2 * 20_000 + 20_000 + 800 + 1_381);
    let event = Wasm::ProgramLifetimeExtended::decode_log(&kept.logs[0]).unwrap();
    assert_eq!((event.codehash, event.dataFee), (code_hash, error.want));
    let gas = U256::from(kept.gas_used * 100_000_000);
    assert_eq!(chain.balance(DEV_ACCOUNT), before - gas - event.dataFee);

    // a year after the first activation it lives, a year after the second it does not
    assert!(left(&mut chain, start + 366 * day).is_success());
    let late = start + 406 * day;
    let expired = left(&mut chain, late);
    let age = late - hours(time);
    assert_eq!(expired.output, Wasm::ProgramExpired { ageInSeconds: age }.abi_encode());
    let gone = keep(&mut chain, late + 1, ether);
    assert_eq!(gone.output, Wasm::ProgramExpired { ageInSeconds: age + 1 }.abi_encode());
    let stopped = send(&mut chain, PROGRAM, Bytes::new());
    assert!(matches!(stopped.status, TxStatus::Halt(_)));
}

fn demand_slot() -> U256 {
    use crate::arbos::storage::{Space, Word};
    Word(Space::DataPricer, 0).slot()
}

#[test]
fn a_program_that_is_refused_takes_all_gas_and_says_why() {
    let mut chain = chain();
    chain.set_code(PROGRAM, compress(&wat::parse_str("(module)").unwrap()).into());
    let activate = Wasm::activateProgramCall { program: PROGRAM }.abi_encode();
    let outcome = send(&mut chain, ARB_WASM, activate);
    assert_eq!(outcome.status, TxStatus::Halt(HaltReason::PrecompileError));
    assert_eq!(outcome.gas_used, 30_000_000);
    let error = outcome.error().unwrap();
    assert!(error.starts_with("program activation failed: "), "{error}");
}

#[test]
fn arb_wasm_cache() {
    let mut chain = chain_with("args_result.wat");
    let codehash = chain.code_hash(PROGRAM);
    let manages = Cache::isCacheManagerCall { manager: CACHE_MANAGER };
    assert_eq!(ask(&mut chain, ARB_WASM_CACHE, manages), (1_606, numbers([1])));
    let (gas, managers) = ask(&mut chain, ARB_WASM_CACHE, Cache::allCacheManagersCall {});
    let manager = word_of(CACHE_MANAGER);
    assert_eq!((gas, managers), (2_409, vec![U256::from(32), U256::ONE, manager]));

    // argument 3, state 800, code hash 2,600, manager 800, owner 800, parameters 100, record 800; event with 3 topics and a
    // word 1,756, the init cost, module hash 800, record 20,000
    let init_cost = u64::from(chain.program(PROGRAM).init_cost);
    let call = Cache::cacheProgramCall { addr: PROGRAM }.abi_encode();
    let outcome = send(&mut chain, ARB_WASM_CACHE, call.clone());
    assert_eq!(outcome.trace.gas, 3 + 800 + 2_600 + 1_600 + 900 + 1_756 + init_cost + 20_800);
    let event = Cache::UpdateProgramCache::decode_log(&outcome.logs[0]).unwrap();
    assert_eq!((event.manager, event.codehash, event.cached), (DEV_ACCOUNT, codehash, true));
    assert_eq!(send(&mut chain, ARB_WASM_CACHE, call).trace.gas, 5_903); // nothing to do
    let cached = Cache::codehashIsCachedCall { codehash };
    assert_eq!(ask(&mut chain, ARB_WASM_CACHE, cached), (1_606, numbers([1])));
    let evict = Cache::evictCodehashCall { codehash }.abi_encode();
    let outcome = send(&mut chain, ARB_WASM_CACHE, evict);
    assert_eq!(outcome.trace.gas, 3 + 800 + 1_600 + 900 + 1_756 + init_cost + 20_800);
    assert!(!chain.program(PROGRAM).cached);

    let unknown = Cache::cacheProgramCall { addr: A }.abi_encode();
    let error = Cache::ProgramNeedsUpgrade { version: 0, stylusVersion: 2 }.abi_encode();
    assert_eq!(send(&mut chain, ARB_WASM_CACHE, unknown).output, error);
    // cacheCodehash(bytes32) was until ArbOS 30
    let relic = [&keccak256("cacheCodehash(bytes32)")[..4], &codehash[..]].concat();
    assert_eq!(send(&mut chain, ARB_WASM_CACHE, relic).gas_used, 30_000_000);
}

#[test]
fn arb_debug() {
    let mut chain = funded(A);
    let mut call = |call: Vec<u8>| chain.transact(&TxRequest::call(A, ARB_DEBUG, call)).unwrap();
    // member and size read, position, list and size written with the size read once more
    let own = Debug::becomeChainOwnerCall {}.abi_encode();
    assert_eq!(call(own.clone()).trace.gas, 800 + 3 * 800 + 3 * 20_000);
    assert_eq!(call(own).trace.gas, 1_600);

    let value = B256::repeat_byte(9);
    let events = call(Debug::eventsCall { flag: true, value }.abi_encode());
    assert_eq!(words(&events.output), [A.into_word().into(), U256::ZERO]);
    let basic = Debug::Basic::decode_log(&events.logs[0]).unwrap();
    assert_eq!((basic.flag, basic.value), (false, value));
    let mixed = Debug::Mixed::decode_log(&events.logs[1]).unwrap();
    assert_eq!((mixed.flag, mixed.not, mixed.conn, mixed.caller), (true, false, ARB_DEBUG, A));
    // events: 375 and 375 a topic, 8 a byte
    assert_eq!(events.trace.gas, 6 + 800 + 1_125 + 256 + 1_875 + 512 + 6);
    let view = call(Debug::eventsViewCall {}.abi_encode());
    assert_eq!((view.status, view.output, view.trace.gas), (TxStatus::Revert, Bytes::new(), 800));

    let custom = call(Debug::customRevertCall { number: 7 }.abi_encode());
    let error = Debug::Custom::abi_decode(&custom.output).unwrap();
    assert_eq!((error._0, error._1.len(), error._2), (7, 59, true));
    assert_eq!(custom.trace.gas, 3 + 21); // seven words of error
    let legacy = call(Debug::legacyErrorCall {}.abi_encode());
    assert_eq!((legacy.status, legacy.trace.gas), (TxStatus::Revert, 0));
    let panic = call(Debug::panicCall {}.abi_encode());
    assert_eq!(panic.error().unwrap(), "called ArbDebug's debug-only Panic method");
    let code = Debug::overwriteContractCodeCall { target: B, newCode: STORE };
    assert!(call(code.abi_encode()).is_success());
    assert_eq!(chain.code(B), STORE);

    let mut live = Chain::new(ChainConfig { debug: false, ..Default::default() });
    let refused = send(&mut live, ARB_DEBUG, Debug::becomeChainOwnerCall {}.abi_encode());
    assert_eq!(refused.error().unwrap(), "debug precompiles are disabled");
    assert_eq!(refused.gas_used, 30_000_000);
}

#[test]
fn owners_pay_nothing_and_others_everything() {
    let mut chain = funded(A);
    let add = Owner::addWasmCacheManagerCall { manager: B }.abi_encode();
    let refused = chain.transact(&TxRequest::call(A, ARB_OWNER, add.clone())).unwrap();
    assert_eq!(refused.gas_used, 30_000_000);
    assert_eq!(refused.error().unwrap(), "unauthorized caller to access-controlled method");

    let outcome = send(&mut chain, ARB_OWNER, add.clone());
    assert_eq!(outcome.trace.gas, 0);
    let acts = Owner::OwnerActs::decode_log(&outcome.logs[0]).unwrap();
    assert_eq!((acts.method.as_slice(), acts.owner), (&add[..4], DEV_ACCOUNT));
    assert_eq!(acts.data.data[..], add[..]);
    // a revert is free, too
    let not_there = Owner::removeWasmCacheManagerCall { manager: A }.abi_encode();
    let outcome = send(&mut chain, ARB_OWNER, not_there);
    assert_eq!((outcome.status, outcome.trace.gas), (TxStatus::Revert, 0));
    assert_eq!(outcome.logs, []);
}

#[test]
fn sets_of_addresses_keep_their_order_but_for_the_hole() {
    let mut chain = chain();
    let managers = |chain: &mut Chain| {
        let output =
            send(chain, ARB_WASM_CACHE, Cache::allCacheManagersCall {}.abi_encode()).output;
        Cache::allCacheManagersCall::abi_decode_returns(&output).unwrap()
    };
    for manager in [A, B, PROGRAM, A] {
        send(&mut chain, ARB_OWNER, Owner::addWasmCacheManagerCall { manager }.abi_encode());
    }
    assert_eq!(managers(&mut chain), [CACHE_MANAGER, A, B, PROGRAM]);
    let remove = |chain: &mut Chain, manager| {
        let call = Owner::removeWasmCacheManagerCall { manager }.abi_encode();
        send(chain, ARB_OWNER, call).is_success()
    };
    assert!(remove(&mut chain, A));
    assert_eq!(managers(&mut chain), [CACHE_MANAGER, PROGRAM, B]);
    assert!(remove(&mut chain, PROGRAM));
    assert!(!remove(&mut chain, PROGRAM));
    assert!(remove(&mut chain, B));
    assert_eq!(managers(&mut chain), [CACHE_MANAGER]);
    // owners may give themselves up
    let leave = Owner::removeChainOwnerCall { ownerToRemove: DEV_ACCOUNT }.abi_encode();
    assert!(send(&mut chain, ARB_OWNER, leave.clone()).is_success());
    assert!(!send(&mut chain, ARB_OWNER, leave).is_success());
}

#[test]
fn what_owners_set_takes_effect() {
    let mut chain = chain_with("args_result.wat");
    let set = |chain: &mut Chain, call: Vec<u8>| {
        let outcome = send(chain, ARB_OWNER, call);
        assert!(outcome.is_success(), "{outcome:?}");
    };
    set(&mut chain, Owner::setInkPriceCall { price: 20_000 }.abi_encode());
    set(&mut chain, Owner::setWasmMinInitGasCall { gas: 200, cached: 100 }.abi_encode());
    set(&mut chain, Owner::setWasmInitCostScalarCall { percent: 201 }.abi_encode());
    set(&mut chain, Owner::setWasmExpiryDaysCall { _days: 3 }.abi_encode());
    let stylus = chain.stylus();
    assert_eq!((stylus.ink_price, stylus.min_init_gas, stylus.min_cached_init_gas), (20_000, 2, 4));
    assert_eq!((stylus.init_cost_scalar, stylus.expiry_days), (101, 3));
    let zero = send(&mut chain, ARB_OWNER, Owner::setInkPriceCall { price: 0 }.abi_encode());
    assert_eq!(zero.status, TxStatus::Revert);
    let init_cost = chain.program(PROGRAM).init_cost;
    let call = send(&mut chain, PROGRAM, Bytes::from_static(&[1]));
    let ProgramRecord { cached_cost, .. } = chain.program(PROGRAM);
    let init = stylus.init_gas(init_cost) + stylus.cached_init_gas(cached_cost);
    assert_eq!(call.trace.call_cost.unwrap().init, init);

    set(&mut chain, Owner::setMaxTxGasLimitCall { limit: 1_000_000 }.abi_encode());
    chain.set_code(A, LOOP);
    assert_eq!(send(&mut chain, A, Bytes::new()).gas_used, 1_000_000);

    set(&mut chain, Owner::setMinimumL2BaseFeeCall { priceInWei: U256::from(50) }.abi_encode());
    set(&mut chain, Owner::setL2BaseFeeCall { priceInWei: U256::from(70) }.abi_encode());
    set(&mut chain, Owner::setNetworkFeeAccountCall { newNetworkFeeAccount: B }.abi_encode());
    set(&mut chain, Owner::setInfraFeeAccountCall { newInfraFeeAccount: A }.abi_encode());
    assert_eq!(chain.basefee(), 70);
    let before = [chain.balance(A), chain.balance(B)];
    send(&mut chain, Address::ZERO, Bytes::new());
    assert_eq!(chain.latest().header.base_fee_per_gas, Some(70));
    assert_eq!(chain.balance(A) - before[0], U256::from(21_000 * 50));
    assert_eq!(chain.balance(B) - before[1], U256::from(21_000 * 20));
}

#[test]
fn what_a_precompile_refuses() {
    let mut chain = chain();
    let all = |outcome: TxOutcome| {
        assert_eq!((outcome.status, outcome.gas_used), (TxStatus::Revert, 30_000_000));
    };
    all(send(&mut chain, ARB_SYS, hex!("01020304")));
    all(send(&mut chain, ARB_SYS, hex!("0102")));
    let number = Sys::arbBlockNumberCall {}.abi_encode();
    let paid = TxRequest::call(DEV_ACCOUNT, ARB_SYS, number.clone());
    all(chain.transact(&TxRequest { value: U256::ONE, ..paid }).unwrap());
    all(send(&mut chain, ARB_INFO, Info::getBalanceCall::SELECTOR.to_vec())); // no argument
    // a delegate call to a view, and a static call to a method that writes: DELEGATECALL, STATICCALL with the calldata
    chain.set_code(A, bytes!("365f5f375f5f365f60645af45f5260205ff3"));
    chain.set_code(B, bytes!("365f5f375f5f365f60ff5afa5f5260205ff3"));
    assert_eq!(words(&send(&mut chain, A, number).output), numbers([0]));
    let pure = Sys::mapL1SenderContractAddressToL2AliasCall { sender: A, unused: A }.abi_encode();
    assert_eq!(words(&send(&mut chain, A, pure).output), numbers([1]));
    let own = Debug::becomeChainOwnerCall {}.abi_encode();
    assert_eq!(words(&send(&mut chain, B, own).output), numbers([0]));
    // too little gas to begin is no revert, too little for the rest is one
    let mut with = |gas: u64| {
        let call = OwnerPublic::isChainOwnerCall { addr: A }.abi_encode();
        let intrinsic = crate::tx::intrinsic_gas(&call);
        let request = TxRequest::call(DEV_ACCOUNT, ARB_OWNER_PUBLIC, call);
        chain.transact(&TxRequest { gas_limit: intrinsic + gas, ..request }).unwrap().status
    };
    assert!(matches!(with(799), TxStatus::Halt(HaltReason::OutOfGas(_))));
    assert_eq!(with(1_605), TxStatus::Revert);
    assert_eq!(with(1_606), TxStatus::Success);
}

#[test]
fn node_interface() {
    let mut chain =
        Chain::new(ChainConfig { l1_price: U256::from(1_000_000_000), ..Default::default() });
    chain.mine();
    let answer = |to: Address, call: Vec<u8>| {
        let request = TxRequest { max_fee: 0, ..TxRequest::call(A, to, call) };
        node_interface::answer(&chain, &request, |inner| -> Result<u64, NodeInterfaceError> {
            Ok(7 + inner.input.len() as u64)
        })
    };
    let asked = INodeInterface::gasEstimateL1ComponentCall {
        to: B,
        contractCreation: false,
        data: Bytes::from_static(&[1; 10]),
    };
    let output = answer(NODE_INTERFACE, asked.abi_encode()).unwrap();
    let l1 = INodeInterface::gasEstimateL1ComponentCall::abi_decode_returns(&output).unwrap();
    assert_eq!(l1.baseFee, U256::from(100_000_000));
    assert_eq!(l1.l1BaseFeeEstimate, U256::from(1_000_000_000));
    let asked = INodeInterface::gasEstimateComponentsCall {
        to: B,
        contractCreation: false,
        data: Bytes::from_static(&[1; 10]),
    };
    let output = answer(NODE_INTERFACE, asked.abi_encode()).unwrap();
    let all = INodeInterface::gasEstimateComponentsCall::abi_decode_returns(&output).unwrap();
    // a unit costs ten gas, and a tenth more is asked for; the base fee is at its minimum, so neither assumes congestion
    assert_eq!((all.gasEstimate, all.gasEstimateForL1), (17, l1.gasEstimateForL1));
    assert_eq!(l1.gasEstimateForL1 % 11, 0);
    assert!((2_000 * 11..3_000 * 11).contains(&l1.gasEstimateForL1), "{}", l1.gasEstimateForL1);

    let genesis = answer(NODE_INTERFACE, INodeInterface::nitroGenesisBlockCall {}.abi_encode());
    assert_eq!(words(&genesis.unwrap()), numbers([0]));
    let range = |number| INodeInterface::l2BlockRangeForL1Call { blockNum: number }.abi_encode();
    assert_eq!(words(&answer(NODE_INTERFACE, range(1)).unwrap()), numbers([1, 1]));
    assert_eq!(answer(NODE_INTERFACE, range(2)), Err(NodeInterfaceError::NoBlock(2)));
    let batch = INodeInterface::findBatchContainingBlockCall { blockNum: 0 }.abi_encode();
    assert_eq!(answer(NODE_INTERFACE, batch), Err(NodeInterfaceError::Absent("batches")));
    let itself = INodeInterface::gasEstimateComponentsCall { to: NODE_INTERFACE, ..asked };
    assert_eq!(answer(NODE_INTERFACE, itself.abi_encode()), Err(NodeInterfaceError::Virtual));
    assert_eq!(answer(NODE_INTERFACE, vec![1, 2, 3]), Err(NodeInterfaceError::Call));
}
