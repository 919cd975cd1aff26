//! Cosignatures: what a witness adds to a checkpoint, with the time at which it saw it.
//!
//! Invariant: adding a cosignature never changes the text of a note, nor a signature that is there already. Clause: C2SP
//! tlog-cosignature (`cosignature/v1`, type 0x04).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signer as _, SigningKey};

use super::note::{COSIGNATURE, MAX_SIGNATURES, Verifier, check_name, check_text};
use crate::error::{Code, Error, Result};

/// The private key of a witness. Its key id differs from that of any log with the same name and key.
pub struct Cosigner {
    name: String,
    key: SigningKey,
}

impl Cosigner {
    /// A cosigner of this name from an Ed25519 seed. The name is a key name: not empty, no blank, no `+`.
    pub fn for_name(name: &str, seed: &[u8; 32]) -> Result<Self> {
        check_name(name)?;
        Ok(Self { name: name.to_owned(), key: SigningKey::from_bytes(seed) })
    }

    /// The public half, of type 0x04.
    pub fn verifier(&self) -> Verifier {
        Verifier::new(&self.name, COSIGNATURE, self.key.verifying_key())
    }

    /// The signature line (with its newline) that says: at this time (POSIX seconds) I saw this checkpoint, and no other of its
    /// log that it does not continue.
    pub fn cosign(&self, text: &str, time: u64) -> Result<String> {
        check_text(text)?;
        let message = format!("cosignature/v1\ntime {time}\n{text}");
        let mut payload = self.verifier().id_bytes().to_vec();
        payload.extend_from_slice(&time.to_be_bytes());
        payload.extend_from_slice(&self.key.sign(message.as_bytes()).to_bytes());
        Ok(format!("\u{2014} {} {}\n", self.name, BASE64.encode(payload)))
    }
}

impl fmt::Debug for Cosigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The seed must never reach a log.
        f.debug_struct("Cosigner").field("vkey", &self.verifier().to_string()).finish_non_exhaustive()
    }
}

/// The text of a note and its signature lines, each without its newline.
pub fn parts(note: &str) -> Result<(&str, Vec<&str>)> {
    let bad = |what: &str| Error::new(Code::SignatureInvalid, what.to_owned());
    let split = note.rfind("\n\n").ok_or_else(|| bad("no signatures"))?;
    let lines = note[split + 2..].strip_suffix('\n').ok_or_else(|| bad("no newline after the last signature"))?;
    Ok((&note[..=split], lines.split('\n').collect()))
}

/// The signature lines of these keys on a note, each with its newline; nothing is verified here.
pub fn lines_of(note: &str, keys: &[Verifier]) -> Result<String> {
    let (_, lines) = parts(note)?;
    let ours = lines.into_iter().filter(|line| keys.iter().any(|key| key.made(line)));
    Ok(ours.map(|line| format!("{line}\n")).collect())
}

/// The note with the line of this witness, in the place of an older one of the same key. The caller has verified it.
pub fn with_line(note: &str, line: &str, witness: &Verifier) -> Result<String> {
    let (text, lines) = parts(note)?;
    let mut kept: Vec<&str> = lines.into_iter().filter(|old| !witness.made(old)).collect();
    kept.push(line.trim_end_matches('\n'));
    if kept.len() > MAX_SIGNATURES {
        return Err(Error::new(Code::SignatureInvalid, "too many signatures"));
    }
    Ok(format!("{text}\n{}\n", kept.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::note::{Signer, open_note};

    const NOTE: &str = "conservazione.example/log1\n7\nkTlgHMHKirKnoMLBNMBIRfKxulSag9bIRc/NpDnMWF0=\n\n\
        — conservazione.example/log1 POB9tKjloCRsnvjgw8LaaiU69cFjTsLgg+El74XFI6pELOtavy6mhOJP7XR62AEHXkmXhdAu6CF18piJEvHndOiHkQc=\n\
        — testimone.example/w1 gxdcnwAAAABpsSIshChrcBxGK22CqHKD+iYLyeu9dIBfGTAaAFBzruSQ14a/iLRsQyHULsYp0KAe5FeGdJjKyG7g2/TcsdjBrSXaCA==\n";

    fn seed(from: u8) -> [u8; 32] {
        std::array::from_fn(|n| from + n as u8)
    }

    #[test]
    fn the_published_cosignature_is_made_byte_for_byte() {
        let log = Signer::for_name("conservazione.example/log1", &seed(0)).unwrap();
        let witness = Cosigner::for_name("testimone.example/w1", &seed(32)).unwrap();
        let vkey = witness.verifier();
        assert_eq!(vkey.to_string(), "testimone.example/w1+83175c9f+BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X");
        assert_eq!((vkey.id().as_str(), vkey.is_witness(), log.verifier().is_witness()), ("83175c9f", true, false));
        let (text, _) = parts(NOTE).unwrap();
        let signed = log.sign_note(text).unwrap();
        let line = witness.cosign(text, 1_773_216_300).unwrap();
        let cosigned = with_line(&signed, &line, &vkey).unwrap();
        assert_eq!(cosigned, NOTE);
        // A later one takes the place of the first; the log's own signature stays as it is.
        let later = with_line(&cosigned, &witness.cosign(text, 1_773_216_301).unwrap(), &vkey).unwrap();
        let opened = open_note(&later, &[log.verifier(), vkey.clone()]).unwrap();
        assert_eq!(opened.signed_by.iter().map(|s| s.time).collect::<Vec<_>>(), [None, Some(1_773_216_301)]);
        assert!(later.starts_with(&signed));
        assert_eq!(lines_of(&cosigned, &[vkey]).unwrap(), line);
        assert!(!format!("{witness:?}").contains("2021"));
    }
}
