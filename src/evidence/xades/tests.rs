//! Signed by xmlsec1, who has never heard of Custode; then bent in every way that signature wrapping knows.

use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::error::Code;
use crate::evidence::fixtures::openssl;

const INCLUSIVE: &str = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315";
const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const ENVELOPED: &str = r#"<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>"#;
const SUBTRACT: &str = r#"<ds:Transform Algorithm="http://www.w3.org/2002/06/xmldsig-filter2"><XPath xmlns="http://www.w3.org/2002/06/xmldsig-filter2" Filter="subtract">/descendant::ds:Signature</XPath></ds:Transform>"#;
const KEEP: &str = r#"<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"><ds:XPath>not(ancestor-or-self::ds:Signature)</ds:XPath></ds:Transform>"#;

/// What canonicalisation must get right: instructions and comments around the root, namespaces redeclared and unused, attributes out of
/// order, blanks and references in attributes and text, CDATA, empty elements.
const BODY: &str = "<?xml-stylesheet   type='text/xsl' href=\"a.xsl\"?>\n<!-- fuori -->\n<p:Fattura xmlns:p=\"urn:a\" xmlns:z='urn:z' \
 xmlns='urn:default' versione=\"FPR12\" Id='radice' xml:lang=\"it\">\n <Voce z:b=\"2\" a='1\t2&#9;3&quot;&lt;' p:c=\"x\n y\">perch\u{e9} &amp; &lt;b&gt; <![CDATA[<cd>&]]>&#13;\
 </Voce><!-- dentro -->\n <q:V xmlns:q=\"urn:a\" xmlns=''><w xmlns:z='urn:z2'/></q:V>\r\n <vuoto/>SIGNATURE</p:Fattura>\n<!-- dopo --><?fine?>\n";

struct Signer {
    dir: tempfile::TempDir,
    certificate: Vec<u8>,
}

impl Signer {
    fn new(kind: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut arguments = vec![
            "req",
            "-x509",
            "-nodes",
            "-keyout",
            "key.pem",
            "-out",
            "cert.pem",
            "-days",
            "30",
            "-subj",
            "/CN=Prova",
        ];
        match kind {
            "ec" => arguments.extend(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]),
            _ => arguments.extend(["-newkey", "rsa:2048"]),
        }
        let (good, text) = openssl(dir.path(), &arguments);
        assert!(good, "{text}");
        let pem = std::fs::read(dir.path().join("cert.pem")).unwrap();
        let certificate = crate::evidence::cms::unwrap::pem_blocks(&pem, &["CERTIFICATE"]).unwrap().remove(0);
        Self { dir, certificate }
    }

    fn sign(&self, template: &[u8]) -> Vec<u8> {
        let path = self.dir.path().join("in.xml");
        std::fs::write(&path, template).unwrap();
        let (good, out) = run(&["--sign", "--privkey-pem", "key.pem,cert.pem", "--output", "out.xml"], self.dir.path());
        assert!(good, "{out}\n{}", String::from_utf8_lossy(template));
        std::fs::read(self.dir.path().join("out.xml")).unwrap()
    }

    /// What xmlsec1 says of a document.
    fn judge(&self, bytes: &[u8]) -> bool {
        std::fs::write(self.dir.path().join("in.xml"), bytes).unwrap();
        run(&["--verify", "--trusted-pem", "cert.pem"], self.dir.path()).0
    }
}

fn run(arguments: &[&str], dir: &Path) -> (bool, String) {
    let ids = ["--id-attr:Id", "Fattura", "--id-attr:Id", "SignedProperties", "--id-attr:Id", "KeyInfo"];
    let output = Command::new("xmlsec1").current_dir(dir).args(arguments).args(ids).arg("in.xml").output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

struct Shape<'a> {
    canonical: &'a str,
    transforms: String,
    uri: &'a str,
    signature: &'a str,
    digest: &'a str,
    xades: bool,
}

