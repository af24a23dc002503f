//! Clients that others wrote, each against a node behind a socket: ethers v6, viem, web3.py, `cast` and alloy.
//!
//! Each does the same: reads its balance, deploys the Solidity contract, is refused by it, uploads a model, classifies
//! with it and with a Stylus contract by call and by transaction, reads the event in several ways, and decodes errors.
//! Each makes the same report, which is compared with what an embedded chain without any client gives, gas included.
//! A client of the original project, which knows two functions, asks as that project's evaluation does.

use alloy::{
    network::{EthereumWallet, TransactionBuilder},
    primitives::{Address, Bytes, hex, keccak256},
    providers::{Provider, ProviderBuilder},
    rpc::types::{Log, TransactionRequest},
    signers::local::PrivateKeySigner,
    sol,
    sol_types::SolEvent,
};
use inkling::{
    abi,
    artifacts::{self, Contract},
    models::Model,
};
use inkling_devnode::{Chain, ChainConfig, Node, TxRequest};
use inkling_network::pack;
use inkling_tests::{
    Deployed, STRANGER, digit,
    served::{Served, installed, limited, root, stdout},
    test_images,
};
use serde_json::{Value, json};
use std::{fs, path::PathBuf, process::Command, sync::LazyLock};

sol! {
    #[sol(rpc)]
    "../contracts-solidity-baseline/IClassifier.sol"
}
use IClassifier::{Classified, IClassifierErrors};

/// Ether of a client at the start, in wei.
const BALANCE: &str = "100000000000000000000000";

/// Chunks that a transaction uploads.
const CHUNKS: usize = 4;

/// What all clients share: a node with a Stylus contract on it, and what it must answer.
struct Shared {
    served: Served,
    classifier: Address,
    model: Model,
    image: [u8; 400],
    /// Gas of `classifyAndRecord`: Packed's and the Stylus contract's.
    record: [u64; 2],
    /// Gas of the Stylus contract's `predict`.
    predict: u64,
}

static SHARED: LazyLock<Shared> = LazyLock::new(|| {
    let model = Model::open("mlp-32-16").unwrap();
    let image = test_images(1)[0];
    let record = abi::IClassifier::classifyAndRecordCall { image: image.into() };
    let predict = abi::IClassifier::predictCall { image };
    let mut packed = Deployed::with_model(Contract::Packed, &model);
    let mut stylus = Deployed::with_model(Contract::Stylus, &model);
    let classifier = stylus.address;
    let served = Served::new(Node::new(stylus.chain.clone()));
    let record = [&mut packed, &mut stylus].map(|on| on.send(STRANGER, &record).unwrap().gas_used);
    let predict = stylus.send(STRANGER, &predict).unwrap().gas_used;
    Shared { served, classifier, model, image, record, predict }
});

/// Groups of chunks to upload, with the index of the first of each.
fn uploads(model: &Model) -> Vec<(u32, Bytes)> {
    let chunks: Vec<&[u8]> = pack::chunks(&model.words).collect();
    let groups = (0..).step_by(CHUNKS).zip(chunks.chunks(CHUNKS));
    groups.map(|(index, group)| (index, group.concat().into())).collect()
}

/// An account of a client's own, with funds.
fn account(name: &str) -> PrivateKeySigner {
    let signer = PrivateKeySigner::from_bytes(&keccak256(name)).unwrap();
    SHARED.served.node.chain().set_balance(signer.address(), BALANCE.parse().unwrap());
    signer
}

/// Writes what a client needs to know into a file.
fn fixture(name: &str, signer: &PrivateKeySigner) -> PathBuf {
    let (model, packed) = (&SHARED.model, "contracts-solidity-baseline/artifacts/Packed.json");
    let artifact: Value = serde_json::from_slice(&fs::read(root().join(packed)).unwrap()).unwrap();
    let fixture = json!({
        "rpc": SHARED.served.url,
        "key": signer.to_bytes(),
        "classifier": SHARED.classifier,
        "abi": artifact["abi"],
        "bytecode": artifact["bytecode"],
        "code": artifact["deployedBytecode"],
        "header": Bytes::from(model.header.clone()),
        "modelHash": model.hash,
        "uploads": uploads(model),
        "image": Bytes::from(SHARED.image),
    });
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.json"));
    fs::write(&file, fixture.to_string()).unwrap();
    file
}

