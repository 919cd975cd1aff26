//! Headers against the signed data: every contradiction is noted, none is believed (`reference/pec` section 4).

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};

use super::daticert::Daticert;
use super::headers::{Headers, without_prefix};
use super::original::Original;
use crate::error::{Code, Finding};

/// A provider dates a message when it makes it; clocks and queues do not differ by more.
pub const DATE_TOLERANCE: SignedDuration = SignedDuration::from_hours(1);

/// Kinds that carry the original.
const CARRIES: [&str; 2] = ["posta-certificata", "avvenuta-consegna"];

/// Every header that contradicts the signed data.
pub fn headers(headers: &Headers, certified: &Daticert, out: &mut Vec<Finding>) {
    let mut differs = |place: &str| out.push(Finding::warning(Code::PecHeaderMismatch, place, ""));
    let kind = certified.kind.as_str();
    if !kind.is_empty() && headers.kind != Some(kind) {
        differs("header/X-Ricevuta, X-Trasporto");
    }
    let envelope = kind == "posta-certificata";
    let both = |a: &str, b: &str| !a.is_empty() && !b.is_empty();
    if envelope && !certified.identifier.is_empty() && headers.message_id != certified.identifier {
        differs("header/Message-ID");
    }
    if both(&certified.msgid, &headers.reference) && headers.reference != certified.msgid {
        differs("header/X-Riferimento-Message-ID");
    }
    if both(&certified.receipt_type, &headers.receipt_type) && headers.receipt_type != certified.receipt_type {
        differs("header/X-TipoRicevuta");
    }
    if headers.unsafe_ && certified.error != "virus" {
        differs("header/X-VerificaSicurezza");
    }
    let other = |header: &str, certified: &str| both(header, certified) && !header.eq_ignore_ascii_case(certified);
    if kind == "rilevazione-virus" && other(&headers.original_sender, &certified.sender) {
        differs("header/X-Mittente");
    }
    if envelope {
        // "Per conto di: sender": the name is free text, only an address in it can contradict.
        let on_behalf = headers.from_name.rsplit([' ', ':']).next().unwrap_or_default().trim_matches(['<', '>', '"']);
        if on_behalf.contains('@') && other(on_behalf, &certified.sender) {
            differs("header/From");
        }
        let known: HashSet<String> = certified.recipients.iter().map(|one| one.to_ascii_lowercase()).collect();
        let stranger = |one: &String| !known.contains(&one.to_ascii_lowercase());
        if !known.is_empty() && headers.to.iter().chain(&headers.cc).any(stranger) {
            differs("header/To, Cc");
        }
    }
    let between_providers = matches!(kind, "presa-in-carico" | "rilevazione-virus");
    if !envelope && !between_providers && !kind.is_empty() && !certified.sender.is_empty() && !headers.to.is_empty() {
        let to_sender = headers.to.iter().any(|to| to.eq_ignore_ascii_case(&certified.sender));
        if !to_sender {
            differs("header/To");
        }
    }
    if let (Some(header), Some(event)) = (headers.instant, certified.instant)
        && header.duration_since(event).abs() > DATE_TOLERANCE
    {
        differs("header/Date");
    }
    if !headers.odd_characters && other_text(without_prefix(&headers.subject, kind), &certified.subject) {
        differs("header/Subject");
    }
}

/// Whether two texts differ in their plain letters and digits. Providers write the subject of others in many ways, cut it and lose
/// what is not ASCII: only what is left of both can contradict.
fn other_text(a: &str, b: &str) -> bool {
    let plain = |text: &str| -> String {
        text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
    };
    let (a, b) = (plain(a), plain(b));
    !a.is_empty() && !b.is_empty() && !a.starts_with(&b) && !b.starts_with(&a)
}

/// A provider dates what it does when it does it: an event cannot be later than the archive received word of it.
pub fn reception(certified: &Daticert, received_at: Timestamp, out: &mut Vec<Finding>) {
    if certified.instant.is_some_and(|event| event.duration_since(received_at) > DATE_TOLERANCE) {
        out.push(Finding::warning(Code::PecDaticertBad, "daticert.xml/dati/data", "later than its deposit"));
    }
}

/// The message inside against the signed data around it, and whether it must be there.
pub fn original(original: Option<&Original>, certified: &Daticert, out: &mut Vec<Finding>) {
    let kind = certified.kind.as_str();
    let Some(original) = original else {
        if CARRIES.contains(&kind) && (kind == "posta-certificata" || certified.receipt_type != "sintetica") {
            out.push(Finding::warning(Code::PecNoOriginal, "postacert.eml", ""));
        }
        return;
    };
    if !CARRIES.contains(&kind) {
        return;
    }
    let mut differs = |place: &str| out.push(Finding::warning(Code::PecHeaderMismatch, place, ""));
    if certified.receipt_type == "sintetica" && kind == "avvenuta-consegna" {
        differs("postacert.eml");
    }
    let headers = &original.headers;
    let other = |a: &str, b: &str| !a.is_empty() && !b.is_empty() && a != b;
    if other(&headers.message_id, &certified.identifier) {
        differs("postacert.eml/Message-ID");
    }
    if other(&headers.reference, &certified.msgid) {
        differs("postacert.eml/X-Riferimento-Message-ID");
    }
}
