//! PDF (ISO 32000-1): header, end, cross-reference sections, catalog, and the first page reached from it.
//!
//! Invariant: the file's own structure is followed, bounded and never in circles; what it draws is not. An encrypted file
//! is said to be one: in twenty years nobody may know its password.

mod object;
mod xref;

use super::Seen;
use crate::error::{Code, Finding};
use object::{Object, Parser};
use xref::{Objects, find};

/// Bytes at the end in which `startxref` must stand (some programs write after it).
const TAIL: usize = 4096;
/// Levels of the page tree.
const MAX_LEVELS: usize = 64;
/// Most pages that a file may say it has.
const MAX_PAGES: u64 = 1_000_000;

pub fn look(bytes: &[u8]) -> Seen {
    let mut seen = Seen::default();
    match structure(bytes, &mut seen) {
        Ok(pages) => seen.pages = pages,
        Err(detail) => seen.unreadable(detail),
    }
    seen
}

fn structure(bytes: &[u8], seen: &mut Seen) -> Result<Option<u32>, &'static str> {
    let header = find(&bytes[..bytes.len().min(1024)], b"%PDF-").ok_or("no PDF header")?;
    let tail = &bytes[bytes.len().saturating_sub(TAIL)..];
    let start = tail.windows(9).rposition(|window| window == b"startxref").ok_or("its end is missing")?;
    if find(&tail[start..], b"%%EOF").is_none() {
        return Err("its end is missing");
    }
    let start = Parser::new(tail, start + 9).number().ok_or("its end is not readable")?;
    let start = usize::try_from(start).map_err(|_| "its end is not readable")?;
    // Offsets count from the header, where something stands before it; some programs count from the first byte.
    let from_header = Objects::read(&bytes[header..], start);
    let objects = match from_header {
        Ok(objects) => objects,
        Err(detail) if header == 0 => return Err(detail),
        Err(_) => Objects::read(bytes, start)?,
    };
    if objects.trailer.contains_key("Encrypt") {
        let finding = Finding::warning(Code::LegibleEncrypted, "content", "");
        seen.findings.push(finding);
        return Ok(None);
    }
    let root = objects.trailer.get("Root").and_then(Object::reference).ok_or("no catalog")?;
    let catalog = objects.get(root).ok_or("its catalog is not readable")?;
    let tree = catalog.get("Pages").and_then(Object::reference).ok_or("no pages")?;
    let tree = objects.get(tree).ok_or("its pages are not readable")?;
    let count = tree.get("Count").and_then(Object::integer).filter(|count| *count <= MAX_PAGES).ok_or("no pages")?;
    if count == 0 {
        return Err("no pages");
    }
    first_page(&objects, tree)?;
    Ok(u32::try_from(count).ok())
}

/// Down the first branch of the tree to a page.
fn first_page(objects: &Objects<'_>, mut node: Object) -> Result<(), &'static str> {
    for _ in 0..MAX_LEVELS {
        let Some(kids) = node.get("Kids") else {
            let page = node.get("Type").and_then(Object::name).is_none_or(|name| name == "Page");
            return if page { Ok(()) } else { Err("its first page is none") };
        };
        let kids = match kids {
            Object::Reference(number) => objects.get(*number).ok_or("its pages are not readable")?,
            kids => kids.clone(),
        };
        let Object::Array(kids) = kids else { return Err("its pages are not readable") };
        let first = kids.first().and_then(Object::reference).ok_or("its pages are not readable")?;
        node = objects.get(first).ok_or("its first page is not readable")?;
    }
    Err("its pages come back to one another")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus;

    fn detail(bytes: &[u8]) -> String {
        look(bytes).findings.first().map(|finding| finding.message.clone()).unwrap_or_default()
    }

    #[test]
    fn pages_are_counted_through_tables_and_streams() {
        for pdf in [corpus::pdf(3), corpus::pdf_with_streams(3)] {
            let seen = look(&pdf);
            assert_eq!(seen.pages, Some(3), "{:?}", seen.findings);
            assert!(seen.findings.is_empty(), "{:?}", seen.findings);
            let shifted = [b"\xEF\xBB\xBF\r\n".as_slice(), &pdf].concat();
            assert_eq!(look(&shifted).pages, Some(3));
        }
    }

    #[test]
    fn circles_ends_and_passwords_are_noticed() {
        let pdf = String::from_utf8_lossy(&corpus::pdf(1)).into_owned();
        // Same length as what it replaces, so that every offset stays true.
        let text: Vec<u8> = corpus::pdf(1);
        let start: String = pdf.rsplit("startxref\n").next().unwrap().lines().next().unwrap().to_owned();
        let with = |entry: &str| {
            let at = find(&text, b"trailer\n<< ").unwrap() + 11;
            [&text[..at], entry.as_bytes(), b" ", &text[at..]].concat()
        };
        assert!(detail(&with(&format!("/Prev {start}"))).contains("come back"));
        assert_eq!(look(&with("/Encrypt 9 0 R")).findings[0].code, Code::LegibleEncrypted);
        assert!(detail(&text[..text.len() - 30]).contains("end is"));
        assert!(detail(b"%PDF-1.4\nstartxref\n99999999\n%%EOF").contains("not where"));
        let kids = find(&text, b"/Kids [5 0 R]").unwrap();
        let mut circle = text.clone();
        circle[kids + 7] = b'2';
        assert!(detail(&circle).contains("come back"));
    }
}
