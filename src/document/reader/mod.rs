//! Readers: one a class. A reader looks inside a document and gives fields and findings; it never alters the bytes,
//! never loads a large document whole and never panics on what it reads.

pub mod aggregation;
mod base64_text;
mod identity;
mod invoice;
mod notification;
pub mod pec;
mod pec_log;
mod signed;
mod xml;

pub use identity::Parts;
pub use invoice::is_sdi_base;
pub use pec_log::term_of_log;

use serde::{Deserialize, Serialize};

use super::format::Format;
use super::{Body, Context, Metadata};
use crate::error::{Code, Finding, Result};
use crate::evidence::verdict::SignatureReport;

/// Which reader a class names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReaderKind {
    /// PEC messages: envelope, receipts, ordinary mail.
    Pec,
    /// PEC messages with a virus: outer headers and daticert only.
    PecVirus,
    /// FatturaPA, plain or signed.
    Invoice,
    /// Notifications of the exchange system.
    SdiNotification,
    /// Identity documents: metadata are given.
    IdentityDocument,
    /// Logs of a PEC provider: metadata are given.
    PecLog,
    /// Aggregations: files and series, metadata only.
    Aggregation,
    /// Nothing is looked at.
    Generic,
}

/// What a reader gets.
pub struct Input<'a> {
    /// The document.
    pub body: &'a Body,
    /// Its name, a hint.
    pub name: &'a str,
    /// Its recognised format.
    pub format: &'a Format,
    /// What the producer gave; only the readers of classes without extraction look at it.
    pub given: &'a Metadata,
    /// Whom the archive believes, and when it received the document.
    pub context: &'a Context<'a>,
}

/// What a reader found.
#[derive(Debug, Default)]
pub struct Extraction {
    /// Fields of the class.
    pub fields: Metadata,
    /// What was noticed, with code and place, never with a value.
    pub findings: Vec<Finding>,
    /// What was found of each signature; their findings are told from here, not by the reader.
    pub signatures: Vec<SignatureReport>,
    /// The same of signatures inside the document: of a message, its sender's own and those of the files it carries.
    pub inner_signatures: Vec<SignatureReport>,
}

impl Extraction {
    /// Sets a field unless the text is empty.
    fn set(&mut self, name: &str, text: &str) {
        if !text.trim().is_empty() {
            self.fields.insert(name.to_owned(), text.trim().into());
        }
    }

    /// Sets a list unless it is empty.
    fn set_list(&mut self, name: &str, items: Vec<String>) {
        if !items.is_empty() {
            self.fields.insert(name.to_owned(), items.into());
        }
    }
}

/// A reader. Contract: errors are input/output errors; anything wrong with the document is a finding, of severity error
/// only when the class cannot hold such a document; memory is bounded by the reader's own constants.
pub trait Reader: Sync {
    /// Reads a document whose format its class admits.
    fn read(&self, input: &Input) -> Result<Extraction>;

    /// What a document is whose format the class does not admit, when the reader can say it better than "not admitted".
    fn not_admitted(&self, _head: &[u8], _media_type: &str, _name: &str) -> Option<Code> {
        None
    }
}

/// The reader of that kind.
pub fn of(kind: ReaderKind) -> &'static dyn Reader {
    match kind {
        ReaderKind::Pec => &pec::PecReader,
        ReaderKind::PecVirus => &pec::VirusReader,
        ReaderKind::Invoice => &invoice::InvoiceReader,
        ReaderKind::SdiNotification => &notification::NotificationReader,
        ReaderKind::IdentityDocument => &identity::IdentityReader,
        ReaderKind::PecLog => &pec_log::PecLogReader,
        ReaderKind::Aggregation => &aggregation::AggregationReader,
        ReaderKind::Generic => &GenericReader,
    }
}

struct GenericReader;

impl Reader for GenericReader {
    fn read(&self, _: &Input) -> Result<Extraction> {
        Ok(Extraction::default())
    }
}

