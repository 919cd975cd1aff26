//! What a sealing keeps between two runs, marked with the archive's secret.
//!
//! A package may stand in `staging/` for hours, while no time-stamping authority answers. What its plan and its facts say is
//! what the chain will commit and what the journal will let go: whoever may write to the disk must not be able to have the
//! archive put its name to a package that it never planned. Invariant: text without the right mark for its place is not
//! taken for ours. The mark is not evidence and is gone with the staging folder.

use crate::hash::Sha256;

/// The secret that marks what stands in `staging/`.
#[derive(Clone)]
pub struct StagingKey([u8; 32]);

impl StagingKey {
    /// From the archive's secret.
    pub fn derive(secret: &[u8]) -> Self {
        Self(blake3::derive_key("custode 2026 what a sealing keeps v1", secret))
    }

    fn mark(&self, place: &str, text: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        // Hashed first, so that no place and text run together.
        hasher.update(&Sha256::of(place.as_bytes()).0);
        hasher.update(text);
        hasher.finalize()
    }

    /// The text and, on a line of its own, its mark for this place.
    pub fn marked(&self, place: &str, mut text: Vec<u8>) -> Vec<u8> {
        let mark = self.mark(place, &text);
        text.extend_from_slice(format!("\n{mark}\n").as_bytes());
        text
    }

    /// The text, when its mark is ours and for this place.
    pub fn unmarked<'a>(&self, place: &str, bytes: &'a [u8]) -> Option<&'a [u8]> {
        // A line feed, 64 digits, a line feed.
        let (text, mark) = bytes.split_at_checked(bytes.len().checked_sub(66)?)?;
        let digits = mark.strip_prefix(b"\n")?.strip_suffix(b"\n")?;
        let given = blake3::Hash::from_hex(digits).ok()?;
        // Compared in constant time.
        (given == self.mark(place, text)).then_some(text)
    }
}

impl std::fmt::Debug for StagingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StagingKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_holds_for_its_text_its_place_and_its_key_only() {
        let key = StagingKey::derive(b"secret");
        let kept = key.marked("plan", b"{}".to_vec());
        assert_eq!(key.unmarked("plan", &kept), Some(&b"{}"[..]));
        assert_eq!(key.unmarked("plan 2", &kept), None);
        assert_eq!(StagingKey::derive(b"another").unmarked("plan", &kept), None);
        for at in 0..kept.len() {
            let mut altered = kept.clone();
            altered[at] ^= 1;
            assert_eq!(key.unmarked("plan", &altered), None, "byte {at}");
            assert_eq!(key.unmarked("plan", &kept[..at]), None, "cut at {at}");
        }
    }
}
