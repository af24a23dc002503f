//! A number in storage: set by the constructor, read by `number()`, raised by `increment()`.
//!
//! It speaks to the host without an SDK, so that the test of `cargo stylus` builds it in seconds.

#![cfg(target_arch = "wasm32")]
#![no_std]

use core::{arch::wasm32, panic::PanicInfo};

#[link(wasm_import_module = "vm_hooks")]
unsafe extern "C" {
    fn pay_for_memory_grow(pages: u16);
    fn read_args(dest: *mut u8);
    fn storage_cache_bytes32(key: *const u8, value: *const u8);
    fn storage_flush_cache(clear: u32);
    fn storage_load_bytes32(key: *const u8, dest: *mut u8);
    fn write_result(data: *const u8, length: usize);
}

/// `stylus_constructor()`: StylusDeployer calls every constructor by this selector.
const CONSTRUCTOR: [u8; 4] = [0x55, 0x85, 0x25, 0x8d];
/// `number()`.
const NUMBER: [u8; 4] = [0x83, 0x81, 0xf5, 0x8a];
/// `increment()`.
const INCREMENT: [u8; 4] = [0xd0, 0x9d, 0xe0, 0x8a];

/// The slot of the number.
const SLOT: [u8; 32] = [0; 32];

/// What the host calls, with the length of the calldata; 0 is success, 1 a revert.
#[unsafe(no_mangle)]
pub extern "C" fn user_entrypoint(length: usize) -> usize {
    let mut args = [0; 36];
    if length > args.len() {
        return 1;
    }
    // SAFETY: the host reads and writes as many bytes as each buffer has. It wants `pay_for_memory_grow` imported.
    unsafe {
        pay_for_memory_grow(0);
        read_args(args.as_mut_ptr());
        let (selector, argument) = args.split_at(4);
        let mut number = [0; 32];
        storage_load_bytes32(SLOT.as_ptr(), number.as_mut_ptr());
        match (selector, length) {
            (selector, 36) if selector == CONSTRUCTOR => {
                storage_cache_bytes32(SLOT.as_ptr(), argument.as_ptr());
            }
            (selector, 4) if selector == NUMBER => write_result(number.as_ptr(), number.len()),
            (selector, 4) if selector == INCREMENT => {
                for byte in number.iter_mut().rev() {
                    *byte = byte.wrapping_add(1);
                    if *byte != 0 {
                        break;
                    }
                }
                storage_cache_bytes32(SLOT.as_ptr(), number.as_ptr());
            }
            _ => return 1,
        }
        storage_flush_cache(0);
    }
    0
}

#[panic_handler]
fn panic(_: &PanicInfo) -> ! {
    wasm32::unreachable()
}
