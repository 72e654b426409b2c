//! Heartbeats drawn for the purpose, whose every beat is known: rates, leads, amplitudes, silence, hum, and gaps.

use super::*;

/// A lead to be drawn. Amplitudes are in microvolts.
#[derive(Clone, Copy)]
struct Lead {
    hz: f64,
    per_minute: f64,
    qrs: f64,
    /// The standard deviation of the R wave's bell; the complex lasts about five of them.
    qrs_sigma_ms: f64,
    p: f64,
    t: f64,
    wander: f64,
    hum: f64,
    hum_hz: f64,
}

const PLAIN: Lead = Lead {
    hz: 360.0,
    per_minute: 75.0,
    qrs: 1000.0,
    qrs_sigma_ms: 14.0,
    p: 100.0,
    t: 250.0,
    wander: 0.0,
    hum: 0.0,
    hum_hz: 50.0,
};

impl Lead {
    fn draw(self, seconds: f64) -> Vec<i32> {
        (0..(seconds * self.hz) as u64)
            .map(|n| self.at(n as f64 / self.hz).round() as i32)
            .collect()
    }

    /// The voltage at a time; the first R wave is half an interval in.
    fn at(self, seconds: f64) -> f64 {
        let interval = 60.0 / self.per_minute;
        let from_r = seconds.rem_euclid(interval) - interval / 2.0;
        // T comes sooner at high rates (Bazett), P lies before.
        let stretch = interval.sqrt().min(1.0);
        let bell = |middle: f64, sigma: f64| (-((from_r - middle) / sigma).powi(2) / 2.0).exp();
        let sigma = self.qrs_sigma_ms / 1000.0;
        self.qrs * (bell(0.0, sigma) - 0.2 * bell(2.5 * sigma, sigma))
            + self.p * bell(-0.16 * stretch, 0.022)
            + self.t * bell(0.28 * stretch, 0.045 * stretch)
            + self.wander * (seconds * std::f64::consts::TAU * 0.25).sin()
            + self.hum * (seconds * std::f64::consts::TAU * self.hum_hz).sin()
    }

    /// The samples of all R waves.
    fn r_waves(self, seconds: f64) -> Vec<u64> {
        let interval = 60.0 / self.per_minute;
        let times = (0..).map(|n| interval * (f64::from(n) + 0.5)).take_while(|at| *at < seconds);
        times.map(|at| (at * self.hz).round() as u64).collect()
    }

    fn detector(self) -> QrsDetector {
        QrsDetector::new(SampleRate::new((self.hz * 8.0) as u32, 8).unwrap()).unwrap()
    }
}

/// Triangles 40 ms wide at 360 Hz, one per length, for tests that only need something to happen.
pub(super) fn jagged(heights: &[i32], length: usize) -> Vec<i32> {
    let triangle =
        |n: usize, height: i32| (8 - i32::try_from(n.abs_diff(60)).unwrap()).max(0) * height / 8;
    heights.iter().flat_map(|height| (0..length).map(move |n| triangle(n, *height))).collect()
}

/// Each R wave after learning is told once, within 20 ms of where it was drawn and in good time, and nothing else is.
fn check_each_beat_is_found(name: &str, lead: Lead) {
    let seconds = 25.0;
    let mut detector = lead.detector();
    let found = told(&mut detector, &lead.draw(seconds));
    let latency_max = detector.rate().samples_in_ms(QrsDetector::LATENCY_MS);
    for (beat, position) in &found {
        assert!(
            position - beat.sample <= latency_max,
            "{name}: told {} samples late",
            position - beat.sample
        );
        assert!(!beat.searched_back, "{name}: {beat:?}");
    }
    let drawn = lead.r_waves(seconds);
    let near = |a: u64, b: u64| a.abs_diff(b) as f64 <= 0.02 * lead.hz;
    for (beat, _) in &found {
        assert!(
            drawn.iter().any(|r| near(*r, beat.sample)),
            "{name}: nothing was drawn at {}",
            beat.sample
        );
    }
    let known = (3.1 * lead.hz) as u64..((seconds - 0.45) * lead.hz) as u64;
    for r in drawn.iter().filter(|r| known.contains(r)) {
        let count = found.iter().filter(|(beat, _)| near(*r, beat.sample)).count();
        assert_eq!(count, 1, "{name}: {r} of {found:?}");
    }
}

