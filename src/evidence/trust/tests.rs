//! Trust remembers what it judged and is never wrong by it.

use super::*;
use crate::evidence::fixtures::{at, pki};

#[test]
fn what_was_judged_is_remembered_for_as_long_as_it_holds() {
    let pki = pki(|_| {});
    let leaf = Certificate::parse(&pki.leaf).unwrap();
    let trust = Trust::empty().with(Purpose::Pec, Anchors::from_der(vec![pki.root.clone()]).unwrap());
    let chain = |instant: &str| trust.chain(&leaf, &[], Purpose::Pec, at(instant));
    assert!(matches!(chain("2026-06-01T00:00:00Z"), Chain::Path(path) if path.len() == 2));
    assert!(matches!(chain("2030-06-01T00:00:00Z"), Chain::Path(_)));
    assert_eq!(trust.cache.len(), 1, "the same path holds at another time");
    assert!(matches!(chain("2040-01-01T00:00:00Z"), Chain::Broken(Code::SignatureExpired, _)));
    assert!(matches!(chain("2026-06-01T00:00:00Z"), Chain::Path(_)), "an expired path does not stay expired");
    assert!(matches!(trust.chain(&leaf, &[], Purpose::Signature, at("2026-06-01T00:00:00Z")), Chain::NoAnchors));
}

fn list(authority: &[u8], states: &[(&str, &str)]) -> String {
    use base64::Engine as _;
    let certificate = base64::engine::general_purpose::STANDARD.encode(authority);
    let state = |(status, from): &(&str, &str)| {
        format!(
            "<ServiceTypeIdentifier>http://uri.etsi.org/TrstSvc/Svctype/CA/QC</ServiceTypeIdentifier><ServiceStatus>http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/{status}</ServiceStatus>\
             <StatusStartingTime>{from}</StatusStartingTime>"
        )
    };
    let history: String =
        states[1..].iter().map(|s| format!("<ServiceHistoryInstance>{}</ServiceHistoryInstance>", state(s))).collect();
    format!(
        "<TrustServiceStatusList xmlns=\"http://uri.etsi.org/02231/v2#\"><TrustServiceProviderList><TrustServiceProvider><TSPServices><TSPService><ServiceInformation>{}\
         <ServiceDigitalIdentity><DigitalId><X509Certificate>{certificate}</X509Certificate></DigitalId></ServiceDigitalIdentity></ServiceInformation>\
         <ServiceHistory>{history}</ServiceHistory></TSPService></TSPServices></TrustServiceProvider></TrustServiceProviderList></TrustServiceStatusList>",
        state(&states[0])
    )
}

#[test]
fn a_service_of_a_trusted_list_counts_while_it_was_granted() {
    let pki = pki(|_| {});
    let leaf = Certificate::parse(&pki.leaf).unwrap();
    let text = list(&pki.root, &[("withdrawn", "2030-01-01T00:00:00Z"), ("granted", "2027-01-01T00:00:00Z")]);
    let (parsed, signed) = TrustedList::parse(text.as_bytes(), &Anchors::default()).unwrap();
    assert_eq!(signed, list::Signed::Unchecked);
    let trust = Trust::empty().with_list(parsed).unwrap();
    let chain = |at_time: &str| trust.chain(&leaf, &[], Purpose::Signature, at(at_time));
    assert!(matches!(chain("2028-01-01T00:00:00Z"), Chain::Path(_)));
    for outside in ["2026-06-01T00:00:00Z", "2031-01-01T00:00:00Z"] {
        assert!(matches!(chain(outside), Chain::Broken(Code::SignatureUntrusted, _)), "{outside}");
    }
    assert!(matches!(trust.chain(&leaf, &[], Purpose::Pec, at("2028-01-01T00:00:00Z")), Chain::NoAnchors));
    // A configured anchor needs no list.
    let own = Trust::empty().with(Purpose::Signature, Anchors::from_der(vec![pki.root.clone()]).unwrap());
    let (parsed, _) = TrustedList::parse(text.as_bytes(), &Anchors::default()).unwrap();
    let own = own.with_list(parsed).unwrap();
    assert!(matches!(own.chain(&leaf, &[], Purpose::Signature, at("2026-06-01T00:00:00Z")), Chain::Path(_)));
    // Asked for a signature that is not there, a list is an error; cut or bent it never panics.
    let signers = Anchors::from_der(vec![pki.root.clone()]).unwrap();
    assert_eq!(TrustedList::parse(text.as_bytes(), &signers).unwrap_err().code, Code::SignatureInvalid);
    for cut in (0..text.len()).step_by(37) {
        let _ = TrustedList::parse(&text.as_bytes()[..cut], &Anchors::default());
    }
}

