//! The levels of ground truth, as tables: when a body is in trouble without a doubt, when
//! it may be, and what each fault of a device should bring about.

use model::Consciousness;

use super::{deafens, stands_still};
use crate::{
    device::{Kind, Sense},
    fault::Fault,
    instrument::Instrument,
    physiology::Body,
};

/// A condition of a body, with the alarms that speak of it.
pub(super) struct Condition {
    pub(super) what: &'static str,
    pub(super) keys: &'static [&'static str],
    pub(super) sense: Sense,
    pub(super) priority: &'static str,
    /// How long it must hold without a doubt, beside the time between two looks.
    pub(super) holds_s: f64,
    /// Without a doubt.
    pub(super) strict: Option<fn(&Body) -> bool>,
    /// An alarm about it is not false.
    pub(super) loose: fn(&Body) -> bool,
}

/// For how long an alarm about something past is still right, in milliseconds: cuffs rest,
/// and what was pending matures.
pub(super) const LINGERS_MS: i64 = 330_000;

const fn limit(
    what: &'static str,
    keys: &'static [&'static str],
    sense: Sense,
    strict: fn(&Body) -> bool,
    loose: fn(&Body) -> bool,
) -> Condition {
    let strict = Some(strict);
    Condition { what, keys, sense, priority: "medium", holds_s: 18.0, strict, loose }
}

const fn grave(
    what: &'static str,
    keys: &'static [&'static str],
    sense: Sense,
    holds_s: f64,
    strict: fn(&Body) -> bool,
    loose: fn(&Body) -> bool,
) -> Condition {
    let strict = Some(strict);
    Condition { what, keys, sense, priority: "high", holds_s, strict, loose }
}

/// Every condition that is watched for.
pub(super) static CONDITIONS: &[Condition] = &[
    grave(
        "no-beat",
        &["asystole", "extreme_tachycardia", "extreme_bradycardia"],
        Sense::Beats,
        6.0,
        stands_still,
        stands_still,
    ),
    grave(
        "extreme-tachycardia",
        &["extreme_tachycardia"],
        Sense::Beats,
        15.0,
        |body| body.heart_rate_per_min > 160.0,
        |body| body.heart_rate_per_min > 132.0,
    ),
    grave(
        "extreme-bradycardia",
        &["extreme_bradycardia", "asystole"],
        Sense::Beats,
        20.0,
        |body| body.heart_rate_per_min > 0.0 && body.heart_rate_per_min < 36.0,
        |body| body.heart_rate_per_min < 45.0,
    ),
    grave(
        "desaturation",
        &["desaturation"],
        Sense::Saturation,
        15.0,
        |body| body.saturation_percent < 78.0 && body.pulse_fraction > 0.15,
        |body| body.saturation_percent < 82.5,
    ),
    limit(
        "saturation.low",
        &["saturation.low", "desaturation"],
        Sense::Saturation,
        |body| body.saturation_percent < 87.5 && body.pulse_fraction > 0.15,
        |body| body.saturation_percent < 92.5,
    ),
    limit(
        "heart_rate.high",
        &["heart_rate.high", "pulse_rate.high", "extreme_tachycardia"],
        Sense::Rate,
        |body| body.heart_rate_per_min > 127.0,
        |body| body.heart_rate_per_min > 112.0,
    ),
    limit(
        "heart_rate.low",
        &["heart_rate.low", "pulse_rate.low", "extreme_bradycardia", "asystole"],
        Sense::Rate,
        |body| body.heart_rate_per_min < 45.0 && !stands_still(body),
        |body| body.heart_rate_per_min < 56.0,
    ),
    limit(
        "respiratory_rate.low",
        &["respiratory_rate.low"],
        Sense::Breaths,
        |body| body.breaths_per_min < 6.8,
        |body| body.breaths_per_min < 9.8,
    ),
    limit(
        "respiratory_rate.high",
        &["respiratory_rate.high"],
        Sense::Breaths,
        |body| body.breaths_per_min > 31.8,
        |body| body.breaths_per_min > 27.8,
    ),
    limit(
        "pressure.low",
        &["systolic_pressure.low", "mean_pressure.low", "diastolic_pressure.low"],
        Sense::Pressure,
        |body| body.systolic_mmhg < 86.0,
        |body| body.systolic_mmhg < 97.0 || body.diastolic_mmhg < 56.0 || body.mean_mmhg() < 66.0,
    ),
    limit(
        "pressure.high",
        &["systolic_pressure.high", "mean_pressure.high", "diastolic_pressure.high"],
        Sense::Pressure,
        |body| body.systolic_mmhg > 166.0,
        |body| body.systolic_mmhg > 153.0 || body.diastolic_mmhg > 84.0 || body.mean_mmhg() > 103.0,
    ),
    limit(
        "temperature.high",
        &["temperature.high"],
        Sense::Temperature,
        |body| body.temperature_cel > 39.2,
        |body| body.temperature_cel > 38.7,
    ),
    limit(
        "glucose.low",
        &["glucose.low"],
        Sense::Glucose,
        |body| body.glucose_mg_per_dl < 62.0,
        |body| body.glucose_mg_per_dl < 79.0,
    ),
    Condition {
        what: "unwell",
        keys: &["news2.single_red", "news2.medium", "news2.high"],
        sense: Sense::Rate,
        priority: "medium",
        holds_s: 0.0,
        strict: None,
        loose: is_unwell,
    },
    Condition {
        what: "no-pulse",
        keys: &["no_signal"],
        sense: Sense::Saturation,
        priority: "medium",
        holds_s: 0.0,
        strict: None,
        loose: |body| body.pulse_fraction < 0.15,
    },
];

