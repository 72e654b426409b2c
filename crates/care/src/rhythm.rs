//! Asystole and extreme rates, told from the beats of one ECG channel.
//!
//! ```text
//!   beat   beat   beat                                  seen until here
//!  ──┴──────┴──────┴──────────────────────────────────────────┤
//!                  └── quiet: 4 s of signal without a beat ───┘  asystole
//! ```
//!
//! Instants are by the stream's own clock, counted in samples: only their
//! differences matter, and a jitter of the network must not look like one of the
//! heart. A gap in the samples is no pause: whatever was counted starts anew.

use std::time::Duration;

use model::Timestamp;

use crate::{alarm::Verdict, edition::Edition, limit::Limit};

#[cfg(test)]
mod tests;

/// Where the definitions come from (clinical reference, section 4.2).
pub const RHYTHM: Edition = Edition::first(
    "rhythm alarms",
    "asystole and the numbers of beats: PhysioNet/CinC Challenge 2015; rates: Philips XL+ \
     instructions for use; settling, gaps and the way back: Wardline's own choice",
    true,
);

/// Signal without a beat for this long is asystole (RC-014).
pub const ASYSTOLE_AFTER: Duration = Duration::from_secs(4);
/// After the signal was found a detector may miss the first beats while it learns.
pub const SETTLING: Duration = Duration::from_secs(4);
/// Samples further apart than this are a gap.
pub const GAP_MAX: Duration = Duration::from_millis(250);
/// Beats over which an extremely slow rate is taken; four intervals.
const SLOW_BEATS: usize = 5;
/// Of those intervals this many must be slow themselves: one pause is not bradycardia.
const SLOW_INTERVALS_MIN: usize = 3;
/// Beats over which an extremely fast rate is taken; sixteen intervals.
const FAST_BEATS: usize = 17;

/// What the detector tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The peak of a QRS complex; told in order, and before the span that it lies in.
    Beat(Timestamp),
    /// There was a usable signal, and every beat in it has been told: up to the newest
    /// sample less the detector's latency.
    #[expect(missing_docs, reason = "the names say it all")]
    Span { from: Timestamp, until: Timestamp },
    /// The electrodes are off, or the signal is unusable.
    Lost,
}

/// What is remembered of the beats of one channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rhythm {
    present: Option<Present>,
    last_beat: Option<Timestamp>,
    run: Vec<Timestamp>,
}

/// A stretch of signal without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Present {
    pub since: Timestamp,
    pub until: Timestamp,
}

/// A [`Rhythm`] laid open, for checkpoints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The stretch of signal that goes on; `None` is “no signal”.
    pub present: Option<Present>,
    /// The last beat in that stretch.
    pub last_beat: Option<Timestamp>,
    /// The last beats that follow each other within four seconds, oldest first, at most seventeen.
    pub run: Vec<Timestamp>,
}

impl Rhythm {
    /// Lays the state open for a checkpoint.
    pub fn snapshot(&self) -> Snapshot {
        let Self { present, last_beat, run } = self.clone();
        Snapshot { present, last_beat, run }
    }

    /// Goes on from a checkpoint.
    pub fn restore(snapshot: Snapshot) -> Self {
        let Snapshot { present, last_beat, run } = snapshot;
        Self { present, last_beat, run }
    }

    /// Takes in what the detector tells; a verdict is asked for after a span.
    pub fn observe(&mut self, seen: Seen) {
        match seen {
            Seen::Lost => *self = Self::default(),
            Seen::Span { from, until } => self.span(from, until),
            Seen::Beat(at) => self.beat(at),
        }
    }

    fn span(&mut self, from: Timestamp, until: Timestamp) {
        let goes_on = |present: &&mut Present| from <= present.until.after(GAP_MAX);
        if let Some(present) = self.present.as_mut().filter(goes_on) {
            present.until = present.until.max(until);
        } else {
            self.present = Some(Present { since: from, until: until.max(from) });
            self.last_beat = self.last_beat.filter(|beat| *beat >= from);
            self.run.retain(|beat| *beat >= from);
        }
        // An old run says nothing of a heart that has paused for so long.
        if self.is_quiet() {
            self.run.clear();
        }
    }

