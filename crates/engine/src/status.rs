//! How the engine is doing: what the system page and the metrics show.

use std::{collections::VecDeque, time::Duration};

use model::Timestamp;

use crate::{limits::LATENCIES_KEPT_MAX, view::Recording};

/// The middle and the tail of a latency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Spread {
    pub p50: Duration,
    pub p99: Duration,
}

/// Counters and gauges of the engine; counters begin at zero with each start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EngineStatus {
    /// The engine's instant.
    pub now: Timestamp,
    /// When it began to take records live.
    pub started_at: Timestamp,
    /// Whether the journal records.
    pub recording: Recording,
    /// Journal bytes that are durable and not yet taken.
    pub behind_bytes: u64,
    /// Records taken live, of all kinds but decisions.
    pub records: u64,
    /// Messages of readings, waves and events that are stored.
    pub stored: u64,
    /// Messages that came again.
    pub duplicates: u64,
    /// Messages that were kept as dead letters.
    pub dead_letters: u64,
    /// Samples of numerics that are stored.
    pub readings: u64,
    /// Samples of waveforms that are stored.
    pub waveform_samples_stored: u64,
    /// Alarms raised.
    pub alarms_raised: u64,
    /// Alarms acknowledged.
    pub alarms_acknowledged: u64,
    /// Steps of escalation.
    pub alarms_escalated: u64,
    /// Alarms ended.
    pub alarms_ended: u64,
    /// Alarms that stand at present.
    pub alarms_standing: u64,
    /// Commands granted.
    pub commands_accepted: u64,
    /// Commands not granted.
    pub commands_refused: u64,
    /// Messages a second, over the last ten seconds.
    pub messages_per_s: f64,
    /// Samples of numerics a second, over the last ten seconds.
    pub readings_per_s: f64,
    /// From receipt until the record reached the engine, durable.
    pub receive_to_engine: Spread,
    /// From receipt until everything that follows was decided and told.
    pub receive_to_decided: Spread,
    /// Pages that listen.
    pub feed_readers: u64,
    /// Journal offset of the newest checkpoint, in bytes.
    pub checkpoint_bytes: u64,
    /// Whether rows and points were given up until a restart, because the disk could not keep up.
    pub derived_behind: bool,
    /// Turns of decisions that sounded and will never be in the journal.
    pub decisions_dropped: u64,
}

/// The newest latencies, for percentiles.
#[derive(Debug, Default)]
pub(crate) struct Latencies(VecDeque<Duration>);

impl Latencies {
    pub(crate) fn add(&mut self, latency: Duration) {
        if self.0.len() == LATENCIES_KEPT_MAX {
            self.0.pop_front();
        }
        self.0.push_back(latency);
    }

    pub(crate) fn spread(&self) -> Spread {
        let mut sorted: Vec<Duration> = self.0.iter().copied().collect();
        sorted.sort_unstable();
        let at = |percent: usize| {
            let place = sorted.len().saturating_sub(1) * percent / 100;
            sorted.get(place).copied().unwrap_or_default()
        };
        Spread { p50: at(50), p99: at(99) }
    }
}

/// How much happened in each of the last seconds.
#[derive(Debug, Default)]
pub(crate) struct Rate {
    seconds: VecDeque<(i64, u64)>,
}

/// Over how many whole seconds a rate is taken.
const RATE_OVER_S: i64 = 10;

impl Rate {
    pub(crate) fn add(&mut self, now: Timestamp, count: u64) {
        let second = now.unix_millis().div_euclid(1_000);
        match self.seconds.back_mut() {
            Some((last, sum)) if *last == second => *sum += count,
            _ => self.seconds.push_back((second, count)),
        }
        self.forget(second);
    }

    fn forget(&mut self, second: i64) {
        while self.seconds.front().is_some_and(|(first, _)| *first < second - RATE_OVER_S) {
            self.seconds.pop_front();
        }
    }

    /// Per second, over the whole seconds before this one.
    #[expect(clippy::cast_precision_loss, reason = "a rate on a page; no count reaches 2^53")]
    pub(crate) fn per_second(&mut self, now: Timestamp) -> f64 {
        let second = now.unix_millis().div_euclid(1_000);
        self.forget(second);
        let whole = self.seconds.iter().filter(|(at, _)| *at < second);
        let (mut sum, mut first) = (0_u64, second);
        for (at, count) in whole {
            sum += count;
            first = first.min(*at);
        }
        if first == second { 0.0 } else { sum as f64 / (second - first) as f64 }
    }
}

#[test]
fn percentiles_are_of_the_newest() {
    let mut latencies = Latencies::default();
    assert_eq!(latencies.spread(), Spread::default());
    for millis in 1..=100 {
        latencies.add(Duration::from_millis(millis));
    }
    let ms = Duration::from_millis;
    assert_eq!(latencies.spread(), Spread { p50: ms(50), p99: ms(99) });
    for _ in 0..=LATENCIES_KEPT_MAX {
        latencies.add(ms(7));
    }
    assert_eq!(latencies.spread(), Spread { p50: ms(7), p99: ms(7) });
}

#[test]
fn a_rate_is_over_whole_seconds() {
    let at = |millis| Timestamp::from_unix_millis(millis);
    let mut rate = Rate::default();
    for millis in (0..10_000).step_by(100) {
        rate.add(at(millis), 2);
    }
    assert!((rate.per_second(at(10_000)) - 20.0).abs() < 1e-9);
    assert!((rate.per_second(at(60_000)) - 0.0).abs() < 1e-9);
}
