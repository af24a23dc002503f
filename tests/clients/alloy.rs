use alloy::{
    primitives::{Address, Bytes},
    providers::ProviderBuilder,
    sol,
};
use std::error::Error;

sol! {
    #[sol(rpc)]
    interface IClassifier {
        function classify(bytes image) external view returns (uint8 digit);
    }
}

async fn classify(rpc: &str, classifier: Address, image: Bytes) -> Result<u8, Box<dyn Error>> {
    let provider = ProviderBuilder::new().connect_http(rpc.parse()?);
    Ok(IClassifier::new(classifier, provider).classify(image).call().await?)
}
