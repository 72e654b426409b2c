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
    /// Rows that wait, because the disk of the records does not take them.
    pub rows_waiting: u64,
    /// Whether rows or samples are lacking until a restart makes them from the journal.
    pub derived_lacking: bool,
    /// Turns of decisions that sounded and are not in the journal yet.
    pub decisions_waiting: u64,
    /// Turns of decisions that sounded and will never be in the journal.
    pub decisions_dropped: u64,
    /// How far the machine's clock is ahead of ours, in nanoseconds; behind if negative.
    pub machine_ahead_ns: i64,
}

/// Something about the server that a person has to look after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The stable word for it, for programs and translations.
    pub code: &'static str,
    /// What is so, and what to do about it.
    pub words: String,
}

/// A difference between the clocks beyond this is told.
const CLOCK_OFF_NS: i64 = 1_000_000_000;

impl EngineStatus {
    // RC-043
    /// Everything that a person has to look after, the worst first; empty if all is well.
    pub fn troubles(&self) -> Vec<Trouble> {
        let mut troubles = Vec::new();
        let mut tell = |holds: bool, code, words: String| {
            if holds {
                troubles.push(Trouble { code, words });
            }
        };
        let dropped = self.decisions_dropped;
        tell(
            self.recording == Recording::DiskFault && dropped == 0,
            "not_recording_fault",
            "the disk of the journal failed and nothing is recorded; replace or mend it, then \
             restart the server"
                .to_owned(),
        );
        tell(
            self.recording == Recording::DiskFull,
            "not_recording_full",
            "the disk of the journal is full and nothing is recorded; make room, and recording \
             goes on by itself"
                .to_owned(),
        );
        tell(
            dropped > 0,
            "decisions_dropped",
            format!(
                "{dropped} turns of decisions sounded and are in no journal; restart the server, \
                 which tells every ward that its record is incomplete"
            ),
        );
        tell(
            self.decisions_waiting > 0,
            "decisions_waiting",
            format!(
                "{} turns of decisions sounded and wait for the journal; do not stop the server \
                 before they are recorded",
                self.decisions_waiting
            ),
        );
        tell(
            self.derived_lacking || self.derived_behind,
            "derived_lacking",
            "lists or charts lack what the journal has; restart the server, which makes them \
             from the journal"
                .to_owned(),
        );
        tell(
            self.rows_waiting > 0,
            "rows_waiting",
            format!(
                "{} rows of lists wait for the disk of the records; make room there, and they are \
                 written by themselves",
                self.rows_waiting
            ),
        );
        troubles.extend(self.clock_trouble());
        troubles
    }

    fn clock_trouble(&self) -> Option<Trouble> {
        let off_s = self.machine_ahead_ns.unsigned_abs() / 1_000_000_000;
        if self.machine_ahead_ns > CLOCK_OFF_NS {
            let words = format!(
                "the machine's clock is {off_s} s ahead of the server's; if it is right, and this \
                 lasts for more than ten seconds, restart the server"
            );
            return Some(Trouble { code: "clock_behind", words });
        }
        let words = format!(
            "the machine's clock is {off_s} s behind what was recorded, and the server's time never \
             goes back; if the machine's clock is wrong, set it right"
        );
        (self.machine_ahead_ns < -CLOCK_OFF_NS).then_some(Trouble { code: "clock_ahead", words })
    }
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
fn every_trouble_says_what_to_do_and_all_is_well_says_nothing() {
    let well = EngineStatus::default();
    assert_eq!(well.troubles(), []);
    let off = |machine_ahead_ns| EngineStatus { machine_ahead_ns, ..well.clone() };
    for quiet in [CLOCK_OFF_NS, -CLOCK_OFF_NS] {
        assert_eq!(off(quiet).troubles(), []);
    }
    let fault = Recording::DiskFault;
    for (status, code, does) in [
        (EngineStatus { recording: fault, ..well.clone() }, "not_recording_fault", "restart"),
        (
            EngineStatus { recording: Recording::DiskFull, ..well.clone() },
            "not_recording_full",
            "make room",
        ),
        (
            EngineStatus { recording: fault, decisions_dropped: 1, ..well.clone() },
            "decisions_dropped",
            "restart",
        ),
        (EngineStatus { decisions_waiting: 1, ..well.clone() }, "decisions_waiting", "do not stop"),
        (EngineStatus { derived_lacking: true, ..well.clone() }, "derived_lacking", "restart"),
        (EngineStatus { derived_behind: true, ..well.clone() }, "derived_lacking", "restart"),
        (EngineStatus { rows_waiting: 1, ..well.clone() }, "rows_waiting", "make room"),
        (off(CLOCK_OFF_NS + 1), "clock_behind", "restart"),
        (off(-CLOCK_OFF_NS - 1), "clock_ahead", "set it right"),
    ] {
        let troubles = status.troubles();
        let told: Vec<_> = troubles.iter().map(|it| (it.code, it.words.contains(does))).collect();
        assert_eq!(told, [(code, true)], "{troubles:?}");
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
