//! `inkling classify`: one image, shown as the network sees it.

use crate::{
    Error,
    classifier::{Classifier, ContractArgs},
    gas::Paid,
    logging::no_colour,
    models::{DEFAULT, Model},
    report::{self, signed, thousands},
    samples::{Image, Samples},
};
use alloy::primitives::hex;
use inkling_data::{Invert, load_image};
use inkling_network::argmax;
use serde::Serialize;
use std::{
    fmt::Write,
    io::IsTerminal,
    path::{Path, PathBuf},
};

/// Columns of an image.
const SIDE: usize = 20;

/// Classify one image with a contract.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  inkling classify 7 --model small
  inkling classify digit.png --network sepolia --address 0x00000000000000000000000000000000000a11ce")]
pub struct Args {
    /// A PNG or JPEG file of any size, or the index (0-9999) of a test image of the model's data.
    image: String,
    /// A shipped model or a trained file (*.safetensors).
    #[arg(long, default_value = DEFAULT)]
    model: String,
    #[command(flatten)]
    contract: ContractArgs,
    /// Whether the picture is dark on light.
    #[arg(long, value_enum, default_value = "auto")]
    invert: InvertArg,
    /// Folder with the test set of the model's data [default: the repository's].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Print JSON, with the 400 bytes in hex, and nothing else.
    #[arg(long)]
    json: bool,
}

/// Whether a picture is inverted.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum InvertArg {
    /// Where its border is light.
    Auto,
    /// It is dark on light.
    Yes,
    /// It is light on dark.
    No,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Answer {
    digit: u8,
    /// What a test image shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<u8>,
    logits: Vec<i32>,
    gas: Paid,
    /// Whether the gas is a transaction's, not an estimate.
    by_transaction: bool,
    model: String,
    contract: crate::artifacts::Contract,
    /// The 400 bytes that were classified.
    image: String,
}

/// Runs the command.
///
/// # Errors
/// [`Error::Mismatch`] where the contract's answer is not the reference's; others of [`Error`].
pub async fn run(args: Args) -> Result<(), Error> {
    let model = Model::open(&args.model)?;
    let (image, label) = image(&args, &model)?;
    let classifier = Classifier::open(&args.contract, &model).await?;
    let (agrees, digit) = classifier.answer(&model, &image).await?;
    let by_transaction = classifier.chain.sender().is_some();
    let gas = match by_transaction {
        true => classifier.pay(&image, classifier.gas_limit(&[image]).await?).await?,
        false => classifier.estimated(&image).await?,
    };
    let answer = Answer {
        digit,
        label,
        logits: classifier.logits(&image).await?,
        gas,
        by_transaction,
        model: model.name.clone(),
        contract: args.contract.contract,
        image: hex::encode(image),
    };
    match args.json {
        true => report::print(&format_args!("{:#}", serde_json::json!(answer))),
        false => {
            let colour = std::io::stdout().is_terminal() && !no_colour();
            report::print(&if colour { blocks(&image) } else { shades(&image) });
            report::print(&words(&answer));
        }
    }
    match agrees {
        true => Ok(()),
        false => Err(Error::Mismatch("digit or logits differ from the reference's".into())),
    }
}

/// The image that the argument names; of a test image, the digit that it shows.
fn image(args: &Args, model: &Model) -> Result<(Image, Option<u8>), Error> {
    let path = Path::new(&args.image);
    if !path.exists()
        && let Ok(index) = args.image.parse::<usize>()
    {
        let Samples { images, labels } = Samples::of(model, args.data.as_deref())?;
        let (image, label) = (images.get(index).copied(), labels.get(index).copied());
        let count = labels.len();
        let wrong = || Error::Usage(format!("test image {index}: there are {count}, from 0 on"));
        return Ok((image.ok_or_else(wrong)?, label));
    }
    let invert = match args.invert {
        InvertArg::Auto => Invert::Auto,
        InvertArg::Yes => Invert::Yes,
        InvertArg::No => Invert::No,
    };
    let bytes = std::fs::read(path).map_err(|source| Error::Io { path: path.into(), source })?;
    let picture = |source| Error::Picture { path: path.into(), source };
    Ok((load_image(&bytes, invert).map_err(picture)?, None))
}

fn words(answer: &Answer) -> String {
    let Answer { digit, label, logits, gas, by_transaction, model, contract, .. } = answer;
    let mut text = format!("digit {digit}");
    if let Some(label) = label {
        let verdict = if label == digit { "right" } else { "wrong" };
        text += &format!(" (the test set says {label}: {verdict})");
    }
    text += "\n\nlogits\n";
    let best = argmax(logits);
    for (class, logit) in logits.iter().enumerate() {
        let mark = if class == best { " <" } else { "" };
        text += &format!("{class:>3} {:>12}{mark}\n", signed(*logit));
    }
    let kind = if *by_transaction { "transaction" } else { "estimate" };
    text += &format!(
        "\n{} gas ({kind}), {} of it execution; {model} in the {contract} contract",
        thousands(gas.transaction),
        thousands(gas.execution)
    );
    text
}

/// Two rows of pixels a line, as half blocks in the terminal's 24 shades of gray.
fn blocks(image: &[u8]) -> String {
    let gray = |pixel: u8| 232 + u16::from(pixel) * 23 / 255;
    let mut text = String::new();
    for rows in image.chunks_exact(2 * SIDE) {
        let (upper, lower) = rows.split_at(SIDE);
        for (upper, lower) in upper.iter().zip(lower) {
            // Writing to a string does not fail.
            let _ = write!(text, "\x1b[38;5;{}m\x1b[48;5;{}m▀", gray(*upper), gray(*lower));
        }
        text += "\x1b[0m\n";
    }
    text
}

/// A row of pixels a line, two characters a pixel.
fn shades(image: &[u8]) -> String {
    let shade = |pixel: &u8| match pixel {
        0 => "  ",
        1..64 => "░░",
        64..128 => "▒▒",
        128..192 => "▓▓",
        192.. => "██",
    };
    let rows = image.chunks_exact(SIDE).map(|row| row.iter().map(shade).collect::<String>());
    rows.map(|row| row.trim_end().to_owned() + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifacts::Contract;

    #[test]
    fn pictures() {
        let mut image = [0; 400];
        (image[0], image[1], image[20]) = (255, 100, 10);
        let lines: Vec<String> = shades(&image).lines().map(String::from).collect();
        assert_eq!((lines.len(), &lines[0][..], &lines[1][..]), (20, "██▒▒", "░░"));
        let text = blocks(&image);
        assert_eq!(text.lines().count(), 10);
        assert!(text.starts_with("\x1b[38;5;255m\x1b[48;5;232m▀\x1b[38;5;241m"));
    }

    #[test]
    fn an_answer_in_words() {
        let answer = Answer {
            digit: 1,
            label: Some(7),
            logits: vec![-1_234, 5],
            gas: Paid { transaction: 500_000, execution: 470_000 },
            by_transaction: true,
            model: "mlp-64".into(),
            contract: Contract::Stylus,
            image: String::new(),
        };
        let expected = "digit 1 (the test set says 7: wrong)\n\nlogits\n  0       -1,234\n  1            5 <\n\n\
            500,000 gas (transaction), 470,000 of it execution; mlp-64 in the Stylus contract";
        assert_eq!(words(&answer), expected);
    }
}
