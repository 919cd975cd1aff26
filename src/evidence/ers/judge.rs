//! Who says whether a time-stamp is worth anything: records are verified by whoever owns the anchors.
//!
//! Invariant: a judge gives a time only for a token that verified in everything but, perhaps, the way to an anchor.

use std::cell::RefCell;
use std::collections::HashMap;

use jiff::Timestamp;

use crate::error::{Code, Error, Result};
use crate::evidence::anchors::Anchors;
use crate::evidence::digest::{Algorithm, Digest};
use crate::evidence::tsp::{TstInfo, verify_token};
use crate::hash::Sha256;

/// A token that was judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Its time.
    pub time: Timestamp,
    /// When the first certificate on its path ends; unknown when it leads to no anchor.
    pub until: Option<Timestamp>,
    /// Why it proves nothing: no configured anchor issued its certificate. Everything else about it is in order.
    pub untrusted: Option<String>,
}

/// Judges tokens.
pub trait Judge {
    /// What a token (ContentInfo, DER) says to stamp; nothing is verified. [`Code::EvidenceAlgorithm`] when its digest is
    /// of an algorithm that cannot be judged here.
    fn stamped(&self, token: &[u8]) -> Result<Digest>;

    /// Verifies a token over this imprint, at its own time. [`Code::TokenInvalid`] when it does not verify.
    fn judge(&self, token: &[u8], imprint: &Digest) -> Result<Judged>;
}

/// The digest in a token's imprint; nothing is verified.
pub fn stamped(token: &[u8]) -> Result<Digest> {
    let info = TstInfo::of_token(token)?;
    let algorithm = Algorithm::from_oid(&info.algorithm)?;
    let digest = Digest::from_bytes(&info.imprint).filter(|digest| digest.algorithm() == algorithm);
    digest.ok_or_else(|| Error::new(Code::TokenInvalid, "the imprint has a wrong length"))
}

/// Judges each token once: one covers many objects.
pub struct Remembering<'a> {
    judge: &'a dyn Judge,
    known: RefCell<HashMap<(Sha256, Digest), Judged>>,
}

impl<'a> Remembering<'a> {
    /// What this judge says, remembered.
    pub fn of(judge: &'a dyn Judge) -> Self {
        Self { judge, known: RefCell::default() }
    }
}

impl Judge for Remembering<'_> {
    fn stamped(&self, token: &[u8]) -> Result<Digest> {
        self.judge.stamped(token)
    }

    fn judge(&self, token: &[u8], imprint: &Digest) -> Result<Judged> {
        let key = (Sha256::of(token), *imprint);
        if let Some(judged) = self.known.borrow().get(&key) {
            return Ok(judged.clone());
        }
        let judged = self.judge.judge(token, imprint)?;
        self.known.borrow_mut().insert(key, judged.clone());
        Ok(judged)
    }
}

impl Judge for Anchors {
    fn stamped(&self, token: &[u8]) -> Result<Digest> {
        stamped(token)
    }

    fn judge(&self, token: &[u8], imprint: &Digest) -> Result<Judged> {
        match verify_token(token, *imprint, self) {
            Ok(token) => Ok(Judged { time: token.gen_time(), until: Some(token.valid_until()), untrusted: None }),
            // Said last, when all else is in order.
            Err(error) if error.code == Code::TokenUntrusted => {
                let time = TstInfo::of_token(token)?.gen_time;
                Ok(Judged { time, until: None, untrusted: Some(error.detail) })
            }
            Err(error) => Err(error),
        }
    }
}
