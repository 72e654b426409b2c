//! The score: complete, incomplete, aged, and what it asks for.

use super::*;
use crate::view::{News2, News2Input, PartState, Risk, Trend};

fn score(ward: &Ward) -> News2 {
    ward.core.patient_page(id(ILSE), Cursor(0), ward.now).unwrap().news2
}

/// Everything that a monitor gives; the rest is charted.
fn vitals(ward: &mut Ward, second: u32, rate: f64, saturation: f64) {
    let samples = [
        (Vital::HeartRate, Some(rate)),
        (Vital::Saturation, Some(saturation)),
        (Vital::RespiratoryRate, Some(16.0)),
        (Vital::SystolicPressure, Some(120.0)),
        (Vital::Temperature, Some(36.8)),
    ];
    ward.reads(f64::from(second), MONITOR, &samples);
}

fn chart(ward: &mut Ward, consciousness: Consciousness) {
    let charting = Charting {
        patient: id(ILSE),
        observed_at: ward.now,
        consciousness: Some(consciousness),
        oxygen: Some(Oxygen::Air),
        breaths_per_min: None,
        note: Redacted(String::new()),
        feeling: None,
    };
    assert_eq!(ward.asks(Actor::User(id(PRIYA)), Wish::Chart(charting)), Ok(None));
}

#[test]
fn an_incomplete_score_has_no_total_and_names_what_is_missing() {
    let mut ward = Ward::new();
    vitals(&mut ward, 1, 72.0, 98.0);
    let incomplete = score(&ward);
    assert_eq!(incomplete.total, None);
    assert_eq!(incomplete.missing, [News2Input::Oxygen, News2Input::Consciousness]);
    assert_eq!(incomplete.parts[2].reason, Some("not charted"));
    chart(&mut ward, Consciousness::Alert);
    let complete = score(&ward);
    assert_eq!((complete.total, complete.risk), (Some(0), Some(Risk::Low)));
    assert_eq!(complete.parts[5].state, PartState::Charted);
    assert_eq!(complete.parts[5].value_text, "alert");
    assert_eq!(complete.last_total, Some((0, at(1.0))));
}

#[test]
fn a_rising_score_says_so_and_raises_one_alarm_for_all_its_triggers() {
    let mut ward = Ward::new();
    chart(&mut ward, Consciousness::Alert);
    vitals(&mut ward, 1, 72.0, 98.0);
    chart(&mut ward, Consciousness::NewConfusion);
    // 3 for consciousness, 2 for the pulse, 3 for the saturation: eight.
    for second in 2..=90 {
        vitals(&mut ward, second, 115.0, 91.0);
    }
    let risen = score(&ward);
    assert_eq!(
        (risen.total, risen.risk, risen.trend),
        (Some(8), Some(Risk::High), Some(Trend::Up))
    );
    let titles = ward.titles();
    assert_eq!(titles.iter().filter(|title| title.starts_with("NEWS2")).count(), 1, "{titles:?}");
    assert_eq!(ward.titled("NEWS2 8").unwrap().priority, Priority::High);
    chart(&mut ward, Consciousness::Alert);
    for second in 91..=100 {
        vitals(&mut ward, second, 72.0, 98.0);
    }
    assert_eq!((score(&ward).total, score(&ward).trend), (Some(0), Some(Trend::Down)));
    assert_eq!(ward.titles(), Vec::<String>::new());
}

#[test]
fn what_came_in_one_message_is_scored_once_and_together() {
    let mut ward = Ward::new();
    chart(&mut ward, Consciousness::Alert);
    vitals(&mut ward, 1, 72.0, 98.0);
    ward.decided.clear();
    // 2 for the pulse and 3 for the saturation; a score of one of them alone never was.
    vitals(&mut ward, 2, 115.0, 91.0);
    let total = |it: &Decision| match it {
        Decision::Scored(scored) => Some(scored.total),
        _ => None,
    };
    assert_eq!(ward.decided.iter().filter_map(total).collect::<Vec<_>>(), [Some(5)]);
}

#[test]
fn an_input_that_ages_takes_the_total_with_it_by_time_alone() {
    let mut ward = Ward::new();
    chart(&mut ward, Consciousness::Alert);
    vitals(&mut ward, 1, 72.0, 98.0);
    assert_eq!(score(&ward).total, Some(0));
    ward.decided.clear();
    // Monitored vitals count for five minutes.
    ward.wait_until(at(300.0));
    assert!(!ward.decided.iter().any(|it| matches!(it, Decision::Scored(_))));
    ward.wait_until(at(302.0));
    let aged = score(&ward);
    assert_eq!(aged.total, None);
    assert_eq!(aged.parts[0].state, PartState::Aged);
    assert_eq!(aged.last_total, Some((0, at(1.0))));
    let scored = ward.decided.iter().filter(|it| matches!(it, Decision::Scored(_)));
    assert_eq!(scored.count(), 1);
}

#[test]
fn scale_two_is_an_order_and_scores_again_at_once() {
    let mut ward = Ward::new();
    chart(&mut ward, Consciousness::Alert);
    vitals(&mut ward, 1, 72.0, 90.0);
    assert_eq!(score(&ward).total, Some(3));
    ward.grant(Wish::SetSpO2Scale { patient: id(ILSE), scale: SpO2Scale::Two });
    assert_eq!((score(&ward).total, score(&ward).scale), (Some(0), SpO2Scale::Two));
}
