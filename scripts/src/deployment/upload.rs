//! Uploading a model into a contract, and checking that it is there.

use super::{Deployment, Error, Step};
use crate::{
    abi::IClassifier,
    artifacts::{Contract, Home},
    chain::{self, Connection, Request},
    classifier::Classifier,
    models::Model,
};
use alloy::{
    primitives::{Address, Bytes},
    sol_types::SolCall,
};
use inkling_network::pack;

/// States of a contract.
const UPLOADING: u8 = 1;
const READY: u8 = 2;
const FROZEN: u8 = 3;

/// Chunks in an upload transaction: a word costs 20,000 gas and more, and `Naive` writes 32 of them for each. Code is
/// written at once.
fn chunks_at_once(contract: Contract) -> usize {
    match (contract, contract.home()) {
        (Contract::Naive, _) => 1,
        (_, Home::Code) => usize::MAX,
        _ => 4,
    }
}

/// Uploads the model, or what is missing of it, makes it ready and checks it. `told` is called after each transaction
/// with the step it belongs to.
///
/// # Errors
/// [`Error`].
pub async fn upload(
    chain: &Connection,
    mut deployment: Deployment,
    model: &Model,
    told: &mut (dyn FnMut(&Step) + Send),
) -> Result<Deployment, Error> {
    let address = deployment.address;
    deployment.steps.iter().for_each(&mut *told);
    let info = chain.call(address, &IClassifier::modelInfoCall {}).await?;
    let same = info.modelHash == model.hash && info.header == model.header;
    if info.state == FROZEN && !same {
        return Err(Error::Frozen(address));
    }
    let mut begin = !same;
    while begin || info.state == UPLOADING {
        if begin {
            let receipt = chain.send(&begin_model(address, model)).await;
            let receipt = receipt.map_err(|error| refused(&deployment, error))?;
            told(deployment.push("begin", &receipt));
        }
        let missing = chain.call(address, &IClassifier::missingChunksCall {}).await?;
        let chunks: Vec<&[u8]> = pack::chunks(&model.words).collect();
        let mut step = Step { name: "upload".into(), transactions: 0, gas: 0 };
        for run in runs(&missing, chunks_at_once(deployment.contract)) {
            let words = chunks.get(run.0 as usize..(run.0 + run.1) as usize);
            let words = words.unwrap_or_default().concat().into();
            let upload = IClassifier::uploadChunkCall { index: run.0, words };
            step.gas += chain.send(&Request::call(address, &upload)).await?.gas();
            step.transactions += 1;
            told(&step);
        }
        deployment.steps.push(step);
        let finalize = Request::call(address, &IClassifier::finalizeModelCall {});
        match chain.send(&finalize).await {
            Ok(receipt) => {
                told(deployment.push("finalize", &receipt));
                break;
            }
            // A chunk that was found there is wrong, and nobody knows which: once more, from the beginning.
            Err(chain::Error::Reverted { reason, .. })
                if !begin && reason.starts_with("HashMismatch") =>
            {
                begin = true;
            }
            Err(error) => return Err(error.into()),
        }
    }
    verify(chain, address, model).await?;
    Ok(deployment)
}

fn begin_model(address: Address, model: &Model) -> Request {
    let header = model.header.clone().into();
    Request::call(address, &IClassifier::beginModelCall { header, modelHash: model.hash })
}

/// What `beginModel` says of a model that the contract is not made for; any other error as it is.
fn refused(deployment: &Deployment, error: chain::Error) -> Error {
    match error {
        chain::Error::Reverted { what: IClassifier::beginModelCall::SIGNATURE, reason }
            if ["BadHeader", "ModelTooLarge"].iter().any(|name| reason.starts_with(name)) =>
        {
            let Deployment { contract, model, .. } = deployment;
            Error::Refused { contract: *contract, model: model.clone(), reason }
        }
        error => error.into(),
    }
}

/// Consecutive indices, at most `most` together, as first index and number.
fn runs(indices: &[u32], most: usize) -> Vec<(u32, u32)> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for &index in indices {
        match runs.last_mut() {
            Some((first, count)) if *first + *count == index && (*count as usize) < most => {
                *count += 1;
            }
            _ => runs.push((index, 1)),
        }
    }
    runs
}

