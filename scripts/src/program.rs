//! A Stylus program as the chain's precompiles see it: whether it runs, for how long, and what starting it costs.
//!
//! A program is known by the hash of its code, so that all contracts with the same code are activated, cached and prolonged
//! together (Nitro's `arbos/programs/programs.go`). An activation lasts 365 days; as from 31 days it can be prolonged for
//! the data fee, and after that it must be made anew. A cached program starts cheaper; places in the cache are sold by
//! CacheManager to the highest bid.

use crate::{
    abi::{ARB_WASM, ARB_WASM_CACHE, IArbWasm, IArbWasmCache, ICacheManager, decode_error},
    chain::{Connection, Error, Request},
};
use IArbWasm::IArbWasmErrors as Refusal;
use alloy::{
    primitives::{Address, B256, U256, keccak256},
    sol_types::{SolCall, SolInterface},
};
use inkling_devnode::stylus::is_program;
use serde::Serialize;

/// Seconds of a day.
pub const DAY: u64 = 86_400;

/// Whether a program can be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It can.
    Active,
    /// It was never activated.
    NotActivated,
    /// It was activated under an older version of Stylus.
    NeedsUpgrade,
    /// It was activated too long ago.
    Expired,
}

/// A program. What only an active one has is `None` where it is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Program {
    /// Hash of its code.
    pub codehash: B256,
    /// Whether it can be called.
    pub state: State,
    /// Whether it is in ArbOS's cache.
    pub cached: bool,
    /// Stylus version that it was activated with.
    pub version: Option<u16>,
    /// Seconds until it expires.
    pub seconds_left: Option<u64>,
    /// Gas for starting it while it is not cached.
    pub init_gas: Option<u64>,
    /// Gas for starting it from the cache.
    pub cached_init_gas: Option<u64>,
    /// Pages of memory, of 64 KiB, that it starts with.
    pub memory_pages: Option<u16>,
}

impl Program {
    /// Reads it; `None` where there is no Stylus program at the address.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn read(chain: &Connection, program: Address) -> Result<Option<Self>, Error> {
        let code = chain.code(program).await?;
        if !is_program(&code) {
            return Ok(None);
        }
        let codehash = keccak256(&code);
        let cached = IArbWasmCache::codehashIsCachedCall { codehash };
        let cached = chain.call(ARB_WASM_CACHE, &cached).await?;
        let none = Self {
            codehash,
            state: State::Active,
            cached,
            version: None,
            seconds_left: None,
            init_gas: None,
            cached_init_gas: None,
            memory_pages: None,
        };
        let version = match ask(chain, &IArbWasm::programVersionCall { program }).await? {
            Ok(version) => version,
            Err(Refusal::ProgramNeedsUpgrade(_)) => {
                return Ok(Some(Self { state: State::NeedsUpgrade, ..none }));
            }
            Err(Refusal::ProgramExpired(_)) => {
                return Ok(Some(Self { state: State::Expired, ..none }));
            }
            Err(_) => return Ok(Some(Self { state: State::NotActivated, ..none })),
        };
        let left = chain.call(ARB_WASM, &IArbWasm::programTimeLeftCall { program }).await?;
        let init = chain.call(ARB_WASM, &IArbWasm::programInitGasCall { program }).await?;
        let pages = IArbWasm::programMemoryFootprintCall { program };
        Ok(Some(Self {
            version: Some(version),
            seconds_left: Some(left),
            init_gas: Some(init.gas),
            cached_init_gas: Some(init.gasWhenCached),
            memory_pages: Some(chain.call(ARB_WASM, &pages).await?),
            ..none
        }))
    }

    /// Whole days until it expires.
    pub fn days_left(&self) -> Option<u64> {
        self.seconds_left.map(|seconds| seconds / DAY)
    }
}

/// What ArbWasm answers, or refuses with.
async fn ask<C: SolCall>(
    chain: &Connection,
    call: &C,
) -> Result<Result<C::Return, Refusal>, Error> {
    let request = Request::call(ARB_WASM, call);
    let answer = chain.try_call(&request).await?;
    let wrong = |bytes| Error::Answer { what: C::SIGNATURE, address: ARB_WASM, bytes };
    match answer {
        Ok(answer) => match C::abi_decode_returns_validate(&answer) {
            Ok(answer) => Ok(Ok(answer)),
            Err(_) => Err(wrong(answer.len())),
        },
        Err(data) => match Refusal::abi_decode(&data) {
            Ok(refusal) => Ok(Err(refusal)),
            Err(_) => match decode_error(&data) {
                Some(reason) => Err(Error::Reverted { what: C::SIGNATURE, reason }),
                None => Err(wrong(data.len())),
            },
        },
    }
}

/// What prolonging an activation costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keepalive {
    /// This fee in wei, now.
    Fee(U256),
    /// Not yet: it was activated so many seconds ago, and so many must have passed.
    TooSoon {
        /// Its age in seconds.
        age: u64,
        /// The least age in seconds.
        least: u64,
    },
}

/// What prolonging the activation of the programs with this code costs now. ArbWasm has no function that tells the fee:
/// it is in the refusal of a call that brings nothing.
///
/// # Errors
/// [`Error::Reverted`] where there is no active program with such code.
pub async fn keepalive(chain: &Connection, codehash: B256) -> Result<Keepalive, Error> {
    let call = IArbWasm::codehashKeepaliveCall { codehash };
    match ask(chain, &call).await? {
        Ok(_) => Ok(Keepalive::Fee(U256::ZERO)),
        Err(Refusal::ProgramInsufficientValue(said)) => Ok(Keepalive::Fee(said.want)),
        Err(Refusal::ProgramKeepaliveTooSoon(said)) => {
            let days = chain.call(ARB_WASM, &IArbWasm::keepaliveDaysCall {}).await?;
            Ok(Keepalive::TooSoon { age: said.ageInSeconds, least: u64::from(days) * DAY })
        }
        Err(refusal) => {
            let what = IArbWasm::codehashKeepaliveCall::SIGNATURE;
            let reason = decode_error(&refusal.abi_encode()).unwrap_or_default();
            Err(Error::Reverted { what, reason })
        }
    }
}

/// The transaction that prolongs an activation; of the value what is too much comes back.
pub fn keepalive_request(codehash: B256, value: U256) -> Request {
    let call = IArbWasm::codehashKeepaliveCall { codehash };
    Request { value, ..Request::call(ARB_WASM, &call) }
}

/// The contract that sells places in the cache: of several, the newest. `None` where the chain has none.
///
/// # Errors
/// [`Error`].
pub async fn cache_manager(chain: &Connection) -> Result<Option<Address>, Error> {
    let managers = chain.call(ARB_WASM_CACHE, &IArbWasmCache::allCacheManagersCall {}).await?;
    Ok(managers.last().copied())
}

/// Wei that a place in the cache costs a program at least, now; it falls as the bids of others decay.
///
/// # Errors
/// [`Error::Reverted`] where the program is larger than the cache or not active.
pub async fn least_bid(
    chain: &Connection,
    manager: Address,
    program: Address,
) -> Result<U256, Error> {
    let min = chain.call(manager, &ICacheManager::getMinBidCall { program }).await?;
    Ok(U256::from(min))
}

/// The transaction that bids.
pub fn bid_request(manager: Address, program: Address, value: U256) -> Request {
    Request { value, ..Request::call(manager, &ICacheManager::placeBidCall { program }) }
}
