//! Canonical XML: inclusive (W3C xml-c14n 1.0, and 1.1 where they agree) and exclusive (xml-exc-c14n), with and without comments.
//!
//! The subset is a whole document or one element, without some whole elements inside: what enveloped signatures need. It is never
//! written back: the result is digested and thrown away.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::tree::{Element, Id, Kind, Tree, XML};

/// How to write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Method {
    /// Only the namespaces that are used.
    pub exclusive: bool,
    /// With comments.
    pub comments: bool,
    /// Of the exclusive method: prefixes treated as the inclusive one does; the default namespace is empty.
    pub inclusive_prefixes: Vec<String>,
}

/// What to write.
#[derive(Debug, Clone)]
pub struct Subset<'a> {
    /// The document (0) or an element.
    pub apex: Id,
    /// Elements left out, with all that stands in them.
    pub without: &'a BTreeSet<Id>,
}

/// The canonical form.
pub fn canonicalise(tree: &Tree<'_>, subset: &Subset<'_>, method: &Method) -> String {
    let mut writer =
        Writer { tree, method, without: subset.without, scope: Vec::new(), rendered: Vec::new(), out: String::new() };
    if subset.apex == 0 {
        writer.document();
    } else {
        writer.inherit(subset.apex);
        writer.node(subset.apex, true);
    }
    writer.out
}

struct Writer<'a, 'b> {
    tree: &'a Tree<'b>,
    method: &'a Method,
    without: &'a BTreeSet<Id>,
    /// Namespaces in scope, the nearest last.
    scope: Vec<(String, Rc<str>)>,
    /// Namespaces written by the open elements, the nearest last.
    rendered: Vec<(String, Rc<str>)>,
    out: String,
}

fn nearest<'s>(list: &'s [(String, Rc<str>)], prefix: &str) -> Option<&'s str> {
    list.iter().rev().find(|(known, _)| known == prefix).map(|(_, uri)| &**uri)
}

impl Writer<'_, '_> {
    /// Comments and instructions outside the root stand on lines of their own.
    fn document(&mut self) {
        let mut after_root = false;
        for id in &self.tree.node(0).children {
            match &self.tree.node(*id).kind {
                Kind::Element(_) => {
                    self.node(*id, false);
                    after_root = true;
                }
                Kind::Comment(_) if !self.method.comments => {}
                Kind::Comment(_) | Kind::Instruction(_) => {
                    if after_root {
                        self.out.push('\n');
                    }
                    self.node(*id, false);
                    if !after_root {
                        self.out.push('\n');
                    }
                }
                _ => {}
            }
        }
    }

    /// What the elements around the apex declare is in scope inside it.
    fn inherit(&mut self, apex: Id) {
        let mut around = Vec::new();
        let mut id = self.tree.node(apex).parent;
        while let Some(element) = self.tree.element(id) {
            around.push(element);
            id = self.tree.node(id).parent;
        }
        for element in around.iter().rev() {
            self.scope.extend(element.declared.iter().cloned());
        }
    }

    fn node(&mut self, id: Id, apex: bool) {
        if self.without.contains(&id) {
            return;
        }
        match &self.tree.node(id).kind {
            Kind::Element(element) => self.element(id, element, apex),
            Kind::Text(text) => escape_text(text, &mut self.out),
            Kind::Comment(text) if self.method.comments => {
                self.out.push_str("<!--");
                self.out.push_str(text);
                self.out.push_str("-->");
            }
            Kind::Instruction(text) => {
                // XML 1.0 section 2.6: blanks between target and data are one.
                let (target, data) = text.split_once([' ', '\t', '\n']).unwrap_or((text, ""));
                let data = data.trim_start_matches([' ', '\t', '\n']);
                self.out.push_str("<?");
                self.out.push_str(target);
                if !data.is_empty() {
                    self.out.push(' ');
                    self.out.push_str(data);
                }
                self.out.push_str("?>");
            }
            _ => {}
        }
    }

