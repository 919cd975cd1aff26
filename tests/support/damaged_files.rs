//! Files of the corpus cut and bent at many places: whatever is done to them there is an answer and no panic; a file that was cut is
//! not taken for whole; and a signature that is still good is one over the same words.

use serde_json::{Map, Value};

use super::{Reader, folder};

/// Places tried of one file.
const PLACES: usize = 120;

/// One of each dress: class and name.
const FILES: &[(&str, &str)] = &[
    ("invoice", "fpr12-piano.xml"),
    ("invoice", "utf16-le-senza-bom.xml"),
    ("invoice", "lotto-2.xml"),
    ("invoice", "fpa12-der.xml.p7m"),
    ("invoice", "fpa12-ber.xml.p7m"),
    ("invoice", "fpa12-base64-crlf.xml.p7m"),
    ("invoice", "fpa12-pem.xml.p7m"),
    ("invoice", "fpa12-due-volte.xml.p7m.p7m"),
    ("invoice", "openssl-cms-senza-attributi.xml.p7m"),
    ("invoice", "openssl-due-firmatari.xml.p7m"),
    ("invoice", "openssl-cades-pss.xml.p7m"),
    ("invoice", "openssl-smime.xml.p7m"),
    ("invoice", "xades-bes.xml"),
    ("invoice", "xades-filtro.xml"),
    ("invoice", "xades-inclusiva.xml"),
    ("invoice", "xades-iso-8859-1.xml"),
    ("sdi-notification", "pa-ns.xml"),
    ("sdi-notification", "xades-pa-rc.xml"),
];

/// What was read of the content, the verdicts on its signatures and what they prove left out.
fn content(metadata: &Map<String, Value>) -> Map<String, Value> {
    metadata
        .iter()
        .filter(|(name, _)| !name.starts_with("sign") && *name != "proof")
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Whether there are signatures, and all of them are good in digest and signature.
fn good(metadata: &Map<String, Value>) -> bool {
    let reports = metadata.get("signatures").and_then(Value::as_array).cloned().unwrap_or_default();
    let both = |report: &Value| ["digest", "signature"].iter().all(|aspect| report["verdicts"][aspect] == "good");
    !reports.is_empty() && reports.iter().all(both)
}

#[test]
fn cut_and_bent_files_are_never_taken_for_whole_ones() {
    let reader = Reader::new();
    for (class, name) in FILES {
        let whole = std::fs::read(folder().join(class).join(name)).unwrap();
        let intact = reader.look(class, &whole, name).metadata;
        let signed = good(&intact);
        assert_eq!(signed, name.starts_with("xades") || name.contains(".p7m"), "{name}");
        // What follows the end is nobody's: blanks, in one file the zeros.
        let end = whole.trim_ascii_end().len();
        let (mut refused, mut unmoved) = (0, 0);
        for at in (0..end).step_by((end / PLACES).max(1)) {
            let cut = reader.look(class, &whole[..at], name);
            assert!(
                !cut.acceptable() || (good(&cut.metadata) && content(&cut.metadata) == content(&intact)),
                "{name} cut at {at}"
            );
            refused += usize::from(!cut.acceptable());
            let mut bent = whole.clone();
            bent[at] ^= 1 << (at % 8);
            let found = reader.look(class, &bent, name);
            if good(&found.metadata) {
                assert_eq!(content(&found.metadata), content(&intact), "{name} bent at {at}");
                unmoved += 1;
            }
        }
        assert!(refused >= PLACES, "{name}: only {refused} cuts were refused");
        // Most of a signed file is signed; certificates of others, armour and blanks are not.
        assert!(unmoved <= PLACES / 3, "{name}: {unmoved} changes left the signature good");
    }
}
