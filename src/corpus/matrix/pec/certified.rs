//! `daticert.xml` as it should not be: read leniently, reported strictly. Every one is properly signed.

use super::Set;
use super::mail::{Mail, certified, xml_part};
use crate::corpus::pec::notice::Kind;
use crate::error::Result;

/// Name, what is replaced, by what.
const CHANGES: &[(&str, &str, &str)] = &[
    ("tipo-sconosciuto", "tipo=\"avvenuta-consegna\"", "tipo=\"consegnato\""),
    ("tipo-maiuscolo", "tipo=\"avvenuta-consegna\"", "tipo=\"Avvenuta-Consegna\""),
    ("errore-sconosciuto", "errore=\"nessuno\"", "errore=\"boh\""),
    ("errore-assente", " errore=\"nessuno\"", ""),
    ("ricevuta-strana", "<ricevuta tipo=\"completa\" />", "<ricevuta tipo=\"complet\" />"),
    ("ricevuta-assente", "<ricevuta tipo=\"completa\" />", ""),
    ("data-illeggibile", "<giorno>10/03/2026</giorno>", "<giorno>ieri</giorno>"),
    ("anno-di-due-cifre", "<giorno>10/03/2026</giorno>", "<giorno>3/11/26</giorno>"),
    ("giorno-di-una-cifra", "<giorno>10/03/2026</giorno>", "<giorno>9/3/2026</giorno>"),
    ("anno-uno", "<giorno>10/03/2026</giorno>", "<giorno>01/01/0001</giorno>"),
    ("anno-1999", "<giorno>10/03/2026</giorno>", "<giorno>01/01/1999</giorno>"),
    ("anno-2126", "<giorno>10/03/2026</giorno>", "<giorno>31/12/2126</giorno>"),
    ("zona-con-due-punti", "zona=\"+0100\"", "zona=\"+01:00\""),
    ("zona-assente", " zona=\"+0100\"", ""),
    ("secondo-60", ":12</ora>", ":60</ora>"),
    ("consegna-vuota", "<consegna>ufficio.legale@pec.example.org</consegna>", "<consegna></consegna>"),
    ("identificativo-assente", "identificativo>", "altro>"),
    ("mittente-assente", "<mittente>protocollo@pec.example.it</mittente>", ""),
    ("senza-intestazione", "intestazione>", "intestazioni>"),
    ("senza-dati", "dati>", "dato>"),
    ("destinatario-tipo-strano", "tipo=\"certificato\"", "tipo=\"speciale\""),
    ("elemento-in-piu", "<risposte>", "<priorita>alta</priorita><risposte>"),
    ("entita", "<oggetto>", "<oggetto>&#73;&amp;&lt;b&gt; "),
    ("cdata", "<oggetto>", "<oggetto><![CDATA[<&> ]]>"),
    ("commenti-e-istruzioni", "<dati>", "<!-- commento --><?foglio stile?><dati>"),
    ("entita-non-dichiarata", "<oggetto>", "<oggetto>&esempio;"),
    ("doctype", "<postacert ", "<!DOCTYPE postacert SYSTEM \"daticert.dtd\">\n<postacert "),
    ("doctype-con-sottoinsieme", "<postacert ", "<!DOCTYPE postacert [<!ELEMENT postacert ANY>]>\n<postacert "),
    ("bomba", "<postacert ", "<!DOCTYPE postacert [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]>\n<postacert "),
    ("non-chiuso", "</postacert>", ""),
    ("radice-di-altro", "postacert", "altro"),
    ("con-prefisso", "<postacert ", "<postacert xmlns=\"urn:esempio\" "),
];

