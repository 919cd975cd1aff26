//! One row of a log, whatever its layout: what the consistency checks and the counts need of it, and no more.

use super::moment::Moment;

/// What happened (DPR 68/2005 art. 11; the names are those of `tipo` in daticert.xml).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The sender's provider took the message.
    Accettazione,
    /// It did not.
    NonAccettazione,
    /// The transport envelope.
    PostaCertificata,
    /// The recipient's provider took it.
    PresaInCarico,
    /// It is in the mailbox.
    AvvenutaConsegna,
    /// It could not be delivered.
    ErroreConsegna,
    /// It has not been delivered for 12 or 24 hours.
    Preavviso,
    /// Ordinary mail in an anomaly envelope.
    BustaAnomalia,
    /// Malware found on the recipient's side.
    RilevazioneVirus,
    /// A record of the system itself: rotation, start.
    Sistema,
    /// Anything else.
    Altro,
}

impl Kind {
    /// Every kind, in the order in which they are counted.
    pub const ALL: [Self; 11] = [
        Self::Accettazione,
        Self::NonAccettazione,
        Self::PostaCertificata,
        Self::PresaInCarico,
        Self::AvvenutaConsegna,
        Self::ErroreConsegna,
        Self::Preavviso,
        Self::BustaAnomalia,
        Self::RilevazioneVirus,
        Self::Sistema,
        Self::Altro,
    ];

    /// Its name in the counts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accettazione => "accettazione",
            Self::NonAccettazione => "non-accettazione",
            Self::PostaCertificata => "posta-certificata",
            Self::PresaInCarico => "presa-in-carico",
            Self::AvvenutaConsegna => "avvenuta-consegna",
            Self::ErroreConsegna => "errore-consegna",
            Self::Preavviso => "preavviso-errore-consegna",
            Self::BustaAnomalia => "busta-anomalia",
            Self::RilevazioneVirus => "rilevazione-virus",
            Self::Sistema => "sistema",
            Self::Altro => "altro",
        }
    }

    /// From `tipo` or, where that is empty, from the label that stands beside it.
    pub fn of(tipo: &str, label: &str) -> Self {
        let plain = |text: &str| -> String {
            text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
        };
        let known = |text: &str| match plain(text).as_str() {
            "accettazione" => Some(Self::Accettazione),
            "nonaccettazione" | "nonaccettazionevirus" | "mancataaccettazione" => Some(Self::NonAccettazione),
            "postacertificata" | "bustatrasporto" | "bustaditrasporto" => Some(Self::PostaCertificata),
            "presaincarico" => Some(Self::PresaInCarico),
            "avvenutaconsegna" | "consegna" => Some(Self::AvvenutaConsegna),
            "erroreconsegna" | "mancataconsegna" => Some(Self::ErroreConsegna),
            "preavvisoerroreconsegna" | "mancataconsegna12h" | "mancataconsegna24h" => Some(Self::Preavviso),
            "bustaanomalia" | "bustadianomalia" | "anomalia" => Some(Self::BustaAnomalia),
            "rilevazionevirus" => Some(Self::RilevazioneVirus),
            _ => None,
        };
        known(tipo).or_else(|| known(label)).unwrap_or(Self::Altro)
    }
}

/// One row that could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The transmission it belongs to; empty for records of the system.
    pub identifier: String,
    /// When.
    pub at: Option<Moment>,
    /// What.
    pub kind: Kind,
    /// Sender of the original.
    pub sender: String,
    /// Recipients of the original, as written: addresses with `certificato`, `esterno`, `ordinario`.
    pub recipients: String,
    /// Who wrote the row.
    pub provider: String,
    /// Recipient that a delivery or failure is about.
    pub delivered: String,
    /// Recipients that were taken in charge.
    pub taken: String,
    /// The error, `virus` among them.
    pub error: String,
}

impl Event {
    pub(super) fn system(at: Option<Moment>) -> Self {
        let empty = String::new;
        Self {
            identifier: empty(),
            at,
            kind: Kind::Sistema,
            sender: empty(),
            recipients: empty(),
            provider: empty(),
            delivered: empty(),
            taken: empty(),
            error: empty(),
        }
    }
}

/// Addresses of a list, in lower case, each with whether it is certified mail: `a (certificato), b (ordinario)` or
/// `a:certificato;b:esterno`.
pub fn addresses(list: &str) -> impl Iterator<Item = (String, bool)> + '_ {
    list.split([',', ';', '|', '\n', '\r']).filter_map(|item| {
        let item = item.trim();
        let (address, kind) = match item.strip_suffix(')').and_then(|item| item.split_once('(')) {
            Some((address, kind)) => (address, kind),
            None => item.rsplit_once(':').unwrap_or((item, "")),
        };
        let address = address.trim().trim_matches(['<', '>', '"', '\'']);
        (!address.is_empty()).then(|| (address.to_lowercase(), kind.trim().eq_ignore_ascii_case("certificato")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_come_from_the_type_or_else_from_the_label() {
        assert_eq!(Kind::of("accettazione", "Consegna"), Kind::Accettazione);
        assert_eq!(Kind::of("", "BustaAnomalia"), Kind::BustaAnomalia);
        assert_eq!(Kind::of("avvenuta-consegna", ""), Kind::AvvenutaConsegna);
        assert_eq!(Kind::of("presa in carico", ""), Kind::PresaInCarico);
        assert_eq!(Kind::of("qualcosa", "Altro"), Kind::Altro);
        for label in [
            "Accettazione",
            "NonAccettazione",
            "NonAccettazioneVirus",
            "BustaTrasporto",
            "BustaAnomalia",
            "PresaInCarico",
            "Consegna",
            "MancataConsegna",
            "MancataConsegna12h",
            "MancataConsegna24h",
            "RilevazioneVirus",
        ] {
            assert_ne!(Kind::of("", label), Kind::Altro, "{label}");
        }
    }

    #[test]
    fn lists_of_addresses_have_two_forms() {
        let expected = vec![("a@x.example".to_owned(), true), ("b@y.example".to_owned(), false)];
        for list in
            ["A@x.example (certificato), b@y.example (ordinario)", "a@x.example:certificato;b@y.example:esterno"]
        {
            assert_eq!(addresses(list).collect::<Vec<_>>(), expected, "{list}");
        }
        assert_eq!(addresses(" , ;").count(), 0);
    }
}
