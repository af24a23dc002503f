//! IDX, the format of the MNIST files: four magic bytes `00 00 type dimensions`, one big-endian `u32` per
//! dimension, then the values. MNIST uses unsigned bytes (type 8): images are three-dimensional (count, height,
//! width), labels one-dimensional. A file may be gzip-compressed; its first two bytes tell.
//!
//! The format is described at <http://yann.lecun.com/exdb/mnist/>.

use std::io::Read;

use flate2::read::GzDecoder;
use thiserror::Error;

/// The type byte of unsigned 8-bit values, the only type read here.
const UNSIGNED_BYTE: u8 = 0x08;

/// The most bytes a file may decompress to: a gzip bomb ends here. The MNIST training images have 47 million.
const LIMIT: u64 = 1 << 28;

/// Why bytes are not the IDX file asked for.
#[derive(Debug, Error)]
pub enum Error {
    /// The gzip stream is damaged or cut short.
    #[error("cannot decompress: {0}")]
    Gzip(#[from] std::io::Error),
    /// More than 256 MiB after decompression.
    #[error("more than {LIMIT} bytes after decompression")]
    TooLarge,
    /// The first two bytes are not zero.
    #[error("not an IDX file: it begins with {0:02x?}, not with 00 00")]
    BadMagic(Vec<u8>),
    /// The values are not unsigned bytes.
    #[error("values of type 0x{0:02x}, expected 0x08 (unsigned byte)")]
    WrongType(u8),
    /// Images have three dimensions, labels one.
    #[error("{got} dimensions, expected {expected}")]
    WrongDimensions {
        /// What the file says.
        got: u8,
        /// What was asked for.
        expected: u8,
    },
    /// Fewer bytes than the header announces.
    #[error("truncated: {got} bytes, {expected} expected")]
    Truncated {
        /// Bytes there are.
        got: usize,
        /// Bytes the header announces, itself included.
        expected: u64,
    },
    /// More bytes than the header announces.
    #[error("{0} bytes after the end")]
    TrailingBytes(u64),
    /// Images without pixels.
    #[error("images of {height}×{width} pixels")]
    EmptyImages {
        /// Rows of an image.
        height: u32,
        /// Columns of an image.
        width: u32,
    },
    /// A label that is no digit.
    #[error("label {value} at index {index} is not a digit")]
    BadLabel {
        /// Which label.
        index: usize,
        /// What it says.
        value: u8,
    },
    /// Images and labels do not belong together.
    #[error("{images} images but {labels} labels")]
    CountMismatch {
        /// How many images.
        images: usize,
        /// How many labels.
        labels: usize,
    },
}

/// Grayscale images of one size, one after another, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    /// Columns of an image, at least 1.
    pub width: usize,
    /// Rows of an image, at least 1.
    pub height: usize,
    /// `len() · height · width` bytes, 0 = background.
    pub pixels: Vec<u8>,
}

impl Images {
    /// The number of images.
    pub fn len(&self) -> usize {
        self.pixels.len() / (self.width * self.height)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.pixels.is_empty()
    }

    /// The images, each `height · width` bytes.
    pub fn iter(&self) -> std::slice::ChunksExact<'_, u8> {
        self.pixels.chunks_exact(self.width * self.height)
    }
}

/// Reads images: unsigned bytes in three dimensions (count, height, width).
pub fn read_images(file: &[u8]) -> Result<Images, Error> {
    let (dimensions, pixels) = read(file, 3)?;
    let [_, height, width] = dimensions[..] else {
        unreachable!("read gives as many dimensions as asked for")
    };
    if height == 0 || width == 0 {
        return Err(Error::EmptyImages { height, width });
    }
    Ok(Images { width: width as usize, height: height as usize, pixels })
}

/// Reads labels: unsigned bytes in one dimension, each 0–9.
pub fn read_labels(file: &[u8]) -> Result<Vec<u8>, Error> {
    let (_, labels) = read(file, 1)?;
    match labels.iter().position(|&label| label > 9) {
        Some(index) => Err(Error::BadLabel { index, value: labels[index] }),
        None => Ok(labels),
    }
}

/// Checks that there are as many images as labels.
pub fn check_counts(images: &Images, labels: &[u8]) -> Result<(), Error> {
    if images.len() != labels.len() {
        return Err(Error::CountMismatch { images: images.len(), labels: labels.len() });
    }
    Ok(())
}

