use super::*;

fn id(n: u128) -> DocumentId {
    DocumentId(uuid::Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0000 | n))
}

fn at(minute: i64) -> Option<Timestamp> {
    Timestamp::from_second(1_795_341_600 + minute * 60).ok()
}

fn invoice(n: u128, base: &str) -> Invoice {
    let base = Some(base.to_owned()).filter(|base| !base.is_empty());
    Invoice { document: id(n), sha256: Sha256::of(&n.to_be_bytes()), file_base: base, sdi_identifier: None }
}

fn notification(n: u128, kind: &str, sdi: &str, base: &str) -> Notification {
    let said = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let (kind, outcome) = kind.split_once(':').map_or((kind, None), |(kind, outcome)| (kind, said(outcome)));
    Notification {
        document: id(n),
        kind: kind.to_owned(),
        sdi_identifier: said(sdi),
        file_base: said(base),
        file_sha256: None,
        pec_message_id: None,
        instant: at(n as i64),
        outcome,
        reference: None,
    }
}

fn state_of(kinds: &[&str]) -> (State, Vec<&'static str>) {
    let all: Vec<Notification> =
        kinds.iter().enumerate().map(|(n, kind)| notification(10 + n as u128, kind, "77", "IT01_A")).collect();
    let found = exchanges(&[invoice(1, "IT01_A")], &all, &BTreeSet::new());
    assert_eq!(found.len(), 1, "{kinds:?}");
    (found[0].state, found[0].findings.iter().map(|f| f.code.as_str()).collect())
}

#[test]
fn every_way_through_the_life_of_an_invoice_file() {
    let table: &[(&[&str], State, usize)] = &[
        (&[], State::Unknown, 0),
        (&["MT"], State::Sent, 0),
        (&["NS"], State::Rejected, 0),
        (&["RC"], State::Delivered, 0),
        (&["MT", "RC"], State::Delivered, 0),
        (&["MC"], State::Undelivered, 0),
        (&["MC", "RC"], State::Delivered, 0),
        (&["MC", "AT"], State::Attested, 0),
        (&["RC", "NE:EC01"], State::Accepted, 0),
        (&["RC", "NE:EC02"], State::Refused, 0),
        (&["MT", "EC:EC01"], State::Accepted, 0),
        (&["MT", "EC:EC02", "SE"], State::Sent, 0),
        (&["MT", "EC:EC02", "SE", "EC:EC01"], State::Accepted, 0),
        (&["RC", "DT"], State::Expired, 0),
        // What cannot both be true.
        (&["NS", "RC"], State::Rejected, 1),
        (&["RC", "AT"], State::Attested, 1),
        (&["RC", "NE:EC01", "NE:EC02"], State::Refused, 1),
        (&["RC", "NE:EC01", "DT"], State::Accepted, 1),
        // Said in no known way.
        (&["RC", "NE:EC09"], State::Delivered, 0),
    ];
    for (kinds, state, contradictions) in table {
        assert_eq!(state_of(kinds), (*state, vec!["sdi/contradiction"; *contradictions]), "{kinds:?}");
        // Whatever came first.
        let mut reversed = kinds.to_vec();
        reversed.reverse();
        if !kinds.contains(&"SE") {
            assert_eq!(state_of(&reversed).0, *state, "{reversed:?}");
        }
    }
}

#[test]
fn identifier_name_and_digest_each_tie_and_carry_on() {
    let mut by_hash = notification(12, "RC", "77", "");
    by_hash.file_sha256 = Some(Sha256::of(&1u128.to_be_bytes()).to_string().to_uppercase());
    // EC has neither name nor digest: it comes along by the identifier that RC tells.
    let outcome = notification(13, "EC:EC01", "77", "");
    let found = exchanges(&[invoice(1, "")], &[outcome.clone(), by_hash], &BTreeSet::new());
    assert_eq!((found.len(), found[0].state, found[0].courses.len()), (1, State::Accepted, 1));
    assert_eq!(found[0].courses[0].steps[0].hash, Compared::Match);
    let apart =
        exchanges(&[invoice(1, "IT01_A")], &[notification(14, "RC", "78", "IT01_B"), outcome], &BTreeSet::new());
    assert_eq!(apart.len(), 3);
}

#[test]
fn a_notification_alone_says_what_it_says() {
    let found = exchanges(&[], &[notification(10, "RC", "77", "it01_a")], &BTreeSet::new());
    assert_eq!((found[0].state, found[0].invoices.len(), found[0].issued), (State::Delivered, 0, Some(true)));
    assert_eq!(found[0].file_base.as_deref(), Some("IT01_A"));
    assert_eq!(found[0].courses[0].steps[0].name, Compared::NotHeld);
}

#[test]
fn the_second_sending_of_a_name_is_a_course_of_its_own() {
    let all = [notification(10, "RC", "77", "IT01_A"), notification(11, "NS", "78", "IT01_A")];
    let found = exchanges(&[invoice(1, "IT01_A")], &all, &BTreeSet::new());
    assert_eq!((found.len(), found[0].state, found[0].courses.len()), (1, State::Delivered, 2));
    assert!(found[0].findings.is_empty(), "{:?}", found[0].findings);
}

#[test]
fn what_does_not_match_is_said() {
    let mut wrong = notification(10, "RC", "77", "IT01_B");
    wrong.file_sha256 = Some("00".repeat(32));
    wrong.pec_message_id = Some("OPEC1@pec.example".into());
    let mut held = invoice(1, "IT01_A");
    held.sdi_identifier = Some("77".into());
    let pec = BTreeSet::from(["opec1@pec.example".to_owned()]);
    let found = exchanges(std::slice::from_ref(&held), std::slice::from_ref(&wrong), &pec);
    let step = &found[0].courses[0].steps[0];
    assert_eq!((step.name, step.hash, step.pec), (Compared::Mismatch, Compared::Mismatch, Compared::Match));
    let codes: Vec<_> = found[0].findings.iter().map(|f| f.code.as_str()).collect();
    assert_eq!(codes, ["sdi/hash-mismatch", "sdi/name-mismatch"]);
    let unheld = exchanges(&[held], &[wrong], &BTreeSet::new());
    assert_eq!(unheld[0].courses[0].steps[0].pec, Compared::NotHeld);
}

#[test]
fn a_lot_may_be_accepted_in_part() {
    let mut one = notification(10, "NE:EC01", "77", "IT01_A");
    one.reference = Some("1/2026".into());
    let mut other = notification(11, "NE:EC02", "77", "IT01_A");
    other.reference = Some("2/2026".into());
    let found = exchanges(&[], &[other, one], &BTreeSet::new());
    assert_eq!((found[0].state, found[0].findings.len()), (State::Partly, 0));
}
