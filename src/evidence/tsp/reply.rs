//! The reply (RFC 3161 section 2.4.2): status, and the token when granted.

use crate::error::{Code, Error, Result};
use crate::evidence::asn1::{self, Reader, malformed, tag};

/// Replies larger than this are refused: real ones have 3 to 10 KB.
pub const MAX_REPLY: usize = 64 * 1024;

/// Reasons of a refusal: bit number and name (PKIFailureInfo).
const FAILURES: [(u8, &str); 8] = [
    (0, "badAlg"),
    (2, "badRequest"),
    (5, "badDataFormat"),
    (14, "timeNotAvailable"),
    (15, "unacceptedPolicy"),
    (16, "unacceptedExtension"),
    (17, "addInfoNotAvailable"),
    (25, "systemFailure"),
];

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Failure {
    BadAlgorithm = 0,
    BadRequest = 2,
    BadDataFormat = 5,
    UnacceptedPolicy = 15,
    UnacceptedExtension = 16,
}

/// The token inside a granted reply, its own bytes; a refusal is [`Code::TsaRefused`] with the reason.
pub fn token_of_reply(reply: &[u8]) -> Result<Vec<u8>> {
    if reply.len() > MAX_REPLY {
        return Err(malformed("reply larger than 64 KiB"));
    }
    let mut fields = Reader::only(reply, tag::SEQUENCE)?.inside();
    let mut info = fields.expect(tag::SEQUENCE)?.inside();
    let status = info.expect(tag::INTEGER)?.small()?;
    let text = match info.optional(tag::SEQUENCE)? {
        Some(list) => {
            let parts = list.inside().all()?;
            parts.iter().map(|part| String::from_utf8_lossy(part.value).into_owned()).collect::<Vec<_>>().join("; ")
        }
        None => String::new(),
    };
    let failure = info.optional(tag::BIT_STRING)?;
    info.finish()?;
    if status > 1 {
        let reasons: Vec<&str> = FAILURES
            .iter()
            .filter(|(bit, _)| failure.is_some_and(|bits| bits.bit(usize::from(*bit))))
            .map(|(_, name)| *name)
            .collect();
        let text: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
        return Err(Error::new(
            Code::TsaRefused,
            format!("refused with status {status} ({}) {text}", reasons.join(", ")),
        ));
    }
    let token = fields.expect(tag::SEQUENCE).map_err(|_| malformed("granted, but without a token"))?;
    fields.finish()?;
    Ok(token.raw.to_vec())
}

/// A granted reply.
pub(super) fn granted(token: &[u8]) -> Vec<u8> {
    asn1::sequence(&[&asn1::sequence(&[&asn1::small(0)]), token])
}

/// A refusal.
pub(super) fn refused(failure: Failure, text: &str) -> Vec<u8> {
    let text = asn1::sequence(&[&asn1::tlv(tag::UTF8, text.as_bytes())]);
    asn1::sequence(&[&asn1::sequence(&[&asn1::small(2), &text, &asn1::named_bits(&[failure as u8])])])
}
