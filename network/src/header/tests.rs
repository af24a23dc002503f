//! Headers, field by field, and as any bytes.

use super::*;
use proptest::prelude::*;

/// 20×20, cropped to 16×16 of 4 bits; a convolution; a residual one, pooled, once more; a dense layer; logits.
const NET: [u8; 31] = [
    0x21, 20, 20, 0x24, // preamble
    0x24, 8, 0x31, 0x10, 0x83, 0x48,
    0x0a, // 8 planes, 3×3, padding 1, biases << 3, 4-bit m, a = 4, >> 10
    0x22, 8, 0x31, 0x10, 0x41, 0xa8,
    0x07, // residual, 2-bit weights, 4-bit biases << 1, 8-bit m
    0x32, 0x51, // max pool, the second layer again
    0x15, 0x00, 0x06, 0xc0, 0x08, 0x07, 0x12, 0x34, // 6 outputs, ternary, · 0x1234 >> 7
    0x64, 10, 0x80, // 10 classes, 4-bit weights
];

#[test]
fn parses_and_writes_back() {
    let header = Header::parse(&NET).unwrap();
    assert_eq!(header.to_bytes(), NET);
    let plane = |side| Shape { channels: 8, height: side, width: side };
    let shapes: Vec<Shape> = header.stages().iter().map(|stage| stage.output).collect();
    let flat = |channels| Shape { channels, height: 1, width: 1 };
    assert_eq!(shapes, [plane(16), plane(16), plane(8), plane(8), flat(6), flat(10)]);
    let requantize =
        Requantize { multipliers: Multipliers::Each8, shift: 7, bits: 4, residual: true };
    let conv = Conv {
        outputs: 8,
        kernel: 3,
        stride: 1,
        padding: 1,
        groups: Groups::Count(1),
        weights: Weights::Int2,
        bias: Bias { width: BiasWidth::Bits4, shift: 1 },
        requantize,
    };
    assert_eq!(header.stages()[1].layer(), conv.into());
    assert_eq!(header.stages()[3].layer(), Layer::Again { layer: 1 });
    assert_eq!(header.stages()[3].computed(), conv.into());
    assert_eq!((header.stages()[3].parameters, header.stages()[4].parameters), (Some(1), Some(2)));
    // conv: 8 · 12 + 72 · 4; conv: 8 · 12 + 576 · 2; dense: 6 · 16 + 615 bytes (streamed: 20 words); 10 · 8 + 60 · 4.
    assert_eq!(header.head_words(), (384u32 + 1_248 + 96 + 320).div_ceil(256));
    assert_eq!(header.word_count(), 8 + 20);
    let layers: Vec<Layer> = header.stages().iter().map(Stage::layer).collect();
    assert_eq!(Header::new(header.input(), &layers).unwrap(), header);
    // 256 · 8 · 9 + 256 · 8 · 72 + 64 · 8 · 72 + 512 · 6 + 60
    assert_eq!(header.multiply_adds(), 18_432 + 147_456 + 36_864 + 3_072 + 60);
}

