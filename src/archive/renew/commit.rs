//! From the token of a run to the commits: files into the vault, read back, then the chain.
//!
//! Invariant: a generation's files are in every copy of the package, read back and compared, before the `renewal` entry
//! names them; the entry is the commit. Each step may be repeated: what is done is found done.

use std::collections::HashMap;
use std::path::Path;

use super::run::{Leaf, Planned, Run};
use super::{Progress, Report};
use crate::archive::Archive;
use crate::archive::copies::{digests, must_hold};
use crate::archive::init::object;
use crate::archive::token::Stamped;
use crate::chain::{Kind, MAX_LINE};
use crate::clock::iso_seconds;
use crate::durable;
use crate::error::{Code, Error, Finding, Result};
use crate::evidence::ers::history::Covers;
use crate::evidence::ers::{Link, Tree, record};
use crate::hash::Digests;
use crate::id::PackageRef;
use crate::package::FileFacts;
use crate::package::generation::{Method, Renewal, Renewed, file_names, record_name, token_name, tree_name};
use crate::vault::Vault;

/// Packages of one entry: some 700 bytes each and 35 a copy, so that a line stays below its limit.
const AN_ENTRY: usize = 40;

impl Archive {
    /// Commits every package of a run that has a leaf; the entries, and how many packages they are for.
    pub(super) fn commit_renewal(
        &self,
        run: &Run,
        leaves: &[Leaf],
        tree: &Tree,
        stamped: &Stamped,
        report: &mut Report,
        progress: Progress<'_>,
    ) -> Result<(Vec<u64>, u64)> {
        let planned: HashMap<&PackageRef, &Planned> = run.plan.packages.iter().map(|p| (&p.package, p)).collect();
        let (mut entries, mut packages, mut done) = (Vec::new(), 0, leaves.len() as u64);
        for batch in leaves.chunks(AN_ENTRY) {
            let mut renewed = Vec::new();
            for leaf in batch {
                done += 1;
                progress(done, 2 * leaves.len() as u64);
                let Some(planned) = planned.get(&leaf.package) else {
                    return Err(Error::new(Code::StagingAltered, "a leaf that was not planned").at(&leaf.package));
                };
                // Committed before a stop: its entry is on the chain.
                if self.renewals.of(&leaf.package).len() as u64 + 1 >= u64::from(planned.generation) {
                    continue;
                }
                match self.write_generation(run, planned, leaf, tree, stamped) {
                    Ok(one) => renewed.push(one),
                    Err(error) if matches!(error.code, Code::DiskFull | Code::Io) => return Err(error),
                    Err(error) => report.findings.push(Finding::error(
                        error.code,
                        format!("package {} {}", leaf.package, error.place),
                        error.detail,
                    )),
                }
            }
            if renewed.is_empty() {
                continue;
            }
            packages += renewed.len() as u64;
            entries.push(self.commit_batch(run, tree, stamped, renewed)?);
        }
        Ok((entries, packages))
    }

    fn commit_batch(&self, run: &Run, tree: &Tree, stamped: &Stamped, packages: Vec<Renewed>) -> Result<u64> {
        let renewal = Renewal {
            id: run.plan.id,
            method: run.plan.method,
            algorithm: run.plan.algorithm,
            root: tree.root(),
            // To the second, as on every entry.
            stamped_at: iso_seconds(stamped.token.gen_time())
                .parse()
                .map_err(|_| Error::new(Code::Internal, "an instant that does not come back"))?,
            packages,
        };
        let value = serde_json::to_value(&renewal).map_err(|e| Error::new(Code::Internal, e.to_string()))?;
        debug_assert!(value.to_string().len() < MAX_LINE);
        let entry = self.ledger.append(Kind::Renewal, object(value))?;
        self.renewals.note(&entry)?;
        self.copies.note(&entry)?;
        Ok(entry.seq)
    }

