//! Damaged data sets and trained files: an error of their own each, and words that name the file and what is wrong.

use inkling::models::{self, Model};
use inkling_data::{idx, mnist, model};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process,
};

/// A folder for a test, removed in the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("inkling-{name}-{}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap_or_default();
    }
}

/// What the command line says of an error, in which each of `parts` must occur.
#[track_caller]
fn says(error: impl Into<inkling::Error>, parts: &[&str]) {
    let error = error.into();
    let text = error.to_string();
    assert_eq!(error.exit_code(), 3, "{text}");
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
}

const IMAGES: &str = "t10k-images-idx3-ubyte";
const LABELS: &str = "t10k-labels-idx1-ubyte";

#[test]
fn data_sets() {
    let folder = Folder::new("data");
    let test_set = || mnist::test_set_in(&folder.0).unwrap_err();
    let original = |name| {
        let path = Path::new(mnist::TEST_DIR).join(format!("{name}.gz"));
        idx::decompress(&fs::read(path).unwrap()).unwrap()
    };
    let (images, labels) = (original(IMAGES), original(LABELS));

    assert!(matches!(test_set(), mnist::Error::Missing { .. }));
    says(test_set(), &[IMAGES, folder.0.to_str().unwrap()]);

    // Cut short within the gzip stream.
    let compressed = fs::read(Path::new(mnist::TEST_DIR).join(format!("{IMAGES}.gz"))).unwrap();
    let file = folder.0.join(format!("{IMAGES}.gz"));
    fs::write(&file, &compressed[..compressed.len() / 2]).unwrap();
    assert!(matches!(test_set(), mnist::Error::Idx { source: idx::Error::Gzip(_), .. }));
    says(test_set(), &[file.to_str().unwrap(), "decompress"]);
    fs::remove_file(file).unwrap();

    // Cut short, uncompressed, and with one pixel changed: the checksum says so.
    let file = folder.0.join(IMAGES);
    fs::write(&file, &images[..images.len() - 1]).unwrap();
    assert!(matches!(test_set(), mnist::Error::Checksum { .. }));
    says(test_set(), &[file.to_str().unwrap(), "sha256", "expected"]);
    let mut changed = images.clone();
    changed[5_000] ^= 1;
    fs::write(&file, changed).unwrap();
    assert!(matches!(test_set(), mnist::Error::Checksum { .. }));

    // The same bytes without the checksum.
    let cut = idx::read_images(&images[..images.len() - 1]).unwrap_err();
    let (got, expected) = (7_840_015, 7_840_016);
    assert!(
        matches!(cut, idx::Error::Truncated { got: g, expected: e } if (g, e) == (got, expected))
    );
    assert_eq!(cut.to_string(), "truncated: 7840015 bytes, 7840016 expected");
    let cut = idx::read_labels(&labels[..100]).unwrap_err();
    assert!(matches!(cut, idx::Error::Truncated { got: 100, expected: 10_008 }));
    assert!(matches!(idx::read_images(&labels), Err(idx::Error::WrongDimensions { .. })));
    let mut magic = images.clone();
    magic[0] = b'P';
    assert!(matches!(idx::read_images(&magic), Err(idx::Error::BadMagic(_))));
    let mut count = images.clone();
    count[7] -= 1;
    assert!(matches!(idx::read_images(&count), Err(idx::Error::TrailingBytes(784))));
    let nine = idx::read_pair(&images, &[0, 0, 8, 1, 0, 0, 0, 1, 9]).unwrap_err();
    assert!(matches!(nine, idx::Error::CountMismatch { images: 10_000, labels: 1 }));

    // Whole, it is read.
    fs::write(&file, images).unwrap();
    fs::write(folder.0.join(LABELS), labels).unwrap();
    assert_eq!(mnist::test_set_in(&folder.0).unwrap().len(), 10_000);
}

#[test]
fn trained_files() {
    let folder = Folder::new("model");
    let file = folder.0.join("broken.safetensors");
    let path = file.to_str().unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/mlp-64.safetensors");
    let good = fs::read(shipped).unwrap();
    let open = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        match Model::open(path).unwrap_err() {
            models::Error::File { path, source } => {
                assert_eq!(path, file);
                source
            }
            other => panic!("{other}"),
        }
    };
    let replace = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let at = good.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
        let mut bytes = good.clone();
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        bytes
    };

    // Every length is too short, and no length a panic.
    for length in (0..good.len()).step_by(997).chain([0, 7, 8, 9, good.len() - 1]) {
        let error = open(&good[..length]);
        assert!(matches!(error, model::Error::Safetensors(_)), "{length} bytes: {error}");
    }
    assert!(matches!(open(b"not safetensors at all"), model::Error::Safetensors(_)));
    assert!(matches!(open(&replace("\"inkling\"", "\"inkl1ng\"")), model::Error::NoMetadata));
    let missing = open(&replace("\"layer0.weight\"", "\"layer9.weight\""));
    assert!(matches!(missing, model::Error::MissingTensor { name } if name == "layer0.weight"));
    let narrow = open(&replace("\\\"outputs\\\":64", "\\\"outputs\\\":63"));
    assert!(matches!(narrow, model::Error::WrongTensor { got_shape, expected_shape, .. }
        if got_shape == [400, 64] && expected_shape == [400, 63]));
    let bits = open(&replace("\\\"weight_bits\\\":8", "\\\"weight_bits\\\":7"));
    assert!(matches!(bits, model::Error::Unsupported { layer: 0, field: "weight_bits", got: 7 }));
    let format = open(&replace("\\\"format\\\":1", "\\\"format\\\":2"));
    assert!(matches!(format, model::Error::Format { got: 2 }));

    fs::write(&file, &good[..1_000]).unwrap();
    says(Model::open(path).unwrap_err(), &[path, "safetensors"]);
    says(Model::open("mlp-65").unwrap_err(), &["mlp-65", "mlp-64", "mlp-32-16"]);
    fs::write(&file, good).unwrap();
    assert_eq!(Model::open(path).unwrap().name, "mlp-64");
}
