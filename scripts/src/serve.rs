//! `inkling serve`: the page on which anybody draws a digit and has a contract read it.

use crate::{
    Error,
    abi::IClassifier,
    artifacts::Contract,
    chain::Connection,
    deployment,
    models::{DEFAULT, Model},
    networks,
    node::{MNEMONIC, interrupted, keys},
    page::{self, Config, Site},
    report,
};
use alloy::{primitives::Address, signers::local::PrivateKeySigner};
use inkling_devnode::{
    Chain, ChainConfig, Node,
    server::{self, ServerConfig, ServerHandle},
    time,
};
use std::{net::IpAddr, path::PathBuf};

/// Serve the page on which anybody draws a digit and has a contract read it.
///
/// Without --rpc the page is about a chain of its own: a development chain as `inkling node` serves it, with the model in
/// the Stylus contract and in its Solidity twin.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  inkling serve
  inkling serve --rpc https://sepolia-rollup.arbitrum.io/rpc --address 0x… --solidity-address 0x…
  inkling serve --rpc https://sepolia-rollup.arbitrum.io/rpc --address 0x… --out public")]
pub struct Args {
    /// Port of the page; 0 for any that is free.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Address or name of the interface to listen on, by which the browser finds this machine.
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    /// JSON-RPC endpoint of the chain that the contracts are on; everybody who opens the page sees it.
    #[arg(long, value_name = "URL", requires = "address")]
    rpc: Option<String>,
    /// Address of the Stylus contract.
    #[arg(long, requires = "rpc")]
    address: Option<Address>,
    /// Address of a Solidity contract with the same model, to compare gas with.
    #[arg(long, value_name = "ADDRESS", requires = "rpc")]
    solidity_address: Option<Address>,
    /// Name of the chain [default: by its id].
    #[arg(long, value_name = "NAME", requires = "rpc")]
    chain_name: Option<String>,
    /// Explorer that links lead to [default: by the chain's id, where it is an Arbitrum chain].
    #[arg(long, value_name = "URL", requires = "rpc")]
    explorer: Option<String>,
    /// Write the page into this folder, for any web server, and serve nothing.
    #[arg(long, value_name = "DIR", requires = "rpc")]
    out: Option<PathBuf>,
    /// Model on the page's own chain: a shipped model or a trained file (*.safetensors).
    #[arg(long, default_value = DEFAULT)]
    model: String,
    /// Port of the page's own chain; 0 for any that is free.
    #[arg(long, value_name = "PORT", default_value_t = 8547)]
    node_port: u16,
}

/// Runs the command until it is interrupted.
///
/// # Errors
/// [`Error::Usage`] of a host that no browser can name; [`Error::Server`] where it cannot listen; [`Error::Chain`] where
/// the endpoint or a contract does not answer; others of [`Error`].
pub async fn run(args: Args) -> Result<(), Error> {
    let mut interrupted = interrupted()?;
    let (config, demo) = match (&args.rpc, args.address) {
        (Some(rpc), Some(address)) => (configured(rpc, address, &args).await?, None),
        _ => {
            if args.host.parse::<IpAddr>().is_ok_and(|host| host.is_unspecified()) {
                let why = "the page looks for its chain at --host: give the address by which browsers find this machine";
                return Err(Error::Usage(why.into()));
            }
            let model = Model::open(&args.model)?;
            eprintln!("deploying {} to a chain of this program …", model.name);
            let demo = Demo::new(&model, &args.host, args.node_port).await?;
            (demo.config.clone(), Some(demo))
        }
    };
    let site = Site::new(&config)?;
    if let Some(dir) = args.out {
        site.write(&dir)?;
        report::print(&format!("wrote the page into {}", dir.display()));
        return Ok(());
    }
    let server = page::serve(site, &args.host, args.port).await?;
    report::print(&banner(&format!("http://{}", server.address()), &config, demo.as_ref()));
    interrupted.recv().await;
    Ok(())
}

