//! The built program against a JSON-RPC endpoint over HTTP: the embedded chain's node behind a socket. What the chain
//! says must not depend on the way to it.

mod common;

use alloy::primitives::hex;
use common::body;
use inkling::{
    artifacts::Contract,
    chain::Connection,
    deployment::{self, Deployment},
    models::Model,
    report::Evaluation,
};
use inkling_devnode::{Chain, ChainConfig, Node, arbos};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::{
    env, fs,
    io::{BufReader, Result, Write},
    net::{TcpListener, TcpStream},
    process::{Command, Output, id},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

/// A node that listens on a port of its own.
struct Server {
    node: Node,
    url: String,
    /// Transactions that it still takes.
    left: Arc<AtomicUsize>,
}

impl Server {
    fn start() -> Self {
        let node = Node::new(Chain::new(ChainConfig::default()));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let left = Arc::new(AtomicUsize::new(usize::MAX));
        let shared = (node.clone(), left.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (node, left) = shared.clone();
                // A client that hangs up is no failure.
                thread::spawn(move || serve(stream, &node, &left).unwrap_or_default());
            }
        });
        Self { node, url, left }
    }

    /// Gas of all transactions so far.
    fn gas(&self) -> u64 {
        let chain = self.node.chain();
        let blocks = (0..=chain.number()).filter_map(|number| chain.block(number));
        blocks.flat_map(|block| &block.txs).map(|tx| tx.outcome.gas_used).sum()
    }
}

/// Answers the requests of one connection, until there are no more.
fn serve(mut stream: TcpStream, node: &Node, left: &AtomicUsize) -> Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some(body) = body(&mut reader)? {
        let answer = match serde_json::from_slice(&body)? {
            Value::Array(batch) => batch.iter().map(|one| answer(one, node, left)).collect(),
            one => answer(&one, node, left),
        };
        let body = answer.to_string();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length:";
        write!(stream, "{head} {}\r\n\r\n{body}", body.len())?;
    }
    Ok(())
}

fn answer(request: &Value, node: &Node, left: &AtomicUsize) -> Value {
    let (id, method) = (&request["id"], request["method"].as_str().unwrap());
    let is_transaction = method == "eth_sendRawTransaction";
    if is_transaction && left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_err() {
        let error = json!({"code": -32_000, "message": "out of service"});
        return json!({"jsonrpc": "2.0", "id": id, "error": error});
    }
    match node.handle(method, request["params"].clone()) {
        Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        Err(error) => {
            let mut said = json!({"code": error.code, "message": error.message});
            if let Some(data) = error.data {
                said["data"] = data;
            }
            json!({"jsonrpc": "2.0", "id": id, "error": said})
        }
    }
}

/// Name of the environment variable with the key.
const KEY: &str = "INKLING_TEST_KEY";

fn inkling(arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_inkling"));
    command.env(KEY, hex::encode(arbos::DEV_PRIVATE_KEY));
    command.args(arguments.split_whitespace()).output().unwrap()
}

/// What it prints, which must be JSON.
#[track_caller]
fn json_of<T: DeserializeOwned>(arguments: &str) -> T {
    let output = inkling(arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments}: {said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The same deployment on the embedded chain.
async fn embedded(contract: Contract) -> Deployment {
    let chain = Connection::embedded().await.unwrap();
    deployment::deploy(&chain, contract, &Model::open("mlp-32-16").unwrap()).await.unwrap()
}

/// Arguments that choose contract and model, and JSON.
fn choice(contract: Contract) -> String {
    format!("--model mlp-32-16 --json --contract {}", contract.argument())
}

#[tokio::test]
async fn the_gas_over_http_is_the_embedded_chains() {
    let out = env::temp_dir().join(format!("inkling-http-{}", id()));
    for contract in [Contract::Stylus, Contract::StylusCode, Contract::Packed] {
        let server = Server::start();
        let (url, choice) = (&server.url, choice(contract));
        let records = format!("--deployments {}", out.display());
        let deploy = format!("deploy {choice} {records} --rpc {url} --private-key-env {KEY}");
        let deployed: Deployment = json_of(&deploy);
        assert_eq!(deployed, embedded(contract).await);
        assert_eq!(deployed.gas(""), server.gas());
        if contract.is_stylus() {
            // As the commands do on a chain of their own.
            server.node.chain().set_cached(deployed.address, true).unwrap();
        }

        let there = format!("--rpc {url} --address {}", deployed.address);
        let with_key = format!("{there} --private-key-env {KEY}");
        let evaluate = format!("evaluate {choice} --samples 5 --out {}", out.display());
        let local: Evaluation = json_of(&evaluate);
        let address = Some(deployed.address);
        let expected = Evaluation { sha256: None, address, ..local.clone() };
        assert_eq!(json_of::<Evaluation>(&format!("{evaluate} {with_key} --yes")), expected);

        let before = server.gas();
        let classify = format!("classify 3 {choice}");
        let answer: Value = json_of(&format!("{classify} {with_key}"));
        assert_eq!(answer, json_of::<Value>(&classify));
        assert_eq!(answer["gas"]["transaction"], server.gas() - before);

        // Without a key nothing is sent, and an estimate is up to 1.5 % too high, of a Stylus program more: at its end the SDK
        // flushes its storage cache, for which 2,300 gas must be left (EIP-2200).
        let before = server.gas();
        let estimated: Evaluation = json_of(&format!("{evaluate} {there}"));
        let paid = local.transaction_gas.unwrap();
        let (mean, most) =
            (estimated.transaction_gas.unwrap().mean, (paid.mean + 2_300) * 1_016 / 1_000);
        assert!((paid.mean..=most).contains(&mean), "{mean}");
        let answer: Value = json_of(&format!("{classify} {there}"));
        assert_eq!((&answer["digit"], &answer["by_transaction"]), (&json!(0), &json!(false)));
        assert_eq!(server.gas(), before);
    }
    fs::remove_dir_all(out).unwrap();
}

#[tokio::test]
async fn an_upload_that_broke_off_is_resumed() {
    let records = env::temp_dir().join(format!("inkling-http-resumed-{}", id()));
    for contract in [Contract::Stylus, Contract::Packed] {
        let server = Server::start();
        let (url, choice) = (&server.url, choice(contract));
        let deploy = format!("deploy {choice} --rpc {url} --private-key-env {KEY}");
        let deploy = format!("{deploy} --deployments {}", records.display());
        // Creation, beginModel and the first chunks.
        server.left.store(3, SeqCst);
        let output = inkling(&deploy);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains("uploadChunk(uint32,bytes): out of service"), "{said}");

        server.left.store(usize::MAX, SeqCst);
        let resumed: Deployment = json_of(&deploy);
        assert_eq!(resumed, embedded(contract).await);
        assert_eq!(server.gas(), resumed.gas(""), "{contract}");
        // At its address there is nothing left to do.
        let again: Deployment = json_of(&format!("{deploy} --address {}", resumed.address));
        assert_eq!(
            again,
            Deployment { steps: Vec::new(), data_fee_wei: Default::default(), ..resumed }
        );
    }
    fs::remove_dir_all(records).unwrap();
}
