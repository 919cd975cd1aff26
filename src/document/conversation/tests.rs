use proptest::prelude::*;

use super::*;

const SENT: i64 = 1_795_341_600;

fn id(n: u8) -> DocumentId {
    DocumentId(uuid::Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0000 | u128::from(n)))
}

fn hours(h: f64) -> Timestamp {
    Timestamp::from_second(SENT + (h * 3600.0) as i64).unwrap()
}

/// A message of the transaction `opec1@pec.example` to `a`, `b` (certified) and `x` (esterno).
fn message(n: u8, kind: Kind, at: f64) -> Message {
    let recipient = |name: &str, certified| Addressee { address: format!("{name}@pec.example"), certified };
    Message {
        document: id(n),
        sha256: Sha256::of(&[n]),
        kind,
        proof: Proof::Trusted,
        verdict: Some("valid".into()),
        identifier: Some("opec1@pec.example".into()),
        msgids: vec!["m1@client.example".into()],
        instant: Some(hours(at)),
        sender: Some("s@pec.example".into()),
        recipients: vec![recipient("a", true), recipient("b", true), recipient("x", false)],
        about: None,
        error_detail: None,
        outgoing: None,
        brief: None,
        files: None,
    }
}

fn about(n: u8, kind: Kind, at: f64, who: &str) -> Message {
    Message { about: Some(who.to_owned()), ..message(n, kind, at) }
}

fn copy(n: u8) -> Message {
    Message { identifier: None, recipients: Vec::new(), ..message(n, Kind::Copy, -0.01) }
}

fn judged(messages: &[Message], at: f64) -> Conversation {
    judge(messages, Terms::default(), hours(at))
}

/// The only transaction: its state, its recipients' states, the codes of its findings.
fn told(messages: &[Message], at: f64) -> (&'static str, Vec<&'static str>, Vec<String>) {
    let conversation = judged(messages, at);
    assert_eq!(conversation.transactions.len(), 1, "{conversation:#?}");
    let one = &conversation.transactions[0];
    let codes = one.findings.iter().map(|f| f.code.as_str().trim_start_matches("conversation/").to_owned()).collect();
    (one.state.as_str(), one.recipients.iter().map(|r| r.state.as_str()).collect(), codes)
}

const A: &str = "A@PEC.example";
const B: &str = "b@pec.example";

