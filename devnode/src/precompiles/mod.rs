//! ArbOS precompiles: contracts that are part of the node.
//!
//! One provider for revm holds Ethereum's precompiles and Arbitrum's. Of the latter those that a Stylus developer meets
//! are here, a file each with its interface; the others (`ArbAddressTable`, `ArbAggregator`, `ArbRetryableTx`,
//! `ArbStatistics` …) exist as accounts, and calling them reverts as an unknown method does. The rules that all of them
//! share (purity, price of arguments and results, what a failure leaves of the gas) are those of Nitro's
//! `precompiles/precompile.go`: 3 gas for a word of arguments and of results, 800 for opening ArbOS state unless the method
//! is pure, and what the method reads and writes.

pub mod arb_debug;
pub mod arb_gas_info;
pub mod arb_info;
pub mod arb_owner;
pub mod arb_owner_public;
pub mod arb_sys;
pub mod arb_wasm;
pub mod arb_wasm_cache;

use crate::{
    arbos::{BurnedOut, Burner, storage::Word},
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
/// `ArbOwnerPublic`.
pub const ARB_OWNER_PUBLIC: Address = address!("000000000000000000000000000000000000006b");
/// `ArbGasInfo`.
pub const ARB_GAS_INFO: Address = address!("000000000000000000000000000000000000006c");
/// `ArbOwner`.
pub const ARB_OWNER: Address = address!("0000000000000000000000000000000000000070");
/// `ArbWasm`.
pub const ARB_WASM: Address = address!("0000000000000000000000000000000000000071");
/// `ArbWasmCache`.
pub const ARB_WASM_CACHE: Address = address!("0000000000000000000000000000000000000072");

/// `ArbDebug`.
pub const ARB_DEBUG: Address = address!("00000000000000000000000000000000000000ff");

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
        let method: Method = match inputs.bytecode_address {
            ARB_DEBUG => arb_debug::call,
            ARB_GAS_INFO => arb_gas_info::call,
            ARB_INFO => arb_info::call,
            ARB_OWNER => arb_owner::call,
            ARB_OWNER_PUBLIC => arb_owner_public::call,
            ARB_SYS => arb_sys::call,
            ARB_WASM => arb_wasm::call,
            ARB_WASM_CACHE => arb_wasm_cache::call,
            other if ADDRESSES.contains(&other) => |_| Err(Failure::BadCall),
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
            purity: Purity::Pure,
            input,
        };
        let (result, output) = match inputs.bytecode_address {
            ARB_OWNER => arb_owner::for_owners(&mut call, method),
            _ => call.run(method),
        };
        let left = call.burner.left();
        let mut gas = Gas::new(inputs.gas_limit);
        gas.set_remaining(left);
        Ok(Some(InterpreterResult::new(result, output.into(), gas)))
    }

    fn warm_addresses(&self) -> &AddressSet {
        self.warm
    }
}

/// What a precompile does when it is called: the encoded result, or why there is none.
pub(crate) type Method = fn(&mut Call<'_, '_>) -> Result<Vec<u8>, Failure>;

/// How a precompile's method may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Purity {
    /// Does not even read state.
    Pure,
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
    /// The gas did not suffice to begin: not a revert.
    OutOfGas,
    /// An error that is not a revert: takes all gas.
    Halt(String),
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
    pub(crate) is_static: bool,
    purity: Purity,
    pub(crate) input: Bytes,
}

impl Call<'_, '_> {
    /// The selector that is called.
    pub(crate) fn selector(&self) -> Result<[u8; 4], Failure> {
        let selector = self.input.first_chunk::<4>();
        selector.copied().ok_or(Failure::BadCall)
    }

    /// Refuses a method that ArbOS has only since `version`.
    pub(crate) fn since(&self, version: u64) -> Result<(), Failure> {
        match self.ctx.chain().params.arbos_version {
            arbos if arbos >= version => Ok(()),
            _ => Err(Failure::BadCall),
        }
    }

