//! What people decide about the archive itself: classes, policies, persons, tokens.
//!
//! Invariant: a decision is on the chain before it has an effect, and says who took it; a new version of a class or policy
//! stands beside the old.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::Archive;
use super::access::{self, Access, Action, Actor, NewRecord, PersonKind, Role};
use super::adoption;
use super::init::adopted;
use super::state::unpoisoned;
use crate::chain::Kind;
use crate::document::class::Class;
use crate::error::{Code, Error, Finding, Result};
use crate::hash::Sha256;
use crate::id::{ClassId, PersonId, TokenId};
use crate::retention::Policy;
use crate::units::Lapse;

/// Says what is wrong with a draft of a class.
pub fn check_class(bytes: &[u8]) -> Result<()> {
    parse_class(bytes).map(drop)
}

fn parse_class(bytes: &[u8]) -> Result<Class> {
    let text = std::str::from_utf8(bytes)
        .map_err(|e| Error::new(Code::ConfigInvalid, "not UTF-8").at(format!("byte {}", e.valid_up_to())))?;
    Class::parse(text, "class")
}

/// A person or system to be added.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPerson {
    /// Its name; kept in an erasable side file, never on the chain.
    name: String,
    /// A system, not a human being.
    #[serde(default)]
    system: bool,
    /// Roles it holds.
    #[serde(default)]
    roles: Vec<String>,
    /// What receipts call a system.
    label: Option<String>,
}

/// A token to be made.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What its bearer may do.
    role: String,
    /// Whose it is; without it, a new system.
    person: Option<String>,
    /// Only for these classes.
    #[serde(default)]
    classes: Vec<String>,
    /// Until when: an instant, or a period from now as `90d`.
    expires: Option<String>,
}

impl Archive {
    /// The adopted classes, newest version of each.
    pub fn classes(&self, actor: &Actor) -> Result<Value> {
        self.may(actor, Action::ReadRules)?;
        let classes = unpoisoned(self.classes.read());
        let mut all: Vec<Value> = Vec::new();
        for class in classes.iter() {
            let newest = classes.latest(&class.id).is_some_and(|latest| latest.version == class.version);
            all.push(json!({
                "class": class.id, "version": class.version, "in_force": newest, "title": { "it": class.title.it, "en": class.title.en },
                "personal": class.personal, "formats": class.formats, "retention": class.retention, "closing": class.closing, "sha256": class.sha256,
            }));
        }
        Ok(json!({ "classes": all }))
    }

    /// The JSON Schema of a class, in the version in force.
    pub fn class(&self, actor: &Actor, id: &ClassId) -> Result<Value> {
        self.may(actor, Action::ReadRules)?;
        let class = unpoisoned(self.classes.read())
            .latest(id)
            .cloned()
            .ok_or_else(|| Error::new(Code::NotFound, "no such class").at(id))?;
        serde_json::from_str(&class.text).map_err(|e| Error::new(Code::Internal, e.to_string()).at(id))
    }

    /// Adopts a class, or a new version of one.
    pub fn adopt_class(&self, actor: &Actor, bytes: &[u8]) -> Result<Value> {
        self.may(actor, Action::Adopt)?;
        let by = actor.as_person()?;
        let class = parse_class(bytes)?;
        unpoisoned(self.policies.read()).retention(&class.retention)?;
        unpoisoned(self.policies.read()).closing(&class.closing)?;
        let mut classes = unpoisoned(self.classes.write());
        let expected = classes.latest(&class.id).map_or(1, |latest| latest.version + 1);
        if class.version != expected {
            return Err(
                Error::new(Code::ConfigInvalid, format!("the next version of this class is {expected}")).at("version")
            );
        }
        let file = class.file_name();
        let mut entry = adopted(class.id.as_str(), class.version, &file, class.sha256);
        entry.insert("by".into(), json!(by));
        self.adopt(Kind::Class, entry, &self.layout.schemas().join(&file), bytes)?;
        let answer = json!({ "class": class.id, "version": class.version, "sha256": class.sha256 });
        classes.insert(class, &file)?;
        self.unsealed.tie_by(super::related::tying_fields(&classes));
        Ok(answer)
    }

