//! Requests: every method, with parameters that are right, nearly right or wrong.

use super::{program::random_program, vm::change_bytes};
use alloy::{
    consensus::{SignableTransaction, TxEip1559, TxEnvelope, TxLegacy},
    eips::eip2718::Encodable2718,
    signers::{SignerSync, local::PrivateKeySigner},
};
use alloy_primitives::{Address, TxKind, U256, hex};
use inkling_devnode::{arbos::DEV_CHAIN_ID, stylus::compress};
use rand::{
    Rng, RngCore,
    rngs::StdRng,
    seq::{IndexedMutRandom, IndexedRandom},
};
use serde_json::{Map, Number, Value, json};

/// Methods and what they take, a letter for each parameter: see [`Maker::parameter`].
#[rustfmt::skip]
const METHODS: &[(&str, &str)] = &[
    ("eth_chainId", ""), ("net_version", ""), ("net_listening", ""), ("net_peerCount", ""),
    ("web3_clientVersion", ""), ("web3_sha3", "d"), ("rpc_modules", ""), ("eth_syncing", ""), ("eth_coinbase", ""),
    ("eth_getBalance", "at"), ("eth_getTransactionCount", "at"), ("eth_getCode", "at"), ("eth_getStorageAt", "aqt"),
    ("eth_call", "ctoB"), ("eth_call", "ctoB"), ("eth_estimateGas", "ctoB"), ("eth_createAccessList", "ctoB"),
    ("eth_sendRawTransaction", "r"), ("eth_sendRawTransaction", "r"), ("eth_sendRawTransactionSync", "r"),
    ("eth_accounts", ""), ("eth_sendTransaction", "c"), ("eth_signTransaction", "c"), ("eth_sign", "ad"),
    ("personal_sign", "da"), ("eth_blockNumber", ""), ("eth_getBlockByNumber", "tb"), ("eth_getBlockByHash", "hb"),
    ("eth_getHeaderByNumber", "t"), ("eth_getBlockReceipts", "t"), ("eth_getBlockTransactionCountByNumber", "t"),
    ("eth_getTransactionByBlockNumberAndIndex", "tq"), ("eth_getTransactionByBlockHashAndIndex", "hq"),
    ("eth_getUncleCountByBlockHash", "h"), ("eth_getTransactionByHash", "h"), ("eth_getRawTransactionByHash", "h"),
    ("eth_getTransactionReceipt", "h"), ("txpool_status", ""), ("eth_gasPrice", ""), ("eth_maxPriorityFeePerGas", ""),
    ("eth_feeHistory", "qtp"), ("eth_getLogs", "f"), ("eth_newFilter", "f"), ("eth_newBlockFilter", ""),
    ("eth_newPendingTransactionFilter", ""), ("eth_getFilterChanges", "q"), ("eth_getFilterLogs", "q"),
    ("eth_uninstallFilter", "q"), ("eth_subscribe", "xf"), ("eth_unsubscribe", "q"),
    ("debug_traceTransaction", "hT"), ("debug_traceBlockByNumber", "tT"), ("debug_traceCall", "ctT"),
    ("evm_snapshot", ""), ("evm_revert", "q"), ("evm_setAutomine", "b"), ("evm_mine", "q"), ("hardhat_mine", "qq"),
    ("evm_increaseTime", "q"), ("evm_setNextBlockTimestamp", "q"), ("anvil_setNextBlockBaseFeePerGas", "q"),
    ("anvil_impersonateAccount", "a"), ("anvil_stopImpersonatingAccount", "a"), ("anvil_autoImpersonateAccount", "b"),
    ("anvil_setBalance", "aq"), ("anvil_setNonce", "aq"), ("anvil_setCode", "aC"), ("anvil_setStorageAt", "aqh"),
    ("inkling_setCached", "ab"), ("eth_nothing", "x"), ("", ""),
];

/// Solidity that runs: stores, logs, calls itself, loops.
const CODES: &[&str] =
    &["0x5b600056", "0x60015f555f545f5260205ff3", "0x5f5f5f5f5f305af1", "0xfe", "0x", "0xeff00000"];

/// Makes requests, some of them with what earlier ones gave.
pub(crate) struct Maker<'a> {
    rng: &'a mut StdRng,
    /// Strings out of earlier answers: hashes, addresses, ids.
    seen: Vec<String>,
    signer: PrivateKeySigner,
    /// Nonce that the signer's next transaction should have.
    pub(crate) nonce: u64,
}

