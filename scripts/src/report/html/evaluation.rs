//! `evaluate-….html`: a page about one deployed model.

use super::{
    confusion::confusion, facts, list, misread::misread, page, plot, prose, section, table,
};
use crate::{
    networks,
    plot::{self, Error},
    report::{Evaluation, Frontier, GasBy, Table, percent, thousands},
    samples::Image,
};
use alloy::primitives::U256;
use maud::{Markup, html};

/// Indices of disagreements that are listed.
const LISTED: usize = 200;

impl Evaluation {
    /// The report as a page. `images` are the test images from the first on; `frontier` is what `inkling compare` found
    /// of all models.
    ///
    /// # Errors
    /// [`Error::Encode`] where a digit cannot be encoded.
    pub fn html(&self, images: &[Image], frontier: Option<&Frontier>) -> Result<String, Error> {
        let mut sections = vec![
            section("Summary", &self.summary()),
            section("What was evaluated", &self.subject()),
            section("Agreement on chain and off chain", &self.agreement()),
            section("Cost", &self.cost()),
        ];
        if let Some(histogram) = plot::evaluation(self) {
            sections.push(section("Gas", &plot(&histogram)));
        }
        sections.push(section("Confusion matrix", &confusion(&self.confusion)));
        if let Some(frontier) = frontier {
            sections.push(section("Accuracy against gas", &frontier.html()));
        }
        let heading = format!("Misread digits: {}", thousands(self.misread.len() as u64));
        sections.push(section(&heading, &misread(&self.misread, images)?));
        let introduction = html! { p { (prose(&self.introduction())) } };
        Ok(page(&self.title(), &introduction, &sections))
    }

    fn summary(&self) -> Markup {
        let [low, high] = self.interval().map(|share| format!("{:.2}", 100.0 * share));
        let (samples, agree) = (self.samples, self.samples - self.disagreements.len());
        let of =
            |part: usize| format!("{} of {}", thousands(part as u64), thousands(samples as u64));
        let figure = |name: &str, figure: &str, note: &str| html! { div { dt { (name) } dd { b { (figure) } " " (note) } } };
        html! {
            dl.figures {
                (figure("Accuracy", &percent(self.correct, samples),
                    &format!("{}; 95 % interval (Wilson) {low} to {high} %", of(self.correct))))
                (figure("Agreement with the reference", &percent(agree, samples),
                    &format!("digit and all logits of {}", of(agree))))
                @match self.transaction_gas {
                    Some(gas) => (figure("Mean gas", &thousands(gas.mean), &format!("by {}", self.gas_by))),
                    None => (figure("Mean gas", "–", "calls tell no gas")),
                }
            }
        }
    }

    fn subject(&self) -> Markup {
        let gas = match self.gas_by {
            GasBy::Call => "not at all: a call tells no gas",
            GasBy::Estimate => {
                "`eth_estimateGas` of each image, which is somewhat more than a transaction pays"
            }
            GasBy::Transaction => {
                "a transaction for each image: its receipt's gas, without that for posting it to L1"
            }
        };
        let cached = match (self.contract.is_stylus(), self.cached) {
            (true, true) => ", program cached",
            (true, false) => ", program not cached",
            (false, _) => "",
        };
        let mut list = vec![
            ("Model", html! { (self.model) }),
            ("Network", html! { (self.shape) }),
            ("Model hash", html! { code { (self.model_hash) } }),
            ("Contract", html! { (self.contract) (cached) }),
        ];
        if let Some(sha256) = &self.sha256 {
            list.push(("Program", html! { "sha256 " code { (sha256) } }));
        }
        let chain = html! { (networks::name(self.chain_id)) ", chain id " (self.chain_id) };
        list.push(("Chain", chain));
        if let Some(address) = self.address {
            let address = match networks::address_link(self.chain_id, address) {
                Some(link) => html! { a href=(link) rel="noreferrer" { code { (address) } } },
                None => html! { code { (address) } },
            };
            list.push(("Address", address));
        }
        list.push((
            "Images",
            html! { "the first " (thousands(self.samples as u64)) " of the test set" },
        ));
        list.push(("Gas is found out by", prose(gas)));
        facts(&list)
    }

    fn agreement(&self) -> Markup {
        let agree = self.samples - self.disagreements.len();
        html! {
            p {
                "The contract's digit and every one of its logits were compared with those of the reference forward pass, which \
                 runs off chain, image by image. They are the same for " (thousands(agree as u64)) " of "
                (thousands(self.samples as u64)) " images (" (percent(agree, self.samples)) ")."
            }
            @if !self.disagreements.is_empty() {
                p.warning { "They differ for test images " (list(&self.disagreements, LISTED)) "." }
            }
        }
    }

