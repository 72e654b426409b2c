//! Devices, their certificates and dead letters on a screen.

use engine::Directory;
use model::{Subject, Timestamp};
use protocols::profile;
use security::hex;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    bed::Named,
    report::DeviceReport,
    words::{Spelt as _, time},
};

/// A registered device.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Device {
    pub(crate) id: String,
    profile: String,
    /// What people call devices of this profile.
    profile_title: String,
    /// `medical` or `wellness`; null for a profile that is no longer known.
    grade: Option<&'static str>,
    /// Silence for longer than this, in seconds, is a technical alarm.
    silence_after_s: Option<u64>,
    serial: String,
    label: String,
    /// `ordered`, `provisioned`, `in_service`, `quarantined` or `retired`.
    lifecycle: &'static str,
    site_id: String,
    care_unit: Option<Named>,
    patient: Option<Named>,
    /// Whether it is on somebody who left every bed; what it measures is theirs until it is
    /// taken off.
    patient_left: bool,
    bed: Option<Named>,
    /// The place that it stands in, if it is on no patient.
    place: Option<Named>,
    /// The gateway that speaks for it.
    gateway: Option<Named>,
    /// How many devices it speaks for.
    speaks_for: usize,
    /// The states that it can be moved to.
    next_states: Vec<&'static str>,
    /// Whether it is connected by MQTT, or spoke by HTTPS within `silence_after_s`.
    connected: bool,
    /// `mqtt` or `https`: how it is connected, or reached us last; null if it never did by
    /// itself.
    door: Option<String>,
    /// Address and port that it spoke from last.
    last_address: Option<String>,
    /// When its newest sample of the last day reached us, or since when it is connected.
    last_heard_at: Option<String>,
    battery_percent: Option<f64>,
    certificates: Vec<Certificate>,
    /// What it says about itself, if it ever did.
    report: Option<DeviceReport>,
    /// What its topics begin with.
    topic_prefix: String,
}

/// A certificate of a device.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Certificate {
    id: String,
    serial: String,
    not_before: String,
    not_after: String,
    revoked_at: Option<String>,
    /// SHA-256 of it, in hexadecimal digits; null for one of an older release.
    fingerprint: Option<String>,
}

impl Device {
    /// The device as known now.
    pub(crate) fn of(
        it: &model::Device,
        directory: &Directory,
        profile: Option<&profile::Profile>,
        door: Option<Spoken>,
    ) -> Self {
        let patient = match directory.subject_of(it.id) {
            Subject::Patient(patient) => directory.patients.get(&patient),
            Subject::Place(_) | Subject::Nobody => None,
        };
        let bed = patient.and_then(|it| directory.beds.get(&directory.bed_of(it.id)?));
        let gateway = directory.gateway_of(it.id).and_then(|id| directory.devices.get(&id));
        let unit = it.care_unit.and_then(|unit| directory.care_units.get(&unit));
        let named = |id: String, name: String| Named { id, name };
        let certificate = |it: &model::Certificate| Certificate {
            id: it.id.to_string(),
            serial: hex(&it.serial),
            fingerprint: it.fingerprint.as_ref().map(|bytes| hex(bytes)),
            not_before: time(it.not_before),
            not_after: time(it.not_after),
            revoked_at: it.revoked_at.map(time),
        };
        Self {
            id: it.id.to_string(),
            profile: it.profile.clone(),
            profile_title: profile.map_or_else(|| it.profile.clone(), |known| known.words.clone()),
            grade: profile.map(|known| match known.grade {
                profile::Grade::Medical => "medical",
                profile::Grade::Wellness => "wellness",
            }),
            silence_after_s: profile.map(|known| known.silence_after.as_secs()),
            serial: it.serial.clone(),
            label: it.label.clone(),
            lifecycle: it.lifecycle.word(),
            site_id: it.site.to_string(),
            care_unit: unit.map(|unit| named(unit.id.to_string(), unit.name.clone())),
            patient: patient.map(|it| {
                named(it.id.to_string(), format!("{} {}", it.given_name.0, it.family_name.0))
            }),
            patient_left: directory.left_wearing(it.id).is_some(),
            bed: bed.map(|bed| named(bed.id.to_string(), bed.name.clone())),
            place: crate::rest::devices::place_of(directory, directory.subject_of(it.id)),
            gateway: gateway.map(|it| named(it.id.to_string(), it.label.clone())),
            speaks_for: directory.bound_to(it.id).count(),
            next_states: fleet::lifecycle::next(it.lifecycle)
                .iter()
                .map(|state| state.word())
                .collect(),
            connected: door.as_ref().is_some_and(|door| door.is_connected),
            last_address: door.as_ref().map(|door| door.remote.clone()),
            door: door.map(|door| door.word),
            last_heard_at: None,
            battery_percent: None,
            certificates: directory.certificates_of(it.id).map(certificate).collect(),
            report: None,
            topic_prefix: format!("wl/1/{}/{}/up", it.site, it.id),
        }
    }

    /// With what it said last.
    pub(crate) fn with_last_words(
        mut self,
        at: Option<Timestamp>,
        battery_percent: Option<f64>,
    ) -> Self {
        self.last_heard_at = at.map(time);
        self.battery_percent = battery_percent;
        self
    }

    /// With what it says about itself.
    pub(crate) fn with_report(mut self, report: Option<DeviceReport>) -> Self {
        self.report = report;
        self
    }

    /// Without the patient, for those who manage devices and not patients.
    pub(crate) fn without_patient(mut self) -> Self {
        self.patient =
            self.patient.map(|_| Named { id: String::new(), name: "on a patient".to_owned() });
        self.bed = None;
        self.report = self.report.map(DeviceReport::without_words);
        self
    }
}

