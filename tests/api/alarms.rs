//! `GET /v1/alarms` and `custode alarms`: logs that are missing or not time-stamped in good time.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use serde_json::{Value, json};

use crate::server::{Archive, Server, codes, problem, text};

/// So many days ago, in Italy.
fn day(ago: i64) -> Date {
    Timestamp::now().to_zoned(TimeZone::get("Europe/Rome").unwrap()).date().saturating_sub(ago.days())
}

fn log(server: &Server, token: &str, installation: &str, day: Date) {
    let metadata = json!({ "provider": "Posta Esempio", "installation": installation, "day": day });
    let body = format!("{day} log di {installation}\n").into_bytes();
    let reply = server.deposit(token, "pec-log", &format!("{installation}-{day}.log"), &metadata, body);
    assert_eq!(reply.status(), 201, "{}", reply.text().unwrap());
}

fn of<'a>(alarms: &'a Value, code: &str) -> Vec<&'a Value> {
    alarms["alarms"].as_array().unwrap().iter().filter(|alarm| alarm["code"] == code).collect()
}

#[test]
fn missing_days_are_alarms_until_their_log_comes() {
    let archive = Archive::new();
    archive.configure("#installations = []", "installations = [\"PEC9\"]");
    // Asked for at midday: whatever the hour of the test, yesterday's log is due.
    archive.configure("#expected_by = \"06:00\"", "expected_by = \"00:00\"");
    let server = archive.serve();
    let (producer, auditor) = (server.archive.token("producer"), server.archive.token("auditor"));
    for ago in [6, 5, 2] {
        log(&server, &producer, "PEC1", day(ago));
    }
    server.seal();
    let alarms = server.json("/v1/alarms", &auditor);
    let gap = of(&alarms, "pec-log/gap");
    assert_eq!(gap.len(), 1, "{alarms}");
    assert_eq!(gap[0]["place"], format!("installation PEC1, {} to {}", day(4), day(3)));
    assert_eq!(gap[0]["severity"], "error");
    let missing: Vec<&str> =
        of(&alarms, "pec-log/not-deposited").iter().map(|alarm| alarm["place"].as_str().unwrap()).collect();
    assert_eq!(missing.len(), 2, "{alarms}");
    assert!(missing.contains(&format!("installation PEC1, {}", day(1)).as_str()), "{alarms}");
    assert!(missing.contains(&format!("installation PEC9, {}", day(1)).as_str()), "{alarms}");

    let first = server.json("/v1/alarms?limit=1", &auditor);
    assert_eq!((first["alarms"].as_array().unwrap().len(), first["total"].as_u64()), (1, Some(3)));
    let second = server.json(&format!("/v1/alarms?limit=2&cursor={}", first["cursor"].as_str().unwrap()), &auditor);
    assert!(second["cursor"].is_null() && second["alarms"].as_array().unwrap().len() == 2, "{second}");
    assert!(!second["alarms"].as_array().unwrap().contains(&first["alarms"][0]));
    problem(server.get("/v1/alarms?limit=0", &auditor).send().unwrap(), 400);
    problem(server.get("/v1/alarms?cursor=%21", &auditor).send().unwrap(), 400);

    let listed = server.archive.run(&["alarms"]);
    assert_eq!(listed.status.code(), Some(1), "{}", text(&listed.stdout));
    assert!(text(&listed.stdout).contains("pec-log/gap"), "{}", text(&listed.stdout));

    for ago in [4, 3, 1] {
        log(&server, &producer, "PEC1", day(ago));
    }
    log(&server, &producer, "PEC9", day(1));
    server.seal();
    assert_eq!(server.json("/v1/alarms", &auditor)["total"], 0);
    let listed = server.archive.run(&["alarms", "--json"]);
    assert_eq!(listed.status.code(), Some(0));
    assert_eq!(serde_json::from_slice::<Value>(&listed.stdout).unwrap()["alarms"], json!([]));
}

