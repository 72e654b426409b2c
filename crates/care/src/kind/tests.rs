//! Codes add up, keys are unique, and the words are those of the ward.

use std::collections::BTreeSet;

use super::*;

#[test]
fn every_kind_has_a_key_of_its_own_and_is_found_by_it() {
    let keys: BTreeSet<_> = AlarmKind::all().map(AlarmKind::key).collect();
    assert_eq!(keys.len(), AlarmKind::all().count());
    for kind in AlarmKind::all() {
        assert_eq!(AlarmKind::find(&kind.key()), Some(kind));
    }
    assert_eq!(
        AlarmKind::find("saturation.low"),
        Some(AlarmKind::Limit(Vital::Saturation, Side::Low))
    );
    for unknown in ["", "saturation", "saturation.Low", "asystole "] {
        assert_eq!(AlarmKind::find(unknown), None, "{unknown:?}");
    }
}

/// Term and number of the clinical reference, section 3.3.
#[test]
fn event_codes_lie_in_partition_three() {
    let terms = [
        ("MDC_EVT_HI_GT_LIM", 42),
        ("MDC_EVT_LO_LT_LIM", 64),
        ("MDC_EVT_TEMP_HI_GT_LIM", 394),
        ("MDC_EVT_DESAT", 3_246),
        ("MDC_EVT_ECG_ASYSTOLE", 3_076),
        ("MDC_EVT_ECG_BRADY_EXTREME", 3_086),
        ("MDC_EVT_ECG_TACHY_EXTREME", 3_122),
        ("MDC_EVT_DISCONN", 22),
        ("MDC_EVT_MSMT_INTERRUP", 362),
        ("MDC_EVT_LEADS_OFF", 274),
        ("MDC_EVT_BATT_LO", 194),
        ("MDC_EVT_WAVE_ARTIF_ERR", 432),
    ];
    for kind in AlarmKind::all() {
        let code = kind.code();
        let term = terms.iter().find(|(reference, _)| *reference == code.reference);
        let number = term.map_or(258_047, |(_, term)| 3 * 65_536 + term);
        assert_eq!(code.number, number, "{kind:?}");
        assert_eq!(term.is_none(), code.reference == "MDC_EVT_NOS", "{kind:?}");
    }
}

#[track_caller]
fn check(key: &str, facts: Facts, title: &str, detail: &str) {
    let kind = AlarmKind::find(key).unwrap();
    assert_eq!(kind.title(&facts, "Monitor"), title);
    assert_eq!(kind.detail(&facts), detail, "{title}");
}

#[test]
fn a_limit_is_told_by_its_value_against_its_level() {
    use Vital::*;
    let told = |key, vital, value_thousandths, limit_thousandths, title, detail| {
        check(key, Facts::Level { vital, value_thousandths, limit_thousandths }, title, detail);
    };
    told("saturation.low", Saturation, 84_000, 88_000, "SpO₂ low 84 %", "below 88");
    told("heart_rate.high", HeartRate, 128_000, 120_000, "Heart rate high 128 /min", "above 120");
    let breathing = "Breathing fast 27 /min";
    told("respiratory_rate.high", RespiratoryRate, 27_000, 25_000, breathing, "above 25");
    told(
        "systolic_pressure.low",
        SystolicPressure,
        94_000,
        95_000,
        "Systolic low 94 mmHg",
        "below 95",
    );
    told("temperature.high", Temperature, 39_250, 39_000, "Temperature high 39.3 °C", "above 39.0");
    told("battery_low", BatteryLevel, 14_000, 20_000, "Monitor battery low 14 %", "below 20");
    let fast = "Extreme tachycardia 172 /min";
    told("extreme_tachycardia", HeartRate, 172_000, 140_000, fast, "above 140");
    // On its way back, and not yet where the alarm clears.
    told("saturation.low", Saturation, 91_000, 90_000, "SpO₂ low 91 %", "below 90");
    // A value that is not whole does not look like the limit that it crossed.
    told("saturation.low", Saturation, 89_600, 90_000, "SpO₂ low 89.6 %", "below 90");
    told("heart_rate.high", HeartRate, 120_400, 120_000, "Heart rate high 120.4 /min", "above 120");
    let warm = "Temperature high 39.0 °C";
    told("temperature.high", Temperature, 39_030, 39_000, warm, "above 39.0");
}