#[test]
fn every_rule_names_its_field() {
    use HeaderRule::*;
    let cases: [(usize, u8, u16, HeaderRule); 39] = [
        (0, 0x11, 0, Version),
        (0, 0x20, 0, InputShape),
        (1, 0, 1, InputShape),
        (2, 0, 2, InputShape),
        (3, 0xa4, 3, InputCut),
        (3, 0x20, 3, InputCut),
        (3, 0x29, 3, InputCut),
        (4, 0x04, 4, LayerKind),
        (4, 0x84, 4, LayerKind),
        (4, 0x20, 4, WeightFormat),
        (4, 0x26, 4, WeightFormat),
        (5, 0, 5, Outputs),
        (6, 0x01, 6, Kernel),
        (6, 0x30, 6, Kernel),
        (7, 0x30, 7, Padding),
        (7, 0x11, 4, Groups),
        (8, 0x03, 8, BiasFormat),
        (8, 0x98, 8, BiasFormat),
        (8, 0xa0, 8, BiasFormat),
        (9, 0xc8, 9, Requantization),
        (9, 0x40, 9, Requantization),
        (9, 0x52, 9, Requantization),
        (9, 0x49, 9, Requantization),
        (10, 0x4a, 9, Requantization),
        (10, 0x00, 9, Requantization),
        (10, 0x30, 9, Requantization),
        (9, 0x68, 4, Residual),
        (18, 0x31, 18, Pool),
        (18, 0x30, 18, Pool),
        (18, 0x71, 18, Pool),
        (19, 0x54, 19, Again),
        (19, 0x52, 19, Again),
        (19, 0x50, 19, Again),
        (22, 0, 21, Outputs),
        (21, 0x11, 21, Outputs),
        (20, 0x16, 20, WeightFormat),
        (23, 0x20, 23, BiasFormat),
        (29, 0, 29, Outputs),
        (28, 0x60, 28, WeightFormat),
    ];
    for (index, byte, offset, rule) in cases {
        let mut bytes = NET.to_vec();
        bytes[index] = byte;
        let got = Header::parse(&bytes).unwrap_err();
        assert_eq!((got.offset, got.rule), (offset, rule), "byte {index} = {byte:#x}");
    }
    let with = |edit: fn(&mut Vec<u8>)| {
        let mut bytes = NET.to_vec();
        edit(&mut bytes);
        let HeaderError { offset, rule } = Header::parse(&bytes).unwrap_err();
        (offset, rule)
    };
    assert_eq!(with(|b| b.push(0)), (31, TrailingBytes));
    assert_eq!(with(|b| b.resize(256, 0)), (255, TooLong));
    assert_eq!(with(|b| b.truncate(3)), (3, Truncated));
    assert_eq!(with(|b| b.truncate(4)), (4, Truncated));
    assert_eq!(with(|b| b.truncate(10)), (10, Truncated));
    assert_eq!(with(|b| b.truncate(28)), (28, Truncated));
    assert_eq!(with(|b| (b[26], b[27]) = (0, 0)), (26, Multiplier));
    assert_eq!(with(|b| (b[0], b[1], b[2]) = (0x22, 255, 255)), (2, InputShape));
    // A kernel of 15 without padding has no room in 8×8.
    assert_eq!(
        with(|b| b.splice(20..20, [0x22, 8, 0xf1, 0, 0x41, 0x48, 7]).for_each(drop)),
        (20, OutputShape)
    );
    // 2² · 15 fits, 8² · 15 = 960 does not, and 960 >> 2 = 240 does.
    assert_eq!(with(|b| b.insert(20, 0x78)), (20, SumRange));
    let mut fits = NET.to_vec();
    fits.splice(20..20, [0x48, 2]);
    assert!(Header::parse(&fits).is_ok());
    assert_eq!(with(|b| b.splice(20..20, [0x42, 9]).for_each(drop)), (21, Pool));
    assert_eq!(with(|b| b.splice(20..20, [0x42, 0]).for_each(drop)), (21, Pool));
    // 65,025 · 255 · 128 + (32,768 << 10) does not fit 31 bits; << 9 does.
    let large = |shift: u8| Header::parse(&[0x21, 255, 255, 0x08, 0x68, 8, 0xc0 | shift]);
    assert_eq!(large(10).unwrap_err(), error(4, Overflow));
    assert!(large(9).is_ok());
    let mut many = NET[..4].to_vec();
    many.extend([0x22, 1, 0x11, 0, 0x40, 0x48, 1].repeat(33));
    assert_eq!(Header::parse(&many).unwrap_err(), error(4 + 7 * 32, LayerCount));
}

#[test]
fn numbers_that_do_not_fit_their_field_are_refused() {
    let shape = Shape { channels: 1, height: 4, width: 4 };
    let bias = Bias { width: BiasWidth::Bits8, shift: 0 };
    let logits = Layer::Logits(Logits { classes: 2, weights: Weights::Int4, bias });
    let input = Input { shape, crop: 0, bits: 8 };
    assert!(Header::new(input, &[logits]).is_ok());
    let wide = Input { shape: Shape { width: 260, ..shape }, ..input };
    assert_eq!(Header::new(wide, &[logits]).unwrap_err(), error(0, HeaderRule::InputShape));
    let pool = [Layer::MaxPool { size: 18 }, logits];
    assert_eq!(Header::new(input, &pool).unwrap_err(), error(4, HeaderRule::OutputShape));
}

proptest! {
    #[test]
    fn any_bytes_parse_or_fail_and_write_back(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(header) = Header::parse(&bytes) {
            prop_assert_eq!(header.to_bytes(), bytes);
        }
    }

    #[test]
    fn mutated_headers_do_not_panic(index in 0usize..31, byte: u8, cut in 0usize..32) {
        let mut bytes = NET.to_vec();
        bytes[index] = byte;
        bytes.truncate(cut);
        if let Ok(header) = Header::parse(&bytes) {
            prop_assert_eq!(header.to_bytes(), bytes);
            header.word_count();
        }
    }
}
