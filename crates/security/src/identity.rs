//! Who a device is, read from its certificate and from nowhere else.
//!
//! The chain was verified by the TLS stack before; this reads the one SAN URI
//! that names the organization and the device. A certificate that names two, or
//! none, names nobody.

use model::{DeviceId, IdError, OrgId, Timestamp};
use x509_parser::{certificate::X509Certificate, extensions::GeneralName, prelude::FromDer};

const URI_PREFIX: &str = "urn:wardline:";
const URI_INFIX: &str = ":device:";

/// A device that proved itself by a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceIdentity {
    /// Whose it is.
    pub org: OrgId,
    /// Which.
    pub device: DeviceId,
    /// The certificate's serial number, big-endian, without leading zeros.
    pub serial: Vec<u8>,
    /// The last instant at which the certificate is valid.
    pub not_after: Timestamp,
}

/// Why a certificate names no device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum IdentityError {
    #[error("the certificate is not readable X.509")]
    Unreadable,
    #[error(
        "the certificate names no device; one SAN URI `urn:wardline:<org>:device:<device>` was expected"
    )]
    NoDevice,
    #[error("the certificate names {found_count} devices, one was expected")]
    MoreThanOne { found_count: usize },
    #[error("the certificate's SAN URI names no device")]
    Id(#[source] IdError),
}

/// The URI that stands in the certificate of a device.
pub(crate) fn device_uri(org: OrgId, device: DeviceId) -> String {
    format!("{URI_PREFIX}{org}{URI_INFIX}{device}")
}

// RC-038
/// Reads the identity out of a DER certificate whose chain was verified.
pub fn from_certificate(der: &[u8]) -> Result<DeviceIdentity, IdentityError> {
    let (rest, certificate) =
        X509Certificate::from_der(der).map_err(|_| IdentityError::Unreadable)?;
    if !rest.is_empty() {
        return Err(IdentityError::Unreadable);
    }
    let names = certificate.subject_alternative_name().map_err(|_| IdentityError::Unreadable)?;
    let names = names.map(|found| &found.value.general_names[..]).unwrap_or_default();
    let uris: Vec<&str> = names
        .iter()
        .filter_map(|name| match name {
            GeneralName::URI(uri) => uri.strip_prefix(URI_PREFIX),
            _ => None,
        })
        .collect();
    let [uri] = uris[..] else {
        let found_count = uris.len();
        return Err(if found_count == 0 {
            IdentityError::NoDevice
        } else {
            IdentityError::MoreThanOne { found_count }
        });
    };
    let (org, device) = uri.split_once(URI_INFIX).ok_or(IdentityError::NoDevice)?;
    let not_after = certificate.validity().not_after.timestamp();
    Ok(DeviceIdentity {
        org: org.parse().map_err(IdentityError::Id)?,
        device: device.parse().map_err(IdentityError::Id)?,
        serial: normal_serial(certificate.raw_serial()).to_vec(),
        not_after: Timestamp::from_unix_nanos(not_after.saturating_mul(1_000_000_000)),
    })
}

/// How much of a subject is shown: whoever wrote it may have written a book.
const SUBJECT_SHOWN_MAX: usize = 200;

/// What stands in a certificate that nobody vouches for: to show to people, and never to
/// let anybody in by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// The serial number, big-endian, without leading zeros.
    pub serial: Vec<u8>,
    /// The first instant at which it is valid.
    pub not_before: Timestamp,
    /// The last instant at which it is valid.
    pub not_after: Timestamp,
    /// The device that it claims to be.
    pub claims: Option<DeviceId>,
    /// Whom it says that it was issued to, such as `CN=bed 7`; at most 200 characters.
    pub subject: String,
}

impl CertificateFacts {
    /// Reads what can be read; `None` if the bytes are no certificate.
    pub fn read(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let validity = certificate.validity();
        let at = |second: i64| Timestamp::from_unix_nanos(second.saturating_mul(1_000_000_000));
        Some(Self {
            serial: normal_serial(certificate.raw_serial()).to_vec(),
            not_before: at(validity.not_before.timestamp()),
            not_after: at(validity.not_after.timestamp()),
            claims: from_certificate(der).ok().map(|identity| identity.device),
            subject: certificate.subject().to_string().chars().take(SUBJECT_SHOWN_MAX).collect(),
        })
    }
}

