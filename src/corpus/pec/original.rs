//! The message a user wrote: plain MIME, as the client sent it, as the provider hands it on, and cut down for `breve`.

use aws_lc_rs::digest;
use jiff::Zoned;

use crate::corpus::mime::{base64_lines, header_text, quoted_printable_latin1};

/// A file attached to a message.
#[derive(Debug, Clone)]
pub struct Attachment {
    /// File name, ASCII.
    pub name: String,
    /// Media type.
    pub media_type: &'static str,
    /// Content.
    pub bytes: Vec<u8>,
}

/// A user's message.
#[derive(Debug, Clone)]
pub struct Original {
    /// Sender.
    pub from: String,
    /// Recipients.
    pub to: Vec<String>,
    /// Recipients in copy.
    pub cc: Vec<String>,
    /// Subject.
    pub subject: String,
    /// Message-ID with angle brackets, when the client set one.
    pub msgid: Option<String>,
    /// When it was written.
    pub at: Zoned,
    /// Text, lines ended by CRLF.
    pub text: String,
    /// Files.
    pub attachments: Vec<Attachment>,
    /// Receipt the sender asked for; `None` leaves the header out, which means `completa`.
    pub receipt_type: Option<&'static str>,
    /// Boundary between parts.
    pub boundary: String,
}

/// How a breve receipt describes an attachment: providers differ, and readers must accept both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreveHash {
    /// SHA-1 of the decoded content.
    Decoded,
    /// SHA-1 of the base64 lines as transmitted.
    Encoded,
}

impl Original {
    /// The message as the client sent it.
    pub fn as_sent(&self) -> Vec<u8> {
        self.render(None, None)
    }

    /// The message as `postacert.eml`: the provider puts its own identifier in the place of the client's.
    pub fn as_carried(&self, identifier: &str) -> Vec<u8> {
        self.render(Some(identifier), None)
    }

    /// The message as a breve receipt gives it back: files replaced by their SHA-1.
    pub fn as_breve(&self, identifier: &str, hash: BreveHash) -> Vec<u8> {
        self.render(Some(identifier), Some(hash))
    }

    fn render(&self, identifier: Option<&str>, breve: Option<BreveHash>) -> Vec<u8> {
        let files: usize = self.attachments.iter().map(|a| a.bytes.len()).sum();
        let mut out = Vec::with_capacity(files * 11 / 8 + self.text.len() * 2 + 2048);
        self.headers(&mut out, identifier);
        let text = quoted_printable_latin1(&self.text);
        let text_headers =
            "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n";
        if self.attachments.is_empty() {
            out.extend_from_slice(text_headers.as_bytes());
            out.extend_from_slice(text.as_bytes());
            out.extend_from_slice(b"\r\n");
            return out;
        }
        let boundary = &self.boundary;
        out.extend_from_slice(
            format!("Content-Type: multipart/mixed;\r\n boundary=\"{boundary}\"\r\n\r\n--{boundary}\r\n{text_headers}{text}\r\n")
                .as_bytes(),
        );
        for file in &self.attachments {
            out.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
            match breve {
                None => {
                    let (media, name) = (file.media_type, &file.name);
                    out.extend_from_slice(
                        format!(
                            "Content-Type: {media};\r\n name=\"{name}\"\r\nContent-Transfer-Encoding: base64\r\n\
                             Content-Disposition: attachment;\r\n filename=\"{name}\"\r\n\r\n"
                        )
                        .as_bytes(),
                    );
                    base64_lines(&mut out, &file.bytes);
                }
                Some(hash) => out.extend_from_slice(hashed_part(file, hash).as_bytes()),
            }
        }
        out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        out
    }

    fn headers(&self, out: &mut Vec<u8>, identifier: Option<&str>) {
        let mut header = |name: &str, value: &str| {
            out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        };
        match (identifier, &self.msgid) {
            (Some(identifier), msgid) => {
                if let Some(msgid) = msgid {
                    header("X-Riferimento-Message-ID", msgid);
                }
                header("Message-ID", &format!("<{identifier}>"));
            }
            (None, Some(msgid)) => header("Message-ID", msgid),
            (None, None) => {}
        }
        header("Date", &self.at.strftime("%a, %d %b %Y %H:%M:%S %z").to_string());
        header("From", &self.from);
        header("To", &self.to.join(",\r\n "));
        if !self.cc.is_empty() {
            header("Cc", &self.cc.join(",\r\n "));
        }
        header("Subject", &header_text(&self.subject));
        if let Some(receipt_type) = self.receipt_type {
            header("X-TipoRicevuta", receipt_type);
        }
        header("User-Agent", "Posta Esempio 4.2");
        header("MIME-Version", "1.0");
    }
}

fn hashed_part(file: &Attachment, hash: BreveHash) -> String {
    let digest = match hash {
        BreveHash::Decoded => digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &file.bytes),
        BreveHash::Encoded => {
            let mut lines = Vec::new();
            base64_lines(&mut lines, &file.bytes);
            digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &lines)
        }
    };
    let name = &file.name;
    format!(
        "Content-Type: text/plain; charset=us-ascii;\r\n name=\"{name}.hash\"\r\nContent-Transfer-Encoding: 7bit\r\n\
         Content-Disposition: attachment;\r\n filename=\"{name}.hash\"\r\n\r\n{}\r\n",
        hex::encode(digest)
    )
}
