//! The commands of `docs/deploy.md`, one block after another, with a node behind a socket in place of Arbitrum Sepolia.

use alloy::primitives::{Address, U256};
use inkling::deployment::record::{Files, Record};
use inkling_devnode::{Chain, ChainConfig, Node, arbos::DEV_CHAIN_ID};
use inkling_tests::{
    deploys::inkling,
    served::{Served, installed, limited, root, said},
};
use std::{fs, path::Path};

/// The blocks of commands, in order.
fn blocks() -> Vec<String> {
    let page = fs::read_to_string(root().join("docs/deploy.md")).unwrap();
    let blocks = page.split("\n```sh\n").skip(1);
    blocks.map(|rest| rest.split("\n```").next().unwrap().to_owned()).collect()
}

/// The address in what `cast wallet new` prints.
fn printed(text: &str) -> Option<Address> {
    text.lines().find_map(|line| line.strip_prefix("Address:")?.trim().parse().ok())
}

#[test]
fn from_nothing_to_a_frozen_contract() {
    let cast = "tests/clients/node_modules/.bin/cast";
    let Some(cast) = installed(cast, "tools/setup-node.sh installs it") else { return };
    let served = Served::new(Node::new(Chain::new(ChainConfig::default())));
    let folder = tempfile::tempdir().unwrap();
    let there = folder.path();
    let program = inkling();
    let path = [program.parent().unwrap(), cast.parent().unwrap(), Path::new("/usr/bin:/bin")];
    let path = path.map(|folder| folder.to_str().unwrap()).join(":");
    let records = |name: &str| {
        let files = Files::new(&there.join("deployments"), DEV_CHAIN_ID, name);
        Record::read(&files.record).unwrap()
    };

    let (mut exports, mut transcript) = (String::new(), String::new());
    for block in blocks() {
        // What is built is there already.
        let lines = block
            .lines()
            .filter(|line| !line.starts_with("cargo build") && !line.contains("PATH="));
        let mut script = lines.collect::<Vec<_>>().join("\n");
        script = script.replace("--network sepolia", "--rpc $RPC");
        if let Some(record) = records("small-stylus") {
            script = script.replace("=0x…", &format!("={}", record.address));
        }
        let mut shell = limited("sh");
        shell.current_dir(there).env("PATH", &path).env("RPC", &served.url);
        shell.env("FOUNDRY_OFFLINE", "true").args(["-ec", &format!("{exports}{script}")]);
        let output = shell.output().expect("there is a shell");
        let text = said(&output);
        assert!(output.status.success(), "{script}\n{text}");
        if let Some(address) = printed(&text) {
            let ether = U256::from(10).pow(U256::from(18));
            served.node.chain().set_balance(address, ether);
        }
        let kept = script.lines().filter(|line| line.starts_with("export "));
        kept.for_each(|line| exports += &format!("{line}\n"));
        transcript += &text;
    }
    for part in [
        "| **total**",
        "small is ready at 0x",
        "ready",
        "digit 9 (the test set says 9: right)",
        "100 images: ",
        "compare-412346-small-20",
        "blockNumber",
    ] {
        assert!(transcript.contains(part), "{part:?} is not in {transcript}");
    }
    let address = records("small-stylus").unwrap().address;
    assert_eq!(records("small-yul").unwrap().subject.model, "small");
    assert!(there.join("reports/evaluate-small-stylus-100-412346.html").exists());
    let mut shell = limited(&program);
    shell.args(["status", "--json", "--rpc", &served.url, "--address", &address.to_string()]);
    let status = said(&shell.output().unwrap());
    assert!(status.contains("\"frozen\"") && status.contains("\"cached\": true"), "{status}");
}
