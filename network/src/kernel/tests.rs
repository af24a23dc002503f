//! The kernel against the reference, over random networks.

use super::*;
use crate::layer::{Bias, BiasWidth, Conv, Groups, Logits, Multipliers, Requantize, Shape};
use crate::{pack, reference};
use alloc::vec;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

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
    let outputs = prop_oneof![1..=13u8, select(vec![4u8, 8, 12, 16])];
    let conv = (outputs, side, 0..=14u8, groups, weights(), bias(), requantize()).prop_map(
        |(outputs, (kernel, stride), padding, groups, weights, bias, requantize)| {
            let padding = if padding % 3 == 0 { (kernel - 1) / 2 } else { padding % kernel };
            Conv { outputs, kernel, stride, padding, groups, weights, bias, requantize }.into()
        },
    );
    let max_pool = prop_oneof![3 => Just(2u8), 1 => 2..=4u8];
    prop_oneof![
        6 => conv,
        1 => dense,
        2 => max_pool.prop_map(|size| Layer::MaxPool { size }),
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
            if fits.word_count() <= 600 && fits.multiply_adds() < 2_000_000 {
                more.pop();
                (kept, header) = (more, fits);
                break;
            }
        }
    }
    Some(header)
}

fn header() -> impl Strategy<Value = Header> {
    let side = || prop_oneof![1..=20u16, select(vec![8u16, 16])];
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
    fn word(&mut self, index: u32) -> Word {
        self.1[index as usize] += 1;
        self.0[index as usize]
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 1_000 }))]

    #[test]
    fn equals_the_reference((header, words, images) in case()) {
        let network = pack::network(header.clone(), &words).unwrap();
        let mut source = Counting(&words, vec![0; words.len()]);
        let mut model = Model::load(&header, &mut source);
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
