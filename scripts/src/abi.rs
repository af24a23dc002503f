//! Solidity interfaces: the classifiers', StylusDeployer's, CacheManager's and those of precompiles, and what their errors
//! say.
#![allow(missing_docs)] // of what `sol!` writes

use alloy::{
    primitives::{Address, hex},
    sol,
    sol_types::{Panic, Revert, SolError, SolInterface},
};

sol! {
    #![sol(extra_derives(Debug))]
    "../contracts-solidity-baseline/IClassifier.sol"
}

sol! {
    #![sol(extra_derives(Debug))]

    /// What stands at [`STYLUS_DEPLOYER`] on Arbitrum chains: creates, activates and constructs a program at once.
    interface IStylusDeployer {
        function deploy(bytes calldata bytecode, bytes calldata initData, uint256 initValue, bytes32 salt)
            external payable returns (address deployed);
        event ContractDeployed(address deployedContract);
        error EmptyBytecode();
        error ContractDeploymentError(bytes bytecode);
        error ContractInitializationError(address newContract, bytes data);
        error InitValueButNotInitData();
        error InsufficientValue(uint256 have, uint256 want);
        error RefundExcessValueError(uint256 excessValue);
    }

    /// The precompile that activates programs.
    interface IArbWasm {
        function activateProgram(address program) external payable returns (uint16 version, uint256 dataFee);
        function programInitGas(address program) external view returns (uint64 gas, uint64 gasWhenCached);
        function programMemoryFootprint(address program) external view returns (uint16 footprint);
        function freePages() external view returns (uint16 pages);
        function programVersion(address program) external view returns (uint16 version);
        function programTimeLeft(address program) external view returns (uint64 secondsLeft);
        function codehashAsmSize(bytes32 codehash) external view returns (uint32 bytesOfCode);
        function keepaliveDays() external view returns (uint16 numberOfDays);
        function codehashKeepalive(bytes32 codehash) external payable;
        event ProgramLifetimeExtended(bytes32 indexed codehash, uint256 dataFee);
        event ProgramActivated(
            bytes32 indexed codehash, bytes32 moduleHash, address program, uint256 dataFee, uint16 version
        );
        error ProgramNotWasm();
        error ProgramNotActivated();
        error ProgramNeedsUpgrade(uint16 version, uint16 stylusVersion);
        error ProgramExpired(uint64 ageInSeconds);
        error ProgramUpToDate();
        error ProgramKeepaliveTooSoon(uint64 ageInSeconds);
        error ProgramInsufficientValue(uint256 have, uint256 want);
    }

    /// The precompile that keeps the cache of programs.
    interface IArbWasmCache {
        function allCacheManagers() external view returns (address[] memory managers);
        function codehashIsCached(bytes32 codehash) external view returns (bool);
    }

    /// Takes bids for places in that cache.
    interface ICacheManager {
        function isPaused() external view returns (bool);
        function getMinBid(address program) external view returns (uint192 min);
        function placeBid(address program) external payable;
        error AsmTooLarge(uint256 asm, uint256 queueSize, uint256 cacheSize);
        error AlreadyCached(bytes32 codehash);
        error BidTooSmall(uint192 bid, uint192 min);
        error BidsArePaused();
    }

    /// The precompile that tells prices.
    interface IArbGasInfo {
        function getL1BaseFeeEstimate() external view returns (uint256 weiPerUnit);
        function getMaxTxGasLimit() external view returns (uint256 gas);
    }

    /// What an Arbitrum node answers by itself.
    interface INodeInterface {
        function gasEstimateL1Component(address to, bool contractCreation, bytes calldata data)
            external payable returns (uint64 gasEstimateForL1, uint256 baseFee, uint256 l1BaseFeeEstimate);
    }

    /// The precompile that tells about the chain.
    interface IArbSys {
        function arbOSVersion() external view returns (uint256 versionAnd55);
    }

    /// A Stylus constructor: stylus-sdk gives it the selector of the name without parameters.
    function stylus_constructor();
}

/// Address of ArbWasm.
pub const ARB_WASM: Address =
    alloy::primitives::address!("0000000000000000000000000000000000000071");

