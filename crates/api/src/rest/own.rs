//! What a patient sees of themselves: their numbers with where they usually are, who looks
//! after them, who can see this and who did; and how they say that they feel.
//!
//! **Absent on purpose:** scores, alarms and priorities; a number here is a fact, not a verdict.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    http::{Method, StatusCode},
};
use engine::{Directory, view};
use model::{Charting, Feeling, PatientId, Redacted, Role, Vital};
use record::Wish;
use security::Action;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{doses::Dose, past::read_trends, share::Shared, trail::Look};
use crate::{
    Api,
    dto::{
        alarm::Person,
        bed::Named,
        numeric::Numeric,
        patient::Charted,
        patient::Trend,
        words::{Spelt as _, time},
    },
    extract::Given,
    guard::Caller,
    limits::OWN_POINTS,
    past::Span,
    problem::Problem,
    routes::{Access, Route, Scope},
};

/// A patient's own page.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Own {
    given_name: String,
    /// Null when the patient lies in no bed here. Only the patient is told the bed, the care
    /// unit and whoever looks after them: the name of a unit can say why somebody is here.
    bed: Option<Named>,
    care_unit: Option<Named>,
    nurse: Option<Person>,
    charge: Option<Person>,
    /// At most three, the most telling first.
    numbers: Vec<OwnNumber>,
    /// What the patient said last, the newest first.
    felt: Vec<Charted>,
    /// What the patient takes next; null where nobody planned it.
    next_dose: Option<Dose>,
    /// Who looked at this, the latest first; nobody else than the patient is told.
    looks: Vec<Look>,
    /// With whom the patient shares this page; only they are told.
    shares: Vec<Shared>,
    /// Until when the caller may read this, if the patient shares it with them.
    shared_until: Option<String>,
    /// Whether what is measured now is kept.
    recording: bool,
    now: String,
}

/// One number of the patient's own.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OwnNumber {
    #[serde(flatten)]
    numeric: Numeric,
    /// What the device is called by those who made its profile.
    measured_by: String,
    /// Beside the limits that hold for this patient: `in`, `below` or `above`; null without a
    /// value or a limit.
    place: Option<&'static str>,
    /// Between these most values of the last day lie; null while there are too few.
    usual: Option<(f64, f64)>,
    /// The last day as `[unix milliseconds, value]`.
    points: Vec<(i64, f64)>,
    /// The lower number of a pressure.
    with: Option<Numeric>,
    /// The same of the lower number: its limits are its own.
    with_place: Option<&'static str>,
}

/// How a patient feels.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Felt {
    /// `better`, `same`, `bit_worse` or `much_worse`.
    feeling: String,
    /// In the patient's words.
    #[serde(default)]
    words: String,
}

pub(crate) fn routes() -> Vec<Route> {
    let own = |action| Access::Permitted(action, Scope::Own);
    vec![
        Route::new(Method::GET, "/own", own(Action::ReadOwn), "A patient's own page", page)
            .answers::<Own>(),
        Route::new(
            Method::POST,
            "/own/feeling",
            own(Action::ReportFeeling),
            "How the patient feels, charted for the team to see",
            feel,
        )
        .takes::<Felt>()
        .answers::<Own>()
        .status(201),
    ]
}

/// How far back the small lines go.
const LOOK_BACK: Duration = Duration::from_secs(86_400);
/// What a person may learn of themselves, the most telling first.
const TOLD: [Vital; 6] = [
    Vital::Saturation,
    Vital::HeartRate,
    Vital::SystolicPressure,
    Vital::Temperature,
    Vital::PulseRate,
    Vital::RespiratoryRate,
];
/// Numbers on the page.
const NUMBERS: usize = 3;
/// So few values are no usual range yet.
const USUAL_MIN: usize = 20;

async fn page(State(api): State<Arc<Api>>, caller: Caller) -> Result<Json<Own>, Problem> {
    show(&api, &caller).await.map(Json)
}