impl<'a> Maker<'a> {
    /// A maker whose transactions `signer` signs; it knows of `addresses`.
    pub(crate) fn new(
        rng: &'a mut StdRng,
        signer: PrivateKeySigner,
        addresses: &[Address],
    ) -> Self {
        let seen = addresses.iter().map(Address::to_string).collect();
        Self { rng, seen, signer, nonce: 0 }
    }

    /// Remembers the strings of an answer.
    pub(crate) fn learn(&mut self, answer: &Value) {
        match answer {
            Value::String(text) if text.len() < 100 && self.seen.len() < 500 => {
                self.seen.push(text.clone());
            }
            Value::Array(list) => list.iter().take(20).for_each(|value| self.learn(value)),
            Value::Object(map) => map.values().take(40).for_each(|value| self.learn(value)),
            _ => {}
        }
    }

    /// A method and its parameters.
    pub(crate) fn request(&mut self) -> (String, Value) {
        let &(method, takes) = METHODS.choose(self.rng).unwrap_or(&("", ""));
        let mut params: Vec<Value> = takes.chars().map(|kind| self.parameter(kind)).collect();
        if self.rng.random_ratio(1, 4) {
            params.truncate(self.rng.random_range(0..=params.len()));
        }
        let mut params = Value::Array(params);
        for _ in 0..*[0, 0, 1, 3].choose(self.rng).unwrap_or(&0) {
            self.spoil(&mut params, 0);
        }
        (method.into(), params)
    }

    /// The text of a request or a batch, as a client might send it or as none should.
    pub(crate) fn text(&mut self) -> Vec<u8> {
        let count = *[1, 1, 1, 0, 5, 1_100].choose(self.rng).unwrap_or(&1);
        let mut requests: Vec<Value> = (0..count)
            .map(|id| {
                let (method, params) = self.request();
                let mut request =
                    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
                if self.rng.random_ratio(1, 6) {
                    self.spoil(&mut request, 0);
                }
                request
            })
            .collect();
        let text = match requests.pop() {
            Some(request) if requests.is_empty() => request.to_string(),
            Some(request) => {
                requests.push(request);
                Value::Array(requests).to_string()
            }
            None => "[]".into(),
        };
        let mut text = text.into_bytes();
        match self.rng.random_range(0..12) {
            0..4 => change_bytes(&mut text, self.rng),
            4 => text.truncate(self.rng.random_range(0..=text.len())),
            5 => {
                let depth = self.rng.random_range(1..100_000);
                let at = self.rng.random_range(0..=text.len());
                text.splice(
                    at..at,
                    [b"[", &b"{\"a\":"[..]].choose(self.rng).unwrap_or(&&b"["[..]).repeat(depth),
                );
            }
            6 => {
                let at = self.rng.random_range(0..=text.len());
                let odd: [&[u8]; 6] =
                    [b"1e999", b"-0", b"\xff\xfe", b"\"\\ud800\"", b"\0", b"\xef\xbb\xbf"];
                text.splice(
                    at..at,
                    odd.choose(self.rng).copied().unwrap_or_default().iter().copied(),
                );
            }
            7 if self.rng.random_ratio(1, 4) => text.resize(6 << 20, b' '),
            _ => {}
        }
        text
    }

    fn parameter(&mut self, kind: char) -> Value {
        match kind {
            'a' => self.address(),
            'h' => self.hash(),
            'q' => self.quantity(),
            't' => self.tag(),
            'c' => self.transaction(),
            'f' => self.filter(),
            'o' => self.overrides(),
            'B' => self.object(&[
                ("number", 'q'),
                ("time", 'q'),
                ("gasLimit", 'q'),
                ("baseFeePerGas", 'q'),
                ("coinbase", 'a'),
                ("random", 'h'),
                ("blockHash", 'x'),
            ]),
            'T' => {
                let tracers =
                    ["stylusTracer", "callTracer", "prestateTracer", "function hostio() {}", ""];
                let tracer = tracers.choose(self.rng).copied().unwrap_or_default();
                let (accounts, block) = (self.overrides(), self.parameter('B'));
                let mut options = json!({ "tracer": tracer, "tracerConfig": { "onlyTopCall": self.rng.random::<bool>() } });
                if self.rng.random_ratio(1, 4) {
                    options["stateOverrides"] = accounts;
                    options["blockOverrides"] = block;
                }
                options
            }
            'b' => json!(self.rng.random::<bool>()),
            'd' => self.data(300),
            'C' => self.code(),
            'r' => self.raw(),
            'p' => json!([10, 50.5, self.rng.random_range(-100..200)]),
            'A' => {
                json!([{ "address": self.address(), "storageKeys": [self.hash(), self.hash()] }])
            }
            's' => {
                let (key, value) = (self.hash(), self.hash());
                json!({ key.as_str().unwrap_or_default(): value })
            }
            _ => self.junk(0),
        }
    }

