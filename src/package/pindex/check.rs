//! Reading the index: structure, the rules the schema cannot state, and what a check needs of it.
//!
//! Invariant: a reading without findings has seen the whole index, its structure is that of the schema, every path is
//! plain and relative, every identifier stands once, every hash is SHA-256, every link leads somewhere. Whether files and
//! hashes agree with the content is asked of the package's reader, which has it. Findings never hold a value.

use std::collections::HashSet;
use std::io::BufRead;

use base64::Engine as _;
use jiff::Timestamp;
use jiff::civil::Date;
use unicode_normalization::is_nfc;

use super::agents::{Agent, AgentName};
use super::element::{Element, Space, Trouble, parts};
use super::schema::{self, Order};
use super::{ELSEWHERE, SERIES_NAMESPACE};
use crate::error::{Code, Error, Finding, Result};
use crate::hash::Sha256;
use crate::id::{ClassId, PackageRef, PolicyId, SeriesId};
use crate::package::plan::{MAX_DOCUMENTS, PolicyVersion};

/// Findings kept; an index wrong everywhere is wrong enough.
const MAX_FINDINGS: usize = 100;
/// Identifiers kept: group, file and metadata of each document, five for each receipt.
const MAX_IDS: usize = 8 * MAX_DOCUMENTS;

/// Authorised signers kept; real indexes name one or two.
const MAX_SIGNERS: usize = 100;

/// A file the index lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// ID of its FileGroup.
    pub group: String,
    /// Its own ID.
    pub id: String,
    /// Its path.
    pub path: String,
    /// Its SHA-256.
    pub sha256: Sha256,
    /// Media type written in `format`.
    pub format: String,
    /// Whether it is ExternalMetadata of the file before it.
    pub metadata: bool,
}

/// The element that ties a package to its series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// Series and number.
    pub package: PackageRef,
    /// SHA-256 of the index before.
    pub previous: Sha256,
    /// Class of the documents.
    pub class: ClassId,
    /// Its version.
    pub class_version: u32,
    /// Retention policy at sealing.
    pub policy: PolicyVersion,
    /// Cohort.
    pub cohort: String,
    /// Expiry at sealing.
    pub expiry: Option<Date>,
    /// Holder, as configured.
    pub holder: String,
    /// `trial` or `production`.
    pub profile: String,
}

/// What the index says of itself.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Index {
    /// ID of the index.
    pub id: String,
    /// ID of the package (`urn:uuid:…`).
    pub volume: String,
    /// The series element; `None` when missing or wrong, which is a finding.
    pub series: Option<Series>,
    /// Earlier indexes: ID and SHA-256.
    pub sources: Vec<(String, Sha256)>,
    /// TimeInfo.
    pub time: Option<Timestamp>,
    /// Whether a time-stamp accompanies the index.
    pub attached_time_stamp: bool,
    /// AgentIDs of the authorised signers.
    pub signers: Vec<String>,
    /// The authorised signers, as far as they are named; their documents are left out.
    pub authorised: Vec<Agent>,
    /// Number of files given.
    pub files: u64,
    /// What is wrong; empty when nothing is.
    pub findings: Vec<Finding>,
}

/// Reads an index, giving each file listed in turn. What is wrong, including XML that is not well formed, is in the
/// findings; an error means that it could not be read.
pub fn read<R: BufRead>(reader: R, each: &mut dyn FnMut(FileEntry)) -> Result<Index> {
    let mut reading = Reading::default();
    let outcome = parts(reader, &mut |element| reading.part(&element, each));
    match outcome {
        Ok(()) => reading.end(),
        Err(Trouble::Xml(what)) => reading.say("", &what),
        Err(Trouble::Io(e)) => return Err(Error::io(crate::package::PINDEX, e)),
    }
    Ok(reading.index)
}

#[derive(Default)]
struct Reading {
    index: Index,
    started: bool,
    order: Order,
    groups: u64,
    ids: HashSet<Box<str>>,
    paths: HashSet<Box<str>>,
    links: Vec<(Box<str>, u64)>,
    deposit: bool,
}

impl Reading {
    fn say(&mut self, place: &str, what: &str) {
        if self.index.findings.len() < MAX_FINDINGS {
            let place = if place.is_empty() {
                crate::package::PINDEX.to_owned()
            } else {
                format!("{} {place}", crate::package::PINDEX)
            };
            self.index.findings.push(Finding::error(Code::PIndexInvalid, place, what));
        }
    }

