//! The proposed CSV: RFC 4180 quotes, `;`, `,`, tab or `|`, or what a first line `sep=` names; a header row with columns in any order and under usual names.
//!
//! Invariant: a row that cannot be read is counted and the next line is read as if it had not been there: one stray quote
//! never swallows the file. Each line is looked at twice at most.

use std::collections::{BTreeMap, VecDeque};
use std::io::BufRead;

use super::event::{Event, Kind};
use super::lines::{Line, Lines, Reading, text};
use super::moment;

/// Lines that one row may span: an extended error may hold a bounce message.
const MOST_LINES: usize = 1000;
/// Longest row.
const LONGEST: usize = 512 << 10;
/// Most columns.
const MOST_COLUMNS: usize = 256;

/// The columns, in the order of the proposal.
pub const COLUMNS: [&str; 16] = [
    "identificativo",
    "data_ora",
    "evento",
    "mittente",
    "destinatari",
    "oggetto",
    "msgid",
    "message_id_evento",
    "gestore_mittente",
    "gestore_emittente",
    "tipo_ricevuta",
    "consegna",
    "ricezione",
    "errore",
    "errore_esteso",
    "virus",
];

/// Other names of columns met in the field, without signs and in lower case.
const ALIASES: [(&str, &str); 30] = [
    ("id", "identificativo"),
    ("idmessaggio", "identificativo"),
    ("identifier", "identificativo"),
    ("codiceidentificativo", "identificativo"),
    ("identificativomessaggio", "identificativo"),
    ("data", "data_ora"),
    ("dataevento", "data_ora"),
    ("dataoraevento", "data_ora"),
    ("timestamp", "data_ora"),
    ("datetime", "data_ora"),
    ("tipo", "evento"),
    ("tipoevento", "evento"),
    ("event", "evento"),
    ("operazione", "evento"),
    ("from", "mittente"),
    ("sender", "mittente"),
    ("destinatario", "destinatari"),
    ("to", "destinatari"),
    ("recipients", "destinatari"),
    ("subject", "oggetto"),
    ("messageid", "msgid"),
    ("messageidoriginale", "msgid"),
    ("idevento", "message_id_evento"),
    ("gestore", "gestore_emittente"),
    ("provider", "gestore_emittente"),
    ("consegnatoa", "consegna"),
    ("ricevuto", "ricezione"),
    ("erroreesteso", "errore_esteso"),
    ("error", "errore"),
    ("tiporicevuta", "tipo_ricevuta"),
];

/// What parts columns.
const DELIMITERS: [u8; 4] = [b';', b',', b'\t', b'|'];

/// The delimiter that a spreadsheet's own first line names: `sep=;`.
pub fn announced(line: &[u8]) -> Option<u8> {
    match line.trim_ascii() {
        [s, e, p, b'=', delimiter] if [s, e, p].map(u8::to_ascii_lowercase) == *b"sep" => {
            (!delimiter.is_ascii_alphanumeric() && *delimiter != b'"').then_some(*delimiter)
        }
        // The tab, taken for a blank at the end.
        line if line.eq_ignore_ascii_case(b"sep=") => Some(b'\t'),
        _ => None,
    }
}

/// How a file's columns are laid out.
#[derive(Debug, Clone)]
pub struct Layout {
    delimiter: u8,
    /// Position of each known column.
    positions: BTreeMap<&'static str, usize>,
    /// The first row names the columns.
    pub header: bool,
    /// A line before it names the delimiter.
    pub announced: bool,
}

fn bare(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn column(name: &str, own: &BTreeMap<String, String>) -> Option<&'static str> {
    let name = bare(name);
    let own = own.iter().find(|(_, theirs)| bare(theirs) == name).map(|(ours, _)| bare(ours));
    let wanted = own.unwrap_or(name);
    let known = COLUMNS.iter().find(|known| bare(known) == wanted).copied();
    known.or_else(|| ALIASES.iter().find(|(alias, _)| *alias == wanted).map(|(_, known)| *known))
}

impl Layout {
    /// The layout that the first line shows, behind one that names the delimiter where there is such a line. `own` names columns as the producer says: ours to theirs. `None` when the
    /// line is neither a header nor a row in the order of the proposal.
    pub fn of(first: &[u8], own: &BTreeMap<String, String>, named: Option<u8>) -> Option<Self> {
        let announced = named.is_some();
        let delimiters: Vec<u8> = named.map_or_else(|| DELIMITERS.to_vec(), |named| vec![named]);
        let mut best: Option<Self> = None;
        for delimiter in delimiters.iter().copied() {
            let Some(fields) = row(first, delimiter) else { continue };
            let mut positions = BTreeMap::new();
            for (at, field) in fields.iter().enumerate() {
                if let Some(name) = column(&text(field).0, own) {
                    positions.entry(name).or_insert(at);
                }
            }
            if best.as_ref().is_none_or(|known| positions.len() > known.positions.len()) {
                best = Some(Self { delimiter, positions, header: true, announced });
            }
        }
        // A header names at least what a row cannot do without.
        let named = best.filter(|layout| {
            ["identificativo", "evento", "data_ora"].iter().filter(|name| layout.positions.contains_key(*name)).count()
                >= 2
        });
        named.or_else(|| {
            delimiters.iter().copied().find_map(|delimiter| {
                let fields = row(first, delimiter)?;
                let dated = fields.get(1).is_some_and(|field| moment::parse(&text(field).0).is_some());
                let positions = COLUMNS.iter().enumerate().map(|(at, name)| (*name, at)).collect();
                (dated && fields.len() >= 5).then_some(Self { delimiter, positions, header: false, announced })
            })
        })
    }
}

