//! One trouble seen by two sources: a rate by the electrodes, and by the pulse wave.
//!
//! While the electrodes tell that a rate is beyond its limit, a pulse beyond the same limit
//! is the same trouble and gets no alarm of its own. It speaks for itself as soon as that is
//! not sure any more: they see nothing now, it is more urgent, it is further out than they
//! say, or it comes so seldom that it would be heard too late.

use std::time::Duration;

use model::{Priority, Vital};

use crate::{edition::Edition, kind::AlarmKind, limit::Side};

/// Where the numbers of this module come from.
pub const SOURCES: Edition = Edition::first(
    "sources of one rate",
    "Wardline's own choice, after monitors that alarm by one source of heart and pulse rate",
    false, // The pulse deficit is for a site to approve.
);

/// A pulse further out than the heart rate by more than this tells of beats that move no
/// blood, which is a trouble of its own; in thousandths of /min.
const DEFICIT_MAX: i64 = 10_000;

/// A value that may be older than this is not heard again soon enough to be silent meanwhile.
const HEARD_WITHIN: Duration = Duration::from_secs(15);

/// What is known of an alarm that may tell for another, or be told by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// What may be wrong.
    pub kind: AlarmKind,
    /// How urgent it is by its own rule.
    pub priority: Priority,
    /// The age from which its values are late.
    pub max_age: Duration,
    /// Its newest value in thousandths of the vital's unit with its age; `None` if the newest
    /// is no value.
    pub newest: Option<(i64, Duration)>,
}

impl Source {
    /// What it sees now.
    fn sees(&self) -> Option<i64> {
        self.newest.filter(|(_, age)| *age < self.max_age).map(|(value, _)| value)
    }
}

// RC-053
/// Whether a raised alarm tells for another that it [covers](AlarmKind::covers).
pub fn tells_for(told: &Source, other: &Source) -> bool {
    let (AlarmKind::Limit(Vital::HeartRate, side), AlarmKind::Limit(Vital::PulseRate, _)) =
        (told.kind, other.kind)
    else {
        // The greater troubles stand for the lesser ones until a person has seen them.
        return true;
    };
    let (Some(heart), Some((pulse, _))) = (told.sees(), other.newest) else { return false };
    let further = match side {
        Side::Low => heart.saturating_sub(pulse),
        Side::High => pulse.saturating_sub(heart),
    };
    further <= DEFICIT_MAX && told.priority >= other.priority && other.max_age <= HEARD_WITHIN
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate(vital: Vital, side: Side, per_min: i64) -> Source {
        Source {
            kind: AlarmKind::Limit(vital, side),
            priority: Priority::Medium,
            max_age: Duration::from_secs(10),
            newest: Some((per_min * 1_000, Duration::from_secs(1))),
        }
    }

    #[test]
    fn the_electrodes_tell_for_a_pulse_that_says_the_same() {
        let check = |side, heart: i64, pulse: i64, want: bool, why: &str| {
            let (heart, pulse) =
                (rate(Vital::HeartRate, side, heart), rate(Vital::PulseRate, side, pulse));
            assert_eq!(tells_for(&heart, &pulse), want, "{why}");
        };
        check(Side::High, 130, 130, true, "the same rate");
        check(Side::High, 130, 121, true, "a pulse less far out");
        check(Side::High, 130, 140, true, "a pulse further out by as much as may be");
        check(Side::High, 130, 141, false, "a pulse further out by more");
        check(Side::Low, 45, 45, true, "the same rate");
        check(Side::Low, 45, 49, true, "a pulse less far out");
        check(Side::Low, 45, 35, true, "a deficit that may be");
        check(Side::Low, 45, 34, false, "each fourth beat moves no blood");
    }

    #[test]
    fn a_pulse_speaks_for_itself_when_it_is_not_sure_that_it_is_told() {
        let told = rate(Vital::HeartRate, Side::High, 130);
        let other = rate(Vital::PulseRate, Side::High, 130);
        let check = |told: Source, other: Source, want: bool, why: &str| {
            assert_eq!(tells_for(&told, &other), want, "{why}");
        };
        let aged = |it: Source, millis| Source {
            newest: Some((130_000, Duration::from_millis(millis))),
            ..it
        };
        let late_after = |seconds| Source { max_age: Duration::from_secs(seconds), ..other };
        check(told, other, true, "both see the same");
        check(aged(told, 9_999), other, true, "the heart rate is of now, just so");
        check(aged(told, 10_000), other, false, "the heart rate is late");
        check(Source { newest: None, ..told }, other, false, "the electrodes are off");
        check(told, Source { newest: None, ..other }, false, "nobody knows how far out it is");
        check(told, Source { priority: Priority::High, ..other }, false, "it is more urgent");
        check(Source { priority: Priority::High, ..told }, other, true, "it is less urgent");
        check(told, late_after(15), true, "it is heard again soon");
        check(told, late_after(16), false, "a cuff measures only now and then");
    }

    #[test]
    fn only_the_electrodes_are_preferred_and_only_on_the_same_side() {
        let limits = |vital| [Side::Low, Side::High].map(|side| AlarmKind::Limit(vital, side));
        let is_limit = |kind: &AlarmKind| matches!(kind, AlarmKind::Limit(..));
        for one in AlarmKind::all().filter(is_limit) {
            let covered: Vec<_> = AlarmKind::all().filter(|other| one.covers(*other)).collect();
            let at = limits(Vital::HeartRate).iter().position(|kind| *kind == one);
            let want = at.map(|at| limits(Vital::PulseRate)[at]);
            assert_eq!(covered, want.into_iter().collect::<Vec<_>>(), "{one:?}");
        }
        let blind = Source { newest: None, ..rate(Vital::HeartRate, Side::Low, 0) };
        let asystole = Source { kind: AlarmKind::Asystole, ..blind };
        assert!(tells_for(&asystole, &rate(Vital::PulseRate, Side::Low, 30)));
    }

    proptest! {
        // RC-053
        #[test]
        fn no_pulse_is_hidden_that_is_worse_than_what_is_told(
            heart in prop::option::of(-10_i64..400), pulse in -10_i64..400, is_low: bool,
            told in 0_usize..3, other in 0_usize..3, age_s in 0_u64..30, late_s in 1_u64..2_000,
        ) {
            let side = if is_low { Side::Low } else { Side::High };
            let order = [Priority::Low, Priority::Medium, Priority::High];
            let told = Source {
                priority: order[told],
                newest: heart.map(|heart| (heart * 1_000, Duration::from_secs(age_s))),
                ..rate(Vital::HeartRate, side, 0)
            };
            let other = Source {
                priority: order[other],
                max_age: Duration::from_secs(late_s),
                ..rate(Vital::PulseRate, side, pulse)
            };
            if tells_for(&told, &other) {
                prop_assert!(told.priority >= other.priority && late_s <= 15 && age_s < 10);
                let heart = heart.unwrap();
                let is_told = if is_low { pulse + 10 >= heart } else { pulse <= heart + 10 };
                prop_assert!(is_told);
            }
        }
    }
}
