//! The configuration as everything else sees it: whole, typed, consistent.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::agents::{Agent, HolderKind, HolderRole, RelevantDocument};
use super::check::{Check, Legibility};
use super::notices::Notices;
use crate::chain::note::Verifier;
use crate::durable;
use crate::error::{Code, Error, Lang, Result};
use crate::evidence::revocation::fetch::Host;
use crate::id::ClassId;
use crate::units::{Lapse, Size};

/// Everything `custode.toml` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Name of the archive, safe in a path.
    pub name: String,
    /// Origin of checkpoints and notes (C2SP signed-note): also the name of the archive's key.
    pub origin: String,
    /// Language when neither flag nor environment says.
    pub lang: Option<Lang>,
    /// Folder of the secret keys, outside the archive.
    pub keys: PathBuf,
    /// Whose documents they are.
    pub holder: Holder,
    /// Other holders named in every index.
    pub other_holders: Vec<Holder>,
    /// Who hands the documents over (PIndex Submitter).
    pub submitter: Agent,
    /// Who signs packages (PIndex AuthorizedSigner).
    pub signers: Vec<Signer>,
    /// The certificate that signs packages, when there is one.
    pub signing: Option<Signing>,
    /// Responsabile della conservazione.
    pub manager: Agent,
    /// The conservator, when the holder does not keep the archive itself.
    pub conservator: Option<Agent>,
    /// The manual cited until one is adopted by `custode manual adopt`.
    pub manual: Option<RelevantDocument>,
    /// Limits of intake.
    pub intake: Intake,
    /// Agreements of deposit, in order; never empty.
    pub agreements: Vec<Agreement>,
    /// Time-stamping.
    pub tsa: Tsa,
    /// Whom it believes when it judges signatures of documents.
    pub trust: crate::evidence::trust::Sources,
    /// What it asks about revocation, and whom.
    pub revocation: Revocation,
    /// Who outside sees how long the chain is.
    pub witnesses: Vec<Witness>,
    /// Where packages are kept, in the order they are written and read; never empty.
    pub vaults: Vec<Vault>,
    /// How many copies, and where.
    pub copies: Copies,
    /// Whether a night mends bad copies by itself.
    pub repair_automatic: bool,
    /// `[check]`
    pub check: Check,
    /// `[legibility]`
    pub legibility: Legibility,
    /// Who is told of alarms.
    pub notices: Notices,
    /// The malware control.
    pub malware: Malware,
    /// Logs of PEC providers.
    pub logs: Logs,
    /// PEC conversations.
    pub conversations: Conversations,
    /// Background sealing.
    pub sealing: Sealing,
    /// The server and its log.
    pub http: Http,
}

/// A holder (titolare).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Who.
    pub agent: Agent,
    /// In which role.
    pub role: HolderRole,
    /// What sort.
    pub kind: HolderKind,
}

/// Who signs packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// Who.
    pub agent: Agent,
    /// `signerRole`, free text.
    pub role: Option<String>,
}

/// Limits of intake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intake {
    /// Largest document.
    pub max_document: Size,
    /// Largest deposit of several documents.
    pub max_deposit: Size,
    /// Most files in a deposit.
    pub max_files: u32,
    /// Largest metadata of a deposit.
    pub max_metadata: Size,
    /// Refusals of one object before it is blocked; at least 3.
    pub max_refusals: u32,
    /// Most deposits under way at once.
    pub max_in_flight: u32,
    /// How long a body may stand still.
    pub idle_timeout: Lapse,
    /// Most documents waiting to be sealed.
    pub max_unsealed_documents: u64,
    /// Most bytes waiting to be sealed.
    pub max_unsealed_bytes: Size,
    /// Other folders that hold the journal too.
    pub mirrors: Vec<PathBuf>,
}

/// An agreement of deposit: who may deposit what under which terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// Its name, written in manifests and receipts.
    pub id: String,
    /// Producers it is for; empty: all.
    pub producers: Vec<String>,
    /// Classes it is for; empty: all.
    pub classes: Vec<ClassId>,
    /// Refusals of one object before it is blocked; at least 3.
    pub max_refusals: u32,
}

impl Config {
    /// The first agreement under which this producer may deposit this class.
    pub fn agreement(&self, producer: &str, class: &ClassId) -> Option<&Agreement> {
        self.agreements.iter().find(|agreement| {
            (agreement.producers.is_empty() || agreement.producers.iter().any(|name| name == producer))
                && (agreement.classes.is_empty() || agreement.classes.contains(class))
        })
    }
}

/// Time-stamping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tsa {
    /// Tried in turn.
    pub authorities: Vec<TsaAuthority>,
    /// PEM files of the certificates that tokens are judged by.
    pub anchors: Vec<PathBuf>,
    /// Tokens less accurate than this are not accepted.
    pub max_accuracy: Lapse,
    /// Tokens further than this from our clock are not accepted.
    pub max_skew: Lapse,
    /// Beyond this the difference of the two clocks is an alarm.
    pub max_offset: Lapse,
    /// Whether a token that no trusted list calls qualified is refused.
    pub require_qualified: bool,
    /// How often the chain is time-stamped.
    pub checkpoint_every: Lapse,
}

/// One time-stamping authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TsaAuthority {
    /// `http` or `https`.
    pub url: url::Url,
    /// Policy asked for, a dotted object identifier.
    pub policy: Option<String>,
    /// Basic authentication.
    pub login: Option<(String, Secret)>,
    /// How long one try may take.
    pub timeout: Lapse,
}

