//! `inkling`: see [`inkling`] for the library under it.

use clap::{Parser, Subcommand};
use inkling::{bake, classify, compare, deploy, evaluate, exactness, node, profile, serve};
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
    Bake(bake::Args),
    Node(node::Args),
    Serve(serve::Args),
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
        Command::Bake(args) => bake::run(args),
        Command::Node(args) => node::run(args).await,
        Command::Serve(args) => serve::run(args).await,
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
        // There is no deployment to an endpoint without a key, and no key on the command line.
        assert!(parse("inkling deploy --rpc http://localhost:8547").is_err());
        assert!(parse("inkling deploy --private-key 0x01").is_err());
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
        // An address means nothing on a chain that was just made.
        let address = "0x00000000000000000000000000000000000a11ce";
        assert!(parse(&format!("inkling classify 7 --address {address}")).is_err());
    }
}
