//! Somebody inside: who may write to every disk, has the archive's key, and hashes and signs everything again after an edit.
//! Only what the insider has not can tell: the time-stamping authority, the key of before, witnesses, and whoever kept a receipt.

use custode::chain::Checkpoint;
use custode::chain::merkle::{Tree, leaf};
use custode::chain::note::Signer;
use custode::evidence::ers::{Group, TreeFile};
use custode::hash::{Digests, Sha256};
use custode::package::content::ContentWriter;
use custode::package::generation::token_of;
use custode::package::member::{Kind, Member};
use custode::package::reader::Package;
use serde_json::{Value, json};
use uuid::Uuid;

use super::cell::{Cell, Look};
use super::stand::Stand;

/// The newest package: sealed after the key was changed and after the last stamp of the chain.
const NEWEST: (&str, u64) = ("generic", 4);
/// Both copies of it.
const COPIES: [&str; 2] = ["archive/packages/generic/00000004", "copia/generic/00000004"];
/// Another package of the same series.
const OTHER: &str = "archive/packages/generic/00000003";
const ENTRIES: &str = "archive/chain/entries";

/// The entries, to be edited.
struct Insider {
    lines: Vec<Value>,
}

impl Insider {
    fn of(stand: &Stand) -> Self {
        let text = String::from_utf8(stand.read(ENTRIES)).unwrap();
        Self { lines: text.lines().map(|line| serde_json::from_str(line).unwrap()).collect() }
    }

    fn position(&self, kind: &str, last: bool) -> usize {
        let is = |line: &Value| line["kind"] == kind;
        let found = if last { self.lines.iter().rposition(is) } else { self.lines.iter().position(is) };
        found.unwrap_or_else(|| panic!("no entry of kind {kind}"))
    }

    /// The entry of the newest package.
    fn package(&mut self) -> &mut Value {
        let is = |line: &Value| line["package"]["series"] == NEWEST.0 && line["package"]["number"] == NEWEST.1;
        let at = self.lines.iter().position(is).unwrap();
        &mut self.lines[at]["package"]
    }

    /// Puts a file of the newest package into both copies, and what it is now into the entry.
    fn file(&mut self, stand: &mut Stand, name: &str, bytes: &[u8]) {
        COPIES.iter().for_each(|copy| stand.put(&format!("{copy}/{name}"), bytes));
        let digests = Digests::of(bytes);
        let package = self.package();
        let files = package["files"].as_array_mut().unwrap();
        let file = files.iter_mut().find(|file| file["name"] == name).unwrap();
        (file["length"], file["sha256"]) = (json!(digests.bytes), json!(digests.sha256));
        file["blake3"] = json!(digests.blake3);
        match name {
            "PIndex.xml" => package["pindex"] = json!(digests.sha256),
            "numbers" => package["numbers"]["sha256"] = json!(digests.sha256),
            _ => {}
        }
    }

    /// Chains, hashes and signs everything again, and forgets what witnesses said.
    fn sign(mut self, stand: &mut Stand) {
        let (mut text, mut tree, mut prev) = (String::new(), Tree::default(), Sha256::ZERO);
        let (mut hashes, mut tile) = (Vec::new(), Vec::new());
        for (seq, line) in self.lines.iter_mut().enumerate() {
            (line["seq"], line["prev"]) = (json!(seq), json!(prev));
            let line = line.to_string();
            prev = Sha256::of(line.as_bytes());
            let hash = leaf(line.as_bytes());
            tree.push(hash);
            hashes.extend(hash.0);
            tile.extend(u16::try_from(line.len()).unwrap().to_be_bytes());
            tile.extend(line.as_bytes());
            text += &format!("{line}\n");
        }
        stand.put(ENTRIES, text.as_bytes());
        for below in ["archive/chain/tile", "archive/chain/witness"] {
            stand.files(below).iter().for_each(|name| stand.clear(name));
        }
        let size = self.lines.len();
        assert!(size < 256, "more than one tile");
        stand.put(&format!("archive/chain/tile/0/000.p/{size}"), &hashes);
        stand.put(&format!("archive/chain/tile/entries/000.p/{size}"), &tile);
        let note = sign(&stand_key(stand), tree.size(), tree.root());
        stand.put("archive/chain/checkpoint", note.as_bytes());
    }
}

fn sign(signer: &Signer, size: u64, root: Sha256) -> String {
    signer.sign_note(&Checkpoint { origin: signer.name().to_owned(), size, root }.text()).unwrap()
}

