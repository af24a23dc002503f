//! What can go wrong in a command, and its exit code.

use crate::{artifacts, chain, classifier, deployment, models, plot};
use alloy::signers::local::LocalSignerError;
use inkling_data::{mnist, preprocess};
use inkling_devnode::{StateFileError, server::ServerError};
use std::path::PathBuf;

/// The failure of a command, as one sentence.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A check failed: what a contract says differs from the reference.
    #[error("{0}")]
    Mismatch(String),
    /// The arguments contradict each other or the data.
    #[error("{0}")]
    Usage(String),
    /// Something that costs was not begun; nothing was sent.
    #[error("{0}; nothing was sent")]
    Refused(String),
    /// The chain refused something, or cannot be reached.
    #[error(transparent)]
    Chain(#[from] chain::Error),
    /// A deployed contract does not answer as a classifier does.
    #[error(transparent)]
    Classifier(#[from] classifier::Error),
    /// A deployment could not be made or continued.
    #[error(transparent)]
    Deployment(#[from] deployment::Error),
    /// A built program is damaged.
    #[error(transparent)]
    Artifact(#[from] artifacts::Error),
    /// A trained model cannot be read.
    #[error(transparent)]
    Model(#[from] models::Error),
    /// The test images cannot be read.
    #[error(transparent)]
    DataSet(#[from] mnist::Error),
    /// A picture cannot be read.
    #[error("{}: {source}", path.display())]
    Picture {
        /// The file.
        path: PathBuf,
        /// Why.
        source: preprocess::Error,
    },
    /// A test image cannot be scaled down.
    #[error(transparent)]
    Image(#[from] preprocess::Error),
    /// A test image needs more gas than a transaction gets.
    #[error("test image {index}: {source}; at most {index} samples leave it out")]
    Sample {
        /// The image.
        index: usize,
        /// How much it needs.
        source: classifier::Error,
    },
    /// The program with marks and the native kernel are not of the same version.
    #[error(
        "the program marks the ends of {got} parts, the kernel has {expected}: `make contract` builds it"
    )]
    Marks {
        /// Marks in the trace.
        got: usize,
        /// Parts, but for the last.
        expected: usize,
    },
    /// A plot cannot be drawn.
    #[error(transparent)]
    Plot(#[from] plot::Error),
    /// The node cannot listen where it should.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The chain's file cannot be read or written.
    #[error(transparent)]
    State(#[from] StateFileError),
    /// The well-known mnemonic gave no key.
    #[error(transparent)]
    Key(#[from] LocalSignerError),
    /// Ctrl-C cannot be caught.
    #[error("cannot catch Ctrl-C: {0}")]
    Signal(#[from] ctrlc::Error),
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl Error {
    /// `error`, and of which test image it is, where another image would do.
    pub(crate) fn of_sample(index: usize, error: classifier::Error) -> Self {
        match error {
            source @ classifier::Error::GasCap { .. } => Self::Sample { index, source },
            other => other.into(),
        }
    }

    /// Exit code of the program: 1 for a failed check, 2 for wrong usage, 4 for what was refused before any
    /// transaction, 3 for the rest.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Chain(error) | Self::Deployment(deployment::Error::Chain(error)) => {
                error.exit_code()
            }
            Self::Mismatch(_) => 1,
            Self::Deployment(deployment::Error::Differs { .. }) => 1,
            Self::Usage(_) => 2,
            Self::Deployment(error) if error.is_refusal() => 4,
            Self::Refused(_) => 4,
            _ => 3,
        }
    }
}
