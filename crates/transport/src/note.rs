//! What the door itself wants to be kept: sessions, packet ids, messages of the server.
//!
//! A note goes the way of a message, so that the journal has everything in one order:
//! [`Note::bodies`] when its group is made, [`Note::kept`] when that is durable.

use model::DeviceId;
use record::{Body, MqttNote, MqttProgress, Position};
use store::Durable;

use crate::{
    Unanswered,
    desk::{Answer, Ticket},
    mqtt::{Addressed, House, Key, Options, Outgoing, Route, progress},
};

/// Something of the door's own that is to be kept.
#[derive(Debug)]
#[must_use = "a client may be waiting for it"]
pub struct Note {
    device: DeviceId,
    what: Box<What>,
    house: House,
    ticket: Option<Ticket>,
    route: Option<Box<Route>>,
    /// Whether it asked for something to be written.
    has_bodies: bool,
    /// Whether the client is answered even if it is lost.
    admits: bool,
}

/// What a note is about.
#[derive(Debug)]
pub(crate) enum What {
    /// A session began, changed or ended.
    Session(Key),
    /// A session has new subscriptions, and these filters want the retained messages.
    Subscribed(Key, Vec<(String, Options)>),
    /// Packet ids came further.
    Progress(MqttProgress),
    /// A message of the server itself, or one that goes to another member of its group.
    Say {
        /// The message and where it goes.
        to: Addressed,
        /// Whether it is kept for later subscriptions.
        retain: bool,
    },
    /// Messages to a device were withdrawn.
    Withdraw {
        /// Whose sessions.
        device: DeviceId,
        /// The topic, of which more may be on its way; nothing if only the ids are to be said.
        topic: Option<String>,
        /// The packet ids that the journal still holds.
        done: Vec<MqttProgress>,
    },
}

impl Note {
    pub(crate) fn new(what: What, house: House) -> Self {
        let device = match &what {
            What::Session(key) | What::Subscribed(key, _) => key.0,
            What::Progress(progress) => progress.device,
            What::Say { to, .. } => to.device,
            What::Withdraw { device, .. } => *device,
        };
        let what = Box::new(what);
        Self { device, what, house, ticket: None, route: None, has_bodies: false, admits: false }
    }

    /// A client waits until it is kept.
    pub(crate) fn answering(mut self, ticket: Ticket) -> Self {
        self.ticket = Some(ticket);
        self
    }

    /// A client waits to be let in. While storage takes nothing it is let in all the same, as
    /// what it measures may have to sound.
    pub(crate) fn admitting(mut self, ticket: Ticket) -> Self {
        self.admits = true;
        self.answering(ticket)
    }

    /// That a message of QoS 2 is remembered.
    pub(crate) fn received(key: &Key, id: u16) -> Body {
        let progress = MqttProgress { received: vec![id], ..progress(key) };
        Body::MqttNote(MqttNote::Progress(progress))
    }

    /// The device that it is about; its partition is where it is written.
    pub fn device(&self) -> DeviceId {
        self.device
    }

    /// What is to be written in one group; nothing, if nothing is to outlive the program.
    ///
    /// To be called once, in the order of the groups.
    pub fn bodies(&mut self) -> Vec<Body> {
        let mut sessions = self.house.sessions();
        let mut route = Route::default();
        let moved = |progress: &MqttProgress| Body::MqttNote(MqttNote::Progress(progress.clone()));
        let bodies = match &mut *self.what {
            What::Session(key) => sessions.record(key, &mut route),
            What::Subscribed(key, wanted) => {
                let mut bodies = sessions.record(key, &mut route);
                bodies.extend(sessions.greet(key, wanted, self.house.now(), &mut route));
                bodies
            }
            What::Progress(progress) => vec![moved(progress)],
            What::Say { to, retain } => {
                let outgoing = Outgoing { to, from: None, retain: *retain };
                sessions.route(&outgoing, &mut route)
            }
            What::Withdraw { device, topic, done } => {
                let more = topic.as_ref().map(|topic| sessions.withdraw(*device, topic));
                done.extend(more.into_iter().flatten());
                done.iter().map(moved).collect()
            }
        };
        self.route = Some(route).filter(|route| !route.is_empty()).map(Box::new);
        self.has_bodies = !bodies.is_empty();
        bodies
    }

    /// What was asked for stands at `positions`, and all of them are durable.
    pub fn kept(mut self, positions: &[Position], proof: &Durable) -> Result<(), Self> {
        let proved = !positions.is_empty() && positions.iter().all(|at| proof.covers(*at));
        if !proved {
            return Err(self);
        }
        self.settle();
        Ok(())
    }

    /// Nothing was asked for; gives the note back if something was.
    pub fn needs_nothing(mut self) -> Result<(), Self> {
        if self.has_bodies {
            return Err(self);
        }
        self.settle();
        Ok(())
    }

    fn settle(&mut self) {
        if let Some(route) = self.route.take() {
            self.house.sessions().deliver(*route);
        }
        if let What::Withdraw { device, topic, done } = &mut *self.what {
            done.clear();
            if let Some(topic) = topic {
                // What was on its way when the note was written has arrived by now.
                *done = self.house.sessions().withdraw(*device, topic);
            }
        }
        if let Some(ticket) = self.ticket.take() {
            ticket.answer(Answer::Taken);
        }
    }

    /// It could not be kept: whoever waits for it is not answered.
    pub fn lost(mut self, why: Unanswered) {
        match self.ticket.take() {
            Some(ticket) if self.admits => ticket.answer(Answer::Taken),
            Some(ticket) => ticket.never(why),
            None => {}
        }
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        if let Some(route) = self.route.take() {
            self.house.sessions().take_back(*route);
        }
        if let What::Withdraw { done, .. } = &mut *self.what
            && !done.is_empty()
        {
            self.house.sessions().withdrawn(done.drain(..));
        }
    }
}
