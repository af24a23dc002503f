//! A deployed classifier: what it is asked, and whether its answers are the reference's.

use crate::{
    abi::{ARB_WASM, IArbWasm, IClassifier, INodeInterface, NODE_INTERFACE},
    accounts::AccountArgs,
    artifacts::Contract,
    chain::{self, Connection, Request, Trace},
    deployment::{self, Deployment},
    gas::{INK_PRICE, Paid},
    models::Model,
    networks::NetworkArgs,
    report::thousands,
    samples::Image,
};
use alloy::{primitives::Address, sol_types::SolCall};
use clap::Args;
use inkling_devnode::{TxOutcome, TxStatus, arbos::TX_GAS_CAP};
use inkling_network::argmax;
use serde::{Deserialize, Serialize};

/// Why a classifier could not be asked, or its answer is wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The chain said no.
    #[error(transparent)]
    Chain(#[from] chain::Error),
    /// The network takes images of another size.
    #[error(transparent)]
    Image(#[from] inkling_network::ImageLengthError),
    /// No transaction gets the gas that an image needs.
    #[error(
        "it needs {} gas, a transaction on Arbitrum gets at most {}",
        thousands(*.needed),
        thousands(TX_GAS_CAP)
    )]
    GasCap {
        /// Gas that the call takes where there is no cap.
        needed: u64,
    },
}

/// Which contract a command asks.
#[derive(Args, Debug)]
pub struct ContractArgs {
    /// The contract; of Stylus and Yul there are more, whose weights lie elsewhere.
    #[arg(long, value_enum, default_value = "stylus")]
    pub contract: Contract,
    /// Address of the deployed contract on the chain that --network or --rpc names; without it, a chain is made and the
    /// contract deployed to it.
    #[arg(long)]
    pub address: Option<Address>,
    /// Which chain.
    #[command(flatten)]
    pub network: NetworkArgs,
    /// Who pays; gas is estimated where nobody does.
    #[command(flatten)]
    pub account: AccountArgs,
}

/// What a Stylus program did while it classified.
#[derive(Clone, Debug)]
pub struct Traced {
    /// Its hostios.
    pub trace: Trace,
    /// Gas for starting it and for the memory it starts with.
    pub start_gas: u64,
    /// Ink that it took in all, rounded up to whole gas.
    pub ink: u64,
}

/// What starting a Stylus program costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramCosts {
    /// Gas for starting it while it is not cached.
    pub init_gas: u64,
    /// Gas for starting it from the cache.
    pub cached_init_gas: u64,
    /// Pages of memory it starts with.
    pub pages: u16,
    /// Pages that cost nothing.
    pub free_pages: u16,
}

fn classify_call(image: &[u8]) -> IClassifier::classifyCall {
    IClassifier::classifyCall { image: image.to_vec().into() }
}

fn batch_call(images: &[Image]) -> IClassifier::classifyBatchCall {
    IClassifier::classifyBatchCall { images: images.as_flattened().to_vec().into() }
}

/// Calldata of `classify`.
pub fn calldata(image: &[u8]) -> Vec<u8> {
    classify_call(image).abi_encode()
}

/// A contract with a model in it.
pub struct Classifier {
    /// The chain that it is on.
    pub chain: Connection,
    /// Its address.
    pub address: Address,
}

impl Classifier {
    /// The contract that the arguments name, with `model` in it: found on an endpoint, or deployed to a new chain and,
    /// if it is a Stylus program, cached.
    ///
    /// # Errors
    /// As [`deployment::deploy`]; [`deployment::Error::Differs`] where the contract holds another model;
    /// [`crate::Error::Usage`] where there is an address and no chain, or the other way round.
    pub async fn open(args: &ContractArgs, model: &Model) -> Result<Self, crate::Error> {
        if let Some(address) = args.address {
            let account = args.account.open().await.map_err(chain::Error::from)?;
            let chain = args.network.connect(account).await?;
            deployment::verify(&chain, address, model).await?;
            return Ok(Self { chain, address });
        }
        if args.network.is_named() {
            let message = "--network and --rpc need the --address of the contract there";
            return Err(crate::Error::Usage(message.into()));
        }
        let chain = Connection::embedded().await?;
        let Deployment { address, .. } = deployment::deploy(&chain, args.contract, model).await?;
        if args.contract.is_stylus() {
            chain.set_cached(address, true).await?;
        }
        Ok(Self { chain, address })
    }

