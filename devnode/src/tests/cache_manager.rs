//! Bids for places in the cache of programs.

use super::*;
use crate::{
    precompiles::{ARB_OWNER, arb_owner::IArbOwner as Owner},
    predeploys::CACHE_MANAGER,
};
use alloy_primitives::aliases::U192;

sol! {
    #[derive(Debug, PartialEq)]
    struct Entry { bytes32 code; uint64 size; uint192 bid; }
    #[derive(Debug, PartialEq)]
    interface ICacheManager {
        function cacheSize() external view returns (uint64);
        function queueSize() external view returns (uint64);
        function decay() external view returns (uint64);
        function isPaused() external view returns (bool);
        function initialize(uint64 size, uint64 decay) external;
        function placeBid(address program) external payable;
        function makeSpace(uint64 size) external payable returns (uint64 space);
        function getMinBid(address program) external view returns (uint192 min);
        function getMinBid(bytes32 codehash) external view returns (uint192 min);
        function getMinBid(uint64 size) external view returns (uint192 min);
        function getEntries() external view returns (Entry[] memory);
        function getSmallestEntries(uint256 k) external view returns (Entry[] memory);
        function evictAll() external;
        function evictPrograms(uint256 count) external;
        function setCacheSize(uint64 newSize) external;
        function setDecayRate(uint64 newDecay) external;
        function paused() external;
        function unpause() external;
        function sweepFunds() external;

        event InsertBid(bytes32 indexed codehash, address program, uint192 bid, uint64 size);
        event DeleteBid(bytes32 indexed codehash, uint192 bid, uint64 size);

        error NotChainOwner(address sender);
        error AsmTooLarge(uint256 asm, uint256 queueSize, uint256 cacheSize);
        error AlreadyCached(bytes32 codehash);
        error BidTooSmall(uint192 bid, uint192 min);
        error BidsArePaused();
        error MakeSpaceTooLarge(uint64 size, uint64 limit);
    }
}
use ICacheManager as I;

const DECAY: u64 = 10_322_197_911;
const NAMES: [&str; 7] = [
    "args_result.wat",
    "exits.wat",
    "getters.wat",
    "hash_log.wat",
    "pages_3.wat",
    "storage.wat",
    "transient.wat",
];

/// A chain with programs of 4,096 to 12,288 bytes, none of them cached.
fn market() -> (Chain, Vec<Address>) {
    let mut chain = chain();
    let programs = NAMES.iter().enumerate().map(|(i, name)| {
        let address = Address::with_last_byte(0xd0 + i as u8);
        chain.set_code(address, program(name));
        chain.activate(address).unwrap();
        address
    });
    let programs = programs.collect();
    (chain, programs)
}

fn call(chain: &mut Chain, value: u64, call: impl SolCall) -> TxOutcome {
    let request = TxRequest::call(DEV_ACCOUNT, CACHE_MANAGER, call.abi_encode());
    chain.transact(&TxRequest { value: U256::from(value), ..request }).unwrap()
}

fn read<C: SolCall>(chain: &Chain, call: C) -> C::Return {
    let request = TxRequest::call(A, CACHE_MANAGER, call.abi_encode());
    let outcome = chain.call(&request).unwrap();
    assert!(outcome.is_success(), "{outcome:?}");
    C::abi_decode_returns(&outcome.output).unwrap()
}

fn bid(chain: &mut Chain, program: Address, value: u64) -> TxOutcome {
    call(chain, value, I::placeBidCall { program })
}

/// What a bid counts as.
fn worth_at(value: u64, time: u64) -> U192 {
    U192::from(value) + U192::from(time) * U192::from(DECAY)
}

/// Bytes that a program counts as.
fn size(chain: &mut Chain, program: Address) -> u64 {
    (u64::from(chain.program(program).asm_kib) * 1024).max(4096)
}

#[test]
fn it_is_set_up_at_genesis() {
    let chain = chain();
    assert_eq!(read(&chain, I::cacheSizeCall {}), 512 << 20);
    assert_eq!(read(&chain, I::queueSizeCall {}), 0);
    assert_eq!(read(&chain, I::decayCall {}), DECAY);
    assert!(!read(&chain, I::isPausedCall {}));
    assert_eq!(read(&chain, I::getMinBid_2Call { size: 8_000 }), U192::ZERO);
    let again = TxRequest::call(
        DEV_ACCOUNT,
        CACHE_MANAGER,
        I::initializeCall { size: 1, decay: 1 }.abi_encode(),
    );
    assert!(!chain.call(&again).unwrap().is_success());
}

