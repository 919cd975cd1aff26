use serde_json::json;

use super::*;

fn at(text: &str) -> Timestamp {
    format!("{text}T00:00:00Z").parse().unwrap()
}

fn part(mode: Mode, from: &str, seen: Seen, stretch: (u64, u64)) -> Part {
    Part {
        check: CheckId::new(at(from)),
        mode,
        from: at(from),
        ms: 1000,
        bytes: 50 << 20,
        copies: vec![Copies {
            vault: "a".into(),
            seen,
            packages: [("generic".parse().unwrap(), vec![stretch])].into_iter().collect(),
        }],
        codes: Vec::new(),
    }
}

fn package(number: u64) -> PackageRef {
    format!("generic/{number}").parse().unwrap()
}

#[test]
fn a_full_look_counts_as_a_quick_one_and_not_the_other_way_round() {
    let now = at("2026-06-01");
    let mut coverage = Coverage::default();
    coverage.take(at("2026-01-01"), &part(Mode::Full, "2026-01-01", Seen::Good, (1, 10)), now);
    coverage.take(at("2026-02-01"), &part(Mode::Quick, "2026-02-01", Seen::Good, (5, 20)), now);
    let looked = |mode, number| coverage.last(mode, "a", &package(number)).and_then(|known| known.looked);
    assert_eq!(looked(Mode::Full, 1), Some(at("2026-01-01")));
    assert_eq!(looked(Mode::Full, 7), Some(at("2026-01-01")));
    assert_eq!(looked(Mode::Full, 15), None);
    assert_eq!(looked(Mode::Quick, 1), Some(at("2026-01-01")));
    assert_eq!(looked(Mode::Quick, 7), Some(at("2026-02-01")));
    assert_eq!(coverage.last(Mode::Full, "b", &package(1)), None, "another vault is another copy");
    assert_eq!(coverage.speed(Mode::Full), Some(50 << 20));
}

#[test]
fn what_could_not_be_read_was_not_looked_at_and_what_is_bad_asks_for_another_look() {
    let now = at("2026-06-01");
    let mut coverage = Coverage::default();
    coverage.take(at("2026-01-01"), &part(Mode::Full, "2026-01-01", Seen::Good, (1, 3)), now);
    coverage.take(at("2026-02-01"), &part(Mode::Full, "2026-02-01", Seen::Unchecked, (2, 2)), now);
    coverage.take(at("2026-03-01"), &part(Mode::Quick, "2026-03-01", Seen::Bad, (3, 3)), now);
    let last = |number| coverage.last(Mode::Full, "a", &package(number)).unwrap();
    let january = Some(at("2026-01-01"));
    assert_eq!(last(1), Known { looked: january, seen: Seen::Good });
    assert_eq!(last(2), Known { looked: january, seen: Seen::Unchecked });
    assert_eq!(last(3), Known { looked: january, seen: Seen::Bad });
}

#[test]
fn a_line_from_the_future_pushes_no_deadline_away() {
    let mut coverage = Coverage::default();
    let now = at("2026-06-01");
    coverage.take(at("2026-01-01"), &part(Mode::Full, "2026-01-01", Seen::Good, (1, 1)), now);
    coverage.take(at("2036-01-01"), &part(Mode::Full, "2036-01-01", Seen::Bad, (1, 1)), now);
    let known = coverage.last(Mode::Full, "a", &package(1)).unwrap();
    assert_eq!(
        (known.looked, known.seen),
        (Some(at("2026-01-01")), Seen::Bad),
        "what it saw counts, when it saw it does not"
    );
    assert_eq!(coverage.ahead(), Some(at("2036-01-01")));
    assert!(!coverage.is_other_at(at("2026-07-01")) && coverage.is_other_at(at("2036-02-01")));
    let mut coverage = Coverage::default();
    coverage.take(at("2036-01-01"), &part(Mode::Full, "2036-01-01", Seen::Good, (1, 1)), at("2036-01-01"));
    assert!(coverage.is_other_at(now), "the clock was set right while it ran");
    // Nor does a part that claims to have begun later than its line was written.
    let mut coverage = Coverage::default();
    coverage.take(at("2026-01-01"), &part(Mode::Full, "2036-01-01", Seen::Good, (1, 1)), now);
    assert_eq!(coverage.last(Mode::Full, "a", &package(1)).unwrap().looked, None);
}

#[test]
fn lines_that_say_nothing_claim_nothing() {
    let mut fields = part(Mode::Full, "2026-01-01", Seen::Good, (1, 1)).fields().unwrap();
    assert!(Part::parse(&fields).is_some());
    fields["copies"][0]["packages"] = json!({ "generic": [[9, 1]] });
    assert!(Part::parse(&fields).is_none());
}

#[test]
fn a_deadline_that_will_be_missed_is_known_before() {
    let now = at("2026-06-01");
    let every = SignedDuration::from_hours(90 * 24);
    let mut standing = Standing::new(Mode::Full, every, now);
    let mut add = |number: u64, looked: Option<&str>, made: &str, bytes| {
        let package = package(number);
        let known = looked.map(|looked| Known { looked: Some(at(looked)), seen: Seen::Good });
        standing.add(CopyFacts { package: &package, vault: "a", made: at(made), bytes }, known);
    };
    add(1, Some("2026-05-01"), "2020-01-01", 100);
    add(2, None, "2026-05-20", 100);
    let age = standing.ages["a"].clone();
    assert_eq!((age.copies, age.never, age.overdue, age.oldest), (2, 1, 0, at("2026-05-01")));
    assert_eq!(standing.next(), Some(at("2026-07-30")));
    // 59 days for the first hundred bytes, 19 more for the next.
    assert_eq!(standing.will_miss(100), None);
    assert_eq!(standing.will_miss(3), None);
    assert_eq!(standing.will_miss(2), Some(78));
    assert_eq!(standing.will_miss(1), Some(59));
    let mut standing = Standing::new(Mode::Full, every, at("2026-07-30"));
    let package = package(1);
    let known = Some(Known { looked: Some(at("2026-05-01")), seen: Seen::Good });
    standing.add(CopyFacts { package: &package, vault: "a", made: at("2020-01-01"), bytes: 9 }, known);
    assert_eq!((standing.overdue(), standing.will_miss(u64::MAX)), (1, None), "late is late, not about to be");
}
