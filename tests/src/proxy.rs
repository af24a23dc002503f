//! A proxy before an endpoint, which does to requests what networks and providers do to them.
//!
//! One thread for each connection, HTTP/1.1 with `content-length` only: the client is our own.

use serde_json::{Value, json};
use std::{
    collections::HashMap,
    io::{self, BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The endpoint gets it, and the answer comes so late.
    LateReply(Duration),
    /// The connection is closed; the endpoint never gets it.
    Drop,
    /// The endpoint gets it; the connection is closed without an answer.
    DropReply,
    /// An HTTP status; the endpoint never gets it.
    Status(u16),
    /// The endpoint gets it; the answer is an HTTP status.
    StatusAfter(u16),
    /// The endpoint gets it twice; the answer is the second one.
    Duplicate,
    /// A JSON-RPC error; the endpoint never gets it.
    Error(i64, &'static str),
    /// The answer is null; the endpoint never gets it.
    Null,
}

/// Chooses what happens, by the request's method and how many of that method there were before.
pub type Rule = dyn Fn(&str, usize) -> Fault + Send + Sync;

/// A proxy; its threads live as long as the process.
pub struct Proxy {
    /// Its endpoint.
    pub url: String,
    shared: Arc<Shared>,
}

struct Shared {
    /// `host:port`.
    upstream: String,
    latency: Duration,
    rule: Box<Rule>,
    counts: Mutex<HashMap<String, usize>>,
    faults: Mutex<usize>,
}

impl Proxy {
    /// Before the endpoint `http://host:port`, each request of which takes so long on its way.
    pub fn new(
        upstream: &str,
        latency: Duration,
        rule: impl Fn(&str, usize) -> Fault + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("some port is free");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared {
            upstream: upstream.trim_start_matches("http://").into(),
            latency,
            rule: Box::new(rule),
            counts: Mutex::default(),
            faults: Mutex::default(),
        });
        let ours = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let ours = ours.clone();
                // A client that hangs up, or is hung up on, is no failure.
                thread::spawn(move || ours.serve(stream).unwrap_or_default());
            }
        });
        Self { url: format!("http://{address}"), shared }
    }

    /// Requests of a method so far.
    pub fn count(&self, method: &str) -> usize {
        let counts = self.shared.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.get(method).copied().unwrap_or_default()
    }

    /// Faults so far.
    pub fn faults(&self) -> usize {
        *self.shared.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        while let Some((_, body)) = message(&mut reader)? {
            let request: Value = serde_json::from_slice(&body)?;
            let method = request["method"].as_str().unwrap_or("batch").to_owned();
            thread::sleep(self.latency);
            let fault = (self.rule)(&method, self.counted(&method));
            if fault != Fault::None {
                *self.faults.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            }
            let own = |mut answer: Value| {
                answer["jsonrpc"] = json!("2.0");
                answer["id"] = request["id"].clone();
                (200, answer.to_string().into_bytes())
            };
            let (status, answer) = match fault {
                Fault::None => self.forward(&body)?,
                Fault::LateReply(delay) => {
                    let answer = self.forward(&body)?;
                    thread::sleep(delay);
                    answer
                }
                Fault::Drop => return Ok(()),
                Fault::DropReply => return self.forward(&body).map(drop),
                Fault::Status(status) => (status, b"busy".to_vec()),
                Fault::StatusAfter(status) => {
                    self.forward(&body)?;
                    (status, b"busy".to_vec())
                }
                Fault::Duplicate => {
                    self.forward(&body)?;
                    self.forward(&body)?
                }
                Fault::Error(code, message) => {
                    own(json!({ "error": { "code": code, "message": message } }))
                }
                Fault::Null => own(json!({ "result": null })),
            };
            let head = "content-type: application/json\r\ncontent-length:";
            write!(stream, "HTTP/1.1 {status} .\r\n{head} {}\r\n\r\n", answer.len())?;
            stream.write_all(&answer)?;
        }
        Ok(())
    }

    /// How many requests of this method there were before.
    fn counted(&self, method: &str) -> usize {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(method.into()).or_default();
        *count += 1;
        *count - 1
    }

    fn forward(&self, body: &[u8]) -> io::Result<(u16, Vec<u8>)> {
        let mut stream = TcpStream::connect(&self.upstream)?;
        let head = "content-type: application/json\r\nconnection: close\r\ncontent-length:";
        let (host, length) = (&self.upstream, body.len());
        write!(stream, "POST / HTTP/1.1\r\nhost: {host}\r\n{head} {length}\r\n\r\n")?;
        stream.write_all(body)?;
        let answer = message(&mut BufReader::new(stream))?;
        let (first, body) = answer.ok_or(io::ErrorKind::UnexpectedEof)?;
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
        Ok((status.ok_or(io::ErrorKind::InvalidData)?, body))
    }
}

/// First line and body of a message; `None` where the connection ends before it.
fn message(reader: &mut impl BufRead) -> io::Result<Option<(String, Vec<u8>)>> {
    let (mut first, mut length) = (String::new(), 0);
    if reader.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().map_err(|_| io::ErrorKind::InvalidData)?;
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some((first, body)))
}
