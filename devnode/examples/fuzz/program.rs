//! Programs at random: typed from the start, so that nearly all of them are admitted and run far.
//!
//! wasm-smith knows all of WASM but nothing of Stylus: its programs mostly trap at their first address. These call
//! hostios with arguments that are usually good, stay within memory, loop and recurse, and write out what they
//! computed; now and then they do none of that.

use rand::{Rng, rngs::StdRng, seq::IndexedRandom};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, CustomSection, DataSection, ElementSection, Elements,
    EntityType, ExportKind, ExportSection, Function, FunctionSection, GlobalSection, GlobalType,
    ImportSection, Instruction as Op, InstructionSink, MemArg, MemorySection, MemoryType, Module,
    RefType, TableSection, TableType, TypeSection, ValType,
};

const I: ValType = ValType::I32;
const L: ValType = ValType::I64;

/// A function's parameters and results.
type Signature = (Vec<ValType>, Vec<ValType>);

/// Every hostio, with its parameters and results.
#[rustfmt::skip]
pub(crate) const HOSTIOS: &[(&str, &[ValType], &[ValType])] = &[
    ("pay_for_memory_grow", &[I], &[]),
    ("read_args", &[I], &[]), ("write_result", &[I, I], &[]), ("exit_early", &[I], &[]),
    ("storage_load_bytes32", &[I, I], &[]), ("storage_cache_bytes32", &[I, I], &[]),
    ("storage_flush_cache", &[I], &[]),
    ("transient_load_bytes32", &[I, I], &[]), ("transient_store_bytes32", &[I, I], &[]),
    ("call_contract", &[I, I, I, I, L, I], &[I]),
    ("delegate_call_contract", &[I, I, I, L, I], &[I]), ("static_call_contract", &[I, I, I, L, I], &[I]),
    ("create1", &[I; 5], &[]), ("create2", &[I; 6], &[]),
    ("read_return_data", &[I, I, I], &[I]), ("return_data_size", &[], &[I]),
    ("emit_log", &[I, I, I], &[]),
    ("account_balance", &[I, I], &[]), ("account_code", &[I, I, I, I], &[I]),
    ("account_code_size", &[I], &[I]), ("account_codehash", &[I, I], &[]),
    ("evm_gas_left", &[], &[L]), ("evm_ink_left", &[], &[L]),
    ("block_basefee", &[I], &[]), ("chainid", &[], &[L]), ("block_coinbase", &[I], &[]),
    ("block_gas_limit", &[], &[L]), ("block_number", &[], &[L]), ("block_timestamp", &[], &[L]),
    ("contract_address", &[I], &[]),
    ("math_div", &[I, I], &[]), ("math_mod", &[I, I], &[]), ("math_pow", &[I, I], &[]),
    ("math_add_mod", &[I, I, I], &[]), ("math_mul_mod", &[I, I, I], &[]),
    ("msg_reentrant", &[], &[I]), ("msg_sender", &[I], &[]), ("msg_value", &[I], &[]),
    ("native_keccak256", &[I, I, I], &[]),
    ("tx_gas_price", &[I], &[]), ("tx_ink_price", &[], &[I]), ("tx_origin", &[I], &[]),
];

/// Makes a program.
pub(crate) fn random_program(rng: &mut StdRng) -> Vec<u8> {
    Shape::random(rng).encode(rng)
}

/// Everything about a module but its code.
struct Shape {
    types: Vec<Signature>,
    /// Index into [`HOSTIOS`] of each import.
    imports: Vec<usize>,
    /// Type index of each function; the last is the entry point.
    functions: Vec<u32>,
    globals: Vec<(ValType, bool)>,
    pages: u64,
    max_pages: Option<u64>,
    /// Entries of the table, where there is one.
    table: Option<u64>,
}

