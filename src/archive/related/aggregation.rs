//! Aggregations in an archive: their versions, their members, what is said of them at deposit.
//!
//! A member is listed by the aggregation's latest version, or names the aggregation itself (field `aggregations`, `Agg` in
//! its AgID metadata). Invariants: the latest version is the highest number, whatever was deposited last; nothing about an
//! aggregation is stored besides its documents, so a rebuilt catalog answers alike.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::closure::{Asking, LEADING};
use super::rows::{text, texts};
use super::ties::{AGGREGATION, Asked, DOCUMENT, Held, of_namespace};
use crate::archive::Archive;
use crate::catalog::{DocumentRow, MAX_LIMIT, MAX_TIES, Tie, merged};
use crate::document::agid::Tied;
use crate::document::class::Class;
use crate::document::reader::ReaderKind;
use crate::document::{Metadata, Understood};
use crate::error::{Code, Control, Error, Finding, Result};
use crate::id::DocumentId;

/// The field by which an aggregation is found, and the name of the criterion that finds what is in it.
pub(in crate::archive) const FIELD: &str = "aggregation";
/// Sub-files within sub-files that a bundle follows.
const DEPTH: usize = 8;
/// The control made at deposit.
const CONTROL: &str = "aggregation-members";

/// An aggregation as the archive holds it.
struct Whole {
    /// Its versions, the highest number first.
    versions: Vec<DocumentRow>,
    /// What names it, or names it as its parent; not its own versions.
    named_by: Vec<DocumentRow>,
}

impl Archive {
    /// What is said of an aggregation at deposit: members and the version before must be held.
    pub(in crate::archive) fn aggregation_control(&self, class: &Class, one: &mut Understood) -> Result<()> {
        if class.reader != ReaderKind::Aggregation {
            return Ok(());
        }
        let mut findings = Vec::new();
        for (n, member) in listed(&one.metadata).enumerate() {
            if merged::locate(&self.catalogs(), member)?.is_none() {
                findings.push(Finding::warning(Code::AggregationMember, format!("members/{n}"), ""));
            }
        }
        let field = |name: &str| one.metadata.get(name).and_then(Value::as_str);
        if let Some(previous) = field("previous_version").and_then(|id| id.trim().parse().ok()) {
            let row = merged::locate(&self.catalogs(), previous)?;
            let version = one.metadata.get("version").and_then(Value::as_u64);
            let same = row.is_some_and(|row| {
                text(&row, FIELD).as_deref() == field(FIELD) && number(&row).map(|n| n + 1) == version
            });
            if !same {
                findings.push(Finding::warning(Code::AggregationVersion, "previous_version", ""));
            }
        }
        findings.extend(self.against_versions(&one.metadata)?);
        one.controls.push(Control::of(CONTROL, &findings));
        one.findings.extend(findings);
        Ok(())
    }

    /// What does not fit with the versions that are held: a number given twice, one opened again after it was closed, a parent that
    /// leads back to it. Nothing is refused: what was deposited is what somebody decided.
    fn against_versions(&self, metadata: &Metadata) -> Result<Vec<Finding>> {
        let field = |name: &str| metadata.get(name).and_then(Value::as_str);
        let Some(own) = field(FIELD) else { return Ok(Vec::new()) };
        let known = self.known_links();
        let asking = Asking { catalogs: self.catalogs(), known: &known, actor: None, leading: &LEADING };
        let mut findings = Vec::new();
        let held_versions = versions(&asking, own)?;
        let version = metadata.get("version").and_then(Value::as_u64);
        if version.is_some() && held_versions.iter().any(|row| number(row) == version) {
            findings.push(Finding::warning(Code::AggregationVersion, "version", "another one of this number is held"));
        }
        let was_closed = held_versions.first().is_some_and(|row| text(row, "closed").as_deref() == Some("true"));
        if was_closed && metadata.get("closed") == Some(&Value::Bool(false)) {
            findings.push(Finding::warning(Code::AggregationField, "closed_on", "opened again after it was closed"));
        }
        let mut parent = field("parent").map(str::to_owned);
        for _ in 0..DEPTH {
            let Some(id) = parent.take() else { break };
            if id == own {
                // Its own parent is said by its reader.
                break;
            }
            let above = versions(&asking, &id)?;
            parent = above.first().and_then(|row| text(row, "parent"));
            if parent.as_deref().is_some_and(|id| held(id).value == held(own).value) {
                findings.push(Finding::warning(Code::AggregationField, "parent", "its parents come back to it"));
                break;
            }
        }
        Ok(findings)
    }

