//! `Content-Digest` (RFC 9530): the digest a client declares of the body it sends.

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::error::{Code, Error, Result};
use crate::hash::Sha256;

/// The declared SHA-256, when there is one. Other algorithms beside it are ignored, as the RFC wants; a header without
/// `sha-256` or one that cannot be read is an error, since the client believes it is protected.
pub fn declared(headers: &HeaderMap) -> Result<Option<Sha256>> {
    let mut seen = false;
    for value in headers.get_all("content-digest") {
        seen = true;
        let text = value.to_str().map_err(|_| wrong("not ASCII"))?;
        for member in text.split(',') {
            let Some((name, value)) = member.trim().split_once('=') else { return Err(wrong("not a dictionary")) };
            if !name.trim().eq_ignore_ascii_case("sha-256") {
                continue;
            }
            let value = value.trim().split(';').next().unwrap_or_default();
            let inner = value
                .strip_prefix(':')
                .and_then(|v| v.strip_suffix(':'))
                .ok_or_else(|| wrong("the digest must stand between colons"))?;
            let bytes = STANDARD.decode(inner).map_err(|_| wrong("not base64"))?;
            return <[u8; 32]>::try_from(bytes).map(|b| Some(Sha256(b))).map_err(|_| wrong("not 32 bytes"));
        }
    }
    if seen { Err(wrong("no sha-256 member")) } else { Ok(None) }
}

fn wrong(detail: &str) -> Error {
    Error::new(Code::DigestHeader, detail).at("Content-Digest")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &str) -> Result<Option<Sha256>> {
        let mut headers = HeaderMap::new();
        headers.insert("content-digest", value.parse().unwrap());
        declared(&headers)
    }

    #[test]
    fn the_sha256_member_is_found_and_anything_else_is_an_error() {
        assert_eq!(declared(&HeaderMap::new()).unwrap(), None);
        let abc = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";
        assert_eq!(of(&format!("sha-256=:{abc}:")).unwrap(), Some(Sha256::of(b"abc")));
        assert_eq!(of(&format!("md5=:AAAA:, sha-256=:{abc}:")).unwrap(), Some(Sha256::of(b"abc")));
        for bad in ["sha-256=abc", "sha-256=:!!:", "sha-256=:AAAA:", "sha-512=:AAAA:", "nonsense"] {
            assert_eq!(of(bad).unwrap_err().code, Code::DigestHeader, "{bad}");
        }
    }
}
