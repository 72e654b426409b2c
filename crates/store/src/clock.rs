//! The one clock that a process reads: anchored to UTC at the start, carried by the
//! machine's monotonic counter, slewed towards UTC, never back.
//!
//! When somebody moves the machine's clock by more than a second, ours stays and the
//! jump is reported once, for the journal. `--speed` scales this clock, and with it
//! the simulator, the server and the screens.
//!
//! **Absent on purpose:** a trait. Below the shell the time is an argument.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use model::Timestamp;
use tokio::sync::watch;

use crate::hold::hold;

/// A handle on the clock; all clones show the same time.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Hands>);

#[derive(Debug)]
enum Hands {
    System { started: Instant, slewed: Mutex<Slewed> },
    Scaled { started: Instant, start: Timestamp, speed: f64 },
    Manual { start: Timestamp, at: watch::Sender<Timestamp> },
}

/// A jump of the machine's clock beyond this is a step, not drift.
const STEP_MIN_NS: i64 = 1_000_000_000;
/// How often the machine's clock is compared with ours.
const COMPARE_EVERY_NS: i64 = 1_000_000_000;
/// The fastest that ours is pulled towards UTC, as NTP does it: 500 parts in a million.
const SLEW_PPM_MAX: i64 = 500;
/// Pulls an offset straight within ten seconds, if the limit lets it.
const NS_PER_PPM: i64 = 10_000;

impl Clock {
    /// The clock of a real server.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads a clock")]
    pub fn system() -> Self {
        let slewed = Mutex::new(Slewed::new(machine_ns()));
        Self(Arc::new(Hands::System { started: Instant::now(), slewed }))
    }

    /// A clock that shows `start` now and runs `speed` times as fast as the machine's.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads a clock")]
    pub fn scaled(start: Timestamp, speed: f64) -> Self {
        let speed = if speed.is_finite() { speed.clamp(1e-3, 1e6) } else { 1.0 };
        Self(Arc::new(Hands::Scaled { started: Instant::now(), start, speed }))
    }

    /// A clock that stands at `at` until it is told otherwise.
    pub fn manual(at: Timestamp) -> Self {
        Self(Arc::new(Hands::Manual { start: at, at: watch::Sender::new(at) }))
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        match &*self.0 {
            Hands::System { started, slewed } => {
                let elapsed = nanos(started.elapsed());
                Timestamp::from_unix_nanos(hold(slewed).now(elapsed, machine_ns))
            }
            Hands::Scaled { started, start, speed } => {
                start.after(started.elapsed().mul_f64(*speed))
            }
            Hands::Manual { at, .. } => *at.borrow(),
        }
    }

    /// How long this clock has existed by the machine's own counter, whatever the speed;
    /// for measuring spans. A manual clock measures by itself.
    pub fn elapsed(&self) -> Duration {
        match &*self.0 {
            Hands::System { started, .. } | Hands::Scaled { started, .. } => started.elapsed(),
            Hands::Manual { start, at } => at.borrow().since(*start),
        }
    }

    /// Moves a manual clock forward to `at`; other clocks and earlier times are left alone.
    pub fn advance_to(&self, at: Timestamp) {
        if let Hands::Manual { at: shown, .. } = &*self.0 {
            shown.send_if_modified(|shown| {
                let later = at > *shown;
                *shown = at.max(*shown);
                later
            });
        }
    }

    /// How far the machine's clock jumped since the last question, in nanoseconds, if by
    /// more than a second.
    pub fn take_step(&self) -> Option<i64> {
        match &*self.0 {
            Hands::System { slewed, .. } => hold(slewed).step_ns.take(),
            Hands::Scaled { .. } | Hands::Manual { .. } => None,
        }
    }

    /// How long the machine takes for `span` of this clock; zero for a manual clock.
    pub fn wall_duration(&self, span: Duration) -> Duration {
        match &*self.0 {
            Hands::System { .. } => span,
            Hands::Scaled { speed, .. } => span.div_f64(*speed),
            Hands::Manual { .. } => Duration::ZERO,
        }
    }

    /// Returns when this clock shows `at` or later.
    pub async fn sleep_until(&self, at: Timestamp) {
        if let Hands::Manual { at: shown, .. } = &*self.0 {
            // The sender lives as long as `self`, so this ends only by the time.
            let _ = shown.subscribe().wait_for(|shown| *shown >= at).await;
            return;
        }
        loop {
            let left = at.since(self.now());
            if left.is_zero() {
                return;
            }
            // The runtime's timer counts in milliseconds; a last short nap is better than a spin.
            tokio::time::sleep(self.wall_duration(left).max(Duration::from_micros(100))).await;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads a clock")]
fn machine_ns() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => nanos(since),
        Err(before) => nanos(before.duration()).saturating_neg(),
    }
}

fn nanos(span: Duration) -> i64 {
    i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)
}

