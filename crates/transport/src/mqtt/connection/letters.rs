//! What a client says about messages to it: what it wants to hear, and what it has.

use record::MqttProgress;

use super::*;
use crate::mqtt::{sessions::progress, time::time_mail};

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Subscribes to what the device may hear; the answer leaves once that is kept.
    pub(super) async fn subscribe(&mut self, subscribing: Subscribing) -> Option<End> {
        let open = self.open.as_ref()?;
        let mut is_denied = false;
        let judged = subscribing.filters.into_iter().map(|filter| {
            let filter = filter?;
            let may = permit_device(&open.topics, DeviceAct::Subscribe, &filter.text);
            is_denied |= !may.is_allowed();
            if may.is_allowed() { Ok(filter) } else { Err(Reason::NotAuthorized) }
        });
        let judged: Vec<_> = judged.collect();
        let filters = judged.iter().flatten().map(|filter| filter.text.as_str());
        let (of, now) = ((open.site, self.identity.device), self.shared.clock.now());
        let id = Some(subscribing.subscription_id).filter(|id| *id > 0);
        if let Some(time) = time_mail(of, filters, id, now) {
            // Of QoS 0: without room it is dropped and counted, and the device asks again.
            let _ = lock(&open.outbox).push(&self.shared.limits, time);
            self.has_mail = true;
        }
        if is_denied {
            let (identity, remote) = (Some(self.identity.clone()), self.remote);
            let why = RefusedWhy::Filter;
            let refused = Arrival::Refused { remote, identity, presented: None, why };
            self.shared.tell(&self.arrivals, refused);
        }
        let key = &open.key;
        let subscribed = self.shared.sessions().subscribe(key, judged, subscribing.subscription_id);
        let reply = Reply::Suback(subscribing.id, subscribed.codes);
        let what = What::Subscribed(key.clone(), subscribed.wanted);
        self.ask(what, reply).await
    }

    /// Ends subscriptions; the answer leaves once that is kept.
    pub(super) async fn unsubscribe(&mut self, id: u16, filters: &[String]) -> Option<End> {
        let open = self.open.as_ref()?;
        let codes = self.shared.sessions().unsubscribe(&open.key, filters);
        self.ask(What::Session(open.key.clone()), Reply::Unsuback(id, codes)).await
    }

    /// The delivery of a message is over, if `is_over` says so.
    pub(super) fn delivered(
        &mut self,
        id: u16,
        is_over: impl Fn(&mut Outbox, u16) -> bool,
    ) -> Option<End> {
        let open = self.open.as_ref()?;
        // An id that is nobody's is a late answer to an earlier connection.
        if is_over(&mut lock(&open.outbox), id) && open.is_kept {
            self.done.push(id);
        }
        self.has_mail = true;
        None
    }

    /// The client has a message of QoS 2; it is told to forget the id once that is kept.
    pub(super) async fn received(&mut self, id: u16) -> Option<End> {
        let open = self.open.as_ref()?;
        let known = lock(&open.outbox).taken(id, false);
        if !known || !open.is_kept {
            self.peer.release(id, known, &mut self.out);
            return None;
        }
        let what = What::Progress(MqttProgress { taken: vec![id], ..progress(&open.key) });
        self.ask(what, Reply::Pubrel(id)).await
    }

    /// The client releases its own message of QoS 2; the id is free once that is kept.
    pub(super) async fn released(&mut self, id: u16) -> Option<End> {
        let open = self.open.as_ref()?;
        let known = lock(&open.outbox).release(id);
        if !known || !open.is_kept {
            self.peer.complete(id, known, &mut self.out);
            return None;
        }
        let what = What::Progress(MqttProgress { released: vec![id], ..progress(&open.key) });
        self.ask(what, Reply::Pubcomp(id)).await
    }

    /// Says which deliveries are over, all that came at once together.
    pub(super) async fn say_done(&mut self) -> Option<End> {
        let done = std::mem::take(&mut self.done);
        let open = self.open.as_ref()?;
        let what = What::Progress(MqttProgress { done, ..progress(&open.key) });
        let note = Note::new(what, House::new(&self.shared));
        self.send(Arrival::Note(note)).await
    }

    /// Hands on what is to be kept before the client is answered.
    async fn ask(&mut self, what: What, reply: Reply) -> Option<End> {
        self.unanswered = self.unanswered.saturating_add(1);
        let ticket = self.desk.open(Some(reply));
        let note = Note::new(what, House::new(&self.shared)).answering(ticket);
        self.send(Arrival::Note(note)).await
    }
}
