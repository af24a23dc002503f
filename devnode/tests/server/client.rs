//! A server of this process, and a client so plain that it can misbehave.

use inkling_devnode::{
    Chain, ChainConfig, Node,
    server::{self, Limits, ServerConfig, ServerHandle},
};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// Serves a fresh chain on a port of its own.
pub(crate) async fn serve(cors: &[&str], limits: Limits) -> ServerHandle {
    serve_node(Node::new(Chain::new(ChainConfig::default())), cors, limits).await
}

/// Serves a node on a port of its own.
pub(crate) async fn serve_node(node: Node, cors: &[&str], limits: Limits) -> ServerHandle {
    let cors = cors.iter().map(|&origin| origin.into()).collect();
    let config = ServerConfig { port: 0, cors, limits, ..ServerConfig::default() };
    server::serve(node, config).await.unwrap()
}

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// In lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Code and message of a JSON-RPC error.
    #[track_caller]
    pub(crate) fn error(&self) -> (i64, String) {
        let json = self.json();
        let error = &json["error"];
        let text = error["message"].as_str().unwrap_or_else(|| panic!("no error: {self:?}"));
        (error["code"].as_i64().unwrap(), text.into())
    }
}

/// A keep-alive connection.
pub(crate) struct Client(BufReader<TcpStream>);

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
    }

    /// Sends bytes as they are. That the other side does not want them is its right.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let _ = self.0.get_mut().write_all(bytes);
    }

    /// Sends as much as the other side takes at once.
    pub(crate) fn send_some(&mut self, bytes: &[u8]) {
        let stream = self.0.get_mut();
        stream.set_nonblocking(true).unwrap();
        let mut sent = 0;
        while let Ok(count) = stream.write(&bytes[sent..])
            && count > 0
        {
            sent += count;
        }
        stream.set_nonblocking(false).unwrap();
    }

    /// Reads one answer; none where the other side has hung up.
    pub(crate) fn answer(&mut self) -> Option<Answer> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.0.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let head = head.to_lowercase();
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.trim().parse().unwrap())];
        self.0.read_exact(&mut body).ok()?;
        Some(Answer { status, head, body: String::from_utf8(body).unwrap() })
    }

    /// A request with a head of its own and a body.
    pub(crate) fn request(&mut self, head: &str, body: &[u8]) -> Answer {
        self.send(format!("{head}\r\ncontent-length: {}\r\n\r\n", body.len()).as_bytes());
        self.send(body);
        self.answer().expect("the connection was closed")
    }

    /// A request as JSON-RPC clients make it.
    pub(crate) fn post(&mut self, body: impl AsRef<[u8]>) -> Answer {
        let head = "POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json";
        self.request(head, body.as_ref())
    }

    /// A call, whatever comes of it.
    pub(crate) fn ask(&mut self, method: &str, params: Value) -> Answer {
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        self.post(call.to_string())
    }

    /// The result of a call that succeeds.
    #[track_caller]
    pub(crate) fn result(&mut self, method: &str, params: Value) -> Value {
        let mut answer = self.ask(method, params).json();
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].take()
    }
}
