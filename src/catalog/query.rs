//! Questions: what is asked, how it is typed, and which ranges of terms answer it.
//!
//! A criterion does not need to know the kind of its field: it is tried as every kind its value can be read as, and the
//! rows decide. Where the class's fields are given, unknown names and unusable values are errors. Error texts name
//! fields, never values.

use std::ops::Bound;

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::rows::{DocumentRow, Indexed, Order};
use super::terms::{self, Decimal, FieldKind, Span, Value};
use crate::error::{Code, Error, Result};
use crate::id::ClassId;

/// The most rows of one page: a page is held in memory.
pub const MAX_LIMIT: usize = 1_000;
/// The most ties of one query: a look-up asks for all that a round of related documents has in common at once.
pub const MAX_TIES: usize = 1_024;
/// The most criteria of one query, and the longest value: a query is typed by somebody, not generated.
const MAX_CRITERIA: usize = 64;
const MAX_VALUE: usize = 4_096;

/// What every document is found by, whatever its class. A class's own field of the same name comes first.
const BUILT_IN: [(&str, &str, FieldKind); 10] = [
    ("id", "@id", FieldKind::Keyword),
    ("receipt", "@receipt", FieldKind::Keyword),
    ("class", "@class", FieldKind::Keyword),
    ("package", "@package", FieldKind::Keyword),
    ("name", "@name", FieldKind::Keyword),
    ("media_type", "@media_type", FieldKind::Keyword),
    ("sha256", "@sha256", FieldKind::Keyword),
    ("accepted_at", "@accepted_at", FieldKind::Instant),
    ("sequence", "@sequence", FieldKind::Number),
    ("lane", "@lane", FieldKind::Number),
];

/// An indexed field of a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldSpec {
    /// Its name.
    pub name: String,
    /// How it is searched.
    pub kind: FieldKind,
}

/// What a criterion asks of its field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// The value; all the words of a text; a whole day, month or year of a date or instant.
    #[serde(rename = "=")]
    Eq,
    /// A value that starts so; of a text, the last word may be unfinished.
    #[serde(rename = "^=")]
    Prefix,
    /// The value or a greater one.
    #[serde(rename = ">=")]
    Ge,
    /// The value or a smaller one.
    #[serde(rename = "<=")]
    Le,
}

/// One condition on one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Criterion {
    /// The field: a class's, or a built-in one with or without its `@`.
    pub field: String,
    /// The condition.
    pub op: Op,
    /// The value, as typed.
    pub value: String,
}

/// A keyword that ties documents together: one of several is enough.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tie {
    /// The field: a class's, or a built-in one with its `@`.
    pub field: String,
    /// The value; case does not matter.
    pub value: String,
}

/// A question. Everything given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Query {
    /// Only this class.
    pub class: Option<ClassId>,
    /// Conditions.
    pub criteria: Vec<Criterion>,
    /// Accepted at this instant or later.
    pub from: Option<Timestamp>,
    /// Accepted before this instant.
    pub to: Option<Timestamp>,
    /// When there are any, at least one of them must hold.
    pub ties: Vec<Tie>,
    /// Words that must all be in the name or in a keyword or text field.
    pub text: Option<String>,
    /// Rows of a page, 1 to [`MAX_LIMIT`].
    pub limit: usize,
    /// From the page before.
    pub cursor: Option<String>,
}

impl Default for Query {
    fn default() -> Self {
        Self {
            class: None,
            criteria: Vec::new(),
            from: None,
            to: None,
            ties: Vec::new(),
            text: None,
            limit: 100,
            cursor: None,
        }
    }
}

fn invalid(detail: impl Into<String>) -> Error {
    Error::new(Code::QueryInvalid, detail)
}

/// The fields of a row: what `fields` says is indexed and `metadata` has, every element of an array on its own. Values
/// that are not of their field's kind are left out.
pub fn indexed(fields: &[FieldSpec], metadata: &serde_json::Map<String, serde_json::Value>) -> Vec<Indexed> {
    let mut found = Vec::new();
    for spec in fields {
        let values = match metadata.get(&spec.name) {
            Some(serde_json::Value::Array(values)) => values.as_slice(),
            Some(value) => std::slice::from_ref(value),
            None => &[],
        };
        let read = values.iter().filter_map(|value| Value::read(spec.kind, value));
        found.extend(read.map(|value| Indexed { name: spec.name.clone(), value }));
    }
    found
}

