//! `ArbWasm` at `0x71`: activation of Stylus programs, and the parameters they run under.
//!
//! A program must be activated once before it can be called, and again after a year. Activation checks the WASM, fixes
//! the price of starting it, and asks a fee in wei for keeping its compiled form (`ActivateProgram` in Nitro's
//! `arbos/programs/programs.go`).

use super::{Call, Failure, Purity, solidity};
use crate::{
    arbos::{
        self, BurnedOut, Inactive, ProgramRecord,
        address_set::to_address,
        settings,
        storage::{self, Word},
        words,
    },
    data_pricer::data_fee,
    stylus::{self, StylusParams},
};
use alloy::{sol, sol_types::SolCall};
use alloy_primitives::{Address, B256, U256, keccak256};
use revm::context::{Block, ContextTr, JournalTr};

sol! {
    /// `ArbWasm`.
    interface IArbWasm {
        /// Activates the program at an address; value beyond the data fee is returned.
        function activateProgram(address program) external payable returns (uint16 version, uint256 dataFee);
        /// Stylus version of the chain.
        function stylusVersion() external view returns (uint16 version);
        /// Version that code was activated with.
        function codehashVersion(bytes32 codehash) external view returns (uint16 version);
        /// Prolongs an activation.
        function codehashKeepalive(bytes32 codehash) external payable;
        /// Estimated size of the compiled program in bytes.
        function codehashAsmSize(bytes32 codehash) external view returns (uint32 size);
        /// Version that a program was activated with.
        function programVersion(address program) external view returns (uint16 version);
        /// Gas for starting a program, not cached and cached.
        function programInitGas(address program) external view returns (uint64 gas, uint64 gasWhenCached);
        /// Pages that a program starts with.
        function programMemoryFootprint(address program) external view returns (uint16 footprint);
        /// Seconds until a program expires.
        function programTimeLeft(address program) external view returns (uint64 _secs);
        /// Ink that one gas buys.
        function inkPrice() external view returns (uint32 price);
        /// Stack limit in words.
        function maxStackDepth() external view returns (uint32 depth);
        /// Pages that a transaction has for nothing.
        function freePages() external view returns (uint16 pages);
        /// Gas for each further page.
        function pageGas() external view returns (uint16 gas);
        /// Constant behind the exponential price of pages.
        function pageRamp() external view returns (uint64 ramp);
        /// Most pages that a program may have.
        function pageLimit() external view returns (uint16 limit);
        /// Least gas for starting a program, not cached and cached.
        function minInitGas() external view returns (uint64 gas, uint64 cached);
        /// Scale of init gas in percent.
        function initCostScalar() external view returns (uint64 percent);
        /// Days until an activation expires.
        function expiryDays() external view returns (uint16 _days);
        /// Days before an activation may be prolonged.
        function keepaliveDays() external view returns (uint16 _days);
        /// Programs that a block treats as cached because they ran recently.
        function blockCacheSize() external view returns (uint16 count);

        /// Gas that each activation pays on top, as from ArbOS 60.
        function activationGas() external view returns (uint64 gas);

        /// A program was activated.
        event ProgramActivated(bytes32 indexed codehash, bytes32 moduleHash, address program, uint256 dataFee, uint16 version);
        /// An activation was prolonged.
        event ProgramLifetimeExtended(bytes32 indexed codehash, uint256 dataFee);

        /// There is no program.
        error ProgramNotWasm();
        /// It was never activated.
        error ProgramNotActivated();
        /// It was activated under another version.
        error ProgramNeedsUpgrade(uint16 version, uint16 stylusVersion);
        /// It was activated too long ago.
        error ProgramExpired(uint64 ageInSeconds);
        /// It is active already.
        error ProgramUpToDate();
        /// It is too young to be prolonged.
        error ProgramKeepaliveTooSoon(uint64 ageInSeconds);
        /// The value sent does not pay the data fee.
        error ProgramInsufficientValue(uint256 have, uint256 want);
    }
}
use IArbWasm as I;

/// Gas that every activation costs before anything else.
pub const ACTIVATION_GAS: u64 = 1_659_168;

impl From<Inactive> for Failure {
    fn from(error: Inactive) -> Self {
        match error {
            Inactive::NotActivated => solidity(I::ProgramNotActivated {}),
            Inactive::NeedsUpgrade(version, stylus) => {
                solidity(I::ProgramNeedsUpgrade { version, stylusVersion: stylus })
            }
            Inactive::Expired(age) => solidity(I::ProgramExpired { ageInSeconds: age }),
        }
    }
}

