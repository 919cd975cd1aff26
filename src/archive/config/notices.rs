//! `[alarms]`: who is told of alarms, and how often they are worked out.
//!
//! Invariant: nothing is told to anybody who is not named here; a secret stands in a file or in the environment, and one that is
//! not there makes telling wait and keeps nothing from opening. Mail leaves this machine under TLS only.

use std::path::{Path, PathBuf};

use lettre::message::Mailbox;
use toml::Spanned;

use super::limits::{between, secs, tsa_url, variable};
use super::locate::Problems;
use super::raw;
use super::resolve::{optional, path};
use super::resolved::Secret;
use crate::error::Severity;
use crate::units::Lapse;

/// Working alarms out reads the catalog; a minute late is early enough for people.
const EVERY: Lapse = Lapse::from_secs(60);
/// What is still so is said again once a day.
const REMIND: Lapse = Lapse::from_secs(86_400);
/// A web server answers in a second; nobody waits for it but whoever tells.
const WEBHOOK_TIMEOUT: Lapse = Lapse::from_secs(10);
/// Mail servers are allowed to think.
const MAIL_TIMEOUT: Lapse = Lapse::from_secs(30);
/// More is a mailing list.
const MOST: usize = 16;

/// Who is told of alarms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notices {
    /// How often alarms are worked out while serving.
    pub every: Lapse,
    /// How long after the last notice it is said again that alarms stand.
    pub remind: Lapse,
    /// The least grave that is told.
    pub least: Severity,
    /// Whether good nights are told too.
    pub every_night: bool,
    /// Web servers.
    pub webhooks: Vec<Webhook>,
    /// People.
    pub mails: Vec<Mail>,
}

impl Notices {
    /// Whether nobody is told.
    pub fn is_empty(&self) -> bool {
        self.webhooks.is_empty() && self.mails.is_empty()
    }
}

/// A web server that takes notices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Where they are posted.
    pub url: url::Url,
    /// What they are marked with; the archive's key when there is none.
    pub secret: Option<Secret>,
    /// How long one exchange may take.
    pub timeout: Lapse,
}

/// How a mail server is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// TLS after STARTTLS, or nothing is sent (RFC 3207).
    StartTls,
    /// TLS from the first byte (RFC 8314).
    Tls,
    /// Plain, on this machine only.
    None,
}

/// People who get notices by e-mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Host of the server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How it is reached.
    pub security: Security,
    /// Files of the certificates that its own leads to; those of the system when there are none.
    pub anchors: Vec<PathBuf>,
    /// User name and password, when it wants them.
    pub login: Option<(String, Secret)>,
    /// Sender.
    pub from: Mailbox,
    /// Recipients.
    pub to: Vec<Mailbox>,
    /// How long each step of the exchange may take.
    pub timeout: Lapse,
}

pub(super) fn notices(
    table: Option<Spanned<raw::Alarms>>,
    problems: &mut Problems<'_>,
    archive: &Path,
) -> Option<Notices> {
    let table = table.map(Spanned::into_inner).unwrap_or_default();
    let every = between(&table.every, "alarms.every", EVERY, secs(1, 86_401), problems);
    let remind = between(&table.remind, "alarms.remind", REMIND, secs(1, 31 * 86_400), problems);
    let least = optional(&table.least, "alarms.least", problems, |text| match text {
        "warning" => Ok(Severity::Warning),
        "error" => Ok(Severity::Error),
        _ => Err("expected \"warning\" or \"error\"".to_owned()),
    });
    let every_night = optional(&table.nights, "alarms.nights", problems, |text| match text {
        "bad" => Ok(false),
        "all" => Ok(true),
        _ => Err("expected \"bad\" (only nights that were not good) or \"all\"".to_owned()),
    });
    let count = table.webhook.len() + table.mail.len();
    let first = table.webhook.first().map(Spanned::span).or_else(|| table.mail.first().map(Spanned::span));
    if let Some(span) = first.filter(|_| count > MOST) {
        problems.wrong(&span, "alarms", format!("expected at most {MOST} of [[alarms.webhook]] and [[alarms.mail]]"));
        return None;
    }
    let webhooks: Option<Vec<_>> = table.webhook.into_iter().map(|table| webhook(table, problems, archive)).collect();
    let mails: Option<Vec<_>> = table.mail.into_iter().map(|table| mail(table, problems, archive)).collect();
    Some(Notices {
        every: every?,
        remind: remind?,
        least: least?.unwrap_or(Severity::Warning),
        every_night: every_night?.unwrap_or(false),
        webhooks: webhooks?,
        mails: mails?,
    })
}

