//! PEC messages of the matrix (`reference/pec` sections 3 to 9 and 13).
//!
//! `mail` builds one message, every piece of it open to change; `kinds` varies what providers vary in good messages, `variants` what
//! else is seen of good ones, `certified` the ways of `daticert.xml`, `headers` contradictions outside the signature, `signatures`
//! what goes wrong with them, `structure` what goes wrong around, `contents` what is carried,
//! `senders` signatures that are not a provider's.

mod certified;
mod contents;
mod headers;
mod kinds;
mod mail;
mod senders;
mod signatures;
mod structure;
mod variants;

use super::Sample;
use crate::corpus::provider::Keys;
use crate::error::Result;
use mail::Mail;

/// Adds the PEC messages.
pub(super) fn samples(keys: &mut Keys, all: &mut Vec<Sample>) -> Result<()> {
    let mut set = Set { keys, all };
    kinds::samples(&mut set)?;
    variants::samples(&mut set)?;
    certified::samples(&mut set)?;
    headers::samples(&mut set)?;
    signatures::samples(&mut set)?;
    structure::samples(&mut set)?;
    contents::samples(&mut set)?;
    senders::samples(&mut set)
}

/// The samples made so far, and what signs them.
struct Set<'a> {
    keys: &'a mut Keys,
    all: &'a mut Vec<Sample>,
}

impl Set<'_> {
    /// Adds bytes under a whole file name.
    fn bytes(&mut self, name: &str, bytes: Vec<u8>) {
        self.all.push(Sample { class: "pec-message", name: name.to_owned(), bytes });
    }

    /// Signs a message and adds it as `<name>.eml`.
    fn mail(&mut self, name: &str, mail: &Mail) -> Result<()> {
        let bytes = mail.render(self.keys)?;
        self.bytes(&format!("{name}.eml"), bytes);
        Ok(())
    }

    /// Signs a message, changes its text afterwards and adds it: what replaces must be found.
    fn edited(&mut self, name: &str, mail: &Mail, from: &str, to: &str) -> Result<()> {
        let bytes = replaced(&mail.render(self.keys)?, from, to);
        self.bytes(&format!("{name}.eml"), bytes);
        Ok(())
    }
}

/// The bytes with one text, at its first place, replaced by another.
fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let at = bytes
        .windows(from.len())
        .position(|w| w == from.as_bytes())
        .expect("a sample is changed where it has the text");
    [&bytes[..at], to.as_bytes(), &bytes[at + from.len()..]].concat()
}
