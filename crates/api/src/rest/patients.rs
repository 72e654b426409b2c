//! Patients: the list, one page, and what a person charts, sets and orders there.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    http::{Method, StatusCode, Uri},
};
use engine::{Directory, Layer};
use model::{
    Charting, Consciousness, Date, LimitSet, LimitSide, Oxygen, OxygenDevice, Priority, Redacted,
    Sex, SpO2Scale, Vital,
};
use record::Wish;
use security::{Action, permit};

use crate::{
    Api,
    command::new_id,
    dto::{
        patient::{
            Chart, ChartOxygen, Limits, NewPatient, Patient, PatientPage, SetLimits, SetScale, Side,
        },
        words::{Spelt as _, age_years, day, read_day, read_time, thousandths},
    },
    extract::{Asked, Given, Named},
    guard::{Caller, patient_resource},
    paging::{Page, PageQuery},
    problem::Problem,
    routes::{Access, Route, Scope},
};

/// The most oxygen that any device delivers, in L/min.
const FLOW_L_PER_MIN_MAX: f64 = 100.0;

pub(crate) fn routes() -> Vec<Route> {
    let of_unit = Access::Permitted(Action::ListPatients, Scope::CareUnitOfQuery);
    let at = |action| Access::Permitted(action, Scope::Patient);
    let register = Access::Permitted(Action::RegisterPatient, Scope::Org);
    vec![
        Route::new(Method::GET, "/patients", of_unit, "Patients whom one may read, by name", list)
            .lists::<Patient>()
            .query("care_unit", "Only those who lie in this care unit"),
        Route::new(Method::POST, "/patients", register, "Adds a patient", register_patient)
            .takes::<NewPatient>()
            .answers::<Patient>()
            .status(201),
        Route::new(
            Method::GET,
            "/patients/{id}",
            at(Action::ReadPatient),
            "One patient with everything but the past of the signals",
            page,
        )
        .answers::<PatientPage>(),
        Route::new(
            Method::POST,
            "/patients/{id}/chart",
            at(Action::ChartPatient),
            "Charts what a person observed",
            chart,
        )
        .takes::<Chart>()
        .answers::<PatientPage>()
        .status(201),
        Route::new(
            Method::PUT,
            "/patients/{id}/limits/{vital}",
            at(Action::SetLimits),
            "Sets the alarm limits of a vital",
            set_limits,
        )
        .takes::<SetLimits>()
        .answers::<Limits>(),
        Route::new(
            Method::PUT,
            "/patients/{id}/spo2-scale",
            at(Action::SetSpO2Scale),
            "Orders the SpO₂ scale of NEWS2",
            set_scale,
        )
        .takes::<SetScale>()
        .answers::<Patient>(),
    ]
}

async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    uri: Uri,
    Asked(page): Asked<PageQuery>,
) -> Result<Json<Page<Patient>>, Problem> {
    let directory = api.engine.directory();
    // A closed care unit is said to be closed; of the house there is what is open.
    let action = caller.resource.care_unit.map_or(Action::ListPatients, |_| Action::ReadPatient);
    api.permit_look(&caller, action, caller.resource, format!("GET {}", uri.path()))?;
    let found: Vec<&model::Patient> = match caller.resource.care_unit {
        Some(unit) => {
            let ids = directory.patients_in(unit);
            ids.into_iter().filter_map(|id| directory.patients.get(&id)).collect()
        }
        None => directory.patients.values().filter(|it| it.org == caller.who.org).collect(),
    };
    let is_open = |it: &&model::Patient| {
        let resource = patient_resource(&directory, it.id);
        resource.is_ok_and(|it| permit(&caller.who, Action::ReadPatient, &it).is_allowed())
    };
    let mut found: Vec<_> = found.into_iter().filter(is_open).collect();
    found.sort_by(|a, b| {
        (&a.family_name, &a.given_name, a.id).cmp(&(&b.family_name, &b.given_name, b.id))
    });
    page.cut(found.into_iter().map(|it| Patient::of(it, &directory, caller.at))).map(Json)
}

async fn register_patient(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Given(given): Given<NewPatient>,
) -> Result<(StatusCode, Json<Patient>), Problem> {
    let id = new_id(caller.at)?;
    let birth_date =
        given.birth_date.as_deref().map(|text| read_day("birth_date", text)).transpose()?;
    let lived = |born: Date| age_years(born, caller.at).is_some_and(|age| (0..=130).contains(&age));
    if let Some(born) = birth_date.filter(|born| !lived(*born)) {
        let found = day(born);
        return Err(Problem::bad_request(format!(
            "birth_date is {found}; nobody alive was born then"
        )));
    }
    let patient = model::Patient {
        id,
        org: caller.who.org,
        record_number: Redacted(given.record_number),
        given_name: Redacted(given.given_name),
        family_name: Redacted(given.family_name),
        birth_date: birth_date.map(Redacted),
        sex: given.sex.as_deref().map_or(Ok(Sex::Unknown), Sex::read)?,
        here_for: Redacted(given.here_for),
        spo2_scale: SpO2Scale::One,
    };
    let answer = Patient::of(&patient, &api.engine.directory(), caller.at);
    api.ask(&caller, Wish::PutPatient(patient)).await?;
    Ok((StatusCode::CREATED, Json(answer)))
}

