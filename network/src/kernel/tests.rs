//! The kernel against the reference, over random networks.
//!
//! The kernel reads and writes memory unchecked. `make miri` runs these tests under Miri, which checks every access and
//! arithmetic overflow, on fewer and smaller networks; what it would take too long for is ignored there.

use super::*;
use crate::layer::{
    Bias, BiasWidth, Conv, Dense, Groups, Layer, Logits, Multipliers, Requantize, Shape,
};
use crate::{pack, reference};
use alloc::vec;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Random networks, how many and how large: Miri is thousands of times slower.
const CASES: u32 = if cfg!(miri) { 4 } else { 1_000 };
const MAX_SIDE: u16 = if cfg!(miri) { 7 } else { 20 };
const MAX_WORDS: u32 = if cfg!(miri) { 20 } else { 600 };
const MAX_MULTIPLY_ADDS: usize = if cfg!(miri) { 8_000 } else { 2_000_000 };

fn bias() -> impl Strategy<Value = Bias> {
    let width = select(vec![BiasWidth::Bits4, BiasWidth::Bits8, BiasWidth::Bits16]);
    (width, prop_oneof![0..=6u8, 0..=23u8]).prop_map(|(width, shift)| Bias { width, shift })
}

fn requantize() -> impl Strategy<Value = Requantize> {
    let multipliers = prop_oneof![
        (1..=u16::MAX).prop_map(Multipliers::Layer),
        (1..=20u16).prop_map(Multipliers::Layer),
        Just(Multipliers::Each4),
        Just(Multipliers::Each8),
    ];
    (multipliers, prop_oneof![1..=16u8, 1..=47u8], 1..=8u8, any::<bool>()).prop_map(
        |(multipliers, shift, bits, residual)| Requantize { multipliers, shift, bits, residual },
    )
}

/// A layer, which may not fit where it stands.
fn layer() -> impl Strategy<Value = Layer> {
    let weights = || select(Weights::ALL.to_vec());
    let dense = (1..=40u16, weights(), bias(), requantize()).prop_map(
        |(outputs, weights, bias, requantize)| Dense { outputs, weights, bias, requantize }.into(),
    );
    let side = prop_oneof![3 => Just((3, 1)), 2 => (1..=5u8, 1..=3u8), 1 => (1..=15u8, 1..=15u8)];
    let groups = prop_oneof![
        3 => Just(Groups::Count(1)),
        1 => (2..=4u8).prop_map(Groups::Count),
        1 => Just(Groups::Depthwise),
    ];
    let outputs = || prop_oneof![1..=13u8, select(vec![4u8, 8, 12, 16])];
    let conv = (outputs(), side, 0..=14u8, groups, weights(), bias(), requantize()).prop_map(
        |(outputs, (kernel, stride), padding, groups, weights, bias, requantize)| {
            let padding = if padding % 3 == 0 { (kernel - 1) / 2 } else { padding % kernel };
            Conv { outputs, kernel, stride, padding, groups, weights, bias, requantize }.into()
        },
    );
    // As networks are in practice: 16-bit lanes, no scale above 1.
    let small =
        (outputs(), select(Weights::ALL[..5].to_vec()), 0..=3u8, 8..=14u8, 1..=6u8, any::<bool>());
    let small = small.prop_map(|(outputs, weights, bias_shift, shift, bits, residual)| {
        let bias = Bias { width: BiasWidth::Bits8, shift: bias_shift };
        let multipliers = if bits % 2 == 0 { Multipliers::Each4 } else { Multipliers::Each8 };
        let requantize = Requantize { multipliers, shift, bits, residual };
        let groups = Groups::Count(1);
        Conv { outputs, kernel: 3, stride: 1, padding: 1, groups, weights, bias, requantize }.into()
    });
    let max_pool = prop_oneof![3 => Just(2u8), 1 => 2..=4u8];
    prop_oneof![
        6 => conv,
        6 => small,
        1 => dense,
        4 => max_pool.prop_map(|size| Layer::MaxPool { size }),
        1 => (2..=4u8, 0..=8u8).prop_map(|(size, shift)| Layer::SumPool { size, shift }),
        1 => (0..=3u8).prop_map(|layer| Layer::Again { layer }),
    ]
}

