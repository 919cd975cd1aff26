//! One line of the chain: its fields, its exact bytes, and the one parser everybody reads it with.
//!
//! Invariant: what is hashed is the line as it stands, never a rendering of what was parsed.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::clock::iso_ms;
use crate::error::{Code, Error, Result};
use crate::hash::Sha256;

/// Longest line, without its newline: a tile of entries prefixes each with a 16-bit length.
pub const MAX_LINE: usize = 60 * 1024;

macro_rules! kinds {
    ($($name:ident = $text:literal, $doc:literal;)*) => {
        /// What an entry is about; also the name of its object.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "lowercase")]
        pub enum Kind { $( #[doc = $doc] $name, )* }

        impl Kind {
            /// All of them.
            pub const ALL: &'static [Kind] = &[ $( Kind::$name, )* ];

            /// Name on the line.
            pub fn as_str(self) -> &'static str {
                match self { $( Kind::$name => $text, )* }
            }
        }

        impl FromStr for Kind {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self> {
                match text {
                    $( $text => Ok(Kind::$name), )*
                    _ => Err(Error::new(Code::Usage, "unknown kind of entry")),
                }
            }
        }
    };
}

kinds! {
    Genesis = "genesis", "The first entry: origin, key, profile.";
    Class = "class", "A metadata class was adopted.";
    Policy = "policy", "A retention or closing policy was adopted.";
    Manual = "manual", "A manual of conservation was adopted.";
    Package = "package", "A package was sealed: this entry is the commit.";
    Refusals = "refusals", "Refusals since the entry before.";
    Intake = "intake", "How far the numbers of a lane went: all of them were acknowledged.";
    Check = "check", "A check was made.";
    Repair = "repair", "Something was put right.";
    Record = "record", "A record of what somebody decided.";
    Amendment = "amendment", "A document was annulled, replaced, rectified or annotated.";
    Regroup = "regroup", "Documents moved to packages of their cohort.";
    Disposal = "disposal", "A package was disposed of.";
    Transfer = "transfer", "Packages went to another conservator.";
    Bundle = "bundle", "An evidence bundle was made.";
    Access = "access", "A batch of accesses to content.";
    Renewal = "renewal", "Evidence was renewed.";
    Key = "key", "A key changed.";
    Import = "import", "Packages came from another conservator.";
    Restore = "restore", "The archive was restored from a copy.";
    Stamp = "stamp", "A checkpoint was time-stamped.";
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where the chain stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Number of entries.
    pub size: u64,
    /// Root over them.
    pub root: Sha256,
    /// The signed checkpoint that says so.
    pub checkpoint: String,
}

/// One entry, with the bytes it was read from.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its number and leaf index; the genesis is 0.
    pub seq: u64,
    /// SHA-256 of the line before; zeros for the genesis.
    pub prev: Sha256,
    /// When it was made.
    pub at: Timestamp,
    /// What it is about.
    pub kind: Kind,
    /// The object named as the kind.
    pub object: Map<String, Value>,
    /// The exact line, without its newline.
    pub line: String,
}

impl Entry {
    /// A new entry and its line. Longer than [`MAX_LINE`] is [`Code::EntryTooLarge`].
    pub(super) fn new(seq: u64, prev: Sha256, at: Timestamp, kind: Kind, object: Map<String, Value>) -> Result<Self> {
        let mut whole = Map::new();
        whole.insert("seq".into(), seq.into());
        whole.insert("prev".into(), prev.to_string().into());
        whole.insert("at".into(), iso_ms(at).into());
        whole.insert("kind".into(), kind.as_str().into());
        whole.insert(kind.as_str().into(), Value::Object(object));
        let line = Value::Object(whole).to_string();
        if line.len() > MAX_LINE {
            return Err(Error::new(Code::EntryTooLarge, format!("{} bytes, kind {kind}", line.len())));
        }
        // Read back with the parser all readers use: what is signed is what they will see.
        Self::parse(line.as_bytes())
    }

    /// Reads a line; `Err` says what is wrong with it, without any value in it.
    pub fn parse(line: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(line).map_err(|_| wrong("not UTF-8"))?;
        let parsed = Line::parse(text)?;
        let object =
            serde_json::from_str(parsed.object.get()).map_err(|_| wrong("the entry's object is not an object"))?;
        Ok(Self { seq: parsed.seq, prev: parsed.prev, at: parsed.at, kind: parsed.kind, object, line: text.to_owned() })
    }

    /// SHA-256 of the line: what the next entry's `prev` says.
    pub fn digest(&self) -> Sha256 {
        Sha256::of(self.line.as_bytes())
    }
}