fn origin(stand: &Stand) -> String {
    String::from_utf8(stand.read("archive/chain/checkpoint")).unwrap().lines().next().unwrap().to_owned()
}

/// The archive's own key, which an insider can read.
fn stand_key(stand: &Stand) -> Signer {
    let text = String::from_utf8(stand.read("archive.keys/archive.key")).unwrap();
    let mut seed = [0; 32];
    hex::decode_to_slice(text.trim(), &mut seed).unwrap();
    Signer::for_name(&origin(stand), &seed).unwrap()
}

/// A key that somebody made.
fn strange_key(stand: &Stand) -> Signer {
    Signer::for_name(&origin(stand), &[7; 32]).unwrap()
}

/// The text of a file changed in one place, in a way that keeps it well formed.
fn edited(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(text.contains(from), "no {from:?} to edit");
    text.replacen(from, to, 1).into_bytes()
}

/// One file of the newest package is another, and everything that names it agrees.
fn with_file(name: &'static str, change: impl Fn(&Stand, Vec<u8>) -> Vec<u8> + Send + Sync) -> impl Fn(&mut Stand) {
    move |stand| {
        let bytes = change(stand, stand.read(&format!("{}/{name}", COPIES[0])));
        let mut insider = Insider::of(stand);
        insider.file(stand, name, &bytes);
        insider.sign(stand);
    }
}

/// The same file of another package.
fn of_other(name: &'static str) -> impl Fn(&mut Stand) {
    with_file(name, move |stand, _| stand.read(&format!("{OTHER}/{name}")))
}

/// What is in a package: kind, identifier, bytes.
type Members = Vec<(Kind, Uuid, Vec<u8>)>;

fn members(stand: &Stand, folder: &str) -> Members {
    let package = Package::open_folder(&stand.path(folder)).unwrap();
    let mut members = Vec::new();
    package
        .each_member(&Kind::ALL, &mut |record, reader| {
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).unwrap();
            members.push((record.kind, record.id, bytes));
            Ok(())
        })
        .unwrap();
    members
}

/// Content and table of contents of these members.
fn packed(members: &Members) -> (Vec<u8>, Vec<u8>) {
    let mut writer = ContentWriter::new(Vec::new(), 0);
    for (kind, id, bytes) in members {
        let member = match kind {
            Kind::Document => Member::document(*id, "txt"),
            kind => Member::descriptive(*kind, *id),
        };
        writer.append(&member.unwrap(), bytes.len() as u64, Sha256::of(bytes), &mut &bytes[..]).unwrap();
    }
    let (content, toc) = writer.finish().unwrap();
    (content, toc.as_bytes().to_vec())
}

/// The newest package with other members; index and evidence are left as they were.
fn with_members(change: impl Fn(&Stand, &mut Members) + Send + Sync) -> impl Fn(&mut Stand) {
    move |stand| {
        let mut members = members(stand, COPIES[0]);
        change(stand, &mut members);
        members.sort_by_key(|(kind, id, _)| (*kind, *id));
        let (content, toc) = packed(&members);
        let mut insider = Insider::of(stand);
        insider.file(stand, "content.tar.zst", &content);
        insider.file(stand, "toc", &toc);
        insider.sign(stand);
    }
}

/// Without the members of a kind.
fn without(kind: Kind) -> impl Fn(&mut Stand) {
    with_members(move |_, members| members.retain(|member| member.0 != kind))
}

/// The bytes of the members of a kind are those of another package.
fn of_others(kind: Kind) -> impl Fn(&mut Stand) {
    with_members(move |stand, own| {
        let theirs = members(stand, OTHER);
        let bytes = |kind| theirs.iter().find(|member| member.0 == kind).map(|member| member.2.clone()).unwrap();
        own.iter_mut().filter(|member| member.0 == kind).for_each(|member| member.2 = bytes(kind));
    })
}

