//! What every catalog must do, run on each implementation; and a plain reading of what a search means, written without
//! terms or ranges, that both must agree with.

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use uuid::Uuid;

use super::memory::Memory;
use super::*;
use crate::hash::Sha256;

/// The day all test rows are near.
fn instant(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(1_795_341_600_000 + ms).unwrap()
}

pub fn document(n: u64, class: &str) -> DocumentRow {
    DocumentRow {
        id: DocumentId(Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0000 | u128::from(n))),
        receipt: ReceiptId(Uuid::from_u128(0x0198_0000_0000_7000_8000_0000_0000_0000 | u128::from(n))),
        lane: Lane(1),
        sequence: Sequence(n),
        class: class.parse().unwrap(),
        class_version: 1,
        accepted_at: instant(n as i64),
        name: format!("Fattura n. {n}.xml"),
        media_type: "application/xml".into(),
        bytes: 10 + n,
        sha256: Sha256::of(&n.to_be_bytes()),
        package: None,
        fields: vec![
            Indexed { name: "seller".into(), value: Value::Keyword(format!("Società Esempio {}", n % 3)) },
            Indexed { name: "subject".into(), value: Value::Text(format!("Perché no, numero {n}")) },
        ],
    }
}

pub fn deposit(row: &DocumentRow) -> DepositRow {
    DepositRow {
        receipt: row.receipt,
        lane: row.lane,
        sequence: row.sequence,
        class: row.class.clone(),
        accepted_at: row.accepted_at,
        documents: vec![row.id],
        replay_key: Some(format!("{:064x}", row.sequence.0)),
        replay_fingerprint: Some(format!("f{:063x}", row.sequence.0 % 4)),
    }
}

pub fn package(name: &str, entry: u64) -> PackageRow {
    PackageRow {
        package: name.parse().unwrap(),
        class_version: 1,
        entry,
        sealed_at: instant(0),
        cohort: "2036".into(),
        expiry: Some("2036-12-31".parse().unwrap()),
        documents: 3,
        bytes: 99,
        pindex: Sha256::of(name.as_bytes()),
        state: PackageState::Sealed,
    }
}

/// Documents `from..to` of class and series `class`, recorded as one package.
pub fn record(catalog: &dyn Catalog, name: &str, numbers: std::ops::Range<u64>, watermark: u64) {
    let row = package(name, watermark - 1);
    let documents: Vec<_> = numbers.map(|n| document(n, row.series().as_str())).collect();
    let deposits: Vec<_> = documents.iter().map(deposit).collect();
    catalog.record_sealed(&row, &documents, &deposits, watermark).unwrap();
}

fn numbers(page: &Page) -> Vec<u64> {
    page.rows.iter().map(|row| row.sequence.0).collect()
}

pub fn ask(catalog: &dyn Catalog, criteria: &[&str]) -> Vec<u64> {
    numbers(&catalog.search(&Query::parse(None, criteria, &[]).unwrap()).unwrap())
}

/// The contract. `make` gives a new, empty catalog.
pub fn contract(make: &dyn Fn() -> Box<dyn Catalog>) {
    recording(&*make());
    moving_and_letting_go(&*make());
    paging(&*make());
    state(&*make());
    answers(&*make());
}

