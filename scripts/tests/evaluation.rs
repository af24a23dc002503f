//! `inkling evaluate` over HTTP: in good time, and stopped and gone on with it gives the same report.

use alloy::primitives::{Address, U256, hex};
use inkling::{
    artifacts::Contract,
    chain::Connection,
    deployment,
    models::Model,
    report::{GasBy, LiveComparison},
};
use inkling_devnode::{
    Chain, ChainConfig, Node, arbos,
    server::{self, ServerConfig, ServerHandle},
};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::Path,
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Name of the environment variable with the key.
const KEY: &str = "INKLING_TEST_EVALUATION_KEY";

/// A node with a contract on it, in the cache.
struct Deployed {
    node: Node,
    url: String,
    address: Address,
    model: &'static str,
    _server: ServerHandle,
}

impl Deployed {
    async fn new(model: &'static str) -> Self {
        Self::on(Node::new(Chain::new(ChainConfig::default())), model).await
    }

    async fn on(node: Node, model: &'static str) -> Self {
        let config = ServerConfig { port: 0, ..ServerConfig::default() };
        let server = server::serve(node.clone(), config).await.unwrap();
        let chain = Connection::to_node(node.clone()).await.unwrap();
        let network = Model::open(model).unwrap();
        let done = deployment::deploy(&chain, Contract::Stylus, &network).await.unwrap();
        chain.set_cached(done.address, true).await.unwrap();
        let url = format!("http://{}", server.address());
        Self { node, url, address: done.address, model, _server: server }
    }

    fn command(&self, name: &str, out: &Path, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_inkling"));
        command.env(KEY, hex::encode(arbos::DEV_PRIVATE_KEY)).stdin(Stdio::null());
        command.args([name, "--rpc", &self.url, "--out"]).arg(out);
        command.args(arguments.split_whitespace());
        command
    }

    fn evaluate(&self, out: &Path, arguments: &str) -> Command {
        let there = format!("--model {} --address {}", self.model, self.address);
        self.command("evaluate", out, &format!("{there} {arguments}"))
    }

