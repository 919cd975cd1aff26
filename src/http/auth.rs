//! Who is calling: bearer tokens (RFC 6750).
//!
//! Invariant: a handler that names [`Caller`] is never reached without a good token; the token itself goes no further.

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};

use super::Service;
use crate::archive::access::Actor;
use crate::error::{Code, Error};

/// The authenticated caller of a request.
pub struct Caller(pub Actor);

impl FromRequestParts<Service> for Caller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Error> {
        let header = parts.headers.get(header::AUTHORIZATION).ok_or_else(|| Error::new(Code::TokenMissing, ""))?;
        let text = header.to_str().map_err(|_| Error::new(Code::TokenWrong, "not ASCII"))?;
        let token = match text.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
            _ => return Err(Error::new(Code::TokenMissing, "not a bearer token")),
        };
        service.archive.authenticate(token).map(Self)
    }
}

/// Adds the bearer scheme to the description.
pub fn with_bearer(mut description: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    let components = description.components.get_or_insert_with(Default::default);
    components.add_security_scheme("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    description
}
