//! What SdI answers: RC, NS, MC and MT in the public-body and in the private family. SdI's own XAdES signature is not made.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use super::{Fate, Format, Invoice};
use crate::clock::iso_ms;
use crate::corpus::item::{Facts, facts};
use crate::corpus::mime::xml as text;
use crate::hash::Sha256;

/// Which notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Delivery receipt.
    Rc,
    /// Rejection.
    Ns,
    /// Failed delivery.
    Mc,
    /// Metadata, to the buyer with the invoice.
    Mt,
}

/// What a notification is about.
pub(super) struct About<'a> {
    pub(super) invoice: &'a Invoice,
    pub(super) file: &'a str,
    pub(super) hash: Sha256,
    pub(super) sdi: &'a str,
    /// Reception at SdI.
    pub(super) at: Timestamp,
}

pub(super) fn kinds(fate: Fate) -> &'static [Kind] {
    match fate {
        Fate::Delivered => &[Kind::Mt, Kind::Rc],
        Fate::Rejected => &[Kind::Ns],
        Fate::Undelivered => &[Kind::Mc],
    }
}

/// Name, bytes and expected facts.
pub(super) fn render(about: &About<'_>, kind: Kind, message: &str) -> (String, Vec<u8>, Facts) {
    let public = about.invoice.format == Format::Fpa12;
    let (code, root) = match (kind, public) {
        (Kind::Rc, _) => ("RC", "RicevutaConsegna"),
        (Kind::Ns, true) => ("NS", "NotificaScarto"),
        (Kind::Ns, false) => ("NS", "RicevutaScarto"),
        (Kind::Mc, true) => ("MC", "NotificaMancataConsegna"),
        (Kind::Mc, false) => ("MC", "RicevutaImpossibilitaRecapito"),
        (Kind::Mt, true) => ("MT", "MetadatiInvioFile"),
        (Kind::Mt, false) => ("MT", "FileMetadati"),
    };
    let namespace = if public {
        "http://www.fatturapa.gov.it/sdi/messaggi/v1.0"
    } else {
        "http://ivaservizi.agenziaentrate.gov.it/docs/xsd/fattura/messaggi/v1.0"
    };
    let delivered = about.at + SignedDuration::from_secs(240);
    let received = when(about.at);
    let mut lines: Vec<String> = Vec::new();
    let mut line = |element: &str, value: &str| lines.push(format!("  <{element}>{}</{element}>\n", text(value)));
    line("IdentificativoSdI", about.sdi);
    line("NomeFile", about.file);
    if !public {
        line("Hash", &about.hash.to_string());
    }
    if kind == Kind::Mt {
        line("CodiceDestinatario", &about.invoice.recipient_code);
        line("Formato", about.invoice.format.code());
        line("TentativiInvio", "1");
    } else {
        line("DataOraRicezione", &received);
    }
    match kind {
        Kind::Rc => {
            line("DataOraConsegna", &when(delivered));
            let description = if public { about.invoice.buyer.0 } else { "NO PA" };
            lines.push(format!(
                "  <Destinatario>\n    <Codice>{}</Codice>\n    <Descrizione>{}</Descrizione>\n  </Destinatario>\n",
                about.invoice.recipient_code,
                text(description)
            ));
        }
        Kind::Ns => {
            let hint = if public { "" } else { "\n      <Suggerimento>Verificare la partita IVA</Suggerimento>" };
            lines.push(format!(
                "  <ListaErrori>\n    <Errore>\n      <Codice>00305</Codice>\n      \
                 <Descrizione>IdFiscaleIVA del CessionarioCommittente non valido</Descrizione>{hint}\n    </Errore>\n  </ListaErrori>\n"
            ));
        }
        Kind::Mc => {
            if !public {
                line("DataMessaADisposizione", &delivered.strftime("%F").to_string());
            }
            line("Descrizione", "Impossibilità di recapito: casella del destinatario non raggiungibile (esempio)");
        }
        Kind::Mt => {}
    }
    lines.push(format!("  <MessageId>{message}</MessageId>\n"));
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ns2:{root} xmlns:ns2=\"{namespace}\" versione=\"1.0\">\n{}</ns2:{root}>\n",
        lines.concat()
    );
    let stem = about.file.trim_end_matches(".p7m").trim_end_matches(".xml");
    let timed = |at: Timestamp, wanted: bool| if wanted { json!(iso_ms(at)) } else { Value::Null };
    let expected = facts([
        ("kind", json!(code)),
        ("family", json!(if public { "pa" } else { "privati" })),
        ("sdi_identifier", json!(about.sdi)),
        ("invoice_file", json!(about.file)),
        ("file_sha256", if public { Value::Null } else { json!(about.hash.to_string()) }),
        ("message_id", json!(message)),
        ("received_at", timed(about.at, kind != Kind::Mt)),
        ("delivered_at", timed(delivered, kind == Kind::Rc)),
        ("error_codes", if kind == Kind::Ns { json!(["00305"]) } else { Value::Null }),
    ]);
    (format!("{stem}_{code}_001.xml"), xml.into_bytes(), expected)
}

/// Rome time with milliseconds and offset, as SdI writes it.
fn when(at: Timestamp) -> String {
    let zone = TimeZone::get("Europe/Rome").unwrap_or(TimeZone::UTC);
    at.to_zoned(zone).strftime("%Y-%m-%dT%H:%M:%S.000%:z").to_string()
}
