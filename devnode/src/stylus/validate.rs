//! The rules that a parsed program must keep beyond being valid WASM.
//!
//! Shape (imports, memory, entry point) is checked while a [`Module`] is made, sizes on demand
//! ([`Module::check_limits`]). Sources as in [`module`](super::module).

use wasmparser::{DataKind, ElementItems, ElementKind, ExternalKind, ValType};

use super::module::{
    ENTRY_POINT, HOOKS, MEMORY, Module, ModuleError, PAY_FOR_MEMORY_GROW, constant,
};

/// Longest name of a module, in bytes. (Nitro's limits on exports come after it has dropped all but a few of them.)
const MAX_NAME: usize = 512;

impl<'a> Module<'a> {
    pub(super) fn check_imports(
        &mut self,
        imports: &[(&str, &str, u32)],
    ) -> Result<(), ModuleError> {
        let last_part = |name: &'a str| name.rsplit("__").next().unwrap_or(name);
        let exports: Vec<&str> = self.exports.keys().map(|name| last_part(name)).collect();
        if let Some(name) = exports.iter().find(|name| name.starts_with("stylus")) {
            return Err(ModuleError::Reserved((*name).into()));
        }
        for (index, &(module, name, ty)) in imports.iter().enumerate() {
            if exports.contains(&name) {
                return Err(ModuleError::Reexport(name.into()));
            }
            let signature = (module == HOOKS).then(|| hostio_type(name)).flatten();
            let Some((params, results)) = signature else {
                return Err(ModuleError::UnknownImport(module.into(), name.into()));
            };
            let have = &self.types[ty as usize];
            if have.params() != params || have.results() != results {
                return Err(ModuleError::ImportType(name.into()));
            }
            if imports[..index].iter().any(|(_, other, index)| *other == name && *index != ty) {
                return Err(ModuleError::ImportTypes(name.into()));
            }
            if name == PAY_FOR_MEMORY_GROW && self.pay_for_growth.is_none() {
                self.pay_for_growth = Some(index as u32);
            }
            self.imports.push(ty);
        }
        Ok(())
    }

    pub(super) fn check_memory(&mut self, memories: usize) -> Result<(), ModuleError> {
        if memories != 1 || self.exports.get(MEMORY) != Some(&(ExternalKind::Memory, 0)) {
            return Err(ModuleError::NoMemory);
        }
        if self.memory.maximum == Some(self.memory.initial) {
            self.pay_for_growth = None; // cannot grow, so growth is not instrumented
        } else if self.pay_for_growth.is_none() {
            return Err(ModuleError::UnpaidGrowth);
        }
        Ok(())
    }

    pub(super) fn check_entry_point(&self) -> Result<(), ModuleError> {
        let Some(&(ExternalKind::Func, index)) = self.exports.get(ENTRY_POINT) else {
            return Err(ModuleError::NoEntryPoint);
        };
        match self.function_type(index) {
            Some(ty) if ty.params() == [ValType::I32] && ty.results() == [ValType::I32] => Ok(()),
            _ => Err(ModuleError::EntryPointType),
        }
    }

    /// Checks sizes and counts; `page_limit` is what the transaction may still open. The number of globals is taken
    /// after instrumentation, as in Nitro.
    pub fn check_limits(&self, page_limit: u16) -> Result<(), ModuleError> {
        if self.memory.initial > page_limit.into() {
            return Err(ModuleError::Pages(self.memory.initial, page_limit.into()));
        }
        at_most("data segments", self.data.len(), 128)?;
        at_most("element segments", self.elements.len(), 128)?;
        at_most("functions", self.bodies.len(), 4096)?;
        at_most("globals", (self.globals + super::instrument::GLOBALS) as usize, 32_768)?;
        at_most("imports", self.imports.len(), 513)?;
        let entries = self.tables.iter().fold(0u64, |sum, table| sum.saturating_add(table.initial));
        at_most("table entries", usize::try_from(entries).unwrap_or(usize::MAX), 4096)?;
        at_most(
            "element bytes",
            self.elements.iter().map(|element| element.range.len()).sum(),
            4096,
        )?;
        if self.name_len > MAX_NAME {
            return Err(ModuleError::LongName(self.name_len));
        }
        self.check_segments()
    }