#[test]
fn every_drawn_beat_is_found_whatever_the_rate_the_lead_and_the_patient() {
    for hz in [100.0, 125.0, 128.0, 200.0, 250.0, 256.0, 300.0, 360.0, 500.0, 512.5, 1000.0] {
        check_each_beat_is_found(&format!("{hz} Hz"), Lead { hz, ..PLAIN });
    }
    for per_minute in [30.0, 40.0, 60.0, 120.0, 180.0, 220.0, 250.0] {
        check_each_beat_is_found(&format!("{per_minute} /min"), Lead { per_minute, ..PLAIN });
    }
    for scale in [0.2, 0.4, 0.5, 2.0, 5.0, 15.0, -0.5, -1.0, -4.0] {
        let lead = Lead { qrs: 1000.0 * scale, p: 100.0 * scale, t: 250.0 * scale, ..PLAIN };
        check_each_beat_is_found(&format!("{scale} mV"), lead);
    }
    check_each_beat_is_found("T as tall as R", Lead { t: 1000.0, ..PLAIN });
    check_each_beat_is_found(
        "a slow heart with tall T",
        Lead { t: 700.0, per_minute: 32.0, ..PLAIN },
    );
    check_each_beat_is_found("T upside down", Lead { t: -600.0, ..PLAIN });
    check_each_beat_is_found("a wide complex", Lead { qrs_sigma_ms: 30.0, ..PLAIN });
    check_each_beat_is_found(
        "a narrow complex",
        Lead { qrs_sigma_ms: 7.0, per_minute: 160.0, ..PLAIN },
    );
    check_each_beat_is_found("a wandering baseline", Lead { wander: 3000.0, ..PLAIN });
    for hum_hz in [50.0, 60.0] {
        check_each_beat_is_found(
            &format!("hum of {hum_hz} Hz"),
            Lead { hum: 400.0, hum_hz, ..PLAIN },
        );
    }
}

#[test]
fn no_beat_is_found_where_there_is_none() {
    let silent = Lead { qrs: 0.0, p: 0.0, t: 0.0, ..PLAIN };
    let check = |name: &str, lead: Lead| {
        assert_eq!(beats(&mut lead.detector(), &lead.draw(60.0)), [0; 0], "{name}");
    };
    check("a flat line", silent);
    check("a wandering baseline", Lead { wander: 5000.0, ..silent });
    check("hum of 50 Hz", Lead { hum: 300.0, ..silent });
    check("hum of 60 Hz", Lead { hum: 300.0, hum_hz: 60.0, ..silent });
    check("T waves alone, of 0.3 mV", Lead { t: 300.0, ..silent });
    check("beats of 0.1 mV", Lead { qrs: 100.0, ..silent });
}

/// Beats for 20 s, then something else; the seconds after the change at which beats were told.
fn seconds_of_beats_after(change: Lead, seconds: f64) -> Vec<f64> {
    let mut detector = PLAIN.detector();
    beats(&mut detector, &PLAIN.draw(20.0));
    let start = detector.position();
    let found = beats(&mut detector, &change.draw(seconds)).into_iter();
    // The last beat before the change may be told after it.
    found
        .filter(|sample| *sample > start)
        .map(|sample| (sample - start) as f64 / PLAIN.hz)
        .collect()
}

