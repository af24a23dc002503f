//! Contracts that the chain starts with.
//!
//! | contract | for | where |
//! |---|---|---|
//! | StylusDeployer | `cargo stylus deploy` with a constructor | [`STYLUS_DEPLOYER`], as on live Arbitrum chains |
//! | deterministic deployment proxy | contracts at the same address on every chain | [`CREATE2_FACTORY`], as on every chain |
//! | CacheManager | `cargo stylus cache` | [`CACHE_MANAGER`], where `run-dev-node.sh` of `OffchainLabs/nitro-devnode` has it |
//!
//! StylusDeployer and CacheManager are written for this chain to the interfaces of Nitro's, in `predeploys/`; their compiled
//! form stands beside them.

use alloy_primitives::{Address, Bytes, U256, address, hex};
use serde::Deserialize;

/// Where StylusDeployer stands.
pub const STYLUS_DEPLOYER: Address = address!("cecba2f1dc234f70dd89f2041029807f8d03a990");
/// Where the deterministic deployment proxy stands: 32 bytes of salt and init code in, 20 bytes of address out.
pub const CREATE2_FACTORY: Address = address!("4e59b44847b379578588920ca78fbf26c0b4956c");
/// Where CacheManager stands: the fourth transaction of the development account (number 3) creates it.
pub const CACHE_MANAGER: Address = address!("a6e41ffd769491a42a6e5ce453259b93983a22ef");
/// Transactions that `run-dev-node.sh` sends from the development account. It starts with so many, so that contracts get
/// the addresses that tutorials show.
pub const DEV_NONCE: u64 = 6;

/// Bytes that CacheManager lets into the cache, and wei by which bids decay each second: what Nitro's deployment script sets
/// (`scripts/deploymentUtils.ts` in `OffchainLabs/nitro-contracts`).
const CACHE_SIZE: u64 = 512 << 20;
const CACHE_DECAY: u64 = 10_322_197_911;

/// The proxy, instruction by instruction. Tools compare the hash of its code, so these are the instructions that it has
/// everywhere.
const CREATE2_FACTORY_CODE: [&[u8]; 9] = [
    // n: all but 32 bytes of the calldata
    &hex!("7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe0 36 01"),
    &hex!("6000 81 6020 82 37"), // copy them to memory: PUSH 0, DUP n, PUSH 32, DUP 0, CALLDATACOPY
    &hex!("80 35"),              // salt: DUP 0, CALLDATALOAD
    &hex!("82 82 34 f5"),        // DUP n, DUP 0, CALLVALUE, CREATE2
    &hex!("80 15 15 6039 57"),   // go on where that gave an address
    &hex!("81 82 fd"),           // revert without data
    &hex!("5b 80 82 52"),        // the address to memory at 0
    &hex!("50 50 50"),
    &hex!("6014 600c f3"), // return its 20 bytes
];

/// A contract that the chain starts with.
#[derive(Clone, Debug)]
pub struct Predeploy {
    /// Where it stands.
    pub address: Address,
    /// Its code.
    pub code: Bytes,
    /// Words of its storage that are not zero, by slot.
    pub storage: Vec<(U256, U256)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Artifact {
    deployed_bytecode: Bytes,
}

fn compiled(artifact: &str) -> Bytes {
    let artifact: Artifact = serde_json::from_str(artifact).expect("it is part of this crate");
    artifact.deployed_bytecode
}

/// All of them.
pub fn all() -> [Predeploy; 3] {
    // slot 0 of CacheManager from its low end: cache size, queue size, decay, pause
    let cache = U256::from(CACHE_SIZE) | (U256::from(CACHE_DECAY) << 128);
    [
        Predeploy {
            address: STYLUS_DEPLOYER,
            code: compiled(include_str!("../predeploys/StylusDeployer.json")),
            storage: Vec::new(),
        },
        Predeploy {
            address: CREATE2_FACTORY,
            code: CREATE2_FACTORY_CODE.concat().into(),
            storage: Vec::new(),
        },
        Predeploy {
            address: CACHE_MANAGER,
            code: compiled(include_str!("../predeploys/CacheManager.json")),
            storage: vec![(U256::ZERO, cache)],
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arbos::DEV_ACCOUNT;
    use alloy_primitives::{b256, keccak256};

    #[test]
    fn what_tools_look_for() {
        let [deployer, factory, manager] = all();
        assert!(deployer.code.len() > 500 && manager.code.len() > 500);
        assert_eq!(factory.code.len(), 69);
        let known = b256!("2fa86add0aed31f33a762c9d88e807c475bd51d0f52bd0955754b2608f7e4989");
        assert_eq!(keccak256(factory.code), known);
        assert_eq!(DEV_ACCOUNT.create(3), CACHE_MANAGER);
        // the first contract of a Stylus tutorial
        let first = address!("525c2aba45f66987217323e8a05ea400c65d06dc");
        assert_eq!(DEV_ACCOUNT.create(DEV_NONCE), first);
    }
}
