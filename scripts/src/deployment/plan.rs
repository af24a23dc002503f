//! What a deployment will cost, before anything is sent; and what forbids it.
//!
//! The gas of a step cannot be asked of a chain on which the steps before it were not done. So the whole deployment is
//! rehearsed, by the same code, on an embedded chain with the live chain's rules: its ArbOS version, its base fee, its price
//! of posting to L1. What was done there already is done in the rehearsal, too, and not counted. The data fee of an
//! activation depends on what others have activated, and is asked of the live chain.

use super::{
    Error, Step, activation, chunks, create_of,
    engine::{self, CREATE, Engine, Lack},
    journal::{Entry, Journal, Mined, Subject},
    patience::Patience,
};
use crate::{
    abi::{ARB_GAS_INFO, ARB_SYS, IArbGasInfo, IArbSys, IClassifier, STYLUS_DEPLOYER},
    artifacts::{self, Contract, Home, Program},
    chain::{self, Connection},
    models::Model,
    report::{Table, thousands},
};
use alloy::primitives::{Address, U256};
use inkling_devnode::{Chain, ChainConfig, ChainError, Node, stylus::StylusParams};
use inkling_network::pack;
use serde::{Deserialize, Serialize};

/// Wei of an ether.
const ETHER: f64 = 1e18;

/// Wei in ether, to six digits after the first that is not zero.
pub fn ether(wei: U256) -> String {
    let ether = f64::from(wei) / ETHER;
    let digits = if ether > 0.0 { (6.0 - ether.log10().floor()).clamp(0.0, 18.0) } else { 0.0 };
    format!("{ether:.*}", digits as usize)
}

/// What a live chain charges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prices {
    /// Wei a gas.
    pub gas_wei: u64,
    /// Wei for a unit, a sixteenth of a byte, posted to L1.
    pub l1_unit_wei: U256,
    /// ArbOS version.
    pub arbos: u64,
}

impl Prices {
    /// Of a chain, now. A chain that does not tell an ArbOS version or an L1 price is taken for one of ArbOS 51 that charges
    /// nothing for L1.
    ///
    /// # Errors
    /// [`chain::Error`].
    pub async fn of(chain: &Connection, patience: Patience) -> Result<Self, chain::Error> {
        let gas_wei = patience.ask("eth_gasPrice", || chain.gas_price()).await?;
        let l1 = async || chain.call(ARB_GAS_INFO, &IArbGasInfo::getL1BaseFeeEstimateCall {}).await;
        let l1_unit_wei = known(patience.ask("getL1BaseFeeEstimate", l1).await)?;
        let version = async || chain.call(ARB_SYS, &IArbSys::arbOSVersionCall {}).await;
        let version = known(patience.ask("arbOSVersion", version).await)?;
        Ok(Self {
            gas_wei: gas_wei.try_into().unwrap_or(u64::MAX),
            l1_unit_wei: l1_unit_wei.unwrap_or_default(),
            // `arbOSVersion` counts from Nitro's first, which is 56 (`precompiles/ArbSys.go`).
            arbos: version.map_or(51, |version| version.saturating_to::<u64>().saturating_sub(55)),
        })
    }

    /// The rules that a rehearsal goes by: of this ArbOS version, or the latest before it that is known.
    fn rules(&self) -> StylusParams {
        let known = StylusParams::PRESETS.into_iter().rev();
        let mut known = known.filter(|rules| rules.arbos_version <= self.arbos);
        known.next().unwrap_or(StylusParams::ARBOS_51)
    }
}

