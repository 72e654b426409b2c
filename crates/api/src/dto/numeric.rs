//! One number on a screen.

use engine::view;
use model::{ClockUsed, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::words::{Spelt as _, label, number, time, unit};

/// One vital with its unit, time and source; never a value without them.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Numeric {
    vital: &'static str,
    label: &'static str,
    unit: &'static str,
    /// Null if there is none; `missing` says why.
    value: Option<f64>,
    /// As wards print it.
    text: String,
    missing: Option<&'static str>,
    taken_at: String,
    age_s: u64,
    device: String,
    /// `medical` or `wellness`.
    grade: &'static str,
    /// `live`, `ageing`, `missing` or `out`.
    state: &'static str,
    low: Option<f64>,
    high: Option<f64>,
    /// Beyond which limit it stands: `up`, `down`, or null.
    direction: Option<&'static str>,
    alarm: Option<String>,
    /// Priority of that alarm.
    alarm_priority: Option<&'static str>,
    /// Whose clock `taken_at` is from: `device`, `gateway` or `receiver`.
    clock: &'static str,
    /// Counted here from the ECG's beats.
    from_beats: bool,
}

impl Numeric {
    /// The number as it looks at `now`.
    pub(crate) fn at(it: &view::Numeric, now: Timestamp) -> Self {
        let out_of_limits = it.direction.is_some() && it.state == view::Freshness::Live;
        Self {
            vital: it.vital.word(),
            label: label(it.vital),
            unit: unit(it.vital),
            value: it.thousandths.map(number),
            text: it.text.clone(),
            missing: it.missing.map(|reason| view::missing_words(it.vital, reason)),
            taken_at: time(it.taken_at),
            age_s: now.since(it.taken_at).as_secs(),
            device: it.device.to_string(),
            grade: match it.grade {
                view::Grade::Medical => "medical",
                view::Grade::Wellness => "wellness",
            },
            state: match it.state {
                _ if out_of_limits => "out",
                view::Freshness::Live => "live",
                view::Freshness::Ageing | view::Freshness::Out => "ageing",
                view::Freshness::Missing => "missing",
            },
            low: it.low_thousandths.map(number),
            high: it.high_thousandths.map(number),
            direction: it.direction.map(|direction| match direction {
                view::Direction::Up => "up",
                view::Direction::Down => "down",
            }),
            alarm: it.alarm.map(|alarm| alarm.to_string()),
            alarm_priority: it.alarm_priority.map(|priority| priority.word()),
            clock: match it.clock {
                ClockUsed::Device => "device",
                ClockUsed::Gateway => "gateway",
                ClockUsed::Receiver => "receiver",
            },
            from_beats: it.from_beats,
        }
    }

    /// The same without a word of alarm: what a patient is told.
    pub(crate) fn without_alarm(self) -> Self {
        let state = if self.state == "out" { "live" } else { self.state };
        Self { state, direction: None, alarm: None, alarm_priority: None, ..self }
    }
}
