//! The controls of a deposit: each is listed with its outcome, none stops at the first finding.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::{Archive, Controlled, Deposit, File, Unpacked};
use crate::archive::access::Actor;
use crate::document::class::Class;
use crate::document::reader::{Parts, ReaderKind};
use crate::document::{self, Metadata};
use crate::error::{Code, Control, ControlOutcome, Finding, Result};
use crate::intake::manifest::Replay;

/// Longest file name kept, in characters.
const MAX_NAME: usize = 255;

impl Archive {
    /// Makes every control of a deposit whose class is known.
    pub(super) fn control(
        &self,
        actor: &Actor,
        mut deposit: Deposit,
        (class, classes): (Arc<Class>, Vec<Arc<Class>>),
        agreement: String,
        received_at: Timestamp,
        replay: Replay,
    ) -> Result<Controlled> {
        let mut controls = vec![
            Control::new("credentials", ControlOutcome::Positive),
            Control::new("agreement", ControlOutcome::Positive),
            Control::new("class-enabled", ControlOutcome::Positive),
            Control::new("duplicate-key", ControlOutcome::Positive),
            Control::of("declared-files", &deposit.findings),
        ];
        let mut findings: Vec<(usize, Finding)> =
            std::mem::take(&mut deposit.findings).into_iter().map(|f| (0, f)).collect();

        let mut placed = |control: &str, found: Vec<(usize, Finding)>| {
            controls.push(Control::of(control, &found.iter().map(|(_, f)| f.clone()).collect::<Vec<_>>()));
            findings.extend(found);
        };
        placed("names", names(&deposit));
        placed("content-present", empty(&deposit, &classes));
        placed("metadata-channel", metadata_channel(&deposit, &classes));
        let declared: Vec<_> = deposit.files.iter().enumerate().filter(|(_, file)| file.declared.is_some()).collect();
        if declared.is_empty() {
            controls.push(Control::new("declared-digest", ControlOutcome::NotExecuted));
        } else {
            let arrived = |file: &File| file.unpacked.archive().unwrap_or(file.spooled.digests().sha256);
            let wrong = declared.iter().filter(|(_, file)| file.declared != Some(arrived(file)));
            let found =
                wrong.map(|(n, _)| (*n, Finding::error(Code::DigestMismatch, place(&deposit, *n), ""))).collect();
            placed("declared-digest", found);
        }

        let mut understood = Vec::with_capacity(deposit.files.len());
        let holder = self.holder_codes();
        for (file, class) in deposit.files.iter().zip(&classes) {
            let body = file.spooled.body()?;
            if let Unpacked::Refused(_, found) = &file.unpacked {
                understood.push(not_understood(&body, &file.name, found)?);
                continue;
            }
            let _turn = self.readers.turn();
            let context = document::Context::new(&self.trust, received_at).held_by(&holder);
            let mut one = document::understand(class, &body, &file.name, &file.metadata, &context)?;
            let (control, found) = self.malware_control(class, &body);
            file.unpacked.tell(class, &mut one);
            one.controls.push(control);
            one.findings.extend(found);
            self.aggregation_control(class, &mut one)?;
            understood.push(one);
        }
        if deposit.files.is_empty() {
            findings.push((0, Finding::error(Code::BodyEmpty, "deposit", "no file")));
        }
        findings.extend(incomplete(&deposit, &classes));
        Ok(Controlled {
            actor: actor.clone(),
            agreement,
            class,
            classes,
            received_at,
            deposit,
            replay,
            controls,
            findings,
            understood,
        })
    }
}

impl Archive {
    /// What is kept because it carries malware is not looked at for malware: it is never unpacked.
    fn malware_control(&self, class: &Class, body: &document::Body) -> (Control, Vec<Finding>) {
        if class.id.as_str() == "pec-virus" {
            return (Control::new(document::malware::CONTROL, ControlOutcome::NotExecuted), Vec::new());
        }
        document::malware::control(self.malware.as_deref(), body)
    }
}

