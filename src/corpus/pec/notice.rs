//! The kinds of system-generated message and what distinguishes them: marker header, subject prefix, readable text
//! (RFC 6109 section 3; the wording is the one providers use).

use super::daticert::Daticert;

/// A kind of system-generated message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Transport envelope.
    Transport,
    /// Envelope around something that is not PEC.
    Anomaly,
    /// Acceptance.
    Acceptance,
    /// Refusal at submission.
    NonAcceptance,
    /// Refusal at submission because of a virus.
    NonAcceptanceVirus,
    /// Taking in charge, between providers.
    TakenInCharge,
    /// Delivery to one recipient.
    Delivery,
    /// Failed delivery.
    NonDelivery,
    /// Failed delivery because of a virus.
    NonDeliveryVirus,
    /// No answer in 12 hours.
    Delay12,
    /// No answer in 24 hours: final.
    Delay24,
    /// Virus found by the receiving provider.
    VirusDetected,
}

impl Kind {
    /// Header and value that mark it.
    pub fn marker(self) -> (&'static str, &'static str) {
        match self {
            Self::Transport => ("X-Trasporto", "posta-certificata"),
            Self::Anomaly => ("X-Trasporto", "errore"),
            other => ("X-Ricevuta", other.certified_kind()),
        }
    }

