//! Pages that are made from the code are up to date. `CUSTODE_BLESS=1 cargo test --test docs` writes them anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use custode::archive::config::{Profile, Template};
use custode::error::{Code, Kind, Lang};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn up_to_date(name: &str, expected: &str) {
    let path = path(name);
    if std::env::var_os("CUSTODE_BLESS").is_some() {
        std::fs::write(&path, expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{name} is out of date: run CUSTODE_BLESS=1 cargo test --test docs");
}

#[test]
fn the_table_of_codes_is_up_to_date() {
    let mut page = String::from(
        "# Codes\n\nEvery error and finding that Custode can utter (`Code::ALL`; made by `tests/docs.rs`). A code, once published, keeps \
         its meaning for ever. *Exit* is that of a command that ends with it; a code of kind \"finding\" only ever stands inside a \
         receipt or report.\n\n| code | HTTP | exit | meaning | significato | what to do |\n|---|---|---|---|---|---|\n",
    );
    for code in Code::ALL {
        let (http, exit) = match code.kind() {
            Kind::Finding => ("finding".to_owned(), String::new()),
            // Never uttered by a server: it did not start.
            Kind::Config => (String::new(), code.kind().exit_status().to_string()),
            kind => (kind.http_status().to_string(), kind.exit_status().to_string()),
        };
        let cell = |text: &str| text.replace('|', "\\|");
        writeln!(
            page,
            "| `{}` | {http} | {exit} | {} | {} | {} |",
            code.as_str(),
            cell(code.text(Lang::En)),
            cell(code.text(Lang::It)),
            cell(code.hint(Lang::En))
        )
        .unwrap();
    }
    let distinct: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(distinct.len(), Code::ALL.len(), "two codes have one name");
    up_to_date("docs/codes.md", &page);
}

#[test]
fn the_page_of_settings_is_the_file_that_init_writes() {
    let template = Template {
        profile: Profile::Production,
        name: "archivio".to_owned(),
        origin: Some("example.org/archivio".to_owned()),
        keys: None,
        holder: Some("Esempio S.p.A.".to_owned()),
        holder_id: Some("VATIT-01234567890".parse().unwrap()),
        manager: Some("Anna Esempio".to_owned()),
        tsa: vec!["https://tsa.example/rfc3161".to_owned()],
        anchors: vec!["/etc/custode/tsa-root.pem".to_owned()],
    };
    let page = format!(
        "# Settings\n\nThe `custode.toml` that `custode init --profile production` writes (made by `tests/docs.rs`). Lines that start with \
         `#key` show defaults.\n\n```toml\n{}\n```\n",
        template.render().trim_end()
    );
    up_to_date("docs/configuration.md", &page);
}

/// Every relative link of every page leads somewhere.
#[test]
fn links_between_pages_lead_somewhere() {
    let mut seen = 0;
    let mut pages = vec![path("README.md")];
    pages.extend(std::fs::read_dir(path("docs")).unwrap().map(|entry| entry.unwrap().path()));
    for page in pages.iter().filter(|page| page.extension().is_some_and(|e| e == "md")) {
        let text = std::fs::read_to_string(page).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") || target.starts_with('#') {
                continue;
            }
            let file = page.parent().unwrap().join(target.split('#').next().unwrap());
            assert!(file.exists(), "{}: {target}", page.display());
            seen += 1;
        }
    }
    assert!(seen > 10, "{seen} links");
}
