//! Time-stamps over the chain: does each verify, at its own time, over the checkpoint that is kept beside it.
//!
//! Digests of the files, and that the stamped checkpoint is of this chain, are the chain's own verification's to say.

use super::Subject;
use super::report::{Finding, Place};
use super::sealed::OnChain;
use crate::chain::Reigns;
use crate::durable;
use crate::error::{Code, Error, Result};
use crate::evidence::tsp::{token_of_reply, verify_token};
use crate::hash::Sha256;

/// Judges every stamp that the chain names.
pub(super) fn judge(subject: &Subject<'_>, keys: &Reigns, on_chain: &OnChain) -> Vec<Finding> {
    let mut findings = Vec::new();
    for stamp in &on_chain.stamps {
        let place = Place::file(format!("chain/stamps/{}", stamp.reply_file()));
        match one(subject, keys, &stamp.checkpoint_file(), &stamp.reply_file()) {
            Ok((size, root)) if (size, root) == (stamp.size, stamp.root) => {}
            Ok(_) => findings.push(Finding::new(Code::ChainAltered, place, "not the checkpoint that its entry names")),
            // Named already, where the files are compared with the chain.
            Err(error) if error.code == Code::FileMissing => {}
            Err(error) => findings.push(Finding::of_error(&error, place)),
        }
    }
    findings
}

fn one(subject: &Subject<'_>, keys: &Reigns, checkpoint: &str, reply: &str) -> Result<(u64, Sha256)> {
    let folder = subject.root.join("chain/stamps");
    let note = durable::read_plain(&folder.join(checkpoint))?;
    let reply = durable::read_plain(&folder.join(reply))?;
    verify_token(&token_of_reply(&reply)?, Sha256::of(&note), subject.anchors)?;
    let note = std::str::from_utf8(&note).map_err(|_| Error::new(Code::CheckpointBad, "not UTF-8"))?;
    let checkpoint = keys.open_checkpoint(note)?;
    Ok((checkpoint.size, checkpoint.root))
}
