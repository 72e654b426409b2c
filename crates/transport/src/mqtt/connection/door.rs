//! How a client comes in and how it goes: CONNECT, the farewell, and what is said
//! about both to whoever draws the arrivals.

use tokio::time::timeout;

use super::*;
use crate::mqtt::{
    Admitted,
    proto::{Connect, Will},
    sessions::{Attached, NoSession, Will as Parting},
};

/// Client ids of up to so many letters and digits are taken by every server [MQTT-3.1.3-5].
const CLIENT_ID_LEN_ALWAYS_TAKEN: usize = 23;

/// A CONNECT that may come in, with what it gets.
struct Judged {
    site: SiteId,
    topics: DeviceTopics,
    client_id: Arc<str>,
    will: Option<Parting>,
    granted: Granted,
    silence_max: Duration,
    expiry_s: u32,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Takes a CONNECT: judged, it gets its session and its answer.
    pub(super) async fn connect(&mut self, connect: Connect, now: Timestamp) -> Option<End> {
        let Judged { site, topics, client_id, will, mut granted, silence_max, expiry_s } =
            match self.judge(&connect, now) {
                Ok(judged) => judged,
                Err(why) => return Some(self.refuse(why)),
            };
        let live = Live {
            connection: self.number,
            desk: self.desk.clone(),
            identity: self.identity.clone(),
            remote: self.remote,
            version: connect.version,
            since: now,
            will,
        };
        let key = (self.identity.device, client_id.as_ref().to_owned());
        let attached = self.shared.sessions().attach(&key, site, connect.clean, expiry_s, live);
        let attached = match attached {
            Ok(attached) => attached,
            Err(NoSession::TooMany) => return Some(self.refuse(RefusedWhy::TooManySessions)),
            Err(NoSession::PutOut) => return Some(self.refuse(RefusedWhy::PutOut)),
        };
        if attached.present {
            let permits =
                |filter: &str| permit_device(&topics, DeviceAct::Subscribe, filter).is_allowed();
            self.shared.sessions().revise(&key, permits);
        }
        granted.session_present = attached.present;
        // Were the earlier session recalled after a crash, its packet ids would hide messages
        // of this one: that it is over should be kept before the client relies on it. It does
        // not wait for long, though, as what it measures may have to sound.
        let connack = attached.overturns.then(|| Reply::Connack(Box::new(granted.clone())));
        if connack.is_none() {
            self.peer.accept(&granted, &mut self.out);
        } else {
            let at = now.after(self.shared.limits.admission_waits_max);
            self.admission = Some((at, Box::new(granted)));
        }
        self.has_mail = true;
        let (outbox, is_kept) = (attached.outbox.clone(), expiry_s > 0);
        let open = Open { key: key.clone(), site, topics, client_id, outbox, silence_max, is_kept };
        self.open = Some(open);
        // The timer so far is that of the CONNECT, and may ring long after a short keep alive.
        self.timer = sleep(&self.shared, self.deadline());
        self.announce(attached, key, connack).await
    }

    /// Judges a CONNECT; the order of the checks is the order of what they protect.
    fn judge(&self, connect: &Connect, now: Timestamp) -> Result<Judged, RefusedWhy> {
        let Admitted { site, grants } = (self.shared.may_connect)(&self.identity)?;
        let client_id = self.client_id(connect, !grants.is_empty(), now);
        let client_id: Arc<str> = client_id.ok_or(RefusedWhy::ClientId)?.into();
        let topics = DeviceTopics::new(&self.identity, site).granted(grants);
        let will = match &connect.will {
            Some(will) if !permit_device(&topics, DeviceAct::Publish, &will.topic).is_allowed() => {
                return Err(RefusedWhy::Will);
            }
            Some(will) => {
                let message = self.will(will, site, client_id.clone(), now);
                Some(Parting { delay_s: will.delay_s, message })
            }
            None => None,
        };
        let limits = &self.shared.limits;
        let expiry_s = connect.expiry_s.min(limits.session_expiry_max_s);
        let (keep_alive_s, silence_max) = self.silence(connect);
        let granted = Granted {
            session_present: false,
            receive_max: limits.receive_max,
            packet_len_max: limits.packet_len_max,
            topic_aliases_max: limits.topic_aliases_max,
            expiry_s: (expiry_s != connect.expiry_s).then_some(expiry_s),
            keep_alive_s,
            client_id: connect.client_id.is_empty().then(|| client_id.as_ref().to_owned()),
        };
        if !self.peer.takes(&granted) {
            let words = "a maximum packet size that the answer does not fit";
            return Err(RefusedWhy::Protocol(words));
        }
        Ok(Judged { site, topics, client_id, will, granted, silence_max, expiry_s })
    }

