//! A device that was turned away, on a screen.

use serde::Serialize;
use utoipa::ToSchema;

use super::bed::Named;

/// All refusals of one sender for one reason.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Refusal {
    /// The device, if it is registered here.
    pub(crate) device: Option<RefusedDevice>,
    /// The number that the certificate names, registered or not.
    pub(crate) named: Option<String>,
    /// Whether the sender proved to be that device; a certificate that was not taken proves nothing.
    pub(crate) is_proved: bool,
    /// Whether its messages are kept all the same.
    pub(crate) is_kept: bool,
    /// The bed of the patient whom the device is on; not for those who look after machines.
    pub(crate) bed: Option<Named>,
    /// In hexadecimal digits.
    pub(crate) certificate_serial: Option<String>,
    /// SHA-256 of the certificate that was not taken, in hexadecimal digits.
    pub(crate) fingerprint: Option<String>,
    /// Whom that certificate says that it was issued to; a claim and no proof.
    pub(crate) subject: Option<String>,
    /// Where it spoke from last.
    pub(crate) remote: Option<String>,
    /// A short stable word, such as `tls:expired`.
    pub(crate) reason: String,
    /// What was found.
    pub(crate) words: String,
    /// What a person does about it.
    pub(crate) remedy: String,
    pub(crate) count: u64,
    pub(crate) first_at: String,
    pub(crate) last_at: String,
    /// Serial numbers and fingerprints of all certificates that the device was issued.
    #[serde(skip)]
    pub(crate) papers: Vec<String>,
}

/// A registered device that was turned away.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RefusedDevice {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) serial: String,
}

impl Refusal {
    /// Whether it is about this device.
    pub(crate) fn is_of(&self, device: &str) -> bool {
        self.named.as_deref() == Some(device)
    }

    /// Everything that a search looks at, in small letters.
    pub(crate) fn text(&self) -> String {
        let device = self.device.as_ref();
        let bed = self.bed.as_ref().map(|bed| format!("bed {}", bed.name));
        let parts = [
            device.map(|device| device.name.as_str()),
            device.map(|device| device.serial.as_str()),
            self.named.as_deref(),
            bed.as_deref(),
            self.certificate_serial.as_deref(),
            self.fingerprint.as_deref(),
            self.subject.as_deref(),
            self.remote.as_deref(),
            Some(self.reason.as_str()),
            Some(self.words.as_str()),
        ];
        let papers = self.papers.iter().map(String::as_str);
        parts.into_iter().flatten().chain(papers).collect::<Vec<_>>().join("\n").to_lowercase()
    }
}

/// What somebody searches for, as [`Refusal::text`] spells it: numbers of certificates are
/// taken as other programs print them, such as `sha256 Fingerprint=0A:1B…` or `serial=0A1B`.
pub(crate) fn searched(given: &str) -> String {
    let given = given.trim().to_lowercase();
    let named = given.split_once('=').filter(|(name, _)| {
        let name = name.trim();
        name.ends_with("fingerprint") || matches!(name, "serial" | "serialnumber" | "subject")
    });
    let value = named.map_or(given.as_str(), |(_, value)| value.trim());
    let digits: String = value.chars().filter(|it| !matches!(it, ':' | ' ' | '-')).collect();
    let pairs = value.split([':', ' ', '-']);
    let is_bytes = pairs.clone().count() > 1 && pairs.into_iter().all(|pair| pair.len() == 2);
    if is_bytes && digits.chars().all(|it| it.is_ascii_hexdigit()) {
        digits
    } else {
        value.replace(" = ", "=")
    }
}

#[test]
fn numbers_of_certificates_are_searched_for_however_they_are_printed() {
    let rows = [
        ("", ""),
        (" Bed 01 ", "bed 01"),
        ("sha256 Fingerprint=0A:1B:ff", "0a1bff"),
        ("0A:1B", "0a1b"),
        ("0a 1b ff", "0a1bff"),
        ("0A1BFF", "0a1bff"),
        ("serial=0A1BFF", "0a1bff"),
        ("subject=CN = Monitor Bed 7", "cn=monitor bed 7"),
        // Neither an address nor a device's number becomes another text.
        ("10.0.0.7:50000", "10.0.0.7:50000"),
        ("fe80::7", "fe80::7"),
        ("0192f0c1-2b3a-7c4d-8e5f-00000000000a", "0192f0c1-2b3a-7c4d-8e5f-00000000000a"),
        ("M-7", "m-7"),
    ];
    for (given, want) in rows {
        assert_eq!(searched(given), want, "{given}");
    }
}