pub(crate) fn call(call: &mut Call<'_, '_>) -> Result<Vec<u8>, Failure> {
    /// A method that reads one or two parameters.
    macro_rules! parameter {
        ($call:ty, $read:expr) => {{
            call.args::<$call>(Purity::View)?;
            let read: fn(&StylusParams) -> _ = $read;
            <$call>::abi_encode_returns(&read(&params(call)?).into())
        }};
    }
    /// A method that reads an active program's record.
    macro_rules! program {
        ($call:ty, $hash:expr, $read:expr) => {{
            let args = call.args::<$call>(Purity::View)?;
            let hash: fn(&mut Call<'_, '_>, $call) -> Result<B256, Failure> = $hash;
            let code_hash = hash(call, args)?;
            let params = params(call)?;
            let record = active(call, &params, code_hash)?;
            let read: fn(ProgramRecord, &StylusParams, u64) -> _ = $read;
            let value = read(record, &params, time(call));
            <$call>::abi_encode_returns(&value.into())
        }};
    }

    const GETTERS: &[([u8; 4], u64, Word)] =
        &[(I::activationGasCall::SELECTOR, 60, words::ACTIVATION_GAS)];
    if let Some(word) = call.getter(GETTERS)? {
        return Ok(word);
    }
    Ok(match call.selector()? {
        I::activateProgramCall::SELECTOR => {
            let args = call.args::<I::activateProgramCall>(Purity::Payable)?;
            let returns = activate_program(call, args.program)?;
            I::activateProgramCall::abi_encode_returns(&returns)
        }
        I::codehashKeepaliveCall::SELECTOR => {
            let args = call.args::<I::codehashKeepaliveCall>(Purity::Payable)?;
            keepalive(call, args.codehash)?;
            Vec::new()
        }
        I::codehashVersionCall::SELECTOR => {
            program!(I::codehashVersionCall, |_, c| Ok(c.codehash), |r, _, _| r.version)
        }
        I::codehashAsmSizeCall::SELECTOR => {
            program!(I::codehashAsmSizeCall, |_, c| Ok(c.codehash), |r, _, _| r.asm_kib * 1024)
        }
        I::programVersionCall::SELECTOR => {
            program!(I::programVersionCall, |call, c| hash_of(call, c.program), |r, _, _| r.version)
        }
        I::programInitGasCall::SELECTOR => {
            program!(I::programInitGasCall, |call, c| hash_of(call, c.program), |r, params, _| {
                let cached = params.cached_init_gas(r.cached_cost);
                let included = if params.version > 1 { cached } else { 0 };
                (params.init_gas(r.init_cost) + included, cached)
            })
        }
        I::programMemoryFootprintCall::SELECTOR => program!(
            I::programMemoryFootprintCall,
            |call, c| hash_of(call, c.program),
            |r, _, _| r.footprint
        ),
        I::programTimeLeftCall::SELECTOR => program!(
            I::programTimeLeftCall,
            |call, c| hash_of(call, c.program),
            |r, params, time| arbos::expiry_seconds(params).saturating_sub(r.age(time))
        ),
        I::stylusVersionCall::SELECTOR => parameter!(I::stylusVersionCall, |p| p.version),
        I::inkPriceCall::SELECTOR => parameter!(I::inkPriceCall, |p| p.ink_price),
        I::maxStackDepthCall::SELECTOR => parameter!(I::maxStackDepthCall, |p| p.max_stack_depth),
        I::freePagesCall::SELECTOR => parameter!(I::freePagesCall, |p| p.free_pages),
        I::pageGasCall::SELECTOR => parameter!(I::pageGasCall, |p| p.page_gas),
        I::pageRampCall::SELECTOR => parameter!(I::pageRampCall, |p| p.page_ramp),
        I::pageLimitCall::SELECTOR => parameter!(I::pageLimitCall, |p| p.page_limit),
        I::minInitGasCall::SELECTOR => parameter!(I::minInitGasCall, |p| {
            (u64::from(p.min_init_gas) * 128, u64::from(p.min_cached_init_gas) * 32)
        }),
        I::initCostScalarCall::SELECTOR => {
            parameter!(I::initCostScalarCall, |p| u64::from(p.init_cost_scalar) * 2)
        }
        I::expiryDaysCall::SELECTOR => parameter!(I::expiryDaysCall, |p| p.expiry_days),
        I::keepaliveDaysCall::SELECTOR => parameter!(I::keepaliveDaysCall, |p| p.keepalive_days),
        I::blockCacheSizeCall::SELECTOR => {
            parameter!(I::blockCacheSizeCall, |p| p.block_cache_size)
        }
        _ => return Err(Failure::BadCall),
    })
}

/// The Stylus parameters as they are now, at the price of a warm read.
pub(crate) fn params(call: &mut Call<'_, '_>) -> Result<StylusParams, BurnedOut> {
    call.burner.burn(100)?;
    let word = storage::read(call.ctx, words::STYLUS_PARAMS.slot());
    Ok(settings::unpack(word, &call.ctx.chain().params))
}

fn time(call: &Call<'_, '_>) -> u64 {
    call.ctx.block().timestamp().saturating_to()
}

