//! PEC messages of the matrix (`reference/pec` sections 3, 5 and 13).
//!
//! `mail` builds one message, `kinds` varies what providers vary in good messages, `defects` what goes wrong.

mod kinds;
mod mail;

use super::Sample;
use crate::corpus::provider::Keys;
use crate::error::Result;

/// Adds the PEC messages.
pub(super) fn samples(keys: &mut Keys, all: &mut Vec<Sample>) -> Result<()> {
    kinds::samples(keys, all)
}
