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
