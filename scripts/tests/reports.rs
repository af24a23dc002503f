//! The committed reports are of the committed programs and models: who changes one runs the commands again.

use inkling::{
    artifacts::{self, Contract},
    models::{Model, SHIPPED},
    report::{Comparison, Evaluation},
};
use serde::de::DeserializeOwned;
use std::{fs, path::Path};

fn report<T: DeserializeOwned>(name: &str) -> T {
    let reports = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports");
    let text = fs::read_to_string(reports.join(name).with_extension("json")).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn compare_is_of_these_programs_and_models() {
    let comparison: Comparison = report("compare");
    assert_eq!(comparison.stylus, artifacts::stylus().unwrap().build);
    assert_eq!(comparison.rows.len(), SHIPPED.len() * Contract::ALL.len());
    assert!(comparison.agrees());
    for row in comparison.rows {
        let deployment = row.deployment;
        assert_eq!(row.sha256, artifacts::sha256(deployment.contract).unwrap());
        assert_eq!(deployment.model_hash, Model::open(&deployment.model).unwrap().hash);
    }
}

#[test]
fn evaluations_are_of_this_program_and_these_models() {
    for name in SHIPPED {
        let evaluation: Evaluation = report(&format!("evaluate-{name}"));
        assert_eq!(evaluation.sha256, Some(artifacts::sha256(Contract::Stylus).unwrap()));
        assert_eq!(evaluation.model_hash, Model::open(name).unwrap().hash);
        assert_eq!((evaluation.contract, evaluation.samples), (Contract::Stylus, 10_000));
        assert!(evaluation.disagreements.is_empty());
    }
}