#[test]
fn a_bid_caches_a_program() {
    let (mut chain, programs) = market();
    let program = programs[0];
    let (codehash, bytes) = (chain.code_hash(program), size(&mut chain, program));
    let outcome = bid(&mut chain, program, 7);
    assert!(outcome.is_success(), "{outcome:?}");
    let time = chain.latest().header.timestamp;
    let worth = worth_at(7, time);
    let event = I::InsertBid::decode_log(outcome.logs.last().unwrap()).unwrap().data;
    assert_eq!(event, I::InsertBid { codehash, program, bid: worth, size: bytes });
    assert!(chain.program(program).cached);
    assert_eq!(read(&chain, I::queueSizeCall {}), bytes);
    let entries = read(&chain, I::getEntriesCall {});
    assert_eq!(entries, [Entry { code: codehash, size: bytes, bid: worth }]);
    assert_eq!(chain.balance(CACHE_MANAGER), U256::from(7));

    let again = bid(&mut chain, program, 7);
    assert_eq!(again.output, I::AlreadyCached { codehash }.abi_encode());
    chain.set_code(A, program_of_nobody());
    let inactive = bid(&mut chain, A, 0);
    assert_eq!(inactive.output, IArbWasm::ProgramNotActivated {}.abi_encode());

    let fee_account = chain.config().fee_account;
    let before = chain.balance(fee_account);
    let swept = call(&mut chain, 0, I::sweepFundsCall {});
    let fee = U256::from(swept.gas_used * 100_000_000);
    assert_eq!(chain.balance(fee_account) - before - fee, U256::from(7));
}

fn program_of_nobody() -> Bytes {
    program("math.wat")
}

#[test]
fn bids_decay_and_the_smallest_goes() {
    let (mut chain, programs) = market();
    let [first, second] = [programs[0], programs[1]];
    let bytes = size(&mut chain, first).max(size(&mut chain, second));
    assert!(call(&mut chain, 0, I::setCacheSizeCall { newSize: bytes }).is_success());
    let start = chain.latest().header.timestamp;
    chain.set_next_time(start + 10);
    assert!(bid(&mut chain, first, 1_000_000_000_000).is_success());
    let first_bid = worth_at(1_000_000_000_000, start + 10);

    // 50 seconds later it takes 50 decays less to outbid it
    chain.set_next_time(start + 60);
    let least = 1_000_000_000_000 - 50 * DECAY;
    let low = bid(&mut chain, second, least - 1);
    let error = I::BidTooSmall { bid: first_bid - U192::ONE, min: first_bid };
    assert_eq!(low.output, error.abi_encode());
    assert!(chain.program(first).cached);

    chain.set_next_time(start + 60);
    let hash = chain.code_hash(second);
    assert_eq!(read(&chain, I::getMinBid_0Call { program: second }), U192::from(least));
    assert_eq!(read(&chain, I::getMinBid_1Call { codehash: hash }), U192::from(least));
    let outcome = bid(&mut chain, second, least);
    assert!(outcome.is_success());
    let evicted = outcome.logs.iter().find_map(|log| I::DeleteBid::decode_log(log).ok()).unwrap();
    assert_eq!((evicted.codehash, evicted.bid), (chain.code_hash(first), first_bid));
    assert!(!chain.program(first).cached && chain.program(second).cached);
    // the place is used again
    assert_eq!(read(&chain, I::getEntriesCall {}).len(), 1);

    // long after, nothing is needed
    chain.set_next_time(start + 200);
    chain.mine();
    assert_eq!(read(&chain, I::getMinBid_0Call { program: first }), U192::ZERO);
    assert!(bid(&mut chain, first, 0).is_success());

    let large = read_error(&chain, I::getMinBid_2Call { size: bytes + 1 });
    let [asm, limit] = [bytes + 1, bytes].map(U256::from);
    let error = I::AsmTooLarge { asm, queueSize: U256::ZERO, cacheSize: limit };
    assert_eq!(large, error.abi_encode());
}

fn read_error(chain: &Chain, call: impl SolCall) -> Bytes {
    chain.call(&TxRequest::call(A, CACHE_MANAGER, call.abi_encode())).unwrap().output
}

