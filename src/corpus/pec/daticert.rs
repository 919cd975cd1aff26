//! `daticert.xml`: the certified data of a PEC event (RFC 6109 section 4.4; technical rules annexed to DM 2 November 2005).
//!
//! Invariant: elements in the order of the DTD; only what the kind of message carries.

use jiff::Zoned;

use crate::corpus::mime::xml;

/// What one event certifies.
#[derive(Debug, Clone)]
pub struct Daticert {
    /// `accettazione`, `avvenuta-consegna` …
    pub kind: &'static str,
    /// `nessuno`, `no-dest`, `no-dominio`, `virus`, `altro`.
    pub error: &'static str,
    /// Sender of the original.
    pub sender: String,
    /// Recipients of the original and whether each is certified.
    pub recipients: Vec<(String, bool)>,
    /// Subject of the original, decoded.
    pub subject: String,
    /// Provider issuing this message.
    pub provider: &'static str,
    /// Instant of the event, in the provider's zone.
    pub at: Zoned,
    /// PEC identifier, without angle brackets.
    pub identifier: String,
    /// Message-ID set by the client, with angle brackets.
    pub msgid: Option<String>,
    /// `completa`, `breve`, `sintetica`.
    pub receipt_type: Option<&'static str>,
    /// Recipient concerned.
    pub delivered_to: Option<String>,
    /// Recipients taken in charge.
    pub taken: Vec<String>,
    /// Free text of the error.
    pub error_detail: Option<String>,
}

fn line(out: &mut String, element: &str, attribute: &str, text: &str) {
    out.push_str(&format!("        <{element}{attribute}>{}</{element}>\n", xml(text)));
}

impl Daticert {
    /// The XML.
    pub fn render(&self) -> String {
        let mut out = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<postacert tipo=\"{}\" errore=\"{}\">\n    <intestazione>\n",
            self.kind, self.error
        );
        line(&mut out, "mittente", "", &self.sender);
        for (address, certified) in &self.recipients {
            let attribute = if *certified { " tipo=\"certificato\"" } else { " tipo=\"esterno\"" };
            line(&mut out, "destinatari", attribute, address);
        }
        line(&mut out, "risposte", "", &self.sender);
        line(&mut out, "oggetto", "", &self.subject);
        out.push_str("    </intestazione>\n    <dati>\n");
        line(&mut out, "gestore-emittente", "", self.provider);
        out.push_str(&format!(
            "        <data zona=\"{}\">\n            <giorno>{}</giorno>\n            <ora>{}</ora>\n        </data>\n",
            self.at.strftime("%z"),
            self.at.strftime("%d/%m/%Y"),
            self.at.strftime("%H:%M:%S"),
        ));
        line(&mut out, "identificativo", "", &self.identifier);
        if let Some(msgid) = &self.msgid {
            line(&mut out, "msgid", "", msgid);
        }
        if let Some(receipt_type) = self.receipt_type {
            out.push_str(&format!("        <ricevuta tipo=\"{receipt_type}\" />\n"));
        }
        if let Some(address) = &self.delivered_to {
            line(&mut out, "consegna", "", address);
        }
        for address in &self.taken {
            line(&mut out, "ricezione", "", address);
        }
        if let Some(detail) = &self.error_detail {
            line(&mut out, "errore-esteso", "", detail);
        }
        out.push_str("    </dati>\n</postacert>\n");
        out
    }

    /// Date, time and offset as the readable text says them.
    pub fn when(&self) -> String {
        format!(
            "Il giorno {} alle ore {} ({})",
            self.at.strftime("%d/%m/%Y"),
            self.at.strftime("%H:%M:%S"),
            self.at.strftime("%z")
        )
    }
}
