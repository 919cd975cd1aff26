//! `custode.toml` as typed: every key optional, every value with its place in the text. Unknown keys are errors.

use serde::Deserialize;
use toml::Spanned;

use crate::units::{Lapse, Size};

type Text = Option<Spanned<String>>;
type Texts = Option<Vec<Spanned<String>>>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    pub archive: Option<Spanned<Archive>>,
    pub holder: Option<Spanned<Agent>>,
    #[serde(default)]
    pub holders: Vec<Spanned<Agent>>,
    pub submitter: Option<Spanned<Agent>>,
    #[serde(default)]
    pub signers: Vec<Spanned<Agent>>,
    pub signer: Option<Spanned<Signing>>,
    pub manager: Option<Spanned<Agent>>,
    pub conservator: Option<Spanned<Agent>>,
    pub manual: Option<Spanned<Document>>,
    pub intake: Option<Spanned<Intake>>,
    #[serde(default)]
    pub agreements: Vec<Spanned<Agreement>>,
    pub tsa: Option<Spanned<Tsa>>,
    pub trust: Option<Spanned<Trust>>,
    pub revocation: Option<Spanned<Revocation>>,
    #[serde(default)]
    pub witness: Vec<Spanned<Witness>>,
    #[serde(default)]
    pub vault: Vec<Spanned<Vault>>,
    pub copies: Option<Spanned<Copies>>,
    pub repair: Option<Spanned<Repair>>,
    pub check: Option<Spanned<Check>>,
    pub legibility: Option<Spanned<Legibility>>,
    pub malware: Option<Spanned<Malware>>,
    pub logs: Option<Spanned<Logs>>,
    pub alarms: Option<Spanned<Alarms>>,
    pub conversations: Option<Spanned<Conversations>>,
    pub sealing: Option<Spanned<Sealing>>,
    pub http: Option<Spanned<Http>>,
    pub end: Option<Spanned<End>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Archive {
    pub name: Text,
    pub origin: Text,
    pub lang: Text,
    pub keys: Text,
}

/// The certificate that signs; which keys go with which kind is decided when resolving.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Signing {
    pub kind: Text,
    pub file: Text,
    pub password_file: Text,
    pub password_env: Text,
    pub module: Text,
    pub token: Text,
    pub slot: Option<Spanned<u64>>,
    pub key_label: Text,
    pub key_id: Text,
    pub certificate: Text,
    pub pin_file: Text,
    pub pin_env: Text,
    pub chain: Texts,
    pub receipts: Option<Spanned<bool>>,
    pub reports: Option<Spanned<bool>>,
    pub timeout: Option<Spanned<Lapse>>,
    pub alarm_before: Option<Spanned<Lapse>>,
}

/// Holder, submitter, signer, manager, conservator: which keys each may have is decided when resolving.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Agent {
    pub name: Text,
    pub first_name: Text,
    pub last_name: Text,
    pub id: Text,
    pub role: Text,
    pub kind: Text,
    #[serde(default)]
    pub documents: Vec<Spanned<Document>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub title: Text,
    pub version: Text,
    pub date: Text,
    pub sha256: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Intake {
    pub max_document: Option<Spanned<Size>>,
    pub max_deposit: Option<Spanned<Size>>,
    pub max_files: Option<Spanned<u32>>,
    pub max_metadata: Option<Spanned<Size>>,
    pub max_refusals: Option<Spanned<u32>>,
    pub max_in_flight: Option<Spanned<u32>>,
    pub idle_timeout: Option<Spanned<Lapse>>,
    pub max_unsealed_documents: Option<Spanned<u64>>,
    pub max_unsealed_bytes: Option<Spanned<Size>>,
    pub mirrors: Texts,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Agreement {
    pub id: Text,
    pub producers: Texts,
    pub classes: Texts,
    pub max_refusals: Option<Spanned<u32>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tsa {
    #[serde(default)]
    pub authorities: Vec<Spanned<Authority>>,
    pub anchors: Texts,
    pub max_accuracy: Option<Spanned<Lapse>>,
    pub max_skew: Option<Spanned<Lapse>>,
    pub max_offset: Option<Spanned<Lapse>>,
    pub require_qualified: Option<Spanned<bool>>,
    pub checkpoint_every: Option<Spanned<Lapse>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Authority {
    pub url: Text,
    pub policy: Text,
    pub username: Text,
    pub password_file: Text,
    pub password_env: Text,
    pub timeout: Option<Spanned<Lapse>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Trust {
    pub pec: Texts,
    pub signatures: Texts,
    pub time_stamps: Texts,
    pub trusted_lists: Texts,
    pub trusted_list_signers: Texts,
    pub pec_directory: Texts,
    pub revocation: Texts,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Revocation {
    pub hosts: Texts,
    pub timeout: Option<Spanned<Lapse>>,
    pub alarm_before: Option<Spanned<Lapse>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Witness {
    pub url: Text,
    pub monitoring: Text,
    pub vkey: Text,
    pub required: Option<Spanned<bool>>,
    pub timeout: Option<Spanned<Lapse>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Vault {
    pub name: Text,
    pub path: Text,
    pub site: Text,
    pub country: Text,
    pub operator: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Copies {
    pub required: Option<Spanned<u32>>,
    pub countries: Texts,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Repair {
    pub automatic: Option<Spanned<bool>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Check {
    pub every: Option<Spanned<Lapse>>,
    pub budget: Text,
    pub quick_every: Option<Spanned<Lapse>>,
    pub quick_budget: Text,
    pub note_every: Option<Spanned<Lapse>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Legibility {
    pub every: Option<Spanned<Lapse>>,
    pub budget: Text,
    pub sample: Text,
    pub sample_one_in: Option<Spanned<u64>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Malware {
    pub command: Texts,
    pub clamd: Text,
    pub timeout: Option<Spanned<Lapse>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Logs {
    pub expected_by: Text,
    pub installations: Texts,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Alarms {
    pub every: Option<Spanned<Lapse>>,
    pub remind: Option<Spanned<Lapse>>,
    pub least: Text,
    pub nights: Text,
    #[serde(default)]
    pub webhook: Vec<Spanned<Webhook>>,
    #[serde(default)]
    pub mail: Vec<Spanned<Mail>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Webhook {
    pub url: Text,
    pub secret_file: Text,
    pub secret_env: Text,
    pub timeout: Option<Spanned<Lapse>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mail {
    pub server: Text,
    pub security: Text,
    pub anchors: Texts,
    pub username: Text,
    pub password_file: Text,
    pub password_env: Text,
    pub from: Text,
    pub to: Texts,
    pub timeout: Option<Spanned<Lapse>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Conversations {
    pub late_after: Option<Spanned<Lapse>>,
    pub missing_after: Option<Spanned<Lapse>>,
    pub look_back: Option<Spanned<Lapse>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sealing {
    pub interval: Option<Spanned<Lapse>>,
    pub compression: Option<Spanned<u32>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Http {
    pub listen: Text,
    pub max_connections: Option<Spanned<u32>>,
    pub header_timeout: Option<Spanned<Lapse>>,
    pub log: Text,
    pub level: Text,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct End {
    pub complete: Option<Spanned<bool>>,
}
