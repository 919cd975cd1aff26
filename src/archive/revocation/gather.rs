//! The job: looks again at unsealed documents that lack revocation data, and asks for what is missing.
//!
//! Invariants: each certificate is asked about once in a run; what does not answer is left alone for a while; a run ends after
//! its time, with what it has; what one document brought speaks of the signers of all others, whichever came first, for a list names
//! every certificate that its issuer revoked; addresses are asked only for certificates whose chain leads to an anchor, so that nobody who merely
//! signs something makes the archive ask anything.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::store::Question;
use super::{Archive, is_revoked, lacks};
use crate::archive::state::unpoisoned;
use crate::catalog::Catalog as _;
use crate::error::{Code, Result};
use crate::evidence::revocation::accept::accept;
use crate::evidence::revocation::{Material, Status, look, request, sources};
use crate::evidence::verdict::SignatureReport;
use crate::evidence::x509::Certificate;
use crate::id::DocumentId;

/// How long a run may take: closing runs follow it.
const BUDGET: Duration = Duration::from_secs(60);
/// Documents looked at in one run; the others have their turn after ten seconds.
const MOST: usize = 5_000;
/// How long a host that does not answer, a question that had no good answer, and a document that still lacks something rest.
const REST: SignedDuration = SignedDuration::from_mins(10);
/// Questions and hosts remembered as resting.
const MOST_RESTING: usize = 4_096;

/// What a run has gathered so far.
#[derive(Default)]
pub(in crate::archive) struct Run {
    /// Lists and answers.
    pub(super) material: Material,
    /// Pairs of certificate and issuer already seen to.
    seen: HashSet<Question>,
}

/// Unsealed documents that lack revocation data.
pub(in crate::archive) struct Expiring {
    /// When the first certificate of each expires.
    pub listed: Vec<(Timestamp, DocumentId)>,
    /// How many are not listed.
    pub more: usize,
}

impl Archive {
    /// Asks for what unsealed documents lack, and of the archive's own signer. Never an error: what could not be had is lacking, and tried again.
    pub(in crate::archive) fn gather_revocation(&self) {
        self.look_at_signer();
        if self.revocation.fetcher.is_off() {
            return;
        }
        let started = Instant::now();
        let mut run = Run::default();
        let mut looked_at: Vec<(DocumentId, usize)> = Vec::new();
        for id in self.revocation.waiting.due(self.clock.now(), MOST) {
            if started.elapsed() > BUDGET || self.is_ending() {
                break;
            }
            if let Err(error) = self.look_again(id, &mut run, true) {
                tracing::warn!(code = error.code.as_str(), document = %id, detail = %error.detail, "revocation not looked at");
            }
            self.rest(id);
            looked_at.push((id, run.material.len()));
        }
        // A later document may have brought the very list that an earlier one lacked.
        for (id, known) in looked_at {
            if self.is_ending() || started.elapsed() > BUDGET {
                return;
            }
            if known < run.material.len() && self.revocation.waiting.waits(id) {
                let again = self.judged(id, &run.material).map(|reports| self.note(id, &reports));
                if let Err(error) = again {
                    tracing::warn!(code = error.code.as_str(), document = %id, detail = %error.detail, "revocation not looked at");
                }
            }
        }
    }

    /// Puts what is at hand for the signatures of a document into the run's material; nobody is asked.
    pub(super) fn collect(&self, id: DocumentId, run: &mut Run) -> Result<()> {
        for report in self.judged(id, &run.material)?.iter().filter(|report| lacks(report)) {
            self.obtain(report, run, false)?;
        }
        Ok(())
    }

    /// The signatures of an unsealed document, judged by what was gathered; none when it is not there any more.
    pub(super) fn judged(&self, id: DocumentId, gathered: &Material) -> Result<Vec<SignatureReport>> {
        match self.unsealed.locate(id)? {
            Some(row) => self.judged_again(&row, gathered),
            None => Ok(Vec::new()),
        }
    }

    /// Remembers what is lacking of a document, and whether a signer of it was revoked.
    pub(super) fn note(&self, id: DocumentId, reports: &[SignatureReport]) {
        let waiting = &self.revocation.waiting;
        if reports.iter().any(is_revoked) {
            waiting.note_revoked(id);
        }
        let expires = |report: &SignatureReport| Some(report.path.as_ref()?.first()?.not_after);
        match reports.iter().filter(|report| lacks(report)).filter_map(expires).min() {
            Some(expires) => waiting.note(id, expires),
            None => waiting.lacks_nothing(id),
        }
    }

    /// Unsealed documents that lack revocation data and whose certificates expire between these instants. Each is looked at again
    /// first, by what is kept: a process that has just started knows only what the receipts say.
    pub(in crate::archive) fn expiring_without_revocation(
        &self,
        from: Timestamp,
        to: Timestamp,
        most: usize,
    ) -> Expiring {
        let mut run = Run::default();
        for (_, id) in self.revocation.waiting.expiring(from, to).into_iter().take(most) {
            if self.revocation.waiting.is_unseen(id)
                && let Err(error) = self.look_again(id, &mut run, false)
            {
                tracing::warn!(code = error.code.as_str(), document = %id, detail = %error.detail, "revocation not looked at");
            }
        }
        let mut listed = self.revocation.waiting.expiring(from, to);
        let more = listed.len().saturating_sub(most);
        listed.truncate(most);
        Expiring { listed, more }
    }

