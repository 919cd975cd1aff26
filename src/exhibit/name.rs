//! Names of files inside a bundle: the name somebody gave, made such that no file system is led astray.
//!
//! Invariant: one path component, no separator, no control or format character, never `.` or `..`, never a device of
//! Windows, at most [`MAX`] bytes; the extension survives. The original stands in the metadata file.

use unicode_normalization::UnicodeNormalization as _;

/// Longest name in bytes: with the folders before it every file system takes the path.
pub const MAX: usize = 120;

const DEVICES: [&str; 22] = [
    "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9", "lpt1", "lpt2",
    "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// The name a document has in a bundle. Each stands in a folder of its own, so it need not be unique.
pub fn safe(original: &str) -> String {
    let base = original.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut name: String = base.nfc().map(|c| if allowed(c) { c } else { '_' }).collect();
    name = name.trim_matches([' ', '.']).to_owned();
    if name.len() > MAX {
        name = shortened(&name);
    }
    let stem = name.split('.').next().unwrap_or_default().trim().to_lowercase();
    if name.is_empty() {
        return "documento".to_owned();
    }
    // A dash first would be read as an option by the commands of VERIFICA.txt.
    if DEVICES.contains(&stem.as_str()) || name.starts_with('-') {
        name.insert(0, '_');
    }
    name
}

fn allowed(c: char) -> bool {
    // Letters, marks and digits of any script; of the rest only what no shell, file system or terminal acts on.
    c.is_alphanumeric() || matches!(c, ' ' | '.' | '_' | '-' | '(' | ')' | '+' | ',' | '=' | '@')
}

fn shortened(name: &str) -> String {
    let extension = name.rfind('.').map(|at| &name[at..]).filter(|e| e.len() <= 16).unwrap_or_default();
    let stem = &name[..name.len() - extension.len()];
    let cut = stem.floor_char_boundary(MAX - extension.len());
    format!("{}{extension}", stem[..cut].trim_end_matches([' ', '.']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_readable_and_lead_nowhere() {
        for (given, expected) in [
            ("fattura 12.xml.p7m", "fattura 12.xml.p7m"),
            ("../../etc/passwd", "passwd"),
            ("/assoluto.txt", "assoluto.txt"),
            ("C:\\cartella\\carta.pdf", "carta.pdf"),
            ("a\0b\n.eml", "a_b_.eml"),
            ("..", "documento"),
            ("", "documento"),
            ("con.txt", "_con.txt"),
            ("-rf", "_-rf"),
            ("\u{202e}fdp.exe", "_fdp.exe"),
            ("perché.pdf", "perché.pdf"),
            ("perche\u{301}.pdf", "perché.pdf"),
            ("$(rm).txt", "_(rm).txt"),
        ] {
            assert_eq!(safe(given), expected, "{given:?}");
        }
        let long = format!("{}.xml.p7m", "é".repeat(300));
        assert!(safe(&long).len() <= MAX && safe(&long).ends_with(".p7m"));
        for name in ["a/b", &long, "nul", ".", "...", " x "] {
            assert_eq!(safe(&safe(name)), safe(name), "{name}");
        }
    }
}
