//! Asking before something is paid.

use crate::{
    Error,
    chain::{Connection, Receipt, Request},
    logging::note,
    report::thousands,
};
use alloy::primitives::{U256, utils::format_ether};
use std::io::{self, IsTerminal, Write};

/// Whether a transaction is made.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct SpendArgs {
    /// Say what it would cost, and send nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask.
    #[arg(short, long, conflicts_with = "dry_run")]
    pub yes: bool,
}

/// What a transaction costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Wei that it brings along.
    pub value: U256,
    /// Gas that it is estimated to take, with what pays for posting it to L1.
    pub gas: u64,
    /// Wei for each.
    pub gas_price: u128,
}

impl Cost {
    /// Of a transaction, by its estimate.
    ///
    /// # Errors
    /// [`Error::Refused`] where the chain would refuse it, or the account has less than it costs.
    pub async fn of(chain: &Connection, request: &Request) -> Result<Self, Error> {
        let gas_price = chain.gas_price().await?;
        let balance = chain.balance().await?;
        let ether = |wei| format!("{} ether", format_ether(wei));
        if balance < request.value {
            let (have, want) = (ether(balance), ether(request.value));
            return Err(Error::Refused(format!("the account has {have}, it takes {want}")));
        }
        let gas =
            chain.estimate(request).await.map_err(|error| Error::Refused(error.to_string()))?;
        let cost = Self { value: request.value, gas, gas_price };
        match balance < cost.total() {
            true => {
                let (have, want) = (ether(balance), ether(cost.total()));
                Err(Error::Refused(format!("the account has {have}, it takes {want}")))
            }
            false => Ok(cost),
        }
    }

    /// Wei in all.
    pub fn total(&self) -> U256 {
        self.value + U256::from(self.gas) * U256::from(self.gas_price)
    }

    /// In words.
    pub fn words(&self) -> String {
        format!(
            "{} ether: {} with it, and {} gas at {} gwei",
            format_ether(self.total()),
            format_ether(self.value),
            thousands(self.gas),
            alloy::primitives::utils::format_units(self.gas_price, "gwei").unwrap_or_default(),
        )
    }
}

/// Says what a transaction costs, asks if it may be sent, and sends it; `None` where it is not to be.
///
/// # Errors
/// As [`Cost::of`]; [`Error::Usage`] where there is nobody to ask; [`Error::Chain`].
pub async fn spend(
    chain: &Connection,
    what: &str,
    request: &Request,
    args: SpendArgs,
) -> Result<Option<Receipt>, Error> {
    let cost = Cost::of(chain, request).await?;
    note(&format!("{what} costs {}", cost.words()));
    if args.dry_run || !(args.yes || agreed()?) {
        return Ok(None);
    }
    Ok(Some(chain.send(request).await?))
}

/// Asks on the terminal whether to send what was told.
///
/// # Errors
/// [`Error::Usage`] where there is nobody to ask.
pub fn agreed() -> Result<bool, Error> {
    if !io::stdin().is_terminal() {
        return Err(Error::Usage("nobody can be asked: give --yes".into()));
    }
    Ok(matches!(&*answer("Send it?"), "y" | "Y" | "yes"))
}

/// What is answered to a question on the terminal; nothing where nothing can be read.
pub fn answer(question: &str) -> String {
    eprint!("{question} [y/N] ");
    let _ = io::stderr().flush();
    let mut answer = String::new();
    match io::stdin().read_line(&mut answer) {
        Ok(_) => answer.trim().into(),
        Err(_) => String::new(),
    }
}
