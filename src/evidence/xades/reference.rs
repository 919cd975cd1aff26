//! References: what a signature covers, and whether its digest is right (W3C xmldsig-core 1.1 section 4.4.3).
//!
//! Invariant against signature wrapping: a reference covers the document only when it names it (`URI=""`, or the root's own Id, which
//! nobody else has) and leaves out nothing but signatures. Whatever else it names is told apart.

use std::collections::BTreeSet;

use base64::Engine as _;

use super::c14n::{Method, Subset, canonicalise};
use super::tree::{Id, Tree};
use crate::evidence::algorithm::DigestAlgorithm;

/// The namespace of XML signatures.
pub const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
const XPATH2: &str = "http://www.w3.org/2002/06/xmldsig-filter2";
const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";

/// Transforms of one reference; real ones have two.
const MAX_TRANSFORMS: usize = 8;

/// What a reference names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The whole document but for signatures.
    Document,
    /// An element inside the signature itself: SignedProperties, KeyInfo …
    Inside(Id),
    /// Some other element: part of the document.
    Part,
}

/// What was found of a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Looked at: what it covers, with which digest, and whether that is right.
    Judged { target: Target, algorithm: DigestAlgorithm, good: bool },
    /// It cannot be followed: nobody or several have that Id, or it leads outside.
    Lost,
    /// A transform or digest that is not read here.
    Unsupported,
}

/// The method that an algorithm identifier means.
pub fn method(tree: &Tree<'_>, element: Id) -> Option<Method> {
    let (exclusive, comments) = match tree.attribute(element, "Algorithm")? {
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315" | "http://www.w3.org/2006/12/xml-c14n11" => (false, false),
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments"
        | "http://www.w3.org/2006/12/xml-c14n11#WithComments" => (false, true),
        "http://www.w3.org/2001/10/xml-exc-c14n#" => (true, false),
        "http://www.w3.org/2001/10/xml-exc-c14n#WithComments" => (true, true),
        _ => return None,
    };
    let list = tree.child(element, EXCLUSIVE, "InclusiveNamespaces").and_then(|e| tree.attribute(e, "PrefixList"));
    let prefixes = list.unwrap_or_default().split_ascii_whitespace().take(64);
    let inclusive_prefixes =
        prefixes.map(|prefix| if prefix == "#default" { String::new() } else { prefix.to_owned() }).collect();
    Some(Method { exclusive, comments, inclusive_prefixes })
}

/// The digest that an algorithm identifier means.
pub fn digest_algorithm(uri: &str) -> Option<DigestAlgorithm> {
    Some(match uri {
        "http://www.w3.org/2000/09/xmldsig#sha1" => DigestAlgorithm::Sha1,
        "http://www.w3.org/2001/04/xmlenc#sha256" => DigestAlgorithm::Sha256,
        "http://www.w3.org/2001/04/xmldsig-more#sha384" => DigestAlgorithm::Sha384,
        "http://www.w3.org/2001/04/xmlenc#sha512" => DigestAlgorithm::Sha512,
        _ => return None,
    })
}