#[test]
fn the_directory_lists_certificates_by_their_sha1() {
    use base64::Engine as _;
    let pki = pki(|_| {});
    let leaf = Certificate::parse(&pki.leaf).unwrap();
    let hash = hex::encode_upper(crate::evidence::algorithm::DigestAlgorithm::Sha1.of(&pki.leaf));
    let domain = base64::engine::general_purpose::STANDARD.encode("PEC.example.it");
    let ldif = format!(
        "version: 1\r\n# comment\r\ndn: providerName=Esempio,o=postacert\r\nproviderName: Esempio\r\nproviderCertificateHash: {}\r\n {}\r\nmanagedDomains:: {domain}\r\n\r\n\
         dn: providerName=Altro,o=postacert\r\nmanagedDomains: altro.example.it\r\n",
        &hash[..10],
        &hash[10..]
    );
    let look = |directory: &Directory, domain: &str| directory.lists(&leaf, Some(domain));
    let directory = Directory::parse(ldif.as_bytes()).unwrap();
    assert_eq!(look(&directory, "pec.example.it"), Some(true));
    assert_eq!(look(&directory, "altro.example.it"), Some(false));
    assert_eq!(directory.lists(&Certificate::parse(&pki.root).unwrap(), None), None);
    let signed =
        crate::evidence::cms::sign(&crate::evidence::cms::Spec::new(ldif.as_bytes(), &pki.leaf_key, &pki.leaf));
    let both = Directory::parse(&signed.unwrap()).unwrap().and(Directory::ldif(b"providerCertificateHash: 00"));
    assert_eq!(look(&both, "pec.example.it"), Some(true));
    for cut in 0..ldif.len() {
        let _ = Directory::parse(&ldif.as_bytes()[..cut]);
    }
    assert!(Directory::ldif(b"::\n:: \n \nmanagedDomains::!!").is_empty());
}