    pub(super) fn check_segments(&self) -> Result<(), ModuleError> {
        let memory = self.memory.initial * 65_536;
        for data in &self.data {
            if let DataKind::Active { offset_expr, .. } = &data.kind {
                let start = constant(offset_expr, "data segment")?;
                if start + data.data.len() as u64 > memory {
                    return Err(ModuleError::SegmentBounds("data"));
                }
            }
        }
        for element in &self.elements {
            if let ElementKind::Active { table_index, offset_expr } = &element.kind {
                let start = constant(offset_expr, "element segment")?;
                let ElementItems::Functions(items) = &element.items else {
                    return Err(ModuleError::NotConstant("element segment"));
                };
                let table = self.tables.get(table_index.unwrap_or(0) as usize);
                if table.is_none_or(|table| start + u64::from(items.count()) > table.initial) {
                    return Err(ModuleError::SegmentBounds("element"));
                }
            }
        }
        Ok(())
    }
}

/// Refuses a `count` beyond `limit`.
pub(super) fn at_most(what: &'static str, count: usize, limit: u64) -> Result<(), ModuleError> {
    let count = count as u64;
    if count > limit {
        return Err(ModuleError::TooMany { what, count, limit });
    }
    Ok(())
}

/// Parameters and results of the hostio `name`; `None` if there is none of that name.
fn hostio_type(name: &str) -> Option<(&'static [ValType], &'static [ValType])> {
    const I: ValType = ValType::I32;
    const L: ValType = ValType::I64;
    Some(match name {
        "read_args" | "exit_early" | "storage_flush_cache" | "pay_for_memory_grow" => (&[I], &[]),
        "write_result" | "storage_load_bytes32" | "storage_cache_bytes32" => (&[I, I], &[]),
        "transient_load_bytes32" | "transient_store_bytes32" => (&[I, I], &[]),
        "call_contract" => (&[I, I, I, I, L, I], &[I]),
        "delegate_call_contract" | "static_call_contract" => (&[I, I, I, L, I], &[I]),
        "create1" => (&[I; 5], &[]),
        "create2" => (&[I; 6], &[]),
        "read_return_data" => (&[I, I, I], &[I]),
        "return_data_size" | "msg_reentrant" | "tx_ink_price" => (&[], &[I]),
        "emit_log" | "native_keccak256" => (&[I, I, I], &[]),
        "account_balance" | "account_codehash" => (&[I, I], &[]),
        "account_code" => (&[I, I, I, I], &[I]),
        "account_code_size" => (&[I], &[I]),
        "evm_gas_left" | "evm_ink_left" | "block_gas_limit" => (&[], &[L]),
        "block_number" | "block_timestamp" | "chainid" => (&[], &[L]),
        "block_basefee" | "block_coinbase" | "contract_address" | "msg_sender" => (&[I], &[]),
        "msg_value" | "tx_gas_price" | "tx_origin" => (&[I], &[]),
        "math_div" | "math_mod" | "math_pow" => (&[I, I], &[]),
        "math_add_mod" | "math_mul_mod" => (&[I, I, I], &[]),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use crate::stylus::StylusParams;

    const ENTRY: &str = r#"(func (export "user_entrypoint") (param i32) (result i32) i32.const 0)"#;
    const PAGE: &str = r#"(memory (export "memory") 1 1)"#;

    /// The error that a module of `parts` is refused with.
    fn refusal(parts: &[&str]) -> String {
        let wasm = wat::parse_str(format!("(module {})", parts.join(" "))).unwrap();
        let params = StylusParams::ARBOS_51;
        match crate::stylus::activate(&wasm, &params, params.page_limit) {
            Ok(_) => "none".into(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_least_program() {
        assert_eq!(refusal(&[PAGE, ENTRY]), "none");
    }

    #[test]
    fn shape() {
        assert_eq!(refusal(&[PAGE]), "there is no function exported as \"user_entrypoint\"");
        assert_eq!(refusal(&[ENTRY]), "there is no memory exported as \"memory\"");
        assert_eq!(
            refusal(&[r#"(memory (export "memory") 1)"#, ENTRY]),
            "memory can grow, but vm_hooks.pay_for_memory_grow is not imported"
        );
        assert_eq!(
            refusal(&[PAGE, r#"(func (export "user_entrypoint"))"#]),
            "user_entrypoint must take one i32 and return one i32"
        );
        assert_eq!(
            refusal(&[PAGE, ENTRY, "(func $f) (start $f)"]),
            "start functions are not allowed"
        );
    }

    #[test]
    fn imports() {
        let import = |module, name, ty| format!(r#"(import "{module}" "{name}" (func {ty}))"#);
        let refused = |module, name, ty| refusal(&[&import(module, name, ty), PAGE, ENTRY]);
        assert_eq!(refused("vm_hooks", "msg_reentrant", "(result i32)"), "none");
        assert_eq!(
            refused("vm_hooks", "msg_reentrant", ""),
            "import msg_reentrant has the wrong type"
        );
        assert_eq!(
            refused("vm_hooks", "selfdestruct", ""),
            "there is no import vm_hooks.selfdestruct"
        );
        assert_eq!(
            refused("console", "log_i32", "(param i32)"),
            "there is no import console.log_i32"
        );
        let twice = |second| {
            let types = "(type (func (param i32))) (type (func (param i32)))";
            let import = |ty| format!(r#"(import "vm_hooks" "read_args" (func (type {ty})))"#);
            refusal(&[types, &import(0), &import(second), PAGE, ENTRY])
        };
        assert_eq!(twice(0), "none");
        assert_eq!(twice(1), "import read_args has two types");
        assert_eq!(
            refusal(&[r#"(import "vm_hooks" "memory" (memory 1 1))"#, ENTRY]),
            "import vm_hooks.memory is not a function"
        );
    }

    #[test]
    fn names() {
        let exports = |name| refusal(&[PAGE, ENTRY, &format!(r#"(func (export "{name}"))"#)]);
        assert_eq!(exports("mark_used"), "none");
        assert_eq!(exports("stylus_start"), "the name stylus_start is reserved");
        assert_eq!(exports("user__stylus_ink_left"), "the name stylus_ink_left is reserved");
        let reexport = r#"(import "vm_hooks" "read_args" (func (param i32))) (export "x__read_args" (func 0))"#;
        assert_eq!(refusal(&[reexport, PAGE, ENTRY]), "export read_args has the name of an import");
    }

    #[test]
    fn segments() {
        let data =
            |offset| refusal(&[PAGE, ENTRY, &format!(r#"(data (i32.const {offset}) "ink")"#)]);
        assert_eq!(data(65_533), "none");
        assert_eq!(data(65_534), "data segment out of bounds");
        assert_eq!(data(-1), "data segment out of bounds");
        let element = "(table 1 funcref) (elem (i32.const 1) func 0)";
        assert_eq!(refusal(&[PAGE, ENTRY, element]), "element segment out of bounds");
    }

    #[test]
    fn opcodes() {
        let code = |body: &str| refusal(&[PAGE, ENTRY, &format!("(func {body})")]);
        assert_eq!(code("f32.const 0 drop"), "none");
        assert_eq!(code("f32.const 0 f32.neg drop"), "opcode F32Neg is not supported");
        assert_eq!(
            code("f32.const 0 i32.trunc_sat_f32_s drop"),
            "opcode I32TruncSatF32S is not supported"
        );
    }
}
