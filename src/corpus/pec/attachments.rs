//! What people attach to certified mail: mostly PDF and photographs, sometimes tables.

use super::original::Attachment;
use crate::corpus::names;
use crate::corpus::options::Options;
use crate::corpus::rng::Rng;
use crate::corpus::{pdf, picture};

/// Files for one message: none in a third of them, else one to three; a big one as often as the options say.
pub fn some(rng: &mut Rng, options: &Options) -> Vec<Attachment> {
    let mut files = Vec::new();
    if rng.chance(650) {
        for number in 1..=rng.between(1, 3) {
            files.push(one(rng, number));
        }
    }
    if rng.chance(options.big_per_thousand) {
        files.push(photograph(rng, 9, options.big_bytes));
    }
    files
}

fn one(rng: &mut Rng, number: u64) -> Attachment {
    match rng.below(10) {
        0..=5 => {
            let bytes = rng.size(6_000, 400_000);
            scanned_pdf(rng, number, bytes)
        }
        6..=7 => {
            let bytes = rng.size(20_000, 600_000);
            photograph(rng, number, bytes)
        }
        _ => table(rng, number),
    }
}

/// A PDF of a page of text and a scan.
pub fn scanned_pdf(rng: &mut Rng, number: u64, bytes: usize) -> Attachment {
    let (jpeg, width, height) = picture::scan(rng, bytes);
    let title = format!("{} - documento {number}", names::organisation(rng));
    let mut lines = vec![title.clone(), String::new()];
    lines.extend(names::prose(rng, 1_500).split("\r\n").map(str::to_owned));
    let pages = [
        pdf::Page { lines, scan: None },
        pdf::Page { lines: vec!["Allegato: scansione (esempio)".to_owned()], scan: Some((&jpeg, width, height)) },
    ];
    Attachment {
        name: format!("documento_{number}.pdf"),
        media_type: "application/pdf",
        bytes: pdf::document(&title, &pages),
    }
}

/// A JPEG.
pub fn photograph(rng: &mut Rng, number: u64, bytes: usize) -> Attachment {
    Attachment { name: format!("foto_{number}.jpg"), media_type: "image/jpeg", bytes: picture::scan(rng, bytes).0 }
}

fn table(rng: &mut Rng, number: u64) -> Attachment {
    let mut text = String::from("codice;descrizione;quantità;importo\r\n");
    for row in 1..=rng.between(20, 400) {
        text.push_str(&format!(
            "{row:05};{};{};{},{:02}\r\n",
            names::organisation(rng),
            rng.between(1, 90),
            rng.between(1, 9_999),
            rng.below(100)
        ));
    }
    Attachment { name: format!("tabella_{number}.csv"), media_type: "text/csv", bytes: text.into_bytes() }
}
