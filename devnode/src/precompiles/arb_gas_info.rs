//! `ArbGasInfo` at `0x6c`: prices, and what they are computed from.
//!
//! All of it is ArbOS state, so what `ArbOwner` sets is what is told here. Nothing that a live chain adjusts by itself
//! moves: no base fee, no L1 price, no backlog. Source: `precompiles/ArbGasInfo.go`.

use super::{Call, Failure, Purity};
use crate::arbos::{
    storage::{self, Word},
    words as w,
};
use alloy::{sol, sol_types::SolCall};
use alloy_primitives::U256;
use revm::context::{Block, ContextTr};

sol! {
    /// `ArbGasInfo`, without the prices of more than one dimension of ArbOS 60.
    interface IArbGasInfo {
        /// Wei for a simple transaction on L1, a byte of L1 calldata, an L2 storage slot, and for a gas: base, congestion, sum.
        function getPricesInWei() external view returns (uint256, uint256, uint256, uint256, uint256, uint256);
        /// The same, whatever the aggregator.
        function getPricesInWeiWithAggregator(address aggregator) external view returns (uint256, uint256, uint256, uint256, uint256, uint256);
        /// Gas for a simple transaction on L1, a byte of L1 calldata, an L2 storage slot.
        function getPricesInArbGas() external view returns (uint256, uint256, uint256);
        /// The same, whatever the aggregator.
        function getPricesInArbGasWithAggregator(address aggregator) external view returns (uint256, uint256, uint256);
        /// Speed limit in gas a second, and twice the gas limit of a block.
        function getGasAccountingParams() external view returns (uint256, uint256, uint256);
        /// Most gas of a transaction.
        function getMaxTxGasLimit() external view returns (uint256);
        /// Most gas of a block.
        function getMaxBlockGasLimit() external view returns (uint64);
        /// The least base fee in wei.
        function getMinimumGasPrice() external view returns (uint256);
        /// Wei for an L1 unit.
        function getL1BaseFeeEstimate() external view returns (uint256);
        /// How slowly that price moves.
        function getL1BaseFeeEstimateInertia() external view returns (uint64);
        /// Wei a unit that a batch poster earns.
        function getL1RewardRate() external view returns (uint64);
        /// Who gets that.
        function getL1RewardRecipient() external view returns (address);
        /// Old name of [`getL1BaseFeeEstimateCall`](IArbGasInfo::getL1BaseFeeEstimateCall).
        function getL1GasPriceEstimate() external view returns (uint256);
        /// Wei that the current transaction pays for L1.
        function getCurrentTxL1GasFees() external view returns (uint256);
        /// Gas that waits under congestion pricing.
        function getGasBacklog() external view returns (uint64);
        /// How slowly the base fee follows the backlog.
        function getPricingInertia() external view returns (uint64);
        /// Seconds of backlog that do not move the base fee.
        function getGasBacklogTolerance() external view returns (uint64);
        /// Wei in the L1 pool beyond what is due.
        function getL1PricingSurplus() external view returns (int256);
        /// L1 gas that a batch costs beside its data.
        function getPerBatchGasCharge() external view returns (int64);
        /// Cap of amortized costs in basis points; 0 for none.
        function getAmortizedCostCapBips() external view returns (uint64);
        /// Wei in the L1 pool.
        function getL1FeesAvailable() external view returns (uint256);
        /// Units that L1 pricing aims to settle within.
        function getL1PricingEquilibrationUnits() external view returns (uint256);
        /// When a batch was last reported.
        function getLastL1PricingUpdateTime() external view returns (uint64);
        /// Wei due for rewards.
        function getL1PricingFundsDueForRewards() external view returns (uint256);
        /// Units charged since the last report.
        function getL1PricingUnitsSinceUpdate() external view returns (uint64);
        /// The surplus at the last report.
        function getLastL1PricingSurplus() external view returns (int256);
        /// Constraints of the base fee; there are none.
        function getGasPricingConstraints() external view returns (uint64[3][] memory constraints);
    }
}
use IArbGasInfo as I;

