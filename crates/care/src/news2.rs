//! NEWS2, the score of the Royal College of Physicians (2017), on both SpO₂ scales.
//!
//! Seven inputs, each with the instant at which it was taken, become points by the
//! bands of chart 1 after rounding to the chart's resolution. An input that is
//! missing or too old is named, and a set that lacks one is not NEWS2: it gets no
//! total. Scale 2 is an ordered setting and is never inferred.

use std::time::Duration;

use model::{Consciousness, MissingReason, Oxygen, SpO2Scale, Timestamp};

use crate::{alarm::Verdict, edition::Edition};

mod bands;
#[cfg(test)]
mod tests;

pub use bands::CHART_1;

/// The seven rows of chart 1, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the chart's own words")]
pub enum Input {
    RespiratoryRate,
    Saturation,
    Oxygen,
    SystolicPressure,
    Pulse,
    Consciousness,
    Temperature,
}

impl Input {
    /// Every input, in the order of the chart.
    pub const ALL: [Self; 7] = [
        Self::RespiratoryRate,
        Self::Saturation,
        Self::Oxygen,
        Self::SystolicPressure,
        Self::Pulse,
        Self::Consciousness,
        Self::Temperature,
    ];

    /// The stable word for it, in interfaces and translations.
    pub const fn key(self) -> &'static str {
        match self {
            Self::RespiratoryRate => "respiratory_rate",
            Self::Saturation => "saturation",
            Self::Oxygen => "oxygen",
            Self::SystolicPressure => "systolic_pressure",
            Self::Pulse => "pulse",
            Self::Consciousness => "consciousness",
            Self::Temperature => "temperature",
        }
    }
}

/// Who gave a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A device, by itself.
    Device,
    /// A person who charted it.
    Charted,
}

/// One input as it is known: a value with its instant, or the reason why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Known<T> {
    Value { value: T, taken_at: Timestamp, origin: Origin },
    Missing(MissingReason),
}

impl<T> Known<T> {
    /// Nobody has ever measured or charted it.
    pub const NOT_MEASURED: Self = Self::Missing(MissingReason::NotMeasured);

    fn stamp(&self) -> Result<(Timestamp, Origin), MissingReason> {
        match self {
            Self::Value { taken_at, origin, .. } => Ok((*taken_at, *origin)),
            Self::Missing(reason) => Err(*reason),
        }
    }
}

/// Everything that a score is made of; numbers in thousandths of their own unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Inputs {
    /// Which column of SpO₂ holds for this patient.
    pub scale: SpO2Scale,
    /// Breaths a minute, in thousandths.
    pub respiratory_rate: Known<i64>,
    /// Percent, in thousandths.
    pub saturation: Known<i64>,
    /// Air or added oxygen.
    pub oxygen: Known<Oxygen>,
    /// mmHg, in thousandths.
    pub systolic_pressure: Known<i64>,
    /// Beats a minute, in thousandths.
    pub pulse: Known<i64>,
    /// ACVPU.
    pub consciousness: Known<Consciousness>,
    /// Degrees Celsius, in thousandths.
    pub temperature: Known<i64>,
}

impl Inputs {
    /// Nothing is known yet.
    pub const fn nothing(scale: SpO2Scale) -> Self {
        Self {
            scale,
            respiratory_rate: Known::NOT_MEASURED,
            saturation: Known::NOT_MEASURED,
            oxygen: Known::NOT_MEASURED,
            systolic_pressure: Known::NOT_MEASURED,
            pulse: Known::NOT_MEASURED,
            consciousness: Known::NOT_MEASURED,
            temperature: Known::NOT_MEASURED,
        }
    }

    fn stamp(&self, input: Input) -> Result<(Timestamp, Origin), MissingReason> {
        match input {
            Input::RespiratoryRate => self.respiratory_rate.stamp(),
            Input::Saturation => self.saturation.stamp(),
            Input::Oxygen => self.oxygen.stamp(),
            Input::SystolicPressure => self.systolic_pressure.stamp(),
            Input::Pulse => self.pulse.stamp(),
            Input::Consciousness => self.consciousness.stamp(),
            Input::Temperature => self.temperature.stamp(),
        }
    }

    /// The first instant after `now` at which an input becomes too old to count; score again then.
    pub fn next_deadline(&self, ages: &AgeLimits, now: Timestamp) -> Option<Timestamp> {
        let aging = |input| {
            let (taken_at, origin) = self.stamp(input).ok()?;
            let max_age = ages.of(input, origin).saturating_add(Duration::from_nanos(1));
            Some(taken_at.after(max_age)).filter(|at| *at > now)
        };
        Input::ALL.into_iter().filter_map(aging).min()
    }
}

