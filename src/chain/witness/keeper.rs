//! The witness itself: keeps the last checkpoint of every log it was told of, and cosigns what continues it.
//!
//! Invariant: no two cosigned checkpoints of a log disagree, whatever is asked at the same time and wherever the process
//! stops: the new one is durable before its cosignature leaves. A kept checkpoint that does not verify stops the witness: it
//! would not know any more what it has seen. A log may change its key: its operator gives all of them, and once a newer one has
//! signed what was kept, an older one does not go on. Clause: C2SP tlog-witness.
//!
//! | file | what |
//! |---|---|
//! | `witness.key` | name and seed, 0600 |
//! | `witness.vkey` | the public key |
//! | `logs/<hex SHA-256 of the origin>/checkpoint` | the last checkpoint, with the log's signature and ours |
//! | `logs/<…>/checkpoint-<key id>` | the last one that an older key of the log signed: shows whoever puts back a state from before a change of key, and so knows no newer one, how far that key had come |

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::request::AddCheckpoint;
use crate::chain::checkpoint::Checkpoint;
use crate::chain::cosignature::{Cosigner, lines_of, parts};
use crate::chain::files::read_bounded;
use crate::chain::merkle::verify_consistency;
use crate::chain::note::{MAX_NOTE, Verifier, check_name, open_note};
use crate::clock::Clock;
use crate::durable;
use crate::error::{Code, Error, Result};
use crate::hash::Sha256;

const KEY: &str = "witness.key";
const VKEY: &str = "witness.vkey";

/// What a witness answers when nothing is wrong with the request as such.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// 200: the signature line.
    Cosigned(String),
    /// 409: the size of the last checkpoint, which the proof did not start from.
    OtherSize(u64),
}

/// A running witness.
pub struct Keeper {
    cosigner: Cosigner,
    logs: BTreeMap<String, Log>,
    clock: Arc<dyn Clock>,
    // One process keeps a folder: two would each cosign what the other has not seen.
    _lock: File,
}

#[derive(Debug)]
struct Log {
    /// Oldest first; never none.
    keys: Vec<Verifier>,
    path: PathBuf,
    last: Mutex<Option<Kept>>,
}

impl Log {
    /// Where the last checkpoint that an older key signed is kept.
    fn path_of(&self, key_id: &str) -> PathBuf {
        self.path.with_file_name(format!("checkpoint-{key_id}"))
    }
}

/// The last checkpoint of a log.
#[derive(Debug, Clone)]
struct Kept {
    /// Which of the log's keys, counted from 0, is the newest that signed it.
    key: usize,
    size: u64,
    root: Sha256,
    time: u64,
    note: String,
}

/// Makes the key of a new witness in `folder` under this name; its public half. Where there is one, [`Code::ArchiveExists`].
pub fn create_key(folder: &Path, name: &str) -> Result<Verifier> {
    check_name(name)?;
    let path = folder.join(KEY);
    if path.exists() {
        return Err(Error::new(Code::ArchiveExists, "there is the key of a witness").at(path.display()));
    }
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|e| Error::new(Code::Internal, format!("no randomness: {e}")))?;
    let key = Cosigner::for_name(name, &seed)?.verifier();
    durable::create_dir_all(folder)?;
    durable::replace(&folder.join(VKEY), format!("{key}\n").as_bytes(), durable::MODE_PLAIN)?;
    durable::write_new(&path, format!("{name}\n{}\n", hex::encode(seed)).as_bytes(), durable::MODE_SECRET)?;
    Ok(key)
}

fn read_key(folder: &Path) -> Result<Cosigner> {
    let path = folder.join(KEY);
    let wrong = |detail: &str| Error::new(Code::KeyMissing, detail).at(path.display());
    let file = match durable::open_linked(&path) {
        Err(e) if e.code == Code::FileMissing => return Err(wrong("no such file").hint("run `custode witness init`")),
        other => other?,
    };
    if !durable::only_ours(&file, &path)? {
        return Err(Error::new(Code::ConfigWritable, "its group, others, or another owner").at(path.display()));
    }
    durable::must_be_secret(&file, &path)?;
    let text = durable::read_linked_text(&path)?;
    let (name, seed) = text.trim_end().split_once('\n').ok_or_else(|| wrong("expected two lines: name and seed"))?;
    let mut bytes = [0; 32];
    hex::decode_to_slice(seed, &mut bytes).map_err(|_| wrong("expected 64 hexadecimal digits"))?;
    Cosigner::for_name(name, &bytes)
}

/// Folder of a log: the name of the monitoring address, too.
fn folder_of(folder: &Path, origin: &str) -> PathBuf {
    folder.join("logs").join(Sha256::of(origin.as_bytes()).to_string())
}

