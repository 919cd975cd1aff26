//! What was found of one signature: a verdict for each aspect, never a single yes or no.
//!
//! Invariant I7: a verdict is never better than what was looked at. An aspect that was not looked at is
//! [`Outcome::NotChecked`], and a conclusion that would need it is at most [`Conclusion::Indeterminate`]
//! (ETSI EN 319 102-1 section 5.1.3 has the same three families). `reference/pec` section 9 names the aspects.

use std::fmt::Write as _;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::clock::iso_ms;
use crate::error::{Code, Control, ControlOutcome, Finding, Severity};
use crate::evidence::x509::Certificate;
use crate::hash::Sha256;

/// What is judged of a signature, each apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aspect {
    /// The content is what was signed.
    Digest,
    /// The signature value verifies with the signer's key.
    Signature,
    /// The signature names the certificate it verifies with (ESS signing-certificate).
    SigningCertificate,
    /// The certificate's address is the sender's (PEC only).
    Address,
    /// The certificate is of the kind this use asks for.
    Profile,
    /// A path leads to a configured anchor and holds at the time of reference.
    Chain,
    /// The certificate was not revoked at the time of reference.
    Revocation,
    /// When it was signed is proved.
    Time,
}

impl Aspect {
    /// All of them, in the order they are shown.
    pub const ALL: [Self; 8] = [
        Self::Digest,
        Self::Signature,
        Self::SigningCertificate,
        Self::Address,
        Self::Profile,
        Self::Chain,
        Self::Revocation,
        Self::Time,
    ];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Digest => "digest",
            Self::Signature => "signature",
            Self::SigningCertificate => "signing-certificate",
            Self::Address => "address",
            Self::Profile => "profile",
            Self::Chain => "chain",
            Self::Revocation => "revocation",
            Self::Time => "time",
        }
    }

    /// The control of the intake that lists it.
    pub fn control(self) -> &'static str {
        match self {
            Self::Digest => "signature-digest",
            Self::Signature => "signature-math",
            Self::SigningCertificate => "signature-certificate",
            Self::Address => "signature-address",
            Self::Profile => "signature-profile",
            Self::Chain => "signature-chain",
            Self::Revocation => "signature-revocation",
            Self::Time => "signature-time",
        }
    }
}

/// What was found of one aspect.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Looked at and right.
    Good,
    /// Right, by means that are too weak today.
    Weak,
    /// Looked at and wrong.
    Bad,
    /// What was to be looked at is not there.
    Absent,
    /// Not looked at.
    NotChecked,
}

impl Outcome {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Weak => "weak",
            Self::Bad => "bad",
            Self::Absent => "absent",
            Self::NotChecked => "not-checked",
        }
    }

    fn passed(self) -> bool {
        matches!(self, Self::Good | Self::Weak)
    }
}

/// The verdict on one aspect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AspectVerdict {
    /// Which one.
    pub aspect: Aspect,
    /// What was found.
    pub outcome: Outcome,
    /// Why, in our own words; never content of the document.
    pub detail: String,
    /// The finding it is told as; none when there is nothing to tell.
    pub code: Option<Code>,
}

impl AspectVerdict {
    /// Looked at and right.
    pub fn good(aspect: Aspect, detail: impl Into<String>) -> Self {
        Self { aspect, outcome: Outcome::Good, detail: detail.into(), code: None }
    }

    /// Anything else, with the finding it is told as.
    pub fn new(aspect: Aspect, outcome: Outcome, code: Code, detail: impl Into<String>) -> Self {
        Self { aspect, outcome, detail: detail.into(), code: Some(code) }
    }

    /// Not looked at, because this use does not ask for it.
    pub fn not_asked(aspect: Aspect) -> Self {
        Self { aspect, outcome: Outcome::NotChecked, detail: "not asked for by this use".into(), code: None }
    }

    fn finding(&self, place: &str) -> Option<Finding> {
        let severity = match (self.outcome, self.code?) {
            // What this archive was not told to look at is worth knowing; it is no defect of the document.
            (Outcome::NotChecked, _) | (Outcome::Good, _) => Severity::Info,
            _ => Severity::Warning,
        };
        Some(Finding::new(self.code?, severity, place, &self.detail))
    }
}

/// What kind of signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignatureKind {
    /// S/MIME (RFC 8551), as PEC providers sign.
    Smime,
    /// CMS with its content, `.p7m`, and what is inside it.
    Cades,
    /// XML, enveloped.
    Xades,
}

impl SignatureKind {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Smime => "smime",
            Self::Cades => "cades",
            Self::Xades => "xades",
        }
    }
}

/// What the signature is a signature of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The document.
    Signature,
    /// Another signature (RFC 5652 section 11.4).
    CounterSignature,
    /// The time of another signature (RFC 5126 section 6.1.1).
    TimeStamp,
}

