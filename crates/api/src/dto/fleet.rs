//! The life of a device, its commands, its configuration and its messages, on a screen.

use std::collections::BTreeMap;

use engine::{CommandState, ConfigState, Directory, view::DeviceReport};
use fleet::command::{Phase, phase};
use ingest::Watched;
use model::{DeviceCommand, DeviceId, Subject, Timestamp};
use protocols::profile::{CommandSpec, OnPatient, Profile, SettingRange, SettingSpec};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    audit::AuditActor,
    bed::Named,
    device::{HttpsAddress, MqttAddress, base64},
    words::time,
};

/// One line of a device's life.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeviceEventLine {
    pub(crate) at: String,
    /// A short stable word, such as `in_service` or `certificate_revoked`.
    pub(crate) what: String,
    /// The reason, or the name that belongs to it.
    pub(crate) detail: Option<String>,
    /// The patient whom it was put on; not for those who look after machines.
    pub(crate) patient: Option<Named>,
    pub(crate) place: Option<Named>,
    pub(crate) by: AuditActor,
    pub(crate) by_person: bool,
}

/// Something that a device can be told.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CommandKind {
    name: String,
    words: String,
    /// `free`, `second_look` or `never`: what has to be known first if it is on a patient.
    on_patient: &'static str,
    args: Vec<CommandArg>,
    /// How long the device has to do it, in seconds.
    lasts_s: u64,
}

/// A number that a command takes.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CommandArg {
    name: String,
    words: String,
    unit: String,
    min: i64,
    max: i64,
}

impl CommandKind {
    pub(crate) fn of(it: &CommandSpec) -> Self {
        let arg = |arg: &protocols::profile::ArgSpec| CommandArg {
            name: arg.name.clone(),
            words: arg.words.clone(),
            unit: arg.unit.clone(),
            min: arg.min,
            max: arg.max,
        };
        Self {
            name: it.name.clone(),
            words: it.words.clone(),
            on_patient: match it.on_patient {
                OnPatient::Free => "free",
                OnPatient::SecondLook => "second_look",
                OnPatient::Never => "never",
            },
            args: it.args.iter().map(arg).collect(),
            lasts_s: it.lasts.as_secs(),
        }
    }
}

/// A command to be planned or given.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCommand {
    /// One of those that the device's profile has.
    pub(crate) name: String,
    /// Its numbers by name.
    #[serde(default)]
    pub(crate) args: BTreeMap<String, i64>,
    /// How long the device has to do it, in seconds; the profile says how long if nobody does.
    pub(crate) lasts_s: Option<u64>,
    /// Whom the plan said that the device is on; the command happens to nobody else.
    pub(crate) on: Option<String>,
}

/// What a command would do.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CommandPlan {
    /// What will happen, in words.
    pub(crate) what: String,
    /// The device's name.
    pub(crate) device: String,
    /// Whom the device is on, to be given back with the command: `patient:…`, `place:…` or `nobody`.
    pub(crate) on: String,
    /// The patient's name; not for those who look after machines.
    pub(crate) patient: Option<String>,
    /// The patient's bed.
    pub(crate) bed: Option<String>,
    /// Whether it is on a patient.
    pub(crate) is_on_patient: bool,
    /// Whether a second person has to agree before it is sent.
    pub(crate) needs_second: bool,
    /// Whether the device is connected now; if not, it waits.
    pub(crate) connected: bool,
    pub(crate) expires_at: String,
}

/// How a subject is named between plan and command.
fn on_word(on: Subject, sees_patients: bool) -> String {
    match on {
        Subject::Patient(patient) if sees_patients => format!("patient:{patient}"),
        Subject::Patient(_) => "patient".to_owned(),
        Subject::Place(place) => format!("place:{place}"),
        Subject::Nobody => "nobody".to_owned(),
    }
}

/// `Measure blood pressure every so often: every 30 min`.
fn what(command: &DeviceCommand, spec: Option<&CommandSpec>) -> String {
    let words = spec.map_or_else(|| command.name.clone(), |spec| spec.words.clone());
    let args = command.args.iter().map(|(name, value)| {
        let arg = spec.and_then(|spec| spec.args.iter().find(|arg| arg.name == *name));
        match arg {
            Some(arg) => format!("{} {value} {}", arg.words.to_lowercase(), arg.unit),
            None => format!("{name} {value}"),
        }
    });
    let args: Vec<String> = args.map(|text| text.trim().to_owned()).collect();
    if args.is_empty() { words } else { format!("{words}: {}", args.join(", ")) }
}

