//! `compare-….html`: a page about contracts on a live chain.

use super::{page, plot, prose, section, table};
use crate::{
    plot,
    report::{Frontier, LiveComparison},
};
use maud::html;

impl LiveComparison {
    /// The report as a page.
    pub fn html(&self, frontier: &Frontier) -> String {
        let figures = table("Each contract, and what a classification costs", &self.table());
        let mut sections = vec![section("Contracts", &figures)];
        if let Some(gas) = plot::live(self) {
            sections.push(section("Gas", &plot(&gas)));
            sections
                .push(section("Accuracy against gas", &plot(&plot::live_frontier(self, frontier))));
        }
        let introduction = html! { p { (prose(&self.introduction())) } };
        page(&self.title(), &introduction, &sections)
    }
}
