//! An invoice sent to the exchange system by PEC, from the message to the last notification, deposited in an order that is not the
//! order of things: the course of the invoice is the same from everywhere.

use std::collections::{BTreeMap, BTreeSet};

use custode::corpus::{Container, Fate, Format, Generator, Options};
use custode::hash::Sha256;
use serde_json::{Value, json};

use crate::pec::{PROVIDER, base64, signed};
use crate::server::{Server, text};

const SELLER: &str = "fatture@pec.example.it";
const SDI: &str = "sdi01@pec.example.org";

/// A way through the exchange system: its notifications in time, and where it ends.
struct Way {
    kinds: &'static [&'static str],
    state: &'static str,
    issued: bool,
}

const WAYS: [Way; 6] = [
    Way { kinds: &["RC", "NE:EC01"], state: "accepted", issued: true },
    Way { kinds: &["NS"], state: "rejected", issued: false },
    Way { kinds: &["MC", "AT"], state: "attested", issued: true },
    Way { kinds: &["MC", "RC"], state: "delivered", issued: true },
    Way { kinds: &["RC", "DT"], state: "expired", issued: true },
    Way { kinds: &["RC", "NE:EC02"], state: "refused", issued: true },
];

/// An invoice file as a client attaches it.
struct Invoice {
    name: String,
    bytes: Vec<u8>,
    identifier: String,
    msgid: String,
    sdi: String,
}

impl Invoice {
    fn number(n: usize, generator: &mut Generator) -> Self {
        let case = generator.invoice_case_with(Format::Fpa12, Container::Der, Fate::Delivered).unwrap();
        let file = case.into_iter().next().unwrap();
        Self {
            name: file.name,
            bytes: file.bytes,
            identifier: format!("opec12.20260310101500.{n}@pec.example.it"),
            msgid: format!("cliente.{n}@pec.example.it"),
            sdi: format!("{}", 700_000_000 + n),
        }
    }

    /// What the client sent, with the file inside.
    fn original(&self, carried: bool) -> String {
        let name = &self.name;
        let id = if carried {
            format!("Message-ID: <{}>\r\nX-Riferimento-Message-ID: <{}>\r\n", self.identifier, self.msgid)
        } else {
            format!("Message-ID: <{}>\r\n", self.msgid)
        };
        format!(
            "{id}Date: Tue, 10 Mar 2026 10:14:58 +0100\r\nFrom: {SELLER}\r\nTo: {SDI}\r\nSubject: {name}\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nContent-Type: text/plain\r\n\r\nFattura\r\n\
             --o\r\nContent-Type: application/pkcs7-mime; name=\"{name}\"\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n--o--\r\n",
            base64(&self.bytes)
        )
    }

