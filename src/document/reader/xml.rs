//! XML of others, read leniently and safely: any usual encoding, names without their prefixes, no DTD, no entity but
//! the five of XML itself, nothing fetched, and limits on depth, size, elements, attributes and text.
//! (`reference/fatturapa` section 1: entity bombs and megabyte-long fields are public attack samples.)

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::base64_text::{Base64Text, Decoded};
use crate::error::{Code, Finding};
use crate::evidence::xades::encoding::wide;

/// Largest XML read, also when inside a signature: the exchange system takes 5 MB.
pub const MAX_BYTES: usize = 16 << 20;
/// Deepest element.
const MAX_DEPTH: usize = 64;
/// Elements kept; those skipped do not count. A lot of two thousand invoices has some sixty thousand.
const MAX_ELEMENTS: usize = 200_000;
/// Attributes of one element.
const MAX_ATTRIBUTES: usize = 64;
/// Text kept of one element: names and causes are far shorter, attachments are not wanted.
const MAX_TEXT: usize = 16 << 10;

/// One element with what stands in it.
#[derive(Debug, Default)]
pub struct Node {
    /// Local name.
    pub name: String,
    /// Its prefix.
    prefix: String,
    /// Attributes with their whole names.
    pub attributes: Vec<(String, String)>,
    /// Elements inside.
    pub children: Vec<Node>,
    /// Its own text, at most 16 KiB of it.
    pub text: String,
    /// Of an element read as base64: what its text stands for; the text itself is not kept.
    pub decoded: Option<Box<Decoded>>,
}

impl Node {
    /// First element inside with this name.
    pub fn child(&self, name: &str) -> Option<&Node> {
        self.children.iter().find(|child| child.name == name)
    }

    /// All elements inside with this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Node> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// Whether an element with this name stands in it, at any depth.
    pub fn holds(&self, name: &str) -> bool {
        self.children.iter().any(|child| child.name == name || child.holds(name))
    }

    /// The element at the end of a path `A/B/C`.
    pub fn at(&self, path: &str) -> Option<&Node> {
        path.split('/').try_fold(self, |node, name| node.child(name))
    }

    /// Trimmed text of the element at the end of a path; empty when there is none.
    pub fn text_at(&self, path: &str) -> &str {
        self.at(path).map_or("", |node| node.text.trim())
    }

    /// An attribute by its name.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The namespace this element declares for itself (roots only need that).
    pub fn namespace(&self) -> Option<&str> {
        if self.prefix.is_empty() { self.attribute("xmlns") } else { self.attribute(&format!("xmlns:{}", self.prefix)) }
    }

    /// Whether control characters stand in what is kept of it: nothing that keeps to XML can have written them.
    fn is_controlled(&self) -> bool {
        self.text.bytes().any(|b| matches!(b, 0..=8 | 0x0b | 0x0c | 0x0e..=0x1f))
            || self.children.iter().any(Self::is_controlled)
    }

    /// Whether an element inside this root is in a namespace: by a prefix, by its own default or by the root's.
    pub fn qualifies(&self, child: &Node) -> bool {
        !child.prefix.is_empty()
            || child.attribute("xmlns").or(self.attribute("xmlns")).is_some_and(|namespace| !namespace.is_empty())
    }
}

/// What was read.
pub struct Parsed {
    /// The root.
    pub root: Node,
    /// Encoding trouble.
    pub findings: Vec<Finding>,
    /// A DOCTYPE was passed over.
    pub doctype: bool,
}

/// What is read in another way than the rest.
#[derive(Debug, Clone, Copy, Default)]
pub struct Apart<'a> {
    /// Elements noted without what stands in them.
    pub skip: &'a [&'a str],
    /// Elements whose text is base64 to be measured, not kept.
    pub base64: &'a [&'a str],
    /// A DOCTYPE that only names a DTD is passed over, not resolved; one that declares anything itself is a fault all the same.
    pub doctype: bool,
}

/// Reads a document, some elements of it apart. A fault is a finding of severity error that names the byte.
pub fn parse(bytes: &[u8], apart: Apart<'_>) -> Result<Parsed, Finding> {
    if bytes.len() > MAX_BYTES {
        return Err(Finding::error(Code::XmlTooDeep, "", "larger than 16 MiB"));
    }
    let (text, mut findings) = decode(bytes);
    let (root, doctype) = tree(&text, apart, &mut findings)?;
    Ok(Parsed { root, findings, doctype })
}

/// Local name of the root, without reading further: what cannot begin a document is not even decoded, because any file that comes
/// along with a message is asked.
pub fn root_name(bytes: &[u8]) -> Option<String> {
    root_behind(bytes, false)
}

/// The same, also behind a DOCTYPE.
pub fn root_after_doctype(bytes: &[u8]) -> Option<String> {
    root_behind(bytes, true)
}

