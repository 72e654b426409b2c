//! The heart from its samples: beats, their absence, and what a detached electrode is not.

use super::*;
use ::record::WaveBlock;
use protocols::wave::{Block, Doubt, Encoding, Epoch, Span, encode, pack};

pub(super) const RATE: u32 = 250;

/// One lead with a beat wherever `beats` says so, in microvolts.
pub(super) fn ecg(second: f64, beats: &dyn Fn(f64) -> f64) -> Vec<i32> {
    let sample = |place: u32| {
        let time = second + f64::from(place) / f64::from(RATE);
        // A narrow R wave and a broad, low T wave behind it.
        let since = beats(time);
        let bump =
            |at: f64, width: f64, height: f64| height * (-((since - at) / width).powi(2)).exp();
        let baseline = 20.0 * (time * 0.7).sin();
        (baseline + bump(0.1, 0.012, 1_100.0) + bump(0.38, 0.05, 180.0)) as i32
    };
    (0..RATE).map(sample).collect()
}

/// Seconds since a tenth of a second before the last beat, at a steady rate.
pub(super) fn steady(per_minute: f64) -> impl Fn(f64) -> f64 {
    move |time| time.rem_euclid(60.0 / per_minute)
}

/// The same until the heart stands still.
fn stopping(per_minute: f64, stands_at: f64) -> impl Fn(f64) -> f64 {
    let beats = steady(per_minute);
    move |time| if time < stands_at { beats(time) } else { 9.0 }
}

impl Ward {
    /// One second of lead II, ending now, with some of it doubtful.
    pub(super) fn block(&mut self, seq: u64, samples: &[i32], validity: Vec<Span>) {
        self.block_of("MDC_ECG_ELEC_POTL_II", seq, samples, validity);
    }

    fn block_of(&mut self, channel: &str, seq: u64, samples: &[i32], validity: Vec<Span>) {
        let device_at = self.now.before(std::time::Duration::from_secs(1));
        self.block_at((device_at, None), channel, seq, samples, validity);
    }

    fn block_at(
        &mut self,
        (device_at, gateway_at): (Timestamp, Option<Timestamp>),
        channel: &str,
        seq: u64,
        samples: &[i32],
        validity: Vec<Span>,
    ) {
        let bytes = pack(samples, Encoding::Int16Le);
        let payload = encode(&Block {
            device: id(MONITOR),
            channel,
            lead: Some("II"),
            seq,
            boot: 7,
            t0: device_at,
            epoch: Epoch::Utc,
            rate_hz: (RATE, 1),
            count: RATE,
            gain: (1, -3),
            offset: 0,
            unit: "mV",
            bits: 16,
            encoding: Encoding::Int16Le,
            samples: &bytes,
            validity,
            filters: None,
            time_quality: None,
            now: None,
        });
        self.happens(&Body::Wave(WaveBlock {
            device: id(MONITOR),
            channel: channel.into(),
            counted: Counted { boot: 7, seq },
            device_at,
            device_now: None,
            gateway_at,
            clock: Clock::Synchronised { offset_ns: 0 },
            may_be_buffered: false,
            payload,
        }));
    }

    /// Lead II from `from` up to `to` seconds.
    fn lead_ii(&mut self, from: u32, to: u32, beats: &dyn Fn(f64) -> f64) {
        for second in from..to {
            self.wait_until(at(f64::from(second) + 1.0));
            let samples = ecg(f64::from(second), beats);
            self.block(u64::from(second), &samples, vec![]);
        }
    }

    /// The same with the electrodes off.
    pub(super) fn leads_off(&mut self, from: u32, to: u32) {
        for second in from..to {
            self.wait_until(at(f64::from(second) + 1.0));
            let off = Span { start: 0, len: RATE, reason: Doubt::LeadOff };
            self.block(u64::from(second), &[0; RATE as usize], vec![off]);
        }
    }
}

#[test]
fn the_heart_rate_comes_from_the_beats_where_no_device_gives_one() {
    let mut ward = Ward::new();
    ward.lead_ii(0, 20, &steady(72.0));
    let page = ward.core.patient_page(id(ILSE), Cursor(0), ward.now).unwrap();
    let rate = &page.numerics[0];
    assert!(rate.from_beats);
    assert_eq!((rate.vital, rate.text.as_str()), (Vital::HeartRate, "72"));
    assert_eq!(page.waves.len(), 1);
    assert_eq!((page.waves[0].label.as_str(), page.waves[0].param), ("II", "ecg"));
    // A device's own number goes before it.
    ward.reads_late(MONITOR, 0.0, &[(Vital::HeartRate, Some(75.0))]);
    let page = ward.core.patient_page(id(ILSE), Cursor(0), ward.now).unwrap();
    assert_eq!((page.numerics[0].from_beats, page.numerics[0].text.as_str()), (false, "75"));
}

