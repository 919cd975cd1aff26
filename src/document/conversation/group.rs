//! Which messages are one transaction (`reference/pec` section 8, algorithm).

use std::collections::{BTreeMap, BTreeSet};

use super::{Kind, Message};

/// An identifier as transactions are keyed by it. Case is not looked at: what differs in nothing else is one transaction,
/// and that it differs is a finding.
pub(super) fn key(text: &str) -> String {
    text.trim().trim_start_matches('<').trim_end_matches('>').trim().to_lowercase()
}

/// Messages of each transaction, and those of none; every list in the order of what is certified.
pub(super) fn group(messages: &[Message]) -> (Vec<Vec<&Message>>, Vec<&Message>) {
    let mut sorted: Vec<&Message> = messages.iter().collect();
    sorted.sort_by_cached_key(|message| message.order());
    let mut groups: BTreeMap<(bool, String), Vec<&Message>> = BTreeMap::new();
    let mut by_msgid: BTreeMap<String, BTreeSet<(bool, String)>> = BTreeMap::new();
    let (mut unnamed, mut copies, mut loose) = (Vec::new(), Vec::new(), Vec::new());
    for message in sorted {
        match (message.kind, message.identifier.as_deref().map(key).filter(|key| !key.is_empty())) {
            (Kind::Anomaly, _) => loose.push(message),
            (Kind::Copy, _) => copies.push(message),
            (_, None) => unnamed.push(message),
            (_, Some(identifier)) => {
                for msgid in msgids(message) {
                    by_msgid.entry(msgid).or_default().insert((true, identifier.clone()));
                }
                groups.entry((true, identifier)).or_default().push(message);
            }
        }
    }
    // Only where there is no identifier does the client's message id tell the transaction, and only when it tells one.
    let named = by_msgid.clone();
    for message in unnamed {
        let known: BTreeSet<_> =
            msgids(message).iter().filter_map(|msgid| named.get(msgid)).flatten().cloned().collect();
        let of_its_own = msgids(message).first().map(|msgid| (false, msgid.clone()));
        let found = match known.len() {
            0 => of_its_own,
            1 => known.first().cloned(),
            _ => None,
        };
        match found {
            Some(group) => {
                for msgid in msgids(message) {
                    by_msgid.entry(msgid).or_default().insert(group.clone());
                }
                groups.entry(group).or_default().push(message);
            }
            None => loose.push(message),
        }
    }
    // What a client sent again under the same message id is two transactions, and the copy is a copy of both.
    let transactions = by_msgid;
    for message in copies {
        let known: BTreeSet<_> =
            msgids(message).iter().filter_map(|msgid| transactions.get(msgid)).flatten().cloned().collect();
        match (known.is_empty(), msgids(message).first()) {
            (false, _) => known.into_iter().for_each(|group| groups.entry(group).or_default().push(message)),
            (true, Some(msgid)) => groups.entry((false, msgid.clone())).or_default().push(message),
            (true, None) => loose.push(message),
        }
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.iter_mut().for_each(|group| group.sort_by_cached_key(|message| message.order()));
    loose.sort_by_cached_key(|message| message.order());
    (groups, loose)
}

fn msgids(message: &Message) -> Vec<String> {
    let mut found: Vec<String> = message.msgids.iter().map(|msgid| key(msgid)).filter(|key| !key.is_empty()).collect();
    found.sort();
    found.dedup();
    found
}
