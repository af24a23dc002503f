//! What a network looks like, in one line.
//!
//! After the notation of Simonyan and Zisserman ("Very Deep Convolutional Networks", 2015): `conv3-16` is a convolution
//! of 16 planes with a 3×3 kernel. `dw3-16` is depthwise, `conv3-16/2` has stride 2, `+` stands for a residual layer,
//! `again` for an earlier convolution once more; a number alone is a dense layer of so many outputs.

use inkling_network::{Conv, Dense, Groups, Header, Layer, Logits, Stage};

/// Input and layers, as in `400→64→10` or `16×16→conv3-8→max2→10`.
pub fn network(header: &Header) -> String {
    let input = header.input().cropped();
    let spatial = header.stages().iter().any(|stage| !is_dense(stage.layer()));
    let input = match (spatial, input.channels) {
        (false, _) => input.len().to_string(),
        (true, 1) => format!("{}×{}", input.height, input.width),
        (true, channels) => format!("{channels}×{}×{}", input.height, input.width),
    };
    let layers = header.stages().iter().map(layer);
    std::iter::once(input).chain(layers).collect::<Vec<_>>().join("→")
}

/// One layer, as in `conv3-8`.
pub fn layer(stage: &Stage) -> String {
    match stage.layer() {
        Layer::Dense(Dense { outputs, requantize, .. }) => {
            format!("{outputs}{}", plus(requantize.residual))
        }
        Layer::Logits(Logits { classes, .. }) => classes.to_string(),
        Layer::Conv(Conv { outputs, kernel, stride, groups, requantize, .. }) => {
            let name = if groups == Groups::Depthwise { "dw" } else { "conv" };
            let stride = if stride > 1 { format!("/{stride}") } else { String::new() };
            let groups = match groups {
                Groups::Count(2..) => format!("g{}", conv_groups(groups)),
                _ => String::new(),
            };
            format!("{name}{kernel}-{outputs}{groups}{stride}{}", plus(requantize.residual))
        }
        Layer::MaxPool { size } => format!("max{size}"),
        Layer::SumPool { size, .. } => format!("sum{size}"),
        Layer::Again { .. } => "again".into(),
    }
}

const fn is_dense(layer: Layer) -> bool {
    matches!(layer, Layer::Dense(_) | Layer::Logits(_))
}

const fn conv_groups(groups: Groups) -> u8 {
    match groups {
        Groups::Count(count) => count,
        Groups::Depthwise => 0,
    }
}

const fn plus(residual: bool) -> &'static str {
    if residual { "+" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dense_networks_are_widths() {
        // A 20×20 image, 64 outputs, 10 classes; 8-bit weights.
        let header = [0x21, 20, 20, 0x08, 0x18, 0, 64, 0xc0, 0x10, 0x10, 0, 1, 0x68, 10, 0xc0];
        let header = Header::parse_prefix(&header).unwrap();
        assert_eq!(network(&header), "400→64→10");
    }

    #[test]
    fn convolutions_have_kernels_and_planes() {
        let layers = [
            // 20×20 without a border of 2; four bits a pixel
            &[0x21, 20, 20, 0x24][..],
            // 3×3, 8 planes, padding 1; activations of 4 bits, a multiplier of 4 bits for each plane
            &[0x24, 8, 0x31, 0x10, 0x80, 0x48, 0x05],
            // the same, residual
            &[0x24, 8, 0x31, 0x10, 0x80, 0x68, 0x05],
            &[0x32],
            // 3×3 depthwise, stride 2
            &[0x24, 8, 0x32, 0x1f, 0x80, 0x48, 0x05],
            &[0x51],
            // 2 groups, 4 planes
            &[0x24, 4, 0x11, 0x01, 0x80, 0x48, 0x05],
            &[0x42, 2],
            &[0x64, 10, 0x80],
        ];
        let header = Header::parse(&layers.concat()).unwrap();
        let expected = "16×16→conv3-8→conv3-8+→max2→dw3-8/2→again→conv1-4g2→sum2→10";
        assert_eq!(network(&header), expected);
    }
}
