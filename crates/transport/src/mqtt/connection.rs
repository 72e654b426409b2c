//! One client's socket: what comes in goes to the peer, what the peer, the desk and
//! the outbox have goes out, and silence ends it.
//!
//! All waiting is done in one poll, so an idle connection holds no read buffer: that
//! lives on the stack of the poll. One poll writes every answer that is ready in one
//! flush. Nothing of one connection is ever awaited by another.

use std::{
    future::{Future, poll_fn},
    mem::MaybeUninit,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
    time::Duration,
};

use model::{SiteId, Timestamp};
use record::PresenceChange;
use security::{DeviceAct, DeviceIdentity, DeviceTopics, permit_device};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    sync::mpsc,
};

use super::{
    listener::{House, Shared},
    outbox::{Letter, Outbox, Receipt},
    peer::{Event, Peer, Publication, Subscribing},
    proto::{Fault, Publish, Qos, Reason, Version, write::Granted},
    sessions::{Key, Leave, Live, SharedOutbox, lock},
};
use crate::{
    Arrival, Message, Note, RefusedWhy, Unacked, Unanswered,
    arrival::Held,
    desk::{Answer, Desk, Order, Reply},
    note::What,
};

/// What one poll reads at most, on its stack.
const READ_LEN: usize = 4_096;

/// A connection whose client has proved who it is.
pub(crate) struct Connection<S> {
    shared: Arc<Shared>,
    arrivals: mpsc::Sender<Arrival>,
    stream: S,
    identity: Arc<DeviceIdentity>,
    remote: SocketAddr,
    number: u64,
    peer: Peer,
    desk: Arc<Desk>,
    answers: Vec<(Reply, Answer)>,
    /// Packet ids whose delivery is over, and was not said yet.
    done: Vec<u16>,
    out: Vec<u8>,
    written: usize,
    /// Messages of any QoS that are with somebody.
    unanswered: usize,
    /// Whether packets wait in the peer for room.
    held_back: bool,
    has_mail: bool,
    needs_flush: bool,
    began_at: Timestamp,
    heard_at: Timestamp,
    /// Since when the message in front is known to stay unanswered, and why.
    never: Option<(Timestamp, Unanswered)>,
    timer: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// The answer to a CONNECT that waits for storage, and when it waits no longer.
    admission: Option<(Timestamp, Box<Granted>)>,
    open: Option<Open>,
}

/// What a connection is once its CONNECT was accepted.
struct Open {
    key: Key,
    site: SiteId,
    topics: DeviceTopics,
    client_id: Arc<str>,
    outbox: SharedOutbox,
    silence_max: Duration,
    /// Whether the session outlives its connection, and so the program.
    is_kept: bool,
}

/// Why a poll returned.
enum Woken {
    Bytes,
    Order(Order),
    Gone,
    Late,
    Stuck(Unanswered),
    Fault(Fault),
}

/// How a connection ends.
enum End {
    Goodbye { will: bool, expiry_s: Option<u32> },
    Lost,
    Silent,
    TakenOver,
    NotAccepted(RefusedWhy),
    Fault(Fault),
    Left(Reason),
    NobodyListens,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(crate) fn new(
        shared: Arc<Shared>,
        arrivals: mpsc::Sender<Arrival>,
        stream: S,
        identity: DeviceIdentity,
        remote: SocketAddr,
        number: u64,
    ) -> Box<Self> {
        let now = shared.clock.now();
        let timer = sleep(&shared, now.after(shared.limits.connect_max));
        let peer = Peer::new(shared.limits.clone());
        Box::new(Self {
            shared,
            arrivals,
            stream,
            identity: Arc::new(identity),
            remote,
            number,
            peer,
            desk: Arc::default(),
            answers: Vec::new(),
            done: Vec::new(),
            out: Vec::new(),
            written: 0,
            unanswered: 0,
            held_back: false,
            has_mail: false,
            needs_flush: false,
            began_at: now,
            heard_at: now,
            never: None,
            timer,
            admission: None,
            open: None,
        })
    }

