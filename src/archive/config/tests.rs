use super::*;
use crate::error::Code;
use crate::units::{Lapse, Size};

fn template(profile: Profile) -> Template {
    Template {
        profile,
        name: "esempio".into(),
        origin: None,
        keys: None,
        holder: Some("Esempio \"A & B\" {{name}} S.r.l.".into()),
        holder_id: Some("VATIT-01234567890".parse().unwrap()),
        manager: Some("Maria Esempio".into()),
        anchors: Vec::new(),
        tsa: vec![],
    }
}

fn parse(text: &str) -> Result<Config> {
    Config::parse(text, Path::new("/srv/archive"))
}

fn trial() -> String {
    template(Profile::Trial).render()
}

/// The error that a change of the trial file gives, with the place where the changed text stands.
fn broken(from: &str, to: &str) -> Error {
    let text = trial();
    assert!(text.contains(from), "{from}");
    parse(&text.replacen(from, to, 1)).expect_err(to)
}

#[test]
fn the_trial_template_is_a_valid_configuration() {
    let config = parse(&trial()).unwrap();
    assert_eq!((config.name.as_str(), config.origin.as_str()), ("esempio", "esempio"));
    assert_eq!(config.keys, Path::new("/srv/archive/../esempio.keys"));
    assert_eq!(config.holder.agent.name, AgentName::Legal("Esempio \"A & B\" {{name}} S.r.l.".into()));
    assert_eq!(config.holder.role.as_str(), "soggetto produttore");
    assert_eq!(config.manager.name, AgentName::Natural { first: "Maria".into(), last: "Esempio".into() });
    assert_eq!(config.intake.max_document, Size(150_000_000));
    assert_eq!(config.intake.max_refusals, 3);
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:8480");
    assert_eq!(config.agreements.len(), 1);
    assert_eq!(config.agreement("anyone", &"invoice".parse().unwrap()).unwrap().id, "base");
    config.check_profile(Profile::Trial).unwrap();
}

#[test]
fn a_trial_template_without_any_name_says_that_it_is_a_trial() {
    let bare = Template { holder: None, holder_id: None, manager: None, ..template(Profile::Trial) };
    let config = parse(&bare.render()).unwrap();
    assert_eq!(config.holder.agent.name.to_string(), "PROVA: titolare non indicato");
    assert_eq!(config.holder.agent.id, None);
    assert_eq!(config.submitter.documents[0].to_string(), "PROVA: senza valore legale, nessun atto");
    config.check_profile(Profile::Trial).unwrap();
    let refused = config.check_profile(Profile::Production).unwrap_err();
    assert_eq!(refused.findings.iter().filter(|f| f.message.contains("still says that it is a trial")).count(), 3);
}

#[test]
fn the_defaults_shown_are_the_defaults() {
    // Every `#key = value` line uncommented must change nothing.
    let shown: String = trial()
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase()) && !rest.starts_with("lang") => rest,
            _ => line,
        })
        .filter(|line| !line.starts_with("command") && !line.starts_with("clamd"))
        .flat_map(|line| [line, "\n"])
        .collect();
    assert!(shown.lines().count() > 100 && shown.contains("\nmax_document") && shown.contains("\nlisten"));
    assert_eq!(parse(&shown).unwrap(), parse(&trial()).unwrap());
    for empty in ["command = []", "clamd = \"\""] {
        assert_eq!(parse(&trial().replace(&format!("#{empty}"), empty)).unwrap().malware, Malware::Off);
    }
}

