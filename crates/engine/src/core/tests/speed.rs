//! How fast the fold is; in a release build it must leave room for everything else.

use super::*;

/// A build with overflow checks and no optimisation is about twenty times slower.
const RECORDS: u32 = if cfg!(debug_assertions) { 500 } else { 50_000 };

#[test]
fn ten_readings_of_twenty_patients_are_folded_quickly() {
    let mut ward = Ward::empty();
    ward.furnish();
    (0..20).for_each(|number| ward.move_in(number));
    let vitals = [
        (Vital::HeartRate, Some(80.0)),
        (Vital::Saturation, Some(97.0)),
        (Vital::PulseRate, Some(80.0)),
        (Vital::RespiratoryRate, Some(16.0)),
        (Vital::Temperature, Some(37.0)),
        (Vital::SystolicPressure, Some(120.0)),
        (Vital::DiastolicPressure, Some(80.0)),
        (Vital::MeanPressure, Some(93.0)),
        (Vital::BatteryLevel, Some(90.0)),
        (Vital::HeartRate, Some(81.0)),
    ];
    let quiet = Core::clone(&ward.core);
    ward.log.clear();
    for number in 0..RECORDS {
        ward.now = at(10.0 + f64::from(number) / 100.0);
        ward.reads_late(MONITOR + u128::from(number % 20), 0.0, &vitals);
    }
    let records: Vec<Record> = std::mem::take(&mut ward.log);
    let mut core = quiet;
    let mut out = Out::default();
    let clock = store::Clock::system();
    for batch in records.chunks(100) {
        for record in batch {
            core.step(record, &mut out);
        }
        core.flush(core.now(), &mut out);
        out.clear();
    }
    let took = clock.elapsed().as_secs_f64();
    let per_second = f64::from(RECORDS) * 10.0 / took;
    eprintln!("folded {per_second:.0} readings/s");
    if !cfg!(debug_assertions) {
        assert!(per_second > 100_000.0, "{per_second:.0} readings/s");
    }
}
