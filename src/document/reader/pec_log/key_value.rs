//! The daily log of one product: `<timestamp> <program> <host> [pid]: <identificativo>: [queueid=..:] tipo=<tipo> (<Label>):
//! mittente=..: destinatari=..: oggetto=..: message-id=..: gestore=..[: …]`.
//!
//! Traps of real files: the subject is free text that may hold `: ` and even the names of other keys; `tipo=` and
//! `message-id=` may be empty; lines without `tipo=` are records of rotation; lines without a timestamp continue the one
//! before. Invariant: one pass over a line, whatever it holds.

use super::event::{Event, Kind};
use super::moment;

/// Keys in the order in which the product writes them.
const KEYS: [&str; 14] = [
    "queueid",
    "tipo",
    "mittente",
    "destinatari",
    "oggetto",
    "message-id",
    "gestore",
    "tipo_ricevuta",
    "consegna",
    "ricezione",
    "errore",
    "errore-esteso",
    "virus",
    "eccezioni",
];

/// What a line is.
#[derive(Debug, PartialEq, Eq)]
pub enum Row {
    /// An event, or a record of the system.
    Event(Box<Event>, bool),
    /// It begins with no timestamp: it belongs to the line before.
    Continuation,
    /// Neither.
    Unreadable,
}

/// Whether a line is of this layout.
pub fn looks_so(line: &str) -> bool {
    line.contains("tipo=") && (line.contains(": mittente=") || line.contains("gestore="))
}

/// Reads a line. The flag of an event says that it may be continued (an extended error stands in it).
pub fn read(line: &str) -> Row {
    let Some((at, length)) = moment::prefix(line) else {
        // An event whose timestamp cannot be read is no continuation.
        return if looks_so(line) { Row::Unreadable } else { Row::Continuation };
    };
    let rest = &line[length..];
    let Some(keys_at) = find_key(rest, "queueid").into_iter().chain(find_key(rest, "tipo")).min() else {
        return Row::Event(Box::new(Event::system(Some(at))), false);
    };
    let head = rest[..keys_at].trim_end().trim_end_matches(':');
    let identifier = head.rsplit(": ").next().unwrap_or_default().trim();
    let fields = fields(&rest[keys_at..]);
    let get = |key: &str| {
        let value = fields.iter().find(|(name, _)| *name == key).map_or("", |(_, value)| *value);
        value.trim().trim_end_matches(':').trim()
    };
    let (tipo, label) = match get("tipo").split_once('(') {
        Some((tipo, label)) => (tipo.trim(), label.trim_end_matches(')').trim()),
        None => (get("tipo"), ""),
    };
    if identifier.is_empty()
        || identifier.contains(' ')
        || (get("mittente").is_empty() && get("destinatari").is_empty())
    {
        return Row::Unreadable;
    }
    let event = Event {
        identifier: identifier.trim_matches(['<', '>']).to_owned(),
        at: Some(at),
        kind: Kind::of(tipo, label),
        sender: get("mittente").to_lowercase(),
        recipients: get("destinatari").to_owned(),
        provider: get("gestore").to_owned(),
        delivered: get("consegna").to_owned(),
        taken: get("ricezione").to_owned(),
        error: get("errore").to_owned(),
    };
    let continued = !get("errore-esteso").is_empty() || !event.error.is_empty();
    Row::Event(Box::new(event), continued)
}

/// Where `key=` begins: at the start, or after a blank.
fn find_key(text: &str, key: &str) -> Option<usize> {
    let mut from = 0;
    while let Some(found) = text.get(from..)?.find(key) {
        let at = from + found;
        let before = at == 0 || text.as_bytes()[at - 1] == b' ';
        if before && text.as_bytes().get(at + key.len()) == Some(&b'=') {
            return Some(at);
        }
        from = at + key.len();
    }
    None
}