fn root_behind(bytes: &[u8], doctype: bool) -> Option<String> {
    // Marks in any encoding, also written twice, blanks, zeros of wide characters, what a transmission left; then an element, or
    // what stands before one.
    let before = |byte: &&u8| {
        matches!(byte, 0xAF | 0xBB | 0xBF | 0xC2 | 0xC3 | 0xEF | 0xFE | 0xFF | b' ') || byte.is_ascii_control()
    };
    if bytes.iter().find(|byte| !before(byte)) != Some(&b'<') {
        return None;
    }
    let head = &bytes[..bytes.len().min(super::super::format::HEAD)];
    let (text, _) = decode(head);
    let mut reader = Reader::from_str(&text);
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) | Event::Empty(start) => return Some(start.local_name().as_ref().to_owned()),
            Event::DocType(_) if doctype => {}
            Event::Eof | Event::DocType(_) => return None,
            _ => {}
        }
    }
}

/// To UTF-8: byte-order mark first, then the declaration, then UTF-8; what is none of these is read as windows-1252,
/// in which every byte is a character, and marked.
fn decode(bytes: &[u8]) -> (Cow<'_, str>, Vec<Finding>) {
    let mut findings = Vec::new();
    if let Some((encoding, mark)) = encoding_rs::Encoding::for_bom(bytes) {
        let (text, wrong) = encoding.decode_without_bom_handling(&bytes[mark..]);
        if wrong {
            findings.push(Finding::warning(
                Code::XmlEncoding,
                "content",
                format!("not {} throughout", encoding.name()),
            ));
        }
        return (text, findings);
    }
    let wide = wide(bytes);
    let encoding = wide.or_else(|| declared(bytes, &mut findings)).unwrap_or(encoding_rs::UTF_8);
    if let Some(text) = encoding.decode_without_bom_handling_and_without_replacement(bytes) {
        return (text, findings);
    }
    let mut not = |instead: &str| {
        let detail = format!("not {}{instead}", encoding.name());
        findings.push(Finding::warning(Code::XmlEncoding, "content", detail));
    };
    if wide.is_some() {
        not(" throughout");
        return (encoding.decode_without_bom_handling(bytes).0, findings);
    }
    not("; read as windows-1252");
    (encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0, findings)
}

/// The encoding that the XML declaration names.
fn declared(bytes: &[u8], findings: &mut Vec<Finding>) -> Option<&'static encoding_rs::Encoding> {
    let head = bytes[..bytes.len().min(256)].trim_ascii_start();
    if !head.starts_with(b"<?xml") {
        return None;
    }
    let head = String::from_utf8_lossy(head);
    let declaration = head.split("?>").next()?;
    let value = declaration.split("encoding").nth(1)?.trim_start().strip_prefix('=')?.trim_start();
    let label = value.trim_start_matches(['"', '\'']).split(['"', '\'']).next()?;
    match encoding_rs::Encoding::for_label(label.as_bytes()) {
        // The bytes were readable as ASCII so far: a declaration of UTF-16 is wrong.
        Some(encoding) if encoding == encoding_rs::UTF_16LE || encoding == encoding_rs::UTF_16BE => {
            findings.push(Finding::warning(Code::XmlEncoding, "declaration", "not the UTF-16 it names"));
            None
        }
        Some(encoding) => Some(encoding),
        None => {
            findings.push(Finding::warning(Code::XmlEncoding, "declaration", "unknown encoding name"));
            None
        }
    }
}

fn tree(text: &str, apart: Apart<'_>, findings: &mut Vec<Finding>) -> Result<(Node, bool), Finding> {
    let mut outside = Outside::default();
    // The decoder took one mark off and the reader below takes another without a word.
    if text.starts_with('\u{feff}') {
        outside.note(0);
    }
    let root = element_tree(text, apart, &mut outside)?;
    findings.extend(outside.finding);
    if root.is_controlled() {
        let detail = "control characters, which XML does not allow";
        findings.push(Finding::warning(Code::XmlEncoding, "content", detail));
    }
    Ok((root, outside.doctype))
}

/// What stands before or behind the root and should not: marks written twice, zeros, what a transmission left. Told once,
/// with its place; the root is read all the same.
#[derive(Default)]
struct Outside {
    finding: Option<Finding>,
    /// A DOCTYPE stands there and was passed over.
    doctype: bool,
}

impl Outside {
    fn note(&mut self, position: u64) {
        self.finding.get_or_insert_with(|| Finding::warning(Code::XmlOutside, format!("byte {position}"), ""));
    }
}

