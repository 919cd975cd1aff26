//! A time-stamping authority made with OpenSSL (`openssl ts -reply`), and everything that can be wrong with one.
//!
//! What OpenSSL refuses to make (a certificate whose purpose is not critical, two signers, …) is signed again over OpenSSL's own
//! TSTInfo, so that each answer is right but for its one defect.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use custode::evidence::asn1::{self, Reader, tag};
use custode::evidence::cms::SignedData;
use custode::evidence::cms::build::{Spec, sign};
use custode::evidence::key::SigningKey;
use custode::evidence::oids;
use custode::evidence::tsp::{Query, token_of_reply};
use custode::evidence::x509::{Dn, Issuer, Profile, Purposes, issue};
use jiff::{SignedDuration, Timestamp};

/// The policy of its tokens.
pub const POLICY: &str = "1.2.3.4";

/// What is wrong with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// Nothing; its time has fractions of a second.
    None,
    /// It answers another request.
    Nonce,
    /// It stamps something else.
    Imprint,
    /// Another policy than the configured one.
    Policy,
    /// The certificate had expired.
    Expired,
    /// The certificate is of tomorrow.
    NotYetValid,
    /// No extended key usage.
    NoPurpose,
    /// The extended key usage is not critical.
    PurposeNotCritical,
    /// Time-stamping and something else.
    PurposeNotAlone,
    /// The certificate did not come along.
    NoCertificate,
    /// ESSCertIDv2 names another certificate.
    OtherCertificate,
    /// ESSCertID with SHA-1 and no other.
    Sha1Only,
    /// The same signer twice.
    TwoSigners,
    /// A certificate of an authority that nobody configured.
    Stranger,
    /// Status 2 with failInfo badAlg.
    Rejected,
    /// HTTP status 500.
    Status500,
    /// A page of HTML with status 200.
    Html,
    /// The connection ends in the middle of the body.
    Half,
    /// A byte now and then.
    Drip,
    /// Megabytes.
    Huge,
    /// Nothing at all.
    Silent,
}

impl Defect {
    /// All of them, with their names on the command line.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("none", Self::None),
        ("nonce", Self::Nonce),
        ("imprint", Self::Imprint),
        ("policy", Self::Policy),
        ("expired", Self::Expired),
        ("not-yet-valid", Self::NotYetValid),
        ("no-purpose", Self::NoPurpose),
        ("purpose-not-critical", Self::PurposeNotCritical),
        ("purpose-not-alone", Self::PurposeNotAlone),
        ("no-certificate", Self::NoCertificate),
        ("other-certificate", Self::OtherCertificate),
        ("sha1-only", Self::Sha1Only),
        ("two-signers", Self::TwoSigners),
        ("stranger", Self::Stranger),
        ("rejected", Self::Rejected),
        ("status-500", Self::Status500),
        ("html", Self::Html),
        ("half", Self::Half),
        ("drip", Self::Drip),
        ("huge", Self::Huge),
        ("silent", Self::Silent),
    ];
}

/// An authority in a folder: `ca.pem` is its anchor.
pub struct Office {
    folder: PathBuf,
    requests: AtomicU64,
}

const SETTINGS: &str = "[req]\ndistinguished_name = dn\nprompt = no\n[dn]\n[root]\nbasicConstraints = critical, CA:true\n\
    keyUsage = critical, keyCertSign, cRLSign\nsubjectKeyIdentifier = hash\n\
    [tsa]\nextendedKeyUsage = critical, timeStamping\nkeyUsage = critical, digitalSignature\n";

fn section(name: &str, digests: &str, ess: &str) -> String {
    format!(
        "[{name}]\nserial = serial\ncrypto_device = builtin\nsigner_cert = tsa.pem\nsigner_key = tsa.key\n\
         signer_digest = sha256\ndefault_policy = {POLICY}\nother_policies = 1.2.3.5\ndigests = {digests}\naccuracy = secs:1\n\
         clock_precision_digits = 3\nordering = no\ntsa_name = yes\ness_cert_id_chain = no\ness_cert_id_alg = {ess}\n"
    )
}

/// An algorithm's worth of elliptic key on OpenSSL's command line.
const KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";

