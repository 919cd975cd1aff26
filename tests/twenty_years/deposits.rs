//! What comes in every day: of every class something, invented by the corpus for that day; and what the policies say of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use custode::archive::Archive;
use custode::archive::access::Actor;
use custode::archive::deposit::{Channel, Deposit, File, Relation};
use custode::corpus::{Container, Fate, Format, Generator, Item, LogForm, Options, Outcome};
use custode::document::Metadata;
use custode::hash::Sha256;
use jiff::civil::Date;
use jiff::{Span, ToSpan as _};
use serde_json::{Value, json};

/// A document that the archive has acknowledged.
#[derive(Debug, Clone)]
pub struct Kept {
    pub id: String,
    pub receipt: String,
    pub class: String,
    pub sha256: Sha256,
    pub day: Date,
    /// Until when the policy of its class has it kept, worked out here and not by the archive.
    pub expiry: Date,
}

/// The generator of a day.
pub fn generator(day: Date) -> Generator {
    let seed = day.since(Date::constant(2000, 1, 1)).unwrap().get_days().unsigned_abs();
    let options = Options { start: day, big_per_thousand: 0, weak_per_thousand: 0, log_rows: 12, ..Options::default() };
    Generator::new(u64::from(seed), options).unwrap()
}

/// The log of the day before, which must be there by six.
pub fn early(archive: &Archive, day: Date, kept: &mut Vec<Kept>) {
    let yesterday = day.yesterday().unwrap();
    let log = generator(day).pec_log(yesterday, if day.day() % 7 == 0 { LogForm::KeyValue } else { LogForm::Csv });
    deposit(archive, "pec-log", day, vec![log], kept);
}

