//! The index of the deposit (PdV), always written by the server.
//!
//! `deposit.sha256` is the SHA-256 of these bytes. They hold the digest of the body as received and of every document and
//! metadata file, so one changed byte anywhere in the deposit changes it (`reference/conservazione` I-6). Invariant: for
//! every document only id, length, media type, digests and controls: no name, no value. Replay look-ups stand here as
//! keyed hashes, so that they survive a rebuilt catalog and disclose nothing to whoever lacks the archive's key.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::document::Metadata;
use crate::error::{Code, Control, Error, Result};
use crate::hash::{Blake3, Sha256};
use crate::id::{ClassId, DocumentId, Lane, PersonId, ReceiptId};

/// Largest manifest read: 1 KB a document and ten thousand documents stay well below.
const LIMIT: usize = 32 * 1024 * 1024;
const SCHEMA: &str = "urn:custode:manifest:1";

/// The way a deposit came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    /// The HTTP interface.
    Http,
    /// The command line on the archive itself.
    CommandLine,
    /// Another conservator's packages.
    Import,
}

impl Channel {
    /// The word written in manifest and RdV.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::CommandLine => "command-line",
            Self::Import => "import",
        }
    }
}

impl FromStr for Channel {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let all = [Self::Http, Self::CommandLine, Self::Import];
        all.into_iter()
            .find(|channel| channel.as_str() == text)
            .ok_or_else(|| Error::new(Code::Usage, "unknown channel"))
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who deposited: the account, never a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Depositor {
    /// The person or system that the token belongs to.
    pub person: PersonId,
    /// The token's public identifier.
    pub token: String,
}

/// A document of the deposit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Its identifier.
    pub id: DocumentId,
    /// Length.
    pub bytes: u64,
    /// Recognised from the content.
    pub media_type: String,
    /// SHA-256.
    pub sha256: Sha256,
    /// BLAKE3.
    pub blake3: Blake3,
    /// SHA-256 of its metadata file.
    pub metadata_sha256: Sha256,
    /// Its class and the version of it, when they are not the deposit's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<ClassId>,
    /// See [`Item::class`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_version: Option<u32>,
    /// SHA-256 of the zip archive it came in, when it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive_sha256: Option<Sha256>,
    /// Every control made on it.
    pub controls: Vec<Control>,
}

/// A deposit as manifest and RdV both tell it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deposit {
    /// Its receipt; one deposit has one.
    pub receipt: ReceiptId,
    /// The lane that took it.
    pub lane: Lane,
    /// The submission agreement.
    pub agreement: String,
    /// The holder (`VATIT-…`).
    pub holder: String,
    /// The producer.
    pub producer: String,
    /// The account.
    pub depositor: Depositor,
    /// The way it came.
    pub channel: Channel,
    /// Class of its documents.
    pub class: ClassId,
    /// Version of the class.
    pub class_version: u32,
    /// When the whole body had arrived.
    pub received_at: Timestamp,
    /// Length of the body as received.
    pub bytes: u64,
    /// SHA-256 of the body as received.
    pub sha256: Sha256,
    /// SHA-256 of the client's own manifest part, when there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_manifest_sha256: Option<Sha256>,
    /// Controls made on the deposit as a whole.
    pub controls: Vec<Control>,
    /// Its documents, in order.
    pub documents: Vec<Item>,
}

/// How a repeated deposit is recognised (interface: "for ever, from manifests, not from a table").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// Keyed hash of producer and idempotency key.
    #[serde(default, with = "lower_hex")]
    pub key: Option<[u8; 32]>,
    /// Keyed hash of producer, class, names, digests and metadata as given.
    pub fingerprint: Blake3,
}

mod lower_hex {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(value: &Option<[u8; 32]>, serializer: S) -> Result<S::Ok, S::Error> {
        value.map(hex::encode).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<[u8; 32]>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let decode = |text: String| {
            let mut bytes = [0; 32];
            hex::decode_to_slice(text, &mut bytes).map(|()| bytes)
        };
        text.map(decode).transpose().map_err(serde::de::Error::custom)
    }
}

/// Key of replay look-ups and of refused objects; derived from the archive's own.
#[derive(Clone)]
pub struct ReplayKey([u8; 32]);

impl ReplayKey {
    /// From the archive's secret.
    pub fn derive(secret: &[u8]) -> Self {
        Self(blake3::derive_key("custode 2026 replay look-ups v1", secret))
    }

    /// Keyed hash of these fields; lengths are hashed too, so that no two lists run together.
    pub(in crate::intake) fn hash(&self, purpose: &str, fields: &[&[u8]]) -> Blake3 {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        for field in std::iter::once(&purpose.as_bytes()).chain(fields) {
            hasher.update(&(field.len() as u64).to_le_bytes());
            hasher.update(field);
        }
        Blake3(*hasher.finalize().as_bytes())
    }

    /// What a replay is looked up by. `documents` are name, SHA-256 and metadata as given; `whole` the deposit's own
    /// metadata. The order of metadata fields does not count, the order of documents does.
    pub fn replay(
        &self,
        producer: &str,
        key: Option<&str>,
        class: &ClassId,
        whole: &Metadata,
        documents: &[Given<'_>],
    ) -> Replay {
        let mut fields: Vec<Vec<u8>> = vec![producer.into(), class.as_str().into(), canonical(whole)];
        for given in documents {
            fields.extend([given.name.as_bytes().to_vec(), given.sha256.0.to_vec(), canonical(given.metadata)]);
        }
        let fields: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
        let key = key.map(|key| self.hash("key", &[producer.as_bytes(), key.as_bytes()]).0);
        Replay { key, fingerprint: self.hash("fingerprint", &fields) }
    }
}

impl fmt::Debug for ReplayKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReplayKey(…)")
    }
}

