//! Messages that a provider signs, by the corpus's own keys: what one says is made here, and signed as it stands, or not.

use custode::corpus::Keys;
use jiff::Timestamp;

/// The first provider's address: the one in its certificate.
pub const PROVIDER: &str = "posta-certificata@pec.example.it";

/// A message with these headers (each with its line end) around this part, signed at this instant.
pub fn signed(headers: &str, part: &str, at: &str) -> Vec<u8> {
    let at: Timestamp = at.parse().unwrap();
    let signature = Keys::new().unwrap().sign_mail(0, part.as_bytes(), at, false).unwrap();
    format!(
        "{headers}Content-Type: multipart/signed; protocol=\"application/x-pkcs7-signature\"; micalg=sha-256; boundary=\"=_firma\"\r\n\r\n\
         --=_firma\r\n{part}\r\n--=_firma\r\nContent-Type: application/x-pkcs7-signature; name=\"smime.p7s\"\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{}\r\n--=_firma--\r\n",
        base64(&signature)
    )
    .into_bytes()
}

/// The same without a signature: anybody can write it.
pub fn unsigned(headers: &str, part: &str) -> Vec<u8> {
    format!("{headers}{part}").into_bytes()
}

/// Base64 in lines.
pub fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(bytes);
    let lines: Vec<&str> = encoded.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
    lines.join("\r\n")
}

/// A receipt of one recipient, or the acceptance.
#[derive(Clone)]
pub struct Receipt {
    pub kind: &'static str,
    pub identifier: String,
    pub to: &'static str,
    /// When, in UTC.
    pub at: jiff::Timestamp,
}

impl Receipt {
    pub fn headers(&self) -> String {
        let Self { kind, identifier, at, .. } = self;
        let at = at.to_zoned(jiff::tz::TimeZone::UTC).strftime("%a, %d %b %Y %H:%M:%S +0000").to_string();
        format!(
            "X-Ricevuta: {kind}\r\nX-Riferimento-Message-ID: <c.{identifier}>\r\nFrom: {PROVIDER}\r\nTo: mittente@pec.example.it\r\n\
             Subject: RICEVUTA: prova\r\nDate: {at}\r\nMessage-ID: <ric.{kind}.{identifier}>\r\nMIME-Version: 1.0\r\n"
        )
    }

    pub fn part(&self) -> String {
        let Self { kind, identifier, to, at } = self;
        let zoned = at.to_zoned(jiff::tz::TimeZone::UTC);
        let about = if *kind == "accettazione" { String::new() } else { format!("<consegna>{to}</consegna>") };
        let daticert = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<postacert tipo=\"{kind}\" errore=\"nessuno\"><intestazione>\
             <mittente>mittente@pec.example.it</mittente><destinatari tipo=\"certificato\">{to}</destinatari>\
             <risposte>mittente@pec.example.it</risposte><oggetto>prova</oggetto></intestazione><dati>\
             <gestore-emittente>Gestore Esempio S.p.A.</gestore-emittente><data zona=\"+0000\"><giorno>{}</giorno><ora>{}</ora></data>\
             <identificativo>{identifier}</identificativo><msgid>&lt;c.{identifier}&gt;</msgid><ricevuta tipo=\"sintetica\"/>{about}</dati></postacert>",
            zoned.strftime("%d/%m/%Y"),
            zoned.strftime("%H:%M:%S"),
        );
        format!(
            "Content-Type: multipart/mixed; boundary=\"=_parti\"\r\n\r\n--=_parti\r\nContent-Type: text/plain\r\n\r\nRicevuta\r\n\
             --=_parti\r\nContent-Type: application/xml; name=\"daticert.xml\"\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n--=_parti--\r\n",
            base64(daticert.as_bytes())
        )
    }

    pub fn signed(&self) -> Vec<u8> {
        signed(&self.headers(), &self.part(), &self.at.to_string())
    }

    pub fn unsigned(&self) -> Vec<u8> {
        unsigned(&self.headers(), &self.part())
    }

    /// Signed for another recipient, and then told to be for this one.
    pub fn tampered(&self) -> Vec<u8> {
        let other = Self { to: "altri@pec.example.org", ..self.clone() };
        let whole = String::from_utf8(other.signed()).unwrap();
        assert!(whole.contains(&other.part()));
        whole.replace(&other.part(), &self.part()).into_bytes()
    }
}
