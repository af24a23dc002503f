//! Packing: a network as 32-byte words, words as chunks, and the hash that commits to them.
//!
//! The layout is in `docs/format.md`. Unpacking reads untrusted words and checks their number only: every pattern of
//! bits is some network.

use alloc::vec::Vec;

use crate::header::Header;
use crate::layer::Weights;
use crate::network::{Network, Parameters};

/// A 32-byte storage word; byte 0 is the most significant one of the `uint256`.
pub type Word = [u8; 32];

/// Words in a chunk; the last chunk of a model may be shorter.
pub const CHUNK_WORDS: u32 = 32;
/// The most words a contract holds.
pub const MAX_WORDS: u32 = 8_192;

/// Too few or too many words for the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the header asks for {expected} words, {got} were given")]
pub struct WordCountError {
    /// Words given.
    pub got: usize,
    /// Words that the header asks for.
    pub expected: usize,
}

/// The words of a network: the bits of all that is not streamed, then each streamed layer's from a fresh word on.
pub fn words(network: &Network) -> Vec<Word> {
    let mut bits = BitWriter::default();
    let layers = || network.header().stored().zip(network.parameters());
    for (stored, parameters) in layers() {
        for bias in &parameters.biases {
            bits.push(*bias as u32, stored.bias.bits());
        }
        for multiplier in &parameters.multipliers {
            bits.push(u32::from(*multiplier - 1), stored.multiplier_bits);
        }
        if !stored.streamed {
            push_weights(&mut bits, stored.weights, &parameters.weights);
        }
    }
    bits.fill_word();
    for (stored, parameters) in layers().filter(|(stored, _)| stored.streamed) {
        push_weights(&mut bits, stored.weights, &parameters.weights);
        bits.fill_word();
    }
    let (words, _) = bits.bytes.as_chunks::<32>();
    words.to_vec()
}

/// The network that a header and its words say; the inverse of [`words`].
///
/// # Errors
/// [`WordCountError`] where the header asks for another number of words.
pub fn network(header: Header, words: &[Word]) -> Result<Network, WordCountError> {
    let (got, expected) = (words.len(), header.word_count() as usize);
    if got != expected {
        return Err(WordCountError { got, expected });
    }
    let mut head = BitReader::new(words.as_flattened());
    let mut stream = BitReader::new(&words.as_flattened()[header.head_words() as usize * 32..]);
    let layers = header.stored().map(|stored| {
        let width = stored.bias.bits();
        let sign = 32 - width;
        let biases =
            (0..stored.outputs).map(|_| ((head.take(width) << sign) as i32) >> sign).collect();
        let own = if stored.multiplier_bits > 0 { stored.outputs } else { 0 };
        let multipliers = (0..own).map(|_| head.take(stored.multiplier_bits) as u16 + 1).collect();
        let weights = if stored.streamed {
            let weights = take_weights(&mut stream, stored.weights, stored.count());
            stream.skip_to_word();
            weights
        } else {
            take_weights(&mut head, stored.weights, stored.count())
        };
        Parameters { weights, biases, multipliers }
    });
    let parameters = layers.collect();
    Ok(Network::new(header, parameters).expect("counts and ranges follow from the header"))
}

fn push_weights(bits: &mut BitWriter, format: Weights, weights: &[i8]) {
    match format {
        Weights::Ternary => {
            for five in weights.chunks(5) {
                let digits = five.iter().rev().fold(0, |sum, w| 3 * sum + (w + 1) as u32);
                bits.push(digits, 8);
            }
        }
        Weights::Int2 => weights.iter().for_each(|w| bits.push((w + 3) as u32 / 2, 2)),
        Weights::Binary => weights.iter().for_each(|w| bits.push((w + 1) as u32 / 2, 1)),
        _ => weights.iter().for_each(|w| bits.push(*w as u32, format.code().into())),
    }
}

fn take_weights(bits: &mut BitReader<'_>, format: Weights, count: usize) -> Vec<i8> {
    match format {
        Weights::Ternary => {
            let mut weights = Vec::with_capacity(count);
            while weights.len() < count {
                let mut byte = bits.take(8);
                for _ in 0..(count - weights.len()).min(5) {
                    weights.push((byte % 3) as i8 - 1);
                    byte /= 3;
                }
            }
            weights
        }
        Weights::Int2 => (0..count).map(|_| 2 * bits.take(2) as i8 - 3).collect(),
        Weights::Binary => (0..count).map(|_| 2 * bits.take(1) as i8 - 1).collect(),
        Weights::Int3 | Weights::Int4 | Weights::Int8 => {
            let (width, unused) = (u32::from(format.code()), 8 - u32::from(format.code()));
            (0..count).map(|_| ((bits.take(width) << unused) as i8) >> unused).collect()
        }
    }
}

