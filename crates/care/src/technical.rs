//! Conditions of the equipment: each looks at one fact and says a [`Verdict`].
//!
//! What these watch is the way from the sensor to the screen. Most need no signal
//! of their own: that nothing came is exactly what they see.

use std::time::Duration;

use model::{Clock, MissingReason, Sample, Times, Timestamp, Vital};

use crate::{
    alarm::Verdict,
    edition::Edition,
    limit::{Limit, Side},
};

#[cfg(test)]
mod tests;

/// Where the thresholds come from.
pub const TECHNICAL: Edition = Edition::first(
    "technical thresholds",
    "clock, waveform age and device-to-display time: clinical reference, sections 3.1 and 13, \
     Wardline's own choice; lateness, battery and the ways back: Wardline's own choice",
    false, // No standard sets these numbers.
);

/// A clock further off than this is wrong, and right again from the second on.
pub const CLOCK_OFFSET_MAX: Duration = Duration::from_secs(2);
const CLOCK_OFFSET_CLEARS_AT: Duration = Duration::from_millis(1_500);
/// Samples that come later than this after they were taken are late, and on time from the second on.
pub const LATENESS_MAX: Duration = Duration::from_secs(60);
const LATENESS_CLEARS_AT: Duration = Duration::from_secs(30);
/// From device to display in more than this is slow, and quick again from the second on.
pub const DISPLAY_DELAY_MAX: Duration = Duration::from_secs(2);
const DISPLAY_DELAY_CLEARS_AT: Duration = Duration::from_millis(1_500);
/// Samples that are missing for longer than this between two blocks are a gap to tell of.
pub const WAVE_GAP_MAX: Duration = Duration::from_secs(2);
/// So much unbroken signal ends a gap.
const WAVE_WHOLE_AGAIN: Duration = Duration::from_secs(10);
/// Charge in thousandths of a percent below which a battery is low, or nearly empty.
const BATTERY_LOW: (i64, i64) = (20_000, 25_000);
const BATTERY_NEARLY_EMPTY: (i64, i64) = (10_000, 15_000);

/// More than `limit` holds, up to `clears_at` is over.
fn above(found: Duration, limit: Duration, clears_at: Duration) -> Verdict {
    if found > limit {
        Verdict::Holds
    } else if found <= clears_at {
        Verdict::Over
    } else {
        Verdict::Between
    }
}

/// A device from which nothing came for as long as its profile allows (RC-016).
///
/// It wants to be asked again at [`silence_deadline`].
pub fn device_silent(heard_at: Timestamp, silence_after: Duration, now: Timestamp) -> Verdict {
    if now >= silence_deadline(heard_at, silence_after) { Verdict::Holds } else { Verdict::Over }
}

/// When a device that was heard at `heard_at` counts as silent.
pub fn silence_deadline(heard_at: Timestamp, silence_after: Duration) -> Timestamp {
    heard_at.after(silence_after)
}

/// A sensor that says that it is not on the patient (RC-017).
pub const fn leads_off(sample: &Sample) -> Verdict {
    match sample {
        Sample::Measured(_) => Verdict::Over,
        Sample::Missing(reason) => leads_off_by(*reason),
    }
}

/// The same of a stretch of waveform without valid samples.
pub const fn leads_off_by(reason: MissingReason) -> Verdict {
    match reason {
        MissingReason::SensorDetached => Verdict::Holds,
        // A sensor that measures badly is attached.
        MissingReason::Implausible | MissingReason::OutOfRange => Verdict::Over,
        MissingReason::PoorSignal
        | MissingReason::DeviceFault
        | MissingReason::WarmingUp
        | MissingReason::NotMeasured
        | MissingReason::Unknown
        | MissingReason::Withdrawn => Verdict::Between,
    }
}

/// What a profile promises of a device's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum ClockPromise {
    Synchronised,
    Unsynchronised,
}

