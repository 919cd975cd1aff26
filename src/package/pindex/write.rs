//! Writing the index.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use super::agents::{Agent, AgentName, RelevantDocument};
use super::{ELSEWHERE, NAMESPACE, Process, SERIES_NAMESPACE};
use crate::clock::iso_seconds;
use crate::error::{AtPlace, Result};
use crate::hash::Sha256;
use crate::id::ReceiptId;
use crate::package::member::{Kind, Member};
use crate::package::plan::{Document, Plan, Receipt};

const LAWS: &str = "D.Lgs. 7 marzo 2005, n. 82, artt. 43-44; AgID, Linee guida sulla formazione, gestione e conservazione \
                    dei documenti informatici; UNI 11386:2020";
const METADATA_SCHEMA: &str = "urn:custode:metadata:1";

/// Identifier of a document's File.
pub fn document_id(document: impl std::fmt::Display) -> String {
    format!("urn:uuid:{document}")
}

/// SHA-256 of the signature of each RdV; empty when receipts are not signed.
pub type Signatures = HashMap<ReceiptId, Sha256>;

/// Writes the index of this plan.
pub fn write<W: Write>(plan: &Plan, process: &Process, signatures: &Signatures, out: W) -> Result<W> {
    let mut xml = Xml(Writer::new_with_indent(out, b' ', 1));
    index(&mut xml, plan, process, signatures).at(crate::package::PINDEX)?;
    Ok(xml.0.into_inner())
}

type Io = std::io::Result<()>;
type Attributes<'a> = &'a [(&'a str, &'a str)];

/// Elements and attributes of the index, prefixed.
struct Xml<W: Write>(Writer<W>);

impl<W: Write> Xml<W> {
    fn event(&mut self, name: &str, attributes: Attributes<'_>) -> Io {
        let mut start = BytesStart::new(name);
        for (key, value) in attributes {
            start.push_attribute((*key, &*clean(value)));
        }
        self.0.write_event(Event::Start(start))
    }

    fn start(&mut self, name: &str, attributes: Attributes<'_>) -> Io {
        let names: Vec<_> = attributes.iter().map(|(key, _)| format!("sincro:{key}")).collect();
        let prefixed: Vec<_> =
            names.iter().map(String::as_str).zip(attributes.iter().map(|(_, value)| *value)).collect();
        self.event(&format!("sincro:{name}"), &prefixed)
    }

    fn end(&mut self, name: &str) -> Io {
        self.0.write_event(Event::End(BytesEnd::new(format!("sincro:{name}"))))
    }

    fn text(&mut self, name: &str, attributes: Attributes<'_>, text: &str) -> Io {
        self.start(name, attributes)?;
        self.0.write_event(Event::Text(BytesText::new(&clean(text))))?;
        self.end(name)
    }

    /// An element of the series namespace.
    fn own(&mut self, name: &str, attributes: Attributes<'_>, text: &str) -> Io {
        self.event(name, attributes)?;
        self.0.write_event(Event::Text(BytesText::new(&clean(text))))?;
        self.0.write_event(Event::End(BytesEnd::new(name)))
    }

    fn id(&mut self, id: &str) -> Io {
        self.text("ID", &[("scheme", "urn")], id)
    }

    fn hash(&mut self, hash: Sha256) -> Io {
        self.text("Hash", &[("canonicalXML", "false"), ("hashFunction", "SHA-256")], &hash.to_string())
    }

    /// ID, Path and Hash of a File or ExternalMetadata.
    fn file(&mut self, id: &str, path: &str, hash: Sha256) -> Io {
        self.id(id)?;
        self.text("Path", &[], path)?;
        self.hash(hash)
    }

    fn relation(&mut self, kind: &str, value: &str) -> Io {
        self.start("Relation", &[])?;
        self.text("Type", &[], kind)?;
        self.text("Value", &[], value)?;
        self.end("Relation")
    }
}

/// What XML 1.0 cannot hold, and control characters nobody wants in a title, become U+FFFD.
fn clean(text: &str) -> Cow<'_, str> {
    let bad = |c: char| c.is_control() || c == '\u{fffe}' || c == '\u{ffff}';
    if text.chars().any(bad) { Cow::Owned(text.replace(bad, "\u{fffd}")) } else { Cow::Borrowed(text) }
}

