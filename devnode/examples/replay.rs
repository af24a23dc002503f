//! Replays vector files and prints every difference.
//!
//! ```sh
//! cargo run --release -p inkling-devnode --example replay -- tests/vectors tests/vectors/rejects
//! ```
//!
//! Takes files and folders; exit code 1 where anything differs.

use inkling_devnode::replay::replay;
use std::{error::Error, fs, path::PathBuf, process::ExitCode};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut files = Vec::new();
    for path in std::env::args_os().skip(1).map(PathBuf::from) {
        if !path.is_dir() {
            files.push(path);
            continue;
        }
        for entry in fs::read_dir(&path)? {
            let file = entry?.path();
            if file.extension().is_some_and(|e| e == "json") {
                files.push(file);
            }
        }
    }
    files.sort();

    let (mut calls, mut exact_gas, mut exact, mut differences) = (0, 0, 0, 0);
    for file in &files {
        let result = match replay(file) {
            Ok(result) => result,
            Err(error) => {
                println!("{error}");
                differences += 1;
                continue;
            }
        };
        for difference in &result.differences {
            println!("{}: {difference}", file.display());
        }
        calls += result.calls;
        exact_gas += result.exact_gas;
        exact += result.exact;
        differences += result.differences.len();
    }
    println!(
        "{} files, {calls} calls: {exact_gas} with exact gas, {exact} exact in every field, {differences} differences",
        files.len()
    );
    Ok(ExitCode::from(u8::from(differences > 0)))
}
