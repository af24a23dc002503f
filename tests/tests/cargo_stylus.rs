//! `cargo stylus` 0.10.10 against a node behind a socket: checks, deploys, activates, caches and traces.
//!
//! Where it is not installed the test is skipped, with a line that says so; `tools/setup-cargo-stylus.sh` installs it.

use alloy::{
    network::EthereumWallet,
    primitives::{Address, U256, hex, keccak256},
    providers::{DynProvider, Provider, ProviderBuilder},
    rpc::types::TransactionRequest,
    signers::local::PrivateKeySigner,
    sol,
};
use inkling_devnode::{
    Chain, ChainConfig, Node,
    arbos::{DEV_ACCOUNT, DEV_PRIVATE_KEY},
};
use inkling_tests::served::{Served, available, limited, root, said};
use serde_json::Value;
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

sol! {
    #[sol(rpc)]
    interface Counter {
        function number() external view returns (uint256);
        function increment() external;
    }
    #[sol(rpc)]
    interface Ready {
        function isModelReady() external view returns (bool);
    }
}

/// The version that is driven here.
const VERSION: &str = "0.10.10";

/// Set by `make test`: what tools/setup-wasm.sh printed.
const WASM: &str = "INKLING_WASM";

/// The program of this repository.
const CLASSIFIER: &str = "contract/artifacts/inkling_contract.wasm";

/// `cargo stylus`, and the node that it talks to.
struct Stylus {
    program: PathBuf,
    served: Served,
    provider: DynProvider,
    /// A Stylus workspace without a contract in it, for commands that want one.
    empty: PathBuf,
}

impl Stylus {
    fn new(test: &str) -> Option<Self> {
        let program = find();
        let what = format!("cargo-stylus {VERSION}");
        if !available(program.is_some(), &what, "tools/setup-cargo-stylus.sh installs it") {
            return None;
        }
        let served = Served::new(Node::new(Chain::new(ChainConfig::default())));
        let signer = PrivateKeySigner::from_bytes(&DEV_PRIVATE_KEY).unwrap();
        let wallet = EthereumWallet::from(signer);
        let provider =
            ProviderBuilder::new().wallet(wallet).connect_http(served.url.parse().unwrap());
        let empty = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
        fs::create_dir_all(&empty).unwrap();
        fs::write(empty.join("Cargo.toml"), "[workspace]\nresolver = \"3\"\nmembers = []\n")
            .unwrap();
        fs::write(empty.join("Stylus.toml"), "[workspace]\n\n[workspace.networks]\n").unwrap();
        Some(Self { program: program?, served, provider: provider.erased(), empty })
    }

    /// Runs a command in a folder; its exit status and what it printed, without colours.
    fn try_in(&self, folder: &Path, arguments: &str) -> (bool, String) {
        let mut command = limited(&self.program);
        // Flags first: constructor arguments take all that follows them.
        let words: Vec<&str> = arguments.split_whitespace().collect();
        let (name, words) = words.split_at(if words[0] == "cache" { 2 } else { 1 });
        command.arg("stylus").args(name).args(["-e", &self.served.url]);
        if [&["deploy"][..], &["activate"], &["cache", "bid"]].contains(&name) {
            command.args(["--private-key", &hex::encode(DEV_PRIVATE_KEY)]);
        }
        command.args(words);
        if let Some(variables) = env::var_os(WASM) {
            // What `make test` builds contracts with: a compiler that has the sources of its standard library.
            let variables = variables.into_string().unwrap();
            command.envs(variables.split_whitespace().filter_map(|word| word.split_once('=')));
            command.env("CARGO", root().join("tests/clients/cargo")).env("RUSTC_BOOTSTRAP", "1");
        }
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("counter");
        command.env("CARGO_TARGET_DIR", target).current_dir(folder);
        let output = command.output().unwrap();
        (output.status.success(), without_colours(&said(&output)))
    }

    /// Runs a command that must succeed.
    #[track_caller]
    fn run(&self, arguments: &str) -> String {
        self.run_in(&self.empty, arguments)
    }

    #[track_caller]
    fn run_in(&self, folder: &Path, arguments: &str) -> String {
        let (success, said) = self.try_in(folder, arguments);
        assert!(success, "cargo stylus {arguments}: {said}");
        said
    }
}

