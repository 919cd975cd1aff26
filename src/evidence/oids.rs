//! Object identifiers of RFC 3161, 5035, 5280, 5652, 5816 and of the algorithms, each written once.

#![allow(missing_docs)]

use crate::evidence::Oid;

macro_rules! oids {
    ($($name:ident = $text:literal;)*) => { $( pub const $name: Oid = Oid::new_unwrap($text); )* };
}

oids! {
    // CMS (RFC 5652)
    DATA = "1.2.840.113549.1.7.1";
    SIGNED_DATA = "1.2.840.113549.1.7.2";
    ENVELOPED_DATA = "1.2.840.113549.1.7.3";
    ENCRYPTED_DATA = "1.2.840.113549.1.7.6";
    COMPRESSED_DATA = "1.2.840.113549.1.9.16.1.9";
    AUTH_ENVELOPED_DATA = "1.2.840.113549.1.9.16.1.23";
    CONTENT_TYPE = "1.2.840.113549.1.9.3";
    MESSAGE_DIGEST = "1.2.840.113549.1.9.4";
    SIGNING_TIME = "1.2.840.113549.1.9.5";
    COUNTER_SIGNATURE = "1.2.840.113549.1.9.6";
    // ESS (RFC 2634, 5035) and CAdES
    SIGNING_CERTIFICATE = "1.2.840.113549.1.9.16.2.12";
    SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.47";
    SIGNATURE_TIME_STAMP = "1.2.840.113549.1.9.16.2.14";
    // Time-stamps
    TST_INFO = "1.2.840.113549.1.9.16.1.4";
    KP_TIME_STAMPING = "1.3.6.1.5.5.7.3.8";
    KP_EMAIL_PROTECTION = "1.3.6.1.5.5.7.3.4";
    OCSP_BASIC = "1.3.6.1.5.5.7.48.1.1";
    RI_OCSP_RESPONSE = "1.3.6.1.5.5.7.16.2";
    REVOCATION_VALUES = "1.2.840.113549.1.9.16.2.24";
    KP_OCSP_SIGNING = "1.3.6.1.5.5.7.3.9";
    ANY_EXTENDED_KEY_USAGE = "2.5.29.37.0";
    // Digests
    MD5 = "1.2.840.113549.2.5";
    SHA1 = "1.3.14.3.2.26";
    SHA256 = "2.16.840.1.101.3.4.2.1";
    SHA384 = "2.16.840.1.101.3.4.2.2";
    SHA512 = "2.16.840.1.101.3.4.2.3";
    // Signatures
    RSA = "1.2.840.113549.1.1.1";
    RSA_MD5 = "1.2.840.113549.1.1.4";
    RSA_SHA1 = "1.2.840.113549.1.1.5";
    RSA_PSS = "1.2.840.113549.1.1.10";
    RSA_SHA256 = "1.2.840.113549.1.1.11";
    RSA_SHA384 = "1.2.840.113549.1.1.12";
    RSA_SHA512 = "1.2.840.113549.1.1.13";
    MGF1 = "1.2.840.113549.1.1.8";
    EC_PUBLIC_KEY = "1.2.840.10045.2.1";
    P256 = "1.2.840.10045.3.1.7";
    P384 = "1.3.132.0.34";
    P521 = "1.3.132.0.35";
    ECDSA_SHA256 = "1.2.840.10045.4.3.2";
    ECDSA_SHA384 = "1.2.840.10045.4.3.3";
    ECDSA_SHA512 = "1.2.840.10045.4.3.4";
    // Certificates (RFC 5280)
    SUBJECT_KEY_ID = "2.5.29.14";
    KEY_USAGE = "2.5.29.15";
    SUBJECT_ALT_NAME = "2.5.29.17";
    BASIC_CONSTRAINTS = "2.5.29.19";
    NAME_CONSTRAINTS = "2.5.29.30";
    CERTIFICATE_POLICIES = "2.5.29.32";
    AUTHORITY_KEY_ID = "2.5.29.35";
    EXTENDED_KEY_USAGE = "2.5.29.37";
    CRL_DISTRIBUTION_POINTS = "2.5.29.31";
    AUTHORITY_INFO_ACCESS = "1.3.6.1.5.5.7.1.1";
    AD_OCSP = "1.3.6.1.5.5.7.48.1";
    QC_STATEMENTS = "1.3.6.1.5.5.7.1.3";
    QC_COMPLIANCE = "0.4.0.1862.1.1";
    COMMON_NAME = "2.5.4.3";
    SURNAME = "2.5.4.4";
    SERIAL_NUMBER = "2.5.4.5";
    COUNTRY = "2.5.4.6";
    LOCALITY = "2.5.4.7";
    ORGANIZATION = "2.5.4.10";
    ORGANIZATIONAL_UNIT = "2.5.4.11";
    GIVEN_NAME = "2.5.4.42";
    EMAIL_ADDRESS = "1.2.840.113549.1.9.1";
    ORGANIZATION_IDENTIFIER = "2.5.4.97";
}
