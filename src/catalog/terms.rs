//! From values to search terms: one encoding that both catalogs share, so that they cannot answer differently.
//!
//! A term is `length of field name (2 bytes) · field name · kind (1 byte) · payload`, and payloads sort as their values
//! do: equality is one term, a prefix or a bound is a range of terms. The length before the name keeps field names with
//! hostile characters apart from each other and from values.

use std::ops::Bound;

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use crate::hash::Sha256;

/// How a class's field is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldKind {
    /// The whole value, or a prefix of it; case and accents do not matter.
    Keyword,
    /// Its words, in any order; case and accents do not matter.
    Text,
    /// A day.
    Date,
    /// An instant.
    Instant,
    /// A decimal number with up to six decimals.
    Number,
}

/// A field's value, by kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Value {
    /// See [`FieldKind::Keyword`].
    Keyword(String),
    /// See [`FieldKind::Text`].
    Text(String),
    /// See [`FieldKind::Date`].
    Date(Date),
    /// See [`FieldKind::Instant`].
    Instant(Timestamp),
    /// See [`FieldKind::Number`].
    Number(Decimal),
}

/// A decimal number in millionths: exact for amounts (a binary fraction would not be).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Decimal(pub i64);

/// Keywords are indexed whole up to this many bytes; of a longer one, this many and a digest of all of it.
const KEYWORD_BYTES: usize = 512;
/// The longest prefix that can be asked for; under [`KEYWORD_BYTES`], so that a prefix never reaches the digest.
pub(super) const PREFIX_BYTES: usize = 256;
/// Words are cut here; nobody types a longer one.
const WORD_BYTES: usize = 64;
/// Words taken from one text: a subject has dozens; a hostile one may not fill the index.
const WORDS: usize = 1_000;
/// Field names longer than this are replaced by their digest.
const NAME_BYTES: usize = 128;

/// Pseudo-field of the words of every keyword and text of a document, for the free text of a query.
pub(super) const ANY: &str = "@any";

impl Decimal {
    /// Reads `-12`, `12.5`, `0.000001`; neither exponents nor thousands separators.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (negative, digits) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let fraction = fraction.trim_end_matches('0');
        let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || whole.len() > 30 || fraction.len() > 6 || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        let whole: i128 = whole.parse().ok()?;
        let fraction: i128 = format!("{fraction:0<6}").parse().ok()?;
        let millionths = whole * 1_000_000 + fraction;
        i64::try_from(if negative { -millionths } else { millionths }).ok().map(Self)
    }
}

impl std::fmt::Display for Decimal {
    /// `12`, or with two to six decimals `12.50`, `0.000001`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (sign, n) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        let (whole, fraction) = (n / 1_000_000, n % 1_000_000);
        if fraction == 0 {
            return write!(f, "{sign}{whole}");
        }
        let digits = format!("{fraction:06}");
        write!(f, "{sign}{whole}.{:0<2}", digits.trim_end_matches('0'))
    }
}

impl Value {
    /// Reads a metadata value as this kind; `None` when it is not one (such a value is kept in the metadata and simply
    /// cannot be searched for).
    pub fn read(kind: FieldKind, value: &serde_json::Value) -> Option<Self> {
        let text = match value {
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Number(number) => number.to_string(),
            serde_json::Value::Bool(truth) => truth.to_string(),
            _ => return None,
        };
        Some(match kind {
            FieldKind::Keyword => Self::Keyword(text),
            FieldKind::Text => Self::Text(text),
            FieldKind::Date => {
                let day = text.trim().get(..10).unwrap_or_default();
                Self::Date(day.parse::<Date>().ok().filter(|d| d.year() >= 0)?)
            }
            FieldKind::Instant => Self::Instant(text.trim().parse().ok()?),
            FieldKind::Number => Self::Number(Decimal::parse(&text)?),
        })
    }

    /// As JSON, for lists: whole numbers as numbers, others as text with a point, instants in UTC with three decimals.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Keyword(text) | Self::Text(text) => text.as_str().into(),
            Self::Date(day) => day.to_string().into(),
            Self::Instant(at) => crate::clock::iso_ms(*at).into(),
            Self::Number(n) if n.0 % 1_000_000 == 0 => (n.0 / 1_000_000).into(),
            Self::Number(n) => n.to_string().into(),
        }
    }

    /// Its kind.
    pub fn kind(&self) -> FieldKind {
        match self {
            Self::Keyword(_) => FieldKind::Keyword,
            Self::Text(_) => FieldKind::Text,
            Self::Date(_) => FieldKind::Date,
            Self::Instant(_) => FieldKind::Instant,
            Self::Number(_) => FieldKind::Number,
        }
    }
}

/// Lower case, no accents, no compatibility forms, no space around: what equality of keywords and words means.
pub fn fold(text: &str) -> String {
    let folded: String = text.trim().nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).collect();
    // Lower-casing can bring combining marks back (U+0130), and trimming must see what compatibility forms became.
    folded.nfkd().filter(|c| !is_combining_mark(*c)).collect::<String>().trim().to_owned()
}

/// The folded words of a text.
pub(super) fn words(text: &str) -> Vec<String> {
    fold(text)
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .take(WORDS)
        .map(|word| cut(word, WORD_BYTES).to_owned())
        .collect()
}

fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// An `i64` as a `u64` that sorts alike.
pub(super) fn ordered(n: i64) -> u64 {
    (n as u64) ^ (1 << 63)
}