/// The program of the right version, on the path or where set-up puts it.
fn find() -> Option<PathBuf> {
    let paths = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&paths).chain([root().join("build/cargo-stylus/bin")]);
    let mut programs =
        folders.map(|folder| folder.join("cargo-stylus")).filter(|file| file.exists());
    programs.find(|program| {
        let version = Command::new(program).args(["stylus", "--version"]).output();
        version.is_ok_and(|version| said(&version).trim() == format!("stylus {VERSION}"))
    })
}

/// Text without the escape sequences of a terminal.
fn without_colours(text: &str) -> String {
    let mut parts = text.split('\x1b');
    let first = parts.next().unwrap_or_default().to_string();
    parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
}

/// What follows `before` in a text, up to the next white space.
#[track_caller]
fn after<'a>(text: &'a str, before: &str) -> &'a str {
    let rest = text.split_once(before).unwrap_or_else(|| panic!("no {before:?} in {text}")).1;
    rest.split_whitespace().next().unwrap_or_default()
}

#[track_caller]
fn address(text: &str) -> Address {
    after(text, "deployed code at address: ").parse().unwrap()
}

#[test]
fn from_check_to_the_cache() {
    if let Some(stylus) = Stylus::new("cargo-stylus-file") {
        stylus.served.block_on(check_to_cache(&stylus));
    }
}

async fn check_to_cache(stylus: &Stylus) {
    let wasm = root().join(CLASSIFIER);
    let wasm = wasm.display();

    let check = format!("check --wasm-file {wasm}");
    let said = stylus.run(&check);
    assert!(said.contains("contract size: 13.0 KB"), "{said}");
    assert!(said.contains("wasm data fee: 0.0000"), "{said}");
    let broken = stylus.empty.join("broken.wasm");
    fs::write(&broken, b"\0asm\x01\0\0\0").unwrap();
    let (success, said) =
        stylus.try_in(&stylus.empty, &format!("check --wasm-file {}", broken.display()));
    assert!(!success && said.contains("program activation failed"), "{said}");

    // Created, and activated by a command of its own.
    let said = stylus.run(&format!("deploy --no-verify --no-activate --wasm-file {wasm}"));
    assert!(said.contains("You must activate the stylus contract"), "{said}");
    let classifier = address(&said);
    let ready = Ready::new(classifier, &stylus.provider);
    assert!(ready.isModelReady().call().await.is_err());
    let said = stylus.run(&format!("activate --address {classifier} --estimate-gas"));
    let estimate: u64 = after(&said, "activation tx gas: ").parse().unwrap();
    let said = stylus.run(&format!("activate --address {classifier}"));
    assert!(said.contains("successfully activated contract"), "{said}");
    let hash = after(&said, "with tx ").trim_matches('"').parse().unwrap();
    let receipt = stylus.provider.get_transaction_receipt(hash).await.unwrap().unwrap();
    assert!(
        (receipt.gas_used..=receipt.gas_used * 1_016 / 1_000).contains(&estimate),
        "{estimate}"
    );
    assert!(!ready.isModelReady().call().await.unwrap());

    // The same program once more needs no activation, and has the same code.
    let said = stylus.run(&format!("deploy --no-verify --wasm-file {wasm}"));
    assert!(said.contains("wasm already activated!"), "{said}");
    let [one, other] = [classifier, address(&said)];
    let code = stylus.provider.get_code_at(one).await.unwrap();
    assert_eq!(code, stylus.provider.get_code_at(other).await.unwrap());
    assert!(stylus.run(&check).contains("contract size"));
    let (success, said) = stylus.try_in(&stylus.empty, &format!("activate --address {other}"));
    assert!(!success && said.contains(&selector("ProgramUpToDate()")), "{said}");

    // A bid for the cache, once.
    let status = format!("cache status --address {classifier}");
    let said = stylus.run(&status);
    assert!(said.contains("Cache manager status: \"active\""), "{said}");
    assert!(said.contains("is not yet cached"), "{said}");
    let said = stylus.run(&format!("cache suggest-bid {classifier}"));
    assert!(said.contains(&format!("Minimum bid for contract {classifier}: 0 wei")), "{said}");
    let before = call_gas(stylus, classifier).await;
    let bid = format!("cache bid {classifier} 0");
    assert!(stylus.run(&bid).contains("Successfully cached contract"));
    assert!(stylus.run(&status).contains("is cached"));
    let after_bid = call_gas(stylus, classifier).await;
    assert!(after_bid + 8_832 <= before, "{after_bid} cached, {before} before");
    let (success, said) = stylus.try_in(&stylus.empty, &bid);
    assert!(!success && said.contains("already cached"), "{said}");

    let (success, said) =
        stylus.try_in(&stylus.empty, "cache bid 0x0000000000000000000000000000000000000d1e 0");
    assert!(!success && said.contains("not yet activated"), "{said}");
}

