//! The early warning score in the words of its panel.

use care::news2::{Inputs, Known, PartState as Row, Risk as CareRisk};
use model::{Consciousness, MissingReason, Oxygen, OxygenDevice, PatientId, Timestamp, Vital};

use super::super::{Core, news};
use crate::view::{News2, News2Input, News2Part, PartState, Risk, missing_words, text_of};

impl Core {
    /// The score of a patient as a panel shows it.
    pub(super) fn news2(&self, patient: PatientId, now: Timestamp) -> News2 {
        let (inputs, score) = self.score_of(patient, now);
        let run = self.patients.get(&patient);
        let parts: Vec<News2Part> = score
            .parts
            .iter()
            .map(|part| {
                let input = news::input_of(part.input);
                let (value_text, unit) = input_text(&inputs, input);
                let is_charted = news::is_charted(&part.state);
                let (taken_at, state, reason) = match part.state {
                    Row::Scored { taken_at, .. } if is_charted => {
                        (Some(taken_at), PartState::Charted, None)
                    }
                    Row::Scored { taken_at, .. } => (Some(taken_at), PartState::Live, None),
                    Row::Aged { taken_at, .. } => {
                        (Some(taken_at), PartState::Aged, Some("too old"))
                    }
                    Row::Missing(reason) => (None, PartState::Missing, Some(why(input, reason))),
                };
                let points = part.points();
                News2Part { input, value_text, unit, points, taken_at, state, reason }
            })
            .collect();
        let missing = parts.iter().filter(|part| part.points.is_none()).map(|part| part.input);
        News2 {
            total: score.total.map(|total| total.points),
            risk: score.total.map(|total| match total.risk {
                CareRisk::Low => Risk::Low,
                CareRisk::LowMedium => Risk::LowMedium,
                CareRisk::Medium => Risk::Medium,
                CareRisk::High => Risk::High,
            }),
            single_red: score.single_red(),
            missing: missing.collect(),
            parts,
            last_total: run.and_then(|run| run.last_total),
            trend: run.and_then(|run| run.trend),
            scale: inputs.scale,
        }
    }
}

fn why(input: News2Input, reason: MissingReason) -> &'static str {
    let vital = match input {
        News2Input::RespiratoryRate => Vital::RespiratoryRate,
        News2Input::Saturation => Vital::Saturation,
        News2Input::SystolicPressure => Vital::SystolicPressure,
        News2Input::Pulse => Vital::HeartRate,
        News2Input::Temperature => Vital::Temperature,
        News2Input::Oxygen | News2Input::Consciousness => return "not charted",
    };
    missing_words(vital, reason)
}

fn input_text(inputs: &Inputs, input: News2Input) -> (String, &'static str) {
    let number = |known: &Known<i64>, vital: Vital| match known {
        Known::Value { value, .. } => text_of(vital, *value),
        Known::Missing(_) => String::new(),
    };
    match input {
        News2Input::RespiratoryRate => {
            (number(&inputs.respiratory_rate, Vital::RespiratoryRate), "/min")
        }
        News2Input::Saturation => (number(&inputs.saturation, Vital::Saturation), "%"),
        News2Input::SystolicPressure => {
            (number(&inputs.systolic_pressure, Vital::SystolicPressure), "mmHg")
        }
        News2Input::Pulse => (number(&inputs.pulse, Vital::HeartRate), "/min"),
        News2Input::Temperature => (number(&inputs.temperature, Vital::Temperature), "°C"),
        News2Input::Oxygen => (oxygen_text(&inputs.oxygen), ""),
        News2Input::Consciousness => {
            let text = match inputs.consciousness {
                Known::Value { value: Consciousness::Alert, .. } => "alert",
                Known::Value { value: Consciousness::NewConfusion, .. } => "new confusion",
                Known::Value { value: Consciousness::Voice, .. } => "responds to voice",
                Known::Value { value: Consciousness::Pain, .. } => "responds to pain",
                Known::Value { value: Consciousness::Unresponsive, .. } => "unresponsive",
                Known::Missing(_) => "",
            };
            (text.to_owned(), "")
        }
    }
}

fn oxygen_text(oxygen: &Known<Oxygen>) -> String {
    let Known::Value { value, .. } = oxygen else { return String::new() };
    let (flow, by) = match value {
        Oxygen::Air => return "air".to_owned(),
        Oxygen::Added { flow_ml_per_min, by } => (flow_ml_per_min, by),
    };
    let by = match by {
        OxygenDevice::NasalCannula => "nasal cannula",
        OxygenDevice::SimpleMask => "simple mask",
        OxygenDevice::VenturiMask => "Venturi mask",
        OxygenDevice::ReservoirMask => "reservoir mask",
        OxygenDevice::HighFlow => "high flow",
        OxygenDevice::Cpap => "CPAP",
        OxygenDevice::Other => "other",
    };
    match flow {
        Some(flow) => {
            let (whole, tenth) = (flow / 1_000, flow % 1_000 / 100);
            let tenth = if tenth == 0 { String::new() } else { format!(".{tenth}") };
            format!("O₂ {whole}{tenth} L/min, {by}")
        }
        None => format!("O₂, {by}"),
    }
}
