//! What a hostio was given and what it gave, for tracers.
//!
//! A record holds the bytes that Nitro's tracer shows for the hostio (`crates/wasm-libraries/user-host-trait/lib.rs`):
//! what its pointers led to rather than the pointers, numbers big-endian, one after the other. Which those are is
//! said by the table in [`layout`], so that the hostios themselves need not know that they are watched.

use super::env::Hostio;
use alloy_primitives::Bytes;

/// A hostio that a program called and that did not end it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostioRecord {
    /// Its name, or `user_entrypoint` and `user_returned` for the program's begin and end.
    pub name: &'static str,
    /// What it was given.
    pub args: Bytes,
    /// What it gave.
    pub outs: Bytes,
    /// Ink before it, its price included.
    pub start_ink: u64,
    /// Ink after it.
    pub end_ink: u64,
}

/// One part of a record.
#[derive(Clone, Copy)]
enum Part {
    /// So many bytes of memory at a parameter.
    Memory(usize, u32),
    /// Bytes of memory at a parameter, as many as another parameter says.
    Slice(usize, usize),
    /// Bytes of memory at a parameter, as many as the result says.
    Returned(usize),
    /// A number of 32 bits in memory at a parameter.
    Number(usize),
    /// A parameter as one bit, or of 16, 32 or 64 bits.
    Flag(usize),
    U16(usize),
    U32(usize),
    U64(usize),
    /// The result, of 8, 32 or 64 bits.
    Result8,
    Result32,
    Result64,
    /// The calldata.
    Calldata,
}

use Part::*;

/// What goes in and what comes out of a hostio.
#[rustfmt::skip] // one hostio a line
fn layout(name: &str) -> (&'static [Part], &'static [Part]) {
    match name {
        "read_args" => (&[], &[Calldata]),
        "write_result" => (&[Slice(0, 1)], &[]),
        "exit_early" => (&[U32(0)], &[]),
        "storage_load_bytes32" | "transient_load_bytes32" => (&[Memory(0, 32)], &[Memory(1, 32)]),
        "storage_cache_bytes32" | "transient_store_bytes32" => (&[Memory(0, 32), Memory(1, 32)], &[]),
        "storage_flush_cache" => (&[Flag(0)], &[]),
        "call_contract" => (&[Memory(0, 20), U64(4), Memory(3, 32), Slice(1, 2)], &[Number(5), Result8]),
        "delegate_call_contract" | "static_call_contract" => (&[Memory(0, 20), U64(3), Slice(1, 2)], &[Number(4), Result8]),
        "create1" => (&[Memory(2, 32), Slice(0, 1)], &[Memory(3, 20), Number(4)]),
        "create2" => (&[Memory(2, 32), Memory(3, 32), Slice(0, 1)], &[Memory(4, 20), Number(5)]),
        "read_return_data" => (&[U32(1), U32(2)], &[Returned(0)]),
        "emit_log" => (&[U32(2), Slice(0, 1)], &[]),
        "account_balance" | "account_codehash" => (&[Memory(0, 20)], &[Memory(1, 32)]),
        "account_code" => (&[Memory(0, 20), U32(1), U32(2)], &[Returned(3)]),
        "account_code_size" => (&[Memory(0, 20)], &[Result32]),
        "block_coinbase" | "contract_address" | "msg_sender" | "tx_origin" => (&[], &[Memory(0, 20)]),
        "block_basefee" | "msg_value" | "tx_gas_price" => (&[], &[Memory(0, 32)]),
        "block_gas_limit" | "block_number" | "block_timestamp" | "chainid" | "evm_gas_left" | "evm_ink_left" => (&[], &[Result64]),
        "msg_reentrant" | "return_data_size" | "tx_ink_price" => (&[], &[Result32]),
        "math_div" | "math_mod" | "math_pow" => (&[Memory(0, 32), Memory(1, 32)], &[Memory(0, 32)]),
        "math_add_mod" | "math_mul_mod" => (&[Memory(0, 32), Memory(1, 32), Memory(2, 32)], &[Memory(0, 32)]),
        "native_keccak256" => (&[Slice(0, 1)], &[Memory(2, 32)]),
        "pay_for_memory_grow" => (&[U16(0)], &[]),
        _ => (&[], &[]),
    }
}

/// A hostio as it begins: its name, its parameters, and the ink before it.
pub(super) struct Begun<'p> {
    record: HostioRecord,
    params: &'p [u64],
}

impl Hostio<'_> {
    /// Notes what a hostio is given, where the run is watched. `price` is what it has paid already.
    pub(super) fn begin<'p>(
        &mut self,
        name: &'static str,
        price: u64,
        params: &'p [u64],
    ) -> Option<Begun<'p>> {
        if !self.env().traced {
            return None;
        }
        let args = self.parts(layout(name).0, params, 0);
        let start_ink = self.ink().saturating_add(price);
        let record = HostioRecord { name, args, outs: Bytes::new(), start_ink, end_ink: 0 };
        Some(Begun { record, params })
    }

    /// Notes what a hostio gave, with its result as a number, and hands the record to the chain.
    pub(super) fn end(&mut self, begun: Option<Begun<'_>>, result: u64) {
        if let Some(Begun { mut record, params }) = begun {
            record.outs = self.parts(layout(record.name).1, params, result);
            record.end_ink = self.ink();
            self.env().host().record(record);
        }
    }

    fn parts(&mut self, parts: &[Part], params: &[u64], result: u64) -> Bytes {
        let param = |index: usize| params.get(index).copied().unwrap_or_default();
        let mut bytes = Vec::new();
        for &part in parts {
            match part {
                Memory(start, len) => bytes.extend(self.peek(param(start), len)),
                Slice(start, len) => bytes.extend(self.peek(param(start), param(len) as u32)),
                Returned(start) => bytes.extend(self.peek(param(start), result as u32)),
                Number(start) => bytes.extend(self.peek(param(start), 4).iter().rev()),
                Flag(index) => bytes.push((param(index) != 0).into()),
                U16(index) => bytes.extend((param(index) as u16).to_be_bytes()),
                U32(index) => bytes.extend((param(index) as u32).to_be_bytes()),
                U64(index) => bytes.extend(param(index).to_be_bytes()),
                Result8 => bytes.push(result as u8),
                Result32 => bytes.extend((result as u32).to_be_bytes()),
                Result64 => bytes.extend(result.to_be_bytes()),
                Calldata => bytes.extend(&self.env().args),
            }
        }
        bytes.into()
    }

    /// A pointer that leads out of memory gives nothing: the hostio fails on it, and then is not recorded.
    fn peek(&self, start: u64, len: u32) -> &[u8] {
        self.read(start as u32, len).unwrap_or_default()
    }
}

/// The result of a hostio as a number.
pub(super) trait Word: Copy {
    fn word(self) -> u64;
}

impl Word for () {
    fn word(self) -> u64 {
        0
    }
}

impl Word for u32 {
    fn word(self) -> u64 {
        self.into()
    }
}

impl Word for u64 {
    fn word(self) -> u64 {
        self
    }
}