/// Code hash of an account, at ArbOS's price for it.
fn hash_of(call: &mut Call<'_, '_>, program: Address) -> Result<B256, Failure> {
    call.burner.burn(2_600)?;
    Ok(arbos::load(call.ctx, program).info.code_hash)
}

fn active(
    call: &mut Call<'_, '_>,
    params: &StylusParams,
    code_hash: B256,
) -> Result<ProgramRecord, Failure> {
    let record = ProgramRecord::read(call.ctx, &mut call.burner, code_hash)?;
    Ok(record.active(params, time(call))?)
}

fn activate_program(
    call: &mut Call<'_, '_>,
    program: Address,
) -> Result<I::activateProgramReturn, Failure> {
    if call.since(60).is_ok() {
        let extra = call.get(words::ACTIVATION_GAS)?;
        call.burner.burn(extra.saturating_to())?;
    }
    call.burner.burn(ACTIVATION_GAS)?;
    let account = arbos::load(call.ctx, program);
    if account.is_selfdestructed() {
        return Err(Failure::Other);
    }
    let code_hash = account.info.code_hash;
    let code = account.info.code.clone().unwrap_or_default();

    let params = params(call)?;
    let now = time(call);
    let old = ProgramRecord::read(call.ctx, &mut call.burner, code_hash)?;
    if old.active(&params, now).is_ok() {
        return Err(solidity(I::ProgramUpToDate {}));
    }
    if code.is_empty()
        || (call.since(60).is_ok() && !stylus::is_program(code.original_byte_slice()))
    {
        return Err(solidity(I::ProgramNotWasm {}));
    }
    // Below ArbOS 60 other code, and what does not decompress, is refused without a Solidity error.
    let wasm = stylus::decompress(code.original_byte_slice(), params.max_wasm_size as usize)
        .map_err(|_| Failure::Other)?;

    let page_limit = params.page_limit.saturating_sub(call.ctx.chain().pages_open);
    let refused = |error| Failure::Halt(format!("program activation failed: {error}"));
    let activation = stylus::activate(&wasm, &params, page_limit).map_err(refused)?;
    call.burner.burn(activation.gas)?;
    if old.cached {
        arbos::read_module_hash(call.ctx, &mut call.burner, code_hash)?; // the old module is evicted
    }
    let module_hash = keccak256(&wasm);
    arbos::write_module_hash(call.ctx, &mut call.burner, code_hash, module_hash)?;
    let fee = data_fee(call.ctx, &mut call.burner, activation.asm_estimate, now)?;
    let record = ProgramRecord {
        version: params.version,
        init_cost: activation.init_cost,
        cached_cost: activation.cached_init_cost,
        footprint: activation.footprint,
        activated_at: arbos::hours_since_start(now),
        asm_kib: activation.asm_estimate.div_ceil(1024),
        cached: old.cached,
    };
    record.write(call.ctx, &mut call.burner, code_hash)?;
    pay_data_fee(call, fee)?;
    call.emit(I::ProgramActivated {
        codehash: code_hash,
        moduleHash: module_hash,
        program,
        dataFee: fee,
        version: params.version,
    })?;
    Ok(I::activateProgramReturn { version: params.version, dataFee: fee })
}

fn keepalive(call: &mut Call<'_, '_>, code_hash: B256) -> Result<(), Failure> {
    let params = params(call)?;
    let now = time(call);
    let record = active(call, &params, code_hash)?;
    let age = record.age(now);
    if age < u64::from(params.keepalive_days) * 86_400 {
        return Err(solidity(I::ProgramKeepaliveTooSoon { ageInSeconds: age }));
    }
    let fee = data_fee(call.ctx, &mut call.burner, record.asm_kib * 1024, now)?;
    let record = ProgramRecord { activated_at: arbos::hours_since_start(now), ..record };
    record.write(call.ctx, &mut call.burner, code_hash)?;
    pay_data_fee(call, fee)?;
    call.emit(I::ProgramLifetimeExtended { codehash: code_hash, dataFee: fee })
}

/// Takes the fee from the value that came with the call and returns the rest to the caller.
fn pay_data_fee(call: &mut Call<'_, '_>, fee: U256) -> Result<(), Failure> {
    let Some(rest) = call.value.checked_sub(fee) else {
        return Err(solidity(I::ProgramInsufficientValue { have: call.value, want: fee }));
    };
    let network = to_address(call.get(words::NETWORK_FEE_ACCOUNT)?);
    let (from, caller) = (call.address, call.caller);
    for (to, amount) in [(network, fee), (caller, rest)] {
        let Ok(is_cold) = call.ctx.journal_mut().load_account(to).map(|account| account.is_cold);
        let Ok(refused) = call.ctx.journal_mut().transfer(from, to, amount);
        if refused.is_some() {
            return Err(Failure::Other);
        }
        if is_cold {
            arbos::make_cold(call.ctx, to);
        }
    }
    Ok(())
}
