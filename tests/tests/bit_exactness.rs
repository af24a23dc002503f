//! Reference, kernel and the three contracts give the same logits, bit for bit.

use alloy::{
    primitives::{Bytes, keccak256},
    sol_types::SolCall,
};
use inkling::{
    abi::IClassifier::{
        Classified, PredictionResult, classifyAndRecordCall, classifyBatchCall, predictCall,
    },
    artifacts::Contract,
    models::Model,
};
use inkling_network::{
    Bias, Dense, Header, Network, Parameters, Shape, Weights, argmax, kernel, reference,
};
use inkling_tests::{
    Deployed, STRANGER, random_image, random_network, shipped_models, test_images,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::collections::BTreeSet;

const IMAGE: Shape = Shape { height: 20, width: 20, channels: 1 };

/// Checks kernel and contract against the reference, whose logits are returned.
#[track_caller]
fn agree(deployed: &mut Deployed, model: &Model, image: &[u8]) -> Vec<i32> {
    let logits = reference::forward(&model.network, image).unwrap();
    let header = model.network.header();
    assert_eq!(kernel::forward(header, &mut &model.words[..], image).unwrap(), logits);
    assert_eq!(deployed.logits(image).unwrap(), logits);
    assert_eq!(usize::from(deployed.classify(image).unwrap()), argmax(&logits));
    logits
}

fn shipped(contract: Contract) {
    let images = test_images(200);
    for model in shipped_models() {
        let mut deployed = Deployed::with_model(contract, &model);
        for image in &images {
            agree(&mut deployed, &model, image);
        }
    }
}

#[test]
fn shipped_models_in_stylus() {
    shipped(Contract::Stylus);
}

#[test]
fn shipped_models_in_packed() {
    shipped(Contract::Packed);
}

#[test]
fn shipped_models_in_naive() {
    shipped(Contract::Naive);
}

/// Widths that are and are not multiples of 8, rows that share words and rows of several words, one to four layers.
#[test]
fn random_networks() {
    let other = |height, width, channels| Shape { height, width, channels };
    let shapes: [(Shape, &[u16]); 14] = [
        (IMAGE, &[10]),
        (IMAGE, &[16, 10]),
        (IMAGE, &[13, 7, 3]),
        (IMAGE, &[8, 32, 9, 10]),
        (IMAGE, &[1, 1]),
        (IMAGE, &[33, 5]),
        (other(1, 1, 1), &[1]),
        (other(1, 1, 1), &[40, 256]),
        (other(3, 5, 2), &[64, 24, 8]),
        (other(1, 33, 1), &[31, 65, 10]),
        (other(4, 8, 1), &[48, 1, 12]),
        (other(7, 9, 3), &[9, 8, 7, 2]),
        (other(2, 2, 255), &[16, 16, 16, 4]),
        (other(255, 2, 1), &[12, 24]),
    ];
    let mut rng = StdRng::seed_from_u64(20);
    // Each network takes the place of the one before: what that left in storage must not show.
    let mut contracts = Contract::ALL.map(Deployed::new);
    let (mut bits, mut bias_bytes) = (BTreeSet::new(), BTreeSet::new());
    let mut varied = 0;
    for round in 0..3 {
        for (input, widths) in shapes {
            let model = random_network(&mut rng, input, widths, round == 2);
            for layer in model.network.header().layers() {
                bits.extend(layer.requantize().map(|requantize| requantize.bits));
                bias_bytes.insert(layer.bias_format().bytes());
            }
            contracts.iter_mut().for_each(|deployed| deployed.upload(&model));
            let mut seen = BTreeSet::new();
            for _ in 0..12 {
                let image = random_image(&mut rng, input.len());
                for deployed in &mut contracts {
                    seen.insert(agree(deployed, &model, &image));
                }
            }
            varied += usize::from(seen.len() > 6);
        }
    }
    assert!(bits.iter().copied().eq(1..=8) && bias_bytes.len() == 2, "{bits:?} {bias_bytes:?}");
    // Networks whose answer does not depend on the image would show little.
    assert!(varied > 30, "{varied} of 42 networks");
}

/// One layer without weights: the logits are the biases.
fn constant(biases: Vec<i32>) -> Model {
    let (outputs, bias) = (biases.len() as u16, Bias::Int16 { shift: 0 });
    let dense = Dense { outputs, weights: Weights::Int8, bias, requantize: None };
    let header = Header::new(IMAGE, vec![dense.into()]).unwrap();
    let parameters = Parameters { weights: vec![0; 400 * biases.len()], biases };
    Model::new("constant".into(), Network::new(header, vec![parameters]).unwrap()).unwrap()
}

#[test]
fn of_equal_logits_the_lowest_index_wins() {
    let mut contracts = Contract::ALL.map(Deployed::new);
    let mut last = vec![-7; 256];
    last[255] = -6;
    let cases = [
        (vec![3, 9, 9, 2], 1),
        (vec![-4, -4, -4], 0),
        (vec![-32_768, -32_768, 32_767, 0, 32_767], 2),
        (last, 255),
        (vec![5; 256], 0),
    ];
    for (biases, digit) in cases {
        let model = constant(biases.clone());
        for deployed in &mut contracts {
            deployed.upload(&model);
            assert_eq!(agree(deployed, &model, &[1; 400]), biases);
            assert_eq!(deployed.classify(&[1; 400]), Ok(digit));
        }
    }
}

#[test]
fn batches_predictions_and_events() {
    let mut rng = StdRng::seed_from_u64(21);
    let model = random_network(&mut rng, IMAGE, &[16, 10], false);
    let images: Vec<[u8; 400]> = (0..6)
        .map(|_| random_image(&mut rng, 400).try_into().expect("400 bytes were asked for"))
        .collect();
    let digit = |image: &[u8; 400]| argmax(&model.logits(image).unwrap()) as u8;
    let digits: Vec<u8> = images.iter().map(digit).collect();
    for contract in Contract::ALL {
        let mut deployed = Deployed::with_model(contract, &model);
        for count in [0, 1, 6] {
            let batch = Bytes::from(images[..count].concat());
            let got = deployed.call(&classifyBatchCall { images: batch });
            assert_eq!(got, Ok(digits[..count].to_vec()), "{contract}");
        }
        for (image, &digit) in images.iter().zip(&digits) {
            let predict = predictCall { image: *image };
            assert_eq!(deployed.call(&predict), Ok(digit), "{contract}");
            deployed.logs(STRANGER, &predict, PredictionResult { digit });

            let record = classifyAndRecordCall { image: image.to_vec().into() };
            assert_eq!(deployed.call(&record), Ok(digit), "{contract}");
            let (caller, image_hash) = (STRANGER, keccak256(image));
            deployed.logs(STRANGER, &record, Classified { caller, imageHash: image_hash, digit });
        }
    }
}

/// Solidity refuses an argument outside its type; so must Stylus, or the same calldata had two meanings.
#[test]
fn a_pixel_above_255_is_refused() {
    let model = constant(vec![1, 2]);
    let mut rng = StdRng::seed_from_u64(22);
    for contract in Contract::ALL {
        let mut deployed = Deployed::with_model(contract, &model);
        let predict = predictCall { image: [255; 400] }.abi_encode();
        assert!(deployed.raw(predict.clone(), Default::default()).is_success());
        for _ in 0..10 {
            let mut dirty = predict.clone();
            // Any of the 31 bytes above the pixel's own.
            dirty[4 + 32 * rng.random_range(0..400) + rng.random_range(0..31)] = 1;
            assert!(!deployed.raw(dirty, Default::default()).is_success(), "{contract}");
        }
    }
}
