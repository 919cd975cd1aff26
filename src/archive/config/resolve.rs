//! From raw to resolved: the archive, those who act, and the agreements. Limits and connections are in [`super::limits`].

use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use jiff::civil::Date;
use toml::Spanned;

use super::agents::{AGENT_ID_ACCEPTED, Agent, AgentId, AgentName, HolderKind, HolderRole, RelevantDocument};
use super::limits;
use super::locate::Problems;
use super::raw;
use super::resolved::{Agreement, Config, Holder, Signer};
use crate::error::{Lang, Result};
use crate::hash::Sha256;
use crate::id::ClassId;

/// Longest text an operator writes in one value: it goes into every index and receipt.
const LONGEST_TEXT: usize = 500;
/// Fewer refusals before blocking would block on an ordinary retry (issue of the holder: at least 3).
pub(super) const FEWEST_REFUSALS: u32 = 3;
/// Most refusals of one object worth counting.
pub(super) const MOST_REFUSALS: u32 = 1000;

pub(super) fn resolve(raw: raw::Raw, text: &str, archive: &Path) -> Result<Config> {
    let mut problems = Problems::new(text);
    let whole = assemble(raw, &mut problems, archive);
    problems.finish(whole)
}

fn assemble(raw: raw::Raw, problems: &mut Problems<'_>, archive: &Path) -> Option<Config> {
    let end = raw.end.and_then(|end| end.into_inner().complete);
    if !end.is_some_and(|complete| *complete.get_ref()) {
        let why = "the file must end with the table [end] and `complete = true`; without it the file was cut short";
        problems.missing(None, "end.complete", why);
    }
    let identity = identity(raw.archive, problems, archive);
    let holder = required(raw.holder, "holder", problems).and_then(|table| holder(table, "holder", problems));
    let other_holders: Vec<_> =
        raw.holders.into_iter().filter_map(|table| holder_of(table, "holders", problems)).collect();
    let submitter =
        required(raw.submitter, "submitter", problems).and_then(|table| plain_agent(table, "submitter", problems));
    if raw.signers.is_empty() {
        problems.missing(None, "signers", "at least one [[signers]] table is needed: who signs packages");
    }
    let signers: Vec<_> = raw.signers.into_iter().filter_map(|table| signer(table, problems)).collect();
    let signing = super::signer::signer(raw.signer, problems, archive);
    let manager = required(raw.manager, "manager", problems).and_then(|table| plain_agent(table, "manager", problems));
    let conservator_span = raw.conservator.as_ref().map(Spanned::span);
    let conservator = raw.conservator.and_then(|table| plain_agent(table, "conservator", problems));
    if let (Some(manager), Some(conservator), Some(span)) = (&manager, &conservator, &conservator_span)
        && manager.is_same_subject(conservator)
    {
        let why = "the manager (responsabile della conservazione) must be a third party to the conservator (Linee guida \
                   AgID 4.5); name another manager, or leave [conservator] out when the holder keeps its own archive";
        problems.wrong(span, "conservator", why);
    }
    let manual = raw.manual.and_then(|table| document(table, "manual", problems));
    let intake = limits::intake(raw.intake, problems, archive);
    let default_refusals = intake.as_ref().map_or(FEWEST_REFUSALS, |intake| intake.max_refusals);
    let agreements = agreements(raw.agreements, default_refusals, problems);
    let tsa = limits::tsa(raw.tsa, problems, archive);
    let trust = super::trust::trust(raw.trust, problems, archive);
    if tsa.as_ref().is_some_and(|tsa| tsa.require_qualified) && trust.trusted_lists.is_empty() {
        problems.missing(
            None,
            "trust.trusted_lists",
            "tsa.require_qualified needs a trusted list of time-stamping services",
        );
    }
    let revocation = super::revocation::revocation(raw.revocation, problems);
    let witnesses = super::witness::witnesses(raw.witness, problems);
    let vaults = super::vaults::vaults(raw.vault, problems, archive);
    let copies = super::vaults::copies(raw.copies, vaults.as_ref(), problems);
    let repair_automatic = super::vaults::automatic(raw.repair);
    let check = super::check::check(raw.check, problems);
    let legibility = super::check::legibility(raw.legibility, problems);
    let malware = limits::malware(raw.malware, problems);
    let logs = limits::logs(raw.logs, problems);
    let notices = super::notices::notices(raw.alarms, problems, archive);
    let conversations = limits::conversations(raw.conversations, problems);
    let sealing = limits::sealing(raw.sealing, problems);
    let http = limits::http(raw.http, problems);
    let (name, origin, lang, keys) = identity?;
    Some(Config {
        name,
        origin,
        lang,
        keys,
        holder: holder?,
        other_holders,
        submitter: submitter?,
        signers,
        signing: signing?,
        manager: manager?,
        conservator,
        manual,
        intake: intake?,
        agreements,
        tsa: tsa?,
        trust,
        revocation: revocation?,
        witnesses,
        vaults: vaults?,
        copies: copies?,
        repair_automatic,
        check: check?,
        legibility: legibility?,
        malware: malware?,
        logs: logs?,
        notices: notices?,
        conversations: conversations?,
        sealing: sealing?,
        http: http?,
    })
}

