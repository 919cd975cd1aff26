//! Aggregations (AgID Allegato 5, AGG): a file (fascicolo), a series of documents, a series of files.
//!
//! The document *is* its metadata: a JSON of the shape of `Aggregation`, AGG's elements under plain names, so that it
//! reads without us; each version is a document of its own that names the one before. Invariants: `aggregation` is the pair
//! that AgID identifies an aggregation by, `<kind>/<id>`, the same in all versions; members are documents of the archive by
//! id, whatever their class; what is not of the shape is refused, what AGG would want besides is a warning.

use jiff::civil::Date;
use serde::Deserialize;
use serde_json::json;

use super::{Extraction, Input, Reader};
use crate::error::{Code, Finding, Result};
use crate::id::DocumentId;

/// Reads aggregations.
pub struct AggregationReader;

/// Metadata only: two thousand members and a page of text stay far below.
const MAX_BYTES: usize = 1 << 20;
/// Members that one version lists, as many as a list in metadata has. Larger ones have sub-files, or members that name
/// their aggregation themselves when they are deposited: of those there may be any number.
const MAX_MEMBERS: usize = 2_000;
/// Kinds, as `TipoAggregazione` of AGG in words of an address.
pub const KINDS: [(&str, &str); 3] = [
    ("fascicolo", "Fascicolo"),
    ("serie-documentale", "Serie Documentale"),
    ("serie-di-fascicoli", "Serie di Fascicoli"),
];

const FILE_TYPES: [&str; 5] =
    ["affare", "attivita", "persona-fisica", "persona-giuridica", "procedimento-amministrativo"];

/// What an aggregation is deposited as.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Aggregation {
    /// IdAggregazione, without kind.
    id: String,
    /// TipoAggregazione: one of [`KINDS`].
    kind: String,
    /// TipologiaFascicolo.
    file_type: Option<String>,
    /// ChiaveDescrittiva/Oggetto.
    subject: String,
    /// ChiaveDescrittiva/ParoleChiave.
    #[serde(default)]
    keywords: Vec<String>,
    /// DataApertura.
    opened_on: String,
    /// DataChiusura.
    closed_on: Option<String>,
    /// Classificazione: IndiceDiClassificazione.
    classification: Option<String>,
    /// Progressivo.
    number: Option<String>,
    /// Soggetti.
    #[serde(default)]
    parties: Vec<Party>,
    /// IdAggPrimario: the file this is a sub-file of, as `<kind>/<id>`.
    parent: Option<String>,
    /// From 1.
    version: u64,
    /// The document that holds the version before.
    previous_version: Option<String>,
    /// IndiceDocumenti.
    #[serde(default)]
    members: Vec<String>,
    /// PosizioneFisicaAggregazioneDocumentale.
    position: Option<String>,
    /// Note.
    note: Option<String>,
}

/// A party of an aggregation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Party {
    /// `AmministrazioneTitolare`, `AmministrazionePartecipante`, `SoggettoIntestatarioPersonaFisica`,
    /// `SoggettoIntestatarioPersonaGiuridica`, `RUP`, `Assegnatario`.
    role: String,
    /// Name.
    name: String,
    /// Tax or VAT code.
    code: Option<String>,
}

const ROLES: [&str; 6] = [
    "AmministrazioneTitolare",
    "AmministrazionePartecipante",
    "SoggettoIntestatarioPersonaFisica",
    "SoggettoIntestatarioPersonaGiuridica",
    "RUP",
    "Assegnatario",
];

impl Reader for AggregationReader {
    fn read(&self, input: &Input) -> Result<Extraction> {
        Ok(match input.body.whole(MAX_BYTES)? {
            Some(bytes) => read(&bytes),
            None => refused("content", "larger than 1 MiB"),
        })
    }
}

fn refused(place: &str, detail: &str) -> Extraction {
    Extraction { findings: vec![Finding::error(Code::AggregationNot, place, detail)], ..Extraction::default() }
}

