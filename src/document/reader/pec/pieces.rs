//! Where the pieces of a PEC message stand: the signed part, `daticert.xml`, `postacert.eml`, the signature.
//!
//! Only the outermost daticert describes this message, so parts are looked for at one place, the first level of the signed
//! part, and the tree is never searched (`reference/pec` section 5).

use super::structure::{Part, Structure};

/// Pieces, by their index among the parts.
#[derive(Debug)]
pub struct Pieces {
    /// The `multipart/signed`, and how deep: 0 is the message itself, 1 when a list or gateway wrapped it again.
    pub signed: Option<(usize, usize)>,
    /// The part that is signed.
    pub content: Option<usize>,
    /// The signature.
    pub signature: Option<usize>,
    /// A part beside these two: nobody signed it.
    pub unsigned: bool,
    /// The multipart whose parts are the envelope's.
    pub envelope: usize,
    /// The message carried inside.
    pub original: Option<usize>,
    /// There is another beside it that could be it as well.
    pub two_originals: bool,
}

impl Pieces {
    /// Finds them.
    pub fn of(structure: &Structure) -> Self {
        let is_signed = |part: &Part| part.info.media_type == "multipart/signed";
        let signed = if is_signed(&structure.parts[0]) {
            Some((0, 0))
        } else {
            structure.children(0).find(|(_, part)| is_signed(part)).map(|(at, _)| (at, 1))
        };
        let (mut content, mut signature, mut unsigned) = (None, None, false);
        if let Some((signed, _)) = signed {
            // The signed part is the first by the standard; the signature is recognised wherever it stands.
            for (at, part) in structure.children(signed) {
                match is_signature(part) {
                    true if signature.is_none() => signature = Some(at),
                    false if content.is_none() => content = Some(at),
                    // What a message cut short leaves of one is none.
                    _ => unsigned |= part.whole().end > part.start,
                }
            }
        }
        let envelope = content.unwrap_or(0);
        let carried = |wanted: &dyn Fn(&Part) -> bool| -> Vec<usize> {
            structure.children(envelope).filter(|(_, part)| wanted(part)).map(|(at, _)| at).take(2).collect()
        };
        let mut originals = carried(&|part| part.info.is_named("postacert.eml"));
        if originals.is_empty() {
            originals = carried(&|part| part.info.media_type == "message/rfc822");
        }
        let (original, two_originals) = (originals.first().copied(), originals.len() > 1);
        Self { signed, content, signature, unsigned, envelope, original, two_originals }
    }

    /// Parts that may be `daticert.xml`: by name first, then by type, then those that say nothing of what they are.
    pub fn certified<'s>(&self, structure: &'s Structure) -> Vec<&'s Part> {
        // The signed part may itself be the one, when a provider signed daticert alone.
        let mut candidates: Vec<&Part> = structure
            .children(self.envelope)
            .map(|(_, part)| part)
            .chain([&structure.parts[self.envelope]])
            .filter(|part| likely(part).is_some())
            .collect();
        candidates.sort_by_key(|part| likely(part));
        candidates.truncate(MAX_CANDIDATES);
        candidates
    }
}

/// Parts looked at in search of `daticert.xml`.
const MAX_CANDIDATES: usize = 8;

/// How a part announces that it may be `daticert.xml`: the first is the best; `None` when it says that it is something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Announced {
    /// By its name.
    Name,
    /// As XML.
    Type,
    /// Not at all: only its content can tell.
    Nothing,
}

/// See [`Announced`].
pub fn likely(part: &Part) -> Option<Announced> {
    if part.info.is_named("daticert.xml") {
        return Some(Announced::Name);
    }
    match part.info.media_type.as_str() {
        "application/xml" | "text/xml" => Some(Announced::Type),
        "application/octet-stream" | "text/plain" if part.info.name.is_none() => Some(Announced::Nothing),
        _ => None,
    }
}

/// Whether a part is a detached signature.
pub fn is_signature(part: &Part) -> bool {
    matches!(part.info.media_type.as_str(), "application/x-pkcs7-signature" | "application/pkcs7-signature")
        || part.info.is_named("smime.p7s")
}
