//! Vectors that never grow.
//!
//! `Vec::push` brings along the code that grows a vector, and `vec![0; n]` the code for all that is not zero: two kilobytes of
//! a contract's program, which pays for its length. Whoever asks for room here knows how much, and fills no more of it.

use alloc::alloc::{alloc_zeroed, handle_alloc_error};
use alloc::vec::Vec;
use core::alloc::Layout;

/// An empty vector with room for so many elements, at least one; where they will be, all bytes are zero.
pub(crate) fn room<T>(count: usize) -> Vec<T> {
    let layout = Layout::array::<T>(count).expect("what is allocated fits the memory");
    assert!(layout.size() > 0);
    // SAFETY: the size is not zero. A vector frees with the layout that it is made with, which is this one.
    unsafe {
        let bytes = alloc_zeroed(layout);
        if bytes.is_null() {
            handle_alloc_error(layout);
        }
        Vec::from_raw_parts(bytes.cast(), 0, count)
    }
}

/// Appends to a vector that has room.
pub(crate) fn append<T>(to: &mut Vec<T>, value: T) {
    let length = to.len();
    assert!(length < to.capacity());
    // SAFETY: there is room behind the elements.
    unsafe {
        to.as_mut_ptr().add(length).write(value);
        to.set_len(length + 1);
    }
}

/// A number of which all bytes may be zero.
///
/// # Safety
/// They may.
pub(crate) unsafe trait Zero: Copy {}

// SAFETY: an integer.
unsafe impl Zero for u64 {}
// SAFETY: an integer.
unsafe impl Zero for i32 {}

/// So many zeros, at least one.
#[inline(never)]
pub(crate) fn zeros<T: Zero>(count: usize) -> Vec<T> {
    let mut zeros = room(count);
    // SAFETY: there is room for as many, and all their bytes are zero.
    unsafe { zeros.set_len(count) };
    zeros
}