fn recording(catalog: &dyn Catalog) {
    assert_eq!((catalog.watermark().unwrap(), catalog.packages(None).unwrap().len()), (0, 0));
    assert_eq!(catalog.search(&Query::default()).unwrap(), Page::default());
    record(catalog, "invoice/1", 1..4, 5);
    record(catalog, "invoice/1", 1..4, 5);
    record(catalog, "invoice/10", 4..6, 7);
    record(catalog, "log/2", 6..7, 9);
    let expected = DocumentRow { package: Some("invoice/1".parse().unwrap()), ..document(2, "invoice") };
    assert_eq!(catalog.locate(expected.id).unwrap(), Some(expected.clone()), "`package` is set by recording");
    assert_eq!(catalog.locate(document(7, "x").id).unwrap(), None);
    assert_eq!(catalog.receipt(expected.receipt).unwrap(), Some(deposit(&expected)));
    assert_eq!(catalog.receipt(ReceiptId(Uuid::nil())).unwrap(), None);
    assert_eq!(catalog.replay(&format!("{:064x}", 3)).unwrap(), Some(document(3, "x").receipt));
    assert_eq!(catalog.replay(&format!("f{:063x}", 2)).unwrap(), Some(document(6, "x").receipt), "the latest of two");
    assert_eq!(catalog.replay("").unwrap(), None);
    let ids = |ns: std::ops::Range<u64>| ns.map(|n| document(n, "x").id).collect::<Vec<_>>();
    assert_eq!(catalog.documents_of(&"invoice/1".parse().unwrap()).unwrap(), ids(1..4));
    assert_eq!(catalog.documents_of(&"invoice/10".parse().unwrap()).unwrap(), ids(4..6));
    assert_eq!(catalog.documents_of(&"invoice/2".parse().unwrap()).unwrap(), []);
    let names = |series: Option<&str>| {
        let series = series.map(|s| s.parse().unwrap());
        catalog.packages(series.as_ref()).unwrap().iter().map(|row| row.package.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(None), ["invoice/1", "invoice/10", "log/2"]);
    assert_eq!(names(Some("invoice")), ["invoice/1", "invoice/10"]);
    assert_eq!(names(Some("inv")), [""; 0]);
    let last = |series: &str| catalog.last_package(&series.parse().unwrap()).unwrap();
    let number = |series: &str| last(series).map(|row| row.package.to_string());
    assert_eq!((number("invoice"), number("log")), (Some("invoice/10".into()), Some("log/2".into())));
    assert_eq!((number("inv"), last("log")), (None, catalog.package(&"log/2".parse().unwrap()).unwrap()));
    assert_eq!(catalog.package(&"log/2".parse().unwrap()).unwrap(), Some(package("log/2", 8)));
    assert_eq!(catalog.package(&"log/1".parse().unwrap()).unwrap(), None);
    let page = catalog.search(&Query::default()).unwrap();
    assert_eq!(numbers(&page), [6, 5, 4, 3, 2, 1]);
    assert_eq!(page.as_of, AsOf { watermark: 9, sequences: [(Lane(1), Sequence(6))].into() });
    catalog.advance(20).unwrap();
    catalog.advance(12).unwrap();
    assert_eq!(catalog.watermark().unwrap(), 20, "a watermark never goes back");
    catalog.clear().unwrap();
    assert_eq!((catalog.watermark().unwrap(), catalog.packages(None).unwrap().len()), (0, 0));
    assert_eq!(catalog.search(&Query::default()).unwrap(), Page::default());
    assert_eq!(catalog.locate(expected.id).unwrap(), None);
    assert_eq!(catalog.replay(&format!("{:064x}", 3)).unwrap(), None);
}

fn moving_and_letting_go(catalog: &dyn Catalog) {
    record(catalog, "invoice/1", 1..5, 2);
    record(catalog, "invoice/2", 2..4, 4);
    let (one, two) = ("invoice/1".parse().unwrap(), "invoice/2".parse().unwrap());
    assert_eq!(catalog.locate(document(2, "x").id).unwrap().unwrap().package, Some(two));
    assert_eq!(catalog.documents_of(&one).unwrap(), [document(1, "x").id, document(4, "x").id]);
    assert_eq!(ask(catalog, &["package=invoice/2"]), [3, 2]);
    let gone = PackageRow { state: PackageState::Regrouped, ..package("invoice/1", 1) };
    catalog.record_package(&gone, 6).unwrap();
    assert_eq!(catalog.package(&one).unwrap(), Some(gone));
    assert_eq!(catalog.documents_of(&one).unwrap(), []);
    assert_eq!(numbers(&catalog.search(&Query::default()).unwrap()), [3, 2]);
    assert!(catalog.receipt(document(1, "x").receipt).unwrap().is_some(), "a deposit outlives its documents");
    let later = PackageRow { expiry: None, ..package("invoice/2", 3) };
    catalog.record_package(&later, 7).unwrap();
    assert_eq!(numbers(&catalog.search(&Query::default()).unwrap()), [3, 2]);
    assert_eq!(catalog.watermark().unwrap(), 7);
}

fn paging(catalog: &dyn Catalog) {
    record(catalog, "log/1", 1..8, 2);
    let mut query = Query { limit: 3, ..Query::default() };
    let first = catalog.search(&query).unwrap();
    assert_eq!(numbers(&first), [7, 6, 5]);
    query.cursor = first.cursor;
    record(catalog, "log/2", 8..12, 4);
    let second = catalog.search(&query).unwrap();
    assert_eq!(numbers(&second), [4, 3, 2], "what arrives meanwhile does not shift a page");
    query.cursor = second.cursor;
    let third = catalog.search(&query).unwrap();
    assert_eq!((numbers(&third), third.cursor), (vec![1], None));
    let exact = catalog.search(&Query { limit: 11, ..Query::default() }).unwrap();
    assert_eq!((exact.rows.len(), exact.cursor), (11, None), "a full last page has no cursor");
    let window = Query { from: Some(instant(3)), to: Some(instant(5)), ..Query::default() };
    assert_eq!(numbers(&catalog.search(&window).unwrap()), [4, 3]);
    assert_eq!(
        catalog.search(&Query { limit: 0, ..Query::default() }).unwrap_err().code,
        crate::error::Code::QueryInvalid
    );
}

fn state(catalog: &dyn Catalog) {
    let change = |tree: &str, key: &[u8], value: Option<&[u8]>| Change {
        tree: tree.into(),
        key: key.to_vec(),
        value: value.map(<[u8]>::to_vec),
    };
    catalog.state_put("jobs", b"a", b"1").unwrap();
    catalog.state_put("jobs", b"", b"empty key").unwrap();
    catalog.state_put("job", b"sa", b"other tree").unwrap();
    catalog
        .state_apply(&[
            change("jobs", b"b", Some(b"2")),
            change("jobs", b"c", Some(b"3")),
            change("jobs", b"c", Some(b"")),
            change("jobs", b"a", None),
            change("jobs", b"never", None),
        ])
        .unwrap();
    let jobs: Vec<(Vec<u8>, Vec<u8>)> =
        vec![(vec![], b"empty key".to_vec()), (b"b".to_vec(), b"2".to_vec()), (b"c".to_vec(), vec![])];
    assert_eq!(catalog.state_iter("jobs").unwrap(), jobs);
    assert_eq!(catalog.state_iter("nothing").unwrap(), []);
    assert_eq!(catalog.state_get("jobs", b"a").unwrap(), None);
    assert_eq!(catalog.state_get("job", b"sa").unwrap().unwrap(), b"other tree");
    catalog.state_delete("job", b"sa").unwrap();
    assert_eq!(catalog.state_get("job", b"sa").unwrap(), None);
    let large = vec![0; MAX_STATE_VALUE + 1];
    assert!(catalog.state_apply(&[change("jobs", b"x", Some(b"1")), change("jobs", b"y", Some(&large))]).is_err());
    assert_eq!(catalog.state_get("jobs", b"x").unwrap(), None, "all or none");
    catalog.state_put("jobs", b"y", &large[1..]).unwrap();
    assert_eq!(catalog.state_get("jobs", b"y").unwrap().unwrap().len(), MAX_STATE_VALUE);
}

fn answers(catalog: &dyn Catalog) {
    let value = |name: &str, value| Indexed { name: name.into(), value };
    let mut rows = [document(1, "invoice"), document(2, "invoice"), document(3, "log")];
    rows[0].fields = vec![
        value("seller", Value::Keyword("Caffè ESEMPIO S.p.A.".into())),
        value("subject", Value::Text("Qualità: l'unità è perduta".into())),
        value("date", Value::Date("2026-11-30".parse().unwrap())),
        value("sent", Value::Instant("2026-11-30T23:30:00Z".parse().unwrap())),
        value("total", Value::Number(Decimal::parse("-10.50").unwrap())),
        value("a=b\0^=", Value::Keyword("hostile".into())),
        value("search_keys", Value::Keyword("ROSSI FIGLI S P A UNIPERSONALE".into())),
        value("search_keys", Value::Keyword("IT01234567890".into())),
        value("seller_vat", Value::Keyword("IT01234567890".into())),
    ];
    rows[1].fields = vec![
        value("seller", Value::Keyword("caffetteria".into())),
        value("seller", Value::Keyword("Due".into())),
        value("total", Value::Number(Decimal::parse("9").unwrap())),
        value("total", Value::Number(Decimal::parse("100").unwrap())),
        value("date", Value::Date("2026-12-01".parse().unwrap())),
    ];
    rows[2].fields =
        vec![value("a", Value::Keyword("=b\0^=hostile".into())), value("lóng", Value::Text("x".repeat(500)))];
    catalog.record_sealed(&package("mixed/1", 1), &rows, &[], 2).unwrap();
    for (criteria, expected) in [
        (&["seller=caffe esempio s.p.a."][..], &[1][..]),
        (&["seller^=CAFFÈ"], &[2, 1]),
        (&["seller^="], &[2, 1]),
        (&["seller=caffe"], &[]),
        (&["seller^=caffe", "seller=due"], &[2]),
        (&["seller^=caffe", "total>=-10.5", "total<=0"], &[1]),
        (&["subject=PERDUTA qualita"], &[1]),
        (&["subject=perdut"], &[]),
        (&["subject^=perduta unit"], &[1]),
        (&["date=2026-11"], &[1]),
        (&["date>=2026-12"], &[2]),
        (&["date<=2026-11"], &[1]),
        (&["date<=2026"], &[2, 1]),
        (&["sent=2026-12-01"], &[1]), // half past midnight in Italy
        (&["sent=2026-11-30"], &[]),
        (&["sent=2026-11-30T23:30:00Z"], &[1]),
        (&["sent<=2026-12-01T00:29:59.999+01:00"], &[]),
        (&["total=100.0"], &[2]),
        (&["total>=100"], &[2]),
        (&["total<=-10.5"], &[1]),
        (&["a=b\0^==hostile"], &[]), // reads as field `a`, value `b…`
        (&["nothing=x"], &[]),
        // As the document writes it, as people do, and as it stands.
        (&["search_keys=Rossi & Figli S.p.A. - Unipersonale"], &[1]),
        (&["search_keys^=Rossi & Figli"], &[1]),
        (&["search_keys=rossi figli s p a unipersonale"], &[1]),
        (&["search_keys=IT 012.345 67890"], &[1]),
        (&["search_keys=Rossi & Figli"], &[]),
        (&["search_keys=&"], &[]),
        (&["seller_vat=01234567890"], &[1]),
        (&["seller_vat=IT01234567890"], &[1]),
        (&["seller_vat^=012"], &[1]),
        (&["seller_vat=99999999999"], &[]),
        (&["seller=01234567890"], &[]),
        (&["sequence>=2"], &[3, 2]),
        (&["class=LOG"], &[3]),
        (&["name^=fattura n. 3"], &[3]),
        (&["id=01990000-0000-7000-8000-000000000002"], &[2]),
    ] {
        assert_eq!(ask(catalog, criteria), expected, "{criteria:?}");
    }
    let hostile = Criterion { field: "a=b\0^=".into(), op: Op::Eq, value: "hostile".into() };
    let query = Query { criteria: vec![hostile], ..Query::default() };
    assert_eq!(numbers(&catalog.search(&query).unwrap()), [1]);
    let text = |text: &str| Query { text: Some(text.into()), ..Query::default() };
    assert_eq!(
        numbers(&catalog.search(&text("perduta fattura CAFFE")).unwrap()),
        [1],
        "words of any field and the name"
    );
    let class = Query { class: Some("log".parse().unwrap()), ..Query::default() };
    assert_eq!(numbers(&catalog.search(&class).unwrap()), [3]);
    let upside_down = Query { from: Some(instant(9)), to: Some(instant(1)), ..Query::default() };
    assert_eq!(numbers(&catalog.search(&upside_down).unwrap()), [0; 0]);
}

// ---- the plain reading of a search ----

fn words(text: &str) -> Vec<String> {
    let folded = fold(text);
    folded.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_owned).collect()
}

