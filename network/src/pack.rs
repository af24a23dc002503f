//! Packing: a network as 32-byte words, words as chunks, and the hash that commits to them.
//!
//! The layout is in `docs/format.md`. Unpacking reads untrusted words and checks their number only: every pattern of
//! bits is some network.

use alloc::vec::Vec;

use crate::header::Header;
use crate::layer::Bias;
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

/// The words of a network: all biases, then each layer's weights from a fresh word on.
pub fn words(network: &Network) -> Vec<Word> {
    let mut bytes = Vec::new();
    for (layer, parameters) in network.header().layers().iter().zip(network.parameters()) {
        for bias in &parameters.biases {
            match layer.bias_format() {
                Bias::Int8 { .. } => bytes.push(*bias as i8 as u8),
                Bias::Int16 { .. } => bytes.extend((*bias as i16).to_be_bytes()),
            }
        }
    }
    fill_word(&mut bytes);
    for parameters in network.parameters() {
        bytes.extend(parameters.weights.iter().map(|&w| w as u8));
        fill_word(&mut bytes);
    }
    let (words, _) = bytes.as_chunks::<32>();
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
    let bytes = words.as_flattened();
    let mut bias_bytes = bytes;
    let mut weight_bytes = &bytes[header.bias_words() as usize * 32..];
    let mut parameters = Vec::with_capacity(header.layers().len());
    for (inputs, layer) in header.layers_with_inputs() {
        let (mine, rest) = bias_bytes.split_at(layer.biases() * layer.bias_format().bytes());
        bias_bytes = rest;
        let biases = read_biases(layer.bias_format(), mine).collect();
        let count = layer.weights(inputs);
        let weights = weight_bytes[..count].iter().map(|&w| w as i8).collect();
        weight_bytes = &weight_bytes[count.next_multiple_of(32)..];
        parameters.push(Parameters { weights, biases });
    }
    Ok(Network::new(header, parameters).expect("counts and ranges follow from the header"))
}

/// The biases in packed bytes, before their shift.
pub(crate) fn read_biases(format: Bias, bytes: &[u8]) -> impl Iterator<Item = i32> {
    bytes.chunks_exact(format.bytes()).map(|b| match *b {
        [byte] => byte as i8 as i32,
        [high, low] => i16::from_be_bytes([high, low]) as i32,
        _ => unreachable!("a bias has one or two bytes"),
    })
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

fn fill_word(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(32), 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::{Dense, Layer, Shape};
    use crate::{kernel, reference};
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
        let packed: Vec<Word> = ["word 0", "word 1", "word 2"]
            .map(|name| hex(example(name)).try_into().unwrap())
            .to_vec();
        let image = hex(example("image"));
        let logits: Vec<i32> =
            example("logits").split_whitespace().map(|n| n.parse().unwrap()).collect();

        let network = network(header.clone(), &packed).unwrap();
        assert_eq!(words(&network), packed);
        assert_eq!(reference::forward(&network, &image).unwrap(), logits);
        assert_eq!(kernel::forward(&header, &mut packed.as_slice(), &image).unwrap(), logits);

        // The hidden activations are the logits of the first layer alone, requantized.
        let Layer::Dense(first) = header.layers()[0];
        let alone = Header::new(header.input(), vec![Dense { requantize: None, ..first }.into()]);
        let first_parameters = vec![network.parameters()[0].clone()];
        let alone = Network::new(alone.unwrap(), first_parameters).unwrap();
        let requantize = first.requantize.unwrap();
        let hidden: Vec<u8> = reference::forward(&alone, &image)
            .unwrap()
            .into_iter()
            .map(|acc| requantize.apply(acc))
            .collect();
        assert_eq!(hidden, hex(example("hidden")));
    }

    #[test]
    fn wrong_number_of_words_is_an_error() {
        let header = Header::parse(&hex(example("header"))).unwrap();
        let error = network(header, &[[0; 32]; 2]).unwrap_err();
        assert_eq!(error, WordCountError { got: 2, expected: 3 });
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
    fn biases_keep_their_sign() {
        let biases: Vec<i32> =
            read_biases(Bias::Int16 { shift: 0 }, &[0xff, 0xfe, 0x80, 0]).collect();
        assert_eq!(biases, [-2, -32_768]);
        let biases: Vec<i32> = read_biases(Bias::Int8 { shift: 0 }, &[0xff, 0x7f]).collect();
        assert_eq!(biases, [-1, 127]);
    }

    #[test]
    fn network_checks_counts_and_ranges() {
        use crate::NetworkError::*;
        let shape = Shape { height: 1, width: 2, channels: 1 };
        let dense = Dense::logits(1, Bias::Int8 { shift: 0 });
        let header = Header::new(shape, vec![dense.into()]).unwrap();
        let new =
            |weights, biases| Network::new(header.clone(), vec![Parameters { weights, biases }]);
        assert!(new(vec![1, 2], vec![-128]).is_ok());
        assert_eq!(new(vec![1], vec![0]), Err(WeightCount { layer: 0, got: 1, expected: 2 }));
        assert_eq!(new(vec![1, 2], vec![]), Err(BiasCount { layer: 0, got: 0, expected: 1 }));
        let range = BiasRange { layer: 0, index: 0, got: 128, min: -128, max: 127 };
        assert_eq!(new(vec![1, 2], vec![128]), Err(range));
        assert_eq!(Network::new(header.clone(), vec![]), Err(LayerCount { got: 0, expected: 1 }));
    }
}
