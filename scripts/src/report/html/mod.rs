//! Reports as pages: one file that loads nothing and runs nothing, legible on a light and on a dark ground.
//!
//! A policy in the page itself forbids scripts and everything from elsewhere. Tables are those of the Markdown, plots the
//! same pictures as SVG.

mod comparison;
mod confusion;
mod evaluation;
mod live;
mod misread;

use super::{GasPrice, Table, table::thousands};
use crate::plot::{Colour, Picture};
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("style.css");

/// What a page may load: pictures that are part of it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/// The whole page.
fn page(title: &str, introduction: &Markup, sections: &[Markup]) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                // Neither has a character that would end the element.
                style { (PreEscaped(Colour::style())) (PreEscaped(STYLE)) }
            }
            body {
                header { h1 { (title) } (introduction) }
                main { @for section in sections { (section) } }
            }
        }
    };
    page.into_string()
}

/// A part of the page under a heading.
fn section(heading: &str, content: &Markup) -> Markup {
    html! { section { h2 { (heading) } (content) } }
}

/// A table; a wide one scrolls in its box, which the keyboard reaches.
fn table(caption: &str, table: &Table) -> Markup {
    html! {
        div.scroll role="region" aria-label=(caption) tabindex="0" {
            table {
                caption { (caption) }
                thead { tr {
                    @for name in &table.header {
                        @if name.is_empty() { td {} } @else { th scope="col" { (name) } }
                    }
                } }
                tbody {
                    @for row in &table.rows { tr {
                        @for (column, cell) in row.iter().enumerate() {
                            @if column == 0 { th scope="row" { (cell) } } @else { td { (cell) } }
                        }
                    } }
                }
            }
        }
    }
}

/// A plot; on a small screen it scrolls, so that its text can be read.
fn plot(picture: &Picture) -> Markup {
    html! { figure.scroll tabindex="0" { (picture.svg()) } }
}

/// Facts, each under its name.
fn facts(facts: &[(&str, Markup)]) -> Markup {
    html! { dl.facts { @for (name, fact) in facts { div { dt { (name) } dd { (fact) } } } } }
}

/// A sentence of these reports, which marks `code` and *words* as Markdown does.
fn prose(text: &str) -> Markup {
    html! {
        @for (index, part) in text.split('`').enumerate() {
            @if index % 2 == 1 { code { (part) } } @else {
                @for (index, part) in part.split('*').enumerate() {
                    @if index % 2 == 1 { em { (part) } } @else { (part) }
                }
            }
        }
    }
}

/// The first `most` of these numbers, and how many more there are.
fn list(numbers: &[usize], most: usize) -> String {
    let shown: Vec<String> = numbers.iter().take(most).map(|n| thousands(*n as u64)).collect();
    match numbers.len().saturating_sub(most) {
        0 => shown.join(" · "),
        more => format!("{} and {} more", shown.join(" · "), thousands(more as u64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_escaped() {
        let cells = Table::new(["", "<i>"], [vec!["<b>".into(), "a & b".into()]]);
        let expected = "<div class=\"scroll\" role=\"region\" aria-label=\"&quot;c&quot;\" tabindex=\"0\">\
            <table><caption>&quot;c&quot;</caption><thead><tr><td></td><th scope=\"col\">&lt;i&gt;</th></tr></thead>\
            <tbody><tr><th scope=\"row\">&lt;b&gt;</th><td>a &amp; b</td></tr></tbody></table></div>";
        assert_eq!(table("\"c\"", &cells).into_string(), expected);
        let expected = "a <em>b</em> <code>*c*</code> &lt;b&gt;";
        assert_eq!(prose("a *b* `*c*` <b>").into_string(), expected);
    }

    #[test]
    fn lists_end() {
        assert_eq!(list(&[1, 2_000], 2), "1 · 2,000");
        assert_eq!(list(&[1, 2, 3, 4], 2), "1 · 2 and 2 more");
    }
}
