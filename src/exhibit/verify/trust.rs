//! Whom the reader believes, and the judge of tokens that follows from it.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

use jiff::Timestamp;

use crate::chain::note::Verifier;
use crate::error::{AtPath as _, Code, Error, Result};
use crate::evidence::anchors::Anchors;
use crate::evidence::tsp::verify_token;
use crate::hash::Sha256;

/// Anchors from a source of the reader's own.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// Certificates of time-stamping authorities.
    pub anchors: Option<Anchors>,
    /// The archive's public key.
    pub key: Option<Verifier>,
}

impl Trust {
    /// From PEM files and a vkey, or a file that holds one. Neither is needed: what is not given is not believed.
    pub fn load(certificates: &[PathBuf], key: Option<&str>) -> Result<Self> {
        let anchors = match certificates {
            [] => None,
            files => Some(Anchors::from_pem_files(files)?),
        };
        let key = key.map(|text| -> Result<Verifier> {
            if let Ok(key) = text.trim().parse() {
                return Ok(key);
            }
            let path = PathBuf::from(text);
            if !path.is_file() {
                // Neither a key nor a file: what is wrong with it as a key says more.
                return text.trim().parse();
            }
            if std::fs::metadata(&path).at_path(&path)?.len() > 4096 {
                return Err(Error::new(Code::Usage, "too large for a public key").at(path.display()));
            }
            std::fs::read_to_string(&path).at_path(&path)?.trim().parse().map_err(|e: Error| e.at(path.display()))
        });
        Ok(Self { anchors, key: key.transpose()? })
    }
}

/// The bundle's own certificates.
pub(super) fn parse(pem: &[u8]) -> Result<Anchors> {
    Anchors::parse(pem).map_err(|e| Error::new(Code::BundleFileAltered, e.detail))
}

/// Judges tokens: with the reader's anchors, else with the bundle's own, remembering that it was so.
pub(super) struct Judge {
    given: Option<Anchors>,
    own: Anchors,
    missing: RefCell<BTreeSet<String>>,
    /// One token covers many documents.
    known: RefCell<HashMap<(Sha256, Sha256), Timestamp>>,
}

impl Judge {
    pub fn new(given: Option<Anchors>, own: Anchors) -> Self {
        Self { given, own, missing: RefCell::default(), known: RefCell::default() }
    }

    /// Time of a token that covers `imprint`. [`Code::TokenUntrusted`] when not even the bundle's certificates lead to it.
    pub fn time(&self, token: &[u8], imprint: Sha256) -> Result<Timestamp> {
        let key = (Sha256::of(token), imprint);
        if let Some(time) = self.known.borrow().get(&key) {
            return Ok(*time);
        }
        let token = match &self.given {
            None => verify_token(token, imprint, &self.own)?,
            Some(given) => match verify_token(token, imprint, given) {
                Err(untrusted) if untrusted.code == Code::TokenUntrusted => {
                    self.missing.borrow_mut().insert(untrusted.detail.clone());
                    verify_token(token, imprint, &self.own)?
                }
                judged => judged?,
            },
        };
        self.known.borrow_mut().insert(key, token.info().gen_time);
        Ok(token.info().gen_time)
    }

    /// Issuers that no given anchor leads to.
    pub fn missing(&self) -> Vec<String> {
        self.missing.borrow().iter().cloned().collect()
    }
}