impl Default for Shape<'_> {
    fn default() -> Self {
        Self {
            canonical: INCLUSIVE,
            transforms: ENVELOPED.into(),
            uri: "",
            signature: "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
            digest: "http://www.w3.org/2001/04/xmlenc#sha256",
            xades: false,
        }
    }
}

impl Shape<'_> {
    fn template(&self, certificate: &[u8]) -> String {
        let Self { canonical, transforms, uri, signature, digest, .. } = self;
        let (mut more, mut object) = (String::new(), String::new());
        if self.xades {
            let hash = STANDARD.encode(DigestAlgorithm::Sha256.of(certificate));
            more = format!(
                "<ds:Reference Type=\"http://uri.etsi.org/01903#SignedProperties\" URI=\"#sp\"><ds:Transforms><ds:Transform Algorithm=\"{EXCLUSIVE}\"/></ds:Transforms>\
                 <ds:DigestMethod Algorithm=\"{digest}\"/><ds:DigestValue/></ds:Reference>"
            );
            object = format!(
                "<ds:Object><x:QualifyingProperties xmlns:x=\"http://uri.etsi.org/01903/v1.3.2#\" Target=\"#s\"><x:SignedProperties Id=\"sp\"><x:SignedSignatureProperties>\
                 <x:SigningTime>2026-03-10T09:00:00Z</x:SigningTime><x:SigningCertificateV2><x:Cert><x:CertDigest><ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/>\
                 <ds:DigestValue>{hash}</ds:DigestValue></x:CertDigest></x:Cert></x:SigningCertificateV2></x:SignedSignatureProperties></x:SignedProperties></x:QualifyingProperties></ds:Object>"
            );
        }
        let signature = format!(
            "<ds:Signature xmlns:ds=\"{DS}\" Id=\"s\"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm=\"{canonical}\"/><ds:SignatureMethod Algorithm=\"{signature}\"/>\
             <ds:Reference URI=\"{uri}\"><ds:Transforms>{transforms}</ds:Transforms><ds:DigestMethod Algorithm=\"{digest}\"/><ds:DigestValue/></ds:Reference>{more}</ds:SignedInfo>\
             <ds:SignatureValue/><ds:KeyInfo><ds:X509Data><ds:X509Certificate/></ds:X509Data></ds:KeyInfo>{object}</ds:Signature>"
        );
        BODY.replace("SIGNATURE", &signature)
    }
}

fn transform(uri: &str) -> String {
    format!("<ds:Transform Algorithm=\"{uri}\"/>")
}

/// The signatures in the root.
fn verify(bytes: &[u8]) -> Result<Vec<Verified>> {
    super::verify(bytes).map(|found| found.verified)
}