/// Gas of creating Packed, whose owner is in the calldata.
fn creation(owner: Address) -> u64 {
    let mut chain = Chain::new(ChainConfig { funded: vec![owner], ..ChainConfig::default() });
    let program = artifacts::solidity(Contract::Packed).unwrap().unwrap();
    chain.transact(&TxRequest::create(owner, program.init_code(owner))).unwrap().gas_used
}

/// Compares a client's report with what it must be. Its estimates may be a little too high, and no more.
#[track_caller]
fn check(mut report: Value, client: Address) {
    let (model, image) = (&SHARED.model, &SHARED.image);
    let digit = digit(model, image);
    let event = json!([client, keccak256(image), digit]);
    for (contract, gas) in report["contracts"].as_array_mut().unwrap().iter_mut().zip(SHARED.record)
    {
        let estimate = contract["estimate"].take().as_u64().unwrap();
        assert!((gas..=gas * 1_016 / 1_000).contains(&estimate), "{estimate}, and it took {gas}");
    }
    let contracts = SHARED.record.map(|gas| {
        json!({
            "digit": digit,
            "logits": model.logits(image).unwrap(),
            "estimate": null,
            "gas": gas,
            "event": event,
            "found": [event],
            "heard": event,
            "refused": "badimagelength(399, 400)",
        })
    });
    let expected = json!({
        "chainId": 412_346,
        "balance": BALANCE,
        "created": [true, creation(client)],
        "notReady": "modelnotready(0)",
        "notOwner": format!("notowner({client:?})"),
        "contracts": contracts,
    });
    assert_eq!(report, expected, "{report:#} instead of {expected:#}");
}

/// Runs a client's script and reads its report.
fn report(name: &str, mut command: Command, script: &str, signer: &PrivateKeySigner) -> Value {
    let script = root().join("tests/clients").join(script);
    serde_json::from_str(&stdout(command.arg(script).arg(fixture(name, signer)))).unwrap()
}

/// Runs a script of a package that tools/setup-node.sh installs.
fn javascript(package: &str) {
    let modules = format!("tests/clients/node_modules/{package}");
    if installed(&modules, "tools/setup-node.sh installs it").is_some() {
        let signer = account(package);
        let report = report(package, limited("node"), &format!("{package}.mjs"), &signer);
        check(report, signer.address());
    }
}

/// The Python that has web3.py.
fn python() -> Option<Command> {
    installed("build/python/bin/python", "tools/setup-python.sh makes it").map(limited)
}

#[test]
fn ethers() {
    javascript("ethers");
}

#[test]
fn viem() {
    javascript("viem");
}

#[test]
fn web3_py() {
    if let Some(python) = python() {
        let signer = account("web3");
        check(report("web3", python, "web3_client.py", &signer), signer.address());
    }
}

#[test]
fn a_client_of_the_original_project() {
    let Some(python) = python() else { return };
    let signer = account("predict");
    let mut report = report("predict", python, "predict.py", &signer);
    let estimate = report["estimate"].take().as_u64().unwrap();
    let (gas, digit) = (SHARED.predict, digit(&SHARED.model, &SHARED.image));
    assert!((gas..=gas * 1_016 / 1_000).contains(&estimate), "{estimate}, and it took {gas}");
    let expected = json!({
        "ready": true,
        "gasPrice": 100_000_000,
        "digit": digit,
        "estimate": null,
        "gas": gas,
        "events": [digit],
    });
    assert_eq!(report, expected);
}

#[test]
fn alloy_provider() {
    SHARED.served.block_on(with_alloy());
}

