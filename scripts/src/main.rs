//! `inkling`: see [`inkling`] for the library under it.

use clap::{Parser, Subcommand};
use inkling::{
    bake, cache, classify, compare, deploy, evaluate, exactness, keepalive, node, profile, status,
};
use std::process::ExitCode;

/// Quantized neural networks in Arbitrum Stylus contracts: deploy them, run them, compare their gas with Solidity's.
///
/// Without --rpc a command runs on a chain of its own, embedded in this program.
#[derive(Parser)]
#[command(
    version,
    after_help = "Exit codes: 0 success; 1 a check failed (an answer differs from the reference); \
2 wrong usage; 3 a file could not be read or written, or the chain refused something."
)]
struct Cli {
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
}

#[tokio::main]
async fn main() -> ExitCode {
    let result = match Cli::parse().command {
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
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            error.exit_code().into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

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