/// The layer as it may also be, the likelier to fit: with as many planes as come in, not residual, in one group.
fn variants(layer: Layer, channels: u16) -> Vec<Layer> {
    match layer {
        Layer::Conv(conv) if conv.requantize.residual => {
            let plain = Requantize { residual: false, ..conv.requantize };
            let same =
                Conv { outputs: channels as u8, padding: (conv.kernel - 1) / 2, stride: 1, ..conv };
            let groups = Groups::Count(1);
            vec![
                same.into(),
                Conv { groups, ..same }.into(),
                Conv { requantize: plain, ..conv }.into(),
                Conv { requantize: plain, groups, ..conv }.into(),
            ]
        }
        Layer::Conv(conv) => vec![conv.into(), Conv { groups: Groups::Count(1), ..conv }.into()],
        Layer::Dense(dense) if dense.requantize.residual => {
            let plain = Requantize { residual: false, ..dense.requantize };
            vec![
                Dense { outputs: channels, ..dense }.into(),
                Dense { requantize: plain, ..dense }.into(),
            ]
        }
        layer => vec![layer],
    }
}

/// A header of those of the layers that fit.
fn fitting(input: Input, layers: &[Layer], logits: Logits) -> Option<Header> {
    let mut kept = vec![];
    let mut header = Header::new(input, &[logits.into()]).ok()?;
    for layer in layers {
        let channels = header.stages().last()?.input.channels;
        for layer in variants(*layer, channels) {
            let mut more: Vec<Layer> = kept.clone();
            more.extend([layer, logits.into()]);
            let Ok(fits) = Header::new(input, &more) else { continue };
            if fits.word_count() <= MAX_WORDS && fits.multiply_adds() < MAX_MULTIPLY_ADDS {
                more.pop();
                (kept, header) = (more, fits);
                break;
            }
        }
    }
    Some(header)
}

fn header() -> impl Strategy<Value = Header> {
    let side = || prop_oneof![1..=MAX_SIDE, select(vec![8, MAX_SIDE.min(16)])];
    let shape = (1..=3u16, side(), side()).prop_map(|(channels, height, width)| Shape {
        channels,
        height,
        width,
    });
    let input =
        (shape, 0..=3u8, 1..=8u8).prop_map(|(shape, crop, bits)| Input { shape, crop, bits });
    let logits = (1..=20u8, select(Weights::ALL.to_vec()), bias())
        .prop_map(|(classes, weights, bias)| Logits { classes, weights, bias });
    (input, vec(layer(), 0..7), logits)
        .prop_filter_map("the input or the logits", |(input, layers, logits)| {
            fitting(input, &layers, logits)
        })
}

/// A network of words that are any bits, and images, zeros frequent in both.
fn case() -> impl Strategy<Value = (Header, Vec<Word>, Vec<Vec<u8>>)> {
    header().prop_flat_map(|header| {
        let byte = prop_oneof![any::<u8>(), select(vec![0u8, 0xff, 0x80, 0x7f, 0x88, 0x77])];
        let bytes = vec(byte, header.word_count() as usize * 32);
        let words = bytes.prop_map(|bytes| bytes.as_chunks::<32>().0.to_vec());
        let pixel = prop_oneof![Just(0u8), any::<u8>(), Just(255)];
        let images = vec(vec(pixel, header.image_len()), 2);
        (Just(header), words, images)
    })
}

/// Counts how often each word is read.
struct Counting<'a>(&'a [Word], Vec<u32>);

