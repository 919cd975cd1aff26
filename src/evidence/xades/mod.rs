//! XAdES, enveloped (ETSI EN 319 132-1; W3C xmldsig-core 1.1): what `reference/fatturapa` section 7.3 says is met.
//!
//! Ours, because the crate that reads it brings 35 others and a second X.509 stack. Invariants: nothing is verified over a
//! re-serialisation of what the document's reader saw; a signature that covers something else than the whole document is never good;
//! what is not read here is "not checked".

mod c14n;
pub(crate) mod encoding;
mod properties;
mod reference;
pub(crate) mod tree;

use std::collections::BTreeSet;

use crate::error::Result;
use crate::evidence::algorithm::{self, DigestAlgorithm};
use crate::evidence::asn1;
use crate::evidence::x509::Certificate;
use crate::evidence::{Oid, oids};
use c14n::{Subset, canonicalise};
pub use properties::Properties;
pub(crate) use reference::base64_of;
use reference::{DS, Found, Target, follow, method};
pub use tree::MAX_BYTES;
use tree::{Id, Tree};

/// Signatures read of one document; an invoice has one, seldom two.
pub const MAX_SIGNATURES: usize = 8;
/// References followed of one signature: document, SignedProperties, KeyInfo.
const MAX_REFERENCES: usize = 8;
/// Certificates read of one signature.
const MAX_CERTIFICATES: usize = 32;

/// What the references of a signature are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coverage {
    /// The whole document, with the right digest, and all else that is referenced too.
    Whole(DigestAlgorithm),
    /// A digest is wrong.
    Altered,
    /// Right, but not over the whole document; or a reference that leads nowhere or to two places.
    Elsewhere,
    /// Something that is not read here.
    Unsupported,
}

/// What verifying one signature gave.
#[derive(Debug)]
pub struct Verified {
    /// What it covers.
    pub coverage: Coverage,
    /// The signature over SignedInfo; none when it is of a kind not read here, or there is no certificate.
    pub signature: Option<bool>,
    /// Name of the signature algorithm.
    pub algorithm: Option<&'static str>,
    /// Certificates in KeyInfo.
    pub certificates: Vec<Certificate>,
    /// The signer's.
    pub certificate: Option<Certificate>,
    /// Signed properties; none when they are not there or no reference covers them.
    pub properties: Option<Properties>,
    /// Tokens, each with what it stamps.
    pub stamps: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Whether a document may hold a signature: asked before a tree is made of it.
pub fn mentions_signature(bytes: &[u8]) -> bool {
    // In UTF-16 every other byte is zero: then the tree must tell.
    let wide = matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) || encoding::wide(bytes).is_some();
    let needle = b"xmldsig#";
    wide || memchr::memmem::find(bytes, needle).is_some()
}

/// The signatures of a document.
#[derive(Debug, Default)]
pub struct Signatures {
    /// Those that stand directly in the root, verified; at most [`MAX_SIGNATURES`] of them.
    pub verified: Vec<Verified>,
    /// Some in the root were not looked at, for there are more.
    pub more: bool,
    /// Some stand deeper, in what somebody wrote: they sign no document as it is, and are not looked at.
    pub elsewhere: bool,
}

/// Verifies every signature that stands directly in the root.
pub fn verify(bytes: &[u8]) -> Result<Signatures> {
    let text = encoding::decode(bytes)?;
    let tree = Tree::parse(&text)?;
    let own: Vec<Id> = tree.elements(tree.root).filter(|id| tree.is(*id, DS, "Signature")).collect();
    let known: BTreeSet<Id> = own.iter().copied().collect();
    Ok(Signatures {
        more: own.len() > MAX_SIGNATURES,
        elsewhere: tree.all().any(|id| tree.is(id, DS, "Signature") && !belongs(&tree, id, &known)),
        verified: own.into_iter().take(MAX_SIGNATURES).map(|signature| one(&tree, signature)).collect(),
    })
}

/// Whether an element is one of these or stands in one, as a counter-signature does.
fn belongs(tree: &Tree<'_>, mut id: Id, known: &BTreeSet<Id>) -> bool {
    while id != 0 && !known.contains(&id) {
        id = tree.node(id).parent;
    }
    id != 0
}

