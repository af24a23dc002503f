//! `ArbWasmCache` at `0x72`: which programs are cached, and so cheaper to start.
//!
//! Only cache managers may change that. On a live chain the manager is a contract that takes bids; here it is the
//! chain's development account, and [`Chain::set_cached`](crate::Chain::set_cached) does the same without a transaction.

use super::{Call, Failure, Purity, solidity};
use crate::arbos::{self, BurnedOut, Burner, DEV_ACCOUNT, ProgramRecord};
use alloy::{sol, sol_types::SolCall};
use alloy_primitives::B256;
use revm::context::{Block, ContextTr};

sol! {
    /// `ArbWasmCache`.
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
            call.burner.burn(800)?;
            I::isCacheManagerCall::abi_encode_returns(&(args.manager == DEV_ACCOUNT))
        }
        I::allCacheManagersCall::SELECTOR => {
            call.args::<I::allCacheManagersCall>(Purity::View)?;
            call.burner.burn(2 * 800)?; // their number, and each of them
            I::allCacheManagersCall::abi_encode_returns(&vec![DEV_ACCOUNT])
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

/// Caches or evicts a program on behalf of a manager (`SetProgramCached` in `arbos/programs/programs.go`).
fn update(call: &mut Call<'_, '_>, code_hash: B256, cache: bool) -> Result<(), Failure> {
    call.burner.burn(800)?; // is the caller a manager? Others lose all their gas.
    if call.caller != DEV_ACCOUNT {
        return Err(call.burner.burn_out().into());
    }
    call.burner.burn(100)?;
    let params = call.ctx.chain().params.clone();
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
    set_cached(call, code_hash, record, cache)?;
    Ok(())
}

fn set_cached(
    call: &mut Call<'_, '_>,
    code_hash: B256,
    record: ProgramRecord,
    cached: bool,
) -> Result<(), BurnedOut> {
    let burner: &mut Burner = &mut call.burner;
    arbos::read_module_hash(call.ctx, burner, code_hash)?;
    ProgramRecord { cached, ..record }.write(call.ctx, burner, code_hash)
}
