//! The card in Markdown, which lies beside the trained file.

use std::fmt::Write;

use inkling_data::TrainedModel;
use inkling_network::Bias;

/// The card as a page: how good the network is, what its integers look like, and how to make it again.
///
/// The wall time is not part of the trained file, so that the same command gives the same bytes.
pub fn markdown(model: &TrainedModel, wall_seconds: f64) -> String {
    let (card, header) = (&model.card, model.network.header());
    let sizes: Vec<_> = header.layers_with_inputs().map(|(inputs, _)| inputs.to_string()).collect();
    let mut page = String::new();
    // Writing to a String cannot fail.
    let _ = write!(
        page,
        "# {name}\n\n\
         A multilayer perceptron {sizes}→{classes} for MNIST digits of 20×20 pixels, {weights} weights, integers only.\n\n\
         | | |\n|---|---|\n\
         | test accuracy | {test:.2} % of {test_samples} images |\n\
         | validation accuracy | {validation:.2} % of {validation_samples} images |\n\
         | training images | {training_samples}, sha256 of the set `{data}` |\n\
         | epochs | {epochs}, best on validation after {best} |\n\
         | seed | {seed} |\n\
         | 32-byte words on a chain | {words} |\n\
         | trainer | inkling-trainer {version} |\n\
         | wall time | {wall_seconds:.0} s, one thread |\n\n\
         Accuracies are the integer network's, by the reference forward pass. The checkpoint was\n\
         chosen on the validation images.\n\n\
         | layer | inputs | outputs | weight bits | bias bits << shift | multiplier >> shift | activation bits |\n\
         |---|---|---|---|---|---|---|\n",
        name = card.name,
        sizes = sizes.join("→"),
        classes = header.classes(),
        weights = model.network.parameters().iter().map(|p| p.weights.len()).sum::<usize>(),
        test = 100.0 * card.test_accuracy,
        test_samples = card.test_samples,
        validation = 100.0 * card.validation_accuracy,
        validation_samples = card.validation_samples,
        training_samples = card.training_samples,
        data = card.data_sha256,
        epochs = card.epochs,
        best = card.best_epoch,
        seed = card.seed,
        words = header.word_count(),
        version = card.trainer_version,
    );
    for (k, (inputs, layer)) in header.layers_with_inputs().enumerate() {
        let (scale, activation) = match layer.requantize() {
            Some(r) => (format!("{} >> {}", r.multiplier, r.shift), r.bits.to_string()),
            None => ("–".into(), "–".into()),
        };
        let bias = layer.bias_format();
        let bias_bits = 8 * Bias::bytes(bias);
        let _ = writeln!(
            page,
            "| {k} | {inputs} | {} | {} | {bias_bits} << {} | {scale} | {activation} |",
            layer.outputs(),
            layer.weight_format().bits(),
            bias.shift(),
        );
    }
    let _ = write!(page, "\nMade by\n\n```sh\n{}\n```\n", card.command);
    page
}

#[cfg(test)]
mod tests {
    use inkling_data::Card;
    use inkling_network::{Dense, Header, Network, Parameters, Requantize, Shape, Weights};

    use super::*;

    #[test]
    fn says_what_the_network_is() {
        let dense = |outputs, requantize| {
            let bias = Bias::Int16 { shift: 3 };
            Dense { outputs, weights: Weights::Int8, bias, requantize }.into()
        };
        let requantize = Requantize { multiplier: 40_000, shift: 20, bits: 7 };
        let header = Header::new(
            Shape { height: 2, width: 2, channels: 1 },
            vec![dense(3, Some(requantize)), dense(2, None)],
        );
        let parameters = vec![
            Parameters { weights: vec![0; 12], biases: vec![0; 3] },
            Parameters { weights: vec![0; 6], biases: vec![0; 2] },
        ];
        let card = Card {
            name: "tiny".into(),
            command: "inkling-train tiny.toml".into(),
            trainer_version: "0.1.0".into(),
            seed: 7,
            data_sha256: "c5".into(),
            training_samples: 100,
            validation_samples: 10,
            test_samples: 20,
            epochs: 3,
            best_epoch: 2,
            validation_accuracy: 0.9,
            test_accuracy: 0.85,
            input_scale: 1.0,
            scales: vec![],
        };
        let network = Network::new(header.unwrap(), parameters).unwrap();
        let page = markdown(&TrainedModel { network, card }, 12.3);
        for line in [
            "# tiny",
            "A multilayer perceptron 4→3→2 for MNIST digits of 20×20 pixels, 18 weights, integers only.",
            "| test accuracy | 85.00 % of 20 images |",
            "| epochs | 3, best on validation after 2 |",
            "| 32-byte words on a chain | 3 |",
            "| wall time | 12 s, one thread |",
            "| 0 | 4 | 3 | 8 | 16 << 3 | 40000 >> 20 | 7 |",
            "| 1 | 3 | 2 | 8 | 16 << 3 | – | – |",
            "inkling-train tiny.toml",
        ] {
            assert!(page.lines().any(|l| l == line), "{line}\n{page}");
        }
    }
}
