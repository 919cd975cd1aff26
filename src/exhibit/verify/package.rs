//! A whole package: its files against the chain entry, its content as expanded against the index, the index against the
//! time-stamps, its documents against the report.

use std::collections::BTreeSet;

use super::document::leads_through;
use super::trust::Judge;
use super::{Run, report};
use crate::error::{Code, Error, Result};
use crate::evidence::digest::Digest;
use crate::evidence::ers::{Judge as _, Verified};
use crate::exhibit::REPORT;
use crate::exhibit::bundle::packages::{files_of, renewed_files};
use crate::package::generation::{file_names, history, record_name};
use crate::package::member::{Kind, Member};
use crate::package::pindex::agents::Agent;
use crate::package::pindex::check;
use crate::package::{CONTENT, PINDEX, PINDEX_SIGNATURE, TOC};

/// Largest index read: a million documents.
const MAX_INDEX: u64 = 4 << 30;

impl Run {
    pub(super) fn package(&mut self, line: &report::Package, report: &report::Report, judge: &Judge) {
        let folder = format!("packages/{}/", line.package);
        let Some(entry) = self.entries.get(&line.entry).cloned() else {
            return self.bad(Code::ChainAltered, &folder, "its entry was not proved to be in the chain");
        };
        let facts = files_of(&entry.object);
        let Some(mut facts) = self.noted(&format!("chain/{}.json", line.entry), facts) else { return };
        for renewal in &line.renewals {
            let Some(entry) = self.entries.get(renewal) else {
                return self.bad(
                    Code::ChainAltered,
                    &folder,
                    "the entry of a renewal was not proved to be in the chain",
                );
            };
            // The entry was read before.
            facts.extend(renewed_files(&entry.object, &line.package).unwrap_or_default());
        }
        let generations = line.renewals.len() as u32 + 1;
        let evidence = (1..=generations).flat_map(file_names);
        for needed in [CONTENT, TOC, PINDEX].map(str::to_owned).into_iter().chain(evidence) {
            if !facts.iter().any(|file| file.name == needed) {
                self.bad(Code::PackageFileMissing, &format!("{folder}{needed}"), "not in the chain entry");
            }
        }
        for file in &facts {
            let name = format!("{folder}{}", file.name);
            let Some(found) = self.expect(&name) else { continue };
            if (found.bytes, found.sha256, found.blake3) != (file.length, file.sha256, file.blake3) {
                self.bad(Code::PackageFileAltered, &name, "not the file in the chain entry");
            }
        }
        let agents = self.index(line, report, &folder, &entry.object);
        let signed = facts.iter().any(|file| file.name == PINDEX_SIGNATURE);
        let newest = format!("{folder}{}", record_name(generations));
        let evidence = self.index_evidence(&folder, signed, generations, &entry.object, judge);
        let verified = self.noted(&newest, evidence).flatten();
        self.gaps(&newest, verified.as_ref());
        let time = verified.as_ref().map(Verified::since);
        if signed {
            let (signature, index) = (format!("{folder}{PINDEX_SIGNATURE}"), format!("{folder}{PINDEX}"));
            self.signature(judge, &signature, &index, time, agents.as_deref());
        }
        let found = self.signatures.iter().find(|found| found.file == format!("{folder}{PINDEX_SIGNATURE}"));
        if found.map(|found| &found.signer) != line.signature.as_ref() {
            self.bad(Code::BundleInvalid, REPORT, format!("{}: who signed is not what its files say", line.package));
        }
    }

    /// Every Path of the index resolves to the file it names, and every document is in the report. Gives who may sign.
    fn index(
        &mut self,
        line: &report::Package,
        report: &report::Report,
        folder: &str,
        entry: &serde_json::Map<String, serde_json::Value>,
    ) -> Option<Vec<Agent>> {
        let place = format!("{folder}{PINDEX}");
        let digests = self.digests.get(&place).copied()?;
        let text = |name: &str| entry.get(name).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
        if text("pindex") != digests.sha256.to_string() {
            self.bad(Code::PIndexDisagrees, &place, "not the index in the chain entry");
        }
        let bytes = self.files.read(&place, MAX_INDEX);
        let bytes = self.noted(&place, bytes)?;
        let mut listed = Vec::new();
        let index = check::read(&bytes[..], &mut |file| listed.push((file.path, file.sha256)));
        let index = self.noted(&place, index)?;
        for finding in &index.findings {
            self.bad(finding.code, &place, format!("{} {}", finding.place, finding.message));
        }
        match &index.series {
            Some(series) if series.package == line.package && text("previous") == series.previous.to_string() => {}
            _ => self.bad(Code::SeriesBroken, &place, "of another package than the chain entry says"),
        }
        let mut documents = BTreeSet::new();
        for (path, sha256) in listed {
            let name = format!("{folder}{path}");
            if let Some(member) = Member::from_path(&path).filter(|member| member.kind == Kind::Document) {
                documents.insert(member.id);
            }
            if let Some(found) = self.expect(&name)
                && found.sha256 != sha256
            {
                self.bad(Code::ContentAltered, &name, "not the file that the index lists");
            }
        }
        let reported: BTreeSet<_> =
            report.documents.iter().filter(|d| d.package == line.package).map(|d| d.id.0).collect();
        let counted = entry.get("documents").and_then(serde_json::Value::as_u64);
        if documents != reported || counted != Some(documents.len() as u64) {
            self.bad(Code::PIndexDisagrees, &place, "other documents than report and chain entry name");
        }
        Some(index.authorised)
    }

    /// The newest record of the index group, and the trees and tokens of all generations, which must be those that it
    /// was made of. `None` when a file is missing, which has its own finding.
    fn index_evidence(
        &mut self,
        folder: &str,
        signed: bool,
        generations: u32,
        entry: &serde_json::Map<String, serde_json::Value>,
        judge: &Judge,
    ) -> Result<Option<Verified>> {
        let members: Vec<String> =
            [PINDEX].into_iter().chain(signed.then_some(PINDEX_SIGNATURE)).map(|n| format!("{folder}{n}")).collect();
        let evidence = (1..=generations).flat_map(file_names).map(|name| format!("{folder}{name}"));
        if members.iter().cloned().chain(evidence).any(|name| !self.digests.contains_key(&name)) {
            return Ok(None);
        }
        let der = self.files.read(&format!("{folder}{}", record_name(generations)), super::MAX_SMALL)?;
        let parts: Vec<&str> = members.iter().map(String::as_str).collect();
        let verified = self.verify_record(&der, &parts, judge)?;
        leads_through(&der, entry)?;
        let files = std::cell::RefCell::new(&mut self.files);
        let history = history(generations, &|name, limit| files.borrow_mut().read(&format!("{folder}{name}"), limit))?;
        let wrong = |what: &str| Err(Error::new(Code::EvidenceAltered, what));
        let root: Option<Digest> = entry.get("ers_root").and_then(|v| v.as_str()).and_then(|text| text.parse().ok());
        if root.is_none() || root != history.sealed().map(|tree| tree.root()) {
            return wrong("the tree is not that of the chain entry");
        }
        for generation in history.generations() {
            judge.judge(&generation.token, &generation.root())?;
        }
        if history.record(None)?.to_der() != der {
            return wrong("not the record that trees and tokens give");
        }
        Ok(Some(verified))
    }
}
