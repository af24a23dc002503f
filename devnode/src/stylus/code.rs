//! Contract code of a program: `ef f0 00`, a dictionary byte, and the brotli-compressed WASM.
//!
//! Byte `ef` is what EIP-3541 keeps out of ordinary deployments, so no EVM contract can be mistaken for a program.
//! The dictionary byte names the brotli dictionary: 0 is none, and what `cargo stylus` uses; 1 is a file of common Stylus
//! code that comes with Nitro under Nitro's licence, so such programs are refused here. So are programs in fragments, which
//! ArbOS 60 adds: a root `ef f0 02` that lists accounts of fragments `ef f0 01`. Source: `arbos/programs/programs.go` and `core/state/statedb_arbitrum.go` in Nitro's geth.

use brotli::enc::BrotliEncoderParams;
use std::io::Read;

/// First bytes of a program's code.
pub const PREFIX: [u8; 3] = [0xef, 0xf0, 0x00];

/// Low bits of the first byte of a stream of the "large window" extension; RFC 7932 (9.1) gives them no meaning.
const LARGE_WINDOW: u8 = 0x11;

/// Why code could not be turned into WASM.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// The code does not begin with [`PREFIX`] and a dictionary byte.
    #[error("the code is not a Stylus program")]
    NotProgram,
    /// Compressed with a dictionary other than none.
    #[error("compression dictionary {0} is not supported")]
    Dictionary(u8),
    /// A fragment of a program, or the root of one in fragments.
    #[error("programs in fragments are not supported")]
    Fragments,
    /// Not a brotli stream.
    #[error("the code is not valid brotli")]
    Brotli,
    /// More WASM than the chain allows.
    #[error("the program is larger than {0} bytes")]
    TooLarge(usize),
}

/// Whether `code` is that of a Stylus program.
pub fn is_program(code: &[u8]) -> bool {
    code.len() > PREFIX.len() && code.starts_with(&PREFIX)
}

/// The WASM in a contract's code, which may be at most `max` bytes.
///
/// No more than that is ever allocated, beside the decoder's window of at most 16 MiB: streams of brotli's "large
/// window" extension, with windows of up to 1 GiB, are refused, as by the C decoder that Nitro uses.
pub fn decompress(code: &[u8], max: usize) -> Result<Vec<u8>, CodeError> {
    if let [0xef, 0xf0, 1 | 2, _, ..] = code {
        return Err(CodeError::Fragments);
    }
    if !is_program(code) {
        return Err(CodeError::NotProgram);
    }
    let (dictionary, stream) = (code[3], &code[4..]);
    if dictionary != 0 {
        return Err(CodeError::Dictionary(dictionary));
    }
    if stream.first().is_some_and(|header| header & 0x7f == LARGE_WINDOW) {
        return Err(CodeError::Brotli);
    }
    let mut wasm = Vec::new();
    brotli::Decompressor::new(stream, 4096)
        .take(max as u64 + 1)
        .read_to_end(&mut wasm)
        .map_err(|_| CodeError::Brotli)?;
    if wasm.len() > max {
        return Err(CodeError::TooLarge(max));
    }
    Ok(wasm)
}

/// Contract code for `wasm`, compressed as `cargo stylus` does it: best quality, a window of 4 MiB.
pub fn compress(wasm: &[u8]) -> Vec<u8> {
    let params =
        BrotliEncoderParams { quality: 11, lgwin: 22, size_hint: wasm.len(), ..Default::default() };
    let mut code = PREFIX.to_vec();
    code.push(0);
    brotli::BrotliCompress(&mut &wasm[..], &mut code, &params)
        .expect("reading from and writing to memory does not fail");
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        let wasm: Vec<u8> = (0..5000u32).map(|i| ((i * i) >> 3) as u8).collect();
        let code = compress(&wasm);
        assert_eq!(code[..4], [0xef, 0xf0, 0, 0]);
        assert_eq!(decompress(&code, 5000).unwrap(), wasm);
        assert_eq!(decompress(&code, 4999), Err(CodeError::TooLarge(4999)));
    }

    #[test]
    fn refuses_what_is_not_a_program() {
        assert_eq!(decompress(&[], 10), Err(CodeError::NotProgram));
        assert_eq!(decompress(&[0xef, 0xf0, 0], 10), Err(CodeError::NotProgram));
        assert_eq!(decompress(&[0x60, 0x80, 0x60, 0x40], 10), Err(CodeError::NotProgram));
        assert_eq!(decompress(&[0xef, 0xf0, 0, 1, 0], 10), Err(CodeError::Dictionary(1)));
        assert_eq!(decompress(&[0xef, 0xf0, 2, 0, 0], 10), Err(CodeError::Fragments));
        assert_eq!(decompress(&[0xef, 0xf0, 0, 0, 0xff, 0xff], 10), Err(CodeError::Brotli));
    }

    #[test]
    fn refuses_a_large_window() {
        let params = BrotliEncoderParams { large_window: true, lgwin: 26, ..Default::default() };
        let mut code = vec![0xef, 0xf0, 0, 0];
        brotli::BrotliCompress(&mut &[7; 1000][..], &mut code, &params).unwrap();
        assert_eq!(code[4] & 0x7f, LARGE_WINDOW);
        assert_eq!(decompress(&code, 2000), Err(CodeError::Brotli));
    }

    #[test]
    fn refuses_a_truncated_stream() {
        let mut code = compress(&[7; 1000]);
        code.truncate(code.len() - 2);
        assert_eq!(decompress(&code, 2000), Err(CodeError::Brotli));
    }
}