#[test]
fn a_production_file_does_not_run_until_it_is_filled_in() {
    let config = parse(&template(Profile::Production).render()).unwrap();
    let refused = config.check_profile(Profile::Production).unwrap_err();
    assert_eq!(refused.code, Code::ProfileForbids);
    let places: Vec<&str> = refused.findings.iter().map(|f| f.place.as_str()).collect();
    let expected = ["submitter", "holder", "signers", "vault", "tsa.authorities", "tsa.anchors"];
    assert_eq!(places, expected.map(|key| format!("custode.toml {key}")));

    let nobody = Template { holder: None, manager: None, ..template(Profile::Production) };
    let error = parse(&nobody.render()).unwrap_err();
    assert_eq!(error.code, Code::ConfigMissing);
    assert_eq!(error.findings.len(), 4, "{error}");

    let anchor = tempfile::NamedTempFile::new().unwrap();
    let template = Template { tsa: vec!["https://tsa.example/ts".into()], ..template(Profile::Production) };
    let text = template
        .render()
        .replace("#documents = []", "documents = [{ title = \"Accordo\", version = \"1\", date = \"2026-01-01\" }]")
        .replace("#anchors = []", &format!("anchors = ['{}']", anchor.path().display()))
        .replace("[copies]\n", "[[vault]]\nname = \"local\"\nsite = \"Milano\"\ncountry = \"IT\"\n\n[copies]\n");
    let config = parse(&text).unwrap();
    config.check_profile(Profile::Production).unwrap();
    assert_eq!(config.tsa.authorities[0].url.as_str(), "https://tsa.example/ts");
    assert_eq!(config.signers[0].agent.documents[0].to_string(), "Accordo, versione 1, 2026-01-01");
    let open = parse(&text.replace("#listen = \"127.0.0.1", "listen = \"0.0.0.0")).unwrap();
    open.check_profile(Profile::Production).unwrap();
}

#[test]
fn a_trial_archive_listens_on_loopback_only() {
    for (listen, fine) in [("127.0.0.1:1", true), ("[::1]:80", true), ("0.0.0.0:8480", false), ("192.0.2.1:80", false)]
    {
        let text = trial().replace("#listen = \"127.0.0.1:8480\"", &format!("listen = \"{listen}\""));
        let checked = parse(&text).unwrap().check_profile(Profile::Trial);
        assert_eq!(checked.is_ok(), fine, "{listen}");
        if let Err(error) = checked {
            assert_eq!((error.code, error.place.as_str()), (Code::ProfileForbids, "custode.toml http.listen"));
        }
    }
}

#[test]
fn every_wrong_value_names_its_line_and_what_is_accepted() {
    for (from, to, accepted) in [
        ("name = \"esempio\"", "name = \"Esempio!\"", "lower-case letters"),
        ("name = \"esempio\"", "name = 3", "expected a string"),
        ("origin = \"esempio\"", "origin = \"two words\"", "URL without scheme"),
        ("#lang = \"\"", "lang = \"fr\"", "\"it\" or \"en\""),
        ("keys = \"../esempio.keys\"", "keys = \"keys\"", "outside the archive"),
        ("keys = \"../esempio.keys\"", "keys = \"../x/../archive/keys\"", "outside the archive"),
        ("id = \"VATIT-01234567890\"", "id = \"IT01234567890\"", "VATIT-01234567890"),
        ("role = \"soggetto produttore\"", "role = \"titolare\"", "soggetto detentore"),
        ("kind = \"private\"", "kind = \"other\"", "declared-private"),
        ("first_name = \"Maria\"", "role = \"x\"\nfirst_name = \"Maria\"", "not a key of this table"),
        ("#max_document = \"150MB\"", "max_document = \"150 megabytes\"", "KiB, MiB"),
        ("#max_document = \"150MB\"", "max_document = -1", "KiB, MiB"),
        ("#max_document = \"150MB\"", "max_document = 0", "at least 1B"),
        ("#max_deposit = \"1GiB\"", "max_deposit = \"1MB\"", "at least intake.max_document"),
        ("#max_refusals = 3", "max_refusals = 2", "at least 3"),
        ("#idle_timeout = \"60s\"", "idle_timeout = \"60\u{b5}s\"", "ms, s, min"),
        ("#max_files = 1000", "max_flies = 1000", "max_files"),
        ("#mirrors = []", "mirrors = [\"/nonexistent/mirror\"]", "does not make copies"),
        ("#anchors = []", "anchors = [\"/nonexistent.pem\"]", "a file that exists"),
        ("#anchors = []", "anchors = \"one.pem\"", "sequence"),
        ("#compression = 3", "compression = 99", "less than 20"),
        ("#listen = \"127.0.0.1:8480\"", "listen = \"localhost\"", "127.0.0.1:8480"),
        ("#log = \"text\"", "log = \"xml\"", "\"text\" or \"json\""),
        ("#level = \"info\"", "level = \"custode=loud\"", "debug"),
        ("#clamd = \"\"", "clamd = \"/run/clamd\"", "unix:/run"),
        ("#command = []", "command = [\"\"]", "a program"),
        ("#timeout = \"30s\"", "timeout = \"0s\"", "at least 1s"),
    ] {
        let error = broken(from, to);
        assert_eq!(error.code, Code::ConfigInvalid, "{error}");
        assert!(error.detail.contains(accepted), "{to}: {error}");
        let text = trial();
        let at = text.find(from).unwrap();
        let line = text[..at].matches('\n').count() + 1;
        assert!(error.place.starts_with(&format!("custode.toml:{line}:")), "{to}: {error}");
    }
}

