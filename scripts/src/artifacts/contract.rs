//! The contracts that classify, and where each keeps its model.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A contract that classifies.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Contract {
    /// The Stylus contract, weights in storage.
    Stylus,
    /// The Stylus contract, weights in the code of a data account.
    StylusCode,
    /// The Stylus contract, weights in the program: one program for each model.
    StylusBaked,
    /// The strongest Solidity over the same words in storage: assembly, several lanes a multiplication.
    Yul,
    /// The same, weights in the code of a data account.
    YulCode,
    /// Plain Solidity over the same words in storage, one multiplication a weight.
    Packed,
    /// Solidity, one weight a mapping entry, as the original project stores them.
    Naive,
}

/// Where the weights lie: see `docs/format.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// In storage slots of the contract.
    Storage,
    /// In the code of another account.
    Code,
    /// In the program itself.
    Baked,
}

impl Contract {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Stylus,
        Self::StylusCode,
        Self::StylusBaked,
        Self::Yul,
        Self::YulCode,
        Self::Packed,
        Self::Naive,
    ];

    /// Those that a model is uploaded into: all but [`Contract::StylusBaked`].
    pub const UPLOADED: [Self; 6] =
        [Self::Stylus, Self::StylusCode, Self::Yul, Self::YulCode, Self::Packed, Self::Naive];

    /// Whether it is a Stylus program, to be activated before use.
    pub const fn is_stylus(self) -> bool {
        matches!(self, Self::Stylus | Self::StylusCode | Self::StylusBaked)
    }

    /// Where its weights lie.
    pub const fn home(self) -> Home {
        match self {
            Self::Stylus | Self::Yul | Self::Packed | Self::Naive => Home::Storage,
            Self::StylusCode | Self::YulCode => Home::Code,
            Self::StylusBaked => Home::Baked,
        }
    }

    /// The strongest Solidity that does the same: with weights in the same home, for baked ones in code, which is as
    /// near as the EVM comes to them.
    pub const fn twin(self) -> Self {
        match self.home() {
            Home::Storage => Self::Yul,
            Home::Code | Home::Baked => Self::YulCode,
        }
    }

    /// Its name on the command line and in the names of files.
    pub fn argument(self) -> String {
        // `Stylus code` is `stylus-code`.
        self.to_string().to_lowercase().replace(' ', "-")
    }
}

impl fmt::Display for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Stylus => "Stylus",
            Self::StylusCode => "Stylus code",
            Self::StylusBaked => "Stylus baked",
            Self::Yul => "Yul",
            Self::YulCode => "Yul code",
            Self::Packed => "Packed",
            Self::Naive => "Naive",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_for_arguments_files_and_reports() {
        for contract in Contract::ALL {
            let value = contract.to_possible_value().unwrap();
            assert_eq!(value.get_name(), contract.argument());
            assert_eq!(serde_json::to_value(contract).unwrap(), contract.argument());
        }
        assert_eq!(Contract::StylusBaked.argument(), "stylus-baked");
    }

    #[test]
    fn twins_are_solidity() {
        assert!(Contract::ALL.iter().all(|contract| !contract.twin().is_stylus()));
        assert_eq!(Contract::Yul.twin(), Contract::Yul);
        assert_eq!(Contract::StylusBaked.twin(), Contract::YulCode);
    }
}
