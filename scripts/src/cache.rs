//! `inkling cache`: a bid for a place in ArbOS's cache, from which a program starts cheaper.

use crate::{
    Error,
    accounts::AccountArgs,
    chain::Connection,
    networks::{self, NetworkArgs},
    program::{self, Program, State},
    report,
    spend::{SpendArgs, spend},
};
use alloy::primitives::{
    Address, B256, U256,
    utils::{format_ether, parse_ether},
};
use serde::Serialize;

/// Bid for a place in the cache of Stylus programs, where a program starts for less gas.
///
/// The cost is said first. Places go to the highest bids, which decay with time; a bid is not paid back.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:
  inkling cache --network sepolia --address 0x00000000000000000000000000000000000a11ce --keystore key.json --dry-run")]
pub struct Args {
    /// Address of the Stylus contract.
    #[arg(long)]
    address: Address,
    /// Ether to bid [default: the least that gets a place now].
    #[arg(long, value_name = "ETHER", value_parser = ether)]
    bid: Option<U256>,
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

fn ether(text: &str) -> Result<U256, String> {
    // A sign would be taken, and wrapped; nothing would be zero.
    let parsed = parse_ether(text).ok().filter(|_| text.starts_with(|c: char| c.is_ascii_digit()));
    parsed.ok_or_else(|| "expected ether, such as 0.001".into())
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cached {
    /// Chain id.
    pub chain_id: u64,
    /// The contract.
    pub address: Address,
    /// Hash of its code, which is what is cached.
    pub codehash: B256,
    /// Whether it is cached now.
    pub cached: bool,
    /// Wei that a place took at least; `None` where it had one.
    pub least_bid_wei: Option<U256>,
    /// Wei that were bid, or would be.
    pub bid_wei: Option<U256>,
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
    let account = args.account.required("a bid").await?;
    let chain = args.network.connect(Some(account)).await?;
    let done = cache(&chain, args.address, args.bid, args.spend).await?;
    match args.json {
        true => report::print(&format_args!("{:#}", serde_json::json!(done))),
        false => report::print(&done.words(args.spend.dry_run)),
    }
    Ok(())
}

/// Bids for a place, unless the program has one.
///
/// # Errors
/// [`Error::Refused`] where there is no active program, no CacheManager, or the bid is too small; others of [`Error`].
pub async fn cache(
    chain: &Connection,
    address: Address,
    bid: Option<U256>,
    args: SpendArgs,
) -> Result<Cached, Error> {
    let program = active(chain, address).await?;
    let mut done = Cached {
        chain_id: chain.chain_id(),
        address,
        codehash: program.codehash,
        cached: program.cached,
        least_bid_wei: None,
        bid_wei: None,
        transaction: None,
        gas: None,
    };
    if program.cached {
        return Ok(done);
    }
    let manager = program::cache_manager(chain).await?;
    let manager =
        manager.ok_or_else(|| Error::Refused("the chain sells no places in its cache".into()))?;
    let least = program::least_bid(chain, manager, address).await;
    let least = least.map_err(|error| Error::Refused(error.to_string()))?;
    let bid = bid.unwrap_or(least);
    if bid < least {
        let (bid, least) = (format_ether(bid), format_ether(least));
        return Err(Error::Refused(format!(
            "a bid of {bid} ether is too small, {least} ether is the least"
        )));
    }
    (done.least_bid_wei, done.bid_wei) = (Some(least), Some(bid));
    let request = program::bid_request(manager, address, bid);
    let Some(receipt) = spend(chain, "A place in the cache", &request, args).await? else {
        return Ok(done);
    };
    done.cached = Program::read(chain, address).await?.is_some_and(|program| program.cached);
    (done.transaction, done.gas) = (Some(receipt.transaction_hash), Some(receipt.gas()));
    Ok(done)
}

/// The program at an address, which must be active.
///
/// # Errors
/// [`Error::Refused`] where there is none, [`Error::Chain`].
pub(crate) async fn active(chain: &Connection, address: Address) -> Result<Program, Error> {
    match Program::read(chain, address).await? {
        Some(program) if program.state == State::Active => Ok(program),
        Some(_) => Err(Error::Refused(format!("the program at {address} is not active"))),
        None => Err(Error::Refused(format!("there is no Stylus program at {address}"))),
    }
}

impl Cached {
    fn words(&self, dry_run: bool) -> String {
        let Self { chain_id, address, cached, transaction, bid_wei, .. } = self;
        match (transaction, bid_wei) {
            (Some(hash), Some(bid)) => {
                let link = networks::transaction_link(*chain_id, *hash);
                let state = if *cached { "cached" } else { "not cached: others have bid more" };
                format!(
                    "{address} is {state}, for {} ether and {} gas\n{}",
                    format_ether(*bid),
                    report::thousands(self.gas.unwrap_or_default()),
                    link.unwrap_or_else(|| format!("transaction {hash}"))
                )
            }
            _ if *cached => format!("{address} is cached already"),
            _ if dry_run => "nothing was sent, as this is a dry run".into(),
            _ => "nothing was sent".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{artifacts::Contract, deployment, testing::tiny_model};
    use inkling_devnode::predeploys::CACHE_MANAGER;

    const YES: SpendArgs = SpendArgs { dry_run: false, yes: true };

    #[tokio::test]
    async fn a_place_is_paid_once() {
        let chain = Connection::embedded().await.unwrap();
        let model = tiny_model(3, &[8, 10]);
        let deployed = deployment::create(&chain, Contract::Stylus, &model).await.unwrap();
        let address = deployed.address;
        let dry = SpendArgs { dry_run: true, yes: false };
        let bid = Some(U256::from(7));
        let done = cache(&chain, address, bid, dry).await.unwrap();
        assert_eq!((done.cached, done.transaction, done.bid_wei), (false, None, bid));
        assert_eq!(done.least_bid_wei, Some(U256::ZERO));

        let done = cache(&chain, address, bid, YES).await.unwrap();
        assert!(done.cached && done.transaction.is_some());
        assert!(
            done.words(false)
                .starts_with(&format!("{address} is cached, for 0.000000000000000007 ether"))
        );
        let again = cache(&chain, address, bid, YES).await.unwrap();
        assert_eq!((again.cached, again.transaction, again.bid_wei), (true, None, None));
        assert_eq!(program::cache_manager(&chain).await.unwrap(), Some(CACHE_MANAGER));
    }

    #[tokio::test]
    async fn what_is_refused_costs_nothing() {
        let chain = Connection::embedded().await.unwrap();
        let model = tiny_model(3, &[8, 10]);
        let solidity = deployment::create(&chain, Contract::Packed, &model).await.unwrap();
        let error = cache(&chain, solidity.address, None, YES).await.unwrap_err();
        assert!(matches!(error, Error::Refused(_)) && error.exit_code() == 4, "{error}");
        let stylus = deployment::create(&chain, Contract::Stylus, &model).await.unwrap();
        let before = chain.balance().await.unwrap();
        let error = cache(&chain, stylus.address, Some(before + U256::ONE), YES).await.unwrap_err();
        assert!(error.to_string().contains("the account has"), "{error}");
        assert_eq!(chain.balance().await.unwrap(), before);
    }

    #[test]
    fn bids_are_ether() {
        assert_eq!(ether("0.001").unwrap(), U256::from(10).pow(U256::from(15)));
        for wrong in ["-1", "+1", "one", ""] {
            assert!(ether(wrong).is_err(), "{wrong}");
        }
    }
}