impl WordSource for Counting<'_> {
    fn read(&mut self, index: u32, to: &mut Word) {
        self.1[index as usize] += 1;
        *to = self.0[index as usize];
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn equals_the_reference((header, words, images) in case()) {
        let network = pack::network(header.clone(), &words).unwrap();
        let mut source = Counting(&words, vec![0; words.len()]);
        let mut model = Model::load(header.clone(), &mut source);
        let head = header.head_words() as usize;
        prop_assert!(source.1[..head].iter().all(|reads| *reads == 1));
        prop_assert!(source.1[head..].iter().all(|reads| *reads == 0));
        for image in images {
            source.1.fill(0);
            let logits = model.forward(&mut source, &image).unwrap();
            prop_assert_eq!(logits, reference::forward(&network, &image).unwrap());
            prop_assert!(source.1[..head].iter().all(|reads| *reads == 0));
            prop_assert!(source.1[head..].iter().all(|reads| *reads <= 1));
        }
    }
}

/// A network of one convolution and logits, all of whose bytes are the same.
fn extreme(conv: Conv, input: Input, words: u8) -> (Header, Vec<Word>) {
    let bias = Bias { width: BiasWidth::Bits4, shift: 0 };
    let logits = Logits { classes: 2, weights: Weights::Int8, bias };
    let header = Header::new(input, &[conv.into(), logits.into()]).unwrap();
    let words = vec![[words; 32]; header.word_count() as usize];
    (header, words)
}

fn assert_equal(header: &Header, words: &[Word], image: &[u8]) {
    let network = pack::network(header.clone(), words).unwrap();
    let mut source = words;
    let mut model = Model::load(header.clone(), &mut source);
    let logits = model.forward(&mut source, image).unwrap();
    assert_eq!(logits, reference::forward(&network, image).unwrap());
}

/// Accumulators at both ends of a 16-bit lane, and just past them, where 32-bit lanes have to serve.
#[test]
fn accumulators_at_the_ends_of_their_lanes() {
    let shape = Shape { channels: 1, height: 5, width: 7 };
    let multipliers = Multipliers::Layer(1);
    for bits in (1..=8).step_by(if cfg!(miri) { 7 } else { 1 }) {
        let requantize = Requantize { multipliers, shift: 16 - bits, bits, residual: false };
        for (input_bits, bias_shift, wide) in [(8, 6, false), (8, 7, true), (7, 7, false)] {
            // 9 · 255 · 8 is 18,360, 9 · 127 · 8 is 9,144, and the biases are up to 8,192 and 16,384.
            let conv = Conv {
                outputs: 5,
                kernel: 3,
                stride: 1,
                padding: 1,
                groups: Groups::Count(1),
                weights: Weights::Int4,
                bias: Bias { width: BiasWidth::Bits8, shift: bias_shift },
                requantize,
            };
            let input = Input { shape, crop: 0, bits: input_bits };
            // All −8 (biases −120 or −128), all 7 (119), all 0, and all −1.
            for byte in [0x88, 0x77, 0x80, 0x7f, 0x00, 0xff] {
                let (header, words) = extreme(conv, input, byte);
                let mut source = words.as_slice();
                assert_eq!(Model::load(header.clone(), &mut source).parameters[0].wide, wide);
                assert_equal(&header, &words, &[255; 35]);
                assert_equal(&header, &words, &[0; 35]);
            }
        }
    }
}

/// The largest sums that a dense layer can have: 65,025 inputs of 255, weights −128 and 127.
#[test]
#[cfg_attr(miri, ignore = "195,075 weights take Miri too long")]
fn sums_at_the_ends_of_32_bits() {
    let input = Input { shape: Shape { channels: 1, height: 255, width: 255 }, crop: 0, bits: 8 };
    let bias = Bias { width: BiasWidth::Bits16, shift: 9 };
    let logits = Logits { classes: 3, weights: Weights::Int8, bias };
    let header = Header::new(input, &[logits.into()]).unwrap();
    // The biases −32,768, 32,767 and −1; then weights −128, 127 and −1 in turn.
    let mut words = vec![[0x80, 0, 0x7f, 0xff, 0xff, 0xff].to_vec()];
    words[0].resize(32, 0);
    let weights: Vec<u8> = [0x80, 0x7f, 0xff].into_iter().cycle().take(3 * 65_025).collect();
    words.extend(weights.chunks(32).map(|chunk| {
        let mut word = chunk.to_vec();
        word.resize(32, 0);
        word
    }));
    let words: Vec<Word> = words.into_iter().map(|word| word.try_into().unwrap()).collect();
    let mut source = words.as_slice();
    let mut model = Model::load(header.clone(), &mut source);
    let logits = model.forward(&mut source, &[255; 65_025]).unwrap();
    assert_eq!(logits[0], -(65_025 * 255 * 128) - (32_768 << 9));
    assert_eq!(logits[1], 65_025 * 255 * 127 + (32_767 << 9));
    assert_eq!(logits[2], -65_025 * 255 - (1 << 9));
}

