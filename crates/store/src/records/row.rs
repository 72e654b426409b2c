//! One accepted fact as a row of its table.

use std::collections::BTreeMap;

use model::{
    AgeBand, AlarmClass, Assignment, Association, Bed, CareUnit, CareUnitId, Certificate, Charting,
    Consciousness, Date, Device, Encounter, Feeling, HandOver, HandOverId, Id, Lifecycle, LimitSet,
    LimitSide, Org, OrgId, Oxygen, OxygenDevice, Patient, PatientId, Post, PostNote, Priority,
    Role, Room, Sex, Site, Staff, Subject, Timestamp, User, Vital,
};
use record::{Actor, AuditEntry, DeadLetter, Pulse, Replayed};

use super::{
    AlarmRow, DeviceLifeRow, LifeRow, ScoreRow,
    db::{Change, Table, Val},
    number,
    statement::statement,
};
use crate::{LogOffset, row_sum};

/// What happened to a hand-over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum HandOverStep {
    Offered,
    Accepted,
    Ended,
}

/// A fact with its place in the log; the place and the index make it one of a kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Whose it is.
    pub org: OrgId,
    /// The record that it came from.
    pub offset: LogOffset,
    /// Its number among the facts of that record.
    pub index: u32,
    /// Since when we know it.
    pub known_at: Timestamp,
    /// The fact.
    pub noun: Noun,
}

/// The facts that have a table.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "each is described by its type")]
pub enum Noun {
    Org(Org),
    Site(Site),
    CareUnit(CareUnit),
    Room(Room),
    Bed(Bed),
    Patient(Patient),
    Staff(Staff),
    User(User),
    Device(Device),
    Certificate(Certificate),
    Association(Association),
    Encounter(Encounter),
    Assignment(Assignment),
    Limits { patient: PatientId, limits: LimitSet, by: Actor },
    LimitsCleared { patient: PatientId, vital: Vital, by: Actor },
    UnitLimits { care_unit: CareUnitId, band: Option<AgeBand>, limits: LimitSet, by: Actor },
    UnitLimitsCleared { care_unit: CareUnitId, band: Option<AgeBand>, vital: Vital, by: Actor },
    HandOver { hand_over: HandOver, what: HandOverStep, by: Actor },
    HandOverNote { hand_over: HandOverId, note: PostNote },
    Pulse(Pulse),
    Charting { charting: Charting, by: Actor },
    Alarm(AlarmRow),
    AlarmLife(LifeRow),
    Audit(AuditEntry),
    DeadLetter(DeadLetter),
    DeviceLife(DeviceLifeRow),
    Replayed(Replayed),
    Score(ScoreRow),
}

pub(super) fn blob<K>(id: Id<K>) -> Val
where
    K: model::Kind,
{
    Val::Blob(id.uuid().to_be_bytes().to_vec())
}

pub(super) fn maybe<K: model::Kind>(id: Option<Id<K>>) -> Val {
    id.map_or(Val::Null, blob)
}

pub(super) fn time(at: Timestamp) -> Val {
    Val::Int(at.unix_nanos())
}

pub(super) fn text(text: &str) -> Val {
    Val::Text(text.to_owned())
}

pub(super) fn int(value: impl Into<i64>) -> Val {
    Val::Int(value.into())
}

/// How a row is put into a table, and where its checksum stands among its values.
#[derive(Clone, Debug)]
pub(super) struct Insert {
    pub(super) sql: String,
    pub(super) sum_at: usize,
}

impl Insert {
    /// Puts whole rows into a table; one that is there already stays, and an alarm is
    /// replaced by its newer form.
    pub(super) fn into((table, columns): &Table) -> Self {
        let places: Vec<String> = (1..=columns.len()).map(|it| format!("${it}")).collect();
        let end = if table == "alarm" { ALARM } else { "ON CONFLICT DO NOTHING" };
        let sql = format!("INSERT INTO {table} VALUES ({}) {end}", places.join(","));
        let sum_at = columns.iter().position(|name| name == row_sum::COLUMN);
        Self { sql, sum_at: sum_at.unwrap_or(columns.len()) }
    }
}

/// The statements that put rows into each table.
pub(super) type Inserts = BTreeMap<String, Insert>;

/// What adds the row.
pub(super) fn change<'a>(row: &Row, inserts: &'a Inserts) -> Change<'a> {
    let (table, mut values) = match &row.noun {
        Noun::Alarm(alarm) => ("alarm", alarm_values(row, alarm)),
        Noun::Audit(entry) => ("audit", audit_values(row, entry)),
        Noun::DeadLetter(letter) => ("dead_letter", letter_values(row, letter)),
        other => {
            let (table, own) = statement(other).unwrap_or_default();
            let mut values = Vec::with_capacity(own.len().saturating_add(5));
            values.extend([
                blob(row.org),
                int(number(row.offset.bytes())),
                int(row.index),
                time(row.known_at),
            ]);
            values.extend(own);
            (table, values)
        }
    };
    let sum = row_sum::of(table, values.iter().map(Val::cell));
    let insert = inserts.get(table);
    let place = insert.map_or(values.len(), |it| it.sum_at.min(values.len()));
    values.insert(place, Val::Int(sum));
    let sql =
        insert.map_or_else(|| format!("INSERT INTO {table}").into(), |it| it.sql.as_str().into());
    Change { sql, values }
}

