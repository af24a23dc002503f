//! Uploads in any order, repeated, several chunks at once, or all words at once; begun anew; and the chunks and hashes
//! that are refused.

use alloy::primitives::{B256, Bytes, U256, keccak256};
use inkling::{
    abi::IClassifier::*,
    artifacts::{Contract, Home},
    models::Model,
};
use inkling_network::{
    Bias, BiasWidth, Dense, Header, Layer, Logits, Multipliers, Requantize, Weights, pack,
};
use inkling_tests::{
    Deployed, IMAGE, OWNER, Size,
    contracts::general,
    deployed::{begin, chunks},
    networks::with_random_words,
    random_image, random_mlp, random_network,
};
use rand::{SeedableRng, rngs::StdRng};

/// 101 words, in chunks of 32, 32, 32 and 5, which every contract takes.
fn model(seed: u64) -> Model {
    let model = random_mlp(&mut StdRng::seed_from_u64(seed), &[8]);
    assert_eq!(model.words.len(), 101);
    model
}

/// A header of more than two slots and more than two chunks, in a contract that takes every model.
fn long_model(seed: u64) -> Model {
    let mut rng = StdRng::seed_from_u64(seed);
    let size = Size { layers: 14, ..Size::SMALL };
    std::iter::repeat_with(|| random_network(&mut rng, IMAGE, size))
        .find(|model| model.header.len() > 31 + 32 && model.words.len() > 64)
        .expect("there is always a next network")
}

/// Finalizes; then the contract must hold `model` and nothing else.
#[track_caller]
fn completes(deployed: &mut Deployed, model: &Model) {
    assert_eq!(deployed.call(&missingChunksCall {}), Ok(vec![]));
    deployed.send(OWNER, &finalizeModelCall {}).unwrap();
    let info = deployed.call(&modelInfoCall {}).unwrap();
    assert_eq!((&info.header[..], info.words), (&model.header[..], model.words.len() as u32));
    let mut rng = StdRng::seed_from_u64(40);
    for _ in 0..5 {
        let image = random_image(&mut rng, 400);
        assert_eq!(deployed.logits(&image), Ok(model.logits(&image).unwrap()));
    }
}

/// All words of a model.
fn all(model: &Model) -> uploadChunkCall {
    chunks(model, 0, usize::MAX)
}

#[test]
fn order_and_repetition_do_not_matter() {
    let (model, other) = (model(41), model(42));
    for contract in Contract::UPLOADED {
        let mut deployed = Deployed::new(contract);
        deployed.send(OWNER, &begin(&model)).unwrap();
        if contract.home() == Home::Code {
            assert_eq!(deployed.call(&missingChunksCall {}), Ok(vec![0, 1, 2, 3]));
            for words in [&model, &other, &model, &model] {
                deployed.send(OWNER, &all(words)).unwrap();
                assert_eq!(deployed.call(&missingChunksCall {}), Ok(vec![]), "{contract}");
            }
        } else {
            let steps =
                [(3, vec![0, 1, 2]), (1, vec![0, 2]), (1, vec![0, 2]), (0, vec![2]), (2, vec![])];
            for (index, missing) in steps {
                deployed.send(OWNER, &chunks(&model, index, 1)).unwrap();
                assert_eq!(deployed.call(&missingChunksCall {}), Ok(missing), "{contract}");
            }
            // A wrong chunk takes the place of the right one, and the other way round.
            deployed.send(OWNER, &chunks(&other, 2, 1)).unwrap();
            deployed.send(OWNER, &chunks(&model, 2, 1)).unwrap();
        }
        completes(&mut deployed, &model);
    }
}

