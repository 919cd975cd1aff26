//! Invented people, organisations and addresses: every name says "Esempio" or is an example domain (RFC 2606), every
//! code has a valid check character and a part that no office assigns, so nobody real can be meant.

use super::rng::Rng;

/// PEC providers: name and mail domain. Their service address is `posta-certificata@` the domain.
pub const PROVIDERS: [(&str, &str); 3] = [
    ("Gestore PEC Esempio S.p.A.", "pec.example.it"),
    ("Posta Certa Esempio S.r.l.", "pec.example.org"),
    ("Legale Esempio S.p.A.", "pec.example.net"),
];

const MAILBOXES: [&str; 12] = [
    "protocollo",
    "amministrazione",
    "ufficio.legale",
    "acquisti",
    "fornitori",
    "segreteria",
    "risorse.umane",
    "contratti",
    "tributi",
    "info",
    "direzione",
    "gare",
];

const ORGANISATIONS: [&str; 10] = [
    "Officine Esempio S.r.l.",
    "Comune di Esempio",
    "Trasporti Esempio S.p.A.",
    "Studio Tecnico Esempio",
    "Forniture & Servizi Esempio S.r.l.",
    "Cooperativa Sociale Esempio",
    "Laboratorio Analisi Esempio",
    "Consorzio Acque Esempio",
    "Editrice Esempio S.a.s.",
    "Università di Esempio",
];

const SUBJECTS: [&str; 14] = [
    "Trasmissione documentazione contratto n. {n}",
    "Richiesta di preventivo n. {n}",
    "Convocazione assemblea del giorno {n}",
    "Sollecito di pagamento fattura n. {n}",
    "Invio verbale di sopralluogo n. {n}",
    "Comunicazione variazione attività, pratica {n}",
    "Diffida ad adempiere, rif. {n}",
    "Offerta per la fornitura di materiali, gara {n}",
    "Domanda di accesso agli atti n. {n}",
    "Riscontro alla Vostra nota prot. {n}",
    "Integrazione documenti \u{2013} istanza {n}",
    "Relazione sulla qualità dell\u{2019}acqua, campione {n}",
    "Notifica ai sensi della legge n. 53/1994, r.g. {n}",
    "Rinnovo polizza n. {n}: perché serve la Sua firma",
];

const SENTENCES: [&str; 12] = [
    "con la presente si trasmette in allegato la documentazione richiesta.",
    "Si prega di voler confermare il ricevimento della presente entro dieci giorni.",
    "Gli importi indicati si intendono al netto dell'imposta sul valore aggiunto.",
    "In mancanza di riscontro si procederà senza ulteriore avviso.",
    "La pratica è stata assegnata all'ufficio competente per l'istruttoria.",
    "Si rimane a disposizione per ogni chiarimento necessario.",
    "Il termine per la presentazione delle osservazioni è fissato a trenta giorni.",
    "Questo messaggio è un esempio generato automaticamente e non ha alcun valore.",
    "Le copie allegate sono conformi agli originali conservati presso la nostra sede.",
    "Ai sensi del contratto in essere, si comunica la variazione delle condizioni economiche.",
    "Il sopralluogo si è svolto alla presenza delle parti, che nulla hanno eccepito.",
    "L'attività avrà inizio il primo giorno del mese successivo.",
];

const GIVEN: [&str; 8] =
    ["Facsimile", "Campione", "Modello", "Saggio", "Specimen", "Provetta", "Esemplare", "Dimostra"];

/// An organisation that does not exist.
pub fn organisation(rng: &mut Rng) -> &'static str {
    rng.pick::<&'static str>(&ORGANISATIONS)
}

/// A local part for a mailbox.
pub fn mailbox(rng: &mut Rng) -> String {
    format!("{}{}", rng.pick(&MAILBOXES), rng.between(1, 99))
}

/// A subject with a number in it; some have letters outside ASCII.
pub fn subject(rng: &mut Rng) -> String {
    let number = rng.between(1, 99_999).to_string();
    rng.pick(&SUBJECTS).replace("{n}", &number)
}

