//! Damages to what only an opened archive looks at: journal and logs at their ends, settings, keys, and the catalog, row by row.

use std::fs;

use custode::catalog::embedded::Embedded;
use custode::catalog::{Catalog, PackageRow};
use custode::hash::Sha256;
use custode::id::PackageRef;
use serde_json::{Value, json};

use super::cell::{Cell, Look};
use super::stand::Stand;

const SEGMENT: &str = "archive/intake/lane-0001/segment-00000001";
const CATALOG: &str = "archive/catalog";

/// Where batches begin, and whether they hold anything.
fn batches(bytes: &[u8]) -> Vec<(usize, bool)> {
    let starts = memchr::memmem::find_iter(bytes, b"{\"batch\":").filter(|at| *at == 0 || bytes[at - 1] == b'\n');
    let one = |at: usize| {
        let line = bytes[at..].split(|byte| *byte == b'\n').next().unwrap();
        let header: Value = serde_json::from_slice(line).ok()?;
        Some((at, header["length"].as_u64()? > 0))
    };
    starts.filter_map(one).collect()
}

/// Where the last batch that holds something begins.
fn last(bytes: &[u8]) -> usize {
    batches(bytes).into_iter().rfind(|(_, holds)| *holds).unwrap().0
}

/// A header line closed with a digest of itself, as every one is.
fn closed(header: &Value) -> String {
    let mut header = header.clone();
    header.as_object_mut().unwrap().shift_remove("check");
    let text = header.to_string();
    let open = text.strip_suffix('}').unwrap();
    format!("{open},\"check\":\"{}\"}}", Sha256::of(open.as_bytes()))
}

/// A waiting document is another, as long as before, and every digest in the journal is made again, without the archive's key: the
/// signed note is all that stays as it was.
fn record_edited(stand: &mut Stand) {
    let mut bytes = stand.read(SEGMENT);
    let at = last(&bytes);
    let line = |bytes: &[u8], at: usize| bytes[at..].split(|byte| *byte == b'\n').next().unwrap().to_vec();
    let header = line(&bytes, at);
    let payload = at + header.len() + 1;
    let head = line(&bytes, payload);
    let mut record: Value = serde_json::from_slice(&head).unwrap();
    let parts = ["/documents/0/content", "/documents/0/metadata", "/manifest", "/rdv"];
    let place = |record: &Value, wanted: &str| {
        let mut from = payload + head.len() + 1;
        for part in ["/rdv", "/note", "/manifest", "/documents/0/metadata", "/documents/0/content"] {
            let length = record.pointer(part).unwrap()["bytes"].as_u64().unwrap() as usize;
            if part == wanted {
                return from..from + length;
            }
            from += length;
        }
        unreachable!()
    };
    let mut replaced: Vec<(String, String)> = vec![("l'ultima".to_owned(), "l'intima".to_owned())];
    for part in parts {
        let place = place(&record, part);
        let mut text = String::from_utf8(bytes[place.clone()].to_vec()).unwrap();
        let before = Sha256::of(text.as_bytes());
        replaced.iter().for_each(|(from, to)| text = text.replace(from, to));
        let after = Sha256::of(text.as_bytes());
        assert_ne!(before, after, "{part} is as it was");
        bytes[place].copy_from_slice(text.as_bytes());
        record.pointer_mut(part).unwrap()["sha256"] = json!(after);
        if part == parts[0] {
            replaced.clear();
        }
        replaced.push((before.to_string(), after.to_string()));
    }
    bytes[payload..payload + head.len()].copy_from_slice(record.to_string().as_bytes());
    let mut header: Value = serde_json::from_slice(&header).unwrap();
    let length = header["length"].as_u64().unwrap() as usize;
    header["sha256"] = json!(Sha256::of(&bytes[payload..payload + length]));
    let mut before = closed(&header);
    bytes[at..at + before.len()].copy_from_slice(before.as_bytes());
    // Those that follow name the header before them.
    for (at, _) in batches(&bytes.clone()).into_iter().filter(|(later, _)| *later > at) {
        let mut header: Value = serde_json::from_slice(&line(&bytes, at)).unwrap();
        header["previous"]["sha256"] = json!(Sha256::of(before.as_bytes()));
        before = closed(&header);
        bytes[at..at + before.len()].copy_from_slice(before.as_bytes());
    }
    stand.put(SEGMENT, &bytes);
}

