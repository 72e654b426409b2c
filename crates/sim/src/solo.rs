//! A body with one device, apart from any hospital: thousands of them are a load.
//!
//! Each lives by its own messages and not by a clock: the same seed says the same values in
//! the same order, however fast or slowly they leave.

use std::sync::Arc;

use model::Timestamp;

use crate::{
    device::Enrolled,
    ecg::Recording,
    hospital::{Act, STEP_MS, Sent},
    illness::{Case, Illness},
    instrument::{Instrument, Trouble},
    patient::Patient,
    physiology::AtRest,
    rng::Rng,
};

/// Of so many bodies one falls ill.
const WELL_TO_ILL: u64 = 8;
/// It does so within this of its life, in seconds.
const ILL_WITHIN_S: f64 = 600.0;
/// From there until it begins to pass, in seconds.
const ILL_FOR_S: f64 = 900.0;
/// Chance of its own, apart from that of bodies and devices.
const PURPOSE: u64 = 1 << 40;

/// A body, and the one device that measures it.
#[derive(Clone, Debug)]
pub struct Solo {
    patient: Patient,
    instrument: Instrument,
    steps: u64,
    /// The device's message before.
    before: Option<Timestamp>,
}

impl Solo {
    /// The body of this number among all, with its device; `boot` tells its messages from
    /// those of an earlier run of the same device.
    pub fn new(seed: u64, number: usize, enrolled: Enrolled, boot: u64) -> Self {
        let mut rng = Rng::new(seed, PURPOSE + number as u64);
        let mut around = |value: f64, spread: f64| value + spread * rng.normal_fraction();
        let adult = AtRest::ADULT;
        let at_rest = AtRest {
            heart_rate_per_min: around(adult.heart_rate_per_min, 8.0).clamp(48.0, 105.0),
            breaths_per_min: around(adult.breaths_per_min, 1.5).clamp(10.0, 22.0),
            saturation_percent: around(adult.saturation_percent, 1.0).clamp(92.0, 97.5),
            systolic_mmhg: around(adult.systolic_mmhg, 10.0).clamp(100.0, 165.0),
            diastolic_mmhg: around(adult.diastolic_mmhg, 6.0).clamp(55.0, 95.0),
            temperature_cel: around(adult.temperature_cel, 0.2).clamp(36.0, 37.6),
            ..adult
        };
        let mut patient = Patient::new(at_rest, Recording::silent(), seed, number);
        if rng.next().is_multiple_of(WELL_TO_ILL) {
            let which = usize::try_from(rng.next()).unwrap_or(0) % Illness::ALL.len();
            let illness = Illness::ALL.get(which).copied().unwrap_or(Illness::Pain);
            let from_s = ILL_WITHIN_S * rng.unit_fraction();
            let mut case = Case::new(illness, from_s);
            case.until_s = from_s + ILL_FOR_S;
            patient.fall_ill(case);
        }
        let mut instrument = Instrument::new(enrolled, number, false, seed);
        (instrument.sends_waves, instrument.boot) = (false, boot);
        Self { patient, instrument, steps: 0, before: None }
    }

    /// Which run of the device this is.
    pub const fn boot(&self) -> u64 {
        self.instrument.boot
    }

    /// Lives until its device has something to say, and says it as measured and sent at `at`,
    /// or a millisecond after its message before: no sample stands for two.
    ///
    /// For a monitor that is a second of its life.
    pub fn speak(&mut self, at: Timestamp) -> Arc<Sent> {
        let at = self
            .before
            .map_or(at, |before| at.max(before.after(std::time::Duration::from_millis(1))));
        self.before = Some(at);
        loop {
            self.steps += 1;
            let second = (self.steps * u64::from(STEP_MS)) as f64 / 1_000.0;
            self.patient.live(second);
            let acts =
                self.instrument.act(&self.patient, (self.steps, at), Trouble { faults: &[] });
            // Each kind has its rounds, so the next word comes within one of them.
            let said = acts.into_iter().find_map(|act| match act {
                Act::Send(sent) => Some(sent),
                Act::Cut | Act::Expire | Act::Restore => None,
            });
            if let Some(sent) = said {
                return Arc::new(sent);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use model::Id;

    use super::*;
    use crate::device::Kind;

    const START: Timestamp = Timestamp::from_unix_millis(1_795_219_200_000);

    fn solo(seed: u64, number: usize) -> Solo {
        let (id, site) = (Id::v7(START, 7), Id::v7(START, 2));
        let enrolled = Enrolled {
            id,
            site,
            kind: Kind::BedsideMonitor,
            bed_index: 0,
            serial: "D-1".to_owned(),
        };
        Solo::new(seed, number, enrolled, 0xa3)
    }

    /// What it says in so many messages, each so many milliseconds after the one before.
    fn said(solo: &mut Solo, count: u32, every_ms: u64) -> Vec<String> {
        let at = |n: u32| START.after(std::time::Duration::from_millis(every_ms * u64::from(n)));
        (0..count).map(|n| String::from_utf8(solo.speak(at(n)).payload.to_vec()).unwrap()).collect()
    }

    #[test]
    fn a_seed_and_a_number_tell_every_message() {
        let all = |seed, number| said(&mut solo(seed, number), 200, 1_000);
        assert_eq!(all(1, 4), all(1, 4));
        assert_ne!(all(1, 4), all(2, 4));
        assert_ne!(all(1, 4), all(1, 5));
        // How fast it goes changes the times and nothing else.
        let values = |texts: Vec<String>| -> Vec<Vec<String>> {
            let of = |text: &String| {
                text.split("\"v\":").map(|it| it.chars().take(3).collect()).collect()
            };
            texts.iter().map(of).collect()
        };
        let (slow, fast) = (said(&mut solo(1, 4), 50, 1_000), said(&mut solo(1, 4), 50, 10));
        let without_times = |all: Vec<String>| -> Vec<Vec<String>> {
            // The first four values of a message are the time of sending and three of the count.
            values(all).into_iter().map(|it| it.into_iter().skip(3).collect()).collect()
        };
        assert_eq!(without_times(slow), without_times(fast));
    }

    #[test]
    fn messages_are_counted_and_none_has_the_time_of_another() {
        let texts = said(&mut solo(1, 0), 5, 0);
        for (seq, text) in texts.iter().enumerate() {
            assert!(text.contains("\"vs\":\"00000000000000a3\""), "{text}");
            assert!(text.contains(&format!("{{\"n\":\"wl:seq\",\"v\":{seq}}}")), "{text}");
            assert!(text.contains("MDC_ECG_HEART_RATE"), "{text}");
        }
        let base = |text: &String| text.split(',').next().unwrap().to_owned();
        let mut bases: Vec<_> = texts.iter().map(base).collect();
        bases.dedup();
        assert_eq!(bases.len(), 5, "{bases:?}");
    }

    #[test]
    fn some_of_a_crowd_fall_ill_and_most_are_well() {
        let is_ill = |number: usize| {
            let mut one = solo(1, number);
            said(&mut one, 620, 1_000);
            one.patient.illnesses().next().is_some()
        };
        let ill = (0..80).filter(|number| is_ill(*number)).count();
        assert!((3..=20).contains(&ill), "{ill} of 80");
    }
}
