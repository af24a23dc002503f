//! How fast the node is: `cargo run --release -p inkling --example node_bench`.
//!
//! Deploys mlp-64 with the Stylus contract on a chain of its own, then asks `classify` of it by `eth_call`: over HTTP
//! from eight keep-alive connections for ten seconds, server and clients in this process; and for each of the 10,000
//! test images, in process on two threads. Every answer is compared with the reference's. Writes reports/node.json
//! and .md.

use alloy::{
    primitives::{Bytes, hex},
    sol_types::SolCall,
};
use inkling::{
    abi::IClassifier::classifyCall,
    artifacts::{self, Contract},
    chain::Connection,
    deployment,
    models::Model,
    report,
    samples::{Image, Samples},
};
use inkling_devnode::{
    Chain, ChainConfig, Node,
    server::{self, ServerConfig},
};
use serde::Serialize;
use serde_json::{Value, json};
use std::{
    error::Error,
    fmt, fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

const CONNECTIONS: usize = 8;
const TIME: Duration = Duration::from_secs(10);
const THREADS: usize = 2;

/// The report.
#[derive(Serialize)]
struct Bench {
    /// Version of the program.
    version: String,
    model: String,
    /// SHA-256 of the Stylus program.
    sha256: String,
    /// Cores that the process may use.
    cores: usize,
    /// Over HTTP.
    connections: usize,
    requests: usize,
    requests_per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    /// In process.
    images: usize,
    threads: usize,
    seconds: f64,
}

/// An image as an `eth_call`, and the answer that is right.
struct Question {
    params: Value,
    answer: String,
}

impl Question {
    #[track_caller]
    fn check(&self, index: usize, answer: &Value) -> Result<(), inkling::Error> {
        match answer.as_str() == Some(&self.answer) {
            true => Ok(()),
            false => Err(inkling::Error::Mismatch(format!(
                "test image {index}: expected {}, got {answer}",
                self.answer
            ))),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let model = Model::open("mlp-64")?;
    let images = Samples::of(&model, None)?.images;
    let mut kernel = model.kernel();
    let node = Node::new(Chain::new(ChainConfig::default()));
    let chain = Connection::to_node(node.clone()).await?;
    let contract = deployment::deploy(&chain, Contract::Stylus, &model).await?.address;
    let question = |image: &Image| -> Result<Question, inkling_network::ImageLengthError> {
        let (digit, _) = kernel.classify(image)?;
        let image = Bytes::copy_from_slice(image);
        let data = Bytes::from(classifyCall { image }.abi_encode());
        let params = json!([{"to": contract, "data": data}, "latest"]);
        let answer = hex::encode_prefixed(classifyCall::abi_encode_returns(&digit));
        Ok(Question { params, answer })
    };
    let questions: Vec<Question> = images.iter().map(question).collect::<Result<_, _>>()?;
    let questions = Arc::new(questions);

    let server = ServerConfig { port: 0, ..ServerConfig::default() };
    let server = server::serve(node.clone(), server).await?;
    let (address, start) = (server.address(), Instant::now());
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|client| {
            let questions = questions.clone();
            tokio::task::spawn_blocking(move || ask(address, &questions, client))
        })
        .collect();
    let mut latencies = Vec::new();
    for client in clients {
        latencies.extend(client.await??);
    }
    let took = start.elapsed();
    server.stop().await;
    latencies.sort_unstable();
    let percentile = |p: usize| latencies[(latencies.len() - 1) * p / 100].as_secs_f64() * 1e3;

    let start = Instant::now();
    thread::scope(|scope| {
        let part = questions.len().div_ceil(THREADS);
        let threads: Vec<_> = questions
            .chunks(part)
            .enumerate()
            .map(|(chunk, questions)| {
                let node = node.clone();
                scope.spawn(move || replay(&node, questions, chunk * part))
            })
            .collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("a replay panicked"))
    })?;
    let seconds = start.elapsed().as_secs_f64();

    let bench = Bench {
        version: env!("CARGO_PKG_VERSION").into(),
        model: model.name.clone(),
        sha256: artifacts::stylus()?.build.sha256,
        cores: thread::available_parallelism()?.get(),
        connections: CONNECTIONS,
        requests: latencies.len(),
        requests_per_second: (latencies.len() as f64 / took.as_secs_f64()).round(),
        p50_ms: round(percentile(50)),
        p99_ms: round(percentile(99)),
        images: questions.len(),
        threads: THREADS,
        seconds: round(seconds),
    };
    let reports = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports");
    fs::write(reports.join("node.json"), serde_json::to_string_pretty(&bench)? + "\n")?;
    fs::write(reports.join("node.md"), bench.to_string())?;
    report::print(&bench);
    Ok(())
}

fn round(figure: f64) -> f64 {
    (figure * 100.0).round() / 100.0
}

/// One connection: asks until the time is over; returns how long each answer took.
fn ask(
    address: SocketAddr,
    questions: &[Question],
    first: usize,
) -> Result<Vec<Duration>, Box<dyn Error + Send + Sync>> {
    let mut stream = BufReader::new(TcpStream::connect(address)?);
    stream.get_ref().set_nodelay(true)?;
    let start = Instant::now();
    let mut latencies = Vec::new();
    let indices = (0..questions.len()).cycle().skip(first).step_by(CONNECTIONS);
    for index in indices.take_while(|_| start.elapsed() < TIME) {
        let question = &questions[index];
        let call =
            json!({"jsonrpc": "2.0", "id": index, "method": "eth_call", "params": question.params});
        let call = call.to_string();
        let asked = Instant::now();
        let head = format!(
            "POST / HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n",
            call.len()
        );
        stream.get_mut().write_all((head + &call).as_bytes())?;
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head)? > 0 {}
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut answer = vec![0; length.ok_or("no length")?.parse()?];
        stream.read_exact(&mut answer)?;
        latencies.push(asked.elapsed());
        question.check(index, &serde_json::from_slice::<Value>(&answer)?["result"])?;
    }
    Ok(latencies)
}

fn replay(node: &Node, questions: &[Question], first: usize) -> Result<(), inkling::Error> {
    for (index, question) in questions.iter().enumerate() {
        let answer = node.handle("eth_call", question.params.clone());
        let answer = answer.map_err(|error| inkling::Error::Mismatch(error.to_string()))?;
        question.check(first + index, &answer)?;
    }
    Ok(())
}

impl fmt::Display for Bench {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { model, cores, connections, requests, requests_per_second, .. } = self;
        let Self { p50_ms, p99_ms, images, threads, seconds, .. } = self;
        writeln!(f, "# The node's speed\n")?;
        writeln!(
            f,
            "`eth_call` of `classify` with {model} in the Stylus contract, on a machine with {cores} cores; every \
             answer was the reference's.\n"
        )?;
        let rows = [
            ["requests a second over HTTP".into(), format!("{requests_per_second}")],
            ["connections, clients in the same process".into(), connections.to_string()],
            ["requests".into(), requests.to_string()],
            ["half of the answers within".into(), format!("{p50_ms} ms")],
            ["99 % of the answers within".into(), format!("{p99_ms} ms")],
            [format!("{images} test images in process, {threads} threads"), format!("{seconds} s")],
        ];
        write!(f, "{}", report::Table::new(["figure", "value"], rows.map(Vec::from)).markdown())?;
        writeln!(f, "\nMade by `cargo run --release -p inkling --example node_bench`.")
    }
}