    /// Evaluates until so many lines of answers are written, kills it, and says how many there are.
    fn killed(&self, out: &Path, arguments: &str, lines: usize) -> usize {
        let mut process = self
            .evaluate(out, arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let limit = Instant::now() + Duration::from_secs(60);
        while answers(out) < lines {
            assert!(process.try_wait().unwrap().is_none(), "it ended by itself");
            assert!(Instant::now() < limit, "no {lines} lines in time");
            thread::sleep(Duration::from_millis(5));
        }
        process.kill().unwrap();
        process.wait().unwrap();
        answers(out)
    }

    fn blocks(&self) -> u64 {
        self.node.chain().number()
    }
}

/// Whole lines in the file of answers, if there is one.
fn answers(out: &Path) -> usize {
    let files = fs::read_dir(out).into_iter().flatten().flatten().map(|file| file.path());
    let mut files = files.filter(|path| path.extension().is_some_and(|it| it == "jsonl"));
    let text = files.next().map(|path| fs::read(path).unwrap_or_default()).unwrap_or_default();
    text.iter().filter(|byte| **byte == b'\n').count()
}

/// All files of a folder but those that only lock.
fn files(folder: &Path) -> BTreeMap<OsString, Vec<u8>> {
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let files = files.filter(|path| path.extension().is_none_or(|it| it != "lock"));
    files.map(|path| (path.file_name().unwrap().into(), fs::read(&path).unwrap())).collect()
}

#[track_caller]
fn succeeds(command: &mut Command) -> String {
    let Output { status, stderr, .. } = command.output().unwrap();
    let said = String::from_utf8(stderr).unwrap();
    assert!(status.success(), "{said}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_images_in_a_minute_also_if_it_is_stopped() {
    let deployed = Deployed::new("small").await;
    let [whole, stopped] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let arguments = "--samples 10000 --gas-by estimate --eth-price 3000";
    let start = Instant::now();
    succeeds(&mut deployed.evaluate(whole.path(), arguments));
    let took = start.elapsed();
    assert!(took < Duration::from_secs(60), "it took {took:?}");

    let known = deployed.killed(stopped.path(), arguments, 3_001);
    assert_eq!(files(stopped.path()).len(), 1, "nothing but the answers");
    assert!(known < 10_001);
    let said = succeeds(&mut deployed.evaluate(stopped.path(), arguments));
    assert!(said.contains("of 10,000 images are answered"), "{said}");
    let reports = files(whole.path());
    assert_eq!(files(stopped.path()), reports);
    let names: Vec<_> = reports.keys().map(|name| name.to_str().unwrap()).collect();
    let report = |extension: &str| format!("evaluate-small-stylus-10000-412346.{extension}");
    assert!(names.contains(&&report("json")[..]), "{names:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_transaction_is_paid_for_twice() {
    let deployed = Deployed::new("nano").await;
    let [whole, stopped] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let unagreed = format!("--samples 300 --private-key-env {KEY}");
    let before = deployed.blocks();
    let refused = deployed.evaluate(whole.path(), &unagreed).output().unwrap();
    assert_eq!((refused.status.code(), deployed.blocks()), (Some(2), before));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("300 transactions of at most") && said.contains("--yes"), "{said}");

    let arguments = |batch: usize| format!("{unagreed} --yes --batch {batch}");
    succeeds(&mut deployed.evaluate(whole.path(), &arguments(32)));
    assert_eq!(deployed.blocks() - before, 300);
    let before = deployed.blocks();
    // With smaller batches than before, too, of which the journal holds several.
    for (batch, lines) in [(16, 1), (32, 40), (5, 130), (32, 250), (3, 280)] {
        deployed.killed(stopped.path(), &arguments(batch), lines);
    }
    succeeds(&mut deployed.evaluate(stopped.path(), &arguments(4)));
    assert_eq!(deployed.blocks() - before, 300);
    assert_eq!(files(stopped.path()), files(whole.path()));
}

/// Contracts by their addresses, on a chain that charges for L1: an estimate without that part is somewhat more than what a
/// transaction takes.
#[tokio::test(flavor = "multi_thread")]
async fn contracts_on_a_live_chain_are_compared() {
    let l1_price = U256::from(1_000_000_000);
    let node = Node::new(Chain::new(ChainConfig { l1_price, ..ChainConfig::default() }));
    let deployed = Deployed::on(node, "nano").await;
    let chain = Connection::to_node(deployed.node.clone()).await.unwrap();
    let model = Model::open("nano").unwrap();
    let yul = deployment::deploy(&chain, Contract::Yul, &model).await.unwrap().address;
    let out = tempfile::tempdir().unwrap();
    let compared = |arguments: &str| -> LiveComparison {
        let there = format!("--models nano --deployed stylus={},yul={yul}", deployed.address);
        let arguments = format!("{there} --samples 20 --json {arguments}");
        let output = deployed.command("compare", out.path(), &arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let estimated = compared("");
    let paid = compared(&format!("--private-key-env {KEY} --yes"));
    let contracts =
        |of: &LiveComparison| of.evaluations.iter().map(|one| one.contract).collect::<Vec<_>>();
    assert_eq!(contracts(&estimated), [Contract::Stylus, Contract::Yul]);
    assert_eq!(contracts(&paid), contracts(&estimated));
    assert_eq!((estimated.gas_by, paid.gas_by), (GasBy::Estimate, GasBy::Transaction));
    for (estimated, paid) in estimated.evaluations.iter().zip(&paid.evaluations) {
        assert_eq!((estimated.correct, estimated.disagreements.len()), (paid.correct, 0));
        let gas = [estimated, paid].map(|one| one.transaction_gas.unwrap().mean);
        assert!((gas[1]..gas[1] * 106 / 100).contains(&gas[0]), "{gas:?}");
        let l1_gas = [estimated, paid].map(|one| one.l1_gas.unwrap().mean);
        assert!(l1_gas[1] > 10_000 && l1_gas[0] >= l1_gas[1], "{l1_gas:?}");
        assert!(l1_gas[0] < l1_gas[1] * 3 / 2, "{l1_gas:?}");
    }
    let table = estimated.table().markdown();
    assert!(table.contains("| nano  |      Yul |"), "{table}");
    let names: Vec<_> = files(out.path()).into_keys().collect();
    let expected = ["html", "json", "md", "png"].map(|it| format!("compare-412346-nano-20.{it}"));
    assert_eq!(names, expected.map(OsString::from));
}
