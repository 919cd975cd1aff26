//! Findings and controls: what a check, a reader or the intake saw, with its place.
//!
//! Invariant: a validation collects every finding instead of stopping at the first; a control that was made, skipped or
//! is not configured is listed with its outcome (`reference/conservazione`, I-2 and I-3: positive, negative, warning,
//! not activated, not executed).

use serde::{Deserialize, Serialize};

use super::{Code, Lang};

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Kept and shown.
    Warning,
    /// Refuses the deposit, or makes a check bad.
    Error,
}

/// One thing seen, with its code and place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable code.
    pub code: Code,
    /// How grave.
    pub severity: Severity,
    /// Field, file, part or byte; never a value.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub place: String,
    /// English text of the code and the detail; never a metadata value.
    pub message: String,
}

impl Finding {
    /// A finding; its message is the code's text followed by the detail.
    pub fn new(code: Code, severity: Severity, place: impl Into<String>, detail: impl AsRef<str>) -> Self {
        let detail = detail.as_ref();
        let text = code.text(Lang::En);
        let message = if detail.is_empty() { text.to_owned() } else { format!("{text}: {detail}") };
        Self { code, severity, place: place.into(), message }
    }

    /// A finding that refuses.
    pub fn error(code: Code, place: impl Into<String>, detail: impl AsRef<str>) -> Self {
        Self::new(code, Severity::Error, place, detail)
    }

    /// A finding that is kept and shown.
    pub fn warning(code: Code, place: impl Into<String>, detail: impl AsRef<str>) -> Self {
        Self::new(code, Severity::Warning, place, detail)
    }

    /// A finding worth knowing.
    pub fn info(code: Code, place: impl Into<String>, detail: impl AsRef<str>) -> Self {
        Self::new(code, Severity::Info, place, detail)
    }
}

/// What makes an answer that refuses a problem document too (RFC 9457): the gravest finding's code, its texts and its hint,
/// then every finding.
pub fn problem_members<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> [(&'static str, serde_json::Value); 6] {
    let all: Vec<&Finding> = findings.into_iter().collect();
    let first = all.iter().find(|finding| finding.severity == Severity::Error).or(all.first());
    let code = first.map_or(Code::Internal, |finding| finding.code);
    [
        ("type", format!("urn:custode:problem:{}", code.as_str()).into()),
        ("title", code.text(Lang::En).into()),
        ("titolo", code.text(Lang::It).into()),
        ("code", code.as_str().into()),
        ("hint", code.hint(Lang::En).into()),
        ("findings", serde_json::json!(all)),
    ]
}

/// Outcome of one control of the intake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ControlOutcome {
    /// Made and passed.
    Positive,
    /// Made and failed: refuses, unless it is a signature's, which is kept and shown.
    Negative,
    /// Made, with something to note.
    Warning,
    /// Not configured in this archive.
    NotActivated,
    /// Could not be made, or had nothing to look at.
    NotExecuted,
}

impl ControlOutcome {
    /// The word written in the RdV, in Italian.
    pub fn italian(self) -> &'static str {
        match self {
            Self::Positive => "positivo",
            Self::Negative => "negativo",
            Self::Warning => "avvertimento",
            Self::NotActivated => "non attivato",
            Self::NotExecuted => "non eseguito",
        }
    }
}

/// One control and its outcome, as listed in receipts and refusals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Control {
    /// Stable name of the control: `class-enabled`, `format-admitted`, `declared-digest`, `metadata-schema`, `malware` …
    pub control: String,
    /// Its outcome.
    pub outcome: ControlOutcome,
    /// The finding's code, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// Where; never a value.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub place: String,
}

impl Control {
    /// A control and its outcome.
    pub fn new(control: &str, outcome: ControlOutcome) -> Self {
        Self { control: control.to_owned(), outcome, code: None, place: String::new() }
    }

    /// The outcome of a control that produced these findings: negative with an error, warning with a warning, else
    /// positive. The first of the gravest gives code and place.
    pub fn of(control: &str, findings: &[Finding]) -> Self {
        let worst = findings.iter().reduce(|a, b| if b.severity > a.severity { b } else { a });
        let outcome = match worst.map(|f| f.severity) {
            Some(Severity::Error) => ControlOutcome::Negative,
            Some(Severity::Warning) => ControlOutcome::Warning,
            _ => ControlOutcome::Positive,
        };
        let mut made = Self::new(control, outcome);
        if let Some(finding) = worst.filter(|f| f.severity > Severity::Info) {
            made.code = Some(finding.code);
            made.place = finding.place.clone();
        }
        made
    }
}