/// What was read.
pub enum Row {
    /// An event, with the line it begins at and how its text was read.
    Event(u64, Box<Event>, Reading),
    /// A row that cannot be read.
    Unreadable(u64),
}

/// The rows of a file.
pub struct Rows<R> {
    lines: Lines<R>,
    /// Lines to be read again after a row that never closed its quotes.
    again: VecDeque<Line>,
    layout: Layout,
}

impl<R: BufRead> Rows<R> {
    pub fn new(lines: Lines<R>, layout: Layout) -> Self {
        Self { lines, again: VecDeque::new(), layout }
    }

    fn line(&mut self) -> std::io::Result<Option<Line>> {
        match self.again.pop_front() {
            Some(line) => Ok(Some(line)),
            None => self.lines.next_line(),
        }
    }

    /// The next row; blank lines are none.
    pub fn next_row(&mut self) -> std::io::Result<Option<Row>> {
        let first = loop {
            match self.line()? {
                None => return Ok(None),
                Some(line) if line.bytes.trim_ascii().is_empty() && !line.cut => {}
                Some(line) => break line,
            }
        };
        let number = first.number;
        let mut parser = Parser::new(self.layout.delimiter);
        let mut cut = first.cut;
        let mut size = first.bytes.len();
        let mut state = parser.feed(&first.bytes);
        let mut joined: Vec<Line> = Vec::new();
        while state == State::Open && joined.len() < MOST_LINES && size < LONGEST && !cut {
            let Some(next) = self.line()? else { break };
            size += next.bytes.len();
            cut |= next.cut;
            state = parser.feed(&next.bytes);
            joined.push(next);
        }
        if state != State::Complete || cut {
            for line in joined.into_iter().rev() {
                self.again.push_front(line);
            }
            return Ok(Some(Row::Unreadable(number)));
        }
        Ok(Some(
            self.event(&parser.fields)
                .map_or(Row::Unreadable(number), |(event, reading)| Row::Event(number, Box::new(event), reading)),
        ))
    }

    fn event(&self, fields: &[Vec<u8>]) -> Option<(Event, Reading)> {
        let mut worst = Reading::Plain;
        let mut get = |name: &str| {
            let field = self.layout.positions.get(name).and_then(|at| fields.get(*at));
            let (value, reading) = field.map_or_else(|| (String::new(), Reading::Plain), |field| text(field));
            worst = worst.max(reading);
            // What a guarded export puts before `=`, `+`, `-` and `@`.
            let guarded = value.strip_prefix('\'').filter(|rest| rest.starts_with(['=', '+', '-', '@']));
            guarded.unwrap_or(&value).trim().to_owned()
        };
        // Looked at for its encoding alone: it is the column where encodings mix.
        get("oggetto");
        let identifier = get("identificativo").trim_matches(['<', '>']).to_owned();
        let at = moment::parse(&get("data_ora"))?;
        let tipo = get("evento");
        let kind = Kind::of(&tipo, &tipo);
        if identifier.is_empty() && tipo.is_empty() {
            return None;
        }
        let provider =
            Some(get("gestore_emittente")).filter(|p| !p.is_empty()).unwrap_or_else(|| get("gestore_mittente"));
        let event = Event {
            at: Some(at),
            kind: if identifier.is_empty() { Kind::Sistema } else { kind },
            sender: get("mittente").to_lowercase(),
            recipients: get("destinatari"),
            provider,
            delivered: get("consegna"),
            taken: get("ricezione"),
            error: get("errore"),
            identifier,
        };
        Some((event, worst))
    }
}

/// One row that stands on one line.
fn row(line: &[u8], delimiter: u8) -> Option<Vec<Vec<u8>>> {
    let mut parser = Parser::new(delimiter);
    let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
    (parser.feed(line) == State::Complete).then_some(parser.fields)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The row is whole.
    Complete,
    /// A quote is open: the row goes on in the next line.
    Open,
    /// Not RFC 4180.
    Bad,
}

