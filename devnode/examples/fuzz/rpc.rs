//! Requests into a node, and into the server in front of it.
//!
//! Each case has a chain of its own, with a few programs and contracts on it, and puts some hundred requests to it: a
//! part straight to [`Node::handle`], a part as bytes over HTTP. A request may be refused, but each gets an answer: an
//! error has one of JSON-RPC's codes, a body that HTTP accepts is answered in JSON, and after all of it the node still
//! says which chain it is.

use super::{Figures, program::random_program, requests::Maker};
use alloy::signers::local::PrivateKeySigner;
use alloy_primitives::{Address, Bytes, bytes};
use inkling_devnode::{
    Chain, ChainConfig, Node,
    arbos::{DEV_ACCOUNT, DEV_PRIVATE_KEY},
    server::{ServerConfig, serve},
    stylus::compress,
};
use rand::{Rng, rngs::StdRng};
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::LazyLock,
    time::Duration,
};
use tokio::runtime::Runtime;

/// Requests straight to the node, in one case.
const REQUESTS: usize = 60;

/// Bodies sent to the server, in one case.
const BODIES: usize = 20;

/// How long the server may take for an answer.
const PATIENCE: Duration = Duration::from_secs(100);

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Runtime::new().unwrap_or_else(|error| panic!("no runtime: {error}")));

/// Makes a chain and asks it things.
pub(crate) fn case(rng: &mut StdRng, figures: &mut Figures) -> Result<(), String> {
    let signer = PrivateKeySigner::from_bytes(&DEV_PRIVATE_KEY).map_err(|e| e.to_string())?;
    let (chain, addresses) = chain(rng);
    let node = Node::with_accounts(chain, vec![signer.clone()]);
    let mut maker = Maker::new(rng, signer, &addresses);
    for _ in 0..REQUESTS {
        maker.nonce = node.read().nonce(DEV_ACCOUNT);
        let (method, params) = maker.request();
        figures.tries += 1;
        match node.handle(&method, params.clone()) {
            Ok(answer) => {
                figures.accepted += 1;
                maker.learn(&answer);
            }
            Err(error) if error.code == 3 || (-32_768..=-32_000).contains(&error.code) => {}
            Err(error) => return Err(format!("{method} {params}: {error:?}")),
        }
    }

    let config = ServerConfig { port: 0, ..ServerConfig::default() };
    let server =
        RUNTIME.block_on(serve(node.clone(), config)).map_err(|error| error.to_string())?;
    let address = server.address();
    for _ in 0..BODIES {
        maker.nonce = node.read().nonce(DEV_ACCOUNT);
        let body = maker.text();
        figures.tries += 1;
        let (status, answer) = post(address, &body)?;
        if status == 200 && !answer.is_empty() {
            let answer: Value = serde_json::from_slice(&answer)
                .map_err(|error| format!("the answer is not JSON: {error}"))?;
            figures.accepted += u64::from(answer.get("result").is_some());
            maker.learn(&answer);
        }
    }
    let chain_id = json!({ "jsonrpc": "2.0", "id": 1, "method": "eth_chainId" }).to_string();
    let (status, answer) = post(address, chain_id.as_bytes())?;
    let expected = json!({ "jsonrpc": "2.0", "id": 1, "result": "0x64aba" });
    if status != 200 || serde_json::from_slice::<Value>(&answer).ok() != Some(expected) {
        return Err(format!("the node is lost: {status} {}", String::from_utf8_lossy(&answer)));
    }
    RUNTIME.block_on(server.stop());
    Ok(())
}

/// A chain with programs, contracts, and who is worth naming on it.
fn chain(rng: &mut StdRng) -> (Chain, Vec<Address>) {
    let mut chain = Chain::new(ChainConfig::default());
    let mut addresses =
        vec![DEV_ACCOUNT, Address::with_last_byte(0x71), Address::with_last_byte(1)];
    let contracts = [
        bytes!("5b600056"),                               // loops
        bytes!("365f5f375f5f365f5f365af43d5f5f3e3d5ff3"), // delegates to whom the calldata's length names
        bytes!("60015f5560016001a160205ff3"),             // stores, logs, returns
    ];
    let programs = (0..rng.random_range(1..4)).map(|_| Bytes::from(compress(&random_program(rng))));
    let codes: Vec<Bytes> = contracts.into_iter().chain(programs).collect();
    for (byte, code) in (0xa0..).zip(codes) {
        let address = Address::repeat_byte(byte);
        chain.set_code(address, code);
        let _ = chain.activate(address); // contracts and refused programs stay as they are
        addresses.push(address);
    }
    (chain, addresses)
}

/// Sends a body; gives the status and the body of the answer. A server that hangs up early says 413 by that.
fn post(server: SocketAddr, body: &[u8]) -> Result<(u16, Vec<u8>), String> {
    let mut answer = vec![];
    let io = || -> std::io::Result<TcpStream> {
        let stream = TcpStream::connect(server)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(stream)
    };
    let mut stream = io().map_err(|error| format!("connecting: {error}"))?;
    let head = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let sent = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
    let read = stream.read_to_end(&mut answer);
    if answer.is_empty() && sent.is_err() {
        return Ok((413, vec![]));
    }
    if let Err(error) = read
        && answer.is_empty()
    {
        return Err(format!("no answer: {error}"));
    }
    let text = String::from_utf8_lossy(&answer);
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| format!("not HTTP: {text:.80}"))?;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").map_or(0, |at| at + 4);
    Ok((status, answer.split_off(end)))
}
