//! ArbOS precompiles: contracts that are part of the node.
//!
//! One provider for revm holds Ethereum's precompiles and Arbitrum's. Of the latter those that a Stylus developer meets
//! are here: [`arb_wasm`] (activation), [`arb_wasm_cache`], [`arb_sys`] and [`arb_info`]; the others exist as accounts, and calling
//! them reverts. The rules that all of them share (purity, price of arguments and results, what a failure leaves of the
//! gas) are those of Nitro's `precompiles/precompile.go`.

pub mod arb_info;
pub mod arb_sys;
pub mod arb_wasm;
pub mod arb_wasm_cache;

use crate::{
    arbos::{BurnedOut, Burner},
    evm::{Ctx, spec},
};
use alloy::sol_types::{SolCall, SolError, SolEvent};
use alloy_primitives::{Address, Bytes, Log, U256, address, map::AddressSet};
use revm::{
    context::{ContextTr, JournalTr},
    handler::{EthPrecompiles, PrecompileProvider},
    interpreter::{CallInputs, Gas, InstructionResult, InterpreterResult},
    precompile::{Precompiles, secp256r1::P256VERIFY},
    primitives::hardfork::SpecId,
};
use std::sync::LazyLock;

/// `ArbSys`.
pub const ARB_SYS: Address = address!("0000000000000000000000000000000000000064");
/// `ArbInfo`.
pub const ARB_INFO: Address = address!("0000000000000000000000000000000000000065");
/// `ArbWasm`.
pub const ARB_WASM: Address = address!("0000000000000000000000000000000000000071");
/// `ArbWasmCache`.
pub const ARB_WASM_CACHE: Address = address!("0000000000000000000000000000000000000072");

/// Accounts of all ArbOS precompiles, including those that only revert here.
pub static ADDRESSES: LazyLock<Vec<Address>> = LazyLock::new(|| {
    (0x64..=0x73)
        .chain([0xff])
        .filter(|&last| last != 0x6a)
        .map(|last: u8| Address::with_last_byte(last))
        .collect()
});

/// Ethereum's precompiles before ArbOS 50: Cancun's and, at its old price, P256VERIFY (`gethhook/geth-hook.go`).
static BEFORE_ARBOS_50: LazyLock<Precompiles> = LazyLock::new(|| {
    let mut precompiles = Precompiles::cancun().clone();
    precompiles.extend([P256VERIFY]);
    precompiles
});

fn ethereum(arbos_version: u64) -> EthPrecompiles {
    let spec = spec(arbos_version);
    match arbos_version {
        ..50 => EthPrecompiles { precompiles: &BEFORE_ARBOS_50, spec },
        _ => EthPrecompiles::new(spec),
    }
}

/// All that start warm: before ArbOS 50, and since.
static WARM: LazyLock<[AddressSet; 2]> = LazyLock::new(|| {
    [32, 50].map(|version| {
        let mut warm = ethereum(version).warm_addresses().clone();
        warm.extend(ADDRESSES.iter().copied());
        warm
    })
});

/// Ethereum's and Arbitrum's precompiles.
#[derive(Clone, Debug)]
pub struct ArbPrecompiles {
    ethereum: EthPrecompiles,
    warm: &'static AddressSet,
}

impl ArbPrecompiles {
    /// Those of an ArbOS version.
    pub fn new(arbos_version: u64) -> Self {
        let warm = &WARM[usize::from(arbos_version >= 50)];
        Self { ethereum: ethereum(arbos_version), warm }
    }

    /// Whether `address` is one of them.
    pub(crate) fn contains(&self, address: &Address) -> bool {
        self.warm.contains(address)
    }
}

impl<'a> PrecompileProvider<Ctx<'a>> for ArbPrecompiles {
    type Output = InterpreterResult;

    fn set_spec(&mut self, _spec: SpecId) -> bool {
        false
    }

