//! Documents of any kind: what the register of formats recognises, by content and against misleading names.

use super::Sample;
use crate::corpus::small;

/// Adds the documents.
pub(super) fn samples(all: &mut Vec<Sample>) {
    let zip_of = |entry: &str, content: &[u8]| {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored)
            .last_modified_time(zip::DateTime::default());
        let written = zip
            .start_file(entry, options)
            .map_err(|_| ())
            .and_then(|()| std::io::Write::write_all(&mut zip, content).map_err(|_| ()));
        match (written, zip.finish()) {
            (Ok(()), Ok(bytes)) => bytes.into_inner(),
            _ => Vec::new(),
        }
    };
    let riff = |kind: &[u8], rest: &[u8]| [b"RIFF\x24\0\0\0", kind, rest].concat();
    let claim = b"\n<pdfaid:part>1</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance>\n".as_slice();
    let list: Vec<(&str, Vec<u8>)> = vec![
        ("pagina.pdf", small::pdf(1)),
        ("pagina-1.5.pdf", small::pdf_with_streams(1)),
        ("pagina-a.pdf", [claim, &small::pdf(1)].concat()),
        ("foto.png", small::png(8, 8, false)),
        ("scansione.tiff", small::tiff(1)),
        ("figura.gif", b"GIF89a\x01\0\x01\0\0\0\0;".to_vec()),
        ("figura.webp", riff(b"WEBP", b"VP8L\x08\0\0\0/\0\0\0\0\0\0\0")),
        ("suono.wav", riff(b"WAVE", b"fmt \x10\0\0\0\x01\0\x01\0")),
        ("suono.mp3", b"ID3\x03\0\0\0\0\0\0\xff\xfb\x90\0".to_vec()),
        ("filmato.mp4", b"\0\0\0\x18ftypisom\0\0\0\0isommp42".to_vec()),
        ("dati.xml", b"<?xml version=\"1.0\"?><dati/>".to_vec()),
        ("pagina.html", b"<!DOCTYPE html><html><body>x</body></html>".to_vec()),
        ("dati json", b"{\"a\": 1}".to_vec()),
        ("tabella.csv", b"a;b;c\n1;2;3\n4;5;6\n".to_vec()),
        ("nota.txt", b"Una nota.\n".to_vec()),
        ("lettera.rtf", b"{\\rtf1\\ansi prova}".to_vec()),
        ("lettera.odt", zip_of("mimetype", b"application/vnd.oasis.opendocument.text")),
        ("archivio.zip", zip_of("nota.txt", b"x")),
        ("nota.txt.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0".to_vec()),
        ("messaggio.eml", b"From: a@example.org\r\nTo: b@example.org\r\nSubject: x\r\n\r\nx\r\n".to_vec()),
        ("fattura.pdf", small::png(8, 8, false)),
        ("foto.jpg", small::pdf(1)),
        ("sconosciuto.bin", vec![0, 1, 2, 3, 4, 5]),
        ("senza estensione", b"Una nota.\n".to_vec()),
    ];
    let sample = |(name, bytes): (&str, Vec<u8>)| Sample { class: "generic", name: name.to_owned(), bytes };
    all.extend(list.into_iter().map(sample));
}