    fn part(&mut self, element: &Element, each: &mut dyn FnMut(FileEntry)) {
        let mut said = Vec::new();
        let mut say = |place: &str, what: &str| {
            if said.len() < MAX_FINDINGS {
                said.push((place.to_owned(), what.to_owned()));
            }
        };
        if !self.started {
            self.started = true;
            schema::root(element, &mut say);
        } else {
            let place = match &*element.name {
                "FileGroup" => format!("FileGroup[{}]", self.groups + 1),
                known @ ("SelfDescription" | "PVolume" | "Process") => known.to_owned(),
                _ => "PIndex".to_owned(),
            };
            self.order.next(element, &place, &mut say);
            match &*element.name {
                "SelfDescription" => self.self_description(element),
                "PVolume" => {
                    self.index.volume = text(element, "ID");
                    let volume = self.index.volume.clone();
                    self.identifier(&volume, "PVolume");
                }
                "FileGroup" => self.file_group(element, each),
                "Process" => self.process(element),
                _ => {}
            }
        }
        for (place, what) in said {
            self.say(&place, &what);
        }
    }

    fn self_description(&mut self, element: &Element) {
        self.index.id = text(element, "ID");
        let id = self.index.id.clone();
        self.identifier(&id, "SelfDescription");
        for source in element.children_of("PIndexSource") {
            match hash_of(source) {
                Some(hash) => self.index.sources.push((text(source, "ID"), hash)),
                None => self.say("SelfDescription/PIndexSource/Hash", "not a SHA-256"),
            }
        }
        let embedded =
            element.child("MoreInfo").and_then(|m| m.child("EmbeddedMetadata")).and_then(|e| e.children.first());
        match embedded.and_then(series) {
            Some(series) if (series.package.number == 1) == (series.previous == Sha256::ZERO) => {
                self.index.series = Some(series);
            }
            Some(_) => {
                self.say("SelfDescription/MoreInfo", "the first package of a series, and no other, follows nothing")
            }
            None => self.say("SelfDescription/MoreInfo", "the series element is missing or wrong"),
        }
    }

    fn identifier(&mut self, id: &str, place: &str) {
        if id.trim().is_empty() {
            self.say(place, "empty ID");
        } else if self.ids.len() >= MAX_IDS || !self.ids.insert(id.into()) {
            self.say(place, "an ID stands twice, or too many");
        }
    }

    fn relations(&mut self, element: &Element) {
        for value in element.children_of("Relation").flat_map(|r| r.children_of("Value")) {
            let value = value.text.trim();
            if value.starts_with("urn:") && !value.starts_with(ELSEWHERE) && self.links.len() < MAX_IDS {
                self.links.push((value.into(), self.groups));
            }
        }
    }

    fn file_group(&mut self, element: &Element, each: &mut dyn FnMut(FileEntry)) {
        self.groups += 1;
        let place = format!("FileGroup[{}]", self.groups);
        let group = text(element, "ID");
        self.identifier(&group, &place);
        self.relations(element);
        let (mut receipt, mut manifest) = (false, false);
        for (n, file) in element.children_of("File").enumerate() {
            let place = format!("{place}/File[{}]", n + 1);
            let path = text(file, "Path");
            receipt |= path.starts_with("receipts/") && path.ends_with(".xml");
            manifest |= path.starts_with("manifests/");
            self.relations(file);
            self.file(file, &group, false, &place, each);
            if let Some(metadata) = file.child("MoreInfo").and_then(|m| m.child("ExternalMetadata")) {
                self.file(metadata, &group, true, &format!("{place}/ExternalMetadata"), each);
            }
        }
        self.deposit |= receipt && manifest;
    }

    fn file(&mut self, file: &Element, group: &str, metadata: bool, place: &str, each: &mut dyn FnMut(FileEntry)) {
        let id = text(file, "ID");
        self.identifier(&id, place);
        let path = text(file, "Path");
        if !plain(&path) {
            self.say(&format!("{place}/Path"), "not a plain relative path");
        } else if self.paths.len() >= MAX_IDS || !self.paths.insert(path.as_str().into()) {
            self.say(&format!("{place}/Path"), "a path stands twice, or too many");
        }
        let Some(sha256) = hash_of(file) else {
            return self.say(&format!("{place}/Hash"), "not a SHA-256 of the stored bytes");
        };
        self.index.files += 1;
        let format = file.attribute("format").unwrap_or_default().to_owned();
        each(FileEntry { group: group.to_owned(), id, path, sha256, format, metadata });
    }