#[test]
fn what_xmlsec1_signs_is_good_and_what_is_edited_is_not() {
    if !crate::judges::present(&["xmlsec1", "openssl"]) {
        return;
    }
    let (rsa, ec) = (Signer::new("rsa"), Signer::new("ec"));
    let with = |more: &str| format!("{ENVELOPED}{}", transform(more));
    let prefixes = format!(
        "{ENVELOPED}<ds:Transform Algorithm=\"{EXCLUSIVE}\"><e:InclusiveNamespaces xmlns:e=\"{EXCLUSIVE}\" PrefixList=\"z #default\"/></ds:Transform>"
    );
    let shapes = [
        Shape::default(),
        Shape { xades: true, ..Shape::default() },
        Shape { transforms: with(EXCLUSIVE), canonical: EXCLUSIVE, xades: true, ..Shape::default() },
        Shape { transforms: prefixes, ..Shape::default() },
        Shape {
            transforms: with(&format!("{INCLUSIVE}#WithComments")),
            canonical: "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
            ..Shape::default()
        },
        Shape { transforms: with("http://www.w3.org/2006/12/xml-c14n11"), ..Shape::default() },
        Shape { transforms: SUBTRACT.into(), xades: true, ..Shape::default() },
        Shape { transforms: KEEP.into(), ..Shape::default() },
        Shape { uri: "#radice", transforms: with(EXCLUSIVE), ..Shape::default() },
        Shape {
            digest: "http://www.w3.org/2001/04/xmlenc#sha512",
            signature: "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
            ..Shape::default()
        },
        Shape { signature: "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", xades: true, ..Shape::default() },
    ];
    for (at, shape) in shapes.iter().enumerate() {
        let signer = if shape.signature.contains("ecdsa") { &ec } else { &rsa };
        let signed = signer.sign(shape.template(&signer.certificate).as_bytes());
        assert!(signer.judge(&signed), "shape {at}");
        let found = verify(&signed).unwrap();
        let [one] = found.as_slice() else { panic!("shape {at}: {} signatures", found.len()) };
        assert!(matches!(one.coverage, Coverage::Whole(_)), "shape {at}: {:?}", one.coverage);
        assert_eq!(one.signature, Some(true), "shape {at}");
        assert_eq!(one.certificate.as_ref().unwrap().der(), signer.certificate, "shape {at}");
        assert_eq!(one.properties.is_some(), shape.xades, "shape {at}");
        if let Some(properties) = &one.properties {
            assert_eq!(properties.names(one.certificate.as_ref().unwrap()), Some(true));
            assert_eq!(properties.signing_time.unwrap().to_string(), "2026-03-10T09:00:00Z");
        }
        let text = String::from_utf8(signed).unwrap();
        for (from, to) in [("FPR12", "FPR13"), ("<vuoto", "<pieno"), ("urn:z2", "urn:z3")] {
            // Of the exclusive form a namespace that nothing uses is no part.
            let edited = text.replace(from, to);
            let found = verify(edited.as_bytes()).unwrap();
            let ours = matches!(found[0].coverage, Coverage::Whole(_)) && found[0].signature == Some(true);
            assert_eq!(ours, signer.judge(edited.as_bytes()), "shape {at}: {from}");
        }
        let unsigned_time = text.replace("09:00:00Z", "08:00:00Z");
        assert_eq!(verify(unsigned_time.as_bytes()).unwrap()[0].coverage == Coverage::Altered, shape.xades);
        let value = text.replacen("<ds:CanonicalizationMethod ", "<ds:CanonicalizationMethod  ", 1);
        assert_eq!(verify(value.as_bytes()).unwrap()[0].signature, Some(true), "canonical all the same");
        let value = text.replacen("<ds:SignedInfo>", "<ds:SignedInfo> ", 1);
        assert_eq!(verify(value.as_bytes()).unwrap()[0].signature, Some(false));
    }
    // Another encoding is another document, and the same signature.
    let template = Shape::default().template(&rsa.certificate);
    let template = format!("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>{template}");
    let latin: Vec<u8> = template.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    let found = verify(&rsa.sign(&latin)).unwrap();
    assert_eq!((matches!(found[0].coverage, Coverage::Whole(_)), found[0].signature), (true, Some(true)));
}

