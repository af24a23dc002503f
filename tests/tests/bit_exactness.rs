//! Reference, kernel and every contract give the same logits, bit for bit.

use alloy::{
    primitives::{Bytes, keccak256},
    sol_types::SolCall,
};
use inkling::{
    abi::IClassifier::{
        Classified, PredictionResult, classifyAndRecordCall, classifyBatchCall, predictCall,
    },
    artifacts::{Contract, Home},
    models::Model,
};
use inkling_network::{Bias, BiasWidth, Header, Input, Logits, Shape, Weights, argmax, kernel};
use inkling_tests::{
    Deployed, IMAGE, STRANGER, Size,
    contracts::{baked_models, general, takes},
    digit,
    extremes::{extremes, features},
    networks::{random_input, with_bounds},
    random_image, random_mlp, random_network, shipped_models, test_images,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::collections::BTreeSet;

/// Contracts on chains of their own. Each model takes the place of the one before: what that left in storage must not
/// show.
struct Contracts(Vec<(Contract, Deployed)>);

impl Contracts {
    fn new(contracts: impl IntoIterator<Item = Contract>) -> Self {
        Self(contracts.into_iter().map(|on| (on, Deployed::new(on))).collect())
    }

    /// Those that take `model`, with the model in them.
    fn with(&mut self, model: &Model) -> Vec<&mut (Contract, Deployed)> {
        let takes = |on: &&mut (Contract, Deployed)| takes(on.0, model.network.header());
        let mut contracts: Vec<_> = self.0.iter_mut().filter(takes).collect();
        contracts.iter_mut().for_each(|(_, deployed)| deployed.upload(model));
        contracts
    }
}

/// Checks kernel and contracts against the reference: logits and digit of each image, and all digits in a batch.
/// Returns how many different logits there were.
#[track_caller]
fn agree(
    contracts: &mut [&mut (Contract, Deployed)],
    model: &Model,
    images: &[Vec<u8>],
    what: &str,
) -> usize {
    let header = model.network.header();
    let logits: Vec<Vec<i32>> = images.iter().map(|image| model.logits(image).unwrap()).collect();
    let digits: Vec<u8> = logits.iter().map(|logits| argmax(logits) as u8).collect();
    let mut words = &model.words[..];
    let mut kernel = kernel::Model::load(header.clone(), &mut words);
    for (image, logits) in images.iter().zip(&logits) {
        let got = kernel.forward(&mut words, image).unwrap();
        assert_eq!(got, logits, "kernel: {what}: {header:?}");
    }
    for (contract, deployed) in contracts {
        for (image, (logits, &digit)) in images.iter().zip(logits.iter().zip(&digits)) {
            let got = deployed.logits(image).as_ref() == Ok(logits);
            assert!(got, "{contract}: {what}: other logits of {header:?}");
            assert_eq!(deployed.classify(image), Ok(digit), "{contract}: {what}");
        }
        let batch = classifyBatchCall { images: images.concat().into() };
        assert_eq!(deployed.call(&batch).as_ref(), Ok(&digits), "{contract}: {what}: {header:?}");
    }
    logits.iter().collect::<BTreeSet<_>>().len()
}

/// Shipped models that the contract takes, over the first images of the test set.
fn shipped(contract: Contract, count: usize) {
    let images: Vec<Vec<u8>> = test_images(count).iter().map(|image| image.to_vec()).collect();
    let mut models = match contract.home() {
        Home::Baked => baked_models(),
        _ => shipped_models(),
    };
    models.retain(|model| takes(contract, model.network.header()));
    assert!(!models.is_empty(), "{contract} takes no shipped model");
    for model in models {
        let mut on = (contract, Deployed::with_shipped(contract, &model));
        // Batches as they may be asked for in one call: 32 images of large are too many for Packed.
        let batch = if contract == Contract::Packed { 10 } else { 32 };
        for images in images.chunks(batch) {
            agree(&mut [&mut on], &model, images, &model.name);
        }
    }
}

#[test]
fn shipped_models_in_stylus() {
    shipped(Contract::Stylus, 200);
}

#[test]
fn shipped_models_in_stylus_code() {
    shipped(Contract::StylusCode, 100);
}

#[test]
fn shipped_models_in_stylus_baked() {
    shipped(Contract::StylusBaked, 100);
}

#[test]
fn shipped_models_in_yul() {
    shipped(Contract::Yul, 50);
    shipped(Contract::YulCode, 20);
}

#[test]
fn shipped_models_in_packed() {
    shipped(Contract::Packed, 20);
}

#[test]
fn shipped_models_in_naive() {
    shipped(Contract::Naive, 10);
}

/// What the small random networks must have used, among more.
const FEATURES: [&str; 63] = [
    "1 input bits",
    "2 input bits",
    "3 input bits",
    "4 input bits",
    "5 input bits",
    "6 input bits",
    "7 input bits",
    "8 input bits",
    "crop",
    "no crop",
    "planes",
    "one plane",
    "long header",
    "short header",
    "all planes",
    "groups",
    "depthwise",
    "stride 1",
    "stride 2",
    "stride 3",
    "padding 0",
    "padding 1",
    "padding 2",
    "padding 3",
    "kernel 1",
    "kernel 2",
    "kernel 3",
    "kernel 4",
    "kernel 5",
    "kernel 7",
    "again on the same shape",
    "again on another shape",
    "max pool 2",
    "max pool 3",
    "sum pool 2 >> 0",
    "sum pool 2 >> 2",
    "sum pool 3 >> 3",
    "inline convolution Binary",
    "inline convolution Ternary",
    "inline convolution Int2",
    "inline convolution Int3",
    "inline convolution Int4",
    "inline convolution Int8",
    "inline dense Ternary",
    "inline logits Int3",
    "streamed dense Binary",
    "streamed dense Ternary",
    "streamed dense Int2",
    "streamed dense Int3",
    "streamed dense Int4",
    "streamed dense Int8",
    "streamed logits Int4",
    "streamed logits Ternary",
    "biases Bits4",
    "biases Bits8",
    "biases Bits16",
    "multipliers of 0 bits",
    "multipliers of 4 bits",
    "multipliers of 8 bits",
    "activations of 1 bits",
    "activations of 8 bits",
    "residual dense",
    "residual convolution",
];

#[test]
fn random_networks() {
    let mut rng = StdRng::seed_from_u64(20);
    let mut contracts = Contracts::new(general(Home::Storage).chain(general(Home::Code)));
    let (mut used, mut varied) = (BTreeSet::new(), 0);
    for round in 0..120 {
        let input = random_input(&mut rng);
        let mut model = random_network(&mut rng, input, Size::SMALL);
        if round % 4 == 3 {
            let header = model.network.header().clone();
            model = with_bounds(header, || rng.random_range(0..3));
        }
        used.extend(features(model.network.header()));
        let images: Vec<_> = (0..6).map(|_| random_image(&mut rng, input.shape.len())).collect();
        let mut contracts = contracts.with(&model);
        let different = agree(&mut contracts, &model, &images, &format!("round {round}"));
        varied += usize::from(different > 2);
    }
    let missing: Vec<_> = FEATURES.iter().filter(|&&feature| !used.contains(feature)).collect();
    assert!(missing.is_empty(), "{missing:?} among {used:?}");
    // Networks whose answer does not depend on the image would show little.
    assert!(varied > 80, "{varied} of 120 networks");
}

/// As large as shipped ones, in Stylus alone.
#[test]
fn large_random_networks() {
    let mut rng = StdRng::seed_from_u64(23);
    let mut contracts = Contracts::new([Contract::Stylus, Contract::StylusCode]);
    let mut varied = 0;
    for round in 0..60 {
        let crop = rng.random_range(0..=3);
        let input = Input { crop, bits: rng.random_range(1..=8), ..IMAGE };
        let model = random_network(&mut rng, input, Size::LARGE);
        let images: Vec<_> = (0..5).map(|_| random_image(&mut rng, 400)).collect();
        let mut contracts = contracts.with(&model);
        varied +=
            usize::from(agree(&mut contracts, &model, &images, &format!("round {round}")) > 2);
    }
    assert!(varied > 30, "{varied} of 60 networks");
}

#[test]
fn networks_at_the_bounds_of_the_format() {
    let mut rng = StdRng::seed_from_u64(24);
    let mut contracts = Contracts::new(general(Home::Storage).chain(general(Home::Code)));
    for (name, model) in extremes(&mut rng) {
        let length = model.network.header().image_len();
        // A large image takes Solidity a second.
        let random = if length > 10_000 { 0 } else { 4 };
        let mut images: Vec<_> = (0..random).map(|_| random_image(&mut rng, length)).collect();
        images.push(vec![255; length]);
        agree(&mut contracts.with(&model), &model, &images, name);
    }
}

/// Dense layers as `Naive` takes them, one to three, and in every contract.
#[test]
fn random_mlps() {
    let mut rng = StdRng::seed_from_u64(25);
    let mut contracts = Contracts::new(Contract::UPLOADED);
    for widths in [&[10][..], &[2], &[37], &[24, 22], &[26, 20, 26]] {
        let model = random_mlp(&mut rng, widths);
        let mut images: Vec<_> = (0..4).map(|_| random_image(&mut rng, 400)).collect();
        images.push(vec![0; 400]);
        let mut contracts = contracts.with(&model);
        assert_eq!(contracts.len(), Contract::UPLOADED.len());
        agree(&mut contracts, &model, &images, &format!("{widths:?}"));
    }
}

/// One layer without weights: the logits are the biases.
fn constant(biases: &[i32]) -> Model {
    let bias = Bias { width: BiasWidth::Bits16, shift: 0 };
    let logits = Logits { classes: biases.len() as u8, weights: Weights::Int8, bias };
    let header = Header::new(IMAGE, &[logits.into()]).unwrap();
    let mut parameters = with_bounds(header.clone(), || 0).network.parameters().to_vec();
    parameters[0].weights.fill(0);
    parameters[0].biases = biases.to_vec();
    let network = inkling_network::Network::new(header, parameters).unwrap();
    Model::new("constant".into(), network).unwrap()
}

#[test]
fn of_equal_logits_the_lowest_index_wins() {
    let mut contracts = Contracts::new(Contract::UPLOADED);
    let mut last = vec![-7; 57];
    last[56] = -6;
    let cases = [
        (vec![3, 9, 9, 2], 1),
        (vec![-4, -4, -4], 0),
        (vec![-32_768, -32_768, 32_767, 0, 32_767], 2),
        (last, 56),
        (vec![5; 57], 0),
    ];
    for (biases, digit) in cases {
        let model = constant(&biases);
        let image = vec![1; 400];
        let mut contracts = contracts.with(&model);
        agree(&mut contracts, &model, std::slice::from_ref(&image), "constant");
        for (contract, deployed) in contracts {
            assert_eq!(deployed.logits(&image), Ok(biases.clone()), "{contract}");
            assert_eq!(deployed.classify(&image), Ok(digit), "{contract}");
        }
    }
}

#[test]
fn batches_predictions_and_events() {
    let mut rng = StdRng::seed_from_u64(21);
    // One with streamed weights, whose rows of zero inputs are not read; one of convolutions.
    let models = [random_mlp(&mut rng, &[26, 20]), random_network(&mut rng, IMAGE, Size::SMALL)];
    let images: Vec<[u8; 400]> = (0..6)
        .map(|_| random_image(&mut rng, 400).try_into().expect("400 bytes were asked for"))
        .collect();
    let mut contracts = Contracts::new(Contract::UPLOADED);
    for model in &models {
        let digits: Vec<u8> = images.iter().map(|image| digit(model, image)).collect();
        for (contract, deployed) in contracts.with(model) {
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
                let event = Classified { caller, imageHash: image_hash, digit };
                deployed.logs(STRANGER, &record, event);
            }
        }
    }
}

/// An image of several planes has the length that its shape says, whatever is cropped.
#[test]
fn images_of_other_shapes() {
    let mut rng = StdRng::seed_from_u64(26);
    let mut contracts = Contracts::new(general(Home::Storage).chain(general(Home::Code)));
    for (channels, height, width, crop) in [(3, 5, 7, 1), (1, 1, 250, 0), (15, 9, 4, 1)] {
        let input = Input { shape: Shape { channels, height, width }, crop, bits: 8 };
        let model = random_network(&mut rng, input, Size::SMALL);
        let images: Vec<_> = (0..4).map(|_| random_image(&mut rng, input.shape.len())).collect();
        agree(&mut contracts.with(&model), &model, &images, &format!("{input:?}"));
    }
}

/// Solidity refuses an argument outside its type; so must Stylus, or the same calldata had two meanings.
#[test]
fn a_pixel_above_255_is_refused() {
    let model = constant(&[1, 2]);
    let mut rng = StdRng::seed_from_u64(22);
    for contract in Contract::UPLOADED {
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
