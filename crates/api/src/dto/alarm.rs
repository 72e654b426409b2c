//! An alarm on a screen, and the answers that a person gives.

use engine::{Directory, view};
use model::{OrgId, StaffId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::words::{Spelt as _, time};

/// A raised alarm: what, whom, since when, who was told, who has it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Alarm {
    pub(crate) id: String,
    /// `high`, `medium` or `low` (IEC 60601-1-8).
    priority: &'static str,
    /// `physiological` or `technical`.
    class: &'static str,
    /// Reference id of the event, such as `MDC_EVT_ECG_ASYSTOLE`.
    code: String,
    /// What it is about, such as `heart_rate.high`; null for one that an older release recorded.
    key: Option<String>,
    title: String,
    detail: String,
    /// `active`, `acknowledged` or `ended`.
    pub(crate) state: &'static str,
    since: String,
    raised_at: String,
    step: u32,
    told: Vec<Told>,
    unanswered: bool,
    no_signal: bool,
    latched: bool,
    acknowledged_by: Option<Person>,
    quiet_until: Option<String>,
    next_step_at: Option<String>,
    ended_at: Option<String>,
    /// How it ended, in words.
    end: Option<String>,
    patient: Option<String>,
    patient_name: Option<String>,
    bed: Option<String>,
    bed_name: Option<String>,
    care_unit: Option<String>,
    device: Option<String>,
    vital: Option<&'static str>,
    /// Told to the caller, or answered by the caller.
    mine: bool,
}

/// Somebody who was told.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Told {
    staff: String,
    name: String,
    /// `assigned_nurse`, `charge_nurse` or `care_unit`.
    role: &'static str,
    at: String,
    step: u32,
}

/// A member of staff.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Person {
    pub(crate) id: String,
    pub(crate) name: String,
}

impl Person {
    /// Somebody by id, with the name if the directory has one.
    pub(crate) fn of(directory: &Directory, staff: StaffId) -> Self {
        let name = directory.staff.get(&staff).map_or_else(String::new, |it| it.name.0.clone());
        Self { id: staff.to_string(), name }
    }
}

impl Alarm {
    /// The alarm as this member of staff sees it.
    pub(crate) fn of(it: &view::Alarm, directory: &Directory, me: Option<StaffId>) -> Self {
        let told = |told: &view::Told| {
            let Person { id, name } = Person::of(directory, told.staff);
            let role = match told.told_as {
                view::ToldAs::AssignedNurse => "assigned_nurse",
                view::ToldAs::ChargeNurse => "charge_nurse",
                view::ToldAs::CareUnit => "care_unit",
            };
            Told { staff: id, name, role, at: time(told.at), step: told.step }
        };
        let patient = it.patient.and_then(|id| directory.patients.get(&id));
        let name = patient.map(|it| format!("{} {}", it.given_name.0, it.family_name.0));
        let bed = it.bed.and_then(|id| directory.beds.get(&id));
        Self {
            id: it.id.to_string(),
            priority: it.priority.word(),
            class: it.class.word(),
            code: it.code.to_owned(),
            key: Some(it.key.clone()).filter(|key| !key.is_empty()),
            title: it.title.clone(),
            detail: it.detail.clone(),
            state: match it.phase {
                view::AlarmPhase::Active => "active",
                view::AlarmPhase::Acknowledged => "acknowledged",
                view::AlarmPhase::Ended => "ended",
            },
            since: time(it.since),
            raised_at: time(it.raised_at),
            step: it.step,
            told: it.told.iter().map(told).collect(),
            unanswered: it.unanswered,
            no_signal: it.no_signal,
            latched: it.latched,
            acknowledged_by: it.acknowledged_by.map(|staff| Person::of(directory, staff)),
            quiet_until: it.quiet_until.map(time),
            next_step_at: it.next_step_at.map(time),
            ended_at: it.ended_at.map(time),
            end: it.end.as_ref().map(|end| end_words(end, directory)),
            patient: it.patient.map(|id| id.to_string()),
            patient_name: name,
            bed: it.bed.map(|id| id.to_string()),
            bed_name: bed.map(|bed| bed.name.clone()),
            care_unit: it.care_unit.map(|id| id.to_string()),
            device: it.device.map(|id| id.to_string()),
            vital: it.vital.map(|vital| vital.word()),
            mine: me.is_some_and(|me| it.is_for(me)),
        }
    }
}

impl Alarm {
    /// An alarm of the past, as the records kept it.
    pub(crate) fn of_row(
        org: OrgId,
        it: &store::AlarmRow,
        directory: &Directory,
        me: Option<StaffId>,
    ) -> Self {
        let end = it.ending.clone();
        let past = view::Alarm {
            id: it.id,
            org,
            priority: it.priority,
            class: it.class,
            code: "",
            key: it.kind.clone(),
            title: it.title.clone(),
            detail: it.detail.clone(),
            phase: match it.state.as_str() {
                "active" => view::AlarmPhase::Active,
                "acknowledged" => view::AlarmPhase::Acknowledged,
                _ => view::AlarmPhase::Ended,
            },
            since: it.since,
            raised_at: it.raised_at,
            step: 0,
            told: Vec::new(),
            unanswered: false,
            no_signal: false,
            latching: false,
            latched: false,
            acknowledged_by: None,
            quiet_until: None,
            next_step_at: None,
            ended_at: it.ended_at,
            end: None,
            patient: it.patient,
            bed: it.bed,
            care_unit: it.care_unit,
            device: it.device,
            vital: it.vital,
            changed_by: None,
        };
        Self { code: it.code.clone(), end, ..Self::of(&past, directory, me) }
    }
}

impl LifeEvent {
    /// One thing that happened, with the name of whoever did it.
    pub(crate) fn of(it: &store::LifeRow, directory: &Directory) -> Self {
        Self {
            at: time(it.at),
            what: it.what.clone(),
            detail: it.detail.clone(),
            by: it.by.map(|staff| Person::of(directory, staff).name),
        }
    }
}

fn end_words(end: &view::AlarmEnd, directory: &Directory) -> String {
    match end {
        view::AlarmEnd::ConditionOver => "over on its own".to_owned(),
        view::AlarmEnd::Superseded(by) => format!("superseded by {by}"),
        view::AlarmEnd::ByPerson { by, reason, words } => {
            let who = by.map_or_else(|| "somebody".to_owned(), |by| Person::of(directory, by).name);
            let reason = reason.word().replace('_', " ");
            let words = if words.0.is_empty() { String::new() } else { format!(": {}", words.0) };
            format!("ended by {who}, {reason}{words}")
        }
    }
}

/// An alarm with its whole life.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AlarmWithLife {
    /// The alarm.
    #[serde(flatten)]
    pub(crate) alarm: Alarm,
    /// What happened, oldest first.
    pub(crate) life: Vec<LifeEvent>,
}

/// One thing that happened to an alarm.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LifeEvent {
    pub(crate) at: String,
    pub(crate) what: String,
    pub(crate) detail: String,
    pub(crate) by: Option<String>,
}

/// «I have it»: quiet for a while.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Acknowledge {
    /// Seconds for which it stays quiet, 1 to 3,600.
    pub(crate) quiet_for_s: u32,
}

/// A person ends an alarm.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndAlarm {
    /// `artefact`, `device_taken_off`, `patient_left` or `other`.
    pub(crate) reason: String,
    /// Words beside it; needed with `other`.
    #[serde(default)]
    pub(crate) words: String,
}