/// The bytes of a file that may be gzip-compressed.
pub fn decompress(file: &[u8]) -> Result<Vec<u8>, Error> {
    if !file.starts_with(&[0x1f, 0x8b]) {
        return Ok(file.to_vec());
    }
    let mut bytes = Vec::new();
    GzDecoder::new(file).take(LIMIT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LIMIT {
        return Err(Error::TooLarge);
    }
    Ok(bytes)
}

/// The dimensions and the values of a file of unsigned bytes.
fn read(file: &[u8], expected: u8) -> Result<(Vec<u32>, Vec<u8>), Error> {
    let mut bytes = decompress(file)?;
    if !bytes.starts_with(&[0, 0]) {
        return Err(Error::BadMagic(bytes[..bytes.len().min(4)].to_vec()));
    }
    let header = 4 + 4 * usize::from(expected);
    let truncated = |got: usize, expected: u64| Error::Truncated { got, expected };
    let &[_, _, kind, dimensions, ..] = &bytes[..] else {
        return Err(truncated(bytes.len(), header as u64));
    };
    if kind != UNSIGNED_BYTE {
        return Err(Error::WrongType(kind));
    }
    if dimensions != expected {
        return Err(Error::WrongDimensions { got: dimensions, expected });
    }
    let Some(sizes) = bytes.get(4..header) else {
        return Err(truncated(bytes.len(), header as u64));
    };
    let sizes: Vec<u32> = sizes
        .chunks_exact(4)
        .map(|size| u32::from_be_bytes(size.try_into().expect("chunks of four bytes")))
        .collect();
    // Saturating: an absurd header announces more than any file holds, and is reported as truncated.
    let values = sizes.iter().fold(1u64, |product, &size| product.saturating_mul(size.into()));
    let end = values.saturating_add(header as u64);
    match (bytes.len() as u64).cmp(&end) {
        std::cmp::Ordering::Less => Err(truncated(bytes.len(), end)),
        std::cmp::Ordering::Greater => Err(Error::TrailingBytes(bytes.len() as u64 - end)),
        std::cmp::Ordering::Equal => {
            bytes.drain(..header);
            Ok((sizes, bytes))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// Two images of 1×3 pixels.
    const IMAGES: &[u8] = &[0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6];
    const LABELS: &[u8] = &[0, 0, 8, 1, 0, 0, 0, 2, 7, 9];

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn with(file: &[u8], at: usize, byte: u8) -> Vec<u8> {
        let mut file = file.to_vec();
        file[at] = byte;
        file
    }

    #[test]
    fn reads_raw_and_gzip() {
        let expected = Images { width: 3, height: 1, pixels: vec![1, 2, 3, 4, 5, 6] };
        assert_eq!(read_images(IMAGES).unwrap(), expected);
        assert_eq!(read_images(&gzip(IMAGES)).unwrap(), expected);
        assert_eq!(expected.len(), 2);
        assert_eq!(expected.iter().nth(1).unwrap(), [4, 5, 6]);
        assert_eq!(read_labels(&gzip(LABELS)).unwrap(), [7, 9]);
    }

    #[test]
    fn refuses_other_files() {
        assert!(matches!(read_images(b"\x89PNG\r\n"), Err(Error::BadMagic(_))));
        assert!(matches!(read_images(&[]), Err(Error::BadMagic(_))));
        assert!(matches!(read_images(&with(IMAGES, 2, 0x0d)), Err(Error::WrongType(0x0d))));
        let dimensions = read_images(LABELS);
        assert!(matches!(dimensions, Err(Error::WrongDimensions { got: 1, expected: 3 })));
        let empty = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3];
        assert!(matches!(read_images(&empty), Err(Error::EmptyImages { height: 0, width: 3 })));
    }

    #[test]
    fn refuses_wrong_lengths() {
        for end in 2..IMAGES.len() {
            let error = read_images(&IMAGES[..end]).unwrap_err();
            assert!(matches!(error, Error::Truncated { got, .. } if got == end), "{end}: {error}");
        }
        let longer = [IMAGES, &[0, 0]].concat();
        assert!(matches!(read_images(&longer), Err(Error::TrailingBytes(2))));
        let absurd = [&[0, 0, 8, 3][..], &[0xff; 12]].concat();
        assert!(matches!(
            read_images(&absurd),
            Err(Error::Truncated { got: 16, expected: u64::MAX })
        ));
        let compressed = gzip(IMAGES);
        assert!(matches!(read_images(&compressed[..compressed.len() - 9]), Err(Error::Gzip(_))));
    }

    #[test]
    fn refuses_wrong_labels_and_counts() {
        let label = read_labels(&with(LABELS, 9, 10));
        assert!(matches!(label, Err(Error::BadLabel { index: 1, value: 10 })));
        let images = read_images(IMAGES).unwrap();
        check_counts(&images, &[7, 9]).unwrap();
        let count = check_counts(&images, &[7]);
        assert!(matches!(count, Err(Error::CountMismatch { images: 2, labels: 1 })));
    }
}