fn index<W: Write>(xml: &mut Xml<W>, plan: &Plan, process: &Process, signatures: &Signatures) -> Io {
    xml.0.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    xml.event(
        "sincro:PIndex",
        &[
            ("xmlns:sincro", NAMESPACE),
            ("sincro:language", "it"),
            ("sincro:sincroVersion", "2.0"),
            ("sincro:uri", "http://www.uni.com/U3011/sincro-v2/PIndex.xsd"),
        ],
    )?;
    self_description(xml, plan)?;
    volume(xml, plan)?;
    let places: std::collections::HashSet<_> = plan.documents.iter().map(|d| d.id).collect();
    for document in &plan.documents {
        file_group(xml, document, &|id| places.contains(id))?;
    }
    for receipt in &plan.receipts {
        deposit(xml, receipt, signatures.get(&receipt.id).copied())?;
    }
    write_process(xml, plan, process)?;
    xml.end("PIndex")?;
    xml.0.get_mut().write_all(b"\n")
}

fn self_description<W: Write>(xml: &mut Xml<W>, plan: &Plan) -> Io {
    xml.start("SelfDescription", &[])?;
    xml.id(&format!("urn:custode:pindex:{}", plan.uuid))?;
    xml.start("CreatingApplication", &[])?;
    xml.text("Name", &[], "Custode")?;
    xml.text("Version", &[], env!("CARGO_PKG_VERSION"))?;
    xml.text("Producer", &[], "Custode")?;
    xml.end("CreatingApplication")?;
    for source in &plan.sources {
        let derivation = if plan.sources.len() > 1 { "manytoone" } else { "onetomany" };
        xml.start("PIndexSource", &[("derivation", derivation)])?;
        let path = format!("packages/{}/{}/PIndex.xml", source.package.series, source.package.folder());
        xml.file(&format!("urn:custode:pindex:{}", source.uuid), &path, source.pindex_sha256)?;
        xml.end("PIndexSource")?;
    }
    xml.start("MoreInfo", &[("xmlSchema", SERIES_NAMESPACE)])?;
    xml.start("EmbeddedMetadata", &[])?;
    series(xml, plan)?;
    xml.end("EmbeddedMetadata")?;
    xml.end("MoreInfo")?;
    xml.end("SelfDescription")
}

/// The hash chain of the series: formats page, "Package".
fn series<W: Write>(xml: &mut Xml<W>, plan: &Plan) -> Io {
    xml.event("Serie", &[("xmlns", SERIES_NAMESPACE)])?;
    xml.own("Nome", &[], plan.package.series.as_str())?;
    xml.own("Numero", &[], &plan.package.number.to_string())?;
    xml.own("IndicePrecedente", &[("funzione", "SHA-256")], &plan.previous.to_string())?;
    xml.own("Classe", &[("versione", &plan.class_version.to_string())], plan.class.as_str())?;
    xml.own("Politica", &[("versione", &plan.policy.version.to_string())], plan.policy.id.as_str())?;
    xml.own("Coorte", &[], &plan.cohort)?;
    if let Some(expiry) = plan.expiry {
        xml.own("Scadenza", &[], &expiry.to_string())?;
    }
    xml.own("Titolare", &[], &plan.holder)?;
    xml.own("Profilo", &[], &plan.profile)?;
    xml.0.write_event(Event::End(BytesEnd::new("Serie")))
}

fn volume<W: Write>(xml: &mut Xml<W>, plan: &Plan) -> Io {
    xml.start("PVolume", &[])?;
    xml.id(&document_id(plan.uuid))?;
    xml.text("Label", &[], &format!("PdA {}", plan.package))?;
    for source in &plan.sources {
        xml.start("PVolumeSource", &[])?;
        xml.id(&document_id(source.uuid))?;
        xml.text("PIndexID", &[("scheme", "urn")], &format!("urn:custode:pindex:{}", source.uuid))?;
        xml.end("PVolumeSource")?;
    }
    xml.start("PVolumeGroup", &[])?;
    xml.text("ID", &[("scheme", "local")], plan.package.series.as_str())?;
    xml.text("Label", &[], &format!("Serie {}", plan.package.series))?;
    xml.end("PVolumeGroup")?;
    xml.end("PVolume")
}

fn path(kind: Kind, id: uuid::Uuid, extension: &str) -> std::io::Result<String> {
    let member = match kind {
        Kind::Document => Member::document(id, extension),
        _ => Member::descriptive(kind, id),
    };
    member.map(|m| m.path()).map_err(std::io::Error::other)
}

