//! The imports that programs may have: names, types and base prices.

use alloy_primitives::U256;
use wasmtime::{Caller, Linker};

use super::env::{Done, Env, Escape, Hostio};
use super::hostio::Kind;
use super::module::HOOKS;
use super::pricing::{self, hostio};
use super::record::Word;

/// Pays for `pages` more pages. Unlike the others it takes its base price only where there is nothing to pay for.
/// The count is cut to 16 bits, as its type in Nitro says; growing by more than that fails anyway.
fn pay_for_memory_grow(caller: Caller<'_, Env>, pages: u32) -> Done {
    let pages = pages as u16;
    let price = if pages == 0 { hostio::PLAIN } else { 0 };
    let mut io = Hostio::start(caller, price)?;
    let params = [pages.into()];
    let begun = io.begin("pay_for_memory_grow", price, &params);
    if pages != 0 {
        let cost = io.env().host().add_pages(pages);
        io.buy_gas(cost)?;
    }
    io.end(begun, 0);
    Ok(())
}

/// Ends the program. It costs nothing, and does not come back.
fn exit_early(caller: Caller<'_, Env>, status: u32) -> Done {
    let mut io = Hostio::start(caller, 0)?;
    let params = [status.into()];
    let begun = io.begin("exit_early", 0, &params);
    io.end(begun, 0);
    Err(Escape::Exit(status))
}

/// Registers a hostio: its name, its base price, its parameters, and what it does with a [`Hostio`].
macro_rules! hostios {
    ($linker:ident; $($name:ident($($arg:ident: $ty:ty),*) $(-> $ret:ty)?, $ink:expr, |$io:ident| $body:expr;)*) => {$(
        $linker.func_wrap(HOOKS, stringify!($name), |caller: Caller<'_, Env>, $($arg: $ty),*| {
            let run = || -> Done<hostios!(@ret $($ret)?)> {
                let price = $ink;
                #[allow(unused_mut)]
                let mut $io = Hostio::start(caller, price)?;
                let params = [$(u64::from($arg)),*];
                let begun = $io.begin(stringify!($name), price, &params);
                let result = $body?;
                $io.end(begun, Word::word(result));
                Ok(result)
            };
            run().map_err(wasmtime::Error::from)
        })?;
    )*};
    (@ret) => { () };
    (@ret $ret:ty) => { $ret };
}

