//! Manners of the program: help, completions, manual, options from three places, what it tells on the side, and how it ends.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};
use tempfile::TempDir;

/// All subcommands.
const COMMANDS: [&str; 14] = [
    "bake",
    "cache",
    "classify",
    "compare",
    "completions",
    "deploy",
    "evaluate",
    "exactness",
    "keepalive",
    "man",
    "node",
    "profile",
    "serve",
    "status",
];

/// The first account of the mnemonic of all development chains.
const KEY: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

/// Nothing listens there.
const NOBODY: &str = "http://127.0.0.1:9";

/// Environment variables.
type Variables<'a> = &'a [(&'a str, &'a str)];

/// A working directory of its own.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn run(&self, line: &str, variables: Variables<'_>) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_inkling"));
        command.current_dir(self.0.path()).envs(variables.iter().copied());
        command.args(line.split_whitespace()).output().unwrap()
    }

    /// Exit code and what it said on stderr.
    fn said(&self, line: &str, variables: Variables<'_>) -> (i32, String) {
        let output = self.run(line, variables);
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }
}

fn text(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_command_has_help_with_an_example() {
    let place = Place::new();
    let help = text(place.run("--help", &[]));
    assert!(help.contains("130  interrupted") && help.contains("Example:"), "{help}");
    let listed = help.split_once("Commands:").unwrap().1.split_once("\n\n").unwrap().0;
    for command in COMMANDS {
        assert!(listed.contains(&format!("\n  {command} ")), "{command}: {listed}");
        let help = text(place.run(&format!("{command} --help"), &[]));
        let example = help.split_once("Example").expect("there is one").1;
        assert!(example.contains(&format!("inkling {command}")), "{command}: {example}");
    }
    assert_eq!(listed.lines().filter(|line| line.starts_with("  ")).count(), COMMANDS.len() + 1);
    let help = text(place.run("deploy -h", &[]));
    let (account, _) = help.split_once("Account:").unwrap().1.split_once("\n\n").unwrap();
    assert!(account.contains("--keystore") && !account.contains("--json"), "{help}");
    // The variable's name, and never its value.
    let help = text(place.run("status --help", &[("INKLING_RPC", "http://a-providers-key")]));
    assert!(help.contains("[env: INKLING_RPC]") && !help.contains("a-providers-key"), "{help}");
}

#[test]
fn completions_and_manual() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = text(place.run(&format!("completions {shell}"), &[]));
        assert!(script.contains("keepalive") && script.contains("mnemonic-index"), "{shell}");
    }
    assert!(text(place.run("man", &[])).contains("130"));
    text(place.run("man --out pages", &[]));
    let page = fs::read_to_string(place.0.path().join("pages/inkling-deploy.1")).unwrap();
    assert!(page.contains(".SH SYNOPSIS") && page.contains("keystore"), "{page}");
    assert!(place.0.path().join("pages/inkling.1").exists());
}

