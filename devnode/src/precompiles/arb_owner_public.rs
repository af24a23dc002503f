//! `ArbOwnerPublic` at `0x6b`: who owns the chain, and what owners have set (`precompiles/ArbOwnerPublic.go`).

use super::{Call, Failure, Purity};
use crate::arbos::{
    address_set::{CHAIN_OWNERS, NATIVE_TOKEN_OWNERS},
    storage::Word,
    words as w,
};
use alloy::{sol, sol_types::SolCall};
use alloy_primitives::U256;
use revm::context::ContextTr;

sol! {
    /// `ArbOwnerPublic`.
    interface IArbOwnerPublic {
        /// Whether an account owns the chain.
        function isChainOwner(address addr) external view returns (bool);
        /// Mends the list of owners; it is never broken here, so this reverts.
        function rectifyChainOwner(address ownerToRectify) external;
        /// All owners of the chain.
        function getAllChainOwners() external view returns (address[] memory);
        /// Since when the native token is managed; 0 for not.
        function getNativeTokenManagementFrom() external view returns (uint64);
        /// Whether an account may mint the native token.
        function isNativeTokenOwner(address addr) external view returns (bool);
        /// All that may.
        function getAllNativeTokenOwners() external view returns (address[] memory);
        /// Receives base fees and data fees.
        function getNetworkFeeAccount() external view returns (address);
        /// Receives the least base fee; zero for none.
        function getInfraFeeAccount() external view returns (address);
        /// Level of brotli at which transactions are measured.
        function getBrotliCompressionLevel() external view returns (uint64);
        /// L1's floor of calldata's price, in gas a token.
        function getParentGasFloorPerToken() external view returns (uint64);
        /// ArbOS version to come, and when; zeros for none.
        function getScheduledUpgrade() external view returns (uint64 arbosVersion, uint64 scheduledForTimestamp);
        /// Whether EIP-7623 is in force.
        function isCalldataPriceIncreaseEnabled() external view returns (bool);
        /// Most fragments of a program; none here.
        function getMaxStylusContractFragments() external view returns (uint8);
    }
}
use IArbOwnerPublic as I;

#[rustfmt::skip]
const GETTERS: &[([u8; 4], u64, Word)] = &[
    (I::getNetworkFeeAccountCall::SELECTOR, 0, w::NETWORK_FEE_ACCOUNT),
    (I::getInfraFeeAccountCall::SELECTOR, 5, w::INFRA_FEE_ACCOUNT),
    (I::getBrotliCompressionLevelCall::SELECTOR, 20, w::BROTLI_LEVEL),
    (I::getParentGasFloorPerTokenCall::SELECTOR, 50, w::L1_GAS_FLOOR_PER_TOKEN),
    (I::getNativeTokenManagementFromCall::SELECTOR, 50, w::NATIVE_TOKEN_FROM),
];

pub(crate) fn call(call: &mut Call<'_, '_>) -> Result<Vec<u8>, Failure> {
    if let Some(word) = call.getter(GETTERS)? {
        return Ok(word);
    }
    Ok(match call.selector()? {
        I::isChainOwnerCall::SELECTOR => {
            let args = call.args::<I::isChainOwnerCall>(Purity::View)?;
            let owns = CHAIN_OWNERS.contains(call.ctx, &mut call.burner, args.addr)?;
            I::isChainOwnerCall::abi_encode_returns(&owns)
        }
        I::rectifyChainOwnerCall::SELECTOR => {
            let args = call.args::<I::rectifyChainOwnerCall>(Purity::Write)?;
            if CHAIN_OWNERS.contains(call.ctx, &mut call.burner, args.ownerToRectify)? {
                call.burner.burn(3 * 800)?; // reads its position, who is there, and the size
            }
            return Err(Failure::Other);
        }
        I::getAllChainOwnersCall::SELECTOR => {
            call.enter(Purity::View)?;
            let owners = CHAIN_OWNERS.members(call.ctx, &mut call.burner)?;
            I::getAllChainOwnersCall::abi_encode_returns(&owners)
        }
        I::isNativeTokenOwnerCall::SELECTOR => {
            call.since(41)?;
            let args = call.args::<I::isNativeTokenOwnerCall>(Purity::View)?;
            let owns = NATIVE_TOKEN_OWNERS.contains(call.ctx, &mut call.burner, args.addr)?;
            I::isNativeTokenOwnerCall::abi_encode_returns(&owns)
        }
        I::getAllNativeTokenOwnersCall::SELECTOR => {
            call.since(41)?;
            call.enter(Purity::View)?;
            let owners = NATIVE_TOKEN_OWNERS.members(call.ctx, &mut call.burner)?;
            I::getAllNativeTokenOwnersCall::abi_encode_returns(&owners)
        }
        I::getScheduledUpgradeCall::SELECTOR => {
            call.enter(Purity::View)?;
            let version: u64 = call.get(w::UPGRADE_VERSION)?.saturating_to();
            let time: u64 = call.get(w::UPGRADE_TIME)?.saturating_to();
            let (version, time) = match version > call.ctx.chain().params.arbos_version {
                true => (version, time),
                false => (0, 0),
            };
            [version, time].map(|n| U256::from(n).to_be_bytes::<32>()).concat()
        }
        I::isCalldataPriceIncreaseEnabledCall::SELECTOR => {
            call.since(40)?;
            call.enter(Purity::View)?;
            call.burner.burn(800)?; // reads the features
            I::isCalldataPriceIncreaseEnabledCall::abi_encode_returns(&false)
        }
        I::getMaxStylusContractFragmentsCall::SELECTOR => {
            call.since(60)?;
            call.enter(Purity::View)?;
            call.burner.burn(100)?; // reads the Stylus parameters
            I::getMaxStylusContractFragmentsCall::abi_encode_returns(&0)
        }
        _ => return Err(Failure::BadCall),
    })
}