#[test]
fn the_expected_set_of_section_8() {
    use Kind::*;
    let ok = || message(1, Acceptance, 0.0);
    let to = |n, who| about(n, Delivery, 0.1, who);
    type Row = (&'static str, Vec<Message>, f64, &'static str, [&'static str; 3], Vec<&'static str>);
    let table: Vec<Row> = vec![
        (
            "whole",
            vec![ok(), to(2, A), to(3, B)],
            100.0,
            "accepted",
            ["delivered", "delivered", "not-expected"],
            vec![],
        ),
        ("fresh", vec![ok()], 1.0, "accepted", ["accepted", "accepted", "not-expected"], vec![]),
        ("twelve hours", vec![ok(), to(2, A)], 12.0, "accepted", ["delivered", "late", "not-expected"], vec![]),
        ("a day", vec![ok(), to(2, A)], 24.0, "accepted", ["delivered", "missing", "not-expected"], vec![]),
        (
            "12 h notice",
            vec![ok(), to(2, A), about(3, Delay, 12.02, B)],
            13.0,
            "accepted",
            ["delivered", "late", "not-expected"],
            vec![],
        ),
        (
            "12 h notice, then nothing",
            vec![ok(), to(2, A), about(3, Delay, 12.02, B)],
            25.0,
            "accepted",
            ["delivered", "missing", "not-expected"],
            vec![],
        ),
        (
            "24 h notice is final",
            vec![ok(), to(2, A), about(3, Delay, 12.02, B), about(4, Delay, 23.0, B)],
            48.0,
            "accepted",
            ["delivered", "failed", "not-expected"],
            vec![],
        ),
        (
            "no mailbox",
            vec![ok(), to(2, A), about(3, NonDelivery, 0.1, B)],
            48.0,
            "accepted",
            ["delivered", "failed", "not-expected"],
            vec![],
        ),
        (
            "both",
            vec![ok(), to(2, A), about(3, NonDelivery, 0.1, A), to(4, B)],
            1.0,
            "accepted",
            ["contradictory", "delivered", "not-expected"],
            vec!["contradiction"],
        ),
        (
            "delivered after the end",
            vec![ok(), to(2, A), to(5, B), about(4, Delay, 23.0, B)],
            48.0,
            "accepted",
            ["delivered", "contradictory", "not-expected"],
            vec!["contradiction"],
        ),
        (
            "twice",
            vec![ok(), to(2, A), to(3, A), to(4, B)],
            1.0,
            "accepted",
            ["delivered", "delivered", "not-expected"],
            vec!["duplicate"],
        ),
        (
            "failed twice",
            vec![ok(), to(2, A), about(3, NonDelivery, 0.1, B), about(4, NonDelivery, 0.2, B)],
            1.0,
            "accepted",
            ["delivered", "failed", "not-expected"],
            vec!["duplicate"],
        ),
        (
            "accepted twice",
            vec![ok(), message(9, Acceptance, 0.001), to(2, A), to(3, B)],
            1.0,
            "accepted",
            ["delivered", "delivered", "not-expected"],
            vec!["duplicate"],
        ),
        (
            "esterno answers",
            vec![ok(), to(2, A), to(3, B), to(4, "x@pec.example")],
            1.0,
            "accepted",
            ["delivered", "delivered", "not-expected"],
            vec!["stranger"],
        ),
        (
            "before acceptance",
            vec![ok(), about(2, Delivery, -0.1, A), to(3, B)],
            1.0,
            "accepted",
            ["delivered", "delivered", "not-expected"],
            vec!["before-acceptance"],
        ),
        (
            "acceptance missing",
            vec![to(2, A), to(3, B)],
            1.0,
            "acceptance-missing",
            ["delivered", "delivered", "not-expected"],
            vec!["acceptance-missing"],
        ),
        (
            "refused",
            vec![message(1, NonAcceptance, 0.0)],
            48.0,
            "not-accepted",
            ["not-sent", "not-sent", "not-expected"],
            vec![],
        ),
        (
            "refused and accepted",
            vec![ok(), message(2, NonAcceptance, 0.0), to(3, A), to(4, B)],
            1.0,
            "contradictory",
            ["delivered", "delivered", "not-expected"],
            vec!["contradiction"],
        ),
        (
            "refused and delivered",
            vec![message(1, NonAcceptance, 0.0), to(3, A), to(4, B)],
            1.0,
            "not-accepted",
            ["delivered", "delivered", "not-expected"],
            vec!["contradiction"],
        ),
        (
            "an envelope received",
            vec![Message { outgoing: Some(false), ..message(1, Envelope, 0.0) }],
            48.0,
            "received",
            ["unknown", "unknown", "not-expected"],
            vec![],
        ),
        (
            "an envelope of nobody knows whom",
            vec![message(1, Envelope, 0.0)],
            48.0,
            "unknown",
            ["unknown", "unknown", "not-expected"],
            vec![],
        ),
        (
            "an envelope sent",
            vec![Message { outgoing: Some(true), ..message(1, Envelope, 0.0) }],
            1.0,
            "submitted",
            ["unknown", "unknown", "not-expected"],
            vec![],
        ),
        (
            "an envelope sent, unanswered",
            vec![Message { outgoing: Some(true), ..message(1, Envelope, 0.0) }],
            24.0,
            "acceptance-missing",
            ["missing", "missing", "not-expected"],
            vec!["acceptance-missing"],
        ),
        (
            "taken in charge only",
            vec![ok(), message(2, TakenInCharge, 0.05), message(3, VirusDetected, 0.06)],
            1.0,
            "accepted",
            ["accepted", "accepted", "not-expected"],
            vec![],
        ),
    ];
    for (name, messages, at, state, recipients, codes) in table {
        assert_eq!(
            told(&messages, at),
            (state, recipients.to_vec(), codes.iter().map(|c| (*c).to_owned()).collect()),
            "{name}"
        );
    }
}

#[test]
fn an_outcome_for_a_stranger_is_shown_and_said() {
    let (_, recipients, codes) =
        told(&[message(1, Kind::Acceptance, 0.0), about(2, Kind::Delivery, 0.1, "nobody@pec.example")], 1.0);
    assert_eq!(recipients, ["accepted", "accepted", "not-expected", "stranger"]);
    assert_eq!(codes, ["stranger"]);
    // An empty `consegna` among several recipients says nothing about any of them.
    let (_, recipients, codes) = told(&[message(1, Kind::Acceptance, 0.0), message(2, Kind::Delivery, 0.1)], 1.0);
    assert_eq!((recipients.len(), codes), (3, vec!["stranger".to_owned()]));
}

#[test]
fn what_nobody_believed_has_signed_decides_nothing_and_silences_no_alarm() {
    use Kind::*;
    let as_proof = |proof: Proof, message: Message| Message { proof, ..message };
    for (proof, code) in [
        (Proof::Unsigned, "unsigned"),
        (Proof::Invalid, "signature-invalid"),
        (Proof::Untrusted, "untrusted"),
        (Proof::Unverified, "untrusted"),
    ] {
        let delivery = || as_proof(proof, about(2, Delivery, 0.1, A));
        // Forged for a message whose outcome is missing: it is still missing.
        let messages = [message(1, Acceptance, 0.0), delivery(), about(3, Delivery, 0.1, B)];
        let found = judged(&messages, 72.0).transactions.remove(0);
        let states: Vec<_> =
            found.recipients.iter().map(|r| (r.state.as_str(), r.proof.is_some(), r.documents.len())).collect();
        assert_eq!(states, [("missing", false, 1), ("delivered", true, 1), ("not-expected", false, 0)], "{proof:?}");
        assert_eq!(found.overdue_since, Some(hours(24.0)));
        let said: Vec<_> = found.findings.iter().map(|f| (f.code.as_str(), f.place.clone())).collect();
        assert_eq!(said, [(format!("conversation/{code}").as_str(), id(2).to_string())]);
        for placed in &found.messages {
            let expected = if placed.document == id(2) { (proof, false) } else { (Proof::Trusted, true) };
            assert_eq!((placed.proof, placed.counts), expected);
        }
        // Neither a non-delivery nor an acceptance of nobody's moves what is proved, whatever dates they bear.
        let far = as_proof(proof, message(4, Acceptance, 900.0));
        let failed = as_proof(proof, about(5, NonDelivery, 0.2, B));
        let refused = as_proof(proof, message(6, NonAcceptance, -9.0));
        let mut stranger = as_proof(proof, message(7, Envelope, -99.0));
        stranger.recipients.clear();
        let more = [messages.to_vec(), vec![far, failed, refused, stranger]].concat();
        let again = judged(&more, 72.0).transactions.remove(0);
        assert_eq!((again.state, again.started_at), (Transmission::Accepted, found.started_at));
        let states: Vec<_> = again.recipients.iter().map(|r| r.state.as_str()).collect();
        assert_eq!(states, ["missing", "delivered", "not-expected"]);
        // Alone, it is shown, and it is as if no receipt had come.
        let alone = [as_proof(proof, message(1, Acceptance, 0.0)), delivery()];
        let found = judged(&alone, 72.0).transactions.remove(0);
        assert_eq!(
            (found.state, found.recipients[0].state),
            (Transmission::AcceptanceMissing, super::Delivery::Missing)
        );
        assert_eq!((found.direction, found.overdue_since, found.proof), (Direction::Sent, Some(hours(24.0)), None));
        // To whom the envelope only came, nothing is owed for the sake of a forged receipt.
        let received = [Message { outgoing: Some(false), ..message(3, Envelope, 0.0) }, delivery()];
        assert_eq!(judged(&received, 72.0).transactions[0].direction, Direction::Received);
    }
}

#[test]
fn without_anchors_receipts_count_and_it_is_said() {
    let unanchored = |message: Message| Message { proof: Proof::Unanchored, ..message };
    let messages = [
        unanchored(message(1, Kind::Acceptance, 0.0)),
        unanchored(about(2, Kind::Delivery, 0.1, A)),
        about(3, Kind::Delivery, 0.1, B),
    ];
    let found = judged(&messages, 72.0).transactions.remove(0);
    assert_eq!((found.proof, found.recipients[0].proof), (Some(Proof::Unanchored), Some(Proof::Unanchored)));
    assert_eq!((found.recipients[0].state, found.recipients[1].proof), (Delivery::Delivered, Some(Proof::Trusted)));
    assert!(found.findings.is_empty() && found.messages.iter().all(|m| m.counts));
}

#[test]
fn both_delay_notices_have_one_kind_and_are_told_apart_without_the_acceptance_too() {
    let text = |n, at, said: &str| Message { error_detail: Some(said.to_owned()), ..about(n, Kind::Delay, at, A) };
    let first = text(2, 12.0, "5.4.1 - gestore - non consegnato nelle prime dodici ore");
    let last = text(3, 23.0, "5.4.1 - gestore - non consegnato nelle prime ventiquattro ore");
    let states = |messages: &[Message]| judged(messages, 20.0).transactions[0].recipients[0].state;
    assert_eq!(states(std::slice::from_ref(&last)), Delivery::Failed);
    assert_ne!(states(std::slice::from_ref(&first)), Delivery::Failed);
    let silent = |n, at| about(n, Kind::Delay, at, A);
    assert_eq!(states(&[silent(2, 12.0), silent(3, 23.0)]), Delivery::Failed);
}

#[test]
fn the_same_bytes_twice_are_one_receipt() {
    let receipt = about(2, Kind::Delivery, 0.1, A);
    let again = Message { document: id(8), ..receipt.clone() };
    let other = about(3, Kind::Delivery, 0.1, B);
    let found = judged(&[message(1, Kind::Acceptance, 0.0), receipt, again, other], 1.0);
    assert!(found.transactions[0].findings.is_empty());
    assert_eq!(found.transactions[0].recipients[0].documents.len(), 2);
}

#[test]
fn what_a_client_sends_again_is_two_transactions_with_one_copy() {
    let again = Message { identifier: Some("opec2@pec.example".into()), ..message(5, Kind::Acceptance, 2.0) };
    let found = judged(&[again, copy(9), message(1, Kind::Acceptance, 0.0)], 3.0);
    assert_eq!(found.transactions.len(), 2);
    assert_eq!(found.transactions[0].identifier.as_deref(), Some("opec1@pec.example"));
    for one in &found.transactions {
        assert_eq!(one.messages[0].document, id(9), "{one:#?}");
    }
    // A receipt that lacks its identifier could be of either: it is of neither.
    let unnamed = Message { identifier: None, ..about(6, Kind::Delivery, 2.1, A) };
    let again = Message { identifier: Some("opec2@pec.example".into()), ..message(5, Kind::Acceptance, 2.0) };
    let found = judged(&[again, message(1, Kind::Acceptance, 0.0), unnamed.clone()], 3.0);
    assert_eq!(found.loose.iter().map(|p| p.document).collect::<Vec<_>>(), [id(6)]);
    // With one transaction only, it is of that one.
    let found = judged(&[message(1, Kind::Acceptance, 0.0), unnamed], 3.0);
    assert_eq!((found.transactions.len(), found.loose.len()), (1, 0));
}

#[test]
fn identifiers_that_differ_in_case_are_one_and_it_is_said() {
    let shouted = Message { identifier: Some(" <OPEC1@PEC.EXAMPLE> ".into()), ..about(2, Kind::Delivery, 0.1, A) };
    let (_, recipients, codes) = told(&[message(1, Kind::Acceptance, 0.0), shouted], 1.0);
    assert_eq!((recipients[0], codes), ("delivered", vec!["case".to_owned()]));
}

#[test]
fn recipients_that_differ_are_said() {
    let mut fewer = about(2, Kind::Delivery, 0.1, A);
    fewer.recipients.pop();
    let (_, _, codes) = told(&[message(1, Kind::Acceptance, 0.0), fewer], 1.0);
    assert_eq!(codes, ["recipients-differ"]);
}

#[test]
fn the_hashes_of_a_brief_receipt_are_held_against_the_original() {
    // `hash hash=name`; without a hash, one that is not readable.
    let files = |list: &[&str]| {
        let one = |text: &&str| {
            let (hashes, name) = text.split_once('=').unwrap_or((text, ""));
            Attached { hashes: hashes.split_whitespace().map(str::to_owned).collect(), name: name.to_owned() }
        };
        Some(list.iter().map(one).collect::<Vec<_>>())
    };
    let receipt = |hashes: &[&str]| Message { brief: files(hashes), ..about(2, Kind::Delivery, 0.1, A) };
    let with = |one: Message, list: &[&str]| Message { files: files(list), ..one };
    let envelope = |list: &[&str]| with(message(3, Kind::Envelope, 0.0), list);
    let sent = |n, list: &[&str]| with(copy(n), list);
    let forged = |list: &[&str]| Message { proof: Proof::Unsigned, ..envelope(list) };
    let ok = || message(1, Kind::Acceptance, 0.0);
    let both = ["x x2=a.pdf", "y y2=b.pdf"];
    for (held, hashes, expected) in [
        (vec![], &["x"][..], Some(Brief::NotHeld)),
        (vec![copy(4)], &["x"], Some(Brief::NotHeld)),
        (vec![], &[], None),
        (vec![sent(4, &[])], &[], None),
        (vec![sent(4, &both)], &["x2=a.pdf", "y=b.pdf"], Some(Brief::Match)),
        // A name that is nobody's says nothing; one that is another's does.
        (vec![sent(4, &both)], &["x=a_1.pdf", "y=b.pdf"], Some(Brief::Match)),
        (vec![sent(4, &both)], &["y=a.pdf", "x=b.pdf"], Some(Brief::Mismatch)),
        (vec![sent(4, &["x=a.pdf", "y=a.pdf"])], &["y=a.pdf", "x=a.pdf"], Some(Brief::Match)),
        // A file without a hash is not certified.
        (vec![sent(4, &both)], &["y=b.pdf"], Some(Brief::Partial)),
        (vec![sent(4, &both)], &["x=a.pdf", "=b.pdf"], Some(Brief::Partial)),
        (vec![sent(4, &both)], &[], Some(Brief::Partial)),
        (vec![sent(4, &["x=a.pdf"])], &["x=a.pdf", "y=b.pdf"], Some(Brief::Mismatch)),
        (vec![sent(4, &[])], &["x"], Some(Brief::Mismatch)),
        (vec![sent(4, &["z"]), sent(5, &["x"])], &["x"], Some(Brief::Match)),
        // What a provider signed counts before what somebody says to have sent, or to have had signed.
        (vec![envelope(&["x"]), sent(4, &["z"])], &["z"], Some(Brief::Mismatch)),
        (vec![forged(&["x"]), sent(4, &["z"])], &["z"], Some(Brief::Match)),
    ] {
        let mut messages = vec![receipt(hashes), ok()];
        messages.extend(held);
        for _ in 0..messages.len() {
            messages.rotate_left(1);
            let found = judged(&messages, 1.0).transactions.remove(0);
            let placed = found.messages.iter().find(|m| m.kind == Kind::Delivery).unwrap();
            assert_eq!(placed.hashes, expected, "{messages:?}");
            let said = |code| found.findings.iter().filter(|f| f.code == code).count();
            assert_eq!(said(crate::error::Code::ConversationBreve), usize::from(expected == Some(Brief::Mismatch)));
            assert_eq!(said(crate::error::Code::ConversationBrevePart), usize::from(expected == Some(Brief::Partial)));
        }
    }
    // Of any other receipt it is not asked.
    let found = judged(&[ok(), about(2, Kind::Delivery, 0.1, A), sent(4, &both)], 1.0).transactions.remove(0);
    assert!(found.messages.iter().all(|m| m.hashes.is_none()) && found.findings.is_empty());
}

#[test]
fn only_what_was_sent_and_is_past_its_time_is_overdue() {
    let overdue = |messages: &[Message], at: f64| judged(messages, at).transactions[0].overdue_since;
    let accepted = [message(1, Kind::Acceptance, 0.0), about(2, Kind::Delivery, 0.1, A)];
    assert_eq!(overdue(&accepted, 23.9), None);
    assert_eq!(overdue(&accepted, 24.0), Some(hours(24.0)));
    assert_eq!(overdue(&[message(1, Kind::Envelope, 0.0)], 48.0), None);
    assert_eq!(overdue(&[about(2, Kind::Delivery, 0.1, A), about(3, Kind::Delivery, 0.1, B)], 1.0), None);
    assert!(overdue(&[about(2, Kind::Delivery, 0.1, A), about(3, Kind::Delivery, 0.1, B)], 48.0).is_some());
}

#[test]
fn no_finding_holds_an_address_or_an_identifier() {
    let mut odd = about(2, Kind::Delivery, -0.1, "nobody@pec.example");
    odd.recipients.pop();
    let both = [about(3, Kind::Delivery, 0.1, A), about(4, Kind::NonDelivery, 0.1, A)];
    let found = judged(&[vec![odd, message(1, Kind::Acceptance, 0.0)], both.to_vec()].concat(), 48.0);
    for finding in &found.transactions[0].findings {
        let text = format!("{}{}", finding.place, finding.message);
        assert!(!text.contains('@') && !text.contains("opec1"), "{text}");
    }
    assert!(found.transactions[0].findings.len() >= 4);
}

fn any_message() -> impl Strategy<Value = (Kind, u8, u8, Option<u8>, i8)> {
    let kind = proptest::sample::select(&[
        Kind::Copy,
        Kind::Acceptance,
        Kind::NonAcceptance,
        Kind::Envelope,
        Kind::TakenInCharge,
        Kind::Delivery,
        Kind::NonDelivery,
        Kind::Delay,
        Kind::Anomaly,
    ]);
    (kind, 0u8..4, 0u8..3, proptest::option::of(0u8..4), -2i8..30)
}

proptest! {
    /// Any order of arrival gives the same state, to the last field.
    #[test]
    fn whatever_came_first(made in proptest::collection::vec(any_message(), 0..14), seed in any::<u64>(), at in 0u8..40) {
        let messages: Vec<Message> = made
            .into_iter()
            .enumerate()
            .map(|(n, (kind, identifier, msgid, who, hour))| {
                let mut one = message(n as u8, kind, f64::from(hour));
                // Some lack an identifier, some write it in capitals, some have the bytes of another.
                one.identifier = [None, Some("opec1@x"), Some("OPEC1@X"), Some("opec2@x")][usize::from(identifier)].map(str::to_owned);
                one.msgids = if msgid == 0 { Vec::new() } else { vec![format!("<m{msgid}@x>")] };
                one.about = who.map(|who| ["a@pec.example", "B@pec.example", "x@pec.example", "z@pec.example"][usize::from(who)].to_owned());
                one.sha256 = Sha256::of(&[n as u8 / 2, kind as u8]);
                one
            })
            .collect();
        let mut shuffled = messages.clone();
        let mut state = seed;
        for n in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            shuffled.swap(n, (state >> 33) as usize % (n + 1));
        }
        prop_assert_eq!(judged(&messages, f64::from(at)), judged(&shuffled, f64::from(at)));
    }
}