#[test]
fn several_chunks_at_once() {
    let model = model(43);
    for contract in general(Home::Storage) {
        let mut deployed = Deployed::new(contract);
        deployed.send(OWNER, &begin(&model)).unwrap();
        deployed.send(OWNER, &chunks(&model, 1, 2)).unwrap();
        assert_eq!(deployed.call(&missingChunksCall {}), Ok(vec![0, 3]), "{contract}");
        deployed.send(OWNER, &all(&model)).unwrap();
        completes(&mut deployed, &model);
    }
    // `Naive` writes a slot for each weight: two whole chunks would not fit in a transaction.
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
    let (first, last) = (model(44), model(48));
    for contract in Contract::UPLOADED {
        let second = match contract {
            Contract::Naive => random_mlp(&mut StdRng::seed_from_u64(45), &[12]),
            _ => long_model(45),
        };
        let mut deployed = Deployed::new(contract);
        deployed.send(OWNER, &begin(&first)).unwrap();
        match contract.home() {
            Home::Code => drop(deployed.send(OWNER, &all(&first)).unwrap()),
            _ => {
                deployed.send(OWNER, &chunks(&first, 0, 1)).unwrap();
                deployed.send(OWNER, &chunks(&first, 3, 1)).unwrap();
            }
        }

        deployed.send(OWNER, &begin(&second)).unwrap();
        let missing: Vec<u32> = (0..pack::chunks(&second.words).count() as u32).collect();
        assert_eq!(deployed.call(&missingChunksCall {}), Ok(missing.clone()), "{contract}");
        let missing = missing.len() as u32;
        deployed.refuses(OWNER, &finalizeModelCall {}, ChunksMissing { missing });
        deployed.upload_words(&second);
        completes(&mut deployed, &second);

        // From ready back to a model with a shorter header.
        deployed.send(OWNER, &begin(&last)).unwrap();
        assert_eq!(deployed.call(&isModelReadyCall {}), Ok(false));
        let image = classifyCall { image: vec![1; 400].into() };
        deployed.refuses(OWNER, &image, ModelNotReady { state: 1 });
        deployed.upload_words(&last);
        completes(&mut deployed, &last);
    }
}

