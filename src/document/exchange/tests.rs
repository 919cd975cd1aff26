use super::*;

fn id(n: u128) -> DocumentId {
    DocumentId(uuid::Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0000 | n))
}

fn at(minute: i64) -> Option<Timestamp> {
    Timestamp::from_second(1_795_341_600 + minute * 60).ok()
}

fn invoice(n: u128, base: &str) -> Invoice {
    let base = Some(base.to_owned()).filter(|base| !base.is_empty());
    Invoice {
        document: id(n),
        carried: false,
        sha256: Sha256::of(&n.to_be_bytes()),
        file_base: base,
        sdi_identifier: None,
        says: None,
    }
}

fn notification(n: u128, kind: &str, sdi: &str, base: &str) -> Notification {
    let said = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let (kind, outcome) = kind.split_once(':').map_or((kind, None), |(kind, outcome)| (kind, said(outcome)));
    Notification {
        document: id(n),
        kind: kind.to_owned(),
        proof: Proof::Trusted,
        verdict: Some("valid".into()),
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
        kinds.iter().enumerate().map(|(n, kind)| notification(10 + n as u128, kind, "77", "IT01234567890_A")).collect();
    let found = exchanges(&[invoice(1, "IT01234567890_A")], &all, &BTreeSet::new());
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
    let apart = exchanges(
        &[invoice(1, "IT01234567890_A")],
        &[notification(14, "RC", "78", "IT01234567890_B"), outcome],
        &BTreeSet::new(),
    );
    assert_eq!(apart.len(), 3);
}

#[test]
fn a_notification_alone_says_what_it_says() {
    let found = exchanges(&[], &[notification(10, "RC", "77", "it01234567890_a")], &BTreeSet::new());
    assert_eq!((found[0].state, found[0].invoices.len(), found[0].issued), (State::Delivered, 0, Some(true)));
    assert_eq!(found[0].file_base.as_deref(), Some("IT01234567890_A"));
    assert_eq!(found[0].courses[0].steps[0].name, Compared::NotHeld);
}

#[test]
fn the_second_sending_of_a_name_is_a_course_of_its_own() {
    let all = [notification(10, "RC", "77", "IT01234567890_A"), notification(11, "NS", "78", "IT01234567890_A")];
    let found = exchanges(&[invoice(1, "IT01234567890_A")], &all, &BTreeSet::new());
    assert_eq!((found.len(), found[0].state, found[0].courses.len()), (1, State::Delivered, 2));
    assert!(found[0].findings.is_empty(), "{:?}", found[0].findings);
}

#[test]
fn what_does_not_match_is_said() {
    let mut wrong = notification(10, "RC", "77", "IT01234567890_B");
    wrong.file_sha256 = Some("00".repeat(32));
    wrong.pec_message_id = Some("OPEC1@pec.example".into());
    let mut held = invoice(1, "IT01234567890_A");
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
    let mut one = notification(10, "NE:EC01", "77", "IT01234567890_A");
    one.reference = Some("1/2026".into());
    let mut other = notification(11, "NE:EC02", "77", "IT01234567890_A");
    other.reference = Some("2/2026".into());
    let found = exchanges(&[], &[other, one], &BTreeSet::new());
    assert_eq!((found[0].state, found[0].findings.len()), (State::Partly, 0));
}

fn with_hash(n: u128, kind: &str, sdi: &str, base: &str, of: u128) -> Notification {
    Notification { file_sha256: Some(Sha256::of(&of.to_be_bytes()).to_string()), ..notification(n, kind, sdi, base) }
}

/// Of each file: its documents, its state, how many notifications it has, what is found of it.
fn files(invoices: &[Invoice], all: &[Notification]) -> Vec<(Vec<DocumentId>, State, usize, Vec<&'static str>)> {
    let found = exchanges(invoices, all, &BTreeSet::new());
    let one = |file: Exchange| {
        let steps = file.courses.iter().map(|course| course.steps.len()).sum();
        (file.invoices, file.state, steps, file.findings.iter().map(|f| f.code.as_str()).collect())
    };
    found.into_iter().map(one).collect()
}

#[test]
fn an_answer_to_one_file_is_none_to_another_of_the_same_name() {
    // Of two suppliers who call their file the same, by no rule.
    let two = [invoice(1, "FATTURA"), invoice(2, "FATTURA")];
    let rejection = with_hash(10, "NS", "9500", "IT01234567890_ZZ1", 1);
    let found = files(&two, std::slice::from_ref(&rejection));
    assert_eq!(found[0], (vec![id(1)], State::Rejected, 1, vec!["sdi/name-mismatch"]));
    assert_eq!(found[1], (vec![id(2)], State::Unknown, 0, vec![]));
    // One name by the rule, held twice with other bytes; what bears the identifier and no digest is of the file the digest told.
    let base = "IT01234567890_A0007";
    let two = [invoice(1, base), invoice(2, base)];
    let all = [
        with_hash(10, "RC", "9007", base, 1),
        notification(11, "NE:EC01", "9007", base),
        notification(12, "EC:EC01", "9007", ""),
    ];
    assert_eq!(
        files(&two, &all),
        [(vec![id(1)], State::Accepted, 3, vec![]), (vec![id(2)], State::Unknown, 0, vec![])]
    );
    // The second of them was answered too.
    let more = [all.to_vec(), vec![with_hash(13, "NS", "9008", base, 2)]].concat();
    let states: Vec<State> = files(&two, &more).into_iter().map(|file| file.1).collect();
    assert_eq!(states, [State::Accepted, State::Rejected]);
    // The same identifier, told with another file's digest by a notification that is not valid.
    let forged = Notification { proof: Proof::Invalid, ..with_hash(14, "NS", "9007", base, 2) };
    let again = files(&two, &[all.to_vec(), vec![forged]].concat());
    assert_eq!(again[0], (vec![id(1)], State::Accepted, 3, vec![]));
    assert_eq!(again[1], (vec![id(2)], State::Unknown, 1, vec!["sdi/signature-invalid"]));
}

#[test]
fn where_only_the_name_is_told_and_it_is_several_files_nothing_is_decided() {
    let base = "IT01234567890_A0007";
    let receipt = [notification(10, "RC", "9007", base)];
    let two = [invoice(1, base), invoice(2, base)];
    for (documents, state, steps, codes) in files(&two, &receipt) {
        assert_eq!((documents.len(), state, steps, codes), (1, State::Unknown, 1, vec!["sdi/ambiguous"]));
    }
    // With and without its signature it is one invoice.
    let says = |n| Invoice { says: Some("IT01|2026-03-10|7".into()), ..invoice(n, base) };
    for (_, state, _, codes) in files(&[says(1), says(2)], &receipt) {
        assert_eq!((state, codes), (State::Delivered, vec![]));
    }
    // The producer told the identifier of one.
    let told = Invoice { sdi_identifier: Some("9007".into()), ..invoice(1, base) };
    let found = files(&[told, invoice(2, base)], &receipt);
    assert_eq!((found[0].1, found[1].1, found[1].2), (State::Delivered, State::Unknown, 0));
}

#[test]
fn what_is_not_signed_is_marked_and_what_is_not_valid_decides_nothing() {
    let base = "IT01234567890_A0001";
    let of = |kind: &str, proof| {
        let one = Notification { proof, ..notification(10, kind, "77", base) };
        exchanges(&[invoice(1, base)], &[one], &BTreeSet::new()).remove(0)
    };
    for (kind, proof, state, mark, codes) in [
        ("RC", Proof::Trusted, State::Delivered, Some(Proof::Trusted), vec![]),
        ("RC", Proof::Unanchored, State::Delivered, Some(Proof::Unanchored), vec![]),
        ("RC", Proof::Untrusted, State::Delivered, Some(Proof::Untrusted), vec![]),
        ("NS", Proof::Unsigned, State::Rejected, Some(Proof::Unsigned), vec!["sdi/not-proved"]),
        ("RC", Proof::Unverified, State::Delivered, Some(Proof::Unverified), vec!["sdi/not-proved"]),
        ("NS", Proof::Invalid, State::Unknown, None, vec!["sdi/signature-invalid"]),
        ("MT", Proof::Unsigned, State::Sent, None, vec![]),
        ("EC:EC01", Proof::Unsigned, State::Accepted, Some(Proof::Unsigned), vec![]),
    ] {
        let found = of(kind, proof);
        let said: Vec<_> = found.findings.iter().map(|f| f.code.as_str()).collect();
        assert_eq!((found.state, found.proof, said), (state, mark, codes), "{kind} {proof:?}");
        assert_eq!(found.courses[0].steps[0].counts, proof != Proof::Invalid);
    }
    assert_eq!(of("NS", Proof::Invalid).issued, None);
}

#[test]
fn a_file_that_a_message_carries_is_held() {
    let carried = Invoice { carried: true, ..invoice(1, "IT01234567890_A") };
    let all = [with_hash(10, "RC", "77", "IT01234567890_A", 1)];
    let found = exchanges(std::slice::from_ref(&carried), &all, &BTreeSet::new()).remove(0);
    assert_eq!((found.invoices.len(), found.carriers.clone()), (0, vec![id(1)]));
    let step = &found.courses[0].steps[0];
    assert_eq!((step.name, step.hash, found.state), (Compared::Match, Compared::Match, State::Delivered));
    // Held by itself too, it is one file.
    let both =
        exchanges(&[carried, Invoice { document: id(5), ..invoice(1, "IT01234567890_A") }], &all, &BTreeSet::new());
    assert_eq!((both.len(), both[0].invoices.clone(), both[0].carriers.clone()), (1, vec![id(5)], vec![id(1)]));
}