fn append(name: &'static str, more: &'static [u8]) -> impl Fn(&mut Stand) {
    move |stand| {
        let bytes = stand.read(name);
        stand.put(name, &[&bytes[..], more].concat());
    }
}

/// The ends of journal and logs.
pub fn ends() -> Vec<Cell> {
    let lost = |stand: &mut Stand| {
        let bytes = stand.read(SEGMENT);
        stand.put(SEGMENT, &bytes[..last(&bytes)]);
    };
    let torn = |stand: &mut Stand| {
        let bytes = stand.read(SEGMENT);
        let next = batches(&bytes).into_iter().map(|(at, _)| at).find(|at| *at > last(&bytes));
        stand.put(SEGMENT, &bytes[..next.unwrap_or(bytes.len()) - 20]);
    };
    let swapped = |stand: &mut Stand| {
        let bytes = stand.read(SEGMENT);
        let all = batches(&bytes);
        let (a, b, c) = (all[1].0, all[2].0, all[3].0);
        stand.put(SEGMENT, &[&bytes[..a], &bytes[b..c], &bytes[a..b], &bytes[c..]].concat());
    };
    let refusals = |stand: &mut Stand| {
        let name = "archive/intake/refusals-0001.jsonl";
        let bytes = stand.read(name);
        let first = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        stand.put(name, &bytes[..first]);
    };
    let record = |stand: &mut Stand| {
        let name = "archive/records/persons.jsonl";
        let bytes = stand.read(name);
        let first = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        stand.put(name, &bytes[first..]);
    };
    let doubled = |stand: &mut Stand| {
        let name = "archive/records/persons.jsonl";
        let bytes = stand.read(name);
        let first = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        stand.put(name, &[&bytes[..first], &bytes[..]].concat());
    };
    vec![
        Cell::new("journal", "the last acknowledged batch gone", Look::Opened).with(SEGMENT, lost),
        Cell::new("journal", "the last acknowledged batch cut short", Look::Opened)
            .or_at("archive/intake/lane-0001")
            .with(SEGMENT, torn),
        Cell::new("journal", "a waiting document edited, and all digests made again", Look::Opened)
            .or_at("archive/intake/lane-0001")
            .with(SEGMENT, record_edited),
        Cell::new("journal", "two batches exchanged", Look::Opened).with(SEGMENT, swapped),
        Cell::new("journal", "an unfinished batch behind the last", Look::Opened)
            .with(SEGMENT, append(SEGMENT, b"{\"batch\":99,\"lane\"")),
        Cell::new("refusals", "the last line gone", Look::AtRest).with("refusals", refusals),
        Cell::new("refusals", "an unfinished line behind the last", Look::Opened)
            .with("refusals", append("archive/intake/refusals-0001.jsonl", b"{\"prev\":\"")),
        Cell::new("accesses", "an unfinished line behind the last", Look::Opened)
            .with("accesses", append("archive/records/accesses.jsonl", b"{\"id\":\"")),
        Cell::new("records", "a line gone", Look::AtRest).with("persons", record),
        Cell::new("records", "a line twice", Look::AtRest).with("persons", doubled),
    ]
}

