//! What happened to a patient: alarms, charting, devices, beds and nurses in one list by time.

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State, http::Method};
use engine::{AlarmScope, Directory};
use model::{PatientId, Post, StaffId, Subject, Timestamp, as_of};
use security::Action;
use serde::Deserialize;
use store::AlarmFilter;

use crate::{
    Api,
    dto::{
        alarm::Alarm,
        patient::Charted,
        timeline::{Happened, Put, Timeline, TimelineEvent},
        words::{read_time, time},
    },
    extract::Asked,
    guard::Caller,
    limits::TIMELINE_LEN_MAX,
    past::Span,
    problem::Problem,
    routes::{Access, Route, Scope},
};

/// The stretch that is told when nobody asks.
const USUAL: Duration = Duration::from_secs(24 * 3_600);
const KINDS: [&str; 4] = ["alarm", "charted", "device", "place"];

pub(crate) fn routes() -> Vec<Route> {
    let read = Access::Permitted(Action::ReadPatient, Scope::Patient);
    let what = "What happened to a patient: alarms, the last acts of charting, devices, beds and nurses, the latest first";
    vec![
        Route::new(Method::GET, "/patients/{id}/timeline", read, what, timeline)
            .query("from", "RFC 3339 or unix milliseconds; a day before `to` if it is left out")
            .query("to", "RFC 3339 or unix milliseconds; now if it is left out")
            .query(
                "kinds",
                "`alarm`, `charted`, `device`, `place`, separated by commas; all if it is left out",
            )
            .answers::<Timeline>(),
    ]
}

#[derive(Debug, Deserialize)]
struct Which {
    from: Option<String>,
    to: Option<String>,
    kinds: Option<String>,
}

impl Which {
    fn span(&self, now: Timestamp) -> Result<Span, Problem> {
        let to = self.to.as_deref().map_or(Ok(now), |text| read_time("to", text))?;
        let usual = || Ok(to.before(USUAL));
        let from = self.from.as_deref().map_or_else(usual, |text| read_time("from", text))?;
        if from >= to {
            return Err(Problem::bad_request("from is not before to"));
        }
        Ok(Span { from, to })
    }

    fn kinds(&self) -> Result<Vec<&str>, Problem> {
        let Some(kinds) = &self.kinds else { return Ok(KINDS.to_vec()) };
        let kinds: Vec<&str> = kinds.split(',').map(str::trim).collect();
        match kinds.iter().find(|kind| !KINDS.contains(kind)) {
            Some(other) => Err(Problem::bad_request(format!(
                "kinds has `{other}`; use some of: {}",
                KINDS.join(", ")
            ))),
            None => Ok(kinds),
        }
    }
}

async fn timeline(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Asked(which): Asked<Which>,
) -> Result<Json<Timeline>, Problem> {
    let patient = caller.patient()?;
    let span = which.span(caller.at)?;
    let kinds = which.kinds()?;
    let mut found = Vec::new();
    if kinds.contains(&"alarm") {
        found.extend(alarms(&api, &caller, patient, span).await?);
    }
    let directory = api.engine.directory();
    if kinds.contains(&"charted") {
        let page = api.engine.patient_page(patient).await;
        let acts = page.iter().flat_map(|page| &page.charting);
        found.extend(
            acts.map(|it| {
                (it.charting.observed_at, Happened::Charted(Charted::of(it, &directory)))
            }),
        );
    }
    if kinds.contains(&"device") {
        found.extend(devices(&directory, patient, caller.at));
    }
    if kinds.contains(&"place") {
        found.extend(places(&directory, patient, caller.at));
    }
    // Both ends count: the last of a page is the first of the next, so that none is passed over.
    found.retain(|(at, _)| (span.from..=span.to).contains(at));
    found.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let more = found.len() > TIMELINE_LEN_MAX;
    found.truncate(TIMELINE_LEN_MAX);
    let items = found.into_iter().map(|(at, it)| TimelineEvent::of(at, it, &directory)).collect();
    Ok(Json(Timeline { from: time(span.from), to: time(span.to), items, more }))
}

