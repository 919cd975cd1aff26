//! From raw to resolved: limits of intake, time-stamping, malware control, sealing, server. Every default stands here,
//! with a sentence on what it trades; the template shows them, and a test compares.

use std::fmt::Display;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;

use super::locate::Problems;
use super::raw;
use super::resolve::{FEWEST_REFUSALS, optional, path, refusal_range};
use super::resolved::{
    ClamdAddress, Conversations, Http, Intake, LogFormat, Logs, Malware, Sealing, Secret, Tsa, TsaAuthority,
};
use crate::units::{Lapse, Size};

/// Certified mail allows 100 MB a message, and base64 within it; larger bodies are mostly mistakes.
const MAX_DOCUMENT: Size = Size(150_000_000);
/// A conversation with all its receipts, several times over.
const MAX_DEPOSIT: Size = Size(1 << 30);
/// One answer and one manifest stay readable.
const MAX_FILES: u32 = 1000;
/// Metadata are held in memory, for every deposit under way.
const MAX_METADATA: Size = Size(256 << 10);
/// A thousand clients at once with room to spare; each costs tens of kilobytes.
const MAX_IN_FLIGHT: u32 = 2048;
/// What one lonely deposit waits for company; much less than the sync that follows on most disks.
/// A slow line is fine, a dead one is not.
const IDLE_TIMEOUT: Lapse = Lapse::from_secs(60);
/// What is unsealed is indexed in memory: some hundred bytes each.
const MAX_UNSEALED_DOCUMENTS: u64 = 1_000_000;
/// What is unsealed exists once, unless mirrors are set: not too much of it.
const MAX_UNSEALED_BYTES: Size = Size(64 << 30);
/// Qualified authorities declare a second or less.
const MAX_ACCURACY: Lapse = Lapse::from_secs(1);
/// Clocks under NTP differ by far less; beyond it one of the two is wrong.
const MAX_SKEW: Lapse = Lapse::from_secs(300);
/// What an authority declares at most; a machine under NTP is within milliseconds.
const MAX_OFFSET: Lapse = Lapse::from_secs(1);
/// One token a day; an act that cannot be undone has its own.
const CHECKPOINT_EVERY: Lapse = Lapse::from_secs(86_400);
/// One try with one authority; the next one is waiting.
const TSA_TIMEOUT: Lapse = Lapse::from_secs(20);
/// The depositor waits meanwhile.
const MALWARE_TIMEOUT: Lapse = Lapse::from_secs(30);
/// A package closes at most this late.
const SEALING_INTERVAL: Lapse = Lapse::from_secs(10);
/// Two hours after most systems rotate their logs, and eighteen before the term.
const LOGS_EXPECTED_BY: jiff::civil::Time = jiff::civil::time(6, 0, 0, 0);
/// When a provider must send the first delay notice.
const RECEIPT_LATE: Lapse = Lapse::from_secs(12 * 3600);
/// When a provider must close the transaction as failed: nothing comes after it.
const RECEIPT_MISSING: Lapse = Lapse::from_secs(24 * 3600);
/// What was not cleared up in a month is known; providers keep their logs for thirty.
const LOOK_BACK: Lapse = Lapse::from_secs(30 * 86_400);
/// Levels above 3 gain nothing on base64 and scans.
const COMPRESSION: u32 = 3;
/// Loopback: to be reached from outside is a decision.
const LISTEN: &str = "127.0.0.1:8480";

/// A thousand clients at once with room to spare; each may make the server hold a request head of some 400 KB.
const MAX_CONNECTIONS: u32 = 2048;
/// A head is a few packets; it is also how long a connection may rest between two requests, so not too little.
const HEADER_TIMEOUT: Lapse = Lapse::from_secs(30);

/// The value given, or the default; a value outside the range is noted.
pub(super) fn between<T: Copy + PartialOrd + Display>(
    value: &Option<Spanned<T>>,
    key: &str,
    default: T,
    range: Range<T>,
    problems: &mut Problems<'_>,
) -> Option<T> {
    let Some(value) = value else { return Some(default) };
    if range.contains(value.get_ref()) {
        return Some(*value.get_ref());
    }
    problems.wrong(&value.span(), key, format!("expected at least {} and less than {}", range.start, range.end));
    None
}

const fn size(from: u64, to: u64) -> Range<Size> {
    Size(from)..Size(to)
}

pub(super) const fn secs(from: u64, to: u64) -> Range<Lapse> {
    Lapse::from_secs(from)..Lapse::from_secs(to)
}

