//! What a transaction pays for being posted to L1.
//!
//! Its size is that of its encoding after brotli, a byte being 16 units, and a unit has a price in ArbOS state. Gas has
//! one price, so the sum is turned into gas at the base fee and charged before the first instruction: on top of the
//! intrinsic gas, outside the gas cap, not refundable. The fee goes to a pool from which a live chain pays its batch
//! posters. Sources: `arbos/l1pricing/l1pricing.go` and `GasChargingHook`, `EndTxHook` in `arbos/tx_processor.go` of Nitro.
//!
//! The price is zero at first, as `run-dev-node.sh` sets it, and then nothing here is computed. On a live chain the price
//! follows what batch posters spend; here there are none, and it stays what `ArbOwner` sets.
//!
//! The compressor is brotli's own C library, because the length counts: for inputs between 16 and 32 KiB, where
//! deployments of programs lie, the Rust port finds other matches at level 1.

use crate::{arbos::settings::Settings, tx::TxRequest};
use alloy::{
    consensus::TxEnvelope,
    eips::eip2718::Encodable2718,
    rlp::{self, Encodable},
};
use alloy_primitives::{Address, U256, address, keccak256};
use brotlic::{
    Quality, WindowSize,
    encode::{BrotliEncoderOptions, BrotliOperation},
};
use std::sync::LazyLock;

/// The batch poster, whose blocks alone have such a price.
pub const BATCH_POSTER: Address = address!("a4b000000000000000000073657175656e636572");
/// Holds the fees until a batch poster is paid.
pub const FUNDS_POOL: Address = address!("a4b00000000000000000000000000000000000f6");

/// Units of a byte: the price of a byte of calldata that is not zero (EIP-2028).
const UNITS_PER_BYTE: u64 = 16;
/// Units added for what a call does not know of the transaction it stands for.
const PADDING_UNITS: u64 = 16 * UNITS_PER_BYTE;

/// What is executed, and with that, what of it would be posted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Posting<'a> {
    /// A transaction that is in a block.
    Transaction(&'a TxEnvelope),
    /// A call.
    Call,
    /// A call whose gas is to suffice for a transaction.
    Estimate,
}

/// What posting a transaction costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct L1Charge {
    /// Size of the transaction, in sixteenths of a byte; 0 where it has no price.
    pub units: u64,
    /// Gas that it pays for that.
    pub gas: u64,
    /// The same in wei.
    pub fee: U256,
}

/// What `posting` pays in a block of `coinbase`'s. Without a price nothing is measured.
pub(crate) fn charge(
    settings: &Settings,
    request: &TxRequest,
    posting: Posting<'_>,
    coinbase: Address,
) -> L1Charge {
    let on_chain = matches!(posting, Posting::Transaction(_));
    let base_fee = U256::from(settings.base_fee);
    if settings.l1_price.is_zero() || base_fee.is_zero() || (on_chain && coinbase != BATCH_POSTER) {
        return L1Charge::default();
    }
    let units = units(settings, request, posting);
    let cost = settings.l1_price.saturating_mul(U256::from(units));
    let gas = match posting {
        Posting::Estimate => estimated_gas(settings, cost),
        _ => (cost / base_fee).saturating_to(),
    };
    L1Charge { units, gas, fee: base_fee.saturating_mul(U256::from(gas)) }
}

/// Units that a transaction is charged for, or would be.
pub(crate) fn units(settings: &Settings, request: &TxRequest, posting: Posting<'_>) -> u64 {
    let estimate = matches!(posting, Posting::Estimate);
    let Posting::Transaction(envelope) = posting else {
        let units = measure(&stand_in(request, estimate), settings.brotli_level);
        return (units + PADDING_UNITS) * 10_100 / 10_000;
    };
    measure(&envelope.encoded_2718(), settings.brotli_level)
}

/// Gas for `cost` wei, padded for the case that prices change before the transaction is sent (`GetPosterGas`).
pub(crate) fn estimated_gas(settings: &Settings, cost: U256) -> u64 {
    let congested = U256::from(settings.base_fee) * U256::from(7) / U256::from(8);
    let price = congested.max(settings.min_base_fee).max(U256::ONE);
    (padded(cost) / price).saturating_to()
}

/// A tenth more (`GasEstimationL1PricePadding`).
pub(crate) fn padded(cost: U256) -> U256 {
    cost.saturating_mul(U256::from(11)) / U256::from(10)
}

fn measure(tx: &[u8], level: u64) -> u64 {
    UNITS_PER_BYTE * compressed_len(tx, level) as u64
}

/// Length after brotli at `level`, in one go and with a window of 4 MiB (`crates/brotli` in Nitro).
fn compressed_len(tx: &[u8], level: u64) -> usize {
    let quality = u8::try_from(level).ok().and_then(|level| Quality::new(level).ok());
    let encoder = BrotliEncoderOptions::new()
        .quality(quality.unwrap_or(Quality::best()))
        .window_size(WindowSize::default())
        .build();
    let mut output = vec![0; 2 * tx.len() + 1024];
    let compressed = encoder.map(|mut encoder| {
        encoder.compress(tx, &mut output, BrotliOperation::Finish).map(|done| done.bytes_written)
    });
    match compressed {
        Ok(Ok(len)) => len,
        _ => tx.len(), // the encoder refuses nothing that can be asked for here
    }
}

