//! Catalog and packages, in both directions (I2: the catalog is a projection, and must answer as the plain files do).
//!
//! Sealing may go on meanwhile: what disagrees only because one side is a moment ahead is looked at again before it counts.

use std::time::Duration;

use super::report::{Finding, Place};
use super::sealed::{OnChain, Sealed};
use crate::catalog::Catalog;
use crate::error::{Code, Result};
use crate::id::{DocumentId, PackageRef};
use crate::intake::journal::Unsealed;

/// How long the catalog may take to learn of a package after its commit, and of a deposit after its receipt.
const PATIENCE: Duration = Duration::from_secs(3);
const STEP: Duration = Duration::from_millis(100);

fn place(package: &PackageRef) -> Place {
    Place { package: Some(package.clone()), ..Place::file("catalog") }
}

fn disagrees(place: Place, detail: &str) -> Finding {
    Finding::new(Code::CatalogDisagrees, place, detail)
}

/// A package of the chain as the catalog has it; `ids` are its documents when its table of contents could be read.
pub(super) fn package(catalog: &dyn Catalog, sealed: &Sealed, ids: Option<&[DocumentId]>) -> Vec<Finding> {
    compare(catalog, sealed, ids).unwrap_or_else(|error| vec![Finding::of_error(&error, place(&sealed.package))])
}

fn compare(catalog: &dyn Catalog, sealed: &Sealed, ids: Option<&[DocumentId]>) -> Result<Vec<Finding>> {
    let place = place(&sealed.package);
    let mut waited = Duration::ZERO;
    while catalog.watermark()? <= sealed.seq && waited < PATIENCE {
        std::thread::sleep(STEP);
        waited += STEP;
    }
    let Some(row) = catalog.package(&sealed.package)? else {
        return Ok(vec![disagrees(place, "the catalog does not know this package")]);
    };
    let entry = &sealed.object;
    let pairs = [
        ("entry", row.entry == sealed.seq),
        ("class version", row.class_version == entry.class_version),
        ("index", row.pindex == entry.pindex),
        ("cohort", row.cohort == entry.cohort),
        ("documents", row.documents == entry.documents),
        ("bytes", row.bytes == entry.bytes),
    ];
    let wrong: Vec<&str> = pairs.iter().filter(|(_, same)| !same).map(|(what, _)| *what).collect();
    let mut findings = Vec::new();
    if !wrong.is_empty() {
        findings.push(disagrees(place.clone(), &format!("not as on the chain: {}", wrong.join(", "))));
    }
    let Some(ids) = ids else { return Ok(findings) };
    let filed = catalog.documents_of(&sealed.package)?;
    for id in ids.iter().filter(|id| filed.binary_search(id).is_err()) {
        findings.push(disagrees(place.of_document(*id), "the catalog does not know that it is in this package"));
    }
    for id in filed.iter().filter(|id| ids.binary_search(id).is_err()) {
        findings.push(disagrees(place.of_document(*id), "filed under this package, which does not hold it"));
    }
    Ok(findings)
}

/// Packages of the catalog that the chain does not know. `size` is the chain that was judged: what came after is not for
/// this check.
pub(super) fn packages(catalog: &dyn Catalog, chain: &OnChain, size: u64) -> Result<Vec<Finding>> {
    let known: std::collections::BTreeSet<&PackageRef> = chain.packages.iter().map(|sealed| &sealed.package).collect();
    let rows = catalog.packages(None)?;
    let strangers = rows.iter().filter(|row| row.entry < size && !known.contains(&row.package));
    Ok(strangers.map(|row| disagrees(place(&row.package), "the chain does not know this package")).collect())
}

/// What the journal held when the check began is in the index of the unsealed, or sealed by now.
pub(super) fn unsealed(
    journal: &[Unsealed],
    index: &dyn Catalog,
    sealed: Option<&dyn Catalog>,
) -> Result<Vec<Finding>> {
    let lost = |id: &DocumentId| -> Result<bool> {
        let found = index.locate(*id)?.is_some();
        // Without a catalog nobody can say whether it was sealed meanwhile.
        Ok(!found && sealed.map(|catalog| catalog.locate(*id)).transpose()?.is_some_and(|row| row.is_none()))
    };
    let all = journal.iter().flat_map(|record| &record.documents);
    let mut missing = Vec::new();
    for id in all {
        if lost(id)? {
            missing.push(*id);
        }
    }
    let mut waited = Duration::ZERO;
    while !missing.is_empty() && waited < PATIENCE {
        std::thread::sleep(STEP);
        waited += STEP;
        let mut still = Vec::new();
        for id in missing {
            if lost(&id)? {
                still.push(id);
            }
        }
        missing = still;
    }
    let detail = "accepted and in the journal, but neither index knows it";
    Ok(missing.into_iter().map(|id| disagrees(Place::file("catalog").of_document(id), detail)).collect())
}
