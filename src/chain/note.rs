//! Signed notes (C2SP signed-note) with Ed25519 keys: what receipts and checkpoints are signed with, so that twenty lines
//! of Python or the Go package `sumdb/note` verify them without Custode.
//!
//! Invariant: a note opens only when at least one known key signed it and no known key's signature is wrong. Clause: C2SP
//! signed-note (types 0x01 Ed25519 and 0x04 cosignature of tlog-cosignature).

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

use crate::error::{AtPath as _, Code, Error, Result};
use crate::hash::Sha256;

/// Longest note read: a receipt or checkpoint with its signatures is under 20 KB, so this only stops abuse.
pub const MAX_NOTE: usize = 1 << 20;
/// Most signatures read on one note; the standard asks for at least 16 to be accepted.
pub const MAX_SIGNATURES: usize = 64;

const ED25519: u8 = 0x01;
pub(super) const COSIGNATURE: u8 = 0x04;

/// A private key that signs notes under one name (the note's origin).
///
/// One seed serves several names: the key id differs with the name, so a receipt is never a checkpoint.
#[derive(Clone)]
pub struct Signer {
    name: String,
    key: SigningKey,
}

impl Signer {
    /// A signer of this name from an Ed25519 seed. The name is the note's key name: not empty, no blank, no `+`.
    pub fn for_name(name: &str, seed: &[u8; 32]) -> Result<Self> {
        check_name(name)?;
        Ok(Self { name: name.to_owned(), key: SigningKey::from_bytes(seed) })
    }

    /// The same key under another name (`<archive>/receipt`).
    pub fn renamed(&self, name: &str) -> Result<Self> {
        check_name(name)?;
        Ok(Self { name: name.to_owned(), key: self.key.clone() })
    }

    /// The key's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The public half.
    pub fn verifier(&self) -> Verifier {
        Verifier::new(&self.name, ED25519, self.key.verifying_key())
    }

    /// The signed note over `text`, which must end with a newline and hold no other control character.
    pub fn sign_note(&self, text: &str) -> Result<String> {
        check_text(text)?;
        Ok(format!("{text}\n{}", self.signature_line(text)))
    }

    /// The note with one more signature, by this key.
    pub fn countersign(&self, note: &str) -> Result<String> {
        let (text, _) = super::cosignature::parts(note)?;
        Ok(format!("{note}{}", self.signature_line(text)))
    }

    fn signature_line(&self, text: &str) -> String {
        let mut payload = self.verifier().id.to_be_bytes().to_vec();
        payload.extend_from_slice(&self.key.sign(text.as_bytes()).to_bytes());
        format!("\u{2014} {} {}\n", self.name, BASE64.encode(payload))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The seed must never reach a log.
        f.debug_struct("Signer").field("vkey", &self.verifier().to_string()).finish_non_exhaustive()
    }
}

/// A public key that opens notes; its text form is the *vkey* `name+<key id>+<base64>`.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    name: String,
    id: u32,
    algorithm: u8,
    key: VerifyingKey,
}

impl Verifier {
    pub(super) fn new(name: &str, algorithm: u8, key: VerifyingKey) -> Self {
        let digest = Sha256::of_parts(&[name.as_bytes(), b"\n", &[algorithm], key.as_bytes()]);
        let [a, b, c, d, ..] = digest.0;
        Self { name: name.to_owned(), id: u32::from_be_bytes([a, b, c, d]), algorithm, key }
    }

    /// The key's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same Ed25519 key under another name: opens receipts where the archive's own vkey is known.
    pub fn renamed(&self, name: &str) -> Result<Self> {
        check_name(name)?;
        Ok(Self::new(name, self.algorithm, self.key))
    }

    /// From the text of a vkey, or from a file that holds one: what the command line takes.
    pub fn from_text_or_file(text: &str) -> Result<Self> {
        let path = Path::new(text);
        // Neither a key nor a file: what is wrong with it as a key says more.
        if text.trim().parse::<Self>().is_ok() || !path.is_file() {
            return text.trim().parse();
        }
        if std::fs::metadata(path).at_path(path)?.len() > 4096 {
            return Err(Error::new(Code::Usage, "too large for a public key").at(path.display()));
        }
        std::fs::read_to_string(path).at_path(path)?.trim().parse().map_err(|e: Error| e.at(path.display()))
    }

    /// Its key id, eight hexadecimal digits: what signature lines begin with, and what tells two keys of one name apart.
    pub fn id(&self) -> String {
        format!("{:08x}", self.id)
    }

    pub(super) fn id_bytes(&self) -> [u8; 4] {
        self.id.to_be_bytes()
    }

    /// Whether it verifies cosignatures of a witness (type 0x04), not signatures of a log.
    pub fn is_witness(&self) -> bool {
        self.algorithm == COSIGNATURE
    }

