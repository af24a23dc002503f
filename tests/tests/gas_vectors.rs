//! The recorded calls of `vectors/` give what was recorded, to the unit of gas and ink.

use inkling_devnode::replay::{Replay, files, replay};
use std::path::{Path, PathBuf};

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

/// Replays every file, printing each difference: their number, and the sum of what came out.
fn replay_all() -> (usize, Replay) {
    let files = files(&vectors()).unwrap();
    let mut sum = Replay::default();
    for file in &files {
        let one = replay(file).unwrap_or_else(|error| panic!("{error}"));
        for difference in &one.differences {
            println!("{}: {difference}", file.display());
        }
        sum.add(one);
    }
    (files.len(), sum)
}

#[test]
fn recorded_calls_and_verdicts_are_exact() {
    let (files, sum) = replay_all();
    println!("{} calls, {} with exact gas", sum.calls, sum.exact_gas);
    assert_eq!(sum.differences, []);
    assert_eq!((files, sum.verdicts, sum.calls), (42, 23, 347));
    assert_eq!((sum.exact_gas, sum.exact), (347, 347));
}

/// A vector file with `edit` applied to its text, replayed beside its program.
fn edited(name: &str, edit: impl Fn(&str) -> String) -> Result<Replay, String> {
    let folder = std::env::temp_dir().join(format!("inkling-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let copy = |extension: &str| {
        let file = Path::new("args_result").with_extension(extension);
        let text = std::fs::read_to_string(vectors().join(&file)).unwrap();
        let text = if extension == "json" { edit(&text) } else { text };
        std::fs::write(folder.join(&file), text).unwrap();
    };
    copy("wat");
    copy("json");
    let result = replay(&folder.join("args_result.json"));
    let message = |error: &dyn std::error::Error| {
        error.to_string().replace(&format!("{}/", folder.display()), "")
    };
    let result = result.map_err(|error| message(&error));
    std::fs::remove_dir_all(&folder).unwrap();
    result
}

#[test]
fn a_difference_names_its_call_and_field() {
    let result = edited("gas", |text| text.replacen("\"gas_used\": 30", "\"gas_used\": 40", 1));
    let result = result.unwrap();
    let [difference] = result.differences.as_slice() else {
        panic!("{:?}", result.differences);
    };
    assert_eq!(difference.field, "gas_used");
    let (expected, got) = (&difference.expected, &difference.got);
    assert_eq!(expected.parse::<u64>().unwrap(), got.parse::<u64>().unwrap() + 10_000);
    assert!(difference.to_string().contains(&format!("expected {expected}, got {got}")));
    assert_eq!(result.calls - result.exact_gas, 1);
}

#[test]
fn files_that_cannot_be_replayed_say_why() {
    let refusal =
        |name, from: &str, to: &str| edited(name, |text| text.replacen(from, to, 1)).unwrap_err();
    assert!(refusal("json", "{", "[").contains("not a vector file"));
    assert!(refusal("field", "\"gas_used\"", "\"gas\"").contains("missing field `gas_used`"));
    let missing = refusal("program", "args_result.wat", "nothing.wat");
    assert!(missing.starts_with("nothing.wat: "), "{missing}");
    let old = refusal("version", "\"arbos\": 51", "\"arbos\": 31");
    assert!(old.contains("ArbOS 31 is too old"), "{old}");
    let past = refusal("block", "\"block\": 3", "\"block\": 2");
    assert!(past.contains("block 2 cannot follow block 2"), "{past}");
}

/// These calls depend on nothing that changed between the versions.
#[test]
fn other_versions_of_arbos_replay_too() {
    for version in [32, 40, 41, 50, 60] {
        let arbos = format!("\"arbos\": {version}");
        let result = edited(&arbos[9..], |text| text.replacen("\"arbos\": 51", &arbos, 1));
        assert_eq!(result.unwrap().differences, [], "{version}");
    }
}
