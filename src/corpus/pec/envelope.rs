//! The system-generated message: headers, readable text, `daticert.xml`, `postacert.eml`, all under the provider's S/MIME
//! signature (RFC 6109 sections 3 and 4; RFC 8551 section 3.5.3).
//!
//! Invariant: what is signed is exactly what stands between the boundaries, in CRLF, without the line end that belongs to
//! the closing boundary.

use jiff::Timestamp;

use crate::corpus::mime::{base64_lines, quoted_printable_latin1};
use crate::corpus::provider::{Keys, STYLES};
use crate::corpus::rng::Rng;
use crate::error::Result;

/// What goes into a system-generated message.
pub struct Envelope<'a> {
    /// Index of the provider that issues it.
    pub provider: usize,
    /// Headers, in order, without `MIME-Version` and `Content-Type`.
    pub headers: Vec<(&'static str, String)>,
    /// Readable text, lines ended by CRLF.
    pub text: String,
    /// `daticert.xml`; anomaly envelopes have none.
    pub daticert: Option<String>,
    /// The message carried inside.
    pub postacert: Option<&'a [u8]>,
    /// Claimed signing time.
    pub at: Timestamp,
    /// Signed with SHA-1, as much mail of past years is.
    pub weak: bool,
}

impl Envelope<'_> {
    /// The signed message.
    pub fn render(&self, keys: &mut Keys, rng: &mut Rng) -> Result<Vec<u8>> {
        let style = &STYLES[self.provider];
        let outer = format!("{}{:016X}", style.boundary, rng.draw());
        let inner = format!("{}{:016x}", style.boundary, rng.draw());
        let carried = self.postacert.map_or(0, <[u8]>::len);
        let mut out = Vec::with_capacity(carried + 12 * 1024);
        for (name, value) in &self.headers {
            out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        out.extend_from_slice(
            format!(
                "MIME-Version: 1.0\r\nContent-Type: multipart/signed; protocol=\"{}\";\r\n micalg={};\r\n boundary=\"{outer}\"\r\n\r\n\
                 This is an S/MIME signed message\r\n\r\n--{outer}\r\n",
                style.protocol,
                if self.weak { style.micalg_sha1 } else { style.micalg }
            )
            .as_bytes(),
        );
        let start = out.len();
        self.signed_part(&mut out, &inner, style.daticert_first);
        let signature = keys.sign_mail(self.provider, &out[start..], self.at, self.weak)?;
        out.extend_from_slice(
            format!(
                "\r\n--{outer}\r\nContent-Type: {}; name=\"smime.p7s\"\r\nContent-Transfer-Encoding: base64\r\n\
                 Content-Disposition: attachment; filename=\"smime.p7s\"\r\n\r\n",
                style.protocol
            )
            .as_bytes(),
        );
        base64_lines(&mut out, &signature);
        out.extend_from_slice(format!("\r\n--{outer}--\r\n").as_bytes());
        Ok(out)
    }

    fn signed_part(&self, out: &mut Vec<u8>, boundary: &str, daticert_first: bool) {
        out.extend_from_slice(
            format!(
                "Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n\r\n--{boundary}\r\n\
                 Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{}\r\n",
                quoted_printable_latin1(&self.text)
            )
            .as_bytes(),
        );
        if daticert_first {
            self.daticert_part(out, boundary);
            self.carried_part(out, boundary);
        } else {
            self.carried_part(out, boundary);
            self.daticert_part(out, boundary);
        }
        out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    }

    fn daticert_part(&self, out: &mut Vec<u8>, boundary: &str) {
        if let Some(daticert) = &self.daticert {
            out.extend_from_slice(
                format!(
                    "--{boundary}\r\nContent-Type: application/xml; name=\"daticert.xml\"\r\nContent-Transfer-Encoding: base64\r\n\
                     Content-Disposition: inline; filename=\"daticert.xml\"\r\n\r\n"
                )
                .as_bytes(),
            );
            base64_lines(out, daticert.as_bytes());
        }
    }

    fn carried_part(&self, out: &mut Vec<u8>, boundary: &str) {
        if let Some(carried) = self.postacert {
            out.extend_from_slice(
                format!(
                    "--{boundary}\r\nContent-Type: message/rfc822; name=\"postacert.eml\"\r\nContent-Transfer-Encoding: 7bit\r\n\
                     Content-Disposition: inline; filename=\"postacert.eml\"\r\n\r\n"
                )
                .as_bytes(),
            );
            out.extend_from_slice(carried);
            out.extend_from_slice(b"\r\n");
        }
    }
}
