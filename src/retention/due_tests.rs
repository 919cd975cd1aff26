use super::super::policies::Policies;
use super::super::policy::Policy;
use super::*;
use crate::document::class::Classes;
use proptest::prelude::*;
use serde_json::json;

fn retention(period: &str, cohort: &str, rounding: &str, start: &str) -> Retention {
    let text = format!(
        "id = 'x'\nversion = 1\nkind = 'retention'\nperiod = '{period}'\nterm = 'minimum'\ncohort = '{cohort}'\n\
         rounding = '{rounding}'\ntitle = {{ it = 'x', en = 'x' }}\nbasis = [{{ it = 'x', en = 'x', status = 'confirmed' }}]\n\
         start = {start}\n"
    );
    match Policy::parse(&text, "x").unwrap() {
        Policy::Retention(policy) => policy,
        Policy::Closing(..) | Policy::Algorithms(_) => unreachable!(),
    }
}

fn on(day: &str) -> Map<String, Value> {
    json!({ "day": day }).as_object().unwrap().clone()
}

const DAY: &str = "[{ event = 'e', fields = ['day'] }]";
const NOW: &str = "2026-11-22T10:00:00Z";

/// Long after every date of these tests.
const MUCH_LATER: &str = "2260-01-01T10:00:00Z";

fn compute_at(policy: &Retention, metadata: &Map<String, Value>, accepted_at: &str) -> Due {
    let accepted_at = accepted_at.parse().unwrap();
    due(policy, metadata, Events { fields: &[], not_before: date(1800, 1, 1), accepted_at })
}

fn compute(policy: &Retention, metadata: &Map<String, Value>) -> Due {
    compute_at(policy, metadata, NOW)
}

#[test]
fn the_examples_of_the_rule() {
    for (start, period, cohort, term_end, expiry, executable, name) in [
        ("2026-03-14", "P20Y", "month", "2046-03-14", "2046-03-31", "2046-04-01", "2046-03"),
        ("2026-08-31", "P30M", "month", "2029-02-28", "2029-02-28", "2029-03-01", "2029-02"),
        ("2028-02-29", "P10Y", "year", "2038-02-28", "2038-12-31", "2039-01-01", "2038"),
    ] {
        let due = compute_at(&retention(period, cohort, "cohort", DAY), &on(start), MUCH_LATER);
        assert_eq!(due.term_end.unwrap().to_string(), term_end);
        assert_eq!(due.expiry.unwrap().to_string(), expiry);
        assert_eq!(due.executable_from().unwrap().to_string(), executable);
        assert_eq!(due.cohort.to_string(), name);
        let unrounded = compute_at(&retention(period, cohort, "none", DAY), &on(start), MUCH_LATER);
        assert_eq!(unrounded.expiry.unwrap().to_string(), term_end);
        assert_eq!(unrounded.cohort, due.cohort);
    }
}

#[test]
fn the_day_of_an_instant_is_the_italian_one() {
    let policy = retention("P10Y", "month", "none", DAY);
    for (value, day) in [
        ("2026-12-31T23:30:00Z", "2037-01-01"),
        ("2026-12-31T22:30:00Z", "2036-12-31"),
        ("2026-06-30T22:30:00Z", "2036-07-01"),
        ("2026-12-31T23:30:00-05:00", "2037-01-01"),
        ("2026-12-31T23:30:00", "2036-12-31"),
    ] {
        assert_eq!(compute_at(&policy, &on(value), MUCH_LATER).expiry.unwrap().to_string(), day, "{value}");
    }
}