fn compare<T: PartialOrd>(op: Op, first: &T, last: &T, value: &T) -> bool {
    match op {
        Op::Eq | Op::Prefix => first <= value && value <= last,
        Op::Ge => value >= first,
        Op::Le => value <= last,
    }
}

fn days(text: &str) -> Option<(Date, Date)> {
    match text.len() {
        10 => text.parse().ok().map(|d| (d, d)),
        7 => format!("{text}-01").parse().ok().map(|d: Date| (d, d.last_of_month())),
        _ => None,
    }
}

fn holds(c: &Criterion, value: &Value) -> bool {
    match value {
        Value::Keyword(text) => {
            let (text, asked) = (fold(text), fold(&c.value));
            if c.op == Op::Prefix { text.starts_with(&asked) } else { compare(c.op, &asked, &asked, &text) }
        }
        Value::Text(_) => false,
        Value::Date(day) => days(&c.value).is_some_and(|(first, last)| compare(c.op, &first, &last, day)),
        Value::Instant(at) => {
            let rome = TimeZone::get("Europe/Rome").unwrap();
            let range = match c.value.parse::<Timestamp>() {
                Ok(at) => Some((at, at)),
                Err(_) => days(&c.value).map(|(first, last)| {
                    let end = last.checked_add(1.day()).unwrap().to_zoned(rome.clone()).unwrap().timestamp();
                    (first.to_zoned(rome).unwrap().timestamp(), end - 1.millisecond())
                }),
            };
            range.is_some_and(|(first, last)| compare(c.op, &first, &last, at))
        }
        Value::Number(n) => {
            c.op != Op::Prefix && Decimal::parse(&c.value).is_some_and(|asked| compare(c.op, &asked, &asked, n))
        }
    }
}

