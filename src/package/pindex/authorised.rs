//! Whose certificate it is: whether somebody who may sign packages (AuthorizedSigner) holds it.
//!
//! Identifiers first: what the certificate says of its subject in serialNumber and organizationIdentifier (ETSI EN 319 412-1
//! sections 5.1.3 and 5.1.4, and the older Italian `IT:…`), against AgentID. An identifier of the same kind decides alone; only
//! where there is none do names count. Invariant: a person's certificate never passes for a legal person's, even when it
//! names it as the employer.

use super::agents::{Agent, AgentName, folded};
use crate::evidence::oids;
use crate::evidence::x509::{Certificate, name};

/// The agent who holds the certificate, when one of these does.
pub fn holder<'a>(agents: impl IntoIterator<Item = &'a Agent>, certificate: &Certificate) -> Option<&'a Agent> {
    agents.into_iter().find(|agent| is_of(agent, certificate))
}

/// Who may sign, and whose certificate there is: for an error that names both.
pub fn described<'a>(agents: impl IntoIterator<Item = &'a Agent>, certificate: &Certificate) -> String {
    let names: Vec<String> = agents
        .into_iter()
        .map(|agent| match &agent.id {
            Some(id) => format!("{} ({id})", agent.name),
            None => agent.name.to_string(),
        })
        .collect();
    format!("may sign: {}; the certificate is of {}", names.join(", "), name::text(certificate.subject()))
}

fn is_of(agent: &Agent, certificate: &Certificate) -> bool {
    let known = identifiers(certificate);
    if let Some(id) = &agent.id {
        let own = canonical(id.as_str());
        if known.contains(&own) {
            return true;
        }
        // Another person's number of the same kind: the same name is then a namesake.
        if known.iter().any(|other| other.get(..5) == own.get(..5)) {
            return false;
        }
    }
    let attribute = |kind| certificate.subject_attribute(kind).map(|text| folded(&text)).unwrap_or_default();
    let (given, surname) = (attribute(&oids::GIVEN_NAME), attribute(&oids::SURNAME));
    let common = attribute(&oids::COMMON_NAME);
    match &agent.name {
        AgentName::Natural { first, last } => {
            let (first, last) = (folded(first), folded(last));
            if given.is_empty() && surname.is_empty() {
                return common == format!("{first}{last}") || common == format!("{last}{first}");
            }
            (given, surname) == (first, last)
        }
        AgentName::Legal(formal) => {
            let formal = folded(formal);
            let person = !given.is_empty() || !surname.is_empty();
            !person && (attribute(&oids::ORGANIZATION) == formal || common == formal)
        }
    }
}

/// What the subject is known by, each as `TINIT-…`.
fn identifiers(certificate: &Certificate) -> Vec<String> {
    let of = |kind| certificate.subject_attribute(kind).map(|text| canonical(&text));
    [of(&oids::SERIAL_NUMBER), of(&oids::ORGANIZATION_IDENTIFIER)].into_iter().flatten().collect()
}

/// Capital letters; the tax code under one scheme however it is written: `TINIT-`, `CF:IT-`, `IT:`.
fn canonical(text: &str) -> String {
    let text = text.trim().to_ascii_uppercase();
    match text.strip_prefix("CF:").or_else(|| text.strip_prefix("TIN:")) {
        Some(rest) => format!("TIN{rest}"),
        None => match text.strip_prefix("IT:") {
            Some(code) => format!("TINIT-{code}"),
            None => text,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Oid;
    use crate::evidence::fixtures::pki;
    use crate::evidence::x509::Dn;

    fn certificate(parts: &[(Oid, &str)]) -> Certificate {
        let subject = parts.iter().fold(Dn::new(), |dn, (kind, value)| dn.with(*kind, *value));
        Certificate::parse(&pki(|profile| profile.subject = subject).leaf).unwrap()
    }

    fn person(first: &str, last: &str, id: Option<&str>) -> Agent {
        let name = AgentName::Natural { first: first.into(), last: last.into() };
        Agent { name, id: id.map(|id| id.parse().unwrap()), documents: Vec::new() }
    }

    fn company(name: &str, id: Option<&str>) -> Agent {
        let name = AgentName::Legal(name.into());
        Agent { name, id: id.map(|id| id.parse().unwrap()), documents: Vec::new() }
    }

    #[test]
    fn identifiers_decide_and_names_count_only_where_there_are_none() {
        use oids::{COMMON_NAME, GIVEN_NAME, ORGANIZATION, ORGANIZATION_IDENTIFIER, SERIAL_NUMBER, SURNAME};
        let (code, vat) = ("TINIT-SMPNNA70A41H501X", "VATIT-01234567890");
        let card: &[(Oid, &str)] = &[
            (COMMON_NAME, "Esempio Anna"),
            (SURNAME, "ESEMPIO"),
            (GIVEN_NAME, "ANNA"),
            (ORGANIZATION, "Esempio S.p.A."),
            (SERIAL_NUMBER, code),
        ];
        let seal: &[(Oid, &str)] =
            &[(COMMON_NAME, "Sigillo"), (ORGANIZATION, "ESEMPIO SPA"), (ORGANIZATION_IDENTIFIER, vat)];
        let old: &[(Oid, &str)] = &[(COMMON_NAME, "Anna Esempio"), (SERIAL_NUMBER, "IT:SMPNNA70A41H501X")];
        let bare: &[(Oid, &str)] = &[(COMMON_NAME, "ESEMPIO ANNA")];
        let cases = [
            (card, person("Anna", "Esempio", Some(code)), true),
            (card, person("Altro", "Nome", Some(code)), true),
            (card, person("Anna", "Esempio", Some("TINIT-ALTRA70A41H501X")), false),
            (card, person("Anna", "Esempio", Some("CF:IT-SMPNNA70A41H501X")), true),
            (card, person("anna", "esempio", None), true),
            (card, person("Anna", "Esempio", Some("PASIT-AA000")), true),
            (card, person("Esempio", "Anna", None), false),
            (card, company("Esempio S.p.A.", None), false),
            (card, company("Esempio S.p.A.", Some(vat)), false),
            (seal, company("Altro nome", Some(vat)), true),
            (seal, company("Esempio S.p.A.", Some("VATIT-99999999999")), false),
            (seal, company("Esempio S.p.A.", None), true),
            (seal, company("Esempio", None), false),
            (seal, person("Anna", "Esempio", None), false),
            (old, person("Anna", "Esempio", Some(code)), true),
            (old, person("Anna", "Esempio", Some("TINIT-ALTRA70A41H501X")), false),
            (bare, person("Anna", "Esempio", Some(code)), true),
            (bare, person("Anna Maria", "Esempio", None), false),
        ];
        for (subject, agent, expected) in cases {
            let certificate = certificate(subject);
            assert_eq!(holder([&agent], &certificate).is_some(), expected, "{agent:?} and {subject:?}");
            let text = described([&agent], &certificate);
            assert!(text.contains(&agent.name.to_string()) && text.contains("CN="), "{text}");
        }
    }
}