/// Whether anything about a body is out of the ordinary.
fn is_unwell(body: &Body) -> bool {
    !(12.5..=19.5).contains(&body.breaths_per_min)
        || body.saturation_percent < 96.2
        || body.systolic_mmhg < 112.0
        || !(51.5..=89.5).contains(&body.heart_rate_per_min)
        || !(36.2..=37.95).contains(&body.temperature_cel)
        || body.consciousness != Consciousness::Alert
}

/// Whether a device with this fault cannot see that.
pub(super) fn blinds(fault: &Fault, sense: Sense) -> bool {
    match fault {
        Fault::LeadsOff => matches!(sense, Sense::Beats | Sense::Rate),
        Fault::Motion => {
            matches!(sense, Sense::Beats | Sense::Rate | Sense::Saturation | Sense::Breaths)
        }
        Fault::SensorDrift { .. } => matches!(sense, Sense::Temperature | Sense::Glucose),
        Fault::ClockWrong { .. } | Fault::HalfWritten => true,
        other => deafens(other),
    }
}

/// What may be said while a device has this fault.
pub(super) const fn allowed(fault: &Fault) -> &'static [&'static str] {
    match fault {
        Fault::LeadsOff => &["leads_off", "no_signal"],
        Fault::Motion => &["no_signal", "leads_off", "wave_gap"],
        Fault::NetworkCut | Fault::Stall | Fault::Expired => {
            &["device_silent", "no_signal", "wave_gap", "data_late"]
        }
        Fault::ClockWrong { .. } | Fault::ClockDrift { .. } => {
            &["clock_wrong", "data_late", "wave_gap", "no_signal"]
        }
        Fault::Battery { .. } | Fault::BatteryDrain { .. } => {
            &["battery_low", "battery_nearly_empty"]
        }
        Fault::HalfWritten => &["device_silent", "wave_gap", "no_signal"],
        Fault::SensorDrift { .. } | Fault::Repeats | Fault::Garbage => &[],
    }
}

/// Which alarm a fault should bring about, and within how many seconds.
pub(super) fn expected(
    instrument: &Instrument,
    fault: &Fault,
    lasts_s: f64,
) -> Option<(&'static [&'static str], f64)> {
    let kind = instrument.enrolled.kind;
    let cadence_s = f64::from(kind.cadence_s(instrument.is_at_home));
    let silent_s = f64::from(kind.silent_after_s());
    let is_steady = silent_s < 60.0;
    match fault {
        Fault::LeadsOff if kind.has_electrodes() && lasts_s >= 12.0 => Some((&["leads_off"], 25.0)),
        // Its end is noticed at once, if the device is one that is always there.
        Fault::NetworkCut | Fault::Expired if is_steady && lasts_s >= 3.0 => {
            Some((&["device_silent"], 25.0))
        }
        Fault::NetworkCut | Fault::Stall | Fault::Expired if lasts_s >= silent_s + 5.0 => {
            Some((&["device_silent"], silent_s + 20.0))
        }
        Fault::ClockWrong { ahead_s }
            if kind.is_synchronised()
                && ahead_s.abs() > 3.0
                && lasts_s > 45.0 + 2.0 * cadence_s =>
        {
            Some((&["clock_wrong"], 60.0 + 2.0 * cadence_s))
        }
        Fault::ClockDrift { gains_s_per_hour }
            if kind.is_synchronised() && !matches!(kind, Kind::WeightScale | Kind::Spirometer) =>
        {
            let wrong_after_s = 3.0 / gains_s_per_hour.abs() * 3_600.0;
            (lasts_s > wrong_after_s + 60.0)
                .then_some((&["clock_wrong"], wrong_after_s + 60.0 + 2.0 * cadence_s))
        }
        Fault::Battery { percent } => battery(*percent, 0.0, lasts_s, cadence_s),
        Fault::BatteryDrain { percent_per_hour } => {
            let low_after_s =
                (instrument.battery_percent - 18.0).max(0.0) / percent_per_hour * 3_600.0;
            battery(18.0, low_after_s, lasts_s, cadence_s)
        }
        _ => None,
    }
}

fn battery(
    percent: f64,
    from_s: f64,
    lasts_s: f64,
    cadence_s: f64,
) -> Option<(&'static [&'static str], f64)> {
    let within_s = from_s + 90.0 + 3.0 * cadence_s;
    (percent < 19.0 && lasts_s > within_s)
        .then_some((&["battery_low", "battery_nearly_empty"], within_s))
}
