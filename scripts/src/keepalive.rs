//! `inkling keepalive`: a program lasts another year.

use crate::{
    Error,
    abi::IArbWasm,
    accounts::AccountArgs,
    cache::active,
    chain::Connection,
    deployment::with_margin,
    networks::{self, NetworkArgs},
    program::{self, DAY, Keepalive, Program},
    report,
    spend::{SpendArgs, spend},
};
use alloy::primitives::{Address, B256, U256, utils::format_ether};
use serde::Serialize;

/// Prolong the activation of a Stylus program, which ends a year after it was made.
///
/// The cost is said first. Anybody may pay it; an activation that has ended must be made anew.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:
  inkling keepalive --network sepolia --address 0x00000000000000000000000000000000000a11ce --keystore key.json --yes")]
pub struct Args {
    /// Address of the Stylus contract.
    #[arg(long)]
    address: Address,
    #[command(flatten)]
    spend: SpendArgs,
    /// Print JSON, and nothing else.
    #[arg(long)]
    json: bool,
    /// Which chain.
    #[command(flatten)]
    network: NetworkArgs,
    /// Who pays.
    #[command(flatten)]
    account: AccountArgs,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Prolonged {
    /// Chain id.
    pub chain_id: u64,
    /// The contract.
    pub address: Address,
    /// Hash of its code, which is what is prolonged.
    pub codehash: B256,
    /// Whole days until it would have expired.
    pub days_left_before: Option<u64>,
    /// Whole days until it expires.
    pub days_left: Option<u64>,
    /// Wei that it cost beside gas, or would.
    pub data_fee_wei: U256,
    /// The transaction; `None` where there was none.
    pub transaction: Option<B256>,
    /// Its gas, less what paid for posting it to L1.
    pub gas: Option<u64>,
}

/// Runs the command.
///
/// # Errors
/// [`Error`].
pub async fn run(args: Args) -> Result<(), Error> {
    let account = args.account.required("a keepalive").await?;
    let chain = args.network.connect(Some(account)).await?;
    let done = keepalive(&chain, args.address, args.spend).await?;
    match args.json {
        true => report::print(&format_args!("{:#}", serde_json::json!(done))),
        false => report::print(&done.words()),
    }
    Ok(())
}

/// Prolongs the activation of the program at an address.
///
/// # Errors
/// [`Error::Refused`] where there is no active program, or it is too young; others of [`Error`].
pub async fn keepalive(
    chain: &Connection,
    address: Address,
    args: SpendArgs,
) -> Result<Prolonged, Error> {
    let program = active(chain, address).await?;
    let fee = match program::keepalive(chain, program.codehash).await? {
        Keepalive::Fee(fee) => fee,
        Keepalive::TooSoon { age, least } => {
            let (age, least) = (age / DAY, least / DAY);
            return Err(Error::Refused(format!(
                "the program was activated {age} days ago, and can be prolonged after {least}"
            )));
        }
    };
    let mut done = Prolonged {
        chain_id: chain.chain_id(),
        address,
        codehash: program.codehash,
        days_left_before: program.days_left(),
        days_left: program.days_left(),
        data_fee_wei: fee,
        transaction: None,
        gas: None,
    };
    let request = program::keepalive_request(program.codehash, with_margin(fee));
    let Some(receipt) = spend(chain, "Another year", &request, args).await? else {
        return Ok(done);
    };
    let paid = receipt.event::<IArbWasm::ProgramLifetimeExtended>();
    done.data_fee_wei = paid.map_or(fee, |event| event.dataFee);
    done.days_left = Program::read(chain, address).await?.and_then(|program| program.days_left());
    (done.transaction, done.gas) = (Some(receipt.transaction_hash), Some(receipt.gas()));
    Ok(done)
}

impl Prolonged {
    fn words(&self) -> String {
        let Some(hash) = self.transaction else { return "nothing was sent".into() };
        let link = networks::transaction_link(self.chain_id, hash);
        format!(
            "{} expires in {} days, for {} ether and {} gas\n{}",
            self.address,
            self.days_left.unwrap_or_default(),
            format_ether(self.data_fee_wei),
            report::thousands(self.gas.unwrap_or_default()),
            link.unwrap_or_else(|| format!("transaction {hash}"))
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{artifacts::Contract, deployment, program::State, testing::tiny_model};
    use inkling_devnode::{Chain, ChainConfig, Node};

    const YES: SpendArgs = SpendArgs { dry_run: false, yes: true };

    /// Lets days pass.
    fn pass(node: &Node, days: u64) {
        let mut chain = node.chain();
        let now = chain.latest().header.timestamp;
        chain.set_next_time(now + days * DAY);
        chain.mine();
    }

    #[tokio::test]
    async fn a_program_lasts_another_year() {
        let node = Node::new(Chain::new(ChainConfig::default()));
        let chain = Connection::to_node(node.clone()).await.unwrap();
        let model = tiny_model(3, &[8, 10]);
        let deployed = deployment::create(&chain, Contract::Stylus, &model).await.unwrap();
        let error = keepalive(&chain, deployed.address, YES).await.unwrap_err();
        let said = "the program was activated 0 days ago, and can be prolonged after 31";
        assert!(error.to_string().contains(said) && error.exit_code() == 4, "{error}");

        pass(&node, 100);
        let dry = SpendArgs { dry_run: true, yes: false };
        let asked = keepalive(&chain, deployed.address, dry).await.unwrap();
        assert_eq!((asked.days_left, asked.transaction), (Some(264), None));
        assert!(asked.data_fee_wei > U256::ZERO);
        let before = chain.balance().await.unwrap();
        let done = keepalive(&chain, deployed.address, YES).await.unwrap();
        assert_eq!((done.days_left_before, done.days_left), (Some(264), Some(364)));
        let gas = U256::from(done.gas.unwrap()) * U256::from(chain.gas_price().await.unwrap());
        // What was too much came back.
        assert_eq!(before - chain.balance().await.unwrap(), done.data_fee_wei + gas);

        pass(&node, 366);
        let program = Program::read(&chain, deployed.address).await.unwrap().unwrap();
        assert_eq!((program.state, program.version), (State::Expired, None));
        let error = keepalive(&chain, deployed.address, YES).await.unwrap_err();
        assert!(error.to_string().contains("is not active"), "{error}");
    }
}
