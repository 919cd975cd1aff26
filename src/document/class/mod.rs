//! Metadata classes: JSON Schema 2020-12 with our annotations (`x-custode`), so that a user's own validator understands
//! them and a class is one file. Invariant: a class version never changes (adopted files are digests on the chain); a
//! new version stands beside the old.

mod parse;
pub mod start;
mod validate;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::format::Format;
use super::reader::ReaderKind;
use crate::durable;
use crate::error::{AtPath, Code, Error, Result};
use crate::hash::Sha256;
use crate::id::{ClassId, PolicyId};

/// The classes compiled in: file name and text.
const BUILTIN: &[(&str, &str)] = &[
    ("aggregation@1.json", include_str!("../../../schemas/aggregation@1.json")),
    ("generic@1.json", include_str!("../../../schemas/generic@1.json")),
    ("identity-document@1.json", include_str!("../../../schemas/identity-document@1.json")),
    ("invoice@1.json", include_str!("../../../schemas/invoice@1.json")),
    ("pec-log@1.json", include_str!("../../../schemas/pec-log@1.json")),
    ("pec-message@1.json", include_str!("../../../schemas/pec-message@1.json")),
    ("pec-virus@1.json", include_str!("../../../schemas/pec-virus@1.json")),
    ("sdi-notification@1.json", include_str!("../../../schemas/sdi-notification@1.json")),
];

/// A title in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Title {
    /// Italian.
    pub it: String,
    /// English.
    pub en: String,
}

/// What a field holds; decides how it is normalised, indexed and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldKind {
    /// Words, found by words.
    Text,
    /// One code or name, found whole or by prefix.
    Keyword,
    /// A whole number.
    Integer,
    /// A decimal number, as text with a point.
    Decimal,
    /// `2026-11-22`.
    Date,
    /// `2026-11-22T10:00:00.000Z`.
    Instant,
    /// True or false.
    Boolean,
    /// Several keywords.
    List,
    /// Anything else; never indexed.
    Object,
}

/// One field of a class.
#[derive(Debug, Clone)]
pub struct Field {
    /// Its name, the key in [`Metadata`](super::Metadata).
    pub name: String,
    /// What people read.
    pub title: Title,
    /// What it holds.
    pub kind: FieldKind,
    /// Whether search finds documents by it.
    pub indexed: bool,
    /// Whether it must be there.
    pub required: bool,
    /// Whether its values are personal data that appear nowhere but in packages, journal and index.
    pub personal: bool,
    /// The AgID element it maps to: `Oggetto`, `NumeroDocumento`, `DataDocumento`, `ParoleChiave` …, `Verifica/<boolean>`,
    /// or `<role>/<part>` as in `Mittente/PartitaIva`. Checked when the class is read.
    pub agid: Option<String>,
    /// The namespace in which documents that share a value of this field are related, whatever their classes.
    pub link: Option<String>,
    /// Italian words for its coded values (`TD04`: "Nota di credito").
    pub labels: BTreeMap<String, String>,
}

/// What AgID's metadata want to know of every document of a class.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AgidDefaults {
    /// `TipologiaDocumentale` when no field says it.
    pub tipologia: String,
    /// `ModalitaDiFormazione`: a, b, c or d.
    pub formazione: String,
    /// The same for outgoing documents, when different.
    pub formazione_uscita: Option<String>,
    /// `TipologiaDiFlusso` when neither a field nor the parties say it: E, U or I.
    pub flusso: String,
    /// Values of a field for which seller and buyer change places (self-invoices).
    pub flusso_scambiato: Option<SwappedFlow>,
    /// `Nessuno` or `Repertorio_Registro`.
    pub registro: String,
    /// `Riservato`.
    pub riservato: bool,
    /// `TempoDiConservazione`: whole years, never less than the policy's period.
    pub anni: u32,
    /// `Oggetto` when no field says it; `{field}` and `{tipologia}` are replaced.
    pub oggetto: String,
}

/// When seller and buyer change places.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwappedFlow {
    /// The field to look at.
    pub field: String,
    /// Its values that swap.
    pub values: Vec<String>,
}