/// How old each input may be and still count; equal to the limit still counts (RC-026).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AgeLimits {
    /// What a monitor gives by itself: respiration, saturation, pulse.
    pub monitored: Duration,
    /// What a cuff gives.
    pub pressure: Duration,
    /// What a thermometer gives.
    pub temperature: Duration,
    /// What a person charts.
    pub charted: Duration,
}

/// Where [`AgeLimits::default`] comes from.
pub const AGES: Edition = Edition::first(
    "NEWS2 input ages",
    "Wardline's own choice: RCP 2017 asks for 4-6-hourly observations at a score of 1-4",
    false, // The chart sets no ages.
);

impl Default for AgeLimits {
    fn default() -> Self {
        let minutes = |count: u64| Duration::from_secs(count * 60);
        Self {
            monitored: minutes(5),
            pressure: minutes(60),
            temperature: minutes(240),
            charted: minutes(240),
        }
    }
}

impl AgeLimits {
    /// The limits where a cuff measures every `interval`: twice that, one missed round allowed.
    pub fn with_cuff_every(self, interval: Duration) -> Self {
        Self { pressure: interval.saturating_mul(2), ..self }
    }

    /// How old this input may be, given who gave it.
    pub const fn of(&self, input: Input, origin: Origin) -> Duration {
        match (origin, input) {
            (Origin::Charted, _) | (Origin::Device, Input::Consciousness | Input::Oxygen) => {
                self.charted
            }
            (Origin::Device, Input::RespiratoryRate | Input::Saturation | Input::Pulse) => {
                self.monitored
            }
            (Origin::Device, Input::SystolicPressure) => self.pressure,
            (Origin::Device, Input::Temperature) => self.temperature,
        }
    }
}

/// One row of the chart, answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Part {
    pub input: Input,
    pub state: PartState,
}

/// How one row of the chart was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PartState {
    /// It counts.
    #[expect(missing_docs, reason = "the names say it all")]
    Scored { points: u8, taken_at: Timestamp, origin: Origin },
    /// It was known, and is too old to count.
    #[expect(missing_docs, reason = "the names say it all")]
    Aged { taken_at: Timestamp, origin: Origin, max_age: Duration },
    /// There is none, for this reason.
    Missing(MissingReason),
}

/// What the total asks of the ward (RCP 2017, chart 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the chart's own words")]
pub enum Risk {
    Low,
    LowMedium,
    Medium,
    High,
}

/// A score, or the list of what it lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Score {
    /// Which column of SpO₂ was used.
    pub scale: SpO2Scale,
    /// The seven rows, in the order of the chart.
    pub parts: Vec<Part>,
    /// The sum of all seven and what it asks for; `None` if one is missing or aged.
    pub total: Option<Total>,
}

/// The sum of a complete set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Total {
    /// 0 to 20 points.
    pub points: u8,
    pub risk: Risk,
}

/// Total points from which the risk is medium, and high; points of a single red row (RCP 2017).
const MEDIUM_FROM: u8 = 5;
const HIGH_FROM: u8 = 7;
const RED: u8 = 3;

/// Scores what is known at `now`.
pub fn score(inputs: &Inputs, ages: &AgeLimits, now: Timestamp) -> Score {
    let parts: Vec<_> = Input::ALL.map(|input| part(inputs, ages, input, now)).to_vec();
    let score = Score { scale: inputs.scale, parts, total: None };
    Score { total: score.sum(), ..score }
}

fn part(inputs: &Inputs, ages: &AgeLimits, input: Input, now: Timestamp) -> Part {
    let state = match inputs.stamp(input) {
        Err(reason) => PartState::Missing(reason),
        Ok((taken_at, origin)) => {
            let max_age = ages.of(input, origin);
            if now.since(taken_at) > max_age {
                PartState::Aged { taken_at, origin, max_age }
            } else {
                match points(inputs, ages, input, now) {
                    Ok(points) => PartState::Scored { points, taken_at, origin },
                    Err(state) => state,
                }
            }
        }
    };
    Part { input, state }
}

