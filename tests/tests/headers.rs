//! Every contract accepts the headers that `inkling_network::Header::parse` accepts, and refuses the others at the same
//! offset. `Naive` refuses layers besides that it does not serve.

use alloy::{primitives::B256, sol_types::SolCall};
use inkling::{
    abi::IClassifier::*,
    artifacts::{Contract, Home},
};
use inkling_network::{Header, pack::MAX_WORDS};
use inkling_tests::{
    Deployed, IMAGE, OWNER, Refusal, Size,
    contracts::{limit, untaken},
    deployed::outcome,
    networks::random_header,
    refused,
};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use std::collections::BTreeSet;

/// What a contract must say of a header; of a bad one, the rule's name besides.
fn expected(contract: Contract, header: &[u8]) -> (Result<(), Refusal>, Option<String>) {
    let bad = |offset| Err(refused(BadHeader { offset }));
    let limit = limit(contract, header.len());
    match Header::parse(header) {
        Err(error) => (bad(error.offset), Some(format!("{:?}", error.rule))),
        Ok(parsed) => match (untaken(contract, &parsed), parsed.word_count()) {
            (Some(offset), _) => (bad(offset), Some("Untaken".into())),
            (None, words) if words > limit => {
                (Err(refused(ModelTooLarge { words, limit })), Some("ModelTooLarge".into()))
            }
            _ => (Ok(()), None),
        },
    }
}

/// 20×20, cropped to 16×16 of 4 bits; a convolution; a residual one, pooled, once more; a dense layer; logits.
const NET: [u8; 31] = [
    0x21, 20, 20, 0x24, // preamble
    0x24, 8, 0x31, 0x10, 0x83, 0x48, 0x0a, // 8 planes, 3×3, padding 1, multipliers of 4 bits
    0x22, 8, 0x31, 0x10, 0x41, 0xa8, 0x07, // residual, 2-bit weights, multipliers of 8 bits
    0x32, 0x51, // max pool, the second layer again
    0x15, 0x00, 0x06, 0xc0, 0x08, 0x07, 0x12, 0x34, // 6 outputs, ternary, · 0x1234 >> 7
    0x64, 10, 0x80, // 10 classes, 4-bit weights
];

/// A convolution of one weight, in seven bytes.
const CONV_1X1: [u8; 7] = [0x22, 1, 0x11, 0, 0x40, 0x48, 1];

/// Dense layers of 8-bit weights over an image whose first three bytes of a header these are.
fn dense(image: [u8; 3], outputs: &[u16], classes: u8) -> Vec<u8> {
    let mut bytes = vec![image[0], image[1], image[2], 0x08];
    for (index, outputs) in outputs.iter().enumerate() {
        bytes.push(0x18);
        bytes.extend(outputs.to_be_bytes());
        bytes.push([0xc2, 0x43][index % 2]);
        bytes.extend([0x10, 20, 0x40, 0]);
    }
    bytes.extend([0x68, classes, 0x82]);
    bytes
}

/// Two pools, convolutions, and logits.
fn deep(convolutions: usize) -> Vec<u8> {
    let pools = [0x21, 255, 255, 0x01, 0x3f, 0x3f];
    [&pools[..], &CONV_1X1.repeat(convolutions), &[0x61, 2, 0x40]].concat()
}

/// Good headers, each of them to be changed; one has 32 layers.
fn good(rng: &mut StdRng) -> Vec<Vec<u8>> {
    let mut strided = NET[..4].to_vec();
    strided.extend([0x21, 2, 0x32, 0x10, 0x40, 0x08, 4, 0, 7].repeat(2));
    strided.extend([0x42, 2, 0x51, 0x61, 7, 0xc3]);
    let mut good = vec![
        NET.to_vec(),
        strided,
        dense([0x21, 20, 20], &[64], 10),
        dense([0x21, 20, 20], &[], 10),
        dense([0x21, 1, 3], &[4, 4_096], 255),
        dense([0x21, 255, 255], &[1], 1),
        // Close to 8,192 words, and to what a data account holds; then more.
        dense([0x21, 20, 20], &[635], 9),
        dense([0x21, 20, 20], &[656], 10),
        dense([0x21, 20, 20], &[], 61),
        dense([0x21, 20, 20], &[], 62),
        dense([0x22, 255, 128], &[], 8),
        deep(29),
    ];
    for _ in 0..12 {
        good.push(random_header(rng, IMAGE, Size::LARGE).to_bytes());
    }
    good
}

