//! What the courses of illness and the script of faults did to the ward, and by when
//! somebody must have been told.

use crate::{
    stage::{device, patient},
    visible::{Life, Lives},
};

/// Whom an alarm is about.
enum About {
    /// The patient in this bed.
    Bed(usize),
    /// The device in this place of the list.
    Device(usize),
}

use About::{Bed, Device};

/// What happens, at which second of the day, and within how many seconds an alarm is raised.
const EVENTS: [(&str, About, &str, u64, u64); 11] = [
    ("a heart stops", Bed(5), "MDC_EVT_ECG_ASYSTOLE", 30, 10),
    ("a heart stops again", Bed(5), "MDC_EVT_ECG_ASYSTOLE", 1_800, 10),
    ("pneumonia desaturates", Bed(3), "MDC_EVT_DESAT", 8, 40),
    ("it desaturates again", Bed(3), "MDC_EVT_DESAT", 1_200, 60),
    ("a heart fibrillates", Bed(4), "MDC_EVT_HI_GT_LIM", 12, 40),
    ("breathing slows down", Bed(7), "MDC_EVT_LO_LT_LIM", 1_000, 360),
    ("blood pressure falls", Bed(6), "MDC_EVT_LO_LT_LIM", 600, 1_900),
    ("a lead falls off", Device(2), "MDC_EVT_LEADS_OFF", 18, 15),
    ("a patch loses its network", Device(6), "MDC_EVT_DISCONN", 24, 15),
    ("a battery is nearly empty", Device(11), "MDC_EVT_BATT_LO", 0, 300),
    ("a monitor loses its network", Device(0), "MDC_EVT_DISCONN", 300, 15),
];

fn is_about(life: &Life, about: &About) -> bool {
    match about {
        Bed(bed) => life.about.contains(&format!("{:?}", Some(patient(*bed)))),
        Device(index) => life.about.contains(&format!("{:?}", Some(device(*index)))),
    }
}

/// Every event was alarmed in time, and the patient who is well never was.
pub(crate) fn check(lives: &Lives) {
    let mut findings = Vec::new();
    for (what, about, code, from, within) in &EVENTS {
        let in_time = *from..=from + within;
        let fits = |life: &&Life| life.code == *code && is_about(life, about);
        if !lives.iter().filter(fits).any(|life| in_time.contains(&life.second())) {
            let others: Vec<u64> = lives.iter().filter(fits).map(Life::second).take(9).collect();
            findings.push(format!("{what} at {from} s: {code} was raised at {others:?}"));
        }
    }
    let well = |life: &&Life| is_about(life, &Bed(0)) && life.class == "Physiological";
    findings.extend(
        lives
            .iter()
            .filter(well)
            .map(|life| format!("the patient who is well: {} at {} s", life.title, life.second())),
    );
    assert!(findings.is_empty(), "{findings:#?}");
}