type Text = Option<Spanned<String>>;

fn webhook(table: Spanned<raw::Webhook>, problems: &mut Problems<'_>, archive: &Path) -> Option<Webhook> {
    let span = table.span();
    let table = table.into_inner();
    let timeout = between(&table.timeout, "alarms.webhook.timeout", WEBHOOK_TIMEOUT, secs(1, 61), problems);
    let url = optional(&table.url, "alarms.webhook.url", problems, tsa_url)?;
    if url.is_none() {
        problems.missing(Some(&span), "alarms.webhook.url", "where notices are posted");
    }
    let secret = secret((&table.secret_file, &table.secret_env), "alarms.webhook.secret", &span, problems, archive)?;
    Some(Webhook { url: url?, secret, timeout: timeout? })
}

fn mail(table: Spanned<raw::Mail>, problems: &mut Problems<'_>, archive: &Path) -> Option<Mail> {
    let span = table.span();
    let table = table.into_inner();
    let timeout = between(&table.timeout, "alarms.mail.timeout", MAIL_TIMEOUT, secs(1, 301), problems);
    let security = optional(&table.security, "alarms.mail.security", problems, |text| match text {
        "starttls" => Ok(Security::StartTls),
        "tls" => Ok(Security::Tls),
        "none" => Ok(Security::None),
        _ => Err("expected \"starttls\", \"tls\" or \"none\"".to_owned()),
    })?;
    let security = security.unwrap_or(Security::StartTls);
    let server = optional(&table.server, "alarms.mail.server", problems, |text| host_and_port(text, security))?;
    let anchors: Option<Vec<PathBuf>> = (table.anchors.iter().flatten())
        .map(|item| problems.parse(item, "alarms.mail.anchors", |text| path(archive, text)))
        .collect();
    let address = |text: &str| text.parse::<Mailbox>().map_err(|e| format!("expected an address ({e})"));
    let from = optional(&table.from, "alarms.mail.from", problems, address)?;
    let to: Option<Vec<Mailbox>> =
        table.to.iter().flatten().map(|item| problems.parse(item, "alarms.mail.to", address)).collect();
    let to = to?;
    if server.is_none() || from.is_none() || to.is_empty() || to.len() > MOST {
        let why = format!("`server`, `from` and `to` (1 to {MOST} addresses) are needed");
        problems.missing(Some(&span), "alarms.mail", why);
        return None;
    }
    let password =
        secret((&table.password_file, &table.password_env), "alarms.mail.password", &span, problems, archive)?;
    let username = optional(&table.username, "alarms.mail.username", problems, |text| Ok(text.to_owned()))?;
    let login = match (username, password) {
        (Some(name), Some(password)) => Some((name, password)),
        (None, None) => None,
        _ => {
            problems.missing(
                Some(&span),
                "alarms.mail.username",
                "a user name needs a password, and the other way round",
            );
            return None;
        }
    };
    let (host, port) = server?;
    Some(Mail { host, port, security, anchors: anchors?, login, from: from?, to, timeout: timeout? })
}

fn host_and_port(text: &str, security: Security) -> std::result::Result<(String, u16), String> {
    let accepted = "expected a host, as in \"smtp.example.it\" or \"smtp.example.it:587\"";
    let (usual, local) = match security {
        Security::StartTls => (587, false),
        Security::Tls => (465, false),
        Security::None => (25, true),
    };
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, port.parse::<u16>().map_err(|_| accepted.to_owned())?),
        None => (text, usual),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if host.is_empty() || host.len() > 253 || !host.chars().all(plain) || port == 0 {
        return Err(accepted.to_owned());
    }
    if local && !matches!(host, "localhost" | "127.0.0.1") {
        return Err("without TLS only a server on this machine (localhost) is spoken to".to_owned());
    }
    Ok((host.to_owned(), port))
}

/// Where a secret is: a file or an environment variable; `Some(None)`: there is none.
#[allow(clippy::option_option)]
fn secret(
    (file, env): (&Text, &Text),
    key: &str,
    span: &std::ops::Range<usize>,
    problems: &mut Problems<'_>,
    archive: &Path,
) -> Option<Option<Secret>> {
    let file = optional(file, &format!("{key}_file"), problems, |text| path(archive, text))?;
    let env = optional(env, &format!("{key}_env"), problems, variable)?;
    match (file, env) {
        (Some(file), None) => Some(Some(Secret::File(file))),
        (None, Some(name)) => Some(Some(Secret::Env(name))),
        (None, None) => Some(None),
        _ => {
            problems.wrong(span, key, format!("expected `{key}_file` or `{key}_env`, not both"));
            None
        }
    }
}
