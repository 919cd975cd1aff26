//! What ties documents together: the values of the fields that classes annotate with a `link` namespace.
//!
//! Invariants: a value counts only in its namespace, whatever the names of the fields; identifiers are compared without
//! blanks and angle brackets, exactly and, as a fallback that is said, without case (`reference/pec` section 8). Nothing
//! is derived from the shape of an identifier.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::catalog::{DocumentRow, Tie, Value, fold};
use crate::document::class::Classes;
use crate::document::reader::{ReaderKind, aggregation, is_sdi_base};

/// The namespace of digests; a document's own digest is in it too.
pub(super) const SHA256: &str = "sha256";
/// The namespace of names of invoice files, without extensions.
pub(super) const SDI_FILE: &str = "sdi-file";
/// The namespace of identifiers of documents; a document's own is in it too.
pub(super) const DOCUMENT: &str = "document";
/// The namespace of aggregations: pairs of kind and identifier, where no kind means a fascicolo.
pub(super) const AGGREGATION: &str = "aggregation";
/// The pseudo-fields of a document's own digest and identifier.
const OWN_SHA256: &str = "@sha256";
const OWN_ID: &str = "@id";
/// Namespaces of message identifiers: written with angle brackets by some, without by others.
const BRACKETED: [&str; 2] = ["pec", "msgid"];
/// A longer value is no identifier that anybody gave.
const LONGEST: usize = 1_000;

/// A value that a document holds in a namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Held {
    pub namespace: String,
    pub field: String,
    pub value: String,
}

impl Held {
    /// A value that somebody asks for, held by no document.
    pub fn asked(namespace: &str, text: &str) -> Self {
        let value = plain(namespace, text).unwrap_or_default();
        Self { namespace: namespace.to_owned(), field: String::new(), value }
    }
}

/// How two documents share a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shared {
    pub namespace: String,
    /// The field of the document that was found.
    pub field: String,
    /// Whether the values are the same to the letter.
    pub exact: bool,
}

/// Every field that ties, of every class and version.
#[derive(Debug, Default)]
pub(super) struct Known {
    by_namespace: BTreeMap<String, BTreeSet<String>>,
    by_class: BTreeMap<(String, u32), OfClass>,
}

/// What counts of one class.
#[derive(Debug, Clone)]
pub(super) struct OfClass {
    /// Its reader says what its documents are, whatever the class is called.
    pub reader: ReaderKind,
    /// Field to namespace.
    links: BTreeMap<String, String>,
}

/// The names of all fields that tie documents together: what the index of the unsealed keeps at hand.
pub(in crate::archive) fn tying_fields(classes: &Classes) -> BTreeSet<String> {
    let fields = classes.iter().flat_map(|class| &class.fields);
    fields.filter(|field| field.link.is_some()).map(|field| field.name.clone()).collect()
}

impl Known {
    pub fn of(classes: &Classes) -> Self {
        let mut known = Self::default();
        for class in classes.iter() {
            let mut links = BTreeMap::new();
            for field in &class.fields {
                if let Some(namespace) = &field.link {
                    links.insert(field.name.clone(), namespace.clone());
                    known.by_namespace.entry(namespace.clone()).or_default().insert(field.name.clone());
                }
            }
            let of_class = OfClass { reader: class.reader, links };
            known.by_class.insert((class.id.to_string(), class.version), of_class);
        }
        for (namespace, field) in [(SHA256, OWN_SHA256), (DOCUMENT, OWN_ID)] {
            known.by_namespace.entry(namespace.to_owned()).or_default().insert(field.to_owned());
        }
        known
    }

    /// Which reader understood a document.
    pub fn reader(&self, row: &DocumentRow) -> Option<ReaderKind> {
        self.by_class.get(&(row.class.to_string(), row.class_version)).map(|of_class| of_class.reader)
    }

    /// What a document says in a namespace, in upper case, whether or not that ties it to anything.
    pub fn said(&self, row: &DocumentRow, namespace: &str) -> Option<String> {
        let links = &self.by_class.get(&(row.class.to_string(), row.class_version))?.links;
        let mut linked = row.fields.iter().filter(|indexed| links.get(&indexed.name).is_some_and(|of| of == namespace));
        linked.find_map(|indexed| match &indexed.value {
            Value::Keyword(text) => Some(text.trim().to_uppercase()).filter(|text| !text.is_empty()),
            _ => None,
        })
    }

    /// What a document holds, its own digest and identifier included.
    pub fn held(&self, row: &DocumentRow) -> Vec<Held> {
        let fields = self.by_class.get(&(row.class.to_string(), row.class_version));
        let mut found: BTreeSet<Held> = row
            .fields
            .iter()
            .filter_map(|indexed| {
                let namespace = fields?.links.get(&indexed.name)?;
                let Value::Keyword(text) = &indexed.value else { return None };
                let value = plain(namespace, text)?;
                Some(Held { namespace: namespace.clone(), field: indexed.name.clone(), value })
            })
            .collect();
        let own = [(SHA256, OWN_SHA256, row.sha256.to_string()), (DOCUMENT, OWN_ID, row.id.to_string())];
        for (namespace, field, value) in own {
            found.insert(Held { namespace: namespace.to_owned(), field: field.to_owned(), value });
        }
        found.into_iter().collect()
    }

