//! The negative outcome: XML in the namespace of the RdV, a signed note over it, a JSON view of both.

use serde_json::{Map, Value, json};

use super::{Refusal, Refused};
use crate::clock::iso_ms;
use crate::document::markup::Writer;
use crate::error::{Finding, Lang, Severity, problem_members};
use crate::hash::Sha256;
use crate::intake::receipt::TRIAL;
use crate::intake::receipt::rdv::{NAMESPACE, controls, notice};

/// The origin of an archive's refusals, which is also the name of the key that signs them.
pub fn origin(archive: &str) -> String {
    format!("{archive}/refusal")
}

/// The text to be signed: origin, refusal id, refused_at, SHA-256 of the negative outcome; one a line.
pub fn note_text(origin: &str, refused: &Refused, outcome: &[u8]) -> String {
    format!("{origin}\n{}\n{}\n{}\n", refused.refusal, iso_ms(refused.refused_at), Sha256::of(outcome))
}

/// The negative outcome in XML (`schemas/rdv@1.xsd`, `EsitoNegativo`); the same facts give the same bytes.
pub fn render(refused: &Refused, attempt: u32, limit: u32) -> Vec<u8> {
    let mut pen = Writer::new();
    let root = [("xmlns", NAMESPACE), ("versioneSchema", "1"), ("en", "Negative outcome of a submission (refusal)")];
    pen.open("EsitoNegativo", &root);
    notice(&mut pen, refused.trial);
    pen.leaf_with("Identificativo", &[("en", "Refusal identifier")], &refused.refusal.to_string());
    pen.leaf_with("Emissione", &[("en", "Issued at (UTC)")], &iso_ms(refused.refused_at));
    pen.leaf_with("Ricevuto", &[("en", "Received at (UTC)")], &iso_ms(refused.received_at));
    pen.leaf_with("Accordo", &[("en", "Submission agreement")], &refused.agreement);
    pen.leaf_with("Titolare", &[("en", "Holder")], &refused.holder);
    pen.leaf_with("Produttore", &[("en", "Producer")], &refused.producer);
    let person = refused.depositor.person.to_string();
    pen.empty("Versatore", &[("en", "Depositor"), ("persona", &person), ("token", &refused.depositor.token)]);
    pen.leaf_with("Canale", &[("en", "Channel")], refused.channel.as_str());
    if let Some((class, version)) = &refused.class {
        pen.leaf_with("Classe", &[("en", "Document class"), ("versione", &version.to_string())], class.as_str());
    }
    pen.leaf_with("Byte", &[("en", "Bytes received")], &refused.bytes.to_string());
    pen.leaf_with(
        "Impronta",
        &[("algoritmo", "SHA-256"), ("en", "Digest of what was received")],
        &refused.sha256.to_string(),
    );
    let (attempt, limit) = (attempt.to_string(), limit.to_string());
    pen.empty("Tentativo", &[("en", "Attempt"), ("numero", &attempt), ("limite", &limit)]);
    controls(&mut pen, &refused.controls);
    findings(&mut pen, &refused.findings);
    pen.open("Documenti", &[("en", "Documents")]);
    for (at, item) in refused.documents.iter().enumerate() {
        pen.open("Documento", &[("posizione", &(at + 1).to_string())]);
        pen.leaf_with("Byte", &[], &item.bytes.to_string());
        if let Some(media_type) = &item.media_type {
            pen.leaf_with("Formato", &[], media_type);
        }
        pen.leaf_with("Impronta", &[("algoritmo", "SHA-256")], &item.sha256.to_string());
        controls(&mut pen, &item.controls);
        findings(&mut pen, &item.findings);
        pen.close("Documento");
    }
    pen.close("Documenti");
    pen.empty("Sistema", &[("en", "System"), ("nome", "Custode"), ("versione", &refused.engine)]);
    pen.close("EsitoNegativo");
    pen.finish()
}

fn findings(pen: &mut Writer, findings: &[Finding]) {
    pen.open("Rilievi", &[("en", "Findings")]);
    for finding in findings {
        let grave = match finding.severity {
            Severity::Error => "errore",
            Severity::Warning => "avvertimento",
            Severity::Info => "informazione",
        };
        let mut attributes = vec![("codice", finding.code.as_str()), ("gravita", grave)];
        if !finding.place.is_empty() {
            attributes.push(("luogo", &finding.place));
        }
        attributes.push(("en", &finding.message));
        pen.leaf_with("Rilievo", &attributes, finding.code.text(Lang::It));
    }
    pen.close("Rilievi");
}

/// The JSON refusal (interface: `status: "refused"`, every finding, no promise).
pub fn view(refusal: &Refusal) -> Value {
    let refused = &refusal.refused;
    let documents = refused.documents.iter().enumerate().map(|(at, item)| {
        let mut row = Map::new();
        row.insert("position".into(), json!(at + 1));
        row.insert("bytes".into(), json!(item.bytes));
        row.insert("sha256".into(), json!(item.sha256));
        if let Some(media_type) = &item.media_type {
            row.insert("format".into(), json!(media_type));
        }
        row.insert("findings".into(), json!(item.findings));
        row.insert("controls".into(), json!(item.controls));
        Value::Object(row)
    });
    let documents: Vec<Value> = documents.collect();
    let mut view = Map::new();
    let mut put = |key: &str, value: Value| drop(view.insert(key.to_owned(), value));
    put("refusal", json!(refused.refusal));
    put("status", json!("refused"));
    for (key, value) in problem_members(refused.all_findings()) {
        put(key, value);
    }
    put("refused_at", json!(iso_ms(refused.refused_at)));
    put("received_at", json!(iso_ms(refused.received_at)));
    if let Some((class, version)) = &refused.class {
        put("class", json!(class));
        put("class_version", json!(version));
    }
    put("holder", json!(refused.holder));
    put("producer", json!(refused.producer));
    put("deposit", json!({ "sha256": refused.sha256, "bytes": refused.bytes }));
    put("documents", Value::Array(documents));
    put("controls", json!(refused.controls));
    put("attempt", json!(refusal.attempt));
    put("limit", json!(refusal.limit));
    put("blocked", json!(refusal.blocks()));
    let outcome = render(refused, refusal.attempt, refusal.limit);
    put("outcome_sha256", json!(Sha256::of(&outcome)));
    put("note", json!(refusal.note));
    if refused.trial {
        put("notice", json!(TRIAL));
    }
    Value::Object(view)
}