/// Fields one after another, the most significant bit first.
#[derive(Default)]
struct BitWriter {
    bytes: Vec<u8>,
    /// Bits of the last byte that are taken, 0 where it is full.
    taken: u32,
}

impl BitWriter {
    /// Appends the lowest `width` bits of `value`.
    fn push(&mut self, value: u32, width: u32) {
        for bit in (0..width).rev() {
            if self.taken == 0 {
                self.bytes.push(0);
            }
            let last = self.bytes.len() - 1;
            self.bytes[last] |= ((value >> bit & 1) as u8) << (7 - self.taken);
            self.taken = (self.taken + 1) % 8;
        }
    }

    fn fill_word(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(32), 0);
        self.taken = 0;
    }
}

/// What a [`BitWriter`] wrote.
struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> BitReader<'a> {
    const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next `width` bits, at most 32.
    fn take(&mut self, width: u32) -> u32 {
        let mut value = 0;
        for _ in 0..width {
            let bit = self.bytes[self.at / 8] >> (7 - self.at % 8) & 1;
            value = value << 1 | u32::from(bit);
            self.at += 1;
        }
        value
    }

    fn skip_to_word(&mut self) {
        self.at = self.at.next_multiple_of(256);
    }
}

/// The chunks of a model's words, in order, as bytes.
pub fn chunks(words: &[Word]) -> impl Iterator<Item = &[u8]> {
    words.as_flattened().chunks(CHUNK_WORDS as usize * 32)
}