    /// Checks that the call respects the method's purity, and charges for opening ArbOS state and for the arguments.
    pub(crate) fn enter(&mut self, purity: Purity) -> Result<(), Failure> {
        self.purity = purity;
        let refused = (purity >= Purity::View && self.acting != self.address)
            || (purity >= Purity::Write && self.is_static)
            || (purity < Purity::Payable && !self.value.is_zero());
        if refused {
            return Err(Failure::BadCall);
        }
        if purity >= Purity::View {
            self.burner.burn(800).map_err(|_| Failure::OutOfGas)?;
        }
        self.burn_copy(self.input.len() - 4)
    }

    /// As [`Self::enter`]; decodes the arguments.
    pub(crate) fn args<C: SolCall>(&mut self, purity: Purity) -> Result<C, Failure> {
        self.enter(purity)?;
        C::abi_decode_raw(&self.input[4..]).map_err(|_| Failure::BadCall)
    }

    /// Reads a word of ArbOS state.
    pub(crate) fn get(&mut self, word: Word) -> Result<U256, BurnedOut> {
        self.burner.read(self.ctx, word.slot())
    }

    /// Writes a word of ArbOS state.
    pub(crate) fn set(&mut self, word: Word, value: U256) -> Result<(), BurnedOut> {
        self.burner.write(self.ctx, word.slot(), value)
    }

    /// Answers a method without arguments that returns a word of ArbOS state, if `getters` has it: each with the ArbOS
    /// version that it exists since.
    pub(crate) fn getter(
        &mut self,
        getters: &[([u8; 4], u64, Word)],
    ) -> Result<Option<Vec<u8>>, Failure> {
        let selector = self.selector()?;
        let Some(&(_, since, word)) = getters.iter().find(|getter| getter.0 == selector) else {
            return Ok(None);
        };
        self.since(since)?;
        self.enter(Purity::View)?;
        Ok(Some(self.get(word)?.to_be_bytes_vec()))
    }

    /// Emits an event at the price of `LOG`.
    pub(crate) fn emit(&mut self, event: impl SolEvent) -> Result<(), Failure> {
        if self.purity < Purity::Write {
            return Err(Failure::Other);
        }
        let data = event.encode_log_data();
        let topics = data.topics().len() as u64;
        self.burner.burn(375 + 375 * topics + 8 * data.data.len() as u64)?;
        self.ctx.journal_mut().log(Log { address: self.address, data });
        Ok(())
    }

    fn burn_copy(&mut self, len: usize) -> Result<(), Failure> {
        self.burner.burn(3 * (len as u64).div_ceil(32)).map_err(|_| Failure::BadCall)
    }

    /// Runs a method to its end: how that was, with the data, which is paid for.
    pub(crate) fn run(&mut self, method: Method) -> (InstructionResult, Vec<u8>) {
        let outcome = method(self).and_then(|output| {
            self.burn_copy(output.len())?;
            Ok(output)
        });
        match outcome {
            Ok(output) => (InstructionResult::Return, output),
            Err(failure) => self.fail(failure),
        }
    }

    fn fail(&mut self, failure: Failure) -> (InstructionResult, Vec<u8>) {
        let mut result = InstructionResult::Revert;
        match failure {
            Failure::BurnedOut | Failure::Other => return (result, Vec::new()),
            Failure::Solidity(data) if self.burn_copy(data.len()).is_ok() => return (result, data),
            Failure::Solidity(_) | Failure::BadCall => {}
            Failure::OutOfGas => result = InstructionResult::PrecompileOOG,
            Failure::Halt(reason) => {
                result = InstructionResult::PrecompileError;
                if self.ctx.journal().depth() == 1 {
                    self.ctx.chain_mut().trace.failure = Some(reason);
                }
            }
        }
        self.burner.burn_out();
        (result, Vec::new())
    }
}
