//! Accounts that sign: an encrypted key file, a key or a mnemonic of the environment, a device, or a key on the command
//! line.
//!
//! One group of arguments, [`AccountArgs`], which each command that sends transactions has. What is secret is read as
//! late as can be, and shown by nothing: neither by `Debug` nor in an error, and what libraries say of a key or of a word
//! that they do not like is not passed on.

mod keystore;
mod secret;

pub use keystore::PASSWORD;
pub use secret::Secret;

use crate::chain;
use alloy::{
    network::EthereumWallet,
    primitives::Address,
    signers::local::{MnemonicBuilder, PrivateKeySigner},
};
use std::{env, fmt, fs, io, path::PathBuf};

/// Why there is no account.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The environment variable with the key is missing or holds none.
    #[error("the environment variable {0} does not hold a private key, expected 32 bytes in hex")]
    Variable(String),
    /// The key on the command line is none.
    #[error("--private-key is no private key, expected 32 bytes in hex")]
    PrivateKey,
    /// There is no mnemonic where it should be.
    #[error("{0} does not hold a mnemonic, expected 12 to 24 English words of BIP-39")]
    Mnemonic(String),
    /// The file is no key file.
    #[error("{} is no key file that can be opened: {what}", path.display())]
    Keystore {
        /// The file.
        path: PathBuf,
        /// Why not.
        what: String,
    },
    /// The password does not open the file.
    #[error("wrong password for {}", .0.display())]
    Password(PathBuf),
    /// There is no password, and nobody to ask.
    #[error(
        "no password for {}: give --password-file or {PASSWORD}, or run it in a terminal",
        .0.display()
    )]
    NoPassword(PathBuf),
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The device does not answer, or not as it should.
    #[cfg(feature = "ledger")]
    #[error(
        "the Ledger does not answer: is it connected, unlocked, with its Ethereum app open? ({0})"
    )]
    Ledger(String),
}

/// Heading of its options. clap would give a heading of the whole group to the options that follow it, too.
const HEADING: &str = "Account";

/// Which account signs transactions.
#[derive(clap::Args, Clone, Debug, Default)]
// Else all of them would be of one group.
#[group(skip)]
pub struct AccountArgs {
    /// Encrypted key file, as geth and Foundry write them; see --password-file.
    #[arg(long, help_heading = HEADING, value_name = "FILE", group = "account")]
    pub keystore: Option<PathBuf>,
    /// File with the key file's password [default: the environment variable INKLING_PASSWORD, else it is asked for].
    #[arg(long, help_heading = HEADING, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Name of the environment variable that holds the private key in hex.
    #[arg(long, help_heading = HEADING, value_name = "VAR", group = "account")]
    pub private_key_env: Option<String>,
    /// Name of the environment variable that holds a mnemonic.
    #[arg(long, help_heading = HEADING, value_name = "VAR", group = "account")]
    pub mnemonic_env: Option<String>,
    /// File with a mnemonic.
    #[arg(long, help_heading = HEADING, value_name = "FILE", group = "account")]
    pub mnemonic_file: Option<PathBuf>,
    /// Which account of the mnemonic or the device: N of m/44'/60'/0'/0/N.
    #[arg(long, help_heading = HEADING, value_name = "N", default_value_t = 0,
          value_parser = clap::value_parser!(u32).range(..1 << 31))]
    pub mnemonic_index: u32,
    /// A Ledger, whose Ethereum app is open.
    #[cfg(feature = "ledger")]
    #[arg(long, help_heading = HEADING, group = "account")]
    pub ledger: bool,
    /// The private key itself: unsafe, as other users of this machine and the shell's history see it.
    #[arg(long, help_heading = HEADING, value_name = "HEX", group = "account")]
    pub private_key: Option<Secret>,
}

impl AccountArgs {
    /// The account, if one is named.
    ///
    /// # Errors
    /// [`Error`], of which none shows a secret.
    pub async fn open(&self) -> Result<Option<Account>, Error> {
        #[cfg(feature = "ledger")]
        if self.ledger {
            return ledger(self.mnemonic_index).await.map(Some);
        }
        let signer = if let Some(path) = &self.keystore {
            keystore::open(path, self.password_file.as_deref())?
        } else if let Some(variable) = &self.private_key_env {
            let key = env::var(variable).ok();
            key.and_then(|key| parse(&key)).ok_or_else(|| Error::Variable(variable.clone()))?
        } else if let Some(variable) = &self.mnemonic_env {
            let phrase = env::var(variable).unwrap_or_default();
            self.derive(&phrase, format!("the environment variable {variable}"))?
        } else if let Some(path) = &self.mnemonic_file {
            let phrase = fs::read_to_string(path);
            let phrase = phrase.map_err(|source| Error::Io { path: path.clone(), source })?;
            self.derive(&phrase, path.display().to_string())?
        } else if let Some(key) = &self.private_key {
            eprintln!(
                "warning: other users of this machine and the shell's history see a key on the command line; \
                 --keystore and --private-key-env keep it from them"
            );
            parse(key.reveal()).ok_or(Error::PrivateKey)?
        } else {
            return Ok(None);
        };
        Ok(Some(signer.into()))
    }

    /// The account, for a transaction that needs one.
    ///
    /// # Errors
    /// As [`Self::open`]; [`chain::Error::NoKey`] where no account is named.
    pub async fn required(&self, what: &'static str) -> Result<Account, chain::Error> {
        self.open().await?.ok_or(chain::Error::NoKey(what))
    }

