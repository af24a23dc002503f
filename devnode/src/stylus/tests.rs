//! Replays recorded calls of programs that need no other account (`tests/vectors`), against a host of one account.

use alloy_primitives::{Address, B256, Bytes, Log, LogData, U256, hex};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use super::*;

/// One account's storage, and nothing else: calls and creations fail, all other accounts are empty.
#[derive(Default)]
pub(super) struct Lone {
    address: Address,
    storage: BTreeMap<B256, B256>,
    original: BTreeMap<B256, B256>,
    transient: BTreeMap<B256, B256>,
    warm: HashSet<B256>,
    logs: Vec<Log>,
    pages: u16,
}

impl Lone {
    /// Whether `key` was cold; it is warm afterwards.
    fn warm_up(&mut self, key: B256) -> bool {
        self.warm.insert(key)
    }

    fn slot(&self, key: &B256) -> B256 {
        self.storage.get(key).copied().unwrap_or_default()
    }

    /// `SSTORE` after EIP-2200, EIP-2929 and EIP-3529, refunds aside.
    fn store_gas(&mut self, key: B256, value: B256) -> u64 {
        let current = self.slot(&key);
        let original = self.original.get(&key).copied().unwrap_or_default();
        let access = if self.warm_up(key) { 2_100 } else { 0 };
        access
            + match () {
                () if current == value || original != current => 100,
                () if original.is_zero() => 20_000,
                () => 2_900,
            }
    }

    /// Begins a transaction that starts with `pages` open.
    fn begin(&mut self, pages: u16) {
        self.original = self.storage.clone();
        self.transient.clear();
        self.warm.clear();
        self.logs.clear();
        self.pages = pages;
    }
}

/// Pages beyond two cost 1,000 gas each and the growth of an exponential that reaches 31,874,000 at 128.
fn page_exponential(pages: u16) -> u64 {
    if pages > 128 { u64::MAX } else { (31_874_000f64.ln() / 128.).exp().powi(pages.into()) as u64 }
}

impl StylusHost for Lone {
    fn storage_load(&mut self, key: B256) -> (B256, u64) {
        let gas = if self.warm_up(key) { 2_100 } else { 100 };
        (self.slot(&key), gas)
    }

    fn storage_store(&mut self, slots: &[(B256, B256)], gas_left: u64) -> (u64, HostStatus) {
        let mut used = 0;
        for &(key, value) in slots {
            used += self.store_gas(key, value);
            if used >= gas_left {
                return (gas_left, HostStatus::OutOfGas);
            }
            self.storage.insert(key, value);
        }
        (used, HostStatus::Success)
    }

    fn transient_load(&mut self, key: B256) -> B256 {
        self.transient.get(&key).copied().unwrap_or_default()
    }

    fn transient_store(&mut self, key: B256, value: B256) -> HostStatus {
        self.transient.insert(key, value);
        HostStatus::Success
    }

    fn call(&mut self, _: CallKind, _: Address, _: &[u8], _: u64, _: u64) -> CallResult {
        CallResult { success: false, output: Bytes::new(), gas_cost: 0 }
    }

    fn create(
        &mut self,
        _: &[u8],
        _: U256,
        _: Option<B256>,
        _: u64,
    ) -> Result<CreateResult, HostError> {
        Err(HostError("no other accounts here".into()))
    }

    fn emit_log(&mut self, topics: &[B256], data: &[u8]) -> Result<(), HostError> {
        let data = LogData::new_unchecked(topics.to_vec(), data.to_vec().into());
        self.logs.push(Log { address: self.address, data });
        Ok(())
    }

    fn account_balance(&mut self, _: Address) -> (U256, u64) {
        (U256::ZERO, 2_600)
    }

    fn account_code(&mut self, _: Address, _: u64) -> (Bytes, u64) {
        (Bytes::new(), 3_300)
    }

    fn account_code_hash(&mut self, _: Address) -> (B256, u64) {
        (B256::ZERO, 2_600)
    }

