//! One accepted fact as a row of its table.

use model::{
    AgeBand, AlarmClass, Assignment, Association, Bed, CareUnit, CareUnitId, Certificate, Charting,
    Consciousness, Date, Device, Encounter, Feeling, HandOver, HandOverId, Id, Lifecycle, LimitSet,
    LimitSide, Org, OrgId, Oxygen, OxygenDevice, Patient, PatientId, Post, PostNote, Priority,
    Role, Room, Sex, Site, Staff, Subject, Timestamp, User, Vital,
};
use record::{Actor, AuditEntry, DeadLetter, Pulse, Replayed};
use rusqlite::{
    Transaction, params_from_iter,
    types::{Value, ValueRef},
};

use super::{
    AlarmRow, DeviceLifeRow, LifeRow, RecordsError, ScoreRow, number, statement::statement,
};
use crate::{
    LogOffset,
    row_sum::{self, Places},
};

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

pub(super) fn blob<K>(id: Id<K>) -> Value
where
    K: model::Kind,
{
    Value::Blob(id.uuid().to_be_bytes().to_vec())
}

pub(super) fn maybe<K: model::Kind>(id: Option<Id<K>>) -> Value {
    id.map_or(Value::Null, blob)
}

pub(super) fn time(at: Timestamp) -> Value {
    Value::Integer(at.unix_nanos())
}

pub(super) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub(super) fn int(value: impl Into<i64>) -> Value {
    Value::Integer(value.into())
}

/// Adds the row; one that is there already stays, and an alarm is replaced by its newer form.
/// Its checksum stands where `sums` says.
pub(super) fn insert(
    transaction: &Transaction<'_>,
    row: &Row,
    sums: &Places,
) -> Result<(), RecordsError> {
    let (sql, mut values) = match &row.noun {
        Noun::Alarm(alarm) => (ALARM, alarm_values(row, alarm)),
        Noun::Audit(entry) => (AUDIT, audit_values(row, entry)),
        Noun::DeadLetter(letter) => (DEAD_LETTER, letter_values(row, letter)),
        other => {
            let (sql, own) = statement(other).unwrap_or_default();
            let mut values = vec![
                blob(row.org),
                int(number(row.offset.bytes())),
                int(row.index),
                time(row.known_at),
            ];
            values.extend(own);
            (sql, values)
        }
    };
    let table =
        sql.split_whitespace().skip_while(|word| *word != "INTO").nth(1).unwrap_or_default();
    let sum = row_sum::of(table, values.iter().map(ValueRef::from));
    let place = sums.get(table).copied().unwrap_or(values.len()).min(values.len());
    values.insert(place, Value::Integer(sum));
    let sql = sql.replacen("VALUES (", "VALUES (?,", 1);
    transaction.prepare_cached(&sql)?.execute(params_from_iter(values))?;
    Ok(())
}

const ALARM: &str = "INSERT INTO alarm VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) \
    ON CONFLICT (org, id) DO UPDATE SET log_offset = excluded.log_offset, row_sum = excluded.row_sum, \
    class = excluded.class, code = excluded.code, since = excluded.since, care_unit = excluded.care_unit, \
    patient = excluded.patient, device = excluded.device, bed = excluded.bed, priority = excluded.priority, \
    title = excluded.title, detail = excluded.detail, state = excluded.state, raised_at = excluded.raised_at, \
    ended_at = excluded.ended_at, ending = excluded.ending, kind = excluded.kind, vital = excluded.vital WHERE excluded.log_offset >= alarm.log_offset";
const AUDIT: &str = "INSERT OR IGNORE INTO audit VALUES (?,?,?,?,?,?,?,?,?,?,?,?)";
const DEAD_LETTER: &str = "INSERT OR IGNORE INTO dead_letter VALUES (?,?,?,?,?,?,?,?,?,?,?,?)";

fn alarm_values(row: &Row, it: &AlarmRow) -> Vec<Value> {
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
        it.ended_at.map_or(Value::Null, time),
        it.ending.as_deref().map_or(Value::Null, text),
        text(&it.kind),
        it.vital.map_or(Value::Null, |it| int(vital(it))),
    ]
}

fn audit_values(row: &Row, it: &AuditEntry) -> Vec<Value> {
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

fn letter_values(row: &Row, it: &DeadLetter) -> Vec<Value> {
    vec![
        blob(row.org),
        blob(it.id),
        int(number(row.offset.bytes())),
        int(row.index),
        time(row.known_at),
        maybe(it.device),
        text(&it.door),
        text(&it.topic),
        it.content_type.as_deref().map_or(Value::Null, text),
        text(&it.reason),
        text(&it.explanation),
        Value::Blob(it.payload.clone()),
    ]
}

pub(super) fn side(side: Option<LimitSide>) -> [Value; 4] {
    side.map_or([Value::Null, Value::Null, Value::Null, Value::Null], |side| {
        [
            Value::Integer(side.limit_thousandths),
            Value::Integer(side.clears_at_thousandths),
            Value::Integer(i64::try_from(side.delay.as_nanos()).unwrap_or(i64::MAX)),
            int(priority(side.priority)),
        ]
    })
}

pub(super) fn day(date: Date) -> String {
    format!("{:04}-{:02}-{:02}", date.year, date.month, date.day)
}

pub(super) fn subject(subject: Subject) -> (i64, Value) {
    match subject {
        Subject::Nobody => (0, Value::Null),
        Subject::Patient(patient) => (1, blob(patient)),
        Subject::Place(place) => (2, blob(place)),
    }
}

pub(super) fn post(post: Post) -> (i64, Value) {
    match post {
        Post::Bed(bed) => (0, blob(bed)),
        Post::Charge(unit) => (1, blob(unit)),
    }
}

pub(super) fn oxygen(oxygen: Option<Oxygen>) -> (Value, Value, Value) {
    match oxygen {
        None => (Value::Null, Value::Null, Value::Null),
        Some(Oxygen::Air) => (int(0), Value::Null, Value::Null),
        Some(Oxygen::Added { flow_ml_per_min, by }) => {
            (int(1), flow_ml_per_min.map_or(Value::Null, int), int(oxygen_device(by)))
        }
    }
}

pub(super) fn actor(actor: Actor) -> (i64, Value) {
    match actor {
        Actor::System => (0, Value::Null),
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
