//! Time-stamps over the chain: once a day, and after every act that cannot be undone (disposal, amendment, transfer).
//!
//! A token over a checkpoint says of everything on the chain, acts and checks included, that it was so at the latest then.
//! Invariants: what is to be stamped is durable before the request, the request before it is sent, the reply before the entry;
//! after a stop the stored reply is used and nothing is asked for twice (tokens cost money); a reply is verified before it
//! counts. Clause: formats, "Chain and records"; RFC 3161.

use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Archive;
use super::state::unpoisoned;
use super::token::Once;
use crate::chain::{Claim, Head, NewStamp, Standing};
use crate::clock::iso_seconds;
use crate::durable;
use crate::error::Result;

/// How long to leave the authorities alone after none of them answered.
const REST: SignedDuration = SignedDuration::from_mins(10);

const CHECKPOINT: &str = "stamp.checkpoint";

/// One stamp at a time; when the last try failed.
#[derive(Default)]
pub(super) struct Stamping {
    at_work: Mutex<()>,
    failed: Mutex<Option<Timestamp>>,
}

impl Archive {
    /// Time-stamps the present checkpoint, or finishes what a stop left half done. What an act that cannot be undone calls, and
    /// the daily work; the facts of the stamp, or `null` when nothing was appended since the last one. [`TsaDown`](crate::error::Code::TsaDown) when no
    /// authority answers well: nothing is lost, the same request is sent again.
    pub fn stamp_chain(&self) -> Result<Value> {
        let _one_at_a_time = unpoisoned(self.stamping.at_work.lock());
        self.witnesses.may_take(&self.ledger)?;
        let outcome = self.stamp_present();
        *unpoisoned(self.stamping.failed.lock()) = outcome.as_ref().err().map(|_| self.clock.now());
        outcome
    }

    /// The daily stamp, when it is due. An authority that does not answer is an alarm, later.
    pub(super) fn stamp_when_due(&self, early: bool) {
        if self.witnesses.held().is_some() {
            return;
        }
        let wanted = self.stamp_is_left().map(|left| left || self.stamp_is_due(self.clock.now(), early));
        if let Err(error) = wanted.and_then(|wanted| if wanted { self.stamp_chain().map(drop) } else { Ok(()) }) {
            tracing::warn!(code = error.code.as_str(), detail = %error.detail, "the chain was not time-stamped");
        }
    }

    /// Whether a stop left a stamp to be finished; what it left of a finished one is cleared away.
    fn stamp_is_left(&self) -> Result<bool> {
        let _one_at_a_time = unpoisoned(self.stamping.at_work.lock());
        let held = self.layout.staging().join(CHECKPOINT);
        if !held.exists() || self.staged_checkpoint(&held)?.is_some() {
            return Ok(held.exists() && !self.is_resting(self.clock.now()));
        }
        self.clear_staged()?;
        Ok(false)
    }

    /// The checkpoint last: while it is there, what else is there belongs to it.
    fn clear_staged(&self) -> Result<()> {
        self.stamp_files().clear()?;
        durable::remove_file(&self.layout.staging().join(CHECKPOINT))
    }

    fn stamp_files(&self) -> Once {
        Once::new(&self.layout.staging(), "stamp.tsq", "stamp.tsr")
    }

    fn is_resting(&self, now: Timestamp) -> bool {
        unpoisoned(self.stamping.failed.lock()).is_some_and(|at| now.duration_since(at) < REST)
    }

    /// Whether the daily stamp is due; `early` counts half a day as a day, for the nightly run.
    fn stamp_is_due(&self, now: Timestamp, early: bool) -> bool {
        let every = self.config.tsa.checkpoint_every.signed();
        let every = if early { every / 2 } else { every };
        !self.is_resting(now) && self.unstamped_since().is_some_and(|since| now.duration_since(since) >= every)
    }

    /// Since when the chain has not been stamped; `None` when nothing was appended since the last stamp.
    pub(super) fn unstamped_since(&self) -> Option<Timestamp> {
        match self.ledger.stamps().last() {
            // The entry of the stamp itself needs none.
            Some(last) if self.ledger.head().size <= last.size + 1 => None,
            Some(last) => Some(last.stamped_at),
            None => self.ledger.entry(0).ok().map(|genesis| genesis.at),
        }
    }

    fn stamp_present(&self) -> Result<Value> {
        let held = self.layout.staging().join(CHECKPOINT);
        let head = match self.staged_checkpoint(&held)? {
            Some(head) => head,
            None => {
                self.clear_staged()?;
                if self.unstamped_since().is_none() {
                    return Ok(Value::Null);
                }
                let head = self.ledger.head();
                durable::write_new(&held, head.checkpoint.as_bytes(), durable::MODE_PLAIN)?;
                head
            }
        };
        let once = self.stamp_files();
        let algorithm = match once.algorithm()? {
            // Asked for before the table changed: that request is finished.
            Some(algorithm) => algorithm,
            None => self.digest_for_new()?,
        };
        let stamped = self.token_once(&once, algorithm.of(head.checkpoint.as_bytes()))?;
        let (at, offset) = (stamped.token.gen_time(), stamped.offset);
        let offset_ms = offset.and_then(|offset| i64::try_from(offset.as_millis()).ok());
        let entry = self.ledger.add_stamp(&NewStamp { of: &head, reply: &stamped.reply, at, offset_ms })?;
        self.clear_staged()?;
        tracing::info!(size = head.size, %at, "the chain was time-stamped");
        Ok(json!({ "entry": entry.seq, "size": head.size, "stamped_at": iso_seconds(at) }))
    }

    /// The checkpoint that a stop left to be stamped, unless it is done or of a history that was given up.
    fn staged_checkpoint(&self, path: &std::path::Path) -> Result<Option<Head>> {
        if !path.exists() {
            return Ok(None);
        }
        let note = durable::read_plain_text(path)?;
        let checkpoint = self.ledger.keys().open_checkpoint(&note).map_err(|e| e.at(path.display()))?;
        let head = Head { size: checkpoint.size, root: checkpoint.root, checkpoint: note };
        let claim = Claim { place: path.display().to_string(), size: head.size, root: head.root };
        let done = self.ledger.stamps().iter().any(|stamp| stamp.size == head.size);
        Ok((!done && self.ledger.compare(&claim) == Standing::Holds).then_some(head))
    }
}
