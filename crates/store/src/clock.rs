//! The one clock that a process reads: anchored to UTC at the start, carried by the
//! machine's monotonic counter, slewed towards UTC, never back.
//!
//! ```text
//! the machine's clock is …          ours …
//! within a second of ours           is slewed towards it
//! ahead for ten seconds or more     steps forward once: after a suspend, after NTP
//! ahead by more than a month        stays: nobody slept so long; a restart takes it
//! behind                            runs on a little slower until it is caught up with
//! ```
//!
//! A journal that is opened with a clock moves it up to its last record, so that no
//! restart goes back either. Each step is told once, for the journal. `--speed` scales
//! this clock, and with it the simulator, the server and the screens.
//!
//! **Absent on purpose:** a trait. Below the shell the time is an argument.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
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
    Scaled { started: Instant, start_ns: AtomicI64, speed: f64 },
    Manual { start: Timestamp, at: watch::Sender<Timestamp>, caught_up_ns: AtomicU64 },
}

/// A jump of the machine's clock beyond this is a step, not drift.
const STEP_MIN_NS: i64 = 1_000_000_000;
/// How often the machine's clock is compared with ours.
const COMPARE_EVERY_NS: i64 = 1_000_000_000;
/// The fastest that ours is pulled towards UTC, as NTP does it: 500 parts in a million.
const SLEW_PPM_MAX: i64 = 500;
/// Pulls an offset straight within ten seconds, if the limit lets it.
const NS_PER_PPM: i64 = 10_000;
/// A jump forward is followed once the machine's clock has kept it for so long.
const FOLLOWED_AFTER_NS: i64 = 10_000_000_000;
/// A jump forward beyond this is an error until a restart says otherwise.
const FOLLOWED_MAX_NS: i64 = 31 * 86_400 * 1_000_000_000;

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
        let start_ns = AtomicI64::new(start.unix_nanos());
        Self(Arc::new(Hands::Scaled { started: Instant::now(), start_ns, speed }))
    }

    /// A clock that stands at `at` until it is told otherwise.
    pub fn manual(at: Timestamp) -> Self {
        let (start, at, caught_up_ns) = (at, watch::Sender::new(at), AtomicU64::new(0));
        Self(Arc::new(Hands::Manual { start, at, caught_up_ns }))
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        match &*self.0 {
            Hands::System { started, slewed } => {
                let elapsed = nanos(started.elapsed());
                Timestamp::from_unix_nanos(hold(slewed).now(elapsed, machine_ns))
            }
            Hands::Scaled { started, start_ns, speed } => {
                let start = Timestamp::from_unix_nanos(start_ns.load(Ordering::Relaxed));
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
            Hands::Manual { start, at, .. } => at.borrow().since(*start),
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

    // RC-034
    /// Moves this clock up to `at` if it shows less: what was known before a restart is not
    /// in the future after it. The gap is told as a step of the machine's clock.
    pub fn never_before(&self, at: Timestamp) {
        let at_ns = at.unix_nanos();
        match &*self.0 {
            Hands::System { started, slewed } => {
                let elapsed = nanos(started.elapsed());
                hold(slewed).never_before(at_ns, elapsed, machine_ns);
            }
            Hands::Scaled { start_ns, .. } => {
                let behind_ns = at_ns.saturating_sub(self.now().unix_nanos());
                start_ns.fetch_add(behind_ns.max(0), Ordering::Relaxed);
            }
            Hands::Manual { .. } => self.advance_to(at),
        }
    }

    /// Moves a manual clock forward to `at` as a step that the machine's clock made;
    /// other clocks are left alone.
    pub fn step_to(&self, at: Timestamp) {
        if let Hands::Manual { caught_up_ns, .. } = &*self.0 {
            let step_ns = at.unix_nanos().saturating_sub(self.now().unix_nanos());
            caught_up_ns.fetch_add(u64::try_from(step_ns).unwrap_or(0), Ordering::Relaxed);
            self.advance_to(at);
        }
    }

    /// The sum of all steps forward since the start: for so long nobody listened.
    ///
    /// Ask for the time first and for this second: a step between the two is then seen.
    pub fn caught_up(&self) -> Duration {
        match &*self.0 {
            Hands::System { slewed, .. } => {
                Duration::from_nanos(u64::try_from(hold(slewed).caught_up_ns).unwrap_or(0))
            }
            Hands::Scaled { .. } => Duration::ZERO,
            Hands::Manual { caught_up_ns, .. } => {
                Duration::from_nanos(caught_up_ns.load(Ordering::Relaxed))
            }
        }
    }

    /// How far the machine's clock is ahead of this one, in nanoseconds; behind if
    /// negative, zero if it is not the machine's that this one follows.
    pub fn machine_ahead_ns(&self) -> i64 {
        match &*self.0 {
            Hands::System { slewed, .. } => hold(slewed).ahead_ns,
            Hands::Scaled { .. } | Hands::Manual { .. } => 0,
        }
    }

    /// How far the machine's clock jumped since the last question, in nanoseconds, if by
    /// more than a second. A jump forward is told when this clock has followed it.
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
    /// The machine's clock minus ours at the last comparison.
    ahead_ns: i64,
    /// As much of it as was told.
    told_ns: i64,
    /// A jump forward that is not followed yet: when it was seen first, and how far.
    jump: Option<(i64, i64)>,
    /// The sum of the jumps that ours followed.
    caught_up_ns: i64,
    step_ns: Option<i64>,
}

impl Slewed {
    const fn new(utc_ns: i64) -> Self {
        Self {
            base_counter_ns: 0,
            base_utc_ns: utc_ns,
            slew_ppm: 0,
            ahead_ns: 0,
            told_ns: 0,
            jump: None,
            caught_up_ns: 0,
            step_ns: None,
        }
    }

    fn now(&mut self, counter_ns: i64, machine_ns: impl FnOnce() -> i64) -> i64 {
        let elapsed = counter_ns.saturating_sub(self.base_counter_ns).max(0);
        let now = self.at(elapsed);
        if elapsed < COMPARE_EVERY_NS {
            return now;
        }
        (self.base_counter_ns, self.base_utc_ns) = (counter_ns, now);
        self.compare(machine_ns().saturating_sub(now));
        self.base_utc_ns
    }

    const fn at(&self, elapsed: i64) -> i64 {
        let slewed = (elapsed / 1_000_000).saturating_mul(self.slew_ppm);
        self.base_utc_ns.saturating_add(elapsed).saturating_add(slewed)
    }

    fn never_before(&mut self, at_ns: i64, counter_ns: i64, machine_ns: impl FnOnce() -> i64) {
        let elapsed = counter_ns.saturating_sub(self.base_counter_ns).max(0);
        let now = self.at(elapsed);
        if at_ns > now {
            (self.base_counter_ns, self.base_utc_ns) = (counter_ns, at_ns);
            self.compare(machine_ns().saturating_sub(at_ns));
        }
    }

    /// Looks at how far the machine's clock is ahead of the base.
    fn compare(&mut self, ahead: i64) {
        self.ahead_ns = ahead;
        self.slew_ppm = (ahead / NS_PER_PPM).clamp(-SLEW_PPM_MAX, SLEW_PPM_MAX);
        if ahead <= STEP_MIN_NS || ahead > FOLLOWED_MAX_NS {
            self.jump = None;
            let is_news = ahead.saturating_sub(self.told_ns).saturating_abs() > STEP_MIN_NS;
            if is_news && ahead.saturating_abs() > STEP_MIN_NS {
                self.tell(ahead.saturating_sub(self.told_ns));
            }
            // Slewing makes it less, a little at a time.
            self.told_ns = ahead;
            return;
        }
        // RC-035
        let is_same = |(_, seen): &(i64, i64)| ahead.saturating_sub(*seen).abs() <= STEP_MIN_NS;
        let jump = self.jump.filter(is_same).unwrap_or((self.base_counter_ns, ahead));
        self.jump = Some(jump);
        if self.base_counter_ns.saturating_sub(jump.0) >= FOLLOWED_AFTER_NS {
            self.tell(ahead.saturating_sub(self.told_ns));
            self.base_utc_ns = self.base_utc_ns.saturating_add(ahead);
            self.caught_up_ns = self.caught_up_ns.saturating_add(ahead);
            (self.jump, self.ahead_ns, self.told_ns, self.slew_ppm) = (None, 0, 0, 0);
        }
    }

    const fn tell(&mut self, jumped_ns: i64) {
        let before = match self.step_ns {
            Some(before) => before,
            None => 0,
        };
        self.step_ns = Some(before.saturating_add(jumped_ns));
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
    fn a_step_back_is_told_once_and_ours_runs_a_little_slower() {
        for jump in [-3_600 * SECOND, -SECOND - 1_000_000] {
            let mut clock = Slewed::new(1_000 * SECOND);
            let ahead = |counter| if counter > 30 * SECOND { jump } else { 0 };
            let off = run(&mut clock, 0, 60, ahead);
            assert!((-16_000_000..=0).contains(&off), "{off} ns after a jump of {jump}");
            let told = clock.step_ns.take().unwrap();
            assert!((told - jump).abs() < 1_000_000, "{told}");
            run(&mut clock, 60, 3_600, |_| jump);
            assert_eq!((clock.step_ns, clock.caught_up_ns), (None, 0));
        }
        // What is left in the end is drift, and is pulled straight.
        let mut clock = Slewed::new(1_000 * SECOND);
        let off = run(&mut clock, 0, 8_000, |_| -3 * SECOND);
        assert!((off + 3 * SECOND).abs() < 2_000_000, "{off}");
    }

    #[test]
    fn a_step_forward_is_followed_at_once_when_it_has_lasted() {
        for jump in [SECOND + 100_000_000, 3_600 * SECOND, FOLLOWED_MAX_NS - SECOND] {
            let mut clock = Slewed::new(1_000 * SECOND);
            let ahead = |counter| if counter > 30 * SECOND { jump } else { 0 };
            let off = run(&mut clock, 0, 40, ahead);
            assert!(off < 10_000_000, "{off} ns before it was sure");
            assert_eq!(clock.step_ns, None);
            let off = run(&mut clock, 40, 4, ahead);
            assert!((off - jump).abs() < 10_000_000, "{off} ns after a jump of {jump}");
            let told = clock.step_ns.take().unwrap();
            assert!((told - jump).abs() < 10_000_000, "{told}");
            assert_eq!(clock.caught_up_ns, told);
            run(&mut clock, 44, 600, ahead);
            assert_eq!((clock.step_ns, clock.caught_up_ns), (None, told));
        }
    }

    #[test]
    fn a_jump_that_is_taken_back_or_is_beyond_belief_is_not_followed() {
        let mut clock = Slewed::new(1_000 * SECOND);
        let glitch = |counter| if counter / SECOND % 20 < 8 { 500 * SECOND } else { 0 };
        let off = run(&mut clock, 0, 600, glitch);
        assert!(off.abs() < 10_000_000, "{off}");
        assert_eq!((clock.step_ns, clock.caught_up_ns), (None, 0));
        let mut clock = Slewed::new(1_000 * SECOND);
        let years = FOLLOWED_MAX_NS + SECOND;
        let off = run(&mut clock, 0, 600, |counter| if counter > SECOND { years } else { 0 });
        assert!(off < SECOND, "{off}");
        assert_eq!(clock.caught_up_ns, 0);
        assert!(clock.step_ns.take().is_some_and(|told| (told - years).abs() < SECOND));
    }

    #[test]
    fn a_second_exactly_is_drift() {
        let mut clock = Slewed::new(1_000 * SECOND);
        let off = run(&mut clock, 0, 3_000, |_| SECOND);
        assert!((off - SECOND).abs() < 2_000_000, "{off}");
        assert_eq!((clock.step_ns, clock.caught_up_ns), (None, 0));
    }

    #[test]
    fn a_start_is_never_before_what_was_recorded() {
        // The machine's clock was set back by an hour while nobody ran.
        let mut clock = Slewed::new(1_000 * SECOND);
        clock.never_before(4_600 * SECOND, SECOND / 10, || 1_000 * SECOND + SECOND / 10);
        let told = clock.step_ns.take().unwrap();
        assert_eq!(told, -3_600 * SECOND + SECOND / 10);
        let off = run(&mut clock, 1, 60, |_| 0);
        assert!((off - 3_600 * SECOND).abs() < SECOND, "{off}");
        assert_eq!(clock.step_ns, None);
        // It is set right again: ours waits until it is caught up with.
        let before = run(&mut clock, 61, 1, |_| 3_700 * SECOND);
        let off = run(&mut clock, 62, 60, |_| 3_700 * SECOND);
        assert!(off > before && (off - 3_700 * SECOND).abs() < SECOND, "{off}");
        // A time that is past changes nothing.
        let mut clock = Slewed::new(1_000 * SECOND);
        clock.never_before(999 * SECOND, 0, || 1_000 * SECOND);
        assert_eq!((clock.base_utc_ns, clock.step_ns), (1_000 * SECOND, None));
    }

    #[test]
    fn no_clock_starts_before_what_was_recorded() {
        let at = |second| Timestamp::from_unix_nanos(second * SECOND);
        let later = at(7_000_000_000);
        for clock in [Clock::system(), Clock::scaled(at(10), 60.0), Clock::manual(at(10))] {
            clock.never_before(later);
            assert!(clock.now() >= later);
            clock.never_before(at(11));
            assert!(clock.now() >= later && clock.now() < later.after(Duration::from_secs(600)));
        }
        let clock = Clock::system();
        assert_eq!(clock.machine_ahead_ns(), 0);
        clock.never_before(later);
        assert!(clock.machine_ahead_ns() < -SECOND);
        assert_eq!(clock.take_step(), Some(clock.machine_ahead_ns()));
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