/// What a file is that should be signed data and is not even that: for the classes whose files come as `.p7m`.
fn not_even_signed(head: &[u8], media_type: &str, name: &str) -> Option<Code> {
    if media_type == "application/pkcs7-signature" {
        return Some(Code::P7mDetached);
    }
    if name.to_ascii_lowercase().ends_with(".p7m") { signed::not_signed(head) } else { None }
}

/// The class that XML, plain or signed, says it belongs to.
pub(super) fn class_of_xml(body: &Body) -> Result<Option<&'static str>> {
    Ok(match signed::whole(body, &mut Vec::new())? {
        Some(whole) => class_of_bytes(&whole),
        None => None,
    })
}

/// Local name of the root element of XML, plain or signed; for intake, which asks what an archive inside an archive is.
pub fn root_of(body: &Body) -> Result<Option<String>> {
    let Some(whole) = signed::whole(body, &mut Vec::new())? else { return Ok(None) };
    let opened = signed::open(&whole, &mut Vec::new(), &mut |_, _| {});
    Ok(opened.and_then(|opened| xml::root_name(&opened.content)))
}

/// Reads XML to its end; the fault that keeps it from being read, else that its bytes are not of the encoding it says.
pub fn read_xml(bytes: &[u8]) -> std::result::Result<(), Finding> {
    let parsed = xml::parse(bytes, xml::Apart::default())?;
    parsed.findings.into_iter().find(|found| found.code == Code::XmlEncoding).map_or(Ok(()), Err)
}

/// What is signed inside a file, however many signatures are around it; what kept it from being opened.
pub fn signed_content(bytes: &[u8]) -> std::result::Result<Vec<u8>, Finding> {
    let mut findings = Vec::new();
    match signed::open(bytes, &mut findings, &mut |_, _| {}) {
        Some(opened) if opened.layers > 0 => Ok(opened.content.into_owned()),
        _ => Err(findings.pop().unwrap_or_else(|| Finding::error(Code::DerMalformed, "content", ""))),
    }
}

fn class_of_bytes(bytes: &[u8]) -> Option<&'static str> {
    let opened = signed::open(bytes, &mut Vec::new(), &mut |_, _| {})?;
    class_of_content(&opened.content)
}

fn class_of_content(content: &[u8]) -> Option<&'static str> {
    match xml::root_name(content)?.as_str() {
        root if invoice::is_root(root) => Some("invoice"),
        root if notification::kind_of_root(root).is_some() => Some("sdi-notification"),
        _ => None,
    }
}

/// What an attachment of a message turned out to be.
#[derive(Debug, Default)]
pub struct Attachment {
    /// `invoice` or `sdi-notification`; none when it is merely signed, or was to be.
    pub class: Option<&'static str>,
    /// The fields that class has, as its reader extracts them: `file_base`, `sdi_identifier`, `kind`, `number` …
    pub fields: Metadata,
    /// What was noticed.
    pub findings: Vec<Finding>,
    /// Its signatures.
    pub signatures: Vec<SignatureReport>,
    /// What is signed, when it is of no class that is known here.
    pub content: Option<Vec<u8>>,
}

impl Attachment {
    /// A field's text.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field)?.as_str()
    }
}

/// Understands an attachment that is an invoice or a notification of the exchange system, plain or signed, or any other file with its
/// signature around it; the content alone decides, the name is a hint. Opened once, whatever it is. `None` when it is none of these,
/// or larger than what is read in depth; without a context signatures are not judged.
pub fn understand_attachment(bytes: &[u8], name: &str, context: Option<&Context<'_>>) -> Option<Attachment> {
    if bytes.len() > xml::MAX_BYTES {
        return None;
    }
    let mut out = Extraction::default();
    let opened = signed::open_judged(bytes, context, &mut out);
    let class = opened.as_ref().and_then(|opened| class_of_content(&opened.content));
    let mut content = None;
    match (opened, class) {
        (Some(opened), Some("invoice")) => invoice::read_opened(&opened, name, context, &mut out),
        (Some(opened), Some(_)) => notification::read_opened(&opened, name, context, &mut out),
        (Some(opened), None) if opened.layers > 0 => content = Some(opened.content.into_owned()),
        // Neither signed nor known; or it was to be signed, and is not.
        (Some(_), None) => return None,
        (None, _) => {}
    }
    Some(Attachment { class, fields: out.fields, findings: out.findings, signatures: out.signatures, content })
}

