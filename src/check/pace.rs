//! How long and how much a check may read, and how it is stopped.
//!
//! Invariants: a budget is looked at before a package is begun, and one is always begun, however large or slow, or the next run
//! would stand before the same one; what is begun is finished, unless the disk is so slow that it takes as long again as the
//! whole budget, and ten minutes at least. What was stopped in the middle was not looked at.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::{Serialize, Serializer};

use super::coverage::Part;
use crate::error::{Code, Error, Result};
use crate::hash::Digests;
use crate::id::{PackageRef, SeriesId};
use crate::units::{Lapse, Size};
use crate::vault::{Listing, ReadSeek, Source, StoredFile, Vault};

/// How often a check looks whether it should stop.
pub(super) const LOOK: Duration = Duration::from_millis(200);
/// How long what was begun may go on after a budget of time, when that is longer than the budget itself.
const GRACE: Duration = Duration::from_mins(10);
/// A check keeps what it has looked at after this part of the time it has taken: hours leave some twenty lines, so that twenty
/// years of nights are read in seconds, and a kill costs a quarter.
const KEPT_PART: u32 = 4;

/// How long, or how much, a check may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// So long.
    Time(Lapse),
    /// So many bytes of packages' files.
    Bytes(Size),
}

impl FromStr for Budget {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let wrong =
            || Error::new(Code::Usage, "expected a time or a size with its unit, as in 30min or 10GiB").at("budget");
        let text = text.trim();
        let budget = match text.chars().next_back() {
            Some('b' | 'B') => Self::Bytes(text.parse().map_err(|_| wrong())?),
            Some(last) if last.is_ascii_alphabetic() => Self::Time(text.parse().map_err(|_| wrong())?),
            _ => return Err(wrong()),
        };
        match budget {
            Self::Bytes(Size(0)) => Err(wrong()),
            Self::Time(time) if time.as_ms() == 0 => Err(wrong()),
            budget => Ok(budget),
        }
    }
}

impl std::fmt::Display for Budget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Time(time) => time.fmt(f),
            Self::Bytes(bytes) => bytes.fmt(f),
        }
    }
}

impl Serialize for Budget {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Who follows a check.
pub struct Watch<'a> {
    /// Is told how many bytes of packages were read, of how many.
    pub progress: &'a dyn Fn(u64, u64),
    /// Keeps a part that is finished; whether it did. What was not kept comes again with the next part.
    pub keep: &'a dyn Fn(&Part) -> bool,
    /// Whether it should stop.
    pub stop: &'a dyn Fn() -> bool,
    /// How often a part is kept at most.
    pub every: Duration,
}

impl<'a> Watch<'a> {
    /// Nothing is kept and nothing stops it.
    pub fn only(progress: &'a dyn Fn(u64, u64)) -> Self {
        Self { progress, keep: &|_| false, stop: &|| false, every: Duration::MAX }
    }
}

/// A check's pace.
pub(super) struct Pace {
    budget: Option<Budget>,
    started: Instant,
    kept: Instant,
    begun: u64,
    bytes: u64,
    over: Arc<AtomicBool>,
}

impl Pace {
    pub fn new(budget: Option<Budget>) -> Self {
        let now = Instant::now();
        Self { budget, started: now, kept: now, begun: 0, bytes: 0, over: Arc::default() }
    }

    /// Whether a package of so many bytes may be begun; it counts as begun.
    pub fn may_begin(&mut self, bytes: u64) -> bool {
        let fits = match self.budget {
            _ if self.is_over() => false,
            _ if self.begun == 0 => true,
            None => true,
            Some(Budget::Time(time)) => self.started.elapsed() < time.std(),
            Some(Budget::Bytes(Size(most))) => self.bytes.saturating_add(bytes) <= most,
        };
        if fits {
            self.begun += 1;
            self.bytes = self.bytes.saturating_add(bytes);
        }
        fits
    }

    /// Ends all reading when it is time to.
    pub fn look(&self, stop: bool) {
        let most = match self.budget {
            Some(Budget::Time(time)) => time.std().saturating_add(time.std().max(GRACE)),
            _ => Duration::MAX,
        };
        let late = self.started.elapsed() > most;
        if stop || late {
            self.over.store(true, Ordering::Relaxed);
        }
    }

    /// Whether all reading was ended.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Whether a part should be kept now.
    pub fn is_time_to_keep(&self, every: Duration) -> bool {
        let since = self.kept.elapsed();
        since >= every && since >= self.started.elapsed() / KEPT_PART
    }

