//! `custode show ID`: everything known of a document, and of what is related to it.

use serde_json::Value;

use super::api::Api;
use super::print::{self, line, printable, say};
use super::{Exit, Global};
use crate::error::{Lang, Result};
use crate::id::DocumentId;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The document.
    id: DocumentId,
}

/// Everything known of a document.
pub async fn run(args: Args, global: &Global) -> Result<Exit> {
    let api = Api::open(global).await?;
    let shown = whole(&args, &api).await;
    api.close().await?;
    let shown = shown?;
    if global.json {
        print::json(&shown)?;
    } else {
        people(shown, global.lang())?;
    }
    Ok(Exit::Good)
}

/// The document, with every page of what is related to it under `related`.
async fn whole(args: &Args, api: &Api) -> Result<Value> {
    let mut shown = api.get(&format!("/v1/documents/{}", args.id)).await?;
    let mut related = api.get(&format!("/v1/documents/{}/related", args.id)).await?;
    while let Some(cursor) = related["cursor"].as_str().map(str::to_owned) {
        let page = api.get(&format!("/v1/documents/{}/related?cursor={cursor}", args.id)).await?;
        related["cursor"] = page["cursor"].clone();
        add_links(&mut related["links"], &page["links"]);
    }
    shown["related"] = related;
    Ok(shown)
}

fn add_links(known: &mut Value, more: &Value) {
    let Some(known) = known.as_array_mut() else { return };
    for link in items(more) {
        let same = known.iter_mut().find(|one| one["namespace"] == link["namespace"]);
        match same.and_then(|one| one["documents"].as_array_mut()) {
            Some(documents) => documents.extend(items(&link["documents"]).cloned()),
            None => known.push(link.clone()),
        }
    }
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn people(mut shown: Value, lang: Lang) -> Result<()> {
    let related = shown.as_object_mut().and_then(|fields| fields.remove("related")).unwrap_or_default();
    print::tree(&shown, 0)?;
    line("")?;
    line(say(lang, "DOCUMENTI COLLEGATI", "RELATED DOCUMENTS"))?;
    for transaction in items(&related["conversation"]["transactions"]) {
        conversation(transaction, lang)?;
    }
    for file in items(&related["invoice"]["files"]) {
        invoice(file, lang)?;
    }
    for one in items(&related["aggregations"]) {
        line(&format!(
            "{}: {}  {} {}",
            say(lang, "Aggregazione", "Aggregation"),
            printable(text(one, "aggregation")),
            printable(text(one, "kind")),
            text(one, "document"),
        ))?;
    }
    for link in items(&related["links"]) {
        line(&format!("{}: {}", say(lang, "Legati da", "Tied by"), printable(text(link, "namespace"))))?;
        for document in items(&link["documents"]) {
            row(document, lang)?;
        }
    }
    if items(&related["same_deposit"]).next().is_some() {
        line(say(lang, "Stesso versamento:", "Same deposit:"))?;
        for document in items(&related["same_deposit"]) {
            row(document, lang)?;
        }
    }
    let hidden = related["not_shown"].as_u64().unwrap_or_default();
    if hidden > 0 {
        line(&format!(
            "{hidden} {}",
            say(lang, "non mostrati: classi non consentite", "not shown: classes not allowed")
        ))?;
    }
    let bounds: Vec<&str> = items(&related["bounds_reached"]).filter_map(Value::as_str).collect();
    if !bounds.is_empty() {
        let said = say(lang, "ricerca interrotta ai limiti", "the search ended at its bounds");
        line(&format!("{said}: {}", bounds.join(", ")))?;
    }
    Ok(())
}

fn conversation(one: &Value, lang: Lang) -> Result<()> {
    let named = printable(text(one, "identifier"));
    let state = both(&one["state_text"], lang);
    line(&format!("{}: {named}  {state}", say(lang, "Trasmissione PEC", "PEC transmission")))?;
    for recipient in items(&one["recipients"]) {
        let at = text(recipient, "at");
        let state = both(&recipient["state_text"], lang);
        let line_of = format!("    {}: {state}  {at}{}", printable(text(recipient, "address")), proof(recipient, lang));
        line(line_of.trim_end())?;
    }
    for message in items(&one["messages"]) {
        let (kind, at) = (printable(text(message, "kind")), text(message, "instant"));
        let hashes = both(&message["hashes_text"], lang);
        let proof = if message["kind"] == "messaggio-ordinario" { String::new() } else { proof(message, lang) };
        let line_of = format!("    {}  {kind:<26} {at}{proof}  {hashes}", text(message, "document"));
        line(line_of.trim_end())?;
    }
    findings(one, lang)
}

/// What the signature proves, where that is less than everything.
fn proof(one: &Value, lang: Lang) -> String {
    match one["proof"].as_str() {
        None | Some("trusted") => String::new(),
        Some(_) => format!("  ({})", both(&one["proof_text"], lang)),
    }
}

fn invoice(one: &Value, lang: Lang) -> Result<()> {
    let state = both(&one["state_text"], lang);
    let title = say(lang, "Fattura", "Invoice");
    line(&format!("{title}: {}  {state}{}", printable(text(one, "file_base")), proof(one, lang)))?;
    for sent in items(&one["transmissions"]) {
        for step in items(&sent["notifications"]) {
            line(&format!(
                "    {}  {:<3} {}  {} {}{}",
                text(step, "document"),
                printable(text(step, "kind")),
                text(step, "instant"),
                say(lang, "impronta:", "hash:"),
                compared(text(step, "hash"), lang),
                proof(step, lang),
            ))?;
        }
    }
    findings(one, lang)
}

fn compared(word: &str, lang: Lang) -> &'static str {
    match word {
        "match" => say(lang, "corrisponde", "match"),
        "mismatch" => say(lang, "NON corrisponde", "MISMATCH"),
        "not-said" => say(lang, "non indicata", "not said"),
        _ => say(lang, "fattura non conservata", "invoice not held"),
    }
}

fn findings(one: &Value, lang: Lang) -> Result<()> {
    for finding in items(&one["findings"]) {
        let message = text(finding, say(lang, "messaggio", "message"));
        line(&format!("    ! {} [{}] {message}", text(finding, "code"), text(finding, "place")))?;
    }
    Ok(())
}

fn both(value: &Value, lang: Lang) -> String {
    text(value, say(lang, "it", "en")).to_owned()
}

fn row(document: &Value, lang: Lang) -> Result<()> {
    let folded = if document["match"] == "case" { say(lang, "  (salvo maiuscole)", "  (but for case)") } else { "" };
    line(&format!(
        "    {}  {:<18} {}{folded}",
        text(document, "id"),
        text(document, "class"),
        printable(text(document, "name"))
    ))
}
