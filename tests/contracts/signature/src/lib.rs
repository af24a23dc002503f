//! Who signed a message, after the SDK's example `verify_signature`: a static call of the `ecrecover` precompile.

#![cfg_attr(not(any(test, feature = "export-abi")), no_main)]
#![allow(missing_docs)] // of what the SDK's macros write

extern crate alloc;

use alloc::{string::String, vec::Vec};
use alloy_primitives::{Address, B256, U256, address};
use alloy_sol_types::{SolValue, sol};
use stylus_sdk::{abi::Bytes, call::static_call, crypto::keccak, prelude::*};

/// The precompile.
const ECRECOVER: Address = address!("0000000000000000000000000000000000000001");

sol! {
    error BadSignature();
}

/// A refusal.
#[derive(SolidityError)]
pub enum Error {
    /// Not 65 bytes, or nobody's.
    BadSignature(BadSignature),
}

#[storage]
#[entrypoint]
pub struct Signature;

#[public]
impl Signature {
    /// The hash that a wallet signs (EIP-191).
    pub fn message_hash(&self, message: String) -> B256 {
        let length = alloc::format!("\x19Ethereum Signed Message:\n{}", message.len());
        keccak([length.as_bytes(), message.as_bytes()].concat())
    }

    /// Whose signature of a message this is: `r`, `s` and `v` in 65 bytes.
    pub fn signer(&self, message: String, signature: Bytes) -> Result<Address, Error> {
        let Ok(signature) = <[u8; 65]>::try_from(&signature[..]) else {
            return Err(Error::BadSignature(BadSignature {}));
        };
        let [r, s] = [0, 32].map(|at| B256::from_slice(&signature[at..at + 32]));
        let input = (self.message_hash(message), U256::from(signature[64]), r, s).abi_encode();
        match static_call(self.vm(), Call::new(), ECRECOVER, &input) {
            Ok(output) if output.len() == 32 => Ok(Address::from_word(B256::from_slice(&output))),
            _ => Err(Error::BadSignature(BadSignature {})),
        }
    }
}
