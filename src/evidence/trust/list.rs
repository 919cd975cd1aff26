//! An EU trusted list, offline (ETSI TS 119 612): which services were granted when.
//!
//! A path that ends at a service of the list holds only when the service was granted at the time of reference. The list's own signature
//! is checked when a certificate for it is configured; otherwise that it was not is told, and the person who put the file there vouches.

use jiff::Timestamp;

use crate::error::{Code, Error, Result};
use crate::evidence::anchors::Anchors;
use crate::evidence::x509::Certificate;
use crate::evidence::xades::encoding::decode;
use crate::evidence::xades::tree::{Id, Tree};
use crate::evidence::xades::{self, Coverage};

/// Services read of one list; the largest national ones have some hundreds.
const MAX_SERVICES: usize = 20_000;
/// Past states read of one service.
const MAX_HISTORY: usize = 256;

/// What a service does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Issues qualified certificates.
    QualifiedCertificates,
    /// Issues qualified time-stamps.
    QualifiedTimeStamps,
}

/// One service: its certificates, and since when it was granted or not, the newest first.
#[derive(Debug, Clone)]
struct Listed {
    service: Service,
    certificates: Vec<Certificate>,
    states: Vec<(Timestamp, bool)>,
}

/// A trusted list, or several.
#[derive(Debug, Clone, Default)]
pub struct TrustedList(Vec<Listed>);

/// Whether the list's own signature was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signed {
    /// It verifies by a configured certificate.
    Checked,
    /// No certificate for it is configured.
    Unchecked,
}

impl TrustedList {
    /// Reads a list; its signature must verify when one of `signers` is named for it.
    pub fn parse(bytes: &[u8], signers: &Anchors) -> Result<(Self, Signed)> {
        let text = decode(bytes)?;
        let tree = Tree::parse(&text)?;
        if tree.element(tree.root).is_none_or(|root| root.local != "TrustServiceStatusList") {
            return Err(Error::new(Code::ConfigInvalid, "not a trusted list (TrustServiceStatusList)"));
        }
        let signed = if signers.is_empty() {
            Signed::Unchecked
        } else {
            let good = xades::verify(bytes)?.verified.iter().any(|one| {
                let known = one.certificate.as_ref().is_some_and(|c| signers.certificates().contains(c));
                known && one.signature == Some(true) && matches!(one.coverage, Coverage::Whole(_))
            });
            if !good {
                let why = "the trusted list is not signed by a configured certificate";
                return Err(Error::new(Code::SignatureInvalid, why));
            }
            Signed::Checked
        };
        let mut list = Vec::new();
        for id in tree.all().filter(|id| tree.element(*id).is_some_and(|e| e.local == "TSPService")) {
            list.extend(listed(&tree, id));
            if list.len() > MAX_SERVICES {
                return Err(Error::new(Code::ConfigInvalid, "too many services for a trusted list"));
            }
        }
        Ok((Self(list), signed))
    }

    /// Together with another.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// The certificates of services of a kind that were ever granted.
    pub fn anchors(&self, service: Service) -> Result<Anchors> {
        let ever = self.0.iter().filter(|l| l.service == service && l.states.iter().any(|(_, granted)| *granted));
        Anchors::from_der(ever.flat_map(|listed| &listed.certificates).map(|c| c.der().to_vec()).collect())
    }

    /// Whether it has any service of this kind: only then its silence about one says something.
    pub fn knows(&self, service: Service) -> bool {
        self.0.iter().any(|listed| listed.service == service)
    }

    /// Whether a service with this certificate was granted at an instant.
    pub fn granted(&self, certificate: &Certificate, service: Service, at: Timestamp) -> bool {
        // The same key may stand in several certificates of one service.
        let same = |known: &Certificate| {
            known == certificate || known.spki() == certificate.spki() && known.subject() == certificate.subject()
        };
        self.0
            .iter()
            .filter(|l| l.service == service && l.certificates.iter().any(same))
            .any(|listed| listed.states.iter().find(|(from, _)| *from <= at).is_some_and(|(_, granted)| *granted))
    }
}

/// An element inside with this local name: lists of every version are read alike.
fn child(tree: &Tree<'_>, id: Id, local: &str) -> Option<Id> {
    tree.elements(id).find(|child| tree.element(*child).is_some_and(|element| element.local == local))
}

fn text(tree: &Tree<'_>, id: Id, local: &str) -> String {
    child(tree, id, local).map(|id| tree.text(id).trim().to_owned()).unwrap_or_default()
}

fn state(tree: &Tree<'_>, id: Id) -> Option<(Timestamp, bool)> {
    let status = text(tree, id, "ServiceStatus");
    // Those after "accredited" are the words of before July 2016 for a service that might issue.
    let granted = ["granted", "accredited", "undersupervision", "supervisionincessation"];
    let last = status.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    Some((text(tree, id, "StatusStartingTime").parse().ok()?, granted.contains(&last)))
}

fn listed(tree: &Tree<'_>, id: Id) -> Option<Listed> {
    let information = child(tree, id, "ServiceInformation")?;
    let kind = text(tree, information, "ServiceTypeIdentifier");
    let service = match kind.rsplit_once("/Svctype/")?.1 {
        "CA/QC" => Service::QualifiedCertificates,
        "TSA/QTST" => Service::QualifiedTimeStamps,
        _ => return None,
    };
    let identity = child(tree, information, "ServiceDigitalIdentity")?;
    let certificates = tree
        .elements(identity)
        .filter_map(|digital| child(tree, digital, "X509Certificate"))
        .filter_map(|id| Certificate::parse(&xades::base64_of(tree, id)?).ok())
        .take(16)
        .collect();
    let mut states: Vec<(Timestamp, bool)> = state(tree, information).into_iter().collect();
    if let Some(history) = child(tree, id, "ServiceHistory") {
        let same = |past: &Id| text(tree, *past, "ServiceTypeIdentifier") == kind;
        states.extend(tree.elements(history).take(MAX_HISTORY).filter(same).filter_map(|past| state(tree, past)));
    }
    states.sort_by_key(|(from, _)| std::cmp::Reverse(*from));
    Some(Listed { service, certificates, states })
}