impl Shape {
    fn random(rng: &mut StdRng) -> Self {
        let mut types: Vec<Signature> = HOSTIOS
            .iter()
            .map(|(_, params, results)| (params.to_vec(), results.to_vec()))
            .collect();
        types.push((vec![I], vec![I])); // the entry point's
        for _ in 0..rng.random_range(1..6) {
            let value = |rng: &mut StdRng| if rng.random() { I } else { L };
            let params = (0..rng.random_range(0..5)).map(|_| value(rng)).collect();
            let most = if rng.random_ratio(1, 8) { 3 } else { 1 };
            types.push((params, (0..rng.random_range(0..=most)).map(|_| value(rng)).collect()));
        }
        let pages = *[0, 1, 1, 1, 2, 3].choose(rng).unwrap_or(&1);
        let max_pages = match rng.random_range(0..4) {
            0 => None,
            1 | 2 => Some(pages),
            _ => Some(pages + rng.random_range(0..4)),
        };
        let share = *[1, 3, 5].choose(rng).unwrap_or(&1);
        let mut imports: Vec<usize> =
            (1..HOSTIOS.len()).filter(|_| rng.random_ratio(1, share)).collect();
        if max_pages != Some(pages) || rng.random_ratio(1, 8) {
            imports.insert(rng.random_range(0..=imports.len()), 0);
        }
        let mut functions: Vec<u32> = (0..rng.random_range(0..6))
            .map(|_| rng.random_range(HOSTIOS.len()..types.len()) as u32)
            .collect();
        functions.push(HOSTIOS.len() as u32);
        Self {
            imports,
            functions,
            globals: (0..rng.random_range(0..4))
                .map(|_| (if rng.random() { I } else { L }, rng.random_ratio(3, 4)))
                .collect(),
            pages,
            max_pages,
            table: rng.random_ratio(2, 3).then(|| rng.random_range(0..10)),
            types,
        }
    }

    /// Parameters and results of the function at `index`, imports first.
    fn signature(&self, index: usize) -> (u32, &Signature) {
        let ty = match self.imports.get(index) {
            Some(hostio) => *hostio as u32,
            None => self.functions[index - self.imports.len()],
        };
        (ty, &self.types[ty as usize])
    }

    fn encode(&self, rng: &mut StdRng) -> Vec<u8> {
        let mut types = TypeSection::new();
        for (params, results) in &self.types {
            types.ty().function(params.iter().copied(), results.iter().copied());
        }
        let mut imports = ImportSection::new();
        for hostio in &self.imports {
            imports.import("vm_hooks", HOSTIOS[*hostio].0, EntityType::Function(*hostio as u32));
        }
        let mut functions = FunctionSection::new();
        for ty in &self.functions {
            functions.function(*ty);
        }
        let mut memories = MemorySection::new();
        memories.memory(MemoryType {
            minimum: self.pages,
            maximum: self.max_pages,
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
        let mut globals = GlobalSection::new();
        for &(val_type, mutable) in &self.globals {
            let value = match val_type {
                I => ConstExpr::i32_const(rng.random()),
                _ => ConstExpr::i64_const(rng.random()),
            };
            globals.global(GlobalType { val_type, mutable, shared: false }, &value);
        }
        let count = (self.imports.len() + self.functions.len()) as u32;
        let mut exports = ExportSection::new();
        exports.export("memory", ExportKind::Memory, 0);
        exports.export("user_entrypoint", ExportKind::Func, count - 1);
        if rng.random_ratio(1, 4) {
            exports.export("mark_used", ExportKind::Func, rng.random_range(0..count));
        }
        let mut elements = ElementSection::new();
        let mut tables = TableSection::new();
        if let Some(minimum) = self.table {
            let maximum = rng.random::<bool>().then(|| minimum + rng.random_range(0..3));
            let element_type = RefType::FUNCREF;
            tables.table(TableType {
                element_type,
                table64: false,
                minimum,
                maximum,
                shared: false,
            });
            for _ in 0..rng.random_range(0..3) {
                let len = rng.random_range(0..=minimum);
                let start = rng.random_range(0..=minimum - len) as i32;
                let items: Vec<u32> = (0..len).map(|_| rng.random_range(0..count)).collect();
                elements.active(
                    None,
                    &ConstExpr::i32_const(start),
                    Elements::Functions(items.into()),
                );
            }
        }
        let mut data = DataSection::new();
        for _ in 0..rng.random_range(0..3) {
            let bytes: Vec<u8> = (0..rng.random_range(0..200)).map(|_| rng.random()).collect();
            let start = rng.random_range(0..2_000).min((self.pages << 16) as i32 - 200).max(0);
            let start = if rng.random_ratio(1, 32) { rng.random() } else { start };
            data.active(0, &ConstExpr::i32_const(start), bytes);
        }
        let mut code = CodeSection::new();
        for index in 0..self.functions.len() {
            code.function(&Body::new(self, rng, index).finish());
        }

        let mut module = Module::new();
        module.section(&types).section(&imports).section(&functions);
        if self.table.is_some() {
            module.section(&tables);
        }
        module.section(&memories).section(&globals).section(&exports);
        if !elements.is_empty() {
            module.section(&elements);
        }
        module.section(&code);
        if !data.is_empty() {
            module.section(&data);
        }
        if rng.random_ratio(1, 8) {
            module.section(&CustomSection { name: "note".into(), data: (&[0, 1, 2][..]).into() });
        }
        module.finish()
    }
}

/// A function in the making.
struct Body<'a> {
    shape: &'a Shape,
    rng: &'a mut StdRng,
    function: Function,
    /// Types of parameters and locals.
    locals: Vec<ValType>,
    results: &'a [ValType],
    /// Results of each block around the code being written, the function's first.
    labels: Vec<Vec<ValType>>,
    /// Statements and expressions still to be had.
    fuel: u32,
    entry: bool,
}

impl<'a> Body<'a> {
    fn new(shape: &'a Shape, rng: &'a mut StdRng, index: usize) -> Self {
        let (params, results) = &shape.types[shape.functions[index] as usize];
        let own: Vec<(u32, ValType)> = (0..rng.random_range(0..4))
            .map(|_| (rng.random_range(1..4), if rng.random() { I } else { L }))
            .collect();
        let mut locals = params.clone();
        locals.extend(own.iter().flat_map(|&(count, ty)| vec![ty; count as usize]));
        Self {
            shape,
            function: Function::new(own),
            locals,
            results,
            labels: vec![results.clone()],
            fuel: rng.random_range(10..200),
            entry: index + 1 == shape.functions.len(),
            rng,
        }
    }

