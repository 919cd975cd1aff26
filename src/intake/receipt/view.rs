//! The JSON receipt: a view of facts, note and metadata; given again byte for byte whenever it is asked for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};

use super::{Facts, TRIAL};
use crate::clock::iso_ms;
use crate::document::Metadata;
use crate::error::Finding;
use crate::hash::Sha256;

/// What the view shows of a document beyond the RdV; it comes from the document's metadata file.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// The name it was deposited under.
    pub name: &'a str,
    /// Merged metadata.
    pub metadata: &'a Metadata,
    /// What was noticed.
    pub findings: &'a [Finding],
}

/// The JSON receipt (interface, "Receipt"). `shown` has one row a document, in the deposit's order.
pub fn view(
    facts: &Facts,
    rdv_sha256: Sha256,
    note: &str,
    idempotency_key: Option<&str>,
    shown: &[Shown<'_>],
) -> Value {
    let deposit = &facts.deposit;
    let documents = deposit.documents.iter().zip(shown).map(|(item, shown)| {
        let mut document = json!({
            "id": item.id, "name": shown.name, "bytes": item.bytes, "sha256": item.sha256, "blake3": item.blake3,
            "format": item.media_type, "metadata_sha256": item.metadata_sha256,
            "metadata": shown.metadata, "findings": shown.findings, "controls": item.controls,
        });
        if let (Some(class), Some(version)) = (&item.class, item.class_version) {
            document["class"] = json!(class);
            document["class_version"] = json!(version);
        }
        if let Some(sha256) = item.archive_sha256 {
            document["archive"] = json!({ "name": shown.metadata.get("archive_file"), "sha256": sha256 });
        }
        document
    });
    let documents: Vec<Value> = documents.collect();
    let mut view = Map::new();
    let mut put = |key: &str, value: Value| drop(view.insert(key.to_owned(), value));
    put("receipt", json!(deposit.receipt));
    put("lane", json!(deposit.lane));
    put("sequence", json!(facts.sequence));
    put("status", json!("accepted"));
    put("accepted_at", json!(iso_ms(facts.accepted_at)));
    put("class", json!(deposit.class));
    put("class_version", json!(deposit.class_version));
    put("holder", json!(deposit.holder));
    put("producer", json!(deposit.producer));
    if let Some(key) = idempotency_key {
        put("idempotency_key", json!(key));
    }
    put("deposit", json!({ "sha256": facts.manifest_sha256, "bytes": deposit.bytes }));
    put("documents", Value::Array(documents));
    put("controls", json!(deposit.controls));
    put("chain", json!({ "size": facts.chain_size, "root": BASE64.encode(facts.chain_root.0) }));
    put("rdv_sha256", json!(rdv_sha256));
    put("note", json!(note));
    if facts.trial {
        put("notice", json!(TRIAL));
    }
    Value::Object(view)
}