    /// Milliseconds since the last part, or the start.
    pub fn ms(&self) -> u64 {
        u64::try_from(self.kept.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// A part was kept.
    pub fn was_kept(&mut self) {
        self.kept = Instant::now();
    }

    /// The same vault, in which reading ends when this check's does.
    pub fn of(&self, vault: &Arc<dyn Vault>) -> Arc<dyn Vault> {
        Arc::new(Stoppable { vault: Arc::clone(vault), over: Arc::clone(&self.over) })
    }
}

struct Stoppable {
    vault: Arc<dyn Vault>,
    over: Arc<AtomicBool>,
}

struct Reader {
    file: Box<dyn ReadSeek + Send>,
    over: Arc<AtomicBool>,
}

fn ended() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the check was ended in the middle of it")
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.over.load(Ordering::Relaxed) {
            return Err(ended());
        }
        self.file.read(buffer)
    }
}

impl Seek for Reader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

impl Vault for Stoppable {
    fn name(&self) -> &str {
        self.vault.name()
    }

    fn id(&self) -> &str {
        self.vault.id()
    }

    fn mounted(&self) -> Result<()> {
        self.vault.mounted()
    }

    fn put(&self, staging: &Path, package: &PackageRef, files: &[String]) -> Result<()> {
        self.vault.put(staging, package, files)
    }

    fn add(&self, staging: &Path, package: &PackageRef, files: &[String]) -> Result<()> {
        self.vault.add(staging, package, files)
    }

    fn receive(&self, from: &dyn Source, package: &PackageRef, files: &[(String, Digests)]) -> Result<()> {
        self.vault.receive(from, package, files)
    }

    fn restore(&self, from: &dyn Source, package: &PackageRef, file: &str, digests: &Digests) -> Result<()> {
        self.vault.restore(from, package, file, digests)
    }

    fn delete(&self, package: &PackageRef, files: &[String]) -> Result<()> {
        self.vault.delete(package, files)
    }

    fn open(&self, package: &PackageRef, file: &str) -> Result<Box<dyn ReadSeek + Send>> {
        let file = self.vault.open(package, file)?;
        Ok(Box::new(Reader { file, over: Arc::clone(&self.over) }))
    }

    fn exists(&self, package: &PackageRef) -> Result<bool> {
        self.vault.exists(package)
    }

    fn list_series(&self) -> Result<Listing<SeriesId>> {
        self.vault.list_series()
    }

    fn list_packages(&self, series: &SeriesId) -> Result<Listing<PackageRef>> {
        self.vault.list_packages(series)
    }

    fn list_files(&self, package: &PackageRef) -> Result<Vec<StoredFile>> {
        self.vault.list_files(package)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_say_their_unit() {
        for (text, budget) in [
            ("30m", Budget::Time(Lapse::from_secs(1800))),
            ("1h 30min", Budget::Time(Lapse::from_secs(5400))),
            ("10GiB", Budget::Bytes(Size(10 << 30))),
            ("1B", Budget::Bytes(Size(1))),
        ] {
            assert_eq!(text.parse::<Budget>().unwrap(), budget, "{text}");
        }
        for bad in ["", "10", "0B", "0s", "GiB", "-1h", "1 week", "10 XB"] {
            assert_eq!(bad.parse::<Budget>().unwrap_err().code, Code::Usage, "{bad}");
        }
    }

    #[test]
    fn one_package_is_always_begun_and_none_beyond_the_budget() {
        let mut pace = Pace::new(Some(Budget::Bytes(Size(100))));
        assert!(pace.may_begin(1000), "or it never would");
        assert!(!pace.may_begin(1));
        let mut pace = Pace::new(Some(Budget::Bytes(Size(100))));
        assert!(pace.may_begin(60) && pace.may_begin(40) && !pace.may_begin(1));
        let mut pace = Pace::new(Some(Budget::Time(Lapse::from_ms(1))));
        std::thread::sleep(Duration::from_millis(2));
        assert!(pace.may_begin(1) && !pace.may_begin(1));
        pace.look(false);
        assert!(!pace.is_over(), "what is begun is finished");
        pace.started = Instant::now().checked_sub(GRACE + Duration::from_millis(2)).unwrap();
        pace.look(false);
        assert!(pace.is_over(), "a disk that does not get to its end is not waited for");
        let mut pace = Pace::new(None);
        assert!((0..9).all(|_| pace.may_begin(u64::MAX)));
        pace.look(true);
        assert!(!pace.may_begin(1));
    }
}
