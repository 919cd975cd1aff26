//! The files a message carries, listed with media type, size and SHA-256; those that are invoices or notifications of the exchange
//! system are understood too (`reference/pec` section 12).
//!
//! Invariant: memory does not grow with a file unless it may be one of those, and then stays below what their readers take; messages
//! within messages are entered to a fixed depth, and what is not listed for a limit is said.

use std::collections::HashSet;
use std::ops::Range;

use serde_json::{Value, json};
use sha2::Digest as _;

use super::breve::Hash;
use super::headers::Headers;
use super::inner::{Inner, Looked, is_entity, is_promised};
use super::original::Original;
use super::source::Source;
use super::structure::{Part, Structure};
use super::transfer::Decoder;
use crate::document::format;
use crate::document::reader::Extraction;
use crate::document::reader::signed::not_signed;
use crate::document::reader::xml::MAX_BYTES;
use crate::error::{AtPlace, Code, Finding, Result};
use crate::evidence::judge::Senders;
use crate::evidence::verdict::SignatureReport;
use crate::hash::Sha256;

/// Files listed of one message, at every depth together.
const MAX_LISTED: usize = 1000;
/// Messages within messages.
const MAX_DEPTH: usize = 5;
/// Files that may be invoices or notifications and are kept in memory to see, in bytes all together.
const MAX_UNDERSTOOD: u64 = 64 << 20;

/// What was found so far.
pub struct Listing<'a> {
    entries: Vec<Value>,
    digests: Vec<String>,
    known: HashSet<String>,
    hashes: Vec<Hash>,
    sdi_identifiers: Vec<String>,
    invoice_files: Vec<String>,
    /// Digest and base name of every invoice, for what is said of that file.
    carried: Vec<String>,
    findings: Vec<Finding>,
    inner: Inner<'a>,
    understood: u64,
    cut: bool,
}

/// A message whose files are listed.
pub struct Message<'a> {
    pub source: &'a Source<'a>,
    pub structure: &'a Structure,
    pub headers: &'a Headers,
    /// Names it.
    pub place: &'a str,
    /// Messages around it.
    pub depth: usize,
}

/// One part to be listed.
struct File<'a> {
    source: &'a Source<'a>,
    part: &'a Part,
    place: String,
    /// Who sent the message, when the part is all of it.
    senders: Option<Senders<'a>>,
    depth: usize,
}

impl<'a> Listing<'a> {
    /// Nothing yet; signatures inside are judged in this context.
    pub fn new(inner: Inner<'a>) -> Self {
        Self {
            entries: Vec::new(),
            digests: Vec::new(),
            known: HashSet::new(),
            hashes: Vec::new(),
            sdi_identifiers: Vec::new(),
            invoice_files: Vec::new(),
            carried: Vec::new(),
            findings: Vec::new(),
            inner,
            understood: 0,
            cut: false,
        }
    }

    /// Lists the files of a message: all its parts but the texts shown as its body; and judges who signed it, unless it is the
    /// outermost, of which its own reader speaks.
    pub fn message(&mut self, message: &Message) -> Result<()> {
        let Message { source, structure, headers, place, depth } = *message;
        self.note(structure, place, depth);
        if depth > 0 {
            self.inner.message(source, structure, headers, place)?;
        }
        for (at, part) in structure.parts.iter().enumerate() {
            let multipart = part.info.media_type.starts_with("multipart/") && structure.children(at).next().is_some();
            let shown = part.info.media_type.starts_with("text/") && part.info.name.is_none() && !part.info.attached;
            if multipart || shown {
                continue;
            }
            let path = structure.path(at);
            let place = if path.is_empty() { place.to_owned() } else { format!("{place}/{path}") };
            let senders = (at == 0).then(|| headers.senders(false));
            self.file(&File { source, part, place, senders, depth })?;
        }
        Ok(())
    }

    /// Lists one part.
    pub fn part(&mut self, source: &Source, part: &Part, place: String) -> Result<()> {
        self.file(&File { source, part, place, senders: None, depth: 0 })
    }

    fn note(&mut self, structure: &Structure, place: &str, depth: usize) {
        let inner = |code, detail: &str| Finding::warning(code, place, detail);
        // Of the outermost message its own reader has spoken.
        if depth > 0 && structure.truncated {
            self.findings.push(inner(Code::MailInnerCut, ""));
        }
        if depth > 0 && structure.too_deep {
            self.findings.push(inner(Code::MailTooDeep, "a message inside"));
        }
        if depth > 0 && structure.too_many {
            self.findings.push(inner(Code::MailTooMany, ""));
        }
    }

