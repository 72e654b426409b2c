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
    /// SHA-256 of the certificate, in hexadecimal digits.
    pub(crate) fingerprint: Option<String>,
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
            self.remote.as_deref(),
            Some(self.reason.as_str()),
            Some(self.words.as_str()),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join("\n").to_lowercase()
    }
}
