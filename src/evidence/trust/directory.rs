//! The directory of PEC providers, offline (LDAP base `o=postacert`; LDIF, RFC 2849, plain or in a signed `.p7m`): whose certificate
//! is listed, and for which mail domains (`reference/pec` section 9).
//!
//! Invariant: a missing or unreadable record makes nobody listed; nothing in the directory ever becomes an anchor.

use std::collections::{HashMap, HashSet};

use base64::Engine as _;

use crate::error::{Code, Error, Result};
use crate::evidence::algorithm::DigestAlgorithm;
use crate::evidence::cms;
use crate::evidence::x509::Certificate;

/// Largest directory read: the real one has some megabytes, most of them domains.
pub const MAX_BYTES: usize = 64 << 20;

/// Providers that may sign, by the SHA-1 of their certificates.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    /// Which provider a certificate is of.
    certificates: HashMap<Vec<u8>, usize>,
    /// Mail domains of each provider, in lower case.
    domains: Vec<HashSet<String>>,
}

impl Directory {
    /// Reads LDIF, or what a signed file holds. Whose signature that is, is not asked: the person who configured the file vouches.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > MAX_BYTES {
            return Err(Error::new(Code::ConfigInvalid, "too large for a directory of PEC providers"));
        }
        if let Ok(opened) = cms::open(bytes) {
            let content =
                opened.data.content.ok_or_else(|| Error::new(Code::P7mDetached, "a signature without LDIF"))?;
            return Ok(Self::ldif(&content));
        }
        Ok(Self::ldif(bytes))
    }

    /// Plain LDIF. What is not a line of it is passed over.
    pub fn ldif(bytes: &[u8]) -> Self {
        let mut directory = Self::default();
        let mut provider = None;
        for line in unfolded(bytes) {
            if line.is_empty() {
                provider = None;
                continue;
            }
            let Some((name, value)) = attribute(&line) else { continue };
            let name = name.split(';').next().unwrap_or(name);
            let is = |wanted: &str| name.eq_ignore_ascii_case(wanted);
            let (is_hash, is_domain, is_certificate) =
                (is("providerCertificateHash"), is("managedDomains"), is("providerCertificate"));
            if !(is_hash || is_domain || is_certificate) {
                continue;
            }
            let number = *provider.get_or_insert_with(|| {
                directory.domains.push(HashSet::new());
                directory.domains.len() - 1
            });
            if is_hash {
                let text = String::from_utf8_lossy(&value);
                let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
                if let Ok(hash) = hex::decode(digits)
                    && hash.len() == DigestAlgorithm::Sha1.length()
                {
                    directory.certificates.insert(hash, number);
                }
            } else if is_certificate {
                // Some issues of the directory hold the certificate and no hash.
                if value.first() == Some(&0x30) {
                    directory.certificates.insert(DigestAlgorithm::Sha1.of(&value), number);
                }
            } else if let Ok(domain) = String::from_utf8(value) {
                directory.domains[number].insert(domain.trim().to_ascii_lowercase());
            }
        }
        directory
    }

    /// Whether there is no certificate in it.
    pub fn is_empty(&self) -> bool {
        self.certificates.is_empty()
    }

    /// Together with another.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        let offset = self.domains.len();
        self.domains.extend(other.domains);
        self.certificates.extend(other.certificates.into_iter().map(|(hash, number)| (hash, number + offset)));
        self
    }

    /// Whether a provider with this certificate is listed; and whether it manages a domain.
    pub fn lists(&self, certificate: &Certificate, domain: Option<&str>) -> Option<bool> {
        let number = self.certificates.get(&DigestAlgorithm::Sha1.of(certificate.der()))?;
        Some(domain.is_some_and(|domain| self.domains[*number].contains(&domain.to_ascii_lowercase())))
    }
}

/// Lines with their continuations (a line that begins with one blank), comments left out.
fn unfolded(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let mut lines = bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)).peekable();
    std::iter::from_fn(move || {
        loop {
            let mut line = lines.next()?.to_vec();
            while let Some(rest) = lines.peek().and_then(|next| next.strip_prefix(b" ")) {
                line.extend_from_slice(rest);
                lines.next();
            }
            if line.first() != Some(&b'#') {
                return Some(line);
            }
        }
    })
}

/// `name: value`, or `name:: base64`.
fn attribute(line: &[u8]) -> Option<(&str, Vec<u8>)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let name = std::str::from_utf8(&line[..colon]).ok()?.trim();
    let value = &line[colon + 1..];
    Some((
        name,
        match value.strip_prefix(b":") {
            Some(encoded) => base64::engine::general_purpose::STANDARD.decode(encoded.trim_ascii()).ok()?,
            None => value.trim_ascii().to_vec(),
        },
    ))
}