/// A serial number without the leading zeros that DER adds to some, so that one
/// number has one spelling in the revocation list.
pub fn normal_serial(serial: &[u8]) -> &[u8] {
    let zeros = serial.iter().take_while(|byte| **byte == 0).count();
    serial.get(zeros..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, SanType};
    use x509_parser::pem::parse_x509_pem;

    use super::*;
    use crate::{Authority, Keys};

    const NOW: Timestamp = Timestamp::from_unix_millis(1_763_000_000_123);

    fn ids() -> (OrgId, DeviceId) {
        (OrgId::v7(NOW, 10), DeviceId::v7(NOW, 42))
    }

    fn der(pem: &str) -> Vec<u8> {
        parse_x509_pem(pem.as_bytes()).unwrap().1.contents
    }

    /// A certificate that signs itself and carries these URIs.
    fn with_uris(uris: &[&str]) -> Vec<u8> {
        let mut params = CertificateParams::default();
        let san = |uri: &&str| SanType::URI((*uri).try_into().unwrap());
        params.subject_alt_names = uris.iter().map(san).collect();
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn an_issued_certificate_names_the_device_it_was_issued_to() {
        let (org, device) = ids();
        let (authority, _) = Authority::create(Keys::system(), org, NOW).unwrap();
        let valid_for = Duration::from_secs(86_400);
        let issued = authority.issue_device(org, device, NOW, valid_for).unwrap();
        let found = from_certificate(&der(&issued.certificate_pem)).unwrap();
        let (serial, not_after) = (issued.serial, issued.not_after);
        assert_eq!(found, DeviceIdentity { org, device, serial, not_after });
        assert_eq!(not_after, Timestamp::from_unix_millis(1_763_086_400_000));
    }

    #[test]
    fn a_certificate_that_does_not_name_one_device_names_nobody() {
        let (org, device) = ids();
        let uri = device_uri(org, device);
        let other = device_uri(org, DeviceId::v7(NOW, 43));
        let capitals = uri.to_uppercase().replace("URN:WARDLINE:", "urn:wardline:");
        let rows: [(&[&str], &str); 7] = [
            (
                &[],
                "the certificate names no device; one SAN URI `urn:wardline:<org>:device:<device>` was expected",
            ),
            (
                &["https://example.org/"],
                "the certificate names no device; one SAN URI `urn:wardline:<org>:device:<device>` was expected",
            ),
            (
                &["urn:wardline:nobody"],
                "the certificate names no device; one SAN URI `urn:wardline:<org>:device:<device>` was expected",
            ),
            (&[&uri, &other], "the certificate names 2 devices, one was expected"),
            (&[&uri, &uri], "the certificate names 2 devices, one was expected"),
            (&["urn:wardline:0:device:1"], "the certificate's SAN URI names no device"),
            (
                &[&capitals],
                "the certificate names no device; one SAN URI `urn:wardline:<org>:device:<device>` was expected",
            ),
        ];
        for (uris, message) in rows {
            let error = from_certificate(&with_uris(uris)).unwrap_err();
            assert_eq!(error.to_string(), message, "{uris:?}");
        }
        assert!(from_certificate(&with_uris(&[&uri, "https://example.org/"])).is_ok());
    }

    #[test]
    fn bytes_after_the_certificate_are_refused() {
        let (org, device) = ids();
        let mut der = with_uris(&[&device_uri(org, device)]);
        der.push(0);
        assert_eq!(from_certificate(&der), Err(IdentityError::Unreadable));
    }

    #[test]
    fn a_serial_has_one_spelling() {
        for (found, normal) in
            [(&[0, 0x80, 1][..], &[0x80, 1][..]), (&[1, 0], &[1, 0]), (&[0], &[])]
        {
            assert_eq!(normal_serial(found), normal);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6)) {
            let (org, device) = ids();
            let mut der = with_uris(&[&device_uri(org, device)]);
            for (at, byte) in flips {
                let at = at.index(der.len());
                der[at] = byte;
            }
            let _ = from_certificate(&der);
        }
    }
}
