//! One interface: `IClassifier.sol` as this program reads it, the compiled Solidity contracts, and what the deployed
//! Stylus program answers to.

use alloy::{
    primitives::{B256, U256, keccak256},
    sol_types::SolCall,
};
use inkling::{
    abi::{
        IClassifier::{IClassifierCalls, IClassifierErrors, IClassifierEvents, *},
        decode_error,
    },
    artifacts::{Contract, Home},
};
use inkling_devnode::TxStatus;
use inkling_tests::{Deployed, contracts::baked_models};
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::Path};

/// Signatures of one kind (`function`, `event`, `error`) in the ABI of an artifact.
fn artifact(name: &str, kind: &str) -> BTreeSet<String> {
    let file = format!("../contracts-solidity-baseline/artifacts/{name}.json");
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    let items = json["abi"].as_array().unwrap().iter().filter(|item| item["type"] == kind);
    let signature = |item: &Value| {
        let inputs = item["inputs"].as_array().unwrap().iter();
        let types: Vec<&str> = inputs.map(|input| input["type"].as_str().unwrap()).collect();
        format!("{}({})", item["name"].as_str().unwrap(), types.join(","))
    };
    items.map(signature).collect()
}

fn set(signatures: &[&str]) -> BTreeSet<String> {
    signatures.iter().map(|&signature| signature.into()).collect()
}

#[test]
fn artifacts_have_the_interface_and_nothing_else() {
    for contract in Contract::UPLOADED.into_iter().filter(|on| !on.is_stylus()) {
        let name = &format!("{contract:?}");
        let has = |kind| artifact(name, kind);
        assert_eq!(has("function"), set(IClassifierCalls::SIGNATURES), "{name}");
        assert_eq!(has("event"), set(IClassifierEvents::SIGNATURES), "{name}");
        assert_eq!(has("error"), set(IClassifierErrors::SIGNATURES), "{name}");
    }
    assert_eq!(IClassifierCalls::SIGNATURES.len(), 15);
    assert_eq!(IClassifierEvents::SIGNATURES.len(), 7);
    assert_eq!(IClassifierErrors::SIGNATURES.len(), 15);
}

/// The signature of a line `pub fn name(&self, argument: Type, …) …` of the SDK's declaration.
fn declared(line: &str) -> Option<String> {
    let (name, rest) = line.trim().strip_prefix("pub fn ")?.split_once('(')?;
    let mut words = name.split('_');
    let mut camel = String::from(words.next()?);
    for word in words {
        camel.push_str(&word[..1].to_uppercase());
        camel.push_str(&word[1..]);
    }
    let (arguments, _) = rest.split_once(')')?;
    let types = arguments.split(", ").filter_map(|argument| argument.split_once(": "));
    let types: Vec<&str> = types
        .map(|(_, rust)| match rust {
            "Bytes" => "bytes",
            "B256" => "bytes32",
            "Address" => "address",
            "u32" => "uint32",
            "[u8; 400]" => "uint8[400]",
            other => panic!("{other} is of no function"),
        })
        .collect();
    Some(format!("{camel}({})", types.join(",")))
}

/// What `cargo stylus export-abi` prints is declared apart from the program.
#[test]
fn the_sdk_is_told_the_same_interface() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../contract/src/interface.rs");
    let text = fs::read_to_string(path).unwrap();
    let mut functions: BTreeSet<String> = text.lines().filter_map(declared).collect();
    assert!(functions.remove("constructor(address)"));
    assert_eq!(functions, set(IClassifierCalls::SIGNATURES));
    let errors = IClassifierErrors::SIGNATURES.iter().map(|error| error.split('(').next().unwrap());
    for error in errors {
        assert!(text.contains(&format!("inner::<{error}>()")), "{error}");
    }
}

#[test]
fn selectors_and_topics_are_hashes_of_the_signatures() {
    let calls = IClassifierCalls::SIGNATURES.iter().zip(IClassifierCalls::SELECTORS);
    let errors = IClassifierErrors::SIGNATURES.iter().zip(IClassifierErrors::SELECTORS);
    for (signature, selector) in calls.chain(errors) {
        assert_eq!(keccak256(signature)[..4], *selector, "{signature}");
    }
    for (signature, topic) in IClassifierEvents::SIGNATURES.iter().zip(IClassifierEvents::SELECTORS)
    {
        assert_eq!(keccak256(signature), B256::from(*topic), "{signature}");
    }
    // What clients of the original project call.
    assert_eq!(predictCall::SIGNATURE, "predict(uint8[400])");
    assert_eq!(isModelReadyCall::SIGNATURE, "isModelReady()");
}

/// Every function is answered: with what it returns or with an error of the interface. What is not a function gets an
/// empty revert.
#[test]
fn every_contract_knows_every_selector() {
    for contract in Contract::ALL {
        let mut deployed = match contract.home() {
            Home::Baked => Deployed::with_shipped(contract, &baked_models()[0]),
            _ => Deployed::new(contract),
        };
        for (selector, signature) in
            IClassifierCalls::SELECTORS.iter().zip(IClassifierCalls::SIGNATURES)
        {
            let arguments = match signature.split_once('(').unwrap().1 {
                ")" => vec![],
                // An empty `bytes` after its offset.
                "bytes)" => words(&[32, 0]),
                "bytes,bytes32)" => words(&[64, 0, 0]),
                "uint32,bytes)" => words(&[0, 64, 0]),
                "address)" => words(&[1]),
                "uint8[400])" => words(&[0; 400]),
                other => panic!("{other}: a signature that this test does not know"),
            };
            let outcome = deployed.raw([&selector[..], &arguments].concat(), U256::ZERO);
            let named = decode_error(&outcome.output).is_some_and(|error| {
                IClassifierErrors::VARIANT_NAMES.iter().any(|name| error.starts_with(name))
            });
            assert!(outcome.is_success() || named, "{contract}: {signature}: {outcome:?}");
        }
        let unknown = deployed.raw(vec![0xde, 0xad, 0xbe, 0xef], U256::ZERO);
        assert_eq!((unknown.status, unknown.output.len()), (TxStatus::Revert, 0), "{contract}");
    }
}

fn words(numbers: &[u64]) -> Vec<u8> {
    numbers.iter().flat_map(|&number| U256::from(number).to_be_bytes::<32>()).collect()
}