    fn finish(mut self) -> Function {
        for _ in 0..self.rng.random_range(1..8) {
            self.statement(0);
        }
        if self.entry
            && let Some(write) = self.import("write_result")
            && self.rng.random_ratio(3, 4)
        {
            self.op().i32_const(0).i32_const(2_048).call(write);
        }
        if self.entry && self.rng.random_ratio(3, 4) {
            self.op().i32_const(0);
        } else {
            self.values(self.results, 0);
        }
        self.op().end();
        self.function
    }

    fn op(&mut self) -> InstructionSink<'_> {
        self.function.instructions()
    }

    fn chance(&mut self, of: u32) -> bool {
        self.rng.random_ratio(1, of)
    }

    fn import(&self, name: &str) -> Option<u32> {
        self.shape.imports.iter().position(|i| HOSTIOS[*i].0 == name).map(|index| index as u32)
    }

    /// A local of type `ty`.
    fn local(&mut self, ty: ValType) -> Option<u32> {
        let fit: Vec<u32> =
            (0..self.locals.len() as u32).filter(|i| self.locals[*i as usize] == ty).collect();
        fit.choose(self.rng).copied()
    }

    fn values(&mut self, types: &[ValType], depth: u32) {
        for ty in types {
            self.value(*ty, depth);
        }
    }

    fn drop(&mut self, count: usize) {
        for _ in 0..count {
            self.op().drop();
        }
    }

    fn offset(&mut self, align: u32) -> MemArg {
        let offset = match self.rng.random_range(0..24) {
            0 => self.rng.random_range(0..1 << 32),
            1 => 65_536,
            _ => self.rng.random_range(0..64),
        };
        MemArg { offset, align: self.rng.random_range(0..=align), memory_index: 0 }
    }

    /// An `i32` that is likely an address, a length or an index.
    fn address(&mut self, depth: u32) {
        match self.rng.random_range(0..20) {
            0 => self.value(I, depth),
            1..4 => {
                self.value(I, depth);
                self.op().i32_const(0x7ff).i32_and();
            }
            4..8 => {
                let small = self.rng.random_range(0..4);
                self.op().i32_const(small);
            }
            _ => {
                let word = self.rng.random_range(0..40) * 32;
                self.op().i32_const(word);
            }
        }
    }