/// Gas of `isModelReady()`.
async fn call_gas(stylus: &Stylus, to: Address) -> u64 {
    let ready = Ready::new(to, &stylus.provider);
    // Asked for each time: `cargo stylus` sends from the same account.
    let nonce = stylus.provider.get_transaction_count(DEV_ACCOUNT).await.unwrap();
    let call = TransactionRequest {
        gas: Some(1_000_000),
        nonce: Some(nonce),
        ..ready.isModelReady().into_transaction_request()
    };
    let sent = stylus.provider.send_transaction(call).await.unwrap();
    sent.get_receipt().await.unwrap().gas_used
}

/// The first four bytes of a signature's hash in hex.
fn selector(signature: &str) -> String {
    hex::encode_prefixed(&keccak256(signature)[..4])
}

#[test]
fn a_contract_with_a_constructor_from_source() {
    if available(env::var_os(WASM).is_some(), WASM, "`make test` finds what builds contracts")
        && let Some(stylus) = Stylus::new("cargo-stylus-source")
    {
        stylus.served.block_on(construct_and_trace(&stylus));
    }
}

async fn construct_and_trace(stylus: &Stylus) {
    let folder = root().join("tests/contracts/counter");
    let said = stylus.run_in(&folder, "check");
    assert!(said.contains("wasm data fee"), "{said}");
    let (success, said) = stylus.try_in(&folder, "deploy --no-verify");
    assert!(!success && said.contains("mismatch number of constructor arguments"), "{said}");
    let arguments = "--constructor-args 41";
    let said = stylus.run_in(&folder, &format!("deploy --no-verify {arguments}"));
    let counter = Counter::new(address(&said), &stylus.provider);
    assert_eq!(counter.number().call().await.unwrap(), U256::from(41));
    // Again: the program is active, so there is no data fee; and with a salt at another address.
    let deploy = format!("deploy --no-verify --deployer-salt {} {arguments}", keccak256("salt"));
    let said = stylus.run_in(&folder, &deploy);
    assert_ne!(address(&said), *counter.address());

    let receipt = counter.increment().send().await.unwrap().get_receipt().await.unwrap();
    assert_eq!(counter.number().call().await.unwrap(), U256::from(42));
    let [zero, old, new] =
        [0, 41, 42].map(|word| hex::encode(U256::from(word).to_be_bytes::<32>()));
    let expected = [
        ("user_entrypoint", "0x00000004".into(), "0x".into()),
        ("pay_for_memory_grow", "0x0000".into(), "0x".into()),
        ("read_args", "0x".into(), selector("increment()")),
        ("storage_load_bytes32", format!("0x{zero}"), format!("0x{old}")),
        ("storage_cache_bytes32", format!("0x{zero}{new}"), "0x".into()),
        ("storage_flush_cache", "0x00".into(), "0x".into()),
        ("user_returned", "0x".into(), "0x00000000".into()),
    ];
    let trace = format!("trace --tx {}", receipt.transaction_hash);
    for trace in [trace.clone(), trace + " --use-native-tracer"] {
        let said = stylus.run_in(&folder, &trace);
        let steps: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
        let steps = steps.as_array().unwrap();
        let got: Vec<(&str, String, String)> = steps
            .iter()
            .map(|step| {
                let text = |key: &str| step[key].as_str().unwrap();
                (text("name"), text("args").into(), text("outs").into())
            })
            .collect();
        assert_eq!(got, expected);
        let ink: Vec<[u64; 2]> = steps[..6]
            .iter()
            .map(|step| ["startInk", "endInk"].map(|key| step[key].as_u64().unwrap()))
            .collect();
        // Ink only goes down; a read of a cold slot is 2,100 gas and more.
        assert!(ink.iter().flatten().is_sorted_by(|one, next| one >= next), "{ink:?}");
        assert!(ink[3][0] - ink[3][1] >= 21_000_000, "{ink:?}");
    }
    let simulate = format!("simulate --to {} --data {}", counter.address(), selector("number()"));
    let said = stylus.run_in(&folder, &simulate);
    assert!(said.contains("write_result") && said.contains(&new), "{said}");
}
