//! What SdI answers is said of the file it is about and of no other, and says how far it is proved.

use custode::hash::Sha256;
use serde_json::{Value, json};

use crate::archives::invoice;
use crate::pec::{PROVIDER, base64, signed};
use crate::server::{Server, text};

const NAMESPACE: &str = "http://ivaservizi.agenziaentrate.gov.it/docs/xsd/fattura/messaggi/v1.0";

/// A notification of the private family.
fn notification(kind: &str, sdi: u32, name: &str, of: &[u8]) -> Vec<u8> {
    let at = "2026-03-10T10:00:00.000+01:00";
    let (root, inside) = match kind {
        "NS" => (
            "RicevutaScarto",
            "<ListaErrori><Errore><Codice>00404</Codice><Descrizione>x</Descrizione></Errore></ListaErrori>".to_owned(),
        ),
        _ => (
            "RicevutaConsegna",
            format!(
                "<DataOraConsegna>{at}</DataOraConsegna><Destinatario><Codice>0000000</Codice><Descrizione/></Destinatario>"
            ),
        ),
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><n:{root} xmlns:n=\"{NAMESPACE}\" versione=\"1.0\"><IdentificativoSdI>{sdi}</IdentificativoSdI>\
         <NomeFile>{name}</NomeFile><Hash>{}</Hash><DataOraRicezione>{at}</DataOraRicezione>{inside}<MessageId>{sdi}</MessageId></n:{root}>",
        Sha256::of(of)
    )
    .into_bytes()
}

fn deposit(server: &Server, producer: &str, class: &str, name: &str, bytes: Vec<u8>) -> String {
    let reply = server.deposit(producer, class, name, &Value::Null, bytes);
    assert_eq!(reply.status(), 201, "{name}: {}", reply.text().unwrap());
    reply.json::<Value>().unwrap()["documents"][0]["id"].as_str().unwrap().to_owned()
}

/// What is said of the file that a document holds.
fn file(server: &Server, document: &str) -> Value {
    let related = server.json(&format!("/v1/documents/{document}/related"), &server.archive.manager);
    let files = related["invoice"]["files"].as_array().unwrap().clone();
    assert_eq!(files.len(), 1, "{related}");
    files[0].clone()
}

fn codes(file: &Value) -> Vec<String> {
    file["findings"].as_array().unwrap().iter().map(|f| f["code"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn two_files_of_one_name_have_each_their_own_answer() {
    let server = Server::new();
    let producer = server.archive.token("producer");
    for (names, told, number) in
        [("fattura.xml", "IT01234567890_ZZ1.xml", 1), ("IT01234567890_A0007.xml", "IT01234567890_A0007.xml", 3)]
    {
        let (first, second) = (invoice(number), invoice(number + 1));
        let answered = deposit(&server, &producer, "invoice", names, first.clone());
        let other = deposit(&server, &producer, "invoice", names, second);
        let answer =
            deposit(&server, &producer, "sdi-notification", "n.xml", notification("NS", 9000 + number, told, &first));
        for sealed in [false, true] {
            if sealed {
                server.seal();
            }
            let (found, other) = (file(&server, &answered), file(&server, &other));
            assert_eq!((&found["state"], &found["issued"]), (&json!("rejected"), &json!(false)), "{names}: {found}");
            assert_eq!(found["transmissions"][0]["notifications"][0]["hash"], "match");
            assert_eq!((&other["state"], &other["issued"]), (&json!("unknown"), &Value::Null), "{names}: {other}");
            assert_eq!((&other["transmissions"], codes(&other).len()), (&json!([]), 0));
            // Nobody signed it: it is said, and it is marked.
            assert!(codes(&found).contains(&"sdi/not-proved".to_owned()), "{found}");
            assert_eq!(found["proof"], "unsigned");
            assert_eq!(file(&server, &answer)["documents"], json!([answered]));
        }
        let shown = text(&server.archive.run(&["show", &answered]).stdout);
        assert!(shown.contains("NOT signed") && shown.contains("sdi/not-proved"), "{shown}");
    }
    // By a name of no rule nothing is tied at all.
    let related = server.json("/v1/documents?class=invoice", &server.archive.manager);
    let all = related["documents"].as_array().unwrap();
    let plain: Vec<&Value> = all.iter().filter(|row| row["name"] == "fattura.xml").collect();
    assert_eq!(plain.len(), 2, "{related}");
    for row in plain {
        let related =
            server.json(&format!("/v1/documents/{}/related", row["id"].as_str().unwrap()), &server.archive.manager);
        let links = related["links"].as_array().unwrap().iter().filter(|link| link["namespace"] == "sdi-file").count();
        assert_eq!(links, 0, "{related}");
    }
}

#[test]
fn an_invoice_that_only_a_message_carries_is_held() {
    let server = Server::new();
    let producer = server.archive.token("producer");
    let (name, bytes) = ("IT01234567890_A0010.xml", invoice(10));
    let original = format!(
        "Message-ID: <opec10@pec.example.it>\r\nFrom: mittente@pec.example.it\r\nTo: sdi01@pec.example.org\r\nSubject: fattura\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nContent-Type: text/plain\r\n\r\nFattura\r\n\
         --o\r\nContent-Type: application/xml; name=\"{name}\"\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n--o--\r\n",
        base64(&bytes)
    );
    let part = format!(
        "Content-Type: multipart/mixed; boundary=e\r\n\r\n--e\r\nContent-Type: text/plain\r\n\r\nBusta\r\n\
         --e\r\nContent-Type: message/rfc822; name=\"postacert.eml\"\r\n\r\n{original}\r\n--e--\r\n"
    );
    let headers = format!(
        "X-Trasporto: posta-certificata\r\nFrom: {PROVIDER}\r\nTo: sdi01@pec.example.org\r\nSubject: POSTA CERTIFICATA: fattura\r\n\
         Message-ID: <opec10@pec.example.it>\r\nDate: Tue, 10 Mar 2026 10:15:00 +0100\r\nMIME-Version: 1.0\r\n"
    );
    let message =
        deposit(&server, &producer, "pec-message", "busta.eml", signed(&headers, &part, "2026-03-10T09:15:00Z"));
    let answer = deposit(&server, &producer, "sdi-notification", "n.xml", notification("RC", 9010, name, &bytes));
    for asked in [&message, &answer] {
        let found = file(&server, asked);
        let step = &found["transmissions"][0]["notifications"][0];
        assert_eq!((&step["name"], &step["hash"]), (&json!("match"), &json!("match")), "{found}");
        assert_eq!((&found["documents"], &found["carried_by"]), (&json!([]), &json!([message])));
    }
    let shown = text(&server.archive.run(&["show", &answer]).stdout);
    assert!(shown.contains("hash: match"), "{shown}");
}
