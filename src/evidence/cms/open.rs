//! From what stands in the place of a signature to signed data, or to the code that says what stands there instead.
//!
//! [`super::unwrap()`] takes the dress off; this tells an empty part, a placeholder (`MII...njA==`), other text, a file cut
//! short and CMS of another kind apart, and notes bytes that follow the end: they are not signed, and nothing reads them.

use crate::error::{Code, Error, Result};
use crate::evidence::asn1::{Reader, malformed, tag};
use crate::evidence::cms::SignedData;
use crate::evidence::cms::unwrap::{MAX_BYTES, ber_to_der, unarmour};
use crate::evidence::oids;

/// The dress signed data came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// DER, byte for byte.
    Der,
    /// BER that is not DER.
    Ber,
    /// Base64 of one of these.
    Base64,
    /// PEM.
    Pem,
}

impl Form {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Der => "der",
            Self::Ber => "ber",
            Self::Base64 => "base64",
            Self::Pem => "pem",
        }
    }
}

/// Signed data, and how it came.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The signed data.
    pub data: SignedData,
    /// Its dress.
    pub form: Form,
    /// Bytes after its end, blanks and zeros not counted.
    pub trailing: usize,
}

/// Opens what stands in the place of a signature. The error's code says what is there instead.
pub fn open(bytes: &[u8]) -> Result<Opened> {
    if bytes.len() > MAX_BYTES {
        return Err(malformed("larger than the limit for signed data"));
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii();
    if text.iter().all(|byte| *byte == 0) {
        return Err(Error::new(Code::SignatureEmpty, ""));
    }
    let armoured = bytes.first() != Some(&0x30);
    let binary = unarmour(bytes).map_err(|error| {
        let looks_like_text = armoured && text.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
        let code = if looks_like_text { Code::SignaturePlaceholder } else { Code::SignatureNotCms };
        Error::new(code, error.detail)
    })?;
    let (der, used) = ber_to_der(&binary).map_err(|error| match error.code {
        Code::DerMalformed if error.detail.starts_with("cut short") => Error::new(Code::SignatureCut, error.detail),
        _ => error,
    })?;
    let rest = &binary[used..];
    let trailing = rest.len() - rest.iter().filter(|b| matches!(b, 0 | b' ' | b'\r' | b'\n' | b'\t')).count();
    if !is_signed_data(&der) {
        return Err(Error::new(Code::SignatureNotCms, "ASN.1 of another kind"));
    }
    let form = match (armoured, text.starts_with(b"-----"), der == binary[..used]) {
        (true, true, _) => Form::Pem,
        (true, false, _) => Form::Base64,
        (false, _, true) => Form::Der,
        (false, _, false) => Form::Ber,
    };
    Ok(Opened { data: SignedData::parse(&der)?, form, trailing })
}

/// Whether what could not be opened is CMS that hides its content: enveloped or merely encrypted data (RFC 5652 sections 6 and 8).
pub fn is_encrypted(bytes: &[u8]) -> bool {
    let Ok((der, _)) = unarmour(bytes).and_then(|binary| ber_to_der(&binary)) else { return false };
    let kind = Reader::only(&der, tag::SEQUENCE).and_then(|outer| outer.inside().next()?.oid());
    kind.is_ok_and(|kind| [oids::ENVELOPED_DATA, oids::ENCRYPTED_DATA, oids::AUTH_ENVELOPED_DATA].contains(&kind))
}

/// Whether DER begins as a ContentInfo of signed data.
fn is_signed_data(der: &[u8]) -> bool {
    let kind = Reader::only(der, tag::SEQUENCE).and_then(|outer| outer.inside().next()?.oid());
    kind.is_ok_and(|kind| kind == oids::SIGNED_DATA)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::evidence::asn1;
    use crate::evidence::cms::unwrap::armour;
    use crate::evidence::cms::{Spec, sign};
    use crate::evidence::fixtures::pki;

    #[test]
    fn what_stands_in_the_place_of_a_signature_has_its_own_code() {
        let pki = pki(|_| {});
        let der = sign(&Spec::new(b"contenuto", &pki.leaf_key, &pki.leaf)).unwrap();
        let forms = [
            (der.clone(), Form::Der),
            (STANDARD.encode(&der).into_bytes(), Form::Base64),
            (armour("PKCS7", &der).into_bytes(), Form::Pem),
        ];
        for (bytes, form) in forms {
            let opened = open(&bytes).unwrap();
            assert_eq!((opened.form, opened.trailing), (form, 0));
        }
        assert_eq!(open(&[&der[..], b"\r\n\0"].concat()).unwrap().trailing, 0);
        assert_eq!(open(&[&der[..], b"\nrest"].concat()).unwrap().trailing, 4);
        let code = |bytes: &[u8]| open(bytes).unwrap_err().code;
        assert_eq!(code(b""), Code::SignatureEmpty);
        assert_eq!(code(b"\xef\xbb\xbf \r\n"), Code::SignatureEmpty);
        assert_eq!(code(b"MII...njA=="), Code::SignaturePlaceholder);
        assert_eq!(code(b"firma digitale"), Code::SignaturePlaceholder);
        assert_eq!(code(b"<xml/>"), Code::SignaturePlaceholder);
        assert_eq!(code(b"\xff\xd8\xff\xe0"), Code::SignatureNotCms);
        assert_eq!(code(&der[..der.len() / 2]), Code::SignatureCut);
        assert_eq!(code(STANDARD.encode(&der[..200]).as_bytes()), Code::SignatureCut);
        assert_eq!(code(&pki.leaf), Code::SignatureNotCms);
        assert_eq!(code(&asn1::sequence(&[&asn1::oid(&oids::SIGNED_DATA)])), Code::DerMalformed);
        assert_eq!(code(&[0x30, 0x80].repeat(100)), Code::DerTooDeep);
    }
}
