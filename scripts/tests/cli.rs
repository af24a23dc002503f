//! The built program: its output, its exit codes, and that it says which file is wrong.

use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

/// The first account of the mnemonic of all development chains.
const KEY: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

fn inkling(arguments: &[&str]) -> Output {
    // From this package's folder: where the shipped models and images lie must not depend on it.
    let mut command = Command::new(env!("CARGO_BIN_EXE_inkling"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Must fail with this exit code and say each of `parts`, on stderr only.
#[track_caller]
fn fails(arguments: &[&str], code: i32, parts: &[&str]) {
    let output = inkling(arguments);
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    assert_eq!(stdout(&output), "", "{arguments:?}");
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in {said:?}");
    }
}

#[test]
fn help_lists_the_subcommands() {
    let output = inkling(&["--help"]);
    assert!(output.status.success());
    let help = stdout(&output);
    for subcommand in ["compare", "evaluate", "exactness", "profile", "classify", "deploy", "bake"]
    {
        assert!(help.lines().any(|line| line.trim().starts_with(subcommand)), "{help}");
        assert!(inkling(&[subcommand, "--help"]).status.success());
    }
}

#[test]
fn a_test_image_is_classified() {
    for contract in ["stylus", "packed"] {
        let output = inkling(&["classify", "0", "--json", "--contract", contract]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&answer["digit"], &answer["label"]), (&Value::from(7), &Value::from(7)));
        let logits: Vec<i64> =
            answer["logits"].as_array().unwrap().iter().map(|n| n.as_i64().unwrap()).collect();
        assert_eq!(logits.len(), 10);
        assert!(logits.iter().all(|&logit| logit <= logits[7]));
        let image = answer["image"].as_str().unwrap();
        assert_eq!(image.len(), 800);
        assert!(image.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let gas = answer["gas"]["transaction"].as_u64().unwrap();
        assert!(gas > answer["gas"]["execution"].as_u64().unwrap() + 21_000);
    }
}

#[test]
fn wrong_usage_is_exit_code_2() {
    fails(&[], 2, &["Usage"]);
    fails(&["clasify"], 2, &["clasify"]);
    fails(&["evaluate", "--samples", "0"], 2, &["--samples"]);
    fails(&["classify", "10000"], 2, &["10000"]);
    fails(&["deploy", "--rpc", "http://127.0.0.1:9"], 2, &["--private-key-env"]);
    fails(&["deploy", "--private-key", KEY], 2, &["--network"]);
    fails(&["classify", "7", "--rpc", "http://127.0.0.1:9"], 2, &["--address"]);
    // An address means nothing on a chain that was just made.
    fails(
        &["classify", "7", "--address", "0x00000000000000000000000000000000000a11ce"],
        2,
        &["--network"],
    );
}

#[test]
fn files_that_cannot_be_used_are_exit_code_3() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fails(&["classify", &path("none.png")], 3, &["none.png"]);
    fails(&["classify", "0", "--model", &path("none.safetensors")], 3, &["none.safetensors"]);

    fs::write(path("text.png"), "not a picture").unwrap();
    fails(&["classify", &path("text.png")], 3, &["error: "]);

    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/mlp-64.safetensors");
    let bytes = fs::read(shipped).unwrap();
    fs::write(path("cut.safetensors"), &bytes[..bytes.len() / 2]).unwrap();
    let cut = path("cut.safetensors");
    fails(&["evaluate", "--model", &cut], 3, &[&cut, "safetensors"]);

    let images = "t10k-images-idx3-ubyte";
    fails(&["classify", "0", "--data", &path("")], 3, &[images]);
    fs::write(path(images), [0, 0, 8, 3]).unwrap();
    fails(&["classify", "0", "--data", &path("")], 3, &[images, "truncated: 4 bytes, 16 expected"]);
}

/// Nothing listens there, and nobody was asked yet.
#[test]
fn what_is_refused_before_any_transaction_is_exit_code_4() {
    let deploy = ["deploy", "--rpc", "http://127.0.0.1:9", "--private-key-env", "INKLING_NO_KEY"];
    fails(&deploy, 4, &["INKLING_NO_KEY"]);
    fails(
        &["deploy", "--network", "sepolia", "--chain-id", "1", "--private-key", KEY],
        4,
        &["421614"],
    );
}

#[test]
fn an_endpoint_that_cannot_be_reached_is_exit_code_3() {
    let url = "http://127.0.0.1:9/a-key";
    fails(&["deploy", "--rpc", url, "--private-key", KEY], 3, &["http://127.0.0.1:9: "]);
}

/// Neither of a key on the command line nor of a provider's in a URL is anything shown, whatever is wrong with it.
#[test]
fn nothing_secret_is_shown() {
    let address = "0x00000000000000000000000000000000000a11ce";
    let cut = &KEY[..60];
    let url = "http://127.0.0.1:9/v2/a-providers-key";
    let cases: [(&[&str], i32); 5] = [
        (&["deploy", "--rpc", url, "--private-key", cut], 4),
        (&["deploy", "--rpc", url, "--private-key", KEY], 3),
        (&["deploy", "--rpc", url, "--private-key", KEY, "--keystore", "no-file"], 2),
        (
            &[
                "classify",
                "0",
                "--address",
                address,
                "--rpc",
                "a-providers-key",
                "--private-key",
                KEY,
            ],
            2,
        ),
        (&["classify", "0", "--rpc", url, "--private-key", KEY, "--chain-id", "one"], 2),
    ];
    for (arguments, code) in cases {
        let output = inkling(arguments);
        let said =
            [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(!said.contains("ac0974be") && !said.contains("a-providers-key"), "{said}");
    }
    let warned = inkling(&["deploy", "--rpc", url, "--private-key", KEY]).stderr;
    assert!(String::from_utf8(warned).unwrap().contains("warning: other users of this machine"));
}