#[test]
fn a_signature_of_something_else_is_not_one_of_the_document() {
    if !crate::judges::present(&["xmlsec1", "openssl"]) {
        return;
    }
    let signer = Signer::new("rsa");
    let text =
        |shape: Shape<'_>| String::from_utf8(signer.sign(shape.template(&signer.certificate).as_bytes())).unwrap();
    let coverage = |text: &str| verify(text.as_bytes()).unwrap()[0].coverage;
    let by_id =
        text(Shape { uri: "#radice", transforms: format!("{ENVELOPED}{}", transform(EXCLUSIVE)), ..Shape::default() });
    assert!(matches!(coverage(&by_id), Coverage::Whole(_)));
    // The signed root moved inside a forged one, which takes the signature along.
    let root_at = by_id.find("<p:Fattura").unwrap();
    let signature =
        &by_id[by_id.find("<ds:Signature").unwrap()..by_id.find("</ds:Signature>").unwrap() + "</ds:Signature>".len()];
    let original = by_id[root_at..by_id.find("</p:Fattura>").unwrap() + "</p:Fattura>".len()].replace(signature, "");
    let wrapped = format!("<p:Fattura xmlns:p=\"urn:a\"><falso/><vecchia>{original}</vecchia>{signature}</p:Fattura>");
    assert_eq!(coverage(&wrapped), Coverage::Elsewhere);
    // Two elements with the same Id: whoever looks one up may find the other.
    let twice = by_id.replace("<vuoto/>", "<vuoto Id=\"radice\"/>");
    assert_eq!(coverage(&twice), Coverage::Elsewhere);
    // Not in the root.
    let deep =
        format!("<fuori>{}</fuori>", &by_id[root_at..by_id.find("</p:Fattura>").unwrap() + "</p:Fattura>".len()]);
    let found = super::verify(deep.as_bytes()).unwrap();
    assert!(found.elsewhere && !found.more && found.verified.is_empty());
    // Beside one in the root; and inside one, where it belongs to it.
    let beside = by_id.replace("<vuoto/>", &format!("<vuoto>{signature}</vuoto>"));
    let found = super::verify(beside.as_bytes()).unwrap();
    assert!(found.elsewhere && found.verified.len() == 1);
    let counter = format!("<ds:Object xmlns:ds=\"{DS}\">{signature}</ds:Object></ds:Signature>");
    let found = super::verify(by_id.replacen("</ds:Signature>", &counter, 1).as_bytes()).unwrap();
    assert!(!found.elsewhere && found.verified.len() == 1);
    // More than are looked at.
    let nine = by_id.replace(signature, &signature.repeat(9));
    let found = super::verify(nine.as_bytes()).unwrap();
    assert!(found.more && found.verified.len() == MAX_SIGNATURES);
    // Signing nothing at all, or only a part.
    let plain = text(Shape::default());
    let start = plain.find("<ds:Reference").unwrap();
    let end = plain.find("</ds:Reference>").unwrap() + "</ds:Reference>".len();
    assert_eq!(coverage(&[&plain[..start], &plain[end..]].concat()), Coverage::Elsewhere);
    // A filter that takes away more than signatures is not followed.
    let greedy = text(Shape { transforms: SUBTRACT.into(), ..Shape::default() })
        .replace("/descendant::ds:Signature", "/descendant::Voce | /descendant::ds:Signature");
    assert_eq!(coverage(&greedy), Coverage::Unsupported);
    let renamed = text(Shape { transforms: SUBTRACT.into(), ..Shape::default() })
        .replace("/descendant::ds:Signature", "/descendant::p:Signature");
    assert_eq!(coverage(&renamed), Coverage::Unsupported);
    let doctype = format!("<!DOCTYPE a [<!ENTITY b \"c\">]>{plain}");
    assert_eq!(verify(doctype.as_bytes()).unwrap_err().code, Code::XmlDoctype);
    // Cut and bent anywhere: never a panic, never good.
    let bytes = plain.as_bytes();
    let inside =
        |at: usize| (plain.find("<ds:SignedInfo").unwrap()..plain.find("</ds:SignatureValue>").unwrap()).contains(&at);
    for at in (0..bytes.len()).step_by(13) {
        let _ = verify(&bytes[..at]);
        let mut bent = bytes.to_vec();
        bent[at] ^= 0x15;
        if let Ok(found) = verify(&bent)
            && inside(at)
        {
            let good =
                found.iter().any(|one| matches!(one.coverage, Coverage::Whole(_)) && one.signature == Some(true));
            assert!(!good || signer.judge(&bent), "byte {at}");
        }
    }
    let many = "<ds:Reference URI=\"\"/>".repeat(1000);
    let many = plain.replace("</ds:SignedInfo>", &format!("{many}</ds:SignedInfo>"));
    assert_eq!(coverage(&many), Coverage::Unsupported);
}
