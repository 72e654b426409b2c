//! What staff do about an alarm: when they come, whether they come, and what they try.
//!
//! They know what the alarm says and nothing more; whether it helps is up to the body.

use std::time::Duration;

use crate::{rng::Rng, treatment::Treatment};

/// What somebody does at the bedside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Something for the patient.
    Treat(Treatment),
    /// Something for the device.
    Mend,
}

/// Somebody who comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coming {
    /// So long after they were told.
    pub after: Duration,
    /// What they do once they are there.
    pub remedies: Vec<Remedy>,
}

/// The people of a shift, with their habits.
#[derive(Clone, Debug)]
pub struct Shift {
    rng: Rng,
    /// Share of alarms that nobody answers the first time.
    misses_fraction: f64,
}

impl Shift {
    /// A shift by a seed; `misses_fraction` of what it is told goes unheard.
    pub const fn new(seed: u64, misses_fraction: f64) -> Self {
        Self { rng: Rng::new(seed, 77), misses_fraction }
    }

    /// Somebody is told of an alarm; `None` if nobody comes this time.
    pub fn hear(&mut self, key: &str, priority: &str) -> Option<Coming> {
        let is_missed = self.rng.unit_fraction() < self.misses_fraction;
        let (least_s, most_s) = match priority {
            "high" => (10.0, 40.0),
            "medium" => (30.0, 150.0),
            _ => (120.0, 900.0),
        };
        let after =
            Duration::from_secs_f64(least_s + (most_s - least_s) * self.rng.unit_fraction());
        // Whoever hears the loudest always comes.
        (!is_missed || priority == "high").then(|| Coming { after, remedies: remedies(key) })
    }
}

/// What one tries, by what the alarm says.
fn remedies(key: &str) -> Vec<Remedy> {
    use Treatment as T;
    let treat = |list: &[T]| list.iter().map(|it| Remedy::Treat(*it)).collect();
    match key {
        "asystole" => treat(&[T::Compressions, T::Shock, T::Adrenaline]),
        "extreme_tachycardia" => treat(&[T::Compressions, T::Shock]),
        "extreme_bradycardia" => treat(&[T::Pacing]),
        "heart_rate.high" | "pulse_rate.high" => treat(&[T::RateControl, T::Analgesia]),
        "desaturation" | "saturation.low" => treat(&[T::Oxygen, T::Bronchodilator]),
        "respiratory_rate.low" => treat(&[T::Naloxone]),
        "respiratory_rate.high" => treat(&[T::Oxygen, T::Bronchodilator, T::Diuretic]),
        "systolic_pressure.low" | "mean_pressure.low" | "diastolic_pressure.low" => {
            treat(&[T::Fluids, T::Surgery])
        }
        "glucose.low" => treat(&[T::Glucose]),
        "temperature.high" | "news2.medium" | "news2.high" => {
            treat(&[T::Antibiotics, T::Fluids, T::Oxygen])
        }
        "leads_off"
        | "device_silent"
        | "no_signal"
        | "wave_gap"
        | "clock_wrong"
        | "battery_low"
        | "battery_nearly_empty" => vec![Remedy::Mend],
        _ => Vec::new(),
    }
}

#[test]
fn a_shift_comes_to_what_is_urgent_and_misses_some_of_the_rest() {
    let mut shift = Shift::new(4, 0.3);
    let urgent: Vec<_> = (0..200).map(|_| shift.hear("asystole", "high")).collect();
    assert!(
        urgent.iter().all(|coming| {
            coming.as_ref().is_some_and(|it| it.after <= Duration::from_secs(40))
        })
    );
    let missed = (0..400).filter(|_| shift.hear("saturation.low", "medium").is_none()).count();
    assert!((80..160).contains(&missed), "{missed} of 400");
    assert_eq!(shift.hear("leads_off", "high").map(|it| it.remedies), Some(vec![Remedy::Mend]));
}
