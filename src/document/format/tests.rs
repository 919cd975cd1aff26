use super::*;

fn kind(bytes: &[u8], name: &str) -> String {
    recognise(bytes, name).media_type
}

#[test]
fn content_speaks_and_names_do_not() {
    assert_eq!(kind(b"%PDF-1.7\n", "a.xml"), "application/pdf");
    assert_eq!(kind(b"\xff\xd8\xff\xe0\0\x10JFIF\0", "a.xml"), "image/jpeg");
    assert_eq!(kind(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", ""), "image/png");
    assert_eq!(kind(b"II*\0\x08\0\0\0", ""), "image/tiff");
    assert_eq!(kind(b"PK\x03\x04\x14\0\0\0\0\0", ""), "application/zip");
    assert_eq!(kind(b"\x1f\x8b\x08\0", ""), "application/gzip");
    assert_eq!(kind(b"<?xml version=\"1.0\"?><a/>", ""), "application/xml");
    assert_eq!(kind(b"\xEF\xBB\xBF<p:FatturaElettronica/>", ""), "application/xml");
    assert_eq!(kind(b"\xff\xfe<\0a\0/\0>\0", ""), "application/xml");
    assert_eq!(kind(b"<\0a\0/\0>\0", ""), "application/xml");
    assert_eq!(kind(b"\0\n\0<\0?\0x", ""), "application/xml");
    for start in ["\u{feff}\u{feff}", "ï»¿\r\n", "\n\n\t", "<!-- x -->", "<?esempio?>"] {
        assert_eq!(kind(format!("{start}<p:FatturaElettronica/>").as_bytes(), ""), "application/xml", "{start:?}");
    }
    assert_eq!(kind(b"<?php echo 1;", ""), "text/plain");
    assert_eq!(kind(b"< 3 righe\n", ""), "text/plain");
    assert_eq!(kind(b"Received: by x\r\n\tfolded\r\nMessage-ID: <1@example>\r\n\r\nhello", "x.txt"), "message/rfc822");
    assert_eq!(kind(b"note: this is\nonly: text\n", ""), "text/plain");
    assert_eq!(kind(b"a;b;c\n1;2;3\n4;5;6\n", ""), "text/csv");
    assert_eq!(kind(b"{\"a\":1}", ""), "application/json");
    assert_eq!(kind(b"\0\x01\x02\x03", ""), "application/octet-stream");
    assert_eq!(kind(b"", ""), "application/octet-stream");
    // A disk that was not written to its end; the mark that once ended files; and what is no text whatever its name.
    let holed = [b"Dec 31 23:30:00 uno\n".repeat(3), vec![0; 40], b"Dec 31 23:30:01 due\n\x1a".to_vec()].concat();
    assert_eq!(kind(&holed, "a.log"), "text/plain");
    assert_eq!(kind(&holed, "a"), "application/octet-stream");
    assert_eq!(kind(b"a;b;c\n1;2;3\n4;5;6\n\0\0", "a.csv"), "text/csv");
    assert_eq!(kind(b"a\0b\0c\0d\0", "a.log"), "application/octet-stream");
    assert_eq!(kind(b"\x01\x02testo\x03\x04", "a.txt"), "application/octet-stream");
}

#[test]
fn signed_data_in_every_dress() {
    let attached: Vec<u8> = [
        &[0x30, 0x80, 0x06, 0x09][..],
        OID_SIGNED_DATA,
        &[0xa0, 0x80, 0x30, 0x80, 0x02, 1, 1, 0x31, 0, 0x30, 0x80, 0x06, 9],
        OID_PKCS7,
        &[1],
        &[0xa0, 0x80, 0x24, 0x80, 0x04, 2, b'h', b'i', 0, 0, 0, 0, 0, 0],
    ]
    .concat();
    assert_eq!(kind(&attached, "a.p7m"), "application/pkcs7-mime");
    let base64 = STANDARD.encode(&attached);
    assert_eq!(kind(base64.as_bytes(), ""), "application/pkcs7-mime");
    assert_eq!(kind(STANDARD.encode(&base64).as_bytes(), ""), "application/pkcs7-mime");
    assert_eq!(
        kind(format!("-----BEGIN PKCS7-----\n{base64}\n-----END PKCS7-----\n").as_bytes(), ""),
        "application/pkcs7-mime"
    );
    let mut detached = attached.clone();
    let end = detached.len() - 14;
    detached[end] = 0;
    detached[end + 1] = 0;
    assert_eq!(kind(&detached, ""), "application/pkcs7-signature");
    assert_eq!(kind(&[0x30, 3, 0x02, 1, 0], ""), "application/octet-stream");
    assert_eq!(kind(&[0x30, 5, 0x30, 3, 0x02, 1, 2], ""), "application/timestamp-reply");
}

#[test]
fn a_jpeg_called_xml_is_said_so() {
    let format = recognise(b"\xff\xd8\xff\xe0\0\x10JFIF\0", "fattura.xml");
    assert_eq!(compare_with_name(&format, "fattura.xml")[0].code, Code::FormatMismatch);
    assert!(compare_with_name(&format, "foto.JPEG").is_empty());
    assert!(compare_with_name(&format, "senza estensione").is_empty());
}
