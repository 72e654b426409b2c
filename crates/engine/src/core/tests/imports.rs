//! What is brought in from a file fills the series, and wakes nobody.

use ::record::{Imported, ImportedDoubt, ImportedPoint, ImportedValues, ImportedWave};
use model::ClockUsed;

use super::*;

/// A saturation of 60 % each second, by the times of the file, from so many seconds on.
fn bad(from: f64, count: i64) -> ImportedValues {
    let first = at(from).unix_nanos();
    ImportedValues {
        channel: channel_of(Vital::Saturation),
        code: Some(code_of(Vital::Saturation)),
        ucum: Ucum::new(Vital::Saturation.unit()),
        points: (0..count)
            .map(|second| ImportedPoint {
                at: Timestamp::from_unix_nanos(first + second * 1_000_000_000),
                value: Ok((600, -1)),
            })
            .collect(),
    }
}

/// A flat line of lead II.
fn flat(from: f64) -> ImportedWave {
    ImportedWave {
        channel: "MDC_ECG_ELEC_POTL_II".into(),
        code: None,
        ucum: "mV".into(),
        at: at(from),
        rate_hz: (250, 1),
        gain: (5, -3),
        offset: 3,
        samples: vec![0; 5_000],
        doubts: vec![ImportedDoubt { start: 7, len: 9, reason: MissingReason::NotMeasured }],
    }
}

fn part(values: Vec<ImportedValues>, waves: Vec<ImportedWave>) -> Body {
    Body::Imported(Imported {
        import: id(90),
        by: id(PRIYA),
        device: id(MONITOR),
        file: "night.csv".into(),
        sha256: [7; 32],
        form: "csv".into(),
        values,
        waves,
    })
}

impl Ward {
    /// The same as `happens`, and what went to the series.
    fn brings_in(&mut self, body: &Body) -> (Vec<PointOf>, Vec<WaveOf>) {
        let (kind, version, bytes) = body.encode();
        let record = self.append(kind, version, bytes, self.now);
        self.core.step(&record, &mut self.out);
        let found = (self.out.points.clone(), self.out.waves.clone());
        assert!(self.out.traces.is_empty(), "no screen draws it");
        assert!(self.out.rows.is_empty(), "no row is written");
        self.tell();
        found
    }
}

#[test]
fn a_day_of_bad_vitals_from_a_file_fills_the_series_and_raises_nothing() {
    let mut ward = Ward::new();
    ward.monitor(1, 30, 97.0, 72.0);
    ward.settle();
    ward.decided.clear();
    ward.deltas.clear();
    let before = ward.core.clone();
    let (mut points, mut waves) = (0, 0);
    // Up to this very second: the newest are fresher than what the monitor said itself.
    for hour in (0..24).rev() {
        let from = 30.0 - f64::from(hour + 1) * 3_600.0 + 1.0;
        let body = part(vec![bad(from, 3_600)], vec![flat(from)]);
        let (found, blocks) = ward.brings_in(&body);
        points += found.len();
        waves += blocks.len();
        assert!(found.iter().all(|it| it.is_late && !it.age_known && it.org == Some(id(1))));
        assert!(found.iter().all(|it| it.clock == ClockUsed::Device && it.received_at == ward.now));
        let block = blocks[0].clone();
        assert_eq!((block.marks[0].reason, block.org), (5, Some(id(1))));
        let span = block.into_span();
        assert_eq!((span.offset, span.samples.len()), (3, 5_000));
        assert_eq!(span.invalid[0].reason, MissingReason::NotMeasured);
    }
    assert_eq!((points, waves), (24 * 3_600, 24));
    assert_eq!(ward.decided, [], "nothing was decided");
    assert!(ward.titles().is_empty(), "{:?}", ward.titles());
    assert!(ward.deltas.is_empty(), "no screen was told: {:?}", ward.deltas);
    // Nothing is known of the device or the patient that was not known before.
    let (came_to, cause) = (ward.core.came_to, ward.core.cause);
    let mut expected = before;
    (expected.came_to, expected.cause) = (came_to, cause);
    assert!(expected == ward.core, "the state changed");
    // The monitor goes on, and neither a score nor a limit remembers the file.
    ward.monitor(31, 60, 97.0, 72.0);
    assert!(ward.titles().is_empty(), "{:?}", ward.titles());
}

#[test]
fn an_import_is_answered_and_a_restart_knows_the_same() {
    let mut ward = Ward::new();
    ward.monitor(1, 5, 97.0, 72.0);
    let position = ward.happens(&part(vec![bad(-600.0, 60)], vec![flat(-600.0)]));
    let answer = ward.answers.iter().find(|it| it.command == position).unwrap();
    assert_eq!(answer.answer, Ok(None));
    ward.monitor(6, 20, 97.0, 72.0);
    ward.settle();
    let (again, _) = ward.restarted(None, &ward.log.clone());
    assert!(again == ward.core);
}

#[test]
fn a_silent_device_stays_silent_whatever_is_brought_in_for_it() {
    let mut ward = Ward::new();
    ward.monitor(1, 10, 97.0, 72.0);
    ward.wait_until(at(400.0));
    let silent = |ward: &Ward| ward.titles().iter().any(|it| it.contains("silent"));
    assert!(silent(&ward), "{:?}", ward.titles());
    let titles = ward.titles();
    let _ = ward.brings_in(&part(vec![bad(390.0, 9)], Vec::new()));
    assert_eq!(ward.titles(), titles, "a file is no sign of life");
}