fn file_group<W: Write>(xml: &mut Xml<W>, d: &Document, here: &dyn Fn(&crate::id::DocumentId) -> bool) -> Io {
    xml.start("FileGroup", &[])?;
    xml.id(&format!("urn:custode:unit:{}", d.id))?;
    if !d.label.is_empty() {
        xml.text("Label", &[], &d.label)?;
    }
    xml.start("File", &[("encoding", "binary"), ("extension", &d.extension), ("format", &d.media_type)])?;
    xml.file(&document_id(d.id), &path(Kind::Document, d.id.0, &d.extension)?, d.sha256)?;
    for link in &d.links {
        let other = link.document;
        let value = if here(&other) { document_id(other) } else { format!("{ELSEWHERE}{other}") };
        xml.relation(&link.relation, &value)?;
    }
    xml.start("MoreInfo", &[("xmlSchema", METADATA_SCHEMA)])?;
    xml.start("ExternalMetadata", &[("encoding", "binary"), ("extension", "xml"), ("format", "application/xml")])?;
    xml.file(&format!("urn:custode:metadata:{}", d.id), &path(Kind::Metadata, d.id.0, "")?, d.metadata_sha256)?;
    xml.end("ExternalMetadata")?;
    xml.end("MoreInfo")?;
    xml.end("File")?;
    xml.relation("versato con", &document_id(d.receipt))?;
    xml.end("FileGroup")
}

fn deposit<W: Write>(xml: &mut Xml<W>, r: &Receipt, signature: Option<Sha256>) -> Io {
    xml.start("FileGroup", &[])?;
    xml.id(&format!("urn:custode:deposit:{}", r.id))?;
    xml.text("Label", &[], "Versamento")?;
    let rdv = document_id(r.id);
    let manifest = format!("urn:custode:manifest:{}", r.id);
    let files = [
        (Kind::Receipt, "xml", "application/xml", rdv.clone(), r.rdv_sha256, ("rapporto di versamento di", &manifest)),
        (
            Kind::Note,
            "note",
            "text/plain",
            format!("urn:custode:note:{}", r.id),
            r.note_sha256,
            ("contrassegno tecnico di integrità di", &rdv),
        ),
        (
            Kind::Manifest,
            "json",
            "application/json",
            manifest.clone(),
            r.manifest_sha256,
            ("indice del pacchetto di versamento di", &rdv),
        ),
    ];
    let signature = signature.map(|hash| {
        let id = format!("urn:custode:signature:{}", r.id);
        (Kind::Signature, "p7s", "application/pkcs7-signature", id, hash, ("firma di", &rdv))
    });
    for (kind, extension, format, id, hash, (relation, value)) in files.into_iter().chain(signature) {
        xml.start("File", &[("encoding", "binary"), ("extension", extension), ("format", format)])?;
        xml.file(&id, &path(kind, r.id.0, extension)?, hash)?;
        xml.relation(relation, value)?;
        xml.end("File")?;
    }
    xml.end("FileGroup")
}

fn agent<W: Write>(xml: &mut Xml<W>, element: &str, agent: &Agent, role: Option<(&str, &str)>) -> Io {
    let attributes: Vec<_> = std::iter::once(("agentType", agent.name.agent_type())).chain(role).collect();
    xml.start(element, &attributes)?;
    if let Some(id) = &agent.id {
        xml.text("AgentID", &[], id.as_str())?;
    }
    xml.start("AgentName", &[])?;
    match &agent.name {
        AgentName::Legal(name) => xml.text("FormalName", &[], name)?,
        AgentName::Natural { first, last } => {
            xml.start("NameAndSurname", &[])?;
            xml.text("FirstName", &[], first)?;
            xml.text("LastName", &[], last)?;
            xml.end("NameAndSurname")?;
        }
    }
    xml.end("AgentName")?;
    for document in &agent.documents {
        relevant(xml, document)?;
    }
    xml.end(element)
}

fn relevant<W: Write>(xml: &mut Xml<W>, document: &RelevantDocument) -> Io {
    match document.sha256.map(|hash| hash.to_string()) {
        Some(hash) => {
            xml.text("RelevantDocument", &[("docHash", &hash), ("hashFunction", "SHA-256")], &document.to_string())
        }
        None => xml.text("RelevantDocument", &[], &document.to_string()),
    }
}

fn write_process<W: Write>(xml: &mut Xml<W>, plan: &Plan, process: &Process) -> Io {
    xml.start("Process", &[])?;
    agent(xml, "Submitter", &process.submitter, None)?;
    for holder in &process.holders {
        agent(xml, "Holder", &holder.agent, Some(("holderRole", holder.role.as_str())))?;
    }
    for signer in &process.signers {
        agent(xml, "AuthorizedSigner", &signer.agent, signer.role.as_deref().map(|role| ("signerRole", role)))?;
    }
    xml.start("TimeReference", &[])?;
    // True: the token over this index exists before the package is published.
    xml.text("TimeInfo", &[("attachedTimeStamp", "true")], &iso_seconds(plan.planned_at))?;
    xml.end("TimeReference")?;
    let manual = process.manual.as_ref().map(|manual| {
        let hash = manual.sha256.map(|hash| format!(" (SHA-256 {hash})")).unwrap_or_default();
        format!("; {manual}{hash}")
    });
    xml.text("LawsAndRegulations", &[], &format!("{LAWS}{}", manual.unwrap_or_default()))?;
    xml.end("Process")
}
