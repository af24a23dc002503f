//! Clients that mean harm. After each the node answers the next request, and its memory stays bounded.
//!
//! One test, so that figures are of one thing at a time; `--nocapture` shows them.

use crate::client::{Client, serve_node};
use alloy::{
    network::TransactionBuilder,
    primitives::{Address, Bytes, U256, hex},
    providers::{Provider, ProviderBuilder},
    rpc::{client::RpcClient, types::TransactionRequest},
    signers::local::PrivateKeySigner,
    sol_types::SolCall,
};
use inkling_devnode::{
    Chain, ChainConfig, Embedded, Node,
    arbos::DEV_PRIVATE_KEY,
    precompiles::{ARB_WASM, arb_wasm::IArbWasm},
    server::Limits,
    stylus::compress,
};
use serde_json::{Value, json};
use std::{
    fs,
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

/// Most resident memory of the process, in KiB, whatever the clients do.
const MOST_MEMORY: u64 = 700 << 10;

/// A line of `/proc/self/status`, in KiB; none on other systems.
fn memory(name: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim_start_matches(':').split_whitespace().next()?.parse().ok()
}

/// Does something bad, says how long it took, and sees that the node is well.
#[track_caller]
fn after<T>(what: &str, address: SocketAddr, act: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let done = act();
    let took = start.elapsed();
    let start = Instant::now();
    assert_eq!(Client::connect(address).result("eth_chainId", json!([])), "0x64aba");
    let next = start.elapsed();
    let resident = memory("VmRSS").unwrap_or(0) >> 10;
    println!("{what:42} {took:>10.1?}, next answer after {next:>8.1?}, {resident:>4} MiB resident");
    assert!(next < Duration::from_secs(2), "{what}: the next answer took {next:?}");
    done
}

fn eth_call(to: Address, gas: u64) -> String {
    let params = json!([{"to": to, "gas": U256::from(gas)}, "latest"]);
    json!({"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": params}).to_string()
}

/// Init code that deploys `code`.
fn init_code(code: &[u8]) -> Bytes {
    let len = (code.len() as u16).to_be_bytes();
    let init = [0x61, len[0], len[1], 0x80, 0x60, 0x0a, 0x5f, 0x39, 0x5f, 0xf3];
    [&init, code].concat().into()
}

/// A program of one page, at most `pages`, whose entry point has `body`.
fn program(pages: u32, body: &str) -> Vec<u8> {
    let wat = format!(
        r#"(module (import "vm_hooks" "pay_for_memory_grow" (func $pay (param i32)))
            (memory (export "memory") 1 {pages})
            (func (export "user_entrypoint") (param i32) (result i32) {body} i32.const 0))"#
    );
    compress(&wat::parse_str(wat).unwrap())
}

/// What asks for a WebSocket.
const UPGRADE: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\n\
    upgrade: websocket\r\nsec-websocket-version: 13\r\n\
    sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A text as a WebSocket frame of a client whose mask is zero.
fn frame(text: &str) -> Vec<u8> {
    let len = (text.len() as u16).to_be_bytes();
    [&[0x81, 0xfe][..], &len, &[0; 4], text.as_bytes()].concat()
}

struct Targets {
    evm_loop: Address,
    evm_memory: Address,
    evm_nested: Address,
    evm_return: Address,
    wasm_loop: Address,
    wasm_memory: Address,
}

