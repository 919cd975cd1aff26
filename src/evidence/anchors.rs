//! Trust anchors: the certificates a person chose to believe, and nothing else.
//!
//! Invariant: nothing that arrives with a token or a bundle ever becomes an anchor.

use std::path::PathBuf;

use crate::durable;
use crate::error::{AtPath as _, Code, Error, Result};
use crate::evidence::cms::unwrap::{armour, pem_blocks};
use crate::evidence::x509::Certificate;

/// Files larger than this are not certificate files.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// Certificates that end a path.
#[derive(Debug, Clone, Default)]
pub struct Anchors(Vec<Certificate>);

impl Anchors {
    /// From PEM files, each with one or more `CERTIFICATE` blocks; a DER certificate is taken too.
    pub fn from_pem_files(paths: &[PathBuf]) -> Result<Self> {
        let mut list = Vec::new();
        for path in paths {
            if std::fs::metadata(path).at_path(path)?.len() > MAX_FILE {
                return Err(Error::new(Code::ConfigInvalid, "too large for a file of certificates").at(path.display()));
            }
            let bytes = durable::read_linked(path)?;
            let found = Self::parse(&bytes).map_err(|e| {
                Error::new(Code::ConfigInvalid, format!("not a file of certificates: {e}")).at(path.display())
            })?;
            list.extend(found.0);
        }
        Ok(Self::deduplicated(list))
    }

    /// From the bytes of a PEM bundle or of one DER certificate; at least one certificate must be there.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        if bytes.first() == Some(&0x30) {
            return Self::from_der(vec![bytes.to_vec()]);
        }
        let blocks = pem_blocks(bytes, &["CERTIFICATE", "X509 CERTIFICATE"])?;
        if blocks.is_empty() {
            return Err(Error::new(Code::DerMalformed, "no PEM block of a certificate"));
        }
        Self::from_der(blocks)
    }

    /// From DER certificates.
    pub fn from_der(list: Vec<Vec<u8>>) -> Result<Self> {
        Ok(Self::deduplicated(list.iter().map(|der| Certificate::parse(der)).collect::<Result<_>>()?))
    }

    fn deduplicated(list: Vec<Certificate>) -> Self {
        let mut kept: Vec<Certificate> = Vec::with_capacity(list.len());
        for certificate in list {
            if !kept.contains(&certificate) {
                kept.push(certificate);
            }
        }
        Self(kept)
    }

    /// The certificates.
    pub fn certificates(&self) -> &[Certificate] {
        &self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These and those.
    #[must_use]
    pub fn and(self, others: Self) -> Self {
        Self::deduplicated([self.0, others.0].concat())
    }

    /// As the PEM bundle that `openssl … -CAfile` reads.
    pub fn to_pem(&self) -> String {
        self.0.iter().map(|certificate| armour("CERTIFICATE", certificate.der())).collect()
    }
}
