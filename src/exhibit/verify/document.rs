//! One document: content and metadata against the RdV and the manifest, these against the signed note, all four against the
//! time-stamps, and the tree of the time-stamps against the chain.

use std::cell::RefCell;

use super::{Document, Outcome, Run};
use crate::chain::Reigns;
use crate::clock::iso_seconds;
use crate::document::agid;
use crate::error::{Code, Error, Finding, Result};
use crate::evidence::digest::{Algorithm, Digest};
use crate::evidence::ers::tree::{combine, group_hash};
use crate::evidence::ers::{self, Record, Verified};
use crate::exhibit::bundle::packages::files_of;
use crate::exhibit::bundle::revocation::{digest_of, listed, sources};
use crate::exhibit::verify::trust::Judge;
use crate::exhibit::{REPORT, name, report};
use crate::hash::Sha256;
use crate::intake::manifest::Manifest;
use crate::intake::receipt::{Facts, check_note, open_note, origin, rdv};
use crate::package::TRUST;

impl Run {
    /// Verifies a document; everything wrong is noted with its file.
    pub(super) fn document(
        &mut self,
        line: &report::Document,
        report: &report::Report,
        keys: &Reigns,
        judge: &Judge,
    ) -> Document {
        let before = self.findings.len();
        self.places(line, report);
        let facts = self.receipt(line, report, keys);
        self.against_receipt(line, facts.as_ref());
        self.revocation(line, report);
        let verified = self.evidence(line, judge);
        let since = verified.as_ref().map(Verified::since);
        if let Some(signature) = &line.rdv_signature {
            self.signature(judge, signature, &line.rdv, since, None);
        }
        if let Some(facts) = &facts {
            self.under_compromised(line, keys, facts.chain_size, since);
        }
        let times = verified.as_ref().map(Verified::times).unwrap_or_default();
        if since.is_some_and(|since| !times.contains(&line.exists_since) || line.exists_since < since) {
            // An older time-stamp that leads to no anchor proves nothing: pages must not say that it does.
            let what = "exists_since is not the time of one of its time-stamps, or older than what they prove";
            self.bad(Code::BundleInvalid, REPORT, format!("{}: {what}", line.id));
        }
        // What was found of its files when the list was read concerns it as well.
        let files = [&line.file, &line.metadata_file, &line.rdv, &line.note, &line.manifest, &line.evidence];
        let of_this = self.findings.iter().enumerate().filter(|(n, f)| *n >= before || files.contains(&&f.place));
        let of_this = of_this.map(|(_, f)| super::Seen::from(f).outcome);
        Document {
            id: line.id,
            name: line.name.clone(),
            file: line.file.clone(),
            class: line.class.clone(),
            series: line.package.series.clone(),
            package: line.package.clone(),
            sha256: self.digests.get(&line.file).map_or(line.sha256, |d| d.sha256),
            accepted_at: facts.map_or(line.accepted_at, |f| f.accepted_at),
            exists_since: verified.as_ref().map(Verified::since),
            stamped_at: times,
            outcome: of_this.max().unwrap_or(Outcome::Good),
        }
    }

    /// Every file of the document stands where the format says.
    fn places(&mut self, line: &report::Document, report: &report::Report) {
        let (id, receipt) = (line.id, line.receipt);
        let mut right = line.evidence == format!("evidence/{id}.ers");
        let package = report.packages.iter().find(|p| p.package == line.package && p.entry == line.entry);
        let folder = match package {
            Some(package) if package.whole => format!("packages/{}/", line.package),
            _ => String::new(),
        };
        right &= package.is_some();
        right &= line.metadata_file == format!("{folder}metadata/{id}.xml");
        right &= line.rdv == format!("{folder}receipts/{receipt}.xml");
        right &= line.note == format!("{folder}receipts/{receipt}.note");
        right &= line.manifest == format!("{folder}manifests/{receipt}.json");
        let signature = format!("{folder}receipts/{receipt}.xml.p7s");
        right &= line.rdv_signature.as_ref().is_none_or(|named| *named == signature);
        right &= match folder.as_str() {
            "" => line.file == format!("documents/{id}/{}", name::safe(&line.name)),
            folder => line.file.strip_prefix(folder).is_some_and(|f| f.starts_with(&format!("documents/{id}."))),
        };
        if !right {
            self.bad(Code::BundleInvalid, REPORT, format!("{id}: files elsewhere than the format says"));
        }
    }

