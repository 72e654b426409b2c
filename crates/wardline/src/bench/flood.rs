//! As fast as it goes, or as a rate allows: each device keeps a number of messages on their
//! way until the time is up.

use std::{num::NonZeroU32, time::Duration};

use anyhow::{Context as _, ensure};
use model::Timestamp;
use store::Clock;
use tokio::{sync::watch, task::JoinSet};

use super::publisher::{Acked, Publisher};

/// Calm within every default limit, and another one in each message.
const RATE_FROM: u64 = 70_000;
const COUNTS_TO: u64 = 10_000;

/// What was sent and answered.
#[derive(Debug, Default)]
pub(super) struct Flooded {
    /// The stamps of the messages, each of which was acknowledged, by device.
    pub(super) stamps_by_device: Vec<Vec<Timestamp>>,
    /// From the socket to the acknowledgement, in milliseconds, of every message.
    pub(super) ack_ms: Vec<f64>,
    /// When the first message left.
    pub(super) began_at: Timestamp,
    /// When the last acknowledgement was read.
    pub(super) ended_at: Timestamp,
}

impl Flooded {
    /// Messages that were acknowledged.
    pub(super) fn acked(&self) -> u64 {
        self.stamps_by_device.iter().map(|stamps| stamps.len() as u64).sum()
    }

    /// Acknowledged messages a second, from the first message to the last answer.
    pub(super) fn per_second(&self) -> f64 {
        self.acked() as f64 / self.ended_at.since(self.began_at).as_secs_f64()
    }
}

/// How long a flood lasts.
#[derive(Clone, Debug)]
pub(super) enum Until {
    /// Until this instant.
    At(Timestamp),
    /// Until somebody says that it is enough.
    Told(watch::Receiver<bool>),
}

impl Until {
    /// For so long from now on.
    pub(super) fn after(seconds: u64, clock: &Clock) -> Self {
        Self::At(clock.now().after(Duration::from_secs(seconds)))
    }

    fn is_over(&self, clock: &Clock) -> bool {
        match self {
            Self::At(at) => clock.now() >= *at,
            Self::Told(told) => *told.borrow(),
        }
    }
}

/// How hard each device pushes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Push {
    /// Messages that may wait for their acknowledgement.
    pub(super) in_flight: usize,
    /// Between two messages of a device at the least.
    pub(super) every: Duration,
}

impl Push {
    /// So many on their way at each device, and at most `rate` a second from all of them.
    pub(super) fn new(in_flight: u32, rate: Option<NonZeroU32>, devices: u32) -> Self {
        let every = rate.map_or(Duration::ZERO, |rate| {
            Duration::from_secs(1).saturating_mul(devices) / rate.get()
        });
        Self { in_flight: usize::try_from(in_flight).unwrap_or(usize::MAX), every }
    }
}

/// The heart rate of a message, in thousandths: it comes again after ten thousand messages.
pub(super) const fn rate_of(seq: u64) -> u64 {
    RATE_FROM + seq % COUNTS_TO
}

/// Sends from every device at once; answers when the last message is acknowledged.
pub(super) async fn flood(
    devices: Vec<Publisher>,
    push: Push,
    until: &Until,
    clock: &Clock,
) -> anyhow::Result<Flooded> {
    let count = devices.len();
    let began_at = clock.now();
    let mut tasks = JoinSet::new();
    for device in devices {
        tasks.spawn(keep_pushing(device, push, until.clone(), clock.clone()));
    }
    let mut flooded = Flooded {
        stamps_by_device: vec![Vec::new(); count],
        began_at,
        ended_at: began_at,
        ..Flooded::default()
    };
    while let Some(done) = tasks.join_next().await {
        let (number, stamps, acked) = done.context("a device broke off")??;
        ensure!(stamps.len() == acked.len(), "not each message was answered");
        if let Some(place) = flooded.stamps_by_device.get_mut(number) {
            *place = stamps;
        }
        for one in acked {
            flooded.ended_at = flooded.ended_at.max(one.acked_at);
            flooded.ack_ms.push(one.acked_at.since(one.sent_at).as_secs_f64() * 1_000.0);
        }
    }
    Ok(flooded)
}

async fn keep_pushing(
    mut device: Publisher,
    push: Push,
    until: Until,
    clock: Clock,
) -> anyhow::Result<(usize, Vec<Timestamp>, Vec<Acked>)> {
    let mut acked = Vec::new();
    // The devices do not begin in step.
    let mut next_at = clock.now().after(push.every.mul_f64((device.number % 97) as f64 / 97.0));
    loop {
        let is_over = until.is_over(&clock);
        if !is_over {
            let now = clock.now();
            while device.waiting() < push.in_flight && next_at <= now {
                device.publish(rate_of(device.seq))?;
                // Without a rate the next one is due at once.
                next_at = next_at.after(push.every);
            }
            device.flush().await?;
        }
        match device.waiting() {
            0 if is_over => return Ok((device.number, device.stamps, acked)),
            0 => clock.sleep_until(next_at).await,
            _ => device.take_answers(&mut acked).await?,
        }
    }
}

#[test]
fn a_rate_is_shared_by_the_devices() {
    let every = |rate, devices| Push::new(64, NonZeroU32::new(rate), devices).every;
    assert_eq!(every(10_000, 200), Duration::from_millis(20));
    assert_eq!(every(0, 200), Duration::ZERO);
}