struct Parser {
    delimiter: u8,
    fields: Vec<Vec<u8>>,
    field: Vec<u8>,
    quoted: bool,
    started: bool,
}

impl Parser {
    fn new(delimiter: u8) -> Self {
        Self { delimiter, fields: Vec::new(), field: Vec::new(), quoted: false, started: false }
    }

    /// One line; the ones after the first go on inside quotes.
    fn feed(&mut self, line: &[u8]) -> State {
        let mut at = 0;
        if self.quoted {
            self.field.push(b'\n');
        } else if !self.started {
            at = if line.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
        }
        self.started = true;
        loop {
            if self.quoted {
                match line.get(at) {
                    None => return State::Open,
                    Some(b'"') if line.get(at + 1) == Some(&b'"') => {
                        self.field.push(b'"');
                        at += 2;
                    }
                    Some(b'"') => {
                        self.quoted = false;
                        at += 1;
                        if line.get(at).is_some_and(|next| *next != self.delimiter) {
                            return State::Bad;
                        }
                    }
                    Some(byte) => {
                        self.field.push(*byte);
                        at += 1;
                    }
                }
                continue;
            }
            match line.get(at) {
                None => {
                    self.fields.push(std::mem::take(&mut self.field));
                    return State::Complete;
                }
                Some(byte) if *byte == self.delimiter => {
                    self.fields.push(std::mem::take(&mut self.field));
                    if self.fields.len() >= MOST_COLUMNS {
                        return State::Bad;
                    }
                    at += 1;
                }
                // A quote inside a field that does not begin with one is a character like others.
                Some(b'"') if self.field.is_empty() && !line[..at].ends_with(b"\"") => {
                    self.quoted = true;
                    at += 1;
                }
                Some(byte) => {
                    self.field.push(*byte);
                    at += 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<String> {
        let mut lines = Lines::ending(text.as_bytes(), b'\n');
        let first = lines.next_line().unwrap().unwrap();
        let layout = Layout::of(&first.bytes, &BTreeMap::new(), None).unwrap();
        let mut rows = Rows::new(lines, layout);
        let mut out = Vec::new();
        while let Some(row) = rows.next_row().unwrap() {
            out.push(match row {
                Row::Event(line, event, _) => format!("{line} {} {}", event.identifier, event.sender),
                Row::Unreadable(line) => format!("{line} ?"),
            });
        }
        out
    }

    #[test]
    fn columns_are_found_by_name_whatever_order_and_separator() {
        for (header, row) in [
            ("identificativo;data_ora;evento;mittente", "1@x;2026-03-10T09:00:00+01:00;accettazione;a@x"),
            ("\u{feff}Mittente,Evento,Data ora,ID messaggio", "a@x,accettazione,10/03/2026 09:00:00,1@x"),
            ("tipo\tsender\tidentifier\ttimestamp", "accettazione\ta@x\t1@x\t2026-03-10 09:00:00"),
        ] {
            assert_eq!(rows(&format!("{header}\r\n{row}\r\n\r\n")), ["2 1@x a@x"], "{header}");
        }
        let own = BTreeMap::from([("identificativo".to_owned(), "Chiave".to_owned())]);
        assert!(Layout::of(b"Chiave;Quando;evento", &own, None).unwrap().header);
        assert!(Layout::of(b"una riga qualsiasi", &BTreeMap::new(), None).is_none());
        let bare = b"1@x;2026-03-10T09:00:00+01:00;accettazione;a@x;b@x:certificato;oggetto";
        assert!(!Layout::of(bare, &BTreeMap::new(), None).unwrap().header);
    }

    #[test]
    fn quotes_span_lines_and_a_stray_one_costs_one_row() {
        let header = "identificativo;data_ora;evento;mittente;oggetto";
        let row = |n: u8, subject: &str| format!("{n}@x;2026-03-10T09:00:00Z;accettazione;a@x;{subject}");
        let text = [header, &row(1, "\"due\r\nrighe; \"\"e\"\" altro\""), &row(2, "semplice"), &row(3, "misu\"ra")]
            .join("\r\n");
        assert_eq!(rows(&text), ["2 1@x a@x", "4 2@x a@x", "5 3@x a@x"]);
        let text = [header, &row(1, "\"mai chiuso"), &row(2, "b"), "x;y", &row(3, "c"), &row(4, "\"d\"e")].join("\n");
        assert_eq!(rows(&text), ["2 ?", "3 2@x a@x", "4 ?", "5 3@x a@x", "6 ?"]);
    }

    #[test]
    fn many_open_quotes_are_not_quadratic() {
        let mut text = String::from("identificativo;data_ora;evento\n");
        for _ in 0..40_000 {
            text.push_str("\"aperta;x\n");
        }
        let started = std::time::Instant::now();
        assert!(rows(&text).len() >= 20_000);
        assert!(started.elapsed().as_secs() < 20);
    }
}
