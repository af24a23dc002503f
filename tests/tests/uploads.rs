//! Uploads in any order, repeated, several chunks at once, begun anew; and the chunks and hashes that are refused.

use alloy::primitives::{B256, U256, keccak256};
use inkling::{abi::IClassifier::*, artifacts::Contract, models::Model};
use inkling_network::{Shape, pack};
use inkling_tests::{
    Deployed, OWNER,
    deployed::{begin, chunks},
    random_image, random_network,
};
use rand::{SeedableRng, rngs::StdRng};

/// 20×20 images to `widths`, with the biases in one word: `[8, 10]` makes 104 words, in chunks of 32, 32, 32 and 8.
fn model(seed: u64, widths: &[u16]) -> Model {
    let input = Shape { height: 20, width: 20, channels: 1 };
    let mut rng = StdRng::seed_from_u64(seed);
    std::iter::repeat_with(|| random_network(&mut rng, input, widths, false))
        .find(|model| model.network.header().bias_words() == 1)
        .expect("there is always a next network")
}

/// Finalizes; then the contract must hold `model` and nothing else.
#[track_caller]
fn completes(deployed: &mut Deployed, model: &Model) {
    assert_eq!(deployed.call(&missingChunksCall {}), Ok(vec![]));
    deployed.send(OWNER, &finalizeModelCall {}).unwrap();
    let mut rng = StdRng::seed_from_u64(40);
    for _ in 0..5 {
        let image = random_image(&mut rng, 400);
        assert_eq!(deployed.logits(&image), Ok(model.logits(&image).unwrap()));
    }
}

#[test]
fn order_and_repetition_do_not_matter() {
    let (model, other) = (model(41, &[8, 10]), model(42, &[8, 10]));
    for contract in Contract::ALL {
        let mut deployed = Deployed::new(contract);
        deployed.send(OWNER, &begin(&model)).unwrap();
        let steps =
            [(3, vec![0, 1, 2]), (1, vec![0, 2]), (1, vec![0, 2]), (0, vec![2]), (2, vec![])];
        for (index, missing) in steps {
            deployed.send(OWNER, &chunks(&model, index, 1)).unwrap();
            assert_eq!(deployed.call(&missingChunksCall {}), Ok(missing), "{contract}");
        }
        // A wrong chunk takes the place of the right one, and the other way round.
        deployed.send(OWNER, &chunks(&other, 2, 1)).unwrap();
        deployed.send(OWNER, &chunks(&model, 2, 1)).unwrap();
        completes(&mut deployed, &model);
    }
}

#[test]
fn several_chunks_at_once() {
    let model = model(43, &[8, 10]);
    // `Naive` writes a slot for each weight: two whole chunks would not fit in a transaction.
    for contract in [Contract::Stylus, Contract::Packed] {
        let mut deployed = Deployed::new(contract);
        deployed.send(OWNER, &begin(&model)).unwrap();
        deployed.send(OWNER, &chunks(&model, 1, 2)).unwrap();
        assert_eq!(deployed.call(&missingChunksCall {}), Ok(vec![0, 3]), "{contract}");
        deployed.send(OWNER, &chunks(&model, 0, 4)).unwrap();
        completes(&mut deployed, &model);
    }
    let mut naive = Deployed::new(Contract::Naive);
    naive.send(OWNER, &begin(&model)).unwrap();
    for (index, count) in [(2, 2), (0, 1), (1, 1)] {
        naive.send(OWNER, &chunks(&model, index, count)).unwrap();
    }
    completes(&mut naive, &model);
}

