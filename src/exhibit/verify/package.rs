//! A whole package: its files against the chain entry, its content as expanded against the index, the index against the
//! time-stamps, its documents against the report.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::document::leads_through;
use super::trust::Judge;
use super::{Run, report};
use crate::error::{Code, Error, Result};
use crate::evidence::ers::file::MAX_BYTES as MAX_TREE;
use crate::evidence::ers::{self, TreeFile};
use crate::exhibit::bundle::packages::files_of;
use crate::exhibit::{REPORT, token_of};
use crate::hash::Sha256;
use crate::package::member::{Kind, Member};
use crate::package::pindex::agents::Agent;
use crate::package::pindex::check;
use crate::package::{CONTENT, EVIDENCE_RECORD, EVIDENCE_TOKEN, EVIDENCE_TREE, PINDEX, PINDEX_SIGNATURE, TOC};

/// Largest index read: a million documents.
const MAX_INDEX: u64 = 4 << 30;

impl Run {
    pub(super) fn package(&mut self, line: &report::Package, report: &report::Report, judge: &Judge) {
        let folder = format!("packages/{}/", line.package);
        let Some(entry) = self.entries.get(&line.entry).cloned() else {
            return self.bad(Code::ChainAltered, &folder, "its entry was not proved to be in the chain");
        };
        let facts = files_of(&entry.object);
        let Some(facts) = self.noted(&format!("chain/{}.json", line.entry), facts) else { return };
        for needed in [CONTENT, TOC, PINDEX, EVIDENCE_RECORD, EVIDENCE_TREE, EVIDENCE_TOKEN] {
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
        let evidence = self.index_evidence(&folder, signed, &entry.object, judge);
        let time = self.noted(&format!("{folder}{EVIDENCE_RECORD}"), evidence).flatten();
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

    /// The record of the index group, the tree and the token; the token's time, when all of it is there.
    fn index_evidence(
        &mut self,
        folder: &str,
        signed: bool,
        entry: &serde_json::Map<String, serde_json::Value>,
        judge: &Judge,
    ) -> Result<Option<Timestamp>> {
        let mut members = Vec::new();
        for name in [PINDEX].into_iter().chain(signed.then_some(PINDEX_SIGNATURE)) {
            match self.digests.get(&format!("{folder}{name}")) {
                Some(digests) => members.push(digests.sha256),
                // Its absence has its own finding.
                None => return Ok(None),
            }
        }
        let [record, tree, token] = [EVIDENCE_RECORD, EVIDENCE_TREE, EVIDENCE_TOKEN].map(|n| format!("{folder}{n}"));
        if [&record, &tree, &token].iter().any(|name| !self.digests.contains_key(*name)) {
            return Ok(None);
        }
        let der = self.files.read(&record, super::MAX_SMALL)?;
        ers::verify(&der, &members, &|token, imprint| judge.time(token, imprint))?;
        leads_through(&der, entry)?;
        let tree = TreeFile::parse(&self.files.read(&tree, MAX_TREE)?)?;
        let root: Option<Sha256> = entry.get("ers_root").and_then(|v| v.as_str()).and_then(|text| text.parse().ok());
        if root != Some(tree.root()) {
            return Err(Error::new(Code::EvidenceAltered, "the tree is not that of the chain entry"));
        }
        let token = token_of(&self.files.read(&token, super::MAX_SMALL)?);
        judge.time(&token, tree.run_root()).map(Some)
    }
}
