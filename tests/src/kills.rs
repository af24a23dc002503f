//! `inkling deploy` killed at random moments, and run again until it is done.
//!
//! The node is a process of its own behind a proxy that adds latency. What was paid is read from its blocks, not from what
//! `deploy` says of itself.

use crate::{
    deploys::{Deploys, inkling},
    proxy::{Fault, Proxy},
};
use inkling::{abi::IClassifier, chain::Connection, models::Model};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// What is killed how often.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Kills in all.
    pub kills: usize,
    /// Of each request.
    pub latency: Duration,
    /// Of the moments.
    pub seed: u64,
    /// The model.
    pub model: &'static str,
}

/// A deployment that was killed some times.
#[derive(Clone, Copy, Debug)]
pub struct Survivor {
    /// How often.
    pub kills: usize,
    /// Gas that its blocks used.
    pub gas: u64,
    /// Its blocks: one a transaction.
    pub transactions: u64,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Report {
    /// What was done.
    pub plan: Plan,
    /// Without a kill.
    pub uninterrupted: Survivor,
    /// How long that took.
    pub time: Duration,
    /// With kills.
    pub survivors: Vec<Survivor>,
    /// Kills by the number of transactions that were in the journal.
    pub moments: BTreeMap<usize, usize>,
}

impl Report {
    fn ratios(&self) -> impl Iterator<Item = f64> {
        self.survivors.iter().map(|one| one.gas as f64 / self.uninterrupted.gas as f64)
    }

    /// Mean of gas paid by gas without a kill.
    pub fn mean_ratio(&self) -> f64 {
        self.ratios().sum::<f64>() / self.survivors.len().max(1) as f64
    }

    /// As it is written to `reports`.
    pub fn json(&self) -> Value {
        json!({
            "model": self.plan.model,
            "kills": self.survivors.iter().map(|one| one.kills).sum::<usize>(),
            "deployments": self.survivors.len(),
            "seed": self.plan.seed,
            "latency_ms": self.plan.latency.as_millis() as u64,
            "uninterrupted": {
                "gas": self.uninterrupted.gas,
                "transactions": self.uninterrupted.transactions,
                "seconds": (self.time.as_secs_f64() * 10.0).round() / 10.0,
            },
            "gas_ratio": { "mean": self.mean_ratio(), "max": self.ratios().fold(0.0, f64::max) },
            "most_kills_of_one": self.survivors.iter().map(|one| one.kills).max(),
            "transactions_beyond_uninterrupted": self.survivors.iter()
                .map(|one| one.transactions.saturating_sub(self.uninterrupted.transactions))
                .sum::<u64>(),
            "kills_by_transactions_in_journal": self.moments,
        })
    }
}

/// A node that dies with this.
struct NodeProcess {
    child: Child,
    url: String,
}

impl NodeProcess {
    fn start() -> Self {
        let mut command = Command::new(inkling());
        command.args(["node", "--port", "0", "--accounts", "0"]).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it can be started");
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let url = output.lines().map_while(Result::ok).find_map(|line| {
            let url = line.strip_prefix("Listening on ")?.split_whitespace().next()?;
            Some(url.to_owned())
        });
        Self { child, url: url.expect("it says where it listens") }
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Kills and resumes as planned; `told` is called after each deployment.
///
/// # Panics
/// Where a deployment ends otherwise than killed or complete, or with another model than it should.
pub async fn run(plan: Plan, mut told: impl FnMut(&Survivor)) -> Report {
    let node = NodeProcess::start();
    let proxy = Proxy::new(&node.url, plan.latency, |_, _| Fault::None);
    let chain = Connection::endpoints(&[node.url.clone().into()], None, None, None).await;
    let chain = chain.expect("the node answers");
    let model = Model::open(plan.model).expect("it is a shipped model");
    let deploys = Deploys::new(&format!("--model {} --check 1", plan.model));
    let paid = async |from: u64| {
        let to = chain.block_number().await.expect("the node answers");
        let mut gas = 0;
        for number in from + 1..=to {
            gas += chain.block_gas(number).await.expect("the node answers");
        }
        (gas, to - from)
    };
    let finished = async |name: &str, kills: usize, from: u64| {
        let address = deploys.record(name).address;
        let info = chain.call(address, &IClassifier::modelInfoCall {}).await;
        let info = info.expect("the contract answers");
        assert_eq!((info.modelHash, info.state), (model.hash, 2), "{name}");
        assert!(!deploys.journal(name).exists(), "{name}");
        let (gas, transactions) = paid(from).await;
        Survivor { kills, gas, transactions }
    };

    // The first activates the program, which no other has to.
    completes(deploys.start(&proxy.url, "first"));
    let from = chain.block_number().await.expect("the node answers");
    let began = Instant::now();
    completes(deploys.start(&proxy.url, "uninterrupted"));
    let time = began.elapsed();
    let uninterrupted = finished("uninterrupted", 0, from).await;

    let mut rng = StdRng::seed_from_u64(plan.seed);
    let (mut survivors, mut moments) = (Vec::new(), BTreeMap::new());
    let mut left = plan.kills;
    while left > 0 {
        let name = format!("kill-{}", survivors.len());
        let from = chain.block_number().await.expect("the node answers");
        let mut kills = 0;
        while left > 0 {
            let mut child = deploys.start(&proxy.url, &name);
            let moment = Instant::now() + time.mul_f64(rng.random_range(0.0..1.0));
            if ended_before(&mut child, moment) {
                completes(child);
                break;
            }
            child.kill().expect("it runs");
            child.wait().expect("it was killed");
            (kills, left) = (kills + 1, left - 1);
            *moments.entry(journaled(&deploys, &name)).or_default() += 1;
        }
        if deploys.journal(&name).exists() || !deploys.has_record(&name) {
            completes(deploys.start(&proxy.url, &name));
        }
        let survivor = finished(&name, kills, from).await;
        told(&survivor);
        survivors.push(survivor);
    }
    survivors.retain(|survivor| survivor.kills > 0);
    Report { plan, uninterrupted, time, survivors, moments }
}

/// Whether it ends by itself before then.
fn ended_before(child: &mut Child, moment: Instant) -> bool {
    while Instant::now() < moment {
        if child.try_wait().expect("it is ours").is_some() {
            return true;
        }
        thread::sleep(Duration::from_millis(2));
    }
    child.try_wait().expect("it is ours").is_some()
}

/// Waits for its end, which must be a success.
fn completes(mut child: Child) {
    let mut said = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        stderr.read_to_string(&mut said).unwrap_or_default();
    }
    let status = child.wait().expect("it is ours");
    assert!(status.success(), "{said}");
}

/// Transactions in a journal.
fn journaled(deploys: &Deploys, name: &str) -> usize {
    let Ok(bytes) = fs::read(deploys.journal(name)) else { return 0 };
    let journal: Value = serde_json::from_slice(&bytes).expect("a journal is always whole");
    journal["entries"].as_array().map_or(0, Vec::len)
}
