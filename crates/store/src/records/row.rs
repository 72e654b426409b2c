//! One accepted fact as a row of its table.

use model::{
    AlarmClass, Assignment, Association, Bed, CareUnit, Certificate, Charting, Consciousness, Date,
    Device, Encounter, Id, Lifecycle, LimitSet, LimitSide, Org, OrgId, Oxygen, OxygenDevice,
    Patient, PatientId, Post, Priority, Role, Room, Sex, Site, SpO2Scale, Staff, Subject,
    Timestamp, User, Vital,
};
use record::{Actor, AuditEntry, DeadLetter};
use rusqlite::{Transaction, params_from_iter, types::Value};

use super::{AlarmRow, LifeRow, RecordsError, number};
use crate::LogOffset;

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
    Charting { charting: Charting, by: Actor },
    Alarm(AlarmRow),
    AlarmLife(LifeRow),
    Audit(AuditEntry),
    DeadLetter(DeadLetter),
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

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn int(value: impl Into<i64>) -> Value {
    Value::Integer(value.into())
}

/// Adds the row; one that is there already stays, and an alarm is replaced by its newer form.
pub(super) fn insert(transaction: &Transaction<'_>, row: &Row) -> Result<(), RecordsError> {
    let (sql, values) = match &row.noun {
        Noun::Alarm(alarm) => (ALARM, alarm_values(row, alarm)),
        Noun::Audit(entry) => (AUDIT, audit_values(row, entry)),
        Noun::DeadLetter(letter) => (DEAD_LETTER, letter_values(row, letter)),
        other => {
            let (sql, own) = place(other)
                .or_else(|| person(other))
                .or_else(|| history(other))
                .unwrap_or_default();
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
    transaction.prepare_cached(sql)?.execute(params_from_iter(values))?;
    Ok(())
}

const ALARM: &str = "INSERT INTO alarm VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) \
    ON CONFLICT (org, id) DO UPDATE SET log_offset = excluded.log_offset, care_unit = excluded.care_unit, \
    patient = excluded.patient, device = excluded.device, bed = excluded.bed, priority = excluded.priority, \
    title = excluded.title, detail = excluded.detail, state = excluded.state, raised_at = excluded.raised_at, \
    ended_at = excluded.ended_at, ending = excluded.ending WHERE excluded.log_offset >= alarm.log_offset";
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

type Statement = (&'static str, Vec<Value>);

fn place(noun: &Noun) -> Option<Statement> {
    Some(match noun {
        Noun::Org(it) => (
            "INSERT OR IGNORE INTO organization VALUES (?,?,?,?,?,?)",
            vec![blob(it.id), text(&it.name)],
        ),
        Noun::Site(it) => {
            ("INSERT OR IGNORE INTO site VALUES (?,?,?,?,?,?)", vec![blob(it.id), text(&it.name)])
        }
        Noun::CareUnit(it) => (
            "INSERT OR IGNORE INTO care_unit VALUES (?,?,?,?,?,?,?)",
            vec![blob(it.id), blob(it.site), text(&it.name)],
        ),
        Noun::Room(it) => (
            "INSERT OR IGNORE INTO room VALUES (?,?,?,?,?,?,?)",
            vec![blob(it.id), blob(it.care_unit), text(&it.name)],
        ),
        Noun::Bed(it) => (
            "INSERT OR IGNORE INTO bed VALUES (?,?,?,?,?,?,?)",
            vec![blob(it.id), blob(it.room), text(&it.name)],
        ),
        Noun::Patient(_)
        | Noun::Staff(_)
        | Noun::User(_)
        | Noun::Device(_)
        | Noun::Certificate(_)
        | Noun::Association(_)
        | Noun::Encounter(_)
        | Noun::Assignment(_)
        | Noun::Limits { .. }
        | Noun::Charting { .. }
        | Noun::Alarm(_)
        | Noun::AlarmLife(_)
        | Noun::Audit(_)
        | Noun::DeadLetter(_) => return None,
    })
}

fn person(noun: &Noun) -> Option<Statement> {
    Some(match noun {
        Noun::Patient(it) => (
            "INSERT OR IGNORE INTO patient VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
            vec![
                blob(it.id),
                text(&it.record_number.0),
                text(&it.given_name.0),
                text(&it.family_name.0),
                it.birth_date.as_ref().map_or(Value::Null, |born| Value::Text(day(born.0))),
                int(sex(it.sex)),
                text(&it.here_for.0),
                int(match it.spo2_scale {
                    SpO2Scale::One => 1,
                    SpO2Scale::Two => 2,
                }),
            ],
        ),
        Noun::Staff(it) => (
            "INSERT OR IGNORE INTO staff VALUES (?,?,?,?,?,?,?)",
            vec![blob(it.id), blob(it.site), text(&it.name.0)],
        ),
        Noun::User(it) => (
            "INSERT OR IGNORE INTO user_account VALUES (?,?,?,?,?,?,?,?,?,?)",
            vec![
                blob(it.id),
                text(&it.login),
                int(role(it.role)),
                maybe(it.staff),
                it.password_hash.as_ref().map_or(Value::Null, |hash| text(&hash.0)),
                int(it.disabled),
            ],
        ),
        Noun::Device(it) => (
            "INSERT OR IGNORE INTO device VALUES (?,?,?,?,?,?,?,?,?,?,?)",
            vec![
                blob(it.id),
                blob(it.site),
                maybe(it.care_unit),
                text(&it.profile),
                text(&it.serial),
                text(&it.label),
                int(lifecycle(it.lifecycle)),
            ],
        ),
        Noun::Certificate(it) => (
            "INSERT OR IGNORE INTO certificate VALUES (?,?,?,?,?,?,?,?,?,?)",
            vec![
                blob(it.id),
                blob(it.device),
                Value::Blob(it.serial.clone()),
                time(it.not_before),
                time(it.not_after),
                it.revoked_at.map_or(Value::Null, time),
            ],
        ),
        Noun::Org(_)
        | Noun::Site(_)
        | Noun::CareUnit(_)
        | Noun::Room(_)
        | Noun::Bed(_)
        | Noun::Association(_)
        | Noun::Encounter(_)
        | Noun::Assignment(_)
        | Noun::Limits { .. }
        | Noun::Charting { .. }
        | Noun::Alarm(_)
        | Noun::AlarmLife(_)
        | Noun::Audit(_)
        | Noun::DeadLetter(_) => return None,
    })
}

fn history(noun: &Noun) -> Option<Statement> {
    Some(match noun {
        Noun::Association(it) => {
            let (kind, subject) = subject(it.value);
            (
                "INSERT OR IGNORE INTO association VALUES (?,?,?,?,?,?,?,?)",
                vec![blob(it.key), int(kind), subject, time(it.from)],
            )
        }
        Noun::Encounter(it) => (
            "INSERT OR IGNORE INTO encounter VALUES (?,?,?,?,?,?,?)",
            vec![blob(it.key), maybe(it.value), time(it.from)],
        ),
        Noun::Assignment(it) => {
            let (kind, post) = post(it.key);
            (
                "INSERT OR IGNORE INTO assignment VALUES (?,?,?,?,?,?,?,?)",
                vec![post, int(kind), maybe(it.value), time(it.from)],
            )
        }
        Noun::Limits { patient, limits, by } => {
            let mut values = vec![blob(*patient), int(vital(limits.vital))];
            values.extend(side(limits.low));
            values.extend(side(limits.high));
            values.push(actor(*by).1);
            ("INSERT OR IGNORE INTO patient_limit VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", values)
        }
        Noun::Charting { charting: it, by } => {
            let (oxygen, flow, device) = oxygen(it.oxygen);
            (
                "INSERT OR IGNORE INTO charting VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
                vec![
                    blob(it.patient),
                    time(it.observed_at),
                    it.consciousness.map_or(Value::Null, |it| int(consciousness(it))),
                    oxygen,
                    flow,
                    device,
                    it.breaths_per_min.map_or(Value::Null, int),
                    text(&it.note.0),
                    actor(*by).1,
                ],
            )
        }
        Noun::AlarmLife(it) => (
            "INSERT OR IGNORE INTO alarm_life VALUES (?,?,?,?,?,?,?,?,?)",
            vec![blob(it.alarm), time(it.at), text(&it.what), text(&it.detail), maybe(it.by)],
        ),
        Noun::Org(_)
        | Noun::Site(_)
        | Noun::CareUnit(_)
        | Noun::Room(_)
        | Noun::Bed(_)
        | Noun::Patient(_)
        | Noun::Staff(_)
        | Noun::User(_)
        | Noun::Device(_)
        | Noun::Certificate(_)
        | Noun::Alarm(_)
        | Noun::Audit(_)
        | Noun::DeadLetter(_) => return None,
    })
}

fn side(side: Option<LimitSide>) -> [Value; 4] {
    side.map_or([Value::Null, Value::Null, Value::Null, Value::Null], |side| {
        [
            Value::Integer(side.limit_thousandths),
            Value::Integer(side.clears_at_thousandths),
            Value::Integer(i64::try_from(side.delay.as_nanos()).unwrap_or(i64::MAX)),
            int(priority(side.priority)),
        ]
    })
}

fn day(date: Date) -> String {
    format!("{:04}-{:02}-{:02}", date.year, date.month, date.day)
}

fn subject(subject: Subject) -> (i64, Value) {
    match subject {
        Subject::Nobody => (0, Value::Null),
        Subject::Patient(patient) => (1, blob(patient)),
        Subject::Place(place) => (2, blob(place)),
    }
}

fn post(post: Post) -> (i64, Value) {
    match post {
        Post::Bed(bed) => (0, blob(bed)),
        Post::Charge(unit) => (1, blob(unit)),
    }
}

fn oxygen(oxygen: Option<Oxygen>) -> (Value, Value, Value) {
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
    role Role { 1 Nurse, 2 ChargeNurse, 3 Physician, 4 It }
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