/// The answer, or that the chain has none.
fn known<T>(answer: Result<T, chain::Error>) -> Result<Option<T>, chain::Error> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(chain::Error::Answer { .. } | chain::Error::Reverted { .. }) => Ok(None),
        Err(chain::Error::Transport { temporary: false, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A step that will be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedStep {
    /// What it does.
    pub name: String,
    /// Its transactions.
    pub transactions: usize,
    /// Their gas without what pays for L1.
    pub gas: u64,
    /// Gas that pays for L1.
    pub l1_gas: u64,
    /// Wei for activation.
    pub data_fee_wei: U256,
    /// Wei in all.
    pub cost_wei: U256,
}

/// What a deployment will cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The contract.
    pub contract: Contract,
    /// The model's name.
    pub model: String,
    /// The prices that it goes by.
    pub prices: Prices,
    /// What will be done, in order.
    pub steps: Vec<PlannedStep>,
    /// Wei in all.
    pub cost_wei: U256,
    /// Wei that the sender must have: before each transaction, its gas limit at the highest fee offered.
    pub needed_wei: U256,
}

impl Plan {
    /// What a deployment with these transactions costs.
    fn new(subject: &Subject, prices: &Prices, mined: &[(String, Mined)]) -> Self {
        let mut steps: Vec<PlannedStep> = Vec::new();
        let (mut cost_wei, mut needed_wei) = (U256::ZERO, U256::ZERO);
        for (name, mined) in mined {
            let gas = mined.gas + mined.l1_gas;
            // An estimate is up to 1.5 % too high, its L1 part a quarter, the limit a twentieth more, the fee twice.
            let limit = U256::from(gas + gas / 10 + mined.l1_gas / 4);
            let offered = limit * U256::from(2 * u128::from(prices.gas_wei));
            let value = activation::with_margin(mined.data_fee_wei);
            needed_wei = needed_wei.max(cost_wei + offered + value);
            cost_wei += mined.cost();
            match steps.last_mut().filter(|step| step.name == *name) {
                Some(step) => {
                    step.transactions += 1;
                    step.gas += mined.gas;
                    step.l1_gas += mined.l1_gas;
                    step.data_fee_wei += mined.data_fee_wei;
                    step.cost_wei += mined.cost();
                }
                None => steps.push(PlannedStep {
                    name: name.clone(),
                    transactions: 1,
                    gas: mined.gas,
                    l1_gas: mined.l1_gas,
                    data_fee_wei: mined.data_fee_wei,
                    cost_wei: mined.cost(),
                }),
            }
        }
        let (contract, model, prices) = (subject.contract, subject.model.clone(), prices.clone());
        Self { contract, model, prices, steps, cost_wei, needed_wei }
    }

    /// Transactions in all.
    pub fn transactions(&self) -> usize {
        self.steps.iter().map(|step| step.transactions).sum()
    }

    /// Whether the sender has what it needs.
    ///
    /// # Errors
    /// [`Error::Funds`] where it has not.
    pub async fn check_funds(&self, chain: &Connection, patience: Patience) -> Result<(), Error> {
        let sender = chain.sender().ok_or(chain::Error::NoKey("deployment"))?;
        let balance = patience.ask("eth_getBalance", || chain.balance()).await?;
        if self.steps.is_empty() || balance >= self.needed_wei {
            return Ok(());
        }
        Err(Error::Funds { sender, balance, needed: self.needed_wei })
    }

    /// As a table; with dollars where the price of an ether is known.
    pub fn markdown(&self, dollars_per_ether: Option<f64>) -> String {
        let mut header =
            vec!["step", "transactions", "L2 gas", "gas for L1", "data fee, ether", "ether"];
        header.extend(dollars_per_ether.map(|_| "USD"));
        let row = |name: &str, [count, gas, l1]: [u64; 3], fee: U256, cost: U256| {
            let mut row = vec![name.to_owned(), thousands(count), thousands(gas), thousands(l1)];
            row.push(if fee.is_zero() { "–".into() } else { ether(fee) });
            row.push(ether(cost));
            row.extend(dollars_per_ether.map(|price| dollars(cost, price)));
            row
        };
        let rows = self.steps.iter().map(|step| {
            let numbers = [step.transactions as u64, step.gas, step.l1_gas];
            row(&step.name, numbers, step.data_fee_wei, step.cost_wei)
        });
        let sum = |of: fn(&PlannedStep) -> u64| self.steps.iter().map(of).sum::<u64>();
        let total = row(
            "**total**",
            [self.transactions() as u64, sum(|step| step.gas), sum(|step| step.l1_gas)],
            self.steps.iter().map(|step| step.data_fee_wei).sum(),
            self.cost_wei,
        );
        let rows = rows.chain([total]);
        let Prices { gas_wei, l1_unit_wei, arbos } = &self.prices;
        format!(
            "{} with {} (a gas costs {gas_wei} wei, a byte posted to L1 {} wei; ArbOS {arbos})\n\n{}",
            self.contract,
            self.model,
            l1_unit_wei * U256::from(16),
            Table::new(header, rows).markdown()
        )
    }
}

/// Wei in dollars.
pub fn dollars(wei: U256, per_ether: f64) -> String {
    let dollars = f64::from(wei) / ETHER * per_ether;
    if dollars < 1.0 { format!("{dollars:.4}") } else { format!("{dollars:.2}") }
}

/// Refuses what cannot succeed, before anything is sent: no StylusDeployer, nothing at the address, another's contract.
///
/// # Errors
/// [`Error::NoDeployer`], [`Error::NoContract`], [`Error::ForeignOwner`]; [`Error::Chain`].
pub async fn check(chain: &Connection, journal: &Journal, patience: Patience) -> Result<(), Error> {
    let subject = journal.subject();
    let code = async |at: Address| patience.ask("eth_getCode", || chain.code(at)).await;
    if subject.contract.is_stylus()
        && journal.address().is_none()
        && code(STYLUS_DEPLOYER).await?.is_empty()
    {
        return Err(Error::NoDeployer(STYLUS_DEPLOYER));
    }
    let Some(address) = journal.address() else { return Ok(()) };
    if code(address).await?.is_empty() {
        // What a journal saw created may have been taken back.
        return if journal.was_given() { Err(Error::NoContract(address)) } else { Ok(()) };
    }
    let asked = || chain.call(address, &IClassifier::ownerCall {});
    let owner = patience.ask("owner()", asked).await?;
    if owner != subject.owner {
        return Err(Error::ForeignOwner { address, owner, sender: subject.owner });
    }
    Ok(())
}

/// What is left to do of a journal's deployment, and what it will cost.
///
/// # Errors
/// [`Error::Refused`] where the contract does not take the model, and [`Error::Differs`] where it has another one baked in;
/// others of [`Error`].
pub async fn plan(
    chain: &Connection,
    program: &Program,
    model: &Model,
    journal: &mut Journal,
    patience: Patience,
) -> Result<Plan, Error> {
    let prices = Prices::of(chain, patience).await?;
    let fee = match program {
        Program::Stylus(program) => {
            let fee = || activation::data_fee(chain, program.code.clone().into());
            patience.ask("activateProgram(address)", fee).await?
        }
        Program::Solidity(_) => U256::ZERO,
    };
    let told = &mut |_: &Step| {};
    let lack = Engine::new(chain, Some(program), model, journal, patience, told).survey().await?;
    let Some(lack) = lack else { return Ok(Plan::new(journal.subject(), &prices, &[])) };
    rehearse(journal.subject(), program, model, &prices, fee, &lack).await
}

/// What the Solidity contract that does the same will cost, from the beginning, at the same prices; `None` where it does not
/// take the model, or is the same.
///
/// # Errors
/// [`Error`].
pub async fn twin(plan: &Plan, subject: &Subject, model: &Model) -> Result<Option<Plan>, Error> {
    let contract = subject.contract.twin();
    if contract == subject.contract {
        return Ok(None);
    }
    let program = artifacts::program(contract, &model.name)?;
    let subject = Subject { contract, ..subject.clone() };
    let prices = &plan.prices;
    match rehearse(&subject, &program, model, prices, U256::ZERO, &Lack::Contract).await {
        Ok(plan) => Ok(Some(plan)),
        Err(Error::Refused { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Does what a chain lacks on a chain of this process.
async fn rehearse(
    subject: &Subject,
    program: &Program,
    model: &Model,
    prices: &Prices,
    fee: U256,
    lack: &Lack,
) -> Result<Plan, Error> {
    let config = ChainConfig {
        chain_id: subject.chain_id,
        basefee: prices.gas_wei,
        l1_price: prices.l1_unit_wei,
        stylus: prices.rules(),
        ..ChainConfig::default()
    };
    let node = Node::new(Chain::new(config));
    if let Program::Stylus(program) = program
        && fee.is_zero()
    {
        // The same code is active there already, so it is here.
        activate(&node, program.code.clone()).map_err(|error| chain::Error::Transport {
            what: "activateProgram(address)",
            message: error.to_string(),
            temporary: false,
        })?;
    }
    let chain = Connection::to_node(node).await?;
    let subject_here = Subject { owner: chain.sender().unwrap_or_default(), ..subject.clone() };
    let address = match lack {
        Lack::Contract => None,
        lack => Some(prepare(&chain, program, (subject.contract, model), lack).await?),
    };
    let mut journal = Journal::in_memory(subject_here, address);
    let (told, patience) = (&mut |_: &Step| {}, Patience::EMBEDDED);
    Engine::new(&chain, Some(program), model, &mut journal, patience, told).complete().await?;
    let price = |entry: &Entry| {
        let mined = entry.mined()?.clone();
        let data_fee_wei = if entry.step.starts_with(CREATE) { fee } else { U256::ZERO };
        Some((entry.step.clone(), Mined { price: prices.gas_wei, data_fee_wei, ..mined }))
    };
    let mined: Vec<(String, Mined)> = journal.entries().iter().filter_map(price).collect();
    Ok(Plan::new(subject, prices, &mined))
}

/// Does what a chain does not lack, and says where the contract stands.
async fn prepare(
    chain: &Connection,
    program: &Program,
    (contract, model): (Contract, &Model),
    lack: &Lack,
) -> Result<Address, Error> {
    let address = create_of(chain, contract, program, model).await?.address;
    let missing = match lack {
        Lack::Chunks(missing) => &missing[..],
        Lack::Finalization => &[],
        Lack::Contract | Lack::Model => return Ok(address),
    };
    chain.send(&engine::begin(address, model)).await?;
    let all = 0..pack::chunks(&model.words).count() as u32;
    let there: Vec<u32> = all.filter(|index| !missing.contains(index)).collect();
    let at_once = if contract.home() == Home::Code { usize::MAX } else { 1 };
    for run in chunks::runs(&there, at_once) {
        chain.send(&chunks::upload(address, model, run)).await?;
    }
    Ok(address)
}

/// Activates a program at nobody's address, free of charge.
fn activate(node: &Node, code: Vec<u8>) -> Result<(), ChainError> {
    let mut chain = node.chain();
    chain.set_code(activation::SCRATCH, code.into());
    chain.activate(activation::SCRATCH).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tiny_model;

    /// A chain that charges for L1, and a journal of a deployment on it.
    async fn dear(contract: Contract, model: &Model) -> (Connection, Program, Journal) {
        let l1_price = U256::from(500_000_000);
        let config = ChainConfig { l1_price, basefee: 30_000_000, ..ChainConfig::default() };
        let chain = Connection::to_node(Node::new(Chain::new(config))).await.unwrap();
        let program = artifacts::program(contract, &model.name).unwrap();
        let owner = (chain.chain_id(), chain.sender().unwrap());
        let subject = Subject::new(owner, contract, program.sha256(), model);
        (chain, program, Journal::in_memory(subject, None))
    }

    /// Wei that the sender spends on what the journal lacks, and what the plan says.
    async fn paid_and_planned(
        (chain, program, journal): (&Connection, &Program, &mut Journal),
        model: &Model,
    ) -> (U256, Plan) {
        let patience = Patience::EMBEDDED;
        let plan = plan(chain, program, model, journal, patience).await.unwrap();
        plan.check_funds(chain, patience).await.unwrap();
        let before = chain.balance().await.unwrap();
        super::super::complete(chain, program, model, journal, patience, &mut |_| {})
            .await
            .unwrap();
        (before - chain.balance().await.unwrap(), plan)
    }

    #[tokio::test]
    async fn what_is_planned_is_paid() {
        let model = tiny_model(3, &[8, 65]);
        for contract in Contract::UPLOADED {
            let (chain, program, mut journal) = dear(contract, &model).await;
            let (paid, plan) = paid_and_planned((&chain, &program, &mut journal), &model).await;
            assert!(plan.steps.iter().all(|step| step.l1_gas > 0), "{contract}");
            let (low, high) = (plan.cost_wei.min(paid), plan.cost_wei.max(paid));
            // Hashes and nonces differ, and with them the length after compression.
            assert!((high - low) * U256::from(1_000) < high, "{contract}: {low}, {high}");
            let entries: U256 =
                journal.entries().iter().filter_map(Entry::mined).map(Mined::cost).sum();
            assert_eq!(entries, paid);
        }
    }

    #[tokio::test]
    async fn what_is_there_is_not_planned() {
        let model = tiny_model(4, &[8, 10]);
        let (chain, program, journal) = dear(Contract::Packed, &model).await;
        let address = create_of(&chain, Contract::Packed, &program, &model).await.unwrap().address;
        chain.send(&engine::begin(address, &model)).await.unwrap();
        chain.send(&chunks::upload(address, &model, (1, 1))).await.unwrap();
        let mut journal = Journal::in_memory(journal.subject().clone(), Some(address));
        let (paid, plan) = paid_and_planned((&chain, &program, &mut journal), &model).await;
        let names: Vec<&str> = plan.steps.iter().map(|step| &step.name[..]).collect();
        assert_eq!((names, plan.transactions()), (vec!["upload", "finalize"], 3));
        let (low, high) = (plan.cost_wei.min(paid), plan.cost_wei.max(paid));
        assert!((high - low) * U256::from(1_000) < high, "{low}, {high}");
        let (paid, plan) = paid_and_planned((&chain, &program, &mut journal), &model).await;
        assert_eq!((paid, plan.cost_wei, plan.steps.len()), (U256::ZERO, U256::ZERO, 0));
    }

    #[tokio::test]
    async fn the_twin_stands_beside() {
        let model = tiny_model(3, &[8, 65]);
        let (chain, program, mut journal) = dear(Contract::Stylus, &model).await;
        let patience = Patience::EMBEDDED;
        let plan = plan(&chain, &program, &model, &mut journal, patience).await.unwrap();
        let twin = twin(&plan, journal.subject(), &model).await.unwrap().unwrap();
        assert_eq!((twin.contract, twin.steps.len()), (Contract::Yul, 4));
        assert!(twin.cost_wei < plan.cost_wei);
        let text = plan.markdown(Some(3_000.0));
        assert!(text.starts_with("Stylus with random-3 (a gas costs 30000000 wei, a byte posted to L1 8000000000 wei; ArbOS 51)"), "{text}");
        assert!(
            text.contains("| create, activate, construct |") && text.contains(" USD |"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn what_cannot_succeed_is_refused() {
        let model = tiny_model(3, &[8, 65]);
        let patience = Patience::EMBEDDED;
        let (chain, program, mut journal) = dear(Contract::Stylus, &model).await;
        let plan = plan(&chain, &program, &model, &mut journal, patience).await.unwrap();
        let poor = Plan { needed_wei: U256::MAX, ..plan };
        let error = poor.check_funds(&chain, patience).await.unwrap_err();
        assert!(matches!(error, Error::Funds { .. }), "{error}");

        // Somebody else's, nobody's.
        let address = create_of(&chain, Contract::Stylus, &program, &model).await.unwrap().address;
        let owner = Address::repeat_byte(3);
        let subject = Subject { owner, ..journal.subject().clone() };
        let foreign = Journal::in_memory(subject.clone(), Some(address));
        let error = check(&chain, &foreign, patience).await.unwrap_err();
        assert!(matches!(error, Error::ForeignOwner { .. }), "{error}");
        let nobody = Journal::in_memory(subject, Some(owner));
        let error = check(&chain, &nobody, patience).await.unwrap_err();
        assert!(matches!(error, Error::NoContract(_)), "{error}");
        check(&chain, &journal, patience).await.unwrap();
    }

    #[test]
    fn amounts() {
        assert_eq!(ether(U256::ZERO), "0");
        assert_eq!(ether(U256::from(1_500_000_000_000_000_000u64)), "1.500000");
        assert_eq!(ether(U256::from(84_176_778_629_174u64)), "0.00008417678");
        assert_eq!(dollars(U256::from(84_176_778_629_174u64), 3_000.0), "0.2525");
    }

    #[test]
    fn rules_of_the_latest_version_that_is_known() {
        let prices = |arbos| Prices { gas_wei: 1, l1_unit_wei: U256::ZERO, arbos };
        for (arbos, rules) in [(51, 51), (52, 51), (40, 40), (20, 51), (99, 60)] {
            assert_eq!(prices(arbos).rules().arbos_version, rules);
        }
    }
}
