//! The MNIST data sets: 60,000 training and 10,000 test images of 28×28.
//!
//! The test set lies in this folder, gzip-compressed. The training set is fetched by `tools/setup-data.sh`, or is
//! wherever the user has it. Either is checked against the SHA-256 of the original, uncompressed files, so that every
//! accuracy that is reported speaks of the same images.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::idx::{self, Images};
use crate::preprocess::{self, PIXELS};

/// The folder of the test set: this crate's.
pub const TEST_DIR: &str = env!("CARGO_MANIFEST_DIR");

/// The folder that `tools/setup-data.sh` fetches the training set into.
pub const TRAINING_DIR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/mnist");

/// Names of the image and label file, each with its SHA-256.
type Files = [(&'static str, &'static str); 2];

const TEST: Files = [
    ("t10k-images-idx3-ubyte", "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
    ("t10k-labels-idx1-ubyte", "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
];

const TRAINING: Files = [
    ("train-images-idx3-ubyte", "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
    ("train-labels-idx1-ubyte", "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
];

/// Why a data set cannot be read.
#[derive(Debug, Error)]
pub enum Error {
    /// Neither the file nor the same with `.gz` is there.
    #[error(
        "no {file} (or {file}.gz) in {}: tools/setup-data.sh fetches the training set; the test set is in the \
         repository's data/", dir.display()
    )]
    Missing {
        /// The folder.
        dir: PathBuf,
        /// The file's name.
        file: &'static str,
    },
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is damaged or not in IDX format.
    #[error("{}: {source}", path.display())]
    Idx {
        /// The file or its folder.
        path: PathBuf,
        /// What is wrong with it.
        source: idx::Error,
    },
    /// The file is not MNIST's.
    #[error("{} has sha256 {got}, expected {expected}", path.display())]
    Checksum {
        /// The file.
        path: PathBuf,
        /// SHA-256 of its uncompressed bytes.
        got: String,
        /// That of the original.
        expected: &'static str,
    },
}

/// Images and the digits they show.
#[derive(Debug, Clone)]
pub struct DataSet {
    /// The images as they are in the files.
    pub images: Images,
    /// One digit, 0–9, for each image.
    pub labels: Vec<u8>,
    /// SHA-256 in hex over the uncompressed image file and then the label file.
    pub sha256: String,
}

impl DataSet {
    /// The number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Every image as a network reads it: 400 bytes, by [`preprocess::to_input`].
    ///
    /// # Errors
    /// As `to_input`; never for a set that this module read.
    pub fn inputs(&self) -> Result<Vec<[u8; PIXELS]>, preprocess::Error> {
        let Images { width, height, .. } = self.images;
        self.images.iter().map(|image| preprocess::to_input(image, width, height)).collect()
    }
}

/// The 10,000 test images of this repository.
///
/// # Errors
/// [`Error`], for instance where the program was moved away from the repository: then [`test_set_in`].
pub fn test_set() -> Result<DataSet, Error> {
    test_set_in(Path::new(TEST_DIR))
}

/// The 10,000 test images from `t10k-images-idx3-ubyte` and `t10k-labels-idx1-ubyte`, gzip or not, in `dir`.
///
/// # Errors
/// [`Error`] where a file is missing, damaged or not MNIST's.
pub fn test_set_in(dir: &Path) -> Result<DataSet, Error> {
    read(dir, TEST)
}

/// The 60,000 training images from `train-images-idx3-ubyte` and `train-labels-idx1-ubyte`, gzip or not, in `dir`
/// (usually [`TRAINING_DIR`]).
///
/// # Errors
/// [`Error`] where a file is missing, damaged or not MNIST's.
pub fn training_set(dir: &Path) -> Result<DataSet, Error> {
    read(dir, TRAINING)
}

fn read(dir: &Path, files: Files) -> Result<DataSet, Error> {
    let [images, labels] = [file(dir, files[0])?, file(dir, files[1])?];
    let sha256 = hex(Sha256::new().chain_update(&images).chain_update(&labels));
    let (images, labels) = idx::read_pair(&images, &labels)
        .map_err(|source| Error::Idx { path: dir.into(), source })?;
    Ok(DataSet { images, labels, sha256 })
}

/// The bytes of a file, uncompressed and checked.
fn file(dir: &Path, (name, expected): (&'static str, &'static str)) -> Result<Vec<u8>, Error> {
    let candidates = [dir.join(name), dir.join(format!("{name}.gz"))];
    let Some(path) = candidates.into_iter().find(|path| path.exists()) else {
        return Err(Error::Missing { dir: dir.into(), file: name });
    };
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(source) => return Err(Error::Io { path, source }),
    };
    let bytes = match idx::decompress(&bytes) {
        Ok(bytes) => bytes,
        Err(source) => return Err(Error::Idx { path, source }),
    };
    let got = hex(Sha256::new().chain_update(&bytes));
    if got != expected {
        return Err(Error::Checksum { path, got, expected });
    }
    Ok(bytes)
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_set_is_mnist() {
        let set = test_set().unwrap();
        assert_eq!((set.len(), set.images.len()), (10_000, 10_000));
        assert_eq!((set.images.width, set.images.height), (28, 28));
        assert_eq!(set.labels[..10], [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
        assert_eq!(set.sha256.len(), 64);
    }

    #[test]
    fn refuses_other_files() {
        let dir = std::env::temp_dir().join(format!("inkling-mnist-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        assert!(matches!(training_set(&dir), Err(Error::Missing { .. })));
        let path = dir.join("t10k-images-idx3-ubyte.gz");
        std::fs::write(&path, [0, 0, 8, 3]).unwrap();
        assert!(matches!(test_set_in(&dir), Err(Error::Checksum { .. })));
        let original =
            std::fs::read(Path::new(TEST_DIR).join("t10k-images-idx3-ubyte.gz")).unwrap();
        std::fs::write(&path, &original[..original.len() / 2]).unwrap();
        assert!(matches!(test_set_in(&dir), Err(Error::Idx { .. })));
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
