//! What to type next: commands that work as they stand.

use std::path::Path;

use super::story::Story;
use super::{Found, Places};
use crate::error::Result;

/// Names the commands.
pub fn tell(places: &Places, found: &Found, story: &mut Story) -> Result<()> {
    // As this program was called, so that the lines can be typed where they are read.
    let program = std::env::args().next().unwrap_or_else(|| "custode".to_owned());
    let custode = format!("{} --archive {}", quoted(&program), path(&places.archive));
    let invoice = &found.invoice;
    story.step("next", "E ora", "What to type next", serde_json::Value::Null)?;
    let number = quoted(&format!("number={}", found.invoice_number));
    story.next(format!("{custode} search --class invoice {number}"), "cerca", "find")?;
    story.next(format!("{custode} show {invoice}"), "tutto su un documento", "everything about a document")?;
    let output = path(&places.bundle.with_file_name("invoice.xml.p7m"));
    story.next(format!("{custode} get {invoice} -o {output}"), "i suoi byte esatti", "its exact bytes")?;
    story.next(format!("{custode} check"), "verifica tutto l'archivio", "verify the whole archive")?;
    let (anchor, vkey, bundle) = (path(&places.anchor), path(&places.vkey), path(&places.bundle));
    story.next(
        format!("{} verify {bundle} --trust {anchor} --key {vkey}", quoted(&program)),
        "verifica il pacchetto senza archivio",
        "verify the bundle without the archive",
    )?;
    story.next(
        format!("zstd -dc {} | tar t", path(&places.archive.join("packages/invoice/00000001/content.tar.zst"))),
        "un pacchetto si apre con strumenti comuni",
        "a package opens with everyday tools",
    )?;
    story.next(format!("{custode} serve"), "avvia il server", "start the server")
}

fn path(path: &Path) -> String {
    quoted(&path.display().to_string())
}

/// A word as a POSIX shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=+@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn words_survive_a_shell() {
        for (word, expected) in
            [("./custode-demo/a", "./custode-demo/a"), ("a b", "'a b'"), ("it's", r"'it'\''s'"), ("", "''")]
        {
            assert_eq!(super::quoted(word), expected);
        }
    }
}