fn with_table(table: &str) -> Result<Config> {
    parse(&trial().replace("\n[end]", &format!("\n{table}\n[end]")))
}

#[test]
fn authorities_never_hold_a_secret() {
    let url = "[[tsa.authorities]]\nurl = \"https://tsa.example\"\n";
    assert!(with_table(url).is_ok());
    let with_env = with_table(&format!("{url}username = \"u\"\npassword_env = \"CUSTODE_TSA_PASSWORD\"")).unwrap();
    let login = with_env.tsa.authorities[0].login.clone().unwrap();
    assert_eq!(login, ("u".to_owned(), Secret::Env("CUSTODE_TSA_PASSWORD".into())));
    for (rest, accepted) in [
        ("password = \"x\"", "unknown field `password`"),
        ("username = \"u\"", "expected both"),
        ("password_env = \"X\"", "expected both"),
        ("username = \"u\"\npassword_file = \"/nonexistent\"", "a file that exists"),
        ("username = \"u\"\npassword_env = \"A B\"", "environment variable"),
        ("policy = \"tsa\"", "object identifier"),
        ("timeout = \"1d\"", "less than"),
    ] {
        let error = with_table(&format!("{url}{rest}")).unwrap_err();
        assert!(error.detail.contains(accepted), "{rest}: {error}");
    }
    for bad in ["https://u:p@tsa.example", "ftp://tsa.example", "tsa.example", "https://tsa.example/#x"] {
        assert!(with_table(&format!("[[tsa.authorities]]\nurl = \"{bad}\"")).is_err(), "{bad}");
    }
}

#[test]
fn secrets_are_read_from_their_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "hunter two\nsecond line\n").unwrap();
    assert_eq!(Secret::File(file.path().into()).read().unwrap(), "hunter two");
    std::fs::write(file.path(), "\n").unwrap();
    assert_eq!(Secret::File(file.path().into()).read().unwrap_err().code, Code::ConfigMissing);
    assert_eq!(Secret::Env("CUSTODE_SURELY_NOT_SET".into()).read().unwrap_err().code, Code::ConfigMissing);
}

#[test]
fn the_manager_is_a_third_party_to_the_conservator() {
    for (conservator, fine) in [
        ("name = \"Conservatore Esempio S.p.A.\"", true),
        ("first_name = \"MARIA\"\nlast_name = \"esempio\"", false),
        ("name = \"Maria Esempio\"", false),
    ] {
        let config = with_table(&format!("[conservator]\n{conservator}"));
        assert_eq!(config.is_ok(), fine, "{conservator}");
        if let Err(error) = config {
            assert!(error.detail.contains("third party"), "{error}");
        }
    }
    let same_id = trial().replace("\nid = \"\"", "\nid = \"VATIT-22222222222\"");
    let text = same_id.replace("\n[end]", "\n[conservator]\nname = \"Altro nome\"\nid = \"VATIT-22222222222\"\n[end]");
    assert!(parse(&text).unwrap_err().detail.contains("third party"));
}

