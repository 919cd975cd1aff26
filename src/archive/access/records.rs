//! What is appended to the records when persons and tokens change.
//!
//! Each function here only *makes* a record, after checking it against the state; the caller appends it to the ledger
//! (`append_record(kind, fields, personal)`) and folds the state anew. Invariant: what these make, `from_records` takes.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::role::Role;
use super::state::{Access, Person, PersonKind};
use super::token::Token;
use super::{PERSONS, TOKENS};
use crate::error::{Code, Error, Result};
use crate::hash::Sha256;
use crate::id::{ClassId, PersonId, TokenId};
use crate::retention::due::italian_day;

/// Longest name of a person.
const LONGEST_NAME: usize = 200;

/// A record to be appended.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRecord {
    /// `persons` or `tokens`.
    pub kind: &'static str,
    /// What the line says: nothing personal.
    pub fields: Map<String, Value>,
    /// What stands in the erasable side file.
    pub personal: Option<Map<String, Value>>,
}

/// Fields of a record of `persons`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum PersonOp {
    Add {
        person: PersonId,
        kind: PersonKind,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        label: Option<String>,
        roles: BTreeSet<Role>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<PersonId>,
    },
    Roles {
        person: PersonId,
        roles: BTreeSet<Role>,
        by: PersonId,
    },
    Delegate {
        person: PersonId,
        role: Role,
        from: Date,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Date>,
        by: PersonId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        act: Option<Sha256>,
    },
    End {
        person: PersonId,
        by: PersonId,
    },
}

/// Fields of a record of `tokens`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum TokenOp {
    Create {
        token: TokenId,
        person: PersonId,
        role: Role,
        sha256: Sha256,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        classes: Option<BTreeSet<ClassId>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires: Option<Timestamp>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<PersonId>,
    },
    Revoke {
        token: TokenId,
        by: PersonId,
    },
}

fn record(kind: &'static str, op: &impl Serialize, personal: Option<Map<String, Value>>) -> Result<NewRecord> {
    match serde_json::to_value(op) {
        Ok(Value::Object(fields)) => Ok(NewRecord { kind, fields, personal }),
        _ => Err(Error::new(Code::Internal, "a record that is not an object")),
    }
}

/// The personal part with these texts, leaving out what is empty; none when all are.
fn personal(parts: &[(&str, &str)]) -> Option<Map<String, Value>> {
    let given = parts.iter().filter(|(_, text)| !text.is_empty());
    let map: Map<String, Value> = given.map(|(key, text)| ((*key).to_owned(), (*text).into())).collect();
    (!map.is_empty()).then_some(map)
}

fn usage(detail: impl Into<String>) -> Error {
    Error::new(Code::Usage, detail)
}

/// A person or system to be added.
#[derive(Debug, Clone)]
pub struct NewPerson {
    /// Person or system.
    pub kind: PersonKind,
    /// A person's name (personal part), or what a system is for.
    pub name: String,
    /// A system's name in receipts and agreements; only for systems, who need one.
    pub label: Option<String>,
    /// Roles held until taken away.
    pub roles: BTreeSet<Role>,
}

/// A role to be given for a time.
#[derive(Debug, Clone)]
pub struct NewDelegation {
    /// To whom.
    pub person: PersonId,
    /// Which role.
    pub role: Role,
    /// First day.
    pub from: Date,
    /// Last day.
    pub until: Option<Date>,
    /// Functions and scope, in words (personal part: it may name people).
    pub scope: String,
    /// SHA-256 of the act.
    pub act: Option<Sha256>,
}

/// A token to be made.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// For whom.
    pub person: PersonId,
    /// In which role; one that the person holds.
    pub role: Role,
    /// Only these classes; none: all.
    pub classes: Option<BTreeSet<ClassId>>,
    /// Not valid from then on.
    pub expires: Option<Timestamp>,
}

/// Roles that act for people and cannot be a program's.
fn check_roles(kind: PersonKind, roles: &BTreeSet<Role>) -> Result<()> {
    let human = [Role::Holder, Role::Manager];
    match roles.iter().find(|role| kind == PersonKind::System && human.contains(role)) {
        Some(role) => Err(usage(format!("a system cannot be {role}; a person can"))),
        None => Ok(()),
    }
}

fn check_name(name: &str) -> Result<()> {
    if name.trim().is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(usage(format!("a name of 1 to {LONGEST_NAME} characters is needed")));
    }
    Ok(())
}

impl Access {
    fn known(&self, id: PersonId) -> Result<&Person> {
        self.person(id)
            .filter(|person| !person.ended)
            .ok_or_else(|| Error::new(Code::NotFound, "no such person").at(id))
    }

