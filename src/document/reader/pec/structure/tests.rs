use std::borrow::Cow;

use super::*;

fn of(text: &str) -> Structure {
    let source = Source::Memory(Cow::Borrowed(text.as_bytes()));
    Structure::scan(&source, 0..source.len()).unwrap()
}

fn types(structure: &Structure) -> Vec<&str> {
    structure.parts.iter().map(|p| p.info.media_type.as_str()).collect()
}

fn text(range: Range<u64>, of: &str) -> &str {
    &of[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()]
}

#[test]
fn delimiters_are_whole_lines_and_places_are_exact() {
    for end in ["\n", "\r\n"] {
        let message = [
            "Content-Type: multipart/mixed; boundary=\"--b\"",
            "",
            "preamble",
            "----b",
            "Content-Type: text/plain",
            "",
            "----bb is text",
            "",
            "----b  ",
            "Content-Type: message/rfc822",
            "",
            "Content-Type: multipart/mixed; boundary=x",
            "",
            "--x",
            "",
            "----b--",
            "epilogue",
            "",
        ]
        .join(end);
        let found = of(&message);
        assert_eq!(types(&found), ["multipart/mixed", "text/plain", "message/rfc822"]);
        assert!(found.ambiguous && !found.truncated);
        // One line end belongs to the delimiter, not two.
        assert_eq!(text(found.parts[1].body.clone(), &message), format!("----bb is text{end}"));
        assert!(text(found.parts[1].whole(), &message).starts_with("Content-Type: text/plain"));
        assert_eq!(found.parts[2].body.end as usize, message.find(&format!("{end}----b--")).unwrap());
        assert_eq!(found.path(2), "2");
    }
}

#[test]
fn what_follows_an_inner_multipart_belongs_to_it() {
    let message = "Content-Type: multipart/signed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n\nepilogue\n\n--a\nContent-Type: y/z\n\nsig\n--a--\n";
    let found = of(message);
    assert_eq!(types(&found), ["multipart/signed", "multipart/mixed", "text/plain", "y/z"]);
    let signed = text(found.parts[1].whole(), message);
    assert!(
        signed.starts_with("Content-Type: multipart/mixed") && signed.ends_with("--b--\n\nepilogue\n"),
        "{signed:?}"
    );
    assert_eq!((found.path(2), found.path(3), found.path(0)), ("1.1".into(), "2".into(), String::new()));
    assert_eq!(text(found.parts[3].body.clone(), message), "sig");
}

#[test]
fn empty_parts_and_mbox_and_byte_order_marks() {
    let found = of("From a@example.com\nSubject: x\nContent-Type: multipart/mixed; boundary=b\n\n--b\n--b\n\n--b--\n");
    assert_eq!(found.parts.len(), 3);
    assert!(found.parts.iter().all(|part| part.body.start <= part.body.end) && !found.truncated);
    assert!(found.header.starts_with(b"Subject"));
    assert!(of("\u{feff}Subject: x\n\ny").header.starts_with(b"Subject"));
    assert_eq!(of("").parts.len(), 1);
    assert!(of("\n").header == b"\r\n");
}

#[test]
fn cut_short_and_nested_too_deeply() {
    assert!(of("Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx").truncated);
    assert!(of("Content-Type: multipart/mixed; boundary=b").truncated);
    let mut deep = String::new();
    for level in 0..40 {
        deep.push_str(&format!("Content-Type: multipart/mixed; boundary=b{level}x\n\n--b{level}x\n"));
    }
    let found = of(&deep);
    assert!(found.too_deep);
    assert_eq!(found.parts.len(), MAX_DEPTH + 1);
    let many = format!("Content-Type: multipart/mixed; boundary=b\n\n{}--b--", "--b\n\n".repeat(MAX_PARTS + 5));
    let found = of(&many);
    assert!(found.too_many && !found.truncated);
    assert_eq!(found.parts.len(), MAX_PARTS);
}

#[test]
fn long_lines_cost_nothing() {
    let long = "s".repeat(4 << 20);
    let message = format!("Subject: {long}\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx--b--\n--b--\n");
    let found = of(&message);
    assert!(found.header_cut && found.header.len() <= MAX_HEADER + 4);
    // A delimiter at the start of a piece is not at the start of a line.
    let message = format!("Content-Type: multipart/mixed; boundary=b\n\n--b\n\n{}--b--\n--b--\n", "y".repeat(LINE));
    let found = of(&message);
    assert!(text(found.parts[1].body.clone(), &message).ends_with("y--b--"));
}