/// Each alarm twice: when it was raised and, if it is over, when it ended.
async fn alarms(
    api: &Api,
    caller: &Caller,
    patient: PatientId,
    span: Span,
) -> Result<Vec<(Timestamp, Happened)>, Problem> {
    let stopped = || Problem::not_recording("the engine has stopped; alarms are not watched");
    let standing = api.engine.alarms(AlarmScope::Patient(patient)).await.ok_or_else(stopped)?;
    let org = caller.who.org;
    let filter = AlarmFilter {
        patient: Some(patient),
        ended: Some(true),
        before: Some(span.to.after(Duration::from_nanos(1))),
        ..AlarmFilter::default()
    };
    let past = api.look_up(move |records| records.alarms(org, &filter, TIMELINE_LEN_MAX)).await?;
    let directory = api.engine.directory();
    let me = caller.who.staff;
    let mut found: Vec<_> = standing
        .iter()
        .map(|it| (it.raised_at, Happened::Raised(Alarm::of(it, &directory, me))))
        .collect();
    for row in past {
        let alarm = Alarm::of_row(org, &row, &directory, me);
        if let Some(ended_at) = row.ended_at {
            found.push((ended_at, Happened::Ended(alarm.clone())));
        }
        found.push((row.raised_at, Happened::Raised(alarm)));
    }
    Ok(found)
}

/// When something began and ceased to be so, by the instants at which it may have changed.
fn changes(
    mut instants: Vec<Timestamp>,
    is_so: impl Fn(Timestamp) -> bool,
) -> Vec<(Timestamp, Put)> {
    instants.sort_unstable();
    instants.dedup();
    let mut was = false;
    let mut found = Vec::new();
    for at in instants {
        let is = is_so(at);
        if is != was {
            found.push((at, if is { Put::On } else { Put::Off }));
        }
        was = is;
    }
    found
}

/// Devices that were put on the patient and taken off, by what is known now.
fn devices(
    directory: &Directory,
    patient: PatientId,
    now: Timestamp,
) -> Vec<(Timestamp, Happened)> {
    let mine = Subject::Patient(patient);
    let mut found = Vec::new();
    for (device, history) in &directory.associations {
        if !history.iter().any(|line| line.value == mine) {
            continue;
        }
        let instants = history.iter().map(|line| line.from).collect();
        let turns = changes(instants, |at| directory.who(*device, at, now) == mine);
        found.extend(turns.into_iter().map(|(at, put)| (at, Happened::Device(*device, put))));
    }
    found
}

/// Beds that the patient came to and left, and the nurses of those beds meanwhile.
fn places(directory: &Directory, patient: PatientId, now: Timestamp) -> Vec<(Timestamp, Happened)> {
    let mut found = Vec::new();
    for (bed, history) in &directory.encounters {
        if !history.iter().any(|line| line.value == Some(patient)) {
            continue;
        }
        let lies_there = |at| as_of(history, *bed, at, now).flatten() == Some(patient);
        let turns = changes(history.iter().map(|line| line.from).collect(), lies_there);
        found.extend(turns.iter().map(|(at, put)| (*at, Happened::Bed(*bed, *put))));
        let post = Post::Bed(*bed);
        let shifts = directory.assignments.get(&post).map_or(&[][..], Vec::as_slice);
        let holder = |at| as_of(shifts, post, at, now).flatten();
        let mut instants: Vec<Timestamp> = shifts.iter().map(|line| line.from).collect();
        instants.extend(turns.iter().filter(|(_, put)| *put == Put::On).map(|(at, _)| *at));
        instants.sort_unstable();
        instants.dedup();
        let mut was: Option<StaffId> = None;
        for at in instants.into_iter().filter(|at| lies_there(*at)) {
            let is = holder(at);
            if is != was {
                found.push((at, Happened::Nurse(*bed, is)));
            }
            was = is;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_once_and_what_stays_is_not_told() {
        let at = Timestamp::from_unix_millis;
        let check = |instants: &[i64], so: &[i64], want: &[(i64, Put)]| {
            let instants = instants.iter().copied().map(at).collect();
            let found = changes(instants, |now| so.contains(&now.unix_millis()));
            let found: Vec<_> = found.iter().map(|(at, put)| (at.unix_millis(), *put)).collect();
            assert_eq!(found, want);
        };
        check(&[3, 1, 2], &[1, 2], &[(1, Put::On), (3, Put::Off)]);
        check(&[1, 1, 2], &[], &[]);
        check(&[1, 2, 3], &[1, 3], &[(1, Put::On), (2, Put::Off), (3, Put::On)]);
        check(&[], &[1], &[]);
    }
}
