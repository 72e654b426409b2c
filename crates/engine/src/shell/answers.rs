//! Questions to the loop, and what became of commands for those who wait to hear it.

use std::collections::{BTreeMap, VecDeque};

use ::record::Position;
use model::AlarmId;
use tokio::sync::oneshot;

use super::Engine;
use crate::{
    core::{Core, OutcomeOf},
    handle::{Outcome, Question},
    limits::OUTCOMES_KEPT_MAX,
    record::Refusal,
};

type Answer = Result<Option<AlarmId>, Refusal>;
type Asker = oneshot::Sender<Result<Outcome, Refusal>>;

/// Who waits for which command, and what became of those that nobody asked about yet.
#[derive(Debug, Default)]
pub(super) struct Answers {
    waiting: BTreeMap<Position, Vec<Asker>>,
    known: BTreeMap<Position, Answer>,
    /// The oldest first.
    order: VecDeque<Position>,
}

fn outcome(command: Position, answer: Answer, core: &Core) -> Result<Outcome, Refusal> {
    let alarm = answer?.and_then(|alarm| core.alarm(alarm));
    Ok(Outcome { command, alarm })
}

impl Answers {
    /// A command was decided, and its rows can be read.
    pub(super) fn decided(&mut self, decided: OutcomeOf, core: &Core) {
        let OutcomeOf { command, answer } = decided;
        for asker in self.waiting.remove(&command).unwrap_or_default() {
            let _ = asker.send(outcome(command, answer.clone(), core));
        }
        if self.known.insert(command, answer).is_none() {
            self.order.push_back(command);
        }
        if self.order.len() > OUTCOMES_KEPT_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    fn ask(&mut self, command: Position, asker: Asker, core: &Core) {
        match self.known.get(&command) {
            Some(answer) => {
                let _ = asker.send(outcome(command, answer.clone(), core));
            }
            None => {
                // Whoever gave up waiting makes room.
                self.waiting.retain(|_, askers| {
                    askers.retain(|asker| !asker.is_closed());
                    !askers.is_empty()
                });
                self.waiting.entry(command).or_default().push(asker);
            }
        }
    }
}

impl Engine {
    /// Answers a question from the state as the screens know it.
    pub(super) fn answer(&mut self, question: Question) {
        let (now, cursor) = (self.clock.now(), self.cursor);
        // An asker that went away does not mind.
        match question {
            Question::Board(care_unit, answer) => {
                let _ = answer.send(self.core.board(care_unit, cursor, now));
            }
            Question::PatientPage(patient, answer) => {
                let _ = answer.send(self.core.patient_page(patient, cursor, now));
            }
            Question::Alarms(scope, answer) => {
                let _ = answer.send(self.core.alarms_of(scope));
            }
            Question::Alarm(alarm, answer) => {
                let _ = answer.send(self.core.alarm(alarm));
            }
            Question::Feed(care_unit, start, answer) => {
                let site = self.core.directory().site_of(care_unit);
                let reader = site.map(|site| {
                    self.publisher.subscribe(care_unit, site, start, (self.began, cursor))
                });
                let _ = answer.send(reader);
            }
            Question::Outcome(command, answer) => {
                self.answers.ask(command, answer, &self.core);
            }
            Question::Stop(_) => {}
        }
    }
}
