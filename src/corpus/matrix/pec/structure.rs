//! What goes wrong around a message: cut short, wrapped again, boundaries that clash, too many and too deep.

use super::Set;
use super::mail::{Mail, multipart, text_part};
use crate::corpus::pec::notice::Kind;
use crate::error::Result;

pub fn samples(set: &mut Set) -> Result<()> {
    let regular = Mail::new(Kind::Delivery, Some("completa"), 12);
    let whole = regular.render(set.keys)?;
    let outer = regular.look.outer;
    let at = |text: &str| whole.windows(text.len()).position(|w| w == text.as_bytes()).expect("a place to cut at");
    for (name, length) in [
        ("nelle-intestazioni", at("Subject: ")),
        ("dopo-le-intestazioni", at("\r\n\r\n") + 4),
        ("nel-testo", at("stato consegnato")),
        ("in-daticert", at("daticert.xml") + 200),
        ("nell-originale", at("si trasmette")),
        ("prima-della-firma", at("Content-Type: application/x-pkcs7-signature")),
        ("nella-firma", whole.len() - 600),
        ("nell-ultimo-confine", whole.len() - 4),
    ] {
        set.bytes(&format!("troncata-{name}.eml"), whole[..length].to_vec());
    }

    // A list's or gateway's footer around the signed message.
    let part = regular.signed_part();
    let signature = set.keys.sign_mail(regular.provider, &part, regular.at, false)?;
    let signed = regular.signed(&part, &signature);
    let footer = text_part("_____________\r\nLista di esempio");
    let wrapped = |depth: usize| {
        let mut body = signed.clone();
        for level in 0..depth {
            body = multipart("mixed", &format!("=_lista_{level}"), &[body, footer.clone()]);
        }
        [regular.top(), body].concat()
    };
    set.bytes("riavvolta-profondita-1.eml", wrapped(1));
    set.bytes("riavvolta-profondita-2.eml", wrapped(2));

    let mut clash = regular.clone();
    (clash.look.outer, clash.look.inner) = ("B0", "B0interno");
    set.mail("confine-prefisso-dell-altro", &clash)?;
    let mut clash = regular.clone();
    (clash.look.outer, clash.look.inner) = ("B0interno", "B0");
    set.mail("confine-prefisso-inverso", &clash)?;
    let mut text = regular.clone();
    text.text = format!("prima\r\n--{outer}X\r\nnon e' un confine\r\n--{outer} x\r\nnemmeno\r\n");
    set.mail("riga-come-un-confine", &text)?;

    let deep = (0..40).fold(text_part("fondo"), |inner, level| multipart("mixed", &format!("L{level}"), &[inner]));
    set.bytes("multipart-troppo-annidati.eml", [regular.top(), deep].concat());
    let many = format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{}--b--\r\n", "--b\r\n\r\n".repeat(2100));
    set.bytes("troppe-parti.eml", [regular.top(), many.into_bytes()].concat());
    set.bytes(
        "senza-boundary.eml",
        [regular.top(), b"Content-Type: multipart/signed\r\n\r\ntesto\r\n".to_vec()].concat(),
    );
    let long = format!("X-Lunga: {}\r\n", "a".repeat(30_000));
    set.bytes("riga-di-30000.eml", [long.as_bytes(), &whole].concat());
    // A part that nobody signed, beside the one that is.
    let added = "Content-Type: text/plain\r\n\r\nNessuno ha firmato questo.\r\n";
    let end = format!("\r\n--{outer}--");
    set.edited("parte-non-firmata", &regular, &end, &format!("\r\n--{outer}\r\n{added}--{outer}--"))?;
    // A provider that sends eight bits as they are, and signs them.
    let mut eight = regular.clone();
    let raw = b"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\ncitt\xe0 \xff\x80\x00\r\n";
    eight.more.push(raw.to_vec());
    set.mail("corpo-8bit", &eight)?;
    set.edited(
        "corpo-8bit-troncato-a-7",
        &eight,
        "iso-8859-1\r\nContent-Transfer-Encoding: 8bit",
        "us-ascii\r\nContent-Transfer-Encoding: 7bit",
    )?;
    Ok(())
}
