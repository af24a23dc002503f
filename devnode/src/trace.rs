//! What happened inside a transaction: its frames and the hostios of its programs.
//!
//! A [`Recording`] is made once, while the transaction runs again, and shown in the form of a tracer: Nitro's
//! `stylusTracer` ([`stylus_json`]), which `cargo stylus trace` asks for, or geth's `callTracer` ([`call_json`]).

use crate::stylus::HostioRecord;
use alloy::sol_types::{Revert, SolError};
use alloy_primitives::{Address, Bytes, U64, U256};
use revm::{
    context::{CreateScheme, LocalContextTr},
    handler::FrameResult,
    interpreter::{CallScheme, CallValue, FrameInput, InstructionResult},
};
use serde_json::{Map, Value, json};

/// Frames and hostios as they come.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    /// Frames that have not ended, the outermost first.
    open: Vec<Frame>,
    root: Option<Frame>,
}

/// A call, or a creation.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The EVM's word for it.
    kind: &'static str,
    from: Address,
    to: Option<Address>,
    value: Option<U256>,
    gas: u64,
    gas_used: u64,
    input: Bytes,
    output: Bytes,
    error: Option<String>,
    steps: Vec<Step>,
}

#[derive(Clone, Debug)]
enum Step {
    Hostio(HostioRecord),
    Frame(Frame),
}

impl Recording {
    pub(crate) fn enter(&mut self, frame: Frame) {
        self.open.push(frame);
    }

    pub(crate) fn exit(&mut self, result: &FrameResult) {
        let Some(mut frame) = self.open.pop() else {
            return;
        };
        let (end, created) = match result {
            FrameResult::Call(call) => (&call.result, None),
            FrameResult::Create(create) => (&create.result, create.address),
        };
        frame.gas_used = frame.gas.saturating_sub(end.gas.remaining());
        frame.to = frame.to.or(created);
        frame.output = end.output.clone();
        frame.error = failure(end.result);
        match self.open.last_mut() {
            Some(parent) => parent.steps.push(Step::Frame(frame)),
            None => self.root = Some(frame),
        }
    }

    pub(crate) fn hostio(&mut self, record: HostioRecord) {
        if let Some(frame) = self.open.last_mut() {
            frame.steps.push(Step::Hostio(record));
        }
    }

    /// The outermost frame, once it has ended.
    pub(crate) fn into_root(self) -> Option<Frame> {
        self.root
    }
}

/// How a frame failed, in geth's words.
fn failure(result: InstructionResult) -> Option<String> {
    match result {
        _ if result.is_ok() => None,
        InstructionResult::Revert => Some("execution reverted".into()),
        InstructionResult::OutOfGas => Some("out of gas".into()),
        other => Some(format!("{other:?}")),
    }
}

impl Frame {
    /// A frame that begins; `memory` is where the input of a call between contracts lies.
    pub(crate) fn new(input: &FrameInput, memory: &impl LocalContextTr) -> Self {
        let (kind, from, to, value, gas, input) = match input {
            FrameInput::Call(call) => {
                let kind = match call.scheme {
                    CallScheme::Call => "CALL",
                    CallScheme::CallCode => "CALLCODE",
                    CallScheme::DelegateCall => "DELEGATECALL",
                    CallScheme::StaticCall => "STATICCALL",
                };
                let value = match call.value {
                    CallValue::Transfer(value) | CallValue::Apparent(value) => value,
                };
                let from = match call.scheme {
                    CallScheme::DelegateCall => call.target_address,
                    _ => call.caller,
                };
                let value = (call.scheme != CallScheme::StaticCall).then_some(value);
                let input = call.input.bytes_local(memory);
                (kind, from, Some(call.bytecode_address), value, call.gas_limit, input)
            }
            FrameInput::Create(create) => {
                let kind = match create.scheme() {
                    CreateScheme::Create2 { .. } => "CREATE2",
                    _ => "CREATE",
                };
                let (from, value) = (create.caller(), Some(create.value()));
                (kind, from, None, value, create.gas_limit(), create.init_code().clone())
            }
            FrameInput::Empty => ("", Address::ZERO, None, None, 0, Bytes::new()),
        };
        Self {
            kind,
            from,
            to,
            value,
            gas,
            gas_used: 0,
            input,
            output: Bytes::new(),
            error: None,
            steps: Vec::new(),
        }
    }

