//! From a staged package and its token to the commit: evidence, copies, read-back, chain entry, and what follows.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Archive;
use super::stamp::Run;
use crate::archive::alarms::period_of_log;
use crate::archive::init::object;
use crate::archive::reindex::package_row;
use crate::archive::token::Stamped;
use crate::catalog::Catalog as _;
use crate::chain::{Entry, Kind};
use crate::clock::iso_seconds;
use crate::document::reader::term_of_log;
use crate::durable;
use crate::error::{Code, Error, Result};
use crate::hash::Sha256;
use crate::id::{DocumentId, PackageRef, Sequence};
use crate::package::plan::Plan;
use crate::package::writer::Staging;

/// `staging/SERIES-N/package/evidence`.
const STAGED: u32 = 3;

impl Archive {
    /// The entry that committed a package, when there is one.
    pub(super) fn committed(&self, package: &PackageRef) -> Result<Option<Entry>> {
        if let Some(row) = self.catalog.package(package)? {
            return self.ledger.entry(row.entry).map(Some);
        }
        // The catalog may lag by the very entry that is asked for: the chain itself is the last word.
        let from = self.catalog.watermark()?.min(self.ledger.head().size);
        let mut found = None;
        self.ledger.each_entry(from, |entry| {
            if entry.kind == Kind::Package && package_row(&entry)?.package == *package {
                found = Some(entry);
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// Publishes a package of a run; what a stop left undone is done, what is done is not done again. The facts of the
    /// package, or `None` when it had been committed and let go before.
    pub(super) fn publish(&self, package: &PackageRef, run: &Run, stamped: &Stamped) -> Result<Option<Value>> {
        let folder = self.staging_of(package);
        // A folder without its plan is what is left of one that was being removed after the commit.
        if !Staging::holds_plan(&folder) {
            return match self.committed(package)? {
                Some(_) => Ok(None),
                None => Err(Error::new(Code::PackageMissing, "its staging folder is gone").at(folder.display())),
            };
        }
        let staging = Staging::open(&folder, &self.staging_key)?;
        if self.committed(package)?.is_none() {
            self.commit(&staging, run, stamped)?;
        }
        let plan = staging.plan();
        let late = self.late(plan, stamped);
        let mut facts = json!({
            "package": package,
            "documents": plan.documents.len(),
            "bytes": bytes(plan),
            "cohort": plan.cohort,
            "expiry": plan.expiry,
            "stamped_at": iso_seconds(stamped.token.gen_time()),
        });
        if let Some(term) = late {
            facts["late"] = json!(iso_seconds(term));
        }
        self.let_go(staging)?;
        Ok(Some(facts))
    }

    fn commit(&self, staging: &Staging, run: &Run, stamped: &Stamped) -> Result<()> {
        let plan = staging.plan();
        let mut tree = staging.tree(run.tree()?.root().algorithm())?;
        tree.place(&run.tree()?)?;
        staging.evidence(&tree, &stamped.reply, stamped.token.der())?;

        // What was staged by a process that was stopped, or found no room for a name, is on the disk before a copy of it is: a
        // plan made anew would contradict the copy.
        durable::sync_tree(&self.layout.staging(), STAGED)?;
        let files = staging.files()?;
        let copies = self.publish_copies(&staging.package_folder(), &plan.package, &files)?;
        let pindex: Option<Sha256> =
            files.iter().find(|file| file.name == crate::package::PINDEX).map(|file| file.sha256);
        let mut entry = json!({
            "series": plan.package.series,
            "number": plan.package.number,
            "uuid": plan.uuid,
            "class_version": plan.class_version,
            "pindex": pindex,
            "previous": plan.previous,
            "ers_root": tree.root(),
            "run_root": tree.run_root(),
            "stamped_at": iso_seconds(stamped.token.gen_time()),
            "policy": plan.policy,
            "cohort": plan.cohort,
            "expiry": plan.expiry,
            "documents": plan.documents.len(),
            "bytes": bytes(plan),
            "files": files,
            "copies": copies,
            "numbers": plan.numbers().summary(),
        });
        if let Some(qualified) = self.authorities.qualified(&stamped.token) {
            entry["qualified"] = json!(qualified);
        }
        if let Some(counts) = self.sealed_revocation(staging)? {
            entry["revocation"] = counts;
        }
        // Said for ever where everything about a package is said.
        if let Some(term) = self.late(plan, stamped) {
            entry["late"] = json!({ "code": Code::PecLogLate, "term": iso_seconds(term) });
        }
        let entry = self.ledger.append(Kind::Package, object(entry))?;
        self.copies.note(&entry)?;
        metrics::counter!("custode_packages_sealed_total").increment(1);
        Ok(())
    }

    /// The term after which a log of this package was time-stamped, when one was.
    fn late(&self, plan: &Plan, stamped: &Stamped) -> Option<Timestamp> {
        let rows = plan.documents.iter().filter_map(|document| self.unsealed.locate(document.id).ok().flatten());
        let logs = rows.filter(|row| row.class.as_str() == "pec-log");
        let terms = logs.filter_map(|row| term_of_log(period_of_log(&row)?.1));
        terms.filter(|term| stamped.token.gen_time() > *term).min()
    }

    /// After the commit: the catalog learns of the package, the index of the unsealed and the journal let go, the staging
    /// folder goes. Each step may be repeated.
    pub(super) fn let_go(&self, staging: Staging) -> Result<()> {
        let package = &staging.plan().package;
        let entry = self.committed(package)?.ok_or_else(|| Error::new(Code::Internal, "not committed").at(package))?;
        let rows = self.rows_of_package(package_row(&entry)?)?;
        self.catalog.record_sealed(&rows.package, &rows.documents, &rows.deposits, entry.seq + 1)?;
        let released: Vec<(Sequence, DocumentId)> =
            staging.plan().documents.iter().map(|d| (d.sequence, d.id)).collect();
        let ids: Vec<DocumentId> = released.iter().map(|(_, id)| *id).collect();
        self.unsealed.remove(&ids);
        self.cohorts.forget(&ids);
        self.revocation.forget(&ids);
        self.journal.release(&released)?;
        staging.remove()
    }
}

fn bytes(plan: &Plan) -> u64 {
    plan.documents.iter().map(|document| document.bytes).sum()
}
