//! `[signer]`: the certificate by which indexes, receipts and reports are signed, and where its key is.

use std::path::Path;

use toml::Spanned;

use super::limits::{between, secs, variable};
use super::locate::Problems;
use super::raw;
use super::resolve::{optional, path};
use super::resolved::{KeyIn, Secret, Signing, TokenKey, TokenName};
use crate::units::Lapse;

/// A token signs in a second or two; longer is somebody else using it, or a device that hangs.
const TIMEOUT: Lapse = Lapse::from_secs(30);
/// Certificates of signature are renewed in person: time enough for it.
const ALARM_BEFORE: Lapse = Lapse::from_secs(60 * 86_400);

/// `Some(None)`: none is configured; `None`: something is wrong, which was noted.
#[allow(clippy::option_option)]
pub(super) fn signer(
    table: Option<Spanned<raw::Signing>>,
    problems: &mut Problems<'_>,
    archive: &Path,
) -> Option<Option<Signing>> {
    let Some(table) = table else { return Some(None) };
    let span = table.span();
    let table = table.into_inner();
    let timeout = between(&table.timeout, "signer.timeout", TIMEOUT, secs(1, 601), problems);
    let days = secs(86_400, 3660 * 86_400);
    let alarm_before = between(&table.alarm_before, "signer.alarm_before", ALARM_BEFORE, days, problems);
    let chain = table.chain.iter().flatten();
    // Not there yet is no mistake of the file's: as with a secret, signing waits and the archive opens.
    let chain = chain.filter_map(|item| problems.parse(item, "signer.chain", |text| path(archive, text))).collect();
    let (pkcs12, pkcs11) = (KeyKind::Pkcs12, KeyKind::Pkcs11);
    let kind = optional(&table.kind, "signer.kind", problems, |text| match text {
        "pkcs12" => Ok(pkcs12),
        "pkcs11" => Ok(pkcs11),
        _ => Err("expected \"pkcs12\" (a file) or \"pkcs11\" (a token)".to_owned()),
    })?;
    let own = |kind| match kind {
        KeyKind::Pkcs12 => {
            [("file", &table.file), ("password_file", &table.password_file), ("password_env", &table.password_env)]
        }
        KeyKind::Pkcs11 => [("module", &table.module), ("pin_file", &table.pin_file), ("pin_env", &table.pin_env)],
    };
    let token_only = [
        ("token", &table.token),
        ("key_label", &table.key_label),
        ("key_id", &table.key_id),
        ("certificate", &table.certificate),
    ];
    let mut foreign: Vec<_> = Vec::new();
    if kind != Some(pkcs12) {
        foreign.extend(own(pkcs12));
    }
    if kind != Some(pkcs11) {
        foreign.extend(own(pkcs11).into_iter().chain(token_only));
    }
    for (name, value) in foreign {
        if let Some(value) = value.as_ref().filter(|value| !value.get_ref().trim().is_empty()) {
            let why = match kind {
                None => "`signer.kind` is not given: expected \"pkcs12\" (a file) or \"pkcs11\" (a token)",
                Some(_) => "not a key of this kind of signer",
            };
            problems.wrong(&value.span(), &format!("signer.{name}"), why);
        }
    }
    let key = match kind {
        None => return timeout.and(alarm_before).map(|_| None),
        Some(KeyKind::Pkcs12) => {
            let file = needed(&table.file, "signer.file", &span, problems, |text| path(archive, text));
            let places = (&table.password_file, &table.password_env);
            let password = secret(places, "signer.password", &span, problems, archive);
            KeyIn::Pkcs12 { file: file?, password: password? }
        }
        Some(KeyKind::Pkcs11) => KeyIn::Pkcs11(token(&table, &span, problems, archive)?),
    };
    Some(Some(Signing {
        key,
        chain,
        receipts: table.receipts.is_some_and(Spanned::into_inner),
        reports: table.reports.is_none_or(Spanned::into_inner),
        timeout: timeout?,
        alarm_before: alarm_before?,
    }))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum KeyKind {
    Pkcs12,
    Pkcs11,
}

type Text = Option<Spanned<String>>;
type Span = std::ops::Range<usize>;

fn token(table: &raw::Signing, span: &Span, problems: &mut Problems<'_>, archive: &Path) -> Option<TokenKey> {
    let module = needed(&table.module, "signer.module", span, problems, |text| path(archive, text));
    let pin = secret((&table.pin_file, &table.pin_env), "signer.pin", span, problems, archive);
    let short = |text: &str| {
        let fits = text.len() <= 200 && !text.chars().any(char::is_control);
        fits.then(|| text.to_owned()).ok_or_else(|| "expected up to 200 characters".to_owned())
    };
    let token = optional(&table.token, "signer.token", problems, short);
    let slot = table.slot.as_ref().map(|slot| *slot.get_ref());
    let token = match (token?, slot) {
        (Some(label), None) => Some(TokenName::Label(label)),
        (None, Some(slot)) => Some(TokenName::Slot(slot)),
        _ => {
            let why = "expected either `token` (the label of the token) or `slot` (its number)";
            problems.missing(Some(span), "signer.token", why);
            None
        }
    };
    let key_label = optional(&table.key_label, "signer.key_label", problems, short);
    let key_id = optional(&table.key_id, "signer.key_id", problems, |text| {
        let bytes = hex::decode(text).ok().filter(|bytes| (1..=64).contains(&bytes.len()));
        bytes.ok_or_else(|| "expected hexadecimal digits, as in \"01\"".to_owned())
    });
    let certificate = optional(&table.certificate, "signer.certificate", problems, |text| path(archive, text));
    Some(TokenKey {
        module: module?,
        token: token?,
        key_label: key_label?,
        key_id: key_id?,
        certificate: certificate?,
        pin: pin?,
    })
}

fn needed<T>(
    value: &Text,
    key: &str,
    span: &Span,
    problems: &mut Problems<'_>,
    parse: impl FnOnce(&str) -> std::result::Result<T, String>,
) -> Option<T> {
    let found = optional(value, key, problems, parse)?;
    if found.is_none() {
        problems.missing(Some(span), key, "needed by this kind of signer");
    }
    found
}

/// Where a secret is: a file or an environment variable, one of the two.
fn secret(
    (file, env): (&Text, &Text),
    key: &str,
    span: &Span,
    problems: &mut Problems<'_>,
    archive: &Path,
) -> Option<Secret> {
    // A file that is not there yet, as on a token's own disk, makes signing wait; it does not keep the archive from opening.
    let file = optional(file, &format!("{key}_file"), problems, |text| path(archive, text))?;
    let env = optional(env, &format!("{key}_env"), problems, variable)?;
    match (file, env) {
        (Some(file), None) => Some(Secret::File(file)),
        (None, Some(name)) => Some(Secret::Env(name)),
        _ => {
            let why = format!("expected either `{key}_file` or `{key}_env`: secrets are never written here");
            problems.missing(Some(span), key, why);
            None
        }
    }
}
