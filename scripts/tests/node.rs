//! `inkling node` as a process: what it prints, its port, its file, how it stops.
#![cfg(unix)]

use serde_json::{Value, json};
use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Output, Stdio, id},
    thread,
    time::Duration,
};

fn command(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_inkling"));
    command.arg("node").args(arguments.split_whitespace());
    command
}

/// A node that runs, and what it printed.
struct Running {
    process: Child,
    banner: String,
    address: String,
}

impl Running {
    fn start(arguments: &str) -> Self {
        let mut process = command(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut banner = String::new();
        while !banner.contains("Listening") {
            assert!(stdout.read_line(&mut banner).unwrap() > 0, "it ended: {banner}");
        }
        let address = banner.split("http://").nth(1).unwrap().split(' ').next().unwrap().into();
        Self { process, banner, address }
    }

    /// The result of a request.
    fn ask(&self, method: &str, params: Value) -> Value {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let (call, host) = (call.to_string(), &self.address);
        let head = "content-type: application/json\r\nconnection: close\r\ncontent-length:";
        write!(stream, "POST / HTTP/1.1\r\nhost: {host}\r\n{head} {}\r\n\r\n{call}", call.len())
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let mut answer: Value =
            serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        assert!(answer["error"].is_null(), "{answer}");
        answer["result"].take()
    }

    fn stop(mut self, signal: &str) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        assert!(self.process.wait().unwrap().success());
    }
}

#[test]
fn a_node_and_the_next() {
    let file = env::temp_dir().join(format!("inkling-node-{}.json", id()));
    let arguments = format!("--port 0 --accounts 1 --state {}", file.display());
    let dev = "0x3f1eae7d46d88f08fc2f8ed27fcb2ab183eb2d0e";
    let first = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266";
    let payee = "0x00000000000000000000000000000000000a11ce";

    let node = Running::start(&arguments);
    let banner = node.banner.to_lowercase();
    assert!(banner.contains("chain 412346, arbos-51, at block 0"), "{banner}");
    assert!(banner.contains(&format!(
        "{dev}  0xb6b15c8cb491557369f3c7d2c287b053eb229daa9c22138887752191c9520659\n  \
         {first}  0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80\n"
    )));
    assert_eq!(node.ask("eth_accounts", json!([])), json!([dev, first]));
    let pay = json!([{"from": first, "to": payee, "value": "0x7"}]);
    let hash = node.ask("eth_sendTransaction", pay);
    let block = node.ask("eth_getBlockByNumber", json!(["0x1", false]));
    assert_eq!(block["transactions"], json!([hash]));
    node.stop("-TERM");

    let node = Running::start(&format!("{arguments} --block-time 1"));
    assert!(node.banner.contains("at block 1"), "{}", node.banner);
    assert_eq!(node.ask("eth_getBalance", json!([payee, "latest"])), "0x7");
    assert_eq!(node.ask("eth_getBlockByNumber", json!(["0x1", false])), block);
    let pay = json!([{"from": dev, "to": payee, "value": "0x1"}]);
    let hash = node.ask("eth_sendTransaction", pay);
    while node.ask("eth_getTransactionReceipt", json!([hash])).is_null() {
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(node.ask("eth_getBalance", json!([payee, "latest"])), "0x8");
    node.stop("-INT");
    fs::remove_file(file).unwrap();
}

#[test]
fn what_it_refuses() {
    let node = Running::start("--port 0 --accounts 0");
    let port = node.address.split(':').next_back().unwrap();
    let damaged = env::temp_dir().join(format!("inkling-damaged-{}.json", id()));
    fs::write(&damaged, "{}").unwrap();
    for (arguments, code, said) in [
        (format!("--port {port}"), 3, "cannot listen on 127.0.0.1:"),
        ("--port 0 --state /nowhere/chain.json".into(), 3, "/nowhere"),
        (format!("--port 0 --state {}", damaged.display()), 3, "not a state file"),
        ("--arbos 31".into(), 2, "31"),
        ("--block-time 0".into(), 2, "--block-time"),
    ] {
        let Output { status, stderr, .. } = command(&arguments).output().unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        assert!(status.code() == Some(code) && stderr.contains(said), "{arguments}: {stderr}");
    }
    fs::remove_file(damaged).unwrap();
    node.stop("-INT");
}