/// A device to be added.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDevice {
    /// The name of a profile.
    pub(crate) profile: String,
    pub(crate) serial: String,
    pub(crate) label: String,
    /// The care unit whose partition takes its messages.
    pub(crate) care_unit: Option<String>,
    /// Needed only without a care unit.
    pub(crate) site: Option<String>,
    /// Only ordered: it is not here yet, and may not speak before it is claimed or provisioned.
    #[serde(default)]
    pub(crate) ordered: bool,
}

/// Where a device stands in its life.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetLifecycle {
    /// `ordered`, `provisioned`, `in_service`, `quarantined` or `retired`.
    pub(crate) state: String,
    /// The reason; needed to quarantine or to retire.
    pub(crate) why: Option<String>,
}

/// How a device is connected, or spoke last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spoken {
    /// `mqtt` or `https`.
    pub(crate) word: String,
    /// Address and port that it spoke from.
    pub(crate) remote: String,
    pub(crate) is_connected: bool,
    /// Since when it is connected, or when it spoke.
    pub(crate) at: Timestamp,
}

/// A new certificate with its key, which is shown once and not kept.
#[derive(Clone, Serialize, ToSchema)]
pub struct IssuedCertificate {
    pub(crate) id: String,
    pub(crate) certificate_pem: String,
    pub(crate) key_pem: String,
    pub(crate) ca_pem: String,
    pub(crate) not_after: String,
    /// SHA-256 of the certificate, in hexadecimal digits.
    pub(crate) fingerprint: String,
    pub(crate) mqtt: MqttAddress,
    pub(crate) https: HttpsAddress,
}

/// Where and as whom a device speaks MQTT.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MqttAddress {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) client_id: String,
    /// What its topics begin with.
    pub(crate) topic_prefix: String,
}

/// Where a device speaks HTTPS; who it is, its certificate says.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HttpsAddress {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// What its addresses begin with, such as `https://ward.example:8444`.
    pub(crate) url: String,
}

/// A device profile.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Profile {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) channels: Vec<String>,
}

/// A message that could not be taken in.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeadLetter {
    pub(crate) id: String,
    pub(crate) at: String,
    pub(crate) device: Option<String>,
    /// What people call the device.
    pub(crate) device_label: Option<String>,
    pub(crate) door: String,
    pub(crate) topic: String,
    pub(crate) content_type: Option<String>,
    /// A short stable word.
    pub(crate) reason: String,
    /// What was found and what would have been accepted.
    pub(crate) detail: String,
    /// Length of the message, in bytes.
    pub(crate) size: usize,
    /// The times that it went through the door again, the latest first.
    pub(crate) replays: Vec<Replay>,
    /// Base64; only where one letter is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) payload: Option<String>,
}

impl DeadLetter {
    /// The letter without its message.
    pub(crate) fn of(it: &store::LetterRow, directory: &Directory) -> Self {
        let letter = &it.letter;
        let device = letter.device.and_then(|id| directory.devices.get(&id));
        Self {
            id: letter.id.to_string(),
            at: time(it.at),
            device: letter.device.map(|id| id.to_string()),
            device_label: device.map(|device| device.label.clone()),
            door: letter.door.clone(),
            topic: letter.topic.clone(),
            content_type: letter.content_type.clone(),
            reason: letter.reason.clone(),
            detail: letter.explanation.clone(),
            size: letter.payload.len(),
            replays: Vec::new(),
            payload: None,
        }
    }

    /// The same with the times that it went through the door again.
    pub(crate) fn with_replays(self, replays: Vec<Replay>) -> Self {
        Self { replays, ..self }
    }

    /// The same with its message.
    pub(crate) fn with_payload(self, payload: &[u8]) -> Self {
        Self { payload: Some(base64(payload)), ..self }
    }
}

/// One time that a dead letter went through the door again.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Replay {
    at: String,
    /// The login of whoever asked for it.
    by: Option<String>,
    /// Whether it was taken in.
    mended: bool,
    /// `stored`, `duplicate`, or the reason for which it stays a dead letter.
    outcome: String,
    /// The same for people.
    words: String,
}

impl Replay {
    pub(crate) fn new(at: Timestamp, by: Option<String>, it: record::Replayed) -> Self {
        Self { at: time(at), by, mended: it.mended, outcome: it.outcome, words: it.words }
    }

    /// As the records keep it.
    pub(crate) fn of(it: store::ReplayRow, directory: &Directory) -> Self {
        let by = directory.users.get(&it.replayed.by).map(|user| user.login.clone());
        Self::new(it.at, by, it.replayed)
    }
}

/// RFC 4648, section 4, with padding.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letter =
        |six: u32| LETTERS.get((six & 63) as usize).map_or('=', |letter| char::from(*letter));
    let mut text = String::with_capacity(bytes.len().div_ceil(3).saturating_mul(4));
    for group in bytes.chunks(3) {
        let at = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let all = at(0) << 16 | at(1) << 8 | at(2);
        text.extend([letter(all >> 18), letter(all >> 12)]);
        text.push(if group.len() > 1 { letter(all >> 6) } else { '=' });
        text.push(if group.len() > 2 { letter(all) } else { '=' });
    }
    text
}

#[test]
fn base64_is_that_of_the_standard() {
    // RFC 4648, section 10.
    let rows = [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg=="),
        ("foobar", "Zm9vYmFy"),
    ];
    for (bytes, text) in rows {
        assert_eq!(base64(bytes.as_bytes()), text);
    }
    assert_eq!(base64(&[0xfb, 0xff]), "+/8=");
}
