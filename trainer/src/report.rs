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
            numbers(stage.layer),
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
    match stage.layer {
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