pub(super) async fn show(api: &Api, caller: &Caller) -> Result<Own, Problem> {
    let id: PatientId = caller.patient()?;
    let page = api.engine.patient_page(id).await;
    let page = page.ok_or_else(|| Problem::not_found("there is no such patient"))?;
    let is_patient = caller.who.role == Role::Patient;
    let looks = if is_patient { api.looks(caller.resource.org, id).await? } else { Vec::new() };
    let directory = api.engine.directory();
    let shared = directory.shares.get(&caller.who.user);
    let chosen = chosen(&page.numerics);
    let span = Span { from: page.now.before(LOOK_BACK), to: page.now };
    let vitals: Vec<Vital> = chosen.iter().map(|it| it.vital).collect();
    let trends = read_trends(api, caller, id, &vitals, (span, OWN_POINTS)).await?;
    let of_vital = |vital: Vital| trends.iter().find(|trend| trend.vital == vital.word());
    let numbers =
        chosen.iter().map(|it| own_number(api, &directory, &page, it, of_vital(it.vital)));
    // With family the patient shares their numbers, and not where they lie or with whom.
    let person = |staff: Option<model::StaffId>| {
        staff.filter(|_| is_patient).map(|staff| Person::of(&directory, staff))
    };
    let bed = page.bed.filter(|_| is_patient).and_then(|bed| directory.beds.get(&bed));
    let unit = page.care_unit.filter(|_| is_patient);
    let unit = unit.and_then(|unit| directory.care_units.get(&unit));
    // What a patient tells the team they may not want to tell at home.
    let felt = page.charting.iter().filter(|it| is_patient && it.charting.feeling.is_some());
    Ok(Own {
        given_name: page.patient.given_name.0.clone(),
        bed: bed.map(|bed| Named { id: bed.id.to_string(), name: bed.name.clone() }),
        care_unit: unit.map(|unit| Named { id: unit.id.to_string(), name: unit.name.clone() }),
        nurse: person(page.nurse),
        charge: person(page.charge),
        numbers: numbers.collect(),
        felt: felt.map(|entry| Charted::of(entry, &directory)).collect(),
        next_dose: Dose::next(&directory, id),
        looks,
        shares: if is_patient { Shared::all(&directory, id, caller.at) } else { Vec::new() },
        shared_until: shared.map(|it| time(it.share.until)),
        recording: page.recording.is_on(),
        now: time(page.now),
    })
}

/// The numbers that a page shows; a pulse counts once, whoever measured it.
fn chosen(numerics: &[view::Numeric]) -> Vec<&view::Numeric> {
    let has_rate = numerics.iter().any(|it| it.vital == Vital::HeartRate);
    let wanted = TOLD.iter().filter(|vital| !(has_rate && **vital == Vital::PulseRate));
    let found = wanted.filter_map(|vital| numerics.iter().find(|it| it.vital == *vital));
    found.take(NUMBERS).collect()
}

fn own_number(
    api: &Api,
    directory: &Directory,
    page: &view::PatientPage,
    it: &view::Numeric,
    trend: Option<&Trend>,
) -> OwnNumber {
    let device = directory.devices.get(&it.device);
    let profile = device.and_then(|device| api.profiles.get(&device.profile));
    let points = trend.map(|trend| trend.points.clone()).unwrap_or_default();
    let with = (it.vital == Vital::SystolicPressure)
        .then(|| page.numerics.iter().find(|other| other.vital == Vital::DiastolicPressure))
        .flatten();
    OwnNumber {
        numeric: Numeric::at(it, page.now).without_alarm(),
        measured_by: profile.map_or_else(String::new, |profile| profile.words.clone()),
        place: place(it),
        usual: usual(&points),
        points,
        with: with.map(|it| Numeric::at(it, page.now).without_alarm()),
        with_place: with.and_then(place),
    }
}

/// Where a value lies beside its limits; `None` without a value or a limit.
fn place(it: &view::Numeric) -> Option<&'static str> {
    it.thousandths.and_then(|value| match (it.low_thousandths, it.high_thousandths) {
        (Some(low), _) if value < low => Some("below"),
        (_, Some(high)) if value > high => Some("above"),
        (None, None) => None,
        (_, _) => Some("in"),
    })
}

/// Between which values eight of ten lie.
fn usual(points: &[(i64, f64)]) -> Option<(f64, f64)> {
    let mut values: Vec<f64> = points.iter().map(|(_, value)| *value).collect();
    if values.len() < USUAL_MIN {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let at = |percent: usize| values.get((values.len() - 1) * percent / 100).copied();
    let round = |value: f64| (value * 10.0).round() / 10.0;
    Some((round(at(10)?), round(at(90)?)))
}

async fn feel(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Given(given): Given<Felt>,
) -> Result<(StatusCode, Json<Own>), Problem> {
    let charting = Charting {
        patient: caller.patient()?,
        observed_at: caller.at,
        consciousness: None,
        oxygen: None,
        breaths_per_min: None,
        note: Redacted(given.words.trim().to_owned()),
        feeling: Some(Feeling::read(&given.feeling)?),
    };
    api.ask(&caller, Wish::Chart(charting)).await?;
    Ok((StatusCode::CREATED, Json(show(&api, &caller).await?)))
}

#[test]
fn what_is_usual_needs_twenty_values_and_leaves_out_the_rare_ones() {
    let points = |count: i64| {
        (0..count).map(|at| (at, crate::dto::words::number(at * 1_000))).collect::<Vec<_>>()
    };
    assert_eq!(usual(&points(19)), None);
    assert_eq!(usual(&points(20)), Some((1.0, 17.0)));
    assert_eq!(usual(&points(101)), Some((10.0, 90.0)));
}
