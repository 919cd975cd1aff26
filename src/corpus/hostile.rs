//! Bad input for tests: what reaches an archive by mistake or by malice. None of it may panic, hang, eat memory or change
//! anything; each must give an error or a finding with its code.

use super::mime::base64_lines;

/// A bad document.
#[derive(Debug, Clone)]
pub struct Hostile {
    /// File name it comes under.
    pub name: &'static str,
    /// Class it is sent to.
    pub class: &'static str,
    /// Content.
    pub bytes: Vec<u8>,
    /// What is wrong with it.
    pub wrong: &'static str,
}

/// Bad documents, in a fixed order.
pub fn hostile() -> Vec<Hostile> {
    let make = |name, class, bytes: Vec<u8>, wrong| Hostile { name, class, bytes, wrong };
    vec![
        make("vuoto.eml", "pec-message", Vec::new(), "empty body"),
        make("vuota.xml", "invoice", Vec::new(), "empty body"),
        make("troncato.eml", "pec-message", cut_mime(), "multipart/signed cut before its signature"),
        make("firma-segnaposto.eml", "pec-message", placeholder_signature(), "signature part is not base64"),
        make("profondo.eml", "pec-message", deep_mime(2_000), "multiparts nested 2,000 deep"),
        make("confini.eml", "pec-message", boundary_prefix(), "a part's text starts like the boundary"),
        make("riga-infinita.eml", "pec-message", endless_line(), "a header line of 4 MB without end"),
        make("binario.eml", "pec-message", (0..=255u8).cycle().take(20_000).collect(), "not a message at all"),
        make("xxe.eml", "pec-message", daticert_with_entity(), "daticert.xml with an external entity"),
        make("foto.xml", "invoice", jpeg(), "a JPEG called .xml"),
        make("bomba.xml", "invoice", entity_bomb(), "entity expansion (billion laughs)"),
        make("esterna.xml", "invoice", external_entity(), "external entity"),
        make("ricorsiva.xml", "invoice", recursive_entity(), "recursive entity"),
        make("aperta.xml", "invoice", unclosed_xml(), "XML not closed"),
        make("annidata.xml", "invoice", nested_xml(200_000), "elements nested 200,000 deep"),
        make("altra-radice.xml", "invoice", b"<?xml version=\"1.0\"?><ordine/>".to_vec(), "root of something else"),
        make(
            "utf16-falso.xml",
            "invoice",
            b"<?xml version=\"1.0\" encoding=\"UTF-16\"?><a/>".to_vec(),
            "wrong encoding",
        ),
        make("rotta.xml.p7m", "invoice", bad_der(), "DER whose length goes past the end"),
        make("lunga.xml.p7m", "invoice", huge_length(), "DER that claims 2^56 bytes"),
        make("nidificata.xml.p7m", "invoice", nested_ber(50_000), "indefinite lengths nested 50,000 deep"),
        make("due-byte.xml.p7m", "invoice", b"0\x80".to_vec(), "two bytes of BER"),
        make("non-base64.xml.p7m", "invoice", b"MII...njA==\r\n".to_vec(), "neither DER nor base64"),
        make("bomba.zip", "generic", zip_bomb(), "a zip entry that claims 4 GB in a few bytes"),
        make("registro.csv", "pec-log", bad_log(), "rows of different widths, bad quoting, mixed encodings"),
        make("troncata.jpg", "identity-document", jpeg()[..20].to_vec(), "JPEG cut after its header"),
        make("senza-fine.pdf", "identity-document", b"%PDF-1.4\n1 0 obj\n<< /Type".to_vec(), "PDF without end"),
    ]
}

/// File names that have broken programs: each must be kept as given in metadata and never become a path.
pub fn hostile_names() -> Vec<String> {
    let mut names: Vec<String> = [
        "../../etc/passwd",
        "..\\..\\windows\\win.ini",
        "/etc/passwd",
        "C:\\autoexec.bat",
        "con.xml",
        "con\0nullo.xml",
        "a\r\nIntestazione: falsa.eml",
        ".",
        "..",
        "",
        " ",
        "-rf",
        "~root",
        ".nascosto",
        "busta.eml ",
        "busta .eml",
        "fattura\u{1F4E7}\u{1F469}\u{200D}\u{2696}\u{FE0F}.xml",
        "gpj.\u{202E}lme.fattura",
        "perch\u{e9}.pdf",
        "perche\u{301}.pdf",
        "Fattura.xml",
        "fattura.xml",
        "%2e%2e%2fsegreto",
        "$(touch x).xml",
        "'; DROP TABLE documenti; --.xml",
        "<script>alert(1)</script>.html",
        "a/b/c.xml",
        "\u{FEFF}bom.xml",
        "=CMD|'/c calc'!A0.csv",
    ]
    .map(str::to_owned)
    .to_vec();
    names.push(format!("{}.xml", "n".repeat(296)));
    names.push(format!("{}.eml", "\u{e8}".repeat(150)));
    names
}