    /// Whether this signature line (`— name base64`) says to be of this key.
    pub fn made(&self, line: &str) -> bool {
        signature_line(line).is_ok_and(|(name, payload)| name == self.name && payload.starts_with(&self.id_bytes()))
    }

    /// The 32 bytes of the public key.
    pub fn public_key(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// Verifies one signature (after the key id) over the note's text; the time of a cosignature.
    fn verify(&self, text: &str, signature: &[u8]) -> Result<Option<u64>> {
        let (message, time, signature) = match self.algorithm {
            COSIGNATURE => {
                let (time, signature) =
                    signature.split_first_chunk::<8>().ok_or_else(|| bad("cosignature cut short"))?;
                let time = u64::from_be_bytes(*time);
                (format!("cosignature/v1\ntime {time}\n{text}"), Some(time), signature)
            }
            _ => (text.to_owned(), None, signature),
        };
        let signature = Signature::from_slice(signature).map_err(|_| bad("a signature of the wrong length"))?;
        match self.key.verify_strict(message.as_bytes(), &signature) {
            Ok(()) => Ok(time),
            Err(_) => Err(bad(format!("the signature of {} does not verify", self.name))),
        }
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![self.algorithm];
        key.extend_from_slice(self.key.as_bytes());
        write!(f, "{}+{:08x}+{}", self.name, self.id, BASE64.encode(key))
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verifier({self})")
    }
}

impl FromStr for Verifier {
    type Err = Error;

    fn from_str(vkey: &str) -> Result<Self> {
        let wrong = |what: &str| Error::new(Code::Usage, format!("not a vkey (name+id+base64): {what}"));
        // The base64 may itself hold `+`: split on the first two only.
        let mut parts = vkey.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(wrong("three parts expected"));
        };
        check_name(name)?;
        let bytes = BASE64.decode(key).map_err(|_| wrong("base64"))?;
        let (&algorithm, key) = bytes.split_first().ok_or_else(|| wrong("empty key"))?;
        if !matches!(algorithm, ED25519 | COSIGNATURE) {
            return Err(wrong("unknown signature type"));
        }
        let key: &[u8; 32] = key.try_into().map_err(|_| wrong("key length"))?;
        let key = VerifyingKey::from_bytes(key).map_err(|_| wrong("not a point of the curve"))?;
        let verifier = Self::new(name, algorithm, key);
        if id != format!("{:08x}", verifier.id) {
            return Err(wrong("the key id does not belong to this name and key"));
        }
        Ok(verifier)
    }
}

/// A note whose signatures by known keys all verify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The signed text, ending with a newline.
    pub text: String,
    /// Who signed, of the known keys; never empty.
    pub signed_by: Vec<SignedBy>,
    /// Signatures by unknown keys, which say nothing.
    pub unknown: usize,
}

/// One verified signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedBy {
    /// The key's name.
    pub name: String,
    /// When a cosigner says it saw the note (POSIX seconds).
    pub time: Option<u64>,
}

/// Opens a note: at least one of `known` signed it, and none of their signatures is wrong. Unknown keys are ignored.
pub fn open_note(note: &str, known: &[Verifier]) -> Result<Note> {
    if note.len() > MAX_NOTE {
        return Err(bad("longer than any note"));
    }
    if note.chars().any(|c| c < ' ' && c != '\n') {
        return Err(bad("control characters in the note"));
    }
    let split = note.rfind("\n\n").ok_or_else(|| bad("no signatures"))?;
    let (text, signatures) = (&note[..=split], &note[split + 2..]);
    let lines = signatures.strip_suffix('\n').ok_or_else(|| bad("no newline after the last signature"))?;
    let mut opened = Note { text: text.to_owned(), signed_by: Vec::new(), unknown: 0 };
    for (count, line) in lines.split('\n').enumerate() {
        if count == MAX_SIGNATURES {
            return Err(bad("too many signatures"));
        }
        let (name, payload) = signature_line(line)?;
        let (id, signature) = payload.split_first_chunk::<4>().ok_or_else(|| bad("a signature without key id"))?;
        let id = u32::from_be_bytes(*id);
        match known.iter().find(|v| v.name == name && v.id == id) {
            Some(key) => {
                let time = key.verify(text, signature)?;
                opened.signed_by.push(SignedBy { name: name.to_owned(), time });
            }
            None => opened.unknown += 1,
        }
    }
    if opened.signed_by.is_empty() {
        return Err(bad("not signed by a known key"));
    }
    Ok(opened)
}

fn signature_line(line: &str) -> Result<(&str, Vec<u8>)> {
    let wrong = || bad("a signature line is not `— name base64`");
    let (name, signature) = line.strip_prefix("\u{2014} ").and_then(|l| l.split_once(' ')).ok_or_else(wrong)?;
    check_name(name).map_err(|_| wrong())?;
    Ok((name, BASE64.decode(signature).map_err(|_| wrong())?))
}

