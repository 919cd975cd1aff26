//! Policies: `policies/<id>@<n>.toml`, retention and closing rules, compiled in and copied into a new archive.
//!
//! Invariant: only adopted versions run. A file is known by its name and the SHA-256 of its bytes; the caller compares
//! these with the chain ([`Policies::check_adopted`]). A version never changes: a new one stands beside it.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::Path;
use std::str::FromStr;

use jiff::Span;
use serde::{Deserialize, Deserializer};

use crate::error::{AtPath, Code, Error, Finding, Result};
use crate::hash::Sha256;
use crate::id::PolicyId;
use crate::package::closing::{Closing, MOST_DOCUMENTS};
use crate::units::{Lapse, Size};

/// Larger than any policy a person writes.
const LARGEST_FILE: u64 = 64 * 1024;
/// More versions than an archive adopts in a century.
const MOST_FILES: usize = 4096;

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
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
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

/// An ISO 8601 period of years, months and days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    years: i16,
    months: i32,
    days: i32,
}

impl Period {
    /// For calendar arithmetic.
    pub fn span(&self) -> Span {
        Span::new().years(self.years).months(self.months).days(self.days)
    }
}

impl FromStr for Period {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let wrong =
            || Error::new(Code::Usage, "expected an ISO 8601 period of up to 200 years, as in P20Y, P30M or P1Y6M");
        let mut rest = text.strip_prefix('P').filter(|rest| !rest.is_empty()).ok_or_else(wrong)?;
        let mut parts = [0_i32; 3];
        let mut next_unit = 0;
        while !rest.is_empty() {
            let (digits, after) = rest.split_at(rest.bytes().take_while(u8::is_ascii_digit).count());
            let unit = after.chars().next().and_then(|unit| "YMD".find(unit)).ok_or_else(wrong)?;
            if unit < next_unit {
                return Err(wrong());
            }
            parts[unit] = digits.parse().map_err(|_| wrong())?;
            next_unit = unit + 1;
            rest = &after[1..];
        }
        let [years, months, days] = parts;
        let fits = years <= 200 && months <= 2400 && days <= 73_000 && parts.iter().any(|n| *n > 0);
        if !fits {
            return Err(wrong());
        }
        Ok(Self { years: years as i16, months, days })
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("P")?;
        for (number, unit) in [(i32::from(self.years), 'Y'), (self.months, 'M'), (self.days, 'D')] {
            if number > 0 {
                write!(f, "{number}{unit}")?;
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(|e: Error| serde::de::Error::custom(e.detail))
    }
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

/// One policy of either kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Policy {
    /// How long documents are kept.
    Retention(Retention),
    /// When packages are closed, with its title.
    Closing(Closing, Text),
}

impl Policy {
    /// Its name.
    pub fn id(&self) -> &PolicyId {
        match self {
            Self::Retention(policy) => &policy.id,
            Self::Closing(policy, _) => &policy.id,
        }
    }

    /// Its version.
    pub fn version(&self) -> u32 {
        match self {
            Self::Retention(policy) => policy.version,
            Self::Closing(policy, _) => policy.version,
        }
    }

    /// What it is about.
    pub fn title(&self) -> &Text {
        match self {
            Self::Retention(policy) => &policy.title,
            Self::Closing(_, title) => title,
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
            RawPolicy::Closing { id, version, title, documents, bytes, age, day_end } => {
                Self::Closing(Closing { id, version, documents, bytes, age, day_end }, title)
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
            Self::Closing(rule, _) => {
                if !rule.documents.is_some_and(|n| (1..=MOST_DOCUMENTS).contains(&n)) {
                    return Err("`documents` must be between 1 and 1,000,000");
                }
                if !rule.bytes.is_some_and(|size| size.0 > 0) {
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
    },
}

/// A policy and the file it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFile {
    /// The policy.
    pub policy: Policy,
    /// SHA-256 of the file's bytes, as on the chain.
    pub sha256: Sha256,
}

/// All policies of an archive, every version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policies(BTreeMap<PolicyId, BTreeMap<u32, PolicyFile>>);

macro_rules! builtin {
    ($($name:literal),* $(,)?) => { &[ $( ($name, include_str!(concat!("../../policies/", $name))) ),* ] };
}

impl Policies {
    /// The policies that come with Custode: file name and text.
    pub fn builtin() -> &'static [(&'static str, &'static str)] {
        builtin![
            "daily@1.toml",
            "default@1.toml",
            "generic-10y@1.toml",
            "identity-20y@1.toml",
            "invoice-10y@1.toml",
            "pec-correspondence-10y@1.toml",
            "pec-log-30m@1.toml",
            "pec-virus-30m@1.toml",
        ]
    }

    /// The built-in ones, parsed.
    pub fn standard() -> Result<Self> {
        Self::from_files(Self::builtin().iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())))
    }