/// What the names of an invoice, of its signed form, of its zip have in common: no path, no `.xml`, `.p7m`, `.zip`, in
/// upper case. `None` when nothing is left.
pub fn file_base(name: &str) -> Option<String> {
    let mut base = name.rsplit(['/', '\\']).next().unwrap_or_default().trim();
    // Signed twice, and portals that add an extension: as many as there are.
    while let Some(shorter) = [".xml", ".p7m", ".zip"].iter().find_map(|suffix| {
        let stem = base.len().checked_sub(suffix.len())?;
        base.get(stem..).filter(|end| end.eq_ignore_ascii_case(suffix)).map(|_| &base[..stem])
    }) {
        base = shorter.trim_end();
    }
    (!base.is_empty()).then(|| base.to_uppercase())
}

/// Documents for the tests of the whole room.
#[cfg(test)]
pub(super) mod samples {
    pub use super::invoice::tests::INVOICE;
    pub use super::pec::tests::delivery as pec;
    pub use super::signed::tests::wrap as signed;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_names() {
        for (name, base) in [
            ("IT01234567890_00001.xml", Some("IT01234567890_00001")),
            ("a/b\\it01234567890_a1.XML.P7M.p7m", Some("IT01234567890_A1")),
            ("x.zip", Some("X")),
            (".xml", None),
            ("è", Some("È")),
            ("", None),
        ] {
            assert_eq!(file_base(name).as_deref(), base, "{name}");
        }
    }

    #[test]
    fn attachments_are_known_by_their_content() {
        let invoice = understand_attachment(samples::INVOICE.as_bytes(), "allegato.bin", None).unwrap();
        assert_eq!((invoice.class, invoice.text("number")), (Some("invoice"), Some("12/A")));
        let signed = understand_attachment(&samples::signed(samples::INVOICE.as_bytes()), "x_1.xml.p7m", None).unwrap();
        assert_eq!((signed.class, signed.text("file_base")), (Some("invoice"), Some("X_1")));
        let notice = b"<FileMetadati><IdentificativoSdI>7</IdentificativoSdI></FileMetadati>";
        let notice = understand_attachment(notice, "", None).unwrap();
        assert_eq!((notice.class, notice.text("sdi_identifier")), (Some("sdi-notification"), Some("7")));
        for other in [&b""[..], b"testo", b"<altro/>", b"%PDF-1.4", &[0xff; 100]] {
            assert!(understand_attachment(other, "x.xml", None).is_none());
        }
        // In any encoding and behind any mark; a photograph begins like one of them.
        let wide = |mark: &str, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            format!("{mark}{}", samples::INVOICE.replace("UTF-8", "UTF-16")).encode_utf16().flat_map(bytes).collect()
        };
        for invoice in [
            wide("\u{feff}", u16::to_le_bytes),
            wide("\u{feff}", u16::to_be_bytes),
            wide("", u16::to_le_bytes),
            format!("\u{feff}\u{feff}\r\n{}", samples::INVOICE).into_bytes(),
        ] {
            assert_eq!(understand_attachment(&invoice, "x.xml", None).unwrap().class, Some("invoice"));
        }
        let photograph = [&b"\xff\xd8\xff\xe0\0\x10JFIF\0"[..], samples::INVOICE.as_bytes()].concat();
        assert!(understand_attachment(&photograph, "x.jpg", None).is_none());
        // What is signed and nothing else is opened; what cannot be is said.
        let signed = understand_attachment(&samples::signed(b"%PDF-1.4"), "a.pdf.p7m", Some(Context::test())).unwrap();
        assert_eq!((signed.class, signed.content.as_deref()), (None, Some(&b"%PDF-1.4"[..])));
        assert_eq!(signed.signatures.len(), 1);
        let broken = understand_attachment(b"0\x80", "a.pdf.p7m", None).unwrap();
        assert_eq!((broken.class, broken.findings.len()), (None, 1));
    }
}
