//! A provider's message log of one day (DPR 68/2005 art. 11): the CSV this project proposes, and the key=value lines one
//! product writes.
//!
//! Invariant: consistent by itself: each identifier has its envelope, its acceptance and one outcome for every recipient.

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use serde_json::json;

use super::item::{Item, facts};
use super::names::{self, PROVIDERS};
use super::options::Options;
use super::rng::Rng;
use crate::clock::iso_ms;

/// Columns of the CSV form.
pub const COLUMNS: &str = "identificativo;data_ora;evento;mittente;destinatari;oggetto;msgid;message_id_evento;gestore_mittente;gestore_emittente;tipo_ricevuta;consegna;ricezione;errore;errore_esteso;virus";

/// Which form the log has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogForm {
    /// RFC 4180 with semicolons, UTF-8, header row.
    Csv,
    /// One `tipo=… : mittente=…` line an event.
    KeyValue,
}

/// One event.
struct Event {
    at: Timestamp,
    label: &'static str,
    kind: &'static str,
    receipt_type: &'static str,
    delivered_to: String,
    taken: String,
    error: &'static str,
    detail: &'static str,
    own_id: String,
}

/// What the events of one transmission share.
struct Transmission {
    identifier: String,
    sender: String,
    recipient: String,
    subject: String,
    msgid: String,
}

pub(crate) fn day(mut rng: Rng, options: &Options, provider: usize, day: Date, form: LogForm) -> Item {
    let (name, domain) = PROVIDERS[provider];
    let rng = &mut rng;
    let zone = TimeZone::get("Europe/Rome").unwrap_or(TimeZone::UTC);
    let midnight = zone.to_ambiguous_timestamp(day.at(0, 0, 0, 0)).compatible().unwrap_or(Timestamp::UNIX_EPOCH);
    let wanted = rng.size(40.min(options.log_rows), options.log_rows);
    let mut rows: Vec<(Timestamp, String)> = Vec::with_capacity(wanted + 4);
    while rows.len() < wanted {
        // Events of one transmission stay within two minutes, so none falls out of the day.
        let at = midnight + SignedDuration::from_secs(i64::try_from(rng.below(22 * 3600)).unwrap_or(0) + 60);
        let other = PROVIDERS[(provider + 1) % PROVIDERS.len()];
        let transmission = Transmission {
            identifier: format!(
                "opec12.{}.{}.{}.1.64@{domain}",
                at.to_zoned(zone.clone()).strftime("%Y%m%d%H%M%S"),
                rng.digits(5),
                rng.between(100, 999)
            ),
            sender: format!("{}@{domain}", names::mailbox(rng)),
            recipient: format!("{}@{}", names::mailbox(rng), other.1),
            subject: names::subject(rng),
            msgid: format!("<{:016x}@{domain}>", rng.draw()),
        };
        for event in events(rng, at, &transmission) {
            let when = event.at.to_zoned(zone.clone());
            let line = match form {
                LogForm::Csv => csv(&event, &transmission, &when.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(), name),
                LogForm::KeyValue => {
                    key_value(&event, &transmission, &when.strftime("%b %d %Y %H:%M:%S").to_string(), name)
                }
            };
            rows.push((event.at, line));
        }
    }
    rows.sort_by_key(|(at, _)| *at);
    let mut text = String::new();
    if form == LogForm::Csv {
        text.push_str(COLUMNS);
        text.push_str("\r\n");
    }
    for (_, row) in &rows {
        text.push_str(row);
        text.push_str(if form == LogForm::Csv { "\r\n" } else { "\n" });
    }
    // The header is no row.
    let lines = rows.len();
    let extension = if form == LogForm::Csv { "csv" } else { "log" };
    let (first, last) = (rows.first().map(|r| r.0), rows.last().map(|r| r.0));
    Item {
        name: format!("PEC{}-{day}.{extension}", provider + 1),
        class: "pec-log",
        bytes: text.into_bytes(),
        metadata: facts([
            ("provider", json!(name)),
            ("provider_code", json!(format!("ESEMPIO{}", provider + 1))),
            ("day", json!(day.to_string())),
            ("sequence", json!(1)),
            ("component", json!("Posta Esempio - registro operazioni")),
            ("first_event", json!(first.map(iso_ms))),
            ("last_event", json!(last.map(iso_ms))),
            ("rows", json!(lines)),
        ]),
        group: format!("log-{}", provider + 1),
        relations: Vec::new(),
        expected: facts([("day", json!(day.to_string())), ("rows", json!(lines))]),
    }
}

fn events(rng: &mut Rng, at: Timestamp, transmission: &Transmission) -> Vec<Event> {
    let failed = rng.chance(60);
    let domain = transmission.sender.rsplit('@').next().unwrap_or_default().to_owned();
    let mut event = |seconds, label, kind| Event {
        at: at + SignedDuration::from_secs(seconds),
        label,
        kind,
        receipt_type: "",
        delivered_to: String::new(),
        taken: String::new(),
        error: "",
        detail: "",
        own_id: format!("<ric.{:012x}@{domain}>", rng.draw() >> 16),
    };
    let mut list = vec![
        event(0, "Accettazione", "accettazione"),
        event(0, "BustaTrasporto", "posta-certificata"),
        event(2, "PresaInCarico", "presa-in-carico"),
    ];
    let outcome =
        if failed { event(6, "MancataConsegna", "errore-consegna") } else { event(6, "Consegna", "avvenuta-consegna") };
    list.push(outcome);
    list[1].receipt_type = "completa";
    list[2].taken.clone_from(&transmission.recipient);
    list[3].delivered_to.clone_from(&transmission.recipient);
    if failed {
        list[3].error = "no-dest";
        list[3].detail = "5.1.1 - indirizzo non valido";
    } else {
        list[3].receipt_type = "completa";
    }
    list
}

fn csv(event: &Event, transmission: &Transmission, when: &str, provider: &str) -> String {
    let recipients = format!("{}:certificato", transmission.recipient);
    let fields = [
        transmission.identifier.as_str(),
        when,
        event.kind,
        &transmission.sender,
        &recipients,
        &transmission.subject,
        &transmission.msgid,
        &event.own_id,
        provider,
        provider,
        event.receipt_type,
        &event.delivered_to,
        &event.taken,
        event.error,
        event.detail,
        "",
    ];
    let quoted: Vec<String> = fields
        .iter()
        .map(|field| {
            // Quoted as RFC 4180 asks, and where a spreadsheet would read a formula an apostrophe goes first.
            let guarded =
                if field.starts_with(['=', '+', '-', '@']) { format!("'{field}") } else { (*field).to_owned() };
            if guarded.contains([';', '"', '\r', '\n']) {
                format!("\"{}\"", guarded.replace('"', "\"\""))
            } else {
                guarded
            }
        })
        .collect();
    quoted.join(";")
}

fn key_value(event: &Event, transmission: &Transmission, when: &str, provider: &str) -> String {
    let mut line = format!(
        "{when} pecd host1 [4242]: {}: tipo={} ({}): mittente={}: destinatari={} (certificato): oggetto={}: message-id={}: gestore={provider}",
        transmission.identifier,
        event.kind,
        event.label,
        transmission.sender,
        transmission.recipient,
        transmission.subject,
        event.own_id,
    );
    let optional = [
        ("tipo_ricevuta", event.receipt_type),
        ("consegna", &event.delivered_to),
        ("ricezione", &event.taken),
        ("errore", event.error),
        ("errore-esteso", event.detail),
    ];
    for (key, value) in optional {
        if !value.is_empty() {
            line.push_str(&format!(": {key}={value}"));
        }
    }
    line
}
