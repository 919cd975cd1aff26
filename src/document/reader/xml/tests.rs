use super::*;

fn parse(bytes: &[u8], skip: &[&str]) -> Result<Parsed, Finding> {
    super::parse(bytes, Apart { skip, ..Apart::default() })
}

fn code(bytes: &[u8]) -> Code {
    match parse(bytes, &[]) {
        Ok(_) => panic!("accepted"),
        Err(finding) => finding.code,
    }
}

#[test]
fn encodings() {
    let text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><a>perché</a>";
    let one = |bytes: &[u8]| {
        let parsed = parse(bytes, &[]).unwrap();
        (parsed.root.text, parsed.findings.len())
    };
    assert_eq!(one(text.as_bytes()), ("perché".into(), 0));
    assert_eq!(one(&[b"\xEF\xBB\xBF", text.as_bytes()].concat()), ("perché".into(), 0));
    let latin = b"<?xml version='1.0' encoding='latin1'?><a>perch\xe9</a>";
    assert_eq!(one(latin), ("perché".into(), 0));
    assert_eq!(one(b"<a>perch\xe9</a>"), ("perché".into(), 1));
    let wide: Vec<u8> = "\u{feff}<a>perché</a>".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(one(&wide), ("perché".into(), 0));
    assert_eq!(one(&wide[2..]), ("perché".into(), 0));
    assert_eq!(one(b"<a>&lt;&#233;&amp;<![CDATA[<x>]]></a>").0, "<é&<x>");
}

#[test]
fn bombs_are_refused_with_their_code() {
    assert_eq!(code(b"<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>"), Code::XmlDoctype);
    assert_eq!(code(b"<a>&x;</a>"), Code::XmlMalformed);
    assert_eq!(code(b"<a><b></a>"), Code::XmlMalformed);
    assert_eq!(code(b"<a>"), Code::XmlMalformed);
    assert_eq!(code(b"<a/><b/>"), Code::XmlMalformed);
    assert_eq!(code(b""), Code::XmlMalformed);
    assert_eq!(code("<a>".repeat(65).as_bytes()), Code::XmlTooDeep);
    assert_eq!(code(format!("<a>{}</a>", "<b/>".repeat(MAX_ELEMENTS)).as_bytes()), Code::XmlTooDeep);
    let attributes: String = (0..65).map(|n| format!(" a{n}=''")).collect();
    assert_eq!(code(format!("<a{attributes}/>").as_bytes()), Code::XmlMalformed);
}

#[test]
fn long_text_is_cut_and_skipped_elements_are_empty() {
    let long = format!("<a><c>{}</c><s><t>x</t></s><d>ok</d></a>", "è".repeat(1 << 19));
    let root = parse(long.as_bytes(), &["s"]).unwrap().root;
    assert_eq!(root.child("c").unwrap().text.len(), MAX_TEXT);
    assert!(root.child("s").unwrap().children.is_empty());
    assert_eq!(root.text_at("d"), "ok");
}

#[test]
fn namespaces_of_the_root() {
    let ns = |text: &str| parse(text.as_bytes(), &[]).unwrap().root.namespace().map(str::to_owned);
    assert_eq!(ns("<p:a xmlns:p='u'/>").as_deref(), Some("u"));
    assert_eq!(ns("<a xmlns='v'/>").as_deref(), Some("v"));
    assert_eq!(ns("<a/>"), None);
}

#[test]
fn what_stands_around_the_root_is_told_and_not_read() {
    let told = |text: &str| {
        let parsed = parse(text.as_bytes(), &[]).unwrap();
        assert_eq!((parsed.root.name.as_str(), parsed.root.text.as_str()), ("a", "x"), "{text:?}");
        parsed.findings.iter().map(|finding| (finding.code, finding.place.clone())).collect::<Vec<_>>()
    };
    for quiet in
        ["<a>x</a>", "\r\n <a>x</a> \n", "<!-- & --><?i?><a>x</a><!-- --><?i?>\n", "<?xml version='1.0'?><a>x</a>"]
    {
        assert_eq!(told(quiet), [], "{quiet:?}");
    }
    for (text, place) in [
        ("\u{feff}\u{feff}<a>x</a>", "byte 0"),
        (" <?xml version='1.0'?><a>x</a>", "byte 1"),
        ("<!-- --><?xml version='1.0'?><a>x</a>", "byte 8"),
        ("<a>x</a>\0\0", "byte 8"),
        ("<a>x</a>\u{1a}", "byte 8"),
        ("<a>x</a></a>", "byte 8"),
        ("<a>x</a>\n<", "byte 9"),
        ("<a>x</a>\n&x;", "byte 9"),
        ("<a>x</a><![CDATA[ ]]>", "byte 8"),
        ("<a>x</a>uno<!-- -->due", "byte 8"),
    ] {
        assert_eq!(told(text), [(Code::XmlOutside, place.to_owned())], "{text:?}");
    }
    assert_eq!(code(b"<a>x</a>y<b/>"), Code::XmlMalformed);
    assert_eq!(code(b"<a>x</a><!DOCTYPE b>"), Code::XmlDoctype);
    assert_eq!(code(b"y"), Code::XmlMalformed);
    assert_eq!(root_name("\u{feff}\u{feff}<p:a/>".as_bytes()).as_deref(), Some("a"));
}

#[test]
fn control_characters_are_told() {
    let told = |text: &str| parse(text.as_bytes(), &[]).unwrap().findings.iter().map(|f| f.code).collect::<Vec<_>>();
    assert_eq!(told("<a>x\0<b>y</b></a>"), [Code::XmlEncoding]);
    assert_eq!(told("<a><b>x\u{b}</b>\u{1f}</a>"), [Code::XmlEncoding]);
    assert_eq!(told("<a>x\t\r\n\u{85}</a>"), []);
}

#[test]
fn utf16_keeps_its_encoding_whatever_is_wrong_with_it() {
    let mut wide: Vec<u8> = "\r\n<a>perché</a>".encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_eq!(parse(&wide, &[]).unwrap().root.text, "perché");
    wide.push(0);
    let parsed = parse(&wide, &[]).unwrap();
    assert_eq!(parsed.root.text, "perché");
    assert_eq!(parsed.findings.iter().map(|f| f.code).collect::<Vec<_>>(), [Code::XmlEncoding, Code::XmlOutside]);
}

#[test]
fn a_doctype_that_only_names_a_dtd_may_be_passed_over() {
    let read = |text: &str, doctype| super::parse(text.as_bytes(), Apart { doctype, ..Apart::default() });
    let named = "<?xml version=\"1.0\"?>\n<!DOCTYPE a SYSTEM \"a.dtd\">\n<a>b</a>";
    let parsed = read(named, true).unwrap();
    assert!(parsed.doctype && parsed.findings.is_empty() && parsed.root.text == "b");
    assert_eq!(read(named, false).err().unwrap().code, Code::XmlDoctype);
    assert!(!read("<a/>", true).unwrap().doctype);
    // What it declares itself may be a bomb.
    for bomb in [
        "<!DOCTYPE a [<!ENTITY b \"c\">]><a/>",
        "<!DOCTYPE a SYSTEM \"a.dtd\" [ ]><a/>",
        "<a><!DOCTYPE a SYSTEM \"x\"></a>",
    ] {
        assert!(read(bomb, true).is_err(), "{bomb}");
    }
    assert_eq!(root_after_doctype(named.as_bytes()).as_deref(), Some("a"));
    assert_eq!(root_name(named.as_bytes()), None);
}