/// A linker that knows every hostio.
#[rustfmt::skip] // one hostio a line
pub(super) fn link(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<Env>> {
    let mut linker = Linker::new(engine);
    hostios! { linker;
        read_args(ptr: u32), hostio::PLAIN, |io| io.read_args(ptr);
        write_result(ptr: u32, len: u32), hostio::PLAIN, |io| io.write_result(ptr, len);

        storage_load_bytes32(key: u32, dest: u32), hostio::STORAGE, |io| io.storage_load(key, dest);
        storage_cache_bytes32(key: u32, value: u32), hostio::STORAGE, |io| io.storage_cache(key, value);
        storage_flush_cache(clear: u32), hostio::STORAGE_FLUSH, |io| io.storage_flush(clear != 0);
        transient_load_bytes32(key: u32, dest: u32), hostio::TRANSIENT, |io| io.transient_load(key, dest);
        transient_store_bytes32(key: u32, value: u32), hostio::TRANSIENT, |io| io.transient_store(key, value);

        call_contract(to: u32, data: u32, len: u32, value: u32, gas: u64, ret_len: u32) -> u32, hostio::CALL,
            |io| io.call(Kind::Call { value }, [to, data, len, ret_len], gas);
        delegate_call_contract(to: u32, data: u32, len: u32, gas: u64, ret_len: u32) -> u32, hostio::CALL,
            |io| io.call(Kind::Delegate, [to, data, len, ret_len], gas);
        static_call_contract(to: u32, data: u32, len: u32, gas: u64, ret_len: u32) -> u32, hostio::CALL,
            |io| io.call(Kind::Static, [to, data, len, ret_len], gas);
        create1(code: u32, len: u32, endowment: u32, contract: u32, ret_len: u32), hostio::CREATE1,
            |io| io.create([code, len, endowment, contract, ret_len], None);
        create2(code: u32, len: u32, endowment: u32, salt: u32, contract: u32, ret_len: u32), hostio::CREATE2,
            |io| io.create([code, len, endowment, contract, ret_len], Some(salt));
        read_return_data(dest: u32, offset: u32, size: u32) -> u32, hostio::READ_RETURN_DATA,
            |io| io.read_return_data(dest, offset, size);
        return_data_size() -> u32, hostio::PLAIN, |io| Ok(io.env().return_data.len() as u32);
        emit_log(data: u32, len: u32, topics: u32), hostio::EMIT_LOG, |io| io.emit_log(data, len, topics);

        account_balance(address: u32, dest: u32), hostio::ACCOUNT_WORD, |io| io.account_balance(address, dest);
        account_code(address: u32, offset: u32, size: u32, dest: u32) -> u32, hostio::ACCOUNT_CODE,
            |io| io.account_code(address, offset, size, dest);
        account_code_size(address: u32) -> u32, hostio::ACCOUNT_CODE, |io| Ok(io.code_of(address)?.len() as u32);
        account_codehash(address: u32, dest: u32), hostio::ACCOUNT_WORD, |io| io.account_code_hash(address, dest);

        block_basefee(ptr: u32), hostio::GETTER, |io| io.write_u256(ptr, io.ctx().basefee);
        block_coinbase(ptr: u32), hostio::GETTER, |io| io.write(ptr, &io.ctx().coinbase.into_array());
        block_gas_limit() -> u64, hostio::PLAIN, |io| Ok(io.ctx().block_gas_limit);
        block_number() -> u64, hostio::PLAIN, |io| Ok(io.ctx().block_number);
        block_timestamp() -> u64, hostio::PLAIN, |io| Ok(io.ctx().block_timestamp);
        chainid() -> u64, hostio::PLAIN, |io| Ok(io.ctx().chain_id);
        contract_address(ptr: u32), hostio::GETTER, |io| io.write(ptr, &io.ctx().address.into_array());
        evm_gas_left() -> u64, hostio::PLAIN, |io| Ok(io.gas_left());
        evm_ink_left() -> u64, hostio::PLAIN, |io| Ok(io.ink());
        msg_reentrant() -> u32, hostio::PLAIN, |io| Ok(io.ctx().reentrant.into());
        msg_sender(ptr: u32), hostio::GETTER, |io| io.write(ptr, &io.ctx().sender.into_array());
        msg_value(ptr: u32), hostio::GETTER, |io| io.write_u256(ptr, io.ctx().value);
        tx_gas_price(ptr: u32), hostio::GETTER, |io| io.write_u256(ptr, io.ctx().gas_price);
        tx_ink_price() -> u32, hostio::PLAIN, |io| Ok(io.ctx().ink_price);
        tx_origin(ptr: u32), hostio::GETTER, |io| io.write(ptr, &io.ctx().origin.into_array());

        math_div(value: u32, divisor: u32), hostio::MATH_DIV,
            |io| io.math(value, divisor, |a, b| a.checked_div(b).unwrap_or_default());
        math_mod(value: u32, modulus: u32), hostio::MATH_DIV,
            |io| io.math(value, modulus, |a, b| a.checked_rem(b).unwrap_or_default());
        math_pow(value: u32, exponent: u32), hostio::MATH_POW, |io| io.math_pow(value, exponent);
        math_add_mod(value: u32, addend: u32, modulus: u32), hostio::MATH_ADD_MOD,
            |io| io.math_modular(value, addend, modulus, U256::add_mod);
        math_mul_mod(value: u32, multiplier: u32, modulus: u32), hostio::MATH_MUL_MOD,
            |io| io.math_modular(value, multiplier, modulus, U256::mul_mod);
        native_keccak256(input: u32, len: u32, dest: u32), pricing::keccak(len), |io| io.keccak(input, len, dest);
    }
    linker.func_wrap(HOOKS, "pay_for_memory_grow", |caller: Caller<'_, Env>, pages: u32| {
        pay_for_memory_grow(caller, pages).map_err(wasmtime::Error::from)
    })?;
    linker.func_wrap(HOOKS, "exit_early", |caller: Caller<'_, Env>, status: u32| {
        exit_early(caller, status).map_err(wasmtime::Error::from)
    })?;
    Ok(linker)
}
