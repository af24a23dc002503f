//! Progress of long work: a bar on stderr, if that is a terminal.

use crate::logging;
use indicatif::{ProgressBar, ProgressStyle};

/// A bar of `length` steps; it draws nothing where stderr is not a terminal, or nothing is to be told.
pub fn bar(length: usize, what: &'static str) -> ProgressBar {
    if logging::is_quiet() {
        return ProgressBar::hidden();
    }
    let style = "{msg:>12} [{bar:40}] {human_pos}/{human_len} {eta}";
    let bar = ProgressBar::new(length as u64).with_message(what);
    match ProgressStyle::with_template(style) {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}