    /// An object with some of the fields.
    fn object(&mut self, fields: &[(&str, char)]) -> Value {
        let mut object = Map::new();
        for (name, kind) in fields {
            if self.rng.random_ratio(1, 3) {
                object.insert((*name).into(), self.parameter(*kind));
            }
        }
        object.into()
    }

    fn hex(&mut self, bytes: usize) -> Value {
        let mut data = vec![0; bytes];
        self.rng.fill_bytes(&mut data);
        json!(hex::encode_prefixed(data))
    }

    fn known(&mut self, len: usize) -> Option<Value> {
        let fit: Vec<&String> = self.seen.iter().filter(|text| text.len() == len).collect();
        fit.choose(self.rng).map(|text| json!(text))
    }

    fn address(&mut self) -> Value {
        match self.rng.random_range(0..10) {
            0 => self.hex(20),
            1 => json!(Address::with_last_byte(self.rng.random_range(0..0xff))),
            _ => self.known(42).unwrap_or(Value::Null),
        }
    }

    fn hash(&mut self) -> Value {
        match self.rng.random_range(0..4) {
            0 => self.hex(32),
            _ => self.known(66).unwrap_or_else(|| json!(format!("{:#066x}", 1))),
        }
    }

    fn quantity(&mut self) -> Value {
        let bits = self.rng.random_range(0..=64);
        let number = self.rng.random::<u64>().checked_shr(bits).unwrap_or_default();
        match self.rng.random_range(0..10) {
            0 => json!(number),
            1 => json!(number.to_string()),
            2 => json!(format!("{number:#018x}")),
            3 => json!(format!("0x{}", "f".repeat(self.rng.random_range(0..70)))),
            4 => json!("0x"),
            _ => json!(format!("{number:#x}")),
        }
    }

    fn tag(&mut self) -> Value {
        let tags = [
            "latest",
            "latest",
            "pending",
            "earliest",
            "safe",
            "finalized",
            "0x0",
            "0x1",
            "0x2",
            "never",
        ];
        match self.rng.random_range(0..8) {
            0 => self.quantity(),
            1 => json!({ "blockHash": self.hash(), "requireCanonical": true }),
            2 => json!({ "blockNumber": self.quantity() }),
            _ => json!(tags.choose(self.rng)),
        }
    }

    fn data(&mut self, most: usize) -> Value {
        let bytes = self.rng.random_range(0..=most);
        let mut data = self.hex(bytes);
        if self.rng.random_ratio(1, 8)
            && let Value::String(text) = &mut data
        {
            text.pop(); // an odd number of digits
        }
        data
    }

    fn code(&mut self) -> Value {
        match self.rng.random_range(0..4) {
            0 => json!(hex::encode_prefixed(compress(&random_program(self.rng)))),
            1 => self.data(100),
            _ => json!(CODES.choose(self.rng)),
        }
    }

    fn transaction(&mut self) -> Value {
        let fields = [
            ("from", 'a'),
            ("gas", 'q'),
            ("value", 'q'),
            ("data", 'd'),
            ("input", 'd'),
            ("gasPrice", 'q'),
            ("maxFeePerGas", 'q'),
            ("maxPriorityFeePerGas", 'q'),
            ("nonce", 'q'),
            ("accessList", 'A'),
            ("chainId", 'q'),
            ("type", 'q'),
            ("authorizationList", 'x'),
            ("maxFeePerBlobGas", 'q'),
            ("blobVersionedHashes", 'x'),
        ];
        let fields = &fields[..self.rng.random_range(2..=fields.len())];
        let mut transaction = self.object(fields);
        if self.rng.random_ratio(7, 8) {
            transaction["to"] = self.address();
        } else {
            transaction["data"] = self.code();
        }
        transaction
    }

    fn filter(&mut self) -> Value {
        let mut filter = self.object(&[
            ("fromBlock", 't'),
            ("toBlock", 't'),
            ("address", 'a'),
            ("blockHash", 'h'),
        ]);
        if self.rng.random() {
            filter["topics"] = json!([self.hash(), null, [self.hash(), self.hash()]]);
        }
        filter
    }

