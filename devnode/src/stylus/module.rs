//! Parsing a program and every rule it must keep.
//!
//! The rules are those of Nitro's prover on activation (`parse_with_version` and `parse_user` in
//! `crates/prover/src/binary.rs`, `from_binary` in `crates/prover/src/machine.rs`, `wasm_to_wavm` in
//! `crates/prover/src/wavm.rs`): the MVP of WASM with sign extension, multi-value and the two bulk operations on
//! memory, no float arithmetic, one exported memory, imports from `vm_hooks` alone with exactly the right types. What
//! breaks a rule is refused with a [`ModuleError`] that names the rule; nothing here trusts the bytes.
//!
//! What is valid WASM says `wasmparser`, as in Nitro. Nitro's own changed its version from 0.121 to 0.245 with v3.10; the
//! earlier one also took two encodings that no compiler writes and that are refused here and since: an address that
//! names memory 0 in so many bytes, and a table's type padded with a zero byte.

use std::collections::HashMap;
use std::ops::Range;
use wasmparser::{
    BinaryReader, BinaryReaderError, Data, Element, ExternalKind, FuncType, FunctionBody, Imports,
    MemoryType, Name, NameSectionReader, Operator, Parser, Payload, TableType, TypeRef, Validator,
    WasmFeatures,
};

use super::params::StylusParams;

/// The export that a call of the program enters.
pub const ENTRY_POINT: &str = "user_entrypoint";

/// The export under which the host finds the program's memory.
pub const MEMORY: &str = "memory";

/// The one module that programs import from.
pub const HOOKS: &str = "vm_hooks";

/// The hostio that a program with growable memory must import.
pub const PAY_FOR_MEMORY_GROW: &str = "pay_for_memory_grow";

