//! How each alarm behaves unless somebody set it otherwise: delays, ages, quiet times.
//!
//! [`rule`] serves every kind; [`limit_rule`] takes delay and priority from a
//! person's own limit.

use std::time::Duration;

use model::{LimitSide, Priority, Vital};

use crate::{
    alarm::{NEVER_OLD, Rule},
    edition::Edition,
    escalation::waits,
    kind::AlarmKind,
};

/// Where the numbers of this module come from.
pub const RULES: Edition = Edition::first(
    "alarm rules",
    "Wardline's own choice; ages after the clinical reference, section 13 (1 Hz numeric 10 s, \
     pressure 2 intervals, CGM 20 min); delays after Rheineck and Lansdowne in section 3.4",
    false, // Delays and quiet times are for a site to approve.
);

/// The longest that one acknowledgement keeps an alarm of this priority quiet.
pub const fn quiet_for_max(priority: Priority) -> Duration {
    Duration::from_secs(match priority {
        Priority::High => 10 * 60,
        Priority::Medium => 30 * 60,
        Priority::Low => 120 * 60,
    })
}

/// The age from which a value of this vital is late, and silence is “no signal”.
///
/// `cadence` is how often the device gives one; a slow channel is given three rounds
/// (a cuff two), a fast one never less than its class limit.
pub fn max_age(vital: Vital, cadence: Option<Duration>) -> Duration {
    let (rounds, floor_s, unknown_s) = match vital {
        Vital::HeartRate | Vital::PulseRate | Vital::Saturation | Vital::RespiratoryRate => {
            (3, 10, 10)
        }
        Vital::SystolicPressure | Vital::DiastolicPressure | Vital::MeanPressure => {
            (2, 60, 60 * 60)
        }
        Vital::Glucose => (4, 20 * 60, 20 * 60),
        Vital::Temperature => (3, 30, 4 * 60 * 60),
        Vital::BatteryLevel => (3, 60, 60 * 60),
    };
    cadence.map_or(Duration::from_secs(unknown_s), |cadence| {
        cadence.saturating_mul(rounds).max(Duration::from_secs(floor_s))
    })
}

/// The age from which beats and electrodes say nothing of now.
const RHYTHM_MAX_AGE: Duration = Duration::from_secs(10);
const LEADS_MAX_AGE: Duration = Duration::from_secs(60);

/// The rule of this kind; `cadence` is that of the channel it watches, where there is one.
pub fn rule(kind: AlarmKind, cadence: Option<Duration>) -> Rule {
    let rounds =
        |floor: Duration| cadence.map_or(floor, |cadence| cadence.saturating_mul(3).max(floor));
    let (delay_s, max_age) = match kind {
        AlarmKind::Limit(vital, _) => (5, max_age(vital, cadence)),
        AlarmKind::Desaturation => (5, max_age(Vital::Saturation, cadence)),
        AlarmKind::Asystole | AlarmKind::ExtremeBradycardia | AlarmKind::ExtremeTachycardia => {
            (0, rounds(RHYTHM_MAX_AGE))
        }
        // The score ages its inputs itself and is computed at the instant it is weighed.
        AlarmKind::Score(_) => (60, NEVER_OLD),
        AlarmKind::LeadsOff => (5, rounds(LEADS_MAX_AGE)),
        AlarmKind::BatteryLow => (30, max_age(Vital::BatteryLevel, cadence)),
        AlarmKind::BatteryNearlyEmpty => (10, max_age(Vital::BatteryLevel, cadence)),
        // These look at silence, lateness or ourselves: what they see is of now.
        AlarmKind::NoSignal | AlarmKind::PipelineSlow => (5, NEVER_OLD),
        AlarmKind::ClockWrong | AlarmKind::DataLate => (30, NEVER_OLD),
        AlarmKind::DeviceSilent
        | AlarmKind::NotRecording
        | AlarmKind::RecordGap
        | AlarmKind::WaveGap => (0, NEVER_OLD),
    };
    made(kind.priority(), kind.latches(), Duration::from_secs(delay_s), max_age)
}

/// The rule of a person's own limit, with its delay and its priority.
pub fn limit_rule(vital: Vital, side: &LimitSide, cadence: Option<Duration>) -> Rule {
    made(side.priority, false, side.delay, max_age(vital, cadence))
}

fn made(priority: Priority, latching: bool, delay: Duration, max_age: Duration) -> Rule {
    let (quiet_for_max, escalate_after) = (quiet_for_max(priority), waits(priority));
    Rule { priority, latching, delay, quiet_for_max, escalate_after, max_age }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_rule_that_can_sound_and_climb() {
        for kind in AlarmKind::all() {
            for cadence in [None, Some(1), Some(300)].map(|c| c.map(Duration::from_secs)) {
                let rule = rule(kind, cadence);
                assert_eq!(rule.priority, kind.priority());
                assert_eq!(rule.latching, kind.latches());
                assert!(!rule.escalate_after.is_empty(), "{kind:?} climbs to nobody");
                // A pending alarm must be able to mature while evidence keeps coming.
                assert!(rule.max_age > cadence.unwrap_or_default(), "{kind:?} goes blind");
                assert!(rule.quiet_for_max > Duration::ZERO);
            }
        }
    }

    #[test]
    fn a_slow_channel_is_not_blind_between_two_of_its_values() {
        let check = |vital, cadence_s: Option<u64>, want_s: u64| {
            let age = max_age(vital, cadence_s.map(Duration::from_secs));
            assert_eq!(age, Duration::from_secs(want_s), "{vital:?} {cadence_s:?}");
        };
        check(Vital::HeartRate, None, 10);
        check(Vital::HeartRate, Some(1), 10);
        check(Vital::HeartRate, Some(5), 15);
        check(Vital::SystolicPressure, Some(900), 1_800);
        check(Vital::SystolicPressure, None, 3_600);
        check(Vital::Temperature, Some(60), 180);
        check(Vital::Glucose, Some(300), 1_200);
    }

    #[test]
    fn a_persons_limit_sets_delay_and_priority_and_the_ladder_follows() {
        let side = LimitSide {
            limit_thousandths: 88_000,
            clears_at_thousandths: 90_000,
            delay: Duration::from_secs(7),
            priority: Priority::High,
        };
        let rule = limit_rule(Vital::Saturation, &side, Some(Duration::from_secs(1)));
        assert_eq!((rule.priority, rule.delay), (Priority::High, Duration::from_secs(7)));
        assert_eq!(rule.escalate_after, waits(Priority::High));
        assert_eq!(rule.quiet_for_max, Duration::from_secs(600));
        assert!(!rule.latching);
    }
}
