//! Time-stamps over the chain: does each verify, at its own time, over the checkpoint that is kept beside it, and through
//! every renewal since.
//!
//! Digests of the files, and that the stamped checkpoint is of this chain, are the chain's own verification's to say.
//! Invariant: a renewal is of stamps that the chain knows, its tree is over their evidence as it was, its token over the root
//! that the chain names; whoever has the files changed with everything that leads to them still lacks the token.

use std::collections::BTreeMap;
use std::io::Read as _;

use super::Subject;
use super::report::{Finding, Place};
use super::sealed::{OnChain, RenewedStamps};
use crate::chain::{Reigns, RenewalFile, Stamp};
use crate::clock::iso_seconds;
use crate::durable;
use crate::error::{AtPlace as _, Code, Error, Result};
use crate::evidence::ers::{Judge as _, Record, Remembering, Roll, Verified, roll, verify as verify_record};
use crate::evidence::tsp::MAX_REPLY;
use crate::package::generation::token_of;

/// A generation of the stamps' evidence.
struct Generation {
    roll: Roll,
    token: Vec<u8>,
}

/// Judges every stamp that the chain names.
pub(super) fn judge(subject: &Subject<'_>, keys: &Reigns, on_chain: &OnChain) -> Vec<Finding> {
    let mut findings = Vec::new();
    let tokens = Remembering::of(subject.anchors);
    let stamps: BTreeMap<u64, &Stamp> = on_chain.stamps.iter().map(|stamp| (stamp.size, stamp)).collect();
    let mut generations = Vec::new();
    for renewal in &on_chain.stamp_renewals {
        let place = |name: &str| Place::file(format!("chain/stamps/renewed/{name}"));
        match generation(subject, renewal) {
            Ok(generation) => {
                let numbers = generation.roll.numbers();
                let unknown = numbers.filter(|number| !stamps.contains_key(number)).count();
                if unknown > 0 || generation.roll.numbers().count() as u64 != renewal.stamps.count {
                    let detail = "it renews other stamps than the chain knows";
                    findings.push(Finding::new(Code::EvidenceAltered, place(&renewal.stamps.tree().name), detail));
                }
                match tokens.judge(&generation.token, &generation.roll.run_root()) {
                    Ok(judged) if iso_seconds(judged.time) == iso_seconds(renewal.stamped_at) => {}
                    Ok(_) => {
                        let detail = "another time than on the chain";
                        findings.push(Finding::new(Code::EvidenceAltered, place(&renewal.stamps.reply().name), detail));
                    }
                    Err(error) => findings.push(Finding::of_error(&error, place(&renewal.stamps.reply().name))),
                }
                generations.push(generation);
            }
            // A missing file was named already, where the files are compared with the chain; all the same nothing can be said
            // of what it renewed.
            Err(error) => findings.push(Finding::of_error(&error, Place::file(error.place.clone()))),
        }
    }
    for stamp in &on_chain.stamps {
        let place = Place::file(format!("chain/stamps/{}", stamp.reply_file()));
        match of_this_chain(subject, keys, stamp) {
            Ok(()) => {}
            // Named already, where the files are compared with the chain.
            Err(error) if error.code == Code::FileMissing => continue,
            Err(error) => {
                let checkpoint = Place::file(format!("chain/stamps/{}", stamp.checkpoint_file()));
                findings.push(Finding::of_error(&error, checkpoint));
            }
        }
        match through(subject, stamp, &generations, &tokens) {
            Ok(verified) => findings.extend(verified.gaps().into_iter().map(|(ended, renewed)| {
                let detail = format!("ended {}, renewed {}", iso_seconds(ended), iso_seconds(renewed));
                Finding::note(Code::RenewalGap, place.clone(), &detail)
            })),
            Err(error) if error.code == Code::FileMissing => {}
            Err(error) => findings.push(Finding::of_error(&error, place)),
        }
    }
    findings
}

/// Reads a renewal; its tree is that over the root which the chain names. An error names the file.
fn generation(subject: &Subject<'_>, renewal: &RenewedStamps) -> Result<Generation> {
    let folder = subject.root.join("chain/stamps/renewed");
    let named = |file: &RenewalFile| format!("chain/stamps/renewed/{}", file.name);
    let read = |file: &RenewalFile, limit: u64| {
        let path = folder.join(&file.name);
        let mut bytes = Vec::new();
        let open = durable::open_plain(&path).map_err(|error| error.at(named(file)))?;
        open.take(limit.min(file.length) + 1).read_to_end(&mut bytes).at(named(file))?;
        Ok(bytes)
    };
    let (tree, reply) = (renewal.stamps.tree(), renewal.stamps.reply());
    let roll = Roll::parse(&read(tree, roll::MAX_BYTES)?).map_err(|error| error.at(named(tree)))?;
    if roll.run_root() != renewal.root {
        return Err(Error::new(Code::EvidenceAltered, "its root is not that on the chain").at(named(tree)));
    }
    Ok(Generation { roll, token: token_of(&read(reply, MAX_REPLY as u64)?) })
}

/// The whole record of a stamp.
fn through(
    subject: &Subject<'_>,
    stamp: &Stamp,
    generations: &[Generation],
    tokens: &Remembering<'_>,
) -> Result<Verified> {
    let folder = subject.root.join("chain/stamps");
    let note = durable::read_plain(&folder.join(stamp.checkpoint_file()))?;
    let reply = durable::read_plain(&folder.join(stamp.reply_file()))?;
    let mut record = Record::alone(&note, token_of(&reply))?;
    for generation in generations.iter().filter(|generation| generation.roll.holds(stamp.size)) {
        let object = generation.roll.algorithm().of(&note);
        generation.roll.renew(stamp.size, &mut record, &object, generation.token.clone())?;
    }
    verify_record(&record.to_der(), &|algorithm| Ok(vec![algorithm.of(&note)]), tokens)
}

/// The stamped checkpoint is the archive's, and is the one that the entry names.
fn of_this_chain(subject: &Subject<'_>, keys: &Reigns, stamp: &Stamp) -> Result<()> {
    let note = durable::read_plain(&subject.root.join("chain/stamps").join(stamp.checkpoint_file()))?;
    let note = std::str::from_utf8(&note).map_err(|_| Error::new(Code::CheckpointBad, "not UTF-8"))?;
    let checkpoint = keys.open_checkpoint(note)?;
    if (checkpoint.size, checkpoint.root) == (stamp.size, stamp.root) {
        return Ok(());
    }
    Err(Error::new(Code::ChainAltered, "not the checkpoint that its entry names"))
}