impl CommandPlan {
    pub(crate) fn of(
        command: &DeviceCommand,
        spec: &CommandSpec,
        device: &model::Device,
        directory: &Directory,
        (sees_patients, connected): (bool, bool),
    ) -> Self {
        let (patient, bed) = who(command.on, directory, sees_patients);
        Self {
            what: what(command, Some(spec)),
            device: device.label.clone(),
            on: on_word(command.on, sees_patients),
            patient,
            bed,
            is_on_patient: matches!(command.on, Subject::Patient(_)),
            needs_second: command.needs_second,
            connected,
            expires_at: time(command.expires_at),
        }
    }
}

fn who(on: Subject, directory: &Directory, sees: bool) -> (Option<String>, Option<String>) {
    let Subject::Patient(patient) = on else { return (None, None) };
    if !sees {
        return (None, None);
    }
    let name = directory
        .patients
        .get(&patient)
        .map(|it| format!("{} {}", it.given_name.0, it.family_name.0));
    let bed = directory.bed_of(patient).and_then(|bed| directory.beds.get(&bed));
    (name, bed.map(|bed| bed.name.clone()))
}

/// A command with how far it has come.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Command {
    pub(crate) id: String,
    name: String,
    /// What was asked for, in words.
    what: String,
    /// `waits_for_second`, `sent`, `running`, `done`, `not_confirmed`, `failed`, `refused`, `expired` or `withdrawn`.
    phase: &'static str,
    /// Whether nothing more can come of it.
    is_over: bool,
    at: String,
    by: AuditActor,
    expires_at: String,
    on_patient: bool,
    patient: Option<String>,
    bed: Option<String>,
    seconded_by: Option<AuditActor>,
    seconded_at: Option<String>,
    answered_at: Option<String>,
    /// The device's own words.
    answer: Option<String>,
}

impl Command {
    pub(crate) fn of(
        it: &CommandState,
        spec: Option<&CommandSpec>,
        directory: &Directory,
        now: Timestamp,
        sees_patients: bool,
    ) -> Self {
        let phase = phase(&it.life(), now);
        let (patient, bed) = who(it.command.on, directory, sees_patients);
        Self {
            id: it.command.id.to_string(),
            name: it.command.name.clone(),
            what: what(&it.command, spec),
            phase: phase_word(phase),
            is_over: phase.is_over(),
            at: time(it.at),
            by: AuditActor::of(it.by, directory),
            expires_at: time(it.command.expires_at),
            on_patient: matches!(it.command.on, Subject::Patient(_)),
            patient,
            bed,
            seconded_by: it.seconded.map(|(by, _)| AuditActor::of(by, directory)),
            seconded_at: it.seconded.map(|(_, at)| time(at)),
            answered_at: it.answer.as_ref().map(|answer| time(answer.at)),
            answer: it.answer.as_ref().map(|it| it.words.clone()).filter(|it| !it.is_empty()),
        }
    }
}

const fn phase_word(phase: Phase) -> &'static str {
    match phase {
        Phase::WaitsForSecond => "waits_for_second",
        Phase::Sent => "sent",
        Phase::Running => "running",
        Phase::Done => "done",
        Phase::NotConfirmed => "not_confirmed",
        Phase::Failed => "failed",
        Phase::Refused => "refused",
        Phase::Expired => "expired",
        Phase::Withdrawn => "withdrawn",
    }
}

/// Something that can be set on a device.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Setting {
    name: String,
    words: String,
    unit: String,
    /// `number`, `choice` or `switch`.
    kind: &'static str,
    /// The least that is accepted, of a number.
    min: Option<i64>,
    /// The most that is accepted, of a number.
    max: Option<i64>,
    choices: Vec<String>,
}

impl Setting {
    fn of(it: &SettingSpec) -> Self {
        let (kind, min, max, choices) = match &it.range {
            SettingRange::Number { min, max } => ("number", Some(*min), Some(*max), Vec::new()),
            SettingRange::Choice(all) => ("choice", None, None, all.clone()),
            SettingRange::Switch => ("switch", None, None, Vec::new()),
        };
        let (name, words, unit) = (it.name.clone(), it.words.clone(), it.unit.clone());
        Self { name, words, unit, kind, min, max, choices }
    }
}

/// The configuration that a device shall have, beside what it reports.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Configuration {
    /// What its kind can be set to; empty if its maker alone knows.
    settings: Vec<Setting>,
    /// `none`: nobody set one. `in_force`: the device reports it. `sent`: it waits for the
    /// device to report it. `on_patient`: it waits until the device is off its patient.
    state: &'static str,
    /// Whether the device is on a patient, so that it cannot be set now.
    on_patient: bool,
    /// The version that it shall have; null if nobody ever set one.
    wanted: Option<String>,
    #[schema(value_type = Object)]
    config: serde_json::Value,
    set_at: Option<String>,
    set_by: Option<AuditActor>,
    /// The version that the device reports to have in force.
    reported: Option<String>,
    /// When the device said last how it is.
    reported_at: Option<String>,
    /// Whether the device reports the one that it shall have.
    in_force: bool,
}

