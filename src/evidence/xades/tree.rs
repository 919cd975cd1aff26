//! XML as a tree that knows its namespaces: what canonicalisation and references need, and nothing else.
//!
//! Invariant: bounded in size, depth, elements, attributes and namespaces; a DOCTYPE is refused before anything is read from
//! it, so there are no entities but the five of XML and no attribute defaults. The document's own reader is another one
//! (lenient, by local name): this one must see exactly what the signer's software saw.

use std::borrow::Cow;
use std::rc::Rc;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::error::{Code, Error, Result};

/// Largest XML read: what the exchange system takes is a third of it.
pub const MAX_BYTES: usize = 16 << 20;
/// Deepest element.
const MAX_DEPTH: usize = 64;
/// Nodes of one document.
const MAX_NODES: usize = 1_000_000;
/// Attributes and namespaces of one element.
const MAX_ATTRIBUTES: usize = 64;
/// Namespaces in scope at one place: looking them up is linear.
const MAX_SCOPE: usize = 256;

/// The namespace that `xml:` always means.
pub const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// A node's number; 0 is the document itself.
pub type Id = usize;

/// An attribute that declares no namespace.
#[derive(Debug)]
pub struct Attribute {
    pub prefix: String,
    pub local: String,
    pub namespace: Rc<str>,
    pub value: String,
}

/// An element.
#[derive(Debug)]
pub struct Element {
    pub prefix: String,
    pub local: String,
    pub namespace: Rc<str>,
    pub attributes: Vec<Attribute>,
    /// Namespaces declared here: prefix and URI.
    pub declared: Vec<(String, Rc<str>)>,
}

/// What a node is.
#[derive(Debug)]
pub enum Kind<'a> {
    Document,
    Element(Element),
    Text(Cow<'a, str>),
    Comment(String),
    Instruction(String),
}

/// One node.
#[derive(Debug)]
pub struct Node<'a> {
    pub kind: Kind<'a>,
    pub parent: Id,
    pub children: Vec<Id>,
}

/// A document.
#[derive(Debug)]
pub struct Tree<'a> {
    nodes: Vec<Node<'a>>,
    pub root: Id,
}

fn malformed(detail: &str) -> Error {
    Error::new(Code::XmlMalformed, detail)
}

impl<'a> Tree<'a> {
    /// Reads a document that [`decode`](super::encoding::decode) gave.
    pub fn parse(text: &'a str) -> Result<Self> {
        let mut builder = Builder {
            tree: Self { nodes: vec![Node { kind: Kind::Document, parent: 0, children: Vec::new() }], root: 0 },
            open: vec![0],
            scope: Vec::new(),
            marks: Vec::new(),
        };
        // The reader would pass over a second mark without a word.
        if text.starts_with('\u{feff}') {
            return Err(malformed("text outside the root"));
        }
        let mut reader = Reader::from_str(text);
        loop {
            match reader.read_event().map_err(|_| malformed("not well formed"))? {
                Event::Start(start) => {
                    let id = builder.element(&start)?;
                    builder.open.push(id);
                    if builder.open.len() > MAX_DEPTH {
                        return Err(Error::new(Code::XmlTooDeep, "nested too deeply"));
                    }
                }
                Event::Empty(start) => {
                    builder.element(&start)?;
                    builder.leave();
                }
                Event::End(_) => {
                    builder.open.pop();
                    builder.leave();
                    if builder.open.is_empty() {
                        return Err(malformed("an end without a start"));
                    }
                }
                Event::Text(part) => {
                    let part = part.into_inner();
                    if builder.open.len() > 1 {
                        builder.add(Kind::Text(part))?;
                    } else if !part.trim().is_empty() {
                        return Err(malformed("text outside the root"));
                    }
                }
                Event::CData(part) if builder.open.len() > 1 => {
                    builder.add(Kind::Text(part.into_inner()))?;
                }
                Event::CData(_) => return Err(malformed("text outside the root")),
                Event::GeneralRef(reference) if builder.open.len() > 1 => {
                    let resolved = reference.resolve_char_ref().map_err(|_| malformed("reference"))?;
                    let text = match resolved {
                        Some(c) => Cow::Owned(c.to_string()),
                        None => Cow::Borrowed(match &*reference.into_inner() {
                            "amp" => "&",
                            "lt" => "<",
                            "gt" => ">",
                            "quot" => "\"",
                            "apos" => "'",
                            _ => return Err(malformed("an entity nobody declared")),
                        }),
                    };
                    builder.add(Kind::Text(text))?;
                }
                Event::GeneralRef(_) => return Err(malformed("text outside the root")),
                Event::Comment(part) => {
                    let text = part.into_inner().into_owned();
                    builder.add(Kind::Comment(text))?;
                }
                Event::PI(part) => {
                    let text = part.into_inner().into_owned();
                    builder.add(Kind::Instruction(text))?;
                }
                Event::DocType(_) => return Err(Error::new(Code::XmlDoctype, "")),
                Event::Decl(_) => {}
                Event::Eof => break,
            }
        }
        if builder.open.len() != 1 || builder.tree.root == 0 {
            return Err(malformed("cut short"));
        }
        Ok(builder.tree)
    }

