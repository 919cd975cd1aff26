//! People who get notices by e-mail: plain text, through the operator's own mail server (SMTP, RFC 5321).
//!
//! Invariants: nothing is said to the server before TLS, but on this machine; what the server says of recipients goes into no log. A
//! server that drips for ever is given up after a few timeouts, and asked again only when that exchange has ended.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, SystemTime};

use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::{Error as Said, SmtpTransport};
use lettre::{Message, Transport as _};

use super::notice::Notice;
use super::{Target, failed};
use crate::archive::config::{Mail as Settings, Security};
use crate::durable;
use crate::error::{Code, Error, Result};
use crate::hash::Sha256;

/// How many times its timeout a whole exchange may take: a dozen steps, of which each is quick or the last.
const STEPS: u32 = 3;

/// "auto-generated": no out-of-office answer is wanted (RFC 3834).
#[derive(Debug, Clone)]
struct AutoSubmitted(String);

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(text: &str) -> std::result::Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self(text.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.clone())
    }
}

pub(super) struct Mail {
    name: String,
    settings: Settings,
    busy: Arc<AtomicBool>,
}

impl Mail {
    pub fn new(number: usize, settings: &Settings) -> Self {
        let name = format!("mail {number}, {}", settings.host);
        Self { name, settings: settings.clone(), busy: Arc::default() }
    }

    fn message(&self, notice: &Notice<'_>) -> Result<Message> {
        let wrong = |e: lettre::error::Error| failed(format!("no message: {e}"));
        // The same notice told twice is one message to who reads it.
        let id = Sha256::of(format!("{} {} {}", notice.archive(), notice.number(), notice.subject()).as_bytes());
        let mut message = Message::builder().from(self.settings.from.clone());
        for to in &self.settings.to {
            message = message.to(to.clone());
        }
        message
            .subject(notice.subject())
            .date(SystemTime::from(notice.at()))
            .message_id(Some(format!("<{}@custode>", &id.to_string()[..32])))
            .header(AutoSubmitted("auto-generated".to_owned()))
            .header(ContentType::TEXT_PLAIN)
            .body(notice.text())
            .map_err(wrong)
    }

    /// The way to the server. Files are read each time, so that what is put right needs no restart.
    fn transport(&self) -> Result<SmtpTransport> {
        let settings = &self.settings;
        let tls = match settings.security {
            Security::None => Tls::None,
            Security::StartTls => Tls::Required(self.tls()?),
            Security::Tls => Tls::Wrapper(self.tls()?),
        };
        let mut transport = SmtpTransport::builder_dangerous(&settings.host)
            .port(settings.port)
            .tls(tls)
            .timeout(Some(settings.timeout.std()));
        if let Some((name, password)) = &settings.login {
            let read = |e: Error| failed(format!("its password: {}: {}", e.code.as_str(), e.detail));
            transport = transport.credentials(Credentials::new(name.clone(), password.read().map_err(read)?));
        }
        Ok(transport.build())
    }

    fn tls(&self) -> Result<TlsParameters> {
        // Whoever started the process may not have chosen a provider; a second choice is refused and does no harm.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut tls = TlsParameters::builder(self.settings.host.clone());
        if !self.settings.anchors.is_empty() {
            tls = tls.certificate_store(CertificateStore::None);
        }
        for path in &self.settings.anchors {
            let wrong = |why: &str| failed(format!("its anchors: {why}: {}", path.display()));
            let pem = durable::read_linked(path).map_err(|e| wrong(e.code.as_str()))?;
            tls = tls.add_root_certificate(Certificate::from_pem(&pem).map_err(|_| wrong("no certificate"))?);
        }
        tls.build().map_err(|_| failed("TLS cannot be set up"))
    }
}

/// What went wrong; never what the server said, which may name somebody.
fn why(error: &Said) -> String {
    if let Some(status) = error.status() {
        format!("the server answered {status}")
    } else if error.is_timeout() || is_late(error) {
        "timed out".to_owned()
    } else if error.is_tls() {
        "no TLS that can be trusted".to_owned()
    } else if error.is_client() {
        "the server cannot do what is needed (STARTTLS, or the way to log in)".to_owned()
    } else if error.is_response() {
        "no answer that is SMTP".to_owned()
    } else {
        "no connection".to_owned()
    }
}

/// Whether somewhere below a read or write took longer than its time: the system calls it "would block".
fn is_late(error: &Said) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(deeper) = cause {
        let io = deeper.downcast_ref::<io::Error>().map(io::Error::kind);
        if matches!(io, Some(io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)) {
            return true;
        }
        cause = deeper.source();
    }
    false
}

impl Target for Mail {
    fn name(&self) -> &str {
        &self.name
    }

    fn tell(&self, notice: &Notice<'_>) -> Result<()> {
        let (message, transport) = (self.message(notice)?, self.transport()?);
        if self.busy.swap(true, Ordering::SeqCst) {
            return Err(failed("it still owes the answer to an earlier notice"));
        }
        let (answer, waiting) = channel();
        let busy = Arc::clone(&self.busy);
        let asked = std::thread::Builder::new().name("custode-mail".to_owned()).spawn(move || {
            let said = transport.send(&message).map(drop).map_err(|error| why(&error));
            busy.store(false, Ordering::SeqCst);
            // Nobody listens any more when it took too long.
            let _ = answer.send(said);
        });
        if let Err(error) = asked {
            self.busy.store(false, Ordering::SeqCst);
            return Err(Error::new(Code::NoticeFailed, format!("no thread to ask it: {error}")));
        }
        let most: Duration = self.settings.timeout.std() * STEPS;
        match waiting.recv_timeout(most) {
            Ok(said) => said.map_err(failed),
            Err(_) => Err(failed("timed out")),
        }
    }
}
