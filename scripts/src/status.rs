//! `inkling status`: what stands at an address, and for how long.

use crate::{
    Error,
    abi::IClassifier,
    chain::Connection,
    models::{Model, SHIPPED},
    networks::{self, NetworkArgs},
    program::{Program, State},
    report::{self, thousands},
};
use alloy::primitives::{Address, B256};
use serde::Serialize;

/// Days before its end from which on an activation is said to end soon.
const SOON: u64 = 30;

/// Show a deployed contract: state, owner, model; of a Stylus program, whether it is cached and when it expires.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:
  inkling status --network sepolia --address 0x00000000000000000000000000000000000a11ce --json")]
pub struct Args {
    /// Address of the contract.
    #[arg(long)]
    address: Address,
    /// Which chain.
    #[command(flatten)]
    network: NetworkArgs,
    /// Print JSON, and nothing else.
    #[arg(long)]
    json: bool,
}

/// What a contract is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Chain id.
    pub chain_id: u64,
    /// The contract.
    pub address: Address,
    /// Where an explorer shows it.
    pub explorer: Option<String>,
    /// `empty`, `uploading`, `ready` or `frozen`.
    pub state: &'static str,
    /// Who may change the model.
    pub owner: Address,
    /// The shipped model that it holds.
    pub model: Option<String>,
    /// Commitment to the model.
    pub model_hash: B256,
    /// Words of the model.
    pub words: u32,
    /// Chunks that an upload lacks.
    pub missing_chunks: usize,
    /// The Stylus program; `None` of a Solidity contract.
    pub program: Option<Program>,
    /// Whole days until the program expires.
    pub days_left: Option<u64>,
}

impl Status {
    /// Asks for it.
    ///
    /// # Errors
    /// [`Error::Chain`], also where there is no classifier at the address.
    pub async fn read(chain: &Connection, address: Address) -> Result<Self, Error> {
        let info = chain.call(address, &IClassifier::modelInfoCall {}).await?;
        let state = match info.state {
            0 => "empty",
            1 => "uploading",
            2 => "ready",
            3 => "frozen",
            _ => "unknown",
        };
        let missing = match info.state {
            1 => chain.call(address, &IClassifier::missingChunksCall {}).await?.len(),
            _ => 0,
        };
        let program = Program::read(chain, address).await?;
        Ok(Self {
            chain_id: chain.chain_id(),
            address,
            explorer: networks::address_link(chain.chain_id(), address),
            state,
            owner: chain.call(address, &IClassifier::ownerCall {}).await?,
            model: shipped(info.modelHash),
            model_hash: info.modelHash,
            words: info.words,
            missing_chunks: missing,
            days_left: program.as_ref().and_then(Program::days_left),
            program,
        })
    }

    fn words(&self) -> String {
        let mut lines = vec![
            ("contract", self.address.to_string()),
            ("chain", self.chain_id.to_string()),
            ("state", self.state.to_owned()),
            ("owner", self.owner.to_string()),
            ("model", self.model.clone().unwrap_or_else(|| "not a shipped one".into())),
            ("model hash", self.model_hash.to_string()),
            ("words", thousands(self.words.into())),
        ];
        if self.missing_chunks > 0 {
            lines.push(("missing", format!("{} chunks", self.missing_chunks)));
        }
        match &self.program {
            Some(program) => lines.extend(program_lines(program)),
            None => lines.push(("program", "EVM code, which does not expire".into())),
        }
        if let Some(link) = &self.explorer {
            lines.push(("explorer", link.clone()));
        }
        let lines = lines.iter().map(|(name, value)| format!("{name:<11} {value}"));
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn program_lines(program: &Program) -> Vec<(&'static str, String)> {
    let state = match program.state {
        State::Active => "active",
        State::NotActivated => "not activated: it cannot be called",
        State::NeedsUpgrade => "of an older Stylus version: it must be activated anew",
        State::Expired => "expired: it must be activated anew",
    };
    let mut lines = vec![("program", state.to_owned())];
    if let Some(version) = program.version {
        lines.push(("version", version.to_string()));
    }
    if let Some(days) = program.days_left() {
        let soon = if days < SOON { ": inkling keepalive prolongs it" } else { "" };
        lines.push(("expires", format!("in {days} days{soon}")));
    }
    lines.push(("cached", if program.cached { "yes" } else { "no: inkling cache bids" }.into()));
    if let (Some(gas), Some(cached)) = (program.init_gas, program.cached_init_gas) {
        lines.push((
            "init gas",
            format!("{}, from the cache {}", thousands(gas), thousands(cached)),
        ));
    }
    if let Some(pages) = program.memory_pages {
        lines.push(("memory", format!("{pages} pages")));
    }
    lines
}

/// Name of the shipped model with this hash.
fn shipped(hash: B256) -> Option<String> {
    let models = SHIPPED.iter().filter_map(|name| Model::open(name).ok());
    models.into_iter().find(|model| model.hash == hash).map(|model| model.name)
}

/// Runs the command.
///
/// # Errors
/// [`Error`].
pub async fn run(args: Args) -> Result<(), Error> {
    let chain = args.network.connect(None).await?;
    let status = Status::read(&chain, args.address).await?;
    match args.json {
        true => report::print(&format_args!("{:#}", serde_json::json!(status))),
        false => report::print(&status.words()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{artifacts::Contract, deployment, models::DEFAULT, testing::tiny_model};
    use inkling_devnode::arbos::DEV_ACCOUNT;

    #[tokio::test]
    async fn a_stylus_contract() {
        let chain = Connection::embedded().await.unwrap();
        let model = Model::open(DEFAULT).unwrap();
        let contract = deployment::deploy(&chain, Contract::Stylus, &model).await.unwrap();
        let status = Status::read(&chain, contract.address).await.unwrap();
        assert_eq!((status.state, status.owner, status.words), ("ready", DEV_ACCOUNT, 30));
        assert_eq!((status.model.as_deref(), status.model_hash), (Some(DEFAULT), model.hash));
        let program = status.program.clone().unwrap();
        assert_eq!(
            (program.state, program.cached, program.version),
            (State::Active, false, Some(2))
        );
        assert_eq!((status.days_left, status.explorer.clone()), (Some(364), None));
        assert!(program.init_gas > program.cached_init_gas);
        let text = status.words();
        assert!(text.contains("expires     in 364 days\ncached      no"), "{text}");

        chain.set_cached(contract.address, true).await.unwrap();
        let cached = Program::read(&chain, contract.address).await.unwrap().unwrap();
        assert_eq!(cached, Program { cached: true, ..program });
    }

    #[tokio::test]
    async fn a_solidity_contract_and_none() {
        let chain = Connection::embedded().await.unwrap();
        let model = tiny_model(3, &[8, 10]);
        let contract = deployment::create(&chain, Contract::Packed, &model).await.unwrap();
        let status = Status::read(&chain, contract.address).await.unwrap();
        assert_eq!((status.state, status.program, status.model), ("empty", None, None));
        assert!(Status::read(&chain, DEV_ACCOUNT).await.is_err());
    }
}
