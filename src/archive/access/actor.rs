//! Who is asking, and whether they may.
//!
//! Invariant: an [`Actor`] exists only for a valid token or for the machine's own local token; `may` refuses whatever the
//! permission matrix and the token's classes do not allow.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::role::{Action, Role};
use super::state::PersonKind;
use crate::error::{Code, Error, Result};
use crate::id::{ClassId, PersonId, TokenId};

/// Somebody whose token was good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The person or system; nil for the local operator.
    pub who: PersonId,
    /// Person or system.
    pub kind: PersonKind,
    /// A system's name, as in `producers` of an agreement; never a person's.
    pub label: Option<String>,
    /// In which role.
    pub role: Role,
    /// Only these classes; none: all.
    pub classes: Option<BTreeSet<ClassId>>,
    /// The token's id; none for the local operator.
    pub token: Option<TokenId>,
}

impl Actor {
    /// Whoever can read the archive's `lock` file: an operator of the machine, not a person we know.
    pub fn local() -> Self {
        Self {
            who: PersonId(Uuid::nil()),
            kind: PersonKind::System,
            label: Some("local".to_owned()),
            role: Role::Operator,
            classes: None,
            token: None,
        }
    }

    /// Whether it may do this, to documents of this class where the action is about such.
    pub fn may(&self, action: Action, class: Option<&ClassId>) -> Result<()> {
        if !self.role.may(action) {
            let detail = format!("{:?} is not for the role {}", action, self.role);
            // The local operator lacks a person, not a role: say what helps.
            let code =
                if self.token.is_none() && action.needs_person() { Code::PersonNeeded } else { Code::RoleForbidden };
            return Err(Error::new(code, detail));
        }
        if action.needs_person() {
            self.as_person()?;
        }
        match (&self.classes, class) {
            (Some(classes), Some(class)) if !classes.contains(class) => {
                Err(Error::new(Code::ClassForbidden, format!("class {class}")))
            }
            (Some(_), None) if action.is_of_class() => {
                Err(Error::new(Code::ClassForbidden, "this token is limited to classes; name one"))
            }
            _ => Ok(()),
        }
    }

    /// The person, for acts that a system cannot make.
    pub fn as_person(&self) -> Result<PersonId> {
        match self.kind {
            PersonKind::Person => Ok(self.who),
            PersonKind::System => Err(Error::new(Code::PersonNeeded, "")),
        }
    }

    /// Whether this and that are two different persons: what an approval needs. A system is nobody's other person.
    pub fn is_another_person_than(&self, other: PersonId) -> bool {
        self.kind == PersonKind::Person && self.who != other
    }

    /// What receipts and manifests call the producer: a system's label, else the random id.
    pub fn producer(&self) -> String {
        self.label.clone().unwrap_or_else(|| self.who.to_string())
    }
}
