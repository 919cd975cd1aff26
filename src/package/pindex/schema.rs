//! The structure of PIndex.xsd, as a table: element, occurrences, attributes, values.
//!
//! Our own statement of UNI 11386:2020; stricter where the schema is lax without need (EmbeddedMetadata holds one element,
//! no text, no attribute, which both known forms of the schema accept).

use super::element::{Element, Space};

type Values = fn(&str) -> bool;

/// What may stand inside an element.
enum Content {
    /// Text that satisfies this.
    Text(Values),
    /// These, in this order.
    Sequence(&'static [Particle]),
    /// Exactly one of these.
    Choice(&'static [Particle]),
    /// Exactly one element of any namespace.
    AnyOne,
}

struct Type {
    attributes: &'static [(&'static str, bool, Values)],
    content: Content,
}

struct Particle {
    name: &'static str,
    min: usize,
    max: usize,
    kind: &'static Type,
}

const MANY: usize = usize::MAX;

const fn p(name: &'static str, min: usize, max: usize, kind: &'static Type) -> Particle {
    Particle { name, min, max, kind }
}

fn any(_: &str) -> bool {
    true
}

fn uri(text: &str) -> bool {
    !text.chars().any(|c| c.is_whitespace() || c.is_control() || "<>\"{}|\\^`".contains(c))
}

fn boolean(text: &str) -> bool {
    ["true", "false", "1", "0"].contains(&text.trim())
}

fn language(text: &str) -> bool {
    let mut parts = text.trim().split('-');
    parts.next().is_some_and(|p| (1..=8).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_alphabetic()))
        && parts.all(|p| (1..=8).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_alphanumeric()))
}

fn version(text: &str) -> bool {
    text.trim() == "2.0"
}

fn schema_uri(text: &str) -> bool {
    text.trim() == "http://www.uni.com/U3011/sincro-v2/PIndex.xsd"
}

fn encoding(text: &str) -> bool {
    ["7bit", "8bit", "base64", "binary", "quoted-printable"].contains(&text)
}

fn derivation(text: &str) -> bool {
    ["onetoone", "manytoone", "onetomany"].contains(&text)
}

fn agent_type(text: &str) -> bool {
    ["natural person", "legal person"].contains(&text)
}

fn holder_role(text: &str) -> bool {
    ["soggetto produttore", "soggetto proprietario", "soggetto possessore", "soggetto detentore"].contains(&text)
}