#[test]
fn asystole_is_silence_even_while_p_waves_go_on_or_the_mains_hum() {
    let stopped = Lead { qrs: 0.0, t: 0.0, p: 0.0, ..PLAIN };
    assert_eq!(seconds_of_beats_after(stopped, 120.0), [0.0; 0]);
    assert_eq!(seconds_of_beats_after(Lead { p: 100.0, ..stopped }, 120.0), [0.0; 0]);
    assert_eq!(seconds_of_beats_after(Lead { hum: 200.0, ..stopped }, 120.0), [0.0; 0]);
    // P waves of 0.2 mV end up as beats one day, but not before an alarm of 4 s has been heard for long.
    let tall = seconds_of_beats_after(Lead { p: 200.0, ..stopped }, 120.0);
    assert!(tall.iter().all(|at| *at > 12.0), "{tall:?}");
}

#[test]
fn a_lead_that_becomes_weak_is_found_again() {
    let weakened =
        |part: f64| Lead { qrs: 1000.0 * part, p: 100.0 * part, t: 250.0 * part, ..PLAIN };
    let first_steady = |part: f64| {
        let found = seconds_of_beats_after(weakened(part), 60.0);
        let last_pause = found
            .windows(2)
            .rev()
            .find(|pair| pair[1] - pair[0] > 1.0)
            .map_or(found[0], |pair| pair[1]);
        assert!(found.last().unwrap() > &58.0);
        last_pause
    };
    assert!(first_steady(0.5) < 2.0, "{}", first_steady(0.5));
    assert!(first_steady(0.33) < 12.0, "{}", first_steady(0.33));
    assert!(first_steady(0.2) < 30.0, "{}", first_steady(0.2));
}

#[test]
fn one_weak_beat_is_searched_back_in_time() {
    let mut signal = jagged(&[1000; 20], 300);
    signal.extend(jagged(&[280], 300));
    signal.extend(jagged(&[1000; 5], 300));
    let mut detector = QrsDetector::new(rate_360()).unwrap();
    let found = told(&mut detector, &signal);
    let searched: Vec<_> = found.iter().filter(|(beat, _)| beat.searched_back).collect();
    assert_eq!(searched.len(), 1, "{found:?}");
    let (beat, position) = searched[0];
    assert!(beat.sample.abs_diff(20 * 300 + 60) <= 4, "{beat:?}");
    assert!(
        position - beat.sample <= rate_360().samples_in_ms(QrsDetector::SEARCH_BACK_LATENCY_MS)
    );
    assert!(found.is_sorted_by_key(|(beat, _)| beat.sample));
}

#[test]
fn lost_samples_are_counted_and_what_follows_is_learned_anew() {
    for hz in [128.0, 360.0, 1000.0] {
        let lead = Lead { hz, ..PLAIN };
        // Electrodes stand 0.2 V apart, which must not be a step when samples come again.
        let signal: Vec<i32> =
            lead.draw(40.0).into_iter().map(|microvolts| microvolts + 200_000).collect();
        let mut detector = lead.detector();
        let (start, end) = ((10.3 * hz) as usize, (17.9 * hz) as usize);
        beats(&mut detector, &signal[..start]);
        detector.lost((end - start) as u64);
        assert_eq!(detector.position(), end as u64);
        let found = beats(&mut detector, &signal[end..]);
        let learned_at = end as u64
            + detector.rate().samples_in_ms(QrsDetector::LEARNING_MS - QrsDetector::LATENCY_MS);
        assert!(found.iter().all(|sample| *sample >= learned_at), "{hz} Hz: {found:?}");
        for drawn in
            lead.r_waves(40.0).into_iter().filter(|sample| *sample > learned_at + (hz / 2.0) as u64)
        {
            let nearest = found.iter().map(|sample| sample.abs_diff(drawn)).min().unwrap();
            assert!(nearest as f64 <= 0.02 * hz, "{hz} Hz: {drawn} of {found:?}");
        }
        let before = detector.clone();
        detector.lost(0);
        assert_eq!(detector, before, "nothing lost is nothing to learn");
    }
}
