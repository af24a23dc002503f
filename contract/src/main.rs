//! `cargo stylus export-abi`: prints the contract's Solidity interface, or its constructor's signature.

#![cfg_attr(not(any(test, feature = "export-abi")), no_main)]
#![allow(missing_docs)]

#[cfg(not(any(test, feature = "export-abi")))]
#[unsafe(no_mangle)]
pub extern "C" fn main() {}

#[cfg(feature = "export-abi")]
fn main() {
    inkling_contract::print_from_args();
}