    /// Arguments for a call: addresses where they are `i32`.
    fn arguments(&mut self, types: &[ValType], depth: u32) {
        for ty in types {
            match *ty {
                I => self.address(depth),
                ty => self.value(ty, depth),
            }
        }
    }

    /// Calls some function; its results are on the stack afterwards.
    fn call(&mut self, depth: u32) -> Vec<ValType> {
        let count = self.shape.imports.len() + self.shape.functions.len();
        let mut index = self.rng.random_range(0..count);
        if Some(index as u32) == self.import("exit_early") && !self.chance(8) {
            index = count - 1;
        }
        if index == count - 1 && !self.chance(8) {
            index = self.rng.random_range(0..count);
        }
        let (ty, (params, results)) = self.shape.signature(index);
        if Some(index as u32) == self.import("emit_log") {
            let topics = self.rng.random_range(0..6);
            self.address(depth);
            self.op().i32_const(160).i32_const(topics);
        } else {
            self.arguments(params, depth);
        }
        if Some(index as u32) == self.import("storage_cache_bytes32")
            && let Some(flush) = self.import("storage_flush_cache")
            && self.chance(3)
        {
            let clear = self.rng.random_range(0..2);
            self.op().call(index as u32).i32_const(clear).call(flush);
            return vec![];
        }
        if self.shape.table.is_some() && self.chance(4) {
            self.address(depth);
            self.op().call_indirect(0, ty);
        } else {
            self.op().call(index as u32);
        }
        results.clone()
    }

    fn enter(&mut self, result: Option<ValType>) -> BlockType {
        self.labels.push(result.into_iter().collect());
        result.map_or(BlockType::Empty, BlockType::Result)
    }

    fn exit(&mut self) {
        self.labels.pop();
        self.op().end();
    }

    /// Code that leaves the stack as it was.
    fn statement(&mut self, depth: u32) {
        if self.fuel == 0 || depth > 5 {
            self.op().nop();
            return;
        }
        self.fuel -= 1;
        let deeper = depth + 1;
        match self.rng.random_range(0..24) {
            0..4 => {
                let ty = if self.rng.random() { I } else { L };
                if let Some(local) = self.local(ty) {
                    self.value(ty, deeper);
                    self.op().local_set(local);
                }
            }
            4..6 => {
                let settable = |(_, (_, mutable)): &(usize, &(ValType, bool))| *mutable;
                let globals: Vec<_> =
                    self.shape.globals.iter().enumerate().filter(settable).collect();
                if let Some(&(index, &(ty, _))) = globals.choose(self.rng) {
                    self.value(ty, deeper);
                    self.op().global_set(index as u32);
                }
            }
            6..9 => self.store(deeper),
            9..13 => {
                let results = self.call(deeper);
                self.drop(results.len());
            }
            13 => {
                self.value(I, deeper);
                let ty = self.enter(None);
                self.op().if_(ty);
                self.statement(deeper);
                if self.rng.random() {
                    self.op().else_();
                    self.statement(deeper);
                }
                self.exit();
            }
            14 => self.repeat(deeper),
            15 => {
                let ty = self.enter(None);
                self.op().block(ty);
                self.statement(deeper);
                self.branch(deeper);
                self.statement(deeper);
                self.exit();
            }
            16 => self.branch(deeper),
            17 => {
                self.address(deeper);
                self.value(I, deeper);
                self.address(deeper);
                self.op().memory_fill(0);
            }
            18 => {
                self.address(deeper);
                self.address(deeper);
                self.address(deeper);
                self.op().memory_copy(0, 0);
            }
            19 if self.chance(8) => {
                match self.rng.random_range(0..3) {
                    0 => drop(self.op().unreachable()),
                    1 => {
                        self.values(self.results, deeper);
                        self.op().return_();
                    }
                    _ => self.branch_always(deeper),
                }
                self.statement(deeper); // dead
            }
            20 if self.chance(8) => {
                // floats that are only carried about
                match self.rng.random_range(0..3) {
                    0 => drop(self.op().f32_const(0.5.into()).drop()),
                    1 => drop(self.op().i32_const(0).f64_const(0.5.into()).f64_store(MemArg {
                        offset: 0,
                        align: 3,
                        memory_index: 0,
                    })),
                    _ => drop(self.op().i32_const(1).f32_reinterpret_i32().drop()),
                }
            }
            _ => {
                let ty = if self.rng.random() { I } else { L };
                self.value(ty, deeper);
                self.op().drop();
            }
        }
    }

