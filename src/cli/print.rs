//! What people and programs read: one renderer for errors, findings and values.

use std::io::{self, IsTerminal, Write};

use serde_json::Value;

use crate::error::{AtPlace, Error, Lang, Result};

/// One JSON document on standard output, as one line.
pub fn json(value: &Value) -> Result<()> {
    line(&value.to_string())
}

/// One line on standard output; a closed pipe comes back as an error that [`is_broken_pipe`] knows.
pub fn line(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").at("standard output")
}

/// Whether this is the reader of our output having gone away.
pub fn is_broken_pipe(error: &Error) -> bool {
    std::error::Error::source(error)
        .and_then(|cause| cause.downcast_ref::<io::Error>())
        .is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

/// The text in the reader's language.
pub fn say<'a>(lang: Lang, it: &'a str, en: &'a str) -> &'a str {
    match lang {
        Lang::It => it,
        Lang::En => en,
    }
}

/// An error, on standard error: code, place, cause, findings, and what to do next.
pub fn error(error: &Error, as_json: bool, lang: Lang) {
    let mut err = io::stderr().lock();
    if as_json {
        let problem = crate::http::problem::body(error);
        // Standard output carries the one JSON document that was asked for, also when it is an error.
        println!("{problem}");
        return;
    }
    let _ = writeln!(err, "{}: {}", error.code.as_str(), error.code.text(lang));
    if !error.place.is_empty() {
        let _ = writeln!(err, "  {}: {}", say(lang, "dove", "where"), error.place);
    }
    // A list of findings says it better than their texts in one line.
    let told = !error.findings.is_empty() && error.findings.iter().all(|f| error.detail.contains(&f.message));
    if !error.detail.is_empty() && !told {
        let _ = writeln!(err, "  {}: {}", say(lang, "causa", "cause"), error.detail);
    }
    for finding in &error.findings {
        let _ = writeln!(err, "  - {} [{}] {}", finding.code.as_str(), finding.place, finding.message);
    }
    let next = error.next_step(lang);
    if !next.is_empty() {
        let _ = writeln!(err, "  {}: {next}", say(lang, "rimedio", "next"));
    }
}

/// Whether progress may be drawn.
pub fn progress_wanted(json: bool) -> bool {
    !json && io::stderr().is_terminal()
}

/// `12.3 MB`.
pub fn size(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}

/// Findings of a report, a line each.
pub fn findings(findings: &Value) -> Result<()> {
    for finding in findings.as_array().map(Vec::as_slice).unwrap_or_default() {
        let place = match &finding["place"] {
            Value::String(text) => text.clone(),
            Value::Object(parts) => {
                let parts: Vec<_> =
                    parts.iter().map(|(k, v)| format!("{k} {}", v.as_str().unwrap_or_default())).collect();
                parts.join(", ")
            }
            _ => String::new(),
        };
        let code = finding["code"].as_str().unwrap_or_default();
        line(&format!("  {code} [{place}] {}", finding["message"].as_str().unwrap_or_default()))?;
        if let Some(next) = finding["next"].as_str().filter(|n| !n.is_empty()) {
            line(&format!("    → {next}"))?;
        }
    }
    Ok(())
}

/// A JSON value as indented lines.
pub fn tree(value: &Value, depth: usize) -> Result<()> {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::Object(_) | Value::Array(_) => {
                        line(&format!("{indent}{name}:"))?;
                        tree(value, depth + 1)?;
                    }
                    Value::Null => {}
                    Value::String(text) => line(&format!("{indent}{name}: {}", printable(text)))?,
                    other => line(&format!("{indent}{name}: {other}"))?,
                }
            }
            Ok(())
        }
        Value::Array(items) => {
            for item in items {
                match item {
                    Value::Object(_) | Value::Array(_) => {
                        line(&format!("{indent}-"))?;
                        tree(item, depth + 1)?;
                    }
                    Value::String(text) => line(&format!("{indent}- {}", printable(text)))?,
                    other => line(&format!("{indent}- {other}"))?,
                }
            }
            Ok(())
        }
        other => line(&format!("{indent}{other}")),
    }
}

/// Text from outside, without what would move the cursor or colour the terminal.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
