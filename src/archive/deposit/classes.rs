//! Which class each document of a deposit belongs to: the deposit's, its own where an archive was taken apart, or what its
//! content says where the depositor left it open.

use std::sync::Arc;

use super::{Archive, Deposit};
use crate::archive::access::{Action, Actor};
use crate::archive::state::unpoisoned;
use crate::document::auto_class;
use crate::document::class::Class;
use crate::error::{Code, Error, Finding, Result};
use crate::id::ClassId;

impl Archive {
    /// The class that is asked for or recognised; an unknown name comes back as the error.
    pub(super) fn class_of(&self, deposit: &Deposit) -> Result<std::result::Result<Arc<Class>, ClassId>> {
        let wanted = match deposit.class.as_deref() {
            Some(class) if class != "auto" => match class.parse() {
                Ok(class) => class,
                // Not even a name: `unknown` stands for it, so that nothing from outside gets into a record.
                Err(_) => "unknown".parse()?,
            },
            _ => match deposit.files.first() {
                Some(file) => match file.unpacked.class() {
                    Some(class) => class.clone(),
                    None => auto_class(&file.spooled.body()?, &file.name)?,
                },
                None => "generic".parse()?,
            },
        };
        let classes = unpoisoned(self.classes.read());
        Ok(classes.latest(&wanted).cloned().ok_or(wanted))
    }

    /// The class of each file; whoever deposits must be allowed to in every one, and have an agreement for it.
    pub(super) fn classes_of(
        &self,
        actor: &Actor,
        deposit: &Deposit,
        class: &Arc<Class>,
    ) -> Result<std::result::Result<Vec<Arc<Class>>, Finding>> {
        let open = matches!(deposit.class.as_deref(), None | Some("auto"));
        let known = unpoisoned(self.classes.read());
        let mut all = Vec::with_capacity(deposit.files.len());
        for (n, file) in deposit.files.iter().enumerate() {
            let own = match file.unpacked.class() {
                Some(own) => own.clone(),
                None if open && n > 0 => auto_class(&file.spooled.body()?, &file.name)?,
                None => class.id.clone(),
            };
            if own == class.id {
                all.push(Arc::clone(class));
                continue;
            }
            actor.may(Action::Deposit, Some(&own))?;
            let place = super::controls::place(deposit, n);
            let Some(own) = known.latest(&own) else {
                return Ok(Err(Finding::error(Code::ClassUnknown, place, "")));
            };
            if self.config.agreement(&actor.producer(), &own.id).is_none() {
                return Ok(Err(Finding::error(Code::NoAgreement, place, "")));
            }
            all.push(Arc::clone(own));
        }
        Ok(Ok(all))
    }

    /// Metadata are held in memory, for every document.
    pub(super) fn check_metadata(&self, deposit: &Deposit) -> Result<()> {
        let most = self.config.intake.max_metadata.0;
        let given =
            deposit.files.iter().map(|file| serde_json::to_vec(&file.metadata).map_or(0, |text| text.len() as u64));
        if given.sum::<u64>() > most {
            return Err(Error::new(Code::BodyTooLarge, format!("metadata have at most {most} bytes"))
                .at("metadata")
                .hint("see intake.max_metadata in custode.toml"));
        }
        Ok(())
    }
}