    /// What to ask the catalog for, to find who shares this value.
    pub fn ties(&self, held: &Held) -> Vec<Tie> {
        let fields = self.by_namespace.get(&held.namespace).into_iter().flatten();
        let fields = fields.filter(|field| comparable(held, field));
        let bracketed = BRACKETED.contains(&held.namespace.as_str());
        fields
            .flat_map(|field| {
                let tie = |value: String| Tie { field: field.clone(), value };
                let other = match held.namespace.as_str() {
                    AGGREGATION => held.value.strip_prefix("fascicolo/").map(|bare| tie(bare.to_owned())),
                    _ => bracketed.then(|| tie(format!("<{}>", held.value))),
                };
                [Some(tie(held.value.clone())), other].into_iter().flatten()
            })
            .collect()
    }

    /// How a document that was found shares one of these values; none when the catalog's wider criterion found it.
    pub fn shared(&self, asked: &Asked<'_>, found: &DocumentRow) -> BTreeSet<Shared> {
        let mut shared = BTreeSet::new();
        for held in self.held(found) {
            let Some(alike) = asked.alike(&held) else { continue };
            let mut alike = alike.iter().filter(|one| comparable(one, &held.field)).peekable();
            if alike.peek().is_some() {
                let exact = alike.any(|one| one.value == held.value);
                shared.insert(Shared { namespace: held.namespace, field: held.field, exact });
            }
        }
        shared
    }
}

/// Values that were asked for, by how they are compared: a question of a thousand values finds thousands of documents, and each is
/// held against all of them.
#[derive(Debug)]
pub(super) struct Asked<'a>(HashMap<(&'a str, String), Vec<&'a Held>>);

impl<'a> Asked<'a> {
    pub fn of(values: &'a [Held]) -> Self {
        let mut by: HashMap<(&str, String), Vec<&Held>> = HashMap::with_capacity(values.len());
        for one in values {
            by.entry((one.namespace.as_str(), fold(&one.value))).or_default().push(one);
        }
        Self(by)
    }

    fn alike<'b>(&'b self, held: &'b Held) -> Option<&'b [&'a Held]> {
        self.0.get(&(held.namespace.as_str(), fold(&held.value))).map(Vec::as_slice)
    }
}

/// Two messages that carry the same picture have nothing to do with each other: a digest ties an attachment, or what a
/// notification speaks of, to the document it is the digest of, and never one attachment to another.
fn comparable(held: &Held, field: &str) -> bool {
    match held.namespace.as_str() {
        SHA256 => held.field != field,
        // What two documents both name does not tie them; the document that is named is tied to each.
        DOCUMENT => (held.field == OWN_ID) != (field == OWN_ID),
        _ => true,
    }
}

/// A value as it is compared; nothing when it says nothing.
fn plain(namespace: &str, text: &str) -> Option<String> {
    let text = text.trim();
    let text = match namespace {
        "pec" | "msgid" => text.trim_start_matches('<').trim_end_matches('>').trim().to_owned(),
        SHA256 | DOCUMENT => text.to_ascii_lowercase(),
        // What anybody may call a file ties nothing: by SdI's rule a name is one transmitter's, and used once.
        SDI_FILE => Some(text.to_uppercase()).filter(|base| is_sdi_base(base)).unwrap_or_default(),
        AGGREGATION => {
            let (kind, id) = aggregation::pair(text);
            let word = aggregation::KINDS.iter().find(|(_, agid)| *agid == kind).map_or(kind, |(word, _)| word);
            if id.is_empty() { String::new() } else { format!("{word}/{id}") }
        }
        _ => text.to_owned(),
    };
    // SdI writes 0 for an identifier it does not know (`reference/fatturapa` 8.1, SE).
    let unknown = namespace == "sdi" && text.bytes().all(|b| b == b'0');
    (!text.is_empty() && !unknown && text.len() <= LONGEST).then_some(text)
}

