//! The classifier as an Arbitrum Stylus contract: the functions of `IClassifier.sol` over `inkling-network`.
//!
//! Nothing is computed here: [`inference`] is [`inkling_network::kernel`]'s. The weights have one of three [`home`]s, chosen
//! when the program is built: storage (the default), the code of another account (feature `code`), or the program itself
//! (feature `baked`). [`router`] decodes calls, [`store`] is who owns the contract, [`life`] a model's life cycle, [`errors`]
//! are the refusals, the same as the Solidity contracts', and [`host`] is what the VM is asked for. The storage layout is in
//! `docs/format.md`.
//!
//! The owner is an argument of the constructor. StylusDeployer creates, activates and constructs a program in one
//! transaction, so nobody else can claim it in between.

#![cfg_attr(not(any(test, feature = "export-abi")), no_main)]
#![allow(missing_docs)] // of what the SDK's macros write
#![allow(clippy::needless_range_loop)] // an iterator over two slices is a longer program than an index

extern crate alloc;

pub mod errors;
pub mod home;
pub mod host;
pub mod inference;
#[cfg(any(feature = "export-abi", feature = "contract-client-gen"))]
pub mod interface;
#[cfg(not(feature = "baked"))]
pub mod life;
mod profile;
pub mod router;
pub mod store;

#[cfg(feature = "baked")]
use home as life;
#[cfg(feature = "export-abi")]
pub use interface::print_from_args;

#[cfg(all(feature = "code", feature = "baked"))]
compile_error!("the weights have one home: `code` or `baked`");

/// `IClassifier.sol`: selectors of functions, events and errors.
pub mod abi {
    alloy_sol_types::sol!("../contracts-solidity-baseline/IClassifier.sol");
}

/// Where Nitro calls the program, with the length of the calldata. 0 is success, 1 reverts.
///
/// The SDK's own entry point flushes the storage cache after every call: 2,300 gas that a call which writes nothing would
/// have to have, though it does not spend them.
#[cfg(not(feature = "contract-client-gen"))]
#[unsafe(no_mangle)]
pub extern "C" fn user_entrypoint(length: usize) -> usize {
    router::route(host::calldata(length)).is_err().into()
}
