//! Which vaults hold which packages, as the chain says.
//!
//! A `package` entry names the vaults whose copies were durable and read back before it, a `renewal` entry those that have the
//! new evidence, a `repair` entry what was copied or restored later. Invariant: a copy that the chain names is expected, and bad
//! when it is not there; one that it does not name is behind, which is no damage. Vaults are named by their ids: a disk that
//! takes the place of another holds nothing yet.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::generation::Renewal;
use crate::id::PackageRef;

/// The copies of an archive.
#[derive(Debug, Clone, Default)]
pub struct Holdings {
    /// Ids of vaults; a copy is known by its place here. The first is that of genesis.
    vaults: Vec<String>,
    packages: BTreeMap<PackageRef, Holding>,
}

/// The copies of one package.
#[derive(Debug, Clone, Default)]
struct Holding {
    /// The last entry that gave it files.
    newest: u64,
    /// Bytes of its files.
    stored: u64,
    /// By vault: the entry up to which its files are there.
    through: Vec<(usize, u64)>,
    /// By vault: the entry that says first that a copy is there.
    since: Vec<(usize, u64)>,
    /// By vault: the last entry that says that a bad copy was put right.
    restored: Vec<(usize, u64)>,
}

impl Holdings {
    /// Nothing yet; `first` is the vault of genesis, which holds what entries say without naming vaults.
    pub fn new(first: Option<&str>) -> Self {
        Self { vaults: vec![first.unwrap_or_default().to_owned()], packages: BTreeMap::new() }
    }

    fn number(&mut self, id: &str) -> usize {
        self.vaults.iter().position(|known| known == id).unwrap_or_else(|| {
            self.vaults.push(id.to_owned());
            self.vaults.len() - 1
        })
    }

    fn named(&mut self, object: &Map<String, Value>) -> Vec<usize> {
        let list = object.get("copies").and_then(Value::as_array);
        let ids: Vec<&str> = list.into_iter().flatten().filter_map(Value::as_str).collect();
        if list.is_none() { vec![0] } else { ids.into_iter().map(|id| self.number(id)).collect() }
    }

    /// Takes in the object of a `package` entry.
    pub fn sealed(&mut self, seq: u64, package: &PackageRef, object: &Map<String, Value>) {
        let through: Vec<(usize, u64)> = self.named(object).into_iter().map(|vault| (vault, seq)).collect();
        let files = object.get("files").and_then(Value::as_array).into_iter().flatten();
        let lengths = files.filter_map(|file| file["length"].as_u64());
        let stored = lengths.fold(0, u64::saturating_add);
        self.packages.insert(
            package.clone(),
            Holding { newest: seq, stored, since: through.clone(), restored: Vec::new(), through },
        );
    }

    /// Takes in the object of a `renewal` entry.
    pub fn renewed(&mut self, seq: u64, renewal: &Renewal) {
        for renewed in &renewal.packages {
            let vaults: Vec<usize> = match renewed.copies.as_slice() {
                [] => vec![0],
                ids => ids.iter().map(|id| self.number(id)).collect(),
            };
            let Some(holding) = self.packages.get_mut(&renewed.package) else { continue };
            let added = renewed.files.iter().map(|file| file.length);
            holding.stored = added.fold(holding.stored, u64::saturating_add);
            let before = std::mem::replace(&mut holding.newest, seq);
            // Who lacked something before lacks it still.
            let whole = holding.through.iter_mut().filter(|(vault, at)| vaults.contains(vault) && *at >= before);
            whole.for_each(|(_, at)| *at = seq);
        }
    }

    /// Takes in the object of a `repair` entry: `copied` or `restored`, each with the vault, the packages and how far. Repairs of
    /// other things say nothing of copies.
    pub fn repaired(&mut self, seq: u64, object: &Map<String, Value>) {
        for (name, fact) in ["copied", "restored"].iter().filter_map(|name| Some((*name, object.get(*name)?))) {
            let (Some(id), Some(through)) = (fact["vault"].as_str(), fact["through"].as_u64()) else { continue };
            let vault = self.number(id);
            for package in fact["packages"].as_array().into_iter().flatten() {
                let package = package.as_str().and_then(|text| text.parse::<PackageRef>().ok());
                let Some(holding) = package.and_then(|package| self.packages.get_mut(&package)) else { continue };
                if name == "restored" {
                    holding.restored.retain(|(known, _)| *known != vault);
                    holding.restored.push((vault, seq));
                }
                match holding.through.iter_mut().find(|(known, _)| *known == vault) {
                    Some((_, at)) => *at = through.max(*at),
                    None => {
                        holding.through.push((vault, through));
                        holding.since.push((vault, seq));
                    }
                }
            }
        }
    }

