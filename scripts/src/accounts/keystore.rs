//! Encrypted key files in the format that geth, Foundry and most wallets write: the Web3 Secret Storage Definition,
//! version 3.
//!
//! Deciphering is eth-keystore's, by way of alloy. It takes a file at its word, so the parameters are checked before:
//! else a file could ask for any amount of memory or time, and lengths that do not fit would be a panic.

use super::{Error, Secret};
use alloy::signers::local::PrivateKeySigner;
use serde::Deserialize;
use std::{fs, io, path::Path};

/// Environment variable with the password.
pub const PASSWORD: &str = "INKLING_PASSWORD";

/// Most that scrypt may be asked for, as N × r: 1 GiB. geth asks for 2^21.
const MAX_SCRYPT: u64 = 1 << 23;

/// Most parallel lanes of scrypt, which here take turns.
const MAX_LANES: u64 = 16;

/// Most rounds of PBKDF2.
const MAX_ROUNDS: u64 = 10_000_000;

/// What is checked of a file.
#[derive(Deserialize)]
struct File {
    version: u64,
    #[serde(alias = "Crypto")]
    crypto: Crypto,
}

#[derive(Deserialize)]
struct Crypto {
    cipher: String,
    cipherparams: CipherParams,
    ciphertext: String,
    mac: String,
    kdf: String,
    kdfparams: KdfParams,
}

#[derive(Deserialize)]
struct CipherParams {
    iv: String,
}

#[derive(Deserialize)]
struct KdfParams {
    dklen: u64,
    n: Option<u64>,
    r: Option<u64>,
    p: Option<u64>,
    c: Option<u64>,
    prf: Option<String>,
}

/// Deciphers the key in a file.
///
/// # Errors
/// [`Error::Password`] where the password is wrong; [`Error::Keystore`] where the file is none, or asks for too much;
/// [`Error::Io`], [`Error::NoPassword`].
pub(super) fn open(path: &Path, password_file: Option<&Path>) -> Result<PrivateKeySigner, Error> {
    let text = fs::read(path).map_err(|source| Error::Io { path: path.into(), source })?;
    check(&text).map_err(|what| Error::Keystore { path: path.into(), what })?;
    let password = password(path, password_file)?;
    let opened = PrivateKeySigner::decrypt_keystore(path, password.reveal());
    opened.map_err(|error| match error.to_string().contains("Mac Mismatch") {
        true => Error::Password(path.into()),
        false => Error::Keystore { path: path.into(), what: "it cannot be deciphered".into() },
    })
}

/// What is wrong with a file.
fn check(text: &[u8]) -> Result<(), String> {
    // What serde says of a wrong value may quote it.
    let file: File = serde_json::from_slice(text)
        .map_err(|_| "it is no JSON with the fields of version 3".to_owned())?;
    let Crypto { cipher, cipherparams, ciphertext, mac, kdf, kdfparams } = file.crypto;
    let KdfParams { dklen, n, r, p, c, prf } = kdfparams;
    if file.version != 3 || cipher != "aes-128-ctr" {
        return Err("only version 3 with aes-128-ctr is known".into());
    }
    let lengths = [ciphertext.len(), mac.len(), cipherparams.iv.len()];
    if dklen != 32 || lengths != [64, 64, 32] {
        return Err("the lengths of its fields are wrong".into());
    }
    let fits = match (&kdf[..], n, r, p, c) {
        ("scrypt", Some(n), Some(r), Some(p), _) => {
            n.is_power_of_two() && n.saturating_mul(r) <= MAX_SCRYPT && p <= MAX_LANES
        }
        ("pbkdf2", _, _, _, Some(c)) => c <= MAX_ROUNDS && prf.as_deref() == Some("hmac-sha256"),
        _ => return Err("only scrypt and pbkdf2 are known".into()),
    };
    fits.then_some(()).ok_or_else(|| "its key derivation asks for too much, or for nonsense".into())
}

/// The password: of the file, else of the environment, else asked for without an echo.
fn password(keystore: &Path, file: Option<&Path>) -> Result<Secret, Error> {
    if let Some(path) = file {
        let text = fs::read_to_string(path);
        let text = text.map_err(|source| Error::Io { path: path.into(), source })?;
        return Ok(text.strip_suffix('\n').map(line).unwrap_or(&text).to_owned().into());
    }
    if let Some(password) = std::env::var_os(PASSWORD) {
        let password = password.into_string();
        return password.map(Secret::from).map_err(|_| Error::NoPassword(keystore.into()));
    }
    let asked: io::Result<String> =
        rpassword::prompt_password(format!("Password of {}: ", keystore.display()));
    asked.map(Secret::from).map_err(|_| Error::NoPassword(keystore.into()))
}

