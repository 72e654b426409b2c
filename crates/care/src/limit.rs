//! The limit condition: a quantity above or below a level, with hysteresis.
//!
//! One type serves every vital; this is the door at which a measure, still in
//! the unit of its source, becomes a quantity. The default limits stand here too,
//! with their source: each is a default that a site must approve.

use std::time::Duration;

use model::{LimitSet, LimitSide, Priority, QuantityError, Sample, Vital};

use crate::{alarm::Verdict, edition::Edition};

#[cfg(test)]
mod tests;

/// On which side of a vital a limit lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Side {
    Low,
    High,
}

/// A level that a vital must not cross, and the level that ends the breach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limit {
    /// What is compared.
    pub vital: Vital,
    /// Which side of the limit is the breach.
    pub side: Side,
    /// Breached beyond this, in thousandths of the vital's unit; the limit itself is no breach.
    pub limit_thousandths: i64,
    /// Over again from here on, in thousandths of the vital's unit.
    pub clears_at_thousandths: i64,
}

impl Limit {
    /// The limit on one side of a person's setting; `None` if that side raises nothing.
    pub fn of(set: &LimitSet, side: Side) -> Option<Self> {
        side_of(set, side).map(|found| Self {
            vital: set.vital,
            side,
            limit_thousandths: found.limit_thousandths,
            clears_at_thousandths: found.clears_at_thousandths,
        })
    }

    /// Says what one sample means; the engine records a refusal and weighs it as no signal (RC-006).
    pub fn weigh(&self, sample: &Sample) -> Result<Verdict, QuantityError> {
        match sample {
            Sample::Measured(measure) => {
                self.vital.thousandths(measure).map(|value| self.weigh_thousandths(value))
            }
            Sample::Missing(_) => Ok(Verdict::NoSignal),
        }
    }

    /// Says what a value in thousandths of the vital's unit means.
    pub const fn weigh_thousandths(&self, value: i64) -> Verdict {
        let (in_breach, recovered) = match self.side {
            Side::High => (value > self.limit_thousandths, value <= self.clears_at_thousandths),
            Side::Low => (value < self.limit_thousandths, value >= self.clears_at_thousandths),
        };
        match (in_breach, recovered) {
            (true, _) => Verdict::Holds,
            (false, true) => Verdict::Over,
            (false, false) => Verdict::Between,
        }
    }
}

/// The side of a setting, if it raises anything.
pub const fn side_of(set: &LimitSet, side: Side) -> Option<&LimitSide> {
    match side {
        Side::Low => set.low.as_ref(),
        Side::High => set.high.as_ref(),
    }
}

/// Why limits cannot be set as asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name every field")]
pub enum LimitError {
    #[error("a limit of the {vital} must lie from {min} to {max} {unit}", vital = .vital.name(), unit = .vital.unit())]
    OutOfRange { vital: Vital, min: i64, max: i64 },
    #[error("the {vital} alarm must clear on the calm side of its limit or at it", vital = .vital.name())]
    ClearsBeyondLimit { vital: Vital },
    #[error("the low limit of the {vital} must lie below the high one, and each clear between them", vital = .vital.name())]
    Crossed { vital: Vital },
    #[error("the delay of the {vital} alarm must be at most {max_s} s", vital = .vital.name())]
    DelayTooLong { vital: Vital, max_s: u64 },
    #[error("a limit of the {vital} must be of medium or high priority", vital = .vital.name())]
    PriorityTooLow { vital: Vital },
}

/// The longest delay that a person may set.
pub const DELAY_MAX: Duration = Duration::from_secs(60);

/// Refuses limits that could never sound, never end, or sound too late (RC-007).
pub fn check(set: &LimitSet) -> Result<(), LimitError> {
    let vital = set.vital;
    let (min, max) = settable(vital);
    for (side, found) in [(Side::Low, set.low), (Side::High, set.high)] {
        let Some(found) = found else { continue };
        let (limit, clears_at) = (found.limit_thousandths, found.clears_at_thousandths);
        let range = min.saturating_mul(1_000)..=max.saturating_mul(1_000);
        if !range.contains(&limit) || !range.contains(&clears_at) {
            return Err(LimitError::OutOfRange { vital, min, max });
        }
        let calm = match side {
            Side::Low => clears_at >= limit,
            Side::High => clears_at <= limit,
        };
        if !calm {
            return Err(LimitError::ClearsBeyondLimit { vital });
        }
        if found.delay > DELAY_MAX {
            return Err(LimitError::DelayTooLong { vital, max_s: DELAY_MAX.as_secs() });
        }
        if found.priority == Priority::Low && vital != Vital::BatteryLevel {
            return Err(LimitError::PriorityTooLow { vital });
        }
    }
    if let (Some(low), Some(high)) = (set.low, set.high) {
        let ordered = low.limit_thousandths < high.limit_thousandths
            && low.clears_at_thousandths <= high.limit_thousandths
            && high.clears_at_thousandths >= low.limit_thousandths;
        if !ordered {
            return Err(LimitError::Crossed { vital });
        }
    }
    Ok(())
}

/// Between which whole units a limit may be set: where a value can be measured at all.
const fn settable(vital: Vital) -> (i64, i64) {
    match vital {
        Vital::BatteryLevel | Vital::Saturation => (1, 100),
        Vital::DiastolicPressure | Vital::MeanPressure => (5, 250),
        Vital::SystolicPressure => (10, 300),
        Vital::Glucose => (20, 1_000),
        Vital::HeartRate | Vital::PulseRate => (20, 300),
        Vital::RespiratoryRate => (1, 150),
        Vital::Temperature => (25, 45),
    }
}

