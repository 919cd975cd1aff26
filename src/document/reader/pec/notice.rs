//! The delay notice: 12 and 24 hours share header and `tipo`, only the second closes the transmission as failed
//! (`reference/pec` sections 2 and 3).

/// Whether a delay notice is the final one, by what its `errore-esteso` says. Providers begin it with `5.4.1`, and name the hours that
/// are over; where a notice names both, as one that promises the next, those it names first are over.
pub fn is_final(detail: &str) -> bool {
    let text = detail.to_lowercase();
    let first = |words: &[&str]| words.iter().filter_map(|word| text.find(word)).min();
    let day = first(&["ventiquattro", "24 ore", "24 h", "24h", "twenty-four", "24 hours"]);
    let half = first(&["dodici", "12 ore", "12 h", "12h", "twelve"]);
    match (day, half) {
        (Some(day), Some(half)) => day < half,
        (Some(_), None) => true,
        (None, Some(_)) => false,
        (None, None) => text.trim_start().starts_with("5.4.1"),
    }
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
        assert!(!is_final("non consegnato nelle prime dodici ore; entro 24 ore sarà inviato un altro avviso"));
        assert!(is_final("non consegnato entro 24 ore, dopo l'avviso delle 12 ore"));
        assert!(!is_final(""));
    }
}