    /// The members that an aggregation lists and that are held, for its AgID metadata: those want their digests.
    pub(in crate::archive) fn members_held(&self, class: &Class, metadata: &Metadata) -> Result<Vec<Tied>> {
        if class.reader != ReaderKind::Aggregation {
            return Ok(Vec::new());
        }
        let rows = listed(metadata).filter_map(|id| merged::locate(&self.catalogs(), id).transpose());
        rows.map(|row| row.map(|row| Tied { id: row.id, sha256: row.sha256, description: String::new() })).collect()
    }

    /// Everything in an aggregation: what its latest version lists, what names it, the same of its sub-files, and the
    /// documents of the aggregation itself.
    pub(in crate::archive) fn rows_of_aggregation(&self, id: &str, most: usize) -> Result<Vec<DocumentRow>> {
        let known = self.known_links();
        let asking = Asking { catalogs: self.catalogs(), known: &known, actor: None, leading: &LEADING };
        let mut found: BTreeMap<DocumentId, DocumentRow> = BTreeMap::new();
        let (mut seen, mut next) = (BTreeSet::new(), vec![id.trim().to_owned()]);
        for depth in 0..=DEPTH {
            let mut further = Vec::new();
            for id in std::mem::take(&mut next) {
                if !seen.insert(id.clone()) {
                    continue;
                }
                let whole = whole(&asking, &id, most)?;
                if depth == 0 && whole.versions.is_empty() && whole.named_by.is_empty() {
                    return Err(Error::new(Code::NotFound, "no such aggregation").at("aggregation"));
                }
                let listed: Vec<DocumentRow> = match whole.versions.first() {
                    Some(latest) => self.located(texts(latest, "members"))?,
                    None => Vec::new(),
                };
                for row in whole.versions.into_iter().chain(whole.named_by).chain(listed) {
                    if known.reader(&row) == Some(ReaderKind::Aggregation) {
                        further.extend(text(&row, FIELD));
                    }
                    found.insert(row.id, row);
                }
                if found.len() > most {
                    return Err(Error::new(Code::QueryInvalid, format!("more than {most} documents")));
                }
            }
            next = further;
        }
        Ok(found.into_values().collect())
    }

    /// The ties by which a search finds what is in an aggregation: what names it, and what its latest version lists.
    pub(in crate::archive) fn ties_of_aggregation(&self, id: &str) -> Result<Vec<Tie>> {
        let known = self.known_links();
        let asking = Asking { catalogs: self.catalogs(), known: &known, actor: None, leading: &LEADING };
        let mut ties = known.ties(&held(id));
        if let Some(latest) = versions(&asking, id)?.first() {
            ties.extend(texts(latest, "members").map(|value| Tie { field: "@id".to_owned(), value }));
        }
        if ties.len() > MAX_TIES {
            return Err(Error::new(Code::QueryInvalid, "more members than a search takes at once")
                .at(FIELD)
                .hint("`custode export --aggregation` takes all of them; `custode show` lists them"));
        }
        Ok(ties)
    }

    fn located(&self, ids: impl Iterator<Item = String>) -> Result<Vec<DocumentRow>> {
        let ids = ids.filter_map(|id| id.parse::<DocumentId>().ok());
        ids.filter_map(|id| merged::locate(&self.catalogs(), id).transpose()).collect()
    }