    fn run(
        &mut self,
        ctx: &mut Ctx<'a>,
        inputs: &CallInputs,
    ) -> Result<Option<InterpreterResult>, String> {
        let handler = match inputs.bytecode_address {
            ARB_INFO => arb_info::call,
            ARB_SYS => arb_sys::call,
            ARB_WASM => arb_wasm::call,
            ARB_WASM_CACHE => arb_wasm_cache::call,
            other if ADDRESSES.contains(&other) => |_: &mut Call<'_, '_>| Err(Failure::BadCall),
            _ => return self.ethereum.run(ctx, inputs),
        };
        let input = inputs.input.bytes(ctx);
        let mut call = Call {
            ctx,
            burner: Burner::new(inputs.gas_limit),
            address: inputs.bytecode_address,
            acting: inputs.target_address,
            caller: inputs.caller,
            value: inputs.call_value(),
            is_static: inputs.is_static,
            input,
        };
        let outcome = handler(&mut call).and_then(|output| {
            call.burn_copy(output.len())?;
            Ok(output)
        });
        let (result, output, left) = match outcome {
            Ok(output) => (InstructionResult::Return, output, call.burner.left()),
            Err(failure) => call.revert(failure),
        };
        let mut gas = Gas::new(inputs.gas_limit);
        gas.set_remaining(left);
        Ok(Some(InterpreterResult::new(result, output.into(), gas)))
    }

    fn warm_addresses(&self) -> &AddressSet {
        self.warm
    }
}

/// How a precompile's method may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Purity {
    /// Reads state.
    View,
    /// Changes state.
    Write,
    /// Changes state and takes value.
    Payable,
}

/// Why a precompile reverts.
#[derive(Debug)]
pub(crate) enum Failure {
    /// No such method, wrong arguments, or a call that its purity forbids: takes all gas.
    BadCall,
    /// The gas ran out.
    BurnedOut,
    /// An error of the precompile's ABI.
    Solidity(Vec<u8>),
    /// Any other error: reverts without data.
    Other,
}

impl From<BurnedOut> for Failure {
    fn from(BurnedOut: BurnedOut) -> Self {
        Self::BurnedOut
    }
}

/// Reverts with an error of the ABI.
pub(crate) fn solidity(error: impl SolError) -> Failure {
    Failure::Solidity(error.abi_encode())
}

/// One call of a precompile.
pub(crate) struct Call<'c, 'a> {
    pub(crate) ctx: &'c mut Ctx<'a>,
    pub(crate) burner: Burner,
    pub(crate) address: Address,
    acting: Address,
    pub(crate) caller: Address,
    pub(crate) value: U256,
    is_static: bool,
    input: Bytes,
}

impl Call<'_, '_> {
    /// The selector that is called.
    pub(crate) fn selector(&self) -> Result<[u8; 4], Failure> {
        let selector = self.input.first_chunk::<4>();
        selector.copied().ok_or(Failure::BadCall)
    }

    /// Checks that the call respects the method's purity, charges for the arguments and for opening ArbOS state, and
    /// decodes the arguments.
    pub(crate) fn args<C: SolCall>(&mut self, purity: Purity) -> Result<C, Failure> {
        let refused = self.acting != self.address
            || (purity >= Purity::Write && self.is_static)
            || (purity < Purity::Payable && !self.value.is_zero());
        if refused {
            return Err(Failure::BadCall);
        }
        let args = &self.input[4..];
        self.burner.burn(3 * (args.len() as u64).div_ceil(32)).map_err(|_| Failure::BadCall)?;
        self.burner.burn(800)?;
        C::abi_decode_raw(args).map_err(|_| Failure::BadCall)
    }

    /// Emits an event at the price of `LOG`.
    pub(crate) fn emit(&mut self, event: impl SolEvent) -> Result<(), Failure> {
        let data = event.encode_log_data();
        let topics = data.topics().len() as u64;
        self.burner.burn(375 + 375 * topics + 8 * data.data.len() as u64)?;
        self.ctx.journal_mut().log(Log { address: self.address, data });
        Ok(())
    }

    fn burn_copy(&mut self, len: usize) -> Result<(), Failure> {
        self.burner.burn(3 * (len as u64).div_ceil(32)).map_err(|_| Failure::BadCall)
    }

    fn revert(&mut self, failure: Failure) -> (InstructionResult, Vec<u8>, u64) {
        let revert = InstructionResult::Revert;
        match failure {
            Failure::BadCall => (revert, Vec::new(), 0),
            Failure::BurnedOut | Failure::Other => (revert, Vec::new(), self.burner.left()),
            Failure::Solidity(data) => match self.burn_copy(data.len()) {
                Ok(()) => (revert, data, self.burner.left()),
                Err(_) => (revert, Vec::new(), 0),
            },
        }
    }
}
