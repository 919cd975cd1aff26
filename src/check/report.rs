//! What a check says: outcome, coverage, findings.
//!
//! Invariant (I7): a verdict is never better than what was looked at: bad > unchecked > good, and the outcome of a report
//! is computed from its findings alone, including those that no longer fit into the list.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};

use super::coverage::Part;
use super::waiting::Rolling;
use super::{Mode, Sample};
use crate::chain::Compared;
use crate::clock::iso_ms;
use crate::error::{Code, Error, Finding as Seen, Kind, Lang, Severity};
use crate::id::{CheckId, DocumentId, PackageRef};
use crate::units::Lapse;

/// Findings listed; an archive wrong everywhere is wrong enough, and a report must stay readable.
pub const MAX_FINDINGS: usize = 1000;

/// The three outcomes, from best to worst. There is no default: whoever says `Good` has looked.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Looked at, and as it should be.
    Good,
    /// Could not be looked at, or not judged.
    Unchecked,
    /// Looked at, and not as it should be.
    Bad,
}

impl Outcome {
    /// The name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Unchecked => "unchecked",
            Self::Bad => "bad",
        }
    }

    /// The worse of two.
    pub fn and(self, other: Self) -> Self {
        self.max(other)
    }

    /// What a failed look means: damage is bad; what could not be read, or nobody here can judge, is unchecked.
    pub fn of_error(error: &Error) -> Self {
        Self::of_code(error.code)
    }

    fn of_code(code: Code) -> Self {
        match (code, code.kind()) {
            (
                Code::TokenUntrusted
                | Code::EvidenceAlgorithm
                | Code::NotLookedAt
                | Code::ChainPending
                | Code::CheckOverdue
                | Code::CheckInterrupted
                | Code::CheckAhead
                | Code::LegibleNoReader
                | Code::LegibleUnknown
                | Code::LegibleEncrypted
                | Code::LegibleTooLarge
                | Code::ReaderTooLarge
                | Code::CopyBehind,
                _,
            ) => Self::Unchecked,
            // To who appends it is a reason to wait; to who looks it is damage.
            (Code::ArchiveRestored | Code::ArchiveForked, _) => Self::Bad,
            (_, Kind::Io | Kind::Unavailable | Kind::Locked | Kind::Config) => Self::Unchecked,
            _ => Self::Bad,
        }
    }
}

/// Where something was found; what is not known is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// `pec-message/7`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<PackageRef>,
    /// The copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vault: Option<String>,
    /// The document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<DocumentId>,
    /// The file: inside the package, or inside the archive (`chain/entries`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

impl Place {
    /// A file of the archive.
    pub fn file(name: impl Into<String>) -> Self {
        Self { file: Some(name.into()), ..Self::default() }
    }

    /// This place, in that file.
    #[must_use]
    pub fn in_file(&self, name: &str) -> Self {
        Self { file: Some(name.to_owned()), ..self.clone() }
    }

    /// This place, for that document.
    #[must_use]
    pub fn of_document(&self, id: DocumentId) -> Self {
        Self { document: Some(id), ..self.clone() }
    }

    /// Reads the place of another room's finding: `chain/entries line 3, byte 120`, `…, document 0199…`. What follows the
    /// file is given back for the message.
    fn read(text: &str) -> (Self, String) {
        let (rest, document) = match text.split_once(", document ") {
            Some((rest, id)) => (rest, id.parse().ok()),
            None => (text, None),
        };
        let cut = [" line ", ", line ", ", entry ", ", number ", ", bytes ", ", byte ", " at byte ", " frame "]
            .iter()
            .filter_map(|m| rest.find(m))
            .min();
        let (file, position) = rest.split_at(cut.unwrap_or(rest.len()));
        let file = (!file.is_empty()).then(|| file.to_owned());
        let position = position.trim_start_matches([',', ' ']).to_owned();
        (Self { document, file, ..Self::default() }, position)
    }
}

/// One finding of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Stable code.
    pub code: Code,
    /// What it makes of the check.
    pub outcome: Outcome,
    /// Where.
    pub place: Place,
    /// What exactly; never a metadata value.
    pub message: String,
    /// What to do next; may be empty.
    pub next: String,
}

impl Finding {
    /// A finding, judged by its code.
    pub fn new(code: Code, place: Place, detail: &str) -> Self {
        Self::judged(code, Outcome::of_code(code), place, detail)
    }

    /// Worth knowing, and not damage.
    pub fn note(code: Code, place: Place, detail: &str) -> Self {
        Self::judged(code, Outcome::Good, place, detail)
    }

    fn judged(code: Code, outcome: Outcome, place: Place, detail: &str) -> Self {
        let message = match detail {
            "" => code.text(Lang::En).to_owned(),
            detail => format!("{}: {detail}", code.text(Lang::En)),
        };
        Self { code, outcome, place, message, next: code.hint(Lang::En).to_owned() }
    }

    /// What stopped a look.
    pub fn of_error(error: &Error, place: Place) -> Self {
        let at = if error.place.is_empty() { String::new() } else { format!(" [{}]", error.place) };
        let mut made = Self::new(error.code, place, &format!("{}{at}", error.detail));
        if let Some(hint) = &error.hint {
            made.next.clone_from(hint);
        }
        made
    }

