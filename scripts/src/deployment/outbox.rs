//! Getting transactions into blocks, each once: signed, written down, sent, looked for, sent again, replaced.
//!
//! Transactions go out one after another, as their nonces do, and nobody waits for their blocks until there is nothing else
//! to do. One that is in no block after a while is sent again; if the node has it and nothing comes of it, it is replaced by
//! the same with a higher fee. One whose nonce is used up and that has no receipt, though there was time for one, is lost.

use super::{
    Error,
    journal::{Entry, Journal, Mined, Outcome},
    patience::Patience,
};
use crate::{
    abi::{IArbWasm, IStylusDeployer},
    chain::{self, Connection, Receipt, Request, Taken},
};
use std::{
    collections::{HashMap, HashSet},
    time::Instant,
};

/// Named in errors about transactions that an earlier process signed.
const AGAIN: &str = "eth_sendRawTransaction";

/// A replacement must offer a tenth more (geth's `--txpool.pricebump`); this is a quarter.
const fn raised(fee: u128) -> u128 {
    fee + fee / 4 + 1
}

/// A transaction that is to be sent.
pub(crate) struct Outgoing {
    /// The step that it belongs to.
    pub(crate) step: String,
    /// What it does.
    pub(crate) request: Request,
    /// Of an upload: index of its first chunk, and how many.
    pub(crate) chunks: Option<(u32, u32)>,
}

/// Sends a deployment's transactions.
pub(crate) struct Outbox<'a> {
    chain: &'a Connection,
    pub(crate) journal: &'a mut Journal,
    pub(super) patience: Patience,
    /// When this process last sent a transaction, by index of its entry.
    sent: HashMap<usize, Instant>,
    /// Since when a transaction without a receipt has a nonce that is used up, or is refused, by index of its entry.
    doubted: HashMap<usize, Instant>,
    /// Entries whose failure was told.
    told: HashSet<usize>,
}

impl<'a> Outbox<'a> {
    pub(crate) fn new(chain: &'a Connection, journal: &'a mut Journal, patience: Patience) -> Self {
        // What failed in an earlier process was told there.
        let failed = |entry: &Entry| entry.mined().is_some_and(|mined| !mined.success);
        let entries = journal.entries().iter().enumerate();
        let told = entries.filter(|(_, entry)| failed(entry)).map(|(index, _)| index).collect();
        let (sent, doubted) = (HashMap::new(), HashMap::new());
        Self { chain, journal, patience, sent, doubted, told }
    }

    /// Signs a transaction for the next nonce, writes it down and sends it.
    ///
    /// # Errors
    /// [`Error::Chain`] where it would fail, or no node takes it; [`Error::Journal`].
    pub(super) async fn send(
        &mut self,
        step: &str,
        request: &Request,
        chunks: Option<(u32, u32)>,
    ) -> Result<(), Error> {
        self.send_all(vec![Outgoing { step: step.into(), request: request.clone(), chunks }]).await
    }

