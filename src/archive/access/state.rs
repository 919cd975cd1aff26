//! The state of persons and tokens, folded from their records, and authentication.
//!
//! Invariant: a record that does not make sense stops everything ([`Code::RecordAltered`]); it is never skipped, since a
//! skipped revocation would open a door.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use super::actor::Actor;
use super::records::{PersonOp, TokenOp};
use super::role::Role;
use super::token::{Token, bearer};
use super::{PERSONS, TOKENS};
use crate::error::{Code, Error, Result};
use crate::hash::Sha256;
use crate::id::{ClassId, PersonId, TokenId};
use crate::retention::due::italian_day;

/// A natural person, or a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PersonKind {
    /// A natural person.
    Person,
    /// A program that deposits or reads.
    System,
}

/// A role given for a time, with the act that founds it (it also stands in the manual).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegation {
    /// The role.
    pub role: Role,
    /// First day.
    pub from: Date,
    /// Last day; none: until ended.
    pub until: Option<Date>,
    /// Who gave it.
    pub by: PersonId,
    /// SHA-256 of the act.
    pub act: Option<Sha256>,
}

/// A person or system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Random id.
    pub id: PersonId,
    /// Person or system.
    pub kind: PersonKind,
    /// A system's name.
    pub label: Option<String>,
    /// A person's name; none when it was erased.
    pub name: Option<String>,
    /// Roles held until taken away.
    pub roles: BTreeSet<Role>,
    /// Roles held for a time.
    pub delegations: Vec<Delegation>,
    /// No longer acts.
    pub ended: bool,
}

impl Person {
    /// Whether it holds the role on this day.
    pub fn holds(&self, role: Role, on: Date) -> bool {
        let delegated = |d: &Delegation| d.role == role && d.from <= on && d.until.is_none_or(|until| on <= until);
        !self.ended && (self.roles.contains(&role) || self.delegations.iter().any(delegated))
    }
}

/// A token as it is known: everything but the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedToken {
    /// Its id.
    pub id: TokenId,
    /// Whose.
    pub person: PersonId,
    /// In which role it acts.
    pub role: Role,
    /// SHA-256 of the token.
    pub sha256: Sha256,
    /// Only these classes; none: all.
    pub classes: Option<BTreeSet<ClassId>>,
    /// Not valid from then on.
    pub expires: Option<Timestamp>,
    /// Taken back.
    pub revoked: bool,
}

/// Everybody and every token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    persons: BTreeMap<PersonId, Person>,
    tokens: BTreeMap<TokenId, IssuedToken>,
}

fn altered(kind: &str, number: usize, detail: impl std::fmt::Display) -> Error {
    Error::new(Code::RecordAltered, detail.to_string()).at(format!("records/{kind}.jsonl, record {}", number + 1))
}

fn read<T: serde::de::DeserializeOwned>(kind: &str, number: usize, fields: &Map<String, Value>) -> Result<T> {
    serde_json::from_value(Value::Object(fields.clone())).map_err(|_| altered(kind, number, "not understood"))
}

