//! From a picture to the 400 bytes that a network classifies.
//!
//! [`to_input`] is the one resize of the whole project: 20×20, bilinear, antialiased (the filter's support grows with
//! the reduction), which is what torchvision's `Resize((20, 20))` does to a PIL image and so what the original project
//! trained on. `fast_image_resize` does it in integers, with its CPU extensions off, so that every machine makes the
//! same bytes.
//!
//! Against Pillow 13.0.0 over the 10,000 MNIST test images the largest difference is 1 (of 255): 218,428 of the
//! 4,000,000 pixels differ, because Pillow rounds its filter's weights to more bits. `golden/make.py` makes Pillow's
//! side, the tests below compare.
//!
//! [`load_image`] is for pictures from elsewhere: it makes them look like MNIST (light digit on black, square) and
//! then calls [`to_input`].

use std::io::Cursor;

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8;
use fast_image_resize::{CpuExtensions, FilterType, ResizeAlg, ResizeOptions, Resizer};
use image::{DynamicImage, ImageDecoder, ImageReader};
use thiserror::Error;

/// Rows and columns of a network's image.
pub const SIDE: usize = 20;

/// Bytes of a network's image: 20 × 20, row by row, 0 = background, 255 = ink.
pub const PIXELS: usize = SIDE * SIDE;

/// The most pixels a picture may have: 50 million.
pub const MAX_PIXELS: u64 = 50_000_000;

