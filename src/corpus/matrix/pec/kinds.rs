//! Good messages: every kind of section 3, in CRLF and in LF, signed with SHA-1 and with SHA-256, the certified data before
//! and after the message carried.

use super::Set;
use super::mail::Mail;
use crate::corpus::pec::notice::Kind;
use crate::error::Result;

/// Name, kind, receipt type, seconds after acceptance.
const KINDS: &[(&str, Kind, Option<&str>, i64)] = &[
    ("busta-trasporto", Kind::Transport, None, 2),
    ("busta-anomalia", Kind::Anomaly, None, 4),
    ("accettazione", Kind::Acceptance, None, 2),
    ("non-accettazione", Kind::NonAcceptance, None, 2),
    ("non-accettazione-virus", Kind::NonAcceptanceVirus, None, 3),
    ("presa-in-carico", Kind::TakenInCharge, None, 3),
    ("consegna-completa", Kind::Delivery, Some("completa"), 12),
    ("consegna-breve", Kind::Delivery, Some("breve"), 12),
    ("consegna-sintetica", Kind::Delivery, Some("sintetica"), 12),
    ("mancata-consegna", Kind::NonDelivery, None, 9),
    ("mancata-consegna-virus", Kind::NonDeliveryVirus, None, 9),
    ("preavviso-12", Kind::Delay12, None, 12 * 3600 + 60),
    ("preavviso-24", Kind::Delay24, None, 23 * 3600),
    ("rilevazione-virus", Kind::VirusDetected, None, 5),
];

/// Every good message.
pub fn samples(set: &mut Set) -> Result<()> {
    for (name, kind, receipt_type, after) in KINDS {
        let regular = Mail::new(*kind, *receipt_type, *after);
        // The order only matters where there are two parts to order.
        let orders: &[bool] =
            if regular.daticert.is_some() && regular.postacert.is_some() { &[true, false] } else { &[true] };
        for lf in [false, true] {
            for weak in [false, true] {
                for &daticert_first in orders {
                    let mut mail = regular.clone();
                    mail.look.lf = lf;
                    mail.look.weak = weak;
                    mail.look.daticert_first = daticert_first;
                    mail.look.micalg = if weak { "sha1" } else { "sha-256" };
                    let name = format!(
                        "{name}-{}-{}{}",
                        if lf { "lf" } else { "crlf" },
                        if weak { "sha1" } else { "sha256" },
                        match (orders.len(), daticert_first) {
                            (1, _) => "",
                            (_, true) => "-prima",
                            (_, false) => "-dopo",
                        }
                    );
                    set.mail(&name, &mail)?;
                }
            }
        }
    }
    Ok(())
}
