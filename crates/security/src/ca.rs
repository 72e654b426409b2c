//! The site's own certificate authority: one root, short leaves, ECDSA P-256.
//!
//! A device certificate says who the device is in its SAN URI and may only open
//! connections; a server certificate may only answer them. Neither can sign.

use std::{net::IpAddr, time::Duration};

use model::{DeviceId, OrgId, Redacted, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData, SanType, SerialNumber, date_time_ymd,
};
use x509_parser::{certificate::X509Certificate, pem::parse_x509_pem};

use crate::{Keys, KeysError, identity::device_uri, sha256};

/// How long a new authority is valid.
const AUTHORITY_VALID_FOR: Duration = Duration::from_secs(20 * 365 * 86_400);
/// How far a new certificate reaches back, for peers whose clock is behind.
const BACKDATED_BY: Duration = Duration::from_secs(3_600);

/// A certificate authority with its key.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate_pem: String,
    keys: Keys,
}

/// What has to be kept to [`Authority::load`] an authority again.
#[derive(Clone, Debug)]
pub struct AuthorityPem {
    /// The root certificate; devices and servers trust it.
    pub certificate_pem: String,
    /// The root key, PKCS #8; whoever has it is every device.
    pub key_pem: Redacted<String>,
}

/// A new certificate and its key.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The leaf certificate.
    pub certificate_pem: String,
    /// Its private key, PKCS #8; shown once, never stored by the server.
    pub key_pem: Redacted<String>,
    /// The serial number, big-endian, without leading zeros.
    pub serial: Vec<u8>,
    /// The first instant at which it is valid, whole seconds.
    pub not_before: Timestamp,
    /// The last instant at which it is valid, whole seconds.
    pub not_after: Timestamp,
    /// SHA-256 of the certificate.
    pub fingerprint: [u8; 32],
}

/// Why there is no authority or no certificate.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum CaError {
    #[error("no key could be made")]
    Keys(#[source] KeysError),
    #[error("the authority's certificate is not a readable PEM certificate")]
    CertificateUnreadable,
    #[error("the authority's key is not a readable PKCS #8 key")]
    KeyUnreadable,
    #[error("the authority's key does not belong to its certificate")]
    KeyOfAnother,
    #[error("the certificate is of a server or a device, and cannot sign others")]
    NotAnAuthority,
    #[error("`{0}` is not a name or an address that a certificate can carry")]
    Name(String),
    #[error("the certificate could not be signed")]
    Signing(#[source] rcgen::Error),
}

impl Authority {
    /// A new root for an organization, valid for twenty years from `now`.
    pub fn create(keys: Keys, org: OrgId, now: Timestamp) -> Result<(Self, AuthorityPem), CaError> {
        let key = keys.pair().map_err(CaError::Keys)?;
        let mut params = leaf(keys, now, AUTHORITY_VALID_FOR)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, format!("Wardline {org}"));
        let certificate_pem = params.self_signed(&key).map_err(CaError::Signing)?.pem();
        let key_pem = Redacted(key.serialize_pem());
        let issuer = Issuer::new(params, key);
        let pem = AuthorityPem { certificate_pem: certificate_pem.clone(), key_pem };
        Ok((Self { issuer, certificate_pem, keys }, pem))
    }

    /// Takes an authority that was kept; its key must belong to its certificate.
    pub fn load(certificate_pem: &str, key_pem: &str) -> Result<Self, CaError> {
        let key = KeyPair::from_pem(key_pem).map_err(|_| CaError::KeyUnreadable)?;
        let (_, pem) = parse_x509_pem(certificate_pem.as_bytes())
            .map_err(|_| CaError::CertificateUnreadable)?;
        let certificate = pem.parse_x509().map_err(|_| CaError::CertificateUnreadable)?;
        if !may_sign(&certificate) {
            return Err(CaError::NotAnAuthority);
        }
        if certificate.public_key().raw != key.subject_public_key_info() {
            return Err(CaError::KeyOfAnother);
        }
        let issuer = Issuer::from_ca_cert_pem(certificate_pem, key)
            .map_err(|_| CaError::CertificateUnreadable)?;
        Ok(Self { issuer, certificate_pem: certificate_pem.to_owned(), keys: Keys::system() })
    }

    /// The root certificate, for whoever has to trust it.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// A certificate with which a device may open connections as itself.
    pub fn issue_device(
        &self,
        org: OrgId,
        device: DeviceId,
        now: Timestamp,
        valid_for: Duration,
    ) -> Result<Issued, CaError> {
        let mut params = leaf(self.keys, now, valid_for)?;
        params.distinguished_name.push(DnType::CommonName, device.to_string());
        params.subject_alt_names = vec![uri(&device_uri(org, device))?];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params)
    }

    /// A certificate with which a server may answer under `names`, DNS names and addresses.
    pub fn issue_server(
        &self,
        names: &[String],
        now: Timestamp,
        valid_for: Duration,
    ) -> Result<Issued, CaError> {
        let mut params = leaf(self.keys, now, valid_for)?;
        let first = names.first().ok_or_else(|| CaError::Name(String::new()))?;
        params.distinguished_name.push(DnType::CommonName, first.as_str());
        params.subject_alt_names = names
            .iter()
            .map(|name| match name.parse::<IpAddr>() {
                Ok(address) => Ok(SanType::IpAddress(address)),
                Err(_) => dns(name),
            })
            .collect::<Result<_, _>>()?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(params)
    }

    fn sign(&self, mut params: CertificateParams) -> Result<Issued, CaError> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        let key = self.keys.pair().map_err(CaError::Keys)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(CaError::Signing)?;
        let seconds = |at: i64| Timestamp::from_unix_nanos(at.saturating_mul(1_000_000_000));
        Ok(Issued {
            certificate_pem: certificate.pem(),
            key_pem: Redacted(key.serialize_pem()),
            serial: params.serial_number.map(|serial| serial.to_bytes()).unwrap_or_default(),
            not_before: seconds(params.not_before.unix_timestamp()),
            not_after: seconds(params.not_after.unix_timestamp()),
            fingerprint: sha256(certificate.der()),
        })
    }
}

/// What every certificate has: a serial number and the days it is good for.
fn leaf(keys: Keys, now: Timestamp, valid_for: Duration) -> Result<CertificateParams, CaError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    let since_1970 = |at: Timestamp| {
        let seconds = u64::try_from(at.unix_nanos().div_euclid(1_000_000_000)).unwrap_or(0);
        date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds)
    };
    params.not_before = since_1970(now.before(BACKDATED_BY));
    params.not_after = since_1970(now.after(valid_for));
    let serial = keys.serial().map_err(CaError::Keys)?;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    Ok(params)
}

fn uri(text: &str) -> Result<SanType, CaError> {
    text.try_into().map(SanType::URI).map_err(|_| CaError::Name(text.to_owned()))
}

fn dns(name: &str) -> Result<SanType, CaError> {
    let refusal = || CaError::Name(name.to_owned());
    let sound = !name.is_empty()
        && name.len() <= 253
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.*".contains(&byte));
    if !sound {
        return Err(refusal());
    }
    name.try_into().map(SanType::DnsName).map_err(|_| refusal())
}

fn may_sign(certificate: &X509Certificate<'_>) -> bool {
    matches!(certificate.basic_constraints(), Ok(Some(found)) if found.value.ca)
}

#[cfg(test)]
mod tests;
