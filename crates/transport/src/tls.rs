//! TLS 1.3 for both sides: who is trusted, who is revoked, and why a handshake failed.
//!
//! No session is stored and no ticket is given out, so a resumed handshake cannot
//! outlive a revocation and an idle connection costs little. Certificates are
//! judged by the one clock of the process.

use std::{
    collections::HashSet,
    io,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName,
    Error, RootCertStore, ServerConfig, SignatureScheme,
    client::{Resumption, danger::HandshakeSignatureValid},
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject},
    server::{
        NoServerSessionStorage, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    time_provider::TimeProvider,
    version::TLS13,
};
use security::{CertificateFacts, DeviceIdentity, from_certificate, normal_serial, sha256};
use store::Clock;

use crate::{Presented, RefusedWhy};

/// The serial numbers of revoked certificates; all clones are one list.
#[derive(Clone, Debug, Default)]
pub struct Revocations(Arc<RwLock<HashSet<Vec<u8>>>>);

impl Revocations {
    /// The list of what is revoked so far.
    pub fn new(serials: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let list = Self::default();
        serials.into_iter().for_each(|serial| list.revoke(&serial));
        list
    }

    /// Revokes a certificate for every later handshake; whoever is connected stays until
    /// [`crate::mqtt::MqttHandle::disconnect`].
    pub fn revoke(&self, serial: &[u8]) {
        let mut list = self.0.write().unwrap_or_else(PoisonError::into_inner);
        list.insert(normal_serial(serial).to_vec());
    }

    /// Whether the certificate with this serial number is revoked.
    pub fn is_revoked(&self, serial: &[u8]) -> bool {
        let list = self.0.read().unwrap_or_else(PoisonError::into_inner);
        list.contains(normal_serial(serial))
    }
}

/// Whether a server asks its clients for certificates.
#[derive(Clone, Debug)]
pub enum ClientAuth {
    /// People's browsers have none.
    None,
    /// One from this authority is judged if it is there.
    Offered {
        /// The authority's certificates, PEM.
        ca_pem: String,
        /// What is revoked.
        revocations: Revocations,
    },
    /// No connection without one from this authority.
    Required {
        /// The authority's certificates, PEM.
        ca_pem: String,
        /// What is revoked.
        revocations: Revocations,
    },
}

/// Why there is no TLS configuration.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum TlsError {
    #[error("the certificate is not readable PEM")]
    Certificate,
    #[error("the private key is not readable PEM")]
    Key,
    #[error("the authority's certificate cannot be trusted")]
    Authority,
    #[error("the certificate and its key do not make a TLS configuration")]
    Config(#[source] Error),
}

/// Makes the one crypto provider the process's default, for libraries that ask for it.
pub fn install_provider() {
    // Whoever was first installed the same one.
    let _ = aws_lc_rs::default_provider().install_default();
}

// RC-039
/// TLS 1.3 for a listener; `certificate_pem` may hold a chain, the leaf first.
pub fn server_config(
    certificate_pem: &str,
    key_pem: &str,
    clients: &ClientAuth,
    clock: &Clock,
) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_details(provider.clone(), time(clock))
        .with_protocol_versions(&[&TLS13])
        .map_err(TlsError::Config)?;
    let builder = match clients {
        ClientAuth::None => builder.with_no_client_auth(),
        ClientAuth::Offered { ca_pem, revocations } => {
            builder.with_client_cert_verifier(judge(ca_pem, revocations, provider, false)?)
        }
        ClientAuth::Required { ca_pem, revocations } => {
            builder.with_client_cert_verifier(judge(ca_pem, revocations, provider, true)?)
        }
    };
    let mut config = builder
        .with_single_cert(chain(certificate_pem)?, key(key_pem)?)
        .map_err(TlsError::Config)?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// TLS 1.3 for a client that trusts `ca_pem`; `own` is its certificate and key, PEM.
