//! The work of the functions that a program imports from `vm_hooks`.
//!
//! Each reads its arguments from the program's memory, does its work or asks the chain, and writes the answer back, in
//! the order of Nitro's `crates/wasm-libraries/user-host-trait/lib.rs`: the order decides which failure a program
//! meets that is both poor and wrong. Base prices were taken before (`hooks`); here are those that depend on something.

use alloy_primitives::{B256, Bytes, U256, keccak256};

use super::env::{Done, Escape, Hostio};
use super::host::{CallKind, CallResult, CreateResult, HostStatus};
use super::pricing::{self, gas, hostio};

impl Hostio<'_> {
    pub(super) fn read_args(&mut self, ptr: u32) -> Done {
        let args = std::mem::take(&mut self.env().args);
        let done =
            self.buy_ink(pricing::write(args.len() as u32)).and_then(|()| self.write(ptr, &args));
        self.env().args = args;
        done
    }

    pub(super) fn write_result(&mut self, ptr: u32, len: u32) -> Done {
        self.pay_for_sending(len)?;
        let outs = self.read(ptr, len)?.to_vec();
        self.env().outs = outs;
        Ok(())
    }

    pub(super) fn storage_load(&mut self, key: u32, dest: u32) -> Done {
        let request = self.to_gas(hostio::EVM_API); // charged only where the chain is asked
        self.require_gas(gas::COLD_SLOAD + gas::STORAGE_CACHE + request)?;
        let key = self.read_b256(key)?;
        let env = self.env();
        let mut cost = env.cache.read_gas();
        let value = match env.cache.get(&key) {
            Some(value) => value,
            None => {
                let (value, access) = env.host().storage_load(key);
                env.cache.insert_known(key, value);
                cost = cost.saturating_add(access).saturating_add(request);
                value
            }
        };
        self.buy_gas(cost)?;
        self.write(dest, value.as_slice())
    }

    pub(super) fn storage_cache(&mut self, key: u32, value: u32) -> Done {
        self.require_gas(gas::SSTORE_SENTRY + gas::STORAGE_CACHE)?;
        let key = self.read_b256(key)?;
        let value = self.read_b256(value)?;
        let env = self.env();
        let cost = env.cache.write_gas();
        env.cache.set(key, value);
        self.buy_gas(cost)
    }

    pub(super) fn storage_flush(&mut self, clear: bool) -> Done {
        self.require_gas(gas::SSTORE_SENTRY)?;
        let gas_left = self.gas_left();
        let env = self.env();
        let dirty = env.cache.flush(clear);
        if dirty.is_empty() {
            return Ok(());
        }
        // one gas more than there is, so that running out costs more than the program has
        let (cost, status) = env.host().storage_store(&dirty, gas_left.saturating_add(1));
        // Before ArbOS 50 a flush that ran out of gas ended the program as any other refusal does, unpaid.
        if status == HostStatus::OutOfGas && self.ctx().arbos_version < 50 {
            return accepted(HostStatus::Failure);
        }
        self.buy_gas(cost)?;
        accepted(status)
    }

    pub(super) fn transient_load(&mut self, key: u32, dest: u32) -> Done {
        self.buy_gas(gas::TRANSIENT)?;
        let key = self.read_b256(key)?;
        let value = self.env().host().transient_load(key);
        self.write(dest, value.as_slice())
    }

    pub(super) fn transient_store(&mut self, key: u32, value: u32) -> Done {
        self.buy_gas(gas::TRANSIENT)?;
        let key = self.read_b256(key)?;
        let value = self.read_b256(value)?;
        accepted(self.env().host().transient_store(key, value))
    }

    /// Any of the three calls; returns 0 for success and 2 for failure. `value` points to the value of a plain call.
    pub(super) fn call(
        &mut self,
        kind: Kind,
        [to, data, len, ret_len]: [u32; 4],
        gas_requested: u64,
    ) -> Done<u32> {
        self.pay_for_sending(len)?;
        let gas_left = self.gas_left();
        let to = self.read_address(to)?;
        let input = self.read(data, len)?.to_vec();
        let kind = match kind {
            Kind::Call { value } => CallKind::Call(self.read_u256(value)?),
            Kind::Delegate => CallKind::Delegate,
            Kind::Static => CallKind::Static,
        };
        let host = self.env().host();
        let CallResult { success, output, gas_cost } =
            host.call(kind, to, &input, gas_left, gas_requested.min(gas_left));
        let output_len = output.len() as u32;
        self.env().return_data = output;
        self.buy_gas(gas_cost)?;
        self.write(ret_len, &output_len.to_le_bytes())?;
        Ok(if success { 0 } else { 2 })
    }

    pub(super) fn create(
        &mut self,
        [code, len, endowment, contract, ret_len]: [u32; 5],
        salt: Option<u32>,
    ) -> Done {
        self.pay_for_sending(len)?;
        let code = self.read(code, len)?.to_vec();
        let endowment = self.read_u256(endowment)?;
        let salt = salt.map(|ptr| self.read_b256(ptr)).transpose()?;
        let gas_left = self.gas_left();
        let created = self.env().host().create(&code, endowment, salt, gas_left);
        let CreateResult { address, output, gas_cost } =
            created.map_err(|error| Escape::Refused(error.0))?;
        let output_len = output.len() as u32;
        self.env().return_data = output;
        self.buy_gas(gas_cost)?;
        self.write(ret_len, &output_len.to_le_bytes())?;
        self.write(contract, address.unwrap_or_default().as_slice())
    }

    pub(super) fn read_return_data(&mut self, dest: u32, offset: u32, size: u32) -> Done<u32> {
        let data = self.env().return_data.clone();
        let available = (data.len() as u32).saturating_sub(offset);
        let len = size.min(available);
        self.buy_ink(pricing::write(len))?;
        if len > 0 {
            let start = offset as usize;
            self.write(dest, &data[start..start + len as usize])?;
        }
        Ok(len)
    }

    pub(super) fn emit_log(&mut self, data: u32, len: u32, topics: u32) -> Done {
        if topics > 4 || len < topics * 32 {
            return Err(Escape::Refused("bad topic data".into()));
        }
        self.buy_ink(pricing::read(len))?;
        self.buy_gas(pricing::log_gas(topics, len - topics * 32))?;
        let bytes = self.read(data, len)?.to_vec();
        let (head, data) = bytes.split_at(topics as usize * 32);
        let topics: Vec<B256> = head.chunks_exact(32).map(B256::from_slice).collect();
        let logged = self.env().host().emit_log(&topics, data);
        logged.map_err(|error| Escape::Refused(error.0))
    }

    pub(super) fn account_balance(&mut self, address: u32, dest: u32) -> Done {
        self.require_gas(gas::COLD_ACCOUNT)?;
        let address = self.read_address(address)?;
        let (balance, cost) = self.env().host().account_balance(address);
        self.buy_gas(cost)?;
        self.write_u256(dest, balance)
    }

    pub(super) fn account_code_hash(&mut self, address: u32, dest: u32) -> Done {
        self.require_gas(gas::COLD_ACCOUNT)?;
        let address = self.read_address(address)?;
        let (hash, cost) = self.env().host().account_code_hash(address);
        self.buy_gas(cost)?;
        self.write(dest, hash.as_slice())
    }

    /// Code of an account. The code asked for last is kept, unless it is empty (from ArbOS 40), and costs no gas again.
    pub(super) fn code_of(&mut self, address: u32) -> Done<Bytes> {
        self.require_gas(gas::COLD_ACCOUNT)?;
        let address = self.read_address(address)?;
        let gas_left = self.gas_left();
        let keeps_empty = self.ctx().arbos_version < 40;
        let env = self.env();
        match &env.last_code {
            Some((last, code)) if *last == address => Ok(code.clone()),
            _ => {
                let (code, cost) = env.host().account_code(address, gas_left);
                if keeps_empty || !code.is_empty() {
                    env.last_code = Some((address, code.clone()));
                }
                self.buy_gas(cost)?;
                Ok(code)
            }
        }
    }

    pub(super) fn account_code(
        &mut self,
        address: u32,
        offset: u32,
        size: u32,
        dest: u32,
    ) -> Done<u32> {
        let code = self.code_of(address)?;
        self.buy_ink(pricing::write(code.len() as u32))?; // the whole code, however little is copied
        let start = code.len().min(offset as usize);
        let end = code.len().min(offset.saturating_add(size) as usize);
        let part = &code[start..end];
        self.write(dest, part)?;
        Ok(part.len() as u32)
    }

    /// `math_div`, `math_mod`, `math_pow`: `value` is replaced by the result.
    pub(super) fn math(&mut self, value: u32, operand: u32, op: fn(U256, U256) -> U256) -> Done {
        let a = self.read_u256(value)?;
        let b = self.read_u256(operand)?;
        self.write_u256(value, op(a, b))
    }

    pub(super) fn math_pow(&mut self, value: u32, exponent: u32) -> Done {
        self.read(value, 32)?;
        let exp = self.read_b256(exponent)?;
        self.buy_ink(pricing::pow(&exp))?;
        self.math(value, exponent, U256::wrapping_pow)
    }

    /// `math_add_mod`, `math_mul_mod`.
    pub(super) fn math_modular(
        &mut self,
        value: u32,
        operand: u32,
        modulus: u32,
        op: fn(U256, U256, U256) -> U256,
    ) -> Done {
        let a = self.read_u256(value)?;
        let b = self.read_u256(operand)?;
        let c = self.read_u256(modulus)?;
        self.write_u256(value, op(a, b, c))
    }

    pub(super) fn keccak(&mut self, input: u32, len: u32, dest: u32) -> Done {
        let hash = keccak256(self.read(input, len)?);
        self.write(dest, hash.as_slice())
    }
}

/// A call's kind, with a pointer where [`CallKind`] has the value.
pub(super) enum Kind {
    Call { value: u32 },
    Delegate,
    Static,
}

fn accepted(status: HostStatus) -> Done {
    match status {
        HostStatus::Success => Ok(()),
        status => Err(Escape::Refused(format!("the chain answered {status:?}"))),
    }
}
