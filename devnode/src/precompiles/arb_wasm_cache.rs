//! `ArbWasmCache` at `0x72`: which programs are cached, and so cheaper to start.
//!
//! Only cache managers and chain owners may change that. The manager at first is the contract
//! [`CacheManager`](crate::predeploys::CACHE_MANAGER), which takes bids;
//! [`Chain::set_cached`](crate::Chain::set_cached) changes the cache without a transaction. Sources:
//! `precompiles/ArbWasmCache.go`, `SetProgramCached` in `arbos/programs/programs.go`.

use super::{Call, Failure, Purity, arb_wasm::params, solidity};
use crate::arbos::{
    self, ProgramRecord,
    address_set::{CACHE_MANAGERS, CHAIN_OWNERS},
};
use alloy::{sol, sol_types::SolCall};
use alloy_primitives::B256;
use revm::context::{Block, ContextTr};

sol! {
    /// `ArbWasmCache` as of ArbOS 31, when `cacheProgram` took the place of `cacheCodehash`.
    interface IArbWasmCache {
        /// Whether an account may change the cache.
        function isCacheManager(address manager) external view returns (bool);
        /// All accounts that may change the cache.
        function allCacheManagers() external view returns (address[] memory managers);
        /// Caches the program at an address.
        function cacheProgram(address addr) external;
        /// Evicts the programs with a code hash.
        function evictCodehash(bytes32 codehash) external;
        /// Whether programs with a code hash are cached.
        function codehashIsCached(bytes32 codehash) external view returns (bool);

        /// The cache changed.
        event UpdateProgramCache(address indexed manager, bytes32 indexed codehash, bool cached);

        /// The program was activated under another version.
        error ProgramNeedsUpgrade(uint16 version, uint16 stylusVersion);
        /// The program was activated too long ago.
        error ProgramExpired(uint64 ageInSeconds);
    }
}
use IArbWasmCache as I;

pub(crate) fn call(call: &mut Call<'_, '_>) -> Result<Vec<u8>, Failure> {
    Ok(match call.selector()? {
        I::isCacheManagerCall::SELECTOR => {
            let args = call.args::<I::isCacheManagerCall>(Purity::View)?;
            let manages = CACHE_MANAGERS.contains(call.ctx, &mut call.burner, args.manager)?;
            I::isCacheManagerCall::abi_encode_returns(&manages)
        }
        I::allCacheManagersCall::SELECTOR => {
            call.enter(Purity::View)?;
            let managers = CACHE_MANAGERS.members(call.ctx, &mut call.burner)?;
            I::allCacheManagersCall::abi_encode_returns(&managers)
        }
        I::codehashIsCachedCall::SELECTOR => {
            let args = call.args::<I::codehashIsCachedCall>(Purity::View)?;
            let record = ProgramRecord::read(call.ctx, &mut call.burner, args.codehash)?;
            I::codehashIsCachedCall::abi_encode_returns(&record.cached)
        }
        I::cacheProgramCall::SELECTOR => {
            let args = call.args::<I::cacheProgramCall>(Purity::Write)?;
            call.burner.burn(2_600)?;
            let code_hash = arbos::load(call.ctx, args.addr).info.code_hash;
            update(call, code_hash, true)?;
            Vec::new()
        }
        I::evictCodehashCall::SELECTOR => {
            let args = call.args::<I::evictCodehashCall>(Purity::Write)?;
            update(call, args.codehash, false)?;
            Vec::new()
        }
        _ => return Err(Failure::BadCall),
    })
}

/// Caches or evicts a program on behalf of a manager or an owner; others lose all their gas.
fn update(call: &mut Call<'_, '_>, code_hash: B256, cache: bool) -> Result<(), Failure> {
    let (caller, burner) = (call.caller, &mut call.burner);
    let allowed = CACHE_MANAGERS.contains(call.ctx, burner, caller)?
        || CHAIN_OWNERS.contains(call.ctx, burner, caller)?;
    if !allowed {
        return Err(burner.burn_out().into());
    }
    let params = params(call)?;
    let record = ProgramRecord::read(call.ctx, &mut call.burner, code_hash)?;
    if cache && record.version != params.version {
        return Err(solidity(I::ProgramNeedsUpgrade {
            version: record.version,
            stylusVersion: params.version,
        }));
    }
    let age = record.age(call.ctx.block().timestamp().saturating_to());
    if cache && age > arbos::expiry_seconds(&params) {
        return Err(solidity(I::ProgramExpired { ageInSeconds: age }));
    }
    if record.cached == cache {
        return Ok(());
    }
    call.emit(I::UpdateProgramCache { manager: call.caller, codehash: code_hash, cached: cache })?;
    call.burner.burn(record.init_cost.into())?;
    arbos::read_module_hash(call.ctx, &mut call.burner, code_hash)?;
    let record = ProgramRecord { cached: cache, ..record };
    Ok(record.write(call.ctx, &mut call.burner, code_hash)?)
}