    /// What nobody needs any more goes.
    pub(in crate::archive) fn tidy_revocation(&self) -> Result<()> {
        self.revocation.store.tidy(self.clock.now())
    }

    /// Looks at an unsealed document again, by what is kept and, with `asking`, by what is asked for.
    fn look_again(&self, id: DocumentId, run: &mut Run, asking: bool) -> Result<()> {
        let mut reports = self.judged(id, &run.material)?;
        if reports.iter().any(lacks) {
            for report in reports.iter().filter(|report| lacks(report)) {
                self.obtain(report, run, asking)?;
            }
            reports = self.judged(id, &run.material)?;
        }
        self.note(id, &reports);
        Ok(())
    }

    fn rest(&self, id: DocumentId) {
        self.revocation.waiting.rest(id, self.clock.now().saturating_add(REST).unwrap_or(Timestamp::MAX));
    }

    /// Puts what is kept or answered of every certificate of a path but the anchor into the run's material.
    fn obtain(&self, report: &SignatureReport, run: &mut Run, asking: bool) -> Result<()> {
        let (Some(path), Some(at)) = (&report.path, report.reference) else { return Ok(()) };
        self.obtain_path(path, at.at, run, asking)
    }

    /// As [`Archive::obtain`], for a path that ends at an anchor, as of an instant.
    pub(super) fn obtain_path(&self, path: &[Certificate], at: Timestamp, run: &mut Run, asking: bool) -> Result<()> {
        for pair in path.windows(2) {
            let [certificate, issuer] = pair else { continue };
            let known = |material: &Material| {
                !matches!(look(certificate, issuer, &[self.trust.revocation(), material], at).0, Status::Unknown)
            };
            if known(&run.material) || !run.seen.insert(Question::answer(certificate, issuer)) {
                continue;
            }
            self.kept(certificate, issuer, &mut run.material)?;
            if asking && !known(&run.material) {
                self.ask(certificate, issuer, &mut run.material)?;
            }
        }
        Ok(())
    }

    /// What earlier questions brought.
    fn kept(&self, certificate: &Certificate, issuer: &Certificate, material: &mut Material) -> Result<()> {
        let lists = sources::lists(certificate).into_iter().map(|url| Question::list(&url, issuer));
        for question in std::iter::once(Question::answer(certificate, issuer)).chain(lists) {
            if let Some(der) = self.revocation.store.read(&question)? {
                // What somebody spoiled is as if it were not there: it will be asked for again.
                let _ = material.add(&der);
            }
        }
        Ok(())
    }

    /// Asks the responders, which are quick, then for the lists, until one answers well.
    fn ask(&self, certificate: &Certificate, issuer: &Certificate, material: &mut Material) -> Result<()> {
        let now = self.clock.now();
        // Its authority no longer says: lists forget what has expired.
        if certificate.not_after < now {
            return Ok(());
        }
        let fetcher = &self.revocation.fetcher;
        let responders = sources::responders(certificate).into_iter();
        let responders = responders.map(|url| (Question::answer(certificate, issuer), url, true));
        let lists = sources::lists(certificate).into_iter();
        let lists = lists.map(|url| (Question::list(&url, issuer), url, false));
        for (question, url, is_responder) in responders.chain(lists) {
            if !fetcher.may_ask(&url) || self.is_ending() {
                continue;
            }
            let host = url[..url::Position::BeforePath].to_owned();
            if self.rests(&host, now) || self.rests(question.as_str(), now) {
                continue;
            }
            let reply = match is_responder {
                true => request(certificate, issuer).and_then(|request| fetcher.answer(&url, request)),
                false => fetcher.list(&url),
            };
            let accepted = reply.and_then(|bytes| accept(&bytes, certificate, issuer, now).map_err(|e| e.at(&host)));
            match accepted {
                Ok(accepted) => {
                    self.revocation.store.keep(&question, accepted.item.der())?;
                    metrics::counter!("custode_revocation_answers_total").increment(1);
                    return material.add(accepted.item.der());
                }
                Err(error) => {
                    tracing::warn!(code = error.code.as_str(), place = %error.place, detail = %error.detail, "no revocation data");
                    metrics::counter!("custode_revocation_failures_total").increment(1);
                    let quiet = if error.code == Code::RevocationDown { host } else { question.as_str().to_owned() };
                    self.quiet(quiet, now);
                }
            }
        }
        Ok(())
    }

    fn rests(&self, name: &str, now: Timestamp) -> bool {
        unpoisoned(self.revocation.quiet.lock()).get(name).is_some_and(|until| *until > now)
    }

    fn quiet(&self, name: String, now: Timestamp) {
        let mut resting = unpoisoned(self.revocation.quiet.lock());
        if resting.len() >= MOST_RESTING {
            resting.retain(|_, until| *until > now);
        }
        if resting.len() < MOST_RESTING {
            resting.insert(name, now.saturating_add(REST).unwrap_or(now));
        }
    }
}