/// Keys and values. A value ends where `: ` and a key that comes later begin; the subject ends at the *last* own
/// message-id that has the shape of one, for it may say anything.
fn fields(text: &str) -> Vec<(&'static str, &str)> {
    let mut marks: Vec<(usize, usize, &'static str)> = Vec::new();
    let subject_end = text.find(": oggetto=").and_then(|subject| {
        text.rmatch_indices(": message-id=").map(|(at, _)| at).find(|at| {
            let value = &text[at + ": message-id=".len()..];
            *at > subject && value.split(": ").next().is_some_and(|id| !id.trim().contains(' '))
        })
    });
    let mut next = 0;
    let mut free_until = 0;
    for (at, _) in std::iter::once((0, "")).chain(text.match_indices(": ")) {
        let start = if at == 0 && marks.is_empty() { 0 } else { at + 2 };
        if start < free_until {
            continue;
        }
        let here = &text[start..];
        let Some(equals) = here.bytes().take(16).position(|b| b == b'=') else { continue };
        let Some(position) = KEYS.iter().position(|key| *key == &here[..equals]) else { continue };
        // Later than the last: keys keep their order, so that a value cannot bring one back.
        if position < next {
            continue;
        }
        next = position + 1;
        marks.push((start, start + equals + 1, KEYS[position]));
        if KEYS[position] == "oggetto" {
            free_until = subject_end.map_or(0, |end| end + 2);
        }
    }
    let ends = marks.iter().skip(1).map(|(start, ..)| start - 2).chain([text.len()]);
    marks.iter().zip(ends).map(|((_, value, key), end)| (*key, &text[(*value).min(end)..end])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(line: &str) -> Event {
        match read(line) {
            Row::Event(event, _) => *event,
            other => panic!("{other:?}: {line}"),
        }
    }

    const START: &str = "Mar 10 09:00:00 pecd host1 [42]: opec1.1@pec.example: ";

    #[test]
    fn a_whole_line_is_read() {
        let line = format!(
            "{START}queueid=AB12: tipo=avvenuta-consegna (Consegna): mittente=A@pec.example: destinatari=b@pec.example (certificato), c@posta.example (ordinario): oggetto=Saluti: message-id=<1@pec.example>: gestore=Posta Esempio: tipo_ricevuta=completa: consegna=b@pec.example: errore=nessuno"
        );
        let event = event(&line);
        assert_eq!((event.identifier.as_str(), event.kind), ("opec1.1@pec.example", Kind::AvvenutaConsegna));
        assert_eq!((event.sender.as_str(), event.provider.as_str()), ("a@pec.example", "Posta Esempio"));
        assert_eq!((event.delivered.as_str(), event.error.as_str()), ("b@pec.example", "nessuno"));
        assert_eq!(super::super::event::addresses(&event.recipients).count(), 2);
    }

    #[test]
    fn a_subject_may_say_anything() {
        for subject in [
            "Re: offerta: prezzo",
            "tipo=accettazione: mittente=x@y.example",
            "prova: message-id=<finto con spazi>: gestore=Altro",
            "prova: message-id=<finto@x.example>: gestore=Altro: errore=virus",
            "finisce con due punti:",
            "",
        ] {
            let line = format!(
                "{START}tipo=accettazione (Accettazione): mittente=a@pec.example: destinatari=b@pec.example (certificato): oggetto={subject}: message-id=<1@pec.example>: gestore=Posta Esempio"
            );
            let event = event(&line);
            assert_eq!(event.provider, "Posta Esempio", "{subject}");
            assert_eq!((event.error.as_str(), event.sender.as_str()), ("", "a@pec.example"), "{subject}");
        }
    }

    #[test]
    fn empty_values_rotations_and_continuations() {
        let line = format!(
            "{START}tipo= (BustaAnomalia): mittente=a@x.example: destinatari=b@pec.example: oggetto=x: message-id=: gestore=Posta Esempio"
        );
        assert_eq!(event(&line).kind, Kind::BustaAnomalia);
        assert_eq!(event("Mar 10 00:00:01 host1 newsyslog[7]: logfile turned over").kind, Kind::Sistema);
        assert_eq!(read("   550 5.1.1 indirizzo non valido"), Row::Continuation);
        assert_eq!(read(&format!("{START}tipo=accettazione")), Row::Unreadable);
        assert_eq!(read("Foo 99 tipo=accettazione: mittente=a: gestore=b"), Row::Unreadable);
    }
}