#[test]
fn what_cannot_be_read_is_open_and_never_due() {
    let policy = retention("P10Y", "year", "cohort", "[{ event = 'e', fields = ['day', 'accepted_at'] }]");
    for bad in ["tomorrow", "2026", "2026-02-30", "31/12/2026", "-002026-01-01", "+020260-01-01", "0000-01-01"] {
        let due = compute(&policy, &on(bad));
        assert_eq!((due.expiry, due.cohort), (None, Cohort::Open), "{bad}");
        assert_eq!(due.executable_from(), None);
    }
    for value in [json!({ "day": true }), json!({ "day": [1] }), json!({ "day": 1e300 })] {
        assert_eq!(compute(&policy, value.as_object().unwrap()).cohort, Cohort::Open);
    }
    assert_eq!(compute(&retention("P10Y", "year", "cohort", DAY), &Map::new()), Due::OPEN);
    // Absent, null and empty are the same: the event is not told, and acceptance stands in where the policy says so.
    for value in [json!({}), json!({ "day": null }), json!({ "day": " " })] {
        let due = compute(&policy, value.as_object().unwrap());
        assert_eq!(due.start.unwrap().field, ACCEPTED_AT);
        assert_eq!(due.cohort, Cohort::Year(2036));
    }
}

#[test]
fn invoices_never_run_from_their_own_date() {
    let policies = Policies::standard().unwrap();
    let policy = policies.retention(&"invoice-10y".parse().unwrap()).unwrap();
    let dated = json!({ "date": "2026-03-14" });
    let due = compute(policy, dated.as_object().unwrap());
    assert_eq!(due.start.as_ref().unwrap().date.to_string(), "2027-12-31");
    assert_eq!((due.expiry.unwrap().to_string().as_str(), due.cohort), ("2037-12-31", Cohort::Year(2037)));
    let registered = json!({ "date": "2026-03-14", "last_registration_on": "2026-09-30" });
    assert_eq!(compute(policy, registered.as_object().unwrap()).term_end.unwrap().to_string(), "2036-09-30");
    for year in [json!({ "tax_year": 2025 }), json!({ "tax_year": "2025" })] {
        assert_eq!(compute(policy, year.as_object().unwrap()).cohort, Cohort::Year(2036));
    }
    assert_eq!(compute(policy, &Map::new()).cohort, Cohort::Open);
    // A registration on a day that cannot be read is not passed over for another event.
    let unreadable = json!({ "date": "2026-03-14", "last_registration_on": "fine febbraio" });
    assert_eq!(compute(policy, unreadable.as_object().unwrap()).cohort, Cohort::Open);
    // The class may keep the date under another name; the policy's shift still holds.
    let other = json!({ "invoice_day": "2026-03-14" });
    let named = due_with(policy, &other, &["invoice_day"]);
    assert_eq!(named.cohort, Cohort::Year(2037));
}

fn due_with(policy: &Retention, metadata: &Value, fields: &[&str]) -> Due {
    let fields: Vec<String> = fields.iter().map(|f| (*f).to_owned()).collect();
    let events = Events { fields: &fields, not_before: date(2004, 1, 1), accepted_at: NOW.parse().unwrap() };
    due(policy, metadata.as_object().unwrap(), events)
}

#[test]
fn identity_copies_run_from_the_certificate_or_the_later_of_two_acts() {
    let policies = Policies::standard().unwrap();
    let policy = policies.retention(&"identity-20y".parse().unwrap()).unwrap();
    let two = json!({ "identified_at": "2026-03-01", "conditions_accepted_at": "2026-03-14" });
    assert_eq!(due_with(policy, &two, &[]).expiry.unwrap().to_string(), "2046-03-31");
    let swapped = json!({ "identified_at": "2026-04-01", "conditions_accepted_at": "2026-03-14" });
    assert_eq!(due_with(policy, &swapped, &[]).cohort.to_string(), "2046-04");
    let issued = json!({ "certificate_issued_on": "2026-05-02", "identified_at": "2026-03-01" });
    assert_eq!(due_with(policy, &issued, &[]).cohort.to_string(), "2046-05");
    assert_eq!(due_with(policy, &json!({}), &[]).cohort, Cohort::Open);
    // One of two that cannot be read may be the later one.
    let unreadable = json!({ "identified_at": "2026-03-01", "conditions_accepted_at": "14 marzo" });
    assert_eq!(due_with(policy, &unreadable, &[]).cohort, Cohort::Open);
}

