//! A Solidity contract (`contracts/Asker.sol`) that calls a classifier: the call costs what it does by itself, and what
//! the EVM takes for a call, to the unit of gas.
//!
//! What the EVM takes is measured with a callee of known cost: some bytes of EVM code that return a digit for 16 gas.

use alloy::{
    primitives::{Address, Bytes, address, bytes, keccak256},
    sol,
    sol_types::SolCall,
};
use inkling::{abi::IClassifier, artifacts::Contract, models::Model};
use inkling_devnode::{TxOutcome, TxRequest};
use inkling_tests::{
    Deployed, STRANGER, deployed::outcome, digit, refused, served::root, test_images,
};
use serde_json::Value;
use std::fs;

sol! {
    function classify(address classifier, bytes image) external view returns (uint8 digit);
    function classifyAndRecord(address classifier, bytes image) external returns (uint8 digit);
}

/// Where the Solidity contract stands.
const ASKER: Address = address!("000000000000000000000000000000000000a5ce");

/// Where a callee stands that answers 7 to everything.
const STUB: Address = address!("0000000000000000000000000000000000005b0b");

/// PUSH1 7, PUSH0, MSTORE, PUSH1 32, PUSH0, RETURN.
const STUB_CODE: Bytes = bytes!("60075f5260205ff3");

/// 3 + 2 + 3 (and 3 for a word of memory) + 3 + 2 + 0.
const STUB_GAS: u64 = 16;

/// What the first touch of an account costs (EIP-2929); a transaction's own callee is warm.
const COLD_ACCOUNT: u64 = 2_600;

/// A classifier with a model, and the two others beside it.
fn deployed(model: &Model) -> Deployed {
    let mut deployed = Deployed::with_model(Contract::Stylus, model);
    let artifact = fs::read(root().join("tests/contracts/Asker.json")).unwrap();
    let artifact: Value = serde_json::from_slice(&artifact).unwrap();
    let code: Bytes = artifact["deployedBytecode"].as_str().unwrap().parse().unwrap();
    deployed.chain.set_code(ASKER, code);
    deployed.chain.set_code(STUB, STUB_CODE);
    deployed
}

/// A transaction, and its gas but for the 21,000 and the calldata.
fn send(deployed: &mut Deployed, to: Address, call: &impl SolCall) -> (TxOutcome, u64) {
    let request = TxRequest::call(STRANGER, to, call.abi_encode());
    let outcome = outcome(deployed.chain.transact(&request).unwrap()).unwrap();
    let gas = outcome.gas_used - outcome.intrinsic();
    (outcome, gas)
}

#[test]
fn the_gas_is_that_of_the_direct_call_and_the_evms() {
    let model = Model::open("mlp-32-16").unwrap();
    let mut on = deployed(&model);
    let (stylus, images) = (on.address, test_images(5));
    for cached in [false, true] {
        on.chain.set_cached(stylus, cached).unwrap();
        for image in &images {
            let image = Bytes::from(*image);
            let direct = IClassifier::classifyCall { image: image.clone() };
            let asked = |classifier| classifyCall { classifier, image: image.clone() };
            let (outcome, stub) = send(&mut on, STUB, &direct);
            assert_eq!((outcome.output[31], stub), (7, STUB_GAS));
            let evm = send(&mut on, ASKER, &asked(STUB)).1 - STUB_GAS;
            // The rest is the compiler's: it decodes the arguments, encodes them again and decodes the answer.
            assert_eq!(evm, COLD_ACCOUNT + 893);

            let (answer, gas) = send(&mut on, stylus, &direct);
            assert_eq!(answer.output[31], digit(&model, &image));
            let (through, total) = send(&mut on, ASKER, &asked(stylus));
            assert_eq!((through.output, total), (answer.output, gas + evm), "cached: {cached}");
        }
    }
}

#[test]
fn an_event_names_the_solidity_contract() {
    let model = Model::open("mlp-32-16").unwrap();
    let mut on = deployed(&model);
    let (classifier, image) = (on.address, Bytes::from(test_images(1)[0]));
    let direct = IClassifier::classifyAndRecordCall { image: image.clone() };
    let asked = |classifier| classifyAndRecordCall { classifier, image: image.clone() };
    let gas = send(&mut on, classifier, &direct).1;
    let evm = send(&mut on, ASKER, &asked(STUB)).1 - STUB_GAS;
    let (outcome, total) = send(&mut on, ASKER, &asked(classifier));
    assert_eq!(total, gas + evm);
    let digit = digit(&model, &image);
    let event = IClassifier::Classified { caller: ASKER, imageHash: keccak256(&image), digit };
    let logs: Vec<_> = outcome.logs.into_iter().map(|log| (log.address, log.data)).collect();
    assert_eq!(logs, [(classifier, alloy::sol_types::SolEvent::encode_log_data(&event))]);
}

#[test]
fn a_refusal_comes_through() {
    let on = deployed(&Model::open("mlp-32-16").unwrap());
    let call = classifyCall { classifier: on.address, image: Bytes::from(vec![0; 399]) };
    let request = TxRequest::call(STRANGER, ASKER, call.abi_encode());
    let refusal = outcome(on.chain.call(&request).unwrap()).unwrap_err();
    let error = IClassifier::BadImageLength {
        got: "399".parse().unwrap(),
        expected: "400".parse().unwrap(),
    };
    assert_eq!(refusal, refused(error));
}