    /// A loop that ends after a few rounds, unless its counter is overwritten.
    fn repeat(&mut self, depth: u32) {
        let Some(counter) = self.local(I) else { return };
        let rounds = self.rng.random_range(1..20);
        self.op().i32_const(rounds).local_set(counter);
        let ty = self.enter(None);
        self.op().loop_(ty);
        self.statement(depth);
        self.statement(depth);
        self.op().local_get(counter).i32_const(1).i32_sub().local_tee(counter).br_if(0);
        self.exit();
    }

    /// `br_if` to somewhere.
    fn branch(&mut self, depth: u32) {
        let label = self.rng.random_range(0..self.labels.len());
        let types = self.labels[self.labels.len() - 1 - label].clone();
        self.values(&types, depth);
        self.value(I, depth);
        self.op().br_if(label as u32);
        self.drop(types.len());
    }

    /// `br_table` or `br`.
    fn branch_always(&mut self, depth: u32) {
        let label = self.rng.random_range(0..self.labels.len());
        let types = self.labels[self.labels.len() - 1 - label].clone();
        self.values(&types, depth);
        let same: Vec<u32> = (0..self.labels.len())
            .filter(|i| self.labels[self.labels.len() - 1 - i] == types)
            .map(|i| i as u32)
            .collect();
        if self.chance(3) {
            self.op().br(label as u32);
        } else {
            let targets: Vec<u32> = (0..self.rng.random_range(0..6))
                .filter_map(|_| same.choose(self.rng).copied())
                .collect();
            self.value(I, depth);
            self.op().br_table(targets, label as u32);
        }
    }

    fn store(&mut self, depth: u32) {
        self.address(depth);
        let ty = if self.rng.random() { I } else { L };
        self.value(ty, depth);
        let (at, kind) = (self.offset(0), self.rng.random_range(0..3));
        let mut op = self.op();
        match (ty, kind) {
            (I, 0) => op.i32_store8(at),
            (I, 1) => op.i32_store16(at),
            (I, _) => op.i32_store(at),
            (_, 0) => op.i64_store8(at),
            (_, 1) => op.i64_store32(at),
            _ => op.i64_store(at),
        };
    }

    /// Code that puts one value of type `ty` on the stack.
    fn value(&mut self, ty: ValType, depth: u32) {
        if self.fuel == 0 || depth > 6 || self.chance(4) {
            return self.constant(ty);
        }
        self.fuel -= 1;
        let deeper = depth + 1;
        match self.rng.random_range(0..16) {
            0..3 => match self.local(ty) {
                Some(local) => drop(self.op().local_get(local)),
                None => self.constant(ty),
            },
            3 => match self.shape.globals.iter().position(|(have, _)| *have == ty) {
                Some(global) => drop(self.op().global_get(global as u32)),
                None => self.constant(ty),
            },
            4..8 => {
                self.value(ty, deeper);
                self.value(ty, deeper);
                let ops = if ty == I { I32_BINARY } else { I64_BINARY };
                self.one_of(ops);
            }
            8 => {
                self.value(ty, deeper);
                self.one_of(if ty == I { I32_UNARY } else { I64_UNARY });
            }
            9 => {
                let other = if ty == I { L } else { I };
                self.value(other, deeper);
                match (ty, self.rng.random_range(0..4)) {
                    (I, 0) => drop(self.op().i32_wrap_i64()),
                    (I, 1) => drop(self.op().i64_eqz()),
                    (I, _) => {
                        self.value(L, deeper);
                        self.one_of(I64_COMPARE);
                    }
                    (_, 0 | 1) => drop(self.op().i64_extend_i32_s()),
                    _ => drop(self.op().i64_extend_i32_u()),
                }
            }
            10 => {
                self.address(deeper);
                let (at, kind) = (self.offset(0), self.rng.random_range(0..4));
                let mut op = self.op();
                match (ty, kind) {
                    (I, 0) => op.i32_load8_s(at),
                    (I, 1) => op.i32_load16_u(at),
                    (I, _) => op.i32_load(at),
                    (_, 0) => op.i64_load8_u(at),
                    (_, 1) => op.i64_load32_s(at),
                    _ => op.i64_load(at),
                };
            }
            11 => {
                let results = self.call(deeper);
                match results.last() {
                    Some(last) if *last == ty && results.len() == 1 => {}
                    _ => {
                        self.drop(results.len());
                        self.constant(ty);
                    }
                }
            }
            12 => {
                self.value(I, deeper);
                let block = self.enter(Some(ty));
                self.op().if_(block);
                self.value(ty, deeper);
                self.op().else_();
                self.statement(deeper);
                self.value(ty, deeper);
                self.exit();
            }
            13 => {
                let block = self.enter(Some(ty));
                self.op().block(block);
                self.statement(deeper);
                self.value(ty, deeper);
                if self.rng.random() {
                    self.value(I, deeper);
                    self.op().br_if(0);
                }
                self.exit();
            }
            14 => {
                self.value(ty, deeper);
                self.value(ty, deeper);
                self.value(I, deeper);
                self.op().select();
            }
            _ if ty == I => match self.rng.random_range(0..3) {
                0 => drop(self.op().memory_size(0)),
                _ => {
                    let pages = match self.rng.random_range(0..12) {
                        0 => self.rng.random(),
                        1 => 65_536,
                        2 => 128,
                        _ => self.rng.random_range(0..4),
                    };
                    self.op().i32_const(pages).memory_grow(0);
                }
            },
            _ => match self.local(ty) {
                Some(local) => {
                    self.value(ty, deeper);
                    self.op().local_tee(local);
                }
                None => self.constant(ty),
            },
        }
    }

