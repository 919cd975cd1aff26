//! Logs of a PEC provider (DPR 68/2005 art. 11): metadata are given, the format is recognised; the rows of plain text
//! are counted on the way. No statutory layout exists, so nothing else is read here.

use std::io::{BufRead, BufReader};

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Extraction, Input, Reader};
use crate::clock::end_of_italian_day;
use crate::error::{AtPlace, Result};

pub struct PecLogReader;

/// Read at a time.
const BUFFER: usize = 64 << 10;

/// The instant by which the log of a period that ends with this day must be time-stamped: 24 hours after its end.
pub fn term_of_log(last_day: Date) -> Option<Timestamp> {
    end_of_italian_day(last_day)?.checked_add(SignedDuration::from_hours(24)).ok()
}

impl Reader for PecLogReader {
    fn read(&self, input: &Input) -> Result<Extraction> {
        let mut extraction = Extraction::default();
        if input.format.media_type.starts_with("text/") {
            let rows = count_rows(BufReader::with_capacity(BUFFER, input.body.open().at("content")?)).at("content")?;
            extraction.fields.insert("rows".to_owned(), rows.into());
        }
        if let Some(day) = input.given.get("day").and_then(Value::as_str).filter(|day| day.parse::<Date>().is_ok()) {
            extraction.set("period_start", day);
            extraction.set("period_end", day);
        }
        Ok(extraction)
    }
}

fn count_rows(mut reader: impl BufRead) -> std::io::Result<u64> {
    let (mut rows, mut last) = (0, b'\n');
    loop {
        let chunk = reader.fill_buf()?;
        let Some(end) = chunk.last() else { break };
        last = *end;
        rows += chunk.iter().filter(|b| **b == b'\n').count() as u64;
        let length = chunk.len();
        reader.consume(length);
    }
    Ok(rows + u64::from(last != b'\n'))
}

#[cfg(test)]
mod tests {
    #[test]
    fn rows_are_counted_with_or_without_a_last_line_end() {
        for (text, rows) in [("", 0), ("a", 1), ("a\n", 1), ("a\r\nb", 2)] {
            assert_eq!(super::count_rows(text.as_bytes()).unwrap(), rows, "{text:?}");
        }
    }
}
