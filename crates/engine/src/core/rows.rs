//! What the records keep of each fact; the same fact always has the same place.

use ::record::{Actor, AuditEntry, DeadLetter, Replayed, Wish};
use care::alarm::{Change, End, EndedBy};
use model::{
    Assignment, Encounter, EndReason, HandOver, HandOverId, Line, StaffId, Timestamp, User,
};
use store::{AlarmRow, HandOverStep, LifeRow, Noun, Row, ScoreRow};

use super::{Core, Turn};
use crate::{
    record::{AlarmChanged, Called, Decided, Scored},
    view::{Alarm, AlarmPhase, News2Input, ToldAs},
};

/// Facts that follow from one effect are counted on from here: at most this many of each.
pub(crate) const ROOM: u32 = 256;

impl Core {
    pub(super) fn row(&self, turn: &mut Turn<'_>, index: u32, known_at: Timestamp, noun: Noun) {
        if let Some(cause) = self.cause {
            let (org, offset) = (cause.org, cause.after);
            turn.out.rows.push(Row { org, offset, index, known_at, noun });
        }
    }

    /// The noun that a granted wish put down, whole as it is now.
    #[expect(clippy::too_many_lines, reason = "an arm for each wish, and nothing else")]
    pub(super) fn wish_rows(
        &self,
        turn: &mut Turn<'_>,
        decided: &Decided,
        wish: &Wish,
        actor: Actor,
        at: Timestamp,
    ) {
        let known = &*self.directory;
        let user = |id| known.users.get(id).cloned().map(Noun::User);
        let device = |id| known.devices.get(id).cloned().map(Noun::Device);
        let noun = match wish {
            Wish::PutOrg(org) => Some(Noun::Org(org.clone())),
            Wish::PutSite(site) => Some(Noun::Site(site.clone())),
            Wish::PutCareUnit(care_unit) => Some(Noun::CareUnit(care_unit.clone())),
            Wish::PutRoom(room) => Some(Noun::Room(room.clone())),
            Wish::PutBed(bed) => Some(Noun::Bed(bed.clone())),
            Wish::PutPatient(patient) => Some(Noun::Patient(patient.clone())),
            Wish::PutStaff(staff) => Some(Noun::Staff(staff.clone())),
            Wish::PutUser(user) => self.user_noun(turn, decided, user, at),
            Wish::Share(share) => user(&share.user),
            Wish::PutDevice(device) => Some(Noun::Device(device.clone())),
            Wish::SetLifecycle { device: id, .. } => device(id),
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
            Wish::ClearLimits { patient, vital } => {
                Some(Noun::LimitsCleared { patient: *patient, vital: *vital, by: actor })
            }
            Wish::SetUnitLimits { care_unit, band, limits } => {
                let (care_unit, band, limits) = (*care_unit, *band, *limits);
                Some(Noun::UnitLimits { care_unit, band, limits, by: actor })
            }
            Wish::ClearUnitLimits { care_unit, band, vital } => {
                let (care_unit, band, vital) = (*care_unit, *band, *vital);
                Some(Noun::UnitLimitsCleared { care_unit, band, vital, by: actor })
            }
            Wish::OfferHandOver(it) => {
                self.note_rows(turn, decided, it, at);
                self.hand_over_noun(it.id, HandOverStep::Offered, actor)
            }
            Wish::AcceptHandOver(id) => self.hand_over_noun(*id, HandOverStep::Accepted, actor),
            Wish::EndHandOver(id) => self.hand_over_noun(*id, HandOverStep::Ended, actor),
            Wish::NotePulse(pulse) => Some(Noun::Pulse(*pulse)),
            Wish::SetSpO2Scale { patient, .. } => {
                known.patients.get(patient).cloned().map(Noun::Patient)
            }
            Wish::Chart(charting) => Some(Noun::Charting { charting: charting.clone(), by: actor }),
            Wish::SetPassword { user: id, .. } | Wish::EndShare(id) => user(id),
            // Answers to alarms are rows of the alarms; links and sessions are short-lived.
            Wish::Acknowledge { .. }
            | Wish::EndAlarm { .. }
            | Wish::Invite { .. }
            | Wish::OpenSession(_)
            | Wish::CloseSession(_)
            // The directory keeps what stands, and the journal since when.
            | Wish::NoteDisk(_)
            // The series keep what counts, by whom and why.
            | Wish::Correct(_)
            // The audit keeps who held what and why.
            | Wish::PutHold(_)
            | Wish::EndHold { .. }
            // The audit keeps who opened what and why.
            | Wish::OpenInEmergency(_)
            | Wish::ReviewEmergency(_)
            | Wish::PlanDose(_)
            | Wish::ClearDose(_)
            // What is told to devices is told in their lives.
            | Wish::SendCommand(_)
            | Wish::SecondCommand(_)
            | Wish::WithdrawCommand(_)
            | Wish::Configure(_)
            | Wish::Bind(_)
            | Wish::OfferClaim { .. } => None,
            Wish::Claim { code_hash, .. } => self.claimed_noun(code_hash),
        };
        let index = decided.effect.index.saturating_mul(ROOM);
        if let Some(noun) = noun {
            self.row(turn, index, at, noun);
        }
        self.device_life_row(turn, index, wish, (actor, at));
    }

