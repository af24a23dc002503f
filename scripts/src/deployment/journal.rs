//! What a deployment has signed, written down before it is sent.
//!
//! A process may die at any moment. So each transaction is in the journal, with its nonce and its bytes, before any node
//! can have it: who comes after looks for its receipt, or sends the same bytes again. What the chain says goes before what
//! the journal says, which is only a hint where to look.
//!
//! The file is replaced as a whole: written under another name, flushed, renamed. It holds no secret: signed transactions
//! are what everybody sees on the chain. Its lock is the operating system's, so it ends with the process.

use super::Error;
use crate::{artifacts::Contract, chain::Signed, models::Model};
use alloy::primitives::{Address, B256, U256};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// What a journal is about. With another of these it is of no use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Chain id.
    pub chain_id: u64,
    /// Who sends, and will own the contract.
    pub owner: Address,
    /// The contract.
    pub contract: Contract,
    /// SHA-256 of its program in hex.
    pub program_sha256: String,
    /// The model's name.
    pub model: String,
    /// The model's hash.
    pub model_hash: B256,
}

impl Subject {
    /// What a deployment is about.
    pub fn new(
        (chain_id, owner): (u64, Address),
        contract: Contract,
        program_sha256: String,
        model: &Model,
    ) -> Self {
        let (model, model_hash) = (model.name.clone(), model.hash);
        Self { chain_id, owner, contract, program_sha256, model, model_hash }
    }

    /// What is different in `other`, in words; `None` where nothing is.
    pub fn difference(&self, other: &Self) -> Option<String> {
        let pairs = [
            ("chain", self.chain_id.to_string(), other.chain_id.to_string()),
            ("sender", self.owner.to_string(), other.owner.to_string()),
            ("contract", self.contract.to_string(), other.contract.to_string()),
            ("program", self.program_sha256.clone(), other.program_sha256.clone()),
            ("model", self.model.clone(), other.model.clone()),
            ("model hash", self.model_hash.to_string(), other.model_hash.to_string()),
        ];
        first_difference(pairs)
    }
}

/// The first of these, each with its name, that is not the same twice, in words.
pub(crate) fn first_difference<const N: usize>(
    pairs: [(&str, String, String); N],
) -> Option<String> {
    let (name, ours, theirs) = pairs.into_iter().find(|(_, ours, theirs)| ours != theirs)?;
    Some(format!("its {name} is {ours}, not {theirs}"))
}

/// A transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The step that it belongs to.
    pub step: String,
    /// Its nonce.
    pub nonce: u64,
    /// Of an upload: index of its first chunk, and how many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunks: Option<(u32, u32)>,
    /// What was signed: of several, all with the same nonce, the chain takes one.
    pub signed: Vec<Signed>,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nobody knows yet.
    #[default]
    Pending,
    /// It is in a block.
    Mined(Mined),
    /// It never will be: another transaction has its nonce, or no node takes it.
    Lost,
}

/// A transaction in a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mined {
    /// Its hash.
    pub hash: B256,
    /// The block's number.
    pub block: u64,
    /// Whether its effects stand.
    pub success: bool,
    /// Gas without what paid for L1.
    pub gas: u64,
    /// Gas that paid for L1.
    pub l1_gas: u64,
    /// Wei a gas.
    pub price: u64,
    /// The contract that it created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Address>,
    /// Wei paid for activation.
    pub data_fee_wei: U256,
}

impl Mined {
    /// Wei that it cost: gas and data fee.
    pub fn cost(&self) -> U256 {
        U256::from(self.gas + self.l1_gas) * U256::from(self.price) + self.data_fee_wei
    }
}

impl Entry {
    /// The block that it is in, if it is.
    pub const fn mined(&self) -> Option<&Mined> {
        match &self.outcome {
            Outcome::Mined(mined) => Some(mined),
            _ => None,
        }
    }

    /// Whether nobody knows yet what becomes of it.
    pub const fn is_pending(&self) -> bool {
        matches!(self.outcome, Outcome::Pending)
    }
}

/// What is in the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Content {
    subject: Subject,
    /// A contract that stood already.
    address: Option<Address>,
    entries: Vec<Entry>,
}

/// A deployment's transactions, in a file or, on a chain that dies with the process, in memory.
#[derive(Debug)]
pub struct Journal {
    content: Content,
    file: Option<(PathBuf, File)>,
}

impl Journal {
    /// One that is never written.
    pub fn in_memory(subject: Subject, address: Option<Address>) -> Self {
        Self { content: Content { subject, address, entries: Vec::new() }, file: None }
    }