    /// The adopted policies.
    pub fn policies(&self, actor: &Actor) -> Result<Value> {
        self.may(actor, Action::ReadRules)?;
        let policies = unpoisoned(self.policies.read());
        let all: Vec<Value> = policies
            .iter()
            .map(|file| {
                let title = file.policy.title();
                json!({
                    "policy": file.policy.id(), "version": file.policy.version(), "title": { "it": title.it, "en": title.en },
                    "kind": match &file.policy {
                        Policy::Retention(_) => "retention",
                        Policy::Closing(..) => "closing",
                        Policy::Algorithms(_) => "algorithms",
                    },
                    "sha256": file.sha256,
                })
            })
            .collect();
        Ok(json!({ "policies": all }))
    }

    /// Adopts a policy, or a new version of one.
    pub fn adopt_policy(&self, actor: &Actor, bytes: &[u8]) -> Result<Value> {
        self.may(actor, Action::Adopt)?;
        let by = actor.as_person()?;
        let text = std::str::from_utf8(bytes)
            .map_err(|e| Error::new(Code::ConfigInvalid, "not UTF-8").at(format!("byte {}", e.valid_up_to())))?;
        let policy = Policy::parse(text, "policy")?;
        let mut policies = unpoisoned(self.policies.write());
        let expected = policies.latest(policy.id()).map_or(1, |latest| latest.policy.version() + 1);
        if policy.version() != expected {
            return Err(
                Error::new(Code::ConfigInvalid, format!("the next version of this policy is {expected}")).at("version")
            );
        }
        let (file, sha256) = (policy.file_name(), Sha256::of(bytes));
        let mut entry = adopted(policy.id().as_str(), policy.version(), &file, sha256);
        entry.insert("by".into(), json!(by));
        self.adopt(Kind::Policy, entry, &self.layout.policies().join(&file), bytes)?;
        let answer = json!({ "policy": policy.id(), "version": policy.version(), "sha256": sha256 });
        *policies = crate::retention::Policies::load(&self.layout.policies())?;
        Ok(answer)
    }

    /// The file waits in staging until its entry is on the chain (see `adoption`).
    fn adopt(
        &self,
        kind: Kind,
        entry: serde_json::Map<String, Value>,
        path: &std::path::Path,
        bytes: &[u8],
    ) -> Result<()> {
        if path.exists() && crate::durable::read_plain(path).is_ok_and(|there| there != bytes) {
            return Err(Error::new(Code::NotAdopted, "another file stands there").at(path.display()));
        }
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let fresh = !path.exists();
        if fresh {
            adoption::prepare(&self.layout, &file, bytes)?;
        }
        self.ledger.append(kind, entry)?;
        if fresh { adoption::place(&self.layout, &file) } else { Ok(()) }
    }

    /// Persons and systems.
    pub fn persons(&self, actor: &Actor) -> Result<Value> {
        self.may(actor, Action::ListPersons)?;
        let access = unpoisoned(self.access.read());
        let all: Vec<Value> = access
            .persons()
            .map(|p| {
                json!({
                    "person": p.id, "kind": match p.kind { PersonKind::Person => "person", PersonKind::System => "system" },
                    "name": p.name, "label": p.label, "roles": p.roles.iter().map(|r| r.as_str()).collect::<Vec<_>>(), "ended": p.ended,
                })
            })
            .collect();
        Ok(json!({ "persons": all }))
    }

    /// Adds a person or a system.
    pub fn add_person(&self, actor: &Actor, new: &NewPerson) -> Result<Value> {
        self.may(actor, Action::ManagePersons)?;
        let by = actor.as_person()?;
        let roles = new.roles.iter().map(|role| role.parse()).collect::<Result<BTreeSet<Role>>>()?;
        let kind = if new.system { PersonKind::System } else { PersonKind::Person };
        let wish = access::NewPerson { kind, name: new.name.clone(), label: new.label.clone(), roles };
        let mut access = unpoisoned(self.access.write());
        let (id, record) = access.add_person(&wish, Some(by), self.clock.now())?;
        self.append(record)?;
        *access = Access::load(&self.ledger)?.0;
        Ok(json!({ "person": id }))
    }

    /// Tokens, without their secrets.
    pub fn tokens(&self, actor: &Actor) -> Result<Value> {
        self.may(actor, Action::ListPersons)?;
        let access = unpoisoned(self.access.read());
        let all: Vec<Value> = access
            .tokens()
            .map(|t| json!({ "token": t.id, "person": t.person, "role": t.role.as_str(), "classes": t.classes, "expires": t.expires, "revoked": t.revoked }))
            .collect();
        Ok(json!({ "tokens": all }))
    }

