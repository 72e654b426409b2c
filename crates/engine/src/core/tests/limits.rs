//! Bounds of what people may ask and of what is kept: at the limit, and one beyond it.

use std::time::Duration;

use model::Charting;

use super::*;
use crate::limits::{
    CHARTING_AGE_MAX, CHARTINGS_KEPT_MAX, ENDED_ALARMS_KEPT_MAX, FUTURE_MAX, QUIET_MAX,
};

const MOMENT: Duration = Duration::from_nanos(1);

impl Ward {
    fn charts_at(&mut self, observed_at: Timestamp) -> Result<(), Reason> {
        let charting = Charting {
            patient: id(ILSE),
            observed_at,
            consciousness: None,
            oxygen: None,
            breaths_per_min: Some(16),
            note: Redacted(String::new()),
            feeling: None,
        };
        let answer = self.asks(Actor::User(id(PRIYA)), Wish::Chart(charting));
        answer.map(|_| ()).map_err(|(reason, _)| reason)
    }
}

fn ward() -> Ward {
    let mut ward = Ward::new();
    ward.move_in(1);
    ward
}

#[test]
fn an_observation_is_charted_within_a_day_and_hardly_ahead() {
    let mut ward = ward();
    let now = ward.now;
    assert_eq!(ward.charts_at(now.before(CHARTING_AGE_MAX)), Ok(()));
    let older = now.before(CHARTING_AGE_MAX + MOMENT);
    assert_eq!(ward.charts_at(older), Err(Reason::WrongTime));
    assert_eq!(ward.charts_at(now.after(FUTURE_MAX)), Ok(()));
    assert_eq!(ward.charts_at(now.after(FUTURE_MAX + MOMENT)), Err(Reason::WrongTime));
}

#[test]
fn an_acknowledgement_lasts_a_second_to_an_hour() {
    let mut ward = ward();
    let mut asks = |quiet_for| {
        let wish = Wish::Acknowledge { alarm: id(0x999), quiet_for };
        ward.asks(Actor::User(id(PRIYA)), wish).unwrap_err().0
    };
    let second = Duration::from_secs(1);
    for refused in [Duration::ZERO, second - MOMENT, QUIET_MAX + MOMENT] {
        assert_eq!(asks(refused), Reason::Unusable, "{refused:?}");
    }
    for held in [second, QUIET_MAX] {
        assert_ne!(asks(held), Reason::Unusable, "{held:?}");
    }
}

#[test]
fn a_page_keeps_so_many_acts_of_charting_and_forgets_the_oldest() {
    let mut ward = ward();
    let begun = ward.now;
    for number in 0..=CHARTINGS_KEPT_MAX {
        let at = begun.after(Duration::from_secs(number as u64));
        ward.wait_until(at);
        assert_eq!(ward.charts_at(at), Ok(()));
        let page = ward.core.patient_page(id(ILSE), Cursor(0), at).unwrap();
        assert_eq!(page.charting.len(), (number + 1).min(CHARTINGS_KEPT_MAX));
    }
    let page = ward.core.patient_page(id(ILSE), Cursor(0), ward.now).unwrap();
    let oldest = page.charting.last().unwrap();
    assert_eq!(oldest.charting.observed_at, begun.after(Duration::from_secs(1)));
}

#[test]
fn so_many_ended_alarms_are_answered_for_and_the_oldest_is_in_the_records() {
    let mut ward = ward();
    let mut first = None;
    for number in 0..=ENDED_ALARMS_KEPT_MAX {
        for recording in [view::Recording::DiskFull, view::Recording::Yes] {
            ward.wait_until(ward.now.after(Duration::from_secs(1)));
            let at = ward.now;
            ward.core.notice(Notice::Recording { recording, at }, &mut ward.out);
            if first.is_none() {
                first = ward.core.alarms_of(AlarmScope::CareUnit(id(UNIT))).first().map(|it| it.id);
            }
            ward.tell();
        }
        let is_known = ward.core.alarm(first.unwrap()).is_some();
        assert_eq!(is_known, number < ENDED_ALARMS_KEPT_MAX, "after {number} more");
    }
}
