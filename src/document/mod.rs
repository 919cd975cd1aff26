//! Documents understood enough to be filed: class, format, metadata, findings.
//!
//! A class (`schemas/<class>@<n>.json`) says which formats it admits, which fields it has, which reader looks inside
//! and what becomes of the document later. [`understand`] recognises the format from the content, lets the class's
//! reader extract what it can, merges that with what the producer gave and validates the result. Invariants: the raw
//! bytes are never altered; memory does not grow with the document; every finding is collected, each with code and
//! place, and none ever holds a metadata value. `reference/metadata` (AgID Allegato 5) and `reference/conservazione`
//! I-2, I-3 ask for it.

pub mod agid;
mod body;
pub mod class;
mod context;
pub mod conversation;
pub mod exchange;
pub mod format;
pub mod json;
pub mod legible;
pub mod malware;
pub mod markup;
mod merge;
pub mod proof;
pub mod reader;

pub use body::{Body, ReadSeek};
pub use context::Context;
pub use merge::{Origin, Origins, SEALED_VERDICT};

use crate::error::{Code, Control, ControlOutcome, Finding, Result, Severity};
use crate::evidence::verdict::SignatureReport;
use crate::id::ClassId;

use class::Class;
use format::Format;
use proof::Proof;

/// Metadata of a document: field name to value, in the order given.
pub type Metadata = serde_json::Map<String, serde_json::Value>;

/// What was understood of a document.
#[derive(Debug, Clone)]
pub struct Understood {
    /// The format, recognised from the content.
    pub format: Format,
    /// Metadata given and extracted, merged and normalised. Where the content contradicts what was given, the content
    /// wins and the given value is kept inside the field `given`.
    pub metadata: Metadata,
    /// Where each field comes from.
    pub origins: Origins,
    /// Everything noticed; one of severity error refuses the document.
    pub findings: Vec<Finding>,
    /// Every control made, with its outcome.
    pub controls: Vec<Control>,
}

impl Understood {
    /// Whether no finding refuses the document.
    pub fn acceptable(&self) -> bool {
        self.findings.iter().all(|f| f.severity < Severity::Error)
    }
}

/// Looks at a document with the eyes of its class. `name` is a hint only. Errors are input/output errors alone: what is
/// wrong with the document itself is a finding.
///
/// Signatures are judged by the trust and at the times of `context`; what is wrong with them never refuses.
pub fn understand(
    class: &Class,
    body: &Body,
    name: &str,
    given: &Metadata,
    context: &Context<'_>,
) -> Result<Understood> {
    let head = body.head(format::HEAD)?;
    let format = format::recognise(&head, name);
    let mut findings = format::compare_with_name(&format, name);
    let mut controls = vec![Control::of("format-recognised", &findings)];

    let mut admitted = Vec::new();
    if !class.admits(&format) {
        let detail = format!("{} in class {}", format.media_type, class.id);
        let code = reader::of(class.reader).not_admitted(&head, &format.media_type, name);
        admitted.push(Finding::error(code.unwrap_or(Code::FormatNotAdmitted), "content", detail));
    }
    controls.push(Control::of("format-admitted", &admitted));

    let mut extraction = if admitted.is_empty() {
        let reader = reader::of(class.reader);
        let extraction = reader.read(&reader::Input { body, name, format: &format, given, context })?;
        controls.push(Control::of("content-read", &extraction.findings));
        extraction
    } else {
        controls.push(Control::new("content-read", ControlOutcome::NotExecuted));
        reader::Extraction::default()
    };
    findings.append(&mut admitted);
    findings.append(&mut extraction.findings);
    let reports = std::mem::take(&mut extraction.signatures);
    let inner = std::mem::take(&mut extraction.inner_signatures);
    findings.extend(reports.iter().chain(&inner).flat_map(SignatureReport::findings));
    signature_fields(class, &reports, &mut extraction.fields);
    inner_signature_fields(class, &inner, &mut extraction.fields);
    format_fields(class, &format, body, &mut extraction.fields)?;

    let merged = merge::merge(class, given, extraction.fields);
    controls.push(Control::of("metadata-agreement", &merged.findings));
    let schema = class.validate(&merged.metadata);
    controls.push(Control::of("metadata-schema", &schema));
    findings.extend(merged.findings);
    findings.extend(schema);
    findings.extend(class::start::findings(class, &merged.metadata, context.received_at));
    if class.field(VERDICT).is_some() {
        controls.extend(SignatureReport::controls(&reports));
    } else {
        controls.push(Control::new("signatures", ControlOutcome::NotActivated));
    }
    Ok(Understood { format, metadata: merged.metadata, origins: merged.origins, findings, controls })
}

