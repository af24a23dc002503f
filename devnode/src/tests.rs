//! The chain as a whole: transactions of every kind, EVM and Stylus code calling each other, JSON-RPC.

mod activation;
mod cache_manager;
mod creation;
mod frame_host;
mod guards;
mod history;
mod l1;
mod nitro;
mod precompiles;
mod programs;
mod rpc;
mod sample;
mod storage;
mod tools;
mod versions;

use crate::{
    arbos::{DEV_ACCOUNT, DEV_PRIVATE_KEY, TX_GAS_CAP},
    chain::Chain,
    config::ChainConfig,
    node::Node,
    precompiles::{ARB_SYS, ARB_WASM, arb_wasm::IArbWasm},
    predeploys::{DEV_NONCE, STYLUS_DEPLOYER},
    replay::replay,
    stylus::compress,
    transport::Embedded,
    tx::{TxOutcome, TxRequest, TxStatus},
};
use alloy::{
    network::TransactionBuilder,
    providers::{Provider, ProviderBuilder},
    rpc::{client::RpcClient, types::TransactionRequest},
    signers::local::PrivateKeySigner,
    sol,
    sol_types::{SolCall, SolError, SolEvent},
};
use alloy_primitives::{Address, B256, Bytes, U256, bytes, hex};
use revm::context::result::HaltReason;
use serde_json::{Value, json};
use std::path::PathBuf;

const A: Address = Address::repeat_byte(0xaa);
const B: Address = Address::repeat_byte(0xbb);
const PROGRAM: Address = Address::repeat_byte(0x50);

/// Calls the address in the first word of its calldata with the rest, and returns or reverts with what that gave.
const FORWARD: Bytes =
    bytes!("366020900360205f375f5f36602090035f345f355af13d5f5f3e6020573d5ffd5b3d5ff3");
/// Stores 42 in slot 0.
const STORE: Bytes = bytes!("602a5f5500");
/// Stores 42 in slot 0 and reverts with that word.
const STORE_AND_REVERT: Bytes = bytes!("602a5f55602a5f5260205ffd");
/// Jumps for ever.
const LOOP: Bytes = bytes!("5b5f56");

fn vectors() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors"))
}

fn chain() -> Chain {
    Chain::new(ChainConfig::default())
}

fn program(name: &str) -> Bytes {
    let wasm = wat::parse_file(vectors().join(name)).unwrap();
    compress(&wasm).into()
}

/// A chain with an activated program at [`PROGRAM`].
fn chain_with(name: &str) -> Chain {
    let mut chain = chain();
    chain.set_code(PROGRAM, program(name));
    chain.activate(PROGRAM).unwrap();
    chain
}

fn send(chain: &mut Chain, to: Address, input: impl Into<Bytes>) -> TxOutcome {
    let request = TxRequest::call(DEV_ACCOUNT, to, input);
    chain.transact(&request).unwrap()
}

/// A record of `caller.wat`: call `to` with `input` and all gas.
fn call_record(to: Address, input: &[u8]) -> Vec<u8> {
    let len = (input.len() as u16).to_le_bytes();
    [&[0], &[0xff; 8][..], &[0], to.as_slice(), &len, input].concat()
}

/// Init code that deploys `code`.
fn init_code(code: &[u8]) -> Bytes {
    let len = (code.len() as u16).to_be_bytes();
    let mut init = vec![0x61, len[0], len[1], 0x80, 0x60, 0x0a, 0x5f, 0x39, 0x5f, 0xf3];
    init.extend(code);
    init.into()
}

fn forward(to: Address, input: &[u8]) -> Vec<u8> {
    [to.into_word().as_slice(), input].concat()
}

#[test]
fn a_transfer_costs_21000_gas_at_the_base_fee() {
    let mut chain = chain();
    let before = chain.balance(DEV_ACCOUNT);
    let request =
        TxRequest { value: U256::from(5), ..TxRequest::call(DEV_ACCOUNT, A, Bytes::new()) };
    let outcome = chain.transact(&request).unwrap();
    assert_eq!((outcome.gas_used, outcome.trace.gas), (21_000, 0));
    assert_eq!(chain.balance(A), U256::from(5));
    let fee = U256::from(21_000u64 * 100_000_000);
    assert_eq!(chain.balance(DEV_ACCOUNT), before - fee - U256::from(5));
    let fee_account = chain.config().fee_account;
    assert_eq!(chain.balance(fee_account), fee);
    assert_eq!(chain.nonce(DEV_ACCOUNT), DEV_NONCE + 1);
    assert_eq!(chain.number(), 1);
}

