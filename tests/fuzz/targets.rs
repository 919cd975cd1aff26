//! The fuzz targets: one function for every format that comes from outside, over bytes alone.
//!
//! Included by the instrumented programs in `fuzz_targets/` and by the smoke run in `tests/fuzz_smoke.rs`. Invariant: a target
//! calls what the archive itself calls, never panics, and gives the size of what was made of the input, so that the
//! caller can see that it is bounded.

use std::sync::OnceLock;

use custode::corpus;
use custode::document::class::Classes;
use custode::document::{Body, Context, Metadata, auto_class, understand};
use custode::error::Finding;
use custode::evidence::anchors::Anchors;
use custode::evidence::cms::{self, Content};
use custode::evidence::judge::{Purpose as Use, Senders};
use custode::evidence::revocation::accept::accept;
use custode::evidence::revocation::{Material, sources, status};
use custode::evidence::trust::directory::Directory;
use custode::evidence::trust::list::{Service, TrustedList};
use custode::evidence::trust::{Purpose, Trust};
use custode::evidence::verdict::SignatureReport;
use custode::evidence::x509::{Certificate, name};
use custode::evidence::{ers, tsp};
use custode::hash::Sha256;
use custode::intake::spool::Incoming;
use custode::intake::zip::{Expanded, Limits, expand};
use jiff::Timestamp;

/// A format, and what reads it.
pub struct Target {
    /// Name: of the program, of its dictionary, of its folder of seeds.
    pub name: &'static str,
    /// Reads, and gives the size of what came out.
    pub run: fn(&[u8]) -> usize,
}

/// All of them, the most exposed first.
pub const TARGETS: &[Target] = &[
    Target { name: "pec", run: pec },
    Target { name: "cms", run: signed_data },
    Target { name: "xades", run: xades },
    Target { name: "daticert", run: daticert },
    Target { name: "invoice", run: invoice },
    Target { name: "notification", run: notification },
    Target { name: "zip", run: zip },
    Target { name: "pec_log", run: pec_log },
    Target { name: "identity", run: identity },
    Target { name: "ldif", run: ldif },
    Target { name: "trusted_list", run: trusted_list },
    Target { name: "revocation", run: revocation },
    Target { name: "timestamp", run: timestamp },
    Target { name: "certificate", run: certificate },
    Target { name: "records", run: records },
];

/// Runs the target of this name.
#[allow(dead_code, reason = "the smoke run goes through them all")]
pub fn run(name: &str, bytes: &[u8]) -> usize {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target of this name");
    (target.run)(bytes)
}

/// The classes, and a trust that believes the corpus's authority.
struct World {
    classes: Classes,
    trust: Trust,
    anchors: Anchors,
}

impl World {
    fn get() -> &'static Self {
        static WORLD: OnceLock<World> = OnceLock::new();
        WORLD.get_or_init(|| {
            let pem: String = corpus::trust_anchors().unwrap().into_iter().map(|(_, pem)| pem).collect();
            let anchors = Anchors::parse(pem.as_bytes()).unwrap();
            let trust = [Purpose::Pec, Purpose::Signature, Purpose::TimeStamp]
                .into_iter()
                .fold(Trust::empty(), |trust, purpose| trust.with(purpose, anchors.clone()));
            Self { classes: Classes::standard().unwrap(), trust, anchors }
        })
    }

    fn context(&self) -> Context<'_> {
        Context::new(&self.trust, Timestamp::from_second(1_795_000_000).unwrap())
    }

    /// What the archive does with a deposited document.
    fn understand(&self, class: &str, bytes: &[u8], name: &str) -> usize {
        let body = Body::from(bytes.to_vec());
        let class = self.classes.latest(&class.parse().unwrap()).unwrap();
        let understood = understand(class, &body, name, &Metadata::new(), &self.context()).unwrap();
        let _ = auto_class(&body, name).unwrap();
        serde_json::to_string(&understood.metadata).unwrap().len() + told(&understood.findings)
    }
}

fn told(findings: &[Finding]) -> usize {
    findings.iter().map(|finding| 32 + finding.place.len() + finding.message.len()).sum()
}

fn judged(reports: &[SignatureReport]) -> usize {
    SignatureReport::worst(reports).len()
        + reports.iter().map(|report| report.to_json().to_string().len() + told(&report.findings())).sum::<usize>()
}

/// A message, or one with a virus.
fn pec(bytes: &[u8]) -> usize {
    let world = World::get();
    world.understand("pec-message", bytes, "messaggio.eml") + world.understand("pec-virus", bytes, "messaggio.eml")
}

/// The certification data of a message that is in order otherwise.
fn daticert(bytes: &[u8]) -> usize {
    let mut message = b"From: posta-certificata@pec.example\r\nX-Trasporto: posta-certificata\r\nMIME-Version: 1.0\r\n\
        Content-Type: multipart/mixed; boundary=\"=_limite\"\r\n\r\n--=_limite\r\nContent-Type: text/plain\r\n\r\nx\r\n\
        --=_limite\r\nContent-Type: application/xml; name=\"daticert.xml\"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        .to_vec();
    message.extend_from_slice(bytes);
    message.extend_from_slice(b"\r\n--=_limite--\r\n");
    World::get().understand("pec-message", &message, "messaggio.eml")
}

