//! The properties a signer signs with the document (SigningTime, SigningCertificate, V2), and the time-stamps put on after
//! (ETSI EN 319 132-1 sections 5.2 and 5.3). Properties that no right reference covers are nobody's word and are not read.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::c14n::{Method, Subset, canonicalise};
use super::reference::{DS, base64_of, digest_algorithm, method};
use super::tree::{Id, Tree};
use crate::evidence::algorithm::DigestAlgorithm;
use crate::evidence::x509::Certificate;

/// All versions of XAdES begin so.
const ETSI: &str = "http://uri.etsi.org/01903/";
/// Time-stamps looked at of one signature.
const MAX_STAMPS: usize = 8;

/// What the signer signed besides the document.
#[derive(Debug, Clone)]
pub struct Properties {
    /// SigningTime.
    pub signing_time: Option<Timestamp>,
    /// Digest of the signer's certificate.
    certificate: Option<(DigestAlgorithm, Vec<u8>)>,
}

impl Properties {
    /// Whether they name this certificate; none when they name none.
    pub fn names(&self, certificate: &Certificate) -> Option<bool> {
        self.certificate.as_ref().map(|(algorithm, digest)| algorithm.of(certificate.der()) == *digest)
    }
}

/// An element inside with this local name in any version's namespace.
fn child(tree: &Tree<'_>, id: Id, local: &str) -> Option<Id> {
    tree.elements(id).find(|child| {
        tree.element(*child).is_some_and(|element| element.local == local && element.namespace.starts_with(ETSI))
    })
}

fn down(tree: &Tree<'_>, from: Id, path: &[&str]) -> Option<Id> {
    path.iter().try_fold(from, |id, local| child(tree, id, local))
}

fn qualifying<'t>(tree: &'t Tree<'_>, signature: Id) -> impl Iterator<Item = Id> + 't {
    let objects = tree.elements(signature).filter(|id| tree.is(*id, DS, "Object"));
    objects.filter_map(|object| child(tree, object, "QualifyingProperties"))
}

pub(super) fn read(tree: &Tree<'_>, signature: Id, covered: &[Id]) -> Option<Properties> {
    let signed = qualifying(tree, signature)
        .filter_map(|properties| child(tree, properties, "SignedProperties"))
        .find(|signed| covered.iter().any(|id| tree.within(*signed, *id)))?;
    let properties = child(tree, signed, "SignedSignatureProperties")?;
    let signing_time = child(tree, properties, "SigningTime").and_then(|id| tree.text(id).trim().parse().ok());
    let first =
        ["SigningCertificateV2", "SigningCertificate"].into_iter().find_map(|name| child(tree, properties, name));
    let digest = first.and_then(|id| down(tree, id, &["Cert", "CertDigest"]));
    let certificate = digest.and_then(|id| {
        let algorithm = tree.child(id, DS, "DigestMethod").and_then(|e| tree.attribute(e, "Algorithm"))?;
        let value = tree.child(id, DS, "DigestValue").and_then(|e| base64_of(tree, e))?;
        Some((digest_algorithm(algorithm)?, value))
    });
    Some(Properties { signing_time, certificate })
}

/// Tokens of SignatureTimeStamp, each with what it stamps: the canonical SignatureValue.
pub(super) fn stamps(tree: &Tree<'_>, signature: Id) -> Vec<(Vec<u8>, Vec<u8>)> {
    let Some(value) = tree.child(signature, DS, "SignatureValue") else { return Vec::new() };
    let mut found = Vec::new();
    for properties in qualifying(tree, signature) {
        let path = ["UnsignedProperties", "UnsignedSignatureProperties"];
        let Some(unsigned) = down(tree, properties, &path) else { continue };
        for stamp in tree.elements(unsigned) {
            let named = tree.element(stamp).is_some_and(|element| element.local == "SignatureTimeStamp");
            let Some(token) = child(tree, stamp, "EncapsulatedTimeStamp").filter(|_| named) else { continue };
            let Some(token) = base64_of(tree, token) else { continue };
            let how = match tree.child(stamp, DS, "CanonicalizationMethod") {
                Some(element) => method(tree, element),
                None => Some(Method::default()),
            };
            let Some(how) = how else { continue };
            let stamped = canonicalise(tree, &Subset { apex: value, without: &BTreeSet::new() }, &how);
            found.push((token, stamped.into_bytes()));
            if found.len() >= MAX_STAMPS {
                return found;
            }
        }
    }
    found
}
