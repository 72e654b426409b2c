//! The early warning score on a screen.

use engine::view::{self, News2Input, PartState, Risk, Trend};
use model::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    history::{Covered, Lacking},
    words::{scale, time},
};

/// NEWS2 with each of its inputs; without all of them there is no total.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct News2 {
    complete: bool,
    total: Option<u8>,
    /// `low`, `low_medium`, `medium` or `high`.
    risk: Option<&'static str>,
    single_red: bool,
    parts: Vec<News2Part>,
    missing: Vec<&'static str>,
    missing_count: usize,
    last_total: Option<LastTotal>,
    /// `up`, `down` or `same`.
    trend: Option<&'static str>,
    scale: u8,
}

/// One input of the score.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct News2Part {
    input: &'static str,
    value_text: String,
    unit: &'static str,
    points: Option<u8>,
    taken_at: Option<String>,
    age_s: Option<u64>,
    /// `live`, `charted`, `aged` or `missing`.
    state: &'static str,
    reason: Option<&'static str>,
}

/// The newest complete total.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LastTotal {
    total: u8,
    at: String,
}

/// How a patient's score went over a range.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Scores {
    pub(crate) from: String,
    pub(crate) to: String,
    /// Oldest first; the first may have begun before the range, and held at its beginning.
    pub(crate) scores: Vec<ScoreThen>,
    /// Whether older ones of the range were left out, as there were too many.
    pub(crate) is_cut: bool,
    /// How much of the range has a total, from its first score on.
    pub(crate) covered: Covered,
    /// For how long each input lacked, and why; the longest first.
    pub(crate) inputs: Vec<InputLacking>,
}

/// For how long an input of the score had no points.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct InputLacking {
    pub(crate) input: String,
    pub(crate) seconds: f64,
    /// By reason as in `ReasonedGap`, or `no_device`, `aged` (what a device gave is older than
    /// the score takes it) and `not_charted`; the longest first.
    pub(crate) lacking: Vec<Lacking>,
}

/// Why an input had no points.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct InputWhy {
    pub(crate) input: String,
    /// As in `InputLacking`; of several reasons the one that held longest.
    pub(crate) reason: &'static str,
}

/// A score that held from an instant until the next one.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ScoreThen {
    pub(crate) at: String,
    /// Points, 0 to 20; null while an input was missing.
    pub(crate) total: Option<u8>,
    /// Whether one input alone asked for somebody.
    pub(crate) single_red: bool,
    /// The inputs that were missing or too old.
    pub(crate) missing: Vec<String>,
    /// Why each of these was missing, while this score held.
    pub(crate) why: Vec<InputWhy>,
    /// Whether a person corrected a reading later that stood for the present then; the score
    /// stays as it was given.
    pub(crate) corrected_later: bool,
}

impl From<store::ScoreRow> for ScoreThen {
    fn from(row: store::ScoreRow) -> Self {
        let store::ScoreRow { at, total, single_red, missing, .. } = row;
        Self { at: time(at), total, single_red, missing, why: Vec::new(), corrected_later: false }
    }
}

const fn input(input: News2Input) -> &'static str {
    match input {
        News2Input::RespiratoryRate => "respiratory_rate",
        News2Input::Saturation => "saturation",
        News2Input::Oxygen => "oxygen",
        News2Input::SystolicPressure => "systolic_pressure",
        News2Input::Pulse => "pulse",
        News2Input::Consciousness => "consciousness",
        News2Input::Temperature => "temperature",
    }
}

impl News2 {
    /// The score as it looks at `now`.
    pub(crate) fn at(it: &view::News2, now: Timestamp) -> Self {
        let part = |part: &view::News2Part| News2Part {
            input: input(part.input),
            value_text: part.value_text.clone(),
            unit: part.unit,
            points: part.points,
            taken_at: part.taken_at.map(time),
            age_s: part.taken_at.map(|at| now.since(at).as_secs()),
            state: match part.state {
                PartState::Live => "live",
                PartState::Charted => "charted",
                PartState::Aged => "aged",
                PartState::Missing => "missing",
            },
            reason: part.reason,
        };
        Self {
            complete: it.is_complete(),
            total: it.total,
            risk: it.risk.map(|risk| match risk {
                Risk::Low => "low",
                Risk::LowMedium => "low_medium",
                Risk::Medium => "medium",
                Risk::High => "high",
            }),
            single_red: it.single_red,
            parts: it.parts.iter().map(part).collect(),
            missing: it.missing.iter().copied().map(input).collect(),
            missing_count: it.missing.len(),
            last_total: it.last_total.map(|(total, at)| LastTotal { total, at: time(at) }),
            trend: it.trend.map(|trend| match trend {
                Trend::Up => "up",
                Trend::Down => "down",
                Trend::Same => "same",
            }),
            scale: scale(it.scale),
        }
    }
}