#[test]
fn a_class_says_whether_acceptance_is_the_last_resort() {
    let policies = Policies::standard().unwrap();
    let policy = policies.retention(&"pec-virus-30m".parse().unwrap()).unwrap();
    assert_eq!(due_with(policy, &json!({}), &["instant"]).cohort, Cohort::Open);
    let due = due_with(policy, &json!({}), &["instant", ACCEPTED_AT]);
    assert_eq!((due.start.unwrap().field.as_str(), due.cohort.to_string().as_str()), (ACCEPTED_AT, "2029-05"));
    let due = due_with(policy, &json!({ "instant": "2026-08-31T10:00:00+02:00" }), &["instant"]);
    assert_eq!(due.term_end.unwrap().to_string(), "2029-02-28");
}

#[test]
fn a_date_that_cannot_have_been_starts_no_term() {
    let policies = Policies::standard().unwrap();
    let classes = Classes::standard().unwrap();
    let of = |class: &str, metadata: Value| {
        let class = classes.latest(&class.parse().unwrap()).unwrap();
        let policy = policies.retention(&class.retention).unwrap();
        due_in_class(policy, class, metadata.as_object().unwrap(), NOW.parse().unwrap())
    };
    for (class, field, value, why, cohort) in [
        ("pec-message", "certified_at", "0026-11-03T10:00:00Z", Unfit::Early, "2036"),
        ("pec-message", "certified_at", "1999-01-01T10:00:00Z", Unfit::Early, "2036"),
        ("pec-message", "certified_at", "2126-12-31T10:00:00Z", Unfit::Future, "2036"),
        ("invoice", "date", "0026-03-09", Unfit::Early, "2037"),
        ("invoice", "date", "1999-12-31", Unfit::Early, "2037"),
        ("invoice", "date", "2026-11-24", Unfit::Future, "2037"),
        ("sdi-notification", "instant", "2009-03-09T10:00:00Z", Unfit::Early, "2037"),
        ("pec-log", "last_event", "2062-11-22T10:00:00Z", Unfit::Future, "2029-05"),
        ("generic", "date", "0026-03-09", Unfit::Early, "2036"),
        ("generic", "date", "9995-01-01", Unfit::Future, "2036"),
        // Nothing stands in: never due.
        ("aggregation", "closed_on", "2027-01-01", Unfit::Future, "open"),
        ("identity-document", "identified_at", "1980-01-01T10:00:00Z", Unfit::Early, "open"),
    ] {
        let due = of(class, json!({ field: value }));
        assert_eq!(due.passed_over, Some((field.to_owned(), why)), "{class} {value}");
        assert_eq!(due.cohort.to_string(), cohort, "{class} {value}");
        assert_eq!(due.start.is_some_and(|start| start.field == ACCEPTED_AT), cohort != "open", "{class} {value}");
    }
    // What may be so: the first and the last day.
    for (class, field, value, cohort) in [
        ("pec-message", "certified_at", "2004-01-01T10:00:00Z", "2014"),
        ("pec-message", "certified_at", "2026-11-23T10:00:00Z", "2036"),
        ("invoice", "date", "2000-01-01", "2011"),
    ] {
        let due = of(class, json!({ field: value }));
        assert_eq!((due.cohort.to_string().as_str(), due.passed_over), (cohort, None), "{class} {value}");
    }
    // An event that cannot have been is not passed over for an earlier one.
    let due = of("invoice", json!({ "last_registration_on": "2126-01-01", "date": "2020-03-09" }));
    assert_eq!((due.start.unwrap().field.as_str(), due.cohort), (ACCEPTED_AT, Cohort::Year(2037)));
    // The header of a message and an unsigned daticert are nobody's certificate.
    let due = of("pec-message", json!({ "instant": "1970-01-01T00:00:00Z" }));
    assert_eq!((due.start.unwrap().field.as_str(), due.cohort), (ACCEPTED_AT, Cohort::Year(2036)));
}

