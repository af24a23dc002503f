//! Contracts that the chain starts with.
//!
//! `cargo stylus deploy` runs a constructor through StylusDeployer, which live Arbitrum chains have at
//! [`STYLUS_DEPLOYER`]. Ours is written for this chain (`predeploys/StylusDeployer.sol`) to the same interface; its
//! compiled form stands beside it.

use alloy_primitives::{Address, Bytes, address};
use serde::Deserialize;

/// Where StylusDeployer stands.
pub const STYLUS_DEPLOYER: Address = address!("cecba2f1dc234f70dd89f2041029807f8d03a990");

/// Its compiled form.
const ARTIFACT: &str = include_str!("../predeploys/StylusDeployer.json");

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Artifact {
    deployed_bytecode: Bytes,
}

/// Code of StylusDeployer.
pub fn stylus_deployer() -> Bytes {
    serde_json::from_str::<Artifact>(ARTIFACT)
        .expect("the artifact is part of this crate")
        .deployed_bytecode
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_artifact_has_code() {
        assert!(super::stylus_deployer().len() > 500);
    }
}