impl Criterion {
    /// Reads `FIELD=VALUE`, `FIELD^=PREFIX`, `FIELD>=VALUE` or `FIELD<=VALUE`. The longest known name that the text
    /// starts with is the field (names may hold operators); else all before the first operator.
    pub fn parse(text: &str, known: &[FieldSpec]) -> Result<Self> {
        let mut names: Vec<&str> = known.iter().map(|spec| spec.name.as_str()).collect();
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        let split = names.into_iter().filter(|name| !name.is_empty()).find_map(|name| {
            let (op, value) = operator(text.strip_prefix(name)?)?;
            Some((name, op, value))
        });
        let (field, op, value) = split
            .or_else(|| {
                text.char_indices().find_map(|(at, _)| operator(&text[at..]).map(|(op, v)| (text[..at].trim(), op, v)))
            })
            .filter(|(field, ..)| !field.is_empty())
            .ok_or_else(|| invalid("a criterion has no field or no operator"))?;
        Self { field: field.to_owned(), op, value: value.to_owned() }.resolved(known)
    }

    /// This criterion with its field found among `known` and the built-in ones, its value tried against the field's kind.
    /// With nothing known, any field is taken as it stands.
    pub fn resolved(mut self, known: &[FieldSpec]) -> Result<Self> {
        let mut kinds: Vec<FieldKind> = known.iter().filter(|spec| spec.name == self.field).map(|s| s.kind).collect();
        if kinds.is_empty() {
            match BUILT_IN.iter().find(|(plain, at, _)| *plain == self.field || *at == self.field) {
                Some((_, at, kind)) => {
                    self.field = (*at).to_owned();
                    kinds.push(*kind);
                }
                None if known.is_empty() => {}
                None => {
                    let names: Vec<_> = known.iter().map(|spec| spec.name.as_str()).collect();
                    let built_in: Vec<_> = BUILT_IN.iter().map(|(plain, ..)| *plain).collect();
                    return Err(invalid("unknown field").at(self.field.escape_debug()).hint(format!(
                        "known fields: {}; of every document: {}",
                        names.join(", "),
                        built_in.join(", ")
                    )));
                }
            }
        }
        self.alternatives(&kinds).map(|_| self)
    }

    /// Ways to satisfy it: one of these lists, every span of it. `kinds` empty: all kinds.
    fn alternatives(&self, kinds: &[FieldKind]) -> Result<Vec<Vec<Span>>> {
        use FieldKind::{Date, Instant, Keyword, Number, Text};
        if self.value.len() > MAX_VALUE {
            return Err(invalid(format!("a value longer than {MAX_VALUE} bytes")).at(self.field.escape_debug()));
        }
        let kinds = if kinds.is_empty() { &[Keyword, Text, Date, Instant, Number][..] } else { kinds };
        let mut found: Vec<_> = kinds.iter().filter_map(|kind| self.spans(*kind)).collect();
        if kinds.contains(&Keyword) {
            let spelled = |value| Self { value, ..self.clone() };
            let others =
                spellings(&self.field, &self.value).into_iter().filter(|_| matches!(self.op, Op::Eq | Op::Prefix));
            found.extend(others.filter_map(|value| spelled(value).spans(Keyword)));
        }
        if found.is_empty() {
            let needs: Vec<_> = kinds
                .iter()
                .map(|kind| match kind {
                    Keyword => "a value of moderate length",
                    Text => "words, with = or ^=",
                    Date => "a date (2026, 2026-11 or 2026-11-22)",
                    Instant => "an instant (2026-11-22T10:00:00Z) or a date",
                    Number => "a number with at most six decimals, with =, >= or <=",
                })
                .collect();
            return Err(invalid(format!("this field takes {}", needs.join(", or "))).at(self.field.escape_debug()));
        }
        Ok(found)
    }

