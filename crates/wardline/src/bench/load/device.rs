//! One device of a load: it connects in its turn, says what its body says, and comes back
//! when its line breaks.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use model::{DeviceId, Timestamp};
use sim::Solo;
use store::Clock;
use tokio::sync::{Semaphore, watch};

use super::tally::Tally;
use crate::{
    bench::retry::Retry,
    demo::line::{Answer, Heard, Line},
};

/// A handshake that takes longer is given up.
const CONNECT_WITHIN: Duration = Duration::from_secs(30);
/// How long the last answers may take, and coming back for them.
const LAST_ANSWERS: Duration = Duration::from_secs(30);
/// What a device could not say for longer than this it does not say later.
const CATCHES_UP: Duration = Duration::from_secs(1);

/// What holds for all devices of a run.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    /// From one message of a device to its next.
    pub(super) every: Duration,
    /// Messages of a device that may wait for their answer.
    pub(super) in_flight: usize,
    /// Nothing new is said from here on.
    pub(super) until: Timestamp,
    /// So many shake hands at once.
    pub(super) gate: Arc<Semaphore>,
    pub(super) tally: Arc<Tally>,
    pub(super) clock: Clock,
}

/// What became of one device's messages.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) device: DeviceId,
    pub(super) boot: u64,
    pub(super) sent: u64,
    pub(super) acknowledged: u64,
    pub(super) refused: u64,
    pub(super) reconnects: u64,
    /// When it was let in for the first time.
    pub(super) in_at: Option<Timestamp>,
}

/// A device with its body.
pub(super) struct LoadDevice {
    number: usize,
    line: Line,
    solo: Solo,
    rules: Rules,
    retry: Retry,
    account: Account,
}

impl LoadDevice {
    /// A device whose line is down.
    pub(super) const fn new(
        (number, device): (usize, DeviceId),
        line: Line,
        solo: Solo,
        rules: Rules,
    ) -> Self {
        let account = Account {
            device,
            boot: solo.boot(),
            sent: 0,
            acknowledged: 0,
            refused: 0,
            reconnects: 0,
            in_at: None,
        };
        Self { number, line, solo, rules, retry: Retry::new(), account }
    }

    /// Connects at its place in the ramp and speaks until the time is up or `stopped` says so;
    /// answers when nothing waits any more, or nobody answers.
    pub(super) async fn run(
        mut self,
        begins_at: Timestamp,
        mut stopped: watch::Receiver<bool>,
    ) -> Account {
        let clock = self.rules.clock.clone();
        let mut next_at = begins_at;
        let mut over_at = None;
        tokio::select! {
            () = clock.sleep_until(begins_at) => {}
            // Whoever could stop it is gone only with the run itself.
            _ = stopped.wait_for(|stopped| *stopped) => {}
        }
        loop {
            let now = clock.now();
            if over_at.is_none() && (now >= self.rules.until || *stopped.borrow()) {
                over_at = Some(now);
            }
            let gives_up_at = over_at.map(|at: Timestamp| at.after(LAST_ANSWERS));
            if gives_up_at.is_some_and(|at| self.line.waiting() == 0 || now >= at) {
                break;
            }
            if !self.line.is_up() {
                self.enter().await;
                next_at = next_at.max(clock.now());
                continue;
            }
            let may_speak = over_at.is_none()
                && self.line.has_room()
                && self.line.waiting() < self.rules.in_flight;
            if may_speak && next_at <= now {
                self.speak(now).await;
                next_at = next_at.after(self.rules.every).max(now.before(CATCHES_UP));
                continue;
            }
            let wakes_at =
                if may_speak { next_at } else { gives_up_at.unwrap_or(self.rules.until) };
            tokio::select! {
                biased;
                heard = self.line.next() => self.take(heard),
                () = clock.sleep_until(wakes_at) => {}
                _ = stopped.wait_for(|stopped| *stopped), if over_at.is_none() => {}
            }
        }
        if self.line.is_up() {
            self.rules.tally.connected.fetch_sub(1, Relaxed);
        }
        self.account
    }

    /// One attempt to come in, in its turn; after one that failed it waits.
    async fn enter(&mut self) {
        let tally = Arc::clone(&self.rules.tally);
        let why = {
            // The gate is never closed.
            let _turn = self.rules.gate.acquire().await;
            match tokio::time::timeout(CONNECT_WITHIN, self.line.connect()).await {
                Ok(Ok(())) if self.line.is_up() => None,
                Ok(Ok(())) => Some("the line broke at once".to_owned()),
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some(format!("no answer within {} s", CONNECT_WITHIN.as_secs())),
            }
        };
        if let Some(why) = why {
            tally.turned_away.fetch_add(1, Relaxed);
            tally.because(&format!("not let in: {why}"));
            tokio::time::sleep(self.retry.next(self.number)).await;
            return;
        }
        self.retry = Retry::new();
        tally.connected.fetch_add(1, Relaxed);
        if self.account.in_at.is_some() {
            self.account.reconnects += 1;
            tally.reconnects.fetch_add(1, Relaxed);
        } else {
            self.account.in_at = Some(self.rules.clock.now());
        }
    }

    async fn speak(&mut self, now: Timestamp) {
        let sent = self.solo.speak(now);
        self.account.sent += 1;
        self.rules.tally.sent.fetch_add(1, Relaxed);
        self.line.send(sent).await;
        if !self.line.is_up() {
            self.rules.tally.connected.fetch_sub(1, Relaxed);
        }
    }

    fn take(&mut self, heard: Heard) {
        let tally = &self.rules.tally;
        match heard {
            // 0x10 is a broker's success without a subscriber.
            Heard::Answer(Answer { sent_at, code, .. }) if code < 0x80 => {
                self.account.acknowledged += 1;
                tally.acknowledged.fetch_add(1, Relaxed);
                tally.ack.add(self.rules.clock.now().since(sent_at));
            }
            Heard::Answer(Answer { code, words, .. }) => {
                self.account.refused += 1;
                tally.refused.fetch_add(1, Relaxed);
                let words = words.unwrap_or_default();
                tally.because(&format!("message refused with {code:#04x}: {words}"));
            }
            Heard::Broke(why) => {
                tally.connected.fetch_sub(1, Relaxed);
                tally.because(&format!("line broke: {why}"));
            }
            Heard::Other => {}
        }
    }
}
