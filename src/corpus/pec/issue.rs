//! Issuing one system-generated message of a conversation: its headers, its certified data, its place in the case.

use jiff::{SignedDuration, Timestamp, Zoned, tz::TimeZone};
use serde_json::{Value, json};

use super::conversation::Conversation;
use super::daticert::Daticert;
use super::envelope::Envelope;
use super::notice::Kind;
use crate::clock::iso_ms;
use crate::corpus::item::{Item, Relation, facts};
use crate::corpus::mime::header_text;
use crate::corpus::names::PROVIDERS;
use crate::corpus::rng::Rng;
use crate::error::Result;

/// A notice to be issued.
pub(super) struct Notice<'a> {
    pub(super) kind: Kind,
    pub(super) provider: usize,
    pub(super) to: String,
    pub(super) after: SignedDuration,
    pub(super) error: &'static str,
    pub(super) detail: Option<String>,
    pub(super) delivered_to: Option<String>,
    pub(super) taken: Vec<String>,
    pub(super) receipt_type: Option<&'static str>,
    pub(super) carried: Option<&'a [u8]>,
}

impl Notice<'_> {
    pub(super) fn new(kind: Kind, provider: usize, to: &str, seconds: i64) -> Self {
        Self {
            kind,
            provider,
            to: to.to_owned(),
            after: SignedDuration::from_secs(seconds),
            error: "nessuno",
            detail: None,
            delivered_to: None,
            taken: Vec::new(),
            receipt_type: None,
            carried: None,
        }
    }
}

pub(super) fn rome(at: Timestamp) -> Zoned {
    at.to_zoned(TimeZone::get("Europe/Rome").unwrap_or(TimeZone::UTC))
}

/// The provider's own address; also the one in its certificates.
pub(super) fn service(provider: usize) -> String {
    format!("posta-certificata@{}", PROVIDERS[provider].1)
}

pub(super) fn identifier(rng: &mut Rng, prefix: &str, at: Timestamp, domain: &str) -> String {
    let stamp = rome(at).strftime("%Y%m%d%H%M%S").to_string();
    format!("{prefix}.{stamp}.{}.{}.1.{}@{domain}", rng.digits(5), rng.between(100, 999), rng.between(10, 99))
}

