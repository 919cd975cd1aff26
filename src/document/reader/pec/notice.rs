//! The delay notice: 12 and 24 hours share header and `tipo`, only the second closes the transmission as failed
//! (`reference/pec` sections 2 and 3).

/// Whether a delay notice is the final one, by what its `errore-esteso` says. Providers begin it with `5.4.1`; a text about the first
/// twelve hours is the notice that something may still arrive.
pub fn is_final(detail: &str) -> bool {
    let text = detail.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&["ventiquattro", "24 ore", "24 h", "24h", "twenty-four", "24 hours"]) {
        return true;
    }
    !says(&["dodici", "12 ore", "12 h", "12h", "twelve"]) && text.trim_start().starts_with("5.4.1")
}

#[cfg(test)]
mod tests {
    use super::is_final;

    #[test]
    fn twelve_and_twenty_four_hours() {
        assert!(is_final("5.4.1 - Gestore - nelle prime ventiquattro ore"));
        assert!(is_final("5.4.1 - timeout"));
        assert!(is_final("messaggio non consegnato entro 24 ore"));
        assert!(!is_final("5.4.1 - Gestore - non consegnato nelle prime dodici ore"));
        assert!(!is_final("non consegnato nelle prime 12 ore"));
        assert!(!is_final(""));
    }
}