#[test]
fn creation_and_its_limits() {
    let mut chain = chain();
    let create = |chain: &mut Chain, code: &[u8]| {
        let request = TxRequest::create(DEV_ACCOUNT, init_code(code));
        chain.transact(&request).unwrap()
    };
    let created = create(&mut chain, &STORE).created.unwrap();
    assert_eq!(chain.code(created), STORE);
    assert_eq!(chain.nonce(created), 1);
    // EIP-3541, and its exception
    let refused = create(&mut chain, &[0xef, 0xf0, 0x01, 0x00]);
    assert_eq!(refused.status, TxStatus::Halt(HaltReason::CreateContractStartingWithEF));
    let allowed = create(&mut chain, &[0xef, 0xf0, 0x00, 0x00]);
    assert!(allowed.is_success());
    // EIP-170 and EIP-3860
    assert!(create(&mut chain, &[0; 24_576]).is_success());
    let too_large = create(&mut chain, &[0; 24_577]);
    assert_eq!(too_large.status, TxStatus::Halt(HaltReason::CreateContractSizeLimit));
    let request = TxRequest::create(DEV_ACCOUNT, vec![0; 49_153]);
    assert!(chain.transact(&request).is_err());
}

#[test]
fn a_revert_keeps_its_data_and_nothing_else() {
    let mut chain = chain();
    chain.set_code(A, STORE_AND_REVERT);
    let outcome = send(&mut chain, A, Bytes::new());
    assert_eq!(outcome.status, TxStatus::Revert);
    assert_eq!(outcome.output[..], B256::with_last_byte(42).0);
    assert_eq!(chain.storage(A, U256::ZERO), U256::ZERO);
}

#[test]
fn code_gets_32_million_gas_and_the_rest_is_given_back() {
    let mut chain = chain();
    chain.set_code(A, LOOP);
    let request =
        TxRequest { gas_limit: 50_000_000, ..TxRequest::call(DEV_ACCOUNT, A, Bytes::new()) };
    let outcome = chain.transact(&request).unwrap();
    assert!(matches!(outcome.status, TxStatus::Halt(HaltReason::OutOfGas(_))));
    assert_eq!(outcome.gas_used, TX_GAS_CAP);
    assert_eq!(chain.call(&request).unwrap().gas_used, 50_000_000);
}

#[test]
fn calls_cross_between_evm_and_stylus() {
    let mut chain = chain_with("caller.wat");
    chain.set_code(A, FORWARD);
    chain.set_code(B, STORE);
    // EVM → Stylus → EVM → Stylus → EVM
    let inner = forward(PROGRAM, &call_record(B, &[]));
    let outer = forward(PROGRAM, &call_record(A, &inner));
    let outcome = send(&mut chain, A, outer);
    assert_eq!(outcome.status, TxStatus::Success);
    assert_eq!(chain.storage(B, U256::ZERO), U256::from(42));
    // status, length of the return data twice, and the data: that of the inner program, which got nothing
    let inner_output = hex!("000000000000000000");
    assert_eq!(outcome.output[..9], hex!("000900000009000000"));
    assert_eq!(outcome.output[9..], inner_output);
}

#[test]
fn a_callee_that_reverts_undoes_only_its_own_changes() {
    let mut chain = chain_with("caller.wat");
    chain.set_code(A, STORE);
    chain.set_code(B, STORE_AND_REVERT);
    let input = [call_record(A, &[]), call_record(B, &[])].concat();
    let outcome = send(&mut chain, PROGRAM, input);
    assert!(outcome.is_success());
    assert_eq!(chain.storage(A, U256::ZERO), U256::from(42));
    assert_eq!(chain.storage(B, U256::ZERO), U256::ZERO);
    assert_eq!(outcome.output[9..18], hex!("022000000020000000"));
    assert_eq!(outcome.output[18..], B256::with_last_byte(42).0);
}

