//! What it costs to understand and verify one signed PEC message of 50 KB, beside the hashing of its bytes and OpenSSL's RSA
//! verification: `cargo bench --profile dist --bench understand`.
//!
//! The limit is 0.3 ms of one core beyond hashing. The message is a transport envelope (SHA-256, RSA 2048, two levels of
//! certificates) as the corpus generator makes them. Parts are measured alone on the same bytes; what is left between their sum
//! and the whole is headers, attachments, merging. Each figure is the best of criterion's samples: least disturbed by others.

use std::cell::Cell;
use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use criterion::Criterion;
use custode::corpus::{self, Generator, Options};
use custode::document::class::{Class, Classes};
use custode::document::reader::pec::steps;
use custode::document::{Body, Context, Metadata, Understood, understand};
use custode::evidence::anchors::Anchors;
use custode::evidence::cms::{self, Content, DigestSet};
use custode::evidence::judge::Purpose as Use;
use custode::evidence::trust::{Purpose, Trust};
use custode::hash::Sha256;
use jiff::Timestamp;

/// What the message must cost at most, beyond hashing it.
const LIMIT: Duration = Duration::from_micros(300);
/// Length of the message wanted.
const WANTED: usize = 50_000;

/// Best time of a criterion benchmark.
fn measure<T>(criterion: &mut Criterion, name: &str, mut work: impl FnMut() -> T) -> Duration {
    let best = Cell::new(Duration::MAX);
    criterion.bench_function(name, |bencher| {
        bencher.iter_custom(|times| {
            let started = Instant::now();
            for _ in 0..times {
                black_box(work());
            }
            let elapsed = started.elapsed();
            let each = elapsed.div_f64(times.max(1) as f64);
            best.set(best.get().min(each));
            elapsed
        });
    });
    best.get()
}

/// An envelope of about the wanted length.
fn message() -> Vec<u8> {
    let options = Options { unhappy_per_thousand: 0, weak_per_thousand: 0, ..Options::default() };
    let mut generator = Generator::new(50, options).expect("the generator's keys are good");
    let mut best = Vec::new();
    for _ in 0..200 {
        let conversation = generator.conversation().expect("a conversation can be made");
        for item in conversation.into_iter().filter(|item| item.class == "pec-message") {
            let envelope = item.bytes.windows(14).any(|window| window.eq_ignore_ascii_case(b"\nx-trasporto: "));
            if envelope && item.bytes.len().abs_diff(WANTED) < best.len().abs_diff(WANTED) {
                best = item.bytes;
            }
        }
    }
    best
}

/// The base64 body that follows a header of a part named so.
fn attachment(message: &[u8], name: &str) -> Vec<u8> {
    let text = String::from_utf8_lossy(message).replace("\r\n", "\n");
    let at = text.find(name).expect("the part is there");
    let body = &text[at + text[at..].find("\n\n").expect("its header ends") + 2..];
    let body = body.split("\n--").next().unwrap_or(body);
    let compact: String = body.split_whitespace().collect();
    STANDARD.decode(&compact).unwrap_or_else(|_| body.as_bytes().to_vec())
}