fn required<T>(table: Option<Spanned<T>>, key: &str, problems: &mut Problems<'_>) -> Option<Spanned<T>> {
    if table.is_none() {
        problems.missing(None, key, format!("the table [{key}] is needed"));
    }
    table
}

type Identity = (String, String, Option<Lang>, PathBuf);

fn identity(table: Option<Spanned<raw::Archive>>, problems: &mut Problems<'_>, archive: &Path) -> Option<Identity> {
    let table = required(table, "archive", problems)?;
    let span = table.span();
    let table = table.into_inner();
    let Some(name) = table.name else {
        problems.missing(Some(&span), "archive.name", NAME_ACCEPTED);
        return None;
    };
    let name = problems.parse(&name, "archive.name", short_name);
    let origin = table.origin.map(|origin| problems.parse(&origin, "archive.origin", origin_name));
    let lang = table.lang.map(|lang| {
        problems.parse(&lang, "archive.lang", |text| match text {
            "it" => Ok(Lang::It),
            "en" => Ok(Lang::En),
            _ => Err("expected \"it\" or \"en\"".to_owned()),
        })
    });
    let keys = match &table.keys {
        Some(keys) => problems.parse(keys, "archive.keys", |text| outside(archive, text)),
        None => name.as_ref().map(|name| archive.join(format!("../{name}.keys"))),
    };
    let name = name?;
    let origin = origin.unwrap_or_else(|| Some(name.clone()))?;
    let lang = lang.map_or(Some(None), |lang| lang.map(Some))?;
    Some((name, origin, lang, keys?))
}

const NAME_ACCEPTED: &str = "expected 1 to 64 lower-case letters, digits and hyphens, starting with a letter";

pub(super) fn short_name(text: &str) -> std::result::Result<String, String> {
    // The rule of class and policy names: safe in a path, in a URL and in a key name.
    text.parse::<ClassId>().map(|name| name.to_string()).map_err(|_| NAME_ACCEPTED.to_owned())
}

fn origin_name(text: &str) -> std::result::Result<String, String> {
    let fits = (1..=200).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_graphic() && b != b'+' && b != b'<' && b != b'>' && b != b'&')
        && !text.contains("://");
    fits.then(|| text.to_owned()).ok_or_else(|| {
        "expected a URL without scheme, of visible ASCII characters without `+`, as in archivio.esempio.example/2026"
            .to_owned()
    })
}

/// A path relative to the archive that does not lead into it: keys must not travel with its backups.
fn outside(archive: &Path, text: &str) -> std::result::Result<PathBuf, String> {
    let path = path(archive, text)?;
    let (inner, outer) = (lexical(&path), lexical(archive));
    if inner.starts_with(&outer) {
        return Err("expected a folder outside the archive: secret keys must not travel with its copies".to_owned());
    }
    Ok(path)
}

pub(super) fn path(archive: &Path, text: &str) -> std::result::Result<PathBuf, String> {
    if text.is_empty() || text.contains('\0') {
        return Err("expected a path, absolute or relative to the archive's folder".to_owned());
    }
    Ok(archive.join(text))
}

/// The path without `.` and `..`, from the text alone: good enough to notice a mistake.
pub(super) fn lexical(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut plain = PathBuf::new();
    for part in absolute.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

pub(super) fn line(text: &str) -> std::result::Result<String, String> {
    let control = |c: char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}');
    if text.is_empty() || text.chars().count() > LONGEST_TEXT || text.chars().any(control) {
        return Err(format!("expected 1 to {LONGEST_TEXT} characters, without line breaks or control characters"));
    }
    Ok(text.to_owned())
}

fn holder(table: Spanned<raw::Agent>, key: &str, problems: &mut Problems<'_>) -> Option<Holder> {
    if table.get_ref().kind.is_none() {
        let accepted = "expected \"public\", \"declared-private\" or \"private\": it decides who must allow a disposal";
        problems.missing(Some(&table.span()), &format!("{key}.kind"), accepted);
    }
    holder_of(table, key, problems)
}

fn holder_of(mut table: Spanned<raw::Agent>, key: &str, problems: &mut Problems<'_>) -> Option<Holder> {
    let role = table.get_mut().role.take();
    let role = match &role {
        Some(role) => problems.parse(role, &format!("{key}.role"), str::parse::<HolderRole>),
        None => Some(HolderRole::Producer),
    };
    let kind = table.get_mut().kind.take();
    let kind = match &kind {
        Some(kind) => problems.parse(kind, &format!("{key}.kind"), str::parse::<HolderKind>),
        None => Some(HolderKind::Private),
    };
    let agent = plain_agent(table, key, problems);
    Some(Holder { agent: agent?, role: role?, kind: kind? })
}

fn signer(mut table: Spanned<raw::Agent>, problems: &mut Problems<'_>) -> Option<Signer> {
    let role = table.get_mut().role.take();
    let role = role.map(|role| problems.parse(&role, "signers.role", line));
    let agent = plain_agent(table, "signers", problems);
    Some(Signer { agent: agent?, role: role.map_or(Some(None), |role| role.map(Some))? })
}

