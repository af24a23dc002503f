//! `inkling bake`: a model as the file that a program with baked weights is built from.

use crate::{
    Error,
    models::{BAKED, Model},
    report,
};
use inkling_data::model::is_name;
use std::path::PathBuf;

/// Write models as files for `node contract/build.mjs`, which builds a program with each of them inside.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:
  inkling bake --model nano")]
pub struct Args {
    /// Shipped models or trained files (*.safetensors).
    #[arg(long, value_name = "MODEL,…", value_delimiter = ',', default_values = BAKED)]
    model: Vec<String>,
    /// Folder for MODEL.bin.
    #[arg(long, value_name = "DIR", default_value = "contract/baked")]
    out: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// [`Error::Model`], [`Error::Io`].
pub fn run(args: Args) -> Result<(), Error> {
    for model in &args.model {
        let model = Model::open(model)?;
        // Names of models are checked: this one is no path.
        debug_assert!(is_name(&model.name));
        let path = args.out.join(format!("{}.bin", model.name));
        let io = |source| Error::Io { path: path.clone(), source };
        std::fs::create_dir_all(&args.out).map_err(io)?;
        let bytes = baked(&model);
        std::fs::write(&path, &bytes).map_err(io)?;
        report::print(&format_args!("{}: {} bytes", path.display(), bytes.len()));
    }
    Ok(())
}

/// The model's hash (32 bytes), the length of the header (1 byte), header and words.
pub fn baked(model: &Model) -> Vec<u8> {
    // A header has at most 255 bytes.
    let length = [model.header.len() as u8];
    [&model.hash[..], &length, &model.header, model.words.as_flattened()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tiny_model;

    #[test]
    fn a_baked_model_is_hash_header_and_words() {
        let model = tiny_model(1, &[8, 10]);
        let bytes = baked(&model);
        let header = 33 + usize::from(bytes[32]);
        assert_eq!((&bytes[..32], &bytes[33..header]), (&model.hash[..], &model.header[..]));
        assert_eq!(&bytes[header..], model.words.as_flattened());
    }
}
