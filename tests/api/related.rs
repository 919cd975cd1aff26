//! `GET /v1/documents/{id}/related` and `custode show`: a whole conversation, asked from every one of its members, before
//! and after sealing and from a catalog that was made again.

use std::collections::{BTreeMap, BTreeSet};

use custode::corpus::{Generator, Item, Options, Outcome};
use serde_json::{Value, json};

use crate::server::{Server, text};

fn corpus(seed: u64, outcome: Outcome) -> Vec<Item> {
    since(seed, outcome, Options::default().start)
}

/// A conversation of that day, with the sender's copy.
fn since(seed: u64, outcome: Outcome, start: jiff::civil::Date) -> Vec<Item> {
    let mut generator = Generator::new(seed, Options { sent_copies: true, start, ..Options::default() }).unwrap();
    let mut items = generator.conversation_with(outcome).unwrap();
    for copy in items.iter_mut().filter(|item| item.name.ends_with("-inviata.eml")) {
        copy.class = "pec-message";
        copy.metadata = serde_json::Map::from_iter([("flow".to_owned(), json!("U"))]);
    }
    items
}

/// Deposits in an order that is not the order of things, and gives the name of every document.
fn shuffled(server: &Server, producer: &str, items: Vec<Item>) -> BTreeMap<String, String> {
    let mut items: Vec<(usize, Item)> = items.into_iter().enumerate().collect();
    let count = items.len();
    items.sort_by_key(|(n, _)| (n * 7 + 3) % count.max(1) + usize::from(n % 2 == 0) * count);
    let mut names = BTreeMap::new();
    for (_, item) in items {
        let metadata = Value::Object(item.metadata.clone());
        let reply = server.deposit(producer, item.class, &item.name, &metadata, item.bytes.clone());
        assert_eq!(reply.status(), 201, "{}: {}", item.name, reply.text().unwrap());
        let receipt: Value = reply.json().unwrap();
        names.insert(receipt["documents"][0]["id"].as_str().unwrap().to_owned(), item.name.clone());
    }
    names
}

/// What an answer says, with names for identifiers.
fn said(related: &Value, names: &BTreeMap<String, String>) -> Value {
    let transactions = related["conversation"]["transactions"].as_array().unwrap();
    assert_eq!(transactions.len(), 1, "{related}");
    let one = &transactions[0];
    let name = |id: &Value| names[id.as_str().unwrap()].clone();
    let named = |list: &Value| list.as_array().unwrap().iter().map(&name).collect::<BTreeSet<_>>();
    let recipients: Vec<Value> = one["recipients"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| json!([r["address"], r["state"], r["at"], named(&r["documents"])]))
        .collect();
    let messages: Vec<String> =
        one["messages"].as_array().unwrap().iter().map(|message| name(&message["document"])).collect();
    json!([one["identifier"], one["state"], one["direction"], recipients, messages, one["findings"]])
}

