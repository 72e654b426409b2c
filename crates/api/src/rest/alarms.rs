//! Alarms: those that stand, those that were, and how a person answers them.

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State, http::Method};
use engine::{AlarmScope, view};
use model::{AlarmId, EndReason, OrgId, PatientId, Redacted, Timestamp, Vital};
use record::Wish;
use security::{Action, Resource};
use serde::Deserialize;
use store::{AlarmFilter, AlarmRow, Records, RecordsError};

use crate::{
    Api,
    dto::{
        alarm::{Acknowledge, Alarm, AlarmWithLife, EndAlarm, LifeEvent},
        words::Spelt as _,
    },
    extract::{Asked, Given, Named},
    guard::{Caller, parse, patient_resource},
    paging::{Page, PageQuery, cursor},
    problem::Problem,
    routes::{Access, Route, Scope},
};

pub(crate) fn routes() -> Vec<Route> {
    let list_access = Access::Permitted(Action::ReadAlarms, Scope::CareUnitOfQuery);
    let at = |action| Access::Permitted(action, Scope::Alarm);
    vec![
        Route::new(Method::GET, "/alarms", list_access, "Alarms: standing ones by urgency, then ended ones, the latest first", list)
            .query("scope", "`mine`, `care_unit` or `all`; of the past, `mine` is what happened in the caller's care units")
            .query("care_unit", "Which, with `scope=care_unit`")
            .query("patient", "Only about this patient")
            .query("vital", "Only about this vital, such as `heart_rate`")
            .query("state", "`standing`, `ended` or `any`")
            .lists::<Alarm>(),
        Route::new(Method::GET, "/alarms/{id}", at(Action::ReadAlarms), "One alarm with its whole life", show).answers::<AlarmWithLife>(),
        Route::new(Method::POST, "/alarms/{id}/acknowledge", at(Action::AcknowledgeAlarm), "«I have it»: quiet for a while", acknowledge)
            .takes::<Acknowledge>()
            .answers::<Alarm>(),
        Route::new(Method::POST, "/alarms/{id}/end", at(Action::EndAlarm), "Ends an alarm with a reason", end)
            .takes::<EndAlarm>()
            .answers::<Alarm>(),
    ]
}

/// An alarm as the engine shows it, or as the records kept it.
pub(crate) enum FoundAlarm {
    Now(Box<view::Alarm>),
    Then(OrgId, Box<AlarmRow>),
}

impl FoundAlarm {
    /// What the policy is asked about.
    pub(crate) fn resource(&self) -> Resource {
        match self {
            Self::Now(it) => {
                let (care_unit, patient) = (it.care_unit, it.patient);
                Resource { care_unit, patient, ..Resource::org(it.org) }
            }
            Self::Then(org, it) => {
                let (care_unit, patient) = (it.care_unit, it.patient);
                Resource { care_unit, patient, ..Resource::org(*org) }
            }
        }
    }
}

impl Api {
    /// Asks the records on a thread that may wait for the disk.
    pub(crate) async fn look_up<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Records) -> Result<T, RecordsError> + Send + 'static,
    ) -> Result<T, Problem> {
        let records = self.records.clone();
        let answer = tokio::task::spawn_blocking(move || ask(&records)).await;
        answer.map_err(Problem::fault)?.map_err(|error| Problem::caused_by(&error))
    }

    /// An alarm of any age.
    pub(crate) async fn find_alarm(
        &self,
        org: OrgId,
        id: AlarmId,
    ) -> Result<Option<FoundAlarm>, Problem> {
        if let Some(alarm) = self.engine.alarm(id).await {
            return Ok(Some(FoundAlarm::Now(Box::new(alarm))));
        }
        let row = self.look_up(move |records| records.alarm(org, id)).await?;
        Ok(row.map(|row| FoundAlarm::Then(org, Box::new(row))))
    }

    fn alarm(&self, caller: &Caller, found: &FoundAlarm) -> Alarm {
        let directory = self.engine.directory();
        match found {
            FoundAlarm::Now(it) => Alarm::of(it, &directory, caller.who.staff),
            FoundAlarm::Then(org, it) => Alarm::of_row(*org, it, &directory, caller.who.staff),
        }
    }
}

#[derive(Debug, Deserialize)]
struct Which {
    scope: Option<String>,
    patient: Option<String>,
    vital: Option<String>,
    state: Option<String>,
    cursor: Option<String>,
    limit: Option<usize>,
}

/// Whose alarms, once it is known that the caller may see them.
#[derive(Clone, Copy)]
enum Whose {
    Mine,
    Unit,
    All,
    Patient(PatientId),
}