/// Whether documents of a class may have signatures that are judged.
pub fn may_be_signed(class: &Class) -> bool {
    class.field(SIGNATURES).is_some()
}

/// The signatures of a document, judged once more: by what is known now, at the times it was received. Nothing else is looked at.
pub fn signatures(
    class: &Class,
    body: &Body,
    name: &str,
    given: &Metadata,
    context: &Context<'_>,
) -> Result<Vec<SignatureReport>> {
    let format = format::recognise(&body.head(format::HEAD)?, name);
    let reader = reader::of(class.reader);
    Ok(reader.read(&reader::Input { body, name, format: &format, given, context })?.signatures)
}

/// The field with one object a signature.
const SIGNATURES: &str = "signatures";
/// The field with the worst conclusion.
const VERDICT: &str = "signature_verdict";
/// The field with what the signatures prove.
const PROOF: &str = "proof";
/// The same two for signatures inside a message: its sender's own, and those of its files.
const INNER_SIGNATURES: &str = "inner_signatures";
const INNER_VERDICT: &str = "inner_signature_verdict";
/// Signatures written in the metadata; there are never as many in one document, but there may be in its attachments.
const MAX_SIGNATURES: usize = 200;

/// The verdicts as metadata, where the class has fields for them.
fn signature_fields(class: &Class, reports: &[SignatureReport], fields: &mut Metadata) {
    if class.field(VERDICT).is_some() {
        fields.insert(VERDICT.to_owned(), SignatureReport::worst(reports).into());
    }
    if class.field(PROOF).is_some() {
        fields.insert(PROOF.to_owned(), Proof::of(reports).as_str().into());
    }
    if class.field(SIGNATURES).is_some() && !reports.is_empty() {
        let objects = reports.iter().take(MAX_SIGNATURES).map(SignatureReport::to_json);
        fields.insert(SIGNATURES.to_owned(), objects.collect());
    }
}

/// The same for the signatures inside, where there are any: the document's own verdict is not theirs.
fn inner_signature_fields(class: &Class, reports: &[SignatureReport], fields: &mut Metadata) {
    if reports.is_empty() || class.field(INNER_SIGNATURES).is_none() {
        return;
    }
    fields.insert(INNER_VERDICT.to_owned(), SignatureReport::worst(reports).into());
    let objects = reports.iter().take(MAX_SIGNATURES).map(SignatureReport::to_json);
    fields.insert(INNER_SIGNATURES.to_owned(), objects.collect());
}

/// What is known of the format, where the class has fields for it (AgID Allegato 2).
fn format_fields(class: &Class, format: &Format, body: &Body, fields: &mut Metadata) -> Result<()> {
    if class.field("format_version").is_none() && class.field("puid").is_none() {
        return Ok(());
    }
    let details = format::register::details(format, body)?;
    for (name, value) in [("format_version", details.version), ("puid", details.puid)] {
        if let Some(value) = value.filter(|_| class.field(name).is_some()) {
            fields.insert(name.to_owned(), value.into());
        }
    }
    Ok(())
}

/// The class a document most likely belongs to, from its content; `generic` when nothing speaks for another.
/// Never a personal class and never `pec-virus`: these are only ever said by the producer.
pub fn auto_class(body: &Body, name: &str) -> Result<ClassId> {
    let head = body.head(format::HEAD)?;
    let class = match format::recognise(&head, name).media_type.as_str() {
        "message/rfc822" => "pec-message",
        "application/xml" | "application/pkcs7-mime" => reader::class_of_xml(body)?.unwrap_or("generic"),
        _ => "generic",
    };
    class.parse()
}

#[cfg(test)]
mod linear;
#[cfg(test)]
mod tests;
