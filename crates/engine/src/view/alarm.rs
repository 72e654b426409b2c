//! One alarm as a screen shows it: what, whom, since when, who was told, who has it.

use model::{
    AlarmClass, AlarmId, BedId, CareUnitId, DeviceId, EndReason, OrgId, PatientId, Priority,
    Redacted, StaffId, Timestamp, UserId, Vital,
};

/// Where a shown alarm stands; pending ones are not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum AlarmPhase {
    Active,
    Acknowledged,
    Ended,
}

/// As what somebody was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum ToldAs {
    AssignedNurse,
    ChargeNurse,
    CareUnit,
}

/// Somebody who was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Told {
    pub staff: StaffId,
    pub told_as: ToldAs,
    pub at: Timestamp,
    pub step: u32,
}

/// How an alarm ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum AlarmEnd {
    ConditionOver,
    Superseded(AlarmId),
    ByPerson { by: Option<StaffId>, reason: EndReason, words: Redacted<String> },
}

/// A raised alarm, standing or ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    /// Names it.
    pub id: AlarmId,
    /// Whose data it is.
    pub org: OrgId,
    /// How urgent.
    pub priority: Priority,
    /// What kind of cause.
    pub class: AlarmClass,
    /// The event's reference id in the nomenclature, such as `MDC_EVT_ECG_ASYSTOLE`.
    pub code: &'static str,
    /// The stable word of what it is about, such as `saturation.low`; empty for one of the past
    /// that an older release recorded.
    pub key: String,
    /// What, with the value: `SpO₂ low 84 %`.
    pub title: String,
    /// Against what: `below 88`.
    pub detail: String,
    /// Where it stands.
    pub phase: AlarmPhase,
    /// Since when the condition holds.
    pub since: Timestamp,
    /// Since when it is raised.
    pub raised_at: Timestamp,
    /// The step of escalation that was announced last.
    pub step: u32,
    /// Who was called, in order.
    pub told: Vec<Told>,
    /// Everybody was called and nobody answered.
    pub unanswered: bool,
    /// It cannot see its condition at present.
    pub no_signal: bool,
    /// It stays after its condition until somebody has acknowledged it.
    pub latching: bool,
    /// Its condition is over, and it stays because it latches.
    pub latched: bool,
    /// Who has it.
    pub acknowledged_by: Option<StaffId>,
    /// Until when it is quiet.
    pub quiet_until: Option<Timestamp>,
    /// When the next responder is called.
    pub next_step_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How it ended.
    pub end: Option<AlarmEnd>,
    /// About whom.
    pub patient: Option<PatientId>,
    /// The bed in which that patient lies, or lay at the end.
    pub bed: Option<BedId>,
    /// Which care unit answers for it.
    pub care_unit: Option<CareUnitId>,
    /// About which device, or which device measured it.
    pub device: Option<DeviceId>,
    /// About which vital.
    pub vital: Option<Vital>,
    /// The user whose wish changed it last, for the audit trail of the page.
    pub changed_by: Option<UserId>,
}

impl Alarm {
    /// Whether it still asks for somebody.
    pub fn is_standing(&self) -> bool {
        self.phase != AlarmPhase::Ended
    }

    /// Whether it was told to this member of staff or answered by them.
    pub fn is_for(&self, staff: StaffId) -> bool {
        self.acknowledged_by == Some(staff) || self.told.iter().any(|told| told.staff == staff)
    }
}

/// Which alarms are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlarmScope {
    /// Standing alarms told to this member of staff or about their beds.
    Of(StaffId),
    /// Standing alarms of a care unit.
    CareUnit(CareUnitId),
    /// Standing alarms about one patient.
    Patient(PatientId),
    /// Standing alarms of an organization.
    Org(OrgId),
}
