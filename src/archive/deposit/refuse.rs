//! Refusal: signed, kept without content or name, counted; too many of the same object and it is blocked.

use jiff::Timestamp;

use super::accept::depositor;
use super::{Answer, Archive, Controlled, Deposit};
use crate::archive::access::Actor;
use crate::archive::config::Profile;
use crate::error::{Code, Control, ControlOutcome, Error, Finding, Result, problem_members};
use crate::id::RefusalId;
use crate::intake::receipt::ENGINE;
use crate::intake::refusal::{Limit, ObjectKey, Refused, RefusedItem, view};

/// What a refusal without class or agreement is filed under.
const NO_AGREEMENT: &str = "none";

impl Archive {
    /// Refuses a deposit whose controls were made.
    pub(super) fn refuse(&self, controlled: Controlled, object: ObjectKey, limit: u32) -> Result<Answer> {
        let Controlled { actor, agreement, class, received_at, deposit, controls, findings, understood, .. } =
            controlled;
        let names: Vec<String> = deposit.files.iter().map(|file| file.name.clone()).collect();
        let items = deposit.files.iter().zip(understood).enumerate().map(|(n, (file, understood))| RefusedItem {
            bytes: file.spooled.digests().bytes,
            sha256: file.spooled.digests().sha256,
            media_type: Some(understood.format.media_type),
            controls: understood.controls,
            findings: findings
                .iter()
                .filter(|(of, _)| *of == n)
                .map(|(_, f)| f.clone())
                .chain(understood.findings)
                .collect(),
        });
        let documents: Vec<RefusedItem> = items.collect();
        let own = if documents.is_empty() { findings.into_iter().map(|(_, f)| f).collect() } else { Vec::new() };
        let refused = Refused {
            class: Some((class.id.clone(), class.version)),
            controls,
            findings: own,
            documents,
            ..self.refused(&actor, &deposit, received_at, &agreement, object)
        };
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        self.answer_refusal(refused.without_names(&names), limit)
    }

    /// Refuses a deposit before its documents are looked at: no such class, no agreement.
    pub(super) fn refuse_early(
        &self,
        actor: &Actor,
        deposit: &Deposit,
        received_at: Timestamp,
        agreement: Option<&str>,
        finding: Finding,
    ) -> Result<Answer> {
        let agreement = agreement.unwrap_or(NO_AGREEMENT);
        let key = deposit.idempotency_key.as_deref();
        let object = ObjectKey::of(&self.replay_key, agreement, key, &deposit.body.sha256);
        self.refusals.admit(&object)?;
        let control = if finding.code == Code::ClassUnknown { "class-enabled" } else { "agreement" };
        let refused = Refused {
            controls: vec![
                Control::new("credentials", ControlOutcome::Positive),
                Control::of(control, std::slice::from_ref(&finding)),
                Control::new("content-read", ControlOutcome::NotExecuted),
            ],
            findings: vec![finding],
            ..self.refused(actor, deposit, received_at, agreement, object)
        };
        if deposit.dry_run {
            return Err(
                Error::new(refused.findings[0].code, "the deposit would be refused").with_findings(refused.findings)
            );
        }
        self.answer_refusal(refused, self.config.intake.max_refusals)
    }

    fn refused(
        &self,
        actor: &Actor,
        deposit: &Deposit,
        received_at: Timestamp,
        agreement: &str,
        object: ObjectKey,
    ) -> Refused {
        let now = crate::clock::truncate_ms(self.clock.now());
        Refused {
            refusal: RefusalId::new(now),
            refused_at: now,
            received_at,
            agreement: agreement.to_owned(),
            holder: self.holder_id(),
            producer: actor.producer(),
            depositor: depositor(actor),
            channel: deposit.channel,
            class: None,
            bytes: deposit.body.bytes,
            sha256: deposit.body.sha256,
            object,
            controls: Vec::new(),
            findings: Vec::new(),
            documents: Vec::new(),
            engine: ENGINE.to_owned(),
            trial: self.profile == Profile::Trial,
        }
    }

    fn answer_refusal(&self, refused: Refused, limit: u32) -> Result<Answer> {
        let signer = self.ledger.signer().renamed(&crate::intake::refusal::origin(&self.origin))?;
        let refusal = self.refusals.refuse(refused, Limit::new(limit)?, &signer)?;
        metrics::counter!("custode_deposits_refused_total").increment(1);
        let mut body = view(&refusal).to_string().into_bytes();
        body.push(b'\n');
        Ok(Answer { status: 422, body, location: Some(format!("/v1/refusals/{}", refusal.refused.refusal)) })
    }

    /// What the deposit would meet with.
    pub(super) fn dry_run(controlled: &Controlled) -> Result<Answer> {
        let acceptable = controlled.acceptable();
        let documents: Vec<serde_json::Value> = controlled
            .deposit
            .files
            .iter()
            .zip(&controlled.understood)
            .enumerate()
            .zip(&controlled.classes)
            .map(|((n, (file, understood)), class)| {
                let own = controlled.findings.iter().filter(|(of, _)| *of == n).map(|(_, f)| f);
                let findings: Vec<&Finding> = own.chain(&understood.findings).collect();
                let digests = file.spooled.digests();
                serde_json::json!({
                    "name": file.name, "bytes": digests.bytes, "sha256": digests.sha256, "blake3": digests.blake3,
                    "format": understood.format.media_type, "metadata": understood.metadata,
                    "findings": findings, "controls": understood.controls, "class": class.id,
                })
            })
            .collect();
        let mut body = serde_json::json!({
            "status": if acceptable { "acceptable" } else { "refused" }, "dry_run": true,
            "class": controlled.class.id, "class_version": controlled.class.version,
            "documents": documents, "controls": controlled.controls,
        });
        if !acceptable {
            let own = controlled.findings.iter().map(|(_, finding)| finding);
            for (key, value) in problem_members(own.chain(controlled.understood.iter().flat_map(|u| &u.findings))) {
                body[key] = value;
            }
        }
        let status = if acceptable { 200 } else { 422 };
        Ok(Answer { status, body: body.to_string().into_bytes(), location: None })
    }
}
