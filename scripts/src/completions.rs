//! `inkling completions`: what a shell completes the command line with.

use clap_complete::{Shell, generate};

/// Print a script that completes commands and options in a shell.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:
  inkling completions bash > ~/.local/share/bash-completion/completions/inkling")]
pub struct Args {
    /// The shell.
    shell: Shell,
}

/// Runs the command for the program whose command line is `command`.
pub fn run(args: &Args, mut command: clap::Command) {
    let mut script = Vec::new();
    generate(args.shell, &mut command, "inkling", &mut script);
    crate::report::print(&String::from_utf8_lossy(&script).trim_end());
}