/// Why a picture cannot be made an input.
#[derive(Debug, Error)]
pub enum Error {
    /// The number of bytes is not `width · height`, or a side is zero.
    #[error("{got} bytes are no grayscale picture of {width}×{height}")]
    WrongSize {
        /// Bytes given.
        got: usize,
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
    },
    /// More than [`MAX_PIXELS`].
    #[error("a picture of {width}×{height} has more than {MAX_PIXELS} pixels")]
    TooLarge {
        /// Columns.
        width: u64,
        /// Rows.
        height: u64,
    },
    /// Neither PNG nor JPEG, or damaged.
    #[error("cannot decode the picture: {0}")]
    Decode(#[from] image::ImageError),
    /// The file cannot be read.
    #[error("cannot read the picture: {0}")]
    Io(#[from] std::io::Error),
    /// The resizer refused the picture.
    #[error("cannot resize the picture: {0}")]
    Resize(#[from] fast_image_resize::ResizeError),
}

/// Whether a picture is inverted, so that the digit is light on black.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Invert {
    /// Where the mean of the picture's border is brighter than mid-gray.
    #[default]
    Auto,
    /// Always: dark digit on a light ground.
    Yes,
    /// Never: light digit on a dark ground.
    No,
}

/// A grayscale picture of `height` rows and `width` columns, row by row, resized to 20×20.
///
/// A picture of 20×20 is given back as it is; other proportions are stretched, as torchvision does.
///
/// # Errors
/// [`Error::WrongSize`] unless `pixels` has `width · height` bytes and at least one; [`Error::TooLarge`].
pub fn to_input(pixels: &[u8], width: usize, height: usize) -> Result<[u8; PIXELS], Error> {
    let wrong_size = Error::WrongSize { got: pixels.len(), width, height };
    if pixels.is_empty() || width.checked_mul(height) != Some(pixels.len()) {
        return Err(wrong_size);
    }
    if pixels.len() as u64 > MAX_PIXELS {
        return Err(Error::TooLarge { width: width as u64, height: height as u64 });
    }
    // Both fit u32: their product is at most MAX_PIXELS and neither is zero.
    let Ok(source) = TypedImageRef::<U8>::from_buffer(width as u32, height as u32, pixels) else {
        return Err(wrong_size);
    };
    let mut input = [U8::new(0); PIXELS];
    let Ok(mut target) = TypedImage::from_pixels_slice(SIDE as u32, SIDE as u32, &mut input) else {
        return Err(wrong_size);
    };
    let mut resizer = Resizer::new();
    // SAFETY: unsafe because an extension the CPU lacks would be an illegal instruction; `None` needs none.
    unsafe { resizer.set_cpu_extensions(CpuExtensions::None) };
    let bilinear = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    resizer.resize_typed(&source, &mut target, &bilinear)?;
    Ok(input.map(|pixel| pixel.0))
}

/// The network's image of a PNG or JPEG file of any size up to [`MAX_PIXELS`].
///
/// Turned upright where EXIF says so, made gray (Rec. 709 luma), laid over white or black where it is transparent
/// (whichever is farther from the visible part), inverted as `invert` says, centred on a black square, resized by
/// [`to_input`].
///
/// # Errors
/// [`Error::TooLarge`] before anything is decoded; [`Error::Decode`] where the bytes are no picture.
pub fn load_image(file: &[u8], invert: Invert) -> Result<[u8; PIXELS], Error> {
    let mut decoder = ImageReader::new(Cursor::new(file)).with_guessed_format()?.into_decoder()?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(Error::TooLarge { width: width.into(), height: height.into() });
    }
    let orientation = decoder.orientation()?;
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(orientation);

    let mut luma = flatten(&picture);
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    if invert == Invert::Yes || invert == Invert::Auto && border_mean(&luma, width, height) > 127 {
        luma.iter_mut().for_each(|value| *value = 255 - *value);
    }
    let (square, side) = centre(&luma, width, height)?;
    to_input(&square, side, side)
}

/// Luma of each pixel, transparency resolved.
fn flatten(picture: &DynamicImage) -> Vec<u8> {
    if !picture.color().has_alpha() {
        return picture.to_luma8().into_raw();
    }
    let pixels = picture.to_luma_alpha8();
    let (mut weighted, mut total) = (0u64, 0u64);
    for pixel in pixels.pixels() {
        let [luma, alpha] = pixel.0.map(u64::from);
        weighted += luma * alpha;
        total += alpha;
    }
    // A drawing on a transparent ground can be black or white: the ground must be the other one to show it.
    let ground: u16 = if weighted > 127 * total { 0 } else { 255 };
    let over =
        |[luma, alpha]: [u16; 2]| ((luma * alpha + ground * (255 - alpha) + 127) / 255) as u8;
    pixels.pixels().map(|pixel| over(pixel.0.map(u16::from))).collect()
}

/// Mean of the outermost rows and columns.
fn border_mean(luma: &[u8], width: usize, height: usize) -> u64 {
    let edge = |at: usize| {
        let (x, y) = (at % width, at / width);
        x == 0 || y == 0 || x == width - 1 || y == height - 1
    };
    let (sum, count) = luma
        .iter()
        .enumerate()
        .filter(|&(at, _)| edge(at))
        .fold((0, 0), |(sum, count), (_, &value)| (sum + u64::from(value), count + 1));
    sum / u64::max(count, 1)
}

/// The picture in the middle of a black square as wide as its longer side, and that side.
fn centre(luma: &[u8], width: usize, height: usize) -> Result<(Vec<u8>, usize), Error> {
    let side = width.max(height);
    if (side as u64).pow(2) > MAX_PIXELS {
        return Err(Error::TooLarge { width: side as u64, height: side as u64 });
    }
    let mut square = vec![0; side * side];
    let (left, top) = ((side - width) / 2, (side - height) / 2);
    for (y, row) in luma.chunks_exact(width).enumerate() {
        let start = (top + y) * side + left;
        square[start..start + width].copy_from_slice(row);
    }
    Ok((square, side))
}

#[cfg(test)]
mod tests {
    use image::{GrayImage, ImageFormat, Luma, Rgba, RgbaImage};

    use super::*;
    use crate::mnist;

    fn png(picture: impl Into<DynamicImage>) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        picture.into().write_to(&mut file, ImageFormat::Png).unwrap();
        file.into_inner()
    }

    /// The largest difference, and how many pixels differ.
    fn difference(expected: &[u8]) -> (u8, usize) {
        let test_set = mnist::test_set().unwrap();
        let inputs = test_set.inputs().unwrap();
        let ours = inputs.as_flattened().iter();
        let differences = || ours.clone().zip(expected).map(|(a, b)| a.abs_diff(*b));
        (differences().max().unwrap(), differences().filter(|&d| d > 0).count())
    }

    #[test]
    fn equals_pillow_within_one() {
        let golden = include_bytes!("../golden/pillow-20x20.bin");
        assert_eq!(golden.len(), 50 * PIXELS);
        assert_eq!(difference(golden), (1, 968));
    }

    #[test]
    #[ignore = "needs all 10,000 images from golden/make.py, in the file that INKLING_PILLOW names"]
    fn equals_pillow_within_one_everywhere() {
        let path = std::env::var("INKLING_PILLOW").expect("INKLING_PILLOW names a file");
        assert_eq!(difference(&std::fs::read(path).unwrap()), (1, 218_428));
    }