/// Signed data in any dress: unwrapped, judged over its own content and over another.
fn signed_data(bytes: &[u8]) -> usize {
    let world = World::get();
    let judge = world.context().judge(None);
    let unwrapped = cms::unwrap(bytes).map_or(0, |der| der.len());
    let _ = cms::is_cut_short(bytes);
    let own = judge.cms(bytes, None, Use::Signature, "content").unwrap_or_default();
    let senders = Senders { from: "posta-certificata@pec.example", sender: "", doubt: "" };
    let content = Content::Bytes(b"Content-Type: text/plain\r\n\r\nx");
    let other = cms::open(bytes).and_then(|opened| judge.mail(&opened, Some(content), Use::Pec, senders, "content"));
    let other = other.unwrap_or_default();
    unwrapped + judged(&own) + judged(&other)
}

/// An invoice, plain or signed.
fn invoice(bytes: &[u8]) -> usize {
    World::get().understand("invoice", bytes, "IT01234567890_00001.xml.p7m")
}

/// A notification of the exchange system.
fn notification(bytes: &[u8]) -> usize {
    World::get().understand("sdi-notification", bytes, "IT01234567890_00001_RC_001.xml")
}

/// An archive of invoices and notifications, taken apart as at the door.
fn zip(bytes: &[u8]) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let incoming = Incoming::open(folder.path()).unwrap();
    let limits = Limits { files: 200, document: 256 << 10, total: 1 << 20 };
    match expand(&Body::from(bytes.to_vec()), &incoming, limits).unwrap() {
        // Bounded by the limits, not by the input.
        Expanded::Members(members, _) => {
            let total: u64 = members.iter().map(|member| member.spooled.digests().bytes).sum();
            assert!(total <= limits.total && members.len() <= limits.files, "more than the limits allow");
            members.iter().map(|member| member.name.len() + member.place.len()).sum()
        }
        Expanded::Other => 0,
        Expanded::Refused(findings, _) => told(&findings),
    }
}

/// A log, by the name of either kind.
fn pec_log(bytes: &[u8]) -> usize {
    let world = World::get();
    world.understand("pec-log", bytes, "log-2026-11-21.csv")
        + world.understand("pec-log", bytes, "daily-2026-11-21.log.gz")
}

/// Pictures and PDF.
fn identity(bytes: &[u8]) -> usize {
    World::get().understand("identity-document", bytes, "fronte.jpg")
}

/// Signatures in XML: canonicalised, verified, judged.
fn xades(bytes: &[u8]) -> usize {
    let judge = World::get().context().judge(None);
    let _ = custode::evidence::xades::mentions_signature(bytes);
    judged(&judge.xades(bytes, "content").unwrap_or_default())
}

/// A trusted list, not signed and signed by nobody known.
fn trusted_list(bytes: &[u8]) -> usize {
    let world = World::get();
    let _ = TrustedList::parse(bytes, &world.anchors);
    let Ok((list, _)) = TrustedList::parse(bytes, &Anchors::default()) else { return 0 };
    [Service::QualifiedCertificates, Service::QualifiedTimeStamps]
        .into_iter()
        .filter_map(|service| list.anchors(service).ok())
        .map(|anchors| anchors.certificates().iter().map(|certificate| certificate.der().len()).sum::<usize>())
        .sum()
}

/// The directory of PEC providers.
fn ldif(bytes: &[u8]) -> usize {
    let world = World::get();
    let Ok(directory) = Directory::parse(bytes) else { return 0 };
    let known = world.anchors.certificates().iter().filter_map(|c| directory.lists(c, Some("pec.example")));
    known.count()
}

/// Lists of revoked certificates and answers of OCSP responders.
fn revocation(bytes: &[u8]) -> usize {
    let world = World::get();
    let mut material = Material::default();
    if material.add(bytes).is_ok() {
        for certificate in world.anchors.certificates() {
            let _ = status(certificate, certificate, &material, world.context().received_at);
            let _ = accept(bytes, certificate, certificate, world.context().received_at);
        }
    }
    0
}

/// A reply of a time-stamp authority, then a stored token.
fn timestamp(bytes: &[u8]) -> usize {
    let world = World::get();
    let imprint = Sha256::of(b"custode");
    let request = tsp::request(imprint, Some(&[7; 8]));
    let _ = tsp::verify_reply(&request, bytes, &world.anchors, world.context().received_at);
    let _ = tsp::verify_token(bytes, imprint, &world.anchors);
    let _ = tsp::verify_stamp(bytes, b"custode", &world.anchors);
    tsp::token_of_reply(bytes).map_or(0, |token| token.len())
}

/// A certificate: fields, names, extensions, path.
fn certificate(bytes: &[u8]) -> usize {
    let world = World::get();
    let Ok(certificate) = Certificate::parse(bytes) else { return 0 };
    let _ =
        world.trust.chain(&certificate, std::slice::from_ref(&certificate), Purpose::Pec, world.context().received_at);
    let _ = (certificate.extended_key_usage().is_ok(), certificate.basic_constraints().is_ok());
    let _ = (sources::lists(&certificate), sources::responders(&certificate));
    let emails = certificate.emails().unwrap_or_default();
    name::text(certificate.subject()).len() + name::text(certificate.issuer()).len() + emails.concat().len()
}

/// What the archive wrote itself long ago, and somebody hands back: evidence records, hash trees, PIndex parts.
fn records(bytes: &[u8]) -> usize {
    let record = ers::record::Record::parse(bytes).map_or(0, |record| record.to_der().len());
    let tree = ers::file::TreeFile::parse(bytes).map_or(0, |tree| tree.encode().len());
    let _ = custode::document::agid::parse(bytes);
    record + tree
}