/// Time of one of OpenSSL's RSA-2048 verifications.
fn openssl() -> Option<Duration> {
    let output = Command::new("openssl").args(["speed", "-seconds", "1", "rsa2048"]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find(|line| line.replace("  ", " ").starts_with("rsa 2048 bits"))?;
    // Seconds to sign, to verify; signatures and verifications a second, which are more exact.
    let a_second: f64 = line.split_whitespace().nth(6)?.parse().ok()?;
    (a_second > 0.0).then(|| Duration::from_secs_f64(1.0 / a_second))
}

fn trust() -> Trust {
    let pem: String =
        corpus::trust_anchors().expect("the corpus's authority").into_iter().map(|(_, pem)| pem).collect();
    let anchors = Anchors::parse(pem.as_bytes()).expect("an anchor");
    Trust::empty().with(Purpose::Pec, anchors)
}

fn look(class: &Class, body: &Body, trust: &Trust) -> Understood {
    let received = Timestamp::from_second(1_795_000_000).expect("in range");
    understand(class, body, "messaggio.eml", &Metadata::new(), &Context::new(trust, received)).expect("in memory")
}

fn main() {
    let message = message();
    let body = Body::from(message.clone());
    let classes = Classes::standard().expect("the standard classes");
    let class = classes.latest(&"pec-message".parse().expect("an identifier")).expect("a class");
    let trust = trust();
    let understood = look(class, &body, &trust);
    let verdict = understood.metadata.get("signature_verdict").cloned().unwrap_or_default();
    println!("a message of {} bytes, {} parts: {verdict}", message.len(), steps::split(&message));
    assert_eq!(understood.metadata["kind"], "posta-certificata");
    let signature = attachment(&message, "smime.p7s");
    let daticert = attachment(&message, "daticert.xml");
    assert!(steps::daticert(&daticert), "the daticert is found");
    let opened = cms::open(&signature).expect("a signature");
    let needed = custode::evidence::judge::digests_needed(&opened);
    let digests = DigestSet::of(b"not its content: the arithmetic is the same", needed);
    let judge = Context::new(&trust, Timestamp::from_second(1_795_000_000).expect("in range")).judge(None);
    let signer = &opened.data.certificates[0];
    let issuer = trust.anchors(Purpose::Pec).certificates()[0].clone();
    signer.verify_signature(issuer.spki()).expect("two levels");

    let mut criterion =
        Criterion::default().warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
    let c = &mut criterion;
    let hashing = measure(c, "hashing (SHA-256)", || Sha256::of(&message));
    let whole = measure(c, "understand and verify", || look(class, &body, &trust));
    let nobody = Trust::empty();
    let unjudged = measure(c, "the same, nobody is believed", || look(class, &body, &nobody));
    let parts = [
        ("MIME split", measure(c, "MIME split", || steps::split(&message))),
        ("daticert XML", measure(c, "daticert XML", || steps::daticert(&daticert))),
        ("CMS parse", measure(c, "CMS parse", || cms::open(&signature).is_ok())),
        (
            "CMS judged (RSA, certificate, cached path)",
            measure(c, "CMS judged", || judge.opened(&opened, Some(Content::Digests(&digests)), Use::Pec, "").is_ok()),
        ),
        ("JSON Schema", measure(c, "JSON Schema", || class.validate(&understood.metadata))),
    ];
    let rsa = measure(c, "RSA-2048 verification of a certificate", || signer.verify_signature(issuer.spki()).is_ok());

    let beyond = whole.saturating_sub(hashing);
    let row = |name: &str, time: Duration| println!("{:>9.1} us  {name}", time.as_secs_f64() * 1e6);
    println!();
    row("hashing the message once", hashing);
    row("understanding and verifying", whole);
    row("   of that with no anchors", unjudged);
    for (name, time) in parts {
        row(&format!("   {name}"), time);
    }
    let known: Duration = parts.iter().map(|(_, time)| *time).sum();
    row("   the rest: headers, signed bytes hashed, attachments, merging", whole.saturating_sub(known));
    row("one RSA-2048 verification, ours", rsa);
    match openssl() {
        Some(limit) => {
            row("one RSA-2048 verification, OpenSSL", limit);
            let ratio = beyond.as_secs_f64() / limit.as_secs_f64().max(1e-9);
            println!("a message costs {ratio:.1} of OpenSSL's verifications beyond hashing");
        }
        None => println!("NOT RUN: openssl speed is not there or says something else; no outside limit was measured"),
    }
    let word = if beyond <= LIMIT { "within" } else { "OVER" };
    println!(
        "{:.3} ms beyond hashing: {word} the limit of {:.1} ms",
        beyond.as_secs_f64() * 1e3,
        LIMIT.as_secs_f64() * 1e3
    );
}
