//! What a token says (RFC 3161 section 2.4.2, TSTInfo).

use jiff::{SignedDuration, Timestamp};

use crate::error::Result;
use crate::evidence::Oid;
use crate::evidence::asn1::{self, Reader, malformed, tag};
use crate::evidence::cms::SignedData;
use crate::evidence::tsp::Policy;
use crate::evidence::tsp::query::{imprint_der, parse_imprint};
use crate::evidence::tsp::reply::MAX_REPLY;
use crate::evidence::x509::Certificate;

/// How far genTime may be from the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Accuracy {
    /// Seconds.
    pub seconds: u32,
    /// Thousandths, 0 to 999.
    pub millis: u32,
    /// Millionths, 0 to 999.
    pub micros: u32,
}

impl Accuracy {
    /// As a duration.
    pub fn duration(self) -> SignedDuration {
        SignedDuration::from_secs(i64::from(self.seconds))
            + SignedDuration::from_micros(i64::from(self.millis) * 1000 + i64::from(self.micros))
    }
}

/// The signed statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TstInfo {
    /// Policy it was made under.
    pub policy: Policy,
    /// Digest algorithm of the imprint.
    pub algorithm: Oid,
    /// What was stamped.
    pub imprint: Vec<u8>,
    /// Serial number, magnitude, at most 20 octets.
    pub serial: Vec<u8>,
    /// When.
    pub gen_time: Timestamp,
    /// How accurate; absent means as the policy says.
    pub accuracy: Option<Accuracy>,
    /// Whether two tokens of this authority can always be ordered.
    pub ordering: bool,
    /// Nonce, magnitude.
    pub nonce: Option<Vec<u8>>,
}

impl TstInfo {
    /// Serial number in hexadecimal.
    pub fn serial_hex(&self) -> String {
        hex::encode(&self.serial)
    }

    /// What a token (ContentInfo) claims; nothing is verified.
    pub fn of_token(token: &[u8]) -> Result<Self> {
        if token.len() > MAX_REPLY {
            return Err(malformed("token larger than 64 KiB"));
        }
        let data = SignedData::parse(token)?;
        Self::parse(data.content.as_deref().ok_or_else(|| malformed("a token without content"))?)
    }

    /// Reads DER.
    pub fn parse(der: &[u8]) -> Result<Self> {
        let mut fields = Reader::only(der, tag::SEQUENCE)?.inside();
        if fields.expect(tag::INTEGER)?.small()? != 1 {
            return Err(malformed("version of the token"));
        }
        let policy = Policy::parse(&fields.next()?)?;
        let (algorithm, imprint) = parse_imprint(&fields.expect(tag::SEQUENCE)?)?;
        let serial = fields.expect(tag::INTEGER)?.unsigned()?.to_vec();
        if serial.len() > 20 {
            return Err(malformed("serial number longer than 160 bits"));
        }
        let gen_time = fields.expect(tag::GENERALIZED_TIME)?.time()?;
        let accuracy = fields.optional(tag::SEQUENCE)?.map(|element| parse_accuracy(&element)).transpose()?;
        let ordering = fields.optional(tag::BOOLEAN)?.is_some_and(|b| b.value.first().is_some_and(|b| *b != 0));
        let nonce = fields.optional(tag::INTEGER)?.map(|n| n.unsigned().map(<[u8]>::to_vec)).transpose()?;
        fields.optional(tag::constructed(0))?;
        if let Some(extensions) = fields.optional(tag::constructed(1))? {
            refuse_critical(&extensions)?;
        }
        fields.finish()?;
        Ok(Self { policy, algorithm, imprint, serial, gen_time, accuracy, ordering, nonce })
    }

    /// DER, naming the authority by this DER Name.
    pub(super) fn to_der(&self, authority: &[u8]) -> Vec<u8> {
        let accuracy = self.accuracy.map(|accuracy| {
            let part = |number: u8, value: u32| match value {
                0 => Vec::new(),
                // IMPLICIT INTEGER: the content of one, under the context tag.
                _ => asn1::tlv(tag::context(number), &asn1::small(value)[2..]),
            };
            let seconds = if accuracy.seconds > 0 { asn1::small(accuracy.seconds) } else { Vec::new() };
            asn1::sequence(&[&seconds, &part(0, accuracy.millis), &part(1, accuracy.micros)])
        });
        let name = asn1::constructed(tag::constructed(4), &[authority]);
        asn1::sequence(&[
            &asn1::small(1),
            &self.policy.to_der(),
            &imprint_der(&self.algorithm, &self.imprint),
            &asn1::unsigned(&self.serial),
            &asn1::generalized_time(self.gen_time),
            &accuracy.unwrap_or_default(),
            &if self.ordering { asn1::true_() } else { Vec::new() },
            &self.nonce.as_deref().map(asn1::unsigned).unwrap_or_default(),
            &asn1::constructed(tag::constructed(0), &[&name]),
        ])
    }
}

fn parse_accuracy(element: &asn1::Tlv<'_>) -> Result<Accuracy> {
    let mut fields = element.inside();
    let seconds = fields.optional(tag::INTEGER)?.map_or(Ok(0), |n| n.small())?;
    let millis = fields.optional(tag::context(0))?.map_or(Ok(0), |n| n.small())?;
    let micros = fields.optional(tag::context(1))?.map_or(Ok(0), |n| n.small())?;
    fields.finish()?;
    if millis > 999 || micros > 999 {
        return Err(malformed("accuracy out of range"));
    }
    Ok(Accuracy { seconds, millis, micros })
}

/// No extension of a token is understood here, so a critical one makes it unacceptable (RFC 3161 section 2.4.2).
fn refuse_critical(extensions: &asn1::Tlv<'_>) -> Result<()> {
    for item in extensions.inside().all()? {
        let mut parts = item.inside();
        parts.expect(tag::OID)?;
        if parts.optional(tag::BOOLEAN)?.is_some_and(|b| b.value.first().is_some_and(|b| *b != 0)) {
            return Err(malformed("critical extension of the token not understood"));
        }
    }
    Ok(())
}

/// A token that was verified; there is no other way to get one.
#[derive(Debug, Clone)]
pub struct Token {
    pub(super) der: Vec<u8>,
    pub(super) info: TstInfo,
    pub(super) path: Vec<Certificate>,
    pub(super) names_certificate_by_sha2: bool,
}

impl Token {
    /// Its DER (CMS ContentInfo), as it came.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// What it says.
    pub fn info(&self) -> &TstInfo {
        &self.info
    }

    /// When.
    pub fn gen_time(&self) -> Timestamp {
        self.info.gen_time
    }

    /// The certificate that signed it.
    pub fn signer(&self) -> &Certificate {
        &self.path[0]
    }

    /// When the first certificate on its path ends: by then a newer token must cover this one.
    pub fn valid_until(&self) -> Timestamp {
        self.path.iter().map(|certificate| certificate.not_after).min().unwrap_or(self.info.gen_time)
    }

    /// From the signer to the anchor that it was judged by.
    pub fn path(&self) -> &[Certificate] {
        &self.path
    }
}
