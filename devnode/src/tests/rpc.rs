//! JSON-RPC beyond the first steps: limits, state overrides, the words of errors.

use super::*;

#[test]
fn calls_and_estimates_have_at_most_50_million_gas() {
    let mut chain = chain();
    chain.set_code(A, bytes!("5a5f5260205ff3")); // returns what GAS gives
    chain.set_code(B, LOOP);
    let node = Node::new(chain);
    let call = |to: Address| json!([{ "to": to, "gas": "0xffffffffffffffff" }]);
    let left = node.handle("eth_call", call(A)).unwrap();
    assert_eq!(left, json!(B256::from(U256::from(50_000_000 - 21_000 - 2))));
    assert_eq!(rpc_error(&node, "eth_call", call(B)).1, "out of gas");
    let error = rpc_error(&node, "eth_estimateGas", call(B)).1;
    assert_eq!(error, "gas required exceeds allowance (32000000)");
    assert!(node.handle("eth_estimateGas", call(A)).is_ok());
}

#[test]
fn overrides_last_for_one_call() {
    let mut chain = chain();
    chain.set_code(A, bytes!("6001545f545f5260205260405ff3")); // returns slots 0 and 1
    chain.set_storage(A, U256::ZERO, U256::from(5));
    chain.set_storage(A, U256::ONE, U256::from(6));
    let time = chain.config().genesis_time + 1000;
    chain.set_next_time(time);
    let node = Node::new(chain);
    let call = |set: Value| {
        let words = node.handle("eth_call", json!([{ "to": A }, "latest", { A.to_string(): set }]));
        let words: Bytes = serde_json::from_value(words.unwrap()).unwrap();
        (words[31], words[63])
    };
    let nine = json!({ B256::ZERO.to_string(): B256::with_last_byte(9) });
    assert_eq!(call(json!({})), (5, 6));
    assert_eq!(call(json!({ "stateDiff": nine })), (9, 6));
    assert_eq!(call(json!({ "state": nine })), (9, 0));
    assert_eq!(call(json!({})), (5, 6));
    let estimate = json!([{ "to": B }, "latest", { B.to_string(): { "code": STORE } }]);
    let gas: U256 =
        serde_json::from_value(node.handle("eth_estimateGas", estimate).unwrap()).unwrap();
    assert!(gas > U256::from(43_000));
    assert_eq!(node.handle("eth_getCode", json!([B])).unwrap(), json!("0x"));
    node.handle("evm_mine", json!([])).unwrap();
    assert_eq!(node.chain().latest().header.timestamp, time);
}

#[test]
fn refusals_in_the_words_of_geth() {
    let node = Node::new(chain());
    let history = json!(["0x1", "latest", vec![1.0; 101]]);
    let error = rpc_error(&node, "eth_feeHistory", history).1;
    assert_eq!(error, "invalid reward percentile: over the query limit 100");
    let poor = json!([{ "from": B, "to": A, "value": "0x1" }]);
    assert_eq!(rpc_error(&node, "eth_call", poor).1, "insufficient funds for transfer");
}

#[tokio::test(flavor = "current_thread")]
async fn the_gas_price_of_a_legacy_transaction_is_the_one_it_was_signed_with() {
    let node = Node::new(chain());
    let signer = PrivateKeySigner::from_bytes(&DEV_PRIVATE_KEY).unwrap();
    let provider = ProviderBuilder::new()
        .wallet(signer)
        .connect_client(RpcClient::new(Embedded::new(node.clone()), true));
    for (legacy, price) in [(true, 200_000_000), (false, 100_000_000)] {
        let transfer = TransactionRequest::default().with_to(A);
        let transfer = match legacy {
            true => transfer.with_gas_price(200_000_000),
            false => transfer.with_max_fee_per_gas(200_000_000).with_max_priority_fee_per_gas(0),
        };
        let hash = *provider.send_transaction(transfer).await.unwrap().tx_hash();
        let tx = node.handle("eth_getTransactionByHash", json!([hash])).unwrap();
        assert_eq!(tx["gasPrice"], json!(U256::from(price)));
    }
}