    fn one_of(&mut self, ops: &[Op<'static>]) {
        if let Some(op) = ops.choose(self.rng) {
            self.function.instruction(op);
        }
    }

    fn constant(&mut self, ty: ValType) {
        let value: i64 = match self.rng.random_range(0..8) {
            0 => self.rng.random(),
            1 => *[i32::MIN.into(), i32::MAX.into(), i64::MIN, i64::MAX, -1]
                .choose(self.rng)
                .unwrap_or(&0),
            _ => self.rng.random_range(-2..40),
        };
        match ty {
            I => self.op().i32_const(value as i32),
            _ => self.op().i64_const(value),
        };
    }
}

#[rustfmt::skip]
const I32_BINARY: &[Op<'static>] = &[
    Op::I32Add, Op::I32Sub, Op::I32Mul, Op::I32DivS, Op::I32DivU, Op::I32RemS, Op::I32RemU, Op::I32And, Op::I32Or,
    Op::I32Xor, Op::I32Shl, Op::I32ShrS, Op::I32ShrU, Op::I32Rotl, Op::I32Rotr, Op::I32Eq, Op::I32Ne, Op::I32LtS,
    Op::I32LtU, Op::I32GtS, Op::I32GtU, Op::I32LeS, Op::I32LeU, Op::I32GeS, Op::I32GeU,
];
#[rustfmt::skip]
const I64_BINARY: &[Op<'static>] = &[
    Op::I64Add, Op::I64Sub, Op::I64Mul, Op::I64DivS, Op::I64DivU, Op::I64RemS, Op::I64RemU, Op::I64And, Op::I64Or,
    Op::I64Xor, Op::I64Shl, Op::I64ShrS, Op::I64ShrU, Op::I64Rotl, Op::I64Rotr,
];
#[rustfmt::skip]
const I64_COMPARE: &[Op<'static>] = &[
    Op::I64Eq, Op::I64Ne, Op::I64LtS, Op::I64LtU, Op::I64GtS, Op::I64GtU, Op::I64LeS, Op::I64LeU, Op::I64GeS, Op::I64GeU,
];
const I32_UNARY: &[Op<'static>] =
    &[Op::I32Eqz, Op::I32Clz, Op::I32Ctz, Op::I32Popcnt, Op::I32Extend8S, Op::I32Extend16S];
const I64_UNARY: &[Op<'static>] =
    &[Op::I64Clz, Op::I64Ctz, Op::I64Popcnt, Op::I64Extend8S, Op::I64Extend16S, Op::I64Extend32S];
