//! Contracts written with the Stylus SDK as its examples are (`contracts/`), on the embedded chain: an ERC-20 token
//! with a constructor, a contract that calls, pays and creates others, and one that asks a precompile.
//!
//! `make test` builds them and says where; without that these tests are skipped.

use alloy::{
    primitives::{Address, B256, Bytes, U256, address, bytes, keccak256},
    signers::{SignerSync, local::PrivateKeySigner},
    sol,
    sol_types::{SolCall, SolError, SolEvent, SolValue},
};
use inkling::{
    abi::{IStylusDeployer, STYLUS_DEPLOYER},
    artifacts,
};
use inkling_devnode::{Chain, ChainConfig, TxOutcome, TxRequest, stylus};
use inkling_tests::{
    OWNER, Refusal, STRANGER,
    deployed::{init_code, outcome},
    refused,
    served::available,
};
use std::{env, fs, path::PathBuf};

sol! {
    interface Token {
        function name() external view returns (string);
        function totalSupply() external view returns (uint256);
        function balanceOf(address owner) external view returns (uint256);
        function allowance(address owner, address spender) external view returns (uint256);
        function transfer(address to, uint256 value) external returns (bool);
        function transferFrom(address from, address to, uint256 value) external returns (bool);
        function approve(address spender, uint256 value) external returns (bool);
        event Transfer(address indexed from, address indexed to, uint256 value);
        event Approval(address indexed owner, address indexed spender, uint256 value);
        error InsufficientBalance(address from, uint256 have, uint256 want);
        error InsufficientAllowance(address owner, address spender, uint256 have, uint256 want);
    }
    interface Relay {
        function calls() external view returns (uint256);
        function balanceIn(address token, address owner) external view returns (uint256);
        function passOn(address token, address to, uint256 value) external returns (bool);
        function call(address to, bytes data) external payable returns (bytes);
        function look(address to, bytes data, uint64 gas) external view returns (bytes);
        function delegate(address to, bytes data) external returns (bytes);
        function sendEther(address to) external payable;
        function create(bytes initCode, bytes32 salt) external payable returns (address);
    }
    interface Signature {
        function messageHash(string message) external view returns (bytes32);
        function signer(string message, bytes signature) external view returns (address);
        error BadSignature();
    }
}

/// Folder with the built contracts.
const BUILT: &str = "INKLING_BUILT_EXAMPLES";

/// Who has nothing.
const NOBODY: Address = address!("0000000000000000000000000000000000000d1e");

/// A chain to put contracts on.
struct Examples {
    chain: Chain,
    built: PathBuf,
}

impl Examples {
    fn new() -> Option<Self> {
        let built = env::var_os(BUILT);
        available(built.is_some(), BUILT, "`make test` builds the contracts that it names");
        let config = ChainConfig { funded: vec![OWNER, STRANGER], ..ChainConfig::default() };
        Some(Self { chain: Chain::new(config), built: built?.into() })
    }

    /// Creates, activates and constructs a contract through StylusDeployer.
    fn deploy(&mut self, name: &str, constructor: Bytes) -> (Address, TxOutcome) {
        let wasm = fs::read(self.built.join(format!("inkling_test_{name}.wasm"))).unwrap();
        let deploy = IStylusDeployer::deployCall {
            bytecode: init_code(&stylus::compress(&wasm)),
            initData: constructor,
            initValue: U256::ZERO,
            salt: B256::ZERO,
        };
        let outcome = self.send(OWNER, STYLUS_DEPLOYER, &deploy, 10u64.pow(18)).unwrap();
        let address = IStylusDeployer::deployCall::abi_decode_returns(&outcome.output).unwrap();
        (address, outcome)
    }

    fn send(
        &mut self,
        from: Address,
        to: Address,
        call: &impl SolCall,
        value: u64,
    ) -> Result<TxOutcome, Refusal> {
        let value = U256::from(value);
        let request = TxRequest { value, ..TxRequest::call(from, to, call.abi_encode()) };
        outcome(self.chain.transact(&request).unwrap())
    }

    fn call<C: SolCall>(&mut self, to: Address, call: &C) -> Result<C::Return, Refusal> {
        let request = TxRequest::call(OWNER, to, call.abi_encode());
        let outcome = outcome(self.chain.call(&request).unwrap())?;
        Ok(C::abi_decode_returns_validate(&outcome.output).unwrap())
    }