    fn spans(&self, kind: FieldKind) -> Option<Vec<Span>> {
        let term = |payload: &[u8]| terms::term(&self.field, kind, payload);
        // From the first to the last payload that satisfies equality: bounds follow from it.
        let between = |first: &[u8], last: Bound<Vec<u8>>| {
            let head = terms::head(&self.field, kind);
            let from = Bound::Included(term(first));
            match self.op {
                Op::Eq | Op::Prefix => Span { from, to: last },
                Op::Ge => Span { from, to: terms::after_prefix(&head) },
                Op::Le => Span { from: Bound::Included(head), to: last },
            }
        };
        Some(match kind {
            FieldKind::Keyword => match self.op {
                Op::Prefix => {
                    let start = terms::fold(&self.value);
                    if start.len() > terms::PREFIX_BYTES {
                        return None;
                    }
                    vec![Span::prefix(term(start.as_bytes()))]
                }
                _ => {
                    let payload = terms::keyword(&self.value);
                    vec![between(&payload, Bound::Included(term(&payload)))]
                }
            },
            FieldKind::Text => {
                let mut words: Vec<_> = terms::words(&self.value).iter().map(|word| term(word.as_bytes())).collect();
                match self.op {
                    Op::Eq if !words.is_empty() => words.into_iter().map(Span::exact).collect(),
                    Op::Prefix => {
                        let last = Span::prefix(words.pop().unwrap_or_else(|| term(b"")));
                        words.into_iter().map(Span::exact).chain([last]).collect()
                    }
                    _ => return None,
                }
            }
            FieldKind::Date => {
                let (first, last) = period(&self.value)?;
                vec![between(first.to_string().as_bytes(), Bound::Included(term(last.to_string().as_bytes())))]
            }
            FieldKind::Instant => match self.value.trim().parse::<Timestamp>() {
                Ok(at) => vec![between(&terms::instant(at), Bound::Included(term(&terms::instant(at))))],
                Err(_) => {
                    // A day is a day in Italy: that is how people and the law count them.
                    let rome = TimeZone::get("Europe/Rome").ok()?;
                    let (first, last) = period(&self.value)?;
                    let from = first.to_zoned(rome.clone()).ok()?.timestamp();
                    let end = last.checked_add(1.day()).ok()?.to_zoned(rome).ok()?.timestamp();
                    vec![between(&terms::instant(from), Bound::Excluded(term(&terms::instant(end))))]
                }
            },
            FieldKind::Number => {
                let payload = terms::number(Decimal::parse(&self.value)?);
                if self.op == Op::Prefix {
                    return None;
                }
                vec![between(&payload, Bound::Included(term(&payload)))]
            }
        })
    }
}

/// Fields that hold names and codes in one spelling: signs gone, one blank between words, codes without any.
const SPELLED: &str = "search_keys";
/// What the names of fields end with that hold VAT numbers, an Italian one with its country.
const VAT: &str = "_vat";

/// Other forms under which what somebody typed may stand: `Rossi & Figli S.p.A.` and `IT 012345…` in [`SPELLED`], a VAT number without
/// its country. Names of fields mean the same in every class.
fn spellings(field: &str, value: &str) -> Vec<String> {
    if field == SPELLED {
        let words = terms::words(value);
        return vec![words.join(" "), words.concat()].into_iter().filter(|form| !form.is_empty()).collect();
    }
    let digits: String = value.chars().filter(|c| !c.is_whitespace()).collect();
    let bare = field.ends_with(VAT) && digits.bytes().all(|b| b.is_ascii_digit());
    if bare { vec![format!("IT{digits}")] } else { Vec::new() }
}

/// The operator a text starts with, and what follows it.
fn operator(text: &str) -> Option<(Op, &str)> {
    [("^=", Op::Prefix), (">=", Op::Ge), ("<=", Op::Le), ("=", Op::Eq)]
        .into_iter()
        .find_map(|(sign, op)| text.strip_prefix(sign).map(|value| (op, value)))
}

/// First and last day of `2026`, `2026-11` or `2026-11-22`.
fn period(text: &str) -> Option<(Date, Date)> {
    let text = text.trim();
    let digits =
        text.bytes().enumerate().all(|(at, b)| if at == 4 || at == 7 { b == b'-' } else { b.is_ascii_digit() });
    if !digits {
        return None;
    }
    match text.len() {
        4 => {
            let first: Date = format!("{text}-01-01").parse().ok()?;
            Some((first, first.last_of_year()))
        }
        7 => {
            let first: Date = format!("{text}-01").parse().ok()?;
            Some((first, first.last_of_month()))
        }
        10 => text.parse().ok().map(|day| (day, day)),
        _ => None,
    }
}

impl Query {
    /// A query from typed criteria; see [`Criterion::parse`].
    pub fn parse<S: AsRef<str>>(class: Option<ClassId>, criteria: &[S], known: &[FieldSpec]) -> Result<Self> {
        let criteria = criteria.iter().map(|text| Criterion::parse(text.as_ref(), known)).collect::<Result<_>>()?;
        Ok(Self { class, criteria, ..Self::default() })
    }

