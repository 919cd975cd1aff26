//! `LEGGIMI.html` and `README.html`: the report for people. Self-contained, no script, nothing loaded from anywhere.
//!
//! Invariant: every value is escaped; a time-stamp is said to prove that a thing existed *at the latest* at its time, and
//! never more; a trial says so first.

use std::fmt::Write as _;

use serde_json::Value;

use super::report::{Document, Report};
use crate::chain::reign::Reason;
use crate::clock::iso_seconds;
use crate::document::markup::html as escape;
use crate::error::Lang;
use crate::intake::receipt::TRIAL;

const STYLE: &str = "body{font:16px/1.5 Georgia,serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222}\
h1,h2{font-weight:normal;line-height:1.2}table{border-collapse:collapse;width:100%;margin:.5em 0 1.5em}\
th,td{text-align:left;vertical-align:top;padding:.25em .6em;border-bottom:1px solid #ddd;overflow-wrap:anywhere}\
th{width:14em;font-weight:normal;color:#555}code{font:13px/1.4 monospace}\
.stamp{border:3px double #a00;color:#a00;padding:.5em 1em;font-size:1.2em;text-align:center}\
section{border-top:2px solid #222;margin-top:2em}@media print{section{break-inside:avoid}}";

/// The page in one language.
pub fn page(report: &Report, lang: Lang) -> String {
    let say = |it: &'static str, en: &'static str| if lang == Lang::It { it } else { en };
    let mut html = String::new();
    let title = say("Pacchetto di distribuzione", "Evidence bundle");
    let code = say("it", "en");
    let _ = write!(
        html,
        "<!DOCTYPE html>\n<html lang=\"{code}\"><head><meta charset=\"utf-8\"><title>{title} {}</title>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <style>{STYLE}</style></head><body>\n",
        report.bundle
    );
    if report.trial {
        let _ = writeln!(html, "<p class=\"stamp\">{}{}</p>", TRIAL, say("", "<br>TRIAL: without legal value"));
    }
    let _ = writeln!(html, "<h1>{title}</h1>\n<table>");
    row(&mut html, say("Identificativo", "Identifier"), &report.bundle.to_string());
    row(&mut html, say("Archivio", "Archive"), &report.archive);
    row(&mut html, say("Titolare", "Holder"), &report.holder);
    row(&mut html, say("Prodotto il (UTC)", "Made at (UTC)"), &iso_seconds(report.made_at));
    row(&mut html, say("Documenti", "Documents"), &report.documents.len().to_string());
    html.push_str("</table>\n");
    html.push_str(say(
        "<p>Questo pacchetto contiene documenti di un archivio di conservazione e le prove che li accompagnano. Per \
         ciascuno, la <b>marca temporale</b> prova che esisteva, nella forma qui contenuta, <b>al più tardi</b> all'ora \
         indicata. Non prova altro: né quando fu formato, né da chi, né che quanto dice sia vero.</p>\n\
         <p>Questa pagina racconta; non prova nulla da sola. Per verificare senza l'archivio e senza Custode: \
         <a href=\"VERIFICA.txt\">VERIFICA.txt</a> (openssl, sha256sum, python). Con Custode: \
         <code>custode verify PACCHETTO.zip --trust CA.pem --key CHIAVE</code>.</p>\n",
        "<p>This bundle holds documents of a long-term archive and the evidence that goes with them. For each, the \
         <b>time-stamp</b> proves that it existed, in the form contained here, <b>at the latest</b> at the time shown. It \
         proves nothing more: not when it was made, nor by whom, nor that what it says is true.</p>\n\
         <p>This page tells; it proves nothing by itself. To verify without the archive and without Custode: \
         <a href=\"VERIFY.txt\">VERIFY.txt</a> (openssl, sha256sum, python). With Custode: \
         <code>custode verify BUNDLE.zip --trust CA.pem --key KEY</code>.</p>\n",
    ));
    for document in &report.documents {
        section(&mut html, document, lang);
    }
    let whole: Vec<_> = report.packages.iter().filter(|p| p.whole).collect();
    if !whole.is_empty() {
        let _ =
            writeln!(html, "<section><h2>{}</h2><table>", say("Pacchetti di archiviazione interi", "Whole packages"));
        for package in whole {
            let name = package.package.to_string();
            let link = format!("packages/{name}/PIndex.xml");
            let signed = package.signature.as_ref().and_then(|facts| facts["subject"].as_str());
            let signed = signed.map(|subject| {
                let p7s = self::link(&format!("{link}.p7s"), say("firmato da", "signed by"));
                format!("<br>{p7s} {}", escape(subject))
            });
            let told = format!("{}{}", anchor(&link), signed.unwrap_or_default());
            let _ = writeln!(html, "<tr><th>{}</th><td>{told}</td></tr>", escape(&name));
        }
        html.push_str("</table></section>\n");
    }
    if !report.keys.is_empty() {
        keys(&mut html, report, lang);
    }
    html.push_str("</body></html>\n");
    html
}

