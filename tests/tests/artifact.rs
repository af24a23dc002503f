//! Each committed Stylus program is the one described, fits a contract, activates within the free pages, and is what
//! the sources give.

use inkling::{
    abi::IClassifier::{classifyCall, modelInfoCall},
    artifacts::{Contract, Home, Program, StylusProgram, program},
    models::{BAKED, Model},
};
use inkling_devnode::{
    Chain, ChainConfig,
    stylus::{compress, decompress},
};
use inkling_tests::{Deployed, OWNER, contracts::MAX_CODE, served::root, test_images};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, env, fs, path::Path};

/// Folder with programs that were built just now (`node contract/build.mjs --into DIR`).
const BUILT: &str = "INKLING_BUILT_CONTRACT";

/// A program and its description.
struct Built {
    wasm: Vec<u8>,
    about: Value,
}

/// The programs in a folder and in its folder `baked`, by their path in it without ending.
fn programs(folder: &Path) -> BTreeMap<String, Built> {
    let mut programs = BTreeMap::new();
    for inner in ["", "baked"] {
        let Ok(files) = fs::read_dir(folder.join(inner)) else { continue };
        for file in files.map(|file| file.unwrap().path()) {
            if file.extension().is_some_and(|ending| ending == "wasm") {
                let wasm = fs::read(&file).unwrap();
                let about = fs::read(file.with_extension("json")).unwrap();
                let about = serde_json::from_slice(&about).unwrap();
                let name = file.with_extension("");
                let name = name.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                programs.insert(name, Built { wasm, about });
            }
        }
    }
    programs
}

fn committed() -> BTreeMap<String, Built> {
    programs(&root().join("contract/artifacts"))
}

/// The contract that a program is, and the model in it or to be put into it.
fn contract(name: &str) -> (Contract, &str) {
    match name {
        "inkling_contract" | "inkling_contract_profile" => (Contract::Stylus, "mlp-64"),
        "inkling_contract_code" => (Contract::StylusCode, "mlp-32-16"),
        _ => (Contract::StylusBaked, name.strip_prefix("baked/").expect("no other is built")),
    }
}

/// The program as it is deployed.
fn checked(name: &str, built: &Built) -> StylusProgram {
    StylusProgram::new(contract(name).0, &built.wasm, &built.about.to_string()).unwrap()
}

#[test]
fn every_variant_is_there() {
    let names: Vec<String> = committed().into_keys().collect();
    let variants = ["inkling_contract", "inkling_contract_code", "inkling_contract_profile"];
    let baked = BAKED.map(|model| format!("baked/{model}"));
    for name in variants.into_iter().chain(baked.iter().map(String::as_str)) {
        assert!(names.iter().any(|there| there == name), "no {name} in {names:?}");
    }
}

#[test]
fn programs_are_the_ones_described() {
    for (name, built) in committed() {
        let (wasm, about) = (&built.wasm, &built.about);
        let sha256: String =
            Sha256::digest(wasm).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(about["sha256"], sha256, "{name}");
        assert_eq!(about["bytes"], wasm.len(), "{name}");
        let code = compress(wasm);
        assert_eq!(decompress(&code, wasm.len()).unwrap(), *wasm, "{name}");
        assert!(code.len() <= MAX_CODE, "{name}: {} bytes", code.len());
        // Node's brotli, which wrote the description, and ours are not equal to the byte.
        let described = about["compressed_bytes"].as_u64().unwrap() as usize;
        let ours = code.len();
        let close = described.abs_diff(ours) < ours / 50;
        assert!(close, "{name}: {described} described, {ours} bytes");
        // What is deployed is what is committed.
        let (contract, model) = contract(&name);
        if name != "inkling_contract_profile" {
            let Program::Stylus(deployed) = program(contract, model).unwrap() else {
                panic!("{contract} is a Stylus program")
            };
            assert!(deployed.code == code, "{name}");
        }
    }
}

#[test]
fn they_activate_within_the_free_pages() {
    for (name, built) in committed() {
        let program = checked(&name, &built);
        let mut chain = Chain::new(ChainConfig::default());
        chain.set_code(OWNER, program.code.clone().into());
        let activation = chain.activate(OWNER).unwrap();
        assert!(activation.footprint <= 2, "{name}: {} pages", activation.footprint);

        let home = contract(&name).0.home();
        let mut deployed = Deployed::stylus(&program, home, OWNER).unwrap();
        let cost = deployed.send(OWNER, &modelInfoCall {}).unwrap().trace.call_cost.unwrap();
        assert_eq!(cost.pages, 0, "{name}");
        assert!(cost.init > 0, "{name}");
    }
}

/// Logits of some test images, and the mean gas of classifying them.
fn behaviour(name: &str, built: &Built) -> (Vec<Vec<i32>>, f64) {
    let (contract, model) = contract(name);
    let mut deployed = Deployed::stylus(&checked(name, built), contract.home(), OWNER).unwrap();
    if contract.home() != Home::Baked {
        deployed.upload(&Model::open(model).unwrap());
    }
    let images = test_images(100);
    let mut gas = 0;
    let logits = images.iter().map(|image| {
        let call = classifyCall { image: image.to_vec().into() };
        gas += deployed.send(OWNER, &call).unwrap().gas_used;
        deployed.logits(image).unwrap()
    });
    (logits.collect(), gas as f64 / images.len() as f64)
}

/// Equal bytes where the toolchain is the recorded one, else equal behaviour and almost equal gas.
#[test]
fn they_are_what_the_sources_give() {
    let Some(dir) = env::var_os(BUILT) else {
        eprintln!("skipped: {BUILT} names no folder with built programs (`make test` does)");
        return;
    };
    let (ours, theirs) = (committed(), programs(Path::new(&dir)));
    let names = |programs: &BTreeMap<String, Built>| programs.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&ours), names(&theirs), "committed and built");
    for ((name, ours), theirs) in ours.iter().zip(theirs.values()) {
        let toolchain =
            ["rustc", "linker", "cargo_flags", "rust_flags", "wasm_opt", "wasm_opt_flags"];
        let differs = |&field: &&str| ours.about[field] != theirs.about[field];
        let others: Vec<_> = toolchain.into_iter().filter(differs).collect();
        if others.is_empty() {
            let sha256 = |built: &Built| built.about["sha256"].clone();
            assert_eq!(sha256(ours), sha256(theirs), "{name} is stale: `make contract` builds it");
            assert!(ours.wasm == theirs.wasm, "{name}: equal checksums of unequal bytes");
            continue;
        }
        let [ours, theirs] = [ours, theirs].map(|built| behaviour(name, built));
        assert!(ours.0 == theirs.0, "{name} is stale ({others:?} differ): other logits");
        let change = (theirs.1 / ours.1 - 1.0).abs();
        let message = "built with another toolchain, the sources give other gas";
        let (ours, theirs) = (ours.1, theirs.1);
        assert!(change <= 0.005, "{name}: {message} ({others:?}): {theirs} instead of {ours}");
    }
}