/// A clock that is too far off, or not synchronised though its profile promises it (RC-018).
pub fn clock_wrong(clock: Clock, promise: ClockPromise) -> Verdict {
    match (clock, promise) {
        (Clock::Synchronised { offset_ns }, _) => above(
            Duration::from_nanos(offset_ns.unsigned_abs()),
            CLOCK_OFFSET_MAX,
            CLOCK_OFFSET_CLEARS_AT,
        ),
        (Clock::Unsynchronised, ClockPromise::Synchronised) => Verdict::Holds,
        (Clock::Unsynchronised, ClockPromise::Unsynchronised) => Verdict::Over,
    }
}

/// Samples that come long after they were taken: they fill the chart and alarm nobody (RC-019).
///
/// A sample of unknown age says nothing about lateness. A device that keeps samples
/// while it is away is expected to be late, so ask only of its newest one.
pub fn data_late(times: &Times) -> Verdict {
    let taken = times.taken();
    if taken.age_known {
        above(times.received_at.since(taken.at), LATENESS_MAX, LATENESS_CLEARS_AT)
    } else {
        Verdict::Between
    }
}

/// The limit below which a battery asks for a charger.
pub const fn battery_low() -> Limit {
    battery(BATTERY_LOW)
}

/// The limit below which a battery is about to end the monitoring (RC-020).
pub const fn battery_nearly_empty() -> Limit {
    battery(BATTERY_NEARLY_EMPTY)
}

const fn battery((limit_thousandths, clears_at_thousandths): (i64, i64)) -> Limit {
    let (vital, side) = (Vital::BatteryLevel, Side::Low);
    Limit { vital, side, limit_thousandths, clears_at_thousandths }
}

/// Whether the journal takes anything in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Recording {
    On,
    Off,
}

/// A journal that is full or poisoned: alarms go on, the record does not (RC-021).
pub const fn not_recording(recording: Recording) -> Verdict {
    match recording {
        Recording::On => Verdict::Over,
        Recording::Off => Verdict::Holds,
    }
}

/// A way from device to display that takes too long, by the heartbeat that travels it (RC-022).
///
/// Also ask with the age of the last heartbeat when none has arrived.
pub fn pipeline_slow(device_to_display: Duration) -> Verdict {
    above(device_to_display, DISPLAY_DELAY_MAX, DISPLAY_DELAY_CLEARS_AT)
}

/// Whether a waveform arrives whole; time is counted in samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Continuity {
    seen_until: Option<Timestamp>,
    broken_at: Option<Timestamp>,
}

/// A [`Continuity`] laid open, for checkpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContinuitySnapshot {
    /// The end of the newest block.
    pub seen_until: Option<Timestamp>,
    /// The end of the last gap that was too long.
    pub broken_at: Option<Timestamp>,
}

impl Continuity {
    /// Lays the state open for a checkpoint.
    pub const fn snapshot(&self) -> ContinuitySnapshot {
        let Self { seen_until, broken_at } = *self;
        ContinuitySnapshot { seen_until, broken_at }
    }

    /// Goes on from a checkpoint.
    pub const fn restore(snapshot: ContinuitySnapshot) -> Self {
        let ContinuitySnapshot { seen_until, broken_at } = snapshot;
        Self { seen_until, broken_at }
    }

    /// Takes in one block; one that begins before the newest one ended closes no gap.
    pub fn observe(&mut self, from: Timestamp, until: Timestamp) {
        if self.seen_until.is_some_and(|seen| from.since(seen) > WAVE_GAP_MAX) {
            self.broken_at = Some(from);
        }
        self.seen_until = Some(self.seen_until.map_or(until, |seen| seen.max(until)));
    }

    /// Whether a gap of more than two seconds lies in the last ten of signal.
    pub fn broken(&self) -> Verdict {
        match (self.seen_until, self.broken_at) {
            (None, _) => Verdict::NoSignal,
            (Some(_), None) => Verdict::Over,
            (Some(seen), Some(broken)) if seen.since(broken) < WAVE_WHOLE_AGAIN => Verdict::Holds,
            (Some(_), Some(_)) => Verdict::Over,
        }
    }
}
