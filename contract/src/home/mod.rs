//! Where the words of the model lie.
//!
//! Each home has the same functions: `open` for inference, and for the life cycle `limit`, `clear`, `upload`, `missing`,
//! `chunk_hashes` and `finalize`. `baked` has no life cycle.

#[cfg(feature = "baked")]
mod baked;
#[cfg(all(feature = "code", not(feature = "baked")))]
mod code;
#[cfg(not(any(feature = "code", feature = "baked")))]
mod storage;

#[cfg(feature = "baked")]
pub use baked::*;
#[cfg(all(feature = "code", not(feature = "baked")))]
pub use code::*;
#[cfg(not(any(feature = "code", feature = "baked")))]
pub use storage::*;