    fn add_pages(&mut self, pages: u16) -> u64 {
        let before = self.pages;
        self.pages = before.saturating_add(pages);
        if self.pages <= 2 {
            return 0;
        }
        let paid = |pages: u16| u64::from(pages.saturating_sub(2)) * 1_000;
        (paid(self.pages) - paid(before))
            .saturating_add(page_exponential(self.pages) - page_exponential(before))
    }
}

pub(super) fn folder() -> PathBuf {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors").into()
}

/// A vector file and the WASM of its program.
pub(super) fn load(path: PathBuf) -> (Value, Vec<u8>) {
    let vector: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let program = path.with_file_name(text(&vector["program"]));
    let wasm = wat::parse_file(program).unwrap();
    assert_eq!(wasm.len() as u64, number(&vector["wasm_len"]));
    (vector, wasm)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

fn decimal(value: &Value) -> U256 {
    text(value).parse().unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(text(value)).unwrap()
}

/// Checks what activation records and costs.
fn check_activation(name: &str, vector: &Value, wasm: &[u8]) -> Activation {
    let params = StylusParams::ARBOS_51;
    let activation = activate(wasm, &params, params.page_limit)
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    let got = [
        activation.footprint.into(),
        params.init_gas(activation.init_cost),
        params.cached_init_gas(activation.cached_init_cost),
        activation.gas,
    ];
    let expected = ["wasm_footprint_pages", "init_gas", "cached_init_gas", "activation_gas"]
        .map(|field| number(&vector[field]));
    assert_eq!(got, expected, "{name}: footprint, init gas, cached init gas, activation gas");
    activation
}

/// Replays all calls of a vector; returns how many there were.
fn replay(name: &str) -> usize {
    let (vector, wasm) = load(folder().join(name).with_extension("json"));
    let params = StylusParams::ARBOS_51;
    let activation = check_activation(name, &vector, &wasm);
    let program = Program::compile(&wasm, &params).unwrap();
    let env = &vector["env"];
    let mut host =
        Lone { address: text(&vector["address"]).parse().unwrap(), ..Default::default() };
    for (key, value) in vector["storage"].as_object().into_iter().flatten() {
        host.storage.insert(key.parse().unwrap(), text(value).parse().unwrap());
    }

    let calls = vector["calls"].as_array().unwrap();
    for call in calls {
        let what = format!("{name}: {}", call["name"]);
        let expect = &call["expect"];
        let cached = call["cached"].as_bool().unwrap();
        let init = params.cached_init_gas(activation.cached_init_cost)
            + if cached { 0 } else { params.init_gas(activation.init_cost) };
        assert_eq!(init, number(&expect["call_cost"]["init"]), "{what}: init gas");
        host.begin(0);
        let pages = host.add_pages(activation.footprint);
        assert_eq!(pages, number(&expect["call_cost"]["pages"]), "{what}: page gas");

        let sender = text(&call["from"]).parse().unwrap();
        let basefee = decimal(&env["basefee"]);
        let args = bytes(&call["data"]);
        let context = CallContext {
            args: &args,
            context: Context {
                address: host.address,
                sender,
                value: decimal(&call["value"]),
                reentrant: false,
                origin: sender,
                gas_price: basefee,
                basefee,
                coinbase: text(&env["coinbase"]).parse().unwrap(),
                block_gas_limit: number(&env["block_gas_limit"]),
                block_number: number(&call["block"]),
                block_timestamp: number(&call["timestamp"]),
                chain_id: number(&env["chain_id"]),
                ink_price: params.ink_price,
                max_stack_depth: params.max_stack_depth,
                arbos_version: params.arbos_version,
            },
        };
        let halt = expect["halt"].as_str();
        let gas = number(&call["gas"])
            .checked_sub(number(&expect["intrinsic"]))
            .and_then(|gas| gas.checked_sub(init + pages));
        let Some(gas) = gas else {
            assert_eq!(halt, Some("OutOfGas(Basic)"), "{what}: cannot even begin");
            continue;
        };
        let ink = params.gas_to_ink(gas);
        let RunResult { outcome, ink_left } = program.run(&context, &mut host, ink);

        // a frame that cannot pay for EVM memory of the output's size halts: the chain's rule, not the VM's
        let output_words = match &outcome {
            Outcome::Success(output) | Outcome::Revert(output) => output.len().div_ceil(32) as u64,
            _ => 0,
        };
        if gas + init + pages < 3 * output_words + output_words * output_words / 512 {
            assert_eq!(halt, Some("OutOfGas(Basic)"), "{what}: below the floor of the output");
            continue;
        }
        let (status, reason, output) = match outcome {
            Outcome::Success(output) => ("success", None, output),
            Outcome::Revert(output) => ("revert", None, output),
            Outcome::Failure(_) => ("revert", None, vec![]),
            Outcome::OutOfInk => ("halt", Some("OutOfGas(Basic)"), vec![]),
            Outcome::OutOfStack => ("halt", Some("StackOverflow"), vec![]),
        };
        assert_eq!((status, reason), (text(&expect["status"]), halt), "{what}: status");
        assert_eq!(hex::encode_prefixed(output), text(&expect["output"]), "{what}: output");
        match expect["ink"].as_u64() {
            Some(expected) => assert_eq!(ink - ink_left, expected, "{what}: ink"),
            None => assert_eq!(ink_left, 0, "{what}: ink left"),
        }
        if status == "success" {
            check_logs(&what, &host.logs, expect["logs"].as_array().unwrap());
        } else {
            host.storage = std::mem::take(&mut host.original);
        }
    }
    calls.len()
}

fn check_logs(what: &str, got: &[Log], expected: &[Value]) {
    assert_eq!(got.len(), expected.len(), "{what}: logs");
    for (got, expected) in got.iter().zip(expected) {
        assert_eq!(got.address, text(&expected["address"]).parse::<Address>().unwrap(), "{what}");
        let topics: Vec<B256> = expected["topics"]
            .as_array()
            .unwrap()
            .iter()
            .map(|topic| text(topic).parse().unwrap())
            .collect();
        assert_eq!(got.topics(), topics, "{what}: topics");
        assert_eq!(got.data.data.to_vec(), bytes(&expected["data"]), "{what}: data");
    }
}

/// One test a vector, so that a failure names it.
macro_rules! replays {
    ($($name:ident: $calls:literal),* $(,)?) => {$(
        #[test]
        fn $name() {
            assert_eq!(replay(stringify!($name)), $calls);
        }
    )*};
}

replays! {
    args_result: 23,
    callee: 6,
    calls: 25,
    control_flow: 29,
    data_segment: 5,
    exits: 26,
    getters: 4,
    hash_log: 29,
    int_ops: 16,
    math: 15,
    memory_ops: 25,
    pages_1: 12,
    pages_3: 6,
    pages_17: 5,
    storage: 42,
    transient: 9,
}

#[test]
fn activation_of_programs_that_call() {
    for name in ["accounts.json", "caller.json", "derived/create.json"] {
        let (vector, wasm) = load(folder().join(name));
        check_activation(name, &vector, &wasm);
        Program::compile(&wasm, &StylusParams::ARBOS_51).unwrap();
    }
}

#[test]
fn near_misses() {
    let params = StylusParams::ARBOS_51;
    let mut checked = 0;
    for entry in std::fs::read_dir(folder().join("rejects")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let (vector, wasm) = load(path);
        if vector["reject"] == true {
            let refused = activate(&wasm, &params, params.page_limit);
            assert!(refused.is_err(), "{name}: {refused:?}");
            assert!(Program::compile(&wasm, &params).is_err(), "{name}");
        } else {
            check_activation(&name, &vector, &wasm);
            let program = Program::compile(&wasm, &params).unwrap();
            let context =
                Context { ink_price: 10_000, max_stack_depth: 22_000, ..Default::default() };
            let call = CallContext { args: &[], context };
            let result = program.run(&call, &mut Lone::default(), 10_000_000_000);
            assert_eq!(result.outcome, Outcome::Success(vec![]), "{name}");
        }
        checked += 1;
    }
    assert_eq!(checked, 23);
}