/// The values that a document holds in one namespace.
pub(super) fn of_namespace<'a>(held: &'a [Held], namespace: &'a str) -> impl Iterator<Item = &'a str> {
    held.iter()
        .filter(move |one| one.namespace == namespace && !one.field.starts_with('@'))
        .map(|one| one.value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Indexed;
    use crate::hash::Sha256;

    type Fields = &'static [(&'static str, &'static str)];
    const CLASSES: [(&str, u32, Fields); 3] = [
        ("pec-message", 1, &[("identifier", "pec"), ("msgid", "msgid"), ("attachment_sha256", "sha256")]),
        ("sdi-notification", 1, &[("pec_message_id", "pec"), ("file_sha256", "sha256"), ("sdi_identifier", "sdi")]),
        ("generic", 1, &[]),
    ];

    fn known() -> Known {
        let mut known = Known::default();
        for (class, version, fields) in CLASSES {
            for (field, namespace) in fields {
                known.by_namespace.entry((*namespace).to_owned()).or_default().insert((*field).to_owned());
            }
            let links =
                fields.iter().map(|(field, namespace)| ((*field).to_owned(), (*namespace).to_owned())).collect();
            known.by_class.insert((class.to_owned(), version), OfClass { reader: ReaderKind::Generic, links });
        }
        for (namespace, field) in [(SHA256, OWN_SHA256), (DOCUMENT, OWN_ID)] {
            known.by_namespace.entry(namespace.to_owned()).or_default().insert(field.to_owned());
        }
        known
    }

    fn row(n: u64, class: &str, fields: &[(&str, &str)]) -> DocumentRow {
        let at: jiff::Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        DocumentRow {
            id: crate::id::DocumentId::new(at),
            receipt: crate::id::ReceiptId::new(at),
            lane: crate::id::Lane(1),
            sequence: crate::id::Sequence(n),
            class: class.parse().unwrap(),
            class_version: 1,
            accepted_at: at,
            name: "a".into(),
            media_type: "message/rfc822".into(),
            bytes: 1,
            sha256: Sha256::of(&n.to_be_bytes()),
            package: None,
            fields: fields
                .iter()
                .map(|(name, value)| Indexed { name: (*name).into(), value: Value::Keyword((*value).into()) })
                .collect(),
        }
    }

    fn namespaces(one: &DocumentRow, other: &DocumentRow) -> Vec<(String, bool)> {
        let known = known();
        let held = known.held(one);
        let shared = known.shared(&Asked::of(&held), other);
        shared.into_iter().map(|s| (s.namespace, s.exact)).collect()
    }

    #[test]
    fn brackets_blanks_and_case_do_not_part_and_case_is_said() {
        let envelope = row(1, "pec-message", &[("identifier", "opec1@Pec.example")]);
        let other = row(2, "sdi-notification", &[("pec_message_id", " <opec1@Pec.example> ")]);
        assert_eq!(namespaces(&envelope, &other), [("pec".to_owned(), true)]);
        let shouted = row(3, "sdi-notification", &[("pec_message_id", "OPEC1@PEC.EXAMPLE")]);
        assert_eq!(namespaces(&envelope, &shouted), [("pec".to_owned(), false)]);
        let held = known().held(&envelope);
        let ties = known().ties(held.iter().find(|held| held.namespace == "pec").unwrap());
        assert!(ties.contains(&Tie { field: "pec_message_id".into(), value: "<opec1@Pec.example>".into() }));
    }

    #[test]
    fn a_field_counts_in_its_class_and_namespace_only() {
        let message = row(1, "pec-message", &[("identifier", "1234"), ("sdi_identifier", "1234")]);
        let notification = row(2, "sdi-notification", &[("sdi_identifier", "1234")]);
        assert!(namespaces(&message, &notification).is_empty());
        assert!(namespaces(&notification, &row(3, "generic", &[("sdi_identifier", "1234")])).is_empty());
        assert_eq!(namespaces(&notification, &row(4, "sdi-notification", &[("sdi_identifier", "1234")])).len(), 1);
    }

    #[test]
    fn a_digest_ties_to_its_document_and_two_attachments_to_nothing() {
        let document = row(7, "generic", &[]);
        let digest = document.sha256.to_string().to_uppercase();
        let one = row(1, "pec-message", &[("attachment_sha256", &digest)]);
        let other = row(2, "pec-message", &[("attachment_sha256", &digest)]);
        let notification = row(3, "sdi-notification", &[("file_sha256", &digest)]);
        assert_eq!(namespaces(&one, &document), [("sha256".to_owned(), true)]);
        assert_eq!(namespaces(&document, &one), [("sha256".to_owned(), true)]);
        assert_eq!(namespaces(&one, &notification), [("sha256".to_owned(), true)]);
        assert!(namespaces(&one, &other).is_empty());
        assert!(namespaces(&document, &row(7, "generic", &[])).is_empty());
    }

    #[test]
    fn what_says_nothing_ties_nothing() {
        for (namespace, text) in [("pec", " <> "), ("sdi", "0"), ("sdi", "000"), ("sdi-file", ""), ("msgid", "<")] {
            assert_eq!(plain(namespace, text), None, "{namespace} {text:?}");
        }
        assert_eq!(plain("pec", &"x".repeat(LONGEST + 1)), None);
        assert_eq!(plain("sdi-file", "it01234567890_a").as_deref(), Some("IT01234567890_A"));
        for name in ["fattura", "IT01_A", "IT01234567890_000001", "fattura (1)"] {
            assert_eq!(plain("sdi-file", name), None, "{name}");
        }
        assert_eq!(plain(AGGREGATION, "7/2026").as_deref(), Some("fascicolo/7/2026"));
        assert_eq!(plain(AGGREGATION, "serie-documentale/2026").as_deref(), Some("serie-documentale/2026"));
        assert_eq!(plain(AGGREGATION, "fascicolo/"), None);
    }
}
