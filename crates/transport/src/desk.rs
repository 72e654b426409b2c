//! The desk between one connection and those who answer its messages.
//!
//! ```text
//!   connection ── opens a ticket per message ──▶ ingest
//!   connection ◀── settles it: taken, refused, never ── ingest
//! ```
//! Tickets with an answer stand in a queue in the order of their packets, and answers
//! leave it from the front only [MQTT-4.6.0-2], whatever order they were given in.
//! A ticket that will never be answered stays in front and blocks the rest: a
//! client that is not answered keeps its copy, and must not hear about later ones
//! as if all before them were safe.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
};

use crate::{
    NackReason, Unanswered,
    mqtt::{Granted, Reason},
};

/// The packet that answers, once it may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// The client is let in, unless it is already: that its earlier session is over is safe.
    Connack(Box<Granted>),
    /// A message of QoS 1 is safe.
    Puback(u16),
    /// A message of QoS 2 is safe.
    Pubrec(u16),
    /// That the client has a message of QoS 2 is safe.
    Pubrel(u16),
    /// That a message of QoS 2 was released is safe.
    Pubcomp(u16),
    /// Subscriptions are safe, or were refused; one code each.
    Suback(u16, Vec<Reason>),
    /// The end of subscriptions is safe; one code each.
    Unsuback(u16, Vec<Reason>),
}

/// What a message was answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Taken,
    Refused(NackReason),
}

/// What somebody else wants of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Another connection of the client has begun, and speaks for this one's end too.
    TakenOver,
    /// Say goodbye with this reason.
    Leave(Reason),
}

#[derive(Debug, PartialEq, Eq)]
enum Slot {
    Waiting(Reply),
    Answered(Reply, Answer),
    Never(Unanswered),
}

/// Where a connection finds its answers and orders.
#[derive(Debug, Default)]
pub(crate) struct Desk(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The number of the ticket in front.
    first: u64,
    slots: VecDeque<Slot>,
    /// Messages of any QoS that are with somebody.
    unanswered: usize,
    order: Option<Order>,
    /// Whether messages for the client may be waiting.
    mail: bool,
    waker: Option<Waker>,
}