    fn claimed_noun(&self, code_hash: &[u8; 32]) -> Option<Noun> {
        let device = self.directory.claims.get(code_hash).map(|claim| claim.device)?;
        self.directory.devices.get(&device).cloned().map(Noun::Device)
    }

    fn hand_over_noun(&self, id: HandOverId, what: HandOverStep, by: Actor) -> Option<Noun> {
        let found = self.directory.hand_overs.get(&id)?;
        Some(Noun::HandOver { hand_over: found.hand_over.clone(), what, by })
    }

    /// The notes of a hand-over, behind its own row.
    fn note_rows(&self, turn: &mut Turn<'_>, decided: &Decided, it: &HandOver, at: Timestamp) {
        let index = decided.effect.index.saturating_mul(ROOM);
        for (place, note) in (1..).zip(&it.posts) {
            let noun = Noun::HandOverNote { hand_over: it.id, note: note.clone() };
            self.row(turn, index.saturating_add(place), at, noun);
        }
    }

    /// A user, and behind it the logins of family that were shut with a patient's own.
    fn user_noun(
        &self,
        turn: &mut Turn<'_>,
        decided: &Decided,
        user: &User,
        at: Timestamp,
    ) -> Option<Noun> {
        let index = decided.effect.index.saturating_mul(ROOM);
        let ended = self.directory.shares.values().filter(|it| it.ended_at == Some(at));
        let shut = ended.filter_map(|it| self.directory.users.get(&it.share.user));
        for (place, user) in (1..ROOM).zip(shut) {
            self.row(turn, index.saturating_add(place), at, Noun::User(user.clone()));
        }
        Some(Noun::User(user.clone()))
    }

    /// The posts that changed hands with a hand-over.
    pub(super) fn handed_over_rows(
        &self,
        turn: &mut Turn<'_>,
        decided: &Decided,
        lines: &[Assignment],
    ) {
        let index = decided.effect.index.saturating_mul(ROOM);
        for (place, line) in (1..).zip(lines) {
            self.row(turn, index.saturating_add(place), line.known_at, Noun::Assignment(*line));
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
            kind: alarm.key.clone(),
            vital: alarm.vital,
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

    pub(super) fn score_row(&self, turn: &mut Turn<'_>, decided: &Decided, scored: &Scored) {
        let row = ScoreRow {
            patient: scored.patient,
            at: scored.at,
            total: scored.total,
            single_red: scored.single_red,
            missing: scored.missing.iter().map(|input| input_word(*input).to_owned()).collect(),
        };
        let index = decided.effect.index.saturating_mul(ROOM);
        self.row(turn, index, scored.at, Noun::Score(row));
    }

    pub(super) fn dead_letter_row(&self, letter: &DeadLetter, at: Timestamp, turn: &mut Turn<'_>) {
        self.row(turn, 0, at, Noun::DeadLetter(letter.clone()));
    }

    pub(super) fn replayed_row(&self, replayed: Replayed, at: Timestamp, turn: &mut Turn<'_>) {
        self.row(turn, 0, at, Noun::Replayed(replayed));
    }

    pub(super) fn audit_row(&self, entry: AuditEntry, at: Timestamp, turn: &mut Turn<'_>) {
        self.row(turn, 0, at, Noun::Audit(entry));
    }
}

/// The stable word for an input of the score.
const fn input_word(input: News2Input) -> &'static str {
    match input {
        News2Input::RespiratoryRate => "respiratory_rate",
        News2Input::Saturation => "saturation",
        News2Input::Oxygen => "oxygen",
        News2Input::SystolicPressure => "systolic_pressure",
        News2Input::Pulse => "pulse",
        News2Input::Consciousness => "consciousness",
        News2Input::Temperature => "temperature",
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
