//! Italian tax codes (DM 23 December 1976): check character, and what the code says of its bearer.
//!
//! Invariant: two people whose codes would be equal get letters for digits (*omocodia*): these are read as the digits they
//! stand for, while the check character counts them as the letters they are.

use jiff::civil::Date;
use unicode_normalization::UnicodeNormalization;

/// Values of characters in odd positions: digits as the letters A to J.
const ODD: [u32; 26] = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
/// Letters of the months.
const MONTHS: &[u8; 12] = b"ABCDEHLMPRST";
/// Letters that stand for the digits 0 to 9 in a code changed for homonymy.
const HOMONYMS: &[u8; 10] = b"LMNPQRSTUV";
/// Where digits stand.
const DIGITS: [usize; 7] = [6, 7, 9, 10, 12, 13, 14];

/// A tax code whose check character fits.
#[derive(Debug, PartialEq, Eq)]
pub enum TaxCode {
    /// Of a person: sixteen characters, letters for digits already read as digits.
    Person([u8; 16]),
    /// Provisional, or of an organisation: eleven digits.
    Digits,
}

impl TaxCode {
    /// Reads a code; `None` when its form or its check character is wrong.
    pub fn read(text: &str) -> Option<Self> {
        let code = text.trim().to_ascii_uppercase();
        let bytes = code.as_bytes();
        match bytes.len() {
            11 if bytes.iter().all(u8::is_ascii_digit) => digits_fit(bytes).then_some(Self::Digits),
            16 => {
                let bytes: [u8; 16] = bytes.try_into().ok()?;
                (check(&bytes) == Some(bytes[15])).then_some(())?;
                let mut plain = bytes;
                for at in DIGITS {
                    if let Some(digit) = HOMONYMS.iter().position(|letter| *letter == plain[at]) {
                        plain[at] = b'0' + digit as u8;
                    }
                }
                let shaped = (0..16).all(|at| {
                    if DIGITS.contains(&at) { plain[at].is_ascii_digit() } else { plain[at].is_ascii_uppercase() }
                });
                (shaped && day_of(&plain).is_some()).then_some(Self::Person(plain))
            }
            _ => None,
        }
    }
}

fn digits_fit(bytes: &[u8]) -> bool {
    let sum: u32 = bytes.iter().enumerate().fold(0, |sum, (position, byte)| {
        let digit = u32::from(byte - b'0');
        sum + if position % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 }
    });
    sum.is_multiple_of(10)
}

fn check(bytes: &[u8; 16]) -> Option<u8> {
    let mut sum = 0;
    for (position, byte) in bytes[..15].iter().enumerate() {
        let value = match byte {
            b'0'..=b'9' => byte - b'0',
            b'A'..=b'Z' => byte - b'A',
            _ => return None,
        };
        sum += if position % 2 == 0 { ODD[usize::from(value)] } else { u32::from(value) };
    }
    Some(b'A' + (sum % 26) as u8)
}

/// Year within its century, month, day, and whether it is a woman's.
fn day_of(code: &[u8; 16]) -> Option<(i16, i8, i8, bool)> {
    let two = |at: usize| i16::from(code[at] - b'0') * 10 + i16::from(code[at + 1] - b'0');
    let month = MONTHS.iter().position(|letter| *letter == code[8])? as i8 + 1;
    let (day, female) = match two(9) {
        day @ 1..=31 => (day as i8, false),
        day @ 41..=71 => (day as i8 - 40, true),
        _ => return None,
    };
    Some((two(6), month, day, female))
}

/// What the code says and the person's data deny.
pub fn denies(code: &[u8; 16], person: &Person<'_>) -> Vec<&'static str> {
    let mut wrong = Vec::new();
    if person.surname.is_some_and(|name| three(name, false).is_some_and(|three| three != code[..3])) {
        wrong.push("surname");
    }
    if person.forename.is_some_and(|name| three(name, true).is_some_and(|three| three != code[3..6])) {
        wrong.push("forename");
    }
    if let Some((year, month, day, female)) = day_of(code) {
        let same = |born: Date| (born.year().rem_euclid(100), born.month(), born.day()) == (year, month, day);
        if person.birth_date.is_some_and(|born| !same(born)) {
            wrong.push("birth_date");
        }
        let sex = person.sex.map(|sex| sex.trim().to_ascii_uppercase());
        if sex.is_some_and(|sex| (sex == "F" && !female) || (sex == "M" && female)) {
            wrong.push("sex");
        }
    }
    if person.place_code.is_some_and(|place| !place.trim().as_bytes().eq_ignore_ascii_case(&code[11..15])) {
        wrong.push("birth_place_code");
    }
    wrong
}

/// What is known of a person from elsewhere.
#[derive(Debug, Default)]
pub struct Person<'a> {
    pub surname: Option<&'a str>,
    pub forename: Option<&'a str>,
    pub birth_date: Option<Date>,
    pub sex: Option<&'a str>,
    pub place_code: Option<&'a str>,
}