    /// `classify` of an image.
    pub fn request(&self, image: &[u8]) -> Request {
        Request::call(self.address, &classify_call(image))
    }

    /// `classifyBatch` of some images.
    pub fn batch_request(&self, images: &[Image]) -> Request {
        Request::call(self.address, &batch_call(images))
    }

    /// The digit, by `eth_call`.
    ///
    /// # Errors
    /// [`chain::Error`].
    pub async fn digit(&self, image: &[u8]) -> Result<u8, chain::Error> {
        self.chain.call(self.address, &classify_call(image)).await
    }

    /// The digits of some images, by one `eth_call`.
    ///
    /// # Errors
    /// [`chain::Error`]; [`chain::Error::Answer`] also where there are not as many digits as images.
    pub async fn digits(&self, images: &[Image]) -> Result<Vec<u8>, chain::Error> {
        let call = batch_call(images);
        let digits = self.chain.call(self.address, &call).await?;
        let (what, address) = (IClassifier::classifyBatchCall::SIGNATURE, self.address);
        match digits.len() * size_of::<Image>() == call.images.len() {
            true => Ok(digits),
            false => Err(chain::Error::Answer { what, address, bytes: digits.len() }),
        }
    }

    /// The logits, by `eth_call`.
    ///
    /// # Errors
    /// [`chain::Error`].
    pub async fn logits(&self, image: &[u8]) -> Result<Vec<i32>, chain::Error> {
        let call = IClassifier::logitsCall { image: image.to_vec().into() };
        self.chain.call(self.address, &call).await
    }

