//! The Stylus VM: WASM programs, metered in ink.
//!
//! A Stylus program is an EVM account whose code is compressed WASM. This module checks such a program
//! ([`activate()`]), compiles it ([`Program::compile`]) and runs it ([`Program::run`]) at the price, and with the
//! failures, of Nitro's Stylus runtime. It knows nothing of accounts: whatever a program asks of the chain goes
//! through the trait [`StylusHost`], which the chain implements.
//!
//! ```text
//! code (ef f0 00 …) ─ decompress ─► WASM ─ module ─► checked ─ instrument ─► metered WASM ─ wasmtime ─► Program
//!                                             │                    │
//!                                             └───── activate ─────┘  footprint, init gas, activation gas
//! ```
//!
//! **Why wasmtime, and why the meter is ours.** The engine only has to run plain integer WASM fast and safely;
//! wasmtime does, and is maintained. Its fuel is not used: Stylus charges ink per basic block at prices of its own,
//! limits the stack in words of its own, and both are visible to the program, so the meter must agree with Nitro to
//! the unit. It is therefore written into the program's bytes ([`instrument`]) before the engine sees them; the
//! engine's part in the price of anything is nil, and the rules can be read in one place ([`pricing`], [`params`]).
//!
//! | file | what it holds |
//! |---|---|
//! | [`params`] | the chain's Stylus parameters |
//! | [`pricing`] | ink prices of opcodes and hostios |
//! | [`code`] | contract code ⇄ WASM |
//! | [`module`], `validate` | parsing, and every rule a program must keep |
//! | `depth` | words of stack that a function may need |
//! | [`instrument`] | ink, stack and memory checks woven into the bytes |
//! | [`activate`](mod@activate) | what activation records and costs |
//! | `recursion` | whether functions can call each other in a circle |
//! | [`program`] | compiling and running |
//! | `env`, `hooks`, `hostio` | the functions that a program imports: their ground, their table, their work |
//! | `cache` | compiled programs that are kept |
//! | `record` | what tracers are told of a hostio |
//! | `storage` | the write-back cache of storage words |
//! | [`host`] | what the VM asks of the chain |

#[cfg(test)]
mod abuse_tests;
pub mod activate;
mod cache;
pub mod code;
mod depth;
mod env;
mod hooks;
pub mod host;
mod hostio;
pub mod instrument;
#[cfg(test)]
mod metering_tests;
pub mod module;
pub mod params;
pub mod pricing;
pub mod program;
mod record;
mod recursion;
mod storage;
#[cfg(test)]
mod tests;
mod validate;

pub use activate::{Activation, ActivationError, activate};
pub use cache::ProgramCache;
pub use code::{compress, decompress, is_program};
pub use host::{CallKind, CallResult, CreateResult, HostError, HostStatus, StylusHost};
pub use params::{PresetError, StylusParams};
pub use program::{CallContext, CompileError, Context, Outcome, Program, RunResult};
pub use record::HostioRecord;