    /// The same of several, all of which are written down before the first is sent.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub(crate) async fn send_all(&mut self, outgoing: Vec<Outgoing>) -> Result<(), Error> {
        let (chain, patience) = (self.chain, self.patience);
        let mut limits = Vec::new();
        for Outgoing { request, .. } in &outgoing {
            limits.push(match request.gas {
                Some(gas) => gas,
                None => patience.ask(request.what, || chain.estimate(request)).await?,
            });
        }
        let price = patience.ask("eth_gasPrice", || chain.gas_price()).await?;
        let first = self.next_nonce().await?;
        let (mut entries, mut names) = (Vec::new(), Vec::new());
        for (nonce, (outgoing, gas)) in (first..).zip(outgoing.into_iter().zip(limits)) {
            let Outgoing { step, request, chunks } = outgoing;
            // Arbitrum charges the base fee whatever is offered, and gives back what is left of the limit: twice the fee and
            // a twentieth more gas survive what changes until it is executed.
            let signed = chain.sign(&request, gas + gas / 20, nonce, 2 * price).await?;
            let (signed, outcome) = (vec![signed], Outcome::Pending);
            entries.push(Entry { step, nonce, chunks, signed, outcome });
            names.push(request.what);
        }
        let first = self.journal.change(|known| {
            let first = known.len();
            known.extend(entries);
            first
        })?;
        for (index, what) in (first..).zip(names) {
            self.broadcast(index, what).await?;
        }
        Ok(())
    }

    /// The nonce after all that are used, here and elsewhere.
    async fn next_nonce(&self) -> Result<u64, Error> {
        let chain = self.chain;
        let on_chain = self.patience.ask(AGAIN, || chain.nonce(true)).await?;
        let ours = self.journal.entries().iter().filter(|entry| entry.outcome != Outcome::Lost);
        Ok(on_chain.max(ours.map(|entry| entry.nonce + 1).max().unwrap_or_default()))
    }

    /// Sends the latest of what was signed for an entry. Whether a node takes it or has had it, the receipt will tell.
    async fn broadcast(&mut self, index: usize, what: &'static str) -> Result<(), Error> {
        let (chain, patience) = (self.chain, self.patience);
        let mut attempt = 1;
        loop {
            self.sent.insert(index, Instant::now());
            let Some(signed) = self.journal.entries()[index].signed.last().cloned() else {
                return Ok(());
            };
            match patience.ask(what, || chain.send_raw(what, &signed.raw)).await? {
                Taken::Accepted | Taken::Known | Taken::NonceTooLow => return Ok(()),
                _ if attempt > patience.attempts => return Ok(()),
                // Others go first: those that got lost on the way, if it was not this node that has not heard of them yet.
                Taken::NonceTooHigh => {
                    self.recheck().await?;
                    self.send_earlier(index).await?;
                    if attempt > 1 {
                        tokio::time::sleep(patience.wait(attempt)).await;
                    }
                }
                Taken::FeeTooLow => self.replace(index, what).await?,
            }
            attempt += 1;
        }
    }

    /// Entries in no block whose nonce is below this, by nonce.
    fn waiting(&self, below: u64) -> Vec<usize> {
        let entries = self.journal.entries();
        let waits = |entry: &Entry| entry.is_pending() && entry.nonce < below;
        let mut waiting: Vec<usize> =
            (0..entries.len()).filter(|&index| waits(&entries[index])).collect();
        waiting.sort_by_key(|&index| entries[index].nonce);
        waiting
    }

    /// Sends again what has a lower nonce than an entry and is in no block.
    async fn send_earlier(&mut self, index: usize) -> Result<(), Error> {
        let (chain, patience) = (self.chain, self.patience);
        for index in self.waiting(self.journal.entries()[index].nonce) {
            self.sent.insert(index, Instant::now());
            if let Some(signed) = self.journal.entries()[index].signed.last().cloned() {
                patience.ask(AGAIN, || chain.send_raw(AGAIN, &signed.raw)).await?;
            }
        }
        Ok(())
    }

    /// Signs the same with a higher fee, for the same nonce.
    async fn replace(&mut self, index: usize, what: &'static str) -> Result<(), Error> {
        let (chain, patience) = (self.chain, self.patience);
        let Some(last) = self.journal.entries()[index].signed.last().cloned() else {
            return Ok(());
        };
        let price = patience.ask(what, || chain.gas_price()).await?;
        let signed = chain.raise(what, &last.raw, raised(last.max_fee).max(2 * price)).await?;
        self.journal.change(|entries| entries[index].signed.push(signed))
    }

    /// Waits until all transactions but `most` are in blocks, or lost.
    ///
    /// # Errors
    /// [`chain::Error::Failed`] where one failed, [`chain::Error::NoReceipt`] where nothing happens for too long; others of
    /// [`Error`].
    pub(crate) async fn settle(&mut self, most: usize) -> Result<(), Error> {
        let mut progress = Instant::now();
        loop {
            if self.look().await? {
                progress = Instant::now();
            }
            self.failure()?;
            let waiting = self.waiting(u64::MAX);
            if waiting.len() <= most {
                return Ok(());
            }
            if progress.elapsed() > self.patience.give_up {
                let hash = self.journal.entries()[waiting[0]].signed[0].hash;
                return Err(chain::Error::NoReceipt { what: AGAIN, hash }.into());
            }
            for (position, index) in waiting.into_iter().enumerate() {
                // The later ones wait for the first, if they were sent at all.
                if position == 0 || !self.sent.contains_key(&index) {
                    self.push(index).await?;
                }
            }
            tokio::time::sleep(self.patience.poll).await;
        }
    }

    /// Looks for receipts, and says whether one was found.
    ///
    /// # Errors
    /// [`Error`].
    pub(super) async fn look(&mut self) -> Result<bool, Error> {
        let mut found = Vec::new();
        for (index, entry) in self.journal.entries().iter().enumerate() {
            if entry.is_pending()
                && let Some(mined) = self.receipt(entry).await?
            {
                found.push((index, mined));
            }
        }
        if found.is_empty() {
            return Ok(false);
        }
        self.journal.change(|entries| {
            found.into_iter().for_each(|(i, mined)| entries[i].outcome = Outcome::Mined(mined));
        })?;
        Ok(true)
    }

    async fn receipt(&self, entry: &Entry) -> Result<Option<Mined>, Error> {
        let (chain, patience) = (self.chain, self.patience);
        for signed in entry.signed.iter().rev() {
            let ask = || chain.receipt_of(signed.hash);
            if let Some(receipt) = patience.ask("eth_getTransactionReceipt", ask).await? {
                return Ok(Some(mined(&receipt)));
            }
        }
        Ok(None)
    }

    /// The first transaction in a block that failed and was not told yet.
    fn failure(&mut self) -> Result<(), Error> {
        for (index, entry) in self.journal.entries().iter().enumerate() {
            if let Some(mined) = entry.mined().filter(|mined| !mined.success)
                && self.told.insert(index)
            {
                return Err(Error::Failed { step: entry.step.clone(), hash: mined.hash });
            }
        }
        Ok(())
    }

    /// Sees that the waiting transaction of the lowest nonce gets on.
    async fn push(&mut self, index: usize) -> Result<(), Error> {
        let (chain, patience) = (self.chain, self.patience);
        let entry = &self.journal.entries()[index];
        let (nonce, times) = (entry.nonce, entry.signed.len() as u32);
        let used = patience.ask(AGAIN, || chain.nonce(false)).await?;
        if used > nonce {
            // Its receipt may come late; else another transaction has its nonce.
            return match self.is_in_block(entry).await? {
                Some(_) => Ok(()),
                None => self.doubt(index),
            };
        }
        match self.sent.get(&index) {
            None => self.resend(index).await,
            Some(sent) if sent.elapsed() < patience.stuck * times => Ok(()),
            Some(_) => {
                if self.is_in_block(entry).await?.is_some() {
                    self.replace(index, AGAIN).await?;
                }
                self.resend(index).await
            }
        }
    }

    /// Whether any transaction that was signed for an entry is in a block; `None` where the node has heard of none.
    async fn is_in_block(&self, entry: &Entry) -> Result<Option<bool>, Error> {
        let (chain, patience) = (self.chain, self.patience);
        let mut known = None;
        for signed in entry.signed.iter().rev() {
            match patience.ask(AGAIN, || chain.is_in_block(signed.hash)).await? {
                Some(true) => return Ok(Some(true)),
                found => known = known.or(found),
            }
        }
        Ok(known)
    }

    /// Sends an entry again. A node that refuses it for good, as this is not the first time, will not have it: lost, so that
    /// another transaction can have its nonce.
    async fn resend(&mut self, index: usize) -> Result<(), Error> {
        match self.broadcast(index, AGAIN).await {
            Err(Error::Chain(error)) if !error.is_temporary() => self.doubt(index),
            result => result,
        }
    }

    fn doubt(&mut self, index: usize) -> Result<(), Error> {
        let since = *self.doubted.entry(index).or_insert_with(Instant::now);
        if since.elapsed() < self.patience.late {
            return Ok(());
        }
        self.doubted.remove(&index);
        self.journal.change(|entries| entries[index].outcome = Outcome::Lost)
    }

    /// Looks again for the receipts of transactions that were in blocks, and says whether some are no more: then the chain
    /// has taken back blocks, and these transactions are to be sent again.
    ///
    /// # Errors
    /// [`Error`].
    pub(crate) async fn recheck(&mut self) -> Result<bool, Error> {
        let mut changed = Vec::new();
        for (index, entry) in self.journal.entries().iter().enumerate() {
            if let Outcome::Mined(known) = &entry.outcome {
                match self.receipt(entry).await? {
                    Some(mined) if mined == *known => {}
                    Some(mined) => changed.push((index, Outcome::Mined(mined))),
                    // The endpoint is only slow to tell.
                    None if self.is_in_block(entry).await? == Some(true) => {}
                    None => changed.push((index, Outcome::Pending)),
                }
            }
        }
        let gone = changed.iter().any(|(_, outcome)| *outcome == Outcome::Pending);
        if !changed.is_empty() {
            for (index, _) in &changed {
                self.sent.remove(index);
            }
            self.journal.change(|entries| {
                changed.into_iter().for_each(|(index, outcome)| entries[index].outcome = outcome);
            })?;
        }
        Ok(gone)
    }
}