/// Where [`defaults`] come from (clinical reference, section 1.4).
pub const ADULT_LIMITS: Edition = Edition::first(
    "adult limits",
    "SpO2 and rates: Contec CMS8000 and Mindray TMS60 manuals; respiration and pressures: \
     common vendor defaults; temperature: red edges of NEWS2 (RCP 2017); delays and \
     hysteresis: Wardline's own choice",
    false, // Respiration and pressures were not compared with a named source.
);

/// One row: the vital; low and where it clears; high and where it clears; the delay in seconds.
type Row = (Vital, Option<(i64, i64)>, Option<(i64, i64)>, u64);

/// In thousandths of the vital's unit.
const ADULT: [Row; 8] = [
    (Vital::Saturation, Some((90_000, 92_000)), None, 10),
    (Vital::HeartRate, Some((50_000, 53_000)), Some((120_000, 115_000)), 5),
    (Vital::PulseRate, Some((50_000, 53_000)), Some((120_000, 115_000)), 5),
    (Vital::RespiratoryRate, Some((8_000, 10_000)), Some((30_000, 28_000)), 10),
    (Vital::SystolicPressure, Some((90_000, 95_000)), Some((160_000, 155_000)), 0),
    (Vital::DiastolicPressure, Some((50_000, 53_000)), Some((90_000, 87_000)), 0),
    (Vital::MeanPressure, Some((60_000, 63_000)), Some((110_000, 107_000)), 0),
    (Vital::Temperature, Some((35_100, 35_300)), Some((39_000, 38_800)), 0),
];

/// The default limits of an adult on a ward, all of medium priority.
pub fn defaults() -> impl Iterator<Item = LimitSet> {
    ADULT.iter().map(|&(vital, low, high, delay_s)| {
        let side = |(limit_thousandths, clears_at_thousandths)| LimitSide {
            limit_thousandths,
            clears_at_thousandths,
            delay: Duration::from_secs(delay_s),
            priority: Priority::Medium,
        };
        LimitSet { vital, low: low.map(side), high: high.map(side) }
    })
}

/// Where a limit that holds was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// For this patient.
    Patient,
    /// For patients of this age in the care unit.
    AgeBand,
    /// For everybody in the care unit.
    CareUnit,
    /// By nobody: [`defaults`].
    BuiltIn,
}

/// What was set for one vital of one patient, layer by layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layers {
    /// For this patient.
    pub patient: Option<LimitSet>,
    /// For patients of this age in the care unit.
    pub age_band: Option<LimitSet>,
    /// For everybody in the care unit.
    pub care_unit: Option<LimitSet>,
}

// RC-054
/// The limits that hold: the nearest to the patient that somebody set, else the defaults;
/// `None` for a vital that nobody limits. A layer counts whole: its silent side stays silent.
pub fn in_force(layers: &Layers, vital: Vital) -> Option<(LimitSet, Layer)> {
    let set = [
        (layers.patient, Layer::Patient),
        (layers.age_band, Layer::AgeBand),
        (layers.care_unit, Layer::CareUnit),
    ];
    let nearest = set.into_iter().find_map(|(set, layer)| Some((set?, layer)));
    nearest.or_else(|| defaults().find(|it| it.vital == vital).map(|it| (it, Layer::BuiltIn)))
}

/// Where the extreme levels come from (clinical reference, section 1.4).
pub const EXTREMES: Edition = Edition::first(
    "extreme levels",
    "rates: Philips XL+ instructions for use; desaturation: Mindray TMS60 manual; \
     hysteresis: Wardline's own choice",
    true,
);

/// Below the low limit by this is extreme, but never below the floor; /min in thousandths.
const BRADY_BELOW_LOW: i64 = 10_000;
const BRADY_FLOOR: i64 = 30_000;
/// Above the high limit by this is extreme, but never above the cap; /min in thousandths.
const TACHY_ABOVE_HIGH: i64 = 20_000;
const TACHY_CAP: i64 = 200_000;
/// A rate is out of the extreme again once it is back by this; /min in thousandths.
const RATE_CLEARS_BY: i64 = 5_000;
/// Desaturation, in thousandths of a percent.
const DESATURATED: i64 = 80_000;
const DESATURATION_CLEARS_AT: i64 = 83_000;

/// The extreme rates that belong to a patient's own heart or pulse rate limits (RC-008).
///
/// A side that is switched off is measured from the default limit: an extreme rate
/// is never switched off by switching off the ordinary limit. `None` for other vitals.
pub fn extreme_rate(set: &LimitSet, side: Side) -> Option<Limit> {
    let vital = match set.vital {
        Vital::HeartRate | Vital::PulseRate => set.vital,
        Vital::BatteryLevel
        | Vital::DiastolicPressure
        | Vital::Glucose
        | Vital::MeanPressure
        | Vital::RespiratoryRate
        | Vital::Saturation
        | Vital::SystolicPressure
        | Vital::Temperature => return None,
    };
    let fallback = defaults().find(|default| default.vital == vital)?;
    let near = side_of(set, side).or(side_of(&fallback, side))?.limit_thousandths;
    let (limit_thousandths, clears_by) = match side {
        Side::Low => (near.saturating_sub(BRADY_BELOW_LOW).max(BRADY_FLOOR), RATE_CLEARS_BY),
        Side::High => (near.saturating_add(TACHY_ABOVE_HIGH).min(TACHY_CAP), -RATE_CLEARS_BY),
    };
    let clears_at_thousandths = limit_thousandths.saturating_add(clears_by);
    Some(Limit { vital, side, limit_thousandths, clears_at_thousandths })
}

/// Saturation so low that it is always of high priority, whatever the patient's own limit.
pub const fn desaturation() -> Limit {
    Limit {
        vital: Vital::Saturation,
        side: Side::Low,
        limit_thousandths: DESATURATED,
        clears_at_thousandths: DESATURATION_CLEARS_AT,
    }
}