/// What the connection finds on its desk.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub order: Option<Order>,
    pub mail: bool,
    pub unanswered: usize,
    /// Why the message in front will never be answered, if it will not.
    pub never: Option<Unanswered>,
    /// Whether answers stand behind it that can never leave.
    pub stuck: bool,
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A ticket for a packet and its answer; a message of QoS 0 has none.
    pub(crate) fn open(self: &Arc<Self>, reply: Option<Reply>) -> Ticket {
        let mut state = self.state();
        state.unanswered = state.unanswered.saturating_add(1);
        let number = reply.map(|reply| {
            state.slots.push_back(Slot::Waiting(reply));
            state.first.saturating_add(state.slots.len() as u64 - 1)
        });
        Ticket { desk: Some(self.clone()), number }
    }

    /// Takes the answers that may leave, in the order of their packets, and looks at the rest.
    pub(crate) fn look(&self, waker: &Waker, answers: &mut Vec<(Reply, Answer)>) -> Found {
        let mut state = self.state();
        if !state.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            state.waker = Some(waker.clone());
        }
        while let Some(Slot::Answered(..)) = state.slots.front() {
            if let Some(Slot::Answered(reply, answer)) = state.slots.pop_front() {
                answers.push((reply, answer));
            }
            state.first = state.first.saturating_add(1);
        }
        if state.slots.is_empty() {
            state.slots = VecDeque::new();
        }
        let never = match state.slots.front() {
            Some(Slot::Never(why)) => Some(*why),
            Some(Slot::Waiting(_) | Slot::Answered(..)) | None => None,
        };
        let behind = || state.slots.iter().any(|slot| matches!(slot, Slot::Answered(..)));
        let stuck = never.is_some() && behind();
        Found {
            order: state.order.take(),
            mail: std::mem::take(&mut state.mail),
            unanswered: state.unanswered,
            never,
            stuck,
        }
    }

    /// Gives an order; a takeover is not overwritten.
    pub(crate) fn order(&self, order: Order) {
        self.change(|state| {
            if state.order != Some(Order::TakenOver) {
                state.order = Some(order);
            }
        });
    }

    /// Says that messages for the client are waiting.
    pub(crate) fn mail(&self) {
        self.change(|state| state.mail = true);
    }

    fn settle(&self, number: Option<u64>, outcome: Result<Answer, Unanswered>) {
        self.change(|state| {
            state.unanswered = state.unanswered.saturating_sub(1);
            let Some(number) = number else { return };
            let place = number.checked_sub(state.first).and_then(|at| usize::try_from(at).ok());
            let Some(slot) = place.and_then(|at| state.slots.get_mut(at)) else { return };
            let was = std::mem::replace(slot, Slot::Never(Unanswered::Lost));
            *slot = match (was, outcome) {
                (Slot::Waiting(reply), Ok(answer)) => Slot::Answered(reply, answer),
                (Slot::Waiting(_), Err(why)) => Slot::Never(why),
                (settled, _) => settled,
            };
        });
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let waker = {
            let mut state = self.state();
            change(&mut state);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// The right to answer one message once; dropped, it says that nobody will.
#[derive(Debug)]
pub(crate) struct Ticket {
    desk: Option<Arc<Desk>>,
    number: Option<u64>,
}

impl Ticket {
    /// Answers the message.
    pub(crate) fn answer(mut self, answer: Answer) {
        if let Some(desk) = self.desk.take() {
            desk.settle(self.number, Ok(answer));
        }
    }

    /// Says that nobody will answer it, and why.
    pub(crate) fn never(mut self, why: Unanswered) {
        if let Some(desk) = self.desk.take() {
            desk.settle(self.number, Err(why));
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(desk) = self.desk.take() {
            desk.settle(self.number, Err(Unanswered::Lost));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn look(desk: &Desk) -> (Vec<u16>, Found) {
        let mut answers = Vec::new();
        let found = desk.look(Waker::noop(), &mut answers);
        let id = |(reply, _)| match reply {
            Reply::Puback(id) => id,
            other => unreachable!("{other:?}"),
        };
        (answers.into_iter().map(id).collect(), found)
    }

    #[test]
    fn answers_leave_in_the_order_of_their_messages() {
        let desk = Arc::new(Desk::default());
        let [one, two, three] = [1, 2, 3].map(|id| desk.open(Some(Reply::Puback(id))));
        three.answer(Answer::Taken);
        assert!(look(&desk).0.is_empty());
        one.answer(Answer::Taken);
        assert_eq!(look(&desk).0, [1]);
        two.answer(Answer::Refused(NackReason::NotAuthorized));
        let (answers, found) = look(&desk);
        assert_eq!((answers, found), (vec![2, 3], Found::default()));
    }

    #[test]
    fn a_message_that_is_never_answered_holds_back_those_behind_it() {
        let desk = Arc::new(Desk::default());
        let [one, two, three] = [1, 2, 3].map(|id| desk.open(Some(Reply::Puback(id))));
        one.answer(Answer::Taken);
        two.never(Unanswered::Full);
        let (answers, found) = look(&desk);
        assert_eq!((answers, found.never, found.stuck), (vec![1], Some(Unanswered::Full), false));
        three.answer(Answer::Taken);
        let (answers, found) = look(&desk);
        assert_eq!((answers, found.stuck), (vec![], true));
    }

    #[test]
    fn a_lost_ticket_is_a_message_that_is_never_answered() {
        let desk = Arc::new(Desk::default());
        drop(desk.open(Some(Reply::Puback(1))));
        assert_eq!(look(&desk).1.never, Some(Unanswered::Lost));
    }

    #[test]
    fn a_message_of_qos_0_counts_and_is_not_acknowledged() {
        let desk = Arc::new(Desk::default());
        let (zero, one) = (desk.open(None), desk.open(Some(Reply::Puback(1))));
        assert_eq!(look(&desk).1.unanswered, 2);
        zero.answer(Answer::Taken);
        one.answer(Answer::Taken);
        assert_eq!(look(&desk), (vec![1], Found::default()));
    }

    #[test]
    fn a_takeover_stands_before_every_other_order() {
        let desk = Desk::default();
        desk.order(Order::TakenOver);
        desk.order(Order::Leave(Reason::ShuttingDown));
        assert_eq!(look(&desk).1.order, Some(Order::TakenOver));
        assert_eq!(look(&desk).1.order, None);
    }

    proptest! {
        /// The reference keeps all messages in a list and lets out the answered beginning.
        #[test]
        fn acknowledgements_are_always_a_beginning_of_the_messages(
            steps in prop::collection::vec((any::<prop::sample::Index>(), 0..4_u8), 0..80)
        ) {
            let desk = Arc::new(Desk::default());
            let (mut open, mut answered, mut out) = (Vec::new(), std::collections::BTreeSet::new(), vec![]);
            let mut id = 0_u16;
            for (which, step) in steps {
                match step {
                    0 | 1 => { id += 1; open.push((id, desk.open(Some(Reply::Puback(id))))); }
                    2 if !open.is_empty() => {
                        let (id, ticket) = open.remove(which.index(open.len()));
                        ticket.answer(Answer::Taken);
                        answered.insert(id);
                    }
                    _ => out.extend(look(&desk).0),
                }
            }
            out.extend(look(&desk).0);
            let expected: Vec<u16> = (1..=id).take_while(|id| answered.contains(id)).collect();
            prop_assert_eq!(out, expected);
        }
    }
}
