//! What the records keep of each fact; the same fact always has the same place.

use ::record::{Actor, AuditEntry, DeadLetter, Wish};
use care::alarm::{Change, End, EndedBy};
use model::{Encounter, EndReason, Line, StaffId, Timestamp};
use store::{AlarmRow, LifeRow, Noun, Row};

use super::{Core, Turn};
use crate::{
    record::{AlarmChanged, Called, Decided},
    view::{Alarm, AlarmPhase, ToldAs},
};

/// Facts that follow from one effect are counted on from here: at most this many of each.
const ROOM: u32 = 256;

impl Core {
    fn row(&self, turn: &mut Turn<'_>, index: u32, known_at: Timestamp, noun: Noun) {
        if let Some(cause) = self.cause {
            let (org, offset) = (cause.org, cause.after);
            turn.out.rows.push(Row { org, offset, index, known_at, noun });
        }
    }

    /// The noun that a granted wish put down, whole as it is now.
    pub(super) fn wish_rows(
        &self,
        turn: &mut Turn<'_>,
        decided: &Decided,
        wish: &Wish,
        actor: Actor,
        at: Timestamp,
    ) {
        let known = &*self.directory;
        let noun = match wish {
            Wish::PutOrg(org) => Some(Noun::Org(org.clone())),
            Wish::PutSite(site) => Some(Noun::Site(site.clone())),
            Wish::PutCareUnit(care_unit) => Some(Noun::CareUnit(care_unit.clone())),
            Wish::PutRoom(room) => Some(Noun::Room(room.clone())),
            Wish::PutBed(bed) => Some(Noun::Bed(bed.clone())),
            Wish::PutPatient(patient) => Some(Noun::Patient(patient.clone())),
            Wish::PutStaff(staff) => Some(Noun::Staff(staff.clone())),
            Wish::PutUser(user) => Some(Noun::User(user.clone())),
            Wish::PutDevice(device) => Some(Noun::Device(device.clone())),
            Wish::SetLifecycle { device, .. } => {
                known.devices.get(device).cloned().map(Noun::Device)
            }
            Wish::PutCertificate(certificate) => Some(Noun::Certificate(certificate.clone())),
            Wish::RevokeCertificate(id) => {
                known.certificates.get(id).cloned().map(Noun::Certificate)
            }
            Wish::Associate(line) => Some(Noun::Association(Line { known_at: at, ..*line })),
            Wish::Occupy(line) => Some(Noun::Encounter(Line { known_at: at, ..*line })),
            Wish::Assign(line) => Some(Noun::Assignment(Line { known_at: at, ..*line })),
            Wish::SetLimits { patient, limits } => {
                Some(Noun::Limits { patient: *patient, limits: *limits, by: actor })
            }
            Wish::SetSpO2Scale { patient, .. } => {
                known.patients.get(patient).cloned().map(Noun::Patient)
            }
            Wish::Chart(charting) => Some(Noun::Charting { charting: charting.clone(), by: actor }),
            Wish::SetPassword { user, .. } => known.users.get(user).cloned().map(Noun::User),
            // Answers to alarms are rows of the alarms; links and sessions are short-lived.
            Wish::Acknowledge { .. }
            | Wish::EndAlarm { .. }
            | Wish::Invite { .. }
            | Wish::OpenSession(_)
            | Wish::CloseSession(_) => None,
        };
        if let Some(noun) = noun {
            self.row(turn, decided.effect.index.saturating_mul(ROOM), at, noun);
        }
    }

    /// The bed that a patient left by lying down in another.
    pub(super) fn vacated_row(&self, turn: &mut Turn<'_>, line: Encounter) {
        let index = self.cause.map_or(0, |cause| cause.next_index).saturating_mul(ROOM);
        self.row(turn, index.saturating_add(ROOM - 1), line.known_at, Noun::Encounter(line));
    }

