//! `ArbOwner` at `0x70`: what the owners of a chain can set.
//!
//! Who does not own the chain loses all gas; owners pay nothing (`OwnerPrecompile` in `precompiles/wrapper.go`). Here are the
//! setters that take effect on this chain: owners, cache managers, fee accounts, the price of gas and of L1, the gas
//! limit, Stylus parameters. Those that steer what does not exist here (a base fee that moves, batch posters, native
//! token, transaction filters, ArbOS upgrades) are unknown methods.
//!
//! What is set is in force from the next transaction on. The base fee stays as set, where a live chain would move it
//! back to the minimum; setting the minimum sets the base fee, too, since nothing here drives it higher.

use super::{Call, Failure, Purity, arb_wasm::params};
use crate::{
    arbos::{
        Burner,
        address_set::{AddressSet, CACHE_MANAGERS, CHAIN_OWNERS},
        settings,
        storage::Word,
        words as w,
    },
    stylus::StylusParams,
};
use alloy::{
    sol,
    sol_types::{SolCall, SolEvent},
};
use alloy_primitives::{Address, FixedBytes, Log, U256};
use revm::{
    context::{ContextTr, JournalTr},
    interpreter::InstructionResult,
};

sol! {
    /// The part of `ArbOwner` that takes effect here.
    interface IArbOwner {
        /// Makes an account an owner.
        function addChainOwner(address newOwner) external;
        /// Takes ownership from an account.
        function removeChainOwner(address ownerToRemove) external;
        /// Whether an account owns the chain.
        function isChainOwner(address addr) external view returns (bool);
        /// All owners.
        function getAllChainOwners() external view returns (address[] memory);
        /// Lets an account change which programs are cached.
        function addWasmCacheManager(address manager) external;
        /// No longer lets it.
        function removeWasmCacheManager(address manager) external;
        /// Sets the base fee in wei.
        function setL2BaseFee(uint256 priceInWei) external;
        /// Sets the least base fee in wei.
        function setMinimumL2BaseFee(uint256 priceInWei) external;
        /// Sets the most gas of a transaction.
        function setMaxTxGasLimit(uint64 limit) external;
        /// Sets the wei for an L1 unit.
        function setL1PricePerUnit(uint256 pricePerUnit) external;
        /// Sets the level of brotli at which transactions are measured.
        function setBrotliCompressionLevel(uint64 level) external;
        /// Receives base fees and data fees.
        function getNetworkFeeAccount() external view returns (address);
        /// Receives the least base fee; zero for none.
        function getInfraFeeAccount() external view returns (address);
        /// Sets who receives base fees and data fees.
        function setNetworkFeeAccount(address newNetworkFeeAccount) external;
        /// Sets who receives the least base fee.
        function setInfraFeeAccount(address newInfraFeeAccount) external;
        /// Sets the ink that one gas buys.
        function setInkPrice(uint32 price) external;
        /// Sets the stack limit in words.
        function setWasmMaxStackDepth(uint32 depth) external;
        /// Sets the pages that a transaction has for nothing.
        function setWasmFreePages(uint16 pages) external;
        /// Sets the gas of each further page.
        function setWasmPageGas(uint16 gas) external;
        /// Sets the most pages that a program may start with.
        function setWasmPageLimit(uint16 limit) external;
        /// Sets the most bytes of a decompressed program.
        function setWasmMaxSize(uint32 size) external;
        /// Sets the least init gas, not cached and cached.
        function setWasmMinInitGas(uint8 gas, uint16 cached) external;
        /// Sets the scale of init gas in percent.
        function setWasmInitCostScalar(uint64 percent) external;
        /// Sets the days until an activation expires.
        function setWasmExpiryDays(uint16 _days) external;
        /// Sets the days before an activation may be prolonged.
        function setWasmKeepaliveDays(uint16 _days) external;
        /// Sets how many programs a block treats as cached because they ran in it.
        function setWasmBlockCacheSize(uint16 count) external;
        /// Sets the gas that each activation pays on top, as from ArbOS 60.
        function setWasmActivationGas(uint64 gas) external;

        /// An owner did something.
        event OwnerActs(bytes4 indexed method, address indexed owner, bytes data);
        /// An account was made an owner; as from ArbOS 60.
        event ChainOwnerAdded(address indexed owner);
        /// Ownership was taken from an account; as from ArbOS 60.
        event ChainOwnerRemoved(address indexed owner);
    }
}
use IArbOwner as I;