    fn token(&mut self) -> (Address, TxOutcome) {
        let arguments = ("Inkling", U256::from(1_000)).abi_encode_params();
        let selector = &artifacts::stylus_constructor(OWNER)[..4];
        self.deploy("token", [selector, &arguments].concat().into())
    }
}

/// The events of a contract in a transaction.
fn events(outcome: &TxOutcome, of: Address) -> Vec<alloy::primitives::LogData> {
    outcome.logs.iter().filter(|log| log.address == of).map(|log| log.data.clone()).collect()
}

#[test]
fn a_token() {
    let Some(mut on) = Examples::new() else { return };
    let (token, outcome) = on.token();
    let value = U256::from(1_000);
    let minted = Token::Transfer { from: Address::ZERO, to: OWNER, value }.encode_log_data();
    assert_eq!(events(&outcome, token), [minted]);
    assert_eq!(on.call(token, &Token::nameCall {}).unwrap(), "Inkling");
    assert_eq!(on.call(token, &Token::totalSupplyCall {}).unwrap(), value);

    let value = U256::from(300);
    let outcome = on.send(OWNER, token, &Token::transferCall { to: STRANGER, value }, 0).unwrap();
    let passed = Token::Transfer { from: OWNER, to: STRANGER, value }.encode_log_data();
    assert_eq!(events(&outcome, token), [passed]);
    let balances = [OWNER, STRANGER, NOBODY]
        .map(|owner| on.call(token, &Token::balanceOfCall { owner }).unwrap().to::<u64>());
    assert_eq!(balances, [700, 300, 0]);
    // Solidity's layout: `balances` is the third variable.
    let slot = keccak256((STRANGER, U256::from(2)).abi_encode());
    assert_eq!(on.chain.storage(token, slot.into()), value);

    let (have, want) = (U256::ZERO, U256::from(1));
    let taken = Token::transferFromCall { from: OWNER, to: NOBODY, value: want };
    let error = Token::InsufficientAllowance { owner: OWNER, spender: STRANGER, have, want };
    assert_eq!(on.send(STRANGER, token, &taken, 0).unwrap_err(), refused(error));
    let approve = Token::approveCall { spender: STRANGER, value: U256::from(2_000) };
    on.send(OWNER, token, &approve, 0).unwrap();
    on.send(STRANGER, token, &taken, 0).unwrap();
    let allowance = Token::allowanceCall { owner: OWNER, spender: STRANGER };
    assert_eq!(on.call(token, &allowance).unwrap(), U256::from(1_999));
    let (have, want) = (U256::from(699), U256::from(700));
    let too_much = Token::transferFromCall { from: OWNER, to: NOBODY, value: want };
    let error = Token::InsufficientBalance { from: OWNER, have, want };
    assert_eq!(on.send(STRANGER, token, &too_much, 0).unwrap_err(), refused(error));
    assert_eq!(on.call(token, &allowance).unwrap(), U256::from(1_999));
}

#[test]
fn a_contract_calls_another() {
    let Some(mut on) = Examples::new() else { return };
    let (token, _) = on.token();
    let (relay, _) = on.deploy("relay", Bytes::new());
    let value = U256::from(10);
    on.send(OWNER, token, &Token::transferCall { to: relay, value }, 0).unwrap();

    let pass = Relay::passOnCall { token, to: NOBODY, value: U256::from(4) };
    let outcome = on.send(STRANGER, relay, &pass, 0).unwrap();
    let passed = Token::Transfer { from: relay, to: NOBODY, value: U256::from(4) };
    assert_eq!(events(&outcome, token), [passed.encode_log_data()]);
    let balance = Relay::balanceInCall { token, owner: relay };
    assert_eq!(on.call(relay, &balance).unwrap(), U256::from(6));

    // The callee's refusal is the caller's, and takes back what the caller did.
    let too_much = Relay::passOnCall { token, to: NOBODY, value: U256::from(7) };
    let (have, want) = (U256::from(6), U256::from(7));
    let error = Token::InsufficientBalance { from: relay, have, want };
    assert_eq!(on.send(STRANGER, relay, &too_much, 0).unwrap_err(), refused(error));
    assert_eq!(on.call(relay, &Relay::callsCall {}).unwrap(), U256::from(1));

    // A static call may read, and not write; with too little gas it fails.
    let look = |data: Vec<u8>, gas| Relay::lookCall { to: token, data: data.into(), gas };
    let supply = Token::totalSupplyCall {}.abi_encode();
    let supplied = on.call(relay, &look(supply.clone(), 1_000_000)).unwrap();
    assert_eq!(U256::from_be_slice(&supplied), U256::from(1_000));
    assert!(on.call(relay, &look(supply, 1_000)).is_err());
    let write = Token::approveCall { spender: OWNER, value }.abi_encode();
    assert!(on.call(relay, &look(write, 1_000_000)).is_err());

    // The SDK's contracts do not let themselves be called while they call.
    let data = Relay::callsCall {}.abi_encode().into();
    assert!(on.send(OWNER, relay, &Relay::callCall { to: relay, data }, 0).is_err());
}

