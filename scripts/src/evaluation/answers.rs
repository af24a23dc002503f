//! What a contract answered, image by image: a file of JSON lines that is only appended to.
//!
//! The first line says what was asked, each further one is the answer about one image, in their order. A process that dies
//! leaves a last line that is not whole, at most; it is cut off by the next one, which goes on after the lines before. The
//! file's lock is the operating system's, so it ends with the process.

use crate::{Error, artifacts::Contract, deployment::journal::first_difference, report::GasBy};
use alloy::primitives::{Address, B256};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Chain id.
    pub chain_id: u64,
    /// The contract's address.
    pub address: Address,
    /// The contract.
    pub contract: Contract,
    /// The model's name.
    pub model: String,
    /// The model's hash.
    pub model_hash: B256,
    /// Images, from the first of the test set on.
    pub samples: usize,
    /// How gas is found out.
    pub gas_by: GasBy,
    /// Wei a gas when it was begun; this may be another when it is gone on with.
    pub gas_price_wei: u64,
}

impl Subject {
    /// Name of the files about it, without what tells one kind from another.
    pub fn file_stem(&self) -> String {
        let Self { model, contract, samples, chain_id, .. } = self;
        format!("evaluate-{model}-{}-{samples}-{chain_id}", contract.argument())
    }

    /// What is different in `other`, in words; `None` where nothing is.
    fn difference(&self, other: &Self) -> Option<String> {
        first_difference([
            ("address", self.address.to_string(), other.address.to_string()),
            ("model hash", self.model_hash.to_string(), other.model_hash.to_string()),
            ("number of images", self.samples.to_string(), other.samples.to_string()),
            ("gas", format!("by {}", self.gas_by), format!("by {}", other.gas_by)),
        ])
    }
}

/// What a contract answered about an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The digit.
    pub digit: u8,
    /// The logits.
    pub logits: Vec<i32>,
    /// Gas of the transaction or of its estimate, if either was made, less what pays for L1.
    pub gas: Option<u64>,
    /// Gas that pays for posting it to L1.
    pub l1_gas: u64,
}

/// Answers about the first images.
#[derive(Debug)]
pub struct Answers {
    subject: Subject,
    answers: Vec<Answer>,
    file: Option<(PathBuf, File)>,
}

impl Answers {
    /// Those of a process alone.
    pub fn in_memory(subject: Subject) -> Self {
        Self { subject, answers: Vec::new(), file: None }
    }

    /// Goes on with the file at `path`, or begins one there.
    ///
    /// # Errors
    /// [`Error::Usage`] where another process has it or it is about something else; [`Error::Io`] where it cannot be read
    /// or written, or is no such file.
    pub fn open(path: &Path, subject: Subject) -> Result<Self, Error> {
        let failed = |source| Error::Io { path: path.into(), source };
        let wrong = |error: serde_json::Error| failed(error.into());
        fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).map_err(failed)?;
        let options = File::options().create(true).append(true).read(true).open(path);
        let mut file = options.map_err(failed)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => {
                Error::Usage(format!("another process is working with {}", path.display()))
            }
            TryLockError::Error(source) => failed(source),
        })?;
        let text = io::read_to_string(&file).map_err(failed)?;
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let lines: Vec<&str> = text[..whole].lines().collect();
        let (head, lines) = match lines.split_first() {
            Some((head, lines)) if !lines.is_empty() => (head, lines),
            // Nothing was answered: what was to be asked does not matter.
            _ => {
                file.set_len(0).map_err(failed)?;
                append(&mut file, &[&subject]).map_err(failed)?;
                return Ok(Self { subject, answers: Vec::new(), file: Some((path.into(), file)) });
            }
        };
        if whole < text.len() {
            file.set_len(whole as u64).map_err(failed)?;
        }
        let known: Subject = serde_json::from_str(head).map_err(wrong)?;
        if let Some(what) = known.difference(&subject) {
            return Err(Error::Usage(format!(
                "{} is of another evaluation: {what}; go on with what it was begun with, or move it away",
                path.display()
            )));
        }
        let answers =
            lines.iter().map(|line| serde_json::from_str(line)).collect::<Result<Vec<Answer>, _>>();
        let mut answers = answers.map_err(wrong)?;
        answers.truncate(known.samples);
        Ok(Self { subject: known, answers, file: Some((path.into(), file)) })
    }

    /// What was asked.
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// All answers, in the order of the images.
    pub fn all(&self) -> &[Answer] {
        &self.answers
    }

    /// Adds the answers about the next images.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn extend(&mut self, answers: Vec<Answer>) -> Result<(), Error> {
        if let Some((path, file)) = &mut self.file {
            append(file, &answers).map_err(|source| Error::Io { path: path.clone(), source })?;
        }
        self.answers.extend(answers);
        Ok(())
    }

    /// Removes the file: all that it says is in the report.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn remove(self) -> Result<(), Error> {
        let Some((path, _lock)) = self.file else { return Ok(()) };
        fs::remove_file(&path).map_err(|source| Error::Io { path, source })
    }
}

