//! The card in Markdown, which lies beside the trained file.

use std::fmt::Write;

use inkling_data::TrainedModel;
use inkling_data::model::Run;
use inkling_network::header::Stage;
use inkling_network::layer::Stored;
use inkling_network::{Bias, Groups, Header, Layer, Multipliers, Requantize, Weights};

/// Mean and sample deviation; the deviation of a single value is 0.
pub fn mean_and_deviation(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let count = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / count.max(1.0);
    let squares: f64 = values.map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0).max(1.0)).sqrt())
}

/// The index of the median by validation accuracy, of two in the middle the worse one; of equal runs the first seeds
/// come first. `None` of no runs.
pub fn median(runs: &[Run]) -> Option<usize> {
    let mut order: Vec<usize> = (0..runs.len()).collect();
    order.sort_by(|&a, &b| runs[a].validation_accuracy.total_cmp(&runs[b].validation_accuracy));
    order.get(runs.len().checked_sub(1)? / 2).copied()
}

/// The card as a page: how good the network is, what its integers look like, and how to make it again.
///
/// `wall_seconds` are those of each run, in their order. They are not part of the trained file, so that the same command
/// gives the same bytes.
pub fn markdown(model: &TrainedModel, wall_seconds: &[f64], threads: usize) -> String {
    let (card, header) = (&model.card, model.network.header());
    let mut page = String::new();
    // Writing to a String cannot fail.
    let _ = write!(
        page,
        "# {name}\n\n\
         An integer network for {data} images of 20×20 pixels.\n\n\
         | | |\n|---|---|\n\
         | test accuracy | {test:.2} % of {test_samples} images |\n\
         | validation accuracy | {validation:.2} % of {validation_samples} images |\n\
         | training images | {training_samples}, sha256 of the set `{sha256}` |\n\
         | epochs | {epochs}, best on validation after {best} |\n\
         | seed | {seed} |\n\
         | parameters | {bits} bits, {words} words of 32 bytes |\n\
         | multiply-adds | {multiply_adds} |\n\
         | trainer | inkling-trainer {version} |\n\n\
         Accuracies are those of the integers. The checkpoint was chosen on the validation images.\n\n",
        name = card.name,
        data = card.data,
        test = 100.0 * card.test_accuracy,
        test_samples = card.test_samples,
        validation = 100.0 * card.validation_accuracy,
        validation_samples = card.validation_samples,
        training_samples = card.training_samples,
        sha256 = card.data_sha256,
        epochs = card.epochs,
        best = card.best_epoch,
        seed = card.seed,
        bits = parameter_bits(header),
        words = header.word_count(),
        multiply_adds = header.multiply_adds(),
        version = card.trainer_version,
    );
    runs(&mut page, card.seed, &card.runs, wall_seconds, threads);
    let _ = write!(
        page,
        "| layer | | output | weight bits | bias bits << shift | multiplier >> shift | activation bits |\n\
         |---|---|---|---|---|---|---|\n"
    );
    for (k, stage) in header.stages().iter().enumerate() {
        let (height, width) = (stage.output.height, stage.output.width);
        let _ = writeln!(
            page,
            "| {k} | {} | {}×{height}×{width} | {} |",
            kind(stage),
            stage.output.channels,
            numbers(stage.layer()),
        );
    }
    let _ = write!(page, "\nMade by\n\n```sh\n{}\n```\n", card.command);
    page
}

/// Bits of all biases, multipliers and weights, without what fills words.
pub fn parameter_bits(header: &Header) -> usize {
    let bits = |stored: Stored| {
        let each = (stored.bias.bits() + stored.multiplier_bits) as usize;
        stored.weight_bits() + stored.outputs * each
    };
    header.stored().map(bits).sum()
}

