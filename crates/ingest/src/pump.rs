//! The loop that draws from `transport`: admit in the order of arrival, settle in
//! the order of the journal, answer each device in the order of its messages.
//!
//! Two tasks share the work. The first decodes and hands to the journal; the second
//! waits for the syncs, one after the other as the log has them, and answers. So one
//! slow sync holds back answers and nothing else, and no task is made per message.

use std::{collections::HashMap, sync::Arc};

use model::DeviceId;
use record::{Body, Presence, PresenceChange};
use store::{AppendError, Clock, Ticket};
use tokio::{sync::mpsc, task::JoinHandle};
use transport::{Arrival, NackReason, Unacked, Unanswered, mqtt::Listener};

use crate::{
    door::{Admitted, Door, Fate, Keys, Message},
    limits::{DRAWN_AT_ONCE, UNANSWERED_MAX},
};

/// The running loop; it ends when its listener does.
#[derive(Debug)]
pub struct Pump {
    intake: JoinHandle<()>,
    settling: JoinHandle<()>,
}

/// Why the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PumpEnd {
    /// The listener was closed.
    ListenerClosed,
    /// One of the two tasks broke off.
    Broken,
}

/// What waits for its sync.
enum Waiting {
    Message { unacked: Unacked, admitted: Admitted },
    Noted(Ticket),
}

impl Pump {
    /// Starts to draw from the listener into the door.
    pub fn start(listener: Listener, door: Arc<Door>, clock: Clock) -> Self {
        let (sender, receiver) = mpsc::channel(UNANSWERED_MAX);
        let settling = tokio::spawn(settle(receiver, Arc::clone(&door)));
        let intake = tokio::spawn(take_in(listener, door, clock, sender));
        Self { intake, settling }
    }

    /// Returns once one of the two tasks has ended, which an open listener never lets happen.
    /// Nothing of the pump may be asked after that.
    pub async fn broke(&mut self) {
        tokio::select! {
            _ = &mut self.intake => {}
            _ = &mut self.settling => {}
        }
    }

    /// Waits until everything that came in is answered and the listener is closed.
    pub async fn ended(self) -> PumpEnd {
        let (intake, settling) = tokio::join!(self.intake, self.settling);
        if intake.is_ok() && settling.is_ok() { PumpEnd::ListenerClosed } else { PumpEnd::Broken }
    }
}

async fn take_in(
    mut listener: Listener,
    door: Arc<Door>,
    clock: Clock,
    waiting: mpsc::Sender<Waiting>,
) {
    let mut arrivals = Vec::with_capacity(DRAWN_AT_ONCE);
    while listener.next_many(&mut arrivals, DRAWN_AT_ONCE).await > 0 {
        door.room().await;
        for arrival in arrivals.drain(..) {
            // Room first: an admitted message always finds its place in the order.
            let Ok(place) = waiting.reserve().await else { return };
            if let Some(next) = draw(arrival, &door, &clock) {
                place.send(next);
            }
        }
    }
}

fn draw(arrival: Arrival, door: &Door, clock: &Clock) -> Option<Waiting> {
    match arrival {
        Arrival::Message(unacked) => {
            let message = Message {
                topic: unacked.topic(),
                content_type: unacked.content_type(),
                payload: unacked.payload(),
                received_at: unacked.received_at(),
            };
            let (org, device) = (unacked.identity().org, unacked.identity().device);
            let admitted = door.admit(org, device, "mqtt", &message);
            Some(Waiting::Message { unacked, admitted })
        }
        Arrival::Opened { identity, remote, .. } => {
            let change = PresenceChange::Connected;
            let presence = Presence { device: identity.device, change, remote: remote.to_string() };
            let body = Body::Presence(presence);
            Some(Waiting::Noted(door.note(identity.device, clock.now(), &body)))
        }
        Arrival::Closed { identity, remote, how } => {
            let presence =
                Presence { device: identity.device, change: how, remote: remote.to_string() };
            let body = Body::Presence(presence);
            Some(Waiting::Noted(door.note(identity.device, clock.now(), &body)))
        }
        Arrival::Session(session) => {
            let device = session.device;
            Some(Waiting::Noted(door.note(device, clock.now(), &Body::MqttSession(session))))
        }
        Arrival::Refused { remote, identity, why } => {
            let device = identity.map(|identity| identity.device.to_string());
            tracing::debug!(%remote, device, why = %why, "connection_refused");
            door.count_refused();
            None
        }
    }
}

