//! Several authorities, tried in turn; what they give is verified before anybody else sees it.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::clock::Clock;
use crate::error::{Code, Error, Result};
use crate::evidence::anchors::Anchors;
use crate::evidence::tsp::{Authority, Rules, Token};
use crate::evidence::x509::Certificate;
use crate::hash::Sha256;

/// How often the whole list is tried before giving up: once more forgives a connection that broke; sealing itself tries again later.
pub const ROUNDS: u32 = 2;

/// Serial numbers remembered while the process runs: enough to see an authority that repeats itself.
const REMEMBERED: usize = 4096;

/// An accepted time-stamp.
#[derive(Debug, Clone)]
pub struct Stamped {
    /// The reply as received: what is kept.
    pub reply: Vec<u8>,
    /// Its token, verified.
    pub token: Token,
    /// Who made it.
    pub authority: String,
    /// How far its clock is from ours; see [`Offset`].
    pub offset: SignedDuration,
    /// Whether trusted lists say that it is qualified; `None` when none is configured.
    pub qualified: Option<bool>,
}

/// Says whether a token is qualified: its path, and its time.
pub type Qualifies = Box<dyn Fn(&[Certificate], Timestamp) -> Option<bool> + Send + Sync>;

/// What a token said of two clocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offset {
    /// When it was asked for.
    pub at: Timestamp,
    /// How far the authority's clock is from ours beyond what the exchange itself explains: positive when it is ahead. A time
    /// without fractions may be anywhere in its second.
    pub by: SignedDuration,
    /// Which authority.
    pub authority: String,
}

/// Authorities in the order they are tried.
pub struct Authorities {
    list: Vec<Box<dyn Authority>>,
    anchors: Anchors,
    rules: Rules,
    pause: Duration,
    seen: Mutex<VecDeque<(Sha256, Vec<u8>, Sha256)>>,
    last_offset: Mutex<Option<Offset>>,
    qualifies: Option<Qualifies>,
    require_qualified: bool,
}

impl std::fmt::Debug for Authorities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.list.iter().map(|authority| authority.name())).finish()
    }
}

impl Authorities {
    /// These authorities, judged by these anchors and rules.
    pub fn new(list: Vec<Box<dyn Authority>>, anchors: Anchors, rules: Rules) -> Self {
        let pause = Duration::from_secs(1);
        Self {
            list,
            anchors,
            rules,
            pause,
            seen: Mutex::default(),
            last_offset: Mutex::default(),
            qualifies: None,
            require_qualified: false,
        }
    }

    /// How long to wait between two rounds.
    #[must_use]
    pub fn pause(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// Who says whether a token is qualified, and whether one that is not is refused.
    #[must_use]
    pub fn qualified_by(mut self, qualifies: Qualifies, required: bool) -> Self {
        (self.qualifies, self.require_qualified) = (Some(qualifies), required);
        self
    }

    /// Whether trusted lists say that a token is qualified at its time; `None` when none is configured.
    pub fn qualified(&self, token: &Token) -> Option<bool> {
        self.qualifies.as_ref().and_then(|qualifies| qualifies(token.path(), token.gen_time()))
    }

    /// The anchors replies are judged by.
    pub fn anchors(&self) -> &Anchors {
        &self.anchors
    }

    /// The rules replies are judged by.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// What the last accepted token said of the two clocks.
    pub fn last_offset(&self) -> Option<Offset> {
        self.last_offset.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Names in order.
    pub fn names(&self) -> Vec<&str> {
        self.list.iter().map(|authority| authority.name()).collect()
    }

    /// Sends `request` to one after the other until a reply verifies. Blocks. [`Code::TsaDown`] lists what each one did wrong.
    pub fn stamp(&self, request: &[u8], clock: &dyn Clock) -> Result<Stamped> {
        let mut failures: Vec<String> = Vec::new();
        for round in 0..ROUNDS {
            if round > 0 && !self.list.is_empty() {
                std::thread::sleep(self.pause);
            }
            for authority in &self.list {
                match self.ask(authority.as_ref(), request, clock) {
                    Ok(stamped) => return Ok(stamped),
                    Err(error) => {
                        let failure = format!("{}: {} ({})", authority.name(), error.detail, error.code.as_str());
                        tracing::warn!(
                            authority = authority.name(),
                            code = error.code.as_str(),
                            "time-stamp not obtained"
                        );
                        if !failures.contains(&failure) {
                            failures.push(failure);
                        }
                    }
                }
            }
        }
        if failures.is_empty() {
            failures.push("no authority is configured".into());
        }
        Err(Error::new(Code::TsaDown, failures.join("; ")))
    }

    fn ask(&self, authority: &dyn Authority, request: &[u8], clock: &dyn Clock) -> Result<Stamped> {
        let asked = clock.now();
        let reply = authority.stamp(request)?;
        let answered = clock.now();
        let token = self.rules.verify_reply(request, &reply, &self.anchors, Some(answered))?;
        if let Some(policy) = authority.policy()
            && token.info().policy != *policy
        {
            return Err(Error::new(
                Code::StampPolicy,
                format!("policy {} is not the one configured", token.info().policy),
            ));
        }
        let qualified = self.qualified(&token);
        if self.require_qualified && qualified != Some(true) {
            return Err(Error::new(Code::StampNotQualified, "no service of a trusted list was granted then"));
        }
        self.remember(&token)?;
        let (authority, by) = (authority.name().to_owned(), offset(token.gen_time(), asked, answered));
        let last = Offset { at: asked, by, authority: authority.clone() };
        *self.last_offset.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
        Ok(Stamped { reply, token, authority, offset: by, qualified })
    }

    /// One authority, one serial number, one token (RFC 3161 section 2.4.2).
    fn remember(&self, token: &Token) -> Result<()> {
        let signer = Sha256::of(token.signer().der());
        let content = Sha256::of(token.der());
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for (other, serial, known) in seen.iter() {
            if *other == signer && *serial == token.info().serial && *known != content {
                return Err(Error::new(Code::StampSerial, "its serial number was already used for another token"));
            }
        }
        if seen.len() >= REMEMBERED {
            seen.pop_front();
        }
        seen.push_back((signer, token.info().serial.clone(), content));
        Ok(())
    }
}

/// How far a token's time lies outside the instants between which it was made.
fn offset(time: Timestamp, asked: Timestamp, answered: Timestamp) -> SignedDuration {
    let resolution = if time.subsec_nanosecond() == 0 { SignedDuration::from_secs(1) } else { SignedDuration::ZERO };
    let latest = time.saturating_add(resolution).unwrap_or(time);
    if time > answered {
        time.duration_since(answered)
    } else if latest < asked {
        latest.duration_since(asked)
    } else {
        SignedDuration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offset_is_what_the_exchange_does_not_explain() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let (asked, answered) = (at("2026-11-22T10:00:05.400Z"), at("2026-11-22T10:00:05.900Z"));
        let ms = |time: &str| offset(at(time), asked, answered).as_millis();
        assert_eq!(ms("2026-11-22T10:00:05.400Z"), 0);
        assert_eq!(ms("2026-11-22T10:00:05.900Z"), 0);
        // A whole second may be any moment of it.
        assert_eq!(ms("2026-11-22T10:00:05Z"), 0);
        assert_eq!(ms("2026-11-22T10:00:04Z"), -400);
        assert_eq!(ms("2026-11-22T10:00:05.399Z"), -1);
        assert_eq!(ms("2026-11-22T10:00:08Z"), 2_100);
    }
}