/// A line without the carriage return that may end it.
fn line(line: &str) -> &str {
    line.strip_suffix('\r').unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::address;

    /// The Web3 Secret Storage Definition's test vector of PBKDF2; and its key with the parameters that Foundry uses, by web3.py.
    /// The definition's own vector of scrypt (N = 2^18, r = 1) is outside RFC 7914, and the scrypt crate refuses it.
    const VECTORS: [&str; 2] = [
        r#"{"crypto": {"cipher": "aes-128-ctr", "cipherparams": {"iv": "6087dab2f9fdbbfaddc31a909735c1e6"},
            "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46", "kdf": "pbkdf2",
            "kdfparams": {"c": 262144, "dklen": 32, "prf": "hmac-sha256",
            "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd"},
            "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2"},
            "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6", "version": 3}"#,
        r#"{"address": "008AeEda4D805471dF9b2A5B0f38A0C3bCBA786b", "crypto": {"cipher": "aes-128-ctr", "cipherparams":
            {"iv": "126e12bcaec944c71d86e64cde99ce6b"}, "ciphertext":
            "7fa05a151db257a4baad7aa2cbc9f75af94378db06d6ff823fd13bb26519be13", "kdf": "scrypt", "kdfparams": {"dklen": 32,
            "n": 8192, "r": 8, "p": 1, "salt": "9909b199fb3948276e01570c46bd33bd"}, "mac":
            "64ca688ad5e6e5b1bee573ff90c4c0a6676276690e3749f3c28655e4f7ac318a"},
            "id": "fb3cd67b-5552-4d20-b1c3-93917e53b07b", "version": 3}"#,
    ];

    struct Files(tempfile::TempDir);

    impl Files {
        fn write(&self, name: &str, text: &str) -> std::path::PathBuf {
            let path = self.0.path().join(name);
            fs::write(&path, text).unwrap();
            path
        }
    }

    fn files() -> Files {
        Files(tempfile::tempdir().unwrap())
    }

    #[test]
    fn both_key_derivations_open() {
        let files = files();
        let password = files.write("password", "testpassword\r\n");
        for vector in VECTORS {
            let path = files.write("key", vector);
            let signer = open(&path, Some(&password)).unwrap();
            // Of the definition's key 7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d.
            assert_eq!(signer.address(), address!("008aeeda4d805471df9b2a5b0f38a0c3bcba786b"));
        }
    }

    #[test]
    fn a_wrong_password_is_said_to_be_wrong_and_is_not_shown() {
        let files = files();
        let path = files.write("key", VECTORS[0]);
        // A space is part of a password.
        let password = files.write("password", "testpassword \n");
        let error = open(&path, Some(&password)).unwrap_err();
        assert!(matches!(&error, Error::Password(at) if *at == path), "{error:?}");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("testpassword"), "{shown}");
        let missing = open(&path, Some(Path::new("/nowhere/password"))).unwrap_err();
        assert!(matches!(missing, Error::Io { .. }));
    }

    #[test]
    fn files_that_are_none_or_ask_for_too_much() {
        let cases = [
            (r#""c": 262144"#, r#""c": 4294967295"#, "asks for too much"),
            (r#""dklen": 32"#, r#""dklen": 16"#, "lengths"),
            ("6087dab2f9fdbbfaddc31a909735c1e6", "6087", "lengths"),
            (r#""version": 3"#, r#""version": 1"#, "version 3"),
            ("aes-128-ctr", "aes-256-ctr", "version 3"),
            (r#""kdf": "pbkdf2""#, r#""kdf": "argon2""#, "scrypt and pbkdf2"),
            (r#""crypto""#, r#""other""#, "no JSON"),
        ];
        for (from, to, expected) in cases {
            let said = check(VECTORS[0].replace(from, to).as_bytes()).unwrap_err();
            assert!(said.contains(expected), "{to}: {said}");
        }
        for (from, to) in [(r#""n": 8192"#, r#""n": 1073741824"#), (r#""p": 1"#, r#""p": 99"#)] {
            let said = check(VECTORS[1].replace(from, to).as_bytes()).unwrap_err();
            assert!(said.contains("asks for too much"), "{to}: {said}");
        }
        // Digits that are none.
        let files = files();
        let path = files.write("key", &VECTORS[0].replace("5318b4d5", "zzzzzzzz"));
        let password = files.write("password", "testpassword");
        let error = open(&path, Some(&password)).unwrap_err();
        assert!(matches!(error, Error::Keystore { .. }), "{error}");
    }
}