    /// As [`Criterion::resolved`], for all of them.
    pub fn resolved(mut self, known: &[FieldSpec]) -> Result<Self> {
        self.criteria = self.criteria.into_iter().map(|c| c.resolved(known)).collect::<Result<_>>()?;
        Ok(self)
    }

    /// What both catalogs evaluate.
    pub(super) fn compile(&self) -> Result<Compiled> {
        if !(1..=MAX_LIMIT).contains(&self.limit) {
            return Err(invalid(format!("limit must be 1 to {MAX_LIMIT}")).at("limit"));
        }
        if self.criteria.len() > MAX_CRITERIA {
            return Err(invalid(format!("more than {MAX_CRITERIA} criteria")));
        }
        let mut clauses = Vec::new();
        if let Some(class) = &self.class {
            clauses.push(vec![vec![Span::exact(terms::term("@class", FieldKind::Keyword, class.as_str().as_bytes()))]]);
        }
        for criterion in &self.criteria {
            clauses.push(criterion.alternatives(&[])?);
        }
        if self.ties.len() > MAX_TIES || self.ties.iter().any(|tie| tie.value.len() > MAX_VALUE) {
            return Err(invalid(format!("more than {MAX_TIES} ties, or one longer than {MAX_VALUE} bytes")));
        }
        let tie = |tie: &Tie| terms::term(&tie.field, FieldKind::Keyword, &terms::keyword(&tie.value));
        let ties: Vec<Vec<u8>> = self.ties.iter().map(tie).collect();
        if !ties.is_empty() {
            clauses.push(ties.iter().map(|term| vec![Span::exact(term.clone())]).collect());
        }
        if let Some(text) = &self.text {
            let any = Criterion { field: terms::ANY.to_owned(), op: Op::Eq, value: text.clone() };
            clauses.push(any.alternatives(&[FieldKind::Text])?);
        }
        let before = match &self.cursor {
            Some(cursor) => Some(Order::of_cursor(cursor).ok_or_else(|| invalid("not a cursor").at("cursor"))?),
            None => None,
        };
        let ms = |at: Timestamp| terms::ordered(at.as_millisecond());
        Ok(Compiled {
            clauses,
            ties,
            before,
            from: self.from.map_or(0, ms),
            to: self.to.map_or(u64::MAX, ms),
            limit: self.limit,
        })
    }
}

/// A query as ranges of terms: every clause holds when all spans of one of its alternatives do.
#[derive(Debug)]
pub(super) struct Compiled {
    pub clauses: Vec<Vec<Vec<Span>>>,
    /// The terms of the clause of which one is enough; a catalog that keeps an index of them starts there.
    pub ties: Vec<Vec<u8>>,
    /// Only what comes after this place.
    pub before: Option<Order>,
    /// Accepted from here …
    pub from: u64,
    /// … to before here.
    pub to: u64,
    pub limit: usize,
}

impl Compiled {
    /// Whether a document at this place can be on the page, its terms aside.
    pub fn admits(&self, order: &Order) -> bool {
        self.from <= order.ms && order.ms < self.to && self.before.is_none_or(|before| *order < before)
    }
}

