//! What is signed of a receipt: a C2SP note whose first line is `<archive>/receipt`, kept beside the RdV.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;

use super::Facts;
use crate::chain::Reigns;
use crate::chain::cosignature::parts;
use crate::clock::iso_ms;
use crate::error::{Code, Error, Result};
use crate::hash::Sha256;
use crate::id::{Lane, ReceiptId, Sequence};

/// The origin of an archive's receipts, which is also the name of the key that signs them.
pub fn origin(archive: &str) -> String {
    format!("{archive}/receipt")
}

/// The text to be signed, by the key named `origin`: origin, receipt id, lane, sequence, SHA-256 of the RdV, deposit
/// digest, accepted_at, chain size, chain root; one a line.
pub fn note_text(origin: &str, facts: &Facts, rdv: &[u8]) -> String {
    format!(
        "{origin}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n",
        facts.deposit.receipt,
        facts.deposit.lane,
        facts.sequence,
        Sha256::of(rdv),
        facts.manifest_sha256,
        iso_ms(facts.accepted_at),
        facts.chain_size,
        BASE64.encode(facts.chain_root.0),
    )
}

/// What a note says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteFacts {
    /// First line.
    pub origin: String,
    /// The receipt.
    pub receipt: ReceiptId,
    /// The lane.
    pub lane: Lane,
    /// The number.
    pub sequence: Sequence,
    /// SHA-256 of the RdV.
    pub rdv_sha256: Sha256,
    /// SHA-256 of the manifest.
    pub deposit_sha256: Sha256,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// Size of the chain then.
    pub chain_size: u64,
    /// Root of the chain then.
    pub chain_root: Sha256,
}

impl NoteFacts {
    /// Reads the text of a note (the part before the signatures, whose signature the caller has verified).
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || Error::new(Code::SignatureInvalid, "not the note of a receipt");
        let lines: Vec<&str> = text.strip_suffix('\n').ok_or_else(wrong)?.split('\n').collect();
        let [origin, receipt, lane, sequence, rdv, deposit, at, size, root] = lines[..] else { return Err(wrong()) };
        let root = BASE64.decode(root).ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(wrong)?;
        Ok(Self {
            origin: origin.to_owned(),
            receipt: receipt.parse().map_err(|_| wrong())?,
            lane: Lane(lane.parse().map_err(|_| wrong())?),
            sequence: Sequence(sequence.parse().map_err(|_| wrong())?),
            rdv_sha256: rdv.parse().map_err(|_| wrong())?,
            deposit_sha256: deposit.parse().map_err(|_| wrong())?,
            accepted_at: at.parse().map_err(|_| wrong())?,
            chain_size: size.parse().map_err(|_| wrong())?,
            chain_root: Sha256(root),
        })
    }
}

/// Opens the note of a receipt: the key that was in force at the size of the chain it names must have signed it. Its text, and what
/// it says. Under another key of the archive it is [`Code::KeyNotInForce`], else [`Code::SignatureInvalid`].
pub fn open_note(note: &str, keys: &Reigns) -> Result<(String, NoteFacts)> {
    let facts = NoteFacts::parse(parts(note)?.0)?;
    let opened = keys.open_note(note, &origin(keys.name()), facts.chain_size)?;
    Ok((opened.text, facts))
}

/// Whether a note's text is the one of this RdV, byte for byte. The signature is the caller's to verify.
pub fn check_note(text: &str, origin: &str, facts: &Facts, rdv: &[u8]) -> Result<()> {
    if text == note_text(origin, facts, rdv) {
        return Ok(());
    }
    Err(Error::new(Code::SignatureInvalid, "the signed note is of another receipt").at(facts.deposit.receipt))
}