    /// Adds a person or system.
    pub fn add_person(&self, new: &NewPerson, by: Option<PersonId>, now: Timestamp) -> Result<(PersonId, NewRecord)> {
        check_roles(new.kind, &new.roles)?;
        check_name(&new.name)?;
        match (&new.label, new.kind) {
            (None, PersonKind::System) => return Err(usage("a system needs a label, as in posta-aziendale")),
            (Some(_), PersonKind::Person) => {
                return Err(usage("only a system has a label: a person's would be personal"));
            }
            (Some(label), PersonKind::System) => {
                label
                    .parse::<ClassId>()
                    .map_err(|_| usage("a label is 1 to 64 lower-case letters, digits and hyphens"))?;
                // For ever: an ended system's receipts still bear its label.
                if label == "local" || self.persons().any(|known| known.label.as_ref() == Some(label)) {
                    return Err(Error::new(Code::Usage, "the label is taken").at(label));
                }
            }
            (None, PersonKind::Person) => {}
        }
        let id = PersonId::new(now);
        let op = PersonOp::Add { person: id, kind: new.kind, label: new.label.clone(), roles: new.roles.clone(), by };
        Ok((id, record(PERSONS, &op, personal(&[("name", new.name.trim())]))?))
    }

    /// Gives a person other roles.
    pub fn set_roles(&self, id: PersonId, roles: BTreeSet<Role>, by: PersonId, now: Timestamp) -> Result<NewRecord> {
        check_roles(self.known(id)?.kind, &roles)?;
        if !roles.contains(&Role::Manager) {
            self.keep_a_manager(id, now)?;
        }
        record(PERSONS, &PersonOp::Roles { person: id, roles, by }, None)
    }

    /// Gives a person a role for a time.
    pub fn delegate(&self, new: &NewDelegation, by: PersonId) -> Result<NewRecord> {
        let person = self.known(new.person)?;
        check_roles(person.kind, &BTreeSet::from([new.role]))?;
        if new.until.is_some_and(|until| until < new.from) {
            return Err(usage("the delegation ends before it begins"));
        }
        let op = PersonOp::Delegate {
            person: new.person,
            role: new.role,
            from: new.from,
            until: new.until,
            by,
            act: new.act,
        };
        record(PERSONS, &op, personal(&[("scope", new.scope.trim())]))
    }

    /// A person or system no longer acts; its tokens die with it.
    pub fn end_person(&self, id: PersonId, reason: &str, by: PersonId, now: Timestamp) -> Result<NewRecord> {
        self.known(id)?;
        self.keep_a_manager(id, now)?;
        record(PERSONS, &PersonOp::End { person: id, by }, personal(&[("reason", reason.trim())]))
    }

    /// An archive without a manager could never get one again.
    fn keep_a_manager(&self, without: PersonId, now: Timestamp) -> Result<()> {
        let today = italian_day(now);
        // A delegated manager's days are counted: only one with the role for good keeps the door open.
        let others =
            self.persons().any(|person| person.id != without && !person.ended && person.roles.contains(&Role::Manager));
        let is_manager = self.person(without).is_some_and(|person| person.holds(Role::Manager, today));
        if is_manager && !others {
            return Err(usage("this is the last manager; add another first"));
        }
        Ok(())
    }

    /// Makes a token. It is in the answer and nowhere else.
    pub fn create_token(
        &self,
        new: &NewToken,
        by: Option<PersonId>,
        now: Timestamp,
    ) -> Result<(TokenId, Token, NewRecord)> {
        let person = self.known(new.person)?;
        // A delegation may begin later; the token works from then.
        let ever = person.roles.contains(&new.role) || person.delegations.iter().any(|d| d.role == new.role);
        if !ever {
            return Err(Error::new(Code::RoleForbidden, format!("that person does not hold the role {}", new.role)));
        }
        if new.classes.as_ref().is_some_and(BTreeSet::is_empty) {
            return Err(usage("a token limited to no class at all would be of no use"));
        }
        if new.expires.is_some_and(|expires| expires <= now) {
            return Err(usage("the token would already have expired"));
        }
        let (id, token) = (TokenId::new(now), Token::generate()?);
        let op = TokenOp::Create {
            token: id,
            person: new.person,
            role: new.role,
            sha256: token.digest(),
            classes: new.classes.clone(),
            expires: new.expires,
            by,
        };
        Ok((id, token, record(TOKENS, &op, None)?))
    }

    /// Takes a token back, at once and for ever.
    pub fn revoke_token(&self, id: TokenId, reason: &str, by: PersonId) -> Result<NewRecord> {
        match self.token(id) {
            Some(token) if !token.revoked => {}
            Some(_) => return Err(usage("the token is already revoked")),
            None => return Err(Error::new(Code::NotFound, "no such token").at(id)),
        }
        record(TOKENS, &TokenOp::Revoke { token: id, by }, personal(&[("reason", reason.trim())]))
    }
}

/// The first manager and the first token: what `custode init` appends right after genesis.
#[derive(Debug)]
pub struct Genesis {
    /// The manager.
    pub manager: PersonId,
    /// The manager's token, to be shown once.
    pub token: Token,
    /// To be appended in this order.
    pub records: Vec<NewRecord>,
}

/// Makes the first manager.
pub fn genesis(manager_name: &str, now: Timestamp) -> Result<Genesis> {
    let new = NewPerson {
        kind: PersonKind::Person,
        name: manager_name.to_owned(),
        label: None,
        roles: BTreeSet::from([Role::Manager]),
    };
    let (manager, person) = Access::default().add_person(&new, None, now)?;
    let state = Access::from_records([(&person.fields, person.personal.as_ref())], [])?;
    let new = NewToken { person: manager, role: Role::Manager, classes: None, expires: None };
    let (_, token, made) = state.create_token(&new, None, now)?;
    Ok(Genesis { manager, token, records: vec![person, made] })
}