    /// Everything in an archive's `policies/` folder. A file that is not a policy under its own name is an error.
    pub fn load(directory: &Path) -> Result<Self> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(directory).at_path(directory)? {
            let path = entry.at_path(directory)?.path();
            let name = path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
            let Some(name) = name.filter(|name| name.ends_with(".toml") && path.is_file()) else {
                return Err(Error::new(Code::NotAdopted, "not a policy file").at(path.display()));
            };
            if files.len() >= MOST_FILES {
                return Err(
                    Error::new(Code::ConfigInvalid, format!("more than {MOST_FILES} files")).at(directory.display())
                );
            }
            let mut text = String::new();
            let file = std::fs::File::open(&path).at_path(&path)?;
            file.take(LARGEST_FILE + 1).read_to_string(&mut text).at_path(&path)?;
            if text.len() as u64 > LARGEST_FILE {
                return Err(
                    Error::new(Code::ConfigInvalid, format!("larger than {LARGEST_FILE} bytes")).at(path.display())
                );
            }
            files.push((name, text));
        }
        Self::from_files(files)
    }

    fn from_files(files: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        let mut all = Self::default();
        for (name, text) in files {
            let place = format!("policies/{name}");
            let policy = Policy::parse(&text, &place)?;
            if policy.file_name() != name {
                let detail = format!("the file holds {}", policy.file_name());
                return Err(Error::new(Code::NotAdopted, detail).at(place));
            }
            let file = PolicyFile { sha256: Sha256::of(text.as_bytes()), policy };
            all.0.entry(file.policy.id().clone()).or_default().insert(file.policy.version(), file);
        }
        Ok(all)
    }

    /// Every difference between the folder and what the chain says was adopted (file name to digest).
    pub fn check_adopted(&self, adopted: &BTreeMap<String, Sha256>) -> Vec<Finding> {
        let found: BTreeMap<String, Sha256> = self.iter().map(|file| (file.policy.file_name(), file.sha256)).collect();
        let place = |name: &str| format!("policies/{name}");
        let unknown = found.iter().filter_map(|(name, sha256)| match adopted.get(name) {
            Some(known) if known == sha256 => None,
            Some(_) => Some(Finding::error(Code::NotAdopted, place(name), "the file was edited after adoption")),
            None => Some(Finding::error(Code::NotAdopted, place(name), "the file was never adopted")),
        });
        let missing = adopted.keys().filter(|name| !found.contains_key(*name));
        unknown
            .chain(missing.map(|name| Finding::error(Code::NotAdopted, place(name), "the adopted file is missing")))
            .collect()
    }

    /// The newest version.
    pub fn latest(&self, id: &PolicyId) -> Option<&PolicyFile> {
        self.0.get(id)?.last_key_value().map(|(_, file)| file)
    }

    /// One version.
    pub fn get(&self, id: &PolicyId, version: u32) -> Option<&PolicyFile> {
        self.0.get(id)?.get(&version)
    }

    /// Every version of every policy, by name and version.
    pub fn iter(&self) -> impl Iterator<Item = &PolicyFile> {
        self.0.values().flat_map(BTreeMap::values)
    }

    /// The newest version of a retention policy.
    pub fn retention(&self, id: &PolicyId) -> Result<&Retention> {
        match self.latest(id).map(|file| &file.policy) {
            Some(Policy::Retention(policy)) => Ok(policy),
            _ => Err(Error::new(Code::NotAdopted, format!("there is no retention policy `{id}`")).at("policies")),
        }
    }

    /// The newest version of a closing rule.
    pub fn closing(&self, id: &PolicyId) -> Result<&Closing> {
        match self.latest(id).map(|file| &file.policy) {
            Some(Policy::Closing(rule, _)) => Ok(rule),
            _ => Err(Error::new(Code::NotAdopted, format!("there is no closing rule `{id}`")).at("policies")),
        }
    }
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
