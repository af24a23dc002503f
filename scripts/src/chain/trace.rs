//! Looking inside: what a Stylus program asked its host for, and the ink that it had before and after; and calls without
//! any limit of gas.

use super::{Connection, Error, Request, error::said};
use alloy::{primitives::Bytes, providers::Provider};
use inkling_devnode::{TxOutcome, TxRequest};
use serde::Deserialize;
use serde_json::json;
use std::collections::HashSet;

/// Gas of a call that is to be under no limit.
const UNLIMITED: u64 = 1 << 40;

/// A hostio that a program called.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hostio {
    /// Its name; `user_entrypoint` and `user_returned` stand for the program's begin and end, both with the ink of the
    /// beginning.
    pub name: String,
    /// What it was given.
    pub args: Bytes,
    /// Ink before it.
    pub start_ink: u64,
    /// Ink after it.
    pub end_ink: u64,
}

impl Hostio {
    /// Ink that it took.
    pub const fn ink(&self) -> u64 {
        self.start_ink.saturating_sub(self.end_ink)
    }

    /// Whether it reads stored words: a slot, or the code of an account.
    pub fn is_read(&self) -> bool {
        matches!(&self.name[..], "storage_load_bytes32" | "account_code" | "account_code_size")
    }
}

/// The hostios of a call, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// The hostios.
    pub hostios: Vec<Hostio>,
}

impl Trace {
    /// Ink that the program began with; 0 where no program ran.
    pub fn start_ink(&self) -> u64 {
        self.hostios.first().map_or(0, |hostio| hostio.start_ink)
    }

    /// Ink of all reads of stored words.
    pub fn read_ink(&self) -> u64 {
        self.hostios.iter().filter(|hostio| hostio.is_read()).map(Hostio::ink).sum()
    }

    /// Different slots that were read.
    pub fn slots(&self) -> usize {
        let loads = self.hostios.iter().filter(|hostio| hostio.name == "storage_load_bytes32");
        loads.map(|load| &load.args).collect::<HashSet<_>>().len()
    }
}

impl Connection {
    /// What comes of a request without a transaction, under no limit of gas, neither a transaction's nor `eth_call`'s;
    /// `None` on an endpoint, whose limits are its own.
    pub fn simulate(&self, request: &Request) -> Option<TxOutcome> {
        let node = self.node.as_ref()?;
        let to = request.to.into_to()?;
        let from = self.sender.unwrap_or_default();
        let call = TxRequest::call(from, to, request.data.clone());
        node.read().call(&TxRequest { gas_limit: UNLIMITED, ..call }).ok()
    }

    /// The hostios of a Stylus program in a call with this much gas, as `debug_traceCall` tells them.
    ///
    /// # Errors
    /// [`Error::Transport`], also where the node has no `stylusTracer`.
    pub async fn trace(&self, request: &Request, gas: u64) -> Result<Trace, Error> {
        let method = "debug_traceCall";
        let tx = self.tx(&Request { gas: Some(gas), ..request.clone() });
        let params = (tx, "latest", json!({ "tracer": "stylusTracer" }));
        let hostios = self.provider.raw_request(method.into(), params).await;
        Ok(Trace { hostios: hostios.map_err(|e| said(method, e))? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_are_told_from_the_rest() {
        let trace: Vec<Hostio> = serde_json::from_str(
            r#"[
            {"name": "user_entrypoint", "args": "0x00000184", "outs": "0x", "startInk": 1000, "endInk": 1000},
            {"name": "read_args", "args": "0x", "outs": "0x00", "startInk": 990, "endInk": 900},
            {"name": "storage_load_bytes32", "args": "0x01", "outs": "0x02", "startInk": 880, "endInk": 780},
            {"name": "storage_load_bytes32", "args": "0x01", "outs": "0x02", "startInk": 700, "endInk": 690},
            {"name": "account_code", "args": "0x01", "outs": "0x02", "startInk": 600, "endInk": 555}
        ]"#,
        )
        .unwrap();
        let trace = Trace { hostios: trace };
        assert_eq!((trace.start_ink(), trace.read_ink(), trace.slots()), (1_000, 155, 1));
        assert_eq!(Trace::default().start_ink(), 0);
    }
}
