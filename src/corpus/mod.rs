//! The corpus: invented documents of every class, as realistic as their formats allow, from a seed.
//!
//! Used by the demonstration, the tests and the benchmarks, and as a tool (`tools/corpus.rs`). Invariants: the same seed and
//! options give the same bytes; a case follows from its number alone, whatever was generated before; nothing here names
//! anybody who could exist; one case at a time is in memory, whatever the size of the corpus.

mod glyphs;
mod hostile;
mod identity;
mod invoice;
mod item;
mod log;
mod matrix;
mod mime;
mod names;
mod options;
mod pdf;
mod pec;
mod picture;
mod provider;
mod rng;
mod small;

use std::collections::VecDeque;

use jiff::civil::Date;
use jiff::{SignedDuration, Span, Timestamp, tz::TimeZone};

use crate::error::Result;

pub use hostile::{Hostile, hostile, hostile_names};
pub use invoice::{Container, Fate, Format};
pub use item::{Facts, Item, Relation};
pub use log::{COLUMNS as LOG_COLUMNS, LogForm};
pub use matrix::{Sample, given, samples, trust_anchors};
pub use options::{Mix, Options};
pub use pec::Outcome;
pub use provider::Keys;
pub use rng::Rng;
pub use small::{jpeg, legible_samples, pdf, pdf_with_streams, png, tiff};

/// Seconds from one case to the next of its kind, about: some hundred a day.
const PACE: i64 = 240;

/// The generator: an endless iterator of documents, and one of each kind on request.
pub struct Generator {
    seed: u64,
    options: Options,
    keys: Keys,
    /// Cases made so far: conversations, invoices, identity files, logs.
    cases: [u64; 4],
    /// Documents given so far, of the same kinds.
    given: [u64; 4],
    ready: VecDeque<Item>,
}

impl Generator {
    /// A generator for this seed.
    pub fn new(seed: u64, options: Options) -> Result<Self> {
        Ok(Self { seed, options, keys: Keys::new()?, cases: [0; 4], given: [0; 4], ready: VecDeque::new() })
    }

    /// DER certificate of the throw-away authority that every signature here leads to.
    pub fn root_certificate(&self) -> &[u8] {
        self.keys.root()
    }

    /// The next conversation; the first of a corpus is delivered, with complete receipts.
    pub fn conversation(&mut self) -> Result<Vec<Item>> {
        let first = self.cases[0] == 0;
        let (scene_index, mut rng) = self.next_case(0, "pec");
        let outcome =
            if first { Outcome::Complete } else { Outcome::some(&mut rng, self.options.unhappy_per_thousand) };
        self.play(scene_index, rng, outcome)
    }

    /// The next conversation, with this outcome.
    pub fn conversation_with(&mut self, outcome: Outcome) -> Result<Vec<Item>> {
        let (index, rng) = self.next_case(0, "pec");
        self.play(index, rng, outcome)
    }

    fn play(&mut self, index: u64, rng: Rng, outcome: Outcome) -> Result<Vec<Item>> {
        let scene = pec::Scene {
            case: format!("pec-{index:07}"),
            at: self.instant(index),
            options: &self.options,
            keys: &mut self.keys,
            rng,
        };
        pec::Conversation::play(scene, outcome)
    }

    /// The next invoice file with its notifications; the first of a corpus is signed, to a public body, delivered.
    pub fn invoice_case(&mut self) -> Result<Vec<Item>> {
        let first = self.cases[1] == 0;
        let (index, mut rng) = self.next_case(1, "invoice");
        let (format, container, fate) =
            if first { (Format::Fpa12, Container::Der, Fate::Delivered) } else { invoice::some(&mut rng) };
        let at = self.instant(index);
        invoice::case(rng, invoice::Case { index, at, format, container, fate, keys: &mut self.keys })
    }

    /// The next invoice file, of this format, container and fate.
    pub fn invoice_case_with(&mut self, format: Format, container: Container, fate: Fate) -> Result<Vec<Item>> {
        let (index, rng) = self.next_case(1, "invoice");
        let at = self.instant(index);
        invoice::case(rng, invoice::Case { index, at, format, container, fate, keys: &mut self.keys })
    }

    /// The next identity file: front, back, declaration, evidence.
    pub fn identity_file(&mut self) -> Vec<Item> {
        let (index, rng) = self.next_case(2, "identity");
        identity::file(rng, &format!("identita-{index:07}"), self.instant(index))
    }

    /// A provider's log of this day.
    pub fn pec_log(&mut self, day: Date, form: LogForm) -> Item {
        let (index, rng) = self.next_case(3, "log");
        let provider = usize::try_from(index).unwrap_or(0) % names::PROVIDERS.len();
        log::day(rng, &self.options, provider, day, form)
    }

    fn next_case(&mut self, kind: usize, name: &str) -> (u64, Rng) {
        let index = self.cases[kind];
        self.cases[kind] += 1;
        (index, Rng::for_case(self.seed, name, index))
    }

    /// When a case happens: from eight in the morning of the first day on.
    fn instant(&self, index: u64) -> Timestamp {
        let zone = TimeZone::get("Europe/Rome").unwrap_or(TimeZone::UTC);
        let start = zone.to_ambiguous_timestamp(self.options.start.at(8, 0, 0, 0)).compatible();
        let seconds = i64::try_from(index % 10_000_000).unwrap_or(0) * PACE;
        start.unwrap_or(Timestamp::UNIX_EPOCH) + SignedDuration::from_secs(seconds)
    }

    /// Makes the next case of the kind that is furthest behind its share.
    fn refill(&mut self) -> Result<()> {
        let Mix { pec, invoice, identity, log } = self.options.mix;
        let shares = [pec, invoice, identity, log].map(f64::from);
        let mut behind = (f64::INFINITY, 0);
        for (kind, share) in shares.into_iter().enumerate() {
            let progress = self.given[kind] as f64 / share;
            if share > 0.0 && progress < behind.0 {
                behind = (progress, kind);
            }
        }
        let kind = behind.1;
        let items = match kind {
            0 => self.conversation()?,
            1 => self.invoice_case()?,
            2 => self.identity_file(),
            _ => {
                // Every provider has its log of a day before the next day begins; every seventh day in the other form.
                let index = self.cases[3];
                let days = i64::try_from(index / names::PROVIDERS.len() as u64 % 20_000).unwrap_or(0);
                let day = self.options.start.saturating_add(Span::new().days(days));
                let form = if days % 7 == 6 { LogForm::KeyValue } else { LogForm::Csv };
                vec![self.pec_log(day, form)]
            }
        };
        self.given[kind] += items.len() as u64;
        self.ready.extend(items);
        Ok(())
    }
}

impl Iterator for Generator {
    type Item = Result<Item>;

    fn next(&mut self) -> Option<Result<Item>> {
        while self.ready.is_empty() {
            if let Err(error) = self.refill() {
                return Some(Err(error));
            }
        }
        self.ready.pop_front().map(Ok)
    }
}

#[cfg(test)]
mod tests;
