//! What stands in a bundle for people: it must say what the report says.
//!
//! Invariant: an archive cannot show people one thing and prove another. Pages and instructions follow from the report alone, so
//! they are made again and compared. Only the version that made them can: of another version they are said not to have been
//! judged, and nothing rests on them.

use super::Run;
use crate::error::{Code, Finding, Lang};
use crate::exhibit::report::Report;
use crate::exhibit::{FOR_PEOPLE, instructions, page};
use crate::hash::Sha256;
use crate::intake::receipt::ENGINE;

impl Run {
    /// Compares every page with what this report gives.
    pub(super) fn pages(&mut self, report: &Report) {
        if report.engine != ENGINE {
            let detail = format!("{}: of another version, not judged", FOR_PEOPLE.join(", "));
            self.findings.push(Finding::info(Code::NotLookedAt, "pages for people", &detail));
            return;
        }
        for name in FOR_PEOPLE {
            let expected = match name {
                "LEGGIMI.html" => page::page(report, Lang::It),
                "README.html" => page::page(report, Lang::En),
                "VERIFICA.txt" => instructions::text(report, Lang::It),
                "VERIFY.txt" => instructions::text(report, Lang::En),
                _ => instructions::SCRIPT.to_owned(),
            };
            // One that is missing or is not the one listed has its own finding.
            let Some(found) = self.digests.get(name) else { continue };
            let said = self.findings.iter().any(|finding| finding.place == name);
            if found.sha256 != Sha256::of(expected.as_bytes()) && !said {
                self.bad(Code::BundleInvalid, name, "it says something else than the report");
            }
        }
    }
}