    /// Serves the client until its connection ends.
    ///
    /// The state and the rare long steps are boxed, as a task is as large as its largest step.
    pub(crate) async fn serve(mut self: Box<Self>) {
        let end = loop {
            match poll_fn(|cx| self.poll(cx)).await {
                Woken::Bytes => {
                    if let Some(end) = self.take().await {
                        break end;
                    }
                }
                Woken::Order(Order::TakenOver) => break End::TakenOver,
                Woken::Order(Order::Leave(reason)) => break End::Left(reason),
                Woken::Gone => break End::Lost,
                Woken::Late if self.open.is_none() => {
                    break End::NotAccepted(RefusedWhy::ConnectTooSlow);
                }
                Woken::Late => match self.never {
                    Some((at, why)) if self.is_past_never(at) => break End::Left(reason_of(why)),
                    Some(_) | None => break End::Silent,
                },
                Woken::Stuck(why) => break End::Left(reason_of(why)),
                Woken::Fault(fault) => break End::Fault(fault),
            }
        };
        Box::pin(self.end(end)).await;
    }

    fn is_past_never(&self, since: Timestamp) -> bool {
        self.shared.clock.now() >= since.after(self.shared.limits.never_answered_max)
    }

    fn deadline(&self) -> Timestamp {
        let limits = &self.shared.limits;
        let silent = match &self.open {
            None => self.began_at.after(limits.connect_max),
            Some(open) => self.heard_at.after(open.silence_max),
        };
        let never = self.never.map(|(since, _)| since.after(limits.never_answered_max));
        let admission = self.admission.as_ref().map(|(at, _)| *at);
        [never, admission].into_iter().flatten().fold(silent, Timestamp::min)
    }