async fn with_alloy() {
    let signer = account("alloy");
    let client = signer.address();
    let wallet = EthereumWallet::from(signer);
    let url = SHARED.served.url.parse().unwrap();
    let provider = ProviderBuilder::new().wallet(wallet).connect_http(url);
    let (model, image) = (&SHARED.model, Bytes::from(SHARED.image));
    let fields = |event: Classified| json!([event.caller, event.imageHash, event.digit]);
    let refusal = |error: alloy::contract::Error| match error.as_decoded_interface_error() {
        Some(IClassifierErrors::BadImageLength(error)) => {
            format!("badimagelength({}, {})", error.got, error.expected)
        }
        Some(IClassifierErrors::ModelNotReady(error)) => format!("modelnotready({})", error.state),
        Some(IClassifierErrors::NotOwner(error)) => format!("notowner({:?})", error.caller),
        _ => error.to_string(),
    };

    let mut report = json!({
        "chainId": provider.get_chain_id().await.unwrap(),
        "balance": provider.get_balance(client).await.unwrap().to_string(),
    });
    let program = artifacts::solidity(Contract::Packed).unwrap().unwrap();
    let create = TransactionRequest::default().with_deploy_code(program.init_code(client));
    let created = provider.send_transaction(create).await.unwrap().get_receipt().await.unwrap();
    let packed = IClassifier::new(created.contract_address.unwrap(), &provider);
    let code = provider.get_code_at(*packed.address()).await.unwrap();
    let artifact = root().join("contracts-solidity-baseline/artifacts/Packed.json");
    let artifact: Value = serde_json::from_slice(&fs::read(artifact).unwrap()).unwrap();
    report["created"] = json!([json!(code) == artifact["deployedBytecode"], created.gas_used]);
    report["notReady"] = refusal(packed.classify(image.clone()).call().await.unwrap_err()).into();
    let header = Bytes::from(model.header.clone());
    let begin = packed.beginModel(header.clone(), model.hash).send().await.unwrap();
    begin.get_receipt().await.unwrap();
    for (index, words) in uploads(model) {
        packed.uploadChunk(index, words).send().await.unwrap().get_receipt().await.unwrap();
    }
    packed.finalizeModel().send().await.unwrap().get_receipt().await.unwrap();

    let stylus = IClassifier::new(SHARED.classifier, &provider);
    let begin = stylus.beginModel(header, model.hash);
    report["notOwner"] = refusal(begin.estimate_gas().await.unwrap_err()).into();

    let mut contracts = Vec::new();
    for contract in [packed, stylus] {
        let filter = contract.Classified_filter().topic1(client);
        let poll = provider.new_filter(&filter.filter).await.unwrap();
        let record = contract.classifyAndRecord(image.clone());
        let estimate = record.estimate_gas().await.unwrap();
        let receipt = record.send().await.unwrap().get_receipt().await.unwrap();
        let heard: Vec<Log> = provider.get_filter_changes(poll).await.unwrap();
        let found = filter.from_block(receipt.block_number.unwrap()).query().await.unwrap();
        let short = image.slice(1..);
        contracts.push(json!({
            "digit": contract.classify(image.clone()).call().await.unwrap(),
            "logits": contract.logits(image.clone()).call().await.unwrap(),
            "estimate": estimate,
            "gas": receipt.gas_used,
            "event": fields(receipt.decoded_log::<Classified>().unwrap().data),
            "found": found.into_iter().map(|(event, _)| fields(event)).collect::<Vec<_>>(),
            "heard": fields(heard[0].log_decode::<Classified>().unwrap().inner.data),
            "refused": refusal(contract.classify(short).call().await.unwrap_err()),
        }));
    }
    report["contracts"] = contracts.into();
    check(report, client);
}

/// `cast`, asked to do one thing at a time.
struct Cast {
    program: PathBuf,
    signer: PrivateKeySigner,
}

impl Cast {
    /// A command, what it is asked for and with which flags.
    fn command(&self, command: &str, arguments: &[&str], flags: &[&str]) -> Command {
        let mut cast = limited(&self.program);
        // Offline: it would ask a service on the web for the names of errors.
        cast.env("FOUNDRY_OFFLINE", "true").env("ETH_RPC_URL", &SHARED.served.url);
        cast.arg(command).args(flags).args(arguments);
        cast
    }

    #[track_caller]
    fn text(&self, command: &str, arguments: &[&str], flags: &[&str]) -> String {
        stdout(&mut self.command(command, arguments, flags)).trim().into()
    }

    #[track_caller]
    fn json(&self, command: &str, arguments: &[&str], flags: &[&str]) -> Value {
        serde_json::from_str(&self.text(command, arguments, &[flags, &["--json"]].concat()))
            .unwrap()
    }

    /// Sends a transaction and gives its receipt.
    #[track_caller]
    fn send(&self, arguments: &[&str]) -> Value {
        let key = self.signer.to_bytes().to_string();
        self.json("send", arguments, &["--private-key", &key])
    }

