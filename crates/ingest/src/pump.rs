//! The loop that draws from `transport`: admit in the order of arrival, settle in
//! the order of the journal, answer each device in the order of its messages.
//!
//! Two tasks share the work. The first decodes and hands to the journal; the second
//! waits for the syncs, one after the other as the log has them, and answers. So one
//! slow sync holds back answers and nothing else, and no task is made per message.

use std::sync::Arc;

use model::Timestamp;
use record::{Body, MqttNote, Presence, PresenceChange};
use store::{AppendError, Clock, Ticket};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use transport::{Arrival, NackReason, Note, Unacked, Unanswered, mqtt::Listener};

use crate::{
    door::{Admitted, Door, Fate, Message},
    limits::{DRAWN_AT_ONCE, SNAPSHOT_EVERY, UNANSWERED_MAX},
    refusals,
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
    Message {
        unacked: Unacked,
        admitted: Admitted,
    },
    Noted(Ticket),
    /// Something of the door's own; without a ticket there was nothing to write.
    Note {
        note: Note,
        ticket: Option<Ticket>,
    },
    /// Whoever sent it waits until everything before it is settled.
    Fence(oneshot::Sender<()>),
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
    let mut snapshots = Snapshots::default();
    while listener.next_many(&mut arrivals, DRAWN_AT_ONCE).await > 0 {
        door.room().await;
        for arrival in arrivals.drain(..) {
            // Room first: an admitted message always finds its place in the order.
            let Ok(place) = waiting.reserve().await else { return };
            if let Some(next) = draw(arrival, &door, &clock) {
                place.send(next);
            }
        }
        if snapshots.is_due(&door)
            && snapshots.write(&listener, &door, clock.now(), &waiting).await.is_none()
        {
            return;
        }
    }
}

/// When what the MQTT door keeps is written once more, so that a restart need not read far.
#[derive(Default)]
struct Snapshots {
    /// Where the journal ended after the last one.
    last_at: u64,
    /// How long the last one was.
    len: u64,
}

impl Snapshots {
    fn is_due(&self, door: &Door) -> bool {
        // A long one comes less often, so that it is never most of what is written.
        let every = SNAPSHOT_EVERY.max(self.len.saturating_mul(4));
        door.journal_len().saturating_sub(self.last_at) >= every
    }

    /// Writes one between what was settled and what will be drawn; `None` if the loop is over.
    async fn write(
        &mut self,
        listener: &Listener,
        door: &Door,
        now: Timestamp,
        waiting: &mpsc::Sender<Waiting>,
    ) -> Option<()> {
        let (settled, all) = oneshot::channel();
        waiting.send(Waiting::Fence(settled)).await.ok()?;
        all.await.ok()?;
        let began_at = door.journal_len();
        let send = async |ticket| waiting.send(Waiting::Noted(ticket)).await.ok();
        send(door.remark(now, &Body::MqttNote(MqttNote::SnapshotBegan))).await?;
        for (device, body) in listener.snapshot() {
            door.room().await;
            send(door.note(device, now, &body)).await?;
        }
        let ended = door.remark(now, &Body::MqttNote(MqttNote::SnapshotEnded));
        // Its length is known once it is written.
        waiting.send(Waiting::Noted(ended)).await.ok()?;
        let (settled, all) = oneshot::channel();
        waiting.send(Waiting::Fence(settled)).await.ok()?;
        all.await.ok()?;
        self.last_at = door.journal_len();
        self.len = self.last_at.saturating_sub(began_at);
        Some(())
    }
}

fn draw(arrival: Arrival, door: &Door, clock: &Clock) -> Option<Waiting> {
    match arrival {
        Arrival::Message(mut unacked) => {
            let message = Message {
                topic: unacked.topic(),
                content_type: unacked.content_type(),
                payload: unacked.payload(),
                received_at: unacked.received_at(),
            };
            let (org, device) = (unacked.identity().org, unacked.identity().device);
            let mut company = None;
            let admitted = door.admit_with(org, device, "mqtt", &message, |is_letter| {
                let (bodies, found) = unacked.companions(is_letter);
                company = found;
                bodies
            });
            unacked.accompany(company);
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
        Arrival::Note(mut note) => {
            let bodies = note.bodies();
            let ticket =
                (!bodies.is_empty()).then(|| door.note_all(note.device(), clock.now(), &bodies));
            Some(Waiting::Note { note, ticket })
        }
        Arrival::Refused { remote, identity, presented, why } => {
            let device = identity.as_ref().map(|identity| identity.device.to_string());
            tracing::debug!(%remote, device, why = %why, "connection_refused");
            door.count_refused();
            let at = clock.now();
            let (identity, presented) = (identity.as_deref(), presented.as_deref());
            let seen = refusals::connection(at, remote, identity, presented, why);
            door.turned_away(at, seen);
            None
        }
    }
}

async fn settle(mut waiting: mpsc::Receiver<Waiting>, door: Arc<Door>) {
    while let Some(next) = waiting.recv().await {
        match next {
            Waiting::Noted(ticket) => {
                if let Err(error) = ticket.await {
                    tracing::warn!(%error, "presence_not_recorded");
                }
            }
            Waiting::Note { note, ticket } => keep(note, ticket).await,
            // Whoever waits may have gone, and then nobody needs to know.
            Waiting::Fence(settled) => drop(settled.send(())),
            Waiting::Message { unacked, admitted } => answer(unacked, admitted, &door).await,
        }
    }
}

async fn keep(note: Note, ticket: Option<Ticket>) {
    let kept = match ticket {
        None => note.needs_nothing(),
        Some(ticket) => match ticket.await {
            Ok(durable) => note.kept(durable.positions(), &durable),
            Err(error) => {
                note.lost(why_unanswered(&error));
                return;
            }
        },
    };
    if let Err(note) = kept {
        // The journal's own proof does not name the journal's own positions.
        tracing::error!(device = %note.device(), "proof_does_not_fit");
        note.lost(Unanswered::Lost);
    }
}

async fn answer(unacked: Unacked, admitted: Admitted, door: &Door) {
    let Admitted { ticket, fate, device } = admitted;
    let outcome = ticket.await;
    let is_safe = door.settle(device, &fate, outcome.is_ok());
    let durable = match outcome {
        Ok(durable) => durable,
        Err(error) => {
            unacked.drop_unanswered(why_unanswered(&error));
            return;
        }
    };
    let positions = durable.positions();
    let answered = match fate {
        Fate::Stored { .. } => unacked.acknowledge(positions, &durable),
        // Its first copy is lost: the client is to send it again.
        Fate::Repeated { .. } if !is_safe => {
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
