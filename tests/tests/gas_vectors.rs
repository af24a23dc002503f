//! The recorded calls of `vectors/` give what was recorded, to the unit of gas and ink.

use inkling_devnode::replay::{Replay, replay};
use std::{fs, path::Path};

/// Replays every file of a folder and prints each difference. Files and sum of what came out.
fn folder(name: &str) -> (usize, Replay) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors").join(name);
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let mut sum = Replay::default();
    for file in &files {
        let one = replay(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        for difference in &one.differences {
            println!("{}: {difference}", file.display());
        }
        sum.calls += one.calls;
        sum.exact_gas += one.exact_gas;
        sum.exact += one.exact;
        sum.differences.extend(one.differences);
    }
    (files.len(), sum)
}

#[test]
fn recorded_calls_are_exact() {
    let (_, recorded) = folder(".");
    let (_, derived) = folder("derived");
    let calls = recorded.calls + derived.calls;
    println!("{calls} calls, {} with exact gas", recorded.exact_gas + derived.exact_gas);
    assert_eq!([recorded.differences, derived.differences].concat(), []);
    assert_eq!(recorded.exact_gas + derived.exact_gas, calls);
    assert_eq!(calls, 347);
}

/// Programs that activation must refuse, and near misses that it must accept.
#[test]
fn verdicts_on_programs_are_those_recorded() {
    let (files, verdicts) = folder("rejects");
    assert_eq!(verdicts.differences, []);
    assert_eq!(files, 23);
}
