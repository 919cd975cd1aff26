//! A signer whose key never leaves its token: a card, a USB device, an HSM, through its PKCS#11 library (OASIS PKCS#11 3.0).
//!
//! Invariant: a PIN that was refused is not tried again by itself ([`RefusedPin`]); a session that gave an error is not used
//! again. The library is code of somebody else in this process: it may hang ([`super::Patient`] bounds that) and it is loaded
//! only when a signature or the certificate is first needed.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error as Said, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, CertificateType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;

use super::cades::ecdsa_der;
use super::{AskSecret, Credential, RefusedPin, Signer};
use crate::error::{Code, Error, Result};
use crate::evidence::algorithm::DigestAlgorithm;
use crate::evidence::key::KeyAlgorithm;
use crate::evidence::x509::Certificate;

/// Objects of a token looked at: more is no signer's card.
const MAX_OBJECTS: usize = 64;

/// Where the key is.
#[derive(Debug, Clone)]
pub struct Place {
    /// The driver's library.
    pub module: PathBuf,
    /// The token's label, or the number of its slot.
    pub token: std::result::Result<String, u64>,
    /// CKA_LABEL of key and certificate.
    pub label: Option<String>,
    /// CKA_ID of key and certificate.
    pub id: Option<Vec<u8>>,
}

/// A key in a token.
pub struct Token {
    place: Place,
    /// From a file; else it is read from the token.
    certificate: Option<Certificate>,
    chain: Vec<Certificate>,
    pin: AskSecret,
    refused: RefusedPin,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    library: Option<Pkcs11>,
    session: Option<(Session, ObjectHandle)>,
    credential: Option<Arc<Credential>>,
}

impl Token {
    /// Nothing is asked of the token yet.
    pub fn new(
        place: Place,
        certificate: Option<Certificate>,
        chain: Vec<Certificate>,
        pin: AskSecret,
        refused: RefusedPin,
    ) -> Self {
        Self { place, certificate, chain, pin, refused, state: Mutex::default() }
    }

    fn failed(&self, code: Code, what: impl std::fmt::Display) -> Error {
        Error::new(code, what.to_string()).at(self.place.module.display())
    }

    fn down(&self, what: &str, said: &Said) -> Error {
        self.failed(Code::SignerDown, format!("{what}: {said}"))
    }

