//! The three contracts accept the headers that `inkling_network::Header::parse` accepts, and refuse the others at the
//! same offset.

use alloy::{primitives::B256, sol_types::SolCall};
use inkling::{abi::IClassifier::*, artifacts::Contract};
use inkling_network::Header;
use inkling_tests::{Deployed, OWNER, Refusal, deployed::outcome, refused};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use std::collections::BTreeSet;

/// What a contract must say of a header; of a bad one, the rule's name besides.
fn expected(header: &[u8]) -> (Result<(), Refusal>, Option<String>) {
    match Header::parse(header).map(|header| header.word_count()) {
        Ok(..=8_192) => (Ok(()), None),
        Ok(words) => (Err(refused(ModelTooLarge { words, limit: 8_192 })), Some("TooLarge".into())),
        Err(error) => {
            let rule = format!("{:?}", error.rule);
            (Err(refused(BadHeader { offset: error.offset })), Some(rule))
        }
    }
}

/// The header of `layers` records after a preamble, all but the last with a requantization.
fn header(input: [u8; 3], outputs: &[u16]) -> Vec<u8> {
    let mut bytes = vec![1, input[0], input[1], input[2], outputs.len() as u8];
    for (index, outputs) in outputs.iter().enumerate() {
        bytes.push(1);
        bytes.extend(outputs.to_be_bytes());
        let requantize = [0x40, 0, 20, 8];
        bytes.extend([8, [0x82, 0x43][index % 2]]);
        bytes.extend(if bytes[4] as usize == index + 1 { [0; 4] } else { requantize });
    }
    bytes
}

/// Good headers and what can be made of them: every byte set to values beside its bounds, every length, random bytes.
fn headers() -> Vec<Vec<u8>> {
    const VALUES: [u8; 18] =
        [0, 1, 2, 7, 8, 9, 16, 23, 27, 28, 47, 48, 0x42, 0x58, 0x97, 0xa2, 0xc0, 255];
    let good = [
        header([20, 20, 1], &[64, 10]),
        header([20, 20, 1], &[10]),
        header([1, 3, 1], &[4, 4_096, 256]),
        header([255, 255, 1], &[1, 1]),
        // Close to 8,192 words; then more.
        header([20, 20, 1], &[635, 9]),
        header([20, 20, 1], &[656, 10]),
        header([255, 128, 2], &[8]),
        header([5, 5, 3], &[3; 27]),
    ];
    let mut rng = StdRng::seed_from_u64(50);
    let mut all = vec![vec![], vec![1; 256], vec![1; 257], vec![0; 1_000]];
    for good in good {
        for at in 0..good.len().min(50) {
            for value in VALUES {
                let mut changed = good.clone();
                changed[at] = value;
                all.push(changed);
            }
            all.push(good[..at].to_vec());
        }
        for _ in 0..50 {
            let mut changed = good.clone();
            for _ in 0..rng.random_range(1..4) {
                let at = rng.random_range(0..changed.len());
                changed[at] = *VALUES.choose(&mut rng).expect("there are some");
            }
            all.push(changed);
        }
        for more in [1, 9] {
            all.push([&good[..], &vec![0; more]].concat());
        }
        let mut longest = good.clone();
        longest.resize(257, 0);
        all.push(longest);
        all.push(good);
    }
    all
}

#[test]
fn offsets_are_those_of_the_parser() {
    let mut contracts = Contract::ALL.map(|contract| (contract, Deployed::new(contract)));
    let mut rules = BTreeSet::new();
    let mut accepted = 0;
    for header in headers() {
        let (expected, rule) = expected(&header);
        accepted += usize::from(expected.is_ok());
        rules.extend(rule);
        let begin = beginModelCall { header: header.clone().into(), modelHash: B256::ZERO };
        let begin = begin.abi_encode();
        for (contract, deployed) in &mut contracts {
            let got = outcome(deployed.raw(begin.clone(), Default::default())).map(drop);
            assert_eq!(got, expected, "{contract}: {header:02x?}");
        }
    }
    // Each of the 14 rules and the limit of words was broken, and many headers break none.
    assert_eq!(rules.len(), 15, "{rules:?}");
    assert!(accepted > 300, "{accepted}");
}

#[test]
fn a_refused_header_changes_nothing() {
    let good = header([20, 20, 1], &[8, 10]);
    let hash = B256::repeat_byte(3);
    let begin = |header: &[u8]| beginModelCall { header: header.to_vec().into(), modelHash: hash };
    for contract in Contract::ALL {
        let mut deployed = Deployed::new(contract);
        for first in [None, Some(&good)] {
            if let Some(first) = first {
                deployed.send(OWNER, &begin(first)).unwrap();
            }
            deployed.refuses(OWNER, &begin(&[]), BadHeader { offset: 0 });
            deployed.refuses(OWNER, &begin(&good[..22]), BadHeader { offset: 22 });
            deployed.refuses(OWNER, &begin(&[&good[..], &[0]].concat()), BadHeader { offset: 23 });
            deployed.refuses(OWNER, &begin(&vec![1; 257]), BadHeader { offset: 256 });
            // One word for the biases; 400 · 656 and 656 · 10 weights, 32 in a word.
            let large = begin(&header([20, 20, 1], &[656, 10]));
            deployed.refuses(OWNER, &large, ModelTooLarge { words: 8_447, limit: 8_192 });
        }
    }
}
