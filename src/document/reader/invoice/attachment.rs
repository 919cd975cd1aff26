//! Attachments inside an invoice: listed, measured, never unpacked, opened or executed (`reference/fatturapa` section 9).

use serde_json::{Map, Value};

use crate::document::reader::xml::Node;
use crate::error::{Code, Finding};

/// Attachments listed of one file; the rest is counted.
const MAX_LISTED: usize = 500;
/// Characters kept of a name: the schema allows 60.
const MAX_NAME: usize = 60;

#[derive(Default)]
pub(super) struct List {
    pub count: usize,
    pub items: Vec<Value>,
}

impl List {
    /// Adds the attachments of the body at this position.
    pub fn read(&mut self, body: &Node, position: usize, place: &str, findings: &mut Vec<Finding>) {
        for (at, node) in body.all("Allegati").enumerate() {
            self.count += 1;
            if self.items.len() == MAX_LISTED {
                if self.count == MAX_LISTED + 1 {
                    findings.push(Finding::warning(Code::ReaderTooLarge, "Allegati", "only the first 500 are listed"));
                }
                continue;
            }
            self.items.push(one(node, position, &format!("{place}/Allegati[{}]", at + 1), findings));
        }
    }
}

fn one(node: &Node, position: usize, place: &str, findings: &mut Vec<Finding>) -> Value {
    let mut item = Map::new();
    item.insert("body".to_owned(), position.into());
    let written = node.text_at("NomeAttachment");
    let name = harmless(written);
    if written.is_empty() {
        findings.push(Finding::warning(Code::InvoiceMissing, format!("{place}/NomeAttachment"), ""));
    } else if name != written {
        findings.push(Finding::info(Code::InvoiceAttachmentName, format!("{place}/NomeAttachment"), ""));
    }
    item.insert("name".to_owned(), name.into());
    for (field, element) in [
        ("declared_format", "FormatoAttachment"),
        ("compression", "AlgoritmoCompressione"),
        ("description", "DescrizioneAttachment"),
    ] {
        let text: String = node.text_at(element).chars().filter(|c| !c.is_control()).take(100).collect();
        if !text.is_empty() {
            item.insert(field.to_owned(), text.into());
        }
    }
    let Some(content) = node.child("Attachment").and_then(|content| content.decoded.as_deref()) else {
        findings.push(Finding::warning(Code::InvoiceMissing, format!("{place}/Attachment"), ""));
        return Value::Object(item);
    };
    if content.bytes == 0 || !content.clean {
        let detail = if content.bytes == 0 { "empty" } else { "not base64 throughout" };
        findings.push(Finding::warning(Code::InvoiceAttachment, format!("{place}/Attachment"), detail));
    }
    if content.bytes > 0 {
        item.insert("format".to_owned(), content.format.media_type.as_str().into());
    }
    item.insert("bytes".to_owned(), content.bytes.into());
    item.insert("sha256".to_owned(), content.sha256.to_string().into());
    Value::Object(item)
}

/// A name that is nothing but a name: no path, no control or direction characters, no leading dots.
fn harmless(name: &str) -> String {
    let last = name.rsplit(['/', '\\', ':']).next().unwrap_or_default();
    let plain = |c: &char| {
        !c.is_control() && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let kept: String = last.chars().filter(plain).take(MAX_NAME).collect();
    let kept = kept.trim().trim_start_matches('.').trim_end_matches('.');
    if kept.is_empty() { "allegato".to_owned() } else { kept.to_owned() }
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_lose_what_could_harm() {
        for (written, kept) in [
            ("copia.pdf", "copia.pdf"),
            ("../../etc/passwd", "passwd"),
            ("C:\\temp\\a b.pdf", "a b.pdf"),
            ("x\u{202e}fdp.exe\n", "xfdp.exe"),
            ("..", "allegato"),
            ("", "allegato"),
            ("senza estensione", "senza estensione"),
        ] {
            assert_eq!(super::harmless(written), kept);
        }
        assert_eq!(super::harmless(&"è".repeat(99)).chars().count(), 60);
    }
}