/// `classify` says which model it cannot open.
#[test]
fn command_line_before_environment_before_file() {
    let place = Place::new();
    let file = "model = 'of-the-file'\n[evaluate]\nmodel = 'of-its-table'\n";
    place.write("inkling.toml", file);
    let other = place.write("other.toml", "model = 'of-another-file'");
    let other = other.to_str().unwrap();
    let variable = [("INKLING_MODEL", "of-the-environment")];
    let both = [variable[0], ("INKLING_CONFIG", other)];
    let cases: [(&str, Variables<'_>, &str); 7] = [
        ("classify 0", &[], "of-the-file "),
        ("evaluate --samples 1", &[], "of-its-table "),
        ("classify 0", &variable, "of-the-environment "),
        ("classify 0 --model of-the-line", &variable, "of-the-line "),
        ("classify 0", &both[1..], "of-another-file "),
        (&format!("--config {other} classify 0"), &[], "of-another-file "),
        (&format!("classify --config={other} 0"), &[], "of-another-file "),
    ];
    for (line, variables, expected) in cases {
        let (code, said) = place.said(line, variables);
        assert_eq!(code, 3, "{line}: {said}");
        assert!(said.contains(expected), "{line}: {said}");
    }
    assert_eq!(place.said("--config none.toml classify 0", &[]).0, 3);
}

/// Of options that exclude each other, the one from the earliest place is meant.
#[test]
fn an_account_on_the_command_line_is_the_account() {
    let place = Place::new();
    let deploy = format!("deploy --rpc {NOBODY}");
    let variable = [("INKLING_KEYSTORE", "of-the-environment")];
    let (code, said) = place.said(&deploy, &variable);
    assert_eq!(code, 4);
    assert!(said.contains("of-the-environment"), "{said}");
    place.write(
        "inkling.toml",
        "keystore = 'of-the-file'\nrpc = ['http://127.0.0.1:9', 'http://127.0.0.1:10']",
    );
    let (_, said) = place.said("deploy", &[]);
    assert!(said.contains("of-the-file"), "{said}");
    let (_, said) = place.said("deploy", &[("INKLING_MNEMONIC_ENV", "NO_SUCH_WORDS")]);
    assert!(said.contains("NO_SUCH_WORDS"), "{said}");
    let (_, said) = place.said("deploy --private-key-env NO_SUCH_KEY", &variable);
    assert!(said.contains("NO_SUCH_KEY"), "{said}");
    let (code, said) = place.said(&format!("deploy --private-key {KEY}"), &[]);
    assert_eq!(code, 3);
    assert!(said.contains("http://127.0.0.1:10: "), "{said}");
}

#[test]
fn files_that_are_wrong() {
    let place = Place::new();
    let cases = [
        ("modle = 'small'", "there is no option `modle`"),
        ("[classify]\nsamples = 3", "there is no option `classify.samples`"),
        ("model = true", "`model` is no text and no number"),
        ("model = {}", "`model` is no text and no number"),
        ("model = ", "inkling.toml: "),
        // A key has no business in a file, and is not shown.
        (&format!("private-key = '{KEY}'"), "there is no option `private-key`"),
        (&format!("private-key = {KEY}"), "inkling.toml: "),
    ];
    for (file, expected) in cases {
        place.write("inkling.toml", file);
        let (code, said) = place.said("classify 0", &[]);
        assert_eq!(code, 2, "{file}: {said}");
        assert!(said.contains(expected) && !said.contains("ac0974be"), "{file}: {said}");
    }
    // A value that does not suit is wrong usage, as on the command line.
    place.write("inkling.toml", "samples = 0");
    let (code, said) = place.said("evaluate", &[]);
    assert_eq!(code, 2);
    assert!(said.contains("--samples"), "{said}");
}

#[test]
fn a_wrong_password_is_found_before_anybody_is_asked() {
    let place = Place::new();
    place.write("key.json", include_str!("keystore.json"));
    place.write("right", "testpassword\n");
    place.write("wrong", "a-wrong-password\n");
    let deploy = format!("deploy --rpc {NOBODY} --keystore key.json");
    let (code, said) = place.said(&format!("{deploy} --password-file wrong"), &[]);
    assert_eq!((code, &said[..]), (4, "error: wrong password for key.json\n"));
    let (code, said) = place.said(&deploy, &[("INKLING_PASSWORD", "a-wrong-password")]);
    assert_eq!((code, &said[..]), (4, "error: wrong password for key.json\n"));
    // The right one gets as far as the endpoint, where nobody is.
    let (code, said) = place.said(&format!("{deploy} --password-file right"), &[]);
    assert_eq!(code, 3, "{said}");
    assert!(!said.contains("testpassword"));
}

/// Without --quiet it is told which endpoint failed; never in colours, as this is no terminal.
#[test]
fn quiet_and_verbose() {
    let place = Place::new();
    let status = format!("status --address 0x{:040} --rpc {NOBODY}/a-providers-key", 0);
    let lines = |said: &str| said.lines().count();
    let (code, plain) = place.said(&status, &[]);
    assert_eq!(code, 3);
    assert!(plain.contains("WARN") && !plain.contains('\x1b'), "{plain}");
    let (_, quiet) = place.said(&format!("-q {status}"), &[]);
    assert_eq!(lines(&quiet), 1, "{quiet}");
    let (_, verbose) = place.said(&format!("{status} -vv"), &[]);
    assert!(lines(&verbose) > lines(&plain), "{verbose}");
    for said in [plain, quiet, verbose] {
        assert!(!said.contains("a-providers-key"), "{said}");
    }
}

#[cfg(unix)]
#[test]
fn interrupted() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_inkling"));
    let out = Place::new();
    command.args(["evaluate", "--model", "small", "--samples", "10000", "--out"]).arg(out.0.path());
    let mut process = command.spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_secs(2));
    let pid = process.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert_eq!(process.wait().unwrap().code(), Some(130));
    assert!(!Path::new(out.0.path()).join("evaluate-small.json").exists());
}
