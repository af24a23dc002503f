//! What client libraries and tools ask beyond calls and transactions: filters, test modes, tracers, the node's accounts.

use super::*;

fn node() -> Node {
    let signer = PrivateKeySigner::from_bytes(&DEV_PRIVATE_KEY).unwrap();
    Node::with_accounts(chain(), vec![signer])
}

fn ask(node: &Node, method: &str, params: Value) -> Value {
    node.handle(method, params).unwrap()
}

/// Logs its calldata without topics.
const LOGGER: Bytes = bytes!("365f5f37365fa000");

#[test]
fn filters_give_what_is_new() {
    let node = node();
    node.chain().set_code(A, LOGGER);
    let logs = ask(&node, "eth_newFilter", json!([{ "address": A }]));
    let others = ask(&node, "eth_newFilter", json!([{ "address": B }]));
    let blocks = ask(&node, "eth_newBlockFilter", json!([]));
    let pending = ask(&node, "eth_newPendingTransactionFilter", json!([]));
    let transaction = json!([{ "from": DEV_ACCOUNT, "to": A, "data": "0x0102" }]);
    let hash = ask(&node, "eth_sendTransaction", transaction);
    let changes = |id: &Value| ask(&node, "eth_getFilterChanges", json!([id]));
    let found = changes(&logs);
    assert_eq!((&found[0]["data"], &found[0]["transactionHash"]), (&json!("0x0102"), &hash));
    assert_eq!(changes(&others), json!([]));
    assert_eq!(changes(&blocks), json!([node.read().latest().hash]));
    assert_eq!(changes(&pending), json!([hash]));
    for id in [&logs, &blocks, &pending] {
        assert_eq!(changes(id), json!([]));
    }
    assert_eq!(ask(&node, "eth_getFilterLogs", json!([logs]))[0]["data"], json!("0x0102"));
    assert_eq!(ask(&node, "eth_uninstallFilter", json!([logs])), json!(true));
    assert_eq!(ask(&node, "eth_uninstallFilter", json!([logs])), json!(false));
    assert_eq!(rpc_error(&node, "eth_getFilterChanges", json!([logs])).1, "filter not found");
}

#[test]
fn there_are_at_most_so_many_filters() {
    let node = node();
    for _ in 0..1000 {
        ask(&node, "eth_newBlockFilter", json!([]));
    }
    let error = rpc_error(&node, "eth_newFilter", json!([{}])).1;
    assert_eq!(error, "too many filters: at most 1000");
}

#[test]
fn the_node_signs_for_its_accounts_alone() {
    let node = node();
    assert_eq!(ask(&node, "eth_accounts", json!([])), json!([DEV_ACCOUNT]));
    let transfer = |from: Address| json!([{ "from": from, "to": B, "value": "0x5" }]);
    let hash = ask(&node, "eth_sendTransaction", transfer(DEV_ACCOUNT));
    let receipt = ask(&node, "eth_getTransactionReceipt", json!([hash]));
    assert_eq!((&receipt["status"], &receipt["gasUsed"]), (&json!("0x1"), &json!("0x5208")));
    assert_eq!(rpc_error(&node, "eth_sendTransaction", transfer(A)).1, "unknown account");
    ask(&node, "hardhat_setBalance", json!([A, "0xde0b6b3a7640000"]));
    ask(&node, "anvil_impersonateAccount", json!([A]));
    let hash = ask(&node, "eth_sendTransaction", transfer(A));
    let tx = ask(&node, "eth_getTransactionByHash", json!([hash]));
    assert_eq!(tx["from"], json!(A));
    ask(&node, "anvil_stopImpersonatingAccount", json!([A]));
    assert_eq!(rpc_error(&node, "eth_sendTransaction", transfer(A)).1, "unknown account");
    assert_eq!(ask(&node, "eth_getBalance", json!([B])), json!("0xa"));
    // EIP-191: the signature of "hi" recovers to the account.
    let signature: Bytes =
        serde_json::from_value(ask(&node, "personal_sign", json!(["0x6869", DEV_ACCOUNT])))
            .unwrap();
    let signature = alloy_primitives::Signature::try_from(&signature[..]).unwrap();
    assert_eq!(signature.recover_address_from_msg("hi").unwrap(), DEV_ACCOUNT);
}

#[test]
fn test_modes_set_what_they_like() {
    let node = node();
    ask(&node, "anvil_setCode", json!([A, STORE]));
    ask(&node, "hardhat_setStorageAt", json!([A, "0x1", B256::with_last_byte(8)]));
    ask(&node, "anvil_setNonce", json!([A, "0x9"]));
    let chain = node.read();
    assert_eq!((chain.code(A), chain.nonce(A)), (STORE, 9));
    assert_eq!(chain.storage(A, U256::ONE), U256::from(8));
    let time = node.read().latest().header.timestamp;
    ask(&node, "evm_increaseTime", json!([3600]));
    ask(&node, "evm_mine", json!([]));
    assert_eq!(node.read().latest().header.timestamp, time + 3601);
    ask(&node, "evm_setNextBlockTimestamp", json!([time + 9000]));
    ask(&node, "hardhat_mine", json!(["0x3e8", "0x2"]));
    let chain = node.read();
    assert_eq!((chain.number(), chain.latest().header.timestamp), (1001, time + 9000 + 2 * 999));
    let past = rpc_error(&node, "evm_setNextBlockTimestamp", json!([time])).1;
    assert!(past.contains("is before the latest block's"), "{past}");
    ask(&node, "hardhat_setNextBlockBaseFeePerGas", json!(["0x3b9aca00"]));
    assert_eq!(ask(&node, "eth_gasPrice", json!([])), json!("0x3b9aca00"));
    let id = ask(&node, "evm_snapshot", json!([]));
    ask(&node, "anvil_setBalance", json!([B, "0x7"]));
    assert_eq!(ask(&node, "evm_revert", json!([id])), json!(true));
    assert_eq!(ask(&node, "eth_getBalance", json!([B])), json!("0x0"));
    assert_eq!(ask(&node, "evm_revert", json!([id])), json!(false));
}