/// Base64 of an element's text, blanks left out.
pub fn base64_of(tree: &Tree<'_>, element: Id) -> Option<Vec<u8>> {
    let text: String = tree.text(element).split_ascii_whitespace().collect();
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

/// The one element with this Id; none when nobody or several have it.
fn by_id(tree: &Tree<'_>, wanted: &str) -> Option<Id> {
    let has = |id: &Id| ["Id", "ID", "id"].iter().any(|name| tree.attribute(*id, name) == Some(wanted));
    let mut found = tree.all().filter(has);
    match (found.next(), found.next()) {
        (Some(id), None) => Some(id),
        _ => None,
    }
}

/// Follows one reference of the signature and computes its digest.
pub fn follow(tree: &Tree<'_>, signature: Id, reference: Id) -> Found {
    let apex = match tree.attribute(reference, "URI") {
        Some("") => 0,
        Some(uri) => match uri.strip_prefix('#').filter(|id| !id.is_empty()).and_then(|id| by_id(tree, id)) {
            Some(id) => id,
            None => return Found::Lost,
        },
        None => return Found::Lost,
    };
    // A reference without fragment or with a bare one never includes comments (xmldsig-core section 4.4.3.3), but canonicalising
    // with comments a set of nodes without them is allowed: the method's wish is overruled.
    let mut without = BTreeSet::new();
    let mut how = Method::default();
    let transforms = tree.child(reference, DS, "Transforms");
    for (count, transform) in transforms.into_iter().flat_map(|list| tree.elements(list)).enumerate() {
        if count >= MAX_TRANSFORMS || !tree.is(transform, DS, "Transform") {
            return Found::Unsupported;
        }
        match tree.attribute(transform, "Algorithm") {
            Some("http://www.w3.org/2000/09/xmldsig#enveloped-signature") => drop(without.insert(signature)),
            Some(XPATH2) if subtracts_signatures(tree, transform) => without.extend(signatures(tree)),
            Some("http://www.w3.org/TR/1999/REC-xpath-19991116") if keeps_no_signature(tree, transform) => {
                without.extend(signatures(tree));
            }
            _ => match method(tree, transform) {
                Some(method) => how = Method { comments: false, ..method },
                None => return Found::Unsupported,
            },
        }
    }
    let algorithm = tree.child(reference, DS, "DigestMethod").and_then(|e| tree.attribute(e, "Algorithm"));
    let Some(algorithm) = algorithm.and_then(digest_algorithm) else { return Found::Unsupported };
    let Some(expected) = tree.child(reference, DS, "DigestValue").and_then(|e| base64_of(tree, e)) else {
        return Found::Lost;
    };
    let target = if apex == 0 || apex == tree.root {
        Target::Document
    } else if tree.within(apex, signature) {
        Target::Inside(apex)
    } else {
        Target::Part
    };
    let canonical = canonicalise(tree, &Subset { apex, without: &without }, &how);
    Found::Judged { target, algorithm, good: algorithm.of(canonical.as_bytes()) == expected }
}

fn signatures<'t>(tree: &'t Tree<'_>) -> impl Iterator<Item = Id> + 't {
    tree.all().filter(|id| tree.is(*id, DS, "Signature"))
}

/// `<XPath Filter="subtract">/descendant::ds:Signature</XPath>`, as the exchange system writes, and nothing else.
fn subtracts_signatures(tree: &Tree<'_>, transform: Id) -> bool {
    let mut inside = tree.elements(transform);
    let (Some(path), None) = (inside.next(), inside.next()) else { return false };
    let text: String = tree.text(path).split_ascii_whitespace().collect();
    let name = text.strip_prefix("/descendant::").or_else(|| text.strip_prefix("//"));
    tree.is(path, XPATH2, "XPath")
        && tree.attribute(path, "Filter") == Some("subtract")
        && name.is_some_and(|name| is_signature(tree, path, name))
}

/// `not(ancestor-or-self::ds:Signature)`: the same in XPath 1.0.
fn keeps_no_signature(tree: &Tree<'_>, transform: Id) -> bool {
    let mut inside = tree.elements(transform);
    let (Some(path), None) = (inside.next(), inside.next()) else { return false };
    let text: String = tree.text(path).split_ascii_whitespace().collect();
    let name = text.strip_prefix("not(ancestor-or-self::").and_then(|rest| rest.strip_suffix(')'));
    tree.is(path, DS, "XPath") && name.is_some_and(|name| is_signature(tree, path, name))
}

fn is_signature(tree: &Tree<'_>, at: Id, name: &str) -> bool {
    let Some((prefix, "Signature")) = name.split_once(':') else { return false };
    tree.resolve(at, prefix).is_some_and(|uri| &*uri == DS)
}
