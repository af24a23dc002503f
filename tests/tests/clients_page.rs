//! The programs of `docs/clients.md`, as they stand there, against a node behind a socket.

use alloy::{
    primitives::{Address, Bytes, hex},
    sol,
    sol_types::{SolCall, SolValue},
};
use inkling::{artifacts::Contract, models::Model};
use inkling_devnode::{Node, TxRequest};
use inkling_tests::{
    Deployed, OWNER, STRANGER, digit,
    served::{Served, installed, limited, root, stdout},
    test_images,
};
use std::{fs, process::Command, sync::LazyLock};

/// The page's program for alloy, which a test compares with the page.
mod with_alloy {
    include!("../clients/alloy.rs");

    pub(super) fn ask(shared: &super::Shared) -> u8 {
        let (rpc, image) = (&shared.served.url, shared.image.into());
        shared.served.block_on(classify(rpc, shared.classifier, image)).unwrap()
    }
}

sol! {
    function isDigit(bytes image, uint8 digit) external view returns (bool);
}

struct Shared {
    served: Served,
    classifier: Address,
    image: [u8; 400],
    digit: u8,
}

static SHARED: LazyLock<Shared> = LazyLock::new(|| {
    let model = Model::open("small").unwrap();
    let image = test_images(1)[0];
    let deployed = Deployed::with_model(Contract::Stylus, &model);
    let (classifier, digit) = (deployed.address, digit(&model, &image));
    Shared { served: Served::new(Node::new(deployed.chain)), classifier, image, digit }
});

/// The program under a heading, and its language.
fn program(heading: &str) -> (String, String) {
    let page = fs::read_to_string(root().join("docs/clients.md")).unwrap();
    let (_, section) = page.split_once(&format!("\n## {heading}\n")).expect("the page has it");
    let (_, block) = section.split_once("\n```").expect("it has a program");
    let (language, block) = block.split_once('\n').unwrap();
    (language.to_owned(), block.split_once("```").unwrap().0.to_owned())
}

/// What the page's inputs are.
fn inputs() -> [(&'static str, String); 3] {
    [
        ("RPC", SHARED.served.url.clone()),
        ("CLASSIFIER", SHARED.classifier.to_string()),
        ("IMAGE", hex::encode_prefixed(SHARED.image)),
    ]
}

/// Runs a program, which must print the digit.
#[track_caller]
fn prints_the_digit(mut command: Command) {
    let printed = stdout(command.envs(inputs()));
    assert_eq!(printed.trim(), SHARED.digit.to_string());
}

fn javascript(heading: &str, package: &str) {
    let modules = format!("tests/clients/node_modules/{package}");
    if installed(&modules, "tools/setup-node.sh installs it").is_some() {
        let (language, program) = program(heading);
        assert_eq!(language, "js");
        let mut node = limited("node");
        node.current_dir(root().join("tests/clients"));
        node.args(["--input-type=module", "--eval", &program]);
        prints_the_digit(node);
    }
}

#[test]
fn ethers() {
    javascript("ethers", "ethers");
}

#[test]
fn viem() {
    javascript("viem", "viem");
}

#[test]
fn web3_py() {
    let Some(python) = installed("build/python/bin/python", "tools/setup-python.sh makes it")
    else {
        return;
    };
    let (language, program) = program("web3.py");
    assert_eq!(language, "python");
    let mut python = limited(python);
    python.args(["-c", &program]);
    prints_the_digit(python);
}

#[test]
fn cast() {
    let cast = "tests/clients/node_modules/.bin/cast";
    let Some(cast) = installed(cast, "tools/setup-node.sh installs it") else { return };
    let (language, program) = program("cast");
    assert_eq!(language, "sh");
    let mut shell = limited("sh");
    let path = std::env::var("PATH").unwrap_or_default();
    shell.env("PATH", format!("{}:{path}", cast.parent().unwrap().display()));
    shell.env("FOUNDRY_OFFLINE", "true").args(["-c", &program]);
    prints_the_digit(shell);
}

#[test]
fn alloy() {
    assert_eq!(program("alloy"), ("rust".into(), include_str!("../clients/alloy.rs").into()));
    assert_eq!(with_alloy::ask(&SHARED), SHARED.digit);
}

#[test]
fn solidity() {
    let solc = "contracts-solidity-baseline/node_modules/solc";
    if installed(solc, "tools/setup-node.sh installs it").is_none() {
        return;
    }
    let (language, source) = program("Solidity");
    assert_eq!(language, "solidity");
    let compile = "import solc from 'solc';
        const settings = { outputSelection: { '*': { '*': ['evm.bytecode.object'] } } };
        const sources = { page: { content: process.env.SOURCE } };
        const { errors, contracts } = JSON.parse(solc.compile(JSON.stringify({ language: 'Solidity', sources, settings })));
        if (errors) throw new Error(errors.map((error) => error.formattedMessage).join());
        console.log(contracts.page.Reader.evm.bytecode.object);";
    let mut node = limited("node");
    node.current_dir(root().join("contracts-solidity-baseline")).env("SOURCE", source);
    let bytecode = stdout(node.args(["--input-type=module", "--eval", compile]));
    let bytecode = hex::decode(bytecode.trim()).unwrap();
    let init: Bytes = [bytecode, SHARED.classifier.abi_encode()].concat().into();
    let mut chain = SHARED.served.node.chain();
    let created = chain.transact(&TxRequest::create(OWNER, init)).unwrap();
    let reader = created.created.expect("it is created");
    for (asked, expected) in [(SHARED.digit, true), ((SHARED.digit + 1) % 10, false)] {
        let call = isDigitCall { image: SHARED.image.into(), digit: asked };
        let outcome = chain.call(&TxRequest::call(STRANGER, reader, call.abi_encode())).unwrap();
        assert_eq!(isDigitCall::abi_decode_returns(&outcome.output).unwrap(), expected);
    }
}
