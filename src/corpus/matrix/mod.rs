//! The test matrix: small documents that cover every kind, encoding and defect a reader must tell apart
//! (`reference/pec` section 13, `reference/fatturapa`'s matrix). One file per class.
//!
//! Invariant: everything follows from the code alone, so the files in `tests/corpus/` can be made again byte by byte;
//! no sample is larger than 40 KB.

mod dress;
mod generic;
mod identity;
mod invoice;
mod log;
mod notification;
mod pec;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::provider::Keys;
use crate::error::Result;

/// A document of the matrix.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Class it is deposited under; the folder it stands in.
    pub class: &'static str,
    /// File name, unique in its class.
    pub name: String,
    /// Content.
    pub bytes: Vec<u8>,
}

/// Every document of the matrix, in a fixed order.
pub fn samples() -> Result<Vec<Sample>> {
    let mut keys = Keys::new()?;
    let mut all = Vec::new();
    pec::samples(&mut keys, &mut all)?;
    invoice::samples(&mut keys, &mut all)?;
    notification::samples(&mut all);
    log::samples(&mut keys, &mut all)?;
    identity::samples(&mut keys, &mut all)?;
    generic::samples(&mut all);
    Ok(all)
}

/// The metadata a document of the matrix is deposited with: of classes whose content says nothing of them.
pub fn given(class: &str, name: &str) -> crate::document::Metadata {
    if class == "identity-document" { identity::given(name) } else { crate::document::Metadata::new() }
}

/// Certificates the matrix's signatures lead to: file name and PEM text.
pub fn trust_anchors() -> Result<Vec<(String, String)>> {
    let keys = Keys::new()?;
    Ok(vec![("ca-di-prova.pem".to_owned(), pem(keys.root()))])
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = (0..text.len()).step_by(64).map(|at| &text[at..text.len().min(at + 64)]).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}
