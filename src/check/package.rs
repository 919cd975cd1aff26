//! One package, in every vault: its files as the chain lists them, then (in full) what is inside.
//!
//! Invariant: every file the chain names is read to its end and hashed, in every copy, whatever else is wrong with the package; what
//! could not be looked at is a finding, never a silence. Memory does not grow with the package's content.

use std::io::Read;
use std::sync::Arc;

use super::accounting::Held;
use super::report::{Finding, Outcome, Place};
use super::sealed::Sealed;
use super::{Mode, Subject, content, evidence, sealed, signature};
use crate::chain::Reigns;
use crate::error::{AtPlace, Code, Error, Finding as Said, Kind, Result};
use crate::hash::{Digests, Hasher};
use crate::id::DocumentId;
use crate::package::copies::Holdings;
use crate::package::generation::{generation_of, is_staging};
use crate::package::member;
use crate::package::reader::Package;
use crate::package::{CONTENT, FileFacts, NUMBERS, PINDEX, TOC};
use crate::vault::{Vault, VaultFiles};

/// Read at a time: large enough for the digests, small enough for a lively progress bar.
const STEP: usize = 1 << 20;
/// Findings of one package; the report has a limit of its own.
const MAX_FINDINGS: usize = 200;

/// What was seen of one package.
#[derive(Default)]
pub(super) struct Looked {
    pub findings: Vec<Finding>,
    /// Copies of which every file was there to be read.
    pub copies: u64,
    /// Every copy was.
    pub whole: bool,
    /// Bytes read and hashed, in all copies.
    pub bytes: u64,
    /// Documents whose own bytes were hashed.
    pub documents: u64,
    /// Numbers inside, when they could be read.
    pub numbers: Option<Held>,
    /// Ids of the documents, ascending, when the table of contents could be read.
    pub ids: Option<Vec<DocumentId>>,
    /// Signatures in the legal sense that were judged.
    pub signatures: u64,
    /// Vaults whose copy is bad, and whose is as committed.
    pub bad: Vec<String>,
    pub good: Vec<String>,
}

/// One copy of a package being looked at.
pub(super) struct Look<'a> {
    pub subject: &'a Subject<'a>,
    pub keys: &'a Reigns,
    pub sealed: &'a Sealed,
    pub vault: &'a Arc<dyn Vault>,
    pub place: Place,
    /// The entry up to which the chain says this vault has its files.
    through: Option<u64>,
    seen: Seen,
}

/// What was seen of one copy.
struct Seen {
    findings: Vec<Finding>,
    /// Every file was there to be read.
    read: bool,
    /// Every file is as committed.
    good: bool,
    /// It lacks what the chain does not say it has.
    behind: bool,
    bytes: u64,
    signatures: u64,
    inside: Option<Inside>,
}

/// What is inside.
#[derive(Default)]
struct Inside {
    documents: u64,
    numbers: Option<Held>,
    ids: Option<Vec<DocumentId>>,
}