pub(super) fn intake(
    table: Option<Spanned<raw::Intake>>,
    problems: &mut Problems<'_>,
    archive: &Path,
) -> Option<Intake> {
    let table = match table {
        Some(table) => table.into_inner(),
        None => raw::Intake::default(),
    };
    let p = problems;
    let max_document = between(&table.max_document, "intake.max_document", MAX_DOCUMENT, size(1, 1 << 40), p);
    // A larger document limit raises the deposit's with it, unless that was said.
    let roomy = MAX_DEPOSIT.max(max_document.unwrap_or(MAX_DOCUMENT));
    let max_deposit = between(&table.max_deposit, "intake.max_deposit", roomy, size(1, 1 << 42), p);
    if let (Some(document), Some(deposit), Some(given)) = (max_document, max_deposit, &table.max_deposit)
        && deposit < document
    {
        p.wrong(&given.span(), "intake.max_deposit", format!("expected at least intake.max_document ({document})"));
    }
    let max_files = between(&table.max_files, "intake.max_files", MAX_FILES, 1..100_001, p);
    let max_metadata =
        between(&table.max_metadata, "intake.max_metadata", MAX_METADATA, size(1 << 10, (16 << 20) + 1), p);
    let max_refusals = between(&table.max_refusals, "intake.max_refusals", FEWEST_REFUSALS, refusal_range(), p);
    let max_in_flight = between(&table.max_in_flight, "intake.max_in_flight", MAX_IN_FLIGHT, 1..65_537, p);
    let idle_timeout = between(&table.idle_timeout, "intake.idle_timeout", IDLE_TIMEOUT, secs(1, 86_401), p);
    let key = "intake.max_unsealed_documents";
    let max_unsealed_documents =
        between(&table.max_unsealed_documents, key, MAX_UNSEALED_DOCUMENTS, 1..1_000_000_001, p);
    let key = "intake.max_unsealed_bytes";
    let max_unsealed_bytes = between(&table.max_unsealed_bytes, key, MAX_UNSEALED_BYTES, size(1 << 20, 1 << 50), p);
    let mut mirrors = Vec::new();
    for mirror in table.mirrors.iter().flatten() {
        mirrors.extend(p.parse(mirror, "intake.mirrors", |text| {
            path(archive, text)?;
            // Taken and not acted on, this setting would be a promise that nobody keeps.
            Err("expected an empty list: this version does not make copies on other disks yet".to_owned())
        }));
    }
    Some(Intake {
        max_document: max_document?,
        max_deposit: max_deposit?,
        max_files: max_files?,
        max_metadata: max_metadata?,
        max_refusals: max_refusals?,
        max_in_flight: max_in_flight?,
        idle_timeout: idle_timeout?,
        max_unsealed_documents: max_unsealed_documents?,
        max_unsealed_bytes: max_unsealed_bytes?,
        mirrors,
    })
}

pub(super) fn existing_file(archive: &Path, text: &str) -> std::result::Result<std::path::PathBuf, String> {
    let path = path(archive, text)?;
    if path.is_file() { Ok(path) } else { Err("expected the path of a file that exists".to_owned()) }
}

pub(super) fn tsa(table: Option<Spanned<raw::Tsa>>, problems: &mut Problems<'_>, archive: &Path) -> Option<Tsa> {
    let table = table.map(Spanned::into_inner).unwrap_or_default();
    let anchors = table.anchors.iter().flatten();
    let anchors =
        anchors.filter_map(|item| problems.parse(item, "tsa.anchors", |text| existing_file(archive, text))).collect();
    let authorities = table.authorities.into_iter().filter_map(|item| authority(item, problems, archive)).collect();
    let max_accuracy = between(&table.max_accuracy, "tsa.max_accuracy", MAX_ACCURACY, secs(0, 3601), problems);
    let max_skew = between(&table.max_skew, "tsa.max_skew", MAX_SKEW, secs(1, 86_401), problems);
    let max_offset = between(&table.max_offset, "tsa.max_offset", MAX_OFFSET, secs(0, 3601), problems);
    let days = secs(3600, 31 * 86_400);
    let every = between(&table.checkpoint_every, "tsa.checkpoint_every", CHECKPOINT_EVERY, days, problems);
    Some(Tsa {
        authorities,
        anchors,
        max_accuracy: max_accuracy?,
        max_skew: max_skew?,
        max_offset: max_offset?,
        require_qualified: table.require_qualified.is_some_and(|required| *required.get_ref()),
        checkpoint_every: every?,
    })
}