impl Access {
    /// The state that these chained records give, each list in the chain's order: a person's fields with the personal
    /// part (none when it was erased), and a token's fields.
    pub fn from_records<'a>(
        persons: impl IntoIterator<Item = (&'a Map<String, Value>, Option<&'a Map<String, Value>>)>,
        tokens: impl IntoIterator<Item = &'a Map<String, Value>>,
    ) -> Result<Self> {
        let mut state = Self::default();
        for (number, (fields, personal)) in persons.into_iter().enumerate() {
            let name = personal.and_then(|part| part.get("name")).and_then(Value::as_str).map(str::to_owned);
            state
                .apply_person(read(PERSONS, number, fields)?, name)
                .map_err(|detail| altered(PERSONS, number, detail))?;
        }
        for (number, fields) in tokens.into_iter().enumerate() {
            state.apply_token(read(TOKENS, number, fields)?).map_err(|detail| altered(TOKENS, number, detail))?;
        }
        Ok(state)
    }

    fn apply_person(&mut self, op: PersonOp, name: Option<String>) -> std::result::Result<(), &'static str> {
        const UNKNOWN: &str = "an unknown person";
        match op {
            PersonOp::Add { person: id, kind, label, roles, .. } => {
                if self.persons.contains_key(&id) {
                    return Err("a person added twice");
                }
                let delegations = Vec::new();
                self.persons.insert(id, Person { id, kind, label, name, roles, delegations, ended: false });
            }
            PersonOp::Roles { person, roles, .. } => {
                self.persons.get_mut(&person).ok_or(UNKNOWN)?.roles = roles;
            }
            PersonOp::Delegate { person, role, from, until, by, act } => {
                let person = self.persons.get_mut(&person).ok_or(UNKNOWN)?;
                person.delegations.push(Delegation { role, from, until, by, act });
            }
            PersonOp::End { person, .. } => self.persons.get_mut(&person).ok_or(UNKNOWN)?.ended = true,
        }
        Ok(())
    }

    fn apply_token(&mut self, op: TokenOp) -> std::result::Result<(), &'static str> {
        match op {
            TokenOp::Create { token: id, person, role, sha256, classes, expires, .. } => {
                if !self.persons.contains_key(&person) {
                    return Err("a token of an unknown person");
                }
                if self.tokens.contains_key(&id) {
                    return Err("a token made twice");
                }
                self.tokens.insert(id, IssuedToken { id, person, role, sha256, classes, expires, revoked: false });
            }
            TokenOp::Revoke { token, .. } => {
                self.tokens.get_mut(&token).ok_or("an unknown token")?.revoked = true;
            }
        }
        Ok(())
    }

    /// A person or system.
    pub fn person(&self, id: PersonId) -> Option<&Person> {
        self.persons.get(&id)
    }

    /// All of them, in the order of their making.
    pub fn persons(&self) -> impl Iterator<Item = &Person> {
        self.persons.values()
    }

    /// A token.
    pub fn token(&self, id: TokenId) -> Option<&IssuedToken> {
        self.tokens.get(&id)
    }

    /// All of them, in the order of their making.
    pub fn tokens(&self) -> impl Iterator<Item = &IssuedToken> {
        self.tokens.values()
    }

    /// Who sends this `Authorization` header.
    pub fn authenticate_header(&self, authorization: Option<&str>, now: Timestamp) -> Result<Actor> {
        self.authenticate(bearer(authorization)?, now)
    }

    /// Whose token this is. Every known token is compared, in constant time, so that neither a near miss nor the place of
    /// a hit shows in how long it took.
    pub fn authenticate(&self, token: &str, now: Timestamp) -> Result<Actor> {
        let wrong = || Error::new(Code::TokenWrong, "");
        let digest = Token::parse(token)?.digest();
        let all: Vec<&IssuedToken> = self.tokens.values().collect();
        let mut hit = u64::MAX;
        for (index, known) in all.iter().enumerate() {
            let same: Choice = known.sha256.as_bytes().ct_eq(digest.as_bytes());
            hit.conditional_assign(&(index as u64), same);
        }
        let token = usize::try_from(hit).ok().and_then(|index| all.get(index)).ok_or_else(wrong)?;
        let person = self.persons.get(&token.person).ok_or_else(wrong)?;
        if token.revoked || person.ended {
            return Err(wrong());
        }
        if token.expires.is_some_and(|expires| now >= expires) {
            return Err(Error::new(Code::TokenExpired, ""));
        }
        if !person.holds(token.role, italian_day(now)) {
            return Err(Error::new(Code::RoleForbidden, format!("the role {} is not held today", token.role)));
        }
        Ok(Actor {
            who: person.id,
            kind: person.kind,
            label: person.label.clone(),
            role: token.role,
            classes: token.classes.clone(),
            token: Some(token.id),
        })
    }
}
