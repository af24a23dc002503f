//! What an evaluation keeps while it is under way.

use super::answers::{Answers, Subject};
use crate::{
    Error,
    chain::Connection,
    deployment::journal::{self, Journal},
    report::GasBy,
};
use std::path::{Path, PathBuf};

/// What is known of an evaluation, in files of a folder or, on a chain that ends with the process, in memory.
pub struct Kept {
    pub(super) answers: Answers,
    pub(super) journal: Journal,
}

impl Kept {
    /// In memory, or in the folder if the chain outlives this process.
    ///
    /// # Errors
    /// As [`Answers::open`] and [`Journal::open`].
    pub fn new(folder: &Path, subject: Subject, chain: &Connection) -> Result<Self, Error> {
        let owner = chain.sender().unwrap_or_default();
        let about = journal::Subject {
            chain_id: subject.chain_id,
            owner,
            contract: subject.contract,
            program_sha256: String::new(),
            model: subject.model.clone(),
            model_hash: subject.model_hash,
        };
        let address = Some(subject.address);
        if chain.is_embedded() {
            let answers = Answers::in_memory(subject);
            return Ok(Self { answers, journal: Journal::in_memory(about, address) });
        }
        let name = subject.file_stem();
        let file = |extension: &str| -> PathBuf { folder.join(format!("{name}.{extension}")) };
        let gas_by = subject.gas_by;
        let answers = Answers::open(&file("answers.jsonl"), subject)?;
        let journal = match gas_by {
            GasBy::Transaction => Journal::open(&file("journal.json"), about, address)?,
            _ => Journal::in_memory(about, address),
        };
        Ok(Self { answers, journal })
    }

    /// Images that are answered.
    pub fn answered(&self) -> usize {
        self.answers.all().len()
    }

    /// Removes the files, once their report is written.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Deployment`].
    pub fn remove(self) -> Result<(), Error> {
        self.journal.remove()?;
        self.answers.remove()
    }
}