fn authority(table: Spanned<raw::Authority>, problems: &mut Problems<'_>, archive: &Path) -> Option<TsaAuthority> {
    let span = table.span();
    let table = table.into_inner();
    let url = match &table.url {
        Some(url) => problems.parse(url, "tsa.authorities.url", tsa_url),
        None => {
            problems.missing(Some(&span), "tsa.authorities.url", "the address of the authority is needed");
            None
        }
    };
    let policy = optional(&table.policy, "tsa.authorities.policy", problems, |text| {
        let arcs: Vec<&str> = text.split('.').collect();
        let digits = |arc: &&str| (1..=39).contains(&arc.len()) && arc.bytes().all(|b| b.is_ascii_digit());
        let fits = (2..=64).contains(&arcs.len()) && arcs.iter().all(digits);
        fits.then(|| text.to_owned()).ok_or_else(|| "expected an object identifier, as in 0.4.0.2023.1.1".to_owned())
    });
    let password = match (&table.password_file, &table.password_env) {
        (Some(file), None) => problems
            .parse(file, "tsa.authorities.password_file", |text| existing_file(archive, text))
            .map(|path| Some(Secret::File(path))),
        (None, Some(env)) => {
            problems.parse(env, "tsa.authorities.password_env", variable).map(|name| Some(Secret::Env(name)))
        }
        (None, None) => Some(None),
        (Some(_), Some(env)) => {
            problems.wrong(&env.span(), "tsa.authorities.password_env", "give either password_file or password_env");
            None
        }
    };
    let username = optional(&table.username, "tsa.authorities.username", problems, |text| {
        let fits = text.len() <= 200 && !text.contains(':') && !text.chars().any(char::is_control);
        fits.then(|| text.to_owned()).ok_or_else(|| "expected up to 200 characters without colon".to_owned())
    });
    let login = match (username?, password?) {
        (Some(username), Some(password)) => Some((username, password)),
        (None, None) => None,
        _ => {
            let accepted = "expected both, `username` and one of `password_file` or `password_env`, or neither";
            problems.missing(Some(&span), "tsa.authorities.username", accepted);
            return None;
        }
    };
    let timeout = between(&table.timeout, "tsa.authorities.timeout", TSA_TIMEOUT, secs(1, 601), problems);
    Some(TsaAuthority { url: url?, policy: policy?, login, timeout: timeout? })
}

pub(super) fn tsa_url(text: &str) -> std::result::Result<url::Url, String> {
    let accepted = "expected an http:// or https:// address, without user name, password or fragment";
    let url = url::Url::parse(text).map_err(|e| format!("{accepted} ({e})"))?;
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    if plain && matches!(url.scheme(), "http" | "https") && url.has_host() { Ok(url) } else { Err(accepted.to_owned()) }
}

pub(super) fn variable(text: &str) -> std::result::Result<String, String> {
    let fits = (1..=100).contains(&text.len())
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    fits.then(|| text.to_owned()).ok_or_else(|| "expected the name of an environment variable".to_owned())
}

pub(super) fn malware(table: Option<Spanned<raw::Malware>>, problems: &mut Problems<'_>) -> Option<Malware> {
    let Some(table) = table.map(Spanned::into_inner) else { return Some(Malware::Off) };
    let timeout = between(&table.timeout, "malware.timeout", MALWARE_TIMEOUT, secs(1, 3601), problems)?;
    match (&table.command, &table.clamd) {
        (None, None) => Some(Malware::Off),
        (Some(command), None) => {
            let argv: Vec<String> = command.iter().map(|part| part.get_ref().clone()).collect();
            match (argv.first(), command.first()) {
                (Some(program), _) if !program.is_empty() && argv.iter().all(|part| !part.contains('\0')) => {
                    Some(Malware::Command { argv, timeout })
                }
                (_, Some(first)) => {
                    problems.wrong(&first.span(), "malware.command", "expected a program and its arguments");
                    None
                }
                // `command = []` is the default written out: no control.
                (_, None) => Some(Malware::Off),
            }
        }
        (None, Some(clamd)) if clamd.get_ref().trim().is_empty() => Some(Malware::Off),
        (None, Some(clamd)) => {
            let address = problems.parse(clamd, "malware.clamd", |text| {
                let unix = text.strip_prefix("unix:").filter(|path| path.starts_with('/') && !path.contains('\0'));
                let tcp = text.strip_prefix("tcp:").and_then(|address| address.parse().ok());
                unix.map(|path| ClamdAddress::Unix(path.into()))
                    .or(tcp.map(ClamdAddress::Tcp))
                    .ok_or_else(|| "expected \"unix:/run/clamav/clamd.ctl\" or \"tcp:127.0.0.1:3310\"".to_owned())
            });
            Some(Malware::Clamd { address: address?, timeout })
        }
        (Some(_), Some(clamd)) => {
            problems.wrong(&clamd.span(), "malware.clamd", "give either command or clamd");
            None
        }
    }
}