fn one(tree: &Tree<'_>, signature: Id) -> Verified {
    let info = tree.child(signature, DS, "SignedInfo");
    let references: Vec<Id> =
        info.map(|info| tree.elements(info).filter(|id| tree.is(*id, DS, "Reference")).collect()).unwrap_or_default();
    let mut covered = Vec::new();
    let coverage = coverage(tree, signature, &references, &mut covered);
    let certificates: Vec<Certificate> = tree
        .child(signature, DS, "KeyInfo")
        .into_iter()
        .flat_map(|info| tree.elements(info))
        .filter(|id| tree.is(*id, DS, "X509Data"))
        .flat_map(|data| tree.elements(data))
        .filter(|id| tree.is(*id, DS, "X509Certificate"))
        .take(MAX_CERTIFICATES)
        .filter_map(|id| Certificate::parse(&base64_of(tree, id)?).ok())
        .collect();
    let properties = properties::read(tree, signature, &covered);
    let named = properties.as_ref().and_then(|p| certificates.iter().find(|c| p.names(c) == Some(true)));
    // Without a word of the signer: the one that issued none of the others.
    let leaf = || certificates.iter().find(|c| !certificates.iter().any(|o| o != *c && o.issuer() == c.subject()));
    let certificate = named.or_else(leaf).or(certificates.first()).cloned();
    let (signature_good, name) = match (info, &certificate) {
        (Some(info), Some(certificate)) => signature_value(tree, signature, info, certificate),
        _ => (None, None),
    };
    let stamps = properties::stamps(tree, signature);
    Verified { coverage, signature: signature_good, algorithm: name, certificates, certificate, properties, stamps }
}

fn coverage(tree: &Tree<'_>, signature: Id, references: &[Id], covered: &mut Vec<Id>) -> Coverage {
    if references.len() > MAX_REFERENCES {
        return Coverage::Unsupported;
    }
    let (mut whole, mut lost, mut unsupported) = (None, false, false);
    for reference in references {
        match follow(tree, signature, *reference) {
            Found::Judged { good: false, .. } => return Coverage::Altered,
            Found::Judged { target: Target::Document, algorithm, .. } => whole = Some(algorithm),
            Found::Judged { target: Target::Inside(id), .. } => covered.push(id),
            Found::Judged { target: Target::Part, .. } => {}
            Found::Lost => lost = true,
            Found::Unsupported => unsupported = true,
        }
    }
    match whole {
        _ if unsupported => Coverage::Unsupported,
        Some(algorithm) if !lost => Coverage::Whole(algorithm),
        _ => Coverage::Elsewhere,
    }
}

/// The identifier of a signature method: key kind and digest.
fn signature_oid(uri: &str) -> Option<Oid> {
    Some(match uri {
        "http://www.w3.org/2000/09/xmldsig#rsa-sha1" => oids::RSA_SHA1,
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256" => oids::RSA_SHA256,
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384" => oids::RSA_SHA384,
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512" => oids::RSA_SHA512,
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256" => oids::ECDSA_SHA256,
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384" => oids::ECDSA_SHA384,
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512" => oids::ECDSA_SHA512,
        _ => return None,
    })
}

fn signature_value(
    tree: &Tree<'_>,
    signature: Id,
    info: Id,
    certificate: &Certificate,
) -> (Option<bool>, Option<&'static str>) {
    let how = tree.child(info, DS, "CanonicalizationMethod").and_then(|e| method(tree, e));
    let algorithm = tree.child(info, DS, "SignatureMethod").and_then(|e| tree.attribute(e, "Algorithm"));
    let (Some(how), Some(oid)) = (how, algorithm.and_then(signature_oid)) else { return (None, None) };
    let name = algorithm::signature_name(&oid);
    let Some(value) = tree.child(signature, DS, "SignatureValue").and_then(|e| base64_of(tree, e)) else {
        return (Some(false), name);
    };
    let elliptic = [oids::ECDSA_SHA256, oids::ECDSA_SHA384, oids::ECDSA_SHA512].contains(&oid);
    let (value, identifier) = if elliptic {
        // XML signatures hold r and s one after the other (xmldsig-core section 6.4.3).
        let (r, s) = value.split_at(value.len() / 2);
        (asn1::sequence(&[&asn1::unsigned(r), &asn1::unsigned(s)]), asn1::sequence(&[&asn1::oid(&oid)]))
    } else {
        (value, asn1::sequence(&[&asn1::oid(&oid), &asn1::null()]))
    };
    let message = canonicalise(tree, &Subset { apex: info, without: &BTreeSet::new() }, &how);
    let verified = algorithm::verify(certificate.spki(), &identifier, None, message.as_bytes(), &value);
    (Some(verified.is_ok()), name)
}

#[cfg(test)]
mod tests;
