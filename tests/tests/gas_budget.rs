//! What classification may cost: `mlp-64` over the first 1,000 test images, by transaction, every digit checked.

use inkling::{
    abi::IClassifier::{self, classifyCall},
    artifacts::Contract,
    models::Model,
};
use inkling_network::argmax;
use inkling_tests::{Deployed, STRANGER, test_images};

/// The mean gas of classifying the images in the order of the test set, by transaction.
fn mean_gas(deployed: &mut Deployed, images: &[[u8; 400]]) -> u64 {
    let model = Model::open("mlp-64").unwrap();
    let mut gas = 0;
    for (index, image) in images.iter().enumerate() {
        let call = classifyCall { image: image.to_vec().into() };
        let outcome = deployed.send(STRANGER, &call).unwrap();
        let digit = argmax(&model.logits(image).unwrap());
        assert_eq!(outcome.output[..31], [0; 31], "image {index}");
        assert_eq!(usize::from(outcome.output[31]), digit, "image {index}");
        assert_eq!(outcome.trace.call_cost.unwrap_or_default().pages, 0);
        gas += outcome.gas_used;
    }
    gas / images.len() as u64
}

fn with_model(contract: Contract) -> Deployed {
    Deployed::with_model(contract, &Model::open("mlp-64").unwrap())
}

#[test]
fn stylus() {
    let mut deployed = with_model(Contract::Stylus);
    let images = test_images(1_000);
    let uncached = mean_gas(&mut deployed, &images[..20]);
    deployed.chain.set_cached(deployed.address, true).unwrap();
    let first = mean_gas(&mut deployed, &images[..20]);
    assert!(first < uncached, "{first} cached, {uncached} uncached");

    let mean = mean_gas(&mut deployed, &images);
    println!("Stylus, cached: {mean} gas");
    assert!(mean <= 700_000, "{mean} gas");
}

#[test]
fn packed() {
    let mean = mean_gas(&mut with_model(Contract::Packed), &test_images(1_000));
    println!("Packed: {mean} gas");
    assert!(mean <= 4_000_000, "{mean} gas");
}

/// The original's 41,036,311 would not fit in a transaction; the naive baseline must, or nobody could measure it.
#[test]
fn naive_fits_in_a_transaction() {
    let mean = mean_gas(&mut with_model(Contract::Naive), &test_images(50));
    println!("Naive, 50 images: {mean} gas");
    assert!(mean < 32_000_000, "{mean} gas");
}

/// A blank image has no row of weights to read: it must be much cheaper than a digit.
#[test]
fn zero_pixels_cost_no_weights() {
    for contract in Contract::ALL {
        let mut deployed = with_model(contract);
        let mut gas = |image: [u8; 400]| {
            let call = IClassifier::classifyCall { image: image.to_vec().into() };
            deployed.send(STRANGER, &call).unwrap().gas_used
        };
        let (blank, digit) = (gas([0; 400]), gas(test_images(1)[0]));
        assert!(
            blank < digit / 2,
            "{contract}: {blank} gas for a blank image, {digit} for a digit"
        );
    }
}