impl Role {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::CounterSignature => "counter-signature",
            Self::TimeStamp => "time-stamp",
        }
    }
}

/// Where a time comes from, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reference {
    /// A verified time-stamp of the signature.
    SignatureTimestamp,
    /// The date of a verified daticert.
    Daticert,
    /// The reception in a verified notification of the exchange system.
    SdiReception,
    /// The token of the package.
    PackageToken,
    /// The receipt of this archive.
    Receipt,
    /// What the signer says: proves nothing.
    SigningTime,
}

impl Reference {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignatureTimestamp => "signature-timestamp",
            Self::Daticert => "daticert",
            Self::SdiReception => "sdi-reception",
            Self::PackageToken => "package-token",
            Self::Receipt => "receipt",
            Self::SigningTime => "signing-time",
        }
    }
}

/// The time a signature is judged at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeReference {
    /// Where it comes from.
    pub kind: Reference,
    /// The instant.
    pub at: Timestamp,
}

/// Who signed, from the certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignerFacts {
    /// Subject, as RFC 4514 writes names.
    pub subject: String,
    /// Issuer, likewise.
    pub issuer: String,
    /// Serial number in hexadecimal.
    pub serial: String,
    /// rfc822Names.
    pub emails: Vec<String>,
    /// Start of validity.
    pub not_before: Timestamp,
    /// End of validity.
    pub not_after: Timestamp,
    /// SHA-256 of the certificate, in hexadecimal.
    pub sha256: String,
}

/// All that was found of one signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureReport {
    /// What kind.
    pub kind: SignatureKind,
    /// What it is a signature of.
    pub role: Role,
    /// Where: `layer 1/signer 2`, `smime.p7s/signer 1` …
    pub place: String,
    /// Who, when the certificate is there.
    pub signer: Option<SignerFacts>,
    /// Digest algorithm.
    pub digest_algorithm: Option<String>,
    /// Signature algorithm.
    pub signature_algorithm: Option<String>,
    /// When, as the signer says.
    pub signing_time: Option<Timestamp>,
    /// The time it was judged at.
    pub reference: Option<TimeReference>,
    /// One verdict an aspect, in the order of [`Aspect::ALL`].
    pub verdicts: Vec<AspectVerdict>,
    /// What else was noticed: codes that belong to no aspect.
    pub noticed: Vec<(Code, Severity)>,
    /// From the signer's certificate to the anchor at the time of reference, both included; none when nothing leads there.
    pub path: Option<Arc<[Certificate]>>,
    /// The revocation lists and answers that the verdict on revocation rests on.
    pub sources: Vec<Sha256>,
}

/// The whole in one word, the best first.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Conclusion {
    /// Every aspect was looked at and is right.
    Valid,
    /// The same, by means that are weak today.
    ValidWeak,
    /// Mathematically valid; when it was signed is not proved.
    TimeNotProved,
    /// Something that matters was not looked at, is not there, or leads to nobody trusted.
    Indeterminate,
    /// Something was looked at and is wrong.
    Invalid,
}

impl Conclusion {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::ValidWeak => "valid-weak",
            Self::TimeNotProved => "time-not-proved",
            Self::Indeterminate => "indeterminate",
            Self::Invalid => "invalid",
        }
    }
}

/// What an unsigned document has in the place of a conclusion.
pub const UNSIGNED: &str = "unsigned";

impl SignatureReport {
    /// The verdict on an aspect.
    pub fn verdict(&self, aspect: Aspect) -> &AspectVerdict {
        let found = self.verdicts.iter().find(|verdict| verdict.aspect == aspect);
        found.expect("a report has a verdict for every aspect: the judge makes it whole")
    }

    fn outcome(&self, aspect: Aspect) -> Outcome {
        self.verdict(aspect).outcome
    }

    /// Whether the bytes are what the holder of the certificate's key signed, whoever that is.
    pub fn is_intact(&self) -> bool {
        self.outcome(Aspect::Digest).passed()
            && self.outcome(Aspect::Signature).passed()
            && self.outcome(Aspect::SigningCertificate) != Outcome::Bad
    }

    /// The whole in one word.
    pub fn conclusion(&self) -> Conclusion {
        use Aspect::{Address, Chain, Digest, Profile, Revocation, Signature, SigningCertificate, Time};
        let wrong = [Digest, Signature, SigningCertificate, Address, Chain, Revocation, Time];
        if wrong.iter().any(|aspect| self.outcome(*aspect) == Outcome::Bad) {
            return Conclusion::Invalid;
        }
        let needed = [Digest, Signature, Chain, Revocation];
        // Which certificate it names may not be asked for, or not be said; a name that could not be read is another matter.
        let named = self.verdict(SigningCertificate);
        let unread = named.outcome == Outcome::NotChecked && named.code.is_some();
        let missing = needed.iter().any(|aspect| !self.outcome(*aspect).passed());
        if missing || unread || self.outcome(Profile) == Outcome::Bad {
            return Conclusion::Indeterminate;
        }
        if !self.outcome(Time).passed() {
            return Conclusion::TimeNotProved;
        }
        if self.verdicts.iter().any(|verdict| verdict.outcome == Outcome::Weak) {
            return Conclusion::ValidWeak;
        }
        Conclusion::Valid
    }

