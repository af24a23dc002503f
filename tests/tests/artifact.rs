//! The committed Stylus program is the one described, fits a contract, activates within the free pages, and is what
//! the sources give.

use inkling::{
    artifacts::{self, Contract, StylusProgram},
    models::Model,
};
use inkling_devnode::{
    Chain, ChainConfig,
    stylus::{compress, decompress},
};
use inkling_tests::{Deployed, OWNER, test_images};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{env, fs, path::Path};

/// The most bytes that an account's code may have (EIP-170).
const MAX_CODE: usize = 24_576;

/// Folder with a program that was built just now (`node contract/build.mjs --into DIR`).
const BUILT: &str = "INKLING_BUILT_CONTRACT";

/// The program and its description in a folder.
fn read(dir: &Path) -> (Vec<u8>, Value) {
    let wasm = fs::read(dir.join("inkling_contract.wasm")).unwrap();
    let json = fs::read_to_string(dir.join("inkling_contract.json")).unwrap();
    (wasm, serde_json::from_str(&json).unwrap())
}

fn committed() -> (Vec<u8>, Value) {
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../contract/artifacts"))
}

#[test]
fn the_program_is_the_one_described() {
    let (wasm, about) = committed();
    let sha256: String = Sha256::digest(&wasm).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(about["sha256"], sha256);
    assert_eq!(about["bytes"], wasm.len());
    let code = compress(&wasm);
    assert_eq!(decompress(&code, wasm.len()).unwrap(), wasm);
    assert!(code.len() <= MAX_CODE, "{} bytes", code.len());
    // Node's brotli, which wrote the description, and ours are not equal to the byte.
    let described = about["compressed_bytes"].as_u64().unwrap() as usize;
    assert!(described.abs_diff(code.len()) < 100, "{described} described, {} bytes", code.len());
    assert_eq!(artifacts::stylus().unwrap().code, code);
}

#[test]
fn it_activates_within_the_free_pages() {
    let mut chain = Chain::new(ChainConfig::default());
    chain.set_code(OWNER, artifacts::stylus().unwrap().code.into());
    let activation = chain.activate(OWNER).unwrap();
    assert!(activation.footprint <= 2, "{} pages", activation.footprint);

    let mut deployed = Deployed::new(Contract::Stylus);
    let info = inkling::abi::IClassifier::modelInfoCall {};
    let cost = deployed.send(OWNER, &info).unwrap().trace.call_cost.unwrap();
    assert_eq!(cost.pages, 0);
    assert!(cost.init > 0);
}

/// Logits of some test images, and the mean gas of classifying them.
fn behaviour(program: &StylusProgram, model: &Model) -> (Vec<Vec<i32>>, f64) {
    let mut deployed = Deployed::stylus(program, OWNER).unwrap();
    deployed.upload(model);
    let images = test_images(100);
    let mut gas = 0;
    let logits = images.iter().map(|image| {
        let call = inkling::abi::IClassifier::classifyCall { image: image.to_vec().into() };
        gas += deployed.send(OWNER, &call).unwrap().gas_used;
        deployed.logits(image).unwrap()
    });
    (logits.collect(), gas as f64 / images.len() as f64)
}

/// Equal bytes where the toolchain is the recorded one, else equal behaviour and almost equal gas.
#[test]
fn it_is_what_the_sources_give() {
    let Some(dir) = env::var_os(BUILT) else {
        eprintln!("skipped: {BUILT} names no folder with a built program (`make test` does)");
        return;
    };
    let (ours, theirs) = (committed(), read(Path::new(&dir)));
    let toolchain = ["rustc", "linker", "cargo_flags", "rust_flags", "wasm_opt", "wasm_opt_flags"];
    let others: Vec<_> =
        toolchain.into_iter().filter(|&field| ours.1[field] != theirs.1[field]).collect();
    if others.is_empty() {
        let sha256 = |about: &Value| about["sha256"].clone();
        assert_eq!(sha256(&ours.1), sha256(&theirs.1), "stale: `make contract` builds it anew");
        assert!(ours.0 == theirs.0, "equal checksums of unequal bytes");
        return;
    }
    let model = Model::open("mlp-64").unwrap();
    let [ours, theirs] = [ours, theirs].map(|(wasm, about)| {
        behaviour(&StylusProgram::new(&wasm, &about.to_string()).unwrap(), &model)
    });
    assert!(ours.0 == theirs.0, "stale ({others:?} differ): the sources give other logits");
    let change = (theirs.1 / ours.1 - 1.0).abs();
    let message = "built with another toolchain, the sources give other gas";
    assert!(change <= 0.005, "{message} ({others:?}): {} instead of {}", theirs.1, ours.1);
}