/// What the page is about where contracts and endpoint are given, once they have answered.
async fn configured(rpc: &str, address: Address, args: &Args) -> Result<Config, Error> {
    let chain = Connection::endpoints(&[rpc.to_owned().into()], None, None, None).await?;
    for contract in [Some(address), args.solidity_address].into_iter().flatten() {
        if !chain.call(contract, &IClassifier::isModelReadyCall {}).await? {
            eprintln!("warning: the contract at {contract} has no model yet; the page says so");
        }
    }
    let chain_id = chain.chain_id();
    let explorer = networks::explorer(chain_id);
    Ok(Config {
        chain_id,
        chain_name: args.chain_name.clone().unwrap_or_else(|| networks::name(chain_id)),
        rpc: rpc.into(),
        address,
        solidity_address: args.solidity_address,
        explorer: args.explorer.clone().or(explorer.map(Into::into)),
    })
}

/// A chain of this process behind a socket, with a model in the Stylus contract and in its Solidity twin.
pub struct Demo {
    /// The chain.
    pub node: Node,
    /// What a page about it needs to know.
    pub config: Config,
    _server: ServerHandle,
}

impl Demo {
    /// Makes the chain, deploys to it, and serves it on `port`, 0 for any that is free.
    ///
    /// # Errors
    /// [`Error::Deployment`] where a contract does not take the model; [`Error::Server`] where it cannot listen there.
    pub async fn new(model: &Model, host: &str, port: u16) -> Result<Self, Error> {
        let keys = keys(1)?;
        let chain = Chain::new(ChainConfig {
            genesis_time: time::now(),
            wall_clock: true,
            funded: keys.iter().map(PrivateKeySigner::address).collect(),
            ..ChainConfig::default()
        });
        let node = Node::with_accounts(chain, keys);
        let chain = Connection::to_node(node.clone()).await?;
        let stylus = deployment::deploy(&chain, Contract::Stylus, model).await?.address;
        chain.set_cached(stylus, true).await?;
        let twin = deployment::deploy(&chain, Contract::Stylus.twin(), model).await?.address;

        let listen = ServerConfig { host: host.into(), port, ..ServerConfig::default() };
        let server = server::serve(node.clone(), listen).await?;
        let config = Config {
            chain_id: chain.chain_id(),
            chain_name: networks::name(chain.chain_id()),
            rpc: format!("http://{}", server.address()),
            address: stylus,
            solidity_address: Some(twin),
            explorer: None,
        };
        Ok(Self { node, config, _server: server })
    }
}

fn banner(page: &str, config: &Config, demo: Option<&Demo>) -> String {
    let Config { chain_name, chain_id, rpc, address, solidity_address, .. } = config;
    let mut text = format!("Chain      {chain_name} ({chain_id}) at {rpc}\nStylus     {address}\n");
    if let Some(address) = solidity_address {
        text += &format!("Solidity   {address}\n");
    }
    if demo.is_some() {
        text += &format!(
            "\nTo record a reading, a wallet needs an account with funds: import\n  {MNEMONIC}\n\
             Everybody knows it: never send anything of value to its accounts.\n"
        );
    }
    text + &format!("\nThe page is at {page}; stop with Ctrl-C.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tiny_model;

    #[tokio::test]
    async fn a_page_of_its_own() {
        let model = tiny_model(3, &[8, 10]);
        let demo = Demo::new(&model, "127.0.0.1", 0).await.unwrap();
        let config = &demo.config;
        let args = Args {
            port: 0,
            host: "127.0.0.1".into(),
            rpc: Some(config.rpc.clone()),
            address: Some(config.address),
            solidity_address: config.solidity_address,
            chain_name: None,
            explorer: None,
            out: None,
            model: String::new(),
            node_port: 0,
        };
        assert_eq!(configured(&config.rpc, config.address, &args).await.unwrap(), *config);
        let nobody = Address::repeat_byte(1);
        let error = configured(&config.rpc, nobody, &args).await.unwrap_err();
        assert!(matches!(error, Error::Chain(_)), "{error}");

        let server = page::serve(Site::new(config).unwrap(), &args.host, args.port).await.unwrap();
        let url = format!("http://{}/config.json", server.address());
        let answer = reqwest::get(url).await.unwrap();
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        assert_eq!(answer.text().await.unwrap(), format!("{:#}\n", serde_json::json!(config)));
    }
}