    /// The worst conclusion over a document's signatures; [`UNSIGNED`] without any. A time-stamp counts through the time
    /// verdict of what it stamps.
    pub fn worst(reports: &[Self]) -> &'static str {
        let counted = reports.iter().filter(|report| report.role != Role::TimeStamp);
        counted.map(Self::conclusion).max().map_or(UNSIGNED, Conclusion::as_str)
    }

    /// As it stands in metadata.
    pub fn to_json(&self) -> Value {
        let mut object = Map::new();
        object.insert("kind".into(), self.kind.as_str().into());
        object.insert("role".into(), self.role.as_str().into());
        object.insert("place".into(), self.place.as_str().into());
        object.insert("conclusion".into(), self.conclusion().as_str().into());
        let outcomes = self.verdicts.iter().map(|v| (v.aspect.as_str().to_owned(), v.outcome.as_str().into()));
        object.insert("verdicts".into(), Value::Object(outcomes.collect()));
        let told = self.verdicts.iter().filter(|v| !v.detail.is_empty());
        let details = told.map(|v| (v.aspect.as_str().to_owned(), v.detail.as_str().into()));
        object.insert("details".into(), Value::Object(details.collect()));
        if let Some(reference) = self.reference {
            let at = iso_ms(reference.at);
            object.insert("reference".into(), json!({ "kind": reference.kind.as_str(), "at": at }));
        }
        if let Some(time) = self.signing_time {
            object.insert("signing_time".into(), iso_ms(time).into());
        }
        let algorithms =
            [("digest_algorithm", &self.digest_algorithm), ("signature_algorithm", &self.signature_algorithm)];
        for (name, algorithm) in algorithms {
            if let Some(algorithm) = algorithm {
                object.insert(name.into(), algorithm.as_str().into());
            }
        }
        if let Some(signer) = &self.signer {
            object.insert("signer".into(), signer.to_json());
        }
        Value::Object(object)
    }

    /// What is to be told, each with its place.
    pub fn findings(&self) -> Vec<Finding> {
        let noticed = self.noticed.iter().map(|(code, severity)| Finding::new(*code, *severity, &self.place, ""));
        self.verdicts.iter().filter_map(|verdict| verdict.finding(&self.place)).chain(noticed).collect()
    }

    /// One control an aspect over all signatures of a document: the worst outcome counts.
    pub fn controls(reports: &[Self]) -> Vec<Control> {
        let of = |aspect: Aspect| {
            let grave = |report: &&Self| match (report.outcome(aspect), report.verdict(aspect).code) {
                // Not asked for: another signature may be asked.
                (Outcome::NotChecked, None) => 0,
                (Outcome::Good, _) => 1,
                (Outcome::NotChecked, Some(_)) => 2,
                (Outcome::Weak | Outcome::Absent, _) => 3,
                (Outcome::Bad, _) => 4,
            };
            let Some(worst) = reports.iter().max_by_key(grave) else {
                return Control::new(aspect.control(), ControlOutcome::NotExecuted);
            };
            let outcome = match worst.outcome(aspect) {
                Outcome::NotChecked => ControlOutcome::NotExecuted,
                Outcome::Good => ControlOutcome::Positive,
                Outcome::Weak | Outcome::Absent => ControlOutcome::Warning,
                Outcome::Bad => ControlOutcome::Negative,
            };
            let mut control = Control::new(aspect.control(), outcome);
            if let Some(code) = worst.verdict(aspect).code {
                control.code = Some(code);
                control.place.clone_from(&worst.place);
            }
            control
        };
        Aspect::ALL.into_iter().map(of).collect()
    }

    /// Puts a verdict in the place of the one that is there.
    pub(crate) fn set(&mut self, verdict: AspectVerdict) {
        match self.verdicts.iter_mut().find(|known| known.aspect == verdict.aspect) {
            Some(known) => *known = verdict,
            None => self.verdicts.push(verdict),
        }
    }
}

impl SignerFacts {
    fn to_json(&self) -> Value {
        json!({
            "subject": self.subject,
            "issuer": self.issuer,
            "serial": self.serial,
            "emails": self.emails,
            "not_before": iso_ms(self.not_before),
            "not_after": iso_ms(self.not_after),
            "sha256": self.sha256,
        })
    }
}