/// Nothing of an earlier upload counts, and nothing of an earlier model is served meanwhile.
#[test]
fn uploads_begin_anew() {
    let (first, second) = (model(44, &[8, 10]), model(45, &[12, 4, 10]));
    for contract in Contract::ALL {
        let mut deployed = Deployed::new(contract);
        deployed.send(OWNER, &begin(&first)).unwrap();
        deployed.send(OWNER, &chunks(&first, 0, 1)).unwrap();
        deployed.send(OWNER, &chunks(&first, 3, 1)).unwrap();

        deployed.send(OWNER, &begin(&second)).unwrap();
        let all: Vec<u32> = (0..pack::chunks(&second.words).count() as u32).collect();
        assert_eq!(deployed.call(&missingChunksCall {}), Ok(all.clone()), "{contract}");
        let missing = all.len() as u32;
        deployed.refuses(OWNER, &finalizeModelCall {}, ChunksMissing { missing });
        for index in all {
            deployed.send(OWNER, &chunks(&second, index, 1)).unwrap();
        }
        completes(&mut deployed, &second);

        // From ready back to a shorter model, whose header is shorter too.
        deployed.send(OWNER, &begin(&first)).unwrap();
        assert_eq!(deployed.call(&isModelReadyCall {}), Ok(false));
        for index in 0..4 {
            deployed.send(OWNER, &chunks(&first, index, 1)).unwrap();
        }
        completes(&mut deployed, &first);
    }
}

#[test]
fn chunks_out_of_range_or_of_wrong_length() {
    let model = model(46, &[8, 10]);
    let upload = |index, bytes| uploadChunkCall { index, words: vec![5; bytes].into() };
    let (whole, last) = (1_024, 8 * 32);
    for contract in Contract::ALL {
        let mut deployed = Deployed::new(contract);
        deployed.send(OWNER, &begin(&model)).unwrap();
        for index in [4, 5, 256, 0x0800_0000, u32::MAX] {
            let error = || ChunkOutOfRange { index, chunks: 4 };
            deployed.refuses(OWNER, &upload(index, whole), error());
            deployed.refuses(OWNER, &upload(index, 0), error());
        }
        let bad = [
            // (index, bytes, bytes expected)
            (0, 0, whole),
            (0, 31, whole),
            (0, 32, whole),
            (1, whole - 1, whole),
            (1, whole + 1, whole),
            (2, whole + 32, whole),
            (2, whole + last - 1, whole),
            (2, 2 * whole, whole),
            (0, 4 * whole, whole),
            (3, 0, last),
            (3, last - 32, last),
            (3, last + 1, last),
            (3, whole, last),
        ];
        for (index, bytes, expected) in bad {
            let error = BadChunkLength { got: U256::from(bytes), expected: U256::from(expected) };
            deployed.refuses(OWNER, &upload(index, bytes), error);
        }
    }
}

#[test]
fn hashes_that_do_not_match() {
    let model = model(47, &[8, 10]);
    let hash = |words: &[pack::Word]| {
        B256::from(pack::model_hash(&model.header, words, |bytes| keccak256(bytes).0))
    };
    for contract in Contract::ALL {
        // Another hash announced.
        let mut deployed = Deployed::new(contract);
        let announced = B256::repeat_byte(7);
        let begin = beginModelCall { header: model.header.clone().into(), modelHash: announced };
        deployed.send(OWNER, &begin).unwrap();
        for index in 0..4 {
            deployed.send(OWNER, &chunks(&model, index, 1)).unwrap();
        }
        let mismatch = HashMismatch { got: model.hash, expected: announced };
        deployed.refuses(OWNER, &finalizeModelCall {}, mismatch);

        // One bit of one word is different: of a weight, then of what only fills the last word.
        for (word, byte) in [(50, 3), (103, 31)] {
            let mut words = model.words.clone();
            words[word][byte] ^= 1;
            let damaged = Model { words, ..model.clone() };
            deployed.send(OWNER, &inkling_tests::deployed::begin(&damaged)).unwrap();
            for index in 0..4 {
                deployed.send(OWNER, &chunks(&damaged, index, 1)).unwrap();
            }
            let mismatch = HashMismatch { got: hash(&damaged.words), expected: model.hash };
            deployed.refuses(OWNER, &finalizeModelCall {}, mismatch);
            // Only the damaged chunk has to come again.
            deployed.send(OWNER, &chunks(&model, word as u32 / 32, 1)).unwrap();
            completes(&mut deployed, &model);
        }
    }
}
