//! One of everything, deposited over HTTP, and one tampered document that is refused.

use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::story::Story;
use crate::cli::api::{Api, Payload, Reply};
use crate::cli::deposit::ascii;
use crate::cli::print::{self, say};
use crate::clock::{Clock as _, SystemClock, italian_day};
use crate::corpus::{Generator, Item, LogForm, Options};
use crate::error::{Code, Error, Result};
use crate::hash::Sha256;
use crate::http::problem;

/// The demonstration is the same every time.
const SEED: u64 = 1;

/// What was deposited, as far as later steps need it.
pub struct Deposited {
    /// Documents for the bundle: the conversation, and the invoice with its notifications.
    pub chosen: Vec<String>,
    /// The invoice.
    pub invoice: String,
    /// Its number, as it was read from the signed file.
    pub invoice_number: String,
    /// Its bytes.
    pub invoice_bytes: Vec<u8>,
    /// Whether the tampered document was refused for the right reason.
    pub refused_as_it_should: bool,
}

/// Deposits everything.
pub async fn all(producer: &Api, story: &mut Story) -> Result<Deposited> {
    let mut corpus = Generator::new(SEED, Options::default())?;
    let conversation = corpus.conversation()?;
    let invoice = corpus.invoice_case()?;
    let identity = corpus.identity_file();
    // Yesterday's: an older one would be marked as late, and rightly.
    let today = italian_day(SystemClock.now());
    let log = corpus.pec_log(today.yesterday().unwrap_or(today), LogForm::Csv);
    let mut chosen = Vec::new();

    story.step(
        "pec",
        "Una conversazione PEC, un messaggio alla volta",
        "A PEC conversation, one message at a time",
        Value::Null,
    )?;
    chosen.extend(ids(&each(producer, story, &conversation).await?));

    story.step(
        "invoice",
        "Una fattura firmata con le sue notifiche SdI",
        "A signed invoice with its SdI notifications",
        Value::Null,
    )?;
    let receipts = each(producer, story, &invoice).await?;
    chosen.extend(ids(&receipts));
    let signed = receipts.iter().zip(&invoice).find(|(receipt, _)| receipt["class"] == "invoice");
    let (receipt, item) = signed.ok_or_else(|| Error::new(Code::Internal, "no invoice in the corpus"))?;
    let document = &receipt["documents"][0];
    let (id, number) = (word(&document["id"]), word(&document["metadata"]["number"]));

    story.step(
        "identity",
        "Una pratica di identificazione, un solo versamento",
        "An identification file, in one deposit",
        Value::Null,
    )?;
    together(producer, story, &identity).await?;

    story.step("log", "Il registro di un giorno di un gestore PEC", "A PEC provider's log of one day", Value::Null)?;
    let log = [log];
    each(producer, story, &log).await?;

    story.step(
        "refusal",
        "Un byte cambiato in viaggio: rifiutato",
        "One byte changed on the way: refused",
        Value::Null,
    )?;
    let refused_as_it_should = tampered(producer, story, item).await?;
    let (invoice, invoice_number, invoice_bytes) = (id, number, item.bytes.clone());
    Ok(Deposited { chosen, invoice, invoice_number, invoice_bytes, refused_as_it_should })
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn ids(receipts: &[Value]) -> Vec<String> {
    receipts.iter().flat_map(|r| r["documents"].as_array().into_iter().flatten()).map(|d| word(&d["id"])).collect()
}

async fn send(producer: &Api, item: &Item, bytes: Vec<u8>) -> Result<Reply> {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("class", item.class)
        .append_pair("name", &item.name)
        .finish();
    let digest = STANDARD.encode(Sha256::of(&item.bytes).as_bytes());
    let headers = [
        ("custode-metadata", ascii(&Value::Object(item.metadata.clone()).to_string())),
        ("content-digest", format!("sha-256=:{digest}:")),
        ("idempotency-key", format!("demo-{}-{}", item.name, Sha256::of(&bytes))),
    ];
    producer.send(Method::POST, &format!("/v1/documents?{query}"), &headers, Payload::Bytes(bytes)).await
}

async fn each(producer: &Api, story: &mut Story, items: &[Item]) -> Result<Vec<Value>> {
    let mut receipts = Vec::with_capacity(items.len());
    for item in items {
        let receipt = send(producer, item, item.bytes.clone()).await?.json().await?;
        tell(story, &receipt)?;
        receipts.push(receipt);
    }
    story.fact("receipts", json!(receipts.iter().map(brief).collect::<Vec<_>>()));
    Ok(receipts)
}

/// `POST /v1/deposits`: all or nothing, with the ties between the files.
async fn together(producer: &Api, story: &mut Story, items: &[Item]) -> Result<()> {
    let files: Vec<Value> = items
        .iter()
        .map(|item| {
            let ties: Vec<_> = item.relations.iter().map(|r| json!({ "type": r.kind, "to": r.name })).collect();
            json!({ "name": item.name, "sha256": Sha256::of(&item.bytes), "metadata": item.metadata, "relations": ties })
        })
        .collect();
    let manifest = json!({ "class": "identity-document", "idempotency_key": "demo-identity", "files": files });
    // Bytes of a part never begin a line with this: it is random.
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|e| Error::new(Code::Internal, format!("no randomness: {e}")))?;
    let boundary = format!("custode-{}", hex::encode(random));
    let mut body = Vec::new();
    let mut part = |disposition: &str, bytes: &[u8]| {
        body.extend_from_slice(
            format!("--{boundary}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n").as_bytes(),
        );
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    };
    part("name=\"manifest\"", manifest.to_string().as_bytes());
    for item in items {
        part(&format!("name=\"file\"; filename=\"{}\"", item.name), &item.bytes);
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    let headers = [("content-type", format!("multipart/form-data; boundary={boundary}"))];
    let receipt = producer.send(Method::POST, "/v1/deposits", &headers, Payload::Bytes(body)).await?.json().await?;
    tell(story, &receipt)?;
    story.fact("receipts", json!([brief(&receipt)]));
    Ok(())
}

/// The digest declared is that of the document; the body is not it any more.
async fn tampered(producer: &Api, story: &mut Story, item: &Item) -> Result<bool> {
    let mut bytes = item.bytes.clone();
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
    let reply = send(producer, item, bytes).await?;
    let status = reply.status.as_u16();
    let body = reply.bytes().await?;
    if status != 422 {
        return Err(problem::parse(status, &body).at("the tampered document"));
    }
    let refusal: Value = serde_json::from_slice(&body).unwrap_or_default();
    let all = |findings: &Value| findings.as_array().cloned().unwrap_or_default();
    let mut findings = all(&refusal["findings"]);
    findings.extend(refusal["documents"].as_array().into_iter().flatten().flat_map(|d| all(&d["findings"])));
    let known = findings.iter().any(|f| f["code"] == Code::DigestMismatch.as_str());
    story.line(&format!("422 {} {}", say(story.lang(), "rifiuto", "refusal"), word(&refusal["refusal"])))?;
    findings.dedup();
    story.say(|| print::findings(&json!(findings)))?;
    story.fact("refusal", refusal["refusal"].clone());
    story.fact("findings", json!(findings));
    Ok(known)
}

fn brief(receipt: &Value) -> Value {
    let documents = ids(std::slice::from_ref(receipt));
    json!({ "receipt": receipt["receipt"], "sequence": receipt["sequence"], "class": receipt["class"], "documents": documents })
}

/// A receipt in a line or two: number, instant, and what was read from each document.
fn tell(story: &Story, receipt: &Value) -> Result<()> {
    let lang = story.lang();
    let (number, at) = (&receipt["sequence"], word(&receipt["accepted_at"]));
    story.line(&format!("{} {number}  {at}  {}", say(lang, "ricevuta n.", "receipt no."), word(&receipt["class"])))?;
    for document in receipt["documents"].as_array().into_iter().flatten() {
        let size = print::size(document["bytes"].as_u64().unwrap_or_default());
        story.line(&format!("  {}  {size}", print::printable(&word(&document["name"]))))?;
        let read = ["kind", "part", "number", "subject", "total", "sdi_identifier", "day"]
            .into_iter()
            .filter(|field| !document["metadata"][field].is_null())
            .map(|field| match &document["metadata"][field] {
                Value::String(text) => format!("{field}: {}", print::printable(text)),
                other => format!("{field}: {other}"),
            })
            .collect::<Vec<_>>();
        if !read.is_empty() {
            story.line(&format!("    {}", read.join(", ")))?;
        }
    }
    Ok(())
}
