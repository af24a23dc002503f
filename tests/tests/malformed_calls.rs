//! Calldata that is no call of the interface, and value: refused, and state as before.

use alloy::{
    primitives::{Address, B256, U256},
    sol_types::SolCall,
};
use inkling::{
    abi::IClassifier::{IClassifierCalls, *},
    artifacts::Contract,
    models::Model,
};
use inkling_devnode::TxRequest;
use inkling_tests::{Deployed, OWNER, deployed::begin, deployed::chunks, random_mlp};
use rand::{Rng, SeedableRng, rngs::StdRng};

fn model() -> Model {
    random_mlp(&mut StdRng::seed_from_u64(60), &[2])
}

/// Calldata must be refused in a transaction and change nothing.
#[track_caller]
fn refuses(deployed: &mut Deployed, what: &str, data: Vec<u8>, value: u64) {
    let before = deployed.state();
    let request =
        TxRequest { value: U256::from(value), ..TxRequest::call(OWNER, deployed.address, data) };
    let outcome = deployed.chain.transact(&request).unwrap();
    assert!(!outcome.is_success(), "{what} is accepted");
    assert_eq!(deployed.state(), before, "{what} changed something");
}

/// Each function with good arguments, and the bytes of it that no decoder can do without.
fn calls(model: &Model) -> Vec<(&'static str, Vec<u8>, usize)> {
    let image = || vec![1u8; 400].into();
    // Bytes at the end only fill a word: Solidity reads `bytes` without them.
    let dynamic = |data: Vec<u8>, fill: usize| (data.len() - fill, data);
    let header = model.header.len().next_multiple_of(32) - model.header.len();
    let all = [
        ("classify", dynamic(classifyCall { image: image() }.abi_encode(), 16)),
        ("logits", dynamic(logitsCall { image: image() }.abi_encode(), 16)),
        ("classifyBatch", dynamic(classifyBatchCall { images: image() }.abi_encode(), 16)),
        ("classifyAndRecord", dynamic(classifyAndRecordCall { image: image() }.abi_encode(), 16)),
        ("predict", dynamic(predictCall { image: [1; 400] }.abi_encode(), 0)),
        ("isModelReady", dynamic(isModelReadyCall {}.abi_encode(), 0)),
        ("beginModel", dynamic(begin(model).abi_encode(), header)),
        ("uploadChunk", dynamic(chunks(model, 0, 1).abi_encode(), 0)),
        ("missingChunks", dynamic(missingChunksCall {}.abi_encode(), 0)),
        ("finalizeModel", dynamic(finalizeModelCall {}.abi_encode(), 0)),
        ("freezeModel", dynamic(freezeModelCall {}.abi_encode(), 0)),
        ("modelInfo", dynamic(modelInfoCall {}.abi_encode(), 0)),
        ("owner", dynamic(ownerCall {}.abi_encode(), 0)),
        (
            "transferOwnership",
            dynamic(transferOwnershipCall { newOwner: Address::repeat_byte(1) }.abi_encode(), 0),
        ),
        ("acceptOwnership", dynamic(acceptOwnershipCall {}.abi_encode(), 0)),
    ];
    assert_eq!(all.len(), IClassifierCalls::SELECTORS.len());
    all.into_iter().map(|(name, (needed, data))| (name, data, needed)).collect()
}

#[test]
fn unknown_selectors() {
    let model = model();
    let mut rng = StdRng::seed_from_u64(61);
    for contract in Contract::UPLOADED {
        let mut deployed = Deployed::with_model(contract, &model);
        for length in 0..4 {
            refuses(&mut deployed, "a piece of a selector", vec![0; length], 0);
        }
        for selector in IClassifierCalls::SELECTORS {
            let mut near = *selector;
            near[rng.random_range(0..4)] ^= 1 << rng.random_range(0..8);
            for unknown in [near, rng.random()] {
                assert!(!IClassifierCalls::SELECTORS.contains(&unknown));
                let data = [&unknown[..], &[0; 512]].concat();
                refuses(&mut deployed, "an unknown selector", data, 0);
            }
            refuses(&mut deployed, "three bytes of a selector", selector[..3].to_vec(), 0);
        }
    }
}

#[test]
fn value_is_refused() {
    let model = model();
    for contract in Contract::UPLOADED {
        // Uploading, so that none is refused for its state alone but those of inference; then ready.
        let mut deployed = Deployed::new(contract);
        for _ in 0..2 {
            for (name, data, _) in calls(&model) {
                refuses(&mut deployed, name, data, 1);
            }
            refuses(&mut deployed, "value without calldata", vec![], 1);
            deployed.upload(&model);
        }
    }
}

#[test]
fn truncated_arguments() {
    let model = model();
    for contract in Contract::UPLOADED {
        let mut deployed = Deployed::with_model(contract, &model);
        for (name, data, needed) in calls(&model) {
            // What is accepted whole …
            if !["uploadChunk", "finalizeModel", "acceptOwnership"].contains(&name) {
                let outcome = deployed.raw(data.clone(), U256::ZERO);
                assert!(outcome.is_success(), "{contract}: {name}");
            }
            // … is not accepted without its last byte, nor without more.
            for length in (4..needed).rev().step_by(31).chain([needed - 1]) {
                if length >= 4 && length < needed {
                    let what = format!("{contract}: {length} of {needed} bytes of {name}");
                    refuses(&mut deployed, &what, data[..length].to_vec(), 0);
                }
            }
        }
    }
}

/// Offsets and lengths that point past the calldata, or would if they did not wrap.
#[test]
fn offsets_and_lengths_that_lie() {
    let model = model();
    let lies = [
        U256::from(u32::MAX),
        U256::from(u64::MAX) - U256::from(31),
        U256::ONE << 64,
        (U256::ONE << 64) + U256::from(32),
        (U256::ONE << 32) + U256::from(32),
        (U256::ONE << 255) + U256::from(32),
        U256::MAX,
        U256::MAX - U256::from(31),
    ];
    for contract in Contract::UPLOADED {
        let mut deployed = Deployed::with_model(contract, &model);
        let dynamic = [
            (classifyCall { image: vec![1; 400].into() }.abi_encode(), 0),
            (classifyBatchCall { images: vec![1; 400].into() }.abi_encode(), 0),
            (begin(&model).abi_encode(), 0),
            (chunks(&model, 0, 1).abi_encode(), 32),
        ];
        for (data, argument) in dynamic {
            let offset = 4 + argument;
            let length = 4 + U256::from_be_slice(&data[offset..offset + 32]).to::<usize>();
            for at in [offset, length] {
                for lie in lies {
                    let mut data = data.clone();
                    data[at..at + 32].copy_from_slice(&B256::from(lie)[..]);
                    refuses(&mut deployed, &format!("{contract}: {lie} at {at}"), data, 0);
                }
            }
        }
    }
}