    /// Whether digit and all logits of the contract are the reference's, and the digit.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn answer(&self, model: &Model, image: &[u8]) -> Result<(bool, u8), Error> {
        Ok(self.compared(image, &model.logits(image)?).await?)
    }

    /// Whether all logits of the contract are these and its digit follows from them, and the digit.
    ///
    /// # Errors
    /// [`chain::Error`].
    pub async fn compared(
        &self,
        image: &[u8],
        expected: &[i32],
    ) -> Result<(bool, u8), chain::Error> {
        let digit = self.digit(image).await?;
        let agrees = self.logits(image).await? == expected;
        Ok((agrees && usize::from(digit) == argmax(expected), digit))
    }

    /// A gas limit that suits each of these images: the estimate for the one with most ink and a quarter more, since
    /// what is read in later layers depends on more than ink.
    ///
    /// # Errors
    /// [`crate::Error::Sample`] where a transaction does not get that much; [`crate::Error::Classifier`].
    pub async fn gas_limit(&self, images: &[Image]) -> Result<u64, crate::Error> {
        let ink = |image: &Image| image.iter().filter(|&&pixel| pixel != 0).count();
        let darkest = images.iter().enumerate().max_by_key(|(_, image)| ink(image));
        let (index, image) = darkest.map_or((0, &[][..]), |(index, image)| (index, image));
        let estimate = self.estimate(image).await;
        Ok(estimate.map_err(|error| crate::Error::of_sample(index, error))? / 4 * 5)
    }

    /// Sends `classify` as a transaction.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn pay(&self, image: &[u8], gas_limit: u64) -> Result<Paid, Error> {
        self.send(Request { gas: Some(gas_limit), ..self.request(image) }).await
    }

    /// Sends `classifyBatch` as a transaction.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn pay_batch(&self, images: &[Image], gas_limit: u64) -> Result<Paid, Error> {
        self.send(Request { gas: Some(gas_limit), ..self.batch_request(images) }).await
    }

    async fn send(&self, request: Request) -> Result<Paid, Error> {
        match self.chain.send(&request).await {
            Ok(receipt) => Ok(Paid::of(receipt.gas(), &request.data)),
            Err(error) => Err(self.refusal(&request, error)),
        }
    }

    /// The same by `eth_estimateGas`, which says somewhat more than a transaction pays.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn estimated(&self, image: &[u8]) -> Result<Paid, Error> {
        Ok(Paid::of(self.estimate(image).await?, &self.request(image).data))
    }

    /// `eth_estimateGas` of `classify`.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn estimate(&self, image: &[u8]) -> Result<u64, Error> {
        let request = self.request(image);
        match self.chain.estimate(&request).await {
            Ok(gas) => Ok(gas),
            Err(error) => Err(self.refusal(&request, error)),
        }
    }

    /// The part of that estimate which pays for posting the transaction to L1; 0 also where the chain has no such thing.
    ///
    /// # Errors
    /// [`chain::Error`] where nobody answers.
    pub async fn l1_estimate(&self, image: &[u8]) -> Result<u64, chain::Error> {
        let (to, data) = (self.address, calldata(image).into());
        let call = INodeInterface::gasEstimateL1ComponentCall { to, contractCreation: false, data };
        match self.chain.call(NODE_INTERFACE, &call).await {
            Ok(answer) => Ok(answer.gasEstimateForL1),
            Err(error) if error.is_temporary() => Err(error),
            Err(_) => Ok(0),
        }
    }

    /// Why `request` was refused: [`Error::GasCap`] if the embedded chain can answer it with more gas than a
    /// transaction gets, else `error`.
    fn refusal(&self, request: &Request, error: chain::Error) -> Error {
        match self.chain.simulate(request) {
            Some(TxOutcome { status: TxStatus::Success, gas_used, .. })
                if gas_used > TX_GAS_CAP =>
            {
                Error::GasCap { needed: gas_used }
            }
            _ => error.into(),
        }
    }

    /// The hostios of a Stylus program while it classifies an image for which a transaction with all the gas that there
    /// can be has paid so much.
    ///
    /// # Errors
    /// [`chain::Error`].
    pub async fn trace(&self, image: &[u8], paid: Paid) -> Result<Traced, chain::Error> {
        let trace = self.chain.trace(&self.request(image), TX_GAS_CAP).await?;
        let intrinsic = paid.transaction - paid.execution;
        let start_gas = (TX_GAS_CAP - intrinsic).saturating_sub(trace.start_ink() / INK_PRICE);
        let ink = paid.execution.saturating_sub(start_gas) * INK_PRICE;
        Ok(Traced { trace, start_gas, ink })
    }

    /// What starting it costs; it must be a Stylus program.
    ///
    /// # Errors
    /// [`chain::Error`].
    pub async fn program_costs(&self) -> Result<ProgramCosts, chain::Error> {
        let program = self.address;
        let init = self.chain.call(ARB_WASM, &IArbWasm::programInitGasCall { program }).await?;
        let pages = IArbWasm::programMemoryFootprintCall { program };
        Ok(ProgramCosts {
            init_gas: init.gas,
            cached_init_gas: init.gasWhenCached,
            pages: self.chain.call(ARB_WASM, &pages).await?,
            free_pages: self.chain.call(ARB_WASM, &IArbWasm::freePagesCall {}).await?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tiny_model;

    /// 400 pixels and 52 outputs: more than 20,000 weights, each a cold slot of `Naive`.
    #[tokio::test]
    async fn the_gas_cap_of_a_transaction_has_an_error_of_its_own() {
        let model = tiny_model(8, &[52, 10]);
        let chain = Connection::embedded().await.unwrap();
        let deployed = deployment::deploy(&chain, Contract::Naive, &model).await.unwrap();
        let classifier = Classifier { chain, address: deployed.address };
        let images = [[0; 400], [0; 400], [1; 400]];
        let error = classifier.gas_limit(&images).await.unwrap_err();
        let crate::Error::Sample { index: 2, source: Error::GasCap { needed } } = error else {
            panic!("{error}")
        };
        assert!(needed > 20_800 * 2_100, "{needed}");
        assert!(error.to_string().contains("a transaction on Arbitrum gets at most 32,000,000"));
        let paid = classifier.pay(&images[2], TX_GAS_CAP).await.unwrap_err();
        assert!(matches!(paid, Error::GasCap { .. }), "{paid}");

        // What needs less is refused for other reasons.
        let limit = classifier.gas_limit(&images[..2]).await.unwrap();
        assert!(limit < TX_GAS_CAP);
        let error = classifier.pay(&images[0], 100_000).await.unwrap_err();
        assert!(matches!(error, Error::Chain(chain::Error::Failed { .. })), "{error}");
        let error = classifier.estimate(&[]).await.unwrap_err().to_string();
        assert!(error.contains("BadImageLength"), "{error}");
    }
}