    fn cost(&self) -> Markup {
        let free = "To ask by `eth_call` costs nothing.";
        let Some((gas, cost)) = self.transaction_gas.zip(self.cost_gas()) else {
            return html! { p { (prose(free)) " What it takes in a transaction was not asked." } };
        };
        let price = self.price();
        let mut rows = vec![
            ("one image, least", gas.min),
            ("one image, mean", gas.mean),
            ("one image, most", gas.max),
        ];
        if cost > gas.mean {
            rows.push(("one image, mean, and posting it to L1", cost));
        }
        rows.push(("1,000 images, a transaction each", cost.saturating_mul(1_000)));
        let rows = rows.into_iter().map(|(name, gas)| {
            [vec![name.into(), thousands(gas)], price.cells(gas, U256::ZERO)].concat()
        });
        let rows: Vec<_> = rows.collect();
        let header = [vec!["", "gas"], price.header()].concat();
        let caption = match price.wei {
            0 => "What a classification costs".into(),
            _ => format!("What a classification costs at {}", price.words()),
        };
        html! {
            p { (prose(free)) " In a transaction, or within another contract's:" }
            (table(&caption, &Table::new(header, rows)))
        }
    }
}

impl Frontier {
    /// Plot and table.
    pub(super) fn html(&self) -> Markup {
        html! {
            p { (prose(Self::EXPLANATION)) }
            (plot(&plot::frontier(self)))
            (table("Accuracy and gas of each model in each contract", &self.table()))
            @if let Some(absent) = self.absent_line() { p { (absent) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        artifacts::Contract,
        gas::Stats,
        report::{Histogram, Original, Refusal},
        testing::tiny_evaluation,
    };
    use alloy::primitives::Address;

    fn evaluation() -> Evaluation {
        let gas = Stats { min: 50_000, mean: 60_000, max: 70_000 };
        Evaluation {
            model: "m<b>".into(),
            contract: Contract::Stylus,
            sha256: None,
            chain_id: 421_614,
            address: Some(Address::ZERO),
            transaction_gas: Some(gas),
            execution_gas: Some(gas),
            histogram: Some(Histogram::of(&[50_000, 70_000])),
            ..tiny_evaluation()
        }
    }

    fn headings(page: &str) -> Vec<&str> {
        page.split("<h2>").skip(1).filter_map(|rest| rest.split('<').next()).collect()
    }

    #[test]
    fn every_section() {
        let (contract, model) = (Contract::Naive, "x".into());
        let absent = vec![Refusal { contract, model, reason: "<b>no</b>".into() }];
        let frontier = Frontier { points: Vec::new(), absent, original: Original::published() };
        let page = evaluation().html(&[[0; 400]; 4], Some(&frontier)).unwrap();
        let expected = [
            "Summary",
            "What was evaluated",
            "Agreement on chain and off chain",
            "Cost",
            "Gas",
            "Confusion matrix",
            "Accuracy against gas",
            "Misread digits: 1",
        ];
        assert_eq!(headings(&page), expected);
        for part in [
            "<title>m&lt;b&gt; in the Stylus contract</title>",
            "3 of 4; 95 % interval (Wilson) 30.06 to 95.44 %",
            "Arbitrum Sepolia, chain id 421614",
            "differ for test images 2.",
            "<th scope=\"row\">one image, mean</th><td>60,000</td><td>0.000006000000</td><td>0.0180</td>",
            "<td>60,000,000</td><td>0.006000000</td><td>18.00</td>",
            "Naive with x (&lt;b&gt;no&lt;/b&gt;)",
        ] {
            assert!(page.contains(part), "{part} is not in {page}");
        }
        assert_eq!(page.matches("<svg").count(), 2);
        // Nothing is loaded, nothing runs; the only links are the explorer's.
        assert!(!page.contains("<script") && !page.contains("<link") && !page.contains("url("));
        let elsewhere: Vec<&str> = page.split("http").skip(1).collect();
        let allowed = ["-equiv=", "://www.w3.org/2000/svg\"", "s://sepolia.arbiscan.io/address/0x"];
        for url in elsewhere {
            assert!(allowed.iter().any(|allowed| url.starts_with(allowed)), "http{url}");
        }
    }

    #[test]
    fn without_gas_and_mistakes() {
        let evaluation = Evaluation {
            gas_by: GasBy::Call,
            address: None,
            correct: 4,
            disagreements: Vec::new(),
            misread: Vec::new(),
            transaction_gas: None,
            execution_gas: None,
            histogram: None,
            ..evaluation()
        };
        let page = evaluation.html(&[], None).unwrap();
        let expected = [
            "Summary",
            "What was evaluated",
            "Agreement on chain and off chain",
            "Cost",
            "Confusion matrix",
            "Misread digits: 0",
        ];
        assert_eq!(headings(&page), expected);
        assert!(!page.contains("<svg") && !page.contains("differ for"));
        assert!(page.contains("What it takes in a transaction was not asked."));
    }
}