/// Reads the bytes of an aggregation.
pub fn read(bytes: &[u8]) -> Extraction {
    // Some programs write a mark before JSON, which has none (RFC 8259 section 8.1: it may be ignored).
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let read: Aggregation = match serde_json::from_slice(bytes) {
        Ok(read) => read,
        // Where, and never what: an error text of the parser may hold a value.
        Err(e) => return refused(&format!("line {}, column {}", e.line(), e.column()), ""),
    };
    let Some((_, _)) = KINDS.into_iter().find(|(kind, _)| *kind == read.kind) else { return refused("kind", "") };
    let id = read.id.trim();
    if id.is_empty() || id.chars().count() > 200 || id.chars().any(char::is_control) {
        return refused("id", "expected 1 to 200 characters");
    }
    let Ok(opened) = read.opened_on.parse::<Date>() else { return refused("opened_on", "expected a date") };
    let closed = match read.closed_on.as_deref().map(str::parse::<Date>) {
        Some(Err(_)) => return refused("closed_on", "expected a date"),
        Some(Ok(date)) => Some(date),
        None => None,
    };
    if read.version == 0 {
        return refused("version", "versions start at 1");
    }
    if read.members.len() > MAX_MEMBERS {
        let detail = format!("more than {MAX_MEMBERS} members; use sub-files, or name the aggregation in its members");
        return refused("members", &detail);
    }
    let mut out = Extraction::default();
    wanting(&read, opened, closed, &mut out);
    let mut members = Vec::with_capacity(read.members.len());
    for (n, text) in read.members.iter().enumerate() {
        match text.trim().parse::<DocumentId>() {
            Ok(id) if members.contains(&id.to_string()) => note(&mut out, &format!("members/{n}"), "twice"),
            Ok(id) => members.push(id.to_string()),
            Err(_) => note(&mut out, &format!("members/{n}"), "not the id of a document"),
        }
    }
    out.set("aggregation", &format!("{}/{id}", read.kind));
    out.set("kind", &read.kind);
    for (field, text) in [
        ("file_type", &read.file_type),
        ("classification", &read.classification),
        ("number", &read.number),
        ("parent", &read.parent),
        ("previous_version", &read.previous_version),
        ("position", &read.position),
        ("note", &read.note),
    ] {
        out.set(field, text.as_deref().unwrap_or_default());
    }
    out.set("subject", &read.subject);
    out.set_list("keywords", read.keywords);
    out.set("opened_on", &opened.to_string());
    out.set("closed_on", &closed.map(|date| date.to_string()).unwrap_or_default());
    out.fields.insert("closed".to_owned(), closed.is_some().into());
    out.fields.insert("version".to_owned(), read.version.into());
    out.fields.insert("member_count".to_owned(), members.len().into());
    out.set_list("members", members);
    let parties: Vec<_> =
        read.parties.iter().map(|p| json!({ "role": p.role, "name": p.name, "code": p.code })).collect();
    if !parties.is_empty() {
        out.fields.insert("parties".to_owned(), parties.into());
    }
    out
}

fn note(out: &mut Extraction, place: &str, detail: &str) {
    out.findings.push(Finding::warning(Code::AggregationField, place, detail));
}

/// What AGG wants and is not there, or does not fit together.
fn wanting(read: &Aggregation, opened: Date, closed: Option<Date>, out: &mut Extraction) {
    if closed.is_some_and(|closed| closed < opened) {
        note(out, "closed_on", "before it was opened");
    }
    match (read.kind.as_str(), read.file_type.as_deref()) {
        ("fascicolo", None) => note(out, "file_type", "missing"),
        (_, Some(kind)) if !FILE_TYPES.contains(&kind) => note(out, "file_type", "unknown"),
        _ => {}
    }
    if read.subject.trim().is_empty() {
        note(out, "subject", "missing");
    }
    for (field, value) in [("classification", &read.classification), ("number", &read.number)] {
        if value.as_deref().is_none_or(|text| text.trim().is_empty()) {
            note(out, field, "missing");
        }
    }
    for (n, party) in read.parties.iter().enumerate() {
        if !ROLES.contains(&party.role.as_str()) {
            note(out, &format!("parties/{n}/role"), "unknown");
        }
    }
    if (read.version > 1) != read.previous_version.is_some() {
        note(out, "previous_version", "every version but the first names the one before");
    }
    if read.parent.as_deref().is_some_and(|parent| pair(parent) == pair(&format!("{}/{}", read.kind, read.id.trim()))) {
        note(out, "parent", "it is its own parent");
    }
    if read.previous_version.as_deref().is_some_and(|id| id.trim().parse::<DocumentId>().is_err()) {
        note(out, "previous_version", "not the id of a document");
    }
}