/// A line's fields with the object left unread: opening a long chain reads only the objects it needs.
#[derive(Debug)]
pub(super) struct Line<'a> {
    pub seq: u64,
    pub prev: Sha256,
    pub at: Timestamp,
    pub kind: Kind,
    pub object: &'a RawValue,
}

impl<'a> Line<'a> {
    pub fn parse(text: &'a str) -> Result<Self> {
        if text.len() > MAX_LINE {
            return Err(wrong("longer than 60 KB"));
        }
        let Members(members) = serde_json::from_str(text).map_err(|_| wrong("not a JSON object"))?;
        let [seq, prev, at, kind, object] = members.as_slice() else {
            return Err(wrong("five members expected"));
        };
        if [&seq.0, &prev.0, &at.0, &kind.0] != ["seq", "prev", "at", "kind"] {
            return Err(wrong("members seq, prev, at, kind expected in this order"));
        }
        let text_of = |raw: &RawValue| serde_json::from_str::<String>(raw.get());
        let at_text = text_of(at.1).map_err(|_| wrong("`at` is not text"))?;
        let at: Timestamp = at_text.parse().map_err(|_| wrong("`at` is not an instant"))?;
        if iso_ms(at) != at_text {
            return Err(wrong("`at` is not in its only form"));
        }
        let kind: Kind = text_of(kind.1).ok().and_then(|k| k.parse().ok()).ok_or_else(|| wrong("unknown `kind`"))?;
        if object.0 != kind.as_str() || !object.1.get().starts_with('{') {
            return Err(wrong("the fifth member is not an object named as the kind"));
        }
        let prev = text_of(prev.1).ok().filter(|p| !p.bytes().any(|b| b.is_ascii_uppercase()));
        Ok(Self {
            seq: serde_json::from_str(seq.1.get()).map_err(|_| wrong("`seq` is not a number"))?,
            prev: prev.and_then(|p| p.parse().ok()).ok_or_else(|| wrong("`prev` is not a digest"))?,
            at,
            kind,
            object: object.1,
        })
    }
}

fn wrong(what: &str) -> Error {
    Error::new(Code::ChainAltered, what.to_owned())
}

/// An object's members in order, doubles included, so that a doubled name cannot hide.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(5);
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                    if members.len() > 5 {
                        return Err(serde::de::Error::custom("too many members"));
                    }
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        let mut object = Map::new();
        object.insert("series".into(), "generic".into());
        let at = "2026-11-22T10:00:00.123Z".parse().unwrap();
        Entry::new(4, Sha256::of(b"before"), at, Kind::Package, object).unwrap()
    }

    #[test]
    fn a_line_is_read_back_and_its_form_is_the_documented_one() {
        let entry = entry();
        assert_eq!(
            entry.line,
            format!(
                r#"{{"seq":4,"prev":"{}","at":"2026-11-22T10:00:00.123Z","kind":"package","package":{{"series":"generic"}}}}"#,
                Sha256::of(b"before")
            )
        );
        assert_eq!(Entry::parse(entry.line.as_bytes()).unwrap(), entry);
    }

    #[test]
    fn lines_that_are_not_exactly_so_are_refused() {
        let line = entry().line;
        for bad in [
            line.replace("\"seq\":4", "\"seq\":-4"),
            line.replace("\"seq\":4,", "\"seq\":4,\"seq\":4,"),
            line.replace(".123Z", "Z"),
            line.replace("\"kind\":\"package\"", "\"kind\":\"other\""),
            line.replace("\"package\":{", "\"record\":{"),
            line.replace("{\"series\":\"generic\"}", "[]"),
            format!("{line}x"),
            line[..line.len() - 1].to_owned(),
            String::new(),
            "[".repeat(50_000),
            "x".repeat(MAX_LINE + 1),
        ] {
            assert!(Entry::parse(bad.as_bytes()).is_err(), "{}", &bad[..bad.len().min(120)]);
        }
        assert!(Entry::parse(b"\xff\xfe").is_err());
        let mut large = Map::new();
        large.insert("x".into(), "y".repeat(MAX_LINE).into());
        let error = Entry::new(0, Sha256::ZERO, Timestamp::UNIX_EPOCH, Kind::Genesis, large).unwrap_err();
        assert_eq!(error.code, Code::EntryTooLarge);
    }

    #[test]
    fn every_kind_reads_its_own_name() {
        for kind in Kind::ALL {
            assert_eq!(kind.as_str().parse::<Kind>().unwrap(), *kind);
        }
    }
}
