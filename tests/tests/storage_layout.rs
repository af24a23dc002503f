//! The slots of `docs/format.md` hold what it says, at every stage, word for word the same in Stylus and Solidity.

use alloy::{
    primitives::{Address, B256, U256, keccak256},
    sol_types::SolCall,
};
use inkling::{abi::IClassifier::*, artifacts::Contract, models::Model};
use inkling_devnode::{Node, TxRequest};
use inkling_network::{Shape, pack};
use inkling_tests::{
    Deployed, OWNER, STRANGER,
    deployed::{begin, chunks, outcome},
    random_network,
};
use rand::{SeedableRng, rngs::StdRng};
use serde_json::json;

/// Slots that are looked at: the words of the model and as many again.
const SLOTS: usize = 268 + 208;

/// What `docs/format.md` says of a model in storage.
#[derive(Clone, Default)]
struct Layout<'a> {
    state: u8,
    pending: Address,
    model: Option<&'a Model>,
    uploaded: Vec<usize>,
}

impl Layout<'_> {
    fn slots(&self) -> Vec<B256> {
        let mut slots = vec![B256::ZERO; SLOTS];
        let header = self.model.map_or(&[][..], |model| &model.header);
        let words = self.model.map_or(&[][..], |model| &model.words);
        // From the low end: owner (160 bits), state (8), header length (16), number of words (32).
        let status: U256 = U256::from_be_slice(OWNER.as_slice())
            | U256::from(self.state) << 160
            | U256::from(header.len()) << 168
            | U256::from(words.len()) << 184;
        slots[0] = status.into();
        slots[1] = self.pending.into_word();
        slots[2] = self.model.map_or(B256::ZERO, |model| model.hash);
        for (slot, part) in (4..12).zip(header.chunks(32)) {
            slots[slot][..part.len()].copy_from_slice(part);
        }
        for &chunk in &self.uploaded {
            let words: Vec<_> = words.iter().enumerate().skip(32 * chunk).take(32).collect();
            let bytes: Vec<u8> = words.iter().flat_map(|(_, word)| **word).collect();
            slots[3] = (U256::from_be_bytes(slots[3].0) | U256::ONE << chunk).into();
            slots[12 + chunk] = keccak256(bytes);
            for (index, word) in words {
                slots[268 + index] = word.into();
            }
        }
        slots
    }
}

/// Compares slot by slot, by `eth_getStorageAt`.
#[track_caller]
fn holds(node: &Node, address: Address, expected: &Layout<'_>, count: usize) {
    for (slot, expected) in expected.slots().into_iter().enumerate().take(count) {
        let params = json!([address, format!("{slot:#x}"), "latest"]);
        let got = node.handle("eth_getStorageAt", params).unwrap();
        assert_eq!(got, json!(expected), "slot {slot}");
    }
}

#[test]
fn slots_are_those_of_the_format() {
    let input = Shape { height: 20, width: 20, channels: 1 };
    let mut rng = StdRng::seed_from_u64(70);
    // Four layers: a header of 41 bytes, in two words; 104 words, in four chunks.
    let model = random_network(&mut rng, input, &[8, 6, 4, 3], false);
    assert_eq!((model.header.len(), pack::chunks(&model.words).count()), (41, 4));
    for contract in Contract::ALL {
        let Deployed { chain, address } = Deployed::new(contract);
        let node = Node::new(chain);
        let send = |data: Vec<u8>| {
            outcome(node.chain().transact(&TxRequest::call(OWNER, address, data)).unwrap()).unwrap()
        };
        // `Naive` keeps the words elsewhere.
        let count = if contract == Contract::Naive { 268 } else { SLOTS };

        let mut layout = Layout::default();
        holds(&node, address, &layout, count);
        send(begin(&model).abi_encode());
        layout = Layout { state: 1, model: Some(&model), ..layout };
        holds(&node, address, &layout, count);
        for index in [2, 0, 3, 1] {
            send(chunks(&model, index, 1).abi_encode());
            layout.uploaded.push(index as usize);
            holds(&node, address, &layout, count);
        }
        send(finalizeModelCall {}.abi_encode());
        layout.state = 2;
        holds(&node, address, &layout, count);
        send(freezeModelCall {}.abi_encode());
        send(transferOwnershipCall { newOwner: STRANGER }.abi_encode());
        layout = Layout { state: 3, pending: STRANGER, ..layout };
        holds(&node, address, &layout, count);
    }
}