impl Conversation<'_> {
    /// Builds, signs and keeps one system-generated message.
    pub(super) fn issue(&mut self, notice: Notice<'_>) -> Result<()> {
        let at = self.scene.at + notice.after;
        let kind = notice.kind;
        let data = Daticert {
            kind: kind.certified_kind(),
            error: notice.error,
            sender: self.original.from.clone(),
            recipients: self.recipients.iter().map(|r| (r.address.clone(), r.provider.is_some())).collect(),
            subject: self.original.subject.clone(),
            provider: PROVIDERS[notice.provider].0,
            at: rome(at),
            identifier: self.identifier.clone(),
            msgid: self.original.msgid.clone(),
            receipt_type: notice.receipt_type,
            delivered_to: notice.delivered_to.clone(),
            taken: notice.taken.clone(),
            error_detail: notice.detail.clone(),
        };
        let message_id = match kind {
            Kind::Transport => format!("<{}>", self.identifier),
            Kind::Anomaly => self.original.msgid.clone().unwrap_or_default(),
            _ => format!("<{}>", identifier(&mut self.scene.rng, "ric", at, PROVIDERS[notice.provider].1)),
        };
        let envelope = Envelope {
            provider: notice.provider,
            headers: self.headers(&notice, &data, &message_id),
            text: kind.text(&data),
            daticert: (kind != Kind::Anomaly).then(|| data.render()),
            postacert: notice.carried,
            at,
            weak: self.weak,
        };
        let bytes = envelope.render(self.scene.keys, &mut self.scene.rng)?;
        self.keep(&notice, &data, &message_id, bytes);
        Ok(())
    }

    fn headers(&self, notice: &Notice<'_>, data: &Daticert, message_id: &str) -> Vec<(&'static str, String)> {
        let kind = notice.kind;
        let domain = PROVIDERS[notice.provider].1;
        let date = data.at.strftime("%a, %d %b %Y %H:%M:%S %z").to_string();
        let (marker, value) = kind.marker();
        let own = service(notice.provider);
        let mut headers = vec![
            ("Return-Path", format!("<{own}>")),
            (
                "Received",
                format!("from av.{domain} (av.{domain} [192.0.2.10])\r\n by smtp.{domain} with ESMTPS; {date}"),
            ),
        ];
        if let (Some(msgid), true) = (&self.original.msgid, kind != Kind::Anomaly) {
            headers.push(("X-Riferimento-Message-ID", msgid.clone()));
        }
        headers.push((marker, value.to_owned()));
        if kind.about_virus() {
            headers.push(("X-VerificaSicurezza", "errore".to_owned()));
        }
        if kind == Kind::VirusDetected {
            headers.push(("X-Mittente", self.original.from.clone()));
        }
        if let Some(receipt_type) = notice.receipt_type {
            headers.push(("X-TipoRicevuta", receipt_type.to_owned()));
        }
        if matches!(kind, Kind::Transport | Kind::Anomaly) {
            headers.push(("From", format!("\"Per conto di: {}\"\r\n <{own}>", self.original.from)));
            headers.push(("Reply-To", self.original.from.clone()));
        } else {
            headers.push(("From", own));
        }
        headers.push(("To", notice.to.clone()));
        if kind == Kind::Transport && !self.original.cc.is_empty() {
            headers.push(("Cc", self.original.cc.join(",\r\n ")));
        }
        headers.push(("Subject", header_text(&format!("{} {}", kind.subject_prefix(), self.original.subject))));
        if !message_id.is_empty() {
            headers.push(("Message-ID", message_id.to_owned()));
        }
        headers.push(("Date", date));
        headers
    }

    fn keep(&mut self, notice: &Notice<'_>, data: &Daticert, message_id: &str, bytes: Vec<u8>) {
        let kind = notice.kind;
        let name = match kind {
            Kind::Transport => self.about.clone(),
            _ => format!("{}-{:02}-{}.eml", self.scene.case, self.items.len() + 1, kind.certified_kind()),
        };
        let incoming = matches!(kind, Kind::Transport | Kind::Anomaly);
        let between_providers = matches!(kind, Kind::TakenInCharge | Kind::VirusDetected);
        let mailbox = if incoming { self.original.to[0].clone() } else { notice.to.clone() };
        let flow = if between_providers {
            "I"
        } else if incoming {
            "E"
        } else {
            "U"
        };
        let certified = kind != Kind::Anomaly;
        let only = |value: Value| if certified { value } else { Value::Null };
        let external: Vec<&String> =
            self.recipients.iter().filter(|r| r.provider.is_none()).map(|r| &r.address).collect();
        let expected = facts([
            ("kind", json!(kind.certified_kind())),
            ("identifier", only(json!(data.identifier))),
            ("msgid", only(json!(data.msgid))),
            ("message_id", if message_id.is_empty() { Value::Null } else { json!(message_id) }),
            ("instant", only(json!(iso_ms(data.at.timestamp())))),
            ("sender", only(json!(data.sender))),
            ("recipients", only(json!(data.recipients.iter().map(|(a, _)| a).collect::<Vec<_>>()))),
            ("recipients_external", if external.is_empty() { Value::Null } else { only(json!(external)) }),
            ("delivered_to", json!(data.delivered_to)),
            ("subject", only(json!(data.subject))),
            ("provider", only(json!(data.provider))),
            ("receipt_type", json!(data.receipt_type)),
            ("error", if data.error == "nessuno" { Value::Null } else { json!(data.error) }),
            ("error_detail", json!(data.error_detail)),
            ("certified", json!(certified)),
        ]);
        let relations =
            if matches!(kind, Kind::Transport | Kind::Anomaly | Kind::NonAcceptance | Kind::NonAcceptanceVirus) {
                Vec::new()
            } else {
                vec![Relation { kind: "ricevuta-di", name: self.about.clone() }]
            };
        self.items.push(Item {
            name,
            class: "pec-message",
            bytes,
            metadata: facts([("mailbox", json!(mailbox)), ("flow", json!(flow))]),
            group: self.scene.case.clone(),
            relations,
            expected,
        });
    }

    pub(super) fn sent_copy(&mut self) {
        let subject = json!(self.original.subject);
        self.items.push(Item {
            name: format!("{}-00-inviata.eml", self.scene.case),
            class: "generic",
            bytes: self.original.as_sent(),
            metadata: facts([("type", json!("Copia inviata")), ("subject", subject), ("flow", json!("U"))]),
            group: self.scene.case.clone(),
            relations: vec![Relation { kind: "copia-di", name: self.about.clone() }],
            expected: facts([]),
        });
    }

    /// The infected message itself, kept 30 months by the provider that found it (DPR 68/2005 art. 12).
    pub(super) fn quarantined(&mut self) {
        self.items.push(Item {
            name: format!("{}-09-virus.eml", self.scene.case),
            class: "pec-virus",
            bytes: self.original.as_sent(),
            metadata: facts([
                ("kind", json!("messaggio-ordinario")),
                ("instant", json!(iso_ms(self.scene.at))),
                ("case", json!(self.scene.case)),
            ]),
            group: self.scene.case.clone(),
            relations: Vec::new(),
            expected: facts([]),
        });
    }
}
