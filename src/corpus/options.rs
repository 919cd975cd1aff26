//! What a corpus is like: its first day, its mixture, its sizes.

use jiff::civil::{Date, date};

use crate::error::{Code, Error, Result};

/// Shares of documents by kind; only the proportions count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mix {
    /// PEC messages and receipts.
    pub pec: u32,
    /// Invoices and their SdI notifications.
    pub invoice: u32,
    /// Identity documents and their companions.
    pub identity: u32,
    /// Provider logs.
    pub log: u32,
}

impl Default for Mix {
    fn default() -> Self {
        Self { pec: 60, invoice: 30, identity: 5, log: 5 }
    }
}

impl std::str::FromStr for Mix {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |what: String| Error::new(Code::Usage, what).hint("pec:60,invoice:30,identity:5,log:5");
        let mut mix = Self { pec: 0, invoice: 0, identity: 0, log: 0 };
        for pair in text.split(',') {
            let (kind, share) = pair.split_once(':').ok_or_else(|| wrong(format!("{pair:?} is not KIND:SHARE")))?;
            let share = share.trim().parse().map_err(|_| wrong(format!("{share:?} is not a number")))?;
            match kind.trim() {
                "pec" => mix.pec = share,
                "invoice" => mix.invoice = share,
                "identity" => mix.identity = share,
                "log" => mix.log = share,
                other => return Err(wrong(format!("unknown kind {other:?}"))),
            }
        }
        if mix.pec | mix.invoice | mix.identity | mix.log == 0 {
            return Err(wrong("every share is zero".to_owned()));
        }
        Ok(mix)
    }
}

/// What a corpus is like.
#[derive(Debug, Clone)]
pub struct Options {
    /// Day of the first case.
    pub start: Date,
    /// Shares of kinds.
    pub mix: Mix,
    /// How many in a thousand PEC messages carry a big attachment.
    pub big_per_thousand: u32,
    /// Size of a big attachment in bytes, before base64.
    pub big_bytes: usize,
    /// Whether the sender's own copy (an ordinary message, class `generic`) is part of a conversation.
    pub sent_copies: bool,
    /// How many in a thousand conversations end otherwise than delivered.
    pub unhappy_per_thousand: u32,
    /// How many in a thousand conversations are signed with SHA-1; slow to make.
    pub weak_per_thousand: u32,
    /// Rows of a provider log, at most.
    pub log_rows: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            start: date(2026, 1, 7),
            mix: Mix::default(),
            big_per_thousand: 4,
            big_bytes: 3 << 20,
            sent_copies: false,
            unhappy_per_thousand: 150,
            weak_per_thousand: 10,
            log_rows: 600,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_is_read_or_refused() {
        let mix: Mix = "pec:1, log:3".parse().unwrap();
        assert_eq!((mix.pec, mix.invoice, mix.identity, mix.log), (1, 0, 0, 3));
        for bad in ["", "pec", "pec:x", "cats:3", "pec:0"] {
            assert!(bad.parse::<Mix>().is_err(), "{bad:?}");
        }
    }
}
