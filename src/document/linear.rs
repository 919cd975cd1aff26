//! Time grows with the size of a document and not with its square: the same document four times as large may cost four times as much,
//! and here at most nine. Compared with itself on the same machine, in time of this thread alone, and only the best of some tries.

use std::fmt::Write as _;
use std::time::Duration;

use super::class::Classes;
use super::{Body, Context, Metadata, understand};

const FEW_TIMES: usize = 3;

/// Processor time of this thread.
fn spent(work: impl Fn()) -> Duration {
    let now = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    };
    let once = |_| {
        let before = now();
        work();
        now() - before
    };
    (0..FEW_TIMES).map(once).min().unwrap()
}

/// Understands a document of one size and of four times that.
fn grows_in_proportion(class: &str, name: &str, size: usize, document: impl Fn(usize) -> Vec<u8>) {
    let class = Classes::standard().unwrap().latest(&class.parse().unwrap()).unwrap().clone();
    let cost = |size: usize| {
        let body = Body::from(document(size));
        let look = || {
            let found = understand(&class, &body, name, &Metadata::new(), Context::test()).unwrap();
            assert!(found.acceptable(), "{:?}", found.findings);
        };
        spent(look)
    };
    let (one, four) = (cost(size), cost(4 * size));
    assert!(four <= one * 9 + Duration::from_millis(5), "{size}: {one:?}, {}: {four:?}", 4 * size);
}

#[test]
fn an_invoice_of_thousands_of_lines() {
    let lines = |count: usize| {
        let sample = super::reader::samples::INVOICE;
        let at = sample.find("<DettaglioLinee>").unwrap();
        let end = sample.find("</DettaglioLinee>").unwrap() + "</DettaglioLinee>".len();
        let mut out = sample[..at].to_owned();
        for n in 1..=count {
            // A kilobyte a line: five thousand of them are the five megabytes that the exchange system takes.
            write!(
                out,
                "<DettaglioLinee><NumeroLinea>{n}</NumeroLinea><Descrizione>{}</Descrizione><Quantita>1.00</Quantita>\
                 <PrezzoUnitario>1.00</PrezzoUnitario><PrezzoTotale>1.00</PrezzoTotale><AliquotaIVA>22.00</AliquotaIVA>\
                 </DettaglioLinee>",
                "voce ".repeat(150)
            )
            .unwrap();
        }
        out.push_str(&sample[end..]);
        out.into_bytes()
    };
    assert!(lines(5_000).len() > 4_500_000);
    grows_in_proportion("invoice", "IT01234567890_00001.xml", 1_250, lines);
}

#[test]
fn a_message_to_thousands() {
    let message = |count: usize| {
        let (mut to, mut certified) = (String::new(), String::new());
        for n in 0..count {
            let comma = if n == 0 { "" } else { ",\r\n " };
            write!(to, "{comma}destinatario.{n}@pec.example.org").unwrap();
            write!(certified, "<destinatari tipo=\"certificato\">destinatario.{n}@pec.example.org</destinatari>")
                .unwrap();
        }
        format!(
            "X-Trasporto: posta-certificata\r\nFrom: posta-certificata@pec.example.it\r\nTo: {to}\r\n\
             Subject: POSTA CERTIFICATA: a molti\r\nMessage-ID: <opec1@pec.example.it>\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/mixed; boundary=e\r\n\r\n--e\r\nContent-Type: application/xml; name=daticert.xml\r\n\r\n\
             <postacert tipo=\"posta-certificata\" errore=\"nessuno\"><intestazione><mittente>mittente@pec.example.it</mittente>{certified}\
             <risposte>mittente@pec.example.it</risposte><oggetto>a molti</oggetto></intestazione><dati><gestore-emittente>G</gestore-emittente>\
             <data zona=\"+0100\"><giorno>10/03/2026</giorno><ora>10:15:00</ora></data><identificativo>opec1@pec.example.it</identificativo>\
             <ricevuta tipo=\"completa\"/></dati></postacert>\r\n--e\r\nContent-Type: message/rfc822; name=postacert.eml\r\n\r\n\
             From: mittente@pec.example.it\r\nSubject: a molti\r\n\r\ntesto\r\n--e--\r\n"
        )
        .into_bytes()
    };
    // Five thousand are more than are kept, and that is said; nothing else of the message is lost.
    let class = Classes::standard().unwrap().latest(&"pec-message".parse().unwrap()).unwrap().clone();
    let body = Body::from(message(5_000));
    let found = understand(&class, &body, "a.eml", &Metadata::new(), Context::test()).unwrap();
    assert!(found.acceptable(), "{:?}", found.findings);
    assert_eq!(found.metadata["recipients"].as_array().unwrap().len(), 2_000);
    assert_eq!(found.metadata["identifier"], "opec1@pec.example.it");
    assert!(found.findings.iter().any(|finding| finding.message.contains("more than are kept")));
    grows_in_proportion("pec-message", "a.eml", 1_250, message);
}

#[test]
fn a_message_of_many_parts() {
    let message = |count: usize| {
        let mut out = "From: a@example.it\r\nSubject: molte parti\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n"
            .to_owned();
        for n in 0..count {
            write!(
                out,
                "--m\r\nContent-Type: application/octet-stream; name=\"file{n}.bin\"\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD{n:08}\r\n"
            )
            .unwrap();
        }
        out.push_str("--m--\r\n");
        out.into_bytes()
    };
    grows_in_proportion("pec-message", "a.eml", 240, message);
    // Multiparts side by side, each empty: what has no parts inside is looked for no further than its own end.
    let nested = |count: usize| {
        let mut out = "From: a@example.it\r\nSubject: molte parti\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n"
            .to_owned();
        for n in 0..count {
            write!(out, "--m\r\nContent-Type: multipart/mixed; boundary=n{n}\r\n\r\n--n{n}--\r\n").unwrap();
        }
        out.push_str("--m--\r\n");
        out.into_bytes()
    };
    grows_in_proportion("pec-message", "a.eml", 480, nested);
}