#[test]
fn asystole_is_raised_within_ten_seconds_and_stays_until_it_is_acknowledged() {
    let mut ward = Ward::new();
    ward.lead_ii(0, 20, &steady(72.0));
    assert_eq!(ward.titles(), Vec::<String>::new());
    let flat = |_: f64| 9.0;
    let mut raised_after = None;
    for second in 20..32 {
        ward.lead_ii(second, second + 1, &flat);
        if ward.titled("Asystole").is_some() {
            raised_after = raised_after.or(Some(second + 1 - 20));
        }
    }
    assert!(raised_after.is_some_and(|seconds| seconds <= 10), "{raised_after:?}");
    let alarm = ward.titled("Asystole").unwrap();
    assert_eq!((alarm.priority, alarm.detail.as_str()), (Priority::High, "no beat for 4 s"));
    ward.lead_ii(32, 50, &steady(72.0));
    assert!(ward.titled("Asystole").unwrap().latched);
    assert_eq!(ward.answers(PRIYA, alarm.id, 60), Ok(()));
    assert_eq!(ward.titles(), Vec::<String>::new());
}

#[test]
fn electrodes_that_are_off_are_no_asystole() {
    let mut ward = Ward::new();
    ward.lead_ii(0, 20, &steady(72.0));
    ward.leads_off(20, 40);
    assert_eq!(ward.titles(), ["ECG not on the patient"]);
    ward.lead_ii(40, 60, &steady(72.0));
    assert_eq!(ward.titles(), Vec::<String>::new());
}

#[test]
fn a_racing_heart_is_extreme_beyond_its_limit() {
    let mut ward = Ward::new();
    ward.lead_ii(0, 20, &steady(72.0));
    ward.lead_ii(20, 45, &steady(160.0));
    let alarm = ward.titled("Extreme tachycardia 160 /min").unwrap();
    assert_eq!((alarm.priority, alarm.detail.as_str()), (Priority::High, "above 140"));
}

#[test]
fn a_lost_block_is_a_gap_and_nothing_is_made_up_in_its_place() {
    let mut ward = Ward::new();
    ward.lead_ii(0, 20, &steady(72.0));
    ward.lead_ii(23, 30, &steady(72.0));
    assert_eq!(ward.titles(), ["Bedside monitor waveform with gaps"]);
    ward.lead_ii(30, 60, &steady(72.0));
    assert_eq!(ward.titles(), Vec::<String>::new());
}

#[test]
fn a_block_that_comes_again_or_late_only_fills_the_chart() {
    let mut ward = Ward::new();
    ward.lead_ii(0, 20, &steady(72.0));
    let before = ward.core.checkpoint();
    let samples = ecg(3.0, &|_| 9.0);
    let now = ward.now;
    ward.now = at(4.0);
    let seconds = ward.core.counters().waveform_samples;
    ward.block(3, &samples, vec![]);
    ward.now = now;
    assert_eq!(ward.core.counters().waveform_samples, seconds + u64::from(RATE));
    let restored = Core::restore(setup(), &before).unwrap();
    let waves = |core: &Core| core.devices[&id(MONITOR)].waves.clone();
    assert_eq!(waves(&restored), waves(&ward.core));
}

#[test]
fn a_detector_goes_on_across_a_restart_as_if_nothing_had_happened() {
    let beats = steady(88.0);
    let mut ward = Ward::new();
    ward.lead_ii(0, 12, &beats);
    let checkpoint = ward.core.checkpoint();
    ward.lead_ii(12, 40, &beats);
    ward.settle();
    let (went_on, _) = ward.restarted(Some(&checkpoint), &ward.log);
    assert!(went_on == ward.core);
    let (rebuilt, _) = ward.restarted(None, &ward.log);
    assert!(rebuilt == ward.core);
}

/// A checkpoint that says that another detector of heartbeats had learned what is in it.
fn of_another_detector(checkpoint: &[u8], which: usize) -> Vec<u8> {
    let mut bytes = checkpoint.to_vec();
    // Four small numbers stand first: form, rules, detector and filter.
    bytes[2 + which] ^= 2;
    bytes
}

#[test]
fn what_another_detector_learned_is_learned_anew_and_everything_else_is_taken_up() {
    let mut ward = Ward::new();
    ward.lead_ii(0, 26, &stopping(72.0, 14.0));
    assert_eq!(ward.titles(), ["Asystole"]);
    for which in [0, 1] {
        let bytes = of_another_detector(&ward.core.checkpoint(), which);
        let mut core = Core::restore(setup(), &bytes).unwrap();
        assert!(core != ward.core);
        assert!(core.alarms == ward.core.alarms && core.patients == ward.core.patients);
        let (mut before, mut after) = (ward.core.devices.clone(), core.devices.clone());
        for run in before.values_mut().chain(after.values_mut()) {
            let ecgs = run.waves.values_mut().map(|wave| wave.ecg.take());
            assert!(ecgs.flatten().count() <= 1);
        }
        assert_eq!(before, after);
        // And again from there.
        core = Core::restore(setup(), &core.checkpoint()).unwrap();
        assert_eq!(core.alarms, ward.core.alarms);
    }
}