#[rustfmt::skip]
const GETTERS: &[([u8; 4], u64, Word)] = &[
    (I::getNetworkFeeAccountCall::SELECTOR, 0, w::NETWORK_FEE_ACCOUNT),
    (I::getInfraFeeAccountCall::SELECTOR, 5, w::INFRA_FEE_ACCOUNT),
];

/// Runs a method for an owner, at no cost, and notes what the owner did.
pub(crate) fn for_owners(
    call: &mut Call<'_, '_>,
    method: super::Method,
) -> (InstructionResult, Vec<u8>) {
    let supplied = call.burner.left();
    let owner = call
        .burner
        .burn(800)
        .and_then(|()| CHAIN_OWNERS.contains(call.ctx, &mut call.burner, call.caller));
    if !owner.unwrap_or(false) {
        let reason = "unauthorized caller to access-controlled method";
        return call.fail(Failure::Halt(reason.into()));
    }
    call.burner = Burner::new(supplied);
    let (result, output) = call.run(method);
    if !matches!(result, InstructionResult::Return | InstructionResult::Revert) {
        return (result, output);
    }
    call.burner = Burner::new(supplied);
    if result == InstructionResult::Return && !call.is_static {
        let method = FixedBytes(call.selector().unwrap_or_default());
        let acts = I::OwnerActs { method, owner: call.caller, data: call.input.clone() };
        let log = Log { address: call.address, data: acts.encode_log_data() };
        call.ctx.journal_mut().log(log);
    }
    (result, output)
}

