//! Empty, uploading, ready, frozen, and two-step ownership: each refusal by its name, and state as before it.
//!
//! Everything here is asked of all contracts that take a model alike. What has a model baked in is asked at the end.

use alloy::{
    primitives::{Address, B256, U256},
    sol_types::SolError,
};
use inkling::{
    abi::{
        IClassifier::{self, *},
        IStylusDeployer::ContractInitializationError,
    },
    artifacts::{Contract, Home, stylus_constructor},
    models::Model,
};
use inkling_network::{Bias, BiasWidth, Header, Input, Logits, Shape, Weights, pack};
use inkling_tests::{
    Deployed, OWNER, STRANGER,
    contracts::baked_models,
    deployed::{begin, chunks, stylus},
    networks::with_random_words,
    random_mlp, refused, test_images,
};
use rand::{SeedableRng, rngs::StdRng};

/// 101 words in four chunks.
fn model() -> Model {
    let model = random_mlp(&mut StdRng::seed_from_u64(30), &[8]);
    assert_eq!((model.words.len(), pack::chunks(&model.words).count()), (101, 4));
    model
}

/// Every question of inference must be refused with `error`.
#[track_caller]
fn refuses_inference(deployed: &mut Deployed, error: impl SolError + Clone) {
    let image = vec![1; 400];
    deployed.refuses(STRANGER, &classifyCall { image: image.clone().into() }, error.clone());
    deployed.refuses(STRANGER, &logitsCall { image: image.clone().into() }, error.clone());
    deployed.refuses(STRANGER, &classifyBatchCall { images: image.clone().into() }, error.clone());
    deployed.refuses(STRANGER, &classifyBatchCall { images: vec![].into() }, error.clone());
    deployed.refuses(STRANGER, &classifyAndRecordCall { image: image.into() }, error.clone());
    deployed.refuses(STRANGER, &predictCall { image: [1; 400] }, error);
}

#[track_caller]
fn is_in_state(deployed: &mut Deployed, model: Option<&Model>, state: u8) {
    let info = deployed.call(&modelInfoCall {}).unwrap();
    let header = model.map(|model| model.header.clone()).unwrap_or_default();
    let (hash, words) = model.map_or((B256::ZERO, 0), |m| (m.hash, m.words.len() as u32));
    assert_eq!((&info.header[..], info.modelHash), (&header[..], hash));
    assert_eq!((info.words, info.state), (words, state));
    assert_eq!(deployed.call(&isModelReadyCall {}), Ok(state >= 2));
}

#[test]
fn construction() {
    for contract in Contract::UPLOADED {
        let refusal = Deployed::try_new(contract, Address::ZERO).err().unwrap();
        if contract.is_stylus() {
            let error = ContractInitializationError::abi_decode(&refusal.data).unwrap();
            assert_eq!(error.data, ZeroOwner {}.abi_encode());
        } else {
            assert_eq!(refusal, refused(ZeroOwner {}));
        }
        let mut deployed = Deployed::new(contract);
        assert_eq!(deployed.call(&ownerCall {}), Ok(OWNER));
        assert_eq!(deployed.call(&missingChunksCall {}), Ok(vec![]));
        is_in_state(&mut deployed, None, 0);
        // Nobody constructs it again; Solidity has no such function.
        let again = stylus_constructor(STRANGER).to_vec();
        assert!(!deployed.raw(again, U256::ZERO).is_success(), "{contract}");
    }
}

