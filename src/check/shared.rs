//! Two packages with lane numbers in common: the documents of a deposit may be split, but none may stand in both, and one
//! number belongs to one receipt.

use std::collections::HashSet;
use std::sync::Arc;

use super::report::{Finding, Place};
use crate::error::{Code, Result};
use crate::id::{DocumentId, PackageRef};
use crate::package::member::Kind;
use crate::package::reader::Package;
use crate::package::{NUMBERS, TOC};
use crate::vault::{Vault, VaultFiles};

/// Holds the tables of contents of two packages against each other; `count` numbers stand in both.
pub(super) fn compare(vault: &Arc<dyn Vault>, a: &PackageRef, b: &PackageRef, count: u64) -> Result<Vec<Finding>> {
    let open = |package: &PackageRef| Package::open(Arc::new(VaultFiles::new(Arc::clone(vault), package.clone())));
    let (first, second) = (open(a)?, open(b)?);
    let members: HashSet<_> = first.toc().iter().map(|record| (record.kind, record.id)).collect();
    let place = Place { package: Some(b.clone()), vault: Some(vault.name().to_owned()), ..Place::default() };
    let mut findings = Vec::new();
    let mut receipts = 0;
    for record in second.toc().iter().filter(|record| members.contains(&(record.kind, record.id))) {
        match record.kind {
            Kind::Document => {
                let place = place.in_file(TOC).of_document(DocumentId(record.id));
                findings.push(Finding::new(Code::NumbersDisagree, place, &format!("the document stands in {a} too")));
            }
            Kind::Receipt => receipts += 1,
            _ => {}
        }
    }
    if receipts != count {
        let detail = format!("{count} numbers in common with {a}, but {receipts} receipts");
        findings.push(Finding::new(Code::NumbersDisagree, place.in_file(NUMBERS), &detail));
    }
    Ok(findings)
}