    /// Lets the client in although storage has not answered: a sync may hang for longer than
    /// an alarm may wait. When its ticket is answered later, the client is in already.
    fn admit(&mut self, now: Timestamp) {
        if let Some((_, granted)) = self.admission.take_if(|(at, _)| now >= *at) {
            self.peer.accept(&granted, &mut self.out);
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Woken> {
        // A timer is armed once and asked again; activity only moves the deadline behind it.
        while self.timer.as_mut().poll(cx).is_ready() {
            let now = self.shared.clock.now();
            self.admit(now);
            let deadline = self.deadline();
            if now >= deadline {
                return Poll::Ready(Woken::Late);
            }
            self.timer = sleep(&self.shared, deadline);
        }
        if let Some(woken) = self.look(cx) {
            return Poll::Ready(woken);
        }
        self.post();
        if let Poll::Ready(Err(_)) = self.poll_write(cx) {
            return Poll::Ready(Woken::Gone);
        }
        if self.held_back && self.may_take() {
            self.held_back = false;
            return Poll::Ready(Woken::Bytes);
        }
        if self.held_back || self.unsent() > self.shared.limits.out_bytes_max {
            return Poll::Pending;
        }
        self.poll_read(cx)
    }

    /// Looks at the desk: answers go to `out`, an order ends the poll.
    fn look(&mut self, cx: &Context<'_>) -> Option<Woken> {
        let found = self.desk.look(cx.waker(), &mut self.answers);
        self.unanswered = found.unanswered;
        self.has_mail |= found.mail;
        for (reply, answer) in std::mem::take(&mut self.answers) {
            match (&reply, &answer) {
                (Reply::Puback(_) | Reply::Pubrec(_), Answer::Taken) => {
                    self.shared.tally.acknowledged.fetch_add(1, Ordering::Relaxed);
                }
                (_, Answer::Refused(_)) => {
                    self.shared.tally.refused_messages.fetch_add(1, Ordering::Relaxed);
                }
                (_, Answer::Taken) => self.has_mail = true,
            }
            if let Err(fault) = self.peer.answer(&reply, &answer, &mut self.out) {
                return Some(Woken::Fault(fault));
            }
        }
        if let Some(order) = found.order {
            return Some(Woken::Order(order));
        }
        let why = found.never?;
        let full = self.peer.window() >= usize::from(self.shared.limits.receive_max);
        if found.stuck || full {
            return Some(Woken::Stuck(why));
        }
        if self.never.is_none() {
            let now = self.shared.clock.now();
            self.never = Some((now, why));
            let deadline = self.deadline();
            self.timer = sleep(&self.shared, deadline);
            // The new timer has to be polled once to wake this task.
            cx.waker().wake_by_ref();
        }
        None
    }

    /// Whether one more packet may be taken from the peer.
    fn may_take(&self) -> bool {
        // What follows a CONNECT waits for its answer.
        let is_in = self.open.is_none() || !self.peer.is_deciding();
        is_in && self.unanswered < self.shared.limits.unanswered_max && !self.peer.is_full()
    }

    fn unsent(&self) -> usize {
        self.out.len().saturating_sub(self.written)
    }

    /// Puts waiting messages for the client into `out`, as far as there is room.
    fn post(&mut self) {
        let Some(open) = &self.open else { return };
        if !self.has_mail || self.peer.is_deciding() {
            return;
        }
        let now = self.shared.clock.now();
        let receive_max = self.peer.their_receive_max().min(self.shared.limits.receive_max);
        while self.out.len().saturating_sub(self.written) < self.shared.limits.out_bytes_max {
            let mut outbox = lock(&open.outbox);
            let (mail, again) = match outbox.next(now, receive_max) {
                Some(Letter::Message { mail, again }) => (mail, again),
                Some(Letter::Release { id }) => {
                    self.peer.release(id, true, &mut self.out);
                    continue;
                }
                None => {
                    self.has_mail = false;
                    return;
                }
            };
            let expiry = mail.said.expires_at.map(|at| at.since(now).as_secs().max(1));
            let publish = Publish {
                topic: mail.said.topic.as_ref().to_owned(),
                alias: None,
                content_type: mail.said.content_type.clone(),
                payload: mail.said.payload.clone(),
                qos: mail.qos,
                id: mail.id,
                retain: mail.retain,
                dup: again && mail.qos != Qos::AtMostOnce,
                expiry_s: expiry.and_then(|seconds| u32::try_from(seconds).ok()),
                extra: mail.said.extra.clone(),
                subscription_ids: mail.subscription_ids,
            };
            if self.peer.deliver(publish, &mut self.out) {
                self.shared.tally.sent.fetch_add(1, Ordering::Relaxed);
            } else {
                outbox.give_up(mail.id);
            }
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        while let Some(rest) = self.out.get(self.written..)
            && !rest.is_empty()
        {
            match Pin::new(&mut self.stream).poll_write(cx, rest) {
                Poll::Ready(Ok(0)) => {
                    return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into()));
                }
                Poll::Ready(Ok(len)) => {
                    self.written = self.written.saturating_add(len);
                    self.needs_flush = true;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        if self.written > 0 {
            self.written = 0;
            // An idle connection keeps no buffer.
            self.out = Vec::new();
        }
        if self.needs_flush {
            match Pin::new(&mut self.stream).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.needs_flush = false,
                other => return other,
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Woken> {
        let mut stack = [const { MaybeUninit::uninit() }; READ_LEN];
        let mut buffer = ReadBuf::uninit(&mut stack);
        match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(_)) => Poll::Ready(Woken::Gone),
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => Poll::Ready(Woken::Gone),
            Poll::Ready(Ok(())) => {
                let len = buffer.filled().len() as u64;
                self.shared.tally.bytes_in.fetch_add(len, Ordering::Relaxed);
                self.peer.push(buffer.filled());
                Poll::Ready(Woken::Bytes)
            }
        }
    }

    /// Takes what the peer has; what it sends on keeps its order.
    async fn take(&mut self) -> Option<End> {
        let now = self.shared.clock.now();
        loop {
            if !self.may_take() {
                self.held_back = true;
                return None;
            }
            let packets = self.peer.packets();
            let event = self.peer.next(&mut self.out);
            if self.peer.packets() != packets {
                self.heard_at = now;
            }
            match event {
                Ok(None) if self.done.is_empty() => return None,
                Ok(None) => return Box::pin(self.say_done()).await,
                Ok(Some(event)) => {
                    if let Some(end) = self.handle(event, now).await {
                        return Some(end);
                    }
                }
                Err(fault) => return Some(End::Fault(fault)),
            }
        }
    }

    async fn handle(&mut self, event: Event, now: Timestamp) -> Option<End> {
        match event {
            Event::Publish(publication) => match self.publish(publication, now) {
                Some(message) => self.send(message).await,
                None => None,
            },
            Event::Delivered { id } => self.delivered(id, Outbox::acknowledged),
            Event::Completed { id } => self.delivered(id, Outbox::completed),
            Event::Received { id, refused: true } => {
                self.delivered(id, |outbox, id| outbox.taken(id, true))
            }
            Event::Received { id, refused: false } => Box::pin(self.received(id)).await,
            Event::Released { id } => Box::pin(self.released(id)).await,
            Event::Connect(connecting) => Box::pin(self.connect(connecting.0, now)).await,
            Event::Subscribe(subscribing) => Box::pin(self.subscribe(subscribing)).await,
            Event::Unsubscribe { id, filters } => Box::pin(self.unsubscribe(id, &filters)).await,
            Event::Goodbye { will, expiry_s } => Some(End::Goodbye { will, expiry_s }),
        }
    }

    /// What is to be taken in of a message; nothing if it is a repeat of QoS 2.
    fn publish(&mut self, publication: Publication, now: Timestamp) -> Option<Arrival> {
        let open = self.open.as_ref()?;
        let publish = publication.0;
        let reply = match publish.qos {
            Qos::AtMostOnce => None,
            Qos::AtLeastOnce => Some(Reply::Puback(publish.id)),
            Qos::ExactlyOnce => Some(Reply::Pubrec(publish.id)),
        };
        let ticket = self.desk.open(reply);
        let is_exact = publish.qos == Qos::ExactlyOnce;
        if is_exact {
            let mut outbox = lock(&open.outbox);
            match outbox.receive(publish.id) {
                Receipt::New => {}
                // The first copy may be of another connection: only its own proof answers both.
                Receipt::Pending => {
                    outbox.wait(publish.id, ticket);
                    self.unanswered = self.unanswered.saturating_add(1);
                    return None;
                }
                Receipt::Stored => {
                    ticket.answer(Answer::Taken);
                    return None;
                }
            }
        }
        let held = is_exact.then(|| Held {
            outbox: open.outbox.clone(),
            id: publish.id,
            version: self.peer.version().unwrap_or(Version::V5),
            is_kept: open.is_kept,
        });
        let may = permit_device(&open.topics, DeviceAct::Publish, &publish.topic);
        let message = Message {
            identity: self.identity.clone(),
            site: open.site,
            remote: self.remote,
            client_id: open.client_id.clone(),
            topic: publish.topic,
            content_type: publish.content_type,
            payload: publish.payload,
            received_at: now,
            qos: publish.qos,
            retain: publish.retain,
            dup: publish.dup,
            is_will: false,
            authorised: may.is_allowed(),
            expiry_s: publish.expiry_s,
            extra: publish.extra,
        };
        self.shared.tally.messages.fetch_add(1, Ordering::Relaxed);
        self.unanswered = self.unanswered.saturating_add(1);
        let unacked = Unacked::new(message, Some(ticket), House::new(&self.shared));
        Some(Arrival::Message(match held {
            Some(held) => unacked.holding(held),
            None => unacked,
        }))
    }

    async fn send(&mut self, arrival: Arrival) -> Option<End> {
        self.arrivals.send(arrival).await.err().map(|_| End::NobodyListens)
    }

    async fn send_all(
        &mut self,
        arrivals: impl IntoIterator<Item = Arrival> + Send,
    ) -> Option<End> {
        for arrival in arrivals {
            if let Some(end) = self.send(arrival).await {
                return Some(end);
            }
        }
        None
    }
}

mod door;
mod letters;

fn sleep(shared: &Shared, at: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    let clock = shared.clock.clone();
    Box::pin(async move { clock.sleep_until(at).await })
}

const fn reason_of(why: Unanswered) -> Reason {
    match why {
        Unanswered::Full => Reason::QuotaExceeded,
        Unanswered::Poisoned | Unanswered::Lost => Reason::Busy,
    }
}
