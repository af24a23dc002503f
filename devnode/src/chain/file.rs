//! A chain in a file, so that it survives a restart.
//!
//! The file is JSON: accounts with their code and storage, and all blocks with what came of their transactions. It is
//! written beside its place and then renamed, so that there is always a whole one, whatever stops the writer.
//! Transactions that wait are written as if their block had been sealed. Not kept: snapshots, the states of past
//! blocks, and compiled programs, which are compiled again when they are called.

use super::Chain;
use crate::{block::Block, config::ChainConfig, state::State};
use serde::{Deserialize, Serialize};
use std::{
    borrow::Cow,
    fs::File,
    io::{BufReader, BufWriter, Error, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Raised whenever what the file holds changes.
const FORMAT: u32 = 1;

/// Why a chain could not be read from a file or written to one.
#[derive(Debug, thiserror::Error)]
pub enum StateFileError {
    /// The file could not be read or written.
    #[error("{}: {}", .0.display(), .1)]
    Io(PathBuf, Error),
    /// It is not such a file, or it is damaged.
    #[error("{}: not a state file: {}", .0.display(), .1)]
    Content(PathBuf, serde_json::Error),
    /// It was written by another version of this program.
    #[error("{}: state file of format {}, expected {FORMAT}", .0.display(), .1)]
    Format(PathBuf, u32),
    /// It is of another chain.
    #[error("{}: state of chain {}, expected chain {}", .0.display(), .1, .2)]
    ChainId(PathBuf, u64, u64),
    /// It has no blocks, or not in order.
    #[error("{}: its blocks are not a chain", .0.display())]
    Blocks(PathBuf),
}

#[derive(Serialize, Deserialize)]
struct Saved<'a> {
    format: u32,
    chain_id: u64,
    state: Cow<'a, State>,
    blocks: Vec<Cow<'a, Block>>,
}

impl Chain {
    /// Writes the chain to a file, whole or not at all.
    ///
    /// # Errors
    ///
    /// [`StateFileError::Io`] where the file cannot be written; one that was there is still whole.
    pub fn save(&self, path: &Path) -> Result<(), StateFileError> {
        let mut copy = self.clone();
        if copy.pending_tx_count() > 0 {
            copy.mine();
        }
        let saved = Saved {
            format: FORMAT,
            chain_id: copy.config().chain_id,
            state: Cow::Borrowed(&copy.state),
            blocks: copy.blocks(0, u64::MAX).map(|block| Cow::Borrowed(&**block)).collect(),
        };
        let write = || -> Result<(), Error> {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = folder.unwrap_or(Path::new("."));
            let file = tempfile::NamedTempFile::new_in(folder)?;
            let mut to = BufWriter::new(&file);
            serde_json::to_writer(&mut to, &saved)?;
            to.flush()?;
            drop(to);
            file.as_file().sync_all()?;
            file.persist(path)?;
            // The new name is on disk once its folder is.
            File::open(folder)?.sync_all()
        };
        write().map_err(|error| StateFileError::Io(path.into(), error))
    }

    /// Reads a chain from a file. `config` is that of a chain to go on with: its chain id must be the file's, and what
    /// it says of genesis and funds is of no account.
    ///
    /// # Errors
    ///
    /// [`StateFileError`], which names the file and what was expected.
    pub fn load(config: ChainConfig, path: &Path) -> Result<Self, StateFileError> {
        let io = |error| StateFileError::Io(path.into(), error);
        let content = |error| StateFileError::Content(path.into(), error);
        let file = BufReader::new(File::open(path).map_err(io)?);
        let value: serde_json::Value = serde_json::from_reader(file).map_err(content)?;
        if let Some(format) = value["format"].as_u64()
            && format != u64::from(FORMAT)
        {
            return Err(StateFileError::Format(path.into(), format.try_into().unwrap_or(u32::MAX)));
        }
        let saved = Saved::deserialize(value).map_err(content)?;
        if saved.chain_id != config.chain_id {
            return Err(StateFileError::ChainId(path.into(), saved.chain_id, config.chain_id));
        }
        let blocks = saved.blocks.into_iter().map(|block| Arc::new(block.into_owned()));
        Self::restore(config, saved.state.into_owned(), blocks)
            .ok_or_else(|| StateFileError::Blocks(path.into()))
    }
}
