//! A contract that makes others do things, after the SDK's examples `call`, `caller`, `delegate_call`, `sending_ether`
//! and its `RawDeploy`: typed calls through an interface, raw ones of each kind, value, and creation.

#![cfg_attr(not(any(test, feature = "export-abi")), no_main)]
#![allow(missing_docs)] // of what the SDK's macros write

extern crate alloc;

use alloc::vec::Vec;
use alloy_primitives::{Address, B256, U256};
use stylus_sdk::{
    abi::Bytes,
    call::{call, delegate_call, static_call, transfer::transfer_eth},
    deploy::RawDeploy,
    prelude::*,
};

sol_interface! {
    interface IToken {
        function balanceOf(address owner) external view returns (uint256);
        function transfer(address to, uint256 value) external returns (bool);
    }
}

sol_storage! {
    #[entrypoint]
    pub struct Relay {
        uint256 calls;
    }
}

#[public]
impl Relay {
    /// How many transactions went through.
    pub fn calls(&self) -> U256 {
        self.calls.get()
    }

    /// A typed call that changes nothing.
    pub fn balance_in(&self, token: IToken, owner: Address) -> Result<U256, Vec<u8>> {
        Ok(token.balance_of(self.vm(), Call::new(), owner)?)
    }

    /// A typed call that changes something.
    pub fn pass_on(&mut self, token: IToken, to: Address, value: U256) -> Result<bool, Vec<u8>> {
        self.count();
        let context = Call::new_mutating(self);
        Ok(token.transfer(self.vm(), context, to, value)?)
    }

    /// A call with the value that came along.
    #[payable]
    pub fn call(&mut self, to: Address, data: Bytes) -> Result<Bytes, Vec<u8>> {
        self.count();
        let context = Call::new_payable(self, self.vm().msg_value());
        Ok(call(self.vm(), context, to, &data)?.into())
    }

    /// A call that cannot change anything, with a limit of gas.
    pub fn look(&self, to: Address, data: Bytes, gas: u64) -> Result<Bytes, Vec<u8>> {
        Ok(static_call(self.vm(), Call::new().gas(gas), to, &data)?.into())
    }

    /// Another contract's code on this one's storage.
    pub fn delegate(&mut self, to: Address, data: Bytes) -> Result<Bytes, Vec<u8>> {
        let context = Call::new_mutating(self);
        // SAFETY: a test's contract; whoever calls it chooses what becomes of it.
        Ok(unsafe { delegate_call(self.vm(), context, to, &data) }?.into())
    }

    /// Passes on the value that came along.
    #[payable]
    pub fn send_ether(&mut self, to: Address) -> Result<(), Vec<u8>> {
        self.count();
        transfer_eth(self.vm(), to, self.vm().msg_value())
    }

    /// Creates a contract; with a salt at an address that does not depend on the nonce.
    #[payable]
    pub fn create(&mut self, init_code: Bytes, salt: B256) -> Result<Address, Vec<u8>> {
        self.count();
        let salt = (!salt.is_zero()).then_some(salt);
        // SAFETY: nothing in storage is relied upon after it.
        unsafe {
            RawDeploy::new().salt_option(salt).deploy(self.vm(), &init_code, self.vm().msg_value())
        }
    }
}

impl Relay {
    fn count(&mut self) {
        let calls = self.calls.get() + U256::ONE;
        self.calls.set(calls);
    }
}
