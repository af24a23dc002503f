//! Checking that what stands on the chain is what was to be deployed.

use super::{
    Deployment, Error,
    engine::{FROZEN, READY},
    patience::Patience,
};
use crate::{
    abi::IClassifier,
    artifacts::Program,
    chain::{self, Connection, Request},
    classifier::{self, Classifier},
    models::Model,
};
use alloy::primitives::{Address, Bytes};

/// Checks that the contract holds this model, and that it is ready.
///
/// # Errors
/// [`Error::Differs`] says in what it differs.
pub async fn verify(chain: &Connection, address: Address, model: &Model) -> Result<(), Error> {
    verify_with(chain, address, model, Patience::of(chain)).await
}

/// [`verify`] with other patience than suits the chain.
pub(super) async fn verify_with(
    chain: &Connection,
    address: Address,
    model: &Model,
    patience: Patience,
) -> Result<(), Error> {
    let asked = || chain.call(address, &IClassifier::modelInfoCall {});
    let info = patience.ask("modelInfo()", asked).await?;
    let what = if info.header != model.header {
        format!("its header is {}, expected {}", info.header, Bytes::from(model.header.clone()))
    } else if info.modelHash != model.hash {
        format!("its model hash is {}, expected {}", info.modelHash, model.hash)
    } else if info.words as usize != model.words.len() {
        format!("it has {} words, expected {}", info.words, model.words.len())
    } else if ![READY, FROZEN].contains(&info.state) {
        format!("its state is {}, expected {READY} (ready) or {FROZEN} (frozen)", info.state)
    } else {
        return Ok(());
    };
    Err(Error::Differs { address, model: model.name.clone(), what })
}

/// Checks that digit and logits of these images are the reference's.
///
/// # Errors
/// [`Error::Differs`] names the first image for which they are not.
pub async fn check_answers<'a>(
    chain: &Connection,
    deployment: &Deployment,
    model: &Model,
    images: impl IntoIterator<Item = &'a [u8; 400]>,
    patience: Patience,
) -> Result<(), Error> {
    let address = deployment.address;
    let classifier = Classifier { chain: chain.clone(), address };
    for (index, image) in images.into_iter().enumerate() {
        let logits = model.logits(image).map_err(classifier::Error::from)?;
        let asked = || classifier.compared(image, &logits);
        let (agrees, _) = patience.ask("classify(bytes)", asked).await?;
        if !agrees {
            let what = format!("digit or logits of test image {index} are not the reference's");
            return Err(Error::Differs { address, model: model.name.clone(), what });
        }
    }
    Ok(())
}

/// Whether the code at an address is the program's. What init code returns only the chain knows: it is asked in an
/// `eth_call`.
///
/// # Errors
/// [`chain::Error`] where the chain cannot be asked.
pub async fn has_code(
    chain: &Connection,
    address: Address,
    program: &Program,
    owner: Address,
) -> Result<bool, chain::Error> {
    let expected = match program {
        Program::Stylus(program) => program.code.clone().into(),
        Program::Solidity(program) => {
            chain.call_raw(&Request::create(program.init_code(owner))).await?
        }
    };
    Ok(chain.code(address).await? == expected)
}
