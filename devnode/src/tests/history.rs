//! Copies of the chain: readers beside a writer, past states, blocks mined on demand, the state file.

use super::*;
use crate::{At, StateFileError};

/// Stores its calldata's first word in slot 0.
const KEEP: Bytes = bytes!("5f355f5500");

fn keep(chain: &mut Chain, word: u64) -> TxOutcome {
    send(chain, A, U256::from(word).to_be_bytes::<32>())
}

#[test]
fn a_reader_keeps_what_it_has_read() {
    let mut chain = chain();
    chain.set_code(A, KEEP);
    let node = Node::new(chain);
    let before = node.read();
    {
        let mut writer = node.chain();
        keep(&mut writer, 7);
        // Not published before the writer is done.
        assert_eq!(node.read().number(), 0);
    }
    assert_eq!((before.number(), before.storage(A, U256::ZERO)), (0, U256::ZERO));
    assert_eq!((node.read().number(), node.read().storage(A, U256::ZERO)), (1, U256::from(7)));
}

#[test]
fn past_states_answer() {
    let mut chain = chain();
    chain.set_code(A, KEEP);
    for word in 1..=3 {
        keep(&mut chain, word);
    }
    chain.skip_to(100);
    keep(&mut chain, 4);
    let stored = |number| chain.state(At::Block(number)).map(|s| s.storage(A, U256::ZERO));
    let words = [0, 1, 2, 3, 99, 100].map(|number| stored(number).unwrap().to::<u64>());
    assert_eq!(words, [0, 1, 2, 3, 3, 4]);
    assert_eq!((stored(50), stored(101)), (None, None));
    let node = Node::new(chain);
    let at = |tag: Value| node.handle("eth_getStorageAt", json!([A, "0x0", tag])).unwrap();
    assert_eq!(at(json!("0x2")), json!(B256::with_last_byte(2)));
    assert_eq!(at(json!("latest")), json!(B256::with_last_byte(4)));
    let hash = node.read().block(1).unwrap().hash;
    assert_eq!(at(json!({ "blockHash": hash })), json!(B256::with_last_byte(1)));
    let missing = json!([A, "0x0", "0x32"]);
    assert_eq!(rpc_error(&node, "eth_getStorageAt", missing).1, "header not found");
}

#[test]
fn code_in_a_call_sees_the_block_that_it_names() {
    let mut chain = chain();
    chain.set_code(A, bytes!("435f52426020524860405260605ff3")); // NUMBER, TIMESTAMP, BASEFEE
    chain.mine();
    chain.mine();
    let node = Node::new(chain);
    let words = |params: Value| {
        let output: Bytes =
            serde_json::from_value(node.handle("eth_call", params).unwrap()).unwrap();
        [0, 32, 64].map(|at| U256::from_be_slice(&output[at..at + 32]).to::<u64>())
    };
    let genesis = 1_770_000_000;
    assert_eq!(words(json!([{ "to": A }, "0x1"])), [1, genesis + 1, 0]);
    assert_eq!(words(json!([{ "to": A }])), [2, genesis + 2, 0]);
    assert_eq!(words(json!([{ "to": A }, "pending"])), [3, genesis + 3, 0]);
    let priced = json!([{ "from": DEV_ACCOUNT, "to": A, "gasPrice": "0x5f5e100" }]);
    assert_eq!(words(priced), [2, genesis + 2, 100_000_000]);
    let set = json!([{ "to": A }, "latest", {}, { "number": "0x64", "time": "0x65" }]);
    assert_eq!(words(set), [100, 101, 0]);
}

#[test]
fn blocks_on_demand() {
    let mut chain = chain();
    chain.set_code(A, KEEP);
    chain.set_automine(false);
    let node = Node::new(chain);
    let nonce = |tag| node.handle("eth_getTransactionCount", json!([DEV_ACCOUNT, tag])).unwrap();
    let before = nonce("latest");
    keep(&mut node.chain(), 5);
    keep(&mut node.chain(), 6);
    assert_eq!((node.read().number(), nonce("latest")), (0, before));
    assert_eq!(nonce("pending"), json!(format!("{:#x}", DEV_NONCE + 2)));
    let pending = node.handle("eth_getBlockByNumber", json!(["pending", true])).unwrap();
    assert_eq!((&pending["hash"], &pending["number"]), (&Value::Null, &json!("0x1")));
    let hash = pending["transactions"][0]["hash"].clone();
    let waiting = node.handle("eth_getTransactionByHash", json!([hash])).unwrap();
    assert_eq!((&waiting["blockHash"], &waiting["hash"]), (&Value::Null, &hash));
    let receipt = |hash: &Value| node.handle("eth_getTransactionReceipt", json!([hash])).unwrap();
    assert_eq!(receipt(&hash), Value::Null);
    node.handle("evm_mine", json!([])).unwrap();
    assert_eq!(node.read().storage(A, U256::ZERO), U256::from(6));
    let [first, second] = [0, 1].map(|index| receipt(&pending["transactions"][index]["hash"]));
    assert_eq!((&first["blockNumber"], &second["blockNumber"]), (&json!("0x1"), &json!("0x1")));
    assert_eq!(first["cumulativeGasUsed"], first["gasUsed"]);
    assert_ne!(second["cumulativeGasUsed"], second["gasUsed"]);
    assert_eq!(second["transactionIndex"], json!("0x1"));
}

#[test]
fn survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chain.json");
    let mut chain = chain_with("args_result.wat");
    chain.set_code(A, KEEP);
    keep(&mut chain, 9);
    chain.save(&path).unwrap();
    chain.save(&path).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let mut read = Chain::load(ChainConfig::default(), &path).unwrap();
    assert_eq!(read.latest().hash, chain.latest().hash);
    assert_eq!(read.storage(A, U256::ZERO), U256::from(9));
    let hash = *chain.latest().txs[0].envelope.tx_hash();
    assert_eq!(read.tx(hash).unwrap().2.outcome.gas_used, chain.latest().txs[0].outcome.gas_used);
    // Both go on alike: Stylus programs, nonces, block hashes.
    let [ours, theirs] = [&mut chain, &mut read].map(|chain| send(chain, PROGRAM, vec![1; 64]));
    assert_eq!(ours.gas_used, theirs.gas_used);
    assert_eq!(chain.latest().hash, read.latest().hash);
}

#[test]
fn refuses_a_file_that_is_not_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chain.json");
    let load = |config| Chain::load(config, &path).map(|_| ()).unwrap_err();
    assert!(matches!(load(ChainConfig::default()), StateFileError::Io(..)));
    chain().save(&path).unwrap();
    let other = ChainConfig { chain_id: 5, ..ChainConfig::default() };
    assert!(matches!(load(other), StateFileError::ChainId(_, 412_346, 5)));
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, &text[..text.len() / 2]).unwrap();
    assert!(matches!(load(ChainConfig::default()), StateFileError::Content(..)));
    std::fs::write(&path, text.replace("\"format\":1", "\"format\":9")).unwrap();
    assert!(matches!(load(ChainConfig::default()), StateFileError::Format(_, 9)));
}