pub(super) fn logs(table: Option<Spanned<raw::Logs>>, problems: &mut Problems<'_>) -> Option<Logs> {
    let table = table.map(Spanned::into_inner).unwrap_or_default();
    let expected_by = optional(&table.expected_by, "logs.expected_by", problems, |text| {
        let fits = text.len() == 5 && text.as_bytes()[2] == b':';
        let time = format!("{text}:00").parse::<jiff::civil::Time>().ok().filter(|_| fits);
        time.ok_or_else(|| "expected an hour of the day, as in \"06:00\"".to_owned())
    });
    let installations = table.installations.iter().flatten();
    let installations = installations.filter_map(|item| {
        problems.parse(item, "logs.installations", |text| {
            let fits = (1..=200).contains(&text.len()) && !text.chars().any(char::is_control);
            fits.then(|| text.to_owned()).ok_or_else(|| "expected 1 to 200 characters, as in \"PEC1\"".to_owned())
        })
    });
    let installations = installations.collect();
    Some(Logs { expected_by: expected_by?.unwrap_or(LOGS_EXPECTED_BY), installations })
}

pub(super) fn conversations(
    table: Option<Spanned<raw::Conversations>>,
    problems: &mut Problems<'_>,
) -> Option<Conversations> {
    let table = table.map(Spanned::into_inner).unwrap_or_default();
    let hours = secs(3600, 30 * 86_400 + 1);
    let late_after =
        between(&table.late_after, "conversations.late_after", RECEIPT_LATE, secs(3600, 30 * 86_400 + 1), problems);
    let missing_after = between(&table.missing_after, "conversations.missing_after", RECEIPT_MISSING, hours, problems);
    let back = secs(86_400, 1096 * 86_400);
    let look_back = between(&table.look_back, "conversations.look_back", LOOK_BACK, back, problems);
    if let (Some(late), Some(missing), Some(given)) = (late_after, missing_after, &table.late_after)
        && late > missing
    {
        let why = format!("expected at most conversations.missing_after ({missing})");
        problems.wrong(&given.span(), "conversations.late_after", why);
    }
    Some(Conversations { late_after: late_after?, missing_after: missing_after?, look_back: look_back? })
}

pub(super) fn sealing(table: Option<Spanned<raw::Sealing>>, problems: &mut Problems<'_>) -> Option<Sealing> {
    let table = table.map(Spanned::into_inner).unwrap_or_default();
    let interval = between(&table.interval, "sealing.interval", SEALING_INTERVAL, secs(1, 86_401), problems);
    let compression = between(&table.compression, "sealing.compression", COMPRESSION, 1..20, problems);
    Some(Sealing { interval: interval?, compression: compression? })
}

pub(super) fn http(table: Option<Spanned<raw::Http>>, problems: &mut Problems<'_>) -> Option<Http> {
    let table = table.map(Spanned::into_inner).unwrap_or_default();
    let address = |text: &str| {
        text.parse::<SocketAddr>()
            .map_err(|_| "expected an address and a port, as in 127.0.0.1:8480 or [::1]:8480".to_owned())
    };
    let listen = match &table.listen {
        Some(listen) => problems.parse(listen, "http.listen", address),
        None => address(LISTEN).ok(),
    };
    let max_connections = between(&table.max_connections, "http.max_connections", MAX_CONNECTIONS, 1..65_537, problems);
    let header_timeout = between(&table.header_timeout, "http.header_timeout", HEADER_TIMEOUT, secs(1, 3601), problems);
    let log = optional(&table.log, "http.log", problems, |text| match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("expected \"text\" or \"json\"".to_owned()),
    });
    let level = optional(&table.level, "http.level", problems, |text| {
        tracing_subscriber::EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(|_| {
            "expected error, warn, info, debug or trace, or a filter as in \"info,custode=debug\"".to_owned()
        })
    });
    let level = level?.unwrap_or_else(|| "info".to_owned());
    Some(Http {
        listen: listen?,
        max_connections: max_connections?,
        header_timeout: header_timeout?,
        log: log?.unwrap_or(LogFormat::Text),
        level,
    })
}
