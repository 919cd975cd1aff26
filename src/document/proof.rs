//! What the signatures of a message or of a notification prove of it, in one word: a receipt counts by it (`reference/pec` section 9,
//! `reference/fatturapa` section 8).
//!
//! The conclusion on a signature says whether anything at all is lacking, and at deposit something nearly always is: nobody was asked
//! yet whether the certificate was revoked. Here the question is another: may somebody rely on who said this? Invariant I7: never
//! better than what was looked at; of several signers the worst counts, and who merely counter-signed or time-stamped said nothing.

use crate::evidence::verdict::{Aspect, Conclusion, Outcome, Role, SignatureReport};

/// What is proved, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Proof {
    /// Intact, by a signer who leads to somebody the archive believes.
    Trusted,
    /// Intact; the archive has no anchors for this use, so who signed was not looked at.
    Unanchored,
    /// Intact, by a signer who leads to nobody the archive believes.
    Untrusted,
    /// Signed in a way that cannot be verified here.
    Unverified,
    /// Not signed.
    Unsigned,
    /// Altered after signing, or by a signer who may not sign this.
    Invalid,
}

impl Proof {
    /// Every one, with its word on the wire, in English and in Italian.
    pub const ALL: [(Self, &'static str, &'static str, &'static str); 6] = [
        (Self::Trusted, "trusted", "signed by a trusted signer", "firmato da un firmatario riconosciuto"),
        (
            Self::Unanchored,
            "unanchored",
            "signature intact, signer not looked at: no anchors are configured",
            "firma integra, firmatario non verificato: nessuna autorità configurata",
        ),
        (
            Self::Untrusted,
            "untrusted",
            "signature intact, of a signer who leads to nobody trusted",
            "firma integra, di un firmatario non riconosciuto",
        ),
        (Self::Unverified, "unverified", "signature that cannot be verified here", "firma non verificabile"),
        (Self::Unsigned, "unsigned", "NOT signed", "NON firmato"),
        (Self::Invalid, "invalid", "signature NOT valid", "firma NON valida"),
    ];

    /// What these signatures prove.
    pub fn of(reports: &[SignatureReport]) -> Self {
        let signers = reports.iter().filter(|report| report.role == Role::Signature);
        signers.map(Self::of_one).max().unwrap_or(Self::Unsigned)
    }

    fn of_one(report: &SignatureReport) -> Self {
        match report.verdict(Aspect::Chain).outcome {
            _ if report.conclusion() == Conclusion::Invalid => Self::Invalid,
            _ if !report.is_intact() => Self::Unverified,
            Outcome::Good | Outcome::Weak => Self::Trusted,
            Outcome::NotChecked => Self::Unanchored,
            Outcome::Absent | Outcome::Bad => Self::Untrusted,
        }
    }

    /// From the word on the wire. A document of which nobody said what its signatures prove is one whose signatures were not verified.
    pub fn from_word(word: Option<&str>) -> Self {
        let known = Self::ALL.into_iter().find(|(_, known, ..)| word == Some(*known));
        known.map_or(Self::Unverified, |(proof, ..)| proof)
    }

    /// Whether it may be relied on as its provider's word. Without anchors nothing better can be had, and that is said.
    pub fn is_relied_on(self) -> bool {
        matches!(self, Self::Trusted | Self::Unanchored)
    }

    fn entry(self) -> (Self, &'static str, &'static str, &'static str) {
        Self::ALL.into_iter().find(|(proof, ..)| *proof == self).unwrap_or(Self::ALL[3])
    }

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        self.entry().1
    }

    /// For people: English and Italian.
    pub fn title(self) -> (&'static str, &'static str) {
        (self.entry().2, self.entry().3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::verdict::{AspectVerdict, SignatureKind};

    fn report(role: Role, outcomes: &[(Aspect, Outcome)]) -> SignatureReport {
        let outcome = |aspect| outcomes.iter().find(|(of, _)| *of == aspect).map_or(Outcome::Good, |(_, o)| *o);
        SignatureReport {
            kind: SignatureKind::Smime,
            role,
            place: "smime.p7s/signer 1".into(),
            signer: None,
            digest_algorithm: None,
            signature_algorithm: None,
            signing_time: None,
            reference: None,
            verdicts: Aspect::ALL
                .into_iter()
                .map(|aspect| AspectVerdict { outcome: outcome(aspect), ..AspectVerdict::not_asked(aspect) })
                .collect(),
            noticed: Vec::new(),
            path: None,
            sources: Vec::new(),
        }
    }

    #[test]
    fn the_worst_signer_counts_and_never_for_more_than_was_looked_at() {
        use Aspect::{Address, Chain, Digest, Revocation, Signature};
        use Outcome::{Absent, Bad, NotChecked, Weak};
        let of = |outcomes: &[(Aspect, Outcome)]| Proof::of(&[report(Role::Signature, outcomes)]);
        for (outcomes, proof) in [
            (&[][..], Proof::Trusted),
            // At deposit nobody was asked yet.
            (&[(Revocation, NotChecked)], Proof::Trusted),
            (&[(Digest, Weak), (Chain, Weak)], Proof::Trusted),
            (&[(Chain, NotChecked), (Revocation, NotChecked)], Proof::Unanchored),
            (&[(Chain, Absent)], Proof::Untrusted),
            (&[(Signature, NotChecked)], Proof::Unverified),
            (&[(Digest, NotChecked), (Chain, NotChecked)], Proof::Unverified),
            (&[(Digest, Bad)], Proof::Invalid),
            (&[(Address, Bad)], Proof::Invalid),
            (&[(Revocation, Bad)], Proof::Invalid),
        ] {
            assert_eq!(of(outcomes), proof, "{outcomes:?}");
        }
        assert_eq!(Proof::of(&[]), Proof::Unsigned);
        let good = report(Role::Signature, &[]);
        assert_eq!(Proof::of(&[good.clone(), report(Role::Signature, &[(Digest, Bad)])]), Proof::Invalid);
        // Anybody may counter-sign, badly; and what nobody signed, nobody said.
        let counter = report(Role::CounterSignature, &[(Digest, Bad)]);
        assert_eq!(Proof::of(&[good, counter.clone()]), Proof::Trusted);
        assert_eq!(Proof::of(&[counter]), Proof::Unsigned);
    }

    #[test]
    fn words_are_read_back_and_an_unknown_one_proves_nothing() {
        for (proof, word, ..) in Proof::ALL {
            assert_eq!(Proof::from_word(Some(word)), proof);
            assert_eq!(proof.as_str(), word);
        }
        assert_eq!((Proof::from_word(None), Proof::from_word(Some("x"))), (Proof::Unverified, Proof::Unverified));
        let relied: Vec<Proof> = Proof::ALL.into_iter().map(|(proof, ..)| proof).filter(|p| p.is_relied_on()).collect();
        assert_eq!(relied, [Proof::Trusted, Proof::Unanchored]);
    }
}
