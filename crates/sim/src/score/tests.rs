//! Each outcome of an evaluation, and the words of alarms.

use super::*;

fn truth(from_ms: i64, by_ms: Option<i64>, until_ms: Option<i64>) -> Row {
    Row {
        what: "saturation.low".to_owned(),
        patient: "p".to_owned(),
        expect: by_ms.map(|_| "saturation.low".to_owned()).into_iter().collect(),
        allow: vec!["saturation.low".to_owned(), "news2.medium".to_owned()],
        from_ms,
        by_ms,
        until_ms,
        allow_until_ms: until_ms.map(|until| until + 10_000),
        ..Row::default()
    }
}

fn raised(key: &str, patient: &str, raised_ms: i64, ended_ms: Option<i64>) -> Raised {
    Raised {
        key: key.to_owned(),
        patient: Some(patient.to_owned()),
        raised_ms,
        ended_ms,
        ..Raised::default()
    }
}

/// How many are detected, late, missed and false.
#[track_caller]
fn check(what: &str, row: Row, alarms: &[Raised], want: [usize; 4]) {
    let found = score(&[row], alarms);
    let got =
        [found.detected.len(), found.late.len(), found.missed.len(), found.false_alarms.len()];
    assert_eq!(got, want, "{what}");
}

#[test]
fn an_expected_alarm_is_detected_late_or_missed_and_an_unexplained_one_false() {
    let low = |at, end| raised("saturation.low", "p", at, end);
    let row = || truth(100_000, Some(130_000), Some(200_000));
    check("in time", row(), &[low(130_000, None)], [1, 0, 0, 0]);
    check("a millisecond late", row(), &[low(130_001, None)], [0, 1, 0, 0]);
    check("never", row(), &[], [0, 0, 1, 0]);
    let mended = || Row { mended: true, ..row() };
    check("mended in time, and told", mended(), &[low(110_000, None)], [1, 0, 0, 0]);
    check("mended in time, and not told", mended(), &[], [0, 0, 0, 0]);
    check("it stood already", row(), &[low(20_000, Some(150_000))], [1, 0, 0, 1]);
    check("it had ended before", row(), &[low(20_000, Some(99_999))], [0, 0, 1, 1]);
    check("of somebody else", row(), &[raised("saturation.low", "q", 120_000, None)], [0, 0, 1, 1]);
    check("another one", row(), &[raised("glucose.low", "p", 120_000, None)], [0, 0, 1, 1]);
    check("long after the end", row(), &[low(260_001, None)], [0, 0, 1, 1]);
    check("just late enough", row(), &[low(205_000, None)], [0, 1, 0, 0]);
    check(
        "allowed",
        row(),
        &[low(120_000, None), raised("news2.medium", "p", 210_000, None)],
        [1, 0, 0, 0],
    );
    check(
        "no longer allowed",
        row(),
        &[low(120_000, None), raised("news2.medium", "p", 210_001, None)],
        [1, 0, 0, 1],
    );
    check("not asked for", truth(100_000, None, None), &[low(999_000, None)], [0, 0, 0, 0]);
    check(
        "not asked for, too early",
        truth(100_000, None, None),
        &[low(94_999, None)],
        [0, 0, 0, 1],
    );
}

#[test]
fn a_fault_is_told_by_its_device() {
    let mut row = truth(0, Some(10), None);
    row.device = Some("d".to_owned());
    let alarm = |device: &str| Raised {
        patient: None,
        device: Some(device.to_owned()),
        ..raised("saturation.low", "", 5, None)
    };
    check("its own", row.clone(), &[alarm("d")], [1, 0, 0, 0]);
    check("another", row, &[alarm("e")], [0, 0, 1, 1]);
}

#[test]
fn an_alarm_is_known_by_its_code_and_words() {
    for (code, title, want) in [
        ("MDC_EVT_LO_LT_LIM", "SpO₂ low 84 %", "saturation.low"),
        ("MDC_EVT_HI_GT_LIM", "Breathing fast 34 /min", "respiratory_rate.high"),
        ("MDC_EVT_TEMP_HI_GT_LIM", "Temperature high 39.4 °C", "temperature.high"),
        ("MDC_EVT_LO_LT_LIM", "Mean pressure low 55 mmHg", "mean_pressure.low"),
        ("MDC_EVT_BATT_LO", "Cuff battery nearly empty 8 %", "battery_nearly_empty"),
        ("MDC_EVT_BATT_LO", "Cuff battery low 18 %", "battery_low"),
        ("MDC_EVT_NOS", "NEWS2 red score", "news2.single_red"),
        ("MDC_EVT_NOS", "NEWS2 6", "news2.medium"),
        ("MDC_EVT_NOS", "NEWS2 7", "news2.high"),
        ("MDC_EVT_NOS", "Monitor clock wrong", "clock_wrong"),
        ("MDC_EVT_DISCONN", "Monitor silent", "device_silent"),
    ] {
        assert_eq!(key_of(code, title), want, "{title}");
    }
}
