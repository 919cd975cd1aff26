//! What goes wrong with a provider's signature: each must come out different.

use jiff::Timestamp;

use super::mail::{Look, Mail};
use super::{Set, replaced};
use crate::corpus::pec::notice::Kind;
use crate::error::Result;

pub fn samples(set: &mut Set) -> Result<()> {
    let regular = Mail::new(Kind::Delivery, Some("completa"), 12);
    let part = regular.signed_part();
    let signature = set.keys.sign_mail(regular.provider, &part, regular.at, false)?;

    // Edited after signing: the text, the certified data along with the headers, the message inside.
    set.edited("alterata-testo", &regular, "stato consegnato", "stato CONSEGNATO")?;
    set.edited("alterata-originale", &regular, "si trasmette quanto", "si trasmette quasi")?;
    let mut other = regular.clone();
    let data = super::mail::certified(Kind::Delivery, Some("completa"), 12);
    other.daticert =
        Some(super::mail::xml_part("daticert.xml", data.render().replace("protocollo@", "contabile@").as_bytes()));
    other.set("To", "contabile@pec.example.it");
    set.bytes("alterata-daticert-e-intestazioni.eml", other.wrap(&other.signed_part(), &signature));
    let mut spaced = part.clone();
    spaced.extend_from_slice(b"\r\n");
    set.bytes("alterata-una-riga-in-piu.eml", regular.wrap(&spaced, &signature));

    // Whose certificate, and when.
    let from_other = set.keys.sign_mail(0, &part, regular.at, false)?;
    set.bytes("certificato-di-un-altro-gestore.eml", regular.wrap(&part, &from_other));
    for (name, dated) in [("scaduto", "2012-06-01T00:00:00Z"), ("non-ancora-valido", "2031-06-01T00:00:00Z")] {
        let dated: Timestamp = dated.parse().unwrap_or(regular.at);
        let signed = set.keys.sign_mail_dated(regular.provider, &part, regular.at, dated)?;
        set.bytes(&format!("certificato-{name}.eml"), regular.wrap(&part, &signed));
    }
    for (name, domain) in [("rispettato", "pec.example.org"), ("violato", "pec.example.net")] {
        let signed = set.keys.sign_mail_constrained(regular.provider, &part, regular.at, domain)?;
        set.bytes(&format!("vincolo-di-nome-{name}.eml"), regular.wrap(&part, &signed));
    }

    // What stands in the signature's place.
    let with_signature = |name: &str, encoded: &str| {
        let mut out = regular.top();
        let Look { protocol, micalg, outer, .. } = regular.look;
        out.extend_from_slice(
            format!(
                "Content-Type: multipart/signed; protocol=\"{protocol}\"; micalg={micalg}; boundary=\"{outer}\"\r\n\r\n\
                 --{outer}\r\n"
            )
            .as_bytes(),
        );
        out.extend_from_slice(&part);
        out.extend_from_slice(
            format!(
                "\r\n--{outer}\r\nContent-Type: {protocol}; name=\"smime.p7s\"\r\nContent-Transfer-Encoding: base64\r\n\r\n\
                 {encoded}\r\n--{outer}--\r\n"
            )
            .as_bytes(),
        );
        (format!("firma-{name}.eml"), out)
    };
    let mut cut = Vec::new();
    crate::corpus::mime::base64_lines(&mut cut, &signature[..signature.len() / 2]);
    let cut = String::from_utf8_lossy(&cut).into_owned();
    for (name, encoded) in [
        ("segnaposto", "MII...njA=="),
        ("vuota", ""),
        ("testo", "la firma e' stata tolta"),
        ("der-rotto", "MIIBAAYJKoZIhvcNAQcCoIIA/w=="),
        ("altro-der", "MAMCAQE="),
        ("troncata", cut.as_str()),
        ("zeri", "AAAAAAAAAAAAAAAA"),
    ] {
        let (name, bytes) = with_signature(name, encoded);
        set.bytes(&name, bytes);
    }
    let trailing = [&signature[..], b"coda non firmata"].concat();
    set.bytes("firma-con-coda.eml", regular.wrap(&part, &trailing));
    let mut flipped = signature.clone();
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    set.bytes("firma-un-bit-diverso.eml", regular.wrap(&part, &flipped));

    // The signature before the content; none at all; a plain multipart.
    let whole = regular.wrap(&part, &signature);
    let outer = regular.look.outer;
    let text = String::from_utf8_lossy(&whole).into_owned();
    let pieces: Vec<&str> = text.split(&format!("--{outer}\r\n")).collect();
    if let [head, content, closing] = pieces.as_slice() {
        let signed = closing.trim_end_matches(&format!("--{outer}--\r\n"));
        let swapped = format!("{head}--{outer}\r\n{signed}--{outer}\r\n{content}--{outer}--\r\n");
        set.bytes("firma-prima-del-contenuto.eml", swapped.into_bytes());
        set.bytes("firma-assente.eml", format!("{head}--{outer}\r\n{content}--{outer}--\r\n").into_bytes());
    }
    set.bytes("non-firmata.eml", [regular.top(), part.clone()].concat());
    set.bytes("firmata-tipo-diverso.eml", replaced(&whole, "multipart/signed", "multipart/mixed"));
    Ok(())
}
