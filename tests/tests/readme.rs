//! The README claims only what a report says.

use inkling::models::SHIPPED;
use std::{fs, path::Path};

#[test]
fn every_table_row_stands_in_its_report() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    for name in ["compare", "frontier"] {
        let report = fs::read_to_string(root.join(format!("reports/{name}.md"))).unwrap();
        let (_, rest) = readme.split_once(&format!("<!-- {name} -->")).expect("the block begins");
        let (block, _) = rest.split_once(&format!("<!-- /{name} -->")).expect("the block ends");
        let rows: Vec<&str> = block.lines().filter(|line| line.starts_with('|')).collect();
        assert!(rows.len() > 10, "the block has its tables");
        for row in rows {
            assert!(report.lines().any(|line| line == row), "not in reports/{name}.md: {row}");
        }
    }
}

#[test]
fn accuracies_are_those_of_the_cards() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    for model in SHIPPED {
        let card = fs::read_to_string(root.join(format!("models/{model}.md"))).unwrap();
        let line = card.lines().find_map(|line| line.strip_prefix("| test accuracy | "));
        let accuracy = line.and_then(|line| line.split(" of ").next()).expect("the card says it");
        let row = readme.lines().find(|line| line.starts_with(&format!("| [`{model}`]")));
        assert!(row.expect("the model is listed").contains(accuracy), "{model}: {accuracy}");
    }
}