    pub(super) fn alarm_row(
        &self,
        turn: &mut Turn<'_>,
        decided: &Decided,
        changed: &AlarmChanged,
        alarm: &Alarm,
    ) {
        let index = decided.effect.index.saturating_mul(ROOM);
        let (what, detail, by) = life_of(changed);
        let ending = alarm.ended_at.is_some().then(|| detail.clone());
        let state = match alarm.phase {
            AlarmPhase::Active => "active",
            AlarmPhase::Acknowledged => "acknowledged",
            AlarmPhase::Ended => "ended",
        };
        let row = AlarmRow {
            id: alarm.id,
            care_unit: alarm.care_unit,
            patient: alarm.patient,
            device: alarm.device,
            bed: alarm.bed,
            class: alarm.class,
            priority: alarm.priority,
            code: alarm.code.to_owned(),
            title: alarm.title.clone(),
            detail: alarm.detail.clone(),
            state: state.to_owned(),
            since: alarm.since,
            raised_at: alarm.raised_at,
            ended_at: alarm.ended_at,
            ending,
        };
        let at = changed.step.at;
        self.row(turn, index, at, Noun::Alarm(row));
        if changed.step.change == Change::Raised {
            let life = LifeRow {
                alarm: alarm.id,
                at: alarm.since,
                what: "began".to_owned(),
                detail: alarm.detail.clone(),
                by: None,
            };
            self.row(turn, index, alarm.since, Noun::AlarmLife(life));
        }
        let detail =
            if changed.step.change == Change::Raised { alarm.title.clone() } else { detail };
        let life = LifeRow { alarm: alarm.id, at, what: what.to_owned(), detail, by };
        self.row(turn, index.saturating_add(1), at, Noun::AlarmLife(life));
    }

    pub(super) fn called_row(&self, turn: &mut Turn<'_>, decided: &Decided, called: &Called) {
        let index = decided.effect.index.saturating_mul(ROOM);
        let life = |what: &str, detail: String, by| {
            let what = what.to_owned();
            Noun::AlarmLife(LifeRow { alarm: called.alarm, at: called.at, what, detail, by })
        };
        if called.staff.is_empty() {
            let detail = "nobody on this care unit can be called".to_owned();
            self.row(turn, index, called.at, life("told_nobody", detail, None));
        }
        for ((staff, told_as), place) in called.staff.iter().zip(0..ROOM) {
            let told_as = match told_as {
                ToldAs::AssignedNurse => "assigned nurse",
                ToldAs::ChargeNurse => "charge nurse",
                ToldAs::CareUnit => "care unit",
            };
            let detail = format!("step {}, {told_as}", called.step);
            let noun = life("told", detail, Some(*staff));
            self.row(turn, index.saturating_add(place), called.at, noun);
        }
    }

    pub(super) fn dead_letter_row(&self, letter: &DeadLetter, at: Timestamp, turn: &mut Turn<'_>) {
        self.row(turn, 0, at, Noun::DeadLetter(letter.clone()));
    }

    pub(super) fn audit_row(&self, entry: AuditEntry, at: Timestamp, turn: &mut Turn<'_>) {
        self.row(turn, 0, at, Noun::Audit(entry));
    }
}

/// A change as a line of the alarm's life: a stable word, words for people, and who.
fn life_of(changed: &AlarmChanged) -> (&'static str, String, Option<StaffId>) {
    let plain = |what: &'static str, detail: &str| (what, detail.to_owned(), None);
    match changed.step.change {
        Change::Began => plain("began", "condition began"),
        Change::Subsided => plain("subsided", "condition over before the alarm was raised"),
        Change::Raised => plain("raised", "alarm raised"),
        Change::Escalated { step, passed: 0 } => {
            ("escalated", format!("no answer, step {step}"), None)
        }
        Change::Escalated { step, passed } => {
            ("escalated", format!("no answer, step {step}, {passed} passed over"), None)
        }
        Change::Acknowledged { by, until } => {
            let quiet_s = until.since(changed.step.at).as_secs();
            ("acknowledged", format!("quiet for {quiet_s} s"), Some(by))
        }
        Change::AcknowledgementExpired => plain("sounds_again", "the acknowledgement expired"),
        Change::SignalLost => plain("signal_lost", "no signal"),
        Change::SignalFound => plain("signal_found", "signal is back"),
        Change::Ended(End::ConditionOver) => plain("ended", "condition over"),
        Change::Ended(End::Superseded(_)) => plain("ended", "a more telling alarm took its place"),
        Change::Ended(End::ByPerson(by, reason)) => {
            let by = match by {
                EndedBy::Staff(staff) => Some(staff),
                EndedBy::Entry => None,
            };
            let reason = match reason {
                EndReason::Artefact => "artefact",
                EndReason::DeviceTakenOff => "device taken off",
                EndReason::PatientLeft => "patient left",
                EndReason::Other => "other reason",
            };
            let detail = match &changed.words {
                Some(words) => format!("{reason}: {}", words.0),
                None => reason.to_owned(),
            };
            ("ended", detail, by)
        }
    }
}
