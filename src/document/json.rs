//! JSON that says each thing once (RFC 8259 section 4: names within an object should be unique).
//!
//! Invariant: an object in which a name stands twice is an error. Of two values one reader takes the first and another the
//! last, so what a person saw would not be what was kept. The error says where, never what stood there.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// Reads a value in which no object has a name twice.
pub fn strict<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    Unique.deserialize(&mut reader)?;
    reader.end()?;
    serde_json::from_slice(bytes)
}

/// Whether the error is that of a name that stands twice.
pub fn is_duplicate(error: &serde_json::Error) -> bool {
    error.to_string().starts_with(TWICE)
}

const TWICE: &str = "a name stands twice in one object";

/// Walks a value and keeps nothing of it but the names of the objects it is in.
struct Unique;

impl<'de> DeserializeSeed<'de> for Unique {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unique {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut names = BTreeSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if !names.insert(name) {
                return Err(A::Error::custom(TWICE));
            }
            map.next_value_seed(Self)?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Self)?.is_some() {}
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_name_that_stands_twice_is_an_error_at_any_depth_and_says_where() {
        let good = r#"{"a":{"x":1,"y":[{"x":null},{"x":1.5}]},"b":{"x":"è"}}"#;
        assert_eq!(strict::<Value>(good.as_bytes()).unwrap()["b"], json!({ "x": "è" }));
        for bad in [r#"{"a":1,"a":1}"#, r#"{"a":{"b":[{"c":1,"c":2}]}}"#, r#"{"a":1,"\u0061":2}"#, r#"[{"":1,"":2}]"#] {
            let error = strict::<Value>(bad.as_bytes()).unwrap_err();
            assert!(is_duplicate(&error) && error.column() > 5, "{bad}: {error}");
        }
        let segreto = strict::<Value>(br#"{"codice":"RSSMRA","codice":"VRDLGI"}"#).unwrap_err().to_string();
        assert!(!segreto.contains("RSSMRA") && !segreto.contains("VRDLGI"));
    }

    #[test]
    fn cut_and_flipped_bytes_never_panic() {
        let text = br#"{"a":{"x":1,"y":[{"x":null},{"z":1.5e3}]},"b":"\ud83d\ude00","c":[true,false]}"#;
        for cut in 0..text.len() {
            assert!(strict::<Value>(&text[..cut]).is_err());
        }
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut bytes = text.to_vec();
                bytes[at] ^= 1 << bit;
                let _ = strict::<Value>(&bytes);
            }
        }
        assert!(strict::<Value>("[".repeat(100_000).as_bytes()).is_err());
    }
}