    /// The account that a mnemonic gives. An error of the library would name the word that is wrong.
    fn derive(&self, phrase: &str, from: String) -> Result<PrivateKeySigner, Error> {
        let phrase = phrase.split_whitespace().collect::<Vec<_>>().join(" ");
        let signer = MnemonicBuilder::try_from_phrase_nth(phrase, self.mnemonic_index);
        signer.map_err(|_| Error::Mnemonic(from))
    }
}

fn parse(key: &str) -> Option<PrivateKeySigner> {
    key.trim().parse().ok()
}

#[cfg(feature = "ledger")]
async fn ledger(index: u32) -> Result<Account, Error> {
    use alloy::signers::ledger::{HDPath, LedgerSigner};
    let path = HDPath::Other(format!("m/44'/60'/0'/0/{index}"));
    let signer = LedgerSigner::new(path, None).await;
    let signer = signer.map_err(|error| Error::Ledger(error.to_string()))?;
    let address = alloy::signers::Signer::address(&signer);
    Ok(Account { address, wallet: EthereumWallet::from(signer) })
}

/// An account that can sign.
#[derive(Clone)]
pub struct Account {
    /// Its address.
    pub address: Address,
    /// What signs.
    pub wallet: EthereumWallet,
}

impl From<PrivateKeySigner> for Account {
    fn from(signer: PrivateKeySigner) -> Self {
        Self { address: signer.address(), wallet: signer.into() }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("address", &self.address).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::address;
    use clap::Parser;

    /// The first two accounts of it are Foundry's and Hardhat's.
    const PHRASE: &str = "test test test test test test test test test test test junk";
    const KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
    const ADDRESS: Address = address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        account: AccountArgs,
    }

    fn args(line: &[&str]) -> AccountArgs {
        Cli::try_parse_from([&["test"], line].concat()).unwrap().account
    }

    async fn opened(line: &[&str]) -> Result<Option<Address>, Error> {
        Ok(args(line).open().await?.map(|account| account.address))
    }

    #[tokio::test]
    async fn keys_and_mnemonics() {
        assert_eq!(opened(&[]).await.unwrap(), None);
        assert_eq!(opened(&["--private-key", KEY]).await.unwrap(), Some(ADDRESS));
        assert_eq!(opened(&["--private-key", &KEY[2..]]).await.unwrap(), Some(ADDRESS));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("words");
        fs::write(&path, format!("  {}\n", PHRASE.replace(' ', "\n "))).unwrap();
        let file = ["--mnemonic-file", path.to_str().unwrap()];
        assert_eq!(opened(&file).await.unwrap(), Some(ADDRESS));
        let second = opened(&[&file[..], &["--mnemonic-index", "1"]].concat()).await.unwrap();
        assert_eq!(second, Some(address!("70997970C51812dc3A010C7d01b50e0d17dc79C8")));
        // No such variable; tests do not set any, as that would not be safe beside other threads.
        for (option, expected) in
            [("--private-key-env", "private key"), ("--mnemonic-env", "BIP-39")]
        {
            let error = opened(&[option, "INKLING_TEST_NO_SUCH_VARIABLE"]).await.unwrap_err();
            let said = error.to_string();
            assert!(said.contains("INKLING_TEST_NO_SUCH_VARIABLE"), "{said}");
            assert!(said.contains(expected), "{said}");
        }
    }

    /// A digit too few, a digit that is none, zero, and the group's order, which is beyond the last key.
    #[tokio::test]
    async fn no_error_shows_a_secret() {
        let order = "0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
        let wrong =
            [&KEY[..65], "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ffzz"];
        for key in [wrong[0], wrong[1], &format!("0x{:064}", 0), order] {
            let args = args(&["--private-key", key]);
            let error = args.open().await.unwrap_err();
            let shown = format!("{error} {error:?} {args:?}");
            assert!(matches!(error, Error::PrivateKey));
            assert!(!shown.contains(&key[2..8]), "{shown}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("words");
        for words in [PHRASE.replace("junk", "jnuk"), PHRASE.replace(" junk", ""), String::new()] {
            fs::write(&path, &words).unwrap();
            let args = args(&["--mnemonic-file", path.to_str().unwrap()]);
            let error = args.open().await.unwrap_err();
            let shown = format!("{error} {error:?} {args:?}");
            assert!(matches!(error, Error::Mnemonic(_)));
            assert!(!shown.contains("jnuk") && !shown.contains("test test"), "{shown}");
        }
        let account = args(&["--private-key", KEY]).open().await.unwrap().unwrap();
        let shown = format!("{account:?} {:?}", account.wallet).to_lowercase();
        assert!(shown.contains("0xf39fd6e5") && !shown.contains("ac0974be"), "{shown}");
    }

    #[test]
    fn one_account_is_named() {
        let parse = |line: &[&str]| Cli::try_parse_from([&["test"], line].concat());
        let error = parse(&["--keystore", "a", "--private-key", KEY]).unwrap_err().to_string();
        assert!(error.contains("cannot be used with") && !error.contains("ac0974be"), "{error}");
        assert!(parse(&["--mnemonic-env", "A", "--mnemonic-file", "b"]).is_err());
        assert!(parse(&["--keystore", "a", "--password-file", "b"]).is_ok());
        assert!(parse(&["--mnemonic-env", "A", "--mnemonic-index", "2147483648"]).is_err());
    }
}