#[test]
fn a_log_that_waits_for_its_time_stamp_too_long_is_an_alarm() {
    let archive = Archive::new();
    // Nothing answers there, and nothing else makes time-stamps.
    archive.configure(
        "# [[tsa.authorities]]\n# url = \"https://…\"",
        "[[tsa.authorities]]\nurl = \"http://127.0.0.1:9/\"",
    );
    let server = archive.serve();
    let (producer, auditor) = (server.archive.token("producer"), server.archive.token("auditor"));
    log(&server, &producer, "PEC1", day(0));
    log(&server, &producer, "PEC1", day(1));
    log(&server, &producer, "PEC1", day(2));
    let alarms = server.json("/v1/alarms", &auditor);
    let waiting = of(&alarms, "pec-log/not-stamped");
    // The day before yesterday's term is over; yesterday's is near from 20:00 on.
    let late: Vec<_> = waiting.iter().filter(|alarm| alarm["severity"] == "error").collect();
    assert_eq!(late.len(), 1, "{alarms}");
    assert!(late[0]["place"].as_str().unwrap().starts_with("document "));
    let night = server.archive.run(&["nightly"]);
    assert_eq!(night.status.code(), Some(1), "{}{}", text(&night.stdout), text(&night.stderr));
    assert!(text(&night.stdout).contains("pec-log/not-stamped"), "{}", text(&night.stdout));
}

#[test]
fn an_identity_file_that_stays_incomplete_is_an_alarm() {
    let mut server = Server::new();
    let (producer, auditor) = (server.archive.token("producer"), server.archive.token("auditor"));
    let part = |part: &str, side: Option<&str>, practice: &str| {
        let mut given = json!({ "part": part, "practice": practice, "service": "fea" });
        if let Some(side) = side {
            given["side"] = json!(side);
        }
        given
    };
    let copy = "identity-document";
    // One subject's file in one deposit, without its back: said at once.
    let files = json!([
        { "name": "fronte.jpg", "metadata": part(copy, Some("front"), "a1") },
        { "name": "dichiarazione.pdf", "metadata": part("acceptance-declaration", None, "a1") },
    ]);
    let (jpeg, pdf) = (custode::corpus::jpeg(), custode::corpus::pdf(1));
    let whole = json!({ "class": copy, "files": files });
    let reply = server.deposit_many(&producer, "", &whole, &[("fronte.jpg", &jpeg), ("dichiarazione.pdf", &pdf)]);
    assert_eq!(reply.status(), 201, "{}", reply.text().unwrap());
    let receipt: Value = reply.json().unwrap();
    assert_eq!(codes(&receipt), ["identity/incomplete"], "{receipt}");
    let metadata = &receipt["documents"][0]["metadata"];
    assert_eq!((&metadata["width"], &metadata["height"]), (&json!(680), &json!(428)), "{metadata}");
    // Another's, in two deposits: the first is only the beginning.
    let reply = server.deposit(&producer, copy, "f.jpg", &part(copy, None, "b2"), [jpeg.as_slice(), b" "].concat());
    assert_eq!(codes(&reply.json().unwrap()), [""; 0]);
    assert_eq!(server.json("/v1/alarms", &auditor)["total"], 0);

    server.restart_after(&[("CUSTODE_TEST_CLOCK_SHIFT", "90000")], |_| {});
    let alarms = server.json("/v1/alarms", &auditor);
    let open = of(&alarms, "identity/incomplete");
    assert_eq!(open.len(), 2, "{alarms}");
    assert!(open.iter().any(|alarm| alarm["message"].as_str().unwrap().ends_with("missing: back")), "{alarms}");
    assert!(!alarms.to_string().contains("a1\""), "{alarms}");
    let rest = [
        (part(copy, Some("back"), "a1"), [jpeg.as_slice(), b"\n"].concat()),
        (part("acceptance-declaration", None, "b2"), [pdf.as_slice(), b"\n"].concat()),
    ];
    for (given, body) in rest {
        let reply = server.deposit(&producer, copy, "x", &given, body);
        assert_eq!(reply.status(), 201, "{}", reply.text().unwrap());
    }
    assert_eq!(server.json("/v1/alarms", &auditor)["total"], 0);
}