    fn process(&mut self, element: &Element) {
        for agent in element.children.iter().filter(|e| e.child("AgentName").is_some()) {
            let formal = agent.child("AgentName").is_some_and(|n| n.child("FormalName").is_some());
            if formal != (agent.attribute("agentType") == Some("legal person")) {
                self.say(&format!("Process/{}", agent.name), "agentType does not go with the sort of name");
            }
            if agent.name == "AuthorizedSigner" {
                self.index.signers.extend(agent.children_of("AgentID").map(|id| id.text.clone()));
                if self.index.authorised.len() < MAX_SIGNERS {
                    self.index.authorised.extend(named(agent));
                }
            }
        }
        let Some(time) = element.child("TimeReference").and_then(|t| t.child("TimeInfo")) else { return };
        self.index.time = time.text.trim().parse().ok();
        self.index.attached_time_stamp =
            matches!(time.attribute("attachedTimeStamp").map(str::trim), Some("true" | "1"));
    }

    fn end(&mut self) {
        let mut said = Vec::new();
        self.order.end(&mut |place, what| said.push((place.to_owned(), what.to_owned())));
        for (place, what) in said {
            self.say(&place, &what);
        }
        for (link, group) in std::mem::take(&mut self.links) {
            if !self.ids.contains(&link) {
                self.say(&format!("FileGroup[{group}]"), "a Relation leads nowhere");
            }
        }
        if !self.deposit {
            self.say("", "no FileGroup holds a receipt (RdV) and its manifest");
        }
    }
}

/// An agent's name and first identifier.
fn named(agent: &Element) -> Option<Agent> {
    let name = agent.child("AgentName")?;
    let name = match name.child("NameAndSurname") {
        Some(person) => AgentName::Natural { first: text(person, "FirstName"), last: text(person, "LastName") },
        None => AgentName::Legal(text(name, "FormalName")),
    };
    let id = agent.children_of("AgentID").find_map(|id| id.text.trim().parse().ok());
    Some(Agent { name, id, documents: Vec::new() })
}

fn text(element: &Element, name: &str) -> String {
    element.child(name).map(|e| e.text.trim().to_owned()).unwrap_or_default()
}

/// The Hash of a file: SHA-256 in hex or base64, over the stored bytes.
fn hash_of(element: &Element) -> Option<Sha256> {
    let hash = element.child("Hash")?;
    let plain = !matches!(hash.attribute("canonicalXML").map(str::trim), Some("true" | "1"));
    (plain && hash.attribute("hashFunction") == Some("SHA-256")).then_some(())?;
    let text = hash.text.trim();
    match text.len() {
        64 => text.parse().ok(),
        44 => Some(Sha256(base64::engine::general_purpose::STANDARD.decode(text).ok()?.try_into().ok()?)),
        _ => None,
    }
}

/// Relative, no `.` or `..`, no scheme, no escapes, no backslash, NFC.
fn plain(path: &str) -> bool {
    path.len() <= 1024
        && path.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
        && !path.chars().any(|c| c.is_control() || c.is_whitespace() || "%:\\?#".contains(c))
        && is_nfc(path)
}

fn series(element: &Element) -> Option<Series> {
    let own =
        |e: &Element, name: &str| matches!(&e.space, Space::Other(ns) if ns == SERIES_NAMESPACE) && e.name == name;
    own(element, "Serie").then_some(())?;
    let find = |name: &str| {
        let mut all = element.children.iter().filter(|e| own(e, name));
        all.next().filter(|_| all.next().is_none())
    };
    let value = |name: &str| find(name).map(|e| e.text.trim().to_owned());
    let version = |name: &str| {
        let attributes = &find(name)?.attributes;
        attributes.iter().find(|(_, name, _)| name == "versione")?.2.parse().ok()
    };
    let number = value("Numero")?.parse().ok().filter(|n| *n > 0)?;
    let expiry = match value("Scadenza") {
        None => None,
        Some(text) => Some(text.parse().ok()?),
    };
    Some(Series {
        package: PackageRef { series: value("Nome")?.parse::<SeriesId>().ok()?, number },
        previous: value("IndicePrecedente")?.parse().ok()?,
        class: value("Classe")?.parse().ok()?,
        class_version: version("Classe")?,
        policy: PolicyVersion { id: value("Politica")?.parse::<PolicyId>().ok()?, version: version("Politica")? },
        cohort: value("Coorte")?,
        expiry,
        holder: value("Titolare")?,
        profile: value("Profilo")?,
    })
}
