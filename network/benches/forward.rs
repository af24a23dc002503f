//! Images a second on one core: the kernel and the reference, for each model in `models/`.
//!
//! `make bench` writes `reports/native.json` and `reports/native.md`; with the name of one model behind `--`,
//! `cargo bench -p inkling-network --bench forward` measures that one and writes nothing. A time is what one more image
//! costs where the model is loaded: forward pass and argmax, on images of the test set that the model is for. It is the
//! thread's CPU time, so that it does not depend on what else the machine has to do.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use alloy_primitives::{hex, keccak256};
use criterion::Criterion;
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use inkling_data::{Set, TrainedModel};
use inkling_network::kernel::Model;
use inkling_network::{argmax, pack, reference};
use serde_json::{Value, json};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Test images that are taken in turn: what a dense layer costs depends on its zeros.
const IMAGES: usize = 100;

/// Nanoseconds for which this thread had a core.
struct CpuTime;

impl CpuTime {
    fn now() -> Duration {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the pointer is to a `timespec`.
        let status = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
        assert_eq!(status, 0, "the system has no clock for a thread's CPU time");
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    }
}

impl Measurement for CpuTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        Self::now()
    }

    fn end(&self, start: Duration) -> Duration {
        Self::now() - start
    }

    fn add(&self, a: &Duration, b: &Duration) -> Duration {
        *a + *b
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, time: &Duration) -> f64 {
        time.as_nanos() as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let results = Path::new(env!("CARGO_TARGET_TMPDIR")).join("criterion");
    let mut criterion = Criterion::default()
        .output_directory(&results)
        .with_measurement(CpuTime)
        .warm_up_time(Duration::from_secs(1))
        .configure_from_args();
    let mut rows = vec![];
    let models = models()?;
    for file in &models {
        let TrainedModel { network, card } = TrainedModel::load(file)?;
        let set = Set::from_name(&card.data).ok_or("the model's data set is unknown")?;
        let mut images = set.test_in(Path::new(set.test_dir()))?.inputs()?;
        images.truncate(IMAGES);
        let words = pack::words(&network);
        let mut model = Model::load(network.header().clone(), &mut words.as_slice());
        for image in &images {
            let logits = reference::forward(&network, image)?;
            assert_eq!(model.forward(&mut words.as_slice(), image)?, logits, "{}", card.name);
        }

        let measured = |id| results.join(&card.name).join(id).join("new/estimates.json");
        let [kernel, reference] = ["kernel", "reference"].map(measured);
        for old in [&kernel, &reference] {
            // What an earlier run left is no measurement of this one.
            let _ = fs::remove_file(old);
        }
        let mut group = criterion.benchmark_group(&card.name);
        let mut next = images.iter().cycle();
        group.bench_function("kernel", |bencher| {
            bencher.iter(|| {
                let image = next.next().unwrap_or(&images[0]);
                model.forward(&mut words.as_slice(), image).map(argmax)
            });
        });
        let mut next = images.iter().cycle();
        group.bench_function("reference", |bencher| {
            bencher.iter(|| {
                let image = next.next().unwrap_or(&images[0]);
                reference::forward(&network, image).map(|logits| argmax(&logits))
            });
        });
        group.finish();

        if let (Some(kernel), Some(reference)) = (seconds(&kernel), seconds(&reference)) {
            let header = network.header();
            let hash = pack::model_hash(&header.to_bytes(), &words, |part| keccak256(part).0);
            rows.push(json!({
                "model": card.name,
                "model_hash": hex::encode_prefixed(hash),
                "data": card.data,
                "multiply_adds": header.multiply_adds(),
                "kernel_images_per_second": (1. / kernel).round() as u64,
                "reference_images_per_second": (1. / reference).round() as u64,
                "ratio": (reference / kernel * 10.).round() / 10.,
            }));
        }
    }
    criterion.final_summary();
    // With a filter, or where criterion only tests, not everything was measured.
    if rows.len() == models.len() {
        report(&rows)?;
    }
    Ok(())
}

/// The trained files, by name.
fn models() -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let entries = fs::read_dir(Path::new(ROOT).join("models"))?;
    let mut files =
        entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, Box<dyn Error>>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "safetensors"));
    files.sort();
    Ok(files)
}

/// The median that criterion measured.
fn seconds(estimates: &Path) -> Option<f64> {
    let estimates: Value = serde_json::from_slice(&fs::read(estimates).ok()?).ok()?;
    Some(estimates["median"]["point_estimate"].as_f64()? / 1e9)
}

/// Prints the table, and writes it and the figures.
fn report(rows: &[Value]) -> Result<(), Box<dyn Error>> {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cpu = cpu.map_or("an unknown CPU", |(_, name)| name.trim());
    let mut page = format!(
        "# Native inference\n\n\
         Images a second of CPU time on a core of {cpu}: medians of [criterion](https://docs.rs/criterion), one image \
         after another, the model loaded once.\n\n\
         | model     | multiply-adds |  kernel | reference | ratio |\n\
         | --------- | ------------: | ------: | --------: | ----: |\n"
    );
    for row in rows {
        page += &format!(
            "| {:<9} | {:>13} | {:>7} | {:>9} | {:>5} |\n",
            row["model"].as_str().unwrap_or_default(),
            row["multiply_adds"].to_string(),
            row["kernel_images_per_second"].to_string(),
            row["reference_images_per_second"].to_string(),
            row["ratio"].to_string(),
        );
    }
    page += "\nMade by `make bench`.\n";
    println!("{page}");
    let reports = Path::new(ROOT).join("reports");
    fs::write(reports.join("native.md"), page)?;
    let json = json!({ "cpu": cpu, "rows": rows });
    fs::write(reports.join("native.json"), format!("{json:#}\n"))?;
    Ok(())
}
