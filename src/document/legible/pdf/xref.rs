//! Where the objects of a PDF are (ISO 32000-1 sections 7.5.4 to 7.5.8): tables and streams, each naming the one before.
//!
//! Invariant: the chain is bounded and never followed twice to the same place; an inflated stream is bounded before it is
//! made.

use std::collections::{BTreeMap, HashSet};
use std::io::Read;

use flate2::bufread::ZlibDecoder;

use super::object::{Object, Parser};

const MAX_SECTIONS: usize = 512;
const MAX_OBJECTS: usize = 2_000_000;
/// Largest cross-reference or object stream once inflated.
const MAX_STREAM: u64 = 32 << 20;
/// All of them together.
const MAX_INFLATED: u64 = 128 << 20;

/// Where one object is.
#[derive(Debug, Clone, Copy)]
pub enum Place {
    /// At this byte.
    At(usize),
    /// The n-th of this object stream.
    Inside(u32, usize),
}

/// An object stream: its number, its inflated bytes, and where in them the first object begins.
type OpenStream = (u32, std::rc::Rc<Vec<u8>>, usize);

/// All objects, and the newest trailer.
pub struct Objects<'a> {
    bytes: &'a [u8],
    places: BTreeMap<u32, Place>,
    pub trailer: BTreeMap<String, Object>,
    /// The last object stream opened: pages stand side by side in them.
    open: std::cell::RefCell<Option<OpenStream>>,
    /// Rows read so far: sections that overlap must not be read for ever.
    rows: usize,
    /// What may still be inflated.
    left: std::cell::Cell<u64>,
}

impl<'a> Objects<'a> {
    /// Follows the chain from the last section on.
    pub fn read(bytes: &'a [u8], start: usize) -> Result<Self, &'static str> {
        let mut objects = Self {
            bytes,
            places: BTreeMap::new(),
            trailer: BTreeMap::new(),
            open: std::cell::RefCell::default(),
            rows: 0,
            left: std::cell::Cell::new(MAX_INFLATED),
        };
        let mut met = HashSet::new();
        let mut waiting = vec![start];
        while let Some(at) = waiting.pop() {
            if !met.insert(at) {
                return Err("its cross-reference sections come back to one another");
            }
            if met.len() > MAX_SECTIONS {
                return Err("too many cross-reference sections");
            }
            let trailer = objects.section(at)?;
            let next = |key: &str| trailer.get(key).and_then(Object::integer).and_then(|at| usize::try_from(at).ok());
            // The older is looked at last; hybrid files have a stream beside the table.
            waiting.extend(next("Prev"));
            waiting.extend(next("XRefStm"));
            for (key, value) in trailer {
                objects.trailer.entry(key).or_insert(value);
            }
        }
        Ok(objects)
    }

    fn section(&mut self, at: usize) -> Result<BTreeMap<String, Object>, &'static str> {
        const WRONG: &str = "a cross-reference section is not where it should be";
        if at >= self.bytes.len() {
            return Err(WRONG);
        }
        let mut parser = Parser::new(self.bytes, at);
        if !parser.word(b"xref") {
            return self.stream_section(at).ok_or(WRONG);
        }
        while !parser.word(b"trailer") {
            let (first, count) = parser.number().zip(parser.number()).ok_or(WRONG)?;
            for n in 0..count {
                let (offset, _) = parser.number().zip(parser.number()).ok_or(WRONG)?;
                let used = parser.word(b"n");
                if !used && !parser.word(b"f") {
                    return Err(WRONG);
                }
                let number = first.saturating_add(n);
                self.place(number, used.then(|| Place::At(usize::try_from(offset).unwrap_or(usize::MAX))))?;
            }
        }
        match parser.object() {
            Some(Object::Dictionary(trailer)) => Ok(trailer),
            _ => Err("its trailer is not readable"),
        }
    }