    /// What the providers say of it.
    fn pec(&self, kind: &str, prefix: &str, second: u32) -> Vec<u8> {
        let about = if kind == "avvenuta-consegna" { format!("<consegna>{SDI}</consegna>") } else { String::new() };
        let daticert = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<postacert tipo=\"{kind}\" errore=\"nessuno\"><intestazione><mittente>{SELLER}</mittente>\
             <destinatari tipo=\"certificato\">{SDI}</destinatari><risposte>{SELLER}</risposte><oggetto>{name}</oggetto></intestazione>\
             <dati><gestore-emittente>Gestore Esempio S.p.A.</gestore-emittente><data zona=\"+0100\"><giorno>10/03/2026</giorno>\
             <ora>10:15:{second:02}</ora></data><identificativo>{id}</identificativo><msgid>&lt;{msgid}&gt;</msgid>\
             <ricevuta tipo=\"completa\"/>{about}</dati></postacert>",
            name = self.name,
            id = self.identifier,
            msgid = self.msgid,
        );
        let carried = if kind == "avvenuta-consegna" {
            format!("--e\r\nContent-Type: message/rfc822; name=\"postacert.eml\"\r\n\r\n{}\r\n", self.original(true))
        } else {
            String::new()
        };
        let headers = format!(
            "X-Ricevuta: {kind}\r\nX-Riferimento-Message-ID: <{msgid}>\r\nFrom: {PROVIDER}\r\nTo: {SELLER}\r\n\
             Subject: {prefix}: {name}\r\nDate: Tue, 10 Mar 2026 10:15:{second:02} +0100\r\nMessage-ID: <ric.{kind}.{id}>\r\n\
             MIME-Version: 1.0\r\n",
            msgid = self.msgid,
            name = self.name,
            id = self.identifier,
        );
        let part = format!(
            "Content-Type: multipart/mixed; boundary=e\r\n\r\n--e\r\nContent-Type: text/plain\r\n\r\nRicevuta\r\n\
             --e\r\nContent-Type: application/xml; name=\"daticert.xml\"\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n{carried}--e--\r\n",
            base64(daticert.as_bytes()),
        );
        signed(&headers, &part, &format!("2026-03-10T09:15:{second:02}Z"))
    }

    /// What SdI says of it; the second of a way an hour after the first.
    fn notification(&self, kind: &str, hour: usize) -> Vec<u8> {
        let (kind, outcome) = kind.split_once(':').unwrap_or((kind, ""));
        let at = format!("2026-03-10T{:02}:00:00.000+01:00", 11 + hour);
        let received = format!("<DataOraRicezione>{at}</DataOraRicezione>");
        let to = "<Destinatario><Codice>UFESEM</Codice><Descrizione>Ufficio Esempio</Descrizione></Destinatario>";
        let (root, inside) = match kind {
            "RC" => ("RicevutaConsegna", format!("{received}<DataOraConsegna>{at}</DataOraConsegna>{to}")),
            "MC" => ("NotificaMancataConsegna", format!("{received}<Descrizione>Casella piena</Descrizione>")),
            "AT" => {
                let hash = Sha256::of(&self.bytes);
                (
                    "AttestazioneTrasmissioneFattura",
                    format!("{received}{to}<HashFileOriginale>{hash}</HashFileOriginale>"),
                )
            }
            "DT" => ("NotificaDecorrenzaTermini", String::new()),
            "NE" => {
                let sdi = &self.sdi;
                let outcome = format!(
                    "<EsitoCommittente><IdentificativoSdI>{sdi}</IdentificativoSdI><Esito>{outcome}</Esito></EsitoCommittente>"
                );
                ("NotificaEsito", outcome)
            }
            _ => {
                let errors = "<ListaErrori><Errore><Codice>00305</Codice><Descrizione>non valido</Descrizione></Errore></ListaErrori>";
                ("NotificaScarto", format!("{received}{errors}"))
            }
        };
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<n:{root} xmlns:n=\"http://www.fatturapa.gov.it/sdi/messaggi/v1.0\" versione=\"1.0\">\
             <IdentificativoSdI>{}</IdentificativoSdI><NomeFile>{}</NomeFile>{inside}<MessageId>{hour}</MessageId>\
             <PecMessageId>{}</PecMessageId></n:{root}>",
            self.sdi, self.name, self.identifier
        )
        .into_bytes()
    }
}

