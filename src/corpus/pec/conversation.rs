//! One submission from end to end, as its outcome has it.

use jiff::{SignedDuration, Timestamp};

use super::attachments;
use super::issue::{Notice, identifier, rome, service};
use super::notice::Kind;
use super::original::{Attachment, BreveHash, Original};
use crate::corpus::item::Item;
use crate::corpus::names::{self, PROVIDERS};
use crate::corpus::options::Options;
use crate::corpus::provider::Keys;
use crate::corpus::rng::Rng;
use crate::error::Result;

/// How a conversation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Delivered; receipts with the whole original.
    Complete,
    /// Delivered; receipts with the hashes of attachments.
    Brief,
    /// Delivered; receipts with daticert.xml only.
    Synthetic,
    /// Refused at submission for a formal reason.
    NotAccepted,
    /// Refused at submission because of a virus; the message itself is class `pec-virus`.
    NotAcceptedVirus,
    /// One recipient's mailbox does not exist.
    NoMailbox,
    /// The recipient's provider finds a virus.
    Virus,
    /// Nothing for 12 hours, nothing for 24.
    Delayed,
    /// An ordinary message that reached a PEC mailbox.
    Anomaly,
}

impl Outcome {
    /// Every outcome, in a fixed order.
    pub const ALL: [Self; 9] = [
        Self::Complete,
        Self::Brief,
        Self::Synthetic,
        Self::NotAccepted,
        Self::NotAcceptedVirus,
        Self::NoMailbox,
        Self::Virus,
        Self::Delayed,
        Self::Anomaly,
    ];

    /// The usual proportions.
    pub(crate) fn some(rng: &mut Rng, unhappy_per_thousand: u32) -> Self {
        if rng.chance(unhappy_per_thousand) {
            *rng.pick(&Self::ALL[3..])
        } else {
            match rng.below(20) {
                0..=14 => Self::Complete,
                15..=17 => Self::Brief,
                _ => Self::Synthetic,
            }
        }
    }
}

/// Where a case stands: its number, its instant, and what it is made with.
pub(crate) struct Scene<'a> {
    /// Name of the case, start of every file name.
    pub case: String,
    /// Instant of submission.
    pub at: Timestamp,
    /// What the corpus is like.
    pub options: &'a Options,
    /// Keys to sign with.
    pub keys: &'a mut Keys,
    /// Numbers of this case.
    pub rng: Rng,
}

/// A recipient.
pub(super) struct Recipient {
    pub(super) address: String,
    /// Index of the provider; `None` for ordinary mail.
    pub(super) provider: Option<usize>,
    pub(super) copy: bool,
}

/// A conversation being made.
pub(crate) struct Conversation<'a> {
    pub(super) scene: Scene<'a>,
    pub(super) provider: usize,
    pub(super) identifier: String,
    pub(super) original: Original,
    pub(super) recipients: Vec<Recipient>,
    pub(super) items: Vec<Item>,
    /// Name of the transport envelope, which the receipts are about.
    pub(super) about: String,
    pub(super) weak: bool,
}