#[test]
fn every_built_in_class_gets_a_cohort_from_its_policy() {
    let policies = Policies::standard().unwrap();
    let classes = Classes::standard().unwrap();
    let mut seen = 0;
    for class in classes.iter() {
        let policy = policies.retention(&class.retention).unwrap();
        policies.closing(&class.closing).unwrap();
        let bare = due_in_class(policy, class, &Map::new(), NOW.parse().unwrap());
        assert_eq!(bare.cohort == Cohort::Open, !class.start_event_or_accepted, "{}", class.id);
        let day = class.start_event.iter().map(|field| (field.clone(), json!("2026-03-14"))).collect();
        let dated = due_in_class(policy, class, &day, NOW.parse().unwrap());
        assert!(dated.expiry.unwrap() > "2028-01-01".parse().unwrap(), "{}", class.id);
        seen += 1;
    }
    assert!(seen >= 7);
}

#[test]
fn cohort_names_round_trip() {
    for (name, end) in
        [("2046-03", Some("2046-03-31")), ("2036", Some("2036-12-31")), ("open", None), ("2028-02", Some("2028-02-29"))]
    {
        let cohort: Cohort = name.parse().unwrap();
        assert_eq!(cohort.to_string(), name);
        assert_eq!(cohort.end().map(|d| d.to_string()).as_deref(), end);
        assert_eq!(serde_json::from_value::<Cohort>(serde_json::to_value(cohort).unwrap()).unwrap(), cohort);
    }
    for bad in ["", "36", "2036-13", "2036-00", "2036-3", "../x", "Open", "+036", "20361"] {
        assert!(bad.parse::<Cohort>().is_err(), "{bad}");
    }
}

#[test]
fn days_are_counted_to_the_first_day_of_disposal() {
    let due = compute(&retention("P10Y", "month", "none", DAY), &on("2026-03-14"));
    assert_eq!(days_left(&due, "2036-03-14".parse().unwrap()), Some(1));
    assert_eq!(days_left(&due, "2036-03-16".parse().unwrap()), Some(-1));
    assert_eq!(days_left(&Due::OPEN, "2036-03-16".parse().unwrap()), None);
}

// An independent calculation: no calendar library, only the Gregorian rule.
fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn by_hand(year: i64, month: i64, day: i64, years: i64, months: i64) -> (i64, i64, i64) {
    let index = (year + years) * 12 + (month - 1) + months;
    let (year, month) = (index / 12, index % 12 + 1);
    (year, month, day.min(days_in(year, month)))
}

proptest! {
    #[test]
    fn agrees_with_a_calculation_by_hand(year in 1900_i64..2200, month in 1_i64..=12, day in 1_i64..=31,
                                          years in 0_i64..60, months in 0_i64..60, monthly: bool) {
        prop_assume!(years + months > 0);
        let day = day.min(days_in(year, month));
        let mut period = String::from("P");
        if years > 0 { period.push_str(&format!("{years}Y")); }
        if months > 0 { period.push_str(&format!("{months}M")); }
        let policy = retention(&period, if monthly { "month" } else { "year" }, "cohort", DAY);
        let due = compute_at(&policy, &on(&format!("{year:04}-{month:02}-{day:02}")), MUCH_LATER);
        let (y, m, d) = by_hand(year, month, day, years, months);
        prop_assert_eq!(due.term_end.unwrap().to_string(), format!("{y:04}-{m:02}-{d:02}"));
        let (cohort, expiry) = if monthly {
            (format!("{y:04}-{m:02}"), format!("{y:04}-{m:02}-{:02}", days_in(y, m)))
        } else {
            (format!("{y:04}"), format!("{y:04}-12-31"))
        };
        prop_assert_eq!(due.cohort.to_string(), cohort);
        prop_assert_eq!(due.expiry.unwrap().to_string(), expiry);
    }

    #[test]
    fn any_text_for_a_date_gives_an_answer(text in ".{0,40}") {
        let policy = retention("P10Y", "month", "cohort", DAY);
        let due = compute(&policy, &on(&text));
        prop_assert_eq!(due.expiry.is_none(), due.cohort == Cohort::Open);
    }
}