    /// The entry up to which a vault has a package's files; `None` when the chain names no copy in it.
    pub fn through(&self, package: &PackageRef, vault: &str) -> Option<u64> {
        let number = self.vaults.iter().position(|known| known == vault)?;
        self.packages.get(package)?.through.iter().find(|(known, _)| *known == number).map(|(_, at)| *at)
    }

    /// The entry that says first that a vault has a copy of a package; `None` when the chain names none in it.
    pub fn since(&self, package: &PackageRef, vault: &str) -> Option<u64> {
        let number = self.vaults.iter().position(|known| known == vault)?;
        self.packages.get(package)?.since.iter().find(|(known, _)| *known == number).map(|(_, at)| *at)
    }

    /// The last entry that says that a vault's bad copy of a package was put right.
    pub fn restored(&self, package: &PackageRef, vault: &str) -> Option<u64> {
        let number = self.vaults.iter().position(|known| known == vault)?;
        self.packages.get(package)?.restored.iter().find(|(known, _)| *known == number).map(|(_, at)| *at)
    }

    /// Bytes of a package's files, in one copy.
    pub fn stored(&self, package: &PackageRef) -> u64 {
        self.packages.get(package).map_or(0, |holding| holding.stored)
    }

    /// Whether a vault has everything of a package.
    pub fn is_whole(&self, package: &PackageRef, vault: &str) -> bool {
        self.packages.get(package).is_some_and(|holding| self.through(package, vault) >= Some(holding.newest))
    }

    /// The packages of which a vault lacks something, in their order.
    pub fn behind<'a>(&'a self, vault: &'a str) -> impl Iterator<Item = &'a PackageRef> {
        self.packages.keys().filter(move |package| !self.is_whole(package, vault))
    }

    /// The entry that gave a package its last files.
    pub fn newest(&self, package: &PackageRef) -> Option<u64> {
        self.packages.get(package).map(|holding| holding.newest)
    }

    /// Every package.
    pub fn packages(&self) -> impl Iterator<Item = &PackageRef> {
        self.packages.keys()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_copy_is_expected_when_the_chain_names_it_and_behind_before() {
        let (one, two) = ("generic/1".parse::<PackageRef>().unwrap(), "generic/2".parse::<PackageRef>().unwrap());
        let mut holdings = Holdings::new(Some("a"));
        holdings.sealed(5, &one, &object(json!({})));
        holdings.sealed(6, &two, &object(json!({ "copies": ["a", "b"] })));
        assert!(holdings.is_whole(&one, "a") && holdings.is_whole(&two, "b"));
        assert_eq!(holdings.behind("b").collect::<Vec<_>>(), [&one]);
        assert_eq!(holdings.behind("new disk").count(), 2);
        holdings.repaired(7, &object(json!({ "voided": { "first": 1, "last": 2 } })));
        holdings
            .repaired(8, &object(json!({ "copied": { "vault": "b", "through": 6, "packages": ["generic/1", "x"] } })));
        assert_eq!((holdings.behind("b").count(), holdings.through(&one, "b")), (0, Some(6)));
        // A copy is as old as the entry that says it is there, whatever it is given later.
        assert_eq!((holdings.since(&one, "a"), holdings.since(&one, "b")), (Some(5), Some(8)));
        // A renewal that reached one vault leaves the other behind, and a second one does not make it whole.
        let renewal = |copies: &[&str]| -> Renewal {
            let object = json!({
                "id": "0199c0de-0000-7000-8000-00000000000c", "method": "time-stamp", "algorithm": "SHA-256",
                "root": "0".repeat(64), "stamped_at": "2026-01-01T00:00:00Z",
                "packages": [{ "package": "generic/2", "generation": 2, "files": [], "copies": copies }],
            });
            serde_json::from_value(object).unwrap()
        };
        holdings.renewed(9, &renewal(&["a"]));
        assert_eq!((holdings.through(&two, "a"), holdings.through(&two, "b")), (Some(9), Some(6)));
        holdings.renewed(12, &renewal(&["a", "b"]));
        assert!(holdings.is_whole(&two, "a") && !holdings.is_whole(&two, "b"));
        holdings
            .repaired(13, &object(json!({ "restored": { "vault": "b", "through": 12, "packages": ["generic/2"] } })));
        assert!(holdings.is_whole(&two, "b") && holdings.newest(&two) == Some(12));
        assert_eq!((holdings.since(&two, "b"), holdings.since(&two, "new disk")), (Some(6), None));
        assert_eq!((holdings.restored(&two, "b"), holdings.restored(&one, "b")), (Some(13), None));
    }
}
