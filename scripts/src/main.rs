//! `inkling`: see [`inkling`] for the library under it.

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use inkling::{
    Error, bake, cache, classify, compare, completions,
    config::{self, Configured},
    deploy, evaluate, exactness, keepalive,
    logging::{self, LogArgs},
    man, node, profile, serve, status,
};
use std::{path::PathBuf, process::ExitCode};

/// Exit code of what Ctrl-C or SIGTERM ended: 128 and the number of SIGINT, as shells have it.
const INTERRUPTED: i32 = 130;

/// Quantized neural networks in Arbitrum Stylus contracts: deploy them, run them, compare their gas with Solidity's.
///
/// Without --network or --rpc a command runs on a chain of its own, embedded in this program.
#[derive(Parser)]
#[command(
    name = "inkling",
    version,
    after_help = "\
Every option that takes a value, such as --chain-id, can also be the environment variable INKLING_CHAIN_ID or, in the file
inkling.toml of the working directory, the key chain-id: at its top, or for one command in a table [deploy]. The command line
goes before the environment, and that before the file. --private-key has neither. NO_COLOR is obeyed.

Exit codes:
  0    success
  1    a check failed: an answer differs from the reference
  2    wrong usage
  3    a file could not be read or written, or the chain refused something or cannot be reached
  4    refused before any transaction was sent
  130  interrupted; what was begun can be gone on with

Example:
  inkling classify 7"
)]
struct Cli {
    #[command(flatten)]
    log: LogArgs,
    /// File with options [default: inkling.toml, if there is one].
    #[arg(long, global = true, value_name = "FILE", env = config::VARIABLE, hide_env_values = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Compare(compare::Args),
    Evaluate(evaluate::Args),
    Exactness(exactness::Args),
    Profile(profile::Args),
    Classify(classify::Args),
    Deploy(deploy::Args),
    Status(status::Args),
    Cache(cache::Args),
    Keepalive(keepalive::Args),
    Bake(bake::Args),
    Node(node::Args),
    Serve(serve::Args),
    Completions(completions::Args),
    Man(man::Args),
}

#[tokio::main]
async fn main() -> ExitCode {
    let configured = config::configure(Cli::command(), std::env::args_os().collect());
    let Configured { command, arguments } = match configured {
        Ok(configured) => configured,
        Err(error) => return failed(&error),
    };
    let parsed = command.try_get_matches_from(arguments);
    let cli = match parsed.and_then(|parsed| Cli::from_arg_matches(&parsed)) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    logging::begin(cli.log);
    let interruptible = match cli.command {
        // They stop in their own way.
        Command::Node(_) | Command::Serve(_) => Ok(()),
        _ => exit_when_interrupted(),
    };
    let result = match interruptible {
        Ok(()) => run(cli.command).await,
        Err(error) => Err(error.into()),
    };
    result.map_or_else(|error| failed(&error), |()| ExitCode::SUCCESS)
}

async fn run(command: Command) -> Result<(), Error> {
    match command {
        Command::Compare(args) => compare::run(args).await,
        Command::Evaluate(args) => evaluate::run(args).await,
        Command::Exactness(args) => exactness::run(args).await,
        Command::Profile(args) => profile::run(args).await,
        Command::Classify(args) => classify::run(args).await,
        Command::Deploy(args) => deploy::run(args).await,
        Command::Status(args) => status::run(args).await,
        Command::Cache(args) => cache::run(args).await,
        Command::Keepalive(args) => keepalive::run(args).await,
        Command::Bake(args) => bake::run(args),
        Command::Node(args) => node::run(args).await,
        Command::Serve(args) => serve::run(args).await,
        Command::Completions(args) => {
            completions::run(&args, Cli::command());
            Ok(())
        }
        Command::Man(args) => man::run(&args, Cli::command()),
    }
}

fn failed(error: &Error) -> ExitCode {
    eprintln!("error: {error}");
    error.exit_code().into()
}

/// At any moment: what a command writes, it writes so that it can be gone on with.
fn exit_when_interrupted() -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(|| {
        eprintln!("interrupted");
        std::process::exit(INTERRUPTED);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn parses() {
        let parse = |line: &str| Cli::try_parse_from(line.split(' '));
        assert!(parse("inkling compare").is_ok());
        assert!(parse("inkling evaluate --model mlp-64 --samples 10").is_ok());
        assert!(parse("inkling classify 7 --json --contract packed").is_ok());
        assert!(parse("inkling node --port 0 --block-time 2 --arbos 60 --cors http://a.example,http://b.example").is_ok());
        let remote = "inkling deploy --rpc http://localhost:8547 --private-key-env KEY";
        assert!(parse(remote).is_ok());
        assert!(parse("inkling compare --models mlp-64,small --contracts stylus,yul-code").is_ok());
        assert!(parse("inkling profile --model mlp-64").is_ok());
        assert!(parse("inkling exactness --samples 5 --solidity-samples 5").is_ok());
        assert!(parse("inkling bake --model mlp-64").is_ok());
        assert!(parse("inkling serve").is_ok());
        // A page about an endpoint needs to know the contract, and it alone can be published.
        assert!(parse("inkling serve --rpc http://localhost:8547").is_err());
        assert!(parse("inkling serve --out public").is_err());
        assert!(parse("inkling evaluate --contract vyper").is_err());
        assert!(parse("inkling evaluate --samples 0").is_err());
        let account = "--keystore key.json --password-file password";
        let network =
            "--network sepolia --rpc https://a.example,https://b.example --chain-id 421614";
        assert!(parse(&format!("inkling deploy {network} {account}")).is_ok());
        let address = "0x00000000000000000000000000000000000a11ce";
        assert!(
            parse(&format!(
                "inkling classify 7 --address {address} {network} --rpc http://c.example"
            ))
            .is_ok()
        );
        assert!(
            parse(&format!("inkling deploy {network} {account} --private-key-env KEY")).is_err()
        );
    }
}
