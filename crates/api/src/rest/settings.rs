//! The limits of a care unit: for everybody there, or for those of an age.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{Method, StatusCode},
};
use engine::{Layer, view::LimitInForce};
use model::{AgeBand, CareUnitId, LimitSet, Vital};
use record::Wish;
use security::Action;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::patients::side;
use crate::{
    Api,
    dto::{
        bed::Named,
        patient::{Limits, SetLimits},
        words::Spelt as _,
    },
    extract::{self, Asked, Given},
    guard::Caller,
    problem::Problem,
    routes::{Access, Route, Scope},
};

/// The limits of a care unit, with what holds where nobody set any.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UnitLimits {
    care_unit: Named,
    /// The ages that can have limits of their own, the youngest first.
    bands: Vec<Band>,
    /// What was set here.
    set: Vec<LimitsOfBand>,
    /// What holds where nothing was set.
    built_in: Vec<Limits>,
}

/// Ages from a whole year of life to the next band's.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Band {
    band: &'static str,
    from_years: i32,
    /// Null for the oldest.
    below_years: Option<i32>,
}

/// The limits of a vital for a band.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LimitsOfBand {
    /// Null: for all ages.
    band: Option<&'static str>,
    #[serde(flatten)]
    limits: Limits,
}

pub(crate) fn routes() -> Vec<Route> {
    let read = Access::Permitted(Action::ReadUnitLimits, Scope::CareUnit);
    let set = Access::Permitted(Action::SetUnitLimits, Scope::CareUnit);
    let own = Access::Permitted(Action::SetLimits, Scope::Patient);
    let of_band = |route: Route| route.query("band", "Only for this age; all ages without it");
    vec![
        Route::new(Method::GET, "/care-units/{id}/limits", read, "The limits of a care unit", show)
            .answers::<UnitLimits>(),
        of_band(Route::new(
            Method::PUT,
            "/care-units/{id}/limits/{vital}",
            set,
            "Sets the limits of a vital in a care unit",
            put,
        ))
        .takes::<SetLimits>()
        .answers::<UnitLimits>(),
        of_band(Route::new(
            Method::DELETE,
            "/care-units/{id}/limits/{vital}",
            set,
            "Takes the limits of a vital in a care unit away",
            clear,
        ))
        .answers::<UnitLimits>(),
        Route::new(
            Method::DELETE,
            "/patients/{id}/limits/{vital}",
            own,
            "Lets the limits of the care unit hold for a patient again",
            clear_own,
        )
        .status(204),
    ]
}

#[derive(Debug, Deserialize)]
struct OfBand {
    band: Option<String>,
}

impl OfBand {
    fn read(&self) -> Result<Option<AgeBand>, Problem> {
        self.band.as_deref().map(AgeBand::read).transpose()
    }
}

fn unit_of(caller: &Caller) -> Result<CareUnitId, Problem> {
    caller.resource.care_unit.ok_or_else(|| Problem::not_found("there is no such care unit"))
}

async fn show(State(api): State<Arc<Api>>, caller: Caller) -> Result<Json<UnitLimits>, Problem> {
    shown(&api, unit_of(&caller)?).map(Json)
}

fn shown(api: &Api, id: CareUnitId) -> Result<UnitLimits, Problem> {
    let directory = api.engine.directory();
    let unit = directory.care_units.get(&id);
    let unit = unit.ok_or_else(|| Problem::not_found("there is no such care unit"))?;
    let next = AgeBand::ALL.iter().skip(1).map(|band| Some(band.from_years()));
    let bands = AgeBand::ALL.iter().zip(next.chain([None]));
    let of_unit = |it: &&engine::UnitLimitKey| it.0.0 == id;
    let keys = directory.unit_limits.keys().filter(of_unit);
    let set = keys.filter_map(|key| {
        let ((_, band), setting) = (key.0, directory.unit_limits.get(key)?);
        let layer = if band.is_some() { Layer::AgeBand } else { Layer::CareUnit };
        let set = Some((setting.by, setting.at));
        let in_force =
            LimitInForce { limits: setting.limits, layer, care_unit: Some(id), band, set };
        let limits = Limits::of(&in_force, &directory);
        Some(LimitsOfBand { band: band.map(|band| band.word()), limits })
    });
    let built_in = engine::default_limits().map(|limits| {
        let layer = Layer::BuiltIn;
        let in_force = LimitInForce { limits, layer, care_unit: Some(id), band: None, set: None };
        Limits::of(&in_force, &directory)
    });
    Ok(UnitLimits {
        care_unit: Named { id: id.to_string(), name: unit.name.clone() },
        bands: bands
            .map(|(band, below_years)| Band {
                band: band.word(),
                from_years: band.from_years(),
                below_years,
            })
            .collect(),
        set: set.collect(),
        built_in: built_in.collect(),
    })
}

async fn put(
    State(api): State<Arc<Api>>,
    caller: Caller,
    extract::Named((_, vital)): extract::Named<(String, String)>,
    Asked(of): Asked<OfBand>,
    Given(given): Given<SetLimits>,
) -> Result<Json<UnitLimits>, Problem> {
    let (care_unit, band, vital) = (unit_of(&caller)?, of.read()?, Vital::read(&vital)?);
    let (low, high) = (given.low.map(side).transpose()?, given.high.map(side).transpose()?);
    let limits = LimitSet { vital, low, high };
    api.ask(&caller, Wish::SetUnitLimits { care_unit, band, limits }).await?;
    shown(&api, care_unit).map(Json)
}

async fn clear(
    State(api): State<Arc<Api>>,
    caller: Caller,
    extract::Named((_, vital)): extract::Named<(String, String)>,
    Asked(of): Asked<OfBand>,
) -> Result<Json<UnitLimits>, Problem> {
    let (care_unit, band, vital) = (unit_of(&caller)?, of.read()?, Vital::read(&vital)?);
    api.ask(&caller, Wish::ClearUnitLimits { care_unit, band, vital }).await?;
    shown(&api, care_unit).map(Json)
}

async fn clear_own(
    State(api): State<Arc<Api>>,
    caller: Caller,
    extract::Named((_, vital)): extract::Named<(String, String)>,
) -> Result<StatusCode, Problem> {
    let (patient, vital) = (caller.patient()?, Vital::read(&vital)?);
    api.ask(&caller, Wish::ClearLimits { patient, vital }).await?;
    Ok(StatusCode::NO_CONTENT)
}