    /// RdV and manifest, verified against the note that the archive signed.
    fn receipt(&mut self, line: &report::Document, report: &report::Report, keys: &Reigns) -> Option<Facts> {
        let (rdv_bytes, manifest, note) = (self.small(&line.rdv), self.small(&line.manifest), self.text(&line.note));
        let rdv_bytes = rdv_bytes?;
        let facts = rdv::parse(&rdv_bytes);
        let facts = self.noted(&line.rdv, facts)?;
        let name = origin(keys.name());
        let note = note?;
        let signed = open_note(&note, keys).and_then(|(text, _)| check_note(&text, &name, &facts, &rdv_bytes));
        self.noted(&line.note, signed)?;
        let manifest = manifest?;
        let agrees = Manifest::parse(&manifest).and_then(|read| {
            let right = Sha256::of(&manifest) == facts.manifest_sha256 && read.deposit == facts.deposit;
            if right {
                Ok(())
            } else {
                Err(Error::new(Code::ReceiptMismatch, "not the manifest that the receipt signs"))
            }
        });
        self.noted(&line.manifest, agrees)?;
        if facts.trial != report.trial {
            self.bad(Code::BundleInvalid, REPORT, "trial: the receipt says otherwise");
        }
        Some(facts)
    }

    fn against_receipt(&mut self, line: &report::Document, facts: Option<&Facts>) {
        let (content, metadata) = (self.expect(&line.file), self.small(&line.metadata_file));
        let Some(facts) = facts else { return };
        if facts.deposit.receipt != line.receipt {
            return self.bad(Code::ReceiptMismatch, &line.rdv, "of another receipt");
        }
        let Some(item) = facts.deposit.documents.iter().find(|item| item.id == line.id) else {
            return self.bad(Code::ReceiptMismatch, &line.rdv, format!("does not name document {}", line.id));
        };
        if let Some(content) = content
            && (content.bytes, content.sha256, content.blake3) != (item.bytes, item.sha256, item.blake3)
        {
            self.bad(Code::ContentAltered, &line.file, format!("document {}", line.id));
        }
        let Some(metadata) = metadata else { return };
        if Sha256::of(&metadata) != item.metadata_sha256 {
            return self.bad(Code::ContentAltered, &line.metadata_file, "not the metadata that the receipt names");
        }
        let file = agid::parse(&metadata);
        let Some(file) = self.noted(&line.metadata_file, file) else { return };
        let same = file.document == line.id && file.receipt == line.receipt && file.digests.sha256 == item.sha256;
        if !same {
            self.bad(Code::ContentAltered, &line.metadata_file, "of another document");
        }
        let told = (&file.name, &file.class, file.class_version, file.accepted_at, &file.metadata);
        let shown = (&line.name, &line.class, line.class_version, line.accepted_at, &line.metadata);
        if told != shown || (line.bytes, line.sha256, &line.media_type) != (item.bytes, item.sha256, &item.media_type) {
            self.bad(Code::BundleInvalid, REPORT, format!("{}: not what its files say", line.id));
        }
    }

    /// Every list and answer that a verdict on revocation rests on is there, is the one it is named by, and was sealed.
    fn revocation(&mut self, line: &report::Document, report: &report::Report) {
        let whole = report.packages.iter().any(|p| p.package == line.package && p.whole);
        let folder = if whole { format!("packages/{}/", line.package) } else { String::new() };
        let sealed = self.entries.get(&line.entry).and_then(|entry| files_of(&entry.object).ok()).unwrap_or_default();
        for name in sources(&line.revocation) {
            let place = format!("{folder}{TRUST}/{name}");
            let Some(found) = self.expect(&place).map(|found| found.sha256) else { continue };
            if digest_of(name) != Some(found) || listed(&sealed, name).is_none_or(|file| file.sha256 != found) {
                self.bad(Code::BundleFileAltered, &place, "not the revocation data that were sealed");
            }
        }
    }