/// AgID's authority names the mail domains its providers may have: honoured, neither ignored nor refused.
#[test]
fn name_constraints_of_mail_domains_are_honoured() {
    use crate::evidence::asn1::{self, tag};
    use crate::evidence::oids;
    use crate::evidence::x509::{Dn, Extension, Issuer, Profile, issue};
    let pki = pki(|_| {});
    let (from, to) = (at("2026-01-01T00:00:00Z"), at("2036-01-01T00:00:00Z"));
    let key = crate::evidence::key::SigningKey::generate_p256().unwrap().0;
    let spki = key.spki_der().unwrap();
    let domain = |name: &str| asn1::sequence(&[&asn1::tlv(tag::context(1), name.as_bytes())]);
    let permitted = asn1::constructed(tag::constructed(0), &[&domain("pec.example.it"), &domain(".legal.example.it")]);
    let constraints = Extension { id: oids::NAME_CONSTRAINTS, critical: true, value: asn1::sequence(&[&permitted]) };
    let issuer = Issuer::Authority { key: &pki.root_key, certificate: &pki.root };
    let mut profile = Profile::authority(Dn::new().common_name("CA intermedia di prova"), &spki, issuer, 5, from, to);
    profile.more.push(constraints);
    let authority = issue(&profile).unwrap();
    let trust = Trust::empty().with(Purpose::Pec, Anchors::from_der(vec![pki.root.clone()]).unwrap());
    let bag = [Certificate::parse(&authority).unwrap()];
    for (email, fine) in [
        ("posta-certificata@pec.example.it", true),
        ("posta-certificata@PEC.example.it", true),
        ("gestore@x.legal.example.it", true),
        ("posta-certificata@pec.example.org", false),
        ("posta-certificata@sub.pec.example.it", false),
    ] {
        let leaf_spki = pki.leaf_key.spki_der().unwrap();
        let issuer = Issuer::Authority { key: &key, certificate: &authority };
        let mut profile = Profile::leaf(Dn::new().common_name("Gestore"), &leaf_spki, issuer, 6, from, to);
        profile.emails = vec![email.to_owned()];
        let leaf = Certificate::parse(&issue(&profile).unwrap()).unwrap();
        let chain = trust.chain(&leaf, &bag, Purpose::Pec, at("2027-01-01T00:00:00Z"));
        match chain {
            Chain::Path(path) => assert!(fine && path.len() == 3, "{email}"),
            other => {
                assert!(matches!(other, Chain::Broken(Code::SignatureNameConstraint, _)) && !fine, "{email}: {other:?}")
            }
        }
    }
}

#[test]
fn a_trusted_list_is_believed_when_a_configured_certificate_signed_the_whole_of_it() {
    if !crate::judges::present(&["openssl", "xmlsec1"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let run = |program: &str, arguments: &str| {
        let out = std::process::Command::new(program).current_dir(&folder).args(arguments.split(' ')).output().unwrap();
        assert!(out.status.success(), "{program} {arguments}: {}", String::from_utf8_lossy(&out.stderr));
    };
    let certificate = |name: &str| {
        run(
            "openssl",
            &format!("req -x509 -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.pem -days 30 -subj /CN={name}"),
        );
        Anchors::from_pem_files(&[folder.path().join(format!("{name}.pem"))]).unwrap()
    };
    let (scheme, stranger) = (certificate("scheme"), certificate("stranger"));
    let template = "<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:SignedInfo>\
         <ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/>\
         <ds:SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256\"/><ds:Reference URI=\"\"><ds:Transforms>\
         <ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/>\
         <ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/></ds:Transforms>\
         <ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/><ds:DigestValue/></ds:Reference></ds:SignedInfo>\
         <ds:SignatureValue/><ds:KeyInfo><ds:X509Data/></ds:KeyInfo></ds:Signature></TrustServiceStatusList>";
    let plain = list(&pki(|_| {}).root, &[("granted", "2020-01-01T00:00:00Z")]);
    std::fs::write(folder.path().join("in.xml"), plain.replace("</TrustServiceStatusList>", template)).unwrap();
    run("xmlsec1", "--sign --privkey-pem scheme.key,scheme.pem --output out.xml in.xml");
    let signed = std::fs::read_to_string(folder.path().join("out.xml")).unwrap();
    let read = |text: &str, signers: &Anchors| {
        TrustedList::parse(text.as_bytes(), signers).map(|(_, signed)| signed).map_err(|error| error.code)
    };
    assert_eq!(read(&signed, &scheme), Ok(list::Signed::Checked));
    assert_eq!(read(&signed, &scheme.clone().and(stranger.clone())), Ok(list::Signed::Checked));
    assert_eq!(read(&signed, &Anchors::default()), Ok(list::Signed::Unchecked), "nobody to check it by");
    assert_eq!(read(&signed, &stranger), Err(Code::SignatureInvalid), "signed by another");
    let altered = signed.replacen("2020-01-01", "2019-01-01", 1);
    assert_ne!(altered, signed);
    assert_eq!(read(&altered, &scheme), Err(Code::SignatureInvalid), "altered after it was signed");
}