    /// The error that a command is refused with, decoded by `cast` as well.
    #[track_caller]
    fn refusal(&self, command: &str, arguments: &[&str], error: &str) -> String {
        let from = self.signer.address().to_string();
        let output = self.command(command, arguments, &["--from", &from]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let data = said.split_once("data: \"").unwrap_or_else(|| panic!("{said}")).1;
        let data = data.split_once('"').unwrap().0;
        let fields = self.text("decode-error", &[data], &["--sig", error]);
        let name = error.split_once('(').unwrap().0;
        format!("{name}({})", fields.lines().collect::<Vec<_>>().join(", ")).to_lowercase()
    }
}

/// A quantity in hex.
fn quantity(value: &Value) -> u64 {
    let digits = value.as_str().unwrap().strip_prefix("0x").unwrap();
    u64::from_str_radix(digits, 16).unwrap()
}

#[test]
fn cast() {
    let program = "tests/clients/node_modules/.bin/cast";
    let Some(program) = installed(program, "tools/setup-node.sh installs it") else { return };
    let cast = Cast { program, signer: account("cast") };
    let (model, client) = (&SHARED.model, cast.signer.address());
    let me = client.to_string();
    let image = hex::encode_prefixed(SHARED.image);
    let fields = |log: &Value| {
        let caller = Address::from_word(log["topics"][1].as_str().unwrap().parse().unwrap());
        json!([caller, log["topics"][2], quantity(&log["data"])])
    };

    let mut report = json!({
        "chainId": cast.text("chain-id", &[], &[]).parse::<u64>().unwrap(),
        "balance": cast.text("balance", &[&me], &[]),
    });
    let program = artifacts::solidity(Contract::Packed).unwrap().unwrap();
    let created =
        cast.send(&["--create", &program.bytecode.to_string(), "constructor(address)", &me]);
    let packed = created["contractAddress"].as_str().unwrap();
    let artifact = root().join("contracts-solidity-baseline/artifacts/Packed.json");
    let artifact: Value = serde_json::from_slice(&fs::read(artifact).unwrap()).unwrap();
    let code = cast.text("code", &[packed], &[]);
    report["created"] =
        json!([artifact["deployedBytecode"] == code, quantity(&created["gasUsed"])]);
    let classify = "classify(bytes)(uint8)";
    let not_ready = cast.refusal("call", &[packed, classify, &image], "ModelNotReady(uint8)");
    report["notReady"] = not_ready.into();
    let begin = [
        "beginModel(bytes,bytes32)",
        &hex::encode_prefixed(&model.header),
        &model.hash.to_string(),
    ];
    cast.send(&[&[packed], &begin[..]].concat());
    for (index, words) in uploads(model) {
        cast.send(&[packed, "uploadChunk(uint32,bytes)", &index.to_string(), &words.to_string()]);
    }
    cast.send(&[packed, "finalizeModel()"]);
    let stylus = SHARED.classifier.to_string();
    let begin = [&[&stylus[..]], &begin[..]].concat();
    report["notOwner"] = cast.refusal("estimate", &begin, "NotOwner(address)").into();

    let mut contracts = Vec::new();
    for contract in [packed, &stylus] {
        let topics = json!([Classified::SIGNATURE_HASH, client.into_word()]);
        let filter = json!({"address": contract, "topics": topics}).to_string();
        let filter = cast.text("rpc", &["eth_newFilter", &filter], &[]);
        let record = [contract, "classifyAndRecord(bytes)", &image];
        let estimate = cast.text("estimate", &record, &["--from", &me]);
        let receipt = cast.send(&record);
        let heard = cast.text("rpc", &["eth_getFilterChanges", filter.trim_matches('"')], &[]);
        let heard: Value = serde_json::from_str(&heard).unwrap();
        let event = "Classified(address indexed caller, bytes32 indexed imageHash, uint8 digit)";
        let block = quantity(&receipt["blockNumber"]).to_string();
        let found =
            cast.json("logs", &[event, &me], &["--address", contract, "--from-block", &block]);
        let found: Vec<Value> = found.as_array().unwrap().iter().map(fields).collect();
        let short = format!("0x{}", &image[4..]);
        let refused = "BadImageLength(uint256,uint256)";
        contracts.push(json!({
            "digit": cast.json("call", &[contract, classify, &image], &[])[0],
            "logits": cast.json("call", &[contract, "logits(bytes)(int32[])", &image], &[])[0],
            "estimate": estimate.parse::<u64>().unwrap(),
            "gas": quantity(&receipt["gasUsed"]),
            "event": fields(&receipt["logs"][0]),
            "found": found,
            "heard": fields(&heard[0]),
            "refused": cast.refusal("call", &[contract, classify, &short], refused),
        }));
    }
    report["contracts"] = contracts.into();
    check(report, client);
}