impl Which {
    fn whose(&self, api: &Api, caller: &Caller) -> Result<Whose, Problem> {
        if let Some(patient) = &self.patient {
            let patient: PatientId = parse(patient)?;
            let resource = patient_resource(&api.engine.directory(), patient)?;
            let path = format!("GET /api/v1/alarms patient {patient}");
            api.permit_look(caller, Action::ReadAlarms, resource, path)?;
            return Ok(Whose::Patient(patient));
        }
        match self.scope.as_deref() {
            Some("mine") => Ok(Whose::Mine),
            Some("all") => Ok(Whose::All),
            Some("care_unit") if caller.resource.care_unit.is_none() => {
                Err(Problem::bad_request("care_unit is missing; which one?"))
            }
            Some("care_unit") => Ok(Whose::Unit),
            None if caller.resource.care_unit.is_some() => Ok(Whose::Unit),
            None => Ok(Whose::All),
            Some(other) => Err(Problem::bad_request(format!(
                "scope is `{other}`; use one of: mine, care_unit, all"
            ))),
        }
    }

    fn states(&self) -> Result<(bool, bool), Problem> {
        match self.state.as_deref() {
            None | Some("any") => Ok((true, true)),
            Some("standing") => Ok((true, false)),
            Some("ended") => Ok((false, true)),
            Some(other) => Err(Problem::bad_request(format!(
                "state is `{other}`; use one of: standing, ended, any"
            ))),
        }
    }
}

async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Asked(which): Asked<Which>,
) -> Result<Json<Page<Alarm>>, Problem> {
    let whose = which.whose(&api, &caller)?;
    let (standing, ended) = which.states()?;
    let vital = which.vital.as_deref().map(Vital::read).transpose()?;
    let page = PageQuery { cursor: which.cursor, limit: which.limit };
    let (len, after) = (page.len()?, page.after()?);
    // An even place is among the standing ones, an odd one a millisecond of the past.
    let mut items = Vec::new();
    let in_past = after.is_some_and(|place| place % 2 == 1);
    if standing && !in_past {
        let first = usize::try_from(after.unwrap_or(0) / 2).unwrap_or(usize::MAX);
        let mut all = standing_of(&api, &caller, whose).await?;
        all.retain(|alarm| vital.is_none() || alarm.vital == vital);
        let directory = api.engine.directory();
        let page = all.iter().skip(first).take(len);
        items.extend(page.map(|alarm| Alarm::of(alarm, &directory, caller.who.staff)));
        if all.len() > first.saturating_add(len) {
            let next = (first.saturating_add(len) as u64).saturating_mul(2);
            return Ok(Json(Page { items, next: Some(cursor(next)) }));
        }
    }
    if !ended {
        return Ok(Json(Page { items, next: None }));
    }
    let before = after.filter(|_| in_past).map(before_of);
    let room = len.saturating_sub(items.len());
    if room == 0 {
        return Ok(Json(Page {
            items,
            next: Some(cursor(place_of(Timestamp::from_unix_nanos(i64::MAX)))),
        }));
    }
    let (rows, next) = past_of(&api, &caller, whose, (vital, before), room).await?;
    let directory = api.engine.directory();
    items.extend(
        rows.iter().map(|row| Alarm::of_row(caller.who.org, row, &directory, caller.who.staff)),
    );
    Ok(Json(Page { items, next: next.map(|next| cursor(place_of(next))) }))
}

/// A place in the past as a cursor's number; nanoseconds since 1970, with room for a flag.
fn place_of(at: Timestamp) -> u64 {
    u64::try_from(at.unix_nanos()).unwrap_or(0).saturating_mul(2).saturating_add(1)
}

fn before_of(place: u64) -> Timestamp {
    Timestamp::from_unix_nanos(i64::try_from(place / 2).unwrap_or(i64::MAX))
}

async fn standing_of(
    api: &Api,
    caller: &Caller,
    whose: Whose,
) -> Result<Vec<view::Alarm>, Problem> {
    let org = AlarmScope::Org(caller.who.org);
    let scope = match whose {
        Whose::Mine => match caller.who.staff {
            Some(staff) => AlarmScope::Of(staff),
            None => return Ok(Vec::new()),
        },
        Whose::Unit => caller.resource.care_unit.map_or(org, AlarmScope::CareUnit),
        Whose::All => org,
        Whose::Patient(patient) => AlarmScope::Patient(patient),
    };
    let stopped = || Problem::not_recording("the engine has stopped; alarms are not watched");
    api.engine.alarms(scope).await.ok_or_else(stopped)
}

/// Ended alarms, the latest raised first, and before when the next page begins.
async fn past_of(
    api: &Api,
    caller: &Caller,
    whose: Whose,
    (vital, before): (Option<Vital>, Option<Timestamp>),
    len: usize,
) -> Result<(Vec<AlarmRow>, Option<Timestamp>), Problem> {
    let all = AlarmFilter { ended: Some(true), vital, before, ..AlarmFilter::default() };
    let filters: Vec<AlarmFilter> = match whose {
        Whose::Mine => caller
            .who
            .care_units
            .iter()
            .map(|unit| AlarmFilter { care_unit: Some(*unit), ..all })
            .collect(),
        Whose::Unit => vec![AlarmFilter { care_unit: caller.resource.care_unit, ..all }],
        Whose::All => vec![all],
        Whose::Patient(patient) => vec![AlarmFilter { patient: Some(patient), ..all }],
    };
    let org = caller.who.org;
    let found = api.look_up(move |records| {
        let mut rows = Vec::new();
        for filter in filters {
            rows.extend(records.alarms(org, &filter, len.saturating_add(1))?);
        }
        Ok(rows)
    });
    let mut rows = found.await?;
    rows.sort_by_key(|row| std::cmp::Reverse((row.raised_at, row.id)));
    Ok(whole_instants(rows, len))
}