#[test]
fn hostios_of_a_transaction() {
    let mut chain = chain_with("caller.wat");
    chain.set_code(A, STORE);
    send(&mut chain, PROGRAM, call_record(A, &[7]));
    let hash = *chain.latest().txs[0].envelope.tx_hash();
    let gas_used = chain.latest().txs[0].outcome.gas_used;
    let node = Node::new(chain);
    let native = json!([hash, { "tracer": "stylusTracer" }]);
    let steps = ask(&node, "debug_traceTransaction", native);
    let names: Vec<&str> =
        steps.as_array().unwrap().iter().map(|step| step["name"].as_str().unwrap()).collect();
    assert_eq!(names.first(), Some(&"user_entrypoint"));
    assert_eq!(names.last(), Some(&"user_returned"));
    let call = names.iter().position(|&name| name == "call_contract").unwrap();
    assert_eq!((&steps[call]["address"], &steps[call]["steps"]), (&json!(A), &json!([])));
    let args = steps[call]["args"].as_str().unwrap();
    assert!(args.starts_with(&A.to_string().to_lowercase()) && args.ends_with("07"), "{args}");
    // Ink falls from one hostio to the next.
    let ink = |index: usize, end: &str| steps[index][end].as_u64().unwrap();
    for index in 1..names.len() - 1 {
        assert!(ink(index, "startInk") >= ink(index, "endInk"));
        assert!(ink(index - 1, "endInk") >= ink(index, "startInk"));
    }
    let script = json!([hash, { "tracer": "{ \"hostio\": function(info) {} }" }]);
    assert_eq!(ask(&node, "debug_traceTransaction", script), steps);
    let calls = ask(&node, "debug_traceTransaction", json!([hash, { "tracer": "callTracer" }]));
    assert_eq!(calls["gasUsed"], json!(format!("{gas_used:#x}")));
    assert_eq!((&calls["calls"][0]["to"], &calls["calls"][0]["type"]), (&json!(A), &json!("CALL")));
    let call = json!([{ "to": PROGRAM, "data": Bytes::from(call_record(A, &[7])) }, "latest", { "tracer": "stylusTracer" }]);
    let traced = ask(&node, "debug_traceCall", call);
    assert_eq!(traced[0]["name"], json!("user_entrypoint"));
    let other = json!([hash, { "tracer": "prestateTracer" }]);
    let error = rpc_error(&node, "debug_traceTransaction", other).1;
    assert_eq!(error, "no tracer prestateTracer: there are stylusTracer and callTracer");
}

#[test]
fn access_lists_name_what_is_touched() {
    let node = node();
    node.chain().set_code(A, STORE);
    let list = ask(&node, "eth_createAccessList", json!([{ "from": DEV_ACCOUNT, "to": A }]));
    assert_eq!(list["accessList"], json!([{ "address": A, "storageKeys": [B256::ZERO] }]));
    // 21,000 + 2,400 + 1,900 for the list, 2 + 2 to push, 20,000 for a warm slot that was zero
    assert_eq!(list["gasUsed"], json!(format!("{:#x}", 21_000 + 2_400 + 1_900 + 5 + 20_000)));
}

#[test]
fn parameters_that_contradict_are_refused() {
    let node = node();
    let refused =
        |call: Value, rest: Value| rpc_error(&node, "eth_call", json!([call, "latest", rest])).1;
    let both = json!({ "to": A, "gasPrice": "0x1", "maxFeePerGas": "0x1" });
    let words = "both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified";
    assert_eq!(refused(both, json!({})), words);
    let tip = json!({ "to": A, "maxFeePerGas": "0x1", "maxPriorityFeePerGas": "0x2" });
    assert!(refused(tip, json!({})).starts_with("max priority fee per gas higher than max fee"));
    let data = json!({ "to": A, "data": "0x01", "input": "0x02" });
    assert!(refused(data, json!({})).starts_with("both \"data\" and \"input\" are set"));
    let chain_id = json!({ "to": A, "chainId": "0x1" });
    let words = "chainId does not match node's (have=1, want=412346)";
    assert_eq!(refused(chain_id, json!({})), words);
    let state = json!({ A.to_string(): { "state": {}, "stateDiff": {} } });
    assert!(refused(json!({ "to": A }), state).ends_with("has both 'state' and 'stateDiff'"));
    let (code, message) = rpc_error(&node, "eth_chainId", json!({ "a": 1 }));
    assert_eq!((code, &*message), (-32602, "non-array args"));
}