fn lock(folder: &Path) -> Result<File> {
    let path = folder.join("lock");
    durable::lock(&path)?.ok_or_else(|| Error::new(Code::ArchiveLocked, "another witness keeps it").at(path.display()))
}

/// Lets go of what was seen of a log, so that another history of it can be cosigned: its archive was restored from an older copy
/// and somebody declared that. What was seen is set aside beside it, never deleted; where it stands now. `None` when nothing was.
pub fn forget(folder: &Path, origin: &str) -> Result<Option<PathBuf>> {
    let _lock = lock(folder)?;
    let path = folder_of(folder, origin).join("checkpoint");
    if !path.exists() {
        return Ok(None);
    }
    let free = (1..).map(|n| path.with_file_name(format!("forgotten-{n}"))).find(|path| !path.exists());
    let aside = free.ok_or_else(|| Error::new(Code::Internal, "no free name"))?;
    durable::rename(&path, &aside)?;
    Ok(Some(aside))
}

impl Keeper {
    /// Opens the witness in `folder` for these logs, each named as its key; a log that changed its key with all its keys, oldest
    /// first. Every checkpoint kept of them must verify.
    pub fn open(folder: &Path, logs: &[Verifier], clock: Arc<dyn Clock>) -> Result<Self> {
        let cosigner = read_key(folder)?;
        let lock = lock(folder)?;
        let ours = cosigner.verifier();
        let mut keys: BTreeMap<&str, Vec<Verifier>> = BTreeMap::new();
        for key in logs {
            if key.is_witness() {
                return Err(Error::new(Code::Usage, "the key of a witness, not of a log").at(key));
            }
            let known = keys.entry(key.name()).or_default();
            if known.contains(key) {
                return Err(Error::new(Code::Usage, "the same key twice").at(key));
            }
            known.push(key.clone());
        }
        let mut known = BTreeMap::new();
        for (name, keys) in keys {
            let path = folder_of(folder, name).join("checkpoint");
            let last = read_bounded(&path, MAX_NOTE)?.map(|bytes| Kept::parse(&bytes, &keys, &ours)).transpose();
            let last = Mutex::new(last.map_err(|e| e.at(path.display()))?);
            known.insert(name.to_owned(), Log { keys, path, last });
        }
        Ok(Self { cosigner, logs: known, clock, _lock: lock })
    }

    /// Its public key.
    pub fn verifier(&self) -> Verifier {
        self.cosigner.verifier()
    }

    /// Answers `add-checkpoint`. Errors, with the status that the standard asks for: [`Code::WitnessRequest`] 400,
    /// [`Code::WitnessLog`] 404, [`Code::WitnessSignature`] 403, [`Code::WitnessInconsistent`] 422.
    pub fn add_checkpoint(&self, body: &[u8]) -> Result<Answer> {
        let request = AddCheckpoint::parse(body)?;
        let malformed = |e: Error| Error::new(Code::WitnessRequest, e.detail);
        let (text, _) = parts(&request.checkpoint).map_err(malformed)?;
        let checkpoint = Checkpoint::parse_any(text).map_err(malformed)?;
        let log = self.logs.get(&checkpoint.origin).ok_or_else(|| Error::new(Code::WitnessLog, ""))?;
        open_note(&request.checkpoint, &log.keys).map_err(|e| Error::new(Code::WitnessSignature, e.detail))?;
        let key = newest(&log.keys, &request.checkpoint)?;
        if request.old > checkpoint.size {
            return Err(Error::new(Code::WitnessRequest, "the old size is larger than the checkpoint's"));
        }
        // Held from the comparison to the answer: two requests at once cannot both continue the same checkpoint.
        let mut last = log.last.lock().unwrap_or_else(PoisonError::into_inner);
        let empty = Sha256::of(b"");
        let (old, old_root, before) = last.as_ref().map_or((0, &empty, 0), |kept| (kept.size, &kept.root, kept.time));
        if request.old > old {
            // Its own word proves nothing, but a log has no reason to invent it.
            let (log, told) = (&checkpoint.origin, request.old);
            tracing::error!(%log, told, known = old, "a log says that more was cosigned than is known here: was this folder put back from an older copy?");
        }
        if request.old != old {
            return Ok(Answer::OtherSize(old));
        }
        if last.as_ref().is_some_and(|kept| key < kept.key) {
            return Err(Error::new(Code::WitnessSignature, "by an older key of the log than one that signed before"));
        }
        let continues = verify_consistency((old, old_root), (checkpoint.size, &checkpoint.root), &request.proof)
            && (checkpoint.size > 0 || checkpoint.root == empty);
        if !continues {
            let detail = format!("from {old} to {}: no proof, or another root", checkpoint.size);
            return Err(Error::new(Code::WitnessInconsistent, detail));
        }
        // A clock that stepped back does not make a checkpoint older than the one before it.
        let time = u64::try_from(self.clock.now().as_second()).unwrap_or(0).max(before);
        let line = self.cosigner.cosign(text, time)?;
        let log_lines = lines_of(&request.checkpoint, &log.keys)?;
        let note = format!("{text}\n{log_lines}{line}");
        durable::create_dir_all(log.path.parent().unwrap_or(Path::new(".")))?;
        // Before the new one: wherever this stops, the last checkpoint of each key is there.
        for older in &log.keys {
            let signed = |note: &str| lines_of(note, std::slice::from_ref(older)).map(|lines| !lines.is_empty());
            if let Some(kept) = last.as_ref()
                && signed(&kept.note)?
                && !signed(&note)?
            {
                durable::replace(&log.path_of(&older.id()), kept.note.as_bytes(), durable::MODE_PLAIN)?;
            }
        }
        durable::replace(&log.path, note.as_bytes(), durable::MODE_PLAIN)?;
        *last = Some(Kept { key, size: checkpoint.size, root: checkpoint.root, time, note });
        Ok(Answer::Cosigned(line))
    }

