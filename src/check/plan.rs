//! What a check takes, and in which order.
//!
//! Invariant: a check without budget and age takes everything that was asked for, in the order of the chain. A rolling one takes
//! first what was not as it should be, or could not be read, when it was last looked at; then what has waited longest, a copy
//! that was never looked at since it was made. So the next run goes on where this one ends, whatever ended it.

use std::sync::Arc;

use jiff::Timestamp;

use super::coverage::{Coverage, Seen};
use super::sealed::{OnChain, Sealed};
use super::{Mode, Scope};
use crate::vault::Vault;

/// A package that is taken, and in which vaults.
pub(super) struct Taken<'a> {
    pub sealed: &'a Sealed,
    /// By their place in the list of vaults.
    pub vaults: Vec<usize>,
    /// Bytes of these copies.
    pub bytes: u64,
}

/// The packages that were asked for, in the order in which they are taken. `vaults` are those that are there, with their places.
pub(super) fn plan<'a>(
    scope: &Scope,
    on_chain: &'a OnChain,
    vaults: &[(usize, &Arc<dyn Vault>)],
    coverage: &Coverage,
    now: Timestamp,
) -> Vec<Taken<'a>> {
    let wanted = on_chain.packages.iter().filter(|sealed| scope.holds(&sealed.package));
    let take = |sealed: &'a Sealed, vaults: Vec<usize>| {
        // For legibility the documents of one copy are read.
        let copies = sealed.stored() * vaults.len() as u64;
        let bytes = if scope.mode == Mode::Legibility { sealed.object.bytes } else { copies };
        Taken { sealed, bytes, vaults }
    };
    if !scope.is_rolling() {
        return wanted.map(|sealed| take(sealed, vaults.iter().map(|(at, _)| *at).collect())).collect();
    }
    let before = scope.older_than.and_then(|age| now.checked_sub(age.signed()).ok());
    let mut due = Vec::new();
    for sealed in wanted {
        let mut first: Option<(bool, Timestamp)> = None;
        let mut copies = Vec::new();
        for (at, vault) in vaults {
            let known = coverage.last(scope.mode, vault.id(), &sealed.package);
            // A document that is not legible stays so: that it was not was said, and is an alarm.
            let bad = scope.mode != Mode::Legibility;
            let again = known.is_some_and(|known| known.seen == Seen::Unchecked || bad && known.seen == Seen::Bad);
            // One that the chain does not name yet is looked for: that it is not there is what there is to say.
            let made = || on_chain.made(sealed, vault.id()).unwrap_or(sealed.at);
            let since = known.and_then(|known| known.looked).unwrap_or_else(made);
            if again || before.is_none_or(|before| since <= before) {
                let turn = (!again, since);
                first = Some(first.map_or(turn, |first| first.min(turn)));
                copies.push(*at);
            }
        }
        due.extend(first.map(|turn| (turn, take(sealed, copies))));
    }
    // Of equal age in the order of the chain: the sort is stable.
    due.sort_by_key(|(turn, _)| *turn);
    due.into_iter().map(|(_, taken)| taken).collect()
}
