//! Bearer tokens: `cst_` and 32 random bytes in base64url. Shown once; only their SHA-256 is kept.
//!
//! Invariant: a token is never printed by accident (`Debug` hides it) and never stored. A plain digest is enough: there is
//! nothing to guess in 256 random bits.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::{Code, Error, Result};
use crate::hash::Sha256;

const PREFIX: &str = "cst_";
/// 32 bytes in base64url without padding.
const ENCODED: usize = 43;

/// A token itself: only at its making and in a request.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A new random one.
    pub fn generate() -> Result<Self> {
        let mut bytes = [0_u8; 32];
        getrandom::fill(&mut bytes).map_err(|e| Error::new(Code::Internal, format!("no random numbers: {e}")))?;
        Ok(Self(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// A token as sent by a client; what cannot be one is [`Code::TokenWrong`] without a look-up.
    pub fn parse(text: &str) -> Result<Self> {
        let decoded = text
            .strip_prefix(PREFIX)
            .filter(|rest| rest.len() == ENCODED)
            .and_then(|rest| URL_SAFE_NO_PAD.decode(rest).ok())
            .filter(|bytes| bytes.len() == 32);
        match decoded {
            Some(_) => Ok(Self(text.to_owned())),
            None => Err(Error::new(Code::TokenWrong, "not a token of this archive")),
        }
    }

    /// What is stored.
    pub fn digest(&self) -> Sha256 {
        Sha256::of(self.0.as_bytes())
    }

    /// The token, to be shown once.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(cst_…)")
    }
}

/// The token in an `Authorization` header's value (RFC 6750); none at all is [`Code::TokenMissing`].
pub fn bearer(authorization: Option<&str>) -> Result<&str> {
    let missing = || Error::new(Code::TokenMissing, "");
    let value = authorization.map(str::trim).filter(|value| !value.is_empty()).ok_or_else(missing)?;
    let (scheme, token) = value.split_once(' ').ok_or_else(missing)?;
    if !scheme.eq_ignore_ascii_case("bearer") || token.trim().is_empty() {
        return Err(missing());
    }
    Ok(token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_random_and_hidden() {
        let (a, b) = (Token::generate().unwrap(), Token::generate().unwrap());
        assert_ne!(a, b);
        assert_eq!(Token::parse(a.expose()).unwrap(), a);
        assert!(!format!("{a:?}").contains(&a.expose()[4..]));
        assert_ne!(a.digest(), b.digest());
    }

    #[test]
    fn what_is_no_token_is_wrong() {
        let good = Token::generate().unwrap();
        let good = good.expose();
        for bad in [
            "",
            "cst_",
            "x",
            &good[1..],
            &good[..46],
            &format!("{good}A"),
            &good.replace("cst_", "CST_"),
            &"é".repeat(24),
        ] {
            assert_eq!(Token::parse(bad).unwrap_err().code, Code::TokenWrong, "{bad}");
        }
    }

    #[test]
    fn the_header_is_read_as_rfc_6750_says() {
        assert_eq!(bearer(Some("Bearer abc")).unwrap(), "abc");
        assert_eq!(bearer(Some("bearer  abc ")).unwrap(), "abc");
        for bad in [None, Some(""), Some("Bearer"), Some("Bearer "), Some("Basic abc"), Some("abc")] {
            assert_eq!(bearer(bad).unwrap_err().code, Code::TokenMissing, "{bad:?}");
        }
    }
}