    fn file(&mut self, file: &File) -> Result<()> {
        if self.entries.len() >= MAX_LISTED {
            if !std::mem::replace(&mut self.cut, true) {
                self.findings.push(Finding::warning(Code::MailTooMany, "attachment_list", "not all are listed"));
            }
            return Ok(());
        }
        let File { source, part, place, .. } = file;
        if let Some(hash) = Hash::of(source, part)? {
            self.hashes.push(hash);
        }
        let name = part.info.name.as_deref().unwrap_or_default();
        let read = self.read(source, part).at("content")?;
        if read.damaged {
            self.findings.push(Finding::warning(Code::MailEncoding, place.as_str(), ""));
        }
        let format = format::recognise(&read.head, name);
        let sha256 = read.sha256.to_string();
        let mut entry = json!({
            "name": name,
            "media_type": format.media_type,
            "declared": part.info.media_type,
            "bytes": read.bytes,
            "sha256": sha256,
            "place": place,
        });
        if self.known.insert(sha256.clone()) {
            self.digests.push(sha256);
        }
        let looked = |bytes| Looked { part, bytes, name, media_type: &format.media_type, place };
        let content = match &read.whole {
            Some(whole) => self.understand(&looked(whole), file, &mut entry),
            None => None,
        };
        if read.whole.is_none() && is_promised(&part.info, &format.media_type) {
            let too_large = read.bytes > 0 && (read.bytes > MAX_BYTES as u64 || may_be_understood(&read.head));
            let other = || not_signed(&read.head).unwrap_or(Code::DerMalformed);
            let code = if too_large { Code::ReaderTooLarge } else { other() };
            self.findings.push(Finding::warning(code, place.as_str(), "no signature is judged"));
        }
        self.entries.push(entry);
        if let Some(content) = content.filter(|content| is_entity(content)) {
            return self.entity(content, file);
        }
        let message = part.info.media_type == "message/rfc822" || format.media_type == "message/rfc822";
        if message {
            self.inside(file)?;
        }
        Ok(())
    }

    /// The files of a message that is itself a file.
    fn inside(&mut self, file: &File) -> Result<()> {
        if self.is_too_deep(file) {
            return Ok(());
        }
        let Some(inner) = Original::open(file.source, file.part)? else { return Ok(()) };
        self.message(&Message {
            source: inner.source.source(),
            structure: &inner.structure,
            headers: &inner.headers,
            place: &file.place,
            depth: file.depth + 1,
        })
    }

    /// The files of what a message holds inside its signature (RFC 8551 section 3.5.2): it has no headers of a message.
    fn entity(&mut self, content: Vec<u8>, file: &File) -> Result<()> {
        if self.is_too_deep(file) {
            return Ok(());
        }
        let source = Source::Memory(content.into());
        let structure = Structure::scan(&source, 0..source.len()).at("content")?;
        let Some(headers) = Headers::read(&structure.header) else { return Ok(()) };
        let place = format!("{}/content", file.place);
        let depth = file.depth + 1;
        self.message(&Message { source: &source, structure: &structure, headers: &headers, place: &place, depth })
    }

    fn is_too_deep(&mut self, file: &File) -> bool {
        let too_deep = file.depth >= MAX_DEPTH;
        if too_deep {
            let finding = Finding::warning(Code::MailTooDeep, file.place.as_str(), "messages within messages");
            self.findings.push(finding);
        }
        too_deep
    }

    /// Understands a file; gives what is signed in it, when that is of no known class.
    fn understand(&mut self, looked: &Looked, file: &File, entry: &mut Value) -> Option<Vec<u8>> {
        let mut found = self.inner.file(looked, file.senders)?;
        if !found.signatures.is_empty() {
            entry["signature_verdict"] = SignatureReport::worst(&found.signatures).into();
        }
        if let Some(class) = found.class {
            entry["class"] = class.into();
            if class == "invoice" {
                let sha256 = entry["sha256"].as_str().unwrap_or_default();
                let carried = format!("{sha256}/{}", found.text("file_base").unwrap_or_default());
                if !self.carried.contains(&carried) {
                    self.carried.push(carried);
                }
            }
        }
        for field in KEY_FIELDS {
            if let Some(value) = found.fields.get(*field) {
                entry[*field] = value.clone();
            }
        }
        let collect = |field: &str, into: &mut Vec<String>| {
            if let Some(text) = found.text(field).filter(|text| !into.iter().any(|known| known == text)) {
                into.push(text.to_owned());
            }
        };
        collect("sdi_identifier", &mut self.sdi_identifiers);
        collect("file_base", &mut self.invoice_files);
        let whole_message = file.depth == 0 && file.senders.is_some();
        let into = if whole_message { &mut self.inner.own } else { &mut self.inner.reports };
        into.append(&mut found.signatures);
        found.content
    }