#[test]
fn agreements_say_who_may_deposit_what() {
    let config = with_table(
        "[[agreements]]\nid = \"posta\"\nproducers = [\"posta-aziendale\"]\nclasses = [\"pec-message\"]\nmax_refusals = 5\n\
         [[agreements]]\nid = \"altro\"\nclasses = [\"generic\"]",
    )
    .unwrap();
    let id = |producer: &str, class: &str| config.agreement(producer, &class.parse().unwrap()).map(|a| a.id.as_str());
    assert_eq!(id("posta-aziendale", "pec-message"), Some("posta"));
    assert_eq!(id("other", "pec-message"), None);
    assert_eq!(id("other", "generic"), Some("altro"));
    assert_eq!(config.agreements[0].max_refusals, 5);
    for bad in ["id = \"X\"", "classes = []", "id = \"a\"\nmax_refusals = 1", "id = \"a\"\nclasses = [\"../x\"]"] {
        assert!(with_table(&format!("[[agreements]]\n{bad}")).is_err(), "{bad}");
    }
    assert!(with_table("[[agreements]]\nid = \"a\"\n[[agreements]]\nid = \"a\"").is_err());
}

#[test]
fn everything_wrong_is_said_at_once_in_order() {
    let text = trial().replace("kind = \"private\"", "kind = \"x\"").replace("#max_refusals = 3", "max_refusals = 1");
    let error = parse(&text.replace("name = \"esempio\"", "name = \"E\"")).unwrap_err();
    let places: Vec<usize> =
        error.findings.iter().map(|f| f.place.split(':').nth(1).unwrap().parse().unwrap()).collect();
    assert_eq!(places.len(), 3, "{error}");
    assert!(places.is_sorted());
    assert_eq!(error.place, error.findings[0].place);
}

#[test]
fn a_file_cut_short_anywhere_is_an_error_with_its_place() {
    let text = trial();
    let whole = text.trim_end().len();
    for cut in (0..whole).filter(|i| text.is_char_boundary(*i)) {
        let error = parse(&text[..cut]).expect_err("a cut file must not be a configuration");
        assert!(matches!(error.code, Code::ConfigInvalid | Code::ConfigMissing));
        assert!(error.place.starts_with("custode.toml:"), "{cut}: {error}");
    }
    assert_eq!(parse(&text.replace("complete = true", "complete = false")).unwrap_err().code, Code::ConfigMissing);
}

#[test]
fn flipped_bytes_never_panic() {
    let text = trial();
    for at in (0..text.len()).step_by(3) {
        for flip in [0x01, 0x15, 0x20] {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] ^= flip;
            if let Ok(text) = String::from_utf8(bytes) {
                let _ = parse(&text);
            }
        }
    }
    for deep in ["[".repeat(100_000), format!("a = {}", "[".repeat(100_000)), "a.".repeat(50_000)] {
        assert!(parse(&deep).is_err());
    }
}

#[test]
fn files_that_are_not_text_or_too_large_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Config::load(folder.path()).unwrap_err().code, Code::FileMissing);
    let path = folder.path().join(FILE_NAME);
    for bytes in [vec![0xff, 0xfe, 0x00], vec![b'#'; 2 << 20]] {
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(Config::load(folder.path()).unwrap_err().code, Code::ConfigInvalid);
    }
    std::fs::write(&path, trial()).unwrap();
    assert_eq!(Config::load(folder.path()).unwrap().sealing.interval, Lapse::from_secs(10));
}

#[test]
fn identifiers_follow_the_pattern_of_the_schema() {
    for good in ["VATIT-01234567890", "TINIT-RSSMRA80A01H501U", "IT:IT-x", "a1:DE-0", "NTRIT-1"] {
        assert!(good.parse::<AgentId>().is_ok(), "{good}");
    }
    for bad in [
        "",
        "VATIT-",
        "VATit-1",
        "VATIT1",
        "XXXIT-1",
        "VATIT-1 ",
        " VATIT-1",
        "VATIT-1\n",
        "::IT-1",
        "VATIT-à",
        "é:IT-1",
    ] {
        assert!(bad.parse::<AgentId>().is_err(), "{bad}");
    }
}

