//! `[revocation]`: whom the archive asks whether signers' certificates were revoked.

use toml::Spanned;

use super::limits::{between, secs};
use super::locate::Problems;
use super::raw;
use super::resolved::Revocation;
use crate::evidence::revocation::fetch::Host;
use crate::units::Lapse;

/// Responders answer in less than a second; what is down delays a closing run by this much, once in a while.
const TIMEOUT: Lapse = Lapse::from_secs(10);
/// Time enough to ask an authority by other ways before its lists forget the certificate.
const ALARM_BEFORE: Lapse = Lapse::from_secs(30 * 86_400);

pub(super) fn revocation(table: Option<Spanned<raw::Revocation>>, problems: &mut Problems<'_>) -> Option<Revocation> {
    let table = table.map(Spanned::into_inner).unwrap_or_default();
    let hosts = table.hosts.iter().flatten();
    let hosts = hosts.filter_map(|host| {
        problems.parse(host, "revocation.hosts", |text| {
            let accepted = || "expected the name of a host, with a port when it is not 80 or 443, as in \"crl.example.it\" or \"ocsp.example.it:8080\"";
            Host::parse(text).ok_or_else(|| accepted().to_owned())
        })
    });
    let hosts = hosts.collect();
    let timeout = between(&table.timeout, "revocation.timeout", TIMEOUT, secs(1, 301), problems);
    let days = secs(86_400, 3660 * 86_400);
    let alarm_before = between(&table.alarm_before, "revocation.alarm_before", ALARM_BEFORE, days, problems);
    Some(Revocation { hosts, timeout: timeout?, alarm_before: alarm_before? })
}
