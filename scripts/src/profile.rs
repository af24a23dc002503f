//! `inkling profile`: where the gas of a classification goes, part by part.
//!
//! The program that is measured is the Stylus contract built with the feature `profile`: it calls the hostio
//! `evm_ink_left` where a part ends, and nothing else is different. A trace tells the ink before and after each hostio;
//! what lies between two marks is a part, of which reads of slots are taken apart. Which parts there are says the
//! native kernel, to whose [`Probe`] the contract's marks belong.

use crate::{
    Error,
    artifacts::{self, Contract, Program},
    chain::{Connection, Hostio},
    classifier::{Classifier, Traced},
    deployment,
    gas::Paid,
    models::{DEFAULT, Model},
    report::{self, Part, Profile},
    samples::{Image, Samples},
    shape,
};
use inkling_devnode::arbos::TX_GAS_CAP;
use inkling_network::kernel::{self, Probe};
use std::path::PathBuf;

/// The hostio that marks the end of a part.
const MARK: &str = "evm_ink_left";

/// Show where the ink of a classification goes: arguments, words, unpacking, each layer, result.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:
  inkling profile --model small")]
pub struct Args {
    /// A shipped model or a trained file (*.safetensors).
    #[arg(long, default_value = DEFAULT)]
    model: String,
    /// Images, from the first of the test set on.
    #[arg(long, value_name = "N", default_value_t = 20,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    samples: u32,
    /// Folder with the test set of the model's data [default: the repository's].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Folder for profile-MODEL.json and profile-MODEL.md.
    #[arg(long, value_name = "DIR", default_value = "reports")]
    out: PathBuf,
    /// Print the report as JSON instead of a table.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// [`Error`].
pub async fn run(args: Args) -> Result<(), Error> {
    let model = Model::open(&args.model)?;
    let mut samples = Samples::of(&model, args.data.as_deref())?;
    samples.truncate(args.samples as usize);
    let profile = profile(&model, &samples.images).await?;
    let name = format!("profile-{}", profile.model);
    report::write(&args.out, &name, &profile, &profile.markdown(), None, None)?;
    match args.json {
        true => report::print(&format_args!("{:#}", serde_json::json!(profile))),
        false => {
            report::print(&profile.tables());
            report::print(&format_args!("{}/{name}.{{json,md}}", args.out.display()));
        }
    }
    Ok(())
}

/// Takes the classification of these images apart; means of them.
///
/// # Errors
/// [`Error::Marks`] where the program's marks are not those of the kernel; others of [`Error`].
pub async fn profile(model: &Model, images: &[Image]) -> Result<Profile, Error> {
    let (marked, plain) = (artifacts::stylus_profile()?, artifacts::stylus()?);
    let sha256s = [marked.build.sha256.clone(), plain.build.sha256.clone()];
    let marked = deploy(Program::Stylus(marked), model).await?;
    let plain = deploy(Program::Stylus(plain), model).await?;
    let mut sum = Profile {
        model: model.name.clone(),
        shape: model.shape(),
        model_hash: model.hash,
        sha256: sha256s[0].clone(),
        production_sha256: sha256s[1].clone(),
        samples: images.len(),
        intrinsic_gas: 0,
        start_gas: 0,
        parts: parts(model),
        mark_ink: 0,
        production_ink: 0,
        production_gas: 0,
    };
    for image in images {
        let (_, traced) = trace(&marked, image).await?;
        add(&mut sum, &traced)?;
        let (paid, traced) = trace(&plain, image).await?;
        sum.intrinsic_gas += paid.transaction - paid.execution;
        sum.start_gas += traced.start_gas;
        sum.production_ink += traced.ink;
        sum.production_gas += paid.transaction;
    }
    Ok(mean(sum))
}

async fn deploy(program: Program, model: &Model) -> Result<Classifier, Error> {
    let chain = Connection::embedded().await?;
    let created = deployment::create_of(&chain, Contract::Stylus, &program, model).await?;
    let done = deployment::upload(&chain, created, model, &mut |_| {}).await?;
    chain.set_cached(done.address, true).await?;
    Ok(Classifier { chain, address: done.address })
}

async fn trace(classifier: &Classifier, image: &Image) -> Result<(Paid, Traced), Error> {
    let paid = classifier.pay(image, TX_GAS_CAP).await?;
    Ok((paid, classifier.trace(image, paid).await?))
}

/// The parts of an inference, without figures yet.
fn parts(model: &Model) -> Vec<Part> {
    let header = model.network.header();
    let part = |name: String, multiply_adds: usize| Part {
        name,
        reads: 0,
        read_ink: 0,
        compute_ink: 0,
        multiply_adds: multiply_adds as u64,
    };
    let mut ends = Ends::default();
    let mut words = &model.words[..];
    let mut kernel = kernel::Model::load_probed(header.clone(), &mut words, &mut ends);
    // Which parts there are does not depend on the image; if it is of a wrong size, there is none.
    let blank = vec![0; header.image_len()];
    let _ = kernel.forward_probed(&mut words, &blank, &mut ends);

    let mut parts = vec![part("arguments".into(), 0), part("header".into(), 0)];
    let mut next = 0;
    for end in ends.0 {
        parts.push(match end {
            kernel::Part::Words => part("words".into(), 0),
            kernel::Part::Unpack => part("unpack".into(), 0),
            kernel::Part::Image => part("image".into(), 0),
            kernel::Part::Layer(last) => {
                let stages = header.stages().get(next..=last).unwrap_or_default();
                next = last + 1;
                let names: Vec<String> = stages.iter().map(shape::layer).collect();
                let multiply_adds = stages.iter().map(|stage| stage.multiply_adds()).sum();
                part(names.join(", "), multiply_adds)
            }
        });
    }
    parts.extend([part("argmax".into(), 0), part("result".into(), 0)]);
    parts
}

/// The ends of parts, in order.
#[derive(Default)]
struct Ends(Vec<kernel::Part>);

impl Probe for Ends {
    fn end(&mut self, part: kernel::Part) {
        self.0.push(part);
    }
}

/// Adds a trace to the parts: what is after the last mark is the last of them.
fn add(sum: &mut Profile, traced: &Traced) -> Result<(), Error> {
    let hostios = &traced.trace.hostios;
    let marks = hostios.iter().filter(|hostio| hostio.name == MARK).count();
    if marks + 1 != sum.parts.len() {
        return Err(Error::Marks { got: marks, expected: sum.parts.len() - 1 });
    }
    let mut ink = traced.trace.start_ink();
    let end = ink - traced.ink;
    let mut rest = &hostios[..];
    for part in &mut sum.parts {
        let at = rest.iter().position(|hostio| hostio.name == MARK);
        let (inside, after) = rest.split_at(at.unwrap_or(rest.len()));
        let (until, from) = after.first().map_or((end, end), |m| (m.start_ink, m.end_ink));
        let reads: Vec<&Hostio> = inside.iter().filter(|hostio| hostio.is_read()).collect();
        let read_ink: u64 = reads.iter().map(|hostio| hostio.ink()).sum();
        part.reads += reads.len() as u64;
        part.read_ink += read_ink;
        part.compute_ink += ink.saturating_sub(until).saturating_sub(read_ink);
        sum.mark_ink += until - from;
        ink = from;
        rest = after.get(1..).unwrap_or_default();
    }
    Ok(())
}

/// Sums to means, rounded to the nearest whole number.
fn mean(mut sum: Profile) -> Profile {
    let count = sum.samples.max(1) as u64;
    let parts = sum
        .parts
        .iter_mut()
        .flat_map(|part| [&mut part.reads, &mut part.read_ink, &mut part.compute_ink]);
    let others = [
        &mut sum.intrinsic_gas,
        &mut sum.start_gas,
        &mut sum.mark_ink,
        &mut sum.production_ink,
        &mut sum.production_gas,
    ];
    for figure in parts.chain(others) {
        *figure = (*figure + count / 2) / count;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{chain::Trace, gas::INK_PRICE, testing::tiny_model};

    fn hostio(name: &str, start_ink: u64, end_ink: u64) -> Hostio {
        Hostio { name: name.into(), args: Default::default(), start_ink, end_ink }
    }

    #[test]
    fn ink_between_marks() {
        let model = tiny_model(1, &[8, 10]);
        let names: Vec<String> = parts(&model).into_iter().map(|part| part.name).collect();
        assert_eq!(
            names,
            ["arguments", "header", "words", "unpack", "image", "8", "10", "argmax", "result"]
        );
        let parts = parts(&model);
        let adds: Vec<u64> = parts.iter().map(|part| part.multiply_adds).collect();
        assert_eq!(adds, [0, 0, 0, 0, 0, 3_200, 80, 0, 0]);

        let mut sum = Profile {
            model: String::new(),
            shape: String::new(),
            model_hash: model.hash,
            sha256: String::new(),
            production_sha256: String::new(),
            samples: 1,
            intrinsic_gas: 0,
            start_gas: 0,
            parts: parts[..3].to_vec(),
            mark_ink: 0,
            production_ink: 0,
            production_gas: 0,
        };
        let hostios = vec![
            hostio("user_entrypoint", 1_000, 1_000),
            hostio("read_args", 990, 900),
            hostio(MARK, 880, 870),
            hostio("storage_load_bytes32", 860, 760),
            hostio(MARK, 750, 740),
            hostio("write_result", 700, 690),
            hostio("user_returned", 1_000, 1_000),
        ];
        let traced = Traced { trace: Trace { hostios }, start_gas: 0, ink: 350 };
        add(&mut sum, &traced).unwrap();
        let ink = sum.parts.iter().map(|part| (part.reads, part.read_ink, part.compute_ink));
        assert!(ink.eq([(0, 0, 120), (1, 100, 20), (0, 0, 90)]));
        assert_eq!((sum.mark_ink, sum.ink()), (20, 330));

        sum.parts.push(parts[3].clone());
        let error = add(&mut sum, &traced).unwrap_err();
        assert!(matches!(error, Error::Marks { got: 2, expected: 3 }));
    }

    #[tokio::test]
    async fn a_profile_adds_up() {
        let model = tiny_model(1, &[8, 10]);
        let mut image = [0; 400];
        (image[7], image[300]) = (9, 200);
        let profile = profile(&model, &[image]).await.unwrap();
        let part = |name: &str| profile.parts.iter().find(|part| part.name == name).unwrap();
        // Slot 0; one word of biases and 80 weights in three; two rows of 8 weights.
        assert_eq!(["header", "words", "8"].map(|name| part(name).reads), [1, 4, 2]);
        assert_eq!(part("words").read_ink / INK_PRICE / 2_100, 4);
        let whole = profile.intrinsic_gas + profile.start_gas;
        let ink = profile.production_ink.div_ceil(INK_PRICE);
        assert_eq!(whole + ink, profile.production_gas);
        let difference = profile.ink().abs_diff(profile.production_ink);
        assert!(difference * 50 < profile.production_ink, "{difference}");
        assert!(profile.tables().contains("| **all** "));
    }
}