/// Words stand together per field, whichever value they came from.
fn holds_in_text(c: &Criterion, row: &DocumentRow) -> bool {
    let mut have = Vec::new();
    let mut any = false;
    for field in row.fields.iter().filter(|f| f.name == c.field) {
        if let Value::Text(text) = &field.value {
            have.extend(words(text));
            any = any || !words(text).is_empty();
        }
    }
    let mut asked = words(&c.value);
    match c.op {
        Op::Eq => !asked.is_empty() && asked.iter().all(|w| have.contains(w)),
        Op::Prefix => {
            let last = asked.pop().unwrap_or_default();
            any && asked.iter().all(|w| have.contains(w)) && have.iter().any(|w| w.starts_with(&last))
        }
        _ => false,
    }
}

fn expected(rows: &[DocumentRow], query: &Query) -> Vec<DocumentId> {
    let mut found: Vec<_> = rows
        .iter()
        .filter(|row| query.class.as_ref().is_none_or(|class| *class == row.class))
        .filter(|row| {
            query.from.is_none_or(|from| row.accepted_at >= from) && query.to.is_none_or(|to| row.accepted_at < to)
        })
        .filter(|row| {
            query
                .criteria
                .iter()
                .all(|c| row.fields.iter().any(|f| f.name == c.field && holds(c, &f.value)) || holds_in_text(c, row))
        })
        .filter(|row| {
            let has = |tie: &Tie| {
                row.fields.iter().any(|f| {
                    f.name == tie.field && matches!(&f.value, Value::Keyword(text) if fold(text) == fold(&tie.value))
                })
            };
            query.ties.is_empty() || query.ties.iter().any(has)
        })
        .collect();
    found.sort_by_key(|row| std::cmp::Reverse((row.accepted_at, row.sequence, row.lane, row.id)));
    found.iter().map(|row| row.id).collect()
}

