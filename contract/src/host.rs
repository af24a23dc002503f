//! What the contract asks of the VM: the hostios of `stylus_sdk::hostio`, made safe.
//!
//! The SDK's `VM` offers the same over 256-bit slot numbers and vectors. A program pays for its length whenever it is not
//! cached, and a word read through the VM costs 13 gas more than one read here: slots are small numbers, and words stay
//! where the host wrote them, since to move one takes 50 bytes of program. What is allocated is never given back: the
//! allocator (mini-alloc) could not take it, and the program ends with the call.

use alloc::alloc::{alloc_zeroed, handle_alloc_error};
use core::alloc::Layout;
use core::{ptr, slice};

use alloy_sol_types::SolEvent;
use inkling_network::pack::Word;
use stylus_sdk::hostio;

/// The calldata, which has so many bytes.
pub fn calldata(length: usize) -> &'static mut [u8] {
    let bytes = bytes(length);
    // SAFETY: the host writes as many bytes as it announced; and it takes 0 pages for what it is, nothing. The program
    // has to import that hostio: Nitro calls it where memory grows.
    unsafe {
        hostio::pay_for_memory_grow(0);
        hostio::read_args(bytes.as_mut_ptr());
    }
    bytes
}

/// Sets the return data.
pub fn give(data: &[u8]) {
    // SAFETY: the host reads the slice.
    unsafe { hostio::write_result(data.as_ptr(), data.len()) };
}

/// The word in a slot.
#[inline(never)]
pub fn load(slot: u16) -> &'static mut Word {
    let word = zero();
    read(slot, word);
    word
}

/// The word in a slot.
#[inline(never)]
pub fn read(slot: u16, to: &mut Word) {
    // SAFETY: the host reads and writes 32 bytes.
    unsafe { hostio::storage_load_bytes32(key(slot), to.as_mut_ptr()) };
}

/// Writes the word in a slot, in the host's cache: [`flush`] makes it last.
#[inline(never)]
pub fn store(slot: u16, word: &Word) {
    // SAFETY: the host reads 32 bytes of each.
    unsafe { hostio::storage_cache_bytes32(key(slot), word.as_ptr()) };
}

/// Writes what was stored to the state.
pub fn flush() {
    // SAFETY: nothing of this program's memory is touched.
    unsafe { hostio::storage_flush_cache(false) };
}

/// A slot's number as a word, until the next one is asked for.
#[inline(always)]
fn key(slot: u16) -> *const u8 {
    static mut KEY: Word = [0; 32];
    let key = &raw mut KEY;
    // SAFETY: a program has one thread, and no reference to the word exists.
    unsafe {
        (*key)[30] = (slot >> 8) as u8;
        (*key)[31] = slot as u8;
    }
    key.cast()
}

/// Whether the call brings any value.
pub fn has_value() -> bool {
    let value = zero();
    // SAFETY: the host writes 32 bytes.
    unsafe { hostio::msg_value(value.as_mut_ptr()) };
    !equal(value, zero())
}

/// The caller, in the low 160 bits.
pub fn sender() -> &'static mut Word {
    let sender = zero();
    // SAFETY: the host writes 20 bytes.
    unsafe { hostio::msg_sender(sender[12..].as_mut_ptr()) };
    sender
}

/// The keccak256 of some bytes.
pub fn keccak256(bytes: &[u8]) -> &'static mut Word {
    let hash = zero();
    // SAFETY: the host reads the slice and writes 32 bytes.
    unsafe { hostio::native_keccak256(bytes.as_ptr(), bytes.len(), hash.as_mut_ptr()) };
    hash
}

/// Emits an event with so many indexed arguments, two at most, and then perhaps one that is not. Its signature is passed as four numbers:
/// as 32 bytes of the program's data each event would cost 24 gas whenever the program is called, whatever for.
#[inline(always)]
pub fn emit<E: SolEvent, const N: usize>(indexed: [&Word; N], other: Option<&Word>) {
    const { assert!(N <= 2) };
    let [a, b, c, d] = const { quarters(E::SIGNATURE_HASH.0) };
    emit_signed(a, b, c, d, indexed.first().copied(), indexed.get(1).copied(), other);
}

