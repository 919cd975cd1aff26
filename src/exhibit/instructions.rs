//! `VERIFICA.txt`, `VERIFY.txt` and `verify.py`: how to verify a bundle with programs that owe Custode nothing.
//!
//! Invariant: lines that begin with `$ ` are commands, and a test runs them; they need a shell, openssl 3, sha256sum and
//! python 3 with its standard library.

use super::report::Report;
use crate::error::Lang;
use crate::intake::receipt::TRIAL;

/// The independent verifier.
pub const SCRIPT: &str = include_str!("../../tools/verify/verify.py");

const ITALIAN: &str = include_str!("texts/VERIFICA.txt");
const ENGLISH: &str = include_str!("texts/VERIFY.txt");

/// The instructions for this bundle.
pub fn text(report: &Report, lang: Lang) -> String {
    let template = match lang {
        Lang::It => ITALIAN,
        Lang::En => ENGLISH,
    };
    let first = report.documents.first().map(|d| d.id.to_string()).unwrap_or_default();
    let file = report.documents.first().map(|d| d.file.as_str()).unwrap_or_default();
    let seq = report.packages.first().map(|p| p.entry.to_string()).unwrap_or_default();
    template
        .replace("@AVVERTENZA@", if report.trial { TRIAL } else { "" })
        .replace("@BUNDLE@", &report.bundle.to_string())
        .replace("@ARCHIVE@", &report.archive)
        .replace("@DOCUMENT@", &first)
        .replace("@FILE@", file)
        .replace("@ENTRY@", &seq)
}