    #[test]
    fn keeps_20x20_and_flat_pictures() {
        let pixels: Vec<u8> = (0..400).map(|i| (i % 251) as u8).collect();
        assert_eq!(to_input(&pixels, 20, 20).unwrap()[..], pixels[..]);
        assert_eq!(to_input(&[77; 31 * 3], 31, 3).unwrap(), [77; PIXELS]);
        assert_eq!(to_input(&[9], 1, 1).unwrap(), [9; PIXELS]);
    }

    #[test]
    fn refuses_wrong_sizes() {
        for (len, width, height) in [(399, 20, 20), (0, 0, 20), (0, 0, 0), (4, usize::MAX, 2)] {
            let error = to_input(&vec![0; len], width, height).unwrap_err();
            assert!(matches!(error, Error::WrongSize { .. }), "{error}");
        }
    }

    #[test]
    fn a_digit_as_png_gives_its_input() {
        let test_set = mnist::test_set().unwrap();
        let expected = to_input(test_set.images.iter().next().unwrap(), 28, 28).unwrap();
        let pixels = test_set.images.iter().next().unwrap().to_vec();
        let digit = GrayImage::from_raw(28, 28, pixels).unwrap();
        assert_eq!(load_image(&png(digit.clone()), Invert::Auto).unwrap(), expected);

        let mut inverted = digit.clone();
        image::imageops::invert(&mut inverted);
        assert_eq!(load_image(&png(inverted.clone()), Invert::Auto).unwrap(), expected);
        assert_eq!(load_image(&png(inverted.clone()), Invert::Yes).unwrap(), expected);
        assert_ne!(load_image(&png(inverted), Invert::No).unwrap(), expected);

        // The same ink on a transparent ground, once white and once black.
        for ink in [255, 0] {
            let transparent = RgbaImage::from_fn(28, 28, |x, y| {
                Rgba([ink, ink, ink, digit.get_pixel(x, y).0[0]])
            });
            assert_eq!(load_image(&png(transparent), Invert::Auto).unwrap(), expected);
        }

        // Without its empty columns it is centred again.
        let narrow = image::imageops::crop_imm(&digit, 4, 0, 20, 28).to_image();
        assert_eq!(load_image(&png(narrow), Invert::Auto).unwrap(), expected);
    }

    #[test]
    fn a_large_jpeg_looks_like_its_digit() {
        let test_set = mnist::test_set().unwrap();
        let pixels = test_set.images.iter().next().unwrap().to_vec();
        let expected = to_input(&pixels, 28, 28).unwrap();
        let large = GrayImage::from_fn(1_400, 1_400, |x, y| {
            Luma([255 - pixels[(y / 50 * 28 + x / 50) as usize]])
        });
        let mut file = Cursor::new(Vec::new());
        DynamicImage::from(large).to_rgb8().write_to(&mut file, ImageFormat::Jpeg).unwrap();
        let got = load_image(&file.into_inner(), Invert::Auto).unwrap();
        let difference: u32 =
            got.iter().zip(expected).map(|(&a, b)| u32::from(a.abs_diff(b))).sum();
        assert!(difference < 4 * PIXELS as u32, "mean difference {}", difference / PIXELS as u32);
    }

    #[test]
    fn refuses_what_is_no_picture_or_too_large() {
        assert!(matches!(load_image(b"hello", Invert::Auto), Err(Error::Decode(_))));
        let file = png(GrayImage::from_pixel(50, 50, Luma([200])));
        for end in 0..file.len() / 2 {
            assert!(load_image(&file[..end], Invert::Auto).is_err(), "{end}");
        }
        let mut absurd = file.clone();
        // The IHDR chunk: length, "IHDR", width, height, …, CRC-32.
        absurd[16..20].copy_from_slice(&60_000u32.to_be_bytes());
        absurd[20..24].copy_from_slice(&60_000u32.to_be_bytes());
        let mut crc = flate2::Crc::new();
        crc.update(&absurd[12..29]);
        absurd[29..33].copy_from_slice(&crc.sum().to_be_bytes());
        let error = load_image(&absurd, Invert::Auto).unwrap_err();
        assert!(matches!(error, Error::TooLarge { width: 60_000, height: 60_000 }), "{error}");
        let wide = png(GrayImage::new(8_000, 1));
        let error = load_image(&wide, Invert::Auto).unwrap_err();
        assert!(matches!(error, Error::TooLarge { width: 8_000, height: 8_000 }), "{error}");
    }
}