    fn overrides(&mut self) -> Value {
        let account = self.object(&[
            ("balance", 'q'),
            ("nonce", 'q'),
            ("code", 'C'),
            ("stateDiff", 's'),
            ("state", 's'),
            ("movePrecompileToAddress", 'a'),
        ]);
        let address = self.address();
        json!({ address.as_str().unwrap_or_default(): account })
    }

    /// A signed transaction, whole or damaged.
    fn raw(&mut self) -> Value {
        let nonce = if self.rng.random_ratio(3, 4) { self.nonce } else { self.rng.random() };
        let to = match self.address().as_str().and_then(|text| text.parse().ok()) {
            Some(to) if self.rng.random_ratio(3, 4) => TxKind::Call(to),
            _ => TxKind::Create,
        };
        let gas_limit = if self.rng.random_ratio(3, 4) { 3_000_000 } else { self.rng.random() };
        let price = if self.rng.random_ratio(3, 4) { 1_000_000_000 } else { self.rng.random() };
        let chain = if self.rng.random_ratio(7, 8) { DEV_CHAIN_ID } else { self.rng.random() };
        let value = U256::from(self.rng.random::<u64>() >> self.rng.random_range(0..64));
        let input = hex::decode(self.code().as_str().unwrap_or_default()).unwrap_or_default();
        let signed: Option<TxEnvelope> = if self.rng.random() {
            let tx = TxLegacy {
                chain_id: Some(chain),
                nonce,
                gas_price: price,
                gas_limit,
                to,
                value,
                input: input.into(),
            };
            let signature = self.signer.sign_hash_sync(&tx.signature_hash());
            signature.ok().map(|signature| tx.into_signed(signature).into())
        } else {
            let tx = TxEip1559 {
                chain_id: chain,
                nonce,
                gas_limit,
                max_fee_per_gas: price,
                max_priority_fee_per_gas: 0,
                to,
                value,
                input: input.into(),
                access_list: Default::default(),
            };
            let signature = self.signer.sign_hash_sync(&tx.signature_hash());
            signature.ok().map(|signature| tx.into_signed(signature).into())
        };
        let mut raw = signed.map(|tx| tx.encoded_2718()).unwrap_or_default();
        if self.rng.random_ratio(1, 2) {
            change_bytes(&mut raw, self.rng);
        }
        if self.rng.random_ratio(1, 16) {
            raw.insert(0, self.rng.random_range(0..8));
        }
        json!(hex::encode_prefixed(raw))
    }

    /// Any JSON.
    fn junk(&mut self, depth: u32) -> Value {
        let kinds = if depth > 4 { 8 } else { 11 };
        match self.rng.random_range(0..kinds) {
            0 => Value::Null,
            1 => json!(self.rng.random::<bool>()),
            2 => json!(self.rng.random::<i64>()),
            3 => Number::from_f64(f64::from_bits(self.rng.random()))
                .map_or(Value::Null, Value::Number),
            4 => json!(
                [
                    "", "0x", "0X1", "0xg", "0x0x", "-0x1", "\u{0}", "é", "latest", "newHeads",
                    "logs"
                ]
                .choose(self.rng)
            ),
            5 => json!("9".repeat(self.rng.random_range(0..400))),
            6 => self.quantity(),
            7 => self.data(100),
            8 => (0..self.rng.random_range(0..5)).map(|_| self.junk(depth + 1)).collect(),
            9 => json!({ "blockHash": self.junk(depth + 1), "address": self.junk(depth + 1) }),
            _ => (0..self.rng.random_range(0..200)).fold(json!(0), |inner, _| json!([inner])),
        }
    }

    /// Replaces something in it.
    fn spoil(&mut self, value: &mut Value, depth: u32) {
        let inner = match value {
            Value::Array(list) => list.choose_mut(self.rng),
            Value::Object(map) => {
                if self.rng.random_ratio(1, 8) {
                    map.insert("extra".into(), Value::Null);
                }
                let at = self.rng.random_range(0..map.len().max(1));
                map.values_mut().nth(at)
            }
            _ => None,
        };
        match inner {
            Some(inner) if depth < 8 && self.rng.random_ratio(4, 5) => self.spoil(inner, depth + 1),
            _ => *value = self.junk(0),
        }
    }
}