    /// Says who came, after all that has to be said about the connection before; the answer
    /// leaves once the session is kept, or has waited for that long enough.
    async fn announce(
        &mut self,
        attached: Attached,
        key: Key,
        connack: Option<Reply>,
    ) -> Option<End> {
        let house = House::new(&self.shared);
        let will = |message| Arrival::Message(Unacked::new(message, None, house.clone()));
        let session = |key| Arrival::Note(Note::new(What::Session(key), house.clone()));
        let mut said = Vec::new();
        said.extend(attached.will.map(will));
        if let Some((old, old_will)) = attached.displaced {
            said.extend(old_will.map(will));
            let (identity, remote) = (old.identity, old.remote);
            said.push(Arrival::Closed { identity, remote, how: PresenceChange::TakenOver });
        }
        let (identity, remote) = (self.identity.clone(), self.remote);
        said.push(Arrival::Opened { identity, remote, client_id: key.1.clone() });
        let own = connack.is_none().then(|| key.clone());
        let changed: Vec<Key> = attached.ended.into_iter().chain(own).collect();
        let changed = self.shared.sessions().of_record(changed);
        said.extend(changed.into_iter().map(session));
        if let Some(connack) = connack {
            self.unanswered = self.unanswered.saturating_add(1);
            let ticket = self.desk.open(Some(connack));
            said.push(Arrival::Note(
                Note::new(What::Session(key), house.clone()).admitting(ticket),
            ));
        }
        self.send_all(said).await
    }

    /// The session's name: the device's uuid, one that begins with it, or a short plain word
    /// [MQTT-3.1.3-5]; `None` is refused. Sessions are the device's own under any name: what is
    /// refused is a name that looks like another device's.
    ///
    /// A gateway with grants is taken as it comes.
    fn client_id(&self, connect: &Connect, any: bool, now: Timestamp) -> Option<String> {
        let device = self.identity.device.to_string();
        if connect.client_id.is_empty() {
            let may_be_assigned = connect.version == Version::V5 || connect.clean;
            let assigned = || format!("{device}-{:x}-{:x}", now.unix_millis(), self.number);
            return may_be_assigned.then(assigned);
        }
        let bounded = connect.client_id.len() <= self.shared.limits.client_id_len_max;
        let own = connect.client_id.starts_with(&device);
        let printable = connect.client_id.bytes().all(|byte| byte.is_ascii_graphic());
        let plain = connect.client_id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let short = connect.client_id.len() <= CLIENT_ID_LEN_ALWAYS_TAKEN;
        let fits = own || any || (plain && short);
        (bounded && fits && printable).then(|| connect.client_id.clone())
    }

    /// The keep alive to announce, if not the client's, and the silence that ends it [§3.1.2.10].
    fn silence(&self, connect: &Connect) -> (Option<u16>, Duration) {
        let limits = &self.shared.limits;
        let asked = connect.keep_alive_s;
        let one_and_a_half = |seconds: u16| Duration::from_millis(u64::from(seconds) * 1_500);
        match connect.version {
            Version::V311 if asked == 0 => (None, limits.idle_max),
            Version::V311 => (None, one_and_a_half(asked)),
            Version::V5 if asked == 0 || asked > limits.keep_alive_max_s => {
                (Some(limits.keep_alive_max_s), one_and_a_half(limits.keep_alive_max_s))
            }
            Version::V5 => (None, one_and_a_half(asked)),
        }
    }

    fn will(&self, will: &Will, site: SiteId, client_id: Arc<str>, now: Timestamp) -> Message {
        Message {
            identity: self.identity.clone(),
            site,
            remote: self.remote,
            topic: will.topic.clone(),
            content_type: will.content_type.clone(),
            payload: will.payload.clone(),
            received_at: now,
            qos: will.qos,
            retain: will.retain,
            dup: false,
            is_will: true,
            authorised: true,
            client_id,
            expiry_s: will.expiry_s,
            extra: will.extra.clone(),
        }
    }

