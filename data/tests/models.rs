//! The models of this repository are what their cards say.

use std::path::Path;

use inkling_data::{TrainedModel, mnist};
use inkling_network::{argmax, reference};

#[test]
fn shipped_models_are_as_good_as_their_cards_say() {
    let test_set = mnist::test_set().unwrap();
    let inputs = test_set.inputs().unwrap();
    for (name, words, least) in [("mlp-64", 825, 0.975), ("mlp-32-16", 425, 0.96)] {
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
        let TrainedModel { network, card } =
            TrainedModel::load(&models.join(format!("{name}.safetensors"))).unwrap();
        let correct = inputs.iter().zip(&test_set.labels).filter(|&(input, &label)| {
            argmax(&reference::forward(&network, input).unwrap()) == usize::from(label)
        });
        assert_eq!(correct.count() as f64 / 10_000.0, card.test_accuracy, "{name}");
        assert!(card.test_accuracy >= least, "{name}: {}", card.test_accuracy);
        assert_eq!(card.name, name);
        assert_eq!(network.header().word_count(), words);

        let page = std::fs::read_to_string(models.join(format!("{name}.md"))).unwrap();
        assert!(page.contains(&format!("{:.2} % of 10000 images", 100.0 * card.test_accuracy)));
        assert!(page.contains(&card.command));
    }
}
