//! Options from three places: the command line, the environment, a file. The earlier of them wins.
//!
//! Every option of a command that takes a value, `--chain-id` for one, is also the variable `INKLING_CHAIN_ID` and the key
//! `chain-id` in the file: at its top for all commands that have such an option, in a table `[deploy]` for one. Of options
//! that exclude each other the earliest place decides which is meant. A key on the command line has no such names: it has
//! no business in a file.
//!
//! What the file says is put into the command line as if it had been typed first, so that clap judges it as it judges the
//! rest.

use crate::Error;
use clap::{Arg, Command, parser::ValueSource};
use std::{
    env,
    ffi::{OsStr, OsString},
    fs, io,
    path::{Path, PathBuf},
};
use toml::{Table, Value};

/// The file that is read where none is named.
pub const FILE: &str = "inkling.toml";

/// Environment variable with the path of another.
pub const VARIABLE: &str = "INKLING_CONFIG";

/// Options that are never read from elsewhere.
const SECRET: [&str; 1] = ["private_key"];

/// A command, and the arguments to give it.
pub struct Configured {
    /// The command, which reads the environment.
    pub command: Command,
    /// The arguments of the program and those of the file.
    pub arguments: Vec<OsString>,
}

/// Adds environment and file to a command and its arguments, the first of which is the program's name.
///
/// # Errors
/// [`Error::Usage`] where the file has a key that no command knows; [`Error::Io`] where it was named and cannot be read.
pub fn configure(command: Command, arguments: Vec<OsString>) -> Result<Configured, Error> {
    let place = Place::of(&command, &arguments);
    let file = read(place.config.as_deref())?;
    check(&command, &file)?;
    let Some((at, name)) = place.subcommand else {
        return Ok(Configured { command: command.mut_subcommands(with_variables), arguments });
    };
    // Groups that only options name are known to a command that is built.
    let mut built = command.clone();
    built.build();
    let Some(sub) = built.find_subcommand(&name) else {
        return Ok(Configured { command, arguments });
    };
    let named = named(&command, &arguments);
    let layers = Layers { sub, named: &named, file: &file, name: &name };
    let from_file = layers.told_by_file()?;
    let masked: Vec<String> = layers.masked();
    let command = command.mut_subcommands(with_variables).mut_subcommand(name.clone(), |sub| {
        sub.mut_args(|arg| match masked.iter().any(|id| arg.get_id() == id.as_str()) {
            true => arg.env(None::<&str>),
            false => arg,
        })
    });
    let mut arguments = arguments;
    arguments.splice(at + 1..at + 1, from_file);
    Ok(Configured { command, arguments })
}

/// What of the arguments is needed before they are parsed.
struct Place {
    config: Option<PathBuf>,
    /// Where the subcommand stands, and its name.
    subcommand: Option<(usize, String)>,
}

impl Place {
    fn of(command: &Command, arguments: &[OsString]) -> Self {
        let mut place = Self { config: env::var_os(VARIABLE).map(PathBuf::from), subcommand: None };
        let mut rest = arguments.iter().enumerate().skip(1);
        while let Some((at, argument)) = rest.next() {
            let text = argument.to_string_lossy();
            if text == "--" {
                break;
            } else if text == "--config" {
                place.config = rest.next().map(|(_, path)| path.into());
            } else if let Some(path) = text.strip_prefix("--config=") {
                place.config = Some(path.into());
            } else if place.subcommand.is_none() && command.find_subcommand(&*text).is_some() {
                place.subcommand = Some((at, text.into_owned()));
            }
        }
        place
    }
}

/// The file's table; empty where there is none and none was named.
fn read(named: Option<&Path>) -> Result<Table, Error> {
    let path = named.unwrap_or(Path::new(FILE));
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => {
            return Ok(Table::new());
        }
        Err(source) => return Err(Error::Io { path: path.into(), source }),
    };
    // What the parser says shows the line, which may hold a secret that has no place there.
    text.parse().map_err(|error: toml::de::Error| {
        Error::Usage(format!("{}: {}", path.display(), error.message()))
    })
}

/// Name of an option in a file; `None` where it takes no value or is secret.
fn key(arg: &Arg) -> Option<&str> {
    let takes = arg.get_action().takes_values() && !arg.is_positional();
    let secret = SECRET.iter().any(|id| arg.get_id() == id);
    arg.get_long().filter(|_| takes && !secret)
}