/// Hexadecimal without leading zeros, as OpenSSL shows serial numbers; bounded, because a serial may have any length.
pub(crate) fn serial_hex(bytes: &[u8]) -> String {
    /// RFC 5280 allows 20 octets; a file may hold more.
    const SHOWN: usize = 40;
    let mut text = String::with_capacity(2 * bytes.len().min(SHOWN) + 3);
    for byte in bytes.iter().take(SHOWN) {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    if bytes.len() > SHOWN {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(outcomes: &[(Aspect, Outcome)]) -> SignatureReport {
        let outcome = |aspect| outcomes.iter().find(|(of, _)| *of == aspect).map_or(Outcome::Good, |(_, o)| *o);
        let verdict = |aspect| AspectVerdict {
            aspect,
            outcome: outcome(aspect),
            detail: String::new(),
            code: (outcome(aspect) != Outcome::Good).then_some(Code::SignaturePath),
        };
        SignatureReport {
            kind: SignatureKind::Cades,
            role: Role::Signature,
            place: "layer 1/signer 1".into(),
            signer: None,
            digest_algorithm: None,
            signature_algorithm: None,
            signing_time: None,
            reference: None,
            verdicts: Aspect::ALL.into_iter().map(verdict).collect(),
            noticed: Vec::new(),
            path: None,
            sources: Vec::new(),
        }
    }

    #[test]
    fn a_conclusion_is_never_better_than_what_was_looked_at() {
        use Outcome::{Absent, Bad, NotChecked, Weak};
        assert_eq!(report(&[]).conclusion(), Conclusion::Valid);
        assert_eq!(report(&[(Aspect::Address, NotChecked)]).conclusion(), Conclusion::Valid);
        assert_eq!(report(&[(Aspect::Digest, Weak)]).conclusion(), Conclusion::ValidWeak);
        assert_eq!(report(&[(Aspect::Time, Absent), (Aspect::Digest, Weak)]).conclusion(), Conclusion::TimeNotProved);
        // Which certificate is named may not be asked for; a name that could not be read is another matter.
        let mut unasked = report(&[(Aspect::SigningCertificate, NotChecked)]);
        assert_eq!(unasked.conclusion(), Conclusion::Indeterminate);
        unasked.set(AspectVerdict::not_asked(Aspect::SigningCertificate));
        assert_eq!(unasked.conclusion(), Conclusion::Valid);
        for aspect in [Aspect::Digest, Aspect::Signature, Aspect::Chain, Aspect::Revocation] {
            assert_eq!(report(&[(aspect, NotChecked)]).conclusion(), Conclusion::Indeterminate, "{aspect:?}");
            assert_eq!(report(&[(aspect, Absent)]).conclusion(), Conclusion::Indeterminate, "{aspect:?}");
        }
        for aspect in Aspect::ALL {
            let expected = if aspect == Aspect::Profile { Conclusion::Indeterminate } else { Conclusion::Invalid };
            assert_eq!(report(&[(aspect, Bad)]).conclusion(), expected, "{aspect:?}");
        }
        let worst = SignatureReport::worst;
        assert_eq!(worst(&[]), "unsigned");
        assert_eq!(worst(&[report(&[]), report(&[(Aspect::Digest, Bad)]), report(&[])]), "invalid");
        let stamp = SignatureReport { role: Role::TimeStamp, ..report(&[(Aspect::Digest, Bad)]) };
        assert_eq!(worst(&[report(&[]), stamp]), "valid");
    }

    #[test]
    fn controls_show_the_worst_signature_and_findings_their_place() {
        let reports = [report(&[]), report(&[(Aspect::Chain, Outcome::Bad), (Aspect::Time, Outcome::NotChecked)])];
        let controls = SignatureReport::controls(&reports);
        let names: Vec<&str> = controls.iter().map(|c| c.control.as_str()).collect();
        assert_eq!(names.len(), 8);
        assert_eq!((names[1], names[2]), ("signature-math", "signature-certificate"));
        assert_eq!((controls[5].outcome, controls[5].code), (ControlOutcome::Negative, Some(Code::SignaturePath)));
        assert_eq!(controls[7].outcome, ControlOutcome::NotExecuted, "one good signature does not speak for the other");
        let not_asked = AspectVerdict::not_asked(Aspect::Time);
        let mut stamp = report(&[]);
        stamp.set(not_asked);
        assert_eq!(SignatureReport::controls(&[stamp, report(&[])])[7].outcome, ControlOutcome::Positive);
        assert!(SignatureReport::controls(&[]).iter().all(|c| c.outcome == ControlOutcome::NotExecuted));
        let findings = reports[1].findings();
        let severities: Vec<Severity> = findings.iter().map(|f| f.severity).collect();
        assert_eq!(severities, [Severity::Warning, Severity::Info]);
        assert!(findings.iter().all(|f| f.place == "layer 1/signer 1"));
    }
}