    /// Goes on with the journal at `path`, or begins one there.
    ///
    /// # Errors
    /// [`Error::Busy`] where another process has it, [`Error::Stale`] where it is about something else,
    /// [`Error::Journal`] where it cannot be read or written.
    pub fn open(path: &Path, subject: Subject, address: Option<Address>) -> Result<Self, Error> {
        let failed = |source| Error::Journal { path: path.into(), source };
        fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).map_err(failed)?;
        let lock = File::create(path.with_extension("lock")).map_err(failed)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => Error::Busy(path.into()),
            TryLockError::Error(source) => failed(source),
        })?;
        let content = match fs::read(path) {
            Ok(bytes) => serde_json::from_slice::<Content>(&bytes)
                .map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidData, error)))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Content { subject: subject.clone(), address, entries: Vec::new() }
            }
            Err(error) => return Err(failed(error)),
        };
        let stale = |what| Error::Stale { path: path.into(), what };
        if let Some(what) = content.subject.difference(&subject) {
            return Err(stale(what));
        }
        let journal = Self { content, file: Some((path.into(), lock)) };
        match (address, journal.address()) {
            (Some(given), Some(known)) if given != known => {
                Err(stale(format!("its address is {known}, not {given}")))
            }
            (Some(given), None) if !journal.content.entries.is_empty() => {
                Err(stale(format!("it creates a contract, and {given} is there already")))
            }
            _ => Ok(journal),
        }
    }

    /// What it is about.
    pub const fn subject(&self) -> &Subject {
        &self.content.subject
    }

    /// The contract: given, or created by the latest transaction that did.
    pub fn address(&self) -> Option<Address> {
        let created = self.entries().iter().rev().filter_map(Entry::mined);
        let mut created = created.filter(|mined| mined.success).filter_map(|mined| mined.created);
        self.content.address.or_else(|| created.next())
    }

    /// Whether the contract stood there before.
    pub const fn was_given(&self) -> bool {
        self.content.address.is_some()
    }

    /// All transactions, in the order of their signing.
    pub fn entries(&self) -> &[Entry] {
        &self.content.entries
    }

    /// Changes what is known, and writes it down.
    ///
    /// # Errors
    /// [`Error::Journal`].
    pub(crate) fn change<T>(
        &mut self,
        change: impl FnOnce(&mut Vec<Entry>) -> T,
    ) -> Result<T, Error> {
        let value = change(&mut self.content.entries);
        if let Some((path, _)) = &self.file {
            write(path, &self.content)
                .map_err(|source| Error::Journal { path: path.clone(), source })?;
        }
        Ok(value)
    }

    /// Removes the file: all that it says is in the record. The file with the lock stays: another process may be about to
    /// take it.
    ///
    /// # Errors
    /// [`Error::Journal`].
    pub fn remove(self) -> Result<(), Error> {
        let Some((path, _lock)) = self.file else { return Ok(()) };
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(Error::Journal { path, source })
            }
            _ => Ok(()),
        }
    }
}

/// Writes `content` as JSON so that after a crash at any moment there is the old file or the new one, whole.
///
/// # Errors
/// Those of the file system.
pub(super) fn write(path: &Path, content: &impl Serialize) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let temporary = path.with_extension("tmp");
    let mut file = File::create(&temporary)?;
    serde_json::to_writer_pretty(&mut file, content)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    // The name is in the folder, which is a file of its own.
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tiny_model;

    fn subject(sha256: &str) -> Subject {
        let owner = Address::repeat_byte(1);
        Subject::new((1, owner), Contract::Packed, sha256.into(), &tiny_model(1, &[2]))
    }

    fn entry(nonce: u64) -> Entry {
        let signed = Signed { hash: B256::ZERO, raw: Default::default(), max_fee: 1 };
        let (step, outcome) = ("create".into(), Outcome::Pending);
        Entry { step, nonce, chunks: None, signed: vec![signed], outcome }
    }

    #[test]
    fn what_is_written_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1/it.journal.json");
        let mut journal = Journal::open(&path, subject("a"), None).unwrap();
        assert!(!path.exists());
        journal.change(|entries| entries.push(entry(7))).unwrap();
        // One process at a time.
        assert!(matches!(Journal::open(&path, subject("a"), None), Err(Error::Busy(_))));
        drop(journal);

        let mut journal = Journal::open(&path, subject("a"), None).unwrap();
        assert_eq!(journal.entries(), [entry(7)]);
        let created = Address::repeat_byte(9);
        let mined = Mined {
            hash: B256::ZERO,
            block: 3,
            success: true,
            gas: 20,
            l1_gas: 10,
            price: 2,
            created: Some(created),
            data_fee_wei: U256::from(5),
        };
        assert_eq!(mined.cost(), U256::from(65));
        journal.change(|entries| entries[0].outcome = Outcome::Mined(mined)).unwrap();
        drop(journal);

        // Another program, or another address: not this journal.
        let error = Journal::open(&path, subject("b"), None).unwrap_err().to_string();
        assert!(error.contains("its program is a, not b"), "{error}");
        let other = Some(Address::repeat_byte(8));
        assert!(matches!(Journal::open(&path, subject("a"), other), Err(Error::Stale { .. })));
        let journal = Journal::open(&path, subject("a"), Some(created)).unwrap();
        assert_eq!((journal.address(), journal.was_given()), (Some(created), false));
        journal.remove().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn damage_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("it.journal.json");
        fs::write(&path, "{\"subject\"").unwrap();
        let error = Journal::open(&path, subject("a"), None).unwrap_err();
        assert!(matches!(error, Error::Journal { .. }), "{error}");
    }
}