#[inline(never)]
fn emit_signed(
    a: u64,
    b: u64,
    c: u64,
    d: u64,
    first: Option<&Word>,
    second: Option<&Word>,
    other: Option<&Word>,
) {
    let data = bytes(128);
    let (eights, _) = data.as_chunks_mut();
    (eights[0], eights[1]) = (a.to_ne_bytes(), b.to_ne_bytes());
    (eights[2], eights[3]) = (c.to_ne_bytes(), d.to_ne_bytes());
    let (words, _) = data.as_chunks_mut();
    let mut count = append(words, 1, first);
    count = append(words, count, second);
    let length = append(words, count, other);
    // SAFETY: the host reads so many words.
    unsafe { hostio::emit_log(data.as_ptr(), 32 * length, count) };
}

/// Writes a word, if there is one, behind so many others; their number.
#[inline(never)]
pub fn append(words: &mut [Word], count: usize, word: Option<&Word>) -> usize {
    let Some(word) = word else { return count };
    words[count] = *word;
    count + 1
}

/// The code of the account in the low 160 bits of a word.
#[cfg(feature = "code")]
pub fn code(account: &Word) -> &'static mut [u8] {
    let account = account[12..].as_ptr();
    // SAFETY: the host reads 20 bytes, and writes as much code as the account has.
    unsafe {
        let length = hostio::account_code_size(account);
        let code = bytes(length);
        hostio::account_code(account, 0, length, code.as_mut_ptr());
        code
    }
}

/// Creates an account with this creation code, and gives its address in the low 160 bits; zero where that failed.
#[cfg(feature = "code")]
pub fn create(code: &[u8]) -> &'static mut Word {
    let (value, account, mut returned) = (zero(), zero(), 0);
    // SAFETY: the host reads the slice and 32 bytes, and writes 20 bytes and a length.
    unsafe {
        let address = account[12..].as_mut_ptr();
        hostio::create1(code.as_ptr(), code.len(), value.as_ptr(), address, &raw mut returned);
    }
    account
}

/// A word of zeros.
#[inline(never)]
pub fn zero() -> &'static mut Word {
    // SAFETY: 32 bytes.
    unsafe { &mut *allocate(32).cast() }
}

/// So many zeros.
#[inline(always)]
pub fn bytes(length: usize) -> &'static mut [u8] {
    // SAFETY: so many bytes.
    unsafe { slice::from_raw_parts_mut(allocate(length), length) }
}

/// So many bytes, all zero.
#[inline(never)]
fn allocate(length: usize) -> *mut u8 {
    // One more, since an allocator is not asked for nothing.
    let layout = Layout::array::<u8>(length + 1).expect("what is allocated fits the memory");
    // SAFETY: the size is not zero.
    let bytes = unsafe { alloc_zeroed(layout) };
    if bytes.is_null() {
        handle_alloc_error(layout);
    }
    bytes
}

/// Copies bytes to where there is room for them.
#[inline(never)]
pub fn copy(from: &[u8], to: &mut [u8]) {
    assert!(from.len() <= to.len());
    // SAFETY: there is room.
    unsafe { ptr::copy_nonoverlapping(from.as_ptr(), to.as_mut_ptr(), from.len()) };
}

/// Whether two words are the same.
#[inline(never)]
pub fn equal(a: &Word, b: &Word) -> bool {
    quarters(*a) == quarters(*b)
}

const fn quarters(word: Word) -> [u64; 4] {
    let (quarters, _) = word.as_chunks();
    [
        u64::from_ne_bytes(quarters[0]),
        u64::from_ne_bytes(quarters[1]),
        u64::from_ne_bytes(quarters[2]),
        u64::from_ne_bytes(quarters[3]),
    ]
}
