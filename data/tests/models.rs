//! The models of this repository are what their cards say.

use std::{collections::BTreeMap, path::Path};

use inkling_data::{Set, TrainedModel};
use inkling_network::{argmax, kernel, pack, reference};

/// The fewest words and the least accuracy of models that must be as small and as good as this.
const BOUNDS: [(&str, u32, f64); 6] = [
    ("nano", 16, 0.98),
    ("small", 32, 0.99),
    ("large", 96, 0.993),
    ("mlp-64-q4", 8_192, 0.975),
    ("mlp-64", 825, 0.975),
    ("mlp-32-16", 425, 0.96),
];

/// The trained files, by name.
fn models() -> BTreeMap<String, TrainedModel> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
    let files = folder.read_dir().unwrap().map(|file| file.unwrap().path());
    let trained = files.filter(|file| file.extension().is_some_and(|end| end == "safetensors"));
    let load = |file: std::path::PathBuf| {
        (file.file_stem().unwrap().to_str().unwrap().into(), TrainedModel::load(&file).unwrap())
    };
    trained.map(load).collect()
}

/// All 10,000 by the kernel; the reference, which defines what is right, agrees on the first images.
#[test]
fn shipped_models_are_as_good_as_their_cards_say() {
    let models = models();
    let test_sets = Set::ALL.map(|set| {
        let images = set.test_in(Path::new(set.test_dir())).unwrap();
        (set, images.inputs().unwrap(), images.labels)
    });
    for (name, TrainedModel { network, card }) in &models {
        let set = Set::from_name(&card.data).unwrap();
        let (_, inputs, labels) = test_sets.iter().find(|(of, ..)| *of == set).unwrap();
        let packed = pack::words(network);
        let mut words = &packed[..];
        let mut model = kernel::Model::load(network.header().clone(), &mut words);
        let mut correct = 0;
        for (index, (input, &label)) in inputs.iter().zip(labels).enumerate() {
            let logits = model.forward(&mut words, input).unwrap();
            if index < 100 {
                assert_eq!(logits, reference::forward(network, input).unwrap(), "{name}, {index}");
            }
            correct += usize::from(argmax(logits) == usize::from(label));
        }
        assert_eq!(correct as f64 / 10_000.0, card.test_accuracy, "{name}");
        assert_eq!(card.name, *name);

        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../models/{name}.md"));
        let page = std::fs::read_to_string(page).unwrap();
        assert!(page.contains(&format!("{:.2} % of 10000 images", 100.0 * card.test_accuracy)));
        assert!(page.contains(&card.command));
    }
}

#[test]
fn shipped_models_are_as_small_and_as_good_as_they_must_be() {
    let models = models();
    for (name, words, accuracy) in BOUNDS {
        let TrainedModel { network, card } =
            models.get(name).unwrap_or_else(|| panic!("no {name}"));
        let got = network.header().word_count();
        assert!(got <= words, "{name}: {got} words");
        assert!(card.test_accuracy >= accuracy, "{name}: {}", card.test_accuracy);
    }
}

/// The one that is shipped is the median of its runs, not the luckiest.
#[test]
fn shipped_runs_are_the_median_ones() {
    for (name, TrainedModel { card, .. }) in models() {
        let mut runs: Vec<(f64, u64)> =
            card.runs.iter().map(|run| (run.validation_accuracy, run.seed)).collect();
        runs.sort_by(|a, b| a.partial_cmp(b).unwrap());
        assert!(runs.iter().any(|&(_, seed)| seed == card.seed), "{name}");
        let median = [runs[(runs.len() - 1) / 2].0, runs[runs.len() / 2].0];
        assert!(median.contains(&card.validation_accuracy), "{name}: {runs:?}");
        let issued = BOUNDS[..4].iter().any(|(of, ..)| *of == name);
        assert!(!issued || runs.len() >= 3, "{name}: {} runs", runs.len());
    }
}
