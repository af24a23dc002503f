//! MNIST and Fashion-MNIST: 60,000 training and 10,000 test images of 28×28 each.
//!
//! The test sets lie in this folder, gzip-compressed. The training sets are fetched by `tools/setup-data.sh`, or are
//! wherever the user has them. Either is checked against the SHA-256 of the original, uncompressed files, so that every
//! accuracy that is reported speaks of the same images. The files are parsed first: of one that is cut short or in
//! another format, that is said, rather than that its checksum differs.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::idx::{self, Images};
use crate::preprocess::{self, PIXELS};

/// The folder of MNIST's test set: this crate's.
pub const TEST_DIR: &str = env!("CARGO_MANIFEST_DIR");

/// The folder that `tools/setup-data.sh` fetches MNIST's training set into.
pub const TRAINING_DIR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/mnist");

/// The folder of both of Fashion-MNIST's sets.
const FASHION_DIR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fashion-mnist");

/// Names of the image and label file, each with its SHA-256.
type Files = [(&'static str, &'static str); 2];

/// The data sets that there are. Their files have the same names and the same format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Set {
    /// Handwritten digits.
    Mnist,
    /// Articles of clothing (Xiao, Rasul, Vollgraf 2017).
    FashionMnist,
}

impl Set {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Mnist, Self::FashionMnist];

    /// Its name in configurations and on cards: `mnist` or `fashion-mnist`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mnist => "mnist",
            Self::FashionMnist => "fashion-mnist",
        }
    }

    /// The set of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|set| set.name() == name)
    }

    /// The folder of its test images in this repository.
    pub const fn test_dir(self) -> &'static str {
        match self {
            Self::Mnist => TEST_DIR,
            Self::FashionMnist => FASHION_DIR,
        }
    }

    /// The folder that `tools/setup-data.sh` fetches its training images into.
    pub const fn training_dir(self) -> &'static str {
        match self {
            Self::Mnist => TRAINING_DIR,
            Self::FashionMnist => FASHION_DIR,
        }
    }

    /// The 10,000 test images from `t10k-images-idx3-ubyte` and `t10k-labels-idx1-ubyte`, gzip or not, in `dir`
    /// (usually [`Set::test_dir`]).
    ///
    /// # Errors
    /// [`Error`] where a file is missing, damaged or not this set's.
    pub fn test_in(self, dir: &Path) -> Result<DataSet, Error> {
        let sha256 = match self {
            Self::Mnist => [
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ],
            Self::FashionMnist => [
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            ],
        };
        read(dir, [(TEST[0], sha256[0]), (TEST[1], sha256[1])])
    }

    /// The 60,000 training images from `train-images-idx3-ubyte` and `train-labels-idx1-ubyte`, gzip or not, in `dir`
    /// (usually [`Set::training_dir`]).
    ///
    /// # Errors
    /// [`Error`] where a file is missing, damaged or not this set's.
    pub fn training_in(self, dir: &Path) -> Result<DataSet, Error> {
        let sha256 = match self {
            Self::Mnist => [
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            ],
            Self::FashionMnist => [
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            ],
        };
        read(dir, [(TRAINING[0], sha256[0]), (TRAINING[1], sha256[1])])
    }
}

const TEST: [&str; 2] = ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

const TRAINING: [&str; 2] = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"];

/// Why a data set cannot be read.
#[derive(Debug, Error)]
pub enum Error {
    /// Neither the file nor the same with `.gz` is there.
    #[error(
        "no {file} (or {file}.gz) in {}: tools/setup-data.sh fetches the training sets; the test sets are in the \
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
        /// The file; for [`idx::Error::CountMismatch`] the one of the two that is not the original.
        path: PathBuf,
        /// What is wrong with it.
        source: idx::Error,
    },
    /// The file is in order, but not that of the set.
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

/// Images and what they show.
#[derive(Debug, Clone)]
pub struct DataSet {
    /// The images as they are in the files.
    pub images: Images,
    /// One digit (or kind of article), 0–9, for each image.
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

/// MNIST's 10,000 test images, as this repository has them.
///
/// # Errors
/// [`Error`], for instance where the program was moved away from the repository: then [`test_set_in`].
pub fn test_set() -> Result<DataSet, Error> {
    test_set_in(Path::new(TEST_DIR))
}

/// MNIST's test images in `dir`: [`Set::test_in`].
///
/// # Errors
/// [`Error`] where a file is missing, damaged or not MNIST's.
pub fn test_set_in(dir: &Path) -> Result<DataSet, Error> {
    Set::Mnist.test_in(dir)
}

/// MNIST's training images in `dir` (usually [`TRAINING_DIR`]): [`Set::training_in`].
///
/// # Errors
/// [`Error`] where a file is missing, damaged or not MNIST's.
pub fn training_set(dir: &Path) -> Result<DataSet, Error> {
    Set::Mnist.training_in(dir)
}

fn read(dir: &Path, files: Files) -> Result<DataSet, Error> {
    let image_file = File::read(dir, files[0])?;
    let images = image_file.parse(idx::read_images)?;
    let label_file = File::read(dir, files[1])?;
    let labels = label_file.parse(idx::read_labels)?;
    let checks = [image_file.check(), label_file.check()];
    if let Err(source) = idx::check_counts(&images, &labels) {
        let File { path, .. } = if checks[0].is_err() { image_file } else { label_file };
        return Err(Error::Idx { path, source });
    }
    checks.into_iter().collect::<Result<(), _>>()?;
    let sha256 = hex(Sha256::new().chain_update(&image_file.bytes).chain_update(&label_file.bytes));
    Ok(DataSet { images, labels, sha256 })
}

/// A file's uncompressed bytes.
struct File {
    path: PathBuf,
    bytes: Vec<u8>,
    /// SHA-256 of the original.
    expected: &'static str,
}

impl File {
    fn read(dir: &Path, (name, expected): (&'static str, &'static str)) -> Result<Self, Error> {
        let candidates = [dir.join(name), dir.join(format!("{name}.gz"))];
        let Some(path) = candidates.into_iter().find(|path| path.exists()) else {
            return Err(Error::Missing { dir: dir.into(), file: name });
        };
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(source) => return Err(Error::Io { path, source }),
        };
        match idx::decompress(&bytes) {
            Ok(bytes) => Ok(Self { path, bytes, expected }),
            Err(source) => Err(Error::Idx { path, source }),
        }
    }

