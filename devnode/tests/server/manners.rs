//! The server's manners: errors as geth has them, batches, browsers, subscriptions.

use crate::client::{Client, serve, serve_node};
use alloy::{
    eips::Encodable2718,
    network::{EthereumWallet, NetworkTransactionBuilder, TransactionBuilder},
    primitives::{Address, B256, Bytes, bytes},
    providers::{Provider, ProviderBuilder, WsConnect},
    rpc::{
        client::RpcClient,
        types::{Filter, TransactionRequest},
    },
    signers::local::PrivateKeySigner,
};
use inkling_devnode::{Chain, ChainConfig, Embedded, Node, arbos::DEV_PRIVATE_KEY, server::Limits};
use serde_json::{Value, json};

/// Init code of a contract that emits a log with topic 7 whenever it is called.
const LOGGER: Bytes = bytes!("65 60075f5fa100 5f 52 6006 601a f3");

fn signer() -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&DEV_PRIVATE_KEY).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_geths() {
    let server = serve(&["*"], Limits::default()).await;
    let mut client = Client::connect(server.address());
    let request = |rest: &str| format!(r#"{{"jsonrpc":"2.0","id":1,{rest}}}"#);
    let cases = [
        ("".into(), -32_700, "Parse error"),
        ("hello".into(), -32_700, "Parse error"),
        ("{".into(), -32_700, "Parse error"),
        ("[1,".into(), -32_700, "Parse error"),
        (r#"{"id":1}"#.into(), -32_600, "Invalid request"),
        ("[]".into(), -32_600, "Invalid request"),
        (r#"{"id":1,"method":"eth_chainId"}"#.into(), -32_600, "Invalid request"),
        (request(r#""params":[]"#), -32_600, "Invalid request"),
        (request(r#""method":7"#), -32_600, "Invalid request"),
        (
            request(r#""method":"eth_nothing""#),
            -32_601,
            "the method eth_nothing does not exist/is not available",
        ),
        (
            request(r#""method":"eth_subscribe","params":["newHeads"]"#),
            -32_601,
            "notifications not supported",
        ),
        (request(r#""method":"eth_getBalance""#), -32_602, "missing value for required argument 0"),
        (request(r#""method":"eth_getBalance","params":["0xzz"]"#), -32_602, "invalid argument 0"),
        (request(r#""method":"eth_getBalance","params":["0x12"]"#), -32_602, "invalid argument 0"),
        (request(r#""method":"eth_sendRawTransaction","params":["0x"]"#), -32_000, ""),
        (request(r#""method":"eth_sendRawTransaction","params":["0x02c0"]"#), -32_000, ""),
    ];
    for (body, code, message) in cases {
        let (got_code, got) = client.post(&body).error();
        assert!(got_code == code && got.starts_with(message), "{body}: {got_code} {got}");
    }
    // Brackets that do not close, deeper than any stack.
    let deep = "[".repeat(1 << 20);
    assert_eq!(client.post(&deep).error().0, -32_700);
    let deep = request(&format!(
        r#""method":"eth_call","params":{0}{1}"#,
        &deep[..50_000],
        "]".repeat(50_000)
    ));
    assert_eq!(client.post(deep).error().0, -32_602);
    assert_eq!(client.result("eth_chainId", json!([])), "0x64aba");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_that_cannot_be_included() {
    let server = serve(&["*"], Limits::default()).await;
    let mut client = Client::connect(server.address());
    let signed = async |chain_id, nonce, key| {
        let tx = TransactionRequest::default()
            .with_to(Address::repeat_byte(1))
            .with_chain_id(chain_id)
            .with_nonce(nonce)
            .with_gas_limit(21_000)
            .with_max_fee_per_gas(1_000_000_000)
            .with_max_priority_fee_per_gas(0);
        let wallet = EthereumWallet::from(key);
        let envelope = tx.build(&wallet).await.unwrap();
        envelope.encoded_2718()
    };
    let poor = PrivateKeySigner::from_bytes(&B256::repeat_byte(9)).unwrap();
    let mut forged = signed(412_346, 0, signer()).await;
    // An r beyond the order of the curve.
    let len = forged.len();
    forged[len - 65..len - 33].fill(0xff);
    for (raw, said) in [
        (forged, "invalid"),
        (signed(1, 0, signer()).await, "chain id"),
        (signed(412_346, 7, signer()).await, "nonce too high"),
        (signed(412_346, 0, poor).await, "insufficient funds"),
    ] {
        let (code, message) =
            client.ask("eth_sendRawTransaction", json!([Bytes::from(raw)])).error();
        assert!(code == -32_000 && message.contains(said), "{said}: {code} {message}");
        assert_eq!(client.result("eth_blockNumber", json!([])), "0x0");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_and_notifications() {
    let server = serve(&["*"], Limits::default()).await;
    let mut client = Client::connect(server.address());
    let chain_id = json!({"jsonrpc": "2.0", "id": "a", "method": "eth_chainId"});
    let mine = json!({"jsonrpc": "2.0", "method": "evm_mine"});
    let mixed = client.post(json!([chain_id, mine, 7, {"id": 3}]).to_string()).json();
    let invalid = |id: Value| json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32_600, "message": "Invalid request"}});
    let right = json!({"jsonrpc": "2.0", "id": "a", "result": "0x64aba"});
    assert_eq!(mixed, json!([right, invalid(Value::Null), invalid(json!(3))]));

    // Carried out, and not answered.
    for body in [mine.to_string(), json!([mine]).to_string()] {
        let answer = client.post(body);
        assert_eq!((answer.status, &*answer.body), (200, ""));
    }
    assert_eq!(client.result("eth_blockNumber", json!([])), "0x3");

    let most = client.post(json!(vec![&chain_id; 1_000]).to_string()).json();
    assert_eq!(most, json!(vec![&right; 1_000]));
    for count in [1_001, 10_000] {
        let (code, message) = client.post(json!(vec![&chain_id; count]).to_string()).error();
        assert_eq!((code, &*message), (-32_010, "The batch request was too large"));
    }
    assert_eq!(client.result("eth_blockNumber", json!([])), "0x3");
}

#[tokio::test(flavor = "multi_thread")]
async fn http_manners() {
    let server = serve(&["http://page.example"], Limits::default()).await;
    let mut client = Client::connect(server.address());
    let call = br#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}"#;
    let with =
        |first: &str, host: &str, rest: &str| format!("{first} / HTTP/1.1\r\nhost: {host}{rest}");
    let json = "\r\ncontent-type: application/json";
    let ours = "localhost:8547";
    let mut status = |head: &str| client.request(head, call).status;
    assert_eq!(status(&with("POST", ours, json)), 200);
    assert_eq!(status(&with("POST", "[::1]", &format!("{json}; charset=UTF-8"))), 200);
    assert_eq!(status(&with("POST", ours, "\r\ncontent-type: text/plain")), 415);
    assert_eq!(status(&with("POST", ours, "")), 415);
    assert_eq!(status(&with("PUT", ours, json)), 405);
    // A name that a page's owner has made to point here.
    assert_eq!(status(&with("POST", "rebound.example:8547", json)), 403);
    let help = client.request(&with("GET", ours, ""), b"");
    assert!(help.status == 200 && help.body.contains("JSON-RPC"), "{help:?}");

    let mut asked_by = |origin: &str| {
        let origin = format!("\r\norigin: {origin}");
        let ask = "\r\naccess-control-request-method: POST\r\naccess-control-request-headers: content-type";
        let preflight = client.request(&with("OPTIONS", ours, &(origin.clone() + ask)), b"");
        let answer = client.request(&with("POST", ours, &(origin + json)), call);
        [preflight, answer]
            .map(|answer| answer.head.contains("access-control-allow-origin: http://page.example"))
    };
    assert_eq!(asked_by("http://page.example"), [true, true]);
    assert_eq!(asked_by("http://other.example"), [false, false]);
    let upgrade = "\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
        sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\norigin: ";
    let mut open = |origin: &str| {
        client.request(&with("GET", ours, &format!("{upgrade}{origin}")), b"").status
    };
    assert_eq!(open("http://other.example"), 403);
    assert_eq!(open("http://page.example"), 101);
}

#[tokio::test(flavor = "multi_thread")]
async fn any_page_may_ask_by_default() {
    let server = serve(&["*"], Limits::default()).await;
    let mut client = Client::connect(server.address());
    let head =
        "POST / HTTP/1.1\r\nhost: localhost\r\norigin: null\r\ncontent-type: application/json";
    assert!(client.request(head, b"[]").head.contains("access-control-allow-origin: *"));
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions() {
    let node = Node::new(Chain::new(ChainConfig::default()));
    // Sends in process: over WebSocket alloy waits for receipts by subscriptions of its own.
    let sender = RpcClient::new(Embedded::new(node.clone()), true);
    let sender = ProviderBuilder::new().wallet(signer()).connect_client(sender);
    let server = serve_node(node, &["*"], Limits::default()).await;
    let url = format!("ws://{}", server.address());
    let provider = ProviderBuilder::new().connect_ws(WsConnect::new(&url)).await.unwrap();
    let mut heads = provider.subscribe_blocks().await.unwrap();
    let mut pending = provider.subscribe_pending_transactions().await.unwrap();

    let deploy = TransactionRequest::default().with_deploy_code(LOGGER);
    let deployed = sender.send_transaction(deploy).await.unwrap().get_receipt().await.unwrap();
    let logger = deployed.contract_address.unwrap();
    let topic = B256::with_last_byte(7);
    let filter = Filter::new().address(logger).event_signature(topic);
    let mut logs = provider.subscribe_logs(&filter).await.unwrap();
    let others = Filter::new().address(logger).event_signature(B256::ZERO);
    let no_logs = provider.subscribe_logs(&others).await.unwrap();
    let call = TransactionRequest::default().with_to(logger);
    let called = sender.send_transaction(call).await.unwrap().get_receipt().await.unwrap();

    for receipt in [&deployed, &called] {
        let head = heads.recv().await.unwrap();
        assert_eq!(Some(head.hash), receipt.block_hash);
        let block = provider.get_block_by_hash(head.hash).await.unwrap().unwrap();
        assert_eq!(block.header.inner, head.inner);
        assert_eq!(pending.recv().await.unwrap(), receipt.transaction_hash);
    }
    let log = logs.recv().await.unwrap();
    assert_eq!((log.address(), log.topics()), (logger, &[topic][..]));
    assert_eq!(log.transaction_hash, Some(called.transaction_hash));
    assert!(no_logs.is_empty());

    provider.unsubscribe(*heads.local_id()).await.unwrap();
    let refused =
        provider.client().request::<_, Value>("eth_subscribe", ["newNothing"]).await.unwrap_err();
    let refused = refused.as_error_resp().unwrap();
    assert_eq!(
        (refused.code, &*refused.message),
        (-32_601, "no \"newNothing\" subscription in eth namespace")
    );
    // Over the same connection.
    assert_eq!(provider.get_block_number().await.unwrap(), 2);
}