/// Calls itself and returns one more than what that returned.
const RECURSIVE: &str = r#"(module
    (import "vm_hooks" "contract_address" (func $self (param i32)))
    (import "vm_hooks" "call_contract" (func $call (param i32 i32 i32 i32 i64 i32) (result i32)))
    (import "vm_hooks" "read_return_data" (func $read (param i32 i32 i32) (result i32)))
    (import "vm_hooks" "write_result" (func $write (param i32 i32)))
    (memory (export "memory") 1 1)
    (func (export "user_entrypoint") (param i32) (result i32)
        (call $self (i32.const 0))
        (drop (call $call (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 32) (i64.const -1) (i32.const 96)))
        (drop (call $read (i32.const 64) (i32.const 0) (i32.const 4)))
        (i32.store (i32.const 64) (i32.add (i32.load (i32.const 64)) (i32.const 1)))
        (call $write (i32.const 64) (i32.const 4))
        (i32.const 0)))"#;

#[test]
fn programs_nest_until_their_memory_is_up() {
    let mut chain = chain();
    let wasm = wat::parse_str(RECURSIVE).unwrap();
    chain.set_code(PROGRAM, compress(&wasm).into());
    chain.activate(PROGRAM).unwrap();
    let request =
        TxRequest { gas_limit: 1 << 60, ..TxRequest::call(DEV_ACCOUNT, PROGRAM, Bytes::new()) };
    let outcome = chain.call(&request).unwrap();
    assert!(outcome.is_success(), "{outcome:?}");
    // One page each; at no price can a transaction have more than 128 open.
    assert_eq!(outcome.output[..], 128u32.to_le_bytes());
}

#[test]
fn a_cached_program_starts_cheaper() {
    let mut chain = chain_with("args_result.wat");
    let uncached = send(&mut chain, PROGRAM, Bytes::new()).trace.call_cost.unwrap();
    chain.set_cached(PROGRAM, true).unwrap();
    let cached = send(&mut chain, PROGRAM, Bytes::new()).trace.call_cost.unwrap();
    let info = chain.program(PROGRAM);
    let params = chain.config().stylus.clone();
    assert_eq!(cached.init, params.cached_init_gas(info.cached_cost));
    assert_eq!(uncached.init - cached.init, params.init_gas(info.init_cost));
    chain.set_cached(PROGRAM, false).unwrap();
    let again = send(&mut chain, PROGRAM, Bytes::new()).trace.call_cost.unwrap();
    assert_eq!(again, uncached);
}

#[test]
fn activation_by_transaction() {
    let mut chain = chain();
    chain.set_code(PROGRAM, program("args_result.wat"));
    let not_active = send(&mut chain, PROGRAM, Bytes::new());
    assert_eq!(not_active.error().unwrap(), "program not activated");
    assert_eq!(not_active.gas_used, 30_000_000);
    assert!(chain.set_cached(PROGRAM, true).is_err());

    let activate = IArbWasm::activateProgramCall { program: PROGRAM }.abi_encode();
    let mut request = TxRequest::call(DEV_ACCOUNT, ARB_WASM, activate);
    let unpaid = chain.transact(&request).unwrap();
    let error = IArbWasm::ProgramInsufficientValue::abi_decode(&unpaid.output).unwrap();
    assert_eq!(chain.program(PROGRAM).version, 0);

    request.value = U256::from(10u64.pow(18));
    let before = chain.balance(DEV_ACCOUNT);
    let outcome = chain.transact(&request).unwrap();
    assert!(outcome.is_success());
    let event = IArbWasm::ProgramActivated::decode_log(&outcome.logs[0]).unwrap();
    assert_eq!((event.program, event.version), (PROGRAM, 2));
    assert_eq!(event.dataFee, error.want);
    let gas = U256::from(outcome.gas_used * 100_000_000);
    assert_eq!(chain.balance(DEV_ACCOUNT), before - gas - event.dataFee);
    assert_eq!(chain.balance(ARB_WASM), U256::ZERO);
    assert!(send(&mut chain, PROGRAM, Bytes::new()).is_success());

    let again = chain.transact(&request).unwrap();
    assert_eq!(again.output, IArbWasm::ProgramUpToDate {}.abi_encode());
    request.input = IArbWasm::activateProgramCall { program: A }.abi_encode().into();
    let nothing = chain.transact(&request).unwrap();
    assert_eq!(nothing.output, IArbWasm::ProgramNotWasm {}.abi_encode());
}

