//! The state machine of one transmission (`reference/fatturapa` section 8.4), as a function of the set of its
//! notifications: what SdI says last counts, and what cannot both be true is a finding.

use std::collections::{BTreeMap, BTreeSet};

use super::{Notification, State};
use crate::error::{Code, Finding};

/// Pairs that cannot both be true of one transmission.
const EXCLUSIVE: [(&str, &str); 9] = [
    ("NS", "RC"),
    ("NS", "MC"),
    ("NS", "NE"),
    ("NS", "DT"),
    ("NS", "AT"),
    ("NS", "MT"),
    ("RC", "AT"),
    ("AT", "NE"),
    ("NE", "DT"),
];

/// Where these notifications, in time, leave the file.
pub(super) fn state(notifications: &[&Notification], findings: &mut Vec<Finding>) -> State {
    let kinds: BTreeSet<&str> = notifications.iter().map(|one| one.kind.as_str()).collect();
    let mut contradicts = |detail: &str| {
        findings.push(Finding::warning(Code::ExchangeContradicts, "notifications", detail));
    };
    for (one, other) in EXCLUSIVE {
        if kinds.contains(one) && kinds.contains(other) {
            contradicts(&format!("{one} and {other}"));
        }
    }
    let (outcome, clash) = outcome(notifications);
    if clash {
        contradicts("EC01 and EC02");
    }
    if kinds.contains("NS") {
        return State::Rejected;
    }
    let reached =
        [("DT", State::Expired), ("AT", State::Attested), ("RC", State::Delivered), ("MC", State::Undelivered)];
    let reached = reached.into_iter().find(|(kind, _)| kinds.contains(kind)).map(|(_, state)| state);
    let taken_in = || if kinds.is_empty() { State::Unknown } else { State::Sent };
    outcome.or(reached).unwrap_or_else(taken_in)
}

/// What the public body answered, and whether it answered one invoice in two ways. NE is what SdI passed on and counts;
/// EC counts while no SE turned it down.
fn outcome(notifications: &[&Notification]) -> (Option<State>, bool) {
    let of = |kind: &'static str| notifications.iter().filter(move |one| one.kind == kind);
    let passed_on: Vec<_> = of("NE").collect();
    let counting: Vec<_> = if passed_on.is_empty() {
        let given: Vec<_> = of("EC").collect();
        let turned_down = of("SE").count();
        // One SE turns down one EC, the earlier ones first: the public body corrects itself.
        given.into_iter().skip(turned_down).collect()
    } else {
        passed_on
    };
    let mut answers: BTreeMap<&str, BTreeSet<State>> = BTreeMap::new();
    for one in counting {
        let state = match one.outcome.as_deref().map(str::trim) {
            Some("EC01") => State::Accepted,
            Some("EC02") => State::Refused,
            _ => continue,
        };
        answers.entry(one.reference.as_deref().unwrap_or_default()).or_default().insert(state);
    }
    let clash = answers.values().any(|states| states.len() > 1);
    let all: BTreeSet<State> = answers.into_values().flatten().collect();
    let state = match (all.first(), all.len()) {
        (Some(only), 1) => Some(*only),
        // Said of one and the same invoice it is a contradiction; refusal is the graver of the two.
        (Some(_), _) if clash => Some(State::Refused),
        (Some(_), _) => Some(State::Partly),
        (None, _) => None,
    };
    (state, clash)
}
