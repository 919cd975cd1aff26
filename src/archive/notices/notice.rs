//! One notice: what happened since the last one, and what stands; as JSON for programs and as text for people.
//!
//! Invariant: it says what an alarm is (code, gravity, place, since) and what to do, in Italian and English, and nothing else of the
//! archive. A place may hold a word that came from outside, so it is cut and shown without control characters.

use std::fmt::Write as _;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::state::{Event, State, Told, What};
use crate::archive::Archive;
use crate::archive::config::Profile;
use crate::chain::note::Signer;
use crate::clock::{iso_ms, iso_seconds};
use crate::error::{Lang, Result, Severity};
use crate::hash::Sha256;
use crate::intake::receipt::TRIAL;

/// What `schema` says.
const SCHEMA: &str = "urn:custode:notice:1";
/// Most alarms that stand, named one by one: `custode alarms` lists all.
const NAMED: usize = 100;
/// Longest place shown.
const LONGEST_PLACE: usize = 200;

/// One notice to one target.
pub(super) struct Notice<'a> {
    archive: &'a str,
    trial: bool,
    at: Timestamp,
    state: &'a State,
    events: &'a [Event],
    /// Events that the target will never be told of.
    lost: u64,
    signer: Arc<Signer>,
}

impl Archive {
    /// A notice of these events, which ends with what stands now.
    pub(super) fn notice<'a>(&'a self, state: &'a State, events: &'a [Event], lost: u64) -> Notice<'a> {
        let trial = self.profile == Profile::Trial;
        Notice { archive: &self.origin, trial, at: self.clock.now(), state, events, lost, signer: self.ledger.signer() }
    }
}

fn shown(place: &str) -> String {
    place.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_PLACE).collect()
}

fn facts(told: &Told) -> Value {
    let code = told.code;
    json!({
        "code": code, "severity": told.severity, "place": shown(&told.place), "since": iso_ms(told.since),
        "text": { "it": code.text(Lang::It), "en": code.text(Lang::En) },
        "next": { "it": code.hint(Lang::It), "en": code.hint(Lang::En) },
    })
}