pub fn samples(set: &mut Set) -> Result<()> {
    let regular = Mail::new(Kind::Delivery, Some("completa"), 12);
    let xml = certified(Kind::Delivery, Some("completa"), 12).render();
    let mut with = |name: &str, bytes: &[u8]| {
        let mut mail = regular.clone();
        mail.daticert = Some(xml_part("daticert.xml", bytes));
        set.mail(&format!("daticert-{name}"), &mail)
    };
    for (name, from, to) in CHANGES {
        assert!(xml.contains(from), "{name}: a sample is changed where it has the text");
        with(name, xml.replace(from, to).as_bytes())?;
    }
    with("ordine-diverso", reordered(&xml).as_bytes())?;
    with("identificativo-tra-parentesi", spaced(&xml).as_bytes())?;
    let wide = |text: &str, unit: fn(u16) -> [u8; 2]| -> Vec<u8> {
        format!("\u{feff}{}", text.replace("UTF-8", "UTF-16")).encode_utf16().flat_map(unit).collect()
    };
    with("utf16-le", &wide(&xml, u16::to_le_bytes))?;
    with("utf16-be", &wide(&xml, u16::to_be_bytes))?;
    with("utf8-bom", format!("\u{feff}{xml}").as_bytes())?;
    with("latin1-dichiarato", &latin1(&xml.replace("UTF-8", "ISO-8859-1")))?;
    with("latin1-non-dichiarato", &latin1(&xml))?;
    with("codifica-ignota", xml.replace("UTF-8", "X-IGNOTA").as_bytes())?;
    with("vuoto", b"")?;
    with("non-xml", b"dati di certificazione")?;

    let mut broken = regular.clone();
    let part = "Content-Type: application/xml; name=\"daticert.xml\"\r\nContent-Transfer-Encoding: base64\r\n\r\n<postacert/>%%%";
    broken.daticert = Some(part.as_bytes().to_vec());
    set.mail("daticert-base64-rotto", &broken)?;
    let mut lost = regular.clone();
    lost.daticert = None;
    set.mail("daticert-perso-consegna", &lost)?;
    let mut lost = Mail::new(Kind::Transport, None, 2);
    lost.daticert = None;
    set.mail("daticert-perso-busta", &lost)?;
    let mut twice = regular.clone();
    let other = xml.replace("avvenuta-consegna", "errore-consegna");
    twice.more.push(xml_part("daticert.xml", other.as_bytes()));
    set.mail("daticert-doppio", &twice)?;
    let mut twice = regular.clone();
    twice.more.push(xml_part("daticert.xml", xml.as_bytes()));
    set.mail("daticert-due-volte-uguale", &twice)?;
    let mut twice = regular.clone();
    twice.more.extend(twice.postacert.clone());
    set.mail("postacert-doppio", &twice)?;
    // Found by its content alone, whatever it is said to be.
    for (name, media_type) in [
        ("binario", "application/octet-stream"),
        ("testo", "text/plain"),
        ("altro-nome", "text/xml; name=\"dati.xml\""),
    ] {
        let mut plain = regular.clone();
        plain.daticert = Some(format!("Content-Type: {media_type}\r\n\r\n{}", xml.replace('\n', "\r\n")).into_bytes());
        set.mail(&format!("daticert-senza-nome-{name}"), &plain)?;
    }
    Ok(())
}

/// `dati` before `intestazione`.
fn reordered(xml: &str) -> String {
    let cut = |from: &str, to: &str| {
        let start = xml.find(from).unwrap_or_default();
        let end = xml.find(to).map_or(start, |at| at + to.len());
        xml[start..end].to_owned()
    };
    let head = cut("<intestazione>", "</intestazione>");
    let body = cut("<dati>", "</dati>");
    let before = &xml[..xml.find("<intestazione>").unwrap_or_default()];
    format!("{before}{body}{head}</postacert>\n")
}

/// Angle brackets, blanks and line ends around the identifier.
fn spaced(xml: &str) -> String {
    xml.replace("<identificativo>", "<identificativo>\n   &lt;")
        .replace("</identificativo>", "&gt;\n   </identificativo>")
}

fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect()
}
