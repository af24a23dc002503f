//! What `docs/json.md` says that commands print is what they print.

use inkling_devnode::{
    Chain, ChainConfig, Node, arbos,
    server::{self, ServerConfig},
};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The keys that the page lists for a command.
fn documented(command: &str) -> BTreeSet<String> {
    let page = fs::read_to_string(root().join("docs/json.md")).unwrap();
    let (_, section) = page.split_once(&format!("\n## {command}\n")).expect("it is on the page");
    let section = section.split("\n## ").next().unwrap();
    let keys = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    keys.map(String::from).collect()
}

/// The paths of all keys in a value.
fn paths(value: &Value, at: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let path = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
                into.insert(path.clone());
                paths(value, &path, into);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| paths(item, &format!("{at}[]"), into)),
        _ => {}
    }
}

/// Each key of the page is there; each key that is there is on the page, or within or around one that is.
#[track_caller]
fn check(command: &str, printed: &Value) {
    let documented = documented(command);
    let mut there = BTreeSet::new();
    paths(printed, "", &mut there);
    let missing: Vec<_> = documented.difference(&there).collect();
    assert!(missing.is_empty(), "{command}: not printed: {missing:?}");
    let within = |inner: &str, outer: &str| {
        inner
            .strip_prefix(outer)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    let told =
        |path: &&String| !documented.iter().any(|known| within(path, known) || within(known, path));
    let untold: Vec<_> = there.iter().filter(told).collect();
    assert!(untold.is_empty(), "{command}: not in docs/json.md: {untold:?}");
}

fn command(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_inkling"));
    command.env("INKLING_TEST_JSON_KEY", arbos::DEV_PRIVATE_KEY.to_string());
    command.args(arguments.split_whitespace());
    command
}

fn inkling(arguments: &str) -> Value {
    let output = command(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments}: {said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Deploy, look at it, let it be cached and, a hundred days later, prolonged.
#[tokio::test(flavor = "multi_thread")]
async fn commands_print_what_the_page_says() {
    let node = Node::new(Chain::new(ChainConfig::default()));
    let config = ServerConfig { port: 0, ..ServerConfig::default() };
    let server = server::serve(node.clone(), config).await.unwrap();
    let chain = format!("--json --rpc http://{}", server.address());
    let account = "--private-key-env INKLING_TEST_JSON_KEY";
    let folder = tempfile::tempdir().unwrap();

    let records = folder.path().display();
    let deploy = format!("deploy --model nano {chain} {account} --deployments {records}");
    check("deploy --dry-run", &inkling(&format!("{deploy} --dry-run")));

    // While no block is made, a deployment waits for one.
    node.chain().set_automine(false);
    let written = |name: &str| {
        let text = fs::read(folder.path().join(format!("412346/nano-stylus.{name}")));
        text.ok().and_then(|text| serde_json::from_slice::<Value>(&text).ok())
    };
    let mut under_way = command(&deploy);
    under_way.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut under_way = under_way.spawn().unwrap();
    let journal = loop {
        match written("journal.json") {
            Some(journal) => break journal,
            None => thread::sleep(Duration::from_millis(5)),
        }
        assert!(under_way.try_wait().unwrap().is_none(), "it ended by itself");
    };
    check("A deployment's journal", &journal);
    node.chain().set_automine(true);
    node.chain().mine();
    let output = under_way.wait_with_output().unwrap();
    let deployed = serde_json::from_slice(&output.stdout).unwrap();
    check("deploy", &deployed);
    check("A deployment's record", &written("json").unwrap());
    let there = format!("{chain} --address {}", deployed["address"].as_str().unwrap());

    let status = inkling(&format!("status {there}"));
    check("status", &status);
    assert_eq!((&status["model"], &status["state"]), (&"nano".into(), &"ready".into()));
    assert_eq!(status["program"]["cached"], false);

    let cached = inkling(&format!("cache {there} {account} --bid 0.000001 --yes"));
    check("cache", &cached);
    assert_eq!((&cached["cached"], &cached["bid_wei"]), (&true.into(), &"0xe8d4a51000".into()));

    {
        let mut chain = node.chain();
        let now = chain.latest().header.timestamp;
        chain.set_next_time(now + 100 * 86_400);
        chain.mine();
    }
    let prolonged = inkling(&format!("keepalive {there} {account} --yes"));
    check("keepalive", &prolonged);
    assert_eq!(prolonged["days_left"], 364);
    let status = inkling(&format!("status {there}"));
    assert_eq!((&status["days_left"], &status["program"]["cached"]), (&364.into(), &true.into()));

    let classified = inkling(&format!("classify 0 --model nano {there}"));
    check("classify", &classified);
    let evaluate = format!("evaluate --model nano --samples 100 --out {records} {there}");
    check("evaluate", &inkling(&evaluate));
    let compare = format!("compare --deployments {records} --out {records} --samples 5 {chain}");
    check("compare on a live chain", &inkling(&compare));
}

/// What takes too long to run is in the repository, as the same command wrote it.
#[test]
fn reports_are_what_the_page_says() {
    for (command, report) in
        [("compare", "compare"), ("exactness", "exactness"), ("profile", "profile-nano")]
    {
        let report = root().join(format!("reports/{report}.json"));
        check(command, &serde_json::from_slice(&fs::read(report).unwrap()).unwrap());
    }
}
