//! Endpoints that fail: what a connection makes of them.

mod common;

use alloy::signers::local::PrivateKeySigner;
use common::body;
use inkling::{
    abi::IClassifier,
    accounts::Account,
    chain::{Connection, Error, Request, RpcUrl},
};
use inkling_devnode::{Chain, ChainConfig, Node, arbos};
use serde_json::{Value, json};
use std::{
    io::{BufReader, Result, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

/// What an endpoint does with a request.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Does {
    Answer,
    /// An HTTP error, with this `Retry-After` if it is not 0.
    Status(u16, u32),
    /// Hangs up.
    Drop,
    /// A part of the answer.
    Cut,
    /// A JSON-RPC error that says that the limit is reached.
    Limit,
}

/// An endpoint: what it does with its first requests, and with all others.
struct Endpoint {
    url: RpcUrl,
    asked: Arc<AtomicUsize>,
}

fn endpoint(node: &Node, first: &[Does], then: Does) -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v2/a-key", listener.local_addr().unwrap()).into();
    let asked = Arc::new(AtomicUsize::new(0));
    let (node, first, count) = (node.clone(), first.to_vec(), asked.clone());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (node, first, count) = (node.clone(), first.clone(), count.clone());
            // A client that hangs up is no failure.
            thread::spawn(move || serve(stream, &node, &first, then, &count).unwrap_or_default());
        }
    });
    Endpoint { url, asked }
}

fn serve(
    mut stream: TcpStream,
    node: &Node,
    first: &[Does],
    then: Does,
    asked: &AtomicUsize,
) -> Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some(body) = body(&mut reader)? {
        let request: Value = serde_json::from_slice(&body)?;
        let does = first.get(asked.fetch_add(1, SeqCst)).copied().unwrap_or(then);
        let id = &request["id"];
        let answer = node.handle(request["method"].as_str().unwrap(), request["params"].clone());
        let result = match answer {
            Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
            Err(error) => {
                let error = json!({"code": error.code, "message": error.message});
                json!({"jsonrpc": "2.0", "id": id, "error": error})
            }
        };
        let result = result.to_string();
        let limit = json!({"code": -32_005, "message": "project rate limit exceeded"});
        let (status, extra, body) = match does {
            Does::Answer => (200, String::new(), result),
            Does::Status(status, 0) => (status, String::new(), "<html>".into()),
            Does::Status(status, wait) => (status, format!("retry-after: {wait}\r\n"), "".into()),
            Does::Cut => (200, String::new(), result[..result.len() / 2].into()),
            Does::Limit => {
                let error = json!({"jsonrpc": "2.0", "id": id, "error": limit});
                (200, String::new(), error.to_string())
            }
            Does::Drop => return Ok(()),
        };
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 {status} -\r\ncontent-type: application/json\r\n{extra}content-length: {length}\r\n\r\n{body}"
        )?;
    }
    Ok(())
}

fn node() -> Node {
    Node::new(Chain::new(ChainConfig::default()))
}

async fn connect(endpoints: &[&Endpoint]) -> std::result::Result<Connection, Error> {
    let urls: Vec<RpcUrl> = endpoints.iter().map(|endpoint| endpoint.url.clone()).collect();
    let account = Account::from(PrivateKeySigner::from_bytes(&arbos::DEV_PRIVATE_KEY).unwrap());
    Connection::endpoints(&urls, None, None, Some(account)).await
}

fn transfer() -> Request {
    let to = arbos::DEV_ACCOUNT;
    Request {
        value: alloy::primitives::U256::ONE,
        ..Request::call(to, &IClassifier::finalizeModelCall {})
    }
}

/// One endpoint that is busy, hangs up or sends half an answer, now and then.
#[tokio::test]
async fn one_endpoint_is_asked_again() {
    let node = node();
    for bad in [Does::Status(429, 0), Does::Status(502, 0), Does::Drop, Does::Cut, Does::Limit] {
        // The first two requests are of the connection.
        let first = [Does::Answer, Does::Answer, bad, bad, Does::Answer, bad];
        let endpoint = endpoint(&node, &first, Does::Answer);
        let chain = connect(&[&endpoint]).await.unwrap();
        let receipt = chain.send(&transfer()).await;
        assert!(receipt.is_ok(), "{bad:?}: {:?}", receipt.err());
        assert!(endpoint.asked.load(SeqCst) >= first.len());
    }
}

