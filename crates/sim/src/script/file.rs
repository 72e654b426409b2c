//! The file of a script: its TOML, and the checks that serde cannot make.

use serde::Deserialize;
use toml::Spanned;

use super::{
    Bedded, HandOver, Member, Order, OwnLimit, Script, ScriptError, Unit, UnitKind, span_s,
};
use crate::{device::Kind, physiology::AtRest};

/// For how long a script makes sense that does not say so.
const LASTS_S: f64 = 86_400.0;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    title: String,
    site: String,
    lasts: Option<Spanned<String>>,
    unit: Vec<FileUnit>,
    #[serde(default)]
    staff: Vec<Spanned<FileMember>>,
    patient: Vec<Spanned<FilePatient>>,
    #[serde(default)]
    event: Vec<Spanned<Order>>,
    #[serde(default)]
    hand_over: Vec<Spanned<FileHandOver>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileUnit {
    name: String,
    kind: UnitKind,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileMember {
    login: String,
    name: String,
    role: String,
    #[serde(default)]
    charge_of: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FilePatient {
    unit: String,
    room: String,
    bed: String,
    given_name: String,
    family_name: String,
    born: String,
    sex: String,
    here_for: String,
    #[serde(default)]
    at_rest: FileAtRest,
    #[serde(default)]
    wants_88_to_92: bool,
    nurse: Option<String>,
    devices: Vec<String>,
    #[serde(default)]
    limits: Vec<OwnLimit>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileAtRest {
    heart_rate: Option<f64>,
    breaths: Option<f64>,
    saturation: Option<f64>,
    systolic: Option<f64>,
    diastolic: Option<f64>,
    temperature: Option<f64>,
    glucose: Option<f64>,
    weight: Option<f64>,
    fev1: Option<f64>,
    fvc: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileHandOver {
    at: String,
    unit: String,
    from: String,
    to: String,
}

fn line_of(text: &str, offset: usize) -> usize {
    text.get(..offset).map_or(1, |before| before.matches('\n').count() + 1)
}

/// Says what is wrong in which line.
struct At<'a>(&'a str);

impl At<'_> {
    fn refuse<T>(&self, spanned: &Spanned<T>, what: impl Into<String>) -> ScriptError {
        ScriptError { line: line_of(self.0, spanned.span().start), what: what.into() }
    }
}

pub(super) fn parse(text: &str) -> Result<Script, ScriptError> {
    let file: File = toml::from_str(text).map_err(|error| ScriptError {
        line: error.span().map_or(1, |span| line_of(text, span.start)),
        what: error.message().to_owned(),
    })?;
    let at = At(text);
    let units: Vec<Unit> =
        file.unit.into_iter().map(|it| Unit { name: it.name, kind: it.kind }).collect();
    let mut script = Script {
        title: file.title,
        site: file.site,
        lasts_s: LASTS_S,
        units,
        staff: Vec::new(),
        patients: Vec::new(),
        hand_overs: Vec::new(),
        plans: Vec::new(),
    };
    if let Some(lasts) = &file.lasts {
        script.lasts_s = span_s(lasts.get_ref())
            .filter(|it| *it >= 1.0)
            .ok_or_else(|| at.refuse(lasts, "`lasts` is a span such as `24h`, of at least `1s`"))?;
    }
    for member in &file.staff {
        let member = script.member(&at, member)?;
        script.staff.push(member);
    }
    for patient in &file.patient {
        let bedded = script.bedded(&at, patient)?;
        script.patients.push(bedded);
    }
    for order in &file.event {
        if order.get_ref().at.is_none() {
            return Err(at.refuse(order, "`at` is missing; say when, such as `at = \"30s\"`"));
        }
        let plan = script.plan(order.get_ref()).map_err(|error| at.refuse(order, error.0))?;
        script.plans.push(plan);
    }
    for hand_over in &file.hand_over {
        let hand_over = script.hand_over(&at, hand_over)?;
        script.hand_overs.push(hand_over);
    }
    Ok(script)
}

impl Script {
    fn unit_index<T>(
        &self,
        at: &At<'_>,
        spanned: &Spanned<T>,
        name: &str,
    ) -> Result<usize, ScriptError> {
        self.units.iter().position(|unit| unit.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.units.iter().map(|unit| unit.name.as_str()).collect();
            at.refuse(
                spanned,
                format!("there is no unit `{name}`; this script has: {}", names.join(", ")),
            )
        })
    }

    fn login<T>(
        &self,
        at: &At<'_>,
        spanned: &Spanned<T>,
        login: &str,
    ) -> Result<String, ScriptError> {
        if self.staff.iter().any(|member| member.login == login) {
            return Ok(login.to_owned());
        }
        let logins: Vec<&str> = self.staff.iter().map(|it| it.login.as_str()).collect();
        let known = logins.join(", ");
        Err(at.refuse(spanned, format!("nobody has the login `{login}`; `staff` has: {known}")))
    }

    fn member(&self, at: &At<'_>, spanned: &Spanned<FileMember>) -> Result<Member, ScriptError> {
        const ROLES: [&str; 4] = ["nurse", "charge_nurse", "physician", "it"];
        let FileMember { login, name, role, charge_of } = spanned.get_ref();
        if !ROLES.contains(&role.as_str()) {
            let what = format!("`role` is `{role}`; use one of: {}", ROLES.join(", "));
            return Err(at.refuse(spanned, what));
        }
        let charge_of: Result<_, _> =
            charge_of.iter().map(|unit| self.unit_index(at, spanned, unit)).collect();
        let (login, name, role) = (login.clone(), name.clone(), role.clone());
        Ok(Member { login, name, role, charge_of: charge_of? })
    }

    fn bedded(&self, at: &At<'_>, spanned: &Spanned<FilePatient>) -> Result<Bedded, ScriptError> {
        let it = spanned.get_ref();
        let unit_index = self.unit_index(at, spanned, &it.unit)?;
        let is_taken = |other: &Bedded| other.unit_index == unit_index && other.bed == it.bed;
        if self.patients.iter().any(is_taken) {
            let what =
                format!("bed `{}` of {} has a patient already; use another", it.bed, it.unit);
            return Err(at.refuse(spanned, what));
        }
        let kind = |profile: &String| {
            Kind::of_profile(profile).ok_or_else(|| {
                let all = Kind::ALL.map(Kind::profile).join(", ");
                at.refuse(spanned, format!("there is no device `{profile}`; use one of: {all}"))
            })
        };
        let devices: Result<Vec<Kind>, _> = it.devices.iter().map(kind).collect();
        let nurse = it.nurse.as_ref().map(|login| self.login(at, spanned, login)).transpose()?;
        for limit in &it.limits {
            if limit.low.is_none() && limit.high.is_none() {
                let what = format!("the limit of `{}` has neither `low` nor `high`", limit.vital);
                return Err(at.refuse(spanned, what));
            }
        }
        Ok(Bedded {
            unit_index,
            room: it.room.clone(),
            bed: it.bed.clone(),
            given_name: it.given_name.clone(),
            family_name: it.family_name.clone(),
            born: it.born.clone(),
            sex: it.sex.clone(),
            here_for: it.here_for.clone(),
            at_rest: it.at_rest.checked().map_err(|what| at.refuse(spanned, what))?,
            wants_88_to_92: it.wants_88_to_92,
            nurse,
            devices: devices?,
            limits: it.limits.clone(),
        })
    }

    fn hand_over(
        &self,
        at: &At<'_>,
        spanned: &Spanned<FileHandOver>,
    ) -> Result<HandOver, ScriptError> {
        let it = spanned.get_ref();
        let at_s = span_s(&it.at).ok_or_else(|| {
            at.refuse(spanned, format!("`at` is `{}`; write a span such as `7h`", it.at))
        })?;
        let unit_index = self.unit_index(at, spanned, &it.unit)?;
        let (from, to) = (self.login(at, spanned, &it.from)?, self.login(at, spanned, &it.to)?);
        Ok(HandOver { at_s, unit_index, from, to })
    }
}

impl FileAtRest {
    /// A body that can live, or which number it cannot live with.
    fn checked(&self) -> Result<AtRest, String> {
        let adult = AtRest::ADULT;
        let given = |key: &str, value: Option<f64>, default: f64, from: f64, to: f64| match value {
            None => Ok(default),
            Some(value) if (from..=to).contains(&value) => Ok(value),
            Some(value) => Err(format!("`at_rest.{key}` is {value}; {from} to {to} is possible")),
        };
        let fev1_litres = given("fev1", self.fev1, adult.fev1_litres, 0.4, 6.0)?;
        let fvc_litres = given("fvc", self.fvc, adult.fvc_litres, 0.8, 8.0)?;
        if fev1_litres > fvc_litres {
            return Err(format!(
                "`at_rest.fev1` is {fev1_litres}, more than the whole blow of {fvc_litres} (`fvc`)"
            ));
        }
        Ok(AtRest {
            heart_rate_per_min: given(
                "heart_rate",
                self.heart_rate,
                adult.heart_rate_per_min,
                35.0,
                140.0,
            )?,
            breaths_per_min: given("breaths", self.breaths, adult.breaths_per_min, 8.0, 35.0)?,
            saturation_percent: given(
                "saturation",
                self.saturation,
                adult.saturation_percent,
                82.0,
                97.5,
            )?,
            systolic_mmhg: given("systolic", self.systolic, adult.systolic_mmhg, 85.0, 200.0)?,
            diastolic_mmhg: given("diastolic", self.diastolic, adult.diastolic_mmhg, 45.0, 110.0)?,
            temperature_cel: given(
                "temperature",
                self.temperature,
                adult.temperature_cel,
                35.5,
                39.5,
            )?,
            glucose_mg_per_dl: given(
                "glucose",
                self.glucose,
                adult.glucose_mg_per_dl,
                70.0,
                300.0,
            )?,
            weight_kg: given("weight", self.weight, adult.weight_kg, 30.0, 250.0)?,
            fev1_litres,
            fvc_litres,
        })
    }
}
