//! The committed reports are of the committed programs and models: who changes one runs the commands again.

use alloy::primitives::B256;
use inkling::{
    artifacts::{self, Contract},
    models::{Model, SHIPPED},
    report::{Comparison, Evaluation, Exactness, Frontier, Profile, Refusal},
};
use serde::{Deserialize, de::DeserializeOwned};
use std::{fs, path::Path};

fn text(file: &str) -> String {
    let reports = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports");
    fs::read_to_string(reports.join(file)).unwrap()
}

fn report<T: DeserializeOwned>(name: &str) -> T {
    serde_json::from_str(&text(&format!("{name}.json")))
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Every contract with every model must be there, or why it is not.
#[track_caller]
fn complete<'a>(
    rows: impl Iterator<Item = (Contract, &'a str, &'a str, B256)>,
    refusals: &[Refusal],
) {
    let mut seen = Vec::new();
    for (contract, model, sha256, hash) in rows {
        let program = artifacts::program(contract, model).unwrap();
        assert_eq!(sha256, program.sha256(), "{contract} with {model}");
        assert_eq!(hash, Model::open(model).unwrap().hash, "{model}");
        seen.push((model, contract));
    }
    seen.extend(refusals.iter().map(|refusal| (&refusal.model[..], refusal.contract)));
    seen.sort();
    let mut all: Vec<(&str, Contract)> =
        SHIPPED.iter().flat_map(|model| Contract::ALL.map(|contract| (*model, contract))).collect();
    all.sort();
    assert_eq!(seen, all);
}

#[test]
fn compare_is_of_these_programs_and_models() {
    let comparison: Comparison = report("compare");
    assert!(comparison.agrees());
    let rows = comparison.rows.iter().map(|row| {
        let done = &row.deployment;
        (done.contract, &done.model[..], &row.sha256[..], done.model_hash)
    });
    complete(rows, &comparison.refusals);
    let frontier = Frontier::of(&comparison);
    assert_eq!(report::<Frontier>("frontier"), frontier);
    assert_eq!(text("compare.md"), comparison.markdown("compare"));
    assert_eq!(text("frontier.md"), frontier.markdown("frontier"));
}

#[test]
fn exactness_is_of_these_programs_and_models() {
    let Exactness { rows, refusals } = report("exactness");
    for row in &rows {
        assert!(row.agrees(), "{} with {}", row.contract, row.model);
        assert_eq!(row.images, if row.contract.is_stylus() { 10_000 } else { 1_000 });
    }
    let rows = rows.iter().map(|r| (r.contract, &r.model[..], &r.sha256[..], r.model_hash));
    complete(rows, &refusals);
}

#[test]
fn evaluations_and_profiles_are_of_this_program_and_these_models() {
    let [stylus, marked] = [artifacts::stylus(), artifacts::stylus_profile()].map(Result::unwrap);
    for name in SHIPPED {
        let hash = Model::open(name).unwrap().hash;
        let evaluation: Evaluation = report(&format!("evaluate-{name}"));
        assert_eq!(evaluation.sha256.as_ref(), Some(&stylus.build.sha256));
        assert_eq!(evaluation.model_hash, hash);
        assert_eq!((evaluation.contract, evaluation.samples), (Contract::Stylus, 10_000));
        assert!(evaluation.disagreements.is_empty());

        let profile: Profile = report(&format!("profile-{name}"));
        assert_eq!((profile.model_hash, &profile.sha256), (hash, &marked.build.sha256));
        assert_eq!(profile.production_sha256, stylus.build.sha256);
        // The marks must not change what is measured.
        let (ink, production) = (profile.ink(), profile.production_ink);
        assert!(ink.abs_diff(production) * 100 < production, "{name}: {ink}, {production}");
    }
}

/// What `make bench` wrote of a model.
#[derive(Deserialize)]
struct Native {
    model: String,
    model_hash: B256,
    kernel_images_per_second: u64,
    reference_images_per_second: u64,
}

#[derive(Deserialize)]
struct NativeReport {
    rows: Vec<Native>,
}

#[test]
fn native_speed_is_of_these_models() {
    let mut rows = report::<NativeReport>("native").rows;
    let mut shipped = SHIPPED;
    shipped.sort();
    rows.sort_by(|a, b| a.model.cmp(&b.model));
    assert_eq!(rows.iter().map(|row| &row.model[..]).collect::<Vec<_>>(), shipped);
    for row in rows {
        assert_eq!(row.model_hash, Model::open(&row.model).unwrap().hash, "{}", row.model);
        if row.model == "small" {
            let (kernel, reference) =
                (row.kernel_images_per_second, row.reference_images_per_second);
            assert!(kernel >= 20_000, "{kernel} images a second");
            assert!(kernel > 5 * reference, "{kernel} images a second, {reference}");
        }
    }
}
