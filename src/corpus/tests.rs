use std::collections::{HashMap, HashSet};

use jiff::civil::date;

use super::*;
use crate::hash::Sha256;

fn digest(seed: u64, options: &Options, documents: usize) -> (Sha256, u64) {
    let mut all = Vec::new();
    let mut bytes = 0;
    for item in Generator::new(seed, options.clone()).unwrap().take(documents) {
        let item = item.unwrap();
        bytes += item.bytes.len() as u64;
        all.extend_from_slice(Sha256::of(&item.bytes).as_bytes());
        all.extend_from_slice(item.name.as_bytes());
        all.extend_from_slice(&serde_json::to_vec(&(item.metadata, item.expected)).unwrap());
    }
    (Sha256::of(&all), bytes)
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let options = Options { big_per_thousand: 0, ..Options::default() };
    let one = digest(1, &options, 60);
    assert_eq!(one, digest(1, &options, 60));
    assert_ne!(one.0, digest(2, &options, 60).0);
}

/// The corpus is quoted in documents and benchmarks by its seed: a change of its bytes must be a decision.
#[test]
fn the_corpus_of_seed_1_has_not_changed() {
    let options = Options { big_per_thousand: 0, ..Options::default() };
    assert_eq!(
        digest(1, &options, 40).0.to_string(),
        "69d0e4d6c0b98701dac5e101a3967bd5931c717f2cabec9f7f1627119bab9f86"
    );
}

#[test]
fn a_case_follows_from_its_number_alone() {
    let mut one = Generator::new(4, Options::default()).unwrap();
    let mut other = Generator::new(4, Options::default()).unwrap();
    other.identity_file();
    other.pec_log(date(2026, 3, 1), LogForm::Csv);
    other.invoice_case().unwrap();
    assert_eq!(one.conversation().unwrap(), other.conversation().unwrap());
}

#[test]
fn the_mixture_is_the_one_asked_for_and_names_are_unique() {
    let options = Options {
        mix: "pec:50,invoice:30,identity:12,log:8".parse().unwrap(),
        big_per_thousand: 0,
        ..Options::default()
    };
    let mut shares: HashMap<&str, u32> = HashMap::new();
    let mut names = HashSet::new();
    for item in Generator::new(9, options).unwrap().take(500) {
        let item = item.unwrap();
        assert!(names.insert(item.name.clone()), "{} twice", item.name);
        *shares.entry(item.class).or_default() += 1;
    }
    let pec = shares["pec-message"] + shares.get("pec-virus").copied().unwrap_or(0);
    let invoice = shares["invoice"] + shares["sdi-notification"];
    assert!((235..=265).contains(&pec), "{shares:?}");
    assert!((140..=160).contains(&invoice), "{shares:?}");
    assert!((52..=68).contains(&shares["identity-document"]), "{shares:?}");
    assert!((35..=45).contains(&shares["pec-log"]), "{shares:?}");
}

#[test]
fn relations_stay_inside_the_case() {
    let mut generator = Generator::new(2, Options { sent_copies: true, ..Options::default() }).unwrap();
    for _ in 0..12 {
        for items in [generator.conversation().unwrap(), generator.invoice_case().unwrap(), generator.identity_file()] {
            let names: HashSet<&str> = items.iter().map(|item| item.name.as_str()).collect();
            assert_eq!(items.iter().map(|item| &item.group).collect::<HashSet<_>>().len(), 1);
            for relation in items.iter().flat_map(|item| &item.relations) {
                assert!(names.contains(relation.name.as_str()), "{relation:?} not in {names:?}");
            }
        }
    }
}

#[test]
fn an_identity_file_is_two_pictures_and_two_pdfs_of_an_invented_person() {
    let items = Generator::new(6, Options::default()).unwrap().identity_file();
    let types: Vec<&str> = items.iter().map(|item| infer::get(&item.bytes).unwrap().mime_type()).collect();
    assert_eq!(types, ["image/jpeg", "image/jpeg", "application/pdf", "application/pdf"]);
    for (item, media_type) in items.iter().zip(types) {
        assert_eq!(item.expected["media_type"], media_type);
        let code = item.metadata["tax_code"].as_str().unwrap();
        assert_eq!(code.chars().last(), Some(names::tax_code_check(&code[..15])));
        assert_eq!(item.metadata["surname"], "Esempio");
    }
    let declaration: String = items[2].bytes.iter().map(|b| char::from(*b)).collect();
    assert!(
        declaration.contains("FAC-SIMILE") && declaration.contains(items[2].metadata["tax_code"].as_str().unwrap())
    );
}

#[test]
fn a_log_accounts_for_every_transmission_of_its_day() {
    let mut generator = Generator::new(8, Options::default()).unwrap();
    let day = date(2026, 3, 29); // The day summer time begins.
    let item = generator.pec_log(day, LogForm::Csv);
    let text = String::from_utf8(item.bytes).unwrap();
    let mut lines = text.split("\r\n").filter(|line| !line.is_empty());
    assert_eq!(lines.next(), Some(LOG_COLUMNS));
    let mut events: HashMap<String, Vec<String>> = HashMap::new();
    let mut rows = 0;
    for line in lines {
        let cells: Vec<&str> = line.split(';').collect();
        assert_eq!(cells.len(), 16, "{line}");
        assert!(cells[1].starts_with("2026-03-29T"), "{line}");
        events.entry(cells[0].to_owned()).or_default().push(cells[2].to_owned());
        rows += 1;
    }
    assert_eq!(item.expected["rows"], rows);
    for (identifier, kinds) in events {
        let count = |kind: &str| kinds.iter().filter(|k| *k == kind).count();
        assert_eq!(
            (count("accettazione"), count("posta-certificata"), count("presa-in-carico")),
            (1, 1, 1),
            "{identifier}"
        );
        assert_eq!(count("avvenuta-consegna") + count("errore-consegna"), 1, "{identifier}");
    }
    let lines = generator.pec_log(day, LogForm::KeyValue);
    let text = String::from_utf8(lines.bytes).unwrap();
    assert!(text.lines().all(|line| line.contains(": tipo=") && line.contains(": mittente=")));
}

#[test]
fn big_attachments_come_when_asked_for() {
    let options = Options { big_per_thousand: 1000, big_bytes: 2 << 20, ..Options::default() };
    let items = Generator::new(1, options).unwrap().conversation_with(Outcome::Complete).unwrap();
    assert!(items[1].bytes.len() > 2 << 20, "{}", items[1].bytes.len());
}
