//! PDF (ISO 32000-1): header, end, cross-reference sections, catalog, and every page reached from it.
//!
//! Invariants: the file's own structure is followed, bounded and never in circles; what it draws is not. Pages are those that are
//! reached: how many a file says it has is a claim. An encrypted file
//! is said to be one: in twenty years nobody may know its password.

mod object;
mod xref;

use std::collections::BTreeSet;

use super::Seen;
use crate::error::{Code, Finding};
use object::{Object, Parser};
use xref::{Objects, find};

/// Bytes at the end in which `startxref` must stand (some programs write after it).
const TAIL: usize = 4096;
/// Most pages that a file may say it has, and most nodes of its tree that are looked at.
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
    let reached = pages(&objects, tree)?;
    if reached != count {
        let detail = format!("{reached} pages are reached of the {count} it says it has");
        seen.findings.push(Finding::warning(Code::LegibleDamaged, "content", detail));
    }
    Ok(u32::try_from(reached).ok())
}

/// How many pages the tree leads to; the first must be one.
fn pages(objects: &Objects<'_>, tree: Object) -> Result<u64, &'static str> {
    let (mut reached, mut looked_at) = (0, 0);
    let mut met = BTreeSet::new();
    // Object numbers still to be looked at, the next one last.
    let mut waiting: Vec<u32> = Vec::new();
    let mut next = Some(tree);
    loop {
        match next {
            Some(node) if node.get("Kids").is_some() => {
                let kids = match node.get("Kids") {
                    Some(Object::Reference(number)) => objects.get(*number),
                    kids => kids.cloned(),
                };
                let kids = match kids {
                    Some(Object::Array(kids)) => kids,
                    _ if reached == 0 => return Err("its pages are not readable"),
                    _ => Vec::new(),
                };
                waiting.extend(kids.iter().rev().filter_map(Object::reference));
                if waiting.len() as u64 > MAX_PAGES {
                    return Err("more pages than are looked at");
                }
            }
            Some(node) if node.get("Type").and_then(Object::name).is_none_or(|name| name == "Page") => reached += 1,
            _ if reached == 0 => return Err("its first page is not readable"),
            _ => {}
        }
        let Some(number) = waiting.pop() else { break };
        looked_at += 1;
        if looked_at > MAX_PAGES {
            return Err("more pages than are looked at");
        }
        next = objects.get(number);
        // A page may stand in two places; a branch that does comes back to itself.
        let branch = next.as_ref().is_some_and(|node| node.get("Kids").is_some());
        if branch && !met.insert(number) {
            return Err("its pages come back to one another");
        }
    }
    if reached == 0 { Err("its pages are not readable") } else { Ok(reached) }
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
    fn pages_that_are_not_reached_do_not_count() {
        let pdf = corpus::pdf(3);
        let count = find(&pdf, b"/Count 3").unwrap();
        let mut more = pdf.clone();
        more[count + 7] = b'9';
        assert_eq!(look(&more).pages, Some(3));
        assert!(detail(&more).contains("3 pages are reached of the 9"), "{}", detail(&more));
        // The last kid leads to something that is no page.
        let kids = find(&pdf, b"/Kids [").unwrap();
        let last = kids + pdf[kids..].iter().position(|b| *b == b']').unwrap() - 5;
        let mut lost = pdf.clone();
        lost[last] = b'9';
        assert_eq!(look(&lost).pages, Some(2), "{}", String::from_utf8_lossy(&lost[kids..last + 6]));
        assert!(!look(&lost).findings.is_empty());
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
