//! What the generator gives: a document, what a producer would say of it, and what a reader must find in it.

use serde_json::{Map, Value};

/// Metadata: names and JSON values in order.
pub type Facts = Map<String, Value>;

/// A tie to another item of the same case.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Relation {
    /// What ties them: `ricevuta-di`, `notifica-di`, `retro-di`, `allegato-a`.
    pub kind: &'static str,
    /// Name of the other item.
    pub name: String,
}

/// A document of the corpus.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// File name, unique in the corpus.
    pub name: String,
    /// Class it is deposited under.
    pub class: &'static str,
    /// The document.
    pub bytes: Vec<u8>,
    /// What a producer would send with it.
    pub metadata: Facts,
    /// Key of its case: the conversation, the invoice file, the practice, the provider's series.
    pub group: String,
    /// Ties to other items of the case.
    pub relations: Vec<Relation>,
    /// Facts a reader must extract from the bytes alone.
    pub expected: Facts,
}

/// Builds [`Facts`] from pairs, leaving out what is null.
pub fn facts<const N: usize>(pairs: [(&str, Value); N]) -> Facts {
    pairs.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.to_owned(), value)).collect()
}
