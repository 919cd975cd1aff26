//! Stand-ins for tokens in tests: one DER value that holds imprint and time, and the judge that believes them.

use jiff::Timestamp;

use super::der::{OCTETS, Reader, SEQUENCE, tlv};
use super::judge::{Judge, Judged};
use crate::error::{Code, Error, Result};
use crate::evidence::digest::Digest;

/// A token over this imprint, made at this second.
pub fn token(imprint: impl Into<Digest>, second: i64) -> Vec<u8> {
    let mut contents = tlv(OCTETS, imprint.into().bytes());
    contents.extend(tlv(OCTETS, &second.to_be_bytes()));
    tlv(SEQUENCE, &contents)
}

/// Believes every stand-in, except those made before `trusted_from`; each is good for `lifetime` seconds.
#[derive(Debug, Clone, Copy)]
pub struct StandIn {
    pub trusted_from: i64,
    pub lifetime: i64,
}

/// Believes all.
pub const ALL: StandIn = StandIn { trusted_from: i64::MIN, lifetime: 1 << 30 };

fn parts(token: &[u8]) -> Result<(Digest, i64)> {
    let bad = |_| Error::new(Code::TokenInvalid, "no stand-in");
    let mut reader = Reader(Reader(token).expect(SEQUENCE).map_err(bad)?);
    let imprint = reader.expect(OCTETS).map_err(bad)?;
    let second = reader.expect(OCTETS).map_err(bad)?.try_into();
    let imprint = Digest::from_bytes(imprint).ok_or_else(|| bad(Error::new(Code::TokenInvalid, "")))?;
    Ok((imprint, i64::from_be_bytes(second.map_err(|_| bad(Error::new(Code::TokenInvalid, "")))?)))
}

impl Judge for StandIn {
    fn stamped(&self, token: &[u8]) -> Result<Digest> {
        Ok(parts(token)?.0)
    }

    fn judge(&self, token: &[u8], imprint: &Digest) -> Result<Judged> {
        let (stamped, second) = parts(token)?;
        let time = |second| Timestamp::from_second(second).map_err(|_| Error::new(Code::TokenInvalid, "no time"));
        if stamped != *imprint {
            return Err(Error::new(Code::TokenInvalid, "it stamps something else"));
        }
        Ok(Judged {
            time: time(second)?,
            until: Some(time(second.saturating_add(self.lifetime))?),
            untrusted: (second < self.trusted_from).then(|| "too old to be believed".to_owned()),
        })
    }
}
