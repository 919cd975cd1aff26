//! What went wrong, said once and everywhere alike.
//!
//! Every error and every finding carries a stable [`Code`], the place (field, file, byte), the cause and what to do
//! next. The texts, Italian and English, and the mapping to HTTP status and exit status stand in one table
//! (`codes`). Invariant: neither a message nor a place ever holds a metadata *value*; field names, numbers,
//! algorithm names and identifiers only, so that logs and refusals of personal classes disclose nothing.
//!
//! Every room uses it; it uses nothing above floor 1.

mod codes;
mod finding;

pub use codes::{Code, Kind};
pub use finding::{Control, ControlOutcome, Finding, Severity, problem_members};

use std::fmt;

/// Result of anything in Custode that may fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Language of what people read. Legal artefacts are Italian whatever this says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lang {
    /// Italian.
    It,
    /// English.
    #[default]
    En,
}

/// One error: code, place, detail, hint, cause.
#[derive(Debug)]
pub struct Error {
    /// Stable code, also the key of the manual's table.
    pub code: Code,
    /// Where: file, line, field, byte offset, package. Empty when the code says it all.
    pub place: String,
    /// What exactly, in English; never a metadata value.
    pub detail: String,
    /// What to do next, when there is something better to say than the code's own hint.
    pub hint: Option<String>,
    /// The findings behind a refusal; empty otherwise.
    pub findings: Vec<Finding>,
    source: Option<Box<dyn std::error::Error + Send + Sync + 'static>>,
}

impl Error {
    /// An error with its code and what exactly happened.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, place: String::new(), detail: detail.into(), hint: None, findings: Vec::new(), source: None }
    }

    /// Names the place.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.place = place.to_string();
        self
    }

    /// Says what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Keeps the cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync + 'static>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Attaches findings (a refusal lists every one of them).
    #[must_use]
    pub fn with_findings(mut self, findings: Vec<Finding>) -> Self {
        self.findings = findings;
        self
    }

    /// An input/output error on `place`; out-of-space gets its own code.
    pub fn io(place: impl fmt::Display, source: std::io::Error) -> Self {
        use std::io::ErrorKind as K;
        let code = match source.kind() {
            K::StorageFull | K::QuotaExceeded | K::FileTooLarge => Code::DiskFull,
            K::NotFound => Code::FileMissing,
            K::PermissionDenied => Code::FilePermission,
            _ => Code::Io,
        };
        Self::new(code, source.to_string()).at(place).because(source)
    }

    /// What to do next, in English or Italian.
    pub fn next_step(&self, lang: Lang) -> &str {
        match &self.hint {
            Some(hint) => hint,
            None => self.code.hint(lang),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.code.text(Lang::En))?;
        if !self.place.is_empty() {
            write!(f, " [{}]", self.place)?;
        }
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|s| s as _)
    }
}

/// `io::Result` to ours, naming the place.
pub trait AtPlace<T> {
    /// Names the file or directory the failed operation was on.
    fn at(self, place: impl fmt::Display) -> Result<T>;
}

impl<T> AtPlace<T> for std::io::Result<T> {
    fn at(self, place: impl fmt::Display) -> Result<T> {
        self.map_err(|e| Error::io(place, e))
    }
}

/// As [`AtPlace`], for paths.
pub trait AtPath<T> {
    /// Names the file or directory the failed operation was on.
    fn at_path(self, path: &std::path::Path) -> Result<T>;
}

impl<T> AtPath<T> for std::io::Result<T> {
    fn at_path(self, path: &std::path::Path) -> Result<T> {
        self.map_err(|e| Error::io(path.display(), e))
    }
}