    /// `postacert/@tipo`; an anomaly envelope has none and answers with the name readers give it.
    pub fn certified_kind(self) -> &'static str {
        match self {
            Self::Transport => "posta-certificata",
            Self::Anomaly => "busta-anomalia",
            Self::Acceptance => "accettazione",
            Self::NonAcceptance | Self::NonAcceptanceVirus => "non-accettazione",
            Self::TakenInCharge => "presa-in-carico",
            Self::Delivery => "avvenuta-consegna",
            Self::NonDelivery | Self::NonDeliveryVirus => "errore-consegna",
            Self::Delay12 | Self::Delay24 => "preavviso-errore-consegna",
            Self::VirusDetected => "rilevazione-virus",
        }
    }

    /// What stands before the original subject.
    pub fn subject_prefix(self) -> &'static str {
        match self {
            Self::Transport => "POSTA CERTIFICATA:",
            Self::Anomaly => "ANOMALIA MESSAGGIO:",
            Self::Acceptance => "ACCETTAZIONE:",
            Self::NonAcceptance => "AVVISO DI NON ACCETTAZIONE:",
            Self::NonAcceptanceVirus => "AVVISO DI NON ACCETTAZIONE PER VIRUS:",
            Self::TakenInCharge => "PRESA IN CARICO:",
            Self::Delivery => "CONSEGNA:",
            Self::NonDelivery => "AVVISO DI MANCATA CONSEGNA:",
            Self::NonDeliveryVirus => "AVVISO DI MANCATA CONSEGNA PER VIRUS:",
            Self::Delay12 | Self::Delay24 => "AVVISO DI MANCATA CONSEGNA PER SUP. TEMPO MASSIMO:",
            Self::VirusDetected => "PROBLEMA DI SICUREZZA:",
        }
    }

    /// True where `X-VerificaSicurezza: errore` belongs.
    pub fn about_virus(self) -> bool {
        matches!(self, Self::NonAcceptanceVirus | Self::NonDeliveryVirus)
    }

    /// The readable text; lines ended by CRLF.
    pub fn text(self, data: &Daticert) -> String {
        let when = data.when();
        let (subject, sender) = (&data.subject, &data.sender);
        let recipients: Vec<String> = data
            .recipients
            .iter()
            .map(|(address, certified)| {
                format!("{address} (\"{}\")", if *certified { "posta certificata" } else { "posta ordinaria" })
            })
            .collect();
        let all = recipients.join("\r\n");
        let one = data.delivered_to.as_deref().unwrap_or("");
        let detail = data.error_detail.as_deref().unwrap_or("");
        let message = format!("il messaggio\r\n\"{subject}\" proveniente da \"{sender}\"");
        let body = match self {
            Self::Transport => format!(
                "Messaggio di posta certificata\r\n\r\n{when} il messaggio\r\n\"{subject}\" è stato inviato da \"{sender}\"\r\n\
                 indirizzato a:\r\n{all}\r\nIl messaggio originale è incluso in allegato."
            ),
            Self::Anomaly => format!(
                "Anomalia nel messaggio\r\n\r\n{when} è stato ricevuto\r\nil messaggio \"{subject}\" proveniente da \"{sender}\"\r\n\
                 ed indirizzato a:\r\n{all}\r\nTali dati non sono stati certificati per il seguente errore:\r\n\
                 il messaggio non proviene da un dominio di posta certificata\r\nIl messaggio originale è incluso in allegato."
            ),
            Self::Acceptance => format!(
                "Ricevuta di accettazione\r\n\r\n{when} {message}\r\ned indirizzato a:\r\n{all}\r\n\
                 è stato accettato dal sistema ed inoltrato."
            ),
            Self::NonAcceptance => format!(
                "Avviso di non accettazione\r\n\r\n{when} nel {}\r\ned indirizzato a:\r\n{all}\r\nè stato rilevato un problema \
                 che ne impedisce l'accettazione\r\na causa di: {detail}.\r\nIl messaggio non è stato accettato.",
                &message[3..]
            ),
            Self::NonAcceptanceVirus => format!(
                "Errore nell'accettazione del messaggio per virus\r\n\r\n{when} nel {}\r\ned indirizzato a:\r\n{all}\r\n\
                 è stato rilevato un problema di sicurezza: {detail}.\r\nIl messaggio non è stato accettato.",
                &message[3..]
            ),
            Self::TakenInCharge => format!(
                "Ricevuta di presa in carico\r\n\r\n{when} {message}\r\ned indirizzato a:\r\n{all}\r\nè stato accettato dal sistema."
            ),
            Self::Delivery => format!(
                "{}\r\n\r\n{when} {message}\r\ned indirizzato a \"{one}\"\r\nè stato consegnato nella casella di destinazione.{}",
                match data.receipt_type {
                    Some("breve") => "Ricevuta breve di avvenuta consegna",
                    Some("sintetica") => "Ricevuta sintetica di avvenuta consegna",
                    _ => "Ricevuta di avvenuta consegna",
                },
                match data.receipt_type {
                    Some("sintetica") => "",
                    Some("breve") => "\r\nDel messaggio originale si allega l'estratto con le impronte degli allegati.",
                    _ => "\r\nIl messaggio originale è incluso in allegato.",
                }
            ),
            Self::NonDelivery => format!(
                "Avviso di mancata consegna\r\n\r\n{when} nel {}\r\ne destinato all'utente \"{one}\"\r\nè stato rilevato un errore: \
                 {detail}.\r\nIl messaggio è stato rifiutato dal sistema.",
                &message[3..]
            ),
            Self::NonDeliveryVirus => format!(
                "Avviso di mancata consegna per virus\r\n\r\n{when} nel {}\r\ne destinato all'utente \"{one}\"\r\nè stato rilevato un \
                 problema di sicurezza: {detail}.\r\nIl messaggio non è stato consegnato.",
                &message[3..]
            ),
            Self::Delay12 => format!(
                "Avviso di mancata consegna per superamento dei tempi massimi previsti\r\n\r\n{when} {message}\r\n\
                 e destinato all'utente \"{one}\"\r\nnon è stato consegnato nelle prime dodici ore dal suo invio. Non escludendo che \
                 questo\r\npossa avvenire in seguito, si ritiene utile considerare che l'invio potrebbe non andare a buon fine."
            ),
            Self::Delay24 => format!(
                "Avviso di mancata consegna per superamento dei tempi massimi previsti\r\n\r\n{when} {message}\r\n\
                 e destinato all'utente \"{one}\"\r\nnon è stato consegnato nelle ventiquattro ore successive al suo invio. \
                 Si ritiene\r\nche la spedizione debba considerarsi non andata a buon fine."
            ),
            Self::VirusDetected => format!(
                "Avviso di rilevazione virus informatici\r\n\r\n{when} nel {}\r\ned indirizzato a:\r\n{all}\r\nè stato rilevato un \
                 problema di sicurezza: {detail}.",
                &message[3..]
            ),
        };
        if self == Self::Anomaly {
            return format!("{body}\r\n");
        }
        format!("{body}\r\nIdentificativo messaggio: {}\r\n", data.identifier)
    }
}