#[test]
fn chunks_out_of_range_or_of_wrong_length() {
    let model = model(46);
    let upload = |index, bytes| uploadChunkCall { index, words: vec![5; bytes].into() };
    let (whole, last, words) = (1_024, 5 * 32, 101 * 32);
    // (index, bytes, bytes expected)
    let in_storage = [
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
    // All words at once and from the first on: each other upload is told so.
    let in_code = [
        (0, 0, words),
        (0, whole, words),
        (0, 4 * whole, words),
        (0, words - 32, words),
        (0, words - 1, words),
        (0, words + 1, words),
        (0, words + 32, words),
        (1, whole, words),
        (1, words, words),
        (3, last, words),
    ];
    for contract in Contract::UPLOADED {
        let mut deployed = Deployed::new(contract);
        deployed.send(OWNER, &begin(&model)).unwrap();
        for index in [4, 5, 256, 0x0800_0000, u32::MAX] {
            for bytes in [whole, words] {
                let error = ChunkOutOfRange { index, chunks: 4 };
                deployed.refuses(OWNER, &upload(index, bytes), error);
            }
        }
        let bad = if contract.home() == Home::Code { &in_code[..] } else { &in_storage };
        for &(index, bytes, expected) in bad {
            let error = BadChunkLength { got: U256::from(bytes), expected: U256::from(expected) };
            deployed.refuses(OWNER, &upload(index, bytes), error);
        }
    }
}

#[test]
fn hashes_that_do_not_match() {
    let model = model(47);
    let hash = |words: &[pack::Word]| {
        B256::from(pack::model_hash(&model.header, words, |bytes| keccak256(bytes).0))
    };
    for contract in Contract::UPLOADED {
        // Another hash announced.
        let mut deployed = Deployed::new(contract);
        let announced = B256::repeat_byte(7);
        let begin = beginModelCall { header: model.header.clone().into(), modelHash: announced };
        deployed.send(OWNER, &begin).unwrap();
        deployed.upload_words(&model);
        let mismatch = HashMismatch { got: model.hash, expected: announced };
        deployed.refuses(OWNER, &finalizeModelCall {}, mismatch);

        // One bit of one word is different: of a weight, then of what only fills word 0.
        for (word, byte) in [(50, 3), (0, 31)] {
            let mut words = model.words.clone();
            words[word][byte] ^= 1;
            let damaged = Model { words, ..model.clone() };
            deployed.send(OWNER, &inkling_tests::deployed::begin(&damaged)).unwrap();
            deployed.upload_words(&damaged);
            let mismatch = HashMismatch { got: hash(&damaged.words), expected: model.hash };
            deployed.refuses(OWNER, &finalizeModelCall {}, mismatch);
            // In storage, only the damaged chunk has to come again.
            match contract.home() {
                Home::Code => deployed.upload_words(&model),
                _ => drop(deployed.send(OWNER, &chunks(&model, word as u32 / 32, 1)).unwrap()),
            }
            completes(&mut deployed, &model);
        }
    }
}

/// A header of `4 + 8 · hidden + 3` bytes and so many words, over a 20×20 image.
fn sized(hidden: usize, words: u32) -> Header {
    let bias = Bias { width: BiasWidth::Bits8, shift: 0 };
    let multipliers = Multipliers::Layer(9);
    let requantize = Requantize { multipliers, shift: 12, bits: 8, residual: false };
    let weights = Weights::Int8;
    let headers = (1..=400u16).flat_map(|a| (1..=60).map(move |b| (a, b))).map(|(a, b)| {
        let widths = (0..hidden).map(|k| if k == 0 { b } else { 20 });
        let dense = |outputs| Dense { outputs, weights, bias, requantize }.into();
        let mut layers: Vec<Layer> = widths.map(dense).collect();
        let classes = (a % 200) as u8 + 1;
        layers.push(Logits { classes, weights, bias }.into());
        Header::new(IMAGE, &layers).expect("nothing overflows")
    });
    let mut found = headers.filter(|header| header.word_count() == words);
    found.next().expect("some widths make so many words")
}

/// A data account of 24,576 bytes: 1, a header of 31, and 767 words.
#[test]
fn a_data_account_is_filled_to_the_last_byte() {
    for contract in general(Home::Code) {
        let mut rng = StdRng::seed_from_u64(49);
        let full = with_random_words(&mut rng, sized(3, 767));
        assert_eq!(1 + full.header.len() + 32 * full.words.len(), 24_576);
        let mut deployed = Deployed::new(contract);
        deployed.send(OWNER, &begin(&full)).unwrap();
        deployed.upload_words(&full);
        completes(&mut deployed, &full);

        let more = with_random_words(&mut rng, sized(3, 768));
        let error = ModelTooLarge { words: 768, limit: 767 };
        deployed.refuses(OWNER, &begin(&more), error);
        let longer = with_random_words(&mut rng, sized(4, 767));
        let error = ModelTooLarge { words: 767, limit: 766 };
        deployed.refuses(OWNER, &begin(&longer), error);
    }
}

/// Something stands where the data account would be created.
#[test]
fn a_data_account_that_cannot_be_created() {
    let model = model(50);
    for contract in general(Home::Code) {
        let mut deployed = Deployed::new(contract);
        deployed.send(OWNER, &begin(&model)).unwrap();
        let nonce = deployed.chain.nonce(deployed.address);
        let taken = deployed.address.create(nonce);
        let snapshot = deployed.chain.snapshot();
        deployed.chain.set_code(taken, Bytes::from_static(&[0]));
        deployed.refuses(OWNER, &all(&model), NoDataAccount {});
        // Nothing was uploaded, and what comes later is not held up for ever.
        assert_eq!(deployed.call(&missingChunksCall {}), Ok(vec![0, 1, 2, 3]), "{contract}");
        assert!(deployed.chain.revert(snapshot));
        deployed.upload_words(&model);
        completes(&mut deployed, &model);
    }
}