/// Looks at every copy of one package, of an archive that had these keys, that is in one of these vaults. `progress` is told of every step's bytes.
///
/// What is inside is looked at in the first copy whose files are all as committed, which makes it true of every such copy; and,
/// to say what of it is bad, in each that is not.
pub(super) fn look(
    (subject, keys): (&Subject<'_>, &Reigns),
    vaults: &[&Arc<dyn Vault>],
    (sealed, holdings): (&Sealed, &Holdings),
    mode: Mode,
    recent: bool,
    progress: &mut dyn FnMut(u64),
) -> Looked {
    let mut copies: Vec<Look<'_>> = Vec::new();
    for vault in vaults {
        let name = Some(vault.name().to_owned());
        let place = Place { package: Some(sealed.package.clone()), vault: name, ..Place::default() };
        let through = holdings.through(&sealed.package, vault.id());
        let seen =
            Seen { findings: Vec::new(), read: true, good: true, behind: false, bytes: 0, signatures: 0, inside: None };
        let mut look = Look { subject, keys, sealed, vault, place, through, seen };
        match look.listed() {
            Ok(present) => look.files(&present, mode, progress),
            Err(error) => look.failed(&error, None),
        }
        if look.seen.behind {
            look.say(Finding::new(Code::CopyBehind, look.place.clone(), ""));
        }
        look.seen.good &= look.seen.read;
        copies.push(look);
    }
    let inside = copies.iter().position(|copy| copy.seen.good);
    let inside = inside.or_else(|| copies.iter().position(|copy| copy.seen.read || copy.seen.bytes > 0));
    let mut all = Looked { whole: true, ..Looked::default() };
    for (n, mut copy) in copies.into_iter().enumerate() {
        let bad = !copy.seen.good && (copy.seen.read || copy.seen.bytes > 0);
        if inside == Some(n) || bad && mode == Mode::Full {
            copy.inside(mode, recent);
        }
        let name = copy.vault.name().to_owned();
        if copy.seen.findings.iter().any(|finding| finding.outcome == Outcome::Bad) {
            all.bad.push(name);
        } else if copy.seen.good {
            all.good.push(name);
        }
        all.copies += u64::from(copy.seen.read);
        all.whole &= copy.seen.read;
        all.bytes += copy.seen.bytes;
        all.signatures += copy.seen.signatures;
        all.findings.append(&mut copy.seen.findings);
        if let Some(seen) = copy.seen.inside.filter(|_| inside == Some(n)) {
            (all.documents, all.numbers, all.ids) = (seen.documents, seen.numbers, seen.ids);
        }
    }
    all
}

impl Look<'_> {
    pub fn say(&mut self, finding: Finding) {
        if self.seen.findings.len() < MAX_FINDINGS {
            self.seen.findings.push(finding);
        } else if let Some(milder) = self.seen.findings.iter_mut().find(|kept| kept.outcome < finding.outcome) {
            *milder = finding;
        }
    }

    pub fn bad(&mut self, code: Code, file: &str, detail: &str) {
        self.seen.good = false;
        self.say(Finding::new(code, self.place.in_file(file), detail));
    }

    /// A signature was judged.
    pub fn signed(&mut self) {
        self.seen.signatures += 1;
    }

    pub fn bad_document(&mut self, code: Code, file: &str, id: DocumentId, detail: &str) {
        self.say(Finding::new(code, self.place.in_file(file).of_document(id), detail));
    }

    /// What stopped a look: damage as what it is; anything else means that it could not be looked at.
    pub fn failed(&mut self, error: &Error, file: Option<&str>) {
        let place = file.map_or_else(|| self.place.clone(), |file| self.place.in_file(file));
        let finding = match error.code.kind() {
            // A reader of another room refuses what a deposit would be refused for: here it is damage.
            Kind::Damage | Kind::Finding => {
                self.seen.good = false;
                Finding::of_error(error, place)
            }
            _ if Outcome::of_error(error) == Outcome::Unchecked => {
                self.seen.read = false;
                let detail = format!("{}: {}", error.code.as_str(), error.detail);
                Finding {
                    next: error.next_step(crate::error::Lang::En).to_owned(),
                    ..Finding::new(Code::NotLookedAt, place, &detail)
                }
            }
            _ => Finding::new(Code::ContentAltered, place, &format!("{}: {}", error.code.as_str(), error.detail)),
        };
        self.say(finding);
    }

    /// A finding of the package's own reader, whose place is a path inside the package, a frame, or a member's id.
    pub fn reader_says(&mut self, seen: &Said, file: &str) {
        let (member_id, kind) = match member::Member::from_path(&seen.place) {
            Some(member) => (Some(member.id), Some(member.kind)),
            None => (seen.place.parse::<DocumentId>().ok().map(|id| id.0), None),
        };
        let document =
            member_id.filter(|_| !kind.is_some_and(|k| !matches!(k, member::Kind::Document | member::Kind::Metadata)));
        let mut place = self.place.in_file(file);
        place.document = document.map(DocumentId);
        let detail = seen.message.strip_prefix(seen.code.text(crate::error::Lang::En)).unwrap_or(&seen.message);
        let detail = detail.trim_start_matches([':', ' ']);
        let position = seen.place.strip_prefix(file).unwrap_or(&seen.place).trim();
        let detail = if position.is_empty() { detail.to_owned() } else { format!("{position}: {detail}") };
        self.say(Finding::new(seen.code, place, &detail));
    }

    /// The files in the package's folder: everything the chain names, nothing besides. Gives those that can be read.
    fn listed(&mut self) -> Result<Vec<FileFacts>> {
        let vault = self.vault;
        if !vault.exists(&self.sealed.package)? {
            self.seen.read = false;
            match self.through {
                Some(_) => self.say(Finding::new(Code::PackageMissing, self.place.clone(), "")),
                None => self.seen.behind = true,
            }
            return Ok(Vec::new());
        }
        let found = vault.list_files(&self.sealed.package)?;
        let mut present = Vec::new();
        for expected in &self.sealed.object.files {
            match found.iter().find(|file| file.name == expected.name) {
                None => {
                    self.seen.read = false;
                    if self.through >= Some(self.sealed.given_by(&expected.name)) {
                        self.bad(Code::PackageFileMissing, &expected.name, "");
                    } else {
                        self.seen.behind = true;
                    }
                }
                Some(file) if !file.regular => {
                    self.seen.read = false;
                    self.bad(Code::PackageFileAltered, &expected.name, "not a plain file");
                }
                Some(file) => {
                    if file.bytes != expected.length {
                        let detail = format!("{} bytes instead of {}", file.bytes, expected.length);
                        self.bad(Code::PackageFileAltered, &expected.name, &detail);
                    }
                    if file.mode & 0o222 != 0 {
                        let place = self.place.in_file(&expected.name);
                        self.say(Finding::note(Code::ModeBits, place, &format!("mode {:04o}", file.mode)));
                    }
                    present.push(expected.clone());
                }
            }
        }
        for file in found.iter().filter(|file| self.sealed.file(&file.name).is_none()) {
            if !self.is_being_renewed(&file.name) && !self.is_being_copied(&file.name) {
                self.bad(Code::PackageForeign, &file.name, "");
            }
        }
        for (name, expected) in [(PINDEX, self.sealed.object.pindex), (NUMBERS, self.sealed.object.numbers.sha256)] {
            if self.sealed.file(name).is_none_or(|file| file.sha256 != expected) {
                self.bad(Code::ChainAltered, name, "the package's entry contradicts itself about this file");
            }
        }
        for name in [CONTENT, TOC].iter().filter(|name| self.sealed.file(name).is_none()) {
            self.bad(Code::PackageFileMissing, name, "the package's entry does not list it");
        }
        Ok(present)
    }

    /// Whether a file is of the next generation of evidence, which the chain does not name yet: a renewal is under way, or
    /// was committed after this check had read the chain.
    fn is_being_renewed(&self, name: &str) -> bool {
        let next = self.sealed.generations().saturating_add(1);
        // The vault copies under a hidden name first.
        let hidden = name.strip_prefix("evidence/.").and_then(|rest| rest.strip_suffix(".making"));
        let whole = hidden.map(|name| format!("evidence/{name}"));
        if generation_of(whole.as_deref().unwrap_or(name)) != Some(next) {
            return false;
        }
        let staging = std::fs::read_dir(self.subject.root.join("staging"));
        let staged = staging.into_iter().flatten().flatten().any(|one| is_staging(&one.file_name().to_string_lossy()));
        staged || sealed::generations_now(self.subject.root, &self.sealed.package) >= next
    }

    /// Whether it is one of the package's files on its way in, under the hidden name it has until it is whole.
    fn is_being_copied(&self, name: &str) -> bool {
        let (above, last) = name.rsplit_once('/').map_or(("", name), |(above, last)| (above, last));
        let plain = last.strip_prefix('.').and_then(|rest| rest.strip_suffix(".making"));
        let whole = |plain: &str| if above.is_empty() { plain.to_owned() } else { format!("{above}/{plain}") };
        plain.is_some_and(|plain| self.sealed.file(&whole(plain)).is_some())
    }

    fn files(&mut self, present: &[FileFacts], mode: Mode, progress: &mut dyn FnMut(u64)) {
        for expected in present {
            let altered = match self.hash(expected, mode, progress) {
                Ok(altered) => altered,
                Err(error) => {
                    self.failed(&error, Some(&expected.name));
                    continue;
                }
            };
            if let Some(what) = altered {
                self.bad(Code::PackageFileAltered, &expected.name, &what);
            }
        }
    }

    /// Reads a file to its end; what differs from the chain's word, if anything.
    fn hash(&mut self, expected: &FileFacts, mode: Mode, progress: &mut dyn FnMut(u64)) -> Result<Option<String>> {
        // One byte too many is enough to know: a file made longer (or sparse) must not keep the check busy for days.
        let mut file = self.vault.open(&self.sealed.package, &expected.name)?.take(expected.length + 1);
        let mut buffer = vec![0; STEP];
        let mut quick = blake3::Hasher::new();
        let mut full = Hasher::new();
        let mut bytes = 0;
        loop {
            let n = file.read(&mut buffer).at(&expected.name)?;
            if n == 0 {
                break;
            }
            match mode {
                Mode::Quick => drop(quick.update(&buffer[..n])),
                Mode::Full | Mode::Legibility => full.update(&buffer[..n]),
            }
            bytes += n as u64;
            progress(n as u64);
        }
        self.seen.bytes += bytes;
        let wanted = Digests { bytes: expected.length, sha256: expected.sha256, blake3: expected.blake3 };
        Ok(match mode {
            Mode::Quick if *quick.finalize().as_bytes() == wanted.blake3.0 => None,
            Mode::Quick => Some("BLAKE3".to_owned()),
            Mode::Full | Mode::Legibility => differences(&wanted, &full.finish()),
        })
    }

    fn inside(&mut self, mode: Mode, recent: bool) {
        let files = Arc::new(VaultFiles::new(Arc::clone(self.vault), self.sealed.package.clone()));
        let package = match Package::open(files.clone()) {
            Ok(package) => package,
            Err(error) => {
                self.stopped(&error, if error.place == CONTENT { CONTENT } else { TOC });
                // The table is derivable: a full check goes on without it, so that documents are still judged one by one.
                match Package::open_deriving(files) {
                    Ok(package) if mode == Mode::Full => package,
                    _ => return,
                }
            }
        };
        let mut seen = Inside::default();
        match package.numbers() {
            Ok(numbers) => {
                if numbers.summary() != self.sealed.object.numbers {
                    self.bad(Code::NumbersDisagree, NUMBERS, "not the numbers the chain sums up");
                }
                seen.numbers = Some(Held::new(self.sealed.package.clone(), recent, &numbers));
                if mode == Mode::Full {
                    let (documents, agents) = content::verify(self, &package, &numbers);
                    seen.documents = documents;
                    signature::verify(self, &package, &agents);
                    evidence::verify(self, &package);
                }
            }
            Err(error) => self.stopped(&error, NUMBERS),
        }
        let documents = package.toc().iter().filter(|record| record.kind == member::Kind::Document);
        let ids: Vec<DocumentId> = documents.map(|record| DocumentId(record.id)).collect();
        if ids.len() as u64 != self.sealed.object.documents {
            let detail = format!("{} documents, the chain counts {}", ids.len(), self.sealed.object.documents);
            self.bad(Code::TocDisagrees, TOC, &detail);
        }
        seen.ids = Some(ids);
        self.seen.inside = Some(seen);
    }

    /// A part that could not be opened. A missing file was said already, by its right name.
    pub fn stopped(&mut self, error: &Error, file: &str) {
        if error.code != Code::FileMissing {
            self.failed(error, Some(file));
        }
    }
}

fn differences(wanted: &Digests, found: &Digests) -> Option<String> {
    let mut what = Vec::new();
    if wanted.bytes != found.bytes {
        what.push("length");
    }
    if wanted.sha256 != found.sha256 {
        what.push("SHA-256");
    }
    if wanted.blake3 != found.blake3 {
        what.push("BLAKE3");
    }
    (!what.is_empty()).then(|| format!("{} not as sealed", what.join(", ")))
}