/// Settings, lock and keys.
pub fn beside() -> Vec<Cell> {
    let config = |from: &'static str, to: &'static str| {
        move |stand: &mut Stand| {
            let text = String::from_utf8(stand.read("archive/custode.toml")).unwrap();
            assert!(text.contains(from), "custode.toml has no {from:?}");
            stand.put("archive/custode.toml", text.replacen(from, to, 1).as_bytes());
        }
    };
    let (settings, key) = ("archive/custode.toml", "archive.keys/archive.key");
    vec![
        Cell::new("settings", "a setting changed", Look::Opened)
            .with("timeout", config("timeout = \"2s\"", "timeout = \"3s\"")),
        Cell::new("settings", "a key that there is not", Look::Opened).with("misspelt", config("[copies]", "[kopies]")),
        Cell::new("settings", "deleted", Look::Opened).with("gone", move |stand| stand.clear(settings)),
        Cell::new("lock", "altered", Look::Opened).with("lock", |stand| stand.put("archive/lock", b"altro")),
        Cell::new("lock", "deleted", Look::Opened).with("lock", |stand| stand.clear("archive/lock")),
        Cell::new("keys", "another key", Look::Opened)
            .or_at("archive.keys")
            .with("archive.key", move |stand| stand.put(key, format!("{}\n", "07".repeat(32)).as_bytes())),
        Cell::new("keys", "deleted", Look::Opened)
            .or_at("archive.keys")
            .with("archive.key", move |stand| stand.clear(key)),
    ]
}

fn opened(stand: &mut Stand, change: impl FnOnce(&Embedded)) {
    stand.around(CATALOG, |folder| {
        let (catalog, _) = Embedded::open(folder, u64::MAX).unwrap();
        change(&catalog);
    });
}

fn row(catalog: &Embedded, text: &str) -> PackageRow {
    catalog.package(&text.parse::<PackageRef>().unwrap()).unwrap().unwrap()
}

/// The catalog: its rows against the plain files, and its files.
pub fn catalog(stand: &Stand) -> Vec<Cell> {
    let cell = |damage| Cell::new("catalog", damage, Look::Opened).or_at(CATALOG);
    let wrong = |stand: &mut Stand| {
        opened(stand, |catalog| {
            let mut row = row(catalog, "generic/1");
            row.documents += 1;
            let watermark = catalog.watermark().unwrap();
            catalog.record_package(&row, watermark).unwrap();
        });
    };
    let more = |stand: &mut Stand| {
        opened(stand, |catalog| {
            let mut row = row(catalog, "generic/1");
            row.package.number = 9;
            let watermark = catalog.watermark().unwrap();
            catalog.record_package(&row, watermark).unwrap();
        });
    };
    let moved = |stand: &mut Stand| {
        opened(stand, |catalog| {
            let (row, watermark) = (row(catalog, "generic/1"), catalog.watermark().unwrap());
            let other = "generic/3".parse::<PackageRef>().unwrap();
            let ids = catalog.documents_of(&other).unwrap();
            let rows: Vec<_> = ids.iter().map(|id| catalog.locate(*id).unwrap().unwrap()).collect();
            catalog.record_sealed(&row, &rows, &[], watermark).unwrap();
        });
    };
    let forgotten = |stand: &mut Stand| {
        opened(stand, |catalog| {
            let watermark = catalog.watermark().unwrap();
            catalog.clear().unwrap();
            catalog.advance(watermark).unwrap();
        })
    };
    let mut files = Cell::new("catalog", "files deleted, cut short or altered", Look::Opened);
    files = files.with("all of it", |stand| {
        stand.files(CATALOG).iter().for_each(|name| stand.clear(name));
        fs::remove_dir_all(stand.path(CATALOG)).unwrap();
    });
    for name in stand.files(CATALOG).into_iter().filter(|name| !stand.read(name).is_empty()).step_by(3) {
        let (flipped, cut) = (name.clone(), name.clone());
        files = files.with(format!("{name} altered"), move |stand| {
            let mut bytes = stand.read(&flipped);
            let at = bytes.len() / 2;
            bytes[at] ^= 1;
            stand.put(&flipped, &bytes);
        });
        files = files.with(format!("{name} cut"), move |stand| {
            let bytes = stand.read(&cut);
            stand.put(&cut, &bytes[..bytes.len() / 2]);
        });
    }
    vec![
        cell("another count in a package's row").with("generic/1", wrong),
        cell("a package that the chain does not know").with("generic/9", more),
        cell("a document filed under another package").with("generic/3", moved),
        cell("everything forgotten").with("all rows", forgotten),
        files,
    ]
}