impl Office {
    /// A new authority in this folder, good for ten days.
    pub fn create(folder: &Path) -> Self {
        let office = Self { folder: folder.to_owned(), requests: AtomicU64::new(0) };
        let settings = [
            SETTINGS.to_owned(),
            section("good", "sha256", "sha256"),
            section("sha1", "sha256", "sha1"),
            section("picky", "sha512", "sha256"),
        ];
        std::fs::write(folder.join("tsa.cnf"), settings.concat()).expect("the folder can be written");
        for arguments in [
            format!("req -x509 {KEY} -config tsa.cnf -extensions root -keyout ca.key -out ca.pem -days 10 -subj /CN=Radice"),
            format!("req {KEY} -config tsa.cnf -keyout tsa.key -out tsa.csr -subj /CN=Marcatura"),
            "x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 9 -extfile tsa.cnf -extensions tsa -out tsa.pem"
                .to_owned(),
        ] {
            office.openssl(&arguments);
        }
        office
    }

    /// PEM file of its anchor.
    pub fn anchor(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    fn openssl(&self, arguments: &str) {
        let out = Command::new("openssl").current_dir(&self.folder).args(arguments.split_ascii_whitespace()).output();
        let out = out.expect("openssl runs");
        assert!(out.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&out.stderr));
    }

    /// What `openssl ts -reply` says to a request.
    fn reply(&self, section: &str, query: &[u8]) -> Vec<u8> {
        let n = self.requests.fetch_add(1, Ordering::SeqCst);
        std::fs::write(self.folder.join(format!("{n}.tsq")), query).expect("the folder can be written");
        self.openssl(&format!("ts -reply -config tsa.cnf -section {section} -queryfile {n}.tsq -out {n}.tsr"));
        std::fs::read(self.folder.join(format!("{n}.tsr"))).expect("openssl wrote it")
    }

    /// The body of an answer to a request, with what is wrong with it. What is wrong with the exchange itself is the server's.
    pub fn answer(&self, defect: Defect, query: &[u8]) -> Vec<u8> {
        let asked = Query::parse(query).expect("a request");
        let other = |change: &dyn Fn(&mut Query)| {
            let mut query = asked.clone();
            change(&mut query);
            query.to_der()
        };
        match defect {
            Defect::Nonce => self.reply("good", &other(&|query| query.nonce = Some(vec![9; 8]))),
            Defect::Imprint => self.reply("good", &other(&|query| query.imprint = vec![7; 32])),
            Defect::Policy => self.reply("good", &other(&|query| query.policy = "1.2.3.5".parse().ok())),
            Defect::NoCertificate => self.reply("good", &other(&|query| query.certificate = false)),
            Defect::Sha1Only => self.reply("sha1", query),
            Defect::Rejected => self.reply("picky", query),
            Defect::TwoSigners => granted(&in_signed_data(&self.token(query), |element| match element.tag {
                tag::SET if element.value.starts_with(&[0x30]) && element.value.len() > 64 => {
                    asn1::constructed(tag::SET, &[element.value, element.value])
                }
                _ => element.raw.to_vec(),
            })),
            Defect::OtherCertificate => {
                // Signed with the one, sent with the other: the same name, number and key, and not the same certificate.
                let (key, ours) = self.certificate(|_| {});
                let twin = self.issued(&key, |profile| profile.not_before = ago(20));
                let token = self.signed_again(query, &key, &ours);
                granted(&in_signed_data(&token, |element| match element.tag == tag::constructed(0) {
                    true => asn1::tlv(element.tag, &twin),
                    false => element.raw.to_vec(),
                }))
            }
            Defect::Expired => self.with_certificate(query, |profile| {
                profile.not_before = ago(48);
                profile.not_after = ago(24);
            }),
            Defect::NotYetValid => self.with_certificate(query, |profile| profile.not_before = ago(-24)),
            Defect::NoPurpose => self.with_certificate(query, |profile| profile.purposes = None),
            Defect::PurposeNotCritical => self.with_certificate(query, |profile| purposes(profile).critical = false),
            Defect::PurposeNotAlone => {
                self.with_certificate(query, |profile| purposes(profile).list.push(oids::KP_EMAIL_PROTECTION))
            }
            Defect::Stranger => {
                let (key, _) = SigningKey::generate_p256().expect("a key");
                let spki = key.spki_der().expect("its public half");
                let name = Dn::new().common_name("Altra radice");
                let own = Profile {
                    purposes: Some(stamping()),
                    ..Profile::leaf(name, &spki, Issuer::Own(&key), 3, ago(24), ago(-240))
                };
                let own = issue(&own).expect("a certificate");
                granted(&self.signed_again(query, &key, &own))
            }
            _ => self.reply("good", query),
        }
    }

