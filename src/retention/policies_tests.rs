use super::*;
use crate::retention::policy::CohortUnit;
use crate::units::{Lapse, Size};

#[test]
fn the_built_in_policies_are_what_the_law_page_says() {
    let policies = Policies::standard().unwrap();
    for (id, period, cohort) in [
        ("generic-10y", "P10Y", CohortUnit::Year),
        ("identity-20y", "P20Y", CohortUnit::Month),
        ("invoice-10y", "P10Y", CohortUnit::Year),
        ("pec-correspondence-10y", "P10Y", CohortUnit::Year),
        ("pec-log-30m", "P30M", CohortUnit::Month),
        ("pec-virus-30m", "P30M", CohortUnit::Month),
    ] {
        let policy = policies.retention(&id.parse().unwrap()).unwrap();
        assert_eq!((policy.period.to_string().as_str(), policy.cohort), (period, cohort), "{id}");
    }
    let closing = policies.closing(&"default".parse().unwrap()).unwrap();
    assert_eq!(
        (closing.documents, closing.bytes, closing.age),
        (Some(10_000), Some(Size(1 << 30)), Some(Lapse::from_secs(86_400)))
    );
    assert!(policies.closing(&"daily".parse().unwrap()).unwrap().day_end);
    assert_eq!(policies.iter().count(), Policies::builtin().len());
    assert!(policies.retention(&"default".parse().unwrap()).is_err());
    assert!(policies.closing(&"generic-10y".parse().unwrap()).is_err());
}

fn daily() -> &'static str {
    Policies::builtin().iter().find(|(name, _)| *name == "daily@1.toml").unwrap().1
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in Policies::builtin() {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

#[test]
fn a_folder_is_what_was_adopted_or_an_error() {
    let folder = folder();
    let adopted: BTreeMap<String, Sha256> =
        Policies::builtin().iter().map(|(name, text)| ((*name).to_owned(), Sha256::of(text.as_bytes()))).collect();
    let loaded = Policies::load(folder.path()).unwrap();
    assert_eq!(loaded, Policies::standard().unwrap());
    assert!(loaded.check_adopted(&adopted).is_empty());

    let edited = folder.path().join("pec-log-30m@1.toml");
    let text = std::fs::read_to_string(&edited).unwrap();
    std::fs::write(&edited, text.replace("P30M", "P3M")).unwrap();
    std::fs::remove_file(folder.path().join("daily@1.toml")).unwrap();
    std::fs::write(folder.path().join("daily@2.toml"), daily().replace("version = 1", "version = 2")).unwrap();
    let loaded = Policies::load(folder.path()).unwrap();
    assert_eq!(loaded.latest(&"daily".parse().unwrap()).unwrap().policy.version(), 2);
    assert!(loaded.get(&"daily".parse().unwrap(), 1).is_none());
    let places: Vec<_> = loaded.check_adopted(&adopted).into_iter().map(|f| f.place).collect();
    assert_eq!(places, ["policies/daily@2.toml", "policies/pec-log-30m@1.toml", "policies/daily@1.toml"]);
}

#[test]
fn a_strange_file_is_an_error_that_names_it() {
    for (name, text) in
        [("notes.txt", "hello"), ("other@1.toml", daily()), ("daily@01.toml", daily()), ("broken@1.toml", "id = ")]
    {
        let folder = folder();
        std::fs::write(folder.path().join(name), text).unwrap();
        let error = Policies::load(folder.path()).unwrap_err();
        assert!(error.place.contains(name), "{error}");
    }
}

#[test]
fn a_policy_with_an_impossible_content_is_refused() {
    let (_, good) = Policies::builtin().iter().find(|(name, _)| name.starts_with("generic")).unwrap();
    let (_, closing) = Policies::builtin().iter().find(|(name, _)| name.starts_with("default")).unwrap();
    for (text, from, to) in [
        (good, "P10Y", "10 years"),
        (good, "P10Y", "P0Y"),
        (good, "P10Y", "P-10Y"),
        (good, "P10Y", "P999999Y"),
        (good, "P10Y", "PT10H"),
        (good, "P10Y", "P6M1Y"),
        (good, "P10Y", "P1Y1Y"),
        (good, "P10Y", "P99999999999999999999Y"),
        (good, "version = 1", "version = 0"),
        (good, "[\"date\", \"accepted_at\"]", "[]"),
        (good, "\"year\"", "\"century\""),
        (good, "status = \"to-be-confirmed\"", "status = \"maybe\""),
        (good, "kind = \"retention\"", "kind = \"other\""),
        (good, "term = ", "tern = "),
        (closing, "documents = 10000", "documents = 0"),
        (closing, "bytes = \"1GiB\"", "bytes = \"1 gigabyte\""),
        (closing, "age = \"24h\"", ""),
        (closing, "age = \"24h\"", "age = \"0s\""),
    ] {
        let text = text.replace(from, to);
        let error = Policy::parse(&text, "p.toml").unwrap_err();
        assert_eq!(error.code, Code::ConfigInvalid, "{to}");
        assert!(error.place.starts_with("p.toml"), "{error}");
    }
}

#[test]
fn cut_or_altered_text_never_panics() {
    for (_, text) in Policies::builtin() {
        for cut in (0..text.len()).filter(|i| text.is_char_boundary(*i)) {
            let _ = Policy::parse(&text[..cut], "p.toml");
        }
        for at in 0..text.len() {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] ^= 0x15;
            if let Ok(text) = String::from_utf8(bytes) {
                let _ = Policy::parse(&text, "p.toml");
            }
        }
    }
}
