//! `inkling deploy` through a proxy that does to requests what networks and providers do: it completes, or says why not and
//! goes on later; and what it pays is what it pays without faults.

use alloy::primitives::hex;
use inkling::deployment::record::Record;
use inkling_devnode::{Chain, ChainConfig, Node, arbos::DEV_PRIVATE_KEY};
use inkling_tests::{
    deploys::{Deploys, inkling},
    proxy::{Fault, Proxy},
    served::{Served, limited, said, stdout},
};
use std::{
    process::Output,
    sync::{
        LazyLock, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

/// A model of two upload transactions, in a contract that is quickly rehearsed.
const ARGUMENTS: &str =
    "--model mlp-32-16 --contract packed --check 1 --json --timeout 3 --stuck-after 1";

const SEND: &str = "eth_sendRawTransaction";
const RECEIPT: &str = "eth_getTransactionReceipt";

/// A node, and deployments to it through a proxy.
struct Scene {
    served: Served,
    proxy: Proxy,
    deploys: Deploys,
}

impl Scene {
    fn new(rule: impl Fn(&Node, &str, usize) -> Fault + Send + Sync + 'static) -> Self {
        let served = Served::new(Node::new(Chain::new(ChainConfig::default())));
        let node = served.node.clone();
        let proxy = Proxy::new(&served.url, Duration::ZERO, move |method, before| {
            rule(&node, method, before)
        });
        Self { served, proxy, deploys: Deploys::new(ARGUMENTS) }
    }

    fn deploy(&self) -> Output {
        self.deploys.command(&self.proxy.url, "it").output().expect("it can be started")
    }

    /// Gas of each transaction on the chain.
    fn paid(&self) -> Vec<u64> {
        let chain = self.served.node.read();
        let blocks = chain.blocks(1, chain.number());
        blocks.flat_map(|block| &block.txs).map(|tx| tx.outcome.gas_used).collect()
    }

    /// Deploys, which must succeed and cost what it costs without faults.
    #[track_caller]
    fn completes(&self) -> Record {
        let output = self.deploy();
        assert!(output.status.success(), "{}", said(&output));
        let record = self.deploys.record("it");
        assert_eq!(self.paid(), *UNDISTURBED);
        assert_eq!(record.gas, UNDISTURBED.iter().sum::<u64>());
        assert!(!self.deploys.journal("it").exists());
        record
    }
}

/// Gas of each transaction where nothing goes wrong: create, begin, two of upload, finalize.
static UNDISTURBED: LazyLock<Vec<u64>> = LazyLock::new(|| {
    let scene = Scene::new(|_, _, _| Fault::None);
    let output = scene.deploy();
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!((scene.proxy.count(SEND), scene.paid().len()), (5, 5));
    scene.paid()
});

/// Must complete, with at least this many faults on the way.
#[track_caller]
fn survives(
    least: usize,
    rule: impl Fn(&Node, &str, usize) -> Fault + Send + Sync + 'static,
) -> Scene {
    let scene = Scene::new(rule);
    scene.completes();
    assert!(scene.proxy.faults() >= least, "{} faults", scene.proxy.faults());
    scene
}

#[test]
fn requests_and_replies_that_get_lost() {
    survives(10, |_, method, before| match (method, before % 3) {
        (SEND, 0) => Fault::Drop,
        (SEND, 1) => Fault::DropReply,
        (SEND, _) => Fault::None,
        (_, 2) => Fault::Drop,
        _ => Fault::None,
    });
}

#[test]
fn replies_that_come_too_late() {
    survives(2, |_, method, before| match (method, before) {
        (SEND, 1 | 3) => Fault::LateReply(Duration::from_millis(3_500)),
        (_, 0) => Fault::LateReply(Duration::from_millis(200)),
        _ => Fault::None,
    });
}

#[test]
fn busy_servers() {
    survives(10, |_, method, before| match (method, before % 4) {
        (SEND, 0) => Fault::StatusAfter(500),
        (SEND, 1) => Fault::Status(503),
        ("eth_getCode", _) => Fault::None,
        (_, 1) => Fault::Status(429),
        (_, 2) => Fault::Error(-32_005, "limit exceeded"),
        _ => Fault::None,
    });
}

#[test]
fn transactions_that_arrive_twice() {
    let twice = |_: &Node, method: &str, _| match method {
        SEND => Fault::Duplicate,
        _ => Fault::None,
    };
    survives(5, twice);
}

/// Said of a transaction that the node does not have: after a while it is sent again.
#[test]
fn nonce_too_low_and_replacement_underpriced() {
    survives(2, |_, method, before| match (method, before) {
        (SEND, 1) => Fault::Error(-32_000, "nonce too low"),
        (SEND, 4) => Fault::Error(-32_000, "replacement transaction underpriced"),
        _ => Fault::None,
    });
}

#[test]
fn receipts_that_come_late() {
    let asked = AtomicUsize::new(0);
    survives(20, move |_, method, _| match method {
        SEND => {
            asked.store(0, SeqCst);
            Fault::None
        }
        RECEIPT if asked.fetch_add(1, SeqCst) < 5 => Fault::Null,
        _ => Fault::None,
    });
}

/// Two blocks are taken back as the next transaction arrives.
#[test]
fn a_reorganization_of_two_blocks() {
    let snapshot = Mutex::new(None);
    survives(0, move |node, method, before| {
        let mut snapshot = snapshot.lock().unwrap();
        match (method, before) {
            (SEND, 1) => *snapshot = Some(node.chain().snapshot()),
            (SEND, 3) => {
                let taken_back = snapshot.take().is_some_and(|id| node.chain().revert(id));
                assert!(taken_back);
            }
            _ => {}
        }
        Fault::None
    });
}

/// The last two blocks are taken back while the result is being checked.
#[test]
fn a_reorganization_at_the_end() {
    let snapshot = Mutex::new((None, false));
    let scene = survives(0, move |node, method, before| {
        let mut state = snapshot.lock().unwrap();
        match (method, before) {
            (SEND, 3) => state.0 = Some(node.chain().snapshot()),
            // The receipt was seen and the state is asked for.
            ("eth_call", _) if !state.1 && state.0.is_some() && node.read().number() == 5 => {
                state.1 = true;
                assert!(state.0.is_some_and(|id| node.chain().revert(id)));
            }
            _ => {}
        }
        Fault::None
    });
    assert!(scene.proxy.count(SEND) > 5);
}

/// A refusal that does not pass is an error with the step's name; the same command goes on.
#[test]
fn what_cannot_go_on_is_told_and_resumed() {
    let out_of_service = Fault::Error(-32_000, "out of service");
    let scene = Scene::new(move |_, method, before| match (method, before) {
        (SEND, 2) => out_of_service.clone(),
        _ => Fault::None,
    });
    let output = scene.deploy();
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(
        said(&output).contains("uploadChunk(uint32,bytes): out of service"),
        "{}",
        said(&output)
    );
    assert_eq!(scene.paid().len(), 2);
    assert!(scene.deploys.journal("it").exists());
    let record = scene.completes();
    // Once more there is nothing to do, and the record stays.
    assert!(scene.deploy().status.success());
    assert_eq!((scene.deploys.record("it"), scene.paid().len()), (record, 5));
}

/// Answers until three blocks are there, and never again.
fn dies(node: &Node) -> Fault {
    match node.read().number() {
        0..3 => Fault::None,
        _ => Fault::Status(404),
    }
}

/// An endpoint that dies midway: an error, and the same command goes on with another endpoint.
#[test]
fn an_endpoint_that_dies() {
    let scene = Scene::new(|node, _, _| dies(node));
    let output = scene.deploy();
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let output = scene.deploys.command(&scene.served.url, "it").output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(scene.paid(), *UNDISTURBED);
}

/// The same with another endpoint given: it takes over.
#[test]
fn an_endpoint_that_takes_over() {
    let scene = Scene::new(|node, _, _| dies(node));
    let mut command = scene.deploys.command(&scene.proxy.url, "it");
    let output = command.args(["--rpc", &scene.served.url]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(scene.paid(), *UNDISTURBED);
    assert!(scene.proxy.faults() > 0);
}

/// What an evaluation by transactions prints, which must succeed.
#[track_caller]
fn evaluated(scene: &Scene, url: &str) -> String {
    let mut evaluate = limited(inkling());
    evaluate.env("INKLING_TEST_KEY", hex::encode(DEV_PRIVATE_KEY));
    evaluate.args(["evaluate", "--rpc", url, "--model", "mlp-32-16", "--contract", "packed"]);
    evaluate.args(["--samples", "80", "--json", "--yes", "--private-key-env", "INKLING_TEST_KEY"]);
    evaluate.args(["--address", &scene.deploys.record("it").address.to_string()]);
    stdout(evaluate.arg("--out").arg(scene.deploys.folder()))
}

/// An evaluation behind faults says what one without them does, and pays as much.
#[test]
fn an_evaluation_by_transactions() {
    let scene = Scene::new(|_, method, before| match (method, before % 40) {
        (SEND, 7) => Fault::DropReply,
        (SEND, 15) => Fault::Duplicate,
        (SEND, 22) => Fault::StatusAfter(500),
        (SEND, 30) => Fault::Drop,
        (RECEIPT, 5 | 6) => Fault::Null,
        (_, 11) => Fault::Status(429),
        (_, 33) => Fault::Error(-32_005, "limit exceeded"),
        _ => Fault::None,
    });
    let output = scene.deploys.command(&scene.served.url, "it").output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let undisturbed = evaluated(&scene, &scene.served.url);
    assert_eq!(scene.paid().len(), 5 + 80);
    assert_eq!(evaluated(&scene, &scene.proxy.url), undisturbed);
    assert_eq!(scene.paid().len(), 5 + 80 + 80);
    assert!(scene.proxy.faults() >= 10, "{} faults", scene.proxy.faults());
}