async fn deploy(node: Node) -> Targets {
    let signer = PrivateKeySigner::from_bytes(&DEV_PRIVATE_KEY).unwrap();
    let client = RpcClient::new(Embedded::new(node), true);
    let provider = ProviderBuilder::new().wallet(signer).connect_client(client);
    let create = async |code: &[u8]| {
        let tx = TransactionRequest::default().with_deploy_code(init_code(code));
        let receipt = provider.send_transaction(tx).await.unwrap().get_receipt().await.unwrap();
        receipt.contract_address.unwrap()
    };
    let create_program = async |code: Vec<u8>| {
        let program = create(&code).await;
        let tx = TransactionRequest::default()
            .with_to(ARB_WASM)
            .with_value(U256::from(10u64.pow(18)))
            .with_input(IArbWasm::activateProgramCall { program }.abi_encode());
        let receipt = provider.send_transaction(tx).await.unwrap().get_receipt().await.unwrap();
        assert!(receipt.status());
        program
    };
    Targets {
        // JUMPDEST PUSH0 JUMP
        evm_loop: create(&hex!("5b5f56")).await,
        // Doubles the offset of an MSTORE until the gas is gone.
        evm_memory: create(&hex!("6001 5b 80 80 52 80 01 6002 56")).await,
        // Fills 128 KiB of memory and calls itself.
        evm_nested: create(&hex!("5f 62020000 52 5f5f5f5f5f 30 5a f1")).await,
        // Returns 4 MB of memory.
        evm_return: create(&hex!("623d0900 5f f3")).await,
        wasm_loop: create_program(program(1, "(loop br 0)")).await,
        wasm_memory: create_program(program(
            0x8000,
            "(loop (memory.grow (i32.const 1)) drop (br 0))",
        ))
        .await,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_survives() {
    let node = Node::new(Chain::new(ChainConfig::default()));
    let targets = deploy(node.clone()).await;
    let limits = Limits { head_timeout: Duration::from_secs(2), ..Limits::default() };
    let server = serve_node(node, &["*"], limits).await;
    let at = server.address();
    let before = memory("VmRSS").unwrap_or(0);
    let head = "POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json";

    // ── requests ──
    let status =
        after("a body of 10 MB", at, || Client::connect(at).post(vec![b' '; 10 << 20]).status);
    assert_eq!(status, 413);
    after("10 MB in chunks", at, || {
        let mut client = Client::connect(at);
        client.send(format!("{head}\r\ntransfer-encoding: chunked\r\n\r\n").as_bytes());
        let chunk = [b"100000\r\n".as_slice(), &[b'['; 1 << 20], b"\r\n"].concat();
        (0..10).for_each(|_| client.send(&chunk));
        assert!(client.answer().is_none_or(|answer| answer.status == 413));
    });
    let chain_id = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_chainId"});
    let batch = json!(vec![&chain_id; 10_000]).to_string();
    let (code, _) = after("a batch of 10,000", at, || Client::connect(at).post(batch).error());
    assert_eq!(code, -32_010);
    let code = after("5 MB of batch entries", at, || {
        Client::connect(at).post(format!("[1{}]", ",1".repeat(2_600_000))).error().0
    });
    assert_eq!(code, -32_010);
    let code =
        after("3 MB of brackets", at, || Client::connect(at).post("[".repeat(3 << 20)).error().0);
    assert_eq!(code, -32_700);
    let zeros = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{}0]}}"#,
        "0,".repeat(2_500_000)
    );
    let code = after("5 MB of parameters", at, || Client::connect(at).post(zeros).error().0);
    assert_eq!(code, -32_602);

    let maps = r#"{"":0},"#.repeat(600_000);
    let maps = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{maps}0]}}"#);
    let codes = after("5 MB of maps, eight times at once", at, || {
        thread::scope(|scope| {
            let clients =
                [(); 8].map(|()| scope.spawn(|| Client::connect(at).post(&maps).error().0));
            clients.map(|client| client.join().unwrap())
        })
    });
    assert_eq!(codes, [-32_602; 8]);

    // ── execution ──
    let call = |to, gas| Client::connect(at).post(eth_call(to, gas)).json();
    let gas = u64::MAX;
    for (what, to) in [
        ("an EVM loop", targets.evm_loop),
        ("EVM memory", targets.evm_memory),
        ("a WASM loop", targets.wasm_loop),
        ("WASM memory", targets.wasm_memory),
    ] {
        let answer = after(what, at, || call(to, gas));
        assert_eq!(answer["error"]["code"], -32_000, "{what}: {answer}");
        let estimate =
            json!({"jsonrpc": "2.0", "id": 1, "method": "eth_estimateGas", "params": [{"to": to}]});
        let answer = after(&format!("estimate of {what}"), at, || {
            Client::connect(at).post(estimate.to_string()).json()
        });
        assert!(answer["error"]["code"].is_i64(), "{what}: {answer}");
    }
    let answer = after("4 MB of return data", at, || call(targets.evm_return, gas));
    assert_eq!(answer["result"].as_str().map(str::len), Some(2 + 2 * 0x3d0900));
    let request: Value = serde_json::from_str(&eth_call(targets.evm_return, gas)).unwrap();
    let answer = after("a batch of 1,000 × 4 MB", at, || {
        Client::connect(at).post(json!(vec![&request; 1_000]).to_string()).error()
    });
    assert_eq!(answer.0, -32_011);
    let busy: Vec<_> = (0..8)
        .map(|_| thread::spawn(move || Client::connect(at).post(eth_call(targets.wasm_loop, gas))))
        .collect();
    after("eight WASM loops at once, meanwhile", at, || thread::sleep(Duration::from_millis(100)));
    for busy in busy {
        assert_eq!(busy.join().unwrap().error().0, -32_000);
    }

    let busy: Vec<_> = (0..8)
        .map(|_| thread::spawn(move || Client::connect(at).post(eth_call(targets.evm_nested, gas))))
        .collect();
    after("nested EVM memory, eight times, meanwhile", at, || {
        thread::sleep(Duration::from_millis(100))
    });
    for busy in busy {
        assert!(busy.join().unwrap().status == 200);
    }

    // ── connections ──
    let frame = frame(&eth_call(targets.evm_return, gas));
    let mut deaf = Client::connect(at);
    deaf.send(UPGRADE);
    assert_eq!(deaf.answer().unwrap().status, 101);
    after("a WebSocket that reads none of 8 GB", at, || {
        deaf.send_some(&frame.repeat(1_000));
        thread::sleep(Duration::from_secs(2));
    });
    drop(deaf);
    let idle: Vec<Client> = (0..500).map(|_| Client::connect(at)).collect();
    let mut slow: Vec<Client> = (0..200).map(|_| Client::connect(at)).collect();
    after("500 idle and 200 slow connections", at, || {
        for byte in head.as_bytes().chunks(7).take(5) {
            slow.iter_mut().for_each(|client| client.send(byte));
            thread::sleep(Duration::from_millis(100));
        }
    });
    let mut large: Vec<Client> = (0..100).map(|_| Client::connect(at)).collect();
    after("100 × 5 MB that do not end", at, || {
        let body = vec![b' '; (5 << 20) - 1];
        for client in &mut large {
            client.send(format!("{head}\r\ncontent-length: {}\r\n\r\n", body.len() + 1).as_bytes());
            client.send_some(&body);
        }
    });
    drop((idle, large));
    let hung_up = after("slow connections, in the end", at, || {
        slow.iter_mut().all(|client| client.answer().is_none_or(|answer| answer.status == 408))
    });
    assert!(hung_up);

    if let (Some(now), Some(most)) = (memory("VmRSS"), memory("VmHWM")) {
        println!(
            "resident: {} MiB before, {} MiB after, {} MiB at most",
            before >> 10,
            now >> 10,
            most >> 10
        );
        assert!(most < MOST_MEMORY, "{most} KiB");
    }
    server.stop().await;
}