#[test]
fn precompiles_answer() {
    let mut chain = chain();
    let selector = &alloy_primitives::keccak256("arbChainID()")[..4];
    let outcome = send(&mut chain, ARB_SYS, selector.to_vec());
    assert_eq!(U256::from_be_slice(&outcome.output), U256::from(412_346));
    let version = IArbWasm::stylusVersionCall {}.abi_encode();
    let outcome = send(&mut chain, ARB_WASM, version);
    assert_eq!(U256::from_be_slice(&outcome.output), U256::from(2));
    // 800 for opening ArbOS state, 100 for the parameters, 3 for a word of result
    assert_eq!(outcome.trace.gas, 903);
    let unknown = send(&mut chain, ARB_WASM, hex!("01020304"));
    assert_eq!((unknown.status, unknown.gas_used), (TxStatus::Revert, 30_000_000));
    assert_eq!(chain.code(ARB_WASM)[..], hex!("fe"));
}

sol! {
    function deploy(bytes bytecode, bytes initData, uint256 initValue, bytes32 salt) external payable returns (address);
    event ContractDeployed(address deployedContract);
}

#[test]
fn the_deployer_creates_activates_and_constructs() {
    let mut chain = chain();
    chain.set_code(B, STORE);
    let request = TxRequest {
        value: U256::from(10u64.pow(18)),
        ..TxRequest::call(
            DEV_ACCOUNT,
            STYLUS_DEPLOYER,
            deployCall {
                bytecode: init_code(&program("caller.wat")),
                initData: call_record(B, &[]).into(),
                initValue: U256::from(7),
                salt: B256::with_last_byte(1),
            }
            .abi_encode(),
        )
    };
    let outcome = chain.transact(&request).unwrap();
    assert!(outcome.is_success(), "{outcome:?}");
    let log = outcome.logs.last().unwrap();
    let deployed = ContractDeployed::decode_log(log).unwrap().deployedContract;
    assert_eq!(chain.program(deployed).version, 2);
    assert_eq!(chain.balance(deployed), U256::from(7));
    assert_eq!(chain.storage(B, U256::ZERO), U256::from(42));
    assert_eq!(chain.balance(STYLUS_DEPLOYER), U256::ZERO);
    // the same salt again collides
    assert_eq!(chain.transact(&request).unwrap().status, TxStatus::Revert);
}

#[test]
fn snapshots_bring_back_state_and_blocks() {
    let mut chain = chain();
    chain.set_code(A, STORE);
    let snapshot = chain.snapshot();
    send(&mut chain, A, Bytes::new());
    let hash = *chain.latest().txs[0].envelope.tx_hash();
    assert_eq!(chain.storage(A, U256::ZERO), U256::from(42));
    assert!(chain.revert(snapshot));
    assert_eq!(chain.storage(A, U256::ZERO), U256::ZERO);
    assert_eq!((chain.number(), chain.nonce(DEV_ACCOUNT)), (0, DEV_NONCE));
    assert!(chain.tx(hash).is_none());
    assert!(!chain.revert(snapshot));
}

#[test]
fn every_vector_is_exact() {
    let mut files = Vec::new();
    for folder in ["", "derived", "rejects"] {
        for entry in std::fs::read_dir(vectors().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "json") {
                files.push(path);
            }
        }
    }
    let mut calls = 0;
    for file in files {
        let result = replay(&file).unwrap();
        assert_eq!(result.differences, [], "{}", file.display());
        calls += result.calls;
    }
    assert_eq!(calls, 347);
}

fn rpc_error(node: &Node, method: &str, params: Value) -> (i64, String) {
    let error = node.handle(method, params).unwrap_err();
    (error.code, error.message)
}

