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
            Question::Reports(devices, answer) => {
                let told = devices.into_iter().filter_map(|device| self.core.report_of(device));
                let _ = answer.send(told.collect());
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

#[test]
fn so_many_answers_wait_to_be_asked_for_and_the_oldest_is_forgotten() {
    let core = Core::new(crate::core::Setup::default());
    let mut answers = Answers::default();
    let at = |seq| Position {
        partition: model::Id::from_uuid(0x7000_8000_0000_0000_0000).unwrap(),
        seq,
    };
    let most = u64::try_from(OUTCOMES_KEPT_MAX).unwrap_or(0);
    for seq in 1..=most + 1 {
        answers.decided(OutcomeOf { command: at(seq), answer: Ok(None) }, &core);
        assert_eq!(answers.known.len(), answers.order.len());
        assert_eq!(answers.known.contains_key(&at(1)), seq <= most, "{seq}");
    }
    assert_eq!(answers.known.len(), OUTCOMES_KEPT_MAX);
    let (asker, mut asked) = oneshot::channel();
    answers.ask(at(2), asker, &core);
    assert!(asked.try_recv().is_ok_and(|outcome| outcome.is_ok()));
}