/// The pair that identifies an aggregation, from how it was written: what says no kind is a fascicolo, as AgID's `Agg`
/// element is mostly used.
pub fn pair(text: &str) -> (&'static str, &str) {
    let text = text.trim();
    let known = text.split_once('/').and_then(|(kind, id)| {
        let (_, agid) = KINDS.into_iter().find(|(name, _)| *name == kind)?;
        Some((agid, id.trim()))
    });
    known.unwrap_or((KINDS[0].1, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = r#"{"id": "2026-001", "kind": "fascicolo", "file_type": "affare", "subject": "Contratto di esempio",
        "keywords": ["contratto"], "opened_on": "2026-01-10", "closed_on": "2026-11-20", "classification": "1.2", "number": "7",
        "parties": [{"role": "Assegnatario", "name": "Ufficio Esempio"}], "version": 2,
        "previous_version": "0199f1a0-0000-7000-8000-000000000001",
        "members": ["0199f1a0-0000-7000-8000-000000000002", "0199F1A0-0000-7000-8000-000000000003"]}"#;

    fn places(extraction: &Extraction) -> Vec<(&str, &str)> {
        extraction.findings.iter().map(|f| (f.code.as_str(), f.place.as_str())).collect()
    }

    #[test]
    fn a_whole_one_is_read_whole() {
        let found = read(ONE.as_bytes());
        assert!(found.findings.is_empty(), "{:?}", found.findings);
        assert_eq!(found.fields["aggregation"], "fascicolo/2026-001");
        assert_eq!((&found.fields["closed"], &found.fields["version"]), (&true.into(), &2.into()));
        assert_eq!(found.fields["members"][1], "0199f1a0-0000-7000-8000-000000000003");
        assert_eq!(found.fields["member_count"], 2);
    }

    #[test]
    fn what_does_not_fit_is_said_by_place() {
        let odd = ONE
            .replace("\"file_type\": \"affare\", ", "")
            .replace("2026-11-20", "2025-11-20")
            .replace("Assegnatario", "Usciere")
            .replace("0199F1A0-0000-7000-8000-000000000003", "0199f1a0-0000-7000-8000-000000000002")
            .replace("\"version\": 2", "\"version\": 1");
        let found = read(odd.as_bytes());
        let expected = ["closed_on", "file_type", "parties/0/role", "previous_version", "members/1"];
        assert_eq!(places(&found), expected.map(|place| ("aggregation/field", place)));
        assert_eq!(found.fields["member_count"], 1);
    }

    #[test]
    fn its_own_parent_is_noticed_and_a_mark_before_it_is_nothing() {
        let own = ONE.replace("\"version\": 2", "\"parent\": \"fascicolo/2026-001\", \"version\": 2");
        assert_eq!(places(&read(own.as_bytes())), [("aggregation/field", "parent")]);
        let other = own.replace("\"fascicolo/2026-001\"", "\"fascicolo/2026-002\"");
        assert_eq!(places(&read(other.as_bytes())), []);
        assert_eq!(places(&read(format!("\u{feff}{ONE}").as_bytes())), []);
    }

    #[test]
    fn what_is_not_one_is_refused() {
        let cases: [(&str, String); 6] = [
            ("line 1, column 2", "non json".into()),
            ("line 1, column 2", "{}".into()),
            ("kind", ONE.replace("\"fascicolo\"", "\"faldone\"")),
            ("opened_on", ONE.replace("2026-01-10", "ieri")),
            ("version", ONE.replace("\"version\": 2", "\"version\": 0")),
            ("members", ONE.replace("\"members\": [", &format!("\"members\": [{}", "\"x\",".repeat(2_000)))),
        ];
        for (place, text) in cases {
            let found = read(text.as_bytes());
            assert_eq!(places(&found), [("aggregation/not", place)], "{text:.60}");
            assert!(found.fields.is_empty());
        }
        assert!(!places(&read(ONE.replace("\"number\"", "\"numero\"").as_bytes())).is_empty());
    }

    #[test]
    fn any_damage_is_met_calmly() {
        for at in 0..ONE.len() {
            let _ = read(&ONE.as_bytes()[..at]);
            let mut flipped = ONE.as_bytes().to_vec();
            flipped[at] ^= 0x20;
            let _ = read(&flipped);
        }
    }

    #[test]
    fn a_pair_is_told_from_a_bare_identifier() {
        assert_eq!(pair("serie-documentale/2026"), ("Serie Documentale", "2026"));
        assert_eq!(pair(" 2026/7 "), ("Fascicolo", "2026/7"));
        assert_eq!(pair("fascicolo/a/b"), ("Fascicolo", "a/b"));
    }
}