    /// Charges what the transaction paid outside its frames to this one, as geth's tracer does.
    pub(crate) fn set_gas(&mut self, limit: u64, used: u64) {
        self.gas = limit;
        self.gas_used = used;
    }

    fn is_create(&self) -> bool {
        self.kind.starts_with("CREATE")
    }
}

/// The hostios of a frame, as Nitro's tracer gives them (`execution/gethexec/stylus_tracer.go`).
///
/// A call that a program makes is one step, with the callee's steps in it; a creation is two, the frame before the
/// hostio. EVM code has no steps but its calls.
pub(crate) fn stylus_json(frame: &Frame) -> Value {
    let mut steps: Vec<Value> = Vec::new();
    for step in &frame.steps {
        let step = match step {
            Step::Hostio(record) => {
                let mut json = json!({
                    "name": record.name,
                    "args": record.args,
                    "outs": record.outs,
                    "startInk": record.start_ink,
                    "endInk": record.end_ink,
                });
                let is_call = record.name.ends_with("call_contract");
                let frame =
                    steps.pop_if(|last| is_call && last["name"] == format!("evm_{}", record.name));
                if let Some(mut frame) = frame {
                    json["address"] = frame["address"].take();
                    json["steps"] = frame["steps"].take();
                }
                json
            }
            Step::Frame(frame) => json!({
                "name": hostio_name(frame.kind),
                "args": "0x",
                "outs": "0x",
                "startInk": 0,
                "endInk": 0,
                "address": frame.to.unwrap_or_default(),
                "steps": stylus_json(frame),
            }),
        };
        steps.push(step);
    }
    steps.into()
}

const fn hostio_name(kind: &str) -> &'static str {
    match kind.as_bytes() {
        b"CALL" => "evm_call_contract",
        b"DELEGATECALL" => "evm_delegate_call_contract",
        b"STATICCALL" => "evm_static_call_contract",
        b"CREATE" => "evm_create1",
        b"CREATE2" => "evm_create2",
        _ => "",
    }
}

/// The calls of a frame, as geth's tracer gives them (`eth/tracers/native/call.go`).
pub(crate) fn call_json(frame: &Frame, only_top: bool) -> Value {
    let mut json = Map::new();
    json.insert("type".into(), json!(frame.kind));
    json.insert("from".into(), json!(frame.from));
    json.insert("gas".into(), json!(U64::from(frame.gas)));
    json.insert("gasUsed".into(), json!(U64::from(frame.gas_used)));
    json.insert("input".into(), json!(frame.input));
    if let Some(to) = frame.to.filter(|_| !(frame.is_create() && frame.error.is_some())) {
        json.insert("to".into(), json!(to));
    }
    if let Some(value) = frame.value {
        json.insert("value".into(), json!(value));
    }
    if !frame.output.is_empty() {
        json.insert("output".into(), json!(frame.output));
    }
    if let Some(error) = &frame.error {
        json.insert("error".into(), json!(error));
        if let Ok(revert) = Revert::abi_decode(&frame.output) {
            json.insert("revertReason".into(), json!(revert.reason));
        }
    }
    let calls = frame.steps.iter().filter_map(|step| match step {
        Step::Frame(frame) => Some(call_json(frame, false)),
        Step::Hostio(_) => None,
    });
    let calls: Vec<Value> = if only_top { Vec::new() } else { calls.collect() };
    if !calls.is_empty() {
        json.insert("calls".into(), calls.into());
    }
    json.into()
}
