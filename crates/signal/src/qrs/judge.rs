//! Which peaks are beats: those that stand out from the noise as the last beats did.
//!
//! ```text
//!  learning ──3 s──► judging ◄──┐
//!                       │       │ a peak above its bar is a beat
//!                       ├───────┘
//!                       │ none for 1.5 intervals: the best peak above half its bar was one (search back)
//!                       │ none for 6 s: the level of beats is halved, and again after each 6 s
//! ```
//!
//! The **bar** lies between the median heights of the last eight beats and of the last eight other peaks, at 40 % of
//! the way, at 55 % for a peak that comes early: an extra beat is rarely a weak one, an artefact often is. The halving
//! finds a signal again whose electrode has moved; it is slow on purpose, so that the P waves of a standstill, a tenth
//! of a QRS complex in height, do not pass for beats before an asystole alarm has long been raised.

use crate::snapshot::{Fields, SnapshotError};

use super::energy::{DELAY, Peak};
use super::resampler::TICKS_PER_SECOND;

/// The part of the way from noise to beats, in hundredths, for a peak in its time and for an early one.
const BAR_PERCENT: i64 = 40;
const EARLY_BAR_PERCENT: i64 = 55;
/// Below this part of the usual interval a peak is early.
const EARLY_PERCENT: u64 = 70;
/// No bar lies lower: the height of a QRS complex between 0.1 and 0.2 mV.
const HEIGHT_MIN: i64 = 320;
/// Heights are bounded by the inputs; saved state is checked against it.
const HEIGHT_MAX: i64 = 1 << 26;
/// The search back begins after this part of the usual interval, and looks no nearer to a beat than its T wave.
const OVERDUE_PERCENT: u64 = 150;
const SEARCH_BAR_PERCENT: i64 = 50;
const T_WAVE: u64 = TICKS_PER_SECOND * 36 / 100;
/// Bounds of the usual interval: 300 and 30 /min. The upper one bounds how late a search may find a beat.
const INTERVAL: std::ops::RangeInclusive<u64> = TICKS_PER_SECOND / 5..=2 * TICKS_PER_SECOND;
/// What the first intervals are taken for: long ones, so that nothing is searched for before a rhythm is known.
const INTERVAL_AT_FIRST: u64 = 2 * TICKS_PER_SECOND;
const LEARNING_SECONDS: u64 = 3;
const QUIET: u64 = 6 * TICKS_PER_SECOND;

/// What is remembered of beats and of what was none.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Judge {
    phase: Phase,
    /// Heights of the last eight beats, and of the last eight other peaks.
    beats: [i64; 8],
    others: [i64; 8],
    /// Ticks between the last nine beats.
    intervals: [u64; 8],
    /// The last beat's tick.
    last: Option<u64>,
    /// The peak since the last beat that came nearest to its bar.
    nearest: Option<NearMiss>,
    /// When the level was last set, learned, or halved.
    level_at: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    /// Since a tick; the highest peak of each second.
    Learning {
        since: u64,
        highest: [i64; LEARNING_SECONDS as usize],
    },
    Judging,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct NearMiss {
    peak: Peak,
    bar: i64,
}

/// A peak that is a beat.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Found {
    pub(super) tick: u64,
    pub(super) searched_back: bool,
}

impl Judge {
    pub(super) fn new(now: u64) -> Self {
        Self {
            phase: Phase::Learning { since: now, highest: [0; 3] },
            beats: [0; 8],
            others: [0; 8],
            intervals: [INTERVAL_AT_FIRST; 8],
            last: None,
            nearest: None,
            level_at: now,
        }
    }

    /// Weighs the peak that was confirmed at tick `now`; to be called at each tick, with a peak or without.
    pub(super) fn weigh(&mut self, peak: Option<Peak>, now: u64) -> Option<Found> {
        if let Phase::Learning { since, highest } = &mut self.phase {
            let second = usize::try_from(now.saturating_sub(*since) / TICKS_PER_SECOND)
                .unwrap_or(usize::MAX);
            if let Some(highest) = highest.get_mut(second) {
                *highest = (*highest).max(peak.map_or(0, |peak| peak.height));
                return None;
            }
            self.beats = [learned_level(*highest); 8];
            self.level_at = now;
            self.phase = Phase::Judging;
        }
        let found = peak.and_then(|peak| self.judge(peak, now));
        if now.saturating_sub(self.level_at) >= QUIET {
            self.beats = self.beats.map(|height| height / 2);
            self.level_at = now;
        }
        found
    }

    fn judge(&mut self, peak: Peak, now: u64) -> Option<Found> {
        let since_last = self.last.map(|last| peak.tick.saturating_sub(last));
        let is_early = since_last
            .is_some_and(|ticks| ticks.saturating_mul(100) < self.usual_interval() * EARLY_PERCENT);
        let bar = self.bar(if is_early { EARLY_BAR_PERCENT } else { BAR_PERCENT });
        if peak.height > bar {
            return Some(self.accept(peak, now, false));
        }
        remember(&mut self.others, peak.height);
        let after_t_wave = since_last.is_some_and(|ticks| ticks >= T_WAVE);
        let nearer =
            self.nearest.is_none_or(|other| peak.height * other.bar > other.peak.height * bar);
        if after_t_wave && nearer {
            self.nearest = Some(NearMiss { peak, bar });
        }
        None
    }

