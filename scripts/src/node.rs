//! `inkling node`: the embedded chain as a JSON-RPC endpoint.

use crate::{Error, report};
use alloy::signers::local::{LocalSignerError, MnemonicBuilder, PrivateKeySigner};
use inkling_devnode::{
    Chain, ChainConfig, Node, arbos,
    server::{self, ServerConfig},
};
use std::{iter, net::SocketAddr};
use tokio::sync::mpsc;

/// The words from which development chains make their accounts, known to everybody.
const MNEMONIC: &str = "test test test test test test test test test test test junk";

/// Serve a development chain over HTTP and WebSocket, as Nitro's dev node does: chain id 412346, the same funded account.
///
/// It is gone when the node stops. Anybody who reaches the port can use it, so by default only this machine can.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  inkling node --port 8547 &\n  \
cast balance --ether --rpc-url http://127.0.0.1:8547 0x3f1Eae7D46d88F08fc2F8ed27FCb2AB183EB2d0E")]
pub struct Args {
    /// Port for HTTP and WebSocket; 0 for any that is free.
    #[arg(long, default_value_t = 8547)]
    port: u16,
    /// Address or name of the interface to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    /// Accounts with funds beside Nitro's development account, from the mnemonic that other development chains use.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(..=1000))]
    accounts: u32,
    /// Origins of the web pages that may ask, comma-separated; * for all.
    #[arg(long, value_name = "ORIGINS", default_value = "*", value_delimiter = ',')]
    cors: Vec<String>,
}

/// Runs the command until it is interrupted.
///
/// # Errors
/// [`Error::Server`] where it cannot listen; [`Error::Signal`].
pub async fn run(args: Args) -> Result<(), Error> {
    let keys = keys(args.accounts)?;
    let funded = keys.iter().map(PrivateKeySigner::address).collect();
    let config = ChainConfig { funded, ..ChainConfig::default() };
    let chain_id = config.chain_id;
    // Listened for before anybody can know that the node is there.
    let interrupted = interrupted()?;
    let node = Node::new(Chain::new(config));
    let Args { host, port, cors, .. } = args;
    let server =
        server::serve(node, ServerConfig { host, port, cors, ..Default::default() }).await?;
    report::print(&banner(chain_id, &keys, server.address()));
    interrupted.await;
    server.stop().await;
    Ok(())
}

/// Completes at Ctrl-C or SIGTERM.
fn interrupted() -> Result<impl Future<Output = ()>, Error> {
    let (sender, mut receiver) = mpsc::channel(1);
    // A second signal finds the channel full: the first is being obeyed.
    ctrlc::set_handler(move || sender.try_send(()).unwrap_or_default())?;
    Ok(async move { receiver.recv().await.unwrap_or_default() })
}

/// Keys of the funded accounts, Nitro's development account first.
fn keys(from_mnemonic: u32) -> Result<Vec<PrivateKeySigner>, LocalSignerError> {
    let dev = PrivateKeySigner::from_bytes(&arbos::DEV_PRIVATE_KEY)?;
    let others = (0..from_mnemonic).map(|n| MnemonicBuilder::try_from_phrase_nth(MNEMONIC, n));
    iter::once(Ok(dev)).chain(others).collect()
}

fn banner(chain_id: u64, keys: &[PrivateKeySigner], address: SocketAddr) -> String {
    let mut text = format!(
        "Inkling {} on chain {chain_id}\n\nAccounts, with 100,000 ether each, and their private keys:\n",
        env!("CARGO_PKG_VERSION"),
    );
    for key in keys {
        text += &format!("  {}  {}\n", key.address(), key.to_bytes());
    }
    text += &format!(
        "\nEverybody knows these keys, those of Nitro's dev node and of the mnemonic\n  {MNEMONIC}\n\
         never send anything of value to the accounts.\n\n\
         Listening on http://{address} and ws://{address}; stop with Ctrl-C."
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