/// Writes lines at the end, to the disk.
fn append(file: &mut File, lines: &[impl Serialize]) -> io::Result<()> {
    let mut text = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut text, line)?;
        text.push(b'\n');
    }
    file.write_all(&text)?;
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject() -> Subject {
        Subject {
            chain_id: 1,
            address: Address::repeat_byte(1),
            contract: Contract::Packed,
            model: "m".into(),
            model_hash: B256::ZERO,
            samples: 4,
            gas_by: GasBy::Estimate,
            gas_price_wei: 7,
        }
    }

    fn answer(digit: u8) -> Answer {
        Answer { digit, logits: vec![-1, 2], gas: Some(30_000), l1_gas: 0 }
    }

    #[test]
    fn what_is_written_is_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new").join(subject().file_stem());
        assert!(path.ends_with("evaluate-m-packed-4-1"));
        let mut answers = Answers::open(&path, subject()).unwrap();
        answers.extend(vec![answer(3), answer(4)]).unwrap();
        // One process at a time.
        let busy = Answers::open(&path, subject()).unwrap_err().to_string();
        assert!(busy.starts_with("another process is working with"), "{busy}");
        drop(answers);

        // The price is that of the beginning; a line that is not whole is forgotten, also in the file.
        let mut torn = File::options().append(true).open(&path).unwrap();
        torn.write_all(br#"{"digit":5,"lo"#).unwrap();
        let later = || Subject { gas_price_wei: 8, ..subject() };
        let mut answers = Answers::open(&path, later()).unwrap();
        assert_eq!(answers.all(), [answer(3), answer(4)]);
        assert_eq!(answers.subject().gas_price_wei, 7);
        answers.extend(vec![answer(6)]).unwrap();
        drop(answers);
        let answers = Answers::open(&path, later()).unwrap();
        assert_eq!(answers.all(), [answer(3), answer(4), answer(6)]);
        answers.remove().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn another_evaluation_and_damage_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("it");
        let other = || Subject { gas_by: GasBy::Call, ..subject() };
        drop(Answers::open(&path, other()).unwrap());
        // Nothing was answered, so it can be about something else.
        Answers::open(&path, subject()).unwrap().extend(vec![answer(3)]).unwrap();
        let error = Answers::open(&path, other()).unwrap_err().to_string();
        assert!(error.contains("its gas is by estimates, not by calls"), "{error}");
        let fewer = Subject { samples: 1, ..subject() };
        let error = Answers::open(&path, fewer).unwrap_err().to_string();
        assert!(error.contains("its number of images is 4, not 1"), "{error}");
        fs::write(&path, "{\"chain\n{}\n").unwrap();
        let error = Answers::open(&path, subject()).unwrap_err();
        assert!(matches!(error, Error::Io { .. }), "{error}");
    }
}