/// The authority that all signatures of the corpus lead to, as PEM.
pub fn authority() -> String {
    let text = STANDARD.encode(generator(Date::constant(2026, 12, 31)).root_certificate());
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

/// What comes by day: a note every day, and of the other classes what the day of the fortnight brings; with `all`, all of them.
pub fn daily(archive: &Archive, day: Date, all: bool, kept: &mut Vec<Kept>) {
    let n = day.day_of_year();
    let fortnight = day.since(Date::constant(2000, 1, 1)).unwrap().get_days() % 14;
    let due = |which: i32| all || fortnight == which;
    if due(1) {
        let outcome = [Outcome::Complete, Outcome::Brief, Outcome::Synthetic][usize::try_from(n % 3).unwrap()];
        deposit(archive, "pec-message", day, generator(day).conversation_with(outcome).unwrap(), kept);
    }
    // Invoices of ours with the receipt of delivery; those that we got with what SdI says of them.
    for (which, flow, notice) in [(4, "U", "_RC_"), (8, "E", "_MT_")] {
        if due(which) {
            let (format, container) = match n % 6 {
                0 => (Format::Fpa12, Container::Der),
                1 => (Format::Fsm10, Container::Plain),
                _ => (Format::Fpr12, Container::Plain),
            };
            let mut invoice = generator(day).invoice_case_with(format, container, Fate::Delivered).unwrap();
            invoice[0].metadata.insert("flow".to_owned(), json!(flow));
            let notices = invoice.split_off(1).into_iter().filter(|item| item.name.contains(notice)).collect();
            deposit(archive, "invoice", day, invoice, kept);
            deposit(archive, "sdi-notification", day, notices, kept);
        }
    }
    if due(11) {
        deposit(archive, "identity-document", day, identity(day), kept);
    }
    let text = format!("Verbale del {day}: niente da segnalare.\n").repeat(20);
    let note = Item {
        name: format!("verbale-{day}.txt"),
        class: "generic",
        bytes: text.into_bytes(),
        metadata: json!({ "subject": "Verbale del giorno", "date": day }).as_object().unwrap().clone(),
        group: String::new(),
        relations: Vec::new(),
        expected: Metadata::new(),
    };
    deposit(archive, "generic", day, vec![note], kept);
}

/// The papers of an identification: the pictures are the same every day, what is said of them is not.
fn identity(day: Date) -> Vec<Item> {
    static FILE: std::sync::LazyLock<Vec<Item>> =
        std::sync::LazyLock::new(|| generator(Date::constant(2026, 12, 31)).identity_file());
    let at = format!("{day}T08:00:00Z");
    let of_the_day = |item: &Item| {
        let mut item = item.clone();
        item.name = format!("{day}-{}", item.name);
        for relation in &mut item.relations {
            relation.name = format!("{day}-{}", relation.name);
        }
        for (field, value) in [("identified_at", &at), ("conditions_accepted_at", &at)] {
            item.metadata.insert(field.to_owned(), json!(value));
        }
        item.metadata.insert("practice".to_owned(), json!(format!("PRATICA-{day}")));
        item.metadata.shift_remove("ended_on");
        // A comment that readers pass over makes it a document of its own.
        let comment = format!("Pratica {day}");
        if item.name.ends_with(".jpg") {
            let length = u16::try_from(comment.len() + 2).unwrap().to_be_bytes();
            let segment = [&[0xff, 0xfe][..], &length, comment.as_bytes()].concat();
            item.bytes.splice(2..2, segment);
        } else {
            item.bytes.extend(format!("%{comment}\n").bytes());
        }
        item
    };
    FILE.iter().map(of_the_day).collect()
}

/// One deposit of these files; it must be accepted.
fn deposit(archive: &Archive, class: &str, day: Date, items: Vec<Item>, kept: &mut Vec<Kept>) {
    assert!(!items.is_empty(), "{day}: nothing of {class}");
    let mut digests = Vec::new();
    let names: Vec<String> = items.iter().map(|item| item.name.clone()).collect();
    let files: Vec<File> = items
        .into_iter()
        .map(|item| {
            let mut spool = archive.spool(None).unwrap();
            spool.write(&item.bytes).unwrap();
            let relations = item.relations.iter().filter(|relation| names.contains(&relation.name));
            let relations = relations.map(|one| Relation { kind: one.kind.replace('-', " "), to: one.name.clone() });
            let spooled = spool.finish().unwrap();
            digests.push(spooled.digests().sha256);
            File {
                name: item.name,
                relations: relations.collect(),
                spooled,
                metadata: item.metadata,
                declared: None,
                unpacked: Default::default(),
            }
        })
        .collect();
    let deposit = Deposit {
        channel: Channel::Http,
        class: Some(class.to_owned()),
        idempotency_key: None,
        duplicate: false,
        dry_run: false,
        metadata_in_url: false,
        body: *files[0].spooled.digests(),
        client_manifest: None,
        files,
        findings: Vec::new(),
    };
    let answer = archive.deposit(&Actor::local(), deposit).unwrap();
    let receipt: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(answer.status, 201, "{day} {class}: {receipt:#}");
    for (document, sha256) in receipt["documents"].as_array().unwrap().iter().zip(digests) {
        assert_eq!(document["sha256"], sha256.to_string(), "{day} {class}");
        let id = document["id"].as_str().unwrap().to_owned();
        let receipt = receipt["receipt"].as_str().unwrap().to_owned();
        kept.push(Kept { id, receipt, class: class.to_owned(), sha256, day, expiry: expiry(class, day) });
    }
}

/// The last day of the month, or of the year, in which a period from `day` ends.
fn expiry(class: &str, day: Date) -> Date {
    let (start, period, monthly): (Date, Span, bool) = match class {
        "pec-log" => (day.yesterday().unwrap(), 30.months(), true),
        "identity-document" => (day, 20.years(), true),
        // From the end of the year after: art. 2220 c.c. counts from the last registration.
        "invoice" | "sdi-notification" => (Date::constant(day.year() + 1, 12, 31), 10.years(), false),
        _ => (day, 10.years(), false),
    };
    let end = start.checked_add(period).unwrap();
    if monthly { end.last_of_month() } else { end.last_of_year() }
}
