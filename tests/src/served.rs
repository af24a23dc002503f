//! A node behind a socket, for clients that are programs of their own, and those programs.
//!
//! A program that is not installed skips its test, with a line that says so; where `INKLING_REQUIRE_CLIENTS` is set, as
//! in CI, the test fails instead.

use inkling_devnode::{
    Node,
    server::{self, ServerConfig, ServerHandle},
};
use std::{
    env,
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Command, Output},
};
use tokio::runtime::Runtime;

/// Seconds that a client may take, which needs one or two.
const LIMIT: &str = "300";

/// Set where a client that is missing is a failure.
const REQUIRE: &str = "INKLING_REQUIRE_CLIENTS";

/// A node that listens on a port of its own as long as this lives.
pub struct Served {
    /// The node.
    pub node: Node,
    /// Its HTTP endpoint.
    pub url: String,
    _server: ServerHandle,
    runtime: Runtime,
}

impl Served {
    /// Serves a node on any free port of this machine.
    pub fn new(node: Node) -> Self {
        // `reqwest` asks for it even where there is no TLS. Fails only where it was done before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = Runtime::new().expect("threads can be started");
        let config = ServerConfig { port: 0, ..ServerConfig::default() };
        let server = server::serve(node.clone(), config);
        let server = runtime.block_on(server).expect("some port is free");
        let url = format!("http://{}", server.address());
        Self { node, url, _server: server, runtime }
    }

    /// Runs a client of the same process to its end.
    pub fn block_on<F: Future>(&self, client: F) -> F::Output {
        self.runtime.block_on(client)
    }
}

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate is in a folder of it")
}

/// A file that set-up makes, by its path from the root of the repository; `None`, told on standard error, where it
/// is not there and may be missing.
///
/// # Panics
/// Where it is not there and must be.
#[track_caller]
pub fn installed(path: &str, set_up: &str) -> Option<PathBuf> {
    let file = root().join(path);
    available(file.exists(), path, set_up).then_some(file)
}

/// Passes `is_there` on, and tells on standard error of what is not there.
///
/// # Panics
/// Where it is not there and must be.
#[track_caller]
pub fn available(is_there: bool, what: &str, set_up: &str) -> bool {
    if !is_there {
        let message = format!("no {what}: {set_up}");
        assert!(env::var_os(REQUIRE).is_none(), "{message}");
        // Not `eprintln!`, which the test harness would keep to itself.
        let _ = writeln!(io::stderr(), "SKIPPED, {message}");
    }
    is_there
}

/// A command that is stopped when it takes too long.
pub fn limited(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(root().join("tools/limit"));
    command.arg(LIMIT).arg(program.as_ref());
    command
}

/// Standard output of a command.
///
/// # Panics
/// Where it fails, with what it said.
#[track_caller]
pub fn stdout(command: &mut Command) -> String {
    let output = command.output().expect("it can be started");
    assert!(output.status.success(), "{command:?}: {}", said(&output));
    String::from_utf8(output.stdout).expect("it prints text")
}

/// All that a command said.
pub fn said(output: &Output) -> String {
    [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy).concat()
}
