//! Several authorities, tried in turn; what they give is verified before anybody else sees it.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::error::{Code, Error, Result};
use crate::evidence::anchors::Anchors;
use crate::evidence::tsp::{Authority, Rules, Token};
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
}

/// Authorities in the order they are tried.
pub struct Authorities {
    list: Vec<Box<dyn Authority>>,
    anchors: Anchors,
    rules: Rules,
    pause: Duration,
    seen: Mutex<VecDeque<(Sha256, Vec<u8>, Sha256)>>,
}

impl std::fmt::Debug for Authorities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.list.iter().map(|authority| authority.name())).finish()
    }
}

impl Authorities {
    /// These authorities, judged by these anchors and rules.
    pub fn new(list: Vec<Box<dyn Authority>>, anchors: Anchors, rules: Rules) -> Self {
        Self { list, anchors, rules, pause: Duration::from_secs(1), seen: Mutex::default() }
    }

    /// How long to wait between two rounds.
    #[must_use]
    pub fn pause(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// The anchors replies are judged by.
    pub fn anchors(&self) -> &Anchors {
        &self.anchors
    }

    /// The rules replies are judged by.
    pub fn rules(&self) -> &Rules {
        &self.rules
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
        let reply = authority.stamp(request)?;
        let token = self.rules.verify_reply(request, &reply, &self.anchors, Some(clock.now()))?;
        if let Some(policy) = authority.policy()
            && token.info().policy != *policy
        {
            return Err(Error::new(
                Code::TokenInvalid,
                format!("policy {} is not the one configured", token.info().policy),
            ));
        }
        self.remember(&token)?;
        Ok(Stamped { reply, token, authority: authority.name().to_owned() })
    }

    /// One authority, one serial number, one token (RFC 3161 section 2.4.2).
    fn remember(&self, token: &Token) -> Result<()> {
        let signer = Sha256::of(token.signer().der());
        let content = Sha256::of(token.der());
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for (other, serial, known) in seen.iter() {
            if *other == signer && *serial == token.info().serial && *known != content {
                return Err(Error::new(Code::TokenInvalid, "its serial number was already used for another token"));
            }
        }
        if seen.len() >= REMEMBERED {
            seen.pop_front();
        }
        seen.push_back((signer, token.info().serial.clone(), content));
        Ok(())
    }
}