/// The node has the transaction, and says so when it is asked again.
#[tokio::test]
async fn a_transaction_whose_answer_is_lost_is_sent_once() {
    let node = node();
    // After two requests of the connection: a nonce; an estimate, a price and a nonce.
    let mut first = vec![Does::Answer; 6];
    first.push(Does::Drop);
    let endpoint = endpoint(&node, &first, Does::Answer);
    let chain = connect(&[&endpoint]).await.unwrap();
    let nonce = chain.nonce(true).await.unwrap();
    chain.send(&transfer()).await.unwrap();
    assert_eq!(chain.nonce(true).await.unwrap(), nonce + 1);
}

#[tokio::test]
async fn a_server_says_how_long_to_wait() {
    let first = [Does::Answer, Does::Answer, Does::Status(429, 1)];
    let endpoint = endpoint(&node(), &first, Does::Answer);
    let chain = connect(&[&endpoint]).await.unwrap();
    let begun = Instant::now();
    chain.estimate(&transfer()).await.unwrap();
    assert!((Duration::from_secs(1)..Duration::from_secs(5)).contains(&begun.elapsed()));
}

#[tokio::test]
async fn the_next_endpoint_takes_over() {
    let node = node();
    for bad in [Does::Status(401, 0), Does::Status(503, 9), Does::Drop] {
        let first = endpoint(&node, &[Does::Answer; 4], bad);
        let second = endpoint(&node, &[], Does::Answer);
        let chain = connect(&[&first, &second]).await.unwrap();
        let begun = Instant::now();
        for _ in 0..3 {
            chain.send(&transfer()).await.unwrap();
        }
        // At once: there is somebody else to ask.
        assert!(begun.elapsed() < Duration::from_secs(3), "{bad:?}: {:?}", begun.elapsed());
        // It was found out by one request, or two at once; the others were not tried on it.
        assert!((5..=6).contains(&first.asked.load(SeqCst)), "{bad:?}");
    }
}

/// Down at first, and of another chain when it comes up: it must not be believed.
#[tokio::test]
async fn a_late_endpoint_is_checked_before_it_is_asked() {
    let other = Node::new(Chain::new(ChainConfig { chain_id: 1, ..ChainConfig::default() }));
    let first = endpoint(&node(), &[Does::Answer; 2], Does::Status(404, 0));
    let second = endpoint(&other, &[Does::Drop], Does::Answer);
    let chain = connect(&[&first, &second]).await.unwrap();
    let error = chain.estimate(&transfer()).await.unwrap_err().to_string();
    assert!(error.contains("its chain is 1, not 412346"), "{error}");
    assert_eq!(second.asked.load(SeqCst), 2);
}

#[tokio::test]
async fn chains_that_differ_are_refused() {
    let other = Node::new(Chain::new(ChainConfig { chain_id: 1, ..ChainConfig::default() }));
    let (first, second) =
        (endpoint(&node(), &[], Does::Answer), endpoint(&other, &[], Does::Answer));
    let error = connect(&[&first, &second]).await.err().unwrap();
    assert!(matches!(error, Error::ChainId { got: 1, expected: 412_346, .. }), "{error}");
    let urls = [first.url.clone()];
    let error = Connection::endpoints(&urls, Some(42_161), None, None).await.err().unwrap();
    assert!(matches!(error, Error::ChainId { got: 412_346, expected: 42_161, .. }), "{error}");
    let said = format!("{error} {error:?}");
    assert!(said.contains("http://127.0.0.1") && !said.contains("a-key"), "{said}");
}

#[tokio::test]
async fn nobody_answers() {
    let nobody = RpcUrl::from("http://127.0.0.1:9/v2/a-key".to_owned());
    let error = Connection::endpoints(&[nobody], None, None, None).await.err().unwrap();
    assert!(matches!(error, Error::Transport { what: "eth_chainId", .. }));
    let said = format!("{error} {error:?}");
    assert!(said.contains("http://127.0.0.1:9: ") && !said.contains("a-key"), "{said}");
    let none = RpcUrl::from("localhost:8547".to_owned());
    let error = Connection::endpoints(&[none], None, None, None).await.err().unwrap();
    assert!(matches!(error, Error::Url(1)));
}

#[tokio::test]
async fn requests_keep_to_the_rate() {
    let endpoint = endpoint(&node(), &[], Does::Answer);
    let rate = std::num::NonZeroU32::new(20);
    let urls = [endpoint.url.clone()];
    let chain = Connection::endpoints(&urls, None, rate, None).await.unwrap();
    let begun = Instant::now();
    for _ in 0..10 {
        chain
            .estimate(&Request::call(arbos::DEV_ACCOUNT, &IClassifier::ownerCall {}))
            .await
            .unwrap();
    }
    assert!(begun.elapsed() > Duration::from_millis(400), "{:?}", begun.elapsed());
}