#[test]
fn a_value_is_told_in_the_steps_in_which_screens_show_it() {
    use Vital::*;
    let told = |key, vital, value_thousandths, limit_thousandths, title| {
        let kind = AlarmKind::find(key).unwrap();
        let facts = Facts::Level { vital, value_thousandths, limit_thousandths };
        assert_eq!(kind.title(&facts, "Monitor"), title);
    };
    told("heart_rate.high", HeartRate, 134_200, 120_000, "Heart rate high 134 /min");
    told("heart_rate.high", HeartRate, 134_500, 120_000, "Heart rate high 135 /min");
    told("respiratory_rate.high", RespiratoryRate, 27_499, 25_000, "Breathing fast 27 /min");
    told("saturation.low", Saturation, 84_449, 88_000, "SpO₂ low 84 %");
    told("systolic_pressure.low", SystolicPressure, 90_600, 95_000, "Systolic low 91 mmHg");
    told("temperature.high", Temperature, 39_260, 38_000, "Temperature high 39.3 °C");
    told("extreme_tachycardia", HeartRate, 172_413, 140_000, "Extreme tachycardia 172 /min");
    told("extreme_bradycardia", HeartRate, 31_666, 40_000, "Extreme bradycardia 32 /min");
    told("battery_low", BatteryLevel, 14_700, 20_000, "Monitor battery low 15 %");
}

#[test]
fn the_words_are_those_of_the_ward() {
    let lasting = |millis| Facts::Lasting(Duration::from_millis(millis));
    check("asystole", lasting(4_200), "Asystole", "no beat for 4 s");
    check("device_silent", lasting(0), "Monitor silent", "connection lost");
    check("device_silent", lasting(35_000), "Monitor silent", "no data for 35 s");
    check("device_silent", lasting(197_000), "Monitor silent", "no data for 3 min");
    check("pipeline_slow", lasting(2_300), "Screens behind", "2.3 s behind");
    check("data_late", lasting(9_000_000), "Monitor data late", "2 h behind");
    check("no_signal", lasting(12_000), "Monitor without signal", "for 12 s");
    let behind = Facts::ClockOff { offset_ns: -12_000_000_000 };
    check("clock_wrong", behind, "Monitor clock wrong", "12 s behind");
    let ahead = Facts::ClockOff { offset_ns: 2_500_000_000 };
    check("clock_wrong", ahead, "Monitor clock wrong", "2.5 s ahead");
    check("clock_wrong", Facts::Bare, "Monitor clock wrong", "not synchronised");
    check("leads_off", Facts::Bare, "Monitor not on the patient", "");
    let total = |points| Facts::Total { points };
    check("news2.high", total(9), "NEWS2 9", "high risk: emergency assessment");
    check("news2.medium", total(5), "NEWS2 5", "medium risk: urgent review");
    let red = Facts::Red(news2::Input::Consciousness);
    check("news2.single_red", red, "NEWS2 red score", "3 points for consciousness");
    let quiet = "alarms go on, the record does not";
    check("not_recording", Facts::Bare, "Not recording", quiet);
    let gap = "nothing was recorded for 3 min before a restart";
    check("record_gap", lasting(200_000), "Record incomplete", gap);
}

// RC-023
#[test]
fn what_kills_latches_and_is_of_high_priority() {
    let lethal = AlarmKind::all().filter(|kind| kind.class() == AlarmClass::Physiological);
    let lethal: Vec<_> = lethal.filter(|kind| kind.latches()).collect();
    let want = ["desaturation", "asystole", "extreme_bradycardia", "extreme_tachycardia"];
    assert_eq!(lethal.iter().map(|kind| kind.key()).collect::<Vec<_>>(), want);
    assert!(lethal.iter().all(|kind| kind.priority() == Priority::High));
}

// RC-027
#[test]
fn a_gap_in_the_record_stays_until_somebody_has_seen_it() {
    let technical = AlarmKind::all().filter(|kind| kind.class() == AlarmClass::Technical);
    let latching: Vec<_> = technical.filter(|kind| kind.latches()).collect();
    assert_eq!(latching, [AlarmKind::RecordGap]);
}

// RC-024
#[test]
fn a_more_telling_alarm_is_never_less_urgent_and_covers_nobody_who_covers_it() {
    for (one, other) in AlarmKind::all().flat_map(|a| AlarmKind::all().map(move |b| (a, b))) {
        if one.covers(other) {
            assert!(one.priority() >= other.priority(), "{one:?} covers {other:?}");
            assert!(!other.covers(one), "{one:?} and {other:?} cover each other");
            assert_eq!(one.class(), other.class(), "{one:?} covers {other:?}");
        }
    }
    let low_rate = AlarmKind::Limit(Vital::HeartRate, Side::Low);
    assert!(AlarmKind::Asystole.covers(low_rate) && !low_rate.covers(AlarmKind::Asystole));
    // A patient's trouble is never hidden by a device's, nor the other way round.
    assert!(!AlarmKind::LeadsOff.covers(AlarmKind::Asystole));
}