    /// A generation's files, in the vault and read back.
    fn write_generation(
        &self,
        run: &Run,
        planned: &Planned,
        leaf: &Leaf,
        tree: &Tree,
        stamped: &Stamped,
    ) -> Result<Renewed> {
        let (package, generation) = (&planned.package, planned.generation);
        let mut history = self.history(package)?;
        let newest = token_name(generation - 1);
        let committed = self.committed_files(package)?;
        let unchanged = committed.file(&newest).is_some_and(|file| file.sha256 == planned.tsr);
        // Nothing is made of them, and yet nothing is built upon evidence of which a part is damaged.
        let reader = self.open_package(package)?;
        for before in 1..generation {
            committed.read(&reader, package, &record_name(before), record::MAX_BYTES as u64)?;
        }
        if history.generations().len() as u32 + 1 != generation || !unchanged {
            return Err(Error::new(Code::StagingAltered, "its evidence is not the one that was planned for"));
        }
        let (bytes, covers) = match run.plan.method {
            Method::TimeStamp => {
                let link = Link::new(history.renewal_tokens(), tree)?;
                (link.encode(), Covers::Token(link))
            }
            Method::HashTree => {
                let mut own = self.new_tree(run, planned)?;
                if own.root() != leaf.leaf {
                    return Err(Error::new(Code::StagingAltered, "its tree is not the one that was stamped"));
                }
                own.place(tree)?;
                (own.encode(), Covers::Groups(own))
            }
        };
        history.add(covers, stamped.token.der().to_vec());
        let whole = history.record(None)?.to_der();

        let folder = run.folder.join(format!("{}-{}", package.series, package.number));
        durable::create_dir_all(&folder.join("evidence"))?;
        let contents = [
            (tree_name(generation), bytes),
            (token_name(generation), stamped.reply.clone()),
            (record_name(generation), whole),
        ];
        let mut files = Vec::new();
        for (name, bytes) in &contents {
            // Made again after a stop: the bytes are the same, so nothing is lost.
            durable::replace(&folder.join(name), bytes, durable::MODE_SEALED)?;
            files.push(FileFacts::new(name, Digests::of(bytes)));
        }
        let copies = self.publish_generation(package, generation, &folder, &files)?;
        durable::remove_dir_all(&folder)?;
        Ok(Renewed { package: package.clone(), generation, files, copies })
    }

    /// Adds the files to as many copies of the package as are required, and reads them back; the others catch up. Files of that generation that are other than ours
    /// were never committed: they are set aside, never overwritten.
    fn publish_generation(
        &self,
        package: &PackageRef,
        generation: u32,
        folder: &Path,
        files: &[FileFacts],
    ) -> Result<Vec<String>> {
        let names = file_names(generation).to_vec();
        let digests = digests(files);
        self.required_copies(package, true, &|vault| {
            match vault.add(folder, package, &names) {
                Err(error) if error.code == Code::VaultExists => {
                    self.set_aside(vault, package, files)?;
                    vault.add(folder, package, &names)?;
                }
                other => other?,
            }
            must_hold(vault, package, &digests)
        })
    }

    fn set_aside(&self, vault: &dyn Vault, package: &PackageRef, files: &[FileFacts]) -> Result<()> {
        for file in files {
            let mut bytes = Vec::new();
            match vault.open(package, &file.name) {
                Ok(open) => {
                    let mut limited = std::io::Read::take(open, crate::evidence::ers::file::MAX_BYTES);
                    std::io::Read::read_to_end(&mut limited, &mut bytes)
                        .map_err(|e| Error::io(format!("{package}/{}", file.name), e))?;
                }
                Err(error) if error.code == Code::FileMissing => continue,
                Err(error) => return Err(error),
            }
            let digests = Digests::of(&bytes);
            if digests.sha256 == file.sha256 {
                continue;
            }
            let name =
                format!("{}-{}-{}-{}", package.series, package.number, file.name.replace('/', "-"), digests.sha256);
            let aside = self.layout.quarantine().join(name);
            if !aside.exists() {
                durable::write_new(&aside, &bytes, durable::MODE_SEALED)?;
            }
            tracing::warn!(%package, file = %file.name, "evidence that the chain does not name was set aside");
            vault.delete(package, std::slice::from_ref(&file.name))?;
        }
        Ok(())
    }
}
