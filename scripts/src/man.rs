//! `inkling man`: manual pages.

use crate::Error;
use clap_mangen::{Man, generate_to};
use std::{fs, path::PathBuf};

/// Print the manual page, or write those of all commands to a folder.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:
  inkling man --out ~/.local/share/man/man1 && man inkling-deploy")]
pub struct Args {
    /// Folder for a page of each command.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Runs the command for the program whose command line is `command`.
///
/// # Errors
/// [`Error::Io`] where the folder cannot be written.
pub fn run(args: &Args, command: clap::Command) -> Result<(), Error> {
    let Some(folder) = &args.out else {
        let mut page = Vec::new();
        // Writing to memory does not fail.
        let _ = Man::new(command).render(&mut page);
        crate::report::print(&String::from_utf8_lossy(&page).trim_end());
        return Ok(());
    };
    let written = fs::create_dir_all(folder).and_then(|()| generate_to(command, folder));
    written.map_err(|source| Error::Io { path: folder.clone(), source })
}