/// A document as the producer gave it.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its digest.
    pub sha256: Sha256,
    /// Its metadata as given.
    pub metadata: &'a Metadata,
}

/// JSON with sorted keys, at every depth.
fn canonical(metadata: &Metadata) -> Vec<u8> {
    let mut value = serde_json::Value::Object(metadata.clone());
    value.sort_all_objects();
    value.to_string().into_bytes()
}

/// The index of a deposit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    schema: String,
    /// The deposit.
    #[serde(flatten)]
    pub deposit: Deposit,
    /// How a repetition is recognised.
    pub replay: Replay,
}

impl Manifest {
    /// The index of this deposit.
    pub fn new(deposit: Deposit, replay: Replay) -> Self {
        Self { schema: SCHEMA.to_owned(), deposit, replay }
    }

    /// Its bytes: what `deposit.sha256` is the digest of.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("a manifest has no map with keys that are not text");
        bytes.push(b'\n');
        bytes
    }

    /// Reads what [`Manifest::to_bytes`] wrote, and nothing else.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let wrong = |what: String| Error::new(Code::ContentAltered, what).at("manifest");
        if bytes.len() > LIMIT {
            return Err(wrong(format!("longer than {LIMIT} bytes")));
        }
        let manifest: Self = serde_json::from_slice(bytes)
            .map_err(|e| wrong(format!("not a manifest: line {}, column {}", e.line(), e.column())))?;
        if manifest.schema != SCHEMA || manifest.to_bytes() != bytes {
            return Err(wrong("not as it was written".to_owned()));
        }
        Ok(manifest)
    }
}

#[cfg(test)]
pub(in crate::intake) mod tests {
    use super::*;
    use crate::error::ControlOutcome;

    pub(in crate::intake) fn deposit(documents: usize) -> Deposit {
        let at: Timestamp = "2026-11-22T10:00:00.123Z".parse().unwrap();
        let mut warned = Control::new("signature", ControlOutcome::Warning);
        warned.code = Some(Code::SignatureWeak);
        warned.place = "parte \"1\" <smime.p7s> & altro\n\tàè".to_owned();
        let item = |n: usize| Item {
            id: DocumentId::new(at),
            bytes: n as u64,
            media_type: "message/rfc822".into(),
            sha256: Sha256::of(&[n as u8]),
            blake3: Blake3::of(&[n as u8]),
            metadata_sha256: Sha256::of(b"metadata"),
            class: (n % 2 == 1).then(|| "sdi-notification".parse().unwrap()),
            class_version: (n % 2 == 1).then_some(2),
            archive_sha256: (n % 2 == 1).then(|| Sha256::of(b"zip")),
            controls: vec![Control::new("format-admitted", ControlOutcome::Positive), warned.clone()],
        };
        Deposit {
            receipt: ReceiptId::new(at),
            lane: Lane(1),
            agreement: "accordo-1".into(),
            holder: "VATIT-01234567890".into(),
            producer: "posta-aziendale".into(),
            depositor: Depositor { person: PersonId::new(at), token: "t-1".into() },
            channel: Channel::Http,
            class: "pec-message".parse().unwrap(),
            class_version: 1,
            received_at: at,
            bytes: 48213,
            sha256: Sha256::of(b"body"),
            client_manifest_sha256: None,
            controls: vec![Control::new("malware", ControlOutcome::NotActivated)],
            documents: (0..documents).map(item).collect(),
        }
    }

    fn replay(names: &[&str], metadata: &str) -> Replay {
        let metadata: Metadata = serde_json::from_str(metadata).unwrap();
        let given: Vec<_> =
            names.iter().map(|name| Given { name, sha256: Sha256::of(b"x"), metadata: &metadata }).collect();
        ReplayKey::derive(b"secret").replay("p", Some("k"), &"generic".parse().unwrap(), &Metadata::new(), &given)
    }

    #[test]
    fn a_manifest_reads_back_and_one_changed_byte_is_seen() {
        let mut deposit = deposit(2);
        deposit.client_manifest_sha256 = Some(Sha256::of(b"client"));
        let manifest = Manifest::new(deposit, replay(&["a"], "{}"));
        let bytes = manifest.to_bytes();
        assert_eq!(Manifest::parse(&bytes).unwrap(), manifest);
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert!(Manifest::parse(&flipped).map_or(true, |other| other != manifest), "byte {at}");
            assert!(Manifest::parse(&bytes[..at]).is_err());
        }
        let text = String::from_utf8(bytes).unwrap();
        assert!(Manifest::parse(text.replacen("\"lane\"", "\"more\": 1, \"lane\"", 1).as_bytes()).is_err());
    }

    #[test]
    fn a_fingerprint_is_of_everything_given_and_of_nothing_else() {
        let one = replay(&["a"], r#"{"x":1,"y":{"b":1,"a":2}}"#);
        assert_eq!(one, replay(&["a"], r#"{"y":{"a":2,"b":1},"x":1}"#));
        assert_ne!(one.fingerprint, replay(&["b"], r#"{"x":1,"y":{"b":1,"a":2}}"#).fingerprint);
        assert_ne!(one.fingerprint, replay(&["a"], r#"{"x":2,"y":{"b":1,"a":2}}"#).fingerprint);
        assert_ne!(replay(&["a", "b"], "{}").fingerprint, replay(&["ab", ""], "{}").fingerprint);
        let key = ReplayKey::derive(b"another");
        let other = key.replay("p", Some("k"), &"generic".parse().unwrap(), &Metadata::new(), &[]);
        assert_ne!(one.key, other.key);
    }
}