/// The transaction that Nitro measures in place of one that a call has not made (`makeFakeTxForMessage`): what it lacks is
/// filled with numbers that look random.
fn stand_in(request: &TxRequest, estimate: bool) -> Vec<u8> {
    static FILLER: LazyLock<[U256; 6]> = LazyLock::new(|| {
        let hash = |name: &str| U256::from_be_bytes(keccak256(name).0);
        let head = |name: &str, bits: usize| hash(name) >> (256 - bits);
        [
            head("Nonce", 64),
            head("GasTipCap", 32),
            head("GasFeeCap", 32),
            head("Gas", 32),
            hash("R"),
            hash("S"),
        ]
    });
    let [nonce, tip, fee, gas, r, s] = *FILLER;
    let or = |value: U256, filler: U256| if value.is_zero() { filler } else { value };
    let nonce = or(U256::from(request.nonce.unwrap_or_default()), nonce);
    let tip = or(U256::from(request.max_tip), tip);
    let fee = or(U256::from(request.max_fee), fee);
    let gas = or(U256::from(if estimate { 0 } else { request.gas_limit }), gas);
    let v = 3 * 42_161u64;

    let mut fields = Vec::new();
    for number in [U256::ZERO, nonce, tip, fee, gas] {
        number.encode(&mut fields);
    }
    request.to.encode(&mut fields);
    request.value.encode(&mut fields);
    request.input.encode(&mut fields);
    request.access_list.encode(&mut fields);
    for number in [U256::from(v), r, s] {
        number.encode(&mut fields);
    }
    let mut tx = vec![2];
    rlp::Header { list: true, payload_length: fields.len() }.encode(&mut tx);
    tx.extend(fields);
    tx
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::ChainConfig, stylus::StylusParams};
    use alloy_primitives::{Bytes, TxKind};

    fn settings(l1_price: u64) -> Settings {
        Settings {
            stylus: StylusParams::ARBOS_51,
            base_fee: 100_000_000,
            network_fee_account: ChainConfig::default().fee_account,
            infra_fee_account: Address::ZERO,
            min_base_fee: U256::from(100_000_000),
            l1_price: U256::from(l1_price),
            brotli_level: 1,
        }
    }

    #[test]
    fn lengths_are_those_of_the_c_library() {
        // by libbrotlienc 1.0.9; bytes of a linear congruential generator, three in four of them zero
        let mut x = 1u32;
        let mut bytes = |len: usize| -> Vec<u8> {
            let mut next = || {
                x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                x >> 16
            };
            (0..len).map(|_| if next() & 3 == 0 { next() as u8 } else { 0 }).collect()
        };
        let lengths =
            [300, 2_000, 16_000, 24_000, 40_000].map(|len| compressed_len(&bytes(len), 1));
        assert_eq!(lengths, [230, 1_110, 7_734, 11_516, 17_876]);
    }

    #[test]
    fn what_the_stand_in_says() {
        let request = TxRequest { max_fee: 0, ..TxRequest::default() };
        let hex = alloy_primitives::hex::encode(stand_in(&request, true));
        // type, list, chain id 0, nonce, tip, fee, gas, to, value, data, access list, v, r, s
        let fields = [
            "02f8778088a844cbcad86eb8498439ba7d2684f1aa387f84b8480ca2",
            "9400000000000000000000000000000000000000008080c0",
            "8301ee13",
            "a0ef22bddd350b943170a67d35191c27e310709a28c38b5762a152ff640108f5b2",
            "a0a9463b19d1148abedba3d6925530d4465b271ce2cc61f80b1a0a80fd73eab881",
        ];
        assert_eq!(hex, fields.concat());
    }

    #[test]
    fn gas_is_the_cost_at_the_base_fee() {
        let request = TxRequest::call(Address::ZERO, Address::ZERO, Bytes::new());
        let envelope = request.unsigned_envelope(0, 412_346);
        let settings = settings(1_000_000_000);
        let charge = |posting| charge(&settings, &request, posting, BATCH_POSTER);
        let sent = charge(Posting::Transaction(&envelope));
        let bytes = compressed_len(&envelope.encoded_2718(), 1) as u64;
        assert_eq!(
            sent,
            L1Charge {
                units: 16 * bytes,
                gas: 160 * bytes, // a unit is ten times a gas
                fee: U256::from(16 * bytes * 1_000_000_000),
            }
        );
        let call = charge(Posting::Call);
        assert_eq!(call.gas, 10 * call.units);
        let estimate = charge(Posting::Estimate);
        assert_eq!(estimate.gas, 11 * estimate.units);
        assert_eq!(request.to, TxKind::Call(Address::ZERO));
    }

    #[test]
    fn who_pays_nothing() {
        let request = TxRequest::default();
        let envelope = request.unsigned_envelope(0, 412_346);
        let sent = Posting::Transaction(&envelope);
        assert_eq!(charge(&settings(0), &request, sent, BATCH_POSTER), L1Charge::default());
        assert_eq!(charge(&settings(7), &request, sent, Address::ZERO), L1Charge::default());
    }
}