/// `keccak256(keccak256(header) ‖ keccak256(chunk 0) ‖ keccak256(chunk 1) ‖ …)`, with the hash function given, since
/// each side has its own.
pub fn model_hash(header: &[u8], words: &[Word], keccak256: impl Fn(&[u8]) -> Word) -> Word {
    let mut hashes = Vec::from(keccak256(header));
    for chunk in chunks(words) {
        hashes.extend(keccak256(chunk));
    }
    keccak256(&hashes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::{Bias, BiasWidth, Dense, Input, Logits, Multipliers, Requantize, Shape};
    use crate::reference;
    use alloc::string::String;
    use alloc::vec;

    /// The value of a line `name: value` of the worked example.
    fn example(name: &str) -> &'static str {
        let page = include_str!("../../docs/format.md");
        let (_, example) = page.split_once("## Worked example").unwrap();
        let line = example.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_else(|| panic!("the example has no line {name}"))
    }

    fn hex(text: &str) -> Vec<u8> {
        let digits: String = text.split_whitespace().collect();
        let pair = |i| u8::from_str_radix(&digits[i..i + 2], 16).unwrap();
        (0..digits.len()).step_by(2).map(pair).collect()
    }

    #[test]
    fn the_worked_example_holds() {
        let header = Header::parse(&hex(example("header"))).unwrap();
        let packed: Vec<Word> = vec![hex(example("word 0")).try_into().unwrap()];
        let image = hex(example("image"));
        let logits: Vec<i32> =
            example("logits").split_whitespace().map(|n| n.parse().unwrap()).collect();

        let network = network(header.clone(), &packed).unwrap();
        assert_eq!(words(&network), packed);
        assert_eq!(reference::forward(&network, &image).unwrap(), logits);

        // The activations of the convolution are the logits of a network that copies them.
        let input = header.input();
        let bias = Bias { width: BiasWidth::Bits4, shift: 0 };
        let copy = Logits { classes: 8, weights: Weights::Ternary, bias };
        let layers = [header.stages()[0].layer(), copy.into()];
        let identity = Parameters {
            weights: (0..64).map(|k| i8::from(k % 9 == 0)).collect(),
            biases: vec![0; 8],
            multipliers: vec![],
        };
        let alone = Network::new(
            Header::new(input, &layers).unwrap(),
            vec![network.parameters()[0].clone(), identity],
        );
        let hidden: Vec<i32> = hex(example("hidden")).into_iter().map(i32::from).collect();
        assert_eq!(reference::forward(&alone.unwrap(), &image).unwrap(), hidden);
    }

    #[test]
    fn wrong_number_of_words_is_an_error() {
        let header = Header::parse(&hex(example("header"))).unwrap();
        let error = network(header, &[[0; 32]; 2]).unwrap_err();
        assert_eq!(error, WordCountError { got: 2, expected: 1 });
    }

    #[test]
    fn the_hash_covers_header_and_chunks() {
        // A stand-in for keccak that shows what is hashed: the length, then the first bytes.
        let fake = |bytes: &[u8]| {
            let mut out = [0; 32];
            out[0] = (bytes.len() / 32) as u8;
            out[1..5].copy_from_slice(&[
                bytes[0],
                bytes[32 % bytes.len()],
                bytes[64 % bytes.len()],
                0,
            ]);
            out
        };
        let words = vec![[7; 32]; 33];
        assert_eq!(chunks(&words).map(<[u8]>::len).collect::<Vec<_>>(), [1024, 32]);
        // header hash ‖ two chunk hashes = 3 words, which begin with 0 (a short header), 32 and 1 (words a chunk).
        assert_eq!(model_hash(&[9; 20], &words, fake)[..5], [3, 0, 32, 1, 0]);
    }

    #[test]
    fn every_format_reads_back() {
        for format in Weights::ALL {
            let all: Vec<i8> = (i8::MIN..=i8::MAX).filter(|&w| format.contains(w)).collect();
            // Seven of each, so that fields straddle bytes and the last ternary byte is not full.
            let weights: Vec<i8> = all.iter().cycle().take(7 * all.len()).copied().collect();
            let mut bits = BitWriter::default();
            bits.push(5, 3);
            push_weights(&mut bits, format, &weights);
            assert_eq!(bits.bytes.len(), (3 + format.bits(weights.len())).div_ceil(8));
            let mut bits = BitReader::new(&bits.bytes);
            assert_eq!(bits.take(3), 5);
            assert_eq!(take_weights(&mut bits, format, weights.len()), weights);
        }
        // 1 − 0 · 3 − 1 · 9 + … : digits 2, 1, 0, 2, 2 are 2 + 3 + 0 + 54 + 162.
        let mut bits = BitWriter::default();
        push_weights(&mut bits, Weights::Ternary, &[1, 0, -1, 1, 1]);
        assert_eq!(bits.bytes, [221]);
    }

    #[test]
    fn network_checks_counts_and_ranges() {
        use crate::NetworkError::*;
        let shape = Shape { channels: 1, height: 1, width: 2 };
        let bias = Bias { width: BiasWidth::Bits8, shift: 0 };
        let multipliers = Multipliers::Each4;
        let requantize = Requantize { multipliers, shift: 1, bits: 4, residual: false };
        let dense = Dense { outputs: 1, weights: Weights::Int4, bias, requantize };
        let logits = Logits { classes: 1, weights: Weights::Int2, bias };
        let input = Input { shape, crop: 0, bits: 8 };
        let header = Header::new(input, &[dense.into(), logits.into()]).unwrap();
        let last = Parameters { weights: vec![3], biases: vec![0], multipliers: vec![] };
        let new = |weights, biases, multipliers| {
            let first = Parameters { weights, biases, multipliers };
            Network::new(header.clone(), vec![first, last.clone()]).map(drop)
        };
        assert_eq!(new(vec![7, -8], vec![-128], vec![16]), Ok(()));
        let count = WeightCount { layer: 0, got: 1, expected: 2 };
        assert_eq!(new(vec![1], vec![0], vec![1]), Err(count));
        let count = BiasCount { layer: 0, got: 0, expected: 1 };
        assert_eq!(new(vec![1, 2], vec![], vec![1]), Err(count));
        let count = MultiplierCount { layer: 0, got: 0, expected: 1 };
        assert_eq!(new(vec![1, 2], vec![0], vec![]), Err(count));
        let range = WeightRange { layer: 0, index: 1, got: 8, format: Weights::Int4 };
        assert_eq!(new(vec![1, 8], vec![0], vec![1]), Err(range));
        let range = BiasRange { layer: 0, index: 0, got: 128, min: -128, max: 127 };
        assert_eq!(new(vec![1, 2], vec![128], vec![1]), Err(range));
        for got in [0, 17] {
            let range = MultiplierRange { layer: 0, index: 0, got, max: 16 };
            assert_eq!(new(vec![1, 2], vec![0], vec![got]), Err(range));
        }
        let count = LayerCount { got: 0, expected: 2 };
        assert_eq!(Network::new(header.clone(), vec![]), Err(count));
    }
}