/// Where a secret is; never the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    /// First line of this file.
    File(PathBuf),
    /// Value of this environment variable.
    Env(String),
}

impl Secret {
    /// The secret itself, read now. [`Code::SecretExposed`] when others can read its file.
    pub fn read(&self) -> Result<String> {
        let secret = match self {
            Self::File(path) => {
                durable::must_be_secret(&durable::open_linked(path)?, path)?;
                let text = durable::read_linked_text(path)?;
                text.lines().next().unwrap_or_default().to_owned()
            }
            Self::Env(name) => std::env::var(name).map_err(|_| {
                Error::new(Code::ConfigMissing, format!("the environment variable {name} is not set, or not text"))
            })?,
        };
        if secret.is_empty() {
            return Err(Error::new(Code::ConfigMissing, format!("the secret in {} is empty", self.name())));
        }
        Ok(secret)
    }

    fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Env(name) => format!("environment variable {name}"),
        }
    }
}

/// The certificate that signs packages, and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signing {
    /// Where the key is.
    pub key: KeyIn,
    /// Certificates of its chain, besides those beside the key.
    pub chain: Vec<PathBuf>,
    /// Whether receipts are signed too, when they are sealed.
    pub receipts: bool,
    /// Whether reports of checks and of bundles are signed too.
    pub reports: bool,
    /// How long the signer may take.
    pub timeout: Lapse,
    /// How long before the certificate expires it is an alarm.
    pub alarm_before: Lapse,
}

/// Where the signer's key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyIn {
    /// A PKCS#12 file.
    Pkcs12 {
        /// The file.
        file: PathBuf,
        /// Its password.
        password: Secret,
    },
    /// A PKCS#11 token.
    Pkcs11(TokenKey),
}

/// A key in a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenKey {
    /// The driver's library.
    pub module: PathBuf,
    /// Which token.
    pub token: TokenName,
    /// CKA_LABEL of the key.
    pub key_label: Option<String>,
    /// CKA_ID of the key.
    pub key_id: Option<Vec<u8>>,
    /// The certificate, when it is not read from the token.
    pub certificate: Option<PathBuf>,
    /// The user's PIN.
    pub pin: Secret,
}

/// What a token is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenName {
    /// Its label.
    Label(String),
    /// The number of its slot.
    Slot(u64),
}

/// Revocation data of signers' certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// Hosts that may be asked; none: nothing is.
    pub hosts: Vec<Host>,
    /// How long one exchange may take.
    pub timeout: Lapse,
    /// How long before a certificate expires missing data are an alarm.
    pub alarm_before: Lapse,
}

/// A witness of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// Where checkpoints are sent.
    pub url: url::Url,
    /// Where its last checkpoint is read.
    pub monitoring: url::Url,
    /// What its cosignatures are verified with.
    pub key: Verifier,
    /// Whether its silence is an error at once.
    pub required: bool,
    /// How long one exchange may take.
    pub timeout: Lapse,
}

/// A place for copies of packages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vault {
    /// What it is called: `local`, `milano-2`.
    pub name: String,
    /// Its folder.
    pub path: PathBuf,
    /// The folder as it was typed: a copy of the archive elsewhere is no other setting.
    pub typed: String,
    /// Where it stands, in the operator's words; vaults of one site burn together.
    pub site: Option<String>,
    /// Country, ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// Who runs it.
    pub operator: Option<String>,
}

/// Copies of packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copies {
    /// How many must be durable and read back before a package is sealed.
    pub required: u32,
    /// Countries in which a production archive may keep them.
    pub countries: Vec<String>,
}

/// The malware control.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Malware {
    /// Not activated.
    Off,
    /// A program that gets the document on standard input: exit status 0 clean, 1 malware, else not executed.
    Command {
        /// Program and arguments.
        argv: Vec<String>,
        /// How long it may take.
        timeout: Lapse,
    },
    /// A clamd daemon (INSTREAM).
    Clamd {
        /// Where it listens.
        address: ClamdAddress,
        /// How long it may take.
        timeout: Lapse,
    },
}

/// Where clamd listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClamdAddress {
    /// `unix:/run/clamav/clamd.ctl`
    Unix(PathBuf),
    /// `tcp:127.0.0.1:3310`
    Tcp(SocketAddr),
}

/// Logs of PEC providers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logs {
    /// When the log of a day must be here on the day after, Italian time.
    pub expected_by: jiff::civil::Time,
    /// Installations whose log is expected every day.
    pub installations: Vec<String>,
}

/// How long receipts of PEC conversations may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversations {
    /// From acceptance: then an outcome is late.
    pub late_after: Lapse,
    /// From acceptance: then an outcome is missing.
    pub missing_after: Lapse,
    /// How far back incomplete conversations are an alarm.
    pub look_back: Lapse,
}

/// Background sealing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealing {
    /// How often closing rules are looked at.
    pub interval: Lapse,
    /// zstd level.
    pub compression: u32,
}

/// The server and its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Most connections open at once.
    pub max_connections: u32,
    /// How long the head of a request may take.
    pub header_timeout: Lapse,
    /// How the log is written.
    pub log: LogFormat,
    /// What is logged: a level, or a `tracing` filter.
    pub level: String,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// A JSON object a line.
    Json,
}
