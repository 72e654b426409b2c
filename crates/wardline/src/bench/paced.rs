//! As steadily as a ward: each device sends at its own instant of each round, and some
//! hearts race for a while, so that alarms come at known instants.

use std::time::Duration;

use anyhow::Context as _;
use model::Timestamp;
use store::Clock;
use tokio::task::JoinSet;

use super::{
    publisher::{Acked, Publisher},
    template::RATE_OF_ALARM,
};

/// The heart rate counts messages, in thousandths above 70 /min, and begins anew here.
const COUNTS_TO: u64 = 10_000;
const RATE_FROM: u64 = 70_000;
/// A heart that races does so for one of so many seconds.
const RACES_EVERY: Duration = Duration::from_secs(5);
const RACES_FOR: Duration = Duration::from_secs(1);

/// A device sends nothing while so many of its messages wait, as the server takes no more.
const WAITING_MAX: usize = 64;

/// A message and when its last byte was with the socket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    /// The device's place among all.
    pub(super) device: usize,
    /// What the screen will show, in thousandths.
    pub(super) rate_thousandths: u64,
    /// When.
    pub(super) at: Timestamp,
    /// Whether it is the first beyond its limit.
    pub(super) is_onset: bool,
}

/// What was sent at which pace.
#[derive(Debug, Default)]
pub(super) struct Paced {
    /// Every message, in the order of each device.
    pub(super) sent: Vec<Sent>,
    /// From the socket to the acknowledgement, in milliseconds.
    pub(super) ack_ms: Vec<f64>,
    /// How late messages left, in milliseconds: the load's own fault.
    pub(super) late_ms: Vec<f64>,
}

/// The plan of one run.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// The first round begins here.
    pub(super) from: Timestamp,
    /// No message leaves after this.
    pub(super) until: Timestamp,
    /// From one message of a device to its next.
    pub(super) every: Duration,
    /// Devices below this number have hearts that race.
    pub(super) racing: usize,
    /// How many devices there are.
    pub(super) devices: usize,
}

impl Plan {
    /// A device's first instant: all are spread evenly over a round.
    fn first(&self, device: usize) -> Timestamp {
        self.from.after(self.every.mul_f64(device as f64 / self.devices.max(1) as f64))
    }

    /// Whether the heart at this device races at `at`; each device at its own time.
    fn races(&self, device: usize, at: Timestamp) -> bool {
        if device >= self.racing {
            return false;
        }
        let shift = RACES_EVERY.mul_f64(device as f64 / self.racing as f64);
        let phase = at.since(self.from).saturating_add(shift).as_nanos() % RACES_EVERY.as_nanos();
        phase < RACES_FOR.as_nanos() && at.since(self.from) > RACES_FOR
    }
}

/// Sends by the plan from every device; answers when all is acknowledged.
pub(super) async fn pace(
    devices: Vec<Publisher>,
    plan: &Plan,
    clock: &Clock,
) -> anyhow::Result<Paced> {
    let mut tasks = JoinSet::new();
    for device in devices {
        tasks.spawn(keep_pace(device, plan.clone(), clock.clone()));
    }
    let mut all = Paced::default();
    while let Some(done) = tasks.join_next().await {
        let one = done.context("a device broke off")??;
        all.sent.extend(one.sent);
        all.ack_ms.extend(one.ack_ms);
        all.late_ms.extend(one.late_ms);
    }
    Ok(all)
}

async fn keep_pace(mut device: Publisher, plan: Plan, clock: Clock) -> anyhow::Result<Paced> {
    let (mut paced, mut acked) = (Paced::default(), Vec::<Acked>::new());
    let mut next_at = plan.first(device.number);
    let mut raced = false;
    while next_at < plan.until {
        if device.waiting() >= WAITING_MAX {
            device.take_answers(&mut acked).await?;
            continue;
        }
        if device.waiting() == 0 {
            clock.sleep_until(next_at).await;
        } else {
            tokio::select! {
                biased;
                () = clock.sleep_until(next_at) => {}
                taken = device.take_answers(&mut acked) => {
                    taken?;
                    continue;
                }
            }
        }
        let races = plan.races(device.number, next_at);
        let rate_thousandths =
            if races { RATE_OF_ALARM } else { RATE_FROM + device.seq % COUNTS_TO };
        device.publish(rate_thousandths)?;
        let at = device.flush().await?;
        let is_onset = races && !raced;
        paced.sent.push(Sent { device: device.number, rate_thousandths, at, is_onset });
        paced.late_ms.push(at.since(next_at).as_secs_f64() * 1_000.0);
        (raced, next_at) = (races, next_at.after(plan.every));
    }
    while device.waiting() > 0 {
        device.take_answers(&mut acked).await?;
    }
    let waited = |one: &Acked| one.acked_at.since(one.sent_at).as_secs_f64() * 1_000.0;
    paced.ack_ms.extend(acked.iter().map(waited));
    Ok(paced)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(racing: usize) -> Plan {
        let from = Timestamp::from_unix_millis(1_700_000_000_000);
        let until = from.after(Duration::from_secs(20));
        Plan { from, until, every: Duration::from_millis(100), racing, devices: 10 }
    }

    #[test]
    fn the_devices_share_a_round_evenly() {
        let plan = plan(0);
        let firsts: Vec<_> = (0..10).map(|device| plan.first(device).since(plan.from)).collect();
        assert_eq!(firsts[0], Duration::ZERO);
        assert_eq!(firsts[7], Duration::from_millis(70));
    }

    #[test]
    fn a_racing_heart_races_one_second_in_five_and_each_at_its_own_time() {
        let plan = plan(5);
        let seconds_of = |device: usize| -> Vec<u64> {
            let at = |second| plan.from.after(Duration::from_millis(second * 1_000 + 500));
            (0..20).filter(|second| plan.races(device, at(*second))).collect()
        };
        assert_eq!(seconds_of(0), [5, 10, 15]);
        assert_eq!(seconds_of(1), [4, 9, 14, 19]);
        assert_eq!(seconds_of(4), [1, 6, 11, 16]);
        assert_eq!(seconds_of(5), [0_u64; 0]);
    }
}
