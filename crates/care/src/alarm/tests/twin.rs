//! The machine again, written for obviousness: no deadlines and no transitions;
//! it counts seconds, and every second asks all its questions afresh.

use super::*;

#[derive(Default)]
pub(super) struct Twin {
    silent: u64,
    signal: bool,
    over: bool,
    held: Option<u64>,
    sounding: Option<u64>,
    /// Seconds since the answer, and how many it lasts.
    acked: Option<(u64, Duration)>,
    called: usize,
    /// The second and step of every call that a machine which never sleeps makes.
    calls: Vec<(u64, usize)>,
}

impl Twin {
    /// What the nurse hears and sees each second, and every call.
    pub(super) fn row(
        rule: &Rule,
        script: &[(u64, Step)],
        end: u64,
    ) -> (String, Vec<(u64, usize)>) {
        let mut twin = Self { silent: 1_000, ..Self::default() };
        let mut row = String::new();
        for at in 0..=end {
            twin.silent += 1;
            let counters = [&mut twin.held, &mut twin.sounding];
            counters.into_iter().flatten().for_each(|seconds| *seconds += 1);
            twin.acked.iter_mut().for_each(|(seconds, _)| *seconds += 1);
            twin.look_at_the_clock(rule, at);
            for (_, step) in script.iter().filter(|(when, _)| *when == at) {
                twin.take(rule, *step);
                twin.look_at_the_clock(rule, at);
            }
            row.push(match twin.called {
                _ if twin.sounding.is_none() => '.',
                _ if !twin.signal => '?',
                0 => '#',
                called if called == rule.escalate_after.len() => '!',
                called => char::from(b'0' + called as u8),
            });
        }
        (row, twin.calls)
    }

    fn look_at_the_clock(&mut self, rule: &Rule, at: u64) {
        let lasted = |seconds: Option<u64>, span| seconds.is_some_and(|s| secs(s) >= span);
        self.signal &= secs(self.silent) < rule.max_age;
        if self.signal && lasted(self.held, rule.delay) {
            (self.held, self.sounding, self.called) = (None, Some(0), 0);
            self.calls.push((at, 0));
        }
        if self.acked.is_some_and(|(seconds, lasts)| secs(seconds) >= lasts) {
            (self.acked, self.sounding, self.called) = (None, Some(0), 0);
            self.calls.push((at, 0));
        }
        if rule.escalate_after.get(self.called).is_some_and(|span| lasted(self.sounding, *span)) {
            (self.sounding, self.called) = (Some(0), self.called + 1);
            self.calls.push((at, self.called));
        }
    }

    fn take(&mut self, rule: &Rule, step: Step) {
        let raised = self.sounding.is_some() || self.acked.is_some();
        match step {
            Reads(rate) => return self.take(rule, Late(0, rate)),
            Late(age, _) if age > self.silent || secs(age) >= rule.max_age => {}
            Late(age, rate) => {
                (self.signal, self.silent) = (true, age);
                self.over = rate <= CLEARS_AT || self.over && rate <= LIMIT;
                let holds = rate > LIMIT && !raised;
                self.held = holds.then(|| self.held.unwrap_or(0));
            }
            LeadOff => (self.signal, self.silent) = (false, 0),
            Ack => return self.take(rule, AckFor(1_000)),
            AckFor(lasts) if raised => {
                let lasts = secs(lasts).min(rule.quiet_for_max);
                (self.sounding, self.acked) = (None, Some((0, lasts)));
            }
            Dismiss | Replace if raised => (self.sounding, self.acked) = (None, None),
            AckFor(_) | Dismiss | Replace => {}
        }
        if self.signal && self.over && (self.acked.is_some() || !rule.latching) {
            (self.sounding, self.acked) = (None, None);
        }
    }
}
