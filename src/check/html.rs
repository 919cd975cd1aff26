//! The report as a page: Italian, each label with its English one beside it; self-contained, no script, nothing loaded.
//!
//! Invariant: every value is escaped, so that a hostile file name is text; the page says the digest of the JSON report that it
//! tells of, which is what is signed and on the chain.

use std::fmt::Write as _;

use super::report::{Count, Finding, Outcome, Report};
use crate::clock::iso_ms;
use crate::document::markup::html as escape;
use crate::error::Lang;
use crate::hash::Sha256;

const STYLE: &str = "body{font:16px/1.5 Georgia,serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222}\
h1,h2{font-weight:normal;line-height:1.2}table{border-collapse:collapse;width:100%;margin:.5em 0 1.5em}\
th,td{text-align:left;vertical-align:top;padding:.25em .6em;border-bottom:1px solid #ddd;overflow-wrap:anywhere}\
th{width:18em;font-weight:normal;color:#555}i{color:#888}code{font:13px/1.4 monospace}\
.good{color:#060}.unchecked{color:#950}.bad{color:#a00}\
.outcome{font-size:1.4em}section{border-top:1px solid #222;margin-top:1.5em}";

impl Report {
    /// As a page; `sha256` is that of the JSON report.
    pub fn to_html(&self, sha256: &Sha256) -> String {
        let mut page = String::new();
        // Writing to a String does not fail.
        let _ = self.write_html(&mut page, sha256);
        page
    }

    fn write_html(&self, out: &mut String, sha256: &Sha256) -> std::fmt::Result {
        let title = format!("Verifica {}", self.check);
        write!(
            out,
            "<!DOCTYPE html>\n<html lang=\"it\"><head><meta charset=\"utf-8\"><title>{title}</title>\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
             <style>{STYLE}</style></head><body>\n<h1>{} <i lang=\"en\">{}</i></h1>\n<table>\n",
            if self.mode == super::Mode::Legibility { "Verifica di leggibilità" } else { "Verifica di integrità" },
            if self.mode == super::Mode::Legibility { "legibility check" } else { "integrity check" },
        )?;
        let outcome = match self.outcome {
            Outcome::Good => "POSITIVO",
            Outcome::Unchecked => "NON VERIFICATO",
            Outcome::Bad => "NEGATIVO",
        };
        let class = self.outcome.as_str();
        row(out, "Esito", "outcome", &format!("<b class=\"outcome {class}\">{outcome}</b> ({class})"))?;
        if self.interrupted {
            let text = "<b class=\"unchecked\">interrotta: il rapporto dice solo quanto annotato fino ad allora</b> \
                        <i lang=\"en\">interrupted: only what was kept until then is told</i>";
            row(out, "Interruzione", "interrupted", text)?;
        }
        row(out, "Identificativo", "identifier", &format!("<code>{}</code>", self.check))?;
        row(out, "Modo", "mode", self.mode.as_str())?;
        row(out, "Inizio", "started", &iso_ms(self.started_at))?;
        row(out, "Fine", "finished", &iso_ms(self.finished_at))?;
        if let Some(rolling) = &self.rolling {
            let text = |value: Option<String>| value.unwrap_or_else(|| "–".to_owned());
            row(out, "Età minima", "older than", &text(rolling.older_than.map(|age| age.to_string())))?;
            row(out, "Limite", "budget", &text(rolling.budget.map(|budget| budget.to_string())))?;
            row(out, "Da esaminare", "due", &rolling.due.to_string())?;
            row(out, "Rimasti", "left", &rolling.left.to_string())?;
        }
        if let Some(sample) = &self.sample {
            let text = format!("1 / {} ({}, {})", sample.one_in, escape(&sample.manual), escape(&sample.clause));
            row(out, "Campione", "sample", &text)?;
        }
        row(out, "SHA-256 del rapporto JSON", "of the JSON report", &format!("<code>{sha256}</code>"))?;
        writeln!(out, "</table>\n<h2>Copertura <i lang=\"en\">coverage</i></h2>\n<table>")?;
        self.coverage(out)?;
        writeln!(out, "</table>\n<h2>Rilievi <i lang=\"en\">findings</i>: {}</h2>", self.findings.len())?;
        self.findings.iter().enumerate().try_for_each(|(n, finding)| section(out, n + 1, finding))?;
        out.push_str("</body></html>\n");
        Ok(())
    }

    fn coverage(&self, out: &mut String) -> std::fmt::Result {
        let coverage = &self.coverage;
        let of = |count: Count| format!("{} su <i lang=\"en\">of</i> {}", count.checked, count.total);
        row(out, "Pacchetti", "packages", &of(coverage.packages))?;
        row(out, "Documenti", "documents", &of(coverage.documents))?;
        row(out, "Byte", "bytes", &of(coverage.bytes))?;
        row(out, "Copie", "copies", &of(coverage.copies))?;
        for (mode, at) in &coverage.oldest {
            let text = at.map_or_else(|| "mai <i lang=\"en\">never</i>".to_owned(), iso_ms);
            row(out, &format!("Meno recente, {}", mode.as_str()), "oldest", &text)?;
        }
        for (mode, deadline) in &coverage.deadlines {
            let next = deadline.next.map_or_else(|| "–".to_owned(), iso_ms);
            let text = format!(
                "ogni <i lang=\"en\">every</i> {}; il primo <i lang=\"en\">next</i> {next}; scaduti <i lang=\"en\">overdue</i> {}",
                deadline.every, deadline.overdue
            );
            row(out, &format!("Termine, {}", mode.as_str()), "deadline", &text)?;
        }
        for seen in &coverage.witnessed {
            let text = format!("{} [{}] {:?}", seen.size, escape(&seen.place), seen.standing);
            row(out, "Testimoniato", "witnessed", &text)?;
        }
        let not: Vec<String> = coverage.not_looked_at.iter().map(|name| escape(name)).collect();
        let not = if not.is_empty() { "nulla <i lang=\"en\">nothing</i>".to_owned() } else { not.join("<br>") };
        row(out, "Non esaminato", "not looked at", &not)
    }
}

fn section(out: &mut String, number: usize, finding: &Finding) -> std::fmt::Result {
    let class = finding.outcome.as_str();
    let code = finding.code.as_str();
    writeln!(out, "<section><h3>{number}. <span class=\"{class}\">{class}</span> <code>{code}</code></h3>\n<table>")?;
    row(out, "Che cosa", "what", finding.code.text(Lang::It))?;
    row(out, "In dettaglio", "in detail", &escape(&finding.message))?;
    let place = &finding.place;
    let parts = [
        ("Pacchetto", "package", place.package.as_ref().map(ToString::to_string)),
        ("Deposito", "vault", place.vault.clone()),
        ("Documento", "document", place.document.map(|id| id.to_string())),
        ("File", "file", place.file.clone()),
        ("Rimedio", "next", Some(finding.code.hint(Lang::It).to_owned()).filter(|hint| !hint.is_empty())),
        ("", "next", Some(finding.next.clone()).filter(|next| !next.is_empty())),
    ];
    for (it, en, value) in parts {
        if let Some(value) = value {
            row(out, it, en, &escape(&value))?;
        }
    }
    writeln!(out, "</table></section>")
}

/// A row whose value is markup already.
fn row(out: &mut String, it: &str, en: &str, value: &str) -> std::fmt::Result {
    writeln!(out, "<tr><th>{it} <i lang=\"en\">{en}</i></th><td>{value}</td></tr>")
}
