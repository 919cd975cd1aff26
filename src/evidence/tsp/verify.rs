//! The verification checklist of a time-stamp: RFC 3161 section 2.4.2, RFC 5816, ETSI EN 319 422; numbered as in the tests.
//!
//! 1 granted, token present · 2 TSTInfo, one signer · 3 digest and signature · 4 certificate named by ESS · 5 purpose critical and
//! only time-stamping · 6 imprint · 7 nonce · 8 policy · 9 chain to an anchor, valid at genTime · 10 genTime plausible ·
//! 11 serial number not seen with other content (`Authorities`, which remembers). Revocation and qualified status are not looked at.

use jiff::{SignedDuration, Timestamp};

use crate::error::{Code, Error, Result};
use crate::evidence::algorithm::{self, DigestAlgorithm};
use crate::evidence::anchors::Anchors;
use crate::evidence::cms::{SignedData, Verdict};
use crate::evidence::digest::Digest;
use crate::evidence::key::RSA_MINIMUM_BITS;
use crate::evidence::oids;
use crate::evidence::tsp::reply::{MAX_REPLY, token_of_reply};
use crate::evidence::tsp::{Policy, Query, Token, TstInfo};
use crate::evidence::x509::Certificate;
use crate::evidence::x509::path::{self, PathError, Rfc5280};

/// What is acceptable beyond what the standards say.
#[derive(Debug, Clone)]
pub struct Rules {
    /// A token that says to be less accurate is refused. One that says nothing is as its policy says, and accepted.
    pub max_accuracy: SignedDuration,
    /// How far a fresh token may be from our clock: a wider window forgives a slow authority, a narrower one notices a bad clock.
    pub max_skew: SignedDuration,
    /// Policies accepted when the request named none; empty accepts all.
    pub policies: Vec<Policy>,
}

impl Default for Rules {
    /// One second (ETSI EN 319 421, best practice policy) and five minutes; any policy.
    fn default() -> Self {
        Self {
            max_accuracy: SignedDuration::from_secs(1),
            max_skew: SignedDuration::from_mins(5),
            policies: Vec::new(),
        }
    }
}

/// Verifies a fresh reply to `request` with the default [`Rules`].
pub fn verify_reply(request: &[u8], reply: &[u8], anchors: &Anchors, now: Timestamp) -> Result<Token> {
    Rules::default().verify_reply(request, reply, anchors, Some(now))
}

/// Verifies a token over `imprint`, of any age: the chain is judged at genTime. [`Code::TokenUntrusted`] when nothing leads
/// to an anchor, [`Code::TokenInvalid`] when anything else is wrong.
pub fn verify_token(token: &[u8], imprint: impl Into<Digest>, anchors: &Anchors) -> Result<Token> {
    let query = Query::new(imprint);
    verify(token, &query, anchors).map_err(as_token_error)
}

/// Verifies a token over these very bytes, whatever digest of them it holds: a time-stamp that came inside a signature.
pub fn verify_stamp(token: &[u8], stamped: &[u8], anchors: &Anchors) -> Result<Token> {
    let digest = || {
        let data = SignedData::parse(token)?;
        let info = TstInfo::parse(data.content.as_deref().ok_or_else(|| wrong("not a time-stamp token"))?)?;
        Ok((info.algorithm, DigestAlgorithm::from_oid(&info.algorithm)?.of(stamped)))
    };
    let (algorithm, imprint) = digest().map_err(as_token_error)?;
    let query = Query { algorithm, imprint, policy: None, nonce: None, certificate: true, extensions: false };
    verify(token, &query, anchors).map_err(as_token_error)
}

impl Rules {
    /// Verifies a reply to `request`. `now` is `None` for a reply that was stored earlier: then its time is not compared with
    /// our clock.
    pub fn verify_reply(
        &self,
        request: &[u8],
        reply: &[u8],
        anchors: &Anchors,
        now: Option<Timestamp>,
    ) -> Result<Token> {
        let query = Query::parse(request).map_err(as_token_error)?;
        let token = token_of_reply(reply).map_err(as_token_error)?;
        let token = verify(&token, &query, anchors).map_err(as_token_error)?;
        self.judge(&query, token.info(), now)?;
        if !token.names_certificate_by_sha2 {
            // Good enough in tokens of the past; a new one must outlive SHA-1 (RFC 5816, ETSI EN 319 422 section 5.1).
            return Err(defect(Code::StampWeak, "it names its certificate by SHA-1 alone"));
        }
        Ok(token)
    }

    fn judge(&self, query: &Query, info: &TstInfo, now: Option<Timestamp>) -> Result<()> {
        if query.nonce.is_some() && query.nonce != info.nonce {
            return Err(defect(Code::StampNonce, "the nonce is not the one that was sent"));
        }
        let policy_good = match &query.policy {
            Some(asked) => info.policy == *asked,
            None => self.policies.is_empty() || self.policies.contains(&info.policy),
        };
        if !policy_good {
            return Err(defect(Code::StampPolicy, format!("policy {} was neither asked for nor allowed", info.policy)));
        }
        let accuracy = info.accuracy.unwrap_or_default().duration();
        if accuracy > self.max_accuracy {
            return Err(defect(Code::StampAccuracy, format!("accuracy of {accuracy:#} is not enough")));
        }
        if let Some(now) = now {
            let ahead = info.gen_time.duration_since(now);
            if ahead > self.max_skew {
                return Err(defect(Code::StampTime, format!("its time {} is in our future ({now})", info.gen_time)));
            }
            if ahead < -self.max_skew {
                return Err(defect(
                    Code::StampTime,
                    format!("its time {} is before it was asked for ({now})", info.gen_time),
                ));
            }
        }
        Ok(())
    }
}

