//! Logs of a PEC provider (DPR 68/2005 art. 11): metadata are given, the format is recognised; the rows of plain text
//! are counted on the way. No statutory layout exists, so nothing else is read here.

use std::io::{BufRead, BufReader};

use super::{Extraction, Input, Reader};
use crate::error::{AtPlace, Result};

pub struct PecLogReader;

/// Read at a time.
const BUFFER: usize = 64 << 10;

impl Reader for PecLogReader {
    fn read(&self, input: &Input) -> Result<Extraction> {
        let mut extraction = Extraction::default();
        if input.format.media_type.starts_with("text/") {
            let rows = count_rows(BufReader::with_capacity(BUFFER, input.body.open().at("content")?)).at("content")?;
            extraction.fields.insert("rows".to_owned(), rows.into());
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