    /// The last checkpoint of the log whose origin has this SHA-256 in hexadecimal, cosigned (the monitoring address).
    pub fn checkpoint(&self, origin_sha256: &str) -> Result<String> {
        let missing = || Error::new(Code::WitnessLog, "");
        let last = self.log(origin_sha256)?.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().map(|kept| kept.note.clone()).ok_or_else(missing)
    }

    /// The last one that an older key of that log signed, by its key id.
    pub fn checkpoint_of(&self, origin_sha256: &str, key_id: &str) -> Result<String> {
        let missing = || Error::new(Code::WitnessLog, "");
        let log = self.log(origin_sha256)?;
        let key = log.keys.iter().find(|key| key.id() == key_id).ok_or_else(missing)?;
        let path = log.path_of(&key.id());
        let bytes = read_bounded(&path, MAX_NOTE)?.ok_or_else(missing)?;
        let kept = Kept::parse(&bytes, std::slice::from_ref(key), &self.verifier());
        kept.map(|kept| kept.note).map_err(|e| e.at(path.display()))
    }

    fn log(&self, origin_sha256: &str) -> Result<&Log> {
        let wanted = |(origin, _): &(&String, &Log)| Sha256::of(origin.as_bytes()).to_string() == origin_sha256;
        self.logs.iter().find(wanted).map(|(_, log)| log).ok_or_else(|| Error::new(Code::WitnessLog, ""))
    }
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper").field("cosigner", &self.cosigner).field("logs", &self.logs).finish_non_exhaustive()
    }
}

/// Which of these keys is the newest that signed a note; the caller has verified the signatures.
fn newest(keys: &[Verifier], note: &str) -> Result<usize> {
    let mut signed = None;
    for (at, key) in keys.iter().enumerate() {
        if !lines_of(note, std::slice::from_ref(key))?.is_empty() {
            signed = Some(at);
        }
    }
    signed.ok_or_else(|| Error::new(Code::WitnessSignature, "signed by no key of the log"))
}

impl Kept {
    fn parse(bytes: &[u8], log: &[Verifier], ours: &Verifier) -> Result<Self> {
        let damaged = |detail: &str| Error::new(Code::WitnessDamaged, detail.to_owned());
        let note = std::str::from_utf8(bytes).map_err(|_| damaged("not UTF-8"))?;
        let known: Vec<Verifier> = log.iter().chain([ours]).cloned().collect();
        let opened = open_note(note, &known).map_err(|e| damaged(&e.detail))?;
        let by_log = opened.signed_by.iter().any(|signed| signed.time.is_none());
        let (true, Some(time)) = (by_log, opened.signed_by.iter().find_map(|signed| signed.time)) else {
            return Err(damaged(
                "not signed by this witness and by a key of the log that was given: all of them are needed",
            ));
        };
        let checkpoint = Checkpoint::parse_any(&opened.text).map_err(|e| damaged(&e.detail))?;
        if log.iter().any(|key| checkpoint.origin != key.name()) {
            return Err(damaged("of another log"));
        }
        Ok(Self { key: newest(log, note)?, size: checkpoint.size, root: checkpoint.root, time, note: note.to_owned() })
    }
}

#[cfg(test)]
mod tests;