/// Good headers and what can be made of them: every byte set to values beside its bounds, every bit turned round, every
/// length, records inserted and left out, random bytes.
fn headers() -> Vec<Vec<u8>> {
    const VALUES: [u8; 24] = [
        0, 1, 2, 7, 8, 9, 15, 16, 20, 23, 24, 30, 47, 48, 0x31, 0x33, 0x42, 0x4f, 0x50, 0x58, 0x97,
        0xa2, 0xc0, 255,
    ];
    const RECORDS: [&[u8]; 11] = [
        &[0x32],
        &[0x3f],
        &[0x42, 2],
        &[0x72],
        &[0x4f, 8],
        &[0x7f],
        &[0x50],
        &[0x5f],
        &[0x61, 1, 0x40],
        &[0x24, 8, 0x31, 0x1f, 0x81, 0xa8, 9],
        &[0x15, 0, 6, 0x97, 0x28, 7, 1, 2],
    ];
    let mut rng = StdRng::seed_from_u64(50);
    let mut all = vec![vec![], vec![0x21; 255], vec![0x21; 256], vec![0; 1_000], deep(30)];
    for good in good(&mut rng) {
        for at in 0..good.len().min(60) {
            let set = |byte| {
                let mut changed = good.clone();
                changed[at] = byte;
                changed
            };
            all.extend((0..8).map(|bit| set(good[at] ^ 1 << bit)));
            all.extend((0..4).map(|_| set(*VALUES.choose(&mut rng).expect("there are some"))));
            all.push(good[..at].to_vec());
        }
        for _ in 0..60 {
            let mut changed = good.clone();
            for _ in 0..rng.random_range(1..4) {
                let at = rng.random_range(0..changed.len());
                changed[at] = *VALUES.choose(&mut rng).expect("there are some");
            }
            all.push(changed);
        }
        for record in RECORDS {
            // Mostly not where a record begins; at 4 one does.
            for at in [4, rng.random_range(4..good.len())] {
                all.push([&good[..at], record, &good[at..]].concat());
                all.push([&good[..at], record].concat());
            }
        }
        for more in [1, 9] {
            all.push([&good[..], &vec![0; more]].concat());
        }
        let mut longest = good.clone();
        longest.resize(256, 0);
        all.push(longest);
        all.push(good);
    }
    all
}

#[test]
fn offsets_are_those_of_the_parser() {
    let mut contracts = Contract::UPLOADED.map(|contract| (contract, Deployed::new(contract)));
    let mut rules = BTreeSet::new();
    let mut accepted = 0;
    for header in headers() {
        let begin = beginModelCall { header: header.clone().into(), modelHash: B256::ZERO };
        let begin = begin.abi_encode();
        for (contract, deployed) in &mut contracts {
            let (expected, rule) = expected(*contract, &header);
            accepted += usize::from(expected.is_ok());
            rules.extend(rule);
            let got = outcome(deployed.raw(begin.clone(), Default::default())).map(drop);
            assert_eq!(got, expected, "{contract}: {header:02x?}");
        }
    }
    // Each of the 22 rules was broken, the limits of words, and that of `Naive`; and many headers break none.
    assert_eq!(rules.len(), 24, "{rules:?}");
    assert!(accepted > 3_000, "{accepted}");
}

#[test]
fn a_refused_header_changes_nothing() {
    let good = dense([0x21, 20, 20], &[60], 10);
    let hash = B256::repeat_byte(3);
    let begin = |header: &[u8]| beginModelCall { header: header.to_vec().into(), modelHash: hash };
    for contract in Contract::UPLOADED {
        let mut deployed = Deployed::new(contract);
        let good = if contract.home() == Home::Code { NET.to_vec() } else { good.clone() };
        let length = good.len() as u16;
        for first in [None, Some(&good)] {
            if let Some(first) = first {
                deployed.send(OWNER, &begin(first)).unwrap();
            }
            deployed.refuses(OWNER, &begin(&[]), BadHeader { offset: 0 });
            let cut = begin(&good[..good.len() - 1]);
            deployed.refuses(OWNER, &cut, BadHeader { offset: length - 1 });
            let longer = begin(&[&good[..], &[0]].concat());
            deployed.refuses(OWNER, &longer, BadHeader { offset: length });
            deployed.refuses(OWNER, &begin(&vec![0x21; 256]), BadHeader { offset: 255 });
            // A word and 21 for the biases; 400 · 656 and 656 · 10 weights, 32 in a word.
            let header = dense([0x21, 20, 20], &[656], 10);
            let words = Header::parse(&header).unwrap().word_count();
            let limit = limit(contract, header.len());
            assert!(words > MAX_WORDS);
            deployed.refuses(OWNER, &begin(&header), ModelTooLarge { words, limit });
        }
    }
}