/// Name, identifier and documents; `role` and `kind` must have been taken out where they are allowed.
fn plain_agent(table: Spanned<raw::Agent>, key: &str, problems: &mut Problems<'_>) -> Option<Agent> {
    let span = table.span();
    let table = table.into_inner();
    for (value, name) in [(&table.role, "role"), (&table.kind, "kind")] {
        if let Some(value) = value {
            problems.wrong(&value.span(), &format!("{key}.{name}"), "not a key of this table");
        }
    }
    let name = match (&table.name, &table.first_name, &table.last_name) {
        (Some(name), None, None) => problems.parse(name, &format!("{key}.name"), line).map(AgentName::Legal),
        (None, Some(first), Some(last)) => {
            let first = problems.parse(first, &format!("{key}.first_name"), line);
            let last = problems.parse(last, &format!("{key}.last_name"), line);
            first.zip(last).map(|(first, last)| AgentName::Natural { first, last })
        }
        _ => {
            let accepted =
                "expected either `name` (legal person) or both `first_name` and `last_name` (natural person)";
            problems.missing(Some(&span), &format!("{key}.name"), accepted);
            None
        }
    };
    let id = match &table.id {
        Some(id) if id.get_ref().trim().is_empty() => Some(None),
        Some(id) => problems
            .parse(id, &format!("{key}.id"), |text| text.parse::<AgentId>().map_err(|_| AGENT_ID_ACCEPTED.to_owned()))
            .map(Some),
        None => Some(None),
    };
    let key = format!("{key}.documents");
    let documents = table.documents.into_iter().filter_map(|table| document(table, &key, problems)).collect();
    Some(Agent { name: name?, id: id?, documents })
}

fn document(table: Spanned<raw::Document>, key: &str, problems: &mut Problems<'_>) -> Option<RelevantDocument> {
    let span = table.span();
    let table = table.into_inner();
    let title = match &table.title {
        Some(title) => problems.parse(title, &format!("{key}.title"), line),
        None => {
            problems.missing(Some(&span), &format!("{key}.title"), "the document's title is needed");
            None
        }
    };
    let version = optional(&table.version, &format!("{key}.version"), problems, line);
    let date = optional(&table.date, &format!("{key}.date"), problems, |text| {
        text.parse::<Date>().map_err(|_| "expected a day as \"2026-01-31\"".to_owned())
    });
    let sha256 = optional(&table.sha256, &format!("{key}.sha256"), problems, |text| {
        text.to_ascii_lowercase()
            .parse::<Sha256>()
            .map_err(|_| "expected the SHA-256 of the file, 64 hexadecimal digits".to_owned())
    });
    Some(RelevantDocument { title: title?, version: version?, date: date?, sha256: sha256? })
}

/// `Some(None)`: not given, or empty; `None`: given and wrong, which was noted.
#[allow(clippy::option_option)]
pub(super) fn optional<T>(
    value: &Option<Spanned<String>>,
    key: &str,
    problems: &mut Problems<'_>,
    parse: impl FnOnce(&str) -> std::result::Result<T, String>,
) -> Option<Option<T>> {
    match value {
        Some(text) if !text.get_ref().trim().is_empty() => problems.parse(text, key, parse).map(Some),
        _ => Some(None),
    }
}

fn agreements(tables: Vec<Spanned<raw::Agreement>>, refusals: u32, problems: &mut Problems<'_>) -> Vec<Agreement> {
    if tables.is_empty() {
        let everyone = Agreement { id: "base".to_owned(), producers: vec![], classes: vec![], max_refusals: refusals };
        return vec![everyone];
    }
    let mut all: Vec<Agreement> = Vec::new();
    for table in tables {
        let span = table.span();
        let table = table.into_inner();
        let Some(id) = &table.id else {
            problems.missing(Some(&span), "agreements.id", NAME_ACCEPTED);
            continue;
        };
        let Some(name) = problems.parse(id, "agreements.id", short_name) else { continue };
        if all.iter().any(|known| known.id == name) {
            problems.wrong(&id.span(), "agreements.id", "two agreements have the same id");
        }
        let mut names = |list: &Option<Vec<Spanned<String>>>, key: &str| -> Vec<String> {
            let list = list.as_deref().unwrap_or_default();
            list.iter().filter_map(|item| problems.parse(item, key, short_name)).collect()
        };
        let producers = names(&table.producers, "agreements.producers");
        let classes = names(&table.classes, "agreements.classes").iter().filter_map(|name| name.parse().ok()).collect();
        let max_refusals =
            limits::between(&table.max_refusals, "agreements.max_refusals", refusals, refusal_range(), problems);
        all.push(Agreement { id: name, producers, classes, max_refusals: max_refusals.unwrap_or(refusals) });
    }
    all
}

pub(super) fn refusal_range() -> Range<u32> {
    FEWEST_REFUSALS..MOST_REFUSALS + 1
}