const ALARM: &str = "ON CONFLICT (org, id) DO UPDATE SET log_offset = excluded.log_offset, row_sum = excluded.row_sum, \
    class = excluded.class, code = excluded.code, since = excluded.since, care_unit = excluded.care_unit, \
    patient = excluded.patient, device = excluded.device, bed = excluded.bed, priority = excluded.priority, \
    title = excluded.title, detail = excluded.detail, state = excluded.state, raised_at = excluded.raised_at, \
    ended_at = excluded.ended_at, ending = excluded.ending, kind = excluded.kind, vital = excluded.vital WHERE excluded.log_offset >= alarm.log_offset";

fn alarm_values(row: &Row, it: &AlarmRow) -> Vec<Val> {
    vec![
        blob(row.org),
        blob(it.id),
        int(number(row.offset.bytes())),
        maybe(it.care_unit),
        maybe(it.patient),
        maybe(it.device),
        maybe(it.bed),
        int(class(it.class)),
        int(priority(it.priority)),
        text(&it.code),
        text(&it.title),
        text(&it.detail),
        text(&it.state),
        time(it.since),
        time(it.raised_at),
        it.ended_at.map_or(Val::Null, time),
        it.ending.as_deref().map_or(Val::Null, text),
        text(&it.kind),
        it.vital.map_or(Val::Null, |it| int(vital(it))),
    ]
}

fn audit_values(row: &Row, it: &AuditEntry) -> Vec<Val> {
    let (kind, actor) = actor(it.actor);
    vec![
        blob(row.org),
        int(number(row.offset.bytes())),
        int(row.index),
        time(row.known_at),
        int(kind),
        actor,
        text(&it.action),
        maybe(it.patient),
        text(&it.resource),
        int(it.allowed),
        text(&it.rule),
        text(&it.remote),
    ]
}

fn letter_values(row: &Row, it: &DeadLetter) -> Vec<Val> {
    vec![
        blob(row.org),
        blob(it.id),
        int(number(row.offset.bytes())),
        int(row.index),
        time(row.known_at),
        maybe(it.device),
        text(&it.door),
        text(&it.topic),
        it.content_type.as_deref().map_or(Val::Null, text),
        text(&it.reason),
        text(&it.explanation),
        Val::Blob(it.payload.clone()),
    ]
}

pub(super) fn side(side: Option<LimitSide>) -> [Val; 4] {
    side.map_or([Val::Null, Val::Null, Val::Null, Val::Null], |side| {
        [
            Val::Int(side.limit_thousandths),
            Val::Int(side.clears_at_thousandths),
            Val::Int(i64::try_from(side.delay.as_nanos()).unwrap_or(i64::MAX)),
            int(priority(side.priority)),
        ]
    })
}

pub(super) fn day(date: Date) -> String {
    format!("{:04}-{:02}-{:02}", date.year, date.month, date.day)
}

pub(super) fn subject(subject: Subject) -> (i64, Val) {
    match subject {
        Subject::Nobody => (0, Val::Null),
        Subject::Patient(patient) => (1, blob(patient)),
        Subject::Place(place) => (2, blob(place)),
    }
}

pub(super) fn post(post: Post) -> (i64, Val) {
    match post {
        Post::Bed(bed) => (0, blob(bed)),
        Post::Charge(unit) => (1, blob(unit)),
    }
}

pub(super) fn oxygen(oxygen: Option<Oxygen>) -> (Val, Val, Val) {
    match oxygen {
        None => (Val::Null, Val::Null, Val::Null),
        Some(Oxygen::Air) => (int(0), Val::Null, Val::Null),
        Some(Oxygen::Added { flow_ml_per_min, by }) => {
            (int(1), flow_ml_per_min.map_or(Val::Null, int), int(oxygen_device(by)))
        }
    }
}

pub(super) fn actor(actor: Actor) -> (i64, Val) {
    match actor {
        Actor::System => (0, Val::Null),
        Actor::User(user) => (1, blob(user)),
        Actor::Device(device) => (2, blob(device)),
    }
}

/// The codes of enums in the tables; a code is never given to another variant.
macro_rules! codes {
    ($($name:ident $type:ident { $($code:literal $variant:ident),* $(,)? })*) => { $(
        pub(super) const fn $name(value: $type) -> i64 {
            match value { $($type::$variant => $code,)* }
        }
    )* };
}

codes! {
    priority Priority { 1 Low, 2 Medium, 3 High }
    class AlarmClass { 1 Physiological, 2 Technical }
    sex Sex { 0 Unknown, 1 Female, 2 Male, 3 Other }
    role Role { 1 Nurse, 2 ChargeNurse, 3 Physician, 4 It, 5 Patient, 6 Family }
    feeling Feeling { 1 Better, 2 Same, 3 BitWorse, 4 MuchWorse }
    age_band AgeBand { 1 Infant, 2 YoungChild, 3 Child, 4 Adolescent, 5 Adult, 6 Older }
    hand_over_step HandOverStep { 1 Offered, 2 Accepted, 3 Ended }
    lifecycle Lifecycle { 1 Ordered, 2 Provisioned, 3 InService, 4 Quarantined, 5 Retired }
    consciousness Consciousness { 1 Alert, 2 NewConfusion, 3 Voice, 4 Pain, 5 Unresponsive }
    oxygen_device OxygenDevice {
        1 NasalCannula, 2 SimpleMask, 3 VenturiMask, 4 ReservoirMask, 5 HighFlow, 6 Cpap, 7 Other,
    }
    vital Vital {
        1 BatteryLevel, 2 DiastolicPressure, 3 Glucose, 4 HeartRate, 5 MeanPressure, 6 PulseRate,
        7 RespiratoryRate, 8 Saturation, 9 SystolicPressure, 10 Temperature,
    }
}