pub fn client_config(
    ca_pem: &str,
    own: Option<(&str, &str)>,
    clock: &Clock,
) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_details(provider, time(clock))
        .with_protocol_versions(&[&TLS13])
        .map_err(TlsError::Config)?
        .with_root_certificates(roots(ca_pem)?);
    let mut config = match own {
        None => builder.with_no_client_auth(),
        Some((certificate_pem, key_pem)) => builder
            .with_client_auth_cert(chain(certificate_pem)?, key(key_pem)?)
            .map_err(TlsError::Config)?,
    };
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// The device that a verified chain names, if one does.
pub fn device_of(chain: Option<&[CertificateDer<'_>]>) -> Option<DeviceIdentity> {
    chain.and_then(|chain| chain.first()).and_then(|leaf| from_certificate(leaf).ok())
}

/// The word for a handshake that failed.
pub fn why_failed(error: &io::Error) -> RefusedWhy {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match inner {
        Some(Error::NoCertificatesPresented) => RefusedWhy::NoCertificate,
        Some(Error::InvalidCertificate(reason)) => match reason {
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => RefusedWhy::Expired,
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                RefusedWhy::ForeignAuthority
            }
            CertificateError::Revoked => RefusedWhy::Revoked,
            _ => RefusedWhy::BadCertificate,
        },
        Some(Error::AlertReceived(
            AlertDescription::CertificateExpired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateRevoked,
        )) => RefusedWhy::RefusedUs,
        _ => RefusedWhy::NotTls,
    }
}

fn chain(pem: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain = CertificateDer::pem_slice_iter(pem.as_bytes());
    let chain: Vec<_> = chain.collect::<Result<_, _>>().map_err(|_| TlsError::Certificate)?;
    if chain.is_empty() { Err(TlsError::Certificate) } else { Ok(chain) }
}

fn key(pem: &str) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| TlsError::Key)
}

fn roots(ca_pem: &str) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in chain(ca_pem).map_err(|_| TlsError::Authority)? {
        roots.add(certificate).map_err(|_| TlsError::Authority)?;
    }
    Ok(roots)
}

fn judge(
    ca_pem: &str,
    revocations: &Revocations,
    provider: Arc<CryptoProvider>,
    required: bool,
) -> Result<Arc<Judge>, TlsError> {
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(ca_pem)?), provider);
    let builder = if required { builder } else { builder.allow_unauthenticated() };
    let chain = builder.build().map_err(|_| TlsError::Authority)?;
    Ok(Arc::new(Judge { chain, revocations: revocations.clone() }))
}

/// The chain's verifier, then the identity and the revocation list.
#[derive(Debug)]
struct Judge {
    chain: Arc<dyn ClientCertVerifier>,
    revocations: Revocations,
}

impl Judge {
    fn judge(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.chain.verify_client_cert(end_entity, intermediates, now)?;
        let identity = from_certificate(end_entity)
            .map_err(|_| CertificateError::ApplicationVerificationFailure)?;
        if self.revocations.is_revoked(&identity.serial) {
            return Err(CertificateError::Revoked.into());
        }
        Ok(verified)
    }
}

tokio::task_local! {
    /// Where the verifier, which all handshakes share, leaves what it did not take.
    static SHOWN: Arc<Mutex<Option<Box<Presented>>>>;
}

/// Keeps the certificate that one handshake failed with; TLS itself only says that it did.
#[derive(Clone, Debug, Default)]
pub struct Shown(Arc<Mutex<Option<Box<Presented>>>>);

impl Shown {
    /// Runs a handshake whose rejected certificate is kept here.
    pub fn watch<F: Future>(&self, handshake: F) -> impl Future<Output = F::Output> {
        SHOWN.scope(Arc::clone(&self.0), handshake)
    }

    /// The certificate that was not taken, if that was the reason.
    pub fn take(&self) -> Option<Box<Presented>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn note(end_entity: &CertificateDer<'_>) {
        let presented = Presented {
            facts: CertificateFacts::read(end_entity),
            fingerprint: sha256(end_entity),
        };
        // Outside of a watched handshake nobody asks for it.
        let _ = SHOWN.try_with(|shown| {
            *shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(presented));
        });
    }
}

impl ClientCertVerifier for Judge {
    fn offer_client_auth(&self) -> bool {
        self.chain.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.chain.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let judged = self.judge(end_entity, intermediates, now);
        if judged.is_err() {
            Shown::note(end_entity);
        }
        judged
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

/// The process's clock as the TLS stack asks for it.
#[derive(Debug)]
struct OurTime(Clock);

impl TimeProvider for OurTime {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.now().unix_nanos().div_euclid(1_000_000_000)).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

fn time(clock: &Clock) -> Arc<dyn TimeProvider> {
    Arc::new(OurTime(clock.clone()))
}