/// The states in order, with what each refuses.
#[test]
fn states() {
    let model = model();
    let all = chunks(&model, 0, 1);
    for contract in Contract::UPLOADED {
        let mut deployed = Deployed::new(contract);
        refuses_inference(&mut deployed, ModelNotReady { state: 0 });
        deployed.refuses(OWNER, &all, NotUploading { state: 0 });
        deployed.refuses(OWNER, &finalizeModelCall {}, NotUploading { state: 0 });
        deployed.refuses(OWNER, &freezeModelCall {}, ModelNotReady { state: 0 });

        let begun = ModelBegun { modelHash: model.hash, words: 101 };
        deployed.logs(OWNER, &begin(&model), begun);
        is_in_state(&mut deployed, Some(&model), 1);
        assert_eq!(deployed.call(&missingChunksCall {}), Ok(vec![0, 1, 2, 3]));
        refuses_inference(&mut deployed, ModelNotReady { state: 1 });
        deployed.refuses(OWNER, &freezeModelCall {}, ModelNotReady { state: 1 });
        if contract.home() == Home::Code {
            deployed.refuses(OWNER, &finalizeModelCall {}, ChunksMissing { missing: 4 });
            deployed.upload_words(&model);
        } else {
            for index in 0..4 {
                let error = ChunksMissing { missing: 4 - index };
                deployed.refuses(OWNER, &finalizeModelCall {}, error);
                deployed.send(OWNER, &chunks(&model, index, 1)).unwrap();
            }
        }
        refuses_inference(&mut deployed, ModelNotReady { state: 1 });

        deployed.logs(OWNER, &finalizeModelCall {}, ModelFinalized { modelHash: model.hash });
        is_in_state(&mut deployed, Some(&model), 2);
        assert_eq!(deployed.call(&missingChunksCall {}), Ok(vec![]));
        deployed.refuses(OWNER, &all, NotUploading { state: 2 });
        deployed.refuses(OWNER, &finalizeModelCall {}, NotUploading { state: 2 });

        deployed.logs(OWNER, &freezeModelCall {}, ModelFrozen { modelHash: model.hash });
        is_in_state(&mut deployed, Some(&model), 3);
        deployed.refuses(OWNER, &begin(&model), ModelIsFrozen {});
        deployed.refuses(OWNER, &all, ModelIsFrozen {});
        deployed.refuses(OWNER, &finalizeModelCall {}, ModelIsFrozen {});
        deployed.refuses(OWNER, &freezeModelCall {}, ModelIsFrozen {});
        // A bad header of a frozen model is not even looked at.
        let bad = beginModelCall { header: vec![9].into(), modelHash: B256::ZERO };
        deployed.refuses(OWNER, &bad, ModelIsFrozen {});
        assert_eq!(deployed.logits(&[1; 400]), Ok(model.logits(&[1; 400]).unwrap()));
    }
}

#[test]
fn strangers_change_nothing() {
    let model = model();
    let stranger = || NotOwner { caller: STRANGER };
    for contract in Contract::UPLOADED {
        let mut deployed = Deployed::new(contract);
        let steps: [&dyn Fn(&mut Deployed); 4] = [
            &|_| {},
            &|deployed| drop(deployed.send(OWNER, &begin(&model)).unwrap()),
            &|deployed| deployed.upload(&model),
            &|deployed| drop(deployed.send(OWNER, &freezeModelCall {}).unwrap()),
        ];
        for step in steps {
            step(&mut deployed);
            deployed.refuses(STRANGER, &begin(&model), stranger());
            deployed.refuses(STRANGER, &chunks(&model, 0, 1), stranger());
            deployed.refuses(STRANGER, &finalizeModelCall {}, stranger());
            deployed.refuses(STRANGER, &freezeModelCall {}, stranger());
            deployed.refuses(STRANGER, &transferOwnershipCall { newOwner: STRANGER }, stranger());
            let nobody = NotPendingOwner { caller: STRANGER };
            deployed.refuses(STRANGER, &acceptOwnershipCall {}, nobody);
        }
    }
}

#[test]
fn ownership_is_handed_over_in_two_steps() {
    let model = model();
    let offer = |to| transferOwnershipCall { newOwner: to };
    let accept = acceptOwnershipCall {};
    for contract in Contract::UPLOADED {
        let mut deployed = Deployed::new(contract);
        deployed.send(OWNER, &begin(&model)).unwrap();

        // Offered, taken back, offered again: nothing changes until it is accepted.
        let started = |to| OwnershipTransferStarted { previousOwner: OWNER, newOwner: to };
        deployed.logs(OWNER, &offer(STRANGER), started(STRANGER));
        deployed.logs(OWNER, &offer(Address::ZERO), started(Address::ZERO));
        deployed.refuses(STRANGER, &accept, NotPendingOwner { caller: STRANGER });
        deployed.logs(OWNER, &offer(STRANGER), started(STRANGER));
        assert_eq!(deployed.call(&ownerCall {}), Ok(OWNER));
        deployed.refuses(OWNER, &accept, NotPendingOwner { caller: OWNER });
        deployed.refuses(STRANGER, &begin(&model), NotOwner { caller: STRANGER });

        let transferred = OwnershipTransferred { previousOwner: OWNER, newOwner: STRANGER };
        deployed.logs(STRANGER, &accept, transferred);
        assert_eq!(deployed.call(&ownerCall {}), Ok(STRANGER));
        // It is the new owner's now, in the state it was in, and cannot be accepted twice.
        is_in_state(&mut deployed, Some(&model), 1);
        deployed.refuses(STRANGER, &accept, NotPendingOwner { caller: STRANGER });
        deployed.refuses(OWNER, &chunks(&model, 0, 1), NotOwner { caller: OWNER });
        let count = if contract.home() == Home::Code { 4 } else { 1 };
        deployed.send(STRANGER, &chunks(&model, 0, count)).unwrap();
    }
}