/// 64 outputs of four bits: an input is a word, and it is not read where the input is zero.
#[test]
fn zeros_cost_no_words() {
    let input = Input { shape: Shape { channels: 1, height: 4, width: 5 }, crop: 0, bits: 2 };
    let bias = Bias { width: BiasWidth::Bits8, shift: 0 };
    let multipliers = Multipliers::Layer(1);
    let requantize = Requantize { multipliers, shift: 1, bits: 8, residual: false };
    let dense = crate::Dense { outputs: 64, weights: Weights::Int4, bias, requantize };
    let logits = Logits { classes: 10, weights: Weights::Int4, bias };
    let header = Header::new(input, &[dense.into(), logits.into()]).unwrap();
    let head = header.head_words() as usize;
    let words = vec![[0x31; 32]; header.word_count() as usize];
    assert_eq!(words.len(), head + 20);
    let mut source = Counting(&words, vec![0; words.len()]);
    let mut model = Model::load(header.clone(), &mut source);
    source.1.fill(0);
    // The two low bits of input are of a pixel's highest: 63 is 0.
    let mut image = [0; 20];
    (image[3], image[4], image[19]) = (63, 64, 255);
    for _ in 0..2 {
        model.forward(&mut source, &image).unwrap();
    }
    let mut want = vec![0; words.len()];
    (want[head + 4], want[head + 19]) = (2, 2);
    assert_eq!(source.1, want);
}

#[test]
fn a_wrong_image_length_is_an_error() {
    let input = Input { shape: Shape { channels: 2, height: 1, width: 2 }, crop: 0, bits: 8 };
    let bias = Bias { width: BiasWidth::Bits8, shift: 0 };
    let logits = Logits { classes: 1, weights: Weights::Binary, bias };
    let header = Header::new(input, &[logits.into()]).unwrap();
    let words = [[0; 32]];
    let mut model = Model::load(header.clone(), &mut &words[..]);
    let result = model.forward(&mut &words[..], &[1; 3]);
    assert_eq!(result, Err(ImageLengthError { got: 3, expected: 4 }));
}

/// A convolution and the pool after it are one part.
#[test]
fn the_probe_is_told_each_part() {
    struct Parts(Vec<Part>);
    impl Probe for Parts {
        fn end(&mut self, part: Part) {
            self.0.push(part);
        }
    }
    let input = Input { shape: Shape { channels: 1, height: 4, width: 4 }, crop: 0, bits: 4 };
    let bias = Bias { width: BiasWidth::Bits4, shift: 0 };
    let requantize =
        Requantize { multipliers: Multipliers::Each4, shift: 6, bits: 4, residual: false };
    let conv = Conv {
        outputs: 2,
        kernel: 3,
        stride: 1,
        padding: 1,
        groups: Groups::Count(1),
        weights: Weights::Binary,
        bias,
        requantize,
    };
    let logits = Logits { classes: 2, weights: Weights::Binary, bias };
    let layers = [conv.into(), Layer::MaxPool { size: 2 }, logits.into()];
    let header = Header::new(input, &layers).unwrap();
    let words = [[0x5a; 32]];
    let mut parts = Parts(vec![]);
    let mut model = Model::load_probed(header.clone(), &mut &words[..], &mut parts);
    model.forward_probed(&mut &words[..], &[200; 16], &mut parts).unwrap();
    let want = [Part::Words, Part::Unpack, Part::Image, Part::Layer(0), Part::Layer(2)];
    assert_eq!(parts.0, want);
}