#[test]
fn the_smallest_come_first() {
    let (mut chain, programs) = market();
    assert!(call(&mut chain, 0, I::setDecayRateCall { newDecay: 0 }).is_success());
    let values = [50, 20, 70, 10, 60, 40, 30];
    for (&program, value) in programs.iter().zip(values) {
        assert!(bid(&mut chain, program, value).is_success());
    }
    let smallest = |chain: &Chain, k: u64| -> Vec<u64> {
        let entries = read(chain, I::getSmallestEntriesCall { k: U256::from(k) });
        entries.iter().map(|entry| entry.bid.to()).collect()
    };
    assert_eq!(smallest(&chain, 3), [10, 20, 30]);
    assert_eq!(smallest(&chain, 99), [10, 20, 30, 40, 50, 60, 70]);
    assert!(call(&mut chain, 0, I::evictProgramsCall { count: U256::from(2) }).is_success());
    assert_eq!(smallest(&chain, 99), [30, 40, 50, 60, 70]);
    assert!(!chain.program(programs[3]).cached && !chain.program(programs[1]).cached);
    assert!(chain.program(programs[6]).cached);
    // two empty places, which new bids do not take
    assert_eq!(read(&chain, I::getEntriesCall {}).len(), 7);
    assert!(bid(&mut chain, programs[1], 65).is_success());
    assert_eq!(smallest(&chain, 99), [30, 40, 50, 60, 65, 70]);

    // the least bid for a program is that of the last one that has to go
    let queue = read(&chain, I::queueSizeCall {});
    assert!(call(&mut chain, 0, I::setCacheSizeCall { newSize: queue }).is_success());
    let first = size(&mut chain, programs[6]);
    assert_eq!(read(&chain, I::getMinBid_2Call { size: first }), U192::from(30));
    assert_eq!(read(&chain, I::getMinBid_2Call { size: first + 1 }), U192::from(40));
    let poor = call(&mut chain, 29, I::makeSpaceCall { size: first });
    let error = I::BidTooSmall { bid: U192::from(29), min: U192::from(30) };
    assert_eq!(poor.output, error.abi_encode());
    let space = call(&mut chain, 30, I::makeSpaceCall { size: first });
    assert_eq!(U256::from_be_slice(&space.output), U256::from(first));
    let huge = 5 * 1024 * 1024 + 1;
    let refused = call(&mut chain, 0, I::makeSpaceCall { size: huge });
    let error = I::MakeSpaceTooLarge { size: huge, limit: huge - 1 };
    assert_eq!(refused.output, error.abi_encode());

    assert!(call(&mut chain, 0, I::evictAllCall {}).is_success());
    assert_eq!(read(&chain, I::getEntriesCall {}), []);
    assert_eq!(read(&chain, I::queueSizeCall {}), 0);
    assert!(programs.iter().all(|&program| !chain.program(program).cached));
}

#[test]
fn only_owners_rule_it() {
    let (mut chain, programs) = market();
    let leave = Owner::removeChainOwnerCall { ownerToRemove: DEV_ACCOUNT }.abi_encode();
    let error = I::NotChainOwner { sender: A }.abi_encode();
    assert_eq!(read_error(&chain, I::evictAllCall {}), error);
    assert_eq!(read_error(&chain, I::setDecayRateCall { newDecay: 1 }), error);
    assert!(call(&mut chain, 0, I::pausedCall {}).is_success());
    assert!(read(&chain, I::isPausedCall {}));
    let refused = bid(&mut chain, programs[0], 1);
    assert_eq!(refused.output, I::BidsArePaused {}.abi_encode());
    assert!(call(&mut chain, 0, I::unpauseCall {}).is_success());
    assert!(bid(&mut chain, programs[0], 1).is_success());
    assert!(send(&mut chain, ARB_OWNER, leave).is_success());
    assert!(!call(&mut chain, 0, I::pausedCall {}).is_success());
}

#[test]
fn the_factory_deploys_to_the_same_address_everywhere() {
    let mut chain = chain();
    let (factory, salt) = (crate::predeploys::CREATE2_FACTORY, B256::repeat_byte(3));
    let input = [&salt[..], &init_code(&STORE)].concat();
    let outcome = send(&mut chain, factory, input.clone());
    let address = factory.create2_from_code(salt, init_code(&STORE));
    assert_eq!(outcome.output[..], address[..]);
    assert_eq!(chain.code(address), STORE);
    let again = send(&mut chain, factory, input);
    assert_eq!((again.status, again.output.len()), (TxStatus::Revert, 0));
}