    fn element(&mut self, id: Id, element: &Element, apex: bool) {
        let (in_scope, written) = (self.scope.len(), self.rendered.len());
        self.scope.extend(element.declared.iter().cloned());
        let name = if element.prefix.is_empty() {
            element.local.clone()
        } else {
            format!("{}:{}", element.prefix, element.local)
        };
        self.out.push('<');
        self.out.push_str(&name);
        for (prefix, uri) in self.namespaces(element, apex) {
            self.out.push_str(if prefix.is_empty() { " xmlns" } else { " xmlns:" });
            self.out.push_str(&prefix);
            self.out.push_str("=\"");
            escape_attribute(&uri, &mut self.out);
            self.out.push('"');
            self.rendered.push((prefix, uri));
        }
        self.attributes(id, element, apex);
        self.out.push('>');
        for child in &self.tree.node(id).children {
            self.node(*child, false);
        }
        self.out.push_str("</");
        self.out.push_str(&name);
        self.out.push('>');
        self.scope.truncate(in_scope);
        self.rendered.truncate(written);
    }

    /// Namespaces to write at this element, sorted by prefix.
    fn namespaces(&self, element: &Element, apex: bool) -> Vec<(String, Rc<str>)> {
        let mut prefixes: BTreeSet<&str> = BTreeSet::new();
        if self.method.exclusive {
            prefixes.insert(&element.prefix);
            prefixes.extend(element.attributes.iter().map(|a| a.prefix.as_str()).filter(|prefix| !prefix.is_empty()));
            prefixes.extend(self.method.inclusive_prefixes.iter().map(String::as_str));
        } else if apex {
            prefixes.extend(self.scope.iter().map(|(prefix, _)| prefix.as_str()));
        } else {
            prefixes.extend(element.declared.iter().map(|(prefix, _)| prefix.as_str()));
        }
        let changed = |prefix: &str| {
            let now = nearest(&self.scope, prefix).unwrap_or_default();
            let before = nearest(&self.rendered, prefix).unwrap_or_default();
            (now != before).then(|| (prefix.to_owned(), Rc::from(now)))
        };
        // A prefix that is not declared cannot be undeclared; `xml` never is.
        prefixes.into_iter().filter(|prefix| *prefix != "xml").filter_map(changed).collect()
    }

    fn attributes(&mut self, id: Id, element: &Element, apex: bool) {
        let mut all: Vec<(&str, &str, &str, &str)> = element
            .attributes
            .iter()
            .map(|a| (&*a.namespace, a.local.as_str(), a.prefix.as_str(), a.value.as_str()))
            .collect();
        if apex && !self.method.exclusive {
            // xml:lang, xml:space … of the elements around hold inside (xml-c14n 1.0 section 2.4).
            let mut around = self.tree.node(id).parent;
            while let Some(outer) = self.tree.element(around) {
                for attribute in outer.attributes.iter().filter(|a| &*a.namespace == XML) {
                    if !all.iter().any(|(namespace, local, ..)| *namespace == XML && *local == attribute.local) {
                        all.push((XML, &attribute.local, "xml", &attribute.value));
                    }
                }
                around = self.tree.node(around).parent;
            }
        }
        all.sort_unstable();
        for (_, local, prefix, value) in all {
            self.out.push(' ');
            if !prefix.is_empty() {
                self.out.push_str(prefix);
                self.out.push(':');
            }
            self.out.push_str(local);
            self.out.push_str("=\"");
            escape_attribute(value, &mut self.out);
            self.out.push('"');
        }
    }
}

fn escape_text(text: &str, out: &mut String) {
    escape(text, out, &['&', '<', '>', '\r']);
}

fn escape_attribute(text: &str, out: &mut String) {
    escape(text, out, &['&', '<', '"', '\t', '\n', '\r']);
}

fn escape(mut text: &str, out: &mut String, special: &[char]) {
    while let Some(at) = text.find(special) {
        out.push_str(&text[..at]);
        out.push_str(match text.as_bytes()[at] {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            b'\t' => "&#x9;",
            b'\n' => "&#xA;",
            _ => "&#xD;",
        });
        text = &text[at + 1..];
    }
    out.push_str(text);
}
