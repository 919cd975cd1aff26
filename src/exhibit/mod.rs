//! Exhibits: what an auditor takes away (pacchetto di distribuzione, PdD), and its verification without an archive.
//!
//! [`bundle`] writes the zip of `formats.md`, streaming; [`verify`](mod@verify) opens one, hostile or not, and looks at everything in
//! it. Invariants: a bundle of one document holds nothing of its neighbours but identifiers and digests; every file of it
//! stands in `report.json`, which the archive signs; a verdict is never better than what was looked at, and what came with
//! the bundle is never taken for an anchor of the reader's own (OAIS DIP; AgID guidelines 4.2, 4.7).

pub mod bundle;
mod instructions;
pub mod name;
mod page;
pub mod report;
pub mod verify;

/// The report for machines, with the list of files.
pub const REPORT: &str = "report.json";
/// The archive's technical integrity mark over it (Ed25519, C2SP signed note).
pub const REPORT_NOTE: &str = "report.note";
/// A signature of the report by a certificate, where reports are signed: detached CAdES.
pub const REPORT_SIGNATURE: &str = "report.json.p7s";
/// The archive's marked statement of its chain.
pub const CHECKPOINT: &str = "checkpoint";
/// The archive's public key.
pub const VKEY: &str = "trust/archive.vkey";
/// The certificates that the time-stamps lead to.
pub const TSA_ANCHORS: &str = "trust/tsa.pem";
/// The certificates that the signatures of packages lead to, where there are signatures and the archive knows them.
pub const SIGNER_ANCHORS: &str = "trust/signers.pem";
/// The public keys of the witnesses whose cosignatures stand under the checkpoint, a line each; only where there are any.
pub const WITNESSES: &str = "trust/witnesses";
/// Time-stamps over the chain: a checkpoint, its token and the proof from there, by the size of the chain.
pub const STAMPS: &str = "chain/stamps/";
/// What stands in every bundle for people.
pub const FOR_PEOPLE: [&str; 5] = ["LEGGIMI.html", "README.html", "VERIFICA.txt", "VERIFY.txt", "verify.py"];

/// Largest metadata file, RdV, note, manifest or record read whole.
const MAX_SMALL: u64 = 64 << 20;

/// The name under which an archive signs its bundles.
pub fn origin(archive: &str) -> String {
    format!("{archive}/bundle")
}

#[cfg(test)]
pub(crate) mod tests;