#[test]
fn json_rpc_speaks_like_geth() {
    let mut chain = chain();
    chain.set_code(A, STORE_AND_REVERT);
    chain.set_code(B, LOOP);
    let node = Node::new(chain);
    assert_eq!(node.handle("eth_chainId", Value::Null).unwrap(), json!("0x64aba"));
    assert_eq!(rpc_error(&node, "eth_nothing", json!([])).0, -32_601);
    assert_eq!(rpc_error(&node, "eth_getBalance", json!([])).0, -32_602);
    assert_eq!(rpc_error(&node, "eth_getBalance", json!(["0x12"])).0, -32_602);
    let call = |to: Address| json!([{ "to": to, "gas": "0xf4240" }, "latest"]);
    let error = node.handle("eth_call", call(A)).unwrap_err();
    assert_eq!((error.code, error.message.as_str()), (3, "execution reverted"));
    assert_eq!(error.data, Some(json!(B256::with_last_byte(42))));
    assert_eq!(rpc_error(&node, "eth_call", call(B)), (-32_000, "out of gas".into()));
    assert_eq!(rpc_error(&node, "eth_estimateGas", call(A)).0, 3);
    assert_eq!(node.handle("evm_snapshot", json!([])).unwrap(), json!("0x1"));
    node.handle("evm_mine", json!([])).unwrap();
    assert_eq!(node.handle("evm_revert", json!(["0x1"])).unwrap(), json!(true));
    assert_eq!(node.handle("eth_blockNumber", json!([])).unwrap(), json!("0x0"));
    let not_active = rpc_error(&node, "inkling_setCached", json!([A, true]));
    assert_eq!(not_active, (-32_000, "program not activated".into()));
    // code that is there for the time of one call
    let overridden =
        json!([{ "to": A }, "latest", { A.to_string(): { "code": "0x60075f5260205ff3" } }]);
    let output = node.handle("eth_call", overridden).unwrap();
    assert_eq!(output, json!(B256::with_last_byte(7)));
    assert_eq!(node.handle("eth_getCode", json!([A, "latest"])).unwrap(), json!(STORE_AND_REVERT));
}

#[tokio::test(flavor = "current_thread")]
async fn a_provider_works_as_over_http() {
    let node = Node::new(chain());
    let signer = PrivateKeySigner::from_bytes(&DEV_PRIVATE_KEY).unwrap();
    assert_eq!(signer.address(), DEV_ACCOUNT);
    let provider = ProviderBuilder::new()
        .wallet(signer)
        .connect_client(RpcClient::new(Embedded::new(node.clone()), true));
    assert_eq!(provider.get_chain_id().await.unwrap(), 412_346);

    let create = TransactionRequest::default().with_deploy_code(init_code(&STORE));
    let receipt = provider.send_transaction(create).await.unwrap().get_receipt().await.unwrap();
    let contract = receipt.contract_address.unwrap();
    assert_eq!(provider.get_code_at(contract).await.unwrap(), STORE);

    let call = TransactionRequest::default().with_to(contract);
    let estimate = provider.estimate_gas(call.clone().with_from(DEV_ACCOUNT)).await.unwrap();
    let pending = provider.send_transaction(call).await.unwrap();
    let receipt = pending.get_receipt().await.unwrap();
    assert!(receipt.status());
    // 21,000; PUSH1 3, PUSH0 2, SSTORE 22,100
    assert_eq!(receipt.gas_used, 43_105);
    assert!((43_105..43_105 * 103 / 100 + 2_400).contains(&estimate));
    let stored = provider.get_storage_at(contract, U256::ZERO).await.unwrap();
    assert_eq!(stored, U256::from(42));
    let block = provider.get_block_by_number(2.into()).full().await.unwrap().unwrap();
    assert_eq!(block.transactions.len(), 1);
    let tx = provider.get_transaction_by_hash(receipt.transaction_hash).await.unwrap();
    assert_eq!(tx.unwrap().block_number, Some(2));

    let raw = node.handle("eth_getTransactionReceipt", json!([receipt.transaction_hash])).unwrap();
    assert_eq!((&raw["gasUsedForL1"], &raw["l1BlockNumber"]), (&json!("0x0"), &json!("0x2")));
}