    /// The document's evidence; `None` when it does not verify, which is noted.
    fn evidence(&mut self, line: &report::Document, judge: &Judge) -> Option<Verified> {
        let der = self.small(&line.evidence)?;
        let parts = [&line.file, &line.metadata_file, &line.rdv, &line.manifest];
        let parts: Vec<&str> = parts.into_iter().chain(&line.rdv_signature).map(String::as_str).collect();
        // A missing part has its own finding.
        parts.iter().all(|part| self.digests.contains_key(*part)).then_some(())?;
        let verified = self.verify_record(&der, &parts, judge);
        let verified = self.noted(&line.evidence, verified);
        self.gaps(&line.evidence, verified.as_ref());
        match self.entries.get(&line.entry).map(|entry| leads_through(&der, &entry.object)) {
            None => self.bad(Code::EvidenceAltered, &line.evidence, "the chain entry it should lead to was not proved"),
            Some(outcome) => drop(self.noted(&line.evidence, outcome)),
        }
        verified
    }

    /// Verifies a record over these files. Their SHA-256 is known; another digest, of a renewal, is computed when it is
    /// asked for.
    pub(super) fn verify_record(&mut self, der: &[u8], parts: &[&str], judge: &Judge) -> Result<Verified> {
        let (files, digests) = (RefCell::new(&mut self.files), &self.digests);
        let members = |algorithm: Algorithm| {
            let digest = |part: &&str| match digests.get(*part) {
                Some(known) if algorithm == Algorithm::Sha256 => Ok(Digest::from(known.sha256)),
                Some(known) => files.borrow_mut().digest(part, known.bytes, algorithm),
                None => Err(Error::new(Code::BundleFileMissing, "").at(part)),
            };
            parts.iter().map(digest).collect::<Result<Vec<Digest>>>()
        };
        ers::verify(der, &members, judge)
    }

    /// Says of renewals that came late; nothing is the worse for it.
    pub(super) fn gaps(&mut self, place: &str, verified: Option<&Verified>) {
        for (ended, renewed) in verified.map(Verified::gaps).unwrap_or_default() {
            let detail = format!("ended {}, renewed {}", iso_seconds(ended), iso_seconds(renewed));
            self.findings.push(Finding::info(Code::RenewalGap, place, &detail));
        }
    }
}

/// Whether the hash tree of a record goes through the roots that the package's entry names.
pub(super) fn leads_through(der: &[u8], entry: &serde_json::Map<String, serde_json::Value>) -> Result<()> {
    let record = Record::parse(der)?;
    let path = record.chains.first().and_then(|chain| chain.first()).and_then(|stamp| stamp.path.clone());
    let mut nodes: Vec<Digest> = Vec::new();
    for list in path.unwrap_or_default() {
        let Some(algorithm) = list.first().map(Digest::algorithm) else { continue };
        let node = match nodes.last() {
            None => group_hash(algorithm, &list),
            Some(below) => combine(algorithm, &[list, vec![*below]].concat()),
        };
        nodes.push(node);
    }
    let root = |name: &str| entry.get(name).and_then(|v| v.as_str()).and_then(|text| text.parse::<Digest>().ok());
    let wrong = |what: &str| Err(Error::new(Code::EvidenceAltered, what));
    match root("ers_root") {
        Some(root) if nodes.contains(&root) => {}
        _ => return wrong("the hash tree is not that of the package in the chain"),
    }
    match root("run_root") {
        Some(root) if nodes.last() != Some(&root) => wrong("the time-stamp is not that of the package in the chain"),
        _ => Ok(()),
    }
}
