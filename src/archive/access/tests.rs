use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::*;
use crate::error::{Code, Result};
use crate::id::{ClassId, PersonId, TokenId};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-11-22T10:00:00Z")
}

fn class(name: &str) -> ClassId {
    name.parse().unwrap()
}

/// Records as the ledger would keep them, and the state they give.
#[derive(Default)]
struct Book {
    persons: Vec<NewRecord>,
    tokens: Vec<NewRecord>,
}

impl Book {
    fn begun() -> (Self, PersonId, Token) {
        let mut book = Self::default();
        let genesis = genesis("Maria Esempio", now()).unwrap();
        genesis.records.into_iter().for_each(|record| book.append(record));
        (book, genesis.manager, genesis.token)
    }

    fn append(&mut self, record: NewRecord) {
        match record.kind {
            PERSONS => self.persons.push(record),
            TOKENS => self.tokens.push(record),
            other => panic!("{other}"),
        }
    }

    fn state(&self) -> Access {
        let persons = self.persons.iter().map(|r| (&r.fields, r.personal.as_ref()));
        Access::from_records(persons, self.tokens.iter().map(|r| &r.fields)).unwrap()
    }

    fn add(&mut self, kind: PersonKind, label: Option<&str>, role: Role) -> PersonId {
        let label = label.map(str::to_owned);
        let new = NewPerson { kind, name: "Nome Esempio".into(), label, roles: BTreeSet::from([role]) };
        let (id, record) = self.state().add_person(&new, None, now()).unwrap();
        self.append(record);
        id
    }

    fn token(
        &mut self,
        person: PersonId,
        role: Role,
        classes: Option<&[&str]>,
        expires: Option<Timestamp>,
    ) -> (TokenId, Token) {
        let classes = classes.map(|names| names.iter().map(|name| class(name)).collect());
        let new = NewToken { person, role, classes, expires };
        let (id, token, record) = self.state().create_token(&new, None, now()).unwrap();
        self.append(record);
        (id, token)
    }
}

fn code<T: std::fmt::Debug>(result: Result<T>) -> Code {
    result.unwrap_err().code
}

#[test]
fn the_first_manager_can_begin() {
    let (book, manager, token) = Book::begun();
    let actor = book.state().authenticate(token.expose(), now()).unwrap();
    assert_eq!((actor.who, actor.role, actor.kind), (manager, Role::Manager, PersonKind::Person));
    actor.may(Action::ManagePersons, None).unwrap();
    assert_eq!(code(actor.may(Action::Deposit, Some(&class("invoice")))), Code::RoleForbidden);
    assert_eq!(book.state().person(manager).unwrap().name.as_deref(), Some("Maria Esempio"));
}

#[test]
fn lines_hold_neither_names_nor_tokens() {
    let (mut book, manager, token) = Book::begun();
    let reader = book.add(PersonKind::Person, None, Role::Reader);
    let (id, second) = book.token(reader, Role::Reader, None, None);
    book.append(book.state().revoke_token(id, "perso da Nome Esempio", manager).unwrap());
    book.append(book.state().end_person(reader, "dimissioni", manager, now()).unwrap());
    let lines: String =
        book.persons.iter().chain(&book.tokens).map(|r| Value::Object(r.fields.clone()).to_string()).collect();
    for secret in ["Esempio", "Maria", "perso da", "dimissioni", token.expose(), second.expose(), "cst_"] {
        assert!(!lines.contains(secret), "{secret}");
    }
    let personal: String = book
        .persons
        .iter()
        .chain(&book.tokens)
        .filter_map(|r| r.personal.clone())
        .map(|p| Value::Object(p).to_string())
        .collect();
    assert!(personal.contains("Maria Esempio") && !personal.contains("cst_"));
    // Erased names change nothing else.
    let erased =
        Access::from_records(book.persons.iter().map(|r| (&r.fields, None)), book.tokens.iter().map(|r| &r.fields))
            .unwrap();
    assert_eq!(erased.person(manager).unwrap().name, None);
    assert!(erased.authenticate(token.expose(), now()).is_ok());
}

