//! Damages to more than one file: packages that are missing, doubled, renumbered, exchanged or strange; files that are nobody's; modes;
//! older states of a folder, and of everything.

use std::fs;

use super::cell::{Cell, Look};
use super::made::Made;
use super::stand::Stand;

const FIRST: &str = "archive/packages/generic/00000001";
const SECOND: &str = "archive/packages/generic/00000002";
const NEWEST: &str = "archive/packages/generic/00000004";
const NEXT: &str = "archive/packages/generic/00000005";

fn gone(stand: &mut Stand, folder: &str) {
    stand.files(folder).iter().for_each(|name| stand.clear(name));
    fs::remove_dir_all(stand.path(folder)).unwrap();
}

fn copied(stand: &mut Stand, from: &str, to: &str) {
    for name in stand.files(from) {
        let bytes = stand.read(&name);
        stand.put(&format!("{to}{}", name.strip_prefix(from).unwrap()), &bytes);
    }
}

/// Packages as wholes.
pub fn packages(made: &Made) -> Vec<Cell> {
    let cell = |damage| Cell::new("package", damage, Look::AtRest);
    let (strange, beside) = (made.strange(), made.strange());
    let exchanged = |stand: &mut Stand| {
        let read = |stand: &Stand, folder: &str| -> Vec<(String, Vec<u8>)> {
            let files = stand.files(folder);
            files.iter().map(|name| (name.strip_prefix(folder).unwrap().to_owned(), stand.read(name))).collect()
        };
        let (first, second) = (read(stand, FIRST), read(stand, SECOND));
        for (folder, files) in [(FIRST, second), (SECOND, first)] {
            files.iter().for_each(|(name, bytes)| stand.put(&format!("{folder}{name}"), bytes));
        }
    };
    vec![
        cell("deleted").with(NEWEST, |stand| gone(stand, NEWEST)),
        cell("deleted in every vault").with(NEWEST, |stand| {
            gone(stand, NEWEST);
            gone(stand, "copia/generic/00000004");
        }),
        cell("once more under the next number").with(NEXT, |stand| copied(stand, NEWEST, NEXT)),
        cell("renumbered").with(NEXT, |stand| {
            copied(stand, NEWEST, NEXT);
            gone(stand, NEWEST);
        }),
        cell("exchanged with another").with("the first two", exchanged),
        cell("of another archive, in its place").with(NEWEST, move |stand| {
            gone(stand, NEWEST);
            stand.around(NEWEST, |folder| super::stand::copy(&strange, folder));
        }),
        cell("of another archive, beside it").with(NEXT, move |stand| {
            stand.around(NEXT, |folder| super::stand::copy(&beside, folder));
        }),
        Cell::new("vault", "emptied, or not mounted", Look::AtRest).or_at("copia/vault.id").with("copia", |stand| {
            stand.files("copia").iter().for_each(|name| stand.clear(name));
        }),
    ]
}

/// Files that belong to nobody, and modes.
pub fn foreign() -> Vec<Cell> {
    let places = [
        ("in a package", "archive/packages/generic/00000001/altro.txt"),
        ("in a series", "archive/packages/generic/altro.txt"),
        ("in a vault", "copia/altro.txt"),
        ("among the classes", "archive/schemas/altra@1.json"),
        ("among the policies", "archive/policies/altra@1.toml"),
        ("among the records", "archive/records/altro.txt"),
        ("among the tiles", "archive/chain/tile/altro"),
        ("in the chain's folder", "archive/chain/altro.txt"),
        ("among the reports", "archive/reports/altro.txt"),
        ("in the journal's folder", "archive/intake/lane-0001/altro.txt"),
        ("beside everything", "archive/altro.txt"),
    ];
    let cell = |(damage, name): (&'static str, &'static str)| {
        Cell::new("foreign file", damage, Look::AtRest).with(name, move |stand| stand.put(name, b"altro\n"))
    };
    let mut cells: Vec<Cell> = places.into_iter().map(cell).collect();
    let writable = |stand: &mut Stand| stand.mode(&format!("{FIRST}/PIndex.xml"), 0o644);
    cells.push(Cell::new("mode", "a sealed file made writable", Look::AtRest).with("PIndex.xml", writable));
    cells
}

/// Older states of more than one file.
pub fn older(made: &Made) -> Vec<Cell> {
    let cell = |component, damage, look| Cell::new(component, damage, look);
    let (chain, records) = (made.lately().join("archive/chain"), made.older().join("archive/records"));
    let [archive, copy, keys] = ["archive", "copia", "archive.keys"].map(|name| made.lately().join(name));
    let everything = move |stand: &mut Stand| {
        stand.replace("archive", &archive);
        stand.replace("copia", &copy);
        stand.replace("archive.keys", &keys);
    };
    let again = everything.clone();
    vec![
        cell("chain", "all of it as it was", Look::AtRest)
            .or_at(NEWEST)
            .with("chain", move |stand| stand.replace("archive/chain", &chain)),
        cell("records", "all of them as they were", Look::AtRest)
            .with("records", move |stand| stand.replace("archive/records", &records)),
        cell("archive", "all of it as it was", Look::AtRest).with("everything", everything),
        cell("archive", "all of it as it was, and somebody kept a checkpoint", Look::Kept)
            .or_at("archive/checkpoint given")
            .with("everything", again),
    ]
}
