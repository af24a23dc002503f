//! Reports: figures as JSON for programs, as Markdown and as a page for people.
//!
//! Nothing here depends on the clock or the machine, so a report changes only where a figure does.

mod comparison;
mod comparison_tables;
mod evaluation;
mod exactness;
mod frontier;
mod html;
mod live;
mod price;
mod profile;
mod table;

pub use comparison::{
    Classify, Comparison, Estimate, Means, ModelSummary, Original, Reads, Refusal, Row,
    SolidityBuild, Twin,
};
pub use evaluation::{Evaluation, GasBy, Histogram, Misread};
pub use exactness::{Exactness, ExactnessRow};
pub use frontier::{Frontier, Point};
pub use live::LiveComparison;
pub use price::GasPrice;
pub use profile::{Part, Profile};
pub use table::{Table, percent, round_step, signed, thousands};

use crate::Error;
use serde::Serialize;
use std::{fmt, io::Write as _, path::Path};

/// Prints a line to stdout. Where nobody reads it any more (`inkling … | head`), that is no failure.
pub fn print(text: &dyn fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Writes `name.json` and `name.md` and, where there are a picture and a page, `name.png` and `name.html` into a folder,
/// which is made if it is not there. Says what was written, in a line.
///
/// # Errors
/// [`Error::Io`] with the path.
pub fn write(
    dir: &Path,
    name: &str,
    report: &impl Serialize,
    markdown: &str,
    png: Option<&[u8]>,
    html: Option<&str>,
) -> Result<String, Error> {
    let json = serde_json::to_string_pretty(report).map_err(std::io::Error::from);
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Io { path, source }
    };
    std::fs::create_dir_all(dir).map_err(io(dir))?;
    let json = json.map_err(io(dir))? + "\n";
    let text = [("json", json.as_bytes()), ("md", markdown.as_bytes())];
    let more = [("png", png), ("html", html.map(str::as_bytes))];
    let more = more.into_iter().filter_map(|(extension, bytes)| Some((extension, bytes?)));
    let mut written = Vec::new();
    for (extension, bytes) in text.into_iter().chain(more) {
        let path = dir.join(format!("{name}.{extension}"));
        std::fs::write(&path, bytes).map_err(io(&path))?;
        written.push(extension);
    }
    Ok(format!("{}/{name}.{{{}}}", dir.display(), written.join(",")))
}
