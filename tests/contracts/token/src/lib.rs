//! An ERC-20 token, after the SDK's examples `erc20`, `constructor`, `events`, `errors` and `mapping`: typed storage with
//! nested mappings, a payable constructor, events with indexed arguments and errors with arguments.

#![cfg_attr(not(any(test, feature = "export-abi")), no_main)]
#![allow(missing_docs)] // of what the SDK's macros write

extern crate alloc;

use alloc::{string::String, vec::Vec};
use alloy_primitives::{Address, U256};
use alloy_sol_types::sol;
use stylus_sdk::prelude::*;

sol! {
    event Transfer(address indexed from, address indexed to, uint256 value);
    event Approval(address indexed owner, address indexed spender, uint256 value);
    error InsufficientBalance(address from, uint256 have, uint256 want);
    error InsufficientAllowance(address owner, address spender, uint256 have, uint256 want);
}

/// A refusal.
#[derive(SolidityError)]
pub enum Error {
    /// The sender of tokens has fewer.
    InsufficientBalance(InsufficientBalance),
    /// The spender was allowed less.
    InsufficientAllowance(InsufficientAllowance),
}

sol_storage! {
    #[entrypoint]
    pub struct Token {
        uint256 supply;
        string name;
        mapping(address => uint256) balances;
        mapping(address => mapping(address => uint256)) allowances;
    }
}

#[public]
impl Token {
    /// Gives the whole supply to who sent the transaction.
    #[constructor]
    #[payable]
    pub fn constructor(&mut self, name: String, supply: U256) {
        self.name.set_str(name);
        self.supply.set(supply);
        let to = self.vm().tx_origin();
        self.balances.setter(to).set(supply);
        self.vm().log(Transfer { from: Address::ZERO, to, value: supply });
    }

    pub fn name(&self) -> String {
        self.name.get_string()
    }

    pub fn total_supply(&self) -> U256 {
        self.supply.get()
    }

    pub fn balance_of(&self, owner: Address) -> U256 {
        self.balances.get(owner)
    }

    pub fn allowance(&self, owner: Address, spender: Address) -> U256 {
        self.allowances.getter(owner).get(spender)
    }

    pub fn approve(&mut self, spender: Address, value: U256) -> bool {
        let owner = self.vm().msg_sender();
        self.allowances.setter(owner).insert(spender, value);
        self.vm().log(Approval { owner, spender, value });
        true
    }

    pub fn transfer(&mut self, to: Address, value: U256) -> Result<bool, Error> {
        self.pass(self.vm().msg_sender(), to, value)
    }

    pub fn transfer_from(
        &mut self,
        from: Address,
        to: Address,
        value: U256,
    ) -> Result<bool, Error> {
        let spender = self.vm().msg_sender();
        let have = self.allowance(from, spender);
        let left =
            have.checked_sub(value).ok_or(Error::InsufficientAllowance(InsufficientAllowance {
                owner: from,
                spender,
                have,
                want: value,
            }))?;
        self.allowances.setter(from).insert(spender, left);
        self.pass(from, to, value)
    }
}

impl Token {
    fn pass(&mut self, from: Address, to: Address, value: U256) -> Result<bool, Error> {
        let have = self.balances.get(from);
        let left = have
            .checked_sub(value)
            .ok_or(Error::InsufficientBalance(InsufficientBalance { from, have, want: value }))?;
        self.balances.setter(from).set(left);
        let more = self.balances.get(to) + value;
        self.balances.setter(to).set(more);
        self.vm().log(Transfer { from, to, value });
        Ok(true)
    }
}