impl<'a> Conversation<'a> {
    /// Everything said about one submission with this outcome.
    pub(crate) fn play(mut scene: Scene<'a>, outcome: Outcome) -> Result<Vec<Item>> {
        let rng = &mut scene.rng;
        let provider = usize::try_from(rng.below(3)).unwrap_or(0);
        let domain = PROVIDERS[provider].1;
        let sender = match outcome {
            Outcome::Anomaly => format!("{}@example.com", names::mailbox(rng)),
            _ => format!("{}@{domain}", names::mailbox(rng)),
        };
        let recipients = recipients(rng, outcome, provider);
        let receipt_type = match outcome {
            Outcome::Brief => Some("breve"),
            Outcome::Synthetic => Some("sintetica"),
            _ if rng.chance(200) => Some("completa"),
            _ => None,
        };
        let mut files = attachments::some(rng, scene.options);
        if outcome == Outcome::Brief && files.is_empty() {
            files.push(attachments::scanned_pdf(rng, 1, 20_000));
        }
        if matches!(outcome, Outcome::Virus | Outcome::NotAcceptedVirus) {
            let bytes = b"Finto programma dannoso, generato come esempio: innocuo.\r\n".repeat(40);
            files = vec![Attachment { name: "fattura.exe".to_owned(), media_type: "application/octet-stream", bytes }];
        }
        let text_length = rng.size(200, 5_000);
        let text = format!(
            "Spett.le {},\r\n\r\n{}\r\n\r\nDistinti saluti\r\n{}",
            names::organisation(rng),
            names::prose(rng, text_length),
            names::organisation(rng)
        );
        let msgid = (!rng.chance(30)).then(|| {
            format!("<{:016x}.{}@{}>", rng.draw(), rng.digits(6), sender.rsplit('@').next().unwrap_or(domain))
        });
        let boundary = format!("------------{:016x}", rng.draw());
        let original = Original {
            to: recipients.iter().filter(|r| !r.copy).map(|r| r.address.clone()).collect(),
            cc: recipients.iter().filter(|r| r.copy).map(|r| r.address.clone()).collect(),
            from: sender,
            subject: names::subject(rng),
            msgid,
            at: rome(scene.at),
            text,
            attachments: files,
            receipt_type,
            boundary,
        };
        let accepted = scene.at + SignedDuration::from_secs(2);
        let identifier = identifier(&mut scene.rng, "opec12", accepted, domain);
        let about = format!("{}-02-busta.eml", scene.case);
        let weak = scene.rng.chance(scene.options.weak_per_thousand);
        let mut talk = Self { scene, provider, identifier, original, recipients, items: Vec::new(), about, weak };
        if talk.scene.options.sent_copies && outcome != Outcome::Anomaly {
            talk.sent_copy();
        }
        talk.run(outcome)?;
        Ok(talk.items)
    }

    fn run(&mut self, outcome: Outcome) -> Result<()> {
        let sender = self.original.from.clone();
        match outcome {
            Outcome::Anomaly => return self.anomaly(),
            Outcome::NotAccepted => {
                let mut notice = Notice::new(Kind::NonAcceptance, self.provider, &sender, 2);
                notice.error = "altro";
                notice.detail = Some("il mittente del messaggio non coincide con l'utente autenticato".to_owned());
                return self.issue(notice);
            }
            Outcome::NotAcceptedVirus => {
                let mut notice = Notice::new(Kind::NonAcceptanceVirus, self.provider, &sender, 3);
                notice.error = "virus";
                notice.detail = Some("il messaggio contiene un virus (Esempio.Finto)".to_owned());
                self.issue(notice)?;
                self.quarantined();
                return Ok(());
            }
            _ => {}
        }
        self.issue(Notice::new(Kind::Acceptance, self.provider, &sender, 2))?;
        let carried = self.original.as_carried(&self.identifier);
        let mut envelope = Notice::new(Kind::Transport, self.provider, &self.original.to.join(",\r\n "), 2);
        envelope.receipt_type = Some(self.original.receipt_type.unwrap_or("completa"));
        envelope.carried = Some(&carried);
        self.issue(envelope)?;
        self.taken_in_charge(outcome)?;
        for index in 0..self.recipients.len() {
            if let Some(provider) = self.recipients[index].provider {
                self.outcome_for(index, provider, outcome, &carried)?;
            }
        }
        Ok(())
    }

    /// One notice to the sender's provider from each other provider; a delayed transmission has none.
    fn taken_in_charge(&mut self, outcome: Outcome) -> Result<()> {
        if outcome == Outcome::Delayed {
            return Ok(());
        }
        for provider in 0..PROVIDERS.len() {
            let taken: Vec<String> =
                self.recipients.iter().filter(|r| r.provider == Some(provider)).map(|r| r.address.clone()).collect();
            if provider == self.provider || taken.is_empty() {
                continue;
            }
            if outcome == Outcome::Virus {
                let mut notice = Notice::new(Kind::VirusDetected, provider, &service(self.provider), 4);
                notice.error = "virus";
                notice.detail = Some("Esempio.Finto".to_owned());
                self.issue(notice)?;
            } else {
                let mut notice = Notice::new(Kind::TakenInCharge, provider, &service(self.provider), 3);
                notice.taken = taken;
                self.issue(notice)?;
            }
        }
        Ok(())
    }