#[test]
fn missing_foreign_expired_and_revoked_tokens_are_told_apart() {
    let (mut book, manager, _) = Book::begun();
    let system = book.add(PersonKind::System, Some("posta-aziendale"), Role::Producer);
    let expires = at("2026-12-01T00:00:00Z");
    let (id, token) = book.token(system, Role::Producer, None, Some(expires));
    let header = format!("Bearer {}", token.expose());
    let state = book.state();
    let actor = state.authenticate_header(Some(&header), at("2026-11-30T23:59:59.999Z")).unwrap();
    assert_eq!((actor.producer().as_str(), actor.token), ("posta-aziendale", Some(id)));
    assert_eq!(code(state.authenticate_header(None, now())), Code::TokenMissing);
    assert_eq!(code(state.authenticate_header(Some("Bearer nonsense"), now())), Code::TokenWrong);
    assert_eq!(code(state.authenticate(Token::generate().unwrap().expose(), now())), Code::TokenWrong);
    assert_eq!(code(state.authenticate(token.expose(), expires)), Code::TokenExpired);
    // The token's digest is no token.
    assert_eq!(code(state.authenticate(&token.digest().to_string(), now())), Code::TokenWrong);
    book.append(state.revoke_token(id, "", manager).unwrap());
    assert_eq!(code(book.state().authenticate(token.expose(), now())), Code::TokenWrong);
    assert_eq!(code(book.state().authenticate(token.expose(), expires)), Code::TokenWrong);
    assert_eq!(code(book.state().revoke_token(id, "", manager)), Code::Usage);
    assert_eq!(code(book.state().revoke_token(TokenId::new(now()), "", manager)), Code::NotFound);
    // Somebody else's archive does not know it.
    assert_eq!(code(Book::begun().0.state().authenticate(token.expose(), now())), Code::TokenWrong);
}

#[test]
fn a_token_for_some_classes_is_for_those_alone() {
    let (mut book, ..) = Book::begun();
    let reader = book.add(PersonKind::Person, None, Role::Reader);
    let (_, token) = book.token(reader, Role::Reader, Some(&["invoice"]), None);
    let actor = book.state().authenticate(token.expose(), now()).unwrap();
    actor.may(Action::ReadContent, Some(&class("invoice"))).unwrap();
    assert_eq!(code(actor.may(Action::ReadContent, Some(&class("pec-message")))), Code::ClassForbidden);
    assert_eq!(code(actor.may(Action::Search, None)), Code::ClassForbidden);
    actor.may(Action::ReadChain, None).unwrap();
    assert_eq!(code(actor.may(Action::Deposit, Some(&class("invoice")))), Code::RoleForbidden);
}

#[test]
fn a_role_is_held_for_its_days_and_no_longer() {
    let (mut book, manager, _) = Book::begun();
    let person = book.add(PersonKind::Person, None, Role::Reader);
    let refused = NewToken { person, role: Role::Auditor, classes: None, expires: None };
    assert_eq!(code(book.state().create_token(&refused, None, now())), Code::RoleForbidden);
    let new = NewDelegation {
        person,
        role: Role::Auditor,
        from: "2026-12-01".parse().unwrap(),
        until: Some("2026-12-31".parse().unwrap()),
        scope: "verifica annuale".into(),
        act: None,
    };
    assert_eq!(
        code(
            book.state()
                .delegate(&NewDelegation { until: Some("2026-11-30".parse().unwrap()), ..new.clone() }, manager)
        ),
        Code::Usage
    );
    book.append(book.state().delegate(&new, manager).unwrap());
    let (_, token) = book.token(person, Role::Auditor, None, None);
    for (instant, held) in [
        ("2026-11-30T22:59:59Z", false),
        ("2026-11-30T23:00:00Z", true),
        ("2026-12-31T22:59:59Z", true),
        ("2026-12-31T23:00:00Z", false),
    ] {
        assert_eq!(book.state().authenticate(token.expose(), at(instant)).is_ok(), held, "{instant}");
    }
    let (_, reader) = book.token(person, Role::Reader, None, None);
    assert!(book.state().authenticate(reader.expose(), now()).is_ok());
    book.append(book.state().set_roles(person, BTreeSet::from([Role::Producer]), manager, now()).unwrap());
    assert_eq!(code(book.state().authenticate(reader.expose(), now())), Code::RoleForbidden);
    book.append(book.state().end_person(person, "", manager, now()).unwrap());
    assert_eq!(code(book.state().authenticate(reader.expose(), now())), Code::TokenWrong);
    assert_eq!(
        code(book.state().create_token(&NewToken { role: Role::Producer, ..refused }, None, now())),
        Code::NotFound
    );
}

#[test]
fn acts_that_need_a_person_are_not_for_systems_and_the_local_operator() {
    let local = Actor::local();
    for class in ["invoice", "identity-document"] {
        local.may(Action::Deposit, Some(&super::tests::class(class))).unwrap();
        local.may(Action::ReadContent, Some(&super::tests::class(class))).unwrap();
    }
    local.may(Action::Check, None).unwrap();
    for action in Action::ALL.iter().filter(|action| action.needs_person()) {
        assert_eq!(code(local.may(*action, Some(&class("invoice")))), Code::PersonNeeded, "{action:?}");
    }
    let system =
        Actor { kind: PersonKind::System, token: Some(TokenId::new(now())), role: Role::Manager, ..Actor::local() };
    assert_eq!(code(system.may(Action::ManagePersons, None)), Code::PersonNeeded);
    assert!(!system.is_another_person_than(PersonId::new(now())));
}