async fn page(State(api): State<Arc<Api>>, caller: Caller) -> Result<Json<PatientPage>, Problem> {
    show(&api, &caller).await.map(Json)
}

async fn show(api: &Api, caller: &Caller) -> Result<PatientPage, Problem> {
    let page = api.engine.patient_page(caller.patient()?).await;
    let page = page.ok_or_else(|| Problem::not_found("there is no such patient"))?;
    Ok(PatientPage::of(&page, &api.engine.directory(), &caller.who))
}

async fn chart(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Given(given): Given<Chart>,
) -> Result<(StatusCode, Json<PatientPage>), Problem> {
    let observed_at =
        given.observed_at.as_deref().map(|text| read_time("observed_at", text)).transpose()?;
    let charting = Charting {
        patient: caller.patient()?,
        observed_at: observed_at.unwrap_or(caller.at),
        consciousness: given.consciousness.as_deref().map(Consciousness::read).transpose()?,
        oxygen: given.oxygen.map(oxygen).transpose()?,
        breaths_per_min: given.breaths_per_min,
        note: Redacted(given.note),
        feeling: None,
    };
    api.ask(&caller, Wish::Chart(charting)).await?;
    Ok((StatusCode::CREATED, Json(show(&api, &caller).await?)))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded just before")]
fn oxygen(given: ChartOxygen) -> Result<Oxygen, Problem> {
    let ChartOxygen::Added { flow_l_per_min, by } = given else { return Ok(Oxygen::Air) };
    let flow = |flow: f64| {
        if (0.0..=FLOW_L_PER_MIN_MAX).contains(&flow) {
            Ok((flow * 1_000.0).round() as u32)
        } else {
            let words = format!(
                "flow_l_per_min is {flow}; it lies between 0 and {FLOW_L_PER_MIN_MAX} L/min"
            );
            Err(Problem::bad_request(words))
        }
    };
    let flow_ml_per_min = flow_l_per_min.map(flow).transpose()?;
    Ok(Oxygen::Added { flow_ml_per_min, by: OxygenDevice::read(&by)? })
}

pub(crate) fn side(given: Side) -> Result<LimitSide, Problem> {
    // How long it may be is said where limits are judged, and only there.
    let delay = Duration::try_from_secs_f64(given.delay_s).map_err(|_| {
        Problem::bad_request(format!("delay_s is {}; it is a number from 0", given.delay_s))
    })?;
    Ok(LimitSide {
        limit_thousandths: thousandths("limit", given.limit)?,
        clears_at_thousandths: thousandths("clears_at", given.clears_at)?,
        delay,
        priority: Priority::read(&given.priority)?,
    })
}

async fn set_limits(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named((_, vital)): Named<(String, String)>,
    Given(given): Given<SetLimits>,
) -> Result<Json<Limits>, Problem> {
    let vital = Vital::read(&vital)?;
    let (low, high) = (given.low.map(side).transpose()?, given.high.map(side).transpose()?);
    let limits = LimitSet { vital, low, high };
    api.ask(&caller, Wish::SetLimits { patient: caller.patient()?, limits }).await?;
    let set = engine::view::LimitInForce {
        limits,
        layer: Layer::Patient,
        care_unit: caller.resource.care_unit,
        band: None,
        set: Some((caller.actor(), caller.at)),
    };
    Ok(Json(Limits::of(&set, &api.engine.directory())))
}

async fn set_scale(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Given(given): Given<SetScale>,
) -> Result<Json<Patient>, Problem> {
    let scale = match given.scale {
        1 => SpO2Scale::One,
        2 => SpO2Scale::Two,
        other => return Err(Problem::bad_request(format!("scale is {other}; use 1 or 2"))),
    };
    let patient = caller.patient()?;
    api.ask(&caller, Wish::SetSpO2Scale { patient, scale }).await?;
    let directory: Arc<Directory> = api.engine.directory();
    let found = directory.patients.get(&patient);
    let found = found.ok_or_else(|| Problem::not_found("there is no such patient"))?;
    Ok(Json(Patient::of(found, &directory, caller.at)))
}