/// Checks that the contract holds this model, and that it is ready.
///
/// # Errors
/// [`Error::Differs`] says in what it differs.
pub async fn verify(chain: &Connection, address: Address, model: &Model) -> Result<(), Error> {
    let info = chain.call(address, &IClassifier::modelInfoCall {}).await?;
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
) -> Result<(), Error> {
    let address = deployment.address;
    let classifier = Classifier { chain: chain.clone(), address };
    for (index, image) in images.into_iter().enumerate() {
        let (agrees, _) = classifier.answer(model, image).await?;
        if !agrees {
            let what = format!("digit or logits of test image {index} are not the reference's");
            return Err(Error::Differs { address, model: model.name.clone(), what });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        deployment::{create, resume},
        testing::tiny_model,
    };

    #[tokio::test]
    async fn an_upload_goes_on_where_it_broke_off() {
        let model = tiny_model(4, &[8, 10]);
        let chain = Connection::embedded().await.unwrap();
        let Deployment { address, .. } = create(&chain, Contract::Packed, &model).await.unwrap();
        chain.send(&begin_model(address, &model)).await.unwrap();
        let second = pack::chunks(&model.words).nth(1).unwrap().to_vec();
        let chunk = IClassifier::uploadChunkCall { index: 1, words: second.into() };
        chain.send(&Request::call(address, &chunk)).await.unwrap();

        let found = resume(address, Contract::Packed, &model);
        let done = upload(&chain, found, &model, &mut |_| {}).await.unwrap();
        // Chunk 0, then chunks 2 and 3.
        assert_eq!((done.transactions("begin"), done.transactions("upload")), (0, 2));

        // Once more there is nothing to do; with another model everything is done again.
        let found = resume(address, Contract::Packed, &model);
        let again = upload(&chain, found, &model, &mut |_| {}).await.unwrap();
        assert_eq!(again.steps, []);
        let other = tiny_model(5, &[8, 10]);
        assert!(matches!(verify(&chain, address, &other).await, Err(Error::Differs { .. })));
        let found = resume(address, Contract::Packed, &other);
        let replaced = upload(&chain, found, &other, &mut |_| {}).await.unwrap();
        assert_eq!(replaced.steps.len(), 3);

        chain.send(&Request::call(address, &IClassifier::freezeModelCall {})).await.unwrap();
        let found = resume(address, Contract::Packed, &model);
        let refused = upload(&chain, found, &model, &mut |_| {}).await;
        assert!(matches!(refused, Err(Error::Frozen(_))));
    }

    #[tokio::test]
    async fn an_upload_with_a_wrong_chunk_is_made_anew() {
        let model = tiny_model(4, &[8, 65]);
        for contract in Contract::UPLOADED {
            let chain = Connection::embedded().await.unwrap();
            let Deployment { address, .. } = create(&chain, contract, &model).await.unwrap();
            chain.send(&begin_model(address, &model)).await.unwrap();
            let mut words = model.words.clone();
            words[pack::CHUNK_WORDS as usize][0] ^= 1;
            let at_once = if contract.home() == Home::Code { words.len() } else { 32 };
            for (index, chunk) in (0..).zip(words.chunks(at_once)) {
                let words = chunk.as_flattened().to_vec().into();
                let chunk = IClassifier::uploadChunkCall { index, words };
                chain.send(&Request::call(address, &chunk)).await.unwrap();
            }
            let found = resume(address, contract, &model);
            let done = upload(&chain, found, &model, &mut |_| {}).await.unwrap();
            let transactions = if contract == Contract::Naive { 4 } else { 1 };
            let names = ["begin", "upload", "finalize"].map(|name| done.transactions(name));
            assert_eq!(names, [1, transactions, 1], "{contract}");
        }
    }

    #[tokio::test]
    async fn refusals_carry_the_contracts_words() {
        let model = tiny_model(6, &[10]);
        let chain = Connection::embedded().await.unwrap();
        for contract in Contract::UPLOADED {
            let Deployment { address, .. } = create(&chain, contract, &model).await.unwrap();
            let finalize = Request::call(address, &IClassifier::finalizeModelCall {});
            let error = chain.send(&finalize).await.unwrap_err().to_string();
            assert_eq!(error, "finalizeModel() was refused: NotUploading { state: 0 }");
        }
    }

    #[test]
    fn runs_are_consecutive() {
        assert_eq!(runs(&[0, 1, 2, 4, 5, 9], 2), [(0, 2), (2, 1), (4, 2), (9, 1)]);
        assert_eq!(runs(&[], 4), []);
    }
}