    fn read(&mut self, source: &Source, part: &Part) -> std::io::Result<Read> {
        let mut decoder = Decoder::new(&part.info.encoding);
        let room = MAX_UNDERSTOOD.saturating_sub(self.understood).min(MAX_BYTES as u64);
        let mut taken =
            Taken { hasher: sha2::Sha256::new(), bytes: 0, head: Vec::new(), whole: Some(Vec::new()), room };
        feed(source, part.body.clone(), &mut decoder, &mut |bytes| taken.take(bytes))?;
        let whole = taken.whole.filter(|whole| !whole.is_empty());
        self.understood += whole.as_ref().map_or(0, |whole| whole.len() as u64);
        let sha256 = Sha256(taken.hasher.finalize().into());
        Ok(Read { bytes: taken.bytes, sha256, head: taken.head, whole, damaged: decoder.damaged })
    }

    /// Puts everything into fields and findings.
    pub fn fill(self, out: &mut Extraction) {
        out.fields.insert("attachments".to_owned(), self.entries.len().into());
        if !self.entries.is_empty() {
            out.fields.insert("attachment_list".to_owned(), self.entries.into());
        }
        if !self.hashes.is_empty() {
            out.fields.insert("hashes".to_owned(), self.hashes.iter().map(Hash::to_json).collect());
        }
        out.set_list("attachment_sha256", self.digests);
        out.set_list("sdi_identifiers", self.sdi_identifiers);
        out.set_list("invoice_files", self.invoice_files);
        out.set_list("carried_invoices", self.carried);
        out.findings.extend(self.findings);
        out.findings.extend(self.inner.findings);
        out.signatures.extend(self.inner.own);
        out.inner_signatures.extend(self.inner.reports);
    }
}

/// Fields of an invoice or notification that are shown in the list.
const KEY_FIELDS: &[&str] = &[
    "kind",
    "document_type",
    "number",
    "date",
    "total",
    "seller_vat",
    "buyer_vat",
    "buyer_tax_code",
    "transmission_format",
    "body_count",
    "sdi_identifier",
    "file_base",
    "invoice_file",
    "signed",
];

/// A file read through.
struct Read {
    bytes: u64,
    sha256: Sha256,
    head: Vec<u8>,
    whole: Option<Vec<u8>>,
    damaged: bool,
}

struct Taken {
    hasher: sha2::Sha256,
    bytes: u64,
    head: Vec<u8>,
    whole: Option<Vec<u8>>,
    room: u64,
}

impl Taken {
    fn take(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
        let room = format::HEAD - self.head.len();
        self.head.extend_from_slice(&bytes[..room.min(bytes.len())]);
        let Some(whole) = &mut self.whole else { return };
        let fits = self.bytes <= self.room;
        if fits && may_be_understood(&self.head) {
            whole.extend_from_slice(bytes);
        } else {
            self.whole = None;
        }
    }
}

/// XML, signed data in any dress: nothing else is worth keeping in memory.
fn may_be_understood(head: &[u8]) -> bool {
    let start = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head).trim_ascii_start();
    // FF alone begins a photograph; a mark of wide characters has both bytes.
    matches!(start, [] | [b'<' | b'M' | b'-' | 0x30, ..] | [0xFE | 0xFF] | [0xFE, 0xFF, ..] | [0xFF, 0xFE, ..])
}

/// The decoded bytes of a part, piece by piece.
fn feed(source: &Source, range: Range<u64>, decoder: &mut Decoder, sink: &mut dyn FnMut(&[u8])) -> std::io::Result<()> {
    source.feed(range, &mut |piece| decoder.update(piece, sink))?;
    decoder.finish(sink);
    Ok(())
}
