//! Replays vector files and prints every difference.
//!
//! ```sh
//! cargo run --release -p inkling-devnode --example replay -- tests/vectors
//! ```
//!
//! Takes files and folders, which are searched to the bottom; exit code 1 where anything differs, a file cannot be
//! replayed or there is none, 2 without arguments.

use inkling_devnode::replay::{Replay, files, replay};
use std::{path::PathBuf, process::ExitCode};

fn main() -> ExitCode {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    if paths.is_empty() {
        eprintln!("usage: replay DIR-OR-FILE…");
        return ExitCode::from(2);
    }
    let (mut sum, mut count, mut failures) = (Replay::default(), 0, 0);
    let mut failed = |why: String| {
        println!("{why}");
        failures += 1;
    };
    for path in &paths {
        let found = match files(path) {
            Ok(found) if !found.is_empty() => found,
            Ok(_) => {
                failed(format!("{}: no vector files", path.display()));
                continue;
            }
            Err(error) => {
                failed(error.to_string());
                continue;
            }
        };
        count += found.len();
        for file in found {
            match replay(&file) {
                Ok(result) => {
                    for difference in &result.differences {
                        println!("{}: {difference}", file.display());
                    }
                    sum.add(result);
                }
                Err(error) => failed(error.to_string()),
            }
        }
    }
    println!(
        "{count} files, {} verdicts on programs, {} calls: {} with exact gas, {} exact in every field; \
         {} differences, {failures} not replayed",
        sum.verdicts,
        sum.calls,
        sum.exact_gas,
        sum.exact,
        sum.differences.len(),
    );
    ExitCode::from(u8::from(failures > 0 || !sum.differences.is_empty()))
}