/// An archive that is refused: what is wrong with it, and nothing of what is in it.
fn not_understood(body: &document::Body, name: &str, found: &[Finding]) -> Result<document::Understood> {
    let format = document::format::recognise(&body.head(document::format::HEAD)?, name);
    let controls =
        vec![Control::of("archive-expanded", found), Control::new("content-read", ControlOutcome::NotExecuted)];
    let (metadata, origins) = Default::default();
    Ok(document::Understood { format, metadata, origins, findings: found.to_vec(), controls })
}

/// The place of a file: its position, never its name.
pub(super) fn place(deposit: &Deposit, n: usize) -> String {
    if deposit.files.len() == 1 { "body".to_owned() } else { format!("file {}", n + 1) }
}

/// Characters that make a name look like another: those that turn the direction of the text (`fattura\u{202e}fdp.exe`), those
/// that are not shown, and tags (Unicode technical report 36, section 2.5).
fn deceives(c: char) -> bool {
    matches!(c,
        '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn names(deposit: &Deposit) -> Vec<(usize, Finding)> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for (n, file) in deposit.files.iter().enumerate() {
        let place = place(deposit, n);
        let length = file.name.chars().count();
        if length == 0 || length > MAX_NAME || file.name.chars().any(char::is_control) {
            found.push((n, Finding::error(Code::NameInvalid, &place, format!("{length} characters"))));
        } else if file.name.contains(['/', '\\']) || file.name == "." || file.name == ".." {
            // No path is ever made of a name, so it can be kept as the text it is.
            found.push((n, Finding::warning(Code::NameHostile, &place, "")));
        }
        if file.name.chars().any(deceives) {
            found.push((n, Finding::warning(Code::NameDeceptive, &place, "")));
        }
        if !seen.insert(&file.name) {
            found.push((n, Finding::error(Code::PartDuplicate, place, "")));
        }
    }
    found
}

fn empty(deposit: &Deposit, classes: &[Arc<Class>]) -> Vec<(usize, Finding)> {
    let files = deposit.files.iter().zip(classes).enumerate();
    // A day without traffic has an empty log.
    let empty =
        files.filter(|(_, (file, class))| file.spooled.digests().bytes == 0 && class.reader != ReaderKind::PecLog);
    empty.map(|(n, _)| (n, Finding::error(Code::BodyEmpty, place(deposit, n), ""))).collect()
}

/// Subjects whose identification is begun in this deposit and not complete with it; one document alone is the beginning
/// of a file that others complete.
fn incomplete(deposit: &Deposit, classes: &[Arc<Class>]) -> Vec<(usize, Finding)> {
    if deposit.files.len() < 2 {
        return Vec::new();
    }
    let mut subjects: BTreeMap<&str, (usize, Parts)> = BTreeMap::new();
    let of_class = |class: &Class| class.reader == ReaderKind::IdentityDocument;
    for (n, (file, _)) in deposit.files.iter().zip(classes).enumerate().filter(|(_, (_, class))| of_class(class)) {
        let text = |name: &str| file.metadata.get(name).and_then(serde_json::Value::as_str);
        let Some(practice) = text("practice") else { continue };
        subjects.entry(practice).or_insert((n, Parts::default())).1.note(text("part"), text("side"));
    }
    let missing = subjects.into_values().filter(|(_, parts)| !parts.missing().is_empty());
    let told = |(n, parts): (usize, Parts)| {
        let detail = format!("not in this deposit: {}", parts.missing().join(", "));
        (n, Finding::warning(Code::IdentityIncomplete, place(deposit, n), detail))
    };
    missing.map(told).collect()
}

fn metadata_channel(deposit: &Deposit, classes: &[Arc<Class>]) -> Vec<(usize, Finding)> {
    let given = deposit.files.iter().any(|file: &File| file.metadata != Metadata::new());
    if classes.iter().any(|class| class.personal) && deposit.metadata_in_url && given {
        return vec![(0, Finding::error(Code::MetadataInUrl, "query", ""))];
    }
    Vec::new()
}
