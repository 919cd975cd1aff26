//! The check (verifica di integrità e leggibilità): is everything there, and is everything what it was.
//!
//! It reads chain, records, journal, packages and catalog, changes nothing, and says what it looked at as exactly as what
//! it found. Invariant (I7): a verdict is never better than what was looked at. AgID guidelines 4.7, 4.8 (a periodic check
//! of integrity and readability); interface page, "Verdicts" and "Check report". It may run beside intake and sealing:
//! lists that can only grow are read before what they are held against.

mod accounting;
mod adopted;
mod agreement;
mod content;
pub mod coverage;
mod evidence;
mod html;
mod interrupted;
mod kept;
mod legible;
mod pace;
mod package;
mod plan;
mod refusals;
mod report;
mod run;
mod sealed;
mod shared;
mod signature;
mod stamps;
mod text;
mod waiting;

pub use interrupted::{Interrupted, interrupted};
pub use legible::Sample;
pub use pace::{Budget, Watch};
pub use report::{Count, Coverage, Deadline, Finding, MAX_FINDINGS, Outcome, Place, Report};
pub use run::run;
pub use waiting::Rolling;

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::catalog::Catalog;
use crate::chain::Claim;
use crate::chain::note::Verifier;
use crate::clock::Clock;
use crate::error::{Code, Error};
use crate::evidence::anchors::Anchors;
use crate::evidence::trust::Trust;
use crate::id::{ClassId, PackageRef};
use crate::intake::journal::Journal;
use crate::units::Lapse;
use crate::vault::Vault;

/// How deep to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Chain, records, journal; of packages every file by its BLAKE3, and the catalog. Nothing is opened.
    Quick,
    /// All of that, and every document, index, receipt and piece of evidence.
    Full,
    /// Chain, records, journal; of packages whether each document can still be decoded. No look at integrity.
    Legibility,
}

impl Mode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Quick, Self::Full, Self::Legibility];

    /// The name in reports and requests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Full => "full",
            Self::Legibility => "legibility",
        }
    }
}

impl FromStr for Mode {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.as_str() == text)
            .ok_or_else(|| Error::new(Code::Usage, "the mode of a check is `quick`, `full` or `legibility`"))
    }
}

/// What was asked for.
#[derive(Debug, Clone)]
pub struct Scope {
    /// How deep.
    pub mode: Mode,
    /// Only packages of this class. Chain and records are always verified.
    pub class: Option<ClassId>,
    /// Only this package.
    pub package: Option<PackageRef>,
    /// Only copies that were not looked at for so long, and those that ask for another look.
    pub older_than: Option<Lapse>,
    /// How long, or how much.
    pub budget: Option<Budget>,
    /// Of legibility, a sample of the documents instead of all.
    pub sample: Option<Sample>,
}

impl Scope {
    /// Everything.
    pub fn all(mode: Mode) -> Self {
        Self { mode, class: None, package: None, older_than: None, budget: None, sample: None }
    }

    /// Whether everything was asked for.
    pub fn is_all(&self) -> bool {
        self.class.is_none() && self.package.is_none()
    }

    /// Whether it takes what has waited longest first, and perhaps not all of it.
    pub fn is_rolling(&self) -> bool {
        self.older_than.is_some() || self.budget.is_some()
    }

    /// Whether this package was asked for.
    pub fn holds(&self, package: &PackageRef) -> bool {
        self.class.as_ref().is_none_or(|class| class.as_str() == package.series.as_str())
            && self.package.as_ref().is_none_or(|only| only == package)
    }
}

/// How often every copy must be looked at. AgID guidelines 4.5 f: at least every five years.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// Every byte of it, by a full check.
    pub full: Lapse,
    /// Every document, whether it is legible.
    pub legibility: Lapse,
}

impl Deadlines {
    /// The deadline of a mode; a quick check has none: a full one must look at the same bytes.
    pub fn of(&self, mode: Mode) -> Option<Lapse> {
        match mode {
            Mode::Quick => None,
            Mode::Full => Some(self.full),
            Mode::Legibility => Some(self.legibility),
        }
    }
}

/// What is checked, and with what. What is `None` is listed under `not_looked_at`.
pub struct Subject<'a> {
    /// The archive's folder.
    pub root: &'a Path,
    /// A public key of it, from a source the caller trusts: the keys before and after it follow from the chain.
    pub vkey: &'a Verifier,
    /// Where its packages are, every copy.
    pub vaults: Vec<Arc<dyn Vault>>,
    /// Anchors of time-stamps.
    pub anchors: &'a Anchors,
    /// Whom it believes about signatures.
    pub trust: &'a Trust,
    /// The catalog of what is sealed.
    pub catalog: Option<&'a dyn Catalog>,
    /// The index of what is not.
    pub unsealed: Option<&'a dyn Catalog>,
    /// The intake journal, open.
    pub journal: Option<&'a Journal>,
    /// Checkpoints that others kept, as far as the archive signed them.
    pub claims: &'a [Claim],
    /// Keys of the witnesses whose cosignatures are verified.
    pub witnesses: &'a [Verifier],
    /// Witnesses that did not answer when asked.
    pub silent: &'a [String],
    /// What was found when the archive was opened.
    pub opening: &'a [crate::error::Finding],
    /// How often every copy must be looked at, when that is known.
    pub deadlines: Option<Deadlines>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

#[cfg(test)]
mod tests;