/// A document is another, and so are its metadata, manifest, receipt, note, index and tree, and every digest of any of them.
/// Receipts are signed by the archive's own key, which the insider has; the token is all that is missing.
fn document_edited(stand: &mut Stand) {
    let mut members = members(stand, COPIES[0]);
    let mut replaced: Vec<(String, String)> = Vec::new();
    let receipts = stand_key(stand).renamed(&format!("{}/receipt", origin(stand))).unwrap();
    // In the order in which one names the other: document, metadata, manifest, receipt, note.
    for wanted in [Kind::Document, Kind::Metadata, Kind::Manifest, Kind::Receipt, Kind::Note] {
        for (kind, _, bytes) in members.iter_mut().filter(|(kind, ..)| *kind == wanted) {
            let before = Sha256::of(bytes);
            match kind {
                // As long as before: no length has to be edited.
                Kind::Document => *bytes = edited(bytes, "recente", "antica!"),
                Kind::Note => {
                    let text = with(bytes, &replaced);
                    *bytes = receipts
                        .sign_note(text.split("\n\n").next().map(|t| format!("{t}\n")).unwrap().as_str())
                        .unwrap()
                        .into_bytes();
                }
                _ => *bytes = with(bytes, &replaced).into_bytes(),
            }
            replaced.push((before.to_string(), Sha256::of(bytes).to_string()));
        }
    }
    let (content, toc) = packed(&members);
    let index = with(&stand.read(&format!("{}/PIndex.xml", COPIES[0])), &replaced).into_bytes();
    let before = TreeFile::parse(&stand.read(&format!("{}/evidence/0001.tree", COPIES[0]))).unwrap();
    let signature = stand.read(&format!("{}/PIndex.xml.p7s", COPIES[0]));
    let of = |bytes: &[u8]| before.algorithm().of(bytes);
    let digest = |kind| members.iter().find(|(k, ..)| *k == kind).map(|(.., bytes)| of(bytes));
    let groups = before.groups().iter().map(|group| match group.document {
        None => Group::new(None, [of(&index), of(&signature)]),
        document => {
            let kinds = [Kind::Document, Kind::Metadata, Kind::Receipt, Kind::Manifest, Kind::Signature];
            Group::new(document, kinds.into_iter().filter_map(digest))
        }
    });
    let tree = TreeFile::build(groups.collect()).unwrap();
    let token = token_of(&stand.read(&format!("{}/evidence/0001.tsr", COPIES[0])));
    let record = tree.record(None, &token).unwrap().to_der();
    let mut insider = Insider::of(stand);
    insider.file(stand, "content.tar.zst", &content);
    insider.file(stand, "toc", &toc);
    insider.file(stand, "PIndex.xml", &index);
    insider.file(stand, "evidence/0001.tree", &tree.encode());
    insider.file(stand, "evidence/0001.ers", &record);
    (insider.package()["ers_root"], insider.package()["run_root"]) = (json!(tree.root()), json!(tree.run_root()));
    insider.sign(stand);
}

/// Text with every digest that changed.
fn with(bytes: &[u8], replaced: &[(String, String)]) -> String {
    let mut text = String::from_utf8(bytes.to_vec()).unwrap();
    for (from, to) in replaced {
        text = text.replace(from, to);
    }
    text
}

/// Everything that is signed with another key than the archive's.
fn signed_by_another() -> Vec<Cell> {
    let resign = |stand: &mut Stand| {
        let note = String::from_utf8(stand.read("archive/chain/checkpoint")).unwrap();
        let checkpoint = Checkpoint::parse_any(&format!("{}\n", note.split("\n\n").next().unwrap())).unwrap();
        let note = sign(&strange_key(stand), checkpoint.size, checkpoint.root);
        stand.put("archive/chain/checkpoint", note.as_bytes());
    };
    let key = |stand: &mut Stand| {
        let key = format!("{}\n", strange_key(stand).verifier());
        stand.put("archive/chain/archive.vkey", key.as_bytes());
    };
    vec![
        Cell::new("checkpoint", "signed with another key", Look::AtRest).with("checkpoint", resign),
        Cell::new("public key", "another key", Look::AtRest).with("archive.vkey", key),
        Cell::new("public key", "another key, which signed the checkpoint too", Look::AtRest).with(
            "both",
            move |stand| {
                resign(stand);
                key(stand);
            },
        ),
    ]
}