fn some_value() -> impl Strategy<Value = Value> {
    let text = || "[aàÀAb ﬁi.\u{301}]{0,4}";
    prop_oneof![
        text().prop_map(Value::Keyword),
        text().prop_map(Value::Text),
        (1i8..=3, 1i8..=3).prop_map(|(m, d)| Value::Date(jiff::civil::date(2026, m, d))),
        (-2i64..48).prop_map(|h| Value::Instant(instant(h * 1_800_000))),
        (-3i64..3).prop_map(|n| Value::Number(Decimal(n * 500_000))),
    ]
}

fn some_query() -> impl Strategy<Value = Query> {
    let value = prop_oneof![
        "[aàÀAb ﬁi.\u{301}]{0,4}",
        "2026-0[1-3]",
        "2026-0[1-3]-0[1-3]",
        (-2i64..48).prop_map(|h| instant(h * 1_800_000).to_string()),
        Just("2026-11-22".to_owned()),
        "-?[01](\\.50?)?",
    ];
    let op = prop_oneof![Just(Op::Eq), Just(Op::Prefix), Just(Op::Ge), Just(Op::Le)];
    let criterion = ("[f-h]", op, value).prop_map(|(field, op, value)| Criterion { field, op, value });
    let bound = || proptest::option::of((0i64..12).prop_map(instant));
    let tie = ("[f-h]", "[aàÀAb]{0,2}").prop_map(|(field, value)| Tie { field, value });
    let ties = prop_oneof![3 => Just(Vec::new()), 1 => proptest::collection::vec(tie, 1..4)];
    let criteria = proptest::collection::vec(criterion, 0..3);
    (criteria, ties, proptest::option::of("c|d"), bound(), bound(), 1usize..9).prop_map(
        |(criteria, ties, class, from, to, limit)| {
            let class = class.map(|c| c.parse().unwrap());
            Query { class, criteria, ties, from, to, limit, ..Query::default() }
        },
    )
}