#[test]
fn two_tokens_of_one_person_are_one_person() {
    let (mut book, manager, first) = Book::begun();
    let (_, second) = book.token(manager, Role::Manager, None, None);
    let state = book.state();
    let (a, b) =
        (state.authenticate(first.expose(), now()).unwrap(), state.authenticate(second.expose(), now()).unwrap());
    assert_ne!(a.token, b.token);
    assert!(!a.is_another_person_than(b.who));
    let other = book.add(PersonKind::Person, None, Role::Manager);
    assert!(a.is_another_person_than(other));
}

#[test]
fn what_makes_no_sense_is_not_recorded() {
    let (mut book, manager, _) = Book::begun();
    book.add(PersonKind::System, Some("erp"), Role::Producer);
    let state = book.state();
    let new = |kind, name: &str, label: Option<&str>, role| NewPerson {
        kind,
        name: name.into(),
        label: label.map(str::to_owned),
        roles: BTreeSet::from([role]),
    };
    for bad in [
        new(PersonKind::System, "x", None, Role::Producer),
        new(PersonKind::System, "x", Some("erp"), Role::Producer),
        new(PersonKind::System, "x", Some("local"), Role::Producer),
        new(PersonKind::System, "x", Some("Maria Esempio"), Role::Producer),
        new(PersonKind::System, "x", Some("other"), Role::Manager),
        new(PersonKind::System, "x", Some("other"), Role::Holder),
        new(PersonKind::Person, "x", Some("maria"), Role::Reader),
        new(PersonKind::Person, " ", None, Role::Reader),
        new(PersonKind::Person, "a\nb", None, Role::Reader),
        new(PersonKind::Person, &"a".repeat(201), None, Role::Reader),
    ] {
        assert_eq!(code(state.add_person(&bad, None, now())), Code::Usage, "{bad:?}");
    }
    let token = NewToken { person: manager, role: Role::Manager, classes: None, expires: None };
    for bad in [
        NewToken { expires: Some(now()), ..token.clone() },
        NewToken { classes: Some(BTreeSet::new()), ..token.clone() },
    ] {
        assert_eq!(code(state.create_token(&bad, None, now())), Code::Usage);
    }
    assert_eq!(
        code(state.create_token(&NewToken { person: PersonId::new(now()), ..token }, None, now())),
        Code::NotFound
    );
    // The last manager stays, whichever way.
    assert_eq!(code(state.end_person(manager, "", manager, now())), Code::Usage);
    assert_eq!(code(state.set_roles(manager, BTreeSet::from([Role::Reader]), manager, now())), Code::Usage);
    let second = book.add(PersonKind::Person, None, Role::Manager);
    book.append(book.state().end_person(manager, "", second, now()).unwrap());
    assert!(book.state().person(manager).unwrap().ended);
    assert_eq!(code(book.state().end_person(second, "", second, now())), Code::Usage);
}

#[test]
fn a_record_that_makes_no_sense_stops_everything() {
    let (book, manager, _) = Book::begun();
    let object = |value: Value| value.as_object().unwrap().clone();
    let fold = |persons: &[Map<String, Value>], tokens: &[Map<String, Value>]| {
        let all: Vec<_> = book.persons.iter().map(|r| &r.fields).chain(persons).map(|f| (f, None)).collect();
        Access::from_records(all, book.tokens.iter().map(|r| &r.fields).chain(tokens))
    };
    assert!(fold(&[], &[]).is_ok());
    let stranger = PersonId::new(now());
    for bad in [
        json!({}),
        json!({ "op": "promote", "person": manager }),
        json!({ "op": "end", "person": stranger, "by": manager }),
        json!({ "op": "end", "person": manager, "by": manager, "also": 1 }),
        json!({ "op": "roles", "person": manager, "roles": ["root"], "by": manager }),
        Value::Object(book.persons[0].fields.clone()),
    ] {
        let error = fold(&[object(bad.clone())], &[]).unwrap_err();
        assert_eq!(
            (error.code, error.place.as_str()),
            (Code::RecordAltered, "records/persons.jsonl, record 2"),
            "{bad}"
        );
    }
    let digest = crate::hash::Sha256::of(b"x");
    for bad in [
        json!({ "op": "revoke", "token": stranger, "by": manager }),
        json!({ "op": "create", "token": stranger, "person": stranger, "role": "reader", "sha256": digest }),
        json!({ "op": "create", "token": stranger, "person": manager, "role": "reader", "sha256": "zz" }),
        json!({ "op": "create", "token": stranger, "person": manager, "role": "reader", "sha256": digest, "classes": ["../x"] }),
        Value::Object(book.tokens[0].fields.clone()),
    ] {
        let error = fold(&[], &[object(bad.clone())]).unwrap_err();
        assert_eq!(
            (error.code, error.place.as_str()),
            (Code::RecordAltered, "records/tokens.jsonl, record 2"),
            "{bad}"
        );
    }
}