#[test]
fn images_of_wrong_length() {
    let model = model();
    let mut rng = StdRng::seed_from_u64(31);
    let bias = Bias { width: BiasWidth::Bits8, shift: 0 };
    // 9 pixels and 513 weights and more, as `Naive` takes them.
    let logits = Logits { classes: 60, weights: Weights::Int8, bias };
    let shape = Shape { channels: 1, height: 3, width: 3 };
    let input = Input { shape, crop: 0, bits: 8 };
    let small = with_random_words(&mut rng, Header::new(input, &[logits.into()]).unwrap());
    for contract in Contract::UPLOADED {
        let mut deployed = Deployed::with_model(contract, &model);
        for got in [0, 1, 399, 401, 800] {
            let image = vec![7; got];
            let error = || BadImageLength { got: U256::from(got), expected: U256::from(400) };
            deployed.refuses(STRANGER, &classifyCall { image: image.clone().into() }, error());
            deployed.refuses(STRANGER, &logitsCall { image: image.clone().into() }, error());
            deployed.refuses(STRANGER, &classifyAndRecordCall { image: image.into() }, error());
        }
        for got in [1, 399, 401, 799, 801] {
            let batch = classifyBatchCall { images: vec![7; got].into() };
            let error = BadBatchLength { got: U256::from(got), imageLength: U256::from(400) };
            deployed.refuses(STRANGER, &batch, error);
        }
        // `predict` takes 400 pixels, whatever the model.
        let mut deployed = Deployed::with_model(contract, &small);
        let error = BadImageLength { got: U256::from(400), expected: U256::from(9) };
        deployed.refuses(STRANGER, &predictCall { image: [7; 400] }, error);
    }
}

/// Frozen from the start, with the model in it; only ownership can change.
#[test]
fn a_baked_model() {
    let stylus = |model: &str| stylus(Contract::StylusBaked, model);
    for model in baked_models() {
        let program = stylus(&model.name);
        let refusal = Deployed::stylus(&program, Home::Baked, Address::ZERO).err().unwrap();
        let error = ContractInitializationError::abi_decode(&refusal.data).unwrap();
        assert_eq!(error.data, ZeroOwner {}.abi_encode());

        let mut deployed = Deployed::with_shipped(Contract::StylusBaked, &model);
        is_in_state(&mut deployed, Some(&model), 3);
        assert_eq!(deployed.call(&missingChunksCall {}), Ok(vec![]));
        assert_eq!(deployed.call(&ownerCall {}), Ok(OWNER));
        let image = &test_images(1)[0];
        assert_eq!(deployed.logits(image), Ok(model.logits(image).unwrap()));

        let other = self::model();
        deployed.refuses(OWNER, &begin(&other), ModelIsFrozen {});
        deployed.refuses(OWNER, &chunks(&other, 0, 1), ModelIsFrozen {});
        deployed.refuses(OWNER, &finalizeModelCall {}, ModelIsFrozen {});
        deployed.refuses(OWNER, &freezeModelCall {}, ModelIsFrozen {});
        let stranger = || NotOwner { caller: STRANGER };
        deployed.refuses(STRANGER, &begin(&other), stranger());
        deployed.refuses(STRANGER, &chunks(&other, 0, 1), stranger());
        deployed.refuses(STRANGER, &finalizeModelCall {}, stranger());
        deployed.refuses(STRANGER, &freezeModelCall {}, stranger());

        let offer = transferOwnershipCall { newOwner: STRANGER };
        deployed.refuses(STRANGER, &offer, stranger());
        deployed.send(OWNER, &offer).unwrap();
        deployed.refuses(OWNER, &acceptOwnershipCall {}, NotPendingOwner { caller: OWNER });
        deployed.send(STRANGER, &acceptOwnershipCall {}).unwrap();
        assert_eq!(deployed.call(&ownerCall {}), Ok(STRANGER));

        let wrong = BadImageLength { got: U256::from(399), expected: U256::from(400) };
        deployed.refuses(STRANGER, &classifyCall { image: vec![7; 399].into() }, wrong);
        let batch = classifyBatchCall { images: vec![7; 401].into() };
        let wrong = BadBatchLength { got: U256::from(401), imageLength: U256::from(400) };
        deployed.refuses(STRANGER, &batch, wrong);
    }
}

/// Every error of the interface is expected somewhere in these files: a new one must be, too.
#[test]
fn no_error_is_forgotten() {
    let sources =
        [include_str!("life_cycle.rs"), include_str!("uploads.rs"), include_str!("headers.rs")];
    for name in IClassifier::IClassifierErrors::VARIANT_NAMES {
        let used = sources.iter().any(|source| source.contains(&format!("{name} {{")));
        assert!(used, "{name} is not tested");
    }
}