    fn parse<T>(&self, parse: fn(&[u8]) -> Result<T, idx::Error>) -> Result<T, Error> {
        parse(&self.bytes).map_err(|source| Error::Idx { path: self.path.clone(), source })
    }

    fn check(&self) -> Result<(), Error> {
        let Self { path, bytes, expected } = self;
        let got = hex(Sha256::new().chain_update(bytes));
        if got == *expected {
            return Ok(());
        }
        Err(Error::Checksum { path: path.clone(), got, expected })
    }
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

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
    fn the_other_test_set_is_fashion_mnist() {
        let fashion = Set::FashionMnist;
        let set = fashion.test_in(Path::new(fashion.test_dir())).unwrap();
        assert_eq!((set.len(), set.images.width, set.images.height), (10_000, 28, 28));
        assert_eq!(set.labels[..10], [9, 2, 1, 1, 6, 1, 4, 6, 5, 7]);
        // The one's files are not the other's.
        let error = fashion.test_in(Path::new(TEST_DIR)).unwrap_err();
        assert!(matches!(error, Error::Checksum { .. }), "{error}");
        assert_eq!(Set::ALL.map(|set| Set::from_name(set.name())), Set::ALL.map(Some));
        assert_eq!(Set::from_name("cifar"), None);
    }

    /// The test set's image and label file.
    fn originals() -> [File; 2] {
        TEST.map(|name| File::read(Path::new(TEST_DIR), (name, "unused")).unwrap())
    }

    /// What is said of a folder with these two files; the temporary folder is gone afterwards.
    fn error(images: &[u8], labels: &[u8]) -> Error {
        static FOLDERS: AtomicUsize = AtomicUsize::new(0);
        let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
        let dir = format!("inkling-mnist-{}-{number}", std::process::id());
        let dir = std::env::temp_dir().join(dir);
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join(TEST[0]), images).unwrap();
        std::fs::write(dir.join(TEST[1]), labels).unwrap();
        let error = test_set_in(&dir).unwrap_err();
        std::fs::remove_dir_all(&dir).unwrap();
        error
    }

    /// The reason, which must be said of this file.
    #[track_caller]
    fn idx_error(error: Error, file: &str) -> idx::Error {
        match error {
            Error::Idx { path, source } if path.file_name().unwrap() == file => source,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn says_what_is_wrong_before_that_the_checksum_is() {
        let [images, labels] = originals();
        let (images, labels) = (images.bytes, labels.bytes);
        let cut = idx_error(error(&images[..5_000], &labels), TEST[0]);
        assert!(matches!(cut, idx::Error::Truncated { got: 5_000, expected: 7_840_016 }), "{cut}");
        let cut = idx_error(error(&images, &labels[..6]), TEST[1]);
        assert!(matches!(cut, idx::Error::Truncated { got: 6, expected: 8 }), "{cut}");
        let magic = idx_error(error(b"\x89PNG\r\n", &labels), TEST[0]);
        assert!(matches!(magic, idx::Error::BadMagic(_)), "{magic}");

        // The file that is named is the one of the wrong length, whichever it is.
        let one = [0, 0, 8, 1, 0, 0, 0, 1, 7];
        let count = idx_error(error(&images, &one), TEST[1]);
        assert!(matches!(count, idx::Error::CountMismatch { images: 10_000, labels: 1 }));
        let mut fewer = images[..16 + 9_999 * 784].to_vec();
        fewer[4..8].copy_from_slice(&9_999u32.to_be_bytes());
        let count = idx_error(error(&fewer, &labels), TEST[0]);
        assert!(matches!(count, idx::Error::CountMismatch { images: 9_999, labels: 10_000 }));
    }

    #[test]
    fn refuses_other_images_and_labels() {
        let [images, labels] = originals();
        for (k, file) in [&images, &labels].into_iter().enumerate() {
            let mut other = file.bytes.clone();
            other[16] ^= 1;
            let error = match k {
                0 => error(&other, &labels.bytes),
                _ => error(&images.bytes, &other),
            };
            let Error::Checksum { path, expected, .. } = error else { panic!("{error}") };
            assert_eq!(path.file_name().unwrap().to_str(), Some(TEST[k]));
            assert!(expected.starts_with(["0fa7898d", "ff7bcfd4"][k]));
        }
    }

    #[test]
    fn names_a_file_that_is_missing() {
        let dir = std::env::temp_dir().join("inkling-no-such-folder");
        let error = training_set(&dir).unwrap_err();
        assert!(matches!(error, Error::Missing { file: "train-images-idx3-ubyte", .. }), "{error}");
    }
}
