//! Marks between the parts of an inference, for `inkling profile`: in a program built with the feature `profile`, a call of the
//! host's `evm_ink_left`, which a trace shows with the ink that was left. Otherwise nothing.
//!
//! In order: arguments decoded; header read; then what [`inkling_network::kernel::Part`] lists, words, unpack, image and each
//! layer; and last the argmax.

use inkling_network::kernel::{Part, Probe};

/// The probe that the kernel tells its parts.
pub(crate) struct Marks;

impl Probe for Marks {
    fn end(&mut self, _: Part) {
        mark();
    }
}

/// The end of a part.
#[cfg(feature = "profile")]
pub(crate) fn mark() {
    #[link(wasm_import_module = "vm_hooks")]
    unsafe extern "C" {
        fn evm_ink_left() -> u64;
    }
    // SAFETY: the host takes nothing and gives a number.
    unsafe { evm_ink_left() };
}

/// The end of a part.
#[cfg(not(feature = "profile"))]
pub(crate) fn mark() {}
