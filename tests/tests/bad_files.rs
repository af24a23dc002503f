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

    // Uncompressed: what is wrong, and in which file, not only that the checksum differs.
    let paths = [folder.0.join(IMAGES), folder.0.join(LABELS)];
    let [image_path, label_path] = paths.each_ref().map(|path| path.to_str().unwrap());
    let with = |images: &[u8], labels: &[u8]| {
        fs::write(&paths[0], images).unwrap();
        fs::write(&paths[1], labels).unwrap();
        test_set()
    };
    let source = |images: &[u8], labels: &[u8]| match with(images, labels) {
        mnist::Error::Idx { source, .. } => source,
        other => panic!("{other}"),
    };
    let changed = |file: &[u8], at: usize, byte: u8| {
        let mut file = file.to_vec();
        file[at] = byte;
        file
    };
    let cut = &images[..images.len() - 1];
    assert!(matches!(
        source(cut, &labels),
        idx::Error::Truncated { got: 7_840_015, expected: 7_840_016 }
    ));
    says(with(cut, &labels), &[image_path, "truncated: 7840015 bytes, 7840016 expected"]);
    let cut = &labels[..100];
    assert!(matches!(source(&images, cut), idx::Error::Truncated { got: 100, expected: 10_008 }));
    says(with(&images, cut), &[label_path, "truncated: 100 bytes, 10008 expected"]);

    let magic = changed(&images, 0, b'P');
    assert!(matches!(source(&magic, &labels), idx::Error::BadMagic(got) if got == [b'P', 0, 8, 3]));
    says(with(&magic, &labels), &[image_path, "begins with [50, 00, 08, 03], not with 00 00"]);
    let floats = changed(&images, 2, 0x0d);
    assert!(matches!(source(&floats, &labels), idx::Error::WrongType(0x0d)));
    says(with(&floats, &labels), &[image_path, "type 0x0d, expected 0x08"]);
    assert!(matches!(
        source(&labels, &labels),
        idx::Error::WrongDimensions { got: 1, expected: 3 }
    ));
    says(with(&labels, &labels), &[image_path, "1 dimensions, expected 3"]);

    let announced = changed(&images, 7, images[7] - 1);
    assert!(matches!(source(&announced, &labels), idx::Error::TrailingBytes(784)));
    says(with(&announced, &labels), &[image_path, "784 bytes after the end"]);
    let fewer = &announced[..announced.len() - 784];
    assert!(matches!(
        source(fewer, &labels),
        idx::Error::CountMismatch { images: 9_999, labels: 10_000 }
    ));
    says(with(fewer, &labels), &[image_path, "9999 images but 10000 labels"]);
    let one = [0, 0, 8, 1, 0, 0, 0, 1, 9];
    assert!(matches!(
        source(&images, &one),
        idx::Error::CountMismatch { images: 10_000, labels: 1 }
    ));
    says(with(&images, &one), &[label_path, "10000 images but 1 labels"]);
    let ten = changed(&labels, 8, 10);
    assert!(matches!(source(&images, &ten), idx::Error::BadLabel { index: 0, value: 10 }));
    says(with(&images, &ten), &[label_path, "label 10 at index 0 is not a digit"]);

    // In order, but another picture or another digit: only now the checksum.
    let other = changed(&images, 5_000, images[5_000] ^ 1);
    assert!(matches!(with(&other, &labels), mnist::Error::Checksum { .. }));
    let original = "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7";
    says(with(&other, &labels), &[image_path, "sha256", &format!("expected {original}")]);
    let other = changed(&labels, 8, 1);
    assert!(matches!(with(&images, &other), mnist::Error::Checksum { .. }));
    says(with(&images, &other), &[label_path, "sha256"]);

    // Whole, they are read.
    fs::write(&paths[0], &images).unwrap();
    fs::write(&paths[1], &labels).unwrap();
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
    let bits = open(&replace("\\\"bias_bits\\\":16", "\\\"bias_bits\\\":17"));
    assert!(matches!(bits, model::Error::Unsupported { layer: 0, field: "bias_bits", got: 17 }));
    let outside = open(&replace("\\\"name\\\":\\\"mlp-64", "\\\"name\\\":\\\"../x64"));
    assert!(matches!(outside, model::Error::Name { got } if got == "../x64"));
    let format = open(&replace("\\\"format\\\":2", "\\\"format\\\":1"));
    assert!(matches!(format, model::Error::Format { got: 1 }));

    fs::write(&file, &good[..1_000]).unwrap();
    says(Model::open(path).unwrap_err(), &[path, "safetensors"]);
    says(Model::open("mlp-65").unwrap_err(), &["mlp-65", "mlp-64", "mlp-32-16"]);
    fs::write(&file, good).unwrap();
    assert_eq!(Model::open(path).unwrap().name, "mlp-64");
}