/// Gives each option its environment variable, whose value help does not show.
fn with_variables(command: Command) -> Command {
    command.mut_args(|arg| match key(&arg).map(variable) {
        Some(name) => arg.env(name).hide_env_values(true),
        None => arg,
    })
}

fn variable(key: &str) -> String {
    format!("INKLING_{}", key.replace('-', "_").to_uppercase())
}

/// Every key of the file must be an option somewhere.
fn check(command: &Command, file: &Table) -> Result<(), Error> {
    let knows = |sub: &Command, name: &str| sub.get_arguments().any(|arg| key(arg) == Some(name));
    for (name, value) in file {
        let unknown = |name: &str| Error::Usage(format!("{FILE}: there is no option `{name}`"));
        match (command.find_subcommand(name), value) {
            (Some(sub), Value::Table(table)) => {
                if let Some(wrong) = table.keys().find(|name| !knows(sub, name)) {
                    return Err(unknown(&format!("{name}.{wrong}")));
                }
            }
            _ if command.get_subcommands().any(|sub| knows(sub, name)) => {}
            _ => return Err(unknown(name)),
        }
    }
    Ok(())
}

/// Ids of the subcommand's options that the command line names.
fn named(command: &Command, arguments: &[OsString]) -> Vec<String> {
    let parsed = command.clone().ignore_errors(true).try_get_matches_from(arguments);
    let Ok(parsed) = parsed else { return Vec::new() };
    let Some((_, sub)) = parsed.subcommand() else { return Vec::new() };
    let ids = sub.ids().map(|id| id.to_string());
    ids.filter(|id| {
        sub.try_contains_id(id).is_ok() && sub.value_source(id) == Some(ValueSource::CommandLine)
    })
    .collect()
}

/// Who says what of one subcommand's options.
struct Layers<'a> {
    sub: &'a Command,
    named: &'a [String],
    file: &'a Table,
    name: &'a str,
}

impl Layers<'_> {
    /// The option itself and those that exclude it.
    fn rivals(&self, arg: &Arg) -> Vec<String> {
        let id = arg.get_id();
        let mut rivals = vec![id.to_string()];
        for group in self.sub.get_groups() {
            if !group.clone().is_multiple() && group.get_args().any(|other| other == id) {
                rivals.extend(group.get_args().map(ToString::to_string));
            }
        }
        rivals
    }

    fn is_named(&self, arg: &Arg) -> bool {
        self.rivals(arg).iter().any(|rival| self.named.contains(rival))
    }

    fn is_in_environment(&self, arg: &Arg) -> bool {
        let rivals = self.rivals(arg);
        let rivals = self
            .sub
            .get_arguments()
            .filter(|arg| rivals.iter().any(|id| arg.get_id() == id.as_str()));
        rivals.filter_map(key).any(|key| env::var_os(variable(key)).is_some())
    }

    /// Options whose variable does not count, as the command line names one that excludes it.
    fn masked(&self) -> Vec<String> {
        let args = self.sub.get_arguments().filter(|arg| key(arg).is_some() && self.is_named(arg));
        args.map(|arg| arg.get_id().to_string()).collect()
    }

    /// What of the file counts, as arguments.
    fn told_by_file(&self) -> Result<Vec<OsString>, Error> {
        let own = self.file.get(self.name).and_then(Value::as_table);
        let mut arguments = Vec::new();
        for arg in self.sub.get_arguments() {
            let Some(key) = key(arg) else { continue };
            let value = own.and_then(|own| own.get(key)).or_else(|| self.file.get(key));
            let Some(value) = value else { continue };
            if self.is_named(arg) || self.is_in_environment(arg) {
                continue;
            }
            let values = match value {
                Value::Array(values) => values.as_slice(),
                value => std::slice::from_ref(value),
            };
            for value in values {
                let text = match value {
                    Value::String(text) => text.clone(),
                    Value::Integer(number) => number.to_string(),
                    Value::Float(number) => number.to_string(),
                    _ => {
                        return Err(Error::Usage(format!(
                            "{FILE}: `{key}` is no text and no number"
                        )));
                    }
                };
                arguments.push(
                    [OsStr::new("--"), key.as_ref(), "=".as_ref(), text.as_ref()]
                        .into_iter()
                        .collect(),
                );
            }
        }
        Ok(arguments)
    }
}
