//! What the engine needs of a device profile at every sample, looked up once at start.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use care::technical::ClockPromise;
use model::{Code, Ucum, Vital};
use protocols::profile::{ClockKind, Form, Grade as ProfileGrade, Profile};

use crate::view::Grade;

/// One profile, by what it means to deciders.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ProfileFacts {
    pub(super) words: String,
    pub(super) grade: Grade,
    pub(super) promise: ClockPromise,
    pub(super) buffers: bool,
    pub(super) silence_after: Duration,
    pub(super) channels: BTreeMap<Arc<str>, ChannelFacts>,
    /// How often a vital is to be expected; of two channels the first counts.
    cadences: BTreeMap<Vital, Option<Duration>>,
}

/// One channel, by what it means to deciders.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ChannelFacts {
    pub(super) code: Code,
    pub(super) ucum: Ucum,
    pub(super) vital: Option<Vital>,
    pub(super) cadence: Option<Duration>,
    pub(super) wave: Option<WaveFacts>,
}

/// One waveform channel.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct WaveFacts {
    pub(super) is_ecg: bool,
    pub(super) label: String,
    pub(super) lead: Option<String>,
    pub(super) param: &'static str,
}

impl ProfileFacts {
    /// Of a profile that is no longer there: nothing is known, nothing decides.
    pub(super) fn unknown() -> Self {
        Self {
            words: "Device".to_owned(),
            grade: Grade::Wellness,
            promise: ClockPromise::Unsynchronised,
            buffers: true,
            silence_after: Duration::from_secs(60),
            channels: BTreeMap::new(),
            cadences: BTreeMap::new(),
        }
    }

    /// How often a vital is to be expected.
    pub(super) fn cadence_of(&self, vital: Vital) -> Option<Duration> {
        self.cadences.get(&vital).copied().flatten()
    }

    /// Which vital stands for the sensor behind this one; `None` is the ECG's electrodes.
    pub(super) fn sensor_of(&self, vital: Vital) -> Option<Vital> {
        let gives = |other| self.cadences.contains_key(&other);
        match vital {
            Vital::HeartRate => None,
            Vital::PulseRate if gives(Vital::Saturation) => Some(Vital::Saturation),
            Vital::PulseRate if gives(Vital::SystolicPressure) => Some(Vital::SystolicPressure),
            Vital::DiastolicPressure | Vital::MeanPressure => Some(Vital::SystolicPressure),
            Vital::BatteryLevel
            | Vital::Glucose
            | Vital::PulseRate
            | Vital::RespiratoryRate
            | Vital::Saturation
            | Vital::SystolicPressure
            | Vital::Temperature => Some(vital),
        }
    }
}

/// The ward's word for the sensor of a vital; `None` is the ECG's electrodes.
pub(super) const fn sensor_words(sensor: Option<Vital>) -> &'static str {
    match sensor {
        None | Some(Vital::HeartRate) => "ECG",
        Some(Vital::BatteryLevel) => "Battery gauge",
        Some(Vital::DiastolicPressure | Vital::MeanPressure | Vital::SystolicPressure) => "Cuff",
        Some(Vital::Glucose) => "Glucose sensor",
        Some(Vital::PulseRate) => "Pulse sensor",
        Some(Vital::RespiratoryRate) => "Respiration",
        Some(Vital::Saturation) => "SpO₂ probe",
        Some(Vital::Temperature) => "Temperature probe",
    }
}

/// The facts of every profile.
pub(super) fn of_all(profiles: &BTreeMap<String, Profile>) -> BTreeMap<String, Arc<ProfileFacts>> {
    let facts = profiles.iter().map(|(name, profile)| (name.clone(), Arc::new(of(profile))));
    facts.collect()
}

fn of(profile: &Profile) -> ProfileFacts {
    let channels = profile.channels.iter().map(|spec| {
        let (cadence, wave) = match &spec.form {
            Form::Numeric(numeric) => (Some(numeric.cadence), None),
            Form::Wave(wave) => {
                let name = &*spec.channel.0;
                let is_ecg = name.starts_with("MDC_ECG_ELEC_POTL");
                let label = wave.lead.clone().unwrap_or_else(|| spec.words.clone());
                let (lead, param) = (wave.lead.clone(), param_of(name));
                (None, Some(WaveFacts { is_ecg, label, lead, param }))
            }
        };
        let facts = ChannelFacts {
            code: spec.code,
            ucum: spec.ucum.clone(),
            vital: Vital::of(spec.code),
            cadence,
            wave,
        };
        (Arc::clone(&spec.channel.0), facts)
    });
    let channels: BTreeMap<Arc<str>, ChannelFacts> = channels.collect();
    let mut cadences = BTreeMap::new();
    for channel in channels.values() {
        if let Some(vital) = channel.vital {
            cadences.entry(vital).or_insert(channel.cadence);
        }
    }
    ProfileFacts {
        words: profile.words.clone(),
        grade: match profile.grade {
            ProfileGrade::Medical => Grade::Medical,
            ProfileGrade::Wellness => Grade::Wellness,
        },
        promise: match profile.clock {
            ClockKind::Synchronised => ClockPromise::Synchronised,
            ClockKind::Unsynchronised => ClockPromise::Unsynchronised,
        },
        buffers: profile.buffers,
        silence_after: profile.silence_after,
        channels,
        cadences,
    }
}

/// The family in which screens draw a trace.
fn param_of(channel: &str) -> &'static str {
    if channel.starts_with("MDC_ECG") {
        "ecg"
    } else if channel.starts_with("MDC_PULS_OXIM") {
        "spo2"
    } else if channel.starts_with("MDC_RESP") || channel.starts_with("MDC_IMPED") {
        "resp"
    } else {
        "bp"
    }
}
