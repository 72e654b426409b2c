//! As fast as it goes: each device keeps a number of messages on their way until the time is up.

use std::time::Duration;

use anyhow::Context as _;
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
    /// Messages that were acknowledged, by device.
    pub(super) acked_by_device: Vec<u64>,
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
        self.acked_by_device.iter().sum()
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

/// Sends from every device at once; answers when the last message is acknowledged.
pub(super) async fn flood(
    devices: Vec<Publisher>,
    in_flight: usize,
    until: &Until,
    clock: &Clock,
) -> anyhow::Result<Flooded> {
    let count = devices.len();
    let began_at = clock.now();
    let mut tasks = JoinSet::new();
    for device in devices {
        tasks.spawn(push(device, in_flight, until.clone(), clock.clone()));
    }
    let mut flooded = Flooded {
        acked_by_device: vec![0; count],
        began_at,
        ended_at: began_at,
        ..Flooded::default()
    };
    while let Some(done) = tasks.join_next().await {
        let (number, acked) = done.context("a device broke off")??;
        if let Some(place) = flooded.acked_by_device.get_mut(number) {
            *place = acked.len() as u64;
        }
        for one in acked {
            flooded.ended_at = flooded.ended_at.max(one.acked_at);
            flooded.ack_ms.push(one.acked_at.since(one.sent_at).as_secs_f64() * 1_000.0);
        }
    }
    Ok(flooded)
}

async fn push(
    mut device: Publisher,
    in_flight: usize,
    until: Until,
    clock: Clock,
) -> anyhow::Result<(usize, Vec<Acked>)> {
    let mut acked = Vec::new();
    loop {
        if !until.is_over(&clock) {
            while device.waiting() < in_flight {
                device.publish(RATE_FROM + device.seq % COUNTS_TO)?;
            }
            device.flush().await?;
        }
        if device.waiting() == 0 {
            return Ok((device.number, acked));
        }
        device.take_answers(&mut acked).await?;
    }
}