fn element_tree(text: &str, apart: Apart<'_>, outside: &mut Outside) -> Result<Node, Finding> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Node> = Vec::new();
    let mut root: Option<Node> = None;
    let mut elements = 0usize;
    // How many elements deep inside a skipped one.
    let mut skipping = 0usize;
    // The base64 of the innermost open element, when it is one to be measured.
    let mut measured: Option<Base64Text> = None;
    loop {
        let position = reader.buffer_position();
        let fault = |code, detail: &str| Finding::error(code, format!("byte {position}"), detail);
        // The reader's own text may quote the document: it is not passed on.
        let event = match reader.read_event() {
            Ok(event) => event,
            Err(_) if root.is_some() && open.is_empty() => {
                outside.note(position);
                break;
            }
            Err(_) => return Err(fault(Code::XmlMalformed, "")),
        };
        match event {
            Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) if open.is_empty() => {
                let blank = matches!(&event, Event::Text(part) if part.trim().is_empty());
                if !blank {
                    outside.note(position);
                }
            }
            Event::Decl(_) if position > 0 => outside.note(position),
            Event::Start(_) | Event::Empty(_) if open.is_empty() && root.is_some() => {
                return Err(fault(Code::XmlMalformed, "a second root"));
            }
            Event::Start(start) => {
                if open.len() + skipping >= MAX_DEPTH {
                    return Err(fault(Code::XmlTooDeep, "nested too deeply"));
                }
                if skipping > 0 {
                    skipping += 1;
                    continue;
                }
                elements += 1;
                if elements > MAX_ELEMENTS {
                    return Err(fault(Code::XmlTooDeep, "too many elements"));
                }
                let node = element(&start).ok_or_else(|| fault(Code::XmlMalformed, "attributes"))?;
                skipping = usize::from(apart.skip.contains(&node.name.as_str()));
                measured = apart.base64.contains(&node.name.as_str()).then(Base64Text::default);
                open.push(node);
            }
            Event::Empty(start) if skipping == 0 => {
                elements += 1;
                if elements > MAX_ELEMENTS {
                    return Err(fault(Code::XmlTooDeep, "too many elements"));
                }
                let mut node = element(&start).ok_or_else(|| fault(Code::XmlMalformed, "attributes"))?;
                if apart.base64.contains(&node.name.as_str()) {
                    node.decoded = Some(Box::new(Base64Text::default().finish()));
                }
                close(node, &mut open, &mut root);
            }
            Event::End(_) if skipping > 1 => skipping -= 1,
            Event::End(_) => {
                skipping = 0;
                let mut node = open.pop().ok_or_else(|| fault(Code::XmlMalformed, "an end without a start"))?;
                node.decoded = measured.take().map(|text| Box::new(text.finish()));
                close(node, &mut open, &mut root);
            }
            Event::Text(part) if skipping == 0 => {
                let part = part.into_inner();
                match (open.last_mut(), &mut measured) {
                    (Some(_), Some(measured)) => measured.push(&part),
                    (Some(node), None) => append(&mut node.text, &part),
                    (None, _) => {}
                }
            }
            Event::CData(part) if skipping == 0 => match (open.last_mut(), &mut measured) {
                (Some(_), Some(measured)) => measured.push(&part.into_inner()),
                (Some(node), None) => append(&mut node.text, &part.into_inner()),
                (None, _) => {}
            },
            Event::GeneralRef(reference) => {
                let resolved = reference.resolve_char_ref().map_err(|_| fault(Code::XmlMalformed, "reference"))?;
                let c = match resolved {
                    Some(c) => c,
                    None => match &*reference.into_inner() {
                        "amp" => '&',
                        "lt" => '<',
                        "gt" => '>',
                        "quot" => '"',
                        "apos" => '\'',
                        _ => return Err(fault(Code::XmlMalformed, "an entity nobody declared")),
                    },
                };
                let mut buffer = [0; 4];
                let c = c.encode_utf8(&mut buffer);
                match (skipping, open.last_mut(), &mut measured) {
                    (0, Some(_), Some(measured)) => measured.push(c),
                    (0, Some(node), None) => append(&mut node.text, c),
                    _ => {}
                }
            }
            // What it declares between brackets may be a bomb; the file it names is never fetched.
            Event::DocType(said) if apart.doctype && root.is_none() && open.is_empty() && !said.contains('[') => {
                outside.doctype = true;
            }
            Event::DocType(_) => return Err(fault(Code::XmlDoctype, "")),
            Event::Eof => break,
            _ => {}
        }
    }
    let end = Finding::error(Code::XmlMalformed, format!("byte {}", text.len()), "cut short");
    if !open.is_empty() {
        return Err(end);
    }
    root.ok_or(end)
}

fn close(node: Node, open: &mut [Node], root: &mut Option<Node>) {
    match open.last_mut() {
        Some(parent) => parent.children.push(node),
        None => *root = Some(node),
    }
}

fn append(text: &mut String, part: &str) {
    let room = MAX_TEXT.saturating_sub(text.len());
    let end = part.floor_char_boundary(room.min(part.len()));
    text.push_str(&part[..end]);
}

fn element(start: &BytesStart) -> Option<Node> {
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.ok()?;
        if attributes.len() >= MAX_ATTRIBUTES {
            return None;
        }
        let mut value = String::new();
        append(&mut value, &attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).ok()?);
        attributes.push((attribute.key.as_ref().to_owned(), value));
    }
    let name = start.name();
    let prefix = name.prefix().map(|prefix| prefix.as_ref().to_owned()).unwrap_or_default();
    Some(Node { name: start.local_name().as_ref().to_owned(), prefix, attributes, ..Node::default() })
}

#[cfg(test)]
mod tests;