/// The three letters of a surname or forename: consonants, then vowels, then X; of a forename with four consonants or
/// more the first, third and fourth. `None` for a name without Latin letters.
fn three(name: &str, forename: bool) -> Option<[u8; 3]> {
    let letters: Vec<u8> = name
        .nfd()
        .flat_map(|c| match c {
            'ß' => vec![b'S', b'S'],
            'æ' | 'Æ' => vec![b'A', b'E'],
            'ø' | 'Ø' => vec![b'O'],
            _ => u8::try_from(c)
                .ok()
                .filter(u8::is_ascii_alphabetic)
                .map(|b| b.to_ascii_uppercase())
                .into_iter()
                .collect(),
        })
        .take(200)
        .collect();
    if letters.is_empty() {
        return None;
    }
    let vowel = |b: &&u8| b"AEIOU".contains(b);
    let mut chosen: Vec<u8> = letters.iter().filter(|b| !vowel(b)).copied().collect();
    if forename && chosen.len() >= 4 {
        chosen.remove(1);
    }
    chosen.extend(letters.iter().filter(vowel).copied());
    chosen.extend([b'X'; 3]);
    chosen[..3].try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(text: &str) -> [u8; 16] {
        match TaxCode::read(text) {
            Some(TaxCode::Person(code)) => code,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn check_characters() {
        assert_eq!(&person("rssmra80a01h501u"), b"RSSMRA80A01H501U");
        assert_eq!(TaxCode::read("00000000000"), Some(TaxCode::Digits));
        for wrong in ["RSSMRA80A01H501X", "00000000001", "abc", "", "RSSMRA80A01H50èU", "RSSMRA80Z01H501U"] {
            assert_eq!(TaxCode::read(wrong), None, "{wrong}");
        }
    }

    /// The same code with letters for some digits, and the check character that goes with them.
    fn homonym(digits: &[usize]) -> String {
        let mut code = *b"RSSMRA80A01H501U";
        for at in digits {
            code[*at] = HOMONYMS[usize::from(code[*at] - b'0')];
        }
        code[15] = check(&code).unwrap();
        String::from_utf8(code.to_vec()).unwrap()
    }

    #[test]
    fn letters_for_digits_are_read_as_digits() {
        for digits in [&[14][..], &[13, 14], &DIGITS] {
            let code = homonym(digits);
            assert_eq!(&person(&code)[..15], b"RSSMRA80A01H501", "{code}");
        }
    }

    #[test]
    fn the_code_and_the_person_agree_or_not() {
        let code = person("RSSMRA80A01H501U");
        let whole = Person {
            surname: Some("Rossi"),
            forename: Some("Mario"),
            birth_date: Some("1980-01-01".parse().unwrap()),
            sex: Some("M"),
            place_code: Some("h501"),
        };
        assert_eq!(denies(&code, &whole), [""; 0]);
        let other = Person {
            surname: Some("Bianchi"),
            forename: Some("Anna"),
            birth_date: Some("1980-01-02".parse().unwrap()),
            sex: Some("F"),
            place_code: Some("F205"),
        };
        assert_eq!(denies(&code, &other), ["surname", "forename", "birth_date", "sex", "birth_place_code"]);
        assert_eq!(denies(&code, &Person::default()), [""; 0]);
    }

    #[test]
    fn names_give_three_letters() {
        for (name, forename, expected) in [
            ("Rossi", false, "RSS"),
            ("Fo", false, "FOX"),
            ("D'Àngelo", false, "DNG"),
            ("De Luca", false, "DLC"),
            ("Gianfranco", true, "GFR"),
            ("Marco", true, "MRC"),
            ("Anna", true, "NNA"),
            ("Io", true, "IOX"),
        ] {
            assert_eq!(three(name, forename).unwrap(), expected.as_bytes(), "{name}");
        }
        assert_eq!(three("李", true), None);
    }
}