    /// Finds the beat that should have come by tick `now`, if a peak may have been it.
    pub(super) fn search_back(&mut self, now: u64) -> Option<Found> {
        let (last, near_miss) = (self.last?, self.nearest?);
        let waited = now.saturating_sub(last).saturating_sub(DELAY as u64);
        let is_overdue = waited.saturating_mul(100) > self.usual_interval() * OVERDUE_PERCENT;
        let is_likely = near_miss.peak.height * 100 > near_miss.bar * SEARCH_BAR_PERCENT;
        // A miss from long ago, when the level was another, is left alone.
        let is_recent = waited <= INTERVAL.end() * OVERDUE_PERCENT / 100 + DELAY as u64;
        (is_overdue && is_likely && is_recent).then(|| self.accept(near_miss.peak, now, true))
    }

    fn accept(&mut self, peak: Peak, now: u64, searched_back: bool) -> Found {
        if let Some(last) = self.last {
            remember(&mut self.intervals, peak.tick.saturating_sub(last));
        }
        remember(&mut self.beats, peak.height);
        self.last = Some(peak.tick);
        self.nearest = None;
        self.level_at = now;
        Found { tick: peak.tick, searched_back }
    }

    fn bar(&self, percent: i64) -> i64 {
        let (beats, others) = (median(self.beats), median(self.others));
        (others + (beats - others) * percent / 100).max(HEIGHT_MIN)
    }

    fn usual_interval(&self) -> u64 {
        median(self.intervals.map(u64::cast_signed))
            .unsigned_abs()
            .clamp(*INTERVAL.start(), *INTERVAL.end())
    }

    pub(super) const BYTES: usize = 1 + 8 + 3 * 8 + 3 * 8 * 8 + 9 + 25 + 8;

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let (tag, since, highest) = match self.phase {
            Phase::Learning { since, highest } => (0, since, highest),
            Phase::Judging => (1, 0, [0; 3]),
        };
        out.push(tag);
        out.extend(since.to_be_bytes());
        let heights = highest.iter().chain(&self.beats).chain(&self.others);
        out.extend(heights.flat_map(|height| height.to_be_bytes()));
        out.extend(self.intervals.iter().flat_map(|interval| interval.to_be_bytes()));
        out.push(u8::from(self.last.is_some()));
        out.extend(self.last.unwrap_or(0).to_be_bytes());
        let near_miss = self.nearest.unwrap_or(NearMiss { peak: Peak::default(), bar: 0 });
        out.push(u8::from(self.nearest.is_some()));
        out.extend(near_miss.peak.tick.to_be_bytes());
        out.extend(near_miss.peak.height.to_be_bytes());
        out.extend(near_miss.bar.to_be_bytes());
        out.extend(self.level_at.to_be_bytes());
    }

    /// `now` is the tick at which the state was saved; nothing in it can be later.
    pub(super) fn decode(fields: &mut Fields<'_>, now: u64) -> Result<Self, SnapshotError> {
        let tag = fields.flag()?;
        let since = past(fields.u64()?, now)?;
        let highest = heights(fields)?;
        let phase = if tag { Phase::Judging } else { Phase::Learning { since, highest } };
        let (beats, others) = (heights(fields)?, heights(fields)?);
        let mut intervals = [0; 8];
        for interval in &mut intervals {
            *interval = fields.u64()?;
            if *interval > now.max(INTERVAL_AT_FIRST) {
                return Err(SnapshotError::Impossible { field: "interval" });
            }
        }
        let last = (fields.flag()?, past(fields.u64()?, now)?);
        let nearest = (fields.flag()?, past(fields.u64()?, now)?, heights::<2>(fields)?);
        let (has_nearest, tick, [height, bar]) = nearest;
        Ok(Self {
            phase,
            beats,
            others,
            intervals,
            last: last.0.then_some(last.1),
            nearest: has_nearest.then_some(NearMiss { peak: Peak { tick, height }, bar }),
            level_at: past(fields.u64()?, now)?,
        })
    }
}

/// The middle of three seconds, in case one held a jolt; with less than a beat a second, half the highest.
fn learned_level(mut highest: [i64; 3]) -> i64 {
    highest.sort_unstable();
    let [_, middle, top] = highest;
    middle.max(top / 2)
}

fn remember<T>(values: &mut [T; 8], value: T) {
    values.rotate_right(1);
    if let Some(first) = values.first_mut() {
        *first = value;
    }
}

/// Of eight values, the mean of the two in the middle.
fn median(mut values: [i64; 8]) -> i64 {
    values.sort_unstable();
    let [_, _, _, lower, upper, _, _, _] = values;
    lower.midpoint(upper)
}

fn past(tick: u64, now: u64) -> Result<u64, SnapshotError> {
    if tick > now { Err(SnapshotError::Impossible { field: "tick" }) } else { Ok(tick) }
}

fn heights<const N: usize>(fields: &mut Fields<'_>) -> Result<[i64; N], SnapshotError> {
    let mut heights = [0; N];
    for height in &mut heights {
        *height = fields.i64()?;
        if !(0..=HEIGHT_MAX).contains(height) {
            return Err(SnapshotError::Impossible { field: "height" });
        }
    }
    Ok(heights)
}