/// A straight line through (counter, UTC) that is bent a little once a second.
#[derive(Debug)]
struct Slewed {
    base_counter_ns: i64,
    base_utc_ns: i64,
    slew_ppm: i64,
    /// The sum of the jumps that ours did not follow.
    ignored_ns: i64,
    step_ns: Option<i64>,
}

impl Slewed {
    const fn new(utc_ns: i64) -> Self {
        Self { base_counter_ns: 0, base_utc_ns: utc_ns, slew_ppm: 0, ignored_ns: 0, step_ns: None }
    }

    fn now(&mut self, counter_ns: i64, machine_ns: impl FnOnce() -> i64) -> i64 {
        let elapsed = counter_ns.saturating_sub(self.base_counter_ns).max(0);
        let slewed = (elapsed / 1_000_000).saturating_mul(self.slew_ppm);
        let now = self.base_utc_ns.saturating_add(elapsed).saturating_add(slewed);
        if elapsed >= COMPARE_EVERY_NS {
            (self.base_counter_ns, self.base_utc_ns) = (counter_ns, now);
            let ahead = machine_ns().saturating_sub(now).saturating_sub(self.ignored_ns);
            if ahead.saturating_abs() > STEP_MIN_NS {
                self.ignored_ns = self.ignored_ns.saturating_add(ahead);
                self.step_ns = Some(self.step_ns.unwrap_or(0).saturating_add(ahead));
                self.slew_ppm = 0;
            } else {
                self.slew_ppm = (ahead / NS_PER_PPM).clamp(-SLEW_PPM_MAX, SLEW_PPM_MAX);
            }
        }
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    /// Runs `seconds` during which the machine's clock is `ahead` of its counter.
    fn run(clock: &mut Slewed, from: i64, seconds: i64, ahead: impl Fn(i64) -> i64) -> i64 {
        let mut last = i64::MIN;
        for tenth in from * 10..(from + seconds) * 10 {
            let counter = tenth * SECOND / 10;
            let now = clock.now(counter, || 1_000 * SECOND + counter + ahead(counter));
            assert!(now > last, "went back from {last} to {now}");
            last = now;
        }
        last - ((from + seconds) * SECOND - SECOND / 10) - 1_000 * SECOND
    }

    #[test]
    fn drift_is_followed_gently_and_never_back() {
        let mut clock = Slewed::new(1_000 * SECOND);
        // The machine's counter runs 100 parts in a million fast: we stay close to UTC.
        let off = run(&mut clock, 0, 3_600, |counter| -counter / 10_000);
        let utc_off = off + 3_600 * SECOND / 10_000;
        assert!(utc_off.abs() < 2_000_000, "{utc_off} ns from UTC");
        assert_eq!(clock.step_ns, None);
    }

    #[test]
    fn a_step_is_reported_once_and_not_followed() {
        for jump in [3_600 * SECOND, -3_600 * SECOND, SECOND + 1, -SECOND - 1] {
            let mut clock = Slewed::new(1_000 * SECOND);
            let off =
                run(&mut clock, 0, 60, |counter| if counter > 30 * SECOND { jump } else { 0 });
            assert!(off.abs() < 1_000_000, "{off} ns after a jump of {jump}");
            assert_eq!(clock.step_ns.take(), Some(jump));
            run(&mut clock, 60, 60, |_| jump);
            assert_eq!(clock.step_ns, None);
        }
        // A second exactly is drift, and is pulled straight.
        let mut clock = Slewed::new(1_000 * SECOND);
        let off = run(&mut clock, 0, 3_000, |_| SECOND);
        assert!((off - SECOND).abs() < 2_000_000, "{off}");
        assert_eq!(clock.step_ns, None);
    }

    #[tokio::test]
    async fn a_manual_clock_wakes_its_sleepers_and_never_goes_back() {
        let at = |second| Timestamp::from_unix_nanos(second * SECOND);
        let clock = Clock::manual(at(10));
        clock.advance_to(at(5));
        assert_eq!(clock.now(), at(10));
        let sleeper = clock.clone();
        let sleeper = tokio::spawn(async move { sleeper.sleep_until(at(12)).await });
        clock.advance_to(at(11));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.advance_to(at(12));
        sleeper.await.unwrap();
        assert_eq!(clock.elapsed(), Duration::from_secs(2));
    }

    #[test]
    fn a_scaled_clock_takes_less_of_the_machines_time() {
        let clock = Clock::scaled(Timestamp::from_unix_nanos(0), 60.0);
        assert_eq!(clock.wall_duration(Duration::from_secs(60)), Duration::from_secs(1));
        assert!(clock.now() >= Timestamp::from_unix_nanos(0));
        assert_eq!(clock.take_step(), None);
    }
}