    /// OpenSSL's token for a request.
    fn token(&self, query: &[u8]) -> Vec<u8> {
        token_of_reply(&self.reply("good", query)).expect("granted")
    }

    /// OpenSSL's TSTInfo, signed by another key and certificate.
    fn signed_again(&self, query: &[u8], key: &SigningKey, certificate: &[u8]) -> Vec<u8> {
        let data = SignedData::parse(&self.token(query)).expect("signed data");
        let content = data.content.expect("a TSTInfo");
        let spec = Spec {
            content_type: oids::TST_INFO,
            signing_certificate_v2: true,
            ..Spec::new(&content, key, certificate)
        };
        sign(&spec).expect("a token")
    }

    fn with_certificate(&self, query: &[u8], change: impl FnOnce(&mut Profile<'_>)) -> Vec<u8> {
        let (key, certificate) = self.certificate(change);
        granted(&self.signed_again(query, &key, &certificate))
    }

    fn certificate(&self, change: impl FnOnce(&mut Profile<'_>)) -> (SigningKey, Vec<u8>) {
        let (key, _) = SigningKey::generate_p256().expect("a key");
        let certificate = self.issued(&key, change);
        (key, certificate)
    }

    /// A certificate for this key by the authority's root, right but for the change.
    fn issued(&self, key: &SigningKey, change: impl FnOnce(&mut Profile<'_>)) -> Vec<u8> {
        let read = |name: &str| std::fs::read_to_string(self.folder.join(name)).expect("made at the beginning");
        let root_key = SigningKey::from_pkcs8_pem(&read("ca.key")).expect("a key");
        let root = pem(&read("ca.pem"));
        let spki = key.spki_der().expect("its public half");
        let issuer = Issuer::Authority { key: &root_key, certificate: &root };
        let mut profile = Profile {
            purposes: Some(stamping()),
            ..Profile::leaf(Dn::new().common_name("Marcatura"), &spki, issuer, 77, ago(24), ago(-216))
        };
        change(&mut profile);
        issue(&profile).expect("a certificate")
    }
}

fn stamping() -> Purposes {
    Purposes { critical: true, list: vec![oids::KP_TIME_STAMPING] }
}

fn purposes<'a>(profile: &'a mut Profile<'_>) -> &'a mut Purposes {
    profile.purposes.get_or_insert_with(stamping)
}

fn ago(hours: i64) -> Timestamp {
    let then = Timestamp::now().saturating_sub(SignedDuration::from_hours(hours)).expect("not so long ago");
    Timestamp::from_second(then.as_second()).expect("in range")
}

fn granted(token: &[u8]) -> Vec<u8> {
    asn1::sequence(&[&asn1::sequence(&[&asn1::small(0)]), token])
}

/// The token with each element of its SignedData as `change` makes it.
fn in_signed_data(token: &[u8], change: impl Fn(&asn1::Tlv<'_>) -> Vec<u8>) -> Vec<u8> {
    let mut outer = Reader::only(token, tag::SEQUENCE).expect("ContentInfo").inside();
    let kind = outer.next().expect("its type");
    let data = outer.next().and_then(|element| element.inside().next()).and_then(|data| data.inside().all());
    let parts: Vec<u8> = data.expect("SignedData").iter().flat_map(change).collect();
    let data = asn1::tlv(tag::SEQUENCE, &parts);
    asn1::sequence(&[kind.raw, &asn1::constructed(tag::constructed(0), &[&data])])
}

/// The first certificate of a PEM text.
pub fn pem(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    let body: String = text
        .lines()
        .skip_while(|line| !line.starts_with("-----BEGIN"))
        .skip(1)
        .take_while(|line| !line.starts_with('-'))
        .collect();
    base64::engine::general_purpose::STANDARD.decode(body).expect("PEM")
}
