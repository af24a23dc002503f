//! What `inkling deploy` refuses before it sends anything; and that its preview says what is paid.

use alloy::primitives::{Address, U256};
use inkling::{abi::STYLUS_DEPLOYER, artifacts::Contract, models::Model};
use inkling_devnode::{Chain, ChainConfig, Node, arbos::DEV_ACCOUNT};
use inkling_tests::{
    Deployed, STRANGER,
    deploys::Deploys,
    proxy::{Fault, Proxy},
    served::{Served, available, limited, said, stdout},
};
use serde_json::Value;
use std::{
    fs,
    io::Write,
    process::{Command, Output, Stdio},
    time::Duration,
};

const SEND: &str = "eth_sendRawTransaction";

fn served(config: ChainConfig) -> Served {
    Served::new(Node::new(Chain::new(config)))
}

/// Must fail with these words and one of the exit codes of refusals, 4, or of checks, 1; and send nothing.
#[track_caller]
fn refuses(served: &Served, deploys: &Deploys, arguments: &[&str], parts: &[&str]) {
    let proxy = Proxy::new(&served.url, Duration::ZERO, |_, _| Fault::None);
    let mut command = deploys.command(&proxy.url, "it");
    let output: Output = command.args(arguments).output().expect("it can be started");
    let text = said(&output);
    assert!(matches!(output.status.code(), Some(1 | 4)), "{text}");
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
    assert_eq!(proxy.count(SEND), 0);
    assert!(!fs::exists(deploys.folder().join("412346/it.json")).unwrap());
}

#[test]
fn another_chain() {
    let deploys = Deploys::new("--model nano");
    let arguments = ["--chain-id", "42161"];
    let said = ["has the id 412346, expected 42161"];
    refuses(&served(ChainConfig::default()), &deploys, &arguments, &said);
}

#[test]
fn too_little_balance() {
    let served = served(ChainConfig::default());
    served.node.chain().set_balance(DEV_ACCOUNT, U256::from(100_000_000_000_000u64));
    let deploys = Deploys::new("--model nano --contract packed");
    refuses(&served, &deploys, &[], &["has 0.0001000000 ether", "ether are needed"]);
}

#[test]
fn no_deployer() {
    let served = served(ChainConfig::default());
    served.node.chain().set_code(STYLUS_DEPLOYER, Default::default());
    let deploys = Deploys::new("--model nano");
    refuses(
        &served,
        &deploys,
        &[],
        &["there is no StylusDeployer at 0xcEcba2F1DC234f70Dd89F2041029807F8D03A990"],
    );
}

/// A deployment that was begun with another build, or another model of the same name.
#[test]
fn a_stale_artifact() {
    let served = served(ChainConfig::default());
    let deploys = Deploys::new("--model nano --contract packed");
    let broken = Proxy::new(&served.url, Duration::ZERO, |method, before| match (method, before) {
        (SEND, 1) => Fault::Error(-32_000, "out of service"),
        _ => Fault::None,
    });
    let output = deploys.command(&broken.url, "it").output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let path = deploys.journal("it");
    let journal: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for (field, word) in
        [("program_sha256", "its program is 00"), ("model_hash", "its model hash is 0x00")]
    {
        let mut other = journal.clone();
        let prefix = if field == "model_hash" { "0x" } else { "" };
        other["subject"][field] = format!("{prefix}{}", "00".repeat(32)).into();
        fs::write(&path, other.to_string()).unwrap();
        refuses(&served, &deploys, &[], &["is of another deployment", word]);
    }
}

#[test]
fn a_foreign_owner_and_no_contract() {
    let mut theirs = Deployed::try_new(Contract::Packed, STRANGER).unwrap();
    theirs.chain.set_balance(DEV_ACCOUNT, U256::from(10).pow(U256::from(20)));
    let address = theirs.address.to_string();
    let served = Served::new(Node::new(theirs.chain));
    let deploys = Deploys::new("--model nano --contract packed");
    let words = format!("the contract at {address} belongs to {STRANGER}, not to {DEV_ACCOUNT}");
    refuses(&served, &deploys, &["--address", &address], &[&words]);
    let nobody = Address::repeat_byte(7).to_string();
    refuses(&served, &deploys, &["--address", &nobody], &["there is no contract at"]);
}

