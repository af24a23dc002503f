//! What the program tells on the side, on stderr: notes, and a log of `tracing` events.
//!
//! Only events of this project's own crates are shown. Those of an HTTP client may hold a URL, and a URL a key.

use std::{
    env,
    io::{self, IsTerminal},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

static QUIET: AtomicBool = AtomicBool::new(false);

/// How much the program tells.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct LogArgs {
    /// Tell nothing on the side: no notes, no progress, no warnings.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Log what is done; twice for more.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// Begins the log. Where there is one already, nothing happens.
pub fn begin(args: LogArgs) {
    QUIET.store(args.quiet, Relaxed);
    let level = match (args.quiet, args.verbose) {
        (true, _) => LevelFilter::ERROR,
        (_, 0) => LevelFilter::WARN,
        (_, 1) => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    let colour = io::stderr().is_terminal() && !no_colour();
    let lines = fmt::layer().with_writer(io::stderr).with_ansi(colour).with_target(false);
    let own = Targets::new().with_target("inkling", level);
    let _ = tracing_subscriber::registry().with(lines.without_time()).with(own).try_init();
}

/// Whether nothing is to be told on the side.
pub fn is_quiet() -> bool {
    QUIET.load(Relaxed)
}

/// Tells something on stderr, unless nothing is to be told.
pub fn note(text: &str) {
    if !is_quiet() {
        eprintln!("{text}");
    }
}

/// Whether colours are not wanted: <https://no-color.org>.
pub fn no_colour() -> bool {
    env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}