/// Entries that were edited or removed, with everything after them chained and signed again.
fn chain_rewritten() -> Vec<Cell> {
    let edit = |at: &dyn Fn(&Insider) -> usize, stand: &mut Stand| {
        let mut insider = Insider::of(stand);
        let at = at(&insider);
        let kind = insider.lines[at]["kind"].as_str().unwrap().to_owned();
        insider.lines[at][&kind]["edited"] = json!(true);
        insider.sign(stand);
    };
    let before_key = move |stand: &mut Stand| edit(&|insider| insider.position("manual", false), stand);
    let before_stamp = move |stand: &mut Stand| edit(&|insider| insider.position("stamp", true) - 1, stand);
    let after_stamp = move |stand: &mut Stand| edit(&|insider| insider.position("check", true), stand);
    let cut = |stand: &mut Stand| {
        let mut insider = Insider::of(stand);
        insider.lines.pop();
        insider.sign(stand);
    };
    let unsealed = |stand: &mut Stand| {
        let mut insider = Insider::of(stand);
        let at = insider.position("package", true);
        insider.lines.remove(at);
        COPIES.iter().flat_map(|copy| stand.files(copy)).collect::<Vec<_>>().iter().for_each(|name| stand.clear(name));
        COPIES.iter().for_each(|copy| std::fs::remove_dir_all(stand.path(copy)).unwrap());
        insider.sign(stand);
    };
    let cell = |damage, look| Cell::new("chain, by an insider", damage, look);
    vec![
        cell("an entry before a change of key edited", Look::AtRest).with("manual", before_key),
        cell("an entry before a stamp edited", Look::AtRest).or_at("archive/chain/stamps").with("check", before_stamp),
        cell("a package and its entry removed", Look::Opened).or_at("archive/catalog").with("the newest", unsealed),
        cell("an entry after the last stamp edited", Look::AtRest).with("check", after_stamp),
        cell("the same, and somebody kept a checkpoint", Look::Kept)
            .or_at("archive/checkpoint given")
            .with("check", after_stamp),
        cell("the last entry removed", Look::AtRest).with("the last", cut),
        cell("the same, removed, and somebody kept a checkpoint", Look::Kept)
            .or_at("archive/checkpoint given")
            .with("the last", cut),
    ]
}

/// Everything an insider does.
pub fn cells() -> Vec<Cell> {
    let cell = |damage| Cell::new("package, by an insider", damage, Look::AtRest).or_at(COPIES[0]);
    let renumbered = |stand: &mut Stand| {
        let mut insider = Insider::of(stand);
        let numbers: custode::package::numbers::Numbers =
            [(custode::id::Lane(1), custode::id::Sequence(1))].into_iter().collect();
        insider.file(stand, "numbers", &numbers.encode());
        insider.package()["numbers"] = serde_json::to_value(numbers.summary()).unwrap();
        insider.sign(stand);
    };
    let doubled = with_members(|_, members| {
        let document = members.iter().find(|member| member.0 == Kind::Document).unwrap().2.clone();
        members.push((Kind::Document, Uuid::from_u128(7 << 76), document));
    });
    let mut all = vec![
        cell("a document edited, and all digests, receipts and signatures made again").with("a word", document_edited),
        cell("the index edited").with("a label", with_file("PIndex.xml", |_, xml| edited(&xml, "PROVA", "prova"))),
        cell("the index of another package").with("PIndex.xml", of_other("PIndex.xml")),
        cell("the content of another package").with("content", of_other("content.tar.zst")),
        cell("the table of contents of another package").with("toc", of_other("toc")),
        cell("the signature of another index").with("p7s", of_other("PIndex.xml.p7s")),
        cell("the tree of another package").with("tree", of_other("evidence/0001.tree")),
        cell("the token of another package").with("tsr", of_other("evidence/0001.tsr")),
        cell("the record of another package").with("ers", of_other("evidence/0001.ers")),
        cell("numbers of another deposit").with("numbers", renumbered),
        cell("a document left out").with("document", without(Kind::Document)),
        cell("a document that nobody deposited").with("document", doubled),
        cell("the document of another deposit").with("document", of_others(Kind::Document)),
        cell("the metadata of another document").with("metadata", of_others(Kind::Metadata)),
        cell("metadata left out").with("metadata", without(Kind::Metadata)),
        cell("the receipt of another deposit").with("receipt", of_others(Kind::Receipt)),
        cell("the receipt left out").with("receipt", without(Kind::Receipt)),
        cell("the signed note of another receipt").with("note", of_others(Kind::Note)),
        cell("the signed note left out").with("note", without(Kind::Note)),
        cell("the manifest of another deposit").with("manifest", of_others(Kind::Manifest)),
        cell("the manifest left out").with("manifest", without(Kind::Manifest)),
    ];
    all.extend(chain_rewritten());
    all.extend(signed_by_another());
    all
}