pub(super) fn check_name(name: &str) -> Result<()> {
    if name.is_empty() || name.chars().any(|c| c.is_whitespace() || c == '+' || c.is_control()) {
        return Err(Error::new(Code::Usage, "a key name is not empty and holds no blank and no `+`"));
    }
    Ok(())
}

pub(super) fn check_text(text: &str) -> Result<()> {
    if !text.ends_with('\n') || text.chars().any(|c| c < ' ' && c != '\n') {
        return Err(Error::new(
            Code::Internal,
            "the text of a note ends with a newline and holds no control character",
        ));
    }
    Ok(())
}

fn bad(detail: impl Into<String>) -> Error {
    Error::new(Code::SignatureInvalid, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "conservazione.example/log1+3ce07db4+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
    const WITNESS: &str = "testimone.example/w1+83175c9f+BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X";
    const TEXT: &str = "conservazione.example/log1\n7\nkTlgHMHKirKnoMLBNMBIRfKxulSag9bIRc/NpDnMWF0=\n";
    const NOTE: &str = "conservazione.example/log1\n7\nkTlgHMHKirKnoMLBNMBIRfKxulSag9bIRc/NpDnMWF0=\n\n\
        — conservazione.example/log1 POB9tKjloCRsnvjgw8LaaiU69cFjTsLgg+El74XFI6pELOtavy6mhOJP7XR62AEHXkmXhdAu6CF18piJEvHndOiHkQc=\n\
        — testimone.example/w1 gxdcnwAAAABpsSIshChrcBxGK22CqHKD+iYLyeu9dIBfGTAaAFBzruSQ14a/iLRsQyHULsYp0KAe5FeGdJjKyG7g2/TcsdjBrSXaCA==\n";

    fn signer() -> Signer {
        let seed: [u8; 32] = std::array::from_fn(|i| i as u8);
        Signer::for_name("conservazione.example/log1", &seed).unwrap()
    }

    #[test]
    fn the_published_vector_is_reproduced_and_opens() {
        assert_eq!(signer().verifier().to_string(), LOG);
        let ours = signer().sign_note(TEXT).unwrap();
        assert!(NOTE.starts_with(&ours));
        let known = [LOG.parse().unwrap(), WITNESS.parse().unwrap()];
        let note = open_note(NOTE, &known).unwrap();
        assert_eq!(note.text, TEXT);
        assert_eq!(note.signed_by[1], SignedBy { name: "testimone.example/w1".into(), time: Some(1_773_216_300) });
        assert_eq!(open_note(NOTE, &known[..1]).unwrap().unknown, 1);
        assert!(open_note(NOTE, &[]).is_err(), "nobody known signed");
    }

    #[test]
    fn one_seed_under_two_names_has_two_ids() {
        let receipt = signer().renamed("conservazione.example/log1/receipt").unwrap();
        let note = receipt.sign_note("x\n").unwrap();
        assert!(open_note(&note, &[LOG.parse().unwrap()]).is_err());
        let verifier = LOG.parse::<Verifier>().unwrap().renamed("conservazione.example/log1/receipt").unwrap();
        assert!(open_note(&note, &[verifier]).is_ok());
    }

    #[test]
    fn every_changed_byte_of_a_note_by_known_keys_is_refused() {
        let known = [LOG.parse().unwrap(), WITNESS.parse().unwrap()];
        for at in 0..NOTE.len() {
            for change in [1u8, 0x20, 0x80] {
                let mut bytes = NOTE.as_bytes().to_vec();
                bytes[at] ^= change;
                let Ok(text) = String::from_utf8(bytes) else { continue };
                // A changed name or id makes one signature unknown: allowed while the other one holds, and then seen.
                match open_note(&text, &known) {
                    Ok(note) => assert!(note.text == TEXT && note.unknown == 1, "byte {at}"),
                    Err(e) => assert_eq!(e.code, Code::SignatureInvalid),
                }
            }
        }
        for cut in (0..NOTE.len()).filter(|&at| NOTE.is_char_boundary(at)) {
            let whole_lines = NOTE[..cut].ends_with("=\n") && NOTE[..cut].contains("\n\n");
            assert_eq!(open_note(&NOTE[..cut], &known).is_ok(), whole_lines, "cut at {cut}");
        }
    }

    #[test]
    fn a_wrong_vkey_says_what_is_wrong() {
        for bad in ["", "a", "a+b", "a+00000000+AQ==", &LOG.replace("3ce07db4", "3ce07db5"), "a b+3ce07db4+AQ=="] {
            assert!(bad.parse::<Verifier>().is_err(), "{bad}");
        }
        assert!(Signer::for_name("a+b", &[0; 32]).is_err());
        assert!(signer().sign_note("no newline").is_err());
        assert!(!format!("{:?}", signer()).contains("000102"));
    }
}