/// The table of all seeds.
fn runs(page: &mut String, shipped: u64, runs: &[Run], wall_seconds: &[f64], threads: usize) {
    let _ = write!(page, "| seed | validation | test | wall time |\n|---|---|---|---|\n");
    for (run, seconds) in runs.iter().zip(wall_seconds) {
        let _ = writeln!(
            page,
            "| {}{} | {:.2} % | {:.2} % | {seconds:.0} s |",
            run.seed,
            if run.seed == shipped && runs.len() > 1 { " (this one, the median)" } else { "" },
            100.0 * run.validation_accuracy,
            100.0 * run.test_accuracy,
        );
    }
    if runs.len() > 1 {
        let percent = |value: fn(&Run) -> f64| {
            let (mean, deviation) = mean_and_deviation(runs.iter().map(value));
            format!("{:.2} ± {:.2} %", 100.0 * mean, 100.0 * deviation)
        };
        let _ = writeln!(
            page,
            "| mean ± deviation | {} | {} | |",
            percent(|run| run.validation_accuracy),
            percent(|run| run.test_accuracy)
        );
    }
    let threads = if threads == 1 {
        "one thread".into()
    } else {
        format!("{threads} runs at a time, one thread each")
    };
    let _ = writeln!(page, "\nWall times: {threads}.\n");
}

/// What a layer is.
fn kind(stage: &Stage) -> String {
    match stage.layer() {
        Layer::Dense(dense) if dense.requantize.residual => "dense, residual".into(),
        Layer::Dense(_) => "dense".into(),
        Layer::Conv(conv) => {
            let mut text = format!("convolution {0}×{0}", conv.kernel);
            if conv.stride > 1 {
                let _ = write!(text, ", stride {}", conv.stride);
            }
            match conv.groups {
                Groups::Count(1) => {}
                Groups::Count(groups) => {
                    let _ = write!(text, ", {groups} groups");
                }
                Groups::Depthwise => text.push_str(", depthwise"),
            }
            if conv.requantize.residual {
                text.push_str(", residual");
            }
            text
        }
        Layer::MaxPool { size } => format!("largest of {size}×{size}"),
        Layer::SumPool { size, shift: 0 } => format!("sum of {size}×{size}"),
        Layer::SumPool { size, shift } => format!("sum of {size}×{size} >> {shift}"),
        Layer::Again { layer } => format!("layer {layer} again"),
        Layer::Logits(_) => "logits".into(),
    }
}

/// The columns of a layer's numbers.
fn numbers(layer: Layer) -> String {
    let (weights, bias, requantize) = match layer {
        Layer::Dense(dense) => (dense.weights, dense.bias, Some(dense.requantize)),
        Layer::Conv(conv) => (conv.weights, conv.bias, Some(conv.requantize)),
        Layer::Logits(logits) => (logits.weights, logits.bias, None),
        _ => return "– | – | – | –".into(),
    };
    let weight_bits = match weights {
        Weights::Ternary => "1.6".into(),
        other => other.bits(1).to_string(),
    };
    let Bias { shift, .. } = bias;
    let bias = format!("{} << {shift}", bias.bits());
    let (scale, activations) = match requantize {
        Some(Requantize { multipliers, shift, bits, .. }) => {
            let multiplier = match multipliers {
                Multipliers::Layer(multiplier) => multiplier.to_string(),
                each => format!("{} bits each", each.bits()),
            };
            (format!("{multiplier} >> {shift}"), bits.to_string())
        }
        None => ("–".into(), "–".into()),
    };
    format!("{weight_bits} | {bias} | {scale} | {activations}")
}

#[cfg(test)]
mod tests {
    use inkling_data::Card;
    use inkling_network::{BiasWidth, Conv, Dense, Input, Logits, Network, Parameters, Shape};

    use super::*;

    fn run(seed: u64, validation_accuracy: f64) -> Run {
        Run { seed, validation_accuracy, test_accuracy: validation_accuracy - 0.01 }
    }