impl Notice<'_> {
    /// The number of its last event: the same notice twice has the same.
    pub fn number(&self) -> u64 {
        self.events.last().map_or(0, |event| event.number)
    }

    /// When it is told.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// Name of the archive: origin of its chain.
    pub fn archive(&self) -> &str {
        self.archive
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let event = |event: &Event| {
            let (what, mut facts) = match &event.what {
                What::Began(told) => ("began", facts(told)),
                What::Worse(told) => ("worse", facts(told)),
                What::Ended(told) => ("ended", facts(told)),
                What::Night(night) => {
                    ("night", json!({ "outcome": night.outcome, "errors": night.errors, "code": night.code }))
                }
                What::Reminder => ("reminder", json!({})),
                What::Test => ("test", json!({})),
            };
            facts["what"] = what.into();
            facts["number"] = event.number.into();
            facts["at"] = iso_ms(event.at).into();
            facts
        };
        let standing = self.standing();
        json!({
            "schema": SCHEMA, "archive": self.archive, "trial": self.trial, "number": self.number(), "at": iso_ms(self.at),
            "lost": self.lost, "events": self.events.iter().map(event).collect::<Vec<_>>(),
            "standing": {
                "total": self.state.total, "errors": self.count(Severity::Error),
                "alarms": standing.into_iter().take(NAMED).map(facts).collect::<Vec<_>>(),
            },
        })
    }

    /// The technical integrity mark of these bytes by the archive's key (C2SP signed note under `<archive>/notice`): number, SHA-256,
    /// instant.
    pub fn mark(&self, body: &[u8]) -> Result<String> {
        let origin = format!("{}/notice", self.archive);
        let text = format!("{origin}\n{}\n{}\n{}\n", self.number(), Sha256::of(body), iso_ms(self.at));
        self.signer.renamed(&origin)?.sign_note(&text)
    }

    /// What stands, the gravest and oldest first.
    fn standing(&self) -> Vec<&Told> {
        let mut standing: Vec<&Told> = self.state.standing.values().collect();
        standing.sort_by_key(|told| (std::cmp::Reverse(told.severity), told.since));
        standing
    }

    fn count(&self, severity: Severity) -> usize {
        self.state.standing.values().filter(|told| told.severity == severity).count()
    }

    fn is_test(&self) -> bool {
        self.events.iter().any(|event| event.what == What::Test)
    }

    /// Subject of a message, in both languages.
    pub fn subject(&self) -> String {
        let (errors, warnings) = (self.count(Severity::Error), self.count(Severity::Warning));
        let count = |n: usize, one: &str, more: &str| format!("{n} {}", if n == 1 { one } else { more });
        let trial = if self.trial { "[PROVA] " } else { "" };
        let said = match (self.is_test(), errors + warnings) {
            (true, _) => "messaggio di prova / test".to_owned(),
            (false, 0) => "nessun allarme / no alarms".to_owned(),
            (false, _) => format!(
                "{}, {} / {}, {}",
                count(errors, "errore", "errori"),
                count(warnings, "avviso", "avvisi"),
                count(errors, "error", "errors"),
                count(warnings, "warning", "warnings"),
            ),
        };
        format!("{trial}Custode {}: {said}", self.archive)
    }

    /// For people: Italian, then English.
    pub fn text(&self) -> String {
        format!("{}\n\n{}\n{}", self.part(Lang::It), "-".repeat(72), self.part(Lang::En))
    }

    fn part(&self, lang: Lang) -> String {
        let say = |it: &'static str, en: &'static str| if lang == Lang::It { it } else { en };
        let mut text = String::new();
        if self.trial {
            let _ = writeln!(text, "{TRIAL}{}\n", say("", " (TRIAL: without legal value)"));
        }
        let _ = writeln!(text, "{} {} · {} UTC\n", say("Archivio", "Archive"), self.archive, iso_seconds(self.at));
        if self.lost > 0 {
            let said = say("avvisi precedenti non inviati, troppi", "earlier events were not told, too many");
            let _ = writeln!(text, "{} {said}\n", self.lost);
        }
        for event in self.events {
            let line = match &event.what {
                What::Began(told) => alarm(say("NUOVO", "NEW"), told, lang, true),
                What::Worse(told) => alarm(say("PEGGIORATO", "WORSE"), told, lang, true),
                What::Ended(told) => alarm(say("CESSATO", "ENDED"), told, lang, false),
                What::Night(night) => {
                    let outcome = match night.outcome.as_str() {
                        "good" => say("buono", "good"),
                        "bad" => say("NON BUONO", "BAD"),
                        _ => say("NON VERIFICATO", "UNCHECKED"),
                    };
                    let why = night.code.map(|code| format!(" ({}: {})", code.as_str(), code.text(lang)));
                    let errors = format!("{} {}", night.errors, say("errori", "errors"));
                    let what = say("controllo notturno", "the night's check");
                    format!("{what}: {outcome}, {errors}{}", why.unwrap_or_default())
                }
                What::Reminder => {
                    say("Promemoria: quanto segue dura ancora.", "Reminder: what follows still stands.").into()
                }
                What::Test => say(
                    "Messaggio di prova: chi lo legge riceverà gli allarmi di questo archivio.",
                    "This is a test: whoever reads it will get the alarms of this archive.",
                )
                .into(),
            };
            let _ = writeln!(text, "{line}");
        }
        let standing = self.standing();
        if standing.is_empty() {
            let _ = writeln!(text, "\n{}", say("Nessun allarme.", "No alarms."));
        } else {
            let _ = writeln!(text, "\n{} ({}):", say("Allarmi in corso", "Alarms that stand"), self.state.total);
            for told in standing.iter().take(NAMED) {
                let _ = writeln!(text, "{}", alarm("-", told, lang, false));
            }
            if self.state.total > NAMED.min(standing.len()) {
                let _ = writeln!(text, "- … {}", say("e altri", "and more"));
            }
        }
        let _ = write!(text, "\n{} custode alarms", say("Tutto, con i dettagli:", "All of it, in detail:"));
        text
    }
}

/// An alarm on a line, and what to do on the next.
fn alarm(mark: &str, told: &Told, lang: Lang, next: bool) -> String {
    let grave = match (told.severity, lang) {
        (Severity::Error, Lang::It) => "ERRORE",
        (Severity::Error, Lang::En) => "ERROR",
        (Severity::Warning, Lang::It) => "ATTENZIONE",
        (Severity::Warning, Lang::En) => "WARNING",
        (Severity::Info, _) => "",
    };
    let since = if lang == Lang::It { "dal" } else { "since" };
    let Told { code, place, since: at, .. } = told;
    let line = format!(
        "{mark} {grave} [{}] {}: {} ({since} {})",
        shown(place),
        code.as_str(),
        code.text(lang),
        iso_seconds(*at)
    );
    match code.hint(lang) {
        hint if next && !hint.is_empty() => format!("{line}\n    {hint}"),
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn a_place_from_outside_cannot_add_lines() {
        assert_eq!(shown("log\r\nBcc: x"), "log  Bcc: x");
        assert_eq!(shown(&"x".repeat(300)).len(), LONGEST_PLACE);
        let told = Told {
            code: Code::CopyBad,
            severity: Severity::Error,
            place: "vault\nsecondo".into(),
            since: "2026-11-22T10:00:00Z".parse().unwrap(),
        };
        let line = alarm("NUOVO", &told, Lang::It, false);
        assert!(line.starts_with("NUOVO ERRORE [vault secondo] ") && line.lines().count() == 1, "{line}");
    }
}