#[test]
fn a_contract_runs_evm_code_as_its_own() {
    let Some(mut on) = Examples::new() else { return };
    let (relay, _) = on.deploy("relay", Bytes::new());
    // SSTORE(0, 42), and the caller's word of memory back: PUSH1 42, PUSH0, SSTORE, CALLER, PUSH0, MSTORE, PUSH1 32, …
    on.chain.set_code(NOBODY, bytes!("602a5f55335f5260205ff3"));
    let delegate = Relay::delegateCall { to: NOBODY, data: Bytes::new() };
    let outcome = on.send(STRANGER, relay, &delegate, 0).unwrap();
    let answer = Relay::delegateCall::abi_decode_returns(&outcome.output).unwrap();
    assert_eq!(Address::from_word(B256::from_slice(&answer)), STRANGER);
    assert_eq!(on.call(relay, &Relay::callsCall {}).unwrap(), U256::from(42));
    assert_eq!(on.chain.storage(NOBODY, U256::ZERO), U256::ZERO);
}

#[test]
fn a_contract_sends_ether_and_creates_others() {
    let Some(mut on) = Examples::new() else { return };
    let (relay, _) = on.deploy("relay", Bytes::new());
    on.send(OWNER, relay, &Relay::sendEtherCall { to: NOBODY }, 5).unwrap();
    on.send(OWNER, relay, &Relay::callCall { to: NOBODY, data: Bytes::new() }, 6).unwrap();
    assert_eq!(on.chain.balance(NOBODY), U256::from(11));
    assert_eq!(on.chain.balance(relay), U256::ZERO);
    // `calls()` is not payable.
    assert!(on.send(OWNER, relay, &Relay::callsCall {}, 1).is_err());

    // Init code that returns the byte STOP.
    let init_code = bytes!("60015ff3");
    let salt = B256::repeat_byte(7);
    let mut created = |salt, value| {
        let create = Relay::createCall { initCode: init_code.clone(), salt };
        let outcome = on.send(OWNER, relay, &create, value).unwrap();
        Relay::createCall::abi_decode_returns(&outcome.output).unwrap()
    };
    // A contract's nonce begins with 1.
    assert_eq!(created(B256::ZERO, 3), relay.create(1));
    assert_eq!(created(salt, 0), relay.create2_from_code(salt, &init_code));
    assert_eq!(created(B256::ZERO, 0), relay.create(3));
    assert_eq!(on.chain.balance(relay.create(1)), U256::from(3));
    assert_eq!(on.chain.code(relay.create(3)), bytes!("00"));
    // A second time there is something at the address.
    let create = Relay::createCall { initCode: init_code, salt };
    assert!(on.send(OWNER, relay, &create, 0).is_err());
}

#[test]
fn a_contract_asks_a_precompile() {
    let Some(mut on) = Examples::new() else { return };
    let (contract, _) = on.deploy("signature", Bytes::new());
    let signer = PrivateKeySigner::from_bytes(&keccak256("a signer")).unwrap();
    let message = "coffee and donuts".to_string();
    let signature = Bytes::from(signer.sign_message_sync(message.as_bytes()).unwrap().as_bytes());
    let hash = on.call(contract, &Signature::messageHashCall { message: message.clone() }).unwrap();
    assert_eq!(hash, alloy::primitives::eip191_hash_message(&message));
    let asked = Signature::signerCall { message: message.clone(), signature: signature.clone() };
    assert_eq!(on.call(contract, &asked).unwrap(), signer.address());
    let other = Signature::signerCall { message: "tea".into(), signature: signature.clone() };
    assert_ne!(on.call(contract, &other).unwrap(), signer.address());
    let short = Signature::signerCall { message, signature: signature.slice(1..) };
    assert_eq!(on.call(contract, &short).unwrap_err(), refused(Signature::BadSignature {}));
    assert_eq!(Signature::BadSignature {}.abi_encode().len(), 4);
}