    /// The library, loaded and initialised once.
    fn library<'s>(&self, state: &'s mut State) -> Result<&'s Pkcs11> {
        if state.library.is_none() {
            let library = Pkcs11::new(&self.place.module).map_err(|e| self.down("the library does not load", &e))?;
            match library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
                Ok(()) | Err(Said::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
                Err(error) => return Err(self.down("the library does not start", &error)),
            }
            state.library = Some(library);
        }
        state.library.as_ref().ok_or_else(|| self.failed(Code::Internal, "no library"))
    }

    fn slot(&self, library: &Pkcs11) -> Result<Slot> {
        let slots = library.get_slots_with_token().map_err(|e| self.down("no list of tokens", &e))?;
        let wanted = |slot: &Slot| match &self.place.token {
            Err(number) => slot.id() == *number,
            Ok(label) => library.get_token_info(*slot).is_ok_and(|info| info.label().trim_end() == label.trim_end()),
        };
        let mut found = slots.into_iter().filter(wanted);
        let missing = || match &self.place.token {
            Ok(label) => self.failed(Code::SignerDown, format!("no token with the label `{label}` is there")),
            Err(number) => self.failed(Code::SignerDown, format!("no token in slot {number}")),
        };
        let slot = found.next().ok_or_else(missing)?;
        if found.next().is_some() {
            return Err(self.failed(Code::SignerDown, "two tokens have that label: name the slot"));
        }
        Ok(slot)
    }

    fn template(&self, class: ObjectClass) -> Vec<Attribute> {
        let mut template = vec![Attribute::Class(class), Attribute::Token(true)];
        if let Some(label) = &self.place.label {
            template.push(Attribute::Label(label.clone().into_bytes()));
        }
        if let Some(id) = &self.place.id {
            template.push(Attribute::Id(id.clone()));
        }
        template
    }

    fn one(&self, session: &Session, class: ObjectClass, what: &str) -> Result<ObjectHandle> {
        let found = session.find_objects(&self.template(class)).map_err(|e| self.down(what, &e))?;
        match found[..] {
            [one] => Ok(one),
            [] => Err(self.failed(Code::SignerKey, format!("the token holds no such {what}"))),
            _ => Err(self.failed(Code::SignerKey, format!("several {what}s: name one by key_label or key_id"))),
        }
    }

    /// A session in which the user is logged in, and the key.
    fn session<'s>(&self, state: &'s mut State) -> Result<&'s (Session, ObjectHandle)> {
        if state.session.is_none() {
            let library = self.library(state)?;
            let slot = self.slot(library)?;
            let session = library.open_ro_session(slot).map_err(|e| self.down("no session", &e))?;
            let pin = (self.pin)()
                .map_err(|e| self.failed(Code::SignerDown, format!("the PIN: {}: {}", e.code.as_str(), e.detail)))?;
            self.log_in(&session, &pin)?;
            let key = self.one(&session, ObjectClass::PRIVATE_KEY, "key")?;
            state.session = Some((session, key));
        }
        state.session.as_ref().ok_or_else(|| self.failed(Code::Internal, "no session"))
    }

    fn log_in(&self, session: &Session, pin: &str) -> Result<()> {
        self.refused
            .may_try(pin)
            .map_err(|e| if e.place.is_empty() { e.at(self.place.module.display()) } else { e })?;
        match session.login(UserType::User, Some(&AuthPin::from(pin.to_owned()))) {
            Ok(()) | Err(Said::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => self.refused.accepted(),
            Err(Said::Pkcs11(RvError::PinIncorrect | RvError::PinLenRange | RvError::PinInvalid, _)) => {
                // Kept before anything else can happen: a stop here must not cost a second attempt.
                self.refused.refused(pin)?;
                Err(self.failed(Code::SignerPin, "the token refuses the PIN; it will not be tried again"))
            }
            Err(Said::Pkcs11(RvError::PinLocked, _)) => {
                Err(self.failed(Code::SignerPin, "the token is locked: it takes no PIN until it is unlocked"))
            }
            Err(Said::Pkcs11(RvError::PinExpired, _)) => Err(self.failed(Code::SignerPin, "the PIN has expired")),
            Err(error) => Err(self.down("nobody is logged in", &error)),
        }
    }

    /// The certificate in the token: a public object, for which nobody logs in.
    fn read_certificate(&self, state: &mut State) -> Result<(Certificate, Vec<Certificate>)> {
        let library = self.library(state)?;
        let slot = self.slot(library)?;
        let session = library.open_ro_session(slot).map_err(|e| self.down("no session", &e))?;
        let read = |object| -> Result<Option<Certificate>> {
            let found = session.get_attributes(object, &[AttributeType::Value]);
            let found = found.map_err(|e| self.down("the certificate cannot be read", &e))?;
            Ok(found.into_iter().find_map(|attribute| match attribute {
                Attribute::Value(der) => Certificate::parse(&der).ok(),
                _ => None,
            }))
        };
        let own = read(self.one(&session, ObjectClass::CERTIFICATE, "certificate")?)?;
        let own = own.ok_or_else(|| self.failed(Code::SignerKey, "the certificate in the token is not readable"))?;
        let all = [Attribute::Class(ObjectClass::CERTIFICATE), Attribute::CertificateType(CertificateType::X_509)];
        let others = session.find_objects(&all).map_err(|e| self.down("certificates", &e))?;
        let others: Result<Vec<_>> = others.into_iter().take(MAX_OBJECTS).map(read).collect();
        // Authorities' only: the same person may hold other certificates of signature.
        let authority =
            |c: &Certificate| c.basic_constraints().ok().flatten().is_some_and(|constraints| constraints.ca);
        Ok((own, others?.into_iter().flatten().filter(authority).collect()))
    }
}

impl Signer for Token {
    fn credential(&self) -> Result<Arc<Credential>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &state.credential {
            return Ok(Arc::clone(known));
        }
        let (certificate, chain) = match &self.certificate {
            Some(certificate) => (certificate.clone(), Vec::new()),
            None => self.read_certificate(&mut state)?,
        };
        let credential = Arc::new(Credential::new(certificate, &[&chain[..], &self.chain[..]].concat())?);
        state.credential = Some(Arc::clone(&credential));
        Ok(credential)
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        let algorithm = self.credential()?.algorithm;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (session, key) = self.session(&mut state)?;
        let signed = match algorithm {
            KeyAlgorithm::Rsa => session.sign(&Mechanism::Sha256RsaPkcs, *key, message),
            // The digest is made here: many tokens know plain ECDSA only.
            KeyAlgorithm::P256 => session.sign(&Mechanism::Ecdsa, *key, &DigestAlgorithm::Sha256.of(message)),
        };
        match signed {
            Ok(value) if algorithm == KeyAlgorithm::P256 => ecdsa_der(&value),
            Ok(value) => Ok(value),
            Err(error) => {
                state.session = None;
                Err(self.down("it does not sign", &error))
            }
        }
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("place", &self.place).finish_non_exhaustive()
    }
}