    /// A finding of another room: chain, records, journal. Warnings are shown and harm nothing, but an append that was
    /// left half done hides the ends of the files it was writing, and what was witnessed under a key that is not known here may
    /// be more than there is.
    pub fn of_room(seen: &Seen) -> Self {
        let outcome = match seen.severity {
            Severity::Error => Outcome::of_code(seen.code),
            _ if matches!(seen.code, Code::ChainPending | Code::WitnessKey) => Outcome::Unchecked,
            _ => Outcome::Good,
        };
        let (place, position) = Place::read(&seen.place);
        let message = if position.is_empty() { seen.message.clone() } else { format!("{position}: {}", seen.message) };
        Self { code: seen.code, outcome, place, message, next: seen.code.hint(Lang::En).to_owned() }
    }

    /// What was found when the archive was opened: as any other room's, but an append left half done was completed then.
    pub fn of_opening(seen: &Seen) -> Self {
        let mut made = Self::of_room(seen);
        if seen.code == Code::ChainPending {
            made.outcome = Outcome::Good;
        }
        made
    }
}

/// How much there is and how much was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// In the archive.
    pub total: u64,
    /// Looked at by this check.
    pub checked: u64,
}

/// What was looked at, and what was not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Packages on the chain.
    pub packages: Count,
    /// Documents in them; checked when their own bytes were hashed.
    pub documents: Count,
    /// Bytes of their files; checked when read and hashed.
    pub bytes: Count,
    /// Copies of packages: one a vault; checked when every file of it was read.
    pub copies: Count,
    /// When the package that has waited longest was last checked in full; `null` when one never was.
    #[serde(serialize_with = "instant")]
    pub oldest_full_check: Option<Timestamp>,
    /// By mode, when the copy that has waited longest was last looked at; `null` when one never was. A full check counts as a
    /// quick one.
    #[serde(serialize_with = "instants", skip_serializing_if = "BTreeMap::is_empty")]
    pub oldest: BTreeMap<Mode, Option<Timestamp>>,
    /// By mode, how the copies stand to its deadline.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub deadlines: BTreeMap<Mode, Deadline>,
    /// Checkpoints that others kept, and how the chain stands to them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub witnessed: Vec<Compared>,
    /// What this check did not look at, by name.
    pub not_looked_at: Vec<String>,
}

/// A deadline that holds for every copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Deadline {
    /// How often each must be looked at.
    pub every: Lapse,
    /// When the first one's is over, or was.
    #[serde(serialize_with = "instant")]
    pub next: Option<Timestamp>,
    /// Copies whose deadline is over.
    pub overdue: u64,
}

fn instants<S: Serializer>(all: &BTreeMap<Mode, Option<Timestamp>>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(all.iter().map(|(mode, at)| (mode.as_str(), at.map(iso_ms))))
}

fn instant<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    at.map(iso_ms).serialize(serializer)
}

fn always<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&iso_ms(*at))
}

/// The report of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Its id.
    pub check: CheckId,
    /// Its outcome.
    pub outcome: Outcome,
    /// `quick` or `full`.
    pub mode: Mode,
    /// It was ended before it was through.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub interrupted: bool,
    /// What was asked of a rolling check, and how far it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rolling: Option<Rolling>,
    /// Of legibility, the rule by which documents were chosen, when not all were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample: Option<Sample>,
    /// When it began.
    #[serde(serialize_with = "always")]
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(serialize_with = "always")]
    pub finished_at: Timestamp,
    /// What was looked at.
    pub coverage: Coverage,
    /// What was found, worst first.
    pub findings: Vec<Finding>,
    /// Chain size that was judged; 0 when the checkpoint does not verify.
    #[serde(skip)]
    pub size: u64,
    /// Packages that were asked for and of which not every copy could be read whole.
    #[serde(skip)]
    pub unread: u64,
    /// Copies that are bad, by package and vault.
    #[serde(skip)]
    pub bad_copies: Vec<(PackageRef, String)>,
    /// Copies whose every file is as committed.
    #[serde(skip)]
    pub good_copies: Vec<(PackageRef, String)>,
    /// What it looked at and was not kept as it went on: the last line of the coverage ledger.
    #[serde(skip)]
    pub rest: Option<Part>,
}

/// Findings as they come in.
pub(super) struct Findings {
    kept: Vec<Finding>,
    dropped: u64,
    outcome: Outcome,
}

impl Findings {
    pub fn new() -> Self {
        Self { kept: Vec::new(), dropped: 0, outcome: Outcome::Good }
    }

    pub fn push(&mut self, finding: Finding) {
        self.outcome = self.outcome.and(finding.outcome);
        if self.kept.len() < MAX_FINDINGS {
            self.kept.push(finding);
        } else if let Some(milder) = self.kept.iter_mut().find(|kept| kept.outcome < finding.outcome) {
            // A thousand notes must not crowd out the one that counts.
            *milder = finding;
            self.dropped += 1;
        } else {
            self.dropped += 1;
        }
    }

    pub fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        findings.into_iter().for_each(|finding| self.push(finding));
    }

    /// Worst first, then by place; with a last line that says how many are not listed.
    pub fn finish(mut self) -> (Outcome, Vec<Finding>) {
        self.kept.sort_by(|a, b| b.outcome.cmp(&a.outcome).then_with(|| (&a.place, a.code).cmp(&(&b.place, b.code))));
        self.kept.dedup();
        if self.dropped > 0 {
            let detail = format!("{} more findings are not listed", self.dropped);
            self.kept.push(Finding::note(Code::NotLookedAt, Place::default(), &detail));
        }
        (self.outcome, self.kept)
    }
}
