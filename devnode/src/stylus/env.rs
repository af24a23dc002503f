//! What a running program is to the host: its call, its meters and memory, and the chain behind it.
//!
//! A hostio begins with [`Hostio::start`], which takes its base price, and then works with the program's ink, gas and
//! memory through the methods here. A failure of any kind ends the program ([`Escape`]).

use alloy_primitives::{Address, B256, Bytes, U256};
use wasmtime::{Caller, Global, Memory, StoreLimits, StoreLimitsBuilder, Val};

use super::host::StylusHost;
use super::pricing;
use super::program::Context;
use super::storage::StorageCache;

/// Most bytes of memory that a program can have: 128 pages, which already cost more than a transaction may.
const MAX_MEMORY: usize = 128 << 16;

/// Why a hostio ended the program.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Escape {
    /// The ink left does not pay.
    #[error("out of ink")]
    OutOfInk,
    /// A pointer leads out of the program's memory.
    #[error("memory access out of bounds")]
    Memory,
    /// The request breaks a rule or was refused.
    #[error("{0}")]
    Refused(String),
    /// `exit_early`.
    #[error("exit with status {0}")]
    Exit(u32),
}

/// What one running program is to its hostios.
pub(super) struct Env {
    /// The chain. See [`Env::new`] for why this is a pointer and when it is valid.
    host: *mut dyn StylusHost,
    ctx: Context,
    /// Calldata.
    pub(super) args: Vec<u8>,
    /// The result written last.
    pub(super) outs: Vec<u8>,
    handles: Option<Handles>,
    /// Bounds memory, should the chain ever price growth below the sky.
    pub(super) limits: StoreLimits,
    pub(super) cache: StorageCache,
    /// What the last call or creation returned.
    pub(super) return_data: Bytes,
    /// The account whose code was read last, and the code.
    pub(super) last_code: Option<(Address, Bytes)>,
    /// Whether the chain wants a record of each hostio.
    pub(super) traced: bool,
}

/// The program's exports that the host uses.
#[derive(Clone, Copy)]
pub(super) struct Handles {
    pub(super) memory: Memory,
    pub(super) ink: Global,
    pub(super) status: Global,
    pub(super) stack: Global,
}

impl Env {
    /// An environment for one run. Wasmtime wants store data that outlives every borrow, so the host is held by
    /// pointer.
    ///
    /// # Safety
    ///
    /// `host` must stay valid and be used through nothing else until this value is dropped.
    pub(super) unsafe fn new(host: &mut dyn StylusHost, ctx: Context, args: &[u8]) -> Self {
        let traced = host.is_traced();
        let host: *mut (dyn StylusHost + '_) = host;
        // SAFETY: only the lifetime changes; the caller keeps the referent alive for as long as `self`
        let host: *mut (dyn StylusHost + 'static) = unsafe { std::mem::transmute(host) };
        Self {
            host,
            ctx,
            args: args.to_vec(),
            outs: vec![],
            handles: None,
            limits: StoreLimitsBuilder::new().memory_size(MAX_MEMORY).build(),
            cache: StorageCache::default(),
            return_data: Bytes::new(),
            last_code: None,
            traced,
        }
    }

    pub(super) fn set_handles(&mut self, handles: Handles) {
        self.handles = Some(handles);
    }

    pub(super) fn host(&mut self) -> &mut dyn StylusHost {
        // SAFETY: see `Env::new`; the borrow of `self` keeps this one the only one
        unsafe { &mut *self.host }
    }
}

/// A hostio in progress.
pub(super) struct Hostio<'a> {
    caller: Caller<'a, Env>,
    handles: Handles,
}

/// What a hostio gives.
pub(super) type Done<T = ()> = Result<T, Escape>;

impl<'a> Hostio<'a> {
    /// Begins a hostio and takes its base price.
    pub(super) fn start(caller: Caller<'a, Env>, ink: u64) -> Done<Self> {
        let handles = caller
            .data()
            .handles
            .ok_or_else(|| Escape::Refused("called before the program began".into()))?;
        let mut this = Self { caller, handles };
        this.buy_ink(ink)?;
        Ok(this)
    }

    pub(super) fn env(&mut self) -> &mut Env {
        self.caller.data_mut()
    }

    pub(super) fn ctx(&self) -> &Context {
        &self.caller.data().ctx
    }

    pub(super) fn ink(&mut self) -> u64 {
        self.handles.ink.get(&mut self.caller).i64().unwrap_or(0) as u64
    }

    fn set_ink(&mut self, ink: u64) -> Done {
        let set = self.handles.ink.set(&mut self.caller, Val::I64(ink as i64));
        set.map_err(|error| Escape::Refused(error.to_string()))
    }

    fn require_ink(&mut self, ink: u64) -> Done<u64> {
        let left = self.ink();
        left.checked_sub(ink).ok_or(Escape::OutOfInk)
    }

    pub(super) fn buy_ink(&mut self, ink: u64) -> Done {
        let left = self.require_ink(ink)?;
        self.set_ink(left)
    }

    fn to_ink(&self, gas: u64) -> u64 {
        gas.saturating_mul(self.ctx().ink_price.into())
    }

    pub(super) fn to_gas(&self, ink: u64) -> u64 {
        ink / u64::from(self.ctx().ink_price.max(1))
    }

    pub(super) fn gas_left(&mut self) -> u64 {
        let ink = self.ink();
        self.to_gas(ink)
    }

    pub(super) fn require_gas(&mut self, gas: u64) -> Done {
        self.require_ink(self.to_ink(gas)).map(|_| ())
    }

    pub(super) fn buy_gas(&mut self, gas: u64) -> Done {
        self.buy_ink(self.to_ink(gas))
    }

    pub(super) fn read(&self, ptr: u32, len: u32) -> Done<&[u8]> {
        let start = ptr as usize;
        let end = start.checked_add(len as usize).ok_or(Escape::Memory)?;
        self.handles.memory.data(&self.caller).get(start..end).ok_or(Escape::Memory)
    }

    pub(super) fn read_b256(&self, ptr: u32) -> Done<B256> {
        Ok(B256::from_slice(self.read(ptr, 32)?))
    }

    pub(super) fn read_u256(&self, ptr: u32) -> Done<U256> {
        Ok(self.read_b256(ptr)?.into())
    }

    pub(super) fn read_address(&self, ptr: u32) -> Done<Address> {
        Ok(Address::from_slice(self.read(ptr, 20)?))
    }

    pub(super) fn write(&mut self, ptr: u32, bytes: &[u8]) -> Done {
        let start = ptr as usize;
        let end = start.checked_add(bytes.len()).ok_or(Escape::Memory)?;
        let memory = self.handles.memory.data_mut(&mut self.caller);
        memory.get_mut(start..end).ok_or(Escape::Memory)?.copy_from_slice(bytes);
        Ok(())
    }

    pub(super) fn write_u256(&mut self, ptr: u32, value: U256) -> Done {
        self.write(ptr, &value.to_be_bytes::<32>())
    }

    /// Pays for bytes that go to the chain: out of the program, and into the chain.
    pub(super) fn pay_for_sending(&mut self, len: u32) -> Done {
        self.buy_ink(pricing::read(len))?;
        self.buy_ink(pricing::read(len))
    }
}