    /// A node.
    pub fn node(&self, id: Id) -> &Node<'a> {
        &self.nodes[id]
    }

    /// The element of a node, if it is one.
    pub fn element(&self, id: Id) -> Option<&Element> {
        match &self.nodes[id].kind {
            Kind::Element(element) => Some(element),
            _ => None,
        }
    }

    /// Whether a node is this element.
    pub fn is(&self, id: Id, namespace: &str, local: &str) -> bool {
        self.element(id).is_some_and(|element| &*element.namespace == namespace && element.local == local)
    }

    /// Elements inside.
    pub fn elements(&self, id: Id) -> impl Iterator<Item = Id> + '_ {
        self.nodes[id].children.iter().copied().filter(|child| self.element(*child).is_some())
    }

    /// The first element inside with this name.
    pub fn child(&self, id: Id, namespace: &str, local: &str) -> Option<Id> {
        self.elements(id).find(|child| self.is(*child, namespace, local))
    }

    /// All elements of the document, in its order.
    pub fn all(&self) -> impl Iterator<Item = Id> + '_ {
        (1..self.nodes.len()).filter(|id| self.element(*id).is_some())
    }

    /// The text directly inside.
    pub fn text(&self, id: Id) -> String {
        let parts = self.nodes[id].children.iter().filter_map(|child| match &self.nodes[*child].kind {
            Kind::Text(text) => Some(text.as_ref()),
            _ => None,
        });
        parts.collect()
    }

    /// An attribute without namespace.
    pub fn attribute(&self, id: Id, local: &str) -> Option<&str> {
        let attributes = &self.element(id)?.attributes;
        attributes.iter().find(|a| a.prefix.is_empty() && a.local == local).map(|a| a.value.as_str())
    }

    /// Whether `id` is `ancestor` or stands in it.
    pub fn within(&self, mut id: Id, ancestor: Id) -> bool {
        while id != 0 {
            if id == ancestor {
                return true;
            }
            id = self.nodes[id].parent;
        }
        ancestor == 0
    }

    /// The namespace that a prefix means at an element.
    pub fn resolve(&self, mut id: Id, prefix: &str) -> Option<Rc<str>> {
        while let Some(element) = self.element(id) {
            if let Some((_, uri)) = element.declared.iter().find(|(known, _)| known == prefix) {
                return Some(Rc::clone(uri));
            }
            id = self.nodes[id].parent;
        }
        None
    }
}

struct Builder<'a> {
    tree: Tree<'a>,
    open: Vec<Id>,
    scope: Vec<(String, Rc<str>)>,
    /// Length of the scope before each open element.
    marks: Vec<usize>,
}

impl<'a> Builder<'a> {
    fn add(&mut self, kind: Kind<'a>) -> Result<Id> {
        if self.tree.nodes.len() >= MAX_NODES {
            return Err(Error::new(Code::XmlTooDeep, "too many nodes"));
        }
        let parent = *self.open.last().ok_or_else(|| malformed("an end without a start"))?;
        let id = self.tree.nodes.len();
        self.tree.nodes.push(Node { kind, parent, children: Vec::new() });
        self.tree.nodes[parent].children.push(id);
        Ok(id)
    }

    fn leave(&mut self) {
        if let Some(mark) = self.marks.pop() {
            self.scope.truncate(mark);
        }
    }

    fn element(&mut self, start: &BytesStart<'_>) -> Result<Id> {
        let wrong = |_| malformed("attributes");
        self.marks.push(self.scope.len());
        let mut declared: Vec<(String, Rc<str>)> = Vec::new();
        let mut plain = Vec::new();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|_| malformed("attributes"))?;
            if declared.len() + plain.len() >= MAX_ATTRIBUTES {
                return Err(Error::new(Code::XmlTooDeep, "too many attributes"));
            }
            let value = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).map_err(wrong)?.into_owned();
            let key: &str = attribute.key.as_ref();
            match key.split_once(':') {
                _ if key == "xmlns" => declared.push((String::new(), value.into())),
                Some(("xmlns", prefix)) => {
                    if prefix == "xmlns" || value.is_empty() || (prefix == "xml") != (value == XML) {
                        return Err(malformed("a namespace that cannot be"));
                    }
                    if prefix != "xml" {
                        declared.push((prefix.to_owned(), value.into()));
                    }
                }
                Some((prefix, local)) => plain.push((prefix.to_owned(), local.to_owned(), value)),
                None => plain.push((String::new(), key.to_owned(), value)),
            }
        }
        self.scope.extend(declared.iter().cloned());
        if self.scope.len() > MAX_SCOPE {
            return Err(Error::new(Code::XmlTooDeep, "too many namespaces"));
        }
        let mut attributes: Vec<Attribute> = Vec::with_capacity(plain.len());
        for (prefix, local, value) in plain {
            let namespace = if prefix.is_empty() { "".into() } else { self.lookup(&prefix)? };
            if attributes.iter().any(|known| known.local == local && known.namespace == namespace) {
                return Err(malformed("an attribute stands twice"));
            }
            attributes.push(Attribute { prefix, local, namespace, value });
        }
        let name: String = start.name().as_ref().to_owned();
        let (prefix, local) = name.split_once(':').unwrap_or(("", &name));
        let namespace = if prefix.is_empty() && !self.scope.iter().any(|(known, _)| known.is_empty()) {
            "".into()
        } else {
            self.lookup(prefix)?
        };
        let element = Element { prefix: prefix.to_owned(), local: local.to_owned(), namespace, attributes, declared };
        let is_root = self.open.len() == 1;
        let id = self.add(Kind::Element(element))?;
        if is_root && std::mem::replace(&mut self.tree.root, id) != 0 {
            return Err(malformed("a second root"));
        }
        Ok(id)
    }

    fn lookup(&self, prefix: &str) -> Result<Rc<str>> {
        if prefix == "xml" {
            return Ok(XML.into());
        }
        let found = self.scope.iter().rev().find(|(known, _)| known == prefix);
        found.map(|(_, uri)| Rc::clone(uri)).ok_or_else(|| malformed("a prefix nobody declared"))
    }
}