/// Why WASM is not a Stylus program.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    /// Malformed, badly typed, or using an extension that Stylus does not have.
    #[error("not valid WASM for Stylus: {0}")]
    Invalid(#[from] BinaryReaderError),
    /// More bytes than the chain allows.
    #[error("the program has {0} bytes, the limit is {1}")]
    TooLarge(usize, u32),
    /// A section that programs may not have; rustc's data count section is one (a round trip through text drops it).
    #[error("a {0} section is not supported")]
    Section(&'static str),
    /// An opcode that programs may not contain.
    #[error("opcode {0} is not supported")]
    Opcode(String),
    /// A global or segment whose initial value or offset is not a plain constant.
    #[error("the {0} is not initialized by a constant")]
    NotConstant(&'static str),
    /// Something other than a function is imported.
    #[error("import {0}.{1} is not a function")]
    ImportKind(String, String),
    /// Not a hostio.
    #[error("there is no import {0}.{1}")]
    UnknownImport(String, String),
    /// A hostio with the wrong parameters or results.
    #[error("import {0} has the wrong type")]
    ImportType(String),
    /// A hostio is imported more than once, under types of different index (however alike).
    #[error("import {0} has two types")]
    ImportTypes(String),
    /// An export has the name of an import.
    #[error("export {0} has the name of an import")]
    Reexport(String),
    /// Names beginning with `stylus` belong to the runtime.
    #[error("the name {0} is reserved")]
    Reserved(String),
    /// No memory, or it is not exported as `memory`.
    #[error("there is no memory exported as \"memory\"")]
    NoMemory,
    /// Memory can grow, but the hostio that pays for it is not imported.
    #[error("memory can grow, but vm_hooks.pay_for_memory_grow is not imported")]
    UnpaidGrowth,
    /// Too many initial pages.
    #[error("memory begins with {0} pages, the limit is {1}")]
    Pages(u64, u64),
    /// `user_entrypoint` is missing.
    #[error("there is no function exported as \"user_entrypoint\"")]
    NoEntryPoint,
    /// `user_entrypoint` is not `(i32) -> i32`.
    #[error("user_entrypoint must take one i32 and return one i32")]
    EntryPointType,
    /// A start function would run outside the meter's reach.
    #[error("start functions are not allowed")]
    StartFunction,
    /// More of something than is allowed.
    #[error("too many {what}: {count}, the limit is {limit}")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How many there are.
        count: u64,
        /// How many there may be.
        limit: u64,
    },
    /// A module name longer than 512 bytes.
    #[error("a module name of {0} bytes is too long")]
    LongName(usize),
    /// A data or element segment does not fit its memory or table.
    #[error("{0} segment out of bounds")]
    SegmentBounds(&'static str),
    /// A function needs too much stack.
    #[error("function {function} needs {words} words of stack, the limit is {limit}")]
    Frame {
        /// Index among the module's own functions.
        function: usize,
        /// Words needed.
        words: u32,
        /// Words allowed.
        limit: u32,
    },
}

/// A parsed program that keeps the rules of shape, not yet those of size (see [`Module::check_limits`]).
pub struct Module<'a> {
    /// The bytes all else points into.
    pub wasm: &'a [u8],
    /// Function types.
    pub types: Vec<FuncType>,
    /// Type index of each imported function.
    pub imports: Vec<u32>,
    /// Index of the imported `pay_for_memory_grow`, where there is one.
    pub pay_for_growth: Option<u32>,
    /// Type index of each of the module's own functions.
    pub functions: Vec<u32>,
    /// Tables (at most one).
    pub tables: Vec<TableType>,
    /// The memory.
    pub memory: MemoryType,
    /// Number of globals.
    pub globals: u32,
    /// Exports: name to kind and index.
    pub exports: HashMap<&'a str, (ExternalKind, u32)>,
    /// Function bodies.
    pub bodies: Vec<FunctionBody<'a>>,
    /// Data segments.
    pub data: Vec<Data<'a>>,
    /// Element segments.
    pub elements: Vec<Element<'a>>,
    /// Every section but the custom ones, as id and range in `wasm`, in order.
    pub sections: Vec<(u8, Range<usize>)>,
    /// Bytes of the module's name in the name section.
    pub(super) name_len: usize,
}

impl<'a> Module<'a> {
    /// Parses `wasm` and checks its shape.
    pub fn parse(wasm: &'a [u8], params: &StylusParams) -> Result<Self, ModuleError> {
        if wasm.len() > params.max_wasm_size as usize {
            return Err(ModuleError::TooLarge(wasm.len(), params.max_wasm_size));
        }
        Validator::new_with_features(features(params)).validate_all(wasm)?;

        let mut module = Module {
            wasm,
            types: vec![],
            imports: vec![],
            pay_for_growth: None,
            functions: vec![],
            tables: vec![],
            memory: MemoryType {
                memory64: false,
                shared: false,
                initial: 0,
                maximum: None,
                page_size_log2: None,
            },
            globals: 0,
            exports: HashMap::new(),
            bodies: vec![],
            data: vec![],
            elements: vec![],
            sections: vec![],
            name_len: 0,
        };
        let mut imports = vec![];
        let mut memories = 0;
        let mut start = false;
        for payload in Parser::new(0).parse_all(wasm) {
            let payload = payload?;
            if let Some((id, range)) = payload.as_section()
                && id != 0
            {
                module.sections.push((id, range));
            }
            match payload {
                Payload::TypeSection(types) => {
                    for ty in types.into_iter_err_on_gc_types() {
                        module.types.push(ty?);
                    }
                }
                Payload::ImportSection(section) => {
                    for import in section {
                        let Imports::Single(_, import) = import? else {
                            return Err(ModuleError::Section("compact import"));
                        };
                        let TypeRef::Func(ty) = import.ty else {
                            return Err(ModuleError::ImportKind(
                                import.module.into(),
                                import.name.into(),
                            ));
                        };
                        imports.push((import.module, import.name, ty));
                    }
                }
                Payload::FunctionSection(section) => {
                    for ty in section {
                        module.functions.push(ty?);
                    }
                }
                Payload::TableSection(section) => {
                    for table in section {
                        module.tables.push(table?.ty);
                    }
                }
                Payload::MemorySection(section) => {
                    for memory in section {
                        module.memory = memory?;
                        memories += 1;
                    }
                }
                Payload::GlobalSection(section) => {
                    for global in section {
                        constant(&global?.init_expr, "global")?;
                        module.globals += 1;
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export?;
                        module.exports.insert(export.name, (export.kind, export.index));
                    }
                }
                Payload::StartSection { .. } => start = true,
                Payload::ElementSection(section) => {
                    for element in section {
                        module.elements.push(element?);
                    }
                }
                Payload::DataSection(section) => {
                    for data in section {
                        module.data.push(data?);
                    }
                }
                Payload::CodeSectionEntry(body) => module.bodies.push(body),
                Payload::CustomSection(custom) if custom.name() == "name" => {
                    module.name_len = module_name_len(custom.data(), custom.data_offset())?;
                }
                Payload::Version { .. }
                | Payload::CodeSectionStart { .. }
                | Payload::CustomSection(_)
                | Payload::End(_) => {}
                Payload::DataCountSection { .. } => return Err(ModuleError::Section("data count")),
                _ => return Err(ModuleError::Section("unknown")),
            }
        }
        if start {
            return Err(ModuleError::StartFunction);
        }
        module.check_imports(&imports)?;
        module.check_memory(memories)?;
        module.check_entry_point()?;
        Ok(module)
    }

    /// The type of the function at `index` of the function index space.
    pub fn function_type(&self, index: u32) -> Option<&FuncType> {
        let index = index as usize;
        let ty = match self.imports.get(index) {
            Some(ty) => ty,
            None => self.functions.get(index - self.imports.len())?,
        };
        self.types.get(*ty as usize)
    }

    /// Initial memory, in pages.
    pub fn footprint(&self) -> u16 {
        // a 32-bit memory has at most 65,536 pages, and more than `page_limit` are refused anyway
        self.memory.initial.min(u16::MAX.into()) as u16
    }
}

/// The extensions of WASM that programs may use. `FLOATS` is on so that floats may appear in signatures; float
/// arithmetic is refused opcode by opcode.
fn features(params: &StylusParams) -> WasmFeatures {
    let mut features = WasmFeatures::MUTABLE_GLOBAL
        | WasmFeatures::SATURATING_FLOAT_TO_INT
        | WasmFeatures::SIGN_EXTENSION
        | WasmFeatures::BULK_MEMORY
        | WasmFeatures::FLOATS
        | WasmFeatures::GC_TYPES;
    features.set(WasmFeatures::MULTI_VALUE, params.arbos_version < 60);
    features
}

/// The value of an initializer that is one constant; an `i32` is read as unsigned.
pub(super) fn constant(
    init: &wasmparser::ConstExpr<'_>,
    what: &'static str,
) -> Result<u64, ModuleError> {
    let mut ops = init.get_operators_reader();
    let value = match ops.read()? {
        Operator::I32Const { value } => u64::from(value as u32),
        Operator::I64Const { value } => value as u64,
        Operator::F32Const { .. } | Operator::F64Const { .. } => 0,
        _ => return Err(ModuleError::NotConstant(what)),
    };
    match ops.read()? {
        Operator::End if ops.eof() => Ok(value),
        _ => Err(ModuleError::NotConstant(what)),
    }
}

/// Length of the module name in a name section, which must be well formed.
fn module_name_len(data: &[u8], offset: usize) -> Result<usize, ModuleError> {
    let mut len = 0;
    for name in NameSectionReader::new(BinaryReader::new(data, offset)) {
        match name? {
            Name::Module { name, .. } => len = name.len(),
            Name::Function(names) => {
                for naming in names {
                    naming?;
                }
            }
            _ => {}
        }
    }
    Ok(len)
}