/// Address of ArbWasmCache.
pub const ARB_WASM_CACHE: Address =
    alloy::primitives::address!("0000000000000000000000000000000000000072");

/// Address of ArbGasInfo.
pub const ARB_GAS_INFO: Address =
    alloy::primitives::address!("000000000000000000000000000000000000006c");

/// Address of ArbSys.
pub const ARB_SYS: Address =
    alloy::primitives::address!("0000000000000000000000000000000000000064");

/// Address of NodeInterface.
pub const NODE_INTERFACE: Address =
    alloy::primitives::address!("00000000000000000000000000000000000000c8");

/// Address of StylusDeployer.
pub const STYLUS_DEPLOYER: Address = inkling_devnode::predeploys::STYLUS_DEPLOYER;

/// What revert data says: the name of a custom error with its arguments, a reason string, or the selector of an error
/// that is not known here; `None` where there is nothing.
pub fn decode_error(data: &[u8]) -> Option<String> {
    use IStylusDeployer::IStylusDeployerErrors as Deployer;
    if let Ok(error) = IClassifier::IClassifierErrors::abi_decode(data) {
        return Some(inner(&format!("{error:?}")));
    }
    match Deployer::abi_decode(data) {
        Ok(Deployer::ContractInitializationError(error)) => {
            let reason = decode_error(&error.data).unwrap_or_else(|| error.data.to_string());
            return Some(format!("ContractInitializationError: {reason}"));
        }
        // Its argument is the whole program.
        Ok(Deployer::ContractDeploymentError(_)) => return Some("ContractDeploymentError".into()),
        Ok(error) => return Some(inner(&format!("{error:?}"))),
        Err(_) => {}
    }
    if let Ok(error) = IArbWasm::IArbWasmErrors::abi_decode(data) {
        return Some(inner(&format!("{error:?}")));
    }
    if let Ok(error) = ICacheManager::ICacheManagerErrors::abi_decode(data) {
        return Some(inner(&format!("{error:?}")));
    }
    if let Ok(error) = Revert::abi_decode(data) {
        return Some(error.reason);
    }
    if let Ok(panic) = Panic::abi_decode(data) {
        return Some(panic.to_string());
    }
    let selector = data.get(..4).unwrap_or(data);
    (!data.is_empty()).then(|| format!("unknown error {}", hex::encode_prefixed(selector)))
}

/// `Name { field: value }` of the derived `Name(Name { field: value })`.
fn inner(debug: &str) -> String {
    let inner = debug.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(debug).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::{primitives::U256, sol_types::SolCall};

    #[test]
    fn errors_have_names() {
        let error = IClassifier::BadImageLength { got: U256::from(399), expected: U256::from(400) };
        let said = decode_error(&error.abi_encode()).unwrap();
        assert_eq!(said, "BadImageLength { got: 399, expected: 400 }");
        let frozen = IClassifier::ModelIsFrozen {}.abi_encode();
        assert_eq!(decode_error(&frozen).unwrap(), "ModelIsFrozen");
        let upgrade = IArbWasm::ProgramUpToDate {}.abi_encode();
        assert_eq!(decode_error(&upgrade).unwrap(), "ProgramUpToDate");
    }

    #[test]
    fn a_constructors_error_is_seen_through_the_deployer() {
        let error = IStylusDeployer::ContractInitializationError {
            newContract: Address::ZERO,
            data: IClassifier::ZeroOwner {}.abi_encode().into(),
        };
        let said = decode_error(&error.abi_encode()).unwrap();
        assert_eq!(said, "ContractInitializationError: ZeroOwner");
    }

    #[test]
    fn unknown_errors_are_shown_by_selector() {
        assert_eq!(decode_error(&[1, 2, 3, 4]).unwrap(), "unknown error 0x01020304");
        assert_eq!(decode_error(&Revert::from("why").abi_encode()).unwrap(), "why");
        assert_eq!(decode_error(&[]), None);
    }

    #[test]
    fn selectors() {
        assert_eq!(stylus_constructorCall::SELECTOR, hex!("5585258d"));
        assert_eq!(IArbWasm::activateProgramCall::SELECTOR, hex!("58c780c2"));
    }
}