/// About `length` bytes of Italian sentences, wrapped, without line end after the last.
pub fn prose(rng: &mut Rng, length: usize) -> String {
    let mut text = String::with_capacity(length + 160);
    let mut column = 0;
    while text.len() < length {
        for word in rng.pick(&SENTENCES).split(' ') {
            if column + word.len() > 72 {
                text.push_str("\r\n");
                column = 0;
            } else if column > 0 {
                text.push(' ');
                column += 1;
            }
            text.push_str(word);
            column += word.len();
        }
    }
    text
}

/// A VAT number with a valid check digit under an office code (999) that no office has.
pub fn vat_number(rng: &mut Rng) -> String {
    let body = format!("99{}999", rng.digits(5));
    let check = vat_check_digit(&body);
    format!("{body}{check}")
}

/// The eleventh digit of a VAT number.
pub fn vat_check_digit(ten: &str) -> u8 {
    let sum: u32 = ten
        .bytes()
        .enumerate()
        .map(|(i, b)| {
            let digit = u32::from(b.wrapping_sub(b'0'));
            let doubled = if i % 2 == 1 { digit * 2 } else { digit };
            if doubled > 9 { doubled - 9 } else { doubled }
        })
        .sum();
    u8::try_from((10 - sum % 10) % 10).unwrap_or(0)
}

/// A person who does not exist.
#[derive(Debug, Clone)]
pub struct Person {
    /// Given name: a word for "specimen".
    pub given: &'static str,
    /// Always `Esempio`.
    pub family: &'static str,
    /// Date of birth as yyyy-mm-dd.
    pub born: String,
    /// Tax code with a valid check character; the place of birth (Z999) does not exist.
    pub tax_code: String,
}

/// A person who does not exist.
pub fn person(rng: &mut Rng) -> Person {
    let given = *rng.pick::<&'static str>(&GIVEN);
    let year = rng.between(1940, 2004);
    let month = usize::try_from(rng.between(1, 12)).unwrap_or(1);
    let day = rng.between(1, 28);
    let woman = rng.chance(500);
    let letter = char::from(b"ABCDEHLMPRST"[month - 1]);
    let coded_day = if woman { day + 40 } else { day };
    let body = format!("SMP{}{:02}{letter}{coded_day:02}Z999", given_code(given), year % 100);
    let tax_code = format!("{body}{}", tax_code_check(&body));
    Person { given, family: "Esempio", born: format!("{year}-{month:02}-{day:02}"), tax_code }
}

fn given_code(given: &str) -> String {
    let upper = given.to_ascii_uppercase();
    let (vowels, mut letters): (Vec<char>, Vec<char>) = upper.chars().partition(|c| "AEIOU".contains(*c));
    if letters.len() >= 4 {
        letters.remove(1);
    }
    letters.into_iter().chain(vowels).chain(['X', 'X']).take(3).collect()
}

/// The sixteenth character of a tax code (DM 23 December 1976).
pub fn tax_code_check(fifteen: &str) -> char {
    const ODD: [u32; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let sum: u32 = fifteen
        .bytes()
        .enumerate()
        .map(|(i, b)| {
            let value = usize::from(if b.is_ascii_digit() { b - b'0' } else { b.wrapping_sub(b'A') });
            if i % 2 == 0 { ODD[value % 26] } else { u32::try_from(value).unwrap_or(0) }
        })
        .sum();
    char::from(b'A' + u8::try_from(sum % 26).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_characters_are_the_official_ones() {
        // The specimen of the Revenue Agency's own pages, and a well-known sample number.
        assert_eq!(tax_code_check("RSSMRA80A01H501"), 'U');
        assert_eq!(vat_check_digit("0123456789"), 7);
        let mut rng = Rng::new(5);
        for _ in 0..50 {
            let person = person(&mut rng);
            assert_eq!(person.tax_code.len(), 16);
            assert_eq!(&person.tax_code[11..15], "Z999");
            assert_eq!(vat_number(&mut rng).len(), 11);
        }
    }
}