    /// The aggregations a document is, is listed by or names, with the latest version of each.
    pub(super) fn aggregations_of(&self, asking: &Asking<'_>, row: &DocumentRow) -> Result<Vec<Value>> {
        let is_one = asking.known.reader(row) == Some(ReaderKind::Aggregation);
        let own = is_one.then(|| text(row, FIELD)).flatten();
        let mut membership: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        let all_held = asking.known.held(row);
        for id in of_namespace(&all_held, AGGREGATION) {
            let how = if own.as_deref() == Some(id) { "self" } else { "named" };
            membership.entry(id.to_owned()).or_default().insert(how);
        }
        // Whoever lists it: by its own id.
        let listed: Vec<Tie> = all_held
            .iter()
            .filter(|held| held.namespace == DOCUMENT)
            .flat_map(|held| asking.known.ties(held))
            .collect();
        let (listing, _) = asking.page(listed, MAX_LIMIT, None)?;
        for one in listing.iter().filter(|one| asking.known.reader(one) == Some(ReaderKind::Aggregation)) {
            membership.extend(
                text(one, FIELD).map(|id| (id, BTreeSet::new())).filter(|(id, _)| !membership.contains_key(id)),
            );
        }
        let mut found = Vec::new();
        for (id, mut how) in membership {
            let versions = versions(asking, &id)?;
            let latest = versions.first();
            if latest.is_some_and(|latest| !asking.may_see(latest)) {
                continue;
            }
            if latest.is_some_and(|latest| texts(latest, "members").any(|member| member == row.id.to_string())) {
                how.insert("listed");
            }
            if how.is_empty() {
                // Listed by an older version, and no longer.
                continue;
            }
            found.push(json!({
                "aggregation": id,
                "document": latest.map(|latest| latest.id),
                "kind": latest.and_then(|latest| text(latest, "kind")),
                "version": latest.and_then(number),
                "closed": latest.map(|latest| text(latest, "closed").as_deref() == Some("true")),
                "membership": how,
            }));
        }
        Ok(found)
    }
}

/// The members that metadata list.
fn listed(metadata: &Metadata) -> impl Iterator<Item = DocumentId> {
    let members = metadata.get("members").and_then(Value::as_array).into_iter().flatten();
    members.filter_map(Value::as_str).filter_map(|id| id.parse().ok())
}

fn number(row: &DocumentRow) -> Option<u64> {
    text(row, "version").and_then(|text| text.parse().ok())
}

/// An identifier as one asks for it.
fn held(id: &str) -> Held {
    Held::asked(AGGREGATION, id)
}

/// The versions of an aggregation, the latest first.
fn versions(asking: &Asking<'_>, id: &str) -> Result<Vec<DocumentRow>> {
    let wanted = held(id);
    // Only what calls itself so, not its members: of those there may be any number.
    let ties: Vec<Tie> = asking.known.ties(&wanted).into_iter().filter(|tie| tie.field == FIELD).collect();
    let (rows, _) = asking.page(ties, MAX_LIMIT, None)?;
    let is_one = |row: &DocumentRow| asking.known.reader(row) == Some(ReaderKind::Aggregation);
    let mut found: Vec<DocumentRow> = rows.into_iter().filter(is_one).collect();
    found.retain(|row| text(row, FIELD).is_some_and(|own| held(&own).value == wanted.value));
    found.sort_by_key(|row| std::cmp::Reverse((number(row), row.accepted_at, row.id)));
    Ok(found)
}

/// An aggregation with what names it: of that at most so many and a page.
fn whole(asking: &Asking<'_>, id: &str, most: usize) -> Result<Whole> {
    let wanted = held(id);
    let mut found = Whole { versions: versions(asking, id)?, named_by: Vec::new() };
    let asked = Asked::of(std::slice::from_ref(&wanted));
    let mut cursor = None;
    loop {
        let (rows, more) = asking.page(asking.known.ties(&wanted), MAX_LIMIT, cursor)?;
        for row in rows {
            let own = found.versions.iter().any(|version| version.id == row.id);
            if !own && !asking.known.shared(&asked, &row).is_empty() {
                found.named_by.push(row);
            }
        }
        match more {
            Some(more) if found.named_by.len() <= most => cursor = Some(more),
            _ => break,
        }
    }
    Ok(found)
}