fn cut_mime() -> Vec<u8> {
    b"From: posta-certificata@pec.example.it\r\nX-Ricevuta: accettazione\r\nSubject: ACCETTAZIONE: prova\r\nMIME-Version: 1.0\r\n\
      Content-Type: multipart/signed; protocol=\"application/x-pkcs7-signature\"; micalg=sha-256; boundary=\"B0\"\r\n\r\n\
      --B0\r\nContent-Type: multipart/mixed; boundary=\"B1\"\r\n\r\n--B1\r\nContent-Type: text/plain\r\n\r\nRicevuta di acc"
        .to_vec()
}

fn signed(part: &str, signature: &str) -> Vec<u8> {
    format!(
        "From: posta-certificata@pec.example.it\r\nX-Trasporto: posta-certificata\r\nSubject: POSTA CERTIFICATA: prova\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/signed; protocol=\"application/x-pkcs7-signature\"; micalg=sha-256; \
         boundary=\"B0\"\r\n\r\n--B0\r\n{part}\r\n--B0\r\nContent-Type: application/x-pkcs7-signature; name=\"smime.p7s\"\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{signature}\r\n--B0--\r\n"
    )
    .into_bytes()
}

fn placeholder_signature() -> Vec<u8> {
    signed("Content-Type: text/plain\r\n\r\nMessaggio di posta certificata\r\n", "MII...njA==")
}

fn deep_mime(depth: usize) -> Vec<u8> {
    let mut out = b"From: a@example.com\r\nSubject: profondo\r\nMIME-Version: 1.0\r\n".to_vec();
    for level in 0..depth {
        out.extend_from_slice(
            format!("Content-Type: multipart/mixed; boundary=\"L{level}\"\r\n\r\n--L{level}\r\n").as_bytes(),
        );
    }
    out.extend_from_slice(b"Content-Type: text/plain\r\n\r\nfondo\r\n");
    out
}

fn boundary_prefix() -> Vec<u8> {
    signed("Content-Type: text/plain\r\n\r\nprima\r\n--B0X\r\nnon e' un confine\r\n--B0 x\r\nnemmeno\r\n", "AAAA")
}

fn endless_line() -> Vec<u8> {
    let mut out = b"Subject: ".to_vec();
    out.resize(4 << 20, b'a');
    out
}

fn daticert_with_entity() -> Vec<u8> {
    let xml = "<?xml version=\"1.0\"?>\n<!DOCTYPE postacert [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>\n\
               <postacert tipo=\"posta-certificata\" errore=\"nessuno\"><intestazione><mittente>&e;</mittente></intestazione></postacert>";
    let mut encoded = Vec::new();
    base64_lines(&mut encoded, xml.as_bytes());
    let encoded = String::from_utf8_lossy(&encoded).into_owned();
    let part = format!(
        "Content-Type: multipart/mixed; boundary=\"B1\"\r\n\r\n--B1\r\nContent-Type: application/xml; name=\"daticert.xml\"\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{encoded}--B1--\r\n"
    );
    signed(&part, "AAAA")
}

fn jpeg() -> Vec<u8> {
    super::picture::scan(&mut super::rng::Rng::new(1), 4_000).0
}

fn entity_bomb() -> Vec<u8> {
    let mut out = String::from("<?xml version=\"1.0\"?>\n<!DOCTYPE bomba [\n<!ENTITY e0 \"ah\">\n");
    for level in 1..=12 {
        let references = format!("&e{};", level - 1).repeat(10);
        out.push_str(&format!("<!ENTITY e{level} \"{references}\">\n"));
    }
    out.push_str("]>\n<p:FatturaElettronica xmlns:p=\"http://ivaservizi.agenziaentrate.gov.it/docs/xsd/fatture/v1.2\" versione=\"FPR12\">&e12;</p:FatturaElettronica>\n");
    out.into_bytes()
}

fn external_entity() -> Vec<u8> {
    b"<?xml version=\"1.0\"?>\n<!DOCTYPE f [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>\n<FatturaElettronica versione=\"FPR12\">&x;</FatturaElettronica>\n".to_vec()
}

