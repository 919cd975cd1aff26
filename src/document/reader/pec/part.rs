//! What the header of a part says of it, read leniently (RFC 2045, 2183; `reference/pec` section 5).

use std::borrow::Cow;

use mail_parser::{HeaderName, MessageParser, MimeHeaders as _};

/// What a part is.
#[derive(Debug, Default)]
pub struct Info {
    /// Media type in lower case; `text/plain` when none is said (RFC 2045 section 5.2).
    pub media_type: String,
    /// Its name, decoded.
    pub name: Option<String>,
    /// Content-Transfer-Encoding in lower case.
    pub encoding: String,
    /// Content-Disposition says attachment.
    pub attached: bool,
}

impl Info {
    /// Reads a header block that ends with an empty line; the boundary too, when it is a multipart that has one.
    pub fn read(block: &[u8]) -> (Self, Option<Vec<u8>>) {
        let mut info = Self { media_type: "text/plain".to_owned(), ..Self::default() };
        let block = readable(block);
        let Some(message) = MessageParser::default().parse_headers(block.as_bytes()) else { return (info, None) };
        let root = message.root_part();
        if let Some(kind) = root.content_type() {
            info.media_type = format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default()).to_ascii_lowercase();
        }
        info.name = root.attachment_name().map(decoded_name).filter(|name| !name.is_empty());
        let encoding = message.header(HeaderName::ContentTransferEncoding).and_then(|value| value.as_text());
        info.encoding = encoding.unwrap_or_default().trim().to_ascii_lowercase();
        info.attached = root.content_disposition().is_some_and(|d| d.ctype().eq_ignore_ascii_case("attachment"));
        let boundary = root.content_type().and_then(|kind| kind.attribute("boundary")).map(|b| b.trim_end().as_bytes());
        let multipart = info.media_type.starts_with("multipart/");
        let boundary = boundary.filter(|boundary| multipart && !boundary.is_empty()).map(<[u8]>::to_vec);
        (info, boundary)
    }

    /// Whether it has this name, in any case.
    pub fn is_named(&self, name: &str) -> bool {
        self.name.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(name))
    }
}

/// A header block as text: 8-bit characters that are not UTF-8 are read as windows-1252, in which every byte is one.
pub fn readable(block: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(block) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => encoding_rs::WINDOWS_1252.decode_without_bom_handling(block).0,
    }
}

/// Encoded words inside quoted parameters: technically wrong, common (RFC 2047 section 5).
fn decoded_name(name: &str) -> String {
    if !name.contains("=?") {
        return name.trim().to_owned();
    }
    let block = format!("Subject: {}\r\n\r\n", name.replace(['\r', '\n'], " "));
    let message = MessageParser::default().parse_headers(block.as_bytes());
    message.and_then(|m| m.subject().map(|s| s.trim().to_owned())).unwrap_or_else(|| name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Info {
        Info::read(format!("{text}\r\n\r\n").as_bytes()).0
    }

    #[test]
    fn names_in_every_dress() {
        let name = |text: &str| of(text).name;
        assert_eq!(name("Content-Type: a/b; name=\"x y.pdf\"").as_deref(), Some("x y.pdf"));
        let word = "Content-Disposition: attachment;\r\n filename=\"=?UTF-8?Q?perch=C3=A9.pdf?=\"";
        assert_eq!(name(word).as_deref(), Some("perché.pdf"));
        let words = "Content-Type: a/b;\r\n name=\"=?iso-8859-1?Q?perch=E9?=\r\n =?iso-8859-1?Q?_no.pdf?=\"";
        assert_eq!(name(words).as_deref(), Some("perché no.pdf"));
        let rfc2231 = "Content-Disposition: attachment; filename*=UTF-8''perch%C3%A9.pdf";
        assert_eq!(name(rfc2231).as_deref(), Some("perché.pdf"));
        let raw = Info::read(b"Content-Type: a/b; name=\"perch\xe9.pdf\"\r\n\r\n").0;
        assert_eq!(raw.name.as_deref(), Some("perché.pdf"));
        assert_eq!(name("Content-Type: a/b"), None);
    }

    #[test]
    fn what_is_not_said_is_plain_text() {
        assert_eq!(of("X: y").media_type, "text/plain");
        let info = of("content-type: Message/RFC822\r\nContent-Transfer-Encoding:  BASE64 ");
        assert_eq!((info.media_type.as_str(), info.encoding.as_str()), ("message/rfc822", "base64"));
        assert!(Info::read(b"Content-Type: multipart/mixed\r\n\r\n").1.is_none());
        assert!(Info::read(b"Content-Type: text/plain; boundary=x\r\n\r\n").1.is_none());
    }
}