/// A metadata class, one version of it.
#[derive(Clone)]
pub struct Class {
    /// Its name.
    pub id: ClassId,
    /// Its version, from 1.
    pub version: u32,
    /// What people read.
    pub title: Title,
    /// Whether its documents are about persons who must not be seen in logs, errors or addresses.
    pub personal: bool,
    /// Which reader looks inside.
    pub reader: ReaderKind,
    /// Media types admitted; `*/*` is any.
    pub formats: Vec<String>,
    /// The retention policy.
    pub retention: PolicyId,
    /// The closing policy.
    pub closing: PolicyId,
    /// The fields, in the file's order.
    pub fields: Vec<Field>,
    /// Fields whose date starts the retention period; the first present counts.
    pub start_event: Vec<String>,
    /// Whether acceptance starts the period when no such field is present; otherwise the document waits (`open`).
    pub start_event_or_accepted: bool,
    /// The first day that may start the period: before it no document of the class existed.
    pub start_not_before: Date,
    /// Defaults for AgID's metadata.
    pub agid: AgidDefaults,
    /// SHA-256 of the class file.
    pub sha256: Sha256,
    /// The class file.
    pub text: Arc<str>,
    validator: Arc<jsonschema::Validator>,
}

impl fmt::Debug for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Class({}@{}, {})", self.id, self.version, self.sha256)
    }
}

impl Class {
    /// Parses a class file; `place` names it in errors.
    pub fn parse(text: &str, place: &str) -> Result<Self> {
        parse::class(text, place)
    }

    /// `<class>@<n>.json`.
    pub fn file_name(&self) -> String {
        format!("{}@{}.json", self.id, self.version)
    }

    /// A field by name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|f| f.name == name)
    }

    /// Whether documents of this format belong in the class.
    pub fn admits(&self, format: &Format) -> bool {
        self.formats.iter().any(|admitted| admitted == "*/*" || *admitted == format.media_type)
    }
}

/// The legal day (Europe/Rome) of an instant.
pub fn legal_date(instant: Timestamp) -> Date {
    // The zone database is compiled in; UTC would only ever be wrong around midnight.
    instant.to_zoned(TimeZone::get("Europe/Rome").unwrap_or(TimeZone::UTC)).date()
}

/// The date a value holds: a date, or the legal day of an instant.
pub fn date_of(value: &Value) -> Option<Date> {
    let text = value.as_str()?;
    match text.parse::<Timestamp>() {
        Ok(instant) => Some(legal_date(instant)),
        Err(_) if text.len() == 10 => text.parse().ok(),
        Err(_) => None,
    }
}

/// The classes of an archive, all versions.
#[derive(Debug, Clone, Default)]
pub struct Classes(BTreeMap<ClassId, BTreeMap<u32, Arc<Class>>>);

impl Classes {
    /// The classes compiled in, as file name and text: what `init` copies.
    pub fn builtin() -> &'static [(&'static str, &'static str)] {
        BUILTIN
    }

    /// Parses the classes compiled in.
    pub fn standard() -> Result<Self> {
        let mut classes = Self::default();
        for (name, text) in BUILTIN {
            classes.insert(Class::parse(text, name)?, name)?;
        }
        Ok(classes)
    }

    /// Loads every `*.json` of a folder. Whether the files are adopted ones is the caller's to check against the chain.
    pub fn load(dir: &Path) -> Result<Self> {
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(dir).at_path(dir)? {
            let path = entry.at_path(dir)?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                paths.push(path);
            }
        }
        paths.sort();
        let mut classes = Self::default();
        for path in paths {
            let text = durable::read_plain_text(&path)?;
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            classes.insert(Class::parse(&text, &path.display().to_string())?, &name)?;
        }
        Ok(classes)
    }

    /// Adds a class read from a file of this name, which must be the class's own.
    pub fn insert(&mut self, class: Class, file_name: &str) -> Result<()> {
        if class.file_name() != file_name {
            let hint = format!("call it {}", class.file_name());
            return Err(Error::new(Code::ConfigInvalid, "the file's name is not its class's").at(file_name).hint(hint));
        }
        self.0.entry(class.id.clone()).or_default().insert(class.version, Arc::new(class));
        Ok(())
    }

    /// The newest version of a class.
    pub fn latest(&self, id: &ClassId) -> Option<&Arc<Class>> {
        self.0.get(id).and_then(|versions| versions.values().next_back())
    }

    /// One version of a class.
    pub fn get(&self, id: &ClassId, version: u32) -> Option<&Arc<Class>> {
        self.0.get(id).and_then(|versions| versions.get(&version))
    }

    /// All classes, all versions, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Class>> {
        self.0.values().flat_map(BTreeMap::values)
    }
}
