//! `inkling node`: the embedded chain as a JSON-RPC endpoint.

use crate::{Error, report};
use alloy::signers::local::{LocalSignerError, MnemonicBuilder, PrivateKeySigner};
use inkling_devnode::{
    Chain, ChainConfig, Node, StateFileError, arbos,
    server::{self, ServerConfig},
    stylus::StylusParams,
    time,
};
use std::{iter, path::PathBuf, sync::Arc, time::Duration};
use tokio::sync::mpsc;

/// The words from which development chains make their accounts, known to everybody.
pub(crate) const MNEMONIC: &str = "test test test test test test test test test test test junk";

/// How often a chain that changes is written to its file.
const SAVE_EVERY: Duration = Duration::from_secs(10);

/// How long clients are waited for when the node stops.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// Serve a development chain over HTTP and WebSocket: chain id and account of Nitro's dev node.
///
/// Every transaction makes a block at once. Anybody who reaches the port can use the chain and its accounts, so by
/// default only this machine can.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:
  inkling node --state chain.json &
  cast balance --rpc-url http://127.0.0.1:8547 0x3f1Eae7D46d88F08fc2F8ed27FCb2AB183EB2d0E")]
pub struct Args {
    /// Port for HTTP and WebSocket; 0 for any that is free.
    #[arg(long, default_value_t = 8547)]
    port: u16,
    /// Address or name of the interface to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    /// Make a block every so many seconds, and not for each transaction.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    block_time: Option<u32>,
    /// File to go on from where it exists; written when the node stops, and every ten seconds while the
    /// chain changes.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Accounts with funds, beside Nitro's development account, from the mnemonic of other development chains.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(..=1_000))]
    accounts: u32,
    /// Origins of the web pages that may ask, comma-separated; * for all.
    #[arg(long, value_name = "ORIGINS", default_value = "*", value_delimiter = ',')]
    cors: Vec<String>,
    /// ArbOS version whose rules the chain has.
    #[arg(long, value_name = "VERSION", default_value = "51", value_parser = StylusParams::preset)]
    arbos: StylusParams,
}

/// Runs the command until it is interrupted.
///
/// # Errors
/// [`Error::Server`] where it cannot listen; [`Error::State`], [`Error::Signal`].
pub async fn run(args: Args) -> Result<(), Error> {
    // Before anybody can know that the node is there.
    let mut interrupted = interrupted()?;
    let keys = keys(args.accounts)?;
    let chain = chain(&args, &keys)?;
    let text = banner(&chain, &keys);
    let node = Node::with_accounts(chain, keys);
    let mut saver = args.state.map(|path| Saver { node: node.clone(), path, saved: None });
    let Args { host, port, cors, .. } = args;
    let config = ServerConfig { host, port, cors, ..ServerConfig::default() };
    let server = server::serve(node.clone(), config).await?;
    // At once, so that a file that cannot be written is found out now.
    save(&mut saver).await?;
    let at = server.address();
    let miner = args.block_time.map(|seconds| tokio::spawn(mine(node, seconds)));
    report::print(&format!("{text}\nListening on http://{at} and ws://{at}; stop with Ctrl-C."));

    while tokio::time::timeout(SAVE_EVERY, interrupted.recv()).await.is_err() {
        if let Err(error) = save(&mut saver).await {
            eprintln!("error: {error}");
        }
    }
    // Calls that still run are soon out of gas.
    let _ = tokio::time::timeout(STOP_WITHIN, server.stop()).await;
    if let Some(miner) = miner {
        miner.abort();
    }
    Ok(save(&mut saver).await?)
}

/// The chain to begin with.
fn chain(args: &Args, keys: &[PrivateKeySigner]) -> Result<Chain, StateFileError> {
    let config = ChainConfig {
        genesis_time: time::now(),
        wall_clock: true,
        stylus: args.arbos.clone(),
        funded: keys.iter().map(PrivateKeySigner::address).collect(),
        ..ChainConfig::default()
    };
    let mut chain = match &args.state {
        Some(path) if path.exists() => Chain::load(config, path)?,
        _ => Chain::new(config),
    };
    chain.set_automine(args.block_time.is_none());
    Ok(chain)
}

/// Makes a block every so many seconds.
async fn mine(node: Node, seconds: u32) {
    let period = Duration::from_secs(seconds.into());
    loop {
        tokio::time::sleep(period).await;
        let node = node.clone();
        // Making a block may wait for a transaction that runs.
        let _ = tokio::task::spawn_blocking(move || node.chain().mine()).await;
    }
}

/// Keeps a chain in a file.
struct Saver {
    node: Node,
    path: PathBuf,
    /// What is in the file.
    saved: Option<Arc<Chain>>,
}

/// Writes the chain to its file, if there is one and the chain has changed.
async fn save(saver: &mut Option<Saver>) -> Result<(), StateFileError> {
    let Some(Saver { node, path, saved }) = saver else { return Ok(()) };
    let chain = node.read();
    if saved.as_ref().is_some_and(|saved| Arc::ptr_eq(saved, &chain)) {
        return Ok(());
    }
    tokio::task::block_in_place(|| chain.save(path))?;
    *saved = Some(chain);
    Ok(())
}

/// Receives at Ctrl-C or SIGTERM.
pub(crate) fn interrupted() -> Result<mpsc::Receiver<()>, ctrlc::Error> {
    let (sender, receiver) = mpsc::channel(1);
    // A second signal finds the channel full: the first is being obeyed.
    ctrlc::set_handler(move || sender.try_send(()).unwrap_or_default())?;
    Ok(receiver)
}

/// Keys of the funded accounts, Nitro's development account first.
pub(crate) fn keys(from_mnemonic: u32) -> Result<Vec<PrivateKeySigner>, LocalSignerError> {
    let dev = PrivateKeySigner::from_bytes(&arbos::DEV_PRIVATE_KEY)?;
    let others = (0..from_mnemonic).map(|n| MnemonicBuilder::try_from_phrase_nth(MNEMONIC, n));
    iter::once(Ok(dev)).chain(others).collect()
}

fn banner(chain: &Chain, keys: &[PrivateKeySigner]) -> String {
    let config = chain.config();
    let mut text = format!(
        "Inkling {}: chain {}, {}, at block {}\n\nAccounts and their private keys:\n",
        env!("CARGO_PKG_VERSION"),
        config.chain_id,
        config.stylus.name(),
        chain.number(),
    );
    for key in keys {
        text += &format!("  {}  {}\n", key.address(), key.to_bytes());
    }
    text += &format!(
        "\nEverybody knows these keys: they are Nitro's dev node's and those of the mnemonic\n  {MNEMONIC}\n\
         Never send anything of value to these accounts.\n"
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_the_well_known_ones() {
        let addresses: Vec<String> =
            keys(2).unwrap().iter().map(|key| key.address().to_string()).collect();
        assert_eq!(
            addresses,
            [
                "0x3f1Eae7D46d88F08fc2F8ed27FCb2AB183EB2d0E",
                "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
                "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
            ]
        );
    }
}