/// A page that does not end amid alarms of one instant, as the next begins before its oldest.
fn whole_instants(mut rows: Vec<AlarmRow>, len: usize) -> (Vec<AlarmRow>, Option<Timestamp>) {
    let Some(beyond) = rows.get(len).map(|row| row.raised_at) else { return (rows, None) };
    rows.truncate(len);
    let whole = rows.partition_point(|row| row.raised_at > beyond);
    if whole > 0 {
        rows.truncate(whole);
    }
    let oldest = rows.last().map(|row| row.raised_at);
    (rows, oldest)
}

async fn show(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Json<AlarmWithLife>, Problem> {
    let id: AlarmId = parse(&id)?;
    let org = caller.who.org;
    let found = api.find_alarm(org, id).await?;
    let found = found.ok_or_else(|| Problem::not_found("there is no such alarm"))?;
    let rows = api.look_up(move |records| records.alarm_life(org, id)).await?;
    let directory = api.engine.directory();
    let life = rows.iter().map(|row| LifeEvent::of(row, &directory)).collect();
    Ok(Json(AlarmWithLife { alarm: api.alarm(&caller, &found), life }))
}

/// The alarm as the engine left it when it granted the wish.
async fn answered(
    api: &Api,
    caller: &Caller,
    id: AlarmId,
    wish: Wish,
) -> Result<Json<Alarm>, Problem> {
    let outcome = api.ask(caller, wish).await?;
    let found = match outcome.alarm {
        Some(alarm) => Some(FoundAlarm::Now(Box::new(alarm))),
        None => api.find_alarm(caller.who.org, id).await?,
    };
    let found = found.ok_or_else(|| Problem::not_found("there is no such alarm"))?;
    Ok(Json(api.alarm(caller, &found)))
}

async fn acknowledge(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(id): Named<String>,
    Given(given): Given<Acknowledge>,
) -> Result<Json<Alarm>, Problem> {
    let alarm: AlarmId = parse(&id)?;
    let quiet_for = Duration::from_secs(given.quiet_for_s.into());
    answered(&api, &caller, alarm, Wish::Acknowledge { alarm, quiet_for }).await
}

async fn end(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(id): Named<String>,
    Given(given): Given<EndAlarm>,
) -> Result<Json<Alarm>, Problem> {
    let alarm: AlarmId = parse(&id)?;
    let reason = EndReason::read(&given.reason)?;
    let words = given.words.trim();
    if reason == EndReason::Other && words.is_empty() {
        return Err(Problem::bad_request("words is empty; say what the other reason is"));
    }
    let words = Redacted(words.to_owned());
    answered(&api, &caller, alarm, Wish::EndAlarm { alarm, reason, words }).await
}

#[cfg(test)]
mod tests {
    use model::{AlarmClass, Priority};

    use super::*;

    fn row(raised_at_s: i64, number: u128) -> AlarmRow {
        let at = Timestamp::from_unix_millis(raised_at_s * 1_000);
        AlarmRow {
            id: AlarmId::v7(at, number),
            care_unit: None,
            patient: None,
            device: None,
            bed: None,
            class: AlarmClass::Physiological,
            priority: Priority::High,
            code: String::new(),
            title: String::new(),
            detail: String::new(),
            state: "ended".to_owned(),
            since: at,
            raised_at: at,
            ended_at: Some(at),
            ending: None,
            kind: String::new(),
            vital: None,
        }
    }

    #[test]
    fn a_page_of_the_past_ends_between_two_instants() {
        let check = |seconds: &[i64], len, want: &[i64], next: Option<i64>| {
            let rows =
                seconds.iter().zip(1..).map(|(second, number)| row(*second, number)).collect();
            let (page, before) = whole_instants(rows, len);
            let page: Vec<_> = page.iter().map(|row| row.raised_at.unix_millis() / 1_000).collect();
            assert_eq!((page.as_slice(), before.map(|at| at.unix_millis() / 1_000)), (want, next));
        };
        check(&[9, 8, 7], 3, &[9, 8, 7], None);
        check(&[9, 8, 7, 6], 3, &[9, 8, 7], Some(7));
        check(&[9, 8, 7, 7], 3, &[9, 8], Some(8));
        check(&[7, 7, 7, 7], 3, &[7, 7, 7], Some(7));
        check(&[], 3, &[], None);
    }

    #[test]
    fn a_place_in_the_past_survives_its_cursor() {
        for at in [0, 1, 1_795_226_400_000_000_001] {
            let at = Timestamp::from_unix_nanos(at);
            assert_eq!((before_of(place_of(at)), place_of(at) % 2), (at, 1));
        }
    }
}