    /// Makes a token; its secret is in the answer and nowhere else.
    pub fn create_token(&self, actor: &Actor, new: &NewToken) -> Result<Value> {
        self.may(actor, Action::ManagePersons)?;
        let by = actor.as_person()?;
        let now = self.clock.now();
        let role: Role = new.role.parse()?;
        let expires = new.expires.as_deref().map(|text| expiry(text, now)).transpose()?;
        let classes = new.classes.iter().map(|class| class.parse()).collect::<Result<BTreeSet<ClassId>>>()?;
        let known = unpoisoned(self.classes.read());
        if let Some(unknown) = classes.iter().find(|class| known.latest(class).is_none()) {
            return Err(Error::new(Code::ClassUnknown, "").at(unknown));
        }
        drop(known);
        let mut access = unpoisoned(self.access.write());
        let person = match &new.person {
            Some(id) => self.with_role(&mut access, id.parse()?, role, by)?,
            None => {
                let taken = |label: &str| access.persons().any(|known| known.label.as_deref() == Some(label));
                let numbered = (2_u32..).map(|n| format!("{role}-{n}"));
                let label = std::iter::once(role.as_str().to_owned()).chain(numbered).find(|label| !taken(label));
                let wish = access::NewPerson {
                    kind: PersonKind::System,
                    name: role.as_str().to_owned(),
                    label,
                    roles: BTreeSet::from([role]),
                };
                let (id, record) = access.add_person(&wish, Some(by), now)?;
                self.append(record)?;
                *access = Access::load(&self.ledger)?.0;
                id
            }
        };
        let classes = (!classes.is_empty()).then_some(classes);
        let (id, token, record) =
            access.create_token(&access::NewToken { person, role, classes, expires }, Some(by), now)?;
        self.append(record)?;
        *access = Access::load(&self.ledger)?.0;
        Ok(
            json!({ "token": id, "person": person, "role": role.as_str(), "expires": expires, "secret": token.expose() }),
        )
    }

    /// A manager who makes a token for a person in a role gives that person the role, on the chain.
    fn with_role(&self, access: &mut Access, person: PersonId, role: Role, by: PersonId) -> Result<PersonId> {
        let known = access.person(person).ok_or_else(|| Error::new(Code::NotFound, "no such person").at(person))?;
        if !known.roles.contains(&role) {
            let mut roles = known.roles.clone();
            roles.insert(role);
            let record = access.set_roles(person, roles, by, self.clock.now())?;
            self.append(record)?;
            *access = Access::load(&self.ledger)?.0;
        }
        Ok(person)
    }

    /// Takes a token back.
    pub fn revoke_token(&self, actor: &Actor, id: TokenId) -> Result<Value> {
        self.may(actor, Action::ManagePersons)?;
        let by = actor.as_person()?;
        let mut access = unpoisoned(self.access.write());
        let record = access.revoke_token(id, "", by)?;
        self.append(record)?;
        *access = Access::load(&self.ledger)?.0;
        Ok(json!({ "token": id, "revoked": true }))
    }

    fn append(&self, record: NewRecord) -> Result<()> {
        self.ledger.append_record(record.kind, record.fields, record.personal).map(drop)
    }
}

impl Access {
    /// The state that the chained records give.
    pub(super) fn load(ledger: &crate::chain::Ledger) -> Result<(Self, Vec<Finding>)> {
        let (persons, mut findings) = ledger.records(access::PERSONS)?;
        let (tokens, more) = ledger.records(access::TOKENS)?;
        findings.extend(more);
        let state = Self::from_records(
            persons.iter().map(|record| (&record.fields, record.personal.as_ref())),
            tokens.iter().map(|record| &record.fields),
        )?;
        Ok((state, findings))
    }
}

/// An instant, or a period from now.
fn expiry(text: &str, now: Timestamp) -> Result<Timestamp> {
    if let Ok(instant) = text.parse() {
        return Ok(instant);
    }
    let lapse: Lapse =
        text.parse().map_err(|_| Error::new(Code::Usage, "expected an instant or a period, as 90d").at("expires"))?;
    let period: SignedDuration = lapse.signed();
    now.checked_add(period).map_err(|_| Error::new(Code::Usage, "too far").at("expires"))
}