fn wrong(detail: impl Into<String>) -> Error {
    defect(Code::TokenInvalid, detail)
}

fn defect(code: Code, detail: impl Into<String>) -> Error {
    Error::new(code, detail)
}

fn as_token_error(error: Error) -> Error {
    match error.code {
        Code::TsaDown | Code::TsaRefused => error,
        code if code.as_str().starts_with("timestamp") => error,
        _ => wrong(format!("{}: {}", error.code.as_str(), error.detail)),
    }
}

/// Everything that does not depend on the moment.
fn verify(token: &[u8], query: &Query, anchors: &Anchors) -> Result<Token> {
    if token.len() > MAX_REPLY {
        return Err(wrong("token larger than 64 KiB"));
    }
    let data = SignedData::parse(token)?;
    let content = match &data.content {
        Some(content) if data.content_type == oids::TST_INFO => content,
        _ => return Err(wrong("not a time-stamp token")),
    };
    let [signer] = data.signers.as_slice() else {
        return Err(defect(Code::StampSigners, format!("{} signers instead of one", data.signers.len())));
    };
    let info = TstInfo::parse(content)?;

    // A token asked for without its certificate can still be judged when the certificate itself is configured.
    let certificate =
        signer.certificate(&data.certificates).or_else(|| signer.certificate(anchors.certificates())).cloned();
    let report = signer.verify_with(data.content_type, content, certificate);
    let verdicts = [
        ("digest", &report.digest),
        ("content type", &report.content_type),
        ("signature", &report.signature),
        ("signing certificate", &report.signing_certificate),
    ];
    for (what, verdict) in verdicts {
        match verdict {
            Verdict::Good => {}
            Verdict::Bad(why) | Verdict::Absent(why) | Verdict::Unknown(why) => {
                let code = if what == "signing certificate" { Code::StampOtherCertificate } else { Code::TokenInvalid };
                let code = if report.certificate.is_none() { Code::StampNoCertificate } else { code };
                return Err(defect(code, format!("{what}: {why}")));
            }
        }
    }
    let certificate =
        report.certificate.as_ref().ok_or_else(|| defect(Code::StampNoCertificate, "signer certificate not found"))?;
    if report.is_weak() || matches!(signer.signature_algorithm()?, oids::RSA_MD5 | oids::RSA_SHA1) {
        return Err(defect(Code::StampWeak, "signed with an algorithm that is no longer acceptable"));
    }
    if algorithm::rsa_bits(certificate.spki())?.is_some_and(|bits| bits < RSA_MINIMUM_BITS) {
        return Err(defect(Code::StampWeak, "signed with an RSA key shorter than 2048 bits"));
    }
    check_purpose(certificate)?;
    check_imprint(query, &info)?;
    let path =
        path::find(certificate, &data.certificates, anchors, info.gen_time, &Rfc5280::default()).map_err(|error| {
            match error {
                PathError::Untrusted => {
                    let issuer = certificate.issuer_attribute(&oids::COMMON_NAME).unwrap_or_default();
                    Error::new(
                        Code::TokenUntrusted,
                        format!("no configured anchor issued it, directly or not (issuer: {issuer})"),
                    )
                }
                PathError::Invalid(error) => {
                    let code = match error.code {
                        Code::SignatureExpired => Code::StampExpired,
                        Code::SignatureNotYetValid => Code::StampNotYet,
                        _ => Code::TokenInvalid,
                    };
                    defect(code, format!("at {}: {}", info.gen_time, error.detail))
                }
            }
        })?;
    let names_certificate_by_sha2 = signer.attribute(&oids::SIGNING_CERTIFICATE_V2)?.is_some();
    Ok(Token { der: token.to_vec(), info, path, names_certificate_by_sha2 })
}

fn check_purpose(certificate: &Certificate) -> Result<()> {
    let usage = certificate
        .extended_key_usage()?
        .ok_or_else(|| defect(Code::StampPurpose, "the certificate has no extended key usage"))?;
    if !usage.critical || usage.purposes != [oids::KP_TIME_STAMPING] {
        let detail = "the extended key usage of the certificate is not critical, or not only time-stamping";
        return Err(defect(Code::StampPurpose, detail));
    }
    let (signature, commitment) = (certificate.key_usage_allows(0)?, certificate.key_usage_allows(1)?);
    if !signature && !commitment {
        return Err(defect(Code::StampPurpose, "the key usage of the certificate does not allow signing"));
    }
    Ok(())
}

fn check_imprint(query: &Query, info: &TstInfo) -> Result<()> {
    let algorithm = DigestAlgorithm::from_oid(&info.algorithm)?;
    if algorithm.is_weak() || algorithm.length() != info.imprint.len() {
        return Err(defect(Code::StampWeak, "the imprint has a weak algorithm or a wrong length"));
    }
    if info.algorithm != query.algorithm || info.imprint != query.imprint {
        return Err(defect(Code::StampImprint, "it stamps something else"));
    }
    Ok(())
}
