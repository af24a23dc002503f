//! The fast forward pass, straight from packed words.
//!
//! On a chain a cold word of storage costs more than all the arithmetic on it, so words are asked for one by one
//! ([`WordSource`]) and only where an input is not zero: weights lie input-major, a zero input skips its row.
//!
//! The arithmetic is SWAR (SIMD within a register): with 128 added, a weight is an unsigned byte, and one 64-bit
//! multiplication by the input serves two 32-bit lanes. 65,535 inputs of 255 · 255 still fit a lane. What the 128s
//! added, 128 · Σ x, is taken off at the end. Rows that are no multiple of 8 weights go one by one.

use alloc::vec;
use alloc::vec::Vec;

use crate::ImageLengthError;
use crate::header::{Header, weight_words};
use crate::layer::{Dense, Layer};
use crate::pack::{self, Word};

/// Where packed words come from: a slice, or the storage of a contract.
pub trait WordSource {
    /// The word at `index`, which is below the header's word count.
    fn word(&mut self, index: u32) -> Word;
}

impl WordSource for &[Word] {
    fn word(&mut self, index: u32) -> Word {
        self[index as usize]
    }
}

/// The logits of one image, equal to [`crate::reference::forward`]'s.
///
/// `words` is asked for words below `header.word_count()` only, each at most once for each layer.
///
/// # Errors
/// [`ImageLengthError`] where the image is not `height · width · channels` bytes.
pub fn forward(
    header: &Header,
    words: &mut impl WordSource,
    image: &[u8],
) -> Result<Vec<i32>, ImageLengthError> {
    let (got, expected) = (image.len(), header.input().len());
    if got != expected {
        return Err(ImageLengthError { got, expected });
    }
    let mut biases = biases(header, words).into_iter();
    let mut first_word = header.bias_words();
    let mut activations: Option<Vec<u8>> = None;
    let mut acc = Vec::new();
    for (inputs, layer) in header.layers_with_inputs() {
        let x = activations.as_deref().unwrap_or(image);
        acc = biases.by_ref().take(layer.biases()).collect();
        match layer {
            Layer::Dense(dense) => self::dense(dense, words, first_word, x, &mut acc),
        }
        if let Some(requantize) = layer.requantize() {
            activations = Some(acc.iter().map(|&acc| requantize.apply(acc)).collect());
        }
        first_word += weight_words(layer, inputs);
    }
    Ok(acc)
}

/// The biases of all layers, shifted: the accumulators' first values.
fn biases(header: &Header, words: &mut impl WordSource) -> Vec<i32> {
    let packed: Vec<Word> = (0..header.bias_words()).map(|index| words.word(index)).collect();
    let mut bytes = packed.as_flattened();
    let mut biases = Vec::new();
    for layer in header.layers() {
        let format = layer.bias_format();
        let (mine, rest) = bytes.split_at(layer.biases() * format.bytes());
        biases.extend(pack::read_biases(format, mine).map(|bias| bias << format.shift()));
        bytes = rest;
    }
    biases
}

/// Adds `Σ_i x[i] · w[i][j]` to each `acc[j]`.
fn dense(layer: &Dense, words: &mut impl WordSource, first_word: u32, x: &[u8], acc: &mut [i32]) {
    let outputs = layer.outputs as usize;
    let mut row = Row { words, first_word, loaded: None };
    if !outputs.is_multiple_of(8) {
        for (i, &x) in x.iter().enumerate().filter(|(_, x)| **x != 0) {
            let mut j = 0;
            while j < outputs {
                let weights = row.from(i * outputs + j);
                for (acc, w) in acc[j..].iter_mut().zip(weights) {
                    *acc += x as i32 * *w as i8 as i32;
                }
                j += weights.len();
            }
        }
        return;
    }
    let mut lanes = vec![0u64; outputs / 2];
    let mut sum = 0u32;
    for (i, &x) in x.iter().enumerate().filter(|(_, x)| **x != 0) {
        sum += x as u32;
        let mut j = 0;
        while j < outputs {
            let (groups, _) = row.from(i * outputs + j).as_chunks::<8>();
            for (lanes, group) in lanes[j / 2..].chunks_exact_mut(4).zip(groups) {
                multiply_add(lanes, u64::from_le_bytes(*group), x);
            }
            j += groups.len() * 8;
        }
    }
    for (acc, lanes) in acc.chunks_exact_mut(8).zip(lanes.chunks_exact(4)) {
        for (k, lane) in lanes.iter().enumerate() {
            for (half, value) in [*lane as u32, (lane >> 32) as u32].into_iter().enumerate() {
                let product = value.wrapping_sub(sum << 7) as i32;
                acc[k + 4 * half] += product;
            }
        }
    }
}

/// `lanes[k] += x · (w[k] + 128)` in the low half and `x · (w[k + 4] + 128)` in the high half, for eight weights.
fn multiply_add(lanes: &mut [u64], weights: u64, x: u8) {
    const OFFSET: u64 = 0x8080_8080_8080_8080;
    const LANES: u64 = 0x0000_00ff_0000_00ff;
    let unsigned = weights ^ OFFSET;
    for (k, lane) in lanes.iter_mut().enumerate() {
        *lane += ((unsigned >> (8 * k)) & LANES) * x as u64;
    }
}

/// A layer's weights as a row of bytes, of which the word read last is kept.
struct Row<'a, W> {
    words: &'a mut W,
    first_word: u32,
    loaded: Option<(u32, Word)>,
}

