//! Our part of a metadata file read back, for the catalog's rebuilding and for receipts given again.

use jiff::Timestamp;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::{AgidFile, code_of, outcome_of, severity_of, text};
use crate::document::format::Format;
use crate::document::{Metadata, Origin, Origins};
use crate::error::{Code, Control, Error, Finding, Result};
use crate::hash::Digests;

/// Metadata files are ours; one larger than this is not.
const MAX_BYTES: usize = 64 << 20;
/// The deepest element we write stands at this level.
const MAX_DEPTH: usize = 16;

fn wrong(detail: &str) -> Error {
    Error::new(Code::XmlMalformed, detail).at("metadata file")
}

/// One element of ours: name, attributes, text.
struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
}

impl Element {
    fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn needed(&self, name: &str) -> Result<&str> {
        self.attribute(name).ok_or_else(|| wrong(&format!("{} has no {name}", self.name)))
    }

    fn decoded(&self, name: &str) -> Result<String> {
        decoded(self.needed(name)?)
    }
}

fn decoded(text: &str) -> Result<String> {
    text::decode(text).ok_or_else(|| wrong("wrongly encoded text"))
}

/// Reads a metadata file made by [`super::render`].
pub fn parse(bytes: &[u8]) -> Result<AgidFile> {
    let elements = elements(bytes)?;
    let find =
        |name: &str| elements.iter().find(|e| e.name == name).ok_or_else(|| wrong(&format!("{name} is missing")));
    let (fields, deposit, file) = (find("Campi")?, find("Versamento")?, find("File")?);
    let mut salt = [0; 16];
    hex::decode_to_slice(&find("Sale")?.text, &mut salt).map_err(|_| wrong("Sale is not 32 hexadecimal digits"))?;
    let number = |text: &str| text.parse::<u64>().map_err(|_| wrong("not a number"));

    let (mut metadata, mut origins) = (Metadata::new(), Origins::new());
    for field in elements.iter().filter(|e| e.name == "Campo") {
        let name = field.decoded("nome")?;
        let origin = match field.needed("origine")? {
            "dato" => Origin::Given,
            "estratto" => Origin::Extracted,
            _ => return Err(wrong("unknown origine")),
        };
        origins.insert(name.clone(), origin);
        let value = serde_json::from_str(&field.text).map_err(|_| wrong("a Campo is not JSON"))?;
        if metadata.insert(name, value).is_some() {
            return Err(wrong("a Campo stands twice"));
        }
    }
    let mut findings = Vec::new();
    for found in elements.iter().filter(|e| e.name == "Rilievo") {
        findings.push(Finding {
            code: code_of(found.needed("codice")?).ok_or_else(|| wrong("unknown codice"))?,
            severity: severity_of(found.needed("gravita")?).ok_or_else(|| wrong("unknown gravita"))?,
            place: found.decoded("luogo")?,
            message: decoded(&found.text)?,
        });
    }
    let mut controls = Vec::new();
    for control in elements.iter().filter(|e| e.name == "Controllo") {
        let code = control.attribute("codice").map(|word| code_of(word).ok_or_else(|| wrong("unknown codice")));
        controls.push(Control {
            control: control.decoded("nome")?,
            outcome: outcome_of(control.needed("esito")?).ok_or_else(|| wrong("unknown esito"))?,
            code: code.transpose()?,
            place: control.decoded("luogo")?,
        });
    }
    let version = number(fields.needed("versione")?)?;
    Ok(AgidFile {
        salt,
        class: fields.needed("classe")?.parse()?,
        class_version: u32::try_from(version).map_err(|_| wrong("not a class version"))?,
        document: deposit.needed("documento")?.parse()?,
        receipt: deposit.needed("ricevuta")?.parse()?,
        idempotency_key: deposit.attribute("chiave").map(decoded).transpose()?,
        accepted_at: deposit.needed("accettato")?.parse::<Timestamp>().map_err(|_| wrong("accettato is no instant"))?,
        name: decoded(&file.text)?,
        format: Format { media_type: file.decoded("formato")?, extension: file.decoded("estensione")? },
        digests: Digests {
            bytes: number(file.needed("byte")?)?,
            sha256: file.needed("sha256")?.parse()?,
            blake3: file.needed("blake3")?.parse()?,
        },
        metadata,
        origins,
        findings,
        controls,
    })
}

/// AgID's own elements: made from ours, and not read back.
const AGID: [&str; 2] = ["DocumentoInformatico", super::aggregazione::ELEMENT];

/// Every element outside AgID's, flat, in order.
fn elements(bytes: &[u8]) -> Result<Vec<Element>> {
    if bytes.len() > MAX_BYTES {
        return Err(wrong("too large"));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| wrong("not UTF-8"))?;
    let mut reader = Reader::from_str(text);
    let mut elements: Vec<Element> = Vec::new();
    // Positions in `elements` of what is open; None inside AgID's.
    let mut open: Vec<Option<usize>> = Vec::new();
    loop {
        let event = reader.read_event().map_err(|e| wrong("not well formed").because(e))?;
        let ours = |open: &[Option<usize>]| open.last().copied().flatten();
        match event {
            Event::Start(start) => {
                if open.len() >= MAX_DEPTH {
                    return Err(wrong("nested too deeply"));
                }
                let foreign = open.last() == Some(&None) || AGID.contains(&start.local_name().as_ref());
                if open.is_empty() && start.local_name().as_ref() != "Metadati" {
                    return Err(wrong("the root is not Metadati"));
                }
                if foreign {
                    open.push(None);
                } else {
                    open.push(Some(elements.len()));
                    elements.push(element(&start)?);
                }
            }
            Event::Empty(start) => {
                if open.last() != Some(&None) {
                    elements.push(element(&start)?);
                }
            }
            Event::End(_) => {
                open.pop();
            }
            Event::Text(part) => {
                if let Some(at) = ours(&open) {
                    elements[at].text.push_str(&part.into_inner());
                }
            }
            Event::GeneralRef(reference) => {
                if let Some(at) = ours(&open) {
                    let c = match reference.resolve_char_ref().map_err(|e| wrong("wrong reference").because(e))? {
                        Some(c) => c,
                        None => predefined(&reference.into_inner()).ok_or_else(|| wrong("unknown entity"))?,
                    };
                    elements[at].text.push(c);
                }
            }
            Event::Eof => break,
            Event::DocType(_) | Event::CData(_) | Event::PI(_) => return Err(wrong("not written by us")),
            Event::Decl(_) | Event::Comment(_) => {}
        }
    }
    if open.is_empty() { Ok(elements) } else { Err(wrong("cut short")) }
}

fn predefined(name: &str) -> Option<char> {
    [("amp", '&'), ("lt", '<'), ("gt", '>'), ("quot", '"'), ("apos", '\'')]
        .iter()
        .find(|(n, _)| *n == name)
        .map(|(_, c)| *c)
}

fn element(start: &BytesStart) -> Result<Element> {
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|e| wrong("wrong attribute").because(e))?;
        let value = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0);
        let value = value.map_err(|e| wrong("wrong attribute").because(e))?;
        attributes.push((attribute.key.local_name().as_ref().to_owned(), value.into_owned()));
    }
    Ok(Element { name: start.local_name().as_ref().to_owned(), attributes, text: String::new() })
}
