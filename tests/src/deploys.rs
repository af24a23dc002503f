//! `inkling deploy` as a process of its own, which can be killed.

use crate::served::root;
use alloy::primitives::hex;
use inkling::deployment::record::{Files, Record};
use inkling_devnode::arbos::{DEV_CHAIN_ID, DEV_PRIVATE_KEY};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

/// Name of the environment variable with the key.
const KEY: &str = "INKLING_TEST_KEY";

/// The built command line, which lies in the same folder of `target` as the program that runs.
///
/// # Panics
/// Where it was not built.
pub fn inkling() -> PathBuf {
    let ours = env::current_exe().expect("a program knows itself");
    let name = format!("inkling{}", env::consts::EXE_SUFFIX);
    let mut folders = ours.ancestors().skip(1).take(2);
    folders
        .find_map(|folder| Some(folder.join(&name)).filter(|path| path.is_file()))
        .unwrap_or_else(|| panic!("no {name} beside {}: `cargo build --release`", ours.display()))
}

/// Deployments into a folder of their own, which is removed in the end.
pub struct Deploys {
    folder: PathBuf,
    /// Arguments that are the same for all.
    arguments: Vec<String>,
}

impl Deploys {
    /// With these arguments, but for those that say where.
    pub fn new(arguments: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("inkling-deploys-{}-{}", process::id(), COUNT.fetch_add(1, Relaxed));
        let arguments = arguments.split_whitespace().map(str::to_owned).collect();
        Self { folder: env::temp_dir().join(name), arguments }
    }

    /// Deploys under a name, to an endpoint.
    pub fn command(&self, url: &str, name: &str) -> Command {
        let mut command = Command::new(inkling());
        command.env(KEY, hex::encode(DEV_PRIVATE_KEY)).current_dir(root());
        command.args(["deploy", "--yes", "--rpc", url, "--name", name, "--private-key-env", KEY]);
        command.arg("--deployments").arg(&self.folder).args(&self.arguments);
        command.stdin(Stdio::null());
        command
    }

    /// Starts it and leaves it alone.
    ///
    /// # Panics
    /// Where it cannot be started.
    pub fn start(&self, url: &str, name: &str) -> Child {
        let mut command = self.command(url, name);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        command.spawn().expect("it can be started")
    }

    fn files(&self, name: &str) -> Files {
        Files::new(&self.folder, DEV_CHAIN_ID, name)
    }

    /// The journal, while there is one.
    pub fn journal(&self, name: &str) -> PathBuf {
        self.files(name).journal
    }

    /// The record of a deployment that is complete.
    ///
    /// # Panics
    /// Where there is none.
    #[track_caller]
    pub fn record(&self, name: &str) -> Record {
        let path = self.files(name).record;
        let record = Record::read(&path).unwrap_or_else(|error| panic!("{error}"));
        record.unwrap_or_else(|| panic!("no {}", path.display()))
    }

    /// Whether there is a record.
    pub fn has_record(&self, name: &str) -> bool {
        self.files(name).record.exists()
    }

    /// Where journals and records are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Deploys {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.folder).unwrap_or_default();
    }
}
