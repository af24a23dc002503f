//! The slots of `docs/format.md` hold what it says, at every stage, word for word the same in Stylus and Solidity; and
//! so does the data account of those that keep words in code.

use alloy::{
    primitives::{Address, B256, Bytes, U256, keccak256},
    sol_types::SolCall,
};
use inkling::{
    abi::IClassifier::*,
    artifacts::{Contract, Home},
    models::Model,
};
use inkling_devnode::{Node, TxRequest};
use inkling_network::pack;
use inkling_tests::{
    Deployed, IMAGE, OWNER, STRANGER, Size,
    deployed::{begin, chunks, outcome},
    random_mlp, random_network,
};
use rand::{SeedableRng, rngs::StdRng};
use serde_json::json;

/// Slots that are looked at: the words of the model and as many again.
const SLOTS: usize = 268 + 208;

/// What `docs/format.md` says of a model.
#[derive(Clone)]
struct Layout<'a> {
    home: Home,
    state: u8,
    pending: Address,
    model: Option<&'a Model>,
    /// The chunks in storage.
    uploaded: Vec<usize>,
    /// The account of the words in code.
    data: Option<Address>,
}

impl Layout<'_> {
    fn slots(&self) -> Vec<B256> {
        let mut slots = vec![B256::ZERO; SLOTS];
        let header = self.model.map_or(&[][..], |model| &model.header);
        let words = self.model.map_or(&[][..], |model| &model.words);
        // Byte 0 is the state, and the header begins beside it.
        let start = [&[self.state], header].concat();
        for (slot, part) in slots.iter_mut().zip(start.chunks(32)) {
            slot[..part.len()].copy_from_slice(part);
        }
        // From the low end: owner (160 bits), number of words (32), header length (16).
        let status: U256 = U256::from_be_slice(OWNER.as_slice())
            | U256::from(words.len()) << 160
            | U256::from(header.len()) << 192;
        slots[8] = status.into();
        slots[9] = self.pending.into_word();
        slots[10] = self.model.map_or(B256::ZERO, |model| model.hash);
        for &chunk in &self.uploaded {
            let words: Vec<_> = words.iter().enumerate().skip(32 * chunk).take(32).collect();
            let bytes: Vec<u8> = words.iter().flat_map(|(_, word)| **word).collect();
            slots[11] = (U256::from_be_bytes(slots[11].0) | U256::ONE << chunk).into();
            slots[12 + chunk] = keccak256(bytes);
            for (index, word) in words {
                slots[268 + index] = word.into();
            }
        }
        if let Some(data) = self.data {
            slots[12] = data.into_word();
            slots[12][0] = u8::from(self.state >= 2);
        }
        slots
    }

    /// Compares slot by slot, by `eth_getStorageAt`, and the code of the data account.
    #[track_caller]
    fn holds(&self, node: &Node, address: Address, count: usize) {
        for (slot, expected) in self.slots().into_iter().enumerate().take(count) {
            let params = json!([address, format!("{slot:#x}"), "latest"]);
            let got = node.handle("eth_getStorageAt", params).unwrap();
            assert_eq!(got, json!(expected), "slot {slot}, {:?}", self.home);
        }
        if let (Some(data), Some(model)) = (self.data, self.model) {
            let code = [&[0], &model.header[..], model.words.as_flattened()].concat();
            assert_eq!(node.chain().code(data), Bytes::from(code));
        }
    }
}

#[test]
fn slots_are_those_of_the_format() {
    let mut rng = StdRng::seed_from_u64(70);
    let size = Size { layers: 14, ..Size::SMALL };
    let general = std::iter::repeat_with(|| random_network(&mut rng, IMAGE, size))
        // A header of three slots; words in three or four chunks.
        .find(|model| (64..96).contains(&model.header.len()) && model.words.len() > 64)
        .expect("there is always a next network");
    let dense = random_mlp(&mut StdRng::seed_from_u64(71), &[8]);
    for contract in Contract::UPLOADED {
        let Deployed { chain, address, home } = Deployed::new(contract);
        let node = Node::new(chain);
        let send = |data: Vec<u8>| {
            outcome(node.chain().transact(&TxRequest::call(OWNER, address, data)).unwrap()).unwrap()
        };
        // `Naive` keeps the words elsewhere.
        let naive = contract == Contract::Naive;
        let (model, slots) = if naive { (&dense, 268) } else { (&general, SLOTS) };

        let pending = Address::ZERO;
        let (state, uploaded) = (0, vec![]);
        let mut layout = Layout { home, state, pending, model: None, uploaded, data: None };
        layout.holds(&node, address, slots);
        send(begin(model).abi_encode());
        layout = Layout { state: 1, model: Some(model), ..layout };
        layout.holds(&node, address, slots);
        let count = pack::chunks(&model.words).count();
        if home == Home::Code {
            layout.data = Some(address.create(node.chain().nonce(address)));
            send(chunks(model, 0, count).abi_encode());
            layout.holds(&node, address, slots);
        } else {
            // The last one first, then from the beginning.
            for index in [count - 1].into_iter().chain(0..count - 1) {
                send(chunks(model, index as u32, 1).abi_encode());
                layout.uploaded.push(index);
                layout.holds(&node, address, slots);
            }
        }
        send(finalizeModelCall {}.abi_encode());
        layout.state = 2;
        layout.holds(&node, address, slots);
        send(freezeModelCall {}.abi_encode());
        send(transferOwnershipCall { newOwner: STRANGER }.abi_encode());
        layout = Layout { state: 3, pending: STRANGER, ..layout };
        layout.holds(&node, address, slots);
    }
}

/// A new upload forgets the data account, and makes another.
#[test]
fn a_new_upload_leaves_no_account_behind() {
    let [first, second] = [80, 81].map(|seed| random_mlp(&mut StdRng::seed_from_u64(seed), &[2]));
    for contract in Contract::UPLOADED.into_iter().filter(|on| on.home() == Home::Code) {
        let mut deployed = Deployed::with_model(contract, &first);
        let slot = |deployed: &Deployed| deployed.chain.storage(deployed.address, U256::from(12));
        let before = slot(&deployed);
        assert_eq!(before >> 248, U256::ONE);
        deployed.send(OWNER, &begin(&second)).unwrap();
        assert_eq!(slot(&deployed), U256::ZERO, "{contract}");
        deployed.upload_words(&second);
        let data = slot(&deployed);
        assert_eq!(data >> 160, U256::ZERO, "{contract}");
        assert_ne!(data, before << 96 >> 96, "{contract}");
    }
}

/// In storage, inference depends on the slots of header and words, and in code on one slot: whatever is in others.
#[test]
fn inference_reads_no_other_slot() {
    let model = random_mlp(&mut StdRng::seed_from_u64(82), &[2]);
    let (logits, image) = (model.logits(&[9; 400]).unwrap(), [9; 400]);
    for contract in Contract::UPLOADED {
        let mut deployed = Deployed::with_model(contract, &model);
        let read = |slot: u64| match contract.home() {
            Home::Code => slot == 12,
            _ => slot == 0 || slot >= 268,
        };
        for slot in (0..SLOTS as u64).filter(|&slot| !read(slot)) {
            deployed.chain.set_storage(deployed.address, U256::from(slot), U256::MAX);
        }
        assert_eq!(deployed.logits(&image), Ok(logits.clone()), "{contract}");
    }
}
