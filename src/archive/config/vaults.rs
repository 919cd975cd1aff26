//! `[[vault]]`, `[copies]`, `[repair]`: where copies of sealed packages are kept, how many seal a package, and who may mend.
//!
//! Invariant: the vault `local`, which genesis names, is always there (its table may say where it is); two vaults share neither
//! name nor folder. Linee guida AgID 4.10: copies, and where they are, are the holder's to know and to audit.

use std::path::{Path, PathBuf};

use toml::Spanned;

use super::limits::between;
use super::locate::Problems;
use super::raw;
use super::resolve::{lexical, line, optional, path, short_name};
use super::resolved::{Copies, Vault};

/// The vault that every archive has from its beginning.
pub const LOCAL: &str = "local";
/// Its folder, unless its table says another.
const LOCAL_PATH: &str = "packages";
/// Each is written and read in full by every check.
const MOST: usize = 16;
/// Folders of the archive in which no vault may be.
const TAKEN: [&str; 10] =
    ["chain", "records", "intake", "staging", "catalog", "quarantine", "reports", "notices", "schemas", "policies"];

/// The European Union and the European Economic Area, ISO 3166-1 alpha-2: where the sources at hand say that copies of what is
/// kept under Italian law may be. For public bodies some of them say national territory only: then the list is `["IT"]`.
const COUNTRIES: [&str; 30] = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IS", "IT", "LI", "LT",
    "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK",
];

pub(super) fn vaults(
    tables: Vec<Spanned<raw::Vault>>,
    problems: &mut Problems<'_>,
    archive: &Path,
) -> Option<Vec<Vault>> {
    let (given, mut all) = (tables.len(), Vec::<Vault>::new());
    for table in tables {
        let span = table.span();
        let table = table.into_inner();
        let Some(name) = &table.name else {
            problems.missing(Some(&span), "vault.name", "the vault's name: lower-case letters, digits and hyphens");
            continue;
        };
        let at = name.span();
        let name = problems.parse(name, "vault.name", short_name);
        let folder = match (&table.path, name.as_deref()) {
            (Some(given), _) => problems.parse(given, "vault.path", |text| place(archive, text)),
            (None, Some(LOCAL)) => Some(archive.join(LOCAL_PATH)),
            (None, _) => {
                problems.missing(Some(&span), "vault.path", "the folder the copies are in");
                None
            }
        };
        let site = optional(&table.site, "vault.site", problems, line);
        let country = optional(&table.country, "vault.country", problems, country);
        let operator = optional(&table.operator, "vault.operator", problems, line);
        let (Some(name), Some(path), Some(site), Some(country), Some(operator)) =
            (name, folder, site, country, operator)
        else {
            continue;
        };
        let typed = table.path.as_ref().map_or(LOCAL_PATH, |typed| typed.get_ref().trim()).to_owned();
        let plain = lexical(&path);
        let nested = |known: &Vault| {
            let known = lexical(&known.path);
            known.starts_with(&plain) || plain.starts_with(&known)
        };
        if all.len() == MOST || all.iter().any(|known| known.name == name || nested(known)) {
            problems.wrong(
                &at,
                "vault.name",
                "expected each name and each folder once, none inside another, at most 16",
            );
            continue;
        }
        all.push(Vault { name, path, typed, site, country, operator });
    }
    let whole = all.len() == given;
    if !all.iter().any(|vault| vault.name == LOCAL) {
        let (name, typed) = (LOCAL.to_owned(), LOCAL_PATH.to_owned());
        let local = Vault { name, path: archive.join(LOCAL_PATH), typed, ..Vault::default() };
        all.insert(0, local);
    }
    whole.then_some(all)
}

pub(super) fn copies(
    table: Option<Spanned<raw::Copies>>,
    vaults: Option<&Vec<Vault>>,
    problems: &mut Problems<'_>,
) -> Option<Copies> {
    let table = table.map(Spanned::into_inner).unwrap_or_default();
    let most = vaults.map_or(MOST, Vec::len) as u32;
    let required = between(&table.required, "copies.required", 1, 1..most + 1, problems);
    let countries = match &table.countries {
        Some(list) => list.iter().filter_map(|item| problems.parse(item, "copies.countries", country)).collect(),
        None => COUNTRIES.map(str::to_owned).to_vec(),
    };
    Some(Copies { required: required?, countries })
}

pub(super) fn automatic(table: Option<Spanned<raw::Repair>>) -> bool {
    table.and_then(|table| table.into_inner().automatic).is_some_and(|automatic| *automatic.get_ref())
}

fn country(text: &str) -> std::result::Result<String, String> {
    let fits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase());
    fits.then(|| text.to_owned()).ok_or_else(|| "expected two capital letters (ISO 3166-1), as in \"IT\"".to_owned())
}

/// A folder that is neither the archive's, nor around it, nor one of those in it that hold something else.
fn place(archive: &Path, text: &str) -> std::result::Result<PathBuf, String> {
    let path = path(archive, text)?;
    let (plain, root) = (lexical(&path), lexical(archive));
    let taken = TAKEN.iter().any(|name| plain.starts_with(root.join(name)));
    if root.starts_with(&plain) || taken {
        return Err(
            "expected a folder of its own: neither the archive's, nor one that holds it, nor one of its folders"
                .to_owned(),
        );
    }
    Ok(path)
}

/// Whether two paths lead to one folder, from their text alone.
pub fn same_folder(one: &Path, other: &Path) -> bool {
    lexical(one) == lexical(other)
}