/// A program with an older network of that name baked in.
#[test]
fn a_model_that_the_program_does_not_hold() {
    let served = served(ChainConfig::default());
    let folder = Deploys::new("");
    fs::create_dir_all(folder.folder()).unwrap();
    let path = folder.folder().join("nano.safetensors");
    let small = inkling_tests::served::root().join("models/small.safetensors");
    let mut bytes = fs::read(small).unwrap();
    // The name is in the metadata, and both are equally long.
    let at = bytes.windows(6).position(|part| part == b"\"small").unwrap();
    bytes[at..at + 6].copy_from_slice(b"\"large");
    fs::write(&path, bytes).unwrap();
    assert_eq!(Model::open(path.to_str().unwrap()).unwrap().name, "large");
    let model = format!("--contract stylus-baked --model {}", path.display());
    refuses(&served, &Deploys::new(&model), &[], &["the model baked into it has the hash"]);
}

/// On a terminal the plan is asked about; `script`, of util-linux, is one.
#[cfg(target_os = "linux")]
#[test]
fn a_plan_is_carried_out_if_it_is_agreed_to() {
    let there = Command::new("script").arg("--version").output().is_ok();
    if !available(there, "script", "apt install bsdutils") {
        return;
    }
    for (answer, code, blocks) in [("n\n", 4, 0), ("\n", 4, 0), ("y\n", 0, 4)] {
        let (served, deploys) = (served(ChainConfig::default()), Deploys::new("--model nano"));
        let deploy = deploys.command(&served.url, "it");
        let words = [deploy.get_program()].into_iter().chain(deploy.get_args());
        let words = words.filter_map(|word| word.to_str()).filter(|word| *word != "--yes");
        let line = words.collect::<Vec<_>>().join(" ");
        let mut terminal = limited("script");
        terminal.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        let variables = deploy.get_envs().filter_map(|(name, value)| Some((name, value?)));
        terminal.envs(variables).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = terminal.spawn().expect("it can be started");
        let mut input = process.stdin.take().expect("it is piped");
        input.write_all(answer.as_bytes()).expect("it reads");
        let output = process.wait_with_output().expect("it ends");
        let text = said(&output);
        assert!(text.contains("Send 4 transactions for about 0.00065"), "{text}");
        assert_eq!(
            (output.status.code(), served.node.read().number()),
            (Some(code), blocks),
            "{text}"
        );
        drop(input);
    }
}

/// On a chain that charges for L1, the preview of the same command is within 3 % of what is paid; and nothing is sent for
/// it, and nothing written.
#[test]
fn the_preview_is_what_is_paid() {
    for contract in ["stylus", "packed"] {
        let l1_price = U256::from(1_000_000_000);
        let served = served(ChainConfig { l1_price, ..ChainConfig::default() });
        let balance = || served.node.read().balance(DEV_ACCOUNT);
        let deploys =
            Deploys::new(&format!("--model mlp-32-16 --check 1 --json --contract {contract}"));
        let before = balance();
        let plan = stdout(deploys.command(&served.url, "it").arg("--dry-run"));
        let plan: Value = serde_json::from_str(&plan).unwrap();
        assert_eq!((balance(), served.node.read().number()), (before, 0));
        assert!(!deploys.folder().exists());
        let planned: U256 = plan["plan"]["cost_wei"].as_str().unwrap().parse().unwrap();
        assert!(plan["plan"]["steps"][0]["l1_gas"].as_u64().unwrap() > 0);
        assert_eq!(plan["twin"]["contract"], "yul");

        stdout(&mut deploys.command(&served.url, "it"));
        let paid = before - balance();
        let difference = paid.abs_diff(planned);
        assert!(
            difference * U256::from(100) <= paid * U256::from(3),
            "{contract}: {planned}, {paid}"
        );
        let record = deploys.record("it");
        assert_eq!(record.cost_wei, paid);
        assert!(record.l1_gas > 0);
    }
}
