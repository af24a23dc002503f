//! Kills `inkling deploy` at random moments and resumes it: `cargo run --release -p inkling-tests --example kill`.
//!
//! Needs the built command line beside it (`cargo build --release`). Writes `reports/kill-test.json`.

use inkling_tests::{
    kills::{self, Plan},
    served::root,
};
use std::{env, fs, process::ExitCode, time::Duration};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let kills = match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => Some(100),
        ["--kills", kills] => kills.parse().ok(),
        _ => None,
    };
    let Some(kills) = kills.filter(|kills| *kills > 0) else {
        eprintln!("usage: kill [--kills N]");
        return ExitCode::from(2);
    };
    let plan = Plan { kills, latency: Duration::from_millis(25), seed: 1, model: "mlp-64" };
    let mut killed = 0;
    let report = kills::run(plan, |survivor| {
        killed += survivor.kills;
        eprintln!("{killed:>4} kills; the last deployment survived {}", survivor.kills);
    })
    .await;
    let text = format!("{:#}\n", report.json());
    print!("{text}");
    let path = root().join("reports/kill-test.json");
    if let Err(error) = fs::write(&path, text) {
        eprintln!("error: {}: {error}", path.display());
        return ExitCode::from(3);
    }
    ExitCode::from(u8::from(report.mean_ratio() > 1.02))
}