    fn beat(&mut self, at: Timestamp) {
        if self.last_beat.is_some_and(|last| at <= last) {
            return;
        }
        if self.last_beat.is_some_and(|last| at.since(last) >= ASYSTOLE_AFTER) {
            self.run.clear();
        }
        self.last_beat = Some(at);
        self.run.push(at);
        if self.run.len() > FAST_BEATS {
            self.run.remove(0);
        }
    }

    /// Whether four seconds of signal went by without a beat.
    fn is_quiet(&self) -> bool {
        let Some(Present { since, until }) = self.present else { return false };
        let quiet_from = self.last_beat.unwrap_or_else(|| since.after(SETTLING));
        until.since(quiet_from) >= ASYSTOLE_AFTER
    }

    /// For how long there has been signal without a beat; `None` without a signal.
    pub fn quiet_for(&self) -> Option<Duration> {
        self.present.map(|present| present.until.since(self.last_beat.unwrap_or(present.since)))
    }

    /// No QRS complex for four seconds while there is a signal (RC-014).
    ///
    /// It is over with the second beat: one complex alone is no rhythm.
    pub fn asystole(&self) -> Verdict {
        match (self.present, self.is_quiet(), self.run.len()) {
            (None, ..) => Verdict::NoSignal,
            (_, true, _) => Verdict::Holds,
            (_, false, 0 | 1) => Verdict::Between,
            (_, false, _) => Verdict::Over,
        }
    }

    /// The rate over the last five beats is below the limit, and at least three of
    /// the four intervals are (RC-015).
    ///
    /// Whatever is slow by the challenge's rule, beat for beat, is slow by this one;
    /// an early beat does not hide a slow heart, and a lone pause is none.
    pub fn extreme_bradycardia(&self, limit: &Limit) -> Verdict {
        self.weigh(SLOW_BEATS, limit, |beats| {
            let slow = |pair: &&[Timestamp]| {
                rate_per_min_thousandths(pair).is_some_and(|rate| rate < limit.limit_thousandths)
            };
            beats.windows(2).filter(slow).count() >= SLOW_INTERVALS_MIN
        })
    }

    /// The rate over the last seventeen beats is above the limit (RC-015).
    ///
    /// A mean, because in atrial fibrillation single intervals are long, and one
    /// beat that the detector missed must not hide the others.
    pub fn extreme_tachycardia(&self, limit: &Limit) -> Verdict {
        self.weigh(FAST_BEATS, limit, |_| true)
    }

    fn weigh(&self, beats: usize, limit: &Limit, also: impl Fn(&[Timestamp]) -> bool) -> Verdict {
        if self.present.is_none() {
            return Verdict::NoSignal;
        }
        let first = self.run.len().checked_sub(beats);
        let last = first.and_then(|first| self.run.get(first..)).unwrap_or_default();
        match rate_per_min_thousandths(last).map(|rate| limit.weigh_thousandths(rate)) {
            Some(Verdict::Holds) if !also(last) => Verdict::Between,
            Some(verdict) => verdict,
            None => Verdict::Between, // Too few beats to say.
        }
    }

    /// The rate over the last beats as they were weighed, in thousandths of beats a minute.
    pub fn rate_per_min_thousandths(&self) -> Option<i64> {
        let first = self.run.len().saturating_sub(SLOW_BEATS);
        rate_per_min_thousandths(self.run.get(first..)?)
    }
}

const MINUTE_NS_THOUSANDTHS: i64 = 60_000_000_000_000;

/// The mean rate over these beats in thousandths of beats a minute; `None` of fewer than two.
fn rate_per_min_thousandths(beats: &[Timestamp]) -> Option<i64> {
    let (first, last) = (beats.first()?, beats.last()?);
    let intervals = i64::try_from(beats.len()).ok()?.checked_sub(1)?;
    MINUTE_NS_THOUSANDTHS.checked_mul(intervals)?.checked_div(last.nanos_after(*first))
}