/// All terms of a document, ascending, each once.
pub(super) fn of_document(row: &DocumentRow) -> Vec<Vec<u8>> {
    let keyword = |field: &str, text: &str| terms::term(field, FieldKind::Keyword, &terms::keyword(text));
    let mut found = vec![
        keyword("@id", &row.id.to_string()),
        keyword("@receipt", &row.receipt.to_string()),
        keyword("@class", row.class.as_str()),
        keyword("@name", &row.name),
        keyword("@media_type", &row.media_type),
        keyword("@sha256", &row.sha256.to_string()),
        terms::term("@accepted_at", FieldKind::Instant, &terms::instant(row.accepted_at)),
    ];
    found.extend(row.package.as_ref().map(|package| keyword("@package", &package.to_string())));
    for (field, n) in [("@sequence", row.sequence.0), ("@lane", row.lane.0.into())] {
        found.extend(Decimal::parse(&n.to_string()).map(|n| terms::term(field, FieldKind::Number, &terms::number(n))));
    }
    let any = |text: &str| terms::of_value(terms::ANY, &Value::Text(text.to_owned()));
    found.extend(any(&row.name));
    for Indexed { name, value } in &row.fields {
        found.extend(terms::of_value(name, value));
        if let Value::Keyword(text) | Value::Text(text) = value {
            found.extend(any(text));
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

impl std::fmt::Display for Criterion {
    /// Field and operator; never the value.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let op = match self.op {
            Op::Eq => "=",
            Op::Prefix => "^=",
            Op::Ge => ">=",
            Op::Le => "<=",
        };
        write!(f, "{}{op}…", self.field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Vec<FieldSpec> {
        [
            ("seller", FieldKind::Keyword),
            ("subject", FieldKind::Text),
            ("date", FieldKind::Date),
            ("sent", FieldKind::Instant),
            ("total", FieldKind::Number),
            ("a=b", FieldKind::Keyword),
            ("name", FieldKind::Text),
        ]
        .map(|(name, kind)| FieldSpec { name: name.to_owned(), kind })
        .to_vec()
    }

    fn parsed(text: &str) -> (String, Op, String) {
        let c = Criterion::parse(text, &known()).unwrap();
        (c.field, c.op, c.value)
    }

    #[test]
    fn criteria_are_read_as_typed() {
        assert_eq!(parsed("seller=Esempio = S.p.A."), ("seller".into(), Op::Eq, "Esempio = S.p.A.".into()));
        assert_eq!(parsed("seller^=Es"), ("seller".into(), Op::Prefix, "Es".into()));
        assert_eq!(parsed("total>=10"), ("total".into(), Op::Ge, "10".into()));
        assert_eq!(parsed("date<=2026-11"), ("date".into(), Op::Le, "2026-11".into()));
        assert_eq!(parsed("a=b=c=d"), ("a=b".into(), Op::Eq, "c=d".into()));
        assert_eq!(parsed("sha256^=ab").0, "@sha256");
        assert_eq!(parsed("name=x").0, "name", "a class's own field comes before the built-in one");
    }

    #[test]
    fn what_cannot_be_meant_is_an_error_that_names_the_field_and_never_the_value() {
        for text in
            ["", "=x", "seller", "total=SENTINEL", "total^=1", "date=SENTINEL", "date=2026-13", "subject>=SENTINEL"]
        {
            let error = Criterion::parse(text, &known()).unwrap_err();
            assert_eq!(error.code, Code::QueryInvalid, "{text}");
            assert!(!error.to_string().contains("SENTINEL"), "{error}");
        }
        let error = Criterion::parse("colour=red", &known()).unwrap_err();
        assert_eq!(error.place, "colour");
        assert!(error.hint.unwrap().contains("seller, subject, date"));
        assert!(Criterion::parse("colour=red", &[]).is_ok());
        assert!(Criterion::parse(&format!("seller={}", "x".repeat(5000)), &known()).is_err());
        assert!(Criterion::parse(&format!("seller^={}", "x".repeat(300)), &known()).is_err());
    }

    #[test]
    fn limits_and_cursors_are_checked() {
        for limit in [0, MAX_LIMIT + 1] {
            assert!(Query { limit, ..Query::default() }.compile().is_err());
        }
        for cursor in ["", "x", &"é".repeat(34), &"g".repeat(68)] {
            let query = Query { cursor: Some(cursor.to_owned()), ..Query::default() };
            assert_eq!(query.compile().unwrap_err().place, "cursor");
        }
        assert!(Query { text: Some("!!".into()), ..Query::default() }.compile().is_err());
    }

    #[test]
    fn a_query_travels_as_json() {
        let query: Query = serde_json::from_str(r#"{"criteria":[{"field":"total","op":">=","value":"1"}]}"#).unwrap();
        assert_eq!((query.criteria[0].op, query.limit), (Op::Ge, 100));
        assert!(serde_json::from_str::<Query>(r#"{"clas":"x"}"#).is_err());
    }

    #[test]
    fn only_values_of_their_kind_are_indexed() {
        let metadata =
            serde_json::json!({ "seller": ["a", "b", {"c": 1}], "total": 12.5, "date": "not a date", "other": "x" });
        let found = indexed(&known(), metadata.as_object().unwrap());
        let names: Vec<_> = found.iter().map(|i| i.name.as_str()).collect();
        assert_eq!(names, ["seller", "seller", "total"]);
        assert_eq!(found[2].value, Value::Number(Decimal(12_500_000)));
    }
}