/// The changes of the archive's key: when, why, and what follows.
fn keys(html: &mut String, report: &Report, lang: Lang) {
    let say = |it: &'static str, en: &'static str| if lang == Lang::It { it } else { en };
    let _ = writeln!(
        html,
        "<section><h2>{}</h2>\n<p>{}</p>\n<table>",
        say("La chiave dell'archivio è cambiata", "The archive's key was changed"),
        say(
            "Ogni chiave firma dalla propria voce nella catena fino alla successiva; la vecchia ha firmato per la nuova. Ciò che fu \
             contrassegnato con una chiave nel suo periodo resta valido; con una chiave <b>compromessa</b> vale solo se altro ne prova \
             l'esistenza prima del cambio.",
            "Each key signs from its entry on the chain to the next; the old one signed for the new one. What a key marked in its \
             reign stays valid; under a <b>compromised</b> key only where something else proves that it existed before the change.",
        )
    );
    for change in &report.keys {
        let why = match change.reason {
            Reason::Routine => say("cambio programmato", "routine change"),
            Reason::Compromised => say("chiave precedente compromessa", "previous key compromised"),
        };
        let entry = link(&format!("chain/{}.json", change.entry), say("voce della catena", "entry on the chain"));
        let told = format!(
            "{why} · {entry}<br><code>{}</code><br>→ <code>{}</code>",
            escape(&change.old),
            escape(&change.new)
        );
        raw(html, &iso_seconds(change.at), &told);
    }
    html.push_str("</table></section>\n");
}

fn section(html: &mut String, document: &Document, lang: Lang) {
    let say = |it: &'static str, en: &'static str| if lang == Lang::It { it } else { en };
    let _ = writeln!(html, "<section><h2>{}</h2>\n<table>", escape(&document.name));
    row(html, say("Identificativo", "Identifier"), &document.id.to_string());
    raw(html, "File", &anchor(&document.file));
    row(html, say("Classe", "Class"), &format!("{}@{}", document.class, document.class_version));
    row(html, say("Formato", "Format"), &document.media_type);
    row(html, "Byte", &document.bytes.to_string());
    raw(html, "SHA-256", &format!("<code>{}</code>", document.sha256));
    row(html, say("Accettato il (UTC)", "Accepted at (UTC)"), &iso_seconds(document.accepted_at));
    row(
        html,
        say("Esisteva al più tardi il (UTC)", "Existed at the latest at (UTC)"),
        &document.exists_since.to_string(),
    );
    row(html, say("Pacchetto di archiviazione", "Package"), &document.package.to_string());
    let proofs = [
        (say("rapporto di versamento", "receipt (RdV)"), &document.rdv),
        (say("contrassegno tecnico di integrità", "technical integrity mark"), &document.note),
        (say("indice del versamento", "manifest of the deposit"), &document.manifest),
        (say("metadati", "metadata"), &document.metadata_file),
        (say("evidenza RFC 4998", "RFC 4998 evidence record"), &document.evidence),
    ];
    let signature =
        document.rdv_signature.as_ref().map(|path| (say("firma del rapporto", "signature of the receipt"), path));
    let links: Vec<String> = proofs.into_iter().chain(signature).map(|(what, path)| link(path, what)).collect();
    raw(html, say("Prove", "Evidence"), &links.join(" · "));
    for (name, value) in &document.metadata {
        row(html, name, &plain(value));
    }
    html.push_str("</table></section>\n");
}

/// A metadata value as people read it.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join("; "),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| format!("{name}: {}", plain(value))).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

fn row(html: &mut String, name: &str, value: &str) {
    raw(html, name, &escape(value));
}

fn raw(html: &mut String, name: &str, value: &str) {
    let _ = writeln!(html, "<tr><th>{}</th><td>{value}</td></tr>", escape(name));
}

fn anchor(path: &str) -> String {
    link(path, path)
}

fn link(path: &str, text: &str) -> String {
    let mut address = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-".contains(&byte) {
            address.push(char::from(byte));
        } else {
            let _ = write!(address, "%{byte:02X}");
        }
    }
    format!("<a href=\"{address}\">{}</a>", escape(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_values() {
        assert_eq!(escape("<script>\"&'\u{202e}\u{7}"), "&lt;script&gt;&quot;&amp;&#39;\u{fffd}\u{fffd}");
        assert_eq!(link("documents/a b&c.txt", "x"), "<a href=\"documents/a%20b%26c.txt\">x</a>");
        assert_eq!(plain(&serde_json::json!({ "a": [1, "due", null], "b": true })), "a: 1; due; , b: true");
    }
}
