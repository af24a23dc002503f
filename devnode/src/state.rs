//! The world state: accounts, code and storage, on maps that share what they have in common.
//!
//! A copy costs nothing and stays as it was when the original moves on. So a reader works on a state that no writer
//! touches, a block remembers the state that it began with, and a snapshot is a copy.

use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256, map::AddressMap};
use imbl::HashMap;
use revm::{
    DatabaseCommit, DatabaseRef,
    bytecode::Bytecode,
    state::{Account as Touched, AccountInfo},
};
use serde::{Deserialize, Serialize};
use std::convert::Infallible;

/// Blocks back whose hash code can ask for (`BLOCKHASH`).
const HASHES: u64 = 256;

/// Accounts, code and storage.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct State {
    accounts: HashMap<Address, Account>,
    #[serde(with = "code_as_bytes")]
    code: HashMap<B256, Bytecode>,
    block_hashes: HashMap<u64, B256>,
}

/// One account.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Account {
    nonce: u64,
    balance: U256,
    code_hash: B256,
    #[serde(default, skip_serializing_if = "HashMap::is_empty")]
    storage: HashMap<U256, U256>,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            nonce: 0,
            balance: U256::ZERO,
            code_hash: KECCAK256_EMPTY,
            storage: HashMap::default(),
        }
    }
}

impl State {
    /// What is known of an account; that of nobody is empty.
    pub fn info(&self, address: Address) -> AccountInfo {
        let Ok(info) = self.basic_ref(address);
        info.unwrap_or_default()
    }

    /// Code by its hash; empty where there is none.
    pub fn code(&self, hash: B256) -> Bytecode {
        self.code.get(&hash).cloned().unwrap_or_default()
    }

    /// A word of storage.
    pub fn storage(&self, address: Address, slot: U256) -> U256 {
        let account = self.accounts.get(&address);
        account.and_then(|account| account.storage.get(&slot)).copied().unwrap_or_default()
    }

    /// Replaces nonce, balance and code of an account, not its storage.
    pub(crate) fn set_info(&mut self, address: Address, info: AccountInfo) {
        let mut code_hash = info.code_hash;
        if let Some(code) = info.code
            && !code.is_empty()
        {
            code_hash = code.hash_slow();
            self.code.entry(code_hash).or_insert(code);
        }
        let account = self.accounts.entry(address).or_default();
        account.nonce = info.nonce;
        account.balance = info.balance;
        account.code_hash = if code_hash.is_zero() { KECCAK256_EMPTY } else { code_hash };
    }

    /// Sets a word of storage.
    pub(crate) fn set_storage(&mut self, address: Address, slot: U256, value: U256) {
        self.accounts.entry(address).or_default().set(slot, value);
    }

    /// Remembers the hash of a block, and forgets one that code cannot ask for any more.
    pub(crate) fn set_block_hash(&mut self, number: u64, hash: B256) {
        self.block_hashes.insert(number, hash);
        if let Some(old) = number.checked_sub(HASHES) {
            self.block_hashes.remove(&old);
        }
    }
}

impl Account {
    fn set(&mut self, slot: U256, value: U256) {
        if value.is_zero() {
            self.storage.remove(&slot);
        } else {
            self.storage.insert(slot, value);
        }
    }
}

impl DatabaseRef for State {
    type Error = Infallible;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, Infallible> {
        Ok(self.accounts.get(&address).map(|account| AccountInfo {
            nonce: account.nonce,
            balance: account.balance,
            code_hash: account.code_hash,
            code: Some(self.code(account.code_hash)),
            ..AccountInfo::default()
        }))
    }

    fn code_by_hash_ref(&self, hash: B256) -> Result<Bytecode, Infallible> {
        Ok(self.code(hash))
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, Infallible> {
        Ok(self.storage(address, slot))
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, Infallible> {
        Ok(self.block_hashes.get(&number).copied().unwrap_or_default())
    }
}

impl DatabaseCommit for State {
    fn commit(&mut self, changes: AddressMap<Touched>) {
        for (address, touched) in changes {
            if !touched.is_touched() {
                continue;
            }
            if touched.is_selfdestructed() || touched.is_empty() {
                self.accounts.remove(&address);
                continue;
            }
            if touched.is_created() {
                self.accounts.remove(&address);
            }
            self.set_info(address, touched.info);
            let account = self.accounts.entry(address).or_default();
            for (slot, word) in touched.storage {
                if word.is_changed() {
                    account.set(slot, word.present_value());
                }
            }
        }
    }
}

/// Code is kept as it was deployed; what revm derives from it is derived again.
mod code_as_bytes {
    use super::{B256, Bytecode, HashMap};
    use alloy_primitives::Bytes;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(
        code: &HashMap<B256, Bytecode>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        let list: Vec<Bytes> = code.values().map(Bytecode::original_bytes).collect();
        list.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<HashMap<B256, Bytecode>, D::Error> {
        let list = Vec::<Bytes>::deserialize(from)?;
        let code = list.into_iter().map(|bytes| {
            let code = Bytecode::new_raw_checked(bytes).map_err(D::Error::custom)?;
            Ok((code.hash_slow(), code))
        });
        code.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{Bytes, address};

    const A: Address = address!("00000000000000000000000000000000000000aa");

    #[test]
    fn a_copy_stays_as_it_was() {
        let mut state = State::default();
        state.set_storage(A, U256::ONE, U256::from(5));
        let before = state.clone();
        state.set_storage(A, U256::ONE, U256::from(6));
        state.set_info(A, AccountInfo { nonce: 7, ..AccountInfo::default() });
        assert_eq!(before.storage(A, U256::ONE), U256::from(5));
        assert_eq!(before.info(A).nonce, 0);
        assert_eq!(state.storage(A, U256::ONE), U256::from(6));
        assert_eq!(state.info(A).nonce, 7);
    }

    #[test]
    fn survives_a_file() {
        let mut state = State::default();
        let code = Bytecode::new_legacy(Bytes::from_static(&[0xef, 0xf0, 0, 0, 1]));
        let info = AccountInfo { balance: U256::MAX, code: Some(code), ..AccountInfo::default() };
        state.set_info(A, info);
        state.set_storage(A, U256::MAX, U256::from(3));
        state.set_block_hash(0, B256::repeat_byte(9));
        let text = serde_json::to_string(&state).unwrap();
        let read: State = serde_json::from_str(&text).unwrap();
        assert_eq!(read.info(A), state.info(A));
        assert_eq!(read.info(A).code.unwrap().original_bytes()[..], [0xef, 0xf0, 0, 0, 1]);
        assert_eq!(read.storage(A, U256::MAX), U256::from(3));
        assert_eq!(read.block_hash_ref(0), Ok(B256::repeat_byte(9)));
    }

    #[test]
    fn forgets_old_block_hashes() {
        let mut state = State::default();
        for number in 0..=HASHES {
            state.set_block_hash(number, B256::with_last_byte(1));
        }
        assert_eq!(state.block_hash_ref(0), Ok(B256::ZERO));
        assert_eq!(state.block_hash_ref(1), Ok(B256::with_last_byte(1)));
    }
}