#[test]
fn folder_names_become_archive_names() {
    for (folder, name) in
        [("archive", "archive"), ("Archivio 2026", "archivio-2026"), ("2026", "archive-2026"), ("…", "archive")]
    {
        assert_eq!(Template::name_from(folder), name);
    }
    assert!(Template::name_from(&"é1".repeat(200)).parse::<crate::id::ClassId>().is_ok());
}

#[test]
fn trial_is_stamped_and_production_is_not() {
    assert_eq!(Profile::Trial.stamp(), Some("PROVA: senza valore legale"));
    assert_eq!(Profile::Production.stamp(), None);
    assert_eq!("trial".parse::<Profile>().unwrap(), Profile::Trial);
    assert!("Trial".parse::<Profile>().is_err());
}

/// The trial file with these tables of vaults, and more in `[copies]`.
fn with_vaults(tables: &str, copies: &str) -> Result<Config> {
    parse(&trial().replacen("[copies]\n", &format!("{tables}\n[copies]\n{copies}\n"), 1))
}

#[test]
fn vaults_are_the_local_one_and_those_with_a_table() {
    let config = parse(&trial()).unwrap();
    let names = |config: &Config| config.vaults.iter().map(|vault| vault.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&config), ["local"]);
    assert_eq!((config.vaults[0].path.as_path(), config.copies.required), (Path::new("/srv/archive/packages"), 1));
    assert!(config.copies.countries.contains(&"IT".to_owned()) && config.copies.countries.len() == 30);
    let second =
        "[[vault]]\nname = \"b\"\npath = \"/mnt/b\"\nsite = \"Torino\"\ncountry = \"IT\"\noperator = \"Altro\"\n";
    let config = with_vaults(second, "required = 2").unwrap();
    assert_eq!((names(&config), config.copies.required), (vec!["local".to_owned(), "b".to_owned()], 2));
    assert_eq!(config.vaults[1].site.as_deref(), Some("Torino"));
    let local = "[[vault]]\nname = \"local\"\npath = \"/mnt/a\"\n";
    let config = with_vaults(&format!("{second}{local}"), "").unwrap();
    assert_eq!(names(&config), ["b", "local"], "in the order they stand");
    assert_eq!(config.vaults[1].path, Path::new("/mnt/a"));
    for (tables, copies, accepted) in [
        ("[[vault]]\npath = \"/mnt/b\"", "", "the vault's name"),
        ("[[vault]]\nname = \"b\"", "", "the folder the copies are in"),
        ("[[vault]]\nname = \"B!\"\npath = \"/b\"", "", "lower-case letters"),
        ("[[vault]]\nname = \"b\"\npath = \"/b\"\ncountry = \"Italia\"", "", "two capital letters"),
        (
            "[[vault]]\nname = \"b\"\npath = \"/b\"\n[[vault]]\nname = \"b\"\npath = \"/c\"",
            "",
            "each name and each folder once",
        ),
        (
            "[[vault]]\nname = \"b\"\npath = \"/b\"\n[[vault]]\nname = \"c\"\npath = \"/b/../b/x\"",
            "",
            "none inside another",
        ),
        ("[[vault]]\nname = \"b\"\npath = \"chain/x\"", "", "a folder of its own"),
        ("[[vault]]\nname = \"b\"\npath = \"..\"", "", "a folder of its own"),
        (second, "required = 3", "less than 3"),
        (second, "required = 0", "at least 1"),
    ] {
        let error = with_vaults(tables, copies).expect_err(tables);
        assert!(error.to_string().contains(accepted), "{tables}: {error}");
    }
    // Whatever stands in it, a production archive keeps copies only where it may.
    let config = with_vaults(&second.replace("IT", "CH"), "").unwrap();
    let found = config.profile_findings(Profile::Production);
    let said: Vec<_> = found.iter().filter(|f| f.place.ends_with("vault")).map(|f| f.message.clone()).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        with_vaults(&second.replace("IT", "CH"), "countries = [\"CH\"]")
            .unwrap()
            .profile_findings(Profile::Production)
            .iter()
            .filter(|f| f.place.ends_with("vault"))
            .count()
            == 1
    );
}