    fn place(&mut self, number: u64, place: Option<Place>) -> Result<(), &'static str> {
        self.rows += 1;
        if self.rows > MAX_OBJECTS {
            return Err("too many objects");
        }
        if let (Ok(number), Some(place)) = (u32::try_from(number), place) {
            self.places.entry(number).or_insert(place);
        }
        Ok(())
    }

    fn stream_section(&mut self, at: usize) -> Option<BTreeMap<String, Object>> {
        let (object, data) = self.stream_at(at)?;
        let Object::Dictionary(dictionary) = object else { return None };
        if dictionary.get("Type")?.name()? != "XRef" {
            return None;
        }
        let Object::Array(widths) = dictionary.get("W")? else { return None };
        let widths: Vec<usize> = widths.iter().filter_map(|w| usize::try_from(w.integer()?).ok()).collect();
        let [a, b, c] = widths[..] else { return None };
        let row = a.checked_add(b)?.checked_add(c)?;
        if row == 0 || row > 32 || a > 8 || b > 8 || c > 8 {
            return None;
        }
        let size = dictionary.get("Size").and_then(Object::integer)?;
        let index: Vec<u64> = match dictionary.get("Index") {
            Some(Object::Array(pairs)) => pairs.iter().map(Object::integer).collect::<Option<_>>()?,
            _ => vec![0, size],
        };
        let value = |bytes: &[u8]| bytes.iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
        let mut rows = data.chunks_exact(row);
        for pair in index.chunks_exact(2) {
            for n in 0..pair[1] {
                let Some(row) = rows.next() else { break };
                let kind = if a == 0 { 1 } else { value(&row[..a]) };
                let (second, third) = (value(&row[a..a + b]), value(&row[a + b..]));
                let place = match kind {
                    1 => Place::At(usize::try_from(second).ok()?),
                    2 => Place::Inside(u32::try_from(second).ok()?, usize::try_from(third).ok()?),
                    _ => continue,
                };
                self.place(pair[0].checked_add(n)?, Some(place)).ok()?;
            }
        }
        Some(dictionary)
    }

    /// The dictionary and the inflated data of the stream object at this byte.
    fn stream_at(&self, at: usize) -> Option<(Object, Vec<u8>)> {
        let mut parser = Parser::new(self.bytes, at);
        parser.number()?;
        parser.number()?;
        if !parser.word(b"obj") {
            return None;
        }
        let dictionary = parser.object()?;
        if !parser.word(b"stream") {
            return None;
        }
        let from = match self.bytes.get(parser.at..)? {
            [b'\r', b'\n', ..] => parser.at + 2,
            [b'\n' | b'\r', ..] => parser.at + 1,
            _ => parser.at,
        };
        let rest = self.bytes.get(from..)?;
        let length = dictionary.get("Length").and_then(Object::integer).and_then(|length| usize::try_from(length).ok());
        let raw = match length.and_then(|length| rest.get(..length)) {
            Some(raw) => raw,
            // The length is an object of its own: the data end where they say.
            None => &rest[..find(rest, b"endstream")?],
        };
        let data = match dictionary.get("Filter") {
            None => raw.get(..raw.len().min(MAX_STREAM as usize))?.to_vec(),
            Some(filter) => {
                let flate = match filter {
                    Object::Name(name) => name == "FlateDecode",
                    Object::Array(names) => matches!(&names[..], [Object::Name(name)] if name == "FlateDecode"),
                    _ => false,
                };
                if !flate {
                    return None;
                }
                let mut data = Vec::new();
                ZlibDecoder::new(raw).take(MAX_STREAM + 1).read_to_end(&mut data).ok()?;
                let left = self.left.get().checked_sub(data.len() as u64)?;
                self.left.set(left);
                if data.len() as u64 > MAX_STREAM {
                    return None;
                }
                data
            }
        };
        let parms = match dictionary.get("DecodeParms") {
            Some(Object::Array(list)) => list.first().cloned(),
            other => other.cloned(),
        };
        let data = match parms.as_ref().and_then(|parms| parms.get("Predictor")).and_then(Object::integer) {
            None | Some(1) => data,
            Some(10..=15) => {
                let columns =
                    parms.as_ref().and_then(|parms| parms.get("Columns")).and_then(Object::integer).unwrap_or(1);
                unpredict(&data, usize::try_from(columns).ok().filter(|columns| (1..=4096).contains(columns))?)?
            }
            Some(_) => return None,
        };
        Some((dictionary, data))
    }

    /// An object by its number.
    pub fn get(&self, number: u32) -> Option<Object> {
        match *self.places.get(&number)? {
            Place::At(at) => {
                let mut parser = Parser::new(self.bytes, at);
                let found = parser.number()?;
                parser.number()?;
                if found != u64::from(number) || !parser.word(b"obj") {
                    return None;
                }
                parser.object()
            }
            Place::Inside(stream, n) => {
                let (data, first) = self.object_stream(stream)?;
                let mut parser = Parser::new(&data, 0);
                for _ in 0..n.min(100_000) {
                    parser.number()?;
                    parser.number()?;
                }
                let (found, offset) = parser.number().zip(parser.number())?;
                if found != u64::from(number) {
                    return None;
                }
                Parser::new(&data, first.checked_add(usize::try_from(offset).ok()?)?).object()
            }
        }
    }

    fn object_stream(&self, number: u32) -> Option<(std::rc::Rc<Vec<u8>>, usize)> {
        if let Some((known, data, first)) = &*self.open.borrow()
            && *known == number
        {
            return Some((std::rc::Rc::clone(data), *first));
        }
        let Place::At(at) = *self.places.get(&number)? else { return None };
        let (dictionary, data) = self.stream_at(at)?;
        let first = usize::try_from(dictionary.get("First").and_then(Object::integer)?).ok()?;
        let data = std::rc::Rc::new(data);
        *self.open.borrow_mut() = Some((number, std::rc::Rc::clone(&data), first));
        Some((data, first))
    }
}

/// Where this begins.
pub fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// PNG predictors (of which cross-reference streams use "up"), one byte a sample.
fn unpredict(data: &[u8], columns: usize) -> Option<Vec<u8>> {
    let mut out: Vec<u8> = Vec::with_capacity(data.len());
    let mut above = vec![0u8; columns];
    for row in data.chunks_exact(columns + 1) {
        let mut line = row[1..].to_vec();
        for at in 0..columns {
            let (left, up) = (if at > 0 { line[at - 1] } else { 0 }, above[at]);
            let corner = if at > 0 { above[at - 1] } else { 0 };
            let add = match row[0] {
                0 => 0,
                1 => left,
                2 => up,
                3 => ((u16::from(left) + u16::from(up)) / 2) as u8,
                4 => paeth(left, up, corner),
                _ => return None,
            };
            line[at] = line[at].wrapping_add(add);
        }
        out.extend_from_slice(&line);
        above = line;
    }
    Some(out)
}

fn paeth(left: u8, up: u8, corner: u8) -> u8 {
    let guess = i16::from(left) + i16::from(up) - i16::from(corner);
    let far = |value: u8| (guess - i16::from(value)).abs();
    if far(left) <= far(up) && far(left) <= far(corner) {
        left
    } else if far(up) <= far(corner) {
        up
    } else {
        corner
    }
}
