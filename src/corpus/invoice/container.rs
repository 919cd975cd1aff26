//! How an invoice travels: plain, CAdES in DER, the same in base64, the same as the streamed BER some signers write.

use jiff::Timestamp;

use crate::corpus::mime::base64_lines;
use crate::corpus::provider::Keys;
use crate::error::{Code, Error, Result};

/// What is around the XML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// Nothing.
    Plain,
    /// CAdES-B-B, DER.
    Der,
    /// CAdES-B-B, DER in base64 lines.
    Base64,
    /// CAdES-B-B with indefinite lengths and the content cut in chunks.
    Ber,
}

/// Octets of a chunk of the content in BER.
const CHUNK: usize = 1000;

impl Container {
    /// The file.
    pub(crate) fn wrap(self, xml: Vec<u8>, keys: &mut Keys, at: Timestamp) -> Result<Vec<u8>> {
        if self == Self::Plain {
            return Ok(xml);
        }
        let der = keys.sign_file(&xml, at)?;
        match self {
            Self::Base64 => {
                let mut out = Vec::new();
                base64_lines(&mut out, &der);
                Ok(out)
            }
            Self::Ber => streamed(&der).ok_or_else(|| Error::new(Code::Internal, "signed data of an unexpected shape")),
            _ => Ok(der),
        }
    }
}

/// Splits the first element: header, content, rest. Only what our own DER contains: short tags, definite lengths.
fn split(der: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let first = *der.get(1)?;
    let (start, length) = if first < 0x80 {
        (2, usize::from(first))
    } else {
        let octets = usize::from(first & 0x7F);
        let length =
            der.get(2..2 + octets)?.iter().try_fold(0usize, |sum, b| Some(sum.checked_mul(256)? + usize::from(*b)))?;
        (2 + octets, length)
    };
    let end = start.checked_add(length)?;
    Some((der.get(..start)?, der.get(start..end)?, der.get(end..)?))
}

/// Rewrites ContentInfo, SignedData and the content with indefinite lengths; what is signed (attributes) stays as it is.
fn streamed(der: &[u8]) -> Option<Vec<u8>> {
    const END: [u8; 2] = [0, 0];
    let (_, content_info, _) = split(der)?;
    let (oid_header, oid, wrapped) = split(content_info)?;
    let (_, explicit, _) = split(wrapped)?;
    let (_, signed_data, _) = split(explicit)?;
    let (version_header, version, rest) = split(signed_data)?;
    let (digests_header, digests, rest) = split(rest)?;
    let (_, encapsulated, rest) = split(rest)?;
    let (type_header, content_type, content) = split(encapsulated)?;
    let (_, octet_string, _) = split(content)?;
    let (_, bytes, _) = split(octet_string)?;
    let mut out = Vec::with_capacity(der.len() + der.len() / 100 + 64);
    out.extend_from_slice(&[0x30, 0x80]);
    out.extend_from_slice(oid_header);
    out.extend_from_slice(oid);
    out.extend_from_slice(&[0xA0, 0x80, 0x30, 0x80]);
    for part in [version_header, version, digests_header, digests] {
        out.extend_from_slice(part);
    }
    out.extend_from_slice(&[0x30, 0x80]);
    out.extend_from_slice(type_header);
    out.extend_from_slice(content_type);
    out.extend_from_slice(&[0xA0, 0x80, 0x24, 0x80]);
    for chunk in bytes.chunks(CHUNK) {
        out.extend_from_slice(&[0x04, 0x82]);
        out.extend_from_slice(&u16::try_from(chunk.len()).ok()?.to_be_bytes());
        out.extend_from_slice(chunk);
    }
    for _ in 0..3 {
        out.extend_from_slice(&END);
    }
    out.extend_from_slice(rest);
    for _ in 0..3 {
        out.extend_from_slice(&END);
    }
    Some(out)
}