/// The points of an input that is fresh; on scale 2 the saturation needs a fresh oxygen as well.
fn points(
    inputs: &Inputs,
    ages: &AgeLimits,
    input: Input,
    now: Timestamp,
) -> Result<u8, PartState> {
    let value = |known: Known<i64>| known.value().map_err(PartState::Missing);
    Ok(match input {
        Input::RespiratoryRate => bands::RESPIRATORY_RATE.points(value(inputs.respiratory_rate)?),
        Input::SystolicPressure => {
            bands::SYSTOLIC_PRESSURE.points(value(inputs.systolic_pressure)?)
        }
        Input::Pulse => bands::PULSE.points(value(inputs.pulse)?),
        Input::Temperature => bands::TEMPERATURE.points(value(inputs.temperature)?),
        Input::Oxygen => match inputs.oxygen.value().map_err(PartState::Missing)? {
            Oxygen::Air => bands::AIR,
            Oxygen::Added { .. } => bands::ADDED_OXYGEN,
        },
        Input::Consciousness => match inputs.consciousness.value().map_err(PartState::Missing)? {
            Consciousness::Alert => bands::ALERT,
            Consciousness::NewConfusion
            | Consciousness::Voice
            | Consciousness::Pain
            | Consciousness::Unresponsive => bands::NOT_ALERT,
        },
        Input::Saturation => {
            let value = value(inputs.saturation)?;
            match inputs.scale {
                SpO2Scale::One => bands::SATURATION_1.points(value),
                SpO2Scale::Two => scale_2(inputs, ages, value, now)?,
            }
        }
    })
}

/// Above 92 % scale 2 asks whether there is added oxygen; up to there it does not matter.
fn scale_2(inputs: &Inputs, ages: &AgeLimits, value: i64, now: Timestamp) -> Result<u8, PartState> {
    let (on_air, on_oxygen) =
        (bands::SATURATION_2_AIR.points(value), bands::SATURATION_2_OXYGEN.points(value));
    if on_air == on_oxygen {
        return Ok(on_air);
    }
    let is_fresh = |taken_at, origin| now.since(taken_at) <= ages.of(Input::Oxygen, origin);
    match inputs.oxygen {
        Known::Value { value: Oxygen::Air, taken_at, origin } if is_fresh(taken_at, origin) => {
            Ok(on_air)
        }
        Known::Value { value: Oxygen::Added { .. }, taken_at, origin }
            if is_fresh(taken_at, origin) =>
        {
            Ok(on_oxygen)
        }
        // The oxygen row says why; this row cannot be answered without it.
        Known::Value { .. } | Known::Missing(_) => {
            Err(PartState::Missing(MissingReason::NotMeasured))
        }
    }
}

impl<T: Copy> Known<T> {
    const fn value(&self) -> Result<T, MissingReason> {
        match self {
            Self::Value { value, .. } => Ok(*value),
            Self::Missing(reason) => Err(*reason),
        }
    }
}

impl Score {
    /// The inputs for which there is no value.
    pub fn missing(&self) -> impl Iterator<Item = Input> {
        let missing = |part: &&Part| matches!(part.state, PartState::Missing(_));
        self.parts.iter().filter(missing).map(|part| part.input)
    }

    /// The inputs whose value is too old to count.
    pub fn aged(&self) -> impl Iterator<Item = Input> {
        let aged = |part: &&Part| matches!(part.state, PartState::Aged { .. });
        self.parts.iter().filter(aged).map(|part| part.input)
    }

    /// Whether one row alone reaches three points; true of an incomplete set as well.
    pub fn single_red(&self) -> bool {
        self.parts.iter().any(|part| part.points().is_some_and(|points| points >= RED))
    }

    /// RC-011: the sum of all seven rows, or nothing.
    fn sum(&self) -> Option<Total> {
        let points = self
            .parts
            .iter()
            .try_fold(0_u8, |sum, part| part.points().map(|points| sum.saturating_add(points)))?;
        let risk = match points {
            HIGH_FROM.. => Risk::High,
            MEDIUM_FROM..HIGH_FROM => Risk::Medium,
            0..MEDIUM_FROM if self.single_red() => Risk::LowMedium,
            0..MEDIUM_FROM => Risk::Low,
        };
        Some(Total { points, risk })
    }

    /// What this score means to an alarm; an incomplete set is no signal, except that a
    /// row that is red is red whatever the others are (RC-012).
    pub fn weigh(&self, trigger: Trigger) -> Verdict {
        let holds = match trigger {
            Trigger::SingleRed if self.single_red() => Some(true),
            Trigger::SingleRed => self.total.map(|_| false),
            Trigger::Medium => self.total.map(|total| total.points >= MEDIUM_FROM),
            Trigger::High => self.total.map(|total| total.points >= HIGH_FROM),
        };
        match holds {
            Some(true) => Verdict::Holds,
            Some(false) => Verdict::Over,
            None => Verdict::NoSignal,
        }
    }
}

impl Part {
    /// The points of this row, if it counts.
    pub const fn points(&self) -> Option<u8> {
        match self.state {
            PartState::Scored { points, .. } => Some(points),
            PartState::Aged { .. } | PartState::Missing(_) => None,
        }
    }
}

/// The scores that alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trigger {
    /// Three points in one row.
    SingleRed,
    /// A total of five or more.
    Medium,
    /// A total of seven or more.
    High,
}