    #[test]
    fn mean_deviation_and_median() {
        let (mean, deviation) = mean_and_deviation([0.9, 0.92, 0.97].into_iter());
        assert!((mean - 0.93).abs() < 1e-12 && (deviation - 0.036_055_5).abs() < 1e-6);
        assert_eq!(mean_and_deviation([0.9].into_iter()), (0.9, 0.0));
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[run(1, 0.9)]), Some(0));
        assert_eq!(median(&[run(1, 0.9), run(2, 0.8)]), Some(1));
        assert_eq!(median(&[run(1, 0.9), run(2, 0.99), run(3, 0.95)]), Some(2));
        assert_eq!(median(&[run(1, 0.9), run(2, 0.9), run(3, 0.9)]), Some(1));
    }

    #[test]
    fn says_what_the_network_is() {
        let bias = Bias { width: BiasWidth::Bits8, shift: 3 };
        let requantize =
            Requantize { multipliers: Multipliers::Each4, shift: 9, bits: 6, residual: false };
        let (kernel, stride, padding, groups) = (3, 2, 1, Groups::Depthwise);
        let weights = Weights::Ternary;
        let conv = Conv { outputs: 2, kernel, stride, padding, groups, weights, bias, requantize };
        let multipliers = Multipliers::Layer(40_000);
        let requantize = Requantize { multipliers, shift: 20, bits: 7, residual: true };
        let dense = Dense { outputs: 2, weights: Weights::Int8, bias, requantize };
        let shape = Shape { channels: 1, height: 8, width: 8 };
        let layers = [
            conv.into(),
            Layer::SumPool { size: 4, shift: 2 },
            dense.into(),
            Logits { classes: 3, weights: Weights::Binary, bias }.into(),
        ];
        let header = Header::new(Input { shape, crop: 0, bits: 8 }, &layers).unwrap();
        let parameters =
            [(18, 2, 2), (4, 2, 0), (6, 3, 0)].map(|(weights, outputs, multipliers)| Parameters {
                weights: vec![1; weights],
                biases: vec![0; outputs],
                multipliers: vec![1; multipliers],
            });
        let card = Card {
            name: "tiny".into(),
            command: "inkling-train tiny.toml".into(),
            trainer_version: "0.1.0".into(),
            seed: 7,
            data: "mnist".into(),
            data_sha256: "c5".into(),
            training_samples: 100,
            validation_samples: 10,
            test_samples: 20,
            epochs: 3,
            best_epoch: 2,
            validation_accuracy: 0.9,
            test_accuracy: 0.85,
            runs: vec![run(6, 0.8), run(7, 0.9), run(8, 1.0)],
        };
        let network = Network::new(header, parameters.into()).unwrap();
        // Weights 4 bytes of five ternary, 4 of 8 bits and 6 of one; 7 biases of 8 bits; 2 multipliers of 4.
        assert_eq!(parameter_bits(network.header()), 32 + 32 + 6 + 56 + 8);
        let page = markdown(&TrainedModel { network, card }, &[9.0, 12.3, 11.0], 2);
        for line in [
            "# tiny",
            "| test accuracy | 85.00 % of 20 images |",
            "| epochs | 3, best on validation after 2 |",
            "| parameters | 134 bits, 1 words of 32 bytes |",
            "| 6 | 80.00 % | 79.00 % | 9 s |",
            "| 7 (this one, the median) | 90.00 % | 89.00 % | 12 s |",
            "| mean ± deviation | 90.00 ± 10.00 % | 89.00 ± 10.00 % | |",
            "Wall times: 2 runs at a time, one thread each.",
            "| 0 | convolution 3×3, stride 2, depthwise | 2×4×4 | 1.6 | 8 << 3 | 4 bits each >> 9 | 6 |",
            "| 1 | sum of 4×4 >> 2 | 2×1×1 | – | – | – | – |",
            "| 2 | dense, residual | 2×1×1 | 8 | 8 << 3 | 40000 >> 20 | 7 |",
            "| 3 | logits | 3×1×1 | 1 | 8 << 3 | – | – |",
            "inkling-train tiny.toml",
        ] {
            assert!(page.lines().any(|l| l == line), "{line}\n{page}");
        }
    }
}
