//! The index as a sequence of parts: each child of the root as one small tree, read and dropped in turn.
//!
//! Invariant: memory is bounded by one part and one XML event whatever the file says; no DOCTYPE, no entity but the
//! predefined ones, no processing instruction.

use std::io::{self, BufRead, Read};

use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};
use quick_xml::reader::NsReader;

use super::NAMESPACE;

/// Bytes of markup or text in one event; titles and paths are far shorter.
const MAX_EVENT: u64 = 1 << 20;
/// Elements in one part: a FileGroup has some forty, SelfDescription five for each source package.
const MAX_ELEMENTS: usize = 200_000;
const MAX_DEPTH: usize = 24;
const MAX_ATTRIBUTES: usize = 16;

/// Where a name belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Space {
    /// The namespace of the index.
    Sincro,
    /// Another one, or none (empty).
    Other(String),
}

/// An element with all below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// Namespace.
    pub space: Space,
    /// Local name.
    pub name: String,
    /// Attributes: namespace, local name, value.
    pub attributes: Vec<(Space, String, String)>,
    /// Text directly inside, all of it.
    pub text: String,
    /// Elements directly inside.
    pub children: Vec<Element>,
}

impl Element {
    /// The first child of this name in the namespace of the index.
    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|e| e.space == Space::Sincro && e.name == name)
    }

    /// All children of this name in the namespace of the index.
    pub fn children_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> + 'a {
        self.children.iter().filter(move |e| e.space == Space::Sincro && e.name == name)
    }

    /// An attribute of the namespace of the index.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(space, n, _)| *space == Space::Sincro && n == name)
            .map(|(_, _, value)| value.as_str())
    }
}

/// Why a part could not be given.
#[derive(Debug)]
pub enum Trouble {
    /// Not well formed, or beyond a limit: what and near which byte.
    Xml(String),
    /// Could not be read.
    Io(io::Error),
}

/// Counts the bytes of one event and stops beyond the limit.
struct Metered<R> {
    inner: R,
    taken: u64,
}

impl<R: BufRead> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.taken += n as u64;
        Ok(n)
    }
}

impl<R: BufRead> BufRead for Metered<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.taken > MAX_EVENT {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "one piece of XML is too long"));
        }
        self.inner.fill_buf()
    }

    fn consume(&mut self, n: usize) {
        self.taken += n as u64;
        self.inner.consume(n);
    }
}

/// Reads the index: the root (without children) first, then each of its children.
pub fn parts<R: BufRead>(reader: R, each: &mut dyn FnMut(Element)) -> Result<(), Trouble> {
    let mut xml = NsReader::from_reader(Metered { inner: reader, taken: 0 });
    xml.config_mut().expand_empty_elements = true;
    let mut buffer = Vec::new();
    // The root, then the elements open below it.
    let mut root_open = false;
    let mut root_closed = false;
    let mut open: Vec<Element> = Vec::new();
    let mut elements = 0;
    loop {
        buffer.clear();
        xml.get_mut().taken = 0;
        let at = xml.buffer_position();
        let wrong = |what: &str| Trouble::Xml(format!("{what}, near byte {at}"));
        let event = match xml.read_event_into(&mut buffer) {
            Ok(event) => event,
            Err(quick_xml::Error::Io(e)) if e.kind() != io::ErrorKind::InvalidData => {
                return Err(Trouble::Io(io::Error::new(e.kind(), e.to_string())));
            }
            Err(_) => return Err(wrong("not well-formed XML")),
        };
        match event {
            Event::Start(start) => {
                let start = start.into_owned();
                let element = element(&mut xml, &start).map_err(wrong)?;
                if root_closed {
                    return Err(wrong("a second root"));
                }
                if !root_open {
                    root_open = true;
                    each(element);
                    continue;
                }
                elements += 1;
                if elements > MAX_ELEMENTS || open.len() >= MAX_DEPTH {
                    return Err(wrong("too many or too deeply nested elements"));
                }
                open.push(element);
            }
            Event::End(_) => match open.pop() {
                None => root_closed = true,
                Some(done) => match open.last_mut() {
                    Some(above) => above.children.push(done),
                    None => {
                        elements = 0;
                        each(done);
                    }
                },
            },
            Event::Text(text) => add(&mut open, &text.xml10_content()).map_err(wrong)?,
            Event::CData(text) => add(&mut open, &text.xml10_content()).map_err(wrong)?,
            Event::GeneralRef(reference) => {
                let text = match reference.resolve_char_ref() {
                    Ok(Some(c)) => c.to_string(),
                    Ok(None) => quick_xml::escape::resolve_predefined_entity(&reference.xml10_content())
                        .ok_or_else(|| wrong("an entity that is not predefined"))?
                        .to_owned(),
                    Err(_) => return Err(wrong("a wrong character reference")),
                };
                add(&mut open, &text).map_err(wrong)?;
            }
            Event::DocType(_) => return Err(wrong("a DOCTYPE")),
            Event::PI(_) => return Err(wrong("a processing instruction")),
            Event::Eof if root_closed => return Ok(()),
            Event::Eof => return Err(wrong("the file ends too early")),
            Event::Decl(_) | Event::Comment(_) | Event::Empty(_) => {}
        }
    }
}

fn add(open: &mut [Element], text: &str) -> Result<(), &'static str> {
    match open.last_mut() {
        Some(element) if element.text.len() + text.len() <= MAX_EVENT as usize => element.text.push_str(text),
        Some(_) => return Err("too much text"),
        None if text.trim_matches(|c| c == '\u{feff}').trim().is_empty() => {}
        None => return Err("text outside of elements"),
    }
    Ok(())
}

fn space(resolved: &ResolveResult<'_>) -> Result<Space, &'static str> {
    match resolved {
        ResolveResult::Bound(Namespace(name)) if *name == NAMESPACE => Ok(Space::Sincro),
        ResolveResult::Bound(Namespace(name)) => Ok(Space::Other((*name).to_owned())),
        ResolveResult::Unbound => Ok(Space::Other(String::new())),
        ResolveResult::Unknown(_) => Err("a prefix without namespace"),
    }
}

fn element<R: BufRead>(xml: &mut NsReader<R>, start: &BytesStart<'_>) -> Result<Element, &'static str> {
    let resolver = xml.resolver();
    let (resolved, name) = resolver.resolve_element(start.name());
    let mut element = Element {
        space: space(&resolved)?,
        name: name.as_ref().to_owned(),
        attributes: Vec::new(),
        text: String::new(),
        children: Vec::new(),
    };
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|_| "a wrong attribute")?;
        if attribute.key.as_namespace_binding().is_some() {
            continue;
        }
        if element.attributes.len() >= MAX_ATTRIBUTES {
            return Err("too many attributes");
        }
        let (resolved, name) = resolver.resolve_attribute(attribute.key);
        let value =
            attribute.normalized_value(quick_xml::XmlVersion::Explicit1_0).map_err(|_| "a wrong attribute value")?;
        element.attributes.push((space(&resolved)?, name.as_ref().to_owned(), value.into_owned()));
    }
    Ok(element)
}