    fn outcome_for(&mut self, index: usize, provider: usize, outcome: Outcome, carried: &[u8]) -> Result<()> {
        let sender = self.original.from.clone();
        let (address, copy) = (self.recipients[index].address.clone(), self.recipients[index].copy);
        let seconds = 5 + i64::try_from(self.scene.rng.below(50)).unwrap_or(0);
        let failed = |kind, from, error, detail: String, seconds| {
            let mut notice = Notice::new(kind, from, &sender, seconds);
            notice.error = error;
            notice.detail = Some(detail);
            notice.delivered_to = Some(address.clone());
            notice
        };
        match outcome {
            Outcome::NoMailbox if index == 0 => {
                let detail = format!("5.1.1 - {} - indirizzo non valido", PROVIDERS[provider].0);
                let error = *self.scene.rng.pick(&["no-dest", "altro"]);
                self.issue(failed(Kind::NonDelivery, provider, error, detail, seconds))
            }
            Outcome::Virus => {
                let detail = "Esempio.Finto".to_owned();
                self.issue(failed(Kind::NonDeliveryVirus, self.provider, "virus", detail, seconds))
            }
            Outcome::Delayed => {
                let name = PROVIDERS[self.provider].0;
                let first = format!("5.4.1 - {name} - il messaggio non e' stato consegnato nelle prime dodici ore");
                self.issue(failed(Kind::Delay12, self.provider, "altro", first, 12 * 3600 + 60))?;
                let last =
                    format!("5.4.1 - {name} - il messaggio non e' stato consegnato nelle prime ventiquattro ore");
                self.issue(failed(Kind::Delay24, self.provider, "altro", last, 23 * 3600))
            }
            _ => {
                let wanted = if copy { "sintetica" } else { self.original.receipt_type.unwrap_or("completa") };
                let hash = if provider == 0 { BreveHash::Decoded } else { BreveHash::Encoded };
                let brief = (wanted == "breve").then(|| self.original.as_breve(&self.identifier, hash));
                let mut notice = Notice::new(Kind::Delivery, provider, &sender, seconds);
                notice.delivered_to = Some(address);
                notice.receipt_type = Some(wanted);
                notice.carried = match wanted {
                    "sintetica" => None,
                    "breve" => brief.as_deref(),
                    _ => Some(carried),
                };
                self.issue(notice)
            }
        }
    }

    fn anomaly(&mut self) -> Result<()> {
        let received = self.original.as_sent();
        let mut notice = Notice::new(Kind::Anomaly, self.provider, &self.original.to.join(",\r\n "), 4);
        notice.carried = Some(&received);
        self.issue(notice)
    }
}

fn recipients(rng: &mut Rng, outcome: Outcome, sender: usize) -> Vec<Recipient> {
    let count = if outcome == Outcome::Anomaly { 1 } else { *rng.pick(&[1, 1, 1, 1, 2, 2, 3]) };
    let mut recipients: Vec<Recipient> = (0..count)
        .map(|i| {
            let elsewhere = (sender + 1 + usize::try_from(rng.below(2)).unwrap_or(0)) % PROVIDERS.len();
            // The first one is with another provider, so that every conversation has a taking in charge.
            let provider = if i > 0 && rng.chance(300) { sender } else { elsewhere };
            let address = format!("{}@{}", names::mailbox(rng), PROVIDERS[provider].1);
            Recipient { address, provider: Some(provider), copy: i > 0 && rng.chance(300) }
        })
        .collect();
    if count > 1 && rng.chance(200) {
        recipients.push(Recipient {
            address: format!("{}@example.com", names::mailbox(rng)),
            provider: None,
            copy: true,
        });
    }
    // Two recipients of one name would be one recipient with two outcomes.
    let mut seen = std::collections::HashSet::new();
    recipients.retain(|r| seen.insert(r.address.clone()));
    recipients
}