#[test]
fn a_heart_that_stands_still_over_an_upgrade_of_the_detector_is_alarmed_and_stays_so() {
    for (until, titles) in [(15, vec![]), (26, vec!["Asystole"])] {
        let mut ward = Ward::new();
        let still = stopping(72.0, 14.0);
        ward.lead_ii(0, until, &still);
        assert_eq!(ward.titles(), titles, "before");
        let bytes = of_another_detector(&ward.core.checkpoint(), 0);
        ward.core = Core::restore(setup(), &bytes).unwrap();
        ward.lead_ii(until, until + 2, &still);
        assert_eq!(ward.titles(), titles, "it ends in no silence");
        ward.lead_ii(until + 2, until + 14, &still);
        assert_eq!(ward.titles(), ["Asystole"], "after {until} s");
        ward.lead_ii(until + 14, until + 40, &steady(72.0));
        let run = ward.core.run_of(id(MONITOR), &"MDC_ECG_ELEC_POTL_II".into()).unwrap();
        assert!(
            run.ecg
                .as_ref()
                .unwrap()
                .filter
                .rate_at(run.ecg.as_ref().unwrap().detector.position())
                .is_some()
        );
    }
}

#[test]
fn a_device_with_too_many_channels_is_followed_on_the_first_of_them() {
    use crate::limits::CHANNELS_OF_A_DEVICE_MAX;
    let mut ward = Ward::new();
    for number in 0..=CHANNELS_OF_A_DEVICE_MAX {
        assert_eq!(followed(&ward), number, "before channel {number}");
        ward.wait_until(at(number as f64));
        ward.block_of(&format!("WAVE_{number}"), 0, &[0; RATE as usize], vec![]);
    }
    assert_eq!(followed(&ward), CHANNELS_OF_A_DEVICE_MAX);
    let stored = u64::from(RATE) * (CHANNELS_OF_A_DEVICE_MAX as u64 + 1);
    assert_eq!(ward.core.counters().waveform_samples, stored);
}

fn followed(ward: &Ward) -> usize {
    ward.core.devices.get(&id(MONITOR)).map_or(0, |run| run.waves.len())
}

#[test]
fn a_late_block_of_the_patient_before_teaches_nothing_about_the_next() {
    let mut ward = Ward::new();
    ward.move_in(1);
    ward.lead_ii(0, 20, &steady(72.0));
    ward.put_on(MONITOR, Some(ILSE + 1));
    ward.wait_until(at(22.0));
    let stored = ward.core.counters().waveform_samples;
    let samples = ecg(19.0, &steady(72.0));
    ward.block_at((at(18.0), None), "MDC_ECG_ELEC_POTL_II", 20, &samples, vec![]);
    assert_eq!(ward.core.counters().waveform_samples, stored + u64::from(RATE));
    assert_eq!(followed(&ward), 0, "the new patient's detector saw the old patient");
    ward.block(22, &samples, vec![]);
    assert_eq!(followed(&ward), 1);
}

#[test]
fn gaps_after_a_silence_are_told_once_the_silence_is_over() {
    let mut ward = Ward::new();
    ward.lead_ii(0, 20, &steady(72.0));
    ward.wait_until(at(60.0));
    assert_eq!(ward.titles(), ["Bedside monitor silent"]);
    ward.lead_ii(60, 65, &steady(72.0));
    assert_eq!(ward.titles(), ["Bedside monitor waveform with gaps"]);
    ward.lead_ii(65, 120, &steady(72.0));
    assert_eq!(ward.titles(), Vec::<String>::new());
}

#[test]
fn a_block_that_lay_as_a_dead_letter_fills_the_chart_and_moves_its_channel_nowhere() {
    let mut ward = Ward::new();
    ward.lead_ii(0, 5, &steady(72.0));
    ward.wait_until(at(60.0));
    assert!(ward.titles().iter().any(|it| it == "Bedside monitor silent"));
    let before = ward.core.devices[&id(MONITOR)].clone();
    // Newer by its number than any that was seen.
    let kept = (at(5.0), Some(at(6.0)));
    ward.block_at(kept, "MDC_ECG_ELEC_POTL_II", 99, &[0; RATE as usize], vec![]);
    assert_eq!(ward.core.devices[&id(MONITOR)], before);
    assert!(ward.titles().iter().any(|it| it == "Bedside monitor silent"));
}