/// What a receipt says.
fn mined(receipt: &Receipt) -> Mined {
    let created = receipt.event::<IStylusDeployer::ContractDeployed>();
    let activated = receipt.event::<IArbWasm::ProgramActivated>();
    Mined {
        hash: receipt.transaction_hash,
        block: receipt.block_number.unwrap_or_default().to(),
        success: receipt.is_success(),
        gas: receipt.gas(),
        l1_gas: receipt.l1_gas(),
        price: receipt.price(),
        created: created.map(|event| event.deployedContract).or(receipt.contract_address),
        data_fee_wei: activated.map(|event| event.dataFee).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{artifacts::Contract, deployment::journal::Subject, testing::tiny_model};
    use alloy::primitives::{Address, Bytes, U256};
    use inkling_devnode::{Chain, ChainConfig, Node};
    use std::time::Duration;

    const SHORT: Patience = Patience {
        stuck: Duration::from_millis(20),
        late: Duration::from_millis(100),
        give_up: Duration::from_secs(2),
        ..Patience::EMBEDDED
    };

    struct Sender {
        node: Node,
        chain: Connection,
        journal: Journal,
    }

    impl Sender {
        async fn new() -> Self {
            let node = Node::new(Chain::new(ChainConfig::default()));
            let chain = Connection::to_node(node.clone()).await.unwrap();
            let owner = (412_346, chain.sender().unwrap());
            let subject =
                Subject::new(owner, Contract::Packed, String::new(), &tiny_model(1, &[2]));
            Self { node, chain, journal: Journal::in_memory(subject, None) }
        }

        fn outbox(&mut self) -> Outbox<'_> {
            Outbox::new(&self.chain, &mut self.journal, SHORT)
        }
    }

    /// Distinct transfers.
    fn transfer(wei: u64) -> Request {
        let (to, data) = (Address::repeat_byte(5).into(), Bytes::new());
        Request { what: "transfer", to, data, value: U256::from(wei), gas: Some(30_000) }
    }

    fn outcomes(journal: &Journal) -> Vec<Option<bool>> {
        let entries = journal.entries().iter();
        entries.map(|entry| entry.mined().map(|mined| mined.success)).collect()
    }

    #[tokio::test]
    async fn several_wait_for_a_block_together() {
        let mut sender = Sender::new().await;
        sender.node.chain().set_automine(false);
        let node = sender.node.clone();
        let mut outbox = sender.outbox();
        outbox.patience.stuck = Duration::from_secs(60);
        for wei in 1..=3 {
            outbox.send("transfer", &transfer(wei), None).await.unwrap();
        }
        outbox.settle(3).await.unwrap();
        assert_eq!(outcomes(outbox.journal), [None; 3]);
        let mine = async {
            tokio::time::sleep(Duration::from_millis(30)).await;
            node.chain().mine();
        };
        let (settled, ()) = tokio::join!(outbox.settle(0), mine);
        settled.unwrap();
        let entries = sender.journal.entries();
        assert_eq!(outcomes(&sender.journal), [Some(true); 3]);
        assert!(entries.iter().all(|entry| entry.mined().unwrap().block == 1));
        assert_eq!(entries[2].nonce, entries[0].nonce + 2);
    }

    /// As after a crash between writing down and sending.
    #[tokio::test]
    async fn what_was_written_and_not_sent_is_sent() {
        let mut sender = Sender::new().await;
        let nonce = sender.chain.nonce(true).await.unwrap();
        for at in 0..2 {
            let (request, fee) = (transfer(at), 200_000_000);
            let signed = sender.chain.sign(&request, 30_000, nonce + at, fee).await.unwrap();
            let signed = vec![signed];
            let (step, outcome) = ("transfer".into(), Outcome::Pending);
            let entry = Entry { step, nonce: nonce + at, chunks: None, signed, outcome };
            sender.journal.change(|entries| entries.push(entry)).unwrap();
        }
        sender.outbox().settle(0).await.unwrap();
        assert_eq!(outcomes(&sender.journal), [Some(true); 2]);
        // Once more: nothing is left to do.
        sender.outbox().settle(0).await.unwrap();
        assert_eq!(sender.chain.nonce(false).await.unwrap(), nonce + 2);
    }

    #[tokio::test]
    async fn what_another_transaction_replaced_is_lost() {
        let mut sender = Sender::new().await;
        let nonce = sender.chain.nonce(true).await.unwrap();
        let signed = sender.chain.sign(&transfer(1), 30_000, nonce, 200_000_000).await.unwrap();
        let other = sender.chain.sign(&transfer(2), 30_000, nonce, 200_000_000).await.unwrap();
        sender.chain.send_raw("transfer", &other.raw).await.unwrap();
        let entry = Entry {
            step: "transfer".into(),
            nonce,
            chunks: None,
            signed: vec![signed],
            outcome: Outcome::Pending,
        };
        sender.journal.change(|entries| entries.push(entry)).unwrap();
        let mut outbox = sender.outbox();
        outbox.settle(0).await.unwrap();
        assert_eq!(outbox.journal.entries()[0].outcome, Outcome::Lost);
        outbox.send("transfer", &transfer(3), None).await.unwrap();
        outbox.settle(0).await.unwrap();
        assert_eq!(outcomes(&sender.journal), [None, Some(true)]);
    }

    /// The base fee rises above what was offered before it could be sent.
    #[tokio::test]
    async fn a_fee_that_is_too_low_is_raised_for_the_same_nonce() {
        let mut sender = Sender::new().await;
        let nonce = sender.chain.nonce(true).await.unwrap();
        let signed =
            vec![sender.chain.sign(&transfer(1), 30_000, nonce, 200_000_000).await.unwrap()];
        let (step, outcome) = ("transfer".into(), Outcome::Pending);
        let entry = Entry { step, nonce, chunks: None, signed, outcome };
        sender.journal.change(|entries| entries.push(entry)).unwrap();
        sender.node.chain().set_basefee(1_000_000_000);
        sender.outbox().settle(0).await.unwrap();
        let entry = &sender.journal.entries()[0];
        assert_eq!((entry.nonce, entry.signed.len()), (nonce, 2));
        assert_eq!(entry.mined().unwrap().hash, entry.signed[1].hash);
        assert_eq!(entry.signed[1].max_fee, 2_000_000_000);
    }

    #[tokio::test]
    async fn blocks_that_were_taken_back_come_again() {
        let mut sender = Sender::new().await;
        let snapshot = sender.node.chain().snapshot();
        let node = sender.node.clone();
        let mut outbox = sender.outbox();
        for wei in [1, 2] {
            outbox.send("transfer", &transfer(wei), None).await.unwrap();
        }
        outbox.settle(0).await.unwrap();
        assert!(!outbox.recheck().await.unwrap());
        assert!(node.chain().revert(snapshot));
        // Found out by the next transaction, whose nonce leaves a gap.
        outbox.send("transfer", &transfer(3), None).await.unwrap();
        outbox.settle(0).await.unwrap();
        assert_eq!(outcomes(&sender.journal), [Some(true); 3]);
        assert_eq!(
            sender
                .chain
                .receipt_of(sender.journal.entries()[2].signed[0].hash)
                .await
                .unwrap()
                .unwrap()
                .gas(),
            21_000
        );
    }

    #[tokio::test]
    async fn nothing_happens_for_too_long() {
        let mut sender = Sender::new().await;
        sender.node.chain().set_automine(false);
        let mut outbox = sender.outbox();
        outbox.patience.give_up = Duration::from_millis(200);
        outbox.send("transfer", &transfer(1), None).await.unwrap();
        let error = outbox.settle(0).await.unwrap_err();
        assert!(matches!(error, Error::Chain(chain::Error::NoReceipt { .. })), "{error}");
        // It was replaced meanwhile, each time for a quarter more.
        let fees = sender.journal.entries()[0].signed.iter().map(|signed| signed.max_fee);
        assert!(fees.clone().count() > 1 && fees.is_sorted());
    }
}
