//! `custode verify BUNDLE.zip`: offline, needs no archive.

use std::path::PathBuf;

use serde_json::Value;

use super::print::{self, say};
use super::{Exit, Global};
use crate::error::{Code, Error, Lang, Result};
use crate::exhibit::verify::{Trust, verify};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The bundle.
    bundle: PathBuf,
    /// Certificates of the authorities you trust, of time-stamps and of signers (PEM), from a source of your own.
    #[arg(long, value_name = "CA.pem")]
    trust: Vec<PathBuf>,
    /// The archive's public key (vkey text, or a file that holds it), from a source of your own.
    #[arg(long, value_name = "VKEY")]
    key: Option<String>,
    /// A witness that must have cosigned the archive's checkpoint (vkey text, or a file that holds it); may be given several
    /// times.
    #[arg(long, value_name = "VKEY")]
    witness: Vec<String>,
}

/// Verifies a bundle.
pub async fn run(args: Args, global: &Global) -> Result<Exit> {
    let lang = global.lang();
    let report = tokio::task::spawn_blocking(move || {
        let trust = Trust::load(&args.trust, args.key.as_deref(), &args.witness)?;
        verify(&args.bundle, &trust)
    })
    .await
    .map_err(|_| Error::new(Code::Internal, "verifying panicked"))??;
    let value = serde_json::to_value(&report).map_err(|e| Error::new(Code::Internal, e.to_string()))?;
    if global.json {
        print::json(&value)?;
    } else {
        text(&value, lang)?;
    }
    Ok(super::check::exit(&value))
}

/// The report for people: verdict, since when each document exists, findings.
pub fn text(report: &Value, lang: Lang) -> Result<()> {
    let outcome = match report["outcome"].as_str() {
        Some("good") => say(lang, "VERIFICATO", "VERIFIED"),
        Some("bad") => say(lang, "NON INTEGRO", "BAD"),
        _ => say(lang, "NON DEL TUTTO VERIFICATO", "NOT FULLY VERIFIED"),
    };
    print::line(outcome)?;
    for document in report["documents"].as_array().map(Vec::as_slice).unwrap_or_default() {
        print::line(&format!(
            "  {}  {} {}",
            document["id"].as_str().unwrap_or_default(),
            say(lang, "esisteva al più tardi il", "existed at the latest at"),
            document["exists_since"].as_str().unwrap_or("?"),
        ))?;
    }
    for signature in report["signatures"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let good = signature["outcome"] == "good";
        print::line(&format!(
            "  {}  {} {}",
            print::printable(signature["file"].as_str().unwrap_or_default()),
            match good {
                true => say(lang, "firmato da", "signed by"),
                false => say(lang, "firma da accertare, di", "signature to be ascertained, of"),
            },
            print::printable(signature["signer"]["subject"].as_str().unwrap_or("?")),
        ))?;
    }
    for change in report["anchors"]["changes"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let why = match change["reason"].as_str() {
            Some("compromised") => say(lang, "chiave precedente compromessa", "previous key compromised"),
            _ => say(lang, "cambio programmato", "routine change"),
        };
        print::line(&format!(
            "  {} {} ({why})",
            say(lang, "la chiave dell'archivio è cambiata il", "the archive's key was changed on"),
            change["at"].as_str().unwrap_or("?"),
        ))?;
    }
    for seen in report["anchors"]["witnesses"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let name = seen["witness"].as_str().and_then(|vkey| vkey.split('+').next()).unwrap_or_default();
        let at = seen["at"].as_str().unwrap_or_default();
        print::line(&format!(
            "  {} {name}, {at}",
            say(lang, "catena vista dal testimone", "chain seen by the witness")
        ))?;
    }
    print::findings(&report["findings"])
}
