//! Search keys the fiscal rules ask for (DMEF 17 June 2014 art. 3: surname, forename, name, tax code, VAT number, date), in
//! one form: upper case, no accents, one blank between words, VAT numbers with and without their country. The fields
//! themselves keep what the file says.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::document::reader::Extraction;

const NAMES: [&str; 6] =
    ["seller_name", "seller_surname", "seller_forename", "buyer_name", "buyer_surname", "buyer_forename"];
const CODES: [&str; 4] = ["seller_vat", "seller_tax_code", "buyer_vat", "buyer_tax_code"];

/// Fills `search_keys` from the parties' fields.
pub(super) fn keys(out: &mut Extraction) {
    let mut keys = Vec::new();
    for (fields, form) in [(&NAMES[..], name as fn(&str) -> String), (&CODES[..], code)] {
        keys.extend(fields.iter().filter_map(|field| out.fields.get(*field)?.as_str()).map(form));
    }
    let vats: Vec<String> = keys.iter().filter_map(|key| italian(key)).collect();
    keys.extend(vats);
    keys.retain(|key| !key.is_empty());
    keys.sort();
    keys.dedup();
    out.set_list("search_keys", keys);
}

/// Letters without accents, in upper case; whatever is neither letter nor digit parts words.
pub(super) fn name(text: &str) -> String {
    let folded: String = text.nfd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_uppercase).collect();
    folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Codes have neither blanks nor points.
pub(super) fn code(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_uppercase).collect()
}

/// An Italian VAT number without its country.
fn italian(code: &str) -> Option<String> {
    let digits = code.strip_prefix("IT")?;
    (digits.len() == 11 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_for_every_spelling() {
        assert_eq!(name("  Società  d’Esempio &\tC. S.r.l."), "SOCIETA D ESEMPIO C S R L");
        assert_eq!(name("Straße"), "STRASSE");
        assert_eq!(code("it 012.345 67890"), "IT01234567890");
        assert_eq!(italian("IT01234567890").as_deref(), Some("01234567890"));
        assert_eq!(italian("ITABC"), None);
    }
}
