//! What the records keep of each fact: emitted here, written by the shell.

use std::sync::Arc;

use ::record::{Actor, AuditEntry, DeadLetter, Position, Wish};
use model::{CareUnitId, OrgId, PatientId, StaffId, Timestamp};
use store::LogOffset;

use super::{Core, Turn};
use crate::{
    record::{AlarmChanged, Called, Decided, Scored},
    view::Alarm,
};

/// One fact for the records, with where its cause stands; the same fact always has the same place.
#[derive(Clone, Debug, PartialEq)]
pub struct RowOf {
    /// Whose data it is.
    pub org: OrgId,
    /// The record that it follows from.
    pub cause: Position,
    /// Where that record ends in the log.
    pub after: LogOffset,
    /// Its place among what follows from that record; 0 for the record itself.
    pub index: u32,
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: RowWhat,
}

/// The kinds of facts that the records keep.
#[derive(Clone, Debug, PartialEq)]
pub enum RowWhat {
    /// A wish was granted.
    Granted {
        /// Who had it.
        actor: Actor,
        /// What.
        wish: Arc<Wish>,
        /// Whose, if the asker is a member of staff.
        staff: Option<StaffId>,
    },
    /// An alarm that is or was raised changed.
    Alarm {
        /// The alarm as it is now.
        alarm: Box<Alarm>,
        /// What happened.
        changed: AlarmChanged,
    },
    /// Somebody was called.
    Called {
        /// Who, about what.
        called: Called,
        /// In which care unit.
        care_unit: Option<CareUnitId>,
    },
    /// A patient's score changed.
    Scored(Scored),
    /// A message was kept as a dead letter.
    DeadLetter(Box<DeadLetter>),
    /// Somebody looked at something, or was refused.
    Audit(Box<AuditEntry>),
}

impl RowWhat {
    /// The patient that the fact is about, if there is one.
    pub fn patient(&self) -> Option<PatientId> {
        match self {
            Self::Alarm { alarm, .. } => alarm.patient,
            Self::Scored(scored) => Some(scored.patient),
            Self::Audit(entry) => entry.patient,
            Self::Granted { wish, .. } => patient_of(wish),
            Self::Called { .. } | Self::DeadLetter(_) => None,
        }
    }
}

/// The patient that a wish is about, if there is one.
fn patient_of(wish: &Wish) -> Option<PatientId> {
    match wish {
        Wish::PutPatient(patient) => Some(patient.id),
        Wish::SetLimits { patient, .. } | Wish::SetSpO2Scale { patient, .. } => Some(*patient),
        Wish::Chart(charting) => Some(charting.patient),
        Wish::Occupy(line) => line.value,
        Wish::Associate(line) => match line.value {
            model::Subject::Patient(patient) => Some(patient),
            model::Subject::Place(_) | model::Subject::Nobody => None,
        },
        _ => None,
    }
}

impl Core {
    fn row(&self, turn: &mut Turn<'_>, index: u32, at: Timestamp, what: RowWhat) {
        if let Some(cause) = self.cause {
            let (org, after) = (cause.org, cause.after);
            turn.out.rows.push(RowOf { org, cause: cause.position, after, index, at, what });
        }
    }

    pub(super) fn wish_rows(
        &self,
        turn: &mut Turn<'_>,
        decided: &Decided,
        wish: &Arc<Wish>,
        actor: Actor,
        at: Timestamp,
    ) {
        let staff = self.staff_of_actor(actor).map(|(_, staff)| staff);
        let what = RowWhat::Granted { actor, wish: Arc::clone(wish), staff };
        self.row(turn, decided.effect.index, at, what);
    }

    pub(super) fn alarm_row(
        &self,
        turn: &mut Turn<'_>,
        decided: &Decided,
        changed: &AlarmChanged,
        alarm: &Alarm,
    ) {
        let what = RowWhat::Alarm { alarm: Box::new(alarm.clone()), changed: changed.clone() };
        self.row(turn, decided.effect.index, changed.step.at, what);
    }

    pub(super) fn called_row(&self, turn: &mut Turn<'_>, decided: &Decided, called: &Called) {
        let care_unit = self.care_unit_about(called.key.about);
        let what = RowWhat::Called { called: called.clone(), care_unit };
        self.row(turn, decided.effect.index, called.at, what);
    }

    pub(super) fn score_row(&self, turn: &mut Turn<'_>, index: u32, scored: &Scored) {
        self.row(turn, index, scored.at, RowWhat::Scored(scored.clone()));
    }

    pub(super) fn dead_letter_row(&self, letter: &DeadLetter, at: Timestamp, turn: &mut Turn<'_>) {
        self.row(turn, 0, at, RowWhat::DeadLetter(Box::new(letter.clone())));
    }

    pub(super) fn audit_row(&self, entry: AuditEntry, at: Timestamp, turn: &mut Turn<'_>) {
        self.row(turn, 0, at, RowWhat::Audit(Box::new(entry)));
    }
}
