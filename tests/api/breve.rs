//! Brief receipts hold hashes in the place of files: they are compared with the original that the archive holds, whichever came
//! first, and both `related` and `custode show` say what came of it.

use custode::corpus::{Generator, Item, Options, Outcome};
use serde_json::{Value, json};

use crate::server::{Server, text};

/// A conversation whose sender asked for brief receipts, without the provider's envelope, which a sender never sees.
fn corpus(seed: u64) -> Vec<Item> {
    let mut generator = Generator::new(seed, Options { sent_copies: true, ..Options::default() }).unwrap();
    let mut items = generator.conversation_with(Outcome::Brief).unwrap();
    for copy in items.iter_mut().filter(|item| is_copy(item)) {
        copy.class = "pec-message";
        copy.metadata = serde_json::Map::from_iter([("flow".to_owned(), json!("U"))]);
    }
    items
}

fn is_copy(item: &Item) -> bool {
    item.name.ends_with("-inviata.eml")
}

fn is_envelope(item: &Item) -> bool {
    item.name.contains("-busta")
}

fn deposit(server: &Server, producer: &str, items: &[&Item]) -> Vec<String> {
    let one = |item: &&Item| {
        let metadata = Value::Object(item.metadata.clone());
        let reply = server.deposit(producer, item.class, &item.name, &metadata, item.bytes.clone());
        assert_eq!(reply.status(), 201, "{}: {}", item.name, reply.text().unwrap());
        reply.json::<Value>().unwrap()["documents"][0]["id"].as_str().unwrap().to_owned()
    };
    items.iter().map(one).collect()
}

/// What is said of the receipts that hold hashes, asked from this document; and how many are said not to match.
fn said(server: &Server, document: &str) -> (Vec<Value>, usize) {
    let related = server.json(&format!("/v1/documents/{document}/related"), &server.archive.manager);
    let one = &related["conversation"]["transactions"][0];
    let messages = one["messages"].as_array().unwrap().iter();
    let hashes = messages.filter(|m| !m["hashes"].is_null()).map(|m| json!([m["hashes"], m["hashes_match"]])).collect();
    let findings = one["findings"].as_array().unwrap().iter();
    (hashes, findings.filter(|finding| finding["code"] == "conversation/breve-mismatch").count())
}

/// One byte of the first file changed.
fn altered(copy: &Item) -> Item {
    let mut copy = copy.clone();
    let content = String::from_utf8(copy.bytes.clone()).unwrap();
    let at = content.find("Content-Disposition: attachment").unwrap();
    let at = at + content[at..].find("\r\n\r\n").unwrap() + 4 + 20;
    copy.bytes[at] = if copy.bytes[at] == b'A' { b'B' } else { b'A' };
    copy
}

#[test]
fn a_brief_receipt_is_held_against_the_original_whichever_came_first() {
    let server = Server::new();
    let producer = server.archive.token("producer");
    let shown = |document: &str, lang: &str| {
        text(&server.archive.command(&["show", document, "--lang", lang]).output().unwrap().stdout)
    };
    let (mut matched, mut differing) = (Vec::new(), Vec::new());
    for seed in [11, 12, 13] {
        let items = corpus(seed);
        let copy = items.iter().find(|item| is_copy(item)).unwrap();
        let envelope = items.iter().find(|item| is_envelope(item)).unwrap();
        let receipts: Vec<&Item> = items.iter().filter(|item| !is_copy(item) && !is_envelope(item)).collect();
        // Without an original there is nothing to compare with.
        let ids = deposit(&server, &producer, &receipts);
        let (hashes, wrong) = said(&server, &ids[0]);
        assert!(!hashes.is_empty() && hashes.iter().all(|one| *one == json!(["not-held", null])), "{hashes:?}");
        assert_eq!(wrong, 0);
        assert!(shown(&ids[0], "it").contains("originale non conservato"));
        // It comes last, as the sender's own copy, or as what a provider signed.
        match seed {
            11 => {
                deposit(&server, &producer, &[copy]);
                matched.push(ids[0].clone());
            }
            12 => {
                deposit(&server, &producer, &[envelope]);
                matched.push(ids[0].clone());
            }
            _ => {
                deposit(&server, &producer, &[&altered(copy)]);
                differing.push(ids[0].clone());
            }
        }
    }
    // The original first.
    for seed in [14, 15] {
        let items = corpus(seed);
        let receipts: Vec<&Item> = items.iter().filter(|item| !is_copy(item) && !is_envelope(item)).collect();
        let copy = items.iter().find(|item| is_copy(item)).unwrap();
        let (copy, list) = if seed == 14 { (copy.clone(), &mut matched) } else { (altered(copy), &mut differing) };
        deposit(&server, &producer, &[&copy]);
        list.push(deposit(&server, &producer, &receipts)[0].clone());
    }
    for sealed in [false, true] {
        if sealed {
            server.seal();
        }
        for document in &matched {
            let (hashes, wrong) = said(&server, document);
            assert!(!hashes.is_empty() && hashes.iter().all(|one| *one == json!(["match", true])), "{hashes:?}");
            assert_eq!(wrong, 0);
            assert!(shown(document, "en").contains("hashes of the original held"));
        }
        for document in &differing {
            let (hashes, wrong) = said(&server, document);
            assert!(!hashes.is_empty() && hashes.iter().all(|one| *one == json!(["mismatch", false])), "{hashes:?}");
            assert_eq!(wrong, hashes.len());
            let shown = shown(document, "it");
            assert!(
                shown.contains("NON sono dell'originale") && shown.contains("conversation/breve-mismatch"),
                "{shown}"
            );
        }
    }
}
