//! The kinds of files that an archive is made of: every file belongs to one, and each kind is a row of the table.

/// Kinds of files, in the order of the table, with what they are for whoever reads it.
pub const ALL: &[(&str, &str)] = &[
    ("content", "`packages/…/content.tar.zst`: documents, metadata, receipts, manifests"),
    ("table of contents", "`packages/…/toc`"),
    ("numbers", "`packages/…/numbers`"),
    ("index", "`packages/…/PIndex.xml`"),
    ("index signature", "`packages/…/PIndex.xml.p7s`"),
    ("evidence tree", "`packages/…/evidence/*.tree`"),
    ("evidence token", "`packages/…/evidence/*.tsr`"),
    ("evidence record", "`packages/…/evidence/*.ers`"),
    ("second copy", "the same files in another vault"),
    ("vault id", "`vault.id` of a vault"),
    ("entries", "`chain/entries`"),
    ("checkpoint", "`chain/checkpoint`"),
    ("public key", "`chain/archive.vkey`"),
    ("tiles", "`chain/tile/…`"),
    ("witnessed checkpoint", "`chain/witness/*.checkpoint`"),
    ("chain stamp", "`chain/stamps/*.tsr`"),
    ("stamped checkpoint", "`chain/stamps/*.checkpoint`"),
    ("stamp renewal", "`chain/stamps/renewed/*`"),
    ("records", "`records/*.jsonl`"),
    ("personal part", "`records/…/*.json`"),
    ("accesses", "`records/accesses.jsonl`"),
    ("classes", "`schemas/*.json`"),
    ("policies", "`policies/*.toml`"),
    ("journal", "`intake/lane-…/segment-*`"),
    ("waiting document", "`intake/lane-…/bodies/*`"),
    ("refusals", "`intake/refusals-*.jsonl`"),
    ("reports", "`reports/*.json`, `*.txt`, `*.html`"),
    ("report signature", "`reports/*.json.p7s`"),
    ("quarantine", "`quarantine/*`"),
    ("catalog", "`catalog/…`: state and search"),
    ("settings", "`custode.toml`"),
    ("lock", "`lock`"),
    ("keys", "the folder of keys, beside the archive"),
];

/// The kind of a file, by its name in the stand; none for what is part of nothing.
pub fn of(name: &str) -> Option<&'static str> {
    let last = name.rsplit('/').next().unwrap_or(name);
    let ends = |end: &str| last.ends_with(end);
    let kind = match name.split('/').collect::<Vec<_>>()[..] {
        ["archive", "packages", "vault.id"] | ["copia", "vault.id"] => "vault id",
        ["copia", ..] => "second copy",
        ["archive", "packages", _, _, "evidence", _] if ends(".tree") => "evidence tree",
        ["archive", "packages", _, _, "evidence", _] if ends(".tsr") => "evidence token",
        ["archive", "packages", _, _, "evidence", _] if ends(".ers") => "evidence record",
        ["archive", "packages", _, _, "content.tar.zst"] => "content",
        ["archive", "packages", _, _, "toc"] => "table of contents",
        ["archive", "packages", _, _, "numbers"] => "numbers",
        ["archive", "packages", _, _, "PIndex.xml"] => "index",
        ["archive", "packages", _, _, "PIndex.xml.p7s"] => "index signature",
        ["archive", "chain", "entries"] => "entries",
        ["archive", "chain", "checkpoint"] => "checkpoint",
        ["archive", "chain", "archive.vkey"] => "public key",
        ["archive", "chain", "tile", ..] => "tiles",
        ["archive", "chain", "witness", _] => "witnessed checkpoint",
        ["archive", "chain", "stamps", "renewed", _] => "stamp renewal",
        ["archive", "chain", "stamps", _] if ends(".tsr") => "chain stamp",
        ["archive", "chain", "stamps", _] => "stamped checkpoint",
        ["archive", "records", "accesses.jsonl"] => "accesses",
        ["archive", "records", _] => "records",
        ["archive", "records", _, _] => "personal part",
        ["archive", "schemas", _] => "classes",
        ["archive", "policies", _] => "policies",
        ["archive", "intake", _, "bodies", _] => "waiting document",
        ["archive", "intake", "lane-0001", _] => "journal",
        ["archive", "intake", _] => "refusals",
        ["archive", "reports", _] if ends(".p7s") => "report signature",
        ["archive", "reports", _] => "reports",
        ["archive", "quarantine", _] => "quarantine",
        ["archive", "catalog", ..] => "catalog",
        ["archive", "custode.toml"] => "settings",
        ["archive", "lock"] => "lock",
        ["archive.keys", _] => "keys",
        _ => return None,
    };
    Some(kind)
}

/// Whether a check that opens nothing sees it; the others are looked at by a check of the opened archive only.
pub fn at_rest(kind: &str) -> bool {
    !["journal", "waiting document", "catalog", "settings", "lock", "keys"].contains(&kind)
}
