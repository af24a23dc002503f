//! The page in `web/`: what is built is what the sources give, its preprocessing is Rust's, and it does in a browser
//! what it is there for. The scenarios in the browser are in `web/tests/page.mjs`.
//!
//! With `INKLING_SCREENSHOTS` set, the pictures in `web/screenshots` are taken again, too.

use alloy::primitives::{Address, address};
use inkling::{
    artifacts::Contract,
    chain::Connection,
    deployment,
    models::Model,
    page::{self, Site},
    serve::Demo,
};
use inkling_data::{mnist, to_input};
use inkling_tests::served::{available, installed, limited, root, stdout};
use rand::{RngCore, SeedableRng, rngs::StdRng};
use serde_json::json;
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};
use tokio::runtime::Runtime;

/// Where Debian's Chromium is, unless `INKLING_CHROMIUM` says otherwise.
const CHROMIUM: &str = "/usr/bin/chromium";

/// Nitro's development account, for which the page's own chain signs.
const ACCOUNT: Address = address!("3f1Eae7D46d88F08fc2F8ed27FCb2AB183EB2d0E");

/// A program of `web/`, if its packages are installed.
fn node(script: &str) -> Option<Command> {
    installed("web/node_modules/esbuild", "tools/setup-node.sh installs it")?;
    let mut node = limited("node");
    node.current_dir(root().join("web")).arg(script);
    Some(node)
}

/// Where a test leaves what a program of `web/` reads.
fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[test]
fn the_built_page_is_what_the_sources_give() {
    if let Some(mut build) = node("build.mjs") {
        let said = stdout(build.arg("--check"));
        assert!(said.starts_with("first load: "), "{said}");
    }
}

#[test]
fn the_sources_have_no_type_errors() {
    if let Some(mut compiler) = node("node_modules/typescript/bin/tsc") {
        assert_eq!(stdout(&mut compiler), "");
    }
}

#[test]
fn preprocessing_is_that_of_rust() {
    let Some(mut compare) = node("tests/preprocess.mjs") else { return };
    let images = mnist::test_set().unwrap().images;
    let digits = images.iter().take(1_000).map(|image| (28, 28, image.to_vec()));
    // And pictures of other proportions, larger and smaller than the result in either direction.
    let others = [(20, 20), (20, 57), (57, 20), (1, 1), (7, 300), (300, 7), (19, 21), (280, 280)];
    let mut noise = vec![0; 280 * 280];
    StdRng::seed_from_u64(28).fill_bytes(&mut noise);
    let others = others.map(|(width, height)| (width, height, noise[..width * height].to_vec()));
    let mut file = Vec::new();
    for (width, height, pixels) in digits.chain(others) {
        file.extend([width, height].map(|side| (side as u16).to_be_bytes()).as_flattened());
        file.extend(&pixels);
        file.extend(to_input(&pixels, width, height).unwrap());
    }
    let path = fixture("pictures.bin");
    fs::write(&path, file).unwrap();
    assert_eq!(stdout(compare.arg(path)), "1008\n");
}

#[test]
fn in_a_browser() {
    let Some(mut scenarios) = node("tests/page.mjs") else { return };
    let chromium = env::var_os("INKLING_CHROMIUM").map_or(CHROMIUM.into(), PathBuf::from);
    let set_up = "tools/setup-browser.sh installs it, or name one in INKLING_CHROMIUM";
    if !available(chromium.exists(), &chromium.display().to_string(), set_up) {
        return;
    }
    // The page's own chain has a server, which goes on while the browser asks.
    let runtime = Runtime::new().unwrap();
    let model = Model::open("small").unwrap();
    let demo = runtime.block_on(Demo::new(&model, "127.0.0.1", 0)).unwrap();
    let not_ready = runtime.block_on(without_model(&demo, &model));
    let site = Site::new(&demo.config).unwrap();
    let server = runtime.block_on(page::serve(site, "127.0.0.1", 0)).unwrap();
    let fixed = json!({
        "page": format!("http://{}/", server.address()),
        "config": demo.config,
        "account": ACCOUNT,
        "notReady": not_ready,
    });
    let path = fixture("page.json");
    fs::write(&path, fixed.to_string()).unwrap();
    stdout(scenarios.arg(&path));
    if env::var_os("INKLING_SCREENSHOTS").is_some()
        && let Some(mut take) = node("tests/screenshots.mjs")
    {
        stdout(take.arg(path));
    }
}

/// A Solidity contract on the page's chain that no model was uploaded to.
async fn without_model(demo: &Demo, model: &Model) -> Address {
    let chain = Connection::to_node(demo.node.clone()).await.unwrap();
    deployment::create(&chain, Contract::Packed, model).await.unwrap().address
}