/// `(PAS|IDC|PNO|TIN|VAT|NTR|([A-Za-z0-9]{2}:))[A-Z]{2}\-[a-zA-Z0-9]+`
pub(super) fn agent_id(text: &str) -> bool {
    let Some((scheme, value)) = text.split_once('-') else { return false };
    let (Some(kind), Some(country)) = (scheme.get(..3), scheme.get(3..)) else { return false };
    let known = ["PAS", "IDC", "PNO", "TIN", "VAT", "NTR"].contains(&kind);
    let national = kind.ends_with(':') && kind[..2].bytes().all(|b| b.is_ascii_alphanumeric());
    (known || national)
        && country.len() == 2
        && country.bytes().all(|b| b.is_ascii_uppercase())
        && !value.is_empty()
        && value.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// `xs:dateTime` with a zone: without one an instant is no instant.
fn date_time(text: &str) -> bool {
    let text = text.trim();
    text.len() >= 20 && text.as_bytes()[10] == b'T' && !text.contains('[') && text.parse::<jiff::Timestamp>().is_ok()
}

static TEXT: Type = Type { attributes: &[], content: Content::Text(any) };
static URI: Type = Type { attributes: &[], content: Content::Text(uri) };
static ID: Type = Type { attributes: &[("scheme", true, any)], content: Content::Text(any) };
static HASH: Type =
    Type { attributes: &[("canonicalXML", false, boolean), ("hashFunction", true, any)], content: Content::Text(any) };
static PREVIOUS_HASH: Type = Type {
    attributes: &[("canonicalXML", false, boolean), ("hashFunction", true, any), ("relatedPIndex", true, any)],
    content: Content::Text(any),
};
static RELATION: Type =
    Type { attributes: &[], content: Content::Sequence(&[p("Type", 1, 1, &TEXT), p("Value", 1, MANY, &TEXT)]) };
static EMBEDDED: Type = Type { attributes: &[], content: Content::AnyOne };
static EXTERNAL: Type = Type {
    attributes: &[("encoding", true, encoding), ("extension", false, any), ("format", true, any)],
    content: Content::Sequence(&[
        p("ID", 1, 1, &ID),
        p("Path", 1, 1, &URI),
        p("Hash", 1, 1, &HASH),
        p("MoreInfo", 0, 1, &MORE_INFO),
    ]),
};
static MORE_INFO: Type = Type {
    attributes: &[("xmlSchema", true, uri)],
    content: Content::Choice(&[p("EmbeddedMetadata", 1, 1, &EMBEDDED), p("ExternalMetadata", 1, 1, &EXTERNAL)]),
};
static APPLICATION: Type = Type {
    attributes: &[],
    content: Content::Sequence(&[p("Name", 1, 1, &TEXT), p("Version", 1, 1, &TEXT), p("Producer", 1, 1, &TEXT)]),
};
static PINDEX_SOURCE: Type = Type {
    attributes: &[("derivation", true, derivation)],
    content: Content::Sequence(&[p("ID", 1, 1, &ID), p("Path", 1, 1, &URI), p("Hash", 1, 1, &HASH)]),
};
static SELF_DESCRIPTION: Type = Type {
    attributes: &[],
    content: Content::Sequence(&[
        p("ID", 1, 1, &ID),
        p("CreatingApplication", 1, 1, &APPLICATION),
        p("PIndexSource", 0, MANY, &PINDEX_SOURCE),
        p("MoreInfo", 0, 1, &MORE_INFO),
    ]),
};
static VOLUME_SOURCE: Type =
    Type { attributes: &[], content: Content::Sequence(&[p("ID", 1, 1, &ID), p("PIndexID", 1, 1, &ID)]) };
static VOLUME_GROUP: Type = Type {
    attributes: &[],
    content: Content::Sequence(&[p("ID", 1, 1, &ID), p("Label", 0, 1, &TEXT), p("Description", 0, 1, &TEXT)]),
};
static VOLUME: Type = Type {
    attributes: &[],
    content: Content::Sequence(&[
        p("ID", 1, 1, &ID),
        p("Label", 0, 1, &TEXT),
        p("Description", 0, 1, &TEXT),
        p("PVolumeSource", 0, MANY, &VOLUME_SOURCE),
        p("PVolumeGroup", 0, 1, &VOLUME_GROUP),
        p("MoreInfo", 0, 1, &MORE_INFO),
    ]),
};
static FILE: Type = Type {
    attributes: &[("encoding", true, encoding), ("extension", false, any), ("format", true, any)],
    content: Content::Sequence(&[
        p("ID", 1, 1, &ID),
        p("Path", 1, 1, &URI),
        p("Hash", 1, 1, &HASH),
        p("PreviousHash", 0, 1, &PREVIOUS_HASH),
        p("Relation", 0, MANY, &RELATION),
        p("MoreInfo", 0, 1, &MORE_INFO),
    ]),
};
static FILE_GROUP: Type = Type {
    attributes: &[],
    content: Content::Sequence(&[
        p("ID", 1, 1, &ID),
        p("Label", 0, 1, &TEXT),
        p("Description", 0, 1, &TEXT),
        p("File", 1, MANY, &FILE),
        p("Relation", 0, MANY, &RELATION),
        p("MoreInfo", 0, 1, &MORE_INFO),
    ]),
};
static AGENT_ID: Type = Type {
    attributes: &[("expan", false, any), ("nameRegistrationAuthority", false, any)],
    content: Content::Text(agent_id),
};
static NAME_AND_SURNAME: Type =
    Type { attributes: &[], content: Content::Sequence(&[p("FirstName", 1, 1, &TEXT), p("LastName", 1, 1, &TEXT)]) };
static AGENT_NAME: Type = Type {
    attributes: &[],
    content: Content::Choice(&[p("NameAndSurname", 1, 1, &NAME_AND_SURNAME), p("FormalName", 1, 1, &TEXT)]),
};
static RELEVANT: Type = Type {
    attributes: &[("docHash", false, any), ("hashFunction", false, any), ("uriDoc", false, uri)],
    content: Content::Text(any),
};
const AGENT: Content = Content::Sequence(&[
    p("AgentID", 0, MANY, &AGENT_ID),
    p("AgentName", 1, 1, &AGENT_NAME),
    p("RelevantDocument", 1, MANY, &RELEVANT),
    p("MoreInfo", 0, 1, &MORE_INFO),
]);
static SUBMITTER: Type = Type { attributes: &[("agentType", true, agent_type)], content: AGENT };
static HOLDER: Type =
    Type { attributes: &[("agentType", true, agent_type), ("holderRole", true, holder_role)], content: AGENT };
static SIGNER: Type =
    Type { attributes: &[("agentType", true, agent_type), ("signerRole", false, any)], content: AGENT };
static TIME_INFO: Type =
    Type { attributes: &[("attachedTimeStamp", true, boolean)], content: Content::Text(date_time) };
static TIME_STAMP: Type = Type {
    attributes: &[("encoding", true, encoding), ("format", true, any), ("normal", true, date_time)],
    content: Content::Text(uri),
};
static TIME_REFERENCE: Type = Type {
    attributes: &[],
    content: Content::Choice(&[p("TimeInfo", 1, 1, &TIME_INFO), p("TimeStamp", 1, 1, &TIME_STAMP)]),
};
static PROCESS: Type = Type {
    attributes: &[],
    content: Content::Sequence(&[
        p("Submitter", 1, 1, &SUBMITTER),
        p("Holder", 1, MANY, &HOLDER),
        p("AuthorizedSigner", 1, MANY, &SIGNER),
        p("TimeReference", 1, 1, &TIME_REFERENCE),
        p("LawsAndRegulations", 0, 1, &TEXT),
        p("MoreInfo", 0, 1, &MORE_INFO),
    ]),
};
/// The root's children are judged one by one as they come.
static ROOT_ATTRIBUTES: &[(&str, bool, Values)] =
    &[("language", true, language), ("sincroVersion", true, version), ("uri", true, schema_uri)];
static PARTS: &[Particle] = &[
    p("SelfDescription", 1, 1, &SELF_DESCRIPTION),
    p("PVolume", 1, 1, &VOLUME),
    p("FileGroup", 1, MANY, &FILE_GROUP),
    p("Process", 1, 1, &PROCESS),
];

/// Judges the root's name and attributes.
pub(super) fn root(element: &Element, say: &mut dyn FnMut(&str, &str)) {
    if element.space != Space::Sincro || element.name != "PIndex" {
        say("", "the root is not PIndex of UNI 11386:2020");
    }
    attributes(element, ROOT_ATTRIBUTES, "PIndex", say);
}

/// Follows the order of the root's children.
#[derive(Default)]
pub(super) struct Order {
    at: usize,
    count: usize,
}

impl Order {
    /// Judges the next child and all below it.
    pub(super) fn next(&mut self, element: &Element, place: &str, say: &mut dyn FnMut(&str, &str)) {
        let found = PARTS.iter().position(|part| element.space == Space::Sincro && element.name == part.name);
        let Some(found) = found else { return say(place, "an element that has no place here") };
        if found != self.at || self.count == PARTS[found].max {
            let skipped = found > self.at && PARTS[self.at + 1..found].iter().any(|part| part.min > 0);
            if found <= self.at || skipped || self.count < PARTS[self.at].min {
                say(place, "out of order, missing before, or too many");
            }
            (self.at, self.count) = (found, 0);
        }
        self.count += 1;
        judge(element, PARTS[found].kind, place, say);
    }

    /// Judges the end: all that must be there was there.
    pub(super) fn end(&self, say: &mut dyn FnMut(&str, &str)) {
        if self.at + 1 != PARTS.len() || self.count == 0 {
            say("PIndex", "an element is missing at the end");
        }
    }
}

fn attributes(element: &Element, allowed: &[(&str, bool, Values)], place: &str, say: &mut dyn FnMut(&str, &str)) {
    for (space, name, value) in &element.attributes {
        // Attributes of the XMLSchema-instance namespace are always admitted by a validator.
        if matches!(space, Space::Other(ns) if ns == "http://www.w3.org/2001/XMLSchema-instance") {
            continue;
        }
        match allowed.iter().find(|(known, _, _)| *space == Space::Sincro && known == name) {
            None => say(place, &format!("attribute {name} is unknown or lacks its prefix")),
            Some((_, _, fits)) if !fits(value) => {
                say(place, &format!("attribute {name} has a value that is not admitted"))
            }
            Some(_) => {}
        }
    }
    for (name, _, _) in allowed.iter().filter(|(name, required, _)| *required && element.attribute(name).is_none()) {
        say(place, &format!("attribute {name} is missing"));
    }
}

fn judge(element: &Element, kind: &Type, place: &str, say: &mut dyn FnMut(&str, &str)) {
    attributes(element, kind.attributes, place, say);
    if !matches!(kind.content, Content::Text(_)) && !element.text.trim().is_empty() {
        say(place, "text where only elements may stand");
    }
    match kind.content {
        Content::Text(fits) => {
            if !element.children.is_empty() {
                say(place, "elements where only text may stand");
            }
            if !fits(&element.text) {
                say(place, "a value that is not admitted");
            }
        }
        Content::AnyOne => {
            if element.children.len() != 1 {
                say(place, "exactly one element must be embedded");
            }
        }
        Content::Choice(particles) => {
            if element.children.len() != 1 {
                return say(place, "exactly one element must stand here");
            }
            sequence_of(element, particles, place, say, true);
        }
        Content::Sequence(particles) => sequence_of(element, particles, place, say, false),
    }
}

fn sequence_of(element: &Element, particles: &[Particle], place: &str, say: &mut dyn FnMut(&str, &str), choice: bool) {
    let mut children = element.children.iter().peekable();
    for particle in particles {
        let mut count = 0;
        while count < particle.max
            && let Some(child) = children.next_if(|c| c.space == Space::Sincro && c.name == particle.name)
        {
            count += 1;
            judge(child, particle.kind, &format!("{place}/{}", particle.name), say);
        }
        if count < particle.min && !choice {
            say(place, &format!("{} is missing or out of order", particle.name));
        }
    }
    if children.next().is_some() {
        say(place, "an element that has no place here, or out of order");
    }
}
