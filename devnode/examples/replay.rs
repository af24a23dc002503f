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
    for path in &paths {
        let found = files(path).and_then(|found| {
            count += found.len();
            if found.is_empty() {
                println!("{}: no vector files", path.display());
                failures += 1;
            }
            Ok(found)
        });
        let found = found.unwrap_or_else(|error| {
            println!("{error}");
            failures += 1;
            Vec::new()
        });
        for file in found {
            match replay(&file) {
                Ok(result) => {
                    for difference in &result.differences {
                        println!("{}: {difference}", file.display());
                    }
                    sum.add(result);
                }
                Err(error) => {
                    println!("{error}");
                    failures += 1;
                }
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