#[rustfmt::skip]
const GETTERS: &[([u8; 4], u64, Word)] = &[
    (I::getMaxTxGasLimitCall::SELECTOR, 50, w::TX_GAS_LIMIT),
    (I::getMaxBlockGasLimitCall::SELECTOR, 50, w::BLOCK_GAS_LIMIT),
    (I::getMinimumGasPriceCall::SELECTOR, 0, w::MIN_BASE_FEE),
    (I::getL1BaseFeeEstimateCall::SELECTOR, 0, w::L1_PRICE_PER_UNIT),
    (I::getL1GasPriceEstimateCall::SELECTOR, 0, w::L1_PRICE_PER_UNIT),
    (I::getL1BaseFeeEstimateInertiaCall::SELECTOR, 0, w::L1_INERTIA),
    (I::getL1RewardRateCall::SELECTOR, 11, w::L1_REWARD_RATE),
    (I::getL1RewardRecipientCall::SELECTOR, 11, w::L1_REWARD_RECIPIENT),
    (I::getGasBacklogCall::SELECTOR, 0, w::GAS_BACKLOG),
    (I::getPricingInertiaCall::SELECTOR, 0, w::PRICING_INERTIA),
    (I::getGasBacklogToleranceCall::SELECTOR, 0, w::BACKLOG_TOLERANCE),
    (I::getPerBatchGasChargeCall::SELECTOR, 0, w::L1_BATCH_GAS),
    (I::getAmortizedCostCapBipsCall::SELECTOR, 0, w::L1_COST_CAP_BIPS),
    (I::getL1FeesAvailableCall::SELECTOR, 10, w::L1_FEES_AVAILABLE),
    (I::getL1PricingEquilibrationUnitsCall::SELECTOR, 20, w::L1_EQUILIBRATION_UNITS),
    (I::getLastL1PricingUpdateTimeCall::SELECTOR, 20, w::L1_UPDATE_TIME),
    (I::getL1PricingFundsDueForRewardsCall::SELECTOR, 20, w::L1_REWARDS_DUE),
    (I::getL1PricingUnitsSinceUpdateCall::SELECTOR, 20, w::L1_UNITS_SINCE_UPDATE),
    (I::getLastL1PricingSurplusCall::SELECTOR, 20, w::L1_LAST_SURPLUS),
];

/// Gas for a new slot of storage.
const STORAGE_GAS: U256 = U256::from_limbs([20_000, 0, 0, 0]);
/// Bytes that a simple transaction is taken to have.
const SIMPLE_TX_BYTES: U256 = U256::from_limbs([140, 0, 0, 0]);
/// Units of a byte.
const UNITS: U256 = U256::from_limbs([16, 0, 0, 0]);

pub(crate) fn call(call: &mut Call<'_, '_>) -> Result<Vec<u8>, Failure> {
    if let Some(word) = call.getter(GETTERS)? {
        return Ok(word);
    }
    let words = match call.selector()? {
        I::getPricesInWeiCall::SELECTOR => {
            call.enter(Purity::View)?;
            prices_in_wei(call)?
        }
        I::getPricesInWeiWithAggregatorCall::SELECTOR => {
            call.args::<I::getPricesInWeiWithAggregatorCall>(Purity::View)?;
            prices_in_wei(call)?
        }
        I::getPricesInArbGasCall::SELECTOR => {
            call.enter(Purity::View)?;
            prices_in_gas(call)?
        }
        I::getPricesInArbGasWithAggregatorCall::SELECTOR => {
            call.args::<I::getPricesInArbGasWithAggregatorCall>(Purity::View)?;
            prices_in_gas(call)?
        }
        I::getGasAccountingParamsCall::SELECTOR => {
            call.enter(Purity::View)?;
            let (speed, block) = (call.get(w::SPEED_LIMIT)?, call.get(w::BLOCK_GAS_LIMIT)?);
            vec![speed, block, block]
        }
        I::getCurrentTxL1GasFeesCall::SELECTOR => {
            call.enter(Purity::View)?;
            vec![call.ctx.chain().l1.fee]
        }
        I::getL1PricingSurplusCall::SELECTOR => {
            call.enter(Purity::View)?;
            let due = call.get(w::L1_FUNDS_DUE)?.wrapping_add(call.get(w::L1_REWARDS_DUE)?);
            vec![call.get(w::L1_FEES_AVAILABLE)?.wrapping_sub(due)]
        }
        I::getGasPricingConstraintsCall::SELECTOR => {
            call.since(50)?;
            call.enter(Purity::View)?;
            call.burner.burn(800)?; // reads their number
            let none = Vec::<[u64; 3]>::new();
            return Ok(I::getGasPricingConstraintsCall::abi_encode_returns(&none));
        }
        _ => return Err(Failure::BadCall),
    };
    Ok(words.into_iter().flat_map(|word| word.to_be_bytes::<32>()).collect())
}

/// The block's base fee; in a call without a price, which sees none, the chain's.
fn base_fee(call: &mut Call<'_, '_>) -> U256 {
    match call.ctx.block().basefee() {
        0 => storage::read(call.ctx, w::BASE_FEE.slot()),
        base_fee => U256::from(base_fee),
    }
}

fn prices_in_wei(call: &mut Call<'_, '_>) -> Result<Vec<U256>, Failure> {
    let byte = call.get(w::L1_PRICE_PER_UNIT)?.saturating_mul(UNITS);
    let gas = base_fee(call);
    let least = call.get(w::MIN_BASE_FEE)?.min(gas);
    let (tx, slot) = (byte.saturating_mul(SIMPLE_TX_BYTES), gas.saturating_mul(STORAGE_GAS));
    Ok(vec![tx, byte, slot, least, gas - least, gas])
}

fn prices_in_gas(call: &mut Call<'_, '_>) -> Result<Vec<U256>, Failure> {
    let byte = call.get(w::L1_PRICE_PER_UNIT)?.saturating_mul(UNITS);
    let price = base_fee(call);
    let gas = |wei: U256| wei.checked_div(price).unwrap_or_default();
    Ok(vec![gas(byte.saturating_mul(SIMPLE_TX_BYTES)), gas(byte), STORAGE_GAS])
}
