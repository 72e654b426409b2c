//! Heart rate and pulse of one patient: one trouble is one alarm, and none is lost.

use care::{kind::AlarmKind, limit::Side};
use proptest::prelude::*;

use super::*;

/// Gives heart rate and pulse to Ilse; to her neighbours only one of both each, so that
/// nothing there can take the place of anything.
struct Three {
    ward: Ward,
    second: u32,
}

const BOTH: u128 = 0;
const HEART: u128 = 1;
const PULSE: u128 = 2;

impl Three {
    fn new() -> Self {
        let mut ward = Ward::new();
        ward.move_in(HEART);
        ward.move_in(PULSE);
        Self { ward, second: 0 }
    }

    /// One second with these rates; `None` is a sensor that is off.
    fn second(&mut self, heart: Option<f64>, pulse: Option<f64>) {
        self.second += 1;
        let second = f64::from(self.second);
        let (heart, pulse) = ((Vital::HeartRate, heart), (Vital::PulseRate, pulse));
        self.ward.reads(second, MONITOR + BOTH, &[heart, pulse]);
        self.ward.reads(second, MONITOR + HEART, &[heart]);
        self.ward.reads(second, MONITOR + PULSE, &[pulse]);
    }

    fn seconds(&mut self, count: u32, heart: Option<f64>, pulse: Option<f64>) {
        for _ in 0..count {
            self.second(heart, pulse);
        }
    }

    /// What stands of a patient's rates on a side: by the heart, by the pulse.
    fn stands(&self, number: u128, side: Side) -> (bool, bool) {
        let is = |vital| self.alarm_of(number, vital, side).is_some();
        (is(Vital::HeartRate), is(Vital::PulseRate))
    }

    fn alarm_of(&self, number: u128, vital: Vital, side: Side) -> Option<Alarm> {
        let key = AlarmKind::Limit(vital, side).key();
        let of = |it: &Alarm| it.patient == Some(id(ILSE + number)) && it.key == key;
        self.ward.standing().into_iter().find(of)
    }

    #[track_caller]
    fn shows(&self, want: (bool, bool), why: &str) {
        let found = [Side::Low, Side::High].map(|side| self.stands(BOTH, side));
        let found = (found[0].0 || found[1].0, found[0].1 || found[1].1);
        assert_eq!(found, want, "heart rate and pulse alarm: {why}");
    }
}

#[test]
fn one_trouble_of_two_sources_is_one_alarm_and_the_pulse_takes_over_when_the_ecg_is_blind() {
    let mut it = Three::new();
    it.seconds(10, Some(130.0), Some(131.0));
    it.shows((true, false), "both tell the same");
    it.seconds(5, None, Some(131.0));
    it.shows((true, false), "the pulse waits its delay before it speaks");
    it.seconds(3, None, Some(131.0));
    it.shows((true, true), "the electrodes are off and end nothing, and the pulse is told");
    it.seconds(3, Some(130.0), Some(131.0));
    it.shows((true, false), "the electrodes see it again");
    it.seconds(20, Some(130.0), None);
    it.shows((true, false), "the probe is off");
    it.seconds(3, Some(80.0), Some(131.0));
    it.shows((false, false), "the heart rate is over, and the pulse begins its delay");
    it.seconds(5, Some(80.0), Some(131.0));
    it.shows((false, true), "the pulse goes on without the heart rate");
    it.seconds(7, Some(130.0), Some(131.0));
    it.shows((true, false), "the preferred source takes the place of the other");
}

#[test]
fn a_pulse_that_tells_more_than_the_heart_rate_is_told_beside_it() {
    let mut it = Three::new();
    it.seconds(10, Some(45.0), Some(44.0));
    it.shows((true, false), "both tell the same");
    it.seconds(8, Some(45.0), Some(30.0));
    it.shows((true, true), "beats that move no blood are a trouble of their own");
    it.seconds(3, Some(45.0), Some(44.0));
    it.shows((true, false), "now both tell the same again");
}

#[test]
fn an_alarm_that_a_person_ended_hides_no_pulse() {
    let mut it = Three::new();
    it.seconds(10, Some(130.0), Some(131.0));
    let alarm = it.ward.titled("Heart rate high 130 /min");
    let alarm = alarm.into_iter().find(|alarm| alarm.patient == Some(id(ILSE))).unwrap();
    let words = Redacted(String::new());
    let wish = Wish::EndAlarm { alarm: alarm.id, reason: EndReason::Artefact, words };
    it.ward.asks(Actor::User(id(PRIYA)), wish).unwrap();
    it.shows((false, false), "artefact, says a person");
    it.seconds(8, Some(80.0), Some(131.0));
    it.shows((false, true), "and the pulse goes on");
}

/// Rates around the limits of 50 and 120, with a sensor that is off now and then.
fn any_rate() -> impl Strategy<Value = Option<f64>> {
    let rates = vec![30.0, 44.0, 48.0, 52.0, 80.0, 117.0, 122.0, 131.0, 150.0];
    prop_oneof![1 => Just(None), 6 => prop::sample::select(rates).prop_map(Some)]
}

/// The delay of five seconds with the second in which the sources change.
const GRACE_S: u32 = 7;

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    // RC-053
    #[test]
    fn whatever_one_source_alone_would_tell_is_told_of_both(
        spans in prop::collection::vec((1_u32..25, any_rate(), any_rate()), 1..9),
    ) {
        let mut it = Three::new();
        let mut untold = [0_u32; 2];
        for (seconds, heart, pulse_rate) in spans {
            for _ in 0..seconds {
                it.second(heart, pulse_rate);
                for (side, untold) in [Side::Low, Side::High].into_iter().zip(&mut untold) {
                    let (by_heart, by_pulse) = it.stands(BOTH, side);
                    // The preferred source is what it would be without the other.
                    prop_assert_eq!(by_heart, it.stands(HEART, side).0);
                    let pulse = it.alarm_of(PULSE, Vital::PulseRate, side);
                    let alone = it.stands(HEART, side).0 || pulse.is_some();
                    let is_told = by_heart || by_pulse;
                    // A pulse alarm that stands only because its probe is off, or by hysteresis,
                    // ends with both when the heart rate is seen to be well.
                    let is_beyond = pulse_rate.is_some_and(|rate| match side {
                        Side::Low => rate < 50.0,
                        Side::High => rate > 120.0,
                    });
                    let is_seen = it.stands(HEART, side).0 || (pulse.is_some() && is_beyond);
                    *untold = if is_seen && !is_told { *untold + 1 } else { 0 };
                    prop_assert!(*untold <= GRACE_S, "untold for {} s at {}", untold, it.second);
                    prop_assert!(alone || !is_told, "told by nobody alone at {}", it.second);
                }
            }
        }
        // What a restart makes of the journal is what stands.
        it.ward.settle();
        let (core, _) = it.ward.restarted(None, &it.ward.log);
        let scope = AlarmScope::CareUnit(id(UNIT));
        prop_assert_eq!(core.alarms_of(scope), it.ward.core.alarms_of(scope));
    }
}
