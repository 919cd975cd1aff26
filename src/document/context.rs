//! What readers must know that is not in the document: whom the archive believes, and when it received it.

use jiff::Timestamp;

use crate::evidence::judge::Judge;
use crate::evidence::revocation::Material;
use crate::evidence::trust::Trust;
use crate::evidence::verdict::TimeReference;

/// What readers must know that is not in the document.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Whom the archive believes.
    pub trust: &'a Trust,
    /// When the archive received the document.
    pub received_at: Timestamp,
    /// VAT numbers and tax codes of the holder, in any spelling: whether an invoice was issued or received.
    pub holder: &'a [String],
    /// The proof of time that whatever encloses the document gives: of a file in a PEC message, its verified daticert.
    pub enclosed: Option<TimeReference>,
    /// Revocation lists and answers gathered since, besides those of `trust`.
    pub gathered: Option<&'a Material>,
}

impl<'a> Context<'a> {
    /// By this trust, received then.
    pub fn new(trust: &'a Trust, received_at: Timestamp) -> Self {
        Self { trust, received_at, holder: &[], enclosed: None, gathered: None }
    }

    /// The same, knowing the holder.
    pub fn held_by(self, holder: &'a [String]) -> Self {
        Self { holder, ..self }
    }

    /// The same for what stands inside something whose time is proved.
    pub fn enclosed_in(self, enclosed: Option<TimeReference>) -> Self {
        Self { enclosed, ..self }
    }

    /// The same, with what was gathered since.
    pub fn with(self, gathered: &'a Material) -> Self {
        Self { gathered: Some(gathered), ..self }
    }

    /// A judge of signatures; `reference` is the best proof of time that the reader found and verified.
    pub fn judge(&self, reference: Option<TimeReference>) -> Judge<'a> {
        let reference = reference.or(self.enclosed);
        Judge { trust: self.trust, reference, received_at: self.received_at, gathered: self.gathered }
    }
}

#[cfg(test)]
impl Context<'static> {
    /// Nobody is believed; received on a fixed day.
    pub fn test() -> &'static Self {
        static CONTEXT: std::sync::OnceLock<Context<'static>> = std::sync::OnceLock::new();
        CONTEXT.get_or_init(|| Self::new(Trust::nobody(), Timestamp::from_second(1_795_000_000).expect("in range")))
    }
}