impl Configuration {
    pub(crate) fn of(
        device: DeviceId,
        profile: Option<&Profile>,
        report: Option<&DeviceReport>,
        directory: &Directory,
    ) -> Self {
        let it = directory.configs.get(&device);
        let wanted = it.map(|it| it.config.version.clone());
        let reported = report.and_then(|report| report.config.clone());
        let on_patient = directory.is_on_patient(device);
        let state = match &wanted {
            None => "none",
            Some(_) if wanted == reported => "in_force",
            Some(_) if on_patient => "on_patient",
            Some(_) => "sent",
        };
        let config = it.and_then(|it| serde_json::from_str(&it.config.json).ok());
        Self {
            settings: profile
                .map_or_else(Vec::new, |it| it.settings.iter().map(Setting::of).collect()),
            state,
            on_patient,
            in_force: state == "in_force",
            wanted,
            config: config.unwrap_or(serde_json::Value::Null),
            set_at: it.map(|it| time(it.at)),
            set_by: it.map(|it: &ConfigState| AuditActor::of(it.by, directory)),
            reported,
            reported_at: report.and_then(|report| report.state_at).map(time),
        }
    }
}

/// A configuration for a device.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetConfiguration {
    /// Names it; the device reports it back.
    pub(crate) version: String,
    /// A map of what the device's maker says.
    #[schema(value_type = Object)]
    pub(crate) config: serde_json::Map<String, serde_json::Value>,
}

/// Messages of a device since the last look.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RawMessages {
    /// Whether the look began with this question; what came before is not shown.
    pub(crate) begins: bool,
    pub(crate) messages: Vec<RawMessage>,
}

/// One message as it came.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RawMessage {
    number: u64,
    at: String,
    topic: String,
    content_type: Option<String>,
    /// Length of the message, in bytes.
    size: usize,
    /// Base64 of its beginning.
    payload: String,
    /// `stored`, `duplicate`, or why it became a dead letter.
    outcome: String,
    /// The gateway that passed it on; null if the device spoke for itself.
    gateway: Option<Named>,
    /// When the gateway had it, by the gateway's own clock, which nobody vouches for; null if
    /// it did not say so.
    gateway_at: Option<String>,
}

impl RawMessage {
    pub(crate) fn of(it: &Watched, directory: &Directory) -> Self {
        let named = |id: DeviceId| {
            let label = directory.devices.get(&id).map(|gateway| gateway.label.clone());
            Named { id: id.to_string(), name: label.unwrap_or_default() }
        };
        Self {
            gateway: it.gateway.map(named),
            gateway_at: it.gateway_at.map(time),
            number: it.number,
            at: time(it.at),
            topic: it.topic.clone(),
            content_type: it.content_type.clone(),
            size: it.len,
            payload: base64(&it.payload),
            outcome: it.outcome.clone(),
        }
    }
}

/// A one-time code for whoever has the device; it is shown once and not kept.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ClaimCode {
    pub(crate) code: String,
    /// The page that a phone opens, below the address of this one.
    pub(crate) path: String,
    /// How many modules wide the QR code of that address is.
    pub(crate) qr_size: usize,
    /// Its dark modules as the path of an SVG whose unit is one module.
    pub(crate) qr_path: String,
    pub(crate) expires_at: String,
    /// Where the device speaks, once it has its certificate.
    pub(crate) mqtt: MqttAddress,
    pub(crate) https: HttpsAddress,
}

/// A code as somebody typed or scanned it.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GivenCode {
    pub(crate) code: String,
}

/// The device that a code is for.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Claimable {
    pub(crate) device: String,
    pub(crate) label: String,
    pub(crate) serial: String,
    pub(crate) profile: String,
    /// Where it speaks.
    pub(crate) mqtt: MqttAddress,
    pub(crate) https: HttpsAddress,
}

/// A code that is used, and where the device is now.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TakeClaim {
    pub(crate) code: String,
    pub(crate) care_unit: Option<String>,
    /// The patient whom it is on.
    pub(crate) patient: Option<String>,
    /// The room that it stands in.
    pub(crate) room: Option<String>,
}

/// The gateway that speaks for a device; null if it speaks for itself.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetGateway {
    pub(crate) gateway: Option<String>,
}

/// On whom or where a device is; nothing of both takes it off.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutDevice {
    /// The patient whom it is on from now on.
    pub(crate) patient: Option<String>,
    /// The room that it stands in from now on.
    #[serde(default)]
    pub(crate) room: Option<String>,
    /// RFC 3339; now if it is left out.
    pub(crate) from: Option<String>,
}