impl<W: WordSource> Row<'_, W> {
    /// The bytes from byte `at` of the layer to the end of their word.
    fn from(&mut self, at: usize) -> &[u8] {
        let index = (at / 32) as u32;
        if self.loaded.is_none_or(|(loaded, _)| loaded != index) {
            self.loaded = Some((index, self.words.word(self.first_word + index)));
        }
        let (_, word) = self.loaded.as_ref().expect("loaded above");
        &word[at % 32..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::{Bias, Requantize, Shape, Weights};
    use crate::network::{Network, Parameters};
    use crate::reference;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn layer(last: bool) -> impl Strategy<Value = Layer> {
        let outputs = if last { 1..=12u16 } else { 1..=40 };
        // Multiples of 8 take the kernel's other path: let them be half of the cases.
        let outputs = prop_oneof![outputs, (1..=4u16).prop_map(|n| 8 * n)];
        (outputs, any::<bool>(), 0..=12u8, 1..=u16::MAX, 8..=24u8, 1..=8u8).prop_map(
            move |(outputs, wide, shift, multiplier, down, bits)| {
                let bias = if wide { Bias::Int16 { shift } } else { Bias::Int8 { shift } };
                let requantize = Requantize { multiplier, shift: down, bits };
                let requantize = (!last).then_some(requantize);
                Dense { outputs, weights: Weights::Int8, bias, requantize }.into()
            },
        )
    }

    fn header() -> impl Strategy<Value = Header> {
        let shape = (1..=6u8, 1..=6u8, 1..=3u8);
        (shape, vec(layer(false), 0..3), layer(true)).prop_map(|(shape, mut layers, last)| {
            let (height, width, channels) = shape;
            layers.push(last);
            Header::new(Shape { height, width, channels }, layers).unwrap()
        })
    }

    /// A random network and an image, zeros frequent in both.
    fn case() -> impl Strategy<Value = (Network, Vec<u8>)> {
        header().prop_flat_map(|header| {
            let parameters: Vec<_> = header
                .layers_with_inputs()
                .map(|(inputs, layer)| {
                    let (min, max) = layer.bias_format().range();
                    (vec(any::<i8>(), layer.weights(inputs)), vec(min..=max, layer.biases()))
                        .prop_map(|(weights, biases)| Parameters { weights, biases })
                })
                .collect();
            let pixel = prop_oneof![Just(0u8), any::<u8>(), Just(255)];
            let image = vec(pixel, header.input().len());
            (Just(header), parameters, image).prop_map(|(header, parameters, image)| {
                (Network::new(header, parameters).unwrap(), image)
            })
        })
    }

    /// Counts how often each word is read.
    struct Counting<'a>(&'a [Word], Vec<u32>);

    impl WordSource for Counting<'_> {
        fn word(&mut self, index: u32) -> Word {
            self.1[index as usize] += 1;
            self.0[index as usize]
        }
    }

    proptest! {
        #[test]
        fn equals_the_reference((network, image) in case()) {
            let words = pack::words(&network);
            prop_assert_eq!(words.len(), network.header().word_count() as usize);
            prop_assert_eq!(&pack::network(network.header().clone(), &words).unwrap(), &network);

            let mut source = Counting(&words, vec![0; words.len()]);
            let logits = forward(network.header(), &mut source, &image).unwrap();
            prop_assert_eq!(logits, reference::forward(&network, &image).unwrap());
            prop_assert!(source.1.iter().all(|reads| *reads <= 1));
        }
    }

    #[test]
    fn extremes_do_not_overflow() {
        // The largest input that a header allows: 65,025 pixels of 255, weights −128 and 127.
        let shape = Shape { height: 255, width: 255, channels: 1 };
        let dense = Dense::logits(8, Bias::Int16 { shift: 9 });
        let header = Header::new(shape, vec![dense.into()]).unwrap();
        let weights: Vec<i8> =
            (0..65_025 * 8).map(|k| if k % 2 == 0 { -128 } else { 127 }).collect();
        let biases = vec![-32_768, 32_767, 0, 0, 0, 0, 0, 0];
        let network = Network::new(header, vec![Parameters { weights, biases }]).unwrap();
        let words = pack::words(&network);
        let image = vec![255; 65_025];
        let logits = forward(network.header(), &mut words.as_slice(), &image).unwrap();
        assert_eq!(logits[0], -(65_025 * 255 * 128 + (32_768 << 9)));
        assert_eq!(logits[1], 65_025 * 255 * 127 + (32_767 << 9));
        assert_eq!(logits, reference::forward(&network, &image).unwrap());
    }

    #[test]
    fn zero_pixels_cost_no_weights() {
        let shape = Shape { height: 1, width: 4, channels: 1 };
        let dense = Dense::logits(32, Bias::Int8 { shift: 0 });
        let header = Header::new(shape, vec![dense.into()]).unwrap();
        let words = [[1; 32]; 5];
        let mut source = Counting(&words, vec![0; 5]);
        forward(&header, &mut source, &[0, 9, 0, 1]).unwrap();
        assert_eq!(source.1, [1, 0, 1, 0, 1]);
    }

    #[test]
    fn a_wrong_image_length_is_an_error() {
        let shape = Shape { height: 1, width: 2, channels: 1 };
        let dense = Dense::logits(1, Bias::Int8 { shift: 0 });
        let header = Header::new(shape, vec![dense.into()]).unwrap();
        let words = [[0; 32]; 2];
        let result = forward(&header, &mut words.as_slice(), &[1]);
        assert_eq!(result, Err(ImageLengthError { got: 1, expected: 2 }));
    }
}