    fn refuse(&mut self, why: RefusedWhy) -> End {
        let reason = match why {
            RefusedWhy::Quarantined | RefusedWhy::Retired => Reason::Banned,
            RefusedWhy::ClientId => Reason::ClientIdNotValid,
            RefusedWhy::TooManySessions => Reason::QuotaExceeded,
            RefusedWhy::NotReady => Reason::Unavailable,
            RefusedWhy::Protocol(_) => Reason::PacketTooLarge,
            _ => Reason::NotAuthorized,
        };
        self.peer.refuse(reason, &why.to_string(), &mut self.out);
        End::NotAccepted(why)
    }

    /// Says how it ended, first to whoever draws the arrivals, then to the client.
    pub(super) async fn end(mut self: Box<Self>, end: End) {
        let open = self.open.take();
        let (how, leave) = match &end {
            End::Goodbye { will, expiry_s } => {
                (PresenceChange::Disconnected, Leave { with_will: *will, expiry_s: *expiry_s })
            }
            End::Lost | End::Silent | End::NobodyListens => {
                (PresenceChange::Lost, Leave { with_will: true, expiry_s: None })
            }
            End::TakenOver => {
                (PresenceChange::TakenOver, Leave { with_will: false, expiry_s: None })
            }
            End::NotAccepted(_) | End::Fault(_) | End::Left(_) => {
                (PresenceChange::Refused, Leave { with_will: true, expiry_s: None })
            }
        };
        let why = match &end {
            End::NotAccepted(why) => Some(*why),
            End::Fault(fault) => Some(RefusedWhy::Protocol(fault.words)),
            _ => None,
        };
        if let Some(why) = why {
            let identity = Some(self.identity.clone());
            self.shared.refused(&self.arrivals, self.remote, identity, why);
        }
        if let Some(open) = open {
            self.depart(&open, how, leave).await;
        }
        let is_fault = matches!(end, End::Fault(_));
        match end {
            End::Silent => self.peer.leave(Reason::KeepAliveTimeout, None, &mut self.out),
            End::TakenOver => self.peer.leave(Reason::SessionTakenOver, None, &mut self.out),
            End::Left(reason) => self.peer.leave(reason, None, &mut self.out),
            End::NobodyListens => self.peer.leave(Reason::ShuttingDown, None, &mut self.out),
            End::Fault(fault) => self.peer.leave(fault.reason, Some(fault.words), &mut self.out),
            End::Goodbye { .. } | End::Lost | End::NotAccepted(_) => {}
        }
        self.farewell().await;
        if is_fault {
            let _ = timeout(self.shared.limits.farewell_max, self.hear_out()).await;
        }
    }

    /// Ends the session's connection and says so, unless a newer connection did.
    async fn depart(&mut self, open: &Open, how: PresenceChange, leave: Leave) {
        let now = self.shared.clock.now();
        let departed = self.shared.sessions().detach(&open.key, self.number, leave, now);
        if !departed.is_last {
            return;
        }
        let mut said = Vec::new();
        let house = || House::new(&self.shared);
        let is_will = departed.will.is_some();
        if let Some(message) = departed.will {
            let message = Message { received_at: now, ..message };
            let will = Unacked::new(message, None, house()).changing(open.key.clone());
            said.push(Arrival::Message(will));
        }
        let (identity, remote) = (self.identity.clone(), self.remote);
        said.push(Arrival::Closed { identity, remote, how });
        if !is_will {
            let changed = self.shared.sessions().of_record(vec![open.key.clone()]);
            let note = |key| Arrival::Note(Note::new(What::Session(key), house()));
            said.extend(changed.into_iter().map(note));
        }
        self.send_all(said).await;
    }

    /// Writes what is left and closes, within a bounded time of the machine's own.
    async fn farewell(&mut self) {
        let bound = self.shared.limits.farewell_max;
        let writing = async {
            let left = poll_fn(|cx| self.poll_write(cx)).await;
            if left.is_ok() {
                // The peer may be gone; there is nobody left to tell.
                let _ = self.stream.shutdown().await;
            }
        };
        let _ = timeout(bound, writing).await;
    }

    /// Reads what the peer still sends and throws it away: unread, it would make the system
    /// cut the line, and the reason for the end could be lost with it.
    async fn hear_out(&mut self) {
        let mut scrap = [0_u8; 4_096];
        let mut room = self.shared.limits.heard_out_max;
        while room > 0 {
            match self.stream.read(&mut scrap).await {
                Ok(0) | Err(_) => return,
                Ok(count) => room = room.saturating_sub(count),
            }
        }
    }
}