/// Everything before the payload of a term.
pub(super) fn head(field: &str, kind: FieldKind) -> Vec<u8> {
    let digest;
    let name = if field.len() > NAME_BYTES {
        digest = format!("#{}", Sha256::of(field.as_bytes()));
        digest.as_str()
    } else {
        field
    };
    let mut term = (name.len() as u16).to_be_bytes().to_vec();
    term.extend_from_slice(name.as_bytes());
    term.push(match kind {
        FieldKind::Keyword => b'k',
        FieldKind::Text => b't',
        FieldKind::Date => b'd',
        FieldKind::Instant => b'i',
        FieldKind::Number => b'n',
    });
    term
}

/// A term of this field and kind with this payload.
pub(super) fn term(field: &str, kind: FieldKind, payload: &[u8]) -> Vec<u8> {
    let mut term = head(field, kind);
    term.extend_from_slice(payload);
    term
}

/// Payload of a keyword.
pub(super) fn keyword(text: &str) -> Vec<u8> {
    let folded = fold(text);
    if folded.len() <= KEYWORD_BYTES {
        return folded.into_bytes();
    }
    let mut payload = cut(&folded, KEYWORD_BYTES).as_bytes().to_vec();
    payload.push(0xff);
    payload.extend_from_slice(Sha256::of(folded.as_bytes()).as_bytes());
    payload
}

/// Payload of an instant, to the millisecond.
pub(super) fn instant(at: Timestamp) -> [u8; 8] {
    ordered(at.as_millisecond()).to_be_bytes()
}

/// Payload of a number.
pub(super) fn number(n: Decimal) -> [u8; 8] {
    ordered(n.0).to_be_bytes()
}

/// The terms a value is found by.
pub(super) fn of_value(field: &str, value: &Value) -> Vec<Vec<u8>> {
    let kind = value.kind();
    match value {
        Value::Keyword(text) => vec![term(field, kind, &keyword(text))],
        Value::Text(text) => words(text).iter().map(|word| term(field, kind, word.as_bytes())).collect(),
        Value::Date(day) => vec![term(field, kind, day.to_string().as_bytes())],
        Value::Instant(at) => vec![term(field, kind, &instant(*at))],
        Value::Number(n) => vec![term(field, kind, &number(*n))],
    }
}

/// A range of terms: a document matches when one of its terms is inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    pub from: Bound<Vec<u8>>,
    pub to: Bound<Vec<u8>>,
}

impl Span {
    /// Exactly this term.
    pub fn exact(term: Vec<u8>) -> Self {
        Self { from: Bound::Included(term.clone()), to: Bound::Included(term) }
    }

    /// Every term that starts so.
    pub fn prefix(start: Vec<u8>) -> Self {
        let end = after_prefix(&start);
        Self { from: Bound::Included(start), to: end }
    }

    /// The one term, when it is a span of one.
    pub fn single(&self) -> Option<&[u8]> {
        match (&self.from, &self.to) {
            (Bound::Included(a), Bound::Included(b)) if a == b => Some(a),
            _ => None,
        }
    }

    /// Whether there can be a term inside. (`BTreeMap::range` panics on a span turned over.)
    pub fn possible(&self) -> bool {
        match (&self.from, &self.to) {
            (Bound::Included(a), Bound::Included(b)) => a <= b,
            (Bound::Included(a) | Bound::Excluded(a), Bound::Included(b) | Bound::Excluded(b)) => a < b,
            _ => true,
        }
    }
}

/// The first term behind all that start with `start`, excluded.
pub(super) fn after_prefix(start: &[u8]) -> Bound<Vec<u8>> {
    let mut end = start.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return Bound::Excluded(end);
        }
    }
    Bound::Unbounded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_ignores_case_accents_and_forms() {
        assert_eq!(fold("  Società À RESPONSABILITÀ ﬁnale İ "), "societa a responsabilita finale i");
        assert_eq!(fold("cafe\u{301}"), fold("CAFÉ"));
        for text in ["İstanbul", "ẞ", "\u{fdfa}", "Å", "\u{a0}x"] {
            assert_eq!(fold(&fold(text)), fold(text), "{text:?}");
        }
    }

    #[test]
    fn decimals_are_exact_and_sort() {
        assert_eq!(Decimal::parse("1220.50"), Some(Decimal(1_220_500_000)));
        assert_eq!(Decimal::parse("-0.000001"), Some(Decimal(-1)));
        assert_eq!(Decimal::parse("9223372036854.775807"), Some(Decimal(i64::MAX)));
        for bad in ["", "-", "1e3", "1,5", "1.0000001", "9223372036854.775808", "NaN", ".5", "1.2.3", "٣"] {
            assert_eq!(Decimal::parse(bad), None, "{bad}");
        }
        for text in ["1220.50", "-0.000001", "12", "-9223372036854.775808", "0"] {
            assert_eq!(Decimal::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Value::Number(Decimal(12_000_000)).to_json(), serde_json::json!(12));
        assert_eq!(Value::Number(Decimal(-500_000)).to_json(), serde_json::json!("-0.50"));
        assert!(number(Decimal(-1)) < number(Decimal(0)) && number(Decimal(0)) < number(Decimal(1)));
    }

    #[test]
    fn a_field_name_cannot_reach_into_another_field() {
        assert_ne!(term("a", FieldKind::Keyword, b"kb"), term("ak", FieldKind::Keyword, b"b"));
        assert_ne!(term("a\0k", FieldKind::Keyword, b""), term("a", FieldKind::Keyword, b"k"));
        assert!(term(&"x".repeat(100_000), FieldKind::Text, b"").len() < 200);
    }

    #[test]
    fn a_long_keyword_is_still_told_from_another() {
        let (a, b) = ("x".repeat(5000), format!("{}y", "x".repeat(4999)));
        assert_ne!(keyword(&a), keyword(&b));
        assert!(keyword(&a).len() < 600);
    }
}
