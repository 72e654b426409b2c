//! Which row of which table a fact is: the one place where both are named together.

use model::{
    AgeBand, CareUnitId, Certificate, Charting, Device, HandOver, LimitSet, Patient, SpO2Scale,
    User, Vital,
};
use record::{Actor, Pulse};

use super::{
    ScoreRow,
    db::Val,
    number,
    row::{
        HandOverStep, Noun, actor, age_band, blob, consciousness, day, feeling, hand_over_step,
        int, lifecycle, maybe, oxygen, post, role, sex, side, subject, text, time, vital,
    },
};

/// A table, and the values behind the four that every row begins with.
pub(super) type Statement = (&'static str, Vec<Val>);

/// The row of a fact; `None` for those that are kept in a form of their own.
pub(super) fn statement(noun: &Noun) -> Option<Statement> {
    Some(match noun {
        Noun::Org(_) | Noun::Site(_) | Noun::CareUnit(_) | Noun::Room(_) | Noun::Bed(_) => {
            return place(noun);
        }
        Noun::Patient(it) => patient(it),
        Noun::Staff(it) => ("staff", vec![blob(it.id), blob(it.site), text(&it.name.0)]),
        Noun::User(it) => user(it),
        Noun::Device(it) => device(it),
        Noun::Certificate(it) => certificate(it),
        Noun::Association(_) | Noun::Encounter(_) | Noun::Assignment(_) => return history(noun),
        Noun::Limits { patient, limits, by } => patient_limit(*patient, limits, *by, false),
        Noun::LimitsCleared { patient, vital, by } => {
            patient_limit(*patient, &no_limits(*vital), *by, true)
        }
        Noun::UnitLimits { care_unit, band, limits, by } => {
            unit_limit((*care_unit, *band), limits, *by, false)
        }
        Noun::UnitLimitsCleared { care_unit, band, vital, by } => {
            unit_limit((*care_unit, *band), &no_limits(*vital), *by, true)
        }
        Noun::Charting { charting: it, by } => charting(it, *by),
        Noun::HandOver { hand_over: it, what, by } => hand_over(it, *what, *by),
        Noun::HandOverNote { hand_over, note } => {
            let (kind, of) = post(note.post);
            ("hand_over_note", vec![blob(*hand_over), of, int(kind), text(&note.note.0)])
        }
        Noun::Pulse(it) => pulse(it),
        Noun::AlarmLife(it) => (
            "alarm_life",
            vec![blob(it.alarm), time(it.at), text(&it.what), text(&it.detail), maybe(it.by)],
        ),
        Noun::DeviceLife(it) => {
            let (kind, actor) = actor(it.by);
            (
                "device_life",
                vec![blob(it.device), text(&it.what), text(&it.detail), int(kind), actor],
            )
        }
        Noun::Replayed(it) => (
            "letter_replay",
            vec![blob(it.letter), blob(it.by), int(it.mended), text(&it.outcome), text(&it.words)],
        ),
        Noun::Score(it) => score(it),
        Noun::Alarm(_) | Noun::Audit(_) | Noun::DeadLetter(_) => return None,
    })
}

const fn no_limits(vital: Vital) -> LimitSet {
    LimitSet { vital, low: None, high: None }
}

fn place(noun: &Noun) -> Option<Statement> {
    Some(match noun {
        Noun::Org(it) => ("organization", vec![blob(it.id), text(&it.name)]),
        Noun::Site(it) => ("site", vec![blob(it.id), text(&it.name)]),
        Noun::CareUnit(it) => ("care_unit", vec![blob(it.id), blob(it.site), text(&it.name)]),
        Noun::Room(it) => ("room", vec![blob(it.id), blob(it.care_unit), text(&it.name)]),
        Noun::Bed(it) => ("bed", vec![blob(it.id), blob(it.room), text(&it.name)]),
        // The match that calls this names every fact.
        _ => return None,
    })
}

fn history(noun: &Noun) -> Option<Statement> {
    Some(match noun {
        Noun::Association(it) => {
            let (kind, subject) = subject(it.value);
            ("association", vec![blob(it.key), int(kind), subject, time(it.from)])
        }
        Noun::Encounter(it) => ("encounter", vec![blob(it.key), maybe(it.value), time(it.from)]),
        Noun::Assignment(it) => {
            let (kind, post) = post(it.key);
            ("assignment", vec![post, int(kind), maybe(it.value), time(it.from)])
        }
        // The match that calls this names every fact.
        _ => return None,
    })
}

fn patient_limit(
    patient: model::PatientId,
    limits: &LimitSet,
    by: Actor,
    cleared: bool,
) -> Statement {
    let mut values = vec![blob(patient), int(vital(limits.vital))];
    values.extend([side(limits.low), side(limits.high)].concat());
    values.extend([actor(by).1, int(cleared)]);
    ("patient_limit", values)
}

fn unit_limit(
    (care_unit, band): (CareUnitId, Option<AgeBand>),
    limits: &LimitSet,
    by: Actor,
    cleared: bool,
) -> Statement {
    let band = band.map_or(Val::Null, |band| int(age_band(band)));
    let mut values = vec![blob(care_unit), band, int(vital(limits.vital))];
    values.extend([side(limits.low), side(limits.high)].concat());
    values.extend([actor(by).1, int(cleared)]);
    ("unit_limit", values)
}

fn patient(it: &Patient) -> Statement {
    (
        "patient",
        vec![
            blob(it.id),
            text(&it.record_number.0),
            text(&it.given_name.0),
            text(&it.family_name.0),
            it.birth_date.as_ref().map_or(Val::Null, |born| Val::Text(day(born.0))),
            int(sex(it.sex)),
            text(&it.here_for.0),
            int(match it.spo2_scale {
                SpO2Scale::One => 1,
                SpO2Scale::Two => 2,
            }),
        ],
    )
}

fn user(it: &User) -> Statement {
    (
        "user_account",
        vec![
            blob(it.id),
            text(&it.login),
            int(role(it.role)),
            maybe(it.staff),
            it.password_hash.as_ref().map_or(Val::Null, |hash| text(&hash.0)),
            int(it.disabled),
            maybe(it.patient),
        ],
    )
}

fn device(it: &Device) -> Statement {
    (
        "device",
        vec![
            blob(it.id),
            blob(it.site),
            maybe(it.care_unit),
            text(&it.profile),
            text(&it.serial),
            text(&it.label),
            int(lifecycle(it.lifecycle)),
        ],
    )
}

fn certificate(it: &Certificate) -> Statement {
    (
        "certificate",
        vec![
            blob(it.id),
            blob(it.device),
            Val::Blob(it.serial.clone()),
            time(it.not_before),
            time(it.not_after),
            it.revoked_at.map_or(Val::Null, time),
        ],
    )
}

fn charting(it: &Charting, by: Actor) -> Statement {
    let (oxygen, flow, device) = oxygen(it.oxygen);
    (
        "charting",
        vec![
            blob(it.patient),
            time(it.observed_at),
            it.consciousness.map_or(Val::Null, |it| int(consciousness(it))),
            oxygen,
            flow,
            device,
            it.breaths_per_min.map_or(Val::Null, int),
            text(&it.note.0),
            actor(by).1,
            it.feeling.map_or(Val::Null, |it| int(feeling(it))),
        ],
    )
}

fn hand_over(it: &HandOver, what: HandOverStep, by: Actor) -> Statement {
    (
        "hand_over",
        vec![
            blob(it.id),
            blob(it.care_unit),
            blob(it.from),
            blob(it.to),
            int(hand_over_step(what)),
            actor(by).1,
        ],
    )
}

fn pulse(it: &Pulse) -> Statement {
    (
        "pulse",
        vec![
            int(number(it.messages_per_ks)),
            int(number(it.readings_per_ks)),
            int(number(it.durable_p99_us)),
            int(number(it.decided_p99_us)),
            int(number(it.journal_bytes)),
            int(number(it.connections)),
            time(it.started_at),
        ],
    )
}

fn score(it: &ScoreRow) -> Statement {
    (
        "score",
        vec![
            blob(it.patient),
            time(it.at),
            it.total.map_or(Val::Null, int),
            int(it.single_red),
            text(&it.missing.join(" ")),
        ],
    )
}