fn recursive_entity() -> Vec<u8> {
    b"<?xml version=\"1.0\"?>\n<!DOCTYPE f [<!ENTITY a \"&b;\"><!ENTITY b \"&a;\">]>\n<FatturaElettronica versione=\"FPR12\">&a;</FatturaElettronica>\n".to_vec()
}

fn unclosed_xml() -> Vec<u8> {
    b"<?xml version=\"1.0\"?>\n<p:FatturaElettronica xmlns:p=\"http://ivaservizi.agenziaentrate.gov.it/docs/xsd/fatture/v1.2\" versione=\"FPR12\"><FatturaElettronicaHeader><DatiTrasm".to_vec()
}

fn nested_xml(depth: usize) -> Vec<u8> {
    let mut out = b"<FatturaElettronica versione=\"FPR12\">".to_vec();
    out.extend_from_slice(&b"<a>".repeat(depth));
    out
}

fn bad_der() -> Vec<u8> {
    let mut out = vec![0x30, 0x82, 0x40, 0x00];
    out.extend_from_slice(&[
        0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x02, 0xA0, 0x82, 0x7F, 0xFF, 0x30,
    ]);
    out
}

fn huge_length() -> Vec<u8> {
    vec![0x30, 0x88, 0x01, 0, 0, 0, 0, 0, 0, 0, 0x06, 0x01, 0x2A]
}

fn nested_ber(depth: usize) -> Vec<u8> {
    [0x30, 0x80].repeat(depth)
}

/// A local file header and a central directory that promise 4 GB of zeros and hold one stored block.
fn zip_bomb() -> Vec<u8> {
    let size = 0xFFFF_FFF0u32.to_le_bytes();
    let name = b"zeri.bin";
    let content = [0x4B, 0x04, 0x00];
    let mut shared = vec![20, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    shared.extend_from_slice(&3u32.to_le_bytes());
    shared.extend_from_slice(&size);
    shared.extend_from_slice(&[8, 0, 0, 0]);
    let mut out = b"PK\x03\x04".to_vec();
    out.extend_from_slice(&shared);
    out.extend_from_slice(name);
    out.extend_from_slice(&content);
    let directory = u32::try_from(out.len()).unwrap_or(0);
    out.extend_from_slice(b"PK\x01\x02\x14\x00");
    out.extend_from_slice(&shared);
    out.extend_from_slice(&[0; 14]);
    out.extend_from_slice(name);
    let length = u32::try_from(out.len()).unwrap_or(0) - directory;
    out.extend_from_slice(b"PK\x05\x06\x00\x00\x00\x00\x01\x00\x01\x00");
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&directory.to_le_bytes());
    out.extend_from_slice(&[0, 0]);
    out
}

fn bad_log() -> Vec<u8> {
    let mut out = super::log::COLUMNS.as_bytes().to_vec();
    out.extend_from_slice(
        b"\r\nuno;due\r\n\"aperta;2026-01-07T10:00:00+01:00;consegna;a@example.com\r\n=1+1;;;;;;;;;;;;;;;;;;;;;;;;\r\n",
    );
    out.extend_from_slice(b"citt\xE0;\xC3\xA0;\xFF\xFE\r\n\x00\x00\x00\r\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bad_input_is_what_it_claims_to_be() {
        let list = hostile();
        let names: std::collections::HashSet<_> = list.iter().map(|h| h.name).collect();
        assert_eq!(names.len(), list.len());
        let of = |name: &str| list.iter().find(|h| h.name == name).unwrap().bytes.clone();
        assert!(of("vuoto.eml").is_empty());
        assert_eq!(infer::get(&of("foto.xml")).unwrap().mime_type(), "image/jpeg");
        assert_eq!(infer::get(&of("bomba.zip")).unwrap().mime_type(), "application/zip");
        let zip = zip::ZipArchive::new(std::io::Cursor::new(of("bomba.zip"))).map(|mut zip| {
            let entry = zip.by_index_raw(0).unwrap();
            (entry.name().unwrap().into_owned(), entry.size(), entry.compressed_size())
        });
        assert_eq!(zip.unwrap(), ("zeri.bin".to_owned(), 0xFFFF_FFF0, 3));
        assert!(String::from_utf8(of("troncato.eml")).unwrap().matches("--B0").count() == 1);
        assert!(hostile_names().iter().any(|name| name.chars().count() == 300));
        assert!(hostile_names().iter().any(|name| name.contains('\0')));
    }
}
