//! What a clinician would expect of each illness, and of what is done against it.

use model::Consciousness;

use super::*;
use crate::{
    illness::{Case, Illness},
    treatment::Treatment,
};

/// A body that lives with one illness, and is treated at some second.
fn after(illness: Illness, seconds: u32, treated: Option<(u32, Treatment)>) -> Body {
    let mut physiology = Physiology::new(AtRest::ADULT);
    let mut case = Case::new(illness, 0.0);
    for second in 0..seconds {
        if let Some((_, treatment)) = treated.filter(|(at, _)| *at == second) {
            case.treat(treatment);
            if treatment == Treatment::Oxygen {
                physiology.oxygen = 0.45;
            }
        }
        case.live(1.0);
        let mut drives = Drives::default();
        case.drive(f64::from(second), &mut drives);
        physiology.live(1.0, &drives);
    }
    physiology.body()
}

#[track_caller]
fn between(what: &str, value: f64, from: f64, to: f64) {
    assert!((from..=to).contains(&value), "{what} is {value:.1}, not {from} to {to}");
}

#[test]
fn a_body_at_rest_stays_as_it_was_described() {
    let mut physiology = Physiology::new(AtRest::ADULT);
    for _ in 0..3_600 {
        physiology.live(1.0, &Drives::default());
    }
    let body = physiology.body();
    between("heart rate", body.heart_rate_per_min, 70.0, 75.0);
    between("breaths", body.breaths_per_min, 14.0, 16.0);
    between("saturation", body.saturation_percent, 96.0, 98.0);
    between("systolic", body.systolic_mmhg, 121.0, 127.0);
    between("temperature", body.temperature_cel, 36.7, 36.9);
    between("end tidal CO2", body.end_tidal_co2_mmhg, 34.0, 40.0);
    assert_eq!(body.consciousness, Consciousness::Alert);
}

#[test]
fn sepsis_is_hot_fast_and_low_in_pressure() {
    let body = after(Illness::Sepsis, 7_200, None);
    between("heart rate", body.heart_rate_per_min, 110.0, 150.0);
    between("systolic", body.systolic_mmhg, 70.0, 95.0);
    between("breaths", body.breaths_per_min, 23.0, 36.0);
    between("temperature", body.temperature_cel, 39.0, 39.6);
    between("saturation", body.saturation_percent, 88.0, 95.0);
}

#[test]
fn bleeding_is_fast_with_a_narrow_pulse_and_stops_by_surgery() {
    let body = after(Illness::Bleeding, 2_400, None);
    between("heart rate", body.heart_rate_per_min, 112.0, 140.0);
    between("systolic", body.systolic_mmhg, 60.0, 90.0);
    between("pulse pressure", body.systolic_mmhg - body.diastolic_mmhg, 8.0, 28.0);
    between("temperature", body.temperature_cel, 36.7, 36.9);
    let mended = after(Illness::Bleeding, 9_000, Some((2_400, Treatment::Surgery)));
    between("systolic", mended.systolic_mmhg, 112.0, 128.0);
}

#[test]
fn an_opioid_slows_breathing_until_naloxone() {
    let body = after(Illness::OpioidOverdose, 1_800, None);
    between("breaths", body.breaths_per_min, 3.0, 7.5);
    between("end tidal CO2", body.end_tidal_co2_mmhg, 60.0, 108.0);
    between("saturation", body.saturation_percent, 55.0, 88.0);
    assert_ne!(body.consciousness, Consciousness::Alert);
    let awake = after(Illness::OpioidOverdose, 2_700, Some((1_800, Treatment::Naloxone)));
    between("breaths", awake.breaths_per_min, 13.0, 20.0);
    between("saturation", awake.saturation_percent, 95.0, 98.0);
    assert_eq!(awake.consciousness, Consciousness::Alert);
}

#[test]
fn low_sugar_takes_the_wits_and_sugar_gives_them_back() {
    let body = after(Illness::Hypoglycaemia, 5_400, None);
    between("glucose", body.glucose_mg_per_dl, 32.0, 50.0);
    between("heart rate", body.heart_rate_per_min, 75.0, 100.0);
    assert_ne!(body.consciousness, Consciousness::Alert);
    let fed = after(Illness::Hypoglycaemia, 9_000, Some((5_400, Treatment::Glucose)));
    between("glucose", fed.glucose_mg_per_dl, 75.0, 110.0);
}

#[test]
fn an_exacerbation_obstructs_and_oxygen_helps() {
    let body = after(Illness::CopdExacerbation, 1_800, None);
    between("saturation", body.saturation_percent, 82.0, 92.0);
    between("breaths", body.breaths_per_min, 19.0, 34.0);
    between("end tidal CO2", body.end_tidal_co2_mmhg, 36.0, 70.0);
    let on_oxygen = after(Illness::CopdExacerbation, 2_400, Some((1_800, Treatment::Oxygen)));
    assert!(on_oxygen.saturation_percent > body.saturation_percent + 3.0);
}

#[test]
fn an_arrest_ends_pulse_and_breath_and_a_shock_brings_both_back() {
    for illness in [Illness::Arrest, Illness::Asystole] {
        let body = after(illness, 120, None);
        assert_eq!(body.heart_rate_per_min, 0.0);
        between("systolic", body.systolic_mmhg, 0.0, 25.0);
        between("pulse", body.pulse_fraction, 0.0, 0.05);
        between("breaths", body.breaths_per_min, 0.0, 1.0);
        assert_eq!(body.consciousness, Consciousness::Unresponsive);
    }
    let back = after(Illness::Arrest, 600, Some((60, Treatment::Shock)));
    between("systolic", back.systolic_mmhg, 100.0, 135.0);
    assert_eq!(back.rhythm, Rhythm::Sinus);
}

#[test]
fn rhythms_have_their_rates() {
    for (illness, from, to) in [
        (Illness::AtrialFibrillation, 125.0, 165.0),
        (Illness::VentricularTachycardia, 175.0, 190.0),
        (Illness::HeartBlock, 30.0, 38.0),
    ] {
        let body = after(illness, 120, None);
        between(illness.word(), body.heart_rate_per_min, from, to);
    }
}

#[test]
fn pneumonia_desaturates_and_the_wrong_treatment_changes_nothing() {
    let body = after(Illness::Pneumonia, 1_800, None);
    between("saturation", body.saturation_percent, 76.0, 86.0);
    let same = after(Illness::Pneumonia, 1_800, Some((900, Treatment::Naloxone)));
    assert_eq!(body, same);
}
