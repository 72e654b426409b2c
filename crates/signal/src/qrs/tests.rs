//! What the detector promises, on drawn heartbeats and on recorded ones.

mod drawn;
mod records;

use proptest::prelude::*;

use super::*;

/// 360 Hz, as the recordings have.
fn rate_360() -> SampleRate {
    SampleRate::new(360, 1).unwrap()
}

/// All beats of a signal, each with the position at which it was told.
fn told(detector: &mut QrsDetector, microvolts: &[i32]) -> Vec<(Beat, u64)> {
    let tell = |value: &i32| detector.push(*value).map(|beat| (beat, detector.position()));
    microvolts.iter().filter_map(tell).collect()
}

fn beats(detector: &mut QrsDetector, microvolts: &[i32]) -> Vec<u64> {
    told(detector, microvolts).into_iter().map(|(beat, _)| beat.sample).collect()
}

#[test]
fn rates_from_100_to_1000_hz_are_supported_and_others_refused_by_name() {
    let check = |numerator: u32, denominator: u32, is_supported: bool| {
        let detector = QrsDetector::new(SampleRate::new(numerator, denominator).unwrap());
        assert_eq!(detector.is_ok(), is_supported, "{numerator}/{denominator}");
    };
    check(100, 1, true);
    check(99_999, 1000, false);
    check(1000, 1, true);
    check(1_000_001, 1000, false);
    check(u32::MAX, 4_294_968, true);
    let refused = QrsDetector::new(SampleRate::new(125, 2).unwrap()).unwrap_err();
    assert_eq!(refused.to_string(), "sample rate of 125/2 Hz is not between 100 and 1000 Hz");
}

#[test]
fn the_largest_and_smallest_inputs_are_borne() {
    let mut detector = QrsDetector::new(rate_360()).unwrap();
    for index in 0..4000_u32 {
        detector.push(if index / 90 % 2 == 0 { i32::MAX } else { i32::MIN });
    }
    detector.lost(u64::MAX);
    for _ in 0..2000 {
        detector.push(i32::MIN);
    }
    assert_eq!(QrsDetector::decode(&detector.encode()), Ok(detector));
}

#[test]
fn saved_state_has_the_promised_size_and_another_version_is_refused() {
    let detector = QrsDetector::new(rate_360()).unwrap();
    let saved = detector.encode();
    assert_eq!(saved.len(), QrsDetector::BYTES);
    let mut future = saved.clone();
    future[1] += 1;
    let expected =
        SnapshotError::Version { found: QrsDetector::VERSION + 1, expected: QrsDetector::VERSION };
    assert_eq!(QrsDetector::decode(&future), Err(expected));
    assert_eq!(
        QrsDetector::decode(&saved[..1]),
        Err(SnapshotError::Length { found: 1, expected: saved.len() })
    );
}

/// The mean of the staircase over each 1/250 s, worked out for each output on its own.
fn reference_outputs(rate: SampleRate, inputs: &[i32]) -> Vec<i64> {
    let (width, full) = (250 * i64::from(rate.denominator()), i64::from(rate.numerator()));
    let whole = inputs.len() as i64 * width / full;
    let shared = |output: i64, input: i64| {
        let (from, to) = (output * full, (output + 1) * full);
        (to.min((input + 1) * width) - from.max(input * width)).max(0)
    };
    let weigh = |output: i64| {
        let weighed = inputs
            .iter()
            .enumerate()
            .map(|(at, value)| i64::from(*value) * shared(output, at as i64));
        weighed.sum::<i64>() / full
    };
    (0..whole).map(weigh).collect()
}

proptest! {
    #[test]
    fn the_resampler_agrees_with_its_reference(
        numerator in 100_u32..=3000, denominator in 1_u32..=3, inputs in prop::collection::vec(-9000_i32..9000, 0..60),
    ) {
        prop_assume!((100 * denominator..=1000 * denominator).contains(&numerator));
        let rate = SampleRate::new(numerator, denominator).unwrap();
        let mut resampler = Resampler::new(rate);
        let outputs: Vec<i64> = inputs.iter().flat_map(|value| resampler.push(*value)).flatten().collect();
        prop_assert_eq!(&outputs, &reference_outputs(rate, &inputs));
        prop_assert_eq!(resampler.tick(), outputs.len() as u64);
    }

    #[test]
    fn a_snapshot_at_any_sample_goes_on_as_if_nothing_had_happened(
        heights in prop::collection::vec(-2500_i32..2500, 8..24), beat_length in 120_usize..500,
        at in any::<prop::sample::Index>(), lost_after in any::<prop::sample::Index>(), lost in 0_u64..1000,
    ) {
        let signal = drawn::jagged(&heights, beat_length);
        let (at, lost_after) = (at.index(signal.len()), lost_after.index(signal.len()));
        let mut whole = QrsDetector::new(rate_360()).unwrap();
        let mut restored = whole.clone();
        for (index, value) in signal.iter().enumerate() {
            if index == lost_after {
                whole.lost(lost);
                restored.lost(lost);
            }
            if index == at {
                restored = QrsDetector::decode(&restored.encode()).unwrap();
            }
            prop_assert_eq!(whole.push(*value), restored.push(*value));
        }
        prop_assert_eq!(whole, restored);
    }

    #[test]
    fn no_saved_bytes_make_it_panic(flips in prop::collection::vec((2_usize..QrsDetector::BYTES, any::<u8>()), 1..6)) {
        let mut detector = QrsDetector::new(rate_360()).unwrap();
        beats(&mut detector, &drawn::jagged(&[1000; 8], 300));
        let mut bytes = detector.encode();
        for (at, byte) in flips {
            bytes[at] = byte;
        }
        if let Ok(mut restored) = QrsDetector::decode(&bytes) {
            beats(&mut restored, &drawn::jagged(&[1200; 4], 250));
            restored.lost(3);
        }
    }
}
