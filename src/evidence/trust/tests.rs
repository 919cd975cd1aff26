//! Trust remembers what it judged and is never wrong by it.

use super::*;
use crate::evidence::fixtures::{at, pki};

#[test]
fn what_was_judged_is_remembered_for_as_long_as_it_holds() {
    let pki = pki(|_| {});
    let leaf = Certificate::parse(&pki.leaf).unwrap();
    let trust = Trust::empty().with(Purpose::Pec, Anchors::from_der(vec![pki.root.clone()]).unwrap());
    let chain = |instant: &str| trust.chain(&leaf, &[], Purpose::Pec, at(instant));
    assert!(matches!(chain("2026-06-01T00:00:00Z"), Chain::Path(path) if path.len() == 2));
    assert!(matches!(chain("2030-06-01T00:00:00Z"), Chain::Path(_)));
    assert_eq!(trust.cache.len(), 1, "the same path holds at another time");
    assert!(matches!(chain("2040-01-01T00:00:00Z"), Chain::Broken(Code::SignatureExpired, _)));
    assert!(matches!(chain("2026-06-01T00:00:00Z"), Chain::Path(_)), "an expired path does not stay expired");
    assert!(matches!(trust.chain(&leaf, &[], Purpose::Signature, at("2026-06-01T00:00:00Z")), Chain::NoAnchors));
}
