//! Which chain: a preset by name, or endpoints by URL.
//!
//! Chain ids and public endpoints are those of Arbitrum's documentation ("RPC endpoints and providers"). A public endpoint
//! limits how often it is asked; `--rpc` puts others in its place, and keeps the preset's chain id as what they must say.

use crate::{
    accounts::Account,
    chain::{Connection, Error, RpcUrl},
};
use alloy::primitives::{Address, B256};
use clap::ValueEnum;
use std::num::NonZeroU32;

/// A chain that is known by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Network {
    /// Arbitrum One: real money.
    ArbitrumOne,
    /// Arbitrum Nova: real money.
    Nova,
    /// Arbitrum Sepolia, the public test chain.
    Sepolia,
    /// Nitro's dev node on this machine.
    Dev,
    /// `inkling node` on this machine.
    Local,
}

impl Network {
    /// Chain id.
    pub const fn chain_id(self) -> u64 {
        match self {
            Self::ArbitrumOne => 42_161,
            Self::Nova => 42_170,
            Self::Sepolia => 421_614,
            Self::Dev | Self::Local => 412_346,
        }
    }

    /// Its public endpoint.
    pub const fn rpc(self) -> &'static str {
        match self {
            Self::ArbitrumOne => "https://arb1.arbitrum.io/rpc",
            Self::Nova => "https://nova.arbitrum.io/rpc",
            Self::Sepolia => "https://sepolia-rollup.arbitrum.io/rpc",
            Self::Dev | Self::Local => "http://127.0.0.1:8547",
        }
    }
}

/// A chain's name for readers.
pub fn name(chain_id: u64) -> String {
    match chain_id {
        42_161 => "Arbitrum One".into(),
        42_170 => "Arbitrum Nova".into(),
        421_614 => "Arbitrum Sepolia".into(),
        412_346 => "a development chain".into(),
        other => format!("chain {other}"),
    }
}

/// The page that shows what is on a chain, where there is one.
pub const fn explorer(chain_id: u64) -> Option<&'static str> {
    match chain_id {
        42_161 => Some("https://arbiscan.io"),
        42_170 => Some("https://nova.arbiscan.io"),
        421_614 => Some("https://sepolia.arbiscan.io"),
        _ => None,
    }
}

/// Where the explorer shows an account.
pub fn address_link(chain_id: u64, address: Address) -> Option<String> {
    explorer(chain_id).map(|page| format!("{page}/address/{address}"))
}

/// Where the explorer shows a transaction.
pub fn transaction_link(chain_id: u64, hash: B256) -> Option<String> {
    explorer(chain_id).map(|page| format!("{page}/tx/{hash}"))
}

/// Heading of its options. clap would give a heading of the whole group to the options that follow it, too.
const HEADING: &str = "Network";

/// Which chain a command goes to.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct NetworkArgs {
    /// A chain by its name, with its public endpoint.
    #[arg(long, help_heading = HEADING, value_enum, value_name = "NAME")]
    pub network: Option<Network>,
    /// JSON-RPC endpoint; of several, which are all to be of one chain, the next takes over when one fails.
    #[arg(long, help_heading = HEADING, value_name = "URL", value_delimiter = ',')]
    pub rpc: Vec<RpcUrl>,
    /// Refuse a chain with another id [default: the --network's].
    #[arg(long, help_heading = HEADING, value_name = "N")]
    pub chain_id: Option<u64>,
    /// Most requests a second.
    #[arg(long, help_heading = HEADING, value_name = "N")]
    pub rate_limit: Option<NonZeroU32>,
}

impl NetworkArgs {
    /// Whether they name a chain.
    pub fn is_named(&self) -> bool {
        self.network.is_some() || !self.rpc.is_empty()
    }

    /// Connects to the chain.
    ///
    /// # Errors
    /// As [`Connection::endpoints`]; [`Error::NoNetwork`] where the arguments name none; [`Error::ChainId`] where they
    /// contradict each other.
    pub async fn connect(&self, account: Option<Account>) -> Result<Connection, Error> {
        let preset = self.network.map(Network::chain_id);
        if let (Some(got), Some(expected)) = (preset, self.chain_id)
            && got != expected
        {
            return Err(Error::ChainId { endpoint: "--network".into(), got, expected });
        }
        let urls = match self.network {
            _ if !self.rpc.is_empty() => self.rpc.clone(),
            Some(network) => vec![network.rpc().to_owned().into()],
            None => return Err(Error::NoNetwork),
        };
        Connection::endpoints(&urls, self.chain_id.or(preset), self.rate_limit, account).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::address;

    #[tokio::test]
    async fn contradictions_are_found_before_anybody_is_asked() {
        let args = NetworkArgs {
            network: Some(Network::Sepolia),
            chain_id: Some(42_161),
            ..NetworkArgs::default()
        };
        let error = args.connect(None).await.err().unwrap();
        assert!(matches!(error, Error::ChainId { got: 421_614, expected: 42_161, .. }), "{error}");
        let error = NetworkArgs::default().connect(None).await.err().unwrap();
        assert!(matches!(error, Error::NoNetwork), "{error}");
    }

    #[test]
    fn links() {
        let address = address!("00000000000000000000000000000000000a11ce");
        assert_eq!(
            address_link(421_614, address).unwrap(),
            "https://sepolia.arbiscan.io/address/0x00000000000000000000000000000000000A11cE"
        );
        assert_eq!(transaction_link(412_346, B256::ZERO), None);
        for network in Network::value_variants() {
            let rpc = RpcUrl::from(network.rpc().to_owned());
            assert!(network.rpc().starts_with(&rpc.to_string()));
        }
    }
}