fn some_rows() -> impl Strategy<Value = Vec<DocumentRow>> {
    let row = ("c|d", 0i64..12, proptest::collection::vec(("[f-h]", some_value()), 0..5));
    proptest::collection::vec(row, 0..24).prop_map(|rows| {
        rows.into_iter()
            .enumerate()
            .map(|(n, (class, ms, fields))| DocumentRow {
                accepted_at: instant(ms),
                sequence: Sequence(1 + n as u64 / 3),
                fields: fields.into_iter().map(|(name, value)| Indexed { name, value }).collect(),
                ..document(n as u64, &class)
            })
            .collect()
    })
}

fn all_pages(search: impl Fn(&Query) -> Page, query: &Query) -> Vec<DocumentId> {
    let mut query = query.clone();
    let mut found = Vec::new();
    loop {
        let page = search(&query);
        assert!(page.rows.len() <= query.limit);
        found.extend(page.rows.iter().map(|row| row.id));
        match page.cursor {
            Some(cursor) => query.cursor = Some(cursor),
            None => return found,
        }
    }
}

/// Random rows, half of them sealed, and random questions: each catalog and the two merged answer as the plain reading.
#[test]
fn both_catalogs_and_the_merged_one_answer_as_the_plain_reading() {
    let dir = tempfile::tempdir().unwrap();
    let (embedded, _) = embedded::Embedded::open(dir.path(), 0).unwrap();
    let mut runner = TestRunner::new(Config { cases: 48, failure_persistence: None, ..Config::default() });
    let questions = proptest::collection::vec(some_query(), 16);
    runner
        .run(&(some_rows(), questions, 0usize..24), |(rows, queries, cut)| {
            let (memory, unsealed) = (Memory::new(), Memory::new());
            // One of two fields is indexed by who has it, the other is walked: nobody can tell.
            memory.tie_by(["f".to_owned()]);
            embedded.clear().unwrap();
            memory.record_sealed(&package("c/1", 1), &rows, &[], 2).unwrap();
            let cut = cut.min(rows.len());
            // The last few are in both, as they are for a moment while a package is recorded.
            embedded.record_sealed(&package("c/1", 1), &rows[..cut], &[], 2).unwrap();
            for row in &rows[cut.saturating_sub(2)..] {
                unsealed.insert(&deposit(row), std::slice::from_ref(row));
            }
            unsealed.tie_by(["f".to_owned(), "g".to_owned(), "h".to_owned()]);
            for query in &queries {
                // A value that fits no kind is an error, and the same one everywhere.
                let Ok(_) = memory.search(query) else {
                    prop_assert!(embedded.search(query).is_err());
                    continue;
                };
                let wanted = expected(&rows, query);
                prop_assert_eq!(&all_pages(|q| memory.search(q).unwrap(), query), &wanted, "memory {:?}", query);
                let sealed = expected(&rows[..cut], query);
                prop_assert_eq!(&all_pages(|q| embedded.search(q).unwrap(), query), &sealed, "embedded {:?}", query);
                let both: [&dyn Catalog; 2] = [&unsealed, &embedded];
                prop_assert_eq!(
                    &all_pages(|q| merged::search(&both, q).unwrap(), query),
                    &wanted,
                    "merged {:?}",
                    query
                );
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn memory_keeps_the_contract() {
    contract(&|| Box::new(Memory::new()));
}

#[test]
fn what_is_not_sealed_is_seen_at_once_and_leaves_when_told() {
    let memory = Memory::new();
    let (first, second) = (document(1, "log"), DocumentRow { id: document(2, "log").id, ..document(1, "log") });
    let both = DepositRow { documents: vec![first.id, second.id], ..deposit(&first) };
    memory.insert(&both, &[first.clone(), second.clone()]);
    assert_eq!(memory.locate(second.id).unwrap(), Some(second.clone()));
    assert_eq!(memory.search(&Query::default()).unwrap().as_of.sequences[&Lane(1)], Sequence(1));
    memory.remove(&[first.id]);
    assert_eq!(memory.receipt(both.receipt).unwrap(), Some(both.clone()), "one document is still here");
    memory.remove(&[second.id, first.id]);
    assert!(memory.is_empty());
    assert_eq!(
        (memory.receipt(both.receipt).unwrap(), memory.replay(&both.replay_key.unwrap()).unwrap()),
        (None, None)
    );
}

#[test]
fn merged_lookups_prefer_what_is_sealed_and_the_latest_replay() {
    let (unsealed, sealed) = (Memory::new(), Memory::new());
    record(&sealed, "log/1", 1..3, 2);
    let (old, new) = (document(2, "log"), document(6, "log"));
    unsealed.insert(&deposit(&old), std::slice::from_ref(&old));
    unsealed.insert(&deposit(&new), std::slice::from_ref(&new));
    let both: [&dyn Catalog; 2] = [&unsealed, &sealed];
    assert!(merged::locate(&both, old.id).unwrap().unwrap().package.is_some());
    assert!(merged::locate(&both, new.id).unwrap().unwrap().package.is_none());
    assert_eq!(merged::replay(&both, &format!("f{:063x}", 2)).unwrap(), Some(new.receipt));
    assert_eq!(merged::receipt(&both, new.receipt).unwrap(), Some(deposit(&new)));
    assert_eq!(merged::search(&both, &Query::default()).unwrap().rows.len(), 3);
}