pub(crate) fn call(call: &mut Call<'_, '_>) -> Result<Vec<u8>, Failure> {
    /// A method that sets a word.
    macro_rules! word {
        ($call:ty, $word:expr, $value:expr) => {{
            let value: fn($call) -> U256 = $value;
            let value = value(call.args::<$call>(Purity::Write)?);
            call.set($word, value)?;
            Vec::new()
        }};
    }
    /// A method that sets a Stylus parameter.
    macro_rules! stylus {
        ($call:ty, $set:expr) => {{
            let args = call.args::<$call>(Purity::Write)?;
            let mut changed = params(call)?;
            let set: fn(&mut StylusParams, $call) = $set;
            set(&mut changed, args);
            call.set(w::STYLUS_PARAMS, settings::pack(&changed))?;
            Vec::new()
        }};
    }

    if let Some(word) = call.getter(GETTERS)? {
        return Ok(word);
    }
    Ok(match call.selector()? {
        I::addChainOwnerCall::SELECTOR => {
            let owner = call.args::<I::addChainOwnerCall>(Purity::Write)?.newOwner;
            CHAIN_OWNERS.add(call.ctx, &mut call.burner, owner)?;
            if call.since(60).is_ok() {
                call.emit(I::ChainOwnerAdded { owner })?;
            }
            Vec::new()
        }
        I::removeChainOwnerCall::SELECTOR => {
            let owner = call.args::<I::removeChainOwnerCall>(Purity::Write)?.ownerToRemove;
            remove(call, CHAIN_OWNERS, owner)?;
            if call.since(60).is_ok() {
                call.emit(I::ChainOwnerRemoved { owner })?;
            }
            Vec::new()
        }
        I::isChainOwnerCall::SELECTOR => {
            let args = call.args::<I::isChainOwnerCall>(Purity::View)?;
            let owns = CHAIN_OWNERS.contains(call.ctx, &mut call.burner, args.addr)?;
            I::isChainOwnerCall::abi_encode_returns(&owns)
        }
        I::getAllChainOwnersCall::SELECTOR => {
            call.enter(Purity::View)?;
            let owners = CHAIN_OWNERS.members(call.ctx, &mut call.burner)?;
            I::getAllChainOwnersCall::abi_encode_returns(&owners)
        }
        I::addWasmCacheManagerCall::SELECTOR => {
            let args = call.args::<I::addWasmCacheManagerCall>(Purity::Write)?;
            CACHE_MANAGERS.add(call.ctx, &mut call.burner, args.manager)?;
            Vec::new()
        }
        I::removeWasmCacheManagerCall::SELECTOR => {
            let args = call.args::<I::removeWasmCacheManagerCall>(Purity::Write)?;
            remove(call, CACHE_MANAGERS, args.manager)?;
            Vec::new()
        }
        I::setL2BaseFeeCall::SELECTOR => {
            word!(I::setL2BaseFeeCall, w::BASE_FEE, |args| args.priceInWei)
        }
        I::setMinimumL2BaseFeeCall::SELECTOR => {
            let args = call.args::<I::setMinimumL2BaseFeeCall>(Purity::Write)?;
            call.set(w::MIN_BASE_FEE, args.priceInWei)?;
            call.set(w::BASE_FEE, args.priceInWei)?;
            Vec::new()
        }
        I::setMaxTxGasLimitCall::SELECTOR => {
            let limit = settings::tx_gas_limit(call.ctx.chain().params.arbos_version);
            word!(I::setMaxTxGasLimitCall, limit, |args| U256::from(args.limit))
        }
        I::setL1PricePerUnitCall::SELECTOR => {
            word!(I::setL1PricePerUnitCall, w::L1_PRICE_PER_UNIT, |args| args.pricePerUnit)
        }
        I::setBrotliCompressionLevelCall::SELECTOR => {
            let args = call.args::<I::setBrotliCompressionLevelCall>(Purity::Write)?;
            if args.level > 11 {
                return Err(Failure::Other);
            }
            call.set(w::BROTLI_LEVEL, U256::from(args.level))?;
            Vec::new()
        }
        I::setNetworkFeeAccountCall::SELECTOR => {
            word!(I::setNetworkFeeAccountCall, w::NETWORK_FEE_ACCOUNT, |args| args
                .newNetworkFeeAccount
                .into_word()
                .into())
        }
        I::setInfraFeeAccountCall::SELECTOR => {
            word!(I::setInfraFeeAccountCall, w::INFRA_FEE_ACCOUNT, |args| args
                .newInfraFeeAccount
                .into_word()
                .into())
        }
        I::setInkPriceCall::SELECTOR => {
            let args = call.args::<I::setInkPriceCall>(Purity::Write)?;
            let mut changed = params(call)?;
            if args.price == 0 || args.price > 0xff_ffff {
                return Err(Failure::Other);
            }
            changed.ink_price = args.price;
            call.set(w::STYLUS_PARAMS, settings::pack(&changed))?;
            Vec::new()
        }
        I::setWasmMaxStackDepthCall::SELECTOR => {
            stylus!(I::setWasmMaxStackDepthCall, |p, args| p.max_stack_depth = args.depth)
        }
        I::setWasmFreePagesCall::SELECTOR => {
            stylus!(I::setWasmFreePagesCall, |p, args| p.free_pages = args.pages)
        }
        I::setWasmPageGasCall::SELECTOR => {
            stylus!(I::setWasmPageGasCall, |p, args| p.page_gas = args.gas)
        }
        I::setWasmPageLimitCall::SELECTOR => {
            stylus!(I::setWasmPageLimitCall, |p, args| p.page_limit = args.limit)
        }
        I::setWasmMaxSizeCall::SELECTOR => {
            call.since(40)?;
            stylus!(I::setWasmMaxSizeCall, |p, args| p.max_wasm_size = args.size)
        }
        I::setWasmMinInitGasCall::SELECTOR => stylus!(I::setWasmMinInitGasCall, |p, args| {
            p.min_init_gas = args.gas.div_ceil(128);
            p.min_cached_init_gas = u8::try_from(args.cached.div_ceil(32)).unwrap_or(u8::MAX);
        }),
        I::setWasmInitCostScalarCall::SELECTOR => {
            stylus!(I::setWasmInitCostScalarCall, |p, args| {
                p.init_cost_scalar = u8::try_from(args.percent.div_ceil(2)).unwrap_or(u8::MAX);
            })
        }
        I::setWasmExpiryDaysCall::SELECTOR => {
            stylus!(I::setWasmExpiryDaysCall, |p, args| p.expiry_days = args._days)
        }
        I::setWasmKeepaliveDaysCall::SELECTOR => {
            stylus!(I::setWasmKeepaliveDaysCall, |p, args| p.keepalive_days = args._days)
        }
        I::setWasmBlockCacheSizeCall::SELECTOR => {
            stylus!(I::setWasmBlockCacheSizeCall, |p, args| p.block_cache_size = args.count)
        }
        I::setWasmActivationGasCall::SELECTOR => {
            call.since(60)?;
            word!(I::setWasmActivationGasCall, w::ACTIVATION_GAS, |args| U256::from(args.gas))
        }
        _ => return Err(Failure::BadCall),
    })
}

/// Removes a member, which must be one.
fn remove(call: &mut Call<'_, '_>, set: AddressSet, member: Address) -> Result<(), Failure> {
    if !set.contains(call.ctx, &mut call.burner, member)? {
        return Err(Failure::Other);
    }
    Ok(set.remove(call.ctx, &mut call.burner, member)?)
}
