//! Writing mail: header folding, encoded words, transfer encodings (RFC 5322, 2045, 2047). CRLF throughout.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Bytes of a base64 line before encoding: 76 characters, the limit of RFC 2045.
const LINE: usize = 57;

/// Appends `bytes` in base64 lines of 76 characters, the last one ended too.
pub fn base64_lines(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len() / LINE * 78 + 80);
    for line in bytes.chunks(LINE) {
        let mut encoded = [0u8; 76];
        let written = STANDARD.encode_slice(line, &mut encoded).expect("57 bytes fit in 76 characters");
        out.extend_from_slice(&encoded[..written]);
        out.extend_from_slice(b"\r\n");
    }
}

/// An unstructured header value: as it is when ASCII, else UTF-8 encoded words (RFC 2047), folded.
pub fn header_text(text: &str) -> String {
    if text.is_ascii() {
        return fold(text);
    }
    let mut words: Vec<String> = Vec::new();
    let mut chunk = String::new();
    for c in text.chars() {
        if chunk.len() + c.len_utf8() > 42 {
            words.push(std::mem::take(&mut chunk));
        }
        chunk.push(c);
    }
    words.push(chunk);
    let words: Vec<String> = words.iter().map(|w| format!("=?UTF-8?B?{}?=", STANDARD.encode(w))).collect();
    words.join("\r\n ")
}

/// Folds before a blank so that lines stay near 76 characters.
pub fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut column = 12;
    for (i, word) in text.split(' ').enumerate() {
        if i > 0 {
            if column + word.len() > 74 && !word.is_empty() {
                out.push_str("\r\n");
                column = 0;
            }
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += word.len();
    }
    out
}

/// Quoted-printable of text in ISO-8859-1; what that cannot say becomes a question mark. Line ends in `text` are CRLF.
pub fn quoted_printable_latin1(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for (i, line) in text.split("\r\n").enumerate() {
        if i > 0 {
            out.push_str("\r\n");
        }
        let mut column = 0;
        let mut chars = line.chars().peekable();
        while let Some(c) = chars.next() {
            let byte = match c {
                '\u{2013}' => b'-',
                '\u{2019}' => b'\'',
                _ => u8::try_from(u32::from(c)).unwrap_or(b'?'),
            };
            let last_blank = byte == b' ' && chars.peek().is_none();
            let plain = (b' '..=b'~').contains(&byte) && byte != b'=' && !last_blank;
            let width = if plain { 1 } else { 3 };
            if column + width > 75 {
                out.push_str("=\r\n");
                column = 0;
            }
            if plain {
                out.push(char::from(byte));
            } else {
                out.push_str(&format!("={byte:02X}"));
            }
            column += width;
        }
    }
    out
}

/// Escapes text for XML content and attributes.
pub fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_survive_a_real_parser() {
        for text in
            ["Semplice", "Perché la qualità dell\u{2019}acqua è un bene: relazione lunga oltre ogni riga ammessa"]
        {
            let mail = format!("Subject: {}\r\n\r\nx", header_text(text));
            let parsed = mail_parser::MessageParser::default().parse(mail.as_bytes()).unwrap();
            assert_eq!(parsed.subject(), Some(text));
            assert!(mail.lines().all(|line| line.len() <= 78), "{mail}");
        }
    }

    #[test]
    fn quoted_printable_survives_a_real_parser() {
        let text = "Il giorno è = 22/11 \r\ne questa riga è decisamente più lunga del limite di settantasei caratteri, perché sì.";
        let mail = format!(
            "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{}",
            quoted_printable_latin1(text)
        );
        let parsed = mail_parser::MessageParser::default().parse(mail.as_bytes()).unwrap();
        assert_eq!(parsed.body_text(0).unwrap(), text);
        assert!(mail.split("\r\n").all(|line| line.len() <= 76));
    }

    #[test]
    fn base64_lines_are_76_wide() {
        let mut out = Vec::new();
        base64_lines(&mut out, &[7; 200]);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().next().unwrap().len(), 76);
        assert_eq!(STANDARD.decode(text.replace("\r\n", "")).unwrap(), vec![7; 200]);
    }
}