async fn settle(mut waiting: mpsc::Receiver<Waiting>, door: Arc<Door>) {
    let mut lost = Lost::default();
    while let Some(next) = waiting.recv().await {
        match next {
            Waiting::Noted(ticket) => {
                if let Err(error) = ticket.await {
                    tracing::warn!(%error, "presence_not_recorded");
                }
            }
            Waiting::Message { unacked, admitted } => {
                answer(unacked, admitted, &door, &mut lost).await
            }
        }
    }
}

/// Keys whose first copy did not become durable: a repeat that was admitted before that
/// was known proves nothing about them.
///
/// At most so many messages wait between admission and settlement; after as many, no
/// such repeat can come any more and the key is forgotten.
#[derive(Default)]
struct Lost {
    keys: HashMap<(DeviceId, Keys), u64>,
    settled: u64,
}

impl Lost {
    fn add(&mut self, key: (DeviceId, Keys)) {
        let (settled, waiting) = (self.settled, UNANSWERED_MAX as u64);
        self.keys.retain(|_, at| settled - *at <= waiting);
        self.keys.insert(key, settled);
    }

    fn holds(&self, key: &(DeviceId, Keys)) -> bool {
        self.keys.contains_key(key)
    }
}

async fn answer(unacked: Unacked, admitted: Admitted, door: &Door, lost: &mut Lost) {
    let Admitted { ticket, fate, device } = admitted;
    let outcome = ticket.await;
    let of_lost = matches!(&fate, Fate::Repeated { keys } if lost.holds(&(device, keys.clone())));
    lost.settled += 1;
    door.settle(device, &fate, outcome.is_ok() && !of_lost);
    let durable = match outcome {
        Ok(durable) => durable,
        Err(error) => {
            if let Fate::Stored { keys, .. } = fate {
                lost.add((device, keys));
            }
            unacked.drop_unanswered(why_unanswered(&error));
            return;
        }
    };
    let positions = durable.positions();
    let answered = match fate {
        Fate::Stored { keys, .. } => {
            lost.keys.remove(&(device, keys));
            unacked.acknowledge(positions, &durable)
        }
        Fate::Repeated { .. } if of_lost => {
            unacked.drop_unanswered(Unanswered::Lost);
            return;
        }
        Fate::Repeated { .. } => unacked.acknowledge(positions, &durable),
        Fate::Dead { why, .. } => {
            let reason = if why.not_yours {
                NackReason::NotAuthorized
            } else if why.reason.starts_with("topic") {
                NackReason::Topic(why.reason)
            } else {
                NackReason::PayloadFormat(why.reason)
            };
            unacked.refuse(reason, positions, &durable)
        }
    };
    if let Err(unacked) = answered {
        // The journal's own proof does not name the journal's own positions.
        tracing::error!(device = %device, "proof_does_not_fit");
        unacked.drop_unanswered(Unanswered::Lost);
    }
}

const fn why_unanswered(error: &AppendError) -> Unanswered {
    match error {
        AppendError::Poisoned | AppendError::Fault(_) => Unanswered::Poisoned,
        AppendError::Full => Unanswered::Full,
        AppendError::Frame(_)
        | AppendError::TooLong { .. }
        | AppendError::Busy
        | AppendError::Closed
        | AppendError::Partitions { .. } => Unanswered::Lost,
    }
}
