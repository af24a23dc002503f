//! `compare.html`: a page about every contract with every model.

use super::{GasPrice, page, plot, prose, section, table};
use crate::{
    plot,
    report::{Comparison, Frontier, ModelSummary, Table, thousands},
};
use maud::{Markup, html};

impl Comparison {
    /// The report as a page; the plot is of `samples` images where no contract is too dear for them.
    pub fn html(&self, frontier: &Frontier, samples: usize, price: GasPrice) -> String {
        let mut sections = vec![
            section("Gas", &plot(&plot::comparison(self, samples))),
            section("Accuracy against gas", &frontier.html()),
        ];
        for model in &self.models {
            let heading = format!("{}: {}", model.name, model.shape);
            sections.push(section(&heading, &self.model(model, price)));
        }
        let original = html! { p { (self.original_line()) } };
        sections.push(section("The original project", &original));
        let programs = html! {
            (table("What starting a Stylus program costs", &self.program_table()))
            p { "Solidity: " (prose(&self.solidity_line())) "." }
        };
        sections.push(section("Programs", &programs));
        let introduction = html! {
            p { "Written by " code { "inkling compare" } "." }
            @for paragraph in Self::explanation() { p { (prose(&paragraph)) } }
        };
        page(Self::TITLE, &introduction, &sections)
    }

    fn model(&self, model: &ModelSummary, price: GasPrice) -> Markup {
        let name = &model.name;
        let notes = self.notes(name);
        let costs = format!("{name}: what it costs at {}", price.words());
        html! {
            p { (model.line()) }
            (table(&format!("{name}: a classification"), &self.classify_table(name)))
            (table(&format!("{name}: what of it is compute"), &self.compute_table(name, model.multiply_adds)))
            (table(&format!("{name}: deployment"), &self.deployment_table(name)))
            (table(&costs, &self.cost_table(name, price)))
            @if !notes.is_empty() { ul { @for note in &notes { li { (note) } } } }
        }
    }

    /// What deploying and asking cost; of deploying with the data fee, which is no gas.
    fn cost_table(&self, model: &str, price: GasPrice) -> Table {
        let mut header = vec!["contract".to_owned(), "deploy, gas".into()];
        header.extend(price.header().iter().map(|unit| format!("deploy, {unit}")));
        header.push("classify, gas".into());
        header.extend(price.header().iter().map(|unit| format!("classify, {unit}")));
        let rows = self.rows_of(model).map(|row| {
            let done = &row.deployment;
            let mut cells = vec![done.contract.to_string(), thousands(done.gas(""))];
            cells.extend(price.cells(done.gas(""), done.data_fee_wei));
            if let Some(best) = row.best() {
                let gas = best.transaction_gas.mean;
                cells.push(thousands(gas));
                cells.extend(price.cells(gas, Default::default()));
            }
            cells.resize(header.len(), "–".into());
            cells
        });
        let rows: Vec<_> = rows.collect();
        Table::new(header, rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, path::Path};

    #[test]
    fn the_committed_comparison() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports/compare.json");
        let text = fs::read_to_string(path).unwrap();
        let mut comparison: Comparison = serde_json::from_str(&text).unwrap();
        comparison.refusals[0].reason = "no <b>".into();
        let frontier = Frontier::of(&comparison);
        let price = GasPrice { wei: 20_000_000, eth_price: None };
        let page = comparison.html(&frontier, 1_000, price);
        assert_eq!(page.matches("<h2>").count(), 4 + comparison.models.len());
        assert_eq!(page.matches("<table>").count(), 2 + 4 * comparison.models.len());
        assert_eq!(page.matches("<svg").count(), 2);
        for part in ["no &lt;b&gt;", "what it costs at 0.02 gwei a gas", "deploy, ether"] {
            assert!(page.contains(part), "{part}");
        }
        assert!(!page.contains("<b>") && !page.contains("<script") && !page.contains("USD"));
        assert_eq!(page.matches("://").count(), page.matches("http://www.w3.org/2000/svg").count());
    }
}
