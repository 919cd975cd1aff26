//! The little XML that intake wrote, read again: elements, attributes, text; no mixed content, no DOCTYPE.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::error::{Code, Error, Result};

/// Deepest nesting read: ours is 5.
const DEPTH: usize = 16;
/// Largest file read.
const LIMIT: usize = 64 * 1024 * 1024;

/// An element that was read.
#[derive(Debug, Default)]
pub(in crate::intake) struct Element {
    pub name: String,
    attributes: Vec<(String, String)>,
    pub text: String,
    pub children: Vec<Element>,
}

pub(in crate::intake) fn wrong(what: impl Into<String>) -> Error {
    Error::new(Code::ContentAltered, what)
}

impl Element {
    pub fn attribute(&self, key: &str) -> Result<&str> {
        self.try_attribute(key).ok_or_else(|| wrong(format!("{} has no attribute {key}", self.name)))
    }

    pub fn try_attribute(&self, key: &str) -> Option<&str> {
        self.attributes.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    pub fn child(&self, name: &str) -> Result<&Element> {
        self.try_child(name).ok_or_else(|| wrong(format!("{} has no {name}", self.name)))
    }

    pub fn try_child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of a child, as whatever it is.
    pub fn value<T: std::str::FromStr>(&self, name: &str) -> Result<T> {
        let text = &self.child(name)?.text;
        text.parse().map_err(|_| wrong(format!("{name} cannot be read")))
    }
}

/// Reads a whole file into elements.
pub(in crate::intake) fn read(bytes: &[u8]) -> Result<Element> {
    if bytes.len() > LIMIT {
        return Err(wrong("too large"));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| wrong("not UTF-8"))?;
    let mut reader = Reader::from_str(text);
    let mut open = vec![Element::default()];
    loop {
        let at = reader.buffer_position();
        let bad = |_| wrong(format!("not well-formed XML near byte {at}"));
        let innermost = open.len() - 1;
        match reader.read_event().map_err(|e| bad(e.to_string()))? {
            Event::Start(start) if open.len() < DEPTH => open.push(element(&start).ok_or_else(|| bad(String::new()))?),
            Event::Empty(start) => {
                open[innermost].children.push(element(&start).ok_or_else(|| bad(String::new()))?);
            }
            Event::End(_) => {
                let mut done = open.pop().ok_or_else(|| bad(String::new()))?;
                if !done.children.is_empty() {
                    done.text.clear();
                }
                open.last_mut().ok_or_else(|| bad(String::new()))?.children.push(done);
            }
            Event::Text(text) => open[innermost].text.push_str(&text.xml10_content()),
            Event::GeneralRef(reference) => {
                let c = match reference.resolve_char_ref().map_err(|e| bad(e.to_string()))? {
                    Some(c) => c,
                    None => match &reference.xml10_content()[..] {
                        "amp" => '&',
                        "lt" => '<',
                        "gt" => '>',
                        "quot" => '"',
                        "apos" => '\'',
                        _ => return Err(bad(String::new())),
                    },
                };
                open[innermost].text.push(c);
            }
            Event::Decl(_) => {}
            Event::Eof => break,
            _ => return Err(bad(String::new())),
        }
    }
    match (open.len(), open.pop().map(|mut root| root.children.pop().filter(|_| root.children.is_empty()))) {
        (1, Some(Some(root))) => Ok(root),
        _ => Err(wrong("one root element was due")),
    }
}

fn element(start: &BytesStart<'_>) -> Option<Element> {
    let mut made = Element { name: start.name().as_ref().to_owned(), ..Element::default() };
    for attribute in start.attributes() {
        let attribute = attribute.ok()?;
        let value = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).ok()?.into_owned();
        made.attributes.push((attribute.key.as_ref().to_owned(), value));
    }
    Some(made)
}
