//! The report for people: Italian, with fixed English labels (it is kept with the archive's legal artefacts).

use std::fmt::Write as _;

use super::report::{Count, Outcome, Report};
use crate::chain::Standing;
use crate::clock::iso_ms;
use crate::error::Lang;

impl Report {
    /// As text.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let outcome = match self.outcome {
            Outcome::Good => "POSITIVO",
            Outcome::Unchecked => "NON VERIFICATO",
            Outcome::Bad => "NEGATIVO",
        };
        let coverage = &self.coverage;
        writeln!(out, "VERIFICA DI INTEGRITÀ E LEGGIBILITÀ (integrity check) {}", self.check)?;
        writeln!(out)?;
        writeln!(out, "Esito (outcome):                     {outcome} ({})", self.outcome.as_str())?;
        writeln!(out, "Modo (mode):                         {}", self.mode.as_str())?;
        writeln!(out, "Inizio (started):                    {}", iso_ms(self.started_at))?;
        writeln!(out, "Fine (finished):                     {}", iso_ms(self.finished_at))?;
        if self.interrupted {
            writeln!(out, "INTERROTTA (interrupted):            il rapporto dice solo quanto annotato fino ad allora")?;
        }
        if let Some(rolling) = &self.rolling {
            let age = rolling.older_than.map_or_else(|| "-".to_owned(), |age| age.to_string());
            let budget = rolling.budget.map_or_else(|| "-".to_owned(), |budget| budget.to_string());
            writeln!(out, "Età minima (older than):             {age}")?;
            writeln!(out, "Limite (budget):                     {budget}")?;
            writeln!(out, "Da esaminare (due):                  {}, rimasti (left) {}", rolling.due, rolling.left)?;
        }
        writeln!(out)?;
        let mut line =
            |label: &str, count: Count| writeln!(out, "{label:<36} {} su (of) {}", count.checked, count.total);
        line("Pacchetti (packages):", coverage.packages)?;
        line("Documenti (documents):", coverage.documents)?;
        line("Byte (bytes):", coverage.bytes)?;
        line("Copie (copies):", coverage.copies)?;
        let oldest = coverage.oldest_full_check.map_or_else(|| "mai (never)".to_owned(), iso_ms);
        writeln!(out, "Verifica completa meno recente:      {oldest} (oldest full check)")?;
        for (mode, deadline) in &coverage.deadlines {
            let mode = mode.as_str();
            let next = deadline.next.map_or_else(|| "-".to_owned(), iso_ms);
            writeln!(
                out,
                "Termine {mode} (deadline):{:w$}ogni (every) {}, il primo (next) {next}, scaduti (overdue) {}",
                "",
                deadline.every,
                deadline.overdue,
                w = 18_usize.saturating_sub(mode.len()),
            )?;
        }
        for seen in &coverage.witnessed {
            let standing = match seen.standing {
                Standing::Holds => "la catena lo contiene (held)",
                Standing::Older => "LA CATENA È PIÙ CORTA (older)",
                Standing::Forked => "ALTRA STORIA (forked)",
                Standing::Declared => "ripristino dichiarato (declared)",
            };
            writeln!(out, "Testimoniato (witnessed):            {} [{}] {standing}", seen.size, seen.place)?;
        }
        let not = match coverage.not_looked_at.join("; ") {
            none if none.is_empty() => "nulla (nothing)".to_owned(),
            names => names,
        };
        writeln!(out, "Non esaminato (not looked at):       {not}")?;
        writeln!(out)?;
        writeln!(out, "Rilievi (findings): {}", self.findings.len())?;
        for (n, finding) in self.findings.iter().enumerate() {
            let place = &finding.place;
            writeln!(out)?;
            writeln!(out, "{}. [{}] {}", n + 1, finding.outcome.as_str(), finding.code.as_str())?;
            writeln!(out, "   {}", finding.code.text(Lang::It))?;
            writeln!(out, "   {}", finding.message)?;
            let parts = [
                ("pacchetto (package)", place.package.as_ref().map(ToString::to_string)),
                ("deposito (vault)", place.vault.clone()),
                ("documento (document)", place.document.map(|id| id.to_string())),
                ("file", place.file.clone()),
                ("rimedio (next)", Some(finding.code.hint(Lang::It).to_owned()).filter(|hint| !hint.is_empty())),
            ];
            for (label, value) in parts.iter().filter_map(|(label, value)| Some((label, value.as_ref()?))) {
                writeln!(out, "   {label}: {}", value.escape_debug().collect::<String>().replace("\\'", "'"))?;
            }
        }
        Ok(())
    }
}