fn linked(related: &Value) -> BTreeSet<String> {
    let links = related["links"].as_array().unwrap().iter();
    links.flat_map(|l| l["documents"].as_array().unwrap()).map(|d| d["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_conversation_is_whole_from_every_member_whatever_came_first_and_after_everything() {
    let mut server = Server::new();
    let producer = server.archive.token("producer");
    let manager = server.archive.manager.clone();
    let items = corpus(5, Outcome::NoMailbox);
    let names = shuffled(&server, &producer, items);
    // Another conversation that must stay out of it.
    shuffled(&server, &producer, corpus(6, Outcome::Complete));
    assert!(names.len() >= 5 && names.values().any(|name| name.contains("inviata")), "{names:?}");

    let from_everywhere = |server: &Server| {
        let mut answers = Vec::new();
        for id in names.keys() {
            let related = server.json(&format!("/v1/documents/{id}/related"), &manager);
            let mut others: BTreeSet<String> = names.keys().cloned().collect();
            others.remove(id);
            let named = |ids: BTreeSet<String>| ids.into_iter().map(|id| names[&id].clone()).collect::<Vec<_>>();
            assert_eq!(named(linked(&related)), named(others), "from {}", names[id]);
            assert_eq!((&related["not_shown"], &related["cursor"]), (&json!(0), &Value::Null));
            assert_eq!(related["bounds_reached"], json!([]));
            answers.push(said(&related, &names));
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:#?}");
        answers.remove(0)
    };
    let fresh = from_everywhere(&server);
    assert_eq!((&fresh[1], &fresh[2]), (&json!("accepted"), &json!("sent")));
    assert_eq!(fresh[3][0][1], "failed", "{fresh}");
    assert_eq!(fresh[5], json!([]), "{fresh}");

    server.seal();
    assert_eq!(from_everywhere(&server), fresh);
    let shown = server.archive.run(&["show", names.keys().next().unwrap()]);
    let shown = text(&shown.stdout);
    assert!(shown.contains("PEC transmission") && shown.contains("not delivered"), "{shown}");
    let shown = server.archive.command(&["show", names.keys().next().unwrap(), "--lang", "it"]).output().unwrap();
    assert!(text(&shown.stdout).contains("non consegnato"), "{}", text(&shown.stdout));
    server.restart_after(&[], |archive| {
        std::fs::remove_dir_all(archive.path("catalog")).unwrap();
        assert!(archive.run(&["reindex"]).status.success());
    });
    assert_eq!(from_everywhere(&server), fresh);
}

#[test]
fn a_member_of_a_class_that_may_not_be_read_is_counted_and_not_shown() {
    let server = Server::new();
    let producer = server.archive.token("producer");
    let names = shuffled(&server, &producer, corpus(5, Outcome::NotAcceptedVirus));
    let manager = server.archive.manager.clone();
    let limited = server.archive.manage(&["token", "create", "--role", "reader", "--class", "pec-message"]);
    let limited = limited["secret"].as_str().unwrap();
    let notice = names.iter().find(|(_, name)| name.contains("non-accettazione")).map(|(id, _)| id).unwrap();
    let all = server.json(&format!("/v1/documents/{notice}/related"), &manager);
    let few = server.json(&format!("/v1/documents/{notice}/related"), limited);
    let of_virus = |answer: &Value| answer.to_string().matches("\"pec-virus\"").count();
    assert_eq!(of_virus(&few), 0, "{few}");
    let hidden = linked(&all).len() - linked(&few).len();
    assert_eq!(few["not_shown"].as_u64().unwrap() as usize, hidden, "{few}");
    assert_eq!(all["conversation"]["transactions"][0]["state"], "not-accepted", "{all}");
}

#[test]
fn the_answer_is_as_described_and_long_ones_are_paged() {
    let server = Server::new();
    let producer = server.archive.token("producer");
    let manager = server.archive.manager.clone();
    let names = shuffled(&server, &producer, corpus(6, Outcome::Complete));
    let api: Value = server.client.get(format!("{}/openapi.json", server.base)).send().unwrap().json().unwrap();
    let described = &api["components"]["schemas"];
    let id = names.keys().next().unwrap();
    let related = server.json(&format!("/v1/documents/{id}/related"), &manager);
    for (schema, value) in [
        ("Related", &related),
        ("Link", &related["links"][0]),
        ("Conversation", &related["conversation"]),
        ("Transaction", &related["conversation"]["transactions"][0]),
        ("Recipient", &related["conversation"]["transactions"][0]["recipients"][0]),
        ("PlacedMessage", &related["conversation"]["transactions"][0]["messages"][0]),
    ] {
        let members: BTreeSet<&String> = value.as_object().unwrap().keys().collect();
        let promised: BTreeSet<&String> = described[schema]["properties"].as_object().unwrap().keys().collect();
        assert_eq!(members, promised, "{schema}");
    }

    let (mut found, mut cursor, mut pages) = (BTreeSet::new(), String::new(), 0);
    loop {
        let page = server.json(&format!("/v1/documents/{id}/related?limit=1{cursor}"), &manager);
        found.extend(linked(&page));
        pages += 1;
        match page["cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(found, linked(&related));
    assert!(pages > 2, "{pages}");
    for bad in ["limit=0", "limit=1001", "cursor=zzz"] {
        let reply = server.get(&format!("/v1/documents/{id}/related?{bad}"), &manager).send().unwrap();
        crate::server::problem(reply, 400);
    }
}

#[test]
fn what_is_missing_after_its_time_is_an_alarm_until_it_comes() {
    let server = Server::new();
    let producer = server.archive.token("producer");
    let manager = server.archive.manager.clone();
    let day = |ago: i64| {
        let day = jiff::Zoned::now().date().saturating_sub(jiff::Span::new().days(ago));
        since(7, Outcome::Complete, day)
    };
    // Of three days ago, without a receipt of delivery; of today, with the acceptance alone; of a year ago, too old to matter.
    let (missing, others): (Vec<Item>, Vec<Item>) =
        day(3).into_iter().partition(|item| item.expected.get("kind") == Some(&json!("avvenuta-consegna")));
    let names = shuffled(&server, &producer, others);
    for ago in [0, 365] {
        let items = day(ago).into_iter().filter(|item| item.name.contains("-accettazione"));
        shuffled(&server, &producer, items.collect());
    }
    let alarms = || -> Vec<Value> {
        let page = server.json("/v1/alarms", &manager);
        let all = page["alarms"].as_array().unwrap().iter();
        all.filter(|alarm| alarm["code"] == "conversation/incomplete").cloned().collect()
    };
    let found = alarms();
    assert_eq!(found.len(), 1, "{found:?}");
    let acceptance = names.iter().find(|(_, name)| name.contains("-accettazione")).map(|(id, _)| id).unwrap();
    assert_eq!(found[0]["place"], format!("document {acceptance}"));
    assert!(!found[0].to_string().contains('@'), "{found:?}");
    let shown = server.archive.run(&["show", acceptance]);
    assert!(text(&shown.stdout).contains("outcome missing"), "{}", text(&shown.stdout));
    shuffled(&server, &producer, missing);
    assert_eq!(alarms(), Vec::<Value>::new());
}

#[test]
fn what_was_found_whole_is_not_put_together_by_every_walk() {
    let server = Server::new();
    let producer = server.archive.token("producer");
    let day = jiff::Zoned::now().date().saturating_sub(jiff::Span::new().days(3));
    for seed in [7, 8] {
        shuffled(&server, &producer, since(seed, Outcome::Complete, day));
    }
    let lacking = since(9, Outcome::Complete, day);
    let lacking = lacking.into_iter().filter(|item| item.name.contains("-accettazione")).collect();
    let lacking = shuffled(&server, &producer, lacking);
    let walked = || -> f64 {
        assert!(server.archive.run(&["nightly"]).status.code().is_some());
        let text = server.get("/metrics", &server.archive.manager).send().unwrap().text().unwrap();
        let line = text.lines().find(|line| line.starts_with("custode_conversations_watched_total")).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    let (first, second) = (walked(), walked());
    let third = walked();
    // The one that lacks something is looked at again and again; the others were whole.
    assert_eq!((second - first, third - second), (1.0, 1.0), "{first} {second} {third}");
    assert!(first > 2.0, "{first}");
    let alarms = server.json("/v1/alarms", &server.archive.manager).to_string();
    assert!(alarms.contains(lacking.keys().next().unwrap()), "{alarms}");
}
