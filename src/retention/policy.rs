//! What a policy file says: a retention policy, a closing rule or the table of algorithms, read and validated.
//!
//! Invariant: a [`Policy`] makes sense: it has a period that a calendar can add, a start, a legal basis; a closing rule has
//! a limit of every kind, so that no package stays open for ever. DMCA, piano di conservazione.

use serde::{Deserialize, Serialize};

use super::algorithms::{Algorithms, DigestEnd, KeyEnd};
use super::period::Period;
use crate::error::{Code, Error, Result};
use crate::id::PolicyId;
use crate::package::closing::{Closing, MOST_DOCUMENTS};
use crate::units::{Lapse, Size};

/// The text of something, in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// Italian.
    pub it: String,
    /// English.
    pub en: String,
}

/// A legal basis and how sure it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Basis {
    /// Italian.
    pub it: String,
    /// English.
    pub en: String,
    /// Whether the text of the law was read.
    pub status: BasisStatus,
}

/// How sure a legal basis is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BasisStatus {
    /// Confirmed.
    Confirmed,
    /// Shown as such wherever it is cited.
    ToBeConfirmed,
}

/// Whether a document may be kept past its term.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Term {
    /// At least so long.
    Minimum,
    /// So long and no longer.
    Exact,
}

/// The cohort's unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CohortUnit {
    /// By year of expiry.
    Year,
    /// By month of expiry.
    Month,
}

/// How far the bare term is rounded up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rounding {
    /// To the last day of the cohort.
    #[default]
    Cohort,
    /// Not at all.
    None,
}

/// Which of several events of one step counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pick {
    /// The first field present, in order.
    #[default]
    First,
    /// The latest of those present.
    Latest,
}

/// What is made of the event's day before the term runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shift {
    /// Nothing.
    #[default]
    None,
    /// 31 December of the following year.
    EndOfNextYear,
}

/// One way of telling when the term starts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// Name of the event, for explanations.
    pub event: String,
    /// Metadata fields that may tell it, or `accepted_at`.
    pub fields: Vec<String>,
    /// Which of them counts.
    #[serde(default)]
    pub pick: Pick,
    /// What is made of it.
    #[serde(default)]
    pub shift: Shift,
}

/// A retention policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// Its name.
    pub id: PolicyId,
    /// Its version.
    pub version: u32,
    /// What it is about.
    pub title: Text,
    /// How long.
    pub period: Period,
    /// At least, or exactly.
    pub term: Term,
    /// How documents are packed together.
    pub cohort: CohortUnit,
    /// How the term is rounded.
    pub rounding: Rounding,
    /// From when, in order.
    pub start: Vec<Start>,
    /// Why.
    pub basis: Vec<Basis>,
}

/// One policy of any kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Policy {
    /// How long documents are kept.
    Retention(Retention),
    /// When packages are closed, with its title.
    Closing(Closing, Text),
    /// Until when algorithms of evidence may be relied on.
    Algorithms(Algorithms),
}

impl Policy {
    /// Its name.
    pub fn id(&self) -> &PolicyId {
        match self {
            Self::Retention(policy) => &policy.id,
            Self::Closing(policy, _) => &policy.id,
            Self::Algorithms(table) => &table.id,
        }
    }

    /// Its version.
    pub fn version(&self) -> u32 {
        match self {
            Self::Retention(policy) => policy.version,
            Self::Closing(policy, _) => policy.version,
            Self::Algorithms(table) => table.version,
        }
    }

    /// What it is about.
    pub fn title(&self) -> &Text {
        match self {
            Self::Retention(policy) => &policy.title,
            Self::Closing(_, title) => title,
            Self::Algorithms(table) => &table.title,
        }
    }

    /// `<id>@<version>.toml`.
    pub fn file_name(&self) -> String {
        format!("{}@{}.toml", self.id(), self.version())
    }

    /// Reads and validates the text of a policy file; `place` names it in errors.
    pub fn parse(text: &str, place: &str) -> Result<Self> {
        let raw: RawPolicy = toml::from_str(text).map_err(|e| {
            let line = e.span().map_or(0, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            Error::new(Code::ConfigInvalid, e.message().to_owned()).at(format!("{place}:{line}"))
        })?;
        let policy = match raw {
            RawPolicy::Retention { id, version, title, period, term, cohort, rounding, start, basis } => {
                Self::Retention(Retention { id, version, title, period, term, cohort, rounding, start, basis })
            }
            RawPolicy::Closing { id, version, title, documents, bytes, age, day_end, alone, signature } => {
                let signature = signature == Some(Required::Required);
                Self::Closing(Closing { id, version, documents, bytes, age, day_end, alone, signature }, title)
            }
            RawPolicy::Algorithms { id, version, title, margin, digest, signature } => {
                Self::Algorithms(Algorithms { id, version, title, margin, digests: digest, keys: signature })
            }
        };
        policy.validate().map_err(|detail| Error::new(Code::ConfigInvalid, detail).at(place))?;
        Ok(policy)
    }

    fn validate(&self) -> std::result::Result<(), &'static str> {
        if self.version() == 0 {
            return Err("`version` starts at 1");
        }
        match self {
            Self::Retention(policy) => {
                if policy.start.is_empty() || policy.start.iter().any(|step| step.fields.is_empty()) {
                    return Err("at least one [[start]] is needed, each with at least one field");
                }
                if policy.basis.is_empty() {
                    return Err("at least one [[basis]] is needed");
                }
            }
            Self::Algorithms(table) => {
                // There is one table: a second one under another name would leave it open which of them counts.
                if table.id.as_str() != "algorithms" {
                    return Err("`id` must be \"algorithms\"");
                }
                table.validate()?;
            }
            Self::Closing(rule, _) => {
                if !rule.documents.is_some_and(|n| (1..=MOST_DOCUMENTS).contains(&n)) {
                    return Err("`documents` must be between 1 and 1,000,000");
                }
                if rule.bytes.is_none_or(|size| size.0 == 0) {
                    return Err("`bytes` must be given and larger than zero");
                }
                if rule.age.is_none() && !rule.day_end || rule.age.is_some_and(|age| age.as_ms() == 0) {
                    return Err(
                        "`age` (longer than zero) or `day_end = true` must be given, or packages would stay open",
                    );
                }
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum RawPolicy {
    Retention {
        id: PolicyId,
        version: u32,
        title: Text,
        period: Period,
        term: Term,
        cohort: CohortUnit,
        #[serde(default)]
        rounding: Rounding,
        start: Vec<Start>,
        basis: Vec<Basis>,
    },
    Closing {
        id: PolicyId,
        version: u32,
        title: Text,
        documents: Option<u64>,
        bytes: Option<Size>,
        age: Option<Lapse>,
        #[serde(default)]
        day_end: bool,
        #[serde(default)]
        alone: bool,
        signature: Option<Required>,
    },
    Algorithms {
        id: PolicyId,
        version: u32,
        title: Text,
        margin: Lapse,
        digest: Vec<DigestEnd>,
        signature: Vec<KeyEnd>,
    },
}

/// The one word that may stand there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Required {
    Required,
}