/// What is said of the invoice, asked from one of its documents, with what each document is instead of its identifier.
fn said(server: &Server, id: &str, names: &BTreeMap<String, String>) -> Value {
    let related = server.json(&format!("/v1/documents/{id}/related"), &server.archive.manager);
    let name = |id: &Value| names[id.as_str().unwrap()].clone();
    let transaction = &related["conversation"]["transactions"][0];
    let files = related["invoice"]["files"].as_array().unwrap();
    assert_eq!(files.len(), 1, "{related}");
    let file = &files[0];
    let steps = |course: &Value| -> Vec<Value> {
        let all = course["notifications"].as_array().unwrap().iter();
        all.map(|step| json!([name(&step["document"]), step["kind"], step["name"], step["hash"], step["pec"]]))
            .collect()
    };
    let documents: BTreeSet<String> = file["documents"].as_array().unwrap().iter().map(name).collect();
    let found = file["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| format!("{} {}", one["code"], names[one["place"].as_str().unwrap()]));
    json!({
        "documents": documents, "state": file["state"], "issued": file["issued"], "findings": found.collect::<BTreeSet<_>>(),
        "proof": file["proof"], "carried_by": file["carried_by"].as_array().unwrap().len(),
        "courses": file["transmissions"].as_array().unwrap().iter().map(steps).collect::<Vec<_>>(),
        "pec": [transaction["identifier"], transaction["state"], transaction["recipients"][0]["state"]],
    })
}

#[test]
fn an_invoice_sent_by_pec_has_one_course_from_everywhere_whatever_came_first() {
    let mut server = Server::new();
    let producer = server.archive.token("producer");
    let mut generator = Generator::new(21, Options::default()).unwrap();
    let mut exchanges: Vec<(BTreeMap<String, String>, Value)> = Vec::new();
    for (n, way) in WAYS.iter().enumerate() {
        let invoice = Invoice::number(n + 1, &mut generator);
        let outgoing = json!({ "flow": "U" });
        let mut all: Vec<(&str, String, Value, Vec<u8>)> = vec![
            ("pec-message", "copia.eml".to_owned(), outgoing.clone(), invoice.original(false).into_bytes()),
            ("pec-message", "accettazione.eml".to_owned(), Value::Null, invoice.pec("accettazione", "ACCETTAZIONE", 0)),
            ("pec-message", "consegna.eml".to_owned(), Value::Null, invoice.pec("avvenuta-consegna", "CONSEGNA", 9)),
            ("invoice", invoice.name.clone(), outgoing, invoice.bytes.clone()),
        ];
        for (hour, kind) in way.kinds.iter().enumerate() {
            let kind_only = kind.split(':').next().unwrap();
            let name = format!("{}_{kind_only}_001.xml", invoice.name.trim_end_matches(".xml.p7m"));
            all.push(("sdi-notification", name, Value::Null, invoice.notification(kind, hour)));
        }
        // The last word of SdI first, or somewhere in the middle; never the order of things.
        all.reverse();
        all.rotate_left(n % 3);
        let mut names = BTreeMap::new();
        for (class, name, metadata, bytes) in all {
            let reply = server.deposit(&producer, class, &name, &metadata, bytes);
            assert_eq!(reply.status(), 201, "{name}: {}", reply.text().unwrap());
            let receipt: Value = reply.json().unwrap();
            names.insert(receipt["documents"][0]["id"].as_str().unwrap().to_owned(), name);
        }
        let stem = invoice.name.trim_end_matches(".xml.p7m");
        let step = |kind: &&str| {
            let kind = kind.split(':').next().unwrap();
            // Of these only the attestation names the file's digest.
            let hash = if kind == "AT" { "match" } else { "not-said" };
            json!([format!("{stem}_{kind}_001.xml"), kind, "match", hash, "match"])
        };
        // SdI's signature is not on any of these: each is marked, and what they say is shown.
        let unproved = |kind: &&str| format!("\"sdi/not-proved\" {}", step(kind)[0].as_str().unwrap());
        let expected = json!({
            "documents": [invoice.name], "state": way.state, "issued": way.issued,
            "findings": way.kinds.iter().map(unproved).collect::<BTreeSet<_>>(), "proof": "unsigned",
            // The sender's copy, and the receipt of delivery that gives the message back.
            "carried_by": 2,
            "courses": [way.kinds.iter().map(step).collect::<Vec<_>>()],
            "pec": [invoice.identifier, "accepted", "delivered"],
        });
        exchanges.push((names, expected));
    }
    let everywhere = |server: &Server| {
        for (names, expected) in &exchanges {
            for (id, name) in names {
                assert_eq!(said(server, id, names), *expected, "from {name}");
            }
        }
    };
    everywhere(&server);
    server.seal();
    everywhere(&server);
    let (names, _) = &exchanges[2];
    let shown = server.archive.command(&["show", names.keys().next().unwrap(), "--lang", "it"]).output().unwrap();
    let shown = text(&shown.stdout);
    assert!(shown.contains("attestata, recapito impossibile") && shown.contains("AT "), "{shown}");
    server.restart_after(&[], |archive| {
        std::fs::remove_dir_all(archive.path("catalog")).unwrap();
        assert!(archive.run(&["reindex"]).status.success());
    });
    everywhere(&server);
}
