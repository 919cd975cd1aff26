//! `[[witness]]`: who outside is to see how long the chain is.

use toml::Spanned;

use super::limits::{between, secs, tsa_url};
use super::locate::Problems;
use super::raw;
use super::resolved::Witness;
use crate::chain::note::Verifier;
use crate::units::Lapse;

/// A witness answers in less than a second; it is waited for at start only, and by nobody who deposits.
const TIMEOUT: Lapse = Lapse::from_secs(5);
/// The standards ask for one or a few; every one is asked after each seal.
const MOST: usize = 16;

pub(super) fn witnesses(tables: Vec<Spanned<raw::Witness>>, problems: &mut Problems<'_>) -> Vec<Witness> {
    let mut all: Vec<Witness> = Vec::new();
    for table in tables {
        let span = table.span();
        let table = table.into_inner();
        let (Some(url), Some(vkey)) = (&table.url, &table.vkey) else {
            problems.missing(Some(&span), "witness", "both `url` and `vkey` are needed");
            continue;
        };
        let url = problems.parse(url, "witness.url", tsa_url);
        let monitoring = match &table.monitoring {
            Some(given) => problems.parse(given, "witness.monitoring", tsa_url),
            None => url.clone(),
        };
        let key = problems.parse(vkey, "witness.vkey", |text| {
            let accepted = "expected the key of a witness with Ed25519 cosignatures (type 0x04), as `custode witness init` prints it";
            text.parse::<Verifier>().ok().filter(Verifier::is_witness).ok_or_else(|| accepted.to_owned())
        });
        let timeout = between(&table.timeout, "witness.timeout", TIMEOUT, secs(1, 61), problems);
        let (Some(url), Some(monitoring), Some(key), Some(timeout)) = (url, monitoring, key, timeout) else { continue };
        if all.iter().any(|known| known.key == key) || all.len() == MOST {
            problems.wrong(&vkey.span(), "witness.vkey", "expected each witness once, and at most 16");
            continue;
        }
        let required = table.required.is_some_and(|required| *required.get_ref());
        all.push(Witness { url, monitoring, key, required, timeout });
    }
    all
}
